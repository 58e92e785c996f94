/*
 * sink.h: a target, as the apply pipeline sees it.
 *
 * The promise of a sink with transactions: after commit() has returned 0, the rows and the position are durable together; after anything
 * else, neither is. The position row is the truth about what was applied; Kafka's group offsets are a hint.
 *
 * Calls: open, then prepare() once for each table shape before its first write; then any number of begin, write ..., boundary ..., commit (or abort); close.
 * Writes may be queued: an error of a queued write comes out of a later write or of commit, and names position, table and key of the change that was refused.
 * Every wait inside a sink also watches wake_fd and asks stop(): when it says so, the sink aborts and returns ERROR_RETRY "interrupted".
 *
 * Classes: ERROR_RETRY connection, deadlock, serialization, lock time-out: abort, re-open or begin again with the same transactions.
 * ERROR_DATA: the target refuses a row. ERROR_CONFIG: shape or grants. ERROR_FENCED: another agent has raised the epoch.
 * Another agent holds the lock: ERROR_RETRY from open(), so that this one stands by.
 */
#ifndef TAILRACE_APPLY_SINK_H
#define TAILRACE_APPLY_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/change/change.h"

/* What the target has: nothing (found = false) or everything up to and including this transaction. */
struct sink_position {
	bool found;
	char log[POSITION_LOG_MAX];
	char transaction_id[TRANSACTION_ID_MAX];
	uint64_t commit;
	uint64_t epoch;  /* of this apply agent's run; raised by open() */
	char *offsets;   /* where to read on, one line "topic partition offset\n" each; NULL: unknown. open(): the caller frees it */
};

/* Where a source column goes. */
struct sink_column {
	size_t source; /* index in the table's columns */
	const char *target;
};

/* Where a source table goes; made by the pipeline from the configuration, for one struct table. Lives as long as the sink uses it. */
struct sink_mapping {
	const struct table *table;
	const char *target_schema, *target_table;
	const struct sink_column *columns;
	size_t column_count;
};

struct sink_options {
	const char *type; /* "postgresql", "mysql", "mariadb" */
	const char *name; /* of the pipeline: the position row's key, and the lock's */
	const char *hostname, *user, *password, *dbname, *sslmode, *sslrootcert, *sslcert, *sslkey;
	int64_t port;
	int64_t lock_timeout_us; /* 0: none */
	int wake_fd;
	bool (*stop)(void);
	/*
	 * A commit position kept by the pipeline over re-opens, 0 at first. A sink that writes several rows with one statement cannot name the one
	 * that is refused: it then raises this to the refused rows' position and returns ERROR_RETRY, and transactions up to it are
	 * written row by row when they come again. NULL: always row by row.
	 */
	uint64_t *row_wise_until;
};

struct sink;

/* All operations are required. One thread. */
struct sink_ops {
	const char *name;
	/* Connects, takes the pipeline's lock, makes the position table if it may, raises the epoch, reads the position. */
	int (*open)(const struct sink_options *options, struct sink **ret_sink, struct sink_position *ret_position,
		struct error *err);
	/*
	 * Looks at the target's table: it and every mapped column must be there, with a type that holds the source's, a key for updates and
	 * deletes, and no further NOT NULL column without default. *ret_handle goes into write(). Outside of transactions or in one.
	 */
	int (*prepare)(struct sink *sink, const struct sink_mapping *mapping, void **ret_handle, struct error *err);
	int (*begin)(struct sink *sink, struct error *err);
	/*
	 * One change. old_key: for an update that moves the key, the old key's values (column_count values, others VALUE_NULL), else NULL.
	 * Consecutive truncates are one statement. Nothing given is kept after return, so queued values are copied.
	 */
	int (*write)(struct sink *sink, void *handle, const struct change *chg, const struct value *old_key,
		const struct transaction *txn, struct error *err);
	/* Writes the position and commits both; waits for the answer. */
	int (*commit)(struct sink *sink, const struct sink_position *position, struct error *err);
	/* Rolls back whatever is open; never fails (a broken connection rolls back by itself). */
	void (*abort)(struct sink *sink);
	/* Bytes that queued writes hold: the pipeline bounds a group by it. */
	size_t (*queued)(const struct sink *sink);
	void (*close)(struct sink *sink);
};

extern const struct sink_ops sink_postgres;
extern const struct sink_ops sink_mysql; /* MySQL and MariaDB; options->type says which it must be */
extern const struct sink_ops sink_null; /* accepts everything, keeps the position in memory: for benchmarks and tests */

#endif
