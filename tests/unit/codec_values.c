/*
 * codec_values.c: every type of column there and back: as a row's column and, where it may be one, as a key. Each
 * message is also read by avro-c, an implementation that knows nothing of ours, and compared with the values that
 * went in.
 */
#include <avro.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/codec/avro.h"
#include "tests/unit/codec_support.h"

static const char *const enum_labels[] = { "home", "work" };
static const char *const odd_labels[] = { "a,b", "", " c \"d\"" };

struct value_case {
	struct column column;
	struct value value;
	const char *back; /* the text that comes back, where it is another one */
	bool not_a_key;   /* the value cannot be carried in a key */
};

#define ITEMS(...) { .kind = VALUE_ARRAY, .array = { (const struct value[]){ __VA_ARGS__ }, \
	sizeof((const struct value[]){ __VA_ARGS__ }) / sizeof(struct value) } }
#define NO_ITEMS { .kind = VALUE_ARRAY, .array = { NULL, 0 } }
#define C_DECIMAL(p, s) { .type = COLUMN_DECIMAL, .precision = (p), .scale = (s), .source_type = "numeric" }
#define C_TIME(t, f) { .type = COLUMN_##t, .fraction = (f), .source_type = #t }
#define C_ARRAY(t) { .type = COLUMN_ARRAY, .element_type = COLUMN_##t, .source_type = #t "[]" }
#define C_BITS(n) { .type = COLUMN_BITS, .precision = (n), .source_type = "bit(" #n ")" }
#define C_ENUM(l, n) { .type = COLUMN_ENUM, .source_type = "enum", .labels = (l), .label_count = (n) }
#define C_SET(l, n) { .type = COLUMN_SET, .source_type = "set", .labels = (l), .label_count = (n) }
#define C_TYPE(t) { .type = COLUMN_##t, .source_type = #t }

#define NINES_38 "99999999999999999999999999999999999999"
#define NINES_200 NINES_38 NINES_38 NINES_38 NINES_38 NINES_38 "9999999999"

/* POINT(1 1), little endian */
#define POINT_WKB "\1\1\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\xf0\x3f"

