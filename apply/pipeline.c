/*
 * pipeline.c: the apply agent's one thread.
 *
 * A try:
 *  1. Open the target: its lock, its position row. That row alone says what was applied.
 *  2. Open Kafka at the row's offsets (consume.h); look at each topic's newest shape and ask the target whether it
 *     takes it.
 *  3. Until told otherwise: take what order gives (order.h) into the open group (group.h); when nothing more is at
 *     hand, commit; when nothing is left to commit, wait for Kafka's descriptor or the agent's.
 *  4. An error rolls the group back and ends the try; the frame starts the next from step 1. So there is one way to
 *     recover, and a lost connection, a deadlock, a failpoint and a kill all take it.
 * When the topics or partitions have changed (consume_is_stale) what is complete is committed and the next try follows
 * at once; so it does when a transaction stalls in its middle and keeps those before it from their commit (set_alone).
 *
 * No timer stands between an END that has arrived and its commit. The timers are for: figures (200 ms), hints to the
 * consumer group (1 s), the position after transactions that have nothing for this target (1 s), a look for new
 * partitions while an event is missing (5 s) and for what retention removed (40 s), and the offsets of an idle agent (1 min; else retention would overtake
 * them).
 *
 * The registry, the decoder, the map and the knowledge of topics outlive a try: table shapes belong to the decoder, and
 * the HTTP thread may ask the registry at any time.
 */
#include "apply/pipeline.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/consume.h"
#include "apply/group.h"
#include "apply/map.h"
#include "apply/order.h"
#include "apply/sink.h"
#include "lib/agent/agent.h"
#include "lib/base/clock.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/base/net.h"
#include "lib/kafka/kafka.h"
#include "lib/registry/registry.h"

#define SECOND INT64_C(1000000)
#define PUBLISH_US (SECOND / 5)
#define HINT_US SECOND
#define POSITION_US SECOND         /* the position after transactions without rows for this target */
#define OFFSETS_US SECOND          /* the offsets of more than OFFSETS_EACH partitions */
#define OFFSETS_EACH 64            /* up to so many partitions, the offsets go with each commit */
#define TIDY_US (60 * SECOND)
#define STALL_US SECOND            /* an END waits for its events: worth a line */
#define STALL_AGAIN_US (60 * SECOND) /* and another */
/* Then it is asked whether they were removed. Events may be late by what a slow replica holds up (30 s by default). */
#define LOST_US (40 * SECOND)
#define REFRESH_US (5 * SECOND)
#define STOP_GRACE_US (5 * SECOND) /* for the target to answer when the agent is to stop */
#define GROUP_AGE_US (SECOND / 20)
#define GROUP_BYTES ((size_t)4 << 20)
#define OFFSETS_MAX ((size_t)16 << 20)
#define ITEMS_BETWEEN_LOOKS 256    /* items after which the clock and the agent's wish are looked at */

/* What a try needs; zeroed at its start. */
struct attempt {
	struct sink *sink;
	struct consume *con;
	struct order *order;
	struct group group;
	struct sink_position position; /* as last committed */
	struct buf offsets;            /* the same, as text */
	struct buf offsets_new;
	int64_t committed_us, offsets_us, published_us, hinted_us, tidied_us, refreshed_us, stalled_us, behind_us;
	uint64_t stalled_commit, stalled_rows; /* what stalled_us is about */
	bool unhinted;
	bool warned; /* of this stall */
	int64_t warned_us, lost_us;
	bool beat_pending;
	uint64_t beat_lsn;
	uint64_t duplicates, bytes; /* already in the figures */
	bool misordered; /* order_next() has failed */
	bool again;
};

struct pipeline {
	const struct apply_settings *settings;
	_Atomic(struct registry *) registry;
	struct decoder *decoder;
	struct map *map;
	struct consume_topics *topics;
	const struct sink_ops *sink_ops;
	struct kafka_config kafka;
	char group_id[160];
	struct agent_figures figures;
	uint64_t row_wise_until; /* sink.h */
	uint64_t alone; /* commit position of a transaction that stalled in the middle: it shares no group with those before */
	struct attempt now;
};

struct pipeline *pipeline_new(const struct apply_settings *settings)
{
	struct pipeline *line = calloc(1, sizeof *line);

