/*
 * agent_run.c: the frame of an agent, seen from outside: its states, its socket, its exit codes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/agent_fixture.h"

#define assert_contains(text, part) \
	do { \
		if (strstr((text), (part)) == NULL) \
			fail_msg("no \"%s\" in: %s", (part), (text)); \
	} while (0)

static int open_agent(void **state)
{
	(void)state;
	fixture_open("play");
	return 0;
}

static int close_agent(void **state)
{
	(void)state;
	fixture_close();
	return 0;
}

static void stop(pid_t pid, int expected)
{
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(fixture_wait(pid), expected);
}

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
		n++;
	return n;
}

static double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int post(const char *path)
{
	int status;

	(void)fixture_request("POST", path, false, &status);
	return status;
}

static void status_tells_what_was_published(void **state)
{
	static const char *const parts[] = { "{\"name\":\"play\",\"kind\":\"play\",\"version\":\"", "\"pid\":",
		"\"ready\":true", "\"reason\":null",
		"\"position\":{\"commit\":\"0/16B3748\",\"transaction\":\"740:23803720\",\"log\":\"postgresql:1:1:x\"}",
		"\"lag\":{\"bytes\":10,\"transactions\":2,\"seconds\":0.", "\"rates\":{\"transactions_per_second\":",
		"\"totals\":{\"transactions\":", "\"latency_ms\":{\"p50\":", "\"memory\":{\"resident_bytes\":",
		"\"error\":null}" };
	pid_t pid = fixture_start_agent();
	const char *body = fixture_await("/v1/status", "\"state\":\"streaming\"");

	body = fixture_await("/v1/status", "\"ready\":true");
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		assert_contains(body, parts[i]);
	stop(pid, EX_OK);
	assert_int_equal(access(fixture_path("run/play.sock"), F_OK), -1);
	assert_contains(fixture_read("log"), "state starting -> streaming (");
	assert_contains(fixture_read("log"), "state streaming -> draining (SIGTERM)");
	assert_contains(fixture_read("log"), "state draining -> stopped (drained)");
}

static void routes_answer_as_http_wants_it(void **state)
{
	pid_t pid = fixture_start_agent();
	int status;

	(void)fixture_await("/readyz", "ok\n");
	assert_string_equal(fixture_request("GET", "/livez", false, &status), "ok\n");
	assert_contains(fixture_request("GET", "/v1/version", false, &status), "\"program\":\"tailrace-play\"");
	assert_string_equal(fixture_request("GET", "/subjects", false, &status), "[\"a\"]");
	assert_contains(fixture_request("GET", "/nothing", true, &status), "application/problem+json");
	assert_int_equal(status, 404);
	assert_contains(fixture_request("DELETE", "/v1/status", true, &status), "Allow: GET, HEAD\r\n");
	assert_int_equal(status, 405);
	assert_contains(fixture_request("GET", "/v1/pause", true, &status), "Allow: POST\r\n");
	assert_int_equal(status, 405);
	(void)fixture_request("POST", "/subjects", true, &status);
	assert_int_equal(status, 405);
	(void)fixture_request("HEAD", "/v1/status", true, &status);
	assert_int_equal(status, 200);
	stop(pid, EX_OK);
}

static void pause_and_resume(void **state)
{
	pid_t pid = fixture_start_agent();
	int status;

	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	assert_int_equal(post("/v1/pause"), 202);
	(void)fixture_await("/v1/status", "\"state\":\"paused\"");
	assert_contains(fixture_request("GET", "/readyz", false, &status), "paused: by request");
	assert_int_equal(status, 503);
	assert_int_equal(fixture_runs(), 1);
	assert_int_equal(post("/v1/resume"), 202);
	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	assert_int_equal(fixture_runs(), 2);
	/* Requests that change nothing, and ones that overtake each other. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(post("/v1/resume"), 202);
		assert_int_equal(post("/v1/pause"), 202);
		assert_int_equal(post("/v1/resume"), 202);
	}
	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	assert_true(fixture_false_wakes() <= 20);
	assert_int_equal(post("/v1/pause"), 202);
	(void)fixture_await("/v1/status", "\"state\":\"paused\"");
	stop(pid, EX_OK);
}

static void failed_waits_for_a_person(void **state)
{
	pid_t pid;
	const char *body;

	fixture_play(PLAY_DATA);
	pid = fixture_start_agent();
	body = fixture_await("/v1/status", "\"state\":\"failed\"");
	assert_contains(body, "\"ready\":false");
	assert_contains(body,
		"\"error\":{\"class\":\"data\",\"text\":\"a \\\"bad\\\" row\",\"hint\":\"mend it\"}");
	assert_int_equal(post("/v1/pause"), 409);
	assert_int_equal(fixture_runs(), 1);
	assert_int_equal(post("/v1/resume"), 202);
	for (int i = 0; i < 500 && fixture_runs() < 2; i++)
		(void)nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	(void)fixture_await("/v1/status", "\"state\":\"failed\"");
	fixture_play(PLAY_STREAM);
	assert_int_equal(post("/v1/resume"), 202);
	body = fixture_await("/v1/status", "\"state\":\"streaming\"");
	assert_contains(body, "\"error\":null");
	stop(pid, EX_OK);
	assert_int_equal(count(fixture_read("log"), "ERROR"), 2);
}

/* What is wrong before the agent first runs ends it; the same later is a state, also when a resume meets it again. */
static void a_configuration_gone_wrong_later_waits_for_a_person(void **state)
{
	const char *body;
	pid_t pid = fixture_start_agent();

	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	fixture_play(PLAY_CONFIG);
	body = fixture_await("/v1/status", "\"state\":\"failed\"");
	assert_contains(body, "\"error\":{\"class\":\"config\",\"text\":\"no such slot\"");
	assert_contains(fixture_read("log"), "waiting for resume, or for a restart");
	assert_int_equal(post("/v1/resume"), 202);
	for (int i = 0; i < 500 && fixture_runs() < 3; i++)
		(void)nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	(void)fixture_await("/v1/status", "\"state\":\"failed\"");
	fixture_play(PLAY_STREAM);
	assert_int_equal(post("/v1/resume"), 202);
	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	stop(pid, EX_OK);
}

