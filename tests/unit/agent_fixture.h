/*
 * agent_fixture.h: an agent with a pipeline of the test's own, in a process of its own, and a client of its socket.
 */
#ifndef TAILRACE_TESTS_AGENT_FIXTURE_H
#define TAILRACE_TESTS_AGENT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What the pipeline does; the test changes it while the agent runs. */
enum play {
	PLAY_STREAM, /* runs until something else is wanted */
	PLAY_RETRY,  /* ERROR_RETRY at once */
	PLAY_DATA,   /* ERROR_DATA after it has run */
	PLAY_CONFIG, /* ERROR_CONFIG at once */
	PLAY_BUG,
	PLAY_RETURN,     /* ends by itself */
	PLAY_HANG,       /* runs and never looks at what is wanted */
	PLAY_CONNECT,    /* never comes to run, and does not look either */
	PLAY_INTERRUPTED /* runs; a stop makes it return ERROR_RETRY */
};

void fixture_play(enum play play);
/* How many times the pipeline was run by the last agent. */
int fixture_runs(void);
/* Times that the wake descriptor was found readable although the pipeline was to run. */
int fixture_false_wakes(void);

/* A new folder with agent.conf for an agent of this name; removed by fixture_close(). */
void fixture_open(const char *name);
void fixture_close(void);
const char *fixture_path(const char *file);

/* Starts an agent with these arguments (ended by NULL); its output goes to the files "out" and "log" of the folder. */
pid_t fixture_start(const char *const *arguments);
/* The same with -c agent.conf. */
pid_t fixture_start_agent(void);
/* Its exit status, or 256 and the signal's number. */
int fixture_wait(pid_t pid);
/* What a file of the folder holds; static storage. */
const char *fixture_read(const char *file);

/* One request. The body (static storage); *ret_status: 0 if nobody answers; headers before the body if asked for. */
const char *fixture_request(const char *method, const char *path, bool headers, int *ret_status);
/* Asks until GET path contains text; fails the test after five seconds. Returns the body. */
const char *fixture_await(const char *path, const char *text);

#endif
