/*
 * What all targets share: the mapped columns and the key, which columns an update sets, what an event lacks, and how a change and
 * what the target says of it are named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "apply/sink_statement.h"
#include "apply/sink_table.h"
#include "apply/sink_text.h"
#include "tests/unit/values.h"

static const struct column columns[] = { { .name = "a", .type = COLUMN_INT32, .key = true },
	{ .name = "b", .type = COLUMN_STRING, .key = true }, { .name = "c", .type = COLUMN_TIMESTAMP } };
static const size_t key[] = { 0, 1 };
static const struct table source = { .schema = "s", .name = "t", .columns = columns, .column_count = 3, .key = key, .key_count = 2 };

static void quote(struct buf *out, const char *name)
{
	sink_put_quoted(out, name, strlen(name), '|');
}

static struct sink_mapping map(const struct sink_column *to, size_t count)
{
	return (struct sink_mapping){ .table = &source, .target_schema = "x|y", .target_table = "u", .columns = to, .column_count = count };
}

static void make(struct sink_table *table)
{
	static const struct sink_column to[] = { { 2, "when" }, { 0, "id" }, { 1, "b" } };
	struct sink_mapping mapping = map(to, 3);
	struct error err = ERROR_INIT;

	assert_int_equal(sink_table_init(table, &mapping, quote, &err), 0);
}

static void a_table_has_its_names_and_its_key(void **state)
{
	struct sink_table table;
	struct buf sql;

	make(&table);
	assert_string_equal(table.name, "x|y.u");
	assert_string_equal(table.quoted, "|x||y|.|u|");
	assert_int_equal(table.key_count, 2);
	assert_int_equal(table.key[0], 1);
	assert_int_equal(table.key[1], 2);
	assert_true(table.columns[1].key && table.columns[2].key && !table.columns[0].key);
	assert_true(sink_table_has(&table, "when") && !sink_table_has(&table, "c"));
	assert_true(sink_table_has_key(&table, "id") && !sink_table_has_key(&table, "when"));
	buf_init(&sql, 100);
	sink_table_list(&table, false, &sql);
	sink_table_list(&table, true, &sql);
	assert_string_equal(buf_cstr(&sql), "(|when|,|id|,|b|)(|id|,|b|)");
	buf_release(&sql);
	sink_table_release(&table);
}

static void a_mapping_without_the_key_is_refused(void **state)
{
	static const struct sink_column twice[] = { { 0, "id" }, { 1, "b" }, { 1, "c" } };
	static const struct {
		size_t count;
		const char *text;
	} cases[] = { { 0, "0 columns are mapped to target table x|y.u" },
		{ 1, "column b of s.t is part of its key but is not written to the target" },
		{ 3, "a key column of s.t is mapped twice" } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct sink_mapping mapping = map(twice, cases[i].count);
		struct error err = ERROR_INIT;
		struct sink_table table;

		assert_int_equal(sink_table_init(&table, &mapping, quote, &err), -1);
		assert_int_equal(err.class, ERROR_CONFIG);
		assert_string_equal(err.text, cases[i].text);
		sink_table_release(&table);
	}
}

static void an_update_sets_what_it_has_values_for(void **state)
{
	static const struct value old[] = { INT(1), TEXT("k"), NOTHING };
	static const struct {
		struct value after[3];
		bool fixed;
		uint64_t set; /* of when, id, b */
		size_t count;
		bool moves;
	} cases[] = { { { INT(1), TEXT("k"), INT(5) }, false, 1, 1, false }, { { INT(1), TEXT("m"), INT(5) }, false, 5, 2, true },
		{ { INT(1), TEXT("m"), UNCHANGED }, false, 4, 1, true }, { { INT(1), TEXT("k"), UNCHANGED }, false, 2, 1, false },
		{ { INT(1), TEXT("k"), UNCHANGED }, true, 4, 1, false } };
	struct sink_table table;

	make(&table);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct sink_set set, want = { { cases[i].set } };
		bool moves;

		table.columns[1].fixed = cases[i].fixed;
		assert_int_equal(sink_choose_columns(&table, cases[i].after, old, &set, &moves), cases[i].count);
		assert_true(sink_set_equal(&set, &want, SINK_COLUMNS_MAX));
		assert_int_equal(moves, cases[i].moves);
	}
	sink_table_release(&table);
}

