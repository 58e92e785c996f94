/*
 * group.h: the target transaction that is open: which source transactions are in it, and when it must be committed.
 *
 * A group holds whole source transactions: begin() and end() bracket each, commit() is only allowed between them.
 * The caller owns the sink. One thread.
 */
#ifndef TAILRACE_APPLY_GROUP_H
#define TAILRACE_APPLY_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/sink.h"
#include "lib/base/error.h"

#define GROUP_TRANSACTIONS_MAX 100000

struct group {
	const struct sink_ops *ops;
	struct sink *sink;
	size_t transactions_max;
	size_t bytes_max;   /* of queued writes */
	int64_t age_max_us;
	bool open;          /* at the sink */
	bool inside;        /* a source transaction */
	bool dirty;         /* the position has moved since the last commit */
	int64_t opened_us;  /* monotonic */
	size_t count;       /* source transactions with rows in the open target transaction */
	int64_t *source_us; /* their commit times, for latency */
	uint64_t rows;      /* written since the group was opened */
	uint64_t passed;    /* source transactions that ended since the last commit, with or without rows */
};

/* transactions_max is cut to GROUP_TRANSACTIONS_MAX. -1: memory is short. */
int group_init(struct group *group, const struct sink_ops *ops, struct sink *sink, size_t transactions_max,
	size_t bytes_max, int64_t age_max_us, struct error *err);
void group_release(struct group *group);

/* A source transaction with `events` events begins; without any, the target is left alone. */
int group_begin(struct group *group, uint64_t events, struct error *err);
int group_write(struct group *group, void *handle, const struct change *chg, const struct value *old_key,
	const struct transaction *txn, struct error *err);
int group_end(struct group *group, const struct transaction *txn, struct error *err);
/* May the next source transaction still go into this group? */
bool group_is_full(const struct group *group);

/*
 * Makes rows and position durable, then reports each transaction's latency (agent_latency's argument) to `latency`.
 * Opens a target transaction for the position alone if none is open. On -1 the group is aborted.
 */
int group_commit(struct group *group, const struct sink_position *position, void (*latency)(int64_t us),
	struct error *err);
/* Rolls back; the group is empty again. */
void group_abort(struct group *group);

#endif
