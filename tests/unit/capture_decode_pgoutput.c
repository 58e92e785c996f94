/*
 * capture_decode_pgoutput.c: the messages of pgoutput, built byte by byte, and what the decoder makes of them
 * whole, cut and broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_pgoutput.h"
#include "lib/base/buf.h"

#define FRAME_MAX ((size_t)1 << 20)
#define ROW_RELATION 16400
#define WHOLE_RELATION 16401
#define ENUM_OID 17000
#define ARENA_MAX ((size_t)1 << 20)

/* ---- an encoder: one frame, field by field ---- */

static struct buf frame;

static void put_int(uint64_t n, size_t size)
{
	while (size-- > 0)
		buf_append_byte(&frame, (char)(n >> (8 * size)));
}

static void put_string(const char *text)
{
	buf_append(&frame, text, strlen(text) + 1);
}

static void start_frame(char kind)
{
	buf_reset(&frame);
	buf_append_byte(&frame, kind);
}

static void put_text(const char *text)
{
	buf_append_byte(&frame, 't');
	put_int(strlen(text), 4);
	buf_append_str(&frame, text);
}

/* NULL: null; "?": unchanged. */
static void put_tuple(char kind, const char *const *columns, size_t count)
{
	buf_append_byte(&frame, kind);
	put_int(count, 2);
	for (size_t i = 0; i < count; i++) {
		if (columns[i] == NULL)
			buf_append_byte(&frame, 'n');
		else if (strcmp(columns[i], "?") == 0)
			buf_append_byte(&frame, 'u');
		else
			put_text(columns[i]);
	}
}

