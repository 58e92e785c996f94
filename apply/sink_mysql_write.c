/*
 * sink_mysql_write.c: changes -> statements.
 *
 * For each change:
 * 1. if it is not of the run's kind (table, operation, set of columns), the run ends: the order stays;
 * 2. as text it joins the run's open statement (a multi-row INSERT; of MySQL a DELETE with a list of keys), or is one of its own;
 * 3. a run of more than BULK_AFTER rows (BULK_AGAIN) goes on in bulk if the server is MariaDB (sink_mysql_binary.h): one prepared statement, the
 *    rows in a packet. A row with a value that has no binary form goes as text between two such packets;
 * 4. with each statement goes an entry that names the change, in case that the server refuses it.
 *
 * Never an INSERT that would swallow a duplicate: where a row is in the way, that is an error. Up to *row_wise_until each row has a
 * statement of its own (sink_mysql_queue.c says why). A truncate is a DELETE: MySQL's TRUNCATE would commit what is open.
 */
#include "apply/sink_mysql_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/sink_mysql_binary.h"
#include "apply/sink_postgres_text.h"
#include "lib/base/log.h"

#define BULK_AFTER 32
#define BULK_AGAIN 8 /* where the statement is prepared already */
#define BULK_ROWS 4096
#define BULK_KEEP ((size_t)2 << 20)
#define LIST_KEYS 256 /* of one DELETE: the server dives into the index for each */
#define ROW_BYTES_MAX ((size_t)1 << 30)
#define KEY_BYTES_MAX 4096
#define COLUMN_OVERHEAD 32 /* bytes of a literal that are not its text, about */

/* A change, and what has been found out about it. */
struct work {
	struct my_target *target;
	const struct my_shape *shape;
	const struct change *chg;
	const struct transaction *txn;
	enum change_op op;       /* insert, update or delete */
	const struct value *key; /* the row that identifies it: old key, before or after */
	const struct my_set *set; /* of an update */
	bool moves;
	struct my_entry entry;
};

/* ---- life cycle ---- */

void my_writer_init(struct my_writer *writer, struct my_queue *queue, uint64_t *row_wise_until)
{
	memset(writer, 0, sizeof *writer);
	writer->queue = queue;
	writer->row_wise_until = row_wise_until;
	buf_init(&writer->run.bytes, ROW_BYTES_MAX);
	buf_init(&writer->sql, MY_SQL_MAX);
	buf_init(&writer->key, KEY_BYTES_MAX);
}

void my_writer_release(struct my_writer *writer)
{
	while (writer->targets != NULL) {
		struct my_target *target = writer->targets;

		writer->targets = target->next;
		my_link_forget(target->insert.handle);
		my_link_forget(target->delete.handle);
		for (size_t i = 0; i < MY_UPDATES; i++)
			my_link_forget(target->update[i].handle);
		my_shape_free(target->shape);
		free(target);
	}
	buf_release(&writer->run.bytes);
	buf_release(&writer->sql);
	buf_release(&writer->key);
}

int my_writer_add(
	struct my_writer *writer, struct my_shape *shape, struct my_target **ret_target, struct error *err)
{
	struct my_target *target = calloc(1, sizeof *target);

