/*
 * sink_postgres_connect.c: connecting and the session's settings.
 *
 * libpq tells of a failed connection by text only. With verbose messages the text of a server's refusal holds its
 * SQLSTATE ("FATAL:  28P01: ..."), and that decides the class; what has none comes from this side: no route, no server
 * (retry), or certificates and parameters (configuration).
 *
 * The session:
 *   search_path ''
 *	nobody's tables, functions or operators stand in for ours: every name that we send is qualified
 *   TimeZone, DateStyle, IntervalStyle, xmloption, lc_monetary, array_nulls
 *	how text forms are read
 *   synchronous_commit off
 *	safe, because the position row is in the same transaction: a crash of the target loses the rows and their
 *	position together, and they are read from Kafka again. It saves a flush of the log for each commit.
 *   lock_timeout
 *	from the configuration: a wait for others ends, the transaction is tried again
 *   statement_timeout, idle_in_transaction_session_timeout 0
 *	a long transaction is normal here, and a slow source must not end ours
 *   default_transaction_isolation read committed
 *	one writer, nothing to serialize
 *   plan_cache_mode force_generic_plan, enable_seqscan off, jit off
 *	statements find one row by a unique key: plan once, and not by what a table's size was at that time. A scan
 *	that is needed all the same (no key) must not look so dear that the server compiles it.
 *   client_connection_check_interval (set apart, where there is one)
 *	a statement that waits for a lock ends soon after this agent died, instead of keeping the pipeline's lock
 */
#include "apply/sink_postgres_connect.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "apply/sink_postgres_queue.h"
#include "apply/sink_wait.h"
#include "lib/base/clock.h"

#define CONNECT_US ((int64_t)10000000)

struct parameters {
	const char *names[24];
	const char *values[24];
	size_t count;
};

static void add(struct parameters *params, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	params->names[params->count] = name;
	params->values[params->count++] = value;
}

const char *connect_sqlstate(const char *message, char *out)
{
	static const char code[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	out[0] = '\0';
	for (const char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
		if (strspn(at + 3, code) != 5 || at[8] != ':' || at[9] != ' ')
			continue;
		memcpy(out, at + 3, 5);
		out[5] = '\0';
		return at + 10;
	}
	return message;
}

/* Errors of this side that no waiting will mend. */
static bool is_local_fault(PGconn *conn, const char *message)
{
	static const char *const words[] = { "certificate", "private key", "does not support SSL", "sslmode",
		"invalid port", "invalid integer", "invalid connection option" };

	if (PQconnectionNeedsPassword(conn))
		return true;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strstr(message, words[i]) != NULL)
			return true;
	return false;
}

static const char *describe(const struct sink_options *options, char *out, size_t size)
{
	(void)snprintf(out, size, "could not connect to the target database \"%s\" at %s:%" PRId64, options->dbname,
		options->hostname != NULL && options->hostname[0] != '\0' ? options->hostname : "the local socket",
		options->port);
	return out;
}

static int failed(const struct sink_options *options, PGconn *conn, struct error *err)
{
	char what[512], sqlstate[6];
	const char *message = PQerrorMessage(conn);
	const char *text = connect_sqlstate(message, sqlstate);

	(void)describe(options, what, sizeof what);
	(void)queue_error_set(err, what, text, sqlstate);
	if (sqlstate[0] == '\0' && is_local_fault(conn, message)) {
		err->class = ERROR_CONFIG;
		(void)error_hint(err, "correct the target's host, password or ssl settings");
	} else if (strcmp(sqlstate, "42501") == 0) {
		(void)error_hint(err, "GRANT CONNECT ON DATABASE to the user");
	}
	return -1;
}

