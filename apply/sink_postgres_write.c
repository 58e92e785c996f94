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
 * every run has one row (sink_postgres_queue.c says why).
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

void writer_init(struct writer *writer, struct queue *queue, uint64_t *row_wise_until)
{
	memset(writer, 0, sizeof *writer);
	writer->queue = queue;
	writer->row_wise_until = row_wise_until;
	buf_init(&writer->run.bytes, ROW_BYTES_MAX);
	buf_init(&writer->sql, SHAPE_SQL_MAX);
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
	writer_init(writer, NULL, NULL);
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
	SHAPE_COLUMNS_MAX *WRITE_ROWS <= PARAMS_MAX, "a full run of the widest table must fit into one statement");

int writer_add(struct writer *writer, struct shape *shape, struct write_target **ret_target, struct error *err)
{
	struct write_target *target = calloc(1, sizeof *target);

	if (target == NULL || reserve(&writer->run, shape->column_count, err) < 0) {
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

/* Cuts at a whole character, and keeps one line one line. */
static void put_key(struct writer *writer, char *out, size_t *len)
{
	size_t take = writer->key.len, room = QUEUE_KEY_MAX - 1 - *len;

	if (take > room) {
		take = room;
		while (take > 0 && ((unsigned char)writer->key.data[take] & 0xc0) == 0x80)
			take--;
	}
	for (size_t i = 0; i < take; i++)
		out[*len + i] = (unsigned char)writer->key.data[i] < 0x20 ? '?' : writer->key.data[i];
	*len += take;
	out[*len] = '\0';
}

static void describe_key(struct writer *writer, const struct shape *shape, const struct value *row, char *out)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t k = 0; k < shape->key_count && row != NULL; k++) {
		const struct shape_column *column = &shape->columns[shape->key[k]];
		const struct value *val = &row[column->index];

		buf_reset(&writer->key);
		buf_append_str(&writer->key, k > 0 ? ", " : "");
		buf_append_str(&writer->key, column->name);
		buf_append_byte(&writer->key, '=');
		if (val->kind == VALUE_TEXT || val->kind == VALUE_EXACT)
			buf_append(&writer->key, val->text.ptr,
				val->text.len < QUEUE_KEY_MAX ? val->text.len : QUEUE_KEY_MAX);
		else if (val->kind == VALUE_NULL || val->kind == VALUE_UNCHANGED)
			buf_append_str(&writer->key, "NULL");
		else
			(void)pg_text(column->source, val, &writer->key, NULL);
		if (!writer->key.failed)
			put_key(writer, out, &len);
	}
}

static void describe_row(struct writer *writer, const struct shape *shape, const struct change *chg,
	const struct value *key, const struct transaction *txn, struct write_row *row)
{
	const char *file = chg->file != NULL ? chg->file : "";
	size_t file_len = strnlen(file, sizeof row->file - 1);

	memcpy(row->file, file, file_len);
	row->file[file_len] = '\0';
	row->lsn = chg->lsn != 0 || file_len > 0 ? chg->lsn : txn->commit;
	row->index = chg->index;
	row->commit = txn->commit;
	memcpy(row->transaction_id, txn->id, strnlen(txn->id, sizeof row->transaction_id - 1) + 1);
	row->transaction_id[sizeof row->transaction_id - 1] = '\0';
	describe_key(writer, shape, key, row->key);
}

static void put_entry(struct queue_entry *entry, const char *verb, const struct shape *shape,
	const struct write_row *rows, unsigned count)
{
	entry->verb = verb;
	entry->table = shape->name;
	entry->rows = count;
	memcpy(entry->file, rows[0].file, strlen(rows[0].file) + 1);
	entry->lsn = rows[0].lsn;
	entry->index = rows[0].index;
	entry->last_index = rows[count - 1].index;
	entry->last_commit = rows[count - 1].commit;
	memcpy(entry->transaction_id, rows[0].transaction_id, strlen(rows[0].transaction_id) + 1);
	if (count == 1)
		memcpy(entry->key, rows[0].key, strlen(rows[0].key) + 1);
}

/* An error that this side found, with the name of the change in front. */
static int cannot(struct error *err, const char *verb, const struct shape *shape, const struct write_row *row)
{
	char place[QUEUE_FILE_MAX + 24];

	(void)position_place_format(row->file[0] != '\0' ? row->file : NULL, row->lsn, place, sizeof place);
	return error_prefix(err, "cannot write %s %s at %s event %" PRIu64 " of transaction %s%s%s%s", verb,
		shape->name, place, row->index, row->transaction_id,
		row->key[0] != '\0' ? ", key (" : "", row->key, row->key[0] != '\0' ? ")" : "");
}

