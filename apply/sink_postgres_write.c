/*
 * sink_postgres_write.c: changes -> prepared statements.
 *
 * For each change:
 * 1. an insert into the table of the waiting run joins it; everything else sends the run first: the order stays;
 * 2. its values become parameters in one growing buffer (libpq copies on sending, so it is used again);
 * 3. the statement is looked up, or made and prepared: an INSERT for each power of two of rows, one DELETE, an UPDATE
 *    for each set of columns (the log lacks unchanged TOAST values, so their columns must not be in the SET list);
 * 4. with the statement goes an entry that names the change, in case that the server refuses it.
 *
 * A run ends at another table or operation, at WRITE_ROWS rows or RUN_BYTES, and at the commit. Up to *row_wise_until
 * every run has one row (sink_statement.h says why).
 */
#include "apply/sink_postgres_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_BYTES ((size_t)256 << 10)
#define KEEP_BYTES ((size_t)1 << 20)
/* PostgreSQL takes no message beyond 1 GiB. */
#define ROW_BYTES_MAX ((size_t)1 << 30)
#define KEY_BYTES_MAX 4096
#define PARAMS_MAX 65535

/* ---- life cycle ---- */

void writer_init(struct writer *writer, struct queue *queue)
{
	memset(writer, 0, sizeof *writer);
	writer->queue = queue;
	buf_init(&writer->run.bytes, ROW_BYTES_MAX);
	buf_init(&writer->sql, SINK_SQL_MAX);
	buf_init(&writer->key, KEY_BYTES_MAX);
}

void writer_release(struct writer *writer)
{
	struct write_run *run = &writer->run;

	while (writer->targets != NULL) {
		struct write_target *target = writer->targets;

		writer->targets = target->next;
		shape_free(target->shape);
		free(target);
	}
	buf_release(&run->bytes);
	buf_release(&writer->sql);
	buf_release(&writer->key);
	free(run->params);
	free(run->values);
	free(run->lengths);
	free(run->formats);
	free(run->types);
	writer_init(writer, NULL);
}

static bool grow(void *array, size_t count, size_t size)
{
	void *more = reallocarray(*(void **)array, count, size);

	if (more != NULL)
		*(void **)array = more;
	return more != NULL;
}

/* Room for a full run, and for an update that sets all columns and finds its row by all of them. */
static int reserve(struct write_run *run, size_t columns, struct error *err)
{
	size_t room = columns * WRITE_ROWS;

	if (room <= run->room)
		return 0;
	if (!grow(&run->params, room, sizeof *run->params) || !grow(&run->values, room, sizeof *run->values) ||
		!grow(&run->lengths, room, sizeof *run->lengths) || !grow(&run->formats, room, sizeof *run->formats) ||
		!grow(&run->types, room, sizeof *run->types))
		return error_set(err, ERROR_RETRY, "memory is short");
	run->room = room;
	return 0;
}

_Static_assert(
	SINK_COLUMNS_MAX *WRITE_ROWS <= PARAMS_MAX, "a full run of the widest table must fit into one statement");

int writer_add(struct writer *writer, struct shape *shape, struct write_target **ret_target, struct error *err)
{
	struct write_target *target = calloc(1, sizeof *target);

	if (target == NULL || reserve(&writer->run, shape->table.column_count, err) < 0) {
		free(target);
		shape_free(shape);
		return error_set(err, ERROR_RETRY, "memory is short");
	}
	target->shape = shape;
	target->next = writer->targets;
	writer->targets = target;
	*ret_target = target;
	return 0;
}

/* ---- naming a change ---- */

static void put_entry(struct queue_entry *entry, const char *verb, const struct shape *shape,
	const struct sink_place *rows, unsigned count)
{
	struct sink_statement *statement = &entry->statement;

	statement->verb = verb;
	statement->table = shape->table.name;
	statement->rows = count;
	statement->last_commit = rows[count - 1].commit;
	statement->first = rows[0];
}

/* Names the change in `place`, and says what the event lacks. */
static int check_event(struct writer *writer, const struct shape *shape, const struct change *chg,
	const struct value *old_key, const struct value *identity, const struct transaction *txn,
	struct sink_place *place, struct error *err)
{
	sink_place_set(place, &shape->table, chg, identity, txn, &writer->key);
	if (sink_check_event(&shape->table, chg, old_key, identity, err) < 0)
		return sink_cannot_write(sink_verb(chg->op), &shape->table, place, err);
	return 0;
}

