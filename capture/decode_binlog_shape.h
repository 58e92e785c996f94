/*
 * decode_binlog_shape.h: between table maps and rows: how a table's rows are read, and what struct table they become.
 *
 * For the decode_binlog_*.c files only.
 */
#ifndef TAILRACE_CAPTURE_DECODE_BINLOG_SHAPE_H
#define TAILRACE_CAPTURE_DECODE_BINLOG_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/decode_binlog_map.h"
#include "capture/decode_binlog_rows.h"
#include "capture/decode_binlog_value.h"
#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/change/table.h"

#define BINLOG_SHAPE_BYTES_MAX ((size_t)32 << 20) /* one table: 4096 columns, with labels */

/* What an insert has in a column that its image lacks. */
struct binlog_default {
	bool known;
	struct value value;
};

#define BINLOG_LEFT_OUT SIZE_MAX

/* A column as the images have it. */
struct binlog_shape_column {
	struct binlog_field field;
	size_t place; /* in the table; BINLOG_LEFT_OUT: the table is given out without it */
	bool may_differ; /* also if an update's after image lacks it */
};

struct binlog_shape {
	struct arena arena;         /* all below but table */
	struct table description;   /* slot and version not set */
	const struct table *table;  /* the one that is given out; set by binlog_shape_bind() */
	struct binlog_shape_column *columns;
	size_t column_count;             /* of the log; the table's are fewer if some are left out */
	struct binlog_default *defaults; /* by the table's columns */
	size_t json_count;               /* FORM_JSON columns: a partial update has a bit for each */
	const char *untold;              /* names of the columns whose types are the catalogue's of later; NULL: none */
	const char *left_out;            /* names of the columns left out, joined by ", "; NULL: none */
};

/*
 * Describes a table by its map and, as far as that does not tell, by the catalogue (may be NULL). ERROR_DATA, ERROR_GAP (what the log lacks
 * cannot be had), ERROR_CONFIG (a charset that we do not know) with table and column.
 */
int binlog_shape_new(const struct binlog_map *map, const struct binlog_catalogue *catalogue,
	const struct binlog_format *format, struct binlog_shape **ret, struct error *err);
void binlog_shape_free(struct binlog_shape *shape);
/* table: the description itself or an older one that looks the same. Labels are then the table's. */
void binlog_shape_bind(struct binlog_shape *shape, const struct table *table);
/* Whether two tables look the same but for slot and version. */
bool binlog_shape_same(const struct table *a, const struct table *b);

/* The shape that rows with this table id have now, or NULL. Until the next binlog_tables_map(). */
const struct binlog_shape *binlog_tables_shape(struct binlog_tables *tables, uint64_t table_id);

/* ---- decode_binlog_type.c ---- */

/* What one column is made from; also what of it could not be told. */
struct binlog_column_source {
	const struct binlog_map_column *map;
	const struct binlog_catalogue_column *catalogue; /* NULL: nothing is known */
	bool mariadb;
	bool has_signs;
	bool by_log; /* the map has all the log can tell: the catalogue is asked for the rest only, and may be of another time */
};

/* Fills all of field and column but name, key and what hangs on the defaults. In the arena. */
int binlog_column_describe(const struct binlog_column_source *source, struct arena *arena, struct binlog_field *field,
	struct column *column, struct error *err);

#endif
