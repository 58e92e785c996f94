/*
 * The PostgreSQL target against a real server: values, writes, errors and their names, transactions, fencing, a crash
 * in mid-commit.
 *
 * sink_postgres_real.sh starts the server and says where it is: SINK_TEST_HOST, SINK_TEST_PORT, SINK_TEST_RESTART (a
 * command that crashes and restarts it). Each test has a schema of its own, "t". The user is a superuser but for the
 * tests of grants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <math.h>

#include "apply/sink.h"
#include "tests/unit/sink_fixture.h"
#include "tests/unit/values.h"
#include "tests/unit/apply_sink_real.h"

/* ---- writes ---- */

static void rows_are_inserted_updated_moved_and_deleted(void **state)
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
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, changed, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, moved, old));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT t::text FROM t.t t", "(2,a3,b1)");
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, two, NULL, NULL));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT count(*) FROM t.t", "0");
	fixture_finish(&f);
}

static void sets_of_columns_come_and_go(void **state)
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
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
	for (int n = 0; n < 3000; n++) {
		for (int i = 0; i < 5; i++)
			row[i + 1] = (n % 32) >> i & 1 ? (struct value)INT(n) : (struct value)UNCHANGED;
		fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
	}
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT t::text FROM t.t t", "(1,2999,2999,2999,2991,2999)");
	fixture_finish(&f);
}

static void rows_without_a_key_are_found_whole(void **state)
{
	static const struct column columns[] = { { .name = "a", .type = COLUMN_DECIMAL },
		{ .name = "b", .type = COLUMN_JSON } };
	struct value row[] = { TEXT("1.0"), TEXT("{}") }, other[] = { TEXT("1.00"), TEXT("{}") },
		     third[] = { NOTHING, TEXT("[]") };
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (a numeric, b json)");
	fixture_table(&f, "t", columns, 2);
	f.table.identity = IDENTITY_FULL;
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, other, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, other, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, other, NULL, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, other, third, NULL));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT string_agg(t::text, ' ' ORDER BY a) FROM t.t t", "(1.0,{}) (,[])");
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, other, NULL, NULL));
	fixture_refused(&f, fixture_commit(&f), ERROR_DATA,
		"target refused a delete from t.t at 0/16B3748 event 6 of transaction 751:1: no row with that key at the target");
	fixture_ops->abort(f.sink);
	fixture_finish(&f);
}

static void truncates_that_belong_together_are_one(void **state)
{
	struct fixture f;
	void *first;

	fixture_start(&f,
		"CREATE TABLE t.t (id int PRIMARY KEY, v text); CREATE TABLE t.u (id int PRIMARY KEY REFERENCES t.t, v text)");
	fixture_prepare(&f);
	first = f.handle;
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	fixture_table(&f, "u", two_columns, 2);
	fixture_prepare(&f); /* in a transaction, with a row waiting */
	fixture_must(&f, fixture_insert(&f, 1, "b"));
	fixture_must(&f, fixture_change(&f, CHANGE_TRUNCATE, NULL, NULL, NULL));
	f.handle = first;
	fixture_must(&f, fixture_change(&f, CHANGE_TRUNCATE, NULL, NULL, NULL));
	fixture_must(&f, fixture_insert(&f, 2, "c"));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT (SELECT string_agg(v, ',') FROM t.t) || (SELECT count(*) FROM t.u)", "c0");
	fixture_finish(&f);
}

/* ---- refusals ---- */