	if (target == NULL) {
		my_shape_free(shape);
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
static void put_key(struct my_writer *writer, char *out, size_t *len)
{
	size_t take = writer->key.len, room = MY_KEY_MAX - 1 - *len;

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

static void describe_key(
	struct my_writer *writer, const struct my_shape *shape, const struct value *row, char *out)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t k = 0; k < shape->key_count && row != NULL; k++) {
		const struct my_column *column = &shape->columns[shape->key[k]];
		const struct value *val = &row[column->index];

		buf_reset(&writer->key);
		buf_append_str(&writer->key, k > 0 ? ", " : "");
		buf_append_str(&writer->key, column->name);
		buf_append_byte(&writer->key, '=');
		if (val->kind == VALUE_TEXT || val->kind == VALUE_EXACT)
			buf_append(&writer->key, val->text.ptr, val->text.len < MY_KEY_MAX ? val->text.len : MY_KEY_MAX);
		else if (val->kind == VALUE_NULL || val->kind == VALUE_UNCHANGED)
			buf_append_str(&writer->key, "NULL");
		else
			(void)pg_text(column->source, val, &writer->key, NULL);
		if (!writer->key.failed)
			put_key(writer, out, &len);
	}
}

static void describe(struct my_writer *writer, struct work *work, const char *verb)
{
	struct my_entry *entry = &work->entry;
	const struct change *chg = work->chg;

	entry->kind = MY_WRITE;
	entry->maybe_none = work->op == CHANGE_DELETE && work->shape->cascades;
	entry->rows = 1;
	entry->verb = verb;
	entry->table = work->shape->name;
	entry->index = chg->index;
	entry->last_commit = work->txn->commit;
	(void)position_place_format(
		chg->file, chg->lsn != 0 ? chg->lsn : work->txn->commit, entry->place, sizeof entry->place);
	(void)snprintf(entry->transaction_id, sizeof entry->transaction_id, "%s", work->txn->id);
	describe_key(writer, work->shape, work->key, entry->key);
}

static const char *verb_of(enum change_op op)
{
	return op == CHANGE_INSERT ? "an insert into" : op == CHANGE_UPDATE ? "an update of" : "a delete from";
}

/* An error that this side found, with the name of the change in front. */
static int cannot(struct my_writer *writer, struct work *work, struct error *err)
{
	const struct my_entry *entry = &work->entry;

	describe(writer, work, verb_of(work->op));
	return error_prefix(err, "cannot write %s %s at %s event %" PRIu64 " of transaction %s%s%s%s", entry->verb,
		entry->table, entry->place, entry->index, entry->transaction_id,
		entry->key[0] != '\0' ? ", key (" : "", entry->key, entry->key[0] != '\0' ? ")" : "");
}

static int broken_stream(struct my_writer *writer, struct work *work, const char *what, struct error *err)
{
	(void)error_set(err, ERROR_DATA, "%s", what);
	return cannot(writer, work, err);
}

/* ---- the run ---- */

/* The open statement is complete. */
static void close_text(struct my_writer *writer)
{
	struct my_run *run = &writer->run;

	if (run->open && run->op == CHANGE_DELETE)
		buf_append_byte(&writer->queue->packet, ')');
	run->open = false;
	run->rows = 0;
}

static int send_bulk(struct my_writer *writer, struct error *err)
{
	struct my_run *run = &writer->run;
	int result = 0;

	if (run->rows > 0) {
		run->entry.rows = run->rows;
		result = my_queue_bulk(writer->queue, &run->entry, run->bytes.data, run->bytes.len, err);
	}
	run->rows = 0;
	if (run->bytes.size > BULK_KEEP)
		buf_release(&run->bytes);
	else
		buf_reset(&run->bytes);
	return result;
}

static int close_run(struct my_writer *writer, struct error *err)
{
	struct my_run *run = &writer->run;
	int result = 0;

	if (run->bulk)
		result = send_bulk(writer, err);
	else
		close_text(writer);
	run->target = NULL;
	run->bulk = false;
	run->streak = 0;
	return result;
}

static bool is_row_wise(const struct my_writer *writer, const struct transaction *txn)
{
	return writer->row_wise_until == NULL || txn->commit <= *writer->row_wise_until;
}

static bool continues(const struct my_run *run, const struct work *work)
{
	return run->target == work->target && run->op == work->op &&
		(work->op != CHANGE_UPDATE || memcmp(&run->set, work->set, sizeof run->set) == 0);
}

/* ---- as text ---- */

static int put_values(const struct work *work, struct buf *out, struct error *err)
{
	char before = '(';

	for (size_t i = 0; i < work->shape->column_count; i++) {
		const struct my_column *column = &work->shape->columns[i];

		buf_append_byte(out, before);
		before = ',';
		if (my_literal(&column->format, column->source, &work->chg->after[column->index], out, err) < 0)
			return -1;
	}
	buf_append_byte(out, ')');
	return 0;
}

/* `a`=1 AND `b`='x'; other: another row's key. */
static int put_key_values(const struct my_shape *shape, const struct value *row, struct buf *out, struct error *err)
{
	for (size_t k = 0; k < shape->key_count; k++) {
		const struct my_column *column = &shape->columns[shape->key[k]];

		buf_append_str(out, k > 0 ? " AND " : "");
		buf_append_str(out, column->quoted);
		buf_append_byte(out, '=');
		if (my_literal(&column->format, column->source, &row[column->index], out, err) < 0)
			return -1;
	}
	return 0;
}

static int put_identity(const struct work *work, struct buf *out, struct error *err)
{
	const struct my_shape *shape = work->shape;
	bool either = work->moves && shape->key_cascades;

	buf_append_str(out, either ? " WHERE (" : " WHERE ");
	for (size_t i = 0; i < shape->column_count && shape->key_count == 0; i++) {
		const struct my_column *column = &shape->columns[i];

		buf_append_str(out, i > 0 ? " AND " : "");
		if (my_condition(&column->format, column->source, column->quoted, &work->key[column->index], out, err) <
			0)
			return -1;
	}
	if (put_key_values(shape, work->key, out, err) < 0)
		return -1;
	if (either) {
		buf_append_str(out, ") OR (");
		if (put_key_values(shape, work->chg->after, out, err) < 0)
			return -1;
		buf_append_byte(out, ')');
	}
	if (shape->key_count == 0)
		buf_append_str(out, " LIMIT 1");
	return 0;
}

static int put_update(const struct work *work, struct buf *out, struct error *err)
{
	const struct my_shape *shape = work->shape;
	bool first = true;

	buf_append_str(out, "UPDATE ");
	buf_append_str(out, shape->quoted);
	buf_append_str(out, " SET ");
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct my_column *column = &shape->columns[i];

		if (!my_set_has(work->set, i))
			continue;
		buf_append_str(out, first ? "" : ",");
		first = false;
		buf_append_str(out, column->quoted);
		buf_append_byte(out, '=');
		if (my_literal(&column->format, column->source, &work->chg->after[column->index], out, err) < 0)
			return -1;
	}
	my_shape_keep(shape, work->set, first, out);
	return put_identity(work, out, err);
}

