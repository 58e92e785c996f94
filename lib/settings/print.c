/*
 * print.c: --help, --print-config and the sample, from the option table.
 *
 * In the sample a line that starts with "#" and no space is an option that can be made to count by taking the "#" away;
 * lines with "# " are prose. A test takes all of them away and loads the result.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "lib/settings/internal.h"

#define WIDTH 100

const struct settings_flag settings_flags[] = {
	{ "-c, --config", "FILE", "Read this configuration file." },
	{ "-o, --option", "OPTION=VALUE",
	  "Set an option whatever the file says; a list's items are separated by commas. May be given repeatedly." },
	{ "--check", NULL, "Check the configuration file without connecting to anything, and exit." },
	{ "--print-config", NULL, "Print the configuration that would be used, with secrets hidden, and exit." },
	{ "--print-sample", NULL, "Print a configuration file with every option and its explanation, and exit." },
	{ "--print-man", NULL, "Print the source of the manual page, and exit." },
	{ "--list-failpoints", NULL, "Print the names of the failpoints that a test build has, and exit." },
	{ "--help", NULL, "Print the command line and the options of the configuration file, and exit." },
	{ "--version", NULL, "Print the version, and exit." },
	{ NULL, NULL, NULL },
};

const char *settings_choices(const char *choices, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (const char *c = choices; *c != '\0' && used + 3 < size; c++) {
		if (*c == '|') {
			buf[used++] = ',';
			buf[used++] = ' ';
		} else {
			buf[used++] = *c;
		}
		buf[used] = '\0';
	}
	return buf;
}

/* "1 for a, 2 for b" of "a=1|b=2" */
static void append_fallbacks(const char *fallbacks, char *buf, size_t size)
{
	const char *separator = "";

	while (*fallbacks != '\0') {
		size_t used = strlen(buf), name = strcspn(fallbacks, "="), end = strcspn(fallbacks, "|");

		(void)snprintf(buf + used, size - used, "%s%.*s for %.*s", separator, (int)(end - name - 1), fallbacks + name + 1,
			(int)name, fallbacks);
		separator = ", ";
		fallbacks += end;
		fallbacks += *fallbacks == '|';
	}
}

const char *settings_terms(const struct setting *option, char *buf, size_t size)
{
	char names[200];
	size_t used;

	buf[0] = '\0';
	if (option->required) {
		(void)snprintf(buf, size, "required");
	} else if (option->required_for != NULL) {
		(void)snprintf(buf, size, "required for %s", settings_choices(option->required_for, names, sizeof names));
	} else if (option->fallbacks != NULL) {
		(void)snprintf(buf, size, "default ");
		append_fallbacks(option->fallbacks, buf, size);
	} else if (option->fallback != NULL && option->fallback[0] != '\0') {
		(void)snprintf(buf, size, "default %s", option->fallback);
	}
	if (option->only != NULL) {
		used = strlen(buf);
		(void)snprintf(buf + used, size - used, "%sonly for %s", used > 0 ? "; " : "",
			settings_choices(option->only, names, sizeof names));
	}
	return buf;
}

size_t settings_first_sentence(const char *text)
{
	const char *end = strstr(text, ". ");

	return end != NULL ? (size_t)(end - text) + 1 : strlen(text);
}

/* Writes the words of the text in lines of at most WIDTH, each with `indent` before it. */
static void print_wrapped(const char *indent, const char *text, size_t len, FILE *out)
{
	const char *end = text + len;
	size_t column = 0;

	while (text < end) {
		size_t word = strcspn(text, " \n");

		if (word > (size_t)(end - text))
			word = (size_t)(end - text);
		if (column > 0 && column + 1 + word > WIDTH) {
			(void)fputc('\n', out);
			column = 0;
		}
		column += (size_t)fprintf(out, "%s%.*s", column == 0 ? indent : " ", (int)word, text);
		text += word;
		text += strspn(text, " \n");
	}
	(void)fputc('\n', out);
}