/* ---- statements ---- */

/* Prepares writer->sql, whose parameter types are in run.types. */
static int prepare(struct writer *writer, struct write_statement *stmt, const char *verb, const struct shape *shape,
	size_t count, struct error *err)
{
	struct queue_entry *entry;

	if (buf_check(&writer->sql, shape->table.name, err) < 0)
		return -1;
	(void)snprintf(stmt->name, sizeof stmt->name, "t%" PRIu64, ++writer->names);
	if (queue_next(writer->queue, SINK_PREPARE, &entry, err) < 0)
		return -1;
	entry->statement.verb = verb;
	entry->statement.table = shape->table.name;
	entry->prepared = &stmt->prepared;
	stmt->prepared = true;
	return queue_send_prepare(
		writer->queue, stmt->name, buf_cstr(&writer->sql), (int)count, writer->run.types, err);
}

static int deallocate(struct writer *writer, struct write_statement *stmt, struct error *err)
{
	struct queue_entry *entry;
	char sql[48];

	if (!stmt->prepared)
		return 0;
	stmt->prepared = false;
	(void)snprintf(sql, sizeof sql, "DEALLOCATE %s", stmt->name);
	if (queue_next(writer->queue, SINK_OTHER, &entry, err) < 0)
		return -1;
	return queue_send(writer->queue, sql, 0, NULL, NULL, err);
}

/* The UPDATE of these columns: the one that is there, else a free or the least recently used place. */
static int find_update(struct writer *writer, struct write_target *target, const struct sink_set *set,
	struct write_statement **ret_stmt, struct error *err)
{
	size_t columns = target->shape->table.column_count;
	struct write_statement *oldest = &target->update[0];

	for (size_t i = 0; i < WRITE_UPDATES; i++) {
		struct write_statement *stmt = &target->update[i];

		if (stmt->used > 0 && sink_set_equal(&stmt->set, set, columns)) {
			*ret_stmt = stmt;
			return 0;
		}
		if (stmt->used < oldest->used)
			oldest = stmt;
	}
	if (deallocate(writer, oldest, err) < 0)
		return -1;
	oldest->set = *set;
	*ret_stmt = oldest;
	return 0;
}

/* Sends the prepared statement with `count` parameters from `first` on. */
static int send(
	struct writer *writer, const struct write_statement *stmt, size_t first, size_t count, struct error *err)
{
	struct write_run *run = &writer->run;
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		const struct pg_param *param = &run->params[first + i];

		run->values[i] = param->len < 0 ? NULL : run->bytes.data + param->offset;
		run->lengths[i] = param->len;
		run->formats[i] = param->format;
		bytes += param->len > 0 ? (size_t)param->len : 0;
	}
	return queue_send_prepared(
		writer->queue, stmt->name, (int)count, run->values, run->lengths, run->formats, bytes, err);
}

/* Appends a column's parameter; *count goes on. */
static int put_column(struct writer *writer, const struct shape *shape, size_t i, const struct value *row,
	size_t *count, struct error *err)
{
	const struct sink_table_column *column = &shape->table.columns[i];
	struct write_run *run = &writer->run;

	return pg_param(column->source, shape->columns[i].form, &row[column->index], &run->bytes,
		&run->params[(*count)++], err);
}

/* ---- inserts ---- */

static void run_clear(struct write_run *run)
{
	run->target = NULL;
	run->count = 0;
	if (run->bytes.size > KEEP_BYTES)
		buf_release(&run->bytes);
	else
		buf_reset(&run->bytes);
}

static int send_inserts(struct writer *writer, unsigned from, unsigned log2, struct error *err)
{
	struct write_run *run = &writer->run;
	const struct shape *shape = run->target->shape;
	struct write_statement *stmt = &run->target->insert[log2];
	size_t columns = shape->table.column_count, count = columns << log2;
	struct queue_entry *entry;

	if (!stmt->prepared) {
		buf_reset(&writer->sql);
		shape_insert(shape, (size_t)1 << log2, &writer->sql, run->types);
		if (prepare(writer, stmt, sink_verb(CHANGE_INSERT), shape, count, err) < 0)
			return -1;
	}
	if (queue_next(writer->queue, SINK_WRITE, &entry, err) < 0)
		return -1;
	put_entry(entry, sink_verb(CHANGE_INSERT), shape, run->rows + from, 1u << log2);
	return send(writer, stmt, from * columns, count, err);
}

