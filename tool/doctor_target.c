/*
 * doctor_target.c: the target: can an apply agent keep its position there and write every table?
 *
 *   1. connection; server: version, not a standby, writable
 *   2. the position table: there with its grants, or to be made; how far the agent got; who holds its lock
 *   3. each table: where the configuration sends it (apply/map.h), whether it is there, with the grants; and, where Kafka has an event of it,
 *      whether it takes every column of that event, by the very check that the agent makes (apply/sink_postgres_shape.h)
 *
 * A table of the configuration without an event in Kafka has no known columns: only its presence, key and grants are looked at.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "apply/map.h"
#include "apply/sink_postgres_shape.h"
#include "apply/sink_text.h"
#include "tool/doctor.h"

#define VERSION_LEAST 120000
#define SQL_MAX ((size_t)1 << 20)
/* As the agent makes it (apply/sink_postgres.c). */
#define POSITION_DDL POSITION_SCHEMA "; " POSITION_TABLE

struct examination {
	struct doctor *doctor;
	const struct apply_settings *settings;
	PGconn *conn;
	struct doctor_kafka *kafka; /* NULL: not reachable */
	size_t tables, compared;    /* without and with a shape, that are well */
};

/* ---- the server ---- */

/* false: nothing else can be asked. */
static bool check_server(struct examination *at, bool read_only)
{
	struct doctor *doctor = at->doctor;
	int version = PQserverVersion(at->conn);
	PGresult *result;

	if (version < VERSION_LEAST) {
		doctor_fail(doctor, "version", "target: PostgreSQL %d.%d is too old: 12 or later is needed", version / 10000, version % 10000);
		doctor_remedy(doctor, "upgrade the server with pg_upgrade");
		return false;
	}
	doctor_ok(doctor, "version", "target: PostgreSQL %d.%d", version / 10000, version % 10000);
	result = doctor_ask(doctor, at->conn, "server", "SELECT pg_is_in_recovery(), current_setting('server_encoding')", NULL, 0);
	if (result == NULL)
		return false;
	if (doctor_true(result, 0, 0)) {
		doctor_fail(doctor, "writable", "target: the server is a standby and takes no writes");
		doctor_remedy(doctor, "set database.hostname in %s to the primary, or to an address that follows it", doctor->path);
	} else if (read_only) {
		doctor_fail(doctor, "writable", "target: default_transaction_read_only is on");
		doctor_remedy(doctor, "ALTER ROLE \"%s\" IN DATABASE \"%s\" SET default_transaction_read_only = off", PQuser(at->conn),
			PQdb(at->conn));
	} else {
		doctor_ok(doctor, "writable", "target: the server takes writes");
	}
	if (strcmp(doctor_text(result, 0, 1), "UTF8") != 0) {
		doctor_warn(doctor, "server_encoding", "target: server_encoding is %s: a text of the source that it cannot hold stops the agent",
			doctor_text(result, 0, 1));
		doctor_remedy(doctor, "use a database made with: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0");
	}
	PQclear(result);
	return true;
}

/* ---- position ---- */

enum { POS_SCHEMA, POS_USAGE, POS_CREATE_TABLE, POS_CREATE_SCHEMA, POS_TABLE, POS_GRANTS };

static void check_row(struct examination *at)
{
	const char *parameters[] = { at->settings->name };
	const char *log = at->kafka != NULL ? doctor_kafka_log(at->kafka) : "";
	PGresult *result = doctor_ask(at->doctor, at->conn, "position",
		"SELECT log, transaction_id FROM tailrace.position WHERE pipeline = $1", parameters, 1);

	if (result == NULL)
		return;
	if (PQntuples(result) == 0 || doctor_text(result, 0, 1)[0] == '\0') {
		doctor_ok(at->doctor, "position", "target: nothing is applied by \"%s\" yet; it will begin with the first event in Kafka",
			at->settings->name);
	} else if (log[0] != '\0' && strcmp(log, doctor_text(result, 0, 0)) != 0) {
		doctor_fail(at->doctor, "position", "target: \"%s\" has applied the log %s, but Kafka has %s", at->settings->name,
			doctor_text(result, 0, 0), log);
		doctor_remedy(at->doctor, "the source was replaced or restored: copy the tables anew, then give the agent another name in %s",
			at->doctor->path);
	} else {
		doctor_ok(at->doctor, "position", "target: \"%s\" has applied up to transaction %s", at->settings->name,
			doctor_text(result, 0, 1));
	}
	PQclear(result);
}

