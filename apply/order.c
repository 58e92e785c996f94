/*
 * order.c: rebuilding the source's transactions.
 *
 * The problem
 * -----------
 * The source committed T1, T2, T3 ... one after the other. Capture spread their events over topics (one per table) and
 * partitions (by key), for that is how Kafka scales and how others want to read them. Each partition keeps its own
 * order, and that is all Kafka promises: between two partitions nothing is ordered, one may be hours ahead, and a
 * message that is missing looks like one that is late.
 *
 *      transaction   B1 E1 B2 E2 B3            E = END, the count of events per table, and the END before it
 *      customer[0]   1.1   2.2                 t.n = the n-th event of transaction t
 *      customer[1]   1.3        3.1
 *      invoice[0]    1.2   2.1                 wanted: 1.1 1.2 1.3 | 2.1 2.2 | 3.1
 *
 * Why the obvious ways fail
 * -------------------------
 * - Apply each event as it comes: a reader of the target sees half transactions, and an invoice before its customer.
 * - Collect a transaction's events until END's counts are reached, then sort: right, but a transaction of ten million
 *   rows does not fit.
 * - Merge by the smallest position among all partitions: the merge must wait for the next message of every partition,
 *   and a table that nobody touches has none for weeks.
 * - Trust the counts only: an event that came twice hides one that is missing.
 * - Take total_order as gapless: it is, over all tables; who subscribes to some of them sees holes that are none.
 *
 * What is done
 * ------------
 * END comes first. It is read from the transaction topic, and with it everything is known that is to come: how many
 * events of which table. Only those tables' partitions are looked at, so an idle table holds nobody up. Each table's
 * events carry data_collection_order, 1 .. count without a hole, whatever else is subscribed; so for each table it is
 * known exactly which event is next, and its partitions are searched for that one alone. Among the tables' next events
 * the smallest total_order is given out. If one of them is not at hand it is waited for, unless a head's total_order
 * follows directly on the last one given: nothing can come before that. At most one message per partition is held. A
 * transaction of any size streams through.
 *
 * Proof of wholeness. Each step below is either allowed by what is known, or the log is not whole: a named stop,
 * ERROR_GAP.
 * - END names the END before it. The first commit after ours must name ours: so no transaction is missing, none is
 *   swapped.
 * - A transaction ends when all that its END counts was given. So an event at or below the position was given, and of
 *   the open transaction what is numbered below the next: a duplicate, dropped, counted; unless it is of none of the
 *   transactions applied (the last ORDER_KNOWN_MAX are remembered), or beyond its count.
 * - If all partitions of a table have a head and none is the awaited event, it can not come any more; unless the table
 *   has got partitions that are not read yet, so that is asked first (confirm()).
 * - An event of a transaction that lies between two ENDs which follow each other belongs to nothing.
 *
 * Duplicates come from a capture agent that was taken for dead and was not; from one that was restarted when a topic
 * had got partitions meanwhile (a key's events go to another one then, where the tail does not show them); and from
 * this agent's own restart: it reads again from the offsets in the position row, which may be older than the position.
 * An END at or below the position is dropped if it is one of those that were applied, or older than the memory reaches.
 * An epoch lower than the one before is such an agent's as well: what it wrote counts if the chain takes it.
 *
 * A key move (UPDATE of a primary key) comes as a delete of the old key and a create of the new one, perhaps in two
 * partitions, because readers that compact by key need it so. Here the two are one change again: between them other
 * rows may refer to the row, and a create may leave out columns (unchanged TOAST) that only the old row has.
 *
 * States
 * ------
 *                  BEGIN passed over, known END dropped
 *                       ┌──────┐
 *                       ▼      │       END, next in the chain
 *                     AWAIT_END ──────────────────────────────► AWAIT_FIRST
 *                       ▲                                            │ first event at hand, or none subscribed:
 *     no events left:   │                                            ▼ gives BEGIN
 *     gives END         └──────────────────────────────────────── MERGING ◄─┐ other event: gives EVENT
 *                                                                  │   ▲ └──┘
 *                                      delete half of a key move   │   │ create half: gives EVENT, one update
 *                                                                  ▼   │
 *                                                                 MOVING
 *
 * Before BEGIN is given nothing of the transaction was, so the caller may commit what it has. In MERGING and MOVING it
 * may not.
 */