static void a_refused_row_is_named(void **state)
{
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text CHECK (v <> 'bad')); INSERT INTO t.t VALUES (42, 'x')");
	fixture_prepare(&f);
	fixture_begin(&f, 23812936);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	fixture_must(&f, fixture_insert(&f, 2, "b"));
	fixture_must(&f, fixture_insert(&f, 42, "c"));
	fixture_must(&f, fixture_insert(&f, 43, "d"));
	/* First in one statement: which row it was nobody knows yet. */
	fixture_refused(&f, fixture_commit(&f), ERROR_RETRY,
		"target refused an insert into t.t at 0/16B3748 event 1 of transaction 751:23812936 and 3 more rows: "
		"duplicate key value violates unique constraint \"t_pkey\" (23505)");
	assert_int_equal(fixture_row_wise_until, 23812936);
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT count(*) FROM t.t", "1");
	fixture_begin(&f, 23812936);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	for (int i = 1; i <= 2; i++)
		fixture_must(&f, fixture_insert(&f, i, "a"));
	(void)fixture_insert(&f, 42, "c");
	fixture_refused(&f, fixture_commit(&f), ERROR_DATA,
		"target refused an insert into t.t at 0/16B3748 event 3 of transaction 751:23812936, key (id=42): "
		"duplicate key value violates unique constraint \"t_pkey\" (23505)");
	fixture_ops->abort(f.sink);
	/* And behind that position in runs again; an update is named at once. */
	fixture_begin(&f, 23812937);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	{
		struct value row[] = { INT(42), TEXT("bad") }, gone[] = { INT(7), TEXT("x") };

		fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
		fixture_refused(&f, fixture_commit(&f), ERROR_DATA,
			"target refused an update of t.t at 0/16B3748 event 1 of transaction 751:23812937, key (id=42): "
			"new row for relation \"t\" violates check constraint \"t_v_check\" (23514)");
		fixture_ops->abort(f.sink);
		fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
		fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, gone, NULL));
		fixture_refused(&f, fixture_commit(&f), ERROR_DATA,
			"target refused an update of t.t at 0/16B3748 event 2 of transaction 751:23812937, key (id=7): "
			"no row with that key at the target");
		fixture_ops->abort(f.sink);
		gone[1] = (struct value)UNCHANGED;
		fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
		fixture_refused(&f, fixture_change(&f, CHANGE_INSERT, NULL, gone, NULL), ERROR_DATA,
			"cannot write an insert into t.t at 0/16B3748 event 3 of "
			"transaction 751:23812937, key (id=7): column v has no value in the event");
		fixture_ops->abort(f.sink);
	}
	fixture_begin(&f, 23812938);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 3, "d"));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT count(*) FROM t.t", "2");
	fixture_finish(&f);
}

/* The server does not know that a row must be there: nothing may be durable when it is not. */
static void a_row_that_is_not_there_takes_all_back(void **state)
{
	struct fixture f;
	struct value gone[] = { INT(7), TEXT("y") }, key[] = { INT(8), NOTHING };

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text)");
	fixture_prepare(&f);
	fixture_begin(&f, 100);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 1, "before"));
	fixture_must(&f, fixture_commit(&f));
	for (int i = 0; i < 2; i++) {
		fixture_begin(&f, 200);
		fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
		fixture_must(&f, fixture_insert(&f, 2, "in the same"));
		if (i == 0)
			fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, gone, NULL));
		else
			fixture_must(&f, fixture_change(&f, CHANGE_DELETE, key, NULL, NULL));
		fixture_refused(&f, fixture_commit(&f), ERROR_DATA, i == 0 ?
			"target refused an update of t.t at 0/16B3748 event 2 of transaction 751:200, key (id=7): no "
			"row with that key at the target" :
			"target refused a delete from t.t at 0/16B3748 event 2 of transaction 751:200, key (id=8): no "
			"row with that key at the target");
		fixture_ops->abort(f.sink);
		fixture_expect("SELECT transaction_id FROM tailrace.position", "751:100");
		fixture_expect("SELECT string_agg(id::text, ',') FROM t.t", "1");
	}
	/* Rows that a trigger drops. */
	fixture_run("CREATE FUNCTION t.drop_it() RETURNS trigger LANGUAGE plpgsql AS"
	    " 'BEGIN IF NEW.id = 5 THEN RETURN NULL; END IF; RETURN NEW; END'");
	fixture_run("CREATE TRIGGER d BEFORE INSERT ON t.t FOR EACH ROW EXECUTE FUNCTION t.drop_it()");
	fixture_begin(&f, 300);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 4, "a"));
	fixture_must(&f, fixture_insert(&f, 5, "b"));
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_RETRY);
	assert_true(fixture_row_wise_until == 300);
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT transaction_id FROM tailrace.position", "751:100");
	fixture_expect("SELECT string_agg(id::text, ',') FROM t.t", "1");
	fixture_begin(&f, 300);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 4, "a"));
	fixture_must(&f, fixture_insert(&f, 5, "b"));
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_DATA);
	assert_non_null(strstr(f.err.text, "id=5"));
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT transaction_id FROM tailrace.position", "751:100");
	fixture_run("DROP TRIGGER d ON t.t; INSERT INTO t.t VALUES (7, 'x')");
	fixture_begin(&f, 300);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 5, "b"));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, gone, NULL));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT transaction_id FROM tailrace.position", "751:300");
	fixture_expect("SELECT string_agg(id::text || v, ',' ORDER BY id) FROM t.t", "1before,5b,7y");
	fixture_finish(&f);
}

