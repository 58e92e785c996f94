/*
 * schema.c: see schema.h.
 *
 * A column's type is always written as an object, in one order of keys:
 *
 *   {"type":T, "connect.type":..., "scale":n, "precision":n, "connect.version":1, "connect.parameters":{...},
 *    "connect.name":..., "logicalType":...}
 *
 * What the decoder needs to rebuild the column and the Avro type does not tell stands in connect.parameters, where
 * Debezium puts its own hints and Kafka Connect hands them to the reader. Only for VariableScaleDecimal and Geometry,
 * named records that are written out once, they stand at the field.
 *
 * logicalType: decimal, time-micros, timestamp-micros, uuid stand beside connect.name. date, time-millis and
 * timestamp-millis do not: Kafka Connect's AvroConverter takes these three for its own Date, Time and Timestamp,
 * finds another connect.name and refuses the schema ("Mismatched names").
 */
#include "lib/codec/schema.h"

#include <string.h>

#include "lib/codec/names.h"

#define CONNECTOR_COMMON "io.debezium.connector.common"

/* ---- records that do not depend on a table ---- */

#define OPTIONAL(name, type) "{\"name\":\"" name "\",\"type\":[\"null\",\"" type "\"],\"default\":null}"
#define REQUIRED(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"
#define RECORD(name, ns) "{\"type\":\"record\",\"name\":\"" name "\",\"namespace\":\"" ns "\",\"fields\":["
#define RECORD_END(version, name) "],\"connect.version\":" version ",\"connect.name\":\"" name "\"}"

/* What all connectors say, then what those of each family say. */
#define SOURCE_COMMON(connector) RECORD("Source", "io.debezium.connector." connector)                              \
	REQUIRED("version", "string") "," REQUIRED("connector", "string") "," REQUIRED("name", "string") ","          \
	REQUIRED("ts_ms", "long") ","                                                                                 \
	"{\"name\":\"snapshot\",\"type\":[{\"type\":\"string\",\"connect.version\":1,\"connect.parameters\":{\"allowed\":" \
	"\"true,first,first_in_data_collection,last_in_data_collection,last,false,incremental\"},"                    \
	"\"connect.default\":\"false\",\"connect.name\":\"io.debezium.data.Enum\"},\"null\"],\"default\":\"false\"},"       \
	REQUIRED("db", "string") "," OPTIONAL("sequence", "string") "," OPTIONAL("ts_us", "long") ","                 \
	OPTIONAL("ts_ns", "long") ","
#define SOURCE_BINLOG(connector) SOURCE_COMMON(connector)                                                          \
	OPTIONAL("table", "string") "," REQUIRED("server_id", "long") "," OPTIONAL("gtid", "string") ","              \
	REQUIRED("file", "string") "," REQUIRED("pos", "long") "," REQUIRED("row", "int") ","                         \
	OPTIONAL("thread", "long") "," OPTIONAL("query", "string")                                                    \
	RECORD_END("1", "io.debezium.connector." connector ".Source")

static const char *const source_records[] = {
	[SCHEMA_SOURCE_POSTGRESQL] = SOURCE_COMMON("postgresql")
		REQUIRED("schema", "string") "," REQUIRED("table", "string") "," OPTIONAL("txId", "long") ","
		OPTIONAL("lsn", "long") "," OPTIONAL("xmin", "long") "," OPTIONAL("origin", "string") ","
		OPTIONAL("origin_lsn", "long") RECORD_END("1", "io.debezium.connector.postgresql.Source"),
	[SCHEMA_SOURCE_MYSQL] = SOURCE_BINLOG("mysql"),
	[SCHEMA_SOURCE_MARIADB] = SOURCE_BINLOG("mariadb"),
};

static const char block_record[] = RECORD("block", "event") REQUIRED("id", "string") "," REQUIRED("total_order", "long") ","
	REQUIRED("data_collection_order", "long") RECORD_END("1", "event.block");

