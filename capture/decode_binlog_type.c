/*
 * decode_binlog_type.c: one column of a table map -> how its values lie in a row (struct binlog_field) and what it is in the change model (struct
 * column).
 *
 * The log goes before the catalogue: what it tells is of the time of the row. The catalogue is asked for
 *   - signs, charsets and labels where the metadata lacks them (binlog_row_metadata=MINIMAL, NO_LOG);
 *   - the types of MariaDB that the log writes as others: UUID, INET6, INET4 (BINARY of 16, 16, 4), VECTOR (VARBINARY), JSON (LONGTEXT with a
 *     check). It is believed only where the log's type is the one that such a column has;
 *   - the fraction of MariaDB's old time types, which decides how long a value is.
 * Without a catalogue integers are signed, strings without a charset are bytes, and labels are the numbers that stand in the log.
 *
 * source_type is made from the map alone when that has everything, so that it does not change with the catalogue behind our back.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_binlog_shape.h"

#define LABELS_TEXT_MAX 1024 /* a source_type with more labels than that is just "enum" */
#define TYPE_TEXT_MAX 96

struct maker {
	const struct binlog_column_source *source;
	const struct binlog_map_column *map;
	const struct binlog_catalogue_column *catalogue;
	struct arena *arena;
	struct binlog_field *field;
	struct column *column;
	struct error *err;
};