	if (line != NULL)
		line->settings = settings;
	return line;
}

void pipeline_free(struct pipeline *line)
{
	if (line == NULL)
		return;
	map_free(line->map);
	decoder_free(line->decoder);
	consume_topics_free(line->topics);
	registry_close(atomic_load(&line->registry));
	free(line);
}

static struct kafka_config kafka_config(const struct apply_settings *settings)
{
	return (struct kafka_config){
		.bootstrap_servers = settings->bootstrap_servers,
		.client_id = settings->name,
		.properties = settings->properties.items,
		.property_count = settings->properties.count,
	};
}

int pipeline_check(const void *settings, struct error *err)
{
	struct kafka_config kafka = kafka_config(settings);

	if (map_check(settings, err) < 0)
		return -1;
	return kafka_config_check(&kafka, err);
}

int pipeline_http(void *context, const char *path, struct buf *body)
{
	struct pipeline *line = context;
	struct registry *registry = atomic_load(&line->registry);

	return registry != NULL ? registry_http(registry, path, body) : 0;
}

static bool must_stop(void)
{
	return agent_want() != AGENT_WANT_RUN;
}

/*
 * The sink's stop: a commit under way is worth waiting for, a lock at the target is not. The first question after the
 * agent's wish starts the clock; grace is 0 while connecting.
 */
static struct {
	int64_t grace_us;
	int64_t until_us;
} stopping;

static bool sink_must_stop(void)
{
	int64_t now_us;

	if (!must_stop())
		return false;
	now_us = clock_monotonic_us();
	if (stopping.until_us == 0)
		stopping.until_us = now_us + stopping.grace_us;
	return now_us >= stopping.until_us;
}

/* ---- steps 1 and 2 ---- */
static const struct sink_ops *sink_of(const char *type)
{
	if (strcmp(type, "null") == 0)
		return &sink_null;
	return strcmp(type, "mysql") == 0 || strcmp(type, "mariadb") == 0 ? &sink_mysql : &sink_postgres;
}

/* What outlives a try; made by the first one that gets so far. */
static int set_up(struct pipeline *line, struct error *err)
{
	const struct apply_settings *settings = line->settings;
	struct registry *registry = atomic_load(&line->registry);

	line->kafka = kafka_config(settings);
	if (settings->group_id[0] != '\0')
		(void)snprintf(line->group_id, sizeof line->group_id, "%s", settings->group_id);
	else
		(void)snprintf(line->group_id, sizeof line->group_id, "tailrace-%s", settings->name);
	line->sink_ops = sink_of(settings->type);
	if (registry == NULL) {
		if (registry_open(&line->kafka, 1, true, &registry, err) < 0)
			return -1;
		atomic_store(&line->registry, registry);
	}
	if (line->decoder == NULL)
		line->decoder = decoder_new(registry_schemas(registry));
	if (line->map == NULL)
		line->map = map_new(settings);
	if (line->topics == NULL)
		line->topics = consume_topics_new();
	if (line->decoder == NULL || line->map == NULL || line->topics == NULL)
		return error_set(err, ERROR_RETRY, "out of memory at the start");
	map_reset(line->map);
	return 0;
}

static int open_sink(struct pipeline *line, struct error *err)
{
	const struct apply_settings *settings = line->settings;
	struct attempt *now = &line->now;
	struct sink_options options = {
		.type = settings->type,
		.name = settings->name,
		.hostname = settings->hostname,
		.user = settings->user,
		.password = settings->password,
		.dbname = settings->dbname,
		.sslmode = settings->sslmode,
		.sslrootcert = settings->sslrootcert,
		.sslcert = settings->sslcert,
		.sslkey = settings->sslkey,
		.port = settings->port,
		.lock_timeout_us = settings->lock_timeout_us,
		.wake_fd = agent_wake_fd(),
		.stop = sink_must_stop,
		.row_wise_until = &line->row_wise_until,
	};

	if (line->sink_ops->open(&options, &now->sink, &now->position, err) < 0)
		return -1;
	if (now->position.offsets != NULL)
		buf_append_str(&now->offsets, now->position.offsets);
	free(now->position.offsets);
	now->position.offsets = NULL;
	return buf_check(&now->offsets, "the stored offsets", err);
}

