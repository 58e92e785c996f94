/*
 * decode_plan.c: see decode_plan.h.
 */
#include "lib/codec/decode_plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/codec/decimal.h"
#include "lib/codec/schema.h"

/* ---- one column ---- */

struct column_builder {
	struct arena *arena;
	const json_t *field; /* attributes of the field */
	bool key;
	struct column *col;
	struct error *err;
};

static int out_of_memory(struct column_builder *builder)
{
	return arena_error(builder->arena, builder->err);
}

static int unsupported(struct column_builder *builder, const char *what)
{
	return error_set(builder->err, ERROR_DATA, "column \"%.200s\": %.200s is not a type that can be read",
		builder->col->name, what);
}

/* connect.parameters of the type, else of the field. */
static const char *parameter(const struct column_builder *builder, const struct avro_type *type, const char *name)
{
	const char *text = avro_type_text(json_object_get(type->json, "connect.parameters"), name, NULL);

	return text != NULL ? text : avro_type_text(json_object_get(builder->field, "connect.parameters"), name, NULL);
}

static int parameter_number(const struct column_builder *builder, const struct avro_type *type, const char *name,
	int otherwise)
{
	const char *text = parameter(builder, type, name);
	char *end;
	long number;

	if (text == NULL)
		return otherwise;
	number = strtol(text, &end, 10);
	return end == text || *end != '\0' || number < -DECIMAL_SCALE_MAX || number > DECIMAL_SCALE_MAX ? otherwise :
													 (int)number;
}

/* Splits "a,b" (the text is cut in place) or takes a JSON array's texts. */
static int set_labels(struct column_builder *builder, const struct avro_type *type)
{
	const char *array_text = parameter(builder, type, SCHEMA_PARAMETER_LABELS);
	const char *allowed = parameter(builder, type, "allowed");
	json_t *array = array_text == NULL ? NULL : json_loads(array_text, 0, NULL);
	size_t count = json_array_size(array);
	const char **labels = NULL;
	int rc = -1;

	if (count == 0 && allowed != NULL && *allowed != '\0') {
		count = 1;
		for (const char *at = allowed; *at != '\0'; at++)
			count += *at == ',';
	}
	if (count > 0) {
		labels = arena_alloc(builder->arena, count * sizeof *labels);
		if (labels == NULL)
			goto out;
	}
	for (size_t i = 0; i < count; i++) {
		size_t len = array == NULL ? strcspn(allowed, ",") : 0;
		const char *text = array == NULL ? allowed : json_string_value(json_array_get(array, i));

		if (text == NULL)
			text = "";
		labels[i] = arena_strndup(builder->arena, text, array == NULL ? len : strlen(text));
		if (labels[i] == NULL)
			goto out;
		if (array == NULL)
			allowed += len + 1;
	}
	builder->col->labels = labels;
	builder->col->label_count = count;
	rc = 0;
out:
	json_decref(array);
	return rc == 0 ? 0 : out_of_memory(builder);
}

struct type_match {
	const char *name; /* connect.name or logicalType */
	enum column_type type;
	enum read_op op;
	int fraction;
};

static const struct type_match *find_match(const struct type_match *matches, size_t count, const struct avro_type *type)
{
	const char *name = avro_type_text(type->json, "connect.name", NULL);
	const char *logical = avro_type_text(type->json, "logicalType", NULL);

	for (size_t i = 0; i < count; i++)
		if (name != NULL && strcmp(name, matches[i].name) == 0)
			return &matches[i];
	for (size_t i = 0; i < count && name == NULL && logical != NULL; i++)
		if (strcmp(logical, matches[i].name) == 0)
			return &matches[i];
	return NULL;
}

static int set_match(struct column_builder *builder, const struct type_match *matches, size_t count,
	const struct avro_type *type, struct type_match otherwise, struct column_reader *reader)
{
	const char *name = avro_type_text(type->json, "connect.name", NULL);
	const struct type_match *match = find_match(matches, count, type);

	if (match == NULL) {
		/* A number whose unit or meaning we do not know must not be taken for a plain one. */
		if (name != NULL && otherwise.type != COLUMN_STRING &&
			(strncmp(name, "io.debezium.", 12) == 0 || strncmp(name, "org.apache.kafka.connect.data.", 30) == 0))
			return unsupported(builder, name);
		match = &otherwise;
	}
	builder->col->type = match->type;
	builder->col->fraction = match->fraction;
	reader->op = match->op;
	return 0;
}

