/*
 * sink_text.h: values of the change model as text, in PostgreSQL's spelling; and the pieces that other spellings need as well.
 *
 * The text form is what the decoder of PostgreSQL's log read, the other way round, so that a value arrives as it left. It is how a
 * parameter is sent to PostgreSQL, what a text column of any target gets, and how messages name a key. Pure; no I/O.
 */
#ifndef TAILRACE_APPLY_SINK_TEXT_H
#define TAILRACE_APPLY_SINK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/table.h"
#include "lib/change/value.h"

/*
 * Appends the text form of a value (never VALUE_NULL or VALUE_UNCHANGED). column: its source column, for the type.
 * Returns 0, or -1 and ERROR_DATA naming the column: a zero byte in a text, a kind that does not fit the type, a full
 * buffer. PostgreSQL reads it in a session with DateStyle ISO, IntervalStyle postgres and UTF-8, whatever else is set.
 */
int sink_text(const struct column *column, const struct value *val, struct buf *out, struct error *err);

/* Appends one element of an array's text form, quoted and escaped. */
void sink_array_quote(struct buf *out, const char *text, size_t len);

/* The text between quotes; quotes inside are doubled. */
void sink_put_quoted(struct buf *out, const char *text, size_t len, char quote);
void sink_put_uint(struct buf *out, uint64_t number);
void sink_put_int(struct buf *out, int64_t number);
/* Two digits a byte, in lower case. */
void sink_put_hex(struct buf *out, const void *bytes, size_t len);
/* Exactly `digits` digits, zeros in front; returns their end. */
char *sink_digits(char *to, uint64_t number, int digits);

/* Proleptic Gregorian calendar day of a number of days since 1970-01-01. Year 0 is 1 BC. */
void sink_calendar(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);
/* 36 characters with hyphens -> 16 bytes; false: it is none. */
bool sink_uuid_bytes(const char *text, size_t len, unsigned char *out);
/* Of a VALUE_TEXT, VALUE_EXACT or VALUE_BYTES. */
bool sink_has_zero_byte(const struct value *val);

/* Whether a name (of a type) is one of those in the list, which are separated by spaces. */
bool sink_is_one_of(const char *name, const char *list);

#endif
