/*
 * decode_value.c: see decode_value.h. The counterpart of encode_value.c; also reads what only other writers use
 * (fixed, enum).
 */
#include "lib/codec/decode_value.h"

#include <string.h>

#include "lib/codec/decimal.h"
#include "lib/codec/iso_time.h"
#include "lib/codec/partial_date.h"

const char decode_malformed[] = "is malformed or ends too early";
const char decode_no_memory[] = "needs more memory than a piece of work may have";
static const char out_of_range[] = "has a number out of its type's range";

static bool refuse(const char **ret_reason, const char *reason)
{
	*ret_reason = reason;
	return false;
}

static void set_text(struct value *val, enum value_kind kind, const char *text, size_t len)
{
	val->kind = kind;
	val->text.ptr = text;
	val->text.len = len;
}

static bool decode_decimal(const char *bytes, size_t len, int64_t scale, struct arena *arena, struct value *ret_value,
	const char **ret_reason)
{
	size_t bound;
	char *text;

	if (scale < -DECIMAL_SCALE_MAX || scale > DECIMAL_SCALE_MAX)
		return refuse(ret_reason, out_of_range);
	bound = decimal_text_bound(len, (int)scale);
	if (bound == 0)
		return refuse(ret_reason, "has a number longer than any that is allowed");
	text = arena_alloc(arena, bound);
	if (text == NULL)
		return refuse(ret_reason, decode_no_memory);
	set_text(ret_value, VALUE_TEXT, text, decimal_decode((const unsigned char *)bytes, len, (int)scale, text));
	return true;
}

static bool decode_uint64(const char *bytes, size_t len, struct value *ret_value, const char **ret_reason)
{
	uint64_t number = 0;

	for (size_t i = 0; i < len; i++) {
		if (number >> 56 != 0 || (i == 0 && (unsigned char)bytes[i] >= 0x80))
			return refuse(ret_reason, out_of_range);
		number = number << 8 | (unsigned char)bytes[i];
	}
	ret_value->kind = VALUE_UINT;
	ret_value->u = number;
	return true;
}

/* A date of MySQL that is none, in a key. *ret_found: it is one. */
static bool decode_partial_date(const struct column_reader *reader, int64_t number, struct arena *arena,
	struct value *ret_value, bool *ret_found, const char **ret_reason)
{
	enum column_type type = reader->op == READ_DATE ? COLUMN_DATE : COLUMN_TIMESTAMP;
	char text[PARTIAL_DATE_TEXT_MAX];
	size_t len = partial_date_text(number, type, reader->fraction, text);
	const char *copy;

	*ret_found = len > 0;
	if (len == 0)
		return true;
	copy = arena_strndup(arena, text, len);
	if (copy == NULL)
		return refuse(ret_reason, decode_no_memory);
	set_text(ret_value, VALUE_EXACT, copy, len);
	return true;
}

/* Dates and times. The ends of the type stand for infinity in a key, and numbers near the lower one for partial dates. */
static bool decode_time(struct avro_reader *in, const struct column_reader *reader, struct arena *arena,
	struct value *ret_value, const char **ret_reason)
{
	bool is_int = reader->op == READ_DATE || reader->op == READ_MILLI_INT, found;
	int64_t number = 0;

	if (!(is_int ? avro_get_int(in, &number) : avro_get_long(in, &number)))
		return refuse(ret_reason, decode_malformed);
	if (reader->in_key && reader->op != READ_MILLI_INT) {
		if (number == (is_int ? INT32_MAX : INT64_MAX)) {
			set_text(ret_value, VALUE_EXACT, "infinity", 8);
			return true;
		}
		if (number == (is_int ? INT32_MIN : INT64_MIN)) {
			set_text(ret_value, VALUE_EXACT, "-infinity", 9);
			return true;
		}
		if (!decode_partial_date(reader, number, arena, ret_value, &found, ret_reason))
			return false;
		if (found)
			return true;
	}
	if ((reader->op == READ_MILLI || reader->op == READ_MILLI_INT) && __builtin_mul_overflow(number, 1000, &number))
		return refuse(ret_reason, out_of_range);
	ret_value->kind = VALUE_INT;
	ret_value->i = number;
	return true;
}

static bool decode_integer(struct avro_reader *in, const struct column_reader *reader, struct value *ret_value,
	const char **ret_reason)
{
	int64_t number = 0;

	if (!avro_get_long(in, &number))
		return refuse(ret_reason, decode_malformed);
	if ((reader->op == READ_INT16 && (number < INT16_MIN || number > INT16_MAX)) ||
		(reader->op == READ_INT32 && (number < INT32_MIN || number > INT32_MAX)))
		return refuse(ret_reason, out_of_range);
	ret_value->kind = VALUE_INT;
	ret_value->i = number;
	return true;
}

