/*
 * expand.c: ${env:NAME} and ${file:PATH} in strings, so that a secret need not stand in the configuration file.
 *
 * What a reference brings in is not looked through for further references.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/settings/internal.h"

#define TEXT_MAX ((size_t)64 * 1024)

bool settings_has_reference(const char *text)
{
	return strstr(text, "${") != NULL;
}

static int expand_env(struct arena *arena, struct buf *out, const char *name, size_t len, struct error *err)
{
	char *copy = arena_strndup(arena, name, len);
	const char *value;

	if (copy == NULL)
		return arena_error(arena, err);
	value = getenv(copy);
	if (value == NULL)
		return error_set(err, ERROR_CONFIG, "the environment variable %s is not set", copy);
	buf_append_str(out, value);
	return 0;
}

static int expand_file(struct arena *arena, struct buf *out, const char *folder, const char *path, size_t len,
	struct error *err)
{
	char *full = path[0] == '/' ? arena_strndup(arena, path, len) :
				      arena_printf(arena, "%s/%.*s", folder, (int)len, path);
	struct buf content;
	size_t used;

	if (full == NULL)
		return arena_error(arena, err);
	if (settings_read_file(full, TEXT_MAX, &content, err) < 0)
		return -1;
	used = content.len;
	if (used > 0 && content.data[used - 1] == '\n')
		used--;
	if (used > 0 && used < content.len && content.data[used - 1] == '\r')
		used--;
	buf_append(out, content.data, used);
	settings_wipe(&content);
	return 0;
}

/* One reference; `text` stands at its "${". Returns what follows it, or NULL. */
static const char *expand_one(struct arena *arena, struct buf *out, const char *folder, const char *text,
	struct error *err)
{
	const char *inner = text + 2, *end = strchr(inner, '}');
	int rc;

	if (end == NULL) {
		(void)error_set(err, ERROR_CONFIG, "\"${\" has no \"}\" behind it");
		(void)error_hint(err, "write $${ for the characters ${");
		return NULL;
	}
	if (strncmp(inner, "env:", 4) == 0) {
		rc = expand_env(arena, out, inner + 4, (size_t)(end - inner) - 4, err);
	} else if (strncmp(inner, "file:", 5) == 0) {
		rc = expand_file(arena, out, folder, inner + 5, (size_t)(end - inner) - 5, err);
	} else {
		rc = error_set(err, ERROR_CONFIG, "unknown reference \"%.*s\"", (int)(end + 1 - text), text);
		(void)error_hint(err, "there are ${env:NAME} and ${file:PATH}; write $${ for the characters ${");
	}
	return rc == 0 ? end + 1 : NULL;
}

int settings_expand(struct arena *arena, const char *text, const char *folder, char **ret_text, struct error *err)
{
	struct buf out;
	char *copy = NULL;
	int rc = -1;

	buf_init(&out, 2 * TEXT_MAX);
	/* In one piece from the start: growing would leave copies behind. */
	(void)buf_room(&out, 2 * TEXT_MAX - 1);
	while (*text != '\0') {
		if (strncmp(text, "$${", 3) == 0) {
			buf_append_str(&out, "${");
			text += 3;
		} else if (strncmp(text, "${", 2) == 0) {
			text = expand_one(arena, &out, folder, text, err);
			if (text == NULL)
				goto out;
		} else {
			buf_append_byte(&out, *text++);
		}
	}
	if (buf_check(&out, "the value", err) < 0) {
		if (err != NULL)
			err->class = ERROR_CONFIG;
		goto out;
	}
	copy = arena_strndup(arena, buf_cstr(&out), out.len);
	if (copy == NULL) {
		(void)arena_error(arena, err);
		goto out;
	}
	*ret_text = copy;
	rc = 0;
out:
	settings_wipe(&out);
	return rc;
}
