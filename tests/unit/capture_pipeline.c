/*
 * capture_pipeline.c: the capture pipeline between a scripted log and a Kafka in memory: whatever ends a run, wherever,
 * the topics end up with exactly what an uninterrupted run puts there.
 *
 * A script is a random log (capture_pipeline_script.h). The reference is checked against the script by a second, simple
 * reckoning. Then the world ends after every single step of the run (a record produced, a report polled,
 * a confirmation, an item read), each partition keeping a random part of what was under way; the agent starts again,
 * and may be hit again; the source may have forgotten some of what was confirmed, as PostgreSQL may after a crash.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/resume.h"
#include "tests/fake/fake_agent.h"
#include "tests/fake/fake_kafka.h"
#include "tests/unit/capture_pipeline_script.h"

/* ---- the reference against the script, by another reckoning ---- */

static size_t count_lines(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void reference_has_what_the_script_says(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		char *text = script_uninterrupted(seed, 12), previous[TRANSACTION_ID_MAX] = "";
		size_t events = 0, tombstones = 0, transactions = 0, in_transaction = 0;

		for (size_t i = 0; i < script.count; i++) {
			const struct item *item = &script.items[i];
			bool keyed = item->kind == SOURCE_CHANGE && script_tables[item->table].key_count > 0;
			bool moves = keyed && item->op == CHANGE_UPDATE && item->old_key[0] != '\0';
			char line[400];

			if (item->kind == SOURCE_BEGIN)
				in_transaction = 0;
			if (item->kind == SOURCE_CHANGE) {
				in_transaction += moves ? 2 : 1;
				tombstones += keyed && (moves || item->op == CHANGE_DELETE);
				if (moves) {
					(void)snprintf(line, sizeof line, "| __debezium.newkey /%s\n", item->new_key);
					assert_non_null(strstr(text, line));
				}
			}
			if (item->kind != SOURCE_COMMIT || in_transaction == 0)
				continue;
			(void)snprintf(line, sizeof line, "%s | B %s | ", item->txn.id, item->txn.id);
			assert_non_null(strstr(text, line));
			(void)snprintf(line, sizeof line, "%s | F %s %zu previous=%s public.", item->txn.id,
				item->txn.id, in_transaction, previous);
			assert_non_null(strstr(text, line));
			memcpy(previous, item->txn.id, sizeof previous);
			events += in_transaction;
			transactions++;
		}
		assert_int_equal(count_lines(text, "| E "), events);
		assert_int_equal(count_lines(text, "| (none) |"), tombstones);
		assert_int_equal(count_lines(text, "| B "), transactions);
		assert_int_equal(count_lines(text, "| F "), transactions);
		free(text);
	}
}

/* ---- the property ---- */

/* PostgreSQL keeps what was confirmed at the next checkpoint only. */
static void source_may_forget(uint64_t kept)
{
	if (fake_random(3) == 0 && kept >= 1000)
		script.confirmed = kept;
}

static void interrupted(uint64_t seed, unsigned transactions, uint64_t steps, uint64_t again, const char *want)
{
	struct error err = ERROR_INIT;
	uint64_t kept = 0;
	char *have;

	fake_kafka_reset();
	script_make(seed, transactions);
	fake_kafka_seed(seed * 1000003 + steps);
	fake_kafka_trouble(5, 60);
	for (unsigned hit = 0; hit < 3; hit++) {
		fake_kafka_crash_after(hit == 0 ? steps : fake_random(again));
		if (script_run(&err) == 0)
			break;
		assert_int_equal(err.class, ERROR_RETRY);
		fake_kafka_recover();
		source_may_forget(kept);
		kept = script.confirmed;
	}
	fake_kafka_recover();
	if (script_run(&err) != 0)
		fail_msg("seed %" PRIu64 ", steps %" PRIu64 ": %s", seed, steps, err.text);
	have = script_contents();
	if (strcmp(have, want) != 0)
		fail_msg("seed %" PRIu64 ", steps %" PRIu64 ":\n---- want\n%s\n---- have\n%s", seed, steps, want, have);
	free(have);
}

