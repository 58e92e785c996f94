/*
 * sink_mysql.c: MySQL and MariaDB as targets.
 *
 *   open ──► idle ──begin──► transaction ──commit──► idle      idle:   nothing under way
 *              ▲                  │                            broken: connection lost, or a wait was interrupted:
 *              └──────abort───────┴─────────► broken                   begin() says ERROR_RETRY, close() is left
 *
 * open: 1. connect, set the session (autocommit off, so that whatever follows is in a transaction);
 *       2. take the pipeline's lock (GET_LOCK), held as long as the connection lives;
 *       3. make the position table if it is missing;
 *       4. raise the epoch in the position row, and read where the target stands.
 *
 * commit: 1. send what waits and the position behind it, and read all answers. An UPDATE or DELETE that touched no row is no error to
 *            the server: were the COMMIT on its way already, the server would make the rest durable. The position's UPDATE names
 *            the epoch: if it finds no row, another agent has taken over, and nothing is committed.
 *         2. Send COMMIT and wait.
 *
 * Where the answer to a COMMIT is lost, or is an error, the position row tells at the next open() what became of it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/sink.h"
#include "apply/sink_mysql_connect.h"
#include "apply/sink_mysql_queue.h"
#include "apply/sink_mysql_shape.h"
#include "apply/sink_mysql_types.h"
#include "apply/sink_mysql_write.h"
#include "apply/sink_text.h"
#include "lib/base/failpoint.h"

#define NUMBER_TEXT 24
#define LOCK_NAME_MAX 64 /* MySQL's limit */
#define SQL_MAX ((size_t)32 << 20) /* the offsets of all partitions are in it */
#define POSITION_DATABASE "CREATE DATABASE IF NOT EXISTS tailrace"
#define POSITION_COLUMNS                                                                                              \
	"pipeline VARCHAR(63) NOT NULL PRIMARY KEY, epoch BIGINT UNSIGNED NOT NULL, log VARCHAR(160), "               \
	"transaction_id VARCHAR(160), commit_position BIGINT UNSIGNED, offsets LONGTEXT, updated_at DATETIME(6)"
/* What an administrator runs if the agent's user may not. */
#define POSITION_TABLE                                                                                                \
	"CREATE TABLE IF NOT EXISTS tailrace.`position` (" POSITION_COLUMNS                                           \
	") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"

struct sink {
	struct my_queue queue;
	struct my_writer writer;
	bool transaction; /* between begin and commit or abort */
	char *name;
	uint64_t epoch;
	struct buf sql;
};

/* ---- queries outside of the stream of changes ---- */

static int ask(struct sink *sink, MYSQL_RES **ret, struct error *err)
{
	if (buf_check(&sink->sql, "a query", err) < 0)
		return -1;
	return my_link_ask(&sink->queue.link, sink->sql.data, sink->sql.len, ret, err);
}

static int tell(struct sink *sink, const char *sql, struct error *err)
{
	return my_link_ask(&sink->queue.link, sql, strlen(sql), NULL, err);
}

/* The one field of a one-row answer, "" for NULL or none. */
static int ask_field(struct sink *sink, char *out, size_t size, struct error *err)
{
	MYSQL_RES *answer;
	MYSQL_ROW row;

	if (ask(sink, &answer, err) < 0)
		return -1;
	row = mysql_fetch_row(answer);
	(void)snprintf(out, size, "%s", row != NULL && row[0] != NULL ? row[0] : "");
	mysql_free_result(answer);
	return 0;
}

/* ---- open ---- */

