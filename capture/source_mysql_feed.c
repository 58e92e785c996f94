/*
 * source_mysql_feed.c: a stream with its decoder, and the look ahead to the end of a group.
 *
 * MariaDB's log holds rows that never happened: when a transaction made or dropped a temporary table, its rows are
 * logged though it is rolled back, with a QUERY `ROLLBACK` at the end; and what `ROLLBACK TO` a savepoint undid stands
 * between the QUERYs `SAVEPOINT` and `ROLLBACK TO`. (MySQL leaves both out.) A replica does the rows and rolls back;
 * events in Kafka cannot be taken back. So before a group's rows are given out the packets that wait in the queue are
 * looked through, up to the group's end: only the few events that can end or undo are decoded there, by a decoder of
 * its own.
 *
 *   GTID ─► [packets of the group ...] ─► XID | XA PREPARE | QUERY COMMIT | QUERY ROLLBACK
 *           SAVEPOINT a ...rows... ROLLBACK TO a      => what lies between is undone, an interval of the queue's places
 *
 *   FORMAT in the middle             => the server died while it wrote the group, which never happened: so MariaDB leaves it in its log
 *
 * A group that is larger than the queue (4 MiB) is not known to its end: its rows flow, and if some of them turn out
 * to be undone that is a named stop.
 */
#include "capture/source_mysql.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/failpoint.h"

#define SAVEPOINTS_MAX 256
#define SAVEPOINT_NAME_MAX 260
#define UNDONE_MAX 256

/* Type codes of the events that are looked at; the type is the fifth byte of each event. */
enum {
	EVENT_QUERY = 2,
	EVENT_FORMAT = 15,
	EVENT_XID = 16,
	EVENT_HEARTBEAT = 27,
	EVENT_XA_PREPARE = 38,
	EVENT_MARIADB_GTID = 162,
	EVENT_QUERY_COMPRESSED = 165
};

struct interval {
	uint64_t from, to; /* places of the queue, [from, to) */
};

struct ahead {
	uint64_t at; /* where to look on; 0: the packet behind the taken one */
	enum ahead_state state;
	bool rolled_back;
	bool torn; /* a file begins before the group has ended */
	struct {
		char name[SAVEPOINT_NAME_MAX];
		uint64_t at;
	} savepoints[SAVEPOINTS_MAX];
	size_t savepoint_count;
	struct interval undone[UNDONE_MAX];
	size_t undone_count;
};

