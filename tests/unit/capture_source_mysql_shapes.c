/*
 * capture_source_mysql_shapes.c: what the log does not say of tables must be of the row's time: names, defaults, types; and names of tables
 * as statements write them.
 */
#include "tests/unit/capture_source_mysql_shapes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/capture_source_mysql_scene.h"

static struct reader reader;

static void begin(void **state)
{
	reader_init(&reader, *state, 0);
	reader_start(&reader);
}

int shapes_end_test(void **state)
{
	struct scene *scene = *state;

	scene_run(scene, 0, "SET GLOBAL binlog_row_metadata = FULL; SET GLOBAL binlog_row_image = FULL; SET SESSION binlog_row_image = FULL");
	scene_run(scene, 0, "SET NAMES utf8mb4");
	reader_release(&reader);
	return 0;
}

/* The last confirmed group is DDL, and is read once more as a proof: what was learnt behind it stays. */
void test_proof_is_ddl(void **state)
{
	struct scene *scene = *state;

	scene_run(scene, 0, "SET GLOBAL binlog_row_metadata = MINIMAL; CREATE TABLE t (id INT PRIMARY KEY, a INT)");
	begin(state);
	scene_run(scene, 0, "ALTER TABLE t ADD d INT");
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	reader_save(&reader);
	scene_run(scene, 0, "INSERT INTO t VALUES (1, 10, 20)");
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	assert_string_equal(buf_cstr(&reader.text), "[][+t(1,10,20)]");
	buf_reset(&reader.text);
	assert_string_equal(reader.table->columns[1].name, "a");
	reader_stop(&reader);
	scene_run(scene, 0, "ALTER TABLE t CHANGE a z INT");
	reader_start(&reader);
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	assert_string_equal(buf_cstr(&reader.text), "[+t(1,10,20)]");
	assert_string_equal(reader.table->columns[1].name, "a");
	scene_run(scene, 0, "INSERT INTO t VALUES (2, 11, 21)");
	assert_int_equal(reader_read_transactions(&reader, 2), 0);
	assert_int_equal(reader.table->column_count, 3);
	assert_string_equal(reader.table->columns[1].name, "z");
}

/* A table of before the first start, and one that was met: their defaults are those of the row's time. */
void test_defaults_of_then(void **state)
{
	struct scene *scene = *state;

	scene_run(scene, 0, "SET SESSION binlog_row_image = MINIMAL; CREATE TABLE t (id INT PRIMARY KEY, a INT DEFAULT 1, c VARCHAR(9) DEFAULT 'old')");
	begin(state);
	scene_run(scene, 0, "CREATE TABLE u (id INT PRIMARY KEY, a INT NOT NULL DEFAULT 5)");
	reader_is(&reader, "[]");
	reader_save(&reader);
	reader_stop(&reader);
	scene_run(scene, 0, "INSERT INTO t (id) VALUES (1); INSERT INTO u (id) VALUES (1)");
	scene_run(scene, 0, "ALTER TABLE t ALTER a SET DEFAULT 2, ALTER c SET DEFAULT 'new'; ALTER TABLE u ALTER a SET DEFAULT 6");
	scene_run(scene, 0, "INSERT INTO t (id) VALUES (2); INSERT INTO u (id) VALUES (2)");
	reader_start(&reader);
	reader_is(&reader, "[+t(1,1,old)][+u(1,5)][][][+t(2,2,new)][+u(2,6)]");
	/* the same when read again */
	reader_start(&reader);
	assert_int_equal(reader_read_transactions(&reader, 6), 0);
	assert_string_equal(buf_cstr(&reader.text), "[+t(1,1,old)][+u(1,5)][][][+t(2,2,new)][+u(2,6)]");
}

/* A table that was made and altered while nobody read. */
void test_defaults_unknown(void **state)
{
	struct scene *scene = *state;

	scene_run(scene, 0, "SET SESSION binlog_row_image = MINIMAL");
	begin(state);
	reader_stop(&reader);
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY, a INT DEFAULT 1); INSERT INTO t VALUES (1, 7); INSERT INTO t (id) VALUES (2)");
	scene_run(scene, 0, "FLUSH BINARY LOGS; ALTER TABLE t ALTER a SET DEFAULT 2");
	reader_fails(&reader, ERROR_GAP, "not in the image of an insert, and its default is no constant that is known here");
	assert_non_null(strstr(reader.err.hint, "binlog_row_image=FULL"));
	assert_non_null(strstr(buf_cstr(&reader.text), "[+t(1,7)]"));
}

void test_types_of_then(void **state)
{
	struct scene *scene = *state;

	if (!scene->mariadb || atoi(mysql_get_server_info(scene->sql[0]) + 3) < 7) /* no UUID */
		return;
	scene_run(scene, 0, "CREATE TABLE t (id INT PRIMARY KEY, x BINARY(16)); CREATE TABLE g (id INT PRIMARY KEY, x UUID)");
	begin(state);
	reader_stop(&reader);
	scene_run(scene, 0, "INSERT INTO t VALUES (1, REPEAT('a', 16)); INSERT INTO g VALUES (1, UUID())");
	scene_run(scene, 0, "ALTER TABLE t MODIFY x UUID; INSERT INTO t VALUES (2, UUID()); DROP TABLE g");
	reader_start(&reader);
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	assert_int_equal(reader.table->columns[1].type, COLUMN_BYTES);
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	assert_string_equal(reader.table->name, "g");
	assert_int_equal(reader.table->columns[1].type, COLUMN_UUID);
	assert_int_equal(reader_read_transactions(&reader, 2), 0);
	assert_int_equal(reader.table->columns[1].type, COLUMN_UUID);
}

