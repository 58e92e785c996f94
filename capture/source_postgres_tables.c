/*
 * source_postgres_tables.c: the publication, and whether its tables can be followed.
 *
 * A published table without replica identity is worse than one that is not captured: PostgreSQL then refuses its
 * updates and deletes. So no table is added to a publication, and none is captured, before it has a primary key or
 * another replica identity.
 *
 * A partitioned table is published as itself (publish_via_partition_root), so that moving a row between partitions
 * changes no topic.
 */
#include "capture/source_postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/change/table.h"

#define STATEMENT_MAX ((size_t)16 << 20)
#define PUBLISH_US INT64_C(60000000)

/* Every table that could be captured: the roots of partitioned ones instead of their parts. $1: the publication. */
#define TABLES_QUERY                                                                                          \
	"SELECT n.nspname, c.relname,"                                                                        \
	" CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false"                                         \
	"  WHEN 'i' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid "                            \
	" AND i.indisreplident AND i.indisvalid)"                                                             \
	"  ELSE EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid) END,"\
	" EXISTS (SELECT FROM pg_publication_tables p WHERE p.pubname = $1 AND p.schemaname = n.nspname"      \
	"  AND p.tablename = c.relname), c.relispartition "                                                   \
	"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "                                      \
	"WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'"                                            \
	" AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' "         \
	"ORDER BY 1, 2"

enum { TABLE_SCHEMA, TABLE_NAME, TABLE_IDENTITY, TABLE_PUBLISHED, TABLE_PART };

static bool is_true(const PGresult *result, int row, int column)
{
	return strcmp(PQgetvalue(result, row, column), "t") == 0;
}

static bool is_pattern(const char *text)
{
	return strpbrk(text, "*?[\\") != NULL;
}

static bool is_listed(const struct source_options *options, const char *schema, const char *name)
{
	return table_selected(schema, name, options->table_include, options->table_include_count,
		options->table_exclude, options->table_exclude_count);
}

/* Named in full in the include list, so that its absence is a mistake and a partition is meant as itself. */
static bool is_named(const struct source_options *options, const char *schema, const char *name)
{
	size_t len = strlen(schema);

	for (size_t i = 0; i < options->table_include_count; i++) {
		const char *text = options->table_include[i];

		if (strncmp(text, schema, len) == 0 && text[len] == '.' && strcmp(text + len + 1, name) == 0)
			return true;
	}
	return false;
}

static bool is_wanted(const struct source_options *options, const PGresult *tables, int row)
{
	const char *schema = PQgetvalue(tables, row, TABLE_SCHEMA), *name = PQgetvalue(tables, row, TABLE_NAME);

	if (!is_listed(options, schema, name))
		return false;
	return !is_true(tables, row, TABLE_PART) || is_named(options, schema, name);
}

/* ---- checks ---- */

/* Each table that the include list names in full must exist. */
static int check_named(const struct source_options *options, const PGresult *tables, struct error *err)
{
	for (size_t i = 0; i < options->table_include_count; i++) {
		const char *text = options->table_include[i];
		bool found = is_pattern(text);

		for (int row = 0; !found && row < PQntuples(tables); row++) {
			const char *schema = PQgetvalue(tables, row, TABLE_SCHEMA);
			size_t len = strlen(schema);

			found = strncmp(text, schema, len) == 0 && text[len] == '.' &&
				strcmp(text + len + 1, PQgetvalue(tables, row, TABLE_NAME)) == 0;
		}
		if (found)
			continue;
		error_set(err, ERROR_CONFIG, "table %s of table_include_list does not exist in database \"%s\"", text,
			options->dbname);
		return error_hint(err, "each entry is SCHEMA.TABLE; * and ? are allowed");
	}
	return 0;
}

static int no_identity(const PGresult *tables, int row, struct error *err)
{
	const char *schema = PQgetvalue(tables, row, TABLE_SCHEMA), *name = PQgetvalue(tables, row, TABLE_NAME);

	error_set(err, ERROR_CONFIG,
		"table %s.%s has no replica identity: PostgreSQL would refuse its updates and deletes", schema, name);
	return error_hint(err,
		"ALTER TABLE \"%s\".\"%s\" ADD PRIMARY KEY (...), or ALTER TABLE \"%s\".\"%s\" REPLICA IDENTITY "
			       "FULL; or leave it out with table_exclude_list", schema, name, schema, name);
}

