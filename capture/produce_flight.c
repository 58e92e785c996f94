/*
 * produce_flight.c: the ring of transactions under way.
 *
 * Entry number n stands at ring[n % capacity]; numbers are tokens, so that a delivery report finds its transaction
 * without a search.
 */
#include "capture/produce_flight.h"

#include <stdlib.h>
#include <string.h>

int flight_init(struct flight *flight, size_t capacity, struct error *err)
{
	memset(flight, 0, sizeof *flight);
	flight->ring = calloc(capacity, sizeof *flight->ring);
	if (flight->ring == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for %zu transactions under way", capacity);
	flight->capacity = capacity;
	flight->first = 1;
	flight->next = 1;
	return 0;
}

void flight_release(struct flight *flight)
{
	free(flight->ring);
	memset(flight, 0, sizeof *flight);
}

static struct flight_entry *entry_of(struct flight *flight, uint64_t token)
{
	if (token < flight->first || token >= flight->next)
		return NULL;
	return &flight->ring[token % flight->capacity];
}

size_t flight_count(const struct flight *flight)
{
	return (size_t)(flight->next - flight->first);
}

bool flight_full(const struct flight *flight)
{
	return flight_count(flight) == flight->capacity;
}

bool flight_empty(const struct flight *flight)
{
	return flight->first == flight->next;
}

const struct flight_entry *flight_oldest(const struct flight *flight)
{
	return flight_empty(flight) ? NULL : &flight->ring[flight->first % flight->capacity];
}

uint64_t flight_open(struct flight *flight, const struct transaction *txn)
{
	uint64_t token = flight->next++;
	struct flight_entry *entry = &flight->ring[token % flight->capacity];

	entry->txn = *txn;
	entry->pending = 0;
	entry->upto = 0;
	entry->closed = false;
	return token;
}

void flight_sent(struct flight *flight, uint64_t token)
{
	struct flight_entry *entry = entry_of(flight, token);

	if (entry != NULL)
		entry->pending++;
}

void flight_delivered(struct flight *flight, uint64_t token)
{
	struct flight_entry *entry = entry_of(flight, token);

	if (entry != NULL && entry->pending > 0)
		entry->pending--;
}

void flight_close(struct flight *flight, uint64_t token, const struct transaction *txn)
{
	struct flight_entry *entry = entry_of(flight, token);

	if (entry == NULL)
		return;
	entry->txn.end = txn->end;
	entry->upto = txn->end;
	entry->closed = true;
}

bool flight_progress(struct flight *flight, uint64_t upto)
{
	struct flight_entry *newest;

	if (flight_empty(flight))
		return true;
	newest = entry_of(flight, flight->next - 1);
	if (newest->closed && newest->upto < upto)
		newest->upto = upto;
	return false;
}

bool flight_take(struct flight *flight, struct flight_entry *ret_entry)
{
	const struct flight_entry *oldest = flight_oldest(flight);

	if (oldest == NULL || !oldest->closed || oldest->pending > 0)
		return false;
	*ret_entry = *oldest;
	flight->first++;
	return true;
}
