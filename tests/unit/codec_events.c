/*
 * codec_events.c: operations, old rows, unchanged and exact values, marks, positions, foreign envelopes, and what
 * is refused.
 */
#include <stdio.h>

#include "lib/codec/avro.h"
#include "tests/unit/codec_support.h"

static const struct column order_columns[] = {
	{ .name = "id", .type = COLUMN_INT64, .key = true, .source_type = "bigint" },
	{ .name = "line no", .type = COLUMN_INT32, .key = true, .source_type = "integer" },
	{ .name = "price", .type = COLUMN_DECIMAL, .precision = 12, .scale = 2, .source_type = "numeric(12,2)" },
	{ .name = "note", .type = COLUMN_STRING, .source_type = "text" },
	{ .name = "due", .type = COLUMN_DATE, .source_type = "date" },
	{ .name = "term", .type = COLUMN_INTERVAL, .fraction = 6, .source_type = "interval" },
};
#define ORDER_COLUMNS 6
static const size_t order_key[] = { 0, 1 };
static const struct table order_table = { "sales", "order line", order_columns, ORDER_COLUMNS, order_key, 2, IDENTITY_KEY, 0, 1, false };

struct fixture {
	struct codec_pair pair;
	struct encoder_table *et;
	void *value, *key; /* copies of the last message */
	struct event event;
};

static void open_fixture(struct fixture *fix, const struct table *table)
{
	memset(fix, 0, sizeof *fix);
	codec_pair_open(&fix->pair);
	expect_ok(encoder_table_new(fix->pair.encoder, table, &fix->et, &fix->pair.err), &fix->pair.err);
}

static void close_fixture(struct fixture *fix)
{
	free(fix->value);
	free(fix->key);
	encoder_table_free(fix->et);
	codec_pair_close(&fix->pair);
}

/* Encodes and decodes; the event is in fix->event. */
static void there_and_back(struct fixture *fix, const struct change *chg, bool with_key)
{
	struct codec_pair *pair = &fix->pair;

	expect_ok(codec_encode(pair, fix->et, chg), &pair->err);
	free(fix->value);
	free(fix->key);
	fix->value = codec_copy(pair->value.data, pair->value.len);
	fix->key = codec_copy(pair->key.data, pair->key.len);
	arena_reset(&pair->arena);
	expect_ok(decoder_event(pair->decoder, with_key ? fix->key : NULL, with_key ? pair->key.len : 0, fix->value,
			  pair->value.len, &pair->arena, &fix->event, &pair->err), &pair->err);
}

static void same_row(const struct value *got, const struct value *expected, size_t count)
{
	if (expected == NULL) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	for (size_t i = 0; i < count; i++)
		if (!value_equal(&got[i], &expected[i]))
			fail_msg("column %zu: kind %d became %d", i, expected[i].kind, got[i].kind);
}

static void same_change(const struct change *got, const struct change *expected)
{
	assert_int_equal(got->op, expected->op);
	assert_int_equal(got->before_is_key, expected->before_is_key);
	assert_int_equal(got->truncate_cascade, expected->truncate_cascade);
	assert_int_equal(got->truncate_restart_identity, expected->truncate_restart_identity);
	assert_true(got->lsn == expected->lsn);
	assert_true(got->index == expected->index);
	assert_true(got->table_index == expected->table_index);
	same_row(got->before, expected->before, expected->table->column_count);
	same_row(got->after, expected->after, expected->table->column_count);
}

#define ORDER_ROW { INT_VALUE(1), INT_VALUE(2), TEXT_VALUE("9.90"), TEXT_VALUE("two"), INT_VALUE(20000), TEXT_VALUE("1 mon") }
#define ORDER_OLD_KEY { INT_VALUE(1), INT_VALUE(7), NULL_VALUE, NULL_VALUE, NULL_VALUE, NULL_VALUE }

