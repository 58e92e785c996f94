/*
 * decode_binlog_shape.c: a table map and the catalogue's description of the table -> struct table and the plan by which its rows are read.
 *
 * Columns of the catalogue belong to those of the map by name when the log has the names (the catalogue may be of another time and have more, fewer
 * or others), else by their place.
 *
 * The table may have fewer columns than its rows: generated ones that the server leaves out of the images of updates (decode_binlog_rows.h).
 */
#include "capture/decode_binlog_shape.h"

#include <stdlib.h>
#include <string.h>

/* MariaDB from 11.5 on leaves generated columns out of the images of updates and deletes. */
#define VERSION_WITHOUT_GENERATED UINT32_C(0x0b0500)
#define VERSION_WITH_VECTOR UINT32_C(0x0b0700)
#define COLLATION_OF_JSON 46 /* utf8mb4_bin */
#define NAMES_TOLD 400 /* bytes of them */

/* What a shape is being made from. */
struct maker {
	const struct binlog_map *map;
	const struct binlog_catalogue_column *known; /* known_count of them */
	size_t known_count;
	const struct binlog_format *format;
	struct binlog_shape *shape;
	struct error *err;
};

/* ---- comparing ---- */

static bool same_column(const struct column *a, const struct column *b)
{
	if (strcmp(a->name, b->name) != 0 || a->type != b->type || a->precision != b->precision || a->scale != b->scale ||
		a->fraction != b->fraction || a->key != b->key || strcmp(a->source_type, b->source_type) != 0 ||
		a->label_count != b->label_count)
		return false;
	for (size_t i = 0; i < a->label_count; i++)
		if (strcmp(a->labels[i], b->labels[i]) != 0)
			return false;
	return true;
}

bool binlog_shape_same(const struct table *a, const struct table *b)
{
	if (strcmp(a->name, b->name) != 0 || strcmp(a->schema, b->schema) != 0 || a->column_count != b->column_count)
		return false;
	for (size_t i = 0; i < a->column_count; i++)
		if (!same_column(&a->columns[i], &b->columns[i]))
			return false;
	return true;
}

/* ---- columns ---- */

static const struct binlog_catalogue_column *find_known(const struct maker *m, size_t i)
{
	const char *name = m->map->columns[i].name;

	if (!m->map->has_names)
		return m->known_count > 0 ? &m->known[i] : NULL;
	if (i < m->known_count && strcmp(m->known[i].name, name) == 0)
		return &m->known[i];
	for (size_t j = 0; j < m->known_count; j++)
		if (strcmp(m->known[j].name, name) == 0)
			return &m->known[j];
	return NULL;
}

/* Names become names in Avro and in SQL: text or nothing. */
static int check_name(const char *name, const char *what, struct arena *arena, struct error *err)
{
	const struct charset *utf8 = charset_by_name("utf8mb4");
	struct value value;

	if (name[0] == '\0' || charset_text(utf8, (const unsigned char *)name, strlen(name), arena, &value, NULL) < 0)
		return error_set(err, ERROR_DATA, "table map: the name of a %s is no text", what);
	return 0;
}

static int name_column(struct maker *m, size_t i, const struct binlog_catalogue_column *known, struct column *column)
{
	struct arena *arena = &m->shape->arena;
	const char *name = m->map->has_names ? m->map->columns[i].name : known != NULL ? known->name : NULL;

	if (name != NULL && check_name(name, "column", arena, m->err) < 0)
		return -1;
	column->name = name != NULL ? arena_strndup(arena, name, strlen(name)) : arena_printf(arena, "@%zu", i + 1);
	column->key = m->map->has_names ? m->map->columns[i].key : known != NULL && known->key;
	return column->name != NULL ? 0 : arena_error(arena, m->err);
}

