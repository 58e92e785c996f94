/*
 * apply_order.c: unit tests of apply/order: a source with random transactions, partitions that deliver as they like,
 * and every fault.
 *
 * The world: TABLES tables with PARTITIONS partitions each; a log of transactions, spread over partitions as capture
 * does it. The script decides how much of each partition has arrived. A record is kept small: values are left out, `id`
 * names the row in the key's stead.
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

#define TABLES 4
#define PARTITIONS 3
#define HANDLES (1 + TABLES * PARTITIONS)
#define RECORDS 1024 /* of a partition */
#define TRUTH 8192
#define LOG "postgresql:7300000000000000001:1:crm"

struct record {
	struct order_head head;
	char id[TRANSACTION_ID_MAX], previous[TRANSACTION_ID_MAX], log[POSITION_LOG_MAX];
	struct mark_count counts[TABLES];
};

struct partition {
	struct record *records;
	size_t count, arrived, taken;
};

/* What the source did, in order: what must come out. */
struct truth {
	uint64_t commit, index;
	int table;
	bool move;
};

struct world {
	struct partition partitions[HANDLES];
	struct table tables[TABLES];
	bool subscribed[TABLES];
	int handles[TABLES][PARTITIONS];
	struct order_heads heads;
	struct truth *truth;
	size_t truth_count;
	uint64_t last_commit, epoch;
	char last_id[TRANSACTION_ID_MAX];
	uint64_t random;
	const struct value *old_key;
	int new_partitions; /* of any table, not read yet */
};

static const struct value key_value = { .kind = VALUE_INT, .i = 1 };
static const char *const collections[TABLES] = { "public.customer", "public.invoice", "billing.payment",
	"public.note" };

/* xorshift: the same on every machine, so that a failing seed can be run again. */
static uint64_t draw(struct world *world, uint64_t below)
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
static void world_init(struct world *world, uint64_t seed)
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

static void world_release(struct world *world)
{
	for (int i = 0; i < HANDLES; i++)
		free(world->partitions[i].records);
	free(world->truth);
}

/* Pointers into a record must be set again after it was moved. */
static void settle_record(struct record *record, int64_t offset)
{
	record->head.offset = offset;
	record->head.event.transaction_id = record->id;
	record->head.mark.id = record->id;
	record->head.mark.previous_id = record->previous;
	record->head.mark.log = record->log;
	record->head.mark.counts = record->counts;
}

static struct record *append(struct world *world, int handle)
{
	struct partition *part = &world->partitions[handle];
	struct record *record = &part->records[part->count++];

	assert_true(part->count < RECORDS);
	memset(record, 0, sizeof *record);
	return record;
}

static struct record *append_event(struct world *world, const char *id, int table, uint64_t index, uint64_t table_index)
{
	int handle = world->handles[table][draw(world, PARTITIONS)];
	struct record *record = append(world, handle);

	(void)snprintf(record->id, sizeof record->id, "%s", id);
	record->head.kind = ORDER_HEAD_EVENT;
	record->head.event.commit = world->last_commit;
	record->head.event.change = (struct change){ .op = CHANGE_INSERT, .table = &world->tables[table],
		.index = index,
		.table_index = table_index };
	settle_record(record, (int64_t)world->partitions[handle].count - 1);
	return record;
}

static void append_skip(struct world *world, int handle)
{
	struct record *record = append(world, handle);

	record->head.kind = ORDER_HEAD_SKIP;
	settle_record(record, (int64_t)world->partitions[handle].count - 1);
}

static void expect(struct world *world, int table, uint64_t index, bool move)
{
	if (world->subscribed[table])
		world->truth[world->truth_count++] =
			(struct truth){ .commit = world->last_commit, .index = index, .table = table, .move = move };
}