static void test_operations(void **state)
{
	const struct value row[] = ORDER_ROW, old_key[] = ORDER_OLD_KEY;
	const struct change changes[] = {
		{ CHANGE_INSERT, &order_table, NULL, row, false, false, false, 5, NULL, 0, 1, 1 },
		{ CHANGE_READ, &order_table, NULL, row, false, false, false, UINT64_MAX, NULL, 0, UINT64_MAX, 2 },
		{ CHANGE_UPDATE, &order_table, NULL, row, false, false, false, 7, NULL, 0, 2, 2 },
		{ CHANGE_UPDATE, &order_table, old_key, row, true, false, false, 8, NULL, 0, 3, 3 },
		{ CHANGE_DELETE, &order_table, old_key, NULL, true, false, false, 9, NULL, 0, 1000000000000, 4 },
		{ CHANGE_TRUNCATE, &order_table, NULL, NULL, false, false, false, 10, NULL, 0, 5, 5 },
		{ CHANGE_TRUNCATE, &order_table, NULL, NULL, false, true, false, 10, NULL, 0, 5, 5 },
		{ CHANGE_TRUNCATE, &order_table, NULL, NULL, false, false, true, 10, NULL, 0, 5, 5 },
		{ CHANGE_TRUNCATE, &order_table, NULL, NULL, false, true, true, 10, NULL, 0, 5, 5 },
	};
	struct fixture fix;

	open_fixture(&fix, &order_table);
	assert_string_equal(encoder_table_topic(fix.et), "shop.sales.order_line");
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		there_and_back(&fix, &changes[i], true);
		same_change(&fix.event.change, &changes[i]);
		assert_string_equal(fix.event.transaction_id, codec_txn.id);
		assert_true(fix.event.commit == codec_txn.commit);
		assert_true(fix.event.source_us == codec_txn.commit_us);
		assert_string_equal(fix.event.change.table->schema, "sales");
		assert_string_equal(fix.event.change.table->name, "order line");
		assert_int_equal(fix.event.change.table->slot, 0);
		assert_int_equal(fix.event.change.table->version, 1);
	}
	assert_int_equal(fix.pair.fake.text_calls, 1); /* once, and the key was not needed */
	close_fixture(&fix);
}

static void test_unchanged_and_exact(void **state)
{
	const struct value row[] = { INT_VALUE(1), INT_VALUE(2), EXACT_VALUE("NaN"), UNCHANGED_VALUE, EXACT_VALUE("infinity"),
		EXACT_VALUE("odd") };
	const struct value old[] = { INT_VALUE(1), INT_VALUE(2), EXACT_VALUE("-Infinity"), TEXT_VALUE("long text"),
		EXACT_VALUE("4714-11-24 BC"), TEXT_VALUE("-1 days +00:00:01") };
	struct change chg = { CHANGE_UPDATE, &order_table, old, row, false, false, false, 5, NULL, 0, 1, 1 };
	struct table full = order_table;
	struct fixture fix;

	full.identity = IDENTITY_FULL;
	chg.table = &full;
	open_fixture(&fix, &full);
	there_and_back(&fix, &chg, true);
	same_change(&fix.event.change, &chg);
	assert_int_equal(fix.event.change.table->identity, IDENTITY_FULL);
	close_fixture(&fix);
}

/* With a key-only old row nothing outside of the key is written, whatever stands there. */
static void test_key_only_before(void **state)
{
	const struct value row[] = ORDER_ROW, expected[] = ORDER_OLD_KEY;
	const struct value old[] = { INT_VALUE(1), INT_VALUE(7), EXACT_VALUE("NaN"), UNCHANGED_VALUE, INT_VALUE(1), TEXT_VALUE("x") };
	struct change chg = { CHANGE_UPDATE, &order_table, old, row, true, false, false, 5, NULL, 0, 1, 1 };
	struct fixture fix;

	open_fixture(&fix, &order_table);
	there_and_back(&fix, &chg, true);
	chg.before = expected;
	same_change(&fix.event.change, &chg);
	close_fixture(&fix);
}

