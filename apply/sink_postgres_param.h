/*
 * sink_postgres_param.h: values of the change model -> the forms in which PostgreSQL takes parameters.
 *
 * Every value has a text form (sink_text.h). The binary form exists for types whose text costs the server time to read (measured: 14 to
 * 30 % more rows a second for a 15-column row). Pure; no I/O.
 */
#ifndef TAILRACE_APPLY_SINK_POSTGRES_PARAM_H
#define TAILRACE_APPLY_SINK_POSTGRES_PARAM_H

#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/table.h"
#include "lib/change/value.h"

/* How a target type takes a value: FORM_TEXT, or in its binary form whenever the value's kind allows that. */
enum pg_form {
	FORM_TEXT,
	FORM_STRING, /* text, varchar, char: the bytes themselves */
	FORM_BYTEA,
	FORM_BOOL,
	FORM_INT2,
	FORM_INT4,
	FORM_INT8,
	FORM_FLOAT4,
	FORM_FLOAT8,
	FORM_DATE,      /* int32, days since 2000-01-01 */
	FORM_TIME,      /* int64, us */
	FORM_TIMESTAMP, /* int64, us since 2000-01-01; with or without time zone */
	FORM_UUID,
	/* of MySQL's and MariaDB's types */
	FORM_BITS,          /* bit, varbit: as text, one digit a bit */
	FORM_MEMBERS,       /* an array of a set's members, as text */
	FORM_EWKB,          /* PostGIS: extended WKB, as text in hexadecimal */
	FORM_FLOAT4_ARRAY,  /* of a vector */
	FORM_FLOAT8_ARRAY
};

/* One parameter as libpq wants it; the bytes stand in the buffer from `offset`, with a NUL behind them. */
struct pg_param {
	size_t offset;
	int len;    /* -1: NULL */
	int format; /* 0 text, 1 binary */
};

/*
 * Appends a parameter. VALUE_NULL becomes NULL; VALUE_UNCHANGED is the caller's mistake (ERROR_BUG). Errors as
 * sink_text(), and for what a value of the source can be and one of this target type cannot: a date of zeros, a MySQL TIME
 * that is no time of day, a tinyint that is no boolean.
 */
int pg_param(const struct column *column, enum pg_form form, const struct value *val, struct buf *out,
	struct pg_param *ret, struct error *err);

/* Appends a quoted identifier; quotes inside are doubled. */
void pg_identifier(struct buf *out, const char *name);

#endif
