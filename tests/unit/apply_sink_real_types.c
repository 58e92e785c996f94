/*
 * apply_sink_real_types.c: every type of column against a real PostgreSQL: what is sent is what the server prints, or is refused by name. Part of apply_sink_real.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "apply/sink.h"
#include "tests/unit/sink_fixture.h"
#include "tests/unit/values.h"
#include "tests/unit/apply_sink_real.h"

/* ---- values ---- */

static const struct value int_items[] = { INT(1), NOTHING, INT(-3) };
static const struct value text_items[] = { TEXT("a,b"), TEXT(""), TEXT("NULL"), TEXT("\"\\{}"), NOTHING };
static const struct value time_items[] = { INT(0), EXACT("infinity") };
static const struct value bytes_items[] = { BYTES("\0\x01") };

static const struct {
	const char *type;
	struct column column;
	struct value val;
	const char *text;
} values[] = {
	{ "boolean", { .type = COLUMN_BOOL }, { .kind = VALUE_BOOL, .b = true }, "true" },
	{ "smallint", { .type = COLUMN_INT16 }, INT(-32768), "-32768" },
	{ "integer", { .type = COLUMN_INT32 }, INT(INT32_MIN), "-2147483648" },
	{ "bigint", { .type = COLUMN_INT64 }, INT(INT64_MIN), "-9223372036854775808" },
	{ "bigint", { .type = COLUMN_INT16 }, INT(-1), "-1" },
	{ "numeric", { .type = COLUMN_INT64 }, INT(INT64_MAX), "9223372036854775807" },
	{ "oid", { .type = COLUMN_INT64, .source_type = "oid" }, INT(4294967295), "4294967295" },
	{ "numeric(20,0)", { .type = COLUMN_UINT64 }, { .kind = VALUE_UINT, .u = UINT64_MAX }, "18446744073709551615" },
	{ "real", { .type = COLUMN_FLOAT32 }, FLOAT((double)3.4028235e38f), "3.4028235e+38" },
	{ "real", { .type = COLUMN_FLOAT32 }, FLOAT(-0.0), "-0" },
	{ "double precision", { .type = COLUMN_FLOAT64 }, FLOAT(5e-324), "5e-324" },
	{ "double precision", { .type = COLUMN_FLOAT64 }, FLOAT(1.7976931348623157e308), "1.7976931348623157e+308" },
	{ "double precision", { .type = COLUMN_FLOAT64 }, FLOAT(NAN), "NaN" },
	{ "double precision", { .type = COLUMN_FLOAT64 }, FLOAT(-INFINITY), "-Infinity" },
	{ "double precision", { .type = COLUMN_FLOAT32 }, FLOAT((double)0.1f), "0.10000000149011612" },
	{ "numeric(12,2)", { .type = COLUMN_DECIMAL, .precision = 12, .scale = 2 }, TEXT("-9999999999.99"),
		"-9999999999.99" },
	{ "numeric", { .type = COLUMN_DECIMAL }, TEXT("0.00000000000000000000000000000000000000012300"),
		"0.00000000000000000000000000000000000000012300" },
	{ "numeric", { .type = COLUMN_DECIMAL }, EXACT("NaN"), "NaN" },
	{ "numeric", { .type = COLUMN_DECIMAL }, EXACT("-Infinity"), "-Infinity" },
	{ "money", { .type = COLUMN_DECIMAL, .precision = 19, .scale = 2, .source_type = "money" },
		TEXT("-92233720368547758.08"), "-$92,233,720,368,547,758.08" },
	{ "text", { .type = COLUMN_STRING, .source_type = "text" }, TEXT("h\xc3\xa4\n\t'\"\\"), "h\xc3\xa4\n\t'\"\\" },
	{ "text", { .type = COLUMN_STRING, .source_type = "text" }, TEXT(""), "" },
	{ "varchar(3)", { .type = COLUMN_STRING, .source_type = "character varying(3)" },
		TEXT("\xe2\x82\xac\xe2\x82\xac "), "\xe2\x82\xac\xe2\x82\xac " },
	{ "inet", { .type = COLUMN_STRING, .source_type = "inet" }, TEXT("10.1.0.0/16"), "10.1.0.0/16" },
	{ "int4range", { .type = COLUMN_STRING, .source_type = "int4range" }, TEXT("[1,5)"), "[1,5)" },
	{ "bit varying(9)", { .type = COLUMN_STRING, .source_type = "bit varying(9)" }, TEXT("010"), "010" },
	{ "point", { .type = COLUMN_STRING, .source_type = "point" }, TEXT("(1.5,-2)"), "(1.5,-2)" },
	{ "tsvector", { .type = COLUMN_STRING, .source_type = "tsvector" }, TEXT("'a':1A 'b'"), "'a':1A 'b'" },
	{ "bytea", { .type = COLUMN_BYTES }, BYTES("\0\xff\\'"), "\\x00ff5c27" },
	{ "jsonb", { .type = COLUMN_JSON, .source_type = "jsonb" }, TEXT("{\"a\": [1, 2.50]}"), "{\"a\": [1, 2.50]}" },
	{ "json", { .type = COLUMN_JSON, .source_type = "json" }, TEXT("{\"b\":1,  \"a\":2}"), "{\"b\":1,  \"a\":2}" },
	{ "xml", { .type = COLUMN_XML }, TEXT("<a>1</a><b/>"), "<a>1</a><b/>" },
	{ "uuid", { .type = COLUMN_UUID }, TEXT("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" },
	{ "t.mood", { .type = COLUMN_ENUM, .source_type = "mood" }, TEXT("it's"), "it's" },
	{ "text", { .type = COLUMN_ENUM, .source_type = "mood" }, TEXT("it's"), "it's" },
	{ "date", { .type = COLUMN_DATE }, INT(-2440588), "4714-11-24 BC" },
	{ "date", { .type = COLUMN_DATE }, INT(2145042905), "5874897-12-31" },
	{ "date", { .type = COLUMN_DATE }, EXACT("-infinity"), "-infinity" },
	{ "time", { .type = COLUMN_TIME, .fraction = 6 }, INT(86400 * US), "24:00:00" },
	{ "time(3)", { .type = COLUMN_TIME, .fraction = 3 }, INT(1500000), "00:00:01.5" },
	{ "timetz", { .type = COLUMN_TIMETZ }, TEXT("24:00:00-15:59:59"), "24:00:00-15:59:59" },
	{ "timestamp", { .type = COLUMN_TIMESTAMP, .fraction = 6 }, INT(-210866803200000000),
		"4714-11-24 00:00:00 BC" },
	{ "timestamp", { .type = COLUMN_TIMESTAMP, .fraction = 6 }, INT(INT64_MAX), "294247-01-10 04:00:54.775807" },
	{ "timestamp", { .type = COLUMN_TIMESTAMP, .fraction = 6 }, EXACT("294276-12-31 23:59:59.999999"),
		"294276-12-31 23:59:59.999999" },
	{ "timestamptz", { .type = COLUMN_TIMESTAMPTZ, .fraction = 6 }, INT(-1), "1969-12-31 23:59:59.999999+00" },
	{ "timestamptz", { .type = COLUMN_TIMESTAMPTZ, .fraction = 6 }, EXACT("infinity"), "infinity" },
	{ "interval", { .type = COLUMN_INTERVAL }, TEXT("-178000000 years -2 mons +3 days -04:05:06.789"),
		"-178000000 years -2 mons +3 days -04:05:06.789" },
	{ "integer[]", { .type = COLUMN_ARRAY, .element_type = COLUMN_INT32 }, ITEMS(int_items), "{1,NULL,-3}" },
	{ "text[]", { .type = COLUMN_ARRAY, .element_type = COLUMN_STRING, .source_type = "text[]" }, ITEMS(text_items),
		"{\"a,b\",\"\",\"NULL\",\"\\\"\\\\{}\",NULL}" },
	{ "date[]", { .type = COLUMN_ARRAY, .element_type = COLUMN_DATE }, ITEMS(time_items), "{1970-01-01,infinity}" },
	{ "timestamptz[]", { .type = COLUMN_ARRAY, .element_type = COLUMN_TIMESTAMPTZ }, ITEMS(time_items),
		"{\"1970-01-01 00:00:00+00\",infinity}" },
	{ "bytea[]", { .type = COLUMN_ARRAY, .element_type = COLUMN_BYTES }, ITEMS(bytes_items), "{\"\\\\x0001\"}" },
	{ "integer[]", { .type = COLUMN_ARRAY, .element_type = COLUMN_INT32 }, EXACT("[0:1][-1:0]={{1,2},{3,NULL}}"),
		"[0:1][-1:0]={{1,2},{3,NULL}}" },
	{ "box[]", { .type = COLUMN_STRING, .source_type = "box[]" }, TEXT("{(2,2),(1,1);(4,4),(3,3)}"),
		"{(2,2),(1,1);(4,4),(3,3)}" },
	{ "t.pair", { .type = COLUMN_STRING, .source_type = "pair" }, TEXT("(1,\"a \"\"b\"\"\")"),
		"(1,\"a \"\"b\"\"\")" },
	{ "t.short", { .type = COLUMN_STRING, .source_type = "character varying(5)" }, TEXT("abcde"), "abcde" },
	{ "integer", { .type = COLUMN_INT32 }, NOTHING, "(null)" },
	/* of MySQL and MariaDB */
	{ "bit(5)", { .type = COLUMN_BITS, .precision = 5 }, { .kind = VALUE_UINT, .u = 5 }, "00101" },
	{ "bit varying", { .type = COLUMN_BITS, .precision = 64 }, { .kind = VALUE_UINT, .u = UINT64_MAX },
		"1111111111111111111111111111111111111111111111111111111111111111" },
	{ "numeric(20)", { .type = COLUMN_BITS, .precision = 64 }, { .kind = VALUE_UINT, .u = UINT64_MAX },
		"18446744073709551615" },
	{ "bigint", { .type = COLUMN_BITS, .precision = 40 }, { .kind = VALUE_UINT, .u = 1099511627775 }, "1099511627775" },
	{ "boolean", { .type = COLUMN_BITS, .precision = 1 }, { .kind = VALUE_UINT, .u = 1 }, "true" },
	{ "boolean", { .type = COLUMN_INT16, .source_type = "tinyint(1)" }, INT(1), "true" },
	{ "smallint", { .type = COLUMN_YEAR }, INT(0), "0" },
	{ "numeric(4)", { .type = COLUMN_YEAR }, INT(2026), "2026" },
	{ "text", { .type = COLUMN_YEAR }, INT(0), "0000" },
	{ "text", { .type = COLUMN_SET }, TEXT("red,it's"), "red,it's" },
	{ "text[]", { .type = COLUMN_SET }, TEXT("red,it's,{\"}"), "{red,it's,\"{\\\"}\"}" },
	{ "text[]", { .type = COLUMN_SET }, TEXT(""), "{}" },
	{ "t.mood[]", { .type = COLUMN_SET }, TEXT("ok,it's"), "{ok,it's}" },
	{ "interval", { .type = COLUMN_DURATION, .fraction = 6 }, INT((838 * 3600 + 59 * 60 + 59) * -US - 500000),
		"-838:59:59.5" },
	{ "interval(3)", { .type = COLUMN_DURATION, .fraction = 3 }, INT(-1000), "-00:00:00.001" },
	{ "time", { .type = COLUMN_DURATION, .fraction = 6 }, INT(86400 * US), "24:00:00" },
	{ "text", { .type = COLUMN_DURATION }, INT(100 * 3600 * US), "100:00:00" },
	{ "bytea", { .type = COLUMN_GEOMETRY }, BYTES("\xe6\x10\0\0\1"), "\\xe610000001" },
	{ "real[]", { .type = COLUMN_VECTOR }, BYTES("\0\0\x80\x3f\xcd\xcc\xcc\x3d"), "{1,0.1}" },
	{ "real[]", { .type = COLUMN_VECTOR }, BYTES(""), "{}" },
	{ "double precision[]", { .type = COLUMN_VECTOR }, BYTES("\0\0\x80\xbf"), "{-1}" },
	{ "text", { .type = COLUMN_ENUM }, EXACT(""), "" },
	{ "text", { .type = COLUMN_DATE }, EXACT("0000-00-00"), "0000-00-00" },
	{ "text", { .type = COLUMN_DATE }, INT(0), "1970-01-01" },
	{ "text", { .type = COLUMN_TIMESTAMP, .fraction = 6 }, EXACT("2026-00-00 00:00:00.000000"),
		"2026-00-00 00:00:00.000000" },
	{ "text", { .type = COLUMN_TIMESTAMPTZ, .fraction = 6 }, INT(500000), "1970-01-01 00:00:00.5+00" },
	{ "inet", { .type = COLUMN_STRING, .source_type = "inet6" }, TEXT("2001:db8::1"), "2001:db8::1/128" },
	{ "char(4)", { .type = COLUMN_STRING, .source_type = "char(4)" }, TEXT("ab"), "ab" },
};

void every_type_arrives_equal(void **state)
{
	char sql[200];
	struct fixture f;

	fixture_start(&f,
		"CREATE TYPE t.mood AS ENUM ('ok', 'it''s'); CREATE TYPE t.pair AS (a int, b text); CREATE DOMAIN t.short AS varchar(5)");
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		struct value row[] = { INT(1), values[i].val };

		fixture_value(&f, 'v', i, values[i].type, &values[i].column);
		fixture_begin(&f, i + 1);
		fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
		fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, row, NULL));
		fixture_must(&f, fixture_commit(&f));
		(void)snprintf(sql, sizeof sql, "SELECT v::text FROM t.%s", f.name);
		fixture_expect(sql, values[i].text);
		/* And the whole-row match finds every one of them. */
		f.columns[0].key = false;
		f.table.key_count = 0;
		f.table.identity = IDENTITY_FULL;
		fixture_prepare(&f);
		fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
		fixture_must(&f, fixture_change(&f, CHANGE_DELETE, row, NULL, NULL));
		fixture_must(&f, fixture_commit(&f));
	}
	fixture_finish(&f);
}

