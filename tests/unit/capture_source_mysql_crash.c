/*
 * capture_source_mysql_crash.c: XA branches over the death of a MariaDB server, which is not safe there between its log and its engine. Run with the
 * tests of capture_source_mysql_real.c.
 *
 * What such a death leaves is made without luck: a branch is prepared anew behind the log's back (sql_log_bin = 0), so that the server has it as
 * prepared once more, and its log has the decision. Servers that really died like that have the same in their logs, event by event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "tests/unit/capture_source_mysql_scene.h"

#define WAIT_US INT64_C(20000000)

static struct reader reader;
static FILE *lines;

static void make_durable(struct scene *scene)
{
	scene_run(scene, 0, "SET GLOBAL innodb_flush_log_at_trx_commit = 1, GLOBAL sync_binlog = 1");
}

static void crash(struct scene *scene)
{
	scene_crash(scene, 0);
	make_durable(scene);
}

/* false: the server is not one of those. */
static bool begin(void **state)
{
	struct scene *scene = *state;

	if (!scene->mariadb)
		return false;
	lines = tmpfile();
	assert_non_null(lines);
	log_open("test", LOG_INFO, false, fileno(lines));
	make_durable(scene);
	reader_init(&reader, scene, 0);
	reader_start(&reader);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY)");
	reader_is(&reader, "[]");
	return true;
}

int crash_end(void **state)
{
	(void)state;
	reader_release(&reader);
	log_open("", LOG_INFO, false, 2);
	if (lines != NULL)
		(void)fclose(lines);
	lines = NULL;
	return 0;
}

/* How many lines of the log have these words, in it or its hint. */
static int told(const char *level, const char *words)
{
	char line[8192];
	int count = 0;

	rewind(lines);
	while (fgets(line, sizeof line, lines) != NULL)
		count += strstr(line, level) != NULL && strstr(line, words) != NULL;
	return count;
}

static void prepare(struct scene *scene, bool logged, const char *xid, int row)
{
	scene_elsewhere(scene, "SET sql_log_bin = %d; XA START '%s'; INSERT INTO t VALUES (%d); XA END '%s'; XA PREPARE '%s'", logged, xid, row,
		xid, xid);
}

static void decide(struct scene *scene, bool logged, const char *what, const char *xid)
{
	char sql[128];

	/* its session may not be gone yet, and then nobody else has the branch */
	(void)snprintf(sql, sizeof sql, "XA %s '%s'", what, xid);
	for (int64_t limit = clock_monotonic_us() + WAIT_US; clock_monotonic_us() < limit;) {
		scene_run(scene, 0, "SET sql_log_bin = %d", logged);
		if (mysql_query(scene->sql[0], sql) == 0)
			break;
		clock_sleep_us(10000);
	}
	assert_string_equal(mysql_error(scene->sql[0]), "");
	scene_run(scene, 0, "SET sql_log_bin = 1");
}

/* The server dies, and with it what its engine knew of this branch's decision. */
static void die_before_decision(struct scene *scene, const char *xid, int row)
{
	reader_stop(&reader);
	scene_elsewhere(scene, "SET sql_log_bin = 0; DELETE FROM t WHERE id = %d", row);
	prepare(scene, false, xid, row);
	crash(scene);
}

static void resume_has(const char *words, bool has)
{
	reader_save(&reader);
	if ((strstr(buf_cstr(&reader.resume), words) != NULL) != has)
		fail_msg("%s%s in %s", words, has ? " is not" : "", buf_cstr(&reader.resume));
}

/* The commit has number 4, behind the table, a mark and the prepare. */
static void commit_and_lose(struct scene *scene)
{
	prepare(scene, true, "a", 1);
	decide(scene, true, "COMMIT", "a");
	reader_is(&reader, "[][+t(1)]");
	resume_has("\ndecided 0 commit 0-1-", true);
	resume_has(":4 X'61',X'',1\n", true);
	die_before_decision(scene, "a", 1);
	assert_string_equal(scene_ask(scene, 0, "SELECT COUNT(*) FROM t"), "0");
}

