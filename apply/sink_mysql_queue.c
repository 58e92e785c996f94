/*
 * sink_mysql_queue.c: packets of statements, their answers, attribution of errors.
 *
 *   my_queue_add ─► waiting[], packet ──push──► flying[] ─► server
 *                                        ▲         │
 *                                        └─settle──┘   each statement: one answer, up to the first that is refused
 */
#include "apply/sink_mysql_queue.h"

#include <errmsg.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/failpoint.h"

#define ROW_BYTES_MAX ((size_t)1 << 30) /* no server takes a packet beyond */
#define KEEP_BYTES ((size_t)1 << 20)
#define ROLLBACK_US ((int64_t)5000000)
#define PACKET_SLACK 64

void my_queue_init(struct my_queue *queue, uint64_t *row_wise_until)
{
	queue->row_wise_until = row_wise_until;
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

/* "an insert into t.t at 0/16B3748 event 3 of transaction 751:23812936, key (id=42)" */
static void describe(const struct my_entry *entry, char *out, size_t size)
{
	if (entry->rows > 1)
		(void)snprintf(out, size, "%s %s at %s event %" PRIu64 " of transaction %s and %u more rows",
			entry->verb, entry->table, entry->place, entry->index, entry->transaction_id, entry->rows - 1);
	else
		(void)snprintf(out, size, "%s %s at %s event %" PRIu64 " of transaction %s%s%s%s", entry->verb,
			entry->table, entry->place, entry->index, entry->transaction_id,
			entry->key[0] != '\0' ? ", key (" : "", entry->key, entry->key[0] != '\0' ? ")" : "");
}

/*
 * One row of a statement of several was refused, and which one the server does not say. Its transactions come again:
 * row by row this time, up to the last one that the statement had a part of.
 */
static void row_by_row(struct my_queue *queue, const struct my_entry *entry)
{
	if (queue->error.class != ERROR_DATA || entry->rows < 2 || queue->row_wise_until == NULL)
		return;
	if (*queue->row_wise_until < entry->last_commit)
		*queue->row_wise_until = entry->last_commit;
	queue->error.class = ERROR_RETRY;
	(void)error_hint(&queue->error, "the same transactions are written again row by row, which names the row");
}

static void refused(struct my_queue *queue, const struct my_entry *entry)
{
	MYSQL *conn = queue->link.conn;
	char where[640], what[720];

	switch (entry->kind) {
	case MY_WRITE:
	case MY_TRUNCATE:
		describe(entry, where, sizeof where);
		(void)snprintf(what, sizeof what, "target refused %s", where);
		break;
	case MY_POSITION:
		(void)snprintf(what, sizeof what, "target refused the position");
		break;
	case MY_COMMIT:
		(void)snprintf(what, sizeof what, "target refused the commit that ends with transaction %s",
			entry->transaction_id);
		break;
	}
	queue->failed = true;
	(void)my_error_set(&queue->error, what, mysql_errno(conn), mysql_error(conn));
	if (entry->kind == MY_COMMIT)
		queue->error.class = ERROR_RETRY; /* whether anything of it is durable, the position will tell */
	row_by_row(queue, entry);
}

/* An insert must put all its rows in, an update or delete must find its row. */
static void check_rows(struct my_queue *queue, const struct my_entry *entry, uint64_t rows)
{
	char where[640];

	if (entry->kind == MY_POSITION && rows != 1) {
		queue->failed = true;
		(void)error_set(
			&queue->error, ERROR_FENCED, "the position row was taken over by another apply agent");
	}
	if (entry->kind != MY_WRITE || rows == entry->rows || (rows < entry->rows && entry->maybe_none))
		return;
	queue->failed = true;
	describe(entry, where, sizeof where);
	if (rows > entry->rows) {
		(void)error_set(&queue->error, ERROR_DATA, "target changed %" PRIu64 " rows by %s", rows, where);
	} else if (entry->rows > 1 || strncmp(entry->verb, "an insert", 9) == 0) {
		(void)error_set(&queue->error, ERROR_DATA, "target took %" PRIu64 " of %u rows of %s", rows,
			entry->rows, where);
		row_by_row(queue, entry);
	} else {
		(void)error_set(
			&queue->error, ERROR_DATA, "target refused %s: no row with that key at the target", where);
		(void)error_hint(
			&queue->error, "the target was changed by somebody else; put the row back, then resume");
	}
}

int my_queue_error(const struct my_queue *queue, struct error *err)
{
	if (!queue->failed)
		return 0;
	*err = queue->error;
	return -1;
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
		const struct my_entry *entry = &queue->flying[i];
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
			if (!queue->failed)
				refused(queue, entry);
			return 0;
		}
		if (!queue->failed)
			check_rows(queue, entry, rows);
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
	if (queue->waiting_count == 0 || queue->failed) {
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

struct my_entry *my_queue_add(struct my_queue *queue, const struct my_entry *entry, struct error *err)
{
	struct my_entry *to;

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
	*to = *entry;
	return to;
}

int my_queue_bulk(
	struct my_queue *queue, const struct my_entry *entry, const char *bytes, size_t len, struct error *err)
{
	if (my_queue_push(queue, err) < 0 || my_queue_settle(queue, err) < 0)
		return -1;
	if (queue->failed)
		return 0;
	if (my_link_send(&queue->link, COM_STMT_BULK_EXECUTE, bytes, len, err) < 0)
		return -1;
	queue->flying[0] = *entry;
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
	queue->failed = false;
	return !queue->link.broken;
}
