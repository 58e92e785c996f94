/*
 * net.c: poll() behind the seam.
 */
#include "lib/base/net.h"

#include <errno.h>
#include <string.h>

static int system_wait(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	return poll(fds, count, timeout_ms);
}

static const struct net_ops system_net = { system_wait };
static const struct net_ops *current = &system_net;

void net_set(const struct net_ops *ops)
{
	current = ops != NULL ? ops : &system_net;
}

int net_wait(struct pollfd *fds, nfds_t count, int timeout_ms, struct error *err)
{
	int n = current->wait(fds, count, timeout_ms);

	if (n >= 0)
		return n;
	if (errno == EINTR || errno == EAGAIN)
		return 0;
	return error_set(err, ERROR_BUG, "could not wait for descriptors: %s", strerror(errno));
}
