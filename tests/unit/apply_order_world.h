/*
 * apply_order_world.h: the world in which apply/order is tested: TABLES tables with PARTITIONS partitions each, and a
 * log of transactions, spread over partitions as capture does it. The script decides how much of each partition has
 * arrived. A record is kept small: values are left out, `id` names the row in the key's stead. A reader takes what comes
 * out and checks it against the truth.
 */
#ifndef TAILRACE_TESTS_UNIT_APPLY_ORDER_WORLD_H
#define TAILRACE_TESTS_UNIT_APPLY_ORDER_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/order.h"

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

extern const char *const collections[TABLES];
extern const struct value key_value;
uint64_t world_draw(struct world *world, uint64_t below);
void world_init(struct world *world, uint64_t seed);
void world_release(struct world *world);
void world_settle_record(struct record *record, int64_t offset);
struct record *world_append(struct world *world, int handle);
struct record *world_append_event(struct world *world, const char *id, int table, uint64_t index,
	uint64_t table_index);
void world_expect(struct world *world, int table, uint64_t index, bool move);
void world_append_mark(struct world *world, bool end, const char *id, const uint64_t *counts, uint64_t events);
void world_commit(struct world *world, uint64_t events);
void world_arrive_all(struct world *world);
void reader_start(struct reader *reader);
void reader_init(struct reader *reader, struct world *world);
void reader_commit(struct reader *reader, bool with_offsets);
int reader_run(struct reader *reader, size_t items, struct error *err);
void reader_run_to_end(struct reader *reader);
void reader_run_to_gap(struct world *world, const char *text);
void world_init_small(struct world *world);
struct record world_cut(struct partition *part, size_t at);

#endif
