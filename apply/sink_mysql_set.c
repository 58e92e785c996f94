/*
 * sink_mysql_set.c: the parts of UPDATE (VALUES ...) AS v STRAIGHT_JOIN t, and the keys that stand in it.
 *
 * STRAIGHT_JOIN reads v first. The hint names the key's index: of a small table the server would rather read all rows, wait for those that
 * others hold, and write in the order of the table.
 */
#include "apply/sink_mysql_set.h"

#include <string.h>

/* ---- what suits ---- */

/* The server takes geometries and vectors from bytes by rules of their own. */
static bool is_plain(enum my_form form)
{
	return form != MY_OPAQUE;
}

static bool is_integer(const struct my_shape *shape, size_t i)
{
	const struct my_format *format = &shape->columns[i].format;

	return format->form == MY_NUMBER && !format->bits && !format->year;
}

bool my_set_suits(const struct my_shape *shape, const struct sink_set *set)
{
	const struct sink_table *table = &shape->table;

	if (table->key_count == 0 || table->column_count > MY_SET_COLUMNS || shape->key_index == NULL)
		return false;
	for (size_t k = 0; k < table->key_count; k++)
		if (sink_set_has(set, table->key[k]) || !is_integer(shape, table->key[k]))
			return false;
	for (size_t i = 0; i < table->column_count; i++)
		if (sink_set_has(set, i) && !is_plain(shape->columns[i].format.form))
			return false;
	return true;
}

/* ---- keys ---- */

/* Every bit of the word takes part in every bit of the hash (the finish of SplitMix64). */
static uint64_t mix(uint64_t word)
{
	word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
	return word ^ word >> 31;
}

bool my_set_key(const struct my_shape *shape, const struct value *row, uint64_t *ret_hash)
{
	const struct sink_table *table = &shape->table;
	uint64_t hash = 0;

	for (size_t k = 0; k < table->key_count; k++) {
		const struct value *val = &row[table->columns[table->key[k]].index];

		if (val->kind != VALUE_INT && (val->kind != VALUE_UINT || val->u > INT64_MAX))
			return false;
		hash = mix(hash + UINT64_C(0x9e3779b97f4a7c15) + (val->kind == VALUE_INT ? (uint64_t)val->i : val->u));
	}
	*ret_hash = hash != 0 ? hash : 1;
	return true;
}

bool my_set_keeps_unique(
	const struct my_shape *shape, const struct sink_set *set, const struct value *before, const struct value *after)
{
	for (size_t i = 0; i < shape->table.column_count; i++) {
		size_t at = shape->table.columns[i].index;

		if (shape->columns[i].unique && sink_set_has(set, i) && (before == NULL || !value_equal(&before[at], &after[at])))
			return false;
	}
	return true;
}

bool my_set_keys_add(struct my_set_keys *keys, uint64_t hash)
{
	size_t count = sizeof keys->slots / sizeof keys->slots[0], at = hash % count;

	while (keys->slots[at] != 0 && keys->slots[at] != hash)
		at = (at + 1) % count;
	if (keys->slots[at] == hash)
		return false;
	keys->slots[at] = hash;
	return true;
}

void my_set_keys_reset(struct my_set_keys *keys)
{
	memset(keys, 0, sizeof *keys);
}

/* ---- text ---- */

void my_set_head(const struct my_shape *shape, struct buf *sql)
{
	buf_append_str(sql, "UPDATE /*+ JOIN_INDEX(t ");
	buf_append_str(sql, shape->key_index);
	buf_append_str(sql, ") */ (VALUES ");
}

int my_set_row(const struct my_shape *shape, const struct sink_set *set, const struct value *key, const struct value *after,
	struct buf *sql, struct error *err)
{
	const struct sink_table *table = &shape->table;

	buf_append_str(sql, "ROW(");
	for (size_t k = 0; k < table->key_count; k++) {
		const struct sink_table_column *column = &table->columns[table->key[k]];

		if (k > 0)
			buf_append_byte(sql, ',');
		if (my_literal(&shape->columns[table->key[k]].format, column->source, &key[column->index], sql, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < table->column_count; i++) {
		const struct sink_table_column *column = &table->columns[i];

		if (!sink_set_has(set, i))
			continue;
		buf_append_byte(sql, ',');
		if (my_string_literal(&shape->columns[i].format, column->source, &after[column->index], sql, err) < 0)
			return -1;
	}
	buf_append_byte(sql, ')');
	return 0;
}

void my_set_tail(const struct my_shape *shape, const struct sink_set *set, struct buf *sql)
{
	const struct sink_table *table = &shape->table;
	const char *before = " SET ";

	buf_append_str(sql, ") AS v(");
	for (size_t k = 0; k < table->key_count; k++)
		buf_printf(sql, "%sk%zu", k > 0 ? "," : "", k);
	for (size_t i = 0; i < table->column_count; i++)
		if (sink_set_has(set, i))
			buf_printf(sql, ",c%zu", i);
	buf_printf(sql, ") STRAIGHT_JOIN %s AS t ON ", table->quoted);
	for (size_t k = 0; k < table->key_count; k++)
		buf_printf(sql, "%st.%s=v.k%zu", k > 0 ? " AND " : "", table->columns[table->key[k]].quoted, k);
	for (size_t i = 0; i < table->column_count; i++) {
		const char *name = table->columns[i].quoted;

		if (sink_set_has(set, i))
			buf_printf(sql, "%st.%s=v.c%zu", before, name, i);
		else if (shape->columns[i].on_update) /* or the server sets it */
			buf_printf(sql, "%st.%s=t.%s", before, name, name);
		else
			continue;
		before = ",";
	}
}
