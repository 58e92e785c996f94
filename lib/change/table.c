/*
 * table.c: look-ups in, copies of and selection of table shapes.
 */
#include "lib/change/table.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

long table_column_index(const struct table *table, const char *name, size_t name_len)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const char *have = table->columns[i].name;

		if (strncmp(have, name, name_len) == 0 && have[name_len] == '\0')
			return (long)i;
	}
	return -1;
}

const char *column_type_name(enum column_type type)
{
	static const char *const names[] = { "boolean", "int16", "int32", "int64", "uint64", "float32", "float64",
		"decimal", "string", "bytes", "json", "xml", "uuid", "enum", "date", "time", "timetz", "timestamp",
		"timestamptz", "interval", "array", "bits", "year", "set", "duration", "geometry", "vector" };

	return (size_t)type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

/* Bytes of everything that hangs on a table, texts at the end so that alignment needs no thought. */
static void measure(const struct table *table, size_t *fixed, size_t *texts)
{
	*fixed = sizeof *table + table->column_count * sizeof *table->columns + table->key_count * sizeof *table->key;
	*texts = strlen(table->schema) + strlen(table->name) + 2;
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *col = &table->columns[i];

		*fixed += col->label_count * sizeof *col->labels;
		*texts += strlen(col->name) + 1 + (col->source_type != NULL ? strlen(col->source_type) : 0) + 1;
		for (size_t j = 0; j < col->label_count; j++)
			*texts += strlen(col->labels[j]) + 1;
	}
}

static const char *put_text(char **at, const char *text)
{
	char *to = *at;
	size_t size;

	if (text == NULL)
		text = "";
	size = strlen(text) + 1;
	memcpy(to, text, size);
	*at += size;
	return to;
}

struct table *table_copy(const struct table *table)
{
	size_t fixed, texts;
	struct table *copy;
	struct column *columns;
	const char **labels;
	size_t *key;
	char *text;

	measure(table, &fixed, &texts);
	copy = malloc(fixed + texts);
	if (copy == NULL)
		return NULL;
	*copy = *table;
	columns = (struct column *)(copy + 1);
	labels = (const char **)(columns + table->column_count);
	copy->columns = columns;
	for (size_t i = 0; i < table->column_count; i++) {
		columns[i] = table->columns[i];
		columns[i].labels = labels;
		labels += columns[i].label_count;
	}
	key = (size_t *)labels;
	if (table->key_count > 0)
		memcpy(key, table->key, table->key_count * sizeof *key);
	copy->key = key;
	text = (char *)copy + fixed;
	copy->schema = put_text(&text, table->schema);
	copy->name = put_text(&text, table->name);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *col = &table->columns[i];
		const char **to = (const char **)columns[i].labels;

		columns[i].name = put_text(&text, col->name);
		columns[i].source_type = put_text(&text, col->source_type);
		for (size_t j = 0; j < col->label_count; j++)
			to[j] = put_text(&text, col->labels[j]);
	}
	return copy;
}

static bool matches(const char *full, const char *const *patterns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fnmatch(patterns[i], full, 0) == 0)
			return true;
	return false;
}

bool table_selected(const char *schema, const char *name, const char *const *include, size_t include_count,
	const char *const *exclude, size_t exclude_count)
{
	char full[1024];

	(void)snprintf(full, sizeof full, "%s.%s", schema, name);
	if (include_count > 0 && !matches(full, include, include_count))
		return false;
	return !matches(full, exclude, exclude_count);
}
