/*
 * pipeline.c: one thread, one loop.
 *
 * Start:
 *   1. read what Kafka has of this source; it decides whether a slot may be made
 *   2. open the source, start its stream: from here on the log is ours alone
 *   3. read again what Kafka has, now that nobody adds to it, and further back, and compare it with the log: go on, or a
 *   named stop (or a new try, where another agent recorded a position since 1)
 *   4. make the topics of the tables that are known, record the position under a new epoch and wait until that is
 *   durable
 * Then, until told otherwise:
 *   5. serve the producer: delivery reports count transactions down
 *   6. take out the transactions that are durable, oldest first: they move the position
 *   7. a position record, when one is due; once it is durable, the source is told (the order of these two is the
 *   promise)
 *   8. take items from the source and hand them over, until there are none or Kafka's queue is full
 *   9. if there was nothing to do, wait for the descriptors
 * At the end: stop reading, wait for the acknowledgements, record and tell the position once more. So too before a stop
 * that awaits a person: who may change lists of tables then, which must not touch what is under way.
 *
 * Any error ends the try; the next one begins at 1 with a new producer and finds out by the topics' ends what had
 * become durable.
 */
#include "capture/pipeline.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/limits.h"
#include "capture/produce.h"
#include "capture/produce_flight.h"
#include "capture/produce_window.h"
#include "capture/resume.h"
#include "lib/base/clock.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/base/net.h"
#include "lib/codec/codec.h"

#define TRANSACTIONS_UNDER_WAY 8192
/* So many without a position record make one due, whatever status_interval is. */
#define TRANSACTIONS_UNRECORDED (WINDOW_MAX / 4 * 3)
#define BATCH_ITEMS 256
#define PUBLISH_EVERY_US INT64_C(250000)
#define FIRST_RECORD_US INT64_C(10000000)
#define DRAIN_US INT64_C(5000000)
#define LAST_RECORD_US INT64_C(2000000)
#define TEND_EVERY_MS 100
#define DESCRIPTORS 8
/*
 * One record of Kafka's queue for this many bytes of it: a small record costs librdkafka several hundred bytes beside
 * its own, which no limit in bytes counts.
 */
#define QUEUE_BYTES_A_RECORD 1024

enum pump { PUMP_MORE, PUMP_IDLE, PUMP_BLOCKED };

struct pipeline {
	struct pipeline_context *context;
	const struct capture_settings *settings;
	const struct source_ops *ops;

	struct kafka_config kafka;
	struct kafka_admin *admin;
	struct kafka_reader *kafka_reader;
	struct registry *registry;
	struct decoder *decoder;
	struct resume_reader reader;
	struct source *source;
	struct source_identity identity;
	struct encoder *encoder;
	struct kafka_producer *producer;
	struct flight flight;
	struct produce *produce;

	struct resume_point opened; /* what Kafka had when the source was opened, which may borrow from it */
	struct resume_point point;  /* what it has since the log is ours */

	struct codec_position durable; /* what Kafka has all of */
	struct buf resume;             /* of the last record: durable.resume */
	uint64_t recorded;             /* confirmed in the last durable record */
	uint64_t recording;            /* in the one under way */
	uint64_t recorded_first, recording_first; /* tokens of the first transactions that these do not cover */
	bool record_under_way, record_delivered;
	bool heartbeat_delivered;
	int64_t next_record_us, next_publish_us;
	int push_again_ms; /* kafka_producer_push() */
	struct agent_figures before; /* what earlier tries counted */
};

/* ---- context ---- */

void pipeline_init(struct pipeline_context *context, const struct capture_settings *settings,
	const struct source_ops *const *sources)
{
	memset(context, 0, sizeof *context);
	context->settings = settings;
	context->sources = sources;
	(void)pthread_mutex_init(&context->lock, NULL);
}

