/*
 * source_mysql_setup.c: what must hold at the server before the stream starts, and where it starts.
 *
 * First start: the log's end as the server tells it now is the standing, and number 1 the next transaction.
 *
 * Later:
 *   1. the server has all transactions that we have, else it was reset, restored or is another one
 *   2. it still has all that we do not have, else they were purged
 *   3. the stream begins one group early, and that group must come again with its GTID and its time stamp: equal GTIDs alone do not prove that a
 *      server whose log was made anew tells the same history. Only if just that one group is purged is the proof gone without. (Another MariaDB
 *      server has the same group at another time, so the time is compared with the same server only.)
 * Another server that passes 1 and 2 (a replica that was promoted) is as good as the old one: its files differ, its
 * GTIDs do not.
 */
#include "capture/source_mysql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/net.h"

#define MYSQL_LEAST 80000UL
#define MARIADB_LEAST 100600UL
#define FIRST_PACKET_US INT64_C(60000000)
#define SLICE_MS 100
#define SET_TEXT_MAX ((size_t)16 << 20)
#define UUID_TEXT ((size_t)36)
/* A server that took over and still applies what it was sent: how long its set may stand still. */
#define APPLYING_US INT64_C(5000000)
#define APPLYING_MS 200
#define HINT_ANEW "lead the agent to the right server, or start anew with another topic_prefix"

static enum gtid_flavour flavour(const struct endpoint *end)
{
	return end->mariadb ? GTID_MARIADB : GTID_MYSQL;
}

/* ---- the server ---- */

static void note_variable(struct server *server, bool mariadb, const char *name, const char *value)
{
	if (strcasecmp(name, "version") == 0)
		(void)snprintf(server->version, sizeof server->version, "%s", value);
	else if (strcasecmp(name, mariadb ? "server_id" : "server_uuid") == 0)
		(void)snprintf(server->id, sizeof server->id, "%s", value);
	else if (strcasecmp(name, "log_bin") == 0)
		server->log_bin = strcasecmp(value, "ON") == 0 || strcmp(value, "1") == 0;
	else if (strcasecmp(name, "gtid_mode") == 0)
		server->gtid = strcasecmp(value, "ON") == 0;
	else if (strcasecmp(name, "binlog_row_metadata") == 0)
		server->names_in_log = strcasecmp(value, "FULL") == 0;
	else if (strcasecmp(name, "lower_case_table_names") == 0)
		server->fold_names = strcmp(value, "0") != 0;
	else if (strcasecmp(name, "binlog_format") == 0)
		(void)snprintf(server->binlog_format, sizeof server->binlog_format, "%s", value);
}

static int check_kind(const struct control *control, const struct server *server, struct error *err)
{
	bool mariadb = control->end->mariadb, is_mariadb = strstr(server->version, "MariaDB") != NULL;
	unsigned long version = mysql_get_server_version(control->conn);

	if (is_mariadb != mariadb) {
		error_set(err, ERROR_CONFIG, "the server is %s (%s), but database.type is \"%s\"",
			is_mariadb ? "MariaDB" : "MySQL", server->version, mariadb ? "mariadb" : "mysql");
		return error_hint(err, "set database.type = \"%s\"", is_mariadb ? "mariadb" : "mysql");
	}
	if (version < (mariadb ? MARIADB_LEAST : MYSQL_LEAST))
		return error_set(err, ERROR_CONFIG, "%s %s is too old: %s or later is needed",
			mariadb ? "MariaDB" : "MySQL", server->version, mariadb ? "10.6" : "8.0");
	return 0;
}

static int check_log(const struct server *server, struct error *err)
{
	if (!server->log_bin) {
		error_set(err, ERROR_CONFIG, "the server writes no binlog");
		return error_hint(err, "start it with log_bin");
	}
	/* MySQL has no such setting any more once there is only ROW */
	if (server->binlog_format[0] != '\0' && strcasecmp(server->binlog_format, "ROW") != 0) {
		error_set(
			err, ERROR_CONFIG, "binlog_format of the source is %s, it must be ROW", server->binlog_format);
		return error_hint(err, "SET GLOBAL binlog_format = ROW; sessions that are open keep their own");
	}
	return 0;
}

