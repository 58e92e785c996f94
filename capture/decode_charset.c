/*
 * decode_charset.c: which charset a collation has, and text in it -> UTF-8.
 *
 * Three ways, by the form of the charset (decode_charset_tables.h):
 *   - UTF-8 and ASCII: looked through, eight bytes at a time while they are ASCII, and borrowed.
 *   - One byte a character, UCS-2, UTF-16, UTF-32: by table or arithmetic; measured first, so that the result is one piece of its size.
 *   - The charsets of East Asia: by iconv, one descriptor for each and thread, opened at the first use. The servers differ from glibc in some
 *     characters, which the generated tables list (0x815f in sjis and 0xa1c0 in ujis are a backslash; big5 from 0xc6a1 on; gb18030 is that of
 *     2000 and not of 2022): the text is cut at those, and the pieces between them go through iconv. What iconv can convert and the servers
 *     cannot is taken.
 * All of these but UCS-2, UTF-16, UTF-32 and swe7 hold ASCII as it is, so text that is all ASCII is borrowed there too.
 *
 * Ids of collations: one range of ids serves both servers (no id has two charsets). MariaDB makes those from 2048 on itself: 256 for each of
 * five charsets (UCA 14.0.0).
 */
#include "capture/decode_charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "capture/decode_charset_tables.h"

#define UCA1400_FIRST 2048
#define UCA1400_EACH 256
#define ASCII_MASK UINT64_C(0x8080808080808080)

/* ---- look-up ---- */

const struct charset *charset_by_name(const char *name)
{
	if (strcmp(name, "utf8") == 0)
		name = "utf8mb3";
	for (size_t i = 0; i < charset_count; i++)
		if (strcmp(charset_list[i].name, name) == 0)
			return &charset_list[i];
	return NULL;
}

const struct charset *charset_by_collation(uint32_t collation)
{
	static const char *const uca1400[] = { "utf8mb3", "utf8mb4", "ucs2", "utf16", "utf32" };
	size_t low = 0, high = charset_collations_count;

	if (collation >= UCA1400_FIRST) {
		size_t i = (collation - UCA1400_FIRST) / UCA1400_EACH;

		return i < sizeof uca1400 / sizeof uca1400[0] ? charset_by_name(uca1400[i]) : NULL;
	}
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct charset_collations *range = &charset_collations[middle];

		if (collation < range->first)
			high = middle;
		else if (collation > range->last)
			low = middle + 1;
		else
			return &charset_list[range->charset];
	}
	return NULL;
}

const char *charset_name(const struct charset *charset)
{
	return charset->name;
}

bool charset_is_binary(const struct charset *charset)
{
	return strcmp(charset->name, "binary") == 0;
}

unsigned charset_width(const struct charset *charset)
{
	return charset->width;
}

/* ---- UTF-8 ---- */

static uint64_t word_at(const unsigned char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return word;
}

/* The first byte that is not ASCII, or end. */
static const unsigned char *skip_ascii(const unsigned char *at, const unsigned char *end)
{
	while (end - at >= 8 && (word_at(at) & ASCII_MASK) == 0)
		at += 8;
	while (at < end && *at < 0x80)
		at++;
	return at;
}

/* Length of the valid character of more than one byte that begins here; 0: there is none. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
	unsigned lead = at[0];
	size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

	if (lead < 0xc2 || lead > 0xf4 || left < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* too long a form, half of a surrogate pair, above U+10FFFF */
	if ((lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f) || (lead == 0xf0 && at[1] < 0x90) ||
		(lead == 0xf4 && at[1] > 0x8f))
		return 0;
	return len;
}