/* The transaction manager commits it again, when the agent looks and when it does not. */
void test_crash_and_commit_again(void **state)
{
	struct scene *scene = *state;

	if (!begin(state))
		return;
	commit_and_lose(scene);
	decide(scene, true, "COMMIT", "a");
	assert_string_equal(scene_ask(scene, 0, "SELECT COUNT(*) FROM t"), "1");
	reader_start(&reader);
	reader_is(&reader, "[]");
	assert_int_equal(told("WARN", "XA branch X'61',X'',1 is committed for the second time, as MariaDB lost its commit in a crash: its rows "
				      "went out with transaction 0-1-"), 1);
	resume_has("tailrace-binlog 2\n", true);
	resume_has(":4 X'61',X'',1\n", true);

	/* again, and the agent is told before it is committed, goes on, and starts anew in between */
	die_before_decision(scene, "a", 1);
	reader_start(&reader);
	reader_is(&reader, "");
	assert_int_equal(told("WARN", "XA branch X'61',X'',1: MariaDB lost its commit in a crash and lists it as prepared"), 1);
	resume_has("\ndecided 1 commit 0-1-", true);
	reader_start(&reader);
	decide(scene, true, "COMMIT", "a");
	reader_is(&reader, "[]");
	assert_int_equal(told("WARN", "is committed for the second time"), 2);
	/* the name is free now, and may come for another branch */
	prepare(scene, true, "a", 2);
	reader_is(&reader, "[]");
	resume_has("\ndecided ", false);
	decide(scene, true, "COMMIT", "a");
	reader_is(&reader, "[+t(2)]");
	assert_int_equal(told("ERROR", ""), 0);
}

/* The log is purged up to the crash, so that no group comes before it. */
void test_crash_before_all_that_is_left(void **state)
{
	struct scene *scene = *state;
	char file[64];

	if (!begin(state))
		return;
	commit_and_lose(scene);
	(void)snprintf(file, sizeof file, "%s", scene_ask(scene, 0, "SHOW MASTER STATUS"));
	scene_run(scene, 0, "PURGE BINARY LOGS TO '%s'", file);
	reader_start(&reader);
	assert_int_equal(told("INFO", "the transaction before the position is purged"), 1);
	reader_is(&reader, "");
	assert_int_equal(told("WARN", "XA branch X'61',X'',1: MariaDB lost its commit in a crash and lists it as prepared"), 1);
	resume_has("\ndecided 1 commit 0-1-", true);
	/* the start of the server is behind the place now */
	reader_start(&reader);
	decide(scene, true, "COMMIT", "a");
	reader_is(&reader, "[]");
	assert_int_equal(told("WARN", "lists it as prepared"), 1);
	assert_int_equal(told("WARN", "is committed for the second time"), 1);
	resume_has("\ndecided 0 commit 0-1-", true);
}

/* The agent lags: XA RECOVER lists a name that is another branch by now. Whoever rolls that back is right. */
void test_crash_and_name_used_again(void **state)
{
	struct scene *scene = *state;

	if (!begin(state))
		return;
	prepare(scene, true, "a", 1);
	decide(scene, true, "COMMIT", "a");
	reader_is(&reader, "[][+t(1)]");
	reader_save(&reader);
	crash(scene);
	prepare(scene, true, "a", 2);
	reader_start(&reader);
	reader_is(&reader, "[]");
	decide(scene, true, "ROLLBACK", "a");
	reader_is(&reader, "[]");
	assert_int_equal(told("WARN", "XA branch"), 0);
	assert_int_equal(told("ERROR", ""), 0);
}

/* Nothing is written behind the crash that would show the agent that it has read all. */
void test_crash_and_silence(void **state)
{
	struct scene *scene = *state;
	int64_t limit;

	if (!begin(state))
		return;
	commit_and_lose(scene);
	reader_start(&reader);
	limit = clock_monotonic_us() + WAIT_US;
	while (told("WARN", "lists it as prepared") == 0 && clock_monotonic_us() < limit)
		assert_int_equal(reader_step(&reader), 0);
	assert_int_equal(told("WARN", "lists it as prepared"), 1);
	assert_string_equal(buf_cstr(&reader.text), "");
	decide(scene, false, "ROLLBACK", "a"); /* so that the next test can begin */
}