void settings_print_string(const char *text, FILE *out)
{
	(void)fputc('"', out);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			(void)fprintf(out, "\\%c", c);
		else if (c == '\n')
			(void)fputs("\\n", out);
		else if (c < 0x20 || c == 0x7f)
			(void)fprintf(out, "\\x%02X", c);
		else
			(void)fputc(c, out);
	}
	(void)fputc('"', out);
}

void settings_print_literal(const struct setting *option, const char *text, FILE *out)
{
	if (option->type == SETTING_BOOL || option->type == SETTING_INT)
		(void)fputs(text, out);
	else
		settings_print_string(text, out);
}

/* ---- --help ---- */
void settings_print_help(const struct settings_program *program, FILE *out)
{
	char choices[200], terms[300];

	(void)fprintf(out, "Usage: %s -c FILE [-o OPTION=VALUE]...\n%s: %s\n\n", program->program, program->program,
		program->purpose);
	for (const struct settings_flag *flag = settings_flags; flag->flag != NULL; flag++) {
		(void)fprintf(out, "  %s%s%s\n", flag->flag, flag->argument != NULL ? " " : "",
			flag->argument != NULL ? flag->argument : "");
		print_wrapped("        ", flag->help, strlen(flag->help), out);
	}
	(void)fprintf(out, "\nOptions of the configuration file (%s(8) explains them in full):\n\n", program->program);
	for (const struct setting *option = program->options; option->name != NULL; option++) {
		(void)fprintf(out, "  %s", option->name);
		(void)settings_terms(option, terms, sizeof terms);
		if (option->type == SETTING_ENUM)
			(void)fprintf(out, " (%s; %s)", settings_choices(option->choices, choices, sizeof choices), terms);
		else if (terms[0] != '\0')
			(void)fprintf(out, " (%s)", terms);
		(void)fputc('\n', out);
		print_wrapped("        ", option->help, settings_first_sentence(option->help), out);
	}
}

/* ---- groups: options with the same part before the dot stand together ---- */
static bool same_group(const struct setting *a, const struct setting *b)
{
	size_t len = settings_group_length(a->name);

	return len == settings_group_length(b->name) && memcmp(a->name, b->name, len) == 0;
}

static const char *inner_name(const struct setting *option)
{
	size_t group = settings_group_length(option->name);

	return group > 0 ? option->name + group + 1 : option->name;
}

typedef void print_option(const struct setting *option, const char *indent, const void *context, FILE *out);

/* Prints each option, with "kafka = {" and "};" around those of a group, and `gap` between any two. */
static void print_grouped(const struct setting *options, print_option *print, const void *context, const char *gap,
	FILE *out)
{
	for (const struct setting *option = options; option->name != NULL; option++) {
		size_t group = settings_group_length(option->name);

		if (group > 0 && (option == options || !same_group(option - 1, option)))
			(void)fprintf(out, "%.*s = {\n", (int)group, option->name);
		print(option, group > 0 ? "    " : "", context, out);
		if (group > 0 && (option[1].name == NULL || !same_group(option, option + 1)))
			(void)fputs("};\n", out);
		else if (option[1].name == NULL)
			break;
		if (option[1].name != NULL)
			(void)fputs(gap, out);
	}
}

/* ---- --print-config ---- */
/* "${" in a value that is already expanded is no reference. */
static void print_expanded(const char *text, FILE *out)
{
	char escaped[4096];
	size_t used = 0;

	for (; *text != '\0' && used + 3 < sizeof escaped; text++) {
		if (text[0] == '$' && text[1] == '{')
			escaped[used++] = '$';
		escaped[used++] = *text;
	}
	escaped[used] = '\0';
	settings_print_string(escaped, out);
}

