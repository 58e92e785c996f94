/*
 * kafka_mock.c: see kafka_mock.h.
 */
#include "tests/unit/kafka_mock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void drop_log(const rd_kafka_t *rk, int level, const char *facility, const char *line)
{
}

void kafka_mock_open(struct kafka_mock *mock)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	memset(mock, 0, sizeof *mock);
	rd_kafka_conf_set_log_cb(conf, drop_log);
	mock->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	assert_non_null(mock->rk);
	mock->cluster = rd_kafka_mock_cluster_new(mock->rk, 1);
	assert_non_null(mock->cluster);
	mock->config.bootstrap_servers = rd_kafka_mock_cluster_bootstraps(mock->cluster);
	mock->config.client_id = "unit";
}

void kafka_mock_close(struct kafka_mock *mock)
{
	rd_kafka_mock_cluster_destroy(mock->cluster);
	rd_kafka_destroy(mock->rk);
}

void kafka_mock_topic(struct kafka_mock *mock, const char *name, int partitions)
{
	assert_int_equal(rd_kafka_mock_topic_create(mock->cluster, name, partitions, 1), 0);
}

static void note_delivery(void *context, uint64_t token, const struct error *err)
{
	assert_null(err);
	++*(int *)context;
}

void kafka_mock_put(struct kafka_mock *mock, const char *topic, int partition, const char *key, const char *value)
{
	struct kafka_record record = { .partition = partition, .key = key, .key_len = key != NULL ? strlen(key) : 0,
		.value = value, .value_len = value != NULL ? strlen(value) : 0 };
	struct kafka_producer *producer;
	struct kafka_topic *handle;
	struct error err = ERROR_INIT;
	int delivered = 0;

	assert_int_equal(kafka_producer_new(&mock->config, note_delivery, &delivered, &producer, &err), 0);
	assert_int_equal(kafka_producer_topic(producer, topic, &handle, &err), 0);
	assert_int_equal(kafka_produce(producer, handle, &record, &err), 1);
	assert_int_equal(kafka_producer_flush(producer, 10000), 0);
	assert_int_equal(delivered, 1);
	kafka_producer_free(producer);
}
