/*
 * fuzz_statement.c: any text as a statement. It is read to whatever end, and what it names is whole.
 *
 * Input: a byte of flags (1 ANSI_QUOTES, 2 NO_BACKSLASH_ESCAPES), then the statement.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_statement.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct binlog_query query = { .schema = "shop" };
	struct statement statement;
	struct arena arena;
	size_t sum = 0;
	char *copy;

	if (size == 0)
		return 0;
	/* A piece of memory of its own, so that a byte beyond the text is seen. */
	copy = malloc(size);
	if (copy == NULL)
		abort();
	memcpy(copy, data + 1, size - 1);
	query.text = copy;
	query.len = size - 1;
	query.sql_mode_ansi_quotes = (data[0] & 1) != 0;
	query.sql_mode_no_backslash_escapes = (data[0] & 2) != 0;
	arena_init(&arena, ARENA_MAX);
	statement_read(&query, &arena, &statement);
	for (size_t i = 0; i < statement.table_count; i++)
		sum += strlen(statement.tables[i].schema) + strlen(statement.tables[i].name);
	sum += strlen(statement.xa);
	if (statement.kind > STATEMENT_OTHER ||
		(statement.kind == STATEMENT_RENAME_TABLE && statement.table_count % 2 != 0) ||
		(statement.kind == STATEMENT_OTHER && statement.table_count > 0))
		abort();
	arena_release(&arena);
	free(copy);
	/* Uses the sum, so that no compiler leaves the looking out. */
	return sum == SIZE_MAX ? -1 : 0;
}
