/*
 * sink_mysql_link.c: commands, answers, waits, classes of errors.
 *
 * Answers are read with the library's non-blocking calls: xxx_start() gives back what it waits for, the descriptor is polled together
 * with the agent's own, xxx_cont() goes on. Never is the descriptor polled before such a call: the library keeps a read cache, and the
 * answer may be in it. Commands are written by the library's own command function, which bulk execution needs; it blocks, but
 * between two commands the server does nothing but read, and the library's write time-out bounds it.
 */
#include "apply/sink_mysql_link.h"

#include <errmsg.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "apply/sink_wait.h"
#include "lib/base/clock.h"

#define MESSAGE_MAX 240 /* of the server's text: it may quote a statement */

/* ---- errors ---- */

static bool is_in(unsigned number, const unsigned *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == number)
			return true;
	return false;
}

/* The client library's own numbers. Beyond them are MySQL's from 6000 on, and whatever a trigger likes to signal. */
static bool is_lost(unsigned number)
{
	return (number >= CR_MIN_ERROR && number <= CR_MAX_ERROR) || (number >= CER_MIN_ERROR && number <= CER_MAX_ERROR);
}

enum error_class my_error_class(unsigned number)
{
	static const unsigned retry[] = { 1020, 1021, 1037, 1038, 1040, 1047, 1053, 1105, 1114, 1129, 1158, 1159, 1160,
		1161, 1180, 1181, 1184, 1203, 1205, 1206, 1213, 1226, 1243, 1290, 1317, 1412, 1613, 1614, 1615, 1637, 1689, 1792,
		1836, 1927, 1969, 3024, 3032, 3058, 3100, 3101, 3168, 3169, 3572, 4031, 4152 };
	static const unsigned config[] = { 1044, 1045, 1049, 1054, 1130, 1142, 1143, 1146, 1193, 1227, 1231, 1251, 1275, 1370,
		1419, 1524, 1665, 1698, 1785, 1819, 1820, 1862, 3118, 3159, 3164, 3750, 3757, 4151 };

	if (number == 0 || is_lost(number))
		return ERROR_RETRY;
	if (is_in(number, retry, sizeof retry / sizeof retry[0]))
		return ERROR_RETRY;
	return is_in(number, config, sizeof config / sizeof config[0]) ? ERROR_CONFIG : ERROR_DATA;
}

static void hint(struct error *err, unsigned number)
{
	static const struct {
		unsigned number;
		const char *text;
	} hints[] = {
		{ 1021, "the target's disk is full" },
		{ 1040, "raise max_connections, or let another program close some" },
		{ 1044, "grant the user the database: GRANT SELECT, INSERT, UPDATE, DELETE ON database.*" },
		{ 1045, "check user, password and from which hosts the user may connect" },
		{ 1049, "create the database, or correct database.dbname" },
		{ 1054, "add the column to the target's table, rename it in `tables`, or leave it out" },
		{ 1114, "the target's disk or tablespace is full" },
		{ 1130, "create the user for this host: CREATE USER ...@'host'" },
		{ 1142, "grant SELECT, INSERT, UPDATE, DELETE on the table" },
		{ 1143, "grant SELECT, INSERT, UPDATE on the table's columns" },
		{ 1146, "make the table in the target, or leave it out with table_exclude_list" },
		{ 1205, "another session holds a lock on the row or table; see lock_timeout" },
		{ 1290, "the target is read-only: a replica, or read_only is set" },
		{ 1665, "set binlog_format to ROW at the target" },
		{ 1698, "check user and password, and how the user is identified" },
		{ 1637, "the target's undo space has no room for another transaction at the moment" },
		{ 1785, "a table of the target is not transactional: ALTER TABLE ... ENGINE=InnoDB" },
		{ 1792, "the target is read-only" },
		{ 1836, "the target is read-only" },
		{ 3032, "the target is in offline_mode" },
		{ 3159, "set database.sslmode to require or above" },
		{ 3750, "the table needs a primary key: sql_require_primary_key is set at the target" },
	};

	for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
		if (hints[i].number == number)
			(void)error_hint(err, "%s", hints[i].text);
}

int my_error_set(struct error *err, const char *what, unsigned number, const char *message)
{
	char line[MESSAGE_MAX + 1];
	size_t len = strnlen(message, MESSAGE_MAX);

	while (len > 0 && len == MESSAGE_MAX && ((unsigned char)message[len] & 0xc0) == 0x80)
		len--;
	for (size_t i = 0; i < len; i++)
		line[i] = (unsigned char)message[i] < 0x20 ? ' ' : message[i];
	line[len] = '\0';
	if (number == 0)
		return error_set(err, ERROR_RETRY, "%s", what);
	(void)error_set(err, my_error_class(number), "%s: %s (%u)", what, line, number);
	hint(err, number);
	return -1;
}

static int lost(struct my_link *link, struct error *err)
{
	link->broken = true;
	(void)my_error_set(err, "connection to the target was lost", mysql_errno(link->conn), mysql_error(link->conn));
	if (err != NULL)
		err->class = ERROR_RETRY;
	return -1;
}

static int is_broken(const struct my_link *link, struct error *err)
{
	return link->broken ? error_set(err, ERROR_RETRY, "connection to the target was lost") : 0;
}

