/*
 * agent.c: an agent's main(): command line, settings, and the loop that runs the pipeline again and again.
 *
 *   1. What is wanted: stop ends the loop; pause waits for a request.
 *   2. Run the pipeline. It comes back when something else is wanted, or with an error.
 *   3. By the error's class: end the process (bug; config, if it has not been running yet), await a person (data, gap,
 *      fenced; config later), or a while (retry).
 *
 * systemd is told READY when the agent answers on its socket, not when it streams: a broker that is away for longer
 * than the start's time-out must not make systemd kill an agent that waits for it. Readiness for others is /readyz.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/agent/internal.h"
#include "lib/base/clock.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"

#define SECOND INT64_C(1000000)
#define BACKOFF_FIRST (SECOND / 10)
#define BACKOFF_LONGEST (10 * SECOND)
#define BACKOFF_FORGOTTEN (30 * SECOND)
#define SAME_ERROR_EVERY (60 * SECOND)

struct loop {
	const struct agent_program *program;
	void *context;
	int64_t backoff_us; /* the next wait */
	char logged[sizeof((struct error *)0)->text];
	int64_t logged_us;
	unsigned unlogged;
};

/* ---- retrying ---- */
/* The first time at once, then the same error once a minute. */
static void log_retry(struct loop *loop, const struct error *err)
{
	int64_t now = clock_monotonic_us();

	if (strcmp(loop->logged, err->text) == 0 && now - loop->logged_us < SAME_ERROR_EVERY) {
		loop->unlogged++;
		return;
	}
	if (strcmp(loop->logged, err->text) == 0 && loop->unlogged > 0)
		log_error(err, "still retrying, %u times since the last line", loop->unlogged);
	else
		log_error(err, "retrying");
	(void)snprintf(loop->logged, sizeof loop->logged, "%s", err->text);
	loop->logged_us = now;
	loop->unlogged = 0;
}

/* Between half of it and all of it, so that agents which lost the same broker do not come back in step. */
static int64_t with_jitter(int64_t us)
{
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
	return us / 2 + (int64_t)(random % (uint32_t)(us / 2));
}

static void wait_retry(struct loop *loop, const struct error *err)
{
	uint64_t requests = agent_requests();

	if (agent_ran_us() >= BACKOFF_FORGOTTEN)
		loop->backoff_us = BACKOFF_FIRST;
	agent_keep_error(err, true);
	log_retry(loop, err);
	agent_set_state(AGENT_RETRYING, err->text);
	if (agent_want() == AGENT_WANT_RUN)
		(void)agent_wait_request(requests, with_jitter(loop->backoff_us));
	loop->backoff_us = loop->backoff_us * 2 < BACKOFF_LONGEST ? loop->backoff_us * 2 : BACKOFF_LONGEST;
}

static void wait_person(const struct error *err)
{
	uint64_t requests = agent_requests();

	agent_keep_error(err, false);
	if (err->class == ERROR_CONFIG)
		log_error(err, "stopped; waiting for resume, or for a restart if the configuration file is to change");
	else
		log_error(err, "stopped; waiting for resume");
	agent_set_state(AGENT_FAILED, err->text);
	(void)agent_wait_request(requests, -1);
}

/* ---- the loop ---- */
/* While stopping, an interrupted call is no failure: what it did is rolled back and done again after the next start. */
static int end_stopped(const struct error *err)
{
	if (err->class == ERROR_RETRY) {
		log_info("interrupted while draining: %s", err->text);
		return EX_OK;
	}
	log_error(err, "failed while draining");
	return error_exit_code(err->class);
}

/* -1 to go on, or the exit code. */
static int take_error(struct loop *loop, const struct error *err)
{
	enum agent_want want = agent_want();

	if (want == AGENT_WANT_STOP)
		return end_stopped(err);
	switch (err->class) {
	case ERROR_RETRY:
		if (want == AGENT_WANT_RUN)
			wait_retry(loop, err);
		return -1;
	case ERROR_DATA:
	case ERROR_GAP:
	case ERROR_FENCED:
		wait_person(err);
		return -1;
	case ERROR_CONFIG:
		if (!agent_has_run())
			break;
		wait_person(err);
		return -1;
	case ERROR_NONE:
	case ERROR_BUG:
		break;
	}
	log_error(err, "ending");
	return err->class == ERROR_NONE ? EX_SOFTWARE : error_exit_code(err->class);
}

static int run_once(struct loop *loop)
{
	uint64_t requests = agent_begin_run();
	struct error err = ERROR_INIT;

	if (loop->program->run(loop->context, &err) < 0)
		return take_error(loop, &err);
	if (agent_requests() != requests)
		return -1;
	(void)error_set(&err, ERROR_BUG, "the pipeline ended by itself");
	return take_error(loop, &err);
}

static void wait_paused(void)
{
	uint64_t requests = agent_requests();

	agent_set_state(AGENT_PAUSED, "by request");
	if (agent_want() == AGENT_WANT_PAUSE)
		(void)agent_wait_request(requests, -1);
}

