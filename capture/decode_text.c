/*
 * decode_text.c: one function for each family of text forms.
 *
 *   boolean      t | f
 *   integers     -?digits
 *   float4/8     -?digits[.digits][e[+-]digits] | NaN | Infinity | -Infinity     shortest that reads back the same
 *   numeric      -?digits[.digits] | NaN | Infinity | -Infinity
 *   bytea        \x(two hex digits)*
 *   date         YYYY-MM-DD[ BC] | infinity | -infinity                          years have four digits or more
 *   time         HH:MM:SS[.f to .ffffff], up to 24:00:00
 *   timestamp    date ' ' time [+00][ BC] | infinity | -infinity                 +00: with time zone (session's: UTC)
 *   arrays       {e,"e \"quoted\" \\",NULL} | {{nested}} | [2:4]={with bounds}
 *
 * Called for each column of each row: no allocation but in the arena, nothing that depends on the locale.
 */
#include "config.h" /* strtod_l() */

#include "capture/decode_text.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DAY_US (INT64_C(86400) * 1000000)
#define FLOAT_TEXT_MAX 128 /* the longest that a float's output function writes is 24 bytes */
#define YEAR_DIGITS_MAX 7

int pg_text_init(struct pg_text *forms, struct error *err)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);

	if (c == (locale_t)0)
		return error_set(err, ERROR_RETRY, "out of memory for the C locale");
	forms->c = c;
	return 0;
}

void pg_text_release(struct pg_text *forms)
{
	if (forms->c != (locale_t)0)
		freelocale(forms->c);
	forms->c = (locale_t)0;
}

static int malformed(const char *what, size_t len, struct error *err)
{
	return error_set(err, ERROR_DATA, "%zu bytes of text are not %s", len, what);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool text_is(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

static int exact(const char *text, size_t len, struct value *ret)
{
	ret->kind = VALUE_EXACT;
	ret->text.ptr = text;
	ret->text.len = len;
	return 0;
}

static int as_text(const char *text, size_t len, struct value *ret)
{
	ret->kind = VALUE_TEXT;
	ret->text.ptr = text;
	ret->text.len = len;
	return 0;
}

/* ---- numbers ---- */

/* least: the type's smallest value (0 or negative); most: its largest. */
static int integer_value(const char *text, size_t len, int64_t least, int64_t most, struct value *ret,
	struct error *err)
{
	bool negative = len > 0 && text[0] == '-';
	uint64_t limit = negative ? (uint64_t)0 - (uint64_t)least : (uint64_t)most;
	size_t i = negative ? 1 : 0;
	uint64_t n = 0;

	/* 19 digits cannot overflow 64 bits, and no type has more. */
	if (i == len || len - i > 19)
		return malformed("an integer", len, err);
	for (; i < len; i++) {
		unsigned digit = (unsigned char)text[i] - '0';

		if (digit > 9)
			return malformed("an integer", len, err);
		n = n * 10 + digit;
	}
	if (n > limit)
		return error_set(err, ERROR_DATA, "integer out of its type's range");
	ret->kind = VALUE_INT;
	ret->i = negative ? (int64_t)((uint64_t)0 - n) : (int64_t)n;
	return 0;
}

/* A float's text taken apart: mantissa * 10^exponent, if `whole` (no digit was dropped). */
struct float_text {
	bool negative;
	bool whole;
	uint64_t mantissa;
	int exponent;
};

static bool float_parse(const char *text, size_t len, struct float_text *ret)
{
	const char *at = text, *end = text + len;
	int digits = 0, exponent = 0, shift = 0;
	bool point = false, negative_exponent;

	*ret = (struct float_text){ .whole = true };
	if (at < end && *at == '-') {
		ret->negative = true;
		at++;
	}
	for (; at < end; at++) {
		if (*at == '.' && !point) {
			point = true;
			continue;
		}
		if (!is_digit(*at))
			break;
		digits++;
		if (ret->mantissa >= UINT64_MAX / 10 - 1)
			ret->whole = false;
		else
			ret->mantissa = ret->mantissa * 10 + (uint64_t)(*at - '0');
		if (point)
			shift++;
	}
	if (digits == 0)
		return false;
	if (at < end && *at == 'e') {
		at++;
		negative_exponent = at < end && *at == '-';
		if (at < end && (*at == '-' || *at == '+'))
			at++;
		if (at == end || end - at > 5)
			return false;
		for (; at < end && is_digit(*at); at++)
			exponent = exponent * 10 + (*at - '0');
		if (negative_exponent)
			exponent = -exponent;
	}
	ret->exponent = exponent - shift;
	return at == end;
}

/* Exact because both operands are, and a division or multiplication rounds once (Clinger's fast path). */
static bool float_fast(const struct float_text *parts, double *ret)
{
	static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
		1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	double d = (double)parts->mantissa;

	if (!parts->whole || parts->mantissa > UINT64_C(1) << 53 || parts->exponent < -22 || parts->exponent > 22)
		return false;
	d = parts->exponent < 0 ? d / powers[-parts->exponent] : d * powers[parts->exponent];
	*ret = parts->negative ? -d : d;
	return true;
}

/*
 * The nearest float to a decimal is that of its nearest double, unless the double lies just between two floats (its
 * 29 bits that a float lacks are 100...0: then the decimal may have been on either side) or the float is subnormal
 * and lacks more bits.
 */
static bool float_narrow(double d, double *ret)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof bits);
	if ((bits & 0x1fffffff) == 0x10000000 || fabs(d) > 3e38 || (d != 0 && fabs(d) < 1e-37))
		return false;
	*ret = (double)(float)d;
	return true;
}

