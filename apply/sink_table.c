/*
 * sink_table.c: mapped columns, the key, what is wrong with a table, and what an event lacks.
 */
#include "apply/sink_table.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 4096

/* ---- life cycle ---- */

static char *quoted(sink_quote *quote, const char *schema, const char *name)
{
	struct buf text;

	buf_init(&text, NAME_BYTES);
	if (schema != NULL) {
		quote(&text, schema);
		buf_append_byte(&text, '.');
	}
	quote(&text, name);
	return buf_take(&text);
}

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_RETRY, "memory is short");
}

static int name_table(
	struct sink_table *table, const struct sink_mapping *mapping, sink_quote *quote, struct error *err)
{
	struct buf name;

	buf_init(&name, NAME_BYTES);
	buf_printf(&name, "%s.%s", mapping->target_schema, mapping->target_table);
	table->name = buf_take(&name);
	table->quoted = quoted(quote, mapping->target_schema, mapping->target_table);
	return table->name != NULL && table->quoted != NULL ? 0 : out_of_memory(err);
}

static int name_columns(
	struct sink_table *table, const struct sink_mapping *mapping, sink_quote *quote, struct error *err)
{
	if (mapping->column_count == 0 || mapping->column_count > SINK_COLUMNS_MAX)
		return error_set(err, ERROR_CONFIG, "%zu columns are mapped to target table %s", mapping->column_count,
			table->name);
	table->columns = calloc(mapping->column_count, sizeof *table->columns);
	if (table->columns == NULL)
		return out_of_memory(err);
	table->column_count = mapping->column_count;
	for (size_t i = 0; i < table->column_count; i++) {
		const struct sink_column *from = &mapping->columns[i];
		struct sink_table_column *column = &table->columns[i];

		column->source = &mapping->table->columns[from->source];
		column->index = from->source;
		column->name = strdup(from->target);
		column->quoted = quoted(quote, NULL, from->target);
		if (column->name == NULL || column->quoted == NULL)
			return out_of_memory(err);
	}
	return 0;
}

int sink_key_column(const struct sink_mapping *mapping, size_t k, size_t *ret_column, struct error *err)
{
	const struct table *source = mapping->table;
	size_t at = 0, times = 0;

	for (size_t i = 0; i < mapping->column_count; i++) {
		if (mapping->columns[i].source != source->key[k])
			continue;
		at = i;
		times++;
	}
	if (times == 0) {
		(void)error_set(err, ERROR_CONFIG, "column %s of %s.%s is part of its key but is not written to the target",
			source->columns[source->key[k]].name, source->schema, source->name);
		return error_hint(err, "include the column: updates and deletes find their row by it");
	}
	if (times > 1)
		return error_set(
			err, ERROR_CONFIG, "a key column of %s.%s is mapped twice", source->schema, source->name);
	*ret_column = at;
	return 0;
}

static int find_key(struct sink_table *table, const struct sink_mapping *mapping, struct error *err)
{
	size_t count = mapping->table->key_count, at = 0;

	if (count == 0)
		return 0;
	table->key = calloc(count, sizeof *table->key);
	if (table->key == NULL)
		return out_of_memory(err);
	for (size_t k = 0; k < count; k++) {
		if (sink_key_column(mapping, k, &at, err) < 0)
			return -1;
		table->columns[at].key = true;
		table->key[table->key_count++] = at;
	}
	return 0;
}

int sink_table_init(
	struct sink_table *table, const struct sink_mapping *mapping, sink_quote *quote, struct error *err)
{
	memset(table, 0, sizeof *table);
	if (name_table(table, mapping, quote, err) < 0 || name_columns(table, mapping, quote, err) < 0)
		return -1;
	return find_key(table, mapping, err);
}

void sink_table_release(struct sink_table *table)
{
	for (size_t i = 0; i < table->column_count; i++) {
		free(table->columns[i].name);
		free(table->columns[i].quoted);
	}
	free(table->columns);
	free(table->key);
	free(table->name);
	free(table->quoted);
}

bool sink_table_has(const struct sink_table *table, const char *column)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strcmp(table->columns[i].name, column) == 0)
			return true;
	return false;
}

bool sink_table_has_key(const struct sink_table *table, const char *column)
{
	for (size_t k = 0; k < table->key_count; k++)
		if (strcmp(table->columns[table->key[k]].name, column) == 0)
			return true;
	return false;
}

void sink_table_list(const struct sink_table *table, bool key, struct buf *sql)
{
	size_t count = key ? table->key_count : table->column_count;

	for (size_t i = 0; i < count; i++) {
		buf_append_byte(sql, i > 0 ? ',' : '(');
		buf_append_str(sql, table->columns[key ? table->key[i] : i].quoted);
	}
	buf_append_byte(sql, ')');
}

/* ---- what is wrong with it ---- */

int sink_table_missing(
	const struct sink_table *table, const struct sink_mapping *mapping, const char *grants, struct error *err)
{
	(void)error_set(err, ERROR_CONFIG, "target table %s is missing", table->name);
	return error_hint(err, "create it, %sor map %s.%s to another table in `tables`", grants, mapping->table->schema,
		mapping->table->name);
}

