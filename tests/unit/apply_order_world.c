/*
 * apply_order_world.c: the scripted source, its partitions, and the reader.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/apply_order_world.h"

const struct value key_value = { .kind = VALUE_INT, .i = 1 };
const char *const collections[TABLES] = { "public.customer", "public.invoice", "billing.payment",
	"public.note" };

/* xorshift: the same on every machine, so that a failing seed can be run again. */
uint64_t world_draw(struct world *world, uint64_t below)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return world->random % below;
}

/* ---- the heads ---- */
static int heads_collection(void *context, const char *collection, const int **ret_handles, size_t *ret_count,
	struct error *err)
{
	struct world *world = context;

	for (int i = 0; i < TABLES; i++)
		if (strcmp(collections[i], collection) == 0) {
			*ret_handles = world->handles[i];
			*ret_count = PARTITIONS;
			return world->subscribed[i];
		}
	return error_set(err, ERROR_BUG, "no such table: %s", collection);
}

static int heads_peek(void *context, int handle, const struct order_head **ret_head, struct error *err)
{
	struct partition *part = &((struct world *)context)->partitions[handle];

	if (part->taken == part->arrived)
		return 0;
	*ret_head = &part->records[part->taken].head;
	return 1;
}

static void heads_pop(void *context, int handle)
{
	struct partition *part = &((struct world *)context)->partitions[handle];

	assert_true(part->taken < part->arrived);
	part->taken++;
}

static const char *heads_name(void *context, int handle)
{
	static char text[4][64];
	static int turn;

	turn = (turn + 1) % 4;
	if (handle == 0)
		return "crm.transaction[0]";
	(void)snprintf(text[turn], sizeof text[turn], "crm.%s[%d]", collections[(handle - 1) / PARTITIONS],
		(handle - 1) % PARTITIONS);
	return text[turn];
}

static int heads_confirm(void *context, const char *collection, struct error *err)
{
	const struct world *world = context;

	return world->new_partitions == 0 ? 0 : error_set(err, ERROR_RETRY, "%s has new partitions", collection);
}

/* ---- the source ---- */
void world_init(struct world *world, uint64_t seed)
{
	memset(world, 0, sizeof *world);
	world->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	world->last_commit = 1000;
	world->epoch = 1;
	world->truth = calloc(TRUTH, sizeof *world->truth);
	assert_non_null(world->truth);
	for (int i = 0; i < HANDLES; i++) {
		world->partitions[i].records = calloc(RECORDS, sizeof(struct record));
		assert_non_null(world->partitions[i].records);
	}
	for (int i = 0; i < TABLES; i++) {
		world->subscribed[i] = true;
		world->tables[i].schema = i == 2 ? "billing" : "public";
		world->tables[i].name = strchr(collections[i], '.') + 1;
		world->tables[i].slot = (uint32_t)i;
		for (int j = 0; j < PARTITIONS; j++)
			world->handles[i][j] = 1 + i * PARTITIONS + j;
	}
	world->heads = (struct order_heads){ world, heads_collection, heads_peek, heads_pop, heads_name,
		heads_confirm };
}

void world_release(struct world *world)
{
	for (int i = 0; i < HANDLES; i++)
		free(world->partitions[i].records);
	free(world->truth);
}

/* Pointers into a record must be set again after it was moved. */
void world_settle_record(struct record *record, int64_t offset)
{
	record->head.offset = offset;
	record->head.event.transaction_id = record->id;
	record->head.mark.id = record->id;
	record->head.mark.previous_id = record->previous;
	record->head.mark.log = record->log;
	record->head.mark.counts = record->counts;
}

struct record *world_append(struct world *world, int handle)
{
	struct partition *part = &world->partitions[handle];
	struct record *record = &part->records[part->count++];

	assert_true(part->count < RECORDS);
	memset(record, 0, sizeof *record);
	return record;
}

