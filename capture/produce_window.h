/*
 * produce_window.h: the transactions that are in Kafka but not yet covered by a position record: the log must tell each
 * of them again, in the same place, before anything new follows.
 *
 *   transaction topic, BEGIN and END behind the position record
 *     ──► added ──► met, one after the other, as the log is read again ──► behind the last one all is new
 *
 * Numbers alone do not prove that it is the same log: a server that took over may tell the same transactions in another
 * order (MariaDB's replication domains, replicas that do not preserve the commit order). Of those that Kafka has in full
 * that would hardly matter, but the position moves through them, and of the last ones only some events may be there.
 *
 * Transactions without events of ours have no BEGIN and are not looked at. Plain memory, one thread.
 */
#ifndef TAILRACE_CAPTURE_PRODUCE_WINDOW_H
#define TAILRACE_CAPTURE_PRODUCE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/change/change.h"
#include "lib/codec/codec.h"

/* Most transactions that are in Kafka without a position record: pipeline.c does not let more of them be. About 120 bytes each. */
#define WINDOW_MAX ((size_t)16384)

struct window_entry {
	uint64_t commit;
	char *id;
	bool ended;      /* END is there too, with the counts */
	uint64_t events;
	uint64_t tables; /* events of each table, as one number: window_tables() */
};

struct window {
	struct window_entry *entries; /* rising by commit */
	size_t count, room;
	uint64_t from; /* the list has all of Kafka's transactions that commit at or behind this */
	size_t next;   /* the first that was not met */
	bool open;     /* the one before `next` is being read */
};

/* from: up to there the position record covers all. */
void window_init(struct window *window, uint64_t from);
void window_release(struct window *window);

/*
 * Takes in a BEGIN or an END; an exact copy of one that is there changes nothing, and one before `from` is passed over.
 * ERROR_GAP if it is another transaction in the place of one that is there. Of more than WINDOW_MAX only the newest
 * are kept.
 */
int window_add(struct window *window, const struct mark *mark, struct error *err);
/* The topic's beginning was removed: older ones than the first may be missing. */
void window_cut(struct window *window);

/*
 * What the log gives, in its order; all are ERROR_GAP if it is not what must come. begin: before anything of the
 * transaction; met: at its first event; event: at each, with its number; commit: at its end, with what was counted.
 */
int window_begin(const struct window *window, const struct transaction *txn, struct error *err);
int window_met(struct window *window, const struct transaction *txn, struct error *err);
int window_event(const struct window *window, uint64_t index, struct error *err);
int window_commit(struct window *window, const struct transaction *txn, uint64_t events, uint64_t tables,
	struct error *err);
/* The log was read up to there, and no transaction is open. */
int window_progress(const struct window *window, uint64_t lsn, struct error *err);

/* Adds one table's events to the number that stands for all; their order does not matter. 0 is none. */
uint64_t window_tables(uint64_t tables, const char *collection, uint64_t events);

#endif
