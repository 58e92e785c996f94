/*
 * binlog_log.h: a binlog built event by event, for the decoder's tests: an encoder that shares nothing with the decoder, and a reader
 * that shows each item as a line.
 */
#ifndef TAILRACE_TESTS_UNIT_BINLOG_LOG_H
#define TAILRACE_TESTS_UNIT_BINLOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/decode_binlog.h"
#include "lib/base/buf.h"

#define LOG_EVENT_MAX ((size_t)8 << 20)
#define LOG_SHOWN_MAX ((size_t)1 << 20)
#define SERVER 11
#define TIME 1700000000
#define HEADER 19

struct log_fixture {
	struct binlog_reader *reader;
	struct buf event, inner, shown; /* the event being built; of a payload; what was read */
	bool checksum;
	uint32_t position; /* behind the last event */
};

/* cmocka's; *state is the fixture. */
int log_setup(void **state);
int log_teardown(void **state);

/* ---- bytes; little-endian ---- */
void log_put_int(struct buf *out, uint64_t n, size_t size);
void log_put_string(struct buf *out, const char *text);
void log_set_int(struct buf *out, size_t at, uint64_t n, size_t size);

/* ---- an event: start, body, end ---- */
void log_start_event(struct buf *out, unsigned type);
/* Length, position and, if the file has one, checksum. */
void log_end_event(struct log_fixture *f);
void log_sum_event(struct buf *out);
void log_set_flags(struct log_fixture *f, unsigned flags, bool keep_sum);

/* ---- whole events in f->event ---- */
void log_put_format(struct log_fixture *f, const char *version, size_t types, unsigned algorithm);
void log_put_xid(struct log_fixture *f, uint64_t xid);
void log_put_query(struct log_fixture *f, unsigned type, const char *variables, size_t variables_len,
	const char *schema, const char *text);
void log_put_bytes(struct log_fixture *f, unsigned type, const char *bytes, size_t len);
/* A new file, "log.000007", whose format description has been read: 127 bytes of MySQL or 256 of MariaDB. */
void log_open_file(struct log_fixture *f, bool mariadb, bool checksum);

/* ---- reading ---- */
/* Feeds these bytes in memory of their own and puts every item, or the error, into f->shown. 0 or -1. */
int log_read_event(struct log_fixture *f, const void *bytes, size_t len);
/* f->event is shown as this. */
void log_assert_event(struct log_fixture *f, const char *shown);

#endif
