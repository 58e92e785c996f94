/*
 * decode_binlog_tables.c: which shape a table has now, and which one the rows with a table id are of.
 *
 * Two hashes. By name: the last map of the table and the shape made from it; a map that is the same bytes (but for table id and flags) as the
 * last one of its name means the same shape, and costs a comparison. By table id: what the server's number means; it gives a table a new one
 * each time that it opens it, and all begin anew with a file.
 *
 * A struct table, once given out, stays: it has a slot of its own and users that keep it. The shape behind it, which reads rows, is freed when
 * the next one of that name replaces it; table ids that still meant it are forgotten.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_binlog_map.h"
#include "capture/decode_binlog_rows.h"
#include "capture/decode_binlog_shape.h"

#define SCRATCH_MAX BINLOG_SHAPE_BYTES_MAX /* one table map taken apart */
#define MAP_COMPARED 8                     /* bytes before what is compared: table id, flags */
#define FIRST_ROOM 64
#define IDS_MAX 16384 /* table ids remembered; a statement has some tens */

/* A table name and how the table looks now. */
struct named {
	const char *schema, *name;    /* of the last table */
	struct binlog_shape *shape;
	struct table *table;
	unsigned char *map;           /* the bytes that the shape was made from */
	size_t map_len;
	bool asked_anew;              /* the next map of the name asks the catalogue again, also if its bytes are the same */
};

struct numbered {
	uint64_t id;
	const struct binlog_shape *shape; /* NULL: a free place in the hash */
};

struct binlog_tables {
	const struct binlog_catalogue *catalogue;
	struct binlog_format format;
	const char *left_out, *untold; /* of the last map, if it was not told of its name before */
	struct arena scratch; /* of one map */
	struct table **tables; /* by slot; all that there ever were */
	size_t table_count, table_room;
	struct named **names; /* open addressing, name_room is a power of two and more than the half is free */
	size_t name_count, name_room;
	struct numbered ids[IDS_MAX * 2]; /* open addressing */
	size_t id_count;
	struct numbered last; /* rows of one table come in runs */
};

/* ---- life cycle ---- */

struct binlog_tables *binlog_tables_new(const struct binlog_catalogue *catalogue)
{
	struct binlog_tables *tables = calloc(1, sizeof *tables);

	if (tables == NULL)
		return NULL;
	tables->catalogue = catalogue;
	arena_init(&tables->scratch, SCRATCH_MAX);
	return tables;
}

static void named_free(struct named *named)
{
	binlog_shape_free(named->shape);
	free(named->map);
	free(named);
}

void binlog_tables_free(struct binlog_tables *tables)
{
	if (tables == NULL)
		return;
	for (size_t i = 0; i < tables->name_room; i++)
		if (tables->names[i] != NULL)
			named_free(tables->names[i]);
	for (size_t i = 0; i < tables->table_count; i++)
		free(tables->tables[i]);
	free(tables->names);
	free(tables->tables);
	arena_release(&tables->scratch);
	free(tables);
}

void binlog_tables_server(struct binlog_tables *tables, const struct binlog_format *format)
{
	if (tables->format.mariadb != format->mariadb || tables->format.version != format->version)
		binlog_tables_forget(tables, NULL, NULL);
	tables->format = *format;
}

/* ---- names ---- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return (hash ^ 0xff) * UINT64_C(1099511628211);
}

static struct named **name_place(struct named **names, size_t room, const char *schema, const char *name)
{
	uint64_t hash = hash_text(hash_text(UINT64_C(14695981039346656037), schema), name);
	size_t i = (size_t)(hash ^ hash >> 32) & (room - 1);

	while (names[i] != NULL && (strcmp(names[i]->name, name) != 0 || strcmp(names[i]->schema, schema) != 0))
		i = (i + 1) & (room - 1);
	return &names[i];
}

static struct named *find_named(const struct binlog_tables *tables, const char *schema, const char *name)
{
	return tables->name_room == 0 ? NULL : *name_place(tables->names, tables->name_room, schema, name);
}

void binlog_tables_forget(struct binlog_tables *tables, const char *schema, const char *name)
{
	for (size_t i = 0; i < tables->name_room; i++) {
		struct named *named = tables->names[i];

		if (named != NULL && (schema == NULL || strcmp(named->schema, schema) == 0) &&
			(name == NULL || strcmp(named->name, name) == 0))
			named->asked_anew = true;
	}
}

const struct table *binlog_tables_find(const struct binlog_tables *tables, const char *schema, const char *name)
{
	const struct named *named = find_named(tables, schema, name);

	return named != NULL ? named->table : NULL;
}

const char *binlog_tables_left_out(struct binlog_tables *tables)
{
	const char *names = tables->left_out;

	tables->left_out = NULL;
	return names;
}

const char *binlog_tables_untold(struct binlog_tables *tables)
{
	const char *names = tables->untold;

	tables->untold = NULL;
	return names;
}

/* ---- table ids ---- */

