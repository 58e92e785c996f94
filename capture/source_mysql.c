/*
 * source_mysql.c: the binlog of a MySQL or MariaDB server, as a source.
 *
 * Two connections: the stream, read by a thread of its own (source_mysql_stream.c), and the control connection for
 * questions (source_mysql_control.c). Losing the second is mended in the background, losing the first ends the try.
 *
 * next():
 *   1. an item that is due from what was read (source_mysql_items.c)
 *   2. MariaDB, at the beginning of a group: has its end come? else wait for more, rows of it may have been undone (source_mysql_feed.c)
 *   3. the next event; back to 1
 *
 * Each group counts, whether it has rows for us or not, so the numbers do not depend on the choice of tables. Between
 * reading and Kafka stands the ring of groups (source_mysql_groups.c): when it is full nothing more is read. resume()
 * folds it up to a number and prints what reading on from there needs; confirm() has nothing to tell a server, which
 * keeps its log as long as it likes, unless it waits for semi-sync acknowledgements.
 *
 * Heartbeats need nothing in the log: the server says by itself that it is alive when it has nothing else to say, and
 * while groups come, one of them does as well, at most once in heartbeat_interval.
 */
#include "capture/source_mysql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"

#define ARENA_MAX ((size_t)64 << 20)
#define CATALOGUE_MAX ((size_t)32 << 20)
#define NAMES_MAX ((size_t)1 << 20)
#define EVENTS_A_CALL 1024 /* that give nothing, before next() lets others have a turn */
#define CALLS_A_DUTY 256 /* that give something: the duties are looked at though nothing waits */
#define FULL_WAIT_MS 20

/* ---- duties ---- */

/* How far the server is, if it was asked since. */
static int take_executed(struct source *src, struct error *err)
{
	struct standing *standing = groups_standing(src->groups);
	struct gtid_set *executed;
	uint64_t head;

	if (!src->control.fresh_executed || standing->set == NULL)
		return 0;
	src->control.fresh_executed = false;
	executed = gtid_set_new(src->end.mariadb ? GTID_MARIADB : GTID_MYSQL);
	if (executed == NULL || gtid_set_parse(executed, buf_cstr(&src->control.executed), err) < 0) {
		if (executed != NULL)
			gtid_set_free(executed);
		return executed != NULL ? -1 : error_set(err, ERROR_RETRY, "out of memory for a GTID set");
	}
	head = standing->next + gtid_set_difference(executed, standing->set);
	if (head > src->head)
		src->head = head;
	gtid_set_free(executed);
	return 0;
}

static int do_duties(struct source *src, struct error *err)
{
	if (control_step(&src->control, clock_monotonic_us(), err) < 0)
		return -1;
	return take_executed(src, err);
}

/* ---- reading ---- */

/* One step: 1 something was read; 0 nothing is at hand; -1. */
static int read_on(struct source *src, struct error *err)
{
	struct feed *feed = src->branch != NULL ? src->branch : src->feed;
	struct binlog_item item;
	enum ahead_state state;
	int got;

	if (src->look_due) {
		if (feed_look(feed, &state, err) < 0)
			return -1;
		if (state == AHEAD_WAIT)
			return 0;
		src->look_due = false;
		src->large = state == AHEAD_LARGE;
	}
	if (src->state == GROUP_NONE && groups_full(src->groups))
		return 0;
	got = feed_next(feed, &item, err);
	if (got == 1)
		return items_take(src, &item, err) < 0 ? -1 : 1;
	return got == 2 ? 1 : got;
}

static int mysql_next(struct source *src, struct source_item *ret_item, struct error *err)
{
	int got = 1;

	src->more = false;
	if (++src->calls % CALLS_A_DUTY == 0 && do_duties(src, err) < 0)
		return -1;
	for (int events = 0; got > 0; events++) {
		int given = items_give(src, ret_item, err);

		if (given != 0)
			return given < 0 ? -1 : 0;
		if (events == EVENTS_A_CALL) {
			src->more = true;
			break;
		}
		got = read_on(src, err);
	}
	ret_item->kind = SOURCE_NOTHING;
	if (got < 0)
		return -1;
	return do_duties(src, err);
}

static int mysql_tend(struct source *src, struct error *err)
{
	return do_duties(src, err);
}

