/*
 * store.c: records of `_schemas` -> tables in memory. The rules are in store.h.
 *
 * Record layout (Confluent Schema Registry, kafka.store): key and value are JSON.
 *     key    {"keytype":"SCHEMA","subject":"s","version":1,"magic":1}
 *     value  {"subject":"s","version":1,"id":1,"schema":"<text>","deleted":false}, null: the version is gone for good
 *     key    {"keytype":"DELETE_SUBJECT","subject":"s","magic":0}, value {"subject":"s","version":3}: versions up to
 *     3 are deleted
 *     key    {"keytype":"CLEAR_SUBJECT",...}: the same, for good
 *     key    {"keytype":"NOOP" | "CONFIG" | "MODE" | ...}: nothing for us
 */
#include "lib/registry/store.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define BYTES_MAX (32 * 1024 * 1024)
#define VERSIONS_MAX 100000

/* ---- life cycle ---- */

void store_init(struct store *store)
{
	memset(store, 0, sizeof *store);
	(void)pthread_mutex_init(&store->mutex, NULL);
}

void store_release(struct store *store)
{
	struct schema *schema, *next_schema;
	struct subject *subject, *next_subject;

	HASH_CLEAR(by_text, store->by_text);
	HASH_ITER(by_id, store->by_id, schema, next_schema)
	{
		HASH_DELETE(by_id, store->by_id, schema);
		free(schema->text);
		free(schema);
	}
	HASH_ITER(hh, store->subjects, subject, next_subject)
	{
		HASH_DEL(store->subjects, subject);
		free(subject->versions);
		free(subject->name);
		free(subject);
	}
	(void)pthread_mutex_destroy(&store->mutex);
}

/* ---- looking up ---- */

struct schema *store_schema(struct store *store, int32_t id)
{
	struct schema *schema;

	HASH_FIND(by_id, store->by_id, &id, sizeof id, schema);
	return schema;
}

struct schema *store_schema_by_text(struct store *store, const char *text)
{
	struct schema *schema;

	HASH_FIND(by_text, store->by_text, text, strlen(text), schema);
	return schema;
}

struct subject *store_subject(struct store *store, const char *name)
{
	struct subject *subject;

	HASH_FIND(hh, store->subjects, name, strlen(name), subject);
	return subject;
}

struct version *store_version(struct subject *subject, const char *text)
{
	for (size_t i = subject->count; i-- > 0;)
		if (!subject->versions[i].deleted && strcmp(subject->versions[i].schema->text, text) == 0)
			return &subject->versions[i];
	return NULL;
}

struct version *store_version_by_number(struct subject *subject, int32_t number)
{
	for (size_t i = subject->count; i-- > 0;)
		if (subject->versions[i].number == number)
			return &subject->versions[i];
	return NULL;
}

struct version *store_latest(struct subject *subject)
{
	for (size_t i = subject->count; i-- > 0;)
		if (!subject->versions[i].deleted)
			return &subject->versions[i];
	return NULL;
}

/* ---- adding ---- */

static int out_of_room(struct error *err)
{
	return error_set(err, ERROR_CONFIG, "topic \"_schemas\" holds more than %d MiB of schemas", BYTES_MAX >> 20);
}

static char *copy_text(struct store *store, const char *text)
{
	size_t len = strlen(text);
	char *copy;

	if (len > BYTES_MAX - store->bytes)
		return NULL;
	copy = strdup(text);
	if (copy != NULL)
		store->bytes += len;
	return copy;
}

static struct schema *add_schema(struct store *store, int32_t id, const char *text)
{
	struct schema *schema = calloc(1, sizeof *schema);

	if (schema == NULL)
		return NULL;
	schema->id = id;
	schema->text = copy_text(store, text);
	if (schema->text == NULL) {
		free(schema);
		return NULL;
	}
	HASH_ADD(by_id, store->by_id, id, sizeof schema->id, schema);
	if (store_schema_by_text(store, text) == NULL)
		HASH_ADD_KEYPTR(by_text, store->by_text, schema->text, strlen(schema->text), schema);
	return schema;
}

static struct subject *add_subject(struct store *store, const char *name)
{
	struct subject *subject = calloc(1, sizeof *subject);

	if (subject == NULL)
		return NULL;
	subject->name = copy_text(store, name);
	if (subject->name == NULL) {
		free(subject);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, store->subjects, subject->name, strlen(subject->name), subject);
	return subject;
}

static struct version *add_version(struct subject *subject, int32_t number)
{
	size_t at = subject->count;