int setup_server(struct control *control, struct server *ret_server, struct error *err)
{
	struct server server = { .gtid = control->end->mariadb };
	MYSQL_RES *result;
	MYSQL_ROW row;

	if (control_query(control,
		    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'server_id', 'server_uuid', 'log_bin', "
		    "'gtid_mode', "
		    "'binlog_row_metadata', 'binlog_format', 'lower_case_table_names')",
		    "asking for its settings", &result, err) < 0)
		return -1;
	while ((row = mysql_fetch_row(result)) != NULL)
		if (row[0] != NULL && row[1] != NULL)
			note_variable(&server, control->end->mariadb, row[0], row[1]);
	mysql_free_result(result);
	if (check_kind(control, &server, err) < 0 || check_log(&server, err) < 0)
		return -1;
	*ret_server = server;
	return 0;
}

/* ---- sets ---- */

/* A statement that gives one text; *ret_text is the caller's to free(), "" for NULL. */
static int ask_text(struct control *control, const char *sql, const char *doing, char **ret_text, struct error *err)
{
	MYSQL_RES *result;
	MYSQL_ROW row;

	if (control_query(control, sql, doing, &result, err) < 0)
		return -1;
	row = mysql_fetch_row(result);
	*ret_text = strdup(row != NULL && row[0] != NULL ? row[0] : "");
	mysql_free_result(result);
	return *ret_text != NULL ? 0 : error_set(err, ERROR_RETRY, "out of memory for an answer");
}

