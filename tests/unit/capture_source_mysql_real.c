/*
 * capture_source_mysql_real.c: the source for MySQL and MariaDB against servers of its own
 * (capture_source_mariadb_real.sh makes them).
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "tests/unit/capture_source_mysql_scene.h"
#include "tests/unit/capture_source_mysql_shapes.h"

static struct reader reader;

static void begin(void **state)
{
	reader_init(&reader, *state, 0);
	reader_start(&reader);
}

static int end(void **state)
{
	(void)state;
	reader_release(&reader);
	return 0;
}

/* ---- transactions ---- */

static void test_rows_and_numbers(void **state)
{
	struct scene *scene = *state;

	begin(state);
	assert_int_equal(reader.identity.confirmed, 1);
	assert_memory_equal(reader.identity.log, scene->ops->connector, strlen(scene->ops->connector));
	scene_run(scene, 0,
		"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20)); CREATE TABLE m (id INT PRIMARY KEY) "
		"ENGINE=MyISAM");
	scene_run(scene, 0, "CREATE DATABASE other; CREATE TABLE other.o (id INT PRIMARY KEY)");
	scene_run(scene, 0,
		"BEGIN; INSERT INTO t VALUES (1, 'a'), (2, NULL); INSERT INTO other.o VALUES (1); UPDATE t SET v = 'b' "
		"WHERE id = 1; COMMIT");
	scene_run(scene, 0, "INSERT INTO other.o VALUES (2)");
	scene_run(scene, 0, "DELETE FROM t WHERE id = 2");
	scene_run(scene, 0,
		"BEGIN; INSERT INTO t VALUES (3, 'c'); SAVEPOINT s; INSERT INTO t VALUES (4, 'd'); ROLLBACK TO s; "
		"COMMIT");
	scene_run(scene, 0, "BEGIN; INSERT INTO t VALUES (5, 'e'); ROLLBACK");
	scene_run(scene, 0, "INSERT INTO m VALUES (1)");
	scene_run(scene, 0, "CREATE TABLE c AS SELECT id FROM t");
	reader_is(&reader, "[][][][][+t(1,a)+t(2,NULL)~t(1,a>1,b)][][-t(2,NULL)][+t(3,c)][+m(1)][+c(1)+c(3)]");
	assert_int_equal(reader.upto, 12);
	assert_int_equal(reader.last.server_id, 1);
	assert_true(scene->ops->head(reader.source) >= 12);
	assert_true(reader.last.gtid[0] != '\0');
}

static void test_heartbeats(void **state)
{
	struct scene *scene = *state;
	int64_t limit = clock_monotonic_us() + INT64_C(20000000);

	begin(state);
	while (reader.heartbeats < 3 && clock_monotonic_us() < limit) {
		struct source_item item = { 0 };
		struct pollfd fds[4];
		int timeout_ms = 100;

		assert_int_equal(scene->ops->next(reader.source, &item, &reader.err), 0);
		if (item.kind == SOURCE_HEARTBEAT) {
			assert_int_equal(item.lsn, 1);
			reader.heartbeats++;
		}
		(void)poll(fds, scene->ops->poll_fds(reader.source, fds, 4, &timeout_ms), timeout_ms);
	}
	assert_int_equal(reader.heartbeats, 3);
}

static int note_table(void *context, const char *schema, const char *name, struct error *err)
{
	(void)err;
	buf_printf(context, "%s.%s ", schema, name);
	return 0;
}

static void test_tables(void **state)
{
	struct scene *scene = *state;

	begin(state);
	scene_run(scene, 0,
		"CREATE TABLE t (id INT PRIMARY KEY); CREATE VIEW v AS SELECT 1; CREATE DATABASE other; CREATE TABLE "
		"other.o (id INT)");
	assert_int_equal(scene->ops->tables(reader.source, note_table, &reader.text, &reader.err), 0);
	assert_string_equal(buf_cstr(&reader.text), "b.mark b.t ");
}