static const struct value_case cases[] = {
	{ C_TYPE(BOOL), BOOL_VALUE(true), NULL, false },
	{ C_TYPE(BOOL), BOOL_VALUE(false), NULL, false },
	{ C_TYPE(INT16), INT_VALUE(INT16_MIN), NULL, false },
	{ C_TYPE(INT16), INT_VALUE(INT16_MAX), NULL, false },
	{ C_TYPE(INT32), INT_VALUE(INT32_MIN), NULL, false },
	{ C_TYPE(INT32), INT_VALUE(INT32_MAX), NULL, false },
	{ C_TYPE(INT64), INT_VALUE(INT64_MIN), NULL, false },
	{ C_TYPE(INT64), INT_VALUE(INT64_MAX), NULL, false },
	{ C_TYPE(INT64), INT_VALUE(0), NULL, false },
	{ C_TYPE(UINT64), { .kind = VALUE_UINT, .u = 0 }, NULL, false },
	{ C_TYPE(UINT64), { .kind = VALUE_UINT, .u = 127 }, NULL, false },
	{ C_TYPE(UINT64), { .kind = VALUE_UINT, .u = 128 }, NULL, false },
	{ C_TYPE(UINT64), { .kind = VALUE_UINT, .u = INT64_MAX }, NULL, false },
	{ C_TYPE(UINT64), { .kind = VALUE_UINT, .u = UINT64_MAX }, NULL, false },
	{ C_TYPE(FLOAT32), FLOAT_VALUE(0.5), NULL, false },
	{ C_TYPE(FLOAT32), FLOAT_VALUE(-__builtin_inf()), NULL, false },
	{ C_TYPE(FLOAT32), FLOAT_VALUE(__builtin_nan("")), NULL, false },
	{ C_TYPE(FLOAT64), FLOAT_VALUE(-0.0), NULL, false },
	{ C_TYPE(FLOAT64), FLOAT_VALUE(1.7976931348623157e308), NULL, false },
	{ C_TYPE(FLOAT64), FLOAT_VALUE(4.9406564584124654e-324), NULL, false },
	{ C_TYPE(FLOAT64), FLOAT_VALUE(__builtin_inf()), NULL, false },
	{ C_TYPE(FLOAT64), FLOAT_VALUE(__builtin_nan("")), NULL, false },
	{ C_DECIMAL(12, 2), TEXT_VALUE("0.00"), NULL, false },
	{ C_DECIMAL(12, 2), TEXT_VALUE("-0.00"), "0.00", false },
	{ C_DECIMAL(12, 2), TEXT_VALUE("1.27"), NULL, false },
	{ C_DECIMAL(12, 2), TEXT_VALUE("1.28"), NULL, false },
	{ C_DECIMAL(12, 2), TEXT_VALUE("-1.28"), NULL, false },
	{ C_DECIMAL(12, 2), TEXT_VALUE("-1.29"), NULL, false },
	{ C_DECIMAL(12, 2), TEXT_VALUE("-9999999999.99"), NULL, false },
	{ C_DECIMAL(12, 2), EXACT_VALUE("NaN"), NULL, true },
	{ C_DECIMAL(38, 0), TEXT_VALUE(NINES_38), NULL, false },
	{ C_DECIMAL(38, 38), TEXT_VALUE("-0." NINES_38), NULL, false },
	{ C_DECIMAL(200, 0), TEXT_VALUE("-" NINES_200), NULL, false },
	{ C_DECIMAL(3, 5), TEXT_VALUE("0.00123"), NULL, false },
	{ C_DECIMAL(2, -3), TEXT_VALUE("-99000"), NULL, false },
	{ C_DECIMAL(0, 0), TEXT_VALUE("12.3400"), NULL, false },
	{ C_DECIMAL(0, 0), TEXT_VALUE("-" NINES_200 "." NINES_200), NULL, false },
	{ C_DECIMAL(0, 0), TEXT_VALUE("0.000"), NULL, false },
	{ C_DECIMAL(0, 0), EXACT_VALUE("-Infinity"), NULL, true },
	{ C_TYPE(STRING), TEXT_VALUE(""), NULL, false },
	{ C_TYPE(STRING), TEXT_VALUE("Gr\303\274\303\237e \360\237\232\202"), NULL, false },
	{ C_TYPE(BYTES), BYTES_VALUE("\0\1\377"), NULL, false },
	{ C_TYPE(BYTES), BYTES_VALUE(""), NULL, false },
	{ C_TYPE(JSON), TEXT_VALUE("{\"a\": [1, null]}"), NULL, false },
	{ C_TYPE(XML), TEXT_VALUE("<a/>"), NULL, false },
	{ C_TYPE(UUID), TEXT_VALUE("6f1b0a3e-3f0e-4d0a-9f62-2f6a3c5b7d11"), NULL, false },
	{ { .type = COLUMN_ENUM, .source_type = "kind", .labels = enum_labels, .label_count = 2 }, TEXT_VALUE("work"), NULL, false },
	{ { .type = COLUMN_ENUM, .source_type = "odd", .labels = odd_labels, .label_count = 3 }, TEXT_VALUE("a,b"), NULL, false },
	{ { .type = COLUMN_ENUM, .source_type = "none" }, TEXT_VALUE("gone"), NULL, false },
	{ C_TYPE(DATE), INT_VALUE(-719162), NULL, false },
	{ C_TYPE(DATE), INT_VALUE(20454), NULL, false },
	{ C_TYPE(DATE), EXACT_VALUE("infinity"), NULL, false },
	{ C_TYPE(DATE), EXACT_VALUE("-infinity"), NULL, false },
	{ C_TYPE(DATE), EXACT_VALUE("0044-03-15 BC"), NULL, true },
	{ C_TIME(TIME, 0), INT_VALUE(86400000000), NULL, false },
	{ C_TIME(TIME, 3), INT_VALUE(86399999000), NULL, false },
	{ C_TIME(TIME, 6), INT_VALUE(86399999999), NULL, false },
	{ C_TIME(TIME, 4), INT_VALUE(100), NULL, false },
	{ C_TIME(TIMETZ, 6), TEXT_VALUE("12:34:56.789+02"), NULL, false },
	{ C_TIME(TIMETZ, 3), TEXT_VALUE("12:34:56-05:30"), NULL, false },
	{ C_TIME(TIMETZ, 0), TEXT_VALUE("12:34:56+01:02:03"), NULL, false },
	{ C_TIME(TIMETZ, 0), TEXT_VALUE("12:34:56+00"), NULL, false },
	{ C_TIME(TIMESTAMP, 3), INT_VALUE(-62135596800000000), NULL, false },
	{ C_TIME(TIMESTAMP, 0), INT_VALUE(253402300799000000), NULL, false },
	{ C_TIME(TIMESTAMP, 6), INT_VALUE(-62135596799999999), NULL, false },
	{ C_TIME(TIMESTAMP, 6), INT_VALUE(INT64_MAX - 1), NULL, false },
	{ C_TIME(TIMESTAMP, 6), EXACT_VALUE("infinity"), NULL, false },
	{ C_TIME(TIMESTAMP, 3), EXACT_VALUE("-infinity"), NULL, false },
	{ C_TIME(TIMESTAMP, 6), EXACT_VALUE("294276-12-31 23:59:59.999999"), NULL, true },
	{ C_TIME(TIMESTAMPTZ, 6), INT_VALUE(1767225600123456), NULL, false },
	{ C_TIME(TIMESTAMPTZ, 3), INT_VALUE(-1000), NULL, false },
	{ C_TIME(TIMESTAMPTZ, 6), INT_VALUE(-62135596800000000), NULL, false },
	{ C_TIME(TIMESTAMPTZ, 6), INT_VALUE(253402300799999999), NULL, false },
	{ C_TIME(TIMESTAMPTZ, 6), EXACT_VALUE("infinity"), NULL, false },
	{ C_TIME(TIMESTAMPTZ, 6), EXACT_VALUE("0044-03-15 12:00:00+00 BC"), NULL, false },
	{ C_TIME(INTERVAL, 6), TEXT_VALUE("1 year 2 mons -3 days +04:05:06.789"), NULL, false },
	{ C_TIME(INTERVAL, 0), TEXT_VALUE("-178000000 years"), NULL, false },
	{ C_ARRAY(INT32), NO_ITEMS, NULL, false },
	{ C_ARRAY(INT32), ITEMS(INT_VALUE(1), NULL_VALUE, INT_VALUE(-3)), NULL, false },
	{ C_ARRAY(STRING), ITEMS(TEXT_VALUE("a"), TEXT_VALUE(""), NULL_VALUE), NULL, false },
	{ C_ARRAY(BOOL), ITEMS(NULL_VALUE), NULL, false },
	{ C_ARRAY(UUID), ITEMS(TEXT_VALUE("6f1b0a3e-3f0e-4d0a-9f62-2f6a3c5b7d11")), NULL, false },
	{ C_ARRAY(BYTES), ITEMS(BYTES_VALUE("\0"), BYTES_VALUE("")), NULL, false },
	{ C_ARRAY(INTERVAL), ITEMS(TEXT_VALUE("1 mon"), NULL_VALUE), NULL, false },
	{ C_ARRAY(DECIMAL), ITEMS(TEXT_VALUE("1.50"), NULL_VALUE, TEXT_VALUE(NINES_200)), NULL, false },
	{ { .type = COLUMN_ARRAY, .element_type = COLUMN_DECIMAL, .precision = 5, .scale = 1, .source_type = "numeric(5,1)[]" },
		ITEMS(TEXT_VALUE("1.5"), TEXT_VALUE("-9999.9")), NULL, false },
	{ { .type = COLUMN_ARRAY, .element_type = COLUMN_TIMESTAMP, .fraction = 2, .source_type = "timestamp(2)[]" },
		ITEMS(INT_VALUE(1767225600120000)), NULL, false },
	{ { .type = COLUMN_ARRAY, .element_type = COLUMN_TIMESTAMPTZ, .fraction = 6, .source_type = "timestamptz[]" },
		ITEMS(INT_VALUE(1767225600123456), NULL_VALUE), NULL, false },
	{ { .type = COLUMN_ARRAY, .element_type = COLUMN_ENUM, .source_type = "kind[]", .labels = enum_labels, .label_count = 2 },
		ITEMS(TEXT_VALUE("home")), NULL, false },
	{ C_ARRAY(INT32), EXACT_VALUE("[0:1]={1,2}"), NULL, true },
	/* MySQL, MariaDB */
	{ C_BITS(1), UINT_VALUE(0), NULL, false },
	{ C_BITS(1), UINT_VALUE(1), NULL, false },
	{ C_BITS(2), UINT_VALUE(3), NULL, false },
	{ C_BITS(8), UINT_VALUE(0x80), NULL, false },
	{ C_BITS(9), UINT_VALUE(0x1ff), NULL, false },
	{ C_BITS(63), UINT_VALUE(INT64_MAX), NULL, false },
	{ C_BITS(64), UINT_VALUE(UINT64_MAX), NULL, false },
	{ C_BITS(64), UINT_VALUE(0), NULL, false },
	{ C_BITS(64), EXACT_VALUE("b'1'"), NULL, true },
	{ C_TYPE(YEAR), INT_VALUE(0), NULL, false },
	{ C_TYPE(YEAR), INT_VALUE(1901), NULL, false },
	{ C_TYPE(YEAR), INT_VALUE(2155), NULL, false },
	{ C_TYPE(YEAR), EXACT_VALUE("70"), NULL, true },
	{ C_SET(enum_labels, 2), TEXT_VALUE(""), NULL, false },
	{ C_SET(enum_labels, 2), TEXT_VALUE("home,work"), NULL, false },
	{ C_SET(enum_labels, 2), EXACT_VALUE("4"), NULL, true },
	{ C_TIME(DURATION, 0), INT_VALUE(0), NULL, false },
	{ C_TIME(DURATION, 0), INT_VALUE(-3020399000000), NULL, false },
	{ C_TIME(DURATION, 3), INT_VALUE(-1000), NULL, false },
	{ C_TIME(DURATION, 6), INT_VALUE(3020399999999), NULL, false },
	{ C_TIME(DURATION, 6), INT_VALUE(-3020399999999), NULL, false },
	{ C_TIME(DURATION, 6), EXACT_VALUE("839:00:00"), NULL, true },
	{ C_TYPE(GEOMETRY), BYTES_VALUE("\0\0\0\0" POINT_WKB), NULL, false },
	{ C_TYPE(GEOMETRY), BYTES_VALUE("\xe6\x10\0\0" POINT_WKB), NULL, false },
	{ C_TYPE(GEOMETRY), BYTES_VALUE("\xff\xff\xff\xff"), NULL, false },
	{ C_TYPE(GEOMETRY), EXACT_VALUE("POINT(1 1)"), NULL, true },
	{ C_TYPE(VECTOR), BYTES_VALUE(""), NULL, false },
	{ C_TYPE(VECTOR), BYTES_VALUE("\0\0\x80\x3f\0\0\xc0\x7f\0\0\0\x80"), NULL, false },
	{ C_TYPE(VECTOR), EXACT_VALUE("[1]"), NULL, true },
	{ C_TYPE(INT32), EXACT_VALUE("x"), NULL, true },
	{ C_ENUM(enum_labels, 2), EXACT_VALUE(""), NULL, false },
	{ C_ENUM(odd_labels, 3), EXACT_VALUE(""), NULL, true },
	{ C_ENUM(odd_labels, 3), TEXT_VALUE(""), NULL, false },
	{ C_TYPE(DATE), EXACT_VALUE("0000-00-00"), NULL, false },
	{ C_TYPE(DATE), EXACT_VALUE("2026-02-31"), NULL, false },
	{ C_TYPE(DATE), EXACT_VALUE("9999-12-00"), NULL, false },
	{ C_TYPE(DATE), EXACT_VALUE("2026-13-01"), NULL, true },
	{ C_TYPE(DATE), EXACT_VALUE("2026-1-01"), NULL, true },
	{ C_TYPE(DATE), INT_VALUE(-719528), NULL, false },
	{ C_TIME(TIMESTAMP, 0), EXACT_VALUE("0000-00-00 00:00:00"), NULL, false },
	{ C_TIME(TIMESTAMP, 3), EXACT_VALUE("2026-00-10 23:59:59.999"), NULL, false },
	{ C_TIME(TIMESTAMP, 6), EXACT_VALUE("9999-12-00 23:59:59.999999"), NULL, false },
	{ C_TIME(TIMESTAMP, 6), EXACT_VALUE("0000-00-00 00:00:00"), NULL, true },
	{ C_TIME(TIMESTAMP, 0), EXACT_VALUE("0000-00-00 24:00:00"), NULL, true },
	{ C_TIME(TIMESTAMP, 0), EXACT_VALUE("0000-00-00T00:00:00"), NULL, true },
	{ C_TIME(TIMESTAMPTZ, 0), EXACT_VALUE("0000-00-00 00:00:00"), NULL, false },
};

