/*
 * capture_source_mysql.c: the parts of the MySQL and MariaDB source that need no server: the queue between its
 * threads, the ring of groups and the resume text, the store of shapes, the table map that is made from a catalogue.
 */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/source_mysql.h"

#define WORDS(err, words)                                                       \
	do {                                                                    \
		if (strstr((err).text, words) == NULL)                          \
			fail_msg("\"%s\" is not in \"%s\"", words, (err).text); \
	} while (0)

static struct error err;

/* ---- queue ---- */

#define QUEUE_SIZE ((size_t)64 << 10)
#define PACKETS 100000

/* Lengths that wrap the ring at all places; each 5000th is lent. */
static size_t length_of(unsigned n)
{
	if (n % 5000 == 4999)
		return QUEUE_SIZE * 3 + n % 7;
	return n % 251 + (n % 97 == 0 ? QUEUE_SIZE / 5 : 0);
}

static void *write_packets(void *argument)
{
	struct queue *queue = argument;
	unsigned char *bytes = malloc(QUEUE_SIZE * 4);

	for (unsigned n = 0; bytes != NULL && n < PACKETS; n++) {
		memset(bytes, (int)(n & 0xff), length_of(n));
		if (queue_put(queue, bytes, length_of(n), n % 3 == 0) < 0)
			break;
	}
	queue_end(queue, 7, "over");
	free(bytes);
	return NULL;
}

static void check_packet(const struct packet *packet, unsigned n)
{
	assert_int_equal(packet->len, length_of(n));
	assert_int_equal(packet->acknowledge, n % 3 == 0);
	for (size_t i = 0; i < packet->len; i += 61)
		assert_int_equal(packet->bytes[i], n & 0xff);
}

/* Looks ahead as far as it can; what it sees is what is taken later. */
static void look_ahead(struct queue *queue, unsigned n)
{
	struct packet packet;
	unsigned number;
	const char *text;
	uint64_t at = 0, last = 0;

	while (queue_peek(queue, &at, &packet, &number, &text) == 1) {
		check_packet(&packet, ++n);
		assert_true(packet.at >= last);
		last = packet.at;
	}
}

static void test_queue_between_threads(void **state)
{
	struct queue *queue;
	struct packet packet;
	unsigned number = 0, n = 0;
	const char *text = "";
	pthread_t thread;

	(void)state;
	assert_int_equal(queue_new(QUEUE_SIZE, &queue, &err), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_packets, queue), 0);
	for (;;) {
		int got = queue_take(queue, &packet, &number, &text);
		struct pollfd fd = { queue_fd(queue), POLLIN, 0 };

		if (got < 0)
			break;
		if (got == 0) {
			assert_int_equal(poll(&fd, 1, 10000), 1);
			continue;
		}
		check_packet(&packet, n);
		if (n % 1000 == 0)
			look_ahead(queue, n);
		n++;
	}
	assert_int_equal(n, PACKETS);
	assert_int_equal(number, 7);
	assert_string_equal(text, "over");
	assert_int_equal(pthread_join(thread, NULL), 0);
	queue_free(queue);
}

static void test_queue_is_cancelled(void **state)
{
	struct queue *queue;
	struct packet packet;
	pthread_t thread;
	unsigned number;
	const char *text;

	(void)state;
	assert_int_equal(queue_new(QUEUE_SIZE, &queue, &err), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_packets, queue), 0);
	while (queue_take(queue, &packet, &number, &text) != 1)
		;
	queue_cancel(queue);
	assert_int_equal(pthread_join(thread, NULL), 0);
	queue_free(queue);
}

static void test_queue_says_that_it_is_full(void **state)
{
	struct queue *queue;
	struct packet packet;
	pthread_t thread;
	unsigned number, seen = 0;
	const char *text;
	uint64_t at = 0;
	int got;

	(void)state;
	assert_int_equal(queue_new(QUEUE_SIZE, &queue, &err), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_packets, queue), 0);
	while ((got = queue_peek(queue, &at, &packet, &number, &text)) >= 0) {
		struct pollfd fd = { queue_fd(queue), POLLIN, 0 };

		if (got == 0)
			assert_int_equal(poll(&fd, 1, 10000), 1);
		else
			check_packet(&packet, seen++);
	}
	assert_int_equal(got, -1);
	assert_true(seen > 10);
	/* what was seen is still there */
	assert_int_equal(queue_take(queue, &packet, &number, &text), 1);
	check_packet(&packet, 0);
	queue_cancel(queue);
	assert_int_equal(pthread_join(thread, NULL), 0);
	queue_free(queue);
}

/* ---- groups and resume text ---- */

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

