/*
 * sink_mysql_binary.c: the bulk packet and its parameters.
 *
 *   u32 statement | u16 flags (128: types follow) | per parameter: type, 128 if unsigned | per row and parameter:
 *   indicator (0: a value follows, 1: NULL) | value
 *
 *   integers  8 bytes      float 4, double 8 bytes     everything little endian
 *   date      04 year(2) month day                     datetime 0b year(2) month day hour minute second us(4)
 *   time      0c minus days(4) hour minute second us(4)
 *   others    length, 1 to 9 bytes (fb.. as in every packet of the protocol), then the bytes
 *
 * A column has one type in all rows of a packet. A value of another kind (VALUE_EXACT in a date) is left to the text form.
 */
#include "apply/sink_mysql_binary.h"

#include <endian.h>
#include <math.h>
#include <mysql.h>
#include <string.h>

#include "apply/sink_text.h"

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_SECOND)
#define UNSIGNED 0x80

enum { HERE = 0, NOTHING = 1 };

/* ---- pieces ---- */

static void put16(struct buf *out, uint16_t number)
{
	number = htole16(number);
	buf_append(out, &number, sizeof number);
}

static void put32(struct buf *out, uint32_t number)
{
	number = htole32(number);
	buf_append(out, &number, sizeof number);
}

static void put64(struct buf *out, uint64_t number)
{
	number = htole64(number);
	buf_append(out, &number, sizeof number);
}

static void put_string(struct buf *out, const char *bytes, size_t len)
{
	buf_append_byte(out, HERE);
	if (len < 251) {
		buf_append_byte(out, (char)len);
	} else if (len < 1 << 16) {
		buf_append_byte(out, (char)0xfc);
		put16(out, (uint16_t)len);
	} else if (len < 1 << 24) {
		uint32_t word = htole32((uint32_t)len);

		buf_append_byte(out, (char)0xfd);
		buf_append(out, &word, 3);
	} else {
		buf_append_byte(out, (char)0xfe);
		put64(out, len);
	}
	buf_append(out, bytes, len);
}

void my_binary_head(struct buf *out, uint32_t statement)
{
	put32(out, statement);
	put16(out, STMT_BULK_FLAG_CLIENT_SEND_TYPES);
}

static bool is_unsigned(const struct column *column)
{
	return column->type == COLUMN_UINT64 || column->type == COLUMN_BITS;
}

void my_binary_type(const struct my_format *format, const struct column *column, struct buf *out)
{
	enum enum_field_types type = MYSQL_TYPE_VAR_STRING;

	switch (format->form) {
	case MY_NUMBER:
		type = MYSQL_TYPE_LONGLONG;
		break;
	case MY_FLOAT:
		type = MYSQL_TYPE_FLOAT;
		break;
	case MY_DOUBLE:
		type = MYSQL_TYPE_DOUBLE;
		break;
	case MY_DECIMAL:
		type = MYSQL_TYPE_NEWDECIMAL;
		break;
	case MY_DATE:
		type = MYSQL_TYPE_DATE;
		break;
	case MY_TIME:
		type = MYSQL_TYPE_TIME;
		break;
	case MY_DATETIME:
		type = MYSQL_TYPE_DATETIME;
		break;
	case MY_BYTES:
	case MY_UUID_BYTES:
	case MY_OPAQUE:
		type = MYSQL_TYPE_BLOB;
		break;
	case MY_TEXT:
	case MY_PADDED:
	case MY_JSON:
	case MY_ARRAY_TEXT:
	case MY_ARRAY_JSON:
		if (format->raw)
			type = MYSQL_TYPE_BLOB;
		break;
	}
	buf_append_byte(out, (char)type);
	buf_append_byte(out, type == MYSQL_TYPE_LONGLONG && is_unsigned(column) ? (char)UNSIGNED : 0);
}

/* ---- values ---- */

static int put_number(const struct column *column, const struct value *val, struct buf *out)
{
	uint64_t number;

	switch (val->kind) {
	case VALUE_BOOL:
		number = val->b;
		break;
	case VALUE_INT:
		if (is_unsigned(column) && val->i < 0)
			return 1;
		number = (uint64_t)val->i;
		break;
	case VALUE_UINT:
		if (!is_unsigned(column) && val->u > INT64_MAX)
			return 1;
		number = val->u;
		break;
	default:
		return 1;
	}
	buf_append_byte(out, HERE);
	put64(out, number);
	return 0;
}

