/*
 * table.h: the shape of a table as the log gives it at one position.
 *
 * A shape never changes: when the log announces another one for the same table, that is a new struct table with
 * a new version. Made by a decoder (capture) or from the writer's Avro schema (apply); whoever made it frees it.
 */
#ifndef TAILRACE_CHANGE_TABLE_H
#define TAILRACE_CHANGE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum column_type {
	COLUMN_BOOL,
	COLUMN_INT16,
	COLUMN_INT32,
	COLUMN_INT64, /* also oid */
	COLUMN_UINT64,
	COLUMN_FLOAT32,
	COLUMN_FLOAT64,
	COLUMN_DECIMAL, /* precision and scale, or precision 0: any (VariableScaleDecimal) */
	COLUMN_STRING,  /* every text type, and each type that is carried in its source text (inet, range, composite ...) */
	COLUMN_BYTES,
	COLUMN_JSON,
	COLUMN_XML,
	COLUMN_UUID,
	COLUMN_ENUM, /* labels */
	COLUMN_DATE,
	COLUMN_TIME,        /* fraction: digits of the second, 0 to 6 */
	COLUMN_TIMETZ,      /* carried as text: 12:34:56.789+02 */
	COLUMN_TIMESTAMP,   /* without time zone */
	COLUMN_TIMESTAMPTZ, /* an instant */
	COLUMN_INTERVAL,    /* carried as text */
	COLUMN_ARRAY,       /* element_type, with precision, scale, fraction and labels of the element */
	/* MySQL and MariaDB only */
	COLUMN_BITS,     /* BIT(n): precision = n, 1 to 64; BIT(1) too */
	COLUMN_YEAR,     /* 1901 to 2155, and 0 for the year 0000 */
	COLUMN_SET,      /* labels; the members in the set's order, joined by commas */
	COLUMN_DURATION, /* TIME: signed, up to 838:59:59.999999 either way; fraction */
	COLUMN_GEOMETRY, /* SRID, 4 bytes little endian, then WKB: as the server stores it */
	COLUMN_VECTOR    /* 32-bit floats, little endian */
};

struct column {
	const char *name;
	enum column_type type;
	enum column_type element_type; /* of a COLUMN_ARRAY */
	int precision;                 /* COLUMN_DECIMAL; 0: without limit. COLUMN_BITS: number of bits */
	int scale;
	int fraction; /* digits of the second kept by time types, 0 to 6 */
	bool key;     /* part of the primary key or of the replica identity index */
	const char *source_type; /* as the source names it: "numeric(12,2)", "contact_kind" */
	const char *const *labels; /* COLUMN_ENUM, COLUMN_SET */
	size_t label_count;
};

/* How the log identifies the old row of an update or delete. */
enum table_identity {
	IDENTITY_KEY,    /* by the key columns */
	IDENTITY_FULL,   /* by the whole old row */
	IDENTITY_NOTHING /* not at all: updates and deletes are refused at the source */
};

struct table {
	const char *schema; /* PostgreSQL's schema, MySQL's database */
	const char *name;
	const struct column *columns;
	size_t column_count;
	const size_t *key; /* indexes of the key columns, in column order */
	size_t key_count;  /* 0: no key */
	enum table_identity identity;
	uint32_t slot;    /* small and dense: each struct table of one decoder has its own, to index caches by */
	uint32_t version; /* 1, 2, ... of the same table name */
	bool binlog;      /* decoded, and the change came from a binlog: MySQL's or MariaDB's table */
};

/* Index of the column of that name, or -1. */
long table_column_index(const struct table *table, const char *name, size_t name_len);
const char *column_type_name(enum column_type type);

/* A deep copy in one allocation (free() it), or NULL when memory is short. */
struct table *table_copy(const struct table *table);

/*
 * Shell-like patterns of "schema.table" (`*`, `?`), as in table_include_list. A table is taken if the include list is empty or
 * one of its patterns matches, and no pattern of the exclude list does. Lists may be NULL with count 0.
 */
bool table_selected(const char *schema, const char *name, const char *const *include, size_t include_count,
	const char *const *exclude, size_t exclude_count);

#endif
