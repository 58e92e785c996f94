/*
 * http.c: the read API of a schema registry, as Confluent's serves it, so that foreign readers of our topics need no
 * other server.
 *
 * Paths: docs of the Schema Registry API reference, v1. Answers and error bodies
 * ({"error_code":40403,"message":...}) are its own.
 */
#include "lib/registry/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENTS_MAX 5
#define PATH_MAX_LEN 2048

static int fail(struct buf *body, int status, int code, const char *message)
{
	buf_reset(body);
	buf_printf(body, "{\"error_code\":%d,\"message\":", code);
	buf_json_string(body, message, strlen(message));
	buf_append_byte(body, '}');
	return status;
}

static void put_text(struct buf *body, const char *text)
{
	buf_json_string(body, text, strlen(text));
}

/* "12" -> 12; 0 for anything that is no positive number. */
static int32_t parse_number(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && number <= INT32_MAX ? (int32_t)number : 0;
}

/* ---- /schemas ---- */

static void put_users(struct store *store, const struct schema *schema, struct buf *body)
{
	struct subject *subject, *next;
	const char *comma = "";

	HASH_ITER(hh, store->subjects, subject, next)
	{
		for (size_t i = 0; i < subject->count; i++) {
			if (subject->versions[i].schema != schema || subject->versions[i].deleted)
				continue;
			buf_append_str(body, comma);
			buf_append_str(body, "{\"subject\":");
			put_text(body, subject->name);
			buf_printf(body, ",\"version\":%" PRId32 "}", subject->versions[i].number);
			comma = ",";
		}
	}
}

static int get_schemas(struct store *store, char *const *path, size_t count, struct buf *body)
{
	struct schema *schema;

	if (count == 2 && strcmp(path[1], "types") == 0) {
		buf_append_str(body, "[\"AVRO\"]");
		return 200;
	}
	if (count < 3 || count > 4 || strcmp(path[1], "ids") != 0)
		return 0;
	schema = store_schema(store, parse_number(path[2]));
	if (schema == NULL)
		return fail(body, 404, 40403, "Schema not found");
	if (count == 3) {
		buf_append_str(body, "{\"schema\":");
		put_text(body, schema->text);
		buf_append_byte(body, '}');
	} else if (strcmp(path[3], "schema") == 0) {
		buf_append_str(body, schema->text);
	} else if (strcmp(path[3], "versions") == 0) {
		buf_append_byte(body, '[');
		put_users(store, schema, body);
		buf_append_byte(body, ']');
	} else {
		return 0;
	}
	return 200;
}

/* ---- /subjects ---- */

static int compare_subjects(const struct subject *a, const struct subject *b)
{
	return strcmp(a->name, b->name);
}

static int get_all_subjects(struct store *store, struct buf *body)
{
	struct subject *subject, *next;
	const char *comma = "";

	HASH_SORT(store->subjects, compare_subjects);
	buf_append_byte(body, '[');
	HASH_ITER(hh, store->subjects, subject, next)
	{
		if (store_latest(subject) == NULL)
			continue;
		buf_append_str(body, comma);
		put_text(body, subject->name);
		comma = ",";
	}
	buf_append_byte(body, ']');
	return 200;
}

static int get_versions(const struct subject *subject, struct buf *body)
{
	const char *comma = "";

	buf_append_byte(body, '[');
	for (size_t i = 0; i < subject->count; i++) {
		if (subject->versions[i].deleted)
			continue;
		buf_printf(body, "%s%" PRId32, comma, subject->versions[i].number);
		comma = ",";
	}
	buf_append_byte(body, ']');
	return 200;
}

static int get_version(struct subject *subject, char *const *path, size_t count, struct buf *body)
{
	bool latest = strcmp(path[3], "latest") == 0 || strcmp(path[3], "-1") == 0;
	int32_t number = parse_number(path[3]);
	struct version *version;

	if (!latest && number == 0)
		return fail(body, 422, 42202, "The specified version is not a valid version id. Allowed values are between "
			"[1, 2^31-1] and the string \"latest\"");
	version = latest ? store_latest(subject) : store_version_by_number(subject, number);
	if (version == NULL || version->deleted)
		return fail(body, 404, 40402, "Version not found.");
	if (count == 5) {
		if (strcmp(path[4], "schema") != 0)
			return 0;
		buf_append_str(body, version->schema->text);
		return 200;
	}
	buf_append_str(body, "{\"subject\":");
	put_text(body, subject->name);
	buf_printf(body, ",\"version\":%" PRId32 ",\"id\":%" PRId32 ",\"schema\":", version->number, version->schema->id);
	put_text(body, version->schema->text);
	buf_append_byte(body, '}');
	return 200;
}

static int get_subjects(struct store *store, char *const *path, size_t count, struct buf *body)
{
	struct subject *subject;

	if (count == 1)
		return get_all_subjects(store, body);
	if (count < 3 || strcmp(path[2], "versions") != 0)
		return 0;
	subject = store_subject(store, path[1]);
	if (subject == NULL || store_latest(subject) == NULL)
		return fail(body, 404, 40401, "Subject not found.");
	return count == 3 ? get_versions(subject, body) : get_version(subject, path, count, body);
}

/* ---- the path ---- */

static int hex_digit(char digit)
{
	return digit >= '0' && digit <= '9'   ? digit - '0'
	       : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
	       : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
					      : -1;
}

/* "%2F" -> "/", in place; a wrong escape stays as it is. */
static void decode_segment(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; to++) {
		int high = from[0] == '%' ? hex_digit(from[1]) : -1;
		int low = high >= 0 ? hex_digit(from[2]) : -1;

		if (low >= 0 && high * 16 + low != 0) {
			*to = (char)(high * 16 + low);
			from += 3;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Cuts the copied path at its slashes; the number of segments, SEGMENTS_MAX + 1 if there are more. */
static size_t split(char *text, char *segments[SEGMENTS_MAX + 1])
{
	size_t count = 0;
	char *rest = text, *segment;

	rest[strcspn(rest, "?#")] = '\0';
	while ((segment = strsep(&rest, "/")) != NULL) {
		if (segment[0] == '\0')
			continue;
		if (count == SEGMENTS_MAX)
			return SEGMENTS_MAX + 1;
		decode_segment(segment);
		segments[count++] = segment;
	}
	return count;
}

static int route(struct store *store, char *const *path, size_t count, struct buf *body)
{
	if (strcmp(path[0], "schemas") == 0)
		return get_schemas(store, path, count, body);
	if (strcmp(path[0], "subjects") == 0)
		return get_subjects(store, path, count, body);
	if (count <= 2 && strcmp(path[0], "config") == 0) {
		buf_append_str(body, "{\"compatibilityLevel\":\"NONE\"}");
		return 200;
	}
	if (count <= 2 && strcmp(path[0], "mode") == 0) {
		buf_append_str(body, "{\"mode\":\"READONLY\"}");
		return 200;
	}
	return 0;
}

int store_http(struct store *store, const char *path, struct buf *body)
{
	char text[PATH_MAX_LEN], *segments[SEGMENTS_MAX + 1] = { NULL };
	size_t len = strlen(path), count;

	if (len >= sizeof text)
		return 0;
	memcpy(text, path, len + 1);
	count = split(text, segments);
	return count == 0 || count > SEGMENTS_MAX ? 0 : route(store, segments, count, body);
}
