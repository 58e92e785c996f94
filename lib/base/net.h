/*
 * net.h: the only place where an agent waits for descriptors, so that a test can replace the network's timing.
 */
#ifndef TAILRACE_BASE_NET_H
#define TAILRACE_BASE_NET_H

#include <poll.h>

#include "lib/base/error.h"

struct net_ops {
	int (*wait)(struct pollfd *fds, nfds_t count, int timeout_ms);
};

/* Replaces the waiting; NULL puts poll() back. Before any thread starts. */
void net_set(const struct net_ops *ops);

/* As poll(): the number of ready descriptors, 0 after timeout_ms (-1: no limit) or when a signal came; -1 and err. */
int net_wait(struct pollfd *fds, nfds_t count, int timeout_ms, struct error *err);

#endif
