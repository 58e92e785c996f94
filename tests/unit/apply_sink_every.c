/*
 * apply_sink_every.c: writes, errors and their names, transactions, fencing, a crash in mid-commit: in SQL that every server understands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/apply_sink_every.h"
#include "tests/unit/sink_fixture.h"
#include "tests/unit/values.h"

#define PLAIN "CREATE TABLE t.t (id int PRIMARY KEY, v text)"
#define AT_EVENT_1 " at 0/16B3748 event 1 of transaction 751:"

/* ---- writes ---- */

void rows_are_inserted_updated_moved_and_deleted(void **state)
{
	static const struct column columns[] = { { .name = "id", .type = COLUMN_INT32, .key = true },
		{ .name = "a", .type = COLUMN_STRING }, { .name = "b", .type = COLUMN_STRING } };
	struct value row[] = { INT(1), TEXT("a1"), TEXT("b1") };
	struct value changed[] = { INT(1), TEXT("a2"), UNCHANGED };
	struct value old[] = { INT(1), NOTHING, NOTHING }, moved[] = { INT(2), TEXT("a3"), UNCHANGED };
	struct value two[] = { INT(2), NOTHING, NOTHING };
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, a text, b text)");
	fixture_table(&f, "t", columns, 3);
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, changed, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, moved, old));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT CONCAT_WS(',', id, a, b) FROM t.t", "2,a3,b1");
	fixture_begin(&f, 2);
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, two, NULL, NULL));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT count(*) FROM t.t", "0");
	fixture_finish(&f);
}

/* Another set with each row; and each for so many rows that it wants to be prepared: there are more sets than room for them. */
void sets_of_columns_come_and_go(void **state)
{
	static const char *const names[] = { "id", "c1", "c2", "c3", "c4", "c5" };
	struct column columns[6];
	struct value row[6] = { INT(1), INT(0), INT(0), INT(0), INT(0), INT(0) };
	struct fixture f;

	for (size_t i = 0; i < 6; i++)
		columns[i] = (struct column){ .name = names[i], .type = COLUMN_INT32, .key = i == 0 };
	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, c1 int, c2 int, c3 int, c4 int, c5 int)");
	fixture_table(&f, "t", columns, 6);
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
	for (int together = 1; together <= 40; together += 39) {
		for (int n = 0; n < 32 * 40 * 2; n++) {
			for (int i = 0; i < 5; i++)
				row[i + 1] = (n / together % 32) >> i & 1 ? (struct value)INT(n + together) : (struct value)UNCHANGED;
			fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
		}
	}
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT CONCAT_WS(',', c1, c2, c3, c4, c5) FROM t.t", "2599,2599,2599,2599,2599");
	fixture_finish(&f);
}

/* ---- refusals ---- */

void a_refused_row_is_named(void **state)
{
	struct value row[] = { INT(42), TEXT("bad") }, gone[] = { INT(7), TEXT("x") };
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text, CONSTRAINT good CHECK (v <> 'bad')); INSERT INTO t.t VALUES (42, 'x')");
	fixture_prepare(&f);
	fixture_begin(&f, 23812936);
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	fixture_must(&f, fixture_insert(&f, 2, "b"));
	fixture_must(&f, fixture_insert(&f, 42, "c"));
	fixture_must(&f, fixture_insert(&f, 43, "d"));
	/* First in one statement: which row it was nobody knows yet. */
	fixture_refused_with(&f, fixture_commit(&f), ERROR_RETRY,
		"target refused an insert into t.t" AT_EVENT_1 "23812936 and 3 more rows: ", fixture_words.duplicate);
	assert_true(fixture_row_wise_until == 23812936);
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT count(*) FROM t.t", "1");
	fixture_begin(&f, 23812936);
	for (int i = 1; i <= 2; i++)
		fixture_must(&f, fixture_insert(&f, i, "a"));
	(void)fixture_insert(&f, 42, "c");
	fixture_refused_with(&f, fixture_commit(&f), ERROR_DATA,
		"target refused an insert into t.t at 0/16B3748 event 3 of transaction 751:23812936, key (id=42): ",
		fixture_words.duplicate);
	fixture_ops->abort(f.sink);
	/* And behind that position in runs again; an update is named at once. */
	fixture_begin(&f, 23812937);
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
	fixture_refused_with(&f, fixture_commit(&f), ERROR_DATA,
		"target refused an update of t.t" AT_EVENT_1 "23812937, key (id=42): ", "");
	assert_non_null(strstr(f.err.text, "good"));
	fixture_ops->abort(f.sink);
	fixture_begin(&f, 23812937);
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, gone, NULL));
	fixture_refused(&f, fixture_commit(&f), ERROR_DATA,
		"target refused an update of t.t" AT_EVENT_1 "23812937, key (id=7): no row with that key at the target");
	fixture_ops->abort(f.sink);
	gone[1] = (struct value)UNCHANGED;
	fixture_begin(&f, 23812937);
	fixture_refused(&f, fixture_change(&f, CHANGE_INSERT, NULL, gone, NULL), ERROR_DATA,
		"cannot write an insert into t.t" AT_EVENT_1 "23812937, key (id=7): column v has no value in the event");
	fixture_ops->abort(f.sink);
	fixture_begin(&f, 23812938);
	fixture_must(&f, fixture_insert(&f, 3, "d"));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT count(*) FROM t.t", "2");
	fixture_finish(&f);
}

