/*
 * decode_binlog_events.c: the bodies of binlog events (MySQL: libs/mysql/binlog/event; MariaDB: sql/log_event.cc). "string N" is N bytes
 * and a NUL, lenenc the protocol's length-encoded integer, varlen that of MySQL's serialization library (decode_binlog_cursor.h).
 *
 *   ROTATE               u64 offset; file name
 *   QUERY                u32 thread, u32 seconds, u8 length of schema, u16 error, u16 length of variables; variables (a code and a value of fixed size or
 *                        behind its length each), string schema, text. EXECUTE_LOAD_QUERY: 13 bytes more in front of the variables.
 *                        QUERY_COMPRESSED: the text is packed
 *   XID                  u64
 *   XA_PREPARE           u8 one phase, u32 format, u32 length of gtrid, u32 length of bqual, both
 *   rows                 u48 table, u16 flags (1: the statement ends), version 2: u16 length (itself included) and extra data; lenenc columns, bitmap of the
 *                        before image (insert: after image), update: bitmap of the after image; rows. *_COMPRESSED: the rows are packed
 *   GTID (MySQL)         u8 flags, uuid[16], u64 sequence, u8 2, u64, u64 (logical clock), u56 commit time in us (bit 55: u56 original time follows),
 *                        lenenc length of the transaction, u32 version of the server (bit 31: u32 of the original server), u64 ticket
 *   GTID_TAGGED          varlen version of the form, length of all, last field that must be known; fields: varlen number and value:
 *                        0 flags, 1 uuid (16 varlen), 2 sequence (signed), 3 tag (varlen length, bytes), 4, 5 logical clock (signed),
 *                        6 commit time, 7 original time, 8 length, 9, 10 versions, 11 ticket
 *   GTID (MariaDB)       u64 sequence, u32 domain, u8 flags, [2: u64 group commit], [64, 128: u32 format, u8 lengths of gtrid and bqual, both], [u8 more
 *                        flags, [1: u8 engines], [4, 8: u64 sequence of START ALTER], [16: u32 thread]]; zeros up to 19 bytes
 *   HEARTBEAT            file name; the header's position
 *   HEARTBEAT_V2         fields: lenenc number (0: the end), length, value: 1 file name, 2 lenenc position
 *   INCIDENT             u16 number, u8 length, text
 *   ROWS_QUERY           u8 (length modulo 256), text
 */
#include "capture/decode_binlog_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROWS_HEADER_V1 8
#define ROWS_HEADER_V2 10
#define ROWS_STATEMENT_END 1
#define COLUMNS_MAX 4096
#define QUERY_HEADER 13
#define ENCODED_TIME_BITS 55
#define TIME_SIZE 7
#define US_PER_SECOND 1000000
#define MODE_ANSI_QUOTES UINT64_C(4)
#define MODE_NO_BACKSLASH_ESCAPES (UINT64_C(1) << 20)
#define FLAG_IGNORABLE 0x80
#define XA_PART_MAX 64
#define FILE_NAME_FIRST_PRINTABLE 0x20

static int cut_off(const struct binlog_reader *reader, struct error *err)
{
	return binlog_malformed(reader, err, "cut off");
}

static size_t post_header(const struct binlog_reader *reader)
{
	return reader->post_header[reader->header.type];
}

/* ---- names ---- */

int binlog_file_name(const unsigned char *bytes, size_t len, char *to)
{
	if (len == 0 || len >= BINLOG_FILE_MAX)
		return -1;
	for (size_t i = 0; i < len; i++)
		if (bytes[i] < FILE_NAME_FIRST_PRINTABLE || bytes[i] == 0x7f)
			return -1;
	memcpy(to, bytes, len);
	to[len] = '\0';
	return 0;
}

