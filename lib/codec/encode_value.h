/*
 * encode_value.h: one column's value -> Avro, by a plan made from the column's shape. Inner part of the encoder.
 *
 * Two steps, so that the writing needs no check of room: encode_value_bound() measures, encode_value() writes.
 */
#ifndef TAILRACE_CODEC_ENCODE_VALUE_H
#define TAILRACE_CODEC_ENCODE_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/change/table.h"
#include "lib/change/value.h"

struct column_plan {
	enum column_type type;
	enum column_type element_type;
	bool milli;    /* of TIME, TIMESTAMP (or the array's items): Avro carries milliseconds */
	bool in_key;   /* part of a Key record: no `exact` beside it */
	bool empty_label; /* of ENUM: one of its labels is "" */
	int precision; /* as Avro has it; 0: VariableScaleDecimal */
	int scale;
	int bits;      /* of BITS */
	int fraction;
};

void encode_value_plan(const struct column *col, bool in_key, struct column_plan *ret_plan);

/* The most bytes that encode_value() needs for it. */
size_t encode_value_bound(const struct column_plan *plan, const struct value *val);

/*
 * Writes a value that is neither NULL nor UNCHANGED (nor, outside of a key, EXACT), without a union's branch.
 * Returns the place behind it, or NULL and the reason, which reads on after "column ... ": the value does not fit
 * the column's type.
 */
unsigned char *encode_value(const struct column_plan *plan, const struct value *val, unsigned char *at,
	const char **ret_reason);

#endif
