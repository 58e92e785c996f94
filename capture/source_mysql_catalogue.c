/*
 * source_mysql_catalogue.c: what information_schema says of tables, for what the log does not say of them.
 *
 * With binlog_row_metadata=FULL the decoder asks only because of types that look alike in the log (UUID, INET4, INET6,
 * JSON, VECTOR of MariaDB), of defaults and of generated columns, and takes columns by name; a table that is gone by now is no error
 * then. With MINIMAL the answer gives the names too, and one that does not fit the types of the log's table map is a named stop.
 *
 * The answer must be the one of that place of the log. So answers are kept (source_mysql_shapes.c) from a place on: those of all tables at the
 * first start, then that of each table when its DDL is read, or it is first met. Behind an answer it is looked whether statements about the table
 * stand between the place and the log's end (source_mysql_later.c): then each column of it is `uncertain`.
 *
 * Places in the store: four to a group. Its rows 0, its DDL 1, rows behind that (CREATE TABLE ... SELECT) 2.
 *
 * Constraints (MariaDB's JSON is one, foreign keys are) information_schema shows only to those who may do more than read. So they
 * are read out of SHOW CREATE TABLE, which a reader may see; each stands on a line of its own.
 *
 * A description as it is kept: a version byte '1', then for each column its texts, each with a NUL behind it, and a
 * letter for each flag that is set; a line feed ends a column.
 */
#include "capture/source_mysql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/log.h"

#define DESCRIPTION_MAX ((size_t)8 << 20)
#define CASCADES_NAMED 10
#define NO_SUCH_TABLE 1146
#define HINT_FULL "set binlog_row_metadata=FULL, so that the log itself describes its tables"

bool catalogue_is_chosen(const struct source_options *options, const char *schema, const char *name)
{
	static const char *const system[] = { "mysql", "sys", "information_schema", "performance_schema" };

	for (size_t i = 0; i < sizeof system / sizeof system[0]; i++)
		if (strcasecmp(schema, system[i]) == 0)
			return false;
	return table_selected(schema, name, options->table_include, options->table_include_count,
		options->table_exclude, options->table_exclude_count);
}

/* ---- asking ---- */

enum {
	COLUMN_NAME,
	COLUMN_DATA_TYPE,
	COLUMN_TYPE,
	COLUMN_CHARSET,
	COLUMN_DEFAULT,
	COLUMN_EXTRA,
	COLUMN_EXPRESSION,
	COLUMN_IS_KEY
};

static int describe_sql(const char *schema, const char *name, struct buf *sql, struct error *err)
{
	buf_append_str(sql,
		"SELECT c.column_name, c.data_type, c.column_type, COALESCE(c.character_set_name, ''), "
		"c.column_default, c.extra, c.generation_expression, "
		/* names are compared there whatever their case: tables T and t are not the same */
		"EXISTS (SELECT 1 FROM information_schema.statistics s WHERE s.table_schema = c.table_schema "
		"AND s.table_name = c.table_name AND CAST(s.table_schema AS BINARY) = CAST(c.table_schema AS BINARY) "
		"AND CAST(s.table_name AS BINARY) = CAST(c.table_name AS BINARY) "
		"AND s.index_name = 'PRIMARY' AND s.column_name = c.column_name) "
		"FROM information_schema.columns c WHERE c.table_schema = ");
	connection_literal(sql, schema);
	buf_append_str(sql, " AND c.table_name = ");
	connection_literal(sql, name);
	buf_append_str(sql, " ORDER BY c.ordinal_position");
	return buf_check(sql, "statement", err);
}

static void append_name(struct buf *out, const char *name)
{
	buf_append_byte(out, '`');
	for (; *name != '\0'; name++)
		buf_append(out, *name == '`' ? "``" : name, *name == '`' ? 2 : 1);
	buf_append_byte(out, '`');
}