static bool decode_float(struct avro_reader *in, const struct column_reader *reader, struct value *ret_value,
	const char **ret_reason)
{
	ret_value->kind = VALUE_FLOAT;
	if (reader->op == READ_FLOAT ? avro_get_float(in, &ret_value->f) : avro_get_double(in, &ret_value->f))
		return true;
	return refuse(ret_reason, decode_malformed);
}

static bool decode_instant(const struct column_reader *reader, const char *text, size_t len, struct value *ret_value,
	const char **ret_reason)
{
	int64_t us = 0;

	if (iso_time_parse(text, len, &us)) {
		ret_value->kind = VALUE_INT;
		ret_value->i = us;
		return true;
	}
	if (!reader->in_key)
		return refuse(ret_reason, "has an instant that is not written in ISO 8601");
	set_text(ret_value, VALUE_EXACT, text, len);
	return true;
}

/* "+02:00" -> "+02", as PostgreSQL writes it. */
static void decode_timetz(const char *text, size_t len, struct value *ret_value)
{
	if (len > 6 && memcmp(text + len - 3, ":00", 3) == 0 && (text[len - 6] == '+' || text[len - 6] == '-'))
		len -= 3;
	set_text(ret_value, VALUE_TEXT, text, len);
}

static bool decode_bits(const char *bytes, size_t len, struct value *ret_value, const char **ret_reason)
{
	uint64_t bits = 0;

	if (len > sizeof bits)
		return refuse(ret_reason, out_of_range);
	for (size_t i = 0; i < len; i++)
		bits |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
	ret_value->kind = VALUE_UINT;
	ret_value->u = bits;
	return true;
}

/* {wkb, srid} -> SRID and WKB, as the servers store it. */
static bool decode_geometry(struct avro_reader *in, struct arena *arena, struct value *ret_value,
	const char **ret_reason)
{
	int64_t branch = 0, number = 0;
	const char *wkb;
	uint32_t srid;
	size_t len;
	char *bytes;

	if (!avro_get_bytes(in, &wkb, &len) || !avro_get_long(in, &branch) || branch < 0 || branch > 1 ||
		(branch == 1 && !avro_get_int(in, &number)))
		return refuse(ret_reason, decode_malformed);
	bytes = arena_alloc(arena, sizeof srid + len);
	if (bytes == NULL)
		return refuse(ret_reason, decode_no_memory);
	srid = htole32((uint32_t)number);
	memcpy(bytes, &srid, sizeof srid);
	if (len > 0)
		memcpy(bytes + sizeof srid, wkb, len);
	set_text(ret_value, VALUE_BYTES, bytes, sizeof srid + len);
	return true;
}

/* Floats are the same four bytes here and there. Ours are one block and stay in the message. */
static bool decode_vector(struct avro_reader *in, struct arena *arena, struct value *ret_value, const char **ret_reason)
{
	const unsigned char *raw, *bytes = (const unsigned char *)"";
	size_t len = 0, count;

	for (;;) {
		unsigned char *joined;

		if (!avro_get_block(in, &count))
			return refuse(ret_reason, decode_malformed);
		if (count == 0)
			break;
		if (!avro_get_raw(in, count * sizeof(float), &raw))
			return refuse(ret_reason, decode_malformed);
		if (len == 0) {
			bytes = raw;
			len = count * sizeof(float);
			continue;
		}
		joined = arena_alloc(arena, len + count * sizeof(float));
		if (joined == NULL)
			return refuse(ret_reason, decode_no_memory);
		memcpy(joined, bytes, len);
		memcpy(joined + len, raw, count * sizeof(float));
		bytes = joined;
		len += count * sizeof(float);
	}
	set_text(ret_value, VALUE_BYTES, (const char *)bytes, len);
	return true;
}

static bool decode_bit(struct avro_reader *in, struct value *ret_value, const char **ret_reason)
{
	bool bit = false;

	if (!avro_get_bool(in, &bit))
		return refuse(ret_reason, decode_malformed);
	ret_value->kind = VALUE_UINT;
	ret_value->u = bit;
	return true;
}

/* Everything that is a length and bytes in Avro. */
static bool decode_bytes(struct avro_reader *in, const struct column_reader *reader, struct arena *arena,
	struct value *ret_value, const char **ret_reason)
{
	const char *bytes;
	size_t len;

	if (!avro_get_bytes(in, &bytes, &len))
		return refuse(ret_reason, decode_malformed);
	switch (reader->op) {
	case READ_DECIMAL:
		return decode_decimal(bytes, len, reader->scale, arena, ret_value, ret_reason);
	case READ_UINT64:
		return decode_uint64(bytes, len, ret_value, ret_reason);
	case READ_INSTANT:
		return decode_instant(reader, bytes, len, ret_value, ret_reason);
	case READ_TIMETZ:
		decode_timetz(bytes, len, ret_value);
		return true;
	case READ_BITS:
		return decode_bits(bytes, len, ret_value, ret_reason);
	default:
		if (len == 0 && reader->empty_is_exact)
			set_text(ret_value, VALUE_EXACT, bytes, 0);
		else
			set_text(ret_value, reader->op == READ_BYTES ? VALUE_BYTES : VALUE_TEXT, bytes, len);
		return true;
	}
}

