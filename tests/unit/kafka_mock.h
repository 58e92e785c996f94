/*
 * kafka_mock.h: a cluster inside the test's own process (rdkafka_mock.h): real sockets and protocol, no JVM.
 *
 * It knows producing, fetching and offsets; not creating topics (made here by hand), compaction, or transactions'
 * control records. It keeps at most about 5 MiB of a partition.
 */
#ifndef TAILRACE_TESTS_UNIT_KAFKA_MOCK_H
#define TAILRACE_TESTS_UNIT_KAFKA_MOCK_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "lib/kafka/kafka.h"

struct kafka_mock {
	rd_kafka_t *rk; /* only holds the cluster */
	rd_kafka_mock_cluster_t *cluster;
	struct kafka_config config; /* leads to it */
};

/* One broker; the test ends if it cannot be had. */
void kafka_mock_open(struct kafka_mock *mock);
void kafka_mock_close(struct kafka_mock *mock);
void kafka_mock_topic(struct kafka_mock *mock, const char *name, int partitions);

/* Produces a record and waits until it is stored. A NULL value is a tombstone. */
void kafka_mock_put(struct kafka_mock *mock, const char *topic, int partition, const char *key, const char *value);

#endif
