/*
 * change.c: unit tests of lib/change: positions, table shapes, values.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/change/change.h"

static void positions_are_ordered_by_commit_then_index(void **state)
{
	assert_int_equal(position_compare(1, 9, 2, 1), -1);
	assert_int_equal(position_compare(2, 2, 2, 1), 1);
	assert_int_equal(position_compare(UINT64_MAX, 1, UINT64_MAX, 1), 0);
}

static void lsn_is_spelled_as_postgresql_does(void **state)
{
	char text[20];
	uint64_t lsn;

	assert_string_equal(position_lsn_format(UINT64_C(0x16b374d848), text, sizeof text), "16/B374D848");
	assert_int_equal(position_lsn_parse("16/B374D848", &lsn), 0);
	assert_true(lsn == UINT64_C(0x16b374d848));
	assert_int_equal(position_lsn_parse("16/B374D848x", &lsn), -1);
	assert_int_equal(position_lsn_parse("nonsense", &lsn), -1);
}

static void a_copied_table_stands_on_its_own(void **state)
{
	static const char *const labels[] = { "email", "phone" };
	struct column columns[] = {
		{ .name = "id", .type = COLUMN_INT64, .key = true, .source_type = "bigint" },
		{ .name = "kind", .type = COLUMN_ENUM, .source_type = "contact_kind", .labels = labels, .label_count = 2 },
	};
	size_t key[] = { 0 };
	struct table table = { .schema = "public", .name = "contact", .columns = columns, .column_count = 2, .key = key, .key_count = 1 };
	struct table *copy = table_copy(&table);

	assert_non_null(copy);
	memset(columns, 0xee, sizeof columns);
	key[0] = 99;
	assert_string_equal(copy->columns[1].labels[1], "phone");
	assert_string_equal(copy->columns[0].source_type, "bigint");
	assert_int_equal(copy->key[0], 0);
	assert_int_equal(table_column_index(copy, "kindred", 4), 1);
	assert_int_equal(table_column_index(copy, "kin", 3), -1);
	assert_int_equal(table_column_index(copy, "nothing", 7), -1);
	free(copy);
}

static void tables_are_selected_by_patterns(void **state)
{
	const char *const include[] = { "public.customer*", "billing.?" }, *const exclude[] = { "*.customer_tmp" };

	assert_true(table_selected("public", "customer", include, 2, exclude, 1));
	assert_true(table_selected("billing", "x", include, 2, exclude, 1));
	assert_false(table_selected("billing", "xy", include, 2, exclude, 1));
	assert_false(table_selected("public", "customer_tmp", include, 2, exclude, 1));
	assert_true(table_selected("any", "thing", NULL, 0, NULL, 0));
}

static void values_are_compared_by_content(void **state)
{
	struct value a = { .kind = VALUE_FLOAT, .f = NAN }, b = a, minus = { .kind = VALUE_FLOAT, .f = -0.0 },
		     plus = { .kind = VALUE_FLOAT, .f = 0.0 };
	struct value text = { .kind = VALUE_TEXT, .text = { "abc", 3 } }, exact = { .kind = VALUE_EXACT, .text = { "abc", 3 } };
	struct value one = { .kind = VALUE_ARRAY, .array = { &text, 1 } }, other = { .kind = VALUE_ARRAY, .array = { &exact, 1 } };

	assert_true(value_equal(&a, &b));
	assert_false(value_equal(&minus, &plus));
	assert_false(value_equal(&text, &exact));
	assert_false(value_equal(&one, &other));
	assert_true(value_equal(&one, &one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(positions_are_ordered_by_commit_then_index),
		cmocka_unit_test(lsn_is_spelled_as_postgresql_does),
		cmocka_unit_test(a_copied_table_stands_on_its_own),
		cmocka_unit_test(tables_are_selected_by_patterns),
		cmocka_unit_test(values_are_compared_by_content),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
