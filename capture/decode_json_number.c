/*
 * decode_json_number.c: doubles, decimals and times of binary JSON in the server's own form.
 *
 * Doubles: the fewest digits that read back as the same double (the nearest of them, if there are several). With 0.ddd x 10^point, the server
 * writes them plainly for points from -14 to 15, and beyond that if digits are left behind the point; else with an exponent. A number without a
 * fraction gets ".0" when it is plain.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_json_view.h"

#define POINT_LEAST (-14)
#define POINT_MOST 15
#define DIGITS_MAX 17
#define DECIMAL_PRECISION_MAX 81 /* more than a column's 65: whole groups of nine digits in the server's memory */

/* value = 0.<digits> x 10^point; no zeros at the end (but "0", point 1). */
struct digits {
	char text[24];
	int count;
	int point;
};

static void strip_zeros(struct digits *digits)
{
	while (digits->count > 1 && digits->text[digits->count - 1] == '0')
		digits->count--;
}

/*
 * Short numbers, without printf: if d x 10^k rounds to an integer below 10^15 and that integer divided by 10^k is d again (both are exact doubles, so
 * the division is rounded once), then its digits are the ones, because no two numbers of 15 digits read as the same double.
 */
static bool short_digits(double d, struct digits *ret)
{
	static const double powers[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10 };

	if (!(d < 1e15))
		return false;
	for (int k = 0; k < (int)(sizeof powers / sizeof powers[0]); k++) {
		unsigned long long number;
		int count = 0;
		char reversed[24];

		if (d * powers[k] >= 1e15)
			return false;
		number = (unsigned long long)(d * powers[k] + 0.5);
		if ((double)number / powers[k] != d)
			continue;
		do
			reversed[count++] = (char)('0' + number % 10);
		while ((number /= 10) > 0);
		for (int i = 0; i < count; i++)
			ret->text[i] = reversed[count - 1 - i];
		ret->count = count;
		ret->point = count - k;
		strip_zeros(ret);
		return true;
	}
	return false;
}

static void parse_printed(const char *printed, struct digits *ret)
{
	const char *exponent = strchr(printed, 'e');

	ret->count = 0;
	for (const char *at = printed; at < exponent; at++)
		if (*at >= '0' && *at <= '9') /* the point is the locale's */
			ret->text[ret->count++] = *at;
	ret->point = (int)strtol(exponent + 1, NULL, 10) + 1;
	strip_zeros(ret);
}

/* The decimal next above in the last place, if that reads as d too. For powers of two: the doubles below them lie closer than those above. */
static bool neighbour_reads_as(double d, char *printed)
{
	char next[40], *last;

	(void)snprintf(next, sizeof next, "%s", printed);
	last = strchr(next, 'e') - 1;
	if (*last < '0' || *last >= '9')
		return false; /* the carry would make fewer digits, which were tried before */
	(*last)++;
	if (strtod(next, NULL) != d)
		return false;
	(void)snprintf(printed, sizeof next, "%s", next);
	return true;
}

static void long_digits(double d, struct digits *ret)
{
	char printed[40];
	bool power_of_two;
	uint64_t bits;

	memcpy(&bits, &d, sizeof bits);
	power_of_two = (bits & 0xfffffffffffff) == 0;
	/* A subnormal has less than 15 digits of its own. */
	for (int count = d < 1e-290 || power_of_two ? 1 : 15; count <= DIGITS_MAX; count++) {
		(void)snprintf(printed, sizeof printed, "%.*e", count - 1, d);
		if (strtod(printed, NULL) == d || (power_of_two && neighbour_reads_as(d, printed)))
			break;
	}
	parse_printed(printed, ret);
}

size_t json_double_text(double d, char *to)
{
	struct digits digits;
	char *at = to;

	if (signbit(d)) {
		*at++ = '-';
		d = -d;
	}
	if (!short_digits(d, &digits))
		long_digits(d, &digits);
	if (digits.point < POINT_LEAST || (digits.point > POINT_MOST && digits.count <= digits.point)) {
		*at++ = digits.text[0];
		if (digits.count > 1) {
			*at++ = '.';
			memcpy(at, digits.text + 1, (size_t)digits.count - 1);
			at += digits.count - 1;
		}
		at += snprintf(at, 8, "e%d", digits.point - 1);
		return (size_t)(at - to);
	}
	if (digits.point <= 0) {
		*at++ = '0';
		*at++ = '.';
		for (int i = digits.point; i < 0; i++)
			*at++ = '0';
	}
	for (int i = 0; i < digits.count || i < digits.point; i++) {
		if (i > 0 && i == digits.point)
			*at++ = '.';
		*at++ = i < digits.count ? digits.text[i] : '0';
	}
	if (digits.count <= digits.point) {
		*at++ = '.';
		*at++ = '0';
	}
	return (size_t)(at - to);
}

