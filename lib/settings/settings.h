/*
 * settings.h: one option table for each program feeds the parser, --help, --print-config, the man page and the sample
 * in conf/, so that none of them can say anything else than the others.
 *
 * Files are libconfig's syntax. Strings may contain ${env:NAME} and ${file:PATH}: the file's content without the last
 * line end, PATH relative to the folder of the configuration file; $${ stands for ${ itself. Numbers and booleans may
 * be given as such a string too. Durations are strings with a unit: "250ms", "10s", "5min" (us, ms, s, min, h, d).
 * Sizes are strings with a unit: "16MiB" (B, KiB, MiB, GiB), or plain numbers of bytes.
 *
 * An unknown key is ERROR_CONFIG with file:line and the nearest known name; so are a wrong type, a value out of range,
 * a missing required option, one that another option's value leaves no room for, an integer that libconfig would truncate (over 2^31-1 without L), and ${env:X} that is not
 * set. Secrets never stand in an error; they print as "********".
 */
#ifndef TAILRACE_SETTINGS_SETTINGS_H
#define TAILRACE_SETTINGS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/error.h"

enum setting_type {
	SETTING_STRING,   /* const char * ("" when unset and no default) */
	SETTING_BOOL,     /* bool */
	SETTING_INT,      /* int64_t; min, max */
	SETTING_DURATION, /* int64_t, microseconds; min, max */
	SETTING_SIZE,     /* int64_t, bytes; min, max */
	SETTING_ENUM,     /* const char *, one of `choices` ("a|b|c") */
	SETTING_STRINGS,  /* struct settings_list */
	SETTING_GROUPS    /* struct settings_groups: a list of groups, each with the options of `members` */
};

struct settings_list {
	const char *const *items;
	size_t count;
};

struct settings_groups {
	const void *items; /* `count` structs of `member_size` bytes, laid out by the members' offsets */
	size_t count;
};

struct setting {
	const char *name; /* "kafka.bootstrap_servers": a dot is a group in the file */
	enum setting_type type;
	size_t offset; /* in the program's settings struct */
	bool required;
	bool secret;
	const char *fallback; /* default, as it would stand in the file (a string without its quotes); NULL: none */
	const char *choices;
	int64_t min, max; /* 0, 0: no bounds */
	const char *example; /* for the sample, when there is no default worth showing; a list's items: "a|b" */
	const char *help; /* sentences, for --help (the first of them), man page and sample (whole) */
	const struct setting *members; /* SETTING_GROUPS: ended by a NULL name */
	size_t member_size;
	const char *pattern; /* SETTING_STRING: extended regular expression for the whole value, NULL: any */
	/*
	 * An enum that stands before it in the table ("database.type"), on whose value the next three depend. Not of a group's
	 * members.
	 */
	const char *depends_on;
	const char *only;         /* "a|b": with another value the option must not be given; NULL: with all */
	const char *required_for; /* "a|b": required with these, else optional */
	const char *fallbacks;    /* "a=5432|b=3306": the defaults with these values, instead of `fallback` */
};

struct settings_program {
	const char *program; /* "tailrace-capture" */
	const char *purpose; /* one line for --help and the man page */
	const char *description; /* paragraphs for the man page */
	const struct setting *options; /* ended by a NULL name */
	size_t size;                   /* of the program's settings struct */
};

struct settings; /* owns the strings of a loaded file */

/*
 * Reads the file, applies overrides ("key=value", from -o; a list's items separated by commas), fills *values
 * (program->size bytes). The strings live until settings_free(), which wipes the secrets among them.
 */
int settings_load(const struct settings_program *program, const char *path, const char *const *overrides,
	size_t override_count, void *values, struct settings **ret_settings, struct error *err);
void settings_free(struct settings *settings);

/* What the command line of every program accepts: for --help and the man page. Ended by a NULL flag. */
struct settings_flag {
	const char *flag; /* "-c, --config" */
	const char *argument; /* "FILE", or NULL */
	const char *help;
};
extern const struct settings_flag settings_flags[];

/* --help; --print-config (loads again, secrets hidden); the sample of conf/; the man page's source (man(7)). */
void settings_print_help(const struct settings_program *program, FILE *out);
void settings_print_config(const struct settings_program *program, const void *values, FILE *out);
void settings_print_sample(const struct settings_program *program, FILE *out);
void settings_print_man(const struct settings_program *program, FILE *out);

#endif
