/*
 * decode_binlog_packed.c: what is compressed in a binlog.
 *
 * MariaDB (QUERY_COMPRESSED, *_ROWS_COMPRESSED; sql/log_event.cc): the text or the rows are u8 header, length when unpacked, zlib stream. Header: 0x80,
 * bits 4-6 the algorithm (0 zlib), bits 0-2 the size of the length (1 to 4 bytes, big-endian).
 *
 * MySQL (TRANSACTION_PAYLOAD; libs/mysql/binlog/event/codecs/binary.cpp): fields, each lenenc number, lenenc length, lenenc value, up to number 0:
 *   1 size of what follows the fields, 2 algorithm (0 zstd, 255 none), 3 size when unpacked. Then the events of one transaction, without checksums.
 * It is unpacked in pieces: `plain` holds the inner event at hand, whole, and what came out behind it, never much more than the largest of them.
 */
#include "capture/decode_binlog_reader.h"

#include <inttypes.h>
#include <string.h>

#define PIECE ((size_t)64 << 10)   /* unpacked at least at once */
#define KEEP_MAX ((size_t)1 << 20) /* buffers above are given back behind their event */
#define ZSTD_KEEP_MAX ((size_t)16 << 20)
#define ZLIB_RATIO_MAX 1100 /* deflate makes no more than 1032 bytes of one */
#define ALGORITHM_ZSTD 0
#define ALGORITHM_NONE 255

/* ---- MariaDB ---- */

