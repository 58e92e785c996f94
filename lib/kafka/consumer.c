/*
 * consumer.c: chosen partitions, each with a queue of its own, so that the reader can take from whichever it needs
 * next.
 *
 * Uses librdkafka's simple consumer (rd_kafka_consume_start_queue): no group, so no coordinator, no rebalance and no
 * grant on a group, and each partition is fetched into the queue that we name. No batch calls, no pause, no seek:
 * 2.0.2 has faults in each. To read from elsewhere, make a new consumer.
 *
 * Offset hints go out as an administrator's request. rd_kafka_commit() needs group.id, and a handle with a group and a
 * commit that still looks for the coordinator (the very first one, while the brokers make __consumer_offsets) never
 * ends in 2.0.2: rd_kafka_destroy() waits for a main thread that spins. Requests of an administrator are dropped there.
 *
 * Bounded queues without a stall. librdkafka 2.0.2 (rdkafka_fetcher.c, rd_kafka_toppar_fetch_decide) leaves a
 * partition out of the next request while its queue holds queued.min.messages or queued.max.messages.kbytes. Two
 * waits follow from that:
 *   1. One request a broker is under way at a time. If only idle partitions are in it, the full one waits for its
 *      end: up to fetch.wait.max.ms. Hence 10 ms there, not 500: an idle broker is asked 100 times a second.
 *   2. If all partitions are left out, the broker's thread sleeps until something else wakes it, up to 1 s. Taking
 *      messages does not. So, when a queue that was full is half empty again, client_wake() sends the leader a small
 *      request (end offset) whose answer nobody waits for; that makes the thread look again.
 * Measured with 300-byte records: one partition with a 1 MiB share 3 thousand messages/s without it, 1.5 million
 * with; one busy partition of three with 4 MiB together 260 thousand/s (31 thousand with fetch.wait.max.ms=100).
 *
 * Memory: the messages of one fetch response share its buffer, and each message has about 400 bytes of book-keeping
 * beside. So the share of a partition is divided into what may wait (half) and what one response may add (half), and
 * waiting messages are limited by number as well as by bytes.
 */
#include "lib/kafka/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTITIONS_MAX 10000
#define SHARE_MIN (256 * 1024)
#define SHARE_MAX (4 * 1024 * 1024)
#define RESPONSE_MAX (2 * 1024 * 1024)
#define MESSAGE_COST 512    /* of a waiting message beside its bytes */
#define CHECK_MESSAGES 64   /* between two looks at a queue's length */

struct partition {
	char *topic;
	int32_t number;
	int64_t start;
	int64_t next; /* offset expected at the earliest */
	bool started; /* a message was taken */
	rd_kafka_topic_t *rkt;
	rd_kafka_queue_t *queue;
	uint32_t unchecked;                      /* messages taken since the last look at the length */
	uint64_t taken_messages, taken_bytes;    /* halved now and then: for the mean size */
	bool full;                               /* the last look found it (nearly) full */
	bool failed;
	struct error why;
};

struct kafka_consumer {
	struct client client;
	char *bootstrap_servers, *client_id, *group;
	char **properties;
	size_t property_count;
	size_t memory_max;
	size_t queue_bytes, queue_messages; /* limits of one partition */
	struct partition *partitions;
	size_t count;
	rd_kafka_queue_t *hints; /* answers to hints */
	bool hinted;             /* one is not answered yet */
	int fd;
};

/* ---- life cycle ---- */

static int copy_config(struct kafka_consumer *consumer, const struct kafka_config *config, const char *group,
	struct error *err)
{
	bool complete;

	consumer->bootstrap_servers = strdup(config->bootstrap_servers != NULL ? config->bootstrap_servers : "");
	complete = consumer->bootstrap_servers != NULL;
	if (config->client_id != NULL)
		complete = (consumer->client_id = strdup(config->client_id)) != NULL && complete;
	if (group != NULL)
		complete = (consumer->group = strdup(group)) != NULL && complete;
	consumer->properties = calloc(config->property_count + 1, sizeof *consumer->properties);
	complete = consumer->properties != NULL && complete;
	while (complete && consumer->property_count < config->property_count) {
		char *copy = strdup(config->properties[consumer->property_count]);

		complete = copy != NULL;
		if (complete)
			consumer->properties[consumer->property_count++] = copy;
	}
	return complete ? 0 : error_set(err, ERROR_RETRY, "out of memory for a kafka consumer");
}