static int parse_set(const struct endpoint *end, const char *text, struct gtid_set **ret_set, struct error *err)
{
	struct gtid_set *set = gtid_set_new(flavour(end));

	if (set == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a GTID set");
	if (gtid_set_parse(set, text, err) < 0) {
		gtid_set_free(set);
		return -1;
	}
	*ret_set = set;
	return 0;
}

static int ask_set(
	struct control *control, const char *sql, const char *doing, struct gtid_set **ret_set, struct error *err)
{
	char *text;
	int rc;

	if (ask_text(control, sql, doing, &text, err) < 0)
		return -1;
	rc = parse_set(control->end, text, ret_set, err);
	free(text);
	return rc;
}

int setup_owned_text(const char *owned, struct buf *out, struct error *err)
{
	while (*owned != '\0') {
		size_t len = strcspn(owned, "#");
		const char *thread = owned + len;
		size_t thread_len = strcspn(thread, ":,");

		buf_append(out, owned, len);
		owned = thread + thread_len;
		/* the next uuid stands behind the last thread of the one before, and nothing between them */
		if (thread_len > UUID_TEXT && thread[thread_len - UUID_TEXT + 8] == '-') {
			buf_append_byte(out, ',');
			buf_append(out, owned - UUID_TEXT, UUID_TEXT);
		}
	}
	return buf_check(out, "set of owned GTIDs", err);
}

/*
 * A commit that waits for a semi-sync acknowledgement is in the log, and perhaps in Kafka, but is not executed: it is
 * owned. Asked for first, as it goes from there to the others.
 */
static int ask_mysql_executed(struct control *control, struct gtid_set **ret_set, struct error *err)
{
	static const char doing[] = "asking which transactions it has";
	char *owned = NULL, *executed = NULL;
	struct buf text;
	int rc = -1;

	buf_init(&text, SET_TEXT_MAX);
	if (ask_text(control, "SELECT @@global.gtid_owned", doing, &owned, err) < 0 ||
		ask_text(control, "SELECT @@global.gtid_executed", doing, &executed, err) < 0 ||
		setup_owned_text(owned, &text, err) < 0)
		goto out;
	if (text.len > 0 && executed[0] != '\0')
		buf_append_byte(&text, ',');
	buf_append_str(&text, executed);
	rc = buf_check(&text, "GTID set", err) < 0 ? -1 : parse_set(control->end, buf_cstr(&text), ret_set, err);
out:
	buf_release(&text);
	free(owned);
	free(executed);
	return rc;
}

int setup_executed(struct control *control, struct gtid_set **ret_set, struct error *err)
{
	if (!control->end->mariadb)
		return ask_mysql_executed(control, ret_set, err);
	return ask_set(control, "SELECT @@global.gtid_binlog_pos", "asking which transactions it has", ret_set, err);
}

/* MariaDB: a position without that domain, which then is streamed from its beginning. */
static void leave_out(struct buf *text, uint32_t domain)
{
	char prefix[16];
	size_t from = 0, to = 0, prefix_len = (size_t)snprintf(prefix, sizeof prefix, "%" PRIu32 "-", domain);

	while (from < text->len) {
		const char *comma = memchr(text->data + from, ',', text->len - from);
		size_t part = comma != NULL ? (size_t)(comma - text->data) - from : text->len - from;

		if (part < prefix_len || memcmp(text->data + from, prefix, prefix_len) != 0) {
			if (to > 0)
				text->data[to++] = ',';
			memmove(text->data + to, text->data + from, part);
			to += part;
		}
		from += part + 1;
	}
	text->len = to;
}

/* A copy of the set that lacks this one, so that it comes again. */
static int set_before(const struct endpoint *end, const struct gtid_set *set, const struct gtid *gtid, bool has_before,
	const struct gtid *before, struct gtid_set **ret_set, struct error *err)
{
	struct gtid_set *copy = NULL;
	struct buf text;
	int rc = -1;

	buf_init(&text, SET_TEXT_MAX);
	gtid_set_format(set, &text);
	if (end->mariadb && !has_before)
		leave_out(&text, gtid->domain);
	if (buf_check(&text, "GTID set", err) < 0 || parse_set(end, buf_cstr(&text), &copy, err) < 0)
		goto out;
	if (!end->mariadb)
		rc = gtid_set_remove(copy, gtid, err);
	else
		rc = has_before ? gtid_set_add(copy, before, err) : 0;
	if (rc == 0)
		*ret_set = copy;
	else
		gtid_set_free(copy);
out:
	buf_release(&text);
	return rc;
}

/* ---- the first start ---- */

static int ask_end(struct control *control, struct standing *standing, char **ret_set, struct error *err)
{
	static const char *const old = "SHOW MASTER STATUS", *const new = "SHOW BINARY LOG STATUS";
	bool is_new = !control->end->mariadb && mysql_get_server_version(control->conn) >= 80200;
	MYSQL_RES *result;
	MYSQL_ROW row;
	int rc = 0;

	if (control_query(control, is_new ? new : old, "asking where its log ends", &result, err) < 0)
		return -1;
	row = mysql_fetch_row(result);
	if (row == NULL || row[0] == NULL || row[1] == NULL || strlen(row[0]) >= sizeof standing->file) {
		rc = error_set(err, ERROR_CONFIG, "the server does not say where its log ends");
	} else {
		(void)snprintf(standing->file, sizeof standing->file, "%s", row[0]);
		standing->offset = strtoull(row[1], NULL, 10);
		*ret_set = strdup(mysql_num_fields(result) > 4 && row[4] != NULL ? row[4] : "");
		if (*ret_set == NULL)
			rc = error_set(err, ERROR_RETRY, "out of memory for a GTID set");
	}
	mysql_free_result(result);
	return rc;
}

#define NO_PLACE "-"

/* MariaDB: the set at that place, so that both are of one moment. */
static int ask_set_at(struct control *control, const struct standing *standing, char **ret_set, struct error *err)
{
	struct buf sql;
	int rc;

	buf_init(&sql, 4096);
	/* NULL: the file is gone by now; "" is the beginning of the log */
	buf_append_str(&sql, "SELECT IFNULL(BINLOG_GTID_POS(");
	connection_literal(&sql, standing->file);
	buf_printf(&sql, ", %" PRIu64 "), '" NO_PLACE "')", standing->offset);
	rc = buf_check(&sql, "statement", err);
	if (rc == 0)
		rc = ask_text(control, buf_cstr(&sql), "asking for the GTIDs at the log's end", ret_set, err);
	buf_release(&sql);
	if (rc == 0 && strcmp(*ret_set, NO_PLACE) == 0)
		rc = error_set(err, ERROR_RETRY, "the server does not say which GTIDs its log has up to %s:%" PRIu64,
			standing->file, standing->offset);
	return rc;
}

int setup_begin(struct control *control, const struct server *server, struct groups *groups,
	struct source_identity *identity, struct error *err)
{
	struct standing *standing = groups_standing(groups);
	char *text = NULL;
	int rc = 0;

	if (ask_end(control, standing, &text, err) < 0)
		return -1;
	if (control->end->mariadb) {
		free(text);
		text = NULL;
		rc = ask_set_at(control, standing, &text, err);
	}
	if (rc == 0 && standing->set != NULL)
		rc = gtid_set_parse(standing->set, text, err);
	free(text);
	if (rc < 0)
		return -1;
	(void)snprintf(standing->server, sizeof standing->server, "%s", server->id);
	(void)snprintf(standing->reading, sizeof standing->reading, "%s", server->id);
	standing->next = 1;
	(void)snprintf(identity->log, sizeof identity->log, "%s:%s:%" PRId64,
		control->end->mariadb ? "mariadb" : "mysql", server->id, clock_wall_us());
	identity->slot_created = true;
	identity->confirmed = 1;
	identity->head = 1;
	if (standing->set == NULL)
		log_warning("gtid_mode of the source is OFF: its log is read by file and offset, and another server "
			    "cannot take over");
	return 0;
}

/* ---- a later start ---- */

static int lacks(const struct gtid_set *ours, const struct gtid_set *theirs, struct error *err)
{
	error_set(err, ERROR_GAP, "the server lacks %" PRIu64 " transactions that Kafka has",
		gtid_set_difference(ours, theirs));
	return error_hint(err,
		"it was reset, restored from an older state, promoted before it had them, or is a foreign "
		"one: " HINT_ANEW);
}

static int check_purged(struct control *control, const struct standing *standing, struct error *err)
{
	struct gtid_set *purged;
	int rc = 0;

	if (ask_set(control, "SELECT @@global.gtid_purged", "asking which transactions it has removed", &purged, err) <
		0)
		return -1;
	if (!gtid_set_is_subset(purged, standing->set)) {
		error_set(err, ERROR_GAP, "the server has purged %" PRIu64 " transactions that were not read yet",
			gtid_set_difference(purged, standing->set));
		rc = error_hint(err, "keep the log longer (binlog_expire_logs_seconds); " HINT_ANEW);
	}
	gtid_set_free(purged);
	return rc;
}

/* Until the server has all that we have, or its set stands still. */
static int await_applied(
	struct control *control, const struct standing *standing, struct gtid_set **io_executed, struct error *err)
{
	uint64_t least = gtid_set_difference(standing->set, *io_executed);
	int64_t limit = clock_monotonic_us() + APPLYING_US;

	while (!gtid_set_is_subset(standing->set, *io_executed) && clock_monotonic_us() < limit &&
		!connection_stopping(control->end->options)) {
		struct gtid_set *now;
		uint64_t lacking;

		if (net_wait(NULL, 0, APPLYING_MS, err) < 0 || setup_executed(control, &now, err) < 0)
			return -1;
		gtid_set_free(*io_executed);
		*io_executed = now;
		lacking = gtid_set_difference(standing->set, now);
		if (lacking < least) {
			least = lacking;
			limit = clock_monotonic_us() + APPLYING_US;
		}
	}
	return 0;
}

static int compare_sets(
	struct control *control, const struct standing *standing, bool other, uint64_t *ret_head, struct error *err)
{
	struct gtid_set *executed;
	int rc = 0;

	if (setup_executed(control, &executed, err) < 0)
		return -1;
	if (other && await_applied(control, standing, &executed, err) < 0) {
		gtid_set_free(executed);
		return -1;
	}
	if (!gtid_set_is_subset(standing->set, executed))
		rc = lacks(standing->set, executed, err);
	else if (!control->end->mariadb)
		rc = check_purged(control, standing, err);
	*ret_head = standing->next + gtid_set_difference(executed, standing->set);
	gtid_set_free(executed);
	return rc;
}

int setup_continue(struct control *control, const struct server *server, struct groups *groups,
	struct source_identity *identity, struct error *err)
{
	struct standing *standing = groups_standing(groups);
	bool other = strcmp(standing->server, server->id) != 0;
	uint64_t head = UINT64_MAX;

	if (standing->set == NULL && other) {
		error_set(err, ERROR_GAP, "Kafka has the log of server %s up to %s:%" PRIu64 ", but the server is %s",
			standing->server, standing->file, standing->offset, server->id);
		return error_hint(err, "without GTIDs no other server can take over: " HINT_ANEW);
	}
	if (standing->set != NULL && !server->gtid) {
		error_set(err, ERROR_CONFIG, "gtid_mode of the source is not ON any more, but its log is read by GTID");
		return error_hint(err, "SET GLOBAL gtid_mode = ON");
	}
	if (standing->set != NULL && compare_sets(control, standing, other, &head, err) < 0)
		return -1;
	if (other)
		log_info("the log is read from server %s now, it was %s; they have the same history", server->id,
			standing->server);
	if (other)
		groups_other_server(groups);
	/* standing->server follows with the first group: until then the time of the last one is the other server's */
	(void)snprintf(standing->reading, sizeof standing->reading, "%s", server->id);
	identity->slot_created = false;
	identity->confirmed = standing->next;
	identity->head = head;
	return 0;
}

/* ---- the stream ---- */

/* Until the first packet is there: what is wrong with the place comes as an error in its stead. */
static int await_first(const struct endpoint *end, struct feed *feed, struct error *err)
{
	int64_t limit = clock_monotonic_us() + FIRST_PACKET_US;
	struct queue *queue = stream_queue(feed->stream);
	struct packet packet;
	uint64_t at = 0;
	unsigned number;
	const char *text;

	for (;;) {
		int got = queue_peek(queue, &at, &packet, &number, &text);
		struct pollfd fd = { queue_fd(queue), POLLIN, 0 };

		if (got == -2)
			return session_error_text(end, number, text, "the stream could not be started", err);
		if (got != 0)
			return 0;
		if (connection_stopping(end->options))
			return error_set(err, ERROR_RETRY, "starting the stream: given up, the agent is to stop");
		if (clock_monotonic_us() > limit)
			return error_set(err, ERROR_RETRY, "starting the stream: no answer in time");
		if (net_wait(&fd, 1, SLICE_MS, err) < 0)
			return -1;
	}
}

static int open_at(
	const struct endpoint *end, const struct place *place, bool branch, struct feed **ret_feed, struct error *err)
{
	struct feed *feed;

	if (feed_open(end, place, branch, &feed, err) < 0)
		return -1;
	if (await_first(end, feed, err) < 0) {
		feed_close(feed);
		return -1;
	}
	*ret_feed = feed;
	return 0;
}

/* One group early. 1: done; 0: that group is not there any more. */
static int open_early(
	struct control *control, const struct standing *standing, struct feed **ret_feed, struct error *err)
{
	const struct endpoint *end = control->end;
	const struct last_group *last = &standing->last;
	struct gtid_set *purged;
	struct place place = { 0 };
	bool gone = false;
	int rc;

	if (standing->set == NULL) {
		(void)snprintf(place.file, sizeof place.file, "%s", standing->file);
		place.offset = last->start;
		return open_at(end, &place, false, ret_feed, err) < 0 ? -1 : 1;
	}
	if (!end->mariadb) {
		if (ask_set(control, "SELECT @@global.gtid_purged", "asking which transactions it has removed", &purged,
			    err) < 0)
			return -1;
		gone = gtid_set_contains(purged, &last->gtid);
		gtid_set_free(purged);
	}
	if (gone)
		return 0;
	if (set_before(end, standing->set, &last->gtid, last->has_before, &last->before, &place.set, err) < 0)
		return -1;
	rc = open_at(end, &place, false, ret_feed, err);
	gtid_set_free(place.set);
	/* MariaDB tells it only so; if the standing itself cannot be read either, that is the error */
	if (rc < 0 && end->mariadb && err->class == ERROR_GAP && strstr(err->text, "Could not find GTID state") != NULL)
		return 0;
	return rc < 0 ? -1 : 1;
}

int setup_stream(
	struct control *control, struct groups *groups, struct feed **ret_feed, bool *ret_proof, struct error *err)
{
	const struct standing *standing = groups_standing(groups);
	struct place place = { .set = standing->set, .offset = standing->offset };
	int early = standing->last.known ? open_early(control, standing, ret_feed, err) : 0;

	if (early != 0) {
		*ret_proof = early > 0;
		return early < 0 ? -1 : 0;
	}
	(void)snprintf(place.file, sizeof place.file, "%s", standing->file);
	if (open_at(control->end, &place, false, ret_feed, err) < 0)
		return -1;
	*ret_proof = false;
	if (standing->last.known)
		log_info("the transaction before the position is purged, so it is not compared");
	return 0;
}

/* ---- XA branches that a MariaDB server kept over its death ---- */

static void put_xid_part(struct buf *out, const char *bytes, size_t len)
{
	buf_append_str(out, "X'");
	for (size_t i = 0; i < len; i++)
		buf_printf(out, "%02x", (unsigned char)bytes[i]);
	buf_append_str(out, "',");
}

/* formatID, length of gtrid, length of bqual, both -> as the statements of the log name it. */
static bool read_xid(MYSQL_RES *result, MYSQL_ROW row, struct buf *xid)
{
	unsigned long *lens = mysql_fetch_lengths(result);
	size_t gtrid, bqual;

	if (mysql_num_fields(result) < 4 || row[0] == NULL || row[1] == NULL || row[2] == NULL || row[3] == NULL)
		return false;
	gtrid = strtoul(row[1], NULL, 10);
	bqual = strtoul(row[2], NULL, 10);
	if (gtrid > lens[3] || bqual > lens[3] - gtrid)
		return false;
	buf_reset(xid);
	put_xid_part(xid, row[3], gtrid);
	put_xid_part(xid, row[3] + gtrid, bqual);
	buf_append_str(xid, row[0]);
	return !xid->failed;
}

static void take_recovered(struct groups *groups, MYSQL_RES *result)
{
	struct buf xid;
	MYSQL_ROW row;

	buf_init(&xid, XID_TEXT_MAX);
	groups_recovered_begin(groups);
	while ((row = mysql_fetch_row(result)) != NULL)
		if (read_xid(result, row, &xid))
			groups_recovered(groups, buf_cstr(&xid));
	buf_release(&xid);
}

/* The answer holds for what is decided behind the log's end, which is asked for after it. */
void setup_recover(struct control *control, struct groups *groups)
{
	static const char doing[] = "asking which XA branches are prepared";
	struct standing end = { 0 };
	struct error err = ERROR_INIT;
	char *set = NULL;
	MYSQL_RES *result;

	if (!groups_in_doubt(groups))
		return;
	if (control_query(control, "XA RECOVER", doing, &result, &err) < 0) {
		log_error(&err, "XA branches that the server lost are kept until it starts again");
		return;
	}
	take_recovered(groups, result);
	mysql_free_result(result);
	if (ask_end(control, &end, &set, &err) < 0)
		log_error(&err, "XA branches that the server lost are kept until it starts again");
	else
		groups_recovered_end(groups, end.file, end.offset);
	free(set);
}

int setup_branch(struct control *control, const struct prepared *prepared, struct feed **ret_feed, struct error *err)
{
	const struct endpoint *end = control->end;
	struct gtid_set *executed = NULL;
	struct place place = { .offset = prepared->offset };
	bool by_place = prepared->offset > 0 && prepared->offset <= UINT32_MAX;
	int rc = -1;

	/* by its place the server finds it at once; by GTID it reads the file from its beginning */
	(void)snprintf(place.file, sizeof place.file, "%s", prepared->file);
	if (end->by_gtid && !by_place &&
		(setup_executed(control, &executed, err) < 0 ||
			set_before(end, executed, &prepared->gtid, prepared->has_before, &prepared->before, &place.set,
				err) < 0))
		goto out;
	rc = open_at(end, &place, true, ret_feed, err);
out:
	if (executed != NULL)
		gtid_set_free(executed);
	if (place.set != NULL)
		gtid_set_free(place.set);
	return rc < 0 ? error_prefix(err, "reading XA branch %s again", prepared->xid) : 0;
}
