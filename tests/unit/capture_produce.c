/*
 * capture_produce.c: unit tests of capture/produce: the ring of transactions under way, the records that a change
 * becomes, what is left out because a partition has it, what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/produce.h"
#include "tests/fake/fake_kafka.h"

/* ---- the ring ---- */

static struct transaction transaction(uint64_t commit)
{
	return (struct transaction){ .id = "x", .commit = commit, .end = commit + 5 };
}

static void transactions_become_durable_in_order(void **state)
{
	struct flight flight;
	struct flight_entry entry;
	struct error err = ERROR_INIT;
	struct transaction first = transaction(10), second = transaction(20);
	uint64_t a, b;

	assert_int_equal(flight_init(&flight, 2, &err), 0);
	assert_true(flight_empty(&flight));
	a = flight_open(&flight, &first);
	flight_sent(&flight, a);
	flight_sent(&flight, a);
	flight_close(&flight, a, &first);
	b = flight_open(&flight, &second);
	flight_sent(&flight, b);
	flight_close(&flight, b, &second);
	assert_true(flight_full(&flight));
	flight_delivered(&flight, b);
	assert_false(flight_take(&flight, &entry));
	flight_delivered(&flight, a);
	assert_false(flight_take(&flight, &entry));
	flight_delivered(&flight, a);
	assert_true(flight_take(&flight, &entry));
	assert_int_equal(entry.upto, 15);
	assert_true(flight_take(&flight, &entry));
	assert_int_equal(entry.upto, 25);
	assert_false(flight_take(&flight, &entry));
	flight_release(&flight);
}

static void an_open_transaction_is_not_durable(void **state)
{
	struct flight flight;
	struct flight_entry entry;
	struct error err = ERROR_INIT;
	struct transaction txn = transaction(10);
	uint64_t token;

	assert_int_equal(flight_init(&flight, 2, &err), 0);
	token = flight_open(&flight, &txn);
	flight_sent(&flight, token);
	flight_delivered(&flight, token);
	assert_false(flight_take(&flight, &entry));
	assert_false(flight_progress(&flight, 1000));
	flight_close(&flight, token, &txn);
	assert_true(flight_take(&flight, &entry));
	assert_int_equal(entry.upto, 15);
	flight_release(&flight);
}

static void progress_is_carried_by_the_newest(void **state)
{
	struct flight flight;
	struct flight_entry entry;
	struct error err = ERROR_INIT;
	struct transaction txn = transaction(10);
	uint64_t token;

	assert_int_equal(flight_init(&flight, 2, &err), 0);
	assert_true(flight_progress(&flight, 5));
	token = flight_open(&flight, &txn);
	flight_sent(&flight, token);
	flight_close(&flight, token, &txn);
	assert_false(flight_progress(&flight, 1000));
	assert_false(flight_progress(&flight, 900));
	flight_delivered(&flight, token);
	assert_true(flight_take(&flight, &entry));
	assert_int_equal(entry.upto, 1000);
	flight_release(&flight);
}

/* ---- a producer over the fakes ---- */

static const struct column columns[] = {
	{ .name = "id", .type = COLUMN_STRING, .key = true, .source_type = "text" },
	{ .name = "v", .type = COLUMN_STRING, .source_type = "text" },
};
static const size_t key[] = { 0 };
static const struct table keyed = { "public", "a", columns, 2, key, 1, IDENTITY_KEY, 0, 1, false };

static const struct table unkeyed = { "public", "n", columns, 2, NULL, 0, IDENTITY_FULL, 2, 1, false };

struct scene {
	struct kafka_admin *admin;
	struct kafka_producer *producer;
	struct encoder *encoder;
	struct flight flight;
	struct produce *produce;
	struct transaction txn;
	struct produce_tail tail; /* of each partition */
	struct error err;
};

static int scene_tail(void *context, const char *topic, int partition, struct produce_tail *ret_tail, struct error *err)
{
	*ret_tail = ((struct scene *)context)->tail;
	return 0;
}

static void no_report(void *context, uint64_t token, const struct error *err)
{
}

