/*
 * Sets of updates (sink_mysql_set.h) against a real server: what goes into one and what does not, that nothing comes out of them that single updates
 * would not give, and what is said when the server refuses one. MariaDB writes the same rows in bulk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sink_fixture.h"
#include "tests/unit/values.h"

#define ROWS 80 /* the first 8 go one by one */

#define MULTI_UPDATES                                                                           \
	"(SELECT COUNT_STAR FROM performance_schema.events_statements_summary_global_by_event_name" \
	" WHERE EVENT_NAME = 'statement/sql/update_multi')"

/* What MySQL counts as updates of several tables; MariaDB goes in bulk. */
static void count_sets(void)
{
	if (!fixture_is_mariadb())
		fixture_run("SET @sets = " MULTI_UPDATES);
}

static void expect_sets(const char *want)
{
	if (!fixture_is_mariadb())
		fixture_expect("SELECT " MULTI_UPDATES " - @sets", want);
}

/* Rows `from` to `to`, with v = the number and `suffix`. */
static void write_rows(struct fixture *f, enum change_op op, int from, int to, const char *suffix)
{
	char text[24];
	struct value row[] = { INT(0), { .kind = VALUE_TEXT } };

	for (int i = from; i <= to; i++) {
		row[0].i = i;
		row[1].text.ptr = text;
		row[1].text.len = (size_t)snprintf(text, sizeof text, "%d%s", i, suffix);
		fixture_must(f, fixture_change(f, op, NULL, row, NULL));
	}
}

/* The table with ids 1 to ROWS, as transaction 1 inserted them. */
static void start_with_rows(struct fixture *f)
{
	fixture_start(f, "CREATE TABLE t.t (id int PRIMARY KEY, v varchar(100))");
	fixture_prepare(f);
	fixture_begin(f, 1);
	write_rows(f, CHANGE_INSERT, 1, ROWS, "a");
	fixture_must(f, fixture_commit(f));
}

/* ---- what goes into a set ---- */

static void updates_are_bounded_sets(void **state)
{
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v varchar(100))");
	fixture_prepare(&f);
	count_sets();
	fixture_begin(&f, 1);
	write_rows(&f, CHANGE_INSERT, -300, 300, "a");
	write_rows(&f, CHANGE_UPDATE, -300, 300, "'b\\"); /* 8, 256, 256, 81 */
	fixture_must(&f, fixture_commit(&f));
	expect_sets("3");
	fixture_expect("SELECT CONCAT_WS(',', COUNT(*), SUM(v = CONCAT(id, CHAR(39), 'b', CHAR(92)))) FROM t.t", "601,601");
	count_sets();
	fixture_begin(&f, 2);
	write_rows(&f, CHANGE_UPDATE, 1, 8, "c");
	fixture_must(&f, fixture_commit(&f));
	expect_sets("0");
	/* A key comes again: behind the first time. */
	fixture_begin(&f, 3);
	write_rows(&f, CHANGE_UPDATE, 1, 40, "d");
	write_rows(&f, CHANGE_UPDATE, 30, 60, "e");
	for (int i = 0; i < 20; i++)
		write_rows(&f, CHANGE_UPDATE, 60, 60, i < 19 ? "f" : "g");
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT GROUP_CONCAT(v ORDER BY id) FROM t.t WHERE id IN (1, 29, 30, 40, 41, 59, 60, 61)",
		"1d,29d,30e,40e,41e,59e,60g,61'b\\");
	/* A set ends where another operation follows. */
	fixture_begin(&f, 4);
	write_rows(&f, CHANGE_UPDATE, 1, 20, "h");
	write_rows(&f, CHANGE_INSERT, 301, 301, "h");
	write_rows(&f, CHANGE_UPDATE, 282, 301, "i");
	fixture_must(&f, fixture_change(&f, CHANGE_TRUNCATE, NULL, NULL, NULL));
	write_rows(&f, CHANGE_INSERT, 1, 20, "j");
	write_rows(&f, CHANGE_UPDATE, 1, 20, "k");
	fixture_must(&f, fixture_commit(&f));
	fixture_expect("SELECT CONCAT(COUNT(*), MAX(v)) FROM t.t", "209k");
	fixture_finish(&f);
}