/* The registry that the HTTP thread reads is exchanged under the lock. */
static void set_registry(struct pipeline_context *context, struct registry *registry)
{
	struct registry *old;

	(void)pthread_mutex_lock(&context->lock);
	old = context->registry;
	context->registry = registry;
	(void)pthread_mutex_unlock(&context->lock);
	if (old != NULL)
		registry_close(old);
}

void pipeline_release(struct pipeline_context *context)
{
	set_registry(context, NULL);
	(void)pthread_mutex_destroy(&context->lock);
}

int pipeline_http(void *context, const char *path, struct buf *body)
{
	struct pipeline_context *ours = context;
	int status = 0;

	(void)pthread_mutex_lock(&ours->lock);
	if (ours->registry != NULL)
		status = registry_http(ours->registry, path, body);
	(void)pthread_mutex_unlock(&ours->lock);
	return status;
}

void pipeline_kafka(const struct capture_settings *settings, struct kafka_config *ret_config)
{
	*ret_config = (struct kafka_config){
		.bootstrap_servers = settings->bootstrap_servers,
		.client_id = settings->name,
		.properties = settings->properties.items,
		.property_count = settings->properties.count,
	};
}

/* ---- steps 1 to 4 ---- */

static void delivered(void *context, uint64_t token, const struct error *err)
{
	struct pipeline *pl = context;

	if (err != NULL)
		return; /* kafka_producer_poll() says so */
	if (token == PRODUCE_TOKEN_POSITION)
		pl->record_delivered = true;
	else if (token == PRODUCE_TOKEN_HEARTBEAT)
		pl->heartbeat_delivered = true;
	else
		flight_delivered(&pl->flight, token);
}

