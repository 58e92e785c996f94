/*
 * sink_table.h: a table of the target as every kind of sink sees it: which source column goes into which of its columns, what finds a row
 * again, and what an event must have for that.
 *
 * What else a sink knows of a column (its type at the target, how it takes a value) it keeps in an array of its own, in the same order.
 * Pure: the catalogue is asked elsewhere; here are the words for what is wrong with a table, so that they are the same for each target.
 */
#ifndef TAILRACE_APPLY_SINK_TABLE_H
#define TAILRACE_APPLY_SINK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "apply/sink.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/change.h"

/* Most columns of a table: PostgreSQL's MaxHeapAttributeNumber; InnoDB has 1017. */
#define SINK_COLUMNS_MAX 1600
/* No SQL text of ours without values is longer. */
#define SINK_SQL_MAX ((size_t)4 << 20)

/* Indexes of a table's columns, one bit each. */
struct sink_set {
	uint64_t words[(SINK_COLUMNS_MAX + 63) / 64];
};

static inline bool sink_set_has(const struct sink_set *set, size_t i)
{
	return (set->words[i / 64] >> (i % 64) & 1) != 0;
}

static inline void sink_set_add(struct sink_set *set, size_t i)
{
	set->words[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Of a table with so many columns: a set has room for far more. */
static inline bool sink_set_equal(const struct sink_set *a, const struct sink_set *b, size_t columns)
{
	return memcmp(a, b, (columns + 63) / 64 * sizeof a->words[0]) == 0;
}

/* A mapped column. */
struct sink_table_column {
	const struct column *source; /* the mapping's table owns it */
	size_t index;                /* in the source table's columns */
	char *name;                  /* at the target */
	char *quoted;                /* for SQL */
	bool key;
	bool fixed; /* can be inserted but not updated: PostgreSQL's GENERATED ALWAYS AS IDENTITY */
};

struct sink_table {
	char *name;   /* "crm.customer", for messages */
	char *quoted; /* for SQL */
	struct sink_table_column *columns;
	size_t column_count;
	size_t *key; /* indexes in columns, of the source's key; key_count 0: rows are found by all their columns */
	size_t key_count;
	bool cascades; /* a foreign key ON DELETE CASCADE: a row may be gone before its own delete comes */
	/* A foreign key ON UPDATE CASCADE in the key: a row may have its new key before its own update comes. */
	bool key_cascades;
};

/* Appends a name as the target's SQL has it. */
typedef void sink_quote(struct buf *out, const char *name);

/*
 * Names, columns and key, by the mapping; borrows from mapping->table. ERROR_CONFIG: no column, too many, or a column of the source's key is
 * not mapped, or twice. On failure too the caller calls sink_table_release().
 */
int sink_table_init(
	struct sink_table *table, const struct sink_mapping *mapping, sink_quote *quote, struct error *err);
void sink_table_release(struct sink_table *table);

/* The mapped column (its index in mapping->columns) of the source's key column k. ERROR_CONFIG: there is none, or two. */
int sink_key_column(const struct sink_mapping *mapping, size_t k, size_t *ret_column, struct error *err);

/* Whether a source column goes to the target's column of that name; whether one of the key does. */
bool sink_table_has(const struct sink_table *table, const char *column);
bool sink_table_has_key(const struct sink_table *table, const char *column);
/* (`a`,`b`) of all columns, or of the key's. */
void sink_table_list(const struct sink_table *table, bool key, struct buf *sql);

/* ---- what is wrong with a target's table: ERROR_CONFIG naming table and column, with a hint; each returns -1 ---- */
/* grants: what the user needs to see it, "grant ..., "; or "" */
int sink_table_missing(
	const struct sink_table *table, const struct sink_mapping *mapping, const char *grants, struct error *err);
int sink_table_is_other(const struct sink_table *table, struct error *err);
int sink_column_missing(const struct sink_table *table, size_t i, struct error *err);
int sink_column_generated(const struct sink_table *table, size_t i, struct error *err);
/* declared: its type at the target. The hint is the caller's. */
int sink_column_refused(const struct sink_table *table, size_t i, const char *declared, struct error *err);
/* A column that no source column fills, and that cannot fill itself. */
int sink_column_unfilled(const struct sink_table *table, const char *column, struct error *err);
/* i: a column of the key. also: what the index must be besides, ", ...," or "" */
int sink_key_missing(const struct sink_table *table, const struct sink_mapping *mapping, size_t i, const char *also,
	struct error *err);

/* ---- events ---- */
/* The row of the event that identifies the target's: the old key, the old row, or the new one. NULL: none of them is there. */
const struct value *sink_identity(
	const struct sink_table *table, const struct change *chg, const struct value *old_key);
/*
 * 0, or ERROR_DATA if the event of an insert, update or delete lacks what such a change needs: a row, each column of an insert, the columns
 * that identify the row.
 */
int sink_check_event(const struct sink_table *table, const struct change *chg, const struct value *old_key,
	const struct value *identity, struct error *err);
/*
 * The columns that an update sets: all that the event has a value for, those of the key only if it moves (*ret_moves). If there is none,
 * one of the key: the statement still has to find its row, and to wake triggers. Returns how many.
 */
size_t sink_choose_columns(const struct sink_table *table, const struct value *after, const struct value *identity,
	struct sink_set *set, bool *ret_moves);

#endif