/* It rolls back what Kafka has: nothing can be done, but it must not pass without a word. */
void test_crash_and_rollback_instead(void **state)
{
	struct scene *scene = *state;

	if (!begin(state))
		return;
	commit_and_lose(scene);
	reader_start(&reader);
	decide(scene, true, "ROLLBACK", "a");
	reader_is(&reader, "[]");
	assert_int_equal(told("ERROR", "source and target differ: "), 1);
	assert_int_equal(told("ERROR", "XA branch X'61',X'',1 of transaction 0-1-"), 1);
	assert_int_equal(told("ERROR", ":4: MariaDB lost its commit in a crash, and it was rolled back then (hint: the target has its rows, the source has "
				       "not: compare them)"), 1);
	/* the second rollback may be lost as well: then all is told already */
	reader_save(&reader);
	die_before_decision(scene, "a", 1);
	decide(scene, true, "ROLLBACK", "a");
	reader_start(&reader);
	reader_is(&reader, "[]");
	assert_int_equal(told("ERROR", ""), 1);
	assert_int_equal(told("WARN", "its prepare was not read"), 0);
	prepare(scene, true, "b", 2);
	decide(scene, true, "ROLLBACK", "b");
	reader_is(&reader, "[][]");
	reader_save(&reader);
	die_before_decision(scene, "b", 2);
	decide(scene, true, "COMMIT", "b");
	reader_fails(&reader, ERROR_GAP, "XA branch X'62',X'',1 is committed, but transaction 0-1-");
}

/* In one phase the log does not name the branch. */
void test_crash_in_one_phase(void **state)
{
	struct scene *scene = *state;

	if (!begin(state))
		return;
	scene_run(scene, 0, "XA START 'a'; INSERT INTO t VALUES (1); XA END 'a'; XA COMMIT 'a' ONE PHASE");
	reader_is(&reader, "[+t(1)]");
	reader_save(&reader);
	die_before_decision(scene, "a", 1);
	prepare(scene, false, "b", 2);
	crash(scene);
	decide(scene, true, "ROLLBACK", "a");
	reader_start(&reader);
	reader_is(&reader, "[]");
	assert_int_equal(told("WARN", "XA branch X'61',X'',1 is rolled back, but its prepare was not read: if it was committed in one phase "
				      "when MariaDB died"), 1);
	reader_save(&reader);
	decide(scene, true, "COMMIT", "b");
	reader_fails(&reader, ERROR_GAP, "XA branch X'62',X'',1 is committed, but its prepare was not read");
	assert_string_equal(reader.err.hint,
		"it was prepared before the agent first started, so its changes cannot be had from here, or committed in one phase when MariaDB died, so "
		"that nobody can tell whether the log has had its changes already: start anew with another topic_prefix");
}

/* The log has the prepare, and the engine never did it. */
void test_crash_before_a_prepare(void **state)
{
	struct scene *scene = *state;

	if (!begin(state))
		return;
	prepare(scene, true, "lost", 1);
	prepare(scene, true, "stays", 2);
	prepare(scene, true, "next", 3);
	reader_is(&reader, "[][][]");
	resume_has(" X'6c6f7374',X'',1\n", true);
	reader_stop(&reader);
	decide(scene, false, "ROLLBACK", "lost");
	scene_elsewhere(scene, "SET sql_log_bin = 0; INSERT INTO t VALUES (4)"); /* so that the engine has it on its disk */
	crash(scene);
	assert_int_equal(told("INFO", "are forgotten"), 0);
	decide(scene, true, "COMMIT", "next"); /* not listed any more, but the log still says why */
	reader_start(&reader);
	reader_is(&reader, "[+t(3)]");
	assert_int_equal(told("INFO", "1 XA branches are forgotten that the log has as prepared"), 1);
	resume_has(" X'6c6f7374',X'',1\n", true); /* it goes with the next group */
	reader_is(&reader, "");
	resume_has(" X'6c6f7374',X'',1\n", false);
	resume_has("\nxa ", true);
	decide(scene, true, "COMMIT", "stays");
	reader_is(&reader, "[+t(2)]");
	resume_has("\nxa ", false);
	/* without a start of the server nothing is forgotten, listed or not */
	prepare(scene, true, "lost", 5);
	reader_is(&reader, "[]");
	reader_save(&reader);
	decide(scene, false, "ROLLBACK", "lost");
	reader_start(&reader);
	reader_is(&reader, "");
	resume_has(" X'6c6f7374',X'',1\n", true);
	/* until the name is prepared anew */
	prepare(scene, true, "lost", 6);
	decide(scene, true, "COMMIT", "lost");
	reader_is(&reader, "[][+t(6)]");
	resume_has("\nxa ", false);
}
