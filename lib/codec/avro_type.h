/*
 * avro_type.h: an Avro schema's text as a graph of types, for reading what its writer wrote.
 *
 * Schemas come from a registry and may be foreign or hostile: depth, size and names are checked. Names refer to
 * types, so the graph may have circles; reading goes by the data and counts its depth.
 */
#ifndef TAILRACE_CODEC_AVRO_TYPE_H
#define TAILRACE_CODEC_AVRO_TYPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/codec/avro.h"

enum avro_kind {
	KIND_NULL,
	KIND_BOOLEAN,
	KIND_INT,
	KIND_LONG,
	KIND_FLOAT,
	KIND_DOUBLE,
	KIND_BYTES,
	KIND_STRING,
	KIND_FIXED,
	KIND_ENUM,
	KIND_ARRAY,
	KIND_MAP,
	KIND_UNION,
	KIND_RECORD
};

struct avro_type {
	enum avro_kind kind;
	bool empty;   /* its values take no byte */
	size_t count; /* of fields, branches or symbols; of a fixed, its bytes */
	const struct avro_type **members; /* types of fields or branches; [0]: of an array's items or a map's values */
	const char **names;               /* of fields, or symbols */
	const char *name;                 /* full name of a record, enum or fixed, or NULL */
	/*
	 * Attributes. They belong to the struct json_t that avro_type_parse() gave: not to be touched once that is
	 * released.
	 */
	const json_t *json;         /* NULL where the type is written as a plain name */
	const json_t **fields_json; /* of a record */
};

/*
 * The graph is made in the arena. ret_json: for the attributes, json_decref() it when they are read. ERROR_DATA for
 * a text that is no schema.
 */
int avro_type_parse(const char *text, struct arena *arena, json_t **ret_json, const struct avro_type **ret_type,
	struct error *err);

/* Moves behind one value of the type; false if the bytes are not that. */
bool avro_type_skip(struct avro_reader *in, const struct avro_type *type);

/* The index of the record's field of that name, or -1. */
long avro_type_field(const struct avro_type *record, const char *name);

/* An attribute's text or number, or the value given. */
const char *avro_type_text(const json_t *json, const char *key, const char *otherwise);
long avro_type_number(const json_t *json, const char *key, long otherwise);

/* A value that is NULL or of a simple type, read through unions. text borrows from the message. */
enum scalar_kind { SCALAR_NULL, SCALAR_NUMBER, SCALAR_TEXT, SCALAR_OTHER };
struct scalar {
	enum scalar_kind kind; /* SCALAR_OTHER: was skipped */
	int64_t number;        /* int, long, boolean */
	const char *text;      /* string, bytes, enum */
	size_t len;
};
bool avro_type_scalar(struct avro_reader *in, const struct avro_type *type, struct scalar *ret_scalar);

#endif
