/*
 * decode_binlog.c: from bytes to events: header, checksum, format description, positions. Bodies: decode_binlog_events.c; what is compressed:
 * decode_binlog_packed.c.
 *
 * Wire layout (MySQL: libs/mysql/binlog/event; MariaDB: sql/log_event.h), all integers little-endian:
 *   event    u32 time, u8 type, u32 server id, u32 length of the whole event, u32 position behind it, u16 flags; post-header; body; [u32 CRC32]
 *   flags    0x01 the file is being written (format description only), 0x20 artificial, 0x80 ignorable
 *   FORMAT   u16 4, char[50] version, u32 created, u8 19, u8 post-header length of each type from 1 on, u8 checksum (0 none, 1 CRC32), u32 CRC32
 *
 * Checksum: what the format description says holds for its file; the description itself always has the four bytes. A server sets 0x01 in a file that it
 * writes and does not count it in the sum. The artificial ROTATE comes before the first format description, and between two of them, so that nothing says
 * whether it has a sum: it has one if the last four bytes are one.
 *
 * Positions: the header has 32 bits, files may be longer. The reader counts on from the last position, and a header's position is the one nearest
 * to that with these lower bits. Events that are not in the file (artificial ones, heartbeats, the format description repeated for a reader that begins
 * in the middle) do not count.
 *
 *          feed()                     next()                             next(): no inner event left
 *   EMPTY ────────► EVENT ──────────────────────────────► EMPTY   EVENT ──► PAYLOAD ──► EMPTY
 */
#include "capture/decode_binlog_reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKSUM_SIZE 4
#define FLAG_IN_USE 0x01
#define FLAG_ARTIFICIAL 0x20
#define FLAGS_OFFSET 17
#define FILE_START 4 /* behind the magic number */
/* the fixed fields of a format description, and its shortest list of types */
#define FORMAT_FIXED (2 + 50 + 4 + 1)
#define MARIADB_TYPES_MIN 160

/* ---- errors ---- */

static const char *type_name(uint8_t type)
{
	static const char *const names[256] = {
		[TYPE_QUERY] = "QUERY", [TYPE_STOP] = "STOP", [TYPE_ROTATE] = "ROTATE", [TYPE_INTVAR] = "INTVAR",
		[TYPE_RAND] = "RAND", [TYPE_USER_VAR] = "USER_VAR", [TYPE_FORMAT] = "FORMAT_DESCRIPTION", [TYPE_XID] = "XID",
		[TYPE_EXECUTE_LOAD_QUERY] = "EXECUTE_LOAD_QUERY", [TYPE_TABLE_MAP] = "TABLE_MAP",
		[TYPE_WRITE_ROWS_V1] = "WRITE_ROWS_V1", [TYPE_UPDATE_ROWS_V1] = "UPDATE_ROWS_V1",
		[TYPE_DELETE_ROWS_V1] = "DELETE_ROWS_V1", [TYPE_INCIDENT] = "INCIDENT", [TYPE_HEARTBEAT] = "HEARTBEAT",
		[TYPE_ROWS_QUERY] = "ROWS_QUERY", [TYPE_WRITE_ROWS] = "WRITE_ROWS", [TYPE_UPDATE_ROWS] = "UPDATE_ROWS",
		[TYPE_DELETE_ROWS] = "DELETE_ROWS", [TYPE_GTID] = "GTID", [TYPE_ANONYMOUS_GTID] = "ANONYMOUS_GTID",
		[TYPE_PREVIOUS_GTIDS] = "PREVIOUS_GTIDS", [TYPE_XA_PREPARE] = "XA_PREPARE",
		[TYPE_PARTIAL_UPDATE_ROWS] = "PARTIAL_UPDATE_ROWS", [TYPE_TRANSACTION_PAYLOAD] = "TRANSACTION_PAYLOAD",
		[TYPE_HEARTBEAT_V2] = "HEARTBEAT_V2", [TYPE_GTID_TAGGED] = "GTID_TAGGED",
		[TYPE_ANNOTATE_ROWS] = "ANNOTATE_ROWS",
		[TYPE_BINLOG_CHECKPOINT] = "BINLOG_CHECKPOINT", [TYPE_MARIADB_GTID] = "GTID", [TYPE_GTID_LIST] = "GTID_LIST",
		[TYPE_START_ENCRYPTION] = "START_ENCRYPTION", [TYPE_QUERY_COMPRESSED] = "QUERY_COMPRESSED",
		[TYPE_WRITE_ROWS_COMPRESSED_V1] = "WRITE_ROWS_COMPRESSED_V1",
		[TYPE_UPDATE_ROWS_COMPRESSED_V1] = "UPDATE_ROWS_COMPRESSED_V1",
		[TYPE_DELETE_ROWS_COMPRESSED_V1] = "DELETE_ROWS_COMPRESSED_V1",
		[TYPE_WRITE_ROWS_COMPRESSED] = "WRITE_ROWS_COMPRESSED",
		[TYPE_UPDATE_ROWS_COMPRESSED] = "UPDATE_ROWS_COMPRESSED",
		[TYPE_DELETE_ROWS_COMPRESSED] = "DELETE_ROWS_COMPRESSED"
	};

	return names[type] != NULL ? names[type] : "unnamed";
}

