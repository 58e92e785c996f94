/*
 * The pure part of the MySQL and MariaDB target: which types hold which, literals, numbers in JSON, the bulk packet.
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

#include "apply/sink_mysql_binary.h"
#include "apply/sink_mysql_link.h"
#include "apply/sink_mysql_text.h"
#include "apply/sink_mysql_types.h"
#include "tests/unit/values.h"

static const char *const labels[] = { "a", "it's", "b\\c" };

/* ---- types ---- */

static void types_hold_what_they_can(void **state)
{
	static const struct {
		struct column source;
		struct my_type target;
		bool holds;
	} cases[] = {
		{ { .type = COLUMN_BOOL }, { .name = "tinyint", .declared = "tinyint(1)" }, true },
		{ { .type = COLUMN_BOOL }, { .name = "bit", .declared = "bit(1)", .precision = 1 }, true },
		{ { .type = COLUMN_BOOL }, { .name = "char", .declared = "char(1)", .chars = 1, .bytes = 4 }, false },
		{ { .type = COLUMN_INT16 }, { .name = "smallint", .declared = "smallint(6)" }, true },
		{ { .type = COLUMN_INT16 }, { .name = "tinyint", .declared = "tinyint(4)" }, false },
		{ { .type = COLUMN_INT16, .source_type = "tinyint(4)" }, { .name = "tinyint", .declared = "tinyint(4)" }, true },
		{ { .type = COLUMN_INT16, .source_type = "tinyint(3) unsigned" }, { .name = "tinyint", .declared = "tinyint(4)" }, false },
		{ { .type = COLUMN_INT16, .source_type = "tinyint unsigned" }, { .name = "tinyint", .declared = "tinyint unsigned" }, true },
		{ { .type = COLUMN_INT16 }, { .name = "bigint", .declared = "bigint unsigned" }, false },
		{ { .type = COLUMN_INT32, .source_type = "integer" }, { .name = "mediumint", .declared = "mediumint(9)" }, false },
		{ { .type = COLUMN_INT32, .source_type = "mediumint(9)" }, { .name = "mediumint", .declared = "mediumint(9)" }, true },
		{ { .type = COLUMN_INT64, .source_type = "oid" }, { .name = "int", .declared = "int unsigned" }, true },
		{ { .type = COLUMN_INT64, .source_type = "int(10) unsigned" }, { .name = "int", .declared = "int(10) unsigned" }, true },
		{ { .type = COLUMN_INT64 }, { .name = "decimal", .declared = "decimal(19,0)", .precision = 19 }, true },
		{ { .type = COLUMN_INT64 }, { .name = "decimal", .declared = "decimal(20,2)", .precision = 20, .scale = 2 }, false },
		{ { .type = COLUMN_UINT64 }, { .name = "bigint", .declared = "bigint(20)" }, false },
		{ { .type = COLUMN_BITS, .precision = 9 }, { .name = "bit", .declared = "bit(8)", .precision = 8 }, false },
		{ { .type = COLUMN_BITS, .precision = 9 }, { .name = "smallint", .declared = "smallint(6)" }, true },
		{ { .type = COLUMN_YEAR }, { .name = "year", .declared = "year(4)" }, true },
		{ { .type = COLUMN_INT16 }, { .name = "year", .declared = "year(4)" }, false },
		{ { .type = COLUMN_FLOAT64 }, { .name = "float", .declared = "float" }, false },
		{ { .type = COLUMN_FLOAT32 }, { .name = "float", .declared = "float(7,2)" }, false },
		{ { .type = COLUMN_FLOAT32, .source_type = "float(7,2)" }, { .name = "float", .declared = "float(7,2)" }, true },
		{ { .type = COLUMN_FLOAT64 }, { .name = "double", .declared = "double unsigned" }, false },
		{ { .type = COLUMN_DECIMAL, .precision = 12, .scale = 2 }, { .name = "decimal", .declared = "decimal(12,2)", .precision = 12, .scale = 2 }, true },
		{ { .type = COLUMN_DECIMAL, .precision = 12, .scale = 2 }, { .name = "decimal", .declared = "decimal(12,3)", .precision = 12, .scale = 3 }, false },
		{ { .type = COLUMN_DECIMAL, .precision = 12, .scale = 2 }, { .name = "decimal", .declared = "decimal(14,2) unsigned", .precision = 14, .scale = 2 }, false },
		{ { .type = COLUMN_DECIMAL }, { .name = "decimal", .declared = "decimal(38,10)", .precision = 38, .scale = 10 }, false },
		{ { .type = COLUMN_DECIMAL }, { .name = "varchar", .declared = "varchar(100)", .chars = 100, .bytes = 400 }, true },
		{ { .type = COLUMN_STRING, .source_type = "character varying(20)" }, { .name = "varchar", .declared = "varchar(20)", .chars = 20, .bytes = 80 }, true },
		{ { .type = COLUMN_STRING, .source_type = "character varying(21)" }, { .name = "varchar", .declared = "varchar(20)", .chars = 20, .bytes = 80 }, false },
		{ { .type = COLUMN_STRING, .source_type = "varchar(100)" }, { .name = "tinytext", .declared = "tinytext", .bytes = 255 }, false },
		{ { .type = COLUMN_STRING, .source_type = "longtext" }, { .name = "text", .declared = "text", .bytes = 65535 }, false },
		{ { .type = COLUMN_STRING, .source_type = "text" }, { .name = "varchar", .declared = "varchar(20)", .chars = 20, .bytes = 80 }, true },
		{ { .type = COLUMN_STRING, .source_type = "text" }, { .name = "char", .declared = "char(20)", .chars = 20, .bytes = 80 }, false },
		{ { .type = COLUMN_STRING, .source_type = "character(20)" }, { .name = "char", .declared = "char(20)", .chars = 20, .bytes = 80 }, true },
		{ { .type = COLUMN_STRING, .source_type = "inet" }, { .name = "inet6", .declared = "inet6" }, false },
		{ { .type = COLUMN_STRING, .source_type = "inet6" }, { .name = "inet6", .declared = "inet6" }, true },
		{ { .type = COLUMN_STRING, .source_type = "text" }, { .name = "json", .declared = "json" }, false },
		{ { .type = COLUMN_BYTES, .source_type = "binary(4)" }, { .name = "binary", .declared = "binary(4)", .chars = 4, .bytes = 4 }, true },
		{ { .type = COLUMN_BYTES, .source_type = "binary(3)" }, { .name = "binary", .declared = "binary(4)", .chars = 4, .bytes = 4 }, false },
		{ { .type = COLUMN_BYTES, .source_type = "bytea" }, { .name = "binary", .declared = "binary(4)", .chars = 4, .bytes = 4 }, false },
		{ { .type = COLUMN_BYTES }, { .name = "longtext", .declared = "longtext", .bytes = UINT32_MAX }, false },
		{ { .type = COLUMN_UUID }, { .name = "varchar", .declared = "varchar(35)", .chars = 35, .bytes = 140 }, false },
		{ { .type = COLUMN_UUID }, { .name = "char", .declared = "char(36)", .chars = 36, .bytes = 144 }, true },
		{ { .type = COLUMN_ENUM, .labels = labels, .label_count = 3 }, { .name = "enum", .declared = "enum('a')" }, true }, /* labels: apart */
		{ { .type = COLUMN_ENUM }, { .name = "enum", .declared = "enum('a')" }, false },
		{ { .type = COLUMN_SET, .labels = labels, .label_count = 3 }, { .name = "enum", .declared = "enum('a')" }, false },
		{ { .type = COLUMN_DATE }, { .name = "datetime", .declared = "datetime" }, false },
		{ { .type = COLUMN_TIMESTAMP, .fraction = 6 }, { .name = "datetime", .declared = "datetime(3)", .fraction = 3 }, false },
		{ { .type = COLUMN_TIMESTAMP, .fraction = 3 }, { .name = "datetime", .declared = "datetime(3)", .fraction = 3 }, true },
		{ { .type = COLUMN_TIMESTAMP }, { .name = "timestamp", .declared = "timestamp" }, false },
		{ { .type = COLUMN_TIMESTAMPTZ }, { .name = "timestamp", .declared = "timestamp" }, true },
		{ { .type = COLUMN_TIMESTAMPTZ }, { .name = "datetime", .declared = "datetime" }, true },
		{ { .type = COLUMN_TIMETZ }, { .name = "time", .declared = "time" }, false },
		{ { .type = COLUMN_GEOMETRY, .source_type = "point" }, { .name = "polygon", .declared = "polygon" }, false },
		{ { .type = COLUMN_GEOMETRY, .source_type = "geometrycollection" }, { .name = "geomcollection", .declared = "geomcollection" }, true },
	};
	struct my_format format;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		memset(&format, 0, sizeof format);
		if (my_type_holds(&cases[i].source, &cases[i].target, &format) != cases[i].holds)
			fail_msg("%zu: %s %s -> %s", i, column_type_name(cases[i].source.type),
				cases[i].source.source_type != NULL ? cases[i].source.source_type : "", cases[i].target.declared);
	}
}