/* The entry of a shape, which the target has agreed to. */
static int prepared(struct pipeline *line, const struct table *table, struct map_entry **ret_entry, struct error *err)
{
	struct map_entry *entry;

	if (map_table(line->map, table, &entry, err) < 0)
		return -1;
	if (!entry->prepared) {
		if (line->sink_ops->prepare(line->now.sink, &entry->mapping, &entry->handle, err) < 0)
			return -1;
		entry->prepared = true;
	}
	*ret_entry = entry;
	return 0;
}

static int check_shape(void *context, const struct table *table, struct error *err)
{
	struct map_entry *entry;

	return prepared(context, table, &entry, err);
}

static bool is_selected(void *context, const char *collection)
{
	const struct pipeline *line = context;

	return map_selected(line->map, collection);
}

static int open_consume(struct pipeline *line, struct error *err)
{
	struct attempt *now = &line->now;
	const struct sink_position *pos = &now->position;
	struct order_position from = { .found = pos->found, .commit = pos->commit };
	struct consume_options options = {
		.kafka = &line->kafka,
		.group = line->group_id,
		.prefix = line->settings->topic_prefix,
		.memory = (size_t)line->settings->fetch_memory,
		.decoder = line->decoder,
		.topics = line->topics,
		.applied = pos->found ? pos->commit : 0,
		.log = pos->log,
		.context = line,
		.selected = is_selected,
		.shape = check_shape,
	};

	if (consume_open(&options, pos->found && now->offsets.len > 0 ? buf_cstr(&now->offsets) : NULL, &now->con,
		err) < 0)
		return -1;
	memcpy(from.log, pos->log, sizeof from.log);
	memcpy(from.transaction_id, pos->transaction_id, sizeof from.transaction_id);
	now->order = order_new(consume_heads(now->con), &from);
	if (now->order == NULL)
		return error_set(err, ERROR_RETRY, "out of memory at the start");
	return group_init(&now->group, line->sink_ops, now->sink, (size_t)line->settings->group_size, GROUP_BYTES,
		GROUP_AGE_US, err);
}

static void log_start(const struct pipeline *line)
{
	const struct attempt *now = &line->now;

	if (now->position.found)
		log_info("applying after transaction %s of log \"%s\", %zu partitions", now->position.transaction_id,
			now->position.log, consume_partitions(now->con));
	else
		log_info("applying from the first transaction in the topics: the target has no position, %zu "
			"partitions",
			consume_partitions(now->con));
}

/* ---- figures ---- */
/* Nothing of what has arrived is left to do. A last record of the transaction topic may be a BEGIN, or Kafka's own. */
static bool is_idle(const struct attempt *now)
{
	const struct transaction *txn;
	const char *collection;

	return !now->group.open && !order_is_inside(now->order) && !order_awaits(now->order, &collection, &txn) &&
		consume_marks_left(now->con) <= 1;
}

static void measure_lag(struct pipeline *line, int64_t now_us)
{
	struct attempt *now = &line->now;
	struct agent_figures *figures = &line->figures;
	int64_t left = consume_marks_left(now->con);
	const struct transaction *txn;
	const char *collection;

	figures->lag_bytes = -1;
	if (is_idle(now)) {
		now->behind_us = 0;
		figures->lag_transactions = 0;
		figures->lag_seconds = 0;
		return;
	}
	if (now->behind_us == 0)
		now->behind_us = now_us;
	figures->lag_transactions = left > 1 ? left / 2 : 1;
	if (order_awaits(now->order, &collection, &txn))
		figures->lag_seconds = (double)(clock_wall_us() - txn->commit_us) / 1e6;
	else if (now->group.count > 0)
		figures->lag_seconds = (double)(clock_wall_us() - now->group.source_us[0]) / 1e6;
	else
		figures->lag_seconds = (double)(now_us - now->behind_us) / 1e6;
	if (figures->lag_seconds < 0)
		figures->lag_seconds = 0; /* the source's clock is ahead */
}

