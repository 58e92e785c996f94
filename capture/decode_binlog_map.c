/*
 * decode_binlog_map.c: the TABLE_MAP event
 * (https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Table__map__event.html, https://mariadb.com/kb/en/table_map_event/).
 *
 * Integers are little-endian; "packed" is a length-encoded integer (decode_binlog_cursor.h).
 *   6 bytes table id, 2 flags, packed length, schema, NUL, packed length, table, NUL, packed number of columns,
 *   a type byte for each column,
 *   packed length, metadata: 0, 1 or 2 bytes for each column (below),
 *   a bit for each column, lowest first: it may be NULL,
 *   optional metadata: { type, packed length, content } up to the end.
 *
 * Metadata by type:
 *   1 byte   FLOAT, DOUBLE: bytes. BLOB, GEOMETRY, JSON, VECTOR, BLOB_COMPRESSED: bytes of the length. TIME2, DATETIME2, TIMESTAMP2: digits of
 *            the second
 *   2 bytes  VARCHAR, VAR_STRING, VARCHAR_COMPRESSED: most bytes. BIT: bits beyond whole bytes, whole bytes. NEWDECIMAL: precision, scale.
 *            STRING: first byte 247 or 248: it is an ENUM or SET, the second is the bytes of a value; else the second is the low byte of the
 *            most bytes, and the bits 4 and 5 of the first are the inverted bits 8 and 9
 *
 * Optional metadata. Bits stand highest first. "Each" means each column of the kind, in the table's order; characters are STRING, VARCHAR,
 * VAR_STRING, BLOB and VECTOR, for MariaDB GEOMETRY and the COMPRESSED types too.
 *    1  a bit for each numeric column (integers, FLOAT, DOUBLE, NEWDECIMAL, YEAR): unsigned
 *    2  packed default collation, then { packed number among the character columns, packed collation } for those that have another
 *    3  packed collation for each character column
 *    4  names: packed length, bytes, for each column
 *    5, 6  labels of each SET, of each ENUM: packed count, { packed length, bytes }
 *    7  packed kind for each GEOMETRY
 *    8  primary key: packed index of each of its columns
 *    9  the same, where it has prefixes: { packed index, packed length of the prefix or 0 }
 *   10, 11  as 2 and 3 for ENUM and SET columns
 *   12  a bit for each column: visible
 *   13  packed dimension for each VECTOR
 * MINIMAL metadata has 1, 2 or 3, and 7 only; MariaDB's NO_LOG has none.
 */
#include "capture/decode_binlog_map.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "capture/decode_binlog_cursor.h"
#include "capture/decode_binlog_rows.h"

#define LABELS_MAX 65535
#define DECIMAL_PRECISION_MAX 65
#define DECIMAL_SCALE_MAX 30
#define FRACTION_MAX 6
#define BITS_MAX 64

enum optional {
	OPTIONAL_SIGNS = 1,
	OPTIONAL_CHARSET_DEFAULT = 2,
	OPTIONAL_CHARSETS = 3,
	OPTIONAL_NAMES = 4,
	OPTIONAL_SET_LABELS = 5,
	OPTIONAL_ENUM_LABELS = 6,
	OPTIONAL_GEOMETRIES = 7,
	OPTIONAL_KEY = 8,
	OPTIONAL_KEY_WITH_PREFIX = 9,
	OPTIONAL_LABEL_CHARSET_DEFAULT = 10,
	OPTIONAL_LABEL_CHARSETS = 11,
	OPTIONAL_DIMENSIONS = 13
};

/* What is being read. */
struct input {
	struct cursor cursor;
	struct binlog_map *map;
	struct arena *arena;
	struct error *err;
	bool mariadb;
};

static int malformed(struct input *in, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int malformed(struct input *in, const char *format, ...)
{
	const char *schema = in->map->schema, *name = in->map->name;
	char what[160];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof what, format, args);
	va_end(args);
	return error_set(in->err, ERROR_DATA, "table map of %s%s%s: %s", schema != NULL ? schema : "an unnamed table",
		schema != NULL && name != NULL ? "." : "", schema != NULL && name != NULL ? name : "", what);
}