static char *put_hex(char *to, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	*to++ = 'X';
	*to++ = '\'';
	for (size_t i = 0; i < len; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	*to++ = '\'';
	*to++ = ',';
	return to;
}

/* The next two parts of an XA id, as the servers write it in XA statements, into reader->xa. */
static int take_xa(struct binlog_reader *reader, struct cursor *in, uint32_t format, size_t gtrid_len, size_t bqual_len,
	struct error *err)
{
	const unsigned char *gtrid, *bqual;
	char *to = reader->xa;

	if (gtrid_len > XA_PART_MAX || bqual_len > XA_PART_MAX)
		return binlog_malformed(reader, err, "xa id of %zu and %zu bytes", gtrid_len, bqual_len);
	gtrid = cursor_bytes(in, gtrid_len);
	bqual = cursor_bytes(in, bqual_len);
	if (in->failed)
		return cut_off(reader, err);
	to = put_hex(to, gtrid, gtrid_len);
	to = put_hex(to, bqual, bqual_len);
	(void)snprintf(to, (size_t)(reader->xa + sizeof reader->xa - to), "%" PRIu32, format);
	return 0;
}

/* ---- files ---- */

static int read_rotate(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);
	uint64_t offset = cursor_int(&in, 8);

	if (in.failed)
		return cut_off(reader, err);
	if (binlog_file_name(in.at, cursor_left(&in), reader->file) < 0)
		return binlog_malformed(reader, err, "no file name of %zu bytes", cursor_left(&in));
	reader->position = offset;
	item->kind = BINLOG_ROTATE;
	item->rotate.file = reader->file;
	item->rotate.offset = offset;
	return 0;
}

static int read_heartbeat(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);
	uint64_t position = binlog_widen(reader->position, reader->header.next_position), number, len;
	const unsigned char *name = reader->body;
	size_t name_len = reader->body_len;

	if (reader->header.type == TYPE_HEARTBEAT_V2) {
		name_len = 0;
		while (cursor_left(&in) > 0 && (number = cursor_lenenc(&in)) != 0) {
			const unsigned char *at;
			struct cursor value;

			len = cursor_lenenc(&in);
			at = cursor_bytes(&in, len);
			if (at == NULL)
				break;
			value = cursor_over(at, (size_t)len);
			if (number == 1) {
				name = value.at;
				name_len = (size_t)len;
			} else if (number == 2) {
				position = cursor_lenenc(&value);
				in.failed = value.failed;
			}
		}
	}
	if (in.failed)
		return cut_off(reader, err);
	if (binlog_file_name(name, name_len, reader->heartbeat_file) < 0)
		return binlog_malformed(reader, err, "no file name of %zu bytes", name_len);
	/* what the server has passed over for us counts too */
	if (strcmp(reader->heartbeat_file, reader->file) == 0 && position > reader->position)
		reader->position = position;
	item->kind = BINLOG_HEARTBEAT;
	item->rotate.file = reader->heartbeat_file;
	item->rotate.offset = position;
	return 0;
}

/* ---- QUERY ---- */

/* The size of a variable's value, in.at being behind its code; the cursor fails if it is cut off. False: the code is not known. */
static bool variable_size(struct cursor *in, bool mariadb, unsigned code, uint64_t *ret_size)
{
	static const unsigned char sizes[] = {
		[0] = 4, [1] = 8, [3] = 4, [4] = 6, [7] = 2, [8] = 2, [9] = 8, [10] = 4, [13] = 3, [16] = 1, [17] = 8, [18] = 2,
		[19] = 1, [20] = 1, [21] = 1, [128] = 3, [129] = 8
	};
	const unsigned char *at = in->at;

	switch (code) {
	case 2: /* catalogue, of 5.0: a NUL behind it */
		*ret_size = cursor_left(in) > 0 ? at[0] + UINT64_C(2) : 1;
		return true;
	case 5: /* time zone */
	case 6: /* catalogue */
		*ret_size = cursor_left(in) > 0 ? at[0] + UINT64_C(1) : 1;
		return true;
	case 11: /* definer: user and host, each behind its length */
		*ret_size = cursor_left(in) > 0 ? at[0] + UINT64_C(1) : 1;
		*ret_size += cursor_left(in) > *ret_size ? at[*ret_size] + UINT64_C(1) : 1;
		return true;
	case 12: { /* databases: how many (254: too many to name), each with a NUL */
		const unsigned char *end = at + 1;

		if (cursor_left(in) == 0 || at[0] == 254)
			break;
		for (unsigned i = 0; i < at[0] && end < in->end; i++) {
			const unsigned char *nul = memchr(end, '\0', (size_t)(in->end - end));

			end = nul != NULL ? nul + 1 : in->end;
		}
		*ret_size = (uint64_t)(end - at);
		return true;
	}
	case 130: /* MariaDB: more flags, with the number of a START ALTER */
		*ret_size = cursor_left(in) > 0 && (at[0] & 0x0c) != 0 ? 9 : 1;
		return true;
	case 131: /* MariaDB: collations of character sets */
		*ret_size = cursor_left(in) > 0 ? at[0] * UINT64_C(4) + 1 : 1;
		return true;
	default:
		break;
	}
	*ret_size = code == 12 ? 1 : code < sizeof sizes ? sizes[code] : 0;
	return *ret_size > 0 && (code < 128 || mariadb);
}

