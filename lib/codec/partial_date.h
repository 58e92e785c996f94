/*
 * partial_date.h: MySQL's and MariaDB's dates that no calendar has ("0000-00-00", "2026-00-00", "2026-02-31 12:00:00") as
 * numbers, for keys: a key has no `exact` beside it, and its values must all be told apart.
 *
 * The number of such a date lies below that of every date that any source has (4713 BC):
 *   DATE       INT32_MIN + 1 + day                                  day = (year * 13 + month) * 32 + day of month
 *   TIMESTAMP  INT64_MIN + 1 + day * 86400000000 + microsecond of the day, also where Avro carries milliseconds
 */
#ifndef TAILRACE_CODEC_PARTIAL_DATE_H
#define TAILRACE_CODEC_PARTIAL_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/change/table.h"

#define PARTIAL_DATE_TEXT_MAX 32

/* false if the text is not "YYYY-MM-DD", for a COLUMN_TIMESTAMP with " hh:mm:ss" and its fraction's digits behind it. */
bool partial_date_number(const char *text, size_t len, enum column_type type, int fraction, int64_t *ret_number);
/* Length of the text in buf (PARTIAL_DATE_TEXT_MAX bytes); 0 if the number is none of these. */
size_t partial_date_text(int64_t number, enum column_type type, int fraction, char *buf);

#endif
