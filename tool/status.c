/*
 * status.c: `tailrace status`, `pause` and `resume`: what this machine's agents say, as a table or as JSON.
 */
#include "config.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tool/tool.h"

struct arguments {
	const char *run_directory;
	bool json, watch;
	char **names;
	int name_count;
};

static int parse(int argc, char **argv, bool show, struct arguments *ret)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "watch", no_argument, NULL, 'w' },
		{ "run-directory", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
	int c;

	*ret = (struct arguments){ .run_directory = TOOL_RUN_DIRECTORY };
	optind = 1;
	while ((c = getopt_long(argc, argv, show ? "jwr:" : "r:", options, NULL)) != -1) {
		if (c == 'r')
			ret->run_directory = optarg;
		else if (c == 'j' && show)
			ret->json = true;
		else if (c == 'w' && show)
			ret->watch = true;
		else
			return -1;
	}
	ret->names = argv + optind;
	ret->name_count = argc - optind;
	return 0;
}

static bool wanted(const struct arguments *given, const char *name)
{
	for (int i = 0; i < given->name_count; i++)
		if (strcmp(given->names[i], name) == 0)
			return true;
	return given->name_count == 0;
}

/* "1.2 MiB" */
static void print_bytes(const json_t *bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double n = json_number_value(bytes);
	size_t unit = 0;

	if (!json_is_number(bytes)) {
		(void)printf("%11s", "-");
		return;
	}
	while (n >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
		n /= 1024;
		unit++;
	}
	(void)printf(" %*.*f %-3s", unit == 0 ? 6 : 6, unit == 0 ? 0 : 1, n, units[unit]);
}

static void print_number(const json_t *value, int width, int digits)
{
	if (json_is_number(value))
		(void)printf(" %*.*f", width, digits, json_number_value(value));
	else
		(void)printf(" %*s", width, "-");
}

static void print_row(const json_t *status)
{
	const json_t *lag = json_object_get(status, "lag"), *rates = json_object_get(status, "rates");
	const json_t *memory = json_object_get(status, "memory"), *late = json_object_get(status, "latency_ms");
	const char *commit = json_string_value(json_object_get(json_object_get(status, "position"), "commit"));
	const json_t *error = json_object_get(status, "error");
	const char *position = commit != NULL && commit[0] != '\0' ? commit : "-";

	/* behind the first word may stand GTIDs, of any length */
	(void)printf("%-20s %-8s %-10s %-5s %-14.*s", json_string_value(json_object_get(status, "name")),
		json_string_value(json_object_get(status, "kind")), json_string_value(json_object_get(status, "state")),
		json_is_true(json_object_get(status, "ready")) ? "yes" : "no", (int)strcspn(position, " "), position);
	print_bytes(json_object_get(lag, "bytes"));
	print_number(json_object_get(lag, "transactions"), 8, 0);
	print_number(json_object_get(lag, "seconds"), 8, 2);
	print_number(json_object_get(rates, "transactions_per_second"), 8, 0);
	print_number(json_object_get(rates, "rows_per_second"), 9, 0);
	print_number(json_object_get(late, "p50"), 8, 1);
	print_number(json_object_get(late, "p99"), 8, 1);
	print_bytes(json_object_get(memory, "resident_bytes"));
	(void)printf("\n");
	if (!json_is_object(error))
		return;
	(void)printf("  %s: %s\n", json_string_value(json_object_get(error, "class")),
		json_string_value(json_object_get(error, "text")));
	if (json_is_string(json_object_get(error, "hint")))
		(void)printf("    hint: %s\n", json_string_value(json_object_get(error, "hint")));
}

/* One round over all agents; *ret_ready: all of them are. */
static int show(const struct arguments *given, bool *ret_ready, struct error *err)
{
	struct tool_agent *agents = NULL;
	json_t *all = json_array();
	size_t count = 0, shown = 0;
	bool ready = true;

	if (tool_agents(given->run_directory, &agents, &count, err) == -1) {
		json_decref(all);
		return -1;
	}
	if (!given->json)
		(void)printf("%-20s %-8s %-10s %-5s %-14s %10s %8s %8s %8s %9s %8s %8s %10s\n", "NAME", "KIND", "STATE", "READY",
			"POSITION", "LAG", "LAG TX", "LAG S", "TX/S", "ROWS/S", "P50 MS", "P99 MS", "MEMORY");
	for (size_t i = 0; i < count; i++) {
		struct error why = ERROR_INIT;
		json_t *status = NULL;

		if (!wanted(given, agents[i].name))
			continue;
		shown++;
		if (tool_request(&agents[i], "GET", "/v1/status", &status, &why) == -1 || status == NULL) {
			ready = false;
			if (given->json)
				(void)json_array_append_new(all, json_pack("{s:s,s:s,s:b,s:s}", "name", agents[i].name, "state", "gone",
					"ready", 0, "reason", why.text));
			else
				(void)printf("%-20s %-8s %-10s %-5s  %s\n", agents[i].name, "-", "gone", "no", why.text);
			continue;
		}
		ready = ready && json_is_true(json_object_get(status, "ready"));
		if (given->json)
			(void)json_array_append(all, status);
		else
			print_row(status);
		json_decref(status);
	}
	free(agents);
	if (given->json) {
		(void)json_dumpf(all, stdout, JSON_INDENT(2));
		(void)printf("\n");
	} else if (shown == 0) {
		(void)printf("no agent runs here (looked in %s)\n", given->run_directory);
	}
	json_decref(all);
	(void)fflush(stdout);
	*ret_ready = ready && shown > 0;
	return 0;
}

int tool_status(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct arguments given;
	bool ready = false;

	if (parse(argc, argv, true, &given) == -1)
		return EX_USAGE;
	do {
		if (given.watch && isatty(STDOUT_FILENO))
			(void)printf("\033[H\033[2J");
		if (show(&given, &ready, &err) == -1)
			return tool_fail(&err);
		if (given.watch)
			clock_sleep_us(1000000);
	} while (given.watch);
	return ready ? EX_OK : 1;
}

static int command(int argc, char **argv, const char *path)
{
	struct error err = ERROR_INIT;
	struct arguments given;
	int code = EX_OK;

	if (parse(argc, argv, false, &given) == -1)
		return EX_USAGE;
	if (given.name_count == 0) {
		(void)fprintf(stderr, "tailrace: %s: which agent? `tailrace status` lists them\n", argv[0]);
		return EX_USAGE;
	}
	for (int i = 0; i < given.name_count; i++) {
		struct tool_agent agent;
		json_t *answer = NULL;

		(void)snprintf(agent.name, sizeof agent.name, "%s", given.names[i]);
		(void)snprintf(agent.socket, sizeof agent.socket, "%s/%s.sock", given.run_directory, given.names[i]);
		if (tool_request(&agent, "POST", path, &answer, &err) == -1)
			code = tool_fail(&err);
		else
			(void)printf("%s: %s\n", agent.name, argv[0]);
		json_decref(answer);
	}
	return code;
}

int tool_pause(int argc, char **argv)
{
	return command(argc, argv, "/v1/pause");
}

int tool_resume(int argc, char **argv)
{
	return command(argc, argv, "/v1/resume");
}