/* What statements need of the variables. They are no reason to fail: a code that is not known, or a cut, ends the reading. */
static void read_variables(const struct binlog_reader *reader, const unsigned char *bytes, size_t len,
	struct binlog_query *query)
{
	struct cursor in = cursor_over(bytes, len);
	uint64_t size, mode;

	while (cursor_left(&in) > 0) {
		unsigned code = (unsigned)cursor_int(&in, 1);
		struct cursor value;

		if (!variable_size(&in, reader->format.mariadb, code, &size) || size > cursor_left(&in))
			return;
		value = cursor_over(cursor_bytes(&in, size), (size_t)size);
		if (code == 1) {
			mode = cursor_int(&value, 8);
			query->sql_mode_ansi_quotes = (mode & MODE_ANSI_QUOTES) != 0;
			query->sql_mode_no_backslash_escapes = (mode & MODE_NO_BACKSLASH_ESCAPES) != 0;
		} else if (code == 4) {
			query->collation = (uint32_t)cursor_int(&value, 2);
		}
	}
}

static int read_query(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);
	struct binlog_query query = { .thread = (uint32_t)cursor_int(&in, 4) };
	size_t schema_len, variables_len;
	const unsigned char *variables, *schema;

	(void)cursor_int(&in, 4);
	schema_len = cursor_int(&in, 1);
	query.error = (uint16_t)cursor_int(&in, 2);
	variables_len = cursor_int(&in, 2);
	if (post_header(reader) < QUERY_HEADER)
		return binlog_malformed(reader, err, "post-header of %zu bytes, as before MySQL 5.0", post_header(reader));
	(void)cursor_bytes(&in, post_header(reader) - QUERY_HEADER);
	variables = cursor_bytes(&in, variables_len);
	schema = cursor_bytes(&in, schema_len + 1);
	if (in.failed)
		return cut_off(reader, err);
	if (memchr(schema, '\0', schema_len + 1) != schema + schema_len)
		return binlog_malformed(reader, err, "its schema does not end where it says");
	read_variables(reader, variables, variables_len, &query);
	query.schema = (const char *)schema;
	query.text = (const char *)in.at;
	query.len = cursor_left(&in);
	if (reader->header.type == TYPE_QUERY_COMPRESSED) {
		if (binlog_unpack(reader, in.at, query.len, err) < 0)
			return -1;
		query.text = buf_cstr(&reader->plain);
		query.len = reader->plain.len;
	}
	item->kind = BINLOG_QUERY;
	item->query = query;
	return 0;
}

/* ---- rows ---- */

/* An event that says no more than that the statement has ended. */
static bool is_dummy(const struct binlog_rows_event *rows)
{
	return rows->rows_len == 0 && rows->statement_end && (rows->table_id & 0xffffff) == 0xffffff;
}

