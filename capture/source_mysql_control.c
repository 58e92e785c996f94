/*
 * source_mysql_control.c: the connection for SQL beside the stream.
 *
 *   IDLE ── it is time ──► SIZES (SHOW BINARY LOGS) ──► EXECUTED (the set of what the server has) ──► IDLE
 *
 * These two questions, asked every few seconds, tell how far behind we are; they are sent without waiting for the
 * answer, which is read when the descriptor shows it. The catalogue's questions wait (at most SESSION_QUERY_S),
 * because a row cannot be decoded before they are answered.
 *
 * The connection also holds the lock by which two agents of one name know each other: the server's GET_LOCK() with the
 * server id in its name. It is gone when the connection is, so a connection that had to be made anew must get it
 * again.
 */
#include "capture/source_mysql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/net.h"

#define ASK_EVERY_US INT64_C(5000000)
#define RETRY_US INT64_C(10000000)
#define ANSWER_US INT64_C(30000000)
/* A connection of our own that was just closed still has the lock for a moment. */
#define LOCK_WAIT_S "2"
#define ANSWER_MAX ((size_t)16 << 20)

static void drop(struct control *control)
{
	if (control->conn != NULL)
		mysql_close(control->conn);
	control->conn = NULL;
	control->asked = CONTROL_IDLE;
}

static int take_lock(struct control *control, struct error *err)
{
	const struct endpoint *end = control->end;
	MYSQL_RES *result;
	MYSQL_ROW row;
	char sql[128];
	int rc = 0;

	(void)snprintf(sql, sizeof sql,
		"SELECT GET_LOCK('tailrace.%" PRIu32 "', " LOCK_WAIT_S "), IS_USED_LOCK('tailrace.%" PRIu32 "')",
		end->server_id, end->server_id);
	if (connection_query(end, control->conn, sql, "taking the reader's lock", &result, err) < 0)
		return -1;
	row = mysql_fetch_row(result);
	if (row == NULL || row[0] == NULL || strcmp(row[0], "1") != 0) {
		error_set(err, ERROR_RETRY, "the log is read under server id %" PRIu32 " by connection %s already",
			end->server_id, row != NULL && row[1] != NULL ? row[1] : "?");
		control->lock_lost = true;
		rc = error_hint(
			err, "another agent of this name reads it; this one stands by and takes over when it goes");
	}
	mysql_free_result(result);
	return rc;
}

static int connect_control(struct control *control, struct error *err)
{
	drop(control);
	if (connection_open(control->end, SESSION_CONTROL, SESSION_QUERY_S, &control->conn, err) < 0)
		return -1;
	if (take_lock(control, err) < 0) {
		drop(control);
		return -1;
	}
	return 0;
}

int control_open(struct control *control, const struct endpoint *end, struct error *err)
{
	control->end = end;
	buf_init(&control->sizes, ANSWER_MAX);
	buf_init(&control->executed, ANSWER_MAX);
	return connect_control(control, err);
}

void control_release(struct control *control)
{
	drop(control);
	buf_release(&control->sizes);
	buf_release(&control->executed);
}

/* ---- questions that wait ---- */

static int read_answer(struct control *control, struct error *err);

/* The one that was sent must be answered before the next. */
static int finish(struct control *control, struct error *err)
{
	while (control->asked != CONTROL_IDLE)
		if (read_answer(control, err) < 0)
			return -1;
	return 0;
}

/* Whether the connection is gone, not only the statement refused. Making it anew gives up the lock for a moment. */
static bool is_gone(MYSQL *conn)
{
	unsigned number = mysql_errno(conn);

	/* the client library's own; shut down, killed, idle for too long (MariaDB, MySQL) */
	return (number >= 2000 && number < 3000) || number == 1053 || number == 1927 || number == 3169 || number == 4031;
}

int control_query(
	struct control *control, const char *sql, const char *doing, MYSQL_RES **ret_result, struct error *err)
{
	bool was_there = control->conn != NULL;

	if (was_there && finish(control, err) == 0 &&
		connection_query(control->end, control->conn, sql, doing, ret_result, err) == 0)
		return 0;
	if (was_there && (err->class != ERROR_RETRY || !is_gone(control->conn)))
		return -1;
	if (connect_control(control, err) < 0)
		return -1;
	return connection_query(control->end, control->conn, sql, doing, ret_result, err);
}

/* ---- questions that do not ---- */

