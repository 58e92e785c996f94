/*
 * sink_mysql_queue.h: statements that wait to be sent, those that the server works on, and whose fault an error is.
 *
 * Statements gather in one packet, separated by semicolons, so that a transaction of many small statements costs one round trip. While
 * the server works on a packet the next one is built. Answers come in the order of the statements. At the
 * first that is refused the server stops, and so the error belongs to the first one without an answer.
 *
 * Bounds: MY_ENTRIES statements and MY_PACKET bytes (and one row more, however large) in a packet, one packet at the server.
 */
#ifndef TAILRACE_APPLY_SINK_MYSQL_QUEUE_H
#define TAILRACE_APPLY_SINK_MYSQL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/sink_mysql_link.h"
#include "apply/sink_statement.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"

#define MY_ENTRIES 256u
#define MY_PACKET ((size_t)256 << 10)

struct my_queue {
	struct my_link link;
	struct sink_refusal refusal; /* since the last my_queue_rollback() */
	struct buf packet; /* the statements of waiting[] */
	size_t packet_bytes; /* it is sent when it has as many */
	unsigned waiting_count, flying_count;
	struct sink_statement waiting[MY_ENTRIES], flying[MY_ENTRIES];
};

/* The link must be connected. */
void my_queue_init(struct my_queue *queue, uint64_t *row_wise_until);
void my_queue_release(struct my_queue *queue);

/*
 * A new statement behind those that wait: copies what it is for, whose place is returned, valid until the next call of the queue's;
 * the text goes to queue->packet. NULL: broken. A server's error is not reported here.
 */
struct sink_statement *my_queue_add(struct my_queue *queue, const struct sink_statement *statement, struct error *err);
/* Sends what waits, after the answers to what is under way. */
int my_queue_push(struct my_queue *queue, struct error *err);
/* The same, and then a bulk execution of its own. */
int my_queue_bulk(
	struct my_queue *queue, const struct sink_statement *statement, const char *bytes, size_t len, struct error *err);
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