int feed_open(
	const struct endpoint *end, const struct place *place, bool branch, struct feed **ret_feed, struct error *err)
{
	struct feed *feed = calloc(1, sizeof *feed);

	if (feed == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a feed");
	feed->end = end;
	feed->reader = binlog_reader_new();
	feed->scout = binlog_reader_new();
	feed->ahead = calloc(1, sizeof *feed->ahead);
	if (feed->reader == NULL || feed->scout == NULL || feed->ahead == NULL) {
		feed_close(feed);
		return error_set(err, ERROR_RETRY, "out of memory for a decoder");
	}
	binlog_reader_reset(feed->reader, place->set == NULL ? place->file : "binlog");
	binlog_reader_reset(feed->scout, "binlog");
	feed->ahead->state = AHEAD_LARGE;
	if (stream_open(end, place, branch, &feed->stream, err) < 0) {
		feed_close(feed);
		return -1;
	}
	*ret_feed = feed;
	return 0;
}

void feed_close(struct feed *feed)
{
	if (feed == NULL)
		return;
	if (feed->reader != NULL)
		binlog_reader_free(feed->reader);
	if (feed->scout != NULL)
		binlog_reader_free(feed->scout);
	stream_close(feed->stream);
	free(feed->ahead);
	free(feed);
}

static unsigned type_of(const struct packet *packet)
{
	return packet->len > 4 ? packet->bytes[4] : 0;
}

/* The scout reads only some events, but it must know the format of all. */
static int tell_scout(struct feed *feed, const struct packet *packet, struct error *err)
{
	struct binlog_item item;
	int got;

	if (binlog_reader_feed(feed->scout, packet->bytes, packet->len, err) < 0)
		return -1;
	do
		got = binlog_reader_next(feed->scout, &item, err);
	while (got > 0);
	return got;
}

int feed_next(struct feed *feed, struct binlog_item *ret_item, struct error *err)
{
	unsigned number = 0;
	const char *text = "";
	int got;

	if (feed->has_packet) {
		got = binlog_reader_next(feed->reader, ret_item, err);
		if (got != 0)
			return got;
		feed->has_packet = false;
	}
	got = queue_take(stream_queue(feed->stream), &feed->packet, &number, &text);
	if (got < 0)
		return session_error_text(feed->end, number, text, "the stream broke", err);
	if (got == 0)
		return 0;
	if (failpoint_reach(FP_CAPTURE_MYSQL_PACKET, err) < 0)
		return -1;
	if (type_of(&feed->packet) == EVENT_FORMAT && tell_scout(feed, &feed->packet, err) < 0)
		return -1;
	if (binlog_reader_feed(feed->reader, feed->packet.bytes, feed->packet.len, err) < 0)
		return -1;
	feed->has_packet = true;
	got = binlog_reader_next(feed->reader, ret_item, err);
	if (got == 0)
		feed->has_packet = false;
	return got == 0 ? 2 : got;
}

/* ---- looking ahead ---- */

void feed_look_begin(struct feed *feed)
{
	struct ahead *ahead = feed->ahead;

	ahead->at = 0;
	ahead->state = AHEAD_WAIT;
	ahead->rolled_back = false;
	ahead->torn = false;
	ahead->savepoint_count = 0;
	ahead->undone_count = 0;
}

static bool is_word(const struct binlog_query *query, const char *word)
{
	return query->len == strlen(word) && strncasecmp(query->text, word, query->len) == 0;
}

/* What stands behind these words, or NULL: the server writes both in one form, with the name in backquotes. */
static const char *behind(const struct binlog_query *query, const char *words, size_t *ret_len)
{
	size_t len = strlen(words);

	if (query->len <= len || query->len - len >= SAVEPOINT_NAME_MAX || strncasecmp(query->text, words, len) != 0)
		return NULL;
	*ret_len = query->len - len;
	return query->text + len;
}

static bool add_savepoint(struct ahead *ahead, const char *name, size_t len, uint64_t at)
{
	if (ahead->savepoint_count == SAVEPOINTS_MAX)
		return false;
	memcpy(ahead->savepoints[ahead->savepoint_count].name, name, len);
	ahead->savepoints[ahead->savepoint_count].name[len] = '\0';
	ahead->savepoints[ahead->savepoint_count].at = at;
	ahead->savepoint_count++;
	return true;
}

/* The savepoint itself stays; those behind it are gone, and what was undone behind it is part of the new interval. */
static bool undo(struct ahead *ahead, const char *name, size_t len, uint64_t at)
{
	size_t i = ahead->savepoint_count;
	uint64_t from;

	while (i > 0 &&
		(strlen(ahead->savepoints[i - 1].name) != len || memcmp(ahead->savepoints[i - 1].name, name, len) != 0))
		i--;
	if (i == 0)
		return false;
	ahead->savepoint_count = i;
	from = ahead->savepoints[i - 1].at;
	while (ahead->undone_count > 0 && ahead->undone[ahead->undone_count - 1].from >= from)
		ahead->undone_count--;
	if (ahead->undone_count == UNDONE_MAX)
		return false;
	ahead->undone[ahead->undone_count++] = (struct interval){ from, at };
	return true;
}

static void see_query(struct ahead *ahead, const struct binlog_query *query, uint64_t at)
{
	const char *name;
	size_t len;

	if (is_word(query, "COMMIT") || behind(query, "XA COMMIT ", &len) != NULL ||
		behind(query, "XA ROLLBACK ", &len) != NULL) {
		ahead->state = AHEAD_WHOLE;
	} else if (is_word(query, "ROLLBACK")) {
		ahead->rolled_back = true;
		ahead->state = AHEAD_WHOLE;
	} else if ((name = behind(query, "SAVEPOINT ", &len)) != NULL) {
		if (!add_savepoint(ahead, name, len, at))
			ahead->state = AHEAD_LARGE;
	} else if ((name = behind(query, "ROLLBACK TO ", &len)) != NULL) {
		if (!undo(ahead, name, len, at))
			ahead->state = AHEAD_LARGE;
	}
}

static int see_packet(struct feed *feed, const struct packet *packet, struct error *err)
{
	struct ahead *ahead = feed->ahead;
	struct binlog_item item;
	int got;

	switch (type_of(packet)) {
	case EVENT_XID:
	case EVENT_XA_PREPARE:
	case EVENT_MARIADB_GTID: /* the next one: this had no end of its own */
	case EVENT_HEARTBEAT: /* the log has nothing more, and groups come into it whole */
		ahead->state = AHEAD_WHOLE;
		return 0;
	case EVENT_FORMAT:
		ahead->rolled_back = true;
		ahead->torn = true;
		ahead->state = AHEAD_WHOLE;
		return 0;
	case EVENT_QUERY:
	case EVENT_QUERY_COMPRESSED:
		break;
	default:
		return 0;
	}
	if (binlog_reader_feed(feed->scout, packet->bytes, packet->len, err) < 0)
		return -1;
	while ((got = binlog_reader_next(feed->scout, &item, err)) > 0)
		if (item.kind == BINLOG_QUERY)
			see_query(ahead, &item.query, packet->at);
	return got;
}

int feed_look(struct feed *feed, enum ahead_state *ret_state, struct error *err)
{
	struct ahead *ahead = feed->ahead;
	struct packet packet;
	unsigned number = 0;
	const char *text = "";

	while (ahead->state == AHEAD_WAIT) {
		int got = queue_peek(stream_queue(feed->stream), &ahead->at, &packet, &number, &text);

		/* no row may have been given out of a group whose rest comes in the next try and undoes it */
		if (got == -2)
			return session_error_text(feed->end, number, text, "the stream broke", err);
		if (got < 0)
			ahead->state = AHEAD_LARGE;
		else if (got == 0)
			break;
		else if (see_packet(feed, &packet, err) < 0)
			return -1;
	}
	if (ahead->state == AHEAD_LARGE) {
		ahead->rolled_back = false;
		ahead->torn = false;
		ahead->undone_count = 0;
	}
	*ret_state = ahead->state;
	return 0;
}

bool feed_is_undone(const struct feed *feed)
{
	const struct ahead *ahead = feed->ahead;

	if (ahead->rolled_back)
		return true;
	for (size_t i = 0; i < ahead->undone_count; i++)
		if (feed->packet.at >= ahead->undone[i].from && feed->packet.at < ahead->undone[i].to)
			return true;
	return false;
}

bool feed_is_torn(const struct feed *feed)
{
	return feed->ahead->torn;
}
