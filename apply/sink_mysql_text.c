/*
 * sink_mysql_text.c: values -> literals.
 *
 *   number   -42               float    1.0000000000000000e-01 (17 digits: reads back equal)   decimal  12.50
 *   text     'it''s'           bytes    _binary'...' (raw)      array  '{1,NULL}' or '[1, null]'
 *   date     '2026-11-23'      time     '-838:59:59.000001'     datetime '2026-11-23 08:15:01.123456'
 *
 * Numbers stand without quotes: compared with a text, the server would turn both into doubles. A float has an exponent,
 * which makes the literal a double and not a decimal.
 */
#include "apply/sink_mysql_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apply/sink_text.h"

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_SECOND)
#define DECIMAL_DIGITS 60 /* a literal of the server has 65 at most; a longer one goes as a text */
#define SHOWN 64          /* of a value in a message */

/* ---- pieces ---- */

void my_quote(struct buf *out, const char *text, size_t len)
{
	sink_put_quoted(out, text, len, '\'');
}

void my_identifier(struct buf *out, const char *name)
{
	sink_put_quoted(out, name, strlen(name), '`');
}

/* Makes what stands from `start` on a quoted literal. */
static void quote_in_place(struct buf *out, size_t start)
{
	size_t quotes = 0, from;
	char *to;

	for (size_t i = start; i < out->len; i++)
		quotes += out->data[i] == '\'';
	if (buf_room(out, quotes + 2) == NULL)
		return;
	from = out->len;
	out->len += quotes + 2;
	to = out->data + out->len;
	*--to = '\'';
	while (from > start) {
		*--to = out->data[--from];
		if (*to == '\'')
			*--to = '\'';
	}
	*--to = '\'';
}

/* "column v: 'NaN' ..." */
static int refuse(
	struct error *err, const struct my_format *format, const struct column *column, const char *text, size_t len)
{
	return error_set(err, ERROR_DATA, "column %s: %s of the target cannot hold \"%.*s\"", column->name,
		format->declared, (int)(len < SHOWN ? len : SHOWN), text);
}

/* ---- numbers ---- */

static int put_float(const struct my_format *format, const struct column *column, const struct value *val,
	struct buf *out, struct error *err)
{
	char text[40];
	int len;

	if (val->kind != VALUE_FLOAT)
		return refuse(err, format, column, val->text.ptr, val->text.len);
	if (isnan(val->f) || isinf(val->f)) {
		const char *name = isnan(val->f) ? "NaN" : val->f < 0 ? "-Infinity" : "Infinity";

		return refuse(err, format, column, name, strlen(name));
	}
	len = snprintf(text, sizeof text, "%.16e", val->f);
	buf_append(out, text, (size_t)len);
	return 0;
}

int my_check_decimal(const struct my_format *format, const struct column *column, const char *text, size_t len,
	size_t *ret_len, struct error *err)
{
	const char *point;
	size_t whole, keep;

	if (len == 0 || strspn(text, "+-.0123456789") < len)
		return refuse(err, format, column, text, len);
	point = memchr(text, '.', len);
	whole = point != NULL ? (size_t)(point - text) : len;
	keep = point != NULL ? whole + 1 + (size_t)format->scale : len;
	for (size_t i = keep; i < len; i++)
		if (text[i] != '0')
			return refuse(err, format, column, text, len);
	*ret_len = keep < len ? (format->scale == 0 ? whole : keep) : len;
	return 0;
}

static int put_decimal(const struct my_format *format, const struct column *column, const struct value *val,
	struct buf *out, struct error *err)
{
	size_t len;

	if (val->kind == VALUE_INT || val->kind == VALUE_UINT) {
		if (val->kind == VALUE_INT)
			sink_put_int(out, val->i);
		else
			sink_put_uint(out, val->u);
		return 0;
	}
	if (my_check_decimal(format, column, val->text.ptr, val->text.len, &len, err) < 0)
		return -1;
	if (len <= DECIMAL_DIGITS)
		buf_append(out, val->text.ptr, len);
	else
		my_quote(out, val->text.ptr, len);
	return 0;
}