static void end_the_world(void)
{
	const char *seeds = getenv("TAILRACE_TEST_SEEDS");
	uint64_t last = seeds != NULL ? strtoull(seeds, NULL, 10) : 12, runs = 0;

	for (uint64_t seed = 1; seed <= last; seed++) {
		unsigned transactions = 4 + (unsigned)(seed % 9);
		char *want;
		uint64_t total;

		script_settings.partitions = 1 + (int64_t)(seed % 4);
		script_settings.status_interval_us = seed % 2 == 0 ? 1000 : 20000;
		want = script_uninterrupted(seed, transactions);
		total = fake_steps();
		for (uint64_t steps = 0; steps < total; steps++, runs++)
			interrupted(seed, transactions, steps, total, want);
		free(want);
	}
	print_message("# %" PRIu64 " scripts, %" PRIu64 " ends of the world\n", last, runs);
}

static void every_end_of_the_world_leaves_the_same_topics(void **state)
{
	end_the_world();
}

/* The source has no slot and cannot tell where its log ends: as MySQL's. It wants to be told as soon as may be. */
static void every_end_of_the_world_with_a_numbered_log(void **state)
{
	script_numbered = true;
	script_settings.semi_sync = true;
	end_the_world();
	script_settings.semi_sync = false;
	script_numbered = false;
}

static void a_full_queue_and_late_reports_change_nothing(void **state)
{
	for (uint64_t seed = 100; seed < 120; seed++) {
		char *want = script_uninterrupted(seed, 20), *have;
		struct error err = ERROR_INIT;

		fake_kafka_reset();
		script_make(seed, 20);
		fake_kafka_trouble(70, 90);
		assert_int_equal(script_run(&err), 0);
		have = script_contents();
		assert_string_equal(have, want);
		free(have);
		free(want);
	}
}

/* ---- positions and stops ---- */

static void everything_is_confirmed_after_a_plain_stop(void **state)
{
	free(script_uninterrupted(7, 10));
	assert_true(script.confirmed >= script.items[script.count - 1].txn.end);
	assert_int_equal(fake_agent_figures()->lag_bytes, 0);
	assert_int_equal(fake_agent_figures()->lag_transactions, 0);
}

