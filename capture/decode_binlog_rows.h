/*
 * decode_binlog_rows.h: table maps and row images of a binlog -> the change model.
 *
 * A table map gives types and, with binlog_row_metadata=FULL, names, signs, charsets, labels and keys. What it does not give is asked from a
 * catalogue (struct binlog_catalogue): everything but types when the metadata is MINIMAL, and even with FULL the few types that the log cannot tell
 * apart (MariaDB's UUID, INET4, INET6 are BINARY there; VECTOR is VARBINARY; JSON is LONGTEXT with a check).
 * Generated columns are the one thing that even FULL images may lack, and of which only the catalogue tells: binlog_rows_next().
 * Pure but for those callbacks; one thread. Every length is checked; malformed input is ERROR_DATA with table, column and event.
 */
#ifndef TAILRACE_CAPTURE_DECODE_BINLOG_ROWS_H
#define TAILRACE_CAPTURE_DECODE_BINLOG_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/decode_binlog.h"
#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/change/change.h"

#define BINLOG_COLUMNS_MAX 4096
#define BINLOG_TABLES_MAX 100000 /* shapes that one decoder takes in */

/* One column as the catalogue describes it (information_schema.columns). Strings live as long as the caller of the callback says. */
struct binlog_catalogue_column {
	const char *name;
	const char *data_type;   /* lower case: "int", "uuid", "inet6", "json", "vector", "enum" ... */
	const char *column_type; /* as the server prints it: decimal(12,2) unsigned, enum('a','b'), varchar(20) with COMPRESSED ... */
	const char *charset;     /* "utf8mb4", "" if it has none */
	bool is_json;            /* MariaDB: a CHECK json_valid() makes it one */
	bool key;                /* part of the primary key */
	const char *default_text; /* a constant default as the server prints it; NULL: none, then it is NULL */
	bool default_computed;    /* an expression: what it gave is not to be had from here */
	bool uncertain;           /* of later than this place of the log, and the table may have been altered between */
	bool generated;           /* the server computes it from the others: VIRTUAL, STORED; not ROW START and ROW END of system versioning */
};

struct binlog_catalogue {
	void *context;
	/*
	 * Describes the table as it was at this place of the log. *ret_columns (count as many as the map has) live until the callback is
	 * called again. types, metadata: the map's, so that a description that does not fit is not taken. known_names: the map has the names itself
	 * (metadata is FULL): columns are matched by name, and a table that is gone by now is no error but *ret_count = 0.
	 * Otherwise -1 and ERROR_GAP if the shape of then is no longer to be had. Hint: binlog_row_metadata=FULL.
	 */
	int (*table)(void *context, const char *schema, const char *name, const unsigned char *types, size_t column_count,
		bool known_names, const struct binlog_catalogue_column **ret_columns, size_t *ret_count, struct error *err);
};

struct binlog_tables; /* all shapes of one stream */

/*
 * catalogue may be NULL (reading files): then MINIMAL metadata gives columns "@1", "@2" ... as the servers' own tools do, integers signed.
 */
struct binlog_tables *binlog_tables_new(const struct binlog_catalogue *catalogue);
void binlog_tables_free(struct binlog_tables *tables);
/* Which server writes what comes from here on. */
void binlog_tables_server(struct binlog_tables *tables, const struct binlog_format *format);
/* A name must be looked up again at its next table map: DDL was seen. schema NULL: all; name NULL: all of the schema. */
void binlog_tables_forget(struct binlog_tables *tables, const char *schema, const char *name);
/* Table ids mean nothing any more: a new file, a new stream. Shapes stay. */
void binlog_tables_new_file(struct binlog_tables *tables);

/* What a table map says of its name, without making a shape: for leaving out tables that nobody wants. In the arena. */
int binlog_map_name(const void *bytes, size_t len, struct arena *arena, uint64_t *ret_table_id, const char **ret_schema,
	const char **ret_name, struct error *err);
/*
 * Takes in a BINLOG_TABLE_MAP. *ret_table: the shape, the tables' own, for as long as they live; the same one as long as the
 * same table looks the same.
 */
int binlog_tables_map(struct binlog_tables *tables, const void *bytes, size_t len, const struct table **ret_table,
	struct error *err);
/* The last shape known of that name, or NULL. For TRUNCATE. */
const struct table *binlog_tables_find(const struct binlog_tables *tables, const char *schema, const char *name);

/*
 * Names of the generated columns, joined by ", " (very many end in dots), that the table of the last binlog_tables_map() is given out without: for a
 * warning; why: binlog_rows_next(). NULL: none, or they were told already. Until the next binlog_tables_map().
 */
const char *binlog_tables_left_out(struct binlog_tables *tables);

/*
 * Names of the columns of the table of the last binlog_tables_map(), joined in the same way, whose types only the catalogue tells (MariaDB's UUID,
 * INET4, INET6, VECTOR, JSON look like BINARY, VARBINARY, LONGTEXT) though it does not know them at this place: for a warning. NULL as above.
 */
const char *binlog_tables_untold(struct binlog_tables *tables);

struct binlog_rows; /* one event being read */

struct binlog_rows *binlog_rows_new(struct binlog_tables *tables); /* NULL: memory is short */
void binlog_rows_free(struct binlog_rows *rows);
/* The event's bytes must stay until all rows are read. The table id must have been mapped, else ERROR_DATA. */
int binlog_rows_open(struct binlog_rows *rows, const struct binlog_rows_event *event, struct error *err);
/*
 * 1 and the next change; 0: no more. Sets op, table, before, after, before_is_key, row; the rest is the caller's. Values borrow from the event's
 * bytes and the arena.
 *
 * Images: columns that an image lacks are VALUE_UNCHANGED in an update's after (NOBLOB, MINIMAL), unless before gives them; before of such an
 * image has before_is_key when it has the key's columns and not all. An insert of a MINIMAL image lacks the columns that the statement did not
 * name: they have the column's constant default (asked from the catalogue), and where that cannot be known it is ERROR_GAP with table, column
 * and the hint binlog_row_image=FULL. A table without a key whose before image is not full: ERROR_GAP, same hint.
 *
 * Generated columns. MySQL's images of updates have those that changed, whatever binlog_row_image is (measured: 8.0, 8.4, 9.7), so one that is not
 * there is VALUE_UNCHANGED like any other. MariaDB to 11.4 leaves VIRTUAL ones out of MINIMAL and NOBLOB images also when they changed (10.6, 10.11):
 * ERROR_GAP with table and column, same hint. MariaDB from 11.5 on has none of them in the images of updates and deletes, not even of FULL ones
 * (measured: 11.4.5 has them, 11.8.9 has not): then struct table is without them, and their bytes in inserts are skipped. What the log says is part of
 * the key stays.
 */
int binlog_rows_next(struct binlog_rows *rows, struct arena *arena, struct change *ret_change, struct error *err);

#endif