static struct numbered *id_place(struct binlog_tables *tables, uint64_t id)
{
	size_t mask = IDS_MAX * 2 - 1, i = (size_t)(id * UINT64_C(11400714819323198485) >> 32) & mask;

	while (tables->ids[i].shape != NULL && tables->ids[i].id != id)
		i = (i + 1) & mask;
	return &tables->ids[i];
}

void binlog_tables_new_file(struct binlog_tables *tables)
{
	if (tables->id_count > 0)
		memset(tables->ids, 0, sizeof tables->ids);
	tables->id_count = 0;
	tables->last.shape = NULL;
}

/*
 * A table id grows with each opening of a table, so that when there are too many of them the lower half is surely of statements long over.
 * Rebuilds the hash without those, or without those of one shape.
 */
static void drop_ids(struct binlog_tables *tables, uint64_t below, const struct binlog_shape *shape)
{
	struct numbered *kept = malloc(tables->id_count * sizeof *kept);
	size_t count = 0;

	if (kept != NULL)
		for (size_t i = 0; i < IDS_MAX * 2; i++)
			if (tables->ids[i].shape != NULL && tables->ids[i].shape != shape && tables->ids[i].id >= below)
				kept[count++] = tables->ids[i];
	binlog_tables_new_file(tables);
	for (size_t i = 0; i < count; i++)
		*id_place(tables, kept[i].id) = kept[i];
	tables->id_count = count;
	free(kept);
}

static void set_id(struct binlog_tables *tables, uint64_t id, const struct binlog_shape *shape)
{
	struct numbered *place;

	if (tables->id_count == IDS_MAX)
		drop_ids(tables, id > IDS_MAX / 2 ? id - IDS_MAX / 2 : 0, NULL);
	if (tables->id_count == IDS_MAX)
		binlog_tables_new_file(tables); /* ids that do not grow */
	place = id_place(tables, id);
	tables->id_count += place->shape == NULL;
	*place = (struct numbered){ id, shape };
	tables->last = *place;
}

const struct binlog_shape *binlog_tables_shape(struct binlog_tables *tables, uint64_t table_id)
{
	if (tables->last.shape == NULL || tables->last.id != table_id)
		tables->last = *id_place(tables, table_id);
	return tables->last.shape;
}

/* ---- maps ---- */

