/*
 * capture_source_mysql.c: the parts of the MySQL and MariaDB source that need no server: the queue between its
 * threads, texts of GTID sets, the store of shapes, the table map that is made from a catalogue.
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

/* ---- sets ---- */

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
		cmocka_unit_test(test_owned),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_shapes_have_no_folder),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_map_of_unknown_type),
	};

	return cmocka_run_group_tests_name("parts of the source of MySQL and MariaDB", tests, NULL, NULL);
}
