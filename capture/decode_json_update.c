/*
 * decode_json_update.c: partial updates of binary JSON (binlog_row_value_options=PARTIAL_JSON), done as the server's replica does them.
 *
 *     diffs     { op byte, length, path, for replace and insert: length, value in binary JSON } ...      lengths as in the protocol: 1, 3, 4 or 9 bytes
 *     path      $ then legs: .name  ."quoted as in JSON"  [3]  [last]  [last-2]                           no wildcards
 *     replace   the value at the path, which must exist
 *     insert    a member that the object has not; or before the array's element of that number, at its end if it is not so long
 *     remove    the value at the path, which must exist
 *
 * An array's leg that meets no array and means "the first" or "the last" means the value itself, as everywhere in the server's paths. The whole document
 * is never the target: then the log has it in full.
 *
 * Only containers on a path are listed (struct json_edited); all else stays a view of the bytes it came in. Cost: per change, the size of the containers on
 * its path.
 */
#include "capture/decode_json.h"

#include <string.h>

#include "capture/decode_json_view.h"

#define EDITED_MAX (UINT32_MAX / 2) /* members of one container */

enum diff_op { DIFF_REPLACE = 0, DIFF_INSERT = 1, DIFF_REMOVE = 2 };

struct leg {
	bool cell;
	bool from_last;
	uint32_t index;
	struct json_key name;
};

struct path {
	const char *text; /* not NUL-terminated */
	size_t len;
	struct leg legs[JSON_DEPTH_MAX];
	size_t count;
};

struct diff {
	enum diff_op op;
	struct path path;
	struct json_view value;
};

struct update {
	struct json_view root;
	struct arena *arena;
	struct error *err;
};

/* A value in the document, and the listed container that it is in (NULL: the root). */
struct place {
	struct json_view *view;
	struct json_edited *parent;
	uint32_t index;
};

/* ---- reading diffs ---- */

static int diff_broken(struct error *err)
{
	return error_set(err, ERROR_DATA, "partial json: a change that ends too early");
}

/* The protocol's length-encoded bytes. */
static int read_counted(const unsigned char **at, const unsigned char *end, const unsigned char **ret_bytes, size_t *ret_len, struct error *err)
{
	size_t left = (size_t)(end - *at), size;
	uint64_t len = 0;

	if (left == 0)
		return diff_broken(err);
	size = **at < 0xfb ? 0 : **at == 0xfc ? 2 : **at == 0xfd ? 3 : **at == 0xfe ? 8 : left;
	if (left < 1 + size)
		return diff_broken(err);
	if (size == 0)
		len = **at;
	for (size_t i = 0; i < size; i++)
		len |= (uint64_t)(*at)[1 + i] << (8 * i);
	if (len > left - 1 - size)
		return diff_broken(err);
	*ret_bytes = *at + 1 + size;
	*ret_len = (size_t)len;
	*at += 1 + size + (size_t)len;
	return 0;
}

/* ---- paths ---- */

