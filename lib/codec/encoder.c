/*
 * encoder.c: a change -> a Debezium envelope.
 *
 *   0, schema id | before | after | source | transaction | op | ts_ms ts_us ts_ns | unchanged | exact
 *   source: version connector name | ts_ms | snapshot | db | sequence | ts_us ts_ns | then
 *           PostgreSQL:     schema table | txId | lsn | xmin origin origin_lsn
 *           MySQL, MariaDB: table | server_id gtid | file pos row | thread query      (and sequence is null)
 *
 * The size is measured first (fixed part + encode_value_bound() of each value), then everything is written without
 * checks into that room. What does not change is encoded beforehand: per encoder, per table, and per transaction
 * (struct transaction_bytes).
 */
#include "lib/codec/encoder.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"

#include "lib/codec/digits.h"
#include "lib/codec/encode_value.h"
#include "lib/codec/names.h"

#define SEQUENCE_MAX (sizeof "[\"\",\"\"]" + 2 * DIGITS_MAX)
/* Everything in an event but rows, source_head, source_db, the table's names and the transaction's id. */
#define EVENT_FIXED_MAX (AVRO_WIRE_HEADER + 32 * (1 + AVRO_LONG_MAX) + SEQUENCE_MAX + 64)

struct encoder_table {
	struct encoder *encoder;
	struct table *table; /* our copy */
	char *topic;
	char **fields;               /* Avro names of the columns */
	struct column_plan *columns; /* of the row */
	struct column_plan *keys;    /* of the key record, in the order of table->key */
	unsigned char key_wire[AVRO_WIRE_HEADER];
	unsigned char value_wire[AVRO_WIRE_HEADER];
	unsigned char *source_db;    /* schema as `db`, encoded; empty for PostgreSQL */
	unsigned char *source_table; /* schema and table, or table alone behind its branch, encoded */
	size_t source_db_len, source_table_len;
};

/* ---- encoder ---- */

static void put_wire(unsigned char wire[AVRO_WIRE_HEADER], int32_t id)
{
	wire[0] = 0;
	for (int i = 0; i < 4; i++)
		wire[1 + i] = (unsigned char)((uint32_t)id >> (24 - 8 * i));
}

int encoder_register(struct encoder *encoder, const struct encoder_schema *list, size_t count, struct error *err)
{
	const struct codec_schemas *schemas = encoder->schemas;
	struct codec_registration wanted[SCHEMA_FIXED_COUNT];
	struct buf subjects[SCHEMA_FIXED_COUNT];
	int rc = -1;

	if (count == 0 || count > SCHEMA_FIXED_COUNT)
		return error_set(err, ERROR_BUG, "%zu schemas to register at once", count);
	for (size_t i = 0; i < count; i++) {
		buf_init(&subjects[i], ENCODER_NAME_MAX);
		buf_printf(&subjects[i], "%s-%s", list[i].topic, list[i].key ? "key" : "value");
		wanted[i] = (struct codec_registration){ buf_cstr(&subjects[i]), list[i].text, 0 };
	}
	for (size_t i = 0; i < count; i++)
		if (buf_check(&subjects[i], "the schema's subject", err) < 0)
			goto out;
	if (schemas->ids(schemas->context, wanted, count, err) < 0) {
		if (count == 1)
			(void)error_prefix(err, "schema of %s", wanted[0].subject);
		else
			(void)error_prefix(err, "schemas of %s and %zu more", wanted[0].subject, count - 1);
		goto out;
	}
	for (size_t i = 0; i < count; i++)
		put_wire(list[i].ret_wire, wanted[i].id);
	rc = 0;
out:
	for (size_t i = 0; i < count; i++)
		buf_release(&subjects[i]);
	return rc;
}

/* An allocated copy of texts as Avro strings, one behind the other. */
static unsigned char *encode_strings(const char *const *texts, size_t count, size_t *ret_len)
{
	size_t size = 1;
	unsigned char *bytes, *at;

	for (size_t i = 0; i < count; i++)
		size += AVRO_LONG_MAX + strlen(texts[i]);
	bytes = malloc(size);
	if (bytes == NULL)
		return NULL;
	at = bytes;
	for (size_t i = 0; i < count; i++)
		at = avro_put_str(at, texts[i]);
	*ret_len = (size_t)(at - bytes);
	return bytes;
}

