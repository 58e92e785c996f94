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
#include "lib/base/buf.h"
#include "lib/base/error.h"

/* Most columns of an InnoDB table are 1017; so many bits has a set of columns. */
#define MY_COLUMNS_MAX 1024
#define MY_SET_WORDS (MY_COLUMNS_MAX / 64)
/* No SQL text of ours without values is longer. */
#define MY_SQL_MAX ((size_t)4 << 20)

/* Indexes of shape columns, one bit each. */
struct my_set {
	uint64_t words[MY_SET_WORDS];
};

static inline bool my_set_has(const struct my_set *set, size_t i)
{
	return (set->words[i / 64] >> (i % 64) & 1) != 0;
}

static inline void my_set_add(struct my_set *set, size_t i)
{
	set->words[i / 64] |= UINT64_C(1) << (i % 64);
}

/* A mapped column. */
struct my_column {
	const struct column *source; /* the mapping's table owns it */
	size_t index;                /* in the source table's columns */
	char *name;                  /* at the target */
	char *quoted;
	char *declared;
	struct my_format format;
	bool key;
	bool on_update; /* ON UPDATE CURRENT_TIMESTAMP: an UPDATE must name it, or the server sets it */
};

struct my_shape {
	char *name;   /* "crm.customer", for messages */
	char *quoted; /* `crm`.`customer` */
	char *insert; /* INSERT INTO ... (columns) VALUES */
	struct my_column *columns;
	size_t column_count;
	size_t *key; /* indexes in columns, of the source's key; key_count 0: rows are found by all their columns */
	size_t key_count;
	char *create;  /* SHOW CREATE TABLE, while the shape is made */
	bool refers_to_itself; /* by a foreign key */
	bool cascades; /* a foreign key ON DELETE CASCADE: a row may be gone before its own delete comes */
	/* A foreign key ON UPDATE CASCADE in the key: a row may have its new key before its own update comes. */
	bool key_cascades;
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
void my_shape_update(const struct my_shape *shape, const struct my_set *set, struct buf *sql);
void my_shape_delete(const struct my_shape *shape, struct buf *sql);
/* "`a`=`a`" for each column that the server would set and `set` lacks; first: nothing stands before it. */
void my_shape_keep(const struct my_shape *shape, const struct my_set *set, bool first, struct buf *sql);

#endif
