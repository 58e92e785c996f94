/*
 * doctor.c: `tailrace doctor`: asks the servers of a configuration file whether its agent can do its work.
 *
 * For each file: 1. load it as its agent would; 2. look at the file itself; 3. the parts for its kind (doctor.h). A finding is printed when it is
 * made, so that a server that does not answer does not hide what was found before; with --json all of them come at the end.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "tool/doctor.h"
#include "tool/doctor_mysql.h"

/* Longest line of a configuration file that is looked at for passwords. */
#define LINE_BYTES ((size_t)65536)

/* ---- findings ---- */

/* One line: server messages may have several. */
static char *flatten(char *text)
{
	for (char *at = text; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = ' ';
	for (size_t len = strlen(text); len > 0 && text[len - 1] == ' '; len--)
		text[len - 1] = '\0';
	return text;
}

/* A text from a server that is not UTF-8 must not take the finding away. */
static json_t *json_text(const char *text)
{
	json_t *string = json_string(text);

	return string != NULL ? string : json_string("(not UTF-8)");
}

static void add(struct doctor *doctor, enum doctor_level level, const char *check, const char *format, va_list arguments)
	__attribute__((format(printf, 4, 0)));

static void add(struct doctor *doctor, enum doctor_level level, const char *check, const char *format, va_list arguments)
{
	static const char *const words[] = { "ok   ", "WARN ", "FAIL " }, *const names[] = { "ok", "warn", "fail" };
	char *text = NULL;

	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	doctor->counts[level]++;
	if (doctor->json) {
		json_t *finding = json_object();

		(void)json_object_set_new(finding, "level", json_string(names[level]));
		(void)json_object_set_new(finding, "check", json_string(check));
		(void)json_object_set_new(finding, "text", json_text(text != NULL ? flatten(text) : "out of memory"));
		(void)json_array_append_new(doctor->findings, finding);
	} else {
		(void)printf("%s %s\n", words[level], text != NULL ? flatten(text) : "out of memory");
		(void)fflush(stdout);
	}
	free(text);
}

void doctor_ok(struct doctor *doctor, const char *check, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(doctor, DOCTOR_OK, check, format, arguments);
	va_end(arguments);
}

void doctor_warn(struct doctor *doctor, const char *check, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(doctor, DOCTOR_WARN, check, format, arguments);
	va_end(arguments);
}

void doctor_fail(struct doctor *doctor, const char *check, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(doctor, DOCTOR_FAIL, check, format, arguments);
	va_end(arguments);
}

void doctor_remedy(struct doctor *doctor, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (text == NULL)
		return;
	if (doctor->json)
		(void)json_object_set_new(json_array_get(doctor->findings, json_array_size(doctor->findings) - 1), "remedy",
			json_text(flatten(text)));
	else
		(void)printf("      remedy: %s\n", flatten(text));
	free(text);
}

void doctor_error(struct doctor *doctor, const char *check, const struct error *err)
{
	doctor_fail(doctor, check, "%s", err->text);
	if (err->hint[0] != '\0')
		doctor_remedy(doctor, "%s", err->hint);
}

/* ---- the file itself ---- */

/* Is a password written into this line, instead of ${file:...} or ${env:...}? */
static bool holds_password(const regex_t *pattern, const char *line)
{
	regmatch_t match[3];

	for (; regexec(pattern, line, 3, match, 0) == 0; line += match[0].rm_eo) {
		const regmatch_t *value = &match[2];

		if (value->rm_eo > value->rm_so && strncmp(line + value->rm_so, "${", 2) != 0)
			return true;
	}
	return false;
}

/* 1, 0, or -1: not to be read. */
static int file_holds_password(const char *path)
{
	char *line = malloc(LINE_BYTES);
	FILE *file = fopen(path, "r");
	regex_t pattern;
	int found = -1;

	if (line == NULL || file == NULL ||
		regcomp(&pattern, "password[[:space:]]*(\"?[[:space:]]*[=:][[:space:]]*\"|=)([^\"]*)\"", REG_EXTENDED) != 0)
		goto out;
	found = 0;
	while (found == 0 && fgets(line, (int)LINE_BYTES, file) != NULL) {
		const char *text = line + strspn(line, " \t");

		if (text[0] != '#' && strncmp(text, "//", 2) != 0 && holds_password(&pattern, text))
			found = 1;
	}
	explicit_bzero(line, LINE_BYTES);
	regfree(&pattern);
out:
	if (file != NULL)
		(void)fclose(file);
	free(line);
	return found;
}

static void look_at_file(struct doctor *doctor)
{
	struct stat about;

	if (stat(doctor->path, &about) != 0 || (about.st_mode & S_IROTH) == 0 || file_holds_password(doctor->path) != 1) {
		doctor_ok(doctor, "configuration", "configuration: %s loads, for tailrace-%s", doctor->path,
			doctor->kind == TOOL_CAPTURE ? "capture" : "apply");
		return;
	}
	doctor_warn(doctor, "configuration", "configuration: %s holds a password and every user of this machine may read it", doctor->path);
	doctor_remedy(doctor, "chmod o-rwx %s, or put the password into a file of its own and write \"${file:PATH}\"", doctor->path);
}

/* ---- one file ---- */

static void examine(struct doctor *doctor)
{
	struct doctor_kafka *kafka;
	struct doctor_log log;

	look_at_file(doctor);
	if (doctor->kind == TOOL_CAPTURE) {
		/* The slot before the position record: the record is written first, so what is read in this order can only agree. */
		if (doctor_is_mysql(doctor->capture->type))
			doctor_mysql_source(doctor, &log);
		else
			doctor_source(doctor, &log);
		kafka = doctor_kafka_open(doctor);
		if (kafka != NULL)
			doctor_kafka_compare(doctor, kafka, &log);
	} else {
		kafka = doctor_kafka_open(doctor);
		if (doctor_is_mysql(doctor->apply->type))
			doctor_mysql_target(doctor, kafka);
		else
			doctor_target(doctor, kafka);
	}
	doctor_kafka_close(kafka);
}

/* Returns the exit code for this file. */
static int examine_file(struct doctor *doctor)
{
	struct tool_file file;
	struct error err = ERROR_INIT;

	if (tool_load(doctor->path, &file, &err) == -1) {
		doctor_error(doctor, "configuration", &err);
		return error_exit_code(err.class);
	}
	doctor->kind = file.kind;
	doctor->capture = file.kind == TOOL_CAPTURE ? &file.capture : NULL;
	doctor->apply = file.kind == TOOL_APPLY ? &file.apply : NULL;
	doctor->kafka = tool_kafka(&file);
	examine(doctor);
	settings_free(file.settings);
	return doctor->counts[DOCTOR_FAIL] > 0 ? 1 : EX_OK;
}

static void print_counts(const struct doctor *doctor)
{
	(void)printf("%s: %zu ok, %zu warnings, %zu failures\n", doctor->path, doctor->counts[DOCTOR_OK],
		doctor->counts[DOCTOR_WARN], doctor->counts[DOCTOR_FAIL]);
}

int tool_doctor(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	bool json = false;
	json_t *all = NULL;
	int code = EX_OK, c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (c != 'j')
			return EX_USAGE;
		json = true;
	}
	if (optind >= argc) {
		(void)fprintf(stderr, "tailrace: doctor: which file?\n");
		return EX_USAGE;
	}
	if (json)
		all = json_array();
	for (int i = optind; i < argc; i++) {
		struct doctor doctor = { .path = argv[i], .json = json, .findings = json ? json_array() : NULL };
		int result = examine_file(&doctor);

		if (result > code)
			code = result;
		if (!json)
			print_counts(&doctor);
		else
			(void)json_array_append_new(all, json_pack("{s:o,s:o}", "file", json_text(argv[i]), "findings", doctor.findings));
	}
	if (json) {
		(void)json_dumpf(all, stdout, JSON_INDENT(2));
		(void)printf("\n");
		json_decref(all);
	}
	return code;
}
