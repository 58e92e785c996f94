/*
 * source_mysql_shapes.c: what the catalogue said of tables, kept with the number from which on it was so.
 *
 * What the log does not say of a table (with binlog_row_metadata=MINIMAL nearly all; else defaults, and a few types of
 * MariaDB) is asked from the catalogue. A restart reads the log of a while ago, when the catalogue may be of later: so
 * each answer is kept, in a small SQLite file of the agent's own. DDL voids an answer from its number on; the void is
 * kept too, because after a restart nobody reads that DDL again.
 *
 *   shape(log, schema, name, number, text)   valid from that number on, until the next row of the table; text NULL: void
 *
 * Losing the file loses no data: the tables are asked again, and a description that does not fit the log's types is a
 * named stop.
 */
#include "capture/source_mysql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define BUSY_MS 5000
/* Kept behind the newest of each table: a restart goes back to what is not confirmed, and no further. */
#define KEPT_ROWS 64

struct shapes {
	sqlite3 *db;
	sqlite3_stmt *get, *put, *drop, *names;
	char log[POSITION_LOG_MAX];
};

static int failed(const struct shapes *shapes, const char *doing, struct error *err)
{
	const char *why = shapes->db != NULL ? sqlite3_errmsg(shapes->db) : "out of memory";

	error_set(err, ERROR_RETRY, "the store of table shapes: %s: %s", doing, why);
	return error_hint(err, "look at the state directory: its rights, and the space of its file system");
}

static int prepare(struct shapes *shapes, const char *sql, sqlite3_stmt **ret, struct error *err)
{
	return sqlite3_prepare_v2(shapes->db, sql, -1, ret, NULL) == SQLITE_OK ? 0 : failed(shapes, "preparing", err);
}