static void a_missing_row_of_a_set_is_named(void **state)
{
	struct fixture f;

	start_with_rows(&f);
	fixture_run("DELETE FROM t.t WHERE id = 50");
	fixture_begin(&f, 2);
	write_rows(&f, CHANGE_UPDATE, 1, ROWS, "b");
	if (!fixture_is_mariadb())
		fixture_refused(&f, fixture_commit(&f), ERROR_RETRY,
			"target took 71 of 72 rows of an update of t.t at 0/16B3748 event 9 of transaction 751:2 and 71 more rows");
	else
		assert_int_equal(fixture_commit(&f), -1);
	fixture_ops->abort(f.sink);
	assert_true(fixture_row_wise_until == 2);
	fixture_begin(&f, 2);
	write_rows(&f, CHANGE_UPDATE, 1, ROWS, "b");
	fixture_refused(&f, fixture_commit(&f), ERROR_DATA,
		"target refused an update of t.t at 0/16B3748 event 50 of transaction 751:2, key (id=50): no row with that key at the target");
	fixture_ops->abort(f.sink);
	fixture_expect("SELECT CONCAT(COUNT(*), MAX(RIGHT(v, 1))) FROM t.t", "79a");
	fixture_finish(&f);
}

static const struct column place_columns[] = { { .name = "id", .type = COLUMN_INT32, .key = true },
	{ .name = "place", .type = COLUMN_INT32 }, { .name = "n", .type = COLUMN_INT32 } };

static void insert_places(struct fixture *f, uint64_t commit)
{
	fixture_begin(f, commit);
	for (int id = 1; id <= ROWS; id++) {
		struct value row[] = { INT(id), INT(id), INT(0) };

		fixture_must(f, fixture_change(f, CHANGE_INSERT, NULL, row, NULL));
	}
}

/* Of each row the update to place + by, n = 1. */
static void move_places(struct fixture *f, bool known, int by)
{
	for (int id = ROWS; id >= 1; id--) {
		struct value before[] = { INT(id), INT(id), INT(0) }, after[] = { INT(id), INT(id + by), INT(1) };

		fixture_must(f, fixture_change(f, CHANGE_UPDATE, known ? before : NULL, after, NULL));
	}
}

/* Each makes room for the next: right in this order only. And where nothing moves, in sets. */
static void unique_values_move_in_order(void **state)
{
	static const char *const tables[] = { "CREATE TABLE t.t (id int PRIMARY KEY, place int, n int, UNIQUE (place))",
		"CREATE TABLE t.t (id int PRIMARY KEY, place int, n int, g int AS (place) VIRTUAL, UNIQUE (g))" };

	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		struct fixture f;

		fixture_start(&f, tables[i]);
		fixture_table(&f, "t", place_columns, 3);
		fixture_prepare(&f);
		for (uint64_t known = 0; known < 2; known++) {
			fixture_run("DELETE FROM t.t");
			insert_places(&f, 1 + known);
			f.table.identity = known > 0 ? IDENTITY_FULL : IDENTITY_KEY;
			count_sets();
			move_places(&f, known > 0, 1);
			fixture_must(&f, fixture_commit(&f));
			expect_sets("0");
			fixture_expect("SELECT CONCAT_WS(',', COUNT(*), SUM(place = id + 1), SUM(n)) FROM t.t", "80,80,80");
		}
		fixture_run("UPDATE t.t SET place = id, n = 0 ORDER BY id");
		fixture_begin(&f, 3);
		count_sets();
		move_places(&f, true, 0);
		fixture_must(&f, fixture_commit(&f));
		expect_sets(i == 0 ? "1" : "0"); /* whether the index depends on n is not asked */
		fixture_expect("SELECT SUM(n) FROM t.t", "80");
		fixture_finish(&f);
	}
}

/* A row of the target's own has the value. */
static void a_duplicate_in_a_set_is_named(void **state)
{
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, place int UNIQUE, n int)");
	fixture_table(&f, "t", place_columns, 3);
	f.table.identity = IDENTITY_FULL;
	fixture_prepare(&f);
	insert_places(&f, 1);
	fixture_must(&f, fixture_commit(&f));
	fixture_run("UPDATE t.t SET place = 1000 WHERE id = 40; INSERT INTO t.t VALUES (500, 40, 0)");
	for (int attempt = 1; attempt <= 2; attempt++) {
		fixture_begin(&f, 2);
		move_places(&f, true, 0);
		assert_int_equal(fixture_commit(&f), -1);
		assert_int_equal(f.err.class, attempt == 1 ? ERROR_RETRY : ERROR_DATA);
		fixture_ops->abort(f.sink);
		assert_true(fixture_row_wise_until == 2);
	}
	assert_non_null(strstr(f.err.text, "event 41 of transaction 751:2, key (id=40): Duplicate entry '40' for key "));
	fixture_expect("SELECT SUM(n) FROM t.t", "0");
	fixture_finish(&f);
}

