/*
 * encode_value.c: see encode_value.h. One function per family of types; schema.c says which Avro type each column
 * type has.
 */
#include "lib/codec/encode_value.h"

#include <string.h>

#include "lib/codec/avro.h"
#include "lib/codec/decimal.h"
#include "lib/codec/interval.h"
#include "lib/codec/iso_time.h"
#include "lib/codec/partial_date.h"
#include "lib/codec/schema.h"

#define SMALL_MAX 32 /* any value that is not text, bytes or an array; what stands around those that are */
#define DURATION_END INT64_C(3020400000000) /* 839:00:00 */

static const char not_this_kind[] = "got a value of another kind than its type has";
static const char out_of_range[] = "got a number out of its type's range";

void encode_value_plan(const struct column *col, bool in_key, struct column_plan *ret_plan)
{
	enum column_type type = col->type == COLUMN_ARRAY ? col->element_type : col->type;

	*ret_plan = (struct column_plan){ .type = col->type, .element_type = col->element_type, .in_key = in_key,
		.milli = schema_is_milli(col->fraction), .bits = col->precision, .fraction = col->fraction };
	if (type == COLUMN_DECIMAL && col->precision > 0)
		schema_decimal(col->precision, col->scale, &ret_plan->precision, &ret_plan->scale);
	for (size_t i = 0; i < col->label_count; i++)
		ret_plan->empty_label = ret_plan->empty_label || *col->labels[i] == '\0';
}

size_t encode_value_bound(const struct column_plan *plan, const struct value *val)
{
	size_t bound = 2 * AVRO_LONG_MAX;

	switch (val->kind) {
	case VALUE_TEXT:
		if (plan->precision > 0)
			return decimal_bound(val->text.len, plan->scale) + AVRO_LONG_MAX;
		return val->text.len + SMALL_MAX;
	case VALUE_BYTES:
	case VALUE_EXACT:
		return val->text.len + SMALL_MAX;
	case VALUE_ARRAY:
		for (size_t i = 0; i < val->array.count; i++)
			bound += 1 + encode_value_bound(plan, &val->array.items[i]);
		return bound;
	default:
		return SMALL_MAX;
	}
}

/* The bytes of a decimal stand at `at` + 1: puts the length before them. */
static unsigned char *put_length(unsigned char *at, size_t len)
{
	if (len < 64) {
		*at = (unsigned char)(len << 1);
	} else {
		unsigned char head[AVRO_LONG_MAX];
		size_t head_len = (size_t)(avro_put_long(head, (int64_t)len) - head);

		memmove(at + head_len, at + 1, len);
		memcpy(at, head, head_len);
		return at + head_len + len;
	}
	return at + 1 + len;
}

static unsigned char *encode_decimal(const struct column_plan *plan, const struct value *val, unsigned char *at,
	const char **ret_reason)
{
	static const char *const reasons[] = { [DECIMAL_NOT_PLAIN] = "got a number that is not written as plain digits",
		[DECIMAL_TOO_FINE] = "got a number with more digits behind the point than its scale",
		[DECIMAL_TOO_LONG] = "got a number with more digits than its precision" };
	enum decimal_result result;
	int scale = plan->scale;
	size_t len;

	if (val->kind != VALUE_TEXT) {
		*ret_reason = not_this_kind;
		return NULL;
	}
	if (plan->precision > 0) {
		result = decimal_encode(val->text.ptr, val->text.len, plan->precision, &scale, at + 1, &len);
	} else { /* {scale int, value bytes}: the scale's length is not known before, so it is counted first */
		const char *point = val->text.len > 0 ? memchr(val->text.ptr, '.', val->text.len) : NULL;
		size_t fraction = point == NULL ? 0 : (size_t)(val->text.ptr + val->text.len - point - 1);

		scale = fraction > DECIMAL_SCALE_MAX ? DECIMAL_SCALE_MAX : (int)fraction;
		at = avro_put_long(at, scale);
		result = decimal_encode(val->text.ptr, val->text.len, 0, &scale, at + 1, &len);
	}
	if (result == DECIMAL_OK)
		return put_length(at, len);
	*ret_reason = reasons[result];
	return NULL;
}

/* An unsigned 64-bit integer is a decimal(20,0): its bytes, with a zero byte before a set sign bit. */
static unsigned char *encode_uint64(const struct value *val, unsigned char *at)
{
	unsigned bits = val->u == 0 ? 1 : 65 - (unsigned)__builtin_clzll(val->u);
	unsigned len = (bits + 7) / 8;

	*at++ = (unsigned char)(len << 1);
	for (unsigned i = len; i-- > 0;)
		*at++ = i == 8 ? 0 : (unsigned char)(val->u >> (8 * i));
	return at;
}

