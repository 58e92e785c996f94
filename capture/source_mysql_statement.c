/*
 * source_mysql_statement.c: what statements in the log mean to the group that they stand in.
 *
 *   BEGIN, XA START           MySQL: the group has an end of its own; XA START: its rows are those of a branch
 *   COMMIT, ROLLBACK          the end; after a ROLLBACK nothing of the group happened (source_mysql_feed.c)
 *   SAVEPOINT, ROLLBACK TO    MariaDB: what lies between never happened
 *   XA COMMIT, XA ROLLBACK    the branch is decided; at MariaDB perhaps for the second time (source_mysql_decided.c)
 *   TRUNCATE                  a change of the table
 *   other DDL                 what was known of the named tables is known no longer, and asked anew
 *   ALTER TABLE of rows       DROP PARTITION and the like: rows come or go and the log has none of them: a named stop
 *   INSERT, UPDATE ...        rows that nobody can tell from the log: a named stop, if they may be of a captured table
 *   anything else             nothing
 */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "capture/decode_statement.h"
#include "capture/source_mysql.h"

#include "lib/base/log.h"

#define MAP_MAX ((size_t)1 << 20)

static const char *file_of(const struct source *src)
{
	return binlog_reader_file((src->branch != NULL ? src->branch : src->feed)->reader);
}

/* ---- rows that were undone ---- */

/* Known in advance, these rows would not have been given. */
static int given_too_much(const struct source *src, const struct binlog_item *item, const char *what, struct error *err)
{
	error_set(err, ERROR_DATA,
		"%s:%" PRIu64
		": %s undoes rows of transaction %s that were given out already, as it is larger than %zu MiB",
		file_of(src), item->start, what, src->txn.id, STREAM_QUEUE_SIZE >> 20);
	return error_hint(err,
		"start anew with another topic_prefix; for the future, do not mix temporary tables into large "
		"transactions that are rolled back");
}

static int take_rollback(struct source *src, const struct binlog_item *item, struct error *err)
{
	if (src->given > 0)
		return given_too_much(src, item, "ROLLBACK", err);
	return items_end_group(src, item, err);
}

static int take_savepoint(struct source *src, const struct binlog_item *item, struct error *err)
{
	const char *text = item->query.text;

	if (!src->large || src->group_rows != ROWS_GIVEN)
		return 0;
	if (item->query.len > 11 && strncasecmp(text, "ROLLBACK TO", 11) == 0)
		return src->given_since_savepoint > 0 ? given_too_much(src, item, "ROLLBACK TO", err) : 0;
	src->savepoint = true;
	return 0;
}

/* ---- DDL ---- */

/* name "": all tables of the schema; both NULL: all tables. */
static int forget_table(struct source *src, const char *schema, const char *name, struct error *err)
{
	if (name != NULL && name[0] == '\0')
		name = NULL;
	binlog_tables_forget(src->tables, schema, name);
	if (catalogue_forget(&src->catalogue, schema, name, err) < 0)
		return -1;
	/* asked while the change is fresh, the answer is most surely the one of this place */
	if (name == NULL || !catalogue_is_chosen(&src->options, schema, name))
		return 0;
	return catalogue_keep(&src->catalogue, schema, name, err);
}

/* A statement whose tables could not be read may mean any. */
static int forget_tables(struct source *src, const struct statement *statement, struct error *err)
{
	if (statement->kind == STATEMENT_OTHER)
		return 0;
	if (statement->table_count == 0)
		return forget_table(src, NULL, NULL, err);
	for (size_t i = 0; i < statement->table_count; i++)
		if (forget_table(src, statement->tables[i].schema, statement->tables[i].name, err) < 0)
			return -1;
	return 0;
}

/* A table that was not met since the start: its shape is the catalogue's, of this place if that is known. NULL and 0: nobody knows it any more. */
static int shape_from_catalogue(
	struct source *src, const struct statement_table *named, const struct table **ret_table, struct error *err)
{
	const struct binlog_catalogue_column *columns;
	bool warned = src->catalogue.warned;
	struct buf map;
	size_t count;
	int rc = -1;

