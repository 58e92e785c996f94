/*
 * capture_decode_gtid.c: gtids and sets of them as text and in their binary forms, and what can be asked of a set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_gtid.h"
#include "lib/change/change.h"

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "3e11fa47-71ca-11e1-9e33-c80aa9429563"
#define TEXT_MAX ((size_t)16 << 20)

static struct gtid_set *set_of(enum gtid_flavour flavour, const char *text)
{
	struct gtid_set *set = gtid_set_new(flavour);
	struct error err = ERROR_INIT;

	assert_non_null(set);
	if (gtid_set_parse(set, text, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return set;
}

static void assert_set(const struct gtid_set *set, const char *text)
{
	struct buf out;

	buf_init(&out, TEXT_MAX);
	gtid_set_format(set, &out);
	assert_string_equal(buf_cstr(&out), text);
	buf_release(&out);
}

static struct gtid gtid_of(enum gtid_flavour flavour, const char *text)
{
	struct gtid gtid;

	assert_int_equal(gtid_parse(flavour, text, &gtid), 0);
	return gtid;
}

static void add(struct gtid_set *set, enum gtid_flavour flavour, const char *text)
{
	struct gtid gtid = gtid_of(flavour, text);
	struct error err = ERROR_INIT;

	assert_int_equal(gtid_set_add(set, &gtid, &err), 0);
}

static void test_one_as_text(void **state)
{
	static const struct {
		enum gtid_flavour flavour;
		const char *text, *canonical; /* NULL: not one */
	} cases[] = {
		{ GTID_MYSQL, A ":1", A ":1" },
		{ GTID_MYSQL, "3E11FA47-71CA-11E1-9E33-C80AA9429562:9223372036854775806", A ":9223372036854775806" },
		{ GTID_MYSQL, A ":Some_Tag1:77", A ":some_tag1:77" },
		{ GTID_MYSQL, A ":_2345678901234567890123456789012:77", A ":_2345678901234567890123456789012:77" },
		{ GTID_MYSQL, "3e11fa4771ca11e19e33c80aa9429562:5", A ":5" },
		{ GTID_MYSQL, A ":0", NULL },
		{ GTID_MYSQL, A ":9223372036854775807", NULL },
		{ GTID_MYSQL, A ":99999999999999999999999", NULL },
		{ GTID_MYSQL, A ":1-5", NULL },
		{ GTID_MYSQL, A ":tag", NULL },
		{ GTID_MYSQL, A ":_23456789012345678901234567890123:77", NULL },
		{ GTID_MYSQL, A, NULL },
		{ GTID_MYSQL, "3e11fa47-71ca-11e1-9e33-c80aa942956:1", NULL },
		{ GTID_MYSQL, "3e11fa47-71ca-11e1-9e33c80aa94295620:1", NULL },
		{ GTID_MYSQL, "", NULL },
		{ GTID_MYSQL, "0-1-77", NULL },
		{ GTID_MARIADB, "0-1-77", "0-1-77" },
		{ GTID_MARIADB, "4294967295-4294967295-18446744073709551615", "4294967295-4294967295-18446744073709551615" },
		{ GTID_MARIADB, "4294967296-1-1", NULL },
		{ GTID_MARIADB, "1-1-18446744073709551616", NULL },
		{ GTID_MARIADB, "0-1-", NULL },
		{ GTID_MARIADB, "0-1-7,1-1-8", NULL },
	};
	char buf[TRANSACTION_GTID_MAX];
	struct gtid gtid;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int result = gtid_parse(cases[i].flavour, cases[i].text, &gtid);

		if (result != (cases[i].canonical != NULL ? 0 : -1))
			fail_msg("%s: %d", cases[i].text, result);
		if (result == 0)
			assert_string_equal(gtid_format(&gtid, buf, sizeof buf), cases[i].canonical);
	}
}

