/*
 * codec_golden.c: recorded messages and schemas. What is in topics already must stay readable, and the same change
 * must give the same bytes: a difference here is a change of the format, to be wanted, described in
 * schemas/README.md, and recorded anew (run with TAILRACE_RECORD=1 >codec_golden_vectors.h).
 *
 * The version of the program stands in each event; in the recording it is written as "VERSION".
 */
#include <jansson.h>
#include <stdio.h>

#include "config.h"

#include "lib/codec/avro.h"
#include "lib/codec/schema.h"
#include "tests/unit/codec_golden_vectors.h"
#include "tests/unit/codec_support.h"

#define HEX_MAX 8192
#define TEXT_MAX 8192

static const char *const kinds[] = { "gold", "silver" };
static const struct column columns[] = {
	{ .name = "id", .type = COLUMN_INT32, .key = true, .source_type = "integer" },
	{ .name = "Name", .type = COLUMN_STRING, .source_type = "text" },
	{ .name = "rate %", .type = COLUMN_DECIMAL, .precision = 5, .scale = 2, .source_type = "numeric(5,2)" },
	{ .name = "any", .type = COLUMN_DECIMAL, .source_type = "numeric" },
	{ .name = "seen", .type = COLUMN_TIMESTAMPTZ, .fraction = 6, .source_type = "timestamp with time zone" },
	{ .name = "at", .type = COLUMN_TIMESTAMP, .fraction = 3, .source_type = "timestamp(3) without time zone" },
	{ .name = "day", .type = COLUMN_DATE, .source_type = "date" },
	{ .name = "kind", .type = COLUMN_ENUM, .source_type = "kind", .labels = kinds, .label_count = 2 },
	{ .name = "lasts", .type = COLUMN_INTERVAL, .fraction = 6, .source_type = "interval" },
	{ .name = "tags", .type = COLUMN_ARRAY, .element_type = COLUMN_STRING, .source_type = "text[]" },
};
#define COLUMNS 10
static const size_t key[] = { 0 };
static const struct table table = { "public", "tariff", columns, COLUMNS, key, 1, IDENTITY_KEY, 0, 1, false };

static const struct value tags[] = { TEXT_VALUE("a"), NULL_VALUE };
static const struct value full_row[COLUMNS] = { INT_VALUE(42), TEXT_VALUE("Fl\303\244t"), TEXT_VALUE("-1.28"),
	TEXT_VALUE("1234567890123456789012.5"), INT_VALUE(1767225600123456), INT_VALUE(-1000), INT_VALUE(20454), TEXT_VALUE("gold"),
	TEXT_VALUE("1 mon"), { .kind = VALUE_ARRAY, .array = { tags, 2 } } };
static const struct value odd_row[COLUMNS] = { INT_VALUE(-1), UNCHANGED_VALUE, EXACT_VALUE("NaN"), NULL_VALUE,
	EXACT_VALUE("infinity"), NULL_VALUE, NULL_VALUE, NULL_VALUE, NULL_VALUE, NULL_VALUE };
static const struct value key_row[COLUMNS] = { INT_VALUE(41) };

static const struct change changes[] = {
	{ CHANGE_INSERT, &table, NULL, full_row, false, false, false, 23456700, NULL, 0, 1, 1 },
	{ CHANGE_UPDATE, &table, key_row, odd_row, true, false, false, 23456750, NULL, 0, 2, 2 },
	{ CHANGE_DELETE, &table, key_row, NULL, true, false, false, 23456760, NULL, 0, 3, 3 },
	{ CHANGE_TRUNCATE, &table, NULL, NULL, false, true, false, 23456770, NULL, 0, 4, 4 },
};

/* As MySQL's and MariaDB's connectors have it. */
static const struct column bill_columns[] = {
	{ .name = "id", .type = COLUMN_UINT64, .key = true, .source_type = "bigint unsigned" },
	{ .name = "paid", .type = COLUMN_BITS, .precision = 1, .source_type = "bit(1)" },
	{ .name = "flags", .type = COLUMN_BITS, .precision = 12, .source_type = "bit(12)" },
	{ .name = "since", .type = COLUMN_YEAR, .source_type = "year(4)" },
	{ .name = "kinds", .type = COLUMN_SET, .source_type = "set('gold','silver')", .labels = kinds, .label_count = 2 },
	{ .name = "took", .type = COLUMN_DURATION, .fraction = 3, .source_type = "time(3)" },
	{ .name = "place", .type = COLUMN_GEOMETRY, .source_type = "point" },
	{ .name = "area", .type = COLUMN_GEOMETRY, .source_type = "polygon" },
	{ .name = "likes", .type = COLUMN_VECTOR, .source_type = "vector(2)" },
	{ .name = "due", .type = COLUMN_DATE, .source_type = "date" },
};
static const struct table bill_table = { "billing", "bill", bill_columns, COLUMNS, key, 1, IDENTITY_FULL, 0, 1, false };
static const struct value bill_row[COLUMNS] = { UINT_VALUE(UINT64_MAX), UINT_VALUE(1), UINT_VALUE(0xabc), INT_VALUE(2026),
	TEXT_VALUE("gold,silver"), INT_VALUE(-3020399999000), BYTES_VALUE("\xe6\x10\0\0" "wkb"), BYTES_VALUE("\0\0\0\0" "w"),
	BYTES_VALUE("\0\0\x80\x3f\0\0\0\xc0"), EXACT_VALUE("0000-00-00") };
