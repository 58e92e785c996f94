/*
 * sink_mysql_shape.c: check of a target table.
 *
 * 0. The table is held, as a transaction holds what it has read, so that no DDL comes between the questions: while a table is being
 *    altered, information_schema may show half of it or none.
 * 1. The table: there, a table and not a view, of InnoDB or RocksDB: else neither a rollback nor the position would mean anything.
 * 2. Each mapped column: there, not generated, of a type that holds the source's (sink_mysql_types.h).
 * 3. No other column that an insert would have to fill.
 * 4. A unique index over exactly the source's key, so that an update or delete meets one row at most.
 */
#include "apply/sink_mysql_shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "apply/sink_mysql_create.h"
#include "apply/sink_mysql_types.h"

#define NAME_BYTES 1024

enum { T_KIND, T_ENGINE, T_TRANSACTIONS };
enum {
	C_NAME,
	C_DATA_TYPE,
	C_DECLARED,
	C_NULLABLE,
	C_HAS_DEFAULT,
	C_EXTRA,
	C_CHARS,
	C_BYTES,
	C_PRECISION,
	C_SCALE,
	C_FRACTION,
	C_GENERATED,
	C_CHARSET
};
enum { I_NAME, I_COLUMN, I_PART };

/* ---- questions ---- */

static void put_where(const struct sink_mapping *mapping, const char *alias, struct buf *sql)
{
	buf_printf(sql, " WHERE %s.table_schema=", alias);
	my_quote(sql, mapping->target_schema, strlen(mapping->target_schema));
	buf_printf(sql, " AND %s.table_name=", alias);
	my_quote(sql, mapping->target_table, strlen(mapping->target_table));
}

static int ask(struct my_link *link, struct buf *sql, MYSQL_RES **ret, struct error *err)
{
	if (buf_check(sql, "a query", err) < 0)
		return -1;
	return my_link_ask(link, sql->data, sql->len, ret, err);
}

/* A table that is not there, or may not be read, is left to the questions that follow. */
static int hold_table(struct my_link *link, const struct my_shape *shape, struct buf *sql, struct error *err)
{
	buf_reset(sql);
	buf_printf(sql, "SELECT 1 FROM %s LIMIT 0", shape->table.quoted);
	if (ask(link, sql, NULL, err) == 0)
		return 0;
	if (err->class != ERROR_CONFIG || link->broken)
		return -1;
	error_clear(err);
	return 0;
}

static int ask_text(struct my_link *link, struct my_shape *shape, struct buf *sql, struct error *err)
{
	MYSQL_RES *answer;
	MYSQL_ROW row;

	buf_reset(sql);
	buf_printf(sql, "SHOW CREATE TABLE %s", shape->table.quoted);
	if (ask(link, sql, &answer, err) < 0)
		return -1;
	row = mysql_fetch_row(answer);
	shape->create = strdup(row != NULL && row[1] != NULL ? row[1] : "");
	mysql_free_result(answer);
	return shape->create != NULL ? 0 : error_set(err, ERROR_RETRY, "memory is short");
}

static int ask_table(
	struct my_link *link, const struct sink_mapping *mapping, struct buf *sql, MYSQL_RES **ret, struct error *err)
{
	buf_reset(sql);
	buf_append_str(sql, "SELECT t.table_type, COALESCE(t.engine, ''), COALESCE(e.transactions, '')"
			    " FROM information_schema.tables t"
			    " LEFT JOIN information_schema.engines e ON e.engine=t.engine");
	put_where(mapping, "t", sql);
	return ask(link, sql, ret, err);
}

static int ask_columns(
	struct my_link *link, const struct sink_mapping *mapping, struct buf *sql, MYSQL_RES **ret, struct error *err)
{
	buf_reset(sql);
	buf_append_str(sql,
		"SELECT c.column_name, LOWER(c.data_type), c.column_type, c.is_nullable, c.column_default IS NOT NULL,"
		" LOWER(c.extra), c.character_maximum_length, c.character_octet_length, c.numeric_precision,"
		" c.numeric_scale, c.datetime_precision, COALESCE(c.generation_expression, '') <> '',"
		" COALESCE(c.character_set_name, '') FROM information_schema.columns c");
	put_where(mapping, "c", sql);
	buf_append_str(sql, " ORDER BY c.ordinal_position");
	return ask(link, sql, ret, err);
}