static void append_mark(struct world *world, bool end, const char *id, const uint64_t *counts, uint64_t events)
{
	struct record *record = append(world, 0);
	struct mark *mark = &record->head.mark;

	(void)snprintf(record->id, sizeof record->id, "%s", id);
	(void)snprintf(record->previous, sizeof record->previous, "%s", world->last_id);
	(void)snprintf(record->log, sizeof record->log, "%s", LOG);
	record->head.kind = ORDER_HEAD_MARK;
	*mark = (struct mark){ .end = end, .commit = world->last_commit, .events = events, .epoch = world->epoch };
	for (int i = 0; end && i < TABLES; i++)
		if (counts[i] > 0)
			record->counts[mark->count++] = (struct mark_count){ collections[i], counts[i] };
	settle_record(record, (int64_t)world->partitions[0].count - 1);
}

/* A transaction of `events` events over random tables; a move counts as two. */
static void source_commits(struct world *world, uint64_t events)
{
	static const uint64_t none[TABLES];
	uint64_t counts[TABLES] = { 0 }, index = 0;
	char id[TRANSACTION_ID_MAX];

	world->last_commit += 8 + draw(world, 100);
	(void)snprintf(id, sizeof id, "%" PRIu64 ":%" PRIu64, world->last_commit / 8, world->last_commit);
	append_mark(world, false, id, none, 0);
	while (index < events) {
		int table = (int)draw(world, TABLES);
		struct record *record = append_event(world, id, table, index + 1, counts[table] + 1);

		index++;
		counts[table]++;
		if (draw(world, 5) == 0 && index < events) {
			record->head.event.change.op = CHANGE_DELETE;
			record->head.key_leaves = true;
			append_skip(world, world->handles[table][draw(world, PARTITIONS)]);
			record = append_event(world, id, table, index + 1, counts[table] + 1);
			record->head.old_key = &key_value;
			index++;
			counts[table]++;
			expect(world, table, index, true);
		} else
			expect(world, table, index, false);
	}
	append_mark(world, true, id, counts, events);
	memcpy(world->last_id, id, sizeof id);
}

static void arrive_all(struct world *world)
{
	for (int i = 0; i < HANDLES; i++)
		world->partitions[i].arrived = world->partitions[i].count;
}

/* ---- the reader ---- */
struct reader {
	struct world *world;
	struct order *order;
	struct order_position committed;
	size_t taken[HANDLES]; /* as committed */
	size_t seen;           /* of truth, this try */
	size_t seen_committed;
	bool inside;
	struct transaction txn;
};

static void reader_start(struct reader *reader)
{
	for (int i = 0; i < HANDLES; i++)
		reader->world->partitions[i].taken = reader->taken[i];
	reader->seen = reader->seen_committed;
	reader->inside = false;
	reader->order = order_new(&reader->world->heads, &reader->committed);
	assert_non_null(reader->order);
}

static void reader_init(struct reader *reader, struct world *world)
{
	memset(reader, 0, sizeof *reader);
	reader->world = world;
	reader_start(reader);
}

static void reader_commit(struct reader *reader, bool with_offsets)
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
static int reader_run(struct reader *reader, size_t items, struct error *err)
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