/* The part of "NAME=VALUE" behind the "=", if NAME does not sound harmless. */
static bool property_is_secret(const char *property)
{
	static const char *const words[] = { "password", "secret", "key", "token", "jaas", "oauthbearer", "pem" };
	char name[128];

	(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(property, "="), property);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasestr(name, words[i]) != NULL)
			return true;
	return strchr(property, '=') == NULL;
}

static void print_list(const struct setting *option, const struct settings_list *list, FILE *out)
{
	(void)fputs("[", out);
	for (size_t i = 0; i < list->count; i++) {
		(void)fputs(i > 0 ? ", " : " ", out);
		if (option->secret && property_is_secret(list->items[i]))
			(void)fprintf(out, "\"%.*s=********\"", (int)strcspn(list->items[i], "=\"\\"), list->items[i]);
		else
			print_expanded(list->items[i], out);
	}
	(void)fputs(list->count > 0 ? " ]" : "]", out);
}

static void print_value(const struct setting *option, const char *indent, const void *context, FILE *out);

static void print_groups(const struct setting *option, const struct settings_groups *groups, FILE *out)
{
	(void)fputs("(", out);
	for (size_t i = 0; i < groups->count; i++) {
		(void)fputs(i > 0 ? ",\n    {\n" : "\n    {\n", out);
		for (const struct setting *member = option->members; member->name != NULL; member++)
			print_value(member, "        ", (const char *)groups->items + option->member_size * i, out);
		(void)fputs("    }", out);
	}
	(void)fputs(groups->count > 0 ? "\n)" : ")", out);
}

static void print_integer(int64_t value, FILE *out)
{
	(void)fprintf(out, "%" PRId64 "%s", value, value > INT32_MAX || value < INT32_MIN ? "L" : "");
}

/* context: the struct in which the option has its offset. */
static void print_value(const struct setting *option, const char *indent, const void *context, FILE *out)
{
	const char *at = (const char *)context + option->offset;
	char number[32];

	(void)fprintf(out, "%s%s = ", indent, inner_name(option));
	switch (option->type) {
	case SETTING_STRING:
	case SETTING_ENUM: {
		const char *text = *(const char *const *)at;

		if (option->secret && text[0] != '\0')
			(void)fputs("\"********\"", out);
		else
			print_expanded(text, out);
		break;
	}
	case SETTING_BOOL:
		(void)fputs(*(const bool *)at ? "true" : "false", out);
		break;
	case SETTING_INT:
		print_integer(*(const int64_t *)at, out);
		break;
	case SETTING_DURATION:
		settings_print_string(settings_format_duration(*(const int64_t *)at, number, sizeof number), out);
		break;
	case SETTING_SIZE:
		settings_print_string(settings_format_size(*(const int64_t *)at, number, sizeof number), out);
		break;
	case SETTING_STRINGS:
		print_list(option, (const struct settings_list *)at, out);
		break;
	case SETTING_GROUPS:
		print_groups(option, (const struct settings_groups *)at, out);
		break;
	}
	(void)fputs(";\n", out);
}

struct config_context {
	const struct settings_program *program;
	const void *values;
};

/* What the values leave no room for is not printed, so that the text can be loaded again. */
static void print_config_option(const struct setting *option, const char *indent, const void *context, FILE *out)
{
	const struct config_context *config = context;

	if (settings_applies(config->program->options, option, config->values))
		print_value(option, indent, config->values, out);
}

void settings_print_config(const struct settings_program *program, const void *values, FILE *out)
{
	const struct config_context context = { program, values };

	print_grouped(program->options, print_config_option, &context, "", out);
}