static void retries_with_one_line_for_the_same_error(void **state)
{
	pid_t pid;

	fixture_play(PLAY_RETRY);
	pid = fixture_start_agent();
	(void)fixture_await("/v1/status", "\"retries\":4");
	(void)fixture_await("/v1/status", "\"class\":\"retry\",\"text\":\"no broker answers\"");
	assert_int_equal(count(fixture_read("log"), "ERROR"), 1);
	assert_int_equal(count(fixture_read("log"), "starting -> retrying"), 1);
	fixture_play(PLAY_STREAM);
	assert_int_equal(post("/v1/resume"), 202); /* now, not after the back-off */
	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	stop(pid, EX_OK);
}

static void stop_while_waiting(void **state)
{
	static const enum play plays[] = { PLAY_RETRY, PLAY_DATA };
	static const char *const states[] = { "\"state\":\"retrying\"", "\"state\":\"failed\"" };

	for (size_t i = 0; i < 2; i++) {
		pid_t pid;

		fixture_play(plays[i]);
		pid = fixture_start_agent();
		(void)fixture_await("/v1/status", states[i]);
		stop(pid, EX_OK);
	}
}

static void an_interrupted_drain_is_no_failure(void **state)
{
	pid_t pid;

	fixture_play(PLAY_INTERRUPTED);
	pid = fixture_start_agent();
	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	stop(pid, EX_OK);
}

static void a_second_signal_ends_at_once(void **state)
{
	double start = seconds();
	pid_t pid;

	fixture_play(PLAY_HANG);
	pid = fixture_start_agent();
	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	assert_int_equal(kill(pid, SIGINT), 0);
	(void)fixture_await("/v1/status", "\"state\":\"draining\"");
	assert_int_equal(post("/v1/resume"), 409);
	stop(pid, EX_TEMPFAIL);
	assert_true(seconds() - start < 5);
	assert_int_equal(access(fixture_path("run/play.sock"), F_OK), -1);
}

static void a_hanging_pipeline_ends_within_ten_seconds(void **state)
{
	double start;
	pid_t pid;

	fixture_play(PLAY_HANG);
	pid = fixture_start_agent();
	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	start = seconds();
	stop(pid, EX_TEMPFAIL);
	assert_true(seconds() - start < 10.5 && seconds() - start > 8);
	assert_contains(fixture_read("log"), "not drained within 9 s");
}

