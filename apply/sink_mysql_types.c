/*
 * sink_mysql_types.c: the matrix of types, by families.
 *
 *   integers, bool, bits, years   by their ranges: what the source's type spans must lie in what the target's spans
 *   decimals                      digits before and behind the point
 *   texts and bytes               by length where the source's type has one; CHAR and BINARY only for the same (the
 *                                 server pads and strips them)
 *   dates and times               same kind, and as many digits of the second
 *   everything carried as text    into a text
 */
#include "apply/sink_mysql_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "apply/sink_text.h"

#define NAME_MAX_LEN 64
#define SHOWN 64 /* of a value in a message */

/* A source's type, taken apart: "character varying(20)" -> "character varying", 20; "int unsigned" -> "int", unsigned. */
struct spelling {
	char name[NAME_MAX_LEN];
	long number; /* the first in the parentheses; -1: none */
	bool is_unsigned;
};

static struct spelling spell(const char *type)
{
	struct spelling spelling = { .number = -1 };
	const char *open;
	size_t len;

	if (type == NULL)
		return spelling;
	open = strchr(type, '(');
	spelling.is_unsigned = strstr(type, "unsigned") != NULL;
	if (open != NULL)
		spelling.number = strtol(open + 1, NULL, 10);
	len = open != NULL ? (size_t)(open - type) : strlen(type);
	(void)snprintf(spelling.name, sizeof spelling.name, "%.*s", (int)len, type);
	for (char *word = strstr(spelling.name, " unsigned"); word != NULL; word = NULL)
		*word = '\0';
	return spelling;
}

bool my_engine_is_safe(const char *name)
{
	return strcasecmp(name, "InnoDB") == 0 || strcasecmp(name, "ROCKSDB") == 0;
}

/* ---- integers ---- */

struct range {
	int64_t least;
	uint64_t most;
};

static bool integer_range(const char *name, bool is_unsigned, struct range *ret)
{
	static const struct {
		const char *names;
		int bits;
	} types[] = { { "tinyint", 8 }, { "smallint", 16 }, { "mediumint", 24 }, { "int integer", 32 },
		{ "bigint", 64 } };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		int bits = types[i].bits;

		if (!sink_is_one_of(name, types[i].names))
			continue;
		ret->most = UINT64_MAX >> (64 - bits) >> (is_unsigned ? 0 : 1);
		ret->least = is_unsigned ? 0 : -(int64_t)(ret->most) - 1;
		return true;
	}
	return false;
}

static struct range source_range(const struct column *source)
{
	struct spelling spelling = spell(source->source_type);
	struct range range;

	switch (source->type) {
	case COLUMN_BOOL:
		return (struct range){ 0, 1 };
	case COLUMN_YEAR:
		return (struct range){ 0, 2155 };
	case COLUMN_BITS:
		return (struct range){ 0, UINT64_MAX >> (source->precision >= 1 && source->precision < 64 ?
			64 - source->precision : 0) };
	case COLUMN_UINT64:
		return (struct range){ 0, UINT64_MAX };
	default:
		break;
	}
	if (integer_range(spelling.name, spelling.is_unsigned, &range))
		return range;
	if (strcmp(spelling.name, "oid") == 0)
		return (struct range){ 0, UINT32_MAX };
	(void)integer_range(source->type == COLUMN_INT16 ? "smallint" :
			source->type == COLUMN_INT32     ? "int" :
							   "bigint",
		false, &range);
	return range;
}

static int decimal_digits(uint64_t number)
{
	int digits = 1;

	for (; number >= 10; number /= 10)
		digits++;
	return digits;
}

static bool integer_holds(const struct column *source, const struct my_type *target, struct my_format *format)
{
	struct range from = source_range(source), to;
	bool is_unsigned = strstr(target->declared, "unsigned") != NULL;
	uint64_t below = from.least < 0 ? 0 - (uint64_t)from.least : 0;

	format->form = MY_NUMBER;
	format->bits = strcmp(target->name, "bit") == 0;
	format->year = strcmp(target->name, "year") == 0;
	if (integer_range(target->name, is_unsigned, &to))
		return from.least >= to.least && from.most <= to.most;
	if (format->bits)
		return (source->type == COLUMN_BOOL || source->type == COLUMN_BITS) &&
			from.most <= UINT64_MAX >> (64 - target->precision);
	if (format->year)
		return source->type == COLUMN_YEAR;
	if (strcmp(target->name, "decimal") == 0 && source->type != COLUMN_BOOL) {
		format->form = MY_DECIMAL;
		format->scale = target->scale;
		return (!is_unsigned || from.least >= 0) && target->precision - target->scale >=
			decimal_digits(from.most > below ? from.most : below);
	}
	return false;
}