static void test_delete_filled_from_key(void **state)
{
	const struct value null_key[] = { NULL_VALUE, INT_VALUE(7), NULL_VALUE, NULL_VALUE, NULL_VALUE, NULL_VALUE };
	const struct value expected[] = ORDER_OLD_KEY, complete[] = ORDER_OLD_KEY;
	struct change chg = { CHANGE_DELETE, &order_table, null_key, NULL, true, false, false, 5, NULL, 0, 1, 1 };
	struct codec_pair *pair;
	struct fixture fix;
	void *copy;

	open_fixture(&fix, &order_table);
	pair = &fix.pair;
	expect_ok(encoder_key(fix.et, complete, &pair->key, &pair->err), &pair->err);
	/* A column of the key is null in the row, then the whole row is missing. */
	for (int i = 0; i < 2; i++) {
		buf_reset(&pair->value);
		expect_ok(encoder_change(fix.et, &chg, &codec_txn, 0, CODEC_NOW, &pair->value, &pair->err), &pair->err);
		copy = codec_copy(pair->value.data, pair->value.len);
		arena_reset(&pair->arena);
		expect_ok(decoder_event(pair->decoder, pair->key.data, pair->key.len, copy, pair->value.len, &pair->arena, &fix.event,
				  &pair->err), &pair->err);
		same_row(fix.event.change.before, expected, ORDER_COLUMNS);
		assert_true(fix.event.change.before_is_key);
		if (i == 1)
			assert_int_equal(decoder_event(pair->decoder, NULL, 0, copy, pair->value.len, &pair->arena, &fix.event,
						 &pair->err), -1);
		free(copy);
		chg.before = NULL;
	}
	assert_string_equal(pair->err.text, "event of table sales.order line: a delete has neither an old row nor a key");
	close_fixture(&fix);
}

static void test_key_missing(void **state)
{
	const struct value row[] = { INT_VALUE(1), UNCHANGED_VALUE, NULL_VALUE, NULL_VALUE, NULL_VALUE, NULL_VALUE };
	struct table no_key = order_table;
	struct encoder_table *et = NULL;
	struct fixture fix;

	open_fixture(&fix, &order_table);
	assert_int_equal(encoder_key(fix.et, row, &fix.pair.key, &fix.pair.err), -1);
	assert_int_equal(fix.pair.err.class, ERROR_DATA);
	assert_string_equal(fix.pair.err.text, "column \"line no\" of table sales.order line (integer) is part of the key, "
					       "and the log does not carry its value");
	no_key.key_count = 0;
	expect_ok(encoder_table_new(fix.pair.encoder, &no_key, &et, &fix.pair.err), &fix.pair.err);
	assert_int_equal(encoder_key(et, row, &fix.pair.key, &fix.pair.err), 0);
	assert_int_equal(fix.pair.key.len, 0);
	encoder_table_free(et);
	close_fixture(&fix);
}

/* Another shape of the same table is another table for the decoder, and the next version. */
static void test_versions(void **state)
{
	const struct value row[] = ORDER_ROW;
	struct change chg = { CHANGE_INSERT, &order_table, NULL, row, false, false, false, 5, NULL, 0, 1, 1 };
	struct table smaller = order_table, other = order_table;
	struct encoder_table *first, *et = NULL;
	const struct table *before;
	struct fixture fix;

	open_fixture(&fix, &order_table);
	there_and_back(&fix, &chg, true);
	before = fix.event.change.table;
	first = fix.et;
	smaller.column_count = 4;
	chg.table = &smaller;
	expect_ok(encoder_table_new(fix.pair.encoder, &smaller, &et, &fix.pair.err), &fix.pair.err);
	fix.et = et;
	there_and_back(&fix, &chg, true);
	assert_int_equal(fix.event.change.table->column_count, 4);
	assert_int_equal(fix.event.change.table->version, 2);
	assert_int_equal(fix.event.change.table->slot, 1);
	encoder_table_free(et);
	other.name = "other";
	chg.table = &other;
	expect_ok(encoder_table_new(fix.pair.encoder, &other, &et, &fix.pair.err), &fix.pair.err);
	fix.et = et;
	there_and_back(&fix, &chg, true);
	assert_int_equal(fix.event.change.table->version, 1);
	encoder_table_free(et);
	chg.table = &order_table;
	fix.et = first;
	there_and_back(&fix, &chg, true);
	assert_ptr_equal(fix.event.change.table, before);
	close_fixture(&fix);
}

/* The same shape registers the same text; the schema texts do not depend on anything else. */
static void test_stable_schema(void **state)
{
	struct encoder_table *et = NULL;
	struct fixture fix;
	size_t count;

	open_fixture(&fix, &order_table);
	count = fix.pair.fake.count;
	expect_ok(encoder_table_new(fix.pair.encoder, &order_table, &et, &fix.pair.err), &fix.pair.err);
	assert_int_equal(fix.pair.fake.count, count);
	assert_int_not_equal(fake_schemas_of(&fix.pair.fake, "shop.sales.order_line-key"), 0);
	assert_int_not_equal(fake_schemas_of(&fix.pair.fake, "shop.sales.order_line-value"), 0);
	assert_int_not_equal(fake_schemas_of(&fix.pair.fake, "shop.transaction-key"), 0);
	assert_int_not_equal(fake_schemas_of(&fix.pair.fake, "shop.heartbeat-value"), 0);
	assert_int_not_equal(fake_schemas_of(&fix.pair.fake, "shop.position-value"), 0);
	encoder_table_free(et);
	close_fixture(&fix);
}