/* ---- decimals ---- */

/*
 * Groups of nine digits in four bytes, big-endian, counted from the point; the groups at both ends may be shorter. The first bit is turned over, and a
 * negative number has all bits turned over.
 */
static const unsigned char group_bytes[] = { 0, 1, 1, 2, 2, 3, 3, 4, 4, 4 };

/* Reads one group; -1: larger than its digits. */
static int group_digits(const unsigned char **at, int digits, unsigned char flip, bool first, char *to)
{
	static const uint32_t limits[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000 };
	uint32_t number = 0;

	for (unsigned char i = 0; i < group_bytes[digits]; i++)
		number = number << 8 | ((*at)[i] ^ (first && i == 0 ? flip ^ 0x80 : flip));
	*at += group_bytes[digits];
	if (number >= limits[digits])
		return -1;
	for (int i = digits - 1; i >= 0; i--, number /= 10)
		to[i] = (char)('0' + number % 10);
	return 0;
}

size_t json_decimal_text(const unsigned char *bytes, size_t len, char *to, struct error *err)
{
	int precision = len > 0 ? bytes[0] : 0, scale = len > 1 ? bytes[1] : 0, whole = precision - scale, count = 0, zeros = 0;
	const unsigned char *at = bytes + 2;
	unsigned char flip;
	char digits[96], *out = to;
	size_t want;

	if (precision < 1 || precision > DECIMAL_PRECISION_MAX || scale > 30 || whole < 0)
		goto broken;
	want = (size_t)(whole / 9 * 4 + group_bytes[whole % 9] + scale / 9 * 4 + group_bytes[scale % 9]);
	if (len != want + 2)
		goto broken;
	flip = (at[0] & 0x80) != 0 ? 0 : 0xff;
	for (int left = precision; left > 0;) {
		int size = left > scale ? (left - scale) % 9 : left < 9 ? left : 9;

		if (size == 0)
			size = 9;
		if (group_digits(&at, size, flip, left == precision, digits + count) < 0)
			goto broken;
		count += size;
		left -= size;
	}
	while (zeros < whole && digits[zeros] == '0')
		zeros++;
	if (flip != 0)
		*out++ = '-';
	if (zeros == whole)
		*out++ = '0';
	for (int i = zeros; i < precision; i++) {
		if (i == whole)
			*out++ = '.';
		*out++ = digits[i];
	}
	return (size_t)(out - to);
broken:
	(void)error_set(err, ERROR_DATA, "binary json: a decimal of %zu bytes that is none", len);
	return 0;
}

/* ---- dates and times ---- */

/* One number: year x 13 + month, day, hour, minute, second, microsecond in 17+5 (TIME: none), 5 (TIME: 10), 6, 6 and 24 bits; negative as a whole. */
size_t json_time_text(unsigned field_type, const unsigned char *packed, char *to)
{
	uint64_t bits = 0;
	unsigned year_month, day, second, minute, hour, fraction;
	bool negative;

	for (int i = 7; i >= 0; i--)
		bits = bits << 8 | packed[i];
	negative = bits >> 63 != 0;
	if (negative)
		bits = -bits;
	fraction = (unsigned)(bits & 0xffffff) % 1000000;
	second = (unsigned)(bits >> 24) & 63;
	minute = (unsigned)(bits >> 30) & 63;
	if (field_type == 11) {
		hour = (unsigned)(bits >> 36) & 1023;
		return (size_t)snprintf(to, JSON_TIME_TEXT_MAX, "%s%02u:%02u:%02u.%06u", negative ? "-" : "", hour, minute, second, fraction);
	}
	hour = (unsigned)(bits >> 36) & 31;
	day = (unsigned)(bits >> 41) & 31;
	year_month = (unsigned)(bits >> 46) & 0x1ffff;
	if (field_type == 10)
		return (size_t)snprintf(to, JSON_TIME_TEXT_MAX, "%04u-%02u-%02u", year_month / 13, year_month % 13, day);
	return (size_t)snprintf(to, JSON_TIME_TEXT_MAX, "%04u-%02u-%02u %02u:%02u:%02u.%06u", year_month / 13, year_month % 13, day, hour, minute,
		second, fraction);
}
