/*
 * process.c: what the agent asks of, and tells, the operating system about itself.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "lib/agent/internal.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define TEST_BUILD 1
#endif
#endif
#ifdef ENABLE_FAILPOINTS
#define TEST_BUILD 1
#endif

void process_harden(void)
{
	(void)umask(027);
#ifndef TEST_BUILD
	/* Passwords and rows are in memory: no core file, no debugger, no reading of /proc/PID/mem by the same user. */
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

void process_notify(const char *text)
{
#ifdef HAVE_SYSTEMD
	(void)sd_notify(0, text);
#else
	(void)text;
#endif
}

int64_t process_watchdog_us(void)
{
#ifdef HAVE_SYSTEMD
	uint64_t us = 0;

	if (sd_watchdog_enabled(0, &us) > 0 && us <= INT64_MAX)
		return (int64_t)us;
#endif
	return 0;
}

/* "VmRSS:      1234 kB" */
static uint64_t kilobytes(const char *line)
{
	line += strcspn(line, "0123456789");
	return strtoull(line, NULL, 10) * 1024;
}

void process_figures(struct process_figures *ret_figures)
{
	FILE *status = fopen("/proc/self/status", "re");
	struct rusage usage;
	char line[256];

	memset(ret_figures, 0, sizeof *ret_figures);
	if (status != NULL) {
		while (fgets(line, sizeof line, status) != NULL) {
			if (strncmp(line, "VmRSS:", 6) == 0)
				ret_figures->resident_bytes = kilobytes(line);
			else if (strncmp(line, "VmHWM:", 6) == 0)
				ret_figures->peak_bytes = kilobytes(line);
		}
		(void)fclose(status);
	}
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		ret_figures->cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
					   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