static void test_errors_of_encoder(void **state)
{
	const struct encoder_source source = { "postgresql", "shop", "crm", "log", 5 }, other = { "oracle", "shop", "crm", "log", 5 };
	const struct value row[] = ORDER_ROW;
	struct change chg = { CHANGE_INSERT, &order_table, NULL, row, false, false, false, 5, NULL, 0, 1, 1 };
	struct column columns[] = { { .name = "a b", .type = COLUMN_BOOL }, { .name = "a_b", .type = COLUMN_BOOL } };
	struct table table = { .schema = "s", .name = "t", .columns = columns, .column_count = 2 };
	struct encoder_table *et = NULL;
	struct encoder *encoder = NULL;
	struct error err = ERROR_INIT;
	struct fixture fix;
	struct buf small;

	open_fixture(&fix, &order_table);
	assert_int_equal(encoder_table_new(fix.pair.encoder, &table, &et, &err), -1);
	assert_string_equal(err.text, "columns \"a b\" and \"a_b\" of table s.t have the same Avro name a_b");
	assert_int_equal(err.class, ERROR_CONFIG);
	buf_init(&small, 64);
	assert_int_equal(encoder_change(fix.et, &chg, &codec_txn, 0, CODEC_NOW, &small, &err), -1);
	assert_int_equal(err.class, ERROR_DATA);
	buf_release(&small);
	assert_int_equal(encoder_new(&other, &fix.pair.fake.schemas, &encoder, &err), -1);
	fix.pair.fake.fail = ERROR_RETRY;
	assert_int_equal(encoder_new(&source, &fix.pair.fake.schemas, &encoder, &err), -1);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_string_equal(err.text, "schemas of shop.transaction-key and 5 more: fake registry fails");
	assert_int_equal(encoder_table_new(fix.pair.encoder, &order_table, &et, &err), -1);
	assert_null(et);
	assert_null(encoder);
	close_fixture(&fix);
}

/* ---- marks, heartbeats, positions ---- */

static void test_marks(void **state)
{
	const struct transaction_count counts[] = { { "sales.order line", 3 }, { "public.customer", UINT64_C(1) << 40 } };
	struct codec_pair pair;
	struct mark mark;

	codec_pair_open(&pair);
	expect_ok(encoder_begin(pair.encoder, &codec_txn, CODEC_NOW, &pair.key, &pair.value, &pair.err), &pair.err);
	expect_ok(decoder_mark(pair.decoder, pair.value.data, pair.value.len, &pair.arena, &mark, &pair.err), &pair.err);
	assert_false(mark.end);
	assert_string_equal(mark.id, codec_txn.id);
	assert_true(mark.commit == codec_txn.commit);
	assert_true(mark.source_us == codec_txn.commit_us);
	assert_int_equal(mark.count, 0);
	for (size_t count = 0; count <= 2; count++) {
		buf_reset(&pair.key);
		buf_reset(&pair.value);
		expect_ok(encoder_end(pair.encoder, &codec_txn, count == 0 ? "" : "770:9", counts, count, 7, CODEC_NOW, &pair.key,
				  &pair.value, &pair.err), &pair.err);
		expect_ok(decoder_mark(pair.decoder, pair.value.data, pair.value.len, &pair.arena, &mark, &pair.err), &pair.err);
		assert_true(mark.end);
		assert_int_equal(mark.events, 7);
		assert_int_equal(mark.count, count);
		for (size_t i = 0; i < count; i++) {
			assert_string_equal(mark.counts[i].collection, counts[i].collection);
			assert_true(mark.counts[i].events == counts[i].events);
		}
		assert_string_equal(mark.previous_id, count == 0 ? "" : "770:9");
		assert_string_equal(mark.log, "postgresql:7:1:crm");
		assert_int_equal(mark.epoch, 5);
		assert_true(mark.source_us == codec_txn.commit_us);
	}
	for (size_t len = 0; len < pair.value.len; len++)
		assert_int_equal(decoder_mark(pair.decoder, pair.value.data, len, &pair.arena, &mark, &pair.err), -1);
	codec_pair_close(&pair);
}