struct record *world_append_event(struct world *world, const char *id, int table, uint64_t index, uint64_t table_index)
{
	int handle = world->handles[table][world_draw(world, PARTITIONS)];
	struct record *record = world_append(world, handle);

	(void)snprintf(record->id, sizeof record->id, "%s", id);
	record->head.kind = ORDER_HEAD_EVENT;
	record->head.event.commit = world->last_commit;
	record->head.event.change = (struct change){ .op = CHANGE_INSERT, .table = &world->tables[table],
		.index = index,
		.table_index = table_index };
	world_settle_record(record, (int64_t)world->partitions[handle].count - 1);
	return record;
}

static void world_append_skip(struct world *world, int handle)
{
	struct record *record = world_append(world, handle);

	record->head.kind = ORDER_HEAD_SKIP;
	world_settle_record(record, (int64_t)world->partitions[handle].count - 1);
}

void world_expect(struct world *world, int table, uint64_t index, bool move)
{
	if (world->subscribed[table])
		world->truth[world->truth_count++] =
			(struct truth){ .commit = world->last_commit, .index = index, .table = table, .move = move };
}

void world_append_mark(struct world *world, bool end, const char *id, const uint64_t *counts, uint64_t events)
{
	struct record *record = world_append(world, 0);
	struct mark *mark = &record->head.mark;

	(void)snprintf(record->id, sizeof record->id, "%s", id);
	(void)snprintf(record->previous, sizeof record->previous, "%s", world->last_id);
	(void)snprintf(record->log, sizeof record->log, "%s", LOG);
	record->head.kind = ORDER_HEAD_MARK;
	*mark = (struct mark){ .end = end, .commit = world->last_commit, .events = events, .epoch = world->epoch };
	for (int i = 0; end && i < TABLES; i++)
		if (counts[i] > 0)
			record->counts[mark->count++] = (struct mark_count){ collections[i], counts[i] };
	world_settle_record(record, (int64_t)world->partitions[0].count - 1);
}

/* A transaction of `events` events over random tables; a move counts as two. */
void world_commit(struct world *world, uint64_t events)
{
	static const uint64_t none[TABLES];
	uint64_t counts[TABLES] = { 0 }, index = 0;
	char id[TRANSACTION_ID_MAX];

	world->last_commit += 8 + world_draw(world, 100);
	(void)snprintf(id, sizeof id, "%" PRIu64 ":%" PRIu64, world->last_commit / 8, world->last_commit);
	world_append_mark(world, false, id, none, 0);
	while (index < events) {
		int table = (int)world_draw(world, TABLES);
		struct record *record = world_append_event(world, id, table, index + 1, counts[table] + 1);

		index++;
		counts[table]++;
		if (world_draw(world, 5) == 0 && index < events) {
			record->head.event.change.op = CHANGE_DELETE;
			record->head.key_leaves = true;
			world_append_skip(world, world->handles[table][world_draw(world, PARTITIONS)]);
			record = world_append_event(world, id, table, index + 1, counts[table] + 1);
			record->head.old_key = &key_value;
			index++;
			counts[table]++;
			world_expect(world, table, index, true);
		} else
			world_expect(world, table, index, false);
	}
	world_append_mark(world, true, id, counts, events);
	memcpy(world->last_id, id, sizeof id);
}

void world_arrive_all(struct world *world)
{
	for (int i = 0; i < HANDLES; i++)
		world->partitions[i].arrived = world->partitions[i].count;
}

/* ---- the reader ---- */
void reader_start(struct reader *reader)
{
	for (int i = 0; i < HANDLES; i++)
		reader->world->partitions[i].taken = reader->taken[i];
	reader->seen = reader->seen_committed;
	reader->inside = false;
	reader->order = order_new(&reader->world->heads, &reader->committed);
	assert_non_null(reader->order);
}

void reader_init(struct reader *reader, struct world *world)
{
	memset(reader, 0, sizeof *reader);
	reader->world = world;
	reader_start(reader);
}