static void an_event_that_lacks_something_is_refused(void **state)
{
	static const struct value row[] = { INT(1), TEXT("k"), INT(5) }, partial[] = { INT(1), TEXT("k"), UNCHANGED },
				  nameless[] = { INT(1), UNCHANGED, INT(5) };
	static const struct {
		enum change_op op;
		const struct value *before, *after, *old_key;
		bool has_key;
		const char *text; /* NULL: all is there */
	} cases[] = { { CHANGE_INSERT, NULL, row, NULL, true, NULL }, { CHANGE_READ, NULL, row, NULL, true, NULL },
		{ CHANGE_INSERT, row, NULL, NULL, true, "the event has no row" },
		{ CHANGE_INSERT, NULL, partial, NULL, true, "column when has no value in the event" },
		{ CHANGE_UPDATE, NULL, partial, NULL, true, NULL }, { CHANGE_UPDATE, row, NULL, NULL, true, "the event has no new row" },
		{ CHANGE_UPDATE, NULL, row, NULL, false, "the table has no key and the event no old row" },
		{ CHANGE_UPDATE, nameless, row, NULL, true, "column b, which identifies the row, has no value in the event" },
		{ CHANGE_UPDATE, nameless, row, row, true, NULL },
		{ CHANGE_UPDATE, partial, row, NULL, false, "column when, which identifies the row, has no value in the event" },
		{ CHANGE_DELETE, row, NULL, NULL, true, NULL }, { CHANGE_DELETE, row, NULL, NULL, false, NULL },
		{ CHANGE_DELETE, NULL, row, NULL, true, "the event does not identify its row" },
		{ CHANGE_DELETE, NULL, NULL, row, false, "the event does not identify its row" } };
	struct sink_table table;

	make(&table);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct change chg = { .op = cases[i].op, .before = cases[i].before, .after = cases[i].after };
		struct error err = ERROR_INIT;
		const struct value *identity;

		table.key_count = cases[i].has_key ? 2 : 0;
		identity = sink_identity(&table, &chg, cases[i].old_key);
		assert_int_equal(sink_check_event(&table, &chg, cases[i].old_key, identity, &err), cases[i].text == NULL ? 0 : -1);
		assert_string_equal(err.text, cases[i].text != NULL ? cases[i].text : "");
		assert_int_equal(err.class, cases[i].text != NULL ? ERROR_DATA : ERROR_NONE);
	}
	sink_table_release(&table);
}

static struct sink_place place_of(const struct sink_table *table, const char *file, const struct value *row)
{
	struct change chg = { .op = CHANGE_UPDATE, .lsn = file != NULL ? 4 : 0, .file = file, .index = 3 };
	struct transaction txn = { .id = "751:4096", .commit = 4096 };
	struct sink_place place;
	struct buf scratch;

	buf_init(&scratch, 4096);
	sink_place_set(&place, table, &chg, row, &txn, &scratch);
	buf_release(&scratch);
	return place;
}