static size_t mysql_poll_fds(struct source *src, struct pollfd *fds, size_t room, int *io_timeout_ms)
{
	bool full = src->state == GROUP_NONE && groups_full(src->groups);
	int64_t ms = (src->control.next_us - clock_monotonic_us()) / 1000 + 1;
	struct feed *feed = src->branch != NULL ? src->branch : src->feed;
	size_t n = 0;

	if (src->more)
		ms = 0;
	else if (full && ms > FULL_WAIT_MS)
		ms = FULL_WAIT_MS;
	if (ms < 0)
		ms = 0;
	if (*io_timeout_ms < 0 || ms < *io_timeout_ms)
		*io_timeout_ms = (int)ms;
	if (!full && n < room)
		fds[n++] = (struct pollfd){ queue_fd(stream_queue(feed->stream)), POLLIN, 0 };
	return n + control_poll(&src->control, fds + n, room - n);
}

/* ---- positions ---- */

static int mysql_confirm(struct source *src, uint64_t lsn, struct error *err)
{
	const char *file;
	uint64_t offset;

	if (groups_acknowledge(src->groups, lsn, &file, &offset) == 0)
		return 0;
	return stream_acknowledge(src->feed->stream, file, offset, err);
}

static uint64_t mysql_head(const struct source *src)
{
	uint64_t next = groups_next(src->groups);

	return src->head > next ? src->head : next;
}

/* From what is durable, which is where `confirmed` is or a moment behind it. */
static int64_t mysql_lag_bytes(const struct source *src, uint64_t confirmed)
{
	const struct standing *standing = groups_standing(src->groups);

	(void)confirmed;
	return control_bytes_behind(&src->control, standing->file, standing->offset);
}

static int mysql_resume(struct source *src, uint64_t upto, struct buf *out, struct error *err)
{
	if (groups_fold(src->groups, upto, err) < 0 || resume_print(src->groups, out, err) < 0)
		return -1;
	return failpoint_reach(FP_CAPTURE_MYSQL_RESUME, err);
}

static const char *mysql_describe(const struct source *src, uint64_t upto, char *buf, size_t size)
{
	return groups_describe(src->groups, upto, buf, size);
}

/* ---- life ---- */

static void mysql_close_source(struct source *src)
{
	if (src == NULL)
		return;
	feed_close(src->branch);
	feed_close(src->feed);
	if (src->rows != NULL)
		binlog_rows_free(src->rows);
	if (src->tables != NULL)
		binlog_tables_free(src->tables);
	control_release(&src->control);
	shapes_close(src->shapes);
	groups_free(src->groups);
	arena_release(&src->arena);
	arena_release(&src->catalogue.arena);
	arena_release(&src->names);
	free(src->maps);
	free(src);
}

static int make_decoder(struct source *src, struct error *err)
{
	src->callbacks = (struct binlog_catalogue){ &src->catalogue, catalogue_table };
	src->tables = binlog_tables_new(&src->callbacks);
	src->rows = src->tables != NULL ? binlog_rows_new(src->tables) : NULL;
	return src->rows != NULL ? 0 : error_set(err, ERROR_RETRY, "out of memory for a decoder");
}

/* Where the log is read from, and who it is. */
static int find_place(struct source *src, bool may_create, struct source_identity *identity, struct error *err)
{
	const struct source_options *options = &src->options;
	bool known = options->expected_log != NULL && options->expected_log[0] != '\0';

	if (!known) {
		if (may_create)
			return setup_begin(&src->control, &src->server, src->groups, identity, err);
		error_set(err, ERROR_GAP, "Kafka has events of this source, but does not say of which log");
		return error_hint(err, "start anew with another topic_prefix");
	}
	if (strncmp(options->expected_log, src->end.mariadb ? "mariadb:" : "mysql:", src->end.mariadb ? 8 : 6) != 0) {
		error_set(err, ERROR_GAP, "Kafka has events of the log %s, but the source is %s", options->expected_log,
			src->end.mariadb ? "MariaDB" : "MySQL");
		return error_hint(err, "lead the agent to the right server, or start anew with another topic_prefix");
	}
	if (options->resume == NULL || options->resume[0] == '\0') {
		error_set(
			err, ERROR_GAP, "Kafka has events of the log %s, but no position of it", options->expected_log);
		return error_hint(
			err, "the position topic was deleted or emptied: start anew with another topic_prefix");
	}
	(void)snprintf(identity->log, sizeof identity->log, "%s", options->expected_log);
	groups_standing(src->groups)->next = options->confirmed;
	if (resume_parse(src->groups, &src->end, options->resume, err) < 0)
		return -1;
	return setup_continue(&src->control, &src->server, src->groups, identity, err);
}

