/*
 * kafka_client.c: unit tests of producer, consumer, tail and admin against a cluster in the test's own process.
 */
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/kafka/client.h"
#include "tests/unit/kafka_mock.h"

#define PARTITIONS 3
#define LETTERS 64

static struct kafka_mock mock;

struct reports {
	int count;
	uint64_t last[PARTITIONS]; /* token of the last report; a token's partition is token % PARTITIONS */
	bool disordered;
	struct error failure;
};

static void note_report(void *context, uint64_t token, const struct error *err)
{
	struct reports *reports = context;

	if (err != NULL) {
		reports->failure = *err;
		return;
	}
	reports->count++;
	if (token <= reports->last[token % PARTITIONS])
		reports->disordered = true;
	reports->last[token % PARTITIONS] = token;
}

static struct kafka_producer *producer_of(const char *const *properties, size_t count, struct reports *reports,
	const char *topic, struct kafka_topic **ret_topic)
{
	struct kafka_config config = mock.config;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;

	memset(reports, 0, sizeof *reports);
	config.properties = properties;
	config.property_count = count;
	if (kafka_producer_new(&config, note_report, reports, &producer, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(kafka_producer_topic(producer, topic, ret_topic, &err), 0);
	return producer;
}

static struct kafka_producer *producer_with(const char *property, struct reports *reports, const char *topic,
	struct kafka_topic **ret_topic)
{
	return producer_of(&property, property != NULL, reports, topic, ret_topic);
}

static struct kafka_consumer *consumer_of(const char *topic, int64_t offset, size_t memory_max)
{
	struct kafka_consumer *consumer;
	struct error err = ERROR_INIT;

	assert_int_equal(kafka_consumer_new(&mock.config, NULL, memory_max, &consumer, &err), 0);
	assert_int_equal(kafka_consumer_add(consumer, topic, 0, offset, &err), 0);
	assert_int_equal(kafka_consumer_start(consumer, &err), 0);
	return consumer;
}

/* Waits by the descriptor; the result of kafka_consumer_next(), 0 after five seconds of nothing. */
static int wait_next(struct kafka_consumer *consumer, struct kafka_message *message, struct error *err)
{
	struct pollfd ready = { kafka_consumer_fd(consumer), POLLIN, 0 };
	int rc;

	for (;;) {
		kafka_consumer_quiet(consumer);
		rc = kafka_consumer_next(consumer, 0, message, err);
		if (rc != 0 || poll(&ready, 1, 5000) <= 0)
			return rc;
	}
}

static void fill(const char *topic, int count, size_t len)
{
	static char value[100000];
	struct kafka_record record = { .value = value, .value_len = len };
	struct reports reports;
	struct kafka_topic *handle;
	struct kafka_producer *producer = producer_with(NULL, &reports, topic, &handle);
	struct error err = ERROR_INIT;

	for (int i = 0; i < count; i++) {
		int rc;

		(void)snprintf(value, sizeof value, "%d", i);
		record.token = (uint64_t)(i + 1) * PARTITIONS;
		while ((rc = kafka_produce(producer, handle, &record, &err)) == 0)
			assert_true(kafka_producer_poll(producer, 10, &err) >= 0);
		assert_int_equal(rc, 1);
	}
	assert_int_equal(kafka_producer_flush(producer, 10000), 0);
	kafka_producer_free(producer);
}

/* ---- producer ---- */

static void reports_come_in_order_in_each_partition(void **state)
{
	struct kafka_record record = { .key = "k", .key_len = 1, .value = "v", .value_len = 1 };
	struct reports reports;
	struct kafka_topic *topic, *again;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;
	int64_t low, high;
	struct kafka_admin *admin;

	kafka_mock_topic(&mock, "order", PARTITIONS);
	producer = producer_with(NULL, &reports, "order", &topic);
	assert_int_equal(kafka_producer_topic(producer, "order", &again, &err), 0);
	assert_ptr_equal(topic, again);
	assert_true(kafka_producer_offset(producer) < 0);
	for (uint64_t i = 1; i <= 3000; i++) {
		record.token = i;
		record.partition = (int32_t)(i % PARTITIONS);
		assert_int_equal(kafka_produce(producer, topic, &record, &err), 1);
		if (i % 100 == 0)
			assert_true(kafka_producer_poll(producer, 0, &err) >= 0);
	}
	assert_int_equal(kafka_producer_flush(producer, 10000), 0);
	assert_int_equal(reports.count, 3000);
	assert_false(reports.disordered);
	record = (struct kafka_record){ .value = "v", .value_len = 1, .token = 3001, .partition = 3001 % PARTITIONS };
	assert_int_equal(kafka_produce(producer, topic, &record, &err), 1);
	assert_int_equal(kafka_producer_flush(producer, 10000), 0);
	assert_true(kafka_producer_offset(producer) == 1000);
	kafka_producer_free(producer);
	assert_int_equal(kafka_admin_new(&mock.config, &admin, &err), 0);
	assert_int_equal(kafka_watermarks(admin, "order", 0, &low, &high, &err), 0);
	assert_true(low == 0 && high == 1000);
	/* brokers that do not know a partition (yet, or again) are asked again */
	assert_int_equal(kafka_watermarks(admin, "order", PARTITIONS, &low, &high, &err), -1);
	assert_int_equal(err.class, ERROR_RETRY);
	kafka_admin_free(admin);
}

static void push_sends_what_would_linger(void **state)
{
	struct kafka_record record = { .value = "v", .value_len = 1, .token = 3 };
	struct reports reports;
	struct kafka_topic *topic;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "push", 1);
	producer = producer_with("linger.ms=15000", &reports, "push", &topic);
	/* the first record also waits for the connection and the producer's id */
	for (int i = 0; i < 200 && reports.count == 0; i++) {
		if (i == 0)
			assert_int_equal(kafka_produce(producer, topic, &record, &err), 1);
		(void)kafka_producer_flush(producer, 10);
	}
	/* a push is one try of a millisecond: on a busy machine librdkafka's thread may miss it, and has the record with the next */
	for (int i = 0; i < 200 && reports.count < 2; i++) {
		record.token += PARTITIONS;
		assert_int_equal(kafka_produce(producer, topic, &record, &err), 1);
		(void)kafka_producer_push(producer);
		assert_true(kafka_producer_poll(producer, 10, &err) >= 0);
	}
	assert_true(reports.count >= 2);
	kafka_producer_free(producer);
}

static void the_descriptor_tells_of_reports(void **state)
{
	struct kafka_record record = { .value = "v", .value_len = 1 };
	struct reports reports;
	struct kafka_topic *topic;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "report-fd", 1);
	producer = producer_with("linger.ms=0", &reports, "report-fd", &topic);
	for (int i = 1; i <= 50; i++) {
		struct pollfd ready = { kafka_producer_fd(producer), POLLIN, 0 };

		record.token = (uint64_t)i * PARTITIONS;
		assert_int_equal(kafka_produce(producer, topic, &record, &err), 1);
		while (reports.count < i) {
			assert_int_equal(poll(&ready, 1, 5000), 1);
			while (kafka_producer_poll(producer, 0, &err) > 0)
				;
		}
	}
	kafka_producer_free(producer);
}