static void run_to_end(struct reader *reader)
{
	struct error err = ERROR_INIT;

	if (reader_run(reader, SIZE_MAX, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(reader->seen, reader->world->truth_count);
	assert_string_equal(order_position(reader->order)->transaction_id, reader->world->last_id);
}

/* All has arrived and there is a fault: it must be named. */
static void run_to_gap(struct world *world, const char *text)
{
	struct reader reader;
	struct error err = ERROR_INIT;

	reader_init(&reader, world);
	arrive_all(world);
	if (reader_run(&reader, SIZE_MAX, &err) >= 0)
		fail_msg("no error, but expected: %s", text);
	assert_int_equal(err.class, ERROR_GAP);
	if (text != NULL)
		assert_string_equal(err.text, text);
	order_free(reader.order);
}

/* ---- tests ---- */
static void some_transactions(struct world *world, int count)
{
	for (int i = 0; i < count; i++)
		source_commits(world, draw(world, 8) == 0 ? draw(world, 60) : draw(world, 6));
}

/* A record comes once more, later in its partition, as from a producer that was taken for dead. */
static void repeat_some(struct world *world)
{
	for (int handle = 0; handle < HANDLES; handle++) {
		struct partition *part = &world->partitions[handle];

		for (size_t n = draw(world, 4); n > 0 && part->count > 0; n--) {
			size_t from = draw(world, part->count), to = from + 1 + draw(world, part->count - from);
			struct record copy = part->records[from];

			memmove(&part->records[to + 1], &part->records[to], (part->count - to) * sizeof copy);
			part->records[to] = copy;
			part->count++;
		}
		for (size_t i = 0; i < part->count; i++)
			settle_record(&part->records[i], (int64_t)i);
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
			world.subscribed[i] = seed % 3 != 0 || draw(&world, 2) == 0;
		some_transactions(&world, 60);
		repeat_some(&world);
		reader_init(&reader, &world);
		for (int step = 0; step < 100000 && reader.seen < world.truth_count; step++) {
			struct partition *part = &world.partitions[draw(&world, HANDLES)];

			if (part->arrived < part->count)
				part->arrived += 1 + draw(&world, part->count - part->arrived);
			if (reader_run(&reader, 1 + draw(&world, 40), &err) < 0)
				fail_msg("seed %" PRIu64 ": %s", seed, err.text);
			if (!reader.inside && draw(&world, 3) == 0)
				reader_commit(&reader, draw(&world, 2) == 0);
			if (draw(&world, 20) == 0) {
				order_free(reader.order);
				reader_start(&reader);
			}
		}
		arrive_all(&world);
		run_to_end(&reader);
		order_free(reader.order);
		world_release(&world);
	}
}

/* Takes one record out of the partition. */
static struct record cut(struct partition *part, size_t at)
{
	struct record record = part->records[at];

	memmove(&part->records[at], &part->records[at + 1], (part->count - at - 1) * sizeof record);
	part->count--;
	for (size_t i = 0; i < part->count; i++)
		settle_record(&part->records[i], (int64_t)i);
	return record;
}

/* A partition with events of at least `least` records, so that something follows on a fault. */
static struct partition *some_partition(struct world *world, size_t least)
{
	struct partition *part;

	do
		part = &world->partitions[1 + draw(world, HANDLES - 1)];
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
			record = append_event(world, id, table, 1, 1);
		} while (world->partitions[handle].count == before);
		counts[table] = 1;
		expect(world, table, 1, false);
		append_mark(world, true, id, counts, 1);
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
			at = draw(&world, part->count);
		while (part->records[at].head.kind != ORDER_HEAD_EVENT);
		(void)cut(part, at);
		close_all(&world);
		run_to_gap(&world, NULL);
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
			at = draw(&world, part->count - 1);
		while (part->records[at].head.kind != ORDER_HEAD_EVENT ||
			part->records[at + 1].head.kind != ORDER_HEAD_EVENT);
		record = part->records[at];
		part->records[at] = part->records[at + 1];
		part->records[at + 1] = record;
		settle_record(&part->records[at], (int64_t)at);
		settle_record(&part->records[at + 1], (int64_t)at + 1);
		close_all(&world);
		run_to_gap(&world, NULL);
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
			at = draw(&world, marks->count - 1);
		while (!marks->records[at].head.mark.end);
		(void)cut(marks, at);
		if (at > 1) /* without the very first END the chain merely begins later */
			run_to_gap(&world, NULL);
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
			at = draw(&world, part->count - 1);
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
			settle_record(&part->records[i], (int64_t)i);
		run_to_gap(&world, NULL);
		world_release(&world);
	}
}

