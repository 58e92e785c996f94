/*
 * change.h: one change of one row (or table), and the transaction that it belongs to. The one model for both sides.
 */
#ifndef TAILRACE_CHANGE_CHANGE_H
#define TAILRACE_CHANGE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/change/position.h"
#include "lib/change/table.h"
#include "lib/change/value.h"

/* The letters are those of the event contract. */
enum change_op {
	CHANGE_INSERT = 'c',
	CHANGE_UPDATE = 'u',
	CHANGE_DELETE = 'd',
	CHANGE_READ = 'r', /* of a snapshot */
	CHANGE_TRUNCATE = 't'
};

#define TRANSACTION_ID_MAX 160
#define TRANSACTION_GTID_MAX 96

struct transaction {
	/*
	 * What it is, ":", commit as a decimal number. PostgreSQL: "<xid>:<LSN>". MySQL, MariaDB: "<GTID>:<number>", without
	 * GTIDs "<file>/<position>:<number>".
	 */
	char id[TRANSACTION_ID_MAX];
	uint64_t commit;             /* position.h */
	uint64_t end;                /* what the source may forget once this transaction is durable (PostgreSQL: LSN behind the commit) */
	uint64_t xid;
	int64_t commit_us; /* wall time of the commit at the source, us since 1970 */
	/* MySQL, MariaDB; else "", 0 */
	char gtid[TRANSACTION_GTID_MAX]; /* "0-1-77", "<uuid>:77", "<uuid>:<tag>:77"; "" without GTIDs */
	uint32_t server_id;              /* of the server where it was committed first */
	uint64_t thread;                 /* of that server's connection; 0: not told */
};

/*
 * before/after have table->column_count values each, or are NULL:
 *   insert, read: after. update: after, and before if the log carries it. delete: before. truncate: neither.
 * With IDENTITY_KEY, before holds the key columns only (before_is_key), the others are VALUE_NULL and mean nothing.
 */
struct change {
	enum change_op op;
	const struct table *table;
	const struct value *before;
	const struct value *after;
	bool before_is_key;
	bool truncate_cascade;
	bool truncate_restart_identity;
	uint64_t lsn;         /* where the change itself stands in the log; MySQL, MariaDB: its event's offset in file */
	const char *file;     /* MySQL, MariaDB: the binlog file; else NULL */
	uint32_t row;         /* MySQL, MariaDB: number of the row in its event, from 0 */
	uint64_t index;       /* in the transaction, from 1 (contract: total_order) */
	uint64_t table_index; /* among the transaction's events of this table, from 1 (contract: data_collection_order) */
};

#endif
