/*
 * agent.h: the frame of a process: options, start, ready, pause, drain, stop, HTTP on a Unix socket, metrics, systemd's
 * notifications.
 *
 * State graph:
 *
 *   starting ──► running ──► paused       running is shown as "streaming" (capture) or "applying" (apply)
 *    │  ▲  ▲       │  │         │
 *    │  │  └───────┼──┼─resume──┤         a pause ends the pipeline's run, durably; resuming starts a new one
 *    ▼  │          │  ▼         │
 *   retrying ◄─────┘ failed ────┘         retrying: awaits the end of the back-off after ERROR_RETRY
 *                                         failed: ERROR_DATA, ERROR_GAP, ERROR_FENCED, and ERROR_CONFIG once the agent
 *                                         has been running; the process stays up, so that `tailrace status` shows the
 *                                         reason; `tailrace resume` tries again
 *   any ──SIGTERM──► draining ──► stopped
 *
 * An ERROR_CONFIG before the agent was first running ends the process with its sysexits code after one log line: who
 * starts an agent looks on. Later it is the servers that have changed (a column dropped, a grant withdrawn), and nobody
 * looks on: then it is a state. An ERROR_BUG ends the process at any time.
 *
 * Threads: the main one runs the pipeline and calls agent_*; the HTTP server's reads what was published, under a lock,
 * and may ask for a pause or a resume; the guard's takes signals and ends the process when draining takes too long.
 */
#ifndef TAILRACE_AGENT_AGENT_H
#define TAILRACE_AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/settings/settings.h"

enum agent_state {
	AGENT_STARTING, /* awaits connections and the position */
	AGENT_RUNNING,
	AGENT_PAUSED,   /* awaits resume */
	AGENT_RETRYING, /* awaits the end of the back-off */
	AGENT_FAILED,   /* awaits a person */
	AGENT_DRAINING, /* awaits the last acknowledgements */
	AGENT_STOPPED
};

/* What the pipeline reports; published with agent_publish(). Counters only grow. */
struct agent_figures {
	char position_commit[128]; /* "0/16B3748", or a log file, an offset and GTIDs */
	char position_transaction[160];
	char position_log[160];
	uint64_t transactions, rows, bytes;
	uint64_t duplicates_dropped, retries;
	int64_t lag_bytes;        /* -1: unknown */
	int64_t lag_transactions; /* -1: unknown */
	double lag_seconds;       /* age of the oldest thing not yet done; 0 when there is none; < 0: unknown */
	int64_t heartbeat_us;     /* monotonic time at which the last heartbeat came through, 0: none yet */
};

/*
 * One transaction's time from the commit at the source until it is durable here (capture: in Kafka, apply: visible in
 * the target). Logarithmic buckets of at most 3.2 %, constant memory. Main thread.
 */
void agent_latency(int64_t us);

enum agent_want {
	AGENT_WANT_RUN,
	AGENT_WANT_PAUSE,
	AGENT_WANT_STOP
};

/*
 * One try of the pipeline: connect, find the position, stream until agent_want() is no longer AGENT_WANT_RUN (then
 * drain and return 0), or until an error (-1). It reports with agent_running() when it streams, and calls
 * agent_publish() a few times a second. The counters go on growing from one try to the next.
 */
typedef int agent_run(void *context, struct error *err);

/*
 * Answers a GET that the agent itself does not know (the registry's paths): fills body with JSON and returns the HTTP
 * status, or 0 if the path is not known. HTTP thread, from before the first run() until after the last.
 */
typedef int agent_http(void *context, const char *path, struct buf *body);

struct agent_program {
	const char *kind; /* "capture", "apply" */
	const char *running_name; /* "streaming", "applying" */
	const struct settings_program *settings;
	/* Offsets of the options that the frame itself needs, in the settings struct. */
	size_t name_offset, run_directory_offset, log_format_offset, log_level_offset, heartbeat_interval_offset;
	/* Further checks of loaded values (kafka properties, table lists); for --check too. No network. */
	int (*check)(const void *values, struct error *err);
	agent_run *run;
	agent_http *http; /* may be NULL */
};

/*
 * The whole of main(): parses the command line
 *   -c FILE  -o key=value  --check  --print-config  --print-sample  --print-man  --list-failpoints  --help  --version
 * loads the settings into `values`, starts logging, signals, HTTP (`<run_directory>/<name>.sock`, mode 0660; refuses if
 * an agent of that name is alive), runs and re-runs the pipeline with back-off (100 ms doubling to 10 s, with jitter;
 * anew after 30 s of running) and returns the exit code. SIGTERM and SIGINT: drain, exit within 10 s. A second one: at
 * once.
 */
int agent_main(const struct agent_program *program, void *values, void *context, int argc, char **argv);

/* ---- for the pipeline, from the main thread ---- */
enum agent_want agent_want(void);
/* Readable while agent_want() is not AGENT_WANT_RUN: put it into the poll set; never read it. */
int agent_wake_fd(void);
void agent_running(void);
/* Readiness needs the running state and figures whose heartbeat is younger than 3 intervals + 5 s. */
void agent_publish(const struct agent_figures *figures);

#endif
