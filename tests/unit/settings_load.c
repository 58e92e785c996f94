/*
 * settings_load.c: what a configuration file may say, and the exact words for what it may not.
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

#include "lib/settings/settings.h"

struct member {
	const char *source;
	struct settings_list columns;
};

struct values {
	const char *name, *level, *servers, *password;
	bool create;
	int64_t port, wait_us, room;
	struct settings_list tables, properties;
	struct settings_groups maps;
};

#define AT(member) offsetof(struct values, member)

static const struct setting members[] = {
	{ .name = "source",
	  .type = SETTING_STRING,
	  .offset = offsetof(struct member, source),
	  .required = true,
	  .help = "S." },
	{ .name = "columns", .type = SETTING_STRINGS, .offset = offsetof(struct member, columns), .help = "C." },
	{ .name = NULL },
};
static const struct setting options[] = {
	{ .name = "name",
	  .type = SETTING_STRING,
	  .offset = AT(name),
	  .required = true,
	  .pattern = "[a-z]{1,8}",
	  .example = "me",
	  .help = "N." },
	{ .name = "log_level",
	  .type = SETTING_ENUM,
	  .offset = AT(level),
	  .fallback = "info",
	  .choices = "debug|info",
	  .help = "L." },
	{ .name = "kafka.servers", .type = SETTING_STRING, .offset = AT(servers), .fallback = "", .help = "K." },
	{ .name = "kafka.port",
	  .type = SETTING_INT,
	  .offset = AT(port),
	  .fallback = "9092",
	  .min = 1,
	  .max = 65535,
	  .help = "P." },
	{ .name = "kafka.properties", .type = SETTING_STRINGS, .offset = AT(properties), .secret = true, .help = "Q." },
	{ .name = "password",
	  .type = SETTING_STRING,
	  .offset = AT(password),
	  .secret = true,
	  .pattern = "[^ ]*",
	  .fallback = "",
	  .help = "P." },
	{ .name = "create", .type = SETTING_BOOL, .offset = AT(create), .fallback = "true", .help = "C." },
	{ .name = "wait",
	  .type = SETTING_DURATION,
	  .offset = AT(wait_us),
	  .fallback = "10s",
	  .min = 1000,
	  .max = INT64_C(86400000000),
	  .help = "W." },
	{ .name = "room", .type = SETTING_SIZE, .offset = AT(room), .fallback = "16MiB", .help = "R." },
	{ .name = "tables", .type = SETTING_STRINGS, .offset = AT(tables), .help = "T." },
	{ .name = "maps",
	  .type = SETTING_GROUPS,
	  .offset = AT(maps),
	  .members = members,
	  .member_size = sizeof(struct member),
	  .help = "M." },
	{ .name = NULL },
};
static const struct settings_program program = { "test", "tests", "Tests.", options, sizeof(struct values) };

static char folder[64];
static struct values values;
static struct settings *settings;
static struct error err;

static const char *path_of(const char *file)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", folder, file);
	return path;
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
	(void)snprintf(folder, sizeof folder, "/tmp/tailrace-settings-XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const files[] = { "x.conf", "included.conf", "secret", "big" };

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		(void)unlink(path_of(files[i]));
	return rmdir(folder);
}

static int load(const char *text, const char *override)
{
	static char path[128];

	write_file("x.conf", text);
	(void)snprintf(path, sizeof path, "%s", path_of("x.conf"));
	error_clear(&err);
	return settings_load(&program, path, &override, override != NULL, &values, &settings, &err);
}

static void accept_with(const char *text, const char *override)
{
	if (load(text, override) < 0)
		fail_msg("refused: %s: %s (%s)", text, err.text, err.hint);
}

static void accept(const char *text)
{
	accept_with(text, NULL);
}

/* The error's text behind the folder's name. */
static const char *error_text(void)
{
	const char *at = strstr(err.text, folder);

	return at == err.text ? at + strlen(folder) + 1 : err.text;
}