/* ---- kinds of columns ---- */

static bool is_numeric(const struct binlog_map_column *col, bool mariadb)
{
	switch (col->type) {
	case BINLOG_TINY:
	case BINLOG_SHORT:
	case BINLOG_LONG:
	case BINLOG_FLOAT:
	case BINLOG_DOUBLE:
	case BINLOG_LONGLONG:
	case BINLOG_INT24:
	case BINLOG_YEAR:
	case BINLOG_NEWDECIMAL:
		return true;
	default:
		return false;
	}
}

static bool is_character(const struct binlog_map_column *col, bool mariadb)
{
	switch (col->type) {
	case BINLOG_STRING:
	case BINLOG_VAR_STRING:
	case BINLOG_VARCHAR:
	case BINLOG_TINY_BLOB:
	case BINLOG_MEDIUM_BLOB:
	case BINLOG_LONG_BLOB:
	case BINLOG_BLOB:
	case BINLOG_VECTOR:
		return true;
	case BINLOG_GEOMETRY:
	case BINLOG_BLOB_COMPRESSED:
	case BINLOG_VARCHAR_COMPRESSED:
		return mariadb;
	default:
		return false;
	}
}

static bool is_labelled(const struct binlog_map_column *col, bool mariadb)
{
	return col->type == BINLOG_ENUM || col->type == BINLOG_SET;
}

static bool is_enum(const struct binlog_map_column *col, bool mariadb)
{
	return col->type == BINLOG_ENUM;
}

static bool is_set(const struct binlog_map_column *col, bool mariadb)
{
	return col->type == BINLOG_SET;
}

static bool is_geometry(const struct binlog_map_column *col, bool mariadb)
{
	return col->type == BINLOG_GEOMETRY;
}

static bool is_vector(const struct binlog_map_column *col, bool mariadb)
{
	return col->type == BINLOG_VECTOR;
}

typedef bool kind(const struct binlog_map_column *col, bool mariadb);

/* The next column of that kind from *io_at on, or NULL. */
static struct binlog_map_column *next_of(struct input *in, kind *is_kind, size_t *io_at)
{
	for (; *io_at < in->map->column_count; (*io_at)++)
		if (is_kind(&in->map->columns[*io_at], in->mariadb))
			return &in->map->columns[(*io_at)++];
	return NULL;
}

/* ---- head ---- */

/* A name: length, text, NUL. */
static int take_name(struct input *in, const char **ret)
{
	size_t len = (size_t)cursor_lenenc(&in->cursor);
	const unsigned char *text = cursor_bytes(&in->cursor, len);
	const char *copy;

	if (cursor_int(&in->cursor, 1) != 0 || in->cursor.failed || memchr(text, '\0', len) != NULL)
		return malformed(in, "cut off in a name");
	copy = arena_strndup(in->arena, (const char *)text, len);
	if (copy == NULL)
		return arena_error(in->arena, in->err);
	*ret = copy;
	return 0;
}

static int take_head(struct input *in)
{
	in->map->table_id = cursor_int(&in->cursor, 6);
	(void)cursor_int(&in->cursor, 2); /* flags: nothing for us */
	if (take_name(in, &in->map->schema) < 0 || take_name(in, &in->map->name) < 0)
		return -1;
	return 0;
}

int binlog_map_head(const void *bytes, size_t len, struct arena *arena, struct binlog_map *ret, struct error *err)
{
	struct input in = { cursor_over(bytes, len), ret, arena, err, false };

	memset(ret, 0, sizeof *ret);
	return take_head(&in);
}

/* ---- columns ---- */

static void string_metadata(struct binlog_map_column *col, unsigned first, unsigned second)
{
	if (first == BINLOG_ENUM || first == BINLOG_SET) {
		col->type = (uint8_t)first;
		col->size = second;
	} else {
		col->size = second | ((first & 0x30) ^ 0x30) << 4;
	}
}

