/*
 * capture_produce_window.c: what is in Kafka behind the position record must come out of the log again, in the same
 * places: another server that tells it in another order, with more, with less or otherwise, is a named stop.
 *
 * First the list alone; then whole runs: a log is read to its end, the position records are lost but for the first,
 * the script is changed as if another server told it, and it is read again.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/produce_window.h"
#include "capture/resume.h"
#include "tests/fake/fake_kafka.h"
#include "tests/unit/capture_pipeline_script.h"

/* ---- the list ---- */

static struct window window;
static struct error err;

static struct transaction transaction(unsigned xid, uint64_t commit)
{
	struct transaction txn = { .commit = commit };

	(void)snprintf(txn.id, sizeof txn.id, "%u:%" PRIu64, xid, commit);
	return txn;
}

static int add(unsigned xid, uint64_t commit, uint64_t events)
{
	const struct mark_count count = { "public.a", events };
	struct transaction txn = transaction(xid, commit);
	struct mark mark = { .end = events > 0, .id = txn.id, .commit = commit, .events = events, .counts = &count,
		.count = events > 0 ? 1 : 0 };

	return window_add(&window, &mark, &err);
}

static void make_window(void)
{
	error_clear(&err);
	window_release(&window);
	window_init(&window, 10);
	for (uint64_t commit = 8; commit <= 14; commit += 2) { /* 8 is covered by the position record */
		assert_int_equal(add((unsigned)commit, commit, 0), 0);
		if (commit < 14)
			assert_int_equal(add((unsigned)commit, commit, 3), 0);
	}
	assert_int_equal(window.count, 3);
}

/* events 0: it has none of ours. */
static int give_to(unsigned xid, uint64_t commit, uint64_t events, const char *collection)
{
	struct transaction txn = transaction(xid, commit);

	if (window_begin(&window, &txn, &err) < 0)
		return -1;
	if (events > 0 && window_met(&window, &txn, &err) < 0)
		return -1;
	for (uint64_t index = 1; index <= events; index++)
		if (window_event(&window, index, &err) < 0)
			return -1;
	return window_commit(&window, &txn, events, window_tables(0, collection, events), &err);
}

static int give(unsigned xid, uint64_t commit, uint64_t events)
{
	return give_to(xid, commit, events, "public.a");
}

static void is_gap(int result, const char *text)
{
	assert_int_equal(result, -1);
	assert_int_equal(err.class, ERROR_GAP);
	assert_string_equal(err.text, text);
	assert_true(err.hint[0] != '\0');
}

static void the_same_log_passes(void **state)
{
	make_window();
	assert_int_equal(give(8, 8, 3), 0);
	assert_int_equal(give(9, 9, 0), 0);
	assert_int_equal(give(10, 10, 3), 0);
	assert_int_equal(window_progress(&window, 11, &err), 0);
	assert_int_equal(give(11, 11, 0), 0);
	assert_int_equal(give(12, 12, 3), 0);
	assert_int_equal(window_progress(&window, 14, &err), 0);
	assert_int_equal(give(14, 14, 7), 0); /* it had no END: nobody knows how many there will be */
	assert_null(window.entries);
	assert_int_equal(give(15, 15, 1), 0);
	assert_int_equal(window_progress(&window, 99, &err), 0);
}

static void another_order_is_a_gap(void **state)
{
	make_window();
	is_gap(give(12, 10, 3), "the log has transaction 12:10 where Kafka has transaction 10:10");
	/* though it has nothing for us: there cannot be two of this number */
	is_gap(give(12, 10, 0), "the log has transaction 12:10 where Kafka has transaction 10:10");
}

static void one_that_is_missing_is_a_gap(void **state)
{
	make_window();
	is_gap(give(12, 12, 3), "the log has transaction 12:12 where Kafka has transaction 10:10");
	is_gap(give(10, 10, 0), "the log has transaction 10:10 without an event, but Kafka has it");
	is_gap(window_progress(&window, 11, &err), "the log has nothing where Kafka has transaction 10:10");
}

