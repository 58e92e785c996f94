/*
 * capture_source_mysql_takeover.c: servers that die in the middle, wait for our acknowledgement, or take over. Run
 * with the tests of capture_source_mysql_real.c.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/source_mysql.h"
#include "lib/base/clock.h"
#include "tests/unit/capture_source_mysql_scene.h"

#define WAIT_US INT64_C(20000000)

static struct reader reader;

static void begin(void **state, bool semi_sync)
{
	reader_init(&reader, *state, 0);
	reader.options.semi_sync = semi_sync;
	reader_start(&reader);
}

int takeover_end(void **state)
{
	(void)state;
	reader_release(&reader);
	return 0;
}

/* Until it has nothing more to read. */
static void read_to_the_end(void)
{
	uint64_t before = reader.heartbeats;
	int64_t limit = clock_monotonic_us() + WAIT_US;

	while (reader.heartbeats < before + 2) {
		if (reader_step(&reader) < 0)
			fail_msg("%s", reader.err.text);
		assert_true(clock_monotonic_us() < limit);
	}
}

/* ---- another server ---- */

/* A MariaDB replica logs the time of the last row, the server before it that of the COMMIT. */
void test_takeover_by_a_slow_commit(void **state)
{
	struct scene *scene = *state;

	begin(state, false);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY); BEGIN; INSERT INTO t VALUES (1)");
	clock_sleep_us(2100000);
	scene_run(scene, 0, "COMMIT");
	assert_int_equal(reader_read_transactions(&reader, 2), 0);
	reader_save(&reader);
	scene_copy(scene);
	reader_lead_to(&reader, 1);
	reader_start(&reader);
	reader_save(&reader); /* before the proof was read */
	reader_start(&reader);
	read_to_the_end();
	reader_save(&reader); /* now the time is the new server's */
	reader_start(&reader);
	buf_reset(&reader.text);
	scene_run(scene, 1, "INSERT INTO b.t VALUES (2)");
	reader_is(&reader, "[+t(2)]");
}

/* Its place in the files of the first server says nothing at the second. */
void test_takeover_of_a_branch(void **state)
{
	struct scene *scene = *state;

	begin(state, false);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY); FLUSH BINARY LOGS");
	scene_run(scene, 0, "XA START 'a'; INSERT INTO t VALUES (1); XA END 'a'; XA PREPARE 'a'");
	assert_int_equal(reader_read_transactions(&reader, 2), 0);
	reader_save(&reader);
	assert_non_null(strstr(buf_cstr(&reader.resume), "\nxa "));
	scene_copy(scene);
	reader_lead_to(&reader, 1);
	reader_start(&reader);
	buf_reset(&reader.text);
	for (int i = 0; i < 1000 && mysql_query(scene->sql[1], "XA COMMIT 'a'") != 0; i++)
		clock_sleep_us(10000); /* the session that prepared it goes a moment later */
	reader_is(&reader, "[+t(1)]");
	scene_run(scene, 0, "XA COMMIT 'a'");
}

static void *copy_later(void *argument)
{
	clock_sleep_us(1000000);
	scene_copy(argument);
	return NULL;
}

/* It was promoted, and still applies what it had been sent. */
void test_takeover_while_it_applies(void **state)
{
	struct scene *scene = *state;
	pthread_t thread;

	begin(state, false);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
	assert_int_equal(reader_read_transactions(&reader, 2), 0);
	reader_save(&reader);
	reader_stop(&reader);
	reader_lead_to(&reader, 1);
	assert_int_equal(pthread_create(&thread, NULL, copy_later, scene), 0);
	reader_start(&reader);
	assert_int_equal(pthread_join(thread, NULL), 0);
	buf_reset(&reader.text);
	reader_is(&reader, "");
}

/* ---- semi-sync ---- */

struct client {
	MYSQL *conn;
	const char *statements[5];
	pthread_t thread;
	atomic_bool done;
	bool failed;
};

