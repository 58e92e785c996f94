/*
 * decode_statement.h: what kind of statement a QUERY event carries. Not a grammar: a tokenizer that knows comments (also the executable
 * ones), quotes and names, and looks at the first words. What it does not know is STATEMENT_OTHER and harms nobody.
 * Pure; one thread.
 */
#ifndef TAILRACE_CAPTURE_DECODE_STATEMENT_H
#define TAILRACE_CAPTURE_DECODE_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "capture/decode_binlog.h"
#include "lib/base/arena.h"

enum statement_kind {
	STATEMENT_BEGIN,    /* BEGIN, START TRANSACTION, XA START */
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK, /* of the whole group */
	STATEMENT_SAVEPOINT, /* SAVEPOINT, ROLLBACK TO, RELEASE. MySQL logs only what stayed; MariaDB may log rows that ROLLBACK TO undoes */
	STATEMENT_XA_END, STATEMENT_XA_COMMIT, STATEMENT_XA_ROLLBACK, /* `xa` names it */
	STATEMENT_TRUNCATE, /* tables: one */
	STATEMENT_CREATE_TABLE, /* tables: one; CREATE TEMPORARY is STATEMENT_OTHER */
	STATEMENT_ALTER_TABLE,  /* tables: the table, and the new name of RENAME TO */
	/*
	 * ALTER TABLE that brings or removes rows which the log does not carry: TRUNCATE, DROP, EXCHANGE, CONVERT PARTITION; DISCARD, IMPORT
	 * TABLESPACE; IGNORE with a new unique key. tables: the table, and the other one of EXCHANGE and CONVERT
	 */
	STATEMENT_ALTER_ROWS,
	STATEMENT_RENAME_TABLE, /* tables: pairs, old and new */
	STATEMENT_DROP_TABLE,   /* tables: each; DROP TEMPORARY is STATEMENT_OTHER */
	STATEMENT_CREATE_INDEX, STATEMENT_DROP_INDEX, /* tables: one (a key may be gained or lost) */
	STATEMENT_DATABASE,     /* CREATE, ALTER, DROP DATABASE; tables: one entry with the schema and no name */
	/* INSERT, UPDATE, DELETE, REPLACE, LOAD DATA, WITH, SELECT, DO: rows that were logged as a statement; tables: the first one, or none */
	STATEMENT_DATA,
	STATEMENT_OTHER
};

struct statement_table {
	const char *schema; /* the event's default database if the statement names none */
	const char *name;
};

struct statement {
	enum statement_kind kind;
	const struct statement_table *tables;
	size_t table_count;
	const char *xa; /* X'..',X'..',N: formatID, gtrid and bqual in the servers' canonical form, however the statement wrote them */
};

/*
 * Never fails: what cannot be read is STATEMENT_OTHER, and of a definition that cannot be read to its end the tables are missing: then any may be meant.
 * Results live in the arena. Text must be UTF-8 or ASCII-compatible.
 */
void statement_read(const struct binlog_query *query, struct arena *arena, struct statement *ret_statement);

#endif
