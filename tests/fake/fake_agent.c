/*
 * fake_agent.c: an agent's frame that does nothing, and a registry without schemas.
 */
#include "tests/fake/fake_agent.h"

#include "lib/registry/registry.h"

static enum agent_want wanted;
static struct agent_figures published;
static unsigned latencies;

void fake_agent_want(enum agent_want want)
{
	wanted = want;
}

const struct agent_figures *fake_agent_figures(void)
{
	return &published;
}

unsigned fake_agent_latencies(void)
{
	return latencies;
}

void agent_latency(int64_t us)
{
	latencies++;
}

enum agent_want agent_want(void)
{
	return wanted;
}

int agent_wake_fd(void)
{
	return -1;
}

void agent_running(void)
{
}

void agent_publish(const struct agent_figures *figures)
{
	published = *figures;
}

/* ---- registry ---- */

static struct codec_schemas schemas;

int registry_open(const struct kafka_config *config, int replication_factor, bool read_only,
	struct registry **ret_registry, struct error *err)
{
	static int nothing;

	*ret_registry = (struct registry *)&nothing;
	return 0;
}

void registry_close(struct registry *registry)
{
}

const struct codec_schemas *registry_schemas(struct registry *registry)
{
	return &schemas;
}

int registry_http(struct registry *registry, const char *path, struct buf *body)
{
	return 0;
}
