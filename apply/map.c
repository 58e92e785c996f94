/*
 * map.c: the configuration's groups of `tables`, turned into one struct sink_mapping for each shape.
 *
 * A column that a group names must be in the table; otherwise a spelling mistake would write what should be left out.
 * But a table changes while its older events are still in Kafka, so this is asked of the first shape seen of each table
 * only. That is the newest one, because the pipeline looks at each topic's end before it begins at the start.
 */
#include "apply/map.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX 65536

struct map {
	const struct apply_settings *settings;
	struct map_entry **entries; /* by table->slot */
	size_t size;
};

static const struct apply_table *group_at(const struct apply_settings *settings, size_t i)
{
	return (const struct apply_table *)settings->tables.items + i;
}

static bool list_has(const struct settings_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], name) == 0)
			return true;
	return false;
}

/* The part before "=" is `name`: the part behind it, else NULL. */
static const char *rename_of(const struct settings_list *renames, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < renames->count; i++)
		if (strncmp(renames->items[i], name, len) == 0 && renames->items[i][len] == '=')
			return renames->items[i] + len + 1;
	return NULL;
}

/* ---- without a shape ---- */
static int check_renames(const struct apply_table *group, struct error *err)
{
	const struct settings_list *renames = &group->column_rename;

	for (size_t i = 0; i < renames->count; i++) {
		const char *one = renames->items[i];
		const char *equals = strchr(one, '=');

		if (equals == NULL || equals == one || equals[1] == '\0')
			return error_set(err, ERROR_CONFIG,
				"tables, source \"%s\": column_rename \"%s\" is not of the form \"SOURCE=TARGET\"",
				group->source, one);
		for (size_t j = 0; j < i; j++) {
			const char *other = renames->items[j];

			if (strncmp(other, one, (size_t)(equals - one) + 1) == 0)
				return error_set(err, ERROR_CONFIG,
					"tables, source \"%s\": column_rename has both \"%s\" and \"%s\"",
					group->source, other, one);
		}
	}
	return 0;
}