/* A key of a list: 42, or (42,'x'). */
static int put_listed(const struct work *work, struct buf *out, struct error *err)
{
	const struct my_shape *shape = work->shape;

	for (size_t k = 0; k < shape->key_count; k++) {
		const struct my_column *column = &shape->columns[shape->key[k]];

		if (shape->key_count > 1)
			buf_append_byte(out, k > 0 ? ',' : '(');
		if (my_literal(&column->format, column->source, &work->key[column->index], out, err) < 0)
			return -1;
	}
	if (shape->key_count > 1)
		buf_append_byte(out, ')');
	return 0;
}

static void put_list_head(const struct my_shape *shape, struct buf *out)
{
	buf_append_str(out, "DELETE FROM ");
	buf_append_str(out, shape->quoted);
	buf_append_str(out, " WHERE (");
	for (size_t k = 0; k < shape->key_count; k++) {
		buf_append_str(out, k > 0 ? "," : "");
		buf_append_str(out, shape->columns[shape->key[k]].quoted);
	}
	buf_append_str(out, ") IN (");
}

/* Bytes that a row takes at least; arrays are small. */
static size_t weight(const struct work *work)
{
	const struct value *row = work->chg->after != NULL ? work->chg->after : work->key;
	size_t bytes = 0;

	for (size_t i = 0; i < work->shape->column_count; i++) {
		const struct value *val = &row[work->shape->columns[i].index];

		if (val->kind == VALUE_TEXT || val->kind == VALUE_EXACT || val->kind == VALUE_BYTES)
			bytes += val->text.len;
		bytes += COLUMN_OVERHEAD;
	}
	return bytes;
}

/* Room for a large row: what waits goes first. */
static int make_room(struct my_writer *writer, const struct work *work, struct error *err)
{
	struct my_queue *queue = writer->queue;
	size_t bytes = weight(work);

	/* Quotes inside may double it. A full packet is half of what the server takes at most. */
	if (queue->packet.len + 2 * bytes <= 2 * queue->packet_bytes)
		return 0;
	close_text(writer);
	return my_queue_push(queue, err);
}

