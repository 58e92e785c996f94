/*
 * producer.c: records in, delivery reports out.
 *
 * Delivery reports wait in batches in the main queue and are handed on from kafka_producer_poll(), so in the
 * caller's thread. The first record that is not delivered, a fatal error of the idempotent producer, a partition from
 * which no report comes for message.timeout.ms although records are under way, or a caller who looks after them only
 * later than that, breaks the producer for good:
 *
 *     working --(failed report | fatal error | time over)--> broken
 *
 * A broken producer takes, sends and reports nothing more, because what lies in its queue behind the failure can no
 * longer become durable without a hole. What the brokers have of each partition is then a beginning of what was
 * taken for it. That rests on librdkafka never giving up a record and going on behind it (2.0.2):
 *   - permanent errors of a broker are fatal errors, after which it sends nothing (enable.gapless.guarantee);
 *   - its own time-out and its count of retries, which that does not cover, are off (config.c). The time is kept here,
 *     by partition: a dead leader among living ones must be noticed, too;
 *   - when the metadata knows the topic or the partition no longer, or forbids it, it gives up what it has, as a
 *     plain failed report, and would take new records as soon as they are back. So on_acknowledgement() learns of
 *     it before the report lies in our queue, and kafka_produce() takes nothing from then on.
 */
#include "lib/kafka/client.h"

#include <inttypes.h>
#include <stdatomic.h>
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
#define PARTITIONS_MAX 100000 /* of a topic; only against wrong numbers */
#define LOOKS 50              /* at what is late, in the time that a record has */

/* What is under way in one partition. */
struct lane {
	uint32_t pending;
	bool moved;       /* a report came since the last look */
	int64_t since_us; /* the look that first found it waiting without a report, 0: none yet */
};

