/*
 * decode_binlog_value.c: one column of a row image, everything but dates and times (decode_binlog_time.c).
 *
 *   integers     1, 2, 3, 4, 8 bytes, little endian
 *   FLOAT, DOUBLE  4, 8 bytes, IEEE, little endian
 *   NEWDECIMAL   the digits before and behind the point, each side by itself in groups of nine: 4 bytes a group, 1 1 2 2 3 3 4 4 bytes for a
 *                rest of 1 to 8 digits, which is the first group of the one side and the last of the other; big endian. The first bit is
 *                inverted, and all bytes are if the number is negative
 *   BIT          big endian, as many bytes as the bits need
 *   YEAR         1 byte: year - 1900; 0 is 0000
 *   strings      length (1 or 2 bytes; BLOB and its kin 1 to 4), little endian, then the bytes. CHAR comes without the spaces and BINARY
 *                without the zero bytes at its end; the latter are added again
 *   ENUM         1 or 2 bytes: number of the label from 1; 0: the empty text that a wrong value became
 *   SET          1 to 8 bytes: a bit for each label
 *   JSON         length (4 bytes), binary form (decode_json.c)
 *   GEOMETRY, VECTOR  as BLOB: the bytes are what the change model wants
 *   UUID, INET6, INET4 (MariaDB)  as BINARY(16), BINARY(16), BINARY(4)
 *   COMPRESSED (MariaDB)  as the type, and in its bytes: nothing for an empty value; 0x00 and the bytes as they are; or a header (bits 0-2:
 *                number of length bytes, bit 3: raw deflate without zlib's header, bits 4-7: 8), the length of the content, big endian, and
 *                the content by zlib
 */
#include "capture/decode_binlog_value.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "capture/decode_json.h"

#define DECIMAL_TEXT_MAX 96 /* sign, 65 digits, zero, point */
#define DIGITS_A_GROUP 9
#define UUID_TEXT 36
#define INET4_TEXT 15
#define INET6_TEXT 45
#define COMPRESSED_HEADER 0x80
#define COMPRESSED_RAW 0x08
#define COMPRESSED_LENGTH_BYTES 0x07
#define DEFLATE_RATIO_MAX 1040 /* zlib's is 1032: what claims more is not what it says */

static const unsigned char group_bytes[] = { 0, 1, 1, 2, 2, 3, 3, 4, 4, 4 };
static const uint32_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000 };

/* ---- results ---- */

static int cut_off(struct error *err)
{
	return error_set(err, ERROR_DATA, "the row image ends inside of the value");
}

static int set_text(enum value_kind kind, const void *bytes, size_t len, struct value *ret)
{
	ret->kind = kind;
	ret->text.ptr = bytes;
	ret->text.len = len;
	return 0;
}

static int copy_text(enum value_kind kind, const void *bytes, size_t len, struct arena *arena, struct value *ret,
	struct error *err)
{
	void *copy = arena_memdup(arena, bytes, len);

	return copy != NULL ? set_text(kind, copy, len, ret) : arena_error(arena, err);
}

/* ---- numbers ---- */

static uint64_t little_endian(const unsigned char *at, size_t size)
{
	uint64_t n = 0;

	switch (size) {
	case 8:
		for (size_t i = 0; i < 8; i++)
			n |= (uint64_t)at[i] << 8 * i;
		return n;
	case 4:
		return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
	case 1:
		return at[0];
	default:
		for (size_t i = size; i > 0; i--)
			n = n << 8 | at[i - 1];
		return n;
	}
}

static uint32_t big_endian(const unsigned char *at, size_t size)
{
	uint32_t n = 0;

	for (size_t i = 0; i < size; i++)
		n = n << 8 | at[i];
	return n;
}

static void read_int(const struct binlog_field *field, const unsigned char *at, struct value *ret)
{
	uint64_t n = little_endian(at, field->size);
	unsigned unused = 64 - 8U * field->size;

	if (!field->is_unsigned) {
		ret->kind = VALUE_INT;
		ret->i = (int64_t)(n << unused) >> unused;
	} else if (field->size == 8) {
		ret->kind = VALUE_UINT;
		ret->u = n;
	} else {
		ret->kind = VALUE_INT;
		ret->i = (int64_t)n;
	}
}

static void read_float(const struct binlog_field *field, const unsigned char *at, struct value *ret)
{
	uint64_t bits = little_endian(at, field->size);
	uint32_t half = (uint32_t)bits;
	float f;

	ret->kind = VALUE_FLOAT;
	if (field->size == 8) {
		memcpy(&ret->f, &bits, sizeof bits);
		return;
	}
	memcpy(&f, &half, sizeof half);
	ret->f = f;
}

