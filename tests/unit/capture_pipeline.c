/*
 * capture_pipeline.c: the capture pipeline between a scripted log and a Kafka in memory: whatever ends a run, wherever,
 * the topics end up with exactly what an uninterrupted run puts there.
 *
 * A script is a random log: transactions over tables with one and several partitions, with and without key, with
 * deletes, key changes, truncates, empty transactions, heartbeats. The reference is checked against the script by a
 * second, simple reckoning. Then the world ends after every single step of the run (a record produced, a report polled,
 * a confirmation, an item read), each partition keeping a random part of what was under way; the agent starts again,
 * and may be hit again; the source may have forgotten some of what was confirmed, as PostgreSQL may after a crash.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/pipeline.h"
#include "capture/resume.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/net.h"
#include "tests/fake/fake_agent.h"
#include "tests/fake/fake_kafka.h"

#define TABLES 4
#define ITEMS_MAX 4096
#define TEXT_MAX 24

/* ---- time ---- */

static int64_t now_us = 1000000;

static int64_t test_time(void)
{
	return now_us += 40;
}

static void test_sleep(int64_t us)
{
	now_us += us;
}

static int test_wait(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	now_us += timeout_ms > 0 ? 500 : 0;
	return 1;
}

static const struct clock_ops test_clock = { test_time, test_time, test_sleep };
static const struct net_ops test_net = { test_wait };

/* ---- the script ---- */

static const struct column columns[] = {
	{ .name = "id", .type = COLUMN_STRING, .key = true, .source_type = "text" },
	{ .name = "v", .type = COLUMN_STRING, .source_type = "text" },
};
static const size_t key[] = { 0 };
static const struct table tables[TABLES] = {
	{ "public", "a", columns, 2, key, 1, IDENTITY_KEY, 0, 1 },
	{ "public", "b", columns, 2, key, 1, IDENTITY_FULL, 1, 1 },
	{ "public", "nokey", columns, 2, NULL, 0, IDENTITY_FULL, 2, 1 },
	{ "public", "a", columns, 2, key, 1, IDENTITY_KEY, 3, 2 }, /* the first one after a change of its shape */
};

struct item {
	enum source_item_kind kind;
	struct transaction txn;
	enum change_op op;
	unsigned table;
	char old_key[TEXT_MAX], new_key[TEXT_MAX], text[TEXT_MAX]; /* old_key: "" unless the key changes */
	uint64_t lsn;
};

static struct {
	struct item items[ITEMS_MAX];
	size_t count;
	uint64_t head;
	uint64_t confirmed; /* the slot's */
	uint64_t confirmed_most;
	bool slot;
	bool old_state; /* the log was set back */
	bool numbered;  /* it has no slot: Kafka's record alone says where to read on */
} script;

static struct item *add_item(enum source_item_kind kind)
{
	struct item *item = &script.items[script.count++];

	assert_true(script.count < ITEMS_MAX);
	memset(item, 0, sizeof *item);
	item->kind = kind;
	return item;
}

static void add_change(void)
{
	struct item *item = add_item(SOURCE_CHANGE);
	uint64_t dice = fake_random(100);

	item->table = (unsigned)fake_random(TABLES);
	item->lsn = ++script.head;
	(void)snprintf(item->new_key, sizeof item->new_key, "k%" PRIu64, fake_random(12));
	(void)snprintf(item->text, sizeof item->text, "v%" PRIu64, script.head);
	if (dice < 40) {
		item->op = CHANGE_INSERT;
	} else if (dice < 60) {
		item->op = CHANGE_UPDATE;
	} else if (dice < 75) {
		item->op = CHANGE_UPDATE;
		(void)snprintf(item->old_key, sizeof item->old_key, "k%" PRIu64, 12 + fake_random(12));
	} else if (dice < 97) {
		item->op = CHANGE_DELETE;
	} else {
		item->op = CHANGE_TRUNCATE;
	}
}