static void refuse_with(const char *text, const char *override, const char *expected, const char *hint)
{
	struct values before;

	memset(&values, 0x5a, sizeof values);
	before = values;
	if (load(text, override) == 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(err.class, ERROR_CONFIG);
	assert_string_equal(error_text(), expected);
	assert_string_equal(err.hint, hint);
	assert_memory_equal(&values, &before, sizeof values);
}

static void refuse(const char *text, const char *expected, const char *hint)
{
	refuse_with(text, NULL, expected, hint);
}

static void defaults(void **state)
{
	accept("name = \"a\";");
	assert_string_equal(values.name, "a");
	assert_string_equal(values.level, "info");
	assert_string_equal(values.servers, "");
	assert_string_equal(values.password, "");
	assert_true(values.create);
	assert_int_equal(values.port, 9092);
	assert_int_equal(values.wait_us, 10000000);
	assert_int_equal(values.room, 16 << 20);
	assert_int_equal(values.tables.count, 0);
	assert_int_equal(values.maps.count, 0);
	settings_free(settings);
}

static void values_of_each_type(void **state)
{
	const struct member *maps;

	accept("name = \"a\"; log_level = \"debug\"; create = false; wait = \"250ms\"; room = 5000000000L;\n"
	       "kafka = { servers = \"h:1\"; port = 1; properties = ( \"a=b\" ); };\n"
	       "tables = [ \"public.a\", \"b.*\" ];\n"
	       "maps = ( { source = \"x\"; }, { source = \"y\"; columns = [ \"c\" ]; } );\n");
	assert_string_equal(values.level, "debug");
	assert_false(values.create);
	assert_int_equal(values.wait_us, 250000);
	assert_int_equal(values.room, INT64_C(5000000000));
	assert_string_equal(values.servers, "h:1");
	assert_string_equal(values.properties.items[0], "a=b");
	assert_int_equal(values.tables.count, 2);
	assert_string_equal(values.tables.items[1], "b.*");
	assert_int_equal(values.maps.count, 2);
	maps = values.maps.items;
	assert_string_equal(maps[0].source, "x");
	assert_int_equal(maps[0].columns.count, 0);
	assert_string_equal(maps[1].columns.items[0], "c");
	settings_free(settings);
}

static void units(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} durations[] = { { "1000us", 1000 }, { "1ms", 1000 }, { "90s", 90000000 }, { "5min", 300000000 },
		{ "2h", INT64_C(7200000000) }, { "1d", INT64_C(86400000000) }, { "3 s", 3000000 } };
	static const struct {
		const char *text;
		int64_t bytes;
	} sizes[] = { { "0", 0 }, { "17B", 17 }, { "2KiB", 2048 }, { "3MiB", 3 << 20 }, { "1GiB", 1 << 30 } };
	char text[128];

	for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
		(void)snprintf(text, sizeof text, "name = \"a\"; wait = \"%s\";", durations[i].text);
		accept(text);
		assert_int_equal(values.wait_us, durations[i].us);
		settings_free(settings);
	}
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		(void)snprintf(text, sizeof text, "name = \"a\"; room = \"%s\";", sizes[i].text);
		accept(text);
		assert_int_equal(values.room, sizes[i].bytes);
		settings_free(settings);
	}
}

static void wrong_units(void **state)
{
	static const char hint[] = "a whole number and a unit (us, ms, s, min, h, d): \"10s\"";

	refuse("name = \"a\"; wait = \"10\";", "x.conf:1: option \"wait\" is \"10\", must be a duration", hint);
	refuse("name = \"a\"; wait = \"1.5s\";", "x.conf:1: option \"wait\" is \"1.5s\", must be a duration", hint);
	refuse("name = \"a\"; wait = \"s\";", "x.conf:1: option \"wait\" is \"s\", must be a duration", hint);
	refuse("name = \"a\"; wait = \"99999999999999d\";",
		"x.conf:1: option \"wait\" is \"99999999999999d\", must be a duration", hint);
	refuse("name = \"a\";\nwait = 10;", "x.conf:2: option \"wait\" must be a string with a unit",
		"wait = \"10s\";");
	refuse("name = \"a\"; wait = \"2d\";", "x.conf:1: option \"wait\" is \"2d\", must be between 1ms and 1d", "");
	refuse("name = \"a\"; room = \"1MB\";", "x.conf:1: option \"room\" is \"1MB\", must be a size",
		"a whole number and a unit (B, KiB, MiB, GiB): \"16MiB\"");
}

static void unknown_names(void **state)
{
	refuse("name = \"a\";\nlog_levle = \"info\";", "x.conf:2: unknown option \"log_levle\"",
		"did you mean \"log_level\"?");
	refuse("kafak = { port = 1; };", "x.conf:1: unknown option \"kafak\"", "did you mean \"kafka\"?");
	refuse("kafka = {\n  prot = 1;\n};", "x.conf:2: unknown option \"kafka.prot\"",
		"did you mean \"kafka.port\"?");
	refuse("servers = \"h\";", "x.conf:1: unknown option \"servers\"", "did you mean \"kafka.servers\"?");
	refuse("something_else = 1;", "x.conf:1: unknown option \"something_else\"", "--help lists all options");
	refuse("name = \"a\"; maps = ( {\n sorce = \"x\"; } );", "x.conf:2: unknown option \"maps.sorce\"",
		"did you mean \"maps.source\"?");
	refuse("kafka.port = 1;", "x.conf:1: syntax error", "a name has no dots: write a group, kafka = { ... };");
	refuse("name = \"a\"; name = \"b\";", "x.conf:1: duplicate setting name", "");
}

