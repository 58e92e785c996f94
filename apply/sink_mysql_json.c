/*
 * sink_mysql_json.c: JSON for MySQL's own type, and arrays as JSON.
 *
 * MySQL keeps a JSON number as a 64-bit integer or as a double, and rounds without a word what is neither (MariaDB keeps the text). So
 * each number is looked at: does the shortest spelling of its double have the same digits? An array becomes a JSON array: numbers and
 * booleans as such, JSON elements as they are, everything else as the text that PostgreSQL writes. In a column that is a text it is
 * spelled as PostgreSQL spells arrays.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "apply/sink_mysql_text.h"
#include "apply/sink_text.h"

#define SIGNIFICANT 24 /* digits looked at; a double has 17 */
#define TOKEN_MAX 400  /* a longer number is none that a double holds digit for digit */
#define SAFE_DIGITS 15

/* 0.<digits> * 10^point, without zeros at either end; count 0: zero. */
struct decimal {
	char digits[SIGNIFICANT];
	size_t count;
	bool longer; /* than SIGNIFICANT */
	long point;
};

static void read_decimal(const char *text, size_t len, struct decimal *ret)
{
	struct decimal number = { .count = 0 };
	size_t zeros = 0; /* since the last digit that is none */
	bool fraction = false;
	size_t i = len > 0 && text[0] == '-' ? 1 : 0;

	for (; i < len && text[i] != 'e' && text[i] != 'E'; i++) {
		if (text[i] == '.') {
			fraction = true;
			continue;
		}
		if (text[i] == '0' && number.count == 0) {
			number.point -= fraction ? 1 : 0;
			continue;
		}
		number.point += fraction ? 0 : 1;
		if (text[i] == '0') {
			zeros++;
			continue;
		}
		if (number.count + zeros + 1 > SIGNIFICANT) {
			number.longer = true;
			continue;
		}
		memset(number.digits + number.count, '0', zeros);
		number.count += zeros;
		zeros = 0;
		number.digits[number.count++] = text[i];
	}
	if (i < len)
		number.point += strtol(text + i + 1, NULL, 10);
	if (number.count == 0)
		number.point = 0;
	*ret = number;
}

static bool is_integer(const char *text)
{
	return strpbrk(text, ".eE") == NULL;
}

static bool fits_integer(const char *text)
{
	static const char most[] = "18446744073709551615", least[] = "9223372036854775808";
	bool minus = text[0] == '-';
	const char *digits = text + minus, *limit = minus ? least : most;
	size_t len = strlen(digits);

	return len < strlen(limit) || (len == strlen(limit) && strcmp(digits, limit) <= 0);
}

/* text: a number of JSON's grammar. */
static bool is_kept(const char *text, size_t len)
{
	struct decimal want, have;
	char copy[TOKEN_MAX + 1], shortest[40];
	double number;

	if (len > TOKEN_MAX)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (is_integer(copy) && fits_integer(copy))
		return strcmp(copy, "-0") != 0;
	read_decimal(copy, len, &want);
	if (want.longer)
		return false;
	if (want.count <= SAFE_DIGITS && want.point > -300 && want.point < 300)
		return true;
	number = strtod(copy, NULL);
	if (isinf(number))
		return false;
	for (int digits = SAFE_DIGITS; digits <= 17; digits++) {
		(void)snprintf(shortest, sizeof shortest, "%.*e", digits - 1, number);
		if (strtod(shortest, NULL) == number)
			break;
	}
	read_decimal(shortest, strlen(shortest), &have);
	return have.count == want.count && have.point == want.point &&
		memcmp(have.digits, want.digits, want.count) == 0;
}

