/*
 * sink_mysql_set.h: many updates of a table as one statement, for MySQL, which has no bulk execution.
 *
 *   UPDATE (VALUES ROW(1,'a','2'),ROW(5,'b',NULL)) AS v(k0,c0,c1) STRAIGHT_JOIN `t` ON t.`id`=v.k0 SET t.`name`=v.c0,t.`n`=v.c1
 *
 * The server parses and prepares once for all rows, and finds each by its key. Three rules make it equal to one UPDATE a row:
 *
 * 1. The type of a column of VALUES is the common one of its values. Hence every value is a string literal: the one conversion is that at the
 *    assignment, as of a literal. Only the key's values are numbers; they are integers of 64 bits.
 * 2. The server writes the rows in an order of its own. Hence a key stands once in a statement and does not move, and no row changes what is under
 *    a unique index: values that move from row to row (places of a list) come right in the source's order only.
 * 3. The server refuses the whole, or says how many rows it found, and not which row it was. Its transactions are then written again row by
 *    row (sink_statement.h).
 *
 * Pure; no I/O.
 */
#ifndef TAILRACE_APPLY_SINK_MYSQL_SET_H
#define TAILRACE_APPLY_SINK_MYSQL_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "apply/sink_mysql_shape.h"
#include "apply/sink_table.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/value.h"

#define MY_SET_ROWS 256u
/* What stands behind the rows has a bound, too. */
#define MY_SET_COLUMNS 256u
/* The first MySQL that knows VALUES ROW(...). */
#define MY_SET_VERSION 80019ul

/* The keys of the open statement, by their hashes. */
struct my_set_keys {
	uint64_t slots[2 * MY_SET_ROWS]; /* 0: free */
};

/* Whether updates of these columns can go so: an integer key that is not among them, and no type whose values a string is not the same as. */
bool my_set_suits(const struct my_shape *shape, const struct sink_set *set);
/* Whether the key of `row` is of integers of 64 bits with a sign; *ret_hash: of the key, not 0. */
bool my_set_key(const struct my_shape *shape, const struct value *row, uint64_t *ret_hash);
/* Whether the update leaves all values under unique indexes as they are. before: the whole old row, or NULL, which leaves it unknown. */
bool my_set_keeps_unique(const struct my_shape *shape, const struct sink_set *set, const struct value *before, const struct value *after);
/* MY_SET_ROWS calls at most between resets. false: the key may be in there (or another one with its hash). */
bool my_set_keys_add(struct my_set_keys *keys, uint64_t hash);
void my_set_keys_reset(struct my_set_keys *keys);

/* Appends "UPDATE (VALUES ", a row, and what closes the statement. */
void my_set_head(const struct my_shape *shape, struct buf *sql);
/* As my_literal(): -1 and ERROR_DATA naming the column. */
int my_set_row(const struct my_shape *shape, const struct sink_set *set, const struct value *key, const struct value *after,
	struct buf *sql, struct error *err);
void my_set_tail(const struct my_shape *shape, const struct sink_set *set, struct buf *sql);

#endif