static void add_transaction(uint64_t xid)
{
	struct item *begin = add_item(SOURCE_BEGIN);
	uint64_t changes = fake_random(8) == 0 ? 0 : 1 + fake_random(6);
	struct item *commit;

	for (uint64_t i = 0; i < changes; i++)
		add_change();
	commit = add_item(SOURCE_COMMIT);
	script.head += 8;
	begin->txn = (struct transaction){ .commit = script.head, .xid = xid, .commit_us = now_us };
	(void)snprintf(begin->txn.id, sizeof begin->txn.id, "%" PRIu64 ":%" PRIu64, xid, script.head);
	script.head += 8;
	commit->txn = begin->txn;
	commit->txn.end = script.head;
}

static void make_script(uint64_t seed, unsigned transactions)
{
	memset(&script, 0, sizeof script);
	fake_kafka_seed(seed);
	script.head = 1000;
	for (unsigned n = 0; n < transactions; n++) {
		add_transaction(700 + n);
		if (fake_random(3) == 0)
			add_item(fake_random(2) == 0 ? SOURCE_HEARTBEAT : SOURCE_PROGRESS)->lsn = script.head;
	}
}

/* ---- the source ---- */

struct source {
	size_t next;
	struct transaction txn;
	struct value before[2], after[2];
	unsigned idle;
	uint64_t resumed;
};

static uint64_t script_head(const struct source *src)
{
	if (script.numbered)
		return UINT64_MAX;
	return script.old_state ? 1001 : script.head;
}

static int script_open(const struct source_options *options, bool may_create, struct source **ret_source,
	struct source_identity *ret_identity, struct error *err)
{
	if (fake_step(err))
		return -1;
	memset(ret_identity, 0, sizeof *ret_identity);
	if (script.numbered) {
		char place[64];

		/* the number and its place came from one record, unless there is none */
		(void)snprintf(place, sizeof place, "place-of-%" PRIu64, options->confirmed);
		assert_string_equal(options->resume, options->confirmed == 0 ? "" : place);
		assert_true(options->confirmed == 0 || options->expected_log[0] != '\0');
		script.confirmed = options->confirmed == 0 ? 1000 : options->confirmed;
	} else if (!script.slot) {
		if (!may_create)
			return error_set(err, ERROR_GAP, "the slot does not exist");
		ret_identity->slot_created = true;
		script.confirmed = 1000;
		script.slot = true;
	}
	(void)snprintf(ret_identity->log, sizeof ret_identity->log, script.numbered ? "mysql:1:1" : "test:1:db");
	ret_identity->confirmed = script.confirmed;
	*ret_source = calloc(1, sizeof **ret_source);
	assert_non_null(*ret_source);
	ret_identity->head = script_head(*ret_source);
	return 0;
}

static int script_start(struct source *src, uint64_t from, struct error *err)
{
	uint64_t commit = 0;

	if (fake_step(err))
		return -1;
	for (src->next = 0; src->next < script.count; src->next++) {
		const struct item *item = &script.items[src->next];

		if (item->kind == SOURCE_BEGIN)
			commit = item->txn.commit;
		if (item->kind == SOURCE_BEGIN && commit >= script.confirmed)
			break;
	}
	return 0;
}

static void text_value(struct value *value, const char *text)
{
	*value = (struct value){ .kind = VALUE_TEXT, .text = { text, strlen(text) } };
}

static void fill_change(struct source *src, const struct item *item, struct change *chg)
{
	const struct table *table = &tables[item->table];
	bool full = table->identity == IDENTITY_FULL;

	*chg = (struct change){ .op = item->op, .table = table, .lsn = item->lsn };
	memset(src->before, 0, sizeof src->before);
	text_value(&src->before[0], item->old_key[0] != '\0' ? item->old_key : item->new_key);
	text_value(&src->after[0], item->new_key);
	text_value(&src->after[1], item->text);
	if (full)
		text_value(&src->before[1], "old");
	if (item->op == CHANGE_INSERT || item->op == CHANGE_UPDATE)
		chg->after = src->after;
	if (item->op == CHANGE_DELETE || (item->op == CHANGE_UPDATE && (full || item->old_key[0] != '\0')))
		chg->before = src->before;
	chg->before_is_key = chg->before != NULL && !full;
}

