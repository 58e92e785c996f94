/*
 * fuzz.h: what every fuzz target offers, to libFuzzer and to replay.c.
 */
#ifndef TAILRACE_TESTS_FUZZ_FUZZ_H
#define TAILRACE_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Takes any bytes; returns 0 (-1: not worth keeping). What is wrong shows as a crash or a sanitizer's report. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
