/*
 * sink_fixture.c: the shared part of the tests of the PostgreSQL target against a real server.
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

#include "tests/unit/sink_fixture.h"
#include "tests/unit/values.h"

const struct sink_ops *const fixture_ops = &sink_postgres;
PGconn *fixture_admin;
uint64_t fixture_row_wise_until;
bool fixture_stopping;

static bool stop(void)
{
	return fixture_stopping;
}

struct sink_options fixture_options(void)
{
	const char *port = getenv("SINK_TEST_PORT");

	return (struct sink_options){ .type = "postgresql",
		.name = "crm",
		.hostname = getenv("SINK_TEST_HOST"),
		.user = "postgres",
		.password = "",
		.dbname = "postgres",
		.sslmode = "",
		.sslrootcert = "",
		.sslcert = "",
		.sslkey = "",
		.port = strtol(port, NULL, 10),
		.lock_timeout_us = 300000,
		.wake_fd = -1,
		.stop = stop,
		.row_wise_until = &fixture_row_wise_until };
}

void fixture_connect(void)
{
	char conninfo[256];

	(void)snprintf(conninfo, sizeof conninfo, "host=%s port=%s user=postgres", getenv("SINK_TEST_HOST"),
		getenv("SINK_TEST_PORT"));
	PQfinish(fixture_admin);
	fixture_admin = PQconnectdb(conninfo);
	if (PQstatus(fixture_admin) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(fixture_admin));
	PQclear(PQexec(fixture_admin, "SET client_min_messages = error; SET extra_float_digits = 1; SET timezone = 'UTC'"));
}

void fixture_run(const char *sql)
{
	PGresult *result = PQexec(fixture_admin, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(fixture_admin));
	PQclear(result);
}

void fixture_expect(const char *sql, const char *want)
{
	PGresult *result = PQexec(fixture_admin, sql);
	const char *have = PQntuples(result) == 0 ? "(no row)" :
		PQgetisnull(result, 0, 0)         ? "(null)" :
						    PQgetvalue(result, 0, 0);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(fixture_admin));
	if (strcmp(have, want) != 0)
		fail_msg("%s: \"%s\", expected \"%s\"", sql, have, want);
	PQclear(result);
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

void fixture_open(struct fixture *f)
{
	struct sink_options o = fixture_options();
	struct sink_position position;

	fixture_must(f, fixture_ops->open(&o, &f->sink, &position, &f->err));
	free(position.offsets);
}

const struct column two_columns[] = {
	{ .name = "id", .type = COLUMN_INT32, .key = true, .source_type = "integer" },
	{ .name = "v", .type = COLUMN_STRING, .source_type = "text" }
};

/* Schema t anew, with the given tables; a sink and the mapping of t.t (id int, v text). */
void fixture_start(struct fixture *f, const char *ddl)
{
	memset(f, 0, sizeof *f);
	fixture_row_wise_until = 0;
	fixture_stopping = false;
	/* What a failed test left behind. */
	fixture_run("ROLLBACK; SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE application_name LIKE 'tailrace%'");
	fixture_run("DROP SCHEMA IF EXISTS t CASCADE; CREATE SCHEMA t; DROP SCHEMA IF EXISTS tailrace CASCADE");
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