/* ---- avro-c's view ---- */

/* Through a union, into its branch. */
static void enter_union(avro_value_t *value)
{
	avro_value_t branch = *value;

	if (avro_value_get_type(value) != AVRO_UNION)
		return;
	assert_int_equal(avro_value_get_current_branch(value, &branch), 0);
	*value = branch;
}

static void compare_text(avro_value_t *avro, const char *text, size_t len)
{
	const void *bytes = NULL;
	const char *got = NULL;
	size_t size = 0;

	if (avro_value_get_type(avro) == AVRO_STRING) {
		assert_int_equal(avro_value_get_string(avro, &got, &size), 0);
		assert_int_equal(size, len + 1);
		bytes = got;
	} else {
		assert_int_equal(avro_value_get_bytes(avro, &bytes, &size), 0);
		assert_int_equal(size, len);
	}
	assert_memory_equal(bytes, text, len);
}

static void compare_integer(const struct column *col, avro_value_t *avro, const struct value *value)
{
	bool is_time = col->type == COLUMN_TIME || col->type == COLUMN_TIMESTAMP;
	int64_t expected = is_time && col->fraction <= 3 ? value->i / 1000 : value->i, got = 0;
	int32_t small = 0;

	if (avro_value_get_type(avro) == AVRO_INT32) {
		assert_int_equal(avro_value_get_int(avro, &small), 0);
		got = small;
	} else {
		assert_int_equal(avro_value_get_long(avro, &got), 0);
	}
	assert_true(got == expected);
}

