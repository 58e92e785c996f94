/*
 * value.h: one column's value on its way from a log to a target.
 *
 * The model lies between the sources and the targets: a source's decoder makes values, the codec writes them as Avro
 * and reads them back, a sink writes them to its target. What a column's type (table.h) cannot hold (NaN in a numeric, an
 * infinite date, an array with two dimensions) is a VALUE_EXACT: the text in which the source itself writes that value.
 * So nothing is rounded, clamped or turned into NULL on the way.
 *
 * Text, bytes and arrays are borrowed: from the received message or from the arena of the piece of work.
 */
#ifndef TAILRACE_CHANGE_VALUE_H
#define TAILRACE_CHANGE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_kind {
	VALUE_NULL = 0,
	VALUE_UNCHANGED, /* the log does not carry it (PostgreSQL's unchanged TOAST): the target keeps what it has */
	VALUE_BOOL,      /* b */
	VALUE_INT,       /* i: every signed integer type, COLUMN_DATE (days since 1970-01-01), COLUMN_TIME (us since midnight),
	                    COLUMN_TIMESTAMP and COLUMN_TIMESTAMPTZ (us since 1970-01-01 00:00, the latter in UTC),
	                    COLUMN_YEAR, COLUMN_DURATION (us, signed) */
	VALUE_UINT,      /* u: an unsigned 64-bit integer, COLUMN_BITS */
	VALUE_FLOAT,     /* f: both float types */
	VALUE_TEXT,      /* text: UTF-8; also COLUMN_DECIMAL as plain digits ("-12.340"), COLUMN_UUID in its 36 characters, COLUMN_SET */
	VALUE_BYTES,     /* text: raw bytes; also COLUMN_GEOMETRY, COLUMN_VECTOR */
	VALUE_ARRAY,     /* array: one dimension, lower bound 1 */
	VALUE_EXACT      /* text: as the source writes it, because the column's type cannot hold it */
};

struct value {
	enum value_kind kind;
	union {
		bool b;
		int64_t i;
		uint64_t u;
		double f;
		struct {
			const char *ptr;
			size_t len;
		} text;
		struct {
			const struct value *items;
			size_t count;
		} array;
	};
};

/* Same kind and same content. Floats are compared by their bits. */
bool value_equal(const struct value *a, const struct value *b);

#endif
