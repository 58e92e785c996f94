/*
 * sink_statement.c: naming a change, and errors that do.
 */
#include "apply/sink_statement.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apply/sink_text.h"

#define PLACE_MAX (SINK_FILE_MAX + 24)

/* ---- naming a change ---- */

/* Appends `text` to the key. Cuts at a whole character, and keeps one line one line. */
static void put_key(struct sink_place *place, const struct buf *text, size_t *len)
{
	size_t take = text->len, room = SINK_KEY_MAX - 1 - *len;

	if (take > room) {
		take = room;
		while (take > 0 && ((unsigned char)text->data[take] & 0xc0) == 0x80)
			take--;
	}
	for (size_t i = 0; i < take; i++)
		place->key[*len + i] = (unsigned char)text->data[i] < 0x20 ? '?' : text->data[i];
	*len += take;
	place->key[*len] = '\0';
}

static void name_key(
	struct sink_place *place, const struct sink_table *table, const struct value *row, struct buf *scratch)
{
	size_t len = 0;

	place->key[0] = '\0';
	for (size_t k = 0; k < table->key_count && row != NULL; k++) {
		const struct sink_table_column *column = &table->columns[table->key[k]];
		const struct value *val = &row[column->index];

		buf_reset(scratch);
		buf_append_str(scratch, k > 0 ? ", " : "");
		buf_append_str(scratch, column->name);
		buf_append_byte(scratch, '=');
		if (val->kind == VALUE_TEXT || val->kind == VALUE_EXACT)
			buf_append(scratch, val->text.ptr, val->text.len < SINK_KEY_MAX ? val->text.len : SINK_KEY_MAX);
		else if (val->kind == VALUE_NULL || val->kind == VALUE_UNCHANGED)
			buf_append_str(scratch, "NULL");
		else
			(void)sink_text(column->source, val, scratch, NULL);
		if (!scratch->failed)
			put_key(place, scratch, &len);
	}
}

void sink_place_set(struct sink_place *place, const struct sink_table *table, const struct change *chg,
	const struct value *key, const struct transaction *txn, struct buf *scratch)
{
	const char *file = chg->file != NULL ? chg->file : "";
	size_t file_len = strnlen(file, sizeof place->file - 1);
	size_t id_len = strnlen(txn->id, sizeof place->transaction_id - 1);

	memcpy(place->file, file, file_len);
	place->file[file_len] = '\0';
	place->lsn = chg->lsn != 0 || file_len > 0 ? chg->lsn : txn->commit;
	place->index = chg->index;
	place->commit = txn->commit;
	memcpy(place->transaction_id, txn->id, id_len);
	place->transaction_id[id_len] = '\0';
	name_key(place, table, key, scratch);
}

const char *sink_verb(enum change_op op)
{
	switch (op) {
	case CHANGE_INSERT:
	case CHANGE_READ:
		return "an insert into";
	case CHANGE_UPDATE:
		return "an update of";
	case CHANGE_DELETE:
		return "a delete from";
	default:
		return "a truncate of";
	}
}

/* "an insert into t.t at 0/16B3748 event 3 of transaction 751:23812936, key (id=42)"; "... at binlog.000007:4711 event 3 ..." */
static void describe(const char *verb, const char *table, unsigned rows, const struct sink_place *place, char *out)
{
	bool has_key = place->key[0] != '\0';
	char where[PLACE_MAX];

	(void)position_place_format(
		place->file[0] != '\0' ? place->file : NULL, place->lsn, where, sizeof where);
	if (rows > 1)
		(void)snprintf(out, SINK_WHERE_MAX, "%s %s at %s event %" PRIu64 " of transaction %s and %u more rows", verb,
			table, where, place->index, place->transaction_id, rows - 1);
	else
		(void)snprintf(out, SINK_WHERE_MAX, "%s %s at %s event %" PRIu64 " of transaction %s%s%s%s", verb, table,
			where, place->index, place->transaction_id, has_key ? ", key (" : "", place->key,
			has_key ? ")" : "");
}

int sink_cannot_write(
	const char *verb, const struct sink_table *table, const struct sink_place *place, struct error *err)
{
	char where[SINK_WHERE_MAX];

	describe(verb, table->name, 1, place, where);
	return error_prefix(err, "cannot write %s", where);
}

/* ---- answers ---- */

static void describe_statement(const struct sink_statement *statement, char *out)
{
	describe(statement->verb, statement->table, statement->rows, &statement->first, out);
}

const char *sink_refused_what(const struct sink_statement *statement, char *out)
{
	char where[SINK_WHERE_MAX];

	switch (statement->kind) {
	case SINK_WRITE:
	case SINK_TRUNCATE:
		describe_statement(statement, where);
		(void)snprintf(out, SINK_WHERE_MAX, "target refused %s", where);
		break;
	case SINK_PREPARE:
		(void)snprintf(out, SINK_WHERE_MAX, "target refused to prepare %s %s", statement->verb, statement->table);
		break;
	case SINK_POSITION:
		(void)snprintf(out, SINK_WHERE_MAX, "target refused the position");
		break;
	case SINK_COMMIT:
		(void)snprintf(out, SINK_WHERE_MAX, "target refused the commit that ends with transaction %s",
			statement->first.transaction_id);
		break;
	default:
		(void)snprintf(out, SINK_WHERE_MAX, "target refused");
		break;
	}
	return out;
}

void sink_refused_rows(struct sink_refusal *refusal, const struct sink_statement *statement)
{
	if (refusal->error.class != ERROR_DATA || statement->rows < 2 || refusal->row_wise_until == NULL)
		return;
	if (*refusal->row_wise_until < statement->last_commit)
		*refusal->row_wise_until = statement->last_commit;
	refusal->error.class = ERROR_RETRY;
	(void)error_hint(&refusal->error, "the same transactions are written again row by row, which names the row");
}

void sink_check_rows(
	struct sink_refusal *refusal, const struct sink_statement *statement, uint64_t rows, const char *hint)
{
	struct error *error = &refusal->error;
	char where[SINK_WHERE_MAX];

	if (rows == statement->rows || (rows < statement->rows && statement->maybe_none))
		return;
	refusal->failed = true;
	describe_statement(statement, where);
	if (rows > statement->rows) {
		(void)error_set(error, ERROR_DATA, "target changed %" PRIu64 " rows by %s", rows, where);
	} else if (statement->rows > 1 || strncmp(statement->verb, "an insert", 9) == 0) {
		(void)error_set(error, ERROR_DATA, "target took %" PRIu64 " of %u rows of %s", rows, statement->rows, where);
		if (hint != NULL)
			(void)error_hint(error, "%s", hint);
		sink_refused_rows(refusal, statement);
	} else {
		(void)error_set(error, ERROR_DATA, "target refused %s: no row with that key at the target", where);
		(void)error_hint(error, "the target was changed by somebody else; put the row back, then resume");
	}
}

bool sink_is_row_wise(const struct sink_refusal *refusal, const struct transaction *txn)
{
	return refusal->row_wise_until == NULL || txn->commit <= *refusal->row_wise_until;
}

void sink_fenced(struct sink_refusal *refusal)
{
	refusal->failed = true;
	(void)error_set(
		&refusal->error, ERROR_FENCED, "the position row was taken over by another apply agent");
}

int sink_refusal_check(const struct sink_refusal *refusal, struct error *err)
{
	if (!refusal->failed)
		return 0;
	*err = refusal->error;
	return -1;
}
