/*
 * apply_sink_mysql_fixture.h: what the tests of the MySQL and MariaDB target against real servers share: the server, a source table
 * with its mapping, a sink.
 *
 * sink_mysql_real.sh says where the server is and of which kind: SINK_TEST_SOCKET, SINK_TEST_TYPE ("mysql" or "mariadb"),
 * SINK_TEST_RESTART (a command that kills and restarts it).
 */
#ifndef TAILRACE_TESTS_UNIT_APPLY_SINK_MYSQL_FIXTURE_H
#define TAILRACE_TESTS_UNIT_APPLY_SINK_MYSQL_FIXTURE_H

#include <mysql.h>

#include "apply/sink.h"

#define COLUMNS 8

struct fixture {
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

extern const struct sink_ops *const fixture_ops;
extern MYSQL *fixture_admin;
extern uint64_t fixture_row_wise_until;
extern bool fixture_stopping;
extern const struct column two_columns[2];

bool fixture_is_mariadb(void);
struct sink_options fixture_options(void);
void fixture_connect(void);
/* Statements, separated by semicolons. */
void fixture_run(const char *sql);
/* The first field of the first row; "(null)", "(no row)". */
void fixture_expect(const char *sql, const char *want);
void fixture_table(struct fixture *f, const char *name, const struct column *columns, size_t count);
void fixture_must(struct fixture *f, int result);
void fixture_refused(struct fixture *f, int result, enum error_class class, const char *text);
void fixture_open(struct fixture *f);
/* Database t anew, with the given tables; a sink and the mapping of t.t (id int, v text). */
void fixture_start(struct fixture *f, const char *ddl);
void fixture_prepare(struct fixture *f);
/* A source transaction, and the target's. */
void fixture_begin(struct fixture *f, uint64_t commit);
int fixture_change(struct fixture *f, enum change_op op, const struct value *before, const struct value *after,
	const struct value *old_key);
int fixture_insert(struct fixture *f, int64_t id, const char *text);
int fixture_commit(struct fixture *f);
void fixture_finish(struct fixture *f);

#endif