/* known: what was in Kafka before. No transaction is begun. */
static void scene_make(struct scene *scene, const struct produce_known *known)
{
	static const struct encoder_source source = { "test", "t", "db", "test:1:db", 1 };
	struct produce_config config = { .prefix = "t", .log = "postgresql:1:1:db", .partitions = 1, .replication_factor = 1, .tombstones = true,
		.row_max = 1000, .known = *known, .tail = scene_tail };

	fake_kafka_reset();
	for (int kind = PRODUCE_TRANSACTIONS; kind <= PRODUCE_POSITIONS; kind++) {
		char name[PRODUCE_TOPIC_MAX];

		fake_kafka_put(produce_topic_name("t", (enum produce_topic_kind)kind, name), 1, 0, "x", "x");
	}
	scene->txn = (struct transaction){ .id = "1:2000", .commit = 2000, .end = 2010 };
	assert_int_equal(kafka_admin_new(NULL, &scene->admin, &scene->err), 0);
	assert_int_equal(kafka_producer_new(NULL, no_report, NULL, &scene->producer, &scene->err), 0);
	assert_int_equal(encoder_new(&source, NULL, &scene->encoder, &scene->err), 0);
	assert_int_equal(flight_init(&scene->flight, 4, &scene->err), 0);
	config.admin = scene->admin;
	config.producer = scene->producer;
	config.encoder = scene->encoder;
	config.flight = &scene->flight;
	config.tail_context = scene;
	assert_int_equal(produce_new(&config, &scene->produce, &scene->err), 0);
}

static void scene_open(struct scene *scene, const struct produce_known *known)
{
	scene_make(scene, known);
	assert_int_equal(produce_begin(scene->produce, &scene->txn, &scene->err), 0);
}

static void scene_close(struct scene *scene)
{
	produce_free(scene->produce);
	kafka_producer_free(scene->producer);
	flight_release(&scene->flight);
	encoder_free(scene->encoder);
	kafka_admin_free(scene->admin);
	fake_kafka_reset();
}

static struct value text(const char *text)
{
	return (struct value){ .kind = VALUE_TEXT, .text = { text, strlen(text) } };
}

static int give(struct scene *scene, enum change_op op, const struct table *table, const char *before,
	const char *after)
{
	struct value old[2] = { text(before != NULL ? before : "") }, new[2] = { text(after != NULL ? after : ""),
		text("v") };
	struct change chg = { .op = op, .table = table, .before = before != NULL ? old : NULL,
		.after = after != NULL ? new : NULL, .before_is_key = before != NULL };

	if (produce_change(scene->produce, &chg, &scene->err) < 0)
		return -1;
	assert_int_equal(produce_flush(scene->produce, &scene->err), 1);
	return 0;
}

static void commit(struct scene *scene)
{
	uint64_t upto;

	assert_int_equal(produce_commit(scene->produce, &upto, &scene->err), 0);
	assert_int_equal(produce_flush(scene->produce, &scene->err), 1);
}

/*
 * The records of a topic's partition 0 from the n-th on are these values ("" for a tombstone), then there are no more.
 */
static void assert_values(const char *topic, size_t from, const char *const *values)
{
	const struct fake_partition *partition = fake_kafka_partition(topic, 0);
	size_t n = from;

	assert_non_null(partition);
	for (; *values != NULL; values++, n++) {
		assert_true(n < partition->count);
		assert_string_equal(partition->records[n].value != NULL ? (char *)partition->records[n].value : "",
			*values);
	}
	assert_int_equal(partition->count, n);
}

static const struct produce_known nothing_known = { .head = 1000, .durable = 1000 };

