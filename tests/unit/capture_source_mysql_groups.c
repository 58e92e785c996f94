/*
 * capture_source_mysql_groups.c: the ring of groups of the MySQL and MariaDB source, XA branches and their decisions, and the resume text.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/source_mysql.h"
#include "lib/base/log.h"

#define WORDS(err, words)                                                       \
	do {                                                                    \
		if (strstr((err).text, words) == NULL)                          \
			fail_msg("\"%s\" is not in \"%s\"", words, (err).text); \
	} while (0)

static struct error err;

static const struct source_options no_options;
static const struct endpoint mariadb = { .options = &no_options, .mariadb = true, .server_id = 1, .by_gtid = true };
static const struct endpoint mysql = { .options = &no_options, .server_id = 1, .by_gtid = true };
static const struct endpoint by_file = { .options = &no_options, .server_id = 1 };

static struct groups *new_groups(const struct endpoint *end)
{
	struct groups *groups;
	struct standing *standing;

	assert_int_equal(groups_new(end, &groups, &err), 0);
	standing = groups_standing(groups);
	(void)snprintf(standing->server, sizeof standing->server, "1");
	(void)snprintf(standing->file, sizeof standing->file, "bin.000001");
	standing->offset = 4;
	return groups;
}

static struct group group_of(const struct endpoint *end, const char *gtid, uint64_t start, uint64_t stop)
{
	struct group group = { .start = start, .end = stop, .us = (int64_t)start * 1000 };

	if (end->by_gtid)
		assert_int_equal(gtid_parse(end->mariadb ? GTID_MARIADB : GTID_MYSQL, gtid, &group.gtid), 0);
	return group;
}

static void add(struct groups *groups, const struct endpoint *end, const char *gtid, uint64_t start, uint64_t stop)
{
	struct group group = group_of(end, gtid, start, stop);

	assert_int_equal(groups_add(groups, &group, &err), 0);
}

static void prints(struct groups *groups, const char *expected)
{
	struct buf text;

	buf_init(&text, 65536);
	assert_int_equal(resume_print(groups, &text, &err), 0);
	assert_string_equal(buf_cstr(&text), expected);
	buf_release(&text);
}

static void test_groups_fold(void **state)
{
	struct groups *groups = new_groups(&mariadb);
	char at[100];

	(void)state;
	assert_int_equal(groups_file(groups, "bin.000001", &err), 0);
	add(groups, &mariadb, "0-1-5", 100, 200);
	add(groups, &mariadb, "1-2-9", 200, 300);
	assert_int_equal(groups_file(groups, "bin.000002", &err), 0);
	add(groups, &mariadb, "0-3-6", 50, 90);
	assert_int_equal(groups_next(groups), 4);
	prints(groups, "tailrace-binlog 1\nserver 1\nset -\nfile bin.000001\noffset 4\n");
	assert_int_equal(groups_fold(groups, 2, &err), 0);
	prints(groups,
		"tailrace-binlog 1\nserver 1\nset 0-1-5\nfile bin.000001\noffset 200\nlast 100 100000 0-1-5 -\n");
	assert_string_equal(groups_describe(groups, 3, at, sizeof at), "bin.000001:300, 1-2-9");
	assert_string_equal(groups_describe(groups, 4, at, sizeof at), "bin.000002:90, 0-3-6");
	assert_int_equal(groups_fold(groups, 4, &err), 0);
	prints(groups,
		"tailrace-binlog 1\nserver 1\nset 0-3-6,1-2-9\nfile bin.000002\noffset 90\nlast 50 50000 0-3-6 "
		"0-1-5\n");
	assert_int_equal(groups_fold(groups, 5, &err), -1);
	assert_int_equal(err.class, ERROR_BUG);
	groups_free(groups);
}

static void test_groups_of_mysql(void **state)
{
	struct groups *groups = new_groups(&mysql);

	(void)state;
	for (unsigned i = 1; i <= 1000; i++) {
		char gtid[80];

		(void)snprintf(gtid, sizeof gtid, "00000000-0000-0000-0000-00000000000%u:%u", i % 2 + 1, i);
		add(groups, &mysql, gtid, 100 * (uint64_t)i, 100 * (uint64_t)i + 100);
	}
	assert_int_equal(groups_fold(groups, 4, &err), 0);
	prints(groups,
		"tailrace-binlog 1\nserver 1\nset "
		"00000000-0000-0000-0000-000000000001:2,00000000-0000-0000-0000-000000000002:1:3\nfile bin.000001\n"
		"offset 400\nlast 300 300000 00000000-0000-0000-0000-000000000002:3 -\n");
	assert_int_equal(groups_fold(groups, 1001, &err), 0);
	assert_int_equal(groups_next(groups), 1001);
	groups_free(groups);
}

static void test_groups_without_gtids(void **state)
{
	struct groups *groups = new_groups(&by_file), *again = new_groups(&by_file);

	(void)state;
	add(groups, &by_file, "", 100, 200);
	assert_int_equal(groups_file(groups, "bin.000002", &err), 0);
	assert_int_equal(groups_fold(groups, 2, &err), 0);
	/* the last group is found in the file that is named, so the next file is not named before it has one */
	prints(groups, "tailrace-binlog 1\nserver 1\nfile bin.000001\noffset 200\nlast 100 100000 - -\n");
	assert_int_equal(
		resume_parse(again, &by_file,
			"tailrace-binlog 1\nserver 1\nfile bin.000001\noffset 200\nlast 100 100000 - -\n", &err),
		0);
	prints(again, "tailrace-binlog 1\nserver 1\nfile bin.000001\noffset 200\nlast 100 100000 - -\n");
	groups_free(groups);
	groups_free(again);
}