/* ---- texts and bytes ---- */

/* The most that the source's type holds; 0: not known from the type. */
static void source_length(const struct spelling *spelling, uint64_t *ret_chars, uint64_t *ret_bytes)
{
	*ret_chars = *ret_bytes = 0;
	if (sink_is_one_of(spelling->name, "varchar char bpchar character") ||
		strcmp(spelling->name, "character varying") == 0)
		*ret_chars = spelling->number > 0 ? (uint64_t)spelling->number :
			strcmp(spelling->name, "char") == 0 || strcmp(spelling->name, "character") == 0 ? 1 : 0;
	else if (sink_is_one_of(spelling->name, "varbinary binary"))
		*ret_bytes = spelling->number > 0 ? (uint64_t)spelling->number : 1;
	else if (sink_is_one_of(spelling->name, "tinytext tinyblob"))
		*ret_bytes = 255;
	else if (sink_is_one_of(spelling->name, "mediumtext mediumblob"))
		*ret_bytes = (1u << 24) - 1;
	else if (sink_is_one_of(spelling->name, "longtext longblob"))
		*ret_bytes = UINT32_MAX;
}

static bool is_text(const struct my_type *target)
{
	return sink_is_one_of(target->name, "char varchar tinytext text mediumtext longtext");
}

/* Of a value that is carried as text. chars, bytes: the most that the source's type holds, 0 if that is not known. */
static bool text_holds(
	const struct my_type *target, uint64_t chars, uint64_t bytes, bool padded, struct my_format *format)
{
	bool counted = sink_is_one_of(target->name, "char varchar");

	if (!is_text(target))
		return false;
	format->form = strcmp(target->name, "char") == 0 ? MY_PADDED : MY_TEXT;
	format->chars = counted ? target->chars : 0;
	format->bytes = counted ? 0 : target->bytes;
	format->raw = target->utf8;
	if (format->form == MY_PADDED && !padded)
		return false;
	if (chars > 0)
		return counted ? chars <= target->chars : chars <= target->bytes / 4 || target->bytes > 65535;
	if (bytes > 0)
		return counted ? bytes <= target->chars : bytes <= target->bytes;
	return true;
}

static bool string_holds(const struct column *source, const struct my_type *target, struct my_format *format)
{
	struct spelling spelling = spell(source->source_type);
	uint64_t chars, bytes;

	if (sink_is_one_of(target->name, "inet4 inet6")) {
		format->form = MY_TEXT;
		return strcmp(spelling.name, target->name) == 0;
	}
	source_length(&spelling, &chars, &bytes);
	return text_holds(target, chars, bytes, sink_is_one_of(spelling.name, "char character bpchar"), format);
}

static bool bytes_hold(const struct column *source, const struct my_type *target, struct my_format *format)
{
	struct spelling spelling = spell(source->source_type);
	uint64_t chars, bytes;

	format->form = MY_BYTES;
	format->bytes = target->bytes;
	source_length(&spelling, &chars, &bytes);
	if (strcmp(target->name, "binary") == 0)
		return strcmp(spelling.name, "binary") == 0 && bytes == target->bytes;
	return sink_is_one_of(target->name, "varbinary tinyblob blob mediumblob longblob") && bytes <= target->bytes;
}

static bool uuid_holds(const struct my_type *target, struct my_format *format)
{
	format->form = MY_TEXT;
	if (strcmp(target->name, "uuid") == 0)
		return true;
	if (strcmp(target->name, "binary") == 0) {
		format->form = MY_UUID_BYTES;
		return target->bytes == 16;
	}
	return text_holds(target, 36, 0, true, format);
}

/* ---- labels ---- */

/* The label that `at` opens ("'it''s',..."), without its quotes; *next: behind it. A backslash may stand for itself or for the next character. */
static bool label_matches(const char *at, const char *label, size_t len, bool escapes, const char **next)
{
	size_t taken = 0;
	bool same = true;

	for (at++; *at != '\0'; at++) {
		if (*at == '\'' && at[1] != '\'')
			break;
		if (*at == '\'' || (escapes && *at == '\\' && at[1] != '\0'))
			at++;
		same = same && taken < len && *at == label[taken];
		taken += same ? 1 : 0;
	}
	*next = *at != '\0' ? at + 1 : at;
	return same && taken == len;
}

static bool has_label(const char *declared, const char *label, size_t len)
{
	for (int escapes = 0; escapes < 2; escapes++) {
		const char *at = strchr(declared, '\'');

		while (at != NULL && *at == '\'') {
			if (label_matches(at, label, len, escapes != 0, &at))
				return true;
			if (*at == ',')
				at++;
		}
	}
	return false;
}

