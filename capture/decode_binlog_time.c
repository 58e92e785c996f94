/*
 * decode_binlog_time.c: dates and times of a row image.
 *
 * Big endian, f = ceil(fraction / 2) bytes of fraction in units of 1/100, 1/10000 or 1/1000000 second:
 *   TIME2       3 + f bytes, one number, offset by half of its range, so that a negative time is below that. Its size has, from the top: sign,
 *               unused, 10 bits hours, 6 minutes, 6 seconds, the fraction
 *   DATETIME2   5 bytes: sign (always set), 17 bits year * 13 + month, 5 day, 5 hours, 6 minutes, 6 seconds; f bytes
 *   TIMESTAMP2  4 bytes seconds since 1970 UTC; f bytes. All zero is the zero date
 * Little endian:
 *   DATE, NEWDATE  3 bytes: 15 bits year, 4 month, 5 day
 *   old TIME       3 bytes, signed: hhmmss as a decimal number
 *   old DATETIME   8 bytes: yyyymmddhhmmss as a decimal number
 *   old TIMESTAMP  4 bytes
 * MariaDB's own old types with a fraction of d digits, big endian:
 *   TIME        3 to 6 bytes: (us + 3020400 s) in units of the last digit
 *   DATETIME    5 to 8 bytes: ((((year * 13 + month) * 32 + day) * 24 + hours) ...) in units of the last digit
 *   TIMESTAMP   4 bytes seconds, 1 to 3 bytes the fraction in units of the last digit
 *
 * A date that is not in the calendar (zero, with a zero month or day, 31 February, year 0) is VALUE_EXACT.
 */
#include <string.h>

#include "capture/decode_binlog_value.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US (INT64_C(86400) * SECOND_US)
#define OLD_TIME_ZERO_US (INT64_C(3020400) * SECOND_US) /* one second more than the largest TIME */
#define TIME_HOURS_MAX 838
#define TEXT_MAX 32

/* A point on the calendar or what stands for one. */
struct parts {
	unsigned year, month, day, hour, minute, second, us;
};

/* us of the last digit, by number of digits */
static const unsigned units[] = { 1000000, 100000, 10000, 1000, 100, 10, 1 };

/* ---- bytes ---- */

static uint64_t big_endian(const unsigned char *at, size_t size)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size; i++)
		n = n << 8 | at[i];
	return n;
}

static uint64_t little_endian(const unsigned char *at, size_t size)
{
	uint64_t n = 0;

	for (size_t i = size; i > 0; i--)
		n = n << 8 | at[i - 1];
	return n;
}

size_t binlog_time_size(enum binlog_form form, unsigned fraction)
{
	static const unsigned char old_time[] = { 3, 4, 4, 5, 5, 5, 6 }, old_datetime[] = { 8, 6, 6, 7, 7, 7, 8 };
	size_t digits = fraction <= 6 ? fraction : 6;

	switch (form) {
	case FORM_DATE:
		return 3;
	case FORM_TIME:
		return 3 + (digits + 1) / 2;
	case FORM_DATETIME:
		return 5 + (digits + 1) / 2;
	case FORM_TIMESTAMP:
	case FORM_OLD_TIMESTAMP:
		return 4 + (digits + 1) / 2;
	case FORM_OLD_TIME:
		return old_time[digits];
	case FORM_OLD_DATETIME:
		return old_datetime[digits];
	default:
		return 0;
	}
}

/* ---- calendar ---- */

static bool in_calendar(const struct parts *parts)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year = parts->year, month = parts->month, last;

	if (year == 0 || month == 0 || month > 12 || parts->day == 0)
		return false;
	last = days[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		last = 29;
	return parts->day <= last;
}