/* Did the encoder say that it is this type? */
static bool is_named(const struct column_builder *builder, const struct avro_type *type, enum column_type wanted)
{
	const char *named = parameter(builder, type, SCHEMA_PARAMETER_TYPE);

	return named != NULL && strcmp(named, column_type_name(wanted)) == 0;
}

static int plan_int(struct column_builder *builder, const struct avro_type *type, struct column_reader *reader)
{
	static const struct type_match matches[] = {
		{ "io.debezium.time.Date", COLUMN_DATE, READ_DATE, 0 },
		{ "org.apache.kafka.connect.data.Date", COLUMN_DATE, READ_DATE, 0 },
		{ "date", COLUMN_DATE, READ_DATE, 0 },
		{ "io.debezium.time.Time", COLUMN_TIME, READ_MILLI_INT, 3 },
		{ "org.apache.kafka.connect.data.Time", COLUMN_TIME, READ_MILLI_INT, 3 },
		{ "time-millis", COLUMN_TIME, READ_MILLI_INT, 3 },
		{ "io.debezium.time.Year", COLUMN_YEAR, READ_INT32, 0 },
	};
	const char *connect = avro_type_text(type->json, "connect.type", "");
	bool small = strcmp(connect, "int16") == 0 || strcmp(connect, "int8") == 0;
	struct type_match plain = { NULL, small ? COLUMN_INT16 : COLUMN_INT32, small ? READ_INT16 : READ_INT32, 0 };

	return set_match(builder, matches, sizeof matches / sizeof matches[0], type, plain, reader);
}

static int plan_long(struct column_builder *builder, const struct avro_type *type, struct column_reader *reader)
{
	static const struct type_match matches[] = {
		{ "io.debezium.time.MicroTimestamp", COLUMN_TIMESTAMP, READ_MICRO, 6 },
		{ "timestamp-micros", COLUMN_TIMESTAMP, READ_MICRO, 6 },
		{ "local-timestamp-micros", COLUMN_TIMESTAMP, READ_MICRO, 6 },
		{ "io.debezium.time.Timestamp", COLUMN_TIMESTAMP, READ_MILLI, 3 },
		{ "org.apache.kafka.connect.data.Timestamp", COLUMN_TIMESTAMP, READ_MILLI, 3 },
		{ "timestamp-millis", COLUMN_TIMESTAMP, READ_MILLI, 3 },
		{ "local-timestamp-millis", COLUMN_TIMESTAMP, READ_MILLI, 3 },
		{ "io.debezium.time.MicroTime", COLUMN_TIME, READ_MICRO, 6 },
		{ "time-micros", COLUMN_TIME, READ_MICRO, 6 },
		{ "io.debezium.time.MicroDuration", COLUMN_INTERVAL, READ_DURATION, 6 },
	};
	struct type_match plain = { NULL, COLUMN_INT64, READ_INT64, 0 };

	if (is_named(builder, type, COLUMN_DURATION)) {
		builder->col->type = COLUMN_DURATION;
		builder->col->fraction = 6;
		reader->op = READ_INT64;
		return 0;
	}
	return set_match(builder, matches, sizeof matches / sizeof matches[0], type, plain, reader);
}

