/*
 * source_mysql_items.c: events of the log -> transactions and changes.
 *
 *   NONE ── GTID ──► BEGUN ── any other event ──► OPEN ── XID | QUERY COMMIT, ROLLBACK | XA PREPARE | a statement that stands alone ──► NONE
 *
 * BEGIN is given when the second event was read, which may name the connection; rows are given as they are read. Of
 * tables that nobody wants not even the table map is decoded.
 *
 * XA. A branch is logged when it is prepared, and decided later by a group of its own; rows of a branch that is rolled
 * back must never be seen. So a prepared group counts as one without rows, its place is remembered
 * (source_mysql_groups.c), and the group with the XA COMMIT gets its rows by reading that place once more, over a
 * second stream. MySQL logs a branch committed in one phase in the same words and says so only at its end: its rows
 * are read again in the same way.
 *
 * The first group of a stream that goes on is the last one that we had, as a proof (source_mysql_setup.c): it has no
 * number and gives nothing.
 */
#include "capture/source_mysql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"

#define MAPS_MAX ((size_t)65536)
#define DUMMY_TABLE_ID UINT64_C(0xffffff)

static struct feed *active(const struct source *src)
{
	return src->branch != NULL ? src->branch : src->feed;
}

static const char *file_of(const struct source *src)
{
	return binlog_reader_file(active(src)->reader);
}

static int unexpected(const struct source *src, const struct binlog_item *item, const char *what, struct error *err)
{
	error_set(err, ERROR_DATA, "%s:%" PRIu64 ": %s", file_of(src), item->start, what);
	return error_hint(err, "look at that place with %s: if the log is damaged there, start anew with another topic_prefix",
		src->end.mariadb ? "mariadb-binlog" : "mysqlbinlog");
}

/* ---- groups ---- */

static void name_transaction(struct source *src, const struct binlog_item *item)
{
	struct transaction *txn = &src->txn;
	uint64_t number = groups_next(src->groups);

	memset(txn, 0, sizeof *txn);
	if (src->end.by_gtid) {
		(void)gtid_format(&src->group.gtid, txn->gtid, sizeof txn->gtid);
		(void)snprintf(txn->id, sizeof txn->id, "%s:%" PRIu64, txn->gtid, number);
	} else {
		(void)snprintf(
			txn->id, sizeof txn->id, "%.100s/%" PRIu64 ":%" PRIu64, file_of(src), item->start, number);
	}
	txn->commit = number;
	txn->commit_us = src->group.us;
	txn->server_id = src->end.mariadb ? src->group.gtid.server : item->server_id;
	txn->thread = item->gtid.thread;
}

static int wrong_proof(const struct source *src, const char *what, struct error *err)
{
	const struct standing *standing = groups_standing(src->groups);
	char ours[TRANSACTION_GTID_MAX];

	if (src->end.by_gtid)
		(void)gtid_format(&standing->last.gtid, ours, sizeof ours);
	else
		(void)snprintf(ours, sizeof ours, "at %.60s:%" PRIu64, standing->file, standing->last.start);
	error_set(err, ERROR_GAP, "the last transaction that Kafka has, %s, %s", ours, what);
	return error_hint(err,
		"the server was reset, restored or is a foreign one that tells another history: lead the agent to the "
		"right one, or start anew "
		"with another topic_prefix");
}

/*
 * 1: this is the group that must come again, unless its end says that it is not (prove()); 0: it is another one, which may come before it (a
 * server that took over may have other domains, or the same groups in another order); -1: the history is another one.
 */
static int check_proof(struct source *src, struct error *err)
{
	const struct standing *standing = groups_standing(src->groups);
	const struct last_group *last = &standing->last;

	if (!src->proof_due)
		return 0;
	if (!src->end.by_gtid) {
		if (src->group.start != last->start || src->group.us != last->us)
			return wrong_proof(src, "is another one at this server", err);
		return 1;
	} else if (!gtid_equal(&src->group.gtid, &last->gtid)) {
		if (src->end.mariadb && src->group.gtid.domain != last->gtid.domain)
			return 0;
		if (!src->end.mariadb && gtid_set_contains(standing->set, &src->group.gtid))
			return wrong_proof(src, "does not come again from this server", err);
		return src->end.mariadb ? wrong_proof(src, "does not come again from this server", err) : 0;
	}
	return 1;
}

