/*
 * sink_fixture.h: what the tests of targets against real servers share: the server, a source table with its mapping, a sink.
 *
 * sink_fixture_postgres.c and sink_fixture_mysql.c are the server's side; a test links the one of its target. The scripts
 * sink_postgres_real.sh and sink_mysql_real.sh say where the server is: SINK_TEST_HOST and SINK_TEST_PORT, or SINK_TEST_SOCKET and
 * SINK_TEST_TYPE ("mysql" or "mariadb"); SINK_TEST_RESTART is a command that kills and restarts it.
 */
#ifndef TAILRACE_TESTS_UNIT_SINK_FIXTURE_H
#define TAILRACE_TESTS_UNIT_SINK_FIXTURE_H

#include "apply/sink.h"

#define COLUMNS 8

/* A source table and its mapping to the target's table of the same name. */
struct fixture {
	char name[24]; /* fixture_value()'s */
	struct table table;
	struct column columns[COLUMNS];
	size_t key[COLUMNS];
	struct sink_column to[COLUMNS];
	struct sink_mapping mapping;
	struct sink *sink;
	void *handle;
	struct transaction txn;
	uint64_t index;
	struct error err;
};

extern uint64_t fixture_row_wise_until;
extern bool fixture_stopping;
extern const struct column two_columns[2];

/* ---- the server's side ---- */
extern const struct sink_ops *const fixture_ops;
/* How the server says it, and how it is told. */
extern const struct fixture_words {
	const char *duplicate, *lock_timeout, *deadlock; /* errors, or how they begin */
	const char *holder;                              /* "server process" */
	const char *sleep;                               /* a statement that takes 0.3 s */
	const char *victim; /* makes another transaction than the administrator's the deadlock's victim */
} fixture_words;

/* Whether a script has started a server. */
bool fixture_is_there(void);
bool fixture_is_mariadb(void);
/* Fills type, hostname, user, dbname and port. */
void fixture_address(struct sink_options *o);
/* The administrator's connection, anew. */
void fixture_connect(void);
int fixture_set_up(void **state);
int fixture_tear_down(void **state);
/* Statements, separated by semicolons. */
void fixture_run(const char *sql);
/* Whether the server took it. */
bool fixture_try(const char *sql);
/* The same without and then with waiting. */
void fixture_send(const char *sql);
void fixture_receive(void);
/* The first field of the first row; "(null)", "(no row)". */
void fixture_expect(const char *sql, const char *want);
/* Schema t anew. */
void fixture_empty(void);
/* Ends what a failed test left behind; schema t anew, no position table. */
void fixture_clean(void);

/* ---- tables and changes ---- */
struct sink_options fixture_options(void);
void fixture_table(struct fixture *f, const char *name, const struct column *columns, size_t count);
void fixture_must(struct fixture *f, int result);
void fixture_refused(struct fixture *f, int result, enum error_class class, const char *text);
/* The text is `prefix` and goes on with `words` at least. */
void fixture_refused_with(
	struct fixture *f, int result, enum error_class class, const char *prefix, const char *words);
/* With another agent's patience: a connection that was closed or killed lets its lock go a moment later. */
void fixture_open(struct fixture *f);
/* fixture_clean(), the given tables; a sink and the mapping of t.t (id int, v text). */
void fixture_start(struct fixture *f, const char *ddl);
void fixture_prepare(struct fixture *f);
/* Makes t.<letter><number> (id int, v <type>) and prepares the mapping of column v to it. */
void fixture_value(struct fixture *f, char letter, size_t number, const char *type, const struct column *column);
/* A source transaction, and the target's. */
void fixture_begin(struct fixture *f, uint64_t commit);
int fixture_change(struct fixture *f, enum change_op op, const struct value *before, const struct value *after,
	const struct value *old_key);
int fixture_insert(struct fixture *f, int64_t id, const char *text);
int fixture_commit(struct fixture *f);
void fixture_finish(struct fixture *f);

#endif
