/*
 * produce_window.c: a sorted list and a place in it.
 *
 * The topic has the marks in order, so that adding is appending. Only where an agent that was paused put copies behind
 * newer ones is a place looked for.
 */
#include "capture/produce_window.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capture/produce.h"

#define FIRST_ROOM ((size_t)64)

void window_init(struct window *window, uint64_t from)
{
	memset(window, 0, sizeof *window);
	window->from = from;
}

static void drop(struct window *window, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(window->entries[i].id);
	window->count -= count;
	memmove(window->entries, window->entries + count, window->count * sizeof *window->entries);
}

void window_release(struct window *window)
{
	if (window->count > 0)
		drop(window, window->count);
	free(window->entries);
	memset(window, 0, sizeof *window);
}

uint64_t window_tables(uint64_t tables, const char *collection, uint64_t events)
{
	return tables + produce_fingerprint(collection, strlen(collection)) * (2 * events + 1);
}

/* ---- from the transaction topic ---- */

/* The place of this commit, or where it belongs. */
static size_t place_of(const struct window *window, uint64_t commit)
{
	size_t low = 0, high = window->count;

	if (high > 0 && window->entries[high - 1].commit < commit)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (window->entries[middle].commit < commit)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void window_cut(struct window *window)
{
	if (window->count > 0)
		window->from = window->entries[0].commit;
}

static int make_room(struct window *window, struct error *err)
{
	size_t room = window->room == 0 ? FIRST_ROOM : window->room * 2;
	struct window_entry *grown;

	if (window->count < window->room)
		return 0;
	grown = reallocarray(window->entries, room, sizeof *grown);
	if (grown == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for %zu transactions", room);
	window->entries = grown;
	window->room = room;
	return 0;
}

static int insert(struct window *window, size_t place, const struct mark *mark, struct error *err)
{
	struct window_entry made = { .commit = mark->commit };

	if (make_room(window, err) < 0)
		return -1;
	made.id = strdup(mark->id);
	if (made.id == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a transaction's name");
	memmove(window->entries + place + 1, window->entries + place,
		(window->count - place) * sizeof *window->entries);
	window->entries[place] = made;
	window->count++;
	return 0;
}

static bool is_there(const struct window *window, size_t place, uint64_t commit)
{
	return place < window->count && window->entries[place].commit == commit;
}

static int hint_contradiction(struct error *err)
{
	return error_hint(err, "two agents wrote there that had other lists of tables, or servers of other histories: start "
			       "anew with another topic_prefix (and slot)");
}

static int add_counts(struct window_entry *entry, const struct mark *mark, struct error *err)
{
	uint64_t tables = 0;

	for (size_t i = 0; i < mark->count; i++)
		tables = window_tables(tables, mark->counts[i].collection, mark->counts[i].events);
	if (entry->ended && (entry->events != mark->events || entry->tables != tables)) {
		error_set(err, ERROR_GAP, "the transaction topic has two ends of transaction %s, with different counts",
			entry->id);
		return hint_contradiction(err);
	}
	entry->ended = true;
	entry->events = mark->events;
	entry->tables = tables;
	return 0;
}

int window_add(struct window *window, const struct mark *mark, struct error *err)
{
	size_t place = place_of(window, mark->commit);

	if (window->count == WINDOW_MAX && !is_there(window, place, mark->commit)) {
		drop(window, WINDOW_MAX / 2);
		window_cut(window);
		place = place_of(window, mark->commit);
	}
	if (mark->commit < window->from)
		return 0;
	if (!is_there(window, place, mark->commit) && insert(window, place, mark, err) < 0)
		return -1;
	if (strcmp(window->entries[place].id, mark->id) != 0) {
		error_set(err, ERROR_GAP, "the transaction topic has both transaction %s and transaction %s in one place",
			window->entries[place].id, mark->id);
		return hint_contradiction(err);
	}
	return mark->end ? add_counts(&window->entries[place], mark, err) : 0;
}

/* ---- from the log ---- */

static const struct window_entry *next_of(const struct window *window)
{
	return window->next < window->count ? &window->entries[window->next] : NULL;
}

static const struct window_entry *open_of(const struct window *window)
{
	return window->open ? &window->entries[window->next - 1] : NULL;
}

static int hint(struct error *err)
{
	return error_hint(err,
		"another server took over that tells these transactions in another order, the source was set back, or the "
		"choice of tables was changed while transactions were under way: undo that, or start anew with another "
		"topic_prefix (and slot)");
}

int window_begin(const struct window *window, const struct transaction *txn, struct error *err)
{
	const struct window_entry *next = next_of(window);

	if (next == NULL || txn->commit < next->commit ||
		(txn->commit == next->commit && strcmp(txn->id, next->id) == 0))
		return 0;
	error_set(err, ERROR_GAP, "the log has transaction %s where Kafka has transaction %s", txn->id, next->id);
	return hint(err);
}

int window_met(struct window *window, const struct transaction *txn, struct error *err)
{
	const struct window_entry *next = next_of(window);

	if (next == NULL || txn->commit < window->from)
		return 0;
	if (txn->commit < next->commit) {
		error_set(err, ERROR_GAP, "the log has transaction %s, which Kafka has not, before Kafka's transaction %s",
			txn->id, next->id);
		return hint(err);
	}
	window->next++;
	window->open = true;
	return 0;
}

int window_event(const struct window *window, uint64_t index, struct error *err)
{
	const struct window_entry *open = open_of(window);

	if (open == NULL || !open->ended || index <= open->events)
		return 0;
	error_set(err, ERROR_GAP, "the log has more than the %" PRIu64 " events that Kafka's transaction %s ends with",
		open->events, open->id);
	return hint(err);
}

static int other_content(const struct window_entry *entry, uint64_t events, struct error *err)
{
	if (events != entry->events)
		error_set(err, ERROR_GAP, "the log has %" PRIu64 " events of transaction %s, of which Kafka has %" PRIu64,
			events, entry->id, entry->events);
	else
		error_set(err, ERROR_GAP, "the log has the %" PRIu64 " events of transaction %s in other tables than Kafka",
			events, entry->id);
	return hint(err);
}

int window_commit(struct window *window, const struct transaction *txn, uint64_t events, uint64_t tables,
	struct error *err)
{
	const struct window_entry *open = open_of(window), *next = next_of(window);

	if (open == NULL && next != NULL && txn->commit == next->commit) {
		error_set(err, ERROR_GAP, "the log has transaction %s without an event, but Kafka has it", next->id);
		return hint(err);
	}
	if (open == NULL)
		return 0;
	if (open->ended && (events != open->events || tables != open->tables))
		return other_content(open, events, err);
	window->open = false;
	if (next == NULL)
		window_release(window);
	return 0;
}

int window_progress(const struct window *window, uint64_t lsn, struct error *err)
{
	const struct window_entry *next = next_of(window);

	if (next == NULL || lsn <= next->commit)
		return 0;
	error_set(err, ERROR_GAP, "the log has nothing where Kafka has transaction %s", next->id);
	return hint(err);
}