static void one_more_is_a_gap(void **state)
{
	make_window();
	assert_int_equal(give(10, 10, 3), 0);
	is_gap(give(11, 11, 1), "the log has transaction 11:11, which Kafka has not, before Kafka's transaction 12:12");
}

static void other_counts_are_a_gap(void **state)
{
	make_window();
	is_gap(give(10, 10, 2), "the log has 2 events of transaction 10:10, of which Kafka has 3");
	make_window();
	is_gap(give(10, 10, 4), "the log has more than the 3 events that Kafka's transaction 10:10 ends with");
	make_window();
	is_gap(give_to(10, 10, 3, "public.b"), "the log has the 3 events of transaction 10:10 in other tables than Kafka");
	assert_int_equal(window_tables(window_tables(0, "a", 1), "b", 2), window_tables(window_tables(0, "b", 2), "a", 1));
	assert_int_not_equal(
		window_tables(window_tables(0, "a", 1), "b", 2), window_tables(window_tables(0, "b", 1), "a", 2));
}

static void copies_and_late_ones_are_taken(void **state)
{
	make_window();
	assert_int_equal(add(8, 8, 0), 0);
	assert_int_equal(add(10, 10, 3), 0);
	assert_int_equal(add(11, 11, 0), 0);
	assert_int_equal(add(14, 14, 0), 0);
	assert_int_equal(window.count, 4);
	assert_int_equal(give(10, 10, 3), 0);
	assert_int_equal(give(11, 11, 1), 0);
	assert_int_equal(give(12, 12, 3), 0);
	assert_int_equal(give(14, 14, 1), 0);
	assert_null(window.entries);
}

static void a_topic_that_contradicts_itself_is_a_gap(void **state)
{
	make_window();
	is_gap(add(99, 12, 0), "the transaction topic has both transaction 12:12 and transaction 99:12 in one place");
	is_gap(add(12, 12, 4), "the transaction topic has two ends of transaction 12:12, with different counts");
}

static void what_was_removed_is_not_asked_for(void **state)
{
	make_window();
	window_cut(&window);
	assert_int_equal(give(9, 9, 3), 0); /* it was there once, or not: nobody knows */
	assert_int_equal(give(10, 10, 3), 0);
	is_gap(give(11, 11, 1), "the log has transaction 11:11, which Kafka has not, before Kafka's transaction 12:12");
	window_release(&window);
	window_init(&window, 10);
	window_cut(&window);
	assert_int_equal(give(10, 10, 3), 0);
}

static void the_newest_are_kept(void **state)
{
	window_release(&window);
	window_init(&window, 1);
	for (uint64_t commit = 1; commit <= WINDOW_MAX + 1; commit++)
		assert_int_equal(add(7, commit, 1), 0);
	assert_int_equal(window.count, WINDOW_MAX / 2 + 1);
	assert_int_equal(window.from, WINDOW_MAX / 2 + 1);
	assert_int_equal(add(7, 5, 1), 0);
	assert_int_equal(give(5, 5, 9), 0);
	is_gap(give(8, WINDOW_MAX / 2 + 1, 1), "the log has transaction 8:8193 where Kafka has transaction 7:8193");
	window_release(&window);
}

/* ---- whole runs ---- */

#define SEEDS 30

/* The transactions of the script that have events: their BEGIN items. */
static size_t find(struct item *found[], size_t room, bool empty)
{
	size_t count = 0;

	for (size_t i = 0; i + 1 < script.count && count < room; i++)
		if (script.items[i].kind == SOURCE_BEGIN && (script.items[i + 1].kind == SOURCE_COMMIT) == empty)
			found[count++] = &script.items[i];
	return count;
}

/* All but the first position record is lost, and the last `marks` BEGINs and ENDs too. */
static void open_window(uint64_t seed, size_t marks)
{
	script_settings.partitions = 1 + (int64_t)(seed % 3);
	free(script_uninterrupted(seed, 16));
	fake_kafka_truncate("t.position", 0, 1);
	fake_kafka_truncate("t.transaction", 0, fake_kafka_partition("t.transaction", 0)->count - marks);
	script.confirmed = 1000;
}

