/*
 * command.c: the command line, which is the same for all agents. settings_flags[] says what each flag is for.
 */
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "lib/agent/internal.h"

enum { FLAG_ACTION = 256 }; /* + enum command_action */

static const struct option flags[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "option", required_argument, NULL, 'o' },
	{ "check", no_argument, NULL, FLAG_ACTION + COMMAND_CHECK },
	{ "print-config", no_argument, NULL, FLAG_ACTION + COMMAND_PRINT_CONFIG },
	{ "print-sample", no_argument, NULL, FLAG_ACTION + COMMAND_PRINT_SAMPLE },
	{ "print-man", no_argument, NULL, FLAG_ACTION + COMMAND_PRINT_MAN },
	{ "list-failpoints", no_argument, NULL, FLAG_ACTION + COMMAND_LIST_FAILPOINTS },
	{ "help", no_argument, NULL, FLAG_ACTION + COMMAND_HELP },
	{ "version", no_argument, NULL, FLAG_ACTION + COMMAND_VERSION },
	{ NULL, 0, NULL, 0 },
};

static bool needs_file(enum command_action action)
{
	return action == COMMAND_RUN || action == COMMAND_CHECK || action == COMMAND_PRINT_CONFIG;
}

static int take_flag(int flag, char **argv, struct command *command, struct error *err)
{
	switch (flag) {
	case 'c':
		command->file = optarg;
		return 0;
	case 'o':
		if (command->override_count == COMMAND_OPTIONS_MAX)
			return error_set(err, ERROR_CONFIG, "more than %d times -o", COMMAND_OPTIONS_MAX);
		command->overrides[command->override_count++] = optarg;
		return 0;
	case ':':
		return error_set(err, ERROR_CONFIG, "%s needs a value", argv[optind - 1]);
	case '?':
		if (optopt != 0 && optopt < FLAG_ACTION)
			return error_set(err, ERROR_CONFIG, "unknown flag -%c", optopt);
		return error_set(err, ERROR_CONFIG, "unknown flag %s", argv[optind - 1]);
	default:
		command->action = (enum command_action)(flag - FLAG_ACTION);
		return 0;
	}
}

int command_parse(int argc, char **argv, struct command *ret_command, struct error *err)
{
	struct command command = { .action = COMMAND_RUN };
	int flag;

	optind = 0;
	opterr = 0;
	while ((flag = getopt_long(argc, argv, ":c:o:", flags, NULL)) != -1)
		if (take_flag(flag, argv, &command, err) < 0)
			return -1;
	if (optind < argc)
		return error_set(err, ERROR_CONFIG, "unexpected argument \"%s\"", argv[optind]);
	if (command.file == NULL && needs_file(command.action))
		return error_set(err, ERROR_CONFIG, "a configuration file is needed: -c FILE");
	*ret_command = command;
	return 0;
}
