/*
 * sink_mysql_queue.c: packets of statements, their answers, attribution of errors.
 *
 *   my_queue_add ─► waiting[], packet ──push──► flying[] ─► server
 *                                        ▲         │
 *                                        └─settle──┘   each statement: one answer, up to the first that is refused
 */
#include "apply/sink_mysql_queue.h"

#include <errmsg.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/failpoint.h"

#define ROW_BYTES_MAX ((size_t)1 << 30) /* no server takes a packet beyond */
#define KEEP_BYTES ((size_t)1 << 20)
#define ROLLBACK_US ((int64_t)5000000)
#define PACKET_SLACK 64

void my_queue_init(struct my_queue *queue, uint64_t *row_wise_until)
{
	queue->refusal.row_wise_until = row_wise_until;
	buf_init(&queue->packet, ROW_BYTES_MAX);
	queue->packet_bytes = queue->link.packet_max / 2 < MY_PACKET ? queue->link.packet_max / 2 : MY_PACKET;
}

void my_queue_release(struct my_queue *queue)
{
	buf_release(&queue->packet);
	my_link_close(&queue->link);
}

void my_queue_drop(struct my_queue *queue)
{
	queue->waiting_count = 0;
	if (queue->packet.size > KEEP_BYTES)
		buf_release(&queue->packet);
	else
		buf_reset(&queue->packet);
}

/* ---- errors ---- */

static void refused(struct my_queue *queue, const struct sink_statement *statement)
{
	MYSQL *conn = queue->link.conn;
	char what[SINK_WHERE_MAX];

	queue->refusal.failed = true;
	(void)my_error_set(
		&queue->refusal.error, sink_refused_what(statement, what), mysql_errno(conn), mysql_error(conn));
	if (statement->kind == SINK_COMMIT)
		queue->refusal.error.class = ERROR_RETRY; /* whether anything of it is durable, the position will tell */
	sink_refused_rows(&queue->refusal, statement);
}

static void taken(struct my_queue *queue, const struct sink_statement *statement, uint64_t rows)
{
	if (statement->kind == SINK_POSITION && rows != 1)
		sink_fenced(&queue->refusal);
	else if (statement->kind == SINK_WRITE)
		sink_check_rows(&queue->refusal, statement, rows, NULL);
}

int my_queue_error(const struct my_queue *queue, struct error *err)
{
	return sink_refusal_check(&queue->refusal, err);
}

int my_queue_check_size(const struct my_queue *queue, size_t bytes, struct error *err)
{
	size_t need = bytes + PACKET_SLACK;

	if (need <= queue->link.packet_max && need <= ROW_BYTES_MAX)
		return 0;
	(void)error_set(err, ERROR_DATA, "the row takes %zu bytes, and the target's max_allowed_packet is %zu", bytes,
		queue->link.packet_max);
	return error_hint(err, "raise max_allowed_packet at the target, then resume");
}

/* ---- answers ---- */

int my_queue_settle(struct my_queue *queue, struct error *err)
{
	unsigned count = queue->flying_count;

	queue->flying_count = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct sink_statement *statement = &queue->flying[i];
		uint64_t rows;
		int result;

		if (i > 0 && !my_link_more(&queue->link)) {
			queue->link.broken = true;
			return error_set(err, ERROR_BUG, "the target gave %u answers to %u statements", i, count);
		}
		result = my_link_answer(&queue->link, &rows, err);
		if (result < 0)
			return -1;
		if (result > 0) {
			if (!queue->refusal.failed)
				refused(queue, statement);
			return 0;
		}
		if (!queue->refusal.failed)
			taken(queue, statement, rows);
	}
	if (count == 0 || !my_link_more(&queue->link))
		return 0;
	queue->link.broken = true;
	return error_set(err, ERROR_BUG, "the target gave more than %u answers to %u statements", count, count);
}

/* ---- sending ---- */

int my_queue_push(struct my_queue *queue, struct error *err)
{
	if (my_queue_settle(queue, err) < 0)
		return -1;
	if (queue->waiting_count == 0 || queue->refusal.failed) {
		my_queue_drop(queue);
		return 0;
	}
	if (buf_check(&queue->packet, "a packet of statements", err) < 0 ||
		my_queue_check_size(queue, queue->packet.len, err) < 0 ||
		my_link_send(&queue->link, COM_QUERY, queue->packet.data, queue->packet.len, err) < 0)
		return -1;
	memcpy(queue->flying, queue->waiting, queue->waiting_count * sizeof queue->waiting[0]);
	queue->flying_count = queue->waiting_count;
	my_queue_drop(queue);
	return 0;
}

struct sink_statement *my_queue_add(struct my_queue *queue, const struct sink_statement *statement, struct error *err)
{
	struct sink_statement *to;

	if ((queue->waiting_count == MY_ENTRIES || queue->packet.len >= queue->packet_bytes) &&
		my_queue_push(queue, err) < 0)
		return NULL;
	if (queue->link.broken) {
		(void)error_set(err, ERROR_RETRY, "connection to the target was lost");
		return NULL;
	}
	if (queue->waiting_count > 0)
		buf_append_byte(&queue->packet, ';');
	to = &queue->waiting[queue->waiting_count++];
	*to = *statement;
	return to;
}

int my_queue_bulk(
	struct my_queue *queue, const struct sink_statement *statement, const char *bytes, size_t len, struct error *err)
{
	if (my_queue_push(queue, err) < 0 || my_queue_settle(queue, err) < 0)
		return -1;
	if (queue->refusal.failed)
		return 0;
	if (my_link_send(&queue->link, COM_STMT_BULK_EXECUTE, bytes, len, err) < 0)
		return -1;
	queue->flying[0] = *statement;
	queue->flying_count = 1;
	return failpoint_reach(FP_APPLY_MYSQL_BULK, err);
}

bool my_queue_rollback(struct my_queue *queue)
{
	/* A truncate may have left the foreign keys off. */
	static const char sql[] = "ROLLBACK", keys[] = "SET foreign_key_checks=1";

	my_queue_drop(queue);
	if (queue->link.broken)
		return false;
	queue->link.until_us = clock_monotonic_us() + ROLLBACK_US;
	if (my_queue_settle(queue, NULL) < 0 || my_link_ask(&queue->link, sql, sizeof sql - 1, NULL, NULL) < 0 ||
		my_link_ask(&queue->link, keys, sizeof keys - 1, NULL, NULL) < 0)
		queue->link.broken = true;
	queue->link.until_us = 0;
	queue->refusal.failed = false;
	return !queue->link.broken;
}