static void a_full_queue_takes_again_after_polling(void **state)
{
	struct kafka_record record = { .value = "v", .value_len = 1 };
	struct reports reports;
	struct kafka_topic *topic;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;
	bool was_full = false;

	kafka_mock_topic(&mock, "full", 1);
	producer = producer_with("queue.buffering.max.messages=10", &reports, "full", &topic);
	for (uint64_t i = 1; i <= 100;) {
		int rc;

		record.token = i * PARTITIONS;
		rc = kafka_produce(producer, topic, &record, &err);
		assert_true(rc >= 0);
		i += (uint64_t)rc;
		if (rc == 0) {
			was_full = true;
			assert_true(kafka_producer_poll(producer, 100, &err) >= 0);
		}
	}
	assert_true(was_full);
	assert_int_equal(kafka_producer_flush(producer, 10000), 0);
	assert_int_equal(reports.count, 100);
	kafka_producer_free(producer);
}

/* Produces until the producer breaks; it must stay broken. */
static void expect_break(struct kafka_producer *producer, struct kafka_topic *topic, struct error *err)
{
	struct kafka_record record = { .value = "v", .value_len = 1, .token = PARTITIONS };
	int rc = 0;

	assert_int_equal(kafka_produce(producer, topic, &record, err), 1);
	for (int i = 0; i < 100 && rc >= 0; i++)
		rc = kafka_producer_poll(producer, 100, err);
	assert_int_equal(rc, -1);
	assert_int_equal(kafka_produce(producer, topic, &record, NULL), -1);
	assert_int_equal(kafka_producer_poll(producer, 0, NULL), -1);
}