static const struct {
	const char *file;
	const char *text;
} fixed[SCHEMA_FIXED_COUNT] = {
	[SCHEMA_TRANSACTION_KEY] = { "transaction-key.avsc",
		RECORD("TransactionMetadataKey", CONNECTOR_COMMON) REQUIRED("id", "string")
			RECORD_END("1", CONNECTOR_COMMON ".TransactionMetadataKey") },
	[SCHEMA_TRANSACTION_VALUE] = { "transaction-value.avsc",
		RECORD("TransactionMetadataValue", CONNECTOR_COMMON) REQUIRED("status", "string") "," REQUIRED("id", "string") ","
			OPTIONAL("event_count", "long") ","
			"{\"name\":\"data_collections\",\"type\":[\"null\",{\"type\":\"array\",\"items\":"
			RECORD("collection", "event") REQUIRED("data_collection", "string") "," REQUIRED("event_count", "long")
			RECORD_END("1", "event.collection") "}],\"default\":null},"
			REQUIRED("ts_ms", "long") "," OPTIONAL("previous", "string") "," OPTIONAL("log", "string") ","
			OPTIONAL("epoch", "long") "," OPTIONAL("ts_us", "long")
			RECORD_END("1", CONNECTOR_COMMON ".TransactionMetadataValue") },
	[SCHEMA_HEARTBEAT_KEY] = { "heartbeat-key.avsc",
		RECORD("ServerNameKey", CONNECTOR_COMMON) REQUIRED("serverName", "string")
			RECORD_END("1", CONNECTOR_COMMON ".ServerNameKey") },
	[SCHEMA_HEARTBEAT_VALUE] = { "heartbeat-value.avsc",
		RECORD("Heartbeat", CONNECTOR_COMMON) REQUIRED("ts_ms", "long") "," OPTIONAL("ts_us", "long") ","
			OPTIONAL("lsn", "long") RECORD_END("1", CONNECTOR_COMMON ".Heartbeat") },
	[SCHEMA_POSITION_KEY] = { "position-key.avsc",
		RECORD("PositionKey", "tailrace") REQUIRED("prefix", "string") RECORD_END("1", "tailrace.PositionKey") },
	[SCHEMA_POSITION_VALUE] = { "position-value.avsc",
		RECORD("Position", "tailrace") REQUIRED("log", "string") "," REQUIRED("transaction_id", "string") ","
			REQUIRED("commit", "long") "," REQUIRED("confirmed", "long") "," REQUIRED("epoch", "long") ","
			REQUIRED("wall_us", "long") "," OPTIONAL("resume", "string")
			RECORD_END("1", "tailrace.Position") },
};

const char *schema_fixed(enum schema_fixed which)
{
	return fixed[which].text;
}

const char *schema_fixed_file(enum schema_fixed which)
{
	return fixed[which].file;
}

/* ---- one column ---- */

/* How a column type looks in Avro. avro NULL: a record or array, written by its own function. */
struct form {
	const char *avro;
	const char *connect_type;
	const char *connect_name;
	const char *logical;
	bool named; /* the decoder must be told the column type */
};

static struct form column_form(const struct column *col, enum column_type type, bool exact_text)
{
	bool milli = schema_is_milli(col->fraction);