int my_check_json(const struct column *column, const char *text, size_t len, struct error *err)
{
	for (size_t i = 0; i < len; i++) {
		size_t start = i;

		if (text[i] == '"') {
			for (i++; i < len && text[i] != '"'; i++)
				i += text[i] == '\\' ? 1 : 0;
			continue;
		}
		if (text[i] != '-' && (text[i] < '0' || text[i] > '9'))
			continue;
		while (i < len && memchr("+-.eE0123456789", text[i], 15) != NULL)
			i++;
		if (!is_kept(text + start, i - start)) {
			(void)error_set(err, ERROR_DATA,
				"column %s: JSON of the target cannot hold the number %.*s digit for digit", column->name,
				(int)(i - start < 64 ? i - start : 64), text + start);
			return error_hint(err, "let the target's column be LONGTEXT, or the source keep the number as a string");
		}
		i--;
	}
	return 0;
}

/* A text that sink_text() makes, as a JSON string. */
static int put_string(const struct column *element, const struct value *item, struct buf *out, struct error *err)
{
	struct buf text;
	int result;

	if (item->kind == VALUE_TEXT || item->kind == VALUE_EXACT) {
		buf_json_string(out, item->text.ptr, item->text.len);
		return 0;
	}
	buf_init(&text, out->max);
	result = sink_text(element, item, &text, err);
	if (result == 0)
		buf_json_string(out, text.data, text.len);
	buf_release(&text);
	return result;
}

static int put_item(const struct column *element, const struct value *item, struct buf *out, struct error *err)
{
	switch (item->kind) {
	case VALUE_NULL:
		buf_append_str(out, "null");
		return 0;
	case VALUE_BOOL:
		buf_append_str(out, item->b ? "true" : "false");
		return 0;
	case VALUE_FLOAT:
		return isnan(item->f) || isinf(item->f) ? put_string(element, item, out, err) :
							  sink_text(element, item, out, err);
	case VALUE_UINT:
		return sink_text(element, item, out, err);
	case VALUE_INT:
		if (element->type == COLUMN_INT16 || element->type == COLUMN_INT32 || element->type == COLUMN_INT64)
			return sink_text(element, item, out, err);
		return put_string(element, item, out, err);
	case VALUE_TEXT:
		if (element->type != COLUMN_DECIMAL && element->type != COLUMN_JSON)
			return put_string(element, item, out, err);
		buf_append(out, item->text.ptr, item->text.len);
		return 0;
	default:
		return put_string(element, item, out, err);
	}
}

int my_array_json(const struct column *column, const struct value *val, struct buf *out, struct error *err)
{
	struct column element = *column;

	element.type = column->element_type;
	buf_append_byte(out, '[');
	for (size_t i = 0; i < val->array.count; i++) {
		if (i > 0)
			buf_append_str(out, ", ");
		if (put_item(&element, &val->array.items[i], out, err) < 0)
			return -1;
	}
	buf_append_byte(out, ']');
	return 0;
}

/* PostgreSQL quotes what would not read back: nothing, NULL, and what has a character of the array's own spelling. */
static bool needs_quotes(const char *text, size_t len)
{
	if (len == 0 || (len == 4 && strncasecmp(text, "null", 4) == 0))
		return true;
	for (size_t i = 0; i < len; i++)
		if (strchr("{}\",\\ \t\n\r\v\f", text[i]) != NULL)
			return true;
	return false;
}

int my_array_text(const struct column *column, const struct value *val, struct buf *out, struct error *err)
{
	struct column element = *column;
	struct buf text;
	int result = 0;

	if (val->kind != VALUE_ARRAY)
		return sink_text(column, val, out, err);
	element.type = column->element_type;
	buf_init(&text, out->max);
	buf_append_byte(out, '{');
	for (size_t i = 0; i < val->array.count && result == 0; i++) {
		const struct value *item = &val->array.items[i];

		buf_append_str(out, i > 0 ? "," : "");
		if (item->kind == VALUE_NULL) {
			buf_append_str(out, "NULL");
			continue;
		}
		buf_reset(&text);
		result = sink_text(&element, item, &text, err);
		if (result == 0 && needs_quotes(text.data, text.len))
			sink_array_quote(out, text.data, text.len);
		else if (result == 0)
			buf_append(out, text.data, text.len);
	}
	buf_append_byte(out, '}');
	buf_release(&text);
	return result;
}