static bool decode_fixed(struct avro_reader *in, const struct column_reader *reader, struct arena *arena,
	struct value *ret_value, const char **ret_reason)
{
	const unsigned char *bytes;

	if (!avro_get_raw(in, reader->type->count, &bytes))
		return refuse(ret_reason, decode_malformed);
	if (reader->op == READ_DECIMAL_FIXED)
		return decode_decimal((const char *)bytes, reader->type->count, reader->scale, arena, ret_value, ret_reason);
	set_text(ret_value, VALUE_BYTES, (const char *)bytes, reader->type->count);
	return true;
}

/* Room for one more item: arrays come in blocks, ours in a single one. */
static struct value *grow_items(struct arena *arena, struct value *items, size_t count, size_t more, size_t *size)
{
	struct value *grown;

	if (more <= *size - count)
		return items;
	*size = count + more > 2 * count ? count + more : 2 * count;
	grown = arena_alloc(arena, *size * sizeof *grown);
	if (grown != NULL && count > 0)
		memcpy(grown, items, count * sizeof *grown);
	return grown;
}

static bool decode_array(struct avro_reader *in, const struct column_reader *reader, struct arena *arena,
	struct value *ret_value, const char **ret_reason)
{
	struct value *items = NULL;
	size_t count = 0, size = 0, more;

	for (;;) {
		if (!avro_get_block(in, &more))
			return refuse(ret_reason, decode_malformed);
		if (more == 0)
			break;
		items = grow_items(arena, items, count, more, &size);
		if (items == NULL)
			return refuse(ret_reason, decode_no_memory);
		for (; more > 0; more--)
			if (!decode_value(in, reader->element, arena, &items[count++], ret_reason))
				return false;
	}
	ret_value->kind = VALUE_ARRAY;
	ret_value->array.items = items;
	ret_value->array.count = count;
	return true;
}

static bool decode_enum(struct avro_reader *in, const struct column_reader *reader, struct value *ret_value,
	const char **ret_reason)
{
	int64_t symbol = 0;

	if (!avro_get_int(in, &symbol) || symbol < 0 || (uint64_t)symbol >= reader->type->count)
		return refuse(ret_reason, decode_malformed);
	set_text(ret_value, VALUE_TEXT, reader->type->names[symbol], strlen(reader->type->names[symbol]));
	return true;
}

static bool decode_variable(struct avro_reader *in, struct arena *arena, struct value *ret_value,
	const char **ret_reason)
{
	const char *bytes;
	int64_t scale = 0;
	size_t len;

	if (!avro_get_int(in, &scale) || !avro_get_bytes(in, &bytes, &len))
		return refuse(ret_reason, decode_malformed);
	return decode_decimal(bytes, len, scale, arena, ret_value, ret_reason);
}

bool decode_value(struct avro_reader *in, const struct column_reader *reader, struct arena *arena,
	struct value *ret_value, const char **ret_reason)
{
	if (reader->null_branch >= 0) {
		int64_t branch = 0;

		if (!avro_get_long(in, &branch) || branch < 0 || branch > 1)
			return refuse(ret_reason, decode_malformed);
		if (branch == reader->null_branch) {
			ret_value->kind = VALUE_NULL;
			return true;
		}
	}
	switch (reader->op) {
	case READ_BOOL:
		ret_value->kind = VALUE_BOOL;
		return avro_get_bool(in, &ret_value->b) || refuse(ret_reason, decode_malformed);
	case READ_INT16:
	case READ_INT32:
	case READ_INT64:
	case READ_DURATION:
		return decode_integer(in, reader, ret_value, ret_reason);
	case READ_DATE:
	case READ_MILLI_INT:
	case READ_MILLI:
	case READ_MICRO:
		return decode_time(in, reader, arena, ret_value, ret_reason);
	case READ_FLOAT:
	case READ_DOUBLE:
		return decode_float(in, reader, ret_value, ret_reason);
	case READ_FIXED:
	case READ_DECIMAL_FIXED:
		return decode_fixed(in, reader, arena, ret_value, ret_reason);
	case READ_ENUM:
		return decode_enum(in, reader, ret_value, ret_reason);
	case READ_BIT:
		return decode_bit(in, ret_value, ret_reason);
	case READ_GEOMETRY:
		return decode_geometry(in, arena, ret_value, ret_reason);
	case READ_VECTOR:
		return decode_vector(in, arena, ret_value, ret_reason);
	case READ_DECIMAL_VARIABLE:
		return decode_variable(in, arena, ret_value, ret_reason);
	case READ_ARRAY:
		return decode_array(in, reader, arena, ret_value, ret_reason);
	default:
		return decode_bytes(in, reader, arena, ret_value, ret_reason);
	}
}