static int run_loop(struct loop *loop)
{
	int code = -1;

	while (code < 0) {
		switch (agent_want()) {
		case AGENT_WANT_STOP:
			return EX_OK;
		case AGENT_WANT_PAUSE:
			wait_paused();
			break;
		case AGENT_WANT_RUN:
			code = run_once(loop);
			break;
		}
	}
	return code;
}

/* ---- starting ---- */
static const char *text_at(const void *values, size_t offset)
{
	return *(const char *const *)((const char *)values + offset);
}

static int report(const struct agent_program *program, const struct error *err, int code)
{
	(void)fprintf(stderr, "%s: %s", program->settings->program, err->text);
	if (err->hint[0] != '\0')
		(void)fprintf(stderr, " (%s)", err->hint);
	(void)fputc('\n', stderr);
	return code;
}

/* Everything but the pipeline. The exit code. */
static int serve(const struct agent_program *program, const void *values, void *context)
{
	const char *name = text_at(values, program->name_offset);
	int64_t heartbeat_us =
		*(const int64_t *)((const char *)values + program->heartbeat_interval_offset);
	struct loop loop = { .program = program, .context = context, .backoff_us = BACKOFF_FIRST };
	struct http_server *http = NULL;
	struct endpoint endpoint;
	struct error err = ERROR_INIT;
	int code;

	if (endpoint_open(text_at(values, program->run_directory_offset), name, &endpoint, &err) < 0)
		return report(program, &err, error_exit_code(err.class));
	if (agent_state_open(program, name, heartbeat_us, &err) < 0 || guard_open(endpoint.path, &err) < 0) {
		endpoint_close(&endpoint);
		return report(program, &err, error_exit_code(err.class));
	}
	log_info("%s %s, process %jd", program->settings->program, PACKAGE_VERSION, (intmax_t)getpid());
	if (http_open(program, context, endpoint.listen_fd, &http, &err) < 0) {
		log_error(&err, "ending");
		code = error_exit_code(err.class);
	} else {
		process_notify("READY=1");
		code = run_loop(&loop);
	}
	agent_set_state(AGENT_STOPPED, code == EX_OK ? "drained" : "by an error");
	http_close(http);
	guard_close();
	endpoint_close(&endpoint);
	agent_state_close();
	return code;
}

static int load(const struct agent_program *program, const struct command *command, void *values,
	struct settings **ret_settings)
{
	struct error err = ERROR_INIT;
	struct settings *settings = NULL;

	if (settings_load(program->settings, command->file, command->overrides, command->override_count, values,
		    &settings, &err) < 0)
		return report(program, &err, error_exit_code(err.class));
	if (program->check != NULL && program->check(values, &err) < 0) {
		settings_free(settings);
		(void)error_prefix(&err, "%s", command->file);
		return report(program, &err, error_exit_code(err.class));
	}
	*ret_settings = settings;
	return EX_OK;
}

static int run_with_settings(const struct agent_program *program, const struct command *command, void *values,
	void *context)
{
	enum log_level level = LOG_INFO;
	struct settings *settings = NULL;
	int code = load(program, command, values, &settings);

	if (code != EX_OK)
		return code;
	if (command->action == COMMAND_CHECK) {
		(void)printf("%s: ok\n", command->file);
	} else if (command->action == COMMAND_PRINT_CONFIG) {
		settings_print_config(program->settings, values, stdout);
	} else {
		(void)log_level_parse(text_at(values, program->log_level_offset), &level);
		log_open(text_at(values, program->name_offset), level,
			strcmp(text_at(values, program->log_format_offset), "json") == 0, STDERR_FILENO);
		code = serve(program, values, context);
	}
	settings_free(settings);
	return code;
}

static int finish_output(int code)
{
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? code : EX_IOERR;
}

int agent_main(const struct agent_program *program, void *values, void *context, int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct command command;

	process_harden();
	if (command_parse(argc, argv, &command, &err) < 0) {
		(void)error_hint(&err, "--help explains");
		return report(program, &err, EX_USAGE);
	}
	switch (command.action) {
	case COMMAND_HELP:
		settings_print_help(program->settings, stdout);
		break;
	case COMMAND_VERSION:
		(void)printf("%s %s\n", program->settings->program, PACKAGE_VERSION);
		break;
	case COMMAND_PRINT_SAMPLE:
		settings_print_sample(program->settings, stdout);
		break;
	case COMMAND_PRINT_MAN:
		settings_print_man(program->settings, stdout);
		break;
	case COMMAND_LIST_FAILPOINTS:
		for (unsigned i = 0; failpoint_name(i) != NULL; i++)
			(void)puts(failpoint_name(i));
		break;
	case COMMAND_RUN:
	case COMMAND_CHECK:
	case COMMAND_PRINT_CONFIG:
		return finish_output(run_with_settings(program, &command, values, context));
	}
	return finish_output(EX_OK);
}
