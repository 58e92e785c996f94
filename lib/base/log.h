/*
 * log.h: lines on standard error, as text or as JSON, each with the agent's name and its position.
 *
 * text: 2026-11-23T08:15:01.123Z INFO  customer-capture [0/16B3748] streaming from slot "tailrace_customer"
 * json: {"time":"...","level":"info","agent":"customer-capture","position":"0/16B3748","message":"..."}
 *
 * Only programs and lib/agent log above debug. Thread-safe. Never pass a secret.
 */
#ifndef TAILRACE_BASE_LOG_H
#define TAILRACE_BASE_LOG_H

#include <stdbool.h>

#include "lib/base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* name: the agent's name, copied. fd: where lines go (2). */
void log_open(const char *name, enum log_level least, bool json, int fd);
/* The position shown in each following line; copied, at most 63 bytes; "" for none. */
void log_position(const char *text);

void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One line with class, text and hint of the error after the given words. */
void log_error(const struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Parses "debug" ... "error"; -1 if it is none of them. */
int log_level_parse(const char *text, enum log_level *ret_level);

#endif
