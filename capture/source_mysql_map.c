/*
 * source_mysql_map.c: a table map made from the catalogue's description, for a TRUNCATE of a table that was not met in
 * the log yet.
 *
 * The event needs the table's shape, and the one way to a shape is the decoder's (binlog_tables_map()), which reads a
 * map. So one is written as a server with MINIMAL metadata would:
 *
 *   u48 table id, u16 flags, length and database and NUL, length and name and NUL, packed count of columns, a type byte for each,
 *   packed length and bytes of the types' metadata, bitmap of nullable columns
 */
#include "capture/source_mysql.h"

#include <stdlib.h>
#include <string.h>

#include "capture/decode_charset.h"

#define NO_TABLE_ID 0xff /* in each of its six bytes: no server gives that one to a table with rows */

enum form {
	FORM_PLAIN,
	FORM_SIZE,
	FORM_DECIMAL,
	FORM_FRACTION,
	FORM_BIT,
	FORM_BYTES,
	FORM_CHAR,
	FORM_LABELS,
	FORM_BLOB
};

struct type {
	const char *data_type;
	unsigned char type;
	enum form form;
	/* FORM_SIZE, FORM_BLOB: the metadata byte; FORM_CHAR: length, 0: as the column says; FORM_LABELS: the real type */
	unsigned number;
};

static const struct type types[] = {
	{ "tinyint", 1, FORM_PLAIN, 0 },
	{ "smallint", 2, FORM_PLAIN, 0 },
	{ "mediumint", 9, FORM_PLAIN, 0 },
	{ "int", 3, FORM_PLAIN, 0 },
	{ "bigint", 8, FORM_PLAIN, 0 },
	{ "float", 4, FORM_SIZE, 4 },
	{ "double", 5, FORM_SIZE, 8 },
	{ "decimal", 246, FORM_DECIMAL, 0 },
	{ "date", 10, FORM_PLAIN, 0 },
	{ "year", 13, FORM_PLAIN, 0 },
	{ "time", 19, FORM_FRACTION, 0 },
	{ "datetime", 18, FORM_FRACTION, 0 },
	{ "timestamp", 17, FORM_FRACTION, 0 },
	{ "bit", 16, FORM_BIT, 0 },
	{ "varchar", 15, FORM_BYTES, 0 },
	{ "varbinary", 15, FORM_BYTES, 0 },
	{ "char", 254, FORM_CHAR, 0 },
	{ "binary", 254, FORM_CHAR, 0 },
	{ "uuid", 254, FORM_CHAR, 16 },
	{ "inet6", 254, FORM_CHAR, 16 },
	{ "inet4", 254, FORM_CHAR, 4 },
	{ "enum", 254, FORM_LABELS, 0xf7 },
	{ "set", 254, FORM_LABELS, 0xf8 },
	{ "tinyblob", 252, FORM_BLOB, 1 },
	{ "tinytext", 252, FORM_BLOB, 1 },
	{ "blob", 252, FORM_BLOB, 2 },
	{ "text", 252, FORM_BLOB, 2 },
	{ "mediumblob", 252, FORM_BLOB, 3 },
	{ "mediumtext", 252, FORM_BLOB, 3 },
	{ "longblob", 252, FORM_BLOB, 4 },
	{ "longtext", 252, FORM_BLOB, 4 },
	{ "json", 245, FORM_SIZE, 4 },
	{ "geometry", 255, FORM_SIZE, 4 },
	{ "point", 255, FORM_SIZE, 4 },
	{ "linestring", 255, FORM_SIZE, 4 },
	{ "polygon", 255, FORM_SIZE, 4 },
	{ "multipoint", 255, FORM_SIZE, 4 },
	{ "multilinestring", 255, FORM_SIZE, 4 },
	{ "multipolygon", 255, FORM_SIZE, 4 },
	{ "geometrycollection", 255, FORM_SIZE, 4 },
	{ "geomcollection", 255, FORM_SIZE, 4 },
	{ "vector", 242, FORM_SIZE, 4 },
};

static const struct type *find_type(const char *data_type)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcmp(types[i].data_type, data_type) == 0)
			return &types[i];
	return NULL;
}

/* The numbers in the first brackets of a type: decimal(12,2), varchar(20). */
static unsigned number_in(const char *column_type, unsigned which, unsigned missing)
{
	const char *at = strchr(column_type, '(');

	for (; at != NULL && which > 0; which--)
		at = strchr(at + 1, ',');
	return at != NULL ? (unsigned)strtoul(at + 1, NULL, 10) : missing;
}