static void find_default(struct maker *m, size_t i, const struct binlog_catalogue_column *known)
{
	const struct binlog_field *field = &m->shape->columns[i].field;
	struct binlog_default *def = &m->shape->defaults[m->shape->columns[i].place];
	struct arena *arena = &m->shape->arena;

	def->value.kind = VALUE_NULL;
	if (known == NULL || known->default_computed || known->generated || known->uncertain)
		def->known = false;
	else if (known->default_text != NULL)
		def->known = binlog_value_default(field, known->default_text, m->format->mariadb, arena, &def->value);
	else
		def->known = m->map->columns[i].nullable || binlog_value_implicit_default(field, arena, &def->value);
}

/* Inserts have it, so its values must be stepped over: without a look at the text in them. */
static void leave_out(struct binlog_shape_column *logged)
{
	struct binlog_field *field = &logged->field;

	logged->place = BINLOG_LEFT_OUT;
	if (field->prefix > 0)
		*field = (struct binlog_field){ .form = FORM_BYTES, .prefix = field->prefix };
}

/* *column is overwritten by the next one's if it is left out. */
static int make_column(struct maker *m, size_t i, struct column *column)
{
	const struct binlog_catalogue_column *known = find_known(m, i);
	const struct binlog_column_source source = { .map = &m->map->columns[i],
		.catalogue = known,
		.mariadb = m->format->mariadb,
		.has_signs = m->map->has_signs,
		.by_log = m->map->has_names };
	struct binlog_shape_column *logged = &m->shape->columns[i];

	if (name_column(m, i, known, column) < 0)
		return -1;
	if (binlog_column_describe(&source, &m->shape->arena, &logged->field, column, m->err) < 0)
		return error_prefix(m->err, "%s", column->name);
	m->shape->json_count += logged->field.form == FORM_JSON;
	if (known == NULL || !known->generated || column->key || !m->format->mariadb)
		return 0;
	if (m->format->version < VERSION_WITHOUT_GENERATED)
		logged->may_differ = true;
	else
		leave_out(logged);
	return 0;
}

/* Too many to name end in dots. */
static int add_name(struct maker *m, const char **io_names, const char *name)
{
	struct arena *arena = &m->shape->arena;
	size_t len = *io_names != NULL ? strlen(*io_names) : 0;

	if (len == 0)
		*io_names = name;
	else if (len < NAMES_TOLD)
		*io_names = arena_printf(arena, "%s, %s", *io_names, name);
	else if ((*io_names)[len - 1] != '.')
		*io_names = arena_printf(arena, "%s ...", *io_names);
	return *io_names != NULL ? 0 : arena_error(arena, m->err);
}

/* MariaDB: whether the log writes other types in the same way. */
static bool looks_alike(const struct maker *m, const struct binlog_map_column *column)
{
	const struct charset *charset = charset_by_collation(column->collation);
	bool binary = charset != NULL && charset_is_binary(charset);

	if (!m->format->mariadb || !m->map->has_names)
		return false;
	switch (column->type) {
	case BINLOG_STRING: /* UUID, INET6; INET4 */
		return binary && (column->size == 16 || column->size == 4);
	case BINLOG_VARCHAR:
		return binary && column->size % 4 == 0 && m->format->version >= VERSION_WITH_VECTOR;
	case BINLOG_BLOB:
	case BINLOG_LONG_BLOB:
		return column->size == 4 && column->collation == COLLATION_OF_JSON;
	default:
		return false;
	}
}

static int make_columns(struct maker *m, struct column *columns, size_t *key)
{
	struct table *table = &m->shape->description;

	for (size_t i = 0; i < m->map->column_count; i++) {
		struct binlog_shape_column *logged = &m->shape->columns[i];
		struct column *column = &columns[table->column_count];
		const struct binlog_catalogue_column *known;

		*column = (struct column){ .key = false };
		if (make_column(m, i, column) < 0)
			return -1;
		if (logged->place == BINLOG_LEFT_OUT) {
			if (add_name(m, &m->shape->left_out, column->name) < 0)
				return -1;
			continue;
		}
		known = find_known(m, i);
		if (looks_alike(m, &m->map->columns[i]) && (known == NULL || known->uncertain) &&
			add_name(m, &m->shape->untold, column->name) < 0)
			return -1;
		logged->place = table->column_count++;
		find_default(m, i, known);
		if (column->key)
			key[table->key_count++] = logged->place;
	}
	return 0;
}