static int broken_stream(
	struct error *err, const char *verb, const struct shape *shape, const struct write_row *row, const char *what)
{
	(void)error_set(err, ERROR_DATA, "%s", what);
	return cannot(err, verb, shape, row);
}

/* ---- statements ---- */

/* Prepares writer->sql, whose parameter types are in run.types. */
static int prepare(struct writer *writer, struct write_statement *stmt, const char *verb, const struct shape *shape,
	size_t count, struct error *err)
{
	struct queue_entry *entry;

	if (buf_check(&writer->sql, shape->name, err) < 0)
		return -1;
	(void)snprintf(stmt->name, sizeof stmt->name, "t%" PRIu64, ++writer->names);
	if (queue_next(writer->queue, QUEUE_PREPARE, &entry, err) < 0)
		return -1;
	entry->verb = verb;
	entry->table = shape->name;
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
	if (queue_next(writer->queue, QUEUE_OTHER, &entry, err) < 0)
		return -1;
	return queue_send(writer->queue, sql, 0, NULL, NULL, err);
}

/* The UPDATE of these columns: the one that is there, else a free or the least recently used place. */
static int find_update(struct writer *writer, struct write_target *target, const struct shape_set *set,
	struct write_statement **ret_stmt, struct error *err)
{
	size_t words = (target->shape->column_count + 63) / 64 * sizeof set->words[0];
	struct write_statement *oldest = &target->update[0];

	for (size_t i = 0; i < WRITE_UPDATES; i++) {
		struct write_statement *stmt = &target->update[i];

		if (stmt->used > 0 && memcmp(&stmt->set, set, words) == 0) {
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

/* ---- inserts ---- */

static const char insert_verb[] = "an insert into";

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
	size_t columns = shape->column_count, count = columns << log2;
	struct queue_entry *entry;

	if (!stmt->prepared) {
		buf_reset(&writer->sql);
		shape_insert(shape, (size_t)1 << log2, &writer->sql, run->types);
		if (prepare(writer, stmt, insert_verb, shape, count, err) < 0)
			return -1;
	}
	if (queue_next(writer->queue, QUEUE_WRITE, &entry, err) < 0)
		return -1;
	put_entry(entry, insert_verb, shape, run->rows + from, 1u << log2);
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
	struct pg_param *params;
	struct write_row *row;

	if (run->target != target && flush_run(writer, err) < 0)
		return -1;
	row = &run->rows[run->count];
	describe_row(writer, shape, chg, chg->after, txn, row);
	if (chg->after == NULL)
		return broken_stream(err, insert_verb, shape, row, "the event has no row");
	params = run->params + run->count * shape->column_count;
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct shape_column *column = &shape->columns[i];
		const struct value *val = &chg->after[column->index];

		if (val->kind == VALUE_UNCHANGED) {
			(void)error_set(err, ERROR_DATA, "column %s has no value in the event", column->name);
			return cannot(err, insert_verb, shape, row);
		}
		if (pg_param(column->source, column->form, val, &run->bytes, &params[i], err) < 0)
			return cannot(err, insert_verb, shape, row);
	}
	run->target = target;
	run->count++;
	if (run->count == WRITE_ROWS || run->bytes.len >= RUN_BYTES || writer->row_wise_until == NULL ||
		txn->commit <= *writer->row_wise_until)
		return flush_run(writer, err);
	return 0;
}

/* ---- updates and deletes ---- */

static const char update_verb[] = "an update of", delete_verb[] = "a delete from";

/* Appends the parameters that find the row; *count goes on. */
static int put_identity(
	struct writer *writer, const struct shape *shape, const struct value *row, size_t *count, struct error *err)
{
	struct write_run *run = &writer->run;
	size_t n = shape->key_count > 0 ? shape->key_count : shape->column_count;

	for (size_t k = 0; k < n; k++) {
		const struct shape_column *column = &shape->columns[shape->key_count > 0 ? shape->key[k] : k];
		const struct value *val = &row[column->index];

		if (val->kind == VALUE_UNCHANGED)
			return error_set(err, ERROR_DATA,
				"column %s, which identifies the row, has no value in the event", column->name);
		if (pg_param(column->source, column->form, val, &run->bytes, &run->params[(*count)++], err) < 0)
			return -1;
	}
	return 0;
}

/* The columns to set: all that the event has a value for; those of the key only if it moves. */
static void choose_columns(const struct shape *shape, const struct value *after, const struct value *key,
	struct shape_set *set, size_t *count)
{
	memset(set, 0, sizeof *set);
	*count = 0;
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct shape_column *column = &shape->columns[i];
		const struct value *val = &after[column->index];