/* A number of at most 8 bytes, from avro-c's bytes, against the text's digits. */
static void compare_decimal(avro_value_t *avro, const struct value *value)
{
	const void *bytes = NULL;
	char digits[64] = "", expected[64] = "";
	int64_t number;
	size_t size = 0, len = 0;

	if (value->text.len > 18 || avro_value_get_type(avro) != AVRO_BYTES)
		return;
	assert_int_equal(avro_value_get_bytes(avro, &bytes, &size), 0);
	assert_in_range(size, 1, 8);
	number = ((const signed char *)bytes)[0];
	for (size_t i = 1; i < size; i++)
		number = (int64_t)((uint64_t)number << 8 | ((const unsigned char *)bytes)[i]);
	for (size_t i = 0; i < value->text.len; i++)
		if (value->text.ptr[i] != '.')
			expected[len++] = value->text.ptr[i];
	(void)snprintf(digits, sizeof digits, "%lld", (long long)number);
	assert_true(number == strtoll(expected, NULL, 10));
}

static void field_of(const avro_value_t *record, const char *name, avro_value_t *ret)
{
	assert_int_equal(avro_value_get_by_name(record, name, ret, NULL), 0);
	enter_union(ret);
}

static void compare_bits(const struct column *col, avro_value_t *avro, uint64_t bits)
{
	const void *bytes = NULL;
	uint64_t got = 0;
	size_t size = 0;
	int flag = 0;

	if (col->precision == 1) {
		assert_int_equal(avro_value_get_boolean(avro, &flag), 0);
		assert_int_equal(flag, bits);
		return;
	}
	assert_int_equal(avro_value_get_bytes(avro, &bytes, &size), 0);
	assert_int_equal(size, (col->precision + 7) / 8);
	memcpy(&got, bytes, size); /* little endian, as this machine */
	assert_true(le64toh(got) == bits);
}

static void compare_geometry(const avro_value_t *avro, const struct value *value)
{
	avro_value_t field;
	uint32_t srid;
	int32_t got = 0;

	memcpy(&srid, value->text.ptr, sizeof srid);
	field_of(avro, "wkb", &field);
	compare_text(&field, value->text.ptr + 4, value->text.len - 4);
	field_of(avro, "srid", &field);
	if (le32toh(srid) == 0) {
		assert_int_equal(avro_value_get_type(&field), AVRO_NULL);
		return;
	}
	assert_int_equal(avro_value_get_int(&field, &got), 0);
	assert_true((uint32_t)got == le32toh(srid));
}

static void compare_vector(const avro_value_t *avro, const struct value *value)
{
	avro_value_t item;
	size_t count = 0;

	assert_int_equal(avro_value_get_size(avro, &count), 0);
	assert_int_equal(count * sizeof(float), value->text.len);
	for (size_t i = 0; i < count; i++) {
		float got = 0;

		assert_int_equal(avro_value_get_by_index(avro, i, &item, NULL), 0);
		assert_int_equal(avro_value_get_float(&item, &got), 0);
		assert_memory_equal(&got, value->text.ptr + i * sizeof(float), sizeof got);
	}
}

