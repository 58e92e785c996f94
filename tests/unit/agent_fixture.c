/*
 * agent_fixture.c: see agent_fixture.h. The agent is a forked child, which shares a page with the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/agent/agent.h"
#include "lib/base/clock.h"
#include "tests/unit/agent_fixture.h"

struct shared {
	_Atomic int play, runs, false_wakes;
};

static struct shared *shared;
static char folder[64];
static const char *agent_name;

/* ---- the agent: the few options that the frame needs, and a pipeline that plays what it is told ---- */
struct values {
	const char *name, *run_directory, *log_format, *log_level;
	int64_t heartbeat_interval_us;
};

static const struct setting options[] = {
	{ .name = "name",
	  .type = SETTING_STRING,
	  .offset = offsetof(struct values, name),
	  .required = true,
	  .help = "N." },
	{ .name = "run_directory",
	  .type = SETTING_STRING,
	  .offset = offsetof(struct values, run_directory),
	  .fallback = "/nowhere",
	  .help = "R." },
	{ .name = "log_format",
	  .type = SETTING_ENUM,
	  .offset = offsetof(struct values, log_format),
	  .fallback = "text",
	  .choices = "text|json",
	  .help = "F." },
	{ .name = "log_level",
	  .type = SETTING_ENUM,
	  .offset = offsetof(struct values, log_level),
	  .fallback = "info",
	  .choices = "debug|info|warning|error",
	  .help = "L." },
	{ .name = "heartbeat_interval",
	  .type = SETTING_DURATION,
	  .offset = offsetof(struct values, heartbeat_interval_us),
	  .fallback = "1s",
	  .help = "H." },
	{ .name = NULL },
};
static const struct settings_program settings = { "tailrace-play", "plays what the test says", "Plays.", options,
	sizeof(struct values) };

static void stream(enum play play)
{
	struct agent_figures figures = {
		.position_commit = "0/16B3748",
		.position_transaction = "740:23803720",
		.position_log = "postgresql:1:1:x",
		.lag_bytes = 10,
		.lag_transactions = 2,
		.lag_seconds = 0.25,
	};

	agent_running();
	for (;;) {
		struct pollfd fd = { agent_wake_fd(), POLLIN, 0 };
		enum agent_want want = agent_want();

		if (play != PLAY_HANG && want != AGENT_WANT_RUN)
			return;
		if (shared->play != (int)play)
			return;
		figures.transactions++;
		figures.rows += 3;
		figures.bytes += 300;
		figures.heartbeat_us = clock_monotonic_us();
		agent_latency(2000);
		agent_publish(&figures);
		if (poll(&fd, 1, 10) > 0 && play != PLAY_HANG && agent_want() == AGENT_WANT_RUN)
			shared->false_wakes++;
	}
}

static int run(void *context, struct error *err)
{
	enum play play = (enum play)shared->play;

	(void)context;
	shared->runs++;
	switch (play) {
	case PLAY_STREAM:
	case PLAY_HANG:
		stream(play);
		return shared->play == (int)play ? 0 : error_set(err, ERROR_RETRY, "the play has changed");
	case PLAY_INTERRUPTED:
		stream(play);
		return error_set(err, ERROR_RETRY, "interrupted");
	case PLAY_CONNECT:
		for (;;)
			(void)pause();
	case PLAY_RETRY:
		return error_set(err, ERROR_RETRY, "no broker answers");
	case PLAY_DATA:
		agent_running();
		(void)error_set(err, ERROR_DATA, "a \"bad\" row");
		return error_hint(err, "mend it");
	case PLAY_CONFIG:
		return error_set(err, ERROR_CONFIG, "no such slot");
	case PLAY_BUG:
		return error_set(err, ERROR_BUG, "two and two are five");
	case PLAY_RETURN:
		break;
	}
	return 0;
}

static int http(void *context, const char *path, struct buf *body)
{
	(void)context;
	if (strcmp(path, "/subjects") != 0)
		return 0;
	buf_append_str(body, "[\"a\"]");
	return 200;
}

static int check(const void *values, struct error *err)
{
	const struct values *given = values;

	return strcmp(given->name, "refused") == 0 ? error_set(err, ERROR_CONFIG, "not this name") : 0;
}

