/*
 * capture_source_mysql_scene.h: two servers, SQL on them, and a source that reads one of them as the pipeline would.
 *
 * What was read is kept as text: "[" and "]" are BEGIN and COMMIT, "+t(1,a)" an insert, "~t(1,a>1,b)" an update
 * (before, after), "-t(1,a)" a delete, "!t" a TRUNCATE.
 */
#ifndef TAILRACE_TESTS_UNIT_CAPTURE_SOURCE_MYSQL_SCENE_H
#define TAILRACE_TESTS_UNIT_CAPTURE_SOURCE_MYSQL_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mysql.h>

#include "capture/source.h"
#include "lib/base/buf.h"

struct scene {
	const char *directory;
	bool mariadb;
	const struct source_ops *ops;
	MYSQL *sql[2];
};

struct reader {
	struct scene *scene;
	struct source_options options;
	char path[256];
	struct source *source;
	struct source_identity identity;
	struct error err;
	struct buf text;
	uint64_t upto;            /* end of the last transaction that was read */
	struct transaction last;  /* the last one committed */
	const struct table *table; /* of the last change */
	uint64_t heartbeats;
	/* what Kafka would have */
	char log[POSITION_LOG_MAX];
	uint64_t confirmed;
	struct buf resume;
};

int scene_open(void **state);
int scene_close(void **state);
/* Both servers as new: an empty database b with table mark, nothing in the log. */
int scene_reset(void **state);

/* Statements on server 0 or 1; must succeed. */
void scene_run(struct scene *scene, int server, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same on server 0, in database b, by a session of its own, which goes afterwards: one that prepared a branch must, before another decides it. */
void scene_elsewhere(struct scene *scene, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One value; valid until the next call. */
const char *scene_ask(struct scene *scene, int server, const char *sql);
/* The second server gets what the first one has logged. */
void scene_copy(struct scene *scene);
/* The first server dies, its last log file loses so many bytes at its end, and it comes back. */
void scene_crash(struct scene *scene, unsigned bytes);

void reader_init(struct reader *reader, struct scene *scene, int server);
void reader_release(struct reader *reader);
/* The next start reads from that server. */
void reader_lead_to(struct reader *reader, int server);
/* open() and start(). */
int reader_try(struct reader *reader);
void reader_start(struct reader *reader);
/* Must fail in that way, at the start or when it reads. */
void reader_fails(struct reader *reader, enum error_class class, const char *words);
/* Reads until a row of table mark that is written now has come; the text holds what came before it, without that. */
void reader_read(struct reader *reader);
/* Reads until this many transactions have ended; 0: until it fails. */
int reader_read_transactions(struct reader *reader, uint64_t count);
/* One item, or a short wait for one. -1: it failed. */
int reader_step(struct reader *reader);
/* Everything read is in Kafka: keeps the resume text. */
void reader_keep(struct reader *reader);
/* The same, and confirms. */
void reader_save(struct reader *reader);
void reader_stop(struct reader *reader);

#define reader_is(reader, expected)                                             \
	do {                                                                    \
		reader_read(reader);                                            \
		assert_string_equal(buf_cstr(&(reader)->text), expected);       \
		buf_reset(&(reader)->text);                                     \
	} while (0)

/* capture_source_mysql_takeover.c: teardown, and tests of servers that die, wait, or take over */
int takeover_end(void **state);
void test_takeover_by_a_slow_commit(void **state);
void test_takeover_of_a_branch(void **state);
void test_takeover_while_it_applies(void **state);
void test_commit_waits_over_a_restart(void **state);
void test_branch_waits(void **state);
void test_one_phase_behind_a_wait(void **state);
void test_torn(void **state);
void test_torn_and_large(void **state);
void test_refused_question(void **state);

/* capture_source_mysql_crash.c: teardown, and tests of XA branches over a crash of MariaDB */
int crash_end(void **state);
void test_crash_and_commit_again(void **state);
void test_crash_before_all_that_is_left(void **state);
void test_crash_and_name_used_again(void **state);
void test_crash_and_silence(void **state);
void test_crash_and_rollback_instead(void **state);
void test_crash_in_one_phase(void **state);
void test_crash_before_a_prepare(void **state);

#endif