static void stops_as_gap(const char *word)
{
	struct error err = ERROR_INIT;

	assert_int_equal(script_run(&err), -1);
	assert_int_equal(err.class, ERROR_GAP);
	if (strstr(err.text, word) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", word, err.text);
}

static void a_slot_that_went_or_moved_is_a_gap(void **state)
{
	free(script_uninterrupted(7, 10));
	script.confirmed += 1000000;
	stops_as_gap("slot \"slot\" was moved");
	free(script_uninterrupted(7, 10));
	script.slot = false;
	stops_as_gap("does not exist");
	free(script_uninterrupted(7, 10));
	script.old_state = true;
	stops_as_gap("the log ends at");
}

/* What is said of a log that is counted has plain numbers and no slot. */
static void a_numbered_log_is_spelled_in_numbers(void **state)
{
	struct resume_point point = { .has_position = true, .position = { .log = "mysql:1:1", .confirmed = 20, .resume = "x" },
		.begin_commit = 30 };
	struct resume_log log = { "mysql:1:1", "", 21, UINT64_MAX };
	struct produce_known known;
	struct error err = ERROR_INIT;

	assert_int_equal(resume_compare(&point, &log, &known, &err), -1);
	assert_int_equal(err.class, ERROR_GAP);
	assert_string_equal(err.text, "the server gives its log from transaction 21 on, but Kafka has it only up to 20");
	log.confirmed = 20;
	assert_int_equal(resume_compare(&point, &log, &known, &err), 0);
	assert_true(known.durable == 20 && known.head == UINT64_MAX && known.begin_commit == 30);
	log.head = 29;
	assert_int_equal(resume_compare(&point, &log, &known, &err), -1);
	assert_string_equal(err.text, "the log ends at 29, but Kafka has it up to 31");
}

static void what_is_shown_is_in_the_sources_words(void **state)
{
	script_numbered = true;
	script_settings.slot_name = "";
	free(script_uninterrupted(7, 10));
	assert_string_equal(fake_agent_figures()->position_log, "mysql:1:1");
	assert_int_equal(fake_agent_figures()->position_commit[0], '@');
	assert_int_equal(fake_agent_figures()->lag_bytes, -1);
	script_settings.slot_name = "slot";
	script_numbered = false;
}

/* A source that was opened with a number and its place must not go on from a newer number. */
static void a_position_that_moved_meanwhile_is_noticed(void **state)
{
	struct resume_point before = { .has_position = true, .position = { .confirmed = 20, .epoch = 3, .resume = "x" } };
	struct resume_point after = before, none = { .position.resume = "" };

	assert_false(resume_moved(&none, &none));
	assert_false(resume_moved(&before, &after));
	assert_true(resume_moved(&none, &after));
	after.position.epoch = 4;
	assert_true(resume_moved(&before, &after));
	after.position.epoch = 3;
	after.position.confirmed = 21;
	assert_true(resume_moved(&before, &after));
	after.position.resume = ""; /* the number says all */
	assert_false(resume_moved(&before, &after));
}

static void another_transaction_in_the_place_of_the_last_is_a_gap(void **state)
{
	free(script_uninterrupted(7, 10));
	/* The last record of a position is lost to us: only the marks say what there was. */
	fake_kafka_truncate("t.position", 0, 1);
	script.confirmed = 1000;
	for (size_t i = script.count; i > 0; i--)
		if (script.items[i - 1].kind == SOURCE_BEGIN || script.items[i - 1].kind == SOURCE_COMMIT)
			script.items[i - 1].txn.id[0] = '9';
	stops_as_gap("where Kafka has transaction 7");
}

static void another_history_of_the_same_name_is_a_gap(void **state)
{
	free(script_uninterrupted(7, 10));
	/* files of an older state were put back, and the log has grown past the old end */
	script.confirmed = 1000;
	for (size_t i = script.count; i > 0; i--)
		if (script.items[i - 1].kind == SOURCE_BEGIN || script.items[i - 1].kind == SOURCE_COMMIT)
			script.items[i - 1].txn.id[0] = '9';
	stops_as_gap("where Kafka's last recorded transaction");
}

/* An agent that was paused while another took over wakes, and all it had queued lands behind the other's records. */
static void old_records_that_come_late_are_no_gap(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct error err = ERROR_INIT;
		size_t records = 0;

		script_settings.partitions = 1 + (int64_t)(seed % 3);
		free(script_uninterrupted(seed, 10));
		for (size_t t = 0; fake_kafka_topic_name(t) != NULL; t++)
			for (int p = 0; p < fake_kafka_partitions(fake_kafka_topic_name(t)); p++) {
				struct fake_partition *partition = fake_kafka_partition(fake_kafka_topic_name(t), p);

				/* two positions, of everything else the older half */
				fake_kafka_repeat(fake_kafka_topic_name(t), p,
					strcmp(fake_kafka_topic_name(t), "t.position") == 0 ? 2
											: partition->count / 2);
				records += partition->count;
			}
		if (script_run(&err) != 0)
			fail_msg("seed %" PRIu64 ": %s", seed, err.text);
		/* nothing was sent again: but positions and heartbeats */
		for (size_t t = 0; fake_kafka_topic_name(t) != NULL; t++)
			for (int p = 0; p < fake_kafka_partitions(fake_kafka_topic_name(t)); p++) {
				const char *name = fake_kafka_topic_name(t);

				if (strcmp(name, "t.position") != 0 && strcmp(name, "t.heartbeat") != 0)
					records -= fake_kafka_partition(name, p)->count;
			}
		assert_true(records <= fake_kafka_partition("t.position", 0)->count +
				fake_kafka_partition("t.heartbeat", 0)->count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_has_what_the_script_says),
		cmocka_unit_test(every_end_of_the_world_leaves_the_same_topics),
		cmocka_unit_test(every_end_of_the_world_with_a_numbered_log),
		cmocka_unit_test(a_full_queue_and_late_reports_change_nothing),
		cmocka_unit_test(everything_is_confirmed_after_a_plain_stop),
		cmocka_unit_test(a_slot_that_went_or_moved_is_a_gap),
		cmocka_unit_test(a_numbered_log_is_spelled_in_numbers),
		cmocka_unit_test(what_is_shown_is_in_the_sources_words),
		cmocka_unit_test(a_position_that_moved_meanwhile_is_noticed),
		cmocka_unit_test(another_transaction_in_the_place_of_the_last_is_a_gap),
		cmocka_unit_test(another_history_of_the_same_name_is_a_gap),
		cmocka_unit_test(old_records_that_come_late_are_no_gap),
	};

	return cmocka_run_group_tests_name("capture_pipeline", tests, script_set_up, script_tear_down);
}
