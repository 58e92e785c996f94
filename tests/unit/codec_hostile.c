/*
 * codec_hostile.c: damaged messages. Cut at every byte, with every bit flipped, with random bytes: the decoder
 * gives an error of class data or a whole event, never reads beyond the message (run it under ASan), never takes
 * more memory than the arena has.
 */
#include <stdio.h>

#include "lib/codec/avro.h"
#include "tests/unit/codec_support.h"

#define ARENA_SMALL ((size_t)1 << 20)

static const struct value items[] = { TEXT_VALUE("1.5"), NULL_VALUE, TEXT_VALUE("-123456789012345678901234567890.12345") };
static const struct column columns[] = {
	{ .name = "id", .type = COLUMN_INT64, .key = true, .source_type = "bigint" },
	{ .name = "list", .type = COLUMN_ARRAY, .element_type = COLUMN_DECIMAL, .source_type = "numeric[]" },
	{ .name = "amount", .type = COLUMN_DECIMAL, .precision = 40, .scale = 4, .source_type = "numeric(40,4)" },
	{ .name = "seen", .type = COLUMN_TIMESTAMPTZ, .fraction = 6, .source_type = "timestamptz" },
	{ .name = "odd", .type = COLUMN_DATE, .source_type = "date" },
	{ .name = "same", .type = COLUMN_STRING, .source_type = "text" },
	{ .name = "lasts", .type = COLUMN_INTERVAL, .fraction = 6, .source_type = "interval" },
	{ .name = "ratio", .type = COLUMN_FLOAT64, .source_type = "double precision" },
	{ .name = "bit", .type = COLUMN_BITS, .precision = 1, .source_type = "bit(1)" },
	{ .name = "bits", .type = COLUMN_BITS, .precision = 64, .source_type = "bit(64)" },
	{ .name = "year", .type = COLUMN_YEAR, .source_type = "year" },
	{ .name = "set", .type = COLUMN_SET, .source_type = "set" },
	{ .name = "took", .type = COLUMN_DURATION, .fraction = 6, .source_type = "time(6)" },
	{ .name = "place", .type = COLUMN_GEOMETRY, .source_type = "point" },
	{ .name = "likes", .type = COLUMN_VECTOR, .source_type = "vector(3)" },
};
#define COLUMNS 15
static const size_t key[] = { 0 };
static const struct table table = { "public", "t", columns, COLUMNS, key, 1, IDENTITY_KEY, 0, 1, false };
static const struct value row[COLUMNS] = { INT_VALUE(300), { .kind = VALUE_ARRAY, .array = { items, 3 } },
	TEXT_VALUE("-999999999999999999999999999999999999.9999"), INT_VALUE(1767225600123456), EXACT_VALUE("infinity"),
	UNCHANGED_VALUE, TEXT_VALUE("1 mon"), FLOAT_VALUE(0.5), UINT_VALUE(1), UINT_VALUE(UINT64_MAX - 1), INT_VALUE(2026),
	TEXT_VALUE("a,b"), INT_VALUE(-1), BYTES_VALUE("\xe6\x10\0\0wkb"), BYTES_VALUE("\0\0\x80\x3f\0\0\0\xc0\0\0\0\0") };
static const struct value old_key[COLUMNS] = { INT_VALUE(299) };

/* Touches every byte that a value refers to. */
static size_t look_at(const struct value *val)
{
	size_t sum = val->kind;

	if (val->kind == VALUE_TEXT || val->kind == VALUE_BYTES || val->kind == VALUE_EXACT)
		for (size_t i = 0; i < val->text.len; i++)
			sum += (unsigned char)val->text.ptr[i];
	if (val->kind == VALUE_ARRAY)
		for (size_t i = 0; i < val->array.count; i++)
			sum += look_at(&val->array.items[i]);
	return sum;
}

