/*
 * registry_log.c: unit tests of registering over the log, against a cluster in the test's own process.
 */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/registry/registry.h"
#include "tests/unit/kafka_mock.h"

#define RACERS 2
#define SCHEMAS 15
#define TABLES 11
#define ROUND_TRIP_MS 20

static struct kafka_mock mock;

static int open_mock(void **state)
{
	kafka_mock_open(&mock);
	kafka_mock_topic(&mock, "_schemas", 1);
	return 0;
}

static int close_mock(void **state)
{
	kafka_mock_close(&mock);
	return 0;
}

static struct registry *open_registry(bool read_only)
{
	struct registry *registry;
	struct error err = ERROR_INIT;

	if (registry_open(&mock.config, 1, read_only, &registry, &err) != 0)
		fail_msg("%s", err.text);
	return registry;
}

static int32_t id_of(struct registry *registry, const char *subject, const char *schema)
{
	const struct codec_schemas *schemas = registry_schemas(registry);
	struct codec_registration wanted = { subject, schema, 0 };
	struct error err = ERROR_INIT;

	if (schemas->ids(schemas->context, &wanted, 1, &err) != 0)
		fail_msg("%s", err.text);
	return wanted.id;
}

static void expect_text(struct registry *registry, int32_t id, const char *schema)
{
	const struct codec_schemas *schemas = registry_schemas(registry);
	struct error err = ERROR_INIT;
	const char *text;

	if (schemas->text(schemas->context, id, &text, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(text, schema);
}

static void ids_are_kept_in_the_log(void **state)
{
	struct registry *registry = open_registry(false);
	int32_t first = id_of(registry, "a-value", "{\"type\":\"int\"}"), second = id_of(registry, "a-value", "\"l\xc3\xb6ng\"");

	assert_int_equal(first, 1);
	assert_int_equal(second, 2);
	assert_int_equal(id_of(registry, "a-value", "{\"type\":\"int\"}"), first);
	assert_int_equal(id_of(registry, "b-value", "{\"type\":\"int\"}"), first);
	registry_close(registry);
	registry = open_registry(true);
	expect_text(registry, first, "{\"type\":\"int\"}");
	expect_text(registry, second, "\"l\xc3\xb6ng\"");
	assert_int_equal(id_of(registry, "b-value", "{\"type\":\"int\"}"), first);
	registry_close(registry);
}

static void a_reader_does_not_write(void **state)
{
	struct registry *registry = open_registry(true);
	const struct codec_schemas *schemas = registry_schemas(registry);
	struct codec_registration wanted = { "new", "\"string\"", 0 };
	struct error err = ERROR_INIT;

	assert_int_equal(schemas->ids(schemas->context, &wanted, 1, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
	registry_close(registry);
}

static void an_unknown_id_is_looked_for_in_the_log(void **state)
{
	struct registry *reader = open_registry(true), *writer = open_registry(false);
	const struct codec_schemas *schemas = registry_schemas(reader);
	int32_t id = id_of(writer, "late", "\"bytes\"");
	struct error err = ERROR_INIT;
	const char *text;

	expect_text(reader, id, "\"bytes\"");
	assert_int_equal(schemas->text(schemas->context, 12345, &text, &err), -1);
	assert_int_equal(err.class, ERROR_DATA);
	assert_non_null(strstr(err.text, "12345"));
	registry_close(reader);
	registry_close(writer);
}

/* What another writer left half done is put right by whoever opens the registry next and may write. */
static void a_contested_version_is_settled_at_open(void **state)
{
	static const char *const key = "{\"keytype\":\"SCHEMA\",\"subject\":\"c\",\"version\":1,\"magic\":1}";
	static const char *const valid =
		"{\"subject\":\"c\",\"version\":1,\"id\":900,\"schema\":\"\\\"int\\\"\",\"deleted\":false}";
	static const char *const late =
		"{\"subject\":\"c\",\"version\":1,\"id\":900,\"schema\":\"\\\"long\\\"\",\"deleted\":false}";
	struct kafka_admin *admin;
	struct registry *registry;
	struct error err = ERROR_INIT;
	int64_t low, before, after;

	kafka_mock_put(&mock, "_schemas", 0, key, valid);
	kafka_mock_put(&mock, "_schemas", 0, key, late);
	assert_int_equal(kafka_admin_new(&mock.config, &admin, &err), 0);
	assert_int_equal(kafka_watermarks(admin, "_schemas", 0, &low, &before, &err), 0);
	registry = open_registry(true);
	registry_close(registry);
	registry = open_registry(false);
	expect_text(registry, 900, "\"int\"");
	registry_close(registry);
	registry = open_registry(false);
	registry_close(registry);
	assert_int_equal(kafka_watermarks(admin, "_schemas", 0, &low, &after, &err), 0);
	assert_true(after == before + 1);
	kafka_admin_free(admin);
}

/* ---- several at once ---- */

static void register_all(struct registry *registry, struct codec_registration *list, size_t count)
{
	const struct codec_schemas *schemas = registry_schemas(registry);
	struct error err = ERROR_INIT;

	if (schemas->ids(schemas->context, list, count, &err) != 0)
		fail_msg("%s", err.text);
}

static int64_t records_of_schemas(void)
{
	struct kafka_admin *admin;
	struct error err = ERROR_INIT;
	int64_t low, next;

	assert_int_equal(kafka_admin_new(&mock.config, &admin, &err), 0);
	assert_int_equal(kafka_watermarks(admin, "_schemas", 0, &low, &next, &err), 0);
	kafka_admin_free(admin);
	return next;
}

/* Texts and subjects may be the same in one call; more may be asked for than are written at once. */
static void schemas_of_one_call_know_each_other(void **state)
{
	struct codec_registration list[] = { { "one-key", "\"together\"", 0 }, { "one-value", "\"together\"", 0 },
		{ "two", "\"first\"", 0 }, { "two", "\"second\"", 0 }, { "one-key", "\"together\"", 0 },
		{ "a", "\"a\"", 0 }, { "b", "\"b\"", 0 }, { "c", "\"c\"", 0 }, { "d", "\"d\"", 0 }, { "e", "\"e\"", 0 },
		{ "f", "\"f\"", 0 }, { "g", "\"a\"", 0 } };
	struct registry *registry = open_registry(false);
	int64_t before = records_of_schemas();
	struct buf body;
	char answer[100];

	register_all(registry, list, sizeof list / sizeof list[0]);
	assert_true(records_of_schemas() == before + 11);
	assert_int_equal(list[1].id, list[0].id);
	assert_int_equal(list[4].id, list[0].id);
	assert_int_equal(list[11].id, list[5].id);
	assert_int_equal(list[2].id, list[0].id + 1);
	assert_int_equal(list[10].id, list[0].id + 8);
	buf_init(&body, 10000);
	assert_int_equal(registry_http(registry, "/subjects/two/versions/2", &body), 200);
	(void)snprintf(answer, sizeof answer, "{\"subject\":\"two\",\"version\":2,\"id\":%" PRId32 ",\"schema\":\"\\\"second\\\"\"}",
		list[3].id);
	assert_string_equal(buf_cstr(&body), answer);
	buf_release(&body);
	registry_close(registry);
	registry = open_registry(true);
	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
		expect_text(registry, list[i].id, list[i].schema);
	registry_close(registry);
}

/* What is acknowledged is not thereby the first with its id: another's record may stand before it, unread. */
static void a_record_that_was_not_read_comes_first(void **state)
{
	struct registry *registry = open_registry(false);
	struct codec_registration list[] = { { "mine-key", "\"mine 1\"", 0 }, { "mine-value", "\"mine 2\"", 0 } };
	int32_t last = id_of(registry, "mine", "\"last\"");
	char value[200];

	(void)snprintf(value, sizeof value,
		"{\"subject\":\"theirs\",\"version\":1,\"id\":%" PRId32 ",\"schema\":\"\\\"theirs\\\"\",\"deleted\":false}", last + 2);
	kafka_mock_put(&mock, "_schemas", 0, "{\"keytype\":\"SCHEMA\",\"subject\":\"theirs\",\"version\":1,\"magic\":1}", value);
	register_all(registry, list, 2);
	assert_int_not_equal(list[0].id, list[1].id);
	for (int i = 0; i < 2; i++)
		assert_int_not_equal(list[i].id, last + 2);
	registry_close(registry);
	registry = open_registry(true);
	expect_text(registry, last + 2, "\"theirs\"");
	expect_text(registry, list[0].id, "\"mine 1\"");
	expect_text(registry, list[1].id, "\"mine 2\"");
	registry_close(registry);
}

static int compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static void ignore_report(void *context, uint64_t token, const struct error *err)
{
	assert_null(err);
}

/* Median of what a record costs, in microseconds, each alone. */
static int64_t time_of_a_record(void)
{
	struct kafka_record record = { .key = "x", .key_len = 1, .value = "y", .value_len = 1 };
	struct kafka_producer *producer;
	struct kafka_topic *topic;
	struct error err = ERROR_INIT;
	int64_t times[TABLES];

	assert_int_equal(kafka_producer_new(&mock.config, ignore_report, NULL, &producer, &err), 0);
	assert_int_equal(kafka_producer_topic(producer, "_schemas", &topic, &err), 0);
	for (int i = -1; i < TABLES; i++) {
		int64_t start = clock_monotonic_us();

		assert_int_equal(kafka_produce(producer, topic, &record, &err), 1);
		assert_int_equal(kafka_producer_flush(producer, 10000), 0);
		if (i >= 0) /* the one before has connected */
			times[i] = clock_monotonic_us() - start;
	}
	kafka_producer_free(producer);
	qsort(times, TABLES, sizeof times[0], compare_times);
	return times[TABLES / 2];
}

/* The events of a new table wait for its schemas: one round trip for both where nobody else writes. */
static void a_table_costs_one_round_trip(void **state)
{
	struct registry *registry;
	int64_t record_us, times[TABLES];

	assert_int_equal(rd_kafka_mock_broker_set_rtt(mock.cluster, -1, ROUND_TRIP_MS), 0);
	record_us = time_of_a_record();
	assert_true(record_us >= ROUND_TRIP_MS * 1000);
	registry = open_registry(false);
	for (int i = 0; i < TABLES; i++) {
		char key[32], value[32];
		struct codec_registration list[] = { { key, key, 0 }, { value, value, 0 } };
		int64_t start;

		(void)snprintf(key, sizeof key, "\"key-%d\"", i);
		(void)snprintf(value, sizeof value, "\"value-%d\"", i);
		start = clock_monotonic_us();
		register_all(registry, list, 2);
		times[i] = clock_monotonic_us() - start;
	}
	registry_close(registry);
	assert_int_equal(rd_kafka_mock_broker_set_rtt(mock.cluster, -1, 0), 0);
	qsort(times, TABLES, sizeof times[0], compare_times);
	print_message("a record %" PRId64 " us, the schemas of a table %" PRId64 " us\n", record_us, times[TABLES / 2]);
	assert_true(times[TABLES / 2] < 2 * record_us);
}

/* ---- several writers ---- */

struct racer {
	pthread_t thread;
	int number;
	int32_t own[SCHEMAS], shared[SCHEMAS];
	bool failed;
};

/* Schemas of its own in a subject that all share, and shared schemas in subjects of its own. */
static void *race(void *context)
{
	struct racer *racer = context;
	struct registry *registry;
	struct error err = ERROR_INIT;
	const struct codec_schemas *schemas;

	racer->failed = registry_open(&mock.config, 1, false, &registry, &err) != 0;
	for (int i = 0; i < SCHEMAS && !racer->failed; i++) {
		char own[64], shared[64], subject[64];
		struct codec_registration wanted[] = { { "race", own, 0 }, { subject, shared, 0 } };

		(void)snprintf(own, sizeof own, "\"own-%d-%d\"", racer->number, i);
		(void)snprintf(shared, sizeof shared, "\"shared-%d\"", i);
		(void)snprintf(subject, sizeof subject, "racer-%d-%d", racer->number, i);
		schemas = registry_schemas(registry);
		racer->failed = schemas->ids(schemas->context, wanted, 2, &err) != 0;
		racer->own[i] = wanted[0].id;
		racer->shared[i] = wanted[1].id;
	}
	if (racer->failed)
		print_error("racer %d: %s\n", racer->number, err.text);
	else
		registry_close(registry);
	return NULL;
}

static void racing_writers_agree_on_ids(void **state)
{
	struct racer racers[RACERS] = { { .number = 0 } };
	struct registry *registry;

	for (int i = 0; i < RACERS; i++) {
		racers[i].number = i;
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < RACERS; i++)
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
	registry = open_registry(true);
	for (int i = 0; i < RACERS; i++) {
		assert_false(racers[i].failed);
		for (int j = 0; j < SCHEMAS; j++) {
			char text[64];

			(void)snprintf(text, sizeof text, "\"own-%d-%d\"", i, j);
			expect_text(registry, racers[i].own[j], text);
			assert_int_equal(id_of(registry, "race", text), racers[i].own[j]);
			(void)snprintf(text, sizeof text, "\"shared-%d\"", j);
			expect_text(registry, racers[i].shared[j], text);
		}
	}
	registry_close(registry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_kept_in_the_log),
		cmocka_unit_test(a_reader_does_not_write),
		cmocka_unit_test(an_unknown_id_is_looked_for_in_the_log),
		cmocka_unit_test(a_contested_version_is_settled_at_open),
		cmocka_unit_test(schemas_of_one_call_know_each_other),
		cmocka_unit_test(a_record_that_was_not_read_comes_first),
		cmocka_unit_test(a_table_costs_one_round_trip),
		cmocka_unit_test(racing_writers_agree_on_ids),
	};

	return cmocka_run_group_tests(tests, open_mock, close_mock);
}