static void test_owned(void **state)
{
	static const struct {
		const char *owned, *expected;
	} cases[] = {
		{ "", "" },
		{ "00000000-0000-0000-0000-00000000000a:5#21", "00000000-0000-0000-0000-00000000000a:5" },
		{ "00000000-0000-0000-0000-00000000000a:5#21:4#18", "00000000-0000-0000-0000-00000000000a:4-5" },
		/* nothing stands between the thread and the next uuid */
		{ "00000000-0000-0000-0000-00000000000a:5#2111111111-0000-0000-0000-00000000000b:9#1:tag:3#4",
			"00000000-0000-0000-0000-00000000000a:5,11111111-0000-0000-0000-00000000000b:9:tag:3" },
		{ "00000000-0000-0000-0000-00000000000a:5#21,11111111-0000-0000-0000-00000000000b:9#1",
			"00000000-0000-0000-0000-00000000000a:5,11111111-0000-0000-0000-00000000000b:9" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct gtid_set *set = gtid_set_new(GTID_MYSQL);
		struct buf text, again;

		buf_init(&text, 65536);
		buf_init(&again, 65536);
		assert_int_equal(setup_owned_text(cases[i].owned, &text, &err), 0);
		assert_int_equal(gtid_set_parse(set, buf_cstr(&text), &err), 0);
		gtid_set_format(set, &again);
		for (size_t n = 0, to = 0; n <= again.len; n++)
			if (n == again.len || again.data[n] != '\n') {
				if (n == again.len)
					again.len = to;
				else
					again.data[to++] = again.data[n];
			}
		assert_string_equal(buf_cstr(&again), cases[i].expected);
		gtid_set_free(set);
		buf_release(&text);
		buf_release(&again);
	}
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
		"tailrace-binlog 2\nserver 1\nfile a\n",
		"tailrace-binlog 1\n",
		"tailrace-binlog 1\nserver 1\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset x\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset -1\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset 4\nlast 1 2 3\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset 4\nlast 1 2 x -\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset 4\nlast 1 2 - -\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset 4\nxa 1 a 0-1-1 x X'',X'',1\n",
		"tailrace-binlog 1\nserver 1\nfile a\noffset 4\nlater 1\n",
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

/* ---- shapes ---- */

static const char *shape_at(struct shapes *shapes, const char *name, uint64_t number)
{
	static char copy[64];
	char *text = NULL;
	size_t len = 0;
	int got = shapes_get(shapes, "b", name, number, &text, &len, &err);

	assert_true(got >= 0);
	(void)snprintf(copy, sizeof copy, "%.*s", got > 0 ? (int)len : 4, got > 0 ? text : "none");
	free(text);
	return copy;
}

static void test_shapes(void **state)
{
	char directory[] = "shapes.XXXXXX", path[64];
	struct source_options options = { .name = "test" };
	struct shapes *shapes, *other;

	(void)state;
	assert_non_null(mkdtemp(directory));
	options.state_directory = directory;
	assert_int_equal(shapes_open(&options, "mysql:x:1", &shapes, &err), 0);
	assert_string_equal(shape_at(shapes, "t", 100), "none");
	assert_int_equal(shapes_void(shapes, "b", "t", 3, &err), 0); /* nothing to void */
	assert_int_equal(shapes_put(shapes, "b", "t", 5, "five", 4, &err), 0);
	assert_int_equal(shapes_put(shapes, "b", "u", 5, "u", 1, &err), 0);
	assert_int_equal(shapes_void(shapes, "b", "t", 10, &err), 0);
	assert_int_equal(shapes_put(shapes, "b", "t", 12, "twelve", 6, &err), 0);
	shapes_close(shapes);

	assert_int_equal(shapes_open(&options, "mysql:x:1", &shapes, &err), 0);
	assert_string_equal(shape_at(shapes, "t", 4), "none");
	assert_string_equal(shape_at(shapes, "t", 5), "five");
	assert_string_equal(shape_at(shapes, "t", 9), "five");
	assert_string_equal(shape_at(shapes, "t", 11), "none");
	assert_string_equal(shape_at(shapes, "t", 12), "twelve");
	assert_string_equal(shape_at(shapes, "t", UINT32_MAX), "twelve");
	assert_int_equal(shapes_void(shapes, "b", NULL, 20, &err), 0);
	assert_string_equal(shape_at(shapes, "t", 20), "none");
	assert_string_equal(shape_at(shapes, "u", 20), "none");
	assert_string_equal(shape_at(shapes, "u", 19), "u");
	assert_int_equal(shapes_open(&options, "mysql:x:2", &other, &err), 0);
	assert_string_equal(shape_at(other, "t", 12), "none");
	shapes_close(other);
	shapes_close(shapes);
	(void)snprintf(path, sizeof path, "%s/test.sqlite", directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void test_shapes_have_no_folder(void **state)
{
	struct source_options options = { .name = "test", .state_directory = "no/such/folder" };
	struct shapes *shapes;

	(void)state;
	assert_int_equal(shapes_open(&options, "mysql:x:1", &shapes, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
	WORDS(err, "no/such/folder/test.sqlite cannot be opened");
}

/* ---- a table map from the catalogue ---- */

static const struct binlog_catalogue_column columns[] = {
	{ .name = "id", .data_type = "bigint", .column_type = "bigint(20) unsigned", .charset = "", .key = true },
	{ .name = "d", .data_type = "decimal", .column_type = "decimal(12,2)", .charset = "" },
	{ .name = "v", .data_type = "varchar", .column_type = "varchar(300)", .charset = "utf8mb4" },
	{ .name = "c", .data_type = "char", .column_type = "char(200)", .charset = "utf8mb4" },
	{ .name = "e", .data_type = "enum", .column_type = "enum('a','b,''x')", .charset = "latin1" },
	{ .name = "s", .data_type = "set", .column_type = "set('a','b')", .charset = "latin1" },
	{ .name = "t", .data_type = "datetime", .column_type = "datetime(3)", .charset = "" },
	{ .name = "b", .data_type = "bit", .column_type = "bit(10)", .charset = "" },
	{ .name = "l", .data_type = "longtext", .column_type = "longtext", .charset = "utf8mb4", .is_json = true },
	{ .name = "u", .data_type = "uuid", .column_type = "uuid", .charset = "" },
};
#define COLUMNS (sizeof columns / sizeof columns[0])

static int known_table(void *context, const char *schema, const char *name, const unsigned char *types,
	size_t column_count, bool known_names, const struct binlog_catalogue_column **ret_columns, size_t *ret_count,
	struct error *ret_err)
{
	(void)context;
	(void)types;
	(void)ret_err;
	assert_string_equal(schema, "b");
	assert_string_equal(name, "t");
	assert_int_equal(column_count, COLUMNS);
	assert_false(known_names);
	*ret_columns = columns;
	*ret_count = COLUMNS;
	return 0;
}

static void test_map(void **state)
{
	static const enum column_type types[] = { COLUMN_UINT64, COLUMN_DECIMAL, COLUMN_STRING, COLUMN_STRING,
		COLUMN_ENUM, COLUMN_SET, COLUMN_TIMESTAMP, COLUMN_BITS, COLUMN_JSON, COLUMN_UUID };
	static const struct binlog_format server = { .version = 0x0a0b13, .mariadb = true };
	const struct binlog_catalogue catalogue = { NULL, known_table };
	struct binlog_tables *tables = binlog_tables_new(&catalogue);
	const struct table *table;
	struct buf map;

	(void)state;
	buf_init(&map, 65536);
	binlog_tables_server(tables, &server);
	assert_int_equal(map_make("b", "t", columns, COLUMNS, true, &map, &err), 0);
	if (binlog_tables_map(tables, map.data, map.len, &table, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(table->column_count, COLUMNS);
	for (size_t i = 0; i < COLUMNS; i++) {
		assert_string_equal(table->columns[i].name, columns[i].name);
		if (table->columns[i].type != types[i])
			fail_msg("%s is %s", columns[i].name, column_type_name(table->columns[i].type));
	}
	assert_int_equal(table->key_count, 1);
	assert_int_equal(table->columns[1].precision, 12);
	assert_int_equal(table->columns[1].scale, 2);
	assert_int_equal(table->columns[4].label_count, 2);
	assert_string_equal(table->columns[4].labels[1], "b,'x");
	assert_int_equal(table->columns[6].fraction, 3);
	assert_int_equal(table->columns[7].precision, 10);
	binlog_tables_free(tables);
	buf_release(&map);
}

static void test_map_of_unknown_type(void **state)
{
	const struct binlog_catalogue_column strange = { .name = "x", .data_type = "hologram", .column_type = "hologram(3)",
		.charset = "" };
	struct buf map;

	(void)state;
	buf_init(&map, 65536);
	assert_int_equal(map_make("b", "t", &strange, 1, true, &map, &err), -1);
	WORDS(err, "b.t: type hologram(3) of column \"x\" is not known");
	buf_release(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_between_threads),
		cmocka_unit_test(test_queue_is_cancelled),
		cmocka_unit_test(test_queue_says_that_it_is_full),
		cmocka_unit_test(test_groups_fold),
		cmocka_unit_test(test_groups_of_mysql),
		cmocka_unit_test(test_groups_without_gtids),
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_too_many_branches),
		cmocka_unit_test(test_many_branches_are_decided),
		cmocka_unit_test(test_groups_of_another_server),
		cmocka_unit_test(test_owned),
		cmocka_unit_test(test_ring_is_full),
		cmocka_unit_test(test_acknowledgement),
		cmocka_unit_test(test_damaged_texts),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_shapes_have_no_folder),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_map_of_unknown_type),
	};

	return cmocka_run_group_tests_name("parts of the source of MySQL and MariaDB", tests, NULL, NULL);
}