static int script_next(struct source *src, struct source_item *ret_item, struct error *err)
{
	const struct item *item;

	if (fake_step(err))
		return -1;
	ret_item->kind = SOURCE_NOTHING;
	if (src->next == script.count) {
		/* Some turns for what is under way, then the agent is told to stop. */
		if (++src->idle > 20)
			fake_agent_want(AGENT_WANT_STOP);
		return 0;
	}
	if (fake_random(10) == 0)
		return 0;
	item = &script.items[src->next++];
	ret_item->kind = item->kind;
	ret_item->lsn = item->lsn;
	ret_item->source_us = 5;
	if (item->kind == SOURCE_BEGIN || item->kind == SOURCE_COMMIT)
		src->txn = item->txn;
	ret_item->txn = &src->txn;
	if (item->kind == SOURCE_CHANGE)
		fill_change(src, item, &ret_item->chg);
	return 0;
}

static int script_tend(struct source *src, struct error *err)
{
	return 0;
}

static size_t script_poll_fds(struct source *src, struct pollfd *fds, size_t room, int *io_timeout_ms)
{
	return 0;
}

static bool durable_up_to(uint64_t lsn);

static int script_confirm(struct source *src, uint64_t lsn, struct error *err)
{
	if (fake_step(err))
		return -1;
	assert_true(lsn >= script.confirmed);
	assert_true(durable_up_to(lsn));
	script.confirmed = lsn;
	script.confirmed_most = lsn;
	return 0;
}

static void script_close(struct source *src)
{
	free(src);
}

/* One that gets events and one that never does. */
static int script_tables(struct source *src, source_table_visit *visit, void *context, struct error *err)
{
	return visit(context, "public", "b", err) < 0 || visit(context, "public", "idle", err) < 0 ? -1 : 0;
}

static int64_t script_lag_bytes(const struct source *src, uint64_t confirmed)
{
	if (script_head(src) == UINT64_MAX)
		return -1;
	return script_head(src) > confirmed ? (int64_t)(script_head(src) - confirmed) : 0;
}

/* A source whose log is numbered ties its place to the number; that of the others is the number. */
static int script_resume(struct source *src, uint64_t upto, struct buf *out, struct error *err)
{
	if (fake_step(err))
		return -1;
	assert_true(upto >= src->resumed);
	src->resumed = upto;
	if (script.numbered)
		buf_printf(out, "place-of-%" PRIu64, upto);
	return 0;
}

static const char *script_describe(const struct source *src, uint64_t upto, char *buf, size_t size)
{
	(void)snprintf(buf, size, "@%" PRIu64, upto);
	return buf;
}

static const struct source_ops script_source = {
	.connector = "test",
	.open = script_open,
	.start = script_start,
	.tables = script_tables,
	.next = script_next,
	.tend = script_tend,
	.poll_fds = script_poll_fds,
	.confirm = script_confirm,
	.head = script_head,
	.lag_bytes = script_lag_bytes,
	.resume = script_resume,
	.describe = script_describe,
	.close = script_close,
};

/* ---- the promise behind confirm(): the position record is durable, and so is every END before it ---- */

static bool durable_up_to(uint64_t lsn)
{
	const struct fake_partition *positions = fake_kafka_partition("t.position", 0);
	const struct fake_partition *marks = fake_kafka_partition("t.transaction", 0);
	uint64_t recorded = 0, last_end = 0;

	for (size_t i = 0; i < positions->durable; i++)
		assert_int_equal(sscanf(positions->records[i].value, "P %*s %*s %*u %" SCNu64, &recorded), 1);
	for (size_t i = 0; i < marks->durable; i++)
		(void)sscanf(marks->records[i].value, "F %*u:%" SCNu64, &last_end);
	for (size_t i = 0, changes = 0; i < script.count; i++) {
		const struct item *item = &script.items[i];

		changes = item->kind == SOURCE_BEGIN ? 0 : changes + (item->kind == SOURCE_CHANGE);
		if (item->kind == SOURCE_COMMIT && item->txn.end <= lsn && changes > 0 && item->txn.commit > last_end)
			return false;
	}
	return recorded >= lsn;
}

