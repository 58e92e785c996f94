/*
 * capture_decode_statement.c: statements as logs have them, and what they are taken for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_statement.h"
#include "lib/base/buf.h"

#define ARENA_MAX ((size_t)1 << 20)
#define SHOWN_MAX ((size_t)1 << 20)

static const char *const kinds[] = {
	"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "XA_END", "XA_COMMIT", "XA_ROLLBACK", "TRUNCATE", "CREATE_TABLE", "ALTER_TABLE", "ALTER_ROWS",
	"RENAME_TABLE", "DROP_TABLE", "CREATE_INDEX", "DROP_INDEX", "DATABASE", "DATA", "OTHER"
};

enum { ANSI = 1, NO_BACKSLASH = 2 };

struct example {
	const char *text;
	const char *shown; /* the kind, the tables, the XA id */
	unsigned mode;
};

/* The text in memory of its own, so that a byte behind it is seen. */
static void show(const char *text, size_t len, unsigned mode, struct buf *out)
{
	struct binlog_query query = { .schema = "shop", .len = len };
	struct statement statement;
	struct arena arena;
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	query.text = copy;
	query.sql_mode_ansi_quotes = (mode & ANSI) != 0;
	query.sql_mode_no_backslash_escapes = (mode & NO_BACKSLASH) != 0;
	arena_init(&arena, ARENA_MAX);
	statement_read(&query, &arena, &statement);
	buf_reset(out);
	buf_append_str(out, kinds[statement.kind]);
	for (size_t i = 0; i < statement.table_count; i++)
		buf_printf(out, " %s.%s", statement.tables[i].schema, statement.tables[i].name);
	if (statement.xa[0] != '\0')
		buf_printf(out, " %s", statement.xa);
	arena_release(&arena);
	free(copy);
}

static void check(const struct example *examples, size_t count)
{
	struct buf out;

	buf_init(&out, SHOWN_MAX);
	for (size_t i = 0; i < count; i++) {
		show(examples[i].text, strlen(examples[i].text), examples[i].mode, &out);
		if (strcmp(buf_cstr(&out), examples[i].shown) != 0)
			fail_msg("%s\n  is      %s\n  and not %s", examples[i].text, buf_cstr(&out), examples[i].shown);
		/* cut anywhere it is still read */
		for (size_t len = 0; len < strlen(examples[i].text); len++)
			show(examples[i].text, len, examples[i].mode, &out);
	}
	buf_release(&out);
}

#define CHECK(examples) check(examples, sizeof(examples) / sizeof(examples)[0])

static void test_transactions(void **state)
{
	static const struct example examples[] = {
		{ "BEGIN", "BEGIN", 0 },
		{ "begin work", "BEGIN", 0 },
		{ "START TRANSACTION READ WRITE", "BEGIN", 0 },
		{ "BEGIN NOT ATOMIC SELECT 1; END", "OTHER", 0 },
		{ "START SLAVE", "OTHER", 0 },
		{ "COMMIT", "COMMIT", 0 },
		{ "COMMIT /* added */", "COMMIT", 0 },
		{ "ROLLBACK", "ROLLBACK", 0 },
		{ "ROLLBACK WORK", "ROLLBACK", 0 },
		{ "ROLLBACK TO `s1`", "SAVEPOINT", 0 },
		{ "ROLLBACK WORK TO SAVEPOINT s1", "SAVEPOINT", 0 },
		{ "SAVEPOINT `s1`", "SAVEPOINT", 0 },
		{ "RELEASE SAVEPOINT s1", "SAVEPOINT", 0 },
		{ "", "OTHER", 0 },
		{ "# comment", "OTHER", 0 },
		{ "BEGINNING", "OTHER", 0 },
		{ "`BEGIN`", "OTHER", 0 },
	};

	CHECK(examples);
}

