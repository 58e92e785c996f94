/*
 * endpoint.c: an agent's name on this machine: a lock that makes sure that it is there once, and its socket.
 *
 * The lock is the kernel's (flock), so that a killed agent leaves none behind; its file stays. Whoever holds it may
 * replace a stale socket. Should the lock's file have been removed, a socket that still answers tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/agent/internal.h"

#define BACKLOG 64

static int refuse_running(const char *name, int lock_fd, struct error *err)
{
	char pid[16] = "";
	ssize_t len = lock_fd >= 0 ? pread(lock_fd, pid, sizeof pid - 1, 0) : 0;

	if (len <= 0)
		return error_set(err, ERROR_FENCED, "agent \"%s\" is already running", name);
	return error_set(err, ERROR_FENCED, "agent \"%s\" is already running (process %.*s)", name,
		(int)strcspn(pid, "\n"), pid);
}

static int make_folder(const char *path, struct error *err)
{
	if (mkdir(path, 0755) == 0)
		return chmod(path, 0755) == 0 ? 0 : error_set(err, ERROR_CONFIG, "cannot set the mode of %s", path);
	if (errno == EEXIST)
		return 0;
	(void)error_set(err, ERROR_CONFIG, "cannot make the run directory %s: %s", path, strerror(errno));
	return error_hint(err, "set run_directory, or let systemd make it (RuntimeDirectory=)");
}

static int take_lock(const char *run_directory, const char *name, int *ret_fd, struct error *err)
{
	char path[4096], pid[16];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s.lock", run_directory, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return error_set(err, ERROR_CONFIG, "cannot open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			(void)refuse_running(name, fd, err);
		else
			(void)error_set(err, ERROR_CONFIG, "cannot lock %s: %s", path, strerror(errno));
		(void)close(fd);
		return -1;
	}
	(void)snprintf(pid, sizeof pid, "%jd\n", (intmax_t)getpid());
	(void)!ftruncate(fd, 0);
	(void)!pwrite(fd, pid, strlen(pid), 0);
	*ret_fd = fd;
	return 0;
}

static bool answers(int fd, const struct sockaddr_un *address)
{
	/* EAGAIN: its queue is full, so that there is somebody. */
	return connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN;
}

static int listen_at(const char *name, const struct sockaddr_un *address, int *ret_fd, struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int rc;

	if (fd < 0)
		return error_set(err, ERROR_RETRY, "could not make a socket: %s", strerror(errno));
	if (answers(fd, address)) {
		(void)close(fd);
		return refuse_running(name, -1, err);
	}
	(void)unlink(address->sun_path);
	mask = umask(0117); /* no other thread runs yet */
	rc = bind(fd, (const struct sockaddr *)address, sizeof *address);
	(void)umask(mask);
	if (rc < 0 || listen(fd, BACKLOG) < 0) {
		(void)error_set(err, ERROR_CONFIG, "cannot listen at %s: %s", address->sun_path, strerror(errno));
		(void)close(fd);
		return -1;
	}
	*ret_fd = fd;
	return 0;
}

int endpoint_open(const char *run_directory, const char *name, struct endpoint *ret_endpoint, struct error *err)
{
	struct endpoint endpoint = { -1, -1, "" };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int len = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.sock", run_directory, name);

	if (len < 0 || (size_t)len >= sizeof address.sun_path) {
		(void)error_set(err, ERROR_CONFIG, "the socket's path %s/%s.sock is longer than %zu bytes",
			run_directory, name, sizeof address.sun_path - 1);
		return error_hint(err, "choose a shorter run_directory");
	}
	(void)snprintf(endpoint.path, sizeof endpoint.path, "%s", address.sun_path);
	if (make_folder(run_directory, err) < 0 || take_lock(run_directory, name, &endpoint.lock_fd, err) < 0)
		return -1;
	if (listen_at(name, &address, &endpoint.listen_fd, err) < 0) {
		(void)close(endpoint.lock_fd);
		return -1;
	}
	*ret_endpoint = endpoint;
	return 0;
}

void endpoint_close(struct endpoint *endpoint)
{
	(void)unlink(endpoint->path);
	(void)close(endpoint->lock_fd);
}
