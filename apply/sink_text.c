/*
 * sink_text.c: values -> text, in PostgreSQL's spelling.
 *
 *   bool t f             int -42              float shortest that reads back equal, NaN, [-]Infinity
 *   date 2026-11-23      44 BC: 0044-03-15 BC            time 24:00:00, 08:15:01.5
 *   timestamp 2026-11-23 08:15:01.123456[ BC]            timestamptz ...+00[ BC]
 *   bytea \x00ff         array {1,NULL,"a \"b\" \\ c"}   everything else as the source wrote it
 *   of MySQL: TIME -838:59:59.5 (an interval's text)     YEAR 0000, 2026        BIT(4) 5
 */
#include "apply/sink_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_SECOND)
#define NUMBER_MAX 24

bool sink_is_one_of(const char *name, const char *list)
{
	size_t len = strlen(name);

	for (const char *at = list; len > 0 && (at = strstr(at, name)) != NULL; at += len)
		if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

void sink_put_quoted(struct buf *out, const char *text, size_t len, char quote)
{
	const char *end = text + len;

	buf_append_byte(out, quote);
	while (text < end) {
		const char *next = memchr(text, quote, (size_t)(end - text));

		if (next == NULL)
			break;
		buf_append(out, text, (size_t)(next - text) + 1);
		buf_append_byte(out, quote);
		text = next + 1;
	}
	if (text < end)
		buf_append(out, text, (size_t)(end - text));
	buf_append_byte(out, quote);
}

/* ---- numbers ---- */

void sink_put_uint(struct buf *out, uint64_t number)
{
	char text[NUMBER_MAX];
	size_t at = sizeof text;

	do {
		text[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	buf_append(out, text + at, sizeof text - at);
}

void sink_put_int(struct buf *out, int64_t number)
{
	if (number < 0) {
		buf_append_byte(out, '-');
		sink_put_uint(out, 0 - (uint64_t)number);
	} else {
		sink_put_uint(out, (uint64_t)number);
	}
}

char *sink_digits(char *to, uint64_t number, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		to[i] = (char)('0' + number % 10);
		number /= 10;
	}
	return to + digits;
}

static void put_digits(struct buf *out, uint64_t number, int digits)
{
	char text[NUMBER_MAX];

	buf_append(out, text, (size_t)(sink_digits(text, number, digits) - text));
}

/* 15 digits (6 for a float32) hold any decimal that was written with as many; 17 (9) hold every number. */
static void put_float(struct buf *out, double number, bool single)
{
	int digits = single ? 6 : 15, most = single ? 9 : 17;
	char text[40];

	if (isnan(number)) {
		buf_append_str(out, "NaN");
		return;
	}
	if (isinf(number)) {
		buf_append_str(out, number < 0 ? "-Infinity" : "Infinity");
		return;
	}
	for (; digits <= most; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, number);
		if (single ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number)
			break;
	}
	buf_append_str(out, text);
}

/* ---- dates and times ---- */

/* Years begin in March (Hinnant). */
void sink_calendar(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
	int64_t shifted = days + 719468; /* since 0000-03-01 */
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t of_era = shifted - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153; /* from March */

	*ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = year + era * 400 + (*ret_month <= 2);
}

/* Writes year-month-day; true if " BC" has to follow at the very end. */
static bool put_date(struct buf *out, int64_t days)
{
	int64_t year;
	int month, day;
	bool bc;

	sink_calendar(days, &year, &month, &day);
	bc = year <= 0;
	if (bc)
		year = 1 - year;
	if (year < 10000)
		put_digits(out, (uint64_t)year, 4);
	else
		sink_put_int(out, year);
	buf_append_byte(out, '-');
	put_digits(out, (uint64_t)month, 2);
	buf_append_byte(out, '-');
	put_digits(out, (uint64_t)day, 2);
	return bc;
}

/* us >= 0; a day is 24:00:00 (a time of its own), and a duration goes on from there. */
static void put_time(struct buf *out, uint64_t us)
{
	uint64_t seconds = us / US_PER_SECOND, fraction = us % US_PER_SECOND, hours = seconds / 3600;
	int digits = 6;

	if (hours < 100)
		put_digits(out, hours, 2);
	else
		sink_put_uint(out, hours);
	buf_append_byte(out, ':');
	put_digits(out, seconds / 60 % 60, 2);
	buf_append_byte(out, ':');
	put_digits(out, seconds % 60, 2);
	if (fraction == 0)
		return;
	for (; fraction % 10 == 0; digits--)
		fraction /= 10;
	buf_append_byte(out, '.');
	put_digits(out, fraction, digits);
}

static void put_timestamp(struct buf *out, int64_t us, bool zone)
{
	int64_t days = us / US_PER_DAY, rest = us % US_PER_DAY;
	bool bc;

	if (rest < 0) {
		rest += US_PER_DAY;
		days--;
	}
	bc = put_date(out, days);
	buf_append_byte(out, ' ');
	put_time(out, (uint64_t)rest);
	if (zone)
		buf_append_str(out, "+00");
	if (bc)
		buf_append_str(out, " BC");
}

static int put_integer(
	const struct column *column, enum column_type type, int64_t number, struct buf *out, struct error *err)
{
	switch (type) {
	case COLUMN_DATE:
		if (put_date(out, number))
			buf_append_str(out, " BC");
		return 0;
	case COLUMN_TIME:
		if (number < 0 || number > US_PER_DAY)
			return error_set(
				err, ERROR_DATA, "column %s: %" PRId64 " us is no time of day", column->name, number);
		put_time(out, (uint64_t)number);
		return 0;
	case COLUMN_DURATION:
		if (number < 0)
			buf_append_byte(out, '-');
		put_time(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
		return 0;
	case COLUMN_YEAR:
		if (number < 0 || number > 9999)
			return error_set(err, ERROR_DATA, "column %s: %" PRId64 " is no year", column->name, number);
		put_digits(out, (uint64_t)number, 4);
		return 0;
	case COLUMN_TIMESTAMP:
	case COLUMN_TIMESTAMPTZ:
		put_timestamp(out, number, type == COLUMN_TIMESTAMPTZ);
		return 0;
	default:
		sink_put_int(out, number);
		return 0;
	}
}

/* ---- bytes, text, arrays ---- */

void sink_put_hex(struct buf *out, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = bytes;
	char *to = buf_room(out, 2 * len);

	if (to == NULL)
		return;
	for (size_t i = 0; i < len; i++) {
		*to++ = digits[from[i] >> 4];
		*to++ = digits[from[i] & 15];
	}
	out->len += 2 * len;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20; /* lower case */
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sink_uuid_bytes(const char *text, size_t len, unsigned char *out)
{
	size_t at = 0;

	if (len != 36)
		return false;
	for (size_t i = 0; i < 16; i++) {
		int high, low;

		if ((at == 8 || at == 13 || at == 18 || at == 23) && text[at++] != '-')
			return false;
		high = hex_digit(text[at]);
		low = hex_digit(text[at + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
		at += 2;
	}
	return true;
}

bool sink_has_zero_byte(const struct value *val)
{
	return val->text.len > 0 && memchr(val->text.ptr, '\0', val->text.len) != NULL;
}

static int put_text(const struct column *column, const struct value *val, struct buf *out, struct error *err)
{
	if (sink_has_zero_byte(val)) {
		(void)error_set(err, ERROR_DATA, "column %s: a text with a zero byte, which PostgreSQL cannot hold",
			column->name);
		return error_hint(err, "correct the row at the source, make its column a binary type, or leave the column out");
	}
	buf_append(out, val->text.ptr, val->text.len);
	return 0;
}

void sink_array_quote(struct buf *out, const char *text, size_t len)
{
	buf_append_byte(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			buf_append_byte(out, '\\');
		buf_append_byte(out, text[i]);
	}
	buf_append_byte(out, '"');
}

static int put_value(const struct column *column, enum column_type type, const struct value *val, struct buf *out,
	struct error *err);

/* Every element but NULL is quoted: that is right for each type, and no list of what needs quotes can be wrong. */
static int put_array(const struct column *column, const struct value *val, struct buf *out, struct error *err)
{
	struct buf one;
	int result = 0;

	buf_init(&one, out->max);
	buf_append_byte(out, '{');
	for (size_t i = 0; i < val->array.count && result == 0; i++) {
		const struct value *item = &val->array.items[i];

		if (i > 0)
			buf_append_byte(out, ',');
		if (item->kind == VALUE_NULL) {
			buf_append_str(out, "NULL");
		} else if (item->kind == VALUE_ARRAY) {
			result = error_set(err, ERROR_DATA, "column %s: an array in an array", column->name);
		} else if (item->kind == VALUE_TEXT || item->kind == VALUE_EXACT) {
			if (sink_has_zero_byte(item))
				result = put_text(column, item, &one, err);
			sink_array_quote(out, item->text.ptr, item->text.len);
		} else {
			buf_reset(&one);
			result = put_value(column, column->element_type, item, &one, err);
			if (one.failed)
				out->failed = true;
			else
				sink_array_quote(out, one.data, one.len);
		}
	}
	buf_append_byte(out, '}');
	buf_release(&one);
	return result;
}

static int put_value(
	const struct column *column, enum column_type type, const struct value *val, struct buf *out, struct error *err)
{
	switch (val->kind) {
	case VALUE_BOOL:
		buf_append_byte(out, val->b ? 't' : 'f');
		return 0;
	case VALUE_INT:
		return put_integer(column, type, val->i, out, err);
	case VALUE_UINT:
		sink_put_uint(out, val->u);
		return 0;
	case VALUE_FLOAT:
		put_float(out, val->f, type == COLUMN_FLOAT32);
		return 0;
	case VALUE_TEXT:
	case VALUE_EXACT:
		return put_text(column, val, out, err);
	case VALUE_BYTES:
		buf_append_str(out, "\\x");
		sink_put_hex(out, val->text.ptr, val->text.len);
		return 0;
	case VALUE_ARRAY:
		return put_array(column, val, out, err);
	case VALUE_NULL:
	case VALUE_UNCHANGED:
		break;
	}
	return error_set(err, ERROR_BUG, "column %s: no value to write", column->name);
}

int sink_text(const struct column *column, const struct value *val, struct buf *out, struct error *err)
{
	if (put_value(column, column->type, val, out, err) < 0)
		return -1;
	return buf_check(out, column->name, err);
}
