/*
 * decode_json_text.c: a view of binary JSON -> the text that the server prints for it.
 *
 * The value is walked twice: once to check it and to count the bytes that its text can have, once to write them into one piece of the arena. So there
 * is no buffer that grows, and an error shows before anything is written. Only doubles are counted at their largest.
 * Recursion ends at JSON_DEPTH_MAX.
 */
#include <stdio.h>
#include <string.h>

#include "capture/decode_json_view.h"

#define FIELD_TIMESTAMP 7
#define FIELD_DATE 10
#define FIELD_TIME 11
#define FIELD_DATETIME 12
#define FIELD_NEWDECIMAL 246

#define INTEGER_TEXT_MAX 20
#define BASE64_LINE 76 /* the server breaks its base64 into lines of so many characters */

struct writer {
	char *at;     /* NULL: counting */
	size_t len;   /* counted; enough, not exact */
	size_t limit; /* bytes of the document that are not accounted for yet; while counting */
	struct error *err;
};

static void put(struct writer *writer, const char *bytes, size_t len)
{
	if (writer->at == NULL) {
		writer->len += len;
		return;
	}
	if (len > 0)
		memcpy(writer->at, bytes, len);
	writer->at += len;
}

/* Takes bytes of the document: each may be taken once. */
static int take(struct writer *writer, size_t len)
{
	if (writer->at != NULL)
		return 0;
	if (len > writer->limit)
		return error_set(writer->err, ERROR_DATA, "binary json: parts that share bytes");
	writer->limit -= len;
	return 0;
}

static uint64_t read_bytes(const unsigned char *at, unsigned count)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < count; i++)
		number |= (uint64_t)at[i] << (8 * i);
	return number;
}

/* ---- strings ---- */

/* Length of the UTF-8 character at the start of these bytes (not ASCII), 0 if there is none. */
static size_t utf8_length(const unsigned char *at, size_t len)
{
	static const unsigned char lowest[] = { 0, 0, 0x80, 0xa0, 0x90 };
	size_t count = at[0] >= 0xc2 && at[0] <= 0xdf ? 2 : (at[0] & 0xf0) == 0xe0 ? 3 : at[0] >= 0xf0 && at[0] <= 0xf4 ? 4 : 0;

	if (count == 0 || len < count)
		return 0;
	for (size_t i = 1; i < count; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xe0 || at[0] == 0xf0) && at[1] < lowest[count])
		return 0;
	if ((at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return count;
}

static void put_escape(struct writer *writer, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *found = c == 0 ? NULL : strchr(from, c);
	char text[7] = { '\\', 'u', '0', '0', (char)('0' + (c >> 4)), "0123456789abcdef"[c & 15], '\0' };

	if (found == NULL) {
		put(writer, text, 6);
		return;
	}
	text[1] = to[found - from];
	put(writer, text, 2);
}

/* Quoted. Runs of characters that stand for themselves go over in one piece. */
static int write_string(struct writer *writer, const char *what, const unsigned char *bytes, size_t len)
{
	size_t run = 0, at = 0;

	if (take(writer, len) < 0)
		return -1;
	put(writer, "\"", 1);
	while (at < len) {
		unsigned char c = bytes[at];

		if (c >= 0x80) {
			size_t count = writer->at != NULL ? 1 : utf8_length(bytes + at, len - at);

			if (count == 0)
				return error_set(writer->err, ERROR_DATA, "binary json: %s with byte 0x%02x at %zu that is not UTF-8", what, c, at);
			at += count;
		} else if (c < 0x20 || c == '"' || c == '\\') {
			put(writer, (const char *)bytes + run, at - run);
			put_escape(writer, c);
			run = ++at;
		} else {
			at++;
		}
	}
	put(writer, (const char *)bytes + run, len - run);
	put(writer, "\"", 1);
	return 0;
}

/* ---- numbers ---- */

static void write_integer(struct writer *writer, uint64_t magnitude, bool negative)
{
	char digits[INTEGER_TEXT_MAX + 1];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + magnitude % 10);
	while ((magnitude /= 10) > 0);
	if (negative)
		digits[--at] = '-';
	put(writer, digits + at, sizeof digits - at);
}