static void compare(const struct column *col, avro_value_t avro, const struct value *value)
{
	double number = 0;
	float small = 0;
	int flag = 0;

	enter_union(&avro);
	if (value->kind == VALUE_NULL || value->kind == VALUE_EXACT || value->kind == VALUE_UNCHANGED) {
		assert_int_equal(avro_value_get_type(&avro), AVRO_NULL);
		return;
	}
	switch (value->kind) {
	case VALUE_BOOL:
		assert_int_equal(avro_value_get_boolean(&avro, &flag), 0);
		assert_int_equal(flag, value->b);
		break;
	case VALUE_INT:
		if (avro_value_get_type(&avro) != AVRO_STRING)
			compare_integer(col, &avro, value);
		break;
	case VALUE_FLOAT:
		if (col->type == COLUMN_FLOAT32) {
			assert_int_equal(avro_value_get_float(&avro, &small), 0);
			number = (double)small;
		} else {
			assert_int_equal(avro_value_get_double(&avro, &number), 0);
		}
		assert_memory_equal(&number, &value->f, sizeof number);
		break;
	case VALUE_TEXT:
	case VALUE_BYTES:
		if (col->type == COLUMN_GEOMETRY)
			compare_geometry(&avro, value);
		else if (col->type == COLUMN_VECTOR)
			compare_vector(&avro, value);
		else if (col->type == COLUMN_DECIMAL)
			compare_decimal(&avro, value);
		else if (col->type != COLUMN_TIMETZ && col->type != COLUMN_INTERVAL)
			compare_text(&avro, value->text.ptr, value->text.len);
		break;
	case VALUE_UINT:
		if (col->type == COLUMN_BITS)
			compare_bits(col, &avro, value->u);
		break;
	default:
		break;
	}
}

