/*
 * source_mysql_names.c: names of tables as people write them -> as the log's table maps have them.
 *
 * Statements are logged in the charset of the session that gave them; names in table maps are UTF-8. With
 * lower_case_table_names a server takes names whatever their case and keeps them in small letters: so names in
 * statements and patterns are made small in the same way. Other letters than those of ASCII are asked from the server,
 * as its table of them is its own.
 */
#include <string.h>

#include "capture/decode_charset.h"
#include "capture/source_mysql.h"

#define SQL_MAX ((size_t)64 << 10)

static bool is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

bool names_is_text(const char *name)
{
	struct value value;

	return charset_text(charset_by_name("utf8mb4"), (const unsigned char *)name, strlen(name), NULL, &value, NULL) == 0;
}

/* ---- charsets ---- */

int names_query(const struct binlog_query *query, struct arena *arena, struct binlog_query *ret_query, struct error *err)
{
	const struct charset *charset = query->collation != 0 ? charset_by_collation(query->collation) : NULL;
	struct error none = ERROR_INIT;
	struct value value;

	*ret_query = *query;
	if (charset == NULL || charset_is_binary(charset) || is_ascii(query->text, query->len))
		return 0;
	if (charset_text(charset, (const unsigned char *)query->text, query->len, arena, &value, &none) < 0) {
		if (none.class == ERROR_DATA)
			return 0; /* some literal in it; names are looked at later */
		*err = none;
		return -1;
	}
	ret_query->text = value.text.ptr;
	ret_query->len = value.text.len;
	return 0;
}

/* ---- case ---- */

static int ask_lower(struct control *control, const char *name, struct arena *arena, const char **ret, struct error *err)
{
	MYSQL_RES *result = NULL;
	MYSQL_ROW row;
	struct buf sql;
	int rc;

	buf_init(&sql, SQL_MAX);
	buf_append_str(&sql, "SELECT LOWER(CONVERT(");
	connection_literal(&sql, name);
	buf_append_str(&sql, " USING utf8mb3))");
	rc = buf_check(&sql, "statement", err);
	if (rc == 0)
		rc = control_query(control, buf_cstr(&sql), "asking for a name in small letters", &result, err);
	if (rc == 0) {
		row = mysql_fetch_row(result);
		*ret = row != NULL && row[0] != NULL ? arena_strndup(arena, row[0], strlen(row[0])) : name;
		rc = *ret != NULL ? 0 : arena_error(arena, err);
	}
	mysql_free_result(result);
	buf_release(&sql);
	return rc;
}

int names_fold(struct control *control, const char *name, struct arena *arena, const char **ret, struct error *err)
{
	size_t len = strlen(name);
	char *copy;

	if (!is_ascii(name, len))
		return ask_lower(control, name, arena, ret, err);
	copy = arena_strndup(arena, name, len);
	if (copy == NULL)
		return arena_error(arena, err);
	for (size_t i = 0; i < len; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] - 'A' + 'a');
	*ret = copy;
	return 0;
}

static int fold_list(struct control *control, const char *const **io_list, size_t count, struct arena *arena, struct error *err)
{
	const char **folded = arena_alloc(arena, (count + 1) * sizeof *folded);

	if (folded == NULL)
		return arena_error(arena, err);
	for (size_t i = 0; i < count; i++)
		if (names_fold(control, (*io_list)[i], arena, &folded[i], err) < 0)
			return -1;
	*io_list = folded;
	return 0;
}

int names_fold_lists(struct control *control, struct source_options *options, struct arena *arena, struct error *err)
{
	if (fold_list(control, &options->table_include, options->table_include_count, arena, err) < 0)
		return -1;
	return fold_list(control, &options->table_exclude, options->table_exclude_count, arena, err);
}