static void missing_labels_are_found(void **state)
{
	const struct column source = { .type = COLUMN_ENUM, .labels = labels, .label_count = 3 };

	static const struct my_type plain = { .name = "enum", .declared = "enum('it''s','a','b\\c')" },
		escaped = { .name = "enum", .declared = "enum('it''s','a','b\\\\c')" }, less = { .name = "enum", .declared = "enum('it','a','s','b\\c')" },
		text = { .name = "text", .declared = "text" };

	assert_null(my_missing_label(&source, &plain));
	assert_null(my_missing_label(&source, &escaped));
	assert_string_equal(my_missing_label(&source, &less), "it's");
	assert_null(my_missing_label(&source, &text));
}

static void engines_are_known_by_name(void **state)
{
	assert_true(my_engine_is_safe("InnoDB") && my_engine_is_safe("ROCKSDB"));
	assert_false(my_engine_is_safe("SPIDER") || my_engine_is_safe("FEDERATED") || my_engine_is_safe("ndbcluster") ||
		my_engine_is_safe("MyISAM") || my_engine_is_safe(""));
}

static void advice_names_a_type(void **state)
{
	static const struct {
		struct column source;
		const char *want;
	} cases[] = {
		{ { .type = COLUMN_DECIMAL, .precision = 12, .scale = 2 }, "DECIMAL(12,2)" },
		{ { .type = COLUMN_DECIMAL }, "DECIMAL(65,30) or LONGTEXT" },
		{ { .type = COLUMN_STRING, .source_type = "character varying(20)" }, "VARCHAR(20)" },
		{ { .type = COLUMN_TIMESTAMP, .fraction = 6 }, "DATETIME(6)" },
		{ { .type = COLUMN_BITS, .precision = 7 }, "BIT(7)" },
	};
	struct buf out;

	buf_init(&out, 256);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		buf_reset(&out);
		my_type_wanted(&cases[i].source, &out);
		assert_string_equal(buf_cstr(&out), cases[i].want);
	}
	buf_release(&out);
}

