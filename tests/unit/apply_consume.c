/*
 * apply_consume.c: unit tests of apply/consume against a scripted Kafka and a decoder of one line of code: which topics
 * are read, from where, and what is said when it can not be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apply/consume.h"

/*
 * ---- Kafka, as far as consume uses it. A value is a letter: the table's name for an event, and a digit: the commit
 * position, 8 without; NULL is a tombstone ----
 */
#define TOPICS 16
#define RECORDS 16

struct fake_topic {
	const char *name;
	int partitions;
	int64_t low, high[2];
	const char *values[2][RECORDS]; /* by offset */
};

static struct fake_topic topics[TOPICS];
static size_t topic_count;

struct fake_handle {
	struct fake_topic *topic;
	int partition;
	int64_t next;
};

struct kafka_consumer {
	struct fake_handle handles[32];
	int count;
};

static struct kafka_consumer consumer;
static int64_t hinted[32];
static int tails;

static struct fake_topic *fake_topic(const char *name)
{
	for (size_t i = 0; i < topic_count; i++)
		if (strcmp(topics[i].name, name) == 0)
			return &topics[i];
	return NULL;
}

static struct fake_topic *add_topic(const char *name, int partitions)
{
	topics[topic_count] = (struct fake_topic){ .name = name, .partitions = partitions };
	return &topics[topic_count++];
}

static void add_record(struct fake_topic *topic, int partition, const char *value)
{
	topic->values[partition][topic->high[partition]++] = value;
}

int kafka_admin_new(const struct kafka_config *config, struct kafka_admin **ret_admin, struct error *err)
{
	*ret_admin = (struct kafka_admin *)&consumer;
	return 0;
}

void kafka_admin_free(struct kafka_admin *admin)
{
}

int kafka_topic_partitions(struct kafka_admin *admin, const char *topic, int *ret_partitions, struct error *err)
{
	const struct fake_topic *at = fake_topic(topic);

	*ret_partitions = at != NULL ? at->partitions : 0;
	return 0;
}

int kafka_watermarks(struct kafka_admin *admin, const char *topic, int partition, int64_t *ret_low, int64_t *ret_high,
	struct error *err)
{
	*ret_low = fake_topic(topic)->low;
	*ret_high = fake_topic(topic)->high[partition];
	return 0;
}

int kafka_topics(struct kafka_admin *admin, const char *prefix, char ***ret_names, size_t *ret_count, struct error *err)
{
	char **names = calloc(TOPICS, sizeof *names);
	size_t count = 0;

	for (size_t i = 0; i < topic_count; i++)
		if (strncmp(topics[i].name, prefix, strlen(prefix)) == 0)
			names[count++] = strdup(topics[i].name);
	*ret_names = names;
	*ret_count = count;
	return 0;
}

void kafka_names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

int kafka_consumer_new(const struct kafka_config *config, const char *group, size_t memory_max,
	struct kafka_consumer **ret_consumer, struct error *err)
{
	memset(&consumer, 0, sizeof consumer);
	*ret_consumer = &consumer;
	return 0;
}

void kafka_consumer_free(struct kafka_consumer *con)
{
}

int kafka_consumer_add(struct kafka_consumer *con, const char *topic, int partition, int64_t offset, struct error *err)
{
	con->handles[con->count] = (struct fake_handle){ fake_topic(topic), partition, offset };
	return con->count++;
}

int kafka_consumer_start(struct kafka_consumer *con, struct error *err)
{
	return 0;
}

static void fill_message(const struct fake_topic *topic, int partition, int64_t offset, struct kafka_message *message)
{
	const char *value = topic->values[partition][offset];

	*message = (struct kafka_message){ .value = value, .value_len = value != NULL ? strlen(value) : 0,
		.offset = offset };
}

int kafka_consumer_next(struct kafka_consumer *con, int handle, struct kafka_message *ret_message, struct error *err)
{
	struct fake_handle *at = &con->handles[handle];

	if (at->next == at->topic->high[at->partition])
		return 0;
	fill_message(at->topic, at->partition, at->next++, ret_message);
	return 1;
}

