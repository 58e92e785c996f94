/*
 * kafka_config.c: unit tests of which properties are taken, refused and kept secret, and of the partitioner. No
 * network.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/kafka/kafka.h"

static int check(const char *property, struct error *err)
{
	struct kafka_config config = { "127.0.0.1:1", "unit", &property, 1 };

	error_clear(err);
	return kafka_config_check(&config, err);
}

static void harmless_properties_are_taken(void **state)
{
	static const char *const properties[] = { "linger.ms=0", "compression.codec=zstd", "security.protocol=PLAINTEXT",
		"message.max.bytes=20000000", "queue.buffering.max.kbytes=1024", "fetch.wait.max.ms=100",
		"message.timeout.ms=5000" };
	struct error err;

	for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
		if (check(properties[i], &err) != 0)
			fail_msg("%s: %s", properties[i], err.text);
}

static void what_guarantees_rest_on_is_refused_by_name(void **state)
{
	static const char *const names[] = { "enable.idempotence", "acks", "request.required.acks",
		"enable.gapless.guarantee", "check.crcs", "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset",
		"isolation.level", "transactional.id", "group.id", "retries", "message.send.max.retries" };
	char property[64], quoted[64];
	struct error err;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		(void)snprintf(property, sizeof property, "%s=true", names[i]);
		(void)snprintf(quoted, sizeof quoted, "\"%s\"", names[i]);
		assert_int_equal(check(property, &err), -1);
		assert_int_equal(err.class, ERROR_CONFIG);
		assert_non_null(strstr(err.text, quoted));
		assert_true(err.hint[0] != '\0');
	}
}

static void wrong_properties_are_named(void **state)
{
	struct error err;

	assert_int_equal(check("no.such.thing=1", &err), -1);
	assert_non_null(strstr(err.text, "unknown kafka property \"no.such.thing\""));
	assert_int_equal(check("linger.ms=soon", &err), -1);
	assert_non_null(strstr(err.text, "linger.ms"));
	assert_int_equal(check("=1", &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
}

static void a_record_lives_half_a_minute_at_most(void **state)
{
	static const char *const refused[] = { "message.timeout.ms=30001", "message.timeout.ms=0",
		"delivery.timeout.ms=120000" };
	struct error err;

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_int_equal(check(refused[i], &err), -1);
		assert_int_equal(err.class, ERROR_CONFIG);
		assert_non_null(strstr(err.text, "message.timeout.ms"));
	}
	assert_int_equal(check("message.timeout.ms=30000", &err), 0);
	/* part of the time a record may linger before it is sent */
	assert_int_equal(check("message.timeout.ms=99", &err), -1);
	assert_string_equal(err.text, "kafka property \"message.timeout.ms\" is 99");
	assert_string_equal(err.hint, "it must be at least twice linger.ms (50)");
	assert_int_equal(check("message.timeout.ms=100", &err), 0);
}

static void secrets_are_not_shown(void **state)
{
	struct error err;

	assert_int_equal(check("hunter2", &err), -1);
	assert_null(strstr(err.text, "hunter2"));
	assert_int_equal(check("sasl.oauthbearer.method=hunter2", &err), -1);
	assert_null(strstr(err.text, "hunter2"));
	assert_int_equal(check("my.password=hunter2", &err), -1);
	assert_null(strstr(err.text, "hunter2"));
}

static void no_servers_is_an_error_of_configuration(void **state)
{
	struct kafka_config config = { "", "unit", NULL, 0 };
	struct error err = ERROR_INIT;

	assert_int_equal(kafka_config_check(&config, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
}

/* Values of Java's own test of Utils.murmur2, modulo made by hand. */
static void partitions_are_those_of_java(void **state)
{
	static const struct {
		const char *key;
		int32_t hash;
	} cases[] = { { "21", -973932308 }, { "foobar", -790332482 }, { "a-little-bit-long-string", -985981536 },
		{ "a-little-bit-longer-string", -1486304829 }, { "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971 },
		{ "abc", 479470107 } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(kafka_partition(cases[i].key, strlen(cases[i].key), 1000),
			(int32_t)(((uint32_t)cases[i].hash & 0x7fffffffu) % 1000));
	assert_int_equal(kafka_partition(NULL, 0, 7), 0);
	assert_int_equal(kafka_partition("x", 1, 1), 0);
}

/* A consumer without a broker says so at once, in words for people. */
static void no_broker_is_said_with_its_reason(void **state)
{
	struct kafka_config config = { "127.0.0.1:1", "unit", NULL, 0 };
	struct kafka_consumer *consumer;
	struct kafka_message message;
	struct error err = ERROR_INIT;
	int rc = 0;

	assert_int_equal(kafka_consumer_new(&config, NULL, 1 << 20, &consumer, &err), 0);
	assert_int_equal(kafka_consumer_add(consumer, "t", 0, 0, &err), 0);
	assert_int_equal(kafka_consumer_start(consumer, &err), 0);
	for (int i = 0; i < 500 && rc == 0; i++) {
		rc = kafka_consumer_next(consumer, 0, &message, &err);
		clock_sleep_us(10000);
	}
	assert_int_equal(rc, -1);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_non_null(strstr(err.text, "could not reach Kafka at \"127.0.0.1:1\""));
	assert_non_null(strstr(err.text, "refused"));
	assert_non_null(strstr(err.hint, "is the broker running?"));
	kafka_consumer_free(consumer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(harmless_properties_are_taken),
		cmocka_unit_test(what_guarantees_rest_on_is_refused_by_name),
		cmocka_unit_test(wrong_properties_are_named),
		cmocka_unit_test(a_record_lives_half_a_minute_at_most),
		cmocka_unit_test(secrets_are_not_shown),
		cmocka_unit_test(no_servers_is_an_error_of_configuration),
		cmocka_unit_test(partitions_are_those_of_java),
		cmocka_unit_test(no_broker_is_said_with_its_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
