/*
 * decode_json.h: MySQL's binary JSON (a column of type 0xF5 in a row image) -> JSON text, and partial updates of it.
 * Pure, bounds-checked, depth-limited (the server's own limit is 100). The layout: decode_json.c.
 */
#ifndef TAILRACE_CAPTURE_DECODE_JSON_H
#define TAILRACE_CAPTURE_DECODE_JSON_H

#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/change/value.h"

/*
 * Appends nothing anywhere but the arena: *ret is VALUE_TEXT, the text that the server itself prints (CAST(j AS CHAR)): ", " and ": " as separators, keys in stored
 * order, doubles as the server writes them, opaque values (decimal, date and time, blob as base64:typeNN:) as it prints them. An empty value (a column that was
 * added by an old server) is `null`. ERROR_DATA: the bytes are not that.
 */
int json_binary_text(const unsigned char *bytes, size_t len, struct arena *arena, struct value *ret, struct error *err);

/*
 * The value after a partial update: before (binary JSON) with the changes applied in order: {op 0 replace, 1 insert, 2 remove;
 * length-encoded path; for 0 and 1 length-encoded binary JSON}. *ret is VALUE_TEXT as above.
 */
int json_partial_text(const unsigned char *before, size_t before_len, const unsigned char *diffs, size_t diffs_len, struct arena *arena,
	struct value *ret, struct error *err);

#endif