static int open_text(struct my_writer *writer, struct work *work, struct error *err)
{
	struct my_run *run = &writer->run;

	if (run->open)
		return 0;
	describe(writer, work, verb_of(work->op));
	run->waiting = my_queue_add(writer->queue, &work->entry, err);
	if (run->waiting == NULL)
		return -1;
	run->rows = 0;
	return 1;
}

static int write_text(struct my_writer *writer, struct work *work, struct error *err)
{
	struct my_run *run = &writer->run;
	struct buf *out = &writer->queue->packet;
	bool alone = is_row_wise(writer, work->txn), listed;
	int opened, result;

	if (make_room(writer, work, err) < 0)
		return -1;
	opened = open_text(writer, work, err);
	if (opened < 0)
		return -1;
	listed = work->op == CHANGE_DELETE && !alone && work->shape->key_count > 0 && !writer->queue->link.bulk;
	if (work->op == CHANGE_INSERT) {
		buf_append_str(out, opened > 0 ? work->shape->insert : ",");
		result = put_values(work, out, err);
	} else if (listed) {
		if (opened > 0)
			put_list_head(work->shape, out);
		else
			buf_append_byte(out, ',');
		result = put_listed(work, out, err);
	} else if (work->op == CHANGE_DELETE) {
		buf_append_str(out, "DELETE FROM ");
		buf_append_str(out, work->shape->quoted);
		result = put_identity(work, out, err);
	} else {
		result = put_update(work, out, err);
	}
	if (result < 0 || my_queue_check_size(writer->queue, out->len, err) < 0)
		return cannot(writer, work, err);
	run->open = listed || work->op == CHANGE_INSERT;
	run->waiting->rows = ++run->rows;
	run->waiting->last_commit = work->txn->commit;
	if (alone || out->len >= writer->queue->packet_bytes || (listed && run->rows == LIST_KEYS))
		close_text(writer);
	return out->len >= writer->queue->packet_bytes ? my_queue_push(writer->queue, err) : 0;
}

/* ---- in bulk ---- */

static bool is_prepared(const struct my_statement *statement, const struct work *work)
{
	return statement->handle != NULL &&
		(work->op != CHANGE_UPDATE || memcmp(&statement->set, work->set, sizeof statement->set) == 0);
}

/* The place of an UPDATE of these columns: the one that is there, else a free or the least recently used one. */
static struct my_statement *find_statement(struct my_writer *writer, const struct work *work)
{
	struct my_target *target = work->target;
	struct my_statement *oldest = &target->update[0];

	if (work->op != CHANGE_UPDATE)
		return work->op == CHANGE_INSERT ? &target->insert : &target->delete;
	for (size_t i = 0; i < MY_UPDATES; i++) {
		struct my_statement *statement = &target->update[i];

		if (is_prepared(statement, work))
			return statement;
		if (statement->used < oldest->used)
			oldest = statement;
	}
	return oldest;
}

static void forget(struct my_writer *writer, struct my_statement *statement)
{
	if (statement->handle == NULL)
		return;
	my_link_forget(statement->handle);
	statement->handle = NULL;
	writer->prepared--;
}

static void forget_oldest(struct my_writer *writer)
{
	struct my_statement *oldest = NULL;

	for (struct my_target *target = writer->targets; target != NULL; target = target->next) {
		struct my_statement *all[MY_UPDATES + 2] = { &target->insert, &target->delete };

		for (size_t i = 0; i < MY_UPDATES; i++)
			all[i + 2] = &target->update[i];
		for (size_t i = 0; i < MY_UPDATES + 2; i++)
			if (all[i]->handle != NULL && (oldest == NULL || all[i]->used < oldest->used))
				oldest = all[i];
	}
	if (oldest != NULL)
		forget(writer, oldest);
}

/* 0; 1: the server does not take it. Answers are read before: to prepare is a command of its own. */
static int prepare(
	struct my_writer *writer, const struct work *work, struct my_statement *statement, struct error *err)
{
	int result;