static void wrong_types(void **state)
{
	refuse("name = 1;", "x.conf:1: option \"name\" must be a string, in quotes", "");
	refuse("name = \"a\"; create = \"true\";", "x.conf:1: option \"create\" must be true or false, without quotes",
		"");
	refuse("name = \"a\"; create = 1;", "x.conf:1: option \"create\" must be true or false", "");
	refuse("name = \"a\"; kafka = { port = \"1\"; };",
		"x.conf:1: option \"kafka.port\" must be an integer, without quotes", "");
	refuse("name = \"a\"; kafka = { port = 1.5; };", "x.conf:1: option \"kafka.port\" must be an integer", "");
	refuse("name = \"a\"; kafka = 5;", "x.conf:1: \"kafka\" must be a group", "kafka = { ... };");
	refuse("name = \"a\"; tables = \"a,b\";", "x.conf:1: option \"tables\" must be a list of strings",
		"tables = [ \"...\", \"...\" ];");
	refuse("name = \"a\"; tables = ( 1 );", "x.conf:1: option \"tables\" must be a list of strings", "");
	refuse("name = \"a\"; tables = [ \"\" ];", "x.conf:1: option \"tables\" has an empty item", "");
	refuse("name = \"a\"; maps = { source = \"x\"; };", "x.conf:1: option \"maps\" must be a list of groups",
		"maps = ( { ... }, { ... } );");
	refuse("name = \"a\"; room = true;",
		"x.conf:1: option \"room\" must be a number of bytes or a string with a unit", "");
}

static void wrong_values(void **state)
{
	refuse("", "x.conf: required option \"name\" is missing", "name = \"me\";");
	refuse("name = \"\";", "x.conf:1: option \"name\" must not be empty", "");
	refuse("name = \"A B\";", "x.conf:1: option \"name\" is \"A B\", must match [a-z]{1,8}", "");
	refuse("name = \"a\"; maps = (\n{ } );", "x.conf:2: required option \"maps.source\" is missing",
		"source = \"...\";");
	refuse("name = \"a\"; log_level = \"verbos\";",
		"x.conf:1: option \"log_level\" is \"verbos\", must be one of: debug, info", "");
	refuse("name = \"a\"; kafka = { port = 0; };",
		"x.conf:1: option \"kafka.port\" is \"0\", must be between 1 and 65535", "");
	refuse("name = \"a\"; password = \"with space\";", "x.conf:1: option \"password\" must match [^ ]*", "");
}

static void integers_that_libconfig_truncates(void **state)
{
	refuse("name = \"a\";\nroom = 5000000000;", "x.conf:2: 5000000000 is too large for an integer without L",
		"write 5000000000L");
	refuse("name = \"a\"; room = 0xFFFFFFFF;", "x.conf:1: 0xFFFFFFFF is too large for an integer without L",
		"write 0xFFFFFFFFL");
	refuse("name = \"a\"; room = -3000000000;", "x.conf:1: -3000000000 is too large for an integer without L",
		"write -3000000000L");
	refuse("name = \"a\"; room = 99999999999999999999L;",
		"x.conf:1: 99999999999999999999L does not fit into 64 bits", "");
	/* Not in names, strings, comments, or what includes them. */
	accept("name = \"a\"; # 5000000000\n// 5000000000\n/* 5000000000\n */\n"
	       "tables = [ \"5000000000\\\" 5000000000\" ];\n"
	       "room = 2147483647;");
	assert_int_equal(values.room, INT32_MAX);
	settings_free(settings);
}

static void includes(void **state)
{
	static const char text[] = "name = \"a\";\n@include \"included.conf\"\n";

	write_file("included.conf", "room = 17;\n");
	accept(text);
	assert_int_equal(values.room, 17);
	settings_free(settings);
	write_file("included.conf", "\nroom = 5000000000;\n");
	refuse(text, "included.conf:2: 5000000000 is too large for an integer without L", "write 5000000000L");
	write_file("included.conf", "\n\nromo = 1;\n");
	refuse(text, "included.conf:3: unknown option \"romo\"", "did you mean \"room\"?");
	(void)unlink(path_of("included.conf"));
	assert_int_equal(load(text, NULL), -1);
	assert_string_equal(error_text(), "x.conf:2: cannot open include file");
}

