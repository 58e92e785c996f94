/*
 * decoder.c: plans by schema id, and the shapes that they give.
 */
#include "lib/codec/decoder.h"

#include <stdlib.h>
#include <string.h>

struct decoder *decoder_new(const struct codec_schemas *schemas)
{
	struct decoder *decoder = calloc(1, sizeof *decoder);

	if (decoder != NULL)
		decoder->schemas = schemas;
	return decoder;
}

static void plan_free(struct plan *plan)
{
	if (plan == NULL)
		return;
	arena_release(&plan->arena);
	free(plan);
}

void decoder_free(struct decoder *decoder)
{
	if (decoder == NULL)
		return;
	for (size_t i = 0; i < decoder->plan_count; i++)
		plan_free(decoder->plans[i]);
	free(decoder->plans);
	free(decoder->tables);
	free(decoder->table_hashes);
	free(decoder);
}

/* ---- plans ---- */

static int build_fixed(struct plan *plan, const struct avro_type *type, struct error *err)
{
	static const char *const transaction[] = { "status", "id", "event_count", "data_collections", "ts_ms", "previous", "log",
		"epoch", "ts_us" };
	static const char *const collection[] = { "data_collection", "event_count" };
	static const char *const heartbeat[] = { "ts_ms", "ts_us", "lsn" };
	static const char *const position[] = { "log", "transaction_id", "commit", "confirmed", "epoch", "wall_us",
		"resume" };
	const struct avro_type *list;

	if (plan->kind == PLAN_HEARTBEAT)
		return record_plan_build(type, heartbeat, HEARTBEAT_FIELD_COUNT, &plan->arena, &plan->record, err);
	if (plan->kind == PLAN_POSITION)
		return record_plan_build(type, position, POSITION_FIELD_COUNT, &plan->arena, &plan->record, err);
	if (record_plan_build(type, transaction, TRANSACTION_FIELD_COUNT, &plan->arena, &plan->record, err) < 0)
		return -1;
	for (size_t i = 0; i < type->count; i++) {
		if (plan->record.targets[i] != TRANSACTION_DATA_COLLECTIONS)
			continue;
		list = type->members[i];
		plan->collections_null = -1;
		if (list->kind == KIND_UNION && list->count == 2) {
			plan->collections_null = list->members[0]->kind == KIND_NULL ? 0 : 1;
			list = list->members[1 - plan->collections_null];
		}
		if (list->kind != KIND_ARRAY || list->members[0]->kind != KIND_RECORD || list->members[0]->empty)
			return error_set(err, ERROR_DATA, "its data_collections is no list of records");
		return record_plan_build(list->members[0], collection, COLLECTION_FIELD_COUNT, &plan->arena, &plan->collection,
			err);
	}
	return 0;
}

static int build_plan(struct plan *plan, const struct avro_type *type, struct error *err)
{
	if (plan->kind == PLAN_EVENT)
		return envelope_plan_build(type, &plan->arena, &plan->event, err);
	if (type->kind != KIND_RECORD)
		return error_set(err, ERROR_DATA, "it is no record");
	if (plan->kind != PLAN_KEY)
		return build_fixed(plan, type, err);
	plan->key_columns = arena_alloc(&plan->arena, (type->count + 1) * sizeof *plan->key_columns);
	if (plan->key_columns == NULL)
		return arena_error(&plan->arena, err);
	return row_plan_build(type, true, &plan->arena, &plan->key, err);
}

static struct plan *plan_new(struct decoder *decoder, int32_t id, enum plan_kind kind, struct error *err)
{
	struct plan *plan = calloc(1, sizeof *plan);
	const struct avro_type *type;
	json_t *json = NULL;
	const char *text;
	int rc = -1;

