/*
 * capture_pipeline_script.c: a random log, a source that reads it, and one run of the pipeline over it.
 */
#include "tests/unit/capture_pipeline_script.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/pipeline.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/net.h"
#include "tests/fake/fake_agent.h"
#include "tests/fake/fake_kafka.h"

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

bool script_numbered;

static const struct column columns[] = {
	{ .name = "id", .type = COLUMN_STRING, .key = true, .source_type = "text" },
	{ .name = "v", .type = COLUMN_STRING, .source_type = "text" },
};
static const size_t key[] = { 0 };
const struct table script_tables[SCRIPT_TABLES] = {
	{ "public", "a", columns, 2, key, 1, IDENTITY_KEY, 0, 1, false },
	{ "public", "b", columns, 2, key, 1, IDENTITY_FULL, 1, 1, false },
	{ "public", "nokey", columns, 2, NULL, 0, IDENTITY_FULL, 2, 1, false },
	{ "public", "a", columns, 2, key, 1, IDENTITY_KEY, 3, 2, false }, /* the first one after a change of its shape */
};

struct script script;
static struct item items[ITEMS_MAX];

struct item *script_add(enum source_item_kind kind)
{
	struct item *item = &items[script.count++];

	assert_true(script.count < ITEMS_MAX);
	memset(item, 0, sizeof *item);
	item->kind = kind;
	return item;
}

static void add_change(void)
{
	struct item *item = script_add(SOURCE_CHANGE);
	uint64_t dice = fake_random(100);

	item->table = (unsigned)fake_random(SCRIPT_TABLES);
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
	struct item *begin = script_add(SOURCE_BEGIN);
	uint64_t changes = fake_random(8) == 0 ? 0 : 1 + fake_random(6);
	struct item *commit;

	for (uint64_t i = 0; i < changes; i++)
		add_change();
	commit = script_add(SOURCE_COMMIT);
	script.head += 8;
	begin->txn = (struct transaction){ .commit = script.head, .xid = xid, .commit_us = now_us };
	(void)snprintf(begin->txn.id, sizeof begin->txn.id, "%" PRIu64 ":%" PRIu64, xid, script.head);
	script.head += 8;
	commit->txn = begin->txn;
	commit->txn.end = script.head;
}

void script_make(uint64_t seed, unsigned transactions)
{
	memset(&script, 0, sizeof script);
	fake_kafka_seed(seed);
	script.items = items;
	script.head = 1000;
	script.numbered = script_numbered;
	for (unsigned n = 0; n < transactions; n++) {
		add_transaction(700 + n);
		if (fake_random(3) == 0)
			script_add(fake_random(2) == 0 ? SOURCE_HEARTBEAT : SOURCE_PROGRESS)->lsn = script.head;
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
	const struct table *table = &script_tables[item->table];
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
static int visit_tables(struct source *src, source_table_visit *visit, void *context, struct error *err)
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
	.tables = visit_tables,
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
	uint64_t recorded = 0, last_end = 0, end;

	for (size_t i = 0; i < positions->durable; i++)
		assert_int_equal(sscanf(positions->records[i].value, "P %*s %*s %*u %" SCNu64, &recorded), 1);
	for (size_t i = 0; i < marks->durable; i++)
		if (sscanf(marks->records[i].value, "F %*u:%" SCNu64, &end) == 1 && end > last_end)
			last_end = end;
	for (size_t i = 0, changes = 0; i < script.count; i++) {
		const struct item *item = &script.items[i];

		changes = item->kind == SOURCE_BEGIN ? 0 : changes + (item->kind == SOURCE_CHANGE);
		if (item->kind == SOURCE_COMMIT && item->txn.end <= lsn && changes > 0 && item->txn.commit > last_end)
			return false;
	}
	return recorded >= lsn;
}

/* ---- running, and what it left ---- */

struct capture_settings script_settings = {
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

int script_run(struct error *err)
{
	static const struct source_ops *const sources[] = { &script_source, NULL };
	static struct pipeline_context context;
	int result;

	pipeline_init(&context, &script_settings, sources);
	fake_agent_want(AGENT_WANT_RUN);
	result = pipeline_run(&context, err);
	pipeline_release(&context);
	return result;
}

static const char *text_or_none(const void *text)
{
	return text != NULL ? text : "(none)";
}

/* Each partition's durable records without epoch. */
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

char *script_contents(void)
{
	return sorted(contents());
}

char *script_uninterrupted(uint64_t seed, unsigned transactions)
{
	struct error err = ERROR_INIT;

	fake_kafka_reset();
	script_make(seed, transactions);
	assert_int_equal(script_run(&err), 0);
	return script_contents();
}

/* Where log lines of all these runs go. */
static FILE *silence;

int script_set_up(void **state)
{
	silence = fopen("/dev/null", "w");
	assert_non_null(silence);
	clock_set(&test_clock);
	net_set(&test_net);
	log_open("test", LOG_ERROR, false, fileno(silence));
	return 0;
}

int script_tear_down(void **state)
{
	fake_kafka_reset();
	clock_set(NULL);
	net_set(NULL);
	(void)fclose(silence);
	return 0;
}