static const struct change bill_changes[] = {
	{ .op = CHANGE_INSERT, .table = &bill_table, .after = bill_row, .lsn = 1234, .file = "binlog.000007", .row = 3, .index = 1,
		.table_index = 1 },
	{ .op = CHANGE_DELETE, .table = &bill_table, .before = bill_row, .lsn = 5678, .file = "binlog.000007", .index = 2,
		.table_index = 2 },
};
static const struct transaction bill_txn = { .id = "3e11fa47-71ca-11e1-9e33-c80aa9429562:23:12", .commit = 12, .end = 13,
	.commit_us = 1767225600000000, .gtid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:23", .server_id = 17, .thread = 99 };

static const char *golden_hex(const char *name)
{
	for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++)
		if (strcmp(goldens[i].name, name) == 0)
			return goldens[i].hex;
	return "";
}

static const char *golden_text(const char *name)
{
	for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++)
		if (strcmp(goldens[i].name, name) == 0)
			return goldens[i].text;
	return "";
}

/* ---- showing ---- */

static void show_value(struct buf *out, const struct value *val)
{
	static const char *const names[] = { "null", "unchanged", "bool", "int", "uint", "float", "text", "bytes", "array", "exact" };

	buf_append_str(out, names[val->kind]);
	switch (val->kind) {
	case VALUE_INT:
		buf_printf(out, " %lld", (long long)val->i);
		break;
	case VALUE_UINT:
		buf_printf(out, " %llu", (unsigned long long)val->u);
		break;
	case VALUE_BYTES:
		buf_append_byte(out, ' ');
		for (size_t i = 0; i < val->text.len; i++)
			buf_printf(out, "%02x", (unsigned char)val->text.ptr[i]);
		break;
	case VALUE_TEXT:
	case VALUE_EXACT:
		buf_append_byte(out, ' ');
		buf_append(out, val->text.ptr, val->text.len);
		break;
	case VALUE_ARRAY:
		for (size_t i = 0; i < val->array.count; i++) {
			buf_append_str(out, i == 0 ? " [" : ", ");
			show_value(out, &val->array.items[i]);
		}
		buf_append_byte(out, ']');
		break;
	default:
		break;
	}
}

static void show_row(struct buf *out, const char *name, const struct table *shape, const struct value *row)
{
	if (row == NULL)
		return;
	buf_printf(out, "; %s", name);
	for (size_t i = 0; i < shape->column_count; i++) {
		buf_printf(out, " %s=", shape->columns[i].name);
		show_value(out, &row[i]);
	}
}

static void show_event(struct buf *out, const struct event *event)
{
	const struct change *chg = &event->change;

	buf_printf(out, "%c %s.%s %s %llu %llu lsn %llu at %lld%s%s", (char)chg->op, chg->table->schema, chg->table->name,
		event->transaction_id, (unsigned long long)chg->index, (unsigned long long)chg->table_index,
		(unsigned long long)chg->lsn, (long long)event->source_us, chg->before_is_key ? " key" : "",
		chg->truncate_cascade ? " cascade" : "");
	if (chg->file != NULL)
		buf_printf(out, " in %s row %u", chg->file, (unsigned)chg->row);
	show_row(out, "before", chg->table, chg->before);
	show_row(out, "after", chg->table, chg->after);
}

/* ---- recording and comparing ---- */

/* Hex of the message, the program's version written as VERSION. */
static void to_hex(struct buf *out, const struct buf *message)
{
	const char version[] = PACKAGE_VERSION;
	size_t version_len = sizeof version - 1;

	for (size_t i = 0; i < message->len; i++) {
		/* Length and text of the version, as they stand before the connector's name. */
		if (message->len - i > version_len + 12 && (unsigned char)message->data[i] == version_len << 1 &&
			memcmp(message->data + i + 1, version, version_len) == 0 &&
			(memcmp(message->data + i + 1 + version_len, "\x14postgresql", 11) == 0 ||
				memcmp(message->data + i + 1 + version_len, "\x0amysql", 6) == 0 ||
				memcmp(message->data + i + 1 + version_len, "\x0emariadb", 8) == 0)) {
			buf_append_str(out, "VERSION");
			i += version_len;
			continue;
		}
		buf_printf(out, "%02x", (unsigned char)message->data[i]);
	}
}