/*
 * The group that came again is whole: a MariaDB that died while it wrote it gave its GTID to another one. The time is
 * no witness from server to server: MariaDB's replicas put the last row's in place of the commit's.
 */
static int prove(struct source *src, struct error *err)
{
	const struct standing *standing = groups_standing(src->groups);
	bool same_server = standing->reading[0] == '\0' || strcmp(standing->server, standing->reading) == 0;

	if (src->group.us != standing->last.us && (same_server || !src->end.mariadb))
		return wrong_proof(src, "was made at another time at this server", err);
	groups_proved(src->groups, &src->group);
	src->proof_due = false;
	return 0;
}

/* The group of an XA branch, at the beginning of the second stream. */
static int begin_branch(struct source *src, const struct binlog_item *item, struct error *err)
{
	bool same = src->end.by_gtid ? gtid_equal(&item->gtid.gtid, &src->branch_gtid)
				     : item->start == src->group.start || src->branch_gtid.sequence == 0;

	if (!same) {
		error_set(err, ERROR_GAP, "%s:%" PRIu64 ": the prepared XA branch does not come again", file_of(src),
			item->start);
		return error_hint(
			err, "the log that holds it was purged or made anew: start anew with another topic_prefix");
	}
	src->look_due = src->end.mariadb;
	if (src->look_due)
		feed_look_begin(src->branch);
	return 0;
}

static int begin_group(struct source *src, const struct binlog_item *item, struct error *err)
{
	int proof;

	if (src->branch != NULL)
		return begin_branch(src, item, err);
	if (src->state != GROUP_NONE)
		return unexpected(src, item, "a transaction begins in another one", err);
	if (src->end.by_gtid && item->gtid.anonymous) {
		(void)unexpected(src, item, "a transaction without GTID", err);
		err->class = ERROR_GAP;
		return error_hint(err,
			"gtid_mode of the source was not ON here: leave it ON, and start anew with another "
			"topic_prefix");
	}
	src->group = (struct group){ .gtid = item->gtid.gtid, .start = item->start };
	src->group.us = item->gtid.original_us != 0 ? item->gtid.original_us : item->gtid.commit_us;
	proof = check_proof(src, err);
	if (proof < 0)
		return -1;
	src->state = GROUP_BEGUN;
	src->met_group = true;
	src->single = item->gtid.standalone;
	src->explicit_end = false;
	src->group_rows = proof > 0 ? ROWS_KNOWN : item->gtid.xa_prepare ? ROWS_HELD : ROWS_GIVEN;
	src->given = 0;
	src->given_since_savepoint = 0;
	src->savepoint = false;
	src->large = true;
	src->catalogue.number = groups_next(src->groups);
	name_transaction(src, item);
	src->look_due = src->end.mariadb && !src->single && src->group_rows != ROWS_KNOWN;
	if (src->look_due)
		feed_look_begin(src->feed);
	return 0;
}

/* The second event of the group. */
static int open_group(struct source *src, const struct binlog_item *item, struct error *err)
{
	src->state = GROUP_OPEN;
	if (item->kind == BINLOG_QUERY && src->txn.thread == 0)
		src->txn.thread = item->query.thread;
	/* a group without an end is none */
	if (src->group_rows == ROWS_KNOWN || (!src->large && feed_is_torn(src->feed)))
		return 0;
	src->begin_due = true;
	return failpoint_reach(FP_CAPTURE_MYSQL_GROUP, err);
}

/* The item is the group's last one in the stream itself, not in that of its branch. */
static void note_end(struct source *src, const struct binlog_item *item)
{
	src->group.end = item->end != 0 ? item->end : item->start;
	src->group.acknowledge = src->feed->packet.acknowledge;
}

/* Kafka has it since before: a client that still waits for that waits for nothing else. */
static int end_known(struct source *src, struct error *err)
{
	if (src->proof_due && prove(src, err) < 0)
		return -1;
	if (!src->group.acknowledge)
		return 0;
	return stream_acknowledge(src->feed->stream, binlog_reader_file(src->feed->reader), src->group.end, err);
}

static int complete_group(struct source *src, struct error *err)
{
	int64_t now_us;

	src->state = GROUP_NONE;
	src->map_count = 0;
	if (src->group_rows == ROWS_KNOWN)
		return end_known(src, err);
	if (groups_add(src->groups, &src->group, err) < 0)
		return -1;
	src->txn.end = src->txn.commit + 1;
	src->commit_due = true;
	now_us = clock_monotonic_us();
	if (now_us >= src->next_beat_us) {
		src->beat_due = true;
		src->beat_us = src->txn.commit_us;
		src->next_beat_us = now_us + src->options.heartbeat_interval_us;
	}
	return 0;
}