/* Of two columns, some of it beyond what a signed number holds. */
static void a_key_in_a_set_is_of_integers(void **state)
{
	static const struct column columns[] = { { .name = "a", .type = COLUMN_UINT64, .key = true },
		{ .name = "b", .type = COLUMN_INT16, .key = true }, { .name = "v", .type = COLUMN_INT32 } };
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (v int, a bigint unsigned, b smallint, UNIQUE (b, a))");
	fixture_table(&f, "t", columns, 3);
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	count_sets();
	for (int op = 0; op < 2; op++)
		for (int i = -ROWS; i < ROWS; i++) {
			struct value row[] = { { .kind = VALUE_UINT, .u = i == 30 ? UINT64_MAX : i == 50 ? (uint64_t)INT64_MAX : 7 }, INT(i),
				INT(op) };

			fixture_must(&f, fixture_change(&f, op == 0 ? CHANGE_INSERT : CHANGE_UPDATE, NULL, row, NULL));
		}
	fixture_must(&f, fixture_commit(&f));
	expect_sets("2"); /* before and behind the one that cannot go so */
	fixture_expect("SELECT CONCAT_WS(',', COUNT(*), SUM(v), SUM(a = 7)) FROM t.t", "160,160,158");
	fixture_finish(&f);
}

static void update_numbers(struct fixture *f, const char *name, uint64_t commit)
{
	static const struct column columns[] = { { .name = "id", .type = COLUMN_INT32, .key = true }, { .name = "n", .type = COLUMN_INT32 },
		{ .name = "at", .type = COLUMN_TIMESTAMPTZ } };

	fixture_table(f, name, columns, 3);
	fixture_prepare(f);
	count_sets();
	fixture_begin(f, commit);
	for (int id = 1; id <= ROWS; id++) {
		struct value row[] = { INT(id), INT(1000 + id), UNCHANGED };

		fixture_must(f, fixture_change(f, CHANGE_UPDATE, NULL, row, NULL));
	}
	fixture_must(f, fixture_commit(f));
	expect_sets("1");
}

/* Whatever the table has beside its columns works as with an update of each row. */
static void a_set_wakes_what_a_row_wakes(void **state)
{
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.p (id int PRIMARY KEY, n int, at timestamp NULL) PARTITION BY HASH (id) PARTITIONS 7;"
			  " CREATE TABLE t.t (id int PRIMARY KEY, n int, w int NOT NULL DEFAULT 5, s int AS (n + 1) STORED, x int AS (n * 2) VIRTUAL,"
			  " at timestamp NOT NULL DEFAULT '2001-01-01' ON UPDATE CURRENT_TIMESTAMP, `v` int, c1 int, KEY (n), KEY (x));"
			  " CREATE TABLE t.told (id int AUTO_INCREMENT PRIMARY KEY, was int, is_now int);"
			  " CREATE TRIGGER t.tell AFTER UPDATE ON t.t FOR EACH ROW INSERT INTO t.told (was, is_now) VALUES (OLD.n, NEW.n);"
			  " CREATE TRIGGER t.count_it BEFORE UPDATE ON t.t FOR EACH ROW SET NEW.w = NEW.w + 1;"
			  " INSERT INTO t.p WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 80) SELECT i, i, NULL FROM r;"
			  " INSERT INTO t.t (id, n) SELECT id, n FROM t.p");
	update_numbers(&f, "t", 1);
	fixture_expect("SELECT CONCAT_WS(',', COUNT(*), SUM(n - id), SUM(w), SUM(s = n + 1), SUM(x = 2 * n), MAX(at)) FROM t.t",
		"80,80000,480,80,80,2001-01-01 00:00:00");
	fixture_expect("SELECT CONCAT_WS(',', COUNT(*), SUM(is_now - was)) FROM t.told", "80,80000");
	update_numbers(&f, "p", 2);
	fixture_expect("SELECT CONCAT_WS(',', COUNT(*), SUM(n - id)) FROM t.p", "80,80000");
	fixture_finish(&f);
}