/* ---- the catalogue's words ---- */

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
		if ((at == text || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
			return true;
	return false;
}

/* Whether the catalogue knows the column as that type. */
static bool is_called(const struct maker *m, const char *data_type)
{
	return m->catalogue != NULL && strcmp(m->catalogue->data_type, data_type) == 0;
}

/* The number in parentheses: time(3). */
static unsigned first_number(const char *column_type)
{
	const char *at = strchr(column_type, '(');

	return at != NULL ? (unsigned)strtoul(at + 1, NULL, 10) : 0;
}

/* ---- source_type ---- */

static int set_source_type(struct maker *m, const char *text)
{
	m->column->source_type = arena_strndup(m->arena, text, strlen(text));
	return m->column->source_type != NULL ? 0 : arena_error(m->arena, m->err);
}

static int own_source_type(struct maker *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text made from the map, unless the catalogue is of the same time and has it. */
static int own_source_type(struct maker *m, const char *format, ...)
{
	char text[TYPE_TEXT_MAX];
	va_list args;

	if (!m->source->by_log && m->catalogue != NULL && m->catalogue->column_type[0] != '\0')
		return set_source_type(m, m->catalogue->column_type);
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return set_source_type(m, text);
}

static int source_type_of_time(struct maker *m, const char *word)
{
	return m->column->fraction > 0 ? own_source_type(m, "%s(%d)", word, m->column->fraction) :
		own_source_type(m, "%s", word);
}

/* enum('a','it''s') */
static int source_type_of_labels(struct maker *m, const char *word)
{
	char memory[LABELS_TEXT_MAX * 2];
	size_t len = 0;

	if (!m->source->by_log && m->catalogue != NULL && m->catalogue->column_type[0] != '\0')
		return set_source_type(m, m->catalogue->column_type);
	len = (size_t)snprintf(memory, sizeof memory, "%s(", word);
	for (size_t i = 0; i < m->column->label_count; i++) {
		const char *label = m->column->labels[i];

		if (len + 2 * strlen(label) + 4 > LABELS_TEXT_MAX)
			return set_source_type(m, word);
		if (i > 0)
			memory[len++] = ',';
		memory[len++] = '\'';
		for (; *label != '\0'; label++) {
			if (*label == '\'')
				memory[len++] = '\'';
			memory[len++] = *label;
		}
		memory[len++] = '\'';
	}
	memory[len++] = ')';
	memory[len] = '\0';
	return set_source_type(m, memory);
}

/* ---- numbers ---- */

static int describe_int(struct maker *m, unsigned size, const char *word, enum column_type with_sign,
	enum column_type without)
{
	bool is_unsigned = m->source->has_signs ? m->map->is_unsigned :
		m->catalogue != NULL && has_word(m->catalogue->column_type, "unsigned");

	m->field->form = FORM_INT;
	m->field->size = (uint8_t)size;
	m->field->is_unsigned = is_unsigned;
	m->column->type = is_unsigned ? without : with_sign;
	return own_source_type(m, "%s%s", word, is_unsigned ? " unsigned" : "");
}

static int describe_float(struct maker *m)
{
	bool twice = m->map->type == BINLOG_DOUBLE;

	m->field->form = FORM_FLOAT;
	m->field->size = twice ? 8 : 4;
	m->column->type = twice ? COLUMN_FLOAT64 : COLUMN_FLOAT32;
	return own_source_type(m, "%s%s", twice ? "double" : "float", m->map->is_unsigned ? " unsigned" : "");
}

static int describe_decimal(struct maker *m)
{
	m->field->form = FORM_DECIMAL;
	m->field->precision = (uint8_t)m->map->size;
	m->field->scale = m->map->scale;
	m->field->size = (uint8_t)binlog_decimal_size(m->map->size, m->map->scale);
	m->column->type = COLUMN_DECIMAL;
	m->column->precision = (int)m->map->size;
	m->column->scale = m->map->scale;
	return own_source_type(m, "decimal(%d,%d)%s", m->column->precision, m->column->scale,
		m->map->is_unsigned ? " unsigned" : "");
}

static int describe_bit(struct maker *m)
{
	m->field->form = FORM_BIT;
	m->field->precision = (uint8_t)m->map->size;
	m->field->size = (uint8_t)((m->map->size + 7) / 8);
	m->column->type = COLUMN_BITS;
	m->column->precision = (int)m->map->size;
	return own_source_type(m, "bit(%d)", m->column->precision);
}

/* ---- times ---- */

static int describe_time(struct maker *m, enum binlog_form form, enum column_type type, const char *word,
	unsigned fraction)
{
	m->field->form = form;
	m->field->fraction = (uint8_t)fraction;
	m->field->size = (uint8_t)binlog_time_size(form, fraction);
	m->column->type = type;
	m->column->fraction = (int)fraction;
	return source_type_of_time(m, word);
}

/* MariaDB's old types may have a fraction, which the map does not tell. */
static int describe_old_time(struct maker *m, enum binlog_form form, enum column_type type, const char *word)
{
	unsigned fraction = 0;

	if (m->source->mariadb) {
		if (!is_called(m, word)) {
			(void)error_set(m->err, ERROR_GAP,
				"the fraction of its old %s type is not in the log, and the catalogue has no such column now", word);
			return error_hint(m->err,
				"leave the table out, or set mysql56_temporal_format=ON and rebuild it with ALTER TABLE ... FORCE");
		}
		fraction = first_number(m->catalogue->column_type);
		if (fraction > 6)
			return error_set(m->err, ERROR_DATA, "type %s in the catalogue", m->catalogue->column_type);
	}
	return describe_time(m, form, type, word, fraction);
}

/* ---- strings ---- */

/* *ret NULL: not known. */
static int find_charset(struct maker *m, const struct charset **ret)
{
	if (m->map->collation != 0) {
		*ret = charset_by_collation(m->map->collation);
		if (*ret == NULL)
			return error_set(m->err, ERROR_CONFIG, "collation %u is not known here", (unsigned)m->map->collation);
		return 0;
	}
	*ret = NULL;
	if (m->catalogue != NULL) {
		const char *name = m->catalogue->charset[0] != '\0' ? m->catalogue->charset : "binary";

		*ret = charset_by_name(name);
		if (*ret == NULL)
			return error_set(m->err, ERROR_CONFIG, "charset %s is not known here", name);
	}
	return 0;
}

/* Characters that fit, for char(n) and varchar(n). */
static unsigned characters(const struct maker *m, const struct charset *charset)
{
	uint32_t size = m->map->size;

	/* a COMPRESSED column has one byte more, for its header */
	if (m->map->type == BINLOG_VARCHAR_COMPRESSED && size > 0)
		size--;
	return size / (charset != NULL ? charset_width(charset) : 1);
}

static const char *blob_word(unsigned prefix, bool text)
{
	static const char *const blobs[] = { "tinyblob", "blob", "mediumblob", "longblob" };
	static const char *const texts[] = { "tinytext", "text", "mediumtext", "longtext" };

	return (text ? texts : blobs)[prefix - 1];
}

/* What MariaDB writes as BINARY and is not. */
static bool describe_as_binary(struct maker *m)
{
	static const struct {
		const char *word;
		unsigned size;
		enum binlog_form form;
		enum column_type type;
	} types[] = { { "uuid", 16, FORM_UUID, COLUMN_UUID }, { "inet6", 16, FORM_INET6, COLUMN_STRING },
		{ "inet4", 4, FORM_INET4, COLUMN_STRING } };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (m->map->size != types[i].size || !is_called(m, types[i].word))
			continue;
		m->field->form = types[i].form;
		m->field->charset = NULL;
		m->column->type = types[i].type;
		return true;
	}
	return false;
}

static int describe_string(struct maker *m, bool blob)
{
	bool text, fixed = m->map->type == BINLOG_STRING;
	const struct charset *charset;

	if (find_charset(m, &charset) < 0)
		return -1;
	text = charset != NULL && !charset_is_binary(charset);
	m->field->form = text ? FORM_TEXT : FORM_BYTES;
	m->field->prefix = (uint8_t)(blob ? m->map->size : m->map->size > 255 ? 2 : 1);
	m->field->charset = text ? charset : NULL;
	m->field->compressed = m->map->type == BINLOG_BLOB_COMPRESSED || m->map->type == BINLOG_VARCHAR_COMPRESSED;
	m->column->type = text ? COLUMN_STRING : COLUMN_BYTES;
	/* What has no charset may be CHAR: padding that would be wrong. */
	if (fixed && charset != NULL && !text)
		m->field->pad = m->map->size;
	if (m->source->mariadb && fixed && !text && describe_as_binary(m))
		return set_source_type(m, m->catalogue->data_type);
	if (m->source->mariadb && m->map->type == BINLOG_VARCHAR && !text && is_called(m, "vector")) {
		m->column->type = COLUMN_VECTOR;
		return own_source_type(m, "vector(%u)", (unsigned)m->map->size / 4);
	}
	if (m->source->mariadb && text && m->catalogue != NULL && m->catalogue->is_json) {
		m->column->type = COLUMN_JSON;
		return set_source_type(m, "json");
	}
	if (blob)
		return own_source_type(m, "%s", blob_word(m->map->size, text));
	return own_source_type(m, "%s%s(%u)", fixed ? "" : "var", text ? "char" : "binary", characters(m, charset));
}

/* JSON, GEOMETRY, VECTOR: their own forms behind a length. */
static int describe_blob(struct maker *m, enum binlog_form form, enum column_type type)
{
	m->field->form = form;
	m->field->prefix = (uint8_t)m->map->size;
	m->column->type = type;
	return 0;
}

static int describe_geometry(struct maker *m)
{
	static const char *const words[] = { "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
		"multipolygon" };
	uint32_t kind = m->map->geometry;
	const char *word = m->source->mariadb ? "geometrycollection" : "geomcollection";

	if (kind < sizeof words / sizeof words[0])
		word = words[kind];
	return describe_blob(m, FORM_BYTES, COLUMN_GEOMETRY) < 0 ? -1 : own_source_type(m, "%s", word);
}

static int describe_vector(struct maker *m)
{
	(void)describe_blob(m, FORM_BYTES, COLUMN_VECTOR);
	return m->map->dimension > 0 ? own_source_type(m, "vector(%u)", (unsigned)m->map->dimension) :
		own_source_type(m, "vector");
}

/* ---- labels ---- */

/* The character at *at, which is doubled or behind a backslash if it is special, and moves behind it. */
static char take_quoted(const char **at)
{
	char c = *(*at)++;

	if (c == '\'' && **at == '\'')
		(*at)++;
	if (c != '\\' || **at == '\0')
		return c;
	c = *(*at)++;
	return c == 'n' ? '\n' : c == 'r' ? '\r' : c == '0' ? '\0' : c;
}

/* Counts, and with labels takes, what stands in the parentheses of enum('a','it''s'). False: it is no such text. */
static bool scan_labels(const char *at, struct arena *arena, const char **labels, size_t *ret_count)
{
	size_t count = 0;

	at = strchr(at, '(');
	while (at != NULL && (*at == '(' || *at == ',')) {
		const char *from;
		size_t len = 0;
		char *copy;

		if (*++at != '\'')
			return false;
		for (from = ++at; *at != '\0' && (*at != '\'' || at[1] == '\''); len++)
			(void)take_quoted(&at);
		if (*at++ != '\'')
			return false;
		if (labels != NULL) {
			copy = arena_alloc(arena, len + 1);
			if (copy == NULL)
				return false;
			for (size_t i = 0; i < len; i++)
				copy[i] = take_quoted(&from);
			copy[len] = '\0';
			labels[count] = copy;
		}
		count++;
	}
	*ret_count = count;
	return at != NULL && *at == ')';
}

static int labels_of_catalogue(struct maker *m, const char ***ret_labels, size_t *ret_count)
{
	const char *text = m->catalogue->column_type;
	const char **labels;
	size_t count;

	if (!scan_labels(text, NULL, NULL, &count))
		return error_set(m->err, ERROR_DATA, "no labels in the catalogue's type");
	labels = arena_alloc(m->arena, count * sizeof *labels);
	if (labels == NULL || !scan_labels(text, m->arena, labels, &count))
		return arena_error(m->arena, m->err);
	*ret_labels = labels;
	*ret_count = count;
	return 0;
}

static int labels_of_map(struct maker *m, const char ***ret_labels, size_t *ret_count)
{
	const struct charset *charset = charset_by_collation(m->map->collation);
	const char **labels = arena_alloc(m->arena, m->map->label_count * sizeof *labels);
	struct value text;

	if (labels == NULL)
		return arena_error(m->arena, m->err);
	if (charset == NULL)
		return error_set(m->err, ERROR_CONFIG, "collation %u of the labels is not known here",
			(unsigned)m->map->collation);
	for (size_t i = 0; i < m->map->label_count; i++) {
		if (charset_text(charset, m->map->labels[i].ptr, m->map->labels[i].len, m->arena, &text, m->err) < 0)
			return error_prefix(m->err, "label %zu", i + 1);
		if (memchr(text.text.ptr, '\0', text.text.len) != NULL)
			return error_set(m->err, ERROR_DATA, "label %zu: has a zero byte", i + 1);
		labels[i] = arena_strndup(m->arena, text.text.ptr, text.text.len);
		if (labels[i] == NULL)
			return arena_error(m->arena, m->err);
	}
	*ret_labels = labels;
	*ret_count = m->map->label_count;
	return 0;
}

static int describe_labelled(struct maker *m, bool set)
{
	const char *word = set ? "set" : "enum";
	struct binlog_label *own;
	const char **labels = NULL;
	size_t count = 0;

	m->field->size = (uint8_t)m->map->size;
	if (m->map->labels == NULL && !is_called(m, word)) {
		/* Nobody knows the labels: the number itself. */
		m->field->form = FORM_INT;
		m->field->is_unsigned = true;
		m->column->type = !set ? COLUMN_INT32 : m->map->size == 8 ? COLUMN_UINT64 : COLUMN_INT64;
		return own_source_type(m, "%s", word);
	}
	if ((m->map->labels != NULL ? labels_of_map(m, &labels, &count) : labels_of_catalogue(m, &labels, &count)) < 0)
		return -1;
	own = arena_alloc(m->arena, count * sizeof *own);
	if (own == NULL)
		return arena_error(m->arena, m->err);
	for (size_t i = 0; i < count; i++)
		own[i] = (struct binlog_label){ labels[i], strlen(labels[i]) };
	m->field->form = set ? FORM_SET : FORM_ENUM;
	m->field->labels = own;
	m->field->label_count = count;
	m->column->type = set ? COLUMN_SET : COLUMN_ENUM;
	m->column->labels = labels;
	m->column->label_count = count;
	return source_type_of_labels(m, word);
}

/* ---- one column ---- */

static int describe_other(struct maker *m)
{
	switch (m->map->type) {
	case BINLOG_STRING:
	case BINLOG_VARCHAR:
	case BINLOG_VAR_STRING:
	case BINLOG_VARCHAR_COMPRESSED:
		return describe_string(m, false);
	case BINLOG_TINY_BLOB:
	case BINLOG_MEDIUM_BLOB:
	case BINLOG_LONG_BLOB:
	case BINLOG_BLOB:
	case BINLOG_BLOB_COMPRESSED:
		return describe_string(m, true);
	case BINLOG_ENUM:
		return describe_labelled(m, false);
	case BINLOG_SET:
		return describe_labelled(m, true);
	case BINLOG_JSON:
		return describe_blob(m, FORM_JSON, COLUMN_JSON) < 0 ? -1 : own_source_type(m, "json");
	case BINLOG_GEOMETRY:
		return describe_geometry(m);
	case BINLOG_VECTOR:
		return describe_vector(m);
	case BINLOG_NULL:
		m->field->form = FORM_NOTHING;
		m->column->type = COLUMN_STRING;
		return own_source_type(m, "null");
	default:
		return error_set(m->err, ERROR_BUG, "type %u was let through", m->map->type);
	}
}

int binlog_column_describe(const struct binlog_column_source *source, struct arena *arena, struct binlog_field *field,
	struct column *column, struct error *err)
{
	struct maker maker = { source, source->map, source->catalogue, arena, field, column, err }, *m = &maker;
	unsigned size = source->map->size;

	memset(field, 0, sizeof *field);
	switch (source->map->type) {
	case BINLOG_TINY:
		return describe_int(m, 1, "tinyint", COLUMN_INT16, COLUMN_INT16);
	case BINLOG_SHORT:
		return describe_int(m, 2, "smallint", COLUMN_INT16, COLUMN_INT32);
	case BINLOG_INT24:
		return describe_int(m, 3, "mediumint", COLUMN_INT32, COLUMN_INT32);
	case BINLOG_LONG:
		return describe_int(m, 4, "int", COLUMN_INT32, COLUMN_INT64);
	case BINLOG_LONGLONG:
		return describe_int(m, 8, "bigint", COLUMN_INT64, COLUMN_UINT64);
	case BINLOG_FLOAT:
	case BINLOG_DOUBLE:
		return describe_float(m);
	case BINLOG_NEWDECIMAL:
		return describe_decimal(m);
	case BINLOG_BIT:
		return describe_bit(m);
	case BINLOG_YEAR:
		field->form = FORM_YEAR;
		field->size = 1;
		column->type = COLUMN_YEAR;
		return own_source_type(m, "year");
	case BINLOG_DATE:
	case BINLOG_NEWDATE:
		return describe_time(m, FORM_DATE, COLUMN_DATE, "date", 0);
	case BINLOG_TIME2:
		return describe_time(m, FORM_TIME, COLUMN_DURATION, "time", size);
	case BINLOG_DATETIME2:
		return describe_time(m, FORM_DATETIME, COLUMN_TIMESTAMP, "datetime", size);
	case BINLOG_TIMESTAMP2:
		return describe_time(m, FORM_TIMESTAMP, COLUMN_TIMESTAMPTZ, "timestamp", size);
	case BINLOG_TIME:
		return describe_old_time(m, FORM_OLD_TIME, COLUMN_DURATION, "time");
	case BINLOG_DATETIME:
		return describe_old_time(m, FORM_OLD_DATETIME, COLUMN_TIMESTAMP, "datetime");
	case BINLOG_TIMESTAMP:
		return describe_old_time(m, FORM_OLD_TIMESTAMP, COLUMN_TIMESTAMPTZ, "timestamp");
	default:
		return describe_other(m);
	}
}