/* Counters of the try's own objects, added to those that outlive it. */
static void count_up(struct pipeline *line)
{
	struct attempt *now = &line->now;
	uint64_t duplicates = order_duplicates(now->order), bytes = consume_bytes(now->con);

	line->figures.duplicates_dropped += duplicates - now->duplicates;
	line->figures.bytes += bytes - now->bytes;
	now->duplicates = duplicates;
	now->bytes = bytes;
}

static void publish(struct pipeline *line, int64_t now_us)
{
	struct attempt *now = &line->now;
	struct agent_figures *figures = &line->figures;

	count_up(line);
	measure_lag(line, now_us);
	if (now->position.found) {
		(void)position_commit_format(now->position.log, now->position.commit, figures->position_commit,
			sizeof figures->position_commit);
		(void)snprintf(figures->position_transaction, sizeof figures->position_transaction, "%s",
			now->position.transaction_id);
		(void)snprintf(figures->position_log, sizeof figures->position_log, "%s", now->position.log);
		log_position(figures->position_commit);
	}
	agent_publish(figures);
	now->published_us = now_us;
}

/*
 * A heartbeat counts when all that stood before it in the source's log is applied; the next one is not looked at
 * before.
 */
static int tend_heartbeat(struct pipeline *line, int64_t now_us, struct error *err)
{
	struct attempt *now = &line->now;

	for (;;) {
		int64_t source_us;

		if (!now->beat_pending) {
			int rc = consume_heartbeat(now->con, &source_us, &now->beat_lsn, err);

			if (rc <= 0)
				return rc;
			now->beat_pending = true;
		}
		if (now->position.commit < now->beat_lsn && !is_idle(now))
			return 0;
		line->figures.heartbeat_us = now_us;
		now->beat_pending = false;
	}
}

/* ---- step 3 ---- */
/* Makes the group durable. with_offsets: whether it is a must. */
static int commit(struct pipeline *line, bool with_offsets, struct error *err)
{
	struct attempt *now = &line->now;
	const struct order_position *pos = order_position(now->order);
	struct sink_position position = { .found = true, .commit = pos->commit, .epoch = now->position.epoch };
	uint64_t rows = now->group.rows, passed = now->group.passed;
	int64_t now_us = clock_monotonic_us();

	memcpy(position.log, pos->log, sizeof position.log);
	memcpy(position.transaction_id, pos->transaction_id, sizeof position.transaction_id);
	if (with_offsets || consume_partitions(now->con) <= OFFSETS_EACH || now_us - now->offsets_us >= OFFSETS_US) {
		buf_reset(&now->offsets_new);
		consume_offsets(now->con, &now->offsets_new);
		position.offsets = (char *)(uintptr_t)buf_cstr(&now->offsets_new);
		if (buf_check(&now->offsets_new, "the offsets", err) < 0)
			return -1;
	}
	if (group_commit(&now->group, &position, agent_latency, err) < 0)
		return -1;
	if (failpoint_reach(FP_APPLY_COMMITTED, err) < 0)
		return -1;
	if (position.offsets != NULL) {
		struct buf swap = now->offsets;

		now->offsets = now->offsets_new;
		now->offsets_new = swap;
		now->offsets_us = now_us;
	}
	position.offsets = NULL;
	now->position = position;
	now->committed_us = now_us;
	now->unhinted = true;
	line->figures.rows += rows;
	line->figures.transactions += passed;
	return 0;
}

static int take_begin(struct pipeline *line, const struct order_item *item, struct error *err)
{
	if (item->middle)
		log_warning("starting in the middle of the chain: transaction %s is the first in the topics, but "
			"others were before it",
			item->txn->id);
	if (failpoint_reach(FP_APPLY_END, err) < 0)
		return -1;
	if (item->txn->commit == line->alone && line->now.group.open && commit(line, false, err) < 0)
		return -1;
	return group_begin(&line->now.group, item->events, err);
}

static int take_event(struct pipeline *line, const struct order_item *item, struct error *err)
{
	struct map_entry *entry;

	if (prepared(line, item->chg->table, &entry, err) < 0)
		return -1;
	return group_write(&line->now.group, entry->handle, item->chg, item->old_key, item->txn, err);
}

static int take_end(struct pipeline *line, const struct order_item *item, struct error *err)
{
	if (group_end(&line->now.group, item->txn, err) < 0)
		return -1;
	return group_is_full(&line->now.group) ? commit(line, false, err) : 0;
}

