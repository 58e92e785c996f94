/*
 * agent_latency.c: the histogram's percentiles are within its buckets' width, and Prometheus' buckets are exact.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/agent/internal.h"

static void assert_near(double value, double wanted)
{
	if (value < wanted * 0.97 || value > wanted * 1.03)
		fail_msg("%g is not within 3 %% of %g", value, wanted);
}

static void percentiles_are_near(void **state)
{
	struct agent_latencies latencies;

	agent_latencies(&latencies);
	assert_int_equal(latencies.count, 0);
	for (int64_t us = 1; us <= 100000; us++)
		agent_latency(us);
	agent_latencies(&latencies);
	assert_int_equal(latencies.count, 100000);
	assert_near(latencies.p50_ms, 50);
	assert_near(latencies.p99_ms, 99);
	assert_near(latencies.sum_seconds, 5000.05);
	assert_true(latencies.max_ms > 99.999 && latencies.max_ms < 100.001);
	assert_int_equal(latencies.at_most[0], 1000);
	assert_int_equal(latencies.at_most[6], 100000);
	assert_int_equal(latencies.at_most[LATENCY_BOUNDS - 1], 100000);
}

/* After the test above: values at both ends have a place too. */
static void extremes_have_a_bucket(void **state)
{
	struct agent_latencies latencies;

	agent_latency(-5);
	agent_latency(0);
	agent_latency(INT64_MAX);
	for (unsigned shift = 0; shift < 63; shift++)
		agent_latency(INT64_C(1) << shift);
	agent_latencies(&latencies);
	assert_int_equal(latencies.count, 100000 + 3 + 63);
	assert_int_equal(latencies.at_most[0], 1000 + 2 + 10);
	assert_near(latencies.max_ms, 68719476.735);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_near),
		cmocka_unit_test(extremes_have_a_bucket),
	};

	return cmocka_run_group_tests_name("agent_latency", tests, NULL, NULL);
}
