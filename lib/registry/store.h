/*
 * store.h: what the topic `_schemas` says, in memory: schemas by id and by text, versions by subject.
 *
 * Private to lib/registry. store_apply() takes the records in the order of the log. Rules, so that every reader
 * comes to the same result, also after compaction, which keeps the last record of each key:
 *   - an id belongs to the text of the first record that names it; a later record with another text under that id is
 *     void;
 *   - a version of a subject belongs to the first valid record with its key; a later one with another schema is
 *     void, and makes the version `contested`: its key now ends with the wrong record, and a compaction would let
 *     that one win. Whoever may write repeats the valid record (registry.c), which ends the contest;
 *   - a tombstone frees a version, not the id.
 *
 * All functions but store_init() and store_release() expect the caller to hold `mutex`.
 */
#ifndef TAILRACE_REGISTRY_STORE_H
#define TAILRACE_REGISTRY_STORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_FUNCTION HASH_SAX /* the default one falls through switch labels without saying so */
#include <uthash.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

struct schema {
	int32_t id;
	char *text;
	UT_hash_handle by_id;
	UT_hash_handle by_text; /* the lowest id that has the text, as a rule the only one */
};

struct version {
	int32_t number;
	struct schema *schema;
	bool deleted;   /* softly: not listed, its id still resolves */
	bool contested; /* see above */
};

struct subject {
	char *name;
	struct version *versions; /* rising numbers */
	size_t count, size;
	UT_hash_handle hh;
};

struct store {
	pthread_mutex_t mutex;
	struct schema *by_id, *by_text;
	struct subject *subjects;
	int32_t last_id; /* highest that any record named */
	size_t bytes; /* of texts and names */
};

void store_init(struct store *store);
void store_release(struct store *store);

/* One record. What is no record of a registry is ignored; -1 and ERROR_CONFIG when the store's limits are reached. */
int store_apply(struct store *store, const void *key, size_t key_len, const void *value, size_t value_len,
	struct error *err);

struct schema *store_schema(struct store *store, int32_t id);
struct schema *store_schema_by_text(struct store *store, const char *text);
struct subject *store_subject(struct store *store, const char *name);
/* The version under which the text stands in the subject and is not deleted; NULL if there is none. */
struct version *store_version(struct subject *subject, const char *text);
struct version *store_version_by_number(struct subject *subject, int32_t number);
struct version *store_latest(struct subject *subject);

/* ---- http.c ---- */
int store_http(struct store *store, const char *path, struct buf *body);

#endif