/* BIT(1) is a boolean, BIT(n) as many bytes as it needs, the lowest first. */
static unsigned char *encode_bits(const struct column_plan *plan, const struct value *val, unsigned char *at,
	const char **ret_reason)
{
	unsigned len = ((unsigned)plan->bits + 7) / 8;

	if (plan->bits < 64 && val->u >> plan->bits != 0) {
		*ret_reason = out_of_range;
		return NULL;
	}
	if (plan->bits == 1) {
		*at = (unsigned char)val->u;
		return at + 1;
	}
	*at++ = (unsigned char)(len << 1);
	for (unsigned i = 0; i < len; i++)
		*at++ = (unsigned char)(val->u >> (8 * i));
	return at;
}

/* SRID (little endian) and WKB -> {wkb bytes, srid ?int}; 0, which stands for none, is null as in Debezium. */
static unsigned char *encode_geometry(const struct value *val, unsigned char *at, const char **ret_reason)
{
	uint32_t srid;

	if (val->text.len < sizeof srid) {
		*ret_reason = "got a geometry without its SRID";
		return NULL;
	}
	memcpy(&srid, val->text.ptr, sizeof srid);
	srid = le32toh(srid);
	at = avro_put_bytes(at, val->text.ptr + sizeof srid, val->text.len - sizeof srid);
	return srid == 0 ? avro_put_branch(at, 0) : avro_put_long(avro_put_branch(at, 1), (int32_t)srid);
}

/* The floats stand there as Avro has them. */
static unsigned char *encode_vector(const struct value *val, unsigned char *at, const char **ret_reason)
{
	if (val->text.len % sizeof(float) != 0) {
		*ret_reason = "got a vector that is not made of 32-bit floats";
		return NULL;
	}
	if (val->text.len > 0) {
		at = avro_put_long(at, (int64_t)(val->text.len / sizeof(float)));
		at = avro_put_raw(at, val->text.ptr, val->text.len);
	}
	return avro_put_long(at, 0);
}

/*
 * "12:34:56.789+02" -> "12:34:56.789+02:00": ISO wants the minutes of the offset, PostgreSQL leaves out zero ones.
 */
static unsigned char *encode_timetz(const struct value *val, unsigned char *at)
{
	const char *text = val->text.ptr;
	size_t len = val->text.len;

	if (len > 3 && (text[len - 3] == '+' || text[len - 3] == '-')) {
		at = avro_put_long(at, (int64_t)len + 3);
		at = avro_put_raw(at, text, len);
		return avro_put_raw(at, ":00", 3);
	}
	return avro_put_bytes(at, text, len);
}

static bool text_is(const struct value *val, const char *text)
{
	return val->text.len == strlen(text) && memcmp(val->text.ptr, text, val->text.len) == 0;
}

/*
 * A key has no `exact` beside it, but the values of a key must all be told apart. What can be carried in it all the
 * same: an instant in its text (the type is a string), infinite dates and timestamps as the integer type's ends, which
 * no finite one has, dates of MySQL that are none as numbers below all dates (partial_date.h), and its "no such label" of
 * an enum as the empty string, unless that is a label.
 */
static unsigned char *encode_exact_key(const struct column_plan *plan, const struct value *val, unsigned char *at,
	const char **ret_reason)
{
	bool least = text_is(val, "-infinity"), most = text_is(val, "infinity");
	int64_t us = 0;

	if (plan->type == COLUMN_TIMESTAMPTZ && !iso_time_parse(val->text.ptr, val->text.len, &us))
		return avro_put_bytes(at, val->text.ptr, val->text.len);
	if (plan->type == COLUMN_DATE && (least || most))
		return avro_put_long(at, most ? INT32_MAX : INT32_MIN);
	if (plan->type == COLUMN_TIMESTAMP && (least || most))
		return avro_put_long(at, most ? INT64_MAX : INT64_MIN);
	if (partial_date_number(val->text.ptr, val->text.len, plan->type, plan->fraction, &us))
		return avro_put_long(at, us);
	if (plan->type == COLUMN_ENUM && val->text.len == 0 && !plan->empty_label)
		return avro_put_bytes(at, "", 0);
	*ret_reason = "has a value that its type cannot hold, and is part of the key";
	return NULL;
}

static unsigned char *encode_integer(const struct column_plan *plan, enum column_type type, const struct value *val,
	unsigned char *at, const char **ret_reason)
{
	int64_t number = val->i;
	bool fits = true;

	if (val->kind != VALUE_INT) {
		*ret_reason = not_this_kind;
		return NULL;
	}
	switch (type) {
	case COLUMN_INT16:
		fits = number >= INT16_MIN && number <= INT16_MAX;
		break;
	case COLUMN_INT32:
		fits = number >= INT32_MIN && number <= INT32_MAX;
		break;
	case COLUMN_DATE:
		fits = number > INT32_MIN && number < INT32_MAX;
		break;
	case COLUMN_YEAR:
		fits = number == 0 || (number >= 1901 && number <= 2155);
		break;
	case COLUMN_DURATION:
		fits = number > -DURATION_END && number < DURATION_END;
		break;
	case COLUMN_TIME:
	case COLUMN_TIMESTAMP:
		if (plan->milli) {
			fits = number % 1000 == 0 && (type == COLUMN_TIMESTAMP || (number / 1000 >= 0 && number / 1000 <= INT32_MAX));
			number /= 1000;
		} else {
			fits = number != INT64_MAX && number != INT64_MIN;
		}
		break;
	case COLUMN_TIMESTAMPTZ:
		if (number < ISO_TIME_MIN || number > ISO_TIME_MAX) {
			fits = false;
			break;
		}
		*at++ = ISO_TIME_LEN << 1;
		iso_time_put((char *)at, number);
		return at + ISO_TIME_LEN;
	default:
		break;
	}
	if (!fits) {
		*ret_reason = out_of_range;
		return NULL;
	}
	return avro_put_long(at, number);
}