static int plan_string(struct column_builder *builder, const struct avro_type *type, struct column_reader *reader)
{
	static const struct type_match matches[] = {
		{ "io.debezium.data.Json", COLUMN_JSON, READ_TEXT, 0 },
		{ "io.debezium.data.Xml", COLUMN_XML, READ_TEXT, 0 },
		{ "io.debezium.data.Uuid", COLUMN_UUID, READ_TEXT, 0 },
		{ "uuid", COLUMN_UUID, READ_TEXT, 0 },
		{ "io.debezium.data.Enum", COLUMN_ENUM, READ_TEXT, 0 },
		{ "io.debezium.data.EnumSet", COLUMN_SET, READ_TEXT, 0 },
		{ "io.debezium.time.ZonedTimestamp", COLUMN_TIMESTAMPTZ, READ_INSTANT, 6 },
		{ "io.debezium.time.ZonedTime", COLUMN_TIMETZ, READ_TIMETZ, 6 },
		{ "io.debezium.time.Interval", COLUMN_INTERVAL, READ_TEXT, 6 },
	};
	struct type_match plain = { NULL, COLUMN_STRING, READ_TEXT, 0 };
	enum column_type found;

	if (is_named(builder, type, COLUMN_INTERVAL))
		plain = (struct type_match){ NULL, COLUMN_INTERVAL, READ_TEXT, 6 };
	if (set_match(builder, matches, sizeof matches / sizeof matches[0], type, plain, reader) < 0)
		return -1;
	found = builder->col->type;
	if ((found == COLUMN_ENUM || found == COLUMN_SET) && set_labels(builder, type) < 0)
		return -1;
	reader->empty_is_exact = builder->key && found == COLUMN_ENUM;
	for (size_t i = 0; i < builder->col->label_count; i++)
		if (*builder->col->labels[i] == '\0')
			reader->empty_is_exact = false;
	return 0;
}

/* io.debezium.data.Bits, of at most 64. */
static int plan_bits(struct column_builder *builder, const struct avro_type *type, struct column_reader *reader)
{
	int length = parameter_number(builder, type, SCHEMA_PARAMETER_LENGTH, 0);

	if (length < 1 || length > 64)
		return unsupported(builder, "a string of other than 1 to 64 bits");
	builder->col->type = COLUMN_BITS;
	builder->col->precision = length;
	reader->op = READ_BITS;
	return 0;
}

/* bytes and fixed: a decimal or just bytes. */
static int plan_bytes(struct column_builder *builder, const struct avro_type *type, struct column_reader *reader)
{
	const char *name = avro_type_text(type->json, "connect.name", "");
	const char *logical = avro_type_text(type->json, "logicalType", "");
	struct column *col = builder->col;
	long precision, scale;

	reader->type = type;
	if (strcmp(logical, "decimal") != 0 && strcmp(name, "org.apache.kafka.connect.data.Decimal") != 0) {
		if (strcmp(name, "io.debezium.data.Bits") == 0 && type->kind == KIND_BYTES)
			return plan_bits(builder, type, reader);
		if (strncmp(name, "io.debezium.", 12) == 0)
			return unsupported(builder, name);
		col->type = COLUMN_BYTES;
		reader->op = type->kind == KIND_FIXED ? READ_FIXED : READ_BYTES;
		return 0;
	}
	scale = avro_type_number(type->json, "scale", parameter_number(builder, type, "scale", 0));
	precision = avro_type_number(type->json, "precision", parameter_number(builder, type, "connect.decimal.precision", 64));
	if (scale < -DECIMAL_SCALE_MAX || scale > DECIMAL_SCALE_MAX || precision < 1 || precision > INT_MAX)
		return unsupported(builder, "a decimal of that scale and precision");
	reader->scale = (int)scale;
	if (is_named(builder, type, COLUMN_UINT64) && type->kind == KIND_BYTES) {
		col->type = COLUMN_UINT64;
		reader->op = READ_UINT64;
		return 0;
	}
	col->type = COLUMN_DECIMAL;
	col->precision = parameter_number(builder, type, SCHEMA_PARAMETER_PRECISION, (int)precision);
	col->scale = parameter_number(builder, type, SCHEMA_PARAMETER_SCALE, (int)scale);
	reader->op = type->kind == KIND_FIXED ? READ_DECIMAL_FIXED : READ_DECIMAL;
	return 0;
}