static int read_rows(struct binlog_reader *reader, struct binlog_item *item, enum change_op op, struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);
	struct binlog_rows_event rows = { .op = op, .partial = reader->header.type == TYPE_PARTIAL_UPDATE_ROWS };
	size_t header = post_header(reader), extra;
	const unsigned char *first, *second;

	if (header != ROWS_HEADER_V1 && header != ROWS_HEADER_V2)
		return binlog_malformed(reader, err, "post-header of %zu bytes is not known", header);
	rows.table_id = cursor_int(&in, 6);
	rows.statement_end = (cursor_int(&in, 2) & ROWS_STATEMENT_END) != 0;
	if (header == ROWS_HEADER_V2) {
		extra = cursor_int(&in, 2);
		if (extra < 2)
			in.failed = true;
		else
			(void)cursor_bytes(&in, extra - 2);
	}
	rows.column_count = cursor_lenenc(&in);
	if (in.failed)
		return cut_off(reader, err);
	if (rows.column_count == 0 || rows.column_count > COLUMNS_MAX)
		return binlog_malformed(reader, err, "rows of %zu columns", rows.column_count);
	first = cursor_bytes(&in, (rows.column_count + 7) / 8);
	second = op == CHANGE_UPDATE ? cursor_bytes(&in, (rows.column_count + 7) / 8) : NULL;
	if (in.failed)
		return cut_off(reader, err);
	rows.before_columns = op == CHANGE_INSERT ? NULL : first;
	rows.after_columns = op == CHANGE_INSERT ? first : second;
	rows.rows = in.at;
	rows.rows_len = cursor_left(&in);
	if (reader->header.type >= TYPE_WRITE_ROWS_COMPRESSED_V1) {
		if (binlog_unpack(reader, in.at, rows.rows_len, err) < 0)
			return -1;
		rows.rows = (const unsigned char *)reader->plain.data;
		rows.rows_len = reader->plain.len;
	}
	if (is_dummy(&rows))
		return 0;
	item->kind = BINLOG_ROWS;
	item->rows = rows;
	return 0;
}

static int read_table_map(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	if (post_header(reader) != ROWS_HEADER_V1)
		return binlog_malformed(reader, err, "post-header of %zu bytes is not known", post_header(reader));
	item->kind = BINLOG_TABLE_MAP;
	item->bytes.bytes = reader->body;
	item->bytes.len = reader->body_len;
	return 0;
}

/* ---- GTID ---- */

static int64_t seconds_us(const struct binlog_reader *reader)
{
	return (int64_t)reader->header.timestamp * US_PER_SECOND;
}

/* What follows the sequence; each part may be missing, as older servers end earlier. */
static void read_gtid_times(const struct binlog_reader *reader, struct cursor *in, struct binlog_gtid_event *gtid)
{
	uint64_t time;

	gtid->commit_us = gtid->original_us = seconds_us(reader);
	if (cursor_left(in) < 1 + 16 + TIME_SIZE || cursor_int(in, 1) != 2)
		return;
	(void)cursor_bytes(in, 16);
	time = cursor_int(in, TIME_SIZE);
	gtid->commit_us = (int64_t)(time & ~(UINT64_C(1) << ENCODED_TIME_BITS));
	gtid->original_us = gtid->commit_us;
	if ((time >> ENCODED_TIME_BITS & 1) != 0)
		gtid->original_us = (int64_t)cursor_int(in, TIME_SIZE);
}

static int read_gtid(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);
	struct binlog_gtid_event gtid = { .anonymous = reader->header.type == TYPE_ANONYMOUS_GTID, .xa = "" };
	const unsigned char *uuid;

	(void)cursor_int(&in, 1);
	uuid = cursor_bytes(&in, sizeof gtid.gtid.uuid);
	gtid.gtid.sequence = cursor_int(&in, 8);
	if (in.failed)
		return cut_off(reader, err);
	gtid.gtid.flavour = GTID_MYSQL;
	memcpy(gtid.gtid.uuid, uuid, sizeof gtid.gtid.uuid);
	if (gtid.anonymous)
		gtid.gtid.sequence = 0;
	else if (gtid.gtid.sequence == 0 || gtid.gtid.sequence >= INT64_MAX)
		return binlog_malformed(reader, err, "number %" PRIu64 " is out of range", gtid.gtid.sequence);
	read_gtid_times(reader, &in, &gtid);
	if (in.failed)
		return cut_off(reader, err);
	item->kind = BINLOG_GTID;
	item->gtid = gtid;
	return 0;
}

