/*
 * partial_date.c: see partial_date.h. What is read must be written again letter by letter, so nothing but the one form passes.
 */
#include "lib/codec/partial_date.h"

#define DAYS_END (INT64_C(10000) * 13 * 32)
#define DAY_US INT64_C(86400000000)
#define DATE_LEN 10       /* YYYY-MM-DD */
#define TIME_LEN 9        /* " hh:mm:ss" */
#define FRACTION_MAX 6

/* `count` digits at `text`; -1 if one is none. */
static int64_t read_digits(const char *text, size_t count)
{
	int64_t number = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned digit = (unsigned)(unsigned char)text[i] - '0';

		if (digit > 9)
			return -1;
		number = number * 10 + digit;
	}
	return number;
}

static void write_digits(char *at, size_t count, int64_t number)
{
	while (count-- > 0) {
		at[count] = (char)('0' + number % 10);
		number /= 10;
	}
}

static int64_t fraction_unit(int fraction)
{
	int64_t unit = 1;

	for (int i = fraction; i < FRACTION_MAX; i++)
		unit *= 10;
	return unit;
}

/* Microseconds of " hh:mm:ss.ffffff"; -1 if it is not that. */
static int64_t read_time(const char *text, int fraction)
{
	int64_t hour, minute, second, part = 0;

	if (text[0] != ' ' || text[3] != ':' || text[6] != ':' || (fraction > 0 && text[TIME_LEN] != '.'))
		return -1;
	hour = read_digits(text + 1, 2);
	minute = read_digits(text + 4, 2);
	second = read_digits(text + 7, 2);
	if (fraction > 0)
		part = read_digits(text + TIME_LEN + 1, (size_t)fraction);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || part < 0)
		return -1;
	return ((hour * 60 + minute) * 60 + second) * 1000000 + part * fraction_unit(fraction);
}

static size_t text_len(enum column_type type, int fraction)
{
	if (type == COLUMN_DATE)
		return DATE_LEN;
	return DATE_LEN + TIME_LEN + (fraction > 0 ? 1 + (size_t)fraction : 0);
}

bool partial_date_number(const char *text, size_t len, enum column_type type, int fraction, int64_t *ret_number)
{
	int64_t year, month, day, us = 0;

	if ((type != COLUMN_DATE && type != COLUMN_TIMESTAMP) || len != text_len(type, fraction) || text[4] != '-' ||
		text[7] != '-')
		return false;
	year = read_digits(text, 4);
	month = read_digits(text + 5, 2);
	day = read_digits(text + 8, 2);
	if (type == COLUMN_TIMESTAMP)
		us = read_time(text + DATE_LEN, fraction);
	if (year < 0 || month < 0 || month > 12 || day < 0 || day > 31 || us < 0)
		return false;
	day += (year * 13 + month) * 32;
	*ret_number = type == COLUMN_DATE ? INT32_MIN + 1 + day : INT64_MIN + 1 + day * DAY_US + us;
	return true;
}

size_t partial_date_text(int64_t number, enum column_type type, int fraction, char *buf)
{
	int64_t least = type == COLUMN_DATE ? INT32_MIN : INT64_MIN, day, us = 0;
	int64_t range = type == COLUMN_DATE ? DAYS_END : DAYS_END * DAY_US;

	if (number <= least || number > least + range)
		return 0;
	day = number - (least + 1);
	if (type == COLUMN_TIMESTAMP) {
		us = day % DAY_US;
		day /= DAY_US;
	}
	write_digits(buf, 4, day / 32 / 13);
	buf[4] = '-';
	write_digits(buf + 5, 2, day / 32 % 13);
	buf[7] = '-';
	write_digits(buf + 8, 2, day % 32);
	if (type == COLUMN_TIMESTAMP) {
		buf[10] = ' ';
		write_digits(buf + 11, 2, us / 3600000000);
		buf[13] = ':';
		write_digits(buf + 14, 2, us / 60000000 % 60);
		buf[16] = ':';
		write_digits(buf + 17, 2, us / 1000000 % 60);
		if (fraction > 0) {
			buf[19] = '.';
			write_digits(buf + 20, (size_t)fraction, us % 1000000 / fraction_unit(fraction));
		}
	}
	return text_len(type, fraction);
}