	switch (type) {
	case COLUMN_BOOL:
		return (struct form){ .avro = "boolean" };
	case COLUMN_INT16:
		return (struct form){ .avro = "int", .connect_type = "int16" };
	case COLUMN_INT32:
		return (struct form){ .avro = "int" };
	case COLUMN_INT64:
		return (struct form){ .avro = "long" };
	case COLUMN_FLOAT32:
		return (struct form){ .avro = "float" };
	case COLUMN_FLOAT64:
		return (struct form){ .avro = "double" };
	case COLUMN_UINT64:
	case COLUMN_DECIMAL:
		return (struct form){ "bytes", NULL, "org.apache.kafka.connect.data.Decimal", "decimal", type == COLUMN_UINT64 };
	case COLUMN_STRING:
		return (struct form){ .avro = "string" };
	case COLUMN_BYTES:
		return (struct form){ .avro = "bytes" };
	case COLUMN_JSON:
		return (struct form){ .avro = "string", .connect_name = "io.debezium.data.Json" };
	case COLUMN_XML:
		return (struct form){ .avro = "string", .connect_name = "io.debezium.data.Xml" };
	case COLUMN_UUID:
		return (struct form){ "string", NULL, "io.debezium.data.Uuid", "uuid", false };
	case COLUMN_ENUM:
		return (struct form){ .avro = "string", .connect_name = "io.debezium.data.Enum" };
	case COLUMN_DATE:
		return (struct form){ .avro = "int", .connect_name = "io.debezium.time.Date" };
	case COLUMN_TIME:
		return milli ? (struct form){ .avro = "int", .connect_name = "io.debezium.time.Time" } :
			       (struct form){ "long", NULL, "io.debezium.time.MicroTime", "time-micros", false };
	case COLUMN_TIMETZ:
		return (struct form){ .avro = "string", .connect_name = "io.debezium.time.ZonedTime" };
	case COLUMN_TIMESTAMP:
		return milli ? (struct form){ .avro = "long", .connect_name = "io.debezium.time.Timestamp" } :
			       (struct form){ "long", NULL, "io.debezium.time.MicroTimestamp", "timestamp-micros", false };
	case COLUMN_TIMESTAMPTZ:
		return (struct form){ .avro = "string", .connect_name = "io.debezium.time.ZonedTimestamp" };
	case COLUMN_INTERVAL: /* a key and an array's item have no `exact` beside them */
		return exact_text ? (struct form){ .avro = "string", .named = true } :
				    (struct form){ .avro = "long", .connect_name = "io.debezium.time.MicroDuration" };
	case COLUMN_BITS: /* BIT(1) is a boolean for Debezium's readers */
		return col->precision == 1 ? (struct form){ .avro = "boolean", .named = true } :
					     (struct form){ .avro = "bytes", .connect_name = "io.debezium.data.Bits" };
	case COLUMN_YEAR:
		return (struct form){ .avro = "int", .connect_name = "io.debezium.time.Year" };
	case COLUMN_SET:
		return (struct form){ .avro = "string", .connect_name = "io.debezium.data.EnumSet" };
	case COLUMN_DURATION: /* no time-micros: that ends at midnight */
		return (struct form){ .avro = "long", .connect_name = "io.debezium.time.MicroTime", .named = true };
	case COLUMN_VECTOR:
		return (struct form){ .avro = "array", .connect_name = "io.debezium.data.FloatVector" };
	case COLUMN_GEOMETRY:
	case COLUMN_ARRAY:
		break;
	}
	return (struct form){ .avro = NULL };
}

void schema_decimal(int precision, int scale, int *ret_precision, int *ret_scale)
{
	*ret_precision = scale < 0 ? precision - scale : scale > precision ? scale : precision;
	*ret_scale = scale < 0 ? 0 : scale;
}

int schema_default_fraction(enum column_type type, bool milli)
{
	switch (type) {
	case COLUMN_TIME:
	case COLUMN_TIMESTAMP:
		return milli ? 3 : 6;
	case COLUMN_TIMETZ:
	case COLUMN_TIMESTAMPTZ:
	case COLUMN_INTERVAL:
	case COLUMN_DURATION:
		return 6;
	default:
		return 0;
	}
}

/* One connect.parameters object; *count is the number of entries so far, the object opens with the first. */
static void put_parameter(struct buf *out, int *count, const char *name, const char *value)
{
	buf_append_str(out, (*count)++ == 0 ? ",\"connect.parameters\":{" : ",");
	buf_json_string(out, name, strlen(name));
	buf_append_byte(out, ':');
	buf_json_string(out, value, strlen(value));
}

static void put_parameter_int(struct buf *out, int *count, const char *name, int value)
{
	buf_append_str(out, (*count)++ == 0 ? ",\"connect.parameters\":{" : ",");
	buf_printf(out, "\"%s\":\"%d\"", name, value);
}