/*
 * A text that is no label but reads as a number, the server takes for the label of that number, in strict mode too. What does not begin like
 * one is left to it: it says that there is no such label.
 */
int my_check_label(
	const struct my_format *format, const struct column *column, const char *text, size_t len, struct error *err)
{
	const char *end = text + len;

	if (!format->labels || len == 0 || memchr("0123456789+- \t\n\v\f\r", text[0], 18) == NULL)
		return 0;
	for (const char *next; text <= end; text = next + 1) {
		next = column->type == COLUMN_SET ? memchr(text, ',', (size_t)(end - text)) : NULL;
		if (next == NULL)
			next = end;
		if (has_label(format->declared, text, (size_t)(next - text)))
			continue;
		(void)error_set(err, ERROR_DATA, "column %s: %s of the target has no label \"%.*s\"", column->name,
			format->declared, (int)(len < SHOWN ? len : SHOWN), end - len);
		return error_hint(err, "ALTER TABLE ... MODIFY the column with all labels of the source, then resume");
	}
	return 0;
}

static bool has_labels(const struct my_type *target)
{
	return sink_is_one_of(target->name, "enum set");
}

const char *my_missing_label(const struct column *source, const struct my_type *target)
{
	if (!has_labels(target))
		return NULL;
	for (size_t i = 0; i < source->label_count; i++)
		if (!has_label(target->declared, source->labels[i], strlen(source->labels[i])))
			return source->labels[i];
	return NULL;
}

/* Labels are compared apart, for their own message. */
static bool labels_hold(const struct column *source, const struct my_type *target, struct my_format *format)
{
	if (has_labels(target)) {
		format->form = MY_TEXT;
		format->labels = true;
		return source->label_count > 0 && strcmp(target->name, source->type == COLUMN_SET ? "set" : "enum") == 0;
	}
	return text_holds(target, 0, 0, false, format);
}

/* ---- the rest ---- */

static bool decimal_holds(const struct column *source, const struct my_type *target, struct my_format *format)
{
	bool is_unsigned = strstr(target->declared, "unsigned") != NULL;

	if (strcmp(target->name, "decimal") != 0)
		return text_holds(target, 0, 0, false, format);
	format->form = MY_DECIMAL;
	format->scale = target->scale;
	if (is_unsigned && !spell(source->source_type).is_unsigned)
		return false;
	if (source->precision == 0)
		return target->precision == 65 && target->scale == 30;
	return target->scale >= source->scale &&
		target->precision - target->scale >= source->precision - source->scale;
}

/* FLOAT(7,2) rounds without a word, and UNSIGNED has no negative numbers. */
static bool float_holds(const struct column *source, const struct my_type *target, struct my_format *format)
{
	bool single = strcmp(target->name, "float") == 0;

	format->form = single ? MY_FLOAT : MY_DOUBLE;
	if (!single && strcmp(target->name, "double") != 0)
		return false;
	if (strcmp(target->name, target->declared) != 0 &&
		(source->source_type == NULL || strcmp(source->source_type, target->declared) != 0))
		return false;
	return !single || source->type == COLUMN_FLOAT32;
}

static bool time_holds(const struct column *source, const struct my_type *target, const char *names,
	enum my_form form, struct my_format *format)
{
	format->form = form;
	return sink_is_one_of(target->name, names) && target->fraction >= source->fraction;
}

static bool json_holds(const struct my_type *target, struct my_format *format)
{
	format->native_json = strcmp(target->name, "json") == 0;
	format->form = MY_JSON;
	return format->native_json || text_holds(target, 0, 0, false, format);
}

static bool array_holds(const struct my_type *target, struct my_format *format)
{
	if (!json_holds(target, format))
		return false;
	format->form = format->native_json || target->json ? MY_ARRAY_JSON : MY_ARRAY_TEXT;
	return true;
}

static bool geometry_holds(const struct column *source, const struct my_type *target, struct my_format *format)
{
	struct spelling spelling = spell(source->source_type);

	format->form = MY_OPAQUE;
	if (strcmp(target->name, "geometry") == 0)
		return true;
	if (sink_is_one_of(target->name, "geomcollection geometrycollection"))
		return sink_is_one_of(spelling.name, "geomcollection geometrycollection");
	return sink_is_one_of(target->name, "point linestring polygon multipoint multilinestring multipolygon") &&
		strcmp(target->name, spelling.name) == 0;
}

static bool vector_holds(const struct column *source, const struct my_type *target, struct my_format *format)
{
	if (strcmp(target->name, "vector") != 0)
		return strcmp(target->name, "binary") != 0 && bytes_hold(source, target, format);
	format->form = MY_OPAQUE;
	return true;
}

