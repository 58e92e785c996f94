/*
 * error.h: one way of saying what went wrong.
 *
 * A function that can fail returns 0 (or a count) and -1 on failure, and fills the caller's struct error.
 * Outputs (ret_ parameters) stay untouched on failure. The class decides what the agent does; nobody parses the text.
 * Library code never logs an error: it fills it in, and the agent logs it once, where it decides.
 *
 * Text: one line, lower case, no full stop; what is wrong, where (file:line, table, column, position). What to do
 * goes into the hint. Neither ever holds a secret.
 */
#ifndef TAILRACE_BASE_ERROR_H
#define TAILRACE_BASE_ERROR_H

#include <stddef.h>

enum error_class {
	ERROR_NONE = 0,
	ERROR_RETRY,  /* environment: a connection, a deadlock, a time-out; the same call may succeed later */
	ERROR_DATA,   /* what was read or is to be written cannot be handled: stop, name position, table and key */
	ERROR_GAP,    /* the log does not continue where it must: named stop, never "start from the latest" */
	ERROR_CONFIG, /* configuration, grants, shapes: a person has to change something */
	ERROR_FENCED, /* another agent has taken over */
	ERROR_BUG     /* an invariant of ours does not hold */
};

struct error {
	enum error_class class;
	char text[1024];
	char hint[512];
};

#define ERROR_INIT { ERROR_NONE, "", "" }

/* Fills err (NULL is allowed) and returns -1, so that `return error_set(...)` reads well. Clears the hint. */
int error_set(struct error *err, enum error_class class, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds what to do about it; returns -1. */
int error_hint(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "format: " before the text that is there, keeping class and hint; returns -1. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

void error_clear(struct error *err);

/* "retry", "data", ... for logs and the API. */
const char *error_class_name(enum error_class class);

/* The sysexits code with which a program ends because of this class (EX_TEMPFAIL, EX_DATAERR, EX_CONFIG ...). */
int error_exit_code(enum error_class class);

#endif