static void take_tag(struct cursor *in, char *tag)
{
	uint64_t len = cursor_varlen(in);
	const unsigned char *bytes = len < GTID_TAG_MAX ? cursor_bytes(in, len) : NULL;

	if (bytes == NULL || memchr(bytes, '\0', (size_t)len) != NULL) {
		in->failed = true;
		return;
	}
	memcpy(tag, bytes, (size_t)len);
	tag[len] = '\0';
}

/* One field of GTID_TAGGED; false if its number is not known. */
static bool take_gtid_field(struct cursor *in, uint64_t number, struct binlog_gtid_event *gtid)
{
	switch (number) {
	case 1:
		for (size_t i = 0; i < sizeof gtid->gtid.uuid; i++)
			gtid->gtid.uuid[i] = (unsigned char)cursor_varlen(in);
		return true;
	case 2:
		gtid->gtid.sequence = (uint64_t)cursor_varlen_signed(in);
		return true;
	case 3:
		take_tag(in, gtid->gtid.tag);
		return true;
	case 6:
		gtid->commit_us = gtid->original_us = (int64_t)cursor_varlen(in);
		return true;
	case 7:
		gtid->original_us = (int64_t)cursor_varlen(in);
		return true;
	case 0:
	case 4:
	case 5:
	case 8:
	case 9:
	case 10:
	case 11:
		(void)cursor_varlen(in);
		return true;
	default:
		return false;
	}
}

static int read_gtid_tagged(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);
	struct binlog_gtid_event gtid = { .gtid.flavour = GTID_MYSQL, .xa = "" };
	uint64_t version = cursor_varlen(&in), len = cursor_varlen(&in), needed = cursor_varlen(&in), number;

	gtid.commit_us = gtid.original_us = seconds_us(reader);
	if (in.failed || len > reader->body_len || len < (size_t)(in.at - reader->body))
		return cut_off(reader, err);
	if (version != 1)
		return binlog_malformed(reader, err, "form %" PRIu64 " is not known", version);
	in.end = reader->body + len;
	while (cursor_left(&in) > 0 && !in.failed) {
		number = cursor_varlen(&in);
		if (!in.failed && !take_gtid_field(&in, number, &gtid)) {
			if (number <= needed)
				return binlog_malformed(reader, err, "its field %" PRIu64 " is not known and must be", number);
			break;
		}
	}
	if (in.failed)
		return cut_off(reader, err);
	if (gtid.gtid.sequence == 0 || gtid.gtid.sequence >= INT64_MAX)
		return binlog_malformed(reader, err, "number %" PRIu64 " is out of range", gtid.gtid.sequence);
	item->kind = BINLOG_GTID;
	item->gtid = gtid;
	return 0;
}

enum mariadb_gtid_flags {
	GTID_STANDALONE = 1,
	GTID_GROUP_COMMIT = 2,
	GTID_DDL = 32,
	GTID_PREPARED_XA = 64,
	GTID_COMPLETED_XA = 128
};

enum mariadb_gtid_more_flags {
	GTID_MORE_ENGINES = 1,
	GTID_MORE_COMMIT_ALTER = 4,
	GTID_MORE_ROLLBACK_ALTER = 8,
	GTID_MORE_THREAD = 16
};