static void *run_client(void *argument)
{
	struct client *client = argument;

	for (size_t i = 0; i < 5 && client->statements[i] != NULL && !client->failed; i++)
		client->failed = mysql_query(client->conn, client->statements[i]) != 0;
	atomic_store(&client->done, true);
	mysql_thread_end();
	return NULL;
}

static void client_begin(struct scene *scene, struct client *client)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/1.sock", scene->directory);
	client->conn = mysql_init(NULL);
	assert_non_null(mysql_real_connect(client->conn, "localhost", "root", "", "b", 0, path, 0));
	assert_int_equal(pthread_create(&client->thread, NULL, run_client, client), 0);
}

static void client_end(struct client *client)
{
	assert_int_equal(pthread_join(client->thread, NULL), 0);
	assert_string_equal(mysql_error(client->conn), "");
	assert_false(client->failed);
	mysql_close(client->conn);
}

/* Reads, and keeps at the end of each transaction if wanted, until the client has its answer. */
static void serve(struct client *client, bool save)
{
	int64_t limit = clock_monotonic_us() + WAIT_US;

	while (!atomic_load(&client->done)) {
		uint64_t before = reader.upto;

		if (reader_step(&reader) < 0)
			fail_msg("%s", reader.err.text);
		if (save && reader.upto != before)
			reader_save(&reader);
		if (clock_monotonic_us() > limit)
			fail_msg("the client waits, read was %s", buf_cstr(&reader.text));
	}
}

static bool begin_semi_sync(void **state)
{
	struct scene *scene = *state;
	const char *word = scene->mariadb ? "master" : "source";

	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY)");
	if (!scene->mariadb &&
		mysql_query(scene->sql[0], "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'") != 0 &&
		mysql_errno(scene->sql[0]) != 1125) {
		print_message("# no semi-sync: %s\n", mysql_error(scene->sql[0]));
		return false;
	}
	scene_run(scene, 0, "SET GLOBAL rpl_semi_sync_%s_timeout = 100000, GLOBAL rpl_semi_sync_%s_enabled = 1", word, word);
	begin(state, true);
	return true;
}

static void end_semi_sync(struct scene *scene)
{
	scene_run(scene, 0, "SET GLOBAL rpl_semi_sync_%s_enabled = 0", scene->mariadb ? "master" : "source");
}

/* Kafka has it, but the agent was killed before it could say so. */
void test_commit_waits_over_a_restart(void **state)
{
	struct scene *scene = *state;
	struct client client = { .statements = { "INSERT INTO t VALUES (1)" } };

	if (!begin_semi_sync(state))
		return;
	client_begin(scene, &client);
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	/* nothing is confirmed, but perhaps in Kafka: the log must not seem to end before it */
	reader_start(&reader);
	assert_true(scene->ops->head(reader.source) >= 2);
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	assert_string_equal(buf_cstr(&reader.text), "[+t(1)][+t(1)]");
	reader_keep(&reader);
	assert_false(atomic_load(&client.done));
	reader_start(&reader);
	serve(&client, false);
	client_end(&client);
	end_semi_sync(scene);
}

void test_branch_waits(void **state)
{
	struct scene *scene = *state;
	struct client client = { .statements = { "XA START 'a'", "INSERT INTO t VALUES (1)", "XA END 'a'",
					 "XA PREPARE 'a'", "XA COMMIT 'a'" } };

	if (!begin_semi_sync(state))
		return;
	client_begin(scene, &client);
	serve(&client, true);
	client_end(&client);
	assert_string_equal(buf_cstr(&reader.text), "[][+t(1)]");
	end_semi_sync(scene);
}

/* Its rows are read again behind a transaction that the server has not counted as executed yet. */
void test_one_phase_behind_a_wait(void **state)
{
	struct scene *scene = *state;
	struct client first = { .statements = { "INSERT INTO t VALUES (1)" } };
	struct client second = { .statements = { "XA START 'a'", "INSERT INTO t VALUES (2)", "XA END 'a'",
					 "XA COMMIT 'a' ONE PHASE" } };

	if (!begin_semi_sync(state))
		return;
	client_begin(scene, &first);
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	client_begin(scene, &second);
	if (reader_read_transactions(&reader, 1) < 0)
		fail_msg("%s", reader.err.text);
	assert_string_equal(buf_cstr(&reader.text), "[+t(1)][+t(2)]");
	reader_save(&reader);
	client_end(&first);
	client_end(&second);
	end_semi_sync(scene);
}

