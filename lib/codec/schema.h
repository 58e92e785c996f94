/*
 * schema.h: the text of the Avro schemas that we write. The same shape always gives the same text, byte for byte,
 * so that the registry finds it again. schemas/README.md is the contract for readers.
 *
 * avro-c and generic JSON printers are not used for it: the former drops logical types and defaults, the latter do
 * not promise an order.
 */
#ifndef TAILRACE_CODEC_SCHEMA_H
#define TAILRACE_CODEC_SCHEMA_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/table.h"

#define SCHEMA_TEXT_MAX ((size_t)4 << 20)

/* Names of connect.parameters and record attributes; the first two are Debezium's. */
#define SCHEMA_PARAMETER_SOURCE_TYPE "__debezium.source.column.type"
#define SCHEMA_PARAMETER_SOURCE_NAME "__debezium.source.column.name"
#define SCHEMA_PARAMETER_TYPE "tailrace.type"           /* where the Avro type does not tell: column_type_name() */
#define SCHEMA_PARAMETER_PRECISION "tailrace.precision" /* where Avro's decimal may not have the source's */
#define SCHEMA_PARAMETER_SCALE "tailrace.scale"
#define SCHEMA_PARAMETER_FRACTION "tailrace.fraction" /* digits of the second, where not the type's default */
#define SCHEMA_PARAMETER_LABELS "tailrace.labels"     /* a JSON array, where `allowed` would be ambiguous */
#define SCHEMA_PARAMETER_KEY "tailrace.key"           /* "true" */
#define SCHEMA_PARAMETER_LENGTH "length"              /* of io.debezium.data.Bits: number of bits (Debezium's) */
#define SCHEMA_ATTRIBUTE_IDENTITY "tailrace.identity" /* of Envelope: key, full, nothing */

enum schema_fixed {
	SCHEMA_TRANSACTION_KEY,
	SCHEMA_TRANSACTION_VALUE,
	SCHEMA_HEARTBEAT_KEY,
	SCHEMA_HEARTBEAT_VALUE,
	SCHEMA_POSITION_KEY,
	SCHEMA_POSITION_VALUE,
	SCHEMA_FIXED_COUNT
};

/* The text of a schema that does not depend on a table. */
const char *schema_fixed(enum schema_fixed which);
/* The file in schemas/ that shows it. */
const char *schema_fixed_file(enum schema_fixed which);

/* Which Source record the events of a connector carry. */
enum schema_source { SCHEMA_SOURCE_POSTGRESQL, SCHEMA_SOURCE_MYSQL, SCHEMA_SOURCE_MARIADB };

/*
 * fields: names_fields(). topic: becomes the namespace. Appends the text. ERROR_BUG for a shape that makes no
 * sense.
 */
int schema_envelope(struct buf *out, const char *topic, enum schema_source source, const struct table *table,
	char *const *fields, struct error *err);
int schema_key(struct buf *out, const char *topic, const struct table *table, char *const *fields, struct error *err);

/*
 * What Avro's decimal gets for a source's numeric(precision,scale), whose scale may be negative or beyond the
 * precision.
 */
void schema_decimal(int precision, int scale, int *ret_precision, int *ret_scale);

/* Times and timestamps with at most milliseconds have Debezium's millisecond types, as in its adaptive mode. */
static inline bool schema_is_milli(int fraction)
{
	return fraction <= 3;
}

/*
 * The fraction that a reader assumes unless SCHEMA_PARAMETER_FRACTION says otherwise; 0 for types that have none.
 */
int schema_default_fraction(enum column_type type, bool milli);

#endif