/* {wkb bytes, srid ?int}; a newer Debezium's extensions behind it are not known here. */
static bool is_geometry(const struct avro_type *type)
{
	const struct avro_type *srid = type->count == 2 ? type->members[1] : NULL;

	return srid != NULL && strcmp(type->name, "io.debezium.data.geometry.Geometry") == 0 &&
		strcmp(type->names[0], "wkb") == 0 && type->members[0]->kind == KIND_BYTES && strcmp(type->names[1], "srid") == 0 &&
		srid->kind == KIND_UNION && srid->count == 2 && srid->members[0]->kind == KIND_NULL &&
		srid->members[1]->kind == KIND_INT;
}

static int plan_record(struct column_builder *builder, const struct avro_type *type, struct column_reader *reader)
{
	bool variable = type->count == 2 && strcmp(type->name, "io.debezium.data.VariableScaleDecimal") == 0 &&
		strcmp(type->names[0], "scale") == 0 && type->members[0]->kind == KIND_INT &&
		strcmp(type->names[1], "value") == 0 && type->members[1]->kind == KIND_BYTES;

	if (is_geometry(type)) {
		builder->col->type = COLUMN_GEOMETRY;
		reader->op = READ_GEOMETRY;
		return 0;
	}
	if (!variable)
		return unsupported(builder, type->name);
	builder->col->type = COLUMN_DECIMAL;
	reader->op = READ_DECIMAL_VARIABLE;
	return 0;
}

static int plan_enum(struct column_builder *builder, const struct avro_type *type, struct column_reader *reader)
{
	builder->col->type = COLUMN_ENUM;
	builder->col->labels = type->names;
	builder->col->label_count = type->count;
	reader->op = READ_ENUM;
	reader->type = type;
	return 0;
}

/* Sees through a union of null and one type. */
static int strip_union(struct column_builder *builder, const struct avro_type **io_type, struct column_reader *reader)
{
	const struct avro_type *type = *io_type;

	reader->null_branch = -1;
	if (type->kind != KIND_UNION)
		return 0;
	if (type->count != 2 || (type->members[0]->kind == KIND_NULL) == (type->members[1]->kind == KIND_NULL))
		return unsupported(builder, "a union of other than null and one type");
	reader->null_branch = type->members[0]->kind == KIND_NULL ? 0 : 1;
	*io_type = type->members[1 - reader->null_branch];
	return 0;
}

static int plan_scalar(struct column_builder *builder, const struct avro_type *type, struct column_reader *reader)
{
	static const char *const names[] = { "null", "", "", "", "", "", "", "", "", "", "array", "map", "union" };

	switch (type->kind) {
	case KIND_BOOLEAN:
		if (is_named(builder, type, COLUMN_BITS)) {
			builder->col->type = COLUMN_BITS;
			builder->col->precision = 1;
			reader->op = READ_BIT;
			return 0;
		}
		builder->col->type = COLUMN_BOOL;
		reader->op = READ_BOOL;
		return 0;
	case KIND_INT:
		return plan_int(builder, type, reader);
	case KIND_LONG:
		return plan_long(builder, type, reader);
	case KIND_FLOAT:
		builder->col->type = COLUMN_FLOAT32;
		reader->op = READ_FLOAT;
		return 0;
	case KIND_DOUBLE:
		builder->col->type = COLUMN_FLOAT64;
		reader->op = READ_DOUBLE;
		return 0;
	case KIND_STRING:
		return plan_string(builder, type, reader);
	case KIND_BYTES:
	case KIND_FIXED:
		return plan_bytes(builder, type, reader);
	case KIND_ENUM:
		return plan_enum(builder, type, reader);
	case KIND_RECORD:
		return plan_record(builder, type, reader);
	default:
		return unsupported(builder, names[type->kind]);
	}
}