/* ---- the sample ---- */
static void print_note(const struct setting *option, const char *indent, FILE *out)
{
	char choices[200], bounds[80], fallbacks[200] = "";

	if (option->required)
		(void)fprintf(out, "%s# Required.", indent);
	else if (option->required_for != NULL)
		(void)fprintf(out, "%s# Required for %s.", indent,
			settings_choices(option->required_for, choices, sizeof choices));
	else if (option->fallback == NULL || option->fallback[0] == '\0')
		(void)fprintf(out, "%s# Default: empty.", indent);
	else if (option->fallbacks == NULL)
		(void)fprintf(out, "%s# Default: %s.", indent, option->fallback);
	else
		append_fallbacks(option->fallbacks, fallbacks, sizeof fallbacks);
	if (fallbacks[0] != '\0')
		(void)fprintf(out, "%s# Default: %s.", indent, fallbacks);
	if (option->only != NULL)
		(void)fprintf(out, " Only for %s.", settings_choices(option->only, choices, sizeof choices));
	if (option->type == SETTING_ENUM && strchr(option->choices, '|') == NULL)
		(void)fputs(" There is no other.", out);
	else if (option->type == SETTING_ENUM)
		(void)fprintf(out, " One of: %s.", settings_choices(option->choices, choices, sizeof choices));
	if (option->max != 0)
		(void)fprintf(out, " From %s.", settings_format_bounds(option, "to", bounds, sizeof bounds));
	(void)fputc('\n', out);
}

/* A long list has a line for each item. `start`: what every such line begins with. */
static void print_example_list(const char *items, const char *start, FILE *out)
{
	bool is_long = strlen(items) > WIDTH - 30;
	const char *separator = "[";

	while (*items != '\0') {
		char item[256];
		size_t len = strcspn(items, "|");

		(void)snprintf(item, sizeof item, "%.*s", (int)len, items);
		(void)fputs(separator, out);
		if (is_long)
			(void)fprintf(out, "\n%s    ", start);
		else
			(void)fputc(' ', out);
		settings_print_string(item, out);
		separator = ",";
		items += len;
		items += *items == '|';
	}
	if (is_long)
		(void)fprintf(out, "\n%s]", start);
	else
		(void)fputs(" ]", out);
}

static void print_sample_groups(const struct setting *option, const char *indent, const void *context, FILE *out);

static void print_sample_option(const struct setting *option, const char *indent, const void *context, FILE *out)
{
	bool required = option->required || option->required_for != NULL;
	const char *comment = required && context == NULL ? "" : "#";
	const char *shown = option->example != NULL ? option->example : option->fallback;
	char prose[32], start[32];

	(void)snprintf(prose, sizeof prose, "%s# ", indent);
	(void)snprintf(start, sizeof start, "%s%s", indent, comment);
	print_wrapped(prose, option->help, strlen(option->help), out);
	print_note(option, indent, out);
	if (option->type == SETTING_GROUPS) {
		print_sample_groups(option, indent, context, out);
		return;
	}
	(void)fprintf(out, "%s%s = ", start, inner_name(option));
	if (option->type == SETTING_STRINGS)
		print_example_list(shown != NULL ? shown : "", start, out);
	else
		settings_print_literal(option, shown != NULL ? shown : "", out);
	(void)fputs(";\n", out);
}

/* One group as an example, all of it commented out (context is not NULL in it). */
static void print_sample_groups(const struct setting *option, const char *indent, const void *context, FILE *out)
{
	(void)context;
	(void)fprintf(out, "%s#%s = (\n    %s#{\n", indent, inner_name(option), indent);
	for (const struct setting *member = option->members; member->name != NULL; member++)
		print_sample_option(member, "        ", option, out);
	(void)fprintf(out, "    %s#}\n%s#);\n", indent, indent);
}

void settings_print_sample(const struct settings_program *program, FILE *out)
{
	(void)fprintf(out,
		"# Configuration of %s(8): every option, in libconfig's syntax.\n"
		"# What is not commented out has to be given; the rest shows its default or an example.\n"
		"# In strings, ${file:PATH} stands for a file's content and ${env:NAME} for an environment variable.\n"
		"\n",
		program->program);
	print_grouped(program->options, print_sample_option, NULL, "\n", out);
}