static unsigned count_labels(const char *column_type)
{
	unsigned count = 0;
	bool inside = false;

	for (const char *at = column_type; *at != '\0'; at++)
		if (*at == '\'') {
			if (inside && at[1] == '\'') {
				at++;
				continue;
			}
			count += !inside;
			inside = !inside;
		}
	return count;
}

static unsigned label_bytes(unsigned real_type, unsigned labels)
{
	unsigned bytes = (labels + 7) / 8;

	if (real_type == 0xf7)
		return labels > 255 ? 2 : 1;
	return bytes > 4 ? 8 : bytes == 0 ? 1 : bytes;
}

static unsigned bytes_of(const struct binlog_catalogue_column *column)
{
	const struct charset *charset = column->charset[0] != '\0' ? charset_by_name(column->charset) : NULL;

	return number_in(column->column_type, 0, 1) * (charset != NULL ? charset_width(charset) : 1);
}

static void put_u16(struct buf *out, unsigned n)
{
	buf_append_byte(out, (char)n);
	buf_append_byte(out, (char)(n >> 8));
}

static void put_metadata(const struct type *type, const struct binlog_catalogue_column *column, struct buf *out)
{
	const char *text = column->column_type;
	unsigned n;

	switch (type->form) {
	case FORM_PLAIN:
		break;
	case FORM_SIZE:
	case FORM_BLOB:
		buf_append_byte(out, (char)type->number);
		break;
	case FORM_DECIMAL:
		buf_append_byte(out, (char)number_in(text, 0, 10));
		buf_append_byte(out, (char)number_in(text, 1, 0));
		break;
	case FORM_FRACTION:
		buf_append_byte(out, (char)number_in(text, 0, 0));
		break;
	case FORM_BIT:
		n = number_in(text, 0, 1);
		put_u16(out, n % 8 | n / 8 << 8);
		break;
	case FORM_BYTES:
		put_u16(out, bytes_of(column));
		break;
	case FORM_CHAR:
		n = type->number != 0 ? type->number : bytes_of(column);
		put_u16(out, (0xfeU ^ ((n & 0x300U) >> 4)) | (n & 0xffU) << 8);
		break;
	case FORM_LABELS:
		put_u16(out, type->number | label_bytes(type->number, count_labels(text)) << 8);
		break;
	}
}

/* The type as this server logs it: MariaDB's VECTOR is VARBINARY, and a COMPRESSED column has a type of its own. */
static struct type logged_type(const struct type *known, const struct binlog_catalogue_column *column, bool mariadb)
{
	struct type type = *known;

	if (mariadb && type.type == 242)
		return (struct type){ "vector", 15, FORM_BYTES, 0 };
	if (mariadb && strstr(column->column_type, "COMPRESSED") != NULL && (type.type == 15 || type.type == 252))
		type.type = type.type == 15 ? 141 : 140;
	return type;
}

static void put_packed(struct buf *out, size_t n)
{
	if (n < 251) {
		buf_append_byte(out, (char)n);
	} else {
		buf_append_byte(out, (char)0xfc);
		put_u16(out, (unsigned)n);
	}
}

static void put_name(struct buf *out, const char *name)
{
	buf_append_byte(out, (char)strlen(name));
	buf_append(out, name, strlen(name) + 1);
}

int map_make(const char *schema, const char *name, const struct binlog_catalogue_column *columns, size_t count,
	bool mariadb, struct buf *out, struct error *err)
{
	struct buf codes, metadata;
	int rc = 0;

	buf_init(&codes, BINLOG_COLUMNS_MAX);
	buf_init(&metadata, (size_t)2 * BINLOG_COLUMNS_MAX);
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct type *known = find_type(columns[i].data_type);
		struct type type;

		if (known == NULL) {
			rc = error_set(err, ERROR_DATA, "%s.%s: type %s of column \"%s\" is not known", schema, name,
				columns[i].column_type, columns[i].name);
			break;
		}
		type = logged_type(known, &columns[i], mariadb);
		buf_append_byte(&codes, (char)type.type);
		put_metadata(&type, &columns[i], &metadata);
	}
	for (int i = 0; i < 6; i++)
		buf_append_byte(out, (char)NO_TABLE_ID);
	put_u16(out, 0);
	put_name(out, schema);
	put_name(out, name);
	put_packed(out, count);
	buf_append(out, codes.data, codes.len);
	put_packed(out, metadata.len);
	buf_append(out, metadata.data, metadata.len);
	for (size_t i = 0; i < (count + 7) / 8; i++)
		buf_append_byte(out, 0);
	out->failed = out->failed || codes.failed || metadata.failed;
	buf_release(&codes);
	buf_release(&metadata);
	return rc == 0 ? buf_check(out, "table map", err) : -1;
}