static int read_mariadb_gtid(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);
	struct binlog_gtid_event gtid = { .gtid.flavour = GTID_MARIADB, .xa = "" };
	unsigned flags, more;
	uint32_t format;
	size_t gtrid_len;

	gtid.gtid.sequence = cursor_int(&in, 8);
	gtid.gtid.domain = (uint32_t)cursor_int(&in, 4);
	gtid.gtid.server = reader->header.server_id;
	flags = (unsigned)cursor_int(&in, 1);
	if ((flags & GTID_GROUP_COMMIT) != 0)
		(void)cursor_int(&in, 8);
	if ((flags & (GTID_PREPARED_XA | GTID_COMPLETED_XA)) != 0) {
		format = (uint32_t)cursor_int(&in, 4);
		gtrid_len = cursor_int(&in, 1);
		if (take_xa(reader, &in, format, gtrid_len, cursor_int(&in, 1), err) < 0)
			return -1;
		gtid.xa = reader->xa;
	}
	if (in.failed)
		return cut_off(reader, err);
	more = cursor_left(&in) > 0 ? (unsigned)cursor_int(&in, 1) : 0;
	if ((more & GTID_MORE_ENGINES) != 0)
		(void)cursor_int(&in, 1);
	if ((more & (GTID_MORE_COMMIT_ALTER | GTID_MORE_ROLLBACK_ALTER)) != 0)
		(void)cursor_int(&in, 8);
	if ((more & GTID_MORE_THREAD) != 0)
		gtid.thread = cursor_int(&in, 4);
	if (in.failed)
		return cut_off(reader, err);
	gtid.commit_us = gtid.original_us = seconds_us(reader);
	gtid.standalone = (flags & GTID_STANDALONE) != 0;
	gtid.ddl = (flags & GTID_DDL) != 0;
	gtid.xa_prepare = (flags & GTID_PREPARED_XA) != 0;
	gtid.xa_complete = (flags & GTID_COMPLETED_XA) != 0;
	item->kind = BINLOG_GTID;
	item->gtid = gtid;
	return 0;
}

/* ---- ends of groups ---- */

static int read_xid(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);

	item->xid = cursor_int(&in, 8);
	item->kind = BINLOG_XID;
	return in.failed ? cut_off(reader, err) : 0;
}

static int read_xa_prepare(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);
	bool one_phase = cursor_int(&in, 1) != 0;
	uint32_t format = (uint32_t)cursor_int(&in, 4);
	size_t gtrid_len = cursor_int(&in, 4), bqual_len = cursor_int(&in, 4);

	if (in.failed)
		return cut_off(reader, err);
	if (take_xa(reader, &in, format, gtrid_len, bqual_len, err) < 0)
		return -1;
	item->kind = BINLOG_XA_PREPARE;
	item->xa.one_phase = one_phase;
	item->xa.id = reader->xa;
	return 0;
}

/* ---- the rest ---- */

static int read_text(struct binlog_reader *reader, struct binlog_item *item, enum binlog_kind kind, size_t skip,
	struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);

	(void)cursor_bytes(&in, skip);
	if (in.failed)
		return cut_off(reader, err);
	item->kind = kind;
	item->text.text = (const char *)in.at;
	item->text.len = cursor_left(&in);
	return 0;
}

static int read_incident(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);
	const unsigned char *text;
	size_t len;

	(void)cursor_int(&in, 2);
	len = cursor_left(&in) > 0 ? (size_t)cursor_int(&in, 1) : 0;
	text = cursor_bytes(&in, len);
	if (in.failed)
		return cut_off(reader, err);
	item->kind = BINLOG_INCIDENT;
	item->text.text = len > 0 ? (const char *)text : "";
	item->text.len = len;
	return 0;
}

static int read_bytes(struct binlog_reader *reader, struct binlog_item *item, enum binlog_kind kind)
{
	item->kind = kind;
	item->bytes.bytes = reader->body;
	item->bytes.len = reader->body_len;
	return 0;
}

static int read_other(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	uint8_t type = reader->header.type;

	item->kind = BINLOG_OTHER;
	switch (type) {
	case TYPE_INTVAR: /* what a statement needs to be repeated; it is logged behind as a QUERY */
	case TYPE_RAND:
	case TYPE_USER_VAR:
	case TYPE_APPEND_BLOCK: /* a file for LOAD DATA; EXECUTE_LOAD_QUERY is the statement */
	case TYPE_DELETE_FILE:
	case TYPE_BEGIN_LOAD_QUERY:
	case TYPE_IGNORABLE:
	case TYPE_TRANSACTION_CONTEXT:
	case TYPE_VIEW_CHANGE:
	case TYPE_BINLOG_CHECKPOINT:
	case TYPE_START_ENCRYPTION: /* in a stream the server has decrypted what follows */
		return 0;
	default:
		break;
	}
	if ((reader->header.flags & FLAG_IGNORABLE) != 0)
		return 0;
	if (type >= TYPE_OLD_WRITE_ROWS && type <= TYPE_OLD_DELETE_ROWS)
		return binlog_malformed(reader, err, "rows in the form of servers before MySQL 5.1");
	(void)error_set(err, ERROR_DATA, "binlog %s at %" PRIu64 ": event type %d of %s is not known", reader->file,
		reader->start, type, reader->format.server_version);
	return error_hint(err, "the server is newer or older than this program knows");
}

