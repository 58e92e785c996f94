/*
 * sink_postgres.c: PostgreSQL as a target.
 *
 *   open ──► idle ──begin──► transaction ──commit──► idle      idle:   pipeline mode, nothing in flight
 *              ▲                  │                            broken: connection lost, or a wait was interrupted:
 *              └──────abort───────┴─────────► broken                   begin() says ERROR_RETRY, close() is left
 *
 * open: 1. connect, set the session;
 *       2. take the pipeline's advisory lock, held as long as the session lives;
 *       3. make the position table if it is missing;
 *       4. raise the epoch in the position row, and read where the target stands;
 *       5. prepare the statements that each commit needs.
 *
 * commit: 1. send the position, and wait for the answer to it and to every write. An UPDATE or DELETE that touched no row
 *            is no error to the server: were the COMMIT on its way already, the server would make the rest durable, and
 *            the position with it. The position's statement divides by the number of rows that it changed: 0 if the
 *            epoch in the row is no longer ours. So a fenced agent cannot commit anything.
 *         2. Send COMMIT and wait.
 *
 * Deferrable constraints are deferred to the COMMIT: the log has rows, not statements, and between two rows of one
 * statement (UPDATE t SET place = place + 1) such a constraint may be violated.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/sink.h"
#include "apply/sink_postgres_connect.h"
#include "apply/sink_postgres_queue.h"
#include "apply/sink_postgres_shape.h"
#include "apply/sink_postgres_write.h"
#include "apply/sink_table.h"
#include "apply/sink_text.h"
#include "lib/base/failpoint.h"

#define OLDEST_SERVER 120000
/* "tail": the first half of the advisory lock's key; the other is a hash of the pipeline's name. */
#define LOCK_CLASS 0x7461696c
#define NUMBER_TEXT 24

struct sink {
	struct queue queue;
	struct writer writer;
	bool connected;   /* queue is initialized */
	bool transaction; /* between begin and commit or abort */
	char *name;
	char epoch[NUMBER_TEXT];
};

/* What an administrator runs if the agent's user may not. fillfactor: its updates stay in its page (HOT). */
static const char begin_statement[] = "tailrace_begin", commit_statement[] = "tailrace_commit";
static const char defer_statement[] = "tailrace_defer";
static const char position_statement[] = "tailrace_position", offsets_statement[] = "tailrace_offsets";

#define POSITION_SQL(offsets) \
	"WITH done AS (UPDATE tailrace.position SET log = $3, transaction_id = $4, commit_position = $5" offsets \
	", updated_at = pg_catalog.clock_timestamp() WHERE pipeline = $1 AND epoch = $2 RETURNING 1)" \
	" SELECT 1 / pg_catalog.count(*) FROM done"

/* ---- queries outside of the stream of changes ---- */

/* One query and its answer; without an open transaction it is one of its own. */
static int ask(
	struct sink *sink, const char *sql, int count, const char *const *values, PGresult **ret, struct error *err)
{
	PGresult *answer = NULL;

	if (queue_query(&sink->queue, sql, count, values, &answer, err) < 0)
		return -1;
	if (!sink->transaction && (queue_sync(&sink->queue, err) < 0 || queue_settle(&sink->queue, 0, err) < 0)) {
		PQclear(answer);
		return -1;
	}
	*ret = answer;
	return 0;
}

static int tell(struct sink *sink, const char *sql, int count, const char *const *values, struct error *err)
{
	PGresult *answer;

	if (ask(sink, sql, count, values, &answer, err) < 0)
		return -1;
	PQclear(answer);
	return 0;
}

/* ---- open ---- */

/* FNV-1a. Two names with one hash only share a lock: the second waits without need, nothing breaks. */
static int32_t lock_key(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return (int32_t)hash;
}

static int take_lock(struct sink *sink, struct error *err)
{
	char class[NUMBER_TEXT], key[NUMBER_TEXT], holder[NUMBER_TEXT] = "unknown";
	const char *values[] = { class, key };
	PGresult *answer;
	bool taken;

	(void)snprintf(class, sizeof class, "%d", LOCK_CLASS);
	(void)snprintf(key, sizeof key, "%" PRId32, lock_key(sink->name));
	if (ask(sink, "SELECT pg_catalog.pg_try_advisory_lock($1::int4, $2::int4)", 2, values, &answer, err) < 0)
		return -1;
	taken = PQgetvalue(answer, 0, 0)[0] == 't';
	PQclear(answer);
	if (taken)
		return 0;
	if (ask(sink,
		    "SELECT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database"
		    " WHERE l.locktype = 'advisory' AND l.granted"
		    " AND l.objsubid = 2 AND d.datname = pg_catalog.current_database()"
		    " AND l.classid::int8 = $1::int8 AND l.objid::int8 = $2::int8 & 4294967295",
		    2, values, &answer, err) < 0)
		return -1;
	if (PQntuples(answer) > 0)
		(void)snprintf(holder, sizeof holder, "%s", PQgetvalue(answer, 0, 0));
	PQclear(answer);
	(void)error_set(err, ERROR_RETRY,
		"target is held by another apply agent of pipeline \"%s\" (server process %s)", sink->name, holder);
	return error_hint(err,
		"this agent stands by until the other ends; if there should be none, look for it in pg_stat_activity");
}

