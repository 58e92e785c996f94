/*
 * fake_codec.c: records as text.
 */
#include "tests/fake/fake_codec.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTS_MAX 16

struct encoder {
	char prefix[64], log[POSITION_LOG_MAX];
	uint64_t epoch;
};

struct encoder_table {
	const struct table *table;
	char topic[250];
};

struct decoder {
	int nothing;
};

/* ---- encoding ---- */

int encoder_new(const struct encoder_source *source, const struct codec_schemas *schemas, struct encoder **ret_encoder,
	struct error *err)
{
	struct encoder *encoder = calloc(1, sizeof *encoder);

	assert(encoder != NULL);
	(void)snprintf(encoder->prefix, sizeof encoder->prefix, "%s", source->prefix);
	(void)snprintf(encoder->log, sizeof encoder->log, "%s", source->log);
	encoder->epoch = source->epoch;
	*ret_encoder = encoder;
	return 0;
}

void encoder_free(struct encoder *encoder)
{
	free(encoder);
}

int codec_topic_name(const char *prefix, const struct table *table, struct buf *out, struct error *err)
{
	size_t start = out->len;

	buf_printf(out, "%s.%s.%s", prefix, table->schema, table->name);
	for (char *at = out->data + start; at < out->data + out->len; at++)
		if (*at == '$')
			*at = '_';
	return buf_check(out, "topic", err);
}

int encoder_table_new(struct encoder *encoder, const struct table *table, struct encoder_table **ret_table,
	struct error *err)
{
	struct encoder_table *et = calloc(1, sizeof *et);
	struct buf topic;
	int rc;

	assert(et != NULL);
	et->table = table;
	buf_init(&topic, sizeof et->topic);
	rc = codec_topic_name(encoder->prefix, table, &topic, err);
	(void)snprintf(et->topic, sizeof et->topic, "%s", buf_cstr(&topic));
	buf_release(&topic);
	*ret_table = et;
	return rc;
}

void encoder_table_free(struct encoder_table *et)
{
	free(et);
}

const char *encoder_table_topic(const struct encoder_table *et)
{
	return et->topic;
}

static void put_row(const struct table *table, const struct value *row, bool key_only, struct buf *out)
{
	if (row == NULL)
		buf_append_str(out, "-");
	for (size_t i = 0; row != NULL && i < table->column_count; i++) {
		if (key_only && !table->columns[i].key)
			continue;
		buf_append_byte(out, '/');
		buf_append(out, row[i].kind == VALUE_TEXT ? row[i].text.ptr : "~", row[i].kind == VALUE_TEXT ?
			row[i].text.len : 1);
	}
}

int encoder_key(const struct encoder_table *et, const struct value *row, struct buf *out, struct error *err)
{
	if (et->table->key_count > 0)
		put_row(et->table, row, true, out);
	return 0;
}

int encoder_change(const struct encoder_table *et, const struct change *chg, const struct transaction *txn,
	uint64_t previous, int64_t now_us, struct buf *out, struct error *err)
{
	buf_printf(out, "E %s %" PRIu64 " %" PRIu64 " %c before=", txn->id, chg->index, chg->table_index, chg->op);
	put_row(et->table, chg->before, chg->before_is_key, out);
	buf_append_str(out, " after=");
	put_row(et->table, chg->after, false, out);
	buf_printf(out, " previous=%" PRIu64, previous);
	return 0;
}

int encoder_begin(struct encoder *encoder, const struct transaction *txn, int64_t now_us, struct buf *key,
	struct buf *value, struct error *err)
{
	buf_append_str(key, txn->id);
	buf_printf(value, "B %s", txn->id);
	return 0;
}

int encoder_end(struct encoder *encoder, const struct transaction *txn, const char *previous_id,
	const struct transaction_count *counts, size_t count, uint64_t events, int64_t now_us, struct buf *key,
	struct buf *value, struct error *err)
{
	buf_append_str(key, txn->id);
	buf_printf(value, "F %s %" PRIu64 " previous=%s", txn->id, events, previous_id);
	for (size_t i = 0; i < count; i++)
		buf_printf(value, " %s=%" PRIu64, counts[i].collection, counts[i].events);
	buf_printf(value, " log=%s epoch=%" PRIu64, encoder->log, encoder->epoch);
	return 0;
}

int encoder_heartbeat(struct encoder *encoder, int64_t source_us, uint64_t lsn, struct buf *key, struct buf *value,
	struct error *err)
{
	buf_append_str(key, encoder->prefix);
	buf_printf(value, "H %" PRId64 " %" PRIu64, source_us, lsn);
	return 0;
}

