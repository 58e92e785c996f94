/*
 * source_postgres.c: the log of one PostgreSQL database as pgoutput decodes it, over the streaming replication
 * protocol.
 *
 * Two connections: `replication` carries the stream and our feedback; `sql` answers the decoder's questions and writes
 * the heartbeat into the log. Losing the second is mended in the background, losing the first ends the try.
 *
 * Frames from the server, inside CopyData (all integers big-endian):
 *   'w' int64 start of the data, int64 end of log sent, int64 clock, then one pgoutput message
 *   'k' int64 end of log sent, int64 clock, byte 1: answer at once
 * Ours:
 *   'r' int64 written, int64 flushed, int64 applied, int64 clock (us since 2000-01-01), byte 1: answer at once
 * "flushed" is what lets the server forget, so it is only ever what the pipeline confirmed, and never goes back.
 *
 * The heartbeat is a logical message outside of transactions, "<slot> <us since 1970>": it needs no table, moves an
 * idle slot on, and comes back to us through the log. Those of other slots of the database are passed over.
 *
 * https://www.postgresql.org/docs/15/protocol-replication.html, .../protocol-logicalrep-message-formats.html
 */
#include "capture/source_postgres.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/limits.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/net.h"

#define HEARTBEAT_PREFIX "tailrace.heartbeat"
#define POSTGRES_EPOCH_US INT64_C(946684800000000) /* 2000-01-01, since 1970 */
#define ARENA_MAX ((size_t)64 << 20)
#define ASK_AFTER_US INT64_C(30000000)   /* of silence: ask for an answer */
/*
 * Of silence: the server is gone. A dead peer is found by TCP in less; a walsender that decodes one huge transaction
 * whose changes are all passed over (REFRESH MATERIALIZED VIEW) says nothing meanwhile, and would begin anew each time.
 */
#define GIVE_UP_US INT64_C(900000000)
#define BEAT_LIMIT_US INT64_C(30000000)  /* for one heartbeat's statement */
#define BEAT_RETRY_US INT64_C(1000000)   /* between two tries to connect anew */
#define GOODBYE_US INT64_C(1000000)
#define FRAME_LARGE (1 << 20)            /* given back before the next one comes */
#define ROW_HUGE (24 << 20)              /* may be too much for us; smaller ones are not */
#define FRAMES_A_CALL 256                /* that give nothing, before next() lets others have a turn */

enum beat_state {
	BEAT_IDLE,      /* waits for its time; the connection may be missing */
	BEAT_SENT,      /* waits for the statement's result */
	BEAT_CONNECTING /* waits for a new connection */
};

enum selection { SELECTION_UNKNOWN, SELECTION_YES, SELECTION_NO };

struct source {
	struct source_options options;
	PGconn *replication, *sql;

	/* ---- what is being read ---- */
	struct pgoutput_decoder *decoder;
	struct catalogue catalogue;
	struct arena arena; /* of the last frame */
	char *frame;
	int frame_len;
	struct transaction txn;
	bool open; /* between BEGIN and COMMIT */
	const struct change *truncates; /* of a TRUNCATE that names several tables, the rest */
	size_t truncate_count;
	unsigned char *selections; /* enum selection, by struct table's slot */
	size_t selection_room;
	bool more; /* next() stopped though frames are at hand */

	/* ---- positions and duties ---- */
	uint64_t received, confirmed, head;
	uint64_t progressed; /* last SOURCE_PROGRESS or heartbeat */
	bool reply_wanted, streaming;
	bool heard; /* frames came since heard_us was set */
	int64_t next_status_us, next_ask_us, heard_us;

	/* ---- heartbeat ---- */
	enum beat_state beat;
	PostgresPollingStatusType connecting;
	int64_t next_beat_us, beat_limit_us;
	bool beat_warned;
};

/* ---- feedback ---- */

static void put_u64(unsigned char *to, uint64_t value)
{
	value = htobe64(value);
	memcpy(to, &value, sizeof value);
}

static uint64_t get_u64(const char *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof value);
	return be64toh(value);
}

