/*
 * sink_statement.h: what a statement at the target is for, and whose fault it is when the target refuses it.
 *
 * A queue keeps a struct sink_statement for each statement that it has sent, so that an answer, which says nothing of the source, can be
 * told as an error that names position, table and key of a change.
 */
#ifndef TAILRACE_APPLY_SINK_STATEMENT_H
#define TAILRACE_APPLY_SINK_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/sink_table.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/change.h"

#define SINK_KEY_MAX 128
/* Of a binlog's name; a longer one is cut. */
#define SINK_FILE_MAX 64
/* "an update of t.t at ... event 3 of transaction ..., key (...)", and what stands around it. */
#define SINK_WHERE_MAX 768

/* Which change it is. */
struct sink_place {
	char file[SINK_FILE_MAX]; /* as lsn: change.h; "": none */
	uint64_t lsn, index, commit;
	char transaction_id[TRANSACTION_ID_MAX];
	char key[SINK_KEY_MAX]; /* "id=42"; "": none */
};

enum sink_kind {
	SINK_WRITE,    /* must touch `rows` rows */
	SINK_TRUNCATE, /* touches what is there */
	SINK_POSITION, /* touches the one row, or the epoch has moved on */
	SINK_COMMIT,
	/* PostgreSQL's queue has others: */
	SINK_BEGIN,
	SINK_PREPARE,
	SINK_QUERY, /* its result is wanted */
	SINK_OTHER, /* ROLLBACK, DEALLOCATE: any answer will do */
	SINK_SYNC
};

struct sink_statement {
	enum sink_kind kind;
	bool maybe_none;         /* SINK_WRITE: fewer rows are right as well */
	uint32_t rows;           /* SINK_WRITE */
	const char *verb;        /* "an insert into", "an update of", "a delete from" */
	const char *table;       /* lives as long as the sink */
	uint64_t last_commit;    /* of the last row's transaction */
	struct sink_place first; /* of the first row; of a SINK_COMMIT its transaction_id only */
};

/* What the target has refused since the last rollback: the first refusal is kept, what follows is its consequence. */
struct sink_refusal {
	bool failed; /* `error` is set */
	struct error error;
	uint64_t *row_wise_until; /* sink.h: raised when a statement of several rows is refused */
};

/* key: the row whose key is named; NULL: none. scratch: a buffer for the values' texts. */
void sink_place_set(struct sink_place *place, const struct sink_table *table, const struct change *chg,
	const struct value *key, const struct transaction *txn, struct buf *scratch);
/* "an insert into"; of anything that is no insert, update or delete, "a truncate of". */
const char *sink_verb(enum change_op op);
/* An error that this side found: puts "cannot write <verb> <table> at ...: " in front of it; returns -1. */
int sink_cannot_write(
	const char *verb, const struct sink_table *table, const struct sink_place *place, struct error *err);

/* ---- answers ---- */
/* "target refused ...", for the target's own words to follow, into out (SINK_WHERE_MAX bytes); returns out. */
const char *sink_refused_what(const struct sink_statement *statement, char *out);
/*
 * After refusal->error was set: if one row of a statement of several was refused, and which one the target does not say, its transactions
 * come again (ERROR_RETRY), row by row this time, up to the last one that the statement had a part of.
 */
void sink_refused_rows(struct sink_refusal *refusal, const struct sink_statement *statement);
/* An insert must put all its rows in, an update or delete must find its row. hint: why an insert may put in fewer; NULL: nothing known. */
void sink_check_rows(
	struct sink_refusal *refusal, const struct sink_statement *statement, uint64_t rows, const char *hint);
/* Whether each row of this transaction must have a statement of its own. */
bool sink_is_row_wise(const struct sink_refusal *refusal, const struct transaction *txn);
/* The position row was not ours any more. */
void sink_fenced(struct sink_refusal *refusal);
/* 0, or -1 and the refusal's error. */
int sink_refusal_check(const struct sink_refusal *refusal, struct error *err);

#endif