static void put_labels(struct buf *out, int *count, const struct column *col)
{
	struct buf text;
	bool ambiguous = false;

	buf_init(&text, SCHEMA_TEXT_MAX);
	for (size_t i = 0; i < col->label_count; i++) {
		if (i > 0)
			buf_append_byte(&text, ',');
		buf_append_str(&text, col->labels[i]);
		ambiguous = ambiguous || strchr(col->labels[i], ',') != NULL || *col->labels[i] == '\0';
	}
	put_parameter(out, count, "allowed", buf_cstr(&text));
	if (ambiguous) {
		buf_reset(&text);
		for (size_t i = 0; i < col->label_count; i++) {
			buf_append_byte(&text, i == 0 ? '[' : ',');
			buf_json_string(&text, col->labels[i], strlen(col->labels[i]));
		}
		buf_append_byte(&text, ']');
		put_parameter(out, count, SCHEMA_PARAMETER_LABELS, buf_cstr(&text));
	}
	out->failed = out->failed || text.failed;
	buf_release(&text);
}

/* What belongs to the value's type, in a column or in an array's item. */
static void put_type_parameters(struct buf *out, int *count, const struct column *col, enum column_type type, bool named)
{
	bool milli = schema_is_milli(col->fraction);
	int precision, scale;

	if (type == COLUMN_DECIMAL && col->precision > 0) {
		schema_decimal(col->precision, col->scale, &precision, &scale);
		put_parameter_int(out, count, "scale", scale);
		put_parameter_int(out, count, "connect.decimal.precision", precision);
		if (precision != col->precision)
			put_parameter_int(out, count, SCHEMA_PARAMETER_PRECISION, col->precision);
		if (scale != col->scale)
			put_parameter_int(out, count, SCHEMA_PARAMETER_SCALE, col->scale);
	}
	if (type == COLUMN_UINT64) {
		put_parameter_int(out, count, "scale", 0);
		put_parameter_int(out, count, "connect.decimal.precision", 20);
	}
	if (type == COLUMN_BITS && col->precision > 1)
		put_parameter_int(out, count, SCHEMA_PARAMETER_LENGTH, col->precision);
	if (type == COLUMN_ENUM || type == COLUMN_SET)
		put_labels(out, count, col);
	if (named)
		put_parameter(out, count, SCHEMA_PARAMETER_TYPE, column_type_name(type));
	if (schema_default_fraction(type, milli) != 0 && col->fraction != schema_default_fraction(type, milli))
		put_parameter_int(out, count, SCHEMA_PARAMETER_FRACTION, col->fraction);
}

/* What belongs to the column itself. field: its Avro name. */
static void put_column_parameters(struct buf *out, int *count, const struct column *col, const char *field, bool mark_key)
{
	if (col->source_type != NULL && *col->source_type != '\0')
		put_parameter(out, count, SCHEMA_PARAMETER_SOURCE_TYPE, col->source_type);
	if (strcmp(col->name, field) != 0)
		put_parameter(out, count, SCHEMA_PARAMETER_SOURCE_NAME, col->name);
	if (mark_key && col->key)
		put_parameter(out, count, SCHEMA_PARAMETER_KEY, "true");
}

/* Named records: written out where they are met first, then by their name. */
enum named_record { NAMED_NONE, NAMED_VARIABLE_DECIMAL, NAMED_GEOMETRY, NAMED_COUNT };

static const struct {
	const char *name;
	const char *text;
} named_records[NAMED_COUNT] = {
	[NAMED_VARIABLE_DECIMAL] = { "io.debezium.data.VariableScaleDecimal",
		RECORD("VariableScaleDecimal", "io.debezium.data") REQUIRED("scale", "int") "," REQUIRED("value", "bytes")
		"],\"connect.doc\":\"Variable scaled decimal\",\"connect.version\":1,"
		"\"connect.name\":\"io.debezium.data.VariableScaleDecimal\"}" },
	[NAMED_GEOMETRY] = { "io.debezium.data.geometry.Geometry",
		RECORD("Geometry", "io.debezium.data.geometry") REQUIRED("wkb", "bytes") "," OPTIONAL("srid", "int")
		"],\"connect.doc\":\"Geometry\",\"connect.version\":1,"
		"\"connect.name\":\"io.debezium.data.geometry.Geometry\"}" },
};

