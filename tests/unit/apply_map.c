/*
 * apply_map.c: unit tests of apply/map: where tables and columns go, and each refusal's exact text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apply/map.h"

#define LIST(...) \
	{ .items = (const char *const[]){ __VA_ARGS__ }, \
	  .count = sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *) }

static const struct column columns[] = {
	{ .name = "id", .type = COLUMN_INT64, .key = true },
	{ .name = "name", .type = COLUMN_STRING },
	{ .name = "born", .type = COLUMN_DATE },
};
static const size_t key[] = { 0 };
static const struct table customer = { .schema = "public", .name = "customer", .columns = columns, .column_count = 3,
	.key = key, .key_count = 1, .slot = 5 };
static const struct table customer_old = { .schema = "public", .name = "customer", .columns = columns,
	.column_count = 2,
	.key = key, .key_count = 1, .slot = 6 };

static struct apply_settings settings_with(const struct apply_table *groups, size_t count)
{
	return (struct apply_settings){ .target_schema = "", .tables = { .items = groups, .count = count } };
}

static struct apply_table group_for(const char *source, const char *target)
{
	return (struct apply_table){ .source = source, .target = target };
}

/* Maps `customer`; the entry lives as long as *ret_map. */
static struct map_entry *map_customer(const struct apply_settings *settings, struct map **ret_map)
{
	struct map_entry *entry = NULL;
	struct error err = ERROR_INIT;

	*ret_map = map_new(settings);
	assert_non_null(*ret_map);
	if (map_table(*ret_map, &customer, &entry, &err) < 0)
		fail_msg("%s", err.text);
	return entry;
}