static void test_heartbeat_and_position(void **state)
{
	struct codec_position pos = { "postgresql:7:1:crm", "771:23456789", 23456789, UINT64_MAX, 5, -1, NULL }, got;
	struct codec_pair pair;
	uint64_t lsn;
	int64_t us;

	codec_pair_open(&pair);
	expect_ok(encoder_heartbeat(pair.encoder, 1767225600123456, 77, &pair.key, &pair.value, &pair.err), &pair.err);
	expect_ok(decoder_heartbeat(pair.decoder, pair.value.data, pair.value.len, &pair.arena, &us, &lsn, &pair.err), &pair.err);
	assert_true(us == 1767225600123456);
	assert_int_equal(lsn, 77);
	assert_int_equal(decoder_position(pair.decoder, pair.value.data, pair.value.len, &pair.arena, &got, &pair.err), -1);
	assert_non_null(strstr(pair.err.text, "met as something else"));
	buf_reset(&pair.value);
	expect_ok(encoder_position(pair.encoder, &pos, &pair.key, &pair.value, &pair.err), &pair.err);
	expect_ok(decoder_position(pair.decoder, pair.value.data, pair.value.len, &pair.arena, &got, &pair.err), &pair.err);
	assert_string_equal(got.log, pos.log);
	assert_string_equal(got.transaction_id, pos.transaction_id);
	assert_true(got.commit == pos.commit && got.confirmed == pos.confirmed && got.epoch == pos.epoch &&
		got.wall_us == pos.wall_us);
	assert_string_equal(got.resume, "");
	codec_pair_close(&pair);
}

/* The text of a log's place: none, some, the most that is allowed, and more. */
static void test_position_with_resume(void **state)
{
	struct codec_position pos = { "mysql:3e11fa47:1", "a:9", 9, 10, 5, 77, NULL }, got;
	char *text = malloc(CODEC_RESUME_MAX + 1);
	struct codec_pair pair;

	codec_pair_open(&pair);
	assert_non_null(text);
	memset(text, 'x', CODEC_RESUME_MAX);
	for (size_t len = 0; len < CODEC_RESUME_MAX; len = len < 2 ? len + 1 : len == 2 ? CODEC_RESUME_MAX - 1 : CODEC_RESUME_MAX) {
		text[len] = '\0';
		pos.resume = text;
		buf_reset(&pair.key);
		buf_reset(&pair.value);
		arena_reset(&pair.arena);
		expect_ok(encoder_position(pair.encoder, &pos, &pair.key, &pair.value, &pair.err), &pair.err);
		expect_ok(decoder_position(pair.decoder, pair.value.data, pair.value.len, &pair.arena, &got, &pair.err), &pair.err);
		assert_string_equal(got.resume, text);
		assert_true(got.commit == 9 && got.confirmed == 10 && got.wall_us == 77);
		text[len] = 'x';
	}
	text[CODEC_RESUME_MAX] = '\0';
	assert_int_equal(encoder_position(pair.encoder, &pos, &pair.key, &pair.value, &pair.err), -1);
	assert_int_equal(pair.err.class, ERROR_CONFIG);
	free(text);
	codec_pair_close(&pair);
}

/* A record that an older Tailrace wrote. */
static void test_position_without_resume(void **state)
{
	static const char schema[] = "{\"type\":\"record\",\"name\":\"Position\",\"namespace\":\"tailrace\",\"fields\":["
		"{\"name\":\"log\",\"type\":\"string\"},{\"name\":\"transaction_id\",\"type\":\"string\"},"
		"{\"name\":\"commit\",\"type\":\"long\"},{\"name\":\"confirmed\",\"type\":\"long\"},"
		"{\"name\":\"epoch\",\"type\":\"long\"},{\"name\":\"wall_us\",\"type\":\"long\"}]}";
	unsigned char message[64] = { 0 };
	struct codec_position got;
	struct codec_pair pair;

	codec_pair_open(&pair);
	message[4] = (unsigned char)fake_schemas_add(&pair.fake, "old", schema);
	message[5] = 0x02;
	message[6] = 'l';
	message[7] = 0x06;
	memcpy(message + 8, "1:2\x04\x06\x08\x0a", 7);
	expect_ok(decoder_position(pair.decoder, message, 15, &pair.arena, &got, &pair.err), &pair.err);
	assert_string_equal(got.log, "l");
	assert_string_equal(got.transaction_id, "1:2");
	assert_true(got.commit == 2 && got.confirmed == 3 && got.epoch == 4 && got.wall_us == 5);
	assert_string_equal(got.resume, "");
	codec_pair_close(&pair);
}

