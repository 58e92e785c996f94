/*
 * The MySQL and MariaDB target against a real server, beside what every target must do: long runs in bulk, truncates, a killed connection
 * and server, shapes and grants. sink_mysql_real.sh starts the servers (sink_fixture.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/apply_sink_every.h"
#include "tests/unit/sink_fixture.h"
#include "tests/unit/values.h"

#define PLAIN "CREATE TABLE t.t (id int PRIMARY KEY, v varchar(100))"

/* ---- writes ---- */

/* Long runs of each kind, with values in between that can only go as text, and a key of two columns. */
static void long_runs_keep_their_order(void **state)
{
	static const struct column columns[] = { { .name = "a", .type = COLUMN_INT32, .key = true },
		{ .name = "b", .type = COLUMN_STRING, .key = true, .source_type = "varchar(20)" },
		{ .name = "d", .type = COLUMN_DATE }, { .name = "n", .type = COLUMN_INT64 } };
	static const struct value partial = EXACT("2026-02-31");
	struct value row[] = { INT(0), TEXT("k'"), INT(20000), INT(0) };
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (a int, b varchar(20), d date, n bigint, PRIMARY KEY (b, a))");
	fixture_table(&f, "t", columns, 4);
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < 12000; i++) {
			row[0] = (struct value)INT(i);
			row[2] = i % 977 == 5 ? partial : (struct value)INT(20000 + i % 100);
			row[3] = (struct value)INT(i);
			fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
		}
		for (int i = 0; i < 12000; i++) {
			row[0] = (struct value)INT(i);
			row[2] = i % 1500 == 7 ? partial : (struct value)INT(round);
			row[3] = (struct value)INT(i + round);
			fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
		}
		for (int i = 0; i < 12000 && round < 3; i++) {
			row[0] = (struct value)INT(i);
			fixture_must(&f, fixture_change(&f, CHANGE_DELETE, row, NULL, NULL));
		}
	}
	assert_true(fixture_ops->queued(f.sink) < 1 << 20);
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT CONCAT_WS(',', COUNT(*), SUM(n - a), SUM(d = '1970-01-04'), SUM(d = '2026-02-31')) FROM t.t",
		"12000,36000,11992,8");
	fixture_finish(&f);
}

static void rows_without_a_key_are_found_whole(void **state)
{
	static const struct column columns[] = { { .name = "a", .type = COLUMN_STRING, .source_type = "varchar(9)" },
		{ .name = "b", .type = COLUMN_JSON } };
	struct value row[] = { TEXT("a"), TEXT("{}") }, other[] = { TEXT("A"), TEXT("{}") }, third[] = { NOTHING, TEXT("[]") },
		     padded[] = { TEXT("A "), TEXT("{}") };
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (a varchar(9), b json)");
	fixture_table(&f, "t", columns, 2);
	f.table.identity = IDENTITY_FULL;
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, other, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, other, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, padded, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, other, NULL, NULL));
	fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, other, third, NULL));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT GROUP_CONCAT(COALESCE(HEX(a), '-'), b ORDER BY HEX(a)) FROM t.t", "-[],4120{},61{}");
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, other, NULL, NULL));
	fixture_refused(&f, fixture_commit(&f), ERROR_DATA,
		"target refused a delete from t.t at 0/16B3748 event 1 of transaction 751:1: no row with that key at the target");
	fixture_ops->abort(f.sink);
	fixture_finish(&f);
}

static void truncates_that_belong_together_are_ordered(void **state)
{
	struct fixture f;
	void *first, *second;

	fixture_start(&f, PLAIN "; CREATE TABLE t.u (id int PRIMARY KEY, v text, FOREIGN KEY (id) REFERENCES t.t (id))");
	fixture_prepare(&f);
	first = f.handle;
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	fixture_table(&f, "u", two_columns, 2);
	fixture_prepare(&f); /* in a transaction, with a row waiting */
	second = f.handle;
	fixture_must(&f, fixture_insert(&f, 1, "b"));
	f.handle = first;
	fixture_must(&f, fixture_change(&f, CHANGE_TRUNCATE, NULL, NULL, NULL));
	f.handle = second;
	fixture_must(&f, fixture_change(&f, CHANGE_TRUNCATE, NULL, NULL, NULL));
	f.handle = first;
	fixture_must(&f, fixture_insert(&f, 2, "c"));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT CONCAT((SELECT GROUP_CONCAT(v) FROM t.t), (SELECT COUNT(*) FROM t.u))", "c0");
	/* And back with the transaction: no commit hides in it. */
	fixture_begin(&f, 2);
	fixture_must(&f, fixture_change(&f, CHANGE_TRUNCATE, NULL, NULL, NULL));
	fixture_must(&f, fixture_insert(&f, 3, "d"));
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT GROUP_CONCAT(v) FROM t.t", "c");
	fixture_finish(&f);
}