/* Larger than what waits in the queue, and one packet larger than a quarter of it. */
static void test_large(void **state)
{
	struct scene *scene = *state;
	size_t rows = 0;

	begin(state);
	scene_run(scene, 0,
		"CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(250)); CREATE TABLE l (id INT PRIMARY "
		"KEY, v LONGTEXT)");
	scene_run(scene, 0, "BEGIN; INSERT INTO t (v) VALUES (REPEAT('x', 200))");
	for (int i = 0; i < 15; i++)
		scene_run(scene, 0, "INSERT INTO t (v) SELECT v FROM t");
	scene_run(scene, 0, "COMMIT; INSERT INTO l VALUES (1, REPEAT('y', 3000000)); INSERT INTO l VALUES (2, 'z')");
	reader_read(&reader);
	for (size_t i = 0; i < reader.text.len; i++)
		rows += reader.text.data[i] == '+';
	assert_int_equal(rows, (1 << 15) + 2);
	assert_non_null(strstr(buf_cstr(&reader.text) + reader.text.len - 40, "[+l(1,3000000 bytes)][+l(2,z)]"));
}

/* ---- what the log says and undoes ---- */

static void test_undone(void **state)
{
	struct scene *scene = *state;

	begin(state);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY)");
	scene_run(scene, 0,
		"BEGIN; INSERT INTO t VALUES (1); CREATE TEMPORARY TABLE x (a INT); INSERT INTO x VALUES (1); "
		"ROLLBACK");
	scene_run(scene, 0, "DROP TEMPORARY TABLE IF EXISTS x");
	reader_read(&reader);
	buf_reset(&reader.text);
	scene_run(scene, 0,
		"BEGIN; INSERT INTO t VALUES (2); SAVEPOINT s1; INSERT INTO t VALUES (3); SAVEPOINT s2; INSERT INTO t "
		"VALUES (4); "
		"CREATE TEMPORARY TABLE x (a INT); ROLLBACK TO s2; INSERT INTO t VALUES (5); ROLLBACK TO s1; INSERT "
		"INTO t VALUES (6); COMMIT");
	reader_is(&reader, "[+t(2)+t(6)]");
	scene_run(scene, 0, "DROP TEMPORARY TABLE IF EXISTS x");
	assert_string_equal(scene_ask(scene, 0, "SELECT GROUP_CONCAT(id ORDER BY id) FROM t"), "2,6");
}

static void test_xa(void **state)
{
	struct scene *scene = *state;

	begin(state);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY)");
	scene_run(scene, 0, "XA START 'a'; INSERT INTO t VALUES (1), (2); XA END 'a'; XA PREPARE 'a'");
	scene_run(scene, 0, "XA COMMIT 'a'");
	reader_is(&reader, "[][][+t(1)+t(2)]");
	scene_run(scene, 0, "XA START 'b'; INSERT INTO t VALUES (3); XA END 'b'; XA COMMIT 'b' ONE PHASE");
	reader_is(&reader, "[+t(3)]");
	scene_run(scene, 0, "XA START 'c'; INSERT INTO t VALUES (4); XA END 'c'; XA PREPARE 'c'; XA ROLLBACK 'c'");
	reader_is(&reader, "[][]");
}

/* The branch is decided by another session. */
static void prepare_elsewhere(struct scene *scene, const char *xid, int row)
{
	scene_elsewhere(scene, "XA START %s; INSERT INTO t VALUES (%d); XA END %s; XA PREPARE %s", xid, row, xid, xid);
}

/* The disconnected session's branch can be taken over a moment later. */
static void decide(struct scene *scene, const char *what, const char *xid)
{
	char sql[256];

	(void)snprintf(sql, sizeof sql, "XA %s %s", what, xid);
	for (int i = 0; i < 1000 && mysql_query(scene->sql[0], sql) != 0; i++)
		clock_sleep_us(10000);
	assert_string_equal(mysql_error(scene->sql[0]), "");
}

