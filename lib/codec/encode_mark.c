/*
 * encode_mark.c: messages that belong to no table: BEGIN and END of transactions, heartbeats, positions.
 *
 * Their records are fixed (schemas/), so each is a row of puts in the order of its fields.
 */
#include <string.h>

#include "lib/codec/encoder.h"

#include "lib/codec/names.h"

#define TOPIC_NAME_MAX 512

int encoder_register_fixed(struct encoder *encoder, struct error *err)
{
	static const struct {
		const char *topic;
		bool key;
	} places[SCHEMA_FIXED_COUNT] = {
		[SCHEMA_TRANSACTION_KEY] = { "transaction", true },
		[SCHEMA_TRANSACTION_VALUE] = { "transaction", false },
		[SCHEMA_HEARTBEAT_KEY] = { "heartbeat", true },
		[SCHEMA_HEARTBEAT_VALUE] = { "heartbeat", false },
		[SCHEMA_POSITION_KEY] = { "position", true },
		[SCHEMA_POSITION_VALUE] = { "position", false },
	};
	struct encoder_schema list[SCHEMA_FIXED_COUNT];
	struct buf topics[SCHEMA_FIXED_COUNT];
	int rc = 0;

	for (size_t i = 0; i < SCHEMA_FIXED_COUNT; i++) {
		buf_init(&topics[i], TOPIC_NAME_MAX);
		names_append_kafka(&topics[i], encoder->prefix);
		buf_printf(&topics[i], ".%s", places[i].topic);
		list[i] = (struct encoder_schema){ buf_cstr(&topics[i]), places[i].key, schema_fixed((enum schema_fixed)i),
			encoder->wire[i] };
		if (rc == 0)
			rc = buf_check(&topics[i], "the topic's name", err);
	}
	if (rc == 0)
		rc = encoder_register(encoder, list, SCHEMA_FIXED_COUNT, err);
	for (size_t i = 0; i < SCHEMA_FIXED_COUNT; i++)
		buf_release(&topics[i]);
	return rc;
}

/* Room for a message whose fields need at most `body` bytes, its five first bytes written; NULL and err. */
static unsigned char *message_start(const struct encoder *encoder, enum schema_fixed which, size_t body, struct buf *out,
	struct error *err)
{
	unsigned char *at = (unsigned char *)buf_room(out, AVRO_WIRE_HEADER + body);

	if (at == NULL) {
		(void)buf_check(out, "the message", err);
		return NULL;
	}
	return avro_put_raw(at, encoder->wire[which], AVRO_WIRE_HEADER);
}

static void message_end(struct buf *out, const unsigned char *at)
{
	out->len = (size_t)((const char *)at - out->data);
}

/* A key of one string. */
static int put_key(const struct encoder *encoder, enum schema_fixed which, const char *text, struct buf *key,
	struct error *err)
{
	unsigned char *at = message_start(encoder, which, AVRO_LONG_MAX + strlen(text), key, err);

	if (at == NULL)
		return -1;
	message_end(key, avro_put_str(at, text));
	return 0;
}

/* The source's time of the commit, or ours where it has none. */
static int64_t boundary_us(const struct transaction *txn, int64_t now_us)
{
	return txn->commit_us != 0 ? txn->commit_us : now_us;
}

int encoder_begin(struct encoder *encoder, const struct transaction *txn, int64_t now_us, struct buf *key,
	struct buf *value, struct error *err)
{
	int64_t us = boundary_us(txn, now_us);
	unsigned char *at;

	if (put_key(encoder, SCHEMA_TRANSACTION_KEY, txn->id, key, err) < 0)
		return -1;
	at = message_start(encoder, SCHEMA_TRANSACTION_VALUE, 8 * AVRO_LONG_MAX + strlen(txn->id), value, err);
	if (at == NULL)
		return -1;
	at = avro_put_str(at, "BEGIN");
	at = avro_put_str(at, txn->id);
	at = avro_put_branch(at, 0); /* event_count */
	at = avro_put_branch(at, 0); /* data_collections */
	at = avro_put_long(at, encoder_ms(us));
	memset(at, 0, 3); /* previous, log, epoch: null */
	message_end(value, avro_put_optional_long(at + 3, us));
	return 0;
}