	if (my_queue_settle(writer->queue, err) < 0)
		return -1;
	if (writer->queue->failed)
		return 1;
	forget(writer, statement);
	if (writer->prepared >= MY_STATEMENTS)
		forget_oldest(writer);
	buf_reset(&writer->sql);
	if (work->op == CHANGE_INSERT) {
		my_shape_insert(work->shape, &writer->sql);
	} else if (work->op == CHANGE_DELETE) {
		my_shape_delete(work->shape, &writer->sql);
	} else {
		statement->set = *work->set;
		my_shape_update(work->shape, work->set, &writer->sql);
	}
	if (buf_check(&writer->sql, work->shape->name, err) < 0)
		return -1;
	result = my_link_prepare(&writer->queue->link, writer->sql.data, writer->sql.len, &statement->handle, err);
	writer->prepared += result == 0;
	return result;
}

/* What has been written of the run is sent; the rows that follow go in bulk, if the server takes the statement. */
static int start_bulk(struct my_writer *writer, struct work *work, struct error *err)
{
	struct my_run *run = &writer->run;
	struct my_statement *statement = find_statement(writer, work);
	int result = 0;

	close_text(writer);
	if (my_queue_push(writer->queue, err) < 0)
		return -1;
	if (!is_prepared(statement, work))
		result = prepare(writer, work, statement, err);
	if (result != 0) {
		work->target->no_bulk = !writer->queue->failed;
		return result < 0 ? -1 : 0;
	}
	statement->used = ++writer->clock;
	run->statement = statement;
	run->bulk = true;
	run->rows = 0;
	return 0;
}

static bool may_bulk(const struct my_writer *writer, const struct work *work)
{
	const struct my_shape *shape = work->shape;

	if (!writer->queue->link.bulk || work->target->no_bulk || is_row_wise(writer, work->txn))
		return false;
	return work->op == CHANGE_INSERT || (shape->key_count > 0 && !(work->moves && shape->key_cascades));
}

/* The run is long enough for a packet of its own, and for preparing a statement if there is none. */
static bool wants_bulk(struct my_writer *writer, const struct work *work)
{
	unsigned streak = writer->run.streak;

	return !writer->run.bulk && streak >= BULK_AGAIN && may_bulk(writer, work) &&
		(streak >= BULK_AFTER || is_prepared(find_statement(writer, work), work));
}

static void put_head(struct my_writer *writer, const struct work *work)
{
	const struct my_shape *shape = work->shape;
	struct buf *out = &writer->run.bytes;

	my_binary_head(out, (uint32_t)writer->run.statement->handle->stmt_id);
	for (size_t i = 0; i < shape->column_count && work->op != CHANGE_DELETE; i++)
		if (work->op == CHANGE_INSERT || my_set_has(work->set, i))
			my_binary_type(&shape->columns[i].format, shape->columns[i].source, out);
	for (size_t k = 0; k < shape->key_count && work->op != CHANGE_INSERT; k++)
		my_binary_type(&shape->columns[shape->key[k]].format, shape->columns[shape->key[k]].source, out);
}

/* The row's parameters; 1: one of them has no binary form. */
static int put_parameters(const struct work *work, struct buf *out, struct error *err)
{
	const struct my_shape *shape = work->shape;
	int result = 0;

	for (size_t i = 0; i < shape->column_count && work->op != CHANGE_DELETE && result == 0; i++) {
		const struct my_column *column = &shape->columns[i];

		if (work->op == CHANGE_INSERT || my_set_has(work->set, i))
			result = my_binary(&column->format, column->source, &work->chg->after[column->index], out, err);
	}
	for (size_t k = 0; k < shape->key_count && work->op != CHANGE_INSERT && result == 0; k++) {
		const struct my_column *column = &shape->columns[shape->key[k]];

		result = my_binary(&column->format, column->source, &work->key[column->index], out, err);
	}
	return result;
}

