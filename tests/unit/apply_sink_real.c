/*
 * The PostgreSQL target against a real server, beside what every target must do: values, keys, triggers and constraints that are its own,
 * shapes and grants.
 *
 * sink_postgres_real.sh starts the server (sink_fixture.h). Each test has a schema of its own, "t". The user is a superuser but for the
 * tests of grants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "apply/sink.h"
#include "tests/unit/apply_sink_every.h"
#include "tests/unit/apply_sink_real.h"
#include "tests/unit/sink_fixture.h"
#include "tests/unit/values.h"

/* ---- writes ---- */

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

/* The server does not know that a row must be there: nothing may be durable when it is not. */
static void a_row_that_is_not_there_takes_all_back(void **state)
{
	struct fixture f;
	struct value gone[] = { INT(7), TEXT("y") }, key[] = { INT(8), NOTHING };

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v text)");
	fixture_prepare(&f);
	fixture_begin(&f, 100);
	fixture_must(&f, fixture_insert(&f, 1, "before"));
	fixture_must(&f, fixture_commit(&f));
	for (int i = 0; i < 2; i++) {
		fixture_begin(&f, 200);
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
	fixture_must(&f, fixture_insert(&f, 4, "a"));
	fixture_must(&f, fixture_insert(&f, 5, "b"));
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_RETRY);
	assert_true(fixture_row_wise_until == 300);
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT transaction_id FROM tailrace.position", "751:100");
	fixture_expect("SELECT string_agg(id::text, ',') FROM t.t", "1");
	fixture_begin(&f, 300);
	fixture_must(&f, fixture_insert(&f, 4, "a"));
	fixture_must(&f, fixture_insert(&f, 5, "b"));
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_DATA);
	assert_non_null(strstr(f.err.text, "id=5"));
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT transaction_id FROM tailrace.position", "751:100");
	fixture_run("DROP TRIGGER d ON t.t; INSERT INTO t.t VALUES (7, 'x')");
	fixture_begin(&f, 300);
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
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, one, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, two, NULL));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT string_agg(v, ',' ORDER BY id) FROM t.t", "2,3");
	fixture_begin(&f, 200);
	fixture_must(&f, fixture_insert(&f, 3, "3"));
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_DATA);
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT transaction_id FROM tailrace.position", "751:100");
	fixture_finish(&f);
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
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, row, NULL, NULL));
	fixture_table(&f, "u", two_columns, 2);
	fixture_prepare(&f);
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, row, NULL, NULL));
	fixture_must(&f, fixture_commit(&f));
	(void)parent;
	fixture_finish(&f);
}

/* ---- positions, locks, epochs ---- */

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
	fixture_must(&f, fixture_insert(&f, 1, "still there"));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'tailrace%'",
		"tailrace-apply crm");
	fixture_finish(&f);
}

/* ---- shapes and grants ---- */

static void a_shape_that_does_not_fit_is_refused(void **state)
{
	static const struct shape_case bad[] = {
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

	expect_shapes(bad, sizeof bad / sizeof bad[0], good, sizeof good / sizeof good[0]);
}

static void a_missing_label_is_refused(void **state)
{
	static const char *const labels[] = { "a", "b \"c\"" };

	expect_labels(labels, "CREATE TYPE t.mood AS ENUM ('a'); CREATE TABLE t.t (id int PRIMARY KEY, v t.mood)",
		"the enum of column v of target table t.t has no label \"b \"c\"\"", "ALTER TYPE t.mood ADD VALUE 'b \"c\"'");
}

static void operators_of_other_schemas_are_found(void **state)
{
	static const struct column columns[] = {
		{ .name = "id", .type = COLUMN_STRING, .key = true, .source_type = "public.citext" },
		{ .name = "v", .type = COLUMN_STRING }
	};
	struct value row[] = { TEXT("Key"), TEXT("a") }, same[] = { TEXT("Key"), TEXT("b") };
	struct fixture f;

	if (!fixture_try("CREATE EXTENSION IF NOT EXISTS citext SCHEMA public"))
		skip();
	fixture_start(&f, "CREATE TABLE t.t (id public.citext PRIMARY KEY, v text)");
	fixture_table(&f, "t", columns, 2);
	fixture_prepare(&f);
	fixture_begin(&f, 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY_TARGET_TESTS,
		cmocka_unit_test(every_type_arrives_equal),
		cmocka_unit_test(a_value_that_only_mysql_has_is_refused_by_name),
		cmocka_unit_test(a_json_of_mysql_goes_into_jsonb),
		cmocka_unit_test(rows_without_a_key_are_found_whole),
		cmocka_unit_test(truncates_that_belong_together_are_one),
		cmocka_unit_test(a_row_that_is_not_there_takes_all_back),
		cmocka_unit_test(deferrable_constraints_are_checked_at_the_commit),
		cmocka_unit_test(a_cascade_may_have_deleted_the_row_before),
		cmocka_unit_test(the_session_is_ours),
		cmocka_unit_test(a_shape_that_does_not_fit_is_refused),
		cmocka_unit_test(a_missing_label_is_refused),
		cmocka_unit_test(operators_of_other_schemas_are_found),
		cmocka_unit_test(what_a_person_has_to_mend_is_configuration),
		cmocka_unit_test(a_secret_is_asked_for_and_checked),
	};

	return fixture_is_there() ? cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down) : 77;
}
