/*
 * producer.c: records in, delivery reports out.
 *
 * Delivery reports wait in batches in the main queue and are handed on from kafka_producer_poll(), so in the
 * caller's thread. The first record that is not delivered, or a fatal error of the idempotent producer, breaks the
 * producer for good:
 *
 *     working --(failed report | fatal error)--> broken
 *
 * A broken producer takes and reports nothing more, because what lies in its queue behind the failure can no longer
 * become durable without a hole (enable.gapless.guarantee).
 */
#include "lib/kafka/client.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_FUNCTION HASH_SAX /* the default one falls through switch labels without saying so */
#include <uthash.h>

#include "lib/base/clock.h"

#define HEADERS_MAX 16
#define FATAL_WAIT_MS 100
#define PUSH_WAIT_MS 1
/* On average a push a millisecond; up to PUSH_BURST of them may come closer together (see kafka_producer_push). */
#define PUSH_PERIOD_US 1000
#define PUSH_BURST 8
/*
 * With more than so many bytes under way a push waits until nothing was produced for PUSH_QUIET_US: the records fill requests by
 * themselves, and librdkafka's thread would spin for the length of the flush. So a backlog goes out in full requests, and the end of a
 * transaction that comes alone does not linger.
 */
#define PUSH_PENDING_MAX ((size_t)128 << 10)
#define PUSH_QUIET_US 3000

struct kafka_topic {
	rd_kafka_topic_t *rkt;
	UT_hash_handle hh; /* by name, of producer->topics */
	char name[];
};

struct kafka_producer {
	struct client client;
	kafka_delivered *delivered;
	void *context;
	struct kafka_topic *topics;
	uint64_t pending; /* taken and not reported */
	size_t pending_bytes, bytes_max;
	uint64_t reported;
	int64_t offset; /* of the last reported */
	int fd;
	bool unpushed; /* something was taken since the last kafka_producer_push() */
	uint64_t seen; /* records taken when kafka_producer_push() was last called, */
	int64_t seen_us; /* and when it first saw that many */
	int64_t due_us; /* when the next push would be due if they came PUSH_PERIOD_US apart */
	bool fatal; /* librdkafka said so; the report that says why may still be on its way */
	bool broken;
	struct error why; /* it is broken */
};

/* ---- breaking ---- */

static int report_broken(const struct kafka_producer *producer, struct error *err)
{
	if (err != NULL)
		*err = producer->why;
	return -1;
}

static void break_it(struct kafka_producer *producer, rd_kafka_resp_err_t code, const char *detail, const char *topic)
{
	producer->broken = true;
	(void)client_error(&producer->client, code, detail, &producer->why, "record for topic \"%s\" was not delivered",
		topic);
}

static void break_fatally(struct kafka_producer *producer)
{
	char detail[256] = "";
	rd_kafka_resp_err_t code = rd_kafka_fatal_error(producer->client.rk, detail, sizeof detail);

	producer->broken = true;
	(void)client_error(&producer->client, code, detail, &producer->why, "kafka producer ended by a fatal error");
}

/* ---- librdkafka's callbacks: only from within rd_kafka_poll() and rd_kafka_flush(), so in the caller's thread ---- */

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *context)
{
	struct kafka_producer *producer = context;

	(void)rk;
	if (producer->broken)
		return;
	producer->pending--;
	producer->pending_bytes -= message->key_len + message->len;
	producer->reported++;
	producer->offset = message->offset;
	switch (message->err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		break;
	case RD_KAFKA_RESP_ERR__FATAL: /* failed only because of something else */
	case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
	case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
		break_fatally(producer);
		break;
	default:
		break_it(producer, message->err, NULL, rd_kafka_topic_name(message->rkt));
		break;
	}
	producer->delivered(producer->context, (uint64_t)(uintptr_t)message->_private,
		producer->broken ? &producer->why : NULL);
}

static void on_error(rd_kafka_t *rk, int code, const char *text, void *context)
{
	struct kafka_producer *producer = context;

	(void)rk;
	if (code != RD_KAFKA_RESP_ERR__FATAL)
		client_note(&producer->client, (rd_kafka_resp_err_t)code, text);
	else
		producer->fatal = true;
}