static int read_bit(const struct binlog_field *field, const unsigned char *at, struct value *ret, struct error *err)
{
	uint64_t n = 0;

	for (size_t i = 0; i < field->size; i++)
		n = n << 8 | at[i];
	if (field->precision < 64 && n >> field->precision != 0)
		return error_set(err, ERROR_DATA, "more than %u bits", (unsigned)field->precision);
	ret->kind = VALUE_UINT;
	ret->u = n;
	return 0;
}

size_t binlog_decimal_size(unsigned precision, unsigned scale)
{
	unsigned whole = precision - scale;

	return whole / DIGITS_A_GROUP * 4 + group_bytes[whole % DIGITS_A_GROUP] + scale / DIGITS_A_GROUP * 4 +
		group_bytes[scale % DIGITS_A_GROUP];
}

/* Takes a group of that many digits and writes all of them. False: it is larger than they can hold. */
static bool take_group(const unsigned char **at, unsigned digits, uint32_t invert, char **to)
{
	size_t size = group_bytes[digits];
	uint32_t n = big_endian(*at, size) ^ (size == 4 ? invert : invert & ((UINT32_C(1) << 8 * size) - 1));

	if (n >= powers[digits])
		return false;
	for (unsigned i = digits; i > 0; i--, n /= 10)
		(*to)[i - 1] = (char)('0' + n % 10);
	*to += digits;
	*at += size;
	return true;
}

static bool take_groups(const unsigned char **at, unsigned digits, bool rest_first, uint32_t invert, char **to)
{
	unsigned rest = digits % DIGITS_A_GROUP;

	if (rest > 0 && rest_first && !take_group(at, rest, invert, to))
		return false;
	for (unsigned i = 0; i < digits / DIGITS_A_GROUP; i++)
		if (!take_group(at, DIGITS_A_GROUP, invert, to))
			return false;
	return rest == 0 || rest_first || take_group(at, rest, invert, to);
}

static int read_decimal(const struct binlog_field *field, const unsigned char *at, struct arena *arena,
	struct value *ret, struct error *err)
{
	unsigned char packed[40];
	char digits[DECIMAL_TEXT_MAX], *to = digits + 2, *from = to, *end;
	unsigned whole = field->precision - field->scale;
	bool negative = (at[0] & 0x80) == 0;
	uint32_t invert = negative ? UINT32_MAX : 0;
	bool zero = true;

	/* With the first bit as it would be without its inversion, a negative number is wholly inverted. */
	memcpy(packed, at, field->size);
	packed[0] ^= 0x80;
	at = packed;
	if (!take_groups(&at, whole, true, invert, &to))
		return error_set(err, ERROR_DATA, "no packed decimal");
	while (from < to && *from == '0')
		from++;
	zero = from == to;
	if (zero)
		*--from = '0'; /* there is room for this, and for the sign */
	if (field->scale > 0) {
		*to++ = '.';
		end = to;
		if (!take_groups(&at, field->scale, false, invert, &to))
			return error_set(err, ERROR_DATA, "no packed decimal");
		while (zero && end < to)
			zero = *end++ == '0';
	}
	if (negative && !zero)
		*--from = '-';
	return copy_text(VALUE_TEXT, from, (size_t)(to - from), arena, ret, err);
}

/* ---- strings ---- */

int binlog_value_bytes(const struct binlog_field *field, const unsigned char **io_at, const unsigned char *end,
	const unsigned char **ret_bytes, size_t *ret_len, struct error *err)
{
	const unsigned char *at = *io_at;
	size_t len;

	if ((size_t)(end - at) < field->prefix)
		return cut_off(err);
	len = (size_t)little_endian(at, field->prefix);
	at += field->prefix;
	if (len > (size_t)(end - at))
		return cut_off(err);
	*ret_bytes = at;
	*ret_len = len;
	*io_at = at + len;
	return 0;
}

static int inflate_into(const unsigned char *bytes, size_t len, bool raw, unsigned char *out, size_t out_len,
	struct error *err)
{
	/* One thread's, kept: its memory is some tens of kilobytes. */
	static _Thread_local z_stream stream;
	static _Thread_local bool ready;
	int bits = raw ? -MAX_WBITS : MAX_WBITS;

	if ((ready ? inflateReset2(&stream, bits) : inflateInit2(&stream, bits)) != Z_OK)
		return error_set(err, ERROR_RETRY, "out of memory for zlib");
	ready = true;
	stream.next_in = (unsigned char *)(uintptr_t)bytes; /* zlib's type lacks the const */
	stream.avail_in = (uInt)len;
	stream.next_out = out;
	stream.avail_out = (uInt)out_len;
	if (inflate(&stream, Z_FINISH) != Z_STREAM_END || stream.avail_out > 0)
		return error_set(err, ERROR_DATA, "compressed value: not what its header says");
	return 0;
}