static int flush_run(struct writer *writer, struct error *err)
{
	struct write_run *run = &writer->run;
	int result = 0;

	if (run->target == NULL)
		return 0;
	for (unsigned at = 0, log2 = WRITE_ROWS_LOG2; at < run->count && result == 0;) {
		if (run->count - at < 1u << log2) {
			log2--;
			continue;
		}
		result = send_inserts(writer, at, log2, err);
		at += 1u << log2;
	}
	run_clear(run);
	return result;
}

static int write_insert(struct writer *writer, struct write_target *target, const struct change *chg,
	const struct transaction *txn, struct error *err)
{
	struct write_run *run = &writer->run;
	const struct shape *shape = target->shape;
	struct sink_place *row;
	size_t n;

	if (run->target != target && flush_run(writer, err) < 0)
		return -1;
	row = &run->rows[run->count];
	n = run->count * shape->table.column_count;
	if (check_event(writer, shape, chg, NULL, chg->after, txn, row, err) < 0)
		return -1;
	for (size_t i = 0; i < shape->table.column_count; i++)
		if (put_column(writer, shape, i, chg->after, &n, err) < 0)
			return sink_cannot_write(sink_verb(chg->op), &shape->table, row, err);
	run->target = target;
	run->count++;
	if (run->count == WRITE_ROWS || run->bytes.len >= RUN_BYTES || sink_is_row_wise(&writer->queue->refusal, txn))
		return flush_run(writer, err);
	return 0;
}

/* ---- updates and deletes ---- */

/* Appends the parameters that find the row; *count goes on. */
static int put_identity(
	struct writer *writer, const struct shape *shape, const struct value *row, size_t *count, struct error *err)
{
	const struct sink_table *table = &shape->table;
	size_t n = table->key_count > 0 ? table->key_count : table->column_count;

	for (size_t k = 0; k < n; k++)
		if (put_column(writer, shape, table->key_count > 0 ? table->key[k] : k, row, count, err) < 0)
			return -1;
	return 0;
}

/* Appends the new values of the columns in `set`, then what finds the row. */
static int put_update(struct writer *writer, const struct shape *shape, const struct sink_set *set,
	const struct value *after, const struct value *identity, size_t *count, struct error *err)
{
	for (size_t i = 0; i < shape->table.column_count; i++)
		if (sink_set_has(set, i) && put_column(writer, shape, i, after, count, err) < 0)
			return -1;
	return put_identity(writer, shape, identity, count, err);
}

static int write_update(struct writer *writer, struct write_target *target, const struct change *chg,
	const struct value *old_key, const struct transaction *txn, struct error *err)
{
	const struct shape *shape = target->shape;
	const struct value *key = sink_identity(&shape->table, chg, old_key);
	struct sink_place *row = &writer->run.rows[0];
	const char *verb = sink_verb(CHANGE_UPDATE);
	struct write_statement *stmt;
	struct queue_entry *entry;
	struct sink_set set;
	size_t n = 0;
	bool moves;

	if (check_event(writer, shape, chg, old_key, key, txn, row, err) < 0)
		return -1;
	if (sink_choose_columns(&shape->table, chg->after, key, &set, &moves) == 0)
		return 0;
	if (put_update(writer, shape, &set, chg->after, key, &n, err) < 0)
		return sink_cannot_write(verb, &shape->table, row, err);
	if (find_update(writer, target, &set, &stmt, err) < 0)
		return -1;
	stmt->used = ++writer->clock;
	if (!stmt->prepared) {
		buf_reset(&writer->sql);
		shape_update(shape, &set, &writer->sql, writer->run.types);
		if (prepare(writer, stmt, verb, shape, n, err) < 0)
			return -1;
	}
	if (queue_next(writer->queue, SINK_WRITE, &entry, err) < 0)
		return -1;
	put_entry(entry, verb, shape, row, 1);
	return send(writer, stmt, 0, n, err);
}

