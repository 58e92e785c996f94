/*
 * order.h: source transactions out of many partitions, whole, in commit order, each once. The why stands at the head of
 * order.c.
 *
 * It reads heads: the first message of each partition that was not taken yet. Where they come from (Kafka in the agent,
 * a script in a unit test) it does not know; it does no I/O, does not wait, and knows no time.
 */
#ifndef TAILRACE_APPLY_ORDER_H
#define TAILRACE_APPLY_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/change/change.h"
#include "lib/codec/codec.h"

/* ---- what it reads ---- */
enum order_head_kind {
	ORDER_HEAD_SKIP,  /* a tombstone: nothing to apply */
	ORDER_HEAD_EVENT, /* event is set */
	ORDER_HEAD_MARK   /* mark is set */
};

struct order_head {
	enum order_head_kind kind;
	int64_t offset;
	struct event event;
	bool key_leaves;             /* event is the delete half of a key move (header __debezium.newkey) */
	/* event is the create half: the old key (header __debezium.oldkey), as for sink write(); else NULL */
	const struct value *old_key;
	struct mark mark;
};

/* Partitions are named by handles 0, 1, 2 ...; the transaction topic's one is handle 0. */
struct order_heads {
	void *context;
	/*
	 * The partitions that carry a collection ("schema.table"): 1 and at least one handle, which live as long as the
	 * heads; 0: it is not subscribed; -1: err, also when its topic is not being read yet (the caller knows by other
	 * means, and makes new heads and a new order).
	 */
	int (*collection)(void *context, const char *collection, const int **ret_handles, size_t *ret_count,
		struct error *err);
	/* 1: *ret_head is the partition's head, the same until pop(); 0: none at hand; -1: err. */
	int (*peek)(void *context, int handle, const struct order_head **ret_head, struct error *err);
	/* The head is done with: what it holds is gone, and the partition has been read up to behind it. */
	void (*pop)(void *context, int handle);
	/* "topic[partition]", for error texts. */
	const char *(*name)(void *context, int handle);
	/*
	 * Before a collection's event is called missing: 0: the partitions that collection() gave are all there are; -1:
	 * ERROR_RETRY, there are more, or nobody could say. Asked once in a run, as nothing but an error can follow.
	 */
	int (*confirm)(void *context, const char *collection, struct error *err);
};

/* ---- what it gives ---- */
enum order_kind {
	ORDER_NOTHING, /* at least one message that must come first is not at hand: wait for more */
	ORDER_BEGIN,   /* txn, events; its first event is at hand, if it has any */
	ORDER_EVENT,   /* txn, chg, old_key */
	ORDER_END      /* txn: all of it was given, and every head of it is popped */
};

struct order_item {
	enum order_kind kind;
	const struct transaction *txn; /* valid until the next BEGIN */
	uint64_t events;               /* BEGIN: events of subscribed tables; key moves count as two and come as one */
	bool middle;                   /* BEGIN: the first of all, though the chain has others before it */
	const struct change *chg;      /* valid until the next call */
	const struct value *old_key;   /* of an update that moves the key, else NULL */
};

/* Everything up to and including this transaction was given out (or was applied before the start). */
struct order_position {
	bool found;
	char log[POSITION_LOG_MAX];
	char transaction_id[TRANSACTION_ID_MAX];
	uint64_t commit;
	uint64_t epoch; /* the highest of a capture agent that wrote an END; 0: unknown */
};

struct order;

/* `from`: what the target has. Keeps the heads' struct, not `from`. NULL: memory is short. */
struct order *order_new(const struct order_heads *heads, const struct order_position *from);
void order_free(struct order *order);

/*
 * The next item. ERROR_GAP, with both sides in its text, for whatever proves that the log is not whole: a missing,
 * repeated or swapped event, a break or step back in the chain of ENDs, another log. After an error
 * only order_free() may follow.
 */
int order_next(struct order *order, struct order_item *ret_item, struct error *err);

const struct order_position *order_position(const struct order *order);
/* True between a BEGIN and its END: nothing may be committed. */
bool order_is_inside(const struct order *order);
/*
 * The collection and transaction of which a message is awaited since the last ORDER_NOTHING; false if none (there is no
 * END at hand).
 */
bool order_awaits(const struct order *order, const char **ret_collection, const struct transaction **ret_txn);
/* Messages dropped because what they say was applied before. */
uint64_t order_duplicates(const struct order *order);

#endif
