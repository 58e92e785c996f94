/*
 * clock.c: the system clock behind the seam.
 */
#include "lib/base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

static int64_t system_monotonic_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static void system_sleep_us(int64_t us)
{
	struct timespec wait = { .tv_sec = us / 1000000, .tv_nsec = (us % 1000000) * 1000 };

	(void)nanosleep(&wait, NULL);
}

static const struct clock_ops system_clock = { system_wall_us, system_monotonic_us, system_sleep_us };
static const struct clock_ops *current = &system_clock;

void clock_set(const struct clock_ops *ops)
{
	current = ops != NULL ? ops : &system_clock;
}

int64_t clock_wall_us(void)
{
	return current->wall_us();
}

int64_t clock_monotonic_us(void)
{
	return current->monotonic_us();
}

void clock_sleep_us(int64_t us)
{
	if (us > 0)
		current->sleep_us(us);
}

const char *clock_format(int64_t wall_us, char *buf, size_t size)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm parts;
	char text[24];

	if (gmtime_r(&seconds, &parts) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
		(void)snprintf(buf, size, "-");
		return buf;
	}
	(void)snprintf(buf, size, "%s.%03dZ", text, (int)(wall_us / 1000 % 1000));
	return buf;
}
