/*
 * decode_charset.h: text in any charset of MySQL and MariaDB -> UTF-8.
 *
 * A collation id (as in table maps) or a charset name gives a converter. utf8mb3, utf8mb4, ascii and binary are passed through without a copy
 * once they are seen to be valid; the rest goes by tables for one-byte charsets and by iconv for the others. What the server's mapping and
 * iconv's do differently is named in decode_charset.c and checked against a server in tests. Bytes that are no text in their charset: see
 * charset_text().
 */
#ifndef TAILRACE_CAPTURE_DECODE_CHARSET_H
#define TAILRACE_CAPTURE_DECODE_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/change/value.h"

struct charset; /* static, or made once per process: never freed */

/* NULL: unknown. 63 is binary. */
const struct charset *charset_by_collation(uint32_t collation);
const struct charset *charset_by_name(const char *name);
const char *charset_name(const struct charset *charset);
bool charset_is_binary(const struct charset *charset);
/* Bytes of the longest character: CHAR(n) has n times as many. */
unsigned charset_width(const struct charset *charset);

/* *ret becomes VALUE_TEXT in UTF-8, borrowed from bytes where nothing had to change, else in the arena. ERROR_DATA: not valid in the charset. */
int charset_text(const struct charset *charset, const unsigned char *bytes, size_t len, struct arena *arena,
	struct value *ret, struct error *err);

#endif