static void test_xa(void **state)
{
	static const struct example examples[] = {
		{ "XA START X'6731',X'6231',7", "BEGIN X'6731',X'6231',7", 0 },
		{ "xa begin 'g1' , 'b1' , 7", "BEGIN X'6731',X'6231',7", 0 },
		{ "XA END 'g1'", "XA_END X'6731',X'',1", 0 },
		{ "XA END \"g1\",''", "XA_END X'6731',X'',1", 0 },
		{ "XA COMMIT 0x6731,x'6231',4294967295", "XA_COMMIT X'6731',X'6231',4294967295", 0 },
		{ "XA COMMIT 'one' ONE PHASE", "XA_COMMIT X'6f6e65',X'',1", 0 },
		{ "XA ROLLBACK 0xabc", "XA_ROLLBACK X'0abc',X'',1", 0 },
		{ "XA ROLLBACK 'it''s\\n\\0\\'',X''", "XA_ROLLBACK X'697427730a0027',X'',1", 0 },
		{ "XA ROLLBACK 'a\\n'", "XA_ROLLBACK X'615c6e',X'',1", NO_BACKSLASH },
		{ "XA PREPARE 'g1'", "OTHER", 0 },
		{ "XA RECOVER", "OTHER", 0 },
		{ "XA COMMIT", "OTHER", 0 },
		{ "XA COMMIT g1", "OTHER", 0 },
		{ "XA COMMIT 'g1','b1',x", "OTHER", 0 },
		{ "XA COMMIT X'6g'", "OTHER", 0 },
		{ "XA COMMIT '0123456789012345678901234567890123456789012345678901234567890123'",
			"XA_COMMIT X'30313233343536373839303132333435363738393031323334353637383930313233343536373839"
			"303132333435363738393031323334353637383930313233',X'',1", 0 },
		{ "XA COMMIT '01234567890123456789012345678901234567890123456789012345678901234'", "OTHER", 0 },
	};

	CHECK(examples);
}

static void test_tables(void **state)
{
	static const struct example examples[] = {
		{ "TRUNCATE TABLE a.b", "TRUNCATE a.b", 0 },
		{ "truncate `a b`.`c``d`", "TRUNCATE a b.c`d", 0 },
		{ "TRUNCATE t", "TRUNCATE shop.t", 0 },
		{ "TRUNCATE", "OTHER", 0 },
		{ "CREATE TABLE t (id INT)", "CREATE_TABLE shop.t", 0 },
		{ "CREATE TABLE IF NOT EXISTS db.`t`(id INT)", "CREATE_TABLE db.t", 0 },
		{ "CREATE OR REPLACE TABLE t LIKE u", "CREATE_TABLE shop.t", 0 },
		{ "CREATE TABLE \"Q t\" (\"a b\" INT)", "CREATE_TABLE shop.Q t", ANSI },
		{ "CREATE TABLE \"Q t\" (a INT)", "CREATE_TABLE", 0 },
		{ "CREATE TABLE `t` AS SELECT 1", "CREATE_TABLE shop.t", 0 },
		{ "CREATE TABLE \xc3\xa4\xc3\xb6.2024_x (a INT)", "CREATE_TABLE \xc3\xa4\xc3\xb6.2024_x", 0 },
		{ "CREATE TEMPORARY TABLE t (a INT)", "OTHER", 0 },
		{ "CREATE OR REPLACE TEMPORARY TABLE t (a INT)", "OTHER", 0 },
		{ "CREATE DEFINER=`root`@`localhost` TRIGGER tr BEFORE INSERT ON t FOR EACH ROW BEGIN END", "OTHER", 0 },
		{ "CREATE SEQUENCE s", "OTHER", 0 },
		{ "DROP TABLE IF EXISTS `a`,b.c /* generated by server */", "DROP_TABLE shop.a b.c", 0 },
		{ "DROP TABLES a , b CASCADE", "DROP_TABLE shop.a shop.b", 0 },
		{ "DROP TEMPORARY TABLE IF EXISTS a", "OTHER", 0 },
		{ "DROP VIEW a", "OTHER", 0 },
		{ "RENAME TABLE a TO b", "RENAME_TABLE shop.a shop.b", 0 },
		{ "RENAME TABLE `t` TO `_t_del`, x.`_t_gho` TO x.`t`", "RENAME_TABLE shop.t shop._t_del x._t_gho x.t", 0 },
		{ "RENAME TABLES IF EXISTS a WAIT 5 TO b, c NOWAIT TO d", "RENAME_TABLE shop.a shop.b shop.c shop.d", 0 },
		{ "RENAME TABLE a TO b, c", "RENAME_TABLE", 0 },
		{ "RENAME USER a TO b", "OTHER", 0 },
	};

	CHECK(examples);
}