static void test_xa_over_restarts(void **state)
{
	struct scene *scene = *state;
	const char *open_branch;

	begin(state);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY)");
	prepare_elsewhere(scene, "'a','b',7", 1);
	prepare_elsewhere(scene, "'c'", 2);
	reader_is(&reader, "[][][]");
	reader_save(&reader);
	reader_stop(&reader);
	decide(scene, "COMMIT", "'a','b',7");
	reader_start(&reader);
	reader_is(&reader, "[+t(1)]");
	reader_save(&reader);
	open_branch = strstr(buf_cstr(&reader.resume), "\nxa ");
	assert_non_null(open_branch);
	assert_memory_equal(strchr(open_branch + 1, '\n') - 11, "X'63',X'',1", 11);
	assert_null(strstr(open_branch + 1, "\nxa "));
	reader_start(&reader);
	decide(scene, "ROLLBACK", "'c'");
	reader_is(&reader, "[]");
	reader_save(&reader);
	assert_null(strstr(buf_cstr(&reader.resume), "\nxa "));
	reader_start(&reader);
	reader_is(&reader, "");
}

static void test_xa_before_the_start(void **state)
{
	struct scene *scene = *state;

	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY)");
	prepare_elsewhere(scene, "'a'", 1);
	begin(state);
	decide(scene, "COMMIT", "'a'");
	reader_fails(&reader, ERROR_GAP, "XA branch X'61',X'',1 is committed, but its prepare was not read");
}

static void test_ddl(void **state)
{
	struct scene *scene = *state;

	scene_run(scene, 0,
		"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO t VALUES (1, 'a'); CREATE TABLE u (id "
		"INT PRIMARY KEY)");
	begin(state);
	scene_run(scene, 0, "TRUNCATE TABLE t"); /* never met before */
	scene_run(scene, 0,
		"INSERT INTO t VALUES (1, 'a'); ALTER TABLE t ADD COLUMN n INT, RENAME COLUMN v TO w; INSERT INTO t "
		"VALUES (2, 'b', 3)");
	scene_run(scene, 0,
		"RENAME TABLE t TO t_old, u TO t; INSERT INTO t VALUES (7); INSERT INTO t_old VALUES (3, 'c', 4); "
		"TRUNCATE b.t_old");
	scene_run(
		scene, 0, "DROP TABLE t, t_old; CREATE TABLE t (v VARCHAR(5) PRIMARY KEY); INSERT INTO t VALUES ('x')");
	reader_read(&reader);
	if (scene->mariadb)
		assert_string_equal(buf_cstr(&reader.text),
			"[!t][+t(1,a)][][+t(2,b,3)][][+t(7)][+t_old(3,c,4)][!t_old][][][+t(x)]");
	else
		assert_string_equal(buf_cstr(&reader.text),
			"[!t][+t(1,a)][][+t(2,b,3)][][+t(7)][+t_old(3,c,4)][!t_old][][][+t(x)]");
}

static void test_statements(void **state)
{
	struct scene *scene = *state;

	begin(state);
	scene_run(scene, 0,
		"CREATE TABLE t (id INT PRIMARY KEY); CREATE DATABASE other; CREATE TABLE other.o (id INT PRIMARY "
		"KEY)");
	scene_run(scene, 0, "SET SESSION binlog_format = STATEMENT; USE other; INSERT INTO other.o VALUES (1)");
	scene_run(scene, 0, "USE b; SET SESSION binlog_format = ROW");
	reader_is(&reader, "[][][][]");
	reader_save(&reader);
	scene_run(scene, 0,
		"SET SESSION binlog_format = STATEMENT; INSERT INTO t VALUES (1); SET SESSION binlog_format = ROW");
	reader_fails(
		&reader, ERROR_GAP, "a change in database \"b\" was logged as a statement and not as rows: INSERT ...");
}