/* all: FOR ALL TABLES is to be made, which takes in every table. */
static int check_identities(const struct source_options *options, const PGresult *tables, bool all, struct error *err)
{
	for (int row = 0; row < PQntuples(tables); row++) {
		bool concerned = is_wanted(options, tables, row) &&
			(is_true(tables, row, TABLE_PUBLISHED) || strcmp(options->publication_create, "disabled") != 0);

		if ((concerned || all) && !is_true(tables, row, TABLE_IDENTITY))
			return no_identity(tables, row, err);
	}
	return 0;
}

static int check_published(const struct source_options *options, const PGresult *tables, struct error *err)
{
	for (int row = 0; row < PQntuples(tables); row++) {
		const char *schema = PQgetvalue(tables, row, TABLE_SCHEMA), *name = PQgetvalue(tables, row, TABLE_NAME);

		if (is_true(tables, row, TABLE_PUBLISHED) || !is_named(options, schema, name) ||
			!is_listed(options, schema, name))
			continue;
		error_set(err, ERROR_CONFIG, "table %s.%s is not in publication \"%s\"", schema, name,
			options->publication_name);
		return error_hint(err,
			"ALTER PUBLICATION \"%s\" ADD TABLE \"%s\".\"%s\", or publication_create = \"filtered\"",
			options->publication_name, schema, name);
	}
	return 0;
}

/* ---- making ---- */

/* A statement with quoted names; everything is ours to quote, since names come from the catalogue and the settings. */
static int append_identifier(PGconn *sql, struct buf *statement, const char *name, struct error *err)
{
	char *quoted = PQescapeIdentifier(sql, name, strlen(name));

	if (quoted == NULL)
		return error_set(err, ERROR_CONFIG, "\"%s\" is no name: %s", name, PQerrorMessage(sql));
	buf_append_str(statement, quoted);
	PQfreemem(quoted);
	return 0;
}

/* Appends the wanted tables that are not published yet; *ret_count: how many. */
static int append_tables(const struct source_options *options, PGconn *sql, const PGresult *tables,
	struct buf *statement,
	int *ret_count, struct error *err)
{
	int count = 0;

	for (int row = 0; row < PQntuples(tables); row++) {
		if (!is_wanted(options, tables, row) || is_true(tables, row, TABLE_PUBLISHED))
			continue;
		buf_append_str(statement, count++ > 0 ? ", " : " ");
		if (append_identifier(sql, statement, PQgetvalue(tables, row, TABLE_SCHEMA), err) < 0)
			return -1;
		buf_append_str(statement, ".");
		if (append_identifier(sql, statement, PQgetvalue(tables, row, TABLE_NAME), err) < 0)
			return -1;
	}
	*ret_count = count;
	return 0;
}

static int run(const struct source_options *options, PGconn *sql, struct buf *statement, const char *doing,
	struct error *err)
{
	PGresult *result;

	if (buf_check(statement, doing, err) < 0)
		return -1;
	if (session_query(options, sql, buf_cstr(statement), NULL, 0, PUBLISH_US, doing, &result, err) < 0)
		return -1;
	PQclear(result);
	return 0;
}

static int create_publication(const struct source_options *options, PGconn *sql, const PGresult *tables,
	struct error *err)
{
	bool all = strcmp(options->publication_create, "all_tables") == 0;
	struct buf statement;
	int count = 0, rc = -1;

	buf_init(&statement, STATEMENT_MAX);
	buf_append_str(&statement, "CREATE PUBLICATION ");
	if (append_identifier(sql, &statement, options->publication_name, err) < 0)
		goto out;
	buf_append_str(&statement, all ? " FOR ALL TABLES" : " FOR TABLE");
	if (!all && append_tables(options, sql, tables, &statement, &count, err) < 0)
		goto out;
	if (!all && count == 0) {
		error_set(err, ERROR_CONFIG,
			"no table of database \"%s\" matches table_include_list and table_exclude_list",
			options->dbname);
		goto out;
	}
	buf_append_str(&statement, " WITH (publish_via_partition_root = true)");
	if (run(options, sql, &statement, "creating the publication", err) < 0) {
		if (err->class == ERROR_CONFIG)
			error_hint(err,
				"the role needs CREATE on the database and must own the tables (for all tables: be a "
					"superuser); or let the administrator create the publication");
		goto out;
	}
	rc = 0;
out:
	buf_release(&statement);
	return rc;
}