/* What MySQL can hold and the target's type cannot is refused with table, column, key and binlog position. */
void a_value_that_only_mysql_has_is_refused_by_name(void **state)
{
	static const struct {
		const char *type;
		struct column column;
		struct value val;
		const char *text, *hint;
	} cases[] = {
		{ "date", { .type = COLUMN_DATE, .source_type = "date" }, EXACT("0000-00-00"),
			"column v: \"0000-00-00\" is no date for PostgreSQL", "make the target's column a text" },
		{ "timestamp", { .type = COLUMN_TIMESTAMP, .fraction = 6, .source_type = "datetime(6)" },
			EXACT("2026-02-31 10:00:00.000000"),
			"column v: \"2026-02-31 10:00:00.000000\" is no date for PostgreSQL", "make the target's column a text" },
		{ "time", { .type = COLUMN_DURATION, .source_type = "time" }, INT(-US),
			"column v: -1000000 us is no time of day", "make the target's column an interval" },
		{ "boolean", { .type = COLUMN_INT16, .source_type = "tinyint(1)" }, INT(7), "column v: 7 is no boolean",
			"make the target's column a smallint" },
		{ "text", { .type = COLUMN_STRING, .source_type = "varchar(9)" }, TEXT("a\0b"),
			"column v: a text with a zero byte, which PostgreSQL cannot hold", "leave the column out" },
	};
	char want[400];
	struct fixture f;

	fixture_start(&f, "SELECT 1");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct value row[] = { INT(42), cases[i].val };
		struct change chg = { .op = CHANGE_INSERT, .table = &f.table, .after = row, .file = "binlog.000007",
			.lsn = 4711, .index = 3 };

		fixture_value(&f, 'v', i, cases[i].type, &cases[i].column);
		fixture_begin(&f, 9);
		(void)snprintf(f.txn.id, sizeof f.txn.id, "0-1-77:9");
		(void)snprintf(want, sizeof want,
			"cannot write an insert into t.%s at binlog.000007:4711 event 3 of transaction 0-1-77:9, key (id=42): %s",
			f.name, cases[i].text);
		fixture_refused(&f, fixture_ops->write(f.sink, f.handle, &chg, NULL, &f.txn, &f.err), ERROR_DATA, want);
		assert_non_null(strstr(f.err.hint, cases[i].hint));
		fixture_ops->abort(f.sink);
	}
	/* What the server refuses is named in the same way. */
	{
		struct value row[] = { INT(42), TEXT("x") };
		struct change chg = { .op = CHANGE_UPDATE, .table = &f.table, .after = row, .file = "binlog.000007",
			.lsn = 4711, .index = 3 };

		fixture_must(&f, fixture_ops->begin(f.sink, &f.err));
		fixture_must(&f, fixture_ops->write(f.sink, f.handle, &chg, NULL, &f.txn, &f.err));
		fixture_refused(&f, fixture_commit(&f), ERROR_DATA,
			"target refused an update of t.v4 at binlog.000007:4711 event 3 of transaction 0-1-77:9, key (id=42): "
			"no row with that key at the target");
		fixture_ops->abort(f.sink);
	}
	fixture_finish(&f);
}

/* A json of PostgreSQL keeps its text, so jsonb would change it; in a table of MySQL it has none. */
void a_json_of_mysql_goes_into_jsonb(void **state)
{
	struct column columns[] = { { .name = "id", .type = COLUMN_INT64, .key = true, .source_type = "bigint" },
		{ .name = "v", .type = COLUMN_JSON, .source_type = "json" },
		{ .name = "w", .type = COLUMN_STRING, .source_type = "character varying(20)" } };
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id bigint PRIMARY KEY, v jsonb, w varchar(20))");
	fixture_table(&f, "t", columns, 3);
	fixture_refused(&f, fixture_ops->prepare(f.sink, &f.mapping, &f.handle, &f.err), ERROR_CONFIG,
		"column v of target table t.t is jsonb, which does not hold every value of the source's json");
	f.table.binlog = true;
	fixture_prepare(&f);
	fixture_finish(&f);
}