/* The source's UPDATE t SET place = place + 1 comes row by row. */
static void deferrable_constraints_are_checked_at_the_commit(void **state)
{
	struct fixture f;
	struct value one[] = { INT(1), TEXT("2") }, two[] = { INT(2), TEXT("3") };

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text UNIQUE DEFERRABLE)");
	fixture_prepare(&f);
	fixture_run("INSERT INTO t.t VALUES (1, '1'), (2, '2')");
	fixture_begin(&f, 100);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, one, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, two, NULL));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT string_agg(v, ',' ORDER BY id) FROM t.t", "2,3");
	fixture_begin(&f, 200);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 3, "3"));
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_DATA);
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT transaction_id FROM tailrace.position", "751:100");
	fixture_finish(&f);
}

/* The parent's move has moved the child at the target already, or has not (no foreign key at the source's own child). */
static void a_cascade_may_have_moved_the_key_before(void **state)
{
	static const struct column columns[] = {
		{ .name = "o", .type = COLUMN_INT32, .key = true, .source_type = "integer" },
		{ .name = "n", .type = COLUMN_INT32, .key = true, .source_type = "integer" },
		{ .name = "v", .type = COLUMN_STRING, .source_type = "text" }
	};
	struct value old_key[] = { INT(1), INT(7), NOTHING }, moved[] = { INT(2), INT(7), TEXT("x") };
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.o (id int PRIMARY KEY);"
		  " CREATE TABLE t.l (o int REFERENCES t.o ON UPDATE CASCADE, n int, v text, PRIMARY KEY (o, n))");
	fixture_table(&f, "l", columns, 3);
	fixture_prepare(&f);
	fixture_run("INSERT INTO t.o VALUES (1); INSERT INTO t.l VALUES (1, 7, 'a'), (1, 8, 'b')");
	fixture_run("UPDATE t.o SET id = 2");
	fixture_begin(&f, 100);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, moved, old_key));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT string_agg(l::text, ' ' ORDER BY n) FROM t.l", "(2,7,x) (2,8,b)");
	fixture_run("INSERT INTO t.o VALUES (1); UPDATE t.l SET o = 1, v = 'back'");
	fixture_begin(&f, 200);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, moved, old_key));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT string_agg(l::text, ' ' ORDER BY n) FROM t.l", "(2,7,x) (1,8,back)");
	old_key[1].i = moved[1].i = 9; /* neither */
	fixture_begin(&f, 300);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, moved, old_key));
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_DATA);
	fixture_finish(&f);
}

static void an_error_in_a_long_transaction_is_seen_before_its_end(void **state)
{
	struct fixture f;
	long n = 0;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text)");
	fixture_prepare(&f);
	fixture_row_wise_until = 1;
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 5, "first"));
	while (fixture_insert(&f, n, "x") == 0)
		assert_true(++n < 20000);
	assert_int_equal(f.err.class, ERROR_DATA);
	assert_non_null(strstr(f.err.text, "event 7 of transaction 751:1, key (id=5): duplicate key"));
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT count(*) FROM t.t", "0");
	fixture_finish(&f);
}

static void waits_for_locks_end_in_a_retry(void **state)
{
	struct value row[] = { INT(1), TEXT("y") };
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text); INSERT INTO t.t VALUES (1, 'x')");
	fixture_prepare(&f);
	fixture_run("BEGIN; UPDATE t.t SET v = 'z'");
	fixture_begin(&f, 9);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
	fixture_refused(&f, fixture_commit(&f), ERROR_RETRY,
		"target refused an update of t.t at 0/16B3748 event 1 of transaction 751:9, key (id=1): "
		"canceling statement due to lock timeout (55P03)");
	fixture_ops->abort(f.sink);
	/* A stop ends the wait, and nothing of the transaction stays. */
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
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