static void check_position(struct examination *at)
{
	static const char query[] =
		"SELECT s.oid IS NOT NULL, coalesce(has_schema_privilege(s.oid, 'USAGE'), false), coalesce(has_schema_privilege(s.oid, 'CREATE'), false),"
		" has_database_privilege(current_database(), 'CREATE'), c.oid IS NOT NULL,"
		" coalesce(has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE'), false)"
		" FROM (SELECT) one LEFT JOIN pg_namespace s ON s.nspname = 'tailrace'"
		" LEFT JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = 'position'";
	PGresult *result = doctor_ask(at->doctor, at->conn, "position", query, NULL, 0);
	const char *user = PQuser(at->conn);

	if (result == NULL)
		return;
	if (doctor_true(result, 0, POS_TABLE)) {
		if (doctor_true(result, 0, POS_USAGE) && doctor_true(result, 0, POS_GRANTS)) {
			check_row(at);
		} else {
			doctor_fail(at->doctor, "position", "target: role \"%s\" may not write the position table tailrace.position", user);
			doctor_remedy(at->doctor, "GRANT USAGE ON SCHEMA tailrace TO \"%s\"; GRANT SELECT, INSERT, UPDATE ON tailrace.position TO \"%s\"", user,
				user);
		}
	} else if (doctor_true(result, 0, POS_SCHEMA) ? doctor_true(result, 0, POS_USAGE) && doctor_true(result, 0, POS_CREATE_TABLE)
						      : doctor_true(result, 0, POS_CREATE_SCHEMA)) {
		doctor_ok(at->doctor, "position", "target: the position table tailrace.position is missing; the agent will create it at its first start");
	} else {
		doctor_fail(at->doctor, "position", "target: the position table tailrace.position is missing, and role \"%s\" may not create it", user);
		doctor_remedy(at->doctor, POSITION_DDL "; GRANT USAGE ON SCHEMA tailrace TO \"%s\"; GRANT SELECT, INSERT, UPDATE ON tailrace.position "
			"TO \"%s\"", user, user);
	}
	PQclear(result);
}

/* The agent's session is known by its application_name, and it is at work when it holds its advisory lock. */
static void check_lock(struct examination *at)
{
	static const char query[] =
		"SELECT a.pid FROM pg_stat_activity a WHERE a.datname = current_database() AND a.application_name = left('tailrace-apply ' || $1, 63)"
		" AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.granted)";
	const char *parameters[] = { at->settings->name };
	PGresult *result = doctor_ask(at->doctor, at->conn, "lock", query, parameters, 1);

	if (result == NULL)
		return;
	if (PQntuples(result) > 0)
		doctor_ok(at->doctor, "lock", "target: an agent \"%s\" is running (process %s of the server)", at->settings->name,
			doctor_text(result, 0, 0));
	else
		doctor_ok(at->doctor, "lock", "target: no agent \"%s\" is running", at->settings->name);
	PQclear(result);
}

/* ---- one table: presence and grants ---- */

enum { REL_KIND, REL_USAGE, REL_SELECT, REL_INSERT, REL_UPDATE, REL_DELETE, REL_TRUNCATE };

static void check_grants(struct examination *at, const PGresult *about, const char *schema, const char *table, bool *ok)
{
	static const char *const names[] = { "SELECT", "INSERT", "UPDATE", "DELETE" };
	const char *user = PQuser(at->conn);
	char missing[64] = "";
	struct buf name;
	size_t len = 0;

	buf_init(&name, SQL_MAX);
	doctor_table_name(&name, schema, table);
	if (!doctor_true(about, 0, REL_USAGE)) {
		doctor_fail(at->doctor, "grants", "target: role \"%s\" may not use schema %s", user, schema);
		doctor_remedy(at->doctor, "GRANT USAGE ON SCHEMA \"%s\" TO \"%s\"", schema, user);
		*ok = false;
	}
	for (int i = 0; i < 4; i++)
		if (!doctor_true(about, 0, REL_SELECT + i))
			len += (size_t)snprintf(missing + len, sizeof missing - len, "%s%s", len > 0 ? ", " : "", names[i]);
	if (len > 0) {
		doctor_fail(at->doctor, "grants", "target: role \"%s\" lacks %s on table %s.%s", user, missing, schema, table);
		doctor_remedy(at->doctor, "GRANT %s ON %s TO \"%s\"", missing, buf_cstr(&name), user);
		*ok = false;
	}
	if (!doctor_true(about, 0, REL_TRUNCATE)) {
		doctor_warn(at->doctor, "grants", "target: role \"%s\" lacks TRUNCATE on table %s.%s: the agent stops when the source truncates it", user,
			schema, table);
		doctor_remedy(at->doctor, "GRANT TRUNCATE ON %s TO \"%s\"", buf_cstr(&name), user);
		*ok = false;
	}
	buf_release(&name);
}