		if (val->kind == VALUE_UNCHANGED || (column->key && value_equal(val, &key[column->index])))
			continue;
		shape_set_add(set, i);
		(*count)++;
	}
	/* Nothing but the key, and that stays: the statement still has to find its row, and to wake triggers. */
	for (size_t k = 0; k < shape->key_count && *count == 0; k++) {
		if (shape->columns[shape->key[k]].identity_always)
			continue;
		shape_set_add(set, shape->key[k]);
		(*count)++;
	}
}

static int write_update(struct writer *writer, struct write_target *target, const struct change *chg,
	const struct value *old_key, const struct transaction *txn, struct error *err)
{
	const struct shape *shape = target->shape;
	const struct value *key = old_key != NULL ? old_key : chg->before;
	struct write_run *run = &writer->run;
	struct write_row *row = &run->rows[0];
	struct write_statement *stmt;
	struct queue_entry *entry;
	struct shape_set set;
	size_t count, n = 0;

	if (key == NULL && shape->key_count > 0)
		key = chg->after; /* the key stayed */
	describe_row(writer, shape, chg, key, txn, row);
	if (chg->after == NULL || key == NULL)
		return broken_stream(err, update_verb, shape, row,
			chg->after == NULL ? "the event has no new row" :
					     "the table has no key and the event no old row");
	choose_columns(shape, chg->after, key, &set, &count);
	if (count == 0)
		return 0;
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct shape_column *column = &shape->columns[i];

		if (!shape_set_has(&set, i))
			continue;
		if (pg_param(column->source, column->form, &chg->after[column->index], &run->bytes, &run->params[n++],
			    err) < 0)
			return cannot(err, update_verb, shape, row);
	}
	if (put_identity(writer, shape, key, &n, err) < 0)
		return cannot(err, update_verb, shape, row);
	if (find_update(writer, target, &set, &stmt, err) < 0)
		return -1;
	stmt->used = ++writer->clock;
	if (!stmt->prepared) {
		buf_reset(&writer->sql);
		shape_update(shape, &set, &writer->sql, run->types);
		if (prepare(writer, stmt, update_verb, shape, n, err) < 0)
			return -1;
	}
	if (queue_next(writer->queue, QUEUE_WRITE, &entry, err) < 0)
		return -1;
	put_entry(entry, update_verb, shape, row, 1);
	return send(writer, stmt, 0, n, err);
}

static int write_delete(struct writer *writer, struct write_target *target, const struct change *chg,
	const struct value *old_key, const struct transaction *txn, struct error *err)
{
	const struct shape *shape = target->shape;
	const struct value *key = old_key != NULL ? old_key : chg->before;
	struct write_run *run = &writer->run;
	struct write_row *row = &run->rows[0];
	struct queue_entry *entry;
	size_t n = 0;

	describe_row(writer, shape, chg, key, txn, row);
	if (key == NULL || (shape->key_count == 0 && (old_key != NULL || chg->before_is_key)))
		return broken_stream(err, delete_verb, shape, row, "the event does not identify its row");
	if (put_identity(writer, shape, key, &n, err) < 0)
		return cannot(err, delete_verb, shape, row);
	if (!target->delete.prepared) {
		buf_reset(&writer->sql);
		shape_delete(shape, &writer->sql, run->types);
		if (prepare(writer, &target->delete, delete_verb, shape, n, err) < 0)
			return -1;
	}
	if (queue_next(writer->queue, QUEUE_WRITE, &entry, err) < 0)
		return -1;
	put_entry(entry, delete_verb, shape, row, 1);
	entry->maybe_none = shape->cascades;
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
		buf_printf(&writer->sql, "%s%s", i > 0 ? ", " : "TRUNCATE ", truncate->targets[i]->shape->quoted);
	buf_append_str(&writer->sql, truncate->restart ? " RESTART IDENTITY" : "");
	buf_append_str(&writer->sql, truncate->cascade ? " CASCADE" : "");
	if (buf_check(&writer->sql, "TRUNCATE", err) < 0 || queue_next(writer->queue, QUEUE_TRUNCATE, &entry, err) < 0)
		return -1;
	put_entry(entry, "a truncate of", truncate->targets[0]->shape, &truncate->row, 1);
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
		describe_row(writer, target->shape, chg, NULL, txn, &truncate->row);
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
