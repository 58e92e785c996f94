/*
 * sink_mysql_text.h: values of the change model -> what a statement for MySQL or MariaDB holds.
 *
 * A text literal for each value, in a session with NO_BACKSLASH_ESCAPES, utf8mb4 and time zone +00:00: inside quotes only the quote
 * itself has a meaning, so that every byte goes as it is. Where the server would change a value without an error even in strict mode (a
 * decimal's excess digits, trailing spaces beyond a column's length, NULL for an AUTO_INCREMENT) the value is refused here.
 * Pure; no I/O.
 */
#ifndef TAILRACE_APPLY_SINK_MYSQL_TEXT_H
#define TAILRACE_APPLY_SINK_MYSQL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/table.h"
#include "lib/change/value.h"

/* How a target column takes its source's values. */
enum my_form {
	MY_NUMBER, /* the integers, BIT, YEAR */
	MY_FLOAT,
	MY_DOUBLE,
	MY_DECIMAL,
	MY_TEXT,   /* VARCHAR, TEXT, ENUM, SET, UUID, INET, MariaDB's JSON */
	MY_PADDED, /* CHAR: the server forgets trailing spaces, and so do we: as keys they would find nothing */
	MY_BYTES,
	MY_UUID_BYTES, /* 36 characters into BINARY(16) */
	MY_DATE,
	MY_TIME,
	MY_DATETIME, /* DATETIME and TIMESTAMP; an instant in UTC */
	MY_JSON,     /* MySQL's own, whose numbers are 64-bit integers and doubles */
	MY_ARRAY_TEXT, /* an array in PostgreSQL's spelling */
	MY_ARRAY_JSON,
	MY_OPAQUE /* geometries and vectors: the bytes as the server keeps them */
};

struct my_format {
	enum my_form form;
	bool not_null;
	bool labels;           /* an ENUM or SET */
	bool bits, year;       /* a number into a BIT, a YEAR: as strings these have forms of their own */
	bool native_json;    /* the column is of MySQL's JSON type */
	bool raw;            /* a text in UTF-8: a parameter may go as bytes, which spares the server a look at its characters */
	uint64_t chars;      /* of a text: at most; 0: no such limit */
	uint64_t bytes;      /* of a text or bytes: at most; 0: no such limit */
	int scale;           /* of a decimal */
	const char *declared; /* the target's type, for messages */
};

/*
 * Appends a literal. column: the source's, for its type and name. Returns 0, or -1 and ERROR_DATA naming the column: a value that the
 * target's type cannot hold, or a full buffer; ERROR_BUG for VALUE_UNCHANGED.
 */
int my_literal(const struct my_format *format, const struct column *column, const struct value *val, struct buf *out,
	struct error *err);

/*
 * The same as a string literal, whatever the type: '-42', '2026', x'0000000000000101' for a BIT, _binary'...'. Assigned to the column it gives what
 * my_literal()'s gives.
 */
int my_string_literal(const struct my_format *format, const struct column *column, const struct value *val,
	struct buf *out, struct error *err);

/*
 * Appends a condition that is true for exactly this value (NULL too), to find a row by all its columns: text by its bytes and not by the
 * column's collation, floats by their bits. quoted: the column's name as my_identifier() writes it.
 */
int my_condition(const struct my_format *format, const struct column *column, const char *quoted,
	const struct value *val, struct buf *out, struct error *err);

/* Whether a text or bytes of this length fit; -1 and ERROR_DATA, naming the column, if not. */
int my_check_length(const struct my_format *format, const struct column *column, const char *text, size_t len,
	struct error *err);
/* Whether an ENUM or SET takes the text for what it says; -1 and ERROR_DATA, naming column and label, if not. sink_mysql_types.c */
int my_check_label(const struct my_format *format, const struct column *column, const char *text, size_t len,
	struct error *err);
/* The length that a CHAR keeps: without spaces at the end. */
size_t my_kept_length(const struct my_format *format, const char *text, size_t len);
/* Whether a number is one that the target keeps: the digits of `text` beyond the column's scale must be zeros. *ret_len: without them. */
int my_check_decimal(const struct my_format *format, const struct column *column, const char *text, size_t len,
	size_t *ret_len, struct error *err);
/* Appends an array in the column's form, without quotes. */
int my_array(const struct my_format *format, const struct column *column, const struct value *val, struct buf *out,
	struct error *err);
/* sink_calendar(), but false outside of the years 0 to 9999. */
bool my_calendar(int64_t days, int *ret_year, int *ret_month, int *ret_day);

/* Appends 'text'; quotes inside are doubled. */
void my_quote(struct buf *out, const char *text, size_t len);
/* Appends `name`; back quotes inside are doubled. */
void my_identifier(struct buf *out, const char *name);

/* A JSON text whose numbers a double or a 64-bit integer holds digit for digit; -1 and ERROR_DATA: the number. sink_mysql_json.c */
int my_check_json(const struct column *column, const char *text, size_t len, struct error *err);
/* Appends an array's JSON text, or PostgreSQL's own. sink_mysql_json.c */
int my_array_json(const struct column *column, const struct value *val, struct buf *out, struct error *err);
int my_array_text(const struct column *column, const struct value *val, struct buf *out, struct error *err);

#endif