/* ---- running, and what it left ---- */

static struct capture_settings settings = {
	.name = "test",
	.type = "test",
	.topic_prefix = "t",
	.bootstrap_servers = "memory",
	.dbname = "db",
	.slot_name = "slot",
	.slot_create = true,
	.partitions = 3,
	.replication_factor = 1,
	.tombstones_on_delete = true,
	.heartbeat_interval_us = 1000000,
	.status_interval_us = 3000,
	.queue_size = 1 << 24,
};

static int run_once(struct error *err)
{
	static const struct source_ops *const sources[] = { &script_source, NULL };
	static struct pipeline_context context;
	int result;

	pipeline_init(&context, &settings, sources);
	fake_agent_want(AGENT_WANT_RUN);
	result = pipeline_run(&context, err);
	pipeline_release(&context);
	return result;
}

static const char *text_or_none(const void *text)
{
	return text != NULL ? text : "(none)";
}

/* All that counts of the topics, as one text: each partition's durable records without epoch. The caller frees it. */
static char *contents(void)
{
	struct buf all;

	buf_init(&all, (size_t)1 << 26);
	for (size_t t = 0; fake_kafka_topic_name(t) != NULL; t++) {
		const char *topic = fake_kafka_topic_name(t);

		if (strcmp(topic, "t.position") == 0 || strcmp(topic, "t.heartbeat") == 0)
			continue;
		for (int p = 0; p < fake_kafka_partitions(topic); p++) {
			const struct fake_partition *partition = fake_kafka_partition(topic, p);

			buf_printf(&all, "== %s %d\n", topic, p);
			for (size_t r = 0; r < partition->durable; r++) {
				const struct fake_record *record = &partition->records[r];
				const char *value = text_or_none(record->value);
				const char *epoch = strstr(value, " epoch=");

				buf_printf(&all, "%s | %.*s | %s %s\n", text_or_none(record->key),
					(int)(epoch != NULL ? (size_t)(epoch - value) : strlen(value)), value, record->header,
					record->header_value != NULL ? (char *)record->header_value : "");
			}
		}
	}
	return buf_take(&all);
}

/* Topics come in the order of their making, which a restart may change: sorted blocks are compared. */
static int compare_blocks(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *sorted(char *text)
{
	char *blocks[256], *at = text;
	size_t count = 0;
	struct buf out;

	buf_init(&out, (size_t)1 << 26);
	while (at != NULL && *at != '\0') {
		assert_true(count < 256);
		blocks[count++] = at;
		at = strstr(at + 1, "\n== ");
		if (at != NULL)
			*at++ = '\0';
	}
	qsort(blocks, count, sizeof blocks[0], compare_blocks);
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(blocks[i]);

		/* An empty partition's topic may not have been made. */
		if (strchr(blocks[i], '|') != NULL)
			buf_printf(&out, "%.*s\n", (int)(len > 0 && blocks[i][len - 1] == '\n' ? len - 1 : len),
				blocks[i]);
	}
	free(text);
	return buf_take(&out);
}

/* Of the scripts that are made from now on. */
static bool numbered;

static char *uninterrupted(uint64_t seed, unsigned transactions)
{
	struct error err = ERROR_INIT;

	fake_kafka_reset();
	make_script(seed, transactions);
	script.numbered = numbered;
	assert_int_equal(run_once(&err), 0);
	return sorted(contents());
}

/* ---- the reference against the script, by another reckoning ---- */

