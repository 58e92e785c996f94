/*
 * avro_type.c: see avro_type.h. Source: Apache Avro specification 1.11, "Schema Declaration" and "Names".
 */
#include "lib/codec/avro_type.h"

#include <string.h>

#define TEXT_MAX ((size_t)8 << 20)
#define DEPTH_MAX 64     /* of a schema, and of the values that are skipped */
#define MEMBERS_MAX 8192 /* fields of a record, symbols of an enum */

struct named {
	struct named *next;
	const char *name;
	const struct avro_type *type;
};

struct parser {
	struct arena *arena;
	struct named *names;
	struct error *err;
};

static const char *const primitives[] = { "null", "boolean", "int", "long", "float", "double", "bytes", "string" };

static const struct avro_type *parse_type(struct parser *parser, const json_t *json, const char *ns, unsigned depth);

static void *fail(struct parser *parser, const char *what)
{
	(void)error_set(parser->err, ERROR_DATA, "not an Avro schema: %s", what);
	return NULL;
}

static void *no_memory(struct parser *parser)
{
	(void)arena_error(parser->arena, parser->err);
	return NULL;
}

const char *avro_type_text(const json_t *json, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text != NULL ? text : otherwise;
}

long avro_type_number(const json_t *json, const char *key, long otherwise)
{
	const json_t *number = json_object_get(json, key);

	return json_is_integer(number) ? (long)json_integer_value(number) : otherwise;
}

long avro_type_field(const struct avro_type *record, const char *name)
{
	for (size_t i = 0; record->kind == KIND_RECORD && i < record->count; i++)
		if (strcmp(record->names[i], name) == 0)
			return (long)i;
	return -1;
}

/* "ns.name", or name as it is when it has a dot or there is no namespace. */
static const char *full_name(struct parser *parser, const char *name, const char *ns)
{
	const char *full;

	if (strchr(name, '.') != NULL || *ns == '\0')
		full = arena_strndup(parser->arena, name, strlen(name));
	else
		full = arena_printf(parser->arena, "%s.%s", ns, name);
	return full != NULL ? full : no_memory(parser);
}

static struct avro_type *new_type(struct parser *parser, enum avro_kind kind, const json_t *json, size_t members)
{
	struct avro_type *type;

	if (members > MEMBERS_MAX)
		return fail(parser, "too many fields, branches or symbols");
	type = arena_zalloc(parser->arena, sizeof *type);
	if (type == NULL)
		return no_memory(parser);
	type->kind = kind;
	type->json = json;
	type->count = members;
	if (members > 0) {
		type->members = arena_zalloc(parser->arena, members * sizeof *type->members);
		type->names = arena_zalloc(parser->arena, members * sizeof *type->names);
		type->fields_json = arena_zalloc(parser->arena, members * sizeof *type->fields_json);
		if (type->members == NULL || type->names == NULL || type->fields_json == NULL)
			return no_memory(parser);
	}
	return type;
}

/* A primitive, or a type that was named before. */
static const struct avro_type *parse_name(struct parser *parser, const char *name, const char *ns, const json_t *json)
{
	const char *full;

	for (size_t i = 0; i < sizeof primitives / sizeof primitives[0]; i++)
		if (strcmp(name, primitives[i]) == 0) {
			struct avro_type *type = new_type(parser, (enum avro_kind)i, json, 0);

			if (type != NULL)
				type->empty = type->kind == KIND_NULL;
			return type;
		}
	full = full_name(parser, name, ns);
	if (full == NULL)
		return NULL;
	for (const struct named *named = parser->names; named != NULL; named = named->next)
		if (strcmp(named->name, full) == 0)
			return named->type;
	(void)error_set(parser->err, ERROR_DATA, "not an Avro schema: type \"%.200s\" is unknown", full);
	return NULL;
}

/* Gives a record, enum or fixed its full name and makes it known. Sets *ret_ns to the namespace inside of it. */
static bool name_type(struct parser *parser, struct avro_type *type, const char *ns, const char **ret_ns)
{
	const char *name = avro_type_text(type->json, "name", NULL);
	struct named *named = arena_alloc(parser->arena, sizeof *named);
	const char *dot;

	if (name == NULL || *name == '\0')
		return fail(parser, "a record, enum or fixed without a name") != NULL;
	if (named == NULL)
		return no_memory(parser) != NULL;
	type->name = full_name(parser, name, avro_type_text(type->json, "namespace", ns));
	if (type->name == NULL)
		return false;
	dot = strrchr(type->name, '.');
	*ret_ns = dot == NULL ? "" : arena_strndup(parser->arena, type->name, (size_t)(dot - type->name));
	if (*ret_ns == NULL)
		return no_memory(parser) != NULL;
	*named = (struct named){ parser->names, type->name, type };
	parser->names = named;
	return true;
}