static void a_transaction_becomes_begin_events_and_end(void **state)
{
	struct scene scene;

	scene_open(&scene, &nothing_known);
	assert_int_equal(give(&scene, CHANGE_INSERT, &keyed, NULL, "k1"), 0);
	assert_int_equal(give(&scene, CHANGE_UPDATE, &keyed, "k1", "k2"), 0);
	assert_int_equal(give(&scene, CHANGE_DELETE, &keyed, "k2", NULL), 0);
	assert_int_equal(give(&scene, CHANGE_TRUNCATE, &keyed, NULL, NULL), 0);
	commit(&scene);
	assert_values("t.public.a", 0,
		(const char *const[]){ "E 1:2000 1 1 c before=- after=/k1/v previous=0",
			"E 1:2000 2 2 d before=/k1 after=- previous=0", "",
			"E 1:2000 3 3 c before=- after=/k2/v previous=0",
			"E 1:2000 4 4 d before=/k2 after=- previous=0", "",
				"E 1:2000 5 5 t before=- after=- previous=0", NULL });
	assert_values("t.transaction", 1,
		(const char *const[]){ "B 1:2000", "F 1:2000 5 previous= public.a=5 log=test:1:db epoch=1", NULL });
	assert_string_equal(fake_kafka_partition("t.public.a", 0)->records[1].header, "__debezium.newkey");
	assert_string_equal(fake_kafka_partition("t.public.a", 0)->records[1].header_value, "/k2");
	assert_string_equal(fake_kafka_partition("t.public.a", 0)->records[3].header, "__debezium.oldkey");
	assert_string_equal(fake_kafka_partition("t.public.a", 0)->records[3].header_value, "/k1");
	assert_null(fake_kafka_partition("t.public.a", 0)->records[6].key);
	scene_close(&scene);
}

static void an_empty_transaction_leaves_no_trace(void **state)
{
	struct scene scene;
	uint64_t upto;

	scene_open(&scene, &nothing_known);
	assert_int_equal(produce_commit(scene.produce, &upto, &scene.err), 0);
	assert_int_equal(upto, 2010);
	assert_int_equal(produce_flush(scene.produce, &scene.err), 1);
	assert_values("t.transaction", 1, (const char *const[]){ NULL });
	assert_true(flight_empty(&scene.flight));
	scene_close(&scene);
}

/* A tail of which only the last event is known. */
static struct produce_tail tail_of(const char *id, uint64_t commit, uint64_t index, bool bare_delete, uint64_t table_index,
	const char *key_text)
{
	const struct change chg = { .index = index, .table_index = table_index };

	return (struct produce_tail){ .commit = commit, .index = index, .bare_delete = bare_delete, .from_commit = commit,
		.from_index = index, .trail = produce_trail(0, id, &chg, key_text, strlen(key_text)) };
}

static struct produce_tail tail_at(uint64_t commit, uint64_t index, bool bare_delete, uint64_t table_index,
	const char *key_text)
{
	return tail_of("1:2000", commit, index, bare_delete, table_index, key_text);
}

/* Kafka has this transaction's BEGIN and some of its events; the same log is read again. */
static void read_again(struct produce_tail tail, const char *const *events)
{
	struct produce_known known = { .head = 3000, .durable = 1950, .begin_commit = 2000 };
	struct scene scene = { .tail = tail };

	scene_open(&scene, &known);
	fake_kafka_put("t.public.a", 1, 0, "there", "there");
	assert_int_equal(give(&scene, CHANGE_DELETE, &keyed, "k1", NULL), 0);
	assert_int_equal(give(&scene, CHANGE_UPDATE, &keyed, "k1", "k2"), 0);
	commit(&scene);
	assert_values("t.public.a", 1, events);
	assert_values("t.transaction", 1,
		(const char *const[]){ "F 1:2000 3 previous= public.a=3 log=test:1:db epoch=1", NULL });
	scene_close(&scene);
}

static void what_a_partition_has_is_left_out(void **state)
{
	const char d1[] = "E 1:2000 1 1 d before=/k1 after=- previous=0",
		d2[] = "E 1:2000 2 2 d before=/k1 after=- previous=0",
		   c3[] = "E 1:2000 3 3 c before=- after=/k2/v previous=0";
	read_again(tail_at(1900, 7, true, 7, "x"), (const char *const[]){ d1, "", d2, "", c3, NULL });
	read_again(tail_at(2000, 1, true, 1, "/k1"), (const char *const[]){ "", d2, "", c3, NULL });
	read_again(tail_at(2000, 1, false, 1, "/k1"), (const char *const[]){ d2, "", c3, NULL });
	read_again(tail_at(2000, 2, true, 2, "/k1"), (const char *const[]){ "", c3, NULL });
	read_again(tail_at(2000, 3, false, 3, "/k2"), (const char *const[]){ NULL });
	read_again(tail_at(2500, 1, false, 1, "/k1"), (const char *const[]){ NULL });
}

