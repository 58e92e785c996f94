/*
 * decode_value.h: Avro -> one column's value, by a plan made from the writer's schema. Inner part of the decoder.
 */
#ifndef TAILRACE_CODEC_DECODE_VALUE_H
#define TAILRACE_CODEC_DECODE_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/change/value.h"
#include "lib/codec/avro_type.h"

enum read_op {
	READ_BOOL,
	READ_INT16,
	READ_INT32,
	READ_INT64,
	READ_DATE,
	READ_MILLI_INT,  /* milliseconds in an int: TIME */
	READ_MILLI,      /* milliseconds in a long: TIMESTAMP */
	READ_MICRO,      /* microseconds: TIME, TIMESTAMP */
	READ_FLOAT,
	READ_DOUBLE,
	READ_TEXT,
	READ_BYTES,
	READ_FIXED,
	READ_ENUM,
	READ_DECIMAL,
	READ_DECIMAL_FIXED,
	READ_DECIMAL_VARIABLE, /* {scale int, value bytes} */
	READ_UINT64,           /* of a decimal(20,0) */
	READ_INSTANT,          /* ISO 8601 text */
	READ_TIMETZ,
	READ_BITS,     /* bytes, the lowest first */
	READ_BIT,      /* a boolean that is a BIT(1) */
	READ_GEOMETRY, /* {wkb bytes, srid ?int} */
	READ_VECTOR,   /* array of float */
	READ_DURATION, /* microseconds, only approximate: VALUE_INT until the event's `exact` was looked at */
	READ_ARRAY
};

struct column_reader {
	enum read_op op;
	signed char null_branch;  /* of a union of null and the type; -1: no union */
	bool in_key;              /* of a Key record: may carry what its type does not hold, see encode_value.c */
	bool empty_is_exact;      /* of an enum in a key: "" is none of its labels */
	int scale;                /* READ_DECIMAL, READ_DECIMAL_FIXED */
	int fraction;             /* of a time in a key */
	const struct avro_type *type;        /* READ_FIXED, READ_ENUM: without union */
	const struct column_reader *element; /* READ_ARRAY */
};

/* Reasons why decode_value() fails; texts for an error message, compared by address. */
extern const char decode_malformed[];
extern const char decode_no_memory[];

/*
 * Reads one value; text and bytes stay in the message, other things go to the arena. false: *ret_reason, read on
 * after "column ...".
 */
bool decode_value(struct avro_reader *in, const struct column_reader *reader, struct arena *arena,
	struct value *ret_value, const char **ret_reason);

#endif