static void decode(struct codec_pair *pair, const void *message, size_t len, unsigned *events)
{
	void *copy = codec_copy(message, len);
	struct event event;

	arena_reset(&pair->arena);
	error_clear(&pair->err);
	if (decoder_event(pair->decoder, pair->key.data, pair->key.len, copy, len, &pair->arena, &event, &pair->err) == 0) {
		const struct change *chg = &event.change;
		size_t sum = strlen(event.transaction_id);

		for (size_t i = 0; chg->before != NULL && i < chg->table->column_count; i++)
			sum += look_at(&chg->before[i]);
		for (size_t i = 0; chg->after != NULL && i < chg->table->column_count; i++)
			sum += look_at(&chg->after[i]);
		assert_true(sum < SIZE_MAX);
		(*events)++;
	} else {
		assert_int_equal(pair->err.class, ERROR_DATA);
		assert_true(pair->err.text[0] != '\0');
	}
	assert_true(pair->arena.held <= pair->arena.max);
	free(copy);
}

static void open_pair(struct codec_pair *pair, struct encoder_table **ret_et)
{
	const struct change chg = { CHANGE_UPDATE, &table, old_key, row, true, false, false, 23456750, NULL, 0, 2, 2 };

	codec_pair_open(pair);
	arena_release(&pair->arena);
	arena_init(&pair->arena, ARENA_SMALL);
	expect_ok(encoder_table_new(pair->encoder, &table, ret_et, &pair->err), &pair->err);
	expect_ok(codec_encode(pair, *ret_et, &chg), &pair->err);
}

static void close_pair(struct codec_pair *pair, struct encoder_table *et)
{
	encoder_table_free(et);
	codec_pair_close(pair);
}

static void test_cut(void **state)
{
	struct encoder_table *et = NULL;
	struct codec_pair pair;
	unsigned events = 0;

	open_pair(&pair, &et);
	for (size_t len = 0; len < pair.value.len; len++)
		decode(&pair, pair.value.data, len, &events);
	assert_int_equal(events, 0);
	decode(&pair, pair.value.data, pair.value.len, &events);
	assert_int_equal(events, 1);
	buf_append_byte(&pair.value, 0);
	decode(&pair, pair.value.data, pair.value.len, &events);
	assert_int_equal(events, 1);
	close_pair(&pair, et);
}

