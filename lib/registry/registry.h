/*
 * registry.h: the embedded schema registry: schemas live in the Kafka topic `_schemas`, in the records that
 * Confluent's registry writes, so a registry server pointed at that topic serves the same ids.
 *
 * One partition, compacted. Ids are arbitrated by the log: to register, write a SCHEMA record with the next free id,
 * and look which record came first with that id (or that subject and version); the loser takes another.
 * The same text has the same id in every subject. Called from the agent's thread, except registry_http(), which any
 * thread may call.
 */
#ifndef TAILRACE_REGISTRY_REGISTRY_H
#define TAILRACE_REGISTRY_REGISTRY_H

#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/codec/codec.h"
#include "lib/kafka/kafka.h"

struct registry;

/* Creates `_schemas` if it is not there (unless read_only) and reads it whole. */
int registry_open(const struct kafka_config *config, int replication_factor, bool read_only,
	struct registry **ret_registry, struct error *err);
void registry_close(struct registry *registry);

/* The codec's view of it. Lives as long as the registry. */
const struct codec_schemas *registry_schemas(struct registry *registry);

/*
 * The registry's read API: GET /schemas/ids/N, /schemas/ids/N/versions, /subjects, /subjects/S/versions,
 * /subjects/S/versions/V (or latest), /schemas/types, /config, /mode.
 * Fills body (JSON) and returns the HTTP status; 0 if the path is not the registry's. Thread-safe.
 */
int registry_http(struct registry *registry, const char *path, struct buf *body);

#endif