/* SHOW CREATE TABLE, to be freed; *ret_result is NULL if there is no such table (any more). */
static int ask_text(struct control *control, const char *schema, const char *name, MYSQL_RES **ret_result,
	const char **ret_text, struct error *err)
{
	MYSQL_RES *result = NULL;
	MYSQL_ROW row;
	struct buf sql;
	int rc;

	buf_init(&sql, 4096);
	buf_append_str(&sql, "SHOW CREATE TABLE ");
	append_name(&sql, schema);
	buf_append_byte(&sql, '.');
	append_name(&sql, name);
	*ret_text = "";
	rc = buf_check(&sql, "statement", err);
	if (rc == 0)
		rc = control_query(control, buf_cstr(&sql), "asking how a table was made", &result, err);
	if (rc < 0 && control->conn != NULL && mysql_errno(control->conn) == NO_SUCH_TABLE) {
		error_clear(err);
		rc = 0;
	}
	if (result != NULL && (row = mysql_fetch_row(result)) != NULL && row[1] != NULL)
		*ret_text = row[1];
	*ret_result = result;
	buf_release(&sql);
	return rc;
}

/* Walks the lines of such a text, blanks left out. NULL at the end. */
static const char *next_line(const char **io_at, size_t *ret_len)
{
	const char *line = *io_at + strspn(*io_at, " ");

	if (*line == '\0')
		return NULL;
	*ret_len = strcspn(line, "\n");
	*io_at = line + *ret_len + (line[*ret_len] == '\n');
	return line;
}

static bool line_has(const char *line, size_t len, const char *words)
{
	return memmem(line, len, words, strlen(words)) != NULL;
}

/* MariaDB's JSON is LONGTEXT with a check of its own. */
static int find_json(struct control *control, const char *schema, const char *name, struct binlog_catalogue_column *columns,
	size_t count, struct error *err)
{
	MYSQL_RES *result;
	const char *text, *line;
	size_t len, longtexts = 0;
	struct buf column, check;

	for (size_t i = 0; i < count; i++)
		longtexts += strcmp(columns[i].data_type, "longtext") == 0;
	if (longtexts == 0)
		return 0;
	if (ask_text(control, schema, name, &result, &text, err) < 0)
		return -1;
	buf_init(&column, 1024);
	buf_init(&check, 1024);
	while ((line = next_line(&text, &len)) != NULL)
		for (size_t i = 0; i < count && line[0] == '`'; i++) {
			if (strcmp(columns[i].data_type, "longtext") != 0)
				continue;
			buf_reset(&column);
			buf_reset(&check);
			append_name(&column, columns[i].name);
			buf_append_str(&check, "CHECK (json_valid(");
			append_name(&check, columns[i].name);
			buf_append_str(&check, "))");
			if (strncmp(line, buf_cstr(&column), column.len) == 0 && line[column.len] == ' ')
				columns[i].is_json = line_has(line, len, buf_cstr(&check));
		}
	buf_release(&check);
	buf_release(&column);
	mysql_free_result(result);
	return 0;
}