/* ---- refusals ---- */

/* A row in the way under another unique key is an error, never replaced or skipped; as text and in bulk. */
static void no_row_is_swallowed(void **state)
{
	char text[24];
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v varchar(100) UNIQUE); INSERT INTO t.t VALUES (100000, 'v70')");
	fixture_prepare(&f);
	for (int from = 0; from <= 70; from += 70) {
		fixture_begin(&f, 5);
		fixture_row_wise_until = 0;
		for (int i = from; i < 90; i++) {
			(void)snprintf(text, sizeof text, "v%d", i);
			fixture_must(&f, fixture_insert(&f, i, text));
		}
		assert_int_equal(fixture_commit(&f), -1);
		assert_int_equal(f.err.class, ERROR_RETRY);
		assert_non_null(strstr(f.err.text, "Duplicate entry 'v70' for key "));
		assert_true(fixture_row_wise_until == 5);
		fixture_ops->abort(f.sink);
		fixture_expect("SELECT GROUP_CONCAT(id, v) FROM t.t", "100000v70");
	}
	fixture_begin(&f, 5);
	for (int i = 0; i < 90; i++) {
		(void)snprintf(text, sizeof text, "v%d", i);
		if (fixture_insert(&f, i, text) < 0)
			break;
	}
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_DATA);
	assert_non_null(strstr(f.err.text, "event 71 of transaction 751:5, key (id=70): Duplicate entry 'v70'"));
	fixture_ops->abort(f.sink);
	fixture_finish(&f);
}

/* The server does not know that a row must be there: nothing may be durable when it is not. */
static void a_row_that_is_not_there_takes_all_back(void **state)
{
	struct value row[] = { INT(7), TEXT("y") };
	struct fixture f;

	fixture_start(&f, PLAIN);
	fixture_prepare(&f);
	fixture_begin(&f, 100);
	for (int i = 0; i < 200; i++)
		fixture_must(&f, fixture_insert(&f, i, "before"));
	fixture_must(&f, fixture_commit(&f));
	for (int i = 0; i < 4; i++) {
		enum change_op op = i % 2 == 0 ? CHANGE_UPDATE : CHANGE_DELETE;
		int count = i < 2 ? 1 : 150; /* alone, or one of many */

		fixture_begin(&f, 200);
		fixture_row_wise_until = 0;
		for (row[0].i = 201 - count; row[0].i < 201; row[0].i++)
			fixture_must(&f, fixture_change(&f, op, op == CHANGE_DELETE ? row : NULL, op == CHANGE_UPDATE ? row : NULL, NULL));
		assert_int_equal(fixture_commit(&f), -1);
		if (f.err.class == ERROR_RETRY) {
			assert_int_equal(count, 150);
			assert_true(fixture_row_wise_until == 200);
			assert_non_null(strstr(f.err.text, "target took "));
		} else {
			assert_int_equal(f.err.class, ERROR_DATA);
			assert_non_null(strstr(f.err.text, "key (id=200): no row with that key at the target"));
		}
		fixture_ops->abort(f.sink);
		fixture_expect("SELECT transaction_id FROM tailrace.position", "751:100");
		fixture_expect("SELECT COUNT(*) FROM t.t WHERE v = 'before'", "200");
	}
	/* An update that changes nothing has found its row. */
	fixture_begin(&f, 300);
	row[0].i = 7;
	row[1] = (struct value)TEXT("before");
	for (int i = 0; i < 100; i++)
		fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
	fixture_must(&f, fixture_commit(&f));
	fixture_finish(&f);
}

