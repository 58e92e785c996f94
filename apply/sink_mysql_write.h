/*
 * sink_mysql_write.h: changes -> statements on the queue.
 */
#ifndef TAILRACE_APPLY_SINK_MYSQL_WRITE_H
#define TAILRACE_APPLY_SINK_MYSQL_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/sink_mysql_queue.h"
#include "apply/sink_mysql_set.h"
#include "apply/sink_mysql_shape.h"
#include "apply/sink_statement.h"
#include "apply/sink_table.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/change.h"

/* Sets of updated columns that stay prepared for a table; the one not used for the longest time goes. */
#define MY_UPDATES 8
/* Prepared statements over all tables: a server has 16382 for everybody, and this is one of many agents. */
#define MY_STATEMENTS 256u

/* For bulk execution. */
struct my_statement {
	MYSQL_STMT *handle; /* NULL: not prepared */
	uint64_t used;
	struct sink_set set;
};

/* A table of the target: what sink.h calls a handle. */
struct my_target {
	struct my_target *next;
	struct my_shape *shape; /* owned */
	bool no_bulk;           /* the server did not take a statement for it */
	bool warned;
	struct my_statement insert, delete, update[MY_UPDATES];
};

/*
 * Consecutive changes of one kind: the same table, operation and set of columns. It begins as text in the queue's packet; a long one
 * goes on in bulk, where the server can do that; a long one of updates set-wise, where it cannot.
 */
struct my_run {
	struct my_target *target; /* NULL: none */
	enum change_op op;
	struct sink_set set;
	bool suits;     /* updates that can go set-wise */
	bool open;      /* its statement in the packet can take another row */
	bool bulk;
	unsigned rows;  /* of the open statement, or in `bytes` */
	unsigned streak; /* rows since it began, or since one could not go in bulk or set-wise */
	struct sink_statement *waiting; /* the open statement */
	struct sink_statement bulked;   /* what the bulk is for */
	struct my_statement *statement;
	struct buf bytes;
};

struct my_writer {
	struct my_queue *queue;
	struct my_target *targets;
	struct my_run run;
	bool truncating;                /* foreign keys are off, as far as the queue has come */
	struct sink_statement truncate; /* the last one */
	unsigned prepared;              /* MY_STATEMENTS at most */
	struct my_set_keys keys;        /* of the open statement, of updates */
	struct buf sql, key;
	uint64_t clock; /* of use, for eviction */
};

void my_writer_init(struct my_writer *writer, struct my_queue *queue);
/* After the queue's release: statements need no more telling the server. */
void my_writer_release(struct my_writer *writer);
/* Takes the shape over; *ret_target lives until my_writer_release(). */
int my_writer_add(
	struct my_writer *writer, struct my_shape *shape, struct my_target **ret_target, struct error *err);
/* sink.h's write(). */
int my_writer_write(struct my_writer *writer, struct my_target *target, const struct change *chg,
	const struct value *old_key, const struct transaction *txn, struct error *err);
/* Hands what waits here to the queue; it need not be sent yet. */
int my_writer_flush(struct my_writer *writer, struct error *err);
/* Forgets what waits. */
void my_writer_drop(struct my_writer *writer);

#endif
