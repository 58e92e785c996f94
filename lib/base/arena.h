/*
 * arena.h: memory by lifetime. Allocations are pieces of large blocks and are given back all at once.
 *
 * An arena belongs to one thread. arena_reset() keeps the blocks up to `keep` bytes for the next round, so the
 * steady state allocates nothing. An arena never grows past its written maximum.
 */
#ifndef TAILRACE_BASE_ARENA_H
#define TAILRACE_BASE_ARENA_H

#include <stddef.h>

#include "lib/base/error.h"

struct arena_block;

struct arena {
	struct arena_block *head; /* the block being filled; full ones behind it */
	size_t used;              /* bytes handed out since the last reset */
	size_t held;              /* bytes of all blocks */
	size_t max;               /* written maximum of `held` */
};

/* max: the most bytes that the arena may hold; a request beyond it fails. */
void arena_init(struct arena *arena, size_t max);
void arena_reset(struct arena *arena);
void arena_release(struct arena *arena);

/* 16-byte aligned, not zeroed; NULL when the maximum or the machine's memory is reached. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);
void *arena_memdup(struct arena *arena, const void *bytes, size_t size);
/* Copies len bytes and adds a NUL. */
char *arena_strndup(struct arena *arena, const char *text, size_t len);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fills err with the one text for "the arena is full"; returns -1. */
int arena_error(const struct arena *arena, struct error *err);

#endif