/* ---- waiting ---- */

/* Milliseconds until the next look at the clock and at stop(). */
static int patience(const struct my_link *link)
{
	int64_t left_us;

	if (link->until_us == 0)
		return SINK_WAIT_MS;
	left_us = link->until_us - clock_monotonic_us();
	return left_us <= 0 ? 0 : left_us < SINK_WAIT_MS * 1000 ? (int)(left_us / 1000) + 1 : SINK_WAIT_MS;
}

int my_link_wait(struct my_link *link, int status, struct error *err)
{
	short events = (short)((status & MYSQL_WAIT_READ ? POLLIN : 0) | (status & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
		(status & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));

	for (;;) {
		int got = sink_wait(
			mysql_get_socket(link->conn), events, link->wake_fd, link->stop, patience(link), err);
		int ready = 0;

		if (got < 0)
			break;
		if (got & POLLIN)
			ready |= MYSQL_WAIT_READ;
		if (got & POLLOUT)
			ready |= MYSQL_WAIT_WRITE;
		if (got & POLLPRI)
			ready |= MYSQL_WAIT_EXCEPT;
		if (got & (POLLHUP | POLLERR | POLLNVAL))
			ready |= status & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE);
		if (ready != 0)
			return ready;
		if (link->until_us != 0 && clock_monotonic_us() >= link->until_us) {
			(void)error_set(err, ERROR_RETRY, "the target does not answer");
			break;
		}
	}
	link->broken = true;
	return -1;
}

/* ---- commands and answers ---- */

void my_link_close(struct my_link *link)
{
	if (link->conn != NULL)
		mysql_close(link->conn);
	my_link_forget(link->orphan);
	link->orphan = NULL;
	link->conn = NULL;
	link->broken = true;
}

int my_link_send(
	struct my_link *link, enum enum_server_command command, const char *bytes, size_t len, struct error *err)
{
	if (is_broken(link, err) < 0)
		return -1;
	if (link->conn->methods->db_command(link->conn, command, bytes, len, 1, NULL) != 0)
		return lost(link, err);
	return 0;
}

bool my_link_more(const struct my_link *link)
{
	return mysql_more_results(link->conn);
}

int my_link_answer(struct my_link *link, uint64_t *ret_rows, struct error *err)
{
	MYSQL *conn = link->conn;
	bool next = mysql_more_results(conn);
	my_bool failed = 0;
	int status, code = 0;

	if (is_broken(link, err) < 0)
		return -1;
	status = next ? mysql_next_result_start(&code, conn) : mysql_read_query_result_start(&failed, conn);
	while (status != 0) {
		status = my_link_wait(link, status, err);
		if (status < 0)
			return -1;
		status = next ? mysql_next_result_cont(&code, conn, status) :
				mysql_read_query_result_cont(&failed, conn, status);
	}
	if (code > 0 || failed != 0)
		return is_lost(mysql_errno(conn)) ? lost(link, err) : 1;
	*ret_rows = mysql_affected_rows(conn);
	return 0;
}

static int store(struct my_link *link, MYSQL_RES **ret, struct error *err)
{
	int status = mysql_store_result_start(ret, link->conn);

	while (status != 0) {
		status = my_link_wait(link, status, err);
		if (status < 0)
			return -1;
		status = mysql_store_result_cont(ret, link->conn, status);
	}
	if (*ret == NULL)
		return lost(link, err);
	return 0;
}

int my_link_ask(struct my_link *link, const char *sql, size_t len, MYSQL_RES **ret, struct error *err)
{
	MYSQL_RES *answer = NULL;
	uint64_t rows;
	int result;

	if (my_link_send(link, COM_QUERY, sql, len, err) < 0)
		return -1;
	result = my_link_answer(link, &rows, err);
	if (result > 0)
		return my_error_set(err, "target refused", mysql_errno(link->conn), mysql_error(link->conn));
	if (result < 0 || (mysql_field_count(link->conn) > 0 && store(link, &answer, err) < 0))
		return -1;
	if (ret != NULL)
		*ret = answer;
	else
		mysql_free_result(answer);
	return 0;
}

int my_link_prepare(struct my_link *link, const char *sql, size_t len, MYSQL_STMT **ret_statement, struct error *err)
{
	MYSQL_STMT *statement;
	int status, code;

	if (is_broken(link, err) < 0)
		return -1;
	statement = mysql_stmt_init(link->conn);
	if (statement == NULL)
		return error_set(err, ERROR_RETRY, "memory is short");
	status = mysql_stmt_prepare_start(&code, statement, sql, (unsigned long)len);
	while (status != 0) {
		status = my_link_wait(link, status, err);
		if (status < 0) {
			link->orphan = statement;
			return -1;
		}
		status = mysql_stmt_prepare_cont(&code, statement, status);
	}
	if (code == 0) {
		*ret_statement = statement;
		return 0;
	}
	if (is_lost(mysql_stmt_errno(statement))) {
		(void)lost(link, err);
		my_link_forget(statement);
		return -1;
	}
	my_link_forget(statement);
	return 1;
}

void my_link_forget(MYSQL_STMT *statement)
{
	if (statement != NULL)
		(void)mysql_stmt_close(statement);
}