static int make_position_table(struct sink *sink, struct error *err)
{
	PGresult *answer;
	bool schema, table;

	if (ask(sink,
		    "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'tailrace'), EXISTS ("
		    "SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		    " WHERE n.nspname = 'tailrace' AND c.relname = 'position')",
		    0, NULL, &answer, err) < 0)
		return -1;
	schema = PQgetvalue(answer, 0, 0)[0] == 't';
	table = PQgetvalue(answer, 0, 1)[0] == 't';
	PQclear(answer);
	if (table ||
		((schema || tell(sink, POSITION_SCHEMA, 0, NULL, err) == 0) &&
			tell(sink, POSITION_TABLE, 0, NULL, err) == 0))
		return 0;
	if (err->class == ERROR_CONFIG) {
		(void)error_prefix(err, "position table tailrace.position is missing and cannot be made");
		return error_hint(err,
			POSITION_SCHEMA "; " POSITION_TABLE "; GRANT USAGE ON SCHEMA tailrace TO \"%s\"; "
					"GRANT SELECT, INSERT, UPDATE ON tailrace.position TO \"%s\"",
			PQuser(sink->queue.conn), PQuser(sink->queue.conn));
	}
	if (err->class == ERROR_DATA) /* another agent made it at the same time */
		err->class = ERROR_RETRY;
	return -1;
}

static void copy_field(const PGresult *answer, int field, char *out, size_t size)
{
	(void)snprintf(out, size, "%s", PQgetvalue(answer, 0, field));
}

/* The row's first write of this run: from here on, whoever has the old epoch can no longer commit. */
static int take_position(struct sink *sink, struct sink_position *ret, struct error *err)
{
	const char *values[] = { sink->name };
	struct sink_position position = { .found = false };
	PGresult *answer;

	if (ask(sink,
		    "INSERT INTO tailrace.position AS p (pipeline, epoch, updated_at)"
		    " VALUES ($1, 1, pg_catalog.clock_timestamp())"
		    " ON CONFLICT (pipeline) DO UPDATE"
		    " SET epoch = p.epoch + 1, updated_at = pg_catalog.clock_timestamp()"
		    " RETURNING p.epoch, p.transaction_id, p.log, p.commit_position, p.offsets",
		    1, values, &answer, err) < 0) {
		if (err->class == ERROR_CONFIG)
			(void)error_hint(err,
				"the table has to be: " POSITION_TABLE
				"; with USAGE on the schema and SELECT, INSERT, UPDATE for \"%s\"",
				PQuser(sink->queue.conn));
		return error_prefix(err, "position table tailrace.position");
	}
	copy_field(answer, 0, sink->epoch, sizeof sink->epoch);
	position.epoch = strtoull(sink->epoch, NULL, 10);
	if (!PQgetisnull(answer, 0, 1)) {
		position.found = true;
		copy_field(answer, 1, position.transaction_id, sizeof position.transaction_id);
		copy_field(answer, 2, position.log, sizeof position.log);
		position.commit = strtoull(PQgetvalue(answer, 0, 3), NULL, 10);
	}
	if (!PQgetisnull(answer, 0, 4)) {
		position.offsets = strdup(PQgetvalue(answer, 0, 4));
		if (position.offsets == NULL) {
			PQclear(answer);
			return error_set(err, ERROR_RETRY, "memory is short");
		}
	}
	PQclear(answer);
	*ret = position;
	return 0;
}

static int prepare_fixed(struct sink *sink, struct error *err)
{
	static const struct {
		const char *name, *sql;
		int count;
	} statements[] = { { begin_statement, "BEGIN", 0 }, { defer_statement, "SET CONSTRAINTS ALL DEFERRED", 0 },
		{ commit_statement, "COMMIT", 0 },
		{ position_statement, POSITION_SQL(""), 5 }, { offsets_statement, POSITION_SQL(", offsets = $6"), 6 } };
	static const Oid types[] = { 25, 20, 25, 25, 1700, 25 }; /* text, int8, text, text, numeric, text */
	struct queue_entry *entry;
	bool prepared;

	for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
		if (queue_next(&sink->queue, SINK_PREPARE, &entry, err) < 0)
			return -1;
		entry->statement.verb = "the statement";
		entry->statement.table = statements[i].name;
		entry->prepared = &prepared;
		if (queue_send_prepare(
			    &sink->queue, statements[i].name, statements[i].sql, statements[i].count, types, err) < 0)
			return -1;
	}
	if (queue_sync(&sink->queue, err) < 0 || queue_settle(&sink->queue, 0, err) < 0)
		return -1;
	return queue_error(&sink->queue, err);
}