static void test_branches(void **state)
{
	struct groups *groups = new_groups(&mariadb), *again = new_groups(&mariadb);
	struct group group = group_of(&mariadb, "0-1-7", 300, 400);
	static const char expected[] =
		"tailrace-binlog 1\nserver 1\nset 0-1-7\nfile bin.000001\noffset 400\nlast 300 300000 0-1-7 0-1-6\n"
		"xa 300 bin.000001 0-1-7 0-1-6 X'61 62',X'',1\n";

	(void)state;
	add(groups, &mariadb, "0-1-6", 200, 300);
	assert_int_equal(groups_prepare(groups, "X'61 62',X'',1", &group, "bin.000001", &err), 0);
	assert_int_equal(groups_add(groups, &group, &err), 0);
	assert_non_null(groups_prepared(groups, "X'61 62',X'',1"));
	assert_int_equal(groups_fold(groups, 2, &err), 0);
	prints(groups,
		"tailrace-binlog 1\nserver 1\nset 0-1-6\nfile bin.000001\noffset 300\nlast 200 200000 0-1-6 -\n");
	assert_int_equal(groups_decide(groups, groups_prepared(groups, "X'61 62',X'',1"), &err), 0);
	add(groups, &mariadb, "0-1-8", 400, 500);
	assert_null(groups_prepared(groups, "X'61 62',X'',1"));
	assert_int_equal(groups_fold(groups, 3, &err), 0);
	prints(groups, expected);

	groups_standing(again)->next = 3;
	assert_int_equal(resume_parse(again, &mariadb, expected, &err), 0);
	prints(again, expected);
	assert_int_equal(groups_prepared(again, "X'61 62',X'',1")->before.sequence, 6);

	assert_int_equal(groups_fold(groups, 4, &err), 0);
	prints(groups,
		"tailrace-binlog 1\nserver 1\nset 0-1-8\nfile bin.000001\noffset 500\nlast 400 400000 0-1-8 0-1-7\n");
	groups_free(groups);
	groups_free(again);
}

static void test_too_many_branches(void **state)
{
	struct groups *groups = new_groups(&mariadb);
	struct group group = group_of(&mariadb, "0-1-7", 300, 400);
	char xid[32];
	int n = 0;

	(void)state;
	do
		(void)snprintf(xid, sizeof xid, "X'%04x',X'',1", n);
	while (groups_prepare(groups, xid, &group, "bin.000001", &err) == 0 && ++n < 100000);
	assert_int_equal(n, GROUPS_PREPARED_MAX);
	assert_int_equal(err.class, ERROR_DATA);
	WORDS(err, "more than 500 XA branches");
	groups_free(groups);
}