/* Reads the message with avro-c and its schema and compares the row after, and what surrounds it. */
static void check_with_avro(struct codec_pair *pair, const struct table *table, const struct value *row)
{
	const unsigned char *bytes = (const unsigned char *)pair->value.data;
	int32_t id = (int32_t)((uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 | bytes[4]);
	const char *text = fake_schemas_text(&pair->fake, id);
	avro_schema_t schema;
	avro_value_iface_t *iface;
	avro_value_t value, part, field;
	avro_reader_t reader;
	int64_t number = 0;

	assert_int_equal(bytes[0], 0);
	assert_non_null(text);
	if (avro_schema_from_json_length(text, strlen(text), &schema) != 0)
		fail_msg("avro-c refuses the schema: %s\n%s", avro_strerror(), text);
	iface = avro_generic_class_from_schema(schema);
	assert_int_equal(avro_generic_value_new(iface, &value), 0);
	reader = avro_reader_memory(pair->value.data + AVRO_WIRE_HEADER, (int64_t)(pair->value.len - AVRO_WIRE_HEADER));
	if (avro_value_read(reader, &value) != 0)
		fail_msg("avro-c cannot read the message: %s", avro_strerror());
	assert_int_not_equal(avro_skip(reader, 1), 0); /* nothing is left */

	field_of(&value, "after", &part);
	for (size_t i = 0; i < table->column_count; i++) {
		assert_int_equal(avro_value_get_by_index(&part, i, &field, NULL), 0);
		compare(&table->columns[i], field, &row[i]);
	}
	field_of(&value, "op", &field);
	compare_text(&field, "c", 1);
	field_of(&value, "transaction", &part);
	field_of(&part, "id", &field);
	compare_text(&field, codec_txn.id, strlen(codec_txn.id));
	field_of(&part, "total_order", &field);
	assert_int_equal(avro_value_get_long(&field, &number), 0);
	assert_int_equal(number, 3);
	field_of(&value, "source", &part);
	field_of(&part, "sequence", &field);
	compare_text(&field, "[\"23450000\",\"23456700\"]", 23);
	field_of(&part, "ts_us", &field);
	assert_int_equal(avro_value_get_long(&field, &number), 0);
	assert_true(number == codec_txn.commit_us);

	avro_reader_free(reader);
	avro_value_decref(&value);
	avro_value_iface_decref(iface);
	avro_schema_decref(schema);
}

/* ---- there and back ---- */

static void same_value(const struct value *got, const struct value *expected, const char *what)
{
	if (!value_equal(got, expected))
		fail_msg("%s: kind %d became %d, \"%.*s\"", what, expected->kind, got->kind,
			got->kind >= VALUE_TEXT && got->kind != VALUE_ARRAY ? (int)got->text.len : 0,
			got->kind >= VALUE_TEXT && got->kind != VALUE_ARRAY ? got->text.ptr : "");
}

static void same_column(const struct column *got, const struct column *expected)
{
	assert_string_equal(got->name, expected->name);
	assert_int_equal(got->type, expected->type);
	if (expected->type == COLUMN_ARRAY)
		assert_int_equal(got->element_type, expected->element_type);
	assert_int_equal(got->precision, expected->precision);
	assert_int_equal(got->scale, expected->scale);
	assert_int_equal(got->fraction, expected->fraction);
	assert_int_equal(got->key, expected->key);
	assert_string_equal(got->source_type, expected->source_type);
	assert_int_equal(got->label_count, expected->label_count);
	for (size_t i = 0; i < expected->label_count; i++)
		assert_string_equal(got->labels[i], expected->labels[i]);
}

static void same_table(const struct table *got, const struct table *expected)
{
	assert_string_equal(got->schema, expected->schema);
	assert_string_equal(got->name, expected->name);
	assert_int_equal(got->identity, expected->identity);
	assert_int_equal(got->column_count, expected->column_count);
	assert_int_equal(got->key_count, expected->key_count);
	for (size_t i = 0; i < expected->key_count; i++)
		assert_int_equal(got->key[i], expected->key[i]);
	for (size_t i = 0; i < expected->column_count; i++)
		same_column(&got->columns[i], &expected->columns[i]);
}

/* An insert of row; the rows must come back as `expected`. */
static void round_trip(struct codec_pair *pair, const struct table *table, const struct value *row,
	const struct value *expected)
{
	struct change chg = { .op = CHANGE_INSERT, .table = table, .after = row, .lsn = 23456700, .index = 3, .table_index = 2 };
	struct encoder_table *et = NULL;
	struct event event;
	void *copy;

	expect_ok(encoder_table_new(pair->encoder, table, &et, &pair->err), &pair->err);
	expect_ok(codec_encode(pair, et, &chg), &pair->err);
	check_with_avro(pair, table, row);
	copy = codec_copy(pair->value.data, pair->value.len);
	arena_reset(&pair->arena);
	expect_ok(decoder_event(pair->decoder, pair->key.data, pair->key.len, copy, pair->value.len, &pair->arena, &event,
			  &pair->err), &pair->err);
	same_table(event.change.table, table);
	assert_null(event.change.before);
	assert_int_equal(event.change.op, CHANGE_INSERT);
	for (size_t i = 0; i < table->column_count; i++)
		same_value(&event.change.after[i], &expected[i], table->columns[i].source_type);
	if (table->key_count > 0) {
		struct value *from_key = calloc(table->column_count, sizeof *from_key);
		void *key = codec_copy(pair->key.data, pair->key.len);

		assert_non_null(from_key);
		expect_ok(decoder_key(pair->decoder, event.change.table, key, pair->key.len, &pair->arena, from_key, &pair->err),
			&pair->err);
		for (size_t i = 0; i < table->column_count; i++) {
			const struct value null = NULL_VALUE;

			same_value(&from_key[i], table->columns[i].key ? &expected[i] : &null, "key");
		}
		free(key);
		free(from_key);
	}
	free(copy);
	encoder_table_free(et);
}

static void run_case(struct codec_pair *pair, const struct value_case *test, const char *name)
{
	struct column columns[] = { { .name = "id", .type = COLUMN_INT32, .key = true, .source_type = "integer" },
		test->column, test->column };
	const struct value null = NULL_VALUE;
	size_t keys[] = { 0, 1 };
	struct table table = { .schema = "public", .columns = columns, .column_count = 3, .key = keys, .key_count = 1,
		.identity = IDENTITY_KEY };
	struct value row[3] = { INT_VALUE(7), test->value, null }, expected[3] = { INT_VALUE(7), test->value, null };
	struct buf key;

	if (test->back != NULL) {
		expected[1].text.ptr = test->back;
		expected[1].text.len = strlen(test->back);
	}
	columns[1].name = "Wert #1";
	columns[2].name = "v2";
	table.name = name;
	round_trip(pair, &table, row, expected);
	columns[1].key = true;
	table.key_count = 2;
	if (test->not_a_key) {
		struct encoder_table *et = NULL;

		expect_ok(encoder_table_new(pair->encoder, &table, &et, &pair->err), &pair->err);
		buf_init(&key, 4096);
		assert_int_equal(encoder_key(et, row, &key, &pair->err), -1);
		assert_int_equal(pair->err.class, ERROR_DATA);
		assert_int_equal(key.len, 0);
		buf_release(&key);
		encoder_table_free(et);
		return;
	}
	round_trip(pair, &table, row, expected);
}

static void test_types(void **state)
{
	struct codec_pair pair;
	char name[32];

	codec_pair_open(&pair);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		(void)snprintf(name, sizeof name, "case %zu", i);
		run_case(&pair, &cases[i], name);
	}
	codec_pair_close(&pair);
}

static void test_all_types_in_one_row(void **state)
{
	size_t count = sizeof cases / sizeof cases[0];
	struct column *columns = calloc(count, sizeof *columns);
	struct value *row = calloc(count, sizeof *row), *expected = calloc(count, sizeof *expected);
	char(*names)[32] = calloc(count, sizeof *names);
	struct table table = { .schema = "public", .name = "all", .columns = columns, .column_count = count,
		.identity = IDENTITY_FULL };
	struct codec_pair pair;

	codec_pair_open(&pair);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof names[i], "c%zu", i);
		columns[i] = cases[i].column;
		columns[i].name = names[i];
		row[i] = expected[i] = cases[i].value;
		if (cases[i].back != NULL) {
			expected[i].text.ptr = cases[i].back;
			expected[i].text.len = strlen(cases[i].back);
		}
	}
	round_trip(&pair, &table, row, expected);
	codec_pair_close(&pair);
	free(columns);
	free(row);
	free(expected);
	free(names);
}

static void test_customer(void **state)
{
	struct codec_pair pair;

	codec_pair_open(&pair);
	round_trip(&pair, &customer_table, customer_row, customer_row);
	codec_pair_close(&pair);
}

