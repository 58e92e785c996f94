/*
 * iso_time.h: instants (microseconds since 1970-01-01 00:00 UTC) <-> ISO 8601 text. Pure functions.
 */
#ifndef TAILRACE_CODEC_ISO_TIME_H
#define TAILRACE_CODEC_ISO_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISO_TIME_LEN 27                            /* 2026-01-01T00:00:00.123456Z */
#define ISO_TIME_MIN INT64_C(-62135596800000000)   /* 0001-01-01T00:00:00.000000Z */
#define ISO_TIME_MAX INT64_C(253402300799999999)   /* 9999-12-31T23:59:59.999999Z */

/*
 * Writes ISO_TIME_LEN characters, no NUL, always with six digits and Z. us must lie in ISO_TIME_MIN ..
 * ISO_TIME_MAX.
 */
void iso_time_put(char *out, int64_t us);

/*
 * yyyy-mm-ddThh:mm:ss[.f...](Z|+hh[:mm[:ss]]|-...), years 0001 to 9999. False for anything else, and where digits
 * behind the sixth would be lost.
 */
bool iso_time_parse(const char *text, size_t len, int64_t *ret_us);

#endif
