/*
 * capture_binlog_show.h: a binlog file through the whole decoder, as one line of text per item, for comparison with what the server says
 * (tests/vectors/binlog/expect.py describes the lines).
 */
#ifndef TAILRACE_TESTS_UNIT_CAPTURE_BINLOG_SHOW_H
#define TAILRACE_TESTS_UNIT_CAPTURE_BINLOG_SHOW_H

#include "capture/decode_binlog_rows.h"

struct binlog_show {
	void *context;
	/* without_use: the same line without the default database, which the server leaves out for some statements; else NULL. */
	void (*line)(void *context, const char *line, const char *without_use);
};

/* Reads the file; catalogue may be NULL. -1: err, and what came before was shown. Takes part in a cmocka test. */
int binlog_show_file(const char *path, const struct binlog_catalogue *catalogue, const struct binlog_show *show, struct error *err);

/* Writes text with the bytes that separate words as %XX, and undoes that in place. */
void binlog_show_unescape(char *text);

#endif
