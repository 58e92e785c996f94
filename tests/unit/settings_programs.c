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

/* Loads the text, for that type of database, and gives back what --print-config makes of it. */
static char *loaded(const struct settings_program *program, const char *type, const char *text)
{
	char override[64];
	const char *const overrides[] = { override };
	struct error err = ERROR_INIT;
	struct settings *settings;
	void *values = calloc(1, program->size);
	char *config = NULL;
	size_t len;
	FILE *out;

	(void)snprintf(override, sizeof override, "database.type=%s", type);
	write_file("x.conf", text);
	if (settings_load(program, path_of("x.conf"), overrides, 1, values, &settings, &err) < 0)
		fail_msg("%s (%s) in:\n%s", err.text, err.hint, text);
	out = open_memstream(&config, &len);
	settings_print_config(program, values, out);
	(void)fclose(out);
	settings_free(settings);
	free(values);
	return config;
}

/* Is the line's option one that this type of database leaves no room for? */
static bool is_other(const struct settings_program *program, const char *type, const char *line)
{
	size_t len;

	line += *line == '#';
	len = strcspn(line, " =\n");
	for (const struct setting *option = program->options; len > 0 && option->name != NULL; option++) {
		const char *dot = strchr(option->name, '.'), *name = dot != NULL ? dot + 1 : option->name;

		if (option->only != NULL && strlen(name) == len && strncmp(name, line, len) == 0)
			return strstr(option->only, type) == NULL;
	}
	return false;
}

/*
 * "#option = ..." becomes "option = ...": a "#" at the start of a line's text, with no space behind it, goes. Lines of
 * options for other types of database become comments.
 */
static void make_options_count(const struct settings_program *program, const char *type, char *text)
{
	for (char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += strspn(line, "\n");
		line += strspn(line, " ");
		if (is_other(program, type, line))
			line[0] = '#';
		else if (line[0] == '#' && line[1] != ' ')
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

		free(loaded(programs[i], "postgresql", sample));
		free(sample);
	}
}

static const char *const types[] = { "postgresql", "mysql", "mariadb" };
#define CASES 6 /* two programs with three types */

static void samples_load_with_every_option(void **state)
{
	for (size_t i = 0; i < CASES; i++) {
		const struct settings_program *program = programs[i % 2];
		char *sample = printed(settings_print_sample, program), *config;

		make_options_count(program, types[i / 2], sample);
		config = loaded(program, types[i / 2], sample);
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
	for (size_t i = 0; i < CASES; i++) {
		const struct settings_program *program = programs[i % 2];
		char *sample = printed(settings_print_sample, program), *once, *again;

		make_options_count(program, types[i / 2], sample);
		once = loaded(program, types[i / 2], sample);
		again = loaded(program, types[i / 2], once);
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
		if ((option->only != NULL || option->required_for != NULL || option->fallbacks != NULL) && option->depends_on == NULL)
			fail_msg("%s depends on nothing", option->name);
		if (option->members != NULL)
			check_options(option->members);
	}
}

/* What the type of the database asks for, forbids and presumes. */
static void options_go_by_the_type(void **state)
{
	static const struct {
		const char *text, *error; /* NULL: it loads */
		int64_t port;
	} cases[] = {
		{ "database = { dbname = \"d\"; };\nslot_name = \"s\";\npublication_name = \"p\";\n", NULL, 5432 },
		{ "database = { type = \"postgresql\"; };\nslot_name = \"s\";\npublication_name = \"p\";\n",
			"x.conf: required option \"database.dbname\" is missing", 0 },
		{ "database = { dbname = \"d\"; };\npublication_name = \"p\";\n",
			"x.conf: required option \"slot_name\" is missing", 0 },
		{ "database = { dbname = \"d\";\nserver_id = 4; };\nslot_name = \"s\";\npublication_name = \"p\";\n",
			"x.conf:5: option \"database.server_id\" is not for database.type = \"postgresql\"", 0 },
		{ "database = { type = \"mysql\"; };\n", NULL, 3306 },
		{ "database = { type = \"mariadb\"; dbname = \"d\"; port = 3307; server_id = 4294967295L; };\nsemi_sync = true;\n", NULL,
			3307 },
		{ "slot_name = \"s\";\ndatabase = { type = \"mysql\"; };\n",
			"x.conf:4: option \"slot_name\" is not for database.type = \"mysql\"", 0 },
	};
	char text[512];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct error err = ERROR_INIT;
		struct capture_settings values;
		struct settings *settings;
		int rc;

		(void)snprintf(text, sizeof text, "name = \"n\";\ntopic_prefix = \"t\";\n"
			"kafka = { bootstrap_servers = \"k\"; };\n%s", cases[i].text);
		write_file("x.conf", text);
		rc = settings_load(&capture_program, path_of("x.conf"), NULL, 0, &values, &settings, &err);
		if (cases[i].error == NULL) {
			if (rc < 0)
				fail_msg("case %zu: %s", i, err.text);
			assert_int_equal(values.port, cases[i].port);
			settings_free(settings);
			continue;
		}
		assert_int_equal(rc, -1);
		assert_int_equal(err.class, ERROR_CONFIG);
		if (strstr(err.text, cases[i].error) == NULL)
			fail_msg("case %zu: %s", i, err.text);
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
		cmocka_unit_test(options_go_by_the_type),
		cmocka_unit_test(tables_are_sound),
	};

	return cmocka_run_group_tests_name("settings_programs", tests, open_folder, remove_folder);
}