/* ---- the connection for questions ---- */

/* A statement that the server refuses costs neither the connection nor the lock that it holds. */
void test_refused_question(void **state)
{
	struct scene *scene = *state;
	const struct source_options *options = &reader.options;
	struct endpoint end = { .options = options, .mariadb = scene->mariadb, .server_id = 1, .by_gtid = true };
	struct control control = { 0 };
	struct error err = ERROR_INIT;
	unsigned long id;
	MYSQL_RES *result;

	reader_init(&reader, scene, 0);
	assert_int_equal(control_open(&control, &end, &err), 0);
	id = mysql_thread_id(control.conn);
	assert_int_equal(control_query(&control, "SELECT * FROM b.nothing", "asking", &result, &err), -1);
	assert_non_null(control.conn);
	assert_int_equal(mysql_thread_id(control.conn), id);
	scene_run(scene, 0, "KILL %lu", id);
	assert_int_equal(control_query(&control, "SELECT 1", "asking", &result, &err), 0);
	mysql_free_result(result);
	assert_int_not_equal(mysql_thread_id(control.conn), id);
	control_release(&control);
}

/* ---- a server that dies while it writes its log ---- */

/* The event that ends a transaction. */
#define XID_SIZE 31

static void make_durable(struct scene *scene)
{
	scene_run(scene, 0, "SET GLOBAL innodb_flush_log_at_trx_commit = 1, GLOBAL sync_binlog = 1");
}

/*
 * The server dies with half of a transaction in its log. The transaction was whole, and its end is cut off; so its engine may have written by itself
 * that it was committed, which no server does before its log is whole: then it is done once more.
 */
static void tear(void **state)
{
	struct scene *scene = *state;

	for (int tries = 0; tries < 20; tries++) {
		make_durable(scene);
		begin(state, false);
		scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY)");
		assert_int_equal(reader_read_transactions(&reader, 1), 0);
		reader_save(&reader);
		reader_stop(&reader);
		buf_reset(&reader.text);
		scene_run(scene, 0, "BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT");
		scene_crash(scene, XID_SIZE);
		if (strcmp(scene_ask(scene, 0, "SELECT COUNT(*) FROM t"), "0") == 0)
			return;
		reader_release(&reader);
		assert_int_equal(scene_reset(state), 0);
	}
	fail_msg("the engine has committed each time before the server died");
}

/* MariaDB leaves what it had written where it is, and uses the GTID again. MySQL cuts its log. */
void test_torn(void **state)
{
	struct scene *scene = *state;

	tear(state);
	reader_start(&reader);
	scene_run(scene, 0, "INSERT INTO t VALUES (3)");
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	assert_string_equal(buf_cstr(&reader.text), "[+t(3)]");
	reader_save(&reader);
	/* the transaction before the place has the GTID of the one that never happened */
	reader_start(&reader);
	read_to_the_end();
	buf_reset(&reader.text);
	reader_is(&reader, "");
}

void test_torn_and_large(void **state)
{
	struct scene *scene = *state;

	if (!scene->mariadb)
		return;
	make_durable(scene);
	begin(state, false);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(1000))");
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	reader_save(&reader);
	reader_stop(&reader);
	scene_run(scene, 0, "INSERT INTO t SELECT seq, REPEAT('x', 900) FROM seq_1_to_20000");
	scene_crash(scene, XID_SIZE);
	scene_run(scene, 0, "INSERT INTO t VALUES (0, '')");
	reader_fails(&reader, ERROR_GAP, "has no end, but is larger than 4 MiB, so its rows were given out");
}
