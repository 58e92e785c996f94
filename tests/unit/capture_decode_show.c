/*
 * capture_decode_show.c: see the header.
 */
#include "tests/unit/capture_decode_show.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_TEXT ((size_t)1 << 20)

static void show_day(struct buf *out, int64_t seconds, bool with_time)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	buf_printf(out, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	if (with_time)
		buf_printf(out, " %02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void show_fraction(struct buf *out, int64_t us)
{
	char digits[16];
	int len = 6;

	if (us == 0)
		return;
	(void)snprintf(digits, sizeof digits, "%06" PRId64, us);
	while (digits[len - 1] == '0')
		len--;
	buf_printf(out, ".%.*s", len, digits);
}

static void show_integer(struct buf *out, enum column_type type, int64_t i)
{
	int64_t us = (i % 1000000 + 1000000) % 1000000, seconds = i / 1000000 - (i % 1000000 < 0 ? 1 : 0);

	switch (type) {
	case COLUMN_DATE:
		show_day(out, i * 86400, false);
		break;
	case COLUMN_TIME:
		buf_printf(out, "%02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
		show_fraction(out, us);
		break;
	case COLUMN_TIMESTAMP:
	case COLUMN_TIMESTAMPTZ:
		show_day(out, seconds, true);
		show_fraction(out, us);
		if (type == COLUMN_TIMESTAMPTZ)
			buf_append_str(out, "+00");
		break;
	default:
		buf_printf(out, "%" PRId64, i);
	}
}

/* The fewest digits that read back as the same number; with an exponent where PostgreSQL writes one. */
static void show_float(struct buf *out, bool narrow, double f)
{
	char text[64], digits[32];
	int exponent, count = 0;

	if (isnan(f) || isinf(f)) {
		buf_append_str(out, isnan(f) ? "NaN" : f < 0 ? "-Infinity" : "Infinity");
		return;
	}
	for (int precision = 0; precision <= 17; precision++) {
		(void)snprintf(text, sizeof text, "%.*e", precision, f);
		if (narrow ? strtof(text, NULL) == (float)f : strtod(text, NULL) == f)
			break;
	}
	exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	if (signbit(f))
		buf_append_byte(out, '-');
	if (exponent < -4 || exponent >= (narrow ? 6 : 15)) {
		buf_append_str(out, text + (signbit(f) ? 1 : 0));
		return;
	}
	for (const char *at = text; *at != 'e'; at++)
		if (*at >= '0' && *at <= '9')
			digits[count++] = *at;
	if (exponent < 0) {
		buf_printf(out, "0.%.*s%.*s", -exponent - 1, "0000", count, digits);
		return;
	}
	for (int i = 0; i <= exponent || i < count; i++) {
		if (i == exponent + 1)
			buf_append_byte(out, '.');
		buf_append_byte(out, i < count ? digits[i] : '0');
	}
}

static void show_element(struct buf *out, const char *text, size_t len)
{
	bool quote = len == 0 || (len == 4 && strncasecmp(text, "NULL", 4) == 0);

	for (size_t i = 0; i < len; i++)
		quote = quote || memchr("{},\"\\ \t\n\v\f\r", text[i], 11) != NULL;
	if (!quote) {
		buf_append(out, text, len);
		return;
	}
	buf_append_byte(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			buf_append_byte(out, '\\');
		buf_append_byte(out, text[i]);
	}
	buf_append_byte(out, '"');
}

static void show_as(struct buf *out, enum column_type type, const struct column *column, const struct value *value)
{
	struct buf element;

	switch (value->kind) {
	case VALUE_BOOL:
		buf_append_byte(out, value->b ? 't' : 'f');
		break;
	case VALUE_INT:
		show_integer(out, type, value->i);
		break;
	case VALUE_FLOAT:
		show_float(out, type == COLUMN_FLOAT32, value->f);
		break;
	case VALUE_BYTES:
		buf_append_str(out, "\\x");
		for (size_t i = 0; i < value->text.len; i++)
			buf_printf(out, "%02x", (unsigned char)value->text.ptr[i]);
		break;
	case VALUE_ARRAY:
		buf_init(&element, MAX_TEXT);
		buf_append_byte(out, '{');
		for (size_t i = 0; i < value->array.count; i++) {
			const struct value *item = &value->array.items[i];

			buf_append_str(out, i > 0 ? "," : "");
			buf_reset(&element);
			show_as(&element, column->element_type, column, item);
			if (item->kind == VALUE_NULL)
				buf_append_str(out, "NULL");
			else
				show_element(out, buf_cstr(&element), element.len);
		}
		buf_append_byte(out, '}');
		buf_release(&element);
		break;
	case VALUE_TEXT:
	case VALUE_EXACT:
		buf_append(out, value->text.ptr, value->text.len);
		break;
	case VALUE_NULL:
	case VALUE_UNCHANGED:
	case VALUE_UINT:
		break;
	}
}

void show_text(struct buf *out, const struct column *column, const struct value *value)
{
	show_as(out, column->type, column, value);
}

void show_escaped(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= 0x20 || c == '%' || c == 0x7f)
			buf_printf(out, "%%%02X", c);
		else
			buf_append_byte(out, (char)c);
	}
}

void show_value(struct buf *out, const struct column *column, const struct value *value)
{
	static const char letters[] = { [VALUE_BOOL] = 'b', [VALUE_INT] = 'i', [VALUE_UINT] = 'n', [VALUE_FLOAT] = 'f',
		[VALUE_TEXT] = 't', [VALUE_BYTES] = 'x', [VALUE_ARRAY] = 'a', [VALUE_EXACT] = 'e' };
	struct buf text;

	if (value->kind == VALUE_NULL || value->kind == VALUE_UNCHANGED) {
		buf_append_str(out, value->kind == VALUE_NULL ? "null" : "unchanged");
		return;
	}
	buf_init(&text, MAX_TEXT);
	show_text(&text, column, value);
	buf_append_byte(out, letters[value->kind]);
	buf_append_byte(out, ':');
	show_escaped(out, buf_cstr(&text), text.len);
	buf_release(&text);
}
