/*
 * fuzz_pgoutput.c: a stream of pgoutput messages through one decoder. Nothing may be read beyond a message's end,
 * nothing may leak, and what is decoded must be whole (every value of a row is looked at).
 *
 * Input: messages, each behind its length (two bytes, big-endian); one that says more than is left is what is left.
 * The decoder's questions are answered from the question itself, so that a run depends on the input alone.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_pgoutput.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/look.h"

#define ARENA_MAX ((size_t)4 << 20)

static int answer_type(void *context, uint32_t oid, int32_t typmod, struct pg_type *ret, struct error *err)
{
	static const char *const labels[] = { "home", "work" };

	switch (oid % 4) {
	case 0:
		ret->type = COLUMN_ENUM;
		ret->labels = labels;
		ret->label_count = 2;
		break;
	case 1:
		ret->type = COLUMN_ARRAY;
		ret->element_type = (enum column_type)(oid / 4 % COLUMN_ARRAY);
		if (ret->element_type == COLUMN_UINT64)
			ret->element_type = COLUMN_INT64; /* PostgreSQL has none */
		ret->precision = 12;
		ret->scale = 2;
		break;
	case 2:
		ret->type = COLUMN_STRING;
		break;
	default:
		return error_set(err, ERROR_RETRY, "no answer");
	}
	memcpy(ret->name, "type", sizeof "type");
	return 0;
}

static int answer_key(void *context, uint32_t relation, const char *schema, const char *name,
	const char *const *columns, size_t column_count, bool *ret_key, struct error *err)
{
	for (size_t i = 0; i < column_count; i++)
		ret_key[i] = (relation >> (i % 32) & 1) != 0 && columns[i][0] != '\0';
	return 0;
}

static uint64_t look_at_row(const struct table *table, const struct value *row)
{
	uint64_t sum = strlen(table->name);

	for (size_t i = 0; row != NULL && i < table->column_count; i++)
		sum += fuzz_look_at(&row[i]);
	return sum;
}

static uint64_t look_at_message(const struct pgoutput_message *msg)
{
	uint64_t sum = msg->kind;

	switch (msg->kind) {
	case PGOUTPUT_CHANGE:
		return look_at_row(msg->change.table, msg->change.before) + look_at_row(msg->change.table, msg->change.after);
	case PGOUTPUT_TRUNCATE:
		for (size_t i = 0; i < msg->truncate.count; i++)
			sum += look_at_row(msg->truncate.changes[i].table, NULL);
		return sum;
	case PGOUTPUT_MESSAGE:
		for (size_t i = 0; i < msg->message.content_len; i++)
			sum = sum * 31 + (unsigned char)msg->message.content[i];
		return sum + strlen(msg->message.prefix);
	default:
		return sum;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pgoutput_types types = { NULL, answer_type, answer_key };
	struct pgoutput_decoder *decoder;
	struct error err = ERROR_INIT;
	uint64_t sum = 0;
	struct arena arena;

	if (pgoutput_new(&types, &decoder, &err) < 0)
		return 0;
	arena_init(&arena, ARENA_MAX);
	while (size >= 2) {
		size_t len = (size_t)data[0] << 8 | data[1];
		struct pgoutput_message msg;
		uint8_t *copy;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		/* A piece of memory of its own, so that a byte beyond the message is seen. */
		copy = malloc(len > 0 ? len : 1);
		if (copy == NULL)
			abort();
		memcpy(copy, data, len);
		arena_reset(&arena);
		if (pgoutput_decode(decoder, copy, len, 1, &arena, &msg, &err) == 0)
			sum += look_at_message(&msg);
		else if (err.class == ERROR_NONE || err.class == ERROR_BUG)
			abort();
		free(copy);
		data += len;
		size -= len;
	}
	arena_release(&arena);
	pgoutput_free(decoder);
	/* Uses the sum, so that no compiler leaves the looking out. */
	return sum == UINT64_MAX ? -1 : 0;
}