static const char *keep(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

/* What MariaDB prints of a default that is an expression: neither a number, nor a string in quotes, nor NULL. */
static bool is_expression(const char *text)
{
	return text[0] != '\'' && strspn(text, "0123456789.-+eE") != strlen(text) && strcasecmp(text, "NULL") != 0 &&
		strncasecmp(text, "b'", 2) != 0 && strncasecmp(text, "x'", 2) != 0;
}

/* System versioning's columns are called STORED GENERATED too, but are part of a row like others. */
static bool is_generated(const char *extra, const char *expression)
{
	return (strcasestr(extra, "VIRTUAL GENERATED") != NULL || strcasestr(extra, "STORED GENERATED") != NULL) &&
		(expression == NULL || strncmp(expression, "ROW ", 4) != 0);
}

static bool take_row(MYSQL_ROW row, bool mariadb, struct arena *arena, struct binlog_catalogue_column *column)
{
	const char *extra = row[COLUMN_EXTRA] != NULL ? row[COLUMN_EXTRA] : "", *text = row[COLUMN_DEFAULT];

	column->name = keep(arena, row[COLUMN_NAME]);
	column->data_type = keep(arena, row[COLUMN_DATA_TYPE]);
	column->column_type = keep(arena, row[COLUMN_TYPE]);
	column->charset = keep(arena, row[COLUMN_CHARSET]);
	column->is_json = strcmp(column->data_type != NULL ? column->data_type : "", "json") == 0;
	column->key = row[COLUMN_IS_KEY] != NULL && row[COLUMN_IS_KEY][0] == '1';
	column->generated = is_generated(extra, row[COLUMN_EXPRESSION]);
	column->default_computed = strcasestr(extra, "DEFAULT_GENERATED") != NULL ||
		strcasestr(extra, "auto_increment") != NULL || strcasestr(extra, "GENERATED") != NULL ||
		(mariadb && text != NULL && is_expression(text));
	if (text != NULL && mariadb && strcasecmp(text, "NULL") == 0)
		text = NULL;
	column->default_text = text != NULL ? keep(arena, text) : NULL;
	return column->name != NULL && column->data_type != NULL && column->column_type != NULL &&
		column->charset != NULL && (text == NULL || column->default_text != NULL);
}

int catalogue_describe(struct control *control, const char *schema, const char *name, struct arena *arena,
	const struct binlog_catalogue_column **ret_columns, size_t *ret_count, struct error *err)
{
	struct binlog_catalogue_column *columns;
	MYSQL_RES *result = NULL;
	MYSQL_ROW row;
	struct buf sql;
	size_t count = 0, n;
	int rc = -1;

	buf_init(&sql, (size_t)64 << 10);
	if (describe_sql(schema, name, &sql, err) < 0 ||
		control_query(control, buf_cstr(&sql), "asking for the columns of a table", &result, err) < 0)
		goto out;
	n = (size_t)mysql_num_rows(result);
	columns = arena_zalloc(arena, (n + 1) * sizeof *columns);
	while (columns != NULL && count < n && (row = mysql_fetch_row(result)) != NULL)
		if (!take_row(row, control->end->mariadb, arena, &columns[count++]))
			columns = NULL;
	if (columns == NULL) {
		(void)arena_error(arena, err);
		goto out;
	}
	if (control->end->mariadb && find_json(control, schema, name, columns, count, err) < 0)
		goto out;
	*ret_columns = columns;
	*ret_count = count;
	rc = 0;
out:
	mysql_free_result(result);
	buf_release(&sql);
	return rc;
}

/* ---- keeping ---- */

static void write_description(const struct binlog_catalogue_column *columns, size_t count, struct buf *out)
{
	buf_append_byte(out, '1');
	for (size_t i = 0; i < count; i++) {
		const struct binlog_catalogue_column *c = &columns[i];
		const char *const texts[] = { c->name, c->data_type, c->column_type, c->charset,
			c->default_text != NULL ? c->default_text : "" };

		for (size_t j = 0; j < sizeof texts / sizeof texts[0]; j++)
			buf_append(out, texts[j], strlen(texts[j]) + 1);
		buf_append_str(out, c->is_json ? "j" : "");
		buf_append_str(out, c->key ? "k" : "");
		buf_append_str(out, c->default_text != NULL ? "d" : "");
		buf_append_str(out, c->default_computed ? "c" : "");
		buf_append_str(out, c->generated ? "g" : "");
		buf_append_str(out, c->uncertain ? "u" : "");
		buf_append_byte(out, '\n');
	}
}

/* Borrows from text, which must stay. False: not understood. */
static bool read_column(char **io_at, char *end, struct binlog_catalogue_column *ret)
{
	const char *texts[5];
	char *at = *io_at;

	for (size_t i = 0; i < 5; i++) {
		char *nul = memchr(at, '\0', (size_t)(end - at));

		if (nul == NULL)
			return false;
		texts[i] = at;
		at = nul + 1;
	}
	*ret = (struct binlog_catalogue_column){
		.name = texts[0], .data_type = texts[1], .column_type = texts[2], .charset = texts[3]
	};
	for (; at < end && *at != '\n'; at++) {
		ret->is_json = ret->is_json || *at == 'j';
		ret->key = ret->key || *at == 'k';
		ret->default_computed = ret->default_computed || *at == 'c';
		ret->generated = ret->generated || *at == 'g';
		ret->uncertain = ret->uncertain || *at == 'u';
		if (*at == 'd')
			ret->default_text = texts[4];
	}
	*io_at = at + 1;
	return at < end;
}

static int read_description(const char *text, size_t len, struct arena *arena,
	const struct binlog_catalogue_column **ret_columns, size_t *ret_count, struct error *err)
{
	char *copy = len > 0 ? arena_memdup(arena, text, len) : NULL, *at = copy + 1;
	struct binlog_catalogue_column *columns = arena_alloc(arena, (len / 6 + 1) * sizeof *columns);
	size_t count = 0;

	if (copy == NULL || columns == NULL)
		return arena_error(arena, err);
	while (copy[0] == '1' && at < copy + len)
		if (!read_column(&at, copy + len, &columns[count++]))
			copy[0] = '?';
	if (copy[0] != '1')
		return error_set(
			err, ERROR_DATA, "the store of table shapes holds a description that is not understood");
	*ret_columns = columns;
	*ret_count = count;
	return 0;
}

static uint64_t place_of(const struct catalogue *catalogue)
{
	return catalogue->number * 4 + (catalogue->ddl_number == catalogue->number ? 2 : 0);
}

static int put_shape(struct catalogue *catalogue, const char *schema, const char *name,
	const struct binlog_catalogue_column *columns, size_t count, struct error *err)
{
	struct buf text;
	int rc;

	buf_init(&text, DESCRIPTION_MAX);
	write_description(columns, count, &text);
	rc = buf_check(&text, "description of a table", err);
	if (rc == 0)
		rc = shapes_put(catalogue->shapes, schema, name, place_of(catalogue), text.data, text.len, err);
	buf_release(&text);
	return rc;
}

/* ---- fitting ---- */

/* Words of data_type that a type byte of the log may be. */
static bool type_fits(unsigned char type, const char *data_type)
{
	static const struct {
		unsigned char type;
		const char *words;
	} known[] = {
		{ 1, " tinyint bool boolean " },
		{ 2, " smallint " },
		{ 3, " int integer " },
		{ 4, " float " },
		{ 5, " double real " },
		{ 7, " timestamp " },
		{ 17, " timestamp " },
		{ 8, " bigint " },
		{ 9, " mediumint " },
		{ 10, " date " },
		{ 14, " date " },
		{ 11, " time " },
		{ 19, " time " },
		{ 12, " datetime " },
		{ 18, " datetime " },
		{ 13, " year " },
		{ 15, " varchar varbinary vector " },
		{ 141, " varchar varbinary " },
		{ 16, " bit " },
		{ 245, " json " },
		{ 246, " decimal numeric " },
		{ 140, " tinyblob blob mediumblob longblob tinytext text mediumtext longtext " },
		{ 252, " tinyblob blob mediumblob longblob tinytext text mediumtext longtext json " },
		{ 254, " char binary enum set uuid inet4 inet6 " },
		{ 255,
			" geometry point linestring polygon multipoint multilinestring multipolygon geometrycollection "
			"geomcollection " },
		{ 242, " vector " },
	};
	char word[64];

	(void)snprintf(word, sizeof word, " %s ", data_type);
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].type == type)
			return strstr(known[i].words, word) != NULL;
	return true;
}