	buf_init(&map, MAP_MAX);
	if (catalogue_columns(&src->catalogue, named->schema, named->name, &columns, &count, err) < 0)
		goto out;
	if (count == 0) {
		log_warning("%s.%s was truncated at transaction %s, but it was dropped or renamed later and its shape "
			    "is not known: left out",
			named->schema, named->name, src->txn.id);
		rc = 0;
		goto out;
	}
	src->catalogue.warned = true; /* this map is not the log's */
	if (map_make(named->schema, named->name, columns, count, src->end.mariadb, &map, err) == 0)
		rc = items_map(src, map.data, map.len, ret_table, err);
	src->catalogue.warned = warned;
out:
	buf_release(&map);
	return rc;
}

static int take_truncate(
	struct source *src, const struct binlog_item *item, const struct statement *statement, struct error *err)
{
	const struct statement_table *named = statement->tables;
	const struct table *table = NULL;

	if (statement->table_count != 1 || src->group_rows != ROWS_GIVEN ||
		!catalogue_is_chosen(&src->options, named->schema, named->name))
		return 0;
	table = binlog_tables_find(src->tables, named->schema, named->name);
	if (table == NULL && shape_from_catalogue(src, named, &table, err) < 0)
		return error_prefix(err, "%s:%" PRIu64 ": TRUNCATE", file_of(src), item->start);
	src->truncate_due = table;
	src->truncate_start = item->start;
	return 0;
}

/* ---- rows that the log does not carry ---- */

static bool matches_database(const char *pattern, const char *schema)
{
	const char *dot = strchr(pattern, '.');
	char database[256];

	(void)snprintf(
		database, sizeof database, "%.*s", dot != NULL ? (int)(dot - pattern) : (int)strlen(pattern), pattern);
	return fnmatch(database, schema, 0) == 0;
}

/* Whether some table of the database may be captured. "": nobody knows which it is. */
static bool may_be_captured(const struct source_options *options, const char *schema)
{
	if (schema[0] == '\0')
		return true;
	if (!catalogue_is_chosen(&(struct source_options){ .table_include = NULL }, schema, "t"))
		return false;
	for (size_t i = 0; i < options->table_include_count; i++)
		if (matches_database(options->table_include[i], schema))
			return true;
	return options->table_include_count == 0;
}

/* In a statement whose table cannot be read. */
static int check_unread(const struct source *src, const struct binlog_item *item, const char *what, struct error *err)
{
	if (src->group_rows != ROWS_GIVEN || !may_be_captured(&src->options, item->query.schema))
		return 0;
	error_set(err, ERROR_GAP, "%s:%" PRIu64 ": %s of a table in database \"%s\" whose name cannot be read", file_of(src),
		item->start, what, item->query.schema);
	return error_hint(err, "the name was given in another charset than the session's (SET NAMES): start anew with another topic_prefix");
}

/* ALTER TABLE ... DROP PARTITION and the like. */
static int take_moved_rows(
	const struct source *src, const struct binlog_item *item, const struct statement *statement, struct error *err)
{
	for (size_t i = 0; i < statement->table_count; i++) {
		const struct statement_table *table = &statement->tables[i];

		if (!catalogue_is_chosen(&src->options, table->schema, table->name))
			continue;
		error_set(err, ERROR_GAP,
			"%s:%" PRIu64 ": %s.%s: an ALTER TABLE of transaction %s brings or removes rows that the log does not carry: %.*s",
			file_of(src), item->start, table->schema, table->name, src->txn.id,
			(int)(item->query.len < 160 ? item->query.len : 160), item->query.text);
		return error_hint(err,
			"leave the table out with table_exclude_list and bring the target in line by hand, or start anew with another "
			"topic_prefix; for the future, DELETE such rows and only then drop their partition, while the table is left out");
	}
	return 0;
}

static int take_data(
	const struct source *src, const struct binlog_item *item, const struct statement *statement, struct error *err)
{
	const struct binlog_query *query = &item->query;
	size_t word = 0;
	bool captured = statement->table_count == 0 && may_be_captured(&src->options, query->schema);

	for (size_t i = 0; i < statement->table_count; i++)
		captured = captured || statement->tables[i].schema == NULL || statement->tables[i].name == NULL ||
			catalogue_is_chosen(&src->options, statement->tables[i].schema, statement->tables[i].name);
	if (!captured || src->group_rows == ROWS_KNOWN)
		return 0;
	while (word < query->len && word < 20 && strchr(" \t\r\n(/", query->text[word]) == NULL)
		word++;
	error_set(err, ERROR_GAP,
		"%s:%" PRIu64 ": a change in database \"%s\" was logged as a statement and not as rows: %.*s ...",
		file_of(src), item->start, query->schema, (int)word, query->text);
	return error_hint(err,
		"what it changed cannot be told from the log: set binlog_format=ROW, also for sessions, and start anew "
		"with another topic_prefix");
}