/* Nothing is under way: no reason to wait, and none to call it unfinished. */
static void a_hanging_connect_ends_soon(void **state)
{
	double start;
	pid_t pid;

	fixture_play(PLAY_CONNECT);
	pid = fixture_start_agent();
	(void)fixture_await("/v1/status", "\"state\":\"starting\"");
	start = seconds();
	stop(pid, EX_OK);
	assert_true(seconds() - start < 5);
	assert_contains(fixture_read("log"), "state draining -> stopped (while connecting)");
	assert_int_equal(access(fixture_path("run/play.sock"), F_OK), -1);
}

static void a_second_agent_of_the_name_is_refused(void **state)
{
	pid_t pid = fixture_start_agent();

	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	assert_int_equal(fixture_wait(fixture_start_agent()), EX_UNAVAILABLE);
	assert_contains(fixture_read("log"), "tailrace-play: agent \"play\" is already running (process ");
	/* Even with its lock's file gone. */
	assert_int_equal(unlink(fixture_path("run/play.lock")), 0);
	assert_int_equal(fixture_wait(fixture_start_agent()), EX_UNAVAILABLE);
	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	stop(pid, EX_OK);
}

static void a_killed_agent_leaves_nothing_in_the_way(void **state)
{
	pid_t pid = fixture_start_agent();

	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(fixture_wait(pid), 256 + SIGKILL);
	assert_int_equal(access(fixture_path("run/play.sock"), F_OK), 0);
	pid = fixture_start_agent();
	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	stop(pid, EX_OK);
}

static void classes_that_end_the_process(void **state)
{
	fixture_play(PLAY_CONFIG);
	assert_int_equal(fixture_wait(fixture_start_agent()), EX_CONFIG);
	assert_contains(fixture_read("log"), "no such slot");
	fixture_play(PLAY_BUG);
	assert_int_equal(fixture_wait(fixture_start_agent()), EX_SOFTWARE);
	fixture_play(PLAY_RETURN);
	assert_int_equal(fixture_wait(fixture_start_agent()), EX_SOFTWARE);
	assert_contains(fixture_read("log"), "the pipeline ended by itself");
}

/* Every sample belongs to a family with HELP and TYPE; counters end in _total; units are base units. */
static void check_metrics(char *text)
{
	char *rest = NULL, family[128] = "", type[16] = "";

	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		size_t len;

		if (strncmp(line, "# HELP ", 7) == 0)
			continue;
		if (strncmp(line, "# TYPE ", 7) == 0) {
			assert_int_equal(sscanf(line, "# TYPE %127s %15s", family, type), 2);
			assert_int_equal(strcmp(type, "counter") == 0, strstr(family, "_total") != NULL);
			continue;
		}
		len = strlen(family);
		assert_true(len > 0 && strncmp(line, family, len) == 0);
		assert_true(strcmp(type, "histogram") == 0 || line[len] == '{' || line[len] == ' ');
		assert_null(strstr(line, "nan"));
	}
}

static void metrics_are_prometheus(void **state)
{
	pid_t pid = fixture_start_agent();
	char text[65536];

	(void)fixture_await("/metrics", "tailrace_ready{agent=\"play\",kind=\"play\"} 1\n");
	(void)snprintf(text, sizeof text, "%s", fixture_await("/metrics", "tailrace_transactions_total{"));
	assert_contains(text, "tailrace_state{agent=\"play\",kind=\"play\",state=\"streaming\"} 1\n");
	assert_contains(text, "tailrace_state{agent=\"play\",kind=\"play\",state=\"paused\"} 0\n");
	assert_contains(text, "tailrace_lag_bytes{agent=\"play\",kind=\"play\"} 10\n");
	assert_contains(text, "tailrace_commit_latency_seconds_bucket{agent=\"play\",kind=\"play\",le=\"0.001\"} 0\n");
	assert_contains(text, "le=\"+Inf\"} ");
	assert_contains(text, "process_resident_memory_bytes ");
	check_metrics(text);
	stop(pid, EX_OK);
}

static int run_with(const char *const *arguments)
{
	return fixture_wait(fixture_start(arguments));
}

