/*
 * order_known.h: the transactions that were given out last, so that an END or an event that comes again is told from
 * one that never came.
 *
 * A ring in the caller's storage; commits are added in rising order, so it is searched by halving.
 */
#ifndef TAILRACE_APPLY_ORDER_KNOWN_H
#define TAILRACE_APPLY_ORDER_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORDER_KNOWN_MAX 4096

struct order_known {
	struct {
		uint64_t commit;
		uint64_t hash; /* of the id */
		uint64_t events;
	} items[ORDER_KNOWN_MAX];
	size_t count, oldest;
};

/* The oldest goes when there is no room. Zeroed storage is an empty ring. */
void order_known_add(struct order_known *known, uint64_t commit, const char *id, uint64_t events);
/* Was it given out? What is older than the memory reaches is taken as such. */
bool order_known_has(const struct order_known *known, uint64_t commit, const char *id);
/* And its event of that number? */
bool order_known_has_event(const struct order_known *known, uint64_t commit, const char *id, uint64_t index);

#endif