static void test_alter(void **state)
{
	static const struct example examples[] = {
		{ "ALTER TABLE a ADD COLUMN b INT", "ALTER_TABLE shop.a", 0 },
		{ "ALTER ONLINE IGNORE TABLE IF EXISTS a.b ADD c INT", "ALTER_TABLE a.b", 0 },
		{ "ALTER TABLE a RENAME b", "ALTER_TABLE shop.a shop.b", 0 },
		{ "ALTER TABLE a RENAME TO x.b", "ALTER_TABLE shop.a x.b", 0 },
		{ "ALTER TABLE a RENAME = b", "ALTER_TABLE shop.a shop.b", 0 },
		{ "ALTER TABLE a ADD (c INT, d ENUM('RENAME TO x')), RENAME AS `b`, ALGORITHM=INPLACE", "ALTER_TABLE shop.a shop.b", 0 },
		{ "ALTER TABLE a RENAME COLUMN x TO y", "ALTER_TABLE shop.a", 0 },
		{ "ALTER TABLE a RENAME COLUMN x TO y, RENAME b", "ALTER_TABLE shop.a shop.b", 0 },
		{ "ALTER TABLE a RENAME INDEX x TO y, RENAME KEY z TO w", "ALTER_TABLE shop.a", 0 },
		{ "ALTER TABLE a RENAME `column`", "ALTER_TABLE shop.a shop.column", 0 },
		{ "ALTER TABLE a ADD CONSTRAINT FOREIGN KEY (x) REFERENCES b.rename (x)", "ALTER_TABLE shop.a", 0 },
		{ "ALTER TABLE a COMMENT 'RENAME TO x' /* RENAME TO y */ -- RENAME TO z", "ALTER_TABLE shop.a", 0 },
		{ "ALTER TABLE", "ALTER_TABLE", 0 },
		{ "ALTER USER a", "OTHER", 0 },
		{ "CREATE INDEX i ON t (a)", "CREATE_INDEX shop.t", 0 },
		{ "CREATE OR REPLACE UNIQUE INDEX IF NOT EXISTS i USING BTREE ON x.t (a)", "CREATE_INDEX x.t", 0 },
		{ "CREATE FULLTEXT INDEX `on` ON t (a)", "CREATE_INDEX shop.t", 0 },
		{ "DROP INDEX IF EXISTS `PRIMARY` ON t", "DROP_INDEX shop.t", 0 },
	};

	CHECK(examples);
}

