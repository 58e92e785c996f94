/*
 * capture_decode_charset.c: text in the servers' charsets. What is expected is what MariaDB 10.11 and MySQL 9.7 convert it to; all bytes of the
 * one-byte charsets are in tests/vectors/binlog_rows/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_charset.h"

#define ARENA_MAX ((size_t)4 << 20)

static struct arena arena;

static int setup(void **state)
{
	arena_init(&arena, ARENA_MAX);
	return 0;
}

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

/* The bytes are at the end of a piece of memory of their own, so that a sanitizer sees one read too far. */
static int convert(const char *charset, const char *bytes, size_t len, struct value *ret, struct error *err)
{
	unsigned char *copy = malloc(len > 0 ? len : 1);
	int result;

	assert_non_null(copy);
	assert_non_null(charset_by_name(charset));
	memcpy(copy, bytes, len);
	result = charset_text(charset_by_name(charset), copy, len, &arena, ret, err);
	if (result == 0)
		ret->text.ptr = arena_strndup(&arena, ret->text.ptr, ret->text.len);
	free(copy);
	return result;
}

static void check_bytes(const char *charset, const char *bytes, size_t len, const char *wanted)
{
	struct error err = ERROR_INIT;
	struct value value;

	if (convert(charset, bytes, len, &value, &err) < 0)
		fail_msg("%s: %s", charset, err.text);
	assert_int_equal(value.kind, VALUE_TEXT);
	if (value.text.len != strlen(wanted) || memcmp(value.text.ptr, wanted, value.text.len) != 0)
		fail_msg("%s: %s, wanted %s", charset, value.text.ptr, wanted);
}

static void check(const char *charset, const char *bytes, const char *wanted)
{
	check_bytes(charset, bytes, strlen(bytes), wanted);
}

static void check_refused(const char *charset, const char *bytes, size_t len, const char *text)
{
	struct error err = ERROR_INIT;
	struct value value;

	if (convert(charset, bytes, len, &value, &err) == 0)
		fail_msg("%s: taken: %.*s", charset, (int)len, bytes);
	assert_int_equal(err.class, ERROR_DATA);
	assert_string_equal(err.text, text);
}

static void check_collation(uint32_t collation, const char *name, unsigned width)
{
	const struct charset *charset = charset_by_collation(collation);

	if (charset == NULL || strcmp(charset_name(charset), name) != 0)
		fail_msg("collation %u is of %s, wanted %s", collation, charset != NULL ? charset_name(charset) : "none", name);
	assert_int_equal(charset_width(charset), width);
}

static void test_collations(void **state)
{
	check_collation(1, "big5", 2);
	check_collation(8, "latin1", 1);
	check_collation(33, "utf8mb3", 3);
	check_collation(45, "utf8mb4", 4);
	check_collation(56, "utf16le", 4);
	check_collation(63, "binary", 1);
	check_collation(248, "gb18030", 4);
	check_collation(255, "utf8mb4", 4);
	check_collation(1032, "latin1", 1); /* MariaDB: NO PAD */
	check_collation(2048, "utf8mb3", 3); /* MariaDB: UCA 14.0.0 */
	check_collation(2304, "utf8mb4", 4);
	check_collation(2560, "ucs2", 2);
	check_collation(2816, "utf16", 4);
	check_collation(3072, "utf32", 4);
	check_collation(3327, "utf32", 4);
	assert_null(charset_by_collation(0));
	assert_null(charset_by_collation(100));
	assert_null(charset_by_collation(2047));
	assert_null(charset_by_collation(3328));
	assert_null(charset_by_collation(UINT32_MAX));
	assert_true(charset_is_binary(charset_by_collation(63)));
	assert_false(charset_is_binary(charset_by_collation(11)));
	assert_ptr_equal(charset_by_name("utf8"), charset_by_name("utf8mb3"));
	assert_null(charset_by_name("utf9"));
}

static void test_utf8_is_borrowed(void **state)
{
	static const unsigned char text[] = "twenty-three plain bytes, \u20ac, \U0001d11e and more";
	const struct charset *charset = charset_by_name("utf8mb4");
	struct value value;

	/* every offset and length, so that the words of eight bytes begin and end everywhere */
	for (size_t from = 0; from < 20; from++) {
		for (size_t to = from; to <= 26; to++) {
			assert_int_equal(charset_text(charset, text + from, to - from, &arena, &value, NULL), 0);
			assert_ptr_equal(value.text.ptr, text + from);
			assert_int_equal(value.text.len, to - from);
		}
	}
	assert_int_equal(charset_text(charset, text, sizeof text - 1, &arena, &value, NULL), 0);
	assert_ptr_equal(value.text.ptr, text);
	/* ASCII in any charset that holds it as it is */
	assert_int_equal(charset_text(charset_by_name("sjis"), text, 26, &arena, &value, NULL), 0);
	assert_ptr_equal(value.text.ptr, text);
	assert_int_equal(charset_text(charset_by_name("latin1"), text, 26, &arena, &value, NULL), 0);
	assert_ptr_equal(value.text.ptr, text);
}