/* ---- going on ---- */

static void test_resume(void **state)
{
	struct scene *scene = *state;
	struct buf early;

	begin(state);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY)");
	for (int i = 1; i <= 5; i++)
		scene_run(scene, 0, "INSERT INTO t VALUES (%d)", i);
	assert_int_equal(reader_read_transactions(&reader, 3), 0);
	reader_save(&reader);
	assert_int_equal(reader.confirmed, 4);
	buf_init(&early, 65536);
	buf_append_str(&early, buf_cstr(&reader.resume));
	reader_read(&reader);
	reader_save(&reader);
	assert_true(reader.confirmed >= 8);
	buf_reset(&reader.text);

	/* as if Kafka had the older record: the same transactions under the same numbers */
	buf_reset(&reader.resume);
	buf_append_str(&reader.resume, buf_cstr(&early));
	reader.confirmed = 4;
	reader_start(&reader);
	assert_int_equal(reader.identity.confirmed, 4);
	assert_false(reader.identity.slot_created);
	assert_int_equal(reader_read_transactions(&reader, 3), 0);
	assert_string_equal(buf_cstr(&reader.text), "[+t(3)][+t(4)][+t(5)]");
	assert_int_equal(reader.last.commit, 6);
	buf_release(&early);
}

static void test_rotation(void **state)
{
	struct scene *scene = *state;
	char at[200];

	begin(state);
	scene_run(scene, 0,
		"CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1); FLUSH BINARY LOGS; INSERT INTO t "
		"VALUES (2); FLUSH BINARY LOGS");
	reader_is(&reader, "[][+t(1)][+t(2)]");
	reader_save(&reader);
	assert_non_null(strstr(buf_cstr(&reader.resume), "\nfile bin.000003\n"));
	assert_memory_equal(scene->ops->describe(reader.source, reader.upto, at, sizeof at), "bin.000003:", 11);
	reader_start(&reader);
	reader_is(&reader, "");
}

static void test_killed_connection(void **state)
{
	struct scene *scene = *state;
	char id[64];

	begin(state);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY)");
	reader_is(&reader, "[]");
	reader_save(&reader);
	(void)snprintf(id, sizeof id, "%s",
		scene_ask(scene, 0, "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"));
	scene_run(scene, 0, "KILL %s", id);
	assert_int_equal(reader_read_transactions(&reader, 0), -1);
	assert_int_equal(reader.err.class, ERROR_RETRY);
	scene_run(scene, 0, "INSERT INTO t VALUES (1)");
	reader_start(&reader);
	reader_is(&reader, "[+t(1)]");
}

static void test_second_reader(void **state)
{
	struct scene *scene = *state;
	struct reader second;

	begin(state);
	reader_init(&second, scene, 0);
	assert_int_equal(reader_try(&second), -1);
	assert_int_equal(second.err.class, ERROR_RETRY);
	assert_non_null(strstr(second.err.text, "the log is read under server id "));
	reader_release(&second);
	reader_is(&reader, "");
}

/* ---- other histories ---- */

static const char *reset_words(const struct scene *scene)
{
	return scene->mariadb ? "RESET MASTER" : "RESET BINARY LOGS AND GTIDS";
}

static void test_reset(void **state)
{
	struct scene *scene = *state;

	begin(state);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
	reader_is(&reader, "[][+t(1)]");
	reader_save(&reader);
	reader_stop(&reader);
	scene_run(scene, 0, "%s; INSERT INTO t VALUES (2)", reset_words(scene));
	reader_fails(&reader, ERROR_GAP, "transactions that Kafka has");
	/* as many again, and more: only the time of the last one shows it */
	clock_sleep_us(1100000);
	for (int i = 3; i < 12; i++)
		scene_run(scene, 0, "INSERT INTO t VALUES (%d)", i);
	reader_fails(&reader, ERROR_GAP, "was made at another time at this server");
}

