/*
 * sink_fixture_mysql.c: a MySQL or MariaDB server under test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mysql.h>

#include "tests/unit/sink_fixture.h"

static MYSQL *admin;

const struct sink_ops *const fixture_ops = &sink_mysql;
const struct fixture_words fixture_words = {
	.duplicate = "Duplicate entry '",
	.lock_timeout = "Lock wait timeout exceeded; try restarting transaction (1205)",
	.deadlock = "Deadlock found when trying to get lock; try restarting transaction (1213)",
	.holder = "server connection",
	.sleep = "DO SLEEP(0.3)",
	.victim = "DO 0", /* it is the one that has changed less */
};

bool fixture_is_there(void)
{
	return getenv("SINK_TEST_SOCKET") != NULL;
}

bool fixture_is_mariadb(void)
{
	return strcmp(getenv("SINK_TEST_TYPE"), "mariadb") == 0;
}

void fixture_address(struct sink_options *o)
{
	o->type = getenv("SINK_TEST_TYPE");
	o->hostname = getenv("SINK_TEST_SOCKET");
	o->user = "root";
	o->dbname = "mysql";
	o->port = 3306;
}

int fixture_tear_down(void **state)
{
	if (admin != NULL)
		mysql_close(admin);
	admin = NULL;
	return 0;
}

void fixture_connect(void)
{
	(void)fixture_tear_down(NULL);
	admin = mysql_init(NULL);
	(void)mysql_options(admin, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (mysql_real_connect(admin, NULL, "root", "", NULL, 0, getenv("SINK_TEST_SOCKET"),
		    CLIENT_MULTI_STATEMENTS) == NULL)
		fail_msg("%s", mysql_error(admin));
	fixture_run("SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', lock_wait_timeout = 5");
}

bool fixture_try(const char *sql)
{
	int more = mysql_query(admin, sql) != 0;

	while (more == 0) {
		mysql_free_result(mysql_store_result(admin));
		more = mysql_next_result(admin);
	}
	return more < 0;
}

void fixture_run(const char *sql)
{
	if (!fixture_try(sql))
		fail_msg("%s: %s", sql, mysql_error(admin));
}

void fixture_send(const char *sql)
{
	assert_int_equal(mysql_send_query(admin, sql, (unsigned long)strlen(sql)), 0);
}

void fixture_receive(void)
{
	assert_int_equal(mysql_read_query_result(admin), 0);
	while (mysql_more_results(admin))
		assert_int_equal(mysql_next_result(admin), 0);
}

void fixture_expect(const char *sql, const char *want)
{
	MYSQL_RES *result = NULL;
	const char *have;
	MYSQL_ROW row;

	if (mysql_query(admin, sql) != 0 || (result = mysql_store_result(admin)) == NULL)
		fail_msg("%s: %s", sql, mysql_error(admin));
	row = mysql_fetch_row(result);
	have = row == NULL ? "(no row)" : row[0] == NULL ? "(null)" : row[0];
	if (strcmp(have, want) != 0)
		fail_msg("%s: \"%s\", expected \"%s\"", sql, have, want);
	mysql_free_result(result);
}

static void kill_agents(void)
{
	MYSQL_RES *result = NULL;
	char sql[64];

	fixture_run("ROLLBACK");
	if (mysql_query(admin,
		    "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = 'root' AND command = 'Sleep'") !=
			0 ||
		(result = mysql_store_result(admin)) == NULL)
		fail_msg("%s", mysql_error(admin));
	for (MYSQL_ROW row; (row = mysql_fetch_row(result)) != NULL;) {
		(void)snprintf(sql, sizeof sql, "KILL %s", row[0]);
		(void)mysql_query(admin, sql);
	}
	mysql_free_result(result);
}

void fixture_empty(void)
{
	fixture_run("DROP DATABASE IF EXISTS t; CREATE DATABASE t CHARACTER SET utf8mb4");
}

void fixture_clean(void)
{
	kill_agents();
	fixture_empty();
	fixture_run("DROP DATABASE IF EXISTS tailrace");
}
