/*
 * sink_postgres_write.h: changes -> prepared statements on the queue.
 */
#ifndef TAILRACE_APPLY_SINK_POSTGRES_WRITE_H
#define TAILRACE_APPLY_SINK_POSTGRES_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/sink_postgres_queue.h"
#include "apply/sink_postgres_shape.h"
#include "apply/sink_statement.h"
#include "apply/sink_table.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/change.h"

/* Rows of one INSERT: powers of two up to this. Measured: 8 rows are twice as fast as one, 64 add 12 % to that. */
#define WRITE_ROWS_LOG2 4
#define WRITE_ROWS (1u << WRITE_ROWS_LOG2)
/* Sets of updated columns that stay prepared for a table; the one not used for the longest time goes. */
#define WRITE_UPDATES 16
/* Tables in one TRUNCATE. */
#define WRITE_TRUNCATES 64

/* Named t1, t2, ... in a session; a name is never used again. */
struct write_statement {
	char name[24];
	bool prepared;
	uint64_t used; /* 0: never */
	struct sink_set set;
};

/* A table of the target with its statements: what sink.h calls a handle. */
struct write_target {
	struct write_target *next;
	struct shape *shape;                                /* owned */
	struct write_statement insert[WRITE_ROWS_LOG2 + 1]; /* 1, 2, 4 ... rows */
	struct write_statement delete;
	struct write_statement update[WRITE_UPDATES];
};

/* Rows of one table that wait to become one INSERT, or the single row that is being written. */
struct write_run {
	struct write_target *target; /* NULL: nothing waits */
	unsigned count;
	struct sink_place rows[WRITE_ROWS];
	struct buf bytes; /* the parameters' */
	struct pg_param *params;
	const char **values;
	int *lengths, *formats;
	Oid *types;
	size_t room; /* of the five arrays */
};

struct write_truncate {
	struct write_target *targets[WRITE_TRUNCATES];
	unsigned count;
	bool cascade, restart;
	struct sink_place row; /* of the first */
};

struct writer {
	struct queue *queue;
	struct write_target *targets;
	struct write_run run;
	struct write_truncate truncate;
	struct buf sql, key;
	uint64_t clock; /* of use, for eviction */
	uint64_t names; /* given out */
};

void writer_init(struct writer *writer, struct queue *queue);
void writer_release(struct writer *writer);
/* Takes the shape over; *ret_target lives until writer_release(). */
int writer_add(struct writer *writer, struct shape *shape, struct write_target **ret_target, struct error *err);
/* sink.h's write(). */
int writer_write(struct writer *writer, struct write_target *target, const struct change *chg,
	const struct value *old_key, const struct transaction *txn, struct error *err);
/* Sends what waits. */
int writer_flush(struct writer *writer, struct error *err);
/* Forgets what waits. */
void writer_drop(struct writer *writer);

#endif