static void a_deadlock_is_a_retry(void **state)
{
	struct value one[] = { INT(1), TEXT("y") }, two[] = { INT(2), TEXT("y") };
	struct sink_options o = fixture_options();
	struct sink_position position;
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text); INSERT INTO t.t VALUES (1, 'x'), (2, 'x')");
	fixture_finish(&f);
	o.lock_timeout_us = 0;
	fixture_must(&f, fixture_ops->open(&o, &f.sink, &position, &f.err));
	fixture_prepare(&f);
	fixture_begin(&f, 9);
	fixture_run("BEGIN; SET LOCAL deadlock_timeout = '10s'; UPDATE t.t SET v = 'z' WHERE id = 2");
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, one, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, two, NULL));
	fixture_table(&f, "u", two_columns, 2);
	fixture_run("CREATE TABLE t.u (id int PRIMARY KEY, v text)");
	assert_int_equal(PQsendQuery(fixture_admin, "SELECT pg_sleep(0.3); UPDATE t.t SET v = 'z' WHERE id = 1; COMMIT"), 1);
	fixture_refused(&f, fixture_commit(&f), ERROR_RETRY,
		"target refused an update of t.t at 0/16B3748 event 2 of transaction 751:9, key (id=2): "
		"deadlock detected (40P01)");
	fixture_ops->abort(f.sink);
	for (PGresult *result; (result = PQgetResult(fixture_admin)) != NULL;)
		PQclear(result);
	fixture_finish(&f);
	fixture_expect("SELECT string_agg(v, '') FROM t.t", "zz");
}

static void a_cascade_may_have_deleted_the_row_before(void **state)
{
	struct value row[] = { INT(1), NOTHING };
	struct fixture f;
	void *parent;

	fixture_start(&f,
		"CREATE TABLE t.t (id int PRIMARY KEY, v text); CREATE TABLE t.u (id int PRIMARY KEY REFERENCES t.t ON DELETE CASCADE, v text);"
		" INSERT INTO t.t VALUES (1); INSERT INTO t.u VALUES (1)");
	fixture_prepare(&f);
	parent = f.handle;
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, row, NULL, NULL));
	fixture_table(&f, "u", two_columns, 2);
	fixture_prepare(&f);
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, row, NULL, NULL));
	fixture_must(&f, fixture_commit(&f));
	(void)parent;
	fixture_finish(&f);
}

/* ---- positions, locks, epochs ---- */

static void the_position_goes_with_the_rows(void **state)
{
	struct sink_options o = fixture_options();
	struct sink_position position,
		second = { .found = true, .log = "postgresql:7:1:crm", .transaction_id = "3:30", .commit = 30 };
	static char offsets[] = "crm.t 0 7\n";
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text)");
	fixture_finish(&f);
	fixture_must(&f, fixture_ops->open(&o, &f.sink, &position, &f.err));
	assert_false(position.found);
	assert_null(position.offsets);
	assert_int_equal(position.epoch, 2);
	fixture_prepare(&f);
	fixture_begin(&f, 20);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	second.offsets = offsets;
	fixture_must(&f, fixture_ops->commit(f.sink, &second, &f.err));
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
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

static void the_session_is_ours(void **state)
{
	struct fixture f;

	fixture_run("ALTER DATABASE postgres SET datestyle = 'SQL, DMY'; ALTER DATABASE postgres SET default_transaction_isolation = 'serializable';"
	    " ALTER DATABASE postgres SET timezone = 'Asia/Tokyo'; ALTER DATABASE postgres SET statement_timeout = '1ms'");
	memset(&f, 0, sizeof f);
	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text)");
	fixture_run("ALTER DATABASE postgres RESET ALL");
	fixture_run("ALTER DATABASE postgres SET idle_session_timeout = '200ms'"); /* from PostgreSQL 14 on */
	fixture_finish(&f);
	fixture_open(&f);
	fixture_run("ALTER DATABASE postgres RESET ALL");
	fixture_prepare(&f);
	(void)usleep(400000);
	fixture_begin(&f, 100);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 1, "still there"));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'tailrace%'",
		"tailrace-apply crm");
	fixture_finish(&f);
}