/* Changes that bring or remove rows without a word of them in the log. */
static void test_alter_rows(void **state)
{
	static const struct example examples[] = {
		{ "ALTER TABLE a TRUNCATE PARTITION p0, p1", "ALTER_ROWS shop.a", 0 },
		{ "alter table x.a drop partition if exists p0", "ALTER_ROWS x.a", 0 },
		{ "ALTER TABLE a WAIT 5 DROP PARTITION p0", "ALTER_ROWS shop.a", 0 },
		{ "ALTER TABLE a ALGORITHM=INPLACE, LOCK=NONE, DROP PARTITION p0", "ALTER_ROWS shop.a", 0 },
		{ "ALTER TABLE a EXCHANGE PARTITION p0 WITH TABLE `b` WITHOUT VALIDATION", "ALTER_ROWS shop.a shop.b", 0 },
		{ "ALTER TABLE a EXCHANGE PARTITION p0 WITH TABLE x.b", "ALTER_ROWS shop.a x.b", 0 },
		{ "ALTER TABLE a CONVERT PARTITION p0 TO TABLE b", "ALTER_ROWS shop.a shop.b", 0 },
		{ "ALTER TABLE a CONVERT TABLE b TO PARTITION p0 VALUES LESS THAN (9)", "ALTER_ROWS shop.a shop.b", 0 },
		{ "ALTER TABLE a DISCARD TABLESPACE", "ALTER_ROWS shop.a", 0 },
		{ "ALTER TABLE a IMPORT PARTITION p0 TABLESPACE", "ALTER_ROWS shop.a", 0 },
		{ "ALTER IGNORE TABLE a ADD UNIQUE (b)", "ALTER_ROWS shop.a", 0 },
		{ "ALTER IGNORE TABLE a ADD c INT, ADD CONSTRAINT `u` UNIQUE KEY (b)", "ALTER_ROWS shop.a", 0 },
		{ "ALTER IGNORE TABLE a ADD PRIMARY KEY (b)", "ALTER_ROWS shop.a", 0 },
		{ "ALTER IGNORE TABLE a ADD `unique` INT", "ALTER_TABLE shop.a", 0 },
		{ "ALTER TABLE a ADD UNIQUE (b)", "ALTER_TABLE shop.a", 0 },
		{ "ALTER TABLE a DROP COLUMN b, DROP `partition`", "ALTER_TABLE shop.a", 0 },
		{ "ALTER TABLE a ADD PARTITION (PARTITION p VALUES LESS THAN (9))", "ALTER_TABLE shop.a", 0 },
		{ "ALTER TABLE a REORGANIZE PARTITION p INTO (PARTITION q VALUES LESS THAN (9))", "ALTER_TABLE shop.a", 0 },
		{ "ALTER TABLE a CONVERT TO CHARACTER SET utf8mb4", "ALTER_TABLE shop.a", 0 },
		{ "ALTER TABLE a COMMENT 'x, DROP PARTITION p'", "ALTER_TABLE shop.a", 0 },
		{ "ALTER TABLE a DROP b, RENAME c", "ALTER_TABLE shop.a shop.c", 0 },
	};

	(void)state;
	CHECK(examples);
}

static void test_databases(void **state)
{
	static const struct example examples[] = {
		{ "CREATE DATABASE a", "DATABASE a.", 0 },
		{ "CREATE SCHEMA IF NOT EXISTS `a b` CHARACTER SET utf8mb4", "DATABASE a b.", 0 },
		{ "CREATE OR REPLACE DATABASE a", "DATABASE a.", 0 },
		{ "ALTER DATABASE a CHARACTER SET utf8mb3", "DATABASE a.", 0 },
		{ "ALTER DATABASE CHARACTER SET utf8mb3", "DATABASE shop.", 0 },
		{ "ALTER DATABASE `character` COLLATE x", "DATABASE character.", 0 },
		{ "DROP DATABASE IF EXISTS a", "DATABASE a.", 0 },
		{ "DROP SCHEMA a", "DATABASE a.", 0 },
	};

	CHECK(examples);
}

static void test_data(void **state)
{
	static const struct example examples[] = {
		{ "INSERT INTO t VALUES (1)", "DATA shop.t", 0 },
		{ "INSERT LOW_PRIORITY IGNORE a.t SET x=1", "DATA a.t", 0 },
		{ "REPLACE INTO t SELECT 1", "DATA shop.t", 0 },
		{ "UPDATE IGNORE t SET a=1", "DATA shop.t", 0 },
		{ "DELETE QUICK FROM t WHERE 1", "DATA shop.t", 0 },
		{ "WITH x AS (SELECT 1) UPDATE t SET a=1", "DATA", 0 },
		{ "((SELECT f()))", "DATA", 0 },
		{ "LOAD DATA LOCAL INFILE '/x' REPLACE INTO TABLE `t` FIELDS TERMINATED BY ','", "DATA shop.t", 0 },
		{ "LOAD INDEX INTO CACHE t", "OTHER", 0 },
		{ "GRANT ALL ON *.* TO x", "OTHER", 0 },
		{ "FLUSH TABLES", "OTHER", 0 },
		{ "what is this", "OTHER", 0 },
		{ "\xff\xfe\x01", "OTHER", 0 },
	};

	CHECK(examples);
}

