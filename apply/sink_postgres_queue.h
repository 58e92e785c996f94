/*
 * sink_postgres_queue.h: statements on their way to the server, and whose fault an error is.
 *
 * libpq's pipeline mode on a non-blocking connection. For each statement in flight an entry of a ring says what it is
 * for; results come back in the same order, so the entry at the ring's tail is the one that a result belongs to. The
 * first error is kept with its attribution, and everything behind it up to the next sync is skipped by the server
 * itself.
 *
 * Bounds: QUEUE_ENTRIES statements in flight, QUEUE_UNSENT bytes that the socket did not take yet (and one statement
 * more, however large it is).
 *
 * Two kinds of failure. The server refused a statement: queue_error() says so, the connection is good, queue_rollback()
 * makes it usable. The connection is lost or a wait was interrupted: the functions return -1, the queue is broken, and
 * nothing but queue_release() is left.
 */
#ifndef TAILRACE_APPLY_SINK_POSTGRES_QUEUE_H
#define TAILRACE_APPLY_SINK_POSTGRES_QUEUE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/sink_statement.h"
#include "lib/base/error.h"

#define QUEUE_ENTRIES 1024u /* a power of two */
#define QUEUE_UNSENT ((size_t)1 << 20)

struct queue_entry {
	struct sink_statement statement;
	bool answered;
	bool *prepared; /* SINK_PREPARE: is cleared if the server did not take it */
};

struct queue {
	PGconn *conn;
	int wake_fd;
	bool (*stop)(void);
	bool broken;
	struct sink_refusal refusal; /* since the last queue_rollback() */
	size_t unsent;      /* bytes given to libpq since its buffer was last known to be empty */
	unsigned unflushed; /* statements since the server was last asked to send its answers */
	PGresult *wanted;   /* answer of a SINK_QUERY */
	unsigned head, tail;
	struct queue_entry entries[QUEUE_ENTRIES];
};

/* The connection must be open; takes it over. -1: it does not allow pipeline mode. */
int queue_init(struct queue *queue, PGconn *conn, int wake_fd, bool (*stop)(void), struct error *err);
void queue_release(struct queue *queue);

/*
 * The entry for the next statement, cleared but for what `kind` says: fill it in, then send at once with one of the
 * functions below. Waits while the queue is full; -1: broken. A server's error is not reported here.
 */
int queue_next(struct queue *queue, enum sink_kind kind, struct queue_entry **ret_entry, struct error *err);
int queue_send(struct queue *queue, const char *sql, int count, const Oid *types, const char *const *values,
	struct error *err);
int queue_send_prepare(
	struct queue *queue, const char *name, const char *sql, int count, const Oid *types, struct error *err);
/* bytes: of all values, for the bound. */
int queue_send_prepared(struct queue *queue, const char *name, int count, const char *const *values, const int *lengths,
	const int *formats, size_t bytes, struct error *err);
/* Ends a stretch in which an error makes the server skip the rest. */
int queue_sync(struct queue *queue, struct error *err);

/* Puts everything on the wire. */
int queue_flush(struct queue *queue, struct error *err);
/* Waits until at most `most` statements are in flight (0 only after a sync or a flush request, which it makes). */
int queue_settle(struct queue *queue, unsigned most, struct error *err);
/* 0, or -1 and the first refused statement's error. */
int queue_error(const struct queue *queue, struct error *err);

/* Sends a query, waits for it and everything before it; *ret is the caller's (PQclear()). -1: refused, or broken. */
int queue_query(
	struct queue *queue, const char *sql, int count, const char *const *values, PGresult **ret, struct error *err);
/* Rolls the open transaction back and forgets the error; false: the connection is of no use any more. Waits 5 s at
 * most. */
bool queue_rollback(struct queue *queue);

unsigned queue_in_flight(const struct queue *queue);

/* The class of an SQLSTATE; NULL or "" (libpq's own errors): ERROR_RETRY. */
enum error_class queue_class(const char *sqlstate);
/* Fills err from a message of libpq's (one line of it), with class and hint by SQLSTATE; returns -1. */
int queue_error_set(struct error *err, const char *what, const char *message, const char *sqlstate);

#endif