static int float_value(const struct pg_text *forms, bool narrow, const char *text, size_t len, struct value *ret,
	struct error *err)
{
	struct float_text parts;
	char copy[FLOAT_TEXT_MAX];
	double d;

	if (len < sizeof copy && float_parse(text, len, &parts)) {
		if (!float_fast(&parts, &d) || (narrow && !float_narrow(d, &d))) {
			memcpy(copy, text, len);
			copy[len] = '\0';
			d = narrow ? (double)strtof_l(copy, NULL, forms->c) : strtod_l(copy, NULL, forms->c);
		}
		if (isinf(d))
			return error_set(err, ERROR_DATA, "float out of its type's range");
	} else if (text_is(text, len, "NaN")) {
		d = (double)NAN;
	} else if (text_is(text, len, "Infinity")) {
		d = HUGE_VAL;
	} else if (text_is(text, len, "-Infinity")) {
		d = -HUGE_VAL;
	} else {
		return malformed("a float", len, err);
	}
	ret->kind = VALUE_FLOAT;
	ret->f = d;
	return 0;
}

static int numeric_value(const struct column *column, const char *text, size_t len, struct value *ret,
	struct error *err)
{
	size_t i = len > 0 && text[0] == '-' ? 1 : 0, first, whole, fraction = 0, leading;

	first = i;
	while (i < len && text[i] == '0')
		i++;
	leading = i - first;
	first = i;
	while (i < len && is_digit(text[i]))
		i++;
	whole = i - first;
	if (i < len && text[i] == '.') {
		first = ++i;
		while (i < len && is_digit(text[i]))
			i++;
		fraction = i - first;
		if (fraction == 0)
			return malformed("a numeric", len, err);
	}
	if (i < len || leading + whole == 0) {
		if (text_is(text, len, "NaN") || text_is(text, len, "Infinity") || text_is(text, len, "-Infinity"))
			return exact(text, len, ret);
		return malformed("a numeric", len, err);
	}
	/* Never with a sound server: what the declared type cannot hold, or would give another number of digits back. */
	if (column->precision > 0 &&
		(fraction != (size_t)column->scale || whole > (size_t)(column->precision - column->scale)))
		return exact(text, len, ret);
	return as_text(text, len, ret);
}

/* ---- bytes ---- */