#include "apply/order.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/order_known.h"

#define PARTS_MAX 65536   /* tables in one transaction */
#define COLLECTIONS_MAX 65536
#define HANDLES_MAX 65536
#define MARKS 0 /* handle of the transaction topic */

enum order_state {
	AWAIT_END,   /* END of the transaction that follows on the position */
	AWAIT_FIRST, /* its first event */
	MERGING,     /* its next event, or none: it is over */
	MOVING       /* the create half of a key move whose delete half was taken */
};

/* A table as the marks name it, remembered from transaction to transaction. */
struct collection {
	char *name;
	bool subscribed;
	const int *handles;
	size_t handle_count;
	const struct table *table; /* the last shape whose name was compared with ours */
};

/* A subscribed table's part in the transaction at hand. */
struct part {
	struct collection *col;
	uint64_t left; /* events not taken yet */
	uint64_t next; /* data_collection_order of the next */
	int handle;    /* partition whose head it is, -1: not at hand */
	const struct order_head *head;
};

/* How far a partition was read: the last event taken or dropped. */
struct partition {
	uint64_t commit, index;
};

struct order {
	struct order_heads heads;
	enum order_state state;
	struct order_position position;
	struct transaction txn;
	uint64_t events;   /* of all tables, from END */
	uint64_t left;     /* of subscribed tables, not taken yet */
	bool complete;     /* every table of it is subscribed: total_order has no holes */
	uint64_t epoch;    /* of END */
	char log[POSITION_LOG_MAX];
	bool middle;
	uint64_t index;    /* total_order of the last event taken */
	struct part *moving;
	int taken;         /* head given out by the last call, popped by the next; -1: none */
	struct change chg; /* of a key move */
	struct part *parts;
	size_t part_count, part_size;
	struct part *awaited;
	struct collection **collections; /* by name */
	size_t collection_count, collection_size;
	struct partition *partitions; /* by handle */
	size_t partition_count;
	struct order_known known;
	uint64_t duplicates;
};

struct order *order_new(const struct order_heads *heads, const struct order_position *from)
{
	struct order *order = calloc(1, sizeof *order);

	if (order == NULL)
		return NULL;
	order->heads = *heads;
	order->position = *from;
	order->taken = -1;
	order->state = AWAIT_END;
	return order;
}

void order_free(struct order *order)
{
	if (order == NULL)
		return;
	for (size_t i = 0; i < order->collection_count; i++) {
		free(order->collections[i]->name);
		free(order->collections[i]);
	}
	free(order->collections);
	free(order->parts);
	free(order->partitions);
	free(order);
}

const struct order_position *order_position(const struct order *order)
{
	return &order->position;
}

bool order_is_inside(const struct order *order)
{
	return order->state == MERGING || order->state == MOVING;
}

bool order_awaits(const struct order *order, const char **ret_collection, const struct transaction **ret_txn)
{
	if (order->state == AWAIT_END || order->awaited == NULL)
		return false;
	*ret_collection = order->awaited->col->name;
	*ret_txn = &order->txn;
	return true;
}

uint64_t order_duplicates(const struct order *order)
{
	return order->duplicates;
}

static void order_set_state(struct order *order, enum order_state state)
{
	order->state = state;
	order->awaited = NULL;
}

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_RETRY, "out of memory while ordering events");
}

