/*
 * apply_pipeline.c: unit tests of apply/group (when the target commits, what is measured) and of apply/sink_null.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apply/group.h"
#include "lib/base/clock.h"

/* ---- a clock that stands still, and a sink that notes its calls ---- */
static int64_t wall, monotonic;

static int64_t test_wall(void)
{
	return wall;
}

static int64_t test_monotonic(void)
{
	return monotonic;
}

static void test_sleep(int64_t us)
{
	monotonic += us;
}

static const struct clock_ops test_clock = { test_wall, test_monotonic, test_sleep };

struct sink {
	char calls[64]; /* b begin, w write, c commit, a abort */
	size_t queued;
	bool fail_commit;
};

static void note(struct sink *snk, char call)
{
	size_t len = strlen(snk->calls);

	assert_true(len + 1 < sizeof snk->calls);
	snk->calls[len] = call;
	snk->calls[len + 1] = '\0';
}

static int test_begin(struct sink *snk, struct error *err)
{
	note(snk, 'b');
	return 0;
}

static int test_write(struct sink *snk, void *handle, const struct change *chg, const struct value *old_key,
	const struct transaction *txn, struct error *err)
{
	note(snk, 'w');
	return 0;
}

static int test_commit(struct sink *snk, const struct sink_position *position, struct error *err)
{
	note(snk, 'c');
	return snk->fail_commit ? error_set(err, ERROR_RETRY, "deadlock") : 0;
}

static void test_abort(struct sink *snk)
{
	note(snk, 'a');
}

static size_t test_queued(const struct sink *snk)
{
	return snk->queued;
}

static const struct sink_ops test_ops = { .name = "test", .begin = test_begin, .write = test_write,
	.commit = test_commit,
	.abort = test_abort, .queued = test_queued };

static const struct sink_position position = { .found = true, .commit = 1 };
static int64_t latencies[8];
static size_t latency_count;

static void note_latency(int64_t us)
{
	assert_true(latency_count < 8);
	latencies[latency_count++] = us;
}

static void group_new(struct group *group, struct sink *snk)
{
	memset(snk, 0, sizeof *snk);
	clock_set(&test_clock);
	latency_count = 0;
	assert_int_equal(group_init(group, &test_ops, snk, 3, 1000, 50000, NULL), 0);
}

static void one_transaction(struct group *group, uint64_t events, int64_t source_us)
{
	struct transaction txn = { .commit_us = source_us };
	struct change chg = { .op = CHANGE_INSERT };

	assert_int_equal(group_begin(group, events, NULL), 0);
	for (uint64_t i = 0; i < events; i++)
		assert_int_equal(group_write(group, NULL, &chg, NULL, &txn, NULL), 0);
	assert_int_equal(group_end(group, &txn, NULL), 0);
}

/* ---- tests ---- */
static void transactions_share_a_commit_and_each_has_its_latency(void **state)
{
	struct group group;
	struct sink snk;

	group_new(&group, &snk);
	one_transaction(&group, 2, 1000);
	one_transaction(&group, 1, 1500);
	assert_false(group_is_full(&group));
	wall = 5000;
	assert_int_equal(group_commit(&group, &position, note_latency, NULL), 0);
	assert_string_equal(snk.calls, "bwwwc");
	assert_int_equal(latency_count, 2);
	assert_int_equal(latencies[0], 4000);
	assert_int_equal(latencies[1], 3500);
	assert_false(group.open);
	assert_false(group.dirty);
	group_release(&group);
}

static void a_group_is_full_by_count_bytes_or_age(void **state)
{
	struct group group;
	struct sink snk;

	group_new(&group, &snk);
	one_transaction(&group, 1, 0);
	one_transaction(&group, 1, 0);
	assert_false(group_is_full(&group));
	snk.queued = 1000;
	assert_true(group_is_full(&group));
	snk.queued = 0;
	monotonic += 50000;
	assert_true(group_is_full(&group));
	monotonic -= 1;
	assert_false(group_is_full(&group));
	one_transaction(&group, 1, 0);
	assert_true(group_is_full(&group));
	group_abort(&group);
	group_release(&group);
}

static void transactions_without_rows_leave_the_target_alone(void **state)
{
	struct group group;
	struct sink snk;

	group_new(&group, &snk);
	for (int i = 0; i < 10; i++)
		one_transaction(&group, 0, 0);
	assert_string_equal(snk.calls, "");
	assert_true(group.dirty);
	assert_true(group.passed == 10);
	assert_false(group_is_full(&group));
	assert_int_equal(group_commit(&group, &position, note_latency, NULL), 0);
	assert_string_equal(snk.calls, "bc");
	assert_int_equal(latency_count, 0);
	group_release(&group);
}

static void a_commit_inside_a_transaction_is_refused(void **state)
{
	struct group group;
	struct sink snk;
	struct error err = ERROR_INIT;

	group_new(&group, &snk);
	assert_int_equal(group_begin(&group, 1, NULL), 0);
	assert_int_equal(group_commit(&group, &position, note_latency, &err), -1);
	assert_int_equal(err.class, ERROR_BUG);
	assert_string_equal(snk.calls, "ba");
	group_release(&group);
}

static void a_commit_that_fails_empties_the_group(void **state)
{
	struct group group;
	struct sink snk;
	struct error err = ERROR_INIT;

	group_new(&group, &snk);
	snk.fail_commit = true;
	one_transaction(&group, 1, 0);
	assert_int_equal(group_commit(&group, &position, note_latency, &err), -1);
	assert_string_equal(err.text, "deadlock");
	assert_string_equal(snk.calls, "bwca");
	assert_int_equal(latency_count, 0);
	assert_true(group.passed == 0);
	group_release(&group);
}

static void the_null_sink_keeps_its_position(void **state)
{
	struct sink_options options = { .name = "test" };
	struct sink_position pos, written = { .found = true, .log = "log", .transaction_id = "1:8", .commit = 8 };
	char offsets[] = "crm.transaction 0 2\n";
	struct sink *snk;
	struct error err = ERROR_INIT;

	assert_int_equal(sink_null.open(&options, &snk, &pos, &err), 0);
	assert_false(pos.found);
	assert_null(pos.offsets);
	written.epoch = pos.epoch;
	written.offsets = offsets;
	assert_int_equal(sink_null.begin(snk, &err), 0);
	assert_int_equal(sink_null.commit(snk, &written, &err), 0);
	written.offsets = NULL; /* keeps those it has */
	written.commit = 9;
	assert_int_equal(sink_null.commit(snk, &written, &err), 0);
	sink_null.close(snk);
	assert_int_equal(sink_null.open(&options, &snk, &pos, &err), 0);
	assert_true(pos.found);
	assert_true(pos.commit == 9);
	assert_true(pos.epoch == written.epoch + 1);
	assert_string_equal(pos.offsets, offsets);
	free(pos.offsets);
	sink_null.close(snk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transactions_share_a_commit_and_each_has_its_latency),
		cmocka_unit_test(a_group_is_full_by_count_bytes_or_age),
		cmocka_unit_test(transactions_without_rows_leave_the_target_alone),
		cmocka_unit_test(a_commit_inside_a_transaction_is_refused),
		cmocka_unit_test(a_commit_that_fails_empties_the_group),
		cmocka_unit_test(the_null_sink_keeps_its_position),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
