/*
 * group.c: how many source transactions share a target transaction.
 *
 * A commit at the target costs a flush of its log, whatever is in it; one for each source transaction would bound
 * throughput by the target's disk. Waiting for a group to fill would add its time to every latency. So nobody waits: a
 * group takes what is at hand, and is committed as soon as nothing more is. While the target is busy committing, more
 * comes to hand; groups grow with the load by themselves. Three bounds remain for a backlog: transactions, bytes that
 * the sink has queued, and age, so that readers of the target see it move.
 */
#include "apply/group.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/failpoint.h"

int group_init(struct group *group, const struct sink_ops *ops, struct sink *sink, size_t transactions_max,
	size_t bytes_max, int64_t age_max_us, struct error *err)
{
	memset(group, 0, sizeof *group);
	group->ops = ops;
	group->sink = sink;
	group->transactions_max = transactions_max < GROUP_TRANSACTIONS_MAX ? transactions_max : GROUP_TRANSACTIONS_MAX;
	group->bytes_max = bytes_max;
	group->age_max_us = age_max_us;
	group->source_us = calloc(group->transactions_max, sizeof *group->source_us);
	if (group->source_us == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a group of %zu transactions", transactions_max);
	return 0;
}

void group_release(struct group *group)
{
	free(group->source_us);
	group->source_us = NULL;
}

static int open_target(struct group *group, struct error *err)
{
	if (group->open)
		return 0;
	if (group->ops->begin(group->sink, err) < 0)
		return -1;
	group->open = true;
	group->opened_us = clock_monotonic_us();
	return failpoint_reach(FP_APPLY_BEGIN, err);
}

int group_begin(struct group *group, uint64_t events, struct error *err)
{
	if (events == 0)
		return 0;
	if (open_target(group, err) < 0)
		return -1;
	group->inside = true;
	return 0;
}

int group_write(struct group *group, void *handle, const struct change *chg, const struct value *old_key,
	const struct transaction *txn, struct error *err)
{
	if (group->ops->write(group->sink, handle, chg, old_key, txn, err) < 0)
		return -1;
	group->rows++;
	return failpoint_reach(FP_APPLY_CHANGE, err);
}

int group_end(struct group *group, const struct transaction *txn, struct error *err)
{
	group->dirty = true;
	group->passed++;
	if (!group->inside)
		return 0;
	group->inside = false;
	group->source_us[group->count++] = txn->commit_us;
	return failpoint_reach(FP_APPLY_BOUNDARY, err);
}

bool group_is_full(const struct group *group)
{
	return group->open && (group->count >= group->transactions_max ||
		group->ops->queued(group->sink) >= group->bytes_max ||
		clock_monotonic_us() - group->opened_us >= group->age_max_us);
}

static void set_empty(struct group *group)
{
	group->open = false;
	group->inside = false;
	group->dirty = false;
	group->count = 0;
	group->rows = 0;
	group->passed = 0;
}

int group_commit(struct group *group, const struct sink_position *position, void (*latency)(int64_t us),
	struct error *err)
{
	int64_t now;

	if (group->inside)
		(void)error_set(err, ERROR_BUG, "a commit in the middle of a source transaction");
	if (group->inside || open_target(group, err) < 0 || group->ops->commit(group->sink, position, err) < 0) {
		group_abort(group);
		return -1;
	}
	now = clock_wall_us();
	for (size_t i = 0; i < group->count; i++)
		latency(now - group->source_us[i]);
	set_empty(group);
	return 0;
}

void group_abort(struct group *group)
{
	if (group->open)
		group->ops->abort(group->sink);
	set_empty(group);
}
