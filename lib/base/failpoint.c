/*
 * failpoint.c: reads TAILRACE_FAILPOINTS once and counts how often each place is reached.
 */
#include "lib/base/failpoint.h"

#include <stddef.h>

static const char *const names[] = {
#define FAILPOINT(id, name, what) name,
#include "lib/base/failpoints.def"
#undef FAILPOINT
};

const char *failpoint_name(unsigned n)
{
	return n < FAILPOINT_COUNT ? names[n] : NULL;
}

#ifdef ENABLE_FAILPOINTS

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"

#define STALL_US ((int64_t)2000000)

enum action { ACTION_NONE, ACTION_KILL, ACTION_ERROR, ACTION_STALL };

static struct {
	enum action action;
	unsigned long at, reached;
} points[FAILPOINT_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_one(char *text)
{
	char *equals = strchr(text, '='), *at;

	if (equals == NULL)
		return;
	*equals++ = '\0';
	at = strchr(equals, '@');
	if (at != NULL)
		*at++ = '\0';
	for (size_t i = 0; i < FAILPOINT_COUNT; i++) {
		if (strcmp(names[i], text) != 0)
			continue;
		points[i].at = at != NULL ? strtoul(at, NULL, 10) : 1;
		points[i].action = strcmp(equals, "kill") == 0 ? ACTION_KILL :
			strcmp(equals, "error") == 0           ? ACTION_ERROR :
			strcmp(equals, "stall") == 0           ? ACTION_STALL :
								 ACTION_NONE;
	}
}

static void read_environment(void)
{
	const char *text = getenv("TAILRACE_FAILPOINTS");
	char *copy = text != NULL ? strdup(text) : NULL, *rest = NULL;

	for (char *one = copy != NULL ? strtok_r(copy, ";", &rest) : NULL; one != NULL; one = strtok_r(NULL, ";", &rest))
		read_one(one);
	free(copy);
}

int failpoint_reach(enum failpoint id, struct error *err)
{
	pthread_once(&once, read_environment);
	if (points[id].action == ACTION_NONE || ++points[id].reached != points[id].at)
		return 0;
	(void)dprintf(STDERR_FILENO, "failpoint %s fires\n", names[id]); /* a test waits for this line */
	switch (points[id].action) {
	case ACTION_KILL:
		(void)kill(getpid(), SIGKILL);
		return 0;
	case ACTION_ERROR:
		return error_set(err, ERROR_RETRY, "failpoint %s", names[id]);
	case ACTION_STALL:
		clock_sleep_us(STALL_US);
		return 0;
	case ACTION_NONE:
		return 0;
	}
	return 0;
}

#endif