int sink_table_is_other(const struct sink_table *table, struct error *err)
{
	return error_set(err, ERROR_CONFIG, "target %s is not a table", table->name);
}

int sink_column_missing(const struct sink_table *table, size_t i, struct error *err)
{
	(void)error_set(
		err, ERROR_CONFIG, "target table %s has no column \"%s\"", table->name, table->columns[i].name);
	return error_hint(err, "add the column to the target's table, rename it in `tables`, or leave it out");
}

int sink_column_generated(const struct sink_table *table, size_t i, struct error *err)
{
	(void)error_set(err, ERROR_CONFIG, "column %s of target table %s is generated and cannot be written",
		table->columns[i].name, table->name);
	return error_hint(err, "leave the column out: the target computes it");
}

int sink_column_refused(const struct sink_table *table, size_t i, const char *declared, struct error *err)
{
	const struct column *source = table->columns[i].source;
	bool named = source->source_type != NULL && source->source_type[0] != '\0';

	return error_set(err, ERROR_CONFIG,
		"column %s of target table %s is %s, which does not hold every value of the source's %s",
		table->columns[i].name, table->name, declared,
		named ? source->source_type : column_type_name(source->type));
}

int sink_column_unfilled(const struct sink_table *table, const char *column, struct error *err)
{
	(void)error_set(err, ERROR_CONFIG,
		"column %s of target table %s is NOT NULL without a default, and no source column goes there", column,
		table->name);
	return error_hint(err, "give it a default at the target, or map a source column to it");
}

int sink_key_missing(const struct sink_table *table, const struct sink_mapping *mapping, size_t i, const char *also,
	struct error *err)
{
	(void)error_set(err, ERROR_CONFIG,
		"target table %s has no unique index over exactly the key of %s.%s (with column %s)", table->name,
		mapping->table->schema, mapping->table->name, table->columns[i].name);
	return error_hint(err, "add a primary key or a unique index over the same columns%s at the target", also);
}

/* ---- events ---- */

const struct value *sink_identity(
	const struct sink_table *table, const struct change *chg, const struct value *old_key)
{
	const struct value *row = old_key != NULL ? old_key : chg->before;

	if (chg->op == CHANGE_INSERT || chg->op == CHANGE_READ)
		return chg->after;
	/* The key stayed. */
	return row == NULL && chg->op == CHANGE_UPDATE && table->key_count > 0 ? chg->after : row;
}

static int check_insert(const struct sink_table *table, const struct value *row, struct error *err)
{
	if (row == NULL)
		return error_set(err, ERROR_DATA, "the event has no row");
	for (size_t i = 0; i < table->column_count; i++)
		if (row[table->columns[i].index].kind == VALUE_UNCHANGED)
			return error_set(
				err, ERROR_DATA, "column %s has no value in the event", table->columns[i].name);
	return 0;
}

static int check_identity(const struct sink_table *table, const struct value *row, struct error *err)
{
	size_t n = table->key_count > 0 ? table->key_count : table->column_count;

	for (size_t k = 0; k < n; k++) {
		const struct sink_table_column *column = &table->columns[table->key_count > 0 ? table->key[k] : k];

		if (row[column->index].kind == VALUE_UNCHANGED)
			return error_set(err, ERROR_DATA,
				"column %s, which identifies the row, has no value in the event", column->name);
	}
	return 0;
}

int sink_check_event(const struct sink_table *table, const struct change *chg, const struct value *old_key,
	const struct value *identity, struct error *err)
{
	switch (chg->op) {
	case CHANGE_INSERT:
	case CHANGE_READ:
		return check_insert(table, chg->after, err);
	case CHANGE_UPDATE:
		if (chg->after == NULL)
			return error_set(err, ERROR_DATA, "the event has no new row");
		if (identity == NULL)
			return error_set(err, ERROR_DATA, "the table has no key and the event no old row");
		break;
	default:
		if (identity == NULL || (table->key_count == 0 && (old_key != NULL || chg->before_is_key)))
			return error_set(err, ERROR_DATA, "the event does not identify its row");
		break;
	}
	return check_identity(table, identity, err);
}

size_t sink_choose_columns(const struct sink_table *table, const struct value *after, const struct value *identity,
	struct sink_set *set, bool *ret_moves)
{
	size_t count = 0;
	bool moves = false;

	memset(set, 0, sizeof *set);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct sink_table_column *column = &table->columns[i];
		const struct value *val = &after[column->index];

		if (val->kind == VALUE_UNCHANGED || (column->key && value_equal(val, &identity[column->index])))
			continue;
		moves = moves || column->key;
		sink_set_add(set, i);
		count++;
	}
	*ret_moves = moves;
	for (size_t k = 0; k < table->key_count && count == 0; k++) {
		if (table->columns[table->key[k]].fixed)
			continue;
		sink_set_add(set, table->key[k]);
		count++;
	}
	return count;
}
