/*
 * sink_postgres_param.c: values -> PostgreSQL's parameters.
 *
 * Text:   sink_text.c; and BIT(4) 0101 for bits, {"a","b"} for a SET in an array, EWKB in hexadecimal for PostGIS.
 * Binary: network byte order, as <type>recv() in src/backend/utils/adt reads it; times count from 2000-01-01.
 *
 * A value is sent in binary only if it certainly fits; what does not (an int beyond int4 for an int4 column, infinity
 * as VALUE_EXACT) goes as text, and the server's input function says what is wrong with it.
 */
#include "apply/sink_postgres_param.h"

#include <endian.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "apply/sink_text.h"

#define US_PER_DAY (INT64_C(86400) * INT64_C(1000000))
#define DAYS_TO_2000 10957 /* 1970-01-01 .. 2000-01-01 */
#define OID_FLOAT4 700
#define OID_FLOAT8 701
#define EWKB_SRID UINT32_C(0x20000000) /* in a geometry's type: an SRID follows */

void pg_identifier(struct buf *out, const char *name)
{
	sink_put_quoted(out, name, strlen(name), '"');
}

/* ---- binary forms ---- */

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

/* What is no UUID is left to the server. */
static bool put_binary_uuid(struct buf *out, const char *text, size_t len)
{
	unsigned char bytes[16];

	if (!sink_uuid_bytes(text, len, bytes))
		return false;
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
		if (form != FORM_STRING || sink_has_zero_byte(val))
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

	if (sink_has_zero_byte(val))
		return sink_text(column, val, out, err);
	buf_append_byte(out, '{');
	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma != NULL ? comma : end;

		if (at > val->text.ptr)
			buf_append_byte(out, ',');
		sink_array_quote(out, at, (size_t)(stop - at));
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
		sink_put_hex(out, wkb, val->text.len - 4);
		return 0;
	}
	memcpy(&type, wkb + 1, sizeof type);
	type |= wkb[0] == 1 ? htole32(EWKB_SRID) : htobe32(EWKB_SRID);
	if (wkb[0] != 1) /* the SRID takes the byte order of the geometry */
		srid = htobe32(le32toh(srid));
	sink_put_hex(out, wkb, 1);
	sink_put_hex(out, &type, sizeof type);
	sink_put_hex(out, &srid, sizeof srid);
	sink_put_hex(out, wkb + 5, val->text.len - 9);
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

/* The forms that are text, but another one than that of sink_text(). */
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
	return sink_text(column, val, out, err);
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