static int ask(struct control *control, const char *sql, enum control_question which, int64_t now_us, struct error *err)
{
	if (mysql_send_query(control->conn, sql, strlen(sql)) != 0)
		return connection_error(control->end, control->conn, "asking how far the log is", err);
	control->asked = which;
	control->limit_us = now_us + ANSWER_US;
	return 0;
}

static void take_sizes(struct control *control, MYSQL_RES *result)
{
	MYSQL_ROW row;

	buf_reset(&control->sizes);
	while ((row = mysql_fetch_row(result)) != NULL)
		if (row[0] != NULL && row[1] != NULL)
			buf_printf(&control->sizes, "%s %s\n", row[0], row[1]);
}

static void take_executed(struct control *control, MYSQL_RES *result)
{
	MYSQL_ROW row = mysql_fetch_row(result);

	buf_reset(&control->executed);
	if (row != NULL && row[0] != NULL)
		buf_append_str(&control->executed, row[0]);
	control->fresh_executed = !control->executed.failed;
}

/* Reads the answer to what was asked, which has begun to come; then the next question is due. */
static int read_answer(struct control *control, struct error *err)
{
	enum control_question asked = control->asked;
	MYSQL_RES *result;

	control->asked = CONTROL_IDLE;
	if (mysql_read_query_result(control->conn) != 0) {
		/* without the right to ask it is only that the lag is not known */
		if (mysql_errno(control->conn) == 1227)
			return 0;
		return connection_error(control->end, control->conn, "asking how far the log is", err);
	}
	result = mysql_store_result(control->conn);
	if (result == NULL)
		return connection_error(control->end, control->conn, "asking how far the log is", err);
	if (asked == CONTROL_SIZES)
		take_sizes(control, result);
	else
		take_executed(control, result);
	mysql_free_result(result);
	return 0;
}

static int step(struct control *control, int64_t now_us, struct error *err)
{
	struct pollfd fd = { -1, POLLIN, 0 };
	enum control_question asked = control->asked;

	if (asked == CONTROL_IDLE) {
		if (now_us < control->next_us)
			return 0;
		control->next_us = now_us + ASK_EVERY_US;
		if (control->conn == NULL && connect_control(control, err) < 0)
			return -1;
		return ask(control, "SHOW BINARY LOGS", CONTROL_SIZES, now_us, err);
	}
	fd.fd = (int)mysql_get_socket(control->conn);
	if (net_wait(&fd, 1, 0, NULL) <= 0)
		return now_us > control->limit_us ? error_set(err, ERROR_RETRY, "no answer in time") : 0;
	if (read_answer(control, err) < 0)
		return -1;
	if (asked == CONTROL_SIZES && control->end->by_gtid)
		return ask(control,
			control->end->mariadb ? "SELECT @@global.gtid_binlog_pos" : "SELECT @@global.gtid_executed",
			CONTROL_EXECUTED, now_us, err);
	return 0;
}

int control_step(struct control *control, int64_t now_us, struct error *err)
{
	struct error mine = ERROR_INIT;

	if (step(control, now_us, &mine) == 0) {
		if (control->conn != NULL)
			control->warned = false;
		return 0;
	}
	drop(control);
	control->next_us = now_us + RETRY_US;
	if (control->lock_lost) {
		/* it went with the connection, and somebody else has it */
		*err = mine;
		return -1;
	}
	if (!control->warned)
		log_error(&mine, "the connection for questions is gone, it is made anew");
	control->warned = true;
	return 0;
}

size_t control_poll(const struct control *control, struct pollfd *fds, size_t room)
{
	if (room == 0 || control->asked == CONTROL_IDLE)
		return 0;
	fds[0] = (struct pollfd){ (int)mysql_get_socket(control->conn), POLLIN, 0 };
	return 1;
}

int64_t control_bytes_behind(const struct control *control, const char *file, uint64_t offset)
{
	const char *at = control->sizes.data, *end = at + control->sizes.len;
	bool found = false;
	int64_t bytes = 0;

	while (at != NULL && at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		const char *blank = line_end != NULL ? memchr(at, ' ', (size_t)(line_end - at)) : NULL;
		int64_t size;

		if (blank == NULL)
			break;
		size = strtoll(blank + 1, NULL, 10);
		if (found) {
			bytes += size;
		} else if ((size_t)(blank - at) == strlen(file) && memcmp(at, file, strlen(file)) == 0) {
			found = true;
			bytes = size > (int64_t)offset ? size - (int64_t)offset : 0;
		}
		at = line_end + 1;
	}
	return found ? bytes : -1;
}