static void write_signed(struct writer *writer, int64_t number)
{
	write_integer(writer, number < 0 ? -(uint64_t)number : (uint64_t)number, number < 0);
}

static void write_double(struct writer *writer, uint64_t bits)
{
	char text[JSON_DOUBLE_TEXT_MAX];
	double d;

	if (writer->at == NULL) {
		writer->len += sizeof text;
		return;
	}
	memcpy(&d, &bits, sizeof d);
	put(writer, text, json_double_text(d, text));
}

static int write_number(struct writer *writer, const struct json_view *view)
{
	unsigned size = view->type <= JSON_UINT16 ? 2 : view->type <= JSON_UINT32 ? 4 : 8;
	uint64_t bits;

	if (view->len < size)
		return error_set(writer->err, ERROR_DATA, "binary json: a number of %u bytes where %u are left", size, (unsigned)view->len);
	if (take(writer, size) < 0)
		return -1;
	bits = read_bytes(view->at, size);
	switch (view->type) {
	case JSON_INT16:
		write_signed(writer, (int16_t)bits);
		break;
	case JSON_INT32:
		write_signed(writer, (int32_t)bits);
		break;
	case JSON_INT64:
		write_signed(writer, (int64_t)bits);
		break;
	case JSON_DOUBLE:
		if ((bits >> 52 & 0x7ff) == 0x7ff)
			return error_set(writer->err, ERROR_DATA, "binary json: a double that is not a number");
		write_double(writer, bits);
		break;
	default:
		write_integer(writer, bits, false);
	}
	return 0;
}

static int write_literal(struct writer *writer, const struct json_view *view)
{
	static const char *const names[] = { "null", "true", "false" };

	if (view->len < 1 || view->at[0] > 2)
		return error_set(writer->err, ERROR_DATA, "binary json: a literal that is neither null, true nor false");
	put(writer, names[view->at[0]], strlen(names[view->at[0]]));
	return take(writer, 1);
}

/* ---- opaque values ---- */

static void write_base64(struct writer *writer, unsigned field_type, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char head[32];
	size_t column = 0;

	put(writer, head, (size_t)snprintf(head, sizeof head, "\"base64:type%u:", field_type));
	if (writer->at == NULL) {
		size_t count = (len + 2) / 3 * 4;

		writer->len += count + count / BASE64_LINE * 2 + 1;
		return;
	}
	for (size_t at = 0; at < len; at += 3) {
		size_t left = len - at;
		uint32_t group = (uint32_t)bytes[at] << 16 | (left > 1 ? (uint32_t)bytes[at + 1] << 8 : 0) | (left > 2 ? bytes[at + 2] : 0U);
		char four[4] = { digits[group >> 18], digits[group >> 12 & 63], left > 1 ? digits[group >> 6 & 63] : '=',
			left > 2 ? digits[group & 63] : '=' };

		if (column == BASE64_LINE) {
			put(writer, "\\n", 2);
			column = 0;
		}
		put(writer, four, 4);
		column += 4;
	}
	put(writer, "\"", 1);
}

static int write_opaque(struct writer *writer, const struct json_view *view)
{
	char text[JSON_DECIMAL_TEXT_MAX > JSON_TIME_TEXT_MAX ? JSON_DECIMAL_TEXT_MAX : JSON_TIME_TEXT_MAX];
	const unsigned char *bytes;
	unsigned field_type;
	size_t len;

	if (view->len < 1)
		return error_set(writer->err, ERROR_DATA, "binary json: an opaque value without its type");
	field_type = view->at[0];
	if (json_counted_bytes(view->at + 1, view->len - 1, &bytes, &len, writer->err) < 0 || take(writer, len + 1) < 0)
		return -1;
	switch (field_type) {
	case FIELD_NEWDECIMAL:
		len = json_decimal_text(bytes, len, text, writer->err);
		put(writer, text, len);
		return len == 0 ? -1 : 0;
	case FIELD_TIMESTAMP:
	case FIELD_DATE:
	case FIELD_TIME:
	case FIELD_DATETIME:
		if (len != 8)
			return error_set(writer->err, ERROR_DATA, "binary json: a date or time of %zu bytes", len);
		len = json_time_text(field_type, bytes, text);
		put(writer, "\"", 1);
		put(writer, text, len);
		put(writer, "\"", 1);
		return 0;
	default:
		write_base64(writer, field_type, bytes, len);
		return 0;
	}
}

