/*
 * sink_mysql_write.c: changes -> statements.
 *
 * For each change:
 * 1. if it is not of the run's kind (table, operation, set of columns), the run ends: the order stays;
 * 2. as text it joins the run's open statement (a multi-row INSERT; of MySQL a DELETE with a list of keys, or in a run of more than SET_AFTER rows
 *    an UPDATE by a set of rows: sink_mysql_set.h), or is one of its own;
 * 3. a run of more than BULK_AFTER rows (BULK_AGAIN) goes on in bulk if the server is MariaDB (sink_mysql_binary.h): one prepared statement, the
 *    rows in a packet. A row with a value that has no binary form goes as text between two such packets;
 * 4. with each statement goes what it is for, which names the change in case that the server refuses it.
 *
 * Never an INSERT that would swallow a duplicate: where a row is in the way, that is an error. Up to *row_wise_until each row has a
 * statement of its own (sink_statement.h says why). A truncate is a DELETE: MySQL's TRUNCATE would commit what is open.
 */
#include "apply/sink_mysql_write.h"

#include <stdlib.h>
#include <string.h>

#include "apply/sink_mysql_binary.h"
#include "lib/base/log.h"

#define BULK_AFTER 32
#define BULK_AGAIN 8 /* where the statement is prepared already */
#define BULK_ROWS 4096
#define SET_AFTER 8 /* rows of a run that go as updates of their own: fewer are not worth the set's text */
#define SET_PACKET ((size_t)128 << 10) /* of a smaller one the text behind the rows might take a large part */
#define BULK_KEEP ((size_t)2 << 20)
#define LIST_KEYS 256 /* of one DELETE: the server dives into the index for each */
#define ROW_BYTES_MAX ((size_t)1 << 30)
#define KEY_BYTES_MAX 4096
#define COLUMN_OVERHEAD 32 /* bytes of a literal that are not its text, about */

/* A change, and what has been found out about it. */
struct work {
	struct my_target *target;
	const struct my_shape *shape;
	const struct sink_table *table; /* the shape's */
	const struct change *chg;
	const struct transaction *txn;
	enum change_op op;           /* insert, update or delete */
	const struct value *key;     /* the row that identifies it: old key, before or after */
	const struct sink_set *set;  /* of an update */
	bool moves;
	struct sink_statement statement;
};

/* ---- life cycle ---- */