int map_check(const struct apply_settings *settings, struct error *err)
{
	for (size_t i = 0; i < settings->tables.count; i++) {
		const struct apply_table *group = group_at(settings, i);
		const char *dot = strchr(group->source, '.');

		if (dot == NULL || dot == group->source || dot[1] == '\0')
			return error_set(err, ERROR_CONFIG, "tables: source \"%s\" is not of the form \"SCHEMA.TABLE\"",
				group->source);
		dot = strchr(group->target, '.');
		if (dot != NULL && (dot == group->target || dot[1] == '\0'))
			return error_set(err, ERROR_CONFIG,
				"tables, source \"%s\": target \"%s\" is not of the form \"SCHEMA.TABLE\" or \"TABLE\"",
				group->source, group->target);
		for (size_t j = 0; j < i; j++)
			if (strcmp(group_at(settings, j)->source, group->source) == 0)
				return error_set(err, ERROR_CONFIG, "tables: source \"%s\" is there twice",
					group->source);
		if (check_renames(group, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- with a shape ---- */
struct map *map_new(const struct apply_settings *settings)
{
	struct map *map = calloc(1, sizeof *map);

	if (map != NULL)
		map->settings = settings;
	return map;
}

void map_free(struct map *map)
{
	if (map == NULL)
		return;
	for (size_t i = 0; i < map->size; i++)
		free(map->entries[i]);
	free(map->entries);
	free(map);
}

void map_reset(struct map *map)
{
	for (size_t i = 0; i < map->size; i++)
		if (map->entries[i] != NULL) {
			map->entries[i]->handle = NULL;
			map->entries[i]->prepared = false;
		}
}

bool map_selected(const struct map *map, const char *collection)
{
	const struct apply_settings *settings = map->settings;
	const char *dot = strchr(collection, '.');
	char schema[256];
	size_t len;

	if (dot == NULL)
		return false;
	len = (size_t)(dot - collection);
	if (len >= sizeof schema)
		return false;
	memcpy(schema, collection, len);
	schema[len] = '\0';
	return table_selected(schema, dot + 1, settings->table_include_list.items, settings->table_include_list.count,
		settings->table_exclude_list.items, settings->table_exclude_list.count);
}

static const struct apply_table *group_of(const struct map *map, const struct table *table)
{
	size_t len = strlen(table->schema);

	for (size_t i = 0; i < map->settings->tables.count; i++) {
		const struct apply_table *group = group_at(map->settings, i);

		if (strncmp(group->source, table->schema, len) == 0 && group->source[len] == '.' &&
			strcmp(group->source + len + 1, table->name) == 0)
			return group;
	}
	return NULL;
}

static bool seen_before(const struct map *map, const struct table *table)
{
	for (size_t i = 0; i < map->size; i++)
		if (map->entries[i] != NULL && strcmp(map->entries[i]->mapping.table->name, table->name) == 0 &&
			strcmp(map->entries[i]->mapping.table->schema, table->schema) == 0)
			return true;
	return false;
}

static int check_named(const struct apply_table *group, const struct table *table, const char *option,
	const struct settings_list *names, struct error *err)
{
	for (size_t i = 0; i < names->count; i++)
		if (table_column_index(table, names->items[i], strcspn(names->items[i], "=")) < 0)
			return error_set(err, ERROR_CONFIG,
				"tables, source \"%s\": %s names column \"%.*s\", which the table does not have",
				group->source, option, (int)strcspn(names->items[i], "="), names->items[i]);
	return 0;
}

static bool is_taken(const struct apply_table *group, const char *column)
{
	if (group == NULL)
		return true;
	if (group->column_include_list.count > 0 && !list_has(&group->column_include_list, column))
		return false;
	return !list_has(&group->column_exclude_list, column);
}

static int map_columns(const struct apply_table *group, const struct table *table, struct sink_column *columns,
	size_t *ret_count, struct error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *col = &table->columns[i];
		const char *target = group != NULL ? rename_of(&group->column_rename, col->name) : NULL;

		if (!is_taken(group, col->name)) {
			if (col->key)
				return error_set(err, ERROR_CONFIG,
					"tables, source \"%s\": column \"%s\" is part of the table's key and can not "
						"be left out", group->source, col->name);
			continue;
		}
		columns[count] = (struct sink_column){ .source = i, .target = target != NULL ? target : col->name };
		for (size_t j = 0; j < count; j++)
			if (strcmp(columns[j].target, columns[count].target) == 0)
				return error_set(err, ERROR_CONFIG,
					"table %s.%s: columns \"%s\" and \"%s\" both go to column \"%s\" of the target",
					table->schema, table->name, table->columns[columns[j].source].name, col->name,
						columns[count].target);
		count++;
	}
	if (count == 0)
		return error_set(err, ERROR_CONFIG, "table %s.%s: no column is left to write", table->schema,
			table->name);
	*ret_count = count;
	return 0;
}

/*
 * target "schema.table", "table" or nothing: fills names that live as long as the entry, in `room` bytes behind its
 * columns.
 */
static void name_target(const struct map *map, const struct apply_table *group, const struct table *table,
	struct sink_mapping *mapping, char *room)
{
	const char *target = group != NULL ? group->target : "";
	const char *dot = strchr(target, '.');

	mapping->target_schema = map->settings->target_schema[0] != '\0' ? map->settings->target_schema : table->schema;
	mapping->target_table = target[0] != '\0' ? target : table->name;
	if (dot != NULL) {
		memcpy(room, target, (size_t)(dot - target));
		room[dot - target] = '\0';
		mapping->target_schema = room;
		mapping->target_table = dot + 1;
	}
}

static int entry_new(const struct map *map, const struct table *table, struct map_entry **ret_entry, struct error *err)
{
	const struct apply_table *group = group_of(map, table);
	size_t columns_size = table->column_count * sizeof(struct sink_column);
	size_t room = group != NULL ? strlen(group->target) + 1 : 1;
	struct map_entry *entry;
	struct sink_column *columns;

	if (group != NULL && !seen_before(map, table) &&
		(check_named(group, table, "column_include_list", &group->column_include_list, err) < 0 ||
			check_named(group, table, "column_exclude_list", &group->column_exclude_list, err) < 0 ||
			check_named(group, table, "column_rename", &group->column_rename, err) < 0))
		return -1;
	entry = calloc(1, sizeof *entry + columns_size + room);
	if (entry == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the mapping of table %s.%s", table->schema,
			table->name);
	columns = (struct sink_column *)(entry + 1);
	if (map_columns(group, table, columns, &entry->mapping.column_count, err) < 0) {
		free(entry);
		return -1;
	}
	entry->mapping.table = table;
	entry->mapping.columns = columns;
	name_target(map, group, table, &entry->mapping, (char *)columns + columns_size);
	*ret_entry = entry;
	return 0;
}

int map_table(struct map *map, const struct table *table, struct map_entry **ret_entry, struct error *err)
{
	struct map_entry *entry;

	if (table->slot >= SLOTS_MAX)
		return error_set(err, ERROR_CONFIG, "more than %d table shapes", SLOTS_MAX);
	if (table->slot >= map->size) {
		size_t size = (size_t)table->slot + 64;
		struct map_entry **more = realloc(map->entries, size * sizeof(struct map_entry *));

		if (more == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for the mapping of table %s.%s",
				table->schema, table->name);
		memset(more + map->size, 0, (size - map->size) * sizeof(struct map_entry *));
		map->entries = more;
		map->size = size;
	}
	entry = map->entries[table->slot];
	if (entry == NULL) {
		if (entry_new(map, table, &entry, err) < 0)
			return -1;
		map->entries[table->slot] = entry;
	}
	*ret_entry = entry;
	return 0;
}