static int plan_array(struct column_builder *builder, const struct avro_type *type, struct column_reader *reader)
{
	struct column_reader *element = arena_zalloc(builder->arena, sizeof *element);
	const struct avro_type *items = type->members[0];
	const char *name = avro_type_text(type->json, "connect.name", "");

	if (element == NULL)
		return out_of_memory(builder);
	if (items->kind == KIND_FLOAT && strcmp(name, "io.debezium.data.FloatVector") == 0) {
		builder->col->type = COLUMN_VECTOR;
		reader->op = READ_VECTOR;
		return 0;
	}
	if (strip_union(builder, &items, element) < 0 || plan_scalar(builder, items, element) < 0)
		return -1;
	if (element->op == READ_DURATION || element->op == READ_GEOMETRY || items->empty)
		return unsupported(builder, "an array of such items");
	builder->col->fraction = parameter_number(builder, items, SCHEMA_PARAMETER_FRACTION, builder->col->fraction);
	builder->col->element_type = builder->col->type;
	builder->col->type = COLUMN_ARRAY;
	reader->op = READ_ARRAY;
	reader->element = element;
	return 0;
}

static int plan_column(struct column_builder *builder, const struct avro_type *type, struct column_reader *reader)
{
	struct column *col = builder->col;
	const char *text;

	if (strip_union(builder, &type, reader) < 0)
		return -1;
	reader->in_key = builder->key;
	if ((type->kind == KIND_ARRAY ? plan_array(builder, type, reader) : plan_scalar(builder, type, reader)) < 0)
		return -1;
	if (type->kind != KIND_ARRAY)
		col->fraction = parameter_number(builder, type, SCHEMA_PARAMETER_FRACTION, col->fraction);
	reader->fraction = col->fraction < 0 || col->fraction > 6 ? 6 : col->fraction;
	text = parameter(builder, type, SCHEMA_PARAMETER_SOURCE_NAME);
	if (text != NULL) {
		col->name = arena_strndup(builder->arena, text, strlen(text));
		if (col->name == NULL)
			return out_of_memory(builder);
	}
	text = parameter(builder, type, SCHEMA_PARAMETER_SOURCE_TYPE);
	col->source_type = text == NULL ? "" : arena_strndup(builder->arena, text, strlen(text));
	if (col->source_type == NULL)
		return out_of_memory(builder);
	text = parameter(builder, type, SCHEMA_PARAMETER_KEY);
	col->key = builder->key || (text != NULL && strcmp(text, "true") == 0);
	return 0;
}

/* ---- records ---- */

int row_plan_build(const struct avro_type *record, bool key, struct arena *arena, struct row_plan *ret_plan,
	struct error *err)
{
	struct row_plan plan = { .count = record->count };

	plan.columns = arena_zalloc(arena, (plan.count + 1) * sizeof *plan.columns);
	plan.readers = arena_zalloc(arena, (plan.count + 1) * sizeof *plan.readers);
	plan.field_lens = arena_zalloc(arena, (plan.count + 1) * sizeof *plan.field_lens);
	plan.fields = record->names;
	if (plan.columns == NULL || plan.readers == NULL || plan.field_lens == NULL)
		return arena_error(arena, err);
	for (size_t i = 0; i < plan.count; i++) {
		struct column_builder builder = { arena, record->fields_json[i], key, &plan.columns[i], err };

		plan.columns[i].name = record->names[i];
		plan.field_lens[i] = strlen(record->names[i]);
		if (plan_column(&builder, record->members[i], &plan.readers[i]) < 0)
			return -1;
		plan.has_duration = plan.has_duration || plan.readers[i].op == READ_DURATION;
	}
	*ret_plan = plan;
	return 0;
}

int record_plan_build(const struct avro_type *record, const char *const *names, size_t count, struct arena *arena,
	struct record_plan *ret_plan, struct error *err)
{
	int *targets = arena_alloc(arena, (record->count + 1) * sizeof *targets);

	if (targets == NULL)
		return arena_error(arena, err);
	for (size_t i = 0; i < record->count; i++) {
		targets[i] = -1;
		for (size_t j = 0; j < count; j++)
			if (strcmp(record->names[i], names[j]) == 0)
				targets[i] = (int)j;
	}
	*ret_plan = (struct record_plan){ record, targets };
	return 0;
}