static int put_float(enum my_form form, const struct value *val, struct buf *out)
{
	uint32_t word;
	uint64_t wide;
	float small;

	if (val->kind != VALUE_FLOAT || isnan(val->f) || isinf(val->f))
		return 1;
	buf_append_byte(out, HERE);
	if (form == MY_FLOAT) {
		small = (float)val->f;
		memcpy(&word, &small, sizeof word);
		put32(out, word);
	} else {
		memcpy(&wide, &val->f, sizeof wide);
		put64(out, wide);
	}
	return 0;
}

static char *put_clock(char *to, uint64_t us)
{
	uint64_t seconds = us / (uint64_t)US_PER_SECOND;
	uint32_t fraction = htole32((uint32_t)(us % (uint64_t)US_PER_SECOND));

	*to++ = (char)(seconds / 3600 % 24);
	*to++ = (char)(seconds / 60 % 60);
	*to++ = (char)(seconds % 60);
	memcpy(to, &fraction, sizeof fraction);
	return to + sizeof fraction;
}

static int put_moment(enum my_form form, const struct value *val, struct buf *out)
{
	int64_t days = form == MY_DATE ? val->i : val->i / US_PER_DAY, rest = val->i % US_PER_DAY;
	char bytes[16] = { HERE }, *to = bytes + 2;
	int year, month, day;

	if (val->kind != VALUE_INT)
		return 1;
	if (form == MY_TIME) {
		uint64_t us = val->i < 0 ? 0 - (uint64_t)val->i : (uint64_t)val->i;
		uint32_t whole = htole32((uint32_t)(us / (uint64_t)US_PER_DAY));

		if (us > (uint64_t)(839 * 3600 * US_PER_SECOND))
			return 1;
		*to++ = val->i < 0;
		memcpy(to, &whole, sizeof whole);
		to = put_clock(to + sizeof whole, us);
	} else {
		if (form == MY_DATETIME && rest < 0) {
			rest += US_PER_DAY;
			days--;
		}
		if (!my_calendar(days, &year, &month, &day))
			return 1;
		*to++ = (char)(year & 255);
		*to++ = (char)(year >> 8);
		*to++ = (char)month;
		*to++ = (char)day;
		if (form == MY_DATETIME)
			to = put_clock(to, (uint64_t)rest);
	}
	bytes[1] = (char)(to - bytes - 2);
	buf_append(out, bytes, (size_t)(to - bytes));
	return 0;
}

static int put_decimal(const struct my_format *format, const struct column *column, const struct value *val,
	struct buf *out, struct error *err)
{
	size_t len;

	if (val->kind != VALUE_TEXT)
		return 1;
	if (my_check_decimal(format, column, val->text.ptr, val->text.len, &len, err) < 0)
		return -1;
	put_string(out, val->text.ptr, len);
	return 0;
}

static int put_text(const struct my_format *format, const struct column *column, const struct value *val,
	struct buf *out, struct error *err)
{
	unsigned char uuid[16];

	if (val->kind != VALUE_TEXT && val->kind != VALUE_EXACT && val->kind != VALUE_BYTES)
		return 1;
	if (format->form == MY_UUID_BYTES) {
		if (!sink_uuid_bytes(val->text.ptr, val->text.len, uuid))
			return 1;
		put_string(out, (const char *)uuid, sizeof uuid);
		return 0;
	}
	if (my_check_length(format, column, val->text.ptr, val->text.len, err) < 0 ||
		my_check_label(format, column, val->text.ptr, val->text.len, err) < 0)
		return -1;
	put_string(out, val->text.ptr, my_kept_length(format, val->text.ptr, val->text.len));
	return 0;
}

int my_binary(const struct my_format *format, const struct column *column, const struct value *val, struct buf *out,
	struct error *err)
{
	int result;

	if (val->kind == VALUE_NULL && !format->not_null) {
		buf_append_byte(out, NOTHING);
		return 0;
	}
	if (val->kind == VALUE_NULL || val->kind == VALUE_UNCHANGED)
		return 1;
	switch (format->form) {
	case MY_NUMBER:
		result = put_number(column, val, out);
		break;
	case MY_FLOAT:
	case MY_DOUBLE:
		result = put_float(format->form, val, out);
		break;
	case MY_DECIMAL:
		result = put_decimal(format, column, val, out, err);
		break;
	case MY_DATE:
	case MY_TIME:
	case MY_DATETIME:
		result = put_moment(format->form, val, out);
		break;
	case MY_ARRAY_TEXT:
	case MY_ARRAY_JSON:
	case MY_JSON:
		result = 1;
		break;
	default:
		result = put_text(format, column, val, out, err);
		break;
	}
	return result == 0 ? buf_check(out, column->name, err) : result;
}