static size_t count_lines(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void reference_has_what_the_script_says(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		char *text = uninterrupted(seed, 12), previous[TRANSACTION_ID_MAX] = "";
		size_t events = 0, tombstones = 0, transactions = 0, in_transaction = 0;

		for (size_t i = 0; i < script.count; i++) {
			const struct item *item = &script.items[i];
			bool keyed = item->kind == SOURCE_CHANGE && tables[item->table].key_count > 0;
			bool moves = keyed && item->op == CHANGE_UPDATE && item->old_key[0] != '\0';
			char line[400];

			if (item->kind == SOURCE_BEGIN)
				in_transaction = 0;
			if (item->kind == SOURCE_CHANGE) {
				in_transaction += moves ? 2 : 1;
				tombstones += keyed && (moves || item->op == CHANGE_DELETE);
				if (moves) {
					(void)snprintf(line, sizeof line, "| __debezium.newkey /%s\n", item->new_key);
					assert_non_null(strstr(text, line));
				}
			}
			if (item->kind != SOURCE_COMMIT || in_transaction == 0)
				continue;
			(void)snprintf(line, sizeof line, "%s | B %s | ", item->txn.id, item->txn.id);
			assert_non_null(strstr(text, line));
			(void)snprintf(line, sizeof line, "%s | F %s %zu previous=%s public.", item->txn.id,
				item->txn.id, in_transaction, previous);
			assert_non_null(strstr(text, line));
			memcpy(previous, item->txn.id, sizeof previous);
			events += in_transaction;
			transactions++;
		}
		assert_int_equal(count_lines(text, "| E "), events);
		assert_int_equal(count_lines(text, "| (none) |"), tombstones);
		assert_int_equal(count_lines(text, "| B "), transactions);
		assert_int_equal(count_lines(text, "| F "), transactions);
		free(text);
	}
}

/* ---- the property ---- */

/* PostgreSQL keeps what was confirmed at the next checkpoint only. */
static void source_may_forget(uint64_t kept)
{
	if (fake_random(3) == 0 && kept >= 1000)
		script.confirmed = kept;
}

static void interrupted(uint64_t seed, unsigned transactions, uint64_t steps, uint64_t again, const char *want)
{
	struct error err = ERROR_INIT;
	uint64_t kept = 0;
	char *have;

	fake_kafka_reset();
	make_script(seed, transactions);
	script.numbered = numbered;
	fake_kafka_seed(seed * 1000003 + steps);
	fake_kafka_trouble(5, 60);
	for (unsigned hit = 0; hit < 3; hit++) {
		fake_kafka_crash_after(hit == 0 ? steps : fake_random(again));
		if (run_once(&err) == 0)
			break;
		assert_int_equal(err.class, ERROR_RETRY);
		fake_kafka_recover();
		source_may_forget(kept);
		kept = script.confirmed;
	}
	fake_kafka_recover();
	if (run_once(&err) != 0)
		fail_msg("seed %" PRIu64 ", steps %" PRIu64 ": %s", seed, steps, err.text);
	have = sorted(contents());
	if (strcmp(have, want) != 0)
		fail_msg("seed %" PRIu64 ", steps %" PRIu64 ":\n---- want\n%s\n---- have\n%s", seed, steps, want, have);
	free(have);
}

static void end_the_world(void)
{
	const char *seeds = getenv("TAILRACE_TEST_SEEDS");
	uint64_t last = seeds != NULL ? strtoull(seeds, NULL, 10) : 12, runs = 0;

	for (uint64_t seed = 1; seed <= last; seed++) {
		unsigned transactions = 4 + (unsigned)(seed % 9);
		char *want;
		uint64_t total;

		settings.partitions = 1 + (int64_t)(seed % 4);
		settings.status_interval_us = seed % 2 == 0 ? 1000 : 20000;
		want = uninterrupted(seed, transactions);
		total = fake_steps();
		for (uint64_t steps = 0; steps < total; steps++, runs++)
			interrupted(seed, transactions, steps, total, want);
		free(want);
	}
	print_message("# %" PRIu64 " scripts, %" PRIu64 " ends of the world\n", last, runs);
}

static void every_end_of_the_world_leaves_the_same_topics(void **state)
{
	end_the_world();
}

/* The source has no slot and cannot tell where its log ends: as MySQL's. It wants to be told as soon as may be. */
static void every_end_of_the_world_with_a_numbered_log(void **state)
{
	numbered = true;
	settings.semi_sync = true;
	end_the_world();
	settings.semi_sync = false;
	numbered = false;
}

