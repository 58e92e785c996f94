/*
 * source_postgres_types.c: what the log does not say about types and keys, asked of the catalogue when a table is first
 * met.
 *
 * Asked of the catalogue as it is now, not as it was at that place of the log: a type that is gone by then, or that
 * changed since, is carried as the text that the log has, which needs no description. Table shapes themselves never
 * come from here.
 */
#include "capture/source_postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Domains over domains over arrays ... */
#define DEPTH_MAX 16

static int ask(struct catalogue *catalogue, const char *sql, const char *const *parameters, int count,
	const char *doing,
	PGresult **ret_result, struct error *err)
{
	/* The connection may have gone without our having noticed: then once more on a new one. */
	for (int attempt = 0;; attempt++) {
		if (catalogue->ready(catalogue->context, err) < 0)
			return -1;
		if (session_query(catalogue->options, *catalogue->sql, sql, parameters, count, SESSION_QUERY_US, doing,
			    ret_result, err) == 0)
			return 0;
		if (attempt > 0 || PQstatus(*catalogue->sql) == CONNECTION_OK)
			return -1;
	}
}

static uint32_t number_of(const PGresult *result, int column)
{
	return (uint32_t)strtoul(PQgetvalue(result, 0, column), NULL, 10);
}

static int as_text(struct pg_type *ret, const char *name)
{
	memset(ret, 0, sizeof *ret);
	ret->type = COLUMN_STRING;
	(void)snprintf(ret->name, sizeof ret->name, "%s", name);
	return 0;
}

static int describe_enum(struct catalogue *catalogue, uint32_t oid, const char *name, struct pg_type *ret,
	struct error *err)
{
	char text[16];
	const char *parameters[] = { text };
	PGresult *result;
	const char **labels;
	int rc = 0, count;

	(void)snprintf(text, sizeof text, "%u", oid);
	if (ask(catalogue, "SELECT enumlabel FROM pg_enum WHERE enumtypid = $1::oid ORDER BY enumsortorder",
		parameters, 1, "asking for the labels of a type", &result, err) < 0)
		return -1;
	count = PQntuples(result);
	labels = arena_alloc(&catalogue->arena, ((size_t)count + 1) * sizeof *labels);
	for (int i = 0; labels != NULL && i < count; i++) {
		labels[i] = arena_strndup(&catalogue->arena, PQgetvalue(result, i, 0),
			(size_t)PQgetlength(result, i, 0));
		if (labels[i] == NULL)
			labels = NULL;
	}
	PQclear(result);
	if (labels == NULL)
		return arena_error(&catalogue->arena, err);
	(void)as_text(ret, name);
	ret->type = COLUMN_ENUM;
	ret->labels = labels;
	ret->label_count = (size_t)count;
	return rc;
}

static int describe(struct catalogue *catalogue, uint32_t oid, int32_t typmod, int depth, struct pg_type *ret,
	struct error *err);

static int describe_array(struct catalogue *catalogue, uint32_t element, int32_t typmod, bool comma, const char *name,
	int depth, struct pg_type *ret, struct error *err)
{
	struct pg_type inner;

	if (!comma)
		return as_text(ret, name);
	if (describe(catalogue, element, typmod, depth + 1, &inner, err) < 0)
		return -1;
	/* A domain over an array as element: the outer array cannot say so. */
	if (inner.type == COLUMN_ARRAY)
		return as_text(ret, name);
	*ret = inner;
	ret->type = COLUMN_ARRAY;
	ret->element_type = inner.type;
	(void)snprintf(ret->name, sizeof ret->name, "%s", name);
	return 0;
}

enum { TYPE_KIND, TYPE_BASE, TYPE_MOD, TYPE_ELEMENT, TYPE_COMMA, TYPE_TITLE };

static int describe_row(struct catalogue *catalogue, const PGresult *row, uint32_t oid, int32_t typmod, int depth,
	struct pg_type *ret, struct error *err)
{
	const char *name = PQgetvalue(row, 0, TYPE_TITLE);

	switch (PQgetvalue(row, 0, TYPE_KIND)[0]) {
	case 'e':
		return describe_enum(catalogue, oid, name, ret, err);
	case 'd':
		if (describe(catalogue, number_of(row, TYPE_BASE),
			    (int32_t)strtol(PQgetvalue(row, 0, TYPE_MOD), NULL, 10), depth + 1, ret, err) < 0)
			return -1;
		(void)snprintf(ret->name, sizeof ret->name, "%s", name);
		return 0;
	case 'A':
		return describe_array(catalogue, number_of(row, TYPE_ELEMENT), typmod, PQgetvalue(row, 0,
			TYPE_COMMA)[0] == 't', name, depth, ret, err);
	default:
		return as_text(ret, name);
	}
}

static int describe(struct catalogue *catalogue, uint32_t oid, int32_t typmod, int depth, struct pg_type *ret,
	struct error *err)
{
	char type[16], mod[16];
	const char *parameters[] = { type, mod };
	PGresult *row;
	int rc;

	if (pg_type_builtin(oid, typmod, ret))
		return 0;
	(void)snprintf(type, sizeof type, "%u", oid);
	(void)snprintf(mod, sizeof mod, "%d", (int)typmod);
	if (depth > DEPTH_MAX)
		return as_text(ret, type);
	if (ask(catalogue,
		    "SELECT CASE WHEN t.typsubscript = 'array_subscript_handler'::regproc AND t.typelem <> 0 THEN 'A'"
		    " ELSE t.typtype END, t.typbasetype, t.typtypmod, t.typelem, t.typdelim = ',',"
		    " format_type(t.oid, $2::int4) FROM pg_type t WHERE t.oid = $1::oid",
		    parameters, 2, "asking for a type", &row, err) < 0)
		return -1;
	rc = PQntuples(row) == 0 ? as_text(ret, type) : describe_row(catalogue, row, oid, typmod, depth, ret, err);
	PQclear(row);
	return rc;
}

int catalogue_type(void *context, uint32_t oid, int32_t typmod, struct pg_type *ret, struct error *err)
{
	struct catalogue *catalogue = context;

	arena_reset(&catalogue->arena);
	return describe(catalogue, oid, typmod, 0, ret, err);
}

int catalogue_key(void *context, uint32_t relation, const char *schema, const char *name, const char *const *columns,
	size_t column_count, bool *ret_key, struct error *err)
{
	struct catalogue *catalogue = context;
	char oid[16];
	const char *parameters[] = { oid };
	PGresult *result;

	(void)snprintf(oid, sizeof oid, "%u", relation);
	if (ask(catalogue,
		    "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
		    " AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])"
		    " WHERE i.indrelid = $1::oid AND i.indisprimary",
		    parameters, 1, "asking for a primary key", &result, err) < 0)
		return error_prefix(err, "table %s.%s", schema, name);
	for (int row = 0; row < PQntuples(result); row++)
		for (size_t i = 0; i < column_count; i++)
			if (strcmp(PQgetvalue(result, row, 0), columns[i]) == 0)
				ret_key[i] = true;
	PQclear(result);
	return 0;
}
