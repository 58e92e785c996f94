/*
 * decode_binlog_reader.h: the state of a binlog reader, for decode_binlog.c (framing), decode_binlog_events.c (bodies) and
 * decode_binlog_packed.c (compression) alone.
 */
#ifndef TAILRACE_CAPTURE_DECODE_BINLOG_READER_H
#define TAILRACE_CAPTURE_DECODE_BINLOG_READER_H

#include <zlib.h>
#include <zstd.h>

#include "capture/decode_binlog.h"
#include "capture/decode_binlog_cursor.h"
#include "lib/base/buf.h"

#define BINLOG_HEADER_SIZE 19
/* X'..',X'..',N with 64 bytes each */
#define BINLOG_XA_TEXT_MAX 288

enum binlog_type {
	TYPE_START_V3 = 1,
	TYPE_QUERY = 2,
	TYPE_STOP = 3,
	TYPE_ROTATE = 4,
	TYPE_INTVAR = 5,
	TYPE_APPEND_BLOCK = 9,
	TYPE_DELETE_FILE = 11,
	TYPE_RAND = 13,
	TYPE_USER_VAR = 14,
	TYPE_FORMAT = 15,
	TYPE_XID = 16,
	TYPE_BEGIN_LOAD_QUERY = 17,
	TYPE_EXECUTE_LOAD_QUERY = 18,
	TYPE_TABLE_MAP = 19,
	TYPE_OLD_WRITE_ROWS = 20, /* to 22: of servers before 5.1 */
	TYPE_OLD_DELETE_ROWS = 22,
	TYPE_WRITE_ROWS_V1 = 23,
	TYPE_UPDATE_ROWS_V1 = 24,
	TYPE_DELETE_ROWS_V1 = 25,
	TYPE_INCIDENT = 26,
	TYPE_HEARTBEAT = 27,
	TYPE_IGNORABLE = 28,
	TYPE_ROWS_QUERY = 29,
	TYPE_WRITE_ROWS = 30,
	TYPE_UPDATE_ROWS = 31,
	TYPE_DELETE_ROWS = 32,
	TYPE_GTID = 33,
	TYPE_ANONYMOUS_GTID = 34,
	TYPE_PREVIOUS_GTIDS = 35,
	TYPE_TRANSACTION_CONTEXT = 36,
	TYPE_VIEW_CHANGE = 37,
	TYPE_XA_PREPARE = 38,
	TYPE_PARTIAL_UPDATE_ROWS = 39,
	TYPE_TRANSACTION_PAYLOAD = 40,
	TYPE_HEARTBEAT_V2 = 41,
	TYPE_GTID_TAGGED = 42,
	/* MariaDB */
	TYPE_ANNOTATE_ROWS = 160,
	TYPE_BINLOG_CHECKPOINT = 161,
	TYPE_MARIADB_GTID = 162,
	TYPE_GTID_LIST = 163,
	TYPE_START_ENCRYPTION = 164,
	TYPE_QUERY_COMPRESSED = 165,
	TYPE_WRITE_ROWS_COMPRESSED_V1 = 166,
	TYPE_UPDATE_ROWS_COMPRESSED_V1 = 167,
	TYPE_DELETE_ROWS_COMPRESSED_V1 = 168,
	TYPE_WRITE_ROWS_COMPRESSED = 169,
	TYPE_UPDATE_ROWS_COMPRESSED = 170,
	TYPE_DELETE_ROWS_COMPRESSED = 171
};

/* The 19 bytes in front of every event. */
struct binlog_header {
	uint32_t timestamp;
	uint8_t type;
	uint32_t server_id;
	uint32_t length;
	uint32_t next_position;
	uint16_t flags;
};

enum binlog_state {
	READER_EMPTY,   /* the next event may be fed */
	READER_EVENT,   /* one was fed and has not come out yet */
	READER_PAYLOAD  /* a transaction payload is being unpacked */
};

struct binlog_reader {
	enum binlog_state state;
	char file[BINLOG_FILE_MAX];
	uint64_t position; /* behind the last event that stands in the file */
	bool formatted;    /* a format description has come */
	struct binlog_format format;
	unsigned char post_header[256]; /* lengths by type; 0 for types that the server does not know */

	/* the event being read, or the inner one; body: without header and checksum */
	struct binlog_header header;
	uint64_t start, end; /* of the event that was fed */
	bool artificial;
	const unsigned char *body;
	size_t body_len;

	/* what was unpacked: a compressed event's text or rows, or a piece of a payload */
	z_stream zlib;
	bool zlib_ready;
	struct buf plain;

	/* the payload */
	struct binlog_header outer;
	ZSTD_DCtx *zstd;
	ZSTD_inBuffer packed;
	bool packed_plainly;      /* algorithm "none" */
	bool packed_open;         /* a frame has begun and not ended */
	size_t plain_at;          /* where in `plain` the next inner event begins */
	uint64_t unpacked, unpacked_total; /* bytes so far; what the header told, UINT64_MAX if nothing */

	char xa[BINLOG_XA_TEXT_MAX];
	char heartbeat_file[BINLOG_FILE_MAX];
};

/* ERROR_DATA "binlog FILE at OFFSET, NAME event (type N): what". */
int binlog_malformed(const struct binlog_reader *reader, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Reads the body of reader->header's event into the item, whose common fields are set. */
int binlog_event_read(struct binlog_reader *reader, struct binlog_item *item, struct error *err);
/* Takes in a format description; bytes: without header, with whatever stands behind. Sets format and post_header. */
int binlog_format_read(struct binlog_reader *reader, const unsigned char *bytes, size_t len, struct error *err);
/* A file's name into `to`, BINLOG_FILE_MAX bytes; 0, or -1 if it cannot be one. */
int binlog_file_name(const unsigned char *bytes, size_t len, char *to);

/* Unpacks MariaDB's compressed form into reader->plain. */
int binlog_unpack(struct binlog_reader *reader, const unsigned char *packed, size_t len, struct error *err);
/* Begins a payload: the body of reader's event. */
int binlog_payload_open(struct binlog_reader *reader, struct error *err);
/* 1 and the next inner event in reader's header and body; 0: no more; -1: err. */
int binlog_payload_next(struct binlog_reader *reader, struct error *err);
/* Gives back what one large event needed. */
void binlog_packed_trim(struct binlog_reader *reader);
void binlog_packed_release(struct binlog_reader *reader);

/* The position with these lower 32 bits that is nearest to what is expected, little before it at most. */
uint64_t binlog_widen(uint64_t expected, uint32_t lower);

void binlog_header_read(const unsigned char *bytes, struct binlog_header *ret);

#endif