	if (subject->count == subject->size) {
		size_t size = subject->size == 0 ? 4 : subject->size * 2;
		struct version *grown;

		if (size > VERSIONS_MAX)
			return NULL;
		grown = realloc(subject->versions, size * sizeof *grown);
		if (grown == NULL)
			return NULL;
		subject->versions = grown;
		subject->size = size;
	}
	while (at > 0 && subject->versions[at - 1].number > number)
		at--;
	memmove(&subject->versions[at + 1], &subject->versions[at], (subject->count - at) * sizeof *subject->versions);
	memset(&subject->versions[at], 0, sizeof *subject->versions);
	subject->versions[at].number = number;
	subject->count++;
	return &subject->versions[at];
}

/* ---- records ---- */

static void remove_version(struct subject *subject, struct version *version)
{
	size_t at = (size_t)(version - subject->versions);

	memmove(version, version + 1, (subject->count - at - 1) * sizeof *version);
	subject->count--;
}

static int apply_schema(struct store *store, const char *name, int32_t number, int32_t id, const char *text,
	bool deleted, struct error *err)
{
	struct subject *subject = store_subject(store, name);
	struct version *version = subject != NULL ? store_version_by_number(subject, number) : NULL;
	struct schema *schema = store_schema(store, id);

	if (id > store->last_id)
		store->last_id = id;
	if (version != NULL && (version->schema->id != id || strcmp(version->schema->text, text) != 0)) {
		version->contested = true;
		return 0;
	}
	if (schema != NULL && strcmp(schema->text, text) != 0)
		return 0; /* lost the race for the id; its writer takes another */
	if (schema == NULL && (schema = add_schema(store, id, text)) == NULL)
		return out_of_room(err);
	if (subject == NULL && (subject = add_subject(store, name)) == NULL)
		return out_of_room(err);
	if (version == NULL && (version = add_version(subject, number)) == NULL)
		return out_of_room(err);
	version->schema = schema;
	version->deleted = deleted;
	version->contested = false;
	return 0;
}

static void apply_delete(struct store *store, const char *name, int32_t up_to, bool for_good)
{
	struct subject *subject = store_subject(store, name);

	for (size_t i = subject != NULL ? subject->count : 0; i-- > 0;) {
		if (subject->versions[i].number > up_to)
			continue;
		if (for_good)
			remove_version(subject, &subject->versions[i]);
		else
			subject->versions[i].deleted = true;
	}
}

static void apply_tombstone(struct store *store, const char *name, int32_t number)
{
	struct subject *subject = store_subject(store, name);
	struct version *version = subject != NULL ? store_version_by_number(subject, number) : NULL;

	if (version != NULL)
		remove_version(subject, version);
}

/* Text of a member, NULL if it is missing or no text; a number in 1 .. 2^31-1, 0 if it is none. */
static const char *get_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static int32_t get_number(const json_t *object, const char *name)
{
	json_int_t number = json_integer_value(json_object_get(object, name));

	return number > 0 && number <= INT32_MAX ? (int32_t)number : 0;
}

static int apply_objects(struct store *store, const json_t *key, const json_t *value, struct error *err)
{
	const char *type = get_text(key, "keytype"), *name = get_text(key, "subject");
	int32_t number = get_number(key, "version");

	if (type == NULL || name == NULL)
		return 0;
	if (strcmp(type, "DELETE_SUBJECT") == 0 || strcmp(type, "CLEAR_SUBJECT") == 0) {
		if (value != NULL)
			apply_delete(store, name, get_number(value, "version"), type[0] == 'C');
		return 0;
	}
	if (strcmp(type, "SCHEMA") != 0 || number == 0)
		return 0;
	if (value == NULL) {
		apply_tombstone(store, name, number);
		return 0;
	}
	if (get_number(value, "id") == 0 || get_text(value, "schema") == NULL)
		return 0;
	return apply_schema(store, name, number, get_number(value, "id"), get_text(value, "schema"),
		json_is_true(json_object_get(value, "deleted")), err);
}

int store_apply(struct store *store, const void *key, size_t key_len, const void *value, size_t value_len,
	struct error *err)
{
	json_t *key_object = NULL, *value_object = NULL;
	int rc = 0;

	if (key == NULL)
		return 0;
	key_object = json_loadb(key, key_len, 0, NULL);
	if (value != NULL)
		value_object = json_loadb(value, value_len, JSON_DECODE_ANY, NULL);
	/* the text "null" deletes as a null value does; anything else that is no object is not a registry's */
	if (key_object != NULL && (value == NULL || json_is_null(value_object)))
		rc = apply_objects(store, key_object, NULL, err);
	else if (key_object != NULL && json_is_object(value_object))
		rc = apply_objects(store, key_object, value_object, err);
	json_decref(key_object);
	json_decref(value_object);
	return rc;
}