/* Names of members may be personal data: no error shows them. */
static int path_broken(const struct path *path, struct error *err)
{
	return error_set(err, ERROR_DATA, "partial json: a path of %zu bytes cannot be read at leg %zu", path->len, path->count);
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits of \u; -1 if they are not. */
static long read_unit(const char *at, const char *end)
{
	long unit = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_value(at[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* Takes the digits behind \u, a pair for characters beyond 16 bits; returns where they end, or NULL. */
static const char *unescape_unit(const char *at, const char *end, char **to)
{
	long code = read_unit(at, end), low;

	if (code < 0 || (code >= 0xdc00 && code <= 0xdfff))
		return NULL;
	at += 4;
	if (code >= 0xd800 && code <= 0xdbff) {
		low = end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? read_unit(at + 2, end) : -1;
		if (low < 0xdc00 || low > 0xdfff)
			return NULL;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		at += 6;
	}
	if (code < 0x80) {
		*(*to)++ = (char)code;
	} else {
		int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;

		*(*to)++ = (char)(code >> (6 * more) | (more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0));
		while (more-- > 0)
			*(*to)++ = (char)(0x80 | (code >> (6 * more) & 0x3f));
	}
	return at;
}

/* A quoted name; `at` is behind its first quote. Returns where it ends, or NULL; *ret_full: memory was short. */
static const char *read_quoted(const char *at, const char *end, struct arena *arena, struct json_key *ret, bool *ret_full)
{
	static const char from[] = "\"\\/bfnrt", to_what[] = "\"\\/\b\f\n\r\t";
	char *text = arena_alloc(arena, (size_t)(end - at)), *to = text;

	*ret_full = text == NULL;
	if (text == NULL)
		return NULL;
	while (at < end && *at != '"') {
		const char *found;

		if (*at != '\\') {
			*to++ = *at++;
			continue;
		}
		if (++at == end)
			return NULL;
		if (*at == 'u') {
			at = unescape_unit(at + 1, end, &to);
			if (at == NULL)
				return NULL;
			continue;
		}
		found = *at == '\0' ? NULL : strchr(from, *at);
		if (found == NULL)
			return NULL;
		*to++ = to_what[found - from];
		at++;
	}
	if (at == end)
		return NULL;
	ret->ptr = text;
	ret->len = (uint32_t)(to - text);
	return at + 1;
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* Digits, at least one; NULL if there are none or too many. */
static const char *read_index(const char *at, const char *end, uint32_t *ret)
{
	const char *start = at;
	uint64_t index = 0;

	while (at < end && *at >= '0' && *at <= '9' && index <= UINT32_MAX)
		index = index * 10 + (uint64_t)(*at++ - '0');
	*ret = (uint32_t)index;
	return at == start || index > UINT32_MAX ? NULL : at;
}

/* [3], [last], [last-2]; `at` is behind the bracket. Returns where the leg ends, or NULL. */
static const char *read_cell(const char *at, const char *end, struct leg *ret)
{
	ret->cell = true;
	at = skip_blanks(at, end);
	if (end - at >= 4 && memcmp(at, "last", 4) == 0) {
		ret->from_last = true;
		at = skip_blanks(at + 4, end);
		if (at < end && *at == '-')
			at = read_index(skip_blanks(at + 1, end), end, &ret->index);
	} else {
		at = read_index(at, end, &ret->index);
	}
	if (at != NULL)
		at = skip_blanks(at, end);
	return at == NULL || at == end || *at != ']' ? NULL : at + 1;
}

static int path_parse(struct path *path, struct arena *arena, struct error *err)
{
	const char *at = path->text, *end = at + path->len;
	bool full = false;

	path->count = 0;
	if (at == end || *at++ != '$')
		return path_broken(path, err);
	for (at = skip_blanks(at, end); at < end; at = skip_blanks(at, end)) {
		struct leg *leg = &path->legs[path->count];

		if (path->count++ == sizeof path->legs / sizeof path->legs[0])
			return path_broken(path, err);
		memset(leg, 0, sizeof *leg);
		if (*at == '[') {
			at = read_cell(at + 1, end, leg);
		} else if (*at == '.') {
			at = skip_blanks(at + 1, end);
			if (at < end && *at == '"') {
				at = read_quoted(at + 1, end, arena, &leg->name, &full);
			} else {
				leg->name.ptr = at;
				while (at < end && strchr(" \t\r\n.[*", *at) == NULL)
					at++;
				leg->name.len = (uint32_t)(at - leg->name.ptr);
				at = leg->name.len == 0 ? NULL : at;
			}
		} else {
			at = NULL;
		}
		if (full)
			return arena_error(arena, err);
		if (at == NULL)
			return path_broken(path, err);
	}
	return 0;
}

static int diff_read(const unsigned char **at, const unsigned char *end, struct diff *ret, struct arena *arena, struct error *err)
{
	const unsigned char *bytes;
	unsigned op = *(*at)++;
	size_t len;

	if (op > DIFF_REMOVE)
		return error_set(err, ERROR_DATA, "partial json: unknown kind of change %u", op);
	ret->op = (enum diff_op)op;
	if (read_counted(at, end, &bytes, &len, err) < 0)
		return -1;
	ret->path.text = (const char *)bytes;
	ret->path.len = len;
	if (path_parse(&ret->path, arena, err) < 0)
		return -1;
	if (ret->op == DIFF_REMOVE)
		return 0;
	if (read_counted(at, end, &bytes, &len, err) < 0)
		return -1;
	return json_view_open(bytes, len, &ret->value, err);
}

/* ---- the document being changed ---- */

/* Lists the members of a container, so that they can be changed. Nothing to do if it is one already. */
static int make_edited(struct update *update, struct json_view *view)
{
	struct json_container container;
	struct json_edited *edited;

	if (view->type == JSON_EDITED)
		return 0;
	if (json_container_open(view, &container, update->err) < 0)
		return -1;
	edited = arena_zalloc(update->arena, sizeof *edited);
	if (edited == NULL)
		return arena_error(update->arena, update->err);
	edited->object = container.object;
	edited->count = container.count;
	edited->size = container.count + 4;
	edited->values = arena_alloc(update->arena, edited->size * sizeof *edited->values);
	if (edited->object)
		edited->keys = arena_alloc(update->arena, edited->size * sizeof *edited->keys);
	if (edited->values == NULL || (edited->object && edited->keys == NULL))
		return arena_error(update->arena, update->err);
	for (uint32_t i = 0; i < container.count; i++)
		if (json_container_value(&container, i, &edited->values[i], update->err) < 0 ||
			(edited->object && json_container_key(&container, i, &edited->keys[i], update->err) < 0))
			return -1;
	view->edited = edited;
	view->type = JSON_EDITED;
	return 0;
}

static bool is_object(const struct json_view *view)
{
	return view->type == JSON_EDITED ? view->edited->object : view->type == JSON_SMALL_OBJECT || view->type == JSON_LARGE_OBJECT;
}

static bool is_array(const struct json_view *view)
{
	return view->type == JSON_EDITED ? !view->edited->object : view->type == JSON_SMALL_ARRAY || view->type == JSON_LARGE_ARRAY;
}

/* Whether the object has that member; *ret_index: where it is, or belongs. */
static bool find_member(const struct json_edited *object, const struct json_key *name, uint32_t *ret_index)
{
	uint32_t low = 0, high = object->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct json_key *key = &object->keys[middle];
		int order = key->len != name->len ? (key->len < name->len ? -1 : 1) : name->len == 0 ? 0 : memcmp(key->ptr, name->ptr, name->len);

		if (order == 0) {
			*ret_index = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_index = low;
	return false;
}

/* Whether an array of `count` elements has the one that the leg means; *ret_index: which, or where it would go. */
static bool find_element(const struct leg *leg, uint32_t count, uint32_t *ret_index)
{
	bool inside = leg->index < count;

	if (leg->from_last)
		*ret_index = inside ? count - leg->index - 1 : 0;
	else
		*ret_index = inside ? leg->index : count;
	return inside;
}

/* Follows the first `count` legs. 1: found; 0: there is no such value. */
static int locate(struct update *update, const struct path *path, size_t count, struct place *ret)
{
	struct place place = { .view = &update->root };

	for (size_t i = 0; i < count; i++) {
		const struct leg *leg = &path->legs[i];
		uint32_t index;

		if (leg->cell && !is_array(place.view)) {
			if (!find_element(leg, 1, &index))
				return 0;
			continue;
		}
		if (!leg->cell && !is_object(place.view))
			return 0;
		if (make_edited(update, place.view) < 0)
			return -1;
		place.parent = place.view->edited;
		if (leg->cell ? !find_element(leg, place.parent->count, &index) : !find_member(place.parent, &leg->name, &index))
			return 0;
		place.index = index;
		place.view = &place.parent->values[index];
	}
	*ret = place;
	return 1;
}

/* Makes room for one more member at that place. */
static int open_gap(struct update *update, struct json_edited *edited, uint32_t index)
{
	uint32_t behind = edited->count - index;

	if (edited->count == edited->size) {
		uint32_t size = edited->size * 2;
		struct json_view *values = edited->size < EDITED_MAX ? arena_alloc(update->arena, size * sizeof *values) : NULL;
		struct json_key *keys = edited->object && values != NULL ? arena_alloc(update->arena, size * sizeof *keys) : NULL;

		if (values == NULL || (edited->object && keys == NULL))
			return arena_error(update->arena, update->err);
		memcpy(values, edited->values, edited->count * sizeof *values);
		if (edited->object)
			memcpy(keys, edited->keys, edited->count * sizeof *keys);
		edited->values = values;
		edited->keys = keys;
		edited->size = size;
	}
	memmove(edited->values + index + 1, edited->values + index, behind * sizeof *edited->values);
	if (edited->object)
		memmove(edited->keys + index + 1, edited->keys + index, behind * sizeof *edited->keys);
	edited->count++;
	return 0;
}

static void close_gap(struct json_edited *edited, uint32_t index)
{
	uint32_t behind = edited->count - index - 1;

	memmove(edited->values + index, edited->values + index + 1, behind * sizeof *edited->values);
	if (edited->object)
		memmove(edited->keys + index, edited->keys + index + 1, behind * sizeof *edited->keys);
	edited->count--;
}

static int insert_value(struct update *update, const struct diff *diff)
{
	const struct leg *leg = &diff->path.legs[diff->path.count - 1];
	struct json_edited *edited;
	struct place place;
	uint32_t index;
	int found = locate(update, &diff->path, diff->path.count - 1, &place);

	if (found <= 0)
		return found;
	if (leg->cell ? !is_array(place.view) : !is_object(place.view))
		return 0;
	if (make_edited(update, place.view) < 0)
		return -1;
	edited = place.view->edited;
	if (leg->cell)
		(void)find_element(leg, edited->count, &index);
	else if (find_member(edited, &leg->name, &index))
		return 0;
	if (open_gap(update, edited, index) < 0)
		return -1;
	edited->values[index] = diff->value;
	if (edited->object)
		edited->keys[index] = leg->name;
	return 1;
}

/* 1: done; 0: it does not fit the document. */
static int apply_diff(struct update *update, const struct diff *diff)
{
	struct place place;
	int found;

	if (diff->path.count == 0)
		return 0;
	if (diff->op == DIFF_INSERT)
		return insert_value(update, diff);
	found = locate(update, &diff->path, diff->path.count, &place);
	if (found <= 0)
		return found;
	if (place.parent == NULL)
		return 0;
	if (diff->op == DIFF_REPLACE)
		*place.view = diff->value;
	else
		close_gap(place.parent, place.index);
	return 1;
}

int json_partial_text(const unsigned char *before, size_t before_len, const unsigned char *diffs, size_t diffs_len, struct arena *arena,
	struct value *ret, struct error *err)
{
	static const char *const names[] = { "replace", "insert", "remove" };
	const unsigned char *at = diffs, *end = diffs + diffs_len;
	struct update update = { .arena = arena, .err = err };
	unsigned number = 1;
	struct diff diff;

	if (json_view_open(before, before_len, &update.root, err) < 0)
		return -1;
	for (; at < end; number++) {
		int done;

		if (diff_read(&at, end, &diff, arena, err) < 0)
			return -1;
		done = apply_diff(&update, &diff);
		if (done < 0)
			return -1;
		if (done == 0)
			return error_set(err, ERROR_DATA, "partial json: change %u, %s at a path of %zu legs, does not fit the value before", number,
				names[diff.op], diff.path.count);
	}
	return json_write(&update.root, before_len + diffs_len, arena, ret, err);
}