static int open_kafka(struct pipeline *pl, struct error *err)
{
	const struct capture_settings *settings = pl->settings;

	pipeline_kafka(settings, &pl->kafka);
	if (kafka_admin_new(&pl->kafka, &pl->admin, err) < 0)
		return -1;
	if (registry_open(&pl->kafka, (int)settings->replication_factor, false, &pl->registry, err) < 0)
		return -1;
	set_registry(pl->context, pl->registry);
	pl->decoder = decoder_new(registry_schemas(pl->registry));
	if (pl->decoder == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a decoder");
	if (kafka_reader_open(&pl->kafka, &pl->kafka_reader, err) < 0)
		return -1;
	pl->reader = (struct resume_reader){ pl->admin, pl->kafka_reader, pl->decoder, settings->topic_prefix, 0, 0 };
	return resume_topics(&pl->reader, (int)settings->replication_factor, err);
}

static bool stopping(void)
{
	return agent_want() != AGENT_WANT_RUN;
}

static int open_source(struct pipeline *pl, const struct resume_point *point, struct error *err)
{
	const struct capture_settings *settings = pl->settings;
	struct source_options options = {
		.hostname = settings->hostname,
		.user = settings->user,
		.password = settings->password,
		.dbname = settings->dbname,
		.sslmode = settings->sslmode,
		.sslrootcert = settings->sslrootcert,
		.sslcert = settings->sslcert,
		.sslkey = settings->sslkey,
		.port = settings->port,
		.slot_name = settings->slot_name,
		.slot_create = settings->slot_create,
		.publication_name = settings->publication_name,
		.publication_create = settings->publication_create,
		.table_include = settings->table_include_list.items,
		.table_include_count = settings->table_include_list.count,
		.table_exclude = settings->table_exclude_list.items,
		.table_exclude_count = settings->table_exclude_list.count,
		.heartbeat_interval_us = settings->heartbeat_interval_us,
		.status_interval_us = settings->status_interval_us,
		.name = settings->name,
		.server_id = settings->server_id,
		.semi_sync = settings->semi_sync,
		.state_directory = settings->state_directory,
		.expected_log = point->has_position ? point->position.log : point->end_log,
		.confirmed = point->has_position ? point->position.confirmed : 0,
		.resume = point->position.resume,
		.stopping = stopping,
	};

	if (pl->ops->open(&options, !resume_has_history(point), &pl->source, &pl->identity, err) < 0)
		return -1;
	return pl->ops->start(pl->source, 0, err);
}

static int64_t queue_records(const struct capture_settings *settings)
{
	int64_t records = settings->queue_size / QUEUE_BYTES_A_RECORD;

	return records < LIMITS_QUEUE_RECORDS ? records : LIMITS_QUEUE_RECORDS;
}

static int new_producer(struct pipeline *pl, struct error *err)
{
	const struct capture_settings *settings = pl->settings;
	struct kafka_config config = pl->kafka;
	const char **properties = calloc(config.property_count + 3, sizeof *properties);
	char queue[64], records[64], largest[64];
	int result;

	if (properties == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a producer");
	/* librdkafka refuses a record that is larger than its queue; ours counts, and lets one such record go alone */
	(void)snprintf(queue, sizeof queue, "queue.buffering.max.kbytes=%" PRId64,
		settings->queue_size / 1024 + (int64_t)(PRODUCE_MESSAGE_MAX / 1024));
	(void)snprintf(largest, sizeof largest, "message.max.bytes=%zu", PRODUCE_MESSAGE_MAX);
	(void)snprintf(records, sizeof records, "queue.buffering.max.messages=%" PRId64, queue_records(settings));
	properties[0] = queue;
	properties[1] = records;
	properties[2] = largest;
	for (size_t i = 0; i < config.property_count; i++)
		properties[i + 3] = config.properties[i];
	config.properties = properties;
	config.property_count += 3;
	result = kafka_producer_new(&config, delivered, pl, &pl->producer, err);
	if (result == 0)
		kafka_producer_limit(pl->producer, (size_t)settings->queue_size);
	free(properties);
	return result;
}

static int open_produce(struct pipeline *pl, const struct produce_known *known, struct error *err)
{
	const struct capture_settings *settings = pl->settings;
	struct encoder_source encoder = { pl->ops->connector, settings->topic_prefix, settings->dbname,
		pl->identity.log, pl->durable.epoch };
	struct produce_config config = {
		.prefix = settings->topic_prefix,
		.log = pl->identity.log,
		.partitions = (int)settings->partitions,
		.replication_factor = (int)settings->replication_factor,
		.tombstones = settings->tombstones_on_delete,
		.row_max = PRODUCE_ROW_MAX,
		.admin = pl->admin,
		.flight = &pl->flight,
		.known = *known,
		.window = &pl->point.window,
		.tail = resume_tail,
		.tail_context = &pl->reader,
	};

	if (encoder_new(&encoder, registry_schemas(pl->registry), &pl->encoder, err) < 0)
		return -1;
	if (flight_init(&pl->flight, TRANSACTIONS_UNDER_WAY, err) < 0 || new_producer(pl, err) < 0)
		return -1;
	config.encoder = pl->encoder;
	config.producer = pl->producer;
	return produce_new(&config, &pl->produce, err);
}

static void note_position(struct pipeline *pl, const struct resume_point *point, const struct produce_known *known)
{
	if (point->has_position)
		pl->durable = point->position;
	pl->durable.resume = "";
	(void)snprintf(pl->durable.log, sizeof pl->durable.log, "%s", pl->identity.log);
	pl->durable.confirmed = known->durable;
	pl->durable.epoch = point->epoch + 1;
}

/* With semi_sync a commit at the source waits for the record: the next one goes as soon as the last is back. */
static int64_t record_interval(const struct pipeline *pl)
{
	return pl->settings->semi_sync ? 0 : pl->settings->status_interval_us;
}

static int hand_over_record(struct pipeline *pl, int64_t now_us, struct error *err)
{
	buf_reset(&pl->resume);
	if (pl->ops->resume(pl->source, pl->durable.confirmed, &pl->resume, err) < 0 ||
		buf_check(&pl->resume, "the position record's resume", err) < 0)
		return -1;
	pl->durable.resume = buf_cstr(&pl->resume);
	pl->durable.wall_us = clock_wall_us();
	if (produce_position(pl->produce, &pl->durable, err) < 0)
		return -1;
	pl->recording = pl->durable.confirmed;
	pl->recording_first = pl->flight.first;
	pl->record_under_way = true;
	pl->record_delivered = false;
	pl->next_record_us = now_us + record_interval(pl);
	return 0;
}

static void note_recorded(struct pipeline *pl)
{
	pl->recorded = pl->recording;
	pl->recorded_first = pl->recording_first;
	pl->record_under_way = false;
}

/* Serves the producer until the record under way is durable: 1, or 0 when the time is over. */
static int await_record(struct pipeline *pl, int64_t limit_us, struct error *err)
{
	int64_t end = clock_monotonic_us() + limit_us;

	while (!pl->record_delivered) {
		if (clock_monotonic_us() > end)
			return 0;
		if (produce_flush(pl->produce, err) < 0 || kafka_producer_poll(pl->producer, 10, err) < 0 ||
			pl->ops->tend(pl->source, err) < 0)
			return -1;
	}
	return 1;
}

static int record_first(struct pipeline *pl, struct error *err)
{
	int done;

	if (hand_over_record(pl, clock_monotonic_us(), err) < 0)
		return -1;
	done = await_record(pl, FIRST_RECORD_US, err);
	if (done == 0)
		return error_set(err, ERROR_RETRY, "Kafka at \"%s\" did not take the first position record within 10 s",
			pl->kafka.bootstrap_servers);
	note_recorded(pl);
	return done < 0 ? -1 : 0;
}

static int expect_table(void *context, const char *schema, const char *name, struct error *err)
{
	return produce_expect(context, schema, name, err);
}

/*
 * Only a courtesy to the readers: a topic that could not be made now is made, or the reason told, at its first event.
 */
static void make_topics(struct pipeline *pl)
{
	struct error err = ERROR_INIT;

	if (pl->ops->tables(pl->source, expect_table, pl->produce, &err) < 0 ||
		produce_make_topics(pl->produce, &err) < 0)
		log_error(&err, "topics were not made ahead of their first event");
}

static void log_start(const struct pipeline *pl)
{
	const char *last = pl->durable.transaction_id[0] != '\0' ? pl->durable.transaction_id : "none";
	const char *slot = pl->settings->slot_name;
	char at[sizeof pl->context->figures.position_commit];

	(void)pl->ops->describe(pl->source, pl->durable.confirmed, at, sizeof at);
	if (slot[0] != '\0')
		log_info("capturing %s from slot \"%s\" at %s, last transaction %s, epoch %" PRIu64, pl->identity.log, slot, at,
			last, pl->durable.epoch);
	else
		log_info("capturing %s at %s, last transaction %s, epoch %" PRIu64, pl->identity.log, at, last,
			pl->durable.epoch);
}

static int start(struct pipeline *pl, struct error *err)
{
	struct resume_log log;
	struct produce_known known;

	if (open_kafka(pl, err) < 0 || resume_read(&pl->reader, &pl->opened, err) < 0)
		return -1;
	if (open_source(pl, &pl->opened, err) < 0)
		return -1;
	if (resume_read(&pl->reader, &pl->point, err) < 0)
		return -1;
	if (resume_moved(&pl->opened, &pl->point))
		return error_set(err, ERROR_RETRY, "another agent recorded a position in Kafka while the source was opened");
	if (resume_read_window(&pl->reader, &pl->point, err) < 0)
		return -1;
	log = (struct resume_log){ pl->identity.log, pl->settings->slot_name, pl->identity.confirmed,
		pl->ops->head(pl->source) };
	if (resume_compare(&pl->point, &log, &known, err) < 0)
		return -1;
	note_position(pl, &pl->point, &known);
	pl->reader.look_back_below = pl->point.disordered ? known.durable : 0;
	pl->reader.last_begin = known.begin_commit;
	if (open_produce(pl, &known, err) < 0)
		return -1;
	make_topics(pl);
	if (record_first(pl, err) < 0)
		return -1;
	log_start(pl);
	return 0;
}

/* ---- steps 5 to 7: what comes back ---- */

static int settle(struct pipeline *pl, struct error *err)
{
	struct flight_entry entry;
	int64_t wall_us = 0;

	while (flight_take(&pl->flight, &entry)) {
		if (failpoint_reach(FP_CAPTURE_DURABLE, err) < 0)
			return -1;
		if (wall_us == 0)
			wall_us = clock_wall_us();
		pl->durable.commit = entry.txn.commit;
		memcpy(pl->durable.transaction_id, entry.txn.id, sizeof pl->durable.transaction_id);
		if (entry.upto > pl->durable.confirmed)
			pl->durable.confirmed = entry.upto;
		pl->context->figures.transactions++;
		agent_latency(wall_us - entry.txn.commit_us);
	}
	return 0;
}

/* The record is durable: now the source may forget. */
static int tell_source(struct pipeline *pl, struct error *err)
{
	note_recorded(pl);
	pl->record_delivered = false;
	if (failpoint_reach(FP_CAPTURE_FEEDBACK_BEFORE, err) < 0 ||
		pl->ops->confirm(pl->source, pl->recorded, err) < 0)
		return -1;
	return failpoint_reach(FP_CAPTURE_FEEDBACK, err);
}

static int serve(struct pipeline *pl, int64_t now_us, struct error *err)
{
	if (kafka_producer_poll(pl->producer, 0, err) < 0 || settle(pl, err) < 0)
		return -1;
	if (pl->heartbeat_delivered) {
		pl->heartbeat_delivered = false;
		pl->context->figures.heartbeat_us = now_us;
	}
	return pl->record_under_way && pl->record_delivered ? tell_source(pl, err) : 0;
}

static bool record_wanted(const struct pipeline *pl)
{
	return !pl->record_under_way && pl->durable.confirmed > pl->recorded;
}

/* Transactions that a start would have to meet again one by one. */
static uint64_t unrecorded(const struct pipeline *pl)
{
	return pl->flight.next - pl->recorded_first;
}

static bool record_due(const struct pipeline *pl, int64_t now_us)
{
	return record_wanted(pl) && (now_us >= pl->next_record_us || unrecorded(pl) >= TRANSACTIONS_UNRECORDED);
}

/* ---- step 8: what goes out ---- */

static void progress(struct pipeline *pl, uint64_t upto)
{
	if (upto > pl->durable.confirmed)
		pl->durable.confirmed = upto;
}

static int take_item(struct pipeline *pl, struct source_item *item, struct error *err)
{
	uint64_t upto;

	switch (item->kind) {
	case SOURCE_BEGIN:
		produce_time(pl->produce, clock_wall_us());
		return produce_begin(pl->produce, item->txn, err);
	case SOURCE_CHANGE:
		return produce_change(pl->produce, &item->chg, err);
	case SOURCE_COMMIT:
		if (produce_commit(pl->produce, &upto, err) < 0)
			return -1;
		progress(pl, upto);
		return 0;
	case SOURCE_HEARTBEAT:
		if (produce_progress(pl->produce, item->lsn, err) < 0)
			return -1;
		if (flight_progress(&pl->flight, item->lsn))
			progress(pl, item->lsn);
		return produce_heartbeat(pl->produce, item->source_us, item->lsn, err);
	case SOURCE_PROGRESS:
		if (produce_progress(pl->produce, item->lsn, err) < 0)
			return -1;
		if (flight_progress(&pl->flight, item->lsn))
			progress(pl, item->lsn);
		return 0;
	case SOURCE_NOTHING:
		break;
	}
	return 0;
}

static int pump(struct pipeline *pl, int64_t now_us, enum pump *ret_pump, struct error *err)
{
	struct source_item item;

	produce_time(pl->produce, clock_wall_us());
	for (int i = 0; i < BATCH_ITEMS; i++) {
		int done = produce_flush(pl->produce, err);

		if (done == 1 && record_due(pl, now_us)) {
			if (hand_over_record(pl, now_us, err) < 0)
				return -1;
			done = produce_flush(pl->produce, err);
		}
		if (done < 0)
			return -1;
		if (done == 0 || flight_full(&pl->flight) || unrecorded(pl) >= WINDOW_MAX) {
			*ret_pump = PUMP_BLOCKED;
			return pl->ops->tend(pl->source, err);
		}
		if (pl->ops->next(pl->source, &item, err) < 0)
			return -1;
		if (item.kind == SOURCE_NOTHING) {
			*ret_pump = PUMP_IDLE;
			return 0;
		}
		if (take_item(pl, &item, err) < 0)
			return -1;
	}
	*ret_pump = PUMP_MORE;
	return 0;
}

/* ---- step 9: waiting, and telling ---- */

static void publish(struct pipeline *pl, int64_t now_us)
{
	struct agent_figures *figures = &pl->context->figures;
	const struct produce_figures *counted = produce_figures(pl->produce);
	const struct flight_entry *oldest = flight_oldest(&pl->flight);

	figures->rows = pl->before.rows + counted->rows;
	figures->bytes = pl->before.bytes + counted->bytes;
	figures->duplicates_dropped = pl->before.duplicates_dropped + counted->duplicates;
	figures->lag_bytes = pl->ops->lag_bytes(pl->source, pl->durable.confirmed);
	figures->lag_transactions = (int64_t)flight_count(&pl->flight);
	figures->lag_seconds = oldest != NULL ? (double)(clock_wall_us() - oldest->txn.commit_us) / 1e6 : 0;
	if (figures->lag_seconds < 0)
		figures->lag_seconds = 0;
	(void)pl->ops->describe(pl->source, pl->durable.confirmed, figures->position_commit,
		sizeof figures->position_commit);
	(void)snprintf(figures->position_transaction, sizeof figures->position_transaction, "%s",
		pl->durable.transaction_id);
	(void)snprintf(figures->position_log, sizeof figures->position_log, "%s", pl->identity.log);
	log_position(figures->position_commit);
	agent_publish(figures);
	pl->next_publish_us = now_us + PUBLISH_EVERY_US;
}

static int wait_for_work(struct pipeline *pl, enum pump pumped, struct error *err)
{
	struct pollfd fds[DESCRIPTORS];
	int64_t now_us = clock_monotonic_us();
	int timeout_ms = (int)((pl->next_publish_us - now_us) / 1000) + 1;
	nfds_t count = 2;

	fds[0] = (struct pollfd){ agent_wake_fd(), POLLIN, 0 };
	fds[1] = (struct pollfd){ kafka_producer_fd(pl->producer), POLLIN, 0 };
	if (record_due(pl, now_us))
		timeout_ms = 0;
	else if (record_wanted(pl) && pl->next_record_us - now_us < (int64_t)timeout_ms * 1000)
		timeout_ms = (int)((pl->next_record_us - now_us) / 1000) + 1;
	if (pumped == PUMP_IDLE)
		count += pl->ops->poll_fds(pl->source, fds + count, DESCRIPTORS - count, &timeout_ms);
	else if (timeout_ms > TEND_EVERY_MS)
		timeout_ms = TEND_EVERY_MS;
	if (pumped == PUMP_IDLE && pl->push_again_ms >= 0 && pl->push_again_ms < timeout_ms)
		timeout_ms = pl->push_again_ms;
	if (timeout_ms < 0)
		timeout_ms = 0;
	return net_wait(fds, count, timeout_ms, err) < 0 ? -1 : 0;
}

/* Nothing is left to hand over: what lingers goes out now, and what comes back at once is taken before waiting. */
static int push(struct pipeline *pl, int64_t now_us, struct error *err)
{
	pl->push_again_ms = kafka_producer_push(pl->producer);
	return serve(pl, now_us, err);
}

static int stream(struct pipeline *pl, struct error *err)
{
	while (agent_want() == AGENT_WANT_RUN) {
		int64_t now_us = clock_monotonic_us();
		enum pump pumped;

		if (serve(pl, now_us, err) < 0 || pump(pl, now_us, &pumped, err) < 0)
			return -1;
		if (now_us >= pl->next_publish_us)
			publish(pl, now_us);
		if (pumped == PUMP_IDLE && push(pl, now_us, err) < 0)
			return -1;
		if (pumped != PUMP_MORE && wait_for_work(pl, pumped, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the end ---- */

/* Only a transaction that the log did not end yet may be left. */
static bool drained(const struct pipeline *pl)
{
	const struct flight_entry *oldest = flight_oldest(&pl->flight);

	return oldest == NULL || (!oldest->closed && flight_count(&pl->flight) == 1);
}

/*
 * Nothing is lost if this fails or the time is over: the next start finds out what is there. whole: the outbox holds
 * whole records.
 */
static int drain(struct pipeline *pl, bool whole, struct error *err)
{
	int64_t end = clock_monotonic_us() + DRAIN_US;
	int done;

	if (whole)
		(void)produce_flush(pl->produce, err);
	if (produce_discard(pl->produce))
		pl->record_under_way = false; /* Kafka's queue was full: it never left, a new one follows */
	while ((!drained(pl) || pl->record_under_way) && clock_monotonic_us() < end) {
		if (serve(pl, clock_monotonic_us(), err) < 0 || pl->ops->tend(pl->source, err) < 0)
			return -1;
		if (!drained(pl) || pl->record_under_way)
			(void)kafka_producer_flush(pl->producer, 20);
	}
	if (!record_wanted(pl))
		return 0;
	if (hand_over_record(pl, clock_monotonic_us(), err) < 0)
		return -1;
	done = await_record(pl, LAST_RECORD_US, err);
	return done == 1 ? tell_source(pl, err) : done;
}

static bool awaits_a_person(const struct error *err)
{
	return err->class == ERROR_DATA || err->class == ERROR_GAP || err->class == ERROR_CONFIG;
}

static void close_all(struct pipeline *pl)
{
	/*
	 * The producer first: what it holds must not be sent behind the next try's look at the topics' ends. (What is
	 * with the brokers by then is theirs: docs/delivery.md says what that means with replication.)
	 */
	kafka_producer_free(pl->producer);
	produce_free(pl->produce);
	flight_release(&pl->flight);
	if (pl->encoder != NULL)
		encoder_free(pl->encoder);
	if (pl->source != NULL)
		pl->ops->close(pl->source);
	if (pl->decoder != NULL)
		decoder_free(pl->decoder);
	kafka_reader_close(pl->kafka_reader);
	kafka_admin_free(pl->admin);
	resume_release(&pl->opened);
	resume_release(&pl->point);
	buf_release(&pl->resume);
}

static const struct source_ops *source_of(const struct pipeline_context *context)
{
	const struct source_ops *const *source = context->sources;

	while (*source != NULL && strcmp((*source)->connector, context->settings->type) != 0)
		source++;
	return *source;
}

int pipeline_run(void *context, struct error *err)
{
	struct pipeline_context *ours = context;
	struct pipeline pl = { .context = ours, .settings = ours->settings, .ops = source_of(ours),
		.before = ours->figures };
	int result;

	if (pl.ops == NULL)
		return error_set(err, ERROR_CONFIG, "there is no source of the type \"%s\"", ours->settings->type);
	buf_init(&pl.resume, CODEC_RESUME_MAX);
	result = start(&pl, err);
	if (result == 0) {
		agent_running();
		result = stream(&pl, err);
		publish(&pl, clock_monotonic_us());
		if (result == 0 || awaits_a_person(err)) {
			struct error ignored = ERROR_INIT;

			if (drain(&pl, result == 0, &ignored) < 0)
				log_error(&ignored,
					"the last position was not recorded, the next start will look for it");
			publish(&pl, clock_monotonic_us());
		}
	}
	close_all(&pl);
	return result;
}