/* What takes a column of MySQL's or MariaDB's: docs/types.md. */
static void put_type_for_mysql(struct buf *sql, const struct column *column)
{
	static const char *const names[] = { [COLUMN_BOOL] = "boolean", [COLUMN_INT16] = "smallint", [COLUMN_INT32] = "integer",
		[COLUMN_INT64] = "bigint", [COLUMN_UINT64] = "numeric(20)", [COLUMN_FLOAT32] = "real", [COLUMN_FLOAT64] = "double precision",
		[COLUMN_BYTES] = "bytea", [COLUMN_JSON] = "json", [COLUMN_UUID] = "uuid", [COLUMN_DATE] = "date", [COLUMN_TIMESTAMP] = "timestamp",
		[COLUMN_TIMESTAMPTZ] = "timestamptz", [COLUMN_YEAR] = "smallint", [COLUMN_SET] = "text[]", [COLUMN_DURATION] = "interval",
		[COLUMN_GEOMETRY] = "bytea", [COLUMN_VECTOR] = "real[]" };

	if (column->type == COLUMN_DECIMAL)
		buf_printf(sql, "numeric(%d,%d)", column->precision, column->scale);
	else if (column->type == COLUMN_BITS)
		buf_printf(sql, "bit(%d)", column->precision);
	else if ((size_t)column->type < sizeof names / sizeof names[0] && names[column->type] != NULL)
		buf_append_str(sql, names[column->type]);
	else
		buf_append_str(sql, "text");
}

/* The source's own type; an enum, which the target may not have, as text. */
static void put_type(const struct examination *at, struct buf *sql, const struct column *column)
{
	const char *log = at->kafka != NULL ? doctor_kafka_log(at->kafka) : "";

	if (strncmp(log, "mysql:", 6) == 0 || strncmp(log, "mariadb:", 8) == 0)
		put_type_for_mysql(sql, column);
	else if (column->type == COLUMN_ENUM || column->source_type == NULL || column->source_type[0] == '\0')
		buf_append_str(sql, "text");
	else if (column->type == COLUMN_ARRAY && column->element_type == COLUMN_ENUM)
		buf_append_str(sql, "text[]");
	else
		buf_append_str(sql, column->source_type);
}

/* A statement that makes what is missing, from the shape of the newest event. */
static void create_table(const struct examination *at, const struct sink_mapping *mapping, struct buf *sql)
{
	buf_append_str(sql, "CREATE TABLE ");
	doctor_table_name(sql, mapping->target_schema, mapping->target_table);
	for (size_t i = 0; i < mapping->column_count; i++) {
		const struct column *column = &mapping->table->columns[mapping->columns[i].source];

		buf_append_str(sql, i == 0 ? " (" : ", ");
		doctor_name(sql, mapping->columns[i].target);
		buf_append_byte(sql, ' ');
		put_type(at, sql, column);
	}
	for (size_t k = 0; k < mapping->table->key_count; k++) {
		buf_append_str(sql, k == 0 ? ", PRIMARY KEY (" : ", ");
		for (size_t i = 0; i < mapping->column_count; i++)
			if (mapping->columns[i].source == mapping->table->key[k])
				doctor_name(sql, mapping->columns[i].target);
	}
	buf_append_str(sql, mapping->table->key_count > 0 ? "))" : ")");
}