/* What is decided does not count, however long it stays until Kafka has it. */
static void test_many_branches_are_decided(void **state)
{
	struct groups *groups = new_groups(&mariadb);
	struct group group = group_of(&mariadb, "0-1-7", 300, 400);
	char xid[32];

	(void)state;
	for (int n = 0; n < 3 * GROUPS_PREPARED_MAX; n++) {
		(void)snprintf(xid, sizeof xid, "X'%04x',X'',1", n);
		assert_int_equal(groups_prepare(groups, xid, &group, "bin.000001", &err), 0);
		group.gtid.sequence++;
		assert_int_equal(groups_add(groups, &group, &err), 0);
		if (n % 100 == 50) /* this one stays */
			continue;
		assert_int_equal(groups_decide(groups, groups_prepared(groups, xid), &err), 0);
		group.gtid.sequence++;
		assert_int_equal(groups_add(groups, &group, &err), 0);
	}
	assert_int_equal(groups_fold(groups, groups_next(groups), &err), 0);
	assert_non_null(groups_prepared(groups, "X'0032',X'',1"));
	assert_null(groups_prepared(groups, "X'0033',X'',1"));
	groups_free(groups);
}

static void note(struct groups *groups, const char *xid, bool committed, const char *gtid)
{
	struct prepared *prepared = groups_prepared(groups, xid);
	char id[64];

	(void)snprintf(id, sizeof id, "%s:%" PRIu64, gtid, groups_next(groups));
	assert_int_equal(groups_note_decision(groups, xid, committed, id, &err), 0);
	if (prepared != NULL)
		assert_int_equal(groups_decide(groups, prepared, &err), 0);
	add(groups, strchr(gtid, ':') == NULL ? &mariadb : &mysql, gtid, 4, 5);
}

#define TEXT(version, set, last) \
	"tailrace-binlog " version "\nserver 1\nset " set "\nfile bin.000001\noffset 5\nlast 4 4000 " set " " last "\n"

/* What was decided is kept, as it was at each number; over starts of the agent and of the server. */
static void test_decisions(void **state)
{
	struct groups *groups = new_groups(&mariadb), *again = new_groups(&mariadb);
	struct group group = group_of(&mariadb, "0-1-5", 4, 5);

	(void)state;
	assert_int_equal(groups_prepare(groups, "X'61',X'',1", &group, "bin.000001", &err), 0);
	assert_int_equal(groups_add(groups, &group, &err), 0);
	note(groups, "X'61',X'',1", true, "0-1-6");
	note(groups, "X'62',X'',1", false, "0-1-7");
	assert_int_equal(groups_restarted(groups, &err), 0);
	note(groups, "X'61',X'',1", true, "0-1-8");
	assert_int_equal(groups_prepare(groups, "X'62',X'',1", &group, "bin.000001", &err), 0);
	add(groups, &mariadb, "0-1-9", 4, 5);
	assert_true(groups_decision(groups, "X'61',X'',1")->committed);
	assert_null(groups_decision(groups, "X'62',X'',1"));

	assert_int_equal(groups_fold(groups, 2, &err), 0);
	prints(groups, TEXT("1", "0-1-5", "-") "xa 4 bin.000001 0-1-5 - X'61',X'',1\n");
	assert_int_equal(groups_fold(groups, 3, &err), 0);
	prints(groups, TEXT("2", "0-1-6", "0-1-5") "decided 0 commit 0-1-6:2 X'61',X'',1\n");
	assert_int_equal(groups_fold(groups, 4, &err), 0);
	/* the start of the server behind it is there already, and comes again when the log is read on from here */
	prints(groups, TEXT("2", "0-1-7", "0-1-6") "decided 1 commit 0-1-6:2 X'61',X'',1\ndecided 1 rollback 0-1-7:3 X'62',X'',1\n");
	assert_int_equal(groups_fold(groups, 5, &err), 0);
	prints(groups, TEXT("2", "0-1-8", "0-1-7") "decided 1 rollback 0-1-7:3 X'62',X'',1\ndecided 0 commit 0-1-8:4 X'61',X'',1\n");
	groups_standing(again)->next = 5;
	assert_int_equal(resume_parse(again, &mariadb,
		TEXT("2", "0-1-8", "0-1-7") "decided 1 rollback 0-1-7:3 X'62',X'',1\ndecided 0 commit 0-1-8:4 X'61',X'',1\n", &err), 0);
	prints(again, TEXT("2", "0-1-8", "0-1-7") "decided 1 rollback 0-1-7:3 X'62',X'',1\ndecided 0 commit 0-1-8:4 X'61',X'',1\n");
	assert_false(groups_decision(again, "X'62',X'',1")->committed);
	assert_string_equal(groups_decision(again, "X'61',X'',1")->id, "0-1-8:4");
	assert_true(groups_in_doubt(again));
	/* a name that is prepared anew is another branch */
	assert_int_equal(groups_fold(groups, 6, &err), 0);
	prints(groups, TEXT("2", "0-1-9", "0-1-8") "xa 4 bin.000001 0-1-5 0-1-8 X'62',X'',1\ndecided 0 commit 0-1-8:4 X'61',X'',1\n");
	groups_free(groups);
	groups_free(again);
}