/* What a partition ends with is not what the log gives for it: nothing is put behind it, and no END either. */
static void stops_behind(struct produce_tail tail, int partitions, bool at_the_end)
{
	struct produce_known known = { .head = 3000, .durable = 1500, .begin_commit = 2000 };
	struct scene scene = { .tail = tail };
	uint64_t upto;
	int result;

	scene_open(&scene, &known);
	for (int p = 0; p < partitions; p++)
		fake_kafka_put("t.public.a", partitions, p, "there", "there");
	result = give(&scene, CHANGE_INSERT, &keyed, NULL, "k1");
	if (result == 0)
		result = give(&scene, CHANGE_INSERT, &keyed, NULL, "k2");
	assert_int_equal(result, at_the_end ? 0 : -1);
	if (at_the_end)
		assert_int_equal(produce_commit(scene.produce, &upto, &scene.err), -1);
	assert_int_equal(scene.err.class, ERROR_GAP);
	assert_non_null(strstr(scene.err.text, "topic \"t.public.a\""));
	if (partitions == 1)
		assert_values("t.public.a", 1, (const char *const[]){ NULL });
	assert_values("t.transaction", 1, (const char *const[]){ NULL });
	scene_close(&scene);
}

static void a_tail_that_is_not_met_again_is_a_gap(void **state)
{
	/* a table before it was left out: the numbers are others */
	stops_behind(tail_at(2000, 2, false, 1, "/k1"), 1, false);
	/* the table's key is another one */
	stops_behind(tail_at(2000, 2, false, 2, "/v"), 1, false);
	stops_behind(tail_at(2000, 1, false, 1, ""), 1, false);
	/* another transaction is in its place: another server tells them in another order */
	stops_behind(tail_of("2:2000", 2000, 2, false, 2, "/k2"), 1, false);
	/* the transaction does not come, or comes without this table */
	stops_behind(tail_at(1900, 7, true, 7, "x"), 1, false);
	/* it has fewer events than were there */
	stops_behind(tail_at(2000, 3, false, 3, "x"), 1, true);
	/* the topic got more partitions: this event was in another one */
	stops_behind(tail_at(2000, 2, false, 2, "/k2"), 7, true);
}

static void a_tail_of_a_durable_transaction_is_not_awaited(void **state)
{
	struct produce_known known = { .head = 3000, .durable = 1900, .previous_id = "1:1800", .previous_commit = 1800 };
	struct scene scene = { .tail = tail_at(1800, 4, false, 4, "x") };

	scene_open(&scene, &known);
	fake_kafka_put("t.public.a", 1, 0, "there", "there");
	assert_int_equal(give(&scene, CHANGE_INSERT, &keyed, NULL, "k1"), 0);
	commit(&scene);
	assert_values("t.public.a", 1,
		(const char *const[]){ "E 1:2000 1 1 c before=- after=/k1/v previous=1800", NULL });
	scene_close(&scene);
}

static void a_topic_that_metadata_forgot_is_looked_at(void **state)
{
	struct produce_known known = { .head = 3000, .durable = 1500 };
	struct scene scene = { .tail = tail_at(2000, 1, false, 1, "/k1") };

	scene_open(&scene, &known);
	fake_kafka_put("t.public.a", 1, 0, "there", "there");
	fake_kafka_late_metadata();
	assert_int_equal(give(&scene, CHANGE_INSERT, &keyed, NULL, "k1"), 0);
	commit(&scene);
	assert_values("t.public.a", 1, (const char *const[]){ NULL });
	scene_close(&scene);
}

static const struct produce_known recorded = { .head = 3000, .durable = 1900, .previous_id = "1:1800",
	.previous_commit = 1800, .previous_in_log = true };