static void a_refused_record_breaks_the_producer(void **state)
{
	struct reports reports;
	struct kafka_topic *topic;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "refused", 1);
	producer = producer_with(NULL, &reports, "refused", &topic);
	rd_kafka_mock_push_request_errors(mock.cluster, 0 /* Produce */, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	expect_break(producer, topic, &err);
	assert_int_equal(err.class, ERROR_CONFIG);
	assert_int_equal(reports.failure.class, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "\"refused\""));
	assert_non_null(strstr(err.hint, "grant"));
	kafka_producer_free(producer);
	rd_kafka_mock_clear_request_errors(mock.cluster, 0);
}

static void a_record_out_of_time_breaks_the_producer(void **state)
{
	struct reports reports;
	struct kafka_topic *topic;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "late", 1);
	producer = producer_with("message.timeout.ms=1500", &reports, "late", &topic);
	(void)rd_kafka_mock_broker_set_down(mock.cluster, 1);
	expect_break(producer, topic, &err);
	(void)rd_kafka_mock_broker_set_up(mock.cluster, 1);
	assert_int_equal(err.class, ERROR_RETRY);
	kafka_producer_free(producer);
}

static void put_letter(struct kafka_producer *producer, struct kafka_topic *topic, int32_t partition, const char *letter)
{
	struct kafka_record record = { .value = letter, .value_len = 1, .partition = partition, .token = PARTITIONS };
	struct error err = ERROR_INIT;

	if (kafka_produce(producer, topic, &record, &err) != 1)
		fail_msg("\"%s\" was not taken: %s", letter, err.text);
}

static int note_letter(void *context, const struct kafka_message *message)
{
	char *letters = context;
	size_t len = strlen(letters);

	(void)snprintf(letters + len, LETTERS - len, "%.*s", (int)message->value_len, (const char *)message->value);
	return 0;
}

/* What partition 0 of the topic has, one letter a record. */
static void expect_letters(const char *topic, const char *expected)
{
	char letters[LETTERS] = "";
	struct error err = ERROR_INIT;
	int64_t next;

	assert_int_equal(kafka_read_all(&mock.config, topic, 0, 0, note_letter, letters, &next, &err), 0);
	assert_string_equal(letters, expected);
}

/* A producer that tries a lost broker again at once, and has delivered "a". */
static struct kafka_producer *producer_of_letters(const char *timeout, const char *linger, struct reports *reports,
	const char *name, struct kafka_topic **ret_topic)
{
	const char *const properties[] = { timeout, linger, "reconnect.backoff.max.ms=100",
		"topic.metadata.refresh.interval.ms=100" };
	struct kafka_producer *producer = producer_of(properties, sizeof properties / sizeof properties[0], reports, name,
		ret_topic);

	put_letter(producer, *ret_topic, 0, "a");
	assert_int_equal(kafka_producer_flush(producer, 10000), 0);
	return producer;
}

/* Does not look after the producer under test. */
static void await_records(const char *topic, int64_t count)
{
	struct kafka_admin *admin;
	struct error err = ERROR_INIT;
	int64_t low, high = 0, start = clock_monotonic_us();

	assert_int_equal(kafka_admin_new(&mock.config, &admin, &err), 0);
	while (high < count && clock_monotonic_us() - start < 10000000) {
		clock_sleep_us(10000);
		assert_int_equal(kafka_watermarks(admin, topic, 0, &low, &high, &err), 0);
	}
	kafka_admin_free(admin);
	assert_true(high >= count);
}

