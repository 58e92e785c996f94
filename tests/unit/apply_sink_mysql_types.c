/*
 * The MySQL and MariaDB target against a real server: every type arrives as it left, as text and in bulk, and is found again by its
 * content; what the server would change is refused.
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

#include "tests/unit/sink_fixture.h"
#include "tests/unit/values.h"

#define ROWS 80 /* the first ones go as text, the others of MariaDB in bulk; of MySQL updates go set-wise */
#define FIRST_OF_SET 9

enum { MARIADB = 1, MYSQL_ONLY = 2, BOTH = 3 };

static const char *const labels[] = { "ok", "it's", "\xf0\x9f\x98\x80 b\\c" };
static const struct value int_items[] = { INT(1), NOTHING, INT(-3) };
static const struct value text_items[] = { TEXT("a,b"), TEXT(""), TEXT("NULL"), TEXT("\"\\{}'"), NOTHING };
static const struct value decimal_items[] = { TEXT("1.50"), TEXT("-0.001") };

#define OF_ENUM .type = COLUMN_ENUM, .source_type = "mood", .labels = labels, .label_count = 2
#define OF_SET .type = COLUMN_SET, .source_type = "set('ok','it''s')", .labels = labels, .label_count = 2
#define STRING_OF(text) { .type = COLUMN_STRING, .source_type = text }
#define BOOL(x) { .kind = VALUE_BOOL, .b = x }
#define UINT(x) { .kind = VALUE_UINT, .u = x }