/* Tables that came since the publication was made. */
static int extend_publication(const struct source_options *options, PGconn *sql, const PGresult *tables,
	struct error *err)
{
	struct buf statement;
	int count = 0, rc = -1;

	buf_init(&statement, STATEMENT_MAX);
	buf_append_str(&statement, "ALTER PUBLICATION ");
	if (append_identifier(sql, &statement, options->publication_name, err) < 0)
		goto out;
	buf_append_str(&statement, " ADD TABLE");
	if (append_tables(options, sql, tables, &statement, &count, err) < 0)
		goto out;
	if (count == 0 || run(options, sql, &statement, "adding tables to the publication", err) == 0)
		rc = 0;
	/* Not permitted: then the check below says which table is missing, if one is named. */
	else if (err->class == ERROR_CONFIG) {
		error_clear(err);
		rc = 0;
	}
out:
	buf_release(&statement);
	return rc;
}

static int read_tables(const struct source_options *options, PGconn *sql, PGresult **ret_tables, struct error *err)
{
	const char *parameters[] = { options->publication_name };

	return session_query(options, sql, TABLES_QUERY, parameters, 1, SESSION_QUERY_US, "looking at the tables",
		ret_tables, err);
}

/* *ret_exists, *ret_all. Publishing less than all four operations would lose the others in silence. */
static int read_publication(const struct source_options *options, PGconn *sql, bool *ret_exists, bool *ret_all,
	struct error *err)
{
	const char *parameters[] = { options->publication_name };
	PGresult *result;
	int rc = 0;

	if (session_query(options, sql,
		    "SELECT puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_publication"
		    " WHERE pubname = $1",
		    parameters, 1, SESSION_QUERY_US, "looking for the publication", &result, err) < 0)
		return -1;
	*ret_exists = PQntuples(result) > 0;
	*ret_all = *ret_exists && is_true(result, 0, 0);
	if (*ret_exists && !is_true(result, 0, 1)) {
		error_set(err, ERROR_CONFIG,
			"publication \"%s\" does not publish all of insert, update, delete and truncate",
			options->publication_name);
		rc = error_hint(err, "ALTER PUBLICATION \"%s\" SET (publish = 'insert, update, delete, truncate')",
			options->publication_name);
	}
	PQclear(result);
	return rc;
}

static int make_publication(const struct source_options *options, PGconn *sql, const PGresult *tables, bool exists,
	bool all, struct error *err)
{
	bool wants_all = strcmp(options->publication_create, "all_tables") == 0;

	if (check_named(options, tables, err) < 0 || check_identities(options, tables, !exists && wants_all, err) < 0)
		return -1;
	if (!exists)
		return create_publication(options, sql, tables, err);
	if (all || strcmp(options->publication_create, "filtered") != 0)
		return 0;
	return extend_publication(options, sql, tables, err);
}

int setup_publication(const struct source_options *options, PGconn *sql, struct error *err)
{
	PGresult *tables;
	bool exists, all;
	int rc;

	if (read_publication(options, sql, &exists, &all, err) < 0)
		return -1;
	if (!exists && strcmp(options->publication_create, "disabled") == 0) {
		error_set(err, ERROR_CONFIG, "publication \"%s\" does not exist in database \"%s\"",
			options->publication_name, options->dbname);
		return error_hint(err, "CREATE PUBLICATION \"%s\" FOR TABLE ..., or set publication_create",
			options->publication_name);
	}
	if (read_tables(options, sql, &tables, err) < 0)
		return -1;
	rc = make_publication(options, sql, tables, exists, all, err);
	PQclear(tables);
	if (rc < 0 || read_tables(options, sql, &tables, err) < 0)
		return -1;
	rc = check_published(options, tables, err);
	PQclear(tables);
	return rc;
}

int published_tables(const struct source_options *options, PGconn *sql, source_table_visit *visit, void *context,
	struct error *err)
{
	PGresult *tables;
	int rc = 0;

	if (read_tables(options, sql, &tables, err) < 0)
		return -1;
	for (int row = 0; row < PQntuples(tables) && rc == 0; row++) {
		const char *schema = PQgetvalue(tables, row, TABLE_SCHEMA), *name = PQgetvalue(tables, row, TABLE_NAME);

		if (is_true(tables, row, TABLE_PUBLISHED) && is_listed(options, schema, name))
			rc = visit(context, schema, name, err);
	}
	PQclear(tables);
	return rc;
}