static bool recording(void)
{
	return getenv("TAILRACE_RECORD") != NULL;
}

static void put_literal(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++)
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text >= 0x80)
			printf("\\%03o", (unsigned char)*text);
		else
			putchar(*text);
	putchar('"');
}

static void check(const char *name, const struct buf *message, const char *text)
{
	struct buf hex;

	buf_init(&hex, HEX_MAX);
	if (message != NULL)
		to_hex(&hex, message);
	if (recording()) {
		printf("\t{ \"%s\",\n\t\t\"%s\",\n\t\t", name, buf_cstr(&hex));
		put_literal(text);
		printf(" },\n");
	} else {
		assert_string_equal(buf_cstr(&hex), golden_hex(name));
		assert_string_equal(text, golden_text(name));
	}
	buf_release(&hex);
}

/* The recorded bytes themselves are decoded too, so that a fault that encoder and decoder share does not hide. */
static void decode_recorded(struct codec_pair *pair, const char *name, struct event *ret_event)
{
	const char *hex = golden_hex(name);

	buf_reset(&pair->value);
	while (*hex != '\0') {
		unsigned byte = 0;

		if (strncmp(hex, "VERSION", 7) == 0) {
			buf_append_str(&pair->value, "\x06" "x.y");
			hex += 7;
			continue;
		}
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		buf_append_byte(&pair->value, (char)byte);
		hex += 2;
	}
	expect_ok(decoder_event(pair->decoder, NULL, 0, pair->value.data, pair->value.len, &pair->arena, ret_event, &pair->err),
		&pair->err);
}

static void test_events(void **state)
{
	static const char *const names[] = { "insert", "update", "delete", "truncate" };
	struct encoder_table *et = NULL;
	struct codec_pair pair;
	struct event event;
	struct buf text;

	codec_pair_open(&pair);
	buf_init(&text, TEXT_MAX);
	expect_ok(encoder_table_new(pair.encoder, &table, &et, &pair.err), &pair.err);
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		expect_ok(codec_encode(&pair, et, &changes[i]), &pair.err);
		arena_reset(&pair.arena);
		expect_ok(decoder_event(pair.decoder, NULL, 0, pair.value.data, pair.value.len, &pair.arena, &event, &pair.err),
			&pair.err);
		buf_reset(&text);
		show_event(&text, &event);
		check(names[i], &pair.value, buf_cstr(&text));
		if (!recording()) {
			decode_recorded(&pair, names[i], &event);
			assert_false(event.change.table->binlog);
			buf_reset(&text);
			show_event(&text, &event);
			assert_string_equal(buf_cstr(&text), golden_text(names[i]));
		}
		if (changes[i].op == CHANGE_UPDATE)
			check("update's key", &pair.key, "");
	}
	encoder_table_free(et);
	buf_release(&text);
	codec_pair_close(&pair);
}

static void check_binlog(const char *connector)
{
	struct encoder_table *et = NULL;
	struct codec_pair pair;
	struct event event;
	struct buf text;
	char name[64];

	codec_pair_open_for(&pair, connector);
	buf_init(&text, TEXT_MAX);
	expect_ok(encoder_table_new(pair.encoder, &bill_table, &et, &pair.err), &pair.err);
	for (size_t i = 0; i < sizeof bill_changes / sizeof bill_changes[0]; i++) {
		(void)snprintf(name, sizeof name, "%s %c", connector, (char)bill_changes[i].op);
		buf_reset(&pair.value);
		expect_ok(encoder_change(et, &bill_changes[i], &bill_txn, 11, CODEC_NOW, &pair.value, &pair.err), &pair.err);
		arena_reset(&pair.arena);
		expect_ok(decoder_event(pair.decoder, NULL, 0, pair.value.data, pair.value.len, &pair.arena, &event, &pair.err),
			&pair.err);
		buf_reset(&text);
		show_event(&text, &event);
		check(name, &pair.value, buf_cstr(&text));
		if (!recording()) {
			decode_recorded(&pair, name, &event);
			assert_true(event.change.table->binlog);
			buf_reset(&text);
			show_event(&text, &event);
			assert_string_equal(buf_cstr(&text), golden_text(name));
		}
	}
	(void)snprintf(name, sizeof name, "%s schema", connector);
	check(name, NULL, fake_schemas_text(&pair.fake, fake_schemas_of(&pair.fake, "shop.billing.bill-value")));
	encoder_table_free(et);
	buf_release(&text);
	codec_pair_close(&pair);
}

