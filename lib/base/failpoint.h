/*
 * failpoint.h: named places between "received" and "durable" at which a test makes an agent die, fail or hang.
 *
 * Built only with --enable-failpoints; otherwise the macro is nothing. A test sets, in the environment,
 *     TAILRACE_FAILPOINTS="capture.end.produced=kill@3;apply.commit.before=error@1;apply.rows.written=stall@2"
 * kill: SIGKILL to itself; error: the place reports ERROR_RETRY; stall: two seconds of nothing.
 * @n: at the n-th time that the place is reached (once); without it, at the first.
 *
 * All names stand in failpoints.def, so that the sweep in tests/fault/ finds them; a new step between received and durable adds one.
 */
#ifndef TAILRACE_BASE_FAILPOINT_H
#define TAILRACE_BASE_FAILPOINT_H

#include "config.h"

#include "lib/base/error.h"

enum failpoint {
#define FAILPOINT(id, name, what) id,
#include "lib/base/failpoints.def"
#undef FAILPOINT
	FAILPOINT_COUNT
};

/* The name of the n-th, or NULL when there are no more: for --list-failpoints. */
const char *failpoint_name(unsigned n);

#ifdef ENABLE_FAILPOINTS
/* 0, or -1 and ERROR_RETRY when the environment asks for an error here. */
int failpoint_reach(enum failpoint id, struct error *err);
#else
static inline int failpoint_reach(enum failpoint id, struct error *err)
{
	(void)id;
	(void)err;
	return 0;
}
#endif

#endif
