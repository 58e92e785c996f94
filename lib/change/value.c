/*
 * value.c: comparison of values.
 */
#include "lib/change/value.h"

#include <string.h>

bool value_equal(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case VALUE_NULL:
	case VALUE_UNCHANGED:
		return true;
	case VALUE_BOOL:
		return a->b == b->b;
	case VALUE_INT:
		return a->i == b->i;
	case VALUE_UINT:
		return a->u == b->u;
	case VALUE_FLOAT:
		return memcmp(&a->f, &b->f, sizeof a->f) == 0;
	case VALUE_TEXT:
	case VALUE_BYTES:
	case VALUE_EXACT:
		return a->text.len == b->text.len && (a->text.len == 0 || memcmp(a->text.ptr, b->text.ptr, a->text.len) == 0);
	case VALUE_ARRAY:
		if (a->array.count != b->array.count)
			return false;
		for (size_t i = 0; i < a->array.count; i++)
			if (!value_equal(&a->array.items[i], &b->array.items[i]))
				return false;
		return true;
	}
	return false;
}
