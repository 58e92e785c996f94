/*
 * The MySQL and MariaDB target against a real server, where it has rules of its own: what a truncate does to tables that refer to the emptied
 * one, numbers taken for labels, spaces at the end of a key, error numbers of triggers, how many statements may be prepared.
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
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/log.h"
#include "tests/unit/sink_fixture.h"
#include "tests/unit/values.h"

#define PARENT "CREATE TABLE t.t (id int PRIMARY KEY, v varchar(100)); INSERT INTO t.t VALUES (1, 'a')"
#define ROWS 80 /* the first ones go as text, the others of MariaDB in bulk */

/* ---- truncates and foreign keys ---- */

static const struct column child_columns[] = { { .name = "id", .type = COLUMN_INT32, .key = true },
	{ .name = "parent", .type = COLUMN_INT32 } };

/* A child without a parent is refused: the session's foreign keys are looked at. */
static void expect_foreign_keys(struct fixture *f, uint64_t commit)
{
	struct value orphan[] = { INT(99), INT(99) };

	fixture_table(f, "c", child_columns, 2);
	fixture_prepare(f);
	fixture_begin(f, commit);
	fixture_must(f, fixture_change(f, CHANGE_INSERT, NULL, orphan, NULL));
	assert_int_equal(fixture_commit(f), -1);
	assert_int_equal(f->err.class, ERROR_DATA);
	assert_non_null(strstr(f->err.text, "(1452)"));
	fixture_ops->abort(f->sink);
}

static void a_truncate_leaves_other_tables_alone(void **state)
{
	struct fixture f;

	fixture_start(&f, PARENT "; CREATE TABLE t.c (id int PRIMARY KEY, parent int, FOREIGN KEY (parent) REFERENCES t.t (id) ON DELETE CASCADE);"
				 " CREATE TABLE t.n (id int PRIMARY KEY, parent int, FOREIGN KEY (parent) REFERENCES t.t (id) ON DELETE SET NULL);"
				 " INSERT INTO t.c VALUES (1, 1); INSERT INTO t.n VALUES (1, 1)");
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_change(&f, CHANGE_TRUNCATE, NULL, NULL, NULL));
	fixture_must(&f, fixture_insert(&f, 2, "b"));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT CONCAT_WS(',', (SELECT GROUP_CONCAT(id) FROM t.t), (SELECT GROUP_CONCAT(parent) FROM t.c),"
		       " (SELECT GROUP_CONCAT(parent) FROM t.n))", "2,1,1");
	expect_foreign_keys(&f, 2);
	fixture_finish(&f);
}

static void a_table_that_refers_to_itself_is_truncated(void **state)
{
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v varchar(100), boss int, FOREIGN KEY (boss) REFERENCES t.t (id));"
			  " INSERT INTO t.t VALUES (1, 'a', NULL), (2, 'b', 1), (3, 'c', 2)");
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_change(&f, CHANGE_TRUNCATE, NULL, NULL, NULL));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT COUNT(*) FROM t.t", "0");
	fixture_finish(&f);
}

static void foreign_keys_are_back_after_a_refused_truncate(void **state)
{
	struct fixture f;

	fixture_start(&f, PARENT "; CREATE TABLE t.c (id int PRIMARY KEY, parent int, FOREIGN KEY (parent) REFERENCES t.t (id));"
				 " CREATE TRIGGER t.never BEFORE DELETE ON t.t FOR EACH ROW SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 30001, MESSAGE_TEXT = 'no'");
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_change(&f, CHANGE_TRUNCATE, NULL, NULL, NULL));
	assert_int_equal(fixture_commit(&f), -1);
	/* A number of the trigger's own, beyond all of the client library's: the row's fault, and no reason to try again. */
	assert_int_equal(f.err.class, ERROR_DATA);
	assert_string_equal(f.err.text, "target refused a truncate of t.t at 0/16B3748 event 1 of transaction 751:1: no (30001)");
	fixture_ops->abort(f.sink);
	expect_foreign_keys(&f, 1);
	fixture_finish(&f);
}

static const char *warning_of(struct fixture *f, const char *name, const char *file, char *out, size_t size)
{
	struct value row[] = { INT(1), NOTHING };
	int fd = memfd_create("log", 0);
	ssize_t len;
	struct change chg = { .op = CHANGE_INSERT, .table = &f->table, .after = row, .lsn = 4, .file = file, .index = 1 };

	assert_true(fd >= 0);
	log_open("apply", LOG_WARNING, false, fd);
	fixture_table(f, name, child_columns, 2);
	fixture_prepare(f);
	fixture_begin(f, 1);
	for (row[0].i = 1; row[0].i <= 2; row[0].i++)
		fixture_must(f, fixture_ops->write(f->sink, f->handle, &chg, NULL, &f->txn, &f->err));
	fixture_ops->abort(f->sink);
	log_open("apply", LOG_WARNING, false, 2);
	len = pread(fd, out, size - 1, 0);
	out[len > 0 ? len : 0] = '\0';
	(void)close(fd);
	return strstr(out, "target table") != NULL ? strstr(out, "target table") : "";
}