/* Takes what is at hand, up to ITEMS_BETWEEN_LOOKS items: 1 there may be more, 0 nothing more is, -1 err. */
static int take_items(struct pipeline *line, struct error *err)
{
	struct attempt *now = &line->now;

	for (int i = 0; i < ITEMS_BETWEEN_LOOKS; i++) {
		struct order_item item;
		int rc = 0;

		if (order_next(now->order, &item, err) < 0) {
			now->misordered = true;
			return -1;
		}
		switch (item.kind) {
		case ORDER_NOTHING:
			return 0;
		case ORDER_BEGIN:
			rc = take_begin(line, &item, err);
			break;
		case ORDER_EVENT:
			rc = take_event(line, &item, err);
			break;
		case ORDER_END:
			rc = take_end(line, &item, err);
			break;
		}
		if (rc < 0)
			return -1;
	}
	return 1;
}

/*
 * A transaction that stalled in its middle holds back the whole ones before it in its group. Only a roll-back takes it
 * out: the next try commits those first, and then waits as well, but alone.
 */
static void set_alone(struct pipeline *line, uint64_t commit)
{
	line->alone = commit;
	line->now.again = true;
	log_info("rolling back, to commit the %zu transactions before that one first", line->now.group.count);
}

/*
 * An END is there and its events are not: late, in a partition that is not read, or removed. -1: removed (ERROR_GAP).
 */
static int tend_stall(struct pipeline *line, int64_t now_us, struct error *err)
{
	struct attempt *now = &line->now;
	const struct transaction *txn = NULL;
	const char *collection = NULL;
	bool stalled = order_awaits(now->order, &collection, &txn);

	if (!stalled || now->stalled_commit != txn->commit || now->stalled_rows != now->group.rows) {
		now->stalled_us = now_us;
		now->stalled_commit = stalled ? txn->commit : 0;
		now->stalled_rows = now->group.rows;
		now->warned = false;
		now->lost_us = now_us;
	}
	if (stalled && now_us - now->stalled_us >= STALL_US &&
		(!now->warned || now_us - now->warned_us >= STALL_AGAIN_US)) {
		log_warning("transaction %s waits for an event of %s since %" PRId64 " s", txn->id, collection,
			(now_us - now->stalled_us) / SECOND);
		now->warned = true;
		now->warned_us = now_us;
		if (order_is_inside(now->order) && now->group.count > 0)
			set_alone(line, txn->commit);
	}
	if ((now->warned || !consume_has_heartbeat(now->con)) && now_us - now->refreshed_us >= REFRESH_US) {
		struct error ignored = ERROR_INIT;

		/* A broker that does not answer is noticed by the consumer. */
		if (consume_refresh(now->con, &ignored) < 0)
			log_debug("no look at the partitions: %s", ignored.text);
		now->refreshed_us = now_us;
	}
	if (stalled && now_us - now->lost_us >= LOST_US) {
		now->lost_us = now_us;
		if (consume_check_lost(now->con, collection, err) < 0) {
			if (err->class == ERROR_GAP)
				return error_prefix(err, "transaction %s", txn->id);
			log_debug("no look at what was removed: %s", err->text);
			error_clear(err);
		}
	}
	return 0;
}

/* What is due by the clock. */
static int tend(struct pipeline *line, int64_t now_us, struct error *err)
{
	struct attempt *now = &line->now;

	if (tend_heartbeat(line, now_us, err) < 0)
		return -1;
	if (now->unhinted && now_us - now->hinted_us >= HINT_US) {
		now->unhinted = !consume_hint(now->con);
		now->hinted_us = now_us;
		if (failpoint_reach(FP_APPLY_HINT, err) < 0)
			return -1;
	}
	if (now_us - now->published_us >= PUBLISH_US)
		publish(line, now_us);
	return 0;
}

