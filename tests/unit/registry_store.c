/*
 * registry_store.c: unit tests of what records of `_schemas` mean, and of the read API over them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/registry/store.h"

static struct store store;

static void put(const char *key, const char *value)
{
	struct error err = ERROR_INIT;

	assert_int_equal(store_apply(&store, key, strlen(key), value, value != NULL ? strlen(value) : 0, &err), 0);
}

static void put_schema(const char *subject, int version, int id, const char *schema)
{
	char key[200], value[400];

	(void)snprintf(key, sizeof key, "{\"keytype\":\"SCHEMA\",\"subject\":\"%s\",\"version\":%d,\"magic\":1}", subject, version);
	(void)snprintf(value, sizeof value,
		"{\"subject\":\"%s\",\"version\":%d,\"id\":%d,\"schema\":\"\\\"%s\\\"\",\"deleted\":false}", subject, version, id,
		schema);
	put(key, value);
}

static void expect_http(const char *path, int status, const char *body)
{
	struct buf answer;

	buf_init(&answer, 1 << 20);
	assert_int_equal(store_http(&store, path, &answer), status);
	assert_string_equal(buf_cstr(&answer), body);
	buf_release(&answer);
}

static int open_store(void **state)
{
	store_init(&store);
	return 0;
}

static int close_store(void **state)
{
	store_release(&store);
	return 0;
}

/* As a Confluent server leaves them behind, newer members included. */
static void records_of_a_registry_server_are_read(void **state)
{
	put("{\"keytype\":\"NOOP\",\"magic\":0}", NULL);
	put("{\"keytype\":\"CONFIG\",\"subject\":null,\"magic\":0}", "{\"compatibilityLevel\":\"FULL\"}");
	put("{\"keytype\":\"MODE\",\"subject\":\"a\",\"magic\":0}", "{\"mode\":\"IMPORT\"}");
	put("{\"keytype\":\"SCHEMA\",\"subject\":\"a-value\",\"version\":1,\"magic\":1}",
		"{\"subject\":\"a-value\",\"version\":1,\"id\":7,\"md5Bytes\":\"rP3mtr0pBZ9n6hBJOaf6jg==\",\"schema\":"
		"\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"A\\\",\\\"fields\\\":[]}\",\"deleted\":false}");
	put("not json", "at all");
	put("{\"keytype\":\"SCHEMA\",\"subject\":\"a-value\",\"version\":2,\"magic\":1}", "[1]");
	assert_string_equal(store_schema(&store, 7)->text, "{\"type\":\"record\",\"name\":\"A\",\"fields\":[]}");
	assert_int_equal(store.last_id, 7);
	assert_int_equal(store_subject(&store, "a-value")->count, 1);
}

static void deleted_versions_keep_their_ids(void **state)
{
	put_schema("a", 1, 1, "int");
	put_schema("a", 2, 2, "long");
	put_schema("a", 3, 3, "bytes");
	put("{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"a\",\"magic\":0}", "{\"subject\":\"a\",\"version\":2}");
	expect_http("/subjects/a/versions", 200, "[3]");
	assert_null(store_version(store_subject(&store, "a"), "\"int\""));
	put("{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":3,\"magic\":1}", NULL);
	assert_int_equal(store_subject(&store, "a")->count, 2);
	put("{\"keytype\":\"CLEAR_SUBJECT\",\"subject\":\"a\",\"magic\":0}", "{\"subject\":\"a\",\"version\":2}");
	assert_int_equal(store_subject(&store, "a")->count, 0);
	assert_non_null(store_schema(&store, 1));
	assert_non_null(store_schema(&store, 3));
	expect_http("/subjects", 200, "[]");
}

static void the_first_record_with_an_id_has_it(void **state)
{
	put_schema("a", 1, 1, "int");
	put_schema("b", 1, 1, "long");
	assert_string_equal(store_schema(&store, 1)->text, "\"int\"");
	assert_null(store_subject(&store, "b"));
	put_schema("b", 1, 2, "long");
	assert_string_equal(store_schema(&store, 2)->text, "\"long\"");
	assert_int_equal(store_subject(&store, "b")->versions[0].number, 1);
}