/* A file that a connection still reads is not removed. */
static void purge_to(struct scene *scene, const char *file)
{
	for (int i = 0; i < 1000; i++) {
		scene_run(scene, 0, "PURGE BINARY LOGS TO '%s'", file);
		if (strcmp(scene_ask(scene, 0, "SHOW BINARY LOGS"), file) == 0)
			return;
		clock_sleep_us(10000);
	}
	fail_msg("%s stays", scene_ask(scene, 0, "SHOW BINARY LOGS"));
}

static void test_purge(void **state)
{
	struct scene *scene = *state;

	begin(state);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
	reader_is(&reader, "[][+t(1)]");
	reader_save(&reader);
	reader_stop(&reader);
	/* the last transaction is gone, but nothing that was not read */
	scene_run(scene, 0, "FLUSH BINARY LOGS; INSERT INTO t VALUES (2)");
	purge_to(scene, "bin.000002");
	reader_start(&reader);
	reader_is(&reader, "[+t(2)]");
	reader_save(&reader);
	reader_stop(&reader);
	scene_run(scene, 0, "INSERT INTO t VALUES (3); FLUSH BINARY LOGS; INSERT INTO t VALUES (4)");
	purge_to(scene, "bin.000003");
	reader_fails(&reader, ERROR_GAP, "purged");
}

static void test_other_server(void **state)
{
	struct scene *scene = *state;

	begin(state);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
	reader_is(&reader, "[][+t(1)]");
	reader_save(&reader);
	reader_stop(&reader);
	reader_lead_to(&reader, 1);
	reader_fails(&reader, ERROR_GAP, "transactions that Kafka has");
	/* now with the same history: it takes over */
	scene_run(scene, 0, "INSERT INTO b.t VALUES (2)");
	scene_copy(scene);
	scene_run(scene, 1, "INSERT INTO b.t VALUES (3)");
	reader_start(&reader);
	reader_is(&reader, "[+t(2)][+t(3)]");
	assert_int_equal(reader.last.server_id, 2);
	reader_save(&reader);
	reader_lead_to(&reader, 0);
	reader_fails(&reader, ERROR_GAP, "transactions that Kafka has");
}

static void test_wrong_kind(void **state)
{
	struct scene *scene = *state, other = *scene;
	struct reader wrong;

	other.ops = scene->mariadb ? &source_mysql : &source_mariadb;
	reader_init(&wrong, &other, 0);
	assert_int_equal(reader_try(&wrong), -1);
	assert_int_equal(wrong.err.class, ERROR_CONFIG);
	assert_non_null(strstr(wrong.err.text,
		scene->mariadb ? "but database.type is \"mysql\"" : "but database.type is \"mariadb\""));
	reader_release(&wrong);
}

static void test_grants(void **state)
{
	struct scene *scene = *state;

	scene_run(scene, 0,
		"DROP USER IF EXISTS few@localhost; CREATE USER few@localhost IDENTIFIED BY 'secret-7'; GRANT SELECT "
		"ON b.* TO few@localhost");
	reader_init(&reader, scene, 0);
	reader.options.user = "few";
	reader.options.password = "wrong-8";
	assert_int_equal(reader_try(&reader), -1);
	assert_int_equal(reader.err.class, ERROR_CONFIG);
	assert_null(strstr(reader.err.text, "wrong-8"));
	reader.options.password = "secret-7";
	assert_int_equal(reader_try(&reader), -1);
	assert_int_equal(reader.err.class, ERROR_CONFIG);
	assert_non_null(strstr(reader.err.hint, "REPLICATION SLAVE"));
	scene_run(scene, 0,
		scene->mariadb ? "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO few@localhost"
			       : "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO few@localhost");
	reader_start(&reader);
	reader_is(&reader, "");
}

/* ---- shapes ---- */