static void test_comments_and_prefixes(void **state)
{
	static const struct example examples[] = {
		{ "/* x */ DROP /* y */ TABLE -- z\n # w\n t", "DROP_TABLE shop.t", 0 },
		{ "/*!40101 DROP TABLE IF EXISTS */ t", "DROP_TABLE shop.t", 0 },
		{ "/*!DROP TABLE t*/", "DROP_TABLE shop.t", 0 },
		{ "/*M!100100 DROP TABLE t */ ;", "DROP_TABLE shop.t", 0 },
		{ "CREATE TABLE /*!32312 IF NOT EXISTS*/ `t` (a INT)", "CREATE_TABLE shop.t", 0 },
		{ "/*!50000 DROP /* inner */ TABLE t */", "DROP_TABLE shop.t", 0 },
		{ "DROP TABLE t--1", "DROP_TABLE shop.t", 0 },
		{ "/* never ends DROP TABLE t", "OTHER", 0 },
		{ "SET STATEMENT max_statement_time=1000 FOR CREATE TABLE t (a INT)", "CREATE_TABLE shop.t", 0 },
		{ "SET STATEMENT a='FOR', b=(1 FOR 2) FOR DROP TABLE t", "DROP_TABLE shop.t", 0 },
		{ "SET STATEMENT a=1 FOR SET STATEMENT b=2 FOR TRUNCATE t", "TRUNCATE shop.t", 0 },
		{ "SET PASSWORD = 'x'", "OTHER", 0 },
		{ " \t\r\n;( DROP TABLE t", "DROP_TABLE shop.t", 0 },
		{ "DROP TABLE `never ends", "DROP_TABLE", 0 },
		{ "CREATE TABLE t (a VARCHAR(9) DEFAULT 'it\\'s', RENAME", "CREATE_TABLE shop.t", 0 },
	};

	CHECK(examples);
}

/* A DROP of more tables than are told, one of as many, and an arena that is too small. */
static void test_limits(void **state)
{
	struct binlog_query query = { .schema = "shop" };
	struct statement statement;
	struct arena arena;
	struct buf text;

	buf_init(&text, SHOWN_MAX);
	buf_append_str(&text, "DROP TABLE t0");
	for (int i = 1; i < 5000; i++)
		buf_printf(&text, ",t%d", i);
	query.text = text.data;
	query.len = text.len;
	arena_init(&arena, ARENA_MAX);
	statement_read(&query, &arena, &statement);
	assert_int_equal(statement.kind, STATEMENT_DROP_TABLE);
	assert_int_equal(statement.table_count, 0);
	arena_reset(&arena);
	query.len = (size_t)(strstr(text.data, ",t4096") - text.data);
	statement_read(&query, &arena, &statement);
	assert_int_equal(statement.table_count, 4096);
	assert_string_equal(statement.tables[4095].name, "t4095");
	arena_release(&arena);
	arena_init(&arena, 0);
	statement_read(&query, &arena, &statement);
	assert_int_equal(statement.kind, STATEMENT_DROP_TABLE);
	assert_int_equal(statement.table_count, 0);
	arena_release(&arena);
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transactions),
		cmocka_unit_test(test_xa),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_alter),
		cmocka_unit_test(test_alter_rows),
		cmocka_unit_test(test_databases),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_comments_and_prefixes),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
