/*
 * source.h: a database's log, as the capture pipeline sees it.
 *
 * A source gives items in the order of the log. Connections, keepalives, feedback and the heartbeat that it writes into
 * the log are inside; the pipeline only says how far things are durable. "received", "sent" and "durable" are three
 * different positions, and only the last goes back to the source.
 */
#ifndef TAILRACE_CAPTURE_SOURCE_H
#define TAILRACE_CAPTURE_SOURCE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/change.h"

enum source_item_kind {
	SOURCE_NOTHING,   /* nothing at hand: wait for the descriptors */
	SOURCE_BEGIN,     /* txn is set */
	SOURCE_CHANGE,    /* chg is set; index and table_index are the pipeline's to fill */
	SOURCE_COMMIT,    /* txn is complete */
	SOURCE_HEARTBEAT, /* our own mark came back out of the log, or the log's server said that it is alive: source_us, lsn */
	SOURCE_PROGRESS   /* no transaction is open and the log was read up to lsn */
};

struct source_item {
	enum source_item_kind kind;
	const struct transaction *txn; /* valid from BEGIN until the next BEGIN */
	struct change chg;             /* values live until the next call of next() or tend() */
	int64_t source_us;
	uint64_t lsn; /* in the unit of struct transaction's commit */
};

struct source_options {
	const char *hostname, *user, *password, *dbname, *sslmode, *sslrootcert, *sslcert, *sslkey;
	int64_t port;
	const char *slot_name;
	bool slot_create;
	const char *publication_name, *publication_create; /* disabled | all_tables | filtered */
	const char *const *table_include;
	size_t table_include_count;
	const char *const *table_exclude;
	size_t table_exclude_count;
	int64_t heartbeat_interval_us, status_interval_us;
	/* MySQL, MariaDB */
	const char *name;             /* the agent's: makes its server id if none is given, and names its file in the state directory */
	int64_t server_id;            /* as which replica the agent shows itself; 0: made from the name */
	bool semi_sync;               /* acknowledge a transaction to the server when Kafka has it */
	const char *state_directory;  /* for what the agent must remember and Kafka does not hold: shapes of tables */
	/* identity of the log that Kafka has, "" if none: another one is ERROR_GAP before anything is made */
	const char *expected_log;
	/* the position record's, 0 and "" if there is none: where resume() said that reading must go on for `confirmed` */
	uint64_t confirmed;
	const char *resume;
	bool (*stopping)(void); /* asked during long waits of open(), which then ends with ERROR_RETRY; NULL: never */
};

/* Who the log is and where it stands; filled by open(). */
struct source_identity {
	char log[POSITION_LOG_MAX];
	bool slot_created;  /* by this open(): the log was never read before */
	/* the slot's confirmed position: transactions whose commit stands at or behind it will come */
	uint64_t confirmed;
	uint64_t head;      /* the log's end now */
};

struct source;

/* One table; names live for the call. */
typedef int source_table_visit(void *context, const char *schema, const char *name, struct error *err);

/* One thread; all required. */
struct source_ops {
	const char *connector; /* "postgresql", "mysql", "mariadb" */
	/*
	 * may_create: false when Kafka already has history of this log: then a missing slot is ERROR_GAP and nothing is
	 * made.
	 */
	int (*open)(const struct source_options *options, bool may_create, struct source **ret_source,
		struct source_identity *ret_identity, struct error *err);
	/*
	 * Starts the stream after `from` (0: where the slot stands). From then on the log is ours alone: a second
	 * reader is ERROR_RETRY (it stands by), and head() is not older than this call.
	 */
	int (*start)(struct source *src, uint64_t from, struct error *err);
	/* Visits each table whose changes may come, as far as is known now. The first error of visit ends it. */
	int (*tables)(struct source *src, source_table_visit *visit, void *context, struct error *err);
	/* Fills the item; SOURCE_NOTHING when it would wait. Sends due feedback and heartbeats by itself. */
	int (*next)(struct source *src, struct source_item *ret_item, struct error *err);
	/*
	 * Without reading: sends due feedback, which also keeps the server from giving us up (call it while Kafka takes
	 * nothing more).
	 */
	int (*tend)(struct source *src, struct error *err);
	/*
	 * Adds the descriptors to wait for to fds (at most `room`), returns their number; *io_timeout_ms is lowered to
	 * the next duty.
	 */
	size_t (*poll_fds)(struct source *src, struct pollfd *fds, size_t room, int *io_timeout_ms);
	/* Everything up to lsn is durable in Kafka, and so is the record that says so: the log may forget it. */
	int (*confirm)(struct source *src, uint64_t lsn, struct error *err);
	/*
	 * Last known end of the log: no transaction that the server has now commits at or behind it. UINT64_MAX if that cannot
	 * be told in this unit.
	 */
	uint64_t (*head)(const struct source *src);
	/* Bytes of log between `confirmed` and the last known end; -1: not known. */
	int64_t (*lag_bytes)(const struct source *src, uint64_t confirmed);
	/*
	 * Appends what open() must be given as `resume`, so that every transaction that commits at or behind upto comes again
	 * under the same number; nothing where upto alone says it (PostgreSQL). upto: a transaction's end, or an item's lsn, and
	 * never less than in the call before; what lies before it may be forgotten by now.
	 */
	int (*resume)(struct source *src, uint64_t upto, struct buf *out, struct error *err);
	/* Where upto is, in the words of the source's operators: an LSN, or file, offset and GTID set; cut to size. Returns buf. */
	const char *(*describe)(const struct source *src, uint64_t upto, char *buf, size_t size);
	void (*close)(struct source *src);
};

extern const struct source_ops source_postgres;
/* One server speaks for itself: open() refuses the other kind by name. */
extern const struct source_ops source_mysql;
extern const struct source_ops source_mariadb;

#endif
