/*
 * capture_decode_json.c: MySQL's binary JSON against the text that a server printed for it (tests/vectors/binlog/json.txt, made by record.py there), and
 * documents that no server can have written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_json.h"
#include "lib/base/buf.h"

#define BYTES(...) ((const unsigned char[]){ __VA_ARGS__ }), sizeof((const unsigned char[]){ __VA_ARGS__ })

static struct arena arena;

static int setup(void **state)
{
	arena_init(&arena, (size_t)1 << 26);
	return 0;
}

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

/* A piece of memory of its own, so that a sanitizer sees a byte read too far. */
static unsigned char *own(const unsigned char *bytes, size_t len)
{
	unsigned char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

static void check(const unsigned char *bytes, size_t len, const char *wanted)
{
	struct error err = ERROR_INIT;
	struct value value;
	unsigned char *copy = own(bytes, len);

	arena_reset(&arena);
	if (json_binary_text(copy, len, &arena, &value, &err) < 0)
		fail_msg("%s, wanted: %s", err.text, wanted);
	assert_int_equal(value.kind, VALUE_TEXT);
	if (value.text.len != strlen(wanted) || memcmp(value.text.ptr, wanted, value.text.len) != 0)
		fail_msg("%.*s, wanted: %s", (int)value.text.len, value.text.ptr, wanted);
	free(copy);
}

static void refuse(const unsigned char *bytes, size_t len, const char *words)
{
	struct error err = ERROR_INIT;
	struct value value = { .kind = VALUE_UNCHANGED };
	unsigned char *copy = own(bytes, len);

	arena_reset(&arena);
	assert_int_equal(json_binary_text(copy, len, &arena, &value, &err), -1);
	assert_int_equal(err.class, ERROR_DATA);
	assert_string_equal(err.text, words);
	assert_int_equal(value.kind, VALUE_UNCHANGED);
	free(copy);
}

/* ---- what the server recorded ---- */

static unsigned char *read_hex(const char *text, size_t len, size_t *ret_len)
{
	unsigned char *bytes = malloc(len / 2 + 1);

	assert_non_null(bytes);
	for (size_t i = 0; i < len / 2; i++) {
		char digits[3] = { text[2 * i], text[2 * i + 1], '\0' };

		bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
	}
	*ret_len = len / 2;
	return bytes;
}

/* "document HEX" or "update HEX HEX", then "expect TEXT". */
static void check_recorded(const char *given, const char *wanted)
{
	bool update = strncmp(given, "update ", 7) == 0;
	const char *first = strchr(given, ' ') + 1, *second = update ? strchr(first, ' ') + 1 : NULL;
	size_t len, diffs_len;
	unsigned char *bytes = read_hex(first, update ? (size_t)(second - first - 1) : strlen(first), &len), *diffs = NULL;
	struct error err = ERROR_INIT;
	struct value value;
	int result;

	arena_reset(&arena);
	if (update)
		diffs = read_hex(second, strlen(second), &diffs_len);
	result = update ? json_partial_text(bytes, len, diffs, diffs_len, &arena, &value, &err) :
		json_binary_text(bytes, len, &arena, &value, &err);
	if (result < 0)
		fail_msg("%s, wanted: %s", err.text, wanted);
	if (value.text.len != strlen(wanted) || memcmp(value.text.ptr, wanted, value.text.len) != 0)
		fail_msg("%.*s, wanted: %s", (int)value.text.len, value.text.ptr, wanted);
	free(bytes);
	free(diffs);
}

static void test_recorded(void **state)
{
	const char *top = getenv("TOP_SRCDIR");
	char path[4096], *line = NULL, *given = NULL;
	size_t size = 0, documents = 0, updates = 0;
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/tests/vectors/binlog/json.txt", top != NULL ? top : ".");
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("%s is missing", path);
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "document ", 9) == 0 || strncmp(line, "update ", 7) == 0) {
			free(given);
			given = strdup(line);
		} else if (strncmp(line, "expect ", 7) == 0 && given != NULL) {
			check_recorded(given, line + 7);
			*(given[0] == 'd' ? &documents : &updates) += 1;
		} else if (line[0] != '#') {
			fail_msg("%s: neither of the known lines: %s", path, line);
		}
	}
	assert_true(documents > 50 && updates > 50);
	print_message("# %zu documents, %zu updates\n", documents, updates);
	free(given);
	free(line);
	(void)fclose(file);
}

/* ---- by hand ---- */

static void test_nothing_is_null(void **state)
{
	check(NULL, 0, "null");
	check(BYTES(0x04, 0x00), "null");
}