static void assert_refused(const struct apply_settings *settings, const char *text)
{
	struct map *map = map_new(settings);
	struct map_entry *entry;
	struct error err = ERROR_INIT;

	assert_non_null(map);
	assert_int_equal(map_table(map, &customer, &entry, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
	assert_string_equal(err.text, text);
	map_free(map);
}

static void without_a_group_a_table_goes_to_its_namesake(void **state)
{
	struct apply_settings settings = settings_with(NULL, 0);
	struct map *map;
	struct map_entry *entry = map_customer(&settings, &map);

	assert_string_equal(entry->mapping.target_schema, "public");
	assert_string_equal(entry->mapping.target_table, "customer");
	assert_int_equal(entry->mapping.column_count, 3);
	assert_int_equal(entry->mapping.columns[2].source, 2);
	assert_string_equal(entry->mapping.columns[2].target, "born");
	map_free(map);
	settings.target_schema = "crm";
	entry = map_customer(&settings, &map);
	assert_string_equal(entry->mapping.target_schema, "crm");
	map_free(map);
}

static void a_group_says_schema_table_and_columns(void **state)
{
	struct apply_table group = { .source = "public.customer", .target = "billing.client",
		.column_include_list = LIST("id", "name"), .column_rename = LIST("name=full_name") };
	struct apply_settings settings = settings_with(&group, 1);
	struct map *map;
	struct map_entry *entry = map_customer(&settings, &map);

	assert_string_equal(entry->mapping.target_schema, "billing");
	assert_string_equal(entry->mapping.target_table, "client");
	assert_int_equal(entry->mapping.column_count, 2);
	assert_string_equal(entry->mapping.columns[0].target, "id");
	assert_string_equal(entry->mapping.columns[1].target, "full_name");
	map_free(map);
	group.target = "client";
	settings.target_schema = "crm";
	entry = map_customer(&settings, &map);
	assert_string_equal(entry->mapping.target_schema, "crm");
	assert_string_equal(entry->mapping.target_table, "client");
	map_free(map);
}

static void an_entry_is_made_once(void **state)
{
	struct apply_settings settings = settings_with(NULL, 0);
	struct map *map;
	struct map_entry *entry = map_customer(&settings, &map), *again;

	entry->prepared = true;
	assert_int_equal(map_table(map, &customer, &again, NULL), 0);
	assert_ptr_equal(again, entry);
	map_reset(map);
	assert_false(entry->prepared);
	map_free(map);
}

static void a_column_that_is_not_there_is_refused(void **state)
{
	struct apply_table group = { .source = "public.customer", .target = "", .column_exclude_list = LIST("birth") };
	struct apply_settings settings = settings_with(&group, 1);

	assert_refused(&settings,
		"tables, source \"public.customer\": column_exclude_list names column \"birth\", which the table does "
			"not have");
	group = (struct apply_table){ .source = "public.customer", .target = "",
		.column_rename = LIST("nam=full_name") };
	assert_refused(&settings,
		"tables, source \"public.customer\": column_rename names column \"nam\", which the table does not "
			"have");
	group = (struct apply_table){ .source = "public.customer", .target = "", .column_include_list = LIST("id",
		"nam") };
	assert_refused(&settings,
		"tables, source \"public.customer\": column_include_list names column \"nam\", which the table does "
			"not have");
}

static void an_older_shape_may_lack_a_named_column(void **state)
{
	struct apply_table group = { .source = "public.customer", .target = "", .column_exclude_list = LIST("born") };
	struct apply_settings settings = settings_with(&group, 1);
	struct map *map;
	struct map_entry *entry = map_customer(&settings, &map);

	assert_int_equal(entry->mapping.column_count, 2);
	assert_int_equal(map_table(map, &customer_old, &entry, NULL), 0);
	assert_int_equal(entry->mapping.column_count, 2);
	map_free(map);
}

static void the_key_can_not_be_left_out(void **state)
{
	struct apply_table group = { .source = "public.customer", .target = "", .column_exclude_list = LIST("id") };
	struct apply_settings settings = settings_with(&group, 1);

	assert_refused(&settings,
		"tables, source \"public.customer\": column \"id\" is part of the table's key and can not be left out");
}

static void two_columns_can_not_go_to_one(void **state)
{
	struct apply_table group = { .source = "public.customer", .target = "", .column_rename = LIST("born=name") };
	struct apply_settings settings = settings_with(&group, 1);

	assert_refused(&settings,
		"table public.customer: columns \"name\" and \"born\" both go to column \"name\" of the target");
}

static void lists_select_tables(void **state)
{
	struct apply_settings settings = settings_with(NULL, 0);
	struct map *map = map_new(&settings);

	assert_non_null(map);
	assert_true(map_selected(map, "public.customer"));
	settings.table_include_list = (struct settings_list)LIST("public.cust*", "billing.*");
	settings.table_exclude_list = (struct settings_list)LIST("*.customer_audit");
	assert_true(map_selected(map, "public.customer"));
	assert_true(map_selected(map, "billing.a.b"));
	assert_false(map_selected(map, "public.invoice"));
	assert_false(map_selected(map, "public.customer_audit"));
	assert_false(map_selected(map, "customer"));
	map_free(map);
}

static void assert_check_fails(const struct apply_table *groups, size_t count, const char *text)
{
	struct apply_settings settings = settings_with(groups, count);
	struct error err = ERROR_INIT;

	assert_int_equal(map_check(&settings, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
	assert_string_equal(err.text, text);
}

static void the_file_is_checked_without_a_shape(void **state)
{
	struct apply_table groups[2] = { group_for("public.customer", "crm.customer"), group_for("public.invoice",
		"invoice") };
	struct apply_settings settings = settings_with(groups, 2);

	assert_int_equal(map_check(&settings, NULL), 0);
	groups[1].source = "public.customer";
	assert_check_fails(groups, 2, "tables: source \"public.customer\" is there twice");
	groups[1].source = "invoice";
	assert_check_fails(groups, 2, "tables: source \"invoice\" is not of the form \"SCHEMA.TABLE\"");
	groups[0].target = "crm.";
	assert_check_fails(groups, 1,
		"tables, source \"public.customer\": target \"crm.\" is not of the form \"SCHEMA.TABLE\" or \"TABLE\"");
	groups[0].target = "";
	groups[0].column_rename = (struct settings_list)LIST("name");
	assert_check_fails(groups, 1,
		"tables, source \"public.customer\": column_rename \"name\" is not of the form \"SOURCE=TARGET\"");
	groups[0].column_rename = (struct settings_list)LIST("name=a", "name=b");
	assert_check_fails(groups, 1,
		"tables, source \"public.customer\": column_rename has both \"name=a\" and \"name=b\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_group_a_table_goes_to_its_namesake),
		cmocka_unit_test(a_group_says_schema_table_and_columns),
		cmocka_unit_test(an_entry_is_made_once),
		cmocka_unit_test(a_column_that_is_not_there_is_refused),
		cmocka_unit_test(an_older_shape_may_lack_a_named_column),
		cmocka_unit_test(the_key_can_not_be_left_out),
		cmocka_unit_test(two_columns_can_not_go_to_one),
		cmocka_unit_test(lists_select_tables),
		cmocka_unit_test(the_file_is_checked_without_a_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