static const struct {
	int servers;
	const char *type;
	struct column column;
	struct value val;
	const char *show; /* NULL: CAST(v AS CHAR) */
	const char *text;
} values[] = {
	{ BOTH, "tinyint(1)", { .type = COLUMN_BOOL }, BOOL(true), NULL, "1" },
	{ BOTH, "bit(1)", { .type = COLUMN_BOOL }, BOOL(true), "v+0", "1" },
	{ BOTH, "tinyint", { .type = COLUMN_INT16, .source_type = "tinyint(4)" }, INT(-128), NULL, "-128" },
	{ BOTH, "tinyint unsigned", { .type = COLUMN_INT16, .source_type = "tinyint(3) unsigned" }, INT(255), NULL, "255" },
	{ BOTH, "smallint", { .type = COLUMN_INT16 }, INT(-32768), NULL, "-32768" },
	{ BOTH, "smallint unsigned", { .type = COLUMN_INT32, .source_type = "smallint unsigned" }, INT(65535), NULL, "65535" },
	{ BOTH, "mediumint", { .type = COLUMN_INT32, .source_type = "mediumint(9)" }, INT(-8388608), NULL, "-8388608" },
	{ BOTH, "int", { .type = COLUMN_INT32 }, INT(INT32_MIN), NULL, "-2147483648" },
	{ BOTH, "int unsigned", { .type = COLUMN_INT64, .source_type = "int unsigned" }, INT(4294967295), NULL, "4294967295" },
	{ BOTH, "bigint", { .type = COLUMN_INT64 }, INT(INT64_MIN), NULL, "-9223372036854775808" },
	{ BOTH, "decimal(19,0)", { .type = COLUMN_INT64 }, INT(INT64_MIN), NULL, "-9223372036854775808" },
	{ BOTH, "bigint unsigned", { .type = COLUMN_UINT64 }, UINT(UINT64_MAX), NULL, "18446744073709551615" },
	{ BOTH, "bit(64)", { .type = COLUMN_BITS, .precision = 64 }, UINT(UINT64_MAX), "HEX(v)", "FFFFFFFFFFFFFFFF" },
	{ BOTH, "bit(9)", { .type = COLUMN_BITS, .precision = 9 }, UINT(257), "v+0", "257" },
	{ BOTH, "year", { .type = COLUMN_YEAR }, INT(0), NULL, "0000" },
	{ BOTH, "smallint", { .type = COLUMN_YEAR }, INT(0), NULL, "0" },
	{ BOTH, "year", { .type = COLUMN_YEAR }, INT(2155), NULL, "2155" },
	{ BOTH, "float", { .type = COLUMN_FLOAT32 }, FLOAT((double)3.4028235e38f), "v=3.4028234663852886e38", "1" },
	{ BOTH, "float", { .type = COLUMN_FLOAT32 }, FLOAT((double)0.1f), "v=0.10000000149011612e0", "1" },
	{ BOTH, "double", { .type = COLUMN_FLOAT64 }, FLOAT(5e-324), "v=5e-324 and v>0", "1" },
	{ BOTH, "double", { .type = COLUMN_FLOAT64 }, FLOAT(1.7976931348623157e308), NULL, "1.7976931348623157e308" },
	{ MYSQL_ONLY, "double", { .type = COLUMN_FLOAT64 }, FLOAT(-0.0), NULL, "-0" },
	{ BOTH, "double", { .type = COLUMN_FLOAT32 }, FLOAT((double)0.1f), NULL, "0.10000000149011612" },
	{ BOTH, "double", { .type = COLUMN_FLOAT64 }, FLOAT(0.30000000000000004), NULL, "0.30000000000000004" },
	{ BOTH, "bigint unsigned", { .type = COLUMN_BITS, .precision = 64 }, UINT(UINT64_MAX), NULL, "18446744073709551615" },
	{ BOTH, "decimal(12,2)", { .type = COLUMN_DECIMAL, .precision = 12, .scale = 2 }, TEXT("-9999999999.99"), NULL, "-9999999999.99" },
	{ BOTH, "decimal(65,30)", { .type = COLUMN_DECIMAL, .precision = 65, .scale = 30 },
		TEXT("12345678901234567890123456789012345.123456789012345678901234567890"), NULL,
		"12345678901234567890123456789012345.123456789012345678901234567890" },
	{ BOTH, "decimal(65,30)", { .type = COLUMN_DECIMAL }, TEXT("1.5000"), NULL, "1.500000000000000000000000000000" },
	{ BOTH, "longtext", { .type = COLUMN_DECIMAL }, TEXT("1.5000"), NULL, "1.5000" },
	{ BOTH, "longtext", { .type = COLUMN_DECIMAL }, EXACT("NaN"), NULL, "NaN" },
	{ BOTH, "text", STRING_OF("text"), TEXT("h\xc3\xa4\n\t'\"\\\0\x1a\xf0\x9f\x98\x80;-- "), "HEX(v)", "68C3A40A0927225C001AF09F98803B2D2D20" },
	{ BOTH, "text", STRING_OF("text"), TEXT(""), NULL, "" },
	{ BOTH, "varchar(3)", STRING_OF("character varying(3)"), TEXT("\xe2\x82\xac\xe2\x82\xac "), NULL, "\xe2\x82\xac\xe2\x82\xac " },
	{ BOTH, "char(3)", STRING_OF("char(3)"), TEXT("ab"), NULL, "ab" },
	{ BOTH, "char(3)", STRING_OF("character(3)"), TEXT("ab "), "HEX(v)", "6162" },
	{ BOTH, "varchar(3) character set latin1", STRING_OF("varchar(3)"), TEXT("\xc3\xa4"), "HEX(v)", "E4" },
	{ BOTH, "varchar(30)", STRING_OF("int4range"), TEXT("[1,5)"), NULL, "[1,5)" },
	{ MARIADB, "inet6", STRING_OF("inet6"), TEXT("2001:db8::ff00:42:8329"), NULL, "2001:db8::ff00:42:8329" },
	{ MARIADB, "inet4", STRING_OF("inet4"), TEXT("10.0.0.255"), NULL, "10.0.0.255" },
	{ BOTH, "longblob", { .type = COLUMN_BYTES }, BYTES("\0\xff\\'\xe2';\n"), "HEX(v)", "00FF5C27E2273B0A" },
	{ BOTH, "varbinary(5)", { .type = COLUMN_BYTES, .source_type = "varbinary(5)" }, BYTES("ab \0 "), "HEX(v)", "6162200020" },
	{ BOTH, "binary(3)", { .type = COLUMN_BYTES, .source_type = "binary(3)" }, BYTES("a\0\0"), "HEX(v)", "610000" },
	{ MYSQL_ONLY, "json", { .type = COLUMN_JSON }, TEXT("{\"a\": [1, 2.5, 18446744073709551615]}"), NULL, "{\"a\": [1, 2.5, 18446744073709551615]}" },
	{ MARIADB, "json", { .type = COLUMN_JSON }, TEXT("{\"b\":1,  \"a\":2.50}"), NULL, "{\"b\":1,  \"a\":2.50}" },
	{ BOTH, "longtext", { .type = COLUMN_JSON }, TEXT("{\"b\":1,  \"a\":2.50}"), NULL, "{\"b\":1,  \"a\":2.50}" },
	{ BOTH, "longtext", { .type = COLUMN_XML }, TEXT("<a>1</a><b/>"), NULL, "<a>1</a><b/>" },
	{ MARIADB, "uuid", { .type = COLUMN_UUID }, TEXT("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), NULL, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" },
	{ BOTH, "char(36)", { .type = COLUMN_UUID }, TEXT("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), NULL, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" },
	{ BOTH, "binary(16)", { .type = COLUMN_UUID }, TEXT("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "HEX(v)", "A0EEBC999C0B4EF8BB6D6BB9BD380A11" },
	{ BOTH, "enum('x','it''s','ok')", { OF_ENUM }, TEXT("it's"), NULL, "it's" },
	{ BOTH, "varchar(10)", { OF_ENUM }, TEXT("it's"), NULL, "it's" },
	{ BOTH, "set('ok','it''s')", { OF_SET }, TEXT("ok,it's"), NULL, "ok,it's" },
	{ BOTH, "set('ok','it''s')", { OF_SET }, TEXT(""), NULL, "" },
	{ BOTH, "date", { .type = COLUMN_DATE }, INT(-719162), NULL, "0001-01-01" },
	{ BOTH, "date", { .type = COLUMN_DATE }, INT(2932896), NULL, "9999-12-31" },
	{ BOTH, "date", { .type = COLUMN_DATE }, EXACT("0000-00-00"), NULL, "0000-00-00" },
	{ BOTH, "date", { .type = COLUMN_DATE }, EXACT("2026-02-31"), NULL, "2026-02-31" },
	{ BOTH, "date", { .type = COLUMN_DATE }, EXACT("2026-00-00"), NULL, "2026-00-00" },
	{ BOTH, "time", { .type = COLUMN_TIME }, INT(86400 * US), NULL, "24:00:00" },
	{ BOTH, "time(3)", { .type = COLUMN_TIME, .fraction = 3 }, INT(1500000), NULL, "00:00:01.500" },
	{ BOTH, "time(6)", { .type = COLUMN_DURATION, .fraction = 6 }, INT(-(838 * 3600 + 59 * 60 + 58) * US - 999999), NULL, "-838:59:58.999999" },
	{ BOTH, "time", { .type = COLUMN_DURATION }, INT((838 * 3600 + 59 * 60 + 59) * US), NULL, "838:59:59" },
	{ BOTH, "varchar(30)", { .type = COLUMN_TIMETZ }, TEXT("24:00:00-15:59:59"), NULL, "24:00:00-15:59:59" },
	{ BOTH, "datetime(6)", { .type = COLUMN_TIMESTAMP, .fraction = 6 }, INT(-1), NULL, "1969-12-31 23:59:59.999999" },
	{ BOTH, "datetime(6)", { .type = COLUMN_TIMESTAMP, .fraction = 6 }, INT(INT64_C(253402300799999999)), NULL, "9999-12-31 23:59:59.999999" },
	{ BOTH, "datetime", { .type = COLUMN_TIMESTAMP }, EXACT("0000-00-00 00:00:00"), NULL, "0000-00-00 00:00:00" },
	{ BOTH, "datetime(2)", { .type = COLUMN_TIMESTAMP, .fraction = 2 }, EXACT("2026-02-30 01:02:03.04"), NULL, "2026-02-30 01:02:03.04" },
	{ BOTH, "timestamp(6) null", { .type = COLUMN_TIMESTAMPTZ, .fraction = 6 }, INT(1 * US), NULL, "1970-01-01 00:00:01.000000" },
	{ BOTH, "timestamp(6) null", { .type = COLUMN_TIMESTAMPTZ, .fraction = 6 }, INT(INT64_C(2147483647999999)), NULL, "2038-01-19 03:14:07.999999" },
	{ BOTH, "timestamp null", { .type = COLUMN_TIMESTAMPTZ }, EXACT("0000-00-00 00:00:00"), NULL, "0000-00-00 00:00:00" },
	{ BOTH, "datetime(6)", { .type = COLUMN_TIMESTAMPTZ, .fraction = 6 }, INT(-1), NULL, "1969-12-31 23:59:59.999999" },
	{ BOTH, "varchar(60)", { .type = COLUMN_INTERVAL }, TEXT("-178000000 years -2 mons +3 days"), NULL, "-178000000 years -2 mons +3 days" },
	{ BOTH, "json", { .type = COLUMN_ARRAY, .element_type = COLUMN_INT32 }, ITEMS(int_items), NULL, "[1, null, -3]" },
	{ BOTH, "json", { .type = COLUMN_ARRAY, .element_type = COLUMN_STRING }, ITEMS(text_items), NULL, "[\"a,b\", \"\", \"NULL\", \"\\\"\\\\{}'\", null]" },
	{ MARIADB, "json", { .type = COLUMN_ARRAY, .element_type = COLUMN_DECIMAL }, ITEMS(decimal_items), NULL, "[1.50, -0.001]" },
	{ MYSQL_ONLY, "json", { .type = COLUMN_ARRAY, .element_type = COLUMN_DECIMAL }, ITEMS(decimal_items), NULL, "[1.5, -0.001]" },
	{ BOTH, "longtext", { .type = COLUMN_ARRAY, .element_type = COLUMN_INT32 }, ITEMS(int_items), NULL, "{1,NULL,-3}" },
	{ BOTH, "longtext", { .type = COLUMN_ARRAY, .element_type = COLUMN_INT32 }, EXACT("[0:1][-1:0]={{1,2},{3,NULL}}"), NULL, "[0:1][-1:0]={{1,2},{3,NULL}}" },
	{ BOTH, "geometry", { .type = COLUMN_GEOMETRY, .source_type = "point" },
		BYTES("\0\0\0\0\x01\x01\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40"), "ST_AsText(v)", "POINT(1 2)" },
	{ BOTH, "point", { .type = COLUMN_GEOMETRY, .source_type = "point" },
		BYTES("\xe6\x10\0\0\x01\x01\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40"), "HEX(v)", "E61000000101000000000000000000F03F0000000000000040" },
	{ MYSQL_ONLY, "vector(2)", { .type = COLUMN_VECTOR, .source_type = "vector(2)" }, BYTES("\0\0\x80\x3f\0\0\0\x40"), "HEX(v)", "0000803F00000040" },
	{ BOTH, "varbinary(8)", { .type = COLUMN_VECTOR }, BYTES("\0\0\x80\x3f\0\0\0\x40"), "HEX(v)", "0000803F00000040" },
	{ BOTH, "int", { .type = COLUMN_INT32 }, NOTHING, NULL, "(null)" },
};

static bool is_here(int servers)
{
	return (servers & (fixture_is_mariadb() ? MARIADB : MYSQL_ONLY)) != 0;
}

/* All rows have it. */
static void expect_all(struct fixture *f, size_t i)
{
	const char *show = values[i].show != NULL ? values[i].show : "CAST(v AS CHAR)";
	char sql[400];

	(void)snprintf(sql, sizeof sql, "SELECT %s FROM t.%s WHERE id = %d", show, f->name, ROWS);
	fixture_expect(sql, values[i].text);
	(void)snprintf(sql, sizeof sql,
		"SELECT CONCAT_WS(',', COUNT(*), COUNT(DISTINCT COALESCE(HEX(v), 'null'), COALESCE(CAST(%s AS BINARY), 'null'))) FROM t.%s", show, f->name);
	fixture_expect(sql, "80,1");
}

static void check_type(struct fixture *f, size_t i)
{
	static const struct value nothing = NOTHING;
	struct value row[] = { INT(0), values[i].val };
	char sql[300];

	fixture_value(f, 'v', i, values[i].type, &values[i].column);
	fixture_begin(f, i + 1);
	for (row[0].i = 1; row[0].i <= ROWS; row[0].i++)
		fixture_must(f, fixture_change(f, CHANGE_INSERT, NULL, row, NULL));
	fixture_must(f, fixture_commit(f));
	expect_all(f, i);
	/* By updates: all to NULL; behind a first and before a last one to NULL; all to the value. */
	(void)snprintf(sql, sizeof sql, "SELECT COUNT(v) FROM t.%s", f->name);
	for (int pass = 0; pass < 3; pass++) {
		fixture_begin(f, i + 1);
		for (row[0].i = 1; row[0].i <= ROWS; row[0].i++) {
			bool null = pass == 0 || (pass == 1 && (row[0].i == FIRST_OF_SET || row[0].i == ROWS));

			row[1] = null ? nothing : values[i].val;
			fixture_must(f, fixture_change(f, CHANGE_UPDATE, NULL, row, NULL));
		}
		fixture_must(f, fixture_commit(f));
		fixture_expect(sql, pass == 0 || values[i].val.kind == VALUE_NULL ? "0" : pass == 1 ? "78" : "80");
	}
	expect_all(f, i);
	/* And the whole-row match finds every one of them. */
	f->columns[0].key = false;
	f->table.key_count = 0;
	f->table.identity = IDENTITY_FULL;
	fixture_prepare(f);
	fixture_begin(f, i + 1);
	for (row[0].i = 1; row[0].i <= ROWS; row[0].i += ROWS / 2)
		fixture_must(f, fixture_change(f, CHANGE_DELETE, row, NULL, NULL));
	fixture_must(f, fixture_commit(f));
}

static void every_type_arrives_equal(void **state)
{
	struct fixture f;

	fixture_start(&f, "SELECT 1");
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		if (is_here(values[i].servers))
			check_type(&f, i);
	fixture_finish(&f);
}

/* What the server would round, cut or fill in without a word, or read as something else. */
static void what_would_be_changed_is_refused(void **state)
{
	static const struct {
		int servers;
		const char *type;
		struct column column;
		struct value val;
		const char *text; /* behind "cannot write an insert into t.NAME at ...: " */
	} cases[] = {
		{ BOTH, "decimal(65,30)", { .type = COLUMN_DECIMAL }, TEXT("0.0000000000000000000000000000001"),
			"column v: decimal(65,30) of the target cannot hold \"0.0000000000000000000000000000001\"" },
		{ BOTH, "decimal(65,30)", { .type = COLUMN_DECIMAL }, EXACT("NaN"), "column v: decimal(65,30) of the target cannot hold \"NaN\"" },
		{ BOTH, "double", { .type = COLUMN_FLOAT64 }, FLOAT(NAN), "column v: double of the target cannot hold \"NaN\"" },
		{ BOTH, "float", { .type = COLUMN_FLOAT32 }, FLOAT(-INFINITY), "column v: float of the target cannot hold \"-Infinity\"" },
		{ BOTH, "date", { .type = COLUMN_DATE }, EXACT("infinity"), "column v: date of the target cannot hold \"infinity\"" },
		{ BOTH, "date", { .type = COLUMN_DATE }, INT(2932897), "column v: date of the target cannot hold \"10000-01-01\"" },
		{ BOTH, "date", { .type = COLUMN_DATE }, INT(-719529), "column v: date of the target cannot hold \"0002-12-31 BC\"" },
		{ BOTH, "datetime(6)", { .type = COLUMN_TIMESTAMPTZ, .fraction = 6 }, EXACT("294276-12-31 23:59:59.999999+00"),
			"column v: datetime(6) of the target cannot hold \"294276-12-31 23:59:59.999999+00\"" },
		{ BOTH, "varchar(3)", STRING_OF("text"), TEXT("abc "), "column v: a value of 4 bytes is too long for varchar(3) of the target" },
		{ BOTH, "varbinary(3)", { .type = COLUMN_BYTES }, BYTES("abc "), "column v: a value of 4 bytes is too long for varbinary(3) of the target" },
		{ BOTH, "int not null auto_increment unique", { .type = COLUMN_INT32 }, NOTHING, "column v: NULL, which the target's column does not take" },
		{ BOTH, "timestamp not null default '2000-01-01'", { .type = COLUMN_TIMESTAMPTZ }, NOTHING, "column v: NULL, which the target's column does not take" },
		{ MYSQL_ONLY, "json", { .type = COLUMN_JSON }, TEXT("{\"a1\": 0.1, \"b\": 0.10000000000000001}"),
			"column v: JSON of the target cannot hold the number 0.10000000000000001 digit for digit" },
		{ MYSQL_ONLY, "json", { .type = COLUMN_JSON }, TEXT("[18446744073709551617]"),
			"column v: JSON of the target cannot hold the number 18446744073709551617 digit for digit" },
		{ BOTH, "json", { .type = COLUMN_ARRAY, .element_type = COLUMN_INT32 }, EXACT("{{1},{2}}"), NULL },
	};
	char want[400];
	struct fixture f;

	fixture_start(&f, "SELECT 1");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct value row[] = { INT(7), cases[i].val };

		if (!is_here(cases[i].servers))
			continue;
		fixture_value(&f, 'r', i, cases[i].type, &cases[i].column);
		fixture_begin(&f, i + 1);
		(void)snprintf(want, sizeof want, "cannot write an insert into t.%s at 0/16B3748 event 1 of transaction 751:%zu, key (id=7): %s",
			f.name, i + 1, cases[i].text);
		if (cases[i].text != NULL)
			fixture_refused(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL), ERROR_DATA, want);
		else
			assert_int_equal(fixture_change(&f, CHANGE_INSERT, NULL, row, NULL), -1);
		fixture_ops->abort(f.sink);
	}
	fixture_finish(&f);
}

static void expect_named(const struct fixture *f, const char *type, const char *text)
{
	if (f->err.class != ERROR_DATA || strstr(f->err.text, "key (id=7)") == NULL || (text != NULL && strstr(f->err.text, text) == NULL))
		fail_msg("%s: %s (%s)", type, f->err.text, error_class_name(f->err.class));
}

/* In the middle of many updates; they are tried again row by row. */
static void expect_named_update(struct fixture *f, const char *type, const struct value *val, const char *text)
{
	struct value row[] = { INT(0), NOTHING };

	for (int step = 0; step < 3; step++) {
		fixture_begin(f, 1000 + f->txn.commit);
		for (int id = 0; id < ROWS; id++) {
			row[0].i = id < 7 ? 70 + id : id == 70 ? 7 : id + 1000;
			row[1] = step > 0 && row[0].i == 7 ? *val : (struct value)NOTHING;
			if (fixture_change(f, step == 0 ? CHANGE_INSERT : CHANGE_UPDATE, NULL, row, NULL) < 0)
				break;
		}
		if (step == 0) {
			fixture_must(f, fixture_commit(f));
			continue;
		}
		assert_int_equal(fixture_commit(f), -1);
		if (step == 1) {
			assert_int_equal(f->err.class, ERROR_RETRY);
			assert_true(fixture_row_wise_until == f->txn.commit);
			fixture_row_wise_until += 1000; /* the next is the same transaction again */
		} else {
			expect_named(f, type, text);
		}
		fixture_ops->abort(f->sink);
	}
	fixture_row_wise_until = 0;
}

/* What is left to the server, and what its strict mode says. */
static void what_does_not_fit_is_named(void **state)
{
	static const struct {
		const char *type;
		struct column column;
		struct value val;
		const char *text;
	} cases[] = {
		{ "timestamp(6) null", { .type = COLUMN_TIMESTAMPTZ, .fraction = 6 }, INT(0), "(1292)" },
		{ "timestamp null", { .type = COLUMN_TIMESTAMPTZ }, INT(INT64_C(-2000000000000000)), "(1292)" },
		{ "decimal(65,30)", { .type = COLUMN_DECIMAL }, TEXT("1000000000000000000000000000000000000"), "(1264)" },
		{ "varchar(9) character set latin1", STRING_OF("varchar(9)"), TEXT("\xe2\x82\xbf"), "(1366)" },
		{ "varchar(9) check (v <> 'bad')", STRING_OF("varchar(9)"), TEXT("bad"), NULL },
	};
	struct fixture f;

	fixture_start(&f, "SELECT 1");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct value row[] = { INT(7), cases[i].val };

		fixture_value(&f, 'n', i, cases[i].type, &cases[i].column);
		fixture_begin(&f, i + 1);
		fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
		assert_int_equal(fixture_commit(&f), -1);
		expect_named(&f, cases[i].type, cases[i].text);
		fixture_ops->abort(f.sink);
		expect_named_update(&f, cases[i].type, &cases[i].val, cases[i].text);
	}
	fixture_finish(&f);
}

/* What the server fills in by itself, it must not. */
static void the_source_decides_every_value(void **state)
{
	static const struct column columns[] = { { .name = "id", .type = COLUMN_INT32, .key = true },
		{ .name = "v", .type = COLUMN_INT32 }, { .name = "at", .type = COLUMN_TIMESTAMPTZ } };
	struct value row[] = { INT(0), INT(1), INT(1000 * US) }, changed[] = { INT(0), INT(2), UNCHANGED };
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY AUTO_INCREMENT, v int,"
			  " at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)");
	fixture_table(&f, "t", columns, 3);
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_change(&f, CHANGE_INSERT, NULL, row, NULL));
	for (int i = 0; i < 40; i++) {
		changed[1].i = 2 + i;
		fixture_must(&f, fixture_change(&f, CHANGE_UPDATE, NULL, changed, NULL));
	}
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT CONCAT_WS(',', id, v, at) FROM t.t", "0,41,1970-01-01 00:16:40");
	fixture_finish(&f);
}

