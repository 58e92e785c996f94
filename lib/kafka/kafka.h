/*
 * kafka.h: Kafka in our terms of errors and polling. The only includer of <librdkafka/rdkafka.h> are the files
 * beside it.
 *
 * librdkafka's defaults are unsafe for us; every client made here has: check.crcs, no auto commit,
 * auto.offset.reset=error, idempotence with acks=all and gapless guarantee for producers, isolation read_committed
 * for consumers, bounded queues; a producer's records are never given up by librdkafka itself (producer.c). Everything
 * here is called from one thread; librdkafka's own threads never call back into the agent.
 */
#ifndef TAILRACE_KAFKA_KAFKA_H
#define TAILRACE_KAFKA_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct kafka_config {
	const char *bootstrap_servers;
	const char *client_id;
	const char *const *properties; /* "name=value" as librdkafka knows them; those on which our guarantees rest are refused by name */
	size_t property_count;
};

/* 0, or ERROR_CONFIG naming the property that is unknown, malformed or not the user's to set. No network. */
int kafka_config_check(const struct kafka_config *config, struct error *err);

/* ---- admin ---- */
struct kafka_topic_spec {
	const char *name;
	int partitions;
	int replication_factor;
	const char *const *settings; /* "cleanup.policy=compact", ... */
	size_t setting_count;
};

struct kafka_admin;
int kafka_admin_new(const struct kafka_config *config, struct kafka_admin **ret_admin, struct error *err);
void kafka_admin_free(struct kafka_admin *admin);
/* Creates the topic unless it is there. *ret_partitions: how many it has (an existing topic keeps its own number). */
int kafka_topic_ensure(struct kafka_admin *admin, const struct kafka_topic_spec *spec, int *ret_partitions,
	struct error *err);
/*
 * Creates topics without waiting until they can be used; one that is there already keeps what it has. The error names
 * the first that could not be created; others of the list may have been.
 */
int kafka_topics_create(struct kafka_admin *admin, const struct kafka_topic_spec *specs, size_t count,
	struct error *err);
/* Number of partitions, 0 if there is no such topic. */
int kafka_topic_partitions(struct kafka_admin *admin, const char *topic, int *ret_partitions, struct error *err);
/* First and next offset of a partition (timeout 10 s: ERROR_RETRY). */
int kafka_watermarks(struct kafka_admin *admin, const char *topic, int partition, int64_t *ret_low, int64_t *ret_high,
	struct error *err);
/* Names of all topics that start with prefix, sorted; free with kafka_names_free(). For `apply` and doctor. */
int kafka_topics(struct kafka_admin *admin, const char *prefix, char ***ret_names, size_t *ret_count,
	struct error *err);
void kafka_names_free(char **names, size_t count);

/* ---- producer ---- */
struct kafka_producer;
struct kafka_topic; /* a producer's handle on one topic */

struct kafka_header {
	const char *name;
	const void *value;
	size_t len;
};

struct kafka_record {
	int32_t partition;
	const void *key; /* NULL: no key */
	size_t key_len;
	const void *value; /* NULL: tombstone */
	size_t value_len;
	const struct kafka_header *headers;
	size_t header_count;
	uint64_t token; /* comes back in the delivery report */
};

/*
 * Called from kafka_producer_poll() once for each record, in order within a partition. err is NULL when the record
 * is durable (acks=all); otherwise the producer is broken: nothing more is durable, make a new one and look at the
 * topics' tails.
 */
typedef void kafka_delivered(void *context, uint64_t token, const struct error *err);

int kafka_producer_new(const struct kafka_config *config, kafka_delivered *delivered, void *context,
	struct kafka_producer **ret_producer, struct error *err);
/* Throws away what was not sent; no delivery report comes any more. */
void kafka_producer_free(struct kafka_producer *producer);
/* The handle lives as long as the producer; same name, same handle. */
int kafka_producer_topic(struct kafka_producer *producer, const char *name, struct kafka_topic **ret_topic,
	struct error *err);
/* The partition that Java's clients and librdkafka's murmur2 choose for the key; 0 for a null key. */
int32_t kafka_partition(const void *key, size_t key_len, int32_t partitions);

/*
 * Most bytes of keys and values that wait together; one record alone may be larger. Without it, only librdkafka's
 * queue.buffering.max.kbytes counts, which no record may exceed.
 */
void kafka_producer_limit(struct kafka_producer *producer, size_t bytes);
/* 1: taken (bytes copied). 0: the queue is full (or a record failed and poll will say so), poll and try again. -1: err. */
int kafka_produce(struct kafka_producer *producer, struct kafka_topic *topic, const struct kafka_record *record,
	struct error *err);
/*
 * Serves delivery reports, waits at most timeout_ms for the first. Returns -1 and err when the producer is broken. Call
 * it now and then (every second or so) while records are under way: here it is noticed that none came back from a
 * partition for message.timeout.ms (30 s, or less by the user's property), which breaks the producer; so does a call that
 * comes so late.
 */