#define PUT_ROW(kind, ...) \
	put_tuple(kind, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void put_column(unsigned flags, const char *name, uint32_t oid, int32_t typmod)
{
	put_int(flags, 1);
	put_string(name);
	put_int(oid, 4);
	put_int((uint32_t)typmod, 4);
}

static void relation_frame(uint32_t oid, const char *name, char identity)
{
	unsigned all = identity == 'f' ? 1 : 0;

	start_frame('R');
	put_int(oid, 4);
	put_string("public");
	put_string(name);
	buf_append_byte(&frame, identity);
	put_int(4, 2);
	put_column(1, "id", 20, -1);
	put_column(all, "name", 25, -1);
	put_column(all, "amount", 1700, (12 << 16 | 2) + 4);
	put_column(all, "tags", 1009, -1);
}

static void row_frame(char kind, uint32_t oid)
{
	start_frame(kind);
	put_int(oid, 4);
}

/* ---- decoding it ---- */

static struct pgoutput_decoder *decoder;
static struct arena arena;
static struct error err;
static const char *labels[] = { "home", "work", "other" };
static size_t label_count;

/* Decodes an exact copy, so that a sanitizer sees a byte read too far; texts live until the next call. */
static int decode(struct pgoutput_message *ret)
{
	static char *copy;

	free(copy);
	copy = malloc(frame.len > 0 ? frame.len : 1);
	assert_non_null(copy);
	if (frame.len > 0)
		memcpy(copy, frame.data, frame.len);
	arena_reset(&arena);
	error_clear(&err);
	return pgoutput_decode(decoder, copy, frame.len, 0x16B374D848, &arena, ret, &err);
}

static struct pgoutput_message decode_well(void)
{
	struct pgoutput_message msg;

	if (decode(&msg) < 0)
		fail_msg("%s", err.text);
	return msg;
}

static void check_refused(enum error_class class, const char *text)
{
	struct pgoutput_message msg;

	assert_int_equal(decode(&msg), -1);
	assert_int_equal(err.class, class);
	if (strstr(err.text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static int answer_type(void *context, uint32_t oid, int32_t typmod, struct pg_type *ret, struct error *ret_err)
{
	if (oid != ENUM_OID)
		return error_set(ret_err, ERROR_RETRY, "connection lost");
	ret->type = COLUMN_ENUM;
	ret->labels = labels;
	ret->label_count = label_count;
	memcpy(ret->name, "contact_kind", sizeof "contact_kind");
	return 0;
}

static int answer_key(void *context, uint32_t relation, const char *schema, const char *name,
	const char *const *columns, size_t column_count, bool *ret_key, struct error *ret_err)
{
	for (size_t i = 0; i < column_count; i++)
		ret_key[i] = strcmp(columns[i], "id") == 0;
	return 0;
}

static int setup(void **state)
{
	const struct pgoutput_types types = { NULL, answer_type, answer_key };

	label_count = 2;
	buf_init(&frame, FRAME_MAX);
	arena_init(&arena, ARENA_MAX);
	if (pgoutput_new(&types, &decoder, &err) < 0)
		return -1;
	relation_frame(ROW_RELATION, "row", 'd');
	(void)decode_well();
	relation_frame(WHOLE_RELATION, "whole", 'f');
	(void)decode_well();
	return 0;
}

static int teardown(void **state)
{
	pgoutput_free(decoder);
	arena_release(&arena);
	buf_release(&frame);
	return 0;
}

static void check_text(const struct value *value, enum value_kind kind, const char *text)
{
	assert_int_equal(value->kind, kind);
	assert_int_equal(value->text.len, strlen(text));
	assert_memory_equal(value->text.ptr, text, strlen(text));
}

/* ---- the frames of each kind, for the tests that cut and break them ---- */

static void begin_frame(void)
{
	start_frame('B');
	put_int(0x16B374D848, 8);
	put_int(1000000, 8);
	put_int(4294967295, 4);
}

static void commit_frame(void)
{
	start_frame('C');
	put_int(0, 1);
	put_int(0x16B374D848, 8);
	put_int(0x16B374D900, 8);
	put_int((uint64_t)-1, 8);
}

static void insert_frame(void)
{
	row_frame('I', ROW_RELATION);
	PUT_ROW('N', "9223372036854775807", "a name", "-12.30", "{a,\"b c\",NULL}");
}

static void update_frame(void)
{
	row_frame('U', ROW_RELATION);
	PUT_ROW('K', "1", NULL, NULL, NULL);
	PUT_ROW('N', "2", "?", NULL, "{}");
}

static void whole_update_frame(void)
{
	row_frame('U', WHOLE_RELATION);
	PUT_ROW('O', "1", "long", "1.00", NULL);
	PUT_ROW('N', "1", "?", "NaN", "?");
}

static void delete_frame(void)
{
	row_frame('D', ROW_RELATION);
	PUT_ROW('K', "1", NULL, NULL, NULL);
}

static void truncate_frame(void)
{
	start_frame('T');
	put_int(2, 4);
	put_int(3, 1);
	put_int(WHOLE_RELATION, 4);
	put_int(ROW_RELATION, 4);
}

static void message_frame(void)
{
	start_frame('M');
	put_int(1, 1);
	put_int(0x16B374D850, 8);
	put_string("tailrace");
	put_int(3, 4);
	buf_append(&frame, "a\0b", 3);
}

static void origin_frame(void)
{
	start_frame('O');
	put_int(1, 8);
	put_string("elsewhere");
}

static void type_frame(void)
{
	start_frame('Y');
	put_int(ENUM_OID, 4);
	put_string("public");
	put_string("contact_kind");
}

static void row_relation_frame(void)
{
	relation_frame(ROW_RELATION, "row", 'd');
}

static void (*const frames[])(void) = { begin_frame, commit_frame, insert_frame, update_frame, whole_update_frame,
	delete_frame, truncate_frame, message_frame, origin_frame, type_frame, row_relation_frame };

#define FRAME_COUNT (sizeof frames / sizeof frames[0])

/* ---- each message ---- */

static void test_transaction(void **state)
{
	struct pgoutput_message msg;

	begin_frame();
	msg = decode_well();
	assert_int_equal(msg.kind, PGOUTPUT_BEGIN);
	assert_string_equal(msg.begin.id, "4294967295:97500059720");
	assert_true(msg.begin.commit == 0x16B374D848 && msg.begin.end == 0 && msg.begin.xid == 4294967295);
	assert_true(msg.begin.commit_us == INT64_C(946684801000000));
	commit_frame();
	msg = decode_well();
	assert_int_equal(msg.kind, PGOUTPUT_COMMIT);
	assert_true(msg.commit.commit == 0x16B374D848 && msg.commit.end == 0x16B374D900);
	assert_true(msg.commit.commit_us == INT64_C(946684799999999));
	start_frame('C');
	put_int(1, 1);
	put_int(0, 8);
	put_int(0, 8);
	put_int(0, 8);
	check_refused(ERROR_DATA, "flags");
}

static void test_relation(void **state)
{
	struct pgoutput_message msg;
	const struct table *table;

	row_relation_frame();
	msg = decode_well();
	assert_int_equal(msg.kind, PGOUTPUT_RELATION);
	assert_false(msg.relation.fresh);
	table = msg.relation.table;
	assert_string_equal(table->schema, "public");
	assert_string_equal(table->name, "row");
	assert_true(table->slot == 0 && table->version == 1 && table->identity == IDENTITY_KEY);
	assert_true(table->column_count == 4 && table->key_count == 1 && table->key[0] == 0 && table->columns[0].key);
	assert_int_equal(table->columns[0].type, COLUMN_INT64);
	assert_true(table->columns[2].precision == 12 && table->columns[2].scale == 2);
	assert_string_equal(table->columns[2].source_type, "numeric(12,2)");
	assert_true(table->columns[3].type == COLUMN_ARRAY && table->columns[3].element_type == COLUMN_STRING);
	relation_frame(WHOLE_RELATION, "whole", 'f');
	msg = decode_well();
	table = msg.relation.table;
	assert_true(table->identity == IDENTITY_FULL && table->key_count == 1 && !table->columns[1].key);
	relation_frame(WHOLE_RELATION, "whole", 'x');
	check_refused(ERROR_DATA, "identity");
}

/* A new shape is a new table; the old one stays for what still points to it. */
static void test_versions(void **state)
{
	const struct table *old, *renamed;
	struct pgoutput_message msg;

	row_relation_frame();
	old = decode_well().relation.table;
	relation_frame(ROW_RELATION, "row", 'f');
	msg = decode_well();
	assert_true(msg.relation.fresh && msg.relation.table != old);
	assert_true(msg.relation.table->version == 2 && msg.relation.table->slot == 2 && old->version == 1);
	relation_frame(ROW_RELATION, "renamed", 'f');
	renamed = decode_well().relation.table;
	assert_int_equal(renamed->version, 1);
	relation_frame(20000, "row", 'd'); /* dropped and made again */
	msg = decode_well();
	assert_true(msg.relation.table->version == 3 && msg.relation.table->slot == 4);
	assert_int_equal(pgoutput_table_count(decoder), 5);
	insert_frame();
	assert_ptr_equal(decode_well().change.table, renamed);
	assert_string_equal(old->name, "row");
}

/* More relations than the hash began with, some with numbers that fall together. */
static void test_many_relations(void **state)
{
	char name[32];

	for (uint32_t i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof name, "many_%u", i);
		relation_frame(i * 4096, name, 'd');
		assert_true(decode_well().relation.fresh);
	}
	for (uint32_t i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof name, "many_%u", i);
		row_frame('D', i * 4096);
		PUT_ROW('K', "1", NULL, NULL, NULL);
		assert_string_equal(decode_well().change.table->name, name);
	}
}

/* Also of a row that cannot be decoded: who leaves the table out need not know. */
static void test_peek(void **state)
{
	relation_frame(16500, "one", 'd');
	assert_null(pgoutput_peek(decoder, frame.data, frame.len));
	assert_true(decode_well().relation.fresh);
	row_frame('D', 16500);
	assert_string_equal(pgoutput_peek(decoder, frame.data, frame.len)->name, "one");
	assert_null(pgoutput_peek(decoder, frame.data, 4));
	row_frame('I', 16501);
	assert_null(pgoutput_peek(decoder, frame.data, frame.len));
	start_frame('B');
	put_int(16500, 4);
	assert_null(pgoutput_peek(decoder, frame.data, frame.len));
}

/* A new decoder has room again, so the agent's next try goes on. */
static void test_too_many_relations(void **state)
{
	struct pgoutput_message message;

	int decoded = 0;

	for (int i = 0; i <= PGOUTPUT_TABLES_MAX && decoded == 0; i++) {
		relation_frame(16500, i % 2 == 0 ? "one" : "other", 'd');
		decoded = decode(&message);
	}
	assert_int_equal(decoded, -1);
	assert_non_null(strstr(err.text, "more than 100000 shapes"));
	assert_int_equal(err.class, ERROR_RETRY);
}

static void enum_relation_frame(uint32_t type)
{
	start_frame('R');
	put_int(16500, 4);
	put_string("");
	put_string("typed");
	buf_append_byte(&frame, 'd');
	put_int(1, 2);
	put_column(1, "kind", type, -1);
}

static void test_types(void **state)
{
	const struct table *table;
	struct pgoutput_message msg;

	enum_relation_frame(ENUM_OID);
	table = decode_well().relation.table;
	assert_string_equal(table->schema, "pg_catalog");
	assert_true(table->columns[0].type == COLUMN_ENUM && table->columns[0].label_count == 2);
	assert_string_equal(table->columns[0].labels[1], "work");
	assert_string_equal(table->columns[0].source_type, "contact_kind");
	/* The same message, but the enum has another label by now. */
	label_count = 3;
	msg = decode_well();
	assert_true(msg.relation.fresh && msg.relation.table->version == 2);
	assert_int_equal(table->columns[0].label_count, 2);
	/* The callback's own error, and the shape before it stands. */
	enum_relation_frame(ENUM_OID + 1);
	check_refused(ERROR_RETRY, "pg_catalog.typed: column kind: connection lost");
	row_frame('D', 16500);
	PUT_ROW('K', "home");
	assert_int_equal(decode_well().change.table->columns[0].label_count, 3);
}

static void test_insert(void **state)
{
	struct pgoutput_message msg;
	const struct value *row;

	insert_frame();
	msg = decode_well();
	assert_int_equal(msg.kind, PGOUTPUT_CHANGE);
	assert_true(msg.change.op == CHANGE_INSERT && msg.change.before == NULL && msg.change.lsn == 0x16B374D848);
	row = msg.change.after;
	assert_true(row[0].kind == VALUE_INT && row[0].i == INT64_MAX);
	check_text(&row[1], VALUE_TEXT, "a name");
	check_text(&row[2], VALUE_TEXT, "-12.30");
	assert_true(row[3].kind == VALUE_ARRAY && row[3].array.count == 3);
	check_text(&row[3].array.items[1], VALUE_TEXT, "b c");
	row_frame('I', ROW_RELATION);
	PUT_ROW('K', "1", NULL, NULL, NULL);
	check_refused(ERROR_DATA, "new row");
}

static void test_update(void **state)
{
	struct pgoutput_message msg;

	update_frame();
	msg = decode_well();
	assert_true(msg.change.op == CHANGE_UPDATE && msg.change.before_is_key && msg.change.before[0].i == 1);
	assert_int_equal(msg.change.before[1].kind, VALUE_NULL);
	assert_true(msg.change.after[0].i == 2 && msg.change.after[1].kind == VALUE_UNCHANGED);
	row_frame('U', ROW_RELATION);
	PUT_ROW('N', "2", "?", NULL, "{}");
	msg = decode_well();
	assert_null(msg.change.before);
	/* The whole old row tells what the new one leaves out. */
	whole_update_frame();
	msg = decode_well();
	assert_false(msg.change.before_is_key);
	check_text(&msg.change.after[1], VALUE_TEXT, "long");
	check_text(&msg.change.after[2], VALUE_EXACT, "NaN");
	assert_int_equal(msg.change.after[3].kind, VALUE_NULL);
	/* So does the old key, of the key. */
	row_frame('U', ROW_RELATION);
	PUT_ROW('K', "1", NULL, NULL, NULL);
	PUT_ROW('N', "?", "?", NULL, NULL);
	msg = decode_well();
	assert_true(msg.change.after[0].i == 1 && msg.change.after[1].kind == VALUE_UNCHANGED);
}

static void test_delete(void **state)
{
	struct pgoutput_message msg;

	delete_frame();
	msg = decode_well();
	assert_true(msg.change.op == CHANGE_DELETE && msg.change.before_is_key && msg.change.after == NULL);
	row_frame('D', WHOLE_RELATION);
	PUT_ROW('O', "1", "x", "1.00", NULL);
	msg = decode_well();
	assert_false(msg.change.before_is_key);
	row_frame('D', ROW_RELATION);
	PUT_ROW('N', "1", NULL, NULL, NULL);
	check_refused(ERROR_DATA, "without an old row");
}

static void test_truncate(void **state)
{
	struct pgoutput_message msg;

	truncate_frame();
	msg = decode_well();
	assert_true(msg.kind == PGOUTPUT_TRUNCATE && msg.truncate.count == 2);
	assert_string_equal(msg.truncate.changes[0].table->name, "whole");
	assert_string_equal(msg.truncate.changes[1].table->name, "row");
	for (size_t i = 0; i < 2; i++)
		assert_true(msg.truncate.changes[i].op == CHANGE_TRUNCATE && msg.truncate.changes[i].truncate_cascade &&
			msg.truncate.changes[i].truncate_restart_identity && msg.truncate.changes[i].lsn == 0x16B374D848);
}

static void test_message(void **state)
{
	struct pgoutput_message msg;

	message_frame();
	msg = decode_well();
	assert_true(msg.kind == PGOUTPUT_MESSAGE && msg.message.transactional && msg.message.lsn == 0x16B374D850);
	assert_string_equal(msg.message.prefix, "tailrace");
	assert_true(msg.message.content_len == 3 && memcmp(msg.message.content, "a\0b", 3) == 0);
}

static void test_ignored(void **state)
{
	origin_frame();
	assert_int_equal(decode_well().kind, PGOUTPUT_IGNORED);
	type_frame();
	assert_int_equal(decode_well().kind, PGOUTPUT_IGNORED);
}

/* ---- what is wrong ---- */

static void test_refused(void **state)
{
	for (const char *kind = "SEcA"; *kind != '\0'; kind++) {
		start_frame(*kind);
		check_refused(ERROR_CONFIG, "open transaction");
		assert_non_null(strstr(err.hint, "proto_version 1"));
	}
	for (const char *kind = "bPKrp"; *kind != '\0'; kind++) {
		start_frame(*kind);
		check_refused(ERROR_CONFIG, "two-phase");
	}
	start_frame('Z');
	check_refused(ERROR_DATA, "unknown pgoutput message 0x5a at 16/B374D848");
	buf_reset(&frame);
	check_refused(ERROR_DATA, "empty pgoutput message");
	row_frame('D', 99999);
	PUT_ROW('K', "1");
	check_refused(ERROR_DATA, "relation 99999, which no Relation message described");
	row_frame('I', ROW_RELATION);
	PUT_ROW('N', "1", NULL);
	check_refused(ERROR_DATA, "not as many columns");
	row_frame('I', ROW_RELATION);
	PUT_ROW('N', "12x", NULL, NULL, NULL);
	check_refused(ERROR_DATA, "public.row.id at 16/B374D848: 3 bytes of text are not an integer");
	row_frame('I', ROW_RELATION);
	buf_append_byte(&frame, 'N');
	put_int(4, 2);
	buf_append_byte(&frame, 'b');
	check_refused(ERROR_CONFIG, "public.row.id at 16/B374D848: column in binary format");
	start_frame('T');
	put_int(0x40000001, 4);
	put_int(0, 1);
	put_int(ROW_RELATION, 4);
	check_refused(ERROR_DATA, "not as many relations");
}

static void test_without_callbacks(void **state)
{
	struct pgoutput_decoder *full = decoder;

	assert_int_equal(pgoutput_new(NULL, &decoder, &err), 0);
	enum_relation_frame(ENUM_OID);
	check_refused(ERROR_DATA, "type 17000 is not built in");
	relation_frame(WHOLE_RELATION, "whole", 'f');
	assert_int_equal(decode_well().relation.table->key_count, 0);
	pgoutput_free(decoder);
	decoder = full;
}

/* Every frame, cut after every byte and with one byte more: an error, and nothing read beyond the end. */
static void test_cut(void **state)
{
	struct pgoutput_message msg;

	for (size_t i = 0; i < FRAME_COUNT; i++) {
		size_t whole;

		frames[i]();
		whole = frame.len;
		for (size_t len = 0; len < whole; len++) {
			frame.len = len;
			assert_int_equal(decode(&msg), -1);
			assert_int_equal(err.class, ERROR_DATA);
		}
		frame.len = whole;
		buf_append_byte(&frame, '\0');
		assert_int_equal(decode(&msg), -1);
		frame.len = whole;
		assert_int_equal(decode(&msg), 0);
	}
}

/* Every frame with every bit turned over: an error or another message, but never harm. */
static void test_broken(void **state)
{
	struct pgoutput_message msg;
	size_t refused = 0, taken = 0;

	for (size_t i = 0; i < FRAME_COUNT; i++) {
		size_t whole;

		frames[i]();
		whole = frame.len;
		for (size_t bit = 0; bit < whole * 8; bit++) {
			frames[i]();
			frame.data[bit / 8] ^= (char)(1 << (bit % 8));
			if (decode(&msg) < 0) {
				refused++;
				assert_true(err.class != ERROR_NONE && err.text[0] != '\0');
			} else {
				taken++;
			}
		}
		/* A broken Relation message may have been a sound one of another shape: put the right ones back. */
		relation_frame(ROW_RELATION, "row", 'd');
		(void)decode_well();
		relation_frame(WHOLE_RELATION, "whole", 'f');
		(void)decode_well();
	}
	assert_true(refused > 0 && taken > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_relations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peek, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_relations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_insert, setup, teardown),
		cmocka_unit_test_setup_teardown(test_update, setup, teardown),
		cmocka_unit_test_setup_teardown(test_delete, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_callbacks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
	};

	return cmocka_run_group_tests_name("capture/decode pgoutput", tests, NULL, NULL);
}
