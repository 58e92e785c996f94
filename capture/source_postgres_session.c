/*
 * source_postgres_session.c: connections to PostgreSQL, statements on them, and what their failures mean.
 *
 * libpq's blocking calls may wait as long as a dead network does, so everything here is its asynchronous half with
 * net_wait() and a limit. The texts of values must be unambiguous, so each session sets how they are written
 * (decode_pgoutput.h).
 */
#include "capture/source_postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/net.h"

/* How often a wait looks whether the agent is to stop. */
#define SLICE_MS 100

#define SESSION_SETTINGS                                                                                       \
	"-c datestyle=ISO,MDY -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex "                  \
	"-c extra_float_digits=1 -c statement_timeout=0 -c lock_timeout=5000 "                                 \
	"-c idle_in_transaction_session_timeout=0 "                                                            \
	"-c search_path=pg_catalog"

bool session_stopping(const struct source_options *options)
{
	return options->stopping != NULL && options->stopping();
}

/* ---- classes ---- */

/* What a server says while it cannot take anybody, but will later. */
static bool is_passing(const char *text)
{
	static const char *const passing[] = { "the database system is ", "too many clients", "too many connections",
		"remaining connection slots", "number of requested standby connections exceeds",
		"terminating connection", "timeout", "could not ", "out of memory" };

	for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
		if (strstr(text, passing[i]) != NULL)
			return true;
	return false;
}

/* libpq gives no SQLSTATE for a connection that was refused, only the text. */
static enum error_class class_of_refusal(const char *text, const char **ret_hint)
{
	static const struct {
		const char *text, *hint;
	} known[] = {
		{ "password authentication failed", "look at database.user and database.password" },
		{ "no password supplied", "set database.password" },
		{ "no pg_hba.conf entry",
			"the server's pg_hba.conf must let this role in from this host, also for \"replication\"" },
		{ "must be superuser or replication role", "ALTER ROLE ... REPLICATION" },
		{ "permission denied to start WAL sender", "ALTER ROLE ... REPLICATION" },
		{ "does not exist",
			"look at database.user, database.dbname and the files of database.sslrootcert, sslcert, sslkey" },
		{ "certificate", "look at database.sslmode and database.sslrootcert" },
		{ "server does not support SSL", "look at database.sslmode" },
	};

	*ret_hint = NULL;
	if (is_passing(text))
		return ERROR_RETRY;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (strstr(text, known[i].text) == NULL)
			continue;
		*ret_hint = known[i].hint;
		/* A socket's path that does not exist is a server that does not run. */
		if (strstr(text, "Is the server running") != NULL)
			break;
		return ERROR_CONFIG;
	}
	if (strstr(text, "FATAL:") != NULL || strstr(text, "invalid ") != NULL)
		return ERROR_CONFIG;
	*ret_hint = "is the server running, and does database.hostname and database.port lead to it?";
	return ERROR_RETRY;
}

/* By the first two characters of the SQLSTATE, some by all five. */
static enum error_class class_of_state(const char *state)
{
	static const char *const config[] = { "28", "3D", "3F", "42", "0A", "22", "25006", "53400" };
	static const char *const gap[] = { "58P01" }; /* log that was removed */

	if (state == NULL || strcmp(state, "55006") == 0) /* object in use: a slot that another agent reads */
		return ERROR_RETRY;
	for (size_t i = 0; i < sizeof gap / sizeof gap[0]; i++)
		if (strcmp(state, gap[i]) == 0)
			return ERROR_GAP;
	for (size_t i = 0; i < sizeof config / sizeof config[0]; i++)
		if (strncmp(state, config[i], strlen(config[i])) == 0)
			return ERROR_CONFIG;
	return ERROR_RETRY;
}

/* The first line of libpq's text, without the words before the reason. */
static const char *first_line(const char *text, char *buf, size_t size)
{
	size_t len = strcspn(text, "\n");

	(void)snprintf(buf, size, "%.*s", (int)len, text);
	return buf;
}

static const char *host_of(const struct source_options *options)
{
	return options->hostname != NULL && options->hostname[0] != '\0' ? options->hostname : "local socket";
}

int session_error(const struct source_options *options, const PGconn *conn, const char *doing, struct error *err)
{
	const char *text = conn != NULL ? PQerrorMessage(conn) : "out of memory", *hint, *reason = text;
	enum error_class class = class_of_refusal(text, &hint);
	const char *failed = strstr(text, " failed: ");
	char line[600];

	if (failed != NULL && strncmp(text, "connection to server", strlen("connection to server")) == 0)
		reason = failed + strlen(" failed: ");
	error_set(err, class, "PostgreSQL at %s:%" PRId64 ", database \"%s\": %s: %s", host_of(options), options->port,
		options->dbname, doing, first_line(reason, line, sizeof line));
	return hint != NULL ? error_hint(err, "%s", hint) : -1;
}

int session_result_error(const struct source_options *options, const PGconn *conn, const PGresult *result,
	const char *doing, struct error *err)
{
	const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *text = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *hint = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_HINT) : NULL;
	char line[600];

	if (text == NULL && PQstatus(conn) == CONNECTION_BAD)
		return session_error(options, conn, doing, err);
	if (text == NULL)
		text = PQerrorMessage(conn);
	error_set(err, class_of_state(state), "PostgreSQL at %s:%" PRId64 ", database \"%s\": %s: %s", host_of(options),
		options->port, options->dbname, doing, first_line(text, line, sizeof line));
	return hint != NULL ? error_hint(err, "%s", hint) : -1;
}