static void a_table_that_refers_to_itself_is_warned_of(void **state)
{
	static const char want[] =
		"target table t.c has a foreign key to itself, which PostgreSQL checks at the end of a statement and the target at each row: "
		"one statement that writes parents and children in another order will stop this agent; drop the foreign key at the target\n";
	struct fixture f;
	char text[1000];

	fixture_start(&f, PARENT "; CREATE TABLE t.c (id int PRIMARY KEY, parent int, FOREIGN KEY (parent) REFERENCES t.c (id));"
				 " CREATE TABLE t.d (id int PRIMARY KEY, parent int, FOREIGN KEY (parent) REFERENCES t.t (id))");
	assert_string_equal(warning_of(&f, "c", NULL, text, sizeof text), want); /* once */
	assert_string_equal(warning_of(&f, "c", "log.000001", text, sizeof text), ""); /* the rows of MySQL have an order that it took itself */
	assert_string_equal(warning_of(&f, "d", NULL, text, sizeof text), "");
	fixture_finish(&f);
}

/* ---- labels ---- */

static void a_number_is_no_label(void **state)
{
	static const char *const labels[] = { "a", "7" };
	static const struct {
		const char *type;
		struct column column;
		struct value good, bad;
		const char *text;
	} cases[] = {
		{ "enum('a','7')", { .type = COLUMN_ENUM, .labels = labels, .label_count = 2 }, TEXT("7"), TEXT("2"), "2" },
		{ "enum('a','7')", { .type = COLUMN_ENUM, .labels = labels, .label_count = 2 }, TEXT("a"), TEXT(" +1"), " +1" },
		{ "set('a','7')", { .type = COLUMN_SET, .labels = labels, .label_count = 2 }, TEXT("a,7"), TEXT("3"), "3" },
		{ "set('a','7')", { .type = COLUMN_SET, .labels = labels, .label_count = 2 }, TEXT("7"), TEXT("7,2"), "7,2" },
	};
	char want[300];
	struct fixture f;

	fixture_start(&f, "SELECT 1");
	for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
		struct value row[] = { INT(0), cases[i / 2].good };
		int rows = i % 2 == 0 ? 0 : ROWS;

		fixture_value(&f, 'l', i, cases[i / 2].type, &cases[i / 2].column);
		fixture_begin(&f, i + 1);
		for (row[0].i = 0; row[0].i < rows; row[0].i++)
			fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
		row[1] = cases[i / 2].bad;
		(void)snprintf(want, sizeof want,
			"cannot write an insert into t.%s at 0/16B3748 event %d of transaction 751:%zu, key (id=%d): "
			"column v: %s of the target has no label \"%s\"", f.name, rows + 1, i + 1, rows, cases[i / 2].type, cases[i / 2].text);
		fixture_refused(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL), ERROR_DATA, want);
		assert_string_equal(f.err.hint, "ALTER TABLE ... MODIFY the column with all labels of the source, then resume");
		fixture_ops->abort(f.sink);
	}
	fixture_finish(&f);
}

/* ---- keys ---- */

static void spaces_at_the_end_of_a_key_do_not_count(void **state)
{
	static const struct column columns[] = { { .name = "id", .type = COLUMN_STRING, .key = true, .source_type = "character(8)" },
		{ .name = "v", .type = COLUMN_STRING, .source_type = "character(3)" } };
	struct value row[] = { TEXT("        "), TEXT("x  ") };
	struct fixture f;
	char key[9];

	fixture_start(&f, "CREATE TABLE t.t (id char(8) PRIMARY KEY, v char(3))");
	fixture_table(&f, "t", columns, 2);
	fixture_prepare(&f);
	for (uint64_t step = 1; step <= 3; step++) {
		fixture_begin(&f, step);
		for (int i = 0; i < ROWS; i++) {
			(void)snprintf(key, sizeof key, "k%-7d", i);
			row[0].text.ptr = key;
			row[1].text.ptr = step == 1 ? "x  " : "y  ";
			fixture_must(&f, step == 1 ? fixture_change(&f, CHANGE_INSERT, NULL, row, NULL) :
				step == 2 ? fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL) :
					    fixture_change(&f, CHANGE_DELETE, row, NULL, NULL));
		}
		fixture_must(&f, fixture_commit(&f));
		fixture_expect("SELECT CONCAT_WS(',', COUNT(*), MAX(v)) FROM t.t", step == 1 ? "80,x" : step == 2 ? "80,y" : "0");
	}
	fixture_finish(&f);
}

/* ---- the server's resources ---- */