/* Values whose common type would be none of them, mixed; and what the same rows are one by one. */
static void a_set_takes_values_of_every_kind_together(void **state)
{
	static const struct column columns[] = { { .name = "id", .type = COLUMN_INT64, .key = true }, { .name = "u", .type = COLUMN_UINT64 },
		{ .name = "d", .type = COLUMN_DECIMAL, .precision = 65, .scale = 30 }, { .name = "f", .type = COLUMN_FLOAT64 },
		{ .name = "s", .type = COLUMN_STRING, .source_type = "longtext" }, { .name = "b", .type = COLUMN_BYTES },
		{ .name = "t", .type = COLUMN_TIMESTAMP, .fraction = 6 }, { .name = "j", .type = COLUMN_JSON } };
	static const struct value u[] = { { .kind = VALUE_UINT, .u = UINT64_MAX }, { .kind = VALUE_UINT, .u = 0 }, NOTHING },
		d[] = { TEXT("-12345678901234567890123456789012345.123456789012345678901234567890"), TEXT("0.000000000000000000000000000001"),
			TEXT("7"), NOTHING },
		fl[] = { FLOAT(-0.0), FLOAT(1e308), FLOAT(4.9e-324), FLOAT(-1.0 / 3), NOTHING },
		s[] = { TEXT(""), TEXT("12"), TEXT(" \xf0\x9f\x98\x80'\\\n "), NOTHING, { .kind = VALUE_TEXT } },
		b[] = { BYTES(""), BYTES("\0\xff'\\"), NOTHING }, t[] = { INT(-1), EXACT("0000-00-00 00:00:00"), INT(1000000), EXACT("2026-02-31 00:00:01.5") },
		j[] = { TEXT("{}"), TEXT("[18446744073709551615, -9223372036854775808, 1e308, 0.1]"), TEXT("\"\xf0\x9f\x98\x80\""), NOTHING };
	static const char *const names[] = { "one", "many" };
	static char long_text[5000];
	struct fixture f;

	memset(long_text, 'x', sizeof long_text);
	fixture_start(&f, "CREATE TABLE t.one (id bigint PRIMARY KEY, u bigint unsigned, d decimal(65,30), f double, s longtext, b longblob,"
			  " t datetime(6), j json); CREATE TABLE t.many LIKE t.one");
	for (int n = 0; n < 2; n++) {
		fixture_table(&f, names[n], columns, 8);
		fixture_prepare(&f);
		for (uint64_t step = 0; step < 2; step++) {
			fixture_row_wise_until = n == 0 ? 100 : 0;
			fixture_begin(&f, 1 + step);
			count_sets();
			for (size_t i = 0; i < 400; i++) {
				struct value row[] = { INT(((int64_t)i - 200) * (INT64_MAX / 200)), u[i % 3], d[i % 4], fl[i % 5], s[i / 3 % 5], b[i / 5 % 3],
					t[i / 7 % 4], j[i / 2 % 4] };

				if (row[4].kind == VALUE_TEXT && row[4].text.ptr == NULL) {
					row[4].text.ptr = long_text;
					row[4].text.len = 1 + i * 10;
				}
				for (size_t c = 1; c < 8 && step == 0; c++)
					row[c] = (struct value)NOTHING;
				fixture_must(&f, fixture_change(&f, step == 0 ? CHANGE_INSERT : CHANGE_UPDATE, NULL, row, NULL));
			}
			fixture_must(&f, fixture_commit(&f));
		}
		expect_sets(n == 0 ? "0" : "2");
	}
	fixture_expect("SELECT CONCAT_WS(',', COUNT(*), SUM(a.u <=> c.u), SUM(a.d <=> c.d), SUM(CAST(a.f AS BINARY) <=> CAST(c.f AS BINARY)),"
		       " SUM(HEX(a.s) <=> HEX(c.s)), SUM(HEX(a.b) <=> HEX(c.b)), SUM(CAST(a.t AS CHAR) <=> CAST(c.t AS CHAR)),"
		       " SUM(CAST(a.j AS CHAR) <=> CAST(c.j AS CHAR))) FROM t.one a JOIN t.many c USING (id)",
		"400,400,400,400,400,400,400,400");
	fixture_expect("SELECT CONCAT_WS(',', COUNT(u), COUNT(d), COUNT(f), COUNT(s), COUNT(b), COUNT(t), COUNT(j), SUM(s LIKE 'xxx%')) FROM t.many",
		"267,300,320,321,270,400,300,78");
	fixture_finish(&f);
}

