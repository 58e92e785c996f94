/*
 * fake_agent.h: the pipeline's side of lib/agent/agent.h and lib/registry/registry.h, for tests that link it instead.
 */
#ifndef TAILRACE_TESTS_FAKE_AGENT_H
#define TAILRACE_TESTS_FAKE_AGENT_H

#include "lib/agent/agent.h"

/* What agent_want() says from now on. */
void fake_agent_want(enum agent_want want);
/* The last that was published, and how many transactions' latencies were told. */
const struct agent_figures *fake_agent_figures(void);
unsigned fake_agent_latencies(void);

#endif