static int lost(const struct source *src, struct error *err)
{
	return session_error(&src->options, src->replication, "the stream broke", err);
}

/* Not sent when the socket takes nothing: the next duty tries again. */
static int send_status(struct source *src, int64_t now_us, bool ask, struct error *err)
{
	unsigned char frame[34];
	int sent;

	frame[0] = 'r';
	put_u64(frame + 1, src->received > src->confirmed ? src->received : src->confirmed);
	put_u64(frame + 9, src->confirmed);
	put_u64(frame + 17, src->confirmed);
	put_u64(frame + 25, (uint64_t)(clock_wall_us() - POSTGRES_EPOCH_US));
	frame[33] = ask;
	sent = PQputCopyData(src->replication, (const char *)frame, (int)sizeof frame);
	if (sent < 0 || PQflush(src->replication) < 0)
		return lost(src, err);
	src->next_status_us = now_us + src->options.status_interval_us;
	src->reply_wanted = false;
	return 0;
}

/* ---- heartbeat ---- */

static void beat_drop_connection(struct source *src)
{
	PQfinish(src->sql);
	src->sql = NULL;
	src->beat = BEAT_IDLE;
}

static void beat_failed(struct source *src, int64_t now_us, const char *why)
{
	if (!src->beat_warned)
		log_warning("no heartbeat could be written into the source's log: %.*s", (int)strcspn(why, "\n"), why);
	src->beat_warned = true;
	beat_drop_connection(src);
	src->next_beat_us = now_us + BEAT_RETRY_US;
}

static void beat_connect(struct source *src, int64_t now_us)
{
	PQfinish(src->sql);
	src->sql = session_start(&src->options, SESSION_SQL);
	src->connecting = PGRES_POLLING_WRITING;
	src->beat = BEAT_CONNECTING;
	src->beat_limit_us = now_us + SESSION_CONNECT_US;
}

static void beat_send(struct source *src, int64_t now_us)
{
	static const char sql[] = "SELECT pg_logical_emit_message(false, $1, $2)";
	char content[128];
	const char *parameters[] = { HEARTBEAT_PREFIX, content };

	(void)snprintf(content, sizeof content, "%s %" PRId64, src->options.slot_name, clock_wall_us());
	if (PQsendQueryParams(src->sql, sql, 2, NULL, parameters, NULL, NULL, 0) == 0 || PQflush(src->sql) < 0) {
		beat_failed(src, now_us, PQerrorMessage(src->sql));
		return;
	}
	src->beat = BEAT_SENT;
	src->beat_limit_us = now_us + BEAT_LIMIT_US;
	src->next_beat_us = now_us + src->options.heartbeat_interval_us;
}

/* Takes what has come of the statement's result; without waiting. */
static void beat_receive(struct source *src, int64_t now_us)
{
	uint64_t head;

	if (PQconsumeInput(src->sql) == 0 || PQflush(src->sql) < 0) {
		beat_failed(src, now_us, PQerrorMessage(src->sql));
		return;
	}
	while (!PQisBusy(src->sql)) {
		PGresult *result = PQgetResult(src->sql);

		if (result == NULL) {
			src->beat = BEAT_IDLE;
			return;
		}
		if (PQresultStatus(result) != PGRES_TUPLES_OK) {
			if (!src->beat_warned)
				log_warning("no heartbeat could be written into the source's log: %.*s",
					(int)strcspn(PQresultErrorMessage(result), "\n"), PQresultErrorMessage(result));
			src->beat_warned = true;
		} else if (position_lsn_parse(PQgetvalue(result, 0, 0), &head) == 0 && head > src->head) {
			src->head = head;
			src->beat_warned = false;
		}
		PQclear(result);
	}
}