/* ---- values ---- */

static int write_value(struct writer *writer, const struct json_view *view, unsigned depth);

static int write_member(struct writer *writer, uint32_t index, const struct json_key *key, const struct json_view *value, unsigned depth)
{
	if (index > 0)
		put(writer, ", ", 2);
	if (key != NULL) {
		if (write_string(writer, "a key", (const unsigned char *)key->ptr, key->len) < 0)
			return -1;
		put(writer, ": ", 2);
	}
	return write_value(writer, value, depth + 1);
}

static int write_edited(struct writer *writer, const struct json_edited *edited, unsigned depth)
{
	put(writer, edited->object ? "{" : "[", 1);
	for (uint32_t i = 0; i < edited->count; i++)
		if (write_member(writer, i, edited->object ? &edited->keys[i] : NULL, &edited->values[i], depth) < 0)
			return -1;
	put(writer, edited->object ? "}" : "]", 1);
	return 0;
}

static int write_container(struct writer *writer, const struct json_view *view, unsigned depth)
{
	struct json_container container;
	struct json_view value;
	struct json_key key;

	/* Four bytes at least, also for an empty one: entries that point to the same empty one come to an end. */
	if (json_container_open(view, &container, writer->err) < 0 || take(writer, 4) < 0)
		return -1;
	put(writer, container.object ? "{" : "[", 1);
	for (uint32_t i = 0; i < container.count; i++)
		if ((container.object && json_container_key(&container, i, &key, writer->err) < 0) ||
			json_container_value(&container, i, &value, writer->err) < 0 ||
			write_member(writer, i, container.object ? &key : NULL, &value, depth) < 0)
			return -1;
	put(writer, container.object ? "}" : "]", 1);
	return 0;
}

static int write_value(struct writer *writer, const struct json_view *view, unsigned depth)
{
	const unsigned char *bytes;
	size_t len;

	if ((view->type == JSON_EDITED || json_is_container(view->type)) && depth > JSON_DEPTH_MAX)
		return error_set(writer->err, ERROR_DATA, "binary json: more than %d containers in one another", JSON_DEPTH_MAX);
	switch (view->type) {
	case JSON_EDITED:
		return write_edited(writer, view->edited, depth);
	case JSON_SMALL_OBJECT:
	case JSON_LARGE_OBJECT:
	case JSON_SMALL_ARRAY:
	case JSON_LARGE_ARRAY:
		return write_container(writer, view, depth);
	case JSON_LITERAL:
		return write_literal(writer, view);
	case JSON_STRING:
		if (json_counted_bytes(view->at, view->len, &bytes, &len, writer->err) < 0 || take(writer, 1) < 0)
			return -1;
		return write_string(writer, "a string", bytes, len);
	case JSON_OPAQUE:
		return write_opaque(writer, view);
	default:
		return write_number(writer, view);
	}
}

int json_write(const struct json_view *view, size_t limit, struct arena *arena, struct value *ret, struct error *err)
{
	struct writer writer = { .limit = limit, .err = err };
	char *text;

	if (write_value(&writer, view, 1) < 0)
		return -1;
	text = arena_alloc(arena, writer.len);
	if (text == NULL)
		return arena_error(arena, err);
	writer.at = text;
	if (write_value(&writer, view, 1) < 0)
		return -1;
	ret->kind = VALUE_TEXT;
	ret->text.ptr = text;
	ret->text.len = (size_t)(writer.at - text);
	return 0;
}
