/*
 * consume.h: Kafka's topics as the heads that order.h reads: which topics there are, where reading begins, the decoded
 * first message of each partition, and how far each was taken.
 *
 * One thread. It never commits: offsets are kept by the target, beside its rows; Kafka's group gets them as a hint
 * only.
 */
#ifndef TAILRACE_APPLY_CONSUME_H
#define TAILRACE_APPLY_CONSUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/order.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/codec/codec.h"
#include "lib/kafka/kafka.h"

/*
 * What was learnt about topics; outlives a consume, because a new one is made after each error and for each new topic.
 */
struct consume_topics;
struct consume_topics *consume_topics_new(void); /* NULL: memory is short */
void consume_topics_free(struct consume_topics *topics);

struct consume_options {
	const struct kafka_config *kafka;
	const char *group;  /* for hints */
	const char *prefix; /* topic_prefix */
	size_t memory;      /* bytes of fetched messages */
	struct decoder *decoder;
	struct consume_topics *topics;
	uint64_t applied; /* the target's position, 0: none; what a topic without an offset has up to it is passed over */
	const char *log;  /* whose position that is, for messages; lives as long as the consumer */
	void *context;
	bool (*selected)(void *context, const char *collection);
	/* The newest shape in a selected topic; once for each topic in the life of `topics`. May be NULL. */
	int (*shape)(void *context, const struct table *table, struct error *err);
};

struct consume;

/*
 * Finds the topics, checks the offsets, starts to fetch. offsets: the text of consume_offsets() as the target kept it;
 * NULL: there is none, read from the first record on. Keeps *options' pointers. ERROR_RETRY: no broker, or no
 * transaction topic yet. ERROR_GAP: an offset is behind its partition's end, or in the transaction topic before its
 * start: retention has removed what was not applied.
 */
int consume_open(const struct consume_options *options, const char *offsets, struct consume **ret_consume,
	struct error *err);
void consume_close(struct consume *con);

const struct order_heads *consume_heads(const struct consume *con);

/* Readable when a message came since consume_quiet(); after that, look at all heads once before waiting. */
int consume_fd(const struct consume *con);
void consume_quiet(struct consume *con);

/* False: its topic was not there; consume_refresh() looks for it. */
bool consume_has_heartbeat(const struct consume *con);
/* The next heartbeat, taken: 1 (source's clock, place in the log), 0 none at hand, -1 err. */
int consume_heartbeat(struct consume *con, int64_t *ret_source_us, uint64_t *ret_lsn, struct error *err);

/*
 * Takes tombstones that stand at the front of a partition, so that an idle partition's offset does not stay before what
 * retention removes.
 */
int consume_tidy(struct consume *con, struct error *err);

/*
 * Appends a line "topic partition offset\n" for each partition but the heartbeat's: the first message that was not
 * taken.
 */
void consume_offsets(const struct consume *con, struct buf *out);
/* Tells the group the same; false: not now, what it was told before is still under way. */
bool consume_hint(struct consume *con);
size_t consume_partitions(const struct consume *con);
/* Records of the transaction topic that were not taken; -1: unknown. */
int64_t consume_marks_left(const struct consume *con);
/* Bytes of keys and values taken. */
uint64_t consume_bytes(const struct consume *con);

/* Asks the brokers whether there are partitions that are not read (costs a round trip). -1: err, ERROR_RETRY. */
int consume_refresh(struct consume *con, struct error *err);
/*
 * For a collection whose event is awaited for long: ERROR_GAP if all that its topic has was read, and records of it were
 * removed unread. 0: nothing proves that. ERROR_RETRY: no answer. Costs a round trip for each partition.
 */
int consume_check_lost(struct consume *con, const char *collection, struct error *err);
/* True when topics or partitions have come that are not read: open a new one from the offsets of this one. */
bool consume_is_stale(const struct consume *con);

#endif