int binlog_unpack(struct binlog_reader *reader, const unsigned char *packed, size_t len, struct error *err)
{
	struct cursor in = cursor_over(packed, len);
	unsigned header = (unsigned)cursor_int(&in, 1);
	size_t size_len = header & 7, size = 0;
	const unsigned char *sizes = cursor_bytes(&in, size_len);
	int status;

	if (in.failed || (header & 0x80) == 0 || size_len == 0 || size_len > 4)
		return binlog_malformed(reader, err, "its compression has no header");
	if ((header & 0x70) != 0)
		return binlog_malformed(reader, err, "compression algorithm %u is not known", header >> 4 & 7);
	for (size_t i = 0; i < size_len; i++)
		size = size << 8 | sizes[i];
	/* before memory is taken for what cannot be */
	if (size > BINLOG_EVENT_MAX || size / ZLIB_RATIO_MAX > cursor_left(&in))
		return binlog_malformed(reader, err, "%zu bytes cannot be in %zu compressed ones", size, cursor_left(&in));
	if (!reader->zlib_ready && inflateInit(&reader->zlib) != Z_OK)
		return error_set(err, ERROR_RETRY, "out of memory for zlib");
	reader->zlib_ready = true;
	buf_reset(&reader->plain);
	/* one byte more: for a NUL, and so that there is something to point to */
	if (inflateReset(&reader->zlib) != Z_OK || buf_grow(&reader->plain, size + 1) == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for an event of %zu bytes", size);
	reader->zlib.next_in = (z_const Bytef *)in.at;
	reader->zlib.avail_in = (uInt)cursor_left(&in);
	reader->zlib.next_out = (Bytef *)reader->plain.data;
	/* so that a stream that is longer than it says shows */
	reader->zlib.avail_out = (uInt)size + 1;
	status = inflate(&reader->zlib, Z_FINISH);
	if (status != Z_STREAM_END || reader->zlib.total_out != size)
		return binlog_malformed(reader, err, "it cannot be uncompressed to %zu bytes", size);
	reader->plain.len = size;
	return 0;
}

/* ---- MySQL: the payload's fields ---- */

struct payload_fields {
	uint64_t size, algorithm, plain_size;
};

/* Leaves the cursor behind them. */
static bool take_fields(struct cursor *in, struct payload_fields *fields)
{
	const unsigned char *at;
	uint64_t number, len;
	struct cursor value;

	*fields = (struct payload_fields){ UINT64_MAX, UINT64_MAX, UINT64_MAX };
	while ((number = cursor_lenenc(in)) != 0 && !in->failed) {
		len = cursor_lenenc(in);
		at = cursor_bytes(in, len);
		if (at == NULL)
			return false;
		value = cursor_over(at, (size_t)len);
		switch (number) {
		case 1:
			fields->size = cursor_lenenc(&value);
			break;
		case 2:
			fields->algorithm = cursor_lenenc(&value);
			break;
		case 3:
			fields->plain_size = cursor_lenenc(&value);
			break;
		default: /* of a newer server, which says that it may be left out */
			break;
		}
		if (value.failed)
			return false;
	}
	return !in->failed;
}

int binlog_payload_open(struct binlog_reader *reader, struct error *err)
{
	struct cursor in = cursor_over(reader->body, reader->body_len);
	struct payload_fields fields;

	if (!take_fields(&in, &fields) || fields.size > cursor_left(&in) || fields.algorithm == UINT64_MAX)
		return binlog_malformed(reader, err, "its fields are cut off or malformed");
	if (fields.algorithm != ALGORITHM_ZSTD && fields.algorithm != ALGORITHM_NONE)
		return binlog_malformed(reader, err, "compression algorithm %" PRIu64 " is not known", fields.algorithm);
	if (reader->zstd == NULL)
		reader->zstd = ZSTD_createDCtx();
	if (reader->zstd == NULL || ZSTD_isError(ZSTD_DCtx_reset(reader->zstd, ZSTD_reset_session_only)))
		return error_set(err, ERROR_RETRY, "out of memory for zstd");
	reader->packed = (ZSTD_inBuffer){ in.at, (size_t)fields.size, 0 };
	reader->packed_plainly = fields.algorithm == ALGORITHM_NONE;
	reader->packed_open = false;
	reader->unpacked = 0;
	reader->unpacked_total = fields.plain_size;
	reader->plain_at = 0;
	reader->outer = reader->header;
	buf_reset(&reader->plain);
	return 0;
}

/* ---- MySQL: inner events ---- */

/* At least n bytes from plain_at on, if the payload has them; how many there are, or -1. */
static int64_t unpack_to(struct binlog_reader *reader, size_t n, struct error *err)
{
	struct buf *plain = &reader->plain;
	size_t have = plain->len - reader->plain_at, want = n < PIECE ? PIECE : n, status;

	/* before memory is taken for what the payload cannot have */
	if (have >= n || n - have > reader->unpacked_total - reader->unpacked)
		return (int64_t)have;
	if (reader->plain_at > 0)
		memmove(plain->data, plain->data + reader->plain_at, have);
	reader->plain_at = 0;
	plain->len = have;
	if (buf_grow(plain, want - have) == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for an event of %zu bytes", n);
	while (plain->len < want) {
		ZSTD_outBuffer out = { plain->data, want, plain->len };
		size_t fed = reader->packed.pos;

		status = ZSTD_decompressStream(reader->zstd, &out, &reader->packed);
		if (ZSTD_isError(status))
			return binlog_malformed(reader, err, "it cannot be uncompressed: %s", ZSTD_getErrorName(status));
		if (out.pos == plain->len && fed == reader->packed.pos)
			break;
		reader->packed_open = status != 0;
		reader->unpacked += out.pos - plain->len;
		plain->len = out.pos;
		if (reader->unpacked > reader->unpacked_total)
			return binlog_malformed(reader, err, "more than %" PRIu64 " bytes when uncompressed",
				reader->unpacked_total);
	}
	return (int64_t)plain->len;
}

/* The next n bytes of the payload, or fewer at its end; NULL: err. */
static const unsigned char *peek(struct binlog_reader *reader, size_t n, size_t *ret_have, struct error *err)
{
	int64_t have;

	if (reader->packed_plainly) {
		*ret_have = reader->packed.size - reader->packed.pos;
		return (const unsigned char *)reader->packed.src + reader->packed.pos;
	}
	have = unpack_to(reader, n, err);
	if (have < 0)
		return NULL;
	*ret_have = (size_t)have;
	return (const unsigned char *)reader->plain.data + reader->plain_at;
}

static int payload_end(struct binlog_reader *reader, size_t have, struct error *err)
{
	if (have > 0)
		return binlog_malformed(reader, err, "its last inner event is cut off");
	if (!reader->packed_plainly && (reader->packed_open || reader->packed.pos < reader->packed.size))
		return binlog_malformed(reader, err, "its compressed data is cut off");
	if (!reader->packed_plainly && reader->unpacked_total != UINT64_MAX && reader->unpacked != reader->unpacked_total)
		return binlog_malformed(reader, err, "%" PRIu64 " bytes when uncompressed instead of %" PRIu64,
			reader->unpacked, reader->unpacked_total);
	return 0;
}

int binlog_payload_next(struct binlog_reader *reader, struct error *err)
{
	const unsigned char *event;
	size_t have, len;

	reader->header = reader->outer;
	event = peek(reader, BINLOG_HEADER_SIZE, &have, err);
	if (event == NULL)
		return -1;
	if (have < BINLOG_HEADER_SIZE)
		return payload_end(reader, have, err);
	binlog_header_read(event, &reader->header);
	len = reader->header.length;
	if (len < BINLOG_HEADER_SIZE || len > BINLOG_EVENT_MAX) {
		reader->header = reader->outer;
		return binlog_malformed(reader, err, "an inner event says that it has %zu bytes", len);
	}
	event = peek(reader, len, &have, err);
	if (event == NULL)
		return -1;
	if (have < len) {
		reader->header = reader->outer;
		return binlog_malformed(reader, err, "its last inner event is cut off");
	}
	reader->body = event + BINLOG_HEADER_SIZE;
	reader->body_len = len - BINLOG_HEADER_SIZE;
	if (reader->packed_plainly)
		reader->packed.pos += len;
	else
		reader->plain_at += len;
	return 1;
}

/* ---- memory ---- */

void binlog_packed_trim(struct binlog_reader *reader)
{
	if (reader->plain.size > KEEP_MAX)
		buf_release(&reader->plain);
	reader->plain_at = 0;
	buf_reset(&reader->plain);
	if (reader->zstd != NULL && ZSTD_sizeof_DCtx(reader->zstd) > ZSTD_KEEP_MAX) {
		ZSTD_freeDCtx(reader->zstd);
		reader->zstd = NULL;
	}
}

void binlog_packed_release(struct binlog_reader *reader)
{
	buf_release(&reader->plain);
	if (reader->zlib_ready)
		(void)inflateEnd(&reader->zlib);
	reader->zlib_ready = false;
	ZSTD_freeDCtx(reader->zstd);
	reader->zstd = NULL;
}
