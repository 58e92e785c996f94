/*
 * codec.h: changes and transaction marks <-> the bytes of Kafka messages (Avro in Confluent's wire format).
 *
 * The event contract is Debezium's: schemas/README.md lists every record, and which optional fields are ours. Encoding needs a shape
 * (struct table), from which the schema text is built and registered once (struct encoder_table). Decoding needs only the bytes and the
 * registry: it goes by the writer's schema, so a message is read as it was meant, whatever the shapes are by now.
 *
 * Own Avro code in the hot path, checked in tests against avro-c and (in Python) fastavro.
 * One thread each. The only reader of schemas.
 */
#ifndef TAILRACE_CODEC_CODEC_H
#define TAILRACE_CODEC_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/change.h"

/* ---- schemas: how the codec asks for ids and texts; lib/registry implements it, a unit test fakes it ---- */
struct codec_registration {
	const char *subject, *schema;
	int32_t id; /* out */
};

struct codec_schemas {
	void *context;
	/*
	 * The ids under which these schema texts stand for their subjects. Those that do not stand there are registered,
	 * together: what it costs is waiting for Kafka, once for all of them.
	 */
	int (*ids)(void *context, struct codec_registration *list, size_t count, struct error *err);
	/* The text of an id; valid as long as the registry. An unknown id is ERROR_DATA. */
	int (*text)(void *context, int32_t id, const char **ret_schema, struct error *err);
};

/* ---- names ---- */
/*
 * "<prefix>.<schema>.<table>", each part reduced to Kafka's alphabet (anything else becomes '_'). Returns -1 with
 * ERROR_CONFIG if the result is longer than 249 bytes. The caller refuses two tables with one name.
 */
int codec_topic_name(const char *prefix, const struct table *table, struct buf *out, struct error *err);

/* ---- encoding (capture) ---- */
struct encoder;       /* one per source */
struct encoder_table; /* one per struct table: topic, schema ids, a plan per column */

struct encoder_source {
	const char *connector; /* "postgresql", "mysql", "mariadb": decides which Source record the events carry */
	const char *prefix;    /* topic.prefix, also source.name and transaction topic's prefix */
	const char *database; /* PostgreSQL's; of MySQL and MariaDB, source.db is the table's schema */
	const char *log; /* position.h: identity of the log, goes into each END */
	uint64_t epoch;  /* of this capture agent's run, goes into each END */
};

/* Copies everything it is given except *schemas, which must live as long. Registers the transaction, heartbeat and position schemas. */
int encoder_new(const struct encoder_source *source, const struct codec_schemas *schemas, struct encoder **ret_encoder,
	struct error *err);
void encoder_free(struct encoder *encoder);

/* Builds and registers key and value schema of this shape. Does not keep `table`'s memory beyond table's own life. */
int encoder_table_new(struct encoder *encoder, const struct table *table, struct encoder_table **ret_table,
	struct error *err);
void encoder_table_free(struct encoder_table *et);
const char *encoder_table_topic(const struct encoder_table *et);

/*
 * Appends the message key for the row (before or after image); appends nothing when the table has no key (the Kafka key is
 * then null). ERROR_DATA naming table and column when a key column is missing from the row.
 */
int encoder_key(const struct encoder_table *et, const struct value *row, struct buf *out, struct error *err);

/* Appends the message value. `previous` is the commit of the transaction before, for source.sequence. now_us: wall time. */
int encoder_change(const struct encoder_table *et, const struct change *chg, const struct transaction *txn,
	uint64_t previous, int64_t now_us, struct buf *out, struct error *err);

/* One table's part in a transaction, for END. */
struct transaction_count {
	const char *collection; /* "schema.table", unsanitised */
	uint64_t events;
};

/* Transaction topic. Key and value are appended to their buffers. previous_id: id of the transaction before in the chain, "" for the first. */
int encoder_begin(struct encoder *encoder, const struct transaction *txn, int64_t now_us, struct buf *key,
	struct buf *value, struct error *err);
int encoder_end(struct encoder *encoder, const struct transaction *txn, const char *previous_id,
	const struct transaction_count *counts, size_t count, uint64_t events, int64_t now_us, struct buf *key,
	struct buf *value, struct error *err);

/* Heartbeat topic: ts_ms of the source's clock when the heartbeat was written into the log, and its LSN. */
int encoder_heartbeat(struct encoder *encoder, int64_t source_us, uint64_t lsn, struct buf *key, struct buf *value,
	struct error *err);

#define CODEC_RESUME_MAX ((size_t)512 << 10)

/* Position topic (compacted, key = prefix): everything up to `confirmed` is durable in Kafka; `transaction_id`: last END. */
struct codec_position {
	char log[POSITION_LOG_MAX];
	char transaction_id[TRANSACTION_ID_MAX];
	uint64_t commit;    /* of transaction_id, 0 if none yet */
	uint64_t confirmed; /* the slot may be told this */
	uint64_t epoch;
	int64_t wall_us;
	/*
	 * source.h: resume(); NULL or "": nothing (PostgreSQL). At most CODEC_RESUME_MAX bytes with its end. From decoder_position():
	 * in the arena.
	 */
	const char *resume;
};
int encoder_position(struct encoder *encoder, const struct codec_position *pos, struct buf *key, struct buf *value,
	struct error *err);

/* ---- decoding (apply; capture's look at the topics' tails) ---- */
struct decoder; /* caches plans by schema id */

struct decoder *decoder_new(const struct codec_schemas *schemas); /* NULL: memory is short */
void decoder_free(struct decoder *decoder);

/*
 * A decoded event. Values borrow from the message's bytes and from the arena. change.table is the decoder's, with the shape that the
 * writer had (its slot identifies it) and lives as long as the decoder. Columns that the message names in `unchanged` are
 * VALUE_UNCHANGED, those in `exact` VALUE_EXACT.
 */
struct event {
	struct change change;
	const char *transaction_id; /* NUL-terminated, in the arena */
	uint64_t commit;            /* taken from transaction_id */
	int64_t source_us;          /* commit time at the source */
};

/* key may be NULL (length 0). With a key, the key columns of a delete's before image are filled from it too when absent. */
int decoder_event(struct decoder *decoder, const void *key, size_t key_len, const void *value, size_t value_len,
	struct arena *arena, struct event *ret_event, struct error *err);

/* Decodes a Kafka key of an event topic into values of the key columns, as in header __debezium.oldkey. `table` is the event's. */
int decoder_key(struct decoder *decoder, const struct table *table, const void *key, size_t key_len,
	struct arena *arena, struct value *ret_row /* column_count values, others VALUE_NULL */, struct error *err);

struct mark_count {
	const char *collection;
	uint64_t events;
};

struct mark {
	bool end; /* else BEGIN */
	const char *id;
	uint64_t commit; /* taken from id */
	uint64_t events; /* END */
	const struct mark_count *counts;
	size_t count;
	const char *previous_id; /* END: "" for the first of the chain */
	const char *log;         /* END */
	uint64_t epoch;          /* END */
	int64_t source_us;       /* commit time at the source: ts_ms' microseconds where known */
};

int decoder_mark(struct decoder *decoder, const void *value, size_t value_len, struct arena *arena,
	struct mark *ret_mark, struct error *err);
int decoder_heartbeat(struct decoder *decoder, const void *value, size_t value_len, struct arena *arena,
	int64_t *ret_source_us, uint64_t *ret_lsn, struct error *err);
int decoder_position(struct decoder *decoder, const void *value, size_t value_len, struct arena *arena,
	struct codec_position *ret_position, struct error *err);

#endif