int items_end_group(struct source *src, const struct binlog_item *item, struct error *err)
{
	note_end(src, item);
	return complete_group(src, err);
}

/* The server died while it wrote the group, and says so in the next file: nothing of it happened, and its GTID is used again. */
static int drop_group(struct source *src, const struct binlog_item *item, struct error *err)
{
	if (src->given > 0) {
		(void)unexpected(src, item, "the server died while it wrote the transaction before", err);
		err->class = ERROR_GAP;
		(void)error_prefix(err, "transaction %s has no end, but is larger than %zu MiB, so its rows were given out", src->txn.id,
			STREAM_QUEUE_SIZE >> 20);
		return error_hint(err, "it never happened at the source, so start anew with another topic_prefix");
	}
	log_warning("%s:%" PRIu64 ": the server died while it wrote transaction %s: what the log has of it is passed over",
		file_of(src), item->start, src->txn.id);
	src->state = GROUP_NONE;
	src->map_count = 0;
	src->look_due = false;
	src->begin_due = false;
	src->rows_open = false;
	return 0;
}

/* ---- XA ---- */

/* Reads the branch's rows as the content of the group that is open. */
static int read_branch(struct source *src, const struct prepared *prepared, struct error *err)
{
	if (setup_branch(&src->control, prepared, &src->branch, err) < 0)
		return -1;
	src->branch_gtid = prepared->gtid;
	src->group_rows = ROWS_GIVEN;
	src->map_count = 0;
	binlog_tables_new_file(src->tables);
	return failpoint_reach(FP_CAPTURE_MYSQL_BRANCH, err);
}

static int end_branch(struct source *src, struct error *err)
{
	feed_close(src->branch);
	src->branch = NULL;
	src->large = true;
	binlog_tables_server(src->tables, &src->format);
	binlog_tables_new_file(src->tables);
	return complete_group(src, err);
}

int items_take_branch(struct source *src, const struct binlog_item *item, struct prepared *prepared, struct error *err)
{
	if (groups_decide(src->groups, prepared, err) < 0)
		return -1;
	note_end(src, item);
	return read_branch(src, prepared, err);
}

static int take_prepare(struct source *src, const struct binlog_item *item, struct error *err)
{
	struct prepared itself = {
		.xid = (char *)(uintptr_t)item->xa.id, .gtid = src->group.gtid, .offset = src->group.start
	};

	if (src->branch != NULL)
		return end_branch(src, err);
	if (src->group_rows != ROWS_HELD)
		return items_end_group(src, item, err);
	if (item->xa.one_phase) {
		note_end(src, item);
		itself.file = (char *)(uintptr_t)file_of(src);
		return read_branch(src, &itself, err);
	}
	if (groups_prepare(src->groups, item->xa.id, &src->group, file_of(src), err) < 0)
		return -1;
	return items_end_group(src, item, err);
}

/* ---- tables and rows ---- */

/* Rows that are not to be seen: of a branch, of the proof, or undone later in the group. */
static bool is_passed_over(const struct source *src)
{
	return src->group_rows != ROWS_GIVEN || (!src->large && feed_is_undone(active(src)));
}

