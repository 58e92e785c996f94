/*
 * decode_json_view.h: views of values in MySQL's binary JSON, and the text writer; shared by decode_json*.c and by nobody else.
 *
 * A view says where a value's bytes are and how many may belong to it; nothing is copied. Views into a container are made one at a time and checked
 * against that container's own size. A container that a partial update has touched is an edited one: its members as an array in the
 * arena, each again a view.
 */
#ifndef TAILRACE_CAPTURE_DECODE_JSON_VIEW_H
#define TAILRACE_CAPTURE_DECODE_JSON_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/change/value.h"

/* The server's limit of containers in one another. */
#define JSON_DEPTH_MAX 100

/* The byte in front of a value, or in its container's entry. */
enum json_type {
	JSON_SMALL_OBJECT = 0x00,
	JSON_LARGE_OBJECT = 0x01,
	JSON_SMALL_ARRAY = 0x02,
	JSON_LARGE_ARRAY = 0x03,
	JSON_LITERAL = 0x04,
	JSON_INT16 = 0x05,
	JSON_UINT16 = 0x06,
	JSON_INT32 = 0x07,
	JSON_UINT32 = 0x08,
	JSON_INT64 = 0x09,
	JSON_UINT64 = 0x0a,
	JSON_DOUBLE = 0x0b,
	JSON_STRING = 0x0c,
	JSON_OPAQUE = 0x0f,
	JSON_EDITED = 0x100 /* ours: no byte of a document can be it */
};

struct json_edited;

struct json_view {
	union {
		const unsigned char *at; /* behind the type byte; of an inlined value: in its container's entry */
		struct json_edited *edited;
	};
	uint32_t len; /* bytes that may belong to it */
	uint16_t type;
};

struct json_key {
	const char *ptr;
	uint32_t len;
};

/* A container whose members are listed. */
struct json_edited {
	bool object;
	uint32_t count, size;
	struct json_key *keys; /* of an object, in the server's order: shorter ones first, then by bytes */
	struct json_view *values;
};

/* The head of an object or array, checked: the entries are there. */
struct json_container {
	const unsigned char *at; /* offsets count from here */
	uint32_t size;           /* bytes */
	uint32_t count;
	bool large, object;
};

static inline bool json_is_container(uint16_t type)
{
	return type <= JSON_LARGE_ARRAY;
}

/* The value whose type byte stands first. ERROR_DATA: no bytes, or an unknown type. */
int json_view_open(const unsigned char *bytes, size_t len, struct json_view *ret, struct error *err);
/* view: not an edited one, json_is_container(). */
int json_container_open(const struct json_view *view, struct json_container *ret, struct error *err);
int json_container_key(const struct json_container *container, uint32_t index, struct json_key *ret, struct error *err);
int json_container_value(const struct json_container *container, uint32_t index, struct json_view *ret, struct error *err);
/* The bytes behind their length (7 bits a byte, lowest first, 5 bytes at most). */
int json_counted_bytes(const unsigned char *at, size_t len, const unsigned char **ret_bytes, size_t *ret_len, struct error *err);

/*
 * Writes the value as the server does. limit: how many bytes its parts may add up to, which is the size of what they were read from: a document
 * whose entries share bytes could otherwise unfold without end.
 */
int json_write(const struct json_view *view, size_t limit, struct arena *arena, struct value *ret, struct error *err);

/* ---- the forms of single values; each writes to `to` and returns how many bytes ---- */

#define JSON_DOUBLE_TEXT_MAX 40
#define JSON_DECIMAL_TEXT_MAX 100
#define JSON_TIME_TEXT_MAX 48
size_t json_double_text(double d, char *to);
/* bytes: precision, scale, packed digits. 0 and err: it is not that. */
size_t json_decimal_text(const unsigned char *bytes, size_t len, char *to, struct error *err);
/* packed: the 8 bytes of DATE (10), TIME (11), TIMESTAMP (7) or DATETIME (12); without quotes. */
size_t json_time_text(unsigned field_type, const unsigned char *packed, char *to);

#endif