/*
 * The broker is away; the time of "b" is over and that of "c" is not when it is back, and nobody looks meanwhile. Left to
 * itself, librdkafka gives up "b" (it looks once a second) and sends "c".
 */
static void a_record_out_of_time_is_not_passed_by_the_next(void **state)
{
	struct reports reports;
	struct kafka_topic *topic;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "passed", 1);
	producer = producer_of_letters("message.timeout.ms=1500", "linger.ms=0", &reports, "passed", &topic);
	(void)rd_kafka_mock_broker_set_down(mock.cluster, 1);
	put_letter(producer, topic, 0, "b");
	clock_sleep_us(1400000);
	put_letter(producer, topic, 0, "c");
	clock_sleep_us(1150000);
	(void)rd_kafka_mock_broker_set_up(mock.cluster, 1);
	await_records("passed", 3);
	/* it was not looked after for longer than a record lives, as with an agent that was paused and may have been replaced */
	assert_int_equal(kafka_producer_poll(producer, 0, &err), -1);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_non_null(strstr(err.text, "the agent was held up for"));
	assert_int_equal(kafka_producer_poll(producer, 0, &err), -1);
	assert_int_equal(reports.count, 1);
	kafka_producer_free(producer);
	expect_letters("passed", "abc");
}

static void a_broken_producer_sends_nothing_more(void **state)
{
	struct reports reports;
	struct kafka_topic *topic;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "nothing", 1);
	producer = producer_of_letters("message.timeout.ms=300", "linger.ms=0", &reports, "nothing", &topic);
	(void)rd_kafka_mock_broker_set_down(mock.cluster, 1);
	put_letter(producer, topic, 0, "b");
	put_letter(producer, topic, 0, "c");
	expect_break(producer, topic, &err);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_non_null(strstr(err.text, "record for topic \"nothing\" was not delivered"));
	assert_true(err.hint[0] != '\0');
	assert_int_equal(reports.count, 1);
	(void)rd_kafka_mock_broker_set_up(mock.cluster, 1);
	/* time enough to be connected again: another producer has its record through */
	kafka_mock_put(&mock, "nothing", 0, NULL, "z");
	expect_letters("nothing", "az");
	assert_int_equal(kafka_producer_poll(producer, 0, &err), -1);
	assert_int_equal(reports.count, 1);
	kafka_producer_free(producer);
	expect_letters("nothing", "az");
}

/* Reports of other partitions do not hide that one has no leader. */
static void a_partition_out_of_time_breaks_the_producer(void **state)
{
	struct reports reports;
	struct kafka_topic *topic;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;
	int64_t start;
	int rc = 0;

	kafka_mock_topic(&mock, "lane", 2);
	producer = producer_of_letters("message.timeout.ms=1000", "linger.ms=0", &reports, "lane", &topic);
	rd_kafka_mock_partition_set_leader(mock.cluster, "lane", 0, -1);
	put_letter(producer, topic, 0, "b");
	start = clock_monotonic_us();
	while (rc >= 0 && clock_monotonic_us() - start < 10000000) {
		put_letter(producer, topic, 1, "x");
		rc = kafka_producer_poll(producer, 10, &err);
	}
	assert_int_equal(rc, -1);
	assert_in_range(clock_monotonic_us() - start, 900000, 1500000);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_non_null(strstr(err.text, "record for topic \"lane\" was not delivered"));
	assert_true(reports.count > 10);
	kafka_producer_free(producer);
	rd_kafka_mock_partition_set_leader(mock.cluster, "lane", 0, 1);
	expect_letters("lane", "a");
}