static int write_delete(struct writer *writer, struct write_target *target, const struct change *chg,
	const struct value *old_key, const struct transaction *txn, struct error *err)
{
	const struct shape *shape = target->shape;
	const struct value *key = sink_identity(&shape->table, chg, old_key);
	struct sink_place *row = &writer->run.rows[0];
	const char *verb = sink_verb(CHANGE_DELETE);
	struct queue_entry *entry;
	size_t n = 0;

	if (check_event(writer, shape, chg, old_key, key, txn, row, err) < 0)
		return -1;
	if (put_identity(writer, shape, key, &n, err) < 0)
		return sink_cannot_write(verb, &shape->table, row, err);
	if (!target->delete.prepared) {
		buf_reset(&writer->sql);
		shape_delete(shape, &writer->sql, writer->run.types);
		if (prepare(writer, &target->delete, verb, shape, n, err) < 0)
			return -1;
	}
	if (queue_next(writer->queue, SINK_WRITE, &entry, err) < 0)
		return -1;
	put_entry(entry, verb, shape, row, 1);
	entry->statement.maybe_none = shape->table.cascades;
	return send(writer, &target->delete, 0, n, err);
}

/* ---- truncates ---- */

/* Tables that refer to each other can only be truncated together, as the source did: one statement, an event for each.
 */
static int flush_truncate(struct writer *writer, struct error *err)
{
	struct write_truncate *truncate = &writer->truncate;
	struct queue_entry *entry;

	if (truncate->count == 0)
		return 0;
	buf_reset(&writer->sql);
	for (unsigned i = 0; i < truncate->count; i++)
		buf_printf(&writer->sql, "%s%s", i > 0 ? ", " : "TRUNCATE ", truncate->targets[i]->shape->table.quoted);
	buf_append_str(&writer->sql, truncate->restart ? " RESTART IDENTITY" : "");
	buf_append_str(&writer->sql, truncate->cascade ? " CASCADE" : "");
	if (buf_check(&writer->sql, "TRUNCATE", err) < 0 || queue_next(writer->queue, SINK_TRUNCATE, &entry, err) < 0)
		return -1;
	put_entry(entry, sink_verb(CHANGE_TRUNCATE), truncate->targets[0]->shape, &truncate->row, 1);
	truncate->count = 0;
	return queue_send(writer->queue, buf_cstr(&writer->sql), 0, NULL, NULL, err);
}

static int write_truncate(struct writer *writer, struct write_target *target, const struct change *chg,
	const struct transaction *txn, struct error *err)
{
	struct write_truncate *truncate = &writer->truncate;

	if (truncate->count > 0 &&
		(truncate->count == WRITE_TRUNCATES || truncate->row.commit != txn->commit ||
			truncate->cascade != chg->truncate_cascade ||
			truncate->restart != chg->truncate_restart_identity) &&
		flush_truncate(writer, err) < 0)
		return -1;
	if (truncate->count == 0) {
		sink_place_set(&truncate->row, &target->shape->table, chg, NULL, txn, &writer->key);
		truncate->cascade = chg->truncate_cascade;
		truncate->restart = chg->truncate_restart_identity;
	}
	truncate->targets[truncate->count++] = target;
	return 0;
}

/* ---- all ---- */

int writer_flush(struct writer *writer, struct error *err)
{
	/* At most one of the two waits. */
	if (flush_run(writer, err) < 0 || flush_truncate(writer, err) < 0)
		return -1;
	return 0;
}

void writer_drop(struct writer *writer)
{
	run_clear(&writer->run);
	writer->truncate.count = 0;
}

int writer_write(struct writer *writer, struct write_target *target, const struct change *chg,
	const struct value *old_key, const struct transaction *txn, struct error *err)
{
	int result;

	if (queue_error(writer->queue, err) < 0)
		return -1;
	if (chg->op == CHANGE_TRUNCATE)
		return flush_run(writer, err) < 0 ? -1 : write_truncate(writer, target, chg, txn, err);
	if (flush_truncate(writer, err) < 0)
		return -1;
	if (chg->op == CHANGE_INSERT || chg->op == CHANGE_READ)
		return write_insert(writer, target, chg, txn, err);
	if (flush_run(writer, err) < 0)
		return -1;
	result = chg->op == CHANGE_UPDATE ? write_update(writer, target, chg, old_key, txn, err) :
		chg->op == CHANGE_DELETE  ? write_delete(writer, target, chg, old_key, txn, err) :
					    error_set(err, ERROR_DATA, "unknown operation '%c'", (char)chg->op);
	run_clear(&writer->run);
	return result;
}