static int agent_process(int argc, char **argv)
{
	static struct values values;
	static const struct agent_program program = {
		.kind = "play",
		.running_name = "streaming",
		.settings = &settings,
		.name_offset = offsetof(struct values, name),
		.run_directory_offset = offsetof(struct values, run_directory),
		.log_format_offset = offsetof(struct values, log_format),
		.log_level_offset = offsetof(struct values, log_level),
		.heartbeat_interval_offset = offsetof(struct values, heartbeat_interval_us),
		.check = check,
		.run = run,
		.http = http,
	};

	return agent_main(&program, &values, NULL, argc, argv);
}

/* ---- processes and files ---- */
void fixture_play(enum play play)
{
	shared->play = (int)play;
}

int fixture_runs(void)
{
	return shared->runs;
}

int fixture_false_wakes(void)
{
	return shared->false_wakes;
}

const char *fixture_path(const char *file)
{
	static char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", folder, file);
	return path;
}

void fixture_open(const char *name)
{
	FILE *conf;

	if (shared == NULL) {
		shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(shared, MAP_FAILED);
	}
	shared->false_wakes = 0;
	fixture_play(PLAY_STREAM);
	agent_name = name;
	(void)snprintf(folder, sizeof folder, "/tmp/tailrace-agent-XXXXXX");
	assert_non_null(mkdtemp(folder));
	conf = fopen(fixture_path("agent.conf"), "w");
	assert_non_null(conf);
	(void)fprintf(conf, "name = \"%s\";\nrun_directory = \"%s/run\";\n", name, folder);
	(void)fclose(conf);
}

void fixture_close(void)
{
	static const char *const files[] = { "agent.conf", "out", "log" };
	char path[256];

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		(void)unlink(fixture_path(files[i]));
	(void)snprintf(path, sizeof path, "%s/run/%s.lock", folder, agent_name);
	(void)unlink(path);
	(void)snprintf(path, sizeof path, "%s/run/%s.sock", folder, agent_name);
	(void)unlink(path);
	(void)rmdir(fixture_path("run"));
	(void)rmdir(folder);
}

pid_t fixture_start(const char *const *arguments)
{
	char *argv[16] = { (char *)(uintptr_t)"tailrace-play" };
	int argc = 1;
	pid_t pid;

	while (arguments[argc - 1] != NULL) {
		argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
		argc++;
	}
	shared->runs = 0;
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int out = open(fixture_path("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
		int log = open(fixture_path("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

		(void)dup2(out, STDOUT_FILENO);
		(void)dup2(log, STDERR_FILENO);
		exit(agent_process(argc, argv));
	}
	return pid;
}

pid_t fixture_start_agent(void)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s", fixture_path("agent.conf"));
	return fixture_start((const char *const[]){ "-c", path, NULL });
}

int fixture_wait(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

const char *fixture_read(const char *file)
{
	static char content[65536];
	FILE *in = fopen(fixture_path(file), "r");
	size_t len = in != NULL ? fread(content, 1, sizeof content - 1, in) : 0;

	content[len] = '\0';
	if (in != NULL)
		(void)fclose(in);
	return content;
}

/* ---- the client ---- */
const char *fixture_request(const char *method, const char *path, bool headers, int *ret_status)
{
	static char answer[65536];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t used = 0;
	char *body;

	*ret_status = 0;
	answer[0] = '\0';
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s/run/%s.sock", folder, agent_name);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		(void)close(fd);
		return answer;
	}
	(void)dprintf(fd, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method,
		path);
	for (;;) {
		ssize_t n = read(fd, answer + used, sizeof answer - 1 - used);

		if (n <= 0)
			break;
		used += (size_t)n;
	}
	(void)close(fd);
	answer[used] = '\0';
	(void)sscanf(answer, "HTTP/1.1 %d", ret_status);
	body = strstr(answer, "\r\n\r\n");
	return headers || body == NULL ? answer : body + 4;
}

const char *fixture_await(const char *path, const char *text)
{
	const char *body = "";

	for (int i = 0; i < 500; i++) {
		int status;

		body = fixture_request("GET", path, false, &status);
		if (strstr(body, text) != NULL)
			return body;
		(void)nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	}
	fail_msg("%s does not come to contain %s; it is: %s\nlog:\n%s", path, text, body, fixture_read("log"));
	return body;
}