void kafka_message_done(struct kafka_message *message)
{
}

bool kafka_message_header(const struct kafka_message *message, const char *header, const void **ret_value,
	size_t *ret_len)
{
	return false;
}

int64_t kafka_consumer_high(const struct kafka_consumer *con, int handle)
{
	return con->handles[handle].topic->high[con->handles[handle].partition] - 1;
}

int kafka_consumer_fd(struct kafka_consumer *con)
{
	return -1;
}

void kafka_consumer_quiet(struct kafka_consumer *con)
{
}

bool kafka_consumer_hint(struct kafka_consumer *con, const int64_t *offsets)
{
	memcpy(hinted, offsets, (size_t)con->count * sizeof *hinted);
	return true;
}

int kafka_reader_open(const struct kafka_config *config, struct kafka_reader **ret_reader, struct error *err)
{
	*ret_reader = (struct kafka_reader *)&consumer;
	return 0;
}

void kafka_reader_close(struct kafka_reader *reader)
{
}

int kafka_reader_tail(struct kafka_reader *reader, const char *topic, int partition, int most, kafka_visit *visit,
	void *context, struct error *err)
{
	const struct fake_topic *at = fake_topic(topic);

	tails++;
	for (int64_t offset = at->high[partition] - 1; offset >= at->low && most > 0; offset--, most--) {
		struct kafka_message message;

		fill_message(at, partition, offset, &message);
		if (visit(context, &message) != 0)
			break;
	}
	return 0;
}

/* ---- the codec ---- */
/* "A" is a later shape of a. */
static const char letters[] = "abA";
static struct table tables[3] = { { .schema = "public", .name = "a" }, { .schema = "public", .name = "b\xc3\xa4" },
	{ .schema = "public", .name = "a", .slot = 1 } };

int codec_topic_name(const char *prefix, const struct table *table, struct buf *out, struct error *err)
{
	buf_printf(out, "%s.%s.", prefix, table->schema);
	for (const char *at = table->name; *at != '\0'; at++)
		buf_append_byte(out, (unsigned char)*at < 128 ? *at : '_');
	return 0;
}

int decoder_event(struct decoder *decoder, const void *event_key, size_t key_len, const void *value, size_t value_len,
	struct arena *arena, struct event *ret_event, struct error *err)
{
	const char *text = value;

	for (int i = 0; i < 3; i++)
		if (text[0] == letters[i]) {
			*ret_event = (struct event){ .transaction_id = "1:8",
				.commit = text[1] != '\0' ? (uint64_t)(text[1] - '0') : 8,
				.change = { .op = CHANGE_INSERT, .table = &tables[i] } };
			return 0;
		}
	return error_set(err, ERROR_DATA, "not an event");
}

int decoder_key(struct decoder *decoder, const struct table *table, const void *bytes, size_t key_len,
	struct arena *arena,
	struct value *ret_row, struct error *err)
{
	return 0;
}

int decoder_mark(struct decoder *decoder, const void *value, size_t value_len, struct arena *arena,
	struct mark *ret_mark,
	struct error *err)
{
	*ret_mark = (struct mark){ .end = true, .id = "1:8" };
	return 0;
}

int decoder_heartbeat(struct decoder *decoder, const void *value, size_t value_len, struct arena *arena,
	int64_t *ret_source_us, uint64_t *ret_lsn, struct error *err)
{
	*ret_source_us = 1;
	*ret_lsn = 2;
	return 0;
}

/* ---- the pipeline's side ---- */
static char shapes[64];
static const char *excluded;

static bool is_selected(void *context, const char *collection)
{
	return excluded == NULL || strcmp(collection, excluded) != 0;
}

static int note_shape(void *context, const struct table *table, struct error *err)
{
	(void)snprintf(shapes + strlen(shapes), sizeof shapes - strlen(shapes), table->slot > 0 ? "new %s " : "%s ",
		table->name);
	return 0;
}

static struct consume_options options;

