/*
 * internal.h: what the files of lib/settings share and nobody else sees.
 */
#ifndef TAILRACE_SETTINGS_INTERNAL_H
#define TAILRACE_SETTINGS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/settings/settings.h"

/* ---- names.c ---- */
/* Length of the group's part of an option's name ("kafka" of "kafka.partitions"), 0 if it is in none. */
size_t settings_group_length(const char *name);
/* The option of that name, or NULL. */
const struct setting *settings_find(const struct setting *options, const char *name);
/* Is it the name of a group of options? */
bool settings_is_group(const struct setting *options, const char *name);
/* Puts the known name that is nearest to `name` into the hint, if one is near. within: "tables." before members. */
void settings_suggest(const struct setting *options, const char *within, const char *name, struct error *err);

/* Is the text one of "a|b|c"? */
bool settings_is_choice(const char *choices, const char *text);
/* The value, in the filled struct, of the option on which this one depends; "" if on none. */
const char *settings_depends_value(const struct setting *options, const struct setting *option, const void *values);
/* May the option be given with these values? */
bool settings_applies(const struct setting *options, const struct setting *option, const void *values);
/* Its default when the option that it depends on has this value, into buf; NULL: none. */
const char *settings_fallback(const struct setting *option, const char *value, char *buf, size_t size);

/* ---- units.c: all of the text must be used; -1 if it is not such a value (err is not filled) ---- */
int settings_parse_int(const char *text, int64_t *ret_value);
int settings_parse_duration(const char *text, int64_t *ret_us);
int settings_parse_size(const char *text, int64_t *ret_bytes);
/* In the largest unit that is exact; returns buf (at least 32 bytes). */
const char *settings_format_duration(int64_t us, char *buf, size_t size);
const char *settings_format_size(int64_t bytes, char *buf, size_t size);
/* "LOW AND HIGH" with `and` between the option's bounds in its own unit, "" if it has none; buf: at least 80 bytes. */
const char *settings_format_bounds(const struct setting *option, const char *and, char *buf, size_t size);

/* ---- expand.c ---- */
/* Does the text contain a reference (or an escaped one)? */
bool settings_has_reference(const char *text);
/* Replaces the references; folder: what relative paths start from. The error has neither place nor option's name. */
int settings_expand(struct arena *arena, const char *text, const char *folder, char **ret_text, struct error *err);

/* ---- scan.c ---- */
/* Looks for integers that libconfig would truncate in the text of one file; the error has file and line. */
int settings_scan_integers(const char *file, const char *text, size_t len, struct error *err);

/* ---- file.c ---- */
/* Reads a whole regular file of at most `max` bytes; buf is initialised here and the caller's to wipe and release. */
int settings_read_file(const char *path, size_t max, struct buf *ret_buf, struct error *err);
/* Overwrites the content and releases the buffer. */
void settings_wipe(struct buf *buf);

/* ---- print.c ---- */
/* "a, b, c" of "a|b|c" into buf; returns buf. */
const char *settings_choices(const char *choices, char *buf, size_t size);
/*
 * What is said of whether the option must be given and of its default, into buf: "required", "required for a", "default 1",
 * "default 1 for a, 2 for b", each perhaps with "; only for a"; "" when there is nothing to say. Returns buf.
 */
const char *settings_terms(const struct setting *option, char *buf, size_t size);
/* Length of the first sentence, with its full stop. */
size_t settings_first_sentence(const char *text);
/* text as a libconfig string with its quotes. */
void settings_print_string(const char *text, FILE *out);
/* One value, given as in struct setting's fallback or an item of its example, in libconfig's syntax. */
void settings_print_literal(const struct setting *option, const char *text, FILE *out);

#endif
