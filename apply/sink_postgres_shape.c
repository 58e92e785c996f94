/*
 * sink_postgres_shape.c: check of a target table and the SQL to write to it.
 *
 * 1. shape_query asks the catalogue once for a table: its columns with the types below their domains, and the unique
 * index that consists of exactly the source's key columns, with that index's own equality operators.
 * 2. shape_new() compares: every mapped column there, of a type that holds the source's; no other column that an insert
 * would have to fill; the key unique, so that an update or delete meets one row at most.
 * 3. shape_insert() and its siblings write statements. Parameters are typed by oid, so nothing is left to inference;
 * operators and tables are qualified, since the session's search_path is empty.
 *
 * Without a key a row is found by all its columns, compared in their text forms: that works for each type (json and
 * point have no =), and it tells 1.0 from 1.00 and 0 from -0 just as the log does. Of several equal rows one is taken
 * (by tableoid and ctid, LIMIT 1).
 */
#include "apply/sink_postgres_shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/sink_text.h"

/* Oldest server whose catalogue has all of this: 12 (attgenerated). indkey and indclass count from 0, a slice of them
 * from 1. */
const char shape_query[] =
	"WITH RECURSIVE rel AS ("
	" SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE n.nspname = $1 AND c.relname = $2"
	"), base(num, typ, typmod) AS ("
	" SELECT a.attnum, a.atttypid, a.atttypmod FROM rel JOIN pg_catalog.pg_attribute a ON a.attrelid = rel.oid"
	" WHERE a.attnum > 0 AND NOT a.attisdropped"
	" UNION ALL"
	" SELECT b.num, t.typbasetype, t.typtypmod FROM base b"
	" JOIN pg_catalog.pg_type t ON t.oid = b.typ AND t.typtype = 'd'"
	"), idx AS ("
	" SELECT i.indexrelid, i.indkey::int2[] AS cols, i.indclass::oid[] AS classes, i.indnkeyatts AS n"
	" FROM rel JOIN pg_catalog.pg_index i ON i.indrelid = rel.oid"
	" WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND"
	" (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attname::text COLLATE \"C\")"
	"  FROM pg_catalog.pg_attribute a"
	"  WHERE a.attrelid = rel.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) ="
	" (SELECT pg_catalog.array_agg(k ORDER BY k COLLATE \"C\") FROM pg_catalog.unnest($3::text[]) k)"
	" ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1"
	") "
	"SELECT rel.relkind, a.attname, a.atttypid, t.typname, coalesce(e.typname, ''),"
	" coalesce(e.typtype, t.typtype) AS leaf_kind, coalesce(e.oid, t.oid) AS leaf, b.typmod,"
	" pg_catalog.format_type(a.atttypid, a.atttypmod), a.attidentity, a.attgenerated,"
	" a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS needed,"
	" (SELECT pg_catalog.quote_ident(s.nspname) || '.' || o.oprname"
	"  FROM idx JOIN pg_catalog.pg_opclass p ON p.oid = "
	"    idx.classes[pg_catalog.array_position(idx.cols[0:idx.n - 1], a.attnum) - 1]"
	"  JOIN pg_catalog.pg_amop m ON m.amopfamily = p.opcfamily AND m.amoplefttype = p.opcintype"
	"   AND m.amoprighttype = p.opcintype AND m.amopstrategy = 3"
	"  JOIN pg_catalog.pg_operator o ON o.oid = m.amopopr"
	"  JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace) AS equals,"
	" EXISTS (SELECT FROM pg_catalog.pg_constraint f"
	"  WHERE f.conrelid = rel.oid AND f.contype = 'f' AND f.confdeltype = 'c') AS cascades,"
	" EXISTS (SELECT FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_attribute k"
	"  ON k.attrelid = rel.oid AND k.attnum = ANY (f.conkey) AND k.attname = ANY ($3::text[])"
	"  WHERE f.conrelid = rel.oid AND f.contype = 'f' AND f.confupdtype = 'c') AS key_cascades "
	"FROM rel JOIN pg_catalog.pg_attribute a ON a.attrelid = rel.oid JOIN base b ON b.num = a.attnum"
	" JOIN pg_catalog.pg_type t ON t.oid = b.typ AND t.typtype <> 'd'"
	" LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typlen = -1 AND t.typcategory = 'A' "
	"ORDER BY a.attnum";