/* 1: the row has to go as text; what was in bulk before it is sent. */
static int write_bulk(struct my_writer *writer, struct work *work, struct error *err)
{
	struct my_run *run = &writer->run;
	struct buf *out = &run->bytes;
	size_t start;
	int result;

	if (weight(work) > writer->queue->packet_bytes / 2 && send_bulk(writer, err) < 0)
		return -1;
	if (run->rows == 0) {
		describe(writer, work, verb_of(work->op));
		run->entry = work->entry;
		put_head(writer, work);
	}
	start = out->len;
	result = put_parameters(work, out, err);
	if (result < 0 || (result == 0 && my_queue_check_size(writer->queue, out->len, err) < 0))
		return cannot(writer, work, err);
	if (result > 0) {
		out->len = start;
		if (send_bulk(writer, err) < 0)
			return -1;
		run->bulk = false;
		run->streak = 0;
		return 1;
	}
	run->rows++;
	run->entry.last_commit = work->txn->commit;
	if (run->rows == BULK_ROWS || out->len >= writer->queue->packet_bytes * 3 / 2)
		return send_bulk(writer, err);
	return 0;
}

/* ---- rows ---- */

static int write_row(struct my_writer *writer, struct work *work, struct error *err)
{
	struct my_run *run = &writer->run;
	int result = 1;

	if (run->target != NULL &&
		(!continues(run, work) || is_row_wise(writer, work->txn) || (run->bulk && !may_bulk(writer, work))) &&
		close_run(writer, err) < 0)
		return -1;
	if (run->target == NULL) {
		run->target = work->target;
		run->op = work->op;
		if (work->op == CHANGE_UPDATE)
			run->set = *work->set;
	}
	if (wants_bulk(writer, work) && start_bulk(writer, work, err) < 0)
		return -1;
	if (run->bulk)
		result = write_bulk(writer, work, err);
	if (result > 0)
		result = write_text(writer, work, err);
	run->streak++;
	return result;
}

static int write_insert(struct my_writer *writer, struct work *work, struct error *err)
{
	work->key = work->chg->after;
	if (work->chg->after == NULL)
		return broken_stream(writer, work, "the event has no row", err);
	for (size_t i = 0; i < work->shape->column_count; i++) {
		const struct my_column *column = &work->shape->columns[i];

		if (work->chg->after[column->index].kind != VALUE_UNCHANGED)
			continue;
		(void)error_set(err, ERROR_DATA, "column %s has no value in the event", column->name);
		return cannot(writer, work, err);
	}
	return write_row(writer, work, err);
}

/* Whether each column that identifies the row has a value. */
static int check_identity(struct my_writer *writer, struct work *work, struct error *err)
{
	const struct my_shape *shape = work->shape;
	size_t n = shape->key_count > 0 ? shape->key_count : shape->column_count;

	for (size_t k = 0; k < n; k++) {
		const struct my_column *column = &shape->columns[shape->key_count > 0 ? shape->key[k] : k];

		if (work->key[column->index].kind != VALUE_UNCHANGED)
			continue;
		(void)error_set(err, ERROR_DATA, "column %s, which identifies the row, has no value in the event",
			column->name);
		return cannot(writer, work, err);
	}
	return 0;
}

/* The columns to set: all that the event has a value for; those of the key only if it moves. */
static void choose_columns(struct work *work, struct my_set *set, size_t *count)
{
	const struct my_shape *shape = work->shape;

	memset(set, 0, sizeof *set);
	*count = 0;
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct my_column *column = &shape->columns[i];
		const struct value *val = &work->chg->after[column->index];

		if (val->kind == VALUE_UNCHANGED || (column->key && value_equal(val, &work->key[column->index])))
			continue;
		work->moves = work->moves || column->key;
		my_set_add(set, i);
		(*count)++;
	}
	/* Nothing but the key, and that stays: the statement still has to find its row, and to wake triggers. */
	for (size_t k = 0; k < shape->key_count && *count == 0; k++) {
		my_set_add(set, shape->key[k]);
		(*count)++;
	}
}

static int write_update(
	struct my_writer *writer, struct work *work, const struct value *old_key, struct error *err)
{
	struct my_set set;
	size_t count;

	work->key = old_key != NULL ? old_key : work->chg->before;
	if (work->key == NULL && work->shape->key_count > 0)
		work->key = work->chg->after; /* the key stayed */
	if (work->chg->after == NULL || work->key == NULL)
		return broken_stream(writer, work, work->chg->after == NULL ? "the event has no new row" :
			"the table has no key and the event no old row", err);
	if (check_identity(writer, work, err) < 0)
		return -1;
	choose_columns(work, &set, &count);
	if (count == 0)
		return 0;
	work->set = &set;
	return write_row(writer, work, err);
}

