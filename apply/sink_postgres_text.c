/*
 * sink_postgres_text.c: values -> PostgreSQL's input forms.
 *
 * Text:   bool t f             int -42              float shortest that reads back equal, NaN, [-]Infinity
 *         date 2026-11-23      44 BC: 0044-03-15 BC            time 24:00:00, 08:15:01.5
 *         timestamp 2026-11-23 08:15:01.123456[ BC]            timestamptz ...+00[ BC]
 *         bytea \x00ff         array {1,NULL,"a \"b\" \\ c"}   everything else as the source wrote it
 *         of MySQL: TIME -838:59:59.5 (an interval's text)     YEAR 0000, 2026        BIT(4) 0101 for bits, else 5
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
#define OID_FLOAT4 700
#define OID_FLOAT8 701
#define EWKB_SRID UINT32_C(0x20000000) /* in a geometry's type: an SRID follows */

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

/* us >= 0; a day is 24:00:00 (a time of its own), and a duration goes on from there. */
static void put_time(struct buf *out, uint64_t us)
{
	uint64_t seconds = us / US_PER_SECOND, fraction = us % US_PER_SECOND, hours = seconds / 3600;
	int digits = 6;

	if (hours < 100)
		put_digits(out, hours, 2);
	else
		put_uint(out, hours);
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
		put_int(out, number);
		return 0;
	}
}

/* ---- bytes, text, arrays ---- */

static void put_hex(struct buf *out, const void *bytes, size_t len)
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

static bool has_zero_byte(const struct value *val)
{
	return val->text.len > 0 && memchr(val->text.ptr, '\0', val->text.len) != NULL;
}

static int put_text(const struct column *column, const struct value *val, struct buf *out, struct error *err)
{
	if (has_zero_byte(val)) {
		(void)error_set(err, ERROR_DATA, "column %s: a text with a zero byte, which PostgreSQL cannot hold",
			column->name);
		return error_hint(err, "correct the row at the source, make its column a binary type, or leave the column out");
	}
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
			if (has_zero_byte(item))
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
		buf_append_str(out, "\\x");
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
	case FORM_BOOL:
		buf_append_byte(out, number != 0);
		return true;
	default:
		return false;
	}
}

/* array_recv(): dimensions, whether there are NULLs, the element's oid; size and lower bound; each element with its length. */
static void put_binary_vector(struct buf *out, const struct value *val, bool single)
{
	size_t count = val->text.len / sizeof(float);

	put_be32(out, count > 0);
	put_be32(out, 0);
	put_be32(out, single ? OID_FLOAT4 : OID_FLOAT8);
	if (count > 0) {
		put_be32(out, (uint32_t)count);
		put_be32(out, 1);
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t word;
		float number;

		memcpy(&word, val->text.ptr + i * sizeof word, sizeof word);
		word = le32toh(word);
		memcpy(&number, &word, sizeof number);
		put_be32(out, single ? 4 : 8);
		put_binary_float(out, number, single);
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
	case VALUE_UINT:
		return val->u <= INT64_MAX && put_binary_int(form, (int64_t)val->u, out);
	case VALUE_BYTES:
		if (form == FORM_FLOAT4_ARRAY || form == FORM_FLOAT8_ARRAY)
			put_binary_vector(out, val, form == FORM_FLOAT4_ARRAY);
		else if (form == FORM_BYTEA)
			buf_append(out, val->text.ptr, val->text.len);
		return form != FORM_EWKB;
	case VALUE_TEXT:
		if (form == FORM_UUID)
			return put_binary_uuid(out, val->text.ptr, val->text.len);
		if (form != FORM_STRING || has_zero_byte(val))
			return false;
		buf_append(out, val->text.ptr, val->text.len);
		return true;
	default:
		return false;
	}
}

/* ---- what only MySQL and MariaDB have ---- */

/* The digits of bit(n) are the number's, highest first. */
static void put_bits(const struct column *column, uint64_t bits, struct buf *out)
{
	for (int i = column->precision - 1; i >= 0; i--)
		buf_append_byte(out, bits >> i & 1 ? '1' : '0');
}

/* "a,b" -> {"a","b"}; a member has no comma, and no member at all is "". */
static int put_members(const struct column *column, const struct value *val, struct buf *out, struct error *err)
{
	const char *at = val->text.ptr, *end = at + val->text.len;

	if (has_zero_byte(val))
		return put_text(column, val, out, err);
	buf_append_byte(out, '{');
	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma != NULL ? comma : end;

		if (at > val->text.ptr)
			buf_append_byte(out, ',');
		pg_array_quote(out, at, (size_t)(stop - at));
		at = comma != NULL ? comma + 1 : end;
	}
	buf_append_byte(out, '}');
	return 0;
}