static int ask_indexes(
	struct my_link *link, const struct sink_mapping *mapping, struct buf *sql, MYSQL_RES **ret, struct error *err)
{
	buf_reset(sql);
	buf_append_str(sql, "SELECT s.index_name, COALESCE(s.column_name, ''), s.sub_part IS NOT NULL"
			    " FROM information_schema.statistics s");
	put_where(mapping, "s", sql);
	buf_append_str(sql, " AND s.non_unique=0 ORDER BY s.index_name, s.seq_in_index");
	return ask(link, sql, ret, err);
}

/* ---- the check ---- */

static int check_table(
	const struct my_shape *shape, const struct sink_mapping *mapping, MYSQL_RES *answer, struct error *err)
{
	MYSQL_ROW row = mysql_fetch_row(answer);

	if (row == NULL)
		return sink_table_missing(
			&shape->table, mapping, "grant the user SELECT, INSERT, UPDATE and DELETE on it, ", err);
	if (strcmp(row[T_KIND], "BASE TABLE") != 0 && strcmp(row[T_KIND], "SYSTEM VERSIONED") != 0)
		return sink_table_is_other(&shape->table, err);
	if (my_engine_is_safe(row[T_ENGINE]))
		return 0;
	(void)error_set(err, ERROR_CONFIG, "target table %s is of engine %s, which has no transactions%s",
		shape->table.name, row[T_ENGINE],
		strcmp(row[T_TRANSACTIONS], "YES") == 0 ? " that are one with those of InnoDB" : "");
	return error_hint(err, "ALTER TABLE ... ENGINE=InnoDB");
}

static MYSQL_ROW find_row(MYSQL_RES *answer, const char *name)
{
	MYSQL_ROW row;

	mysql_data_seek(answer, 0);
	while ((row = mysql_fetch_row(answer)) != NULL)
		if (strcmp(row[C_NAME], name) == 0)
			return row;
	return NULL;
}