static void test_decisions_of_mysql(void **state)
{
	struct groups *groups = new_groups(&mysql);

	(void)state;
	note(groups, "X'61',X'',1", true, "00000000-0000-0000-0000-000000000001:1");
	assert_null(groups_decision(groups, "X'61',X'',1"));
	assert_int_equal(groups_fold(groups, 2, &err), 0);
	assert_int_equal(groups_durable_decisions(groups)->count, 0);
	assert_int_equal(resume_parse(groups, &mysql, "tailrace-binlog 2\nserver 1\nfile a\ndecided 0 commit x:1 X'61',X'',1\n", &err), -1);
	groups_free(groups);
}

/* Whoever comes back late after a crash is still known, however many were decided since. */
static void test_decisions_are_bounded(void **state)
{
	struct groups *groups = new_groups(&mariadb);
	char xid[32], gtid[32];

	(void)state;
	for (int n = 0; n < 5 * GROUPS_DECIDED_MAX; n++) {
		if (n == GROUPS_DECIDED_MAX || n == GROUPS_DECIDED_MAX + 10)
			assert_int_equal(groups_restarted(groups, &err), 0);
		(void)snprintf(xid, sizeof xid, "X'%04x',X'',1", n);
		(void)snprintf(gtid, sizeof gtid, "0-1-%d", n + 1);
		note(groups, xid, true, gtid);
	}
	for (int n = 0; n < 5 * GROUPS_DECIDED_MAX; n++) {
		bool earlier = n >= 10 && n < GROUPS_DECIDED_MAX + 10, last = n >= 4 * GROUPS_DECIDED_MAX;

		(void)snprintf(xid, sizeof xid, "X'%04x',X'',1", n);
		assert_int_equal(groups_decision(groups, xid) != NULL, earlier || last);
		if (earlier || last)
			assert_int_equal(groups_decision(groups, xid)->earlier, earlier);
	}
	assert_int_equal(groups_fold(groups, groups_next(groups), &err), 0);
	assert_int_equal(groups_durable_decisions(groups)->count, 2 * GROUPS_DECIDED_MAX);
	for (size_t i = 0; i < 2 * GROUPS_DECIDED_MAX; i++) {
		(void)snprintf(xid, sizeof xid, "X'%04zx',X'',1", i < GROUPS_DECIDED_MAX ? i + 10 : i + 3 * GROUPS_DECIDED_MAX);
		assert_string_equal(groups_durable_decisions(groups)->of[i].xid, xid);
	}
	groups_free(groups);
}

static void prepare(struct groups *groups, const char *xid, const char *gtid)
{
	struct group group = group_of(&mariadb, gtid, 4, 5);

	assert_int_equal(groups_prepare(groups, xid, &group, "bin.000001", &err), 0);
	assert_int_equal(groups_add(groups, &group, &err), 0);
}

/* No server prepares a name that it has as prepared: the one before was lost. */
static void test_a_name_is_prepared_twice(void **state)
{
	struct groups *groups = new_groups(&mariadb);

	(void)state;
	prepare(groups, "X'61',X'',1", "0-1-1");
	prepare(groups, "X'61',X'',1", "0-1-2");
	assert_int_equal(groups_prepared(groups, "X'61',X'',1")->gtid.sequence, 2);
	assert_int_equal(groups_fold(groups, 2, &err), 0);
	prints(groups, TEXT("1", "0-1-1", "-") "xa 4 bin.000001 0-1-1 - X'61',X'',1\n");
	assert_int_equal(groups_fold(groups, 3, &err), 0);
	prints(groups, TEXT("1", "0-1-2", "0-1-1") "xa 4 bin.000001 0-1-2 0-1-1 X'61',X'',1\n");
	for (int n = 3; n < 3 * GROUPS_PREPARED_MAX; n++) {
		char gtid[32];

		(void)snprintf(gtid, sizeof gtid, "0-1-%d", n);
		prepare(groups, "X'61',X'',1", gtid);
	}
	groups_free(groups);
}

