/*
 * guard.c: a thread that does what must work while the main thread is busy or stuck.
 *
 *   - The first SIGTERM or SIGINT asks the pipeline to stop and sets the deadline; the second ends the process at once.
 *   - At the deadline the process ends, drained or not: who stops it gets an end within 10 s; nothing is lost by it.
 *     An agent that was not running has nothing to drain: it need not sit out a time limit of a server that does not
 *     answer, and ends with 0.
 *   - systemd's watchdog is fed as long as the main thread shows that it lives.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/agent/internal.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define SECOND INT64_C(1000000)
#define DRAIN_WITHIN (9 * SECOND)
#define CONNECT_WITHIN (2 * SECOND)

static struct {
	pthread_t thread;
	int signal_fd, stop_fd;
	char socket_path[112];
	int64_t deadline_us; /* 0: nobody asked to stop */
	bool idle;           /* was not running when asked to stop */
	int64_t watchdog_us, fed_us;
} guard;

/* _exit: the main thread may hold any lock that exit() wants. */
static void end_now(const char *why)
{
	log_warning("%s; what was under way is done again after the next start", why);
	(void)unlink(guard.socket_path);
	_exit(EX_TEMPFAIL);
}

static void end_idle(void)
{
	agent_set_state(AGENT_STOPPED, "while connecting");
	(void)unlink(guard.socket_path);
	_exit(EX_OK);
}

static void take_signal(void)
{
	struct signalfd_siginfo info;

	if (read(guard.signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
		return;
	if (info.ssi_signo == SIGHUP) {
		log_info("SIGHUP has no effect: the configuration is read at the start only");
		return;
	}
	if (guard.deadline_us != 0)
		end_now("stopped by a second signal");
	guard.idle = !agent_is_running();
	guard.deadline_us = clock_monotonic_us() + (guard.idle ? CONNECT_WITHIN : DRAIN_WITHIN);
	process_notify("STOPPING=1");
	/* The state first: a main thread that sees the request may be done before this one comes to tell why. */
	agent_set_state(AGENT_DRAINING, info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
	agent_request_stop();
}

static void tend(void)
{
	int64_t now = clock_monotonic_us();

	if (guard.deadline_us != 0 && now >= guard.deadline_us && guard.idle)
		end_idle();
	if (guard.deadline_us != 0 && now >= guard.deadline_us)
		end_now("not drained within 9 s");
	agent_watch_beat();
	if (guard.watchdog_us > 0 && now - guard.fed_us >= guard.watchdog_us / 3 && agent_alive()) {
		guard.fed_us = now;
		process_notify("WATCHDOG=1");
	}
}

static void *run(void *unused)
{
	struct pollfd fds[2] = { { guard.signal_fd, POLLIN, 0 }, { guard.stop_fd, POLLIN, 0 } };

	(void)unused;
	for (;;) {
		int n = poll(fds, 2, 1000);

		if (n > 0 && fds[1].revents != 0)
			return NULL;
		if (n > 0 && fds[0].revents != 0)
			take_signal();
		tend();
	}
}

int guard_open(const char *socket_path, struct error *err)
{
	sigset_t signals;

	(void)snprintf(guard.socket_path, sizeof guard.socket_path, "%s", socket_path);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	guard.watchdog_us = process_watchdog_us();
	guard.deadline_us = 0;
	guard.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	guard.stop_fd = eventfd(0, EFD_CLOEXEC);
	if (guard.signal_fd < 0 || guard.stop_fd < 0)
		return error_set(err, ERROR_RETRY, "could not make a descriptor for signals: %s", strerror(errno));
	errno = pthread_create(&guard.thread, NULL, run, NULL);
	if (errno != 0)
		return error_set(err, ERROR_RETRY, "could not start a thread: %s", strerror(errno));
	return 0;
}

void guard_close(void)
{
	(void)!write(guard.stop_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	(void)pthread_join(guard.thread, NULL);
	(void)close(guard.signal_fd);
	(void)close(guard.stop_fd);
}
