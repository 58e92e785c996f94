/*
 * names.c: the known names, and which of them a misspelt one was meant to be.
 */
#include <stdio.h>
#include <string.h>

#include "lib/settings/internal.h"

#define NAME_LONGEST ((size_t)80)

size_t settings_group_length(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot == NULL ? 0 : (size_t)(dot - name);
}

const struct setting *settings_find(const struct setting *options, const char *name)
{
	for (const struct setting *option = options; option->name != NULL; option++)
		if (strcmp(option->name, name) == 0)
			return option;
	return NULL;
}

bool settings_is_group(const struct setting *options, const char *name)
{
	size_t len = strlen(name);

	for (const struct setting *option = options; option->name != NULL; option++)
		if (settings_group_length(option->name) == len && len > 0 && memcmp(option->name, name, len) == 0)
			return true;
	return false;
}

/* ---- options that depend on another one ---- */

/* The part of "a|b" that `text` names, up to `end` in it; NULL if none does. */
static const char *find_choice(const char *choices, const char *text, char end)
{
	size_t len = strlen(text);

	for (const char *at = choices; at != NULL; at = strchr(at, '|')) {
		at += *at == '|';
		if (strncmp(at, text, len) == 0 && (at[len] == end || (end == '|' && at[len] == '\0')))
			return at;
	}
	return NULL;
}

bool settings_is_choice(const char *choices, const char *text)
{
	return find_choice(choices, text, '|') != NULL;
}

const char *settings_depends_value(const struct setting *options, const struct setting *option, const void *values)
{
	const struct setting *other = option->depends_on == NULL ? NULL : settings_find(options, option->depends_on);

	return other == NULL ? "" : *(const char *const *)((const char *)values + other->offset);
}

bool settings_applies(const struct setting *options, const struct setting *option, const void *values)
{
	return option->only == NULL || settings_is_choice(option->only, settings_depends_value(options, option, values));
}

const char *settings_fallback(const struct setting *option, const char *value, char *buf, size_t size)
{
	const char *at = option->fallbacks == NULL ? NULL : find_choice(option->fallbacks, value, '=');

	if (at == NULL)
		return option->fallback;
	at = strchr(at, '=') + 1;
	(void)snprintf(buf, size, "%.*s", (int)strcspn(at, "|"), at);
	return buf;
}

/* ---- the nearest name ---- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance: the fewest single-character changes that turn one into the other; two rows of the table. */
static size_t distance(const char *from, size_t from_len, const char *to, size_t to_len)
{
	size_t rows[2][NAME_LONGEST + 1];
	size_t *above = rows[0], *row = rows[1];

	if (from_len > NAME_LONGEST || to_len > NAME_LONGEST)
		return NAME_LONGEST;
	for (size_t j = 0; j <= to_len; j++)
		above[j] = j;
	for (size_t i = 1; i <= from_len; i++) {
		size_t *swap = above;

		row[0] = i;
		for (size_t j = 1; j <= to_len; j++) {
			size_t other = above[j - 1] + (from[i - 1] != to[j - 1]);

			row[j] = least(other, least(above[j], row[j - 1]) + 1);
		}
		above = row;
		row = swap;
	}
	return above[to_len];
}

/*
 * Candidates are the options, the groups, and the options without their group (bootstrap_servers for
 * kafka.bootstrap_servers). Near means: at most a third of the name has to change.
 */
void settings_suggest(const struct setting *options, const char *within, const char *name, struct error *err)
{
	size_t len = strlen(name);
	size_t best = len / 3 + 2;
	const char *nearest = NULL;
	size_t nearest_len = 0;

	for (const struct setting *option = options; option->name != NULL; option++) {
		size_t option_len = strlen(option->name), group = settings_group_length(option->name);
		size_t whole = distance(name, len, option->name, option_len);

		if (group > 0) {
			size_t only_group = distance(name, len, option->name, group);

			whole = least(whole, distance(name, len, option->name + group + 1, option_len - group - 1));
			if (only_group < best) {
				best = only_group;
				nearest = option->name;
				nearest_len = group;
			}
		}
		if (whole < best) {
			best = whole;
			nearest = option->name;
			nearest_len = option_len;
		}
	}
	if (nearest != NULL)
		(void)error_hint(err, "did you mean \"%s%.*s\"?", within, (int)nearest_len, nearest);
	else
		(void)error_hint(err, "--help lists all options");
}