bool my_type_holds(const struct column *source, const struct my_type *target, struct my_format *format)
{
	switch (source->type) {
	case COLUMN_BOOL:
	case COLUMN_INT16:
	case COLUMN_INT32:
	case COLUMN_INT64:
	case COLUMN_UINT64:
	case COLUMN_BITS:
	case COLUMN_YEAR:
		return integer_holds(source, target, format);
	case COLUMN_FLOAT32:
	case COLUMN_FLOAT64:
		return float_holds(source, target, format);
	case COLUMN_DECIMAL:
		return decimal_holds(source, target, format);
	case COLUMN_STRING:
		return string_holds(source, target, format);
	case COLUMN_BYTES:
		return bytes_hold(source, target, format);
	case COLUMN_JSON:
		return json_holds(target, format);
	case COLUMN_UUID:
		return uuid_holds(target, format);
	case COLUMN_ENUM:
	case COLUMN_SET:
		return labels_hold(source, target, format);
	case COLUMN_DATE:
		return time_holds(source, target, "date", MY_DATE, format);
	case COLUMN_TIME:
	case COLUMN_DURATION:
		return time_holds(source, target, "time", MY_TIME, format);
	case COLUMN_TIMESTAMP:
		return time_holds(source, target, "datetime", MY_DATETIME, format);
	case COLUMN_TIMESTAMPTZ:
		return time_holds(source, target, "timestamp datetime", MY_DATETIME, format);
	case COLUMN_XML:
	case COLUMN_TIMETZ:
	case COLUMN_INTERVAL:
		return text_holds(target, 0, 0, false, format);
	case COLUMN_ARRAY:
		return array_holds(target, format);
	case COLUMN_GEOMETRY:
		return geometry_holds(source, target, format);
	case COLUMN_VECTOR:
		return vector_holds(source, target, format);
	}
	return false;
}

/* ---- advice ---- */

void my_type_wanted(const struct column *source, struct buf *out)
{
	static const char *const names[] = { [COLUMN_BOOL] = "TINYINT(1)", [COLUMN_INT16] = "SMALLINT",
		[COLUMN_INT32] = "INT", [COLUMN_INT64] = "BIGINT", [COLUMN_UINT64] = "BIGINT UNSIGNED",
		[COLUMN_FLOAT32] = "FLOAT", [COLUMN_FLOAT64] = "DOUBLE", [COLUMN_STRING] = "VARCHAR(n) or LONGTEXT",
		[COLUMN_BYTES] = "LONGBLOB", [COLUMN_JSON] = "JSON", [COLUMN_XML] = "LONGTEXT",
		[COLUMN_UUID] = "CHAR(36), BINARY(16) or MariaDB's UUID",
		[COLUMN_ENUM] = "ENUM with the source's labels, or VARCHAR(n)", [COLUMN_DATE] = "DATE",
		[COLUMN_TIME] = "TIME", [COLUMN_TIMETZ] = "VARCHAR(n)", [COLUMN_TIMESTAMP] = "DATETIME",
		[COLUMN_TIMESTAMPTZ] = "DATETIME", [COLUMN_INTERVAL] = "VARCHAR(n)", [COLUMN_ARRAY] = "JSON or LONGTEXT",
		[COLUMN_YEAR] = "YEAR", [COLUMN_SET] = "SET with the source's labels, or VARCHAR(n)",
		[COLUMN_DURATION] = "TIME", [COLUMN_GEOMETRY] = "GEOMETRY", [COLUMN_VECTOR] = "VECTOR or LONGBLOB" };
	struct spelling spelling = spell(source->source_type);
	uint64_t chars, bytes;

	source_length(&spelling, &chars, &bytes);
	if (source->type == COLUMN_DECIMAL && source->precision > 0 && source->precision <= 65 && source->scale <= 30)
		buf_printf(out, "DECIMAL(%d,%d)", source->precision, source->scale);
	else if (source->type == COLUMN_DECIMAL)
		buf_append_str(out, "DECIMAL(65,30) or LONGTEXT");
	else if (source->type == COLUMN_BITS)
		buf_printf(out, "BIT(%d)", source->precision);
	else if (source->type == COLUMN_STRING && chars > 0)
		buf_printf(out, "VARCHAR(%ju)", (uintmax_t)chars);
	else if ((size_t)source->type < sizeof names / sizeof names[0] && names[source->type] != NULL)
		buf_append_str(out, names[source->type]);
	if (source->fraction > 0 && (source->type == COLUMN_TIME || source->type == COLUMN_DURATION ||
					    source->type == COLUMN_TIMESTAMP || source->type == COLUMN_TIMESTAMPTZ))
		buf_printf(out, "(%d)", source->fraction);
}
