/*
 * doctor.h: what the parts of `tailrace doctor` share: findings, connections to PostgreSQL, what one part leaves for the next.
 *
 *   capture file:  configuration ─► source ─► Kafka, and whether its position record and the slot continue each other
 *   apply file:    configuration ─► Kafka, and the newest shape of each table ─► target, compared with these shapes
 *
 * A part that finds nobody to ask says so and ends; the parts that do not need it are still made. Nothing is changed on any server: the
 * sessions at PostgreSQL are read only, and at Kafka nothing is created. One thread.
 */
#ifndef TAILRACE_TOOL_DOCTOR_H
#define TAILRACE_TOOL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <libpq-fe.h>

#include "apply/options.h"
#include "capture/options.h"
#include "lib/base/buf.h"
#include "lib/change/position.h"
#include "lib/change/table.h"
#include "tool/tool.h"

/* ---- doctor.c: findings ---- */
enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
	const char *path; /* of the configuration file */
	enum tool_kind kind;
	const struct capture_settings *capture; /* NULL for an apply agent's file */
	const struct apply_settings *apply;     /* NULL for a capture agent's file */
	struct kafka_config kafka;
	bool json;
	json_t *findings; /* array, with --json */
	size_t counts[DOCTOR_FAIL + 1];
};

/* One finding. check: its name for programs ("wal_level"). The text is one line and holds no secret; line ends in it become spaces. */
void doctor_ok(struct doctor *doctor, const char *check, const char *format, ...) __attribute__((format(printf, 3, 4)));
void doctor_warn(struct doctor *doctor, const char *check, const char *format, ...) __attribute__((format(printf, 3, 4)));
void doctor_fail(struct doctor *doctor, const char *check, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* What to run or to write to mend the last finding; right after it. */
void doctor_remedy(struct doctor *doctor, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An error of our own libraries as a FAIL, its hint as the remedy. */
void doctor_error(struct doctor *doctor, const char *check, const struct error *err);

/* ---- doctor_postgres.c: asking PostgreSQL ---- */
struct doctor_server {
	const char *what; /* "source", "target": begins each finding */
	const char *hostname, *user, *password, *dbname, *sslmode, *sslrootcert, *sslcert, *sslkey;
	int64_t port;
};

/* Why libpq or the server refused: one line, and the SQLSTATE ("" if it was libpq). */
struct doctor_refusal {
	char text[1024];
	char sqlstate[6];
	bool password_missing;
};

/* Connects within 10 s. NULL and *ret_refusal if not. The caller finishes it. */
PGconn *doctor_connect(const struct doctor_server *server, bool replication, struct doctor_refusal *ret_refusal);
/*
 * doctor_connect() for an ordinary session, with its finding either way; the session has statement_timeout 30 s, search_path pg_catalog and
 * is read only. *ret_read_only: it would be so by the server's own settings.
 */
PGconn *doctor_open(struct doctor *doctor, const struct doctor_server *server, bool *ret_read_only);
/* One query with text parameters; NULL after a FAIL under this check's name. PQclear() the result. */
PGresult *doctor_ask(struct doctor *doctor, PGconn *conn, const char *check, const char *sql,
	const char *const *parameters, int count);
/* A field as text ("" for NULL), as boolean, as number. */
const char *doctor_text(const PGresult *result, int row, int column);
bool doctor_true(const PGresult *result, int row, int column);
int64_t doctor_number(const PGresult *result, int row, int column);
/* Appends "schema"."table", always quoted so that it can be pasted into SQL. */
void doctor_table_name(struct buf *out, const char *schema, const char *table);
/* Appends one quoted name. */
void doctor_name(struct buf *out, const char *name);
/* "1.5 GiB"; size: at least 24. Returns buf. */
const char *doctor_bytes(int64_t bytes, char *buf, size_t size);

/* ---- doctor_source.c ---- */
/* What the source says about its log, for the comparison with Kafka. */
struct doctor_log {
	/* PostgreSQL */
	bool slot_asked, slot_found;
	uint64_t confirmed; /* the slot's, if found */
	bool head_known;
	uint64_t head;
	char log[POSITION_LOG_MAX]; /* identity, "" if unknown */
	/* MySQL, MariaDB */
	bool kept_known;
	int64_t kept_s; /* for how long the server keeps its log; 0: until somebody removes it */
};
void doctor_source(struct doctor *doctor, struct doctor_log *ret_log);

/* ---- doctor_kafka.c ---- */
struct doctor_kafka; /* the connections, and what was read; shapes live as long */

/* Looks at Kafka for both kinds; NULL if there is nobody to ask. */
struct doctor_kafka *doctor_kafka_open(struct doctor *doctor);
void doctor_kafka_close(struct doctor_kafka *kafka);
/* capture: compares the position record with the slot. */
void doctor_kafka_compare(struct doctor *doctor, struct doctor_kafka *kafka, const struct doctor_log *log);
/* apply: the shape of the newest event of each table's topic that the lists take. */
void doctor_kafka_shapes(struct doctor *doctor, struct doctor_kafka *kafka, const struct table *const **ret_shapes,
	size_t *ret_count);
/* The log that Kafka's position record names; "" if there is none. */
const char *doctor_kafka_log(const struct doctor_kafka *kafka);

/* ---- doctor_target.c ---- */
/* kafka: NULL if it could not be asked; then tables are not compared column by column. */
void doctor_target(struct doctor *doctor, struct doctor_kafka *kafka);

struct map;
/* A table of the configuration that is named in full: where it goes. Returns whether it is well. */
typedef bool doctor_named_visit(void *context, const char *source, const char *schema, const char *table);
/*
 * Visits those of which Kafka has no event, and so no shape; returns how many are well. Entries of `tables` that the lists leave out are
 * warned of.
 */
size_t doctor_named_tables(struct doctor *doctor, struct map *map, const struct table *const *shapes, size_t count,
	doctor_named_visit *visit, void *context);

#endif
