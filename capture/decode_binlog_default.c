/*
 * decode_binlog_default.c: a column's default as a catalogue prints it -> struct value, for inserts whose image lacks the column.
 *
 * How the servers print a constant (information_schema.columns.column_default):
 *   MariaDB  numbers as they are, everything else in single quotes, quotes doubled, backslash sequences as in SQL; NULL
 *   MySQL    everything as it is; BINARY and VARBINARY as 0x.., but cut off at a zero byte
 *   both     BIT as b'101'; characters that utf8mb3 does not have, and bytes that are no text, as question marks
 * What such a text may have lost is not guessed: then there is no default. A FLOAT is printed with six digits, of which the last may be rounded.
 */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_binlog_value.h"

#define DECIMAL_DIGITS_MAX 65
#define FLOAT_DIGITS_SURE 5

struct text {
	const char *ptr;
	size_t len;
};

static bool set_text(enum value_kind kind, const void *bytes, size_t len, struct value *ret)
{
	ret->kind = kind;
	ret->text.ptr = bytes;
	ret->text.len = len;
	return true;
}

static char unescape(char c)
{
	static const char from[] = "0nrtbZ", to[] = "\0\n\r\t\b\032";
	const char *at = c != '\0' ? strchr(from, c) : NULL;

	return at != NULL ? to[at - from] : c;
}

/* Takes the quotes off. False: not one string in quotes. */
static bool unquote(struct text *text, struct arena *arena)
{
	char *plain, *to;

	if (text->len < 2 || text->ptr[0] != '\'' || text->ptr[text->len - 1] != '\'')
		return false;
	plain = to = arena_alloc(arena, text->len);
	if (plain == NULL)
		return false;
	for (size_t i = 1; i < text->len - 1; i++) {
		char c = text->ptr[i];

		if (c == '\'' || c == '\\') {
			if (++i == text->len - 1 || (c == '\'' && text->ptr[i] != '\''))
				return false;
			c = c == '\\' ? unescape(text->ptr[i]) : '\'';
		}
		*to++ = c;
	}
	*text = (struct text){ plain, (size_t)(to - plain) };
	return true;
}

static bool parse_int(const struct binlog_field *field, const char *text, struct value *ret)
{
	unsigned bits = 8U * field->size;
	char *end;

	errno = 0;
	if (!field->is_unsigned) {
		long long n = strtoll(text, &end, 10);

		ret->kind = VALUE_INT;
		ret->i = n;
		return errno == 0 && end != text && *end == '\0' &&
			(bits == 64 || (n >> (bits - 1) == 0 || n >> (bits - 1) == -1));
	}
	ret->u = strtoull(text, &end, 10);
	ret->kind = field->size == 8 ? VALUE_UINT : VALUE_INT; /* the union's other member has the same bits */
	return errno == 0 && end != text && *end == '\0' && *text != '-' && (bits == 64 || ret->u >> bits == 0);
}

static bool parse_float(const struct binlog_field *field, const char *text, struct value *ret)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	size_t digits = 0;
	char *end = NULL;

	if (c == (locale_t)0)
		return false;
	ret->kind = VALUE_FLOAT;
	ret->f = field->size == 8 ? strtod_l(text, &end, c) : strtof_l(text, &end, c);
	freelocale(c);
	for (const char *at = text; *at != '\0' && *at != 'e' && *at != 'E'; at++)
		digits += (*at >= '1' && *at <= '9') || (*at == '0' && digits > 0);
	return end != text && *end == '\0' && (field->size == 8 || digits <= FLOAT_DIGITS_SURE);
}

/* Plain digits with exactly as many behind the point as the column has. */
static bool parse_decimal(const struct binlog_field *field, const char *text, struct arena *arena, struct value *ret)
{
	const char *at = text + (*text == '-'), *point;
	size_t whole = strspn(at, "0123456789"), behind = 0, len;
	char *copy;

	point = at + whole;
	if (*point == '.') {
		behind = strspn(point + 1, "0123456789");
		if (point[1 + behind] != '\0')
			return false;
	} else if (*point != '\0') {
		return false;
	}
	if (whole == 0 || whole > DECIMAL_DIGITS_MAX || behind > field->scale)
		return false;
	len = strlen(text);
	copy = arena_alloc(arena, len + 2 + field->scale);
	if (copy == NULL)
		return false;
	memcpy(copy, text, len);
	if (field->scale > 0 && behind == 0 && *point != '.')
		copy[len++] = '.';
	for (; behind < field->scale; behind++)
		copy[len++] = '0';
	return set_text(VALUE_TEXT, copy, len, ret);
}

/* b'101' */
static bool parse_bits(const char *text, struct value *ret)
{
	uint64_t bits = 0;

	if (text[0] != 'b' || text[1] != '\'')
		return false;
	for (text += 2; *text == '0' || *text == '1'; text++)
		bits = bits << 1 | (unsigned)(*text - '0');
	ret->kind = VALUE_UINT;
	ret->u = bits;
	return text[0] == '\'' && text[1] == '\0';
}

