/*
 * state.c: the agent's state, what is wanted of it, and what it last published. The graph stands in agent.h.
 *
 * Everything is under one lock, but for the two things that the pipeline touches in its innermost loop: what is wanted,
 * and the beat that shows that it lives. Both are atomics.
 *
 * The wake descriptor is a level, not an event: readable while something other than running is wanted, or while a
 * request waits for a main thread that waits for requests. So nobody has to read it, and nobody spins on it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/agent/internal.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/net.h"

#define SECOND INT64_C(1000000)
#define SAMPLES 12
#define RATE_WINDOW (10 * SECOND + SECOND / 2)
#define ALIVE_WITHIN (60 * SECOND)

/* The counters at one moment, once a second. */
struct sample {
	int64_t at_us;
	uint64_t transactions, rows, bytes;
};

static struct {
	pthread_mutex_t lock;
	const struct agent_program *program;
	char name[64];
	int64_t heartbeat_interval_us;
	int64_t started_us, started_wall_us;
	enum agent_state state;
	char reason[1024];
	int64_t running_since_us; /* 0: not running */
	int64_t ran_us;
	bool has_run;
	uint64_t requests;
	int wake_fd;
	struct agent_figures figures;
	int64_t published_us;
	struct sample samples[SAMPLES];
	unsigned sample_count, sample_next;
	struct error error;
	uint64_t retries;
	bool quiet; /* the same error again: its state changes are not worth a line each */
	uint64_t beat_seen;
	int64_t beat_seen_us;
} agent = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake_fd = -1 };

static _Atomic int wanted = AGENT_WANT_RUN;
static _Atomic uint64_t beat;

