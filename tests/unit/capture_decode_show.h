/*
 * capture_decode_show.h: values back into PostgreSQL's text forms, for the tests of the decoder.
 *
 * On purpose another way than the decoder's: dates by gmtime_r(), floats by trying ever more digits.
 */
#ifndef TAILRACE_TESTS_UNIT_CAPTURE_DECODE_SHOW_H
#define TAILRACE_TESTS_UNIT_CAPTURE_DECODE_SHOW_H

#include "lib/base/buf.h"
#include "lib/change/table.h"
#include "lib/change/value.h"

/* The text that PostgreSQL would write for the value; not for NULL and UNCHANGED. */
void show_text(struct buf *out, const struct column *column, const struct value *value);
/* "i:42", "null", "unchanged": the letter of the kind, then the text with blanks and control characters as %XX. */
void show_value(struct buf *out, const struct column *column, const struct value *value);
void show_escaped(struct buf *out, const char *text, size_t len);

#endif