/* ---- literals ---- */

static void literals_say_the_value(void **state)
{
	static const struct {
		struct my_format format;
		struct column column;
		struct value val;
		const char *want;
	} cases[] = {
		{ { .form = MY_NUMBER }, { .type = COLUMN_INT64 }, INT(INT64_MIN), "-9223372036854775808" },
		{ { .form = MY_DOUBLE }, { .type = COLUMN_FLOAT64 }, FLOAT(0.1), "1.0000000000000001e-01" },
		{ { .form = MY_DOUBLE }, { .type = COLUMN_FLOAT64 }, FLOAT(-0.0), "-0.0000000000000000e+00" },
		{ { .form = MY_DECIMAL, .scale = 1 }, { .type = COLUMN_DECIMAL }, TEXT("1.5000"), "1.5" },
		{ { .form = MY_DECIMAL }, { .type = COLUMN_DECIMAL }, TEXT("-15.000"), "-15" },
		{ { .form = MY_TEXT }, { .type = COLUMN_STRING }, TEXT("''\\"), "'''''\\'" },
		{ { .form = MY_BYTES }, { .type = COLUMN_BYTES }, BYTES("'"), "_binary''''" },
		{ { .form = MY_DATE }, { .type = COLUMN_DATE }, INT(-719528), "'0000-01-01'" },
		{ { .form = MY_TIME }, { .type = COLUMN_DURATION }, INT(-1), "'-00:00:00.000001'" },
		{ { .form = MY_DATETIME }, { .type = COLUMN_TIMESTAMP }, INT(-1), "'1969-12-31 23:59:59.999999'" },
		{ { .form = MY_NUMBER }, { .type = COLUMN_INT64 }, NOTHING, "NULL" },
	};
	struct error err = ERROR_INIT;
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		buf_reset(&out);
		assert_int_equal(my_literal(&cases[i].format, &cases[i].column, &cases[i].val, &out, &err), 0);
		assert_string_equal(buf_cstr(&out), cases[i].want);
	}
	buf_release(&out);
}