static void a_cascade_may_have_deleted_the_row_before(void **state)
{
	struct sink_options o = fixture_options();
	struct value row[] = { INT(1), NOTHING };
	struct sink_position position;
	struct fixture f;

	fixture_start(&f, PLAIN "; CREATE TABLE t.u (id int PRIMARY KEY, v text, FOREIGN KEY (id) REFERENCES t.t (id) ON DELETE CASCADE)");
	fixture_finish(&f);
	/* To a user with grants on tables alone, MariaDB's information_schema does not show foreign keys. */
	fixture_run("INSERT INTO t.t VALUES (1, ''); INSERT INTO t.u VALUES (1, ''); DROP USER IF EXISTS poor@localhost;"
		    " CREATE USER poor@localhost IDENTIFIED BY 'sesame'; GRANT ALL ON tailrace.* TO poor@localhost;"
		    " GRANT SELECT, INSERT, UPDATE, DELETE ON t.t TO poor@localhost; GRANT SELECT, INSERT, UPDATE, DELETE ON t.u TO poor@localhost");
	o.user = "poor";
	o.password = "sesame";
	o.dbname = "t";
	fixture_must(&f, fixture_ops->open(&o, &f.sink, &position, &f.err));
	free(position.offsets);
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, row, NULL, NULL));
	fixture_table(&f, "u", two_columns, 2);
	fixture_prepare(&f);
	fixture_must(&f, fixture_change(&f, CHANGE_DELETE, row, NULL, NULL));
	fixture_must(&f, fixture_commit(&f));
	fixture_finish(&f);
}

/* ---- positions, locks, epochs ---- */

static void the_session_is_ours(void **state)
{
	struct value row[] = { INT(0), TEXT("a\\'b") };
	struct fixture f;

	fixture_run("SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE; SET GLOBAL sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT',"
		    " GLOBAL time_zone = '+09:00', GLOBAL autocommit = 1, GLOBAL innodb_lock_wait_timeout = 50, GLOBAL wait_timeout = 3,"
		    " GLOBAL foreign_key_checks = 0, GLOBAL completion_type = 2, GLOBAL sql_safe_updates = 1");
	fixture_start(&f, "CREATE TABLE t.t (id int AUTO_INCREMENT PRIMARY KEY, v varchar(100), u timestamp DEFAULT CURRENT_TIMESTAMP)");
	fixture_run("SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET GLOBAL sql_mode = DEFAULT,"
		    " GLOBAL time_zone = DEFAULT, GLOBAL autocommit = DEFAULT, GLOBAL innodb_lock_wait_timeout = DEFAULT, GLOBAL wait_timeout = DEFAULT,"
		    " GLOBAL foreign_key_checks = DEFAULT, GLOBAL completion_type = DEFAULT, GLOBAL sql_safe_updates = DEFAULT");
	fixture_prepare(&f);
	for (int i = 0; i < 2; i++) {
		fixture_begin(&f, 100);
		fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
		fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
		if (i == 0)
			fixture_ops->abort(f.sink);
	}
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT CONCAT(id, v) FROM t.t", "0a\\'b");
	fixture_finish(&f);
}

static void a_killed_connection_is_a_retry(void **state)
{
	struct fixture f;

	fixture_start(&f, PLAIN);
	fixture_prepare(&f);
	fixture_begin(&f, 5);
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	fixture_run("SET @id = (SELECT IS_USED_LOCK('tailrace.crm.ed44d677')); SET @sql = CONCAT('KILL ', @id);"
		    " PREPARE k FROM @sql; EXECUTE k");
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_RETRY);
	fixture_ops->abort(f.sink);
	assert_int_equal(fixture_ops->begin(f.sink, &f.err), -1);
	fixture_finish(&f);
	fixture_expect("SELECT count(*) FROM t.t", "0");
}

static void a_stop_ends_the_connecting(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sink_options o = fixture_options();
	socklen_t size = sizeof address;
	int silent = socket(AF_INET, SOCK_STREAM, 0);
	struct error err = ERROR_INIT;
	struct sink_position position;
	struct sink *sink;

	assert_int_equal(bind(silent, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(silent, 1), 0);
	assert_int_equal(getsockname(silent, (struct sockaddr *)&address, &size), 0);
	o.hostname = "127.0.0.1";
	o.port = ntohs(address.sin_port);
	fixture_stopping = true;
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &err), -1);
	fixture_stopping = false;
	assert_int_equal(err.class, ERROR_RETRY);
	assert_string_equal(err.text, "interrupted");
	(void)close(silent);
}

