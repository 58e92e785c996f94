/*
 * units.c: numbers with a unit, to and from text.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/settings/internal.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* From the largest to the smallest, as the formatting wants them. */
static const struct unit durations[] = {
	{ "d", INT64_C(86400000000) }, { "h", INT64_C(3600000000) }, { "min", INT64_C(60000000) },
	{ "s", INT64_C(1000000) },     { "ms", INT64_C(1000) },      { "us", INT64_C(1) },
	{ NULL, 0 },
};
static const struct unit sizes[] = {
	{ "GiB", INT64_C(1) << 30 }, { "MiB", INT64_C(1) << 20 }, { "KiB", INT64_C(1) << 10 }, { "B", INT64_C(1) },
	{ NULL, 0 },
};

/* The digits at the start of the text; *ret_rest is what follows them. */
static int parse_digits(const char *text, const char **ret_rest, int64_t *ret_value)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	char *rest;
	long long value;

	if (digits[0] < '0' || digits[0] > '9')
		return -1;
	errno = 0;
	value = strtoll(text, &rest, 10);
	if (errno != 0)
		return -1;
	*ret_rest = rest;
	*ret_value = value;
	return 0;
}

static int parse_unit(const char *text, const struct unit *units, int64_t *ret_value)
{
	const char *rest;
	int64_t number;

	if (parse_digits(text, &rest, &number) < 0)
		return -1;
	while (*rest == ' ')
		rest++;
	for (const struct unit *unit = units; unit->name != NULL; unit++)
		if (strcmp(rest, unit->name) == 0)
			return __builtin_mul_overflow(number, unit->factor, ret_value) ? -1 : 0;
	return -1;
}

static const char *format_unit(int64_t value, const struct unit *units, char *buf, size_t size)
{
	const struct unit *unit = units;

	if (value == 0)
		while (strcmp(unit->name, "s") != 0 && strcmp(unit->name, "B") != 0)
			unit++;
	else
		while (value % unit->factor != 0)
			unit++;
	(void)snprintf(buf, size, "%" PRId64 "%s", value / unit->factor, unit->name);
	return buf;
}

int settings_parse_int(const char *text, int64_t *ret_value)
{
	const char *rest;
	int64_t value;

	if (parse_digits(text, &rest, &value) < 0 || *rest != '\0')
		return -1;
	*ret_value = value;
	return 0;
}

int settings_parse_duration(const char *text, int64_t *ret_us)
{
	return parse_unit(text, durations, ret_us);
}

int settings_parse_size(const char *text, int64_t *ret_bytes)
{
	if (settings_parse_int(text, ret_bytes) == 0)
		return 0;
	return parse_unit(text, sizes, ret_bytes);
}

const char *settings_format_duration(int64_t us, char *buf, size_t size)
{
	return format_unit(us, durations, buf, size);
}

const char *settings_format_size(int64_t bytes, char *buf, size_t size)
{
	return format_unit(bytes, sizes, buf, size);
}

static const char *format_bound(const struct setting *option, int64_t value, char *buf, size_t size)
{
	if (option->type == SETTING_DURATION)
		return settings_format_duration(value, buf, size);
	if (option->type == SETTING_SIZE)
		return settings_format_size(value, buf, size);
	(void)snprintf(buf, size, "%" PRId64, value);
	return buf;
}

const char *settings_format_bounds(const struct setting *option, const char *and, char *buf, size_t size)
{
	char low[32], high[32];

	buf[0] = '\0';
	if (option->min != 0 || option->max != 0)
		(void)snprintf(buf, size, "%s %s %s", format_bound(option, option->min, low, sizeof low), and,
			format_bound(option, option->max, high, sizeof high));
	return buf;
}