static int make_table(struct maker *m)
{
	struct arena *arena = &m->shape->arena;
	struct table *table = &m->shape->description;
	size_t count = m->map->column_count;
	struct column *columns = arena_zalloc(arena, count * sizeof *columns);
	size_t *key = arena_alloc(arena, count * sizeof *key);

	table->schema = arena_strndup(arena, m->map->schema, strlen(m->map->schema));
	table->name = arena_strndup(arena, m->map->name, strlen(m->map->name));
	m->shape->columns = arena_zalloc(arena, count * sizeof *m->shape->columns);
	m->shape->column_count = count;
	m->shape->defaults = arena_zalloc(arena, count * sizeof *m->shape->defaults);
	if (columns == NULL || key == NULL || table->schema == NULL || table->name == NULL || m->shape->columns == NULL ||
		m->shape->defaults == NULL)
		return arena_error(arena, m->err);
	if (check_name(table->schema, "database", arena, m->err) < 0 || check_name(table->name, "table", arena, m->err) < 0)
		return -1;
	table->columns = columns;
	table->key = key;
	if (make_columns(m, columns, key) < 0)
		return -1;
	if (table->column_count == 0 && count > 0) {
		(void)error_set(m->err, ERROR_GAP, "all its columns are generated, and the images of updates have none of those");
		return error_hint(m->err, "leave the table out with table_exclude_list");
	}
	table->identity = table->key_count > 0 ? IDENTITY_KEY : IDENTITY_FULL;
	return 0;
}

/* ---- shapes ---- */

static int ask(const struct binlog_catalogue *catalogue, struct maker *m)
{
	const struct binlog_map *map = m->map;

	if (catalogue == NULL)
		return 0;
	if (catalogue->table(catalogue->context, map->schema, map->name, map->types, map->column_count, map->has_names,
		&m->known, &m->known_count, m->err) < 0)
		return -1;
	if (!map->has_names && m->known_count != map->column_count) {
		(void)error_set(m->err, ERROR_GAP, "%s.%s: the log has %zu columns, the catalogue %zu", map->schema, map->name,
			map->column_count, m->known_count);
		return error_hint(m->err, "set binlog_row_metadata=FULL, so that the log itself describes its tables");
	}
	return 0;
}

int binlog_shape_new(const struct binlog_map *map, const struct binlog_catalogue *catalogue,
	const struct binlog_format *format, struct binlog_shape **ret, struct error *err)
{
	struct binlog_shape *shape = calloc(1, sizeof *shape);
	struct maker maker = { .map = map, .format = format, .shape = shape, .err = err };

	if (shape == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the shape of %s.%s", map->schema, map->name);
	arena_init(&shape->arena, BINLOG_SHAPE_BYTES_MAX);
	if (ask(catalogue, &maker) < 0) {
		binlog_shape_free(shape);
		return -1;
	}
	if (make_table(&maker) < 0) {
		binlog_shape_free(shape);
		return error_prefix(err, "%s.%s", map->schema, map->name);
	}
	*ret = shape;
	return 0;
}

void binlog_shape_free(struct binlog_shape *shape)
{
	if (shape == NULL)
		return;
	arena_release(&shape->arena);
	free(shape);
}

void binlog_shape_bind(struct binlog_shape *shape, const struct table *table)
{
	shape->table = table;
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct binlog_field *field = &shape->columns[i].field;
		struct binlog_label *labels = (struct binlog_label *)field->labels; /* our own arena's */

		for (size_t j = 0; j < field->label_count && shape->columns[i].place != BINLOG_LEFT_OUT; j++)
			labels[j].text = table->columns[shape->columns[i].place].labels[j];
	}
}
