/*
 * pipeline.h: consume, order, map, sink: the whole of the apply agent behind its frame.
 */
#ifndef TAILRACE_APPLY_PIPELINE_H
#define TAILRACE_APPLY_PIPELINE_H

#include "apply/options.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"

struct pipeline;

/* Keeps settings, which may be filled later, before the first run. NULL: memory is short. */
struct pipeline *pipeline_new(const struct apply_settings *settings);
void pipeline_free(struct pipeline *line);

/* Checks loaded settings: kafka.properties, `tables`. No network. As agent.h's check. */
int pipeline_check(const void *settings, struct error *err);

/* One try, from the target's position row on. As agent.h's agent_run; context: the pipeline. */
int pipeline_run(void *context, struct error *err);

/* The schema registry's read API. As agent.h's agent_http; any thread. */
int pipeline_http(void *context, const char *path, struct buf *body);

#endif