static void runs_on(uint64_t seed, const char *want)
{
	char *have;

	error_clear(&err);
	if (script_run(&err) != 0)
		fail_msg("seed %" PRIu64 ": %s", seed, err.text);
	have = script_contents();
	assert_string_equal(have, want);
	free(have);
}

static void stops(uint64_t seed, const char *word)
{
	char *before = script_contents(), *after;

	error_clear(&err);
	if (script_run(&err) == 0)
		fail_msg("seed %" PRIu64 ": it went on", seed);
	assert_int_equal(err.class, ERROR_GAP);
	if (strstr(err.text, word) == NULL)
		fail_msg("seed %" PRIu64 ": \"%s\" is not in \"%s\"", seed, word, err.text);
	/* whoever is asked to undo it must be able to: nothing was put behind what is there */
	after = script_contents();
	assert_string_equal(after, before);
	free(before);
	free(after);
}

/* The next run finds the log as it was. */
static void name(struct item *begin, unsigned xid)
{
	struct item *commit = begin;

	while (commit->kind != SOURCE_COMMIT)
		commit++;
	(void)snprintf(begin->txn.id, sizeof begin->txn.id, "%u:%" PRIu64, xid, begin->txn.commit);
	memcpy(commit->txn.id, begin->txn.id, sizeof commit->txn.id);
}

static void the_same_log_is_read_again(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		for (size_t marks = 0; marks < 8; marks++) {
			char *want = (script_settings.partitions = 1 + (int64_t)(seed % 3), script_uninterrupted(seed, 16));

			open_window(seed, marks);
			runs_on(seed, want);
			free(want);
		}
}

static void two_in_each_others_place(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct item *found[16];
		size_t count, one;
		uint64_t xids[2];

		open_window(seed, 0);
		count = find(found, 16, false);
		one = fake_random(count - 2); /* the last one keeps its place */
		xids[0] = found[one]->txn.xid;
		xids[1] = found[one + 1]->txn.xid;
		name(found[one], (unsigned)xids[1]);
		name(found[one + 1], (unsigned)xids[0]);
		stops(seed, "where Kafka has transaction 7");
		/* led back to the server before */
		name(found[one], (unsigned)xids[0]);
		name(found[one + 1], (unsigned)xids[1]);
		assert_int_equal(script_run(&err), 0);
	}
}

/* Their BEGINs were not in Kafka yet, some of their events were. */
static void two_behind_the_last_begin(void **state)
{
	unsigned stopped = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct item *found[16];
		size_t count;
		uint64_t xids[2];

		open_window(seed, 8);
		count = find(found, 16, false);
		xids[0] = found[count - 3]->txn.xid;
		xids[1] = found[count - 2]->txn.xid;
		name(found[count - 3], (unsigned)xids[1]);
		name(found[count - 2], (unsigned)xids[0]);
		error_clear(&err);
		assert_int_equal(script_run(&err), -1);
		assert_int_equal(err.class, ERROR_GAP);
		assert_non_null(strstr(err.text, "does not give that and what is before it again there"));
		stopped++;
	}
	assert_int_equal(stopped, SEEDS);
}

static struct item *first_change(struct item *begin)
{
	return begin + 1;
}

static void other_contents(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct item *found[16], *change, kept;
		size_t count;

		/* without its only events: they are another list's */
		open_window(seed, 0);
		count = find(found, 16, false);
		for (change = first_change(found[count / 2]); change->kind == SOURCE_CHANGE; change++)
			change->kind = SOURCE_NOTHING;
		stops(seed, "without an event, but Kafka has it");
		/* one less */
		open_window(seed, 0);
		find(found, 16, false);
		change = first_change(found[count / 2]);
		kept = *change;
		change->kind = SOURCE_NOTHING;
		error_clear(&err);
		assert_int_equal(script_run(&err), -1);
		assert_int_equal(err.class, ERROR_GAP);
		/* in another table */
		*change = kept;
		open_window(seed, 0);
		change->table = kept.table == 2 ? 1 : 2;
		error_clear(&err);
		assert_int_equal(script_run(&err), -1);
		assert_int_equal(err.class, ERROR_GAP);
	}
}

