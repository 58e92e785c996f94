/*
 * apply_order_rules.c: apply/order by its rules: the exact texts of each refusal, what is dropped as known, and the start.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apply/order.h"
#include "apply/order_known.h"
#include "tests/unit/apply_order_world.h"

static void a_hole_names_both_sides(void **state)
{
	struct world world;

	world_init_small(&world);
	(void)world_cut(&world.partitions[1], 0);
	reader_run_to_gap(&world,
		"event number 1 of public.customer in transaction 128:1024 is missing: every partition has gone on, "
			   "for example to crm.public.customer[0] offset 0: event 2 of transaction 128:1024");
	world_release(&world);
	world_init_small(&world);
	(void)world_cut(&world.partitions[1], 1);
	reader_run_to_gap(&world,
		"event number 2 of public.customer in transaction 128:1024 is missing: every partition has gone on, "
			   "for example to crm.public.customer[0] offset 1: event 1 of transaction 129:1032");
	world_release(&world);
}

static void a_broken_chain_names_both_sides(void **state)
{
	struct world world;

	world_init_small(&world);
	(void)snprintf(world.partitions[0].records[3].previous, TRANSACTION_ID_MAX, "127:1016");
	reader_run_to_gap(&world,
		"crm.transaction[0] offset 3: the chain is broken: transaction 129:1032 follows on \"127:1016\", "
			   "the last one applied is 128:1024");
	world_release(&world);
}

static void another_log_is_refused(void **state)
{
	struct world world;

	world_init_small(&world);
	(void)snprintf(world.partitions[0].records[3].log, POSITION_LOG_MAX, "postgresql:7300000000000000001:2:crm");
	reader_run_to_gap(&world,
		"crm.transaction[0] offset 3: END of transaction 129:1032 is of log "
		"\"postgresql:7300000000000000001:2:crm\", "
			   "applied so far was log \"" LOG "\"");
	world_release(&world);
}

/* A capture agent that was taken for dead may be the one whose END comes first. What it says is the same. */
static void an_epoch_that_goes_back_in_the_chain_is_taken(void **state)
{
	struct world world;
	struct reader reader;

	world_init_small(&world);
	world.partitions[0].records[1].head.mark.epoch = 7;
	reader_init(&reader, &world);
	world_arrive_all(&world);
	reader_run_to_end(&reader);
	assert_true(order_position(reader.order)->epoch == 7);
	order_free(reader.order);
	world_release(&world);
}

/* Partitions were added, and the missing event is in one of them: not a gap, but a reason to read anew. */
static void new_partitions_are_asked_for_before_a_gap_is_named(void **state)
{
	struct world world;
	struct reader reader;
	struct error err = ERROR_INIT;

	world_init_small(&world);
	(void)world_cut(&world.partitions[1], 1);
	world.new_partitions = 1;
	reader_init(&reader, &world);
	world_arrive_all(&world);
	assert_int_equal(reader_run(&reader, SIZE_MAX, &err), -1);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_string_equal(err.text, "public.customer has new partitions");
	order_free(reader.order);
	world_release(&world);
}

/*
 * Capture was killed, the topic got partitions, and the new capture wrote events again: a key's events go to another
 * partition now, whose tail does not show them.
 */
static void events_repeated_in_another_partition_are_dropped(void **state)
{
	static const struct {
		size_t from, to; /* record of the partition, and the place among the other's */
	} repeats[] = { { 0, 0 }, { 1, 0 }, { 1, 1 } };

	for (size_t i = 0; i < sizeof repeats / sizeof repeats[0]; i++) {
		struct world world;
		struct reader reader;
		struct partition *one, *other;

		world_init_small(&world);
		world.handles[0][1] = 2;
		one = &world.partitions[1];
		other = &world.partitions[2];
		if (repeats[i].to == 1) /* the other one has gone on to the next transaction's event */
			other->records[other->count++] = world_cut(one, 2);
		memmove(&other->records[1], &other->records[0], other->count * sizeof other->records[0]);
		other->records[0] = one->records[repeats[i].from];
		other->count++;
		if (repeats[i].to == 1) {
			other->records[2] = other->records[0];
			other->records[0] = other->records[1];
			other->records[1] = other->records[2];
		}
		for (size_t j = 0; j < other->count; j++)
			world_settle_record(&other->records[j], (int64_t)j);
		reader_init(&reader, &world);
		world_arrive_all(&world);
		reader_run_to_end(&reader);
		order_free(reader.order);
		world_release(&world);
	}
}