static int set_up(void **state)
{
	static const struct kafka_config kafka;

	topic_count = 0;
	tails = 0;
	shapes[0] = '\0';
	excluded = NULL;
	options = (struct consume_options){ .kafka = &kafka, .prefix = "crm", .log = "postgresql:1:1:db",
		.topics = consume_topics_new(), .selected = is_selected, .shape = note_shape };
	add_record(add_topic("crm.transaction", 1), 0, "E");
	add_record(add_topic("crm.heartbeat", 1), 0, "H");
	add_topic("crm.position", 1);
	return options.topics == NULL;
}

static int tear_down(void **state)
{
	consume_topics_free(options.topics);
	return 0;
}

static struct consume *opened(const char *offsets)
{
	struct consume *con = NULL;
	struct error err = ERROR_INIT;

	if (consume_open(&options, offsets, &con, &err) < 0)
		fail_msg("%s", err.text);
	return con;
}

static void assert_offsets(const struct consume *con, const char *text)
{
	struct buf offsets;

	buf_init(&offsets, 4096);
	consume_offsets(con, &offsets);
	assert_string_equal(buf_cstr(&offsets), text);
	buf_release(&offsets);
}

static int ask(const struct consume *con, const char *collection, struct error *err)
{
	const struct order_heads *heads = consume_heads(con);
	const int *handles;
	size_t count;

	return heads->collection(heads->context, collection, &handles, &count, err);
}

/* ---- tests ---- */
static void the_transaction_topic_must_be_there(void **state)
{
	struct consume *con;
	struct error err = ERROR_INIT;

	topic_count = 0;
	assert_int_equal(consume_open(&options, NULL, &con, &err), -1);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_string_equal(err.text, "there is no topic crm.transaction");
}

static void topics_are_selected_by_the_table_that_they_carry(void **state)
{
	struct consume *con;

	add_record(add_topic("crm.public.a", 2), 1, "a");
	add_record(add_topic("crm.public.b__", 1), 0, "b");
	add_record(add_topic("crm.eu.transaction", 1), 0, "?"); /* of prefix crm.eu */
	add_record(add_topic("crm.eu.public.a", 1), 0, "a");
	excluded = "public.b\xc3\xa4";
	con = opened(NULL);
	assert_offsets(con, "crm.transaction 0 0\ncrm.public.a 0 0\ncrm.public.a 1 0\n");
	assert_string_equal(shapes, "a ");
	assert_int_equal(ask(con, "public.a", NULL), 1);
	assert_int_equal(ask(con, "public.b\xc3\xa4", NULL), 0);
	assert_false(consume_is_stale(con));
	consume_close(con);
}

static void a_topic_is_looked_at_once(void **state)
{
	struct fake_topic *topic = add_topic("crm.public.a", 1);

	add_record(topic, 0, "a");
	add_record(topic, 0, NULL);
	consume_close(opened(NULL));
	consume_close(opened(NULL));
	assert_int_equal(tails, 1);
	assert_string_equal(shapes, "a ");
}

static void reading_begins_at_the_stored_offset(void **state)
{
	struct fake_topic *topic = add_topic("crm.public.a", 2);
	struct consume *con;
	const struct order_heads *heads;
	const struct order_head *head;

	for (int i = 0; i < 6; i++)
		add_record(topic, 0, i == 5 ? NULL : "a");
	topic->low = 2;
	topic->high[1] = 4;
	con = opened("crm.transaction 0 1\ncrm.public.a 0 3\ncrm.public.ab 1 9\n");
	assert_offsets(con, "crm.transaction 0 1\ncrm.public.a 0 3\ncrm.public.a 1 2\n");
	assert_int_equal(consume_marks_left(con), 0);
	heads = consume_heads(con);
	assert_int_equal(heads->peek(heads->context, 2, &head, NULL), 1);
	assert_int_equal(head->offset, 3);
	assert_int_equal(head->kind, ORDER_HEAD_EVENT);
	assert_offsets(con, "crm.transaction 0 1\ncrm.public.a 0 3\ncrm.public.a 1 2\n");
	heads->pop(heads->context, 2);
	assert_int_equal(heads->peek(heads->context, 2, &head, NULL), 1);
	heads->pop(heads->context, 2);
	assert_offsets(con, "crm.transaction 0 1\ncrm.public.a 0 5\ncrm.public.a 1 2\n");
	assert_true(consume_hint(con));
	assert_int_equal(hinted[0], 1);
	assert_int_equal(hinted[1], -1);
	assert_int_equal(hinted[2], 5);
	assert_int_equal(consume_tidy(con, NULL), 0);
	assert_offsets(con, "crm.transaction 0 1\ncrm.public.a 0 5\ncrm.public.a 1 2\n");
	assert_int_equal(ask(con, "public.a", NULL), 1);
	topic->high[1] = 2; /* nothing there, as far as this test goes */
	assert_int_equal(consume_tidy(con, NULL), 0);
	assert_offsets(con, "crm.transaction 0 1\ncrm.public.a 0 6\ncrm.public.a 1 2\n");
	consume_close(con);
}