/* Days since 1970-01-01, by counting from March, so that a leap day is a year's last. */
static int64_t days_of(const struct parts *parts)
{
	int64_t year = (int64_t)parts->year - (parts->month <= 2);
	int64_t era = year / 400, of_era = year % 400;
	int64_t of_year = (153 * ((int64_t)parts->month + (parts->month > 2 ? -3 : 9)) + 2) / 5 + parts->day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* ---- texts ---- */

static char *put_number(char *to, unsigned number, size_t digits)
{
	for (size_t i = digits; i > 0; i--, number /= 10)
		to[i - 1] = (char)('0' + number % 10);
	return to + digits;
}

/* As the server prints it: a date, or date and time with the fraction's digits. */
static int exact_parts(const struct binlog_field *field, const struct parts *parts, struct arena *arena,
	struct value *ret, struct error *err)
{
	char text[TEXT_MAX], *to = put_number(text, parts->year, 4);

	*to++ = '-';
	to = put_number(to, parts->month, 2);
	*to++ = '-';
	to = put_number(to, parts->day, 2);
	if (field->form != FORM_DATE) {
		*to++ = ' ';
		to = put_number(to, parts->hour, 2);
		*to++ = ':';
		to = put_number(to, parts->minute, 2);
		*to++ = ':';
		to = put_number(to, parts->second, 2);
		if (field->fraction > 0) {
			*to++ = '.';
			to = put_number(to, parts->us / units[field->fraction], field->fraction);
		}
	}
	ret->text.len = (size_t)(to - text);
	ret->text.ptr = arena_memdup(arena, text, ret->text.len);
	if (ret->text.ptr == NULL)
		return arena_error(arena, err);
	ret->kind = VALUE_EXACT;
	return 0;
}

static int set_int(int64_t number, struct value *ret)
{
	ret->kind = VALUE_INT;
	ret->i = number;
	return 0;
}

static int set_parts(const struct binlog_field *field, const struct parts *parts, struct arena *arena,
	struct value *ret, struct error *err)
{
	if (parts->year > 9999 || parts->month > 12 || parts->day > 31 || parts->hour > 23 || parts->minute > 59 ||
		parts->second > 59 || parts->us >= SECOND_US)
		return error_set(err, ERROR_DATA, "no date or time");
	if (!in_calendar(parts))
		return exact_parts(field, parts, arena, ret, err);
	if (field->form == FORM_DATE)
		return set_int(days_of(parts), ret);
	return set_int(days_of(parts) * DAY_US +
		(((int64_t)parts->hour * 60 + parts->minute) * 60 + parts->second) * SECOND_US + parts->us, ret);
}

static int set_duration(bool negative, unsigned hour, unsigned minute, unsigned second, unsigned us, struct value *ret,
	struct error *err)
{
	int64_t total = (((int64_t)hour * 60 + minute) * 60 + second) * SECOND_US + us;

	if (hour > TIME_HOURS_MAX || minute > 59 || second > 59 || us >= SECOND_US)
		return error_set(err, ERROR_DATA, "no time");
	return set_int(negative ? -total : total, ret);
}

static int set_instant(const struct binlog_field *field, uint64_t seconds, uint64_t us, struct arena *arena,
	struct value *ret, struct error *err)
{
	static const struct parts zero;

	if (us >= (uint64_t)SECOND_US)
		return error_set(err, ERROR_DATA, "no fraction of a second");
	if (seconds == 0 && us == 0)
		return exact_parts(field, &zero, arena, ret, err);
	return set_int((int64_t)seconds * SECOND_US + (int64_t)us, ret);
}

/* ---- forms ---- */

/* The fraction behind the whole seconds, in the newer types. */
static uint64_t fraction_us(const struct binlog_field *field, const unsigned char *at)
{
	static const unsigned scale[] = { 0, 10000, 100, 1 };
	size_t bytes = (field->fraction + 1U) / 2;

	return big_endian(at, bytes) * scale[bytes];
}

static int read_time(const struct binlog_field *field, const unsigned char *at, struct value *ret, struct error *err)
{
	static const unsigned scale[] = { 0, 10000, 100, 1 };
	size_t bytes = (field->fraction + 1U) / 2;
	unsigned shift = (unsigned)bytes * 8;
	int64_t packed = (int64_t)big_endian(at, 3 + bytes) - (INT64_C(0x800000) << shift);
	uint64_t size = packed < 0 ? (uint64_t)-packed : (uint64_t)packed;
	uint64_t whole = size >> shift, us = (size & ((UINT64_C(1) << shift) - 1)) * scale[bytes];

	return set_duration(packed < 0, (unsigned)(whole >> 12), whole >> 6 & 63, whole & 63, (unsigned)us, ret, err);
}

static int read_datetime(const struct binlog_field *field, const unsigned char *at, struct arena *arena,
	struct value *ret, struct error *err)
{
	uint64_t packed = big_endian(at, 5);
	uint64_t months = packed >> 22 & 0x1ffff;
	struct parts parts = { (unsigned)(months / 13), months % 13, packed >> 17 & 31, packed >> 12 & 31, packed >> 6 & 63,
		packed & 63, (unsigned)fraction_us(field, at + 5) };

	if ((packed >> 39 & 1) == 0)
		return error_set(err, ERROR_DATA, "no date and time: negative");
	return set_parts(field, &parts, arena, ret, err);
}

static int read_old_time(const struct binlog_field *field, const unsigned char *at, struct value *ret,
	struct error *err)
{
	size_t bytes = binlog_time_size(FORM_OLD_TIME, field->fraction);
	int64_t us, size;
	unsigned number;
	bool negative;

	if (field->fraction > 0) {
		us = (int64_t)big_endian(at, bytes) * units[field->fraction] - OLD_TIME_ZERO_US;
		size = us < 0 ? -us : us;
		return size < OLD_TIME_ZERO_US ? set_int(us, ret) : error_set(err, ERROR_DATA, "no time");
	}
	number = (unsigned)little_endian(at, 3);
	negative = (number & 0x800000) != 0;
	if (negative)
		number = 0x1000000 - number;
	return set_duration(negative, number / 10000, number / 100 % 100, number % 100, 0, ret, err);
}

static int read_old_datetime(const struct binlog_field *field, const unsigned char *at, struct arena *arena,
	struct value *ret, struct error *err)
{
	uint64_t n;
	struct parts parts = { 0 };

	if (field->fraction == 0) {
		n = little_endian(at, 8);
		if (n > UINT64_C(99991231235959))
			return error_set(err, ERROR_DATA, "no date and time");
		parts = (struct parts){ (unsigned)(n / UINT64_C(10000000000)), n / 100000000 % 100, n / 1000000 % 100,
			n / 10000 % 100, n / 100 % 100, n % 100, 0 };
		return set_parts(field, &parts, arena, ret, err);
	}
	n = big_endian(at, binlog_time_size(FORM_OLD_DATETIME, field->fraction));
	if (n > UINT64_MAX / units[field->fraction])
		return error_set(err, ERROR_DATA, "no date and time");
	n *= units[field->fraction];
	parts.us = (unsigned)(n % SECOND_US);
	n /= SECOND_US;
	parts.second = n % 60;
	parts.minute = n / 60 % 60;
	parts.hour = n / 3600 % 24;
	n /= 86400;
	parts.day = n % 32;
	parts.month = n / 32 % 13;
	n /= 32 * 13;
	parts.year = n > 9999 ? 10000 : (unsigned)n;
	return set_parts(field, &parts, arena, ret, err);
}

static int read_date(const struct binlog_field *field, const unsigned char *at, struct arena *arena, struct value *ret,
	struct error *err)
{
	unsigned packed = (unsigned)little_endian(at, 3);
	struct parts parts = { .year = packed >> 9, .month = packed >> 5 & 15, .day = packed & 31 };

	return set_parts(field, &parts, arena, ret, err);
}

int binlog_time_read(const struct binlog_field *field, const unsigned char *at, struct arena *arena, struct value *ret,
	struct error *err)
{
	switch (field->form) {
	case FORM_DATE:
		return read_date(field, at, arena, ret, err);
	case FORM_TIME:
		return read_time(field, at, ret, err);
	case FORM_DATETIME:
		return read_datetime(field, at, arena, ret, err);
	case FORM_TIMESTAMP:
		return set_instant(field, big_endian(at, 4), fraction_us(field, at + 4), arena, ret, err);
	case FORM_OLD_TIME:
		return read_old_time(field, at, ret, err);
	case FORM_OLD_DATETIME:
		return read_old_datetime(field, at, arena, ret, err);
	case FORM_OLD_TIMESTAMP:
		if (field->fraction == 0)
			return set_instant(field, little_endian(at, 4), 0, arena, ret, err);
		return set_instant(field, big_endian(at, 4),
			big_endian(at + 4, (field->fraction + 1U) / 2) * units[field->fraction], arena, ret, err);
	default:
		return error_set(err, ERROR_BUG, "form %d is no time", (int)field->form);
	}
}

/* ---- from text ---- */

static bool take_number(const char **at, const char *end, size_t digits_min, size_t digits_max, char behind,
	unsigned *ret)
{
	const char *from = *at;
	unsigned number = 0;

	while (*at < end && **at >= '0' && **at <= '9' && (size_t)(*at - from) < digits_max)
		number = number * 10 + (unsigned)(*(*at)++ - '0');
	if ((size_t)(*at - from) < digits_min)
		return false;
	*ret = number;
	if (behind == '\0')
		return true;
	return *at < end && *(*at)++ == behind;
}

/* hh:mm:ss[.f...] up to the end. */
static bool take_clock(const char **at, const char *end, struct parts *parts)
{
	const char *from;

	if (!take_number(at, end, 1, 3, ':', &parts->hour) || !take_number(at, end, 2, 2, ':', &parts->minute) ||
		!take_number(at, end, 2, 2, '\0', &parts->second))
		return false;
	if (*at == end)
		return true;
	if (*(*at)++ != '.')
		return false;
	from = *at;
	if (!take_number(at, end, 1, 6, '\0', &parts->us) || *at != end)
		return false;
	parts->us *= units[*at - from];
	return true;
}

bool binlog_time_parse(const struct binlog_field *field, const char *text, size_t len, struct arena *arena,
	struct value *ret)
{
	const char *at = text, *end = text + len;
	struct parts parts = { 0 };
	bool negative;

	if (field->form == FORM_TIME || field->form == FORM_OLD_TIME) {
		negative = len > 0 && *text == '-';
		at += negative;
		return take_clock(&at, end, &parts) &&
			set_duration(negative, parts.hour, parts.minute, parts.second, parts.us, ret, NULL) == 0;
	}
	if (!take_number(&at, end, 4, 4, '-', &parts.year) || !take_number(&at, end, 2, 2, '-', &parts.month) ||
		!take_number(&at, end, 2, 2, '\0', &parts.day))
		return false;
	if (field->form != FORM_DATE && at < end && (*at++ != ' ' || !take_clock(&at, end, &parts)))
		return false;
	return at == end && set_parts(field, &parts, arena, ret, NULL) == 0;
}
