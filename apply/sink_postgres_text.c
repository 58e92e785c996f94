/*
 * sink_postgres_text.c: values -> PostgreSQL's input forms.
 *
 * Text:   bool t f             int -42              float shortest that reads back equal, NaN, [-]Infinity
 *         date 2026-11-23      44 BC: 0044-03-15 BC            time 24:00:00, 08:15:01.5
 *         timestamp 2026-11-23 08:15:01.123456[ BC]            timestamptz ...+00[ BC]
 *         bytea \x00ff         array {1,NULL,"a \"b\" \\ c"}   everything else as the source wrote it
 * Binary: network byte order, as <type>recv() in src/backend/utils/adt reads it; times count from 2000-01-01.
 *
 * A value is sent in binary only if it certainly fits; what does not (an int beyond int4 for an int4 column, infinity
 * as VALUE_EXACT) goes as text, and the server's input function says what is wrong with it.
 */
#include "apply/sink_postgres_text.h"

#include <endian.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_SECOND)
#define DAYS_TO_2000 10957 /* 1970-01-01 .. 2000-01-01 */
#define INT_TEXT_MAX 24

/* ---- numbers ---- */

static void put_uint(struct buf *out, uint64_t number)
{
	char text[INT_TEXT_MAX];
	size_t at = sizeof text;

	do {
		text[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	buf_append(out, text + at, sizeof text - at);
}

static void put_int(struct buf *out, int64_t number)
{
	if (number < 0) {
		buf_append_byte(out, '-');
		put_uint(out, 0 - (uint64_t)number);
	} else {
		put_uint(out, (uint64_t)number);
	}
}

/* Exactly `digits` digits, zeros in front. */
static void put_digits(struct buf *out, uint64_t number, int digits)
{
	char text[INT_TEXT_MAX];

	for (int i = digits - 1; i >= 0; i--) {
		text[i] = (char)('0' + number % 10);
		number /= 10;
	}
	buf_append(out, text, (size_t)digits);
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

/* Proleptic Gregorian calendar, days since 1970-01-01; years begin in March (Hinnant). Year 0 is 1 BC. */
static void civil(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
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

	civil(days, &year, &month, &day);
	bc = year <= 0;
	if (bc)
		year = 1 - year;
	if (year < 10000)
		put_digits(out, (uint64_t)year, 4);
	else
		put_int(out, year);
	buf_append_byte(out, '-');
	put_digits(out, (uint64_t)month, 2);
	buf_append_byte(out, '-');
	put_digits(out, (uint64_t)day, 2);
	return bc;
}

/* us: 0 .. one day (24:00:00 is a time of its own). */
static void put_time(struct buf *out, int64_t us)
{
	int64_t seconds = us / US_PER_SECOND;
	uint64_t fraction = (uint64_t)(us % US_PER_SECOND);
	int digits = 6;

	put_digits(out, (uint64_t)(seconds / 3600), 2);
	buf_append_byte(out, ':');
	put_digits(out, (uint64_t)(seconds / 60 % 60), 2);
	buf_append_byte(out, ':');
	put_digits(out, (uint64_t)(seconds % 60), 2);
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
	put_time(out, rest);
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
		put_time(out, number);
		return 0;
	case COLUMN_TIMESTAMP:
	case COLUMN_TIMESTAMPTZ:
		put_timestamp(out, number, type == COLUMN_TIMESTAMPTZ);
		return 0;
	default:
		put_int(out, number);
		return 0;
	}
}

/* ---- bytes, text, arrays ---- */

static void put_hex(struct buf *out, const char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *to = buf_room(out, 2 + 2 * len);

	if (to == NULL)
		return;
	*to++ = '\\';
	*to++ = 'x';
	for (size_t i = 0; i < len; i++) {
		*to++ = digits[(unsigned char)bytes[i] >> 4];
		*to++ = digits[(unsigned char)bytes[i] & 15];
	}
	out->len += 2 + 2 * len;
}

static int put_text(const struct column *column, const struct value *val, struct buf *out, struct error *err)
{
	if (val->text.len > 0 && memchr(val->text.ptr, '\0', val->text.len) != NULL)
		return error_set(err, ERROR_DATA, "column %s: a text with a zero byte, which PostgreSQL cannot hold",
			column->name);
	buf_append(out, val->text.ptr, val->text.len);
	return 0;
}

void pg_array_quote(struct buf *out, const char *text, size_t len)
{
	buf_append_byte(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			buf_append_byte(out, '\\');
		buf_append_byte(out, text[i]);
	}
	buf_append_byte(out, '"');
}

void pg_identifier(struct buf *out, const char *name)
{
	buf_append_byte(out, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"')
			buf_append_byte(out, '"');
		buf_append_byte(out, *name);
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
			if (item->text.len > 0 && memchr(item->text.ptr, '\0', item->text.len) != NULL)
				result = put_text(column, item, &one, err);
			pg_array_quote(out, item->text.ptr, item->text.len);
		} else {
			buf_reset(&one);
			result = put_value(column, column->element_type, item, &one, err);
			if (one.failed)
				out->failed = true;
			else
				pg_array_quote(out, one.data, one.len);
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
		put_uint(out, val->u);
		return 0;
	case VALUE_FLOAT:
		put_float(out, val->f, type == COLUMN_FLOAT32);
		return 0;
	case VALUE_TEXT:
	case VALUE_EXACT:
		return put_text(column, val, out, err);
	case VALUE_BYTES:
		put_hex(out, val->text.ptr, val->text.len);
		return 0;
	case VALUE_ARRAY:
		return put_array(column, val, out, err);
	case VALUE_NULL:
	case VALUE_UNCHANGED:
		break;
	}
	return error_set(err, ERROR_BUG, "column %s: no value to write", column->name);
}

int pg_text(const struct column *column, const struct value *val, struct buf *out, struct error *err)
{
	if (put_value(column, column->type, val, out, err) < 0)
		return -1;
	return buf_check(out, column->name, err);
}

/* ---- parameters ---- */

static void put_be16(struct buf *out, uint16_t number)
{
	number = htobe16(number);
	buf_append(out, &number, sizeof number);
}

static void put_be32(struct buf *out, uint32_t number)
{
	number = htobe32(number);
	buf_append(out, &number, sizeof number);
}

static void put_be64(struct buf *out, uint64_t number)
{
	number = htobe64(number);
	buf_append(out, &number, sizeof number);
}

static void put_binary_float(struct buf *out, double number, bool single)
{
	float small = (float)number;
	uint32_t word;
	uint64_t wide;

	if (single) {
		memcpy(&word, &small, sizeof word);
		put_be32(out, word);
	} else {
		memcpy(&wide, &number, sizeof wide);
		put_be64(out, wide);
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20; /* lower case */
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 36 characters with hyphens -> 16 bytes; anything else is left to the server. */
static bool put_binary_uuid(struct buf *out, const char *text, size_t len)
{
	unsigned char bytes[16];
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
		bytes[i] = (unsigned char)(high << 4 | low);
		at += 2;
	}
	buf_append(out, bytes, sizeof bytes);
	return true;
}

/* The binary forms of VALUE_INT; false: does not fit, use text. */
static bool put_binary_int(enum pg_form form, int64_t number, struct buf *out)
{
	switch (form) {
	case FORM_INT2:
		if (number < INT16_MIN || number > INT16_MAX)
			return false;
		put_be16(out, (uint16_t)number);
		return true;
	case FORM_DATE:
		if (number < INT32_MIN + 2 * DAYS_TO_2000 || number > INT32_MAX - DAYS_TO_2000)
			return false; /* the ends are PostgreSQL's infinities */
		put_be32(out, (uint32_t)(number - DAYS_TO_2000));
		return true;
	case FORM_INT4:
		if (number < INT32_MIN || number > INT32_MAX)
			return false;
		put_be32(out, (uint32_t)number);
		return true;
	case FORM_TIMESTAMP:
		if (number < INT64_MIN + 2 * DAYS_TO_2000 * US_PER_DAY)
			return false;
		put_be64(out, (uint64_t)(number - DAYS_TO_2000 * US_PER_DAY));
		return true;
	case FORM_TIME:
	case FORM_INT8:
		put_be64(out, (uint64_t)number);
		return true;
	default:
		return false;
	}
}

static bool put_binary(enum pg_form form, const struct value *val, struct buf *out)
{
	switch (val->kind) {
	case VALUE_BOOL:
		if (form == FORM_BOOL)
			buf_append_byte(out, val->b ? 1 : 0);
		return form == FORM_BOOL;
	case VALUE_INT:
		return put_binary_int(form, val->i, out);
	case VALUE_FLOAT:
		if (form == FORM_FLOAT4 || form == FORM_FLOAT8)
			put_binary_float(out, val->f, form == FORM_FLOAT4);
		return form == FORM_FLOAT4 || form == FORM_FLOAT8;
	case VALUE_BYTES:
		if (form == FORM_BYTEA)
			buf_append(out, val->text.ptr, val->text.len);
		return form == FORM_BYTEA;
	case VALUE_TEXT:
		if (form == FORM_UUID)
			return put_binary_uuid(out, val->text.ptr, val->text.len);
		if (form == FORM_STRING)
			buf_append(out, val->text.ptr, val->text.len);
		return form == FORM_STRING;
	default:
		return false;
	}
}

int pg_param(const struct column *column, enum pg_form form, const struct value *val, struct buf *out,
	struct pg_param *ret, struct error *err)
{
	size_t start = out->len;
	bool binary = false;

	if (val->kind == VALUE_NULL) {
		*ret = (struct pg_param){ start, -1, 0 };
		return 0;
	}
	if (form != FORM_TEXT)
		binary = put_binary(form, val, out);
	if (!binary && put_value(column, column->type, val, out, err) < 0)
		return -1;
	if (out->len - start > INT_MAX - 1)
		out->failed = true;
	buf_append_byte(out, '\0');
	if (out->failed)
		return buf_check(out, column->name, err);
	*ret = (struct pg_param){ start, (int)(out->len - 1 - start), binary ? 1 : 0 };
	return 0;
}
