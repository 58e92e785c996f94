/*
 * decode_types.c: the table of built-in types; arrays stand beside their element. Only a Relation message looks here.
 *
 * Not arrays here, though PostgreSQL calls them so: int2vector and oidvector (their text has no braces) and box[]
 * (its delimiter is ';'). All three are carried as text.
 */
#include "capture/decode_types.h"

#include <stdio.h>
#include <string.h>

#define NUMERIC_SCALE_BITS 0x7ff /* of a numeric's modifier; two's complement since PostgreSQL 15 */
#define MODIFIER_HEADER 4        /* VARHDRSZ: added to the modifiers of numeric, varchar and char */
#define SECOND_DIGITS 6          /* kept by a time type without a modifier */

enum modifier { PLAIN, LENGTH, BITS, DECIMAL, SECONDS, INTERVAL };

struct builtin {
	uint32_t oid;
	uint32_t array; /* 0: its array has no braces and commas */
	enum column_type type;
	enum modifier modifier;
	const char *name; /* as format_type() says */
	const char *tail; /* behind the modifier */
};

static const struct builtin builtins[] = {
	{ 16, 1000, COLUMN_BOOL, PLAIN, "boolean", "" },
	{ 17, 1001, COLUMN_BYTES, PLAIN, "bytea", "" },
	{ 18, 1002, COLUMN_STRING, PLAIN, "\"char\"", "" },
	{ 19, 1003, COLUMN_STRING, PLAIN, "name", "" },
	{ 20, 1016, COLUMN_INT64, PLAIN, "bigint", "" },
	{ 21, 1005, COLUMN_INT16, PLAIN, "smallint", "" },
	{ 22, 1006, COLUMN_STRING, PLAIN, "int2vector", "" },
	{ 23, 1007, COLUMN_INT32, PLAIN, "integer", "" },
	{ 24, 1008, COLUMN_STRING, PLAIN, "regproc", "" },
	{ 25, 1009, COLUMN_STRING, PLAIN, "text", "" },
	{ 26, 1028, COLUMN_INT64, PLAIN, "oid", "" },
	{ 27, 1010, COLUMN_STRING, PLAIN, "tid", "" },
	{ 28, 1011, COLUMN_STRING, PLAIN, "xid", "" },
	{ 29, 1012, COLUMN_STRING, PLAIN, "cid", "" },
	{ 30, 1013, COLUMN_STRING, PLAIN, "oidvector", "" },
	{ 114, 199, COLUMN_JSON, PLAIN, "json", "" },
	{ 142, 143, COLUMN_XML, PLAIN, "xml", "" },
	{ 600, 1017, COLUMN_STRING, PLAIN, "point", "" },
	{ 601, 1018, COLUMN_STRING, PLAIN, "lseg", "" },
	{ 602, 1019, COLUMN_STRING, PLAIN, "path", "" },
	{ 603, 0, COLUMN_STRING, PLAIN, "box", "" },
	{ 604, 1027, COLUMN_STRING, PLAIN, "polygon", "" },
	{ 628, 629, COLUMN_STRING, PLAIN, "line", "" },
	{ 650, 651, COLUMN_STRING, PLAIN, "cidr", "" },
	{ 700, 1021, COLUMN_FLOAT32, PLAIN, "real", "" },
	{ 701, 1022, COLUMN_FLOAT64, PLAIN, "double precision", "" },
	{ 718, 719, COLUMN_STRING, PLAIN, "circle", "" },
	{ 774, 775, COLUMN_STRING, PLAIN, "macaddr8", "" },
	{ 790, 791, COLUMN_STRING, PLAIN, "money", "" },
	{ 829, 1040, COLUMN_STRING, PLAIN, "macaddr", "" },
	{ 869, 1041, COLUMN_STRING, PLAIN, "inet", "" },
	{ 1020, 0, COLUMN_STRING, PLAIN, "box[]", "" },
	{ 1033, 1034, COLUMN_STRING, PLAIN, "aclitem", "" },
	{ 1042, 1014, COLUMN_STRING, LENGTH, "character", "" },
	{ 1043, 1015, COLUMN_STRING, LENGTH, "character varying", "" },
	{ 1082, 1182, COLUMN_DATE, PLAIN, "date", "" },
	{ 1083, 1183, COLUMN_TIME, SECONDS, "time", " without time zone" },
	{ 1114, 1115, COLUMN_TIMESTAMP, SECONDS, "timestamp", " without time zone" },
	{ 1184, 1185, COLUMN_TIMESTAMPTZ, SECONDS, "timestamp", " with time zone" },
	{ 1186, 1187, COLUMN_INTERVAL, INTERVAL, "interval", "" },
	{ 1266, 1270, COLUMN_TIMETZ, SECONDS, "time", " with time zone" },
	{ 1560, 1561, COLUMN_STRING, BITS, "bit", "" },
	{ 1562, 1563, COLUMN_STRING, BITS, "bit varying", "" },
	{ 1700, 1231, COLUMN_DECIMAL, DECIMAL, "numeric", "" },
	{ 1790, 2201, COLUMN_STRING, PLAIN, "refcursor", "" },
	{ 2202, 2207, COLUMN_STRING, PLAIN, "regprocedure", "" },
	{ 2203, 2208, COLUMN_STRING, PLAIN, "regoper", "" },
	{ 2204, 2209, COLUMN_STRING, PLAIN, "regoperator", "" },
	{ 2205, 2210, COLUMN_STRING, PLAIN, "regclass", "" },
	{ 2206, 2211, COLUMN_STRING, PLAIN, "regtype", "" },
	{ 2950, 2951, COLUMN_UUID, PLAIN, "uuid", "" },
	{ 2970, 2949, COLUMN_STRING, PLAIN, "txid_snapshot", "" },
	{ 3220, 3221, COLUMN_STRING, PLAIN, "pg_lsn", "" },
	{ 3614, 3643, COLUMN_STRING, PLAIN, "tsvector", "" },
	{ 3615, 3645, COLUMN_STRING, PLAIN, "tsquery", "" },
	{ 3642, 3644, COLUMN_STRING, PLAIN, "gtsvector", "" },
	{ 3734, 3735, COLUMN_STRING, PLAIN, "regconfig", "" },
	{ 3769, 3770, COLUMN_STRING, PLAIN, "regdictionary", "" },
	{ 3802, 3807, COLUMN_JSON, PLAIN, "jsonb", "" },
	{ 3904, 3905, COLUMN_STRING, PLAIN, "int4range", "" },
	{ 3906, 3907, COLUMN_STRING, PLAIN, "numrange", "" },
	{ 3908, 3909, COLUMN_STRING, PLAIN, "tsrange", "" },
	{ 3910, 3911, COLUMN_STRING, PLAIN, "tstzrange", "" },
	{ 3912, 3913, COLUMN_STRING, PLAIN, "daterange", "" },
	{ 3926, 3927, COLUMN_STRING, PLAIN, "int8range", "" },
	{ 4072, 4073, COLUMN_STRING, PLAIN, "jsonpath", "" },
	{ 4089, 4090, COLUMN_STRING, PLAIN, "regnamespace", "" },
	{ 4096, 4097, COLUMN_STRING, PLAIN, "regrole", "" },
	{ 4191, 4192, COLUMN_STRING, PLAIN, "regcollation", "" },
	{ 4451, 6150, COLUMN_STRING, PLAIN, "int4multirange", "" },
	{ 4532, 6151, COLUMN_STRING, PLAIN, "nummultirange", "" },
	{ 4533, 6152, COLUMN_STRING, PLAIN, "tsmultirange", "" },
	{ 4534, 6153, COLUMN_STRING, PLAIN, "tstzmultirange", "" },
	{ 4535, 6155, COLUMN_STRING, PLAIN, "datemultirange", "" },
	{ 4536, 6157, COLUMN_STRING, PLAIN, "int8multirange", "" },
	{ 5038, 5039, COLUMN_STRING, PLAIN, "pg_snapshot", "" },
	{ 5069, 271, COLUMN_STRING, PLAIN, "xid8", "" },
};