static void test_utf8_that_is_none(void **state)
{
	static const char *const cases[] = { "\x80", "\xc3", "\xc3(", "\xc0\x80", "\xe0\x80\x80", "\xe2\x82",
		"\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf0\x9d\x84", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff" };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[16] = "12345678", wanted[80];
		size_t len = 8 + strlen(cases[i]);

		memcpy(text + 8, cases[i], strlen(cases[i]));
		(void)snprintf(wanted, sizeof wanted, "byte 8 of %zu is no text in charset utf8mb4", len);
		check_refused("utf8mb4", text, len, wanted);
	}
	check_refused("ascii", "a\xc3(", 3, "byte 1 of 3 is no text in charset ascii");
}

static void test_one_byte(void **state)
{
	check("latin1", "\x80\x81\xff", "\u20ac" "\xc2\x81" "\u00ff");
	check("cp1251", "\xcf\xf0\xe8", "\u041f\u0440\u0438");
	check("swe7", "[\\]{|}~@^`a", "\u00c4\u00d6\u00c5\u00e4\u00f6\u00e5\u00fc\u00c9\u00dc\u00e9" "a");
	check("tis620", "\xa1", "\u0e01");
	check("keybcs2", "\x80", "\u010c");
	check_refused("cp1251", "a\x98", 2, "byte 1 of 2 is no text in charset cp1251");
	check_refused("greek", "\xff", 1, "byte 0 of 1 is no text in charset greek");
}

static void test_wide(void **state)
{
	check_bytes("ucs2", "\0a\x20\xac", 4, "a\u20ac");
	check_bytes("utf16", "\xd8\x34\xdd\x1e", 4, "\U0001d11e");
	check_bytes("utf16le", "\x34\xd8\x1e\xdd", 4, "\U0001d11e");
	check_bytes("utf32", "\0\1\xd1\x1e", 4, "\U0001d11e");
	check_bytes("utf16", "", 0, "");
	check_refused("ucs2", "\0a\x20", 3, "byte 2 of 3 is no text in charset ucs2");
	check_refused("utf16", "\xd8\x34\0a", 4, "byte 0 of 4 is no text in charset utf16");
	check_refused("utf16", "\xdd\x1e", 2, "byte 0 of 2 is no text in charset utf16");
	check_refused("utf32", "\0\0\xd8\0", 4, "byte 0 of 4 is no text in charset utf32");
	check_refused("utf32", "\0\x11\0\0", 4, "byte 0 of 4 is no text in charset utf32");
}

static void test_east_asia(void **state)
{
	check("sjis", "\x8a\xbf\x8e\x9a \xb6\xc5~\\", "\u6f22\u5b57 \uff76\uff85~\\");
	check("sjis", "\x81\x5f\x81\x60\x81\x7c", "\\\u301c\u2212"); /* the servers' own */
	check("cp932", "\x81\x5f\x81\x60\x87\x40", "\uff3c\uff5e\u2460");
	check("ujis", "\xb4\xc1\x8e\xb6\x8f\xb0\xa1\xa1\xc1", "\u6f22\uff76\u4e02\u301c");
	check("eucjpms", "\xb4\xc1\x8e\xb6\xa1\xc1", "\u6f22\uff76\uff5e");
	check("euckr", "\xc7\xd1\xb1\xdb\x94\xee", "\ud55c\uae00\ubdc1");
	check("gbk", "\xba\xba\xd7\xd6\x8b\xd5", "\u6c49\u5b57\u5b1a");
	check("gb2312", "\xba\xba\xd7\xd6", "\u6c49\u5b57");
	check("big5", "\xba\x7e\xa6\x72\xc6\xe7", "\u6f22\u5b57\u3083");
	check("gb18030", "\xba\xba\x94\x32\xbe\x34\xfe\x59", "\u6c49\U0001d11e\ue81e");
	check_refused("sjis", "a\x8a", 2, "byte 1 of 2 is no text in charset sjis");
	check_refused("gbk", "a\xff\xff", 3, "byte 1 of 3 is no text in charset gbk");
	check_refused("euckr", "\xba\xba\xc7", 3, "byte 2 of 3 is no text in charset euckr");
	/* a descriptor that failed is as new */
	check("gbk", "\xba\xba", "\u6c49");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_collations),
		cmocka_unit_test_setup_teardown(test_utf8_is_borrowed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_utf8_that_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wide, setup, teardown),
		cmocka_unit_test_setup_teardown(test_east_asia, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
