/*
 * iso_time.c: see iso_time.h. Proleptic Gregorian calendar, as PostgreSQL and Java have it.
 *
 * Days are counted in eras of 400 years (146097 days) that begin on 1 March, so that the leap day is the last of
 * its year.
 */
#include "lib/codec/iso_time.h"

#include <string.h>

#include "lib/codec/digits.h"

#define DAY_US INT64_C(86400000000)
#define ERA_DAYS 146097
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */

void iso_time_put(char *out, int64_t us)
{
	int64_t since_min = us - ISO_TIME_MIN; /* not negative: unsigned division is cheaper */
	uint64_t day_us = (uint64_t)since_min % DAY_US;
	/* 306 days lie between 0000-03-01 and 0001-01-01. */
	uint32_t days = (uint32_t)((uint64_t)since_min / DAY_US) + 306;
	uint32_t era = days / ERA_DAYS, of_era = days % ERA_DAYS;
	uint32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t shifted = (5 * of_year + 2) / 153; /* 0 = March */
	uint32_t day = of_year - (153 * shifted + 2) / 5 + 1;
	uint32_t month = shifted < 10 ? shifted + 3 : shifted - 9;
	uint32_t year = year_of_era + era * 400 + (month <= 2);
	uint32_t seconds = (uint32_t)(day_us / 1000000), micros = (uint32_t)(day_us % 1000000);

	memcpy(out, "0000-00-00T00:00:00.000000Z", ISO_TIME_LEN);
	digits_put_pair(out, year / 100);
	digits_put_pair(out + 2, year % 100);
	digits_put_pair(out + 5, month);
	digits_put_pair(out + 8, day);
	digits_put_pair(out + 11, seconds / 3600);
	digits_put_pair(out + 14, seconds / 60 % 60);
	digits_put_pair(out + 17, seconds % 60);
	digits_put_pair(out + 20, micros / 10000);
	digits_put_pair(out + 22, micros / 100 % 100);
	digits_put_pair(out + 24, micros % 100);
}

/* Reads exactly n digits. */
static bool take_number(const char **at, const char *end, int n, int *ret_number)
{
	int number = 0;

	if (end - *at < n)
		return false;
	for (int i = 0; i < n; i++) {
		unsigned digit = (unsigned)(unsigned char)(*at)[i] - '0';

		if (digit > 9)
			return false;
		number = number * 10 + (int)digit;
	}
	*at += n;
	*ret_number = number;
	return true;
}

static bool take_char(const char **at, const char *end, char wanted)
{
	if (*at == end || **at != wanted)
		return false;
	(*at)++;
	return true;
}

static bool take_fraction(const char **at, const char *end, int *ret_us)
{
	int us = 0, digits = 0;

	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, digits++) {
		if (digits < 6)
			us = us * 10 + (**at - '0');
		else if (**at != '0')
			return false;
	}
	if (digits == 0)
		return false;
	for (; digits < 6; digits++)
		us *= 10;
	*ret_us = us;
	return true;
}

static bool take_zone(const char **at, const char *end, int *ret_seconds)
{
	int sign, hours, minutes = 0, seconds = 0;

	if (take_char(at, end, 'Z')) {
		*ret_seconds = 0;
		return true;
	}
	if (take_char(at, end, '+'))
		sign = 1;
	else if (take_char(at, end, '-'))
		sign = -1;
	else
		return false;
	if (!take_number(at, end, 2, &hours) || hours > 18)
		return false;
	if (take_char(at, end, ':')) {
		if (!take_number(at, end, 2, &minutes) || minutes > 59)
			return false;
		if (take_char(at, end, ':') && (!take_number(at, end, 2, &seconds) || seconds > 59))
			return false;
	}
	*ret_seconds = sign * (hours * 3600 + minutes * 60 + seconds);
	return true;
}

static bool leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t days_since_epoch(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year; /* not negative: year >= 1 */
	int shifted = month <= 2 ? month + 9 : month - 3;
	int of_era = y % 400;

	return (int64_t)(y / 400) * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + (153 * shifted + 2) / 5 + day - 1 -
		EPOCH_DAYS;
}

bool iso_time_parse(const char *text, size_t len, int64_t *ret_us)
{
	static const int month_days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const char *at = text, *end = text + len;
	int year, month, day, hour, minute, second, us = 0, zone;

	if (!take_number(&at, end, 4, &year) || !take_char(&at, end, '-') || !take_number(&at, end, 2, &month) ||
		!take_char(&at, end, '-') || !take_number(&at, end, 2, &day) || !take_char(&at, end, 'T') ||
		!take_number(&at, end, 2, &hour) || !take_char(&at, end, ':') || !take_number(&at, end, 2, &minute) ||
		!take_char(&at, end, ':') || !take_number(&at, end, 2, &second))
		return false;
	if (take_char(&at, end, '.') && !take_fraction(&at, end, &us))
		return false;
	if (!take_zone(&at, end, &zone) || at != end)
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 ||
		day > month_days[month - 1] + (month == 2 && leap(year)))
		return false;
	*ret_us = days_since_epoch(year, month, day) * DAY_US +
		((int64_t)hour * 3600 + minute * 60 + second - zone) * 1000000 + us;
	return true;
}