/* The brokers do not know the topic for a moment: librdkafka gives up "b", and would send what comes when it is back. */
static void nothing_is_taken_behind_a_record_that_was_given_up(void **state)
{
	struct kafka_record record = { .value = "c", .value_len = 1, .token = PARTITIONS };
	struct reports reports;
	struct kafka_topic *topic;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;
	int rc = 0;

	kafka_mock_topic(&mock, "vanished", 1);
	producer = producer_of_letters("message.timeout.ms=10000", "linger.ms=5000", &reports, "vanished", &topic);
	rd_kafka_mock_topic_set_error(mock.cluster, "vanished", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	put_letter(producer, topic, 0, "b");
	clock_sleep_us(500000); /* some refreshes of the metadata */
	rd_kafka_mock_topic_set_error(mock.cluster, "vanished", RD_KAFKA_RESP_ERR_NO_ERROR);
	clock_sleep_us(500000);
	assert_int_equal(kafka_produce(producer, topic, &record, &err), 0);
	for (int i = 0; i < 100 && rc >= 0; i++)
		rc = kafka_producer_poll(producer, 100, &err);
	assert_int_equal(rc, -1);
	assert_non_null(strstr(err.text, "record for topic \"vanished\" was not delivered"));
	assert_int_equal(kafka_produce(producer, topic, &record, &err), -1);
	kafka_producer_free(producer);
	expect_letters("vanished", "a");
}

static void a_record_larger_than_the_queue_is_refused(void **state)
{
	static char value[2 * 1024 * 1024];
	struct kafka_record record = { .value = value, .value_len = sizeof value };
	struct reports reports;
	struct kafka_topic *topic;
	struct kafka_producer *producer;
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "large", 1);
	producer = producer_with("queue.buffering.max.kbytes=1024", &reports, "large", &topic);
	assert_int_equal(kafka_produce(producer, topic, &record, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
	assert_non_null(strstr(err.hint, "max.message.bytes"));
	kafka_producer_free(producer);
}

/* ---- consumer ---- */

static void a_record_arrives_as_it_was_sent(void **state)
{
	static const struct kafka_header headers[] = { { "__debezium.oldkey", "\0ld", 3 }, { "other", "x", 1 } };
	struct kafka_record record = { .key = "k\0y", .key_len = 3, .value = "value", .value_len = 5, .headers = headers,
		.header_count = 2 };
	struct kafka_consumer *consumer;
	struct kafka_producer *producer;
	struct kafka_message message;
	struct reports reports;
	struct kafka_topic *topic;
	struct error err = ERROR_INIT;
	const void *value;
	size_t len;

	kafka_mock_topic(&mock, "same", 1);
	producer = producer_with(NULL, &reports, "same", &topic);
	assert_int_equal(kafka_produce(producer, topic, &record, &err), 1);
	record = (struct kafka_record){ .key = "k", .key_len = 1 };
	assert_int_equal(kafka_produce(producer, topic, &record, &err), 1);
	record = (struct kafka_record){ .value = "", .value_len = 0 };
	assert_int_equal(kafka_produce(producer, topic, &record, &err), 1);
	assert_int_equal(kafka_producer_flush(producer, 10000), 0);
	kafka_producer_free(producer);

	consumer = consumer_of("same", 0, 1 << 20);
	assert_true(kafka_consumer_offset(consumer, 0) == -1);
	assert_int_equal(wait_next(consumer, &message, &err), 1);
	assert_memory_equal(message.key, "k\0y", 3);
	assert_memory_equal(message.value, "value", 5);
	assert_true(kafka_message_header(&message, "__debezium.oldkey", &value, &len));
	assert_int_equal(len, 3);
	assert_memory_equal(value, "\0ld", 3);
	assert_false(kafka_message_header(&message, "none", &value, &len));
	kafka_message_done(&message);
	assert_int_equal(wait_next(consumer, &message, &err), 1);
	assert_null(message.value);
	assert_false(kafka_message_header(&message, "other", &value, &len));
	kafka_message_done(&message);
	assert_int_equal(wait_next(consumer, &message, &err), 1);
	assert_null(message.key);
	assert_non_null(message.value);
	assert_int_equal(message.value_len, 0);
	kafka_message_done(&message);
	assert_true(kafka_consumer_offset(consumer, 0) == 3);
	assert_true(kafka_consumer_high(consumer, 0) == 2);
	kafka_consumer_free(consumer);
}

static void the_descriptor_tells_of_messages(void **state)
{
	struct kafka_consumer *consumer;
	struct kafka_message message;
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "wake", 1);
	consumer = consumer_of("wake", 0, 1 << 20);
	assert_int_equal(kafka_consumer_next(consumer, 0, &message, &err), 0);
	for (int i = 0; i < 5; i++) {
		kafka_mock_put(&mock, "wake", 0, NULL, "v");
		assert_int_equal(wait_next(consumer, &message, &err), 1);
		assert_true(message.offset == i);
		kafka_message_done(&message);
	}
	kafka_consumer_free(consumer);
}

/* 4 MB through a queue of 128 KiB: without waking librdkafka's thread, each filling costs a second (consumer.c). */
static void a_bounded_queue_does_not_stall(void **state)
{
	struct kafka_consumer *consumer;
	struct kafka_message message;
	struct error err = ERROR_INIT;
	int64_t start;

	kafka_mock_topic(&mock, "bounded", 1);
	fill("bounded", 4000, 1000);
	consumer = consumer_of("bounded", 0, 1);
	start = clock_monotonic_us();
	for (int i = 0; i < 4000; i++) {
		assert_int_equal(wait_next(consumer, &message, &err), 1);
		assert_true(message.offset == i);
		if (i % 1000 == 0)
			clock_sleep_us(50000); /* time enough to fill up */
		kafka_message_done(&message);
	}
	assert_true(clock_monotonic_us() - start < 4000000);
	kafka_consumer_free(consumer);
}

static void an_offset_that_is_not_there_is_a_gap(void **state)
{
	struct kafka_consumer *consumer;
	struct kafka_message message;
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "gap", 1);
	kafka_mock_put(&mock, "gap", 0, "k", "v");
	consumer = consumer_of("gap", 1000, 1 << 20);
	assert_int_equal(wait_next(consumer, &message, &err), -1);
	assert_int_equal(err.class, ERROR_GAP);
	assert_non_null(strstr(err.text, "topic \"gap\" partition 0 at offset 1000"));
	assert_int_equal(kafka_consumer_next(consumer, 0, &message, NULL), -1);
	kafka_consumer_free(consumer);
}