/* Rows of two tables in turn, and in runs. */
static void sets_of_two_tables_keep_their_order(void **state)
{
	struct fixture f;
	void *handles[2];

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v varchar(100)); CREATE TABLE t.o (id int PRIMARY KEY, v varchar(100))");
	for (int i = 0; i < 2; i++) {
		fixture_table(&f, i == 0 ? "t" : "o", two_columns, 2);
		fixture_prepare(&f);
		handles[i] = f.handle;
	}
	fixture_begin(&f, 1);
	for (int i = 0; i < 2; i++) {
		f.handle = handles[i];
		write_rows(&f, CHANGE_INSERT, 1, ROWS, "a");
	}
	count_sets();
	for (int run = 0; run < 8; run++) {
		f.handle = handles[run % 2];
		write_rows(&f, CHANGE_UPDATE, 1 + run, ROWS, run < 2 ? "b" : run < 4 ? "c" : run < 6 ? "d" : "e");
	}
	for (int i = 1; i <= ROWS; i++) {
		f.handle = handles[i % 2];
		write_rows(&f, CHANGE_UPDATE, i, i, "f");
	}
	fixture_must(&f, fixture_commit(&f));
	expect_sets("8");
	fixture_expect("SELECT CONCAT_WS(',', SUM(t.v = CONCAT(id, 'f')), SUM(o.v = CONCAT(id, 'f')), SUM(t.v = CONCAT(id, 'e')),"
		       " SUM(o.v = CONCAT(id, 'e'))) FROM t.t JOIN t.o USING (id)", "40,40,37,37");
	fixture_finish(&f);
}

/* What is refused once is written again, nothing of it is left, and each row has its own statement then. */
static void a_refused_set_is_written_row_by_row(void **state)
{
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, place int, n int); CREATE TABLE t.told (n int);"
			  " CREATE TRIGGER t.tell BEFORE UPDATE ON t.t FOR EACH ROW BEGIN INSERT INTO t.told VALUES (NEW.n);"
			  " IF NEW.id = 20 AND @refused IS NULL THEN SET @refused = 1; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'once'; END IF; END");
	fixture_table(&f, "t", place_columns, 3);
	fixture_prepare(&f);
	insert_places(&f, 1);
	fixture_must(&f, fixture_commit(&f));
	count_sets();
	fixture_begin(&f, 2);
	move_places(&f, false, 1);
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_RETRY);
	assert_non_null(strstr(f.err.text, ": once"));
	if (!fixture_is_mariadb())
		assert_non_null(strstr(f.err.text, " event 9 of transaction 751:2 and 71 more rows: "));
	fixture_ops->abort(f.sink);
	assert_true(fixture_row_wise_until == 2);
	fixture_expect("SELECT CONCAT_WS(',', SUM(place = id AND n = 0), (SELECT COUNT(*) FROM t.told)) FROM t.t", "80,0");
	expect_sets("1");
	fixture_begin(&f, 2);
	move_places(&f, false, 1);
	fixture_must(&f, fixture_commit(&f));
	expect_sets("1");
	fixture_expect("SELECT CONCAT_WS(',', SUM(place = id + 1 AND n = 1), (SELECT COUNT(*) FROM t.told)) FROM t.t", "80,80");
	fixture_finish(&f);
}

/* Another one's lock on a row in the middle is nothing that row by row would mend. */
static void a_set_waits_for_a_lock(void **state)
{
	struct fixture f;

	start_with_rows(&f);
	fixture_run("BEGIN; UPDATE t.t SET v = 'z' WHERE id = 50");
	fixture_begin(&f, 2);
	write_rows(&f, CHANGE_UPDATE, 1, ROWS, "b");
	assert_int_equal(fixture_commit(&f), -1);
	assert_int_equal(f.err.class, ERROR_RETRY);
	assert_non_null(strstr(f.err.text, fixture_words.lock_timeout));
	assert_true(fixture_row_wise_until == 0);
	fixture_ops->abort(f.sink);
	fixture_run("ROLLBACK");
	fixture_expect("SELECT SUM(v = CONCAT(id, 'a')) FROM t.t", "80");
	count_sets();
	fixture_begin(&f, 2);
	write_rows(&f, CHANGE_UPDATE, 1, ROWS, "b");
	fixture_must(&f, fixture_commit(&f));
	expect_sets("1");
	fixture_expect("SELECT SUM(v = CONCAT(id, 'b')) FROM t.t", "80");
	fixture_finish(&f);
}

#define IDS 150

/* What the rows are at the source; the same sequence for the same seed. */
struct model {
	uint32_t random;
	int fresh; /* no row has had this number */
	bool there[IDS];
	struct value rows[IDS][3];
};