/* Room for one more table and name, so that nothing can fail once the shape is made. */
static int reserve(struct binlog_tables *tables, struct error *err)
{
	if (tables->table_count == BINLOG_TABLES_MAX)
		/* the next try begins with none */
		return error_set(err, ERROR_RETRY, "more than %d shapes of tables since the start", BINLOG_TABLES_MAX);
	if (tables->table_count == tables->table_room) {
		size_t room = tables->table_room == 0 ? FIRST_ROOM : tables->table_room * 2;
		struct table **grown = realloc(tables->tables, room * sizeof(struct table *));

		if (grown == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for %zu tables", room);
		tables->tables = grown;
		tables->table_room = room;
	}
	if ((tables->name_count + 1) * 2 > tables->name_room) {
		size_t room = tables->name_room == 0 ? FIRST_ROOM : tables->name_room * 2;
		struct named **names = calloc(room, sizeof *names);

		if (names == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for %zu names of tables", room);
		for (size_t i = 0; i < tables->name_room; i++)
			if (tables->names[i] != NULL)
				*name_place(names, room, tables->names[i]->schema, tables->names[i]->name) = tables->names[i];
		free(tables->names);
		tables->names = names;
		tables->name_room = room;
	}
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A struct table for the shape: the last one of the name if it looks the same, else a new one. Also the name's place. */
static int install(struct binlog_tables *tables, struct binlog_shape *shape, struct named **ret, struct error *err)
{
	struct named **place = name_place(tables->names, tables->name_room, shape->description.schema,
		shape->description.name);
	struct named *named = *place;
	struct table *table = named != NULL ? named->table : NULL;

	if (table == NULL || !binlog_shape_same(table, &shape->description)) {
		shape->description.slot = (uint32_t)tables->table_count;
		shape->description.version = table != NULL ? table->version + 1 : 1;
		table = table_copy(&shape->description);
		if (named == NULL)
			named = calloc(1, sizeof *named);
		if (table == NULL || named == NULL) {
			free(table);
			if (named != *place)
				free(named);
			return error_set(err, ERROR_RETRY, "out of memory for the shape of %s.%s", shape->description.schema,
				shape->description.name);
		}
		tables->tables[tables->table_count++] = table;
	}
	binlog_shape_bind(shape, table);
	if (named->shape == NULL || !same_text(named->shape->left_out, shape->left_out))
		tables->left_out = shape->left_out;
	if (named->shape == NULL || !same_text(named->shape->untold, shape->untold))
		tables->untold = shape->untold;
	if (named->shape != NULL) {
		drop_ids(tables, 0, named->shape);
		binlog_shape_free(named->shape);
	}
	named->shape = shape;
	named->table = table;
	named->schema = table->schema;
	named->name = table->name;
	tables->name_count += *place == NULL;
	*place = named;
	*ret = named;
	return 0;
}

/* Reads the map, makes its shape. map: a copy of the bytes compared, which it takes over when all went well. */
static int take_in(struct binlog_tables *tables, const void *bytes, size_t len, unsigned char *map, struct named **ret,
	struct error *err)
{
	struct binlog_shape *shape;
	struct binlog_map parsed;

	if (binlog_map_parse(bytes, len, tables->format.mariadb, &tables->scratch, &parsed, err) < 0 ||
		reserve(tables, err) < 0 || binlog_shape_new(&parsed, tables->catalogue, &tables->format, &shape, err) < 0)
		return -1;
	if (install(tables, shape, ret, err) < 0) {
		binlog_shape_free(shape);
		return -1;
	}
	free((*ret)->map);
	(*ret)->map = map;
	(*ret)->map_len = len - MAP_COMPARED;
	(*ret)->asked_anew = false;
	return 0;
}

int binlog_map_name(const void *bytes, size_t len, struct arena *arena, uint64_t *ret_table_id, const char **ret_schema,
	const char **ret_name, struct error *err)
{
	struct binlog_map map;

	if (binlog_map_head(bytes, len, arena, &map, err) < 0)
		return -1;
	*ret_table_id = map.table_id;
	*ret_schema = map.schema;
	*ret_name = map.name;
	return 0;
}

int binlog_tables_map(struct binlog_tables *tables, const void *bytes, size_t len, const struct table **ret_table,
	struct error *err)
{
	const unsigned char *compared = (const unsigned char *)bytes + MAP_COMPARED;
	struct named *named;
	struct binlog_map head;
	unsigned char *map;
	int result = -1;

	tables->left_out = NULL;
	tables->untold = NULL;
	if (binlog_map_head(bytes, len, &tables->scratch, &head, err) < 0)
		goto out;
	named = find_named(tables, head.schema, head.name);
	if (named == NULL || named->asked_anew || named->map_len != len - MAP_COMPARED ||
		memcmp(named->map, compared, named->map_len) != 0) {
		map = malloc(len - MAP_COMPARED);
		if (map == NULL) {
			(void)error_set(err, ERROR_RETRY, "out of memory for a table map of %zu bytes", len);
			goto out;
		}
		memcpy(map, compared, len - MAP_COMPARED);
		if (take_in(tables, bytes, len, map, &named, err) < 0) {
			free(map);
			goto out;
		}
	}
	set_id(tables, head.table_id, named->shape);
	*ret_table = named->table;
	result = 0;
out:
	arena_reset(&tables->scratch);
	return result;
}
