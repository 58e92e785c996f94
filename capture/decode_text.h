/*
 * decode_text.h: PostgreSQL's text forms (what a type's output function writes) -> struct value.
 *
 * For the log (pgoutput's text format) and for rows that a query reads. The session's settings are those of
 * decode_pgoutput.h. A value that the column's type cannot hold becomes VALUE_EXACT with the source's own text: NaN
 * and infinity in a numeric, dates before year 1, after 9999 or infinite, arrays with several dimensions or their
 * own bounds or with such a value inside. Text that the type's output function cannot have written is ERROR_DATA;
 * its content is not repeated in the error, it may be personal.
 */
#ifndef TAILRACE_CAPTURE_DECODE_TEXT_H
#define TAILRACE_CAPTURE_DECODE_TEXT_H

#include <locale.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/change/table.h"
#include "lib/change/value.h"

struct pg_text {
	locale_t c; /* so that a point is a point in whatever locale the program runs */
};

int pg_text_init(struct pg_text *forms, struct error *err);
void pg_text_release(struct pg_text *forms);

/*
 * *ret borrows from text (which need not end with NUL) or from the arena (bytea, arrays). Text that is carried as
 * it is (strings, JSON, enums, intervals ...) is not looked at. Thread-safe with an arena per thread.
 */
int pg_text_value(const struct pg_text *forms, const struct column *column, const char *text, size_t len,
	struct arena *arena, struct value *ret, struct error *err);

#endif