static void set_callbacks(rd_kafka_conf_t *conf, void *context)
{
	rd_kafka_conf_set_opaque(conf, context);
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	rd_kafka_conf_set_error_cb(conf, on_error);
}

/* ---- life cycle ---- */

int kafka_producer_new(const struct kafka_config *config, kafka_delivered *delivered, void *context,
	struct kafka_producer **ret_producer, struct error *err)
{
	struct kafka_producer *producer = calloc(1, sizeof *producer);

	if (producer == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a kafka producer");
	producer->delivered = delivered;
	producer->context = context;
	producer->bytes_max = SIZE_MAX;
	producer->offset = -1;
	producer->fd = client_fd_new(err);
	if (producer->fd < 0 || client_open(&producer->client, CLIENT_PRODUCER, config, NULL, 0, set_callbacks, producer, err) < 0) {
		kafka_producer_free(producer);
		return -1;
	}
	client_fd_watch(producer->client.events, producer->fd);
	*ret_producer = producer;
	return 0;
}

void kafka_producer_free(struct kafka_producer *producer)
{
	struct kafka_topic *topic, *next;

	if (producer == NULL)
		return;
	if (producer->client.rk != NULL)
		(void)rd_kafka_purge(producer->client.rk,
			RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	HASH_ITER(hh, producer->topics, topic, next)
	{
		HASH_DEL(producer->topics, topic);
		rd_kafka_topic_destroy(topic->rkt);
		free(topic);
	}
	client_close(&producer->client);
	if (producer->fd >= 0)
		(void)close(producer->fd);
	free(producer);
}

int kafka_producer_topic(struct kafka_producer *producer, const char *name, struct kafka_topic **ret_topic,
	struct error *err)
{
	size_t len = strlen(name);
	struct kafka_topic *topic;

	HASH_FIND(hh, producer->topics, name, len, topic);
	if (topic == NULL) {
		topic = calloc(1, sizeof *topic + len + 1);
		if (topic == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for topic \"%s\"", name);
		memcpy(topic->name, name, len);
		topic->rkt = rd_kafka_topic_new(producer->client.rk, name, NULL);
		if (topic->rkt == NULL) {
			free(topic);
			return client_error(&producer->client, rd_kafka_last_error(), NULL, err, "topic \"%s\"", name);
		}
		HASH_ADD_KEYPTR(hh, producer->topics, topic->name, len, topic);
	}
	*ret_topic = topic;
	return 0;
}

int32_t kafka_partition(const void *key, size_t key_len, int32_t partitions)
{
	if (key == NULL || partitions <= 1)
		return 0;
	return rd_kafka_msg_partitioner_murmur2(NULL, key, key_len, partitions, NULL, NULL);
}

/* ---- records in ---- */

/* The path with headers: rare (key changes), so its allocations do not matter. */
static rd_kafka_resp_err_t produce_with_headers(struct kafka_producer *producer, struct kafka_topic *topic,
	const struct kafka_record *record)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	for (size_t i = 0; i < record->header_count && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
		code = rd_kafka_header_add(headers, record->headers[i].name, -1, record->headers[i].value,
			(ssize_t)record->headers[i].len);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = rd_kafka_producev(producer->client.rk, RD_KAFKA_V_RKT(topic->rkt),
			RD_KAFKA_V_PARTITION(record->partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_KEY(record->key, record->key_len),
			RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value, record->value_len),
			RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE((void *)(uintptr_t)record->token), RD_KAFKA_V_END);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_headers_destroy(headers);
	return code;
}

static rd_kafka_resp_err_t produce_plain(struct kafka_topic *topic, const struct kafka_record *record)
{
	if (rd_kafka_produce(topic->rkt, record->partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)record->value,
		    record->value_len, record->key, record->key_len, (void *)(uintptr_t)record->token) == 0)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	return rd_kafka_last_error();
}

void kafka_producer_limit(struct kafka_producer *producer, size_t bytes)
{
	producer->bytes_max = bytes;
}

int kafka_produce(struct kafka_producer *producer, struct kafka_topic *topic, const struct kafka_record *record,
	struct error *err)
{
	size_t size = record->key_len + record->value_len;
	rd_kafka_resp_err_t code;

