/*
 * source_mysql_later.c: whether what the catalogue says now held at an earlier place of the log too.
 *
 * The catalogue is always of now, and the agent always reads a little behind: an answer holds at our place unless a
 * statement about the table stands between it and the log's end. So the log between is looked at, over the connection
 * for SQL (SHOW BINLOG EVENTS), after the answer has come. When that is more than a few MiB, nobody looks.
 *
 *   the answer, then: SHOW BINARY LOGS ── too much ──► may not hold
 *        └─ file by file: statements that name the table, or a whole database ──► may not hold
 *        └─ none ──► holds
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "capture/source_mysql.h"

#define LOOKED_AT_MAX (INT64_C(4) << 20)
#define FILES_MAX 64

enum { EVENT_FILE, EVENT_OFFSET, EVENT_TYPE, EVENT_SERVER, EVENT_END, EVENT_TEXT, EVENT_COLUMNS };

static bool is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strcasestr(text, word); at != NULL; at = strcasestr(at + 1, word))
		if ((at == text || !is_name_byte(at[-1])) && !is_name_byte(at[len]))
			return true;
	return false;
}

/* text: "use `b`; ALTER TABLE ...". A name with a quote in it is written in two ways: any statement may be about it. */
static bool is_about(const char *text, const char *name)
{
	const char *statement = strncasecmp(text, "use `", 5) == 0 ? strstr(text, "`; ") : NULL;

	statement = statement != NULL ? statement + 3 : text;
	if (strncasecmp(statement, "TRUNCATE", 8) == 0)
		return false;
	if (has_word(statement, "DATABASE") || has_word(statement, "SCHEMA") || strchr(name, '`') != NULL)
		return true;
	return has_word(statement, name);
}

static bool begins_group(const char *type)
{
	return strcasecmp(type, "Gtid") == 0 || strcasecmp(type, "Anonymous_Gtid") == 0 ||
		strcasecmp(type, "Gtid_tagged_log_event") == 0 || strcasecmp(type, "Gtid_tagged") == 0;
}

/* One file from there on. own_group: the group that begins there is ours and not looked at. */
static int look_at_file(struct control *control, const char *file, uint64_t offset, bool own_group, const char *name,
	bool *io_found, struct error *err)
{
	MYSQL_RES *result = NULL;
	bool first = own_group;
	MYSQL_ROW row;
	struct buf sql;
	int rc;

	buf_init(&sql, 4096);
	buf_append_str(&sql, "SHOW BINLOG EVENTS IN ");
	connection_literal(&sql, file);
	buf_printf(&sql, " FROM %" PRIu64, offset);
	rc = buf_check(&sql, "statement", err);
	if (rc == 0)
		rc = control_query(control, buf_cstr(&sql), "asking for statements behind the place", &result, err);
	while (rc == 0 && !*io_found && (row = mysql_fetch_row(result)) != NULL) {
		if (mysql_num_fields(result) < EVENT_COLUMNS || row[EVENT_TYPE] == NULL)
			break;
		if (own_group && !first && begins_group(row[EVENT_TYPE]))
			own_group = false;
		first = false;
		if (!own_group && strncasecmp(row[EVENT_TYPE], "Query", 5) == 0 && row[EVENT_TEXT] != NULL)
			*io_found = is_about(row[EVENT_TEXT], name);
	}
	mysql_free_result(result);
	buf_release(&sql);
	return rc;
}

struct files {
	char names[FILES_MAX][BINLOG_FILE_MAX];
	size_t count;
	int64_t bytes; /* behind the place */
	bool too_much;
};

/* Our file and those behind it. */
static int find_files(struct control *control, const char *file, uint64_t offset, struct files *ret, struct error *err)
{
	MYSQL_RES *result = NULL;
	MYSQL_ROW row;

	if (control_query(control, "SHOW BINARY LOGS", "asking for the log's files", &result, err) < 0)
		return -1;
	while ((row = mysql_fetch_row(result)) != NULL && !ret->too_much) {
		if (row[0] == NULL || row[1] == NULL || (ret->count == 0 && strcmp(row[0], file) != 0))
			continue;
		ret->bytes += strtoll(row[1], NULL, 10) - (ret->count == 0 ? (int64_t)offset : 0);
		ret->too_much = ret->count == FILES_MAX || ret->bytes > LOOKED_AT_MAX || strlen(row[0]) >= BINLOG_FILE_MAX;
		if (!ret->too_much)
			memcpy(ret->names[ret->count++], row[0], strlen(row[0]) + 1);
	}
	mysql_free_result(result);
	ret->too_much = ret->too_much || ret->count == 0;
	return 0;
}

int later_statements(struct control *control, const struct later_place *place, const char *name, bool *ret_found,
	struct error *err)
{
	struct files *files = calloc(1, sizeof *files);
	bool found = false;
	int rc;

	if (files == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the log's files");
	rc = find_files(control, place->file, place->offset, files, err);
	for (size_t i = 0; rc == 0 && !files->too_much && !found && i < files->count; i++)
		if (i > 0 || files->bytes > 0)
			rc = look_at_file(control, files->names[i], i == 0 ? place->offset : 4, i == 0 && place->own_group, name,
				&found, err);
	*ret_found = found || files->too_much;
	free(files);
	return rc;
}