static void test_minimal_metadata(void **state)
{
	struct scene *scene = *state;

	scene_run(scene, 0,
		"SET GLOBAL binlog_row_metadata = MINIMAL; CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), w "
		"VARCHAR(20))");
	begin(state);
	scene_run(scene, 0, "INSERT INTO t VALUES (1, 'a', 'b')");
	reader_is(&reader, "[+t(1,a,b)]");
	reader_save(&reader);
	reader_stop(&reader);
	/* the log of before the change is read after it */
	scene_run(scene, 0,
		"INSERT INTO t VALUES (2, 'a', 'b'); ALTER TABLE t DROP COLUMN v, ADD COLUMN x INT; INSERT INTO t "
		"VALUES (3, 'b', 4)");
	reader_start(&reader);
	reader_is(&reader, "[+t(2,a,b)][][+t(3,b,4)]");
	reader_save(&reader);
	reader_start(&reader);
	reader_is(&reader, "");
	/* a table that was never met, altered before it is */
	reader_stop(&reader);
	scene_run(scene, 0,
		"CREATE TABLE n (id INT PRIMARY KEY, v INT); INSERT INTO n VALUES (1, 2); ALTER TABLE n DROP COLUMN v");
	reader_fails(&reader, ERROR_GAP, "b.n: the log has 2 columns here, but the catalogue knows 1");
	assert_non_null(strstr(reader.err.hint, "binlog_row_metadata=FULL"));
	scene_run(scene, 0, "SET GLOBAL binlog_row_metadata = FULL");
}

/* ---- semi-sync ---- */

struct writer {
	struct scene *scene;
	MYSQL *conn;
	atomic_bool done;
	bool failed;
};

static void *write_row(void *argument)
{
	struct writer *writer = argument;

	writer->failed = mysql_query(writer->conn, "INSERT INTO b.t VALUES (1)") != 0;
	atomic_store(&writer->done, true);
	mysql_thread_end();
	return NULL;
}

static bool switch_semi_sync(struct scene *scene, bool on)
{
	if (scene->mariadb) {
		scene_run(scene, 0,
			"SET GLOBAL rpl_semi_sync_master_timeout = 60000; SET GLOBAL rpl_semi_sync_master_enabled = %d",
			on);
		return true;
	}
	if (mysql_query(scene->sql[0], "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'") != 0 &&
		mysql_errno(scene->sql[0]) != 1125)
		return false;
	scene_run(scene, 0,
		"SET GLOBAL rpl_semi_sync_source_timeout = 60000; SET GLOBAL rpl_semi_sync_source_enabled = %d", on);
	return true;
}

static void test_semi_sync(void **state)
{
	struct scene *scene = *state;
	struct writer writer = { .scene = scene };
	pthread_t thread;
	char path[256];

	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY)");
	if (!switch_semi_sync(scene, true)) {
		print_message("# no semi-sync: %s\n", mysql_error(scene->sql[0]));
		return;
	}
	reader_init(&reader, scene, 0);
	reader.options.semi_sync = true;
	reader_start(&reader);
	(void)snprintf(path, sizeof path, "%s/1.sock", scene->directory);
	writer.conn = mysql_init(NULL);
	assert_non_null(mysql_real_connect(writer.conn, "localhost", "root", "", NULL, 0, path, 0));
	assert_int_equal(pthread_create(&thread, NULL, write_row, &writer), 0);
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	assert_string_equal(buf_cstr(&reader.text), "[+t(1)]");
	clock_sleep_us(300000);
	assert_false(atomic_load(&writer.done)); /* it was read, but is not durable */
	reader_save(&reader);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(writer.failed);
	mysql_close(writer.conn);
	assert_string_equal(
		scene_ask(scene, 0,
			scene->mariadb
				? "SELECT variable_value FROM information_schema.global_status WHERE variable_name = "
				  "'rpl_semi_sync_master_yes_tx'"
				: "SELECT 1"),
		"1");
	(void)switch_semi_sync(scene, false);
	buf_reset(&reader.text);
	reader_is(&reader, "");
}