static void numbers_in_json_are_looked_at(void **state)
{
	static const struct {
		const char *text;
		bool kept;
	} cases[] = {
		{ "{}", true },
		{ "0", true },
		{ "-0.0", true },
		{ "[1,-0]", false }, /* an integer without its sign */
		{ "18446744073709551615", true },
		{ "18446744073709551616", false }, /* a double, but shown with other digits */
		{ "18446744073709551617", false },
		{ "-9223372036854775808", true },
		{ "-9223372036854775809", false },
		{ "0.30000000000000004", true },
		{ "0.30000000000000003", false },
		{ "123456789012345.25", true },
		{ "123456789012345678.25", false },
		{ "1234567890123.25", true },
		{ "1.7976931348623157e308", true },
		{ "1e309", false },
		{ "100000000000000000000000000000000", true },
		{ "0.000000000000000000000000000001", true },
		{ "[\"12345678901234567890123\", \"\\\"99999999999999999999999\"]", true },
		{ "{\"a\":[1.10,2,{\"b\":99999999999999999999999}]}", false },
	};
	static const struct column column = { .name = "v", .type = COLUMN_JSON };
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if ((my_check_json(&column, cases[i].text, strlen(cases[i].text), &err) == 0) != cases[i].kept)
			fail_msg("%s", cases[i].text);
}

static void arrays_are_spelled_in_both_ways(void **state)
{
	static const struct value texts[] = { TEXT("a"), TEXT(""), TEXT("null"), TEXT("b c"), TEXT("\"\\"), NOTHING };
	static const struct value floats[] = { FLOAT(0.1), FLOAT(NAN) };
	static const struct value text_array = ITEMS(texts), float_array = ITEMS(floats);
	static const struct column text = { .name = "v", .type = COLUMN_ARRAY, .element_type = COLUMN_STRING },
		real = { .name = "v", .type = COLUMN_ARRAY, .element_type = COLUMN_FLOAT64 };
	struct error err = ERROR_INIT;
	struct buf out;

	buf_init(&out, 4096);
	assert_int_equal(my_array_text(&text, &text_array, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), "{a,\"\",\"null\",\"b c\",\"\\\"\\\\\",NULL}");
	buf_reset(&out);
	assert_int_equal(my_array_json(&text, &text_array, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), "[\"a\", \"\", \"null\", \"b c\", \"\\\"\\\\\", null]");
	buf_reset(&out);
	assert_int_equal(my_array_json(&real, &float_array, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), "[0.1, \"NaN\"]");
	buf_release(&out);
}