/* The record in a field of type record, or union of null and record; NULL if it is not that. */
static const struct avro_type *field_record(const struct avro_type *type, long field, int *ret_null_branch)
{
	const struct avro_type *member = field < 0 ? NULL : type->members[field];

	*ret_null_branch = -1;
	if (member != NULL && member->kind == KIND_UNION && member->count == 2) {
		*ret_null_branch = member->members[0]->kind == KIND_NULL ? 0 : 1;
		if (member->members[*ret_null_branch]->kind != KIND_NULL)
			return NULL;
		member = member->members[1 - *ret_null_branch];
	}
	return member != NULL && member->kind == KIND_RECORD ? member : NULL;
}

/* Is it our union of null and an array or map of strings, or a foreign field that only shares the name? */
static bool is_strings(const struct avro_type *type, enum avro_kind kind)
{
	return type->kind == KIND_UNION && type->count == 2 && type->members[0]->kind == KIND_NULL &&
		type->members[1]->kind == kind && type->members[1]->members[0]->kind == KIND_STRING;
}

static int not_an_envelope(const struct avro_type *type, const char *why, struct error *err)
{
	(void)error_set(err, ERROR_DATA, "schema \"%.200s\" is not a change event: %s",
		type->name != NULL ? type->name : "without a name", why);
	return error_hint(err, "an Envelope with after, source and op as Debezium writes it is needed");
}

static enum table_identity read_identity(const struct avro_type *type, bool *ret_ours)
{
	const char *text = avro_type_text(type->json, SCHEMA_ATTRIBUTE_IDENTITY, NULL);

	*ret_ours = text != NULL;
	if (text != NULL && strcmp(text, "full") == 0)
		return IDENTITY_FULL;
	return text != NULL && strcmp(text, "nothing") == 0 ? IDENTITY_NOTHING : IDENTITY_KEY;
}

int envelope_plan_build(const struct avro_type *type, struct arena *arena, struct envelope_plan *ret_plan,
	struct error *err)
{
	static const char *const fields[] = { "before", "after", "source", "transaction", "op", "unchanged", "exact" };
	static const char *const sources[] = { "ts_ms", "ts_us", "db", "schema", "table", "lsn", "pos",
		"file", "row" };
	static const char *const blocks[] = { "id", "total_order", "data_collection_order" };
	struct envelope_plan plan = { .before_null = -1 };
	const struct avro_type *before, *after, *source, *block;
	int null_branch;

	if (type->kind != KIND_RECORD)
		return not_an_envelope(type, "it is no record", err);
	after = field_record(type, avro_type_field(type, "after"), &plan.after_null);
	before = field_record(type, avro_type_field(type, "before"), &plan.before_null);
	source = field_record(type, avro_type_field(type, "source"), &null_branch);
	block = field_record(type, avro_type_field(type, "transaction"), &plan.block_null);
	if (after == NULL || (before != after && avro_type_field(type, "before") >= 0))
		return not_an_envelope(type, "before and after are not one record of columns", err);
	if (source == NULL || null_branch >= 0)
		return not_an_envelope(type, "it has no record source", err);
	if (avro_type_field(type, "op") < 0)
		return not_an_envelope(type, "it has no op", err);
	plan.identity = read_identity(type, &plan.ours);
	plan.binlog = avro_type_field(source, "file") >= 0 && avro_type_field(source, "pos") >= 0;
	if (row_plan_build(after, false, arena, &plan.row, err) < 0 ||
		record_plan_build(type, fields, ENVELOPE_FIELD_COUNT, arena, &plan.envelope, err) < 0 ||
		record_plan_build(source, sources, SOURCE_FIELD_COUNT, arena, &plan.source, err) < 0 ||
		(block != NULL && record_plan_build(block, blocks, BLOCK_FIELD_COUNT, arena, &plan.block, err) < 0))
		return error_prefix(err, "schema \"%.200s\"", type->name);
	for (size_t i = 0; i < type->count; i++) {
		int target = plan.envelope.targets[i];

		if ((target == ENVELOPE_UNCHANGED && !is_strings(type->members[i], KIND_ARRAY)) ||
			(target == ENVELOPE_EXACT && !is_strings(type->members[i], KIND_MAP)) ||
			(target == ENVELOPE_TRANSACTION && block == NULL))
			plan.envelope.targets[i] = -1;
	}
	*ret_plan = plan;
	return 0;
}
