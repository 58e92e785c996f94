/*
 * man.c: the manual page of a program, in man(7)'s macros, from the option table.
 *
 * No date stands in it, so that the page only changes when what it says does.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "lib/settings/internal.h"

/* Prose: backslashes escaped, a control character at the start of a line protected, an empty line a new paragraph. */
static void print_prose(const char *text, FILE *out)
{
	bool at_start = true;

	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			(void)fputs("\n.PP\n", out);
			text += strspn(text, "\n") - 1;
			at_start = true;
			continue;
		}
		if (at_start && (*text == '.' || *text == '\''))
			(void)fputs("\\&", out);
		if (*text == '\\')
			(void)fputs("\\e", out);
		else
			(void)fputc(*text, out);
		at_start = false;
		/* One sentence a line, as roff wants it. */
		if (*text == '.' && text[1] == ' ') {
			(void)fputc('\n', out);
			text++;
			at_start = true;
		}
	}
	(void)fputc('\n', out);
}

/* A name or a value to be typed as it stands. */
static void print_literal(const char *text, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '-')
			(void)fputs("\\-", out);
		else if (*text == '\\')
			(void)fputs("\\e", out);
		else
			(void)fputc(*text, out);
	}
}

static void print_upper(const char *text, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '-')
			(void)fputc('\\', out);
		(void)fputc(toupper((unsigned char)*text), out);
	}
}

static void print_synopsis(const struct settings_program *program, FILE *out)
{
	static const char *const actions[] = { "--check", "--print-config" };
	static const char *const alone[] = { "--print-sample", "--help", "--version" };

	(void)fputs(".SH SYNOPSIS\n.B ", out);
	print_literal(program->program, out);
	(void)fputs("\n.B \\-c\n.I FILE\n.RB [ \\-o\n.IR OPTION = VALUE ]...\n", out);
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		(void)fputs(i == 0 ? ".RB [ " : ".RB | ", out);
		print_literal(actions[i], out);
		(void)fputs(i + 1 == sizeof actions / sizeof actions[0] ? " ]\n" : "\n", out);
	}
	for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++) {
		(void)fputs(".br\n.B ", out);
		print_literal(program->program, out);
		(void)fputc(' ', out);
		print_literal(alone[i], out);
		(void)fputc('\n', out);
	}
}

static void print_flags(FILE *out)
{
	(void)fputs(".SH OPTIONS\n", out);
	for (const struct settings_flag *flag = settings_flags; flag->flag != NULL; flag++) {
		(void)fputs(".TP\n.B ", out);
		print_literal(flag->flag, out);
		if (flag->argument != NULL)
			(void)fprintf(out, " \\fI%s\\fR", flag->argument);
		(void)fputc('\n', out);
		print_prose(flag->help, out);
	}
}

static const char *type_name(enum setting_type type)
{
	switch (type) {
	case SETTING_BOOL:
		return "true or false";
	case SETTING_INT:
		return "integer";
	case SETTING_DURATION:
		return "duration";
	case SETTING_SIZE:
		return "size";
	case SETTING_STRINGS:
		return "list of strings";
	case SETTING_GROUPS:
		return "list of groups";
	case SETTING_STRING:
	case SETTING_ENUM:
		break;
	}
	return "string";
}

static void print_option(const struct setting *option, FILE *out)
{
	char choices[200], bounds[80], terms[300];

	(void)fputs(".TP\n.B ", out);
	print_literal(option->name, out);
	(void)fputc('\n', out);
	(void)fprintf(out, "(%s", type_name(option->type));
	if (option->max != 0)
		(void)fprintf(out, " from %s", settings_format_bounds(option, "to", bounds, sizeof bounds));
	if (option->choices != NULL) {
		(void)fputs(": ", out);
		print_literal(settings_choices(option->choices, choices, sizeof choices), out);
	}
	if (option->pattern != NULL) {
		(void)fputs(" matching ", out);
		print_literal(option->pattern, out);
	}
	if (*settings_terms(option, terms, sizeof terms) != '\0') {
		(void)fputs("; ", out);
		print_literal(terms, out);
	}
	(void)fputs(option->secret ? "; secret)\n.br\n" : ")\n.br\n", out);
	print_prose(option->help, out);
	if (option->type != SETTING_GROUPS)
		return;
	(void)fputs(".RS\n", out);
	for (const struct setting *member = option->members; member->name != NULL; member++)
		print_option(member, out);
	(void)fputs(".RE\n", out);
}

