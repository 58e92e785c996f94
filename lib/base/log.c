/*
 * log.c: one write() a line, so that lines of several processes never mix.
 */
#include "lib/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"

#define LINE_MAX_BYTES ((size_t)8192)

static const char *const level_names[] = { "debug", "info", "warning", "error" };
static const char *const level_labels[] = { "DEBUG", "INFO ", "WARN ", "ERROR" };

static struct {
	pthread_mutex_t lock;
	char name[64];
	char position[128];
	enum log_level least;
	bool json;
	int fd;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .least = LOG_INFO, .fd = 2 };

void log_open(const char *name, enum log_level least, bool json, int fd)
{
	pthread_mutex_lock(&state.lock);
	(void)snprintf(state.name, sizeof state.name, "%s", name);
	state.least = least;
	state.json = json;
	state.fd = fd;
	pthread_mutex_unlock(&state.lock);
}

void log_position(const char *text)
{
	pthread_mutex_lock(&state.lock);
	(void)snprintf(state.position, sizeof state.position, "%s", text);
	pthread_mutex_unlock(&state.lock);
}

static void append_member(struct buf *line, const char *name, const char *text)
{
	buf_printf(line, "%s\"%s\":", line->len > 1 ? "," : "", name);
	buf_json_string(line, text, strlen(text));
}

static void format_json(struct buf *line, enum log_level level, const char *now, const char *message, const struct error *err)
{
	buf_append_byte(line, '{');
	append_member(line, "time", now);
	append_member(line, "level", level_names[level]);
	append_member(line, "agent", state.name);
	if (state.position[0] != '\0')
		append_member(line, "position", state.position);
	append_member(line, "message", message);
	if (err != NULL) {
		append_member(line, "class", error_class_name(err->class));
		append_member(line, "error", err->text);
		if (err->hint[0] != '\0')
			append_member(line, "hint", err->hint);
	}
	buf_append_str(line, "}\n");
}

static void format_text(struct buf *line, enum log_level level, const char *now, const char *message, const struct error *err)
{
	buf_printf(line, "%s %s %s", now, level_labels[level], state.name);
	if (state.position[0] != '\0')
		buf_printf(line, " [%s]", state.position);
	buf_printf(line, " %s", message);
	if (err != NULL) {
		buf_printf(line, ": %s", err->text);
		if (err->hint[0] != '\0')
			buf_printf(line, " (hint: %s)", err->hint);
	}
	/* What came from outside must not break the line apart. */
	for (size_t i = 0; i < line->len; i++)
		if ((unsigned char)line->data[i] < 0x20)
			line->data[i] = ' ';
	buf_append_byte(line, '\n');
}

__attribute__((format(printf, 3, 0)))
static void write_line(enum log_level level, const struct error *err, const char *format, va_list args)
{
	char message[2048], now[40];
	struct buf line;

	(void)vsnprintf(message, sizeof message, format, args);
	(void)clock_format(clock_wall_us(), now, sizeof now);
	buf_init(&line, LINE_MAX_BYTES);
	pthread_mutex_lock(&state.lock);
	if (level >= state.least) {
		if (state.json)
			format_json(&line, level, now, message, err);
		else
			format_text(&line, level, now, message, err);
		if (!line.failed)
			(void)!write(state.fd, line.data, line.len);
	}
	pthread_mutex_unlock(&state.lock);
	buf_release(&line);
}

#define DEFINE_LOG(function, level)                      \
	void function(const char *format, ...)           \
	{                                                \
		va_list args;                            \
                                                         \
		if ((level) < state.least)               \
			return;                          \
		va_start(args, format);                  \
		write_line((level), NULL, format, args); \
		va_end(args);                            \
	}

DEFINE_LOG(log_debug, LOG_DEBUG)
DEFINE_LOG(log_info, LOG_INFO)
DEFINE_LOG(log_warning, LOG_WARNING)

void log_error(const struct error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(LOG_ERROR, err, format, args);
	va_end(args);
}

int log_level_parse(const char *text, enum log_level *ret_level)
{
	for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}