static int make_tables(struct shapes *shapes, struct error *err)
{
	static const char sql[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
				  "CREATE TABLE IF NOT EXISTS shape (log TEXT NOT NULL, schema TEXT NOT NULL, name "
				  "TEXT NOT NULL, number INTEGER NOT NULL, "
				  "text BLOB, PRIMARY KEY (log, schema, name, number)) WITHOUT ROWID";

	(void)sqlite3_busy_timeout(shapes->db, BUSY_MS);
	return sqlite3_exec(shapes->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(shapes, "opening", err);
}

int shapes_open(const struct source_options *options, const char *log, struct shapes **ret_shapes, struct error *err)
{
	struct shapes *shapes = calloc(1, sizeof *shapes);
	const char *name = options->name != NULL && options->name[0] != '\0' ? options->name : "capture";
	char path[4096];

	if (shapes == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the store of table shapes");
	(void)snprintf(shapes->log, sizeof shapes->log, "%s", log);
	if ((size_t)snprintf(path, sizeof path, "%s/%s.sqlite", options->state_directory, name) >= sizeof path) {
		free(shapes);
		return error_set(err, ERROR_CONFIG, "the name of the state directory is too long");
	}
	if (sqlite3_open_v2(path, &shapes->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) {
		error_set(err, ERROR_CONFIG, "%s cannot be opened: %s", path,
			shapes->db != NULL ? sqlite3_errmsg(shapes->db) : "out of memory");
		(void)error_hint(err, "make the state directory, and give it to the agent's user");
		shapes_close(shapes);
		return -1;
	}
	if (make_tables(shapes, err) < 0 ||
		prepare(shapes,
			"SELECT text FROM shape WHERE log = ?1 AND schema = ?2 AND name = ?3 AND number <= ?4 ORDER BY "
			"number DESC LIMIT 1",
			&shapes->get, err) < 0 ||
		prepare(shapes, "INSERT OR REPLACE INTO shape VALUES (?1, ?2, ?3, ?4, ?5)", &shapes->put, err) < 0 ||
		prepare(shapes,
			"DELETE FROM shape WHERE log = ?1 AND schema = ?2 AND name = ?3 AND number < (SELECT number "
			"FROM shape "
			"WHERE log = ?1 AND schema = ?2 AND name = ?3 ORDER BY number DESC LIMIT 1 OFFSET ?4)",
			&shapes->drop, err) < 0 ||
		prepare(shapes, "SELECT DISTINCT schema, name FROM shape WHERE log = ?1 AND (?2 IS NULL OR schema = ?2)",
			&shapes->names, err) < 0) {
		shapes_close(shapes);
		return -1;
	}
	*ret_shapes = shapes;
	return 0;
}

void shapes_close(struct shapes *shapes)
{
	if (shapes == NULL)
		return;
	(void)sqlite3_finalize(shapes->get);
	(void)sqlite3_finalize(shapes->put);
	(void)sqlite3_finalize(shapes->drop);
	(void)sqlite3_finalize(shapes->names);
	(void)sqlite3_close(shapes->db);
	free(shapes);
}

static void bind_table(struct shapes *shapes, sqlite3_stmt *stmt, const char *schema, const char *name)
{
	(void)sqlite3_bind_text(stmt, 1, shapes->log, -1, SQLITE_STATIC);
	if (schema != NULL)
		(void)sqlite3_bind_text(stmt, 2, schema, -1, SQLITE_STATIC);
	if (name != NULL)
		(void)sqlite3_bind_text(stmt, 3, name, -1, SQLITE_STATIC);
}

static void end(sqlite3_stmt *stmt)
{
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
}

int shapes_get(struct shapes *shapes, const char *schema, const char *name, uint64_t number, char **ret_text,
	size_t *ret_len, struct error *err)
{
	int step, rc = 0;

	bind_table(shapes, shapes->get, schema, name);
	(void)sqlite3_bind_int64(shapes->get, 4, (sqlite3_int64)number);
	step = sqlite3_step(shapes->get);
	if (step == SQLITE_ROW && sqlite3_column_type(shapes->get, 0) != SQLITE_NULL) {
		size_t len = (size_t)sqlite3_column_bytes(shapes->get, 0);
		char *copy = malloc(len + 1);

		if (copy == NULL) {
			rc = error_set(err, ERROR_RETRY, "out of memory for a table's shape");
		} else {
			memcpy(copy, sqlite3_column_blob(shapes->get, 0), len);
			copy[len] = '\0';
			*ret_text = copy;
			*ret_len = len;
			rc = 1;
		}
	} else if (step != SQLITE_ROW && step != SQLITE_DONE) {
		rc = failed(shapes, "reading", err);
	}
	end(shapes->get);
	return rc;
}

/* text NULL: void */
static int put(struct shapes *shapes, const char *schema, const char *name, uint64_t number, const char *text,
	size_t len, struct error *err)
{
	int rc;

	bind_table(shapes, shapes->put, schema, name);
	(void)sqlite3_bind_int64(shapes->put, 4, (sqlite3_int64)number);
	if (text != NULL)
		(void)sqlite3_bind_blob(shapes->put, 5, text, (int)len, SQLITE_STATIC);
	rc = sqlite3_step(shapes->put) == SQLITE_DONE ? 0 : failed(shapes, "writing", err);
	end(shapes->put);
	if (rc < 0)
		return -1;
	bind_table(shapes, shapes->drop, schema, name);
	(void)sqlite3_bind_int64(shapes->drop, 4, KEPT_ROWS);
	rc = sqlite3_step(shapes->drop) == SQLITE_DONE ? 0 : failed(shapes, "removing", err);
	end(shapes->drop);
	return rc;
}

int shapes_put(struct shapes *shapes, const char *schema, const char *name, uint64_t number, const char *text,
	size_t len, struct error *err)
{
	return put(shapes, schema, name, number, text, len, err);
}

/* A table that has no shape needs no void: it is asked when it is met. */
static int void_table(struct shapes *shapes, const char *schema, const char *name, uint64_t number, struct error *err)
{
	char *text = NULL;
	size_t len;
	int known = shapes_get(shapes, schema, name, number, &text, &len, err);

	free(text);
	return known <= 0 ? known : put(shapes, schema, name, number, NULL, 0, err);
}

int shapes_void(struct shapes *shapes, const char *schema, const char *name, uint64_t number, struct error *err)
{
	struct buf names;
	int step, rc = 0;

	if (name != NULL)
		return void_table(shapes, schema, name, number, err);
	buf_init(&names, (size_t)64 << 20);
	bind_table(shapes, shapes->names, schema, NULL);
	while ((step = sqlite3_step(shapes->names)) == SQLITE_ROW) {
		for (int i = 0; i < 2; i++) {
			const char *text = (const char *)sqlite3_column_text(shapes->names, i);

			buf_append(&names, text, strlen(text) + 1);
		}
	}
	if (step != SQLITE_DONE)
		rc = failed(shapes, "reading", err);
	end(shapes->names);
	if (rc == 0)
		rc = buf_check(&names, "list of tables", err);
	for (size_t at = 0; rc == 0 && at < names.len; at += strlen(names.data + at) + 1) {
		const char *of_schema = names.data + at;

		at += strlen(of_schema) + 1;
		rc = void_table(shapes, of_schema, names.data + at, number, err);
	}
	buf_release(&names);
	return rc;
}

int shapes_begin(struct shapes *shapes, struct error *err)
{
	return sqlite3_exec(shapes->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(shapes, "beginning", err);
}

int shapes_end(struct shapes *shapes, struct error *err)
{
	return sqlite3_exec(shapes->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(shapes, "committing", err);
}