/* Compaction keeps the last record of a key: until the valid one stands last again, the version is contested. */
static void a_record_over_the_valid_one_contests_it(void **state)
{
	struct version *version;

	put_schema("a", 1, 1, "int");
	put_schema("a", 1, 1, "long");
	version = store_version_by_number(store_subject(&store, "a"), 1);
	assert_true(version->contested);
	assert_string_equal(version->schema->text, "\"int\"");
	put_schema("a", 1, 2, "long");
	assert_null(store_schema(&store, 2));
	assert_int_equal(store.last_id, 2);
	put_schema("a", 1, 1, "int");
	assert_false(version->contested);
}

static void one_text_has_one_id_in_all_subjects(void **state)
{
	put_schema("a", 1, 5, "int");
	put_schema("b", 1, 5, "int");
	assert_int_equal(store_schema_by_text(&store, "\"int\"")->id, 5);
	expect_http("/schemas/ids/5/versions", 200, "[{\"subject\":\"a\",\"version\":1},{\"subject\":\"b\",\"version\":1}]");
}

static void versions_stay_in_order(void **state)
{
	put_schema("a", 3, 3, "bytes");
	put_schema("a", 1, 1, "int");
	put_schema("a", 2, 2, "long");
	put_schema("a", 4, 4, "float");
	put_schema("a", 5, 5, "double");
	expect_http("/subjects/a/versions", 200, "[1,2,3,4,5]");
}

static void the_read_api_answers_as_a_server_does(void **state)
{
	put_schema("z", 1, 1, "int");
	put_schema("a/b-value", 1, 1, "int");
	put_schema("a/b-value", 2, 2, "long");
	expect_http("/subjects", 200, "[\"a/b-value\",\"z\"]");
	expect_http("/subjects/", 200, "[\"a/b-value\",\"z\"]");
	expect_http("/subjects/a%2Fb-value/versions", 200, "[1,2]");
	expect_http("/subjects/a%2fb-value/versions/latest?deleted=true", 200,
		"{\"subject\":\"a/b-value\",\"version\":2,\"id\":2,\"schema\":\"\\\"long\\\"\"}");
	expect_http("/subjects/z/versions/1/schema", 200, "\"int\"");
	expect_http("/schemas/ids/2", 200, "{\"schema\":\"\\\"long\\\"\"}");
	expect_http("/schemas/ids/2?fetchMaxId=false", 200, "{\"schema\":\"\\\"long\\\"\"}");
	expect_http("/schemas/ids/1/schema", 200, "\"int\"");
	expect_http("/schemas/types", 200, "[\"AVRO\"]");
	expect_http("/config", 200, "{\"compatibilityLevel\":\"NONE\"}");
	expect_http("/mode", 200, "{\"mode\":\"READONLY\"}");
	expect_http("/subjects/none/versions", 404, "{\"error_code\":40401,\"message\":\"Subject not found.\"}");
	expect_http("/subjects/z/versions/9", 404, "{\"error_code\":40402,\"message\":\"Version not found.\"}");
	expect_http("/schemas/ids/99", 404, "{\"error_code\":40403,\"message\":\"Schema not found\"}");
	expect_http("/schemas/ids/4294967298", 404, "{\"error_code\":40403,\"message\":\"Schema not found\"}");
	expect_http("/metrics", 0, "");
	expect_http("/", 0, "");
	expect_http("/subjects/a/versions/1/schema/more", 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records_of_a_registry_server_are_read, open_store, close_store),
		cmocka_unit_test_setup_teardown(deleted_versions_keep_their_ids, open_store, close_store),
		cmocka_unit_test_setup_teardown(the_first_record_with_an_id_has_it, open_store, close_store),
		cmocka_unit_test_setup_teardown(a_record_over_the_valid_one_contests_it, open_store, close_store),
		cmocka_unit_test_setup_teardown(one_text_has_one_id_in_all_subjects, open_store, close_store),
		cmocka_unit_test_setup_teardown(versions_stay_in_order, open_store, close_store),
		cmocka_unit_test_setup_teardown(the_read_api_answers_as_a_server_does, open_store, close_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
