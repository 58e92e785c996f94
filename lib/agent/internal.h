/*
 * internal.h: what the files of lib/agent share and nobody else sees.
 */
#ifndef TAILRACE_AGENT_INTERNAL_H
#define TAILRACE_AGENT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/agent/agent.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"

/* ---- state.c: the one struct that all threads share ---- */
/* Before any thread starts; name and program live as long as the process. */
int agent_state_open(const struct agent_program *program, const char *name, int64_t heartbeat_interval_us,
	struct error *err);
void agent_state_close(void);

/* The only way to change the state; logs it. A change that the graph does not have (out of draining) is ignored. */
void agent_set_state(enum agent_state state, const char *reason);
const char *agent_state_name(enum agent_state state);
/* Main thread, before each run: starting, with the wake descriptor as agent_want() asks. Returns agent_requests(). */
uint64_t agent_begin_run(void);
/* Requests (pause, resume, stop) so far: to see whether one came meanwhile. */
uint64_t agent_requests(void);
/* Main thread: waits for a request beyond `seen`, at most timeout_us (< 0: no limit). True if there was one. */
bool agent_wait_request(uint64_t seen, int64_t timeout_us);
/* Keeps the error for the status until the agent runs again. again: it is tried again, and counted as a retry. */
void agent_keep_error(const struct error *err, bool again);
/* How long the last run was in the running state, 0 if it never was. */
int64_t agent_ran_us(void);
bool agent_is_running(void);
/* Has any run of this process been in the running state? */
bool agent_has_run(void);

/* From any thread: 0, or -1 and why not (ERROR_CONFIG) in the agent's present state. */
int agent_request_pause(struct error *err);
int agent_request_resume(struct error *err);
void agent_request_stop(void);

/* Is the main thread alive, as far as its calls of agent_want() tell? The guard watches each second. */
void agent_watch_beat(void);
bool agent_alive(void);

struct agent_snapshot {
	const char *name, *kind, *program;
	enum agent_state state;
	const char *state_name;
	char reason[1024]; /* of the state, or why it is not ready; "" for none */
	bool ready, alive;
	int64_t uptime_us;
	double started_wall; /* seconds since 1970 */
	double heartbeat_age; /* seconds; < 0: none yet */
	struct agent_figures figures; /* with the frame's retries, and lag_seconds aged since then */
	double transactions_per_second, rows_per_second, bytes_per_second;
	struct error error; /* ERROR_NONE: none */
};
void agent_snapshot(struct agent_snapshot *ret_snapshot);

/* ---- latency.c ---- */
#define LATENCY_BOUNDS 12
struct agent_latencies {
	uint64_t count;
	double p50_ms, p99_ms, max_ms, sum_seconds;
	double bounds[LATENCY_BOUNDS];       /* seconds */
	uint64_t at_most[LATENCY_BOUNDS];    /* cumulative */
};
void agent_latencies(struct agent_latencies *ret_latencies);

/* ---- status.c, metrics.c ---- */
void agent_write_status(struct buf *out);
void agent_write_version(struct buf *out);
void agent_write_metrics(struct buf *out);

/* ---- endpoint.c: the lock and the socket of an agent's name ---- */
struct endpoint {
	int lock_fd;
	int listen_fd; /* the HTTP server closes it */
	char path[112];
};
/* ERROR_FENCED "is already running", ERROR_CONFIG for what cannot be made. */
int endpoint_open(const char *run_directory, const char *name, struct endpoint *ret_endpoint, struct error *err);
void endpoint_close(struct endpoint *endpoint);

/* ---- http.c ---- */
struct http_server;
int http_open(const struct agent_program *program, void *context, int listen_fd, struct http_server **ret_server,
	struct error *err);
void http_close(struct http_server *server);

/* ---- guard.c: signals, the deadline, the watchdog ---- */
/* Blocks the signals in this thread (and so in those that it starts) and starts the guard. */
int guard_open(const char *socket_path, struct error *err);
void guard_close(void);

/* ---- process.c ---- */
void process_harden(void);
/* systemd's notification, nothing without systemd. */
void process_notify(const char *text);
/* Interval of systemd's watchdog, 0: none. */
int64_t process_watchdog_us(void);
struct process_figures {
	uint64_t resident_bytes, peak_bytes;
	double cpu_seconds;
};
void process_figures(struct process_figures *ret_figures);

/* ---- command.c ---- */
#define COMMAND_OPTIONS_MAX 64
enum command_action {
	COMMAND_RUN,
	COMMAND_CHECK,
	COMMAND_PRINT_CONFIG,
	COMMAND_PRINT_SAMPLE,
	COMMAND_PRINT_MAN,
	COMMAND_LIST_FAILPOINTS,
	COMMAND_HELP,
	COMMAND_VERSION
};
struct command {
	enum command_action action;
	const char *file;
	const char *overrides[COMMAND_OPTIONS_MAX];
	size_t override_count;
};
/* 0, or -1 and one line about what is wrong. */
int command_parse(int argc, char **argv, struct command *ret_command, struct error *err);

#endif