/* The other partition has been read already when an earlier transaction's event comes to it once more. */
static void a_late_repeat_in_a_partition_that_was_read_is_dropped(void **state)
{
	uint64_t one[TABLES] = { 1 };
	struct world world;
	struct reader reader;
	struct record *record;

	world_init_small(&world);
	world.handles[0][1] = 2;
	world.partitions[2].records[0] = world_cut(&world.partitions[1], 0); /* 128:1024 1 */
	world.partitions[2].count = 1;
	world_settle_record(&world.partitions[2].records[0], 0);
	record = world_append(&world, 2);
	*record = world.partitions[1].records[1]; /* 129:1032 1, which is at the first partition too */
	world_settle_record(record, 1);
	world.last_commit = 1040;
	world_append_mark(&world, false, "130:1040", one, 0);
	(void)world_append_event(&world, "130:1040", 0, 1, 1);
	world_append_mark(&world, true, "130:1040", one, 1);
	world_expect(&world, 0, 1, false);
	memcpy(world.last_id, "130:1040", 9);
	reader_init(&reader, &world);
	world_arrive_all(&world);
	reader_run_to_end(&reader);
	order_free(reader.order);
	world_release(&world);
}

static void more_events_than_counted_are_refused(void **state)
{
	struct world world;
	struct record *record;

	world_init_small(&world);
	(void)world_cut(&world.partitions[1], 2);
	record = world_append(&world, 1);
	*record = world.partitions[1].records[1];
	record->head.event.change.index = record->head.event.change.table_index = 3;
	world_settle_record(record, 2);
	(void)world_append_event(&world, "129:1032", 0, 1, 1);
	reader_run_to_gap(&world,
		"crm.public.customer[0] offset 2: event 3 of transaction 128:1024 was never applied, but transaction "
		"128:1024, before 129:1032, was the last one applied");
	world_release(&world);
}

static void a_step_back_to_unknown_history_is_refused(void **state)
{
	struct world world;
	uint64_t none[TABLES] = { 0 };

	world_init_small(&world);
	world.last_commit = 1028;
	world_append_mark(&world, true, "130:1028", none, 0);
	reader_run_to_gap(&world,
		"crm.transaction[0] offset 4: step back: END of transaction 130:1028, which was not applied, comes "
		"after that "
			   "of 129:1032");
	world_release(&world);
	world_init_small(&world);
	world_append_mark(&world, true, "131:1032", none, 0);
	reader_run_to_gap(&world,
		"crm.transaction[0] offset 4: step back: END of transaction 131:1032, which was not applied, comes "
		"after that "
			   "of 129:1032");
	world_release(&world);
}

static void a_known_end_is_dropped(void **state)
{
	struct world world;
	struct reader reader;

	world_init_small(&world);
	for (int i = 0; i < 2; i++) {
		struct record *record = world_append(&world, 0);

		*record = world.partitions[0].records[i == 0 ? 1 : 3];
		world_settle_record(record, 4 + i);
	}
	reader_init(&reader, &world);
	world_arrive_all(&world);
	reader_run_to_end(&reader);
	assert_true(order_duplicates(reader.order) == 2);
	order_free(reader.order);
	world_release(&world);
}

static void an_event_of_no_transaction_is_refused(void **state)
{
	struct world world;

	world_init_small(&world);
	world.last_commit = 1028;
	(void)world_append_event(&world, "999:1028", 0, 1, 1);
	{
		struct partition *part = &world.partitions[1];
		struct record record = part->records[2];

		part->records[2] = part->records[3];
		part->records[3] = record;
		world_settle_record(&part->records[2], 2);
		world_settle_record(&part->records[3], 3);
	}
	reader_run_to_gap(&world,
		"crm.public.customer[0] offset 2: event 1 of transaction 999:1028 was never applied, but transaction "
		"128:1024, "
			   "before 129:1032, was the last one applied");
	world_release(&world);
}

static void half_a_key_move_is_refused(void **state)
{
	struct world world;

	world_init_small(&world);
	world.partitions[1].records[0].head.key_leaves = true;
	reader_run_to_gap(&world,
		"crm.public.customer[0] offset 1: event 2 of transaction 128:1024 comes after event 1, which deletes "
		"the old key "
			   "of a row, but does not create the new one");
	world_release(&world);
	world_init_small(&world);
	world.partitions[1].records[1].head.old_key = &key_value;
	reader_run_to_gap(&world,
		"crm.public.customer[0] offset 1: event 2 of transaction 128:1024 creates the new key of a row, but "
		"the delete of "
			   "the old one is not before it");
	world_release(&world);
	world_init_small(&world);
	world.partitions[1].records[1].head.key_leaves = true;
	reader_run_to_gap(&world,
		"event 2 of transaction 128:1024 deletes the old key of a row of public.customer, but the create of "
		"the new one is "
			   "missing");
	world_release(&world);
}

