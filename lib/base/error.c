/*
 * error.c: the error struct's few operations. See error.h for the rules of the texts.
 */
#include "lib/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

int error_set(struct error *err, enum error_class class, const char *format, ...)
{
	char text[sizeof err->text]; /* an argument may point into err->text */
	va_list args;

	if (err == NULL)
		return -1;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	memcpy(err->text, text, sizeof text);
	err->class = class;
	err->hint[0] = '\0';
	return -1;
}

int error_hint(struct error *err, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return -1;
	va_start(args, format);
	(void)vsnprintf(err->hint, sizeof err->hint, format, args);
	va_end(args);
	return -1;
}

int error_prefix(struct error *err, const char *format, ...)
{
	char text[sizeof err->text];
	size_t used;
	va_list args;
	int n;

	if (err == NULL)
		return -1;
	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	used = n < 0 ? 0 : (size_t)n;
	if (used < sizeof text - 1)
		(void)snprintf(text + used, sizeof text - used, ": %s", err->text);
	memcpy(err->text, text, sizeof text);
	return -1;
}

void error_clear(struct error *err)
{
	if (err == NULL)
		return;
	err->class = ERROR_NONE;
	err->text[0] = '\0';
	err->hint[0] = '\0';
}

const char *error_class_name(enum error_class class)
{
	switch (class) {
	case ERROR_NONE:
		return "none";
	case ERROR_RETRY:
		return "retry";
	case ERROR_DATA:
		return "data";
	case ERROR_GAP:
		return "gap";
	case ERROR_CONFIG:
		return "config";
	case ERROR_FENCED:
		return "fenced";
	case ERROR_BUG:
		return "bug";
	}
	return "unknown";
}

int error_exit_code(enum error_class class)
{
	switch (class) {
	case ERROR_NONE:
		return EX_OK;
	case ERROR_RETRY:
		return EX_TEMPFAIL;
	case ERROR_DATA:
	case ERROR_GAP:
		return EX_DATAERR;
	case ERROR_CONFIG:
		return EX_CONFIG;
	case ERROR_FENCED:
		return EX_UNAVAILABLE;
	case ERROR_BUG:
		return EX_SOFTWARE;
	}
	return EX_SOFTWARE;
}