/* ---- statements ---- */

void test_rows_without_a_word(void **state)
{
	struct scene *scene = *state;

	scene_run(scene, 0,
		"CREATE TABLE t (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS "
		"THAN MAXVALUE); CREATE DATABASE other; CREATE TABLE other.t (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2");
	begin(state);
	scene_run(scene, 0, "INSERT INTO t VALUES (1), (11); INSERT INTO other.t VALUES (1)");
	scene_run(scene, 0, "ALTER TABLE other.t TRUNCATE PARTITION p0, p1; ALTER TABLE t REBUILD PARTITION p0");
	reader_is(&reader, "[+t(1)+t(11)][][][]");
	reader_save(&reader);
	scene_run(scene, 0, "ALTER TABLE t TRUNCATE PARTITION p0");
	reader_fails(&reader, ERROR_GAP, " brings or removes rows that the log does not carry: ALTER TABLE t TRUNCATE PARTITION p0");
	assert_memory_equal(reader.err.text, "bin.000001:", 11);
	assert_non_null(strstr(reader.err.text, ": b.t: "));
	assert_non_null(strstr(reader.err.hint, "table_exclude_list"));
}

void test_names_in_latin1(void **state)
{
	struct scene *scene = *state;

	scene_run(scene, 0, "SET NAMES utf8mb4; CREATE TABLE `gr\xc3\xbcn` (id INT PRIMARY KEY)");
	begin(state);
	scene_run(scene, 0, "INSERT INTO `gr\xc3\xbcn` VALUES (1)");
	scene_run(scene, 0, "SET NAMES latin1");
	scene_run(scene, 0, "TRUNCATE TABLE gr\xfcn");
	reader_is(&reader, "[+gr\xc3\xbcn(1)][!gr\xc3\xbcn]");
	reader_save(&reader);
	/* not met before */
	reader_stop(&reader);
	scene_run(scene, 0, "TRUNCATE TABLE gr\xfcn; ALTER TABLE gr\xfcn ADD v INT DEFAULT 3");
	reader_start(&reader);
	scene_run(scene, 0, "SET NAMES utf8mb4; INSERT INTO `gr\xc3\xbcn` (id) VALUES (2)");
	reader_is(&reader, "[!gr\xc3\xbcn][][+gr\xc3\xbcn(2,3)]");
}

/* Two tables whose names differ by case alone. */
void test_names_by_case(void **state)
{
	struct scene *scene = *state;

	scene_run(scene, 0, "SET GLOBAL binlog_row_metadata = MINIMAL; CREATE TABLE t (id INT PRIMARY KEY); CREATE TABLE T (id INT, n INT PRIMARY KEY)");
	begin(state);
	scene_run(scene, 0, "INSERT INTO T VALUES (1, 2)");
	assert_int_equal(reader_read_transactions(&reader, 1), 0);
	assert_string_equal(buf_cstr(&reader.text), "[+T(1,2)]");
	assert_int_equal(reader.table->column_count, 2);
	assert_false(reader.table->columns[0].key);
	assert_true(reader.table->columns[1].key);
	scene_run(scene, 0, "DROP TABLE T");
}

/* The second server keeps names in small letters. */
void test_names_folded(void **state)
{
	static const char *const include[] = { "B.Kun*", "b.gr\xc3\x9cn", "b.mark" };
	struct scene *scene = *state;

	assert_string_equal(scene_ask(scene, 1, "SELECT @@lower_case_table_names"), "1");
	scene_run(scene, 1, "CREATE DATABASE b; CREATE TABLE b.mark (id INT PRIMARY KEY); USE b");
	scene_run(scene, 1, "SET NAMES utf8mb4; CREATE TABLE Kunde (id INT PRIMARY KEY); CREATE TABLE `Gr\xc3\x9cn` (id INT PRIMARY KEY)");
	reader_init(&reader, scene, 1);
	reader.options.table_include = include;
	reader.options.table_include_count = 3;
	reader_start(&reader);
	scene_run(scene, 1, "INSERT INTO KUNDE VALUES (1); TRUNCATE B.Kunde; INSERT INTO `gr\xc3\xbcn` VALUES (1); TRUNCATE `GR\xc3\x9cN`");
	reader_is(&reader, "[+kunde(1)][!kunde][+gr\xc3\xbcn(1)][!gr\xc3\xbcn]");
}

/* A RENAME of more tables than are read: any may be meant. */
void test_ddl_unread(void **state)
{
	struct scene *scene = *state;
	struct buf sql;

	scene_run(scene, 0,
		"SET GLOBAL binlog_row_metadata = MINIMAL; CREATE TABLE t (id INT PRIMARY KEY, a INT); CREATE TABLE z (b INT, id INT PRIMARY KEY)");
	begin(state);
	scene_run(scene, 0, "INSERT INTO t VALUES (1, 2)");
	reader_is(&reader, "[+t(1,2)]");
	buf_init(&sql, 1 << 20);
	buf_append_str(&sql, "RENAME TABLE t TO p0, z TO t");
	for (int i = 0; i < 2100; i++)
		buf_printf(&sql, ", p%d TO p%d", i, i + 1);
	scene_run(scene, 0, "%s", buf_cstr(&sql));
	buf_release(&sql);
	scene_run(scene, 0, "INSERT INTO t VALUES (3, 4)");
	assert_int_equal(reader_read_transactions(&reader, 2), 0);
	assert_string_equal(buf_cstr(&reader.text), "[][+t(3,4)]");
	assert_string_equal(reader.table->columns[0].name, "b");
}