int binlog_malformed(const struct binlog_reader *reader, struct error *err, const char *format, ...)
{
	char what[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof what, format, args);
	va_end(args);
	return error_set(err, ERROR_DATA, "binlog %s at %" PRIu64 ", %s event (type %d): %s", reader->file, reader->start,
		type_name(reader->header.type), reader->header.type, what);
}

/* ---- header ---- */

static uint32_t get_uint32(const unsigned char *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void binlog_header_read(const unsigned char *bytes, struct binlog_header *ret)
{
	ret->timestamp = get_uint32(bytes);
	ret->type = bytes[4];
	ret->server_id = get_uint32(bytes + 5);
	ret->length = get_uint32(bytes + 9);
	ret->next_position = get_uint32(bytes + 13);
	ret->flags = (uint16_t)(bytes[FLAGS_OFFSET] | bytes[FLAGS_OFFSET + 1] << 8);
}

int binlog_event_length(const void *bytes, size_t len, size_t *ret_length, struct error *err)
{
	struct binlog_header header;

	if (len < BINLOG_HEADER_SIZE) {
		*ret_length = 0;
		return 0;
	}
	binlog_header_read(bytes, &header);
	if (header.length < BINLOG_HEADER_SIZE || header.length > BINLOG_EVENT_MAX)
		return error_set(err, ERROR_DATA, "no binlog event: type %d, %" PRIu32 " bytes long", header.type,
			header.length);
	*ret_length = header.length;
	return 0;
}

/* ---- checksum ---- */

/* Whether the last four bytes are the sum of those before, the flag "in use" not counted. */
static bool checksum_fits(const unsigned char *event, size_t len)
{
	size_t summed = len - CHECKSUM_SIZE;
	unsigned char flags;
	uLong sum;

	if (len < BINLOG_HEADER_SIZE + CHECKSUM_SIZE)
		return false;
	if ((event[FLAGS_OFFSET] & FLAG_IN_USE) == 0 || event[4] != TYPE_FORMAT)
		return crc32_z(0, event, summed) == get_uint32(event + summed);
	flags = event[FLAGS_OFFSET] & (unsigned char)~FLAG_IN_USE;
	sum = crc32_z(0, event, FLAGS_OFFSET);
	sum = crc32_z(sum, &flags, 1);
	sum = crc32_z(sum, event + FLAGS_OFFSET + 1, summed - FLAGS_OFFSET - 1);
	return sum == get_uint32(event + summed);
}

/* Sets the body, without its checksum. */
static int check_sum(struct binlog_reader *reader, const unsigned char *event, size_t len, struct error *err)
{
	reader->body = event + BINLOG_HEADER_SIZE;
	reader->body_len = len - BINLOG_HEADER_SIZE;
	if (reader->header.type == TYPE_ROTATE && (reader->artificial || !reader->formatted)) {
		if (checksum_fits(event, len))
			reader->body_len -= CHECKSUM_SIZE;
		return 0;
	}
	if (!reader->format.checksum)
		return 0;
	if (!checksum_fits(event, len)) {
		(void)binlog_malformed(reader, err, "its checksum is wrong");
		return error_hint(err, "the file or the connection is damaged: compare with mariadb-binlog or mysqlbinlog "
			"--verify-binlog-checksum");
	}
	reader->body_len -= CHECKSUM_SIZE;
	return 0;
}

/* ---- format description ---- */

/* As in struct binlog_format. */
static uint32_t version_number(const char *version)
{
	unsigned long parts[3] = { 0, 0, 0 };

	for (size_t i = 0; i < 3; i++) {
		char *end;

		if (*version < '0' || *version > '9')
			break;
		parts[i] = strtoul(version, &end, 10);
		if (parts[i] > 255)
			parts[i] = 255;
		version = *end == '.' ? end + 1 : end;
	}
	return (uint32_t)(parts[0] << 16 | parts[1] << 8 | parts[2]);
}

/* Whether the servers of this version have the byte that tells the checksum. */
static bool has_checksum(const struct binlog_format *format)
{
	return format->version >= (format->mariadb ? 0x050300U : 0x050601U);
}

int binlog_format_read(struct binlog_reader *reader, const unsigned char *bytes, size_t len, struct error *err)
{
	struct cursor in = cursor_over(bytes, len);
	struct binlog_format format = { 0 };
	const unsigned char *version;
	size_t types, created, algorithm = 0;

	if (len < FORMAT_FIXED)
		return binlog_malformed(reader, err, "cut off");
	if (cursor_int(&in, 2) != 4)
		return binlog_malformed(reader, err, "not of version 4, which servers write since 5.0");
	version = cursor_bytes(&in, 50);
	memcpy(format.server_version, version, 50);
	created = cursor_int(&in, 4);
	if (cursor_int(&in, 1) != BINLOG_HEADER_SIZE)
		return binlog_malformed(reader, err, "event headers are not of %d bytes", BINLOG_HEADER_SIZE);
	types = cursor_left(&in);
	format.mariadb = strstr(format.server_version, "MariaDB") != NULL || types >= MARIADB_TYPES_MIN;
	format.version = version_number(format.server_version);
	if (has_checksum(&format)) {
		if (types < 1 + CHECKSUM_SIZE)
			return binlog_malformed(reader, err, "cut off before the checksum");
		types -= 1 + CHECKSUM_SIZE;
		algorithm = in.at[types];
	}
	if (algorithm > 1)
		return binlog_malformed(reader, err, "checksum algorithm %zu is not known", algorithm);
	if (types > 255)
		return binlog_malformed(reader, err, "more than 255 types of events");
	format.checksum = algorithm == 1;
	format.created = created != 0;
	memset(reader->post_header, 0, sizeof reader->post_header);
	memcpy(reader->post_header + 1, in.at, types);
	reader->format = format;
	reader->formatted = true;
	return 0;
}

/* A description says itself whether it has a checksum, so that it is read first and summed then. */
static int take_format(struct binlog_reader *reader, const unsigned char *event, size_t len, struct error *err)
{
	if (binlog_format_read(reader, event + BINLOG_HEADER_SIZE, len - BINLOG_HEADER_SIZE, err) < 0)
		return -1;
	return check_sum(reader, event, len, err);
}

/* ---- positions ---- */

uint64_t binlog_widen(uint64_t expected, uint32_t lower)
{
	uint64_t position = (expected & ~(uint64_t)UINT32_MAX) | lower;

	if (position + BINLOG_EVENT_MAX < expected)
		position += UINT64_C(1) << 32;
	return position;
}

static void place(struct binlog_reader *reader, size_t len)
{
	const struct binlog_header *header = &reader->header;
	bool heartbeat = header->type == TYPE_HEARTBEAT || header->type == TYPE_HEARTBEAT_V2;

	reader->artificial = (header->flags & FLAG_ARTIFICIAL) != 0 || heartbeat ||
		(header->type == TYPE_FORMAT && header->next_position == 0);
	reader->start = reader->position;
	reader->end = 0;
	if (reader->artificial)
		return;
	if (header->type == TYPE_FORMAT)
		reader->start = reader->position = FILE_START; /* it opens a file */
	if (header->next_position == 0) {
		reader->position += len;
		return;
	}
	reader->end = binlog_widen(reader->position + len, header->next_position);
	/* the server may have left events out, or have unpacked this one */
	if (reader->end >= reader->position + len)
		reader->start = reader->end - len;
	reader->position = reader->end;
}

/* ---- feeding ---- */

int binlog_reader_feed(struct binlog_reader *reader, const void *event, size_t len, struct error *err)
{
	const unsigned char *bytes = event;
	int result;

	if (reader->state != READER_EMPTY)
		return error_set(err, ERROR_BUG, "binlog %s: an event is fed before the last one was read", reader->file);
	if (len < BINLOG_HEADER_SIZE || len > BINLOG_EVENT_MAX)
		return error_set(err, ERROR_DATA, "binlog %s behind %" PRIu64 ": an event of %zu bytes", reader->file,
			reader->position, len);
	binlog_header_read(bytes, &reader->header);
	if (reader->header.length != len)
		return error_set(err, ERROR_DATA, "binlog %s behind %" PRIu64 ": an event of %zu bytes says that it has %" PRIu32
			" bytes", reader->file, reader->position, len, reader->header.length);
	place(reader, len);
	if (reader->header.type != TYPE_FORMAT && reader->header.type != TYPE_ROTATE && !reader->formatted)
		return binlog_malformed(reader, err, "it comes before any format description");
	if (reader->header.type == TYPE_FORMAT)
		result = take_format(reader, bytes, len, err);
	else
		result = check_sum(reader, bytes, len, err);
	if (result == 0)
		reader->state = READER_EVENT;
	return result;
}

static void set_common(const struct binlog_reader *reader, struct binlog_item *item)
{
	item->type = reader->header.type;
	item->timestamp = reader->header.timestamp;
	item->server_id = reader->header.server_id;
	item->start = reader->start;
	item->end = reader->end;
	item->artificial = reader->artificial;
}

int binlog_reader_next(struct binlog_reader *reader, struct binlog_item *ret_item, struct error *err)
{
	struct binlog_item item = { .kind = BINLOG_OTHER };
	int result;

	if (reader->state == READER_EVENT && reader->header.type == TYPE_TRANSACTION_PAYLOAD) {
		if (binlog_payload_open(reader, err) < 0) {
			reader->state = READER_EMPTY;
			return -1;
		}
		reader->state = READER_PAYLOAD;
	}
	if (reader->state == READER_PAYLOAD) {
		result = binlog_payload_next(reader, err);
		if (result <= 0) {
			reader->state = READER_EMPTY;
			binlog_packed_trim(reader);
			return result;
		}
	} else if (reader->state == READER_EMPTY) {
		binlog_packed_trim(reader);
		return 0;
	} else {
		reader->state = READER_EMPTY;
	}
	set_common(reader, &item);
	if (binlog_event_read(reader, &item, err) < 0) {
		reader->state = READER_EMPTY;
		return -1;
	}
	*ret_item = item;
	return 1;
}

/* ---- life cycle ---- */

struct binlog_reader *binlog_reader_new(void)
{
	struct binlog_reader *reader = calloc(1, sizeof *reader);

	if (reader == NULL)
		return NULL;
	buf_init(&reader->plain, BINLOG_EVENT_MAX + 1);
	binlog_reader_reset(reader, "");
	return reader;
}

void binlog_reader_free(struct binlog_reader *reader)
{
	if (reader == NULL)
		return;
	binlog_packed_release(reader);
	free(reader);
}

void binlog_reader_reset(struct binlog_reader *reader, const char *file)
{
	(void)snprintf(reader->file, sizeof reader->file, "%s", file);
	reader->state = READER_EMPTY;
	reader->position = FILE_START;
	reader->formatted = false;
	memset(&reader->format, 0, sizeof reader->format);
	binlog_packed_trim(reader);
}

const char *binlog_reader_file(const struct binlog_reader *reader)
{
	return reader->file;
}