/* An empty one has got an event: before the check it was left out as one that is there, and lost. */
static void one_more_event(void **state)
{
	unsigned stopped = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct item *found[16], *with[16];
		size_t count, room;

		open_window(seed, 0);
		count = find(found, 16, true);
		room = find(with, 16, false);
		if (count == 0 || found[0] > with[room - 1])
			continue;
		assert_true(script.count + 1 < ITEMS_MAX);
		memmove(found[0] + 2, found[0] + 1, (size_t)(script.items + script.count - found[0] - 1) * sizeof *found[0]);
		script.count++;
		memset(found[0] + 1, 0, sizeof *found[0]);
		found[0][1].kind = SOURCE_CHANGE;
		found[0][1].op = CHANGE_INSERT;
		(void)snprintf(found[0][1].new_key, TEXT_MAX, "new");
		stops(seed, "which Kafka has not, before Kafka's transaction 7");
		stopped++;
	}
	assert_true(stopped > SEEDS / 2);
}

/* The log was read beyond the place, and nothing came. */
static void the_last_ones_do_not_come(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct item *found[16];
		size_t count;

		open_window(seed, 0);
		count = find(found, 16, false);
		script.count = (size_t)(found[count - 2] - script.items);
		script_add(SOURCE_PROGRESS)->lsn = script.head;
		stops(seed, "the log has nothing where Kafka has transaction 7");
	}
}

static void late_copies_do_not_hide_it(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct item *found[16];
		size_t count;
		char *want;

		open_window(seed, seed % 2); /* the last END may lack */
		fake_kafka_repeat("t.transaction", 0, 8);
		want = script_contents();
		if (seed % 2 == 0) {
			runs_on(seed, want);
		} else {
			count = find(found, 16, false);
			name(found[count / 2], 999);
			stops(seed, "the log has transaction 999:");
		}
		free(want);
	}
}

static void the_topic_has_two_in_one_place(void **state)
{
	char other[64];
	struct item *found[16];

	open_window(1, 0);
	find(found, 16, false);
	(void)snprintf(other, sizeof other, "B 999:%" PRIu64, found[1]->txn.commit);
	fake_kafka_put("t.transaction", 1, 0, "999", other);
	stops(1, "in one place");
}

/* ---- wherever the world ends ---- */

/* The slots of the log keep their numbers; these two transactions of it change their places. */
static void swap(size_t one, size_t other)
{
	struct item *old = malloc(script.count * sizeof *old);
	size_t begins[ITEMS_MAX / 1024], count = 0, n = 0, total = script.count;

	assert_non_null(old);
	memcpy(old, script.items, total * sizeof *old);
	for (size_t i = 0; i < total; i++)
		if (old[i].kind == SOURCE_BEGIN)
			begins[count++] = i;
	script.count = 0;
	for (size_t i = 0; i < total; n++) {
		size_t from = i;

		if (old[i].kind != SOURCE_BEGIN) {
			*script_add(old[i].kind) = old[i];
			i++;
			n--;
			continue;
		}
		while (old[i++].kind != SOURCE_COMMIT)
			;
		from = begins[n == one ? other : n == other ? one : n];
		do {
			struct item *made = script_add(old[from].kind);

			*made = old[from];
			if (made->kind != SOURCE_CHANGE) {
				made->txn = made->kind == SOURCE_BEGIN ? old[begins[n]].txn : old[i - 1].txn;
				made->txn.xid = old[from].txn.xid;
				(void)snprintf(made->txn.id, sizeof made->txn.id, "%" PRIu64 ":%" PRIu64, made->txn.xid,
					made->txn.commit);
			}
		} while (old[from++].kind != SOURCE_COMMIT);
	}
	assert_int_equal(script.count, total);
	free(old);
}