static bool find_label(const struct binlog_field *field, const struct text *text, struct value *ret)
{
	for (size_t i = 0; i < field->label_count; i++)
		if (field->labels[i].len == text->len && memcmp(field->labels[i].text, text->ptr, text->len) == 0)
			return set_text(VALUE_TEXT, field->labels[i].text, text->len, ret);
	return false;
}

static bool is_ascii(const struct text *text)
{
	for (size_t i = 0; i < text->len; i++)
		if ((unsigned char)text->ptr[i] >= 0x80)
			return false;
	return true;
}

/* BINARY is padded, the others are as long as their text. */
static bool set_bytes(const struct binlog_field *field, const struct text *text, struct arena *arena, struct value *ret)
{
	size_t len = text->len < field->pad ? field->pad : text->len;
	char *bytes = arena_zalloc(arena, len);

	if (bytes == NULL)
		return false;
	memcpy(bytes, text->ptr, text->len);
	return set_text(VALUE_BYTES, bytes, len, ret);
}

static bool parse_string(const struct binlog_field *field, const struct text *text, bool mariadb, struct arena *arena,
	struct value *ret)
{
	if (memchr(text->ptr, '?', text->len) != NULL)
		return false; /* perhaps one that stands for something else */
	switch (field->form) {
	case FORM_TEXT:
	case FORM_UUID:
	case FORM_INET4:
	case FORM_INET6:
		return set_text(VALUE_TEXT, text->ptr, text->len, ret);
	case FORM_BYTES:
		return mariadb && is_ascii(text) && set_bytes(field, text, arena, ret);
	case FORM_ENUM:
		return find_label(field, text, ret);
	default: /* FORM_SET: the server prints the members in the set's order */
		return set_text(VALUE_TEXT, text->ptr, text->len, ret);
	}
}

bool binlog_value_default(const struct binlog_field *field, const char *text, bool mariadb, struct arena *arena,
	struct value *ret)
{
	size_t len = strlen(text);
	struct text plain = { arena_strndup(arena, text, len), len };
	char *year_end;
	long year;

	if (plain.ptr == NULL)
		return false;
	if (mariadb && strcmp(text, "NULL") == 0) {
		ret->kind = VALUE_NULL;
		return true;
	}
	switch (field->form) {
	case FORM_INT:
		return parse_int(field, plain.ptr, ret);
	case FORM_FLOAT:
		return parse_float(field, plain.ptr, ret);
	case FORM_DECIMAL:
		return parse_decimal(field, plain.ptr, arena, ret);
	case FORM_BIT:
		return parse_bits(plain.ptr, ret);
	case FORM_YEAR:
		year = strtol(plain.ptr, &year_end, 10);
		ret->kind = VALUE_INT;
		ret->i = year;
		return year_end != plain.ptr && *year_end == '\0' && (year == 0 || (year > 1900 && year <= 2155));
	case FORM_JSON:
	case FORM_NOTHING:
		return false;
	default:
		break;
	}
	if (mariadb && !unquote(&plain, arena))
		return false;
	if (field->form >= FORM_DATE && field->form <= FORM_OLD_TIMESTAMP)
		return binlog_time_parse(field, plain.ptr, plain.len, arena, ret);
	return parse_string(field, &plain, mariadb, arena, ret);
}

bool binlog_value_implicit_default(const struct binlog_field *field, struct arena *arena, struct value *ret)
{
	static const struct text empty = { "", 0 };
	const char *zero;

	switch (field->form) {
	case FORM_INT:
	case FORM_FLOAT:
	case FORM_DECIMAL:
	case FORM_YEAR:
		return binlog_value_default(field, "0", false, arena, ret);
	case FORM_BIT:
		return parse_bits("b'0'", ret);
	case FORM_TEXT:
		return set_text(VALUE_TEXT, "", 0, ret);
	case FORM_BYTES:
		return set_bytes(field, &empty, arena, ret);
	case FORM_ENUM:
		return field->label_count > 0 && set_text(VALUE_TEXT, field->labels[0].text, field->labels[0].len, ret);
	case FORM_SET:
		return set_text(VALUE_TEXT, "", 0, ret);
	case FORM_TIME:
	case FORM_OLD_TIME:
		return binlog_time_parse(field, "00:00:00", 8, arena, ret);
	case FORM_DATE:
	case FORM_DATETIME:
	case FORM_OLD_DATETIME:
	case FORM_TIMESTAMP:
	case FORM_OLD_TIMESTAMP:
		zero = field->form == FORM_DATE ? "0000-00-00" : "0000-00-00 00:00:00";
		return binlog_time_parse(field, zero, strlen(zero), arena, ret);
	default:
		return false;
	}
}