static void a_large_row_is_taken_or_named(void **state)
{
	static const size_t size = (size_t)20 << 20;
	char *text = malloc(size + 1);
	struct fixture f;

	assert_non_null(text);
	memset(text, '\'', size);
	text[size] = '\0';
	fixture_run("SET GLOBAL max_allowed_packet = 67108864");
	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v longtext)");
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	fixture_must(&f, fixture_insert(&f, 1, "before"));
	fixture_must(&f, fixture_insert(&f, 2, text));
	for (int i = 3; i < 60; i++)
		fixture_must(&f, fixture_insert(&f, i, i == 50 ? text : "small"));
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT CONCAT_WS(',', COUNT(*), SUM(LENGTH(v) > 1000), MIN(CRC32(v)) > 0) FROM t.t", "59,2,1");
	fixture_finish(&f);
	fixture_run("SET GLOBAL max_allowed_packet = 1048576");
	fixture_open(&f);
	fixture_prepare(&f);
	fixture_begin(&f, 2);
	fixture_must(&f, fixture_insert(&f, 100, "before"));
	assert_int_equal(fixture_insert(&f, 101, text), -1);
	assert_int_equal(f.err.class, ERROR_DATA);
	assert_non_null(strstr(f.err.text, "key (id=101): the row takes 419"));
	assert_non_null(strstr(f.err.text, "and the target's max_allowed_packet is 1048576"));
	fixture_ops->abort(f.sink);
	/* Many rows that together are more than a packet. */
	fixture_begin(&f, 3);
	text[200000] = '\0';
	for (int i = 200; i < 280; i++)
		fixture_must(&f, fixture_insert(&f, i, text));
	fixture_must(&f, fixture_commit(&f));
	fixture_run("SET GLOBAL max_allowed_packet = 67108864");
	fixture_finish(&f);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_arrives_equal),
		cmocka_unit_test(what_would_be_changed_is_refused),
		cmocka_unit_test(what_does_not_fit_is_named),
		cmocka_unit_test(the_source_decides_every_value),
		cmocka_unit_test(a_large_row_is_taken_or_named),
	};

	return fixture_is_there() ? cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down) : 77;
}