	if (producer->broken)
		return report_broken(producer, err);
	if (record->header_count > HEADERS_MAX)
		return error_set(err, ERROR_BUG, "record for topic \"%s\" has %zu headers", topic->name,
			record->header_count);
	if (producer->pending > 0 && producer->pending_bytes + size > producer->bytes_max)
		return 0;
	code = record->header_count == 0 ? produce_plain(topic, record) : produce_with_headers(producer, topic, record);
	switch (code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		producer->pending++;
		producer->pending_bytes += size;
		producer->unpushed = true;
		return 1;
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
		/* an empty queue that is full will never have room for it */
		if (producer->pending > 0)
			return 0;
		break_it(producer, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "larger than queue.buffering.max.kbytes",
			topic->name);
		break;
	case RD_KAFKA_RESP_ERR__FATAL:
		break_fatally(producer);
		break;
	default:
		break_it(producer, code, NULL, topic->name);
		break;
	}
	return report_broken(producer, err);
}

/* ---- reports out ---- */

int kafka_producer_poll(struct kafka_producer *producer, int timeout_ms, struct error *err)
{
	uint64_t before = producer->reported;

	if (producer->broken)
		return report_broken(producer, err);
	/*
	 * librdkafka writes to the descriptor once between two looks of ours at its queue. So the descriptor is
	 * cleared only when a look found nothing, and what came between that look and the clearing is found by one
	 * more look.
	 */
	if (rd_kafka_poll(producer->client.rk, timeout_ms) == 0 && client_fd_clear(producer->fd))
		(void)rd_kafka_poll(producer->client.rk, 0);
	if (producer->fatal && !producer->broken) {
		(void)rd_kafka_poll(producer->client.rk, FATAL_WAIT_MS);
		if (!producer->broken)
			break_fatally(producer);
	}
	if (producer->broken)
		return report_broken(producer, err);
	return (int)(producer->reported - before);
}

int kafka_producer_fd(struct kafka_producer *producer)
{
	return producer->fd;
}

int kafka_producer_push(struct kafka_producer *producer)
{
	int64_t now = clock_monotonic_us();

	if (producer->broken || !producer->unpushed)
		return -1;
	if (producer->seen != producer->pending + producer->reported) {
		producer->seen = producer->pending + producer->reported;
		producer->seen_us = now;
	}
	if (producer->pending_bytes > PUSH_PENDING_MAX && now - producer->seen_us < PUSH_QUIET_US)
		return (int)((PUSH_QUIET_US - (now - producer->seen_us) + 999) / 1000);
	/*
	 * In a dense stream of small transactions each would be a request of its own, at 100 to 200 us of the broker's time:
	 * there a push waits its turn. A sparse one never waits: due_us runs ahead of now only by what was pushed too early.
	 */
	if (producer->due_us > now + PUSH_BURST * PUSH_PERIOD_US)
		clock_sleep_us(producer->due_us - now - PUSH_BURST * PUSH_PERIOD_US);
	now = clock_monotonic_us();
	producer->due_us = (producer->due_us > now ? producer->due_us : now) + PUSH_PERIOD_US;
	producer->unpushed = false;
	/*
	 * While this waits, librdkafka's threads do not linger: the flag that tells them holds only for the length
	 * of the call. It serves reports and returns as soon as all are there.
	 */
	(void)rd_kafka_flush(producer->client.rk, PUSH_WAIT_MS);
	return -1;
}

int64_t kafka_producer_offset(const struct kafka_producer *producer)
{
	return producer->offset;
}

int kafka_producer_flush(struct kafka_producer *producer, int timeout_ms)
{
	int64_t end = clock_monotonic_us() + (int64_t)timeout_ms * 1000;

	while (producer->pending > 0) {
		int64_t left_ms = (end - clock_monotonic_us() + 999) / 1000;

		if (left_ms > 0)
			(void)kafka_producer_push(producer);
		if (producer->pending == 0 ||
			kafka_producer_poll(producer, left_ms > 10 ? 10 : left_ms > 0 ? (int)left_ms : 0, NULL) < 0 ||
			left_ms <= 0)
			break;
	}
	return producer->pending > INT32_MAX ? INT32_MAX : (int)producer->pending;
}