static void an_offset_out_of_range_is_a_gap(void **state)
{
	struct fake_topic *topic = add_topic("crm.public.a", 1), *marks = fake_topic("crm.transaction");
	struct consume *con;
	struct error err = ERROR_INIT;

	for (int i = 0; i < 6; i++) {
		add_record(topic, 0, "a");
		add_record(marks, 0, "E");
	}
	assert_int_equal(consume_open(&options, "crm.public.a 0 7\n", &con, &err), -1);
	assert_int_equal(err.class, ERROR_GAP);
	consume_close(opened("crm.public.a 0 6\n"));
	marks->low = 4;
	assert_int_equal(consume_open(&options, "crm.transaction 0 3\n", &con, &err), -1);
	assert_int_equal(err.class, ERROR_GAP);
	assert_string_equal(err.text,
		"crm.transaction[0]: the target has applied everything before offset 3, but the partition now holds "
				      "offsets 4 to 7");
}

/* What retention took may be of transactions applied long ago. */
static void events_removed_before_the_stored_offset_was_read_are_no_gap(void **state)
{
	struct fake_topic *topic = add_topic("crm.public.a", 1);
	struct consume *con;

	for (int i = 0; i < 6; i++)
		add_record(topic, 0, "a");
	topic->low = 4;
	con = opened("crm.transaction 0 1\ncrm.public.a 0 3\n");
	assert_offsets(con, "crm.transaction 0 1\ncrm.public.a 0 4\n");
	consume_close(con);
}

static int take(const struct consume *con, int handle)
{
	const struct order_heads *heads = consume_heads(con);
	const struct order_head *head;
	int rc = heads->peek(heads->context, handle, &head, NULL);

	if (rc > 0)
		heads->pop(heads->context, handle);
	return rc;
}

static void an_awaited_event_that_was_removed_is_a_gap(void **state)
{
	static const char *const offsets[] = { NULL, "crm.transaction 0 1\ncrm.public.a 0 2\n" };
	struct fake_topic *topic = add_topic("crm.public.a", 1);
	struct error err = ERROR_INIT;
	struct consume *con;

	for (int i = 0; i < 4; i++)
		add_record(topic, 0, "a");
	for (int i = 0; i < 2; i++) {
		topic->low = 4;
		con = opened(offsets[i]);
		assert_int_equal(consume_check_lost(con, "public.a", &err), -1);
		assert_int_equal(err.class, ERROR_GAP);
		assert_string_equal(err.text, i == 0 ?
			"an event of public.a is awaited, but all that is left in its topic was read, and from "
			"crm.public.a[0] offsets 0 to 3 were removed unread" :
			"an event of public.a is awaited, but all that is left in its topic was read, and from "
			"crm.public.a[0] offsets 2 to 3 were removed unread");
		consume_close(con);
		topic->low = 3; /* a record is left: it must be read first, and then what was before it is older */
		con = opened(offsets[i]);
		assert_int_equal(consume_check_lost(con, "public.a", &err), 0);
		assert_int_equal(take(con, 2), 1);
		assert_int_equal(consume_check_lost(con, "public.a", &err), 0);
		topic->low = 4; /* the one that was read is removed as well */
		assert_int_equal(consume_check_lost(con, "public.a", &err), 0);
		consume_close(con);
	}
	topic->low = 4;
	con = opened("crm.transaction 0 1\ncrm.public.a 0 4\n"); /* nothing is missing, it is late */
	assert_int_equal(consume_check_lost(con, "public.a", &err), 0);
	consume_close(con);
}

