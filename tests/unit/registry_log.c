/*
 * registry_log.c: unit tests of registering over the log, against a cluster in the test's own process.
 */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/registry/registry.h"
#include "tests/unit/kafka_mock.h"

#define RACERS 2
#define SCHEMAS 15

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
	struct error err = ERROR_INIT;
	int32_t id = 0;

	if (schemas->id(schemas->context, subject, schema, &id, &err) != 0)
		fail_msg("%s", err.text);
	return id;
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
	struct error err = ERROR_INIT;
	int32_t id;

	assert_int_equal(schemas->id(schemas->context, "new", "\"string\"", &id, &err), -1);
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

		(void)snprintf(own, sizeof own, "\"own-%d-%d\"", racer->number, i);
		(void)snprintf(shared, sizeof shared, "\"shared-%d\"", i);
		(void)snprintf(subject, sizeof subject, "racer-%d-%d", racer->number, i);
		schemas = registry_schemas(registry);
		racer->failed = schemas->id(schemas->context, "race", own, &racer->own[i], &err) != 0 ||
				schemas->id(schemas->context, subject, shared, &racer->shared[i], &err) != 0;
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
		cmocka_unit_test(racing_writers_agree_on_ids),
	};

	return cmocka_run_group_tests(tests, open_mock, close_mock);
}