static void print_file(const struct settings_program *program, FILE *out)
{
	(void)fputs(".SH CONFIGURATION FILE\n", out);
	print_prose("The file is in libconfig's syntax: NAME = VALUE; with strings in double quotes, lists of strings "
		    "in brackets and comments behind #. A name with a dot stands for a member of a group: "
		    "kafka.partitions is written as kafka = { partitions = 3; };\n"
		    "In strings, ${file:PATH} is replaced by the content of a file without its last line end, with "
		    "PATH relative to the configuration file's folder, and ${env:NAME} by an environment variable; "
		    "$${ stands for ${ itself. A duration is a string with a unit (us, ms, s, min, h, d), a size "
		    "one with B, KiB, MiB or GiB. An integer above 2147483647 needs an L behind it. A line @include "
		    "\"FILE\" puts another file in its place; FILE is relative to the configuration file's folder.\n"
		    "An option that is not known, a wrong type, a value out of range and a missing required option "
		    "are refused with the file, the line and the nearest known name.",
		out);
	for (const struct setting *option = program->options; option->name != NULL; option++)
		print_option(option, out);
}

static void print_signals(FILE *out)
{
	static const struct {
		const char *signal, *effect;
	} effects[] = {
		{ "SIGTERM, SIGINT",
		  "Take in nothing new, finish what is under way, and exit within 10 seconds. What could not be\n"
		  "finished is done again after the next start. A second signal ends the agent at once." },
		{ "SIGHUP", "Has no effect: the configuration is read at the start only." },
	};

	(void)fputs(".SH SIGNALS\n", out);
	for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++)
		(void)fprintf(out, ".TP\n.B %s\n%s\n", effects[i].signal, effects[i].effect);
}

static void print_files(const struct settings_program *program, FILE *out)
{
	(void)fputs(".SH FILES\n.TP\n.I /etc/tailrace/NAME.conf\nThe configuration that the systemd unit ", out);
	print_literal(program->program, out);
	(void)fputs("@NAME.service uses.\n"
		    ".TP\n"
		    ".I /run/tailrace/NAME.sock\n"
		    "The socket on which the agent answers HTTP: GET /v1/status, /v1/version, /metrics "
		    "(Prometheus), /livez and /readyz, POST /v1/pause and /v1/resume.\n"
		    ".TP\n"
		    ".I /run/tailrace/NAME.lock\n"
		    "Held while the agent runs, so that there is only one of that name.\n",
		out);
}

static void print_exit_status(FILE *out)
{
	static const struct {
		int status;
		const char *meaning;
	} statuses[] = {
		{ 0, "The agent was asked to stop, and everything under way was finished." },
		{ 64, "The command line is wrong." },
		{ 69, "An agent of this name is already running." },
		{ 70, "An invariant does not hold: a bug. Please report it with the log." },
		{ 75, "The agent was stopped before everything under way was finished. Nothing is lost." },
		{ 78, "The configuration, a grant or a table's shape was wrong when the agent started; a person has to change "
		      "something." },
	};

	(void)fputs(".SH EXIT STATUS\nThe codes are those of sysexits.h.\n", out);
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		(void)fprintf(out, ".TP\n.B %d\n", statuses[i].status);
		print_prose(statuses[i].meaning, out);
	}
	(void)fputs(".PP\n", out);
	print_prose("What may pass by itself (a connection, a deadlock) is tried again for ever. An event that cannot "
		    "be handled, a gap in the log, and a table or grant that is changed under a running agent put it into "
		    "the state \"failed\": it stays up and shows the reason until POST /v1/resume.",
		out);
}

void settings_print_man(const struct settings_program *program, FILE *out)
{
	(void)fputs(".\\\" Made from the option table by --print-man: edit that.\n.TH ", out);
	print_upper(program->program, out);
	(void)fprintf(out, " 8 \"\" \"Tailrace %s\" \"System administration\"\n.SH NAME\n", PACKAGE_VERSION);
	print_literal(program->program, out);
	(void)fprintf(out, " \\- %s\n", program->purpose);
	print_synopsis(program, out);
	(void)fputs(".SH DESCRIPTION\n", out);
	print_prose(program->description, out);
	print_flags(out);
	print_file(program, out);
	print_signals(out);
	print_files(program, out);
	print_exit_status(out);
	(void)fputs(".SH SEE ALSO\n.BR tailrace (1),\n", out);
	(void)fputs(strcmp(program->program, "tailrace-apply") == 0 ? ".BR tailrace\\-capture (8),\n" :
								      ".BR tailrace\\-apply (8),\n",
		out);
	(void)fputs(".BR systemd.service (5)\n", out);
}
