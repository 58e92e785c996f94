/*
 * sink_mysql_types.h: which column of MySQL or MariaDB holds which source column's values, and how they are sent.
 *
 * Losslessly or not at all: a type that cannot hold every value is refused before the first row, but for two cases where the
 * limit cannot be known from the source's type (a text without a length into a VARCHAR or TEXT, an instant into a TIMESTAMP): there the
 * value itself is checked, and a row that does not fit stops the agent. docs/types.md has the table. Pure.
 */
#ifndef TAILRACE_APPLY_SINK_MYSQL_TYPES_H
#define TAILRACE_APPLY_SINK_MYSQL_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "apply/sink_mysql_text.h"
#include "lib/base/buf.h"
#include "lib/change/table.h"

/* A target column as information_schema.columns has it. */
struct my_type {
	const char *name;     /* data_type: "varchar" */
	const char *declared; /* column_type: "varchar(20)", "enum('a','b')" */
	uint64_t chars;       /* character_maximum_length */
	uint64_t bytes;       /* character_octet_length */
	int precision, scale; /* numeric_precision, numeric_scale */
	int fraction;         /* datetime_precision */
	bool json;            /* a text with MariaDB's constraint json_valid() */
	bool utf8;            /* character_set_name is utf8mb4 */
};

/* Fills form and limits of *format (not not_null and declared). */
bool my_type_holds(const struct column *source, const struct my_type *target, struct my_format *format);

/* A label of the source's that the target's ENUM or SET lacks; NULL: none, or the target is neither. */
const char *my_missing_label(const struct column *source, const struct my_type *target);

/* Whether a table's rows and the position row, which is of InnoDB, are one transaction. Others (FEDERATED, SPIDER) only say that they have some. */
bool my_engine_is_safe(const char *name);

/* Appends a target type that would do: "DECIMAL(12,2)". */
void my_type_wanted(const struct column *source, struct buf *out);

#endif
