/*
 * sink_postgres_shape.h: what the target's table looks like, whether it can take the source's, and the SQL text to
 * write to it.
 *
 * Pure but for the answer of the catalogue query, which the caller fetches; so everything here can be tested without a
 * server.
 */
#ifndef TAILRACE_APPLY_SINK_POSTGRES_SHAPE_H
#define TAILRACE_APPLY_SINK_POSTGRES_SHAPE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/sink.h"
#include "apply/sink_postgres_param.h"
#include "apply/sink_table.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"

/* What the target has for a mapped column, beside struct sink_table_column. */
struct shape_column {
	char *equals; /* key columns: the unique index's own operator, "pg_catalog.=" */
	Oid type;
	Oid enum_type; /* of an enum, or of an array of one: its labels are still to be compared; 0: none */
	enum pg_form form;
};

struct shape {
	struct sink_table table;
	struct shape_column *columns; /* table.column_count */
	bool overriding;              /* a column is GENERATED ALWAYS AS IDENTITY */
	bool mysql;                   /* the source is MySQL or MariaDB */
};

/* Asks for table $2 in schema $1 with key columns $3 (text[]); $3 is an empty array for none. One row a column; none:
 * no such table. */
extern const char shape_query[];
/* Asks which of the labels $2 (text[]) the enum type $1 (oid) lacks. */
extern const char shape_enum_query[];

/* The text[] of the target's names of the source's key columns: shape_query's $3. ERROR_CONFIG: a key column is not
 * mapped. */
int shape_key_names(const struct sink_mapping *mapping, struct buf *out, struct error *err);

/*
 * Checks the mapping against shape_query's answer, as sink.h's prepare() promises; *ret_shape is the caller's
 * (shape_free()), and borrows from mapping->table. ERROR_CONFIG names the target's table and column. Labels of enums
 * are the caller's to check.
 */
int shape_new(const struct sink_mapping *mapping, const PGresult *answer, struct shape **ret_shape, struct error *err);
void shape_free(struct shape *shape);

/*
 * Whether a target type can hold a source column's values; fills how they are sent. base: the type below domains, as
 * pg_type names it; declared: as format_type() writes the column's own type. typmod: -1 for none. Exposed for its test.
 */
struct shape_type {
	const char *base, *declared;
	const char *element; /* base name of an array's elements, "" for none */
	char kind;           /* pg_type.typtype of base: b, e, c, r, m; of the element for an array */
	int typmod;
	bool mysql; /* the source is MySQL or MariaDB */
};
bool shape_type_holds(const struct column *source, const struct shape_type *target, enum pg_form *ret_form);

/* ---- SQL, each with its parameters in the order of the table's columns ---- */
/* INSERT of `rows` rows: all columns, row after row. Appends each parameter's type to types (NULL: do not). */
void shape_insert(const struct shape *shape, size_t rows, struct buf *sql, Oid *types);
/* UPDATE: the columns of `set`, then the row's identity. With key_cascades a move of the key finds the row by either. */
void shape_update(const struct shape *shape, const struct sink_set *set, struct buf *sql, Oid *types);
/* DELETE: the row's identity: the key columns, or without a key all columns. */
void shape_delete(const struct shape *shape, struct buf *sql, Oid *types);

/* The position table; fillfactor leaves room for an update of the row in place at each commit. doctor proposes the same. */
#define POSITION_SCHEMA "CREATE SCHEMA IF NOT EXISTS tailrace"
#define POSITION_TABLE                                                                                               \
	"CREATE TABLE IF NOT EXISTS tailrace.position (pipeline text PRIMARY KEY, epoch bigint NOT NULL, log text, " \
	"transaction_id text, commit_position numeric(20), offsets text, updated_at timestamptz) WITH (fillfactor = 50)"

#endif
