/*
 * sink_mysql_queue.h: statements that wait to be sent, those that the server works on, and whose fault an error is.
 *
 * Statements gather in one packet, separated by semicolons, so that a transaction of many small statements costs one round trip. While
 * the server works on a packet the next one is built. For each statement an entry says what it is for; answers come in the same
 * order. At the first statement that is refused the server stops, and so the error's entry is the first without an answer.
 *
 * Bounds: MY_ENTRIES statements and MY_PACKET bytes (and one row more, however large) in a packet, one packet at the server.
 */
#ifndef TAILRACE_APPLY_SINK_MYSQL_QUEUE_H
#define TAILRACE_APPLY_SINK_MYSQL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/sink_mysql_link.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/change.h"

#define MY_ENTRIES 256u
#define MY_PACKET ((size_t)256 << 10)
#define MY_KEY_MAX 128
#define MY_PLACE_MAX 160

enum my_kind {
	MY_WRITE,    /* must touch `rows` rows */
	MY_TRUNCATE, /* touches what is there */
	MY_POSITION, /* touches no row: the epoch has moved on */
	MY_COMMIT
};

/* What a statement is for: enough to name a change that is refused. */
struct my_entry {
	enum my_kind kind;
	bool maybe_none;                         /* MY_WRITE: fewer rows are right as well */
	uint32_t rows;                           /* MY_WRITE */
	const char *verb;                        /* "an insert into", "an update of", "a delete from" */
	const char *table;                       /* lives as long as the sink */
	uint64_t index;                          /* of the first row */
	uint64_t last_commit;                    /* of the last row's transaction */
	char place[MY_PLACE_MAX];                /* of the first row in the source's log */
	char transaction_id[TRANSACTION_ID_MAX]; /* of the first row */
	char key[MY_KEY_MAX];                    /* of the first row: "id=42"; "": none */
};

struct my_queue {
	struct my_link link;
	uint64_t *row_wise_until; /* sink.h: raised when a statement of several rows is refused */
	bool failed;              /* `error` is set: the server refused something since the last my_queue_rollback() */
	struct error error;
	struct buf packet; /* the statements of waiting[] */
	size_t packet_bytes; /* it is sent when it has as many */
	unsigned waiting_count, flying_count;
	struct my_entry waiting[MY_ENTRIES], flying[MY_ENTRIES];
};

/* The link must be connected. */
void my_queue_init(struct my_queue *queue, uint64_t *row_wise_until);
void my_queue_release(struct my_queue *queue);

/*
 * A new statement behind those that wait: copies `entry`, whose place is returned, valid until the next call of the queue's;
 * the text goes to queue->packet. NULL: broken. A server's error is not reported here.
 */
struct my_entry *my_queue_add(struct my_queue *queue, const struct my_entry *entry, struct error *err);
/* Sends what waits, after the answers to what is under way. */
int my_queue_push(struct my_queue *queue, struct error *err);
/* The same, and then a bulk execution of its own. */
int my_queue_bulk(
	struct my_queue *queue, const struct my_entry *entry, const char *bytes, size_t len, struct error *err);
/* Reads all answers. -1: broken. */
int my_queue_settle(struct my_queue *queue, struct error *err);
/* 0, or -1 and the first refused statement's error. */
int my_queue_error(const struct my_queue *queue, struct error *err);
/* Forgets what waits. */
void my_queue_drop(struct my_queue *queue);
/* Rolls back and forgets the error; false: the connection is of no use any more. Waits 5 s at most. */
bool my_queue_rollback(struct my_queue *queue);

/* -1 and ERROR_DATA if a packet of this size is more than the server takes. */
int my_queue_check_size(const struct my_queue *queue, size_t bytes, struct error *err);

#endif