/* The parent's move has moved the child at the target already, or has not (no foreign key at the source's own child). */
void a_cascade_may_have_moved_the_key_before(void **state)
{
	static const char both[] = "SELECT CONCAT_WS(' ', (SELECT CONCAT(o, n, v) FROM t.l WHERE n = 7), (SELECT CONCAT(o, n, v) FROM t.l WHERE n = 8))";
	static const struct column columns[] = {
		{ .name = "o", .type = COLUMN_INT32, .key = true, .source_type = "integer" },
		{ .name = "n", .type = COLUMN_INT32, .key = true, .source_type = "integer" },
		{ .name = "v", .type = COLUMN_STRING, .source_type = "text" }
	};
	struct value old_key[] = { INT(1), INT(7), NOTHING }, moved[] = { INT(2), INT(7), TEXT("x") };
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.o (id int PRIMARY KEY);"
		" CREATE TABLE t.l (o int, n int, v text, PRIMARY KEY (o, n), FOREIGN KEY (o) REFERENCES t.o (id) ON UPDATE CASCADE)");
	fixture_table(&f, "l", columns, 3);
	fixture_prepare(&f);
	fixture_run("INSERT INTO t.o VALUES (1); INSERT INTO t.l VALUES (1, 7, 'a'), (1, 8, 'b'); UPDATE t.o SET id = 2");
	fixture_begin(&f, 100);
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, moved, old_key));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect(both, "27x 28b");
	fixture_run("INSERT INTO t.o VALUES (1); UPDATE t.l SET o = 1, v = 'back'");
	fixture_begin(&f, 200);
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, moved, old_key));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect(both, "27x 18back");
	old_key[1].i = moved[1].i = 9; /* neither */
	fixture_begin(&f, 300);
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, moved, old_key));
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_DATA);
	fixture_finish(&f);
}

void an_error_in_a_long_transaction_is_seen_before_its_end(void **state)
{
	struct fixture f;
	long n = 0;

	fixture_start(&f, PLAIN);
	fixture_prepare(&f);
	fixture_row_wise_until = 1;
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_insert(&f, 5, "first"));
	while (fixture_insert(&f, n, "x") == 0)
		assert_true(++n < 20000);
	fixture_refused_with(&f, -1, ERROR_DATA,
		"target refused an insert into t.t at 0/16B3748 event 7 of transaction 751:1, key (id=5): ",
		fixture_words.duplicate);
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT count(*) FROM t.t", "0");
	fixture_finish(&f);
}

