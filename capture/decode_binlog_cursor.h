/*
 * decode_binlog_cursor.h: takes fields off a run of bytes in the forms that binlogs use. Integers are little-endian.
 *
 * What is taken behind the end is zero or NULL and marks the cursor failed, so that a run of fields is taken first and checked once.
 */
#ifndef TAILRACE_CAPTURE_DECODE_BINLOG_CURSOR_H
#define TAILRACE_CAPTURE_DECODE_BINLOG_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
	const unsigned char *at, *end;
	bool failed;
};

static inline struct cursor cursor_over(const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	/* no arithmetic on NULL, which an empty run may be */
	return (struct cursor){ at, len > 0 ? at + len : at, false };
}

static inline size_t cursor_left(const struct cursor *in)
{
	return (size_t)(in->end - in->at);
}

/* The next n bytes, or NULL. */
static inline const unsigned char *cursor_bytes(struct cursor *in, uint64_t n)
{
	const unsigned char *at = in->at;

	if (in->failed || n > cursor_left(in)) {
		in->failed = true;
		return NULL;
	}
	in->at += n;
	return at;
}

/* An unsigned integer of `size` bytes. */
static inline uint64_t cursor_int(struct cursor *in, size_t size)
{
	const unsigned char *at = cursor_bytes(in, size);
	uint64_t n = 0;

	if (at == NULL)
		return 0;
	for (size_t i = 0; i < size; i++)
		n |= (uint64_t)at[i] << (8 * i);
	return n;
}

/* The protocol's length-encoded integer: one byte, or FC, FD, FE and 2, 3, 8 bytes. */
static inline uint64_t cursor_lenenc(struct cursor *in)
{
	uint64_t first = cursor_int(in, 1);

	if (first < 0xfb)
		return first;
	if (first == 0xfc || first == 0xfd)
		return cursor_int(in, (size_t)(first - 0xfa));
	if (first == 0xfe)
		return cursor_int(in, 8);
	in->failed = true; /* NULL, or an error packet */
	return 0;
}

/*
 * The variable-length integer of MySQL's serialization library: as many bytes as the first has ones at its low end, plus one; the rest
 * of its bits are the number's lowest. Eight ones: the number is the eight bytes behind.
 */
static inline uint64_t cursor_varlen(struct cursor *in)
{
	unsigned first = (unsigned)cursor_int(in, 1);
	size_t more = 0;

	while (more < 8 && (first >> more & 1) != 0)
		more++;
	if (more == 8)
		return cursor_int(in, 8);
	return cursor_int(in, more) << (7 - more) | first >> (more + 1);
}

/* The same, signed: the lowest bit is the sign, and then all bits are turned. */
static inline int64_t cursor_varlen_signed(struct cursor *in)
{
	uint64_t n = cursor_varlen(in);

	return (int64_t)(n >> 1 ^ (0 - (n & 1)));
}

#endif