int encoder_position(struct encoder *encoder, const struct codec_position *pos, struct buf *key, struct buf *value,
	struct error *err)
{
	buf_append_str(key, encoder->prefix);
	buf_printf(value, "P %s %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s", pos->log,
		pos->transaction_id[0] != '\0' ? pos->transaction_id : "-", pos->commit, pos->confirmed, pos->epoch,
		pos->resume != NULL && pos->resume[0] != '\0' ? pos->resume : "-");
	return 0;
}

/* ---- decoding ---- */

struct decoder *decoder_new(const struct codec_schemas *schemas)
{
	return calloc(1, sizeof(struct decoder));
}

void decoder_free(struct decoder *decoder)
{
	free(decoder);
}

static uint64_t commit_of(const char *id)
{
	return strtoull(strchr(id, ':') + 1, NULL, 10);
}

int decoder_event(struct decoder *decoder, const void *key, size_t key_len, const void *value, size_t value_len,
	struct arena *arena, struct event *ret_event, struct error *err)
{
	char id[TRANSACTION_ID_MAX], op;

	memset(ret_event, 0, sizeof *ret_event);
	if (sscanf(value, "E %159s %" SCNu64 " %" SCNu64 " %c", id, &ret_event->change.index,
		    &ret_event->change.table_index, &op) != 4)
		return error_set(err, ERROR_DATA, "no event: %s", (const char *)value);
	ret_event->change.op = (enum change_op)op;
	ret_event->transaction_id = arena_strndup(arena, id, strlen(id));
	ret_event->commit = commit_of(id);
	return 0;
}

/* "F <id> <events> previous=<id> <collection>=<n> ... log=": the words between. */
static void decode_counts(const char *value, const char *log, struct arena *arena, struct mark *ret_mark)
{
	struct mark_count *counts = arena_alloc(arena, COUNTS_MAX * sizeof *counts);
	const char *word = strstr(value, " previous=");

	assert(counts != NULL && word != NULL);
	assert(sscanf(value, "F %*s %" SCNu64, &ret_mark->events) == 1);
	ret_mark->counts = counts;
	while ((word = strchr(word + 1, ' ')) != NULL && word < log) {
		const char *equals = strchr(word, '=');

		assert(equals != NULL && ret_mark->count < COUNTS_MAX);
		counts[ret_mark->count].collection = arena_strndup(arena, word + 1, (size_t)(equals - word) - 1);
		counts[ret_mark->count++].events = strtoull(equals + 1, NULL, 10);
	}
}

int decoder_mark(struct decoder *decoder, const void *value, size_t value_len, struct arena *arena,
	struct mark *ret_mark, struct error *err)
{
	char id[TRANSACTION_ID_MAX], what;
	const char *log = strstr(value, " log="), *epoch = strstr(value, " epoch=");

	memset(ret_mark, 0, sizeof *ret_mark);
	if (sscanf(value, "%c %159s", &what, id) != 2 || (what != 'B' && what != 'F'))
		return error_set(err, ERROR_DATA, "no mark: %s", (const char *)value);
	ret_mark->end = what == 'F';
	ret_mark->id = arena_strndup(arena, id, strlen(id));
	ret_mark->commit = commit_of(id);
	if (ret_mark->end) {
		assert(log != NULL && epoch != NULL);
		ret_mark->log = arena_strndup(arena, log + 5, strcspn(log + 5, " "));
		ret_mark->epoch = strtoull(epoch + 7, NULL, 10);
		decode_counts(value, log, arena, ret_mark);
	}
	return 0;
}

int decoder_position(struct decoder *decoder, const void *value, size_t value_len, struct arena *arena,
	struct codec_position *ret_position, struct error *err)
{
	char resume[64];

	memset(ret_position, 0, sizeof *ret_position);
	if (sscanf(value, "P %159s %159s %" SCNu64 " %" SCNu64 " %" SCNu64 " %63s", ret_position->log,
		    ret_position->transaction_id, &ret_position->commit, &ret_position->confirmed, &ret_position->epoch,
		    resume) != 6)
		return error_set(err, ERROR_DATA, "no position: %s", (const char *)value);
	if (strcmp(ret_position->transaction_id, "-") == 0)
		ret_position->transaction_id[0] = '\0';
	ret_position->resume = strcmp(resume, "-") == 0 ? "" : arena_strndup(arena, resume, strlen(resume));
	return 0;
}
