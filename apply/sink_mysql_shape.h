/*
 * sink_mysql_shape.h: what the target's table looks like, whether it can take the source's, and the SQL text to write to it.
 *
 * Three questions to information_schema: the table and its engine, its columns, its unique indexes; and SHOW CREATE TABLE for what
 * information_schema does not show to everybody (sink_mysql_create.h).
 */
#ifndef TAILRACE_APPLY_SINK_MYSQL_SHAPE_H
#define TAILRACE_APPLY_SINK_MYSQL_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apply/sink.h"
#include "apply/sink_mysql_link.h"
#include "apply/sink_mysql_text.h"
#include "apply/sink_table.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"

/* What the target has for a mapped column, beside struct sink_table_column. */
struct my_column {
	char *declared;
	struct my_format format;
	bool unique;    /* under a unique index, or one is over an expression: its values may meet another row's */
	bool on_update; /* ON UPDATE CURRENT_TIMESTAMP: an UPDATE must name it, or the server sets it */
};

struct my_shape {
	struct sink_table table;
	struct my_column *columns; /* table.column_count */
	char *insert;              /* INSERT INTO ... (columns) VALUES */
	char *create;              /* SHOW CREATE TABLE, while the shape is made */
	char *key_index;           /* the key's unique index, for SQL; NULL: no key */
	bool refers_to_itself;     /* by a foreign key */
};

/*
 * Asks the server and checks the mapping, as sink.h's prepare() promises; *ret_shape is the caller's (my_shape_free()), and borrows
 * from mapping->table. ERROR_CONFIG names the target's table and column, and in its hint the type that would do.
 */
int my_shape_new(
	struct my_link *link, const struct sink_mapping *mapping, struct my_shape **ret_shape, struct error *err);
void my_shape_free(struct my_shape *shape);

/* ---- statements with a question mark for each value, for my_link_prepare() ---- */
void my_shape_insert(const struct my_shape *shape, struct buf *sql);
void my_shape_update(const struct my_shape *shape, const struct sink_set *set, struct buf *sql);
void my_shape_delete(const struct my_shape *shape, struct buf *sql);
/* "`a`=`a`" for each column that the server would set and `set` lacks; first: nothing stands before it. */
void my_shape_keep(const struct my_shape *shape, const struct sink_set *set, bool first, struct buf *sql);

#endif
