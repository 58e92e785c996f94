/*
 * doctor_postgres.c: sessions at PostgreSQL that only read, and why one is refused.
 *
 * libpq tells of a refused connection by text only. With verbose messages that text holds the server's SQLSTATE ("FATAL:  28P01: ..."), which
 * does not depend on the server's language; the remedy goes by it. What has none comes from this side: no route, no server, certificates.
 */
#include "config.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/net.h"
#include "tool/doctor.h"

#define CONNECT_US INT64_C(10000000)

/* ---- connecting ---- */

static void ignore_notice(void *context, const PGresult *notice)
{
	(void)context;
	(void)notice;
}

static PGconn *start(const struct doctor_server *server, bool replication)
{
	char port[24];
	const char *names[] = { "host", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey", "port",
		"replication", "application_name", "client_encoding", "keepalives_idle", "keepalives_interval", "keepalives_count",
		"tcp_user_timeout", NULL };
	const char *values[] = { server->hostname, server->user, server->password, server->dbname, server->sslmode,
		server->sslrootcert, server->sslcert, server->sslkey, port, replication ? "database" : "", "tailrace doctor",
		"UTF8", "10", "5", "4", "30000", NULL };

	(void)snprintf(port, sizeof port, "%" PRId64, server->port);
	return PQconnectStartParams(names, values, 0); /* libpq takes an empty value as one that was not given */
}

/* false: no answer in time. */
static bool finish(PGconn *conn, struct error *err)
{
	int64_t until = clock_monotonic_us() + CONNECT_US;
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (PQstatus(conn) != CONNECTION_BAD && status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
		struct pollfd fd = { .fd = PQsocket(conn), .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT };
		int64_t left = until - clock_monotonic_us();
		int ready = left > 0 ? net_wait(&fd, 1, (int)(left / 1000) + 1, err) : 0;

		if (ready < 0 || (ready == 0 && clock_monotonic_us() >= until))
			return false;
		if (ready > 0)
			status = PQconnectPoll(conn);
	}
	return true;
}