static void a_server_that_dies_in_the_middle_is_a_retry(void **state)
{
	const char *restart = getenv("SINK_TEST_RESTART");
	struct fixture f;
	int n = 0;

	if (restart == NULL)
		skip();
	fixture_start(&f, PLAIN);
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	while (n < 30000)
		fixture_must(&f, fixture_insert(&f, n++, "first half"));
	assert_int_equal(system(restart), 0);
	while (fixture_insert(&f, n, "second half") == 0)
		assert_true(++n < 200000);
	assert_int_equal(f.err.class, ERROR_RETRY);
	assert_non_null(strstr(f.err.text, "connection to the target was lost"));
	fixture_ops->abort(f.sink);
	fixture_finish(&f);
	fixture_connect();
	fixture_expect("SELECT count(*) FROM t.t", "0");
}

/* ---- shapes and grants ---- */

static void a_shape_that_does_not_fit_is_refused(void **state)
{
	static const struct shape_case bad[] = {
		{ "SELECT 1", "target table t.t is missing" },
		{ "CREATE VIEW t.t AS SELECT 1 AS id, '' AS v", "target t.t is not a table" },
		{ "CREATE TABLE t.t (id int PRIMARY KEY, v text) ENGINE=MyISAM", "target table t.t is of engine MyISAM, which has no transactions" },
		{ "CREATE TABLE t.t (id int PRIMARY KEY, w text)", "target table t.t has no column \"v\"" },
		{ "CREATE TABLE t.t (id int PRIMARY KEY, v double)",
			"column v of target table t.t is double, which does not hold every value of the source's text" },
		{ "CREATE TABLE t.t (id int PRIMARY KEY, v char(10))",
			"column v of target table t.t is char(10), which does not hold every value of the source's text" },
		{ "CREATE TABLE t.t (id int, v text)",
			"target table t.t has no unique index over exactly the key of t.t (with column id)" },
		{ "CREATE TABLE t.t (id int, v varchar(9), PRIMARY KEY (id, v), UNIQUE (v))",
			"target table t.t has no unique index over exactly the key of t.t (with column id)" },
		{ "CREATE TABLE t.t (id int PRIMARY KEY, v varchar(10) AS ('x') STORED)",
			"column v of target table t.t is generated and cannot be written" },
		{ "CREATE TABLE t.t (id int PRIMARY KEY, v text, w int NOT NULL)",
			"column w of target table t.t is NOT NULL without a default, and no source column goes there" },
	};
	static const char *const good[] = {
		"CREATE TABLE t.t (id int PRIMARY KEY AUTO_INCREMENT, v text)",
		"CREATE TABLE t.t (id bigint NOT NULL, v varchar(10), w int NOT NULL DEFAULT 1, x int AS (w + 1) STORED, UNIQUE (id))",
		"CREATE TABLE t.t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (100))",
		"CREATE TABLE t.t (v tinytext, id decimal(10,0), n int NOT NULL AUTO_INCREMENT PRIMARY KEY, UNIQUE (id))",
	};

	expect_shapes(bad, sizeof bad / sizeof bad[0], good, sizeof good / sizeof good[0]);
}

static void a_missing_label_is_refused(void **state)
{
	static const char *const labels[] = { "a", "b 'c'" };

	expect_labels(labels, "CREATE TABLE t.t (id int PRIMARY KEY, v enum('a','b'))",
		"the enum of column v of target table t.t has no label \"b 'c'\"", "ALTER TABLE t.t MODIFY v enum('a','b','b ''c''')");
}

