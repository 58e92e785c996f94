/*
 * decoder.h: what decoder.c (plans), decode_event.c (changes and keys) and decode_mark.c (marks, heartbeats,
 * positions) share. Public: codec.h.
 */
#ifndef TAILRACE_CODEC_DECODER_H
#define TAILRACE_CODEC_DECODER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/codec/codec.h"
#include "lib/codec/decode_plan.h"

#define DECODER_SCHEMAS_MAX 65536               /* plans of one decoder */
#define DECODER_TABLES_MAX 65536                /* shapes of one decoder */
#define DECODER_PLAN_BYTES_MAX ((size_t)16 << 20) /* one plan with its shapes */
#define DECODER_RECENT 256                      /* a power of two */

enum plan_kind { PLAN_EVENT, PLAN_KEY, PLAN_TRANSACTION, PLAN_HEARTBEAT, PLAN_POSITION };

enum transaction_field {
	TRANSACTION_STATUS,
	TRANSACTION_ID,
	TRANSACTION_EVENT_COUNT,
	TRANSACTION_DATA_COLLECTIONS,
	TRANSACTION_TS_MS,
	TRANSACTION_PREVIOUS,
	TRANSACTION_LOG,
	TRANSACTION_EPOCH,
	TRANSACTION_TS_US,
	TRANSACTION_FIELD_COUNT
};
enum collection_field { COLLECTION_NAME, COLLECTION_EVENT_COUNT, COLLECTION_FIELD_COUNT };
enum heartbeat_field { HEARTBEAT_TS_MS, HEARTBEAT_TS_US, HEARTBEAT_LSN, HEARTBEAT_FIELD_COUNT };
enum position_field {
	POSITION_LOG,
	POSITION_TRANSACTION_ID,
	POSITION_COMMIT,
	POSITION_CONFIRMED,
	POSITION_EPOCH,
	POSITION_WALL_US,
	POSITION_RESUME,
	POSITION_FIELD_COUNT
};

/* One shape that events of a schema id have. With Debezium's topic routing several tables may share an id. */
struct plan_table {
	struct plan_table *next;
	size_t schema_len, name_len;
	int32_t key_id; /* of a foreign writer, whose value schema does not tell the key; else 0 */
	struct table table;
};

struct plan {
	int32_t id;
	enum plan_kind kind;
	struct arena arena; /* everything below */
	const char *name;   /* of the root record, for messages */
	struct envelope_plan event;
	struct plan_table *tables;
	struct row_plan key;
	/* decoder_key(): where the fields go in the table that was met last. */
	const struct table *key_table;
	size_t *key_columns;
	struct record_plan record;     /* of a mark, heartbeat or position */
	struct record_plan collection; /* of data_collections */
	int collections_null;          /* data_collections' null branch, -1: no union */
};

struct decoder {
	const struct codec_schemas *schemas;
	struct plan *recent[DECODER_RECENT]; /* by the id's lowest bits */
	struct plan **plans;                 /* sorted by id */
	size_t plan_count, plan_size;
	const struct table **tables; /* by slot */
	uint32_t *table_hashes;      /* of schema and name, by slot */
	size_t table_count, table_size;
};

/* The plan for the message that `in` stands at, whose five first bytes are passed. `what` names the message. */
int decoder_plan(struct decoder *decoder, struct avro_reader *in, enum plan_kind kind, const char *what,
	struct plan **ret_plan, struct error *err);

/*
 * The shape for an event of this table. key_id: of the message's key, 0 without one; used for a foreign writer
 * only.
 */
int decoder_table(struct decoder *decoder, struct plan *plan, const char *schema, size_t schema_len, const char *name,
	size_t name_len, int32_t key_id, const struct table **ret_table, struct error *err);

/* The commit position in "<xid>:<commit>"; false if there is none. */
bool decoder_commit(const char *id, size_t len, uint64_t *ret_commit);

/* An LSN or count: 64 unsigned bits in Avro's long. */
static inline uint64_t decoder_unsigned(const struct scalar *scalar)
{
	return scalar->kind == SCALAR_NUMBER ? (uint64_t)scalar->number : 0;
}

#endif
