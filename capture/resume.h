/*
 * resume.h: what Kafka has of this source when a capture agent starts, and whether the log goes on from there.
 *
 *   position record   everything before `confirmed` is durable; which log, which transaction was the last, where to read on
 *   transaction topic the last BEGIN and END, and all of them that the position record does not cover
 *   event topics      per partition the last event and whether a delete's tombstone is missing, and what stands behind
 *                     the last BEGIN (read when the table is first met)
 *
 * Read only after the log is ours and the producer of an earlier try is gone, so that nobody else adds to it.
 * One thread; may wait for Kafka.
 */
#ifndef TAILRACE_CAPTURE_RESUME_H
#define TAILRACE_CAPTURE_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/produce.h"
#include "capture/produce_window.h"
#include "lib/base/error.h"
#include "lib/codec/codec.h"
#include "lib/kafka/kafka.h"

struct resume_reader {
	struct kafka_admin *admin;
	struct kafka_reader *kafka;
	struct decoder *decoder;
	const char *prefix;
	/*
	 * Another agent added old records late: a partition whose last event is of a transaction before this one is
	 * looked at further back. 0: no.
	 */
	uint64_t look_back_below;
	/* Of the last BEGIN: events of later transactions have no other witness of where they belong. */
	uint64_t last_begin;
};

struct resume_point {
	bool has_position;
	struct codec_position position; /* its resume is the one below, or "" */
	char *resume;                   /* owned; NULL: none */
	bool has_end;
	uint64_t end_commit;
	char end_id[TRANSACTION_ID_MAX];
	char end_log[POSITION_LOG_MAX];
	uint64_t begin_commit; /* of the last BEGIN, or of the last END if that is newer; 0: none */
	struct window window;  /* the transactions that the position record does not cover: resume_read_window() */
	bool expired; /* the transaction topic had records, but keeps none by now */
	bool disordered; /* old records came late behind newer ones */
	uint64_t epoch; /* highest that was used */
};

/* Whether Kafka holds anything of this source. */
bool resume_has_history(const struct resume_point *point);

/*
 * Makes the transaction, heartbeat and position topics unless they are there. ERROR_CONFIG if one has more than one
 * partition.
 */
int resume_topics(const struct resume_reader *reader, int replication_factor, struct error *err);
/* The caller gives *ret_point to resume_release(). */
int resume_read(const struct resume_reader *reader, struct resume_point *ret_point, struct error *err);
/* Reads further back in the transaction topic, once the log is ours. ERROR_GAP if the topic contradicts itself. */
int resume_read_window(const struct resume_reader *reader, struct resume_point *point, struct error *err);
void resume_release(struct resume_point *point);
/*
 * Whether another agent recorded a position between the two readings. What a source was opened with must then not be used: its
 * `resume` belongs to the number that was recorded with it. Never with a source whose number says all (PostgreSQL).
 */
bool resume_moved(const struct resume_point *before, const struct resume_point *after);

/* The log as the source tells it, after its stream was started. */
struct resume_log {
	const char *log;    /* identity */
	const char *slot;   /* name, for errors; NULL or "": the log has none */
	uint64_t confirmed; /* the slot's, or from where the log comes */
	uint64_t head;
};

/*
 * Compares the two. 0 and what the producer must know, or a named stop, ERROR_GAP: another log; the slot or the log
 * behind or ahead of what Kafka has; records missing in Kafka.
 */
int resume_compare(const struct resume_point *point, const struct resume_log *log, struct produce_known *ret_known,
	struct error *err);

/* produce_config's tail(); context: the reader. */
int resume_tail(void *context, const char *topic, int partition, struct produce_tail *ret_tail, struct error *err);

#endif