/* ---- tables ---- */
/* Where the name is, or would be. */
static size_t collection_place(const struct order *order, const char *name)
{
	size_t low = 0, high = order->collection_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(order->collections[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int partitions_reserve(struct order *order, const struct collection *col, struct error *err)
{
	size_t want = 0;
	struct partition *more;

	for (size_t i = 0; i < col->handle_count; i++)
		if ((size_t)col->handles[i] >= want)
			want = (size_t)col->handles[i] + 1;
	if (want <= order->partition_count)
		return 0;
	if (want > HANDLES_MAX)
		return error_set(err, ERROR_CONFIG, "more than %d partitions to read", HANDLES_MAX);
	more = realloc(order->partitions, want * sizeof *more);
	if (more == NULL)
		return out_of_memory(err);
	memset(more + order->partition_count, 0, (want - order->partition_count) * sizeof *more);
	order->partitions = more;
	order->partition_count = want;
	return 0;
}

static int collection_add(struct order *order, size_t place, const char *name, struct error *err)
{
	struct collection *col;
	int subscribed;

	if (order->collection_count == order->collection_size) {
		size_t size = order->collection_size == 0 ? 64 : order->collection_size * 2;
		struct collection **more;

		if (size > COLLECTIONS_MAX)
			return error_set(err, ERROR_CONFIG, "the transaction topic names more than %d tables",
				COLLECTIONS_MAX);
		more = realloc(order->collections, size * sizeof(struct collection *));
		if (more == NULL)
			return out_of_memory(err);
		order->collections = more;
		order->collection_size = size;
	}
	col = calloc(1, sizeof *col);
	if (col == NULL)
		return out_of_memory(err);
	col->name = strdup(name);
	if (col->name == NULL) {
		free(col);
		return out_of_memory(err);
	}
	subscribed = order->heads.collection(order->heads.context, name, &col->handles, &col->handle_count, err);
	if (subscribed > 0 && col->handle_count == 0)
		subscribed = error_set(err, ERROR_BUG, "%s is subscribed without a partition", name);
	if (subscribed < 0 || (subscribed > 0 && partitions_reserve(order, col, err) < 0)) {
		free(col->name);
		free(col);
		return -1;
	}
	col->subscribed = subscribed > 0;
	memmove(order->collections + place + 1, order->collections + place,
		(order->collection_count - place) * sizeof(struct collection *));
	order->collections[place] = col;
	order->collection_count++;
	return 0;
}

static int collection_find(struct order *order, const char *name, struct collection **ret_col, struct error *err)
{
	size_t place = collection_place(order, name);

	if (place == order->collection_count || strcmp(order->collections[place]->name, name) != 0)
		if (collection_add(order, place, name, err) < 0)
			return -1;
	*ret_col = order->collections[place];
	return 0;
}

/* ---- the chain of ENDs ---- */
/* 1: it is the next of the chain; 0: it was applied before; -1: neither. */
static int check_end(struct order *order, const struct order_head *head, struct error *err)
{
	const struct mark *mark = &head->mark;
	const struct order_position *pos = &order->position;
	const char *where = order->heads.name(order->heads.context, MARKS);

	if (pos->found && strcmp(mark->log, pos->log) != 0) {
		(void)error_set(err, ERROR_GAP,
			"%s offset %" PRId64 ": END of transaction %s is of log \"%s\", applied so far was log \"%s\"",
				where,
			head->offset, mark->id, mark->log, pos->log);
		return error_hint(err,
			"the source was restored, promoted or replaced: copy the tables anew under a new name of this "
			"agent");
	}
	if (!pos->found)
		return 1;
	if (strcmp(mark->id, pos->transaction_id) == 0)
		return 0;
	if (mark->commit <= pos->commit) {
		if (mark->commit < pos->commit && order_known_has(&order->known, mark->commit, mark->id))
			return 0;
		return error_set(err, ERROR_GAP,
			"%s offset %" PRId64 ": step back: END of transaction %s, which was not applied, comes after "
				"that of %s", where,
			head->offset, mark->id, pos->transaction_id);
	}
	if (strcmp(mark->previous_id, pos->transaction_id) != 0)
		return error_set(err, ERROR_GAP,
			"%s offset %" PRId64 ": the chain is broken: transaction %s follows on \"%s\", the last one "
				"applied is %s", where,
			head->offset, mark->id, mark->previous_id, pos->transaction_id);
	return 1;
}

static int part_add(struct order *order, const struct mark_count *count, struct error *err)
{
	struct collection *col;

	if (count->events == 0)
		return 0;
	if (collection_find(order, count->collection, &col, err) < 0)
		return -1;
	if (!col->subscribed) {
		order->complete = false;
		return 0;
	}
	if (order->part_count == order->part_size) {
		size_t size = order->part_size == 0 ? 16 : order->part_size * 2;
		struct part *more;

		if (size > PARTS_MAX)
			return error_set(err, ERROR_DATA, "transaction %s changes more than %d tables", order->txn.id,
				PARTS_MAX);
		more = realloc(order->parts, size * sizeof *more);
		if (more == NULL)
			return out_of_memory(err);
		order->parts = more;
		order->part_size = size;
	}
	order->parts[order->part_count++] = (struct part){ .col = col, .left = count->events, .next = 1, .handle = -1 };
	order->left += count->events;
	return 0;
}

/* Takes over what END says. The head itself stays: it is popped with the transaction's end. */
static int open_transaction(struct order *order, const struct order_head *head, struct error *err)
{
	const struct mark *mark = &head->mark;
	uint64_t sum = 0;

	memset(&order->txn, 0, sizeof order->txn);
	if (strlen(mark->id) >= sizeof order->txn.id || strlen(mark->log) >= sizeof order->log)
		return error_set(err, ERROR_DATA,
			"%s offset %" PRId64 ": END with an id or a log name that is too long",
			order->heads.name(order->heads.context, MARKS), head->offset);
	memcpy(order->txn.id, mark->id, strlen(mark->id) + 1);
	memcpy(order->log, mark->log, strlen(mark->log) + 1);
	order->txn.commit = mark->commit;
	order->txn.xid = strtoull(mark->id, NULL, 10);
	order->txn.commit_us = mark->source_us;
	order->epoch = mark->epoch;
	order->events = mark->events;
	order->middle = !order->position.found && mark->previous_id[0] != '\0';
	order->index = 0;
	order->left = 0;
	order->part_count = 0;
	order->complete = true;
	for (size_t i = 0; i < mark->count; i++) {
		sum += mark->counts[i].events;
		if (part_add(order, &mark->counts[i], err) < 0)
			return -1;
	}
	if (sum != mark->events)
		return error_set(err, ERROR_GAP,
			"%s offset %" PRId64 ": END of transaction %s counts %" PRIu64 " events, its tables %" PRIu64,
			order->heads.name(order->heads.context, MARKS), head->offset, mark->id, mark->events, sum);
	return 0;
}

/* 1: a transaction is open; 0: there is no END at hand. */
static int await_end(struct order *order, struct error *err)
{
	const struct order_head *head;
	int rc;

	while ((rc = order->heads.peek(order->heads.context, MARKS, &head, err)) > 0) {
		if (head->kind == ORDER_HEAD_EVENT)
			return error_set(err, ERROR_DATA,
				"%s offset %" PRId64 ": a change event in the transaction topic",
				order->heads.name(order->heads.context, MARKS), head->offset);
		if (head->kind == ORDER_HEAD_MARK && head->mark.end) {
			rc = check_end(order, head, err);
			if (rc < 0)
				return -1;
			if (rc > 0)
				return open_transaction(order, head, err) < 0 ? -1 : 1;
			order->duplicates++;
		}
		order->heads.pop(order->heads.context, MARKS);
	}
	return rc;
}

/* ---- the merge ---- */
enum verdict {
	VERDICT_BAD = -1,
	VERDICT_DROP,  /* a duplicate, or nothing to apply */
	VERDICT_NEXT,  /* the awaited event */
	VERDICT_BEYOND /* the awaited event is not behind this one in its partition */
};

/* "customer[0] offset 17: event 3 of transaction 715:2212" */
static const char *describe(const struct order *order, int handle, const struct order_head *head, char *buf,
	size_t size)
{
	(void)snprintf(buf, size, "%s offset %" PRId64 ": event %" PRIu64 " of transaction %s",
		order->heads.name(order->heads.context, handle), head->offset, head->event.change.index,
		head->event.transaction_id);
	return buf;
}

static enum verdict judge_table(struct collection *col, const struct order *order, int handle,
	const struct order_head *head, struct error *err)
{
	const struct table *table = head->event.change.table;
	char what[400];
	size_t schema_len;

	if (table == col->table)
		return VERDICT_NEXT;
	schema_len = strlen(table->schema);
	if (strncmp(col->name, table->schema, schema_len) == 0 && col->name[schema_len] == '.' &&
		strcmp(col->name + schema_len + 1, table->name) == 0) {
		col->table = table;
		return VERDICT_NEXT;
	}
	error_set(err, ERROR_CONFIG, "%s is of table %s.%s, but the topic is that of %s",
		describe(order, handle, head, what, sizeof what), table->schema, table->name, col->name);
	return VERDICT_BAD;
}

/* An event of a transaction other than the open one. */
static enum verdict judge_other(struct order *order, int handle, const struct order_head *head, struct error *err)
{
	const struct event *event = &head->event;
	char what[400];

	if (event->commit > order->txn.commit)
		return VERDICT_BEYOND;
	if (!order->position.found ||
		(event->commit <= order->position.commit &&
			order_known_has_event(&order->known, event->commit, event->transaction_id,
				event->change.index)))
		return VERDICT_DROP;
	error_set(err, ERROR_GAP, "%s was never applied, but transaction %s, before %s, was the last one applied",
		describe(order, handle, head, what, sizeof what), order->position.transaction_id, order->txn.id);
	return VERDICT_BAD;
}

/* Where a partition's head stands to the event that its table needs next. */
static enum verdict judge(struct order *order, const struct part *part, int handle, const struct order_head *head,
	struct error *err)
{
	const struct partition *at = &order->partitions[handle];
	const struct event *event = &head->event;
	const struct change *chg = &event->change;
	char what[400];

	if (head->kind == ORDER_HEAD_SKIP)
		return VERDICT_DROP;
	if (head->kind != ORDER_HEAD_EVENT) {
		error_set(err, ERROR_DATA, "%s offset %" PRId64 ": a transaction mark among change events",
			order->heads.name(order->heads.context, handle), head->offset);
		return VERDICT_BAD;
	}
	if (position_compare(event->commit, chg->index, at->commit, at->index) <= 0)
		return VERDICT_DROP;
	if (event->commit != order->txn.commit)
		return judge_other(order, handle, head, err);
	if (strcmp(event->transaction_id, order->txn.id) != 0) {
		error_set(err, ERROR_GAP, "%s, but transaction %s has the same commit position",
			describe(order, handle, head, what, sizeof what), order->txn.id);
		return VERDICT_BAD;
	}
	if (judge_table(part->col, order, handle, head, err) == VERDICT_BAD)
		return VERDICT_BAD;
	if (chg->table_index > part->next)
		return VERDICT_BEYOND;
	if (chg->table_index == part->next && chg->index > order->index)
		return VERDICT_NEXT;
	if (chg->table_index > 0 && chg->table_index < part->next && chg->index <= order->index)
		return VERDICT_DROP; /* taken, from another partition */
	error_set(err, ERROR_GAP,
		"%s is number %" PRIu64 " of %s, awaited is number %" PRIu64 " and after event %" PRIu64,
		describe(order, handle, head, what, sizeof what), chg->table_index, part->col->name, part->next,
			order->index);
	return VERDICT_BAD;
}

static int missing(const struct order *order, const struct part *part, int handle, struct error *err)
{
	const struct order_head *head = NULL;
	char what[400] = "";

	if (order->heads.confirm(order->heads.context, part->col->name, err) < 0)
		return -1;
	if (order->heads.peek(order->heads.context, handle, &head, NULL) > 0)
		(void)describe(order, handle, head, what, sizeof what);
	(void)error_set(err, ERROR_GAP,
		"event number %" PRIu64 " of %s in transaction %s is missing: every partition has gone on, for example "
			"to %s",
		part->next, part->col->name, order->txn.id, what);
	return error_hint(err,
		"records were lost, or removed by the topic's retention: the table has to be copied anew");
}

static void drop(struct order *order, int handle, const struct order_head *head)
{
	struct partition *at = &order->partitions[handle];

	if (head->kind == ORDER_HEAD_EVENT) {
		const struct event *event = &head->event;

		order->duplicates++;
		if (position_compare(event->commit, event->change.index, at->commit, at->index) > 0) {
			at->commit = event->commit;
			at->index = event->change.index;
		}
	}
	order->heads.pop(order->heads.context, handle);
}

/* Looks for the part's next event: 1 found, 0 not at hand, -1 it can not come any more. */
static int find_next(struct order *order, struct part *part, struct error *err)
{
	const struct collection *col = part->col;
	bool wait = false;

	for (size_t i = 0; i < col->handle_count; i++) {
		const struct order_head *head;
		int handle = col->handles[i];
		enum verdict verdict = VERDICT_DROP;

		while (verdict == VERDICT_DROP) {
			int rc = order->heads.peek(order->heads.context, handle, &head, err);

			if (rc < 0)
				return -1;
			if (rc == 0) {
				wait = true;
				break;
			}
			verdict = judge(order, part, handle, head, err);
			if (verdict == VERDICT_BAD)
				return -1;
			if (verdict == VERDICT_NEXT) {
				part->handle = handle;
				part->head = head;
				return 1;
			}
			if (verdict == VERDICT_DROP)
				drop(order, handle, head);
		}
	}
	if (!wait)
		return missing(order, part, col->handles[0], err);
	order->awaited = part;
	return 0;
}

/* The part whose next event is the transaction's next: 1 *ret_part, 0 not known yet, -1 err. */
static int choose(struct order *order, struct part **ret_part, struct error *err)
{
	struct part *best = NULL;
	bool wait = false;

	for (size_t i = 0; i < order->part_count; i++) {
		struct part *part = &order->parts[i];

		if (part->left == 0)
			continue;
		if (part->handle < 0) {
			int rc = find_next(order, part, err);

			if (rc < 0)
				return -1;
			if (rc == 0) {
				wait = true;
				continue;
			}
		}
		if (part->head->event.change.index == order->index + 1) {
			*ret_part = part;
			return 1;
		}
		if (best == NULL || part->head->event.change.index < best->head->event.change.index)
			best = part;
	}
	if (wait)
		return 0;
	if (order->complete && best != NULL) {
		char what[400];

		return error_set(err, ERROR_GAP,
			"event %" PRIu64 " of transaction %s is missing: the first that is there is %s",
			order->index + 1, order->txn.id, describe(order, best->handle, best->head, what, sizeof what));
	}
	*ret_part = best;
	return 1;
}

/* Takes the part's next event out of the count; its head stays valid until the next call. */
static void take(struct order *order, struct part *part)
{
	struct partition *at = &order->partitions[part->handle];

	order->taken = part->handle;
	order->index = part->head->event.change.index;
	at->commit = order->txn.commit;
	at->index = order->index;
	part->handle = -1;
	part->left--;
	part->next++;
	order->left--;
}

static void release_taken(struct order *order)
{
	if (order->taken >= 0)
		order->heads.pop(order->heads.context, order->taken);
	order->taken = -1;
}

/* The other half of a key move: the table's next event, which follows directly on the delete. */
static int give_move(struct order *order, struct order_item *item, struct error *err)
{
	struct part *part = order->moving;
	const struct order_head *head;
	char what[400];
	int rc;

	if (part->left == 0)
		return error_set(err, ERROR_GAP,
			"event %" PRIu64 " of transaction %s deletes the old key of a row of %s, but the create of the "
				"new one is missing",
			order->index, order->txn.id, part->col->name);
	rc = find_next(order, part, err);
	if (rc <= 0)
		return rc;
	head = part->head;
	if (head->old_key == NULL || head->event.change.op != CHANGE_INSERT ||
		head->event.change.index != order->index + 1)
		return error_set(err, ERROR_GAP,
			"%s comes after event %" PRIu64 ", which deletes the old key of a row, but does not create the "
				"new one",
			describe(order, part->handle, head, what, sizeof what), order->index);
	take(order, part);
	order->chg = head->event.change;
	order->chg.op = CHANGE_UPDATE;
	order->chg.before = NULL;
	*item = (struct order_item){ .kind = ORDER_EVENT, .txn = &order->txn, .chg = &order->chg,
		.old_key = head->old_key };
	order_set_state(order, MERGING);
	return 1;
}

static int give_event(struct order *order, struct order_item *item, struct error *err)
{
	const struct order_head *head;
	struct part *part;
	char what[400];
	int rc = choose(order, &part, err);

	if (rc <= 0)
		return rc;
	head = part->head;
	if (head->old_key != NULL)
		return error_set(err, ERROR_GAP,
			"%s creates the new key of a row, but the delete of the old one is not before it",
			describe(order, part->handle, head, what, sizeof what));
	take(order, part);
	if (head->key_leaves) {
		release_taken(order);
		order->moving = part;
		order_set_state(order, MOVING);
		return give_move(order, item, err);
	}
	*item = (struct order_item){ .kind = ORDER_EVENT, .txn = &order->txn, .chg = &head->event.change };
	return 1;
}

static int give_end(struct order *order, struct order_item *item, struct error *err)
{
	struct order_position *pos = &order->position;

	if (order->complete ? order->index != order->events : order->index > order->events)
		return error_set(err, ERROR_GAP,
			"transaction %s ends with event %" PRIu64 ", but its END counts %" PRIu64,
			order->txn.id, order->index, order->events);
	order->heads.pop(order->heads.context, MARKS);
	pos->found = true;
	memcpy(pos->log, order->log, sizeof pos->log);
	memcpy(pos->transaction_id, order->txn.id, sizeof pos->transaction_id);
	pos->commit = order->txn.commit;
	if (pos->epoch < order->epoch)
		pos->epoch = order->epoch;
	order_known_add(&order->known, pos->commit, pos->transaction_id, order->events);
	*item = (struct order_item){ .kind = ORDER_END, .txn = &order->txn };
	order_set_state(order, AWAIT_END);
	return 1;
}

static int give_begin(struct order *order, struct order_item *item, struct error *err)
{
	struct part *part;

	if (order->left > 0) {
		int rc = choose(order, &part, err);

		if (rc <= 0)
			return rc;
	}
	*item = (struct order_item){ .kind = ORDER_BEGIN, .txn = &order->txn, .events = order->left,
		.middle = order->middle };
	order_set_state(order, MERGING);
	return 1;
}

int order_next(struct order *order, struct order_item *ret_item, struct error *err)
{
	struct order_item item = { .kind = ORDER_NOTHING };
	int rc = 0;

	release_taken(order);
	order->awaited = NULL;
	if (order->state == AWAIT_END) {
		rc = await_end(order, err);
		if (rc > 0)
			order_set_state(order, AWAIT_FIRST);
	}
	if (order->state == AWAIT_FIRST)
		rc = give_begin(order, &item, err);
	else if (order->state == MOVING)
		rc = give_move(order, &item, err);
	else if (order->state == MERGING)
		rc = order->left > 0 ? give_event(order, &item, err) : give_end(order, &item, err);
	if (rc < 0)
		return -1;
	*ret_item = item;
	return 0;
}