int kafka_producer_poll(struct kafka_producer *producer, int timeout_ms, struct error *err);
/*
 * Ends the lingering: call it when there is nothing more to produce for now, just before waiting. Without it,
 * records leave after linger.ms (50) or with a full batch, which is what a busy producer wants. Serves delivery
 * reports while it waits for them, at most 1 ms, or 2 ms when calls come more often than once a millisecond for long; returns at once
 * when nothing was produced since. While much is under way it ends the lingering only when nothing was produced for some
 * milliseconds: then it returns how many of them are left, call it again after these; else -1.
 */
int kafka_producer_push(struct kafka_producer *producer);
/* Readable when kafka_producer_poll() has something to do; edge-like: poll until it served nothing. */
int kafka_producer_fd(struct kafka_producer *producer);
/* Waits until everything is delivered or timeout_ms is over; returns how many records are left. */
int kafka_producer_flush(struct kafka_producer *producer, int timeout_ms);
/* Offset of the record that was reported last; negative while there is none, or if the broker did not say (it may not, for a repeated request). */
int64_t kafka_producer_offset(const struct kafka_producer *producer);

/* ---- consumer: chosen partitions, each with its own bounded queue, no group membership ---- */
struct kafka_consumer;

struct kafka_message {
	const void *key; /* NULL: none */
	size_t key_len;
	const void *value; /* NULL: tombstone */
	size_t value_len;
	int64_t offset;
	int64_t timestamp_ms;
	void *opaque; /* the client library's message */
};

/* Called from kafka_consumer_* with each broker error worth knowing (all down, authentication): for status only. */
int kafka_consumer_new(const struct kafka_config *config, const char *group /* for offset hints, NULL: none */,
	size_t memory_max /* bytes that all queues together may hold */, struct kafka_consumer **ret_consumer,
	struct error *err);
void kafka_consumer_free(struct kafka_consumer *consumer);

/* Adds a partition, read from `offset` on. Returns its handle (0, 1, 2, ...) or -1. Then kafka_consumer_start(). */
int kafka_consumer_add(struct kafka_consumer *consumer, const char *topic, int partition, int64_t offset,
	struct error *err);
int kafka_consumer_start(struct kafka_consumer *consumer, struct error *err);

/*
 * The next message of that partition: 1 filled (give it back with kafka_message_done), 0 none at hand, -1 err:
 * ERROR_GAP when the wanted offset is no longer (or not) in the topic, or when offsets went back; ERROR_RETRY for
 * lost brokers.
 */
int kafka_consumer_next(struct kafka_consumer *consumer, int handle, struct kafka_message *ret_message,
	struct error *err);
void kafka_message_done(struct kafka_message *message);
/* n-th value of the header `name`; false if there is none. Valid until kafka_message_done. */
bool kafka_message_header(const struct kafka_message *message, const char *name, const void **ret_value,
	size_t *ret_len);
/* Next offset that kafka_consumer_next will give at the earliest, -1 before the first. */
int64_t kafka_consumer_offset(const struct kafka_consumer *consumer, int handle);
/* Highest offset known to be in the partition (from fetches, no round trip), -1 if unknown: for lag. */
int64_t kafka_consumer_high(const struct kafka_consumer *consumer, int handle);
/* Readable when some partition has got messages since the last call of kafka_consumer_quiet(). */
int kafka_consumer_fd(struct kafka_consumer *consumer);
/* Clears the descriptor's readiness; look at all partitions once after it before waiting again. */
void kafka_consumer_quiet(struct kafka_consumer *consumer);
/*
 * Commits offset hints for the group, asynchronously; failures are ignored on purpose. False: the last ones are still
 * under way, nothing was done; call it again later.
 */
bool kafka_consumer_hint(struct kafka_consumer *consumer, const int64_t *offsets /* one a handle, -1: leave out */);

/*
 * The last records of a partition, newest first, at most `most`, control records skipped: for the tail check. With
 * most > 1 the newest record that has a value is always among them, however many tombstones follow it.
 * Calls visit() for each until it returns non-zero.
 */
typedef int kafka_visit(void *context, const struct kafka_message *message);
int kafka_tail(const struct kafka_config *config, const char *topic, int partition, int most, kafka_visit *visit,
	void *context, struct error *err);
/* All records of a partition from its first (at or after `from`) to the end that it had when called; *ret_next: that end. */
int kafka_read_all(const struct kafka_config *config, const char *topic, int partition, int64_t from,
	kafka_visit *visit, void *context, int64_t *ret_next, struct error *err);

/*
 * kafka_tail() and kafka_read_all() for many partitions over one connection: opening it is what costs (see tail.c).
 * Same rules.
 */
struct kafka_reader;
int kafka_reader_open(const struct kafka_config *config, struct kafka_reader **ret_reader, struct error *err);
void kafka_reader_close(struct kafka_reader *reader);
int kafka_reader_tail(struct kafka_reader *reader, const char *topic, int partition, int most, kafka_visit *visit,
	void *context, struct error *err);
int kafka_reader_all(struct kafka_reader *reader, const char *topic, int partition, int64_t from, kafka_visit *visit,
	void *context, int64_t *ret_next, struct error *err);

#endif
