/*
 * sink_fixture_postgres.c: a PostgreSQL server under test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "tests/unit/sink_fixture.h"

static PGconn *admin;

const struct sink_ops *const fixture_ops = &sink_postgres;
const struct fixture_words fixture_words = {
	.duplicate = "duplicate key value violates unique constraint \"t_pkey\" (23505)",
	.lock_timeout = "canceling statement due to lock timeout (55P03)",
	.deadlock = "deadlock detected (40P01)",
	.holder = "server process",
	.sleep = "SELECT pg_sleep(0.3)",
	.victim = "SET LOCAL deadlock_timeout = '10s'",
};

bool fixture_is_there(void)
{
	return getenv("SINK_TEST_PORT") != NULL;
}

void fixture_address(struct sink_options *o)
{
	o->type = "postgresql";
	o->hostname = getenv("SINK_TEST_HOST");
	o->user = o->dbname = "postgres";
	o->port = strtol(getenv("SINK_TEST_PORT"), NULL, 10);
}

void fixture_connect(void)
{
	char conninfo[256];

	(void)snprintf(conninfo, sizeof conninfo, "host=%s port=%s user=postgres", getenv("SINK_TEST_HOST"),
		getenv("SINK_TEST_PORT"));
	PQfinish(admin);
	admin = PQconnectdb(conninfo);
	if (PQstatus(admin) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(admin));
	fixture_run("SET client_min_messages = error; SET extra_float_digits = 1; SET timezone = 'UTC'");
}

int fixture_tear_down(void **state)
{
	PQfinish(admin);
	admin = NULL;
	return 0;
}

bool fixture_try(const char *sql)
{
	PGresult *result = PQexec(admin, sql);
	bool good = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;

	PQclear(result);
	return good;
}

void fixture_run(const char *sql)
{
	if (!fixture_try(sql))
		fail_msg("%s: %s", sql, PQerrorMessage(admin));
}

void fixture_send(const char *sql)
{
	assert_int_equal(PQsendQuery(admin, sql), 1);
}

void fixture_receive(void)
{
	for (PGresult *result; (result = PQgetResult(admin)) != NULL;)
		PQclear(result);
}

void fixture_expect(const char *sql, const char *want)
{
	PGresult *result = PQexec(admin, sql);
	const char *have = PQntuples(result) == 0 ? "(no row)" :
		PQgetisnull(result, 0, 0)         ? "(null)" :
						    PQgetvalue(result, 0, 0);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(admin));
	if (strcmp(have, want) != 0)
		fail_msg("%s: \"%s\", expected \"%s\"", sql, have, want);
	PQclear(result);
}

void fixture_empty(void)
{
	fixture_run("DROP SCHEMA IF EXISTS t CASCADE; CREATE SCHEMA t");
}

void fixture_clean(void)
{
	fixture_run("ROLLBACK; SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE application_name LIKE 'tailrace%'");
	fixture_empty();
	fixture_run("DROP SCHEMA IF EXISTS tailrace CASCADE");
}