static void postgres_close(struct sink *sink)
{
	if (sink == NULL)
		return;
	writer_release(&sink->writer);
	if (sink->connected)
		queue_release(&sink->queue);
	free(sink->name);
	free(sink);
}

static int set_up(struct sink *sink, const struct sink_options *options, struct error *err)
{
	char session[CONNECT_SESSION_MAX];
	PGconn *conn;
	int version;

	if (connect_open(options, &conn, err) < 0)
		return -1;
	sink->connected = true;
	if (queue_init(&sink->queue, conn, options->wake_fd, options->stop, err) < 0)
		return -1;
	sink->queue.refusal.row_wise_until = options->row_wise_until;
	writer_init(&sink->writer, &sink->queue);
	version = PQserverVersion(conn);
	if (version < OLDEST_SERVER)
		return error_set(err, ERROR_CONFIG,
			"the target is PostgreSQL %d, and 12 is the oldest that is supported", version / 10000);
	if (tell(sink, connect_session(options, session), 0, NULL, err) < 0)
		return -1;
	/* From 14 on, and not on every platform (sink_postgres_connect.c says what for); it works without. */
	if (tell(sink, "SELECT pg_catalog.set_config('client_connection_check_interval', '2s', false)", 0, NULL, err) <
			0 &&
		!queue_rollback(&sink->queue))
		return -1;
	error_clear(err);
	/* From 14 and 17 on; a name that the server does not know is no row here, and no error. */
	return tell(sink,
		"SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings"
		" WHERE name IN ('idle_session_timeout', 'transaction_timeout')",
		0, NULL, err);
}

static int postgres_open(const struct sink_options *options, struct sink **ret_sink, struct sink_position *ret_position,
	struct error *err)
{
	struct sink_position position = { .offsets = NULL };
	struct sink *sink = calloc(1, sizeof *sink);

	if (sink == NULL)
		return error_set(err, ERROR_RETRY, "memory is short");
	sink->name = strdup(options->name);
	if (sink->name == NULL) {
		(void)error_set(err, ERROR_RETRY, "memory is short");
		goto fail;
	}
	if (set_up(sink, options, err) < 0 || take_lock(sink, err) < 0 || make_position_table(sink, err) < 0 ||
		take_position(sink, &position, err) < 0 || prepare_fixed(sink, err) < 0)
		goto fail;
	*ret_sink = sink;
	*ret_position = position;
	return 0;
fail:
	free(position.offsets);
	postgres_close(sink);
	return -1;
}

/* ---- prepare ---- */

static int check_labels(struct sink *sink, const struct shape *shape, size_t i, struct error *err)
{
	const struct sink_table_column *column = &shape->table.columns[i];
	const struct column *source = column->source;
	char type[NUMBER_TEXT];
	const char *values[] = { type, NULL };
	struct buf labels;
	PGresult *answer;
	int result = 0;

	buf_init(&labels, SINK_SQL_MAX);
	buf_append_byte(&labels, '{');
	for (size_t l = 0; l < source->label_count; l++) {
		if (l > 0)
			buf_append_byte(&labels, ',');
		sink_array_quote(&labels, source->labels[l], strlen(source->labels[l]));
	}
	buf_append_byte(&labels, '}');
	values[1] = buf_cstr(&labels);
	(void)snprintf(type, sizeof type, "%u", shape->columns[i].enum_type);
	if (buf_check(&labels, column->name, err) < 0 || ask(sink, shape_enum_query, 2, values, &answer, err) < 0) {
		buf_release(&labels);
		return -1;
	}
	if (PQntuples(answer) > 0) {
		(void)error_set(err, ERROR_CONFIG, "the enum of column %s of target table %s has no label \"%s\"",
			column->name, shape->table.name, PQgetvalue(answer, 0, 0));
		result = error_hint(err, "ALTER TYPE ... ADD VALUE at the target");
	}
	PQclear(answer);
	buf_release(&labels);
	return result;
}

static int look_at(struct sink *sink, const struct sink_mapping *mapping, struct shape **ret_shape, struct error *err)
{
	const char *values[] = { mapping->target_schema, mapping->target_table, NULL };
	struct shape *shape = NULL;
	struct buf key;
	PGresult *answer;
	int result = -1;

	buf_init(&key, SINK_SQL_MAX);
	if (shape_key_names(mapping, &key, err) < 0)
		goto out;
	values[2] = buf_cstr(&key);
	if (ask(sink, shape_query, 3, values, &answer, err) < 0)
		goto out;
	result = shape_new(mapping, answer, &shape, err);
	PQclear(answer);
	for (size_t i = 0; result == 0 && i < shape->table.column_count; i++)
		if (shape->columns[i].enum_type != 0)
			result = check_labels(sink, shape, i, err);
	if (result == 0)
		*ret_shape = shape;
	else
		shape_free(shape);
out:
	buf_release(&key);
	return result;
}

