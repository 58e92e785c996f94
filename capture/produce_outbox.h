/*
 * produce_outbox.h: the few records that one item of the log becomes, until Kafka's queue has taken them.
 *
 * The queue may be full at any record, also between a delete and its tombstone. So an item is first turned into records
 * here, and handing over is a step of its own that can be tried again and goes on where it stopped. One thread.
 */
#ifndef TAILRACE_CAPTURE_PRODUCE_OUTBOX_H
#define TAILRACE_CAPTURE_PRODUCE_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/produce_flight.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/failpoint.h"
#include "lib/kafka/kafka.h"

/* BEGIN, delete, tombstone, create. */
#define OUTBOX_RECORDS 4

struct outbox_piece {
	size_t at, len; /* in the outbox's bytes */
};

struct outbox_record {
	struct kafka_topic *topic;
	int32_t partition;
	bool keyed, valued; /* else NULL */
	struct outbox_piece key, value;
	const char *header; /* name, NULL: none */
	struct outbox_piece header_value;
	uint64_t token;
	int before, after; /* failpoints around handing it over, FAILPOINT_COUNT: none */
};

struct outbox {
	struct buf bytes;
	struct outbox_record records[OUTBOX_RECORDS];
	unsigned count, next;
	uint64_t handed_bytes;
};

void outbox_init(struct outbox *outbox, size_t max);
void outbox_release(struct outbox *outbox);
bool outbox_empty(const struct outbox *outbox);
/* Drops everything. Gives back memory that only a huge row needed. */
void outbox_reset(struct outbox *outbox);

/* A new record at the end, without key, value, header and failpoints; NULL when there are too many. */
struct outbox_record *outbox_add(struct outbox *outbox, struct kafka_topic *topic, int32_t partition, uint64_t token);

/*
 * Hands over as much as Kafka takes. 1: everything (and the outbox is reset); 0: the queue is full; -1: err. Each
 * record that was taken is counted in flight under its token.
 */
int outbox_flush(struct outbox *outbox, struct kafka_producer *producer, struct flight *flight, struct error *err);

#endif