struct kafka_topic {
	rd_kafka_topic_t *rkt;
	struct lane *lanes; /* by partition */
	int32_t lane_count;
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
	int64_t next_look_us;
	int64_t polled_us; /* the last poll, or the first record since nothing was under way */
	atomic_bool failed; /* a record was given up; its report may still be on its way */
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

/* What is with the brokers already may still become durable; nothing is sent behind it. */
static void set_broken(struct kafka_producer *producer)
{
	producer->broken = true;
	(void)rd_kafka_purge(producer->client.rk,
		RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

static void break_it(struct kafka_producer *producer, rd_kafka_resp_err_t code, const char *detail, const char *topic)
{
	set_broken(producer);
	(void)client_error(&producer->client, code, detail, &producer->why, "record for topic \"%s\" was not delivered",
		topic);
}

static void break_fatally(struct kafka_producer *producer)
{
	char detail[256] = "";
	rd_kafka_resp_err_t code = rd_kafka_fatal_error(producer->client.rk, detail, sizeof detail);

	set_broken(producer);
	(void)client_error(&producer->client, code, detail, &producer->why, "kafka producer ended by a fatal error");
}

/* ---- what is late ---- */

/* One look: true if no report came from the lane for `limit_us`, although it waits for some. */
static bool is_late(struct lane *lane, int64_t now, int64_t limit_us)
{
	if (lane->pending == 0)
		lane->since_us = 0;
	else if (lane->moved || lane->since_us == 0)
		lane->since_us = now;
	lane->moved = false;
	return lane->pending > 0 && now - lane->since_us > limit_us;
}

/*
 * After all reports at hand were taken. Both the look that begins the time and the one that ends it may come late: their
 * distance is taken off, so that no record waits longer.
 */
static void look_for_late(struct kafka_producer *producer)
{
	int64_t now, look_us = (int64_t)producer->client.timeout_ms * 1000 / LOOKS;
	struct kafka_topic *topic, *next;

	if (producer->pending == 0 || (now = clock_monotonic_us()) < producer->next_look_us)
		return;
	producer->next_look_us = now + look_us;
	HASH_ITER(hh, producer->topics, topic, next)
	{
		for (int32_t i = 0; i < topic->lane_count; i++) {
			if (is_late(&topic->lanes[i], now, (LOOKS - 2) * look_us)) {
				break_it(producer, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, NULL, topic->name);
				return;
			}
		}
	}
}

/* Makes room for the partition's lane. */
static int grow_lanes(struct kafka_topic *topic, int32_t partition, struct error *err)
{
	struct lane *grown;

	if (partition < 0 || partition >= PARTITIONS_MAX)
		return error_set(err, ERROR_BUG, "record for topic \"%s\" partition %" PRId32, topic->name, partition);
	grown = realloc(topic->lanes, ((size_t)partition + 1) * sizeof *grown);
	if (grown == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for topic \"%s\"", topic->name);
	memset(grown + topic->lane_count, 0, (size_t)(partition + 1 - topic->lane_count) * sizeof *grown);
	topic->lanes = grown;
	topic->lane_count = partition + 1;
	return 0;
}

/* ---- librdkafka's callback in its own threads, before the report lies in our queue ---- */

static rd_kafka_resp_err_t on_acknowledgement(rd_kafka_t *rk, rd_kafka_message_t *message, void *context)
{
	struct kafka_producer *producer = context;

	(void)rk;
	/* one that was not taken because the queue is full is no failure, kafka_produce() says so */
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && message->err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
		atomic_store(&producer->failed, true);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *context, char *why, size_t size)
{
	(void)conf;
	(void)why;
	(void)size;
	return rd_kafka_interceptor_add_on_acknowledgement(rk, "tailrace", on_acknowledgement, context);
}

/* ---- the others: only from within rd_kafka_poll() and rd_kafka_flush(), so in the caller's thread ---- */

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *context)
{
	struct kafka_producer *producer = context;
	struct kafka_topic *topic;
	struct lane *lane;

	(void)rk;
	if (producer->broken)
		return;
	topic = rd_kafka_topic_opaque(message->rkt);
	lane = &topic->lanes[message->partition];
	lane->pending--;
	lane->moved = true;
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
	(void)rd_kafka_conf_interceptor_add_on_new(conf, "tailrace", on_new, context);
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
		free(topic->lanes);
		free(topic);
	}
	client_close(&producer->client);
	if (producer->fd >= 0)
		(void)close(producer->fd);
	free(producer);
}

/* librdkafka's handle, from whose reports the way leads back to ours. */
static rd_kafka_topic_t *topic_new(struct kafka_producer *producer, struct kafka_topic *topic)
{
	rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(producer->client.rk);

	rd_kafka_topic_conf_set_opaque(conf, topic);
	return rd_kafka_topic_new(producer->client.rk, topic->name, conf);
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
		topic->rkt = topic_new(producer, topic);
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
	if ((record->partition >= topic->lane_count || record->partition < 0) && grow_lanes(topic, record->partition, err) < 0)
		return -1;
	if (record->header_count > HEADERS_MAX)
		return error_set(err, ERROR_BUG, "record for topic \"%s\" has %zu headers", topic->name,
			record->header_count);
	if (producer->pending > 0 && producer->pending_bytes + size > producer->bytes_max)
		return 0;
	if (atomic_load_explicit(&producer->failed, memory_order_relaxed))
		return 0; /* kafka_producer_poll() will say why */
	code = record->header_count == 0 ? produce_plain(topic, record) : produce_with_headers(producer, topic, record);
	switch (code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		topic->lanes[record->partition].pending++;
		if (producer->pending++ == 0)
			producer->polled_us = clock_monotonic_us();
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

/* An agent that was paused for so long may have been replaced: it begins anew, and looks at what is there. */
static void look_for_pause(struct kafka_producer *producer)
{
	int64_t away_us = producer->pending > 0 ? clock_monotonic_us() - producer->polled_us : 0;

	if (away_us <= (int64_t)producer->client.timeout_ms * 1000)
		return;
	set_broken(producer);
	(void)client_error(&producer->client, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, NULL, &producer->why,
		"the agent was held up for %" PRId64 " ms with records under way", away_us / 1000);
}

int kafka_producer_poll(struct kafka_producer *producer, int timeout_ms, struct error *err)
{
	uint64_t before = producer->reported;

	if (!producer->broken)
		look_for_pause(producer);
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
	if (!producer->broken)
		look_for_late(producer);
	producer->polled_us = clock_monotonic_us();
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
