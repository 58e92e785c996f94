/*
 * order_known.c: a ring of (commit, hash of the id, events).
 */
#include "apply/order_known.h"

static uint64_t id_hash(const char *id)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *id != '\0'; id++)
		hash = (hash ^ (unsigned char)*id) * UINT64_C(1099511628211);
	return hash;
}

void order_known_add(struct order_known *known, uint64_t commit, const char *id, uint64_t events)
{
	size_t place = (known->oldest + known->count) % ORDER_KNOWN_MAX;

	known->items[place].commit = commit;
	known->items[place].hash = id_hash(id);
	known->items[place].events = events;
	if (known->count < ORDER_KNOWN_MAX)
		known->count++;
	else
		known->oldest = (known->oldest + 1) % ORDER_KNOWN_MAX;
}

bool order_known_has(const struct order_known *known, uint64_t commit, const char *id)
{
	return order_known_has_event(known, commit, id, 0);
}

bool order_known_has_event(const struct order_known *known, uint64_t commit, const char *id, uint64_t index)
{
	size_t low = 0, high = known->count;

	if (high == 0 || commit < known->items[known->oldest].commit)
		return true;
	while (low < high) {
		size_t mid = low + (high - low) / 2, place = (known->oldest + mid) % ORDER_KNOWN_MAX;

		if (known->items[place].commit == commit)
			return known->items[place].hash == id_hash(id) && index <= known->items[place].events;
		if (known->items[place].commit < commit)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}