/* The name's hash (FNV-1a) stands for what is cut off, and for its case: a lock's name has none at MySQL. */
static void put_lock_name(struct sink *sink)
{
	char name[LOCK_NAME_MAX + 1];
	uint32_t hash = 2166136261u;

	for (const char *at = sink->name; *at != '\0'; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	(void)snprintf(name, sizeof name, "tailrace.%.40s.%08" PRIx32, sink->name, hash);
	my_quote(&sink->sql, name, strlen(name));
}

static int take_lock(struct sink *sink, struct error *err)
{
	char taken[NUMBER_TEXT], holder[NUMBER_TEXT];

	buf_reset(&sink->sql);
	buf_append_str(&sink->sql, "SELECT GET_LOCK(");
	put_lock_name(sink);
	/* A second's patience: of a connection that this agent has just closed, the server may not have let the lock go yet. */
	buf_append_str(&sink->sql, ", 1)");
	if (ask_field(sink, taken, sizeof taken, err) < 0)
		return -1;
	if (strcmp(taken, "1") == 0)
		return 0;
	buf_reset(&sink->sql);
	buf_append_str(&sink->sql, "SELECT IS_USED_LOCK(");
	put_lock_name(sink);
	buf_append_byte(&sink->sql, ')');
	if (ask_field(sink, holder, sizeof holder, err) < 0)
		return -1;
	(void)error_set(err, ERROR_RETRY,
		"target is held by another apply agent of pipeline \"%s\" (server connection %s)", sink->name,
		holder[0] != '\0' ? holder : "unknown");
	return error_hint(err,
		"this agent stands by until the other ends; if there should be none, look for the connection in SHOW PROCESSLIST");
}

static int make_position_table(struct sink *sink, struct error *err)
{
	char engine[64];

	buf_reset(&sink->sql);
	buf_append_str(&sink->sql, "SELECT COALESCE(t.engine, 'none') FROM information_schema.tables t"
		" WHERE t.table_schema='tailrace' AND t.table_name='position'");
	if (ask_field(sink, engine, sizeof engine, err) < 0)
		return -1;
	if (engine[0] != '\0') {
		if (my_engine_is_safe(engine))
			return 0;
		(void)error_set(err, ERROR_CONFIG, "position table tailrace.position is of engine %s, and not of InnoDB", engine);
		return error_hint(err, "ALTER TABLE tailrace.`position` ENGINE=InnoDB");
	}
	/* The database may be there, and only the table be missing or out of sight. */
	(void)tell(sink, POSITION_DATABASE, NULL);
	if (tell(sink, POSITION_TABLE, err) == 0)
		return 0;
	if (err->class == ERROR_RETRY)
		return -1;
	err->class = ERROR_CONFIG;
	(void)error_prefix(err, "position table tailrace.position is missing and cannot be made");
	return error_hint(err, POSITION_DATABASE "; " POSITION_TABLE
			"; GRANT SELECT, INSERT, UPDATE ON tailrace.`position` TO the agent's user");
}

static void copy_field(const char *field, char *out, size_t size)
{
	(void)snprintf(out, size, "%s", field != NULL ? field : "");
}

static int read_position(struct sink *sink, struct sink_position *ret, struct error *err)
{
	struct sink_position position = { .found = false };
	MYSQL_RES *answer;
	MYSQL_ROW row;

	buf_reset(&sink->sql);
	buf_append_str(&sink->sql, "SELECT epoch, transaction_id, log, commit_position, offsets"
				   " FROM tailrace.`position` WHERE pipeline=");
	my_quote(&sink->sql, sink->name, strlen(sink->name));
	if (ask(sink, &answer, err) < 0)
		return -1;
	row = mysql_fetch_row(answer);
	if (row == NULL) {
		mysql_free_result(answer);
		return error_set(err, ERROR_RETRY, "the position row of pipeline \"%s\" has vanished", sink->name);
	}
	position.epoch = strtoull(row[0], NULL, 10);
	position.found = row[1] != NULL;
	copy_field(row[1], position.transaction_id, sizeof position.transaction_id);
	copy_field(row[2], position.log, sizeof position.log);
	position.commit = row[3] != NULL ? strtoull(row[3], NULL, 10) : 0;
	if (row[4] != NULL)
		position.offsets = strdup(row[4]);
	if (row[4] != NULL && position.offsets == NULL) {
		mysql_free_result(answer);
		return error_set(err, ERROR_RETRY, "memory is short");
	}
	mysql_free_result(answer);
	*ret = position;
	return 0;
}

/* The row's first write of this run: from here on, whoever has the old epoch can no longer commit. */
static int take_position(struct sink *sink, struct sink_position *ret, struct error *err)
{
	struct sink_position position = { .offsets = NULL };

	buf_reset(&sink->sql);
	buf_append_str(&sink->sql, "INSERT INTO tailrace.`position` (pipeline, epoch, updated_at) VALUES (");
	my_quote(&sink->sql, sink->name, strlen(sink->name));
	buf_append_str(&sink->sql, ", 1, UTC_TIMESTAMP(6))"
				   " ON DUPLICATE KEY UPDATE epoch=epoch+1, updated_at=UTC_TIMESTAMP(6)");
	if (ask(sink, NULL, err) < 0 || read_position(sink, &position, err) < 0 || tell(sink, "COMMIT", err) < 0) {
		free(position.offsets);
		if (err->class == ERROR_CONFIG)
			(void)error_hint(err, "the table has to be: " POSITION_TABLE
					      "; with SELECT, INSERT, UPDATE for the agent's user");
		return error_prefix(err, "position table tailrace.position");
	}
	sink->epoch = position.epoch;
	*ret = position;
	return 0;
}

static void mysql_sink_close(struct sink *sink)
{
	if (sink == NULL)
		return;
	my_queue_release(&sink->queue);
	my_writer_release(&sink->writer);
	buf_release(&sink->sql);
	free(sink->name);
	free(sink);
}

static int mysql_sink_open(const struct sink_options *options, struct sink **ret_sink,
	struct sink_position *ret_position, struct error *err)
{
	struct sink_position position = { .offsets = NULL };
	struct sink *sink = calloc(1, sizeof *sink);

	if (sink == NULL)
		return error_set(err, ERROR_RETRY, "memory is short");
	buf_init(&sink->sql, SQL_MAX);
	my_writer_init(&sink->writer, &sink->queue);
	sink->name = strdup(options->name);
	if (sink->name == NULL) {
		(void)error_set(err, ERROR_RETRY, "memory is short");
		goto fail;
	}
	if (my_connect(options, &sink->queue.link, err) < 0)
		goto fail;
	my_queue_init(&sink->queue, options->row_wise_until);
	if (take_lock(sink, err) < 0 || make_position_table(sink, err) < 0 || take_position(sink, &position, err) < 0)
		goto fail;
	*ret_sink = sink;
	*ret_position = position;
	return 0;
fail:
	mysql_sink_close(sink);
	return -1;
}

/* ---- prepare ---- */

static int mysql_sink_prepare(
	struct sink *sink, const struct sink_mapping *mapping, void **ret_handle, struct error *err)
{
	struct my_target *target;
	struct my_shape *shape = NULL;
	int result;

	/* What waits goes first: an error of it must not look like one of the catalogue's queries. */
	if (my_writer_flush(&sink->writer, err) < 0 || my_queue_push(&sink->queue, err) < 0 ||
		my_queue_settle(&sink->queue, err) < 0 || my_queue_error(&sink->queue, err) < 0)
		return -1;
	result = my_shape_new(&sink->queue.link, mapping, &shape, err);
	if (!sink->transaction && !sink->queue.link.broken)
		(void)my_queue_rollback(&sink->queue); /* the questions have opened one */
	if (result < 0 || my_writer_add(&sink->writer, shape, &target, err) < 0)
		return -1;
	*ret_handle = target;
	return 0;
}

/* ---- transactions ---- */

/* Without autocommit the first statement begins it. */
static int mysql_sink_begin(struct sink *sink, struct error *err)
{
	if (sink->transaction)
		return error_set(err, ERROR_BUG, "a target transaction is open already");
	if (sink->queue.link.broken)
		return error_set(err, ERROR_RETRY, "connection to the target was lost");
	sink->transaction = true;
	return 0;
}

static int mysql_sink_write(struct sink *sink, void *handle, const struct change *chg, const struct value *old_key,
	const struct transaction *txn, struct error *err)
{
	if (!sink->transaction)
		return error_set(err, ERROR_BUG, "no target transaction is open");
	return my_writer_write(&sink->writer, handle, chg, old_key, txn, err);
}

static void put_field(struct buf *sql, const char *name, const char *text)
{
	buf_append_str(sql, name);
	my_quote(sql, text, strlen(text));
}

static int send_position(struct sink *sink, const struct sink_position *position, struct error *err)
{
	static const struct sink_statement statement = { .kind = SINK_POSITION, .verb = "an update of", .table = "tailrace.position" };
	struct buf *sql = &sink->queue.packet;

	if (my_queue_add(&sink->queue, &statement, err) == NULL)
		return -1;
	buf_append_str(sql, "UPDATE tailrace.`position` SET updated_at=UTC_TIMESTAMP(6)");
	put_field(sql, ",log=", position->log);
	put_field(sql, ",transaction_id=", position->transaction_id);
	buf_append_str(sql, ",commit_position=");
	sink_put_uint(sql, position->commit);
	if (position->offsets != NULL)
		put_field(sql, ",offsets=", position->offsets);
	put_field(sql, " WHERE pipeline=", sink->name);
	buf_append_str(sql, " AND epoch=");
	sink_put_uint(sql, sink->epoch);
	return my_queue_push(&sink->queue, err);
}

static int send_commit(struct sink *sink, const struct sink_position *position, struct error *err)
{
	struct sink_statement statement = { .kind = SINK_COMMIT, .verb = "", .table = "" };

	memcpy(statement.first.transaction_id, position->transaction_id, sizeof position->transaction_id);
	if (my_queue_add(&sink->queue, &statement, err) == NULL)
		return -1;
	buf_append_str(&sink->queue.packet, "COMMIT");
	return my_queue_push(&sink->queue, err);
}

static int mysql_sink_commit(struct sink *sink, const struct sink_position *position, struct error *err)
{
	if (!sink->transaction)
		return error_set(err, ERROR_BUG, "no target transaction is open");
	if (my_writer_flush(&sink->writer, err) < 0 || send_position(sink, position, err) < 0 ||
		my_queue_settle(&sink->queue, err) < 0 || my_queue_error(&sink->queue, err) < 0)
		return -1;
	if (failpoint_reach(FP_APPLY_POSITION, err) < 0)
		return -1;
	if (send_commit(sink, position, err) < 0)
		return -1;
	if (failpoint_reach(FP_APPLY_COMMIT, err) < 0) {
		sink->queue.link.broken = true; /* as if the answer had been lost: nobody knows whether it is committed */
		return -1;
	}
	if (my_queue_settle(&sink->queue, err) < 0 || my_queue_error(&sink->queue, err) < 0)
		return -1;
	sink->transaction = false;
	return 0;
}

static void mysql_sink_abort(struct sink *sink)
{
	my_writer_drop(&sink->writer);
	(void)my_queue_rollback(&sink->queue);
	sink->transaction = false;
}

static size_t mysql_sink_queued(const struct sink *sink)
{
	return sink->writer.run.bytes.len + sink->queue.packet.len;
}

const struct sink_ops sink_mysql = {
	.name = "mysql",
	.open = mysql_sink_open,
	.prepare = mysql_sink_prepare,
	.begin = mysql_sink_begin,
	.write = mysql_sink_write,
	.commit = mysql_sink_commit,
	.abort = mysql_sink_abort,
	.queued = mysql_sink_queued,
	.close = mysql_sink_close,
};