/* Only when the log has no names; then column belongs to column by place. */
static int check_fit(const char *schema, const char *name, const unsigned char *types, size_t type_count,
	const struct binlog_catalogue_column *columns, size_t count, struct error *err)
{
	if (count == 0) {
		error_set(err, ERROR_GAP,
			"%s.%s: the log does not name its columns, and the catalogue does not know the table any more",
			schema, name);
		return error_hint(err, "leave the table out with table_exclude_list; for the future " HINT_FULL);
	}
	if (count != type_count) {
		error_set(err, ERROR_GAP, "%s.%s: the log has %zu columns here, but the catalogue knows %zu", schema,
			name, type_count, count);
		return error_hint(err,
			"the table was altered later, and its shape of then is not known; for the future " HINT_FULL);
	}
	for (size_t i = 0; i < count; i++)
		if (!type_fits(types[i], columns[i].data_type)) {
			error_set(err, ERROR_GAP,
				"%s.%s: column %zu has type %u in the log here, but the catalogue says \"%s\" %s",
				schema, name, i + 1, types[i], columns[i].name, columns[i].column_type);
			return error_hint(err,
				"the table was altered later, and its shape of then is not known; for the "
				"future " HINT_FULL);
		}
	return 0;
}

/* 1: it was kept; 0: it was not. */
static int find_kept(struct catalogue *catalogue, const char *schema, const char *name,
	const struct binlog_catalogue_column **ret_columns, size_t *ret_count, struct error *err)
{
	char *text = NULL;
	size_t len = 0;
	int known = catalogue->shapes == NULL ? 0
					      : shapes_get(catalogue->shapes, schema, name, place_of(catalogue), &text, &len, err);

	if (known > 0 && read_description(text, len, &catalogue->arena, ret_columns, ret_count, err) < 0)
		known = -1;
	free(text);
	return known;
}