/* What a source's decoder may never give is refused, and nothing is left in the buffer. */
static void test_misfits(void **state)
{
	const struct value_case misfits[] = {
		{ C_TYPE(INT16), INT_VALUE(INT16_MAX + 1), NULL, false },
		{ C_TYPE(INT32), INT_VALUE((int64_t)INT32_MIN - 1), NULL, false },
		{ C_TYPE(INT64), TEXT_VALUE("1"), NULL, false },
		{ C_TYPE(DATE), INT_VALUE(INT32_MAX), NULL, false },
		{ C_TIME(TIME, 3), INT_VALUE(1), NULL, false },
		{ C_TIME(TIMESTAMP, 3), INT_VALUE(1), NULL, false },
		{ C_TIME(TIMESTAMP, 6), INT_VALUE(INT64_MAX), NULL, false },
		{ C_TIME(TIMESTAMPTZ, 6), INT_VALUE(253402300800000000), NULL, false },
		{ C_TIME(TIMESTAMPTZ, 6), INT_VALUE(-62135596800000001), NULL, false },
		{ C_DECIMAL(12, 2), TEXT_VALUE("1.234"), NULL, false },
		{ C_DECIMAL(4, 2), TEXT_VALUE("100.00"), NULL, false },
		{ C_DECIMAL(4, 2), TEXT_VALUE("NaN"), NULL, false },
		{ C_DECIMAL(4, 2), INT_VALUE(1), NULL, false },
		{ C_TYPE(STRING), BYTES_VALUE("x"), NULL, false },
		{ C_TYPE(BYTES), TEXT_VALUE("x"), NULL, false },
		{ C_TYPE(FLOAT64), INT_VALUE(1), NULL, false },
		{ C_TYPE(UINT64), INT_VALUE(1), NULL, false },
		{ C_ARRAY(INT32), INT_VALUE(1), NULL, false },
		{ C_ARRAY(INT32), ITEMS(EXACT_VALUE("1")), NULL, false },
		{ C_TYPE(INT32), ITEMS(INT_VALUE(1)), NULL, false },
		{ C_BITS(1), UINT_VALUE(2), NULL, false },
		{ C_BITS(9), UINT_VALUE(0x200), NULL, false },
		{ C_BITS(9), INT_VALUE(1), NULL, false },
		{ C_TYPE(YEAR), INT_VALUE(1900), NULL, false },
		{ C_TYPE(YEAR), INT_VALUE(2156), NULL, false },
		{ C_TIME(DURATION, 6), INT_VALUE(3020400000000), NULL, false },
		{ C_TIME(DURATION, 6), INT_VALUE(-3020400000000), NULL, false },
		{ C_SET(enum_labels, 2), UINT_VALUE(1), NULL, false },
		{ C_TYPE(GEOMETRY), BYTES_VALUE("\0\0\0"), NULL, false },
		{ C_TYPE(GEOMETRY), TEXT_VALUE("POINT(1 1)"), NULL, false },
		{ C_TYPE(VECTOR), BYTES_VALUE("\0\0\0\0\0"), NULL, false },
	};
	struct codec_pair pair;

	codec_pair_open(&pair);
	for (size_t i = 0; i < sizeof misfits / sizeof misfits[0]; i++) {
		struct column column = misfits[i].column;
		struct table table = { .schema = "public", .name = "t", .columns = &column, .column_count = 1 };
		struct change chg = { .op = CHANGE_INSERT, .table = &table, .after = &misfits[i].value };
		struct encoder_table *et = NULL;

		column.name = "v";
		expect_ok(encoder_table_new(pair.encoder, &table, &et, &pair.err), &pair.err);
		assert_int_equal(codec_encode(&pair, et, &chg), -1);
		assert_int_equal(pair.err.class, ERROR_BUG);
		assert_int_equal(pair.value.len, 0);
		assert_non_null(strstr(pair.err.text, "column \"v\" of table public.t"));
		encoder_table_free(et);
	}
	codec_pair_close(&pair);
}

static int source_number(avro_value_t *source, const char *name, int64_t *ret)
{
	avro_value_t field;

	field_of(source, name, &field);
	return avro_value_get_long(&field, ret);
}

