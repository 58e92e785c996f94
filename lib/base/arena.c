/*
 * arena.c: a list of blocks, each twice as large as the one before up to 1 MiB; a large request gets its own.
 */
#include "lib/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_FIRST ((size_t)4096)
#define BLOCK_LARGEST ((size_t)1 << 20)
#define ALIGN ((size_t)16)

struct arena_block {
	struct arena_block *next;
	size_t size; /* of data */
	size_t used;
	size_t pad; /* keeps data aligned to 16 */
	unsigned char data[];
};

void arena_init(struct arena *arena, size_t max)
{
	arena->head = NULL;
	arena->used = 0;
	arena->held = 0;
	arena->max = max;
}

void arena_reset(struct arena *arena)
{
	struct arena_block *block = arena->head;

	/* The newest block is the largest ordinary one: keep it, unless it was made for one huge request. */
	if (block != NULL) {
		struct arena_block *rest = block->next;

		while (rest != NULL) {
			struct arena_block *next = rest->next;

			arena->held -= rest->size;
			free(rest);
			rest = next;
		}
		block->next = NULL;
		block->used = 0;
		if (block->size > BLOCK_LARGEST) {
			arena->held -= block->size;
			free(block);
			arena->head = NULL;
		}
	}
	arena->used = 0;
}

void arena_release(struct arena *arena)
{
	struct arena_block *block = arena->head;

	while (block != NULL) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
	arena->head = NULL;
	arena->used = 0;
	arena->held = 0;
}

static struct arena_block *arena_grow(struct arena *arena, size_t size)
{
	size_t want = arena->head == NULL ? BLOCK_FIRST : arena->head->size * 2;
	struct arena_block *block;

	if (want > BLOCK_LARGEST)
		want = BLOCK_LARGEST;
	if (want < size)
		want = size;
	if (want > arena->max || arena->held > arena->max - want) {
		want = size;
		if (want > arena->max || arena->held > arena->max - want)
			return NULL;
	}
	block = malloc(sizeof *block + want);
	if (block == NULL)
		return NULL;
	block->size = want;
	block->used = 0;
	block->next = arena->head;
	arena->head = block;
	arena->held += want;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->head;
	void *piece;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = size == 0 ? ALIGN : (size + ALIGN - 1) & ~(ALIGN - 1);
	if (block == NULL || block->size - block->used < size) {
		block = arena_grow(arena, size);
		if (block == NULL)
			return NULL;
	}
	piece = block->data + block->used;
	block->used += size;
	arena->used += size;
	return piece;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	void *piece = arena_alloc(arena, size);

	if (piece != NULL)
		memset(piece, 0, size);
	return piece;
}

void *arena_memdup(struct arena *arena, const void *bytes, size_t size)
{
	void *piece = arena_alloc(arena, size);

	if (piece != NULL && size > 0)
		memcpy(piece, bytes, size);
	return piece;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	char *piece = arena_alloc(arena, len + 1);

	if (piece != NULL) {
		if (len > 0)
			memcpy(piece, text, len);
		piece[len] = '\0';
	}
	return piece;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *piece;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		return NULL;
	piece = arena_alloc(arena, (size_t)n + 1);
	if (piece == NULL)
		return NULL;
	va_start(args, format);
	(void)vsnprintf(piece, (size_t)n + 1, format, args);
	va_end(args);
	return piece;
}

int arena_error(const struct arena *arena, struct error *err)
{
	return error_set(err, ERROR_DATA, "out of memory: a piece of work needs more than %zu bytes", arena->max);
}