static uint64_t number(const char *text)
{
	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static int check_type(const struct my_shape *shape, size_t i, MYSQL_ROW row, struct error *err)
{
	const struct sink_table_column *column = &shape->table.columns[i];
	struct my_type type = { .name = row[C_DATA_TYPE],
		.declared = row[C_DECLARED],
		.chars = number(row[C_CHARS]),
		.bytes = number(row[C_BYTES]),
		.precision = (int)number(row[C_PRECISION]),
		.scale = (int)number(row[C_SCALE]),
		.fraction = (int)number(row[C_FRACTION]),
		.json = my_create_is_json(shape->create, row[C_NAME]),
		.utf8 = strcmp(row[C_CHARSET], "utf8mb4") == 0 };
	const char *label;
	struct buf wanted;

	if (!my_type_holds(column->source, &type, &shape->columns[i].format)) {
		buf_init(&wanted, 256);
		my_type_wanted(column->source, &wanted);
		(void)sink_column_refused(&shape->table, i, type.declared, err);
		(void)error_hint(err, "let the target's column be %s, or leave it out", buf_cstr(&wanted));
		buf_release(&wanted);
		return -1;
	}
	label = my_missing_label(column->source, &type);
	if (label == NULL)
		return 0;
	(void)error_set(err, ERROR_CONFIG, "the %s of column %s of target table %s has no label \"%s\"", type.name,
		column->name, shape->table.name, label);
	return error_hint(err, "ALTER TABLE ... MODIFY the column with all labels of the source");
}

static int check_column(struct my_shape *shape, size_t i, MYSQL_RES *answer, struct error *err)
{
	MYSQL_ROW row = find_row(answer, shape->table.columns[i].name);
	struct my_column *column = &shape->columns[i];

	if (row == NULL)
		return sink_column_missing(&shape->table, i, err);
	if (row[C_GENERATED][0] == '1')
		return sink_column_generated(&shape->table, i, err);
	column->declared = strdup(row[C_DECLARED]);
	if (column->declared == NULL)
		return error_set(err, ERROR_RETRY, "memory is short");
	column->format.declared = column->declared;
	column->format.not_null = strcmp(row[C_NULLABLE], "NO") == 0;
	column->on_update = strstr(row[C_EXTRA], "on update") != NULL;
	return check_type(shape, i, row, err);
}

/* A column that no mapping fills must be able to fill itself. */
static int check_others(const struct my_shape *shape, MYSQL_RES *answer, struct error *err)
{
	MYSQL_ROW row;

	mysql_data_seek(answer, 0);
	while ((row = mysql_fetch_row(answer)) != NULL) {
		bool fills_itself = strcmp(row[C_NULLABLE], "NO") != 0 || row[C_HAS_DEFAULT][0] == '1' ||
			row[C_GENERATED][0] == '1' || strstr(row[C_EXTRA], "auto_increment") != NULL ||
			strstr(row[C_EXTRA], "generated") != NULL;

		if (!fills_itself && !sink_table_has(&shape->table, row[C_NAME]))
			return sink_column_unfilled(&shape->table, row[C_NAME], err);
	}
	return 0;
}

static int keep_index(struct my_shape *shape, const char *name, struct error *err)
{
	struct buf quoted;

	buf_init(&quoted, NAME_BYTES);
	my_identifier(&quoted, name);
	shape->key_index = buf_take(&quoted);
	return shape->key_index != NULL ? 0 : error_set(err, ERROR_RETRY, "memory is short");
}

/* Whether one of the unique indexes has exactly the key's columns, whole. */
static int check_key(
	struct my_shape *shape, const struct sink_mapping *mapping, MYSQL_RES *answer, struct error *err)
{
	const struct sink_table *table = &shape->table;
	char index[256] = "";
	size_t matching = 0, others = 0;
	MYSQL_ROW row;

	if (table->key_count == 0)
		return 0;
	while ((row = mysql_fetch_row(answer)) != NULL) {
		if (strcmp(row[I_NAME], index) != 0) {
			if (matching == table->key_count && others == 0)
				break;
			matching = others = 0;
			(void)snprintf(index, sizeof index, "%s", row[I_NAME]);
		}
		if (sink_table_has_key(table, row[I_COLUMN]) && row[I_PART][0] == '0')
			matching++;
		else
			others++;
	}
	if (matching == table->key_count && others == 0)
		return keep_index(shape, index, err);
	return sink_key_missing(table, mapping, table->key[0], ", without prefix lengths,", err);
}

/* An index over an expression or a generated column may depend on any column. */
static void mark_unique(struct my_shape *shape, MYSQL_RES *answer)
{
	MYSQL_ROW row;

	mysql_data_seek(answer, 0);
	while ((row = mysql_fetch_row(answer)) != NULL) {
		bool any = !sink_table_has(&shape->table, row[I_COLUMN]);

		for (size_t i = 0; i < shape->table.column_count; i++)
			if (any || strcmp(shape->table.columns[i].name, row[I_COLUMN]) == 0)
				shape->columns[i].unique = true;
	}
}

static void read_foreign_keys(struct my_shape *shape, const struct sink_mapping *mapping)
{
	struct sink_table *table = &shape->table;
	const char *at = shape->create;
	struct my_reference reference;

	while (my_create_reference(&at, &reference)) {
		table->cascades = table->cascades || reference.delete_cascades;
		for (size_t k = 0; k < table->key_count && reference.update_cascades; k++)
			table->key_cascades = table->key_cascades ||
				my_reference_has(&reference, table->columns[table->key[k]].name);
		/* Names may have no case at the server: it is for a warning only. */
		shape->refers_to_itself = shape->refers_to_itself ||
			(strcasecmp(reference.table, mapping->target_table) == 0 &&
				(reference.schema[0] == '\0' || strcasecmp(reference.schema, mapping->target_schema) == 0));
	}
}

static int look_at_rows(struct my_link *link, struct my_shape *shape, const struct sink_mapping *mapping,
	struct buf *sql, struct error *err)
{
	MYSQL_RES *answer;
	int result;

	if (hold_table(link, shape, sql, err) < 0 || ask_table(link, mapping, sql, &answer, err) < 0)
		return -1;
	result = check_table(shape, mapping, answer, err);
	mysql_free_result(answer);
	if (result < 0 || ask_text(link, shape, sql, err) < 0 || ask_columns(link, mapping, sql, &answer, err) < 0)
		return -1;
	shape->columns = calloc(shape->table.column_count, sizeof *shape->columns);
	if (shape->columns == NULL)
		result = error_set(err, ERROR_RETRY, "memory is short");
	for (size_t i = 0; i < shape->table.column_count && result == 0; i++)
		result = check_column(shape, i, answer, err);
	if (result == 0)
		result = check_others(shape, answer, err);
	mysql_free_result(answer);
	return result;
}

static int look_at_keys(struct my_link *link, struct my_shape *shape, const struct sink_mapping *mapping,
	struct buf *sql, struct error *err)
{
	MYSQL_RES *answer;
	int result;

	if (ask_indexes(link, mapping, sql, &answer, err) < 0)
		return -1;
	result = check_key(shape, mapping, answer, err);
	mark_unique(shape, answer);
	mysql_free_result(answer);
	if (result == 0)
		read_foreign_keys(shape, mapping);
	return result;
}

int my_shape_new(
	struct my_link *link, const struct sink_mapping *mapping, struct my_shape **ret_shape, struct error *err)
{
	struct my_shape *shape = calloc(1, sizeof *shape);
	struct buf sql;
	int result = -1;

	buf_init(&sql, SINK_SQL_MAX);
	if (shape == NULL)
		return error_set(err, ERROR_RETRY, "memory is short");
	if (sink_table_init(&shape->table, mapping, my_identifier, err) < 0 ||
		look_at_rows(link, shape, mapping, &sql, err) < 0 || look_at_keys(link, shape, mapping, &sql, err) < 0)
		goto out;
	buf_reset(&sql);
	buf_printf(&sql, "INSERT INTO %s ", shape->table.quoted);
	sink_table_list(&shape->table, false, &sql);
	buf_append_str(&sql, " VALUES ");
	shape->insert = buf_take(&sql);
	free(shape->create);
	shape->create = NULL;
	if (shape->insert == NULL) {
		(void)error_set(err, ERROR_RETRY, "memory is short");
		goto out;
	}
	*ret_shape = shape;
	result = 0;
out:
	if (result < 0)
		my_shape_free(shape);
	buf_release(&sql);
	return result;
}

void my_shape_free(struct my_shape *shape)
{
	if (shape == NULL)
		return;
	for (size_t i = 0; i < shape->table.column_count && shape->columns != NULL; i++)
		free(shape->columns[i].declared);
	free(shape->columns);
	free(shape->create);
	free(shape->insert);
	free(shape->key_index);
	sink_table_release(&shape->table);
	free(shape);
}

/* ---- statements for bulk execution ---- */

void my_shape_keep(const struct my_shape *shape, const struct sink_set *set, bool first, struct buf *sql)
{
	for (size_t i = 0; i < shape->table.column_count; i++) {
		if (!shape->columns[i].on_update || sink_set_has(set, i))
			continue;
		buf_printf(sql, "%s%s=%s", first ? "" : ",", shape->table.columns[i].quoted, shape->table.columns[i].quoted);
		first = false;
	}
}

static void put_key(const struct my_shape *shape, struct buf *sql)
{
	for (size_t k = 0; k < shape->table.key_count; k++)
		buf_printf(sql, "%s%s=?", k > 0 ? " AND " : " WHERE ", shape->table.columns[shape->table.key[k]].quoted);
}

void my_shape_insert(const struct my_shape *shape, struct buf *sql)
{
	buf_append_str(sql, shape->insert);
	for (size_t i = 0; i < shape->table.column_count; i++)
		buf_append_str(sql, i > 0 ? ",?" : "(?");
	buf_append_byte(sql, ')');
}

void my_shape_update(const struct my_shape *shape, const struct sink_set *set, struct buf *sql)
{
	bool first = true;

	buf_printf(sql, "UPDATE %s SET ", shape->table.quoted);
	for (size_t i = 0; i < shape->table.column_count; i++) {
		if (!sink_set_has(set, i))
			continue;
		buf_printf(sql, "%s%s=?", first ? "" : ",", shape->table.columns[i].quoted);
		first = false;
	}
	my_shape_keep(shape, set, first, sql);
	put_key(shape, sql);
}

void my_shape_delete(const struct my_shape *shape, struct buf *sql)
{
	buf_printf(sql, "DELETE FROM %s", shape->table.quoted);
	put_key(shape, sql);
}