/* The first group of a cluster: its coordinator is not there for seconds. Nobody waits for it. */
static void a_hint_without_a_coordinator_holds_nothing_up(void **state)
{
	rd_kafka_resp_err_t errors[100];
	const int64_t offset = 1;
	struct kafka_consumer *consumer;
	struct error err = ERROR_INIT;
	int64_t start;

	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		errors[i] = RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;
	kafka_mock_topic(&mock, "hint", 1);
	assert_int_equal(kafka_consumer_new(&mock.config, "group", 1 << 20, &consumer, &err), 0);
	assert_int_equal(kafka_consumer_add(consumer, "hint", 0, 0, &err), 0);
	assert_int_equal(kafka_consumer_start(consumer, &err), 0);
	rd_kafka_mock_push_request_errors_array(mock.cluster, 10 /* FindCoordinator */,
		sizeof errors / sizeof errors[0], errors);
	start = clock_monotonic_us();
	assert_true(kafka_consumer_hint(consumer, &offset));
	clock_sleep_us(300000);
	assert_false(kafka_consumer_hint(consumer, &offset));
	kafka_consumer_free(consumer);
	assert_true(clock_monotonic_us() - start < 3000000);
	rd_kafka_mock_clear_request_errors(mock.cluster, 10);
}

static void hints_follow_each_other(void **state)
{
	const int64_t offset = 1;
	struct kafka_consumer *consumer;
	struct error err = ERROR_INIT;
	bool sent = false;

	kafka_mock_topic(&mock, "hints", 1);
	assert_int_equal(kafka_consumer_new(&mock.config, "group", 1 << 20, &consumer, &err), 0);
	assert_int_equal(kafka_consumer_add(consumer, "hints", 0, 0, &err), 0);
	assert_int_equal(kafka_consumer_start(consumer, &err), 0);
	assert_true(kafka_consumer_hint(consumer, &offset));
	for (int i = 0; i < 500 && !sent; i++) {
		clock_sleep_us(10000);
		sent = kafka_consumer_hint(consumer, &offset);
	}
	assert_true(sent);
	kafka_consumer_free(consumer);
}

