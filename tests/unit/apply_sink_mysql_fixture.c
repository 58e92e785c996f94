/*
 * apply_sink_mysql_fixture.c: the shared part of the tests of the MySQL and MariaDB target against real servers.
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
#include <mysql.h>

#include "tests/unit/apply_sink_mysql_fixture.h"
#include "tests/unit/values.h"

const struct sink_ops *const fixture_ops = &sink_mysql;
MYSQL *fixture_admin;
uint64_t fixture_row_wise_until;
bool fixture_stopping;

static bool stop(void)
{
	return fixture_stopping;
}

bool fixture_is_mariadb(void)
{
	return strcmp(getenv("SINK_TEST_TYPE"), "mariadb") == 0;
}

struct sink_options fixture_options(void)
{
	return (struct sink_options){ .type = getenv("SINK_TEST_TYPE"),
		.name = "crm",
		.hostname = getenv("SINK_TEST_SOCKET"),
		.user = "root",
		.password = "",
		.dbname = "mysql",
		.sslmode = "",
		.sslrootcert = "",
		.sslcert = "",
		.sslkey = "",
		.port = 3306,
		.lock_timeout_us = 300000,
		.wake_fd = -1,
		.stop = stop,
		.row_wise_until = &fixture_row_wise_until };
}

void fixture_connect(void)
{
	if (fixture_admin != NULL)
		mysql_close(fixture_admin);
	fixture_admin = mysql_init(NULL);
	(void)mysql_options(fixture_admin, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (mysql_real_connect(fixture_admin, NULL, "root", "", NULL, 0, getenv("SINK_TEST_SOCKET"),
		    CLIENT_MULTI_STATEMENTS) == NULL)
		fail_msg("%s", mysql_error(fixture_admin));
	fixture_run("SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', lock_wait_timeout = 5");
}

void fixture_run(const char *sql)
{
	if (mysql_query(fixture_admin, sql) != 0)
		fail_msg("%s: %s", sql, mysql_error(fixture_admin));
	for (;;) {
		MYSQL_RES *result = mysql_store_result(fixture_admin);
		int more;

		mysql_free_result(result);
		more = mysql_next_result(fixture_admin);
		if (more > 0)
			fail_msg("%s: %s", sql, mysql_error(fixture_admin));
		if (more != 0)
			return;
	}
}

void fixture_expect(const char *sql, const char *want)
{
	MYSQL_RES *result = NULL;
	const char *have;
	MYSQL_ROW row;

	if (mysql_query(fixture_admin, sql) != 0 || (result = mysql_store_result(fixture_admin)) == NULL)
		fail_msg("%s: %s", sql, mysql_error(fixture_admin));
	row = mysql_fetch_row(result);
	have = row == NULL ? "(no row)" : row[0] == NULL ? "(null)" : row[0];
	if (strcmp(have, want) != 0)
		fail_msg("%s: \"%s\", expected \"%s\"", sql, have, want);
	mysql_free_result(result);
}

void fixture_table(struct fixture *f, const char *name, const struct column *columns, size_t count)
{
	f->table = (struct table){ .schema = "t",
		.name = name,
		.columns = f->columns,
		.column_count = count,
		.key = f->key,
		.key_count = 0,
		.identity = IDENTITY_KEY };
	for (size_t i = 0; i < count; i++) {
		f->columns[i] = columns[i];
		f->to[i] = (struct sink_column){ i, columns[i].name };
		if (columns[i].key)
			f->key[f->table.key_count++] = i;
	}
	f->mapping = (struct sink_mapping){
		.table = &f->table, .target_schema = "t", .target_table = name, .columns = f->to, .column_count = count
	};
}

void fixture_must(struct fixture *f, int result)
{
	if (result != 0)
		fail_msg("%s (%s)", f->err.text, error_class_name(f->err.class));
}

void fixture_refused(struct fixture *f, int result, enum error_class class, const char *text)
{
	assert_int_equal(result, -1);
	if (f->err.class != class || strcmp(f->err.text, text) != 0)
		fail_msg("%s: \"%s\", expected %s: \"%s\"", error_class_name(f->err.class), f->err.text,
			error_class_name(class), text);
}

/* A connection that was closed or killed lets its lock go a moment later. */
void fixture_open(struct fixture *f)
{
	struct sink_options o = fixture_options();
	struct sink_position position;

	for (int tries = 0; fixture_ops->open(&o, &f->sink, &position, &f->err) < 0; tries++) {
		if (f->err.class != ERROR_RETRY || tries == 100)
			fail_msg("%s", f->err.text);
		(void)usleep(50000);
	}
	free(position.offsets);
}

const struct column two_columns[] = {
	{ .name = "id", .type = COLUMN_INT32, .key = true, .source_type = "integer" },
	{ .name = "v", .type = COLUMN_STRING, .source_type = "text" }
};

/* What a failed test left behind. */
static void kill_agents(void)
{
	MYSQL_RES *result = NULL;
	char sql[64];

	fixture_run("ROLLBACK");
	if (mysql_query(fixture_admin,
		    "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = 'root' AND command = 'Sleep'") !=
			0 ||
		(result = mysql_store_result(fixture_admin)) == NULL)
		fail_msg("%s", mysql_error(fixture_admin));
	for (MYSQL_ROW row; (row = mysql_fetch_row(result)) != NULL;) {
		(void)snprintf(sql, sizeof sql, "KILL %s", row[0]);
		(void)mysql_query(fixture_admin, sql);
	}
	mysql_free_result(result);
}

void fixture_start(struct fixture *f, const char *ddl)
{
	memset(f, 0, sizeof *f);
	fixture_row_wise_until = 0;
	fixture_stopping = false;
	kill_agents();
	fixture_run("DROP DATABASE IF EXISTS t; CREATE DATABASE t CHARACTER SET utf8mb4; DROP DATABASE IF EXISTS tailrace");
	fixture_run(ddl);
	fixture_open(f);
	fixture_table(f, "t", two_columns, 2);
}

void fixture_prepare(struct fixture *f)
{
	fixture_must(f, fixture_ops->prepare(f->sink, &f->mapping, &f->handle, &f->err));
}

void fixture_begin(struct fixture *f, uint64_t commit)
{
	f->txn = (struct transaction){ .commit = commit, .xid = 751 };
	(void)snprintf(f->txn.id, sizeof f->txn.id, "751:%llu", (unsigned long long)commit);
	f->index = 0;
	fixture_must(f, fixture_ops->begin(f->sink, &f->err));
}

int fixture_change(struct fixture *f, enum change_op op, const struct value *before, const struct value *after,
	const struct value *old_key)
{
	struct change chg = { .op = op,
		.table = &f->table,
		.before = before,
		.after = after,
		.before_is_key = before != NULL && f->table.identity == IDENTITY_KEY,
		.lsn = 0x16B3748,
		.index = ++f->index };

	return fixture_ops->write(f->sink, f->handle, &chg, old_key, &f->txn, &f->err);
}

int fixture_insert(struct fixture *f, int64_t id, const char *text)
{
	struct value row[] = { INT(id), { .kind = VALUE_TEXT, .text = { text, strlen(text) } } };

	return fixture_change(f, CHANGE_INSERT, NULL, row, NULL);
}

int fixture_commit(struct fixture *f)
{
	struct sink_position position = { .found = true, .log = "postgresql:7:1:crm", .commit = f->txn.commit };

	memcpy(position.transaction_id, f->txn.id, sizeof position.transaction_id);
	return fixture_ops->commit(f->sink, &position, &f->err);
}

void fixture_finish(struct fixture *f)
{
	fixture_ops->close(f->sink);
	f->sink = NULL;
}
