/*
 * source_postgres.h: what the files of the PostgreSQL source share: sessions, questions to the catalogue, the set-up.
 *
 * Private to source_postgres*.c. No wait in here is without a limit, and each long one asks options->stopping.
 * Protocol: PostgreSQL's documentation, "Streaming Replication Protocol" and "Logical Replication Message Formats".
 */
#ifndef TAILRACE_CAPTURE_SOURCE_POSTGRES_H
#define TAILRACE_CAPTURE_SOURCE_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "capture/decode_pgoutput.h"
#include "capture/source.h"
#include "lib/base/arena.h"
#include "lib/base/error.h"

#define SESSION_CONNECT_US INT64_C(10000000)
#define SESSION_QUERY_US INT64_C(10000000)

/* ---- source_postgres_session.c: one connection ---- */
enum session_kind { SESSION_SQL, SESSION_REPLICATION };

/*
 * Begins to connect without waiting; then PQconnectPoll(). Non-NULL also when libpq refused at once (PQstatus). NULL:
 * memory.
 */
PGconn *session_start(const struct source_options *options, enum session_kind kind);
/* Connects, waits at most SESSION_CONNECT_US. *ret_conn stays untouched on failure. */
int session_open(const struct source_options *options, enum session_kind kind, PGconn **ret_conn, struct error *err);
/* Why the connection was not made or is gone, with the class and what to do; returns -1. */
int session_error(const struct source_options *options, const PGconn *conn, const char *doing, struct error *err);
/*
 * One statement with text parameters, waits at most limit_us; its last result (PQclear() it) has one of the two
 * statuses of success. An error is classified by its SQLSTATE.
 */
int session_query(const struct source_options *options, PGconn *conn, const char *sql, const char *const *parameters,
	int count, int64_t limit_us, const char *doing, PGresult **ret_result, struct error *err);
/* Fills err from a failed result (NULL: the connection's own error); returns -1. */
int session_result_error(const struct source_options *options, const PGconn *conn, const PGresult *result,
	const char *doing, struct error *err);
bool session_stopping(const struct source_options *options);

/* ---- source_postgres_setup.c: before the stream ---- */
/* Version, wal_level, publication, tables, slot; creates what it may. Fills the identity. */
int setup_source(const struct source_options *options, PGconn *sql, PGconn *replication, bool may_create,
	struct source_identity *ret_identity, struct error *err);
/* Where the log ends now. */
int setup_head(const struct source_options *options, PGconn *sql, uint64_t *ret_head, struct error *err);

/* ---- source_postgres_tables.c: the publication and its tables ---- */
/* Makes or completes the publication as options say, checks that the wanted tables are in it and can be followed. */
int setup_publication(const struct source_options *options, PGconn *sql, struct error *err);
/* source.h's tables(). */
int published_tables(const struct source_options *options, PGconn *sql, source_table_visit *visit, void *context,
	struct error *err);

/* ---- source_postgres_types.c: what the decoder asks ---- */
struct catalogue {
	const struct source_options *options;
	PGconn **sql;       /* the source's, which may be exchanged */
	struct arena arena; /* of the last answer */
	/* Makes *sql usable: finishes what runs on it, connects anew if it is gone. */
	int (*ready)(void *context, struct error *err);
	void *context;
};

int catalogue_type(void *context, uint32_t oid, int32_t typmod, struct pg_type *ret, struct error *err);
int catalogue_key(void *context, uint32_t relation, const char *schema, const char *name, const char *const *columns,
	size_t column_count, bool *ret_key, struct error *err);

#endif