static void beat_connect_step(struct source *src, int64_t now_us)
{
	struct pollfd fd = { src->sql != NULL ? PQsocket(src->sql) : -1,
		src->connecting == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0 };

	if (src->sql == NULL || PQstatus(src->sql) == CONNECTION_BAD) {
		beat_failed(src, now_us, src->sql != NULL ? PQerrorMessage(src->sql) : "out of memory");
		return;
	}
	if (net_wait(&fd, 1, 0, NULL) <= 0)
		return;
	src->connecting = PQconnectPoll(src->sql);
	if (src->connecting == PGRES_POLLING_FAILED) {
		beat_failed(src, now_us, PQerrorMessage(src->sql));
	} else if (src->connecting == PGRES_POLLING_OK) {
		(void)PQsetnonblocking(src->sql, 1);
		src->beat = BEAT_IDLE;
	}
}

/* One step of the heartbeat, whatever state it is in; never waits. */
static void beat_step(struct source *src, int64_t now_us)
{
	switch (src->beat) {
	case BEAT_CONNECTING:
		beat_connect_step(src, now_us);
		break;
	case BEAT_SENT:
		beat_receive(src, now_us);
		break;
	case BEAT_IDLE:
		if (now_us < src->next_beat_us)
			return;
		if (src->sql == NULL || PQstatus(src->sql) != CONNECTION_OK)
			beat_connect(src, now_us);
		else
			beat_send(src, now_us);
		return;
	}
	if (src->beat != BEAT_IDLE && now_us > src->beat_limit_us)
		beat_failed(src, now_us, "no answer in time");
}

/* catalogue's ready(): the connection for a question, now. */
static int sql_ready(void *context, struct error *err)
{
	struct source *src = context;
	int64_t end = clock_monotonic_us() + SESSION_QUERY_US;

	while (src->beat == BEAT_SENT) {
		struct pollfd fd = { PQsocket(src->sql), POLLIN, 0 };
		int64_t now_us = clock_monotonic_us();

		beat_receive(src, now_us);
		if (src->beat != BEAT_SENT)
			break;
		if (now_us > end || session_stopping(&src->options)) {
			beat_drop_connection(src);
			break;
		}
		if (net_wait(&fd, 1, 100, err) < 0)
			return -1;
	}
	if (src->beat == BEAT_IDLE && src->sql != NULL && PQstatus(src->sql) == CONNECTION_OK)
		return 0;
	beat_drop_connection(src);
	return session_open(&src->options, SESSION_SQL, &src->sql, err);
}

/* ---- duties: due feedback and heartbeat ---- */

static int do_duties(struct source *src, int64_t now_us, struct error *err)
{
	beat_step(src, now_us);
	if (src->streaming && (src->reply_wanted || now_us >= src->next_status_us))
		return send_status(src, now_us, false, err);
	return 0;
}

/* The server has been silent while we were listening: ask it, then give it up. */
static int check_silence(struct source *src, int64_t now_us, struct error *err)
{
	struct pollfd fd = { PQsocket(src->replication), POLLIN, 0 };
	int64_t silent = now_us - src->heard_us;

	if (silent <= ASK_AFTER_US)
		return 0;
	/* A huge row may take long: bytes come, though no frame is whole yet. */
	if (net_wait(&fd, 1, 0, NULL) > 0) {
		src->heard_us = now_us;
		return 0;
	}
	if (silent > GIVE_UP_US) {
		error_set(err, ERROR_RETRY, "PostgreSQL at %s:%" PRId64 " has not answered for %d s",
			src->options.hostname, src->options.port, (int)(GIVE_UP_US / 1000000));
		return error_hint(err, "the server or the network between is gone");
	}
	if (now_us >= src->next_ask_us) {
		src->next_ask_us = now_us + ASK_AFTER_US / 3;
		return send_status(src, now_us, true, err);
	}
	return 0;
}

/* ---- frames ---- */

static int frame_error(const char *what, struct error *err)
{
	return error_set(err, ERROR_DATA, "the server's stream is not understood: %s", what);
}

/* 1 if the item is filled. */
static int take_keepalive(struct source *src, const char *frame, int len, struct source_item *item, struct error *err)
{
	uint64_t end;

	if (len < 18)
		return frame_error("keepalive of less than 18 bytes", err);
	end = get_u64(frame + 1);
	if (end > src->received)
		src->received = end;
	if (end > src->head)
		src->head = end;
	if (frame[17] != 0)
		src->reply_wanted = true;
	if (src->open || end <= src->progressed)
		return 0;
	src->progressed = end;
	item->kind = SOURCE_PROGRESS;
	item->lsn = end;
	return 1;
}