static void numbers_that_contradict_each_other_are_refused(void **state)
{
	struct world world;

	world_init_small(&world);
	(void)snprintf(world.partitions[1].records[0].id, TRANSACTION_ID_MAX, "777:1024");
	reader_run_to_gap(&world,
		"crm.public.customer[0] offset 0: event 1 of transaction 777:1024, but transaction 128:1024 has the "
			   "same commit position");
	world_release(&world);
	world_init_small(&world);
	world.partitions[1].records[0].head.event.change.index = 2;
	world.partitions[1].records[1].head.event.change.index = 3;
	reader_run_to_gap(&world,
		"event 1 of transaction 128:1024 is missing: the first that is there is crm.public.customer[0] "
			   "offset 0: event 2 of transaction 128:1024");
	world_release(&world);
	world_init_small(&world);
	world.partitions[1].records[0].head.event.change.table_index = 0;
	reader_run_to_gap(&world,
		"crm.public.customer[0] offset 0: event 1 of transaction 128:1024 is number 0 of public.customer, "
			   "awaited is number 1 and after event 0");
	world_release(&world);
	world_init_small(&world);
	world.partitions[1].records[0].head.key_leaves = true;
	world.partitions[1].records[1].head.old_key = &key_value;
	world.partitions[1].records[1].head.event.change.index = 3;
	reader_run_to_gap(&world,
		"crm.public.customer[0] offset 1: event 3 of transaction 128:1024 comes after event 1, which deletes "
			   "the old key of a row, but does not create the new one");
	world_release(&world);
}

/* The table's second event, in another partition, claims to be before its first. */
static void an_order_that_goes_back_is_refused(void **state)
{
	struct world world;
	struct partition *other = &world.partitions[2];

	world_init_small(&world);
	world.handles[0][1] = 2;
	other->records[other->count++] = world_cut(&world.partitions[1], 1);
	world_settle_record(&other->records[0], 0);
	world.partitions[1].records[0].head.event.change.index = 2;
	other->records[0].head.event.change.index = 1;
	world.truth[0].index = 2;
	world.subscribed[1] = false; /* so that total_order may have holes */
	{
		struct record *end = &world.partitions[0].records[1];

		end->counts[end->head.mark.count++] = (struct mark_count){ collections[1], 1 };
		end->head.mark.events++;
	}
	reader_run_to_gap(&world,
		"crm.public.customer[1] offset 0: event 1 of transaction 128:1024 is number 2 of public.customer, "
			   "awaited is number 2 and after event 2");
	world_release(&world);
}

static void a_count_that_disagrees_is_refused(void **state)
{
	struct world world;

	world_init_small(&world);
	world.partitions[0].records[1].head.mark.events = 3;
	reader_run_to_gap(&world, "crm.transaction[0] offset 1: END of transaction 128:1024 counts 3 events, its tables 2");
	world_release(&world);
}

static void the_memory_of_transactions_is_bounded(void **state)
{
	static struct order_known known;
	char id[32];

	assert_true(order_known_has(&known, 8, "1:8")); /* nothing is remembered: nothing can be denied */
	for (uint64_t commit = 8; commit <= 8 * (ORDER_KNOWN_MAX + 100); commit += 8) {
		(void)snprintf(id, sizeof id, "1:%" PRIu64, commit);
		order_known_add(&known, commit, id, 3);
	}
	assert_int_equal(known.count, ORDER_KNOWN_MAX);
	assert_true(order_known_has(&known, 8, "9:8")); /* older than the memory */
	assert_true(order_known_has(&known, 8 * 101, "1:808"));
	assert_false(order_known_has(&known, 8 * 101, "2:808"));
	assert_false(order_known_has(&known, 8 * 101 + 1, "1:809"));
	assert_true(order_known_has(&known, 8 * (ORDER_KNOWN_MAX + 100), id));
	assert_true(order_known_has_event(&known, 8 * (ORDER_KNOWN_MAX + 100), id, 3));
	assert_false(order_known_has_event(&known, 8 * (ORDER_KNOWN_MAX + 100), id, 4));
}