static void test_scalars(void **state)
{
	check(BYTES(0x04, 0x01), "true");
	check(BYTES(0x04, 0x02), "false");
	check(BYTES(0x05, 0x00, 0x80), "-32768");
	check(BYTES(0x06, 0xff, 0xff), "65535");
	check(BYTES(0x07, 0, 0, 0, 0x80), "-2147483648");
	check(BYTES(0x08, 0xff, 0xff, 0xff, 0xff), "4294967295");
	check(BYTES(0x09, 0, 0, 0, 0, 0, 0, 0, 0x80), "-9223372036854775808");
	check(BYTES(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "18446744073709551615");
	check(BYTES(0x0b, 0, 0, 0, 0, 0, 0, 0, 0x80), "-0.0");
	check(BYTES(0x0c, 0), "\"\"");
	check(BYTES(0x0c, 3, '"', 0x1f, '/'), "\"\\\"\\u001f/\"");
	check(BYTES(0x0f, 252, 2, 0x00, 0xff), "\"base64:type252:AP8=\"");
}

static void test_containers(void **state)
{
	/* {"": null, "a": [], "bb": -1}: keys behind the entries, an empty key, an inlined number, an empty array. */
	check(BYTES(0x00, 3, 0, 32, 0, 25, 0, 0, 0, 25, 0, 1, 0, 26, 0, 2, 0, 0x04, 0, 0, 0x02, 28, 0, 0x05, 0xff, 0xff, 'a', 'b', 'b', 0, 0, 4, 0),
		"{\"\": null, \"a\": [], \"bb\": -1}");
	/* Large: offsets of four bytes, int32 inlined. */
	check(BYTES(0x03, 2, 0, 0, 0, 20, 0, 0, 0, 0x07, 0xfe, 0xff, 0xff, 0xff, 0x0c, 18, 0, 0, 0, 1, 'x'), "[-2, \"x\"]");
}

static void test_lengths_are_checked(void **state)
{
	refuse(BYTES(0x0d), "binary json: unknown type 0x0d");
	refuse(BYTES(0x04), "binary json: a literal that is neither null, true nor false");
	refuse(BYTES(0x04, 3), "binary json: a literal that is neither null, true nor false");
	refuse(BYTES(0x05, 1), "binary json: a number of 2 bytes where 1 are left");
	refuse(BYTES(0x0b, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f), "binary json: a double that is not a number");
	refuse(BYTES(0x0c), "binary json: a length that does not end");
	refuse(BYTES(0x0c, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00), "binary json: a length that does not end");
	refuse(BYTES(0x0c, 2, 'a'), "binary json: a string of 2 bytes where 1 are left");
	refuse(BYTES(0x0c, 2, 'a', 0xe9), "binary json: a string with byte 0xe9 at 1 that is not UTF-8");
	refuse(BYTES(0x0f), "binary json: an opaque value without its type");
	refuse(BYTES(0x0f, 12, 1, 0), "binary json: a date or time of 1 bytes");
	refuse(BYTES(0x0f, 246, 3, 5, 2, 0), "binary json: a decimal of 3 bytes that is none");
	refuse(BYTES(0x02, 0, 0, 4), "binary json: an array ends in its first 4 bytes");
	refuse(BYTES(0x02, 0, 0, 5, 0), "binary json: an array of 5 bytes where 4 are left");
	refuse(BYTES(0x02, 1, 0, 4, 0), "binary json: an array with 1 members in 4 bytes");
	refuse(BYTES(0x02, 1, 0, 7, 0, 0x0c, 7, 0), "binary json: value 0 of a container lies at 7 of 7 bytes");
	refuse(BYTES(0x02, 1, 0, 7, 0, 0x0c, 4, 0), "binary json: value 0 of a container lies at 4 of 7 bytes");
	refuse(BYTES(0x00, 1, 0, 12, 0, 11, 0, 2, 0, 0x04, 0, 0, 'a'), "binary json: key 0 of an object lies at 11+2 of 12 bytes");
}

/* 20 arrays, each of two entries that both mean the next one: half a megabyte of text out of 200 bytes. */
static void test_shared_bytes_end(void **state)
{
	unsigned char bytes[1 + 20 * 10];

	bytes[0] = 0x02;
	for (size_t i = 0; i < 20; i++) {
		unsigned char *at = bytes + 1 + i * 10;
		size_t size = sizeof bytes - 1 - i * 10;

		memcpy(at, (const unsigned char[]){ 2, 0, (unsigned char)size, 0, 0x02, 10, 0, 0x02, 10, 0 }, 10);
		if (i == 19)
			memcpy(at + 4, (const unsigned char[]){ 4, 0, 0, 4, 0, 0 }, 6);
	}
	refuse(bytes, sizeof bytes, "binary json: parts that share bytes");
}

/* [[[ ... null ... ]]] */
static size_t nest(unsigned char *bytes, size_t depth)
{
	for (size_t i = 0; i < depth; i++) {
		size_t size = (depth - i) * 7;

		memcpy(bytes + 1 + i * 7, (const unsigned char[]){ 1, 0, (unsigned char)size, (unsigned char)(size >> 8), 0x02, 7, 0 }, 7);
	}
	memcpy(bytes + 1 + (depth - 1) * 7 + 4, (const unsigned char[]){ 4, 0, 0 }, 3);
	bytes[0] = 0x02;
	return 1 + depth * 7;
}

static void test_depth(void **state)
{
	unsigned char bytes[1 + 101 * 7];
	char wanted[100 + 4 + 100 + 1];

	memset(wanted, '[', 100);
	memcpy(wanted + 100, "null", 4);
	memset(wanted + 104, ']', 100);
	wanted[204] = '\0';
	check(bytes, nest(bytes, 100), wanted);
	refuse(bytes, nest(bytes, 101), "binary json: more than 100 containers in one another");
}

static void test_memory_is_the_arenas(void **state)
{
	unsigned char bytes[70] = { 0x0c, 68 };
	struct error err = ERROR_INIT;
	struct value value;
	struct arena small;

	memset(bytes + 2, 'x', 68);
	arena_init(&small, 64);
	assert_int_equal(json_binary_text(bytes, sizeof bytes, &small, &value, &err), -1);
	assert_string_equal(err.text, "out of memory: a piece of work needs more than 64 bytes");
	arena_release(&small);
}

/* ---- updates ---- */

/* One change; value: NULL for a remove. */
static size_t put_diff(unsigned char *to, unsigned char op, const char *path, const unsigned char *value, size_t value_len)
{
	size_t len = strlen(path), at = 0;

	to[at++] = op;
	to[at++] = (unsigned char)len;
	memcpy(to + at, path, len);
	at += len;
	if (value == NULL)
		return at;
	to[at++] = (unsigned char)value_len;
	memcpy(to + at, value, value_len);
	return at + value_len;
}

/* {"a": [1, 2], "b": true} */
static const unsigned char base[] = { 0x00, 2, 0, 30, 0, 18, 0, 1, 0, 19, 0, 1, 0, 0x02, 20, 0, 0x04, 1, 0, 'a', 'b', 2, 0, 10, 0, 0x05, 1, 0, 0x05, 2, 0 };

static void update(unsigned char op, const char *path, const char *wanted)
{
	static const unsigned char seven[] = { 0x05, 7, 0 };
	struct error err = ERROR_INIT;
	unsigned char diff[256], *copy;
	struct value value;
	size_t len = put_diff(diff, op, path, op == 2 ? NULL : seven, sizeof seven);
	int result;

	arena_reset(&arena);
	copy = own(diff, len);
	result = json_partial_text(base, sizeof base, copy, len, &arena, &value, &err);
	free(copy);
	if (wanted[0] != '{') {
		assert_int_equal(result, -1);
		assert_int_equal(err.class, ERROR_DATA);
		assert_string_equal(err.text, wanted);
		return;
	}
	if (result < 0)
		fail_msg("%s: %s", path, err.text);
	if (value.text.len != strlen(wanted) || memcmp(value.text.ptr, wanted, value.text.len) != 0)
		fail_msg("%s: %.*s, wanted: %s", path, (int)value.text.len, value.text.ptr, wanted);
}

static void test_update(void **state)
{
	update(0, "$.a", "{\"a\": 7, \"b\": true}");
	update(0, "$.a[1]", "{\"a\": [1, 7], \"b\": true}");
	update(0, "$.a[last-1]", "{\"a\": [7, 2], \"b\": true}");
	update(0, "$ . \"\\u0061\" [ last ]", "{\"a\": [1, 7], \"b\": true}");
	update(0, "$[0].b[last][0]", "{\"a\": [1, 2], \"b\": 7}");
	update(1, "$.a[0]", "{\"a\": [7, 1, 2], \"b\": true}");
	update(1, "$.a[2]", "{\"a\": [1, 2, 7], \"b\": true}");
	update(1, "$.a[4000000000]", "{\"a\": [1, 2, 7], \"b\": true}");
	update(1, "$.a[last]", "{\"a\": [1, 7, 2], \"b\": true}");
	update(1, "$.a[last-5]", "{\"a\": [7, 1, 2], \"b\": true}");
	update(1, "$.\"\"", "{\"\": 7, \"a\": [1, 2], \"b\": true}");
	update(1, "$.aa", "{\"a\": [1, 2], \"b\": true, \"aa\": 7}");
	update(1, "$.\"\\ud83d\\ude00\\\"\"", "{\"a\": [1, 2], \"b\": true, \"\xf0\x9f\x98\x80\\\"\": 7}");
	update(2, "$.a", "{\"b\": true}");
	update(2, "$.a[0]", "{\"a\": [2], \"b\": true}");
}

static void test_update_that_does_not_fit(void **state)
{
	update(0, "$", "partial json: change 1, replace at a path of 0 legs, does not fit the value before");
	update(0, "$.c", "partial json: change 1, replace at a path of 1 legs, does not fit the value before");
	update(0, "$.a[2]", "partial json: change 1, replace at a path of 2 legs, does not fit the value before");
	update(0, "$.b[1]", "partial json: change 1, replace at a path of 2 legs, does not fit the value before");
	update(0, "$[0]", "partial json: change 1, replace at a path of 1 legs, does not fit the value before");
	update(1, "$.a", "partial json: change 1, insert at a path of 1 legs, does not fit the value before");
	update(1, "$[0]", "partial json: change 1, insert at a path of 1 legs, does not fit the value before");
	update(1, "$.a.b", "partial json: change 1, insert at a path of 2 legs, does not fit the value before");
	update(2, "$.a.b", "partial json: change 1, remove at a path of 2 legs, does not fit the value before");
}

static void test_paths_that_are_none(void **state)
{
	static const struct {
		const char *path;
		int leg;
	} none[] = { { "", 0 }, { "a", 0 }, { "$a", 1 }, { "$.", 1 }, { "$.*", 1 }, { "$[", 1 }, { "$[]", 1 }, { "$[1", 1 }, { "$[-1]", 1 },
		{ "$[4294967296]", 1 }, { "$[last-]", 1 }, { "$[last+1]", 1 }, { "$[*]", 1 }, { "$.a**.b", 2 }, { "$.\"a", 1 }, { "$.\"\\", 1 },
		{ "$.\"\\x\"", 1 }, { "$.\"\\u12\"", 1 }, { "$.\"\\ud800\"", 1 }, { "$.\"\\udc00\"", 1 } };

	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		char wanted[128];

		(void)snprintf(wanted, sizeof wanted, "partial json: a path of %zu bytes cannot be read at leg %d", strlen(none[i].path), none[i].leg);
		update(0, none[i].path, wanted);
	}
}