static void what_a_person_has_to_mend_is_configuration(void **state)
{
	struct sink_options o = fixture_options();
	struct sink_position position;
	struct fixture f;
	struct sink *sink;

	fixture_start(&f, PLAIN);
	fixture_finish(&f);
	fixture_run("DROP DATABASE tailrace; DROP USER IF EXISTS poor@localhost; CREATE USER poor@localhost IDENTIFIED BY 'sesame'");
	o.user = "poor";
	o.password = "sesame";
	o.dbname = "";
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &f.err), -1);
	assert_int_equal(f.err.class, ERROR_CONFIG);
	assert_non_null(strstr(f.err.text, "position table tailrace.position is missing and cannot be made: target refused: "));
	assert_non_null(strstr(f.err.hint, "CREATE TABLE IF NOT EXISTS tailrace.`position` (pipeline VARCHAR(63)"));
	assert_non_null(strstr(f.err.hint, "GRANT SELECT, INSERT, UPDATE ON tailrace.`position` TO the agent's user"));
	fixture_open(&f);
	fixture_finish(&f);
	fixture_run("GRANT SELECT, INSERT, UPDATE ON tailrace.position TO poor@localhost; GRANT SELECT ON t.* TO poor@localhost");
	for (int i = 0; i < 50 && fixture_ops->open(&o, &f.sink, &position, &f.err) < 0; i++)
		(void)usleep(100000);
	assert_non_null(f.sink);
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_CONFIG);
	assert_non_null(strstr(f.err.text, "INSERT command denied"));
	fixture_finish(&f);
	o.password = "mustard";
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &f.err), -1);
	assert_int_equal(f.err.class, ERROR_CONFIG);
	assert_non_null(strstr(f.err.text, "Access denied for user 'poor'@'localhost' (using password: YES) (1045)"));
	assert_null(strstr(f.err.text, "mustard"));
	fixture_run("DROP USER poor@localhost");
	o = fixture_options();
	o.dbname = "nowhere";
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &f.err), -1);
	assert_int_equal(f.err.class, ERROR_CONFIG);
	assert_non_null(strstr(f.err.text, "Unknown database 'nowhere' (1049)"));
	o = fixture_options();
	o.type = fixture_is_mariadb() ? "mysql" : "mariadb";
	fixture_refused(&f, fixture_ops->open(&o, &sink, &position, &f.err), ERROR_CONFIG, fixture_is_mariadb() ?
		"the target is MariaDB, but database.type is \"mysql\"" :
		"the target is MySQL, but database.type is \"mariadb\"");
	o = fixture_options();
	o.hostname = "127.0.0.1";
	o.port = 1;
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &f.err), -1);
	assert_int_equal(f.err.class, ERROR_RETRY);
}

static void a_read_only_server_is_named(void **state)
{
	struct sink_options o = fixture_options();
	struct sink_position position;
	struct sink *sink;
	struct fixture f;

	fixture_start(&f, PLAIN);
	fixture_finish(&f);
	fixture_run("DROP USER IF EXISTS plain@localhost; CREATE USER plain@localhost;"
		    " GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO plain@localhost; SET GLOBAL read_only = 1");
	o.user = "plain";
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &f.err), -1);
	fixture_run("SET GLOBAL read_only = 0; DROP USER plain@localhost");
	assert_int_equal(f.err.class, ERROR_RETRY);
	assert_non_null(strstr(f.err.text, "(1290)"));
	assert_string_equal(f.err.hint, "the target is read-only: a replica, or read_only is set");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY_TARGET_TESTS,
		cmocka_unit_test(long_runs_keep_their_order),
		cmocka_unit_test(rows_without_a_key_are_found_whole),
		cmocka_unit_test(truncates_that_belong_together_are_ordered),
		cmocka_unit_test(no_row_is_swallowed),
		cmocka_unit_test(a_row_that_is_not_there_takes_all_back),
		cmocka_unit_test(a_cascade_may_have_deleted_the_row_before),
		cmocka_unit_test(the_session_is_ours),
		cmocka_unit_test(a_killed_connection_is_a_retry),
		cmocka_unit_test(a_stop_ends_the_connecting),
		cmocka_unit_test(a_server_that_dies_in_the_middle_is_a_retry),
		cmocka_unit_test(a_shape_that_does_not_fit_is_refused),
		cmocka_unit_test(a_missing_label_is_refused),
		cmocka_unit_test(what_a_person_has_to_mend_is_configuration),
		cmocka_unit_test(a_read_only_server_is_named),
	};

	return fixture_is_there() ? cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down) : 77;
}