/* Nothing is at hand: commit what is complete, at once if it has rows. */
static int settle(struct pipeline *line, int64_t now_us, struct error *err)
{
	struct attempt *now = &line->now;

	if (tend_stall(line, now_us, err) < 0)
		return -1;
	if (order_is_inside(now->order))
		return 0;
	if (now->group.open)
		return commit(line, false, err);
	if (now->group.dirty)
		return now_us - now->committed_us >= POSITION_US ? commit(line, true, err) : 0;
	if (now->position.found && now_us - now->tidied_us >= TIDY_US) {
		now->tidied_us = now_us;
		if (consume_tidy(now->con, err) < 0)
			return -1;
		buf_reset(&now->offsets_new);
		consume_offsets(now->con, &now->offsets_new);
		if (now->offsets_new.len != now->offsets.len ||
			memcmp(now->offsets_new.data, now->offsets.data, now->offsets.len) != 0)
			return commit(line, true, err);
	}
	return 0;
}

static int wait_for_more(const struct pipeline *line, struct error *err)
{
	struct pollfd fds[2] = {
		{ .fd = consume_fd(line->now.con), .events = POLLIN },
		{ .fd = agent_wake_fd(), .events = POLLIN },
	};

	return net_wait(fds, 2, (int)(PUBLISH_US / 1000), err) < 0 ? -1 : 0;
}

/* All that is at hand: 0 nothing more is, 1 the agent is wanted elsewhere, -1 err. */
static int turn(struct pipeline *line, struct error *err)
{
	struct attempt *now = &line->now;

	consume_quiet(now->con);
	for (;;) {
		int more = take_items(line, err);

		if (more < 0 && consume_is_stale(now->con)) {
			now->again = true; /* not an error: order asked for a topic that is new */
			error_clear(err);
			return 0;
		}
		if (more < 0 && now->misordered && !order_is_inside(now->order) && now->group.dirty) {
			struct error ignored = ERROR_INIT;

			(void)commit(line, true, &ignored); /* what is before the gap is whole */
		}
		if (more < 0 || tend(line, clock_monotonic_us(), err) < 0)
			return -1;
		if (more == 0)
			return 0;
		if (must_stop())
			return 1;
	}
}

/* Until the agent is told otherwise (0), the topics have changed (0, again), or an error (-1). */
static int stream(struct pipeline *line, struct error *err)
{
	struct attempt *now = &line->now;

	while (!must_stop() && !now->again) {
		int rc = turn(line, err);

		if (rc < 0 || (rc == 0 && settle(line, clock_monotonic_us(), err) < 0))
			return -1;
		now->again = now->again || consume_is_stale(now->con);
		if (rc == 0 && !now->again && wait_for_more(line, err) < 0)
			return -1;
	}
	if (consume_is_stale(now->con))
		log_info("topics or partitions have changed, reading them anew");
	if (!order_is_inside(now->order) && now->group.dirty)
		return commit(line, true, err);
	return 0;
}

static void close_attempt(struct pipeline *line)
{
	struct attempt *now = &line->now;

	if (now->group.ops != NULL)
		group_abort(&now->group);
	group_release(&now->group);
	if (now->con != NULL && now->order != NULL)
		publish(line, clock_monotonic_us());
	order_free(now->order);
	consume_close(now->con);
	if (now->sink != NULL)
		line->sink_ops->close(now->sink);
	buf_release(&now->offsets);
	buf_release(&now->offsets_new);
}

static int attempt(struct pipeline *line, struct error *err)
{
	struct attempt *now = &line->now;
	int rc = -1;

	memset(now, 0, sizeof *now);
	stopping.grace_us = 0;
	stopping.until_us = 0;
	buf_init(&now->offsets, OFFSETS_MAX);
	buf_init(&now->offsets_new, OFFSETS_MAX);
	if (set_up(line, err) < 0 || open_sink(line, err) < 0 || open_consume(line, err) < 0)
		goto out;
	now->committed_us = now->offsets_us = now->tidied_us = clock_monotonic_us();
	now->refreshed_us = now->committed_us;
	stopping.grace_us = STOP_GRACE_US;
	log_start(line);
	agent_running();
	rc = stream(line, err);
out:
	close_attempt(line);
	return rc;
}

int pipeline_run(void *context, struct error *err)
{
	struct pipeline *line = context;
	int rc;

	do {
		error_clear(err);
		rc = attempt(line, err);
	} while (rc == 0 && line->now.again && agent_want() == AGENT_WANT_RUN);
	if (rc < 0 && err->class == ERROR_RETRY)
		line->figures.retries++;
	return rc;
}
