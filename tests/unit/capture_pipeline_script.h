/*
 * capture_pipeline_script.h: a scripted log for tests of the capture pipeline over Kafka, codec and agent in memory.
 *
 * A script is a list of items as a source gives them. It is made by dice: transactions over tables with one and several
 * partitions, with and without key, with deletes, key changes, truncates, empty transactions, heartbeats. A test may
 * change it between two runs, as if another server told it. Time is the test's own.
 */
#ifndef TAILRACE_TESTS_UNIT_CAPTURE_PIPELINE_SCRIPT_H
#define TAILRACE_TESTS_UNIT_CAPTURE_PIPELINE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/options.h"
#include "capture/source.h"

#define SCRIPT_TABLES 4
#define ITEMS_MAX 131072
#define TEXT_MAX 24

struct item {
	enum source_item_kind kind;
	struct transaction txn;
	enum change_op op;
	unsigned table;
	char old_key[TEXT_MAX], new_key[TEXT_MAX], text[TEXT_MAX]; /* old_key: "" unless the key changes */
	uint64_t lsn;
};

struct script {
	struct item *items;
	size_t count;
	uint64_t head;
	uint64_t confirmed; /* the slot's */
	uint64_t confirmed_most;
	bool slot;
	bool old_state; /* the log was set back */
	bool numbered;  /* it has no slot: Kafka's record alone says where to read on */
};

extern struct script script;
extern const struct table script_tables[SCRIPT_TABLES];
extern struct capture_settings script_settings;
extern bool script_numbered; /* of the scripts that are made from now on */

/* Throws the script away for a new one of so many transactions. */
void script_make(uint64_t seed, unsigned transactions);
/* A new item at the end, all zero but its kind. */
struct item *script_add(enum source_item_kind kind);

/* One run, from where Kafka and the slot say; 0 when the script was read to its end. */
int script_run(struct error *err);
/* All that counts of the topics, as one text: each partition's durable records, sorted by partition. The caller frees it. */
char *script_contents(void);
/* Empties Kafka, makes a script, runs it, and returns what came of it. */
char *script_uninterrupted(uint64_t seed, unsigned transactions);

/* Of a group of tests. */
int script_set_up(void **state);
int script_tear_down(void **state);

#endif