int encoder_end(struct encoder *encoder, const struct transaction *txn, const char *previous_id,
	const struct transaction_count *counts, size_t count, uint64_t events, int64_t now_us, struct buf *key,
	struct buf *value, struct error *err)
{
	size_t bound = 16 * AVRO_LONG_MAX + strlen(txn->id) + strlen(previous_id) + strlen(encoder->log);
	int64_t us = boundary_us(txn, now_us);
	unsigned char *at;

	for (size_t i = 0; i < count; i++)
		bound += 2 * AVRO_LONG_MAX + strlen(counts[i].collection);
	if (put_key(encoder, SCHEMA_TRANSACTION_KEY, txn->id, key, err) < 0)
		return -1;
	at = message_start(encoder, SCHEMA_TRANSACTION_VALUE, bound, value, err);
	if (at == NULL)
		return -1;
	at = avro_put_str(at, "END");
	at = avro_put_str(at, txn->id);
	at = avro_put_optional_long(at, (int64_t)events);
	at = avro_put_branch(at, 1);
	if (count > 0)
		at = avro_put_long(at, (int64_t)count);
	for (size_t i = 0; i < count; i++)
		at = avro_put_long(avro_put_str(at, counts[i].collection), (int64_t)counts[i].events);
	at = avro_put_long(at, 0);
	at = avro_put_long(at, encoder_ms(us));
	at = avro_put_str(avro_put_branch(at, 1), previous_id);
	at = avro_put_str(avro_put_branch(at, 1), encoder->log);
	at = avro_put_optional_long(at, (int64_t)encoder->epoch);
	message_end(value, avro_put_optional_long(at, us));
	return 0;
}

int encoder_heartbeat(struct encoder *encoder, int64_t source_us, uint64_t lsn, struct buf *key, struct buf *value,
	struct error *err)
{
	unsigned char *at;

	if (put_key(encoder, SCHEMA_HEARTBEAT_KEY, encoder->prefix, key, err) < 0)
		return -1;
	at = message_start(encoder, SCHEMA_HEARTBEAT_VALUE, 4 * AVRO_LONG_MAX, value, err);
	if (at == NULL)
		return -1;
	at = avro_put_long(at, encoder_ms(source_us));
	at = avro_put_optional_long(at, source_us);
	message_end(value, avro_put_optional_long(at, (int64_t)lsn));
	return 0;
}

int encoder_position(struct encoder *encoder, const struct codec_position *pos, struct buf *key, struct buf *value,
	struct error *err)
{
	const char *resume = pos->resume == NULL ? "" : pos->resume;
	size_t resume_len = strlen(resume);
	unsigned char *at;

	if (resume_len >= CODEC_RESUME_MAX) {
		(void)error_set(err, ERROR_CONFIG, "what the position record must say about the log has %zu bytes, more than %zu",
			resume_len, CODEC_RESUME_MAX - 1);
		return error_hint(err, "the server's GTID set is too fragmented");
	}
	if (put_key(encoder, SCHEMA_POSITION_KEY, encoder->prefix, key, err) < 0)
		return -1;
	at = message_start(encoder, SCHEMA_POSITION_VALUE,
		8 * AVRO_LONG_MAX + sizeof pos->log + sizeof pos->transaction_id + resume_len, value, err);
	if (at == NULL)
		return -1;
	at = avro_put_str(at, pos->log);
	at = avro_put_str(at, pos->transaction_id);
	at = avro_put_long(at, (int64_t)pos->commit);
	at = avro_put_long(at, (int64_t)pos->confirmed);
	at = avro_put_long(at, (int64_t)pos->epoch);
	at = avro_put_long(at, pos->wall_us);
	at = resume_len == 0 ? avro_put_branch(at, 0) : avro_put_bytes(avro_put_branch(at, 1), resume, resume_len);
	message_end(value, at);
	return 0;
}
