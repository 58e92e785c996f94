/*
 * decode_statement_token.c: cuts a statement into tokens (MySQL: sql/sql_lex.cc; MariaDB: the same). A quote is doubled inside of itself; in strings a
 * backslash escapes too, unless sql_mode has NO_BACKSLASH_ESCAPES. A comment may stand wherever a blank may.
 */
#include "capture/decode_statement_token.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '$' ||
		(unsigned char)c >= 0x80;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void tokens_init(struct tokens *in, const char *text, size_t len, bool ansi_quotes, bool no_backslash_escapes)
{
	*in = (struct tokens){ text, len > 0 ? text + len : text, ansi_quotes, no_backslash_escapes, 0 };
}

/* Whether the text goes on like that. */
static bool ahead(const struct tokens *in, const char *what)
{
	size_t len = strlen(what);

	return (size_t)(in->end - in->at) >= len && memcmp(in->at, what, len) == 0;
}

static void skip_line(struct tokens *in)
{
	const char *newline = memchr(in->at, '\n', (size_t)(in->end - in->at));

	in->at = newline != NULL ? newline + 1 : in->end;
}

static void skip_comment(struct tokens *in)
{
	const char *end = memmem(in->at, (size_t)(in->end - in->at), "*/", 2);

	in->at = end != NULL ? end + 2 : in->end;
}

/* Into an executable comment: its version is skipped. */
static void enter_comment(struct tokens *in, size_t len)
{
	in->at += len;
	in->executable++;
	for (int i = 0; i < 6 && in->at < in->end && is_digit(*in->at); i++)
		in->at++;
}

/* Blanks and comments. */
static void skip_space(struct tokens *in)
{
	while (in->at < in->end) {
		if (is_blank(*in->at)) {
			in->at++;
		} else if (*in->at == '#') {
			skip_line(in);
		} else if (ahead(in, "--") && (in->end - in->at == 2 || is_blank(in->at[2]))) {
			skip_line(in);
		} else if (ahead(in, "/*!")) {
			enter_comment(in, 3);
		} else if (ahead(in, "/*M!")) {
			enter_comment(in, 4);
		} else if (ahead(in, "/*")) {
			in->at += 2;
			skip_comment(in);
		} else if (in->executable > 0 && ahead(in, "*/")) {
			in->executable--;
			in->at += 2;
		} else {
			break;
		}
	}
}

/* Behind the quote that ends what begins at in->at, or NULL. */
static const char *quote_end(const struct tokens *in, bool escapes)
{
	char quote = *in->at;

	for (const char *at = in->at + 1; at < in->end; at++) {
		if (escapes && *at == '\\') {
			at++;
		} else if (*at == quote) {
			if (at + 1 == in->end || at[1] != quote)
				return at + 1;
			at++;
		}
	}
	return NULL;
}

static void take_quoted(struct tokens *in, enum token_kind kind, const char *from, struct token *ret)
{
	const char *end = quote_end(in, kind == TOKEN_STRING && !in->no_backslash_escapes);

	if (end == NULL) {
		in->at = in->end;
		*ret = (struct token){ TOKEN_END, in->end, 0 };
		return;
	}
	in->at = end;
	*ret = (struct token){ kind, from, (size_t)(end - from) };
}

void tokens_next(struct tokens *in, struct token *ret_token)
{
	const char *from;

	skip_space(in);
	from = in->at;
	if (from == in->end) {
		*ret_token = (struct token){ TOKEN_END, from, 0 };
	} else if (*from == '`' || (*from == '"' && in->ansi_quotes)) {
		take_quoted(in, TOKEN_NAME, from, ret_token);
	} else if (*from == '\'' || *from == '"') {
		take_quoted(in, TOKEN_STRING, from, ret_token);
	} else if (is_word_byte(*from)) {
		while (in->at < in->end && is_word_byte(*in->at))
			in->at++;
		if (in->at - from == 1 && (*from | 0x20) == 'x' && in->at < in->end && *in->at == '\'')
			take_quoted(in, TOKEN_STRING, from, ret_token);
		else
			*ret_token = (struct token){ TOKEN_WORD, from, (size_t)(in->at - from) };
	} else {
		in->at++;
		*ret_token = (struct token){ TOKEN_CHAR, from, 1 };
	}
}

bool token_is_word(const struct token *token, const char *word)
{
	return token->kind == TOKEN_WORD && strlen(word) == token->len && strncasecmp(token->at, word, token->len) == 0;
}

const char *token_text(const struct tokens *in, const struct token *token, struct arena *arena)
{
	char *text;
	size_t n = 0;

	if (token->kind == TOKEN_WORD)
		return arena_strndup(arena, token->at, token->len);
	text = arena_alloc(arena, token->len);
	if (text == NULL)
		return NULL;
	for (size_t i = 1; i + 1 < token->len; i++) {
		text[n++] = token->at[i];
		if (token->at[i] == token->at[0])
			i++; /* doubled */
	}
	text[n] = '\0';
	return text;
}

/* Hexadecimal digits; an odd one in front counts as if a zero stood before it. */
static bool hex_bytes(const char *at, size_t len, unsigned char *to, size_t room, size_t *ret_len)
{
	size_t n = 0;

	if ((len + 1) / 2 > room)
		return false;
	for (size_t i = 0; i < len; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return false;
		if ((len - i) % 2 == 0 || i == 0)
			to[n++] = 0;
		to[n - 1] = (unsigned char)(to[n - 1] << 4 | digit);
	}
	*ret_len = n;
	return true;
}

static char unescape(char c)
{
	switch (c) {
	case '0':
		return '\0';
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	case 'b':
		return '\b';
	case 'Z':
		return '\x1a';
	default:
		return c;
	}
}

static bool string_bytes(const struct tokens *in, const struct token *token, unsigned char *to, size_t room,
	size_t *ret_len)
{
	size_t n = 0;

	for (size_t i = 1; i + 1 < token->len; i++) {
		char c = token->at[i];

		if (c == '\\' && !in->no_backslash_escapes && i + 2 < token->len)
			c = unescape(token->at[++i]);
		else if (c == token->at[0])
			i++; /* doubled */
		if (n == room)
			return false;
		to[n++] = (unsigned char)c;
	}
	*ret_len = n;
	return true;
}

bool token_bytes(const struct tokens *in, const struct token *token, unsigned char *to, size_t room, size_t *ret_len)
{
	if (token->kind == TOKEN_WORD && token->len > 2 && token->at[0] == '0' && token->at[1] == 'x')
		return hex_bytes(token->at + 2, token->len - 2, to, room, ret_len);
	if (token->kind == TOKEN_STRING && (token->at[0] | 0x20) == 'x')
		return hex_bytes(token->at + 2, token->len - 3, to, room, ret_len);
	if (token->kind == TOKEN_STRING)
		return string_bytes(in, token, to, room, ret_len);
	return false;
}

bool token_number(const struct token *token, uint64_t *ret)
{
	uint64_t n = 0;

	if (token->kind != TOKEN_WORD)
		return false;
	for (size_t i = 0; i < token->len; i++) {
		unsigned digit = (unsigned)(token->at[i] - '0');

		if (!is_digit(token->at[i]) || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*ret = n;
	return true;
}