static void a_change_is_named(void **state)
{
	static const char file[] = "a-binlog-whose-name-is-longer-than-there-is-room-for-in-a-message.000007";
	struct value row[] = { INT(-7), TEXT("one\ntwo"), NOTHING };
	struct error err = ERROR_INIT;
	struct sink_place place;
	struct sink_table table;
	char longest[400];

	make(&table);
	place = place_of(&table, NULL, row);
	(void)error_set(&err, ERROR_DATA, "why");
	assert_int_equal(sink_cannot_write(sink_verb(CHANGE_UPDATE), &table, &place, &err), -1);
	assert_string_equal(err.text, "cannot write an update of x|y.u at 0/1000 event 3 of transaction 751:4096, key (id=-7, b=one?two): why");
	place = place_of(&table, file, NULL);
	(void)error_set(&err, ERROR_DATA, "why");
	assert_int_equal(sink_cannot_write(sink_verb(CHANGE_DELETE), &table, &place, &err), -1);
	assert_string_equal(err.text, "cannot write a delete from x|y.u at a-binlog-whose-name-is-longer-than-there-is-room-for-in-a-messa:4"
				      " event 3 of transaction 751:4096: why");
	/* Cut, and not in the middle of a character. */
	memset(longest, 'x', sizeof longest);
	for (size_t i = 1; i + 1 < sizeof longest; i += 2)
		memcpy(longest + i, "\xc3\xa4", 2);
	row[1].text.ptr = longest;
	row[1].text.len = sizeof longest;
	place = place_of(&table, NULL, row);
	assert_int_equal(strlen(place.key), SINK_KEY_MAX - 2);
	assert_memory_equal(place.key + SINK_KEY_MAX - 4, "\xc3\xa4", 3);
	row[1] = (struct value)UNCHANGED;
	place = place_of(&table, NULL, row);
	assert_string_equal(place.key, "id=-7, b=NULL");
	sink_table_release(&table);
}

static void rows_are_counted(void **state)
{
	static const struct {
		enum change_op op;
		uint32_t rows;
		bool maybe_none;
		uint64_t touched;
		enum error_class class; /* ERROR_NONE: all is well */
		const char *text, *hint;
	} cases[] = { { CHANGE_INSERT, 4, false, 4, ERROR_NONE, "", "" }, { CHANGE_DELETE, 4, true, 1, ERROR_NONE, "", "" },
		{ CHANGE_UPDATE, 1, false, 2, ERROR_DATA, "target changed 2 rows by an update of t at 0/5 event 6 of transaction 1:9, key (id=8)", "" },
		{ CHANGE_DELETE, 1, true, 2, ERROR_DATA, "target changed 2 rows by a delete from t at 0/5 event 6 of transaction 1:9, key (id=8)", "" },
		{ CHANGE_INSERT, 1, false, 0, ERROR_DATA, "target took 0 of 1 rows of an insert into t at 0/5 event 6 of transaction 1:9, key (id=8)",
			"a trigger" },
		{ CHANGE_DELETE, 4, false, 3, ERROR_RETRY, "target took 3 of 4 rows of a delete from t at 0/5 event 6 of transaction 1:9 and 3 more rows",
			"the same transactions are written again row by row, which names the row" },
		{ CHANGE_UPDATE, 1, false, 0, ERROR_DATA,
			"target refused an update of t at 0/5 event 6 of transaction 1:9, key (id=8): no row with that key at the target",
			"the target was changed by somebody else; put the row back, then resume" } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct sink_statement statement = { .kind = SINK_WRITE, .maybe_none = cases[i].maybe_none, .rows = cases[i].rows,
			.verb = sink_verb(cases[i].op), .table = "t", .last_commit = 77,
			.first = { .lsn = 5, .index = 6, .commit = 9, .transaction_id = "1:9", .key = "id=8" } };
		uint64_t row_wise_until = 10;
		struct sink_refusal refusal = { .row_wise_until = &row_wise_until };
		struct error err = ERROR_INIT;

		sink_check_rows(&refusal, &statement, cases[i].touched, "a trigger");
		assert_int_equal(sink_refusal_check(&refusal, &err), cases[i].class == ERROR_NONE ? 0 : -1);
		assert_int_equal(err.class, cases[i].class);
		assert_string_equal(err.text, cases[i].text);
		assert_string_equal(err.hint, cases[i].hint);
		assert_true(row_wise_until == (cases[i].class == ERROR_RETRY ? 77 : 10));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_has_its_names_and_its_key),
		cmocka_unit_test(a_mapping_without_the_key_is_refused),
		cmocka_unit_test(an_update_sets_what_it_has_values_for),
		cmocka_unit_test(an_event_that_lacks_something_is_refused),
		cmocka_unit_test(a_change_is_named),
		cmocka_unit_test(rows_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