/* The place that is being read; at the first start, where it begins. */
static struct later_place place_in_log(const struct source *source)
{
	const struct standing *standing = groups_standing(source->groups);

	if (source->feed == NULL)
		return (struct later_place){ standing->file, standing->offset, false };
	return (struct later_place){ binlog_reader_file(source->feed->reader), source->group.start, true };
}

/* catalogue_describe(), and whether it is of this place. */
static int describe_here(struct catalogue *catalogue, const char *schema, const char *name,
	const struct binlog_catalogue_column **ret_columns, size_t *ret_count, struct error *err)
{
	struct later_place place = place_in_log(catalogue->source);
	struct binlog_catalogue_column *columns;
	struct error mine = ERROR_INIT;
	bool later = true;

	if (catalogue_describe(catalogue->control, schema, name, &catalogue->arena, ret_columns, ret_count, err) < 0)
		return -1;
	if (*ret_count == 0)
		return 0;
	if (later_statements(catalogue->control, &place, name, &later, &mine) < 0) {
		if (mine.class == ERROR_RETRY) {
			*err = mine;
			return -1;
		}
		later = true; /* it may not be asked */
	}
	columns = arena_memdup(&catalogue->arena, *ret_columns, *ret_count * sizeof *columns);
	if (columns == NULL)
		return arena_error(&catalogue->arena, err);
	for (size_t i = 0; i < *ret_count; i++)
		columns[i].uncertain = later;
	*ret_columns = columns;
	return 0;
}

int catalogue_columns(struct catalogue *catalogue, const char *schema, const char *name,
	const struct binlog_catalogue_column **ret_columns, size_t *ret_count, struct error *err)
{
	int kept;

	arena_reset(&catalogue->arena);
	kept = find_kept(catalogue, schema, name, ret_columns, ret_count, err);
	if (kept != 0)
		return kept < 0 ? -1 : 0;
	return describe_here(catalogue, schema, name, ret_columns, ret_count, err);
}

static void warn_of_names(struct catalogue *catalogue, const char *schema, const char *name)
{
	if (!catalogue->warned)
		log_warning("the log does not name the columns of its tables (first seen with %s.%s), so they "
			    "are asked from the catalogue and may "
			    "be of another time: " HINT_FULL,
			schema, name);
	catalogue->warned = true;
}

int catalogue_table(void *context, const char *schema, const char *name, const unsigned char *types,
	size_t column_count, bool known_names, const struct binlog_catalogue_column **ret_columns, size_t *ret_count,
	struct error *err)
{
	struct catalogue *catalogue = context;
	struct error misfit = ERROR_INIT;
	int kept;

	arena_reset(&catalogue->arena);
	*ret_count = 0;
	kept = find_kept(catalogue, schema, name, ret_columns, ret_count, err);
	/* DDL that was not understood: with names in the log a later answer is still better */
	if (kept > 0 && known_names && check_fit(schema, name, types, column_count, *ret_columns, *ret_count, &misfit) < 0)
		kept = 0;
	if (kept < 0 || (kept == 0 && describe_here(catalogue, schema, name, ret_columns, ret_count, err) < 0))
		return -1;
	if (!known_names) {
		warn_of_names(catalogue, schema, name);
		if (check_fit(schema, name, types, column_count, *ret_columns, *ret_count, err) < 0)
			return -1;
	}
	if (kept > 0 || catalogue->shapes == NULL || *ret_count == 0)
		return 0;
	return put_shape(catalogue, schema, name, *ret_columns, *ret_count, err);
}

/* ---- lists of tables ---- */

#define NOT_SYSTEM "NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"