/* ---- exact texts ---- */
/* Two transactions: 128:1024 with two customers, 129:1032 with one; one partition each. */
static void small_world(struct world *world)
{
	uint64_t two[TABLES] = { 2 }, one[TABLES] = { 1 };

	world_init(world, 1);
	for (int i = 0; i < TABLES; i++)
		for (int j = 0; j < PARTITIONS; j++)
			world->handles[i][j] = world->handles[i][0];
	world->last_commit = 1024;
	append_mark(world, false, "128:1024", two, 0);
	(void)append_event(world, "128:1024", 0, 1, 1);
	(void)append_event(world, "128:1024", 0, 2, 2);
	append_mark(world, true, "128:1024", two, 2);
	expect(world, 0, 1, false);
	expect(world, 0, 2, false);
	memcpy(world->last_id, "128:1024", 9);
	world->last_commit = 1032;
	append_mark(world, false, "129:1032", one, 0);
	(void)append_event(world, "129:1032", 0, 1, 1);
	append_mark(world, true, "129:1032", one, 1);
	expect(world, 0, 1, false);
	memcpy(world->last_id, "129:1032", 9);
}

static void a_hole_names_both_sides(void **state)
{
	struct world world;

	small_world(&world);
	(void)cut(&world.partitions[1], 0);
	run_to_gap(&world,
		"event number 1 of public.customer in transaction 128:1024 is missing: every partition has gone on, "
			   "for example to crm.public.customer[0] offset 0: event 2 of transaction 128:1024");
	world_release(&world);
	small_world(&world);
	(void)cut(&world.partitions[1], 1);
	run_to_gap(&world,
		"event number 2 of public.customer in transaction 128:1024 is missing: every partition has gone on, "
			   "for example to crm.public.customer[0] offset 1: event 1 of transaction 129:1032");
	world_release(&world);
}

static void a_broken_chain_names_both_sides(void **state)
{
	struct world world;

	small_world(&world);
	(void)snprintf(world.partitions[0].records[3].previous, TRANSACTION_ID_MAX, "127:1016");
	run_to_gap(&world,
		"crm.transaction[0] offset 3: the chain is broken: transaction 129:1032 follows on \"127:1016\", "
			   "the last one applied is 128:1024");
	world_release(&world);
}