/* A COMPRESSED column's bytes as they were before. */
static int decompress(const unsigned char **io_bytes, size_t *io_len, struct arena *arena, struct error *err)
{
	const unsigned char *bytes = *io_bytes;
	size_t len = *io_len, size, out_len = 0;
	unsigned char *out;

	if (len == 0)
		return 0;
	if (bytes[0] == 0) {
		*io_bytes = bytes + 1;
		*io_len = len - 1;
		return 0;
	}
	size = bytes[0] & COMPRESSED_LENGTH_BYTES;
	if ((bytes[0] & 0xf0) != COMPRESSED_HEADER || size == 0 || size > 4 || len < 1 + size)
		return error_set(err, ERROR_DATA, "compressed value: unknown header 0x%02x", bytes[0]);
	out_len = big_endian(bytes + 1, size);
	if (out_len == 0 || out_len / DEFLATE_RATIO_MAX > len)
		return error_set(err, ERROR_DATA, "compressed value: %zu bytes cannot become %zu", len, out_len);
	out = arena_alloc(arena, out_len);
	if (out == NULL)
		return arena_error(arena, err);
	if (inflate_into(bytes + 1 + size, len - 1 - size, (bytes[0] & COMPRESSED_RAW) != 0, out, out_len, err) < 0)
		return -1;
	*io_bytes = out;
	*io_len = out_len;
	return 0;
}

/* Adds the zero bytes that the log leaves out. */
static int pad_bytes(const unsigned char **io_bytes, size_t *io_len, size_t want, struct arena *arena,
	struct error *err)
{
	unsigned char *padded;

	if (*io_len >= want)
		return 0;
	padded = arena_alloc(arena, want);
	if (padded == NULL)
		return arena_error(arena, err);
	memcpy(padded, *io_bytes, *io_len);
	memset(padded + *io_len, 0, want - *io_len);
	*io_bytes = padded;
	*io_len = want;
	return 0;
}

/*
 * Bytes that stand for nothing in their charset come from an application that wrote them as they are. The server shows a question mark for
 * them; to do the same would be to lose them without a word.
 */
static int read_text(const struct charset *charset, const unsigned char *bytes, size_t len, struct arena *arena,
	struct value *ret, struct error *err)
{
	if (charset_text(charset, bytes, len, arena, ret, err) == 0)
		return 0;
	if (err != NULL && err->class == ERROR_DATA)
		(void)error_hint(err, "leave the table out with table_exclude_list; before it is taken in again, repair its rows: the "
			"server shows ? where such bytes are");
	return -1;
}

static int read_string(const struct binlog_field *field, const unsigned char **io_at, const unsigned char *end,
	struct arena *arena, struct value *ret, struct error *err)
{
	const unsigned char *bytes;
	size_t len;

	if (binlog_value_bytes(field, io_at, end, &bytes, &len, err) < 0)
		return -1;
	if (field->form == FORM_JSON)
		return json_binary_text(bytes, len, arena, ret, err);
	if (field->compressed && decompress(&bytes, &len, arena, err) < 0)
		return -1;
	if (field->form == FORM_TEXT)
		return read_text(field->charset, bytes, len, arena, ret, err);
	if (len < field->pad && pad_bytes(&bytes, &len, field->pad, arena, err) < 0)
		return -1;
	return set_text(VALUE_BYTES, bytes, len, ret);
}

/* ---- labels ---- */

static int read_enum(const struct binlog_field *field, const unsigned char *at, struct value *ret, struct error *err)
{
	size_t number = (size_t)little_endian(at, field->size);

	if (number == 0)
		return set_text(VALUE_EXACT, "", 0, ret);
	if (number > field->label_count)
		return error_set(err, ERROR_DATA, "label %zu of an enum that has %zu", number, field->label_count);
	return set_text(VALUE_TEXT, field->labels[number - 1].text, field->labels[number - 1].len, ret);
}

static int set_members(const struct binlog_field *field, uint64_t members, struct arena *arena, struct value *ret,
	struct error *err)
{
	size_t count = 0, len = 0, first = 0;
	char *text, *to;