/* ---- the start ---- */
static void the_first_start_may_be_in_the_middle(void **state)
{
	struct world world;
	struct reader reader;
	struct order_item item;
	struct error err = ERROR_INIT;

	world_init_small(&world);
	(void)world_cut(&world.partitions[0], 0);
	(void)world_cut(&world.partitions[0], 0);
	reader_init(&reader, &world);
	world_arrive_all(&world);
	assert_int_equal(order_next(reader.order, &item, &err), 0);
	assert_int_equal(item.kind, ORDER_BEGIN);
	assert_true(item.middle);
	assert_string_equal(item.txn->id, "129:1032");
	assert_true(item.events == 1);
	assert_int_equal(order_next(reader.order, &item, &err), 0);
	assert_int_equal(item.kind, ORDER_EVENT);
	assert_true(item.chg->index == 1 && item.txn->commit == 1032);
	assert_int_equal(order_next(reader.order, &item, &err), 0);
	assert_int_equal(item.kind, ORDER_END);
	assert_true(order_duplicates(reader.order) == 2); /* the events of 128:1024 */
	order_free(reader.order);
	world_release(&world);
}

static void begin_is_given_when_the_first_event_is_at_hand(void **state)
{
	struct world world;
	struct reader reader;
	struct order_item item;
	struct error err = ERROR_INIT;
	const struct transaction *txn = NULL;
	const char *collection = NULL;

	world_init_small(&world);
	reader_init(&reader, &world);
	assert_int_equal(order_next(reader.order, &item, &err), 0);
	assert_int_equal(item.kind, ORDER_NOTHING);
	assert_false(order_awaits(reader.order, &collection, &txn));
	world.partitions[0].arrived = 2;
	assert_int_equal(order_next(reader.order, &item, &err), 0);
	assert_int_equal(item.kind, ORDER_NOTHING);
	assert_false(order_is_inside(reader.order));
	assert_true(order_awaits(reader.order, &collection, &txn));
	assert_string_equal(collection, "public.customer");
	assert_string_equal(txn->id, "128:1024");
	world.partitions[1].arrived = 1;
	assert_int_equal(order_next(reader.order, &item, &err), 0);
	assert_int_equal(item.kind, ORDER_BEGIN);
	assert_true(item.events == 2);
	assert_false(item.middle);
	order_free(reader.order);
	world_release(&world);
}

static void a_transaction_without_subscribed_tables_passes(void **state)
{
	struct world world;
	struct reader reader;
	struct order_item item;
	struct error err = ERROR_INIT;

	world_init_small(&world);
	world.subscribed[0] = false;
	world.truth_count = 0;
	reader_init(&reader, &world);
	world.partitions[0].arrived = world.partitions[0].count;
	assert_int_equal(order_next(reader.order, &item, &err), 0);
	assert_int_equal(item.kind, ORDER_BEGIN);
	assert_true(item.events == 0);
	assert_int_equal(order_next(reader.order, &item, &err), 0);
	assert_int_equal(item.kind, ORDER_END);
	reader_run_to_end(&reader);
	order_free(reader.order);
	world_release(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hole_names_both_sides),
		cmocka_unit_test(a_broken_chain_names_both_sides),
		cmocka_unit_test(another_log_is_refused),
		cmocka_unit_test(an_epoch_that_goes_back_in_the_chain_is_taken),
		cmocka_unit_test(new_partitions_are_asked_for_before_a_gap_is_named),
		cmocka_unit_test(events_repeated_in_another_partition_are_dropped),
		cmocka_unit_test(a_late_repeat_in_a_partition_that_was_read_is_dropped),
		cmocka_unit_test(more_events_than_counted_are_refused),
		cmocka_unit_test(a_step_back_to_unknown_history_is_refused),
		cmocka_unit_test(a_known_end_is_dropped),
		cmocka_unit_test(an_event_of_no_transaction_is_refused),
		cmocka_unit_test(half_a_key_move_is_refused),
		cmocka_unit_test(numbers_that_contradict_each_other_are_refused),
		cmocka_unit_test(an_order_that_goes_back_is_refused),
		cmocka_unit_test(a_count_that_disagrees_is_refused),
		cmocka_unit_test(the_memory_of_transactions_is_bounded),
		cmocka_unit_test(the_first_start_may_be_in_the_middle),
		cmocka_unit_test(begin_is_given_when_the_first_event_is_at_hand),
		cmocka_unit_test(a_transaction_without_subscribed_tables_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
