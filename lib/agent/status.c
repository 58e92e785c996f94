/*
 * status.c: the answers of GET /v1/status and /v1/version, in JSON. What is not known is null.
 */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "lib/agent/internal.h"

static void write_name(struct buf *out, const char *name)
{
	if (out->len > 0 && out->data[out->len - 1] != '{')
		buf_append_byte(out, ',');
	buf_printf(out, "\"%s\":", name);
}

static void write_string(struct buf *out, const char *name, const char *text)
{
	write_name(out, name);
	if (text[0] == '\0')
		buf_append_str(out, "null");
	else
		buf_json_string(out, text, strlen(text));
}

static void write_bool(struct buf *out, const char *name, bool value)
{
	write_name(out, name);
	buf_append_str(out, value ? "true" : "false");
}

static void write_count(struct buf *out, const char *name, uint64_t value)
{
	write_name(out, name);
	buf_printf(out, "%" PRIu64, value);
}

/* Negative: unknown. */
static void write_known(struct buf *out, const char *name, int64_t value)
{
	write_name(out, name);
	if (value < 0)
		buf_append_str(out, "null");
	else
		buf_printf(out, "%" PRId64, value);
}

static void write_number(struct buf *out, const char *name, double value)
{
	write_name(out, name);
	if (!isfinite(value) || value < 0)
		buf_append_str(out, "null");
	else
		buf_printf(out, "%.3f", value);
}

static void open_object(struct buf *out, const char *name)
{
	write_name(out, name);
	buf_append_byte(out, '{');
}

static void close_object(struct buf *out)
{
	buf_append_byte(out, '}');
}

static void write_progress(struct buf *out, const struct agent_snapshot *snapshot)
{
	const struct agent_figures *figures = &snapshot->figures;

	open_object(out, "position");
	write_string(out, "commit", figures->position_commit);
	write_string(out, "transaction", figures->position_transaction);
	write_string(out, "log", figures->position_log);
	close_object(out);
	open_object(out, "lag");
	write_known(out, "bytes", figures->lag_bytes);
	write_known(out, "transactions", figures->lag_transactions);
	write_number(out, "seconds", figures->lag_seconds);
	close_object(out);
	open_object(out, "rates");
	write_number(out, "transactions_per_second", snapshot->transactions_per_second);
	write_number(out, "rows_per_second", snapshot->rows_per_second);
	write_number(out, "bytes_per_second", snapshot->bytes_per_second);
	close_object(out);
	open_object(out, "totals");
	write_count(out, "transactions", figures->transactions);
	write_count(out, "rows", figures->rows);
	write_count(out, "bytes", figures->bytes);
	write_count(out, "duplicates_dropped", figures->duplicates_dropped);
	write_count(out, "retries", figures->retries);
	close_object(out);
}

static void write_latency(struct buf *out)
{
	struct agent_latencies latencies;
	bool any;

	agent_latencies(&latencies);
	any = latencies.count > 0;
	open_object(out, "latency_ms");
	write_number(out, "p50", any ? latencies.p50_ms : -1);
	write_number(out, "p99", any ? latencies.p99_ms : -1);
	write_number(out, "max", any ? latencies.max_ms : -1);
	write_count(out, "count", latencies.count);
	close_object(out);
}

static void write_memory(struct buf *out)
{
	struct process_figures process;

	process_figures(&process);
	open_object(out, "memory");
	write_count(out, "resident_bytes", process.resident_bytes);
	write_count(out, "peak_bytes", process.peak_bytes);
	close_object(out);
}

static void write_error(struct buf *out, const struct error *err)
{
	if (err->class == ERROR_NONE) {
		write_name(out, "error");
		buf_append_str(out, "null");
		return;
	}
	open_object(out, "error");
	write_string(out, "class", error_class_name(err->class));
	write_string(out, "text", err->text);
	write_string(out, "hint", err->hint);
	close_object(out);
}

void agent_write_status(struct buf *out)
{
	struct agent_snapshot snapshot;

	agent_snapshot(&snapshot);
	buf_append_byte(out, '{');
	write_string(out, "name", snapshot.name);
	write_string(out, "kind", snapshot.kind);
	write_string(out, "version", PACKAGE_VERSION);
	write_count(out, "pid", (uint64_t)getpid());
	write_string(out, "state", snapshot.state_name);
	write_bool(out, "ready", snapshot.ready);
	write_string(out, "reason", snapshot.reason);
	write_number(out, "uptime_seconds", (double)snapshot.uptime_us / 1e6);
	write_number(out, "heartbeat_age_seconds", snapshot.heartbeat_age);
	write_progress(out, &snapshot);
	write_latency(out);
	write_memory(out);
	write_error(out, &snapshot.error);
	buf_append_str(out, "}\n");
}

void agent_write_version(struct buf *out)
{
	struct agent_snapshot snapshot;

	agent_snapshot(&snapshot);
	buf_append_byte(out, '{');
	write_string(out, "program", snapshot.program);
	write_string(out, "kind", snapshot.kind);
	write_string(out, "version", PACKAGE_VERSION);
	write_string(out, "api", "v1");
	buf_append_str(out, "}\n");
}