void reader_commit(struct reader *reader, bool with_offsets)
{
	assert_false(order_is_inside(reader->order));
	reader->committed = *order_position(reader->order);
	reader->seen_committed = reader->seen;
	for (int i = 0; i < HANDLES && with_offsets; i++)
		reader->taken[i] = reader->world->partitions[i].taken;
}

static void check_event(struct reader *reader, const struct order_item *item)
{
	const struct truth *want = &reader->world->truth[reader->seen++];

	assert_true(reader->seen <= reader->world->truth_count);
	assert_true(reader->inside);
	assert_true(item->txn->commit == want->commit);
	assert_true(item->chg->index == want->index);
	assert_int_equal(item->chg->table->slot, want->table);
	assert_int_equal(item->old_key != NULL, want->move);
	assert_int_equal(item->chg->op, want->move ? CHANGE_UPDATE : CHANGE_INSERT);
}

/* Up to `items` items: 0 nothing more at hand, 1 there may be, -1 err. */
int reader_run(struct reader *reader, size_t items, struct error *err)
{
	for (size_t i = 0; i < items; i++) {
		struct order_item item;

		if (order_next(reader->order, &item, err) < 0)
			return -1;
		switch (item.kind) {
		case ORDER_NOTHING:
			return 0;
		case ORDER_BEGIN:
			assert_false(reader->inside);
			reader->inside = true;
			break;
		case ORDER_EVENT:
			check_event(reader, &item);
			break;
		case ORDER_END:
			assert_true(reader->inside);
			reader->inside = false;
			break;
		}
		assert_int_equal(order_is_inside(reader->order), reader->inside);
	}
	return 1;
}

void reader_run_to_end(struct reader *reader)
{
	struct error err = ERROR_INIT;

	if (reader_run(reader, SIZE_MAX, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(reader->seen, reader->world->truth_count);
	assert_string_equal(order_position(reader->order)->transaction_id, reader->world->last_id);
}

/* All has arrived and there is a fault: it must be named. */
void reader_run_to_gap(struct world *world, const char *text)
{
	struct reader reader;
	struct error err = ERROR_INIT;

	reader_init(&reader, world);
	world_arrive_all(world);
	if (reader_run(&reader, SIZE_MAX, &err) >= 0)
		fail_msg("no error, but expected: %s", text);
	assert_int_equal(err.class, ERROR_GAP);
	if (text != NULL)
		assert_string_equal(err.text, text);
	order_free(reader.order);
}

/* Two transactions: 128:1024 with two customers, 129:1032 with one; one partition each. */
void world_init_small(struct world *world)
{
	uint64_t two[TABLES] = { 2 }, one[TABLES] = { 1 };

	world_init(world, 1);
	for (int i = 0; i < TABLES; i++)
		for (int j = 0; j < PARTITIONS; j++)
			world->handles[i][j] = world->handles[i][0];
	world->last_commit = 1024;
	world_append_mark(world, false, "128:1024", two, 0);
	(void)world_append_event(world, "128:1024", 0, 1, 1);
	(void)world_append_event(world, "128:1024", 0, 2, 2);
	world_append_mark(world, true, "128:1024", two, 2);
	world_expect(world, 0, 1, false);
	world_expect(world, 0, 2, false);
	memcpy(world->last_id, "128:1024", 9);
	world->last_commit = 1032;
	world_append_mark(world, false, "129:1032", one, 0);
	(void)world_append_event(world, "129:1032", 0, 1, 1);
	world_append_mark(world, true, "129:1032", one, 1);
	world_expect(world, 0, 1, false);
	memcpy(world->last_id, "129:1032", 9);
}

/* Takes one record out of the partition. */
struct record world_cut(struct partition *part, size_t at)
{
	struct record record = part->records[at];

	memmove(&part->records[at], &part->records[at + 1], (part->count - at - 1) * sizeof record);
	part->count--;
	for (size_t i = 0; i < part->count; i++)
		world_settle_record(&part->records[i], (int64_t)i);
	return record;
}
