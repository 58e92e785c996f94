/*
 * decode_binlog.h: the events of a MySQL or MariaDB binlog, from a replication stream or from a file alike.
 *
 * Pure: bytes in, items out; no I/O, no globals. State: what the format description event said (lengths of headers, checksum),
 * and a transaction payload that is being unpacked. Every length is checked before it is used; malformed input is ERROR_DATA that names
 * file, offset and event, never a guess. Wire layout: decode_binlog.c. One thread.
 *
 * Events that are packed (compressed queries and rows of MariaDB, TRANSACTION_PAYLOAD of MySQL) come out unpacked, one after the other; a payload is
 * unpacked piece by piece, so that memory holds one inner event and not the transaction.
 */
#ifndef TAILRACE_CAPTURE_DECODE_BINLOG_H
#define TAILRACE_CAPTURE_DECODE_BINLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/decode_gtid.h"
#include "lib/base/error.h"
#include "lib/change/change.h"

#define BINLOG_FILE_MAX 512
/* The largest event: the servers' own limit (max_allowed_packet) is 1 GiB. */
#define BINLOG_EVENT_MAX ((size_t)1 << 30)

enum binlog_kind {
	BINLOG_FORMAT,         /* format: a new file, or its repetition at the start of a stream */
	BINLOG_ROTATE,         /* rotate: the next event stands in that file, at that offset */
	BINLOG_GTID,           /* gtid: a group begins (MySQL: also the anonymous one, with gtid.sequence 0) */
	BINLOG_QUERY,          /* query */
	BINLOG_XID,            /* xid: the group is committed */
	BINLOG_XA_PREPARE,     /* xa: the group ends prepared, or committed in one phase */
	BINLOG_TABLE_MAP,      /* bytes: for binlog_tables_map() */
	BINLOG_ROWS,           /* rows */
	BINLOG_HEARTBEAT,      /* rotate: how far the server has got; only in a stream */
	BINLOG_GTID_LIST,      /* bytes; MariaDB: gtid_set_parse_list() */
	BINLOG_PREVIOUS_GTIDS, /* bytes; MySQL: gtid_set_parse_binary() */
	BINLOG_ANNOTATE,       /* text: the statement that the rows come from */
	BINLOG_INCIDENT,       /* text: the server says that its log is not complete */
	BINLOG_STOP,           /* the server was shut down here */
	BINLOG_OTHER           /* nothing for us: type says which; ignorable or known to carry nothing */
};

struct binlog_format {
	char server_version[51];
	uint32_t version; /* its first three numbers, a byte each: 0x0b0809 is 11.8.9 */
	bool mariadb;
	bool checksum;
	bool created; /* the file was opened by a start of the server: open groups and prepared state before it are gone */
};

struct binlog_gtid_event {
	bool anonymous;
	struct gtid gtid;
	int64_t commit_us; /* MySQL: of this server's commit, us; MariaDB: the event's second */
	int64_t original_us; /* MySQL: of the first server's commit; MariaDB: the same as commit_us */
	bool standalone;   /* MariaDB: no BEGIN and no end: one QUERY follows */
	bool ddl;          /* MariaDB */
	bool xa_prepare, xa_complete; /* MariaDB: the group is an XA PREPARE; an XA COMMIT or ROLLBACK; `xa` names it */
	const char *xa;    /* X'..',X'..',N as the servers write it in XA statements; "" if none. Valid until the next call */
	uint64_t thread;   /* 0: not told */
};

struct binlog_query {
	uint32_t thread;
	uint16_t error;      /* of the statement at its server */
	const char *schema;  /* the default database; "" if none */
	const char *text;    /* not NUL-terminated; in the charset `collation` */
	size_t len;
	uint32_t collation;  /* of character_set_client; 0: not told */
	bool sql_mode_ansi_quotes, sql_mode_no_backslash_escapes;
};

/* The body of a rows event, headers taken off. */
struct binlog_rows_event {
	enum change_op op;
	bool partial;       /* MySQL's PARTIAL_UPDATE_ROWS */
	uint64_t table_id;
	bool statement_end; /* table maps of this statement are void from here on */
	size_t column_count;
	/* bitmaps of the columns present, lowest bit first; NULL where the op has no such image */
	const unsigned char *before_columns, *after_columns;
	const unsigned char *rows;
	size_t rows_len;
};

struct binlog_item {
	enum binlog_kind kind;
	uint8_t type;       /* as in the log */
	uint32_t timestamp; /* seconds */
	uint32_t server_id;
	uint64_t start;     /* offset of the event in its file; of an inner event, that of its payload */
	/* offset behind it (behind the payload); 0: not told (MariaDB 11.8 inside of transactions, artificial events) */
	uint64_t end;
	bool artificial;    /* made up for the stream, not in the file */
	union {
		struct binlog_format format;
		struct {
			const char *file; /* NUL-terminated, until the next call */
			uint64_t offset;
		} rotate;
		struct binlog_gtid_event gtid;
		struct binlog_query query;
		uint64_t xid;
		struct {
			bool one_phase;
			const char *id; /* X'..',X'..',N; until the next call */
		} xa;
		struct binlog_rows_event rows;
		struct {
			const unsigned char *bytes; /* post-header and body, without header and checksum */
			size_t len;
		} bytes;
		struct {
			const char *text;
			size_t len;
		} text;
	};
};

struct binlog_reader;

struct binlog_reader *binlog_reader_new(void); /* NULL: memory is short */
void binlog_reader_free(struct binlog_reader *reader);
/* Begins anew: a new stream or file. file: its name for errors and, until a ROTATE says otherwise, for binlog_reader_file(). */
void binlog_reader_reset(struct binlog_reader *reader, const char *file);
/* The file that the last item stands in; behind a ROTATE already the next one. The pointer stays, its content until the next ROTATE. */
const char *binlog_reader_file(const struct binlog_reader *reader);

/*
 * One event as it stands in a file, or in a packet of the stream behind its status bytes. The bytes must stay until next() has
 * returned 0 or the next feed(). Only when next() has returned 0.
 */
int binlog_reader_feed(struct binlog_reader *reader, const void *event, size_t len, struct error *err);
/* 1 and an item, whose pointers are valid until the next call; 0: feed the next event; -1: err, and only reset() helps. */
int binlog_reader_next(struct binlog_reader *reader, struct binlog_item *ret_item, struct error *err);

/* The length of the event at the start of these bytes (for reading files): 0 if there are fewer than 19, ERROR_DATA if it cannot be one. */
int binlog_event_length(const void *bytes, size_t len, size_t *ret_length, struct error *err);

#endif