/* PQconnectPoll() until it is done; every wait can be interrupted. */
static int poll_connection(const struct sink_options *options, PGconn *conn, struct error *err)
{
	int64_t until = clock_monotonic_us() + CONNECT_US;
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	char what[512];

	while (PQstatus(conn) != CONNECTION_BAD && status != PGRES_POLLING_OK) {
		int64_t left = until - clock_monotonic_us();
		int events = sink_wait(PQsocket(conn), status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
			options->wake_fd, options->stop, left > 0 ? (int)(left / 1000) + 1 : 0, err);

		if (events < 0)
			return -1;
		if (events == 0 && left <= 0)
			return error_set(
				err, ERROR_RETRY, "%s: no answer for 10 s", describe(options, what, sizeof what));
		if (events == 0)
			continue;
		status = PQconnectPoll(conn);
		if (status == PGRES_POLLING_FAILED)
			break;
	}
	if (PQstatus(conn) != CONNECTION_OK)
		return failed(options, conn, err);
	return 0;
}

static void ignore_notice(void *context, const PGresult *notice)
{
	(void)context;
	(void)notice;
}

int connect_open(const struct sink_options *options, PGconn **ret_conn, struct error *err)
{
	struct parameters params = { .count = 0 };
	char port[24] = "", application[128];
	PGconn *conn;

	if (options->port > 0)
		(void)snprintf(port, sizeof port, "%" PRId64, options->port);
	(void)snprintf(application, sizeof application, "tailrace-apply %s", options->name);
	add(&params, "host", options->hostname);
	add(&params, "port", port);
	add(&params, "user", options->user);
	add(&params, "password", options->password);
	add(&params, "dbname", options->dbname);
	add(&params, "sslmode", options->sslmode);
	add(&params, "sslrootcert", options->sslrootcert);
	add(&params, "sslcert", options->sslcert);
	add(&params, "sslkey", options->sslkey);
	add(&params, "application_name", application);
	add(&params, "client_encoding", "UTF8");
	add(&params, "connect_timeout", "10");
	/* A vanished peer is found within 30 s, whether we wait for it (keepalives) or send to it (user timeout). */
	add(&params, "keepalives", "1");
	add(&params, "keepalives_idle", "10");
	add(&params, "keepalives_interval", "5");
	add(&params, "keepalives_count", "4");
	add(&params, "tcp_user_timeout", "30000");
	params.names[params.count] = NULL;
	params.values[params.count] = NULL;
	conn = PQconnectStartParams(params.names, params.values, 0);
	if (conn == NULL)
		return error_set(err, ERROR_RETRY, "memory is short");
	(void)PQsetNoticeReceiver(conn, ignore_notice, NULL);
	(void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	if (poll_connection(options, conn, err) < 0) {
		PQfinish(conn);
		return -1;
	}
	(void)PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
	*ret_conn = conn;
	return 0;
}

const char *connect_session(const struct sink_options *options, char *sql)
{
	static const char *const settings[][2] = { { "search_path", "" }, { "TimeZone", "UTC" },
		{ "DateStyle", "ISO, MDY" }, { "IntervalStyle", "postgres" }, { "bytea_output", "hex" },
		{ "client_encoding", "UTF8" }, { "standard_conforming_strings", "on" }, { "xmloption", "content" },
		{ "lc_monetary", "C" }, { "array_nulls", "on" }, { "synchronous_commit", "off" },
		{ "statement_timeout", "0" }, { "idle_in_transaction_session_timeout", "0" },
		{ "default_transaction_isolation", "read committed" }, { "default_transaction_deferrable", "off" },
		{ "plan_cache_mode", "force_generic_plan" }, { "enable_seqscan", "off" }, { "jit", "off" },
		/* The server's side of what connect_open() sets on ours: it holds the lock that a stand-by waits for. */
		{ "tcp_keepalives_idle", "10" }, { "tcp_keepalives_interval", "5" }, { "tcp_keepalives_count", "4" },
		{ "tcp_user_timeout", "30000" } };
	int len =
		snprintf(sql, CONNECT_SESSION_MAX, "SELECT pg_catalog.set_config('lock_timeout','%" PRId64 "ms',false)",
			(options->lock_timeout_us + 999) / 1000);

	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
		len += snprintf(sql + len, CONNECT_SESSION_MAX - (size_t)len, ",pg_catalog.set_config('%s','%s',false)",
			settings[i][0], settings[i][1]);
	return sql;
}
