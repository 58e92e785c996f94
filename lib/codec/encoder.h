/*
 * encoder.h: what encoder.c (changes) and encode_mark.c (marks, heartbeats, positions) share. Public: codec.h.
 */
#ifndef TAILRACE_CODEC_ENCODER_H
#define TAILRACE_CODEC_ENCODER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/codec/avro.h"
#include "lib/codec/codec.h"
#include "lib/codec/schema.h"

/* Most bytes that a prefix, a database's or a connector's name may have: PostgreSQL has 63, a topic 249. */
#define ENCODER_NAME_MAX 1024

/* Everything that all events of one transaction have in common, encoded once. */
struct transaction_bytes {
	bool valid;
	uint64_t commit, xid, previous, thread;
	int64_t commit_us;
	uint32_t server_id;
	char id[TRANSACTION_ID_MAX];
	unsigned char source_ts_ms[AVRO_LONG_MAX];
	unsigned char source_ts[2 * (1 + AVRO_LONG_MAX)]; /* ts_us, ts_ns with their branches */
	unsigned char txid[1 + AVRO_LONG_MAX];
	char sequence[32]; /* ["<previous>"," */
	unsigned char server[AVRO_LONG_MAX + 1 + AVRO_LONG_MAX + TRANSACTION_GTID_MAX]; /* server_id, gtid */
	unsigned char thread_query[1 + AVRO_LONG_MAX + 1];
	unsigned char block[1 + AVRO_LONG_MAX + TRANSACTION_ID_MAX]; /* branch of `transaction`, id */
	size_t source_ts_ms_len, source_ts_len, txid_len, sequence_len, server_len, thread_query_len, block_len;
};

struct encoder {
	const struct codec_schemas *schemas;
	enum schema_source source;
	char *prefix;
	char *log;
	uint64_t epoch;
	unsigned char *source_head; /* version, connector, name, encoded */
	size_t source_head_len;
	unsigned char *source_db; /* PostgreSQL: else it is the table's */
	size_t source_db_len;
	unsigned char wire[SCHEMA_FIXED_COUNT][AVRO_WIRE_HEADER];
	struct transaction_bytes txn;
};

/* Milliseconds, rounded down also before 1970. */
static inline int64_t encoder_ms(int64_t us)
{
	return us / 1000 - (us % 1000 < 0);
}

/* One of a topic's two schemas. */
struct encoder_schema {
	const char *topic;
	bool key;
	const char *text;
	unsigned char *ret_wire; /* AVRO_WIRE_HEADER bytes: what goes before each message of it */
};

/* Registers them together, at most SCHEMA_FIXED_COUNT. */
int encoder_register(struct encoder *encoder, const struct encoder_schema *list, size_t count, struct error *err);
/* The schemas that do not depend on a table. */
int encoder_register_fixed(struct encoder *encoder, struct error *err);

#endif
