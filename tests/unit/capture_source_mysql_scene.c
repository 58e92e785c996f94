/*
 * capture_source_mysql_scene.c: see the header. The servers are made by capture_source_mariadb_real.sh.
 */
#include "tests/unit/capture_source_mysql_scene.h"

#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"

#define WAIT_US INT64_C(60000000)
#define TEXT_MAX ((size_t)64 << 20)

static int marks;

/* ---- servers ---- */

static MYSQL *connect_to(const struct scene *scene, int server)
{
	MYSQL *conn = mysql_init(NULL);
	char path[256];

	(void)snprintf(path, sizeof path, "%s/%d.sock", scene->directory, server + 1);
	if (mysql_real_connect(conn, "localhost", "root", "", NULL, 0, path, CLIENT_MULTI_STATEMENTS) == NULL)
		fail_msg("%s: %s", path, mysql_error(conn));
	return conn;
}

int scene_open(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);
	const char *kind = getenv("SOURCE_TEST_KIND");

	if (scene == NULL)
		return -1;
	scene->directory = getenv("SOURCE_TEST_DIRECTORY");
	if (kind == NULL || scene->directory == NULL)
		fail_msg("run by capture_source_mariadb_real.sh");
	scene->mariadb = strcmp(kind, "mariadb") == 0;
	scene->ops = scene->mariadb ? &source_mariadb : &source_mysql;
	for (int i = 0; i < 2; i++)
		scene->sql[i] = connect_to(scene, i);
	*state = scene;
	return 0;
}

int scene_close(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < 2; i++)
		mysql_close(scene->sql[i]);
	free(scene);
	return 0;
}

static void finish(MYSQL *conn, const char *sql)
{
	int more = 0;

	do {
		mysql_free_result(mysql_store_result(conn));
		more = mysql_next_result(conn);
	} while (more == 0);
	if (more > 0 || mysql_errno(conn) != 0)
		fail_msg("%s: %s", sql, mysql_error(conn));
}

void scene_run(struct scene *scene, int server, const char *format, ...)
{
	static char sql[65536];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(sql, sizeof sql, format, arguments);
	va_end(arguments);
	if (mysql_real_query(scene->sql[server], sql, strlen(sql)) != 0)
		fail_msg("%s: %s", sql, mysql_error(scene->sql[server]));
	finish(scene->sql[server], sql);
}

void scene_elsewhere(struct scene *scene, const char *format, ...)
{
	struct scene copy = *scene;
	char sql[1024];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(sql, sizeof sql, format, arguments);
	va_end(arguments);
	copy.sql[0] = connect_to(scene, 0);
	scene_run(&copy, 0, "USE b; %s", sql);
	mysql_close(copy.sql[0]);
}

const char *scene_ask(struct scene *scene, int server, const char *sql)
{
	static char answer[4096];
	MYSQL_RES *result = NULL;
	MYSQL_ROW row;

	if (mysql_real_query(scene->sql[server], sql, strlen(sql)) != 0 ||
		(result = mysql_store_result(scene->sql[server])) == NULL)
		fail_msg("%s: %s", sql, mysql_error(scene->sql[server]));
	row = mysql_fetch_row(result);
	(void)snprintf(answer, sizeof answer, "%s", row != NULL && row[0] != NULL ? row[0] : "");
	mysql_free_result(result);
	return answer;
}

int scene_reset(void **state)
{
	struct scene *scene = *state;
	const char *reset = scene->mariadb ? "RESET MASTER" : "RESET BINARY LOGS AND GTIDS";

	for (int i = 0; i < 2; i++)
		scene_run(scene, i, "DROP DATABASE IF EXISTS b; DROP DATABASE IF EXISTS other; %s", reset);
	scene_run(scene, 0, "CREATE DATABASE b; CREATE TABLE b.mark (id INT PRIMARY KEY); USE b");
	return 0;
}