static void test_binlog_events(void **state)
{
	check_binlog("mysql");
	check_binlog("mariadb");
}

static void test_schemas(void **state)
{
	struct encoder_table *et = NULL;
	struct codec_pair pair;

	codec_pair_open(&pair);
	expect_ok(encoder_table_new(pair.encoder, &table, &et, &pair.err), &pair.err);
	check("key schema", NULL, fake_schemas_text(&pair.fake, fake_schemas_of(&pair.fake, "shop.public.tariff-key")));
	check("value schema", NULL, fake_schemas_text(&pair.fake, fake_schemas_of(&pair.fake, "shop.public.tariff-value")));
	encoder_table_free(et);
	codec_pair_close(&pair);
}

static void test_marks(void **state)
{
	const struct transaction_count counts[] = { { "public.tariff", 4 } };
	const struct codec_position pos = { "postgresql:7:1:crm", "771:23456789", 23456789, 23456900, 5, CODEC_NOW, NULL };
	const struct codec_position numbered = { "mysql:3e11fa47-71ca-11e1-9e33-c80aa9429562:1767225600000000", "a:23:12", 12, 13, 5,
		CODEC_NOW, "13 binlog.000007 1234 a:1-23" };
	struct codec_pair pair;

	codec_pair_open(&pair);
	expect_ok(encoder_begin(pair.encoder, &codec_txn, CODEC_NOW, &pair.key, &pair.value, &pair.err), &pair.err);
	check("BEGIN", &pair.value, "");
	check("BEGIN's key", &pair.key, "");
	buf_reset(&pair.value);
	expect_ok(encoder_end(pair.encoder, &codec_txn, "770:23450000", counts, 1, 4, CODEC_NOW, &pair.key, &pair.value,
			  &pair.err), &pair.err);
	check("END", &pair.value, "");
	buf_reset(&pair.value);
	buf_reset(&pair.key);
	expect_ok(encoder_heartbeat(pair.encoder, CODEC_NOW, 23456900, &pair.key, &pair.value, &pair.err), &pair.err);
	check("heartbeat", &pair.value, "");
	check("heartbeat's key", &pair.key, "");
	buf_reset(&pair.value);
	buf_reset(&pair.key);
	expect_ok(encoder_position(pair.encoder, &pos, &pair.key, &pair.value, &pair.err), &pair.err);
	check("position", &pair.value, "");
	check("position's key", &pair.key, "");
	buf_reset(&pair.value);
	buf_reset(&pair.key);
	expect_ok(encoder_position(pair.encoder, &numbered, &pair.key, &pair.value, &pair.err), &pair.err);
	check("position of numbers", &pair.value, "");
	codec_pair_close(&pair);
}

/* The files in schemas/ say what the program writes. TAILRACE_SCHEMAS names a folder: writes them there instead. */
static void test_schema_files(void **state)
{
	const char *top = getenv("TOP_SRCDIR"), *folder = getenv("TAILRACE_SCHEMAS");
	char path[4096];

	for (int i = 0; i < SCHEMA_FIXED_COUNT; i++) {
		json_t *expected = json_loads(schema_fixed((enum schema_fixed)i), 0, NULL), *file;

		assert_non_null(expected);
		if (folder != NULL) {
			(void)snprintf(path, sizeof path, "%s/%s", folder, schema_fixed_file((enum schema_fixed)i));
			assert_int_equal(json_dump_file(expected, path, JSON_INDENT(2)), 0);
		} else {
			(void)snprintf(path, sizeof path, "%s/schemas/%s", top == NULL ? "." : top, schema_fixed_file((enum schema_fixed)i));
			file = json_load_file(path, 0, NULL);
			if (!json_equal(file, expected))
				fail_msg("schemas/%s is not what is registered", schema_fixed_file((enum schema_fixed)i));
			json_decref(file);
		}
		json_decref(expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_binlog_events),
		cmocka_unit_test(test_schemas),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_schema_files),
	};

	if (recording()) {
		printf("/*\n * codec_golden_vectors.h: recorded by codec_golden.c: name, bytes in hex, what they say. Not written by hand.\n */\n"
		       "#ifndef TAILRACE_TESTS_UNIT_CODEC_GOLDEN_VECTORS_H\n#define TAILRACE_TESTS_UNIT_CODEC_GOLDEN_VECTORS_H\n\n"
		       "static const struct golden {\n\tconst char *name, *hex, *text;\n} goldens[] = {\n");
		test_events(NULL);
		test_binlog_events(NULL);
		test_schemas(NULL);
		test_marks(NULL);
		printf("};\n\n#endif\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