/* ---- XA ---- */

/* A decision of a branch of which nothing is known. */
static int take_unknown(
	const struct source *src, const struct binlog_item *item, const struct statement *statement, struct error *err)
{
	if (statement->kind == STATEMENT_XA_ROLLBACK) {
		if (src->end.mariadb)
			log_warning("%s:%" PRIu64 ": XA branch %s is rolled back, but its prepare was not read: if it was committed in one phase "
				    "when MariaDB died, the log may have its rows and the source has not: then compare them with the target; if it "
				    "was prepared before the agent first started, all is well",
				file_of(src), item->start, statement->xa);
		return 0;
	}
	error_set(err, ERROR_GAP, "%s:%" PRIu64 ": XA branch %s is committed, but its prepare was not read", file_of(src), item->start,
		statement->xa);
	return error_hint(err, "it was prepared before the agent first started%s: start anew with another topic_prefix",
		src->end.mariadb ? ", so its changes cannot be had from here, or committed in one phase when MariaDB died, so that nobody can "
				   "tell whether the log has had its changes already"
				 : ", so its changes cannot be had from here");
}

/* It is committed, and was rolled back; or the other way round. */
static int take_contradiction(const struct source *src, const struct binlog_item *item, const struct statement *statement,
	const struct decided *decided, struct error *err)
{
	struct error told = ERROR_INIT;

	if (statement->kind == STATEMENT_XA_COMMIT) {
		error_set(err, ERROR_GAP, "%s:%" PRIu64 ": XA branch %s is committed, but transaction %s has rolled it back", file_of(src),
			item->start, statement->xa, decided->id);
		return error_hint(err, "MariaDB lost the rollback in a crash, and its transaction manager decided otherwise then: start anew with "
				       "another topic_prefix");
	}
	error_set(&told, ERROR_DATA,
		"%s:%" PRIu64 ": XA branch %s of transaction %s: MariaDB lost its commit in a crash, and it was rolled back then", file_of(src),
		item->start, statement->xa, decided->id);
	(void)error_hint(&told, "the target has its rows, the source has not: compare them");
	log_error(&told, "source and target differ");
	return 0;
}

/*
 * A branch that is not open. MariaDB decides it for the second time, if it had lost the first in a crash (source_mysql_decided.c): whatever its rows
 * are, they went out then, or never will.
 */
static int take_again(struct source *src, const struct binlog_item *item, const struct statement *statement, struct error *err)
{
	const struct decided *decided = groups_decision(src->groups, statement->xa);
	bool commit = statement->kind == STATEMENT_XA_COMMIT;
	const char *id = src->txn.id;

	if (decided == NULL && take_unknown(src, item, statement, err) < 0)
		return -1;
	if (decided != NULL && decided->committed != commit && take_contradiction(src, item, statement, decided, err) < 0)
		return -1;
	if (decided != NULL && commit) {
		id = decided->id;
		log_warning("%s:%" PRIu64 ": XA branch %s is committed for the second time, as MariaDB lost its commit in a crash: its rows went out "
			    "with transaction %s, so they do not now",
			file_of(src), item->start, statement->xa, id);
	}
	return groups_note_decision(src->groups, statement->xa, commit, id, err);
}

static int take_decision(
	struct source *src, const struct binlog_item *item, const struct statement *statement, struct error *err)
{
	struct prepared *prepared = groups_prepared(src->groups, statement->xa);
	bool commit = statement->kind == STATEMENT_XA_COMMIT;

	if (src->group_rows == ROWS_KNOWN)
		return items_end_group(src, item, err);
	if (prepared == NULL) {
		if (take_again(src, item, statement, err) < 0)
			return -1;
		return items_end_group(src, item, err);
	}
	if (groups_note_decision(src->groups, statement->xa, commit, src->txn.id, err) < 0)
		return -1;
	if (commit)
		return items_take_branch(src, item, prepared, err);
	return groups_decide(src->groups, prepared, err) < 0 ? -1 : items_end_group(src, item, err);
}

/* ---- statements ---- */

static bool is_word(const struct binlog_query *query, const char *word)
{
	return query->len == strlen(word) && memcmp(query->text, word, query->len) == 0;
}