/* ---- what others wrote ---- */

#define FOREIGN_KEY "{\"type\":\"record\",\"name\":\"Key\",\"namespace\":\"s.inv.c\",\"fields\":[{\"name\":\"id\",\"type\":\"int\"}]}"

/*
 * As Debezium's PostgreSQL connector registers it, without our attributes and fields; default first in one column.
 */
#define FOREIGN_VALUE \
	"{\"type\":\"record\",\"name\":\"Envelope\",\"namespace\":\"s.inv.c\",\"fields\":[" \
	"{\"name\":\"before\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"Value\",\"fields\":[" \
	"{\"name\":\"id\",\"type\":\"int\"}," \
	"{\"name\":\"kind\",\"type\":[{\"type\":\"string\",\"connect.default\":\"x\"},\"null\"],\"default\":\"x\"}," \
	"{\"name\":\"took\",\"type\":[\"null\",{\"type\":\"long\",\"connect.version\":1,\"connect.name\":\"io.debezium.time.MicroDuration\"}],\"default\":null}," \
	"{\"name\":\"amount\",\"type\":[\"null\",{\"type\":\"bytes\",\"scale\":2,\"precision\":64,\"connect.name\":\"org.apache.kafka.connect.data.Decimal\",\"logicalType\":\"decimal\"}],\"default\":null}" \
	"],\"connect.name\":\"s.inv.c.Value\"}],\"default\":null}," \
	"{\"name\":\"after\",\"type\":[\"null\",\"Value\"],\"default\":null}," \
	"{\"name\":\"source\",\"type\":{\"type\":\"record\",\"name\":\"Source\",\"namespace\":\"io.debezium.connector.postgresql\",\"fields\":[" \
	"{\"name\":\"version\",\"type\":\"string\"},{\"name\":\"ts_ms\",\"type\":\"long\"},{\"name\":\"schema\",\"type\":\"string\"}," \
	"{\"name\":\"table\",\"type\":\"string\"},{\"name\":\"lsn\",\"type\":[\"null\",\"long\"],\"default\":null}]}}," \
	"{\"name\":\"transaction\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"block\",\"namespace\":\"event\",\"fields\":[" \
	"{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"total_order\",\"type\":\"long\"},{\"name\":\"data_collection_order\",\"type\":\"long\"}]}],\"default\":null}," \
	"{\"name\":\"op\",\"type\":\"string\"},{\"name\":\"ts_ms\",\"type\":[\"null\",\"long\"],\"default\":null}]}"

static size_t put_wire(unsigned char *to, int32_t id)
{
	const unsigned char wire[] = { 0, 0, 0, 0, (unsigned char)id };

	memcpy(to, wire, sizeof wire);
	return sizeof wire;
}