static enum named_record named_record(const struct column *col, enum column_type type)
{
	if (type == COLUMN_GEOMETRY)
		return NAMED_GEOMETRY;
	return type == COLUMN_DECIMAL && col->precision == 0 ? NAMED_VARIABLE_DECIMAL : NAMED_NONE;
}

struct schema_writer {
	struct buf *out;
	bool key;                  /* of Key: nothing is nullable, nothing is marked */
	bool written[NAMED_COUNT]; /* it stands in full already */
};

static void put_named(struct schema_writer *writer, enum named_record which)
{
	if (writer->written[which])
		buf_printf(writer->out, "\"%s\"", named_records[which].name);
	else
		buf_append_str(writer->out, named_records[which].text);
	writer->written[which] = true;
}

/* A type that is neither a named record nor an array. col_field NULL: an array's item. */
static void put_scalar(struct schema_writer *writer, const struct column *col, enum column_type type,
	const char *col_field)
{
	struct form form = column_form(col, type, writer->key || col_field == NULL);
	struct buf *out = writer->out;
	int precision = 20, scale = 0, count = 0;

	buf_printf(out, "{\"type\":\"%s\"", form.avro);
	if (type == COLUMN_VECTOR)
		buf_append_str(out, ",\"items\":\"float\"");
	if (form.connect_type != NULL)
		buf_printf(out, ",\"connect.type\":\"%s\"", form.connect_type);
	if (type == COLUMN_DECIMAL)
		schema_decimal(col->precision, col->scale, &precision, &scale);
	if (type == COLUMN_DECIMAL || type == COLUMN_UINT64)
		buf_printf(out, ",\"scale\":%d,\"precision\":%d", scale, precision);
	if (form.connect_name != NULL)
		buf_append_str(out, ",\"connect.version\":1");
	put_type_parameters(out, &count, col, type, form.named);
	if (col_field != NULL)
		put_column_parameters(out, &count, col, col_field, !writer->key);
	if (count > 0)
		buf_append_byte(out, '}');
	if (form.connect_name != NULL)
		buf_printf(out, ",\"connect.name\":\"%s\"", form.connect_name);
	if (form.logical != NULL)
		buf_printf(out, ",\"logicalType\":\"%s\"", form.logical);
	buf_append_byte(out, '}');
}

static void put_array(struct schema_writer *writer, const struct column *col, const char *field)
{
	struct buf *out = writer->out;
	int count = 0;

	buf_append_str(out, "{\"type\":\"array\",\"items\":[\"null\",");
	if (named_record(col, col->element_type) != NAMED_NONE)
		put_named(writer, named_record(col, col->element_type));
	else
		put_scalar(writer, col, col->element_type, NULL);
	buf_append_byte(out, ']');
	put_column_parameters(out, &count, col, field, !writer->key);
	buf_append_str(out, count > 0 ? "}}" : "}");
}

static void put_field(struct schema_writer *writer, const struct column *col, const char *field)
{
	enum named_record named = named_record(col, col->type);
	struct buf *out = writer->out;
	int count = 0;

	buf_printf(out, "{\"name\":\"%s\",\"type\":%s", field, writer->key ? "" : "[\"null\",");
	if (col->type == COLUMN_ARRAY)
		put_array(writer, col, field);
	else if (named != NAMED_NONE)
		put_named(writer, named);
	else
		put_scalar(writer, col, col->type, field);
	if (!writer->key)
		buf_append_str(out, "],\"default\":null");
	if (named != NAMED_NONE) {
		put_column_parameters(out, &count, col, field, !writer->key);
		if (count > 0)
			buf_append_byte(out, '}');
	}
	buf_append_byte(out, '}');
}

