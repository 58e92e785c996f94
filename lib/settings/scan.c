/*
 * scan.c: libconfig 1.5 reads 5000000000 without an L as 705032704 and says nothing. So the text is looked through here
 * for integers, after libconfig has found that it is well formed.
 *
 * Only enough of the grammar is known to tell a number from a name, a string and a comment.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/settings/internal.h"

struct scanner {
	const char *file;
	const char *at, *end;
	unsigned line;
};

static bool starts_with(const struct scanner *scan, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(scan->end - scan->at) >= len && memcmp(scan->at, text, len) == 0;
}

static void step(struct scanner *scan)
{
	if (*scan->at == '\n')
		scan->line++;
	scan->at++;
}

static void skip_line(struct scanner *scan)
{
	while (scan->at < scan->end && *scan->at != '\n')
		step(scan);
}

static void skip_block_comment(struct scanner *scan)
{
	while (scan->at < scan->end && !starts_with(scan, "*/"))
		step(scan);
}

static void skip_string(struct scanner *scan)
{
	step(scan);
	while (scan->at < scan->end && *scan->at != '"') {
		if (*scan->at == '\\' && scan->end - scan->at > 1)
			step(scan);
		step(scan);
	}
	if (scan->at < scan->end)
		step(scan);
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '+' || c == '.' || c == '*';
}

/* A word that starts with a digit or a sign: refused if it is an integer that does not fit. */
static int check_number(struct scanner *scan, const char *word, size_t len, struct error *err)
{
	char text[32];
	char *rest;
	long long value;
	bool is_long, is_hex = len > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X');

	if (len >= sizeof text)
		return error_set(err, ERROR_CONFIG, "%s:%u: %.*s... is not a number that fits", scan->file, scan->line,
			20, word);
	memcpy(text, word, len);
	text[len] = '\0';
	errno = 0;
	value = strtoll(text, &rest, is_hex ? 16 : 10);
	is_long = *rest == 'L';
	if (!is_long && *rest != '\0')
		return 0; /* a floating-point number */
	if (errno != 0)
		return error_set(err, ERROR_CONFIG, "%s:%u: %s does not fit into 64 bits", scan->file, scan->line,
			text);
	if (is_long || (value >= INT32_MIN && value <= INT32_MAX))
		return 0;
	(void)error_set(err, ERROR_CONFIG, "%s:%u: %s is too large for an integer without L", scan->file, scan->line,
		text);
	return error_hint(err, "write %sL", text);
}

static int scan_word(struct scanner *scan, struct error *err)
{
	const char *word = scan->at;

	while (scan->at < scan->end && is_word(*scan->at))
		scan->at++;
	if (isdigit((unsigned char)word[0]) || word[0] == '-' || word[0] == '+')
		return check_number(scan, word, (size_t)(scan->at - word), err);
	return 0;
}

int settings_scan_integers(const char *file, const char *text, size_t len, struct error *err)
{
	struct scanner scan = { file, text, text + len, 1 };

	while (scan.at < scan.end) {
		if (*scan.at == '#' || starts_with(&scan, "//"))
			skip_line(&scan);
		else if (starts_with(&scan, "/*"))
			skip_block_comment(&scan);
		else if (*scan.at == '"')
			skip_string(&scan);
		else if (!is_word(*scan.at))
			step(&scan);
		else if (scan_word(&scan, err) < 0)
			return -1;
	}
	return 0;
}