static size_t utf8_size(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static char *utf8_put(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* ---- results ---- */

static int set_text(const char *text, size_t len, struct value *ret)
{
	ret->kind = VALUE_TEXT;
	ret->text.ptr = text;
	ret->text.len = len;
	return 0;
}

/* The content is not repeated, it may be personal. */
static int invalid(const struct charset *charset, size_t at, size_t len, struct error *err)
{
	return error_set(err, ERROR_DATA, "byte %zu of %zu is no text in charset %s", at, len, charset->name);
}

static int pass_utf8(const struct charset *charset, const unsigned char *bytes, size_t len, struct value *ret,
	struct error *err)
{
	const unsigned char *at = bytes, *end = bytes + len;

	while ((at = skip_ascii(at, end)) < end) {
		size_t n = utf8_length(at, (size_t)(end - at));

		if (n == 0)
			return invalid(charset, (size_t)(at - bytes), len, err);
		at += n;
	}
	return set_text((const char *)bytes, len, ret);
}

/* ---- tables and arithmetic ---- */

#define NO_CHARACTER UINT32_MAX

/* Takes the character at *at (at < end); NO_CHARACTER: there is none. */
static uint32_t take_character(const struct charset *charset, const unsigned char **at, const unsigned char *end)
{
	const unsigned char *p = *at;
	size_t left = (size_t)(end - p);
	unsigned little = charset->form == CHARSET_UTF16LE;
	uint32_t c, low;

	if (charset->form == CHARSET_ONE_BYTE) {
		*at = p + 1;
		c = *p >= 0x80 ? charset->high[*p - 0x80] : charset->low != NULL ? charset->low[*p] : *p;
		return c == 0 && *p != 0 ? NO_CHARACTER : c;
	}
	if (charset->form == CHARSET_UTF32BE) {
		if (left < 4)
			return NO_CHARACTER;
		*at = p + 4;
		c = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
		return c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? NO_CHARACTER : c;
	}
	if (left < 2)
		return NO_CHARACTER;
	c = (uint32_t)p[little] << 8 | p[1 - little];
	*at = p + 2;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (left < 4 || c > 0xdbff)
		return NO_CHARACTER;
	low = (uint32_t)p[2 + little] << 8 | p[3 - little];
	*at = p + 4;
	return low < 0xdc00 || low > 0xdfff ? NO_CHARACTER : 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
}

static int by_character(const struct charset *charset, const unsigned char *bytes, size_t len, struct arena *arena,
	struct value *ret, struct error *err)
{
	const unsigned char *at = bytes, *end = bytes + len;
	size_t size = 0;
	char *text, *to;

	while (at < end) {
		const unsigned char *from = at;
		uint32_t c = take_character(charset, &at, end);

		if (c == NO_CHARACTER)
			return invalid(charset, (size_t)(from - bytes), len, err);
		size += utf8_size(c);
	}
	text = arena_alloc(arena, size);
	if (text == NULL)
		return arena_error(arena, err);
	for (at = bytes, to = text; at < end;)
		to = utf8_put(to, take_character(charset, &at, end));
	return set_text(text, size, ret);
}

/* ---- iconv ---- */

/* One thread's; a descriptor keeps state, and opening one reads files. */
static _Thread_local iconv_t descriptors[CHARSET_LIST_MAX];
static _Thread_local bool opened[CHARSET_LIST_MAX];

static int open_iconv(const struct charset *charset, iconv_t *ret, struct error *err)
{
	size_t i = (size_t)(charset - charset_list);

	if (!opened[i]) {
		iconv_t descriptor = iconv_open("UTF-8", charset->iconv_name);

		if (descriptor == (iconv_t)-1) {
			(void)error_set(err, ERROR_CONFIG, "iconv cannot convert %s, which charset %s needs: %s",
				charset->iconv_name, charset->name, strerror(errno));
			return error_hint(err, "install the C library's gconv modules (Debian: libc6)");
		}
		descriptors[i] = descriptor;
		opened[i] = true;
	}
	*ret = descriptors[i];
	return 0;
}

/* Bytes of the character at `at`, by its first ones. */
static size_t character_length(enum charset_form form, const unsigned char *at, size_t left)
{
	if (at[0] < 0x80)
		return 1;
	switch (form) {
	case CHARSET_SHIFT_JIS:
		return at[0] >= 0xa1 && at[0] <= 0xdf ? 1 : 2;
	case CHARSET_EUC_JP:
		return at[0] == 0x8f ? 3 : 2;
	case CHARSET_GB18030:
		return left > 1 && at[1] >= '0' && at[1] <= '9' ? 4 : 2;
	default:
		return 2;
	}
}

static const struct charset_exception *find_exception(const struct charset *charset, const unsigned char *at,
	size_t len)
{
	size_t low = 0, high = charset->exception_count;
	uint32_t code = 0;

	for (size_t i = 0; i < len; i++)
		code = code << 8 | at[i];
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (charset->exceptions[middle].code == code)
			return &charset->exceptions[middle];
		if (charset->exceptions[middle].code < code)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Appends [from, to) to *out. Returns where it is not valid, or NULL. */
static const unsigned char *run_iconv(iconv_t descriptor, const unsigned char *from, const unsigned char *to,
	char **out, char *end)
{
	char *in = (char *)(uintptr_t)from; /* iconv's prototype lacks the const */
	size_t left = (size_t)(to - from), room = (size_t)(end - *out);

	if (left == 0)
		return NULL;
	(void)iconv(descriptor, NULL, NULL, NULL, NULL);
	if (iconv(descriptor, &in, &left, out, &room) == (size_t)-1 ||
		iconv(descriptor, NULL, NULL, out, &room) == (size_t)-1)
		return (const unsigned char *)in;
	return NULL;
}

static int by_iconv(const struct charset *charset, const unsigned char *bytes, size_t len, struct arena *arena,
	struct value *ret, struct error *err)
{
	const unsigned char *at = bytes, *from = bytes, *end = bytes + len, *bad = NULL;
	size_t room = (len + 1) / 2 * charset->growth + 4;
	char *text, *to;
	iconv_t descriptor = (iconv_t)-1;

	if (open_iconv(charset, &descriptor, err) < 0)
		return -1;
	text = arena_alloc(arena, room);
	if (text == NULL)
		return arena_error(arena, err);
	to = text;
	while (bad == NULL && (at = skip_ascii(at, end)) < end) {
		size_t left = (size_t)(end - at), n = character_length(charset->form, at, left);
		const struct charset_exception *exception = NULL;

		if (n > left) {
			bad = at;
			break;
		}
		exception = find_exception(charset, at, n);
		if (exception != NULL) {
			bad = run_iconv(descriptor, from, at, &to, text + room);
			to = utf8_put(to, exception->character);
			from = at + n;
		}
		at += n;
	}
	if (bad == NULL)
		bad = run_iconv(descriptor, from, end, &to, text + room);
	if (bad != NULL)
		return invalid(charset, (size_t)(bad - bytes), len, err);
	return set_text(text, (size_t)(to - text), ret);
}

int charset_text(const struct charset *charset, const unsigned char *bytes, size_t len, struct arena *arena,
	struct value *ret, struct error *err)
{
	switch (charset->form) {
	case CHARSET_UTF8:
		return pass_utf8(charset, bytes, len, ret, err);
	case CHARSET_UTF16BE:
	case CHARSET_UTF16LE:
	case CHARSET_UTF32BE:
		return by_character(charset, bytes, len, arena, ret, err);
	default:
		break;
	}
	if (charset->low == NULL && skip_ascii(bytes, bytes + len) == bytes + len)
		return set_text((const char *)bytes, len, ret);
	return charset->form == CHARSET_ONE_BYTE ? by_character(charset, bytes, len, arena, ret, err) :
		by_iconv(charset, bytes, len, arena, ret, err);
}
