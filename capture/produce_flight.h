/*
 * produce_flight.h: the transactions that were handed to Kafka and are not yet known to be durable there, oldest first.
 *
 *   open ──► records sent and delivered, in any order ──► closed (END was handed over) ──► durable: taken, oldest first
 *
 * A transaction is a counter of unacknowledged records, however many rows it has, so memory is the ring and nothing
 * else. A transaction is durable only when all before it are: what is taken from here is the position up to which
 * nothing is missing in Kafka. One thread.
 */
#ifndef TAILRACE_CAPTURE_PRODUCE_FLIGHT_H
#define TAILRACE_CAPTURE_PRODUCE_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/change/change.h"

struct flight_entry {
	struct transaction txn;
	uint64_t pending; /* records handed over and not acknowledged */
	uint64_t upto;    /* once this one is durable, everything up to here is */
	bool closed;
};

struct flight {
	struct flight_entry *ring;
	size_t capacity;
	uint64_t first; /* number of the oldest entry */
	uint64_t next;  /* number of the entry that flight_open() will give */
};

int flight_init(struct flight *flight, size_t capacity, struct error *err);
void flight_release(struct flight *flight);

/* No room for another transaction: wait for Kafka. */
bool flight_full(const struct flight *flight);
bool flight_empty(const struct flight *flight);
size_t flight_count(const struct flight *flight);
/* The oldest, NULL when there is none. */
const struct flight_entry *flight_oldest(const struct flight *flight);

/*
 * Opens the next entry and returns its token: rising by one, never 0. The ring must not be full, the one before must be
 * closed.
 */
uint64_t flight_open(struct flight *flight, const struct transaction *txn);
/* One record of this transaction was handed over, was acknowledged. */
void flight_sent(struct flight *flight, uint64_t token);
void flight_delivered(struct flight *flight, uint64_t token);
/* Nothing more will be handed over for it; txn->end is known now. */
void flight_close(struct flight *flight, uint64_t token, const struct transaction *txn);
/*
 * The log holds nothing of interest up to upto. True when nothing is under way, so that this is durable at once; else
 * the newest transaction carries it along (an open one does not, since the log has not been read beyond it).
 */
bool flight_progress(struct flight *flight, uint64_t upto);
/* Takes the oldest out if it is durable. */
bool flight_take(struct flight *flight, struct flight_entry *ret_entry);

#endif