static void one_agent_holds_the_target(void **state)
{
	struct sink_options o = fixture_options();
	struct sink_position position;
	struct sink *other;
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text)");
	fixture_prepare(&f);
	assert_int_equal(fixture_ops->open(&o, &other, &position, &f.err), -1);
	assert_int_equal(f.err.class, ERROR_RETRY);
	assert_non_null(
		strstr(f.err.text, "target is held by another apply agent of pipeline \"crm\" (server process "));
	assert_null(strstr(f.err.text, "unknown"));
	o.name = "billing";
	fixture_must(&f, fixture_ops->open(&o, &other, &position, &f.err));
	fixture_ops->close(other);
	/* A zombie: its lock was lost without its knowledge, another has raised the epoch. */
	fixture_run("UPDATE tailrace.position SET epoch = epoch + 1 WHERE pipeline = 'crm'");
	fixture_begin(&f, 5);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	fixture_refused(&f, fixture_commit(&f), ERROR_FENCED, "the position row was taken over by another apply agent");
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT count(*) FROM t.t", "0");
	fixture_finish(&f);
}

static void a_lost_commit_is_found_out_by_the_position(void **state)
{
	const char *restart = getenv("SINK_TEST_RESTART");
	struct sink_options o = fixture_options();
	struct sink_position position;
	uint64_t done = 0;
	char want[32];
	struct fixture f;

	if (restart == NULL)
		skip();
	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text)");
	for (int round = 1; round <= 3; round++) {
		fixture_prepare(&f);
		for (int n = 0; n < 20; n++) {
			fixture_begin(&f, ++done);
			fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
			fixture_must(&f, fixture_insert(&f, (int64_t)done, "a"));
			fixture_must(&f, fixture_commit(&f));
		}
		fixture_begin(&f, ++done);
		fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
		fixture_must(&f, fixture_insert(&f, (int64_t)done, "a"));
		assert_int_equal(system(restart), 0);
		assert_int_equal(fixture_commit(&f), -1);
		assert_int_equal(f.err.class, ERROR_RETRY);
		fixture_ops->abort(f.sink);
		fixture_finish(&f);
		fixture_connect();
		fixture_must(&f, fixture_ops->open(&o, &f.sink, &position, &f.err));
		/* Whatever the crash took, it took from both. */
		done = position.commit;
		(void)snprintf(want, sizeof want, "%d", (int)done);
		fixture_expect("SELECT count(*) FROM t.t", want);
	}
	fixture_finish(&f);
}

/* ---- shapes and grants ---- */

static void a_shape_that_does_not_fit_is_refused(void **state)
{
	static const struct {
		const char *ddl, *text;
	} cases[] = {
		{ "SELECT 1", "target table t.t is missing" },
		{ "CREATE VIEW t.t AS SELECT 1 AS id, ''::text AS v", "target t.t is not a table" },
		{ "CREATE TABLE t.t (id int PRIMARY KEY, w text)", "target table t.t has no column \"v\"" },
		{ "CREATE TABLE t.t (id int PRIMARY KEY, v int)",
			"column v of target table t.t is integer, which does not hold every value of the source's text" },
		{ "CREATE TABLE t.t (id smallint PRIMARY KEY, v text)",
			"column id of target table t.t is smallint, which does not hold every value of the source's integer" },
		{ "CREATE TABLE t.t (id int, v text)",
			"target table t.t has no unique index over exactly the key of t.t (with column id)" },
		{ "CREATE TABLE t.t (id int, v text, PRIMARY KEY (id, v))",
			"target table t.t has no unique index over exactly the key of t.t (with column id)" },
		{ "CREATE TABLE t.t (id int, v text); CREATE UNIQUE INDEX ON t.t (id) WHERE id > 0",
			"target table t.t has no unique index over exactly the key of t.t (with column id)" },
		{ "CREATE TABLE t.t (id int PRIMARY KEY, v text GENERATED ALWAYS AS ('x') STORED)",
			"column v of target table t.t is generated and cannot be written" },
		{ "CREATE TABLE t.t (id int PRIMARY KEY, v text, w int NOT NULL)",
			"column w of target table t.t is NOT NULL without a default, and no source column goes there" },
	};
	static const char *const good[] = {
		"CREATE TABLE t.t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)",
		"CREATE TABLE t.t (id bigint NOT NULL, v varchar, w int NOT NULL DEFAULT 1, x int GENERATED ALWAYS AS (w + 1) STORED);"
		" CREATE UNIQUE INDEX ON t.t (id) INCLUDE (v)",
		"CREATE TABLE t.t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
		" CREATE TABLE t.p PARTITION OF t.t FOR VALUES FROM (1) TO (100)",
		"CREATE DOMAIN t.key AS int; CREATE DOMAIN t.key2 AS t.key CHECK (value > 0); CREATE TABLE t.t (id t.key2 PRIMARY KEY, v text)",
	};
	struct value row[] = { INT(7), TEXT("b") };
	struct fixture f;

	fixture_start(&f, "SELECT 1");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		fixture_run("DROP SCHEMA t CASCADE; CREATE SCHEMA t");
		fixture_run(cases[i].ddl);
		fixture_refused(&f, fixture_ops->prepare(f.sink, &f.mapping, &f.handle, &f.err), ERROR_CONFIG, cases[i].text);
	}
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		fixture_run("DROP SCHEMA t CASCADE; CREATE SCHEMA t");
		fixture_run(good[i]);
		fixture_prepare(&f);
		fixture_begin(&f, i + 1);
		fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
		fixture_must(&f, fixture_insert(&f, 7, "a"));
		fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
		fixture_must(&f, fixture_commit(&f));
		fixture_expect("SELECT id || v FROM t.t", "7b");
	}
	fixture_finish(&f);
}