void waits_for_locks_end_in_a_retry(void **state)
{
	struct value row[] = { INT(1), TEXT("y") };
	struct fixture f;

	fixture_start(&f, PLAIN "; INSERT INTO t.t VALUES (1, 'x')");
	fixture_prepare(&f);
	fixture_run("BEGIN; UPDATE t.t SET v = 'z'");
	fixture_begin(&f, 9);
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
	fixture_refused_with(&f, fixture_commit(&f), ERROR_RETRY,
		"target refused an update of t.t" AT_EVENT_1 "9, key (id=1): ", fixture_words.lock_timeout);
	fixture_ops->abort(f.sink);
	/* A stop ends the wait, and nothing of the transaction stays. */
	fixture_begin(&f, 9);
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
	fixture_stopping = true;
	fixture_refused(&f, fixture_commit(&f), ERROR_RETRY, "interrupted");
	fixture_stopping = false;
	fixture_ops->abort(f.sink);
	assert_int_equal(fixture_ops->begin(f.sink, &f.err), -1);
	assert_int_equal(f.err.class, ERROR_RETRY);
	fixture_finish(&f);
	fixture_run("COMMIT");
	fixture_expect("SELECT v FROM t.t", "z");
}

void a_deadlock_is_a_retry(void **state)
{
	struct value one[] = { INT(1), TEXT("y") }, two[] = { INT(2), TEXT("y") };
	struct sink_options o = fixture_options();
	struct sink_position position;
	struct fixture f;
	char sql[200];

	fixture_start(&f, PLAIN "; INSERT INTO t.t VALUES (1, 'x'), (2, 'x'), (3, 'x'), (4, 'x'), (5, 'x')");
	fixture_finish(&f);
	o.lock_timeout_us = 20000000;
	fixture_must(&f, fixture_ops->open(&o, &f.sink, &position, &f.err));
	free(position.offsets);
	fixture_prepare(&f);
	(void)snprintf(sql, sizeof sql, "BEGIN; %s; UPDATE t.t SET v = 'z' WHERE id >= 2", fixture_words.victim);
	fixture_run(sql);
	fixture_begin(&f, 9);
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, one, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, two, NULL));
	(void)snprintf(sql, sizeof sql, "%s; UPDATE t.t SET v = 'z' WHERE id = 1; COMMIT", fixture_words.sleep);
	fixture_send(sql);
	fixture_refused_with(&f, fixture_commit(&f), ERROR_RETRY,
		"target refused an update of t.t at 0/16B3748 event 2 of transaction 751:9, key (id=2): ", fixture_words.deadlock);
	fixture_ops->abort(f.sink);
	fixture_receive();
	fixture_finish(&f);
	fixture_expect("SELECT CONCAT(MIN(v), MAX(v), COUNT(*)) FROM t.t", "zz5");
}

/* ---- positions, locks, epochs ---- */

void the_position_goes_with_the_rows(void **state)
{
	struct sink_options o = fixture_options();
	struct sink_position position,
		second = { .found = true, .log = "postgresql:7:1:crm", .transaction_id = "3:30", .commit = 30 };
	static char offsets[] = "crm.t 0 7\ncrm.it's 1 8\n";
	struct fixture f;

	fixture_start(&f, PLAIN);
	fixture_finish(&f);
	fixture_must(&f, fixture_ops->open(&o, &f.sink, &position, &f.err));
	assert_false(position.found);
	assert_null(position.offsets);
	assert_int_equal(position.epoch, 2);
	fixture_prepare(&f);
	fixture_begin(&f, 20);
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	second.offsets = offsets;
	fixture_must(&f, fixture_ops->commit(f.sink, &second, &f.err));
	fixture_begin(&f, 30);
	second = (struct sink_position){ .found = true,
		.log = "postgresql:7:1:crm",
		.transaction_id = "4:18446744073709551615",
		.commit = UINT64_MAX };
	fixture_must(&f, fixture_ops->commit(f.sink, &second, &f.err));
	fixture_finish(&f);
	fixture_must(&f, fixture_ops->open(&o, &f.sink, &position, &f.err));
	assert_true(position.found);
	assert_string_equal(position.log, "postgresql:7:1:crm");
	assert_string_equal(position.transaction_id, "4:18446744073709551615");
	assert_true(position.commit == UINT64_MAX);
	assert_int_equal(position.epoch, 3);
	assert_string_equal(position.offsets, offsets);
	free(position.offsets);
	fixture_finish(&f);
}