/* Takes the first line, and the SQLSTATE out of it. */
static void read_refusal(PGconn *conn, struct doctor_refusal *refusal)
{
	static const char code[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *text = PQerrorMessage(conn);

	for (const char *at = strstr(text, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
		if (strspn(at + 3, code) != 5 || at[8] != ':' || at[9] != ' ')
			continue;
		memcpy(refusal->sqlstate, at + 3, 5);
		text = at + 10;
		break;
	}
	(void)snprintf(refusal->text, sizeof refusal->text, "%.*s", (int)strcspn(text, "\n"), text);
	refusal->password_missing = PQconnectionNeedsPassword(conn) != 0;
}

PGconn *doctor_connect(const struct doctor_server *server, bool replication, struct doctor_refusal *ret_refusal)
{
	struct error err = ERROR_INIT;
	PGconn *conn = start(server, replication);

	memset(ret_refusal, 0, sizeof *ret_refusal);
	if (conn == NULL) {
		(void)snprintf(ret_refusal->text, sizeof ret_refusal->text, "out of memory");
		return NULL;
	}
	(void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	(void)PQsetNoticeReceiver(conn, ignore_notice, NULL);
	if (!finish(conn, &err))
		(void)snprintf(ret_refusal->text, sizeof ret_refusal->text, "%s",
			err.class != ERROR_NONE ? err.text : "no answer for 10 s");
	else if (PQstatus(conn) != CONNECTION_OK)
		read_refusal(conn, ret_refusal);
	else
		return conn;
	PQfinish(conn);
	return NULL;
}

static void advise(struct doctor *doctor, const struct doctor_server *server, const struct doctor_refusal *refusal)
{
	const char *state = refusal->sqlstate, *user = server->user[0] != '\0' ? server->user : "ROLE";

	if (refusal->password_missing)
		doctor_remedy(doctor, "set database.password in %s to the password of role \"%s\"", doctor->path, user);
	else if (strcmp(state, "28P01") == 0)
		doctor_remedy(doctor, "correct database.user and database.password in %s; to give the role a new password: psql -c '\\password %s'",
			doctor->path, user);
	else if (strcmp(state, "28000") == 0)
		doctor_remedy(doctor, "CREATE ROLE \"%s\" LOGIN if the role is missing; else add to the server's pg_hba.conf: "
			"host \"%s\" \"%s\" ADDRESS/32 scram-sha-256 and SELECT pg_reload_conf()", user, server->dbname, user);
	else if (strcmp(state, "3D000") == 0)
		doctor_remedy(doctor, "correct database.dbname in %s; to list the server's databases: psql -l", doctor->path);
	else if (strcmp(state, "42501") == 0)
		doctor_remedy(doctor, "GRANT CONNECT ON DATABASE \"%s\" TO \"%s\"", server->dbname, user);
	else if (strcmp(state, "53300") == 0)
		doctor_remedy(doctor, "ALTER SYSTEM SET max_connections = N, then restart the server; or end other sessions");
	else if (state[0] != '\0')
		doctor_remedy(doctor, "see the server's log; try again when it is up");
	else if (strstr(refusal->text, "SSL") != NULL || strstr(refusal->text, "certificate") != NULL)
		doctor_remedy(doctor, "correct database.sslmode, sslrootcert, sslcert and sslkey in %s", doctor->path);
	else
		doctor_remedy(doctor, "start the server, or correct database.hostname and database.port in %s; to see whether it answers: pg_isready -h %s -p %" PRId64,
			doctor->path, server->hostname[0] != '\0' ? server->hostname : "/var/run/postgresql", server->port);
}

PGconn *doctor_open(struct doctor *doctor, const struct doctor_server *server, bool *ret_read_only)
{
	static const char settings[] = "SELECT current_setting('default_transaction_read_only'),"
		" set_config('default_transaction_read_only', 'on', false), set_config('search_path', 'pg_catalog', false),"
		" set_config('statement_timeout', '30s', false), set_config('lock_timeout', '5s', false)";
	struct doctor_refusal refusal;
	PGconn *conn = doctor_connect(server, false, &refusal);
	PGresult *result;

	if (conn == NULL) {
		doctor_fail(doctor, "connection", "%s: no connection to database \"%s\" at %s:%" PRId64 ": %s", server->what, server->dbname,
			server->hostname[0] != '\0' ? server->hostname : "the local socket", server->port, refusal.text);
		advise(doctor, server, &refusal);
		return NULL;
	}
	(void)PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
	result = doctor_ask(doctor, conn, "connection", settings, NULL, 0);
	if (result == NULL) {
		PQfinish(conn);
		return NULL;
	}
	*ret_read_only = strcmp(doctor_text(result, 0, 0), "on") == 0;
	PQclear(result);
	doctor_ok(doctor, "connection", "%s: connected to database \"%s\" at %s:%" PRId64 " as role \"%s\"", server->what, PQdb(conn),
		server->hostname[0] != '\0' ? server->hostname : "the local socket", server->port, PQuser(conn));
	return conn;
}

/* ---- asking ---- */

PGresult *doctor_ask(struct doctor *doctor, PGconn *conn, const char *check, const char *sql,
	const char *const *parameters, int count)
{
	PGresult *result = PQexecParams(conn, sql, count, NULL, parameters, NULL, NULL, 0);
	const char *why;

	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		return result;
	why = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	if (why == NULL)
		why = PQerrorMessage(conn);
	doctor_fail(doctor, check, "the server could not be asked about %s: %s", check, why);
	doctor_remedy(doctor, "see the server's log; this check needs no right but to read the system catalogues");
	PQclear(result);
	return NULL;
}

const char *doctor_text(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? "" : PQgetvalue(result, row, column);
}

bool doctor_true(const PGresult *result, int row, int column)
{
	return strcmp(doctor_text(result, row, column), "t") == 0;
}

int64_t doctor_number(const PGresult *result, int row, int column)
{
	return strtoll(doctor_text(result, row, column), NULL, 10);
}

/* ---- texts ---- */

void doctor_name(struct buf *out, const char *name)
{
	buf_append_byte(out, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"')
			buf_append_byte(out, '"');
		buf_append_byte(out, *name);
	}
	buf_append_byte(out, '"');
}

void doctor_table_name(struct buf *out, const char *schema, const char *table)
{
	doctor_name(out, schema);
	buf_append_byte(out, '.');
	doctor_name(out, table);
}

const char *doctor_bytes(int64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double n = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		(void)snprintf(buf, size, "%" PRId64 " bytes", bytes);
		return buf;
	}
	for (; n >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
		n /= 1024;
	(void)snprintf(buf, size, "%.1f %s", n, units[unit]);
	return buf;
}
