/*
 * decimal.h: plain decimal text ("-12.340") <-> unscaled two's complement integer, big endian, as Avro's decimal
 * has it.
 *
 * The unscaled number is the text without its point: "-12.340" with scale 3 is -12340 = cf cc. Shortest form, at
 * least one byte; zero has no sign. Up to 18 digits go through int64_t, up to 38 through __int128, more through a
 * loop over 64-bit limbs. Pure functions.
 */
#ifndef TAILRACE_CODEC_DECIMAL_H
#define TAILRACE_CODEC_DECIMAL_H

#include <stddef.h>

/* Written maxima: PostgreSQL's longest numeric has 131072 digits before and 16383 behind the point. */
#define DECIMAL_DIGITS_MAX 150000
#define DECIMAL_BYTES_MAX 65536 /* more than enough for that many digits */
#define DECIMAL_SCALE_MAX 200000

enum decimal_result {
	DECIMAL_OK,
	DECIMAL_NOT_PLAIN, /* NaN, exponents, ... */
	DECIMAL_TOO_FINE,  /* more digits behind the point than the scale keeps */
	DECIMAL_TOO_LONG   /* more digits than the precision, or than DECIMAL_DIGITS_MAX */
};

/* The most bytes that decimal_encode() touches for a text of this length and this scale. */
static inline size_t decimal_bound(size_t text_len, int scale)
{
	return (text_len + (size_t)(scale > 0 ? scale : 0)) / 2 + 24;
}

/*
 * precision 0: any number of digits. *io_scale: the digits behind the point that the number is to have; -1: as many
 * as the text has, which are put there. out: decimal_bound() bytes.
 */
enum decimal_result decimal_encode(const char *text, size_t len, int precision, int *io_scale, unsigned char *out,
	size_t *ret_len);

/*
 * The bytes that decimal_decode() uses, which is more than the text that it leaves; 0: beyond the written maxima.
 * An empty number counts as one byte.
 */
size_t decimal_text_bound(size_t len, int scale);

/*
 * The plain text of bytes (len may be 0: that is zero) into out (decimal_text_bound() bytes), no NUL. Returns its
 * length. scale may be negative.
 */
size_t decimal_decode(const unsigned char *bytes, size_t len, int scale, char *out);

#endif
