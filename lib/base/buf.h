/*
 * buf.h: a growable byte buffer with a written maximum.
 *
 * Invariants: data is NULL or has `size` bytes of which the first `len` are content. A buffer that could not grow is
 * marked `failed`, ignores further appends, and says so in buf_check(), so that a writer appends without
 * checking and checks once at its end. Caller's storage; one thread.
 */
#ifndef TAILRACE_BASE_BUF_H
#define TAILRACE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/error.h"

struct buf {
	char *data;
	size_t len;
	size_t size;
	size_t max;
	bool failed;
};

/* ---- life cycle ---- */
void buf_init(struct buf *buf, size_t max);
void buf_release(struct buf *buf);
/* Empties the buffer and its failure, keeps its memory. */
void buf_reset(struct buf *buf);
/* Drops what lies behind len, and the failure: for a second attempt. */
void buf_cut(struct buf *buf, size_t len);
/* Hands the NUL-terminated content over to the caller (free()), leaves an empty buffer; NULL if it failed. */
char *buf_take(struct buf *buf);

/* ---- content ---- */
/* Room for `more` bytes behind len; returns where to write them (then add to len), or NULL (marked failed). */
char *buf_grow(struct buf *buf, size_t more);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void buf_json_string(struct buf *buf, const char *text, size_t len);
/* NUL behind the content (not counted in len); "" for an empty or failed buffer. */
const char *buf_cstr(struct buf *buf);

/* 0, or -1 and ERROR_DATA "... larger than N bytes". `what` names the content. */
int buf_check(const struct buf *buf, const char *what, struct error *err);

static inline char *buf_room(struct buf *buf, size_t more)
{
	if (buf->size - buf->len >= more && buf->data != NULL && !buf->failed)
		return buf->data + buf->len;
	return buf_grow(buf, more);
}

static inline void buf_append(struct buf *buf, const void *bytes, size_t len)
{
	char *to = buf_room(buf, len);

	if (to != NULL && len > 0) {
		memcpy(to, bytes, len);
		buf->len += len;
	}
}

static inline void buf_append_byte(struct buf *buf, char byte)
{
	char *to = buf_room(buf, 1);

	if (to != NULL) {
		*to = byte;
		buf->len++;
	}
}

static inline void buf_append_str(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

#endif