static void test_foreign_envelope(void **state)
{
	unsigned char message[256], *at, key[16], *key_at;
	struct codec_pair pair;
	struct event event;
	const struct table *table;

	codec_pair_open(&pair);
	key_at = key + put_wire(key, fake_schemas_add(&pair.fake, "s.inv.c-key", FOREIGN_KEY));
	key_at = avro_put_long(key_at, 42);
	at = message + put_wire(message, fake_schemas_add(&pair.fake, "s.inv.c-value", FOREIGN_VALUE));
	at = avro_put_branch(at, 0);
	at = avro_put_long(avro_put_branch(at, 1), 42);
	at = avro_put_str(avro_put_branch(at, 0), "prepaid");
	at = avro_put_long(avro_put_branch(at, 1), 1500000);
	at = avro_put_bytes(avro_put_branch(at, 1), "\x01\x00", 2);
	at = avro_put_long(avro_put_str(at, "3.5"), 1700000000123);
	at = avro_put_str(avro_put_str(at, "inv"), "c");
	at = avro_put_optional_long(at, 99);
	at = avro_put_branch(at, 0); /* no transaction block */
	at = avro_put_optional_long(avro_put_str(at, "u"), 5);
	expect_ok(decoder_event(pair.decoder, key, (size_t)(key_at - key), message, (size_t)(at - message), &pair.arena, &event,
			  &pair.err), &pair.err);
	table = event.change.table;
	assert_string_equal(table->schema, "inv");
	assert_string_equal(table->name, "c");
	assert_int_equal(table->key_count, 1);
	assert_true(table->columns[0].key);
	assert_int_equal(table->columns[3].type, COLUMN_DECIMAL);
	assert_int_equal(table->columns[3].scale, 2);
	assert_int_equal(event.change.after[0].i, 42);
	assert_memory_equal(event.change.after[1].text.ptr, "prepaid", 7);
	assert_memory_equal(event.change.after[2].text.ptr, "1500000 microseconds", 20);
	assert_int_equal(event.change.after[3].text.len, 4);
	assert_memory_equal(event.change.after[3].text.ptr, "2.56", 4);
	assert_string_equal(event.transaction_id, "");
	assert_int_equal(event.change.lsn, 99);
	assert_true(event.source_us == 1700000000123000);
	codec_pair_close(&pair);
}

static void test_foreign_schemas_refused(void **state)
{
	static const struct {
		const char *schema, *why;
	} cases[] = {
		{ "\"string\"", "is not a change event: it is no record" },
		{ "{", "not an Avro schema" },
		{ "{\"type\":\"what\"}", "type \"what\" is unknown" },
		{ "[1]", "not an Avro schema" },
		{ "{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}", "is not a change event" },
		{ "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"after\",\"type\":[\"null\",\"R\"]}]}", "has no record source" },
		{ "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"after\",\"type\":\"R\"},{\"name\":\"source\",\"type\":\"R\"},"
		  "{\"name\":\"op\",\"type\":\"string\"}]}", "column \"after\": R is not a type that can be read" },
		{ "{\"type\":\"record\",\"name\":\"E\",\"fields\":[{\"name\":\"after\",\"type\":{\"type\":\"record\",\"name\":\"V\",\"fields\":["
		  "{\"name\":\"p\",\"type\":{\"type\":\"long\",\"connect.name\":\"io.debezium.time.NanoTimestamp\"}}]}},"
		  "{\"name\":\"source\",\"type\":\"V\"},{\"name\":\"op\",\"type\":\"string\"}]}",
			"column \"p\": io.debezium.time.NanoTimestamp is not a type that can be read" },
	};
	unsigned char message[16] = { 0 };
	struct codec_pair pair;
	struct event event;

	codec_pair_open(&pair);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t len = put_wire(message, fake_schemas_add(&pair.fake, "x", cases[i].schema));

		assert_int_equal(decoder_event(pair.decoder, NULL, 0, message, len, &pair.arena, &event, &pair.err), -1);
		assert_int_equal(pair.err.class, ERROR_DATA);
		if (strstr(pair.err.text, cases[i].why) == NULL)
			fail_msg("case %zu: %s", i, pair.err.text);
	}
	message[4] = 200;
	assert_int_equal(decoder_event(pair.decoder, NULL, 0, message, 5, &pair.arena, &event, &pair.err), -1);
	assert_string_equal(pair.err.text, "schema 200 of event: schema id 200 is unknown");
	message[0] = 1;
	assert_int_equal(decoder_event(pair.decoder, NULL, 0, message, 5, &pair.arena, &event, &pair.err), -1);
	assert_int_equal(decoder_event(pair.decoder, NULL, 0, message, 0, &pair.arena, &event, &pair.err), -1);
	assert_string_equal(pair.err.text, "event is empty (a tombstone)");
	codec_pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_unchanged_and_exact),
		cmocka_unit_test(test_key_only_before),
		cmocka_unit_test(test_delete_filled_from_key),
		cmocka_unit_test(test_key_missing),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_stable_schema),
		cmocka_unit_test(test_errors_of_encoder),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_heartbeat_and_position),
		cmocka_unit_test(test_position_with_resume),
		cmocka_unit_test(test_position_without_resume),
		cmocka_unit_test(test_foreign_envelope),
		cmocka_unit_test(test_foreign_schemas_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