/* ---- without GTIDs ---- */

static void set_gtid_mode(struct scene *scene, bool on)
{
	static const char *const modes[] = { "OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON" };

	for (int i = 1; i < 4; i++)
		scene_run(scene, 0, "SET GLOBAL gtid_mode = %s", modes[on ? i : 3 - i]);
}

static void test_without_gtids(void **state)
{
	struct scene *scene = *state;

	if (scene->mariadb) /* it always has them */
		return;
	set_gtid_mode(scene, false);
	begin(state);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
	reader_is(&reader, "[][+t(1)]");
	reader_save(&reader);
	assert_memory_equal(reader.last.id, "bin.0", 5);
	scene_run(scene, 0, "INSERT INTO t VALUES (2); FLUSH BINARY LOGS; INSERT INTO t VALUES (3)");
	scene_run(scene, 0, "XA START 'a'; INSERT INTO t VALUES (4); XA END 'a'; XA PREPARE 'a'; XA COMMIT 'a'");
	reader_start(&reader);
	reader_is(&reader, "[+t(2)][+t(3)][][+t(4)]");
	reader_save(&reader);
	reader_start(&reader);
	reader_is(&reader, "");
	reader_save(&reader);
	reader_stop(&reader);
	scene_run(scene, 0, "%s; INSERT INTO t VALUES (5)", reset_words(scene));
	reader_fails(&reader, ERROR_GAP, "");
	reader_stop(&reader);
	set_gtid_mode(scene, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_reset, end)
#define SHAPES(name) cmocka_unit_test_setup_teardown(name, scene_reset, shapes_end_test)
#define TAKEOVER(name) cmocka_unit_test_setup_teardown(name, scene_reset, takeover_end)
#define CRASH(name) cmocka_unit_test_setup_teardown(name, scene_reset, crash_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rows_and_numbers),
		TEST(test_heartbeats),
		TEST(test_tables),
		TEST(test_large),
		TEST(test_undone),
		TEST(test_xa),
		TEST(test_xa_over_restarts),
		TEST(test_xa_before_the_start),
		TEST(test_ddl),
		TEST(test_statements),
		TEST(test_resume),
		TEST(test_rotation),
		TEST(test_killed_connection),
		TEST(test_second_reader),
		TEST(test_reset),
		TEST(test_purge),
		TEST(test_other_server),
		TEST(test_wrong_kind),
		TEST(test_grants),
		TEST(test_minimal_metadata),
		TEST(test_semi_sync),
		TEST(test_without_gtids),
		SHAPES(test_proof_is_ddl),
		SHAPES(test_defaults_of_then),
		SHAPES(test_defaults_unknown),
		SHAPES(test_types_of_then),
		SHAPES(test_rows_without_a_word),
		SHAPES(test_names_in_latin1),
		SHAPES(test_names_by_case),
		SHAPES(test_names_folded),
		SHAPES(test_ddl_unread),
		TAKEOVER(test_takeover_by_a_slow_commit),
		TAKEOVER(test_takeover_of_a_branch),
		TAKEOVER(test_takeover_while_it_applies),
		TAKEOVER(test_commit_waits_over_a_restart),
		TAKEOVER(test_branch_waits),
		TAKEOVER(test_one_phase_behind_a_wait),
		TAKEOVER(test_refused_question),
		TAKEOVER(test_torn),
		TAKEOVER(test_torn_and_large),
		CRASH(test_crash_and_commit_again),
		CRASH(test_crash_before_all_that_is_left),
		CRASH(test_crash_and_name_used_again),
		CRASH(test_crash_and_silence),
		CRASH(test_crash_and_rollback_instead),
		CRASH(test_crash_in_one_phase),
		CRASH(test_crash_before_a_prepare),
	};

	return cmocka_run_group_tests_name("source of MySQL and MariaDB", tests, scene_open, scene_close);
}
