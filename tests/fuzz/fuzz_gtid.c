/*
 * fuzz_gtid.c: gtids and sets of them. What is taken in must come out the same by every way, and the answers about two sets must fit together.
 *
 * Input: a byte that says what the rest is: 0 a MySQL set, 1 a MariaDB position, 2 a binary set, 3 a list, 4 and 5 one gtid; for sets of text, what follows a "|" is
 * another set.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_gtid.h"
#include "lib/change/change.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX ((size_t)16 << 20)

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static struct gtid_set *new_set(enum gtid_flavour flavour)
{
	struct gtid_set *set = gtid_set_new(flavour);

	expect(set != NULL);
	return set;
}

static bool same(const struct gtid_set *a, const struct gtid_set *b)
{
	return gtid_set_is_subset(a, b) && gtid_set_is_subset(b, a);
}

/* Through text and, MySQL's, the binary form. */
static void check_set(enum gtid_flavour flavour, const struct gtid_set *set)
{
	struct gtid_set *back = new_set(flavour);
	struct error err = ERROR_INIT;
	struct buf text, again;

	buf_init(&text, TEXT_MAX);
	buf_init(&again, TEXT_MAX);
	gtid_set_format(set, &text);
	expect(gtid_set_parse(back, buf_cstr(&text), &err) == 0);
	gtid_set_format(back, &again);
	expect(strcmp(buf_cstr(&text), buf_cstr(&again)) == 0);
	expect(same(set, back));
	expect(gtid_set_difference(set, back) == 0);
	expect(gtid_set_is_empty(set) == (text.len == 0));
	if (flavour == GTID_MYSQL) {
		buf_reset(&again);
		gtid_set_encode(set, &again);
		gtid_set_clear(back);
		expect(gtid_set_parse_binary(back, again.data, again.len, &err) == 0);
		expect(same(set, back));
	}
	buf_release(&text);
	buf_release(&again);
	gtid_set_free(back);
}

static void check_two(const struct gtid_set *a, const struct gtid_set *b)
{
	expect(gtid_set_is_subset(a, a));
	if (gtid_set_is_subset(a, b))
		expect(gtid_set_difference(a, b) == 0);
	if (gtid_set_is_empty(a))
		expect(gtid_set_is_subset(a, b));
}

static void read_sets(enum gtid_flavour flavour, char *text)
{
	struct gtid_set *a = new_set(flavour), *b = new_set(flavour);
	char *bar = strchr(text, '|');
	struct error err = ERROR_INIT;

	if (bar != NULL)
		*bar = '\0';
	if (gtid_set_parse(a, text, &err) == 0) {
		check_set(flavour, a);
		if (bar != NULL && gtid_set_parse(b, bar + 1, &err) == 0) {
			check_set(flavour, b);
			check_two(a, b);
			check_two(b, a);
		}
	} else {
		expect(err.class == ERROR_DATA && gtid_set_is_empty(a));
	}
	gtid_set_free(a);
	gtid_set_free(b);
}

static void read_binary(enum gtid_flavour flavour, const char *bytes, size_t len)
{
	struct gtid_set *set = new_set(flavour);
	struct error err = ERROR_INIT;
	int result = flavour == GTID_MYSQL ? gtid_set_parse_binary(set, bytes, len, &err) :
		gtid_set_parse_list(set, bytes, len, &err);

	if (result == 0)
		check_set(flavour, set);
	else
		expect(err.class == ERROR_DATA);
	gtid_set_free(set);
}

static void read_one(enum gtid_flavour flavour, const char *text)
{
	struct gtid_set *set = new_set(flavour);
	struct error err = ERROR_INIT;
	char buf[TRANSACTION_GTID_MAX];
	struct gtid gtid, back;

	if (gtid_parse(flavour, text, &gtid) == 0) {
		expect(gtid_parse(flavour, gtid_format(&gtid, buf, sizeof buf), &back) == 0);
		expect(gtid_equal(&gtid, &back));
		expect(gtid_set_add(set, &gtid, &err) == 0);
		expect(gtid_set_contains(set, &gtid));
		check_set(flavour, set);
		if (flavour == GTID_MYSQL) {
			expect(gtid_set_remove(set, &gtid, &err) == 0);
			expect(gtid_set_is_empty(set));
		}
	}
	gtid_set_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);

	if (copy == NULL)
		abort();
	if (size == 0) {
		free(copy);
		return 0;
	}
	memcpy(copy, data + 1, size - 1);
	copy[size - 1] = '\0';
	switch (data[0] % 6) {
	case 0:
		read_sets(GTID_MYSQL, copy);
		break;
	case 1:
		read_sets(GTID_MARIADB, copy);
		break;
	case 2:
		read_binary(GTID_MYSQL, copy, size - 1);
		break;
	case 3:
		read_binary(GTID_MARIADB, copy, size - 1);
		break;
	case 4:
		read_one(GTID_MYSQL, copy);
		break;
	default:
		read_one(GTID_MARIADB, copy);
		break;
	}
	free(copy);
	return 0;
}