static const struct avro_type *parse_record(struct parser *parser, const json_t *json, const char *ns, unsigned depth)
{
	const json_t *fields = json_object_get(json, "fields");
	struct avro_type *type;
	bool empty = true;

	if (!json_is_array(fields))
		return fail(parser, "a record without fields");
	type = new_type(parser, KIND_RECORD, json, json_array_size(fields));
	if (type == NULL || !name_type(parser, type, ns, &ns))
		return NULL;
	for (size_t i = 0; i < type->count; i++) {
		const json_t *field = json_array_get(fields, i);
		const char *name = avro_type_text(field, "name", NULL);

		if (name == NULL)
			return fail(parser, "a field without a name");
		type->names[i] = arena_strndup(parser->arena, name, strlen(name));
		if (type->names[i] == NULL)
			return no_memory(parser);
		type->fields_json[i] = field;
		type->members[i] = parse_type(parser, json_object_get(field, "type"), ns, depth + 1);
		if (type->members[i] == NULL)
			return NULL;
		empty = empty && type->members[i]->empty;
	}
	type->empty = empty;
	return type;
}

static const struct avro_type *parse_enum(struct parser *parser, const json_t *json, const char *ns)
{
	const json_t *symbols = json_object_get(json, "symbols");
	struct avro_type *type = new_type(parser, KIND_ENUM, json, json_array_size(symbols));

	if (type == NULL || !name_type(parser, type, ns, &ns))
		return NULL;
	for (size_t i = 0; i < type->count; i++) {
		const char *symbol = json_string_value(json_array_get(symbols, i));

		if (symbol == NULL)
			return fail(parser, "an enum's symbol that is no text");
		type->names[i] = arena_strndup(parser->arena, symbol, strlen(symbol));
		if (type->names[i] == NULL)
			return no_memory(parser);
	}
	return type;
}

static const struct avro_type *parse_fixed(struct parser *parser, const json_t *json, const char *ns)
{
	long size = avro_type_number(json, "size", -1);
	struct avro_type *type = new_type(parser, KIND_FIXED, json, 0);

	if (type == NULL || !name_type(parser, type, ns, &ns))
		return NULL;
	if (size < 0)
		return fail(parser, "a fixed without a size");
	type->count = (size_t)size;
	type->empty = size == 0;
	return type;
}

/* An array's items or a map's values. */
static const struct avro_type *parse_items(struct parser *parser, enum avro_kind kind, const json_t *json, const char *ns,
	unsigned depth)
{
	struct avro_type *type = new_type(parser, kind, json, 1);

	if (type == NULL)
		return NULL;
	type->members[0] =
		parse_type(parser, json_object_get(json, kind == KIND_ARRAY ? "items" : "values"), ns, depth + 1);
	return type->members[0] == NULL ? NULL : type;
}

static const struct avro_type *parse_union(struct parser *parser, const json_t *json, const char *ns, unsigned depth)
{
	struct avro_type *type = new_type(parser, KIND_UNION, NULL, json_array_size(json));

	if (type == NULL)
		return NULL;
	for (size_t i = 0; i < type->count; i++) {
		type->members[i] = parse_type(parser, json_array_get(json, i), ns, depth + 1);
		if (type->members[i] == NULL)
			return NULL;
	}
	return type;
}

static const struct avro_type *parse_type(struct parser *parser, const json_t *json, const char *ns, unsigned depth)
{
	const json_t *inner;
	const char *name;

	if (depth > DEPTH_MAX)
		return fail(parser, "nested too deep");
	if (json_is_string(json))
		return parse_name(parser, json_string_value(json), ns, NULL);
	if (json_is_array(json))
		return parse_union(parser, json, ns, depth);
	inner = json_object_get(json, "type");
	if (inner == NULL)
		return fail(parser, "a type is missing");
	name = json_string_value(inner);
	if (name == NULL)
		return parse_type(parser, inner, ns, depth + 1);
	if (strcmp(name, "record") == 0)
		return parse_record(parser, json, ns, depth);
	if (strcmp(name, "enum") == 0)
		return parse_enum(parser, json, ns);
	if (strcmp(name, "fixed") == 0)
		return parse_fixed(parser, json, ns);
	if (strcmp(name, "array") == 0)
		return parse_items(parser, KIND_ARRAY, json, ns, depth);
	if (strcmp(name, "map") == 0)
		return parse_items(parser, KIND_MAP, json, ns, depth);
	return parse_name(parser, name, ns, json);
}

