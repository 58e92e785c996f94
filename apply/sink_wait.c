/*
 * sink_wait.c: poll() on the server's socket and the agent's wake descriptor.
 */
#include "apply/sink_wait.h"

#include <poll.h>

#include "lib/base/net.h"

#define PAUSE_MS 100

int sink_wait(int fd, short events, int wake_fd, bool (*stop)(void), int timeout_ms, struct error *err)
{
	struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = wake_fd, .events = POLLIN } };
	int n = net_wait(fds, wake_fd >= 0 ? 2 : 1, timeout_ms, err);

	if (n < 0)
		return -1;
	if (stop != NULL && stop())
		return error_set(err, ERROR_RETRY, "interrupted");
	/* The wake descriptor stays readable, and means something other than stop: do not turn in circles. */
	if (n > 0 && fds[0].revents == 0) {
		n = net_wait(fds, 1, timeout_ms >= 0 && timeout_ms < PAUSE_MS ? timeout_ms : PAUSE_MS, err);
		if (n < 0)
			return -1;
	}
	return fds[0].revents;
}