static char *uninterrupted_swapped(uint64_t seed, unsigned transactions, size_t one, size_t other)
{
	fake_kafka_reset();
	script_make(seed, transactions);
	if (one != other)
		swap(one, other);
	error_clear(&err);
	assert_int_equal(script_run(&err), 0);
	return script_contents();
}

/* The number of the first transaction that the position record in Kafka does not cover. */
static size_t first_unrecorded(void)
{
	const struct fake_partition *positions = fake_kafka_partition("t.position", 0);
	uint64_t confirmed = 0;
	size_t n = 0;

	for (size_t i = 0; positions != NULL && i < positions->durable; i++)
		assert_int_equal(sscanf(positions->records[i].value, "P %*s %*s %*u %" SCNu64, &confirmed), 1);
	for (size_t i = 0; i < script.count; i++)
		n += script.items[i].kind == SOURCE_BEGIN && script.items[i].txn.commit < confirmed;
	return n;
}

/* A server never gives again what the record covers: so these two cannot change places. */
static bool splits(size_t one, size_t other)
{
	size_t first = first_unrecorded();

	return first > one && first <= other;
}

/* Events also say which transaction was before theirs, for people: that may be one that came to stand between. */
static char *without_previous(char *text)
{
	char *to = text;

	for (char *line = text, *next; *line != '\0'; line = next) {
		size_t len = strcspn(line, "\n");
		const char *cut = memmem(line, len, " | E ", 5) != NULL ? memmem(line, len, " previous=", 10) : NULL;
		size_t kept = cut != NULL ? (size_t)(cut - line) : len;

		next = line + len + (line[len] == '\n');
		memmove(to, line, kept);
		to += kept;
		*to++ = '\n'; /* in its own line's place, or in that of what was cut */
	}
	*to = '\0';
	return text;
}

struct tally {
	unsigned stopped, went_on, unseen;
	unsigned mended; /* after a stop the first server's log went on */
};

/* It may not go on, where the second's events are in Kafka by then: but it goes on right, or not at all. */
static void led_back(size_t one, size_t other, const char *first, struct tally *tally)
{
	char *have;

	if (splits(one, other))
		return;
	swap(one, other);
	error_clear(&err);
	if (script_run(&err) < 0) {
		assert_int_equal(err.class, ERROR_GAP);
		return;
	}
	have = without_previous(script_contents());
	assert_string_equal(have, first);
	free(have);
	tally->mended++;
}

/*
 * One server's log until the world ends, then another's, in which two transactions have each other's places: a stop, or
 * the topics are as if one of the two servers had told it all.
 */
static void other_server(uint64_t seed, unsigned transactions, uint64_t steps, struct tally *tally)
{
	size_t one = (size_t)(fake_random(transactions - 1)), other = one + 1 + (size_t)fake_random(transactions - one - 1);
	char *first = without_previous(uninterrupted_swapped(seed, transactions, 0, 0));
	char *second = without_previous(uninterrupted_swapped(seed, transactions, one, other)), *have;

	fake_kafka_reset();
	script_make(seed, transactions);
	fake_kafka_seed(seed * 1000003 + steps);
	fake_kafka_trouble(5, 60);
	fake_kafka_crash_after(steps);
	error_clear(&err);
	(void)script_run(&err);
	fake_kafka_recover();
	if (!splits(one, other))
		swap(one, other);
	error_clear(&err);
	if (script_run(&err) < 0) {
		if (err.class != ERROR_GAP)
			fail_msg("seed %" PRIu64 ", steps %" PRIu64 ": %s", seed, steps, err.text);
		tally->stopped++;
		led_back(one, other, first, tally);
	} else {
		have = without_previous(script_contents());
		if (strcmp(have, second) == 0)
			tally->went_on++;
		else if (strcmp(have, first) == 0)
			tally->unseen++;
		else
			fail_msg("seed %" PRIu64 ", steps %" PRIu64 ", %zu for %zu:\n%s", seed, steps, one, other, have);
		free(have);
	}
	free(first);
	free(second);
}