static void a_missing_label_is_refused(void **state)
{
	static const char *const labels[] = { "a", "b \"c\"" };
	static const struct column columns[] = { { .name = "id", .type = COLUMN_INT32, .key = true },
		{ .name = "v", .type = COLUMN_ENUM, .source_type = "mood", .labels = labels, .label_count = 2 } };
	struct fixture f;

	fixture_start(&f, "CREATE TYPE t.mood AS ENUM ('a'); CREATE TABLE t.t (id int PRIMARY KEY, v t.mood)");
	fixture_table(&f, "t", columns, 2);
	fixture_refused(&f, fixture_ops->prepare(f.sink, &f.mapping, &f.handle, &f.err), ERROR_CONFIG,
		"the enum of column v of target table t.t has no label \"b \"c\"\"");
	fixture_run("ALTER TYPE t.mood ADD VALUE 'b \"c\"'");
	fixture_prepare(&f);
	fixture_finish(&f);
}

static void operators_of_other_schemas_are_found(void **state)
{
	static const struct column columns[] = {
		{ .name = "id", .type = COLUMN_STRING, .key = true, .source_type = "public.citext" },
		{ .name = "v", .type = COLUMN_STRING }
	};
	struct value row[] = { TEXT("Key"), TEXT("a") }, same[] = { TEXT("Key"), TEXT("b") };
	PGresult *result = PQexec(fixture_admin, "CREATE EXTENSION IF NOT EXISTS citext SCHEMA public");
	bool there = PQresultStatus(result) == PGRES_COMMAND_OK;
	struct fixture f;

	PQclear(result);
	if (!there)
		skip();
	fixture_start(&f, "CREATE TABLE t.t (id public.citext PRIMARY KEY, v text)");
	fixture_table(&f, "t", columns, 2);
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, same, NULL));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT t::text FROM t.t t", "(Key,b)");
	fixture_finish(&f);
}

