/*
 * file.c: whole small files, and forgetting them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/settings/internal.h"

static int read_all(int fd, const char *path, size_t max, struct buf *buf, struct error *err)
{
	for (;;) {
		char *to = buf_room(buf, 4096);
		ssize_t n;

		if (to == NULL)
			return error_set(err, ERROR_CONFIG, "%s is larger than %zu bytes", path, max);
		n = read(fd, to, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, ERROR_CONFIG, "cannot read %s: %s", path, strerror(errno));
		if (n == 0)
			return 0;
		buf->len += (size_t)n;
	}
}

int settings_read_file(const char *path, size_t max, struct buf *ret_buf, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	struct buf buf;
	int rc = -1;

	if (fd < 0)
		return error_set(err, ERROR_CONFIG, "cannot read %s: %s", path, strerror(errno));
	/* One allocation, so that growing leaves no copy of a secret behind; and room to see that there is no more. */
	buf_init(&buf, max + 4096);
	if (fstat(fd, &st) < 0)
		(void)error_set(err, ERROR_CONFIG, "cannot read %s: %s", path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		(void)error_set(err, ERROR_CONFIG, "cannot read %s: it is a folder", path);
	else if ((uint64_t)st.st_size > max || buf_room(&buf, (size_t)st.st_size + 4096) == NULL)
		(void)error_set(err, ERROR_CONFIG, "%s is larger than %zu bytes", path, max);
	else
		rc = read_all(fd, path, max, &buf, err);
	(void)close(fd);
	if (rc == 0 && memchr(buf_cstr(&buf), '\0', buf.len) != NULL)
		rc = error_set(err, ERROR_CONFIG, "%s holds a zero byte: it is not a text file", path);
	if (rc < 0) {
		settings_wipe(&buf);
		return -1;
	}
	*ret_buf = buf;
	return 0;
}

void settings_wipe(struct buf *buf)
{
	if (buf->data != NULL)
		explicit_bzero(buf->data, buf->size);
	buf_release(buf);
}
