/*
 * decimal.c: see decimal.h.
 *
 * Long numbers: the text is read 18 digits at a time into little endian 64-bit limbs that stand in the output
 * itself (number = number * 10^18 + part), then turned round to big endian and negated. Back: 9 digits at a time by
 * dividing 32-bit limbs by 10^9. Both are quadratic in the length, which the written maximum keeps below a second.
 */
#include "lib/codec/decimal.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/codec/digits.h"

const char digits_pairs[201] = "0001020304050607080910111213141516171819"
			       "2021222324252627282930313233343536373839"
			       "4041424344454647484950515253545556575859"
			       "6061626364656667686970717273747576777879"
			       "8081828384858687888990919293949596979899";

#define TEN_18 UINT64_C(1000000000000000000)
#define TEN_19 UINT64_C(10000000000000000000)
#define TEN_9 UINT32_C(1000000000)

__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

/* ---- text -> bytes ---- */

/* The digits of a text, point and sign and leading zeros removed, zeros added up to the scale. */
struct digit_reader {
	const char *at, *end;
	size_t zeros; /* behind end */
};

static inline unsigned next_digit(struct digit_reader *digits)
{
	if (digits->at < digits->end && *digits->at == '.')
		digits->at++;
	if (digits->at < digits->end)
		return (unsigned)(*digits->at++ - '0');
	return 0;
}

static size_t put_int64(unsigned char *out, int64_t number)
{
	uint64_t folded = (uint64_t)(number ^ (number >> 63));
	unsigned bits = folded == 0 ? 1 : 65 - (unsigned)__builtin_clzll(folded);
	size_t len = (bits + 7) / 8;
	uint64_t big = htobe64((uint64_t)number << (64 - 8 * len));

	memcpy(out, &big, sizeof big);
	return len;
}

static size_t put_int128(unsigned char *out, int128 number)
{
	size_t len = 16;
	unsigned char bytes[16];
	size_t skip = 0;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)((uint128)number >> (8 * (15 - i)));
	while (skip < 15 && ((bytes[skip] == 0 && bytes[skip + 1] < 0x80) || (bytes[skip] == 0xff && bytes[skip + 1] >= 0x80)))
		skip++;
	memcpy(out, bytes + skip, len - skip);
	return len - skip;
}

/* Two's complement negation of a big endian number in place. */
static void negate(unsigned char *bytes, size_t len)
{
	unsigned carry = 1;

	for (size_t i = len; i-- > 0;) {
		unsigned sum = (unsigned)(unsigned char)~bytes[i] + carry;

		bytes[i] = (unsigned char)sum;
		carry = sum >> 8;
	}
}

static size_t put_long(unsigned char *out, struct digit_reader *digits, size_t count, bool negative)
{
	size_t limbs = 0, skip = 0, len;

	while (count > 0) {
		size_t take = count % 18 == 0 ? 18 : count % 18;
		uint64_t part = 0, power = 1;
		uint128 carry;

		for (size_t i = 0; i < take; i++) {
			part = part * 10 + next_digit(digits);
			power *= 10;
		}
		count -= take;
		carry = part;
		for (size_t i = 0; i < limbs; i++) {
			uint64_t limb;

			memcpy(&limb, out + 8 * i, 8);
			carry += (uint128)limb * power;
			limb = (uint64_t)carry;
			memcpy(out + 8 * i, &limb, 8);
			carry >>= 64;
		}
		if (carry > 0) {
			uint64_t limb = (uint64_t)carry;

			memcpy(out + 8 * limbs++, &limb, 8);
		}
	}
	/* Limbs of the machine's order, the lowest first -> big endian. */
	for (size_t i = 0; i < (limbs + 1) / 2; i++) {
		uint64_t low, high;

		memcpy(&low, out + 8 * i, 8);
		memcpy(&high, out + 8 * (limbs - 1 - i), 8);
		low = htobe64(low);
		high = htobe64(high);
		memcpy(out + 8 * i, &high, 8);
		memcpy(out + 8 * (limbs - 1 - i), &low, 8);
	}
	len = 8 * limbs;
	if (out[0] >= 0x80) { /* room for the sign */
		memmove(out + 1, out, len++);
		out[0] = 0;
	}
	if (negative)
		negate(out, len);
	while (skip + 1 < len && ((out[skip] == 0 && out[skip + 1] < 0x80) || (out[skip] == 0xff && out[skip + 1] >= 0x80)))
		skip++;
	memmove(out, out + skip, len - skip);
	return len - skip;
}

enum decimal_result decimal_encode(const char *text, size_t len, int precision, int *io_scale, unsigned char *out,
	size_t *ret_len)
{
	const char *at = text, *end = text + len, *first = NULL;
	bool negative = at < end && *at == '-', point = false, any = false;
	size_t fraction = 0, count = 0; /* count: digits from the first that is not 0 */
	uint64_t number = 0;
	struct digit_reader digits;

	for (at += negative; at < end; at++) {
		unsigned digit = (unsigned)(unsigned char)*at - '0';

		if (digit > 9) {
			if (*at != '.' || point)
				return DECIMAL_NOT_PLAIN;
			point = true;
			continue;
		}
		any = true;
		fraction += point;
		if (count > 0 || digit != 0) {
			if (count++ == 0)
				first = at;
			number = number * 10 + digit; /* wraps for long ones, which do not use it */
		}
	}
	if (!any)
		return DECIMAL_NOT_PLAIN;
	if (*io_scale < 0)
		*io_scale = (int)(fraction > DECIMAL_SCALE_MAX ? DECIMAL_SCALE_MAX : fraction);
	if (fraction > (size_t)*io_scale)
		return DECIMAL_TOO_FINE;
	digits = (struct digit_reader){ first, end, (size_t)*io_scale - fraction };
	if (count > 0)
		count += digits.zeros;
	if ((precision > 0 && count > (size_t)precision) || count > DECIMAL_DIGITS_MAX)
		return DECIMAL_TOO_LONG;
	if (count <= 18) {
		for (size_t i = 0; i < digits.zeros && count > 0; i++)
			number *= 10;
		*ret_len = put_int64(out, negative ? -(int64_t)number : (int64_t)number);
	} else if (count <= 38) {
		uint128 wide = 0;

		for (size_t i = 0; i < count; i++)
			wide = wide * 10 + next_digit(&digits);
		*ret_len = put_int128(out, negative ? -(int128)wide : (int128)wide);
	} else {
		*ret_len = put_long(out, &digits, count, negative);
	}
	return DECIMAL_OK;
}