static void a_full_queue_and_late_reports_change_nothing(void **state)
{
	for (uint64_t seed = 100; seed < 120; seed++) {
		char *want = uninterrupted(seed, 20), *have;
		struct error err = ERROR_INIT;

		fake_kafka_reset();
		make_script(seed, 20);
		fake_kafka_trouble(70, 90);
		assert_int_equal(run_once(&err), 0);
		have = sorted(contents());
		assert_string_equal(have, want);
		free(have);
		free(want);
	}
}

/* ---- positions and stops ---- */

static void everything_is_confirmed_after_a_plain_stop(void **state)
{
	free(uninterrupted(7, 10));
	assert_true(script.confirmed >= script.items[script.count - 1].txn.end);
	assert_int_equal(fake_agent_figures()->lag_bytes, 0);
	assert_int_equal(fake_agent_figures()->lag_transactions, 0);
}

static void stops_as_gap(const char *word)
{
	struct error err = ERROR_INIT;

	assert_int_equal(run_once(&err), -1);
	assert_int_equal(err.class, ERROR_GAP);
	if (strstr(err.text, word) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", word, err.text);
}

static void a_slot_that_went_or_moved_is_a_gap(void **state)
{
	free(uninterrupted(7, 10));
	script.confirmed += 1000000;
	stops_as_gap("slot \"slot\" was moved");
	free(uninterrupted(7, 10));
	script.slot = false;
	stops_as_gap("does not exist");
	free(uninterrupted(7, 10));
	script.old_state = true;
	stops_as_gap("the log ends at");
}

/* What is said of a log that is counted has plain numbers and no slot. */
static void a_numbered_log_is_spelled_in_numbers(void **state)
{
	struct resume_point point = { .has_position = true, .position = { .log = "mysql:1:1", .confirmed = 20, .resume = "x" },
		.begin_commit = 30, .begin_id = "0-1-7:30" };
	struct resume_log log = { "mysql:1:1", "", 21, UINT64_MAX };
	struct produce_known known;
	struct error err = ERROR_INIT;

	assert_int_equal(resume_compare(&point, &log, &known, &err), -1);
	assert_int_equal(err.class, ERROR_GAP);
	assert_string_equal(err.text, "the server gives its log from transaction 21 on, but Kafka has it only up to 20");
	log.confirmed = 20;
	assert_int_equal(resume_compare(&point, &log, &known, &err), 0);
	assert_true(known.durable == 20 && known.head == UINT64_MAX && known.begin_commit == 30 && known.begin_in_log);
	log.head = 29;
	assert_int_equal(resume_compare(&point, &log, &known, &err), -1);
	assert_string_equal(err.text, "the log ends at 29, but Kafka has it up to 31");
}

static void what_is_shown_is_in_the_sources_words(void **state)
{
	numbered = true;
	settings.slot_name = "";
	free(uninterrupted(7, 10));
	assert_string_equal(fake_agent_figures()->position_log, "mysql:1:1");
	assert_int_equal(fake_agent_figures()->position_commit[0], '@');
	assert_int_equal(fake_agent_figures()->lag_bytes, -1);
	settings.slot_name = "slot";
	numbered = false;
}

/* A source that was opened with a number and its place must not go on from a newer number. */
static void a_position_that_moved_meanwhile_is_noticed(void **state)
{
	struct resume_point before = { .has_position = true, .position = { .confirmed = 20, .epoch = 3, .resume = "x" } };
	struct resume_point after = before, none = { .position.resume = "" };

	assert_false(resume_moved(&none, &none));
	assert_false(resume_moved(&before, &after));
	assert_true(resume_moved(&none, &after));
	after.position.epoch = 4;
	assert_true(resume_moved(&before, &after));
	after.position.epoch = 3;
	after.position.confirmed = 21;
	assert_true(resume_moved(&before, &after));
	after.position.resume = ""; /* the number says all */
	assert_false(resume_moved(&before, &after));
}

static void another_transaction_in_the_place_of_the_last_is_a_gap(void **state)
{
	free(uninterrupted(7, 10));
	/* The last record of a position is lost to us: only the marks say what there was. */
	fake_kafka_truncate("t.position", 0, 1);
	script.confirmed = 1000;
	for (size_t i = script.count; i > 0; i--)
		if (script.items[i - 1].kind == SOURCE_BEGIN || script.items[i - 1].kind == SOURCE_COMMIT)
			script.items[i - 1].txn.id[0] = '9';
	stops_as_gap("where Kafka's last transaction");
}

static void another_history_of_the_same_name_is_a_gap(void **state)
{
	free(uninterrupted(7, 10));
	/* files of an older state were put back, and the log has grown past the old end */
	script.confirmed = 1000;
	for (size_t i = script.count; i > 0; i--)
		if (script.items[i - 1].kind == SOURCE_BEGIN || script.items[i - 1].kind == SOURCE_COMMIT)
			script.items[i - 1].txn.id[0] = '9';
	stops_as_gap("where Kafka's last recorded transaction");
}

/* An agent that was paused while another took over wakes, and all it had queued lands behind the other's records. */
static void old_records_that_come_late_are_no_gap(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct error err = ERROR_INIT;
		size_t records = 0;

		settings.partitions = 1 + (int64_t)(seed % 3);
		free(uninterrupted(seed, 10));
		for (size_t t = 0; fake_kafka_topic_name(t) != NULL; t++)
			for (int p = 0; p < fake_kafka_partitions(fake_kafka_topic_name(t)); p++) {
				struct fake_partition *partition = fake_kafka_partition(fake_kafka_topic_name(t), p);

				/* two positions, of everything else the older half */
				fake_kafka_repeat(fake_kafka_topic_name(t), p,
					strcmp(fake_kafka_topic_name(t), "t.position") == 0 ? 2
											: partition->count / 2);
				records += partition->count;
			}
		if (run_once(&err) != 0)
			fail_msg("seed %" PRIu64 ": %s", seed, err.text);
		/* nothing was sent again: but positions and heartbeats */
		for (size_t t = 0; fake_kafka_topic_name(t) != NULL; t++)
			for (int p = 0; p < fake_kafka_partitions(fake_kafka_topic_name(t)); p++) {
				const char *name = fake_kafka_topic_name(t);

				if (strcmp(name, "t.position") != 0 && strcmp(name, "t.heartbeat") != 0)
					records -= fake_kafka_partition(name, p)->count;
			}
		assert_true(records <= fake_kafka_partition("t.position", 0)->count +
				fake_kafka_partition("t.heartbeat", 0)->count);
	}
}