	if (plan == NULL) {
		(void)error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	plan->id = id;
	plan->kind = kind;
	arena_init(&plan->arena, DECODER_PLAN_BYTES_MAX);
	if (decoder->schemas->text(decoder->schemas->context, id, &text, err) < 0 ||
		avro_type_parse(text, &plan->arena, &json, &type, err) < 0 || build_plan(plan, type, err) < 0)
		goto out;
	plan->name = type->name != NULL ? type->name : "";
	rc = 0;
out:
	json_decref(json);
	if (rc < 0) {
		plan_free(plan);
		return NULL;
	}
	return plan;
}

/* Where the id is, or would be, in the sorted list. */
static size_t plan_place(const struct decoder *decoder, int32_t id)
{
	size_t low = 0, high = decoder->plan_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (decoder->plans[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int plan_insert(struct decoder *decoder, size_t place, struct plan *plan, struct error *err)
{
	if (decoder->plan_count == DECODER_SCHEMAS_MAX)
		return error_set(err, ERROR_DATA, "more than %d schemas", DECODER_SCHEMAS_MAX);
	if (decoder->plan_count == decoder->plan_size) {
		size_t size = decoder->plan_size == 0 ? 16 : decoder->plan_size * 2;
		struct plan **plans = realloc(decoder->plans, size * sizeof *plans);

		if (plans == NULL)
			return error_set(err, ERROR_RETRY, "out of memory");
		decoder->plans = plans;
		decoder->plan_size = size;
	}
	memmove(decoder->plans + place + 1, decoder->plans + place, (decoder->plan_count - place) * sizeof *decoder->plans);
	decoder->plans[place] = plan;
	decoder->plan_count++;
	return 0;
}

int decoder_plan(struct decoder *decoder, struct avro_reader *in, enum plan_kind kind, const char *what,
	struct plan **ret_plan, struct error *err)
{
	struct plan *plan;
	size_t place;
	int32_t id;

	if (avro_left(in) < AVRO_WIRE_HEADER || in->at[0] != 0) {
		(void)error_set(err, ERROR_DATA, "%s does not begin with byte 0 and a schema id", what);
		return error_hint(err, "the topic must be written in Avro with Confluent's wire format");
	}
	id = (int32_t)((uint32_t)in->at[1] << 24 | (uint32_t)in->at[2] << 16 | (uint32_t)in->at[3] << 8 | in->at[4]);
	in->at += AVRO_WIRE_HEADER;
	plan = decoder->recent[(uint32_t)id % DECODER_RECENT];
	if (plan == NULL || plan->id != id) {
		place = plan_place(decoder, id);
		plan = place < decoder->plan_count && decoder->plans[place]->id == id ? decoder->plans[place] : NULL;
		if (plan == NULL) {
			plan = plan_new(decoder, id, kind, err);
			if (plan == NULL)
				return error_prefix(err, "schema %d of %s", (int)id, what);
			if (plan_insert(decoder, place, plan, err) < 0) {
				plan_free(plan);
				return -1;
			}
		}
		decoder->recent[(uint32_t)id % DECODER_RECENT] = plan;
	}
	if (plan->kind != kind)
		return error_set(err, ERROR_DATA, "%s has schema %d (\"%.200s\"), which was met as something else", what, (int)id,
			plan->name);
	*ret_plan = plan;
	return 0;
}

/* ---- shapes ---- */

static uint32_t hash_name(const char *schema, size_t schema_len, const char *name, size_t name_len)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < schema_len; i++)
		hash = (hash ^ (unsigned char)schema[i]) * 16777619u;
	hash *= 16777619u;
	for (size_t i = 0; i < name_len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	return hash;
}

/* Numbers the shape among all and among those of the same name. */
static int register_table(struct decoder *decoder, struct table *table, struct error *err)
{
	uint32_t hash = hash_name(table->schema, strlen(table->schema), table->name, strlen(table->name));

	if (decoder->table_count == DECODER_TABLES_MAX)
		return error_set(err, ERROR_DATA, "more than %d shapes of tables", DECODER_TABLES_MAX);
	if (decoder->table_count == decoder->table_size) {
		size_t size = decoder->table_size == 0 ? 16 : decoder->table_size * 2;
		const struct table **tables = realloc(decoder->tables, size * sizeof *tables);
		uint32_t *hashes;

		if (tables == NULL)
			return error_set(err, ERROR_RETRY, "out of memory");
		decoder->tables = tables;
		hashes = realloc(decoder->table_hashes, size * sizeof *hashes);
		if (hashes == NULL)
			return error_set(err, ERROR_RETRY, "out of memory");
		decoder->table_hashes = hashes;
		decoder->table_size = size;
	}
	table->version = 1;
	for (size_t i = 0; i < decoder->table_count; i++)
		if (decoder->table_hashes[i] == hash && strcmp(decoder->tables[i]->schema, table->schema) == 0 &&
			strcmp(decoder->tables[i]->name, table->name) == 0)
			table->version++;
	table->slot = (uint32_t)decoder->table_count;
	decoder->tables[decoder->table_count] = table;
	decoder->table_hashes[decoder->table_count++] = hash;
	return 0;
}

/* The columns with the key that a foreign key schema names. */
static const struct column *foreign_columns(struct decoder *decoder, struct plan *plan, int32_t key_id,
	struct error *err)
{
	const struct row_plan *row = &plan->event.row;
	struct column *columns = arena_memdup(&plan->arena, row->columns, row->count * sizeof *columns);
	unsigned char header[AVRO_WIRE_HEADER] = { 0, (unsigned char)((uint32_t)key_id >> 24),
		(unsigned char)((uint32_t)key_id >> 16), (unsigned char)((uint32_t)key_id >> 8), (unsigned char)key_id };
	struct avro_reader in = { header, header + sizeof header };
	struct plan *key;

	if (columns == NULL) {
		(void)arena_error(&plan->arena, err);
		return NULL;
	}
	if (key_id == 0)
		return columns;
	if (decoder_plan(decoder, &in, PLAN_KEY, "message key", &key, err) < 0)
		return NULL;
	for (size_t i = 0; i < row->count; i++)
		for (size_t j = 0; j < key->key.count; j++)
			if (strcmp(columns[i].name, key->key.columns[j].name) == 0)
				columns[i].key = true;
	return columns;
}

static int table_new(struct decoder *decoder, struct plan *plan, const char *schema, size_t schema_len, const char *name,
	size_t name_len, int32_t key_id, struct plan_table **ret_table, struct error *err)
{
	const struct row_plan *row = &plan->event.row;
	struct plan_table *shape = arena_zalloc(&plan->arena, sizeof *shape);
	size_t *key = arena_alloc(&plan->arena, (row->count + 1) * sizeof *key);
	const struct column *columns = row->columns;

	if (shape == NULL || key == NULL)
		return arena_error(&plan->arena, err);
	if (memchr(schema, '\0', schema_len) != NULL || memchr(name, '\0', name_len) != NULL)
		return error_set(err, ERROR_DATA, "the table's name has a zero byte");
	shape->schema_len = schema_len;
	shape->name_len = name_len;
	shape->key_id = key_id;
	shape->table.schema = arena_strndup(&plan->arena, schema, schema_len);
	shape->table.name = arena_strndup(&plan->arena, name, name_len);
	if (shape->table.schema == NULL || shape->table.name == NULL)
		return arena_error(&plan->arena, err);
	if (!plan->event.ours) {
		columns = foreign_columns(decoder, plan, key_id, err);
		if (columns == NULL)
			return -1;
	}
	shape->table.columns = columns;
	shape->table.column_count = row->count;
	shape->table.key = key;
	for (size_t i = 0; i < row->count; i++)
		if (columns[i].key)
			key[shape->table.key_count++] = i;
	shape->table.identity = plan->event.identity;
	shape->table.binlog = plan->event.binlog;
	if (register_table(decoder, &shape->table, err) < 0)
		return -1;
	*ret_table = shape;
	return 0;
}

int decoder_table(struct decoder *decoder, struct plan *plan, const char *schema, size_t schema_len, const char *name,
	size_t name_len, int32_t key_id, const struct table **ret_table, struct error *err)
{
	struct plan_table *shape;

	if (plan->event.ours)
		key_id = 0;
	for (shape = plan->tables; shape != NULL; shape = shape->next)
		if (shape->schema_len == schema_len && shape->name_len == name_len && shape->key_id == key_id &&
			memcmp(shape->table.schema, schema, schema_len) == 0 && memcmp(shape->table.name, name, name_len) == 0)
			break;
	if (shape == NULL) {
		if (table_new(decoder, plan, schema, schema_len, name, name_len, key_id, &shape, err) < 0)
			return -1;
		shape->next = plan->tables;
		plan->tables = shape;
	}
	*ret_table = &shape->table;
	return 0;
}

bool decoder_commit(const char *id, size_t len, uint64_t *ret_commit)
{
	const char *at = id + len, *end = id + len;
	uint64_t commit = 0;

	while (at > id && at[-1] != ':')
		at--;
	if (at == id || at == end)
		return false;
	for (; at < end; at++) {
		unsigned digit = (unsigned)(unsigned char)*at - '0';

		if (digit > 9 || __builtin_mul_overflow(commit, 10, &commit) || __builtin_add_overflow(commit, digit, &commit))
			return false;
	}
	*ret_commit = commit;
	return true;
}