static void every_other_order_is_noticed(void **state)
{
	const char *seeds = getenv("TAILRACE_TEST_SEEDS");
	uint64_t last = seeds != NULL ? strtoull(seeds, NULL, 10) : 12;
	struct tally tally = { 0, 0, 0, 0 };

	for (uint64_t seed = 1; seed <= last; seed++) {
		unsigned transactions = 4 + (unsigned)(seed % 9);
		uint64_t total;

		script_numbered = seed % 2 == 0;
		script_settings.partitions = 1 + (int64_t)(seed % 4);
		script_settings.status_interval_us = seed % 3 == 0 ? 1000 : 20000;
		free(script_uninterrupted(seed, transactions));
		total = fake_steps();
		for (uint64_t steps = 0; steps < total; steps++)
			other_server(seed, transactions, steps, &tally);
	}
	script_numbered = false;
	script_settings.status_interval_us = 3000;
	print_message("# %u stops (%u mended), %u times as the second tells it, %u as the first did\n", tally.stopped,
		tally.mended, tally.went_on, tally.unseen);
	assert_true(tally.stopped > 100 && tally.went_on > 100 && tally.unseen > 100 && tally.mended > 100);
}

/* ---- how many there may be ---- */

static void no_more_than_can_be_compared(void **state)
{
	const struct fake_partition *positions;
	const size_t transactions = 40000;
	struct error error = ERROR_INIT;
	uint64_t confirmed = 0, before = 1000;

	fake_kafka_reset();
	script_make(1, 0);
	for (size_t n = 0; n < transactions; n++) {
		struct transaction txn = { .commit = script.head, .end = script.head + 1, .xid = n };

		(void)snprintf(txn.id, sizeof txn.id, "%zu:%" PRIu64, n, script.head++);
		script_add(SOURCE_BEGIN)->txn = txn;
		script_add(SOURCE_CHANGE)->op = CHANGE_INSERT;
		script_add(SOURCE_COMMIT)->txn = txn;
	}
	script_settings.status_interval_us = INT64_C(60000000000);
	assert_int_equal(script_run(&error), 0);
	script_settings.status_interval_us = 3000;
	positions = fake_kafka_partition("t.position", 0);
	for (size_t i = 0; i < positions->durable; i++) {
		assert_int_equal(sscanf(positions->records[i].value, "P %*s %*s %*u %" SCNu64, &confirmed), 1);
		assert_true(confirmed - before <= WINDOW_MAX);
		before = confirmed;
	}
	assert_int_equal(confirmed, 1000 + transactions);
	assert_in_range(positions->durable, 4, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_log_passes),
		cmocka_unit_test(another_order_is_a_gap),
		cmocka_unit_test(one_that_is_missing_is_a_gap),
		cmocka_unit_test(one_more_is_a_gap),
		cmocka_unit_test(other_counts_are_a_gap),
		cmocka_unit_test(copies_and_late_ones_are_taken),
		cmocka_unit_test(a_topic_that_contradicts_itself_is_a_gap),
		cmocka_unit_test(what_was_removed_is_not_asked_for),
		cmocka_unit_test(the_newest_are_kept),
		cmocka_unit_test(the_same_log_is_read_again),
		cmocka_unit_test(two_in_each_others_place),
		cmocka_unit_test(two_behind_the_last_begin),
		cmocka_unit_test(other_contents),
		cmocka_unit_test(one_more_event),
		cmocka_unit_test(the_last_ones_do_not_come),
		cmocka_unit_test(late_copies_do_not_hide_it),
		cmocka_unit_test(the_topic_has_two_in_one_place),
		cmocka_unit_test(every_other_order_is_noticed),
		cmocka_unit_test(no_more_than_can_be_compared),
	};

	return cmocka_run_group_tests_name("capture_produce_window", tests, script_set_up, script_tear_down);
}
