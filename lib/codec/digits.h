/*
 * digits.h: unsigned numbers as decimal digits, two at a time, for the hot path.
 */
#ifndef TAILRACE_CODEC_DIGITS_H
#define TAILRACE_CODEC_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIGITS_MAX 20 /* of a uint64_t */

extern const char digits_pairs[201]; /* "000102...99" */

static inline void digits_put_pair(char *at, unsigned number)
{
	memcpy(at, digits_pairs + 2 * number, 2);
}

/* Writes number without leading zeros so that it ends right before `end`; returns where it starts. */
static inline char *digits_put_before(char *end, uint64_t number)
{
	while (number >= 100) {
		end -= 2;
		digits_put_pair(end, (unsigned)(number % 100));
		number /= 100;
	}
	if (number >= 10) {
		end -= 2;
		digits_put_pair(end, (unsigned)number);
	} else {
		*--end = (char)('0' + number);
	}
	return end;
}

/* Writes number at `at` (room for DIGITS_MAX); returns the length. No NUL. */
static inline size_t digits_put(char *at, uint64_t number)
{
	char text[DIGITS_MAX];
	char *from = digits_put_before(text + sizeof text, number);
	size_t len = (size_t)(text + sizeof text - from);

	memcpy(at, from, len);
	return len;
}

#endif