static int check_column(const struct table *table, const struct column *col, struct error *err)
{
	enum column_type type = col->type == COLUMN_ARRAY ? col->element_type : col->type;
	bool sound = named_record(col, type) != NAMED_NONE || column_form(col, type, false).avro != NULL;

	if (type == COLUMN_BITS)
		sound = col->precision >= 1 && col->precision <= 64;
	if (col->type == COLUMN_ARRAY && type >= COLUMN_ARRAY) /* no source has such arrays */
		sound = false;
	if (!sound || col->precision < 0 || col->fraction < 0 || col->fraction > 6)
		return error_set(err, ERROR_BUG, "column \"%s\" of table %s.%s has an impossible shape", col->name, table->schema,
			table->name);
	return 0;
}

/* ---- records of a table ---- */

static const char *identity_name(enum table_identity identity)
{
	return identity == IDENTITY_KEY ? "key" : identity == IDENTITY_FULL ? "full" : "nothing";
}

int schema_envelope(struct buf *out, const char *topic, enum schema_source source, const struct table *table,
	char *const *fields, struct error *err)
{
	struct schema_writer writer = { .out = out };
	struct buf ns;

	buf_init(&ns, SCHEMA_TEXT_MAX);
	names_append_namespace(&ns, topic);
	buf_printf(out,
		"{\"type\":\"record\",\"name\":\"Envelope\",\"namespace\":\"%s\",\"fields\":["
		"{\"name\":\"before\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"Value\",\"fields\":[",
		buf_cstr(&ns));
	for (size_t i = 0; i < table->column_count; i++) {
		if (check_column(table, &table->columns[i], err) < 0) {
			buf_release(&ns);
			return -1;
		}
		if (i > 0)
			buf_append_byte(out, ',');
		put_field(&writer, &table->columns[i], fields[i]);
	}
	buf_printf(out, "],\"connect.name\":\"%s.Value\"}],\"default\":null},", buf_cstr(&ns));
	buf_append_str(out, "{\"name\":\"after\",\"type\":[\"null\",\"Value\"],\"default\":null},{\"name\":\"source\",\"type\":");
	buf_append_str(out, source_records[source]);
	buf_append_str(out, "},{\"name\":\"transaction\",\"type\":[\"null\",");
	buf_append_str(out, block_record);
	buf_append_str(out, "],\"default\":null}," REQUIRED("op", "string") "," OPTIONAL("ts_ms", "long") ","
		OPTIONAL("ts_us", "long") "," OPTIONAL("ts_ns", "long") ","
		"{\"name\":\"unchanged\",\"type\":[\"null\",{\"type\":\"array\",\"items\":\"string\"}],\"default\":null},"
		"{\"name\":\"exact\",\"type\":[\"null\",{\"type\":\"map\",\"values\":\"string\"}],\"default\":null}");
	buf_printf(out, "],\"" SCHEMA_ATTRIBUTE_IDENTITY "\":\"%s\",\"connect.version\":2,\"connect.name\":\"%s.Envelope\"}",
		identity_name(table->identity), buf_cstr(&ns));
	out->failed = out->failed || ns.failed;
	buf_release(&ns);
	return buf_check(out, "the schema of a table", err);
}

int schema_key(struct buf *out, const char *topic, const struct table *table, char *const *fields, struct error *err)
{
	struct schema_writer writer = { .out = out, .key = true };
	struct buf ns;

	buf_init(&ns, SCHEMA_TEXT_MAX);
	names_append_namespace(&ns, topic);
	buf_printf(out, "{\"type\":\"record\",\"name\":\"Key\",\"namespace\":\"%s\",\"fields\":[", buf_cstr(&ns));
	for (size_t i = 0; i < table->key_count; i++) {
		size_t column = table->key[i];

		if (check_column(table, &table->columns[column], err) < 0) {
			buf_release(&ns);
			return -1;
		}
		if (i > 0)
			buf_append_byte(out, ',');
		put_field(&writer, &table->columns[column], fields[column]);
	}
	buf_printf(out, "],\"connect.name\":\"%s.Key\"}", buf_cstr(&ns));
	out->failed = out->failed || ns.failed;
	buf_release(&ns);
	return buf_check(out, "the key schema of a table", err);
}
