/*
 * decode_types.h: PostgreSQL's built-in types, by their fixed oids, as columns of the change model.
 *
 * The oids are part of PostgreSQL's interface (src/include/catalog/pg_type.dat; they never change), so no catalogue
 * is asked for them. A type that has no COLUMN_ type of its own is COLUMN_STRING: it is carried in its source text.
 */
#ifndef TAILRACE_CAPTURE_DECODE_TYPES_H
#define TAILRACE_CAPTURE_DECODE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/change/table.h"

/* A name of two quoted identifiers with their dot, and a modifier or "[]". */
#define PG_TYPE_NAME_MAX 288

/* As the fields of struct column (table.h). */
struct pg_type {
	enum column_type type;
	enum column_type element_type;
	int precision;
	int scale;
	int fraction;
	char name[PG_TYPE_NAME_MAX]; /* column's source_type, as format_type() writes it: "numeric(12,2)" */
	const char *const *labels;
	size_t label_count;
};

/*
 * Fills *ret for a built-in type; false (and *ret untouched) if oid is none of them. typmod: the column's type
 * modifier, -1 for none. A numeric with a scale below zero or above its precision is COLUMN_DECIMAL with precision
 * 0 (any digits): Avro's decimal cannot declare it.
 */
bool pg_type_builtin(uint32_t oid, int32_t typmod, struct pg_type *ret);

#endif