/* One more than the digit's worth; 0: none. */
static const unsigned char hex_worth[256] = {
	['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10,
	['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

static int bytes_value(const char *text, size_t len, struct arena *arena, struct value *ret, struct error *err)
{
	unsigned char *bytes;

	if (len < 2 || text[0] != '\\' || text[1] != 'x' || len % 2 != 0)
		return malformed("a bytea in hex form", len, err);
	bytes = arena_alloc(arena, len / 2 - 1);
	if (bytes == NULL)
		return arena_error(arena, err);
	for (size_t i = 2; i < len; i += 2) {
		unsigned high = hex_worth[(unsigned char)text[i]], low = hex_worth[(unsigned char)text[i + 1]];

		if (high == 0 || low == 0)
			return malformed("a bytea in hex form", len, err);
		bytes[i / 2 - 1] = (unsigned char)((high - 1) << 4 | (low - 1));
	}
	ret->kind = VALUE_BYTES;
	ret->text.ptr = (const char *)bytes;
	ret->text.len = len / 2 - 1;
	return 0;
}

/* ---- times ---- */

/* Two digits, or -1. */
static int two_digits(const char *at)
{
	return is_digit(at[0]) && is_digit(at[1]) ? (at[0] - '0') * 10 + (at[1] - '0') : -1;
}

/* Proleptic Gregorian; before_christ as PostgreSQL writes it: 0001 BC is the year before 0001. */
struct date {
	int year, month, day;
	bool before_christ;
};

/* Takes "YYYY-MM-DD" off *at. */
static bool take_date(const char **at, const char *end, struct date *ret)
{
	const char *from = *at;
	size_t digits = 0;

	*ret = (struct date){ 0 };
	while (from + digits < end && digits < YEAR_DIGITS_MAX && is_digit(from[digits]))
		ret->year = ret->year * 10 + (from[digits++] - '0');
	from += digits;
	if (digits < 4 || end - from < 6 || from[0] != '-' || from[3] != '-')
		return false;
	ret->month = two_digits(from + 1);
	ret->day = two_digits(from + 4);
	*at = from + 6;
	return true;
}

/* Takes " BC", or nothing, off *at: the text must end there. */
static bool take_era(const char *at, const char *end, struct date *date)
{
	date->before_christ = text_is(at, (size_t)(end - at), " BC");
	return date->before_christ || at == end;
}

static bool date_exists(const struct date *date)
{
	static const signed char days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = date->before_christ ? 1 - date->year : date->year;

	if (date->year < 1 || date->month < 1 || date->month > 12 || date->day < 1 || date->day > days[date->month - 1])
		return false;
	return date->month != 2 || date->day < 29 || (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* Only these years are numbers in the change model. */
static bool date_plain(const struct date *date)
{
	return !date->before_christ && date->year <= 9999;
}

/* Days since 1970-01-01, of a plain date. Years are taken to begin in March, so that the leap day is their last. */
static int64_t date_days(const struct date *date)
{
	int year = date->month <= 2 ? date->year - 1 : date->year;
	int since_march = date->month <= 2 ? date->month + 9 : date->month - 3;
	int day_of_year = (153 * since_march + 2) / 5 + date->day - 1;

	/* 719468: from 0000-03-01 to 1970-01-01. */
	return (int64_t)365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
}

/* Takes "HH:MM:SS[.ffffff]" off *at. */
static bool take_time(const char **at, const char *end, int64_t *ret_us)
{
	const char *from = *at;
	int hour, minute, second;
	int64_t fraction = 0, unit = 1000000;

	if (end - from < 8 || from[2] != ':' || from[5] != ':')
		return false;
	hour = two_digits(from);
	minute = two_digits(from + 3);
	second = two_digits(from + 6);
	if (hour < 0 || minute < 0 || second < 0 || hour > 24 || minute > 59 || second > 59)
		return false;
	from += 8;
	if (from < end && *from == '.') {
		for (from++; from < end && is_digit(*from); from++) {
			if (unit == 1)
				return false;
			unit /= 10;
			fraction += (*from - '0') * unit;
		}
		if (unit == 1000000)
			return false;
	}
	*ret_us = ((int64_t)hour * 3600 + minute * 60 + second) * 1000000 + fraction;
	*at = from;
	return *ret_us <= DAY_US;
}

static bool is_infinity(const char *text, size_t len)
{
	return text_is(text, len, "infinity") || text_is(text, len, "-infinity");
}

static int date_value(const char *text, size_t len, struct value *ret, struct error *err)
{
	const char *at = text, *end = text + len;
	struct date date;

	if (is_infinity(text, len))
		return exact(text, len, ret);
	if (!take_date(&at, end, &date) || !take_era(at, end, &date) || !date_exists(&date))
		return malformed("a date in ISO form", len, err);
	if (!date_plain(&date))
		return exact(text, len, ret);
	ret->kind = VALUE_INT;
	ret->i = date_days(&date);
	return 0;
}

static int time_value(const char *text, size_t len, struct value *ret, struct error *err)
{
	const char *at = text;
	int64_t us;

	if (!take_time(&at, text + len, &us) || at != text + len)
		return malformed("a time in ISO form", len, err);
	ret->kind = VALUE_INT;
	ret->i = us;
	return 0;
}

static int timestamp_value(bool zone, const char *text, size_t len, struct value *ret, struct error *err)
{
	const char *form = zone ? "a timestamp in ISO form with time zone +00" : "a timestamp in ISO form";
	const char *at = text, *end = text + len;
	struct date date;
	int64_t us = 0;

	if (is_infinity(text, len))
		return exact(text, len, ret);
	if (!take_date(&at, end, &date) || at == end || *at++ != ' ' || !take_time(&at, end, &us) || us == DAY_US)
		return malformed(form, len, err);
	if (zone) {
		if (end - at < 3 || memcmp(at, "+00", 3) != 0)
			return malformed(form, len, err);
		at += 3;
	}
	if (!take_era(at, end, &date) || !date_exists(&date))
		return malformed(form, len, err);
	if (!date_plain(&date))
		return exact(text, len, ret);
	ret->kind = VALUE_INT;
	ret->i = date_days(&date) * DAY_US + us;
	return 0;
}

/* ---- values ---- */

/* Everything but arrays. `type` is the column's or, in an array, its elements'. */
static int scalar_value(const struct pg_text *forms, enum column_type type, const struct column *column,
	const char *text, size_t len, struct arena *arena, struct value *ret, struct error *err)
{
	switch (type) {
	case COLUMN_BOOL:
		if (len != 1 || (text[0] != 't' && text[0] != 'f'))
			return malformed("a boolean", len, err);
		ret->kind = VALUE_BOOL;
		ret->b = text[0] == 't';
		return 0;
	case COLUMN_INT16:
		return integer_value(text, len, INT16_MIN, INT16_MAX, ret, err);
	case COLUMN_INT32:
		return integer_value(text, len, INT32_MIN, INT32_MAX, ret, err);
	case COLUMN_INT64:
		return integer_value(text, len, INT64_MIN, INT64_MAX, ret, err);
	case COLUMN_FLOAT32:
	case COLUMN_FLOAT64:
		return float_value(forms, type == COLUMN_FLOAT32, text, len, ret, err);
	case COLUMN_DECIMAL:
		return numeric_value(column, text, len, ret, err);
	case COLUMN_BYTES:
		return bytes_value(text, len, arena, ret, err);
	case COLUMN_DATE:
		return date_value(text, len, ret, err);
	case COLUMN_TIME:
		return time_value(text, len, ret, err);
	case COLUMN_TIMESTAMP:
	case COLUMN_TIMESTAMPTZ:
		return timestamp_value(type == COLUMN_TIMESTAMPTZ, text, len, ret, err);
	case COLUMN_STRING:
	case COLUMN_JSON:
	case COLUMN_XML:
	case COLUMN_UUID:
	case COLUMN_ENUM:
	case COLUMN_TIMETZ:
	case COLUMN_INTERVAL:
		return as_text(text, len, ret);
	case COLUMN_UINT64: /* PostgreSQL has none */
	case COLUMN_BITS:
	case COLUMN_YEAR:
	case COLUMN_SET:
	case COLUMN_DURATION:
	case COLUMN_GEOMETRY:
	case COLUMN_VECTOR:
	case COLUMN_ARRAY:
		break;
	}
	return error_set(err, ERROR_BUG, "a column of type %s cannot come from PostgreSQL", column_type_name(type));
}

/* An element between its delimiters. */
struct element {
	const char *text;
	size_t len;
	bool quoted;
	bool escaped; /* has backslashes */
};

enum element_next { ELEMENT_MALFORMED, ELEMENT_NESTED, ELEMENT_MORE, ELEMENT_LAST };

/* Takes one element and the ',' or '}' behind it off *at. */
static enum element_next take_element(const char **at, const char *end, struct element *ret)
{
	const char *from = *at;

	*ret = (struct element){ .quoted = from < end && *from == '"' };
	if (ret->quoted) {
		ret->text = ++from;
		for (; from < end && *from != '"'; from++) {
			if (*from != '\\')
				continue;
			ret->escaped = true;
			if (++from == end)
				return ELEMENT_MALFORMED;
		}
		if (from == end)
			return ELEMENT_MALFORMED;
		ret->len = (size_t)(from - ret->text);
		from++;
	} else {
		ret->text = from;
		for (; from < end && *from != ',' && *from != '}'; from++) {
			if (*from == '{')
				return ELEMENT_NESTED;
			if (*from == '"' || *from == '\\')
				return ELEMENT_MALFORMED;
		}
		ret->len = (size_t)(from - ret->text);
		if (ret->len == 0)
			return ELEMENT_MALFORMED;
	}
	if (from == end || (*from != ',' && *from != '}'))
		return ELEMENT_MALFORMED;
	*at = from + 1;
	return *from == ',' ? ELEMENT_MORE : ELEMENT_LAST;
}

static int unescape(struct element *element, struct arena *arena, struct error *err)
{
	char *plain = arena_alloc(arena, element->len);
	size_t len = 0;

	if (plain == NULL)
		return arena_error(arena, err);
	for (size_t i = 0; i < element->len; i++) {
		if (element->text[i] == '\\')
			i++;
		plain[len++] = element->text[i];
	}
	element->text = plain;
	element->len = len;
	return 0;
}

/* Counts first, so that the items are one piece of exactly their size. */
static int array_value(const struct pg_text *forms, const struct column *column, const char *text, size_t len,
	struct arena *arena, struct value *ret, struct error *err)
{
	const char *at = text + 1, *end = text + len;
	enum element_next next = ELEMENT_MORE;
	struct element element;
	struct value *items;
	size_t count = 0;

	if (len < 2 || end[-1] != '}' || (text[0] != '{' && text[0] != '['))
		return malformed("an array", len, err);
	if (text[0] == '[')
		return exact(text, len, ret);
	for (next = len == 2 ? ELEMENT_LAST : ELEMENT_MORE; next == ELEMENT_MORE; count++)
		next = take_element(&at, end, &element);
	if (next == ELEMENT_NESTED)
		return exact(text, len, ret);
	if (next == ELEMENT_MALFORMED || (count > 0 && at != end))
		return malformed("an array", len, err);
	items = arena_alloc(arena, count * sizeof *items);
	if (items == NULL)
		return arena_error(arena, err);
	at = text + 1;
	for (size_t i = 0; i < count; i++) {
		(void)take_element(&at, end, &element);
		if (!element.quoted && text_is(element.text, element.len, "NULL")) {
			items[i].kind = VALUE_NULL;
			continue;
		}
		if (element.escaped && unescape(&element, arena, err) < 0)
			return -1;
		if (scalar_value(forms, column->element_type, column, element.text, element.len, arena, &items[i], err) < 0)
			return error_prefix(err, "element %zu", i + 1);
		if (items[i].kind == VALUE_EXACT)
			return exact(text, len, ret);
	}
	ret->kind = VALUE_ARRAY;
	ret->array.items = items;
	ret->array.count = count;
	return 0;
}

int pg_text_value(const struct pg_text *forms, const struct column *column, const char *text, size_t len,
	struct arena *arena, struct value *ret, struct error *err)
{
	if (column->type == COLUMN_ARRAY)
		return array_value(forms, column, text, len, arena, ret, err);
	return scalar_value(forms, column->type, column, text, len, arena, ret, err);
}