static unsigned char *encode_text(const struct column_plan *plan, enum column_type type, const struct value *val,
	unsigned char *at, const char **ret_reason)
{
	bool bytes = type == COLUMN_BYTES || type == COLUMN_GEOMETRY || type == COLUMN_VECTOR;

	if (val->kind != (bytes ? VALUE_BYTES : VALUE_TEXT)) {
		*ret_reason = not_this_kind;
		return NULL;
	}
	if (type == COLUMN_GEOMETRY)
		return encode_geometry(val, at, ret_reason);
	if (type == COLUMN_VECTOR)
		return encode_vector(val, at, ret_reason);
	if (type == COLUMN_TIMETZ)
		return encode_timetz(val, at);
	/* Beside `exact` (a row's column) an interval is a number; a key and an array's item carry the text itself. */
	if (type == COLUMN_INTERVAL && !plan->in_key && plan->type != COLUMN_ARRAY)
		return avro_put_long(at, interval_approximate_us(val->text.ptr, val->text.len));
	return avro_put_bytes(at, val->text.ptr, val->text.len);
}

static unsigned char *encode_scalar(const struct column_plan *plan, enum column_type type, const struct value *val,
	unsigned char *at, const char **ret_reason)
{
	enum value_kind wanted;

	switch (type) {
	case COLUMN_INT16:
	case COLUMN_INT32:
	case COLUMN_INT64:
	case COLUMN_DATE:
	case COLUMN_TIME:
	case COLUMN_TIMESTAMP:
	case COLUMN_TIMESTAMPTZ:
	case COLUMN_YEAR:
	case COLUMN_DURATION:
		return encode_integer(plan, type, val, at, ret_reason);
	case COLUMN_STRING:
	case COLUMN_BYTES:
	case COLUMN_JSON:
	case COLUMN_XML:
	case COLUMN_UUID:
	case COLUMN_ENUM:
	case COLUMN_TIMETZ:
	case COLUMN_INTERVAL:
	case COLUMN_SET:
	case COLUMN_GEOMETRY:
	case COLUMN_VECTOR:
		return encode_text(plan, type, val, at, ret_reason);
	case COLUMN_DECIMAL:
		return encode_decimal(plan, val, at, ret_reason);
	case COLUMN_BOOL:
		wanted = VALUE_BOOL;
		break;
	case COLUMN_UINT64:
	case COLUMN_BITS:
		wanted = VALUE_UINT;
		break;
	default:
		wanted = VALUE_FLOAT;
		break;
	}
	if (val->kind != wanted) {
		*ret_reason = not_this_kind;
		return NULL;
	}
	if (wanted == VALUE_BOOL) {
		*at = val->b;
		return at + 1;
	}
	if (wanted == VALUE_UINT)
		return type == COLUMN_BITS ? encode_bits(plan, val, at, ret_reason) : encode_uint64(val, at);
	return type == COLUMN_FLOAT32 ? avro_put_float(at, (float)val->f) : avro_put_double(at, val->f);
}

static unsigned char *encode_array(const struct column_plan *plan, const struct value *val, unsigned char *at,
	const char **ret_reason)
{
	if (val->array.count > 0)
		at = avro_put_long(at, (int64_t)val->array.count);
	for (size_t i = 0; i < val->array.count; i++) {
		const struct value *item = &val->array.items[i];

		if (item->kind == VALUE_NULL) {
			at = avro_put_branch(at, 0);
			continue;
		}
		at = encode_scalar(plan, plan->element_type, item, avro_put_branch(at, 1), ret_reason);
		if (at == NULL)
			return NULL;
	}
	return avro_put_long(at, 0);
}

unsigned char *encode_value(const struct column_plan *plan, const struct value *val, unsigned char *at,
	const char **ret_reason)
{
	if (val->kind == VALUE_EXACT && plan->in_key)
		return encode_exact_key(plan, val, at, ret_reason);
	if (plan->type != COLUMN_ARRAY)
		return encode_scalar(plan, plan->type, val, at, ret_reason);
	if (val->kind == VALUE_ARRAY)
		return encode_array(plan, val, at, ret_reason);
	*ret_reason = not_this_kind;
	return NULL;
}
