/*
 * sink_wait.h: the one way in which a sink waits for its server.
 */
#ifndef TAILRACE_APPLY_SINK_WAIT_H
#define TAILRACE_APPLY_SINK_WAIT_H

#include <stdbool.h>

#include "lib/base/error.h"

/* Longest wait between two looks at stop(). */
#define SINK_WAIT_MS 1000

/*
 * Waits for a socket; wake_fd (-1: none) and stop (NULL: none) are sink.h's. Returns revents, 0 after timeout_ms or when only the wake
 * descriptor was ready; -1: interrupted (ERROR_RETRY), or not possible.
 */
int sink_wait(int fd, short events, int wake_fd, bool (*stop)(void), int timeout_ms, struct error *err);

#endif