/* ---- bounded ranges ---- */

struct seen {
	int count, most;
	int64_t offsets[64];
};

static int note_message(void *context, const struct kafka_message *message)
{
	struct seen *seen = context;

	if (seen->count < 64)
		seen->offsets[seen->count] = message->offset;
	seen->count++;
	return seen->count == seen->most;
}

static void the_tail_is_read_newest_first(void **state)
{
	struct seen seen = { .count = 0 };
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "tail", 2);
	fill("tail", 50, 10);
	assert_int_equal(kafka_tail(&mock.config, "tail", 0, 3, note_message, &seen, &err), 0);
	assert_int_equal(seen.count, 3);
	assert_true(seen.offsets[0] == 49 && seen.offsets[1] == 48 && seen.offsets[2] == 47);
	seen = (struct seen){ .most = 2 };
	assert_int_equal(kafka_tail(&mock.config, "tail", 0, 1000, note_message, &seen, &err), 0);
	assert_int_equal(seen.count, 2);
	seen = (struct seen){ .count = 0 };
	assert_int_equal(kafka_tail(&mock.config, "tail", 1, 1000, note_message, &seen, &err), 0);
	assert_int_equal(seen.count, 0);
}

/* Values seen, newest first, "-" for a tombstone. */
static int note_value(void *context, const struct kafka_message *message)
{
	char *values = context;
	size_t len = strlen(values);

	(void)snprintf(values + len, 64 - len, "%.*s ", message->value != NULL ? (int)message->value_len : 1,
		message->value != NULL ? (const char *)message->value : "-");
	return 0;
}

static void tombstones_do_not_hide_the_last_value(void **state)
{
	char values[64] = "";
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "stones", 1);
	kafka_mock_put(&mock, "stones", 0, "k", "first");
	kafka_mock_put(&mock, "stones", 0, "k", "last");
	for (int i = 0; i < 40; i++)
		kafka_mock_put(&mock, "stones", 0, "k", NULL);
	assert_int_equal(kafka_tail(&mock.config, "stones", 0, 3, note_value, values, &err), 0);
	assert_string_equal(values, "- - last ");
}

