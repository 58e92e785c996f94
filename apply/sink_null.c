/*
 * sink_null.c: a target that takes everything and keeps nothing but the position, in this process's memory: what is in
 * front of the sink can be measured and tested without a database. The position outlives close(), as a database's
 * would.
 */
#include "apply/sink.h"

#include <stdlib.h>
#include <string.h>

struct sink {
	bool open;
	uint64_t rows;
};

static struct sink_position kept; /* offsets: ours */

static char *copy_text(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

static int null_open(const struct sink_options *options, struct sink **ret_sink, struct sink_position *ret_position,
	struct error *err)
{
	struct sink *snk = calloc(1, sizeof *snk);

	if (snk == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the target");
	kept.epoch++;
	*ret_position = kept;
	ret_position->offsets = copy_text(kept.offsets);
	*ret_sink = snk;
	return 0;
}

static int null_prepare(struct sink *snk, const struct sink_mapping *mapping, void **ret_handle, struct error *err)
{
	*ret_handle = snk;
	return 0;
}

static int null_begin(struct sink *snk, struct error *err)
{
	snk->open = true;
	return 0;
}

static int null_write(struct sink *snk, void *handle, const struct change *chg, const struct value *old_key,
	const struct transaction *txn, struct error *err)
{
	if (!snk->open)
		return error_set(err, ERROR_BUG, "a write outside of a target transaction");
	snk->rows++;
	return 0;
}

static int null_commit(struct sink *snk, const struct sink_position *position, struct error *err)
{
	char *offsets = kept.offsets;

	if (position->offsets != NULL) {
		offsets = copy_text(position->offsets);
		if (offsets == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for the position");
		free(kept.offsets);
	}
	kept = *position;
	kept.offsets = offsets;
	kept.found = true;
	snk->open = false;
	return 0;
}

static void null_abort(struct sink *snk)
{
	snk->open = false;
}

static size_t null_queued(const struct sink *snk)
{
	return 0;
}

static void null_close(struct sink *snk)
{
	free(snk);
}

const struct sink_ops sink_null = {
	.name = "null",
	.open = null_open,
	.prepare = null_prepare,
	.begin = null_begin,
	.write = null_write,
	.commit = null_commit,
	.abort = null_abort,
	.queued = null_queued,
	.close = null_close,
};