static void the_recorded_transaction_must_come_again(void **state)
{
	static const struct transaction before = { .id = "1:1700", .commit = 1700, .end = 1710 },
					other = { .id = "2:1800", .commit = 1800, .end = 1810 },
					same = { .id = "1:1800", .commit = 1800, .end = 1810 };
	struct scene scene = { .txn = { .commit = 0 } };
	uint64_t upto;

	/* a later one first, or nothing for so long */
	scene_make(&scene, &recorded);
	assert_int_equal(produce_progress(scene.produce, 1800, &scene.err), 0);
	assert_int_equal(produce_progress(scene.produce, 1801, &scene.err), -1);
	assert_int_equal(scene.err.class, ERROR_GAP);
	error_clear(&scene.err);
	assert_int_equal(produce_begin(scene.produce, &scene.txn, &scene.err), -1);
	assert_int_equal(scene.err.class, ERROR_GAP);
	assert_non_null(strstr(scene.err.text, "1:1800"));
	scene_close(&scene);
	/* another one in its place */
	scene_make(&scene, &recorded);
	assert_int_equal(produce_begin(scene.produce, &other, &scene.err), -1);
	assert_int_equal(scene.err.class, ERROR_GAP);
	scene_close(&scene);
	/* the same, behind older ones */
	scene_make(&scene, &recorded);
	assert_int_equal(produce_begin(scene.produce, &before, &scene.err), 0);
	assert_int_equal(produce_commit(scene.produce, &upto, &scene.err), 0);
	assert_int_equal(produce_begin(scene.produce, &same, &scene.err), 0);
	assert_int_equal(produce_commit(scene.produce, &upto, &scene.err), 0);
	assert_int_equal(produce_progress(scene.produce, 1850, &scene.err), 0);
	assert_int_equal(produce_begin(scene.produce, &scene.txn, &scene.err), 0);
	scene_close(&scene);
}

static void a_discarded_position_record_is_told(void **state)
{
	const struct codec_position position = { .log = "test:1:db", .confirmed = 1000 };
	struct scene scene;

	scene_open(&scene, &nothing_known);
	assert_false(produce_discard(scene.produce));
	assert_int_equal(produce_position(scene.produce, &position, &scene.err), 0);
	fake_kafka_trouble(100, 0);
	assert_int_equal(produce_flush(scene.produce, &scene.err), 0);
	assert_true(produce_discard(scene.produce));
	fake_kafka_trouble(0, 0);
	assert_int_equal(produce_position(scene.produce, &position, &scene.err), 0);
	assert_int_equal(produce_flush(scene.produce, &scene.err), 1);
	assert_false(produce_discard(scene.produce));
	scene_close(&scene);
}

static void a_topic_ahead_of_the_log_is_a_gap(void **state)
{
	struct produce_known known = { .head = 3000, .durable = 1500 };
	struct scene scene = { .tail = tail_at(3000, 1, false, 1, "x") };

	scene_open(&scene, &known);
	fake_kafka_put("t.public.a", 1, 0, "there", "there");
	assert_int_equal(give(&scene, CHANGE_INSERT, &keyed, NULL, "k1"), -1);
	assert_int_equal(scene.err.class, ERROR_GAP);
	scene_close(&scene);
}

static void two_tables_with_one_topic_are_refused(void **state)
{
	static const struct table one = { "public$b", "c", columns, 2, key, 1, IDENTITY_KEY, 10, 1, false };
	static const struct table other = { "public_b", "c", columns, 2, key, 1, IDENTITY_KEY, 11, 1, false };
	struct scene scene;

	scene_open(&scene, &nothing_known);
	assert_int_equal(give(&scene, CHANGE_INSERT, &one, NULL, "k"), 0);
	assert_int_equal(give(&scene, CHANGE_INSERT, &other, NULL, "k"), -1);
	assert_int_equal(scene.err.class, ERROR_CONFIG);
	assert_non_null(strstr(scene.err.text, "t.public_b.c"));
	scene_close(&scene);
}

static void topics_are_made_ahead_of_their_first_event(void **state)
{
	struct scene scene;

	scene_open(&scene, &nothing_known);
	fake_kafka_put("t.public.old", 3, 0, "x", "x");
	assert_int_equal(produce_expect(scene.produce, "public", "a", &scene.err), 0);
	assert_int_equal(produce_expect(scene.produce, "public", "old", &scene.err), 0);
	assert_int_equal(produce_expect(scene.produce, "public$b", "c", &scene.err), 0);
	assert_int_equal(produce_expect(scene.produce, "public_b", "c", &scene.err), 0);
	assert_int_equal(produce_make_topics(scene.produce, &scene.err), 0);
	assert_int_equal(fake_kafka_partitions("t.public.a"), 1);
	assert_int_equal(fake_kafka_partitions("t.public.old"), 3);
	assert_int_equal(fake_kafka_partitions("t.public_b.c"), 1);
	assert_int_equal(give(&scene, CHANGE_INSERT, &keyed, NULL, "k"), 0);
	assert_int_equal(fake_kafka_partition("t.public.a", 0)->count, 1);
	scene_close(&scene);
}

