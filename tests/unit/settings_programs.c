/*
 * settings_programs.c: the option tables of both agents are sound: their samples load, as they are and with every
 * option made to count; what --print-config prints loads again and says the same; no secret is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply/options.h"
#include "capture/options.h"
#include "lib/settings/settings.h"

#define SECRET "open-sesame"

typedef void print_program(const struct settings_program *program, FILE *out);

static const struct settings_program *const programs[] = { &capture_program, &apply_program };
static char folder[64];

static const char *path_of(const char *file)
{
	static char paths[2][128];
	static int which;

	which = !which;
	(void)snprintf(paths[which], sizeof paths[which], "%s/%s", folder, file);
	return paths[which];
}

static void write_file(const char *file, const char *text)
{
	FILE *out = fopen(path_of(file), "w");

	assert_non_null(out);
	(void)fputs(text, out);
	(void)fclose(out);
}

static int open_folder(void **state)
{
	(void)snprintf(folder, sizeof folder, "/tmp/tailrace-programs-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	write_file("database.password", SECRET "\n");
	write_file("kafka.password", SECRET "\n");
	return 0;
}

static int remove_folder(void **state)
{
	(void)unlink(path_of("database.password"));
	(void)unlink(path_of("kafka.password"));
	(void)unlink(path_of("x.conf"));
	return rmdir(folder);
}

static char *printed(print_program *print, const struct settings_program *program)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	print(program, out);
	(void)fclose(out);
	return text;
}

/* Loads the text and gives back what --print-config makes of it. */
static char *loaded(const struct settings_program *program, const char *text)
{
	struct error err = ERROR_INIT;
	struct settings *settings;
	void *values = calloc(1, program->size);
	char *config = NULL;
	size_t len;
	FILE *out;

	write_file("x.conf", text);
	if (settings_load(program, path_of("x.conf"), NULL, 0, values, &settings, &err) < 0)
		fail_msg("%s (%s) in:\n%s", err.text, err.hint, text);
	out = open_memstream(&config, &len);
	settings_print_config(program, values, out);
	(void)fclose(out);
	settings_free(settings);
	free(values);
	return config;
}

/* "#option = ..." becomes "option = ...": a "#" at the start of a line's text, with no space behind it, goes. */
static void make_options_count(char *text)
{
	for (char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += strspn(line, "\n");
		line += strspn(line, " ");
		if (line[0] == '#' && line[1] != ' ')
			line[0] = ' ';
		/* Inside of a list that was commented out, the "#" stands before the items' indentation. */
		else if (line[0] == '#' && strspn(line + 1, " ") == 4)
			line[0] = ' ';
	}
}

static void samples_load(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		char *sample = printed(settings_print_sample, programs[i]);

		free(loaded(programs[i], sample));
		free(sample);
	}
}

static void samples_load_with_every_option(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		char *sample = printed(settings_print_sample, programs[i]), *config;

		make_options_count(sample);
		config = loaded(programs[i], sample);
		assert_non_null(strstr(config, "hostname = \"db.example.net\";"));
		assert_non_null(strstr(config, "\"security.protocol=SASL_SSL\", \"sasl.mechanism=SCRAM-SHA-512\""));
		assert_non_null(strstr(config, "\"sasl.password=********\""));
		assert_non_null(strstr(config, "password = \"********\";"));
		assert_null(strstr(config, SECRET));
		free(sample);
		free(config);
	}
}

static void printed_configuration_loads_again(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		char *sample = printed(settings_print_sample, programs[i]), *once, *again;

		make_options_count(sample);
		once = loaded(programs[i], sample);
		again = loaded(programs[i], once);
		assert_string_equal(once, again);
		free(sample);
		free(once);
		free(again);
	}
}

static void help_and_manual_name_every_option(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		char *help = printed(settings_print_help, programs[i]), *man = printed(settings_print_man, programs[i]);

		for (const struct setting *option = programs[i]->options; option->name != NULL; option++) {
			char text[80];

			(void)snprintf(text, sizeof text, "\n  %s", option->name);
			if (strstr(help, text) == NULL)
				fail_msg("no %s in --help", option->name);
			(void)snprintf(text, sizeof text, ".B %s\n", option->name);
			if (strstr(man, text) == NULL)
				fail_msg("no %s in the manual", option->name);
		}
		free(help);
		free(man);
	}
}

static void check_options(const struct setting *options)
{
	for (const struct setting *option = options; option->name != NULL; option++) {
		size_t len = strlen(option->help);

		if (len == 0 || option->help[len - 1] != '.' || strstr(option->help, "  ") != NULL)
			fail_msg("the help of %s is not made of sentences", option->name);
		if (option->required && (option->example == NULL || option->fallback != NULL))
			fail_msg("%s is required: it needs an example, and no default", option->name);
		if (option->members != NULL)
			check_options(option->members);
	}
}

static void tables_are_sound(void **state)
{
	for (size_t i = 0; i < 2; i++)
		check_options(programs[i]->options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_load),
		cmocka_unit_test(samples_load_with_every_option),
		cmocka_unit_test(printed_configuration_loads_again),
		cmocka_unit_test(help_and_manual_name_every_option),
		cmocka_unit_test(tables_are_sound),
	};

	return cmocka_run_group_tests_name("settings_programs", tests, open_folder, remove_folder);
}
