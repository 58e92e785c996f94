/*
 * apply_order.c: apply/order by its properties: random delivery gives the source's order exactly once, and every seeded
 * fault is found every time.
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

static void some_transactions(struct world *world, int count)
{
	for (int i = 0; i < count; i++)
		world_commit(world, world_draw(world, 8) == 0 ? world_draw(world, 60) : world_draw(world, 6));
}

/* A record comes once more, later in its partition, as from a producer that was taken for dead. */
static void repeat_some(struct world *world)
{
	for (int handle = 0; handle < HANDLES; handle++) {
		struct partition *part = &world->partitions[handle];

		for (size_t n = world_draw(world, 4); n > 0 && part->count > 0; n--) {
			size_t from = world_draw(world, part->count), to = from + 1 + world_draw(world, part->count - from);
			struct record copy = part->records[from];

			memmove(&part->records[to + 1], &part->records[to], (part->count - to) * sizeof copy);
			part->records[to] = copy;
			part->count++;
		}
		for (size_t i = 0; i < part->count; i++)
			world_settle_record(&part->records[i], (int64_t)i);
	}
}

static void random_delivery_gives_source_order_once(void **state)
{
	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct world world;
		struct reader reader;
		struct error err = ERROR_INIT;

		world_init(&world, seed);
		for (int i = 0; i < TABLES; i++)
			world.subscribed[i] = seed % 3 != 0 || world_draw(&world, 2) == 0;
		some_transactions(&world, 60);
		repeat_some(&world);
		reader_init(&reader, &world);
		for (int step = 0; step < 100000 && reader.seen < world.truth_count; step++) {
			struct partition *part = &world.partitions[world_draw(&world, HANDLES)];

			if (part->arrived < part->count)
				part->arrived += 1 + world_draw(&world, part->count - part->arrived);
			if (reader_run(&reader, 1 + world_draw(&world, 40), &err) < 0)
				fail_msg("seed %" PRIu64 ": %s", seed, err.text);
			if (!reader.inside && world_draw(&world, 3) == 0)
				reader_commit(&reader, world_draw(&world, 2) == 0);
			if (world_draw(&world, 20) == 0) {
				order_free(reader.order);
				reader_start(&reader);
			}
		}
		world_arrive_all(&world);
		reader_run_to_end(&reader);
		order_free(reader.order);
		world_release(&world);
	}
}

/* A partition with events of at least `least` records, so that something follows on a fault. */
static struct partition *some_partition(struct world *world, size_t least)
{
	struct partition *part;

	do
		part = &world->partitions[1 + world_draw(world, HANDLES - 1)];
	while (part->count < least);
	return part;
}

/* Every partition gets an event at the end: what is missing before it is then known to be missing. */
static void close_all(struct world *world)
{
	for (int handle = 1; handle < HANDLES; handle++) {
		int table = (handle - 1) / PARTITIONS;
		uint64_t counts[TABLES] = { 0 };
		char id[TRANSACTION_ID_MAX];
		struct record *record;
		size_t before = world->partitions[handle].count;

		world->last_commit += 8;
		(void)snprintf(id, sizeof id, "%" PRIu64 ":%" PRIu64, world->last_commit / 8, world->last_commit);
		do {
			for (int i = 0; i < PARTITIONS; i++) /* drawn into another partition: take it back */
				if (world->handles[table][i] != handle &&
					world->partitions[world->handles[table][i]].count > 0 &&
					strcmp(world->partitions[world->handles[table][i]]
						       .records[world->partitions[world->handles[table][i]].count - 1]
						       .id,
						id) == 0)
					world->partitions[world->handles[table][i]].count--;
			record = world_append_event(world, id, table, 1, 1);
		} while (world->partitions[handle].count == before);
		counts[table] = 1;
		world_expect(world, table, 1, false);
		world_append_mark(world, true, id, counts, 1);
		memcpy(world->last_id, record->id, sizeof world->last_id);
	}
}

static void a_missing_event_is_always_found(void **state)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct world world;
		struct partition *part;
		size_t at;

		world_init(&world, seed);
		some_transactions(&world, 40);
		part = some_partition(&world, 4);
		do
			at = world_draw(&world, part->count);
		while (part->records[at].head.kind != ORDER_HEAD_EVENT);
		(void)world_cut(part, at);
		close_all(&world);
		reader_run_to_gap(&world, NULL);
		world_release(&world);
	}
}

static void swapped_events_are_always_found(void **state)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct world world;
		struct partition *part;
		struct record record;
		size_t at;

		world_init(&world, seed);
		some_transactions(&world, 40);
		part = some_partition(&world, 8);
		do
			at = world_draw(&world, part->count - 1);
		while (part->records[at].head.kind != ORDER_HEAD_EVENT ||
			part->records[at + 1].head.kind != ORDER_HEAD_EVENT);
		record = part->records[at];
		part->records[at] = part->records[at + 1];
		part->records[at + 1] = record;
		world_settle_record(&part->records[at], (int64_t)at);
		world_settle_record(&part->records[at + 1], (int64_t)at + 1);
		close_all(&world);
		reader_run_to_gap(&world, NULL);
		world_release(&world);
	}
}

static void a_lost_end_is_always_found(void **state)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct world world;
		struct partition *marks = &world.partitions[0];
		size_t at;

		world_init(&world, seed);
		some_transactions(&world, 40);
		close_all(&world);
		do
			at = world_draw(&world, marks->count - 1);
		while (!marks->records[at].head.mark.end);
		(void)world_cut(marks, at);
		if (at > 1) /* without the very first END the chain merely begins later */
			reader_run_to_gap(&world, NULL);
		world_release(&world);
	}
}

static void an_extra_event_is_always_found(void **state)
{
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world world;
		struct partition *part;
		struct record record;
		size_t at;

		world_init(&world, seed);
		some_transactions(&world, 40);
		close_all(&world);
		part = some_partition(&world, 6);
		do
			at = world_draw(&world, part->count - 1);
		while (part->records[at].head.kind != ORDER_HEAD_EVENT ||
			part->records[at + 1].head.kind != ORDER_HEAD_EVENT ||
			part->records[at + 1].head.event.commit == part->records[at].head.event.commit);
		record = part->records[at];
		record.head.event.change.index += 100;
		record.head.event.change.table_index += 100;
		memmove(&part->records[at + 2], &part->records[at + 1], (part->count - at - 1) * sizeof record);
		part->records[at + 1] = record;
		part->count++;
		for (size_t i = 0; i < part->count; i++)
			world_settle_record(&part->records[i], (int64_t)i);
		reader_run_to_gap(&world, NULL);
		world_release(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_delivery_gives_source_order_once),
		cmocka_unit_test(a_missing_event_is_always_found),
		cmocka_unit_test(swapped_events_are_always_found),
		cmocka_unit_test(a_lost_end_is_always_found),
		cmocka_unit_test(an_extra_event_is_always_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
