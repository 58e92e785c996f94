/*
 * interval.c: see interval.h.
 */
#include "lib/codec/interval.h"

#include <stdbool.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)
#define DAY_US (24 * HOUR_US)
#define MONTH_US INT64_C(2629800000000) /* 365.25 / 12 days */

static const struct {
	const char *name;
	int64_t us;
} units[] = {
	{ "year", 12 * MONTH_US },
	{ "mon", MONTH_US },
	{ "day", DAY_US },
	{ "hour", HOUR_US },
	{ "min", 60 * SECOND_US },
	{ "sec", SECOND_US },
};

static bool take_digits(const char **at, const char *end, int64_t *ret_number)
{
	int64_t number = 0;
	const char *from = *at;

	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++)
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, **at - '0', &number))
			return false;
	*ret_number = number;
	return *at > from;
}

/* ":mm:ss[.ffffff]" behind the hours. */
static bool take_clock(const char **at, const char *end, int64_t hours, int64_t *ret_us)
{
	int64_t minutes, seconds = 0, us, scale = SECOND_US / 10;

	(*at)++;
	if (!take_digits(at, end, &minutes) || minutes > 59)
		return false;
	if (*at < end && **at == ':') {
		(*at)++;
		if (!take_digits(at, end, &seconds) || seconds > 60)
			return false;
	}
	us = (minutes * 60 + seconds) * SECOND_US;
	if (*at < end && **at == '.')
		for ((*at)++; *at < end && **at >= '0' && **at <= '9'; (*at)++, scale /= 10)
			us += (**at - '0') * scale;
	return !__builtin_mul_overflow(hours, HOUR_US, &hours) && !__builtin_add_overflow(hours, us, ret_us);
}

static bool take_unit(const char **at, const char *end, int64_t number, int64_t *ret_us)
{
	const char *word;
	size_t len;

	while (*at < end && **at == ' ')
		(*at)++;
	word = *at;
	while (*at < end && **at >= 'a' && **at <= 'z')
		(*at)++;
	len = (size_t)(*at - word);
	if (len > 0 && word[len - 1] == 's')
		len--;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strlen(units[i].name) == len && memcmp(units[i].name, word, len) == 0)
			return !__builtin_mul_overflow(number, units[i].us, ret_us);
	return false;
}

int64_t interval_approximate_us(const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	int64_t sum = 0;

	while (at < end) {
		bool negative = *at == '-';
		int64_t number = 0, us = 0;

		if (*at == '-' || *at == '+')
			at++;
		if (!take_digits(&at, end, &number))
			return 0;
		if (at < end && *at == ':' ? !take_clock(&at, end, number, &us) : !take_unit(&at, end, number, &us))
			return 0;
		if (__builtin_add_overflow(sum, negative ? -us : us, &sum))
			return 0;
		while (at < end && *at == ' ')
			at++;
	}
	return sum;
}