static void statements_that_stay_prepared_are_bounded(void **state)
{
	struct value row[] = { INT(0), TEXT("a") };
	char sql[100], name[24];
	struct fixture f;

	if (!fixture_is_mariadb())
		return; /* without bulk execution none is prepared */
	fixture_start(&f, "SELECT 1");
	for (int i = 0; i < 140; i++) {
		(void)snprintf(name, sizeof name, "p%d", i);
		(void)snprintf(sql, sizeof sql, "CREATE TABLE t.%s (id int PRIMARY KEY, v text)", name);
		fixture_run(sql);
		fixture_table(&f, name, two_columns, 2);
		fixture_prepare(&f);
		fixture_begin(&f, (uint64_t)i + 1);
		for (int op = 0; op < 2; op++)
			for (row[0].i = 0; row[0].i < 40; row[0].i++)
				fixture_must(&f, op == 0 ? fixture_change(&f, CHANGE_INSERT, NULL, row, NULL) :
						      fixture_change(&f, CHANGE_DELETE, row, NULL, NULL));
		fixture_must(&f, fixture_commit(&f));
	}
	fixture_expect("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'", "256");
	fixture_finish(&f);
}

/* Names of locks have no case at MySQL. */
static void pipelines_whose_names_differ_in_case_are_two(void **state)
{
	struct sink_options o = fixture_options();
	struct sink_position position;
	struct sink *other;
	struct fixture f;

	fixture_start(&f, PARENT);
	o.name = "CRM";
	fixture_must(&f, fixture_ops->open(&o, &other, &position, &f.err));
	free(position.offsets);
	assert_false(position.found);
	fixture_ops->close(other);
	fixture_finish(&f);
}

/* Of an agent whose host vanished: its lock is another's a few minutes later. */
static void a_silent_session_ends(void **state)
{
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v varchar(100));"
			  " CREATE TRIGGER t.seconds BEFORE INSERT ON t.t FOR EACH ROW SET NEW.v = @@SESSION.wait_timeout");
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_insert(&f, 1, "a"));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT v FROM t.t", "120");
	fixture_finish(&f);
}

/* ---- a server that wants the password ---- */

static void say(int fd, unsigned char number, const char *bytes, size_t len)
{
	const char head[] = { (char)len, 0, 0, (char)number };

	if (write(fd, head, sizeof head) != (ssize_t)sizeof head || write(fd, bytes, len) != (ssize_t)len)
		_exit(2);
}

/* Greets without TLS, asks for `method`, and ends with 1 if the password is in what it hears. */
static void impostor(int listener, const char *method, size_t len)
{
	static const char greeting[] = "\x0a" "8.4.0\0" "\1\0\0\0" "12345678\0" "\x09\xa2" "\x2d" "\2\0" "\x08\0" "\x15"
				       "\0\0\0\0\0\0\0\0\0\0" "123456789012\0" "mysql_native_password";
	int fd = accept(listener, NULL, NULL);
	char heard[4096];
	ssize_t n;

	say(fd, 0, greeting, sizeof greeting);
	n = read(fd, heard, sizeof heard);
	if (n <= 0)
		_exit(3);
	say(fd, 2, method, len);
	n = read(fd, heard, sizeof heard);
	_exit(n > 0 && memmem(heard, (size_t)n, "sesame", 6) != NULL);
}

static void a_password_is_not_shown_to_just_anybody(void **state)
{
	static const char clear[] = "\xfe" "mysql_clear_password";
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sink_options o = fixture_options();
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0), status = 0;
	struct error err = ERROR_INIT;
	struct sink_position position;
	struct sink *sink;
	pid_t child;

	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	child = fork();
	if (child == 0)
		impostor(listener, clear, sizeof clear);
	(void)close(listener);
	o.hostname = "127.0.0.1";
	o.port = ntohs(address.sin_port);
	o.password = "sesame";
	o.sslmode = "require";
	assert_int_equal(fixture_ops->open(&o, &sink, &position, &err), -1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(err.class, ERROR_CONFIG);
	assert_non_null(strstr(err.text, ": the server wants the user identified by a method that would show it the password (5010)"));
	assert_non_null(strstr(err.hint, "set database.sslmode to verify-full"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_truncate_leaves_other_tables_alone),
		cmocka_unit_test(a_table_that_refers_to_itself_is_truncated),
		cmocka_unit_test(foreign_keys_are_back_after_a_refused_truncate),
		cmocka_unit_test(a_table_that_refers_to_itself_is_warned_of),
		cmocka_unit_test(a_number_is_no_label),
		cmocka_unit_test(spaces_at_the_end_of_a_key_do_not_count),
		cmocka_unit_test(statements_that_stay_prepared_are_bounded),
		cmocka_unit_test(pipelines_whose_names_differ_in_case_are_two),
		cmocka_unit_test(a_silent_session_ends),
		cmocka_unit_test(a_password_is_not_shown_to_just_anybody),
	};

	return fixture_is_there() ? cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down) : 77;
}