static int note_map(struct source *src, uint64_t table_id, bool chosen, struct error *err)
{
	if (src->map_count == src->map_room) {
		size_t room = src->map_room == 0 ? 64 : src->map_room * 2;
		struct source_map *grown = room <= MAPS_MAX ? realloc(src->maps, room * sizeof *grown) : NULL;

		if (grown == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for the tables of a statement");
		src->maps = grown;
		src->map_room = room;
	}
	src->maps[src->map_count++] = (struct source_map){ table_id, chosen };
	return 0;
}

int items_map(struct source *src, const void *bytes, size_t len, const struct table **ret_table, struct error *err)
{
	const char *left_out, *untold;

	if (binlog_tables_map(src->tables, bytes, len, ret_table, err) < 0)
		return -1;
	untold = binlog_tables_untold(src->tables);
	if (untold != NULL)
		log_warning("%s.%s: the log does not tell UUID, INET, VECTOR and JSON from BINARY, VARBINARY and LONGTEXT, and the table "
			    "was altered or dropped behind %s:%" PRIu64 ", so these columns are taken as the catalogue knows them now, or as "
			    "bytes and text: %s; let capture catch up before such columns are altered or dropped",
			(*ret_table)->schema, (*ret_table)->name, file_of(src), src->group.start, untold);
	left_out = binlog_tables_left_out(src->tables);
	if (left_out != NULL)
		log_warning("%s.%s is captured without its generated columns, because MariaDB from 11.5 on does not log what "
			    "becomes of them in an update: %s; let the target's table generate them too",
			(*ret_table)->schema, (*ret_table)->name, left_out);
	return 0;
}

static int take_map(struct source *src, const struct binlog_item *item, struct error *err)
{
	const struct table *table;
	const char *schema, *name;
	uint64_t table_id;
	bool chosen;

	if (is_passed_over(src))
		return 0;
	arena_reset(&src->arena);
	if (binlog_map_name(item->bytes.bytes, item->bytes.len, &src->arena, &table_id, &schema, &name, err) < 0)
		return -1;
	chosen = catalogue_is_chosen(&src->options, schema, name);
	if (chosen && items_map(src, item->bytes.bytes, item->bytes.len, &table, err) < 0)
		return error_prefix(err, "%s:%" PRIu64, file_of(src), item->start);
	return note_map(src, table_id, chosen, err);
}

static int take_rows(struct source *src, const struct binlog_item *item, struct error *err)
{
	size_t i = src->map_count;

	if (is_passed_over(src))
		return 0;
	while (i > 0 && src->maps[i - 1].table_id != item->rows.table_id)
		i--;
	if (i == 0 && (item->rows.table_id & DUMMY_TABLE_ID) != DUMMY_TABLE_ID)
		return unexpected(src, item, "rows of a table that was not announced", err);
	src->statement_end = item->rows.statement_end;
	if (i == 0 || !src->maps[i - 1].chosen) {
		if (src->statement_end)
			src->map_count = 0;
		return 0;
	}
	if (binlog_rows_open(src->rows, &item->rows, err) < 0)
		return error_prefix(err, "%s:%" PRIu64, file_of(src), item->start);
	src->rows_start = item->start;
	src->rows_open = true;
	return 0;
}

/* ---- items ---- */

static int take_incident(const struct source *src, const struct binlog_item *item, struct error *err)
{
	error_set(err, ERROR_GAP, "%s:%" PRIu64 ": the server says that its log is not complete here: %.*s",
		file_of(src), item->start, (int)(item->text.len < 200 ? item->text.len : 200), item->text.text);
	return error_hint(err, "changes are missing from the log: start anew with another topic_prefix");
}

/*
 * Whether a life of the server begins with the file, behind our place. The stream's own beginning is before that, unless the last group is purged;
 * and there MariaDB 11.8 gives the file's first event without its `created`, so that any such file is taken for one: once too often ages what is
 * remembered of XA branches, and asks for them.
 */
static bool is_start(const struct source *src, const struct binlog_item *item)
{
	if (src->met_group)
		return item->format.created;
	return (item->format.created || item->artificial) && !src->proof_due && groups_file_is_new(src->groups);
}

/* MariaDB: the server was started anew, perhaps after it had died. */
static int take_start(struct source *src, const struct binlog_item *item, struct error *err)
{
	if (!src->end.mariadb || src->branch != NULL || !is_start(src, item))
		return 0;
	if (groups_restarted(src->groups, err) < 0)
		return -1;
	setup_recover(&src->control, src->groups);
	return 0;
}

static int take_format(struct source *src, const struct binlog_item *item, struct error *err)
{
	if (src->branch == NULL && src->state != GROUP_NONE) {
		if (!item->format.created)
			return unexpected(src, item, "a file begins in the middle of a transaction", err);
		if (drop_group(src, item, err) < 0)
			return -1;
	}
	if (item->format.mariadb != src->end.mariadb)
		return unexpected(src, item, "the log was written by a server of the other kind", err);
	if (src->branch == NULL)
		src->format = item->format;
	binlog_tables_server(src->tables, &item->format);
	binlog_tables_new_file(src->tables);
	return take_start(src, item, err);
}

static int take_rotate(struct source *src, const struct binlog_item *item, struct error *err)
{
	if (src->branch != NULL)
		return 0;
	binlog_tables_new_file(src->tables);
	return groups_file(src->groups, item->rotate.file, err);
}

static int take_heartbeat(struct source *src, const struct binlog_item *item, struct error *err)
{
	int64_t now_us = clock_monotonic_us();

	if (src->state != GROUP_NONE || src->branch != NULL)
		return 0;
	if (now_us >= src->next_beat_us) {
		src->beat_due = true;
		src->beat_us = clock_wall_us();
		src->next_beat_us = now_us + src->options.heartbeat_interval_us;
	}
	return strcmp(item->rotate.file, file_of(src)) == 0 ? groups_read_to(src->groups, item->rotate.offset, err) : 0;
}

/* Nothing but a place in the log. */
static int take_place(struct source *src, const struct binlog_item *item, struct error *err)
{
	return src->state == GROUP_NONE && src->branch == NULL ? groups_read_to(src->groups, item->end, err) : 0;
}

static bool is_of_group(enum binlog_kind kind)
{
	switch (kind) {
	case BINLOG_QUERY:
	case BINLOG_XID:
	case BINLOG_XA_PREPARE:
	case BINLOG_TABLE_MAP:
	case BINLOG_ROWS:
	case BINLOG_ANNOTATE:
		return true;
	default:
		return false;
	}
}

int items_take(struct source *src, const struct binlog_item *item, struct error *err)
{
	if (is_of_group(item->kind)) {
		if (src->state == GROUP_NONE)
			return unexpected(src, item, "an event outside of transactions", err);
		if (src->state == GROUP_BEGUN && open_group(src, item, err) < 0)
			return -1;
	}
	switch (item->kind) {
	case BINLOG_FORMAT:
		return take_format(src, item, err);
	case BINLOG_ROTATE:
		return take_rotate(src, item, err);
	case BINLOG_GTID:
		return begin_group(src, item, err);
	case BINLOG_QUERY:
		return statement_take(src, item, err);
	case BINLOG_XID:
		src->txn.xid = item->xid;
		return items_end_group(src, item, err);
	case BINLOG_XA_PREPARE:
		return take_prepare(src, item, err);
	case BINLOG_TABLE_MAP:
		return take_map(src, item, err);
	case BINLOG_ROWS:
		return take_rows(src, item, err);
	case BINLOG_HEARTBEAT:
		return take_heartbeat(src, item, err);
	case BINLOG_INCIDENT:
		return take_incident(src, item, err);
	case BINLOG_GTID_LIST:
	case BINLOG_PREVIOUS_GTIDS:
	case BINLOG_STOP:
	case BINLOG_OTHER:
		return take_place(src, item, err);
	case BINLOG_ANNOTATE:
		break;
	}
	return 0;
}

/* ---- giving ---- */

static int give_row(struct source *src, struct source_item *item, struct error *err)
{
	int got;

	arena_reset(&src->arena);
	memset(&item->chg, 0, sizeof item->chg);
	got = binlog_rows_next(src->rows, &src->arena, &item->chg, err);
	if (got < 0)
		return error_prefix(err, "%s:%" PRIu64, file_of(src), src->rows_start);
	if (got == 0) {
		src->rows_open = false;
		if (src->statement_end)
			src->map_count = 0;
		return 0;
	}
	item->kind = SOURCE_CHANGE;
	item->chg.lsn = src->rows_start;
	item->chg.file = file_of(src);
	src->given++;
	src->given_since_savepoint += src->savepoint;
	return 1;
}

static void give_truncate(struct source *src, struct source_item *item)
{
	item->kind = SOURCE_CHANGE;
	item->chg = (struct change){
		.op = CHANGE_TRUNCATE, .table = src->truncate_due, .lsn = src->truncate_start, .file = file_of(src)
	};
	src->truncate_due = NULL;
	src->given++;
}

int items_give(struct source *src, struct source_item *ret_item, struct error *err)
{
	ret_item->txn = &src->txn;
	if (src->begin_due) {
		src->begin_due = false;
		ret_item->kind = SOURCE_BEGIN;
		return 1;
	}
	if (src->rows_open) {
		int given = give_row(src, ret_item, err);

		if (given != 0)
			return given;
	}
	if (src->truncate_due != NULL) {
		give_truncate(src, ret_item);
		return 1;
	}
	if (src->commit_due) {
		src->commit_due = false;
		ret_item->kind = SOURCE_COMMIT;
		return 1;
	}
	if (src->beat_due) {
		src->beat_due = false;
		ret_item->kind = SOURCE_HEARTBEAT;
		ret_item->source_us = src->beat_us;
		ret_item->lsn = groups_next(src->groups);
		return 1;
	}
	return 0;
}
