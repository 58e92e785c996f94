/*
 * decode_json.c: the layout of MySQL's binary JSON, read in place.
 *
 *     document   type byte, value
 *     container  count, size, entries of keys (objects only), entries of values, then keys and values in any order
 *                count, size and offsets have 2 bytes in small containers, 4 in large ones; offsets count from the container's `count`
 *     key entry  offset, length (2 bytes always); keys are sorted by length, then by bytes
 *     value entry  type byte, then the offset of the value, or the value itself: literals, (u)int16, in large containers also (u)int32
 *     literal    0 null, 1 true, 2 false
 *     string     its length in 7 bits a byte, lowest first, then utf8mb4
 *     opaque     the type of the MySQL column that it came from, a length as above, and that column's bytes
 *
 * All little-endian. The server may leave gaps (it updates in place) but never lets two entries share bytes. Only what is asked for is looked at, and
 * what is looked at was checked: against the size of the container, and that against the size of the one around it.
 */
#include "capture/decode_json.h"

#include <string.h>

#include "capture/decode_json_view.h"

static uint32_t read_number(const unsigned char *at, bool large)
{
	uint32_t low = (uint32_t)at[0] | (uint32_t)at[1] << 8;

	return large ? low | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24 : low;
}

static bool type_is_known(unsigned type)
{
	return type <= JSON_STRING || type == JSON_OPAQUE;
}

int json_view_open(const unsigned char *bytes, size_t len, struct json_view *ret, struct error *err)
{
	if (len < 1 || len > UINT32_MAX)
		return error_set(err, ERROR_DATA, "binary json: a value of %zu bytes", len);
	if (!type_is_known(bytes[0]))
		return error_set(err, ERROR_DATA, "binary json: unknown type 0x%02x", bytes[0]);
	ret->at = bytes + 1;
	ret->len = (uint32_t)(len - 1);
	ret->type = bytes[0];
	return 0;
}

/* Bytes of count and size, and of one entry of a key and of a value. */
static uint32_t head_size(bool large)
{
	return large ? 8 : 4;
}

static uint32_t key_entry_size(bool large)
{
	return large ? 6 : 4;
}

static uint32_t value_entry_size(bool large)
{
	return large ? 5 : 3;
}

/* Where the entries end and keys and values may begin. The count was checked: no overflow. */
static uint32_t entries_end(const struct json_container *container)
{
	uint32_t entry = value_entry_size(container->large) + (container->object ? key_entry_size(container->large) : 0);

	return head_size(container->large) + container->count * entry;
}

int json_container_open(const struct json_view *view, struct json_container *ret, struct error *err)
{
	struct json_container container = {
		.at = view->at,
		.large = view->type == JSON_LARGE_OBJECT || view->type == JSON_LARGE_ARRAY,
		.object = view->type == JSON_SMALL_OBJECT || view->type == JSON_LARGE_OBJECT,
	};
	const char *what = container.object ? "an object" : "an array";
	uint32_t head = head_size(container.large), entry;

	if (view->len < head)
		return error_set(err, ERROR_DATA, "binary json: %s ends in its first %u bytes", what, (unsigned)head);
	container.count = read_number(view->at, container.large);
	container.size = read_number(view->at + head / 2, container.large);
	if (container.size > view->len || container.size < head)
		return error_set(err, ERROR_DATA, "binary json: %s of %u bytes where %u are left", what, (unsigned)container.size,
			(unsigned)view->len);
	entry = value_entry_size(container.large) + (container.object ? key_entry_size(container.large) : 0);
	if (container.count > (container.size - head) / entry)
		return error_set(err, ERROR_DATA, "binary json: %s with %u members in %u bytes", what, (unsigned)container.count,
			(unsigned)container.size);
	*ret = container;
	return 0;
}

int json_container_key(const struct json_container *container, uint32_t index, struct json_key *ret, struct error *err)
{
	const unsigned char *entry = container->at + head_size(container->large) + index * key_entry_size(container->large);
	uint32_t offset = read_number(entry, container->large);
	uint32_t len = read_number(entry + (container->large ? 4 : 2), false);

	if (offset < entries_end(container) || offset > container->size || len > container->size - offset)
		return error_set(err, ERROR_DATA, "binary json: key %u of an object lies at %u+%u of %u bytes", (unsigned)index, (unsigned)offset,
			(unsigned)len, (unsigned)container->size);
	ret->ptr = (const char *)container->at + offset;
	ret->len = len;
	return 0;
}

static bool type_is_inlined(unsigned type, bool large)
{
	return type == JSON_LITERAL || type == JSON_INT16 || type == JSON_UINT16 || (large && (type == JSON_INT32 || type == JSON_UINT32));
}

int json_container_value(const struct json_container *container, uint32_t index, struct json_view *ret, struct error *err)
{
	bool large = container->large;
	const unsigned char *entry = container->at + head_size(large) + index * value_entry_size(large);
	uint32_t offset;

	if (container->object)
		entry += container->count * key_entry_size(large);
	if (!type_is_known(entry[0]))
		return error_set(err, ERROR_DATA, "binary json: unknown type 0x%02x", entry[0]);
	if (type_is_inlined(entry[0], large)) {
		ret->at = entry + 1;
		ret->len = large ? 4 : 2;
		ret->type = entry[0];
		return 0;
	}
	offset = read_number(entry + 1, large);
	if (offset < entries_end(container) || offset >= container->size)
		return error_set(err, ERROR_DATA, "binary json: value %u of a container lies at %u of %u bytes", (unsigned)index,
			(unsigned)offset, (unsigned)container->size);
	ret->at = container->at + offset;
	ret->len = container->size - offset;
	ret->type = entry[0];
	return 0;
}

int json_counted_bytes(const unsigned char *at, size_t len, const unsigned char **ret_bytes, size_t *ret_len, struct error *err)
{
	uint64_t count = 0;
	size_t i;

	for (i = 0; i < 5 && i < len; i++) {
		count |= (uint64_t)(at[i] & 0x7f) << (7 * i);
		if ((at[i] & 0x80) == 0)
			break;
	}
	if (i == 5 || i == len)
		return error_set(err, ERROR_DATA, "binary json: a length that does not end");
	if (count > len - i - 1)
		return error_set(err, ERROR_DATA, "binary json: a string of %llu bytes where %zu are left", (unsigned long long)count, len - i - 1);
	*ret_bytes = at + i + 1;
	*ret_len = (size_t)count;
	return 0;
}

int json_binary_text(const unsigned char *bytes, size_t len, struct arena *arena, struct value *ret, struct error *err)
{
	static const unsigned char null[] = { JSON_LITERAL, 0 };
	struct json_view view;

	if (len == 0) {
		bytes = null;
		len = sizeof null;
	}
	if (json_view_open(bytes, len, &view, err) < 0)
		return -1;
	return json_write(&view, len, arena, ret, err);
}