static int write_delete(
	struct my_writer *writer, struct work *work, const struct value *old_key, struct error *err)
{
	work->key = old_key != NULL ? old_key : work->chg->before;
	if (work->key == NULL || (work->shape->key_count == 0 && (old_key != NULL || work->chg->before_is_key)))
		return broken_stream(writer, work, "the event does not identify its row", err);
	if (check_identity(writer, work, err) < 0)
		return -1;
	return write_row(writer, work, err);
}

/* ---- truncates ---- */

static int put_statement(struct my_writer *writer, const char *sql, const char *object, struct error *err)
{
	if (my_queue_add(writer->queue, &writer->truncate, err) == NULL)
		return -1;
	buf_append_str(&writer->queue->packet, sql);
	buf_append_str(&writer->queue->packet, object);
	return 0;
}

/*
 * No TRUNCATE touches a row of another table, so its DELETE must not cascade; and tables that refer to each other, or to themselves, are emptied
 * in any order. Hence no foreign keys meanwhile. Where the server refuses one of these, the rollback puts them back.
 */
static int write_truncate(struct my_writer *writer, struct work *work, struct error *err)
{
	describe(writer, work, "a truncate of");
	writer->truncate = work->entry;
	writer->truncate.kind = MY_TRUNCATE;
	if (!writer->truncating && put_statement(writer, "SET foreign_key_checks=", "0", err) < 0)
		return -1;
	writer->truncating = true;
	return put_statement(writer, "DELETE FROM ", work->shape->quoted, err);
}

static int end_truncates(struct my_writer *writer, struct error *err)
{
	if (!writer->truncating)
		return 0;
	writer->truncating = false;
	return put_statement(writer, "SET foreign_key_checks=", "1", err);
}

/*
 * Whose rows come in an order that this server may refuse: PostgreSQL looks at a foreign key when the statement is done, InnoDB at each row.
 * MySQL's changes name a file.
 */
static void warn_of_order(struct my_target *target, const struct change *chg)
{
	if (!target->shape->refers_to_itself || target->warned || chg->file != NULL)
		return;
	target->warned = true;
	log_warning("target table %s has a foreign key to itself, which PostgreSQL checks at the end of a statement and the target at each row: "
		    "one statement that writes parents and children in another order will stop this agent; drop the foreign key at the target",
		target->shape->name);
}

/* ---- all ---- */

int my_writer_flush(struct my_writer *writer, struct error *err)
{
	/* At most one of the two waits. */
	if (close_run(writer, err) < 0 || end_truncates(writer, err) < 0)
		return -1;
	return 0;
}

void my_writer_drop(struct my_writer *writer)
{
	struct my_run *run = &writer->run;

	run->target = NULL;
	run->open = run->bulk = false;
	run->rows = run->streak = 0;
	buf_reset(&run->bytes);
	writer->truncating = false;
}

int my_writer_write(struct my_writer *writer, struct my_target *target, const struct change *chg,
	const struct value *old_key, const struct transaction *txn, struct error *err)
{
	struct work work = { .target = target, .shape = target->shape, .chg = chg, .txn = txn };

	if (my_queue_error(writer->queue, err) < 0)
		return -1;
	if (chg->op == CHANGE_TRUNCATE)
		return close_run(writer, err) < 0 ? -1 : write_truncate(writer, &work, err);
	if (end_truncates(writer, err) < 0)
		return -1;
	warn_of_order(target, chg);
	work.op = chg->op == CHANGE_READ ? CHANGE_INSERT : chg->op;
	switch (work.op) {
	case CHANGE_INSERT:
		return write_insert(writer, &work, err);
	case CHANGE_UPDATE:
		return write_update(writer, &work, old_key, err);
	case CHANGE_DELETE:
		return write_delete(writer, &work, old_key, err);
	default:
		return error_set(err, ERROR_DATA, "unknown operation '%c'", (char)chg->op);
	}
}
