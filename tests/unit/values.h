/*
 * values.h: short ways to write a struct value in a table of test cases.
 */
#ifndef TAILRACE_TESTS_UNIT_VALUES_H
#define TAILRACE_TESTS_UNIT_VALUES_H

#include "lib/change/value.h"

#define TEXT(s) \
	{ \
		.kind = VALUE_TEXT, .text = { s, sizeof(s) - 1 } \
	}
#define EXACT(s) \
	{ \
		.kind = VALUE_EXACT, .text = { s, sizeof(s) - 1 } \
	}
#define BYTES(s) \
	{ \
		.kind = VALUE_BYTES, .text = { s, sizeof(s) - 1 } \
	}
#define INT(n) \
	{ \
		.kind = VALUE_INT, .i = (n) \
	}
#define FLOAT(n) \
	{ \
		.kind = VALUE_FLOAT, .f = (n) \
	}
#define ITEMS(a) \
	{ \
		.kind = VALUE_ARRAY, .array = { a, sizeof(a) / sizeof(a)[0] } \
	}
#define NOTHING \
	{ \
		.kind = VALUE_NULL \
	}
#define UNCHANGED \
	{ \
		.kind = VALUE_UNCHANGED \
	}
#define US INT64_C(1000000)

#endif