/* ---- text and bytes ---- */

static bool is_cut(const char *text, size_t len, uint64_t chars)
{
	uint64_t count = 0;

	if (len <= chars)
		return false;
	for (size_t i = 0; i < len; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count > chars;
}

size_t my_kept_length(const struct my_format *format, const char *text, size_t len)
{
	while (format->form == MY_PADDED && len > 0 && text[len - 1] == ' ')
		len--;
	return len;
}

int my_check_length(
	const struct my_format *format, const struct column *column, const char *text, size_t len, struct error *err)
{
	size_t used = my_kept_length(format, text, len);

	if ((format->bytes == 0 || used <= format->bytes) && (format->chars == 0 || !is_cut(text, used, format->chars)))
		return 0;
	return error_set(err, ERROR_DATA, "column %s: a value of %zu bytes is too long for %s of the target",
		column->name, len, format->declared);
}

static void put_bytes(struct buf *out, const char *bytes, size_t len)
{
	buf_append(out, "_binary", 7);
	my_quote(out, bytes, len);
}

int my_array(const struct my_format *format, const struct column *column, const struct value *val, struct buf *out,
	struct error *err)
{
	size_t start = out->len;

	if (format->form == MY_ARRAY_TEXT) {
		if (my_array_text(column, val, out, err) < 0)
			return -1;
	} else {
		if (val->kind != VALUE_ARRAY)
			return refuse(err, format, column, val->text.ptr, val->text.len);
		if (my_array_json(column, val, out, err) < 0)
			return -1;
	}
	if (buf_check(out, column->name, err) < 0)
		return -1;
	if (format->native_json && my_check_json(column, out->data + start, out->len - start, err) < 0)
		return -1;
	return my_check_length(format, column, out->data + start, out->len - start, err);
}

static int put_string(const struct my_format *format, const struct column *column, const struct value *val,
	struct buf *out, struct error *err)
{
	const char *text = val->text.ptr;
	size_t len = val->text.len;
	unsigned char uuid[16];

	if (val->kind != VALUE_TEXT && val->kind != VALUE_EXACT && val->kind != VALUE_BYTES)
		return error_set(err, ERROR_DATA, "column %s: a value that does not fit its type", column->name);
	if (format->form == MY_UUID_BYTES) {
		if (!sink_uuid_bytes(text, len, uuid))
			return refuse(err, format, column, text, len);
		put_bytes(out, (const char *)uuid, sizeof uuid);
		return 0;
	}
	if (my_check_length(format, column, text, len, err) < 0)
		return -1;
	if (format->form == MY_BYTES || format->form == MY_OPAQUE) {
		put_bytes(out, text, len);
		return 0;
	}
	if ((format->form == MY_JSON && my_check_json(column, text, len, err) < 0) ||
		my_check_label(format, column, text, len, err) < 0)
		return -1;
	my_quote(out, text, my_kept_length(format, text, len));
	return 0;
}

/* ---- dates and times ---- */

bool my_calendar(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t year;

	if (days < -719528 || days > 2932896)
		return false;
	sink_calendar(days, &year, ret_month, ret_day);
	*ret_year = (int)year;
	return true;
}

static char *put_date(char *to, int64_t days)
{
	int year, month, day;

	if (!my_calendar(days, &year, &month, &day))
		return NULL;
	to = sink_digits(to, (unsigned)year, 4);
	*to++ = '-';
	to = sink_digits(to, (unsigned)month, 2);
	*to++ = '-';
	return sink_digits(to, (unsigned)day, 2);
}

static char *put_time(char *to, uint64_t us)
{
	uint64_t seconds = us / (uint64_t)US_PER_SECOND;
	unsigned hours = (unsigned)(seconds / 3600), fraction = (unsigned)(us % (uint64_t)US_PER_SECOND);

	to = sink_digits(to, hours, hours > 99 ? 3 : 2);
	*to++ = ':';
	to = sink_digits(to, (unsigned)(seconds / 60 % 60), 2);
	*to++ = ':';
	to = sink_digits(to, (unsigned)(seconds % 60), 2);
	if (fraction == 0)
		return to;
	*to++ = '.';
	return sink_digits(to, fraction, 6);
}

/* The number as sink_text() writes it, for a message. */
static int refuse_time(
	struct error *err, const struct my_format *format, const struct column *column, const struct value *val)
{
	struct buf text;
	int result;

	buf_init(&text, 256);
	if (sink_text(column, val, &text, NULL) < 0)
		buf_reset(&text);
	result = refuse(err, format, column, text.data != NULL ? text.data : "", text.len);
	buf_release(&text);
	return result;
}

/* What the source calls a date: 0000-00-00, 2026-02-31. Anything else (infinity, a year of five digits) the server might read as something. */
static bool is_shaped(enum my_form form, const char *text, size_t len)
{
	static const char shape[] = "0000-00-00 00:00:00.000000";
	size_t least = form == MY_DATE ? 10 : 19, most = form == MY_DATE ? 10 : sizeof shape - 1;

	if (form == MY_TIME || len < least || len > most || len == 20)
		return false;
	for (size_t i = 0; i < len; i++)
		if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			return false;
	return true;
}

static int put_moment(const struct my_format *format, const struct column *column, const struct value *val,
	struct buf *out, struct error *err)
{
	char text[40], *to = text;
	int64_t days, rest;

	if (val->kind != VALUE_INT) {
		if (val->kind != VALUE_EXACT || !is_shaped(format->form, val->text.ptr, val->text.len))
			return refuse(err, format, column, val->text.ptr, val->text.len);
		my_quote(out, val->text.ptr, val->text.len);
		return 0;
	}
	*to++ = '\'';
	if (format->form == MY_DATE) {
		to = put_date(to, val->i);
	} else if (format->form == MY_TIME) {
		if (val->i < 0)
			*to++ = '-';
		if (val->i > 839 * 3600 * US_PER_SECOND || val->i < -839 * 3600 * US_PER_SECOND)
			return refuse_time(err, format, column, val);
		to = put_time(to, (uint64_t)(val->i < 0 ? -val->i : val->i));
	} else {
		days = val->i / US_PER_DAY;
		rest = val->i % US_PER_DAY;
		if (rest < 0) {
			rest += US_PER_DAY;
			days--;
		}
		to = put_date(to, days);
		if (to != NULL) {
			*to++ = ' ';
			to = put_time(to, (uint64_t)rest);
		}
	}
	if (to == NULL)
		return refuse_time(err, format, column, val);
	*to++ = '\'';
	buf_append(out, text, (size_t)(to - text));
	return 0;
}

/* ---- all ---- */

static int put_number(const struct my_format *format, const struct column *column, const struct value *val,
	struct buf *out, struct error *err)
{
	switch (val->kind) {
	case VALUE_BOOL:
		buf_append_byte(out, val->b ? '1' : '0');
		return 0;
	case VALUE_INT:
		sink_put_int(out, val->i);
		return 0;
	case VALUE_UINT:
		sink_put_uint(out, val->u);
		return 0;
	case VALUE_TEXT:
	case VALUE_EXACT:
		return refuse(err, format, column, val->text.ptr, val->text.len);
	default:
		return error_set(err, ERROR_DATA, "column %s: a value that does not fit its type", column->name);
	}
}

static int put_array(const struct my_format *format, const struct column *column, const struct value *val,
	struct buf *out, struct error *err)
{
	size_t start = out->len;

	if (my_array(format, column, val, out, err) < 0)
		return -1;
	quote_in_place(out, start);
	return 0;
}

int my_literal(const struct my_format *format, const struct column *column, const struct value *val, struct buf *out,
	struct error *err)
{
	int result = 0;

	if (val->kind == VALUE_UNCHANGED)
		return error_set(err, ERROR_BUG, "column %s: no value to write", column->name);
	if (val->kind == VALUE_NULL) {
		if (format->not_null)
			return error_set(err, ERROR_DATA, "column %s: NULL, which the target's column does not take",
				column->name);
		buf_append(out, "NULL", 4);
		return 0;
	}
	switch (format->form) {
	case MY_NUMBER:
		result = put_number(format, column, val, out, err);
		break;
	case MY_FLOAT:
	case MY_DOUBLE:
		result = put_float(format, column, val, out, err);
		break;
	case MY_DECIMAL:
		result = put_decimal(format, column, val, out, err);
		break;
	case MY_DATE:
	case MY_TIME:
	case MY_DATETIME:
		result = put_moment(format, column, val, out, err);
		break;
	case MY_ARRAY_TEXT:
	case MY_ARRAY_JSON:
		result = put_array(format, column, val, out, err);
		break;
	default:
		result = put_string(format, column, val, out, err);
		break;
	}
	return result < 0 ? -1 : buf_check(out, column->name, err);
}

/* ---- as strings ---- */

/* The server takes a string for a BIT's bytes. */
static void put_bits(uint64_t bits, struct buf *out)
{
	static const char hex[] = "0123456789abcdef";
	char text[19] = "x'", *to = text + 2;

	for (int shift = 60; shift >= 0; shift -= 4)
		*to++ = hex[bits >> shift & 15];
	*to++ = '\'';
	buf_append(out, text, (size_t)(to - text));
}

/* '0' would be the year 2000. */
static void put_year(unsigned year, struct buf *out)
{
	char text[6] = "'";

	*sink_digits(text + 1, year, 4) = '\'';
	buf_append(out, text, sizeof text);
}

int my_string_literal(const struct my_format *format, const struct column *column, const struct value *val,
	struct buf *out, struct error *err)
{
	size_t start = out->len;

	if (format->bits && (val->kind == VALUE_UINT || val->kind == VALUE_BOOL)) {
		put_bits(val->kind == VALUE_BOOL ? val->b : val->u, out);
		return buf_check(out, column->name, err);
	}
	if (format->year && val->kind == VALUE_INT && val->i >= 0 && val->i <= 9999) {
		put_year((unsigned)val->i, out);
		return buf_check(out, column->name, err);
	}
	if (my_literal(format, column, val, out, err) < 0)
		return -1;
	if (val->kind == VALUE_NULL || strchr("0123456789+-.", out->data[start]) == NULL)
		return 0;
	quote_in_place(out, start);
	return buf_check(out, column->name, err);
}

/* ---- finding a row by all its columns ---- */

static int put_text_condition(const struct my_format *format, const struct column *column, const char *quoted,
	const struct value *val, struct buf *out, struct error *err)
{
	buf_append_str(out, "CAST(CONVERT(");
	buf_append_str(out, quoted);
	buf_append_str(out, " USING utf8mb4) AS BINARY)<=>CAST(");
	if (format->native_json)
		buf_append_str(out, "CONVERT(CAST(");
	if (my_literal(format, column, val, out, err) < 0)
		return -1;
	if (format->native_json)
		buf_append_str(out, " AS JSON) USING utf8mb4)");
	buf_append_str(out, " AS BINARY)");
	return 0;
}

int my_condition(const struct my_format *format, const struct column *column, const char *quoted,
	const struct value *val, struct buf *out, struct error *err)
{
	if (val->kind == VALUE_NULL) {
		buf_append_str(out, quoted);
		buf_append_str(out, " IS NULL");
		return 0;
	}
	switch (format->form) {
	case MY_TEXT:
	case MY_PADDED:
	case MY_JSON:
	case MY_ARRAY_TEXT:
	case MY_ARRAY_JSON:
		return put_text_condition(format, column, quoted, val, out, err);
	case MY_OPAQUE:
		buf_append_str(out, "HEX(");
		buf_append_str(out, quoted);
		buf_append_str(out, ")<=>HEX(");
		if (my_literal(format, column, val, out, err) < 0)
			return -1;
		buf_append_byte(out, ')');
		return 0;
	default:
		buf_append_str(out, quoted);
		buf_append_str(out, "<=>");
		return my_literal(format, column, val, out, err);
	}
}