static void run_script(struct scene *scene, const char *name, const char *argument)
{
	char command[300];
	int status;
	pid_t pid;

	(void)snprintf(command, sizeof command, "%s/%s", scene->directory, name);
	pid = fork();
	if (pid == 0) {
		(void)execl(command, command, argument, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

void scene_copy(struct scene *scene)
{
	run_script(scene, "copy", NULL);
}

void scene_crash(struct scene *scene, unsigned bytes)
{
	char argument[32];

	(void)snprintf(argument, sizeof argument, "%u", bytes);
	run_script(scene, "crash", argument);
	mysql_close(scene->sql[0]);
	scene->sql[0] = connect_to(scene, 0);
	scene_run(scene, 0, "USE b");
}

/* ---- the reader ---- */

void reader_init(struct reader *reader, struct scene *scene, int server)
{
	static const char *const include[] = { "b.*" };

	memset(reader, 0, sizeof *reader);
	reader->scene = scene;
	buf_init(&reader->text, TEXT_MAX);
	buf_init(&reader->resume, TEXT_MAX);
	reader->options = (struct source_options){
		.name = "test",
		.user = "root",
		.password = "",
		.sslmode = "disable",
		.table_include = include,
		.table_include_count = 1,
		.heartbeat_interval_us = 200000,
		.state_directory = scene->directory,
	};
	reader_lead_to(reader, server);
}

void reader_lead_to(struct reader *reader, int server)
{
	(void)snprintf(reader->path, sizeof reader->path, "%s/%d.sock", reader->scene->directory, server + 1);
	reader->options.hostname = reader->path;
}

void reader_stop(struct reader *reader)
{
	if (reader->source != NULL)
		reader->scene->ops->close(reader->source);
	reader->source = NULL;
}

void reader_release(struct reader *reader)
{
	reader_stop(reader);
	buf_release(&reader->text);
	buf_release(&reader->resume);
}

int reader_try(struct reader *reader)
{
	const struct source_ops *ops = reader->scene->ops;

	reader_stop(reader);
	reader->options.expected_log = reader->log;
	reader->options.confirmed = reader->confirmed;
	reader->options.resume = buf_cstr(&reader->resume);
	error_clear(&reader->err);
	if (ops->open(&reader->options, reader->log[0] == '\0', &reader->source, &reader->identity, &reader->err) < 0) {
		reader->source = NULL;
		return -1;
	}
	if (ops->start(reader->source, 0, &reader->err) < 0)
		return -1;
	reader->upto = reader->identity.confirmed;
	return 0;
}

void reader_start(struct reader *reader)
{
	if (reader_try(reader) < 0)
		fail_msg("%s", reader->err.text);
	if (reader->log[0] == '\0') {
		(void)snprintf(reader->log, sizeof reader->log, "%s", reader->identity.log);
		reader_save(reader);
	}
}

static void put_value(struct buf *text, const struct value *value)
{
	switch (value->kind) {
	case VALUE_NULL:
		buf_append_str(text, "NULL");
		break;
	case VALUE_INT:
		buf_printf(text, "%" PRId64, value->i);
		break;
	case VALUE_TEXT:
		if (value->text.len > 100)
			buf_printf(text, "%zu bytes", value->text.len);
		else
			buf_append(text, value->text.ptr, value->text.len);
		break;
	case VALUE_UNCHANGED:
		buf_append_str(text, "=");
		break;
	default:
		buf_printf(text, "kind %d", (int)value->kind);
		break;
	}
}

static void put_row(struct buf *text, const struct table *table, const struct value *row)
{
	for (size_t i = 0; i < table->column_count; i++) {
		buf_append_str(text, i > 0 ? "," : "");
		put_value(text, &row[i]);
	}
}

static void put_change(struct buf *text, const struct change *chg)
{
	const char *sign = chg->op == CHANGE_INSERT ? "+" : chg->op == CHANGE_UPDATE ? "~" : "-";

	assert_non_null(chg->file);
	assert_true(chg->lsn >= 4);
	if (chg->op == CHANGE_TRUNCATE) {
		buf_printf(text, "!%s", chg->table->name);
		return;
	}
	buf_printf(text, "%s%s", sign, chg->table->name);
	buf_append_byte(text, '(');
	if (chg->before != NULL)
		put_row(text, chg->table, chg->before);
	if (chg->before != NULL && chg->after != NULL)
		buf_append_byte(text, '>');
	if (chg->after != NULL)
		put_row(text, chg->table, chg->after);
	buf_append_byte(text, ')');
}

static void check_transaction(const struct reader *reader, const struct transaction *txn)
{
	char number[32];
	size_t len = strlen(txn->id), n = (size_t)snprintf(number, sizeof number, ":%" PRIu64, txn->commit);

	assert_int_equal(txn->commit, reader->upto);
	assert_string_equal(txn->id + len - n, number);
	if (txn->gtid[0] != '\0')
		assert_memory_equal(txn->id, txn->gtid, strlen(txn->gtid));
	assert_true(txn->commit_us > INT64_C(1600000000000000));
}

static void take(struct reader *reader, const struct source_item *item)
{
	switch (item->kind) {
	case SOURCE_BEGIN:
		check_transaction(reader, item->txn);
		buf_append_byte(&reader->text, '[');
		break;
	case SOURCE_CHANGE:
		put_change(&reader->text, &item->chg);
		reader->table = item->chg.table;
		break;
	case SOURCE_COMMIT:
		buf_append_byte(&reader->text, ']');
		assert_int_equal(item->txn->end, item->txn->commit + 1);
		reader->upto = item->txn->end;
		reader->last = *item->txn;
		break;
	case SOURCE_HEARTBEAT:
		assert_int_equal(item->lsn, reader->upto);
		reader->heartbeats++;
		break;
	case SOURCE_PROGRESS:
	case SOURCE_NOTHING:
		break;
	}
}

int reader_step(struct reader *reader)
{
	const struct source_ops *ops = reader->scene->ops;
	struct source_item item = { 0 };
	struct pollfd fds[8];
	int timeout_ms = 50;

	if (ops->next(reader->source, &item, &reader->err) < 0)
		return -1;
	take(reader, &item);
	if (item.kind == SOURCE_NOTHING) {
		nfds_t n = ops->poll_fds(reader->source, fds, 8, &timeout_ms);

		(void)poll(fds, n, timeout_ms);
	}
	return 0;
}

static bool ends_with(struct buf *text, const char *end)
{
	size_t len = strlen(end);

	return text->len >= len && memcmp(text->data + text->len - len, end, len) == 0;
}

void reader_read(struct reader *reader)
{
	int server = reader->path[strlen(reader->path) - 6] - '1';
	int64_t limit = clock_monotonic_us() + WAIT_US;
	char mark[64];

	(void)snprintf(mark, sizeof mark, "[+mark(%d)]", ++marks);
	scene_run(reader->scene, server, "INSERT INTO b.mark VALUES (%d)", marks);
	while (!ends_with(&reader->text, mark)) {
		if (reader_step(reader) < 0)
			fail_msg("%s (%s)", reader->err.text, reader->err.hint);
		if (clock_monotonic_us() > limit)
			fail_msg("%s does not come after %s", mark, buf_cstr(&reader->text));
	}
	reader->text.len -= strlen(mark);
}

int reader_read_transactions(struct reader *reader, uint64_t count)
{
	int64_t limit = clock_monotonic_us() + WAIT_US;
	uint64_t end = reader->upto + count;

	while (count == 0 || reader->upto < end) {
		if (reader_step(reader) < 0)
			return -1;
		if (clock_monotonic_us() > limit)
			fail_msg("nothing more comes after %s", buf_cstr(&reader->text));
	}
	return 0;
}

void reader_keep(struct reader *reader)
{
	buf_reset(&reader->resume);
	if (reader->scene->ops->resume(reader->source, reader->upto, &reader->resume, &reader->err) < 0)
		fail_msg("%s", reader->err.text);
	reader->confirmed = reader->upto;
}

void reader_save(struct reader *reader)
{
	reader_keep(reader);
	if (reader->scene->ops->confirm(reader->source, reader->upto, &reader->err) < 0)
		fail_msg("%s", reader->err.text);
}

void reader_fails(struct reader *reader, enum error_class class, const char *words)
{
	if (reader_try(reader) == 0)
		assert_int_equal(reader_read_transactions(reader, 0), -1);
	if (strstr(reader->err.text, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, reader->err.text);
	assert_string_equal(error_class_name(reader->err.class), error_class_name(class));
	assert_true(reader->err.class == ERROR_RETRY || reader->err.hint[0] != '\0');
}
