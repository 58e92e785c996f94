/*
 * doctor_mysql.h: what the parts of `tailrace doctor` that ask MySQL and MariaDB share: a session that only reads, and its answers.
 */
#ifndef TAILRACE_TOOL_DOCTOR_MYSQL_H
#define TAILRACE_TOOL_DOCTOR_MYSQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mysql.h>

#include "lib/base/buf.h"
#include "tool/doctor.h"

struct doctor_mysql {
	MYSQL *conn;
	const char *what; /* "source", "target": begins each finding */
	bool mariadb;
	int version;      /* 101119 for 10.11.19 */
	char account[300]; /* as GRANT wants it: 'name'@'host' */
	char text[64];    /* "MariaDB 10.11.19" */
};

/* Whether a configuration's database.type is one of these. */
bool doctor_is_mysql(const char *type);

/*
 * Connects within 10 s, makes the session read only, compares the kind of server with `type` and its version with the oldest that is
 * supported; a finding either way. false: nothing else can be asked. doctor_mysql_close() after true.
 */
bool doctor_mysql_open(struct doctor *doctor, const struct doctor_server *server, const char *type, struct doctor_mysql *ret_session);
void doctor_mysql_close(struct doctor_mysql *session);

/* A whole answer and a place in it. */
struct answer {
	MYSQL_RES *result; /* NULL: the server refused; `number` says why */
	MYSQL_ROW row;
	unsigned number;   /* 0, or the server's error */
	char text[256];
};

/* Asks; a refusal is the caller's to report. answer_free() either way. */
void doctor_mysql_try(struct doctor_mysql *session, const char *sql, struct answer *ret_answer);
/* The same, with a FAIL under this check's name when it is refused. */
bool doctor_mysql_ask(struct doctor *doctor, struct doctor_mysql *session, const char *check, const char *sql, struct answer *ret_answer);
/* The next row; false: no more. */
bool answer_next(struct answer *answer);
void answer_free(struct answer *answer);
/* A field as text ("" for NULL, and for a column that the answer does not have), by number or by name in any case. */
const char *answer_text(const struct answer *answer, unsigned column);
const char *answer_named(const struct answer *answer, const char *name);

/* Server variables, read once. */
struct variables {
	struct answer answer;
};
bool variables_read(struct doctor *doctor, struct doctor_mysql *session, struct variables *ret_variables);
/* "" if the server has no such variable. */
const char *variables_get(struct variables *variables, const char *name);
int64_t variables_number(struct variables *variables, const char *name);
bool variables_on(struct variables *variables, const char *name);
void variables_free(struct variables *variables);

/* Appends `schema`.`table`; `name`; 'text'. */
void mysql_put_table(struct buf *out, const char *schema, const char *table);
void mysql_put_name(struct buf *out, const char *name);
void mysql_put_text(struct buf *out, const char *text);

/* ---- doctor_mysql_source.c, doctor_mysql_target.c: as doctor_source() and doctor_target() ---- */
void doctor_mysql_source(struct doctor *doctor, struct doctor_log *ret_log);
void doctor_mysql_target(struct doctor *doctor, struct doctor_kafka *kafka);

#endif