int avro_type_parse(const char *text, struct arena *arena, json_t **ret_json, const struct avro_type **ret_type,
	struct error *err)
{
	struct parser parser = { arena, NULL, err };
	const struct avro_type *type;
	json_error_t where;
	json_t *json;

	if (strnlen(text, TEXT_MAX + 1) > TEXT_MAX)
		return error_set(err, ERROR_DATA, "not an Avro schema: longer than %zu bytes", TEXT_MAX);
	json = json_loads(text, JSON_DECODE_ANY, &where);
	if (json == NULL)
		return error_set(err, ERROR_DATA, "not an Avro schema: %s at line %d column %d", where.text, where.line,
			where.column);
	type = parse_type(&parser, json, "", 0);
	if (type == NULL) {
		json_decref(json);
		return -1;
	}
	*ret_json = json;
	*ret_type = type;
	return 0;
}

/* ---- reading ---- */

static bool skip(struct avro_reader *in, const struct avro_type *type, unsigned depth);

static bool skip_blocks(struct avro_reader *in, const struct avro_type *type, unsigned depth)
{
	const struct avro_type *items = type->members[0];
	const char *key;
	size_t count, len;

	do {
		if (!avro_get_block(in, &count))
			return false;
		if (type->kind == KIND_ARRAY && items->empty)
			continue;
		for (size_t i = 0; i < count; i++)
			if ((type->kind == KIND_MAP && !avro_get_bytes(in, &key, &len)) || !skip(in, items, depth + 1))
				return false;
	} while (count > 0);
	return true;
}

static bool skip(struct avro_reader *in, const struct avro_type *type, unsigned depth)
{
	const unsigned char *raw;
	const char *bytes;
	int64_t number = 0;
	size_t len;
	bool flag;

	if (depth > DEPTH_MAX)
		return false;
	if (type->empty)
		return true;
	switch (type->kind) {
	case KIND_NULL:
		return true;
	case KIND_BOOLEAN:
		return avro_get_bool(in, &flag);
	case KIND_INT:
	case KIND_ENUM:
		return avro_get_int(in, &number);
	case KIND_LONG:
		return avro_get_long(in, &number);
	case KIND_FLOAT:
		return avro_get_raw(in, 4, &raw);
	case KIND_DOUBLE:
		return avro_get_raw(in, 8, &raw);
	case KIND_BYTES:
	case KIND_STRING:
		return avro_get_bytes(in, &bytes, &len);
	case KIND_FIXED:
		return avro_get_raw(in, type->count, &raw);
	case KIND_ARRAY:
	case KIND_MAP:
		return skip_blocks(in, type, depth);
	case KIND_UNION:
		return avro_get_long(in, &number) && number >= 0 && (uint64_t)number < type->count &&
			skip(in, type->members[number], depth + 1);
	case KIND_RECORD:
		for (size_t i = 0; i < type->count; i++)
			if (!skip(in, type->members[i], depth + 1))
				return false;
		return true;
	}
	return false;
}

bool avro_type_skip(struct avro_reader *in, const struct avro_type *type)
{
	return skip(in, type, 0);
}

bool avro_type_scalar(struct avro_reader *in, const struct avro_type *type, struct scalar *ret_scalar)
{
	int64_t number = 0;
	bool flag;

	if (type->kind == KIND_UNION) {
		if (!avro_get_long(in, &number) || number < 0 || (uint64_t)number >= type->count)
			return false;
		type = type->members[number];
	}
	*ret_scalar = (struct scalar){ .kind = SCALAR_NUMBER };
	switch (type->kind) {
	case KIND_NULL:
		ret_scalar->kind = SCALAR_NULL;
		return true;
	case KIND_BOOLEAN:
		if (!avro_get_bool(in, &flag))
			return false;
		ret_scalar->number = flag;
		return true;
	case KIND_INT:
		return avro_get_int(in, &ret_scalar->number);
	case KIND_LONG:
		return avro_get_long(in, &ret_scalar->number);
	case KIND_BYTES:
	case KIND_STRING:
		ret_scalar->kind = SCALAR_TEXT;
		return avro_get_bytes(in, &ret_scalar->text, &ret_scalar->len);
	case KIND_ENUM:
		if (!avro_get_int(in, &number) || number < 0 || (uint64_t)number >= type->count)
			return false;
		ret_scalar->kind = SCALAR_TEXT;
		ret_scalar->text = type->names[number];
		ret_scalar->len = strlen(ret_scalar->text);
		return true;
	default:
		ret_scalar->kind = SCALAR_OTHER;
		return avro_type_skip(in, type);
	}
}