static void another_log_is_refused(void **state)
{
	struct world world;

	small_world(&world);
	(void)snprintf(world.partitions[0].records[3].log, POSITION_LOG_MAX, "postgresql:7300000000000000001:2:crm");
	run_to_gap(&world,
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

	small_world(&world);
	world.partitions[0].records[1].head.mark.epoch = 7;
	reader_init(&reader, &world);
	arrive_all(&world);
	run_to_end(&reader);
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

	small_world(&world);
	(void)cut(&world.partitions[1], 1);
	world.new_partitions = 1;
	reader_init(&reader, &world);
	arrive_all(&world);
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

		small_world(&world);
		world.handles[0][1] = 2;
		one = &world.partitions[1];
		other = &world.partitions[2];
		if (repeats[i].to == 1) /* the other one has gone on to the next transaction's event */
			other->records[other->count++] = cut(one, 2);
		memmove(&other->records[1], &other->records[0], other->count * sizeof other->records[0]);
		other->records[0] = one->records[repeats[i].from];
		other->count++;
		if (repeats[i].to == 1) {
			other->records[2] = other->records[0];
			other->records[0] = other->records[1];
			other->records[1] = other->records[2];
		}
		for (size_t j = 0; j < other->count; j++)
			settle_record(&other->records[j], (int64_t)j);
		reader_init(&reader, &world);
		arrive_all(&world);
		run_to_end(&reader);
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

	small_world(&world);
	world.handles[0][1] = 2;
	world.partitions[2].records[0] = cut(&world.partitions[1], 0); /* 128:1024 1 */
	world.partitions[2].count = 1;
	settle_record(&world.partitions[2].records[0], 0);
	record = append(&world, 2);
	*record = world.partitions[1].records[1]; /* 129:1032 1, which is at the first partition too */
	settle_record(record, 1);
	world.last_commit = 1040;
	append_mark(&world, false, "130:1040", one, 0);
	(void)append_event(&world, "130:1040", 0, 1, 1);
	append_mark(&world, true, "130:1040", one, 1);
	expect(&world, 0, 1, false);
	memcpy(world.last_id, "130:1040", 9);
	reader_init(&reader, &world);
	arrive_all(&world);
	run_to_end(&reader);
	order_free(reader.order);
	world_release(&world);
}

static void more_events_than_counted_are_refused(void **state)
{
	struct world world;
	struct record *record;

	small_world(&world);
	(void)cut(&world.partitions[1], 2);
	record = append(&world, 1);
	*record = world.partitions[1].records[1];
	record->head.event.change.index = record->head.event.change.table_index = 3;
	settle_record(record, 2);
	(void)append_event(&world, "129:1032", 0, 1, 1);
	run_to_gap(&world,
		"crm.public.customer[0] offset 2: event 3 of transaction 128:1024 was never applied, but transaction "
		"128:1024, before 129:1032, was the last one applied");
	world_release(&world);
}

static void a_step_back_to_unknown_history_is_refused(void **state)
{
	struct world world;
	uint64_t none[TABLES] = { 0 };

	small_world(&world);
	world.last_commit = 1028;
	append_mark(&world, true, "130:1028", none, 0);
	run_to_gap(&world,
		"crm.transaction[0] offset 4: step back: END of transaction 130:1028, which was not applied, comes "
		"after that "
			   "of 129:1032");
	world_release(&world);
	small_world(&world);
	append_mark(&world, true, "131:1032", none, 0);
	run_to_gap(&world,
		"crm.transaction[0] offset 4: step back: END of transaction 131:1032, which was not applied, comes "
		"after that "
			   "of 129:1032");
	world_release(&world);
}

static void a_known_end_is_dropped(void **state)
{
	struct world world;
	struct reader reader;

	small_world(&world);
	for (int i = 0; i < 2; i++) {
		struct record *record = append(&world, 0);

		*record = world.partitions[0].records[i == 0 ? 1 : 3];
		settle_record(record, 4 + i);
	}
	reader_init(&reader, &world);
	arrive_all(&world);
	run_to_end(&reader);
	assert_true(order_duplicates(reader.order) == 2);
	order_free(reader.order);
	world_release(&world);
}

static void an_event_of_no_transaction_is_refused(void **state)
{
	struct world world;

	small_world(&world);
	world.last_commit = 1028;
	(void)append_event(&world, "999:1028", 0, 1, 1);
	{
		struct partition *part = &world.partitions[1];
		struct record record = part->records[2];

		part->records[2] = part->records[3];
		part->records[3] = record;
		settle_record(&part->records[2], 2);
		settle_record(&part->records[3], 3);
	}
	run_to_gap(&world,
		"crm.public.customer[0] offset 2: event 1 of transaction 999:1028 was never applied, but transaction "
		"128:1024, "
			   "before 129:1032, was the last one applied");
	world_release(&world);
}

static void half_a_key_move_is_refused(void **state)
{
	struct world world;

	small_world(&world);
	world.partitions[1].records[0].head.key_leaves = true;
	run_to_gap(&world,
		"crm.public.customer[0] offset 1: event 2 of transaction 128:1024 comes after event 1, which deletes "
		"the old key "
			   "of a row, but does not create the new one");
	world_release(&world);
	small_world(&world);
	world.partitions[1].records[1].head.old_key = &key_value;
	run_to_gap(&world,
		"crm.public.customer[0] offset 1: event 2 of transaction 128:1024 creates the new key of a row, but "
		"the delete of "
			   "the old one is not before it");
	world_release(&world);
	small_world(&world);
	world.partitions[1].records[1].head.key_leaves = true;
	run_to_gap(&world,
		"event 2 of transaction 128:1024 deletes the old key of a row of public.customer, but the create of "
		"the new one is "
			   "missing");
	world_release(&world);
}

static void numbers_that_contradict_each_other_are_refused(void **state)
{
	struct world world;

	small_world(&world);
	(void)snprintf(world.partitions[1].records[0].id, TRANSACTION_ID_MAX, "777:1024");
	run_to_gap(&world,
		"crm.public.customer[0] offset 0: event 1 of transaction 777:1024, but transaction 128:1024 has the "
			   "same commit position");
	world_release(&world);
	small_world(&world);
	world.partitions[1].records[0].head.event.change.index = 2;
	world.partitions[1].records[1].head.event.change.index = 3;
	run_to_gap(&world,
		"event 1 of transaction 128:1024 is missing: the first that is there is crm.public.customer[0] "
			   "offset 0: event 2 of transaction 128:1024");
	world_release(&world);
	small_world(&world);
	world.partitions[1].records[0].head.event.change.table_index = 0;
	run_to_gap(&world,
		"crm.public.customer[0] offset 0: event 1 of transaction 128:1024 is number 0 of public.customer, "
			   "awaited is number 1 and after event 0");
	world_release(&world);
	small_world(&world);
	world.partitions[1].records[0].head.key_leaves = true;
	world.partitions[1].records[1].head.old_key = &key_value;
	world.partitions[1].records[1].head.event.change.index = 3;
	run_to_gap(&world,
		"crm.public.customer[0] offset 1: event 3 of transaction 128:1024 comes after event 1, which deletes "
			   "the old key of a row, but does not create the new one");
	world_release(&world);
}

/* The table's second event, in another partition, claims to be before its first. */
static void an_order_that_goes_back_is_refused(void **state)
{
	struct world world;
	struct partition *other = &world.partitions[2];

	small_world(&world);
	world.handles[0][1] = 2;
	other->records[other->count++] = cut(&world.partitions[1], 1);
	settle_record(&other->records[0], 0);
	world.partitions[1].records[0].head.event.change.index = 2;
	other->records[0].head.event.change.index = 1;
	world.truth[0].index = 2;
	world.subscribed[1] = false; /* so that total_order may have holes */
	{
		struct record *end = &world.partitions[0].records[1];

		end->counts[end->head.mark.count++] = (struct mark_count){ collections[1], 1 };
		end->head.mark.events++;
	}
	run_to_gap(&world,
		"crm.public.customer[1] offset 0: event 1 of transaction 128:1024 is number 2 of public.customer, "
			   "awaited is number 2 and after event 2");
	world_release(&world);
}

static void a_count_that_disagrees_is_refused(void **state)
{
	struct world world;

	small_world(&world);
	world.partitions[0].records[1].head.mark.events = 3;
	run_to_gap(&world, "crm.transaction[0] offset 1: END of transaction 128:1024 counts 3 events, its tables 2");
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

	small_world(&world);
	(void)cut(&world.partitions[0], 0);
	(void)cut(&world.partitions[0], 0);
	reader_init(&reader, &world);
	arrive_all(&world);
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

	small_world(&world);
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

	small_world(&world);
	world.subscribed[0] = false;
	world.truth_count = 0;
	reader_init(&reader, &world);
	world.partitions[0].arrived = world.partitions[0].count;
	assert_int_equal(order_next(reader.order, &item, &err), 0);
	assert_int_equal(item.kind, ORDER_BEGIN);
	assert_true(item.events == 0);
	assert_int_equal(order_next(reader.order, &item, &err), 0);
	assert_int_equal(item.kind, ORDER_END);
	run_to_end(&reader);
	order_free(reader.order);
	world_release(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_delivery_gives_source_order_once),
		cmocka_unit_test(a_missing_event_is_always_found),
		cmocka_unit_test(swapped_events_are_always_found),
		cmocka_unit_test(a_lost_end_is_always_found),
		cmocka_unit_test(an_extra_event_is_always_found),
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