/* The shapes of now are those of the first group, as it is read from now on. */
static int open_shapes(struct source *src, const struct source_identity *identity, struct error *err)
{
	const struct source_options *options = &src->options;

	src->catalogue.control = &src->control;
	src->catalogue.source = src;
	src->catalogue.number = identity->confirmed;
	if (options->state_directory == NULL || options->state_directory[0] == '\0')
		return 0;
	if (shapes_open(options, identity->log, &src->shapes, err) < 0) {
		/* without it defaults, and types that only the catalogue tells, may be of later */
		if (!src->server.names_in_log)
			return -1;
		log_error(err, "the store of table shapes is left out");
		error_clear(err);
	}
	src->catalogue.shapes = src->shapes;
	return identity->slot_created && src->shapes != NULL ? catalogue_keep_all(&src->catalogue, err) : 0;
}

static int open_source(const struct source_options *options, bool mariadb, bool may_create, struct source **ret_source,
	struct source_identity *ret_identity, struct error *err)
{
	struct source *src = calloc(1, sizeof *src);
	struct source_identity identity;

	if (src == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a source");
	memset(&identity, 0, sizeof identity);
	src->options = *options;
	src->end = (struct endpoint){ &src->options, mariadb, session_server_id(options, 0), true, false };
	arena_init(&src->arena, ARENA_MAX);
	arena_init(&src->catalogue.arena, CATALOGUE_MAX);
	arena_init(&src->names, NAMES_MAX);
	if (control_open(&src->control, &src->end, err) < 0 || setup_server(&src->control, &src->server, err) < 0)
		goto failed;
	src->end.fold_names = src->server.fold_names;
	if (src->end.fold_names && names_fold_lists(&src->control, &src->options, &src->names, err) < 0)
		goto failed;
	if (!mariadb)
		src->end.by_gtid = options->resume != NULL && options->resume[0] != '\0'
			? strstr(options->resume, "\nset ") != NULL
			: src->server.gtid;
	if (groups_new(&src->end, &src->groups, err) < 0 || find_place(src, may_create, &identity, err) < 0 ||
		open_shapes(src, &identity, err) < 0 || make_decoder(src, err) < 0)
		goto failed;
	src->head = identity.head;
	*ret_source = src;
	*ret_identity = identity;
	return 0;
failed:
	mysql_close_source(src);
	return -1;
}

static int mysql_open(const struct source_options *options, bool may_create, struct source **ret_source,
	struct source_identity *ret_identity, struct error *err)
{
	return open_source(options, false, may_create, ret_source, ret_identity, err);
}

static int mariadb_open(const struct source_options *options, bool may_create, struct source **ret_source,
	struct source_identity *ret_identity, struct error *err)
{
	return open_source(options, true, may_create, ret_source, ret_identity, err);
}

static int ask_head(struct source *src, struct error *err)
{
	struct standing *standing = groups_standing(src->groups);
	struct gtid_set *executed;

	if (standing->set == NULL) {
		src->head = UINT64_MAX;
		return 0;
	}
	if (setup_executed(&src->control, &executed, err) < 0)
		return -1;
	src->head = standing->next + gtid_set_difference(executed, standing->set);
	gtid_set_free(executed);
	return 0;
}

static int mysql_start(struct source *src, uint64_t from, struct error *err)
{
	(void)from; /* the resume text says where */
	if (setup_stream(&src->control, src->groups, &src->feed, &src->proof_due, err) < 0 || ask_head(src, err) < 0)
		return -1;
	src->next_beat_us = clock_monotonic_us();
	return catalogue_cascades(&src->control, err);
}

static int mysql_tables(struct source *src, source_table_visit *visit, void *context, struct error *err)
{
	return catalogue_tables(&src->control, visit, context, err);
}

#define SOURCE_OPS \
	.start = mysql_start, \
	.tables = mysql_tables, \
	.next = mysql_next, \
	.tend = mysql_tend, \
	.poll_fds = mysql_poll_fds, \
	.confirm = mysql_confirm, \
	.head = mysql_head, \
	.lag_bytes = mysql_lag_bytes, \
	.resume = mysql_resume, \
	.describe = mysql_describe, \
	.close = mysql_close_source

const struct source_ops source_mysql = { .connector = "mysql", .open = mysql_open, SOURCE_OPS };
const struct source_ops source_mariadb = { .connector = "mariadb", .open = mariadb_open, SOURCE_OPS };
