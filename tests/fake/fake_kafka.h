/*
 * fake_kafka.h: lib/kafka/kafka.h over memory, for tests that link it instead of libkafka.a.
 *
 * A record that is produced waits in its partition's queue; polling makes a random number of them durable, in order
 * within a partition and in any order between partitions, as a broker does. A crash makes a random prefix of each queue
 * durable and drops the rest: what an idempotent producer leaves behind. Everything is decided by one seed. One cluster
 * a process; the producer's settings are not looked at.
 */
#ifndef TAILRACE_TESTS_FAKE_KAFKA_H
#define TAILRACE_TESTS_FAKE_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/kafka/kafka.h"

struct fake_record {
	void *key, *value; /* NUL behind them; NULL: none */
	size_t key_len, value_len;
	char header[32]; /* name, "" for none */
	void *header_value;
	size_t header_len;
	uint64_t token;
};

struct fake_partition {
	struct fake_record *records; /* durable ones first */
	size_t durable, count, room;
	size_t reported; /* of the durable ones, to the producer that is open */
};

/* Empties the cluster. */
void fake_kafka_reset(void);
void fake_kafka_seed(uint64_t seed);
/* A number below n; also for the test's own dice. */
uint64_t fake_random(uint64_t n);

/* How often (in percent) kafka_produce() says that its queue is full, and polling delivers nothing. */
void fake_kafka_trouble(unsigned full_percent, unsigned slow_percent);
/*
 * One step of the world: every call that a crash may hit counts. After `steps` of them (fake_kafka_crash_after) the
 * world ends: the queues are resolved and each call fails with ERROR_RETRY until fake_kafka_recover(). True: it ended.
 */
void fake_kafka_crash_after(uint64_t steps);
bool fake_step(struct error *err);
bool fake_kafka_crashed(void);
void fake_kafka_recover(void);
uint64_t fake_steps(void);

/* NULL if there is no such topic or partition. */
struct fake_partition *fake_kafka_partition(const char *topic, int partition);
int fake_kafka_partitions(const char *topic);
/* The n-th topic's name in the order in which they were made, or NULL. */
const char *fake_kafka_topic_name(size_t n);
/* Puts a durable record there, making the topic if need be. Texts; NULL: none. */
void fake_kafka_put(const char *topic, int partitions, int partition, const char *key, const char *value);
/* From now on kafka_topic_partitions() does not know any topic: metadata comes late. */
void fake_kafka_late_metadata(void);
/* Puts copies of the first `count` records of a partition at its end: what a paused agent leaves when it wakes. */
void fake_kafka_repeat(const char *topic, int partition, size_t count);
/* Drops all but the first `left` records of a partition. */
void fake_kafka_truncate(const char *topic, int partition, size_t left);

#endif
