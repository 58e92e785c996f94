/*
 * decode_plan.h: the writer's schema -> what to do with each byte. Inner part of the decoder.
 *
 * A plan is made once per schema id and kept as long as the decoder. It also rebuilds the table's shape: from
 * connect.parameters that the encoder wrote (schema.h), else from Debezium's names, else from Avro's logical types.
 */
#ifndef TAILRACE_CODEC_DECODE_PLAN_H
#define TAILRACE_CODEC_DECODE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/change/table.h"
#include "lib/codec/decode_value.h"

/* A record of columns: Value or Key. */
struct row_plan {
	size_t count;
	struct column *columns; /* shapes, in the record's order */
	const char **fields;    /* Avro names */
	size_t *field_lens;
	struct column_reader *readers;
	bool has_duration; /* a READ_DURATION is among them */
};

/* A record of known names: field i of the record goes to targets[i], -1 to skip it. */
struct record_plan {
	const struct avro_type *type;
	int *targets;
};

enum envelope_field {
	ENVELOPE_BEFORE,
	ENVELOPE_AFTER,
	ENVELOPE_SOURCE,
	ENVELOPE_TRANSACTION,
	ENVELOPE_OP,
	ENVELOPE_UNCHANGED,
	ENVELOPE_EXACT,
	ENVELOPE_FIELD_COUNT
};

enum source_field {
	SOURCE_TS_MS,
	SOURCE_TS_US,
	SOURCE_DB,
	SOURCE_SCHEMA,
	SOURCE_TABLE,
	SOURCE_LSN,
	SOURCE_POS, /* MySQL, MariaDB: these three instead */
	SOURCE_FILE,
	SOURCE_ROW,
	SOURCE_FIELD_COUNT
};

enum block_field { BLOCK_ID, BLOCK_TOTAL_ORDER, BLOCK_DATA_COLLECTION_ORDER, BLOCK_FIELD_COUNT };

struct envelope_plan {
	struct record_plan envelope;
	struct row_plan row;
	struct record_plan source;
	struct record_plan block; /* type NULL: no transaction block */
	int before_null, after_null, block_null; /* index of the null branch, -1: no union */
	bool ours; /* the writer said the identity; else that and the key are guessed */
	bool binlog; /* the source's fields are those of MySQL's and MariaDB's connectors */
	enum table_identity identity;
};

/* Which names[] (count of them) the record's fields have. */
int record_plan_build(const struct avro_type *record, const char *const *names, size_t count, struct arena *arena,
	struct record_plan *ret_plan, struct error *err);

/* key: the record is a Key. ERROR_DATA naming the column whose type is not known. */
int row_plan_build(const struct avro_type *record, bool key, struct arena *arena, struct row_plan *ret_plan,
	struct error *err);

/* ERROR_DATA if the schema is not an Envelope. */
int envelope_plan_build(const struct avro_type *type, struct arena *arena, struct envelope_plan *ret_plan,
	struct error *err);

#endif
