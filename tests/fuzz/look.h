/*
 * look.h: reads every byte of a decoded value, so that a sanitizer sees what does not belong to it.
 */
#ifndef TAILRACE_TESTS_FUZZ_LOOK_H
#define TAILRACE_TESTS_FUZZ_LOOK_H

#include <stdint.h>

#include "lib/change/value.h"

/* Reads all that a value points to. */
static inline uint64_t fuzz_look_at(const struct value *value)
{
	uint64_t sum = value->kind;

	switch (value->kind) {
	case VALUE_TEXT:
	case VALUE_BYTES:
	case VALUE_EXACT:
		for (size_t i = 0; i < value->text.len; i++)
			sum = sum * 31 + (unsigned char)value->text.ptr[i];
		break;
	case VALUE_ARRAY:
		for (size_t i = 0; i < value->array.count; i++)
			sum = sum * 31 + fuzz_look_at(&value->array.items[i]);
		break;
	default:
		break;
	}
	return sum;
}

#endif