	if (field->label_count < 64 && members >> field->label_count != 0)
		return error_set(err, ERROR_DATA, "a member that the set's %zu labels do not have", field->label_count);
	for (size_t i = field->label_count < 64 ? field->label_count : 64; i > 0; i--) {
		if ((members >> (i - 1) & 1) == 0)
			continue;
		first = i - 1;
		len += field->labels[i - 1].len;
		count++;
	}
	if (count == 0)
		return set_text(VALUE_TEXT, "", 0, ret);
	if (count == 1)
		return set_text(VALUE_TEXT, field->labels[first].text, field->labels[first].len, ret);
	len += count - 1;
	text = arena_alloc(arena, len);
	if (text == NULL)
		return arena_error(arena, err);
	to = text;
	for (size_t i = first; i < field->label_count && i < 64; i++) {
		if ((members >> i & 1) == 0)
			continue;
		if (i > first)
			*to++ = ',';
		memcpy(to, field->labels[i].text, field->labels[i].len);
		to += field->labels[i].len;
	}
	return set_text(VALUE_TEXT, text, len, ret);
}

/* ---- MariaDB's types that look like BINARY ---- */

static void put_uuid(const unsigned char *bytes, char *to)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = hex[bytes[i] >> 4];
		*to++ = hex[bytes[i] & 15];
	}
}

static size_t put_inet4(const unsigned char *bytes, char *to)
{
	return (size_t)snprintf(to, INET4_TEXT + 1, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
}

/* RFC 4291 as MariaDB prints it: the longest run of zero groups, also of one, is left out; an IPv4 address that is embedded is shown as one. */
static size_t put_inet6(const unsigned char *bytes, char *to)
{
	unsigned groups[8], best = 8, best_len = 0;
	char *from = to;

	for (unsigned i = 0; i < 8; i++)
		groups[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
	for (unsigned i = 0; i < 8; i++) {
		unsigned len = 0;

		while (i + len < 8 && groups[i + len] == 0)
			len++;
		if (len > best_len) {
			best = i;
			best_len = len;
		}
		i += len;
	}
	for (unsigned i = 0; i < 8; i++) {
		if (i == best) {
			*to++ = ':';
			i += best_len - 1;
			if (i == 7)
				*to++ = ':';
			continue;
		}
		if (i > 0)
			*to++ = ':';
		if (i == 6 && best == 0 && (best_len == 6 || (best_len == 5 && groups[5] == 0xffff))) {
			to += put_inet4(bytes + 12, to);
			break;
		}
		to += snprintf(to, 5, "%x", groups[i]);
	}
	return (size_t)(to - from);
}

static int read_address(const struct binlog_field *field, const unsigned char **io_at, const unsigned char *end,
	struct arena *arena, struct value *ret, struct error *err)
{
	unsigned char whole[16] = { 0 };
	size_t want = field->form == FORM_INET4 ? 4 : 16, len;
	const unsigned char *bytes;
	char text[INET6_TEXT + 3];

	if (binlog_value_bytes(field, io_at, end, &bytes, &len, err) < 0)
		return -1;
	if (len > want)
		return error_set(err, ERROR_DATA, "%zu bytes, but the type has %zu", len, want);
	memcpy(whole, bytes, len);
	if (field->form == FORM_UUID) {
		put_uuid(whole, text);
		len = UUID_TEXT;
	} else {
		len = field->form == FORM_INET4 ? put_inet4(whole, text) : put_inet6(whole, text);
	}
	return copy_text(VALUE_TEXT, text, len, arena, ret, err);
}

/* ---- one value ---- */

static int read_fixed(const struct binlog_field *field, const unsigned char *at, struct arena *arena, struct value *ret,
	struct error *err)
{
	switch (field->form) {
	case FORM_INT:
		read_int(field, at, ret);
		return 0;
	case FORM_FLOAT:
		read_float(field, at, ret);
		return 0;
	case FORM_DECIMAL:
		return read_decimal(field, at, arena, ret, err);
	case FORM_BIT:
		return read_bit(field, at, ret, err);
	case FORM_YEAR:
		ret->kind = VALUE_INT;
		ret->i = at[0] == 0 ? 0 : 1900 + at[0];
		return 0;
	case FORM_ENUM:
		return read_enum(field, at, ret, err);
	case FORM_SET:
		return set_members(field, little_endian(at, field->size), arena, ret, err);
	case FORM_NOTHING:
		ret->kind = VALUE_NULL;
		return 0;
	default:
		return binlog_time_read(field, at, arena, ret, err);
	}
}

int binlog_value_read(const struct binlog_field *field, const unsigned char **io_at, const unsigned char *end,
	struct arena *arena, struct value *ret, struct error *err)
{
	const unsigned char *at = *io_at;

	switch (field->form) {
	case FORM_TEXT:
	case FORM_BYTES:
	case FORM_JSON:
		return read_string(field, io_at, end, arena, ret, err);
	case FORM_UUID:
	case FORM_INET4:
	case FORM_INET6:
		return read_address(field, io_at, end, arena, ret, err);
	default:
		if ((size_t)(end - at) < field->size)
			return cut_off(err);
		*io_at = at + field->size;
		return read_fixed(field, at, arena, ret, err);
	}
}