static void command_line(void **state)
{
	char conf[256];

	(void)snprintf(conf, sizeof conf, "%s", fixture_path("agent.conf"));
	assert_int_equal(run_with((const char *const[]){ "--version", NULL }), EX_OK);
	assert_int_equal(strncmp(fixture_read("out"), "tailrace-play ", 14), 0);
	assert_int_equal(run_with((const char *const[]){ "--help", NULL }), EX_OK);
	assert_contains(fixture_read("out"), "  heartbeat_interval (default 1s)\n");
	assert_int_equal(run_with((const char *const[]){ "--list-failpoints", NULL }), EX_OK);
	assert_contains(fixture_read("out"), "apply.commit.sent\n");
	assert_int_equal(run_with((const char *const[]){ "--print-sample", NULL }), EX_OK);
	assert_int_equal(run_with((const char *const[]){ "--print-man", NULL }), EX_OK);
	assert_int_equal(run_with((const char *const[]){ "-c", conf, "--check", NULL }), EX_OK);
	assert_contains(fixture_read("out"), "agent.conf: ok\n");
	assert_int_equal(run_with((const char *const[]){ "-c", conf, "--print-config", "-o", "log_level=debug", NULL }),
		EX_OK);
	assert_contains(fixture_read("out"), "log_level = \"debug\";\n");
	assert_string_equal(fixture_read("log"), "");
	assert_int_equal(run_with((const char *const[]){ "-c", conf, "--check", "-o", "name=refused", NULL }),
		EX_CONFIG);
	assert_contains(fixture_read("log"), "agent.conf: not this name\n");
}

static void wrong_command_lines(void **state)
{
	assert_int_equal(run_with((const char *const[]){ NULL }), EX_USAGE);
	assert_int_equal(run_with((const char *const[]){ "-c", NULL }), EX_USAGE);
	assert_int_equal(run_with((const char *const[]){ "-x", NULL }), EX_USAGE);
	assert_int_equal(run_with((const char *const[]){ "--chekc", NULL }), EX_USAGE);
	assert_int_equal(run_with((const char *const[]){ "--check=1", NULL }), EX_USAGE);
	assert_int_equal(run_with((const char *const[]){ "--version", "more", NULL }), EX_USAGE);
	assert_string_equal(fixture_read("log"),
		"tailrace-play: a configuration file is needed: -c FILE (--help explains)\n"
		"tailrace-play: -c needs a value (--help explains)\n"
		"tailrace-play: unknown flag -x (--help explains)\n"
		"tailrace-play: unknown flag --chekc (--help explains)\n"
		"tailrace-play: unknown flag --check=1 (--help explains)\n"
		"tailrace-play: unexpected argument \"more\" (--help explains)\n");
}

static void json_lines(void **state)
{
	char conf[256];
	pid_t pid;

	(void)snprintf(conf, sizeof conf, "%s", fixture_path("agent.conf"));
	pid = fixture_start((const char *const[]){ "-c", conf, "-o", "log_format=json", NULL });
	(void)fixture_await("/v1/status", "\"state\":\"streaming\"");
	stop(pid, EX_OK);
	assert_int_equal(fixture_read("log")[0], '{');
	assert_contains(fixture_read("log"), "\"agent\":\"play\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_agent, close_agent)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(status_tells_what_was_published),
		TEST(routes_answer_as_http_wants_it),
		TEST(pause_and_resume),
		TEST(failed_waits_for_a_person),
		TEST(a_configuration_gone_wrong_later_waits_for_a_person),
		TEST(retries_with_one_line_for_the_same_error),
		TEST(stop_while_waiting),
		TEST(an_interrupted_drain_is_no_failure),
		TEST(a_second_signal_ends_at_once),
		TEST(a_hanging_pipeline_ends_within_ten_seconds),
		TEST(a_hanging_connect_ends_soon),
		TEST(a_second_agent_of_the_name_is_refused),
		TEST(a_killed_agent_leaves_nothing_in_the_way),
		TEST(classes_that_end_the_process),
		TEST(metrics_are_prometheus),
		TEST(command_line),
		TEST(wrong_command_lines),
		TEST(json_lines),
	};

	return cmocka_run_group_tests_name("agent_run", tests, NULL, NULL);
}
