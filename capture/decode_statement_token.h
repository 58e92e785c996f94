/*
 * decode_statement_token.h: the tokens of a statement, for decode_statement.c alone.
 */
#ifndef TAILRACE_CAPTURE_DECODE_STATEMENT_TOKEN_H
#define TAILRACE_CAPTURE_DECODE_STATEMENT_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,   /* a keyword, a name without quotes, a number */
	TOKEN_NAME,   /* a name in quotes */
	TOKEN_STRING, /* in quotes; hexadecimal: with its X in front */
	TOKEN_CHAR
};

struct token {
	enum token_kind kind;
	const char *at; /* into the text, with quotes */
	size_t len;
};

struct tokens {
	const char *at, *end;
	bool ansi_quotes, no_backslash_escapes;
	unsigned executable; /* how many executable comments are open */
};

void tokens_init(struct tokens *in, const char *text, size_t len, bool ansi_quotes, bool no_backslash_escapes);
/* TOKEN_END at the end of the text, and where a quote or comment does not end. */
void tokens_next(struct tokens *in, struct token *ret_token);

/* Whatever its case; a name in quotes is no keyword. */
bool token_is_word(const struct token *token, const char *word);
/* A word or name without its quotes, in the arena; NULL: memory is short. */
const char *token_text(const struct tokens *in, const struct token *token, struct arena *arena);
/* The bytes of 'text', "text", X'hex' or 0xhex; false if it is none or longer than `room`. */
bool token_bytes(const struct tokens *in, const struct token *token, unsigned char *to, size_t room, size_t *ret_len);
/* A decimal number. */
bool token_number(const struct token *token, uint64_t *ret);

#endif