int kafka_consumer_new(const struct kafka_config *config, const char *group, size_t memory_max,
	struct kafka_consumer **ret_consumer, struct error *err)
{
	struct kafka_consumer *consumer;

	if (kafka_config_check(config, err) < 0)
		return -1;
	consumer = calloc(1, sizeof *consumer);
	if (consumer == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a kafka consumer");
	consumer->memory_max = memory_max;
	consumer->fd = client_fd_new(err);
	if (consumer->fd < 0 || copy_config(consumer, config, group, err) < 0) {
		kafka_consumer_free(consumer);
		return -1;
	}
	*ret_consumer = consumer;
	return 0;
}

static void release_partition(struct partition *partition)
{
	if (partition->rkt != NULL)
		rd_kafka_topic_destroy(partition->rkt);
	free(partition->topic);
}

void kafka_consumer_free(struct kafka_consumer *consumer)
{
	if (consumer == NULL)
		return;
	for (size_t i = 0; i < consumer->count; i++) {
		struct partition *partition = &consumer->partitions[i];

		if (partition->queue == NULL)
			continue;
		rd_kafka_queue_io_event_enable(partition->queue, -1, NULL, 0);
		(void)rd_kafka_consume_stop(partition->rkt, partition->number);
		rd_kafka_queue_destroy(partition->queue);
	}
	for (size_t i = 0; i < consumer->count; i++)
		release_partition(&consumer->partitions[i]);
	if (consumer->hints != NULL)
		rd_kafka_queue_destroy(consumer->hints);
	client_close(&consumer->client);
	for (size_t i = 0; i < consumer->property_count; i++)
		free(consumer->properties[i]);
	free(consumer->properties);
	free(consumer->partitions);
	free(consumer->bootstrap_servers);
	free(consumer->client_id);
	free(consumer->group);
	if (consumer->fd >= 0)
		(void)close(consumer->fd);
	free(consumer);
}

/* ---- partitions ---- */

int kafka_consumer_add(struct kafka_consumer *consumer, const char *topic, int partition, int64_t offset,
	struct error *err)
{
	struct partition *grown, *added;