static int postgres_prepare(struct sink *sink, const struct sink_mapping *mapping, void **ret_handle, struct error *err)
{
	struct write_target *target;
	struct shape *shape = NULL;

	/* What waits goes first: an error of it must not look like one of the catalogue query. */
	if (writer_flush(&sink->writer, err) < 0 || look_at(sink, mapping, &shape, err) < 0) {
		if (!sink->transaction && sink->queue.refusal.failed)
			(void)queue_rollback(&sink->queue);
		return -1;
	}
	if (writer_add(&sink->writer, shape, &target, err) < 0)
		return -1;
	*ret_handle = target;
	return 0;
}

/* ---- transactions ---- */

static int postgres_begin(struct sink *sink, struct error *err)
{
	struct queue_entry *entry;

	if (sink->transaction)
		return error_set(err, ERROR_BUG, "a target transaction is open already");
	if (queue_next(&sink->queue, SINK_BEGIN, &entry, err) < 0 ||
		queue_send_prepared(&sink->queue, begin_statement, 0, NULL, NULL, NULL, 0, err) < 0)
		return -1;
	sink->transaction = true;
	if (queue_next(&sink->queue, SINK_BEGIN, &entry, err) < 0)
		return -1;
	return queue_send_prepared(&sink->queue, defer_statement, 0, NULL, NULL, NULL, 0, err);
}

static int postgres_write(struct sink *sink, void *handle, const struct change *chg, const struct value *old_key,
	const struct transaction *txn, struct error *err)
{
	if (!sink->transaction)
		return error_set(err, ERROR_BUG, "no target transaction is open");
	return writer_write(&sink->writer, handle, chg, old_key, txn, err);
}

static int send_position(struct sink *sink, const struct sink_position *position, struct error *err)
{
	bool offsets = position->offsets != NULL;
	char commit[NUMBER_TEXT];
	const char *values[] = { sink->name, sink->epoch, position->log, position->transaction_id, commit,
		position->offsets };
	struct queue_entry *entry;

	(void)snprintf(commit, sizeof commit, "%" PRIu64, position->commit);
	if (queue_next(&sink->queue, SINK_POSITION, &entry, err) < 0)
		return -1;
	return queue_send_prepared(&sink->queue, offsets ? offsets_statement : position_statement, offsets ? 6 : 5,
		values, NULL, NULL, offsets ? strlen(position->offsets) : 0, err);
}

static int postgres_commit(struct sink *sink, const struct sink_position *position, struct error *err)
{
	struct queue_entry *entry;

	if (!sink->transaction)
		return error_set(err, ERROR_BUG, "no target transaction is open");
	if (writer_flush(&sink->writer, err) < 0 || send_position(sink, position, err) < 0 ||
		queue_settle(&sink->queue, 0, err) < 0 || queue_error(&sink->queue, err) < 0)
		return -1;
	if (failpoint_reach(FP_APPLY_POSITION, err) < 0)
		return -1;
	if (queue_next(&sink->queue, SINK_COMMIT, &entry, err) < 0)
		return -1;
	memcpy(entry->statement.first.transaction_id, position->transaction_id, sizeof position->transaction_id);
	if (queue_send_prepared(&sink->queue, commit_statement, 0, NULL, NULL, NULL, 0, err) < 0 ||
		queue_sync(&sink->queue, err) < 0 || queue_flush(&sink->queue, err) < 0)
		return -1;
	if (failpoint_reach(FP_APPLY_COMMIT, err) < 0) {
		sink->queue.broken = true; /* as if the answer had been lost: nobody knows whether it is committed */
		return -1;
	}
	if (queue_settle(&sink->queue, 0, err) < 0 || queue_error(&sink->queue, err) < 0)
		return -1;
	sink->transaction = false;
	return 0;
}

static void postgres_abort(struct sink *sink)
{
	writer_drop(&sink->writer);
	if (sink->transaction || sink->queue.refusal.failed || queue_in_flight(&sink->queue) > 0)
		(void)queue_rollback(&sink->queue);
	sink->transaction = false;
}

static size_t postgres_queued(const struct sink *sink)
{
	return sink->writer.run.bytes.len + sink->queue.unsent;
}

const struct sink_ops sink_postgres = {
	.name = "postgresql",
	.open = postgres_open,
	.prepare = postgres_prepare,
	.begin = postgres_begin,
	.write = postgres_write,
	.commit = postgres_commit,
	.abort = postgres_abort,
	.queued = postgres_queued,
	.close = postgres_close,
};