static int column_metadata(struct input *in, struct cursor *metadata, size_t i)
{
	struct binlog_map_column *col = &in->map->columns[i];
	unsigned first, second;

	switch (col->type) {
	case BINLOG_FLOAT:
	case BINLOG_DOUBLE:
	case BINLOG_TINY_BLOB:
	case BINLOG_MEDIUM_BLOB:
	case BINLOG_LONG_BLOB:
	case BINLOG_BLOB:
	case BINLOG_BLOB_COMPRESSED:
	case BINLOG_GEOMETRY:
	case BINLOG_JSON:
	case BINLOG_VECTOR:
	case BINLOG_TIME2:
	case BINLOG_DATETIME2:
	case BINLOG_TIMESTAMP2:
		col->size = (uint32_t)cursor_int(metadata, 1);
		break;
	case BINLOG_VARCHAR:
	case BINLOG_VAR_STRING:
	case BINLOG_VARCHAR_COMPRESSED:
		col->size = (uint32_t)cursor_int(metadata, 2);
		break;
	case BINLOG_STRING:
	case BINLOG_ENUM:
	case BINLOG_SET:
	case BINLOG_BIT:
	case BINLOG_NEWDECIMAL:
		first = (unsigned)cursor_int(metadata, 1);
		second = (unsigned)cursor_int(metadata, 1);
		if (col->type == BINLOG_BIT) {
			col->size = second * 8 + first;
		} else if (col->type == BINLOG_NEWDECIMAL) {
			col->size = first;
			col->scale = (uint8_t)second;
		} else {
			string_metadata(col, first, second);
		}
		break;
	default:
		break;
	}
	return metadata->failed ? malformed(in, "metadata ends in column %zu", i + 1) : 0;
}

/* What the row's reader relies on. */
static int check_column(struct input *in, size_t i)
{
	const struct binlog_map_column *col = &in->map->columns[i];
	uint32_t size = col->size;
	bool fine = true;

	switch (col->type) {
	case BINLOG_TINY:
	case BINLOG_SHORT:
	case BINLOG_LONG:
	case BINLOG_NULL:
	case BINLOG_TIMESTAMP:
	case BINLOG_LONGLONG:
	case BINLOG_INT24:
	case BINLOG_DATE:
	case BINLOG_TIME:
	case BINLOG_DATETIME:
	case BINLOG_YEAR:
	case BINLOG_NEWDATE:
	case BINLOG_STRING:
	case BINLOG_VARCHAR:
	case BINLOG_VAR_STRING:
	case BINLOG_VARCHAR_COMPRESSED:
		break;
	case BINLOG_FLOAT:
		fine = size == 4;
		break;
	case BINLOG_DOUBLE:
		fine = size == 8;
		break;
	case BINLOG_BIT:
		fine = size >= 1 && size <= BITS_MAX;
		break;
	case BINLOG_NEWDECIMAL:
		fine = size >= 1 && size <= DECIMAL_PRECISION_MAX && col->scale <= DECIMAL_SCALE_MAX && col->scale <= size;
		break;
	case BINLOG_TIME2:
	case BINLOG_DATETIME2:
	case BINLOG_TIMESTAMP2:
		fine = size <= FRACTION_MAX;
		break;
	case BINLOG_ENUM:
		fine = size == 1 || size == 2;
		break;
	case BINLOG_SET:
		fine = size >= 1 && size <= 8;
		break;
	case BINLOG_TINY_BLOB:
	case BINLOG_MEDIUM_BLOB:
	case BINLOG_LONG_BLOB:
	case BINLOG_BLOB:
	case BINLOG_BLOB_COMPRESSED:
	case BINLOG_GEOMETRY:
	case BINLOG_JSON:
	case BINLOG_VECTOR:
		fine = size >= 1 && size <= 4;
		break;
	default:
		return malformed(in, "column %zu has type %u, which is not known", i + 1, col->type);
	}
	return fine ? 0 :
		malformed(in, "column %zu of type %u has metadata %u, %u", i + 1, col->type, (unsigned)size, col->scale);
}

