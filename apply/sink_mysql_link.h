/*
 * sink_mysql_link.h: a connection to MySQL or MariaDB whose every wait can be interrupted.
 *
 * A command is sent at once; its answers are read when they are wanted, so that the caller can build the next command while the server
 * works. One command is under way at a time, which may have many answers (statements separated by semicolons).
 *
 * Two kinds of failure. The server refused a statement: the functions say so and the connection is good. The connection is lost or a
 * wait was interrupted: -1, the link is broken, and nothing but my_link_close() is left.
 */
#ifndef TAILRACE_APPLY_SINK_MYSQL_LINK_H
#define TAILRACE_APPLY_SINK_MYSQL_LINK_H

#include <mysql.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct my_link {
	MYSQL *conn;
	int wake_fd;
	bool (*stop)(void);
	int64_t until_us; /* the monotonic time at which a wait is given up; 0: none */
	bool broken;
	bool mariadb;
	bool bulk;             /* the server knows COM_STMT_BULK_EXECUTE */
	unsigned long version; /* 101119, 90704 */
	size_t packet_max;     /* the server's max_allowed_packet */
	MYSQL_STMT *orphan;    /* of a call that was interrupted */
};

/* Takes the connection over, closes it. */
void my_link_close(struct my_link *link);

/* Waits until what `status` (MYSQL_WAIT_READ ...) names has come; returns what has, for the library's ..._cont(); -1: broken. */
int my_link_wait(struct my_link *link, int status, struct error *err);

/*
 * Sends a command; all answers of the one before must have been read. The server is reading at that time, so this waits for the
 * network only, 5 s at most.
 */
int my_link_send(
	struct my_link *link, enum enum_server_command command, const char *bytes, size_t len, struct error *err);
/* One answer. 0: *ret_rows were matched (or inserted); 1: the server refused the statement, mysql_errno() says why; -1: broken. */
int my_link_answer(struct my_link *link, uint64_t *ret_rows, struct error *err);
/* Whether the command has another answer, which my_link_answer() reads. */
bool my_link_more(const struct my_link *link);

/* Sends a statement and waits; *ret is the caller's (mysql_free_result()), NULL without rows; ret may be NULL. -1: refused or broken. */
int my_link_ask(struct my_link *link, const char *sql, size_t len, MYSQL_RES **ret, struct error *err);
/* 0; 1: the server does not take it; -1: broken. *ret_statement: my_link_forget(). */
int my_link_prepare(
	struct my_link *link, const char *sql, size_t len, MYSQL_STMT **ret_statement, struct error *err);
/* While the link is open the server is told; after my_link_close() only memory is freed. NULL is allowed. */
void my_link_forget(MYSQL_STMT *statement);

/* The class of an error number of the server's or the library's. */
enum error_class my_error_class(unsigned number);
/* Fills err from the connection's last error, with class and hint by its number; returns -1. */
int my_error_set(struct error *err, const char *what, unsigned number, const char *message);

#endif