enum {
	Q_RELKIND,
	Q_NAME,
	Q_TYPE,
	Q_BASE,
	Q_ELEMENT,
	Q_LEAF_KIND,
	Q_LEAF,
	Q_TYPMOD,
	Q_DECLARED,
	Q_IDENTITY,
	Q_GENERATED,
	Q_NEEDED,
	Q_EQUALS,
	Q_CASCADES,
	Q_KEY_CASCADES
};

const char shape_enum_query[] =
	"SELECT l FROM pg_catalog.unnest($2::text[]) l WHERE NOT EXISTS"
	" (SELECT FROM pg_catalog.pg_enum e WHERE e.enumtypid = $1::oid AND e.enumlabel = l) LIMIT 1";

/* ---- types ---- */

/* The name alone of a type as format_type() writes it: public."My type"(3) -> My type. */
static void bare_name(const char *full, char *out, size_t size)
{
	size_t len = 0;
	bool quoted = false;

	for (; *full != '\0' && len + 1 < size; full++) {
		if (*full == '"') {
			quoted = !quoted;
		} else if (!quoted && *full == '.') {
			len = 0;
		} else if (!quoted && *full == '(') {
			break;
		} else {
			out[len++] = *full;
		}
	}
	out[len] = '\0';
}

/* The number in "character varying(20)"; -1: none. */
static long modifier(const char *full)
{
	const char *open = strrchr(full, '(');

	return open != NULL ? strtol(open + 1, NULL, 10) : -1;
}

static bool same_type(const char *source, const char *declared, int typmod)
{
	char have[256], want[256];

	bare_name(source, want, sizeof want);
	bare_name(declared, have, sizeof have);
	if (want[0] == '\0' || strcmp(have, want) != 0)
		return false;
	return typmod == -1 || modifier(source) == modifier(declared);
}

/* A scale that is negative, or above the precision, has been a part of the modifier since PostgreSQL 15. */
static void numeric_modifier(int typmod, int *ret_precision, int *ret_scale)
{
	*ret_precision = ((typmod - 4) >> 16) & 0xffff;
	*ret_scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
}

/*
 * Whether the source's type is numeric with this very modifier. numeric(4,-2) and numeric(2,5) travel like a numeric
 * without limits, since Avro's decimal knows no such scale: only the name tells them apart.
 */
static bool is_numeric_of(const char *source, int typmod)
{
	int precision, scale;
	char name[64];

	numeric_modifier(typmod, &precision, &scale);
	(void)snprintf(name, sizeof name, "numeric(%d,%d)", precision, scale);
	return source != NULL && strncmp(source, name, strlen(name)) == 0;
}

static bool numeric_holds(int typmod, int whole, int scale)
{
	int precision, digits;

	if (typmod < 4)
		return true;
	numeric_modifier(typmod, &precision, &digits);
	return digits >= scale && precision - digits >= whole;
}

/* varchar(n) and char(n) have n + 4. */
static bool string_holds(const struct column *source, const struct shape_type *target)
{
	char name[256] = "";
	long length;

	if (sink_is_one_of(target->base, "text citext"))
		return true;
	if (source->source_type != NULL)
		bare_name(source->source_type, name, sizeof name);
	name[strcspn(name, "[")] = '\0';
	length = source->source_type != NULL ? modifier(source->source_type) : -1;
	/* Others would be padded. MySQL's char(n) means the same as PostgreSQL's; "char" without n is not it. */
	if (strcmp(target->base, "bpchar") == 0 && !sink_is_one_of(name, "character bpchar") &&
		(strcmp(name, "char") != 0 || length < 0))
		return false;
	if (target->typmod < 4 || name[0] == '\0')
		return true;
	if (strcmp(name, "tinytext") == 0)
		return target->typmod - 4 >= 255;
	if (strcmp(name, "character varying") == 0 || sink_is_one_of(name, "varchar character bpchar char"))
		return length < 0 || length <= target->typmod - 4;
	return !sink_is_one_of(name, "text citext json jsonb xml mediumtext longtext");
}