/* ---- bytes -> text ---- */

size_t decimal_text_bound(size_t len, int scale)
{
	size_t zeros = (size_t)(scale < 0 ? -(int64_t)scale : scale);

	if (len > DECIMAL_BYTES_MAX || zeros > DECIMAL_SCALE_MAX)
		return 0;
	/*
	 * log10(256) = 2.408; 12 more for the 9-digit and 4-byte roundings of the long way, its limbs stand behind the
	 * text.
	 */
	return len * 5 / 2 + 12 + zeros + 3 + (len > 16 ? len + 8 : 0);
}

/* Unsigned magnitude of up to 16 bytes of two's complement. */
static uint128 magnitude(const unsigned char *bytes, size_t len, bool negative)
{
	uint128 number = negative ? ~(uint128)0 : 0;

	for (size_t i = 0; i < len; i++)
		number = number << 8 | bytes[i];
	return negative ? -number : number;
}

/* The digits of a long number at `out`; its limbs are kept behind, at `work`. Returns the count. */
static size_t long_digits(const unsigned char *bytes, size_t len, bool negative, char *out, unsigned char *work)
{
	size_t limbs = (len + 3) / 4, parts = 0, count, skip = 0;
	size_t size = limbs * 4;
	char *end = out + len * 5 / 2 + 12; /* fill from the right, then move to the left */

	memset(work, negative ? 0xff : 0, size);
	memcpy(work + size - len, bytes, len);
	if (negative)
		negate(work, size);
	for (size_t i = 0; i < limbs; i++) {
		uint32_t limb;

		memcpy(&limb, work + 4 * i, 4);
		limb = be32toh(limb);
		memcpy(work + 4 * i, &limb, 4);
	}
	while (skip < limbs) {
		uint64_t rest = 0;
		uint32_t part;

		for (size_t i = skip; i < limbs; i++) {
			uint32_t limb;

			memcpy(&limb, work + 4 * i, 4);
			rest = rest << 32 | limb;
			limb = (uint32_t)(rest / TEN_9);
			rest %= TEN_9;
			memcpy(work + 4 * i, &limb, 4);
			if (i == skip && limb == 0)
				skip++;
		}
		part = (uint32_t)rest;
		parts++;
		for (int i = 0; i < 9; i++) {
			*--end = (char)('0' + part % 10);
			part /= 10;
		}
	}
	count = parts * 9;
	while (count > 1 && *end == '0') {
		end++;
		count--;
	}
	memmove(out, end, count);
	return count;
}

static size_t short_digits(uint128 number, char *out)
{
	size_t len = 0;

	if (number >= (uint128)TEN_19 * TEN_19) { /* at most 39 digits */
		len = digits_put(out, (uint64_t)(number / ((uint128)TEN_19 * TEN_19)));
		number %= (uint128)TEN_19 * TEN_19;
	}
	if (number >= TEN_19 || len > 0) {
		uint64_t high = (uint64_t)(number / TEN_19);

		if (len > 0) {
			memset(out + len, '0', 19);
			(void)digits_put_before(out + len + 19, high);
			len += 19;
		} else {
			len = digits_put(out, high);
		}
		memset(out + len, '0', 19);
		(void)digits_put_before(out + len + 19, (uint64_t)(number % TEN_19));
		return len + 19;
	}
	return digits_put(out, (uint64_t)number);
}

/* Digits at out[0..count) -> with the point where the scale wants it. Returns the new length. */
static size_t set_point(char *out, size_t count, int scale)
{
	size_t behind = (size_t)(scale < 0 ? -(int64_t)scale : scale);

	if (scale == 0)
		return count;
	if (scale < 0) {
		if (count == 1 && out[0] == '0')
			return 1;
		memset(out + count, '0', behind);
		return count + behind;
	}
	if (count <= behind) { /* 0.00ddd */
		size_t zeros = behind - count;

		memmove(out + 2 + zeros, out, count);
		memset(out, '0', 2 + zeros);
		out[1] = '.';
		return 2 + behind;
	}
	memmove(out + count - behind + 1, out + count - behind, behind);
	out[count - behind] = '.';
	return count + 1;
}

size_t decimal_decode(const unsigned char *bytes, size_t len, int scale, char *out)
{
	bool negative = len > 0 && bytes[0] >= 0x80;
	size_t count;

	if (negative)
		*out = '-';
	if (len <= 8) {
		uint64_t number = negative ? UINT64_MAX : 0;

		for (size_t i = 0; i < len; i++)
			number = number << 8 | bytes[i];
		count = digits_put(out + negative, negative ? 0 - number : number);
	} else if (len <= 16) {
		count = short_digits(magnitude(bytes, len, negative), out + negative);
	} else {
		unsigned char *work = (unsigned char *)out + decimal_text_bound(len, scale) - len - 4;

		count = long_digits(bytes, len, negative, out + negative, work);
	}
	return negative + set_point(out + negative, count, scale);
}