	if (consumer->client.rk != NULL)
		return error_set(err, ERROR_BUG, "topic \"%s\" added to a consumer that runs", topic);
	if (offset < 0)
		return error_set(err, ERROR_BUG, "topic \"%s\" partition %d: offset %" PRId64, topic, partition,
			offset);
	if (consumer->count == PARTITIONS_MAX)
		return error_set(err, ERROR_CONFIG, "more than %d partitions to consume", PARTITIONS_MAX);
	grown = realloc(consumer->partitions, (consumer->count + 1) * sizeof *grown);
	if (grown == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for topic \"%s\"", topic);
	consumer->partitions = grown;
	added = &grown[consumer->count];
	memset(added, 0, sizeof *added);
	added->topic = strdup(topic);
	if (added->topic == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for topic \"%s\"", topic);
	added->number = partition;
	added->start = offset;
	added->next = offset;
	return (int)consumer->count++;
}

static size_t clamp(size_t value, size_t least, size_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* The client with its limits, which depend on how many partitions share the memory. */
static int open_client(struct kafka_consumer *consumer, struct error *err)
{
	size_t share = clamp(consumer->memory_max / (consumer->count > 0 ? consumer->count : 1), SHARE_MIN, SHARE_MAX);
	size_t response = clamp(consumer->memory_max / 4, share / 2, RESPONSE_MAX);
	char kbytes[24], messages[24], fetch_bytes[24], response_bytes[24];
	const struct client_setting computed[] = {
		{ "queued.max.messages.kbytes", kbytes },
		{ "queued.min.messages", messages },
		{ "max.partition.fetch.bytes", fetch_bytes },
		{ "fetch.max.bytes", response_bytes },
	};
	const struct kafka_config config = { consumer->bootstrap_servers, consumer->client_id,
		(const char *const *)consumer->properties, consumer->property_count };

	consumer->queue_bytes = share / 2;
	consumer->queue_messages = share / 2 / MESSAGE_COST;
	(void)snprintf(kbytes, sizeof kbytes, "%zu", consumer->queue_bytes / 1024);
	(void)snprintf(messages, sizeof messages, "%zu", consumer->queue_messages);
	(void)snprintf(fetch_bytes, sizeof fetch_bytes, "%zu", share / 2);
	(void)snprintf(response_bytes, sizeof response_bytes, "%zu", response);
	return client_open(&consumer->client, CLIENT_CONSUMER, &config, computed, sizeof computed / sizeof computed[0],
		NULL, NULL, err);
}

static int start_partition(struct kafka_consumer *consumer, struct partition *partition, struct error *err)
{
	partition->rkt = rd_kafka_topic_new(consumer->client.rk, partition->topic, NULL);
	if (partition->rkt == NULL)
		return client_error(&consumer->client, rd_kafka_last_error(), NULL, err, "topic \"%s\"",
			partition->topic);
	partition->queue = rd_kafka_queue_new(consumer->client.rk);
	client_fd_watch(partition->queue, consumer->fd);
	if (rd_kafka_consume_start_queue(partition->rkt, partition->number, partition->start, partition->queue) == 0)
		return 0;
	rd_kafka_queue_destroy(partition->queue);
	partition->queue = NULL;
	return client_error(&consumer->client, rd_kafka_last_error(), NULL, err, "topic \"%s\" partition %" PRId32,
		partition->topic, partition->number);
}

int kafka_consumer_start(struct kafka_consumer *consumer, struct error *err)
{
	if (consumer->client.rk != NULL)
		return error_set(err, ERROR_BUG, "kafka consumer started twice");
	if (open_client(consumer, err) < 0)
		return -1;
	client_fd_watch(consumer->client.events, consumer->fd);
	consumer->hints = rd_kafka_queue_new(consumer->client.rk);
	for (size_t i = 0; i < consumer->count; i++)
		if (start_partition(consumer, &consumer->partitions[i], err) < 0)
			return -1;
	return 0;
}

/* ---- taking messages ---- */

static void check_queue(struct kafka_consumer *consumer, struct partition *partition)
{
	size_t waiting = rd_kafka_queue_length(partition->queue);
	uint64_t mean = partition->taken_bytes / (partition->taken_messages > 0 ? partition->taken_messages : 1);
	uint64_t bytes = waiting * mean;

	partition->unchecked = 0;
	if (partition->taken_messages > 4096) {
		partition->taken_messages /= 2;
		partition->taken_bytes /= 2;
	}
	if (waiting >= consumer->queue_messages * 3 / 4 || bytes >= consumer->queue_bytes * 3 / 4) {
		partition->full = true;
	} else if (partition->full && waiting < consumer->queue_messages / 2 && bytes < consumer->queue_bytes / 2) {
		partition->full = false;
		client_wake(&consumer->client, partition->topic, partition->number);
	}
}

void message_fill(struct kafka_message *message, rd_kafka_message_t *rkm)
{
	message->key = rkm->key;
	message->key_len = rkm->key_len;
	message->value = rkm->payload;
	message->value_len = rkm->len;
	message->offset = rkm->offset;
	message->timestamp_ms = rd_kafka_message_timestamp(rkm, NULL);
	message->opaque = rkm;
}

/* A partition that reported an error gives nothing more: behind a batch that failed its CRC, librdkafka would go on. */
static int fail(struct kafka_consumer *consumer, struct partition *partition, rd_kafka_message_t *rkm,
	struct error *err)
{
	char detail[256];

	(void)snprintf(detail, sizeof detail, "%s", rd_kafka_message_errstr(rkm));
	partition->failed = true;
	(void)client_error(&consumer->client, rkm->err, detail, &partition->why,
		"topic \"%s\" partition %" PRId32 " at offset %" PRId64, partition->topic, partition->number,
		partition->next);
	rd_kafka_message_destroy(rkm);
	if (err != NULL)
		*err = partition->why;
	return -1;
}

/* Nothing is at hand: perhaps because no broker is. Said once for each time that the last one went. */
static int check_brokers(struct kafka_consumer *consumer, struct error *err)
{
	if (rd_kafka_queue_length(consumer->client.events) == 0)
		return 0;
	client_serve(&consumer->client);
	if (!consumer->client.all_down)
		return 0;
	consumer->client.all_down = false;
	return client_error(&consumer->client, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, NULL, err, "consuming");
}

int kafka_consumer_next(struct kafka_consumer *consumer, int handle, struct kafka_message *ret_message,
	struct error *err)
{
	struct partition *partition = &consumer->partitions[handle];
	rd_kafka_message_t *rkm;

	if (partition->failed) {
		if (err != NULL)
			*err = partition->why;
		return -1;
	}
	for (;;) {
		rkm = rd_kafka_consume_queue(partition->queue, 0);
		if (rkm == NULL) {
			if (partition->full || partition->unchecked > 0)
				check_queue(consumer, partition);
			return check_brokers(consumer, err);
		}
		if (rkm->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			return fail(consumer, partition, rkm, err);
		partition->taken_messages++;
		partition->taken_bytes += rkm->len + rkm->key_len;
		if (++partition->unchecked >= CHECK_MESSAGES || rkm->len > consumer->queue_bytes / 16)
			check_queue(consumer, partition);
		/* librdkafka may read again what it gave already; forward jumps are compaction and control records */
		if (rkm->offset >= partition->next)
			break;
		rd_kafka_message_destroy(rkm);
	}
	partition->next = rkm->offset + 1;
	partition->started = true;
	message_fill(ret_message, rkm);
	return 1;
}

void kafka_message_done(struct kafka_message *message)
{
	if (message->opaque != NULL)
		rd_kafka_message_destroy(message->opaque);
	memset(message, 0, sizeof *message);
}

bool kafka_message_header(const struct kafka_message *message, const char *name, const void **ret_value,
	size_t *ret_len)
{
	rd_kafka_headers_t *headers;

	return rd_kafka_message_headers(message->opaque, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
	       rd_kafka_header_get(headers, 0, name, ret_value, ret_len) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- where it stands ---- */

int64_t kafka_consumer_offset(const struct kafka_consumer *consumer, int handle)
{
	const struct partition *partition = &consumer->partitions[handle];

	return partition->started ? partition->next : -1;
}

int64_t kafka_consumer_high(const struct kafka_consumer *consumer, int handle)
{
	const struct partition *partition = &consumer->partitions[handle];
	int64_t low, high;

	if (consumer->client.rk == NULL ||
		rd_kafka_get_watermark_offsets(consumer->client.rk, partition->topic, partition->number, &low, &high) !=
			RD_KAFKA_RESP_ERR_NO_ERROR || high <= 0)
		return -1;
	return high - 1;
}

int kafka_consumer_fd(struct kafka_consumer *consumer)
{
	return consumer->fd;
}

void kafka_consumer_quiet(struct kafka_consumer *consumer)
{
	(void)client_fd_clear(consumer->fd);
}

/* Whatever the answer is; true if none is awaited. */
static bool take_answer(struct kafka_consumer *consumer)
{
	rd_kafka_event_t *answer = consumer->hinted ? rd_kafka_queue_poll(consumer->hints, 0) : NULL;

	if (answer != NULL) {
		rd_kafka_event_destroy(answer);
		consumer->hinted = false;
	}
	return !consumer->hinted;
}

static void send_hint(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_AlterConsumerGroupOffsets_t *alter = rd_kafka_AlterConsumerGroupOffsets_new(consumer->group, list);
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(consumer->client.rk, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
	char why[200];

	(void)rd_kafka_AdminOptions_set_request_timeout(options, CLIENT_TIMEOUT_MS, why, sizeof why);
	rd_kafka_AlterConsumerGroupOffsets(consumer->client.rk, &alter, 1, options, consumer->hints);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_AlterConsumerGroupOffsets_destroy(alter);
	consumer->hinted = true;
}

bool kafka_consumer_hint(struct kafka_consumer *consumer, const int64_t *offsets)
{
	rd_kafka_topic_partition_list_t *list;

	if (consumer->group == NULL || consumer->hints == NULL)
		return true;
	if (!take_answer(consumer))
		return false;
	list = rd_kafka_topic_partition_list_new((int)consumer->count);
	for (size_t i = 0; i < consumer->count; i++) {
		const struct partition *partition = &consumer->partitions[i];

		if (offsets[i] < 0)
			continue;
		rd_kafka_topic_partition_list_add(list, partition->topic, partition->number)->offset = offsets[i];
	}
	if (list->cnt > 0)
		send_hint(consumer, list);
	rd_kafka_topic_partition_list_destroy(list);
	return true;
}