static int take_columns(struct input *in)
{
	uint64_t count = cursor_lenenc(&in->cursor);
	const unsigned char *types, *metadata, *nullable;
	struct cursor meta;
	size_t len;

	if (in->cursor.failed || count > BINLOG_COLUMNS_MAX)
		return malformed(in, "not a number of columns");
	types = cursor_bytes(&in->cursor, count);
	len = (size_t)cursor_lenenc(&in->cursor);
	metadata = cursor_bytes(&in->cursor, len);
	nullable = cursor_bytes(&in->cursor, (count + 7) / 8);
	if (in->cursor.failed)
		return malformed(in, "cut off in its %zu columns", (size_t)count);
	in->map->types = types;
	in->map->column_count = (size_t)count;
	in->map->columns = arena_zalloc(in->arena, (size_t)count * sizeof *in->map->columns);
	if (in->map->columns == NULL)
		return arena_error(in->arena, in->err);
	meta = cursor_over(metadata, len);
	for (size_t i = 0; i < count; i++) {
		in->map->columns[i].type = types[i];
		in->map->columns[i].nullable = (nullable[i / 8] >> i % 8 & 1) != 0;
		if (column_metadata(in, &meta, i) < 0 || check_column(in, i) < 0)
			return -1;
	}
	return 0;
}

/* ---- optional metadata ---- */

static int optional_signs(struct input *in, struct cursor *field)
{
	const unsigned char *bits = field->at;
	struct binlog_map_column *col;
	size_t at = 0, n = 0;

	for (; (col = next_of(in, is_numeric, &at)) != NULL; n++) {
		if (n / 8 >= cursor_left(field))
			return malformed(in, "signs end before column %zu", at);
		col->is_unsigned = (bits[n / 8] >> (7 - n % 8) & 1) != 0;
	}
	in->map->has_signs = true;
	return 0;
}

static int optional_charset_default(struct input *in, struct cursor *field, kind *is_kind)
{
	uint32_t collation = (uint32_t)cursor_lenenc(field);
	struct binlog_map_column *col;
	size_t at = 0;

	while ((col = next_of(in, is_kind, &at)) != NULL)
		col->collation = collation;
	while (cursor_left(field) > 0 && !field->failed) {
		uint64_t number = cursor_lenenc(field);

		collation = (uint32_t)cursor_lenenc(field);
		at = 0;
		do
			col = next_of(in, is_kind, &at);
		while (col != NULL && number-- > 0);
		if (col == NULL)
			return malformed(in, "a charset for a column that it does not have");
		col->collation = collation;
	}
	return 0;
}

static int optional_charsets(struct input *in, struct cursor *field, kind *is_kind)
{
	struct binlog_map_column *col;
	size_t at = 0;

	while ((col = next_of(in, is_kind, &at)) != NULL)
		col->collation = (uint32_t)cursor_lenenc(field);
	return 0;
}

static int optional_names(struct input *in, struct cursor *field)
{
	for (size_t i = 0; i < in->map->column_count; i++) {
		size_t len = (size_t)cursor_lenenc(field);
		const unsigned char *text = cursor_bytes(field, len);

		if (text == NULL || memchr(text, '\0', len) != NULL)
			return malformed(in, "cut off in the name of column %zu", i + 1);
		in->map->columns[i].name = arena_strndup(in->arena, (const char *)text, len);
		if (in->map->columns[i].name == NULL)
			return arena_error(in->arena, in->err);
	}
	in->map->has_names = true;
	return 0;
}