/* Characters of UTF-8. */
static size_t characters(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

/* One label, or all members of a set with their commas, in a text column. */
static bool labels_hold(const struct column *source, const struct shape_type *target)
{
	size_t most = 0, all = 0;

	if (strcmp(target->base, "varchar") != 0)
		return strcmp(target->base, "text") == 0;
	for (size_t i = 0; i < source->label_count; i++) {
		size_t len = characters(source->labels[i]);

		most = len > most ? len : most;
		all += len + (i > 0);
	}
	return target->typmod < 4 || (source->type == COLUMN_SET ? all : most) <= (size_t)target->typmod - 4;
}

static bool has_source_type(const struct column *source, const char *text)
{
	return source->source_type != NULL && strncmp(source->source_type, text, strlen(text)) == 0;
}

static bool fraction_holds(const struct column *source, int typmod)
{
	return typmod < 0 || typmod >= source->fraction;
}

static bool is_string(const char *base)
{
	return sink_is_one_of(base, "text varchar bpchar");
}

/* Of COLUMN_STRING: text types among each other; a type that travels as its text into the same type, or into a text. */
static bool carried_holds(const struct column *source, const struct shape_type *target)
{
	if (is_string(target->base))
		return string_holds(source, target);
	if (source->source_type == NULL || source->source_type[0] == '\0')
		return true; /* not known: the server's input function decides */
	if (strcmp(target->base, "inet") == 0 && sink_is_one_of(source->source_type, "inet4 inet6")) /* MariaDB's */
		return true;
	if (same_type(source->source_type, target->declared, target->typmod))
		return true;
	return same_type(source->source_type, target->base, target->typmod);
}

static bool integer_holds(const struct column *source, const char *base, int typmod)
{
	switch (source->type) {
	case COLUMN_INT16: /* BOOLEAN is tinyint(1): its values are checked one by one */
		return sink_is_one_of(base, "int2 int4 int8") ||
			(strcmp(base, "bool") == 0 && has_source_type(source, "tinyint")) ||
			(strcmp(base, "numeric") == 0 && numeric_holds(typmod, 5, 0));
	case COLUMN_INT32:
		return sink_is_one_of(base, "int4 int8") || (strcmp(base, "numeric") == 0 && numeric_holds(typmod, 10, 0));
	case COLUMN_INT64:
		if (strcmp(base, "oid") == 0)
			return source->source_type != NULL && strcmp(source->source_type, "oid") == 0;
		return strcmp(base, "int8") == 0 || (strcmp(base, "numeric") == 0 && numeric_holds(typmod, 19, 0));
	default:
		return strcmp(base, "numeric") == 0 && numeric_holds(typmod, 20, 0);
	}
}

static bool decimal_holds(const struct column *source, const struct shape_type *target)
{
	if (strcmp(target->base, "money") == 0)
		return source->source_type != NULL && strcmp(source->source_type, "money") == 0;
	if (strcmp(target->base, "numeric") != 0)
		return false;
	if (source->precision == 0)
		return target->typmod < 4 || is_numeric_of(source->source_type, target->typmod);
	return numeric_holds(target->typmod, source->precision - source->scale, source->scale);
}

/* A json column keeps the text as it was written, jsonb does not; MySQL's own JSON does not keep it either. */
static bool json_holds(const struct column *source, const struct shape_type *target)
{
	if (sink_is_one_of(target->base, "json text"))
		return true;
	if (strcmp(target->base, "jsonb") == 0)
		return target->mysql || source->source_type == NULL || strcmp(source->source_type, "json") != 0;
	return source->source_type != NULL && same_type(source->source_type, target->declared, target->typmod);
}

/* bit(n) is a text of exactly n digits; as a number, any that has as many bits without its sign. */
static bool bits_hold(const struct column *source, const struct shape_type *target)
{
	int bits = source->precision;

	if (strcmp(target->base, "bit") == 0)
		return target->typmod < 0 || target->typmod == bits;
	if (strcmp(target->base, "varbit") == 0)
		return target->typmod < 0 || target->typmod >= bits;
	if (strcmp(target->base, "numeric") == 0)
		return numeric_holds(target->typmod, bits * 30103 / 100000 + 1, 0);
	return (bits == 1 && strcmp(target->base, "bool") == 0) || (bits < 16 && strcmp(target->base, "int2") == 0) ||
		(bits < 32 && strcmp(target->base, "int4") == 0) || (bits < 64 && strcmp(target->base, "int8") == 0);
}

/* TIME goes beyond a day and below zero, so interval; a time takes those that are one. An interval's modifier: fields, digits. */
static bool duration_holds(const struct column *source, const struct shape_type *target)
{
	if (strcmp(target->base, "time") == 0)
		return fraction_holds(source, target->typmod);
	if (strcmp(target->base, "interval") != 0)
		return strcmp(target->base, "text") == 0;
	return target->typmod < 0 ||
		((target->typmod >> 16 & 0x7fff) == 0x7fff && (target->typmod & 0xffff) >= source->fraction);
}

/* Types that only MySQL and MariaDB have. */
static bool mysql_type_holds(const struct column *source, const struct shape_type *target)
{
	const char *base = target->base;

	switch (source->type) {
	case COLUMN_BITS:
		return bits_hold(source, target);
	case COLUMN_YEAR:
		return sink_is_one_of(base, "int2 int4 int8 text") ||
			(strcmp(base, "numeric") == 0 && numeric_holds(target->typmod, 4, 0));
	case COLUMN_SET:
		if (target->element[0] != '\0')
			return target->kind == 'e' || strcmp(target->element, "text") == 0 ||
				(strcmp(target->element, "varchar") == 0 && target->typmod < 0);
		return labels_hold(source, target);
	case COLUMN_DURATION:
		return duration_holds(source, target);
	case COLUMN_GEOMETRY:
		return sink_is_one_of(base, "bytea geometry");
	case COLUMN_VECTOR:
		return strcmp(base, "bytea") == 0 || sink_is_one_of(target->element, "float4 float8");
	default:
		return false;
	}
}

/* A date or timestamp as text: what MySQL has beyond the calendar (0000-00-00) goes there only. */
static bool time_holds(const struct column *source, const struct shape_type *target, const char *base)
{
	return (strcmp(target->base, base) == 0 && fraction_holds(source, target->typmod)) ||
		strcmp(target->base, "text") == 0;
}

static bool type_holds(const struct column *source, const struct shape_type *target)
{
	const char *base = target->base;

	switch (source->type) {
	case COLUMN_BOOL:
		return strcmp(base, "bool") == 0;
	case COLUMN_INT16:
	case COLUMN_INT32:
	case COLUMN_INT64:
	case COLUMN_UINT64:
		return integer_holds(source, base, target->typmod);
	case COLUMN_FLOAT32:
		return sink_is_one_of(base, "float4 float8");
	case COLUMN_FLOAT64:
		return strcmp(base, "float8") == 0;
	case COLUMN_DECIMAL:
		return decimal_holds(source, target);
	case COLUMN_STRING:
		return carried_holds(source, target);
	case COLUMN_BYTES:
		return strcmp(base, "bytea") == 0;
	case COLUMN_JSON:
		return json_holds(source, target);
	case COLUMN_XML:
		return sink_is_one_of(base, "xml text");
	case COLUMN_UUID:
		return sink_is_one_of(base, "uuid text");
	case COLUMN_ENUM:
		return target->kind == 'e' || labels_hold(source, target);
	case COLUMN_DATE:
		return sink_is_one_of(base, "date text");
	case COLUMN_TIME:
		return strcmp(base, "time") == 0 && fraction_holds(source, target->typmod);
	case COLUMN_TIMETZ:
		return time_holds(source, target, "timetz");
	case COLUMN_TIMESTAMP:
		return time_holds(source, target, "timestamp");
	case COLUMN_TIMESTAMPTZ:
		return time_holds(source, target, "timestamptz");
	case COLUMN_INTERVAL:
		return strcmp(base, "text") == 0 ||
			(strcmp(base, "interval") == 0 &&
				(target->typmod == -1 ||
					(source->source_type != NULL &&
						strcmp(source->source_type, target->declared) == 0)));
	case COLUMN_ARRAY:
		return false;
	default:
		return mysql_type_holds(source, target);
	}
}

/* The binary form by the base type's name, for its domains as well: they are received as their base type is. */
static enum pg_form form_of(const char *base)
{
	static const struct {
		const char *name;
		enum pg_form form;
	} forms[] = { { "bool", FORM_BOOL }, { "int2", FORM_INT2 }, { "int4", FORM_INT4 }, { "int8", FORM_INT8 },
		{ "float4", FORM_FLOAT4 }, { "float8", FORM_FLOAT8 }, { "date", FORM_DATE }, { "time", FORM_TIME },
		{ "timestamp", FORM_TIMESTAMP }, { "timestamptz", FORM_TIMESTAMP }, { "bytea", FORM_BYTEA },
		{ "uuid", FORM_UUID }, { "text", FORM_STRING }, { "varchar", FORM_STRING }, { "bpchar", FORM_STRING } };

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (strcmp(forms[i].name, base) == 0)
			return forms[i].form;
	return FORM_TEXT;
}

bool shape_type_holds(const struct column *source, const struct shape_type *target, enum pg_form *ret_form)
{
	struct column element = *source;
	struct shape_type element_type = *target;

	*ret_form = FORM_TEXT;
	if (source->type == COLUMN_ARRAY) {
		/* Elements go as text only, and a float's shortest text means another number as a double. */
		if (target->element[0] == '\0' ||
			(source->element_type == COLUMN_FLOAT32 && strcmp(target->element, "float8") == 0))
			return false;
		element.type = source->element_type;
		element_type.base = target->element;
		return type_holds(&element, &element_type);
	}
	if (!type_holds(source, target))
		return false;
	/* A number never goes in another type's binary form: into a text it is written as text. */
	*ret_form = form_of(target->base);
	if (sink_is_one_of(target->base, "bit varbit") && source->type == COLUMN_BITS)
		*ret_form = FORM_BITS;
	else if (strcmp(target->base, "geometry") == 0 && source->type == COLUMN_GEOMETRY)
		*ret_form = FORM_EWKB;
	else if (target->element[0] != '\0' && source->type == COLUMN_SET)
		*ret_form = FORM_MEMBERS;
	else if (target->element[0] != '\0' && source->type == COLUMN_VECTOR)
		*ret_form = strcmp(target->element, "float4") == 0 ? FORM_FLOAT4_ARRAY : FORM_FLOAT8_ARRAY;
	return true;
}

/* ---- the check ---- */

int shape_key_names(const struct sink_mapping *mapping, struct buf *out, struct error *err)
{
	buf_append_byte(out, '{');
	for (size_t k = 0; k < mapping->table->key_count; k++) {
		const char *name;
		size_t i = 0;

		if (sink_key_column(mapping, k, &i, err) < 0)
			return -1;
		name = mapping->columns[i].target;
		if (k > 0)
			buf_append_byte(out, ',');
		sink_array_quote(out, name, strlen(name));
	}
	buf_append_byte(out, '}');
	(void)buf_cstr(out);
	return buf_check(out, "list of key columns", err);
}

static int find_row(const PGresult *answer, const char *name)
{
	for (int row = 0; row < PQntuples(answer); row++)
		if (strcmp(PQgetvalue(answer, row, Q_NAME), name) == 0)
			return row;
	return -1;
}

static bool is_true(const PGresult *answer, int row, int field)
{
	return PQgetvalue(answer, row, field)[0] == 't';
}

static int check_type(const struct shape *shape, size_t i, const PGresult *answer, int row, struct error *err)
{
	const struct column *source = shape->table.columns[i].source;
	struct shape_column *column = &shape->columns[i];
	struct shape_type type = { .base = PQgetvalue(answer, row, Q_BASE),
		.declared = PQgetvalue(answer, row, Q_DECLARED),
		.element = PQgetvalue(answer, row, Q_ELEMENT),
		.mysql = shape->mysql };

	type.kind = PQgetvalue(answer, row, Q_LEAF_KIND)[0];
	if (source->label_count > 0 && type.kind == 'e')
		column->enum_type = (Oid)strtoul(PQgetvalue(answer, row, Q_LEAF), NULL, 10);
	type.typmod = (int)strtol(PQgetvalue(answer, row, Q_TYPMOD), NULL, 10);
	if (shape_type_holds(source, &type, &column->form))
		return 0;
	(void)sink_column_refused(&shape->table, i, type.declared, err);
	return error_hint(err, "give the target's column the source's type, or leave the column out");
}

static int check_column(struct shape *shape, size_t i, const PGresult *answer, struct error *err)
{
	struct sink_table_column *name = &shape->table.columns[i];
	struct shape_column *column = &shape->columns[i];
	int row = find_row(answer, name->name);

	if (row < 0)
		return sink_column_missing(&shape->table, i, err);
	if (PQgetvalue(answer, row, Q_GENERATED)[0] != '\0')
		return sink_column_generated(&shape->table, i, err);
	column->type = (Oid)strtoul(PQgetvalue(answer, row, Q_TYPE), NULL, 10);
	name->fixed = PQgetvalue(answer, row, Q_IDENTITY)[0] == 'a';
	if (name->fixed && !name->key) {
		(void)error_set(err, ERROR_CONFIG,
			"column %s of target table %s is GENERATED ALWAYS AS IDENTITY and not part of the key, so "
			"that it cannot be updated",
			name->name, shape->table.name);
		return error_hint(err, "alter it to GENERATED BY DEFAULT, or leave the column out");
	}
	shape->overriding = shape->overriding || name->fixed;
	if (name->key && !PQgetisnull(answer, row, Q_EQUALS)) {
		column->equals = strdup(PQgetvalue(answer, row, Q_EQUALS));
		if (column->equals == NULL)
			return error_set(err, ERROR_RETRY, "memory is short");
	}
	return check_type(shape, i, answer, row, err);
}

/* A column that no mapping fills must be able to fill itself. */
static int check_others(const struct shape *shape, const PGresult *answer, struct error *err)
{
	for (int row = 0; row < PQntuples(answer); row++) {
		const char *name = PQgetvalue(answer, row, Q_NAME);

		if (!sink_table_has(&shape->table, name) && is_true(answer, row, Q_NEEDED))
			return sink_column_unfilled(&shape->table, name, err);
	}
	return 0;
}

/* The query has looked for the index, and gives its operators. */
static int check_key(const struct shape *shape, const struct sink_mapping *mapping, struct error *err)
{
	for (size_t k = 0; k < shape->table.key_count; k++)
		if (shape->columns[shape->table.key[k]].equals == NULL)
			return sink_key_missing(&shape->table, mapping, shape->table.key[k], "", err);
	return 0;
}

static int check_table(
	const struct shape *shape, const struct sink_mapping *mapping, const PGresult *answer, struct error *err)
{
	if (PQntuples(answer) == 0)
		return sink_table_missing(&shape->table, mapping, "", err);
	return sink_is_one_of(PQgetvalue(answer, 0, Q_RELKIND), "r p") ? 0 : sink_table_is_other(&shape->table, err);
}

int shape_new(const struct sink_mapping *mapping, const PGresult *answer, struct shape **ret_shape, struct error *err)
{
	struct shape *shape = calloc(1, sizeof *shape);

	if (shape == NULL)
		return error_set(err, ERROR_RETRY, "memory is short");
	shape->mysql = mapping->table->binlog;
	if (sink_table_init(&shape->table, mapping, pg_identifier, err) < 0 ||
		check_table(shape, mapping, answer, err) < 0)
		goto fail;
	shape->table.cascades = is_true(answer, 0, Q_CASCADES);
	shape->table.key_cascades = is_true(answer, 0, Q_KEY_CASCADES);
	shape->columns = calloc(shape->table.column_count, sizeof *shape->columns);
	if (shape->columns == NULL) {
		(void)error_set(err, ERROR_RETRY, "memory is short");
		goto fail;
	}
	for (size_t i = 0; i < shape->table.column_count; i++)
		if (check_column(shape, i, answer, err) < 0)
			goto fail;
	if (check_others(shape, answer, err) < 0 || check_key(shape, mapping, err) < 0)
		goto fail;
	*ret_shape = shape;
	return 0;
fail:
	shape_free(shape);
	return -1;
}

void shape_free(struct shape *shape)
{
	if (shape == NULL)
		return;
	for (size_t i = 0; i < shape->table.column_count && shape->columns != NULL; i++)
		free(shape->columns[i].equals);
	free(shape->columns);
	sink_table_release(&shape->table);
	free(shape);
}

/* ---- SQL ---- */

void shape_insert(const struct shape *shape, size_t rows, struct buf *sql, Oid *types)
{
	size_t n = 0;

	buf_printf(sql, "INSERT INTO %s ", shape->table.quoted);
	sink_table_list(&shape->table, false, sql);
	buf_printf(sql, "%s VALUES ", shape->overriding ? " OVERRIDING SYSTEM VALUE" : "");
	for (size_t row = 0; row < rows; row++) {
		buf_append_str(sql, row > 0 ? ",(" : "(");
		for (size_t i = 0; i < shape->table.column_count; i++) {
			if (types != NULL)
				types[n] = shape->columns[i].type;
			buf_printf(sql, i > 0 ? ",$%zu" : "$%zu", ++n);
		}
		buf_append_byte(sql, ')');
	}
}

/* The key is that of parameters n + 1 ...; but a column of `set` (NULL: none) has its new value. */
static void put_key(
	const struct shape *shape, size_t n, const struct sink_set *set, struct buf *sql, Oid *types)
{
	for (size_t k = 0; k < shape->table.key_count; k++) {
		size_t at = shape->table.key[k], param = n + k + 1;
		const struct shape_column *column = &shape->columns[at];

		if (types != NULL)
			types[param - 1] = column->type;
		if (set != NULL && sink_set_has(set, at)) {
			param = 0;
			for (size_t i = 0; i <= at; i++)
				param += sink_set_has(set, i) ? 1 : 0;
		}
		buf_append_str(sql, k > 0 ? " AND " : "");
		buf_printf(sql, "%s OPERATOR(%s) $%zu", shape->table.columns[at].quoted, column->equals, param);
	}
}

/* WHERE ...; n: parameters so far. */
static void put_identity(const struct shape *shape, size_t n, struct buf *sql, Oid *types)
{
	const struct sink_table *table = &shape->table;

	if (table->key_count > 0) {
		buf_append_str(sql, " WHERE ");
		put_key(shape, n, NULL, sql, types);
		return;
	}
	buf_printf(sql, " WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM %s", table->quoted);
	for (size_t i = 0; i < table->column_count; i++) {
		if (types != NULL)
			types[n] = shape->columns[i].type;
		buf_printf(sql, "%s%s::text IS NOT DISTINCT FROM $%zu::text", i > 0 ? " AND " : " WHERE ",
			table->columns[i].quoted, ++n);
	}
	buf_append_str(sql, " LIMIT 1)");
}

void shape_update(const struct shape *shape, const struct sink_set *set, struct buf *sql, Oid *types)
{
	bool moves = false;
	size_t n = 0;

	buf_printf(sql, "UPDATE %s SET ", shape->table.quoted);
	for (size_t i = 0; i < shape->table.column_count; i++) {
		if (!sink_set_has(set, i))
			continue;
		if (n > 0)
			buf_append_byte(sql, ',');
		if (types != NULL)
			types[n] = shape->columns[i].type;
		buf_printf(sql, "%s=$%zu", shape->table.columns[i].quoted, ++n);
		moves = moves || shape->table.columns[i].key;
	}
	put_identity(shape, n, sql, types);
	if (moves && shape->table.key_cascades) {
		buf_append_str(sql, " OR ");
		put_key(shape, n, set, sql, types);
	}
}

void shape_delete(const struct shape *shape, struct buf *sql, Oid *types)
{
	buf_printf(sql, "DELETE FROM %s", shape->table.quoted);
	put_identity(shape, 0, sql, types);
}