void my_writer_init(struct my_writer *writer, struct my_queue *queue)
{
	memset(writer, 0, sizeof *writer);
	writer->queue = queue;
	buf_init(&writer->run.bytes, ROW_BYTES_MAX);
	buf_init(&writer->sql, SINK_SQL_MAX);
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

static void describe(struct my_writer *writer, struct work *work)
{
	struct sink_statement *statement = &work->statement;

	statement->kind = SINK_WRITE;
	statement->maybe_none = work->op == CHANGE_DELETE && work->table->cascades;
	statement->rows = 1;
	statement->verb = sink_verb(work->op);
	statement->table = work->table->name;
	statement->last_commit = work->txn->commit;
	sink_place_set(&statement->first, work->table, work->chg, work->key, work->txn, &writer->key);
}

/* An error that this side found, with the name of the change in front. */
static int cannot(struct my_writer *writer, struct work *work, struct error *err)
{
	describe(writer, work);
	return sink_cannot_write(work->statement.verb, work->table, &work->statement.first, err);
}

/* ---- the run ---- */

/* The open statement is complete. */
static void close_text(struct my_writer *writer)
{
	struct my_run *run = &writer->run;

	if (run->open && run->op == CHANGE_DELETE)
		buf_append_byte(&writer->queue->packet, ')');
	else if (run->open && run->op == CHANGE_UPDATE)
		my_set_tail(run->target->shape, &run->set, &writer->queue->packet);
	run->open = false;
	run->rows = 0;
}

static int send_bulk(struct my_writer *writer, struct error *err)
{
	struct my_run *run = &writer->run;
	int result = 0;

	if (run->rows > 0) {
		run->bulked.rows = run->rows;
		result = my_queue_bulk(writer->queue, &run->bulked, run->bytes.data, run->bytes.len, err);
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
	return sink_is_row_wise(&writer->queue->refusal, txn);
}

static bool continues(const struct my_run *run, const struct work *work)
{
	return run->target == work->target && run->op == work->op &&
		(work->op != CHANGE_UPDATE || sink_set_equal(&run->set, work->set, work->table->column_count));
}

/* ---- as text ---- */

static int put_literal(
	const struct work *work, size_t i, const struct value *row, struct buf *out, struct error *err)
{
	const struct sink_table_column *column = &work->table->columns[i];

	return my_literal(&work->shape->columns[i].format, column->source, &row[column->index], out, err);
}

static int put_values(const struct work *work, struct buf *out, struct error *err)
{
	char before = '(';

	for (size_t i = 0; i < work->table->column_count; i++) {
		buf_append_byte(out, before);
		before = ',';
		if (put_literal(work, i, work->chg->after, out, err) < 0)
			return -1;
	}
	buf_append_byte(out, ')');
	return 0;
}

/* `a`=1 AND `b`='x' */
static int put_key_values(const struct work *work, const struct value *row, struct buf *out, struct error *err)
{
	const struct sink_table *table = work->table;

	for (size_t k = 0; k < table->key_count; k++) {
		buf_append_str(out, k > 0 ? " AND " : "");
		buf_append_str(out, table->columns[table->key[k]].quoted);
		buf_append_byte(out, '=');
		if (put_literal(work, table->key[k], row, out, err) < 0)
			return -1;
	}
	return 0;
}

static int put_identity(const struct work *work, struct buf *out, struct error *err)
{
	const struct sink_table *table = work->table;
	bool either = work->moves && table->key_cascades;

	buf_append_str(out, either ? " WHERE (" : " WHERE ");
	for (size_t i = 0; i < table->column_count && table->key_count == 0; i++) {
		const struct sink_table_column *column = &table->columns[i];

		buf_append_str(out, i > 0 ? " AND " : "");
		if (my_condition(&work->shape->columns[i].format, column->source, column->quoted,
			    &work->key[column->index], out, err) < 0)
			return -1;
	}
	if (put_key_values(work, work->key, out, err) < 0)
		return -1;
	if (either) {
		buf_append_str(out, ") OR (");
		if (put_key_values(work, work->chg->after, out, err) < 0)
			return -1;
		buf_append_byte(out, ')');
	}
	if (table->key_count == 0)
		buf_append_str(out, " LIMIT 1");
	return 0;
}

static int put_update(const struct work *work, struct buf *out, struct error *err)
{
	const struct sink_table *table = work->table;
	bool first = true;

	buf_append_str(out, "UPDATE ");
	buf_append_str(out, table->quoted);
	buf_append_str(out, " SET ");
	for (size_t i = 0; i < table->column_count; i++) {
		if (!sink_set_has(work->set, i))
			continue;
		buf_append_str(out, first ? "" : ",");
		first = false;
		buf_append_str(out, table->columns[i].quoted);
		buf_append_byte(out, '=');
		if (put_literal(work, i, work->chg->after, out, err) < 0)
			return -1;
	}
	my_shape_keep(work->shape, work->set, first, out);
	return put_identity(work, out, err);
}

/* A key of a list: 42, or (42,'x'). */
static int put_listed(const struct work *work, struct buf *out, struct error *err)
{
	const struct sink_table *table = work->table;

	for (size_t k = 0; k < table->key_count; k++) {
		if (table->key_count > 1)
			buf_append_byte(out, k > 0 ? ',' : '(');
		if (put_literal(work, table->key[k], work->key, out, err) < 0)
			return -1;
	}
	if (table->key_count > 1)
		buf_append_byte(out, ')');
	return 0;
}

static void put_list_head(const struct sink_table *table, struct buf *out)
{
	buf_append_str(out, "DELETE FROM ");
	buf_append_str(out, table->quoted);
	buf_append_str(out, " WHERE ");
	sink_table_list(table, true, out);
	buf_append_str(out, " IN (");
}

/* Bytes that a row takes at least; arrays are small. */
static size_t weight(const struct work *work)
{
	const struct value *row = work->chg->after != NULL ? work->chg->after : work->key;
	size_t bytes = 0;

	for (size_t i = 0; i < work->table->column_count; i++) {
		const struct value *val = &row[work->table->columns[i].index];

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
	describe(writer, work);
	run->waiting = my_queue_add(writer->queue, &work->statement, err);
	if (run->waiting == NULL)
		return -1;
	run->rows = 0;
	return 1;
}

/* Whether the row of an update goes into a set. What cannot (its key is in there already) ends the open one, and goes by itself. */
static bool joins_set(struct my_writer *writer, const struct work *work)
{
	struct my_run *run = &writer->run;
	const struct change *chg = work->chg;
	const struct value *before = chg->before_is_key ? NULL : chg->before;
	uint64_t hash;

	if (!run->suits || run->streak < SET_AFTER)
		return false;
	if (!run->open)
		my_set_keys_reset(&writer->keys);
	if (weight(work) <= writer->queue->packet_bytes / 8 &&
		my_set_keeps_unique(work->shape, work->set, before, chg->after) &&
		my_set_key(work->shape, work->key, &hash) && my_set_keys_add(&writer->keys, hash))
		return true;
	close_text(writer);
	run->streak = 0;
	return false;
}

/* Whether the row goes into a statement that takes others after it. */
static bool is_shared(struct my_writer *writer, const struct work *work)
{
	if (work->op == CHANGE_UPDATE)
		return joins_set(writer, work);
	return work->op == CHANGE_INSERT || (work->table->key_count > 0 && !writer->queue->link.bulk);
}

/* first: of its statement. */
static int put_shared(const struct work *work, bool first, struct buf *out, struct error *err)
{
	if (!first)
		buf_append_byte(out, ',');
	if (work->op == CHANGE_INSERT) {
		buf_append_str(out, first ? work->shape->insert : "");
		return put_values(work, out, err);
	}
	if (work->op == CHANGE_DELETE) {
		if (first)
			put_list_head(work->table, out);
		return put_listed(work, out, err);
	}
	if (first)
		my_set_head(work->shape, out);
	return my_set_row(work->shape, work->set, work->key, work->chg->after, out, err);
}

static int put_alone(const struct work *work, struct buf *out, struct error *err)
{
	if (work->op == CHANGE_INSERT)
		return put_shared(work, true, out, err);
	if (work->op == CHANGE_UPDATE)
		return put_update(work, out, err);
	buf_append_str(out, "DELETE FROM ");
	buf_append_str(out, work->table->quoted);
	return put_identity(work, out, err);
}

/* A list's or a set's bound; an INSERT has that of the packet only. */
static bool is_full(const struct my_run *run)
{
	return (run->op == CHANGE_DELETE && run->rows == LIST_KEYS) || (run->op == CHANGE_UPDATE && run->rows == MY_SET_ROWS);
}

static int write_text(struct my_writer *writer, struct work *work, struct error *err)
{
	struct my_run *run = &writer->run;
	struct buf *out = &writer->queue->packet;
	bool shared;
	int opened, result;

	if (make_room(writer, work, err) < 0)
		return -1;
	shared = !is_row_wise(writer, work->txn) && is_shared(writer, work);
	opened = open_text(writer, work, err);
	if (opened < 0)
		return -1;
	result = shared ? put_shared(work, opened > 0, out, err) : put_alone(work, out, err);
	if (result < 0 || my_queue_check_size(writer->queue, out->len, err) < 0)
		return cannot(writer, work, err);
	run->open = shared;
	run->waiting->rows = ++run->rows;
	run->waiting->last_commit = work->txn->commit;
	if (out->len >= writer->queue->packet_bytes || is_full(run))
		close_text(writer);
	return out->len >= writer->queue->packet_bytes ? my_queue_push(writer->queue, err) : 0;
}

/* ---- in bulk ---- */

static bool is_prepared(const struct my_statement *statement, const struct work *work)
{
	return statement->handle != NULL &&
		(work->op != CHANGE_UPDATE || sink_set_equal(&statement->set, work->set, work->table->column_count));
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
	if (writer->queue->refusal.failed)
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
	if (buf_check(&writer->sql, work->table->name, err) < 0)
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
		work->target->no_bulk = !writer->queue->refusal.failed;
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
	const struct sink_table *table = work->table;

	if (!writer->queue->link.bulk || work->target->no_bulk || is_row_wise(writer, work->txn))
		return false;
	return work->op == CHANGE_INSERT || (table->key_count > 0 && !(work->moves && table->key_cascades));
}

/* The run is long enough for a packet of its own, and for preparing a statement if there is none. */
static bool wants_bulk(struct my_writer *writer, const struct work *work)
{
	unsigned streak = writer->run.streak;

	return !writer->run.bulk && streak >= BULK_AGAIN && may_bulk(writer, work) &&
		(streak >= BULK_AFTER || is_prepared(find_statement(writer, work), work));
}

static void put_type(const struct work *work, size_t i, struct buf *out)
{
	my_binary_type(&work->shape->columns[i].format, work->table->columns[i].source, out);
}

static void put_head(struct my_writer *writer, const struct work *work)
{
	const struct sink_table *table = work->table;
	struct buf *out = &writer->run.bytes;

	my_binary_head(out, (uint32_t)writer->run.statement->handle->stmt_id);
	for (size_t i = 0; i < table->column_count && work->op != CHANGE_DELETE; i++)
		if (work->op == CHANGE_INSERT || sink_set_has(work->set, i))
			put_type(work, i, out);
	for (size_t k = 0; k < table->key_count && work->op != CHANGE_INSERT; k++)
		put_type(work, table->key[k], out);
}

static int put_parameter(
	const struct work *work, size_t i, const struct value *row, struct buf *out, struct error *err)
{
	const struct sink_table_column *column = &work->table->columns[i];

	return my_binary(&work->shape->columns[i].format, column->source, &row[column->index], out, err);
}

/* The row's parameters; 1: one of them has no binary form. */
static int put_parameters(const struct work *work, struct buf *out, struct error *err)
{
	const struct sink_table *table = work->table;
	int result = 0;

	for (size_t i = 0; i < table->column_count && work->op != CHANGE_DELETE && result == 0; i++)
		if (work->op == CHANGE_INSERT || sink_set_has(work->set, i))
			result = put_parameter(work, i, work->chg->after, out, err);
	for (size_t k = 0; k < table->key_count && work->op != CHANGE_INSERT && result == 0; k++)
		result = put_parameter(work, table->key[k], work->key, out, err);
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
		describe(writer, work);
		run->bulked = work->statement;
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
	run->bulked.last_commit = work->txn->commit;
	if (run->rows == BULK_ROWS || out->len >= writer->queue->packet_bytes * 3 / 2)
		return send_bulk(writer, err);
	return 0;
}

/* ---- rows ---- */

static bool knows_sets(const struct my_queue *queue)
{
	return !queue->link.mariadb && queue->link.version >= MY_SET_VERSION && queue->packet_bytes >= SET_PACKET;
}

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
		run->suits = work->op == CHANGE_UPDATE && knows_sets(writer->queue) && my_set_suits(work->shape, work->set);
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

static int write_change(
	struct my_writer *writer, struct work *work, const struct value *old_key, struct error *err)
{
	struct sink_set set;

	work->key = sink_identity(work->table, work->chg, old_key);
	if (sink_check_event(work->table, work->chg, old_key, work->key, err) < 0)
		return cannot(writer, work, err);
	if (work->op == CHANGE_UPDATE) {
		if (sink_choose_columns(work->table, work->chg->after, work->key, &set, &work->moves) == 0)
			return 0;
		work->set = &set;
	}
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
	describe(writer, work);
	writer->truncate = work->statement;
	writer->truncate.kind = SINK_TRUNCATE;
	if (!writer->truncating && put_statement(writer, "SET foreign_key_checks=", "0", err) < 0)
		return -1;
	writer->truncating = true;
	return put_statement(writer, "DELETE FROM ", work->table->quoted, err);
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
		target->shape->table.name);
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
	struct work work = { .target = target, .shape = target->shape, .table = &target->shape->table, .chg = chg, .txn = txn };

	if (my_queue_error(writer->queue, err) < 0)
		return -1;
	work.op = chg->op == CHANGE_READ ? CHANGE_INSERT : chg->op;
	if (chg->op == CHANGE_TRUNCATE)
		return close_run(writer, err) < 0 ? -1 : write_truncate(writer, &work, err);
	if (end_truncates(writer, err) < 0)
		return -1;
	warn_of_order(target, chg);
	if (work.op != CHANGE_INSERT && work.op != CHANGE_UPDATE && work.op != CHANGE_DELETE)
		return error_set(err, ERROR_DATA, "unknown operation '%c'", (char)chg->op);
	return write_change(writer, &work, old_key, err);
}