static void the_newest_shape_of_all_partitions_counts(void **state)
{
	struct fake_topic *topic = add_topic("crm.public.a", 2);

	add_record(topic, 0, "a3");
	add_record(topic, 1, "A5");
	consume_close(opened(NULL));
	assert_string_equal(shapes, "new a ");
	assert_int_equal(tails, 2);
}

static void a_new_partition_is_looked_for_before_a_gap_is_named(void **state)
{
	struct fake_topic *topic = add_topic("crm.public.a", 1);
	struct consume *con = opened(NULL);
	const struct order_heads *heads = consume_heads(con);
	struct error err = ERROR_INIT;

	assert_int_equal(heads->confirm(heads->context, "public.a", &err), 0);
	assert_false(consume_is_stale(con));
	topic->partitions = 2;
	assert_int_equal(heads->confirm(heads->context, "public.a", &err), -1);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_true(consume_is_stale(con));
	consume_close(con);
}

static void a_new_topic_makes_it_stale_once(void **state)
{
	struct consume *con = opened(NULL);
	struct error err = ERROR_INIT;

	assert_int_equal(ask(con, "public.a", &err), -1);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_true(consume_is_stale(con));
	consume_close(con);
	con = opened(NULL); /* the topic is still not there */
	assert_int_equal(ask(con, "public.a", &err), -1);
	assert_int_equal(err.class, ERROR_RETRY);
	assert_string_equal(err.text, "a transaction has events of public.a, but there is no topic crm.public.a");
	assert_false(consume_is_stale(con));
	consume_close(con);
	add_topic("crm.public.a", 1);
	con = opened(NULL);
	assert_int_equal(ask(con, "public.a", &err), 1);
	consume_close(con);
}

static void new_partitions_are_found(void **state)
{
	struct fake_topic *topic = add_topic("crm.public.a", 1);
	struct consume *con = opened(NULL);

	assert_int_equal(consume_refresh(con, NULL), 0);
	assert_false(consume_is_stale(con));
	topic->partitions = 2;
	assert_int_equal(consume_refresh(con, NULL), 0);
	assert_true(consume_is_stale(con));
	consume_close(con);
}

static void what_can_not_be_decoded_is_named(void **state)
{
	struct fake_topic *topic = add_topic("crm.public.a", 1);
	struct consume *con;
	const struct order_heads *heads;
	const struct order_head *head;
	struct error err = ERROR_INIT;

	add_record(topic, 0, "?");
	add_record(topic, 0, "a");
	con = opened(NULL);
	heads = consume_heads(con);
	assert_int_equal(heads->peek(heads->context, 2, &head, &err), -1);
	assert_string_equal(err.text, "crm.public.a[0] offset 0: not an event");
	consume_close(con);
}

static void heartbeats_begin_at_the_end(void **state)
{
	struct consume *con = opened("crm.heartbeat 0 0\n");
	int64_t source_us;
	uint64_t lsn;

	assert_int_equal(consume_heartbeat(con, &source_us, &lsn, NULL), 0);
	add_record(fake_topic("crm.heartbeat"), 0, "H");
	assert_int_equal(consume_heartbeat(con, &source_us, &lsn, NULL), 1);
	assert_true(lsn == 2);
	assert_int_equal(consume_heartbeat(con, &source_us, &lsn, NULL), 0);
	consume_close(con);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_transaction_topic_must_be_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(topics_are_selected_by_the_table_that_they_carry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_topic_is_looked_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reading_begins_at_the_stored_offset, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_offset_out_of_range_is_a_gap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			events_removed_before_the_stored_offset_was_read_are_no_gap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_awaited_event_that_was_removed_is_a_gap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_newest_shape_of_all_partitions_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_new_partition_is_looked_for_before_a_gap_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_new_topic_makes_it_stale_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(new_partitions_are_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_can_not_be_decoded_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(heartbeats_begin_at_the_end, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