/* "interval day to second(3)": the modifier holds a set of fields and the digits. */
static void interval_modifier(int32_t typmod, char *ret, size_t size)
{
	static const struct {
		unsigned fields;
		const char *text;
	} ranges[] = {
		{ 0x0004, " year" }, { 0x0002, " month" }, { 0x0008, " day" }, { 0x0400, " hour" }, { 0x0800, " minute" },
		{ 0x1000, " second" }, { 0x0006, " year to month" }, { 0x0408, " day to hour" }, { 0x0c08, " day to minute" },
		{ 0x1c08, " day to second" }, { 0x0c00, " hour to minute" }, { 0x1c00, " hour to second" },
		{ 0x1800, " minute to second" },
	};
	unsigned fields = ((uint32_t)typmod >> 16) & 0x7fff, digits = (uint32_t)typmod & 0xffff;
	const char *range = "";

	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		if (ranges[i].fields == fields)
			range = ranges[i].text;
	if (digits == 0xffff)
		(void)snprintf(ret, size, "%s", range);
	else
		(void)snprintf(ret, size, "%s(%u)", range, digits);
}

static void describe(const struct builtin *builtin, int32_t typmod, struct pg_type *ret)
{
	const char *name = builtin->name;
	char modifier[64] = "";
	int precision, scale;

	ret->type = builtin->type;
	if (builtin->modifier == SECONDS)
		ret->fraction = typmod >= 0 && typmod <= SECOND_DIGITS ? typmod : SECOND_DIGITS;
	if (typmod < 0) {
		/* Without a length, "character" and "bit" would mean a length of one. */
		if (builtin->oid == 1042)
			name = "bpchar";
		else if (builtin->oid == 1560)
			name = "\"bit\"";
	} else if (builtin->modifier == DECIMAL && typmod >= MODIFIER_HEADER) {
		precision = ((typmod - MODIFIER_HEADER) >> 16) & 0xffff;
		scale = (((typmod - MODIFIER_HEADER) & NUMERIC_SCALE_BITS) ^ 1024) - 1024;
		if (scale >= 0 && scale <= precision) {
			ret->precision = precision;
			ret->scale = scale;
		}
		(void)snprintf(modifier, sizeof modifier, "(%d,%d)", precision, scale);
	} else if (builtin->modifier == LENGTH && typmod >= MODIFIER_HEADER) {
		(void)snprintf(modifier, sizeof modifier, "(%d)", typmod - MODIFIER_HEADER);
	} else if (builtin->modifier == BITS || builtin->modifier == SECONDS) {
		(void)snprintf(modifier, sizeof modifier, "(%d)", typmod);
	} else if (builtin->modifier == INTERVAL) {
		interval_modifier(typmod, modifier, sizeof modifier);
	}
	(void)snprintf(ret->name, sizeof ret->name, "%s%s%s", name, modifier, builtin->tail);
}

bool pg_type_builtin(uint32_t oid, int32_t typmod, struct pg_type *ret)
{
	struct pg_type type;

	if (oid == 0)
		return false;
	memset(&type, 0, sizeof type);
	for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++) {
		const struct builtin *builtin = &builtins[i];

		if (builtin->oid != oid && builtin->array != oid)
			continue;
		describe(builtin, typmod, &type);
		if (builtin->array == oid) {
			size_t len = strlen(type.name);

			type.element_type = type.type;
			type.type = COLUMN_ARRAY;
			(void)snprintf(type.name + len, sizeof type.name - len, "[]");
		}
		*ret = type;
		return true;
	}
	return false;
}