/* ---- bulk ---- */

static void parameters_are_little_endian(void **state)
{
	static const struct {
		struct my_format format;
		struct column column;
		struct value val;
		const char *want;
		size_t len;
	} cases[] = {
		{ { .form = MY_NUMBER }, { .type = COLUMN_INT64 }, INT(-2), "\0\xfe\xff\xff\xff\xff\xff\xff\xff", 9 },
		{ { .form = MY_NUMBER }, { .type = COLUMN_INT64 }, NOTHING, "\1", 1 },
		{ { .form = MY_FLOAT }, { .type = COLUMN_FLOAT32 }, FLOAT(1.0), "\0\0\0\x80\x3f", 5 },
		{ { .form = MY_DATE }, { .type = COLUMN_DATE }, INT(0), "\0\4\xb2\7\1\1", 6 },
		{ { .form = MY_DATETIME }, { .type = COLUMN_TIMESTAMP }, INT(-1), "\0\x0b\xb1\7\x0c\x1f\x17\x3b\x3b\x3f\x42\x0f\0", 13 },
		{ { .form = MY_TIME }, { .type = COLUMN_DURATION }, INT(-(25 * 3600) * US - 1), "\0\x0c\1\1\0\0\0\1\0\0\1\0\0\0", 14 },
		{ { .form = MY_TEXT }, { .type = COLUMN_STRING }, TEXT("ab"), "\0\2ab", 4 },
	};
	static const struct my_format date = { .form = MY_DATE }, number = { .form = MY_NUMBER };
	static const struct column column = { .type = COLUMN_DATE }, whole = { .type = COLUMN_UINT64 };
	static const struct value partial = EXACT("2026-02-31");
	struct error err = ERROR_INIT;
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		buf_reset(&out);
		assert_int_equal(my_binary(&cases[i].format, &cases[i].column, &cases[i].val, &out, &err), 0);
		assert_int_equal(out.len, cases[i].len);
		assert_memory_equal(out.data, cases[i].want, cases[i].len);
	}
	buf_reset(&out);
	assert_int_equal(my_binary(&date, &column, &partial, &out, &err), 1);
	assert_int_equal(out.len, 0);
	my_binary_head(&out, 7);
	my_binary_type(&number, &whole, &out);
	assert_memory_equal(out.data, "\7\0\0\0\x80\0\x08\x80", 8);
	buf_release(&out);
}

static void errors_have_their_class(void **state)
{
	struct error err = ERROR_INIT;

	assert_int_equal(my_error_class(1213), ERROR_RETRY);
	assert_int_equal(my_error_class(2013), ERROR_RETRY);
	assert_int_equal(my_error_class(1062), ERROR_DATA);
	assert_int_equal(my_error_class(1146), ERROR_CONFIG);
	assert_int_equal(my_error_class(3032), ERROR_RETRY);
	assert_int_equal(my_error_class(1637), ERROR_RETRY);
	assert_int_equal(my_error_class(5014), ERROR_RETRY); /* the client library's */
	assert_int_equal(my_error_class(6136), ERROR_DATA);  /* MySQL 9's, and so are those of triggers */
	assert_int_equal(my_error_class(30001), ERROR_DATA);
	(void)my_error_set(&err, "target refused", 1205, "Lock wait\ntimeout");
	assert_string_equal(err.text, "target refused: Lock wait timeout (1205)");
	assert_string_equal(err.hint, "another session holds a lock on the row or table; see lock_timeout");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_hold_what_they_can),
		cmocka_unit_test(missing_labels_are_found),
		cmocka_unit_test(engines_are_known_by_name),
		cmocka_unit_test(advice_names_a_type),
		cmocka_unit_test(literals_say_the_value),
		cmocka_unit_test(numbers_in_json_are_looked_at),
		cmocka_unit_test(arrays_are_spelled_in_both_ways),
		cmocka_unit_test(parameters_are_little_endian),
		cmocka_unit_test(errors_have_their_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