static void raise_wake(void)
{
	(void)!write(agent.wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

static void lower_wake(void)
{
	uint64_t count;

	(void)!read(agent.wake_fd, &count, sizeof count);
}

int agent_state_open(const struct agent_program *program, const char *name, int64_t heartbeat_interval_us,
	struct error *err)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return error_set(err, ERROR_RETRY, "could not make an event descriptor: %s", strerror(errno));
	pthread_mutex_lock(&agent.lock);
	agent.wake_fd = fd;
	agent.program = program;
	(void)snprintf(agent.name, sizeof agent.name, "%s", name);
	agent.heartbeat_interval_us = heartbeat_interval_us;
	agent.started_us = clock_monotonic_us();
	agent.started_wall_us = clock_wall_us();
	agent.beat_seen_us = agent.started_us;
	agent.figures.lag_bytes = -1;
	agent.figures.lag_transactions = -1;
	agent.figures.lag_seconds = -1;
	pthread_mutex_unlock(&agent.lock);
	return 0;
}

void agent_state_close(void)
{
	(void)close(agent.wake_fd);
	agent.wake_fd = -1;
}

const char *agent_state_name(enum agent_state state)
{
	switch (state) {
	case AGENT_STARTING:
		return "starting";
	case AGENT_RUNNING:
		return agent.program->running_name;
	case AGENT_PAUSED:
		return "paused";
	case AGENT_RETRYING:
		return "retrying";
	case AGENT_FAILED:
		return "failed";
	case AGENT_DRAINING:
		return "draining";
	case AGENT_STOPPED:
		return "stopped";
	}
	return "unknown";
}

/* With the lock held. Nothing leads out of draining but stopped, whatever the main thread has not yet noticed. */
static bool may_change(enum agent_state to)
{
	if (agent.state == to || agent.state == AGENT_STOPPED)
		return false;
	return agent.state != AGENT_DRAINING || to == AGENT_STOPPED;
}

/* With the lock held. */
static void note_change(enum agent_state from, enum agent_state to, const char *reason)
{
	int64_t now = clock_monotonic_us();

	if (from == AGENT_RUNNING)
		agent.ran_us = now - agent.running_since_us;
	agent.running_since_us = to == AGENT_RUNNING ? now : 0;
	if (to == AGENT_RUNNING) {
		agent.has_run = true;
		error_clear(&agent.error);
		agent.quiet = false;
	}
	agent.state = to;
	(void)snprintf(agent.reason, sizeof agent.reason, "%s", reason);
}

void agent_set_state(enum agent_state state, const char *reason)
{
	enum agent_state from;
	bool quiet, changed;
	char status[256];

	pthread_mutex_lock(&agent.lock);
	from = agent.state;
	changed = may_change(state);
	quiet = agent.quiet && from != AGENT_RUNNING && (state == AGENT_RETRYING || state == AGENT_STARTING);
	if (changed)
		note_change(from, state, reason);
	pthread_mutex_unlock(&agent.lock);
	if (!changed)
		return;
	if (quiet)
		log_debug("state %s -> %s (%s)", agent_state_name(from), agent_state_name(state), reason);
	else
		log_info("state %s -> %s (%s)", agent_state_name(from), agent_state_name(state), reason);
	(void)snprintf(status, sizeof status, "STATUS=%s: %.200s", agent_state_name(state), reason);
	process_notify(status);
}

/* ---- requests ---- */
static void request(enum agent_want want)
{
	atomic_store_explicit(&wanted, want, memory_order_release);
	agent.requests++;
	if (want != AGENT_WANT_RUN || agent.state == AGENT_PAUSED || agent.state == AGENT_RETRYING ||
		agent.state == AGENT_FAILED)
		raise_wake();
	else
		lower_wake();
}

static int refuse_request(struct error *err)
{
	switch (agent.state) {
	case AGENT_FAILED:
		(void)error_set(err, ERROR_CONFIG, "the agent has failed, there is nothing to pause");
		return error_hint(err, "resume it when the cause is removed");
	default:
		return error_set(err, ERROR_CONFIG, "the agent is about to stop");
	}
}

static bool stopping(void)
{
	return atomic_load_explicit(&wanted, memory_order_relaxed) == AGENT_WANT_STOP;
}

int agent_request_pause(struct error *err)
{
	int rc = 0;

	pthread_mutex_lock(&agent.lock);
	if (stopping() || agent.state == AGENT_FAILED)
		rc = refuse_request(err);
	else
		request(AGENT_WANT_PAUSE);
	pthread_mutex_unlock(&agent.lock);
	return rc;
}

int agent_request_resume(struct error *err)
{
	int rc = 0;

	pthread_mutex_lock(&agent.lock);
	if (stopping())
		rc = refuse_request(err);
	else
		request(AGENT_WANT_RUN);
	pthread_mutex_unlock(&agent.lock);
	return rc;
}

void agent_request_stop(void)
{
	pthread_mutex_lock(&agent.lock);
	request(AGENT_WANT_STOP);
	pthread_mutex_unlock(&agent.lock);
}

uint64_t agent_requests(void)
{
	uint64_t requests;

	pthread_mutex_lock(&agent.lock);
	requests = agent.requests;
	pthread_mutex_unlock(&agent.lock);
	return requests;
}

uint64_t agent_begin_run(void)
{
	uint64_t requests;

	agent_set_state(AGENT_STARTING, "connecting");
	pthread_mutex_lock(&agent.lock);
	agent.ran_us = 0;
	if (agent_want() == AGENT_WANT_RUN)
		lower_wake();
	requests = agent.requests;
	pthread_mutex_unlock(&agent.lock);
	return requests;
}

bool agent_wait_request(uint64_t seen, int64_t timeout_us)
{
	int64_t end = clock_monotonic_us() + timeout_us;

	for (;;) {
		struct pollfd fd = { agent.wake_fd, POLLIN, 0 };
		int64_t left = timeout_us < 0 ? SECOND : end - clock_monotonic_us();
		bool more;

		atomic_fetch_add_explicit(&beat, 1, memory_order_relaxed);
		pthread_mutex_lock(&agent.lock);
		more = agent.requests != seen;
		if (!more)
			lower_wake();
		pthread_mutex_unlock(&agent.lock);
		if (more || left <= 0)
			return more;
		(void)net_wait(&fd, 1, (int)(left > SECOND ? 1000 : (left + 999) / 1000), NULL);
	}
}

void agent_keep_error(const struct error *err, bool again)
{
	pthread_mutex_lock(&agent.lock);
	agent.quiet = again && strcmp(agent.error.text, err->text) == 0;
	agent.error = *err;
	agent.retries += again;
	pthread_mutex_unlock(&agent.lock);
}

int64_t agent_ran_us(void)
{
	int64_t ran;

	pthread_mutex_lock(&agent.lock);
	ran = agent.running_since_us > 0 ? clock_monotonic_us() - agent.running_since_us : agent.ran_us;
	pthread_mutex_unlock(&agent.lock);
	return ran;
}

bool agent_is_running(void)
{
	bool is_running;

	pthread_mutex_lock(&agent.lock);
	is_running = agent.state == AGENT_RUNNING;
	pthread_mutex_unlock(&agent.lock);
	return is_running;
}

bool agent_has_run(void)
{
	bool has_run;

	pthread_mutex_lock(&agent.lock);
	has_run = agent.has_run;
	pthread_mutex_unlock(&agent.lock);
	return has_run;
}

/* ---- the pipeline's side ---- */
enum agent_want agent_want(void)
{
	/* Only the main thread counts the beat up, but the guard's reading needs it whole. */
	atomic_store_explicit(&beat, atomic_load_explicit(&beat, memory_order_relaxed) + 1, memory_order_relaxed);
	return (enum agent_want)atomic_load_explicit(&wanted, memory_order_acquire);
}

int agent_wake_fd(void)
{
	return agent.wake_fd;
}

void agent_running(void)
{
	agent_set_state(AGENT_RUNNING, "up to date with the start position");
}

void agent_publish(const struct agent_figures *figures)
{
	int64_t now = clock_monotonic_us();
	unsigned last = (agent.sample_next + SAMPLES - 1) % SAMPLES;

	pthread_mutex_lock(&agent.lock);
	agent.figures = *figures;
	agent.published_us = now;
	if (agent.sample_count == 0 || now - agent.samples[last].at_us >= SECOND) {
		agent.samples[agent.sample_next] =
			(struct sample){ now, figures->transactions, figures->rows, figures->bytes };
		agent.sample_next = (agent.sample_next + 1) % SAMPLES;
		if (agent.sample_count < SAMPLES)
			agent.sample_count++;
	}
	pthread_mutex_unlock(&agent.lock);
	log_position(figures->position_commit);
	(void)agent_want();
}

/* ---- the readers' side, with the lock held ---- */
static bool heartbeat_is_young(int64_t now)
{
	int64_t heartbeat = agent.figures.heartbeat_us;

	return heartbeat > 0 && now - heartbeat <= 3 * agent.heartbeat_interval_us + 5 * SECOND;
}

static double rate(uint64_t now, uint64_t then, int64_t us)
{
	return now > then && us >= SECOND / 5 ? (double)(now - then) * 1e6 / (double)us : 0;
}

static void snapshot_rates(struct agent_snapshot *snapshot, int64_t now)
{
	const struct sample *base = NULL;
	int64_t us;

	for (unsigned i = 0; i < agent.sample_count; i++) {
		const struct sample *sample = &agent.samples[i];

		if (now - sample->at_us <= RATE_WINDOW && (base == NULL || sample->at_us < base->at_us))
			base = sample;
	}
	if (base == NULL)
		return;
	us = now - base->at_us;
	snapshot->transactions_per_second = rate(agent.figures.transactions, base->transactions, us);
	snapshot->rows_per_second = rate(agent.figures.rows, base->rows, us);
	snapshot->bytes_per_second = rate(agent.figures.bytes, base->bytes, us);
}

/* What was behind when the pipeline last looked is older now; what was not, nobody knows unless it runs. */
static void age_lag(struct agent_figures *figures, int64_t now)
{
	if (figures->lag_seconds > 0)
		figures->lag_seconds += (double)(now - agent.published_us) / 1e6;
	else if (agent.state != AGENT_RUNNING)
		figures->lag_seconds = -1;
}

static void snapshot_reason(struct agent_snapshot *snapshot)
{
	if (agent.state != AGENT_RUNNING || snapshot->ready)
		(void)snprintf(snapshot->reason, sizeof snapshot->reason, "%s",
			agent.state == AGENT_RUNNING ? "" : agent.reason);
	else if (snapshot->heartbeat_age < 0)
		(void)snprintf(snapshot->reason, sizeof snapshot->reason, "no heartbeat has come through yet");
	else
		(void)snprintf(snapshot->reason, sizeof snapshot->reason, "no heartbeat has come through for %.0f s",
			snapshot->heartbeat_age);
}

void agent_snapshot(struct agent_snapshot *ret_snapshot)
{
	struct agent_snapshot *snapshot = ret_snapshot;
	int64_t now = clock_monotonic_us();

	memset(snapshot, 0, sizeof *snapshot);
	pthread_mutex_lock(&agent.lock);
	snapshot->name = agent.name;
	snapshot->kind = agent.program->kind;
	snapshot->program = agent.program->settings->program;
	snapshot->state = agent.state;
	snapshot->state_name = agent_state_name(agent.state);
	snapshot->ready = agent.state == AGENT_RUNNING && heartbeat_is_young(now);
	snapshot->uptime_us = now - agent.started_us;
	snapshot->started_wall = (double)agent.started_wall_us / 1e6;
	snapshot->heartbeat_age =
		agent.figures.heartbeat_us > 0 ? (double)(now - agent.figures.heartbeat_us) / 1e6 : -1;
	snapshot->figures = agent.figures;
	snapshot->figures.retries += agent.retries;
	age_lag(&snapshot->figures, now);
	snapshot_rates(snapshot, now);
	snapshot_reason(snapshot);
	snapshot->error = agent.error;
	pthread_mutex_unlock(&agent.lock);
	snapshot->alive = agent_alive();
}

void agent_watch_beat(void)
{
	uint64_t now = atomic_load_explicit(&beat, memory_order_relaxed);

	pthread_mutex_lock(&agent.lock);
	/* Connecting may take its time; only a pipeline that runs has to show that it does. */
	if (now != agent.beat_seen || agent.state != AGENT_RUNNING) {
		agent.beat_seen = now;
		agent.beat_seen_us = clock_monotonic_us();
	}
	pthread_mutex_unlock(&agent.lock);
}

bool agent_alive(void)
{
	bool alive;

	pthread_mutex_lock(&agent.lock);
	alive = clock_monotonic_us() - agent.beat_seen_us < ALIVE_WITHIN;
	pthread_mutex_unlock(&agent.lock);
	return alive;
}