/* A file's own events cannot stand in a payload. */
static int read_outer(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	if (reader->state == READER_PAYLOAD)
		return binlog_malformed(reader, err, "inside of a transaction payload");
	switch (reader->header.type) {
	case TYPE_FORMAT:
		item->kind = BINLOG_FORMAT;
		item->format = reader->format;
		return 0;
	case TYPE_ROTATE:
		return read_rotate(reader, item, err);
	case TYPE_STOP:
		item->kind = BINLOG_STOP;
		return 0;
	case TYPE_HEARTBEAT:
	case TYPE_HEARTBEAT_V2:
		return read_heartbeat(reader, item, err);
	case TYPE_GTID_LIST:
		return read_bytes(reader, item, BINLOG_GTID_LIST);
	case TYPE_PREVIOUS_GTIDS:
		return read_bytes(reader, item, BINLOG_PREVIOUS_GTIDS);
	default: /* a payload in a payload */
		return binlog_malformed(reader, err, "not where it can be");
	}
}

int binlog_event_read(struct binlog_reader *reader, struct binlog_item *item, struct error *err)
{
	switch (reader->header.type) {
	case TYPE_WRITE_ROWS_V1:
	case TYPE_WRITE_ROWS:
	case TYPE_WRITE_ROWS_COMPRESSED_V1:
	case TYPE_WRITE_ROWS_COMPRESSED:
		return read_rows(reader, item, CHANGE_INSERT, err);
	case TYPE_UPDATE_ROWS_V1:
	case TYPE_UPDATE_ROWS:
	case TYPE_PARTIAL_UPDATE_ROWS:
	case TYPE_UPDATE_ROWS_COMPRESSED_V1:
	case TYPE_UPDATE_ROWS_COMPRESSED:
		return read_rows(reader, item, CHANGE_UPDATE, err);
	case TYPE_DELETE_ROWS_V1:
	case TYPE_DELETE_ROWS:
	case TYPE_DELETE_ROWS_COMPRESSED_V1:
	case TYPE_DELETE_ROWS_COMPRESSED:
		return read_rows(reader, item, CHANGE_DELETE, err);
	case TYPE_TABLE_MAP:
		return read_table_map(reader, item, err);
	case TYPE_GTID:
	case TYPE_ANONYMOUS_GTID:
		return read_gtid(reader, item, err);
	case TYPE_GTID_TAGGED:
		return read_gtid_tagged(reader, item, err);
	case TYPE_MARIADB_GTID:
		return read_mariadb_gtid(reader, item, err);
	case TYPE_QUERY:
	case TYPE_QUERY_COMPRESSED:
	case TYPE_EXECUTE_LOAD_QUERY:
		return read_query(reader, item, err);
	case TYPE_XID:
		return read_xid(reader, item, err);
	case TYPE_XA_PREPARE:
		return read_xa_prepare(reader, item, err);
	case TYPE_ANNOTATE_ROWS:
		return read_text(reader, item, BINLOG_ANNOTATE, 0, err);
	case TYPE_ROWS_QUERY:
		return read_text(reader, item, BINLOG_ANNOTATE, 1, err);
	case TYPE_INCIDENT:
		return read_incident(reader, item, err);
	case TYPE_FORMAT:
	case TYPE_ROTATE:
	case TYPE_STOP:
	case TYPE_HEARTBEAT:
	case TYPE_HEARTBEAT_V2:
	case TYPE_GTID_LIST:
	case TYPE_PREVIOUS_GTIDS:
	case TYPE_TRANSACTION_PAYLOAD:
		return read_outer(reader, item, err);
	default:
		return read_other(reader, item, err);
	}
}
