/*
 * sink_mysql_binary.h: values as parameters of MariaDB's bulk execution (COM_STMT_BULK_EXECUTE).
 *
 * One prepared statement, its parameters for many rows in one packet, one answer: the server does not parse a row. Measured with the
 * 15-column row of the benchmark on MariaDB 10.11: 206,000 rows a second, against 97,000 in multi-row INSERTs of text and 134,000 with
 * 1000 rows of parameters in one prepared INSERT. MySQL has no such command. Pure; no I/O.
 * https://mariadb.com/kb/en/com_stmt_bulk_execute/
 */
#ifndef TAILRACE_APPLY_SINK_MYSQL_BINARY_H
#define TAILRACE_APPLY_SINK_MYSQL_BINARY_H

#include <stdint.h>

#include "apply/sink_mysql_text.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"

/* Appends the head: statement, flags; the parameters' types follow, one my_binary_type() each. */
void my_binary_head(struct buf *out, uint32_t statement);
void my_binary_type(const struct my_format *format, const struct column *column, struct buf *out);

/*
 * Appends a parameter. Returns 0; 1 if the value can only go as a literal (nothing is appended then); -1 and ERROR_DATA as
 * my_literal().
 */
int my_binary(const struct my_format *format, const struct column *column, const struct value *val, struct buf *out,
	struct error *err);

#endif