static void report_missing_table(struct examination *at, const char *source, const char *schema, const char *table,
	const struct sink_mapping *mapping)
{
	struct buf sql;

	doctor_fail(at->doctor, "tables", "target: table %s.%s, where %s goes, is missing", schema, table, source);
	if (mapping == NULL) {
		doctor_remedy(at->doctor, "create it like the source's: pg_dump --schema-only --table=%s; or name another target in `tables` of %s", source,
			at->doctor->path);
		return;
	}
	buf_init(&sql, SQL_MAX);
	create_table(at, mapping, &sql);
	doctor_remedy(at->doctor, "%s", buf_cstr(&sql));
	buf_release(&sql);
}

/* Presence and grants. false: it is not there, which is reported. */
static bool check_presence(struct examination *at, const char *source, const char *schema, const char *table,
	const struct sink_mapping *mapping, bool *ok)
{
	static const char query[] =
		"SELECT c.relkind, has_schema_privilege(n.oid, 'USAGE'),"
		" has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'),"
		" has_table_privilege(c.oid, 'INSERT') OR has_any_column_privilege(c.oid, 'INSERT'),"
		" has_table_privilege(c.oid, 'UPDATE') OR has_any_column_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE'),"
		" has_table_privilege(c.oid, 'TRUNCATE') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
		" WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";
	const char *parameters[] = { schema, table };
	PGresult *about = doctor_ask(at->doctor, at->conn, "tables", query, parameters, 2);
	bool there;

	if (about == NULL)
		return false;
	there = PQntuples(about) > 0;
	if (there)
		check_grants(at, about, schema, table, ok);
	else
		report_missing_table(at, source, schema, table, mapping);
	PQclear(about);
	return there;
}

/* ---- one table: its columns against the newest event's shape ---- */

static bool has_row(const PGresult *answer, const char *field, const char *value)
{
	int column = PQfnumber(answer, field);

	for (int row = 0; row < PQntuples(answer); row++)
		if (value == NULL ? !PQgetisnull(answer, row, column) : strcmp(PQgetvalue(answer, row, column), value) == 0)
			return true;
	return false;
}

/* Names all of them; how many. */
static size_t report_missing_columns(struct examination *at, const struct sink_mapping *mapping, const PGresult *answer)
{
	size_t missing = 0;

	for (size_t i = 0; i < mapping->column_count; i++) {
		const struct column *column = &mapping->table->columns[mapping->columns[i].source];
		struct buf sql;

		if (has_row(answer, "attname", mapping->columns[i].target))
			continue;
		missing++;
		buf_init(&sql, SQL_MAX);
		buf_append_str(&sql, "ALTER TABLE ");
		doctor_table_name(&sql, mapping->target_schema, mapping->target_table);
		buf_append_str(&sql, " ADD COLUMN ");
		doctor_name(&sql, mapping->columns[i].target);
		buf_append_byte(&sql, ' ');
		put_type(at, &sql, column);
		doctor_fail(at->doctor, "columns", "target: table %s.%s has no column %s, where %s of %s.%s goes", mapping->target_schema,
			mapping->target_table, mapping->columns[i].target, column->name, mapping->table->schema, mapping->table->name);
		doctor_remedy(at->doctor, "%s; or name it in column_exclude_list or column_rename of %s", buf_cstr(&sql), at->doctor->path);
		buf_release(&sql);
	}
	return missing;
}

static void report_missing_key(struct examination *at, const struct sink_mapping *mapping)
{
	const struct table *table = mapping->table;
	struct buf names, sql;

	buf_init(&names, SQL_MAX);
	buf_init(&sql, SQL_MAX);
	doctor_table_name(&sql, mapping->target_schema, mapping->target_table);
	for (size_t k = 0; k < table->key_count; k++)
		for (size_t i = 0; i < mapping->column_count; i++)
			if (mapping->columns[i].source == table->key[k]) {
				buf_append_str(&names, names.len > 0 ? ", " : "");
				doctor_name(&names, mapping->columns[i].target);
			}
	doctor_fail(at->doctor, "key", "target: table %s.%s has no unique index over exactly the key (%s): its rows could not be found again",
		mapping->target_schema, mapping->target_table, buf_cstr(&names));
	doctor_remedy(at->doctor, "ALTER TABLE %s ADD PRIMARY KEY (%s)", buf_cstr(&sql), buf_cstr(&names));
	buf_release(&names);
	buf_release(&sql);
}

