/*
 * fuzz_decoder_event.c: one Kafka message (key and value of an event topic) through a decoder, with the schemas
 * that the encoder itself registers. Nothing may be read beyond the bytes, nothing may leak, an error must be of
 * class data, and what is decoded must be whole.
 *
 * Input: one byte with the key's length (more than is left: all that is left), the key, the value. Schema ids: 1 to
 * 6 the fixed records, 7 and 8 key and value of a table with every type, 9 and 10 of one that is identified by its
 * whole row, 11 and 12 as a foreign writer has them, 13 and 14 of a table with the types of MySQL. The value is also read
 * as a transaction mark, a heartbeat and a position when its id is one of theirs.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/look.h"
#include "tests/unit/fake_schemas.h"

#define ARENA_MAX ((size_t)4 << 20)

static const char *const labels[] = { "home", "work" };
static const struct column columns[] = {
	{ .name = "id", .type = COLUMN_INT64, .key = true },
	{ .name = "valid to", .type = COLUMN_TIMESTAMPTZ, .fraction = 6, .key = true },
	{ .name = "b", .type = COLUMN_BOOL },
	{ .name = "i2", .type = COLUMN_INT16 },
	{ .name = "i4", .type = COLUMN_INT32 },
	{ .name = "u8", .type = COLUMN_UINT64 },
	{ .name = "f4", .type = COLUMN_FLOAT32 },
	{ .name = "f8", .type = COLUMN_FLOAT64 },
	{ .name = "n", .type = COLUMN_DECIMAL, .precision = 40, .scale = 4 },
	{ .name = "v", .type = COLUMN_DECIMAL },
	{ .name = "t", .type = COLUMN_STRING, .source_type = "text" },
	{ .name = "y", .type = COLUMN_BYTES },
	{ .name = "j", .type = COLUMN_JSON },
	{ .name = "e", .type = COLUMN_ENUM, .labels = labels, .label_count = 2 },
	{ .name = "d", .type = COLUMN_DATE },
	{ .name = "t3", .type = COLUMN_TIME, .fraction = 3 },
	{ .name = "t6", .type = COLUMN_TIME, .fraction = 6 },
	{ .name = "tz", .type = COLUMN_TIMETZ, .fraction = 6 },
	{ .name = "s3", .type = COLUMN_TIMESTAMP, .fraction = 3 },
	{ .name = "s6", .type = COLUMN_TIMESTAMP, .fraction = 6 },
	{ .name = "p", .type = COLUMN_INTERVAL, .fraction = 6 },
	{ .name = "av", .type = COLUMN_ARRAY, .element_type = COLUMN_DECIMAL },
	{ .name = "at", .type = COLUMN_ARRAY, .element_type = COLUMN_STRING },
	{ .name = "az", .type = COLUMN_ARRAY, .element_type = COLUMN_TIMESTAMPTZ, .fraction = 6 },
};
static const size_t key_columns[] = { 0, 1 };
static const struct table by_key = { "public", "all", columns, sizeof columns / sizeof columns[0], key_columns, 2,
	IDENTITY_KEY, 0, 1, false };
static const struct table by_row = { "public", "full", columns, 14, key_columns, 1, IDENTITY_FULL, 0, 1, false };

static const struct column bill_columns[] = {
	{ .name = "id", .type = COLUMN_UINT64, .key = true },
	{ .name = "due", .type = COLUMN_DATE, .key = true },
	{ .name = "at", .type = COLUMN_TIMESTAMP, .fraction = 2, .key = true },
	{ .name = "kind", .type = COLUMN_ENUM, .labels = labels, .label_count = 2, .key = true },
	{ .name = "b1", .type = COLUMN_BITS, .precision = 1 },
	{ .name = "b64", .type = COLUMN_BITS, .precision = 64 },
	{ .name = "y", .type = COLUMN_YEAR },
	{ .name = "s", .type = COLUMN_SET, .labels = labels, .label_count = 2 },
	{ .name = "d", .type = COLUMN_DURATION, .fraction = 6 },
	{ .name = "g", .type = COLUMN_GEOMETRY },
	{ .name = "h", .type = COLUMN_GEOMETRY },
	{ .name = "v", .type = COLUMN_VECTOR },
};
static const size_t bill_key[] = { 0, 1, 2, 3 };
static const struct table bill = { "billing", "bill", bill_columns, sizeof bill_columns / sizeof bill_columns[0], bill_key, 4,
	IDENTITY_FULL, 0, 1, false };

static const char foreign_key[] = "{\"type\":\"record\",\"name\":\"Key\",\"fields\":[{\"name\":\"id\",\"type\":\"int\"}]}";
static const char foreign_value[] =
	"{\"type\":\"record\",\"name\":\"Envelope\",\"fields\":[{\"name\":\"before\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"Value\",\"fields\":["
	"{\"name\":\"id\",\"type\":\"int\"},{\"name\":\"k\",\"type\":[\"string\",\"null\"],\"default\":\"x\"},"
	"{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":20,\"logicalType\":\"decimal\",\"precision\":40,\"scale\":2}},"
	"{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"a\",\"b\"]}},"
	"{\"name\":\"m\",\"type\":[\"null\",{\"type\":\"long\",\"connect.name\":\"io.debezium.time.MicroDuration\"}]}]}]},"
	"{\"name\":\"after\",\"type\":[\"null\",\"Value\"]},{\"name\":\"source\",\"type\":{\"type\":\"record\",\"name\":\"Source\",\"fields\":["
	"{\"name\":\"ts_ms\",\"type\":\"long\"},{\"name\":\"db\",\"type\":\"string\"},{\"name\":\"table\",\"type\":[\"null\",\"string\"]},"
	"{\"name\":\"more\",\"type\":[\"null\",\"Source\",{\"type\":\"map\",\"values\":\"Source\"},{\"type\":\"array\",\"items\":\"null\"}]}]}},"
	"{\"name\":\"op\",\"type\":\"string\"}]}";

static struct fake_schemas fake;

static void register_tables(const char *connector, const struct table *const *tables, size_t count)
{
	const struct encoder_source source = { connector, "shop", "crm", "postgresql:7:1:crm", 5 };
	struct error err = ERROR_INIT;
	struct encoder *encoder;
	struct encoder_table *et;

	if (encoder_new(&source, &fake.schemas, &encoder, &err) < 0)
		abort();
	for (size_t i = 0; i < count; i++) {
		if (encoder_table_new(encoder, tables[i], &et, &err) < 0)
			abort();
		encoder_table_free(et);
	}
	encoder_free(encoder);
}

static void make_schemas(void)
{
	const struct table *const tables[] = { &by_key, &by_row, &bill };

	fake_schemas_init(&fake);
	register_tables("postgresql", tables, 2);
	(void)fake_schemas_add(&fake, "foreign-key", foreign_key);
	(void)fake_schemas_add(&fake, "foreign-value", foreign_value);
	register_tables("mysql", tables + 2, 1);
	if (fake.count != 14)
		abort();
}

static uint64_t look_at_event(const struct event *event)
{
	const struct change *chg = &event->change;
	uint64_t sum = strlen(event->transaction_id) + strlen(chg->table->name) + (chg->file == NULL ? 0 : strlen(chg->file));

	for (size_t i = 0; chg->before != NULL && i < chg->table->column_count; i++)
		sum += fuzz_look_at(&chg->before[i]);
	for (size_t i = 0; chg->after != NULL && i < chg->table->column_count; i++)
		sum += fuzz_look_at(&chg->after[i]);
	return sum;
}

static uint64_t decode(struct decoder *decoder, const void *key, size_t key_len, const void *value, size_t value_len,
	struct arena *arena, struct error *err)
{
	struct codec_position pos;
	struct event event;
	struct mark mark;
	uint64_t lsn, sum = 0;
	int64_t us;
	int id = value_len < 5 ? 0 : ((const unsigned char *)value)[4];

	switch (id) {
	case 2:
		if (decoder_mark(decoder, value, value_len, arena, &mark, err) < 0)
			return 0;
		for (size_t i = 0; i < mark.count; i++)
			sum += strlen(mark.counts[i].collection);
		return sum + strlen(mark.id) + strlen(mark.previous_id) + strlen(mark.log);
	case 4:
		return decoder_heartbeat(decoder, value, value_len, arena, &us, &lsn, err) < 0 ? 0 : lsn;
	case 6:
		return decoder_position(decoder, value, value_len, arena, &pos, err) < 0 ? 0 : strlen(pos.log) + strlen(pos.resume);
	default:
		if (decoder_event(decoder, key, key_len, value, value_len, arena, &event, err) < 0)
			return 0;
		return look_at_event(&event);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	size_t key_len, value_len;
	struct decoder *decoder;
	uint8_t *key, *value;
	struct arena arena;
	uint64_t sum;

	if (fake.count == 0)
		make_schemas();
	if (size == 0)
		return -1;
	key_len = data[0] > size - 1 ? size - 1 : data[0];
	value_len = size - 1 - key_len;
	/* Pieces of memory of their own, so that a byte beyond them is seen. */
	key = malloc(key_len > 0 ? key_len : 1);
	value = malloc(value_len > 0 ? value_len : 1);
	decoder = decoder_new(&fake.schemas);
	if (key == NULL || value == NULL || decoder == NULL)
		abort();
	memcpy(key, data + 1, key_len);
	memcpy(value, data + 1 + key_len, value_len);
	arena_init(&arena, ARENA_MAX);
	sum = decode(decoder, key_len > 0 ? key : NULL, key_len, value, value_len, &arena, &err);
	if (err.class != ERROR_NONE && err.class != ERROR_DATA)
		abort();
	arena_release(&arena);
	decoder_free(decoder);
	free(key);
	free(value);
	/* Uses the sum, so that no compiler leaves the looking out. */
	return sum == UINT64_MAX ? -1 : 0;
}