static int optional_labels(struct input *in, struct cursor *field, kind *is_kind)
{
	struct binlog_map_column *col;
	struct binlog_bytes *labels;
	size_t at = 0;

	while ((col = next_of(in, is_kind, &at)) != NULL) {
		uint64_t count = cursor_lenenc(field);

		/* each takes one byte at least */
		if (field->failed || count > LABELS_MAX || count > cursor_left(field))
			return malformed(in, "not a number of labels for column %zu", at);
		labels = arena_alloc(in->arena, (size_t)count * sizeof *labels);
		if (labels == NULL)
			return arena_error(in->arena, in->err);
		for (size_t i = 0; i < count; i++) {
			labels[i].len = (size_t)cursor_lenenc(field);
			labels[i].ptr = cursor_bytes(field, labels[i].len);
		}
		col->labels = labels;
		col->label_count = (size_t)count;
	}
	return 0;
}

static int optional_geometries(struct input *in, struct cursor *field)
{
	struct binlog_map_column *col;
	size_t at = 0;

	while ((col = next_of(in, is_geometry, &at)) != NULL)
		col->geometry = (uint32_t)cursor_lenenc(field);
	return 0;
}

static int optional_dimensions(struct input *in, struct cursor *field)
{
	struct binlog_map_column *col;
	size_t at = 0;

	while ((col = next_of(in, is_vector, &at)) != NULL)
		col->dimension = (uint32_t)cursor_lenenc(field);
	return 0;
}

/* A prefix that is unique makes the whole value unique, so its length does not matter. */
static int optional_key(struct input *in, struct cursor *field, bool prefixes)
{
	while (cursor_left(field) > 0 && !field->failed) {
		uint64_t i = cursor_lenenc(field);

		if (prefixes)
			(void)cursor_lenenc(field);
		if (i >= in->map->column_count)
			return malformed(in, "a key column %zu that it does not have", (size_t)i + 1);
		in->map->columns[i].key = true;
	}
	return 0;
}

static int read_optional(struct input *in, unsigned type, struct cursor *field)
{
	switch (type) {
	case OPTIONAL_SIGNS:
		return optional_signs(in, field);
	case OPTIONAL_CHARSET_DEFAULT:
		return optional_charset_default(in, field, is_character);
	case OPTIONAL_CHARSETS:
		return optional_charsets(in, field, is_character);
	case OPTIONAL_NAMES:
		return optional_names(in, field);
	case OPTIONAL_SET_LABELS:
		return optional_labels(in, field, is_set);
	case OPTIONAL_ENUM_LABELS:
		return optional_labels(in, field, is_enum);
	case OPTIONAL_GEOMETRIES:
		return optional_geometries(in, field);
	case OPTIONAL_KEY:
		return optional_key(in, field, false);
	case OPTIONAL_KEY_WITH_PREFIX:
		return optional_key(in, field, true);
	case OPTIONAL_LABEL_CHARSET_DEFAULT:
		return optional_charset_default(in, field, is_labelled);
	case OPTIONAL_LABEL_CHARSETS:
		return optional_charsets(in, field, is_labelled);
	case OPTIONAL_DIMENSIONS:
		return optional_dimensions(in, field);
	default: /* visibility, and what newer servers add: nothing for us */
		return 0;
	}
}

static int take_optional(struct input *in)
{
	while (cursor_left(&in->cursor) > 0) {
		unsigned type = (unsigned)cursor_int(&in->cursor, 1);
		size_t len = (size_t)cursor_lenenc(&in->cursor);
		const unsigned char *content = cursor_bytes(&in->cursor, len);
		struct cursor field;

		if (in->cursor.failed)
			return malformed(in, "cut off in optional metadata %u", type);
		field = cursor_over(content, len);
		if (read_optional(in, type, &field) < 0)
			return -1;
		if (field.failed)
			return malformed(in, "optional metadata %u is shorter than its columns need", type);
	}
	return 0;
}

int binlog_map_parse(const void *bytes, size_t len, bool mariadb, struct arena *arena, struct binlog_map *ret,
	struct error *err)
{
	struct input in = { cursor_over(bytes, len), ret, arena, err, mariadb };

	memset(ret, 0, sizeof *ret);
	if (take_head(&in) < 0 || take_columns(&in) < 0 || take_optional(&in) < 0)
		return -1;
	return 0;
}