/* Retention takes the beginning of a range between asking for it and reading it: the next try asks again. */
static void a_range_that_went_meanwhile_is_tried_again(void **state)
{
	struct seen seen = { .count = 0 };
	struct error err = ERROR_INIT;

	kafka_mock_topic(&mock, "went", 1);
	kafka_mock_put(&mock, "went", 0, "k", "v");
	rd_kafka_mock_push_request_errors(mock.cluster, 1 /* Fetch */, 1, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
	assert_int_equal(kafka_tail(&mock.config, "went", 0, 3, note_message, &seen, &err), -1);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_int_equal(kafka_tail(&mock.config, "went", 0, 3, note_message, &seen, &err), 0);
	assert_int_equal(seen.count, 1);
}

/* Brokers that are coming up are counted later: it is not the configuration that is wrong. */
static void too_few_brokers_are_waited_for(void **state)
{
	struct client client = { .rk = NULL };
	struct error err = ERROR_INIT;

	assert_int_equal(client_error(&client, RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, NULL, &err, "topic"), -1);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_non_null(strstr(err.hint, "replication_factor"));
}

static void all_records_are_read_to_the_end(void **state)
{
	struct seen seen = { .count = 0 };
	struct kafka_reader *reader;
	struct error err = ERROR_INIT;
	int64_t next = -1;

	kafka_mock_topic(&mock, "all", 2);
	fill("all", 50, 10);
	assert_int_equal(kafka_reader_open(&mock.config, &reader, &err), 0);
	for (int round = 0; round < 2; round++) {
		seen.count = 0;
		assert_int_equal(kafka_reader_all(reader, "all", 0, 0, note_message, &seen, &next, &err), 0);
		assert_int_equal(seen.count, 50);
		assert_true(next == 50 && seen.offsets[0] == 0 && seen.offsets[49] == 49);
	}
	seen.count = 0;
	assert_int_equal(kafka_reader_all(reader, "all", 0, 48, note_message, &seen, &next, &err), 0);
	assert_int_equal(seen.count, 2);
	assert_int_equal(kafka_reader_all(reader, "all", 0, 50, note_message, &seen, &next, &err), 0);
	assert_int_equal(seen.count, 2);
	assert_int_equal(kafka_reader_all(reader, "all", 1, 0, note_message, &seen, &next, &err), 0);
	assert_int_equal(seen.count, 2);
	assert_true(next == 0);
	assert_int_equal(kafka_reader_all(reader, "all", 0, 51, note_message, &seen, &next, &err), -1);
	assert_int_equal(err.class, ERROR_GAP);
	kafka_reader_close(reader);
}

/* 20,000 records through a queue of 4,096: without waking librdkafka's thread, each filling costs up to a second. */
static void a_long_range_does_not_stall(void **state)
{
	struct seen seen = { .count = 0 };
	struct error err = ERROR_INIT;
	int64_t next, start;

	kafka_mock_topic(&mock, "long", 1);
	fill("long", 20000, 100);
	start = clock_monotonic_us();
	assert_int_equal(kafka_read_all(&mock.config, "long", 0, 0, note_message, &seen, &next, &err), 0);
	assert_true(clock_monotonic_us() - start < 1000000);
	assert_int_equal(seen.count, 20000);
}

/* ---- admin ---- */

static void topics_are_found_by_prefix(void **state)
{
	static const struct kafka_topic_spec spec = { .name = "admin.b", .partitions = 1, .replication_factor = 1 };
	struct kafka_admin *admin;
	struct error err = ERROR_INIT;
	char **names;
	size_t count;
	int partitions = 0;

	kafka_mock_topic(&mock, "admin.b", 4);
	kafka_mock_topic(&mock, "admin.a", 1);
	assert_int_equal(kafka_admin_new(&mock.config, &admin, &err), 0);
	assert_int_equal(kafka_topics(admin, "admin.", &names, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "admin.a");
	assert_string_equal(names[1], "admin.b");
	kafka_names_free(names, count);
	assert_int_equal(kafka_topic_ensure(admin, &spec, &partitions, &err), 0);
	assert_int_equal(partitions, 4);
	kafka_admin_free(admin);
}

static int open_mock(void **state)
{
	kafka_mock_open(&mock);
	return 0;
}

static int close_mock(void **state)
{
	kafka_mock_close(&mock);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_come_in_order_in_each_partition),
		cmocka_unit_test(push_sends_what_would_linger),
		cmocka_unit_test(the_descriptor_tells_of_reports),
		cmocka_unit_test(a_full_queue_takes_again_after_polling),
		cmocka_unit_test(a_refused_record_breaks_the_producer),
		cmocka_unit_test(a_record_out_of_time_breaks_the_producer),
		cmocka_unit_test(a_record_out_of_time_is_not_passed_by_the_next),
		cmocka_unit_test(a_broken_producer_sends_nothing_more),
		cmocka_unit_test(a_partition_out_of_time_breaks_the_producer),
		cmocka_unit_test(nothing_is_taken_behind_a_record_that_was_given_up),
		cmocka_unit_test(a_record_larger_than_the_queue_is_refused),
		cmocka_unit_test(a_record_arrives_as_it_was_sent),
		cmocka_unit_test(the_descriptor_tells_of_messages),
		cmocka_unit_test(a_bounded_queue_does_not_stall),
		cmocka_unit_test(an_offset_that_is_not_there_is_a_gap),
		cmocka_unit_test(a_hint_without_a_coordinator_holds_nothing_up),
		cmocka_unit_test(hints_follow_each_other),
		cmocka_unit_test(the_tail_is_read_newest_first),
		cmocka_unit_test(tombstones_do_not_hide_the_last_value),
		cmocka_unit_test(a_range_that_went_meanwhile_is_tried_again),
		cmocka_unit_test(too_few_brokers_are_waited_for),
		cmocka_unit_test(all_records_are_read_to_the_end),
		cmocka_unit_test(a_long_range_does_not_stall),
		cmocka_unit_test(topics_are_found_by_prefix),
	};

	return cmocka_run_group_tests(tests, open_mock, close_mock);
}
