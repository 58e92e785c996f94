/*
 * avro.h: Avro's binary encoding, inline: what the hot path writes and reads byte by byte.
 *
 *   int, long   zigzag, then 7 bits a byte, least significant first, high bit = more follow; at most 10 bytes
 *   boolean     one byte, 0 or 1
 *   float       4 bytes little endian;  double  8 bytes little endian
 *   bytes       long length, then the bytes;  string  the same, UTF-8
 *   union       long index of the branch, then the branch
 *   array, map  blocks: long count (negative: -count, then long size in bytes), items; a count of 0 ends
 *   record      its fields one behind the other, nothing between
 *
 * Writers do not check room: their caller has measured (AVRO_LONG_MAX). Readers check every byte.
 * Source: Apache Avro specification 1.11, "Binary Encoding".
 */
#ifndef TAILRACE_CODEC_AVRO_H
#define TAILRACE_CODEC_AVRO_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define AVRO_LONG_MAX 10 /* most bytes of an int or long, hence of a length, a count or a branch */

/* Confluent's wire format: byte 0, four bytes of schema id, big endian. */
#define AVRO_WIRE_HEADER 5

/* ---- writing: each returns the place behind what it wrote ---- */
static inline unsigned char *avro_put_long(unsigned char *at, int64_t number)
{
	uint64_t zigzag = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);

	while (zigzag >= 0x80) {
		*at++ = (unsigned char)(zigzag | 0x80);
		zigzag >>= 7;
	}
	*at++ = (unsigned char)zigzag;
	return at;
}

static inline unsigned char *avro_put_raw(unsigned char *at, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(at, bytes, len);
	return at + len;
}

static inline unsigned char *avro_put_bytes(unsigned char *at, const void *bytes, size_t len)
{
	return avro_put_raw(avro_put_long(at, (int64_t)len), bytes, len);
}

static inline unsigned char *avro_put_str(unsigned char *at, const char *text)
{
	return avro_put_bytes(at, text, strlen(text));
}

static inline unsigned char *avro_put_float(unsigned char *at, float number)
{
	uint32_t bits;

	memcpy(&bits, &number, sizeof bits);
	bits = htole32(bits);
	return avro_put_raw(at, &bits, sizeof bits);
}

static inline unsigned char *avro_put_double(unsigned char *at, double number)
{
	uint64_t bits;

	memcpy(&bits, &number, sizeof bits);
	bits = htole64(bits);
	return avro_put_raw(at, &bits, sizeof bits);
}

/* The branch index of a union with less than 64 branches. */
static inline unsigned char *avro_put_branch(unsigned char *at, unsigned branch)
{
	*at = (unsigned char)(branch << 1);
	return at + 1;
}

/* ["null","long"] */
static inline unsigned char *avro_put_optional_long(unsigned char *at, int64_t number)
{
	return avro_put_long(avro_put_branch(at, 1), number);
}

/* ---- reading: each returns false when the bytes are not that or end too early ---- */
struct avro_reader {
	const unsigned char *at;
	const unsigned char *end;
};

static inline size_t avro_left(const struct avro_reader *in)
{
	return (size_t)(in->end - in->at);
}

static inline bool avro_get_long(struct avro_reader *in, int64_t *ret_number)
{
	uint64_t zigzag = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		unsigned char byte;

		if (in->at == in->end)
			return false;
		byte = *in->at++;
		if (shift == 63 && byte > 1)
			return false;
		zigzag |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_number = (int64_t)(zigzag >> 1 ^ (~(zigzag & 1) + 1));
			return true;
		}
	}
	return false;
}

static inline bool avro_get_int(struct avro_reader *in, int64_t *ret_number)
{
	return avro_get_long(in, ret_number) && *ret_number >= INT32_MIN && *ret_number <= INT32_MAX;
}

static inline bool avro_get_raw(struct avro_reader *in, size_t len, const unsigned char **ret_bytes)
{
	if (len > avro_left(in))
		return false;
	*ret_bytes = in->at;
	in->at += len;
	return true;
}

/* bytes and string; they stay where they are. */
static inline bool avro_get_bytes(struct avro_reader *in, const char **ret_bytes, size_t *ret_len)
{
	const unsigned char *bytes;
	int64_t len;

	if (!avro_get_long(in, &len) || len < 0 || (uint64_t)len > avro_left(in))
		return false;
	(void)avro_get_raw(in, (size_t)len, &bytes);
	*ret_bytes = (const char *)bytes;
	*ret_len = (size_t)len;
	return true;
}

static inline bool avro_get_bool(struct avro_reader *in, bool *ret_bool)
{
	if (in->at == in->end || *in->at > 1)
		return false;
	*ret_bool = *in->at++ == 1;
	return true;
}

static inline bool avro_get_float(struct avro_reader *in, double *ret_number)
{
	uint32_t bits;
	float number;

	if (avro_left(in) < sizeof bits)
		return false;
	memcpy(&bits, in->at, sizeof bits);
	in->at += sizeof bits;
	bits = le32toh(bits);
	memcpy(&number, &bits, sizeof number);
	*ret_number = (double)number;
	return true;
}

static inline bool avro_get_double(struct avro_reader *in, double *ret_number)
{
	uint64_t bits;

	if (avro_left(in) < sizeof bits)
		return false;
	memcpy(&bits, in->at, sizeof bits);
	in->at += sizeof bits;
	bits = le64toh(bits);
	memcpy(ret_number, &bits, sizeof bits);
	return true;
}

/*
 * The head of an array's or map's next block: its number of items, 0 at the end. Items take at least one byte each
 * (empty ones are treated elsewhere), so a count that the rest of the message cannot hold is refused here, before
 * anything is allocated for it.
 */
static inline bool avro_get_block(struct avro_reader *in, size_t *ret_count)
{
	int64_t count, size;

	if (!avro_get_long(in, &count))
		return false;
	if (count < 0) {
		if (count == INT64_MIN || !avro_get_long(in, &size) || size < 0)
			return false;
		count = -count;
	}
	if ((uint64_t)count > avro_left(in))
		return false;
	*ret_count = (size_t)count;
	return true;
}

#endif
