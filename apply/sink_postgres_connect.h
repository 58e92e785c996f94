/*
 * sink_postgres_connect.h: a connection to the target with a session that is ours, whatever the server's defaults are.
 */
#ifndef TAILRACE_APPLY_SINK_POSTGRES_CONNECT_H
#define TAILRACE_APPLY_SINK_POSTGRES_CONNECT_H

#include <libpq-fe.h>
#include <stddef.h>

#include "apply/sink.h"
#include "lib/base/error.h"

#define CONNECT_SESSION_MAX 4096

/*
 * Connects within 10 s, watching options->wake_fd and stop(). *ret_conn is the caller's (PQfinish()). ERROR_RETRY:
 * nobody there, starting up, full; ERROR_CONFIG with a hint: password, database, permission, certificate.
 */
int connect_open(const struct sink_options *options, PGconn **ret_conn, struct error *err);

/* The one query that sets the session; returns sql (CONNECT_SESSION_MAX bytes). */
const char *connect_session(const struct sink_options *options, char *sql);

/* The SQLSTATE in a verbose message ("FATAL:  28P01: ..."), 6 bytes into out, "" if there is none; returns the text
 * behind it. */
const char *connect_sqlstate(const char *message, char *out);

#endif
