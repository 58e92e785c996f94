/*
 * fuzz_json.c: a document in MySQL's binary JSON, and a partial update of it. Nothing may be read beyond either, the text may not be out of proportion,
 * and what comes out is text without control characters.
 *
 * Input: length of the document (two bytes, big-endian), the document, the changes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_json.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/look.h"

#define ARENA_MAX ((size_t)16 << 20)

/* The most text that a byte can stand for, and a little for a single value. */
#define TEXT_PER_BYTE 8
#define TEXT_ALONE 128

static uint8_t *own(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, bytes, len);
	return copy;
}

static uint64_t look_at(const struct value *value, size_t size)
{
	if (value->kind != VALUE_TEXT || value->text.len == 0 || value->text.len > size * TEXT_PER_BYTE + TEXT_ALONE)
		abort();
	for (size_t i = 0; i < value->text.len; i++)
		if ((unsigned char)value->text.ptr[i] < 0x20)
			abort();
	return fuzz_look_at(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct arena arena;
	struct value value;
	uint8_t *document, *diffs;
	uint64_t sum = 0;
	size_t len;

	if (size < 2)
		return 0;
	len = (size_t)data[0] << 8 | data[1];
	data += 2;
	size -= 2;
	if (len > size)
		len = size;
	document = own(data, len);
	diffs = own(data + len, size - len);
	arena_init(&arena, ARENA_MAX);
	if (json_binary_text(document, len, &arena, &value, &err) == 0)
		sum += look_at(&value, len);
	else if (err.class != ERROR_DATA)
		abort();
	if (json_partial_text(document, len, diffs, size - len, &arena, &value, &err) == 0)
		sum += look_at(&value, size);
	else if (err.class != ERROR_DATA)
		abort();
	arena_release(&arena);
	free(document);
	free(diffs);
	/* Uses the sum, so that no compiler leaves the looking out. */
	return sum == UINT64_MAX ? -1 : 0;
}