static void test_equal(void **state)
{
	struct gtid a = gtid_of(GTID_MYSQL, A ":1"), b = gtid_of(GTID_MYSQL, A ":t:1"), c = gtid_of(GTID_MARIADB, "0-1-1");
	struct gtid d = gtid_of(GTID_MARIADB, "0-2-1"), e = gtid_of(GTID_MYSQL, B ":1");

	assert_true(gtid_equal(&a, &a));
	assert_true(gtid_equal(&c, &c));
	assert_false(gtid_equal(&a, &b));
	assert_false(gtid_equal(&a, &c));
	assert_false(gtid_equal(&a, &e));
	assert_false(gtid_equal(&c, &d));
}

static void test_sets_as_text(void **state)
{
	static const struct {
		enum gtid_flavour flavour;
		const char *text, *canonical;
	} cases[] = {
		{ GTID_MYSQL, "", "" },
		{ GTID_MYSQL, " \n", "" },
		{ GTID_MYSQL, A ":1", A ":1" },
		{ GTID_MYSQL, A ":5-5", A ":5" },
		{ GTID_MYSQL, A ":1-5:7-9:6", A ":1-9" },
		{ GTID_MYSQL, A ":7-9:1-5", A ":1-5:7-9" },
		{ GTID_MYSQL, A ":1-10:3-4:9-20", A ":1-20" },
		{ GTID_MYSQL, A ":1:3:5:7:2-6", A ":1-7" },
		{ GTID_MYSQL, B ":1,\n" A ":2 : 4 - 6 , ,", A ":2:4-6," B ":1" },
		{ GTID_MYSQL, A ":1-5:Tag:1-3:5:zag:7," A ":9", A ":1-5:9:tag:1-3:5:zag:7" },
		{ GTID_MYSQL, A ":tag:1," B ":tag:1:atag:2", A ":tag:1," B ":atag:2:tag:1" },
		{ GTID_MYSQL, A ":9223372036854775806", A ":9223372036854775806" },
		{ GTID_MARIADB, "", "" },
		{ GTID_MARIADB, "5-1-7, 0-2-8", "0-2-8,5-1-7" },
		{ GTID_MARIADB, "0-1-7,0-2-9", "0-2-9" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct gtid_set *set = set_of(cases[i].flavour, cases[i].text);

		assert_set(set, cases[i].canonical);
		assert_int_equal(gtid_set_is_empty(set), cases[i].canonical[0] == '\0');
		gtid_set_free(set);
	}
}

static void test_malformed_text(void **state)
{
	static const struct {
		enum gtid_flavour flavour;
		const char *text, *error;
	} cases[] = {
		{ GTID_MYSQL, "x", "gtid set is malformed at byte 0: x" },
		{ GTID_MYSQL, A, "gtid set is malformed at byte 0: " A },
		{ GTID_MYSQL, A ":", "gtid set is malformed at byte 37: " },
		{ GTID_MYSQL, A ":0", "gtid set is malformed at byte 37: 0" },
		{ GTID_MYSQL, A ":5-3", "gtid set is malformed at byte 37: 5-3" },
		{ GTID_MYSQL, A ":1-9223372036854775807", "gtid set is malformed at byte 37: 1-9223372036854775807" },
		{ GTID_MYSQL, A ":1;2", "gtid set is malformed at byte 38: ;2" },
		{ GTID_MYSQL, A ":1:tag", "gtid set is malformed at byte 42: " },
		{ GTID_MYSQL, A ":1," B, "gtid set is malformed at byte 39: " B },
		{ GTID_MARIADB, "0-1", "gtid set is malformed at byte 0: 0-1" },
		{ GTID_MARIADB, "0-1-7 1-1-1", "gtid set is malformed at byte 6: 1-1-1" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct gtid_set *set = set_of(cases[i].flavour, cases[i].flavour == GTID_MYSQL ? A ":3" : "7-7-7");
		struct error err = ERROR_INIT;

		assert_int_equal(gtid_set_parse(set, cases[i].text, &err), -1);
		assert_int_equal(err.class, ERROR_DATA);
		assert_string_equal(err.text, cases[i].error);
		/* untouched */
		assert_set(set, cases[i].flavour == GTID_MYSQL ? A ":3" : "7-7-7");
		gtid_set_free(set);
	}
}

static void test_add_and_remove(void **state)
{
	static const uint64_t order[] = { 5, 6, 7, 1, 3, 2, 10, 9, 4 };
	struct gtid_set *set = gtid_set_new(GTID_MYSQL);
	struct gtid gtid = gtid_of(GTID_MYSQL, A ":1");
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		gtid.sequence = order[i];
		assert_false(gtid_set_contains(set, &gtid));
		assert_int_equal(gtid_set_add(set, &gtid, &err), 0);
		assert_int_equal(gtid_set_add(set, &gtid, &err), 0);
		assert_true(gtid_set_contains(set, &gtid));
	}
	assert_set(set, A ":1-7:9-10");
	gtid.sequence = 4;
	assert_int_equal(gtid_set_remove(set, &gtid, &err), 0);
	assert_int_equal(gtid_set_remove(set, &gtid, &err), 0);
	assert_set(set, A ":1-3:5-7:9-10");
	gtid.sequence = 1;
	assert_int_equal(gtid_set_remove(set, &gtid, &err), 0);
	gtid.sequence = 10;
	assert_int_equal(gtid_set_remove(set, &gtid, &err), 0);
	gtid.sequence = 9;
	assert_int_equal(gtid_set_remove(set, &gtid, &err), 0);
	gtid.sequence = 8;
	assert_int_equal(gtid_set_remove(set, &gtid, &err), 0);
	assert_set(set, A ":2-3:5-7");
	add(set, GTID_MYSQL, A ":tag:4");
	add(set, GTID_MYSQL, B ":4");
	assert_set(set, A ":2-3:5-7:tag:4," B ":4");
	gtid = gtid_of(GTID_MYSQL, A ":tag:4");
	assert_int_equal(gtid_set_remove(set, &gtid, &err), 0);
	gtid = gtid_of(GTID_MYSQL, B ":4");
	assert_int_equal(gtid_set_remove(set, &gtid, &err), 0);
	assert_set(set, A ":2-3:5-7");
	gtid = gtid_of(GTID_MARIADB, "0-1-1");
	assert_int_equal(gtid_set_add(set, &gtid, &err), -1);
	assert_int_equal(err.class, ERROR_BUG);
	assert_false(gtid_set_contains(set, &gtid));
	gtid_set_clear(set);
	assert_true(gtid_set_is_empty(set));
	gtid_set_free(set);
	gtid_set_free(NULL);
}

static void test_positions_of_mariadb(void **state)
{
	struct gtid_set *set = set_of(GTID_MARIADB, "0-1-100,7-1-5");
	struct gtid gtid = gtid_of(GTID_MARIADB, "0-9-100");
	struct error err = ERROR_INIT;

	assert_true(gtid_set_contains(set, &gtid));
	gtid.sequence++;
	assert_false(gtid_set_contains(set, &gtid));
	assert_int_equal(gtid_set_add(set, &gtid, &err), 0);
	assert_set(set, "0-9-101,7-1-5");
	assert_true(gtid_set_last(set, 0, &gtid));
	assert_true(gtid.sequence == 101 && gtid.server == 9 && gtid.domain == 0);
	assert_false(gtid_set_last(set, 1, &gtid));
	gtid = gtid_of(GTID_MARIADB, "1-1-1");
	assert_false(gtid_set_contains(set, &gtid));
	assert_int_equal(gtid_set_remove(set, &gtid, &err), -1);
	assert_string_equal(err.text, "a MariaDB position cannot give a transaction back");
	gtid_set_free(set);
}

static void test_difference_and_subset(void **state)
{
	static const struct {
		enum gtid_flavour flavour;
		const char *whole, *part;
		uint64_t difference; /* of whole to part */
		bool subset;         /* part of whole */
	} cases[] = {
		{ GTID_MYSQL, A ":1-10", A ":1-10", 0, true },
		{ GTID_MYSQL, A ":1-10", A ":3-4:6:9-10", 5, true },
		{ GTID_MYSQL, A ":1-10", A ":3-4:6:9-11", 5, false },
		{ GTID_MYSQL, A ":1-3:5-7:9", A ":2:4:6-9", 3, false },
		{ GTID_MYSQL, A ":1-10", B ":1", 10, false },
		{ GTID_MYSQL, A ":1-10:t:1-2", A ":1", 11, true },
		{ GTID_MYSQL, A ":1-10", A ":t:1", 10, false },
		{ GTID_MYSQL, A ":1," B ":1-5", "", 6, true },
		{ GTID_MYSQL, "", A ":1", 0, false },
		{ GTID_MYSQL, "", "", 0, true },
		{ GTID_MARIADB, "0-1-10,1-1-5", "0-2-7", 8, true },
		{ GTID_MARIADB, "0-1-10", "0-1-11", 0, false },
		{ GTID_MARIADB, "0-1-10", "0-1-10,1-1-1", 0, false },
		{ GTID_MARIADB, "0-1-18446744073709551615,1-1-18446744073709551615", "", UINT64_MAX, true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct gtid_set *whole = set_of(cases[i].flavour, cases[i].whole);
		struct gtid_set *part = set_of(cases[i].flavour, cases[i].part);

		if (gtid_set_difference(whole, part) != cases[i].difference ||
			gtid_set_is_subset(part, whole) != cases[i].subset)
			fail_msg("%s less %s: %" PRIu64 ", %d", cases[i].whole, cases[i].part, gtid_set_difference(whole, part),
				gtid_set_is_subset(part, whole));
		gtid_set_free(whole);
		gtid_set_free(part);
	}
}

/* What a server of version 9.7 writes (tests/vectors/binlog/events-mysql-set.bin), without and with tags. */
static void test_binary(void **state)
{
	static const unsigned char plain[] = {
		2, 0, 0, 0, 0, 0, 0, 0,
		0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62,
		2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0,
		0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x63,
		1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
	};
	static const unsigned char tagged[] = {
		1, 2, 0, 0, 0, 0, 0, 1,
		0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62, 0,
		1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
		0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62, 6, 't', 'a', 'g',
		1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0
	};
	static const struct {
		const unsigned char *bytes;
		size_t len;
		const char *text;
	} cases[] = {
		{ plain, sizeof plain, A ":1-5:9," B ":2-255" },
		{ tagged, sizeof tagged, A ":1-5:tag:7" },
		{ (const unsigned char *)"\0\0\0\0\0\0\0", 8, "" },
		{ (const unsigned char *)"\1\0\0\0\0\0\0\1", 8, "" },
	};
	struct error err = ERROR_INIT;
	struct buf out;

	buf_init(&out, TEXT_MAX);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct gtid_set *set = set_of(GTID_MYSQL, B ":1");

		/* cut anywhere it is refused, and the set is what it was */
		for (size_t len = 0; len < cases[i].len; len++) {
			assert_int_equal(gtid_set_parse_binary(set, cases[i].bytes, len, &err), -1);
			assert_int_equal(err.class, ERROR_DATA);
			assert_set(set, B ":1");
		}
		assert_int_equal(gtid_set_parse_binary(set, cases[i].bytes, cases[i].len, &err), 0);
		assert_set(set, cases[i].text);
		buf_reset(&out);
		gtid_set_encode(set, &out);
		if (i < 3) {
			assert_int_equal(out.len, cases[i].len);
			assert_memory_equal(out.data, cases[i].bytes, out.len);
		}
		gtid_set_free(set);
	}
	buf_release(&out);
}

static void test_malformed_binary(void **state)
{
	struct gtid_set *set = gtid_set_new(GTID_MYSQL), *position = gtid_set_new(GTID_MARIADB);
	unsigned char bytes[8 + 16 + 8 + 16 + 1] = { 1 };
	struct error err = ERROR_INIT;

	bytes[24] = 1;
	bytes[32] = 5;
	bytes[40] = 6;
	assert_int_equal(gtid_set_parse_binary(set, bytes, sizeof bytes - 1, &err), 0);
	assert_set(set, "00000000-0000-0000-0000-000000000000:5");
	assert_int_equal(gtid_set_parse_binary(set, bytes, sizeof bytes, &err), -1);
	assert_string_equal(err.text, "set of previous gtids of 49 bytes is cut off or malformed");
	bytes[40] = 5;
	assert_int_equal(gtid_set_parse_binary(set, bytes, sizeof bytes - 1, &err), -1);
	assert_string_equal(err.text, "set of previous gtids is cut off or malformed");
	bytes[7] = 2;
	assert_int_equal(gtid_set_parse_binary(set, bytes, sizeof bytes - 1, &err), -1);
	assert_string_equal(err.text, "set of previous gtids has the unknown format 2");
	assert_set(set, "00000000-0000-0000-0000-000000000000:5");
	assert_int_equal(gtid_set_parse_binary(position, bytes, 8, &err), -1);
	assert_int_equal(err.class, ERROR_BUG);
	gtid_set_free(set);
	gtid_set_free(position);
}

static void test_list(void **state)
{
	static const unsigned char list[] = {
		3, 0, 0, 0x10,
		0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0,
		5, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
	};
	struct gtid_set *set = set_of(GTID_MARIADB, "9-9-9");
	struct error err = ERROR_INIT;

	for (size_t len = 0; len < sizeof list; len++) {
		assert_int_equal(gtid_set_parse_list(set, list, len, &err), -1);
		assert_int_equal(err.class, ERROR_DATA);
		assert_set(set, "9-9-9");
	}
	assert_int_equal(gtid_set_parse_list(set, list, sizeof list, &err), 0);
	assert_set(set, "0-2-7,5-1-256");
	gtid_set_free(set);
}

/* As many intervals as a set may have, and one more. */
static void test_largest_set(void **state)
{
	struct gtid_set *set = gtid_set_new(GTID_MYSQL), *back = gtid_set_new(GTID_MYSQL);
	struct gtid_set *position = gtid_set_new(GTID_MARIADB);
	struct gtid gtid = gtid_of(GTID_MYSQL, A ":1"), other = gtid_of(GTID_MYSQL, B ":1");
	struct gtid domain = gtid_of(GTID_MARIADB, "0-1-1");
	struct error err = ERROR_INIT;
	struct buf out;

	for (uint64_t i = 0; i < GTID_SET_MAX; i++) {
		gtid.sequence = 1 + 2 * i;
		domain.domain = (uint32_t)i;
		assert_int_equal(gtid_set_add(set, &gtid, &err), 0);
		assert_int_equal(gtid_set_add(position, &domain, &err), 0);
	}
	gtid.sequence += 2;
	domain.domain++;
	assert_int_equal(gtid_set_add(set, &gtid, &err), -1);
	assert_string_equal(err.text, "gtid set of more than 100000 intervals");
	assert_int_equal(gtid_set_add(set, &other, &err), -1);
	assert_false(gtid_set_contains(set, &other));
	assert_int_equal(gtid_set_add(position, &domain, &err), -1);
	assert_string_equal(err.text, "gtid position of more than 100000 domains");
	buf_init(&out, TEXT_MAX);
	gtid_set_format(set, &out);
	assert_int_equal(gtid_set_parse(back, buf_cstr(&out), &err), 0);
	assert_true(gtid_set_is_subset(back, set) && gtid_set_is_subset(set, back));
	buf_reset(&out);
	gtid_set_encode(set, &out);
	assert_int_equal(gtid_set_parse_binary(back, out.data, out.len, &err), 0);
	assert_int_equal(gtid_set_difference(back, set), 0);
	/* filling a gap makes room */
	gtid.sequence = 2;
	assert_int_equal(gtid_set_add(set, &gtid, &err), 0);
	assert_int_equal(gtid_set_difference(set, back), 1);
	assert_int_equal(gtid_set_add(set, &other, &err), 0);
	/* a hole needs an interval */
	gtid.sequence = 2;
	assert_int_equal(gtid_set_remove(set, &gtid, &err), -1);
	assert_string_equal(err.text, "gtid set of more than 100000 intervals");
	assert_true(gtid_set_contains(set, &gtid));
	buf_release(&out);
	gtid_set_free(set);
	gtid_set_free(back);
	gtid_set_free(position);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_as_text),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_sets_as_text),
		cmocka_unit_test(test_malformed_text),
		cmocka_unit_test(test_add_and_remove),
		cmocka_unit_test(test_positions_of_mariadb),
		cmocka_unit_test(test_difference_and_subset),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_malformed_binary),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_largest_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
