/*
 * sink_mysql_create.h: constraints, read out of SHOW CREATE TABLE.
 *
 * information_schema shows constraints to those only who may do more than write rows (MariaDB 10.11: nothing of check_constraints and
 * referential_constraints to a user with rights on single tables), and an agent should not need more. The table's own text is shown to
 * every reader: each column and each constraint stands on a line of its own, names in backquotes. Pure.
 */
#ifndef TAILRACE_APPLY_SINK_MYSQL_CREATE_H
#define TAILRACE_APPLY_SINK_MYSQL_CREATE_H

#include <stdbool.h>

/* 64 characters of at most 4 bytes, and the end. */
#define MY_NAME_SIZE 257

/* One foreign key. */
struct my_reference {
	const char *columns; /* (`a`,`b`), in the text */
	char schema[MY_NAME_SIZE], table[MY_NAME_SIZE]; /* that it refers to; schema is empty for the table's own */
	bool delete_cascades, update_cascades;
};

/* The next foreign key from *io_at on (the text at first); false: there is none. */
bool my_create_reference(const char **io_at, struct my_reference *ret);
bool my_reference_has(const struct my_reference *reference, const char *column);
/* Whether MariaDB's LONGTEXT column is its JSON: it has a check of its own. */
bool my_create_is_json(const char *text, const char *column);

#endif