/* Names as table maps have them; of a statement with a name that is no text no table is told. */
static int read_names(struct source *src, struct statement *io_statement, struct error *err)
{
	size_t count = io_statement->table_count;
	struct statement_table *tables = arena_alloc(&src->arena, (count + 1) * sizeof *tables);

	if (tables == NULL)
		return arena_error(&src->arena, err);
	for (size_t i = 0; i < count; i++) {
		tables[i] = io_statement->tables[i];
		if (tables[i].schema == NULL || tables[i].name == NULL || !names_is_text(tables[i].schema) ||
			!names_is_text(tables[i].name)) {
			io_statement->table_count = 0;
			return 0;
		}
		if (src->end.fold_names &&
			(names_fold(&src->control, tables[i].schema, &src->arena, &tables[i].schema, err) < 0 ||
				names_fold(&src->control, tables[i].name, &src->arena, &tables[i].name, err) < 0))
			return -1;
	}
	io_statement->tables = tables;
	return 0;
}

/* The words that end most groups need no tokenizer. */
static int read_statement(struct source *src, const struct binlog_query *query, struct statement *ret, struct error *err)
{
	struct binlog_query text;

	*ret = (struct statement){ .kind = STATEMENT_OTHER, .xa = "" };
	if (is_word(query, "BEGIN")) {
		ret->kind = STATEMENT_BEGIN;
	} else if (is_word(query, "COMMIT")) {
		ret->kind = STATEMENT_COMMIT;
	} else {
		arena_reset(&src->arena);
		if (names_query(query, &src->arena, &text, err) < 0)
			return -1;
		statement_read(&text, &src->arena, ret);
		return ret->table_count > 0 ? read_names(src, ret, err) : 0;
	}
	return 0;
}

/* Statements of the branch itself, on the second stream: its end is the XA PREPARE event. */
static int take_in_branch(
	struct source *src, const struct binlog_item *item, const struct statement *statement, struct error *err)
{
	if (statement->kind == STATEMENT_SAVEPOINT)
		return take_savepoint(src, item, err);
	return 0;
}

static int take_ddl(
	struct source *src, const struct binlog_item *item, const struct statement *statement, struct error *err)
{
	if (src->group_rows == ROWS_KNOWN)
		return 0; /* its number is that of the group behind it, and what it did was taken in before */
	if (statement->kind == STATEMENT_TRUNCATE && statement->table_count == 0)
		return check_unread(src, item, "TRUNCATE", err);
	if (statement->kind == STATEMENT_TRUNCATE)
		return take_truncate(src, item, statement, err);
	if (statement->kind == STATEMENT_ALTER_ROWS && statement->table_count == 0)
		return check_unread(src, item, "ALTER TABLE", err);
	if (statement->kind == STATEMENT_ALTER_ROWS && take_moved_rows(src, item, statement, err) < 0)
		return -1;
	if (statement->kind == STATEMENT_DATA)
		return take_data(src, item, statement, err);
	return forget_tables(src, statement, err);
}

int statement_take(struct source *src, const struct binlog_item *item, struct error *err)
{
	const struct binlog_query *query = &item->query;
	struct statement statement;

	if (read_statement(src, query, &statement, err) < 0)
		return error_prefix(err, "%s:%" PRIu64, file_of(src), item->start);
	if (src->branch != NULL)
		return take_in_branch(src, item, &statement, err);
	switch (statement.kind) {
	case STATEMENT_BEGIN:
		src->single = false;
		src->explicit_end = true;
		if (query->len > 2 && strncasecmp(query->text, "XA", 2) == 0 && src->group_rows == ROWS_GIVEN)
			src->group_rows = ROWS_HELD;
		return 0;
	case STATEMENT_COMMIT:
		return items_end_group(src, item, err);
	case STATEMENT_ROLLBACK:
		return take_rollback(src, item, err);
	case STATEMENT_SAVEPOINT:
		return take_savepoint(src, item, err);
	case STATEMENT_XA_END:
		return 0;
	case STATEMENT_XA_COMMIT:
	case STATEMENT_XA_ROLLBACK:
		return take_decision(src, item, &statement, err);
	default:
		break;
	}
	if (take_ddl(src, item, &statement, err) < 0)
		return -1;
	/* MySQL: a group that does not begin with BEGIN is this one statement; MariaDB says so in the GTID event */
	if (src->single || (!src->end.mariadb && !src->explicit_end))
		return items_end_group(src, item, err);
	return 0;
}