/* ---- connecting ---- */

/* An unset option is left to libpq. */
static void put(const char **keywords, const char **values, size_t *count, const char *keyword, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	keywords[*count] = keyword;
	values[(*count)++] = value;
}

PGconn *session_start(const struct source_options *options, enum session_kind kind)
{
	const char *keywords[24], *values[24];
	char port[24];
	size_t n = 0;

	(void)snprintf(port, sizeof port, "%" PRId64, options->port);
	put(keywords, values, &n, "host", options->hostname);
	put(keywords, values, &n, "port", port);
	put(keywords, values, &n, "user", options->user);
	put(keywords, values, &n, "password", options->password);
	put(keywords, values, &n, "dbname", options->dbname);
	put(keywords, values, &n, "sslmode", options->sslmode);
	put(keywords, values, &n, "sslrootcert", options->sslrootcert);
	put(keywords, values, &n, "sslcert", options->sslcert);
	put(keywords, values, &n, "sslkey", options->sslkey);
	put(keywords, values, &n, "connect_timeout", "10");
	put(keywords, values, &n, "keepalives", "1");
	put(keywords, values, &n, "keepalives_idle", "10");
	put(keywords, values, &n, "keepalives_interval", "5");
	put(keywords, values, &n, "keepalives_count", "3");
	put(keywords, values, &n, "tcp_user_timeout", "30000");
	put(keywords, values, &n, "client_encoding", "UTF8");
	put(keywords, values, &n, "application_name", "tailrace-capture");
	put(keywords, values, &n, "options", SESSION_SETTINGS);
	if (kind == SESSION_REPLICATION)
		put(keywords, values, &n, "replication", "database");
	keywords[n] = NULL;
	values[n] = NULL;
	return PQconnectStartParams(keywords, values, 0);
}

/* Waits for one direction of the socket in slices; 0, or -1 when the limit is over or the agent is to stop. */
static int wait_socket(const struct source_options *options, PGconn *conn, short events, int64_t end_us,
	const char *doing, struct error *err)
{
	struct pollfd fd = { PQsocket(conn), events, 0 };

	for (;;) {
		int ready = net_wait(&fd, 1, SLICE_MS, err);

		if (ready != 0)
			return ready < 0 ? -1 : 0;
		if (session_stopping(options))
			return error_set(err, ERROR_RETRY, "%s: given up, the agent is to stop", doing);
		if (clock_monotonic_us() > end_us)
			return error_set(err, ERROR_RETRY,
				"PostgreSQL at %s:%" PRId64 ", database \"%s\": %s: no answer in time",
				host_of(options), options->port, options->dbname, doing);
	}
}

int session_open(const struct source_options *options, enum session_kind kind, PGconn **ret_conn, struct error *err)
{
	int64_t end = clock_monotonic_us() + SESSION_CONNECT_US;
	PGconn *conn = session_start(options, kind);
	PostgresPollingStatusType step = PGRES_POLLING_WRITING;

	while (conn != NULL && PQstatus(conn) != CONNECTION_BAD && step != PGRES_POLLING_OK &&
		step != PGRES_POLLING_FAILED) {
		if (wait_socket(options, conn, step == PGRES_POLLING_READING ? POLLIN : POLLOUT, end, "connecting",
			err) < 0)
			goto failed;
		step = PQconnectPoll(conn);
	}
	if (conn == NULL || PQstatus(conn) != CONNECTION_OK) {
		session_error(options, conn, "could not connect", err);
		goto failed;
	}
	(void)PQsetnonblocking(conn, 1);
	*ret_conn = conn;
	return 0;
failed:
	PQfinish(conn);
	return -1;
}

/* ---- statements ---- */

static bool succeeded(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_COPY_BOTH;
}

/* Sends what is buffered, waits until the next result can be had without waiting. */
static int await_result(const struct source_options *options, PGconn *conn, int64_t end_us, const char *doing,
	struct error *err)
{
	for (;;) {
		int unsent = PQflush(conn);

		if (unsent < 0 || PQstatus(conn) == CONNECTION_BAD)
			return session_error(options, conn, doing, err);
		if (unsent == 0 && !PQisBusy(conn))
			return 0;
		if (wait_socket(options, conn, (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)), end_us, doing, err) < 0)
			return -1;
		if (PQconsumeInput(conn) == 0)
			return session_error(options, conn, doing, err);
	}
}

int session_query(const struct source_options *options, PGconn *conn, const char *sql, const char *const *parameters,
	int count, int64_t limit_us, const char *doing, PGresult **ret_result, struct error *err)
{
	int64_t end = clock_monotonic_us() + limit_us;
	PGresult *last = NULL, *next;
	int sent = count > 0 ? PQsendQueryParams(conn, sql, count, NULL, parameters, NULL, NULL, 0)
			     : PQsendQuery(conn, sql);

	if (sent == 0)
		return session_error(options, conn, doing, err);
	for (;;) {
		if (await_result(options, conn, end, doing, err) < 0) {
			PQclear(last);
			return -1;
		}
		next = PQgetResult(conn);
		if (next == NULL)
			break;
		/* The first error counts; behind it only its consequences follow. */
		if (last != NULL && !succeeded(last)) {
			PQclear(next);
			continue;
		}
		PQclear(last);
		last = next;
		if (PQresultStatus(last) == PGRES_COPY_BOTH)
			break;
	}
	if (last == NULL || !succeeded(last)) {
		session_result_error(options, conn, last, doing, err);
		PQclear(last);
		return -1;
	}
	*ret_result = last;
	return 0;
}