static bool source_of(const char *connector, enum schema_source *ret_source)
{
	static const char *const connectors[] = { [SCHEMA_SOURCE_POSTGRESQL] = "postgresql",
		[SCHEMA_SOURCE_MYSQL] = "mysql", [SCHEMA_SOURCE_MARIADB] = "mariadb" };

	for (size_t i = 0; i < sizeof connectors / sizeof connectors[0]; i++)
		if (strcmp(connector, connectors[i]) == 0) {
			*ret_source = (enum schema_source)i;
			return true;
		}
	return false;
}

int encoder_new(const struct encoder_source *source, const struct codec_schemas *schemas, struct encoder **ret_encoder,
	struct error *err)
{
	const char *const head[] = { PACKAGE_VERSION, source->connector, source->prefix };
	enum schema_source record;
	struct encoder *encoder;

	if (!source_of(source->connector, &record))
		return error_set(err, ERROR_BUG, "no source record for connector \"%s\"", source->connector);
	if (strlen(source->prefix) > ENCODER_NAME_MAX / 2 || strlen(source->database) > ENCODER_NAME_MAX)
		return error_set(err, ERROR_CONFIG, "topic prefix or database name is too long");
	encoder = calloc(1, sizeof *encoder);
	if (encoder == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	encoder->schemas = schemas;
	encoder->source = record;
	encoder->epoch = source->epoch;
	encoder->prefix = strdup(source->prefix);
	encoder->log = strdup(source->log);
	encoder->source_head = encode_strings(head, sizeof head / sizeof head[0], &encoder->source_head_len);
	encoder->source_db = encode_strings(&source->database, 1, &encoder->source_db_len);
	if (encoder->prefix == NULL || encoder->log == NULL || encoder->source_head == NULL || encoder->source_db == NULL) {
		encoder_free(encoder);
		return error_set(err, ERROR_RETRY, "out of memory");
	}
	if (encoder_register_fixed(encoder, err) < 0) {
		encoder_free(encoder);
		return -1;
	}
	*ret_encoder = encoder;
	return 0;
}

void encoder_free(struct encoder *encoder)
{
	if (encoder == NULL)
		return;
	free(encoder->prefix);
	free(encoder->log);
	free(encoder->source_head);
	free(encoder->source_db);
	free(encoder);
}

/* ---- table ---- */

static int register_table(struct encoder_table *et, struct error *err)
{
	struct encoder_schema list[2];
	struct buf key, value;
	size_t count = 0;
	int rc = -1;

	buf_init(&key, SCHEMA_TEXT_MAX);
	buf_init(&value, SCHEMA_TEXT_MAX);
	if (et->table->key_count > 0) {
		if (schema_key(&key, et->topic, et->table, et->fields, err) < 0)
			goto out;
		list[count++] = (struct encoder_schema){ et->topic, true, buf_cstr(&key), et->key_wire };
	}
	if (schema_envelope(&value, et->topic, et->encoder->source, et->table, et->fields, err) < 0)
		goto out;
	list[count++] = (struct encoder_schema){ et->topic, false, buf_cstr(&value), et->value_wire };
	rc = encoder_register(et->encoder, list, count, err);
out:
	buf_release(&key);
	buf_release(&value);
	return rc;
}

static int table_plans(struct encoder_table *et, struct error *err)
{
	const struct table *table = et->table;
	const char *const names[] = { table->schema, table->name };
	bool binlog = et->encoder->source != SCHEMA_SOURCE_POSTGRESQL;

	et->columns = calloc(table->column_count + 1, sizeof *et->columns);
	et->keys = calloc(table->key_count + 1, sizeof *et->keys);
	et->source_db = encode_strings(names, binlog ? 1 : 0, &et->source_db_len);
	et->source_table = encode_strings(binlog ? names + 1 : names, binlog ? 1 : 2, &et->source_table_len);
	if (et->columns == NULL || et->keys == NULL || et->source_db == NULL || et->source_table == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (size_t i = 0; i < table->column_count; i++)
		encode_value_plan(&table->columns[i], false, &et->columns[i]);
	for (size_t i = 0; i < table->key_count; i++)
		encode_value_plan(&table->columns[table->key[i]], true, &et->keys[i]);
	return 0;
}

int encoder_table_new(struct encoder *encoder, const struct table *table, struct encoder_table **ret_table,
	struct error *err)
{
	struct encoder_table *et = calloc(1, sizeof *et);
	struct buf topic;

	if (et == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	buf_init(&topic, ENCODER_NAME_MAX);
	et->encoder = encoder;
	et->table = table_copy(table);
	if (et->table == NULL) {
		(void)error_set(err, ERROR_RETRY, "out of memory");
		goto fail;
	}
	if (codec_topic_name(encoder->prefix, table, &topic, err) < 0)
		goto fail;
	et->topic = buf_take(&topic);
	if (et->topic == NULL) {
		(void)error_set(err, ERROR_RETRY, "out of memory");
		goto fail;
	}
	if (names_fields(et->table, &et->fields, err) < 0 || table_plans(et, err) < 0 || register_table(et, err) < 0)
		goto fail;
	*ret_table = et;
	return 0;
fail:
	buf_release(&topic);
	encoder_table_free(et);
	return -1;
}

void encoder_table_free(struct encoder_table *et)
{
	if (et == NULL)
		return;
	free(et->table);
	free(et->topic);
	free(et->fields);
	free(et->columns);
	free(et->keys);
	free(et->source_db);
	free(et->source_table);
	free(et);
}

const char *encoder_table_topic(const struct encoder_table *et)
{
	return et->topic;
}

static int unfit(const struct encoder_table *et, size_t column, enum error_class class, const char *reason,
	struct error *err)
{
	const struct column *col = &et->table->columns[column];

	return error_set(err, class, "column \"%s\" of table %s.%s (%s) %s", col->name, et->table->schema, et->table->name,
		*col->source_type != '\0' ? col->source_type : column_type_name(col->type), reason);
}

/* ---- key ---- */

int encoder_key(const struct encoder_table *et, const struct value *row, struct buf *out, struct error *err)
{
	const struct table *table = et->table;
	size_t bound = AVRO_WIRE_HEADER;
	unsigned char *start, *at;

	if (table->key_count == 0)
		return 0;
	for (size_t i = 0; i < table->key_count; i++)
		bound += encode_value_bound(&et->keys[i], &row[table->key[i]]);
	start = (unsigned char *)buf_room(out, bound);
	if (start == NULL)
		return buf_check(out, "the message key", err);
	at = avro_put_raw(start, et->key_wire, AVRO_WIRE_HEADER);
	for (size_t i = 0; i < table->key_count; i++) {
		const struct value *val = &row[table->key[i]];
		const char *reason;

		if (val->kind == VALUE_NULL || val->kind == VALUE_UNCHANGED)
			return unfit(et, table->key[i], ERROR_DATA, "is part of the key, and the log does not carry its value", err);
		at = encode_value(&et->keys[i], val, at, &reason);
		if (at == NULL)
			return unfit(et, table->key[i], val->kind == VALUE_EXACT ? ERROR_DATA : ERROR_BUG, reason, err);
	}
	out->len += (size_t)(at - start);
	return 0;
}

/* ---- change ---- */

/* One image of a row. Of a key_only one, the columns outside of the key mean nothing. */
struct row {
	const struct encoder_table *et;
	const struct value *values; /* NULL: no such image */
	bool key_only;
	const char *name_prefix; /* of its columns in `unchanged` and `exact` */
};

/* What of the rows goes into `unchanged` and `exact`. */
struct extras {
	size_t unchanged, exact;
	size_t bound;
};

static inline bool row_has(const struct row *row, size_t column)
{
	return !row->key_only || row->et->table->columns[column].key;
}

static inline bool needs_exact(const struct row *row, size_t column)
{
	const struct value *val = &row->values[column];

	return val->kind == VALUE_EXACT || (val->kind == VALUE_TEXT && row->et->columns[column].type == COLUMN_INTERVAL);
}

static size_t row_bound(const struct row *row, struct extras *extras)
{
	const struct encoder_table *et = row->et;
	size_t bound = 1;

	for (size_t i = 0; row->values != NULL && i < et->table->column_count; i++) {
		const struct value *val = &row->values[i];

		bound++;
		if (!row_has(row, i))
			continue;
		bound += encode_value_bound(&et->columns[i], val);
		if (val->kind == VALUE_UNCHANGED) {
			extras->unchanged++;
			extras->bound += AVRO_LONG_MAX + strlen(row->name_prefix) + strlen(et->fields[i]);
		} else if (needs_exact(row, i)) {
			extras->exact++;
			extras->bound += 2 * AVRO_LONG_MAX + strlen(row->name_prefix) + strlen(et->fields[i]) + val->text.len;
		}
	}
	return bound;
}

/* NULL and err. */
static unsigned char *put_row(const struct row *row, unsigned char *at, struct error *err)
{
	const struct encoder_table *et = row->et;

	if (row->values == NULL)
		return avro_put_branch(at, 0);
	at = avro_put_branch(at, 1);
	for (size_t i = 0; i < et->table->column_count; i++) {
		const struct value *val = &row->values[i];
		const char *reason;

		if (val->kind == VALUE_NULL || val->kind == VALUE_UNCHANGED || val->kind == VALUE_EXACT || !row_has(row, i)) {
			at = avro_put_branch(at, 0);
			continue;
		}
		at = encode_value(&et->columns[i], val, avro_put_branch(at, 1), &reason);
		if (at == NULL) {
			(void)unfit(et, i, ERROR_BUG, reason, err);
			return NULL;
		}
	}
	return at;
}

/* Microseconds as nanoseconds with a union's branch; null where they do not fit (beyond 1677 .. 2262). */
static unsigned char *put_optional_ns(unsigned char *at, int64_t us)
{
	int64_t ns;

	if (__builtin_mul_overflow(us, 1000, &ns))
		return avro_put_branch(at, 0);
	return avro_put_optional_long(at, ns);
}

/* What MySQL's and MariaDB's records have of the transaction. */
static void refresh_server(struct transaction_bytes *bytes, const struct transaction *txn)
{
	unsigned char *at = avro_put_long(bytes->server, (int64_t)txn->server_id);

	at = txn->gtid[0] == '\0' ? avro_put_branch(at, 0) : avro_put_str(avro_put_branch(at, 1), txn->gtid);
	bytes->server_len = (size_t)(at - bytes->server);
	at = bytes->thread_query;
	at = txn->thread == 0 ? avro_put_branch(at, 0) : avro_put_optional_long(at, (int64_t)txn->thread);
	at = avro_put_branch(at, 0); /* query */
	bytes->thread_query_len = (size_t)(at - bytes->thread_query);
}

static void refresh_transaction(struct encoder *encoder, const struct transaction *txn, uint64_t previous)
{
	struct transaction_bytes *bytes = &encoder->txn;
	unsigned char *at;
	char *text = bytes->sequence;

	if (bytes->valid && bytes->commit == txn->commit && bytes->xid == txn->xid && bytes->previous == previous &&
		bytes->commit_us == txn->commit_us && bytes->server_id == txn->server_id && bytes->thread == txn->thread &&
		strcmp(bytes->id, txn->id) == 0)
		return;
	bytes->valid = true;
	bytes->commit = txn->commit;
	bytes->xid = txn->xid;
	bytes->previous = previous;
	bytes->commit_us = txn->commit_us;
	bytes->server_id = txn->server_id;
	bytes->thread = txn->thread;
	memcpy(bytes->id, txn->id, sizeof bytes->id);
	bytes->source_ts_ms_len =
		(size_t)(avro_put_long(bytes->source_ts_ms, encoder_ms(txn->commit_us)) - bytes->source_ts_ms);
	at = avro_put_optional_long(bytes->source_ts, txn->commit_us);
	at = put_optional_ns(at, txn->commit_us);
	bytes->source_ts_len = (size_t)(at - bytes->source_ts);
	bytes->txid_len = (size_t)(avro_put_optional_long(bytes->txid, (int64_t)txn->xid) - bytes->txid);
	if (previous == 0) {
		memcpy(text, "[null,\"", 7);
		bytes->sequence_len = 7;
	} else {
		memcpy(text, "[\"", 2);
		bytes->sequence_len = 2 + digits_put(text + 2, previous);
		memcpy(text + bytes->sequence_len, "\",\"", 3);
		bytes->sequence_len += 3;
	}
	refresh_server(bytes, txn);
	if (txn->id[0] == '\0') {
		bytes->block_len = 0;
	} else {
		at = avro_put_branch(bytes->block, 1);
		bytes->block_len = (size_t)(avro_put_str(at, txn->id) - bytes->block);
	}
}

/* What the connectors have in common before `db`. */
static unsigned char *put_source_head(const struct encoder *encoder, const struct change *chg, unsigned char *at)
{
	at = avro_put_raw(at, encoder->source_head, encoder->source_head_len);
	at = avro_put_raw(at, encoder->txn.source_ts_ms, encoder->txn.source_ts_ms_len);
	return avro_put_str(avro_put_branch(at, 0), chg->op == CHANGE_READ ? "incremental" : "false");
}

static unsigned char *put_source_binlog(const struct encoder_table *et, const struct change *chg, size_t file_len,
	unsigned char *at)
{
	const struct transaction_bytes *txn = &et->encoder->txn;

	at = put_source_head(et->encoder, chg, at);
	at = avro_put_raw(at, et->source_db, et->source_db_len);
	at = avro_put_branch(at, 0); /* sequence */
	at = avro_put_raw(at, txn->source_ts, txn->source_ts_len);
	at = avro_put_raw(avro_put_branch(at, 1), et->source_table, et->source_table_len);
	at = avro_put_raw(at, txn->server, txn->server_len);
	at = avro_put_bytes(at, chg->file, file_len);
	at = avro_put_long(at, (int64_t)chg->lsn);
	at = avro_put_long(at, chg->row > INT32_MAX ? INT32_MAX : (int64_t)chg->row);
	return avro_put_raw(at, txn->thread_query, txn->thread_query_len);
}

static unsigned char *put_source_postgres(const struct encoder_table *et, const struct change *chg, unsigned char *at)
{
	const struct encoder *encoder = et->encoder;
	const struct transaction_bytes *txn = &encoder->txn;
	char lsn[DIGITS_MAX];
	size_t lsn_len = digits_put(lsn, chg->lsn);

	at = put_source_head(encoder, chg, at);
	at = avro_put_raw(at, encoder->source_db, encoder->source_db_len);
	at = avro_put_long(avro_put_branch(at, 1), (int64_t)(txn->sequence_len + lsn_len + 2));
	at = avro_put_raw(at, txn->sequence, txn->sequence_len);
	at = avro_put_raw(at, lsn, lsn_len);
	at = avro_put_raw(at, "\"]", 2);
	at = avro_put_raw(at, txn->source_ts, txn->source_ts_len);
	at = avro_put_raw(at, et->source_table, et->source_table_len);
	at = avro_put_raw(at, txn->txid, txn->txid_len);
	at = avro_put_optional_long(at, (int64_t)chg->lsn);
	memset(at, 0, 3); /* xmin, origin, origin_lsn: null */
	return at + 3;
}

/* From `transaction` to ts_ns. */
static unsigned char *put_middle(const struct encoder_table *et, const struct change *chg, int64_t now_us,
	unsigned char *at)
{
	const struct transaction_bytes *txn = &et->encoder->txn;

	if (txn->block_len == 0) {
		at = avro_put_branch(at, 0);
	} else {
		at = avro_put_raw(at, txn->block, txn->block_len);
		at = avro_put_long(at, (int64_t)chg->index);
		at = avro_put_long(at, (int64_t)chg->table_index);
	}
	*at++ = 1 << 1;
	*at++ = (unsigned char)chg->op;
	at = avro_put_optional_long(at, encoder_ms(now_us));
	at = avro_put_optional_long(at, now_us);
	return put_optional_ns(at, now_us);
}

static unsigned char *put_field_name(const struct row *row, size_t column, unsigned char *at)
{
	const char *field = row->et->fields[column];
	size_t prefix_len = strlen(row->name_prefix), len = strlen(field);

	at = avro_put_long(at, (int64_t)(prefix_len + len));
	at = avro_put_raw(at, row->name_prefix, prefix_len);
	return avro_put_raw(at, field, len);
}

static unsigned char *put_unchanged(const struct row *row, unsigned char *at)
{
	for (size_t i = 0; row->values != NULL && i < row->et->table->column_count; i++)
		if (row_has(row, i) && row->values[i].kind == VALUE_UNCHANGED)
			at = put_field_name(row, i, at);
	return at;
}

static unsigned char *put_exact(const struct row *row, unsigned char *at)
{
	for (size_t i = 0; row->values != NULL && i < row->et->table->column_count; i++)
		if (row_has(row, i) && needs_exact(row, i))
			at = avro_put_bytes(put_field_name(row, i, at), row->values[i].text.ptr, row->values[i].text.len);
	return at;
}

/* The words that Debezium's contract has no place for; the map is free in a truncate. */
static const char *truncate_words(const struct change *chg)
{
	return chg->truncate_cascade ? (chg->truncate_restart_identity ? "restart identity cascade" : "cascade") :
				       "restart identity";
}

static unsigned char *put_extras(const struct change *chg, const struct row *before, const struct row *after,
	const struct extras *extras, unsigned char *at)
{
	if (extras->unchanged == 0) {
		at = avro_put_branch(at, 0);
	} else {
		at = avro_put_long(avro_put_branch(at, 1), (int64_t)extras->unchanged);
		at = put_unchanged(after, put_unchanged(before, at));
		at = avro_put_long(at, 0);
	}
	if (extras->exact > 0) {
		at = avro_put_long(avro_put_branch(at, 1), (int64_t)extras->exact);
		at = put_exact(after, put_exact(before, at));
		return avro_put_long(at, 0);
	}
	if (chg->op == CHANGE_TRUNCATE && (chg->truncate_cascade || chg->truncate_restart_identity)) {
		at = avro_put_long(avro_put_branch(at, 1), 1);
		at = avro_put_str(avro_put_str(at, "truncate"), truncate_words(chg));
		return avro_put_long(at, 0);
	}
	return avro_put_branch(at, 0);
}

int encoder_change(const struct encoder_table *et, const struct change *chg, const struct transaction *txn,
	uint64_t previous, int64_t now_us, struct buf *out, struct error *err)
{
	struct encoder *encoder = et->encoder;
	const struct row before = { et, chg->before, chg->before_is_key, "before:" };
	const struct row after = { et, chg->after, false, "" };
	struct extras extras = { 0, 0, 4 * AVRO_LONG_MAX + sizeof "truncate" + sizeof "restart identity cascade" };
	size_t file_len = chg->file == NULL ? 0 : strlen(chg->file);
	size_t bound = EVENT_FIXED_MAX + encoder->source_head_len + encoder->source_db_len + et->source_db_len +
		et->source_table_len + sizeof encoder->txn.server + sizeof encoder->txn.block + file_len;
	unsigned char *start, *at;

	bound += row_bound(&before, &extras);
	bound += row_bound(&after, &extras);
	refresh_transaction(encoder, txn, previous);
	start = (unsigned char *)buf_room(out, bound + extras.bound);
	if (start == NULL) {
		(void)buf_check(out, "the event", err);
		return error_prefix(err, "table %s.%s", et->table->schema, et->table->name);
	}
	at = avro_put_raw(start, et->value_wire, AVRO_WIRE_HEADER);
	at = put_row(&before, at, err);
	if (at == NULL)
		return -1;
	at = put_row(&after, at, err);
	if (at == NULL)
		return -1;
	at = encoder->source == SCHEMA_SOURCE_POSTGRESQL ? put_source_postgres(et, chg, at) :
							    put_source_binlog(et, chg, file_len, at);
	at = put_middle(et, chg, now_us, at);
	at = put_extras(chg, &before, &after, &extras, at);
	out->len += (size_t)(at - start);
	return 0;
}