/* XA RECOVER says what a server lost; but only of a life that is over, and only when all was read that the log had then. */
static void test_branches_are_lost(void **state)
{
	struct groups *groups = new_groups(&mariadb);
	struct group group;

	(void)state;
	assert_int_equal(groups_file(groups, "bin.000001", &err), 0);
	prepare(groups, "X'61',X'',1", "0-1-1");
	prepare(groups, "X'62',X'',1", "0-1-2");
	prepare(groups, "X'63',X'',1", "0-1-3");
	assert_false(groups_in_doubt(groups));
	assert_int_equal(groups_file(groups, "bin.000009", &err), 0);
	assert_int_equal(groups_restarted(groups, &err), 0);
	assert_true(groups_in_doubt(groups));
	groups_recovered_begin(groups);
	groups_recovered(groups, "X'62',X'',1");
	groups_recovered(groups, "X'ff',X'',1");
	groups_recovered_end(groups, "bin.000010", 500);
	prepare(groups, "X'64',X'',1", "0-1-4");
	group = group_of(&mariadb, "0-1-5", 100, 1000); /* a place in an earlier file is before it */
	assert_int_equal(groups_add(groups, &group, &err), 0);
	assert_int_equal(groups_file(groups, "bin.000010", &err), 0);
	assert_int_equal(groups_decide(groups, groups_prepared(groups, "X'63',X'',1"), &err), 0);
	group = group_of(&mariadb, "0-1-6", 400, 499);
	assert_int_equal(groups_add(groups, &group, &err), 0);
	assert_non_null(groups_prepared(groups, "X'61',X'',1"));
	group = group_of(&mariadb, "0-1-7", 499, 600);
	assert_int_equal(groups_add(groups, &group, &err), 0);
	assert_null(groups_prepared(groups, "X'61',X'',1"));
	assert_non_null(groups_prepared(groups, "X'62',X'',1"));
	assert_non_null(groups_prepared(groups, "X'64',X'',1"));
	/* it is open as long as the resume text may be that of before */
	assert_int_equal(groups_fold(groups, 8, &err), 0);
	assert_int_equal(groups_durable_prepared(groups, groups_durable_prepared(groups, groups_durable_prepared(groups, NULL)))->gtid.sequence, 1);
	add(groups, &mariadb, "0-1-8", 600, 700);
	assert_int_equal(groups_fold(groups, 9, &err), 0);
	assert_null(groups_durable_prepared(groups, groups_durable_prepared(groups, groups_durable_prepared(groups, NULL))));
	groups_free(groups);
}

/* A branch that is listed is warned of, but not before all was read that may say that the name is another branch by now. */
static void test_branches_are_listed(void **state)
{
	static const char *const xids[] = { "X'61',X'',1", "X'62',X'',1", "X'63',X'',1", "X'64',X'',1", "X'65',X'',1" };
	struct groups *groups = new_groups(&mariadb);
	FILE *lines = tmpfile();
	char line[1024] = "", rest[1024];

	(void)state;
	assert_non_null(lines);
	log_open("test", LOG_INFO, false, fileno(lines));
	note(groups, xids[0], true, "0-1-1");
	note(groups, xids[1], true, "0-1-2");
	note(groups, xids[2], true, "0-1-3");
	note(groups, xids[3], true, "0-1-4");
	note(groups, xids[4], false, "0-1-5");
	assert_int_equal(groups_restarted(groups, &err), 0);
	groups_recovered_begin(groups);
	groups_recovered(groups, xids[0]);
	groups_recovered(groups, xids[1]);
	groups_recovered(groups, xids[2]);
	groups_recovered(groups, xids[4]);
	groups_recovered_end(groups, "bin.000002", 500);
	prepare(groups, xids[0], "0-1-6");
	note(groups, xids[1], true, "0-1-7");
	assert_int_equal(groups_read_to(groups, 1000, &err), 0);
	assert_int_equal(groups_file(groups, "bin.000002", &err), 0);
	assert_int_equal(groups_read_to(groups, 499, &err), 0);
	assert_int_equal(lseek(fileno(lines), 0, SEEK_CUR), 0);
	assert_int_equal(groups_read_to(groups, 500, &err), 0);
	assert_int_equal(groups_read_to(groups, 600, &err), 0);
	log_open("", LOG_INFO, false, 2);
	rewind(lines);
	assert_non_null(fgets(line, sizeof line, lines));
	assert_non_null(strstr(line,
		"XA branch X'63',X'',1: MariaDB lost its commit in a crash and lists it as prepared at bin.000002:500, but its log has it, so the rows "
		"went out with transaction 0-1-3:3: unless it was decided since, commit it again, and do not roll it back\n"));
	assert_null(fgets(rest, sizeof rest, lines));
	(void)fclose(lines);
	groups_free(groups);
}