void one_agent_holds_the_target(void **state)
{
	struct sink_options o = fixture_options();
	struct sink_position position;
	struct sink *other;
	char held[200];
	struct fixture f;

	fixture_start(&f, PLAIN);
	fixture_prepare(&f);
	(void)snprintf(held, sizeof held, "target is held by another apply agent of pipeline \"crm\" (%s ", fixture_words.holder);
	fixture_refused_with(&f, fixture_ops->open(&o, &other, &position, &f.err), ERROR_RETRY, held, "");
	assert_null(strstr(f.err.text, "unknown"));
	o.name = "billing-with-a-name-that-is-longer-than-the-server-allows-for-1";
	fixture_must(&f, fixture_ops->open(&o, &other, &position, &f.err));
	free(position.offsets);
	fixture_ops->close(other);
	/* A zombie: its lock was lost without its knowledge, another has raised the epoch. */
	fixture_run("UPDATE tailrace.position SET epoch = epoch + 1 WHERE pipeline = 'crm'");
	fixture_begin(&f, 5);
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	fixture_refused(&f, fixture_commit(&f), ERROR_FENCED, "the position row was taken over by another apply agent");
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT count(*) FROM t.t", "0");
	fixture_finish(&f);
}

void a_lost_commit_is_found_out_by_the_position(void **state)
{
	const char *restart = getenv("SINK_TEST_RESTART");
	struct sink_options o = fixture_options();
	struct sink_position position;
	uint64_t done = 0;
	char want[32];
	struct fixture f;

	if (restart == NULL)
		skip();
	fixture_start(&f, PLAIN);
	for (int round = 1; round <= 2; round++) {
		fixture_prepare(&f);
		for (int n = 0; n < 20; n++) {
			fixture_begin(&f, ++done);
			fixture_must(&f, fixture_insert(&f, (int64_t)done, "a"));
			fixture_must(&f, fixture_commit(&f));
		}
		fixture_begin(&f, ++done);
		fixture_must(&f, fixture_insert(&f, (int64_t)done, "a"));
		assert_int_equal(system(restart), 0);
		assert_int_equal(fixture_commit(&f), -1);
		assert_int_equal(f.err.class, ERROR_RETRY);
		fixture_ops->abort(f.sink);
		fixture_finish(&f);
		fixture_connect();
		fixture_must(&f, fixture_ops->open(&o, &f.sink, &position, &f.err));
		free(position.offsets);
		/* Whatever the crash took, it took from both. */
		done = position.commit;
		(void)snprintf(want, sizeof want, "%d", (int)done);
		fixture_expect("SELECT count(*) FROM t.t", want);
	}
	fixture_finish(&f);
}

/* ---- shapes ---- */

void expect_shapes(const struct shape_case *bad, size_t bad_count, const char *const *good, size_t good_count)
{
	struct value row[] = { INT(7), TEXT("b") };
	struct fixture f;

	fixture_start(&f, "SELECT 1");
	for (size_t i = 0; i < bad_count; i++) {
		fixture_empty();
		fixture_run(bad[i].ddl);
		fixture_refused(&f, fixture_ops->prepare(f.sink, &f.mapping, &f.handle, &f.err), ERROR_CONFIG, bad[i].text);
	}
	for (size_t i = 0; i < good_count; i++) {
		fixture_empty();
		fixture_run(good[i]);
		fixture_prepare(&f);
		fixture_begin(&f, i + 1);
		fixture_must(&f, fixture_insert(&f, 7, "a"));
		fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
		fixture_must(&f, fixture_commit(&f));
		fixture_expect("SELECT CONCAT(id, v) FROM t.t", "7b");
	}
	fixture_finish(&f);
}

void expect_labels(const char *const *labels, const char *ddl, const char *text, const char *alter)
{
	const struct column columns[] = { { .name = "id", .type = COLUMN_INT32, .key = true },
		{ .name = "v", .type = COLUMN_ENUM, .source_type = "mood", .labels = labels, .label_count = 2 } };
	struct fixture f;

	fixture_start(&f, ddl);
	fixture_table(&f, "t", columns, 2);
	fixture_refused(&f, fixture_ops->prepare(f.sink, &f.mapping, &f.handle, &f.err), ERROR_CONFIG, text);
	fixture_run(alter);
	fixture_prepare(&f);
	fixture_finish(&f);
}