/* Labels of the source's enum that the target's lacks. */
static bool check_labels(struct examination *at, const struct shape *shape, size_t number)
{
	static const char query[] =
		"SELECT l, format_type($1::oid, NULL) FROM unnest($2::text[]) l WHERE NOT EXISTS"
		" (SELECT FROM pg_enum e WHERE e.enumtypid = $1::oid AND e.enumlabel = l)";
	const struct sink_table_column *column = &shape->table.columns[number];
	char type[24];
	const char *parameters[] = { type, NULL };
	struct buf labels;
	PGresult *answer;
	bool ok;

	buf_init(&labels, SQL_MAX);
	buf_append_byte(&labels, '{');
	for (size_t i = 0; i < column->source->label_count; i++) {
		if (i > 0)
			buf_append_byte(&labels, ',');
		sink_array_quote(&labels, column->source->labels[i], strlen(column->source->labels[i]));
	}
	buf_append_byte(&labels, '}');
	parameters[1] = buf_cstr(&labels);
	(void)snprintf(type, sizeof type, "%u", shape->columns[number].enum_type);
	answer = doctor_ask(at->doctor, at->conn, "columns", query, parameters, 2);
	buf_release(&labels);
	if (answer == NULL)
		return false;
	ok = PQntuples(answer) == 0;
	for (int row = 0; row < PQntuples(answer); row++) {
		doctor_fail(at->doctor, "columns", "target: the enum of column %s of table %s has no label \"%s\"", column->name, shape->table.name,
			doctor_text(answer, row, 0));
		doctor_remedy(at->doctor, "ALTER TYPE %s ADD VALUE '%s'", doctor_text(answer, row, 1), doctor_text(answer, row, 0));
	}
	PQclear(answer);
	return ok;
}

/* Whether all is well; what is not is reported. */
static bool compare(struct examination *at, const struct sink_mapping *mapping, const PGresult *answer)
{
	struct error err = ERROR_INIT;
	struct shape *shape = NULL;
	bool ok = true;

	if (report_missing_columns(at, mapping, answer) > 0)
		return false;
	if (mapping->table->key_count > 0 && !has_row(answer, "equals", NULL)) {
		report_missing_key(at, mapping);
		return false;
	}
	if (shape_new(mapping, answer, &shape, &err) < 0) {
		(void)error_prefix(&err, "target");
		doctor_error(at->doctor, "columns", &err);
		return false;
	}
	for (size_t i = 0; i < shape->table.column_count; i++)
		if (shape->columns[i].enum_type != 0 && !check_labels(at, shape, i))
			ok = false;
	shape_free(shape);
	return ok;
}

static void check_shape(struct examination *at, struct map *map, const struct table *table)
{
	struct error err = ERROR_INIT;
	struct map_entry *entry;
	const char *parameters[3];
	char source[256];
	struct buf key;
	PGresult *answer;
	bool ok = true;

	if (map_table(map, table, &entry, &err) < 0) {
		(void)error_hint(&err, "correct `tables` in %s", at->doctor->path);
		doctor_error(at->doctor, "mapping", &err);
		return;
	}
	(void)snprintf(source, sizeof source, "%s.%s", table->schema, table->name);
	if (!check_presence(at, source, entry->mapping.target_schema, entry->mapping.target_table, &entry->mapping, &ok))
		return;
	buf_init(&key, SQL_MAX);
	if (shape_key_names(&entry->mapping, &key, &err) < 0) {
		doctor_error(at->doctor, "mapping", &err);
		goto out;
	}
	parameters[0] = entry->mapping.target_schema;
	parameters[1] = entry->mapping.target_table;
	parameters[2] = buf_cstr(&key);
	answer = doctor_ask(at->doctor, at->conn, "columns", shape_query, parameters, 3);
	if (answer != NULL && compare(at, &entry->mapping, answer) && ok)
		at->compared++;
	PQclear(answer);
out:
	buf_release(&key);
}

/* ---- tables of the configuration without an event ---- */

static bool is_known(const struct table *const *shapes, size_t count, const char *source)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(shapes[i]->schema);

		if (strncmp(source, shapes[i]->schema, len) == 0 && source[len] == '.' && strcmp(source + len + 1, shapes[i]->name) == 0)
			return true;
	}
	return false;
}

