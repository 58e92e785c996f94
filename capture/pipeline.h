/*
 * pipeline.h: source -> produce -> Kafka, and the acknowledgement back: one try of the capture agent's work.
 */
#ifndef TAILRACE_CAPTURE_PIPELINE_H
#define TAILRACE_CAPTURE_PIPELINE_H

#include <pthread.h>

#include "capture/options.h"
#include "capture/source.h"
#include "lib/agent/agent.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/kafka/kafka.h"
#include "lib/registry/registry.h"

/*
 * What outlives a try. `settings` may be filled after pipeline_init(), before the first run. sources: ends with NULL; the
 * one whose connector is the settings' database.type is used.
 */
struct pipeline_context {
	const struct capture_settings *settings;
	const struct source_ops *const *sources;
	struct agent_figures figures;
	pthread_mutex_t lock; /* of registry: the HTTP thread reads it too */
	struct registry *registry;
};

void pipeline_init(struct pipeline_context *context, const struct capture_settings *settings,
	const struct source_ops *const *sources);
void pipeline_release(struct pipeline_context *context);

/* agent_run and agent_http (agent.h); context is a struct pipeline_context. */
int pipeline_run(void *context, struct error *err);
int pipeline_http(void *context, const char *path, struct buf *body);

/* What the settings say about Kafka, for every client of the agent. Borrows from the settings. */
void pipeline_kafka(const struct capture_settings *settings, struct kafka_config *ret_config);

#endif
