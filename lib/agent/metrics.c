/*
 * metrics.c: the answer of GET /metrics, in Prometheus' text format.
 *
 * Base units, _total for what only grows, and no label whose values come from data. A gauge that is not known is left
 * out. https://prometheus.io/docs/instrumenting/exposition_formats/
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "lib/agent/internal.h"

struct metrics {
	struct buf *out;
	char labels[160]; /* agent="...",kind="..." */
};

static void write_family(const struct metrics *metrics, const char *name, const char *type, const char *help)
{
	buf_printf(metrics->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_counter(const struct metrics *metrics, const char *name, const char *help, uint64_t value)
{
	write_family(metrics, name, "counter", help);
	buf_printf(metrics->out, "%s{%s} %" PRIu64 "\n", name, metrics->labels, value);
}

/* Negative: not known. */
static void write_gauge(const struct metrics *metrics, const char *name, const char *help, double value)
{
	if (value < 0)
		return;
	write_family(metrics, name, "gauge", help);
	buf_printf(metrics->out, "%s{%s} %.15g\n", name, metrics->labels, value);
}

static void write_states(const struct metrics *metrics, enum agent_state current)
{
	static const char name[] = "tailrace_state";

	write_family(metrics, name, "gauge", "1 for the state that the agent is in, 0 for the others.");
	for (int state = AGENT_STARTING; state <= AGENT_STOPPED; state++)
		buf_printf(metrics->out, "%s{%s,state=\"%s\"} %d\n", name, metrics->labels,
			agent_state_name((enum agent_state)state), state == (int)current);
}

static void write_latency(const struct metrics *metrics)
{
	static const char name[] = "tailrace_commit_latency_seconds";
	struct agent_latencies latencies;

	agent_latencies(&latencies);
	write_family(metrics, name, "histogram",
		"Time from a transaction's commit at the source until it was durable behind this agent.");
	for (int i = 0; i < LATENCY_BOUNDS; i++)
		buf_printf(metrics->out, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name, metrics->labels,
			latencies.bounds[i], latencies.at_most[i]);
	buf_printf(metrics->out, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, metrics->labels, latencies.count);
	buf_printf(metrics->out, "%s_sum{%s} %.15g\n", name, metrics->labels, latencies.sum_seconds);
	buf_printf(metrics->out, "%s_count{%s} %" PRIu64 "\n", name, metrics->labels, latencies.count);
}

static void write_process(const struct metrics *metrics, const struct agent_snapshot *snapshot)
{
	struct process_figures process;

	process_figures(&process);
	write_family(metrics, "process_resident_memory_bytes", "gauge", "Resident memory.");
	buf_printf(metrics->out, "process_resident_memory_bytes %" PRIu64 "\n", process.resident_bytes);
	write_family(metrics, "process_cpu_seconds_total", "counter", "User and system time of all threads.");
	buf_printf(metrics->out, "process_cpu_seconds_total %.15g\n", process.cpu_seconds);
	write_family(metrics, "process_start_time_seconds", "gauge", "Start of the process since 1970, in UTC.");
	buf_printf(metrics->out, "process_start_time_seconds %.3f\n", snapshot->started_wall);
	write_gauge(metrics, "tailrace_peak_memory_bytes", "Most resident memory since the start.",
		(double)process.peak_bytes);
}

void agent_write_metrics(struct buf *out)
{
	struct metrics metrics = { .out = out };
	struct agent_snapshot snapshot;
	const struct agent_figures *figures = &snapshot.figures;

	agent_snapshot(&snapshot);
	(void)snprintf(metrics.labels, sizeof metrics.labels, "agent=\"%s\",kind=\"%s\"", snapshot.name,
		snapshot.kind);
	write_family(&metrics, "tailrace_build_info", "gauge", "1, with the version as a label.");
	buf_printf(out, "tailrace_build_info{%s,version=\"%s\"} 1\n", metrics.labels, PACKAGE_VERSION);
	write_states(&metrics, snapshot.state);
	write_gauge(&metrics, "tailrace_ready", "1 while the agent runs and heartbeats come through.", snapshot.ready);
	write_gauge(&metrics, "tailrace_heartbeat_age_seconds", "Time since the last heartbeat came through.",
		snapshot.heartbeat_age);
	write_gauge(&metrics, "tailrace_lag_seconds", "Age of the oldest change that is not durable behind this agent.",
		figures->lag_seconds);
	write_gauge(&metrics, "tailrace_lag_bytes", "Bytes of the log that are not durable behind this agent.",
		(double)figures->lag_bytes);
	write_gauge(&metrics, "tailrace_lag_transactions",
		"Source transactions that are not durable behind this agent.", (double)figures->lag_transactions);
	write_counter(&metrics, "tailrace_transactions_total", "Source transactions made durable.",
		figures->transactions);
	write_counter(&metrics, "tailrace_rows_total", "Row changes made durable.", figures->rows);
	write_counter(&metrics, "tailrace_bytes_total", "Bytes of events made durable.", figures->bytes);
	write_counter(&metrics, "tailrace_duplicates_dropped_total",
		"Events that were there already and were dropped.", figures->duplicates_dropped);
	write_counter(&metrics, "tailrace_retries_total", "Times that something was tried again.", figures->retries);
	write_latency(&metrics);
	write_process(&metrics, &snapshot);
}
