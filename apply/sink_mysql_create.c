/*
 * sink_mysql_create.c: see sink_mysql_create.h. The lines that count, blanks at their begin left out:
 *
 *   `j` longtext ... CHECK (json_valid(`j`))[,]
 *   CONSTRAINT `name` FOREIGN KEY (`a`, `b`) REFERENCES [`schema`.]`table` (`c`, `d`) [ON DELETE CASCADE] [ON UPDATE CASCADE][,]
 */
#include "apply/sink_mysql_create.h"

#include <stddef.h>
#include <string.h>

static const char *line_end(const char *line)
{
	return line + strcspn(line, "\n");
}

/* Takes the word if it stands there. */
static bool take(const char **io_at, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*io_at, word, len) != 0)
		return false;
	*io_at += len;
	return true;
}

/* A name in backquotes, of which two are one; cut to size. */
static bool take_name(const char **io_at, char *name)
{
	const char *at = *io_at;
	size_t len = 0;

	if (*at++ != '`')
		return false;
	for (; *at != '\0' && (*at != '`' || at[1] == '`'); at++) {
		at += *at == '`';
		if (len < MY_NAME_SIZE - 1)
			name[len++] = *at;
	}
	name[len] = '\0';
	if (*at != '`')
		return false;
	*io_at = at + 1;
	return true;
}

/* (`a`, `b`); column may be NULL, else *ret_has says whether it is among them. */
static bool take_columns(const char **io_at, const char *column, bool *ret_has)
{
	char name[MY_NAME_SIZE];

	if (!take(io_at, "("))
		return false;
	do {
		if (!take_name(io_at, name))
			return false;
		if (column != NULL && strcmp(name, column) == 0)
			*ret_has = true;
	} while (take(io_at, ", ") || take(io_at, ","));
	return take(io_at, ")");
}

static bool read_reference(const char *at, const char *end, struct my_reference *ret)
{
	char name[MY_NAME_SIZE];

	if (!take(&at, "CONSTRAINT ") || !take_name(&at, name) || !take(&at, " FOREIGN KEY "))
		return false;
	ret->columns = at;
	ret->schema[0] = '\0';
	if (!take_columns(&at, NULL, NULL) || !take(&at, " REFERENCES ") || !take_name(&at, ret->table))
		return false;
	if (take(&at, ".")) {
		memcpy(ret->schema, ret->table, sizeof ret->schema);
		if (!take_name(&at, ret->table))
			return false;
	}
	if (!take(&at, " ") || !take_columns(&at, NULL, NULL))
		return false;
	ret->delete_cascades = memmem(at, (size_t)(end - at), " ON DELETE CASCADE", 18) != NULL;
	ret->update_cascades = memmem(at, (size_t)(end - at), " ON UPDATE CASCADE", 18) != NULL;
	return true;
}

bool my_create_reference(const char **io_at, struct my_reference *ret)
{
	while (**io_at != '\0') {
		const char *line = *io_at + strspn(*io_at, " "), *end = line_end(line);

		*io_at = *end == '\n' ? end + 1 : end;
		if (read_reference(line, end, ret))
			return true;
	}
	return false;
}

bool my_reference_has(const struct my_reference *reference, const char *column)
{
	const char *at = reference->columns;
	bool has = false;

	return take_columns(&at, column, &has) && has;
}

/* Behind the column's type: its own check, over nothing but itself. */
static bool has_json_check(const char *at, const char *end, const char *column)
{
	static const char words[] = "CHECK (json_valid(";
	char name[MY_NAME_SIZE];

	while ((at = memmem(at, (size_t)(end - at), words, sizeof words - 1)) != NULL) {
		at += sizeof words - 1;
		if (take_name(&at, name) && strcmp(name, column) == 0 && take(&at, "))"))
			return true;
	}
	return false;
}

bool my_create_is_json(const char *text, const char *column)
{
	char name[MY_NAME_SIZE];

	for (const char *line = text; *line != '\0'; line = line_end(line), line += *line == '\n') {
		const char *at = line + strspn(line, " ");

		if (take_name(&at, name) && strcmp(name, column) == 0 && take(&at, " longtext"))
			return has_json_check(at, line_end(at), column);
	}
	return false;
}