static void test_flipped_bits(void **state)
{
	struct encoder_table *et = NULL;
	struct codec_pair pair;
	unsigned events = 0;

	open_pair(&pair, &et);
	for (size_t bit = 0; bit < 8 * pair.value.len; bit++) {
		pair.value.data[bit / 8] ^= (char)(1 << bit % 8);
		decode(&pair, pair.value.data, pair.value.len, &events);
		pair.value.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_true(events > 0);
	for (size_t bit = 0; bit < 8 * pair.key.len; bit++) {
		struct value from_key[COLUMNS];

		pair.key.data[bit / 8] ^= (char)(1 << bit % 8);
		(void)decoder_key(pair.decoder, &table, pair.key.data, pair.key.len, &pair.arena, from_key, &pair.err);
		pair.key.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	close_pair(&pair, et);
}

static void test_random_bytes(void **state)
{
	struct encoder_table *et = NULL;
	uint64_t seed = 88172645463325252u;
	struct codec_pair pair;
	unsigned events = 0;
	struct buf message;

	open_pair(&pair, &et);
	buf_init(&message, 4096);
	for (int round = 0; round < 20000; round++) {
		size_t changed;

		buf_reset(&message);
		buf_append(&message, pair.value.data, pair.value.len);
		for (changed = 0; changed < 4; changed++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			message.data[5 + seed % (message.len - 5)] = (char)(seed >> 32);
		}
		decode(&pair, message.data, message.len, &events);
	}
	buf_release(&message);
	close_pair(&pair, et);
}

/* Counts and lengths that promise more than there is must not make the decoder allocate it. */
static void test_huge_counts(void **state)
{
	static const int64_t counts[] = { INT64_MAX, INT64_MIN, INT64_MIN + 1, 1 << 30, -(1 << 30), 1000 };
	unsigned char message[64], *at;
	struct encoder_table *et = NULL;
	struct codec_pair pair;
	unsigned events = 0;

	open_pair(&pair, &et);
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		at = avro_put_raw(message, pair.value.data, AVRO_WIRE_HEADER);
		at = avro_put_branch(avro_put_branch(at, 0), 1);
		at = avro_put_optional_long(at, 300);
		at = avro_put_long(avro_put_branch(at, 1), counts[i]);
		memset(at, 0, 20);
		decode(&pair, message, (size_t)(at + 20 - message), &events);
		assert_int_equal(events, 0);
		assert_true(pair.arena.held < 16384);
	}
	close_pair(&pair, et);
}

/* A small arena gives an error that says so, at any size. */
static void test_arena_full(void **state)
{
	struct encoder_table *et = NULL;
	struct codec_pair pair;
	struct event event;
	int rc = -1;

	open_pair(&pair, &et);
	for (size_t size = 0; rc < 0; size += 64) {
		arena_release(&pair.arena);
		arena_init(&pair.arena, size);
		rc = decoder_event(pair.decoder, NULL, 0, pair.value.data, pair.value.len, &pair.arena, &event, &pair.err);
		if (rc < 0) {
			assert_int_equal(pair.err.class, ERROR_DATA);
			assert_non_null(strstr(pair.err.text, "out of memory"));
		}
		assert_true(size < 65536);
	}
	close_pair(&pair, et);
}

/* Schemas that would make a reader loop, sink or multiply. */
static void test_hostile_schemas(void **state)
{
	static const char *const schemas[] = {
		"{\"type\":\"record\",\"name\":\"E\",\"fields\":[{\"name\":\"x\",\"type\":{\"type\":\"array\",\"items\":\"null\"}},"
		"{\"name\":\"after\",\"type\":{\"type\":\"record\",\"name\":\"V\",\"fields\":[]}},"
		"{\"name\":\"source\",\"type\":\"V\"},{\"name\":\"op\",\"type\":\"string\"}]}",
		"{\"type\":\"record\",\"name\":\"E\",\"fields\":[{\"name\":\"x\",\"type\":\"E\"},"
		"{\"name\":\"after\",\"type\":{\"type\":\"record\",\"name\":\"V\",\"fields\":[]}},"
		"{\"name\":\"source\",\"type\":\"V\"},{\"name\":\"op\",\"type\":\"string\"}]}",
		"{\"type\":\"record\",\"name\":\"E\",\"fields\":[{\"name\":\"x\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"E\"]}},"
		"{\"name\":\"after\",\"type\":{\"type\":\"record\",\"name\":\"V\",\"fields\":[]}},"
		"{\"name\":\"source\",\"type\":\"V\"},{\"name\":\"op\",\"type\":[\"null\"]}]}",
	};
	unsigned char message[64];
	struct codec_pair pair;
	unsigned events = 0;
	char deep[5000];
	size_t len = 0;

	codec_pair_open(&pair);
	for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
		for (int fill = 0; fill < 256; fill++) {
			memset(message, fill, sizeof message);
			memset(message, 0, 4);
			message[4] = (unsigned char)fake_schemas_add(&pair.fake, "x", schemas[i]);
			decode(&pair, message, sizeof message, &events);
		}
	for (int i = 0; i < 200; i++)
		len += (size_t)snprintf(deep + len, sizeof deep - len, "{\"type\":");
	len += (size_t)snprintf(deep + len, sizeof deep - len, "\"int\"");
	for (int i = 0; i < 200; i++)
		len += (size_t)snprintf(deep + len, sizeof deep - len, "}");
	message[4] = (unsigned char)fake_schemas_add(&pair.fake, "x", deep);
	decode(&pair, message, sizeof message, &events);
	assert_non_null(strstr(pair.err.text, "nested too deep"));
	codec_pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_huge_counts),
		cmocka_unit_test(test_arena_full),
		cmocka_unit_test(test_hostile_schemas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
