/*
 * main.c: `tailrace`, the operator's command: finds the command in one table and runs it.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tool/tool.h"

static const struct tool_command commands[] = {
	{ "check", "FILE...", "check configuration files; no server is asked",
		"Reads each file as its agent would and reports the first fault of each with file and line.", tool_check },
	{ "doctor", "[--json] FILE...", "ask the servers whether an agent can do its work",
		"Looks at the source's log and how it is kept (wal_level, slots, publication; binlog format, image, metadata, retention), grants and "
		"keys, at Kafka and its topics, and at the target's tables, as far as the file's agent needs them. Each WARN and FAIL comes with its remedy; --json prints the findings as "
		"JSON. Changes nothing. Exit status 1 when something FAILs, 78 when a file cannot be loaded.",
		tool_doctor },
	{ "status", "[--json] [--watch] [--run-directory DIR] [NAME...]", "show this machine's agents",
		"State, position, lag in bytes, transactions and seconds, and rates of each agent. --watch shows it anew each second, "
		"--json prints what the agents answer. Exit status 1 when an agent is not ready.",
		tool_status },
	{ "pause", "[--run-directory DIR] NAME...", "let agents finish what they have begun, then wait",
		"The source keeps its log meanwhile: do not leave a capture agent paused for long.", tool_pause },
	{ "resume", "[--run-directory DIR] NAME...", "let paused or failed agents go on from their durable position",
		"After a failure: mend the cause first; the agent tries the same change again. Nothing is skipped.", tool_resume },
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void print_help(FILE *out)
{
	(void)fprintf(out, "Usage: tailrace COMMAND [ARGUMENTS]\n\nCommands:\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		(void)fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].purpose);
	(void)fprintf(out, "  %-8s %s\n\n`tailrace help COMMAND` says more. Agents: tailrace-capture(8), tailrace-apply(8).\n",
		"help", "explain a command");
}

static const struct tool_command *find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int help(const char *name)
{
	const struct tool_command *command = name != NULL ? find(name) : NULL;

	if (command == NULL) {
		print_help(stdout);
		return EX_OK;
	}
	(void)printf("Usage: tailrace %s %s\n\n%s\n\n%s\n", command->name, command->arguments, command->purpose,
		command->details);
	return EX_OK;
}

int tool_fail(const struct error *err)
{
	(void)fprintf(stderr, "tailrace: %s\n", err->text);
	if (err->hint[0] != '\0')
		(void)fprintf(stderr, "  hint: %s\n", err->hint);
	return error_exit_code(err->class);
}

int main(int argc, char **argv)
{
	const struct tool_command *command;

	if (argc < 2) {
		print_help(stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("tailrace %s\n", PACKAGE_VERSION);
		return EX_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help(argc > 2 ? argv[2] : NULL);
	command = find(argv[1]);
	if (command == NULL) {
		(void)fprintf(stderr, "tailrace: unknown command \"%s\"; `tailrace help` lists them\n", argv[1]);
		return EX_USAGE;
	}
	if (argc > 2 && strcmp(argv[2], "--help") == 0)
		return help(command->name);
	return command->run(argc - 1, argv + 1);
}