static unsigned next_random(struct model *model, unsigned below)
{
	model->random = model->random * 1664525 + 1013904223;
	return (model->random >> 8) % below;
}

/* An update changes n, and now and then the place. What is not possible (an insert of a row that is there) is left out. */
static void random_change(struct fixture *f, struct model *model, enum change_op op, int id)
{
	struct value *row = model->rows[id], before[3];
	bool inserts = op == CHANGE_INSERT, moves = inserts || next_random(model, 40) == 0;

	if (inserts == model->there[id])
		return;
	memcpy(before, row, sizeof before);
	row[0] = (struct value)INT(id);
	if (op != CHANGE_DELETE)
		row[moves ? 1 : 2] = (struct value)INT(++model->fresh);
	fixture_must(f, fixture_change(f, op, inserts ? NULL : before, op == CHANGE_DELETE ? NULL : row, NULL));
	model->there[id] = op != CHANGE_DELETE;
}

/* Runs of changes as they come, with and without sets: the same rows in the end. */
static void sets_give_what_rows_give(void **state)
{
	static const enum change_op ops[] = { CHANGE_UPDATE, CHANGE_UPDATE, CHANGE_UPDATE, CHANGE_INSERT, CHANGE_DELETE };
	static const char *const names[] = { "one", "many" };
	static struct model model;
	struct fixture f;

	fixture_start(&f, "CREATE TABLE t.one (id int PRIMARY KEY, place int UNIQUE, n int); CREATE TABLE t.many LIKE t.one");
	for (int t = 0; t < 2; t++) {
		model = (struct model){ .random = 7 };
		for (int id = 0; id < IDS; id++)
			for (int c = 0; c < 3; c++)
				model.rows[id][c] = (struct value)INT(0);
		fixture_table(&f, names[t], place_columns, 3);
		f.table.identity = IDENTITY_FULL;
		fixture_prepare(&f);
		count_sets();
		for (uint64_t commit = 1; commit <= 30; commit++) {
			fixture_row_wise_until = t == 0 ? UINT64_MAX : 0;
			fixture_begin(&f, commit);
			for (unsigned run = 0; run < 12; run++) {
				enum change_op op = ops[next_random(&model, 5)];
				int id = (int)next_random(&model, IDS);

				for (unsigned rows = next_random(&model, 60); rows > 0; rows--, id = (id + 7) % IDS)
					random_change(&f, &model, op, id);
			}
			fixture_must(&f, fixture_commit(&f));
		}
	}
	if (!fixture_is_mariadb())
		fixture_expect("SELECT " MULTI_UPDATES " - @sets > 100", "1");
	fixture_expect("SELECT CONCAT_WS(',', (SELECT COUNT(*) FROM t.one) = COUNT(*), (SELECT COUNT(*) FROM t.many) = COUNT(*), COUNT(*) > 20,"
		       " MAX(n) > 1000) FROM t.one JOIN t.many USING (id, place, n)", "1,1,1,1");
	fixture_finish(&f);
}

/* A bound that an administrator sets for joins is not for these. */
static void a_set_is_no_large_join(void **state)
{
	struct fixture f;

	fixture_run("SET GLOBAL max_join_size = 1");
	fixture_start(&f, "CREATE TABLE t.t (id int PRIMARY KEY, v varchar(100))");
	fixture_run("SET GLOBAL max_join_size = DEFAULT");
	fixture_prepare(&f);
	fixture_begin(&f, 1);
	write_rows(&f, CHANGE_INSERT, 1, ROWS, "a");
	write_rows(&f, CHANGE_UPDATE, 1, ROWS, "b");
	fixture_must(&f, fixture_commit(&f));
	fixture_finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(updates_are_bounded_sets),
		cmocka_unit_test(a_missing_row_of_a_set_is_named),
		cmocka_unit_test(unique_values_move_in_order),
		cmocka_unit_test(a_duplicate_in_a_set_is_named),
		cmocka_unit_test(a_key_in_a_set_is_of_integers),
		cmocka_unit_test(a_set_wakes_what_a_row_wakes),
		cmocka_unit_test(a_set_takes_values_of_every_kind_together),
		cmocka_unit_test(sets_of_two_tables_keep_their_order),
		cmocka_unit_test(a_refused_set_is_written_row_by_row),
		cmocka_unit_test(a_set_waits_for_a_lock),
		cmocka_unit_test(sets_give_what_rows_give),
		cmocka_unit_test(a_set_is_no_large_join),
	};

	return fixture_is_there() ? cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down) : 77;
}
