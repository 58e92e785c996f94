/*
 * tool.h: what the commands of `tailrace` share.
 *
 * A command gets its own arguments (argv[0] is its name) and returns the program's exit code (sysexits).
 */
#ifndef TAILRACE_TOOL_TOOL_H
#define TAILRACE_TOOL_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "apply/options.h"
#include "capture/options.h"
#include "lib/base/error.h"
#include "lib/kafka/kafka.h"

struct tool_command {
	const char *name;
	const char *arguments;
	const char *purpose; /* one line */
	const char *details; /* for `tailrace help COMMAND` and the man page */
	int (*run)(int argc, char **argv);
};

int tool_check(int argc, char **argv);
int tool_doctor(int argc, char **argv);
int tool_status(int argc, char **argv);
int tool_pause(int argc, char **argv);
int tool_resume(int argc, char **argv);

/* Prints "tailrace: <text>" and the hint to standard error; returns the class's exit code. */
int tool_fail(const struct error *err);

/* ---- local.c: the agents of this machine ---- */
#define TOOL_RUN_DIRECTORY "/run/tailrace"

struct tool_agent {
	char name[64];
	char socket[256];
};

/* All sockets in the directory, sorted by name; free() the array. An empty list is not an error. */
int tool_agents(const char *run_directory, struct tool_agent **ret_agents, size_t *ret_count, struct error *err);
/* Asks an agent; the answer's JSON (json_decref() it) may be NULL for an empty body. A status over 299 is an error with the answer's title. */
int tool_request(const struct tool_agent *agent, const char *method, const char *path, json_t **ret_answer,
	struct error *err);

/* ---- check.c: configuration files ---- */
enum tool_kind { TOOL_CAPTURE, TOOL_APPLY };
/* Which program a file is for, by its options: only capture has a slot. ERROR_CONFIG if the file cannot be read. */
int tool_kind_of(const char *path, enum tool_kind *ret_kind, struct error *err);

struct tool_file {
	enum tool_kind kind;
	union {
		struct capture_settings capture;
		struct apply_settings apply;
	};
	struct settings *settings; /* settings_free(); it owns the strings */
};

/* Reads the file as its agent does when it starts, and makes the same checks that need no server. ERROR_CONFIG. */
int tool_load(const char *path, struct tool_file *ret_file, struct error *err);
/* What lib/kafka wants of the file; borrows from it. */
struct kafka_config tool_kafka(const struct tool_file *file);

#endif