static void test_changes_cut_short(void **state)
{
	static const unsigned char seven[] = { 0x05, 7, 0 };
	unsigned char diffs[512];
	size_t len = put_diff(diffs, 1, "$.cc", seven, sizeof seven), whole = len;

	len += put_diff(diffs + len, 0, "$.a[0]", seven, sizeof seven);
	len += put_diff(diffs + len, 2, "$.b", NULL, 0);
	for (size_t cut = 1; cut < len; cut++) {
		unsigned char *copy = own(diffs, cut);
		struct error err = ERROR_INIT;
		struct value value;
		int result;

		arena_reset(&arena);
		result = json_partial_text(base, sizeof base, copy, cut, &arena, &value, &err);
		assert_int_equal(result, cut == whole || cut == len - 5 ? 0 : -1);
		if (result < 0)
			assert_string_equal(err.text, "partial json: a change that ends too early");
		free(copy);
	}
}

static void test_unknown_kind_of_change(void **state)
{
	update(3, "$.a", "partial json: unknown kind of change 3");
}

/* Many members put into one object: it grows, and they come out in the server's order. */
static void test_many_inserts(void **state)
{
	static const unsigned char empty[] = { 0x00, 0, 0, 4, 0 };
	struct buf diffs, wanted;
	struct error err = ERROR_INIT;
	struct value value;

	buf_init(&diffs, (size_t)1 << 20);
	buf_init(&wanted, (size_t)1 << 20);
	for (int i = 999; i >= 0; i--) {
		char path[16];

		buf_append(&diffs, "\1", 1);
		buf_append_byte(&diffs, (char)snprintf(path, sizeof path, "$.k%d", i));
		buf_append_str(&diffs, path);
		buf_append(&diffs, "\2\4", 2);
		buf_append(&diffs, "\1", 1);
	}
	for (int i = 0; i < 1000; i++)
		buf_printf(&wanted, "%s\"k%d\": true", i == 0 ? "{" : ", ", i);
	buf_append_byte(&wanted, '}');
	arena_reset(&arena);
	assert_int_equal(json_partial_text(empty, sizeof empty, (const unsigned char *)diffs.data, diffs.len, &arena, &value, &err), 0);
	assert_int_equal(value.text.len, wanted.len);
	assert_memory_equal(value.text.ptr, wanted.data, wanted.len);
	buf_release(&diffs);
	buf_release(&wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_nothing_is_null),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_lengths_are_checked),
		cmocka_unit_test(test_shared_bytes_end),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_memory_is_the_arenas),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_update_that_does_not_fit),
		cmocka_unit_test(test_paths_that_are_none),
		cmocka_unit_test(test_changes_cut_short),
		cmocka_unit_test(test_unknown_kind_of_change),
		cmocka_unit_test(test_many_inserts),
	};

	return cmocka_run_group_tests_name("capture/decode_json", tests, setup, teardown);
}