/* SRID (little endian), WKB -> byte order, type with the SRID's flag, SRID, the rest. Without SRID the WKB is right as it is. */
static int put_ewkb(const struct column *column, const struct value *val, struct buf *out, struct error *err)
{
	const char *wkb = val->text.ptr + 4;
	uint32_t srid, type;

	if (val->text.len < 9)
		return error_set(err, ERROR_DATA, "column %s: a geometry of %zu bytes", column->name, val->text.len);
	memcpy(&srid, val->text.ptr, sizeof srid);
	if (srid == 0) {
		put_hex(out, wkb, val->text.len - 4);
		return 0;
	}
	memcpy(&type, wkb + 1, sizeof type);
	type |= wkb[0] == 1 ? htole32(EWKB_SRID) : htobe32(EWKB_SRID);
	if (wkb[0] != 1) /* the SRID takes the byte order of the geometry */
		srid = htobe32(le32toh(srid));
	put_hex(out, wkb, 1);
	put_hex(out, &type, sizeof type);
	put_hex(out, &srid, sizeof srid);
	put_hex(out, wkb + 5, val->text.len - 9);
	return 0;
}

/* Whether it begins with a date that the calendar has: not 0000-00-00, 2026-02-00, 2026-02-31. */
static bool is_date(const struct value *val)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year, month, day;
	char text[11];

	/* infinity, a far year, BC: of another server than MySQL */
	if (val->text.len < 10 || val->text.ptr[4] != '-' || val->text.ptr[val->text.len - 1] == 'C')
		return true;
	memcpy(text, val->text.ptr, 10);
	text[10] = '\0';
	if (sscanf(text, "%4d-%2d-%2d", &year, &month, &day) != 3)
		return true;
	if (month == 2 && day == 29)
		return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

/* What the source's type allows and the target's does not, by value. */
static int check_value(const struct column *column, enum pg_form form, const struct value *val, struct error *err)
{
	switch (column->type) {
	case COLUMN_INT16:
		if (form != FORM_BOOL || val->kind != VALUE_INT || val->i == 0 || val->i == 1)
			return 0;
		(void)error_set(err, ERROR_DATA, "column %s: %" PRId64 " is no boolean", column->name, val->i);
		return error_hint(err, "make the target's column a smallint");
	case COLUMN_DURATION:
		if (form != FORM_TIME || val->kind != VALUE_INT || (val->i >= 0 && val->i <= US_PER_DAY))
			return 0;
		(void)error_set(err, ERROR_DATA, "column %s: %" PRId64 " us is no time of day", column->name, val->i);
		return error_hint(err, "make the target's column an interval");
	case COLUMN_DATE:
	case COLUMN_TIMESTAMP:
	case COLUMN_TIMESTAMPTZ:
		if (val->kind != VALUE_EXACT || (form != FORM_DATE && form != FORM_TIMESTAMP) || is_date(val))
			return 0;
		(void)error_set(err, ERROR_DATA, "column %s: \"%.*s\" is no date for PostgreSQL", column->name,
			val->text.len < 40 ? (int)val->text.len : 40, val->text.ptr);
		return error_hint(err,
			"correct the row at the source (sql_mode NO_ZERO_DATE, NO_ZERO_IN_DATE keeps such dates out), or make the "
			"target's column a text");
	default:
		return 0;
	}
}

/* The forms that are text, but another one than that of put_value(). */
static int put_form(const struct column *column, enum pg_form form, const struct value *val, struct buf *out,
	struct error *err)
{
	if (form == FORM_BITS && val->kind == VALUE_UINT) {
		put_bits(column, val->u, out);
		return 0;
	}
	if (form == FORM_MEMBERS && (val->kind == VALUE_TEXT || val->kind == VALUE_EXACT))
		return put_members(column, val, out, err);
	if (form == FORM_EWKB && val->kind == VALUE_BYTES)
		return put_ewkb(column, val, out, err);
	return put_value(column, column->type, val, out, err);
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
	if (check_value(column, form, val, err) < 0)
		return -1;
	if (form != FORM_TEXT)
		binary = put_binary(form, val, out);
	if (!binary && put_form(column, form, val, out, err) < 0)
		return -1;
	if (out->len - start > INT_MAX - 1)
		out->failed = true;
	buf_append_byte(out, '\0');
	if (out->failed)
		return buf_check(out, column->name, err);
	*ret = (struct pg_param){ start, (int)(out->len - 1 - start), binary ? 1 : 0 };
	return 0;
}