/* Whether a stream begins behind the standing, as its file says. */
static void test_file_is_new(void **state)
{
	static const struct {
		const char *file, *read, *reading;
		uint64_t offset;
		bool is_new;
	} cases[] = { { "bin.000001", "bin.000002", "1", 100, true }, { "bin.000001", "bin.000001", "1", 100, false },
		{ "bin.000002", "bin.000001", "1", 100, false }, { "bin.000001", "bin.000001", "1", 4, true }, { "bin.000001", "", "1", 100, false },
		{ "bin.000001", "other.000002", "1", 100, false }, { "bin.000001", "bin.000002", "2", 100, false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct groups *groups = new_groups(&mariadb);
		struct standing *standing = groups_standing(groups);

		(void)snprintf(standing->file, sizeof standing->file, "%s", cases[i].file);
		(void)snprintf(standing->reading, sizeof standing->reading, "%s", cases[i].reading);
		standing->offset = cases[i].offset;
		if (cases[i].read[0] != '\0')
			assert_int_equal(groups_file(groups, cases[i].read, &err), 0);
		assert_int_equal(groups_file_is_new(groups), cases[i].is_new);
		groups_free(groups);
	}
}

/* Files or their order are not known: nothing is forgotten. */
static void test_branches_of_other_files(void **state)
{
	static const struct {
		const char *read, *asked;
		bool lost;
	} cases[] = { { "bin.999999", "bin.1000000", false }, { "bin.1000000", "bin.999999", true }, { "bin.000002", "other.000001", false },
		{ "longer.000002", "bin.000001", false }, { "bin", "bin.000001", false }, { "bin.000003", "bin.000002", true } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct groups *groups = new_groups(&mariadb);

		prepare(groups, "X'61',X'',1", "0-1-1");
		assert_int_equal(groups_restarted(groups, &err), 0);
		groups_recovered_begin(groups);
		groups_recovered_end(groups, cases[i].asked, 4);
		assert_int_equal(groups_file(groups, cases[i].read, &err), 0);
		add(groups, &mariadb, "0-1-2", 100, 200);
		assert_int_equal(groups_prepared(groups, "X'61',X'',1") == NULL, cases[i].lost);
		groups_free(groups);
	}
}

/* Files and offsets of one server say nothing at another one. */
static void test_groups_of_another_server(void **state)
{
	struct groups *groups = new_groups(&mariadb);
	struct group group;

	(void)state;
	assert_int_equal(resume_parse(groups, &mariadb,
				 "tailrace-binlog 1\nserver 1\nset 0-1-8\nfile bin.000001\noffset 500\nlast 400 400000 0-1-8 0-1-7\n"
				 "xa 300 bin.000001 0-1-7 0-1-6 X'61',X'',1\n",
				 &err),
		0);
	groups_other_server(groups);
	(void)snprintf(groups_standing(groups)->reading, sizeof groups_standing(groups)->reading, "2");
	/* the time is still that of the first server */
	prints(groups,
		"tailrace-binlog 1\nserver 1\nset 0-1-8\nfile bin.000001\noffset 500\nlast 400 400000 0-1-8 0-1-7\n"
		"xa 0 bin.000001 0-1-7 0-1-6 X'61',X'',1\n");
	group = group_of(&mariadb, "0-1-8", 900, 950);
	groups_proved(groups, &group);
	prints(groups,
		"tailrace-binlog 1\nserver 2\nset 0-1-8\nfile bin.000001\noffset 500\nlast 900 900000 0-1-8 0-1-7\n"
		"xa 0 bin.000001 0-1-7 0-1-6 X'61',X'',1\n");
	groups_free(groups);
}

static void test_ring_is_full(void **state)
{
	struct groups *groups = new_groups(&mariadb);
	uint64_t n = 0;

	(void)state;
	while (!groups_full(groups) && n < 10000000) {
		char gtid[32];

		(void)snprintf(gtid, sizeof gtid, "0-1-%" PRIu64, ++n);
		add(groups, &mariadb, gtid, 4, 5);
	}
	assert_true(n > 200000 && n < 300000);
	assert_int_equal(groups_fold(groups, n / 2, &err), 0);
	assert_false(groups_full(groups));
	groups_free(groups);
}

static void test_acknowledgement(void **state)
{
	struct groups *groups = new_groups(&mariadb);
	struct group group = group_of(&mariadb, "0-1-2", 200, 300);
	const char *file;
	uint64_t offset;

	(void)state;
	group.acknowledge = true;
	add(groups, &mariadb, "0-1-1", 100, 200);
	assert_int_equal(groups_add(groups, &group, &err), 0);
	assert_int_equal(groups_fold(groups, 2, &err), 0);
	assert_int_equal(groups_acknowledge(groups, 2, &file, &offset), 0);
	assert_int_equal(groups_fold(groups, 3, &err), 0);
	assert_int_equal(groups_acknowledge(groups, 2, &file, &offset), 0); /* the record that has it is not durable */
	assert_int_equal(groups_acknowledge(groups, 3, &file, &offset), 1);
	assert_string_equal(file, "bin.000001");
	assert_int_equal(offset, 300);
	assert_int_equal(groups_acknowledge(groups, 3, &file, &offset), 0);
	groups_free(groups);
}

static void test_damaged_texts(void **state)
{
	static const char *const texts[] = {
		"",
		"tailrace-binlog 3\nserver 1\nfile a\n",
		"tailrace-binlog 1\n",
		"tailrace-binlog 1\nserver 1\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset x\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset -1\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset 4\nlast 1 2 3\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset 4\nlast 1 2 x -\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset 4\nlast 1 2 - -\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset 4\nxa 1 a 0-1-1 x X'',X'',1\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset 4\nlater 1\n",
		"tailrace-binlog 2\nserver 1\nfile a\noffset 4\ndecided 0 commit 0-1-1:2\n",
		"tailrace-binlog 2\nserver 1\nfile a\noffset 4\ndecided x commit 0-1-1:2 X'61',X'',1\n",
		"tailrace-binlog 2\nserver 1\nfile a\noffset 4\ndecided 0 perhaps 0-1-1:2 X'61',X'',1\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct groups *groups = new_groups(&mariadb);

		groups_standing(groups)->file[0] = '\0';
		groups_standing(groups)->server[0] = '\0';
		assert_int_equal(resume_parse(groups, &mariadb, texts[i], &err), -1);
		assert_int_equal(err.class, ERROR_GAP);
		WORDS(err, "the resume text of the position record is not understood");
		groups_free(groups);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups_fold),
		cmocka_unit_test(test_groups_of_mysql),
		cmocka_unit_test(test_groups_without_gtids),
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_too_many_branches),
		cmocka_unit_test(test_many_branches_are_decided),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_decisions_of_mysql),
		cmocka_unit_test(test_decisions_are_bounded),
		cmocka_unit_test(test_a_name_is_prepared_twice),
		cmocka_unit_test(test_branches_are_lost),
		cmocka_unit_test(test_branches_are_listed),
		cmocka_unit_test(test_file_is_new),
		cmocka_unit_test(test_branches_of_other_files),
		cmocka_unit_test(test_groups_of_another_server),
		cmocka_unit_test(test_ring_is_full),
		cmocka_unit_test(test_acknowledgement),
		cmocka_unit_test(test_damaged_texts),
	};

	return cmocka_run_group_tests_name("groups of the source of MySQL and MariaDB", tests, NULL, NULL);
}