/* Where log lines of all these runs go. */
static FILE *silence;

static int set_up(void **state)
{
	silence = fopen("/dev/null", "w");
	assert_non_null(silence);
	clock_set(&test_clock);
	net_set(&test_net);
	log_open("test", LOG_ERROR, false, fileno(silence));
	return 0;
}

static int tear_down(void **state)
{
	fake_kafka_reset();
	clock_set(NULL);
	net_set(NULL);
	(void)fclose(silence);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_has_what_the_script_says),
		cmocka_unit_test(every_end_of_the_world_leaves_the_same_topics),
		cmocka_unit_test(every_end_of_the_world_with_a_numbered_log),
		cmocka_unit_test(a_full_queue_and_late_reports_change_nothing),
		cmocka_unit_test(everything_is_confirmed_after_a_plain_stop),
		cmocka_unit_test(a_slot_that_went_or_moved_is_a_gap),
		cmocka_unit_test(a_numbered_log_is_spelled_in_numbers),
		cmocka_unit_test(what_is_shown_is_in_the_sources_words),
		cmocka_unit_test(a_position_that_moved_meanwhile_is_noticed),
		cmocka_unit_test(another_transaction_in_the_place_of_the_last_is_a_gap),
		cmocka_unit_test(another_history_of_the_same_name_is_a_gap),
		cmocka_unit_test(old_records_that_come_late_are_no_gap),
	};

	return cmocka_run_group_tests_name("capture_pipeline", tests, set_up, tear_down);
}