int catalogue_tables(struct control *control, source_table_visit *visit, void *context, struct error *err)
{
	MYSQL_RES *result;
	MYSQL_ROW row;
	int rc = 0;

	if (control_query(control,
		    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type IN ('BASE TABLE', "
		    "'SYSTEM VERSIONED') "
		    "AND table_schema " NOT_SYSTEM " ORDER BY 1, 2",
		    "asking for the tables", &result, err) < 0)
		return -1;
	while (rc == 0 && (row = mysql_fetch_row(result)) != NULL)
		if (catalogue_is_chosen(control->end->options, row[0], row[1]))
			rc = visit(context, row[0], row[1], err);
	mysql_free_result(result);
	return rc;
}

static int keep_one(void *context, const char *schema, const char *name, struct error *err)
{
	struct catalogue *catalogue = context;
	const struct binlog_catalogue_column *columns;
	size_t count;

	arena_reset(&catalogue->arena);
	if (describe_here(catalogue, schema, name, &columns, &count, err) < 0)
		return -1;
	return count > 0 ? put_shape(catalogue, schema, name, columns, count, err) : 0;
}

int catalogue_keep_all(struct catalogue *catalogue, struct error *err)
{
	if (shapes_begin(catalogue->shapes, err) < 0 || catalogue_tables(catalogue->control, keep_one, catalogue, err) < 0)
		return -1;
	return shapes_end(catalogue->shapes, err);
}

int catalogue_keep(struct catalogue *catalogue, const char *schema, const char *name, struct error *err)
{
	const struct binlog_catalogue_column *columns;
	size_t count;
	int kept;

	arena_reset(&catalogue->arena);
	kept = catalogue->shapes != NULL ? find_kept(catalogue, schema, name, &columns, &count, err) : 1;
	if (kept != 0)
		return kept < 0 ? -1 : 0;
	if (describe_here(catalogue, schema, name, &columns, &count, err) < 0)
		return -1;
	return count > 0 && !columns[0].uncertain ? put_shape(catalogue, schema, name, columns, count, err) : 0;
}

int catalogue_forget(struct catalogue *catalogue, const char *schema, const char *name, struct error *err)
{
	catalogue->ddl_number = catalogue->number;
	if (catalogue->shapes == NULL)
		return 0;
	return shapes_void(catalogue->shapes, schema, name, catalogue->number * 4 + 1, err);
}

/* MySQL from 9.6 on makes such changes itself, and logs them; before, and in MariaDB, the engine does it where no log is. */
static int are_cascades_logged(struct control *control, bool *ret_logged, struct error *err)
{
	MYSQL_RES *result;
	MYSQL_ROW row;

	if (control_query(control, "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'", "asking about foreign keys",
		    &result, err) < 0)
		return -1;
	row = mysql_fetch_row(result);
	*ret_logged = row != NULL && row[1] != NULL && strcasecmp(row[1], "OFF") == 0;
	mysql_free_result(result);
	return 0;
}

struct cascades {
	struct control *control;
	struct buf names;
	size_t count;
};

static int find_cascade(void *context, const char *schema, const char *name, struct error *err)
{
	static const char *const actions[] = { " ON DELETE CASCADE", " ON UPDATE CASCADE", " ON DELETE SET ", " ON UPDATE SET " };
	struct cascades *found = context;
	MYSQL_RES *result;
	const char *text, *line;
	size_t len;
	bool acts = false;

	if (ask_text(found->control, schema, name, &result, &text, err) < 0)
		return -1;
	while ((line = next_line(&text, &len)) != NULL)
		for (size_t i = 0; i < sizeof actions / sizeof actions[0] && strncmp(line, "CONSTRAINT `", 12) == 0; i++)
			acts = acts || line_has(line, len, actions[i]);
	mysql_free_result(result);
	if (acts && found->count++ < CASCADES_NAMED)
		buf_printf(&found->names, "%s%s.%s", found->count > 1 ? ", " : "", schema, name);
	return 0;
}

int catalogue_cascades(struct control *control, struct error *err)
{
	struct cascades found = { .control = control };
	bool logged;
	int rc;

	if (are_cascades_logged(control, &logged, err) < 0)
		return -1;
	if (logged)
		return 0;
	buf_init(&found.names, 8192);
	rc = catalogue_tables(control, find_cascade, &found, err);
	if (found.count > CASCADES_NAMED)
		buf_printf(&found.names, " and %zu more", found.count - CASCADES_NAMED);
	if (rc == 0 && found.count > 0)
		log_warning("what foreign keys with CASCADE or SET NULL do to their tables is not in the server's log, so it is not "
			    "captured: %s; the target needs the same foreign keys",
			buf_cstr(&found.names));
	buf_release(&found.names);
	return rc;
}