static const struct apply_table *group_of(const struct apply_settings *settings, const char *source)
{
	const struct apply_table *groups = settings->tables.items;

	for (size_t i = 0; i < settings->tables.count; i++)
		if (strcmp(groups[i].source, source) == 0)
			return &groups[i];
	return NULL;
}

/* The names by map.h's rules, which can be said without a shape. */
static bool visit_named(const struct apply_settings *settings, const char *source, doctor_named_visit *visit, void *context)
{
	const struct apply_table *group = group_of(settings, source);
	const char *given = group != NULL && group->target[0] != '\0' ? group->target : NULL;
	const char *full = given != NULL && strchr(given, '.') != NULL ? given : source;
	const char *dot = strchr(full, '.'), *table;
	char schema[256];

	if (dot == NULL)
		return false;
	if (full == source && settings->target_schema[0] != '\0')
		(void)snprintf(schema, sizeof schema, "%s", settings->target_schema);
	else
		(void)snprintf(schema, sizeof schema, "%.*s", (int)(dot - full), full);
	table = full == source && given != NULL ? given : dot + 1;
	return visit(context, source, schema, table);
}

size_t doctor_named_tables(struct doctor *doctor, struct map *map, const struct table *const *shapes, size_t count,
	doctor_named_visit *visit, void *context)
{
	const struct apply_settings *settings = doctor->apply;
	const struct apply_table *groups = settings->tables.items;
	const struct settings_list *include = &settings->table_include_list;
	size_t good = 0;

	for (size_t i = 0; i < settings->tables.count; i++)
		if (!map_selected(map, groups[i].source)) {
			doctor_warn(doctor, "mapping", "table %s has an entry in `tables`, but table_include_list and table_exclude_list leave it out",
				groups[i].source);
			doctor_remedy(doctor, "correct table_include_list or `tables` in %s", doctor->path);
		} else if (!is_known(shapes, count, groups[i].source)) {
			good += visit_named(settings, groups[i].source, visit, context);
		}
	for (size_t i = 0; i < include->count; i++)
		if (strpbrk(include->items[i], "*?[\\") == NULL && map_selected(map, include->items[i]) &&
			!is_known(shapes, count, include->items[i]) && group_of(settings, include->items[i]) == NULL)
			good += visit_named(settings, include->items[i], visit, context);
	return good;
}

static bool check_named(void *context, const char *source, const char *schema, const char *table)
{
	bool ok = true;

	return check_presence(context, source, schema, table, NULL, &ok) && ok;
}

static void check_tables(struct examination *at)
{
	const struct table *const *shapes = NULL;
	size_t count = 0, failures = at->doctor->counts[DOCTOR_FAIL];
	struct map *map = map_new(at->settings);

	if (map == NULL) {
		doctor_fail(at->doctor, "tables", "out of memory");
		return;
	}
	if (at->kafka != NULL)
		doctor_kafka_shapes(at->doctor, at->kafka, &shapes, &count);
	for (size_t i = 0; i < count; i++)
		check_shape(at, map, shapes[i]);
	at->tables = doctor_named_tables(at->doctor, map, shapes, count, check_named, at);
	if (at->compared > 0)
		doctor_ok(at->doctor, "tables", "target: %zu tables take every column of their newest event, with key and grants", at->compared);
	if (at->tables > 0)
		doctor_ok(at->doctor, "tables", "target: %zu tables are there with their grants; Kafka has no event of them yet, so their columns could "
			"not be compared", at->tables);
	if (at->compared == 0 && at->tables == 0 && at->doctor->counts[DOCTOR_FAIL] == failures)
		doctor_ok(at->doctor, "tables", "target: no table to look at yet: the configuration names none, and Kafka has no event");
	map_free(map);
}

void doctor_target(struct doctor *doctor, struct doctor_kafka *kafka)
{
	const struct apply_settings *settings = doctor->apply;
	const struct doctor_server server = { "target", settings->hostname, settings->user, settings->password, settings->dbname,
		settings->sslmode, settings->sslrootcert, settings->sslcert, settings->sslkey, settings->port };
	struct examination at = { .doctor = doctor, .settings = settings, .kafka = kafka };
	bool read_only;

	at.conn = doctor_open(doctor, &server, &read_only);
	if (at.conn == NULL)
		return;
	if (check_server(&at, read_only)) {
		check_position(&at);
		check_lock(&at);
		check_tables(&at);
	}
	PQfinish(at.conn);
}