static void references(void **state)
{
	(void)setenv("TAILRACE_TEST_PORT", "77", 1);
	write_file("secret", "open sesame\n");
	accept("name = \"a\"; kafka = { port = \"${env:TAILRACE_TEST_PORT}\"; servers = \"${file:secret}!\";\n"
	       "properties = [ \"sasl.password=${file:secret}\" ]; };\n"
	       "tables = [ \"$${x} $x ${env:TAILRACE_TEST_PORT}\" ];");
	assert_int_equal(values.port, 77);
	assert_string_equal(values.servers, "open sesame!");
	assert_string_equal(values.properties.items[0], "sasl.password=open sesame");
	assert_string_equal(values.tables.items[0], "${x} $x 77");
	settings_free(settings);
	write_file("secret", "two\nlines\r\n");
	accept("name = \"a\"; password = \"${file:secret}\";");
	assert_string_equal(values.password, "two\nlines");
	settings_free(settings);
}

static void broken_references(void **state)
{
	char expected[256];

	(void)unsetenv("TAILRACE_TEST_NONE");
	refuse("name = \"a\";\ncreate = \"${env:TAILRACE_TEST_NONE}\";",
		"x.conf:2: option \"create\": the environment variable TAILRACE_TEST_NONE is not set", "");
	(void)unlink(path_of("secret"));
	(void)snprintf(expected, sizeof expected,
		"x.conf:1: option \"password\": cannot read %s/secret: No such file or directory", folder);
	refuse("name = \"a\"; password = \"${file:secret}\";", expected, "");
	refuse("name = \"a\"; password = \"${env:X\";", "x.conf:1: option \"password\": \"${\" has no \"}\" behind it",
		"write $${ for the characters ${");
	refuse("name = \"a\"; password = \"${vault:x}\";",
		"x.conf:1: option \"password\": unknown reference \"${vault:x}\"",
		"there are ${env:NAME} and ${file:PATH}; write $${ for the characters ${");
	/* What a reference brings in is not shown. */
	write_file("secret", "open sesame");
	refuse("log_level = \"${file:secret}\"; name = \"a\";",
		"x.conf:1: option \"log_level\" is \"${file:secret}\", must be one of: debug, info", "");
}

static void overrides(void **state)
{
	accept_with("name = \"a\"; kafka = { port = 5; };", "kafka.port=6");
	assert_int_equal(values.port, 6);
	settings_free(settings);
	accept_with("name = \"a\";", "tables=a.b,c.d");
	assert_int_equal(values.tables.count, 2);
	assert_string_equal(values.tables.items[1], "c.d");
	settings_free(settings);
	accept_with("tables = [ \"x\" ];\nname = \"a\";", "tables=");
	assert_int_equal(values.tables.count, 0);
	settings_free(settings);
	refuse_with("name = \"a\";", "kafka.port", "-o: \"kafka.port\" is not of the form OPTION=VALUE", "");
	refuse_with("name = \"a\";", "kafka.prot=1", "-o: unknown option \"kafka.prot\"",
		"did you mean \"kafka.port\"?");
	refuse_with("name = \"a\";", "kafka.port=x", "-o: option \"kafka.port\" is \"x\", must be an integer", "");
	refuse_with("name = \"a\";", "maps=x", "-o: option \"maps\" can only be given in the file", "");
	refuse_with("name = \"a\";", "password=x", "-o: option \"password\" is a secret and must not be given here",
		"everybody can read a command line; use ${file:PATH}");
}

static void files_that_are_none(void **state)
{
	char nothing[128];
	FILE *big;

	(void)snprintf(nothing, sizeof nothing, "%s", path_of("nothing"));
	assert_int_equal(settings_load(&program, nothing, NULL, 0, &values, &settings, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "nothing: No such file or directory"));
	assert_int_equal(settings_load(&program, folder, NULL, 0, &values, &settings, &err), -1);
	assert_non_null(strstr(err.text, "it is a folder"));
	big = fopen(path_of("big"), "w");
	assert_non_null(big);
	assert_int_equal(ftruncate(fileno(big), 2 << 20), 0);
	(void)fclose(big);
	assert_int_equal(settings_load(&program, path_of("big"), NULL, 0, &values, &settings, &err), -1);
	assert_non_null(strstr(err.text, "is larger than 1048576 bytes"));
	assert_int_equal(truncate(path_of("big"), 100), 0);
	assert_int_equal(settings_load(&program, path_of("big"), NULL, 0, &values, &settings, &err), -1);
	assert_non_null(strstr(err.text, "holds a zero byte"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(values_of_each_type),
		cmocka_unit_test(units),
		cmocka_unit_test(wrong_units),
		cmocka_unit_test(unknown_names),
		cmocka_unit_test(wrong_types),
		cmocka_unit_test(wrong_values),
		cmocka_unit_test(integers_that_libconfig_truncates),
		cmocka_unit_test(includes),
		cmocka_unit_test(references),
		cmocka_unit_test(broken_references),
		cmocka_unit_test(overrides),
		cmocka_unit_test(files_that_are_none),
	};

	return cmocka_run_group_tests_name("settings_load", tests, open_folder, remove_folder);
}