/* A heartbeat's content is "<slot> <us>"; 1 if it is one of ours. */
static int take_message(struct source *src, const struct pgoutput_message *message, struct source_item *item)
{
	size_t slot_len = strlen(src->options.slot_name), len = message->message.content_len;
	const char *content = message->message.content;
	char number[24], *end;

	if (message->message.transactional || src->open || strcmp(message->message.prefix, HEARTBEAT_PREFIX) != 0)
		return 0;
	if (len <= slot_len + 1 || len - slot_len - 1 >= sizeof number ||
		memcmp(content, src->options.slot_name, slot_len) != 0 || content[slot_len] != ' ')
		return 0;
	memcpy(number, content + slot_len + 1, len - slot_len - 1);
	number[len - slot_len - 1] = '\0';
	item->source_us = strtoll(number, &end, 10);
	if (*end != '\0')
		return 0;
	if (message->message.lsn > src->progressed)
		src->progressed = message->message.lsn;
	item->kind = SOURCE_HEARTBEAT;
	item->lsn = message->message.lsn;
	return 1;
}

/* Whether the lists choose this table; each shape is looked at once. */
static int is_selected(struct source *src, const struct table *table, struct error *err)
{
	const struct source_options *options = &src->options;
	bool yes;

	if (table->slot >= src->selection_room) {
		size_t room = src->selection_room == 0 ? 64 : src->selection_room;
		unsigned char *grown;

		while (room <= table->slot)
			room *= 2;
		grown = realloc(src->selections, room);
		if (grown == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for %zu tables", room);
		memset(grown + src->selection_room, SELECTION_UNKNOWN, room - src->selection_room);
		src->selections = grown;
		src->selection_room = room;
	}
	if (src->selections[table->slot] == SELECTION_UNKNOWN) {
		yes = table_selected(table->schema, table->name, options->table_include, options->table_include_count,
			options->table_exclude, options->table_exclude_count);
		src->selections[table->slot] = yes ? SELECTION_YES : SELECTION_NO;
	}
	return src->selections[table->slot] == SELECTION_YES;
}

/* Gives the change if its table is chosen: 1, 0 or -1. */
static int give_change(struct source *src, const struct change *chg, struct source_item *item, struct error *err)
{
	int selected = is_selected(src, chg->table, err);

	if (selected <= 0)
		return selected;
	item->kind = SOURCE_CHANGE;
	item->chg = *chg;
	item->txn = &src->txn;
	return 1;
}

static int give_truncates(struct source *src, struct source_item *item, struct error *err)
{
	while (src->truncate_count > 0) {
		int given = give_change(src, src->truncates, item, err);

		src->truncates++;
		src->truncate_count--;
		if (given != 0)
			return given;
	}
	return 0;
}

static int take_decoded(struct source *src, const struct pgoutput_message *message, struct source_item *item,
	struct error *err)
{
	switch (message->kind) {
	case PGOUTPUT_BEGIN:
		src->txn = message->begin;
		src->open = true;
		item->kind = SOURCE_BEGIN;
		item->txn = &src->txn;
		return 1;
	case PGOUTPUT_COMMIT:
		src->txn.end = message->commit.end;
		src->open = false;
		if (src->txn.end > src->progressed)
			src->progressed = src->txn.end;
		item->kind = SOURCE_COMMIT;
		item->txn = &src->txn;
		return 1;
	case PGOUTPUT_CHANGE:
		return give_change(src, &message->change, item, err);
	case PGOUTPUT_TRUNCATE:
		src->truncates = message->truncate.changes;
		src->truncate_count = message->truncate.count;
		return give_truncates(src, item, err);
	case PGOUTPUT_MESSAGE:
		return take_message(src, message, item);
	case PGOUTPUT_RELATION:
	case PGOUTPUT_IGNORED:
		break;
	}
	return 0;
}

/* 1 if the item is filled. */
static int take_frame(struct source *src, int len, struct source_item *item, struct error *err)
{
	const char *frame = src->frame;
	struct pgoutput_message message;
	const struct table *table;
	uint64_t start, end;

	if (len > 0 && frame[0] == 'k')
		return take_keepalive(src, frame, len, item, err);
	if (len < 26 || frame[0] != 'w')
		return frame_error(
			len > 0 && frame[0] != 'w' ? "unknown frame" : "data frame of less than 26 bytes", err);
	start = get_u64(frame + 1);
	end = get_u64(frame + 9);
	if (start > src->received)
		src->received = start;
	if (end > src->head)
		src->head = end;
	arena_reset(&src->arena);
	table = pgoutput_peek(src->decoder, frame + 25, (size_t)len - 25);
	if (table != NULL) {
		/* a table that is left out does no harm, whatever is in its rows */
		int selected = is_selected(src, table, err);

		if (selected <= 0)
			return selected;
	}
	if (pgoutput_decode(src->decoder, frame + 25, (size_t)len - 25, start, &src->arena, &message, err) < 0) {
		if (len > ROW_HUGE)
			(void)error_hint(err, "the row is too large: " LIMITS_TOO_LARGE_HINT);
		return -1;
	}
	return take_decoded(src, &message, item, err);
}

/* ---- reading ---- */

static int stream_ended(struct source *src, struct error *err)
{
	PGresult *result = PQgetResult(src->replication);
	int rc;

	src->streaming = false;
	if (result != NULL && PQresultStatus(result) == PGRES_FATAL_ERROR)
		rc = session_result_error(&src->options, src->replication, result, "the stream broke", err);
	else
		rc = error_set(err, ERROR_RETRY, "PostgreSQL at %s:%" PRId64 " ended the stream: it shuts down",
			src->options.hostname, src->options.port);
	PQclear(result);
	return rc;
}

/* Between two reads from the socket: the time is asked once, for everything that depends on it. */
static int attend(struct source *src, struct error *err)
{
	int64_t now_us = clock_monotonic_us();

	if (src->heard)
		src->heard_us = now_us;
	src->heard = false;
	if (do_duties(src, now_us, err) < 0)
		return -1;
	return check_silence(src, now_us, err);
}

/*
 * The next frame: 1, 0 when there is none at hand, -1. With TLS, one read of ours may leave up to one record (16 KiB)
 * in the library's own buffer, where the socket does not show it: so two reads find nothing before we believe it.
 */
static int read_frame(struct source *src, int *ret_len, struct error *err)
{
	int reads = PQsslInUse(src->replication) ? 2 : 1;

	for (;;) {
		int len = PQgetCopyData(src->replication, &src->frame, 1);

		if (len > 0) {
			src->heard = true;
			src->frame_len = len;
			*ret_len = len;
			return 1;
		}
		if (len == -1)
			return stream_ended(src, err);
		if (len == -2)
			return lost(src, err);
		if (reads-- == 0)
			return 0;
		if (attend(src, err) < 0)
			return -1;
		if (PQconsumeInput(src->replication) == 0)
			return lost(src, err);
	}
}

static int postgres_next(struct source *src, struct source_item *ret_item, struct error *err)
{
	int given = give_truncates(src, ret_item, err);

	src->more = false;
	for (int frames = 0; given == 0; frames++) {
		int len = 0, got;

		if (frames == FRAMES_A_CALL) {
			src->more = true;
			break;
		}
		PQfreemem(src->frame);
		src->frame = NULL;
		got = read_frame(src, &len, err);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		given = take_frame(src, len, ret_item, err);
	}
	if (given == 0)
		ret_item->kind = SOURCE_NOTHING;
	return given < 0 ? -1 : 0;
}

static int postgres_tend(struct source *src, struct error *err)
{
	int64_t now_us = clock_monotonic_us();

	src->heard_us = now_us; /* we do not listen, so silence means nothing */
	if (src->frame != NULL && src->frame_len >= FRAME_LARGE) {
		/* Kafka takes nothing more for a while, and this row is records already */
		PQfreemem(src->frame);
		src->frame = NULL;
	}
	if (src->streaming && PQflush(src->replication) < 0)
		return lost(src, err);
	return do_duties(src, now_us, err);
}

static void sooner(int64_t at_us, int64_t now_us, int *timeout_ms)
{
	int64_t ms = at_us <= now_us ? 0 : (at_us - now_us) / 1000 + 1;

	if (*timeout_ms < 0 || ms < *timeout_ms)
		*timeout_ms = (int)ms;
}

static size_t postgres_poll_fds(struct source *src, struct pollfd *fds, size_t room, int *io_timeout_ms)
{
	int64_t now_us = clock_monotonic_us();
	size_t n = 0;

	if (src->more)
		*io_timeout_ms = 0;
	sooner(src->next_status_us, now_us, io_timeout_ms);
	sooner(src->beat == BEAT_IDLE ? src->next_beat_us : src->beat_limit_us, now_us, io_timeout_ms);
	if (n < room)
		fds[n++] = (struct pollfd){ PQsocket(src->replication),
			(short)(POLLIN | (PQflush(src->replication) > 0 ? POLLOUT : 0)), 0 };
	if (n < room && src->beat == BEAT_SENT)
		fds[n++] = (struct pollfd){ PQsocket(src->sql), POLLIN, 0 };
	if (n < room && src->beat == BEAT_CONNECTING && src->sql != NULL)
		fds[n++] = (struct pollfd){ PQsocket(src->sql),
			src->connecting == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0 };
	return n;
}

static int postgres_confirm(struct source *src, uint64_t lsn, struct error *err)
{
	if (lsn <= src->confirmed)
		return 0;
	src->confirmed = lsn;
	return send_status(src, clock_monotonic_us(), false, err);
}

static uint64_t postgres_head(const struct source *src)
{
	return src->head;
}

static int64_t postgres_lag_bytes(const struct source *src, uint64_t confirmed)
{
	return src->head > confirmed ? (int64_t)(src->head - confirmed) : 0;
}

/* The slot and the LSN say all. */
static int postgres_resume(struct source *src, uint64_t upto, struct buf *out, struct error *err)
{
	return 0;
}

static const char *postgres_describe(const struct source *src, uint64_t upto, char *buf, size_t size)
{
	return position_lsn_format(upto, buf, size);
}

/* ---- life ---- */

/* Ends the stream in good manners, so that the server takes in our last feedback and frees the slot at once. */
static void say_goodbye(struct source *src)
{
	int64_t end = clock_monotonic_us() + GOODBYE_US;
	struct pollfd fd = { PQsocket(src->replication), POLLIN, 0 };

	if (send_status(src, clock_monotonic_us(), false, NULL) < 0 || PQputCopyEnd(src->replication, NULL) < 0)
		return;
	while (PQflush(src->replication) >= 0 && clock_monotonic_us() < end) {
		int len;

		PQfreemem(src->frame);
		src->frame = NULL;
		len = PQgetCopyData(src->replication, &src->frame, 1);
		if (len < 0)
			break;
		if (len == 0 && (net_wait(&fd, 1, 50, NULL) < 0 || PQconsumeInput(src->replication) == 0))
			break;
	}
}

static void postgres_close(struct source *src)
{
	if (src == NULL)
		return;
	if (src->streaming && PQstatus(src->replication) == CONNECTION_OK)
		say_goodbye(src);
	PQfreemem(src->frame);
	PQfinish(src->replication);
	PQfinish(src->sql);
	if (src->decoder != NULL)
		pgoutput_free(src->decoder);
	arena_release(&src->arena);
	arena_release(&src->catalogue.arena);
	free(src->selections);
	free(src);
}

static int postgres_open(const struct source_options *options, bool may_create, struct source **ret_source,
	struct source_identity *ret_identity, struct error *err)
{
	struct source *src = calloc(1, sizeof *src);
	struct pgoutput_types types;

	if (src == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a source");
	src->options = *options;
	arena_init(&src->arena, ARENA_MAX);
	arena_init(&src->catalogue.arena, ARENA_MAX);
	src->catalogue.options = &src->options;
	src->catalogue.sql = &src->sql;
	src->catalogue.ready = sql_ready;
	src->catalogue.context = src;
	types = (struct pgoutput_types){ &src->catalogue, catalogue_type, catalogue_key };
	if (pgoutput_new(&types, &src->decoder, err) < 0 || session_open(options, SESSION_SQL, &src->sql, err) < 0 ||
		session_open(options, SESSION_REPLICATION, &src->replication, err) < 0 ||
		setup_source(options, src->sql, src->replication, may_create, ret_identity, err) < 0) {
		postgres_close(src);
		return -1;
	}
	src->confirmed = ret_identity->confirmed;
	src->received = src->confirmed;
	src->progressed = src->confirmed;
	src->head = ret_identity->head;
	*ret_source = src;
	return 0;
}

/* An SQL string of the replication grammar, which knows no escapes but the doubled quote. */
static void append_literal(struct buf *command, const char *text)
{
	buf_append_byte(command, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			buf_append_byte(command, '\'');
		buf_append_byte(command, *text);
	}
	buf_append_byte(command, '\'');
}

static int start_command(struct source *src, uint64_t from, struct buf *command, struct error *err)
{
	char at[20];
	char *publication = PQescapeIdentifier(src->replication, src->options.publication_name,
		strlen(src->options.publication_name));

	if (publication == NULL)
		return error_set(err, ERROR_CONFIG, "\"%s\" is no name of a publication",
			src->options.publication_name);
	buf_printf(command, "START_REPLICATION SLOT \"%s\" LOGICAL %s (proto_version '1', publication_names ",
		src->options.slot_name, position_lsn_format(from, at, sizeof at));
	append_literal(command, publication);
	buf_append_str(command, ", messages 'true')");
	PQfreemem(publication);
	return buf_check(command, "command", err);
}

static int start_error(const struct source *src, struct error *err)
{
	if (err->class == ERROR_RETRY && strstr(err->text, " is active for PID ") != NULL) {
		const char *pid = strstr(err->text, " is active for PID ") + strlen(" is active for PID ");
		char number[16];

		(void)snprintf(number, sizeof number, "%.*s", (int)strspn(pid, "0123456789"), pid);
		error_set(err, ERROR_RETRY, "slot \"%s\" is in use by process %s", src->options.slot_name, number);
		return error_hint(err, "another agent reads it; this one stands by and takes over when it goes");
	}
	if (strstr(err->text, "can no longer get changes from replication slot") != NULL)
		err->class = ERROR_GAP;
	return -1;
}

static int postgres_start(struct source *src, uint64_t from, struct error *err)
{
	struct buf command;
	PGresult *result;
	int64_t now_us;
	int rc = -1;

	buf_init(&command, 4096);
	if (start_command(src, from, &command, err) < 0)
		goto out;
	if (session_query(&src->options, src->replication, buf_cstr(&command), NULL, 0, SESSION_QUERY_US,
		    "starting the stream", &result, err) < 0) {
		(void)start_error(src, err);
		goto out;
	}
	PQclear(result);
	now_us = clock_monotonic_us();
	src->streaming = true;
	src->heard_us = now_us;
	src->next_status_us = now_us + src->options.status_interval_us;
	src->next_beat_us = now_us;
	rc = setup_head(&src->options, src->sql, &src->head, err);
out:
	buf_release(&command);
	return rc;
}

static int postgres_tables(struct source *src, source_table_visit *visit, void *context, struct error *err)
{
	return sql_ready(src, err) < 0 ? -1 : published_tables(&src->options, src->sql, visit, context, err);
}

const struct source_ops source_postgres = {
	.connector = "postgresql",
	.open = postgres_open,
	.start = postgres_start,
	.tables = postgres_tables,
	.next = postgres_next,
	.tend = postgres_tend,
	.poll_fds = postgres_poll_fds,
	.confirm = postgres_confirm,
	.head = postgres_head,
	.lag_bytes = postgres_lag_bytes,
	.resume = postgres_resume,
	.describe = postgres_describe,
	.close = postgres_close,
};
