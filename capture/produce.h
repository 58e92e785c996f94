/*
 * produce.h: changes of a log -> records of Kafka, each exactly once, whatever was produced before the last restart.
 *
 *   begin ──► (nothing yet: a transaction without events of ours leaves no trace)
 *   first change ──► BEGIN in <prefix>.transaction
 *   each change  ──► its event; a delete also a tombstone; a key change: delete, tombstone, create
 *   commit ──► END with the counts per table
 *
 * How a restart repeats nothing: the position of an event is (commit, index), the same in each run, and rises strictly
 * in each partition. Where the log is read again, an event at or below the last one of its partition is there already
 * and is left out, as are BEGIN and END at or below the last ones of the transaction topic. Per partition what Kafka
 * has is a prefix of what it is to have (idempotent producer, no gaps), so what is left out is exactly what is there.
 *
 * That holds only if the log gives the same events in the same numbers again. Lists of tables, keys or numbers of
 * partitions that were changed in mid-transaction break it, and so does a server that took over and tells the last
 * transactions in another order. So it is checked, and is ERROR_GAP if it does not hold:
 *
 *   - each transaction of the transaction topic behind the position record comes again in its place, with the counts of
 *     its END, and no other comes between them (produce_window.h);
 *   - the last event of each partition comes again there, before anything is put behind it and before its transaction
 *     ends; and so do all events that stand behind the last BEGIN, transaction by transaction: of these nothing else is
 *     in Kafka to tell them by.
 *
 * The functions that take something from the log only fill the outbox; produce_flush() hands it over. So nothing here
 * ever waits, except at the first sight of a table's shape (topic, schemas, the partitions' tails). The outbox must be
 * empty when something new is put in. One thread.
 */
#ifndef TAILRACE_CAPTURE_PRODUCE_H
#define TAILRACE_CAPTURE_PRODUCE_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/produce_flight.h"
#include "lib/base/error.h"
#include "lib/change/change.h"
#include "lib/codec/codec.h"
#include "lib/kafka/kafka.h"

/* The largest row that is carried: key and value of one event together. */
#define PRODUCE_ROW_MAX ((size_t)24 << 20)
/* What the topics and the producer must take for that: the row, its headers and the batch around it. */
#define PRODUCE_MESSAGE_MAX (PRODUCE_ROW_MAX + ((size_t)1 << 20))

/* Tokens of records that are of no transaction (flight.h counts its own up from 1). */
#define PRODUCE_TOKEN_POSITION UINT64_MAX
#define PRODUCE_TOKEN_HEARTBEAT (UINT64_MAX - 1)

/* Names of the agent's own topics; buf is at least PRODUCE_TOPIC_MAX bytes. */
#define PRODUCE_TOPIC_MAX 250
enum produce_topic_kind { PRODUCE_TRANSACTIONS, PRODUCE_HEARTBEATS, PRODUCE_POSITIONS };
const char *produce_topic_name(const char *prefix, enum produce_topic_kind kind, char *buf);

/* What a partition has up to the end of a transaction: produce_trail(). */
struct produce_step {
	uint64_t commit;
	uint64_t trail;
};

/* The last event of a partition. */
struct produce_tail {
	uint64_t commit; /* 0: there is none */
	uint64_t index;
	bool bare_delete; /* it is a delete that no tombstone follows */
	/* the events from this place on are in the trail, up to the last */
	uint64_t from_commit, from_index;
	uint64_t trail;
	struct produce_step *steps; /* owned: on the way there, one a transaction; NULL: not known */
	size_t step_count;
	/* the producer's own */
	bool awaited;     /* the log must give it again */
	uint64_t again;   /* the trail of what the log gave by now */
	size_t step;      /* the first that is not passed */
};

/* Tells bytes apart; 0 for none. */
uint64_t produce_fingerprint(const void *bytes, size_t len);
/* What a partition has, as one number: each event in its order. The key is as in Kafka, schema id included. */
uint64_t produce_trail(uint64_t trail, const char *transaction_id, const struct change *chg, const void *key,
	size_t key_len);

/* What was in Kafka before this run; the log is read again from somewhere at or before it. */
struct produce_known {
	uint64_t durable;         /* transactions that commit before this are complete in Kafka: left out as a whole */
	uint64_t head;            /* no record in Kafka is of a transaction that commits at or behind this; UINT64_MAX: not known */
	uint64_t end_commit;      /* of the last END, 0: none */
	uint64_t begin_commit;    /* of the last BEGIN, 0: none; never below end_commit */
	char previous_id[TRANSACTION_ID_MAX]; /* the last transaction before `durable`, "": none */
	uint64_t previous_commit;
	bool previous_in_log;     /* that one must come out of the log again */
};

struct window; /* produce_window.h */

struct produce_config {
	const char *prefix;
	const char *log; /* position.h: says how its positions are spelled */
	int partitions, replication_factor; /* of topics that are made */
	bool tombstones;
	size_t row_max; /* at most PRODUCE_ROW_MAX */
	struct kafka_admin *admin;
	struct kafka_producer *producer;
	struct encoder *encoder;
	struct flight *flight;
	struct produce_known known;
	struct window *window; /* what must come again: used up, and released when all has come; NULL: nothing */
	/* Reads the end of a partition of an event topic, that may hold something; its steps are the producer's to free(). */
	int (*tail)(void *context, const char *topic, int partition, struct produce_tail *ret_tail, struct error *err);
	void *tail_context;
};

struct produce;

struct produce_figures {
	uint64_t rows;       /* events handed over */
	uint64_t bytes;      /* keys and values handed over */
	uint64_t duplicates; /* events, BEGINs and ENDs left out because Kafka has them */
};

/* Copies the struct, not what it points to. */
int produce_new(const struct produce_config *config, struct produce **ret_produce, struct error *err);
void produce_free(struct produce *produce);

/*
 * A table that may have events: produce_make_topics() creates its topic if it is missing. So the topics of all tables
 * that are known at the start come at once, and who reads them does not have to begin anew at each table's first event.
 */
int produce_expect(struct produce *produce, const char *schema, const char *name, struct error *err);
int produce_make_topics(struct produce *produce, struct error *err);

/* Wall time for what is encoded next; once a batch is enough. */
void produce_time(struct produce *produce, int64_t wall_us);

/*
 * The transaction must stay until the next begin. ERROR_GAP if it is not the one that Kafka has from this place of the
 * log.
 */
int produce_begin(struct produce *produce, const struct transaction *txn, struct error *err);
/* Sets chg's index and table_index. */
int produce_change(struct produce *produce, struct change *chg, struct error *err);
/*
 * txn->end is known now. *ret_upto is set if the transaction had nothing for Kafka and nothing is under way: then
 * everything up to there is durable; else to 0.
 */
int produce_commit(struct produce *produce, uint64_t *ret_upto, struct error *err);
int produce_heartbeat(struct produce *produce, int64_t source_us, uint64_t lsn, struct error *err);
int produce_position(struct produce *produce, const struct codec_position *position, struct error *err);

/* 1: the outbox is empty; 0: Kafka's queue is full, call again; -1: err. */
int produce_flush(struct produce *produce, struct error *err);
/*
 * The log was read up to lsn and no transaction is open. ERROR_GAP if one that Kafka has should have come before it.
 */
int produce_progress(const struct produce *produce, uint64_t lsn, struct error *err);
/*
 * Drops what is in the outbox: for the end of a run in mid-transaction. True if a position record was among it.
 */
bool produce_discard(struct produce *produce);

const struct produce_figures *produce_figures(const struct produce *produce);

#endif