/* The large value of an old row is not carried where the event would be too large with it; else it is. */
static void an_old_row_gives_way_to_the_new_one(void **state)
{
	static const struct produce_known known = { 0 };
	static char large[100000];
	struct value old[2] = { text("k"), { .kind = VALUE_TEXT, .text = { large, sizeof large } } };
	struct value new[2] = { text("k"), text("v") };
	struct change chg = { .op = CHANGE_UPDATE, .table = &keyed, .before = old, .after = new };
	const char *const records[] = { "E 1:2000 1 1 u before=/k/~ after=/k/v previous=0", NULL };
	struct scene scene = { .err = ERROR_INIT };

	memset(large, 'x', sizeof large);
	scene_open(&scene, &known);
	assert_int_equal(produce_change(scene.produce, &chg, &scene.err), 0);
	assert_int_equal(produce_flush(scene.produce, &scene.err), 1);
	assert_values("t.public.a", 0, records);
	assert_int_equal(old[1].kind, VALUE_TEXT);
	/* without a key the whole old row is needed */
	chg.table = &unkeyed;
	assert_int_equal(produce_change(scene.produce, &chg, &scene.err), -1);
	assert_int_equal(scene.err.class, ERROR_DATA);
	assert_non_null(strstr(scene.err.text, "more than the 1000 that are carried"));
	scene_close(&scene);
}

static void a_row_that_is_too_large_is_named(void **state)
{
	char large[1200];
	struct scene scene;

	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	scene_open(&scene, &nothing_known);
	assert_int_equal(give(&scene, CHANGE_INSERT, &keyed, NULL, large), -1);
	assert_int_equal(scene.err.class, ERROR_DATA);
	assert_non_null(strstr(scene.err.text, "table public.a"));
	assert_non_null(strstr(scene.err.text, "1:2000"));
	assert_null(strstr(scene.err.text, "xxxx"));
	assert_non_null(strstr(scene.err.hint, "table_exclude_list"));
	scene_close(&scene);
}

/* So large that not even the outbox takes it. */
static void a_huge_row_is_named(void **state)
{
	size_t len = PRODUCE_ROW_MAX * 2;
	char *huge = malloc(len + 1);
	struct scene scene;

	assert_non_null(huge);
	memset(huge, 'x', len);
	huge[len] = '\0';
	scene_open(&scene, &nothing_known);
	assert_int_equal(give(&scene, CHANGE_UPDATE, &unkeyed, huge, huge), -1);
	assert_int_equal(scene.err.class, ERROR_DATA);
	assert_non_null(strstr(scene.err.text, "table public.n"));
	assert_non_null(strstr(scene.err.hint, "table_exclude_list"));
	scene_close(&scene);
	free(huge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transactions_become_durable_in_order),
		cmocka_unit_test(an_open_transaction_is_not_durable),
		cmocka_unit_test(progress_is_carried_by_the_newest),
		cmocka_unit_test(a_transaction_becomes_begin_events_and_end),
		cmocka_unit_test(an_empty_transaction_leaves_no_trace),
		cmocka_unit_test(what_a_partition_has_is_left_out),
		cmocka_unit_test(a_tail_that_is_not_met_again_is_a_gap),
		cmocka_unit_test(a_tail_of_a_durable_transaction_is_not_awaited),
		cmocka_unit_test(a_topic_that_metadata_forgot_is_looked_at),
		cmocka_unit_test(the_recorded_transaction_must_come_again),
		cmocka_unit_test(a_discarded_position_record_is_told),
		cmocka_unit_test(a_topic_ahead_of_the_log_is_a_gap),
		cmocka_unit_test(two_tables_with_one_topic_are_refused),
		cmocka_unit_test(topics_are_made_ahead_of_their_first_event),
		cmocka_unit_test(an_old_row_gives_way_to_the_new_one),
		cmocka_unit_test(a_row_that_is_too_large_is_named),
		cmocka_unit_test(a_huge_row_is_named),
	};

	return cmocka_run_group_tests_name("capture_produce", tests, NULL, NULL);
}