/* The Source record of MySQL and MariaDB, in Debezium's order, as avro-c reads it, and what our decoder takes from it. */
static void check_source(const char *connector, const struct transaction *txn, const char *file)
{
	static const char *const order[] = { "version", "connector", "name", "ts_ms", "snapshot", "db", "sequence", "ts_us",
		"ts_ns", "table", "server_id", "gtid", "file", "pos", "row", "thread", "query" };
	const struct change chg = { .op = CHANGE_INSERT, .table = &customer_table, .after = customer_row, .lsn = 4567, .file = file,
		.row = 2, .index = 3, .table_index = 2 };
	struct encoder_table *et = NULL;
	avro_value_iface_t *iface;
	avro_value_t value, source, field;
	avro_schema_t schema;
	avro_reader_t reader;
	struct codec_pair pair;
	struct event event;
	const char *text, *name;
	int64_t number = 0;
	int32_t row = 0;
	size_t count = 0;

	codec_pair_open_for(&pair, connector);
	expect_ok(encoder_table_new(pair.encoder, &customer_table, &et, &pair.err), &pair.err);
	expect_ok(encoder_change(et, &chg, txn, CODEC_PREVIOUS, CODEC_NOW, &pair.value, &pair.err), &pair.err);
	text = fake_schemas_text(&pair.fake, fake_schemas_of(&pair.fake, "shop.public.customer-value"));
	assert_int_equal(avro_schema_from_json_length(text, strlen(text), &schema), 0);
	iface = avro_generic_class_from_schema(schema);
	assert_int_equal(avro_generic_value_new(iface, &value), 0);
	reader = avro_reader_memory(pair.value.data + AVRO_WIRE_HEADER, (int64_t)(pair.value.len - AVRO_WIRE_HEADER));
	assert_int_equal(avro_value_read(reader, &value), 0);
	assert_int_not_equal(avro_skip(reader, 1), 0);

	field_of(&value, "source", &source);
	assert_int_equal(avro_value_get_size(&source, &count), 0);
	assert_int_equal(count, sizeof order / sizeof order[0]);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(avro_value_get_by_index(&source, i, &field, &name), 0);
		assert_string_equal(name, order[i]);
	}
	field_of(&source, "connector", &field);
	compare_text(&field, connector, strlen(connector));
	field_of(&source, "db", &field);
	compare_text(&field, "public", 6);
	field_of(&source, "table", &field);
	compare_text(&field, "customer", 8);
	field_of(&source, "sequence", &field);
	assert_int_equal(avro_value_get_type(&field), AVRO_NULL);
	assert_int_equal(source_number(&source, "server_id", &number), 0);
	assert_true(number == (int64_t)txn->server_id);
	field_of(&source, "gtid", &field);
	if (txn->gtid[0] == '\0')
		assert_int_equal(avro_value_get_type(&field), AVRO_NULL);
	else
		compare_text(&field, txn->gtid, strlen(txn->gtid));
	field_of(&source, "file", &field);
	compare_text(&field, file == NULL ? "" : file, file == NULL ? 0 : strlen(file));
	assert_int_equal(source_number(&source, "pos", &number), 0);
	assert_int_equal(number, 4567);
	field_of(&source, "row", &field);
	assert_int_equal(avro_value_get_int(&field, &row), 0);
	assert_int_equal(row, 2);
	if (txn->thread == 0) {
		field_of(&source, "thread", &field);
		assert_int_equal(avro_value_get_type(&field), AVRO_NULL);
	} else {
		assert_int_equal(source_number(&source, "thread", &number), 0);
		assert_true(number == (int64_t)txn->thread);
	}

	expect_ok(decoder_event(pair.decoder, NULL, 0, pair.value.data, pair.value.len, &pair.arena, &event, &pair.err), &pair.err);
	same_table(event.change.table, &customer_table);
	assert_string_equal(event.transaction_id, txn->id);
	assert_true(event.commit == txn->commit && event.source_us == txn->commit_us);
	if (file == NULL) {
		assert_null(event.change.file);
	} else {
		assert_string_equal(event.change.file, file);
		assert_int_equal(event.change.lsn, 4567);
		assert_int_equal(event.change.row, 2);
	}
	avro_reader_free(reader);
	avro_value_decref(&value);
	avro_value_iface_decref(iface);
	avro_schema_decref(schema);
	encoder_table_free(et);
	codec_pair_close(&pair);
}

static void test_binlog_sources(void **state)
{
	struct transaction txn = { .id = "0-1-77:12", .commit = 12, .end = 13, .commit_us = 1767225600000000, .gtid = "0-1-77",
		.server_id = UINT32_MAX, .thread = 4711 };

	check_source("mariadb", &txn, "mariadb-bin.000003");
	(void)snprintf(txn.gtid, sizeof txn.gtid, "3e11fa47-71ca-11e1-9e33-c80aa9429562:%031d:%" PRIu64, 7, UINT64_MAX);
	(void)snprintf(txn.id, sizeof txn.id, "%s:%" PRIu64, txn.gtid, UINT64_MAX);
	txn.commit = UINT64_MAX;
	check_source("mysql", &txn, "binlog.999999");
	memset(txn.gtid, 'g', sizeof txn.gtid - 1);
	memset(txn.id, 'i', sizeof txn.id - 1);
	memcpy(txn.id + sizeof txn.id - 5, ":123", 4);
	txn.commit = 123;
	check_source("mysql", &txn, "binlog.999999");
	txn = (struct transaction){ .id = "mysql-bin.000001/4567:5", .commit = 5, .commit_us = 1 };
	check_source("mysql", &txn, NULL);
}

/* Two geometries in one table: the named record stands in the schema once. */
static void test_named_records_stand_once(void **state)
{
	static const struct column columns[] = {
		{ .name = "a", .type = COLUMN_GEOMETRY, .source_type = "point" },
		{ .name = "b", .type = COLUMN_GEOMETRY, .source_type = "polygon" },
		{ .name = "c", .type = COLUMN_DECIMAL, .source_type = "numeric" },
		{ .name = "d", .type = COLUMN_DECIMAL, .source_type = "numeric" },
	};
	static const struct value row[] = { BYTES_VALUE("\1\0\0\0" POINT_WKB), NULL_VALUE, TEXT_VALUE("1.5"), NULL_VALUE };
	static const struct table table = { .schema = "gis", .name = "two", .columns = columns, .column_count = 4,
		.identity = IDENTITY_FULL };
	struct codec_pair pair;
	const char *text;

	codec_pair_open(&pair);
	round_trip(&pair, &table, row, row);
	text = fake_schemas_text(&pair.fake, fake_schemas_of(&pair.fake, "shop.gis.two-value"));
	text = strstr(text, "\"name\":\"Geometry\"");
	assert_non_null(text);
	assert_null(strstr(text + 1, "\"name\":\"Geometry\""));
	codec_pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_all_types_in_one_row),
		cmocka_unit_test(test_customer),
		cmocka_unit_test(test_misfits),
		cmocka_unit_test(test_binlog_sources),
		cmocka_unit_test(test_named_records_stand_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