static void what_a_person_has_to_mend_is_configuration(void **state)
{
	struct sink_options o = fixture_options();
	struct sink_position position;
	struct fixture f;
	struct sink *sink;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text)");
	fixture_finish(&f);
	fixture_run("DROP SCHEMA tailrace CASCADE; DROP ROLE IF EXISTS poor; CREATE ROLE poor LOGIN");
	o.user = "poor";
	fixture_refused(&f, fixture_ops->open(&o, &sink, &position, &f.err), ERROR_CONFIG,
		"position table tailrace.position is missing and cannot be made: "
		"target refused: permission denied for database postgres (42501)");
	assert_non_null(
		strstr(f.err.hint, "CREATE TABLE IF NOT EXISTS tailrace.position (pipeline text PRIMARY KEY, "));
	assert_non_null(strstr(f.err.hint, "GRANT SELECT, INSERT, UPDATE ON tailrace.position TO \"poor\""));
	fixture_run("CREATE SCHEMA tailrace; CREATE TABLE tailrace.position (pipeline text PRIMARY KEY, epoch bigint NOT NULL, log text, "
	    "transaction_id text, commit_position numeric(20), offsets text, updated_at timestamptz) WITH (fillfactor = 50);"
	    "GRANT USAGE ON SCHEMA tailrace TO poor; GRANT SELECT, INSERT, UPDATE ON tailrace.position TO poor");
	fixture_must(&f, fixture_ops->open(&o, &f.sink, &position, &f.err));
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_CONFIG);
	fixture_ops->abort(f.sink);
	fixture_run("GRANT USAGE ON SCHEMA t TO poor; GRANT SELECT, INSERT, UPDATE, DELETE ON t.t TO poor");
	fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	fixture_must(&f, fixture_commit(&f));
	fixture_finish(&f);
	fixture_run("DROP OWNED BY poor; DROP ROLE poor");
	o = fixture_options();
	o.dbname = "nowhere";
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &f.err), -1);
	assert_int_equal(f.err.class, ERROR_CONFIG);
	assert_non_null(strstr(f.err.text, "database \"nowhere\" does not exist (3D000)"));
	o = fixture_options();
	o.user = "nobody_of_that_name";
	o.password = "sesame";
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &f.err), -1);
	assert_int_equal(f.err.class, ERROR_CONFIG);
	assert_null(strstr(f.err.text, "sesame"));
	o = fixture_options();
	o.port = 1;
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &f.err), -1);
	assert_int_equal(f.err.class, ERROR_RETRY);
}

static void a_secret_is_asked_for_and_checked(void **state)
{
	struct sink_options o = fixture_options();
	struct sink_position position;
	struct error err = ERROR_INIT;
	struct sink *sink;

	fixture_run("DROP ROLE IF EXISTS scram_user; CREATE ROLE scram_user LOGIN SUPERUSER PASSWORD 'right'");
	o.user = "scram_user";
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
	o.password = "wrong";
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "password authentication failed for user \"scram_user\" (28P01)"));
	o.password = "right";
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &err), 0);
	free(position.offsets);
	fixture_ops->close(sink);
}

static int set_up(void **state)
{
	fixture_connect();
	return 0;
}

static int tear_down(void **state)
{
	PQfinish(fixture_admin);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_arrives_equal),
		cmocka_unit_test(a_value_that_only_mysql_has_is_refused_by_name),
		cmocka_unit_test(the_spelling_of_types_tells_mysql),
		cmocka_unit_test(rows_are_inserted_updated_moved_and_deleted),
		cmocka_unit_test(sets_of_columns_come_and_go),
		cmocka_unit_test(rows_without_a_key_are_found_whole),
		cmocka_unit_test(truncates_that_belong_together_are_one),
		cmocka_unit_test(a_refused_row_is_named),
		cmocka_unit_test(a_row_that_is_not_there_takes_all_back),
		cmocka_unit_test(deferrable_constraints_are_checked_at_the_commit),
		cmocka_unit_test(a_cascade_may_have_moved_the_key_before),
		cmocka_unit_test(an_error_in_a_long_transaction_is_seen_before_its_end),
		cmocka_unit_test(waits_for_locks_end_in_a_retry),
		cmocka_unit_test(a_deadlock_is_a_retry),
		cmocka_unit_test(a_cascade_may_have_deleted_the_row_before),
		cmocka_unit_test(the_position_goes_with_the_rows),
		cmocka_unit_test(the_session_is_ours),
		cmocka_unit_test(one_agent_holds_the_target),
		cmocka_unit_test(a_lost_commit_is_found_out_by_the_position),
		cmocka_unit_test(a_shape_that_does_not_fit_is_refused),
		cmocka_unit_test(a_missing_label_is_refused),
		cmocka_unit_test(operators_of_other_schemas_are_found),
		cmocka_unit_test(what_a_person_has_to_mend_is_configuration),
		cmocka_unit_test(a_secret_is_asked_for_and_checked),
	};

	if (getenv("SINK_TEST_PORT") == NULL)
		return 77;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
