/*
 * doctor_source.c: the source: what must hold before a capture agent can stream from it, and what will stop it some day.
 *
 *   1. connection; server: version, primary, wal_level, room for a slot and a sender, encoding, time-outs
 *   2. role: REPLICATION, and the connection for it that pg_hba.conf must let in
 *   3. publication; its tables: named ones there, published, with a replica identity, readable
 *   4. slot: there or to be made, of the right kind, not lost, how much log it holds
 *   5. transactions that are open for long, because the slot cannot let go of the log from before them
 *
 * The rules for tables are those of the agent's own start (capture/source_postgres_tables.c), but all faults are named, not only the first.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tool/doctor.h"

#define VERSION_LEAST 140000
#define NAMES_MAX ((size_t)1 << 20)
/* A transaction that is open for longer is reported. */
#define LONG_TRANSACTION "5 minutes"

struct examination {
	struct doctor *doctor;
	const struct capture_settings *settings;
	struct doctor_server server;
	PGconn *conn;
	struct doctor_log *log;
	bool may_replicate;
	int64_t slot_limit, slots, sender_limit, senders;
	bool slot_active;
};

/* ---- the server ---- */

enum { SERVER_LEVEL, SERVER_RECOVERY, SERVER_SLOT_LIMIT, SERVER_SLOTS, SERVER_SENDER_LIMIT, SERVER_SENDERS, SERVER_ENCODING,
	SERVER_TIMEOUT };

static void check_encoding(struct examination *at, const char *encoding)
{
	if (strcmp(encoding, "UTF8") == 0) {
		doctor_ok(at->doctor, "server_encoding", "source: server_encoding is UTF8");
	} else if (strcmp(encoding, "SQL_ASCII") == 0) {
		doctor_warn(at->doctor, "server_encoding", "source: server_encoding is SQL_ASCII: the server does not know how its texts are "
			"encoded, and a text that is not UTF-8 stops the agent");
		doctor_remedy(at->doctor, "make sure that all texts are UTF-8; else dump the database and restore it into one made with: "
			"CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0");
	} else {
		doctor_warn(at->doctor, "server_encoding", "source: server_encoding is %s: the server converts each text to UTF-8 on its way",
			encoding);
		doctor_remedy(at->doctor, "none is needed; to save the conversion, restore the database into one made with: "
			"CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0");
	}
}

static void check_timeout(struct examination *at, int64_t timeout_ms)
{
	int64_t status_ms = at->settings->status_interval_us / 1000;

	if (timeout_ms == 0 || timeout_ms >= 2 * status_ms) {
		doctor_ok(at->doctor, "wal_sender_timeout", "source: wal_sender_timeout is %" PRId64 " ms, status_interval %" PRId64 " ms",
			timeout_ms, status_ms);
		return;
	}
	doctor_warn(at->doctor, "wal_sender_timeout", "source: wal_sender_timeout is %" PRId64 " ms, less than twice the status_interval of %"
		PRId64 " ms: the server will end the stream now and then", timeout_ms, status_ms);
	doctor_remedy(at->doctor, "ALTER SYSTEM SET wal_sender_timeout = '60s'; SELECT pg_reload_conf()");
}

static void check_level(struct examination *at, const char *level)
{
	if (strcmp(level, "logical") == 0) {
		doctor_ok(at->doctor, "wal_level", "source: wal_level is logical");
		return;
	}
	doctor_fail(at->doctor, "wal_level", "source: wal_level is %s, it must be logical", level);
	doctor_remedy(at->doctor, "ALTER SYSTEM SET wal_level = 'logical'; then restart the server");
}

/* false: nothing else can be asked. */
static bool check_server(struct examination *at)
{
	static const char query[] =
		"SELECT current_setting('wal_level'), pg_is_in_recovery(), current_setting('max_replication_slots'),"
		" (SELECT count(*) FROM pg_replication_slots), current_setting('max_wal_senders'), (SELECT count(*) FROM pg_stat_replication),"
		" current_setting('server_encoding'), (SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout')";
	struct doctor *doctor = at->doctor;
	int version = PQserverVersion(at->conn);
	PGresult *result;
	bool primary;

	if (version < VERSION_LEAST) {
		doctor_fail(doctor, "version", "source: PostgreSQL %d.%d is too old: 14 or later is needed", version / 10000, version % 10000);
		doctor_remedy(doctor, "upgrade the server with pg_upgrade");
		return false;
	}
	doctor_ok(doctor, "version", "source: PostgreSQL %d.%d", version / 10000, version % 10000);
	result = doctor_ask(doctor, at->conn, "server", query, NULL, 0);
	if (result == NULL)
		return false;
	primary = !doctor_true(result, 0, SERVER_RECOVERY);
	if (primary) {
		check_level(at, doctor_text(result, 0, SERVER_LEVEL));
		check_encoding(at, doctor_text(result, 0, SERVER_ENCODING));
		check_timeout(at, doctor_number(result, 0, SERVER_TIMEOUT));
	} else {
		doctor_fail(doctor, "primary", "source: the server is a standby");
		doctor_remedy(doctor, "set database.hostname in %s to the primary, or to an address that follows it", doctor->path);
	}
	at->slot_limit = doctor_number(result, 0, SERVER_SLOT_LIMIT);
	at->slots = doctor_number(result, 0, SERVER_SLOTS);
	at->sender_limit = doctor_number(result, 0, SERVER_SENDER_LIMIT);
	at->senders = doctor_number(result, 0, SERVER_SENDERS);
	PQclear(result);
	return primary;
}

/* ---- the role ---- */

static void check_role(struct examination *at)
{
	static const char query[] =
		"SELECT rolsuper OR rolreplication OR EXISTS (SELECT FROM pg_roles m WHERE m.rolname = 'rds_replication'"
		" AND pg_has_role(m.oid, 'USAGE')),"
		" (SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
		"  WHERE n.nspname = 'pg_catalog' AND p.proname = 'pg_logical_emit_message') FROM pg_roles WHERE rolname = current_user";
	PGresult *result = doctor_ask(at->doctor, at->conn, "role", query, NULL, 0);
	const char *user = PQuser(at->conn);

	if (result == NULL)
		return;
	at->may_replicate = doctor_true(result, 0, 0);
	if (at->may_replicate) {
		doctor_ok(at->doctor, "role", "source: role \"%s\" may replicate", user);
	} else {
		doctor_fail(at->doctor, "role", "source: role \"%s\" does not have REPLICATION", user);
		doctor_remedy(at->doctor, "ALTER ROLE \"%s\" REPLICATION", user);
	}
	if (doctor_true(result, 0, 1)) {
		doctor_ok(at->doctor, "heartbeat", "source: role \"%s\" may write heartbeats into the log", user);
	} else {
		doctor_fail(at->doctor, "heartbeat", "source: role \"%s\" may not execute pg_logical_emit_message: no heartbeat reaches the line", user);
		doctor_remedy(at->doctor, "GRANT EXECUTE ON FUNCTION pg_catalog.pg_logical_emit_message(boolean, text, text) TO \"%s\"", user);
	}
	PQclear(result);
}

static void identify(struct examination *at, PGconn *conn)
{
	PGresult *result = PQexec(conn, "IDENTIFY_SYSTEM");

	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 && PQnfields(result) >= 4) {
		at->log->head_known = position_lsn_parse(doctor_text(result, 0, 2), &at->log->head) == 0;
		(void)snprintf(at->log->log, sizeof at->log->log, "postgresql:%s:%s:%s", doctor_text(result, 0, 0), doctor_text(result, 0, 1),
			doctor_text(result, 0, 3));
	}
	PQclear(result);
}

/* The connection that streams. pg_hba.conf may treat it differently, and it needs a place among the senders. */
static void check_replication(struct examination *at)
{
	struct doctor_refusal refusal;
	const char *user = PQuser(at->conn);
	PGconn *conn;

	if (!at->may_replicate)
		return;
	conn = doctor_connect(&at->server, true, &refusal);
	if (conn != NULL) {
		identify(at, conn);
		PQfinish(conn);
		doctor_ok(at->doctor, "replication", "source: a replication connection is let in; the log is %s", at->log->log);
		return;
	}
	doctor_fail(at->doctor, "replication", "source: no replication connection as role \"%s\": %s", user, refusal.text);
	if (strcmp(refusal.sqlstate, "53300") == 0)
		doctor_remedy(at->doctor, "ALTER SYSTEM SET max_wal_senders = %" PRId64 "; then restart the server", at->sender_limit + 2);
	else if (strcmp(refusal.sqlstate, "42501") == 0)
		doctor_remedy(at->doctor, "ALTER ROLE \"%s\" REPLICATION", user);
	else
		doctor_remedy(at->doctor, "add to the server's pg_hba.conf: host \"%s\" \"%s\" ADDRESS/32 scram-sha-256 and SELECT pg_reload_conf()",
			PQdb(at->conn), user);
}

/* ---- publication ---- */

struct publication {
	bool exists, owned;
};

enum { PUB_ALL, PUB_INSERT, PUB_UPDATE, PUB_DELETE, PUB_TRUNCATE, PUB_OWNED };

/* What publication_create needs, where the publication is missing. */
static void check_may_create(struct examination *at)
{
	static const char query[] = "SELECT rolsuper, has_database_privilege(current_database(), 'CREATE') FROM pg_roles"
		" WHERE rolname = current_user";
	const struct capture_settings *settings = at->settings;
	bool all = strcmp(settings->publication_create, "all_tables") == 0, may;
	PGresult *result = doctor_ask(at->doctor, at->conn, "publication", query, NULL, 0);

	if (result == NULL)
		return;
	may = doctor_true(result, 0, 0) || (!all && doctor_true(result, 0, 1));
	PQclear(result);
	if (may) {
		doctor_ok(at->doctor, "publication", "source: publication \"%s\" is missing; the agent will create it at its first start",
			settings->publication_name);
	} else if (all) {
		doctor_fail(at->doctor, "publication", "source: publication \"%s\" is missing, and only a superuser can create one for all tables",
			settings->publication_name);
		doctor_remedy(at->doctor, "CREATE PUBLICATION \"%s\" FOR ALL TABLES WITH (publish_via_partition_root = true)",
			settings->publication_name);
	} else {
		doctor_fail(at->doctor, "publication", "source: publication \"%s\" is missing, and role \"%s\" may not create it",
			settings->publication_name, PQuser(at->conn));
		doctor_remedy(at->doctor, "GRANT CREATE ON DATABASE \"%s\" TO \"%s\"", PQdb(at->conn), PQuser(at->conn));
	}
}

static void check_operations(struct examination *at, const PGresult *result)
{
	static const char *const names[] = { "insert", "update", "delete", "truncate" };
	const char *name = at->settings->publication_name;
	char missing[64] = "";
	size_t len = 0;

	for (int i = 0; i < 4; i++)
		if (!doctor_true(result, 0, PUB_INSERT + i))
			len += (size_t)snprintf(missing + len, sizeof missing - len, "%s%s", len > 0 ? ", " : "", names[i]);
	if (len == 0) {
		doctor_ok(at->doctor, "publication", "source: publication \"%s\" publishes insert, update, delete and truncate", name);
		return;
	}
	doctor_fail(at->doctor, "publication", "source: publication \"%s\" does not publish %s", name, missing);
	doctor_remedy(at->doctor, "ALTER PUBLICATION \"%s\" SET (publish = 'insert, update, delete, truncate')", name);
}

/* false: could not be asked. A missing publication is reported with the tables that belong into it. */
static bool check_publication(struct examination *at, struct publication *ret)
{
	static const char query[] = "SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pg_has_role(pubowner, 'USAGE')"
		" FROM pg_publication WHERE pubname = $1";
	const char *parameters[] = { at->settings->publication_name };
	PGresult *result = doctor_ask(at->doctor, at->conn, "publication", query, parameters, 1);

	if (result == NULL)
		return false;
	ret->exists = PQntuples(result) > 0;
	ret->owned = ret->exists && doctor_true(result, 0, PUB_OWNED);
	if (ret->exists)
		check_operations(at, result);
	else if (strcmp(at->settings->publication_create, "disabled") != 0)
		check_may_create(at);
	PQclear(result);
	return true;
}

/* ---- tables ---- */

/* Every table that somebody could name. $1: the publication. */
static const char tables_query[] =
	"WITH published AS MATERIALIZED (SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1) "
	"SELECT n.nspname, c.relname,"
	" CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false"
	"  WHEN 'i' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid)"
	"  ELSE EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid) END,"
	" c.relreplident = 'f', EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid),"
	" p.tablename IS NOT NULL, c.relispartition, c.relkind = 'p', c.relpersistence = 'p', pg_has_role(c.relowner, 'USAGE'),"
	" has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'), has_schema_privilege(n.oid, 'USAGE') "
	"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN published p ON p.schemaname = n.nspname AND p.tablename = c.relname "
	"WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
	" AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2";

enum { T_SCHEMA, T_NAME, T_IDENTITY, T_FULL, T_PRIMARY, T_PUBLISHED, T_PART, T_PARTITIONED, T_LOGGED, T_OWNED, T_SELECT, T_USAGE };

/* What was found of the tables in all; ok lines are made from it. */
struct tally {
	size_t captured, unpublished, unidentified, unreadable;
};

static bool is_named_by(const char *entry, const PGresult *tables, int row)
{
	const char *schema = doctor_text(tables, row, T_SCHEMA);
	size_t len = strlen(schema);

	return strncmp(entry, schema, len) == 0 && entry[len] == '.' && strcmp(entry + len + 1, doctor_text(tables, row, T_NAME)) == 0;
}

/* Named in full: its absence is a mistake, and a partition is meant as itself. */
static bool is_named(const struct capture_settings *settings, const PGresult *tables, int row)
{
	for (size_t i = 0; i < settings->table_include_list.count; i++)
		if (is_named_by(settings->table_include_list.items[i], tables, row))
			return true;
	return false;
}

static bool is_wanted(const struct capture_settings *settings, const PGresult *tables, int row)
{
	if (!table_selected(doctor_text(tables, row, T_SCHEMA), doctor_text(tables, row, T_NAME), settings->table_include_list.items,
		    settings->table_include_list.count, settings->table_exclude_list.items, settings->table_exclude_list.count))
		return false;
	return !doctor_true(tables, row, T_PART) || doctor_true(tables, row, T_PUBLISHED) || is_named(settings, tables, row);
}

static void check_entry(struct examination *at, const PGresult *tables, const char *entry)
{
	bool pattern = strpbrk(entry, "*?[\\") != NULL;
	const char *dot = strchr(entry, '.');

	for (int row = 0; row < PQntuples(tables); row++) {
		const char *const list[] = { entry };

		if (pattern ? table_selected(doctor_text(tables, row, T_SCHEMA), doctor_text(tables, row, T_NAME), list, 1, NULL, 0)
			    : is_named_by(entry, tables, row))
			return;
	}
	if (pattern) {
		doctor_warn(at->doctor, "tables", "source: no table of database \"%s\" matches %s of table_include_list", PQdb(at->conn), entry);
		doctor_remedy(at->doctor, "correct table_include_list in %s; to list the tables: psql -c '\\dt *.*'", at->doctor->path);
		return;
	}
	doctor_fail(at->doctor, "tables", "source: table %s of table_include_list does not exist in database \"%s\"", entry, PQdb(at->conn));
	doctor_remedy(at->doctor, "correct table_include_list in %s; to list the tables: psql -c '\\dt %.*s.*'", at->doctor->path,
		dot != NULL ? (int)(dot - entry) : 1, dot != NULL ? entry : "*");
}

/* "schema"."table" in a buffer of the caller, for a remedy. */
static const char *quoted(struct buf *name, const PGresult *tables, int row)
{
	buf_reset(name);
	doctor_table_name(name, doctor_text(tables, row, T_SCHEMA), doctor_text(tables, row, T_NAME));
	return buf_cstr(name);
}

/* A wanted table that is not in the publication. */
static void check_unpublished(struct examination *at, const struct publication *publication, const PGresult *tables, int row,
	struct tally *tally, struct buf *name)
{
	const struct capture_settings *settings = at->settings;
	const char *schema = doctor_text(tables, row, T_SCHEMA), *table = doctor_text(tables, row, T_NAME);
	bool filtered = strcmp(settings->publication_create, "filtered") == 0;

	if (!publication->exists && strcmp(settings->publication_create, "disabled") == 0)
		return; /* the whole publication is missing, which is said once */
	if (filtered && doctor_true(tables, row, T_OWNED) && (publication->owned || !publication->exists))
		return; /* the agent adds it */
	if (!publication->exists && !filtered)
		return;
	tally->unpublished++;
	if (filtered && !publication->exists) {
		doctor_fail(at->doctor, "tables", "source: table %s.%s is not owned by role \"%s\", who therefore cannot publish it", schema, table,
			PQuser(at->conn));
		doctor_remedy(at->doctor, "as the table's owner or a superuser: CREATE PUBLICATION \"%s\" FOR TABLE %s WITH "
			"(publish_via_partition_root = true)", settings->publication_name, quoted(name, tables, row));
		return;
	}
	if (is_named(settings, tables, row))
		doctor_fail(at->doctor, "tables", "source: table %s.%s is not in publication \"%s\"", schema, table, settings->publication_name);
	else
		doctor_warn(at->doctor, "tables", "source: table %s.%s matches table_include_list, but is not in publication \"%s\" and will not be "
			"captured", schema, table, settings->publication_name);
	if (doctor_true(tables, row, T_PARTITIONED))
		doctor_remedy(at->doctor, "ALTER PUBLICATION \"%s\" SET (publish_via_partition_root = true), and if it is still missing: ALTER "
			"PUBLICATION \"%s\" ADD TABLE %s", settings->publication_name, settings->publication_name, quoted(name, tables, row));
	else
		doctor_remedy(at->doctor, "ALTER PUBLICATION \"%s\" ADD TABLE %s", settings->publication_name, quoted(name, tables, row));
}

static void check_identity(struct examination *at, const PGresult *tables, int row, struct tally *tally, struct buf *name)
{
	const char *schema = doctor_text(tables, row, T_SCHEMA), *table = doctor_text(tables, row, T_NAME);

	if (!doctor_true(tables, row, T_IDENTITY)) {
		tally->unidentified++;
		doctor_fail(at->doctor, "identity", "source: table %s.%s has no replica identity: once it is published, PostgreSQL refuses its updates "
			"and deletes", schema, table);
		doctor_remedy(at->doctor, "ALTER TABLE %s ADD PRIMARY KEY (...); or, for a table without a key: ALTER TABLE %s REPLICA IDENTITY FULL",
			quoted(name, tables, row), quoted(name, tables, row));
	} else if (doctor_true(tables, row, T_FULL) && !doctor_true(tables, row, T_PRIMARY)) {
		tally->unidentified++;
		doctor_warn(at->doctor, "identity", "source: table %s.%s has REPLICA IDENTITY FULL and no primary key: each update and delete at the "
			"target looks for its row by all columns", schema, table);
		doctor_remedy(at->doctor, "ALTER TABLE %s ADD PRIMARY KEY (...), if its rows have a key", quoted(name, tables, row));
	}
}

static void check_readable(struct examination *at, const PGresult *tables, int row, struct tally *tally, struct buf *name)
{
	const char *schema = doctor_text(tables, row, T_SCHEMA), *table = doctor_text(tables, row, T_NAME);

	if (doctor_true(tables, row, T_SELECT) && doctor_true(tables, row, T_USAGE))
		return;
	tally->unreadable++;
	doctor_warn(at->doctor, "grants", "source: role \"%s\" may not read table %s.%s: streaming does not need it, a snapshot of its rows does",
		PQuser(at->conn), schema, table);
	doctor_remedy(at->doctor, "GRANT USAGE ON SCHEMA \"%s\" TO \"%s\"; GRANT SELECT ON %s TO \"%s\"", schema, PQuser(at->conn),
		quoted(name, tables, row), PQuser(at->conn));
}

static void check_table(struct examination *at, const struct publication *publication, const PGresult *tables, int row,
	struct tally *tally, struct buf *name)
{
	const char *schema = doctor_text(tables, row, T_SCHEMA), *table = doctor_text(tables, row, T_NAME);
	bool published = doctor_true(tables, row, T_PUBLISHED);

	if (!is_wanted(at->settings, tables, row)) {
		if (!published || doctor_true(tables, row, T_IDENTITY))
			return;
		doctor_warn(at->doctor, "identity", "source: table %s.%s is published without a replica identity: PostgreSQL refuses its updates and "
			"deletes, although it is not captured", schema, table);
		doctor_remedy(at->doctor, "ALTER PUBLICATION \"%s\" DROP TABLE %s", at->settings->publication_name, quoted(name, tables, row));
		return;
	}
	/* Without a list, what is captured is what is published, or what the agent is to publish. */
	if (!published && at->settings->table_include_list.count == 0 && strcmp(at->settings->publication_create, "disabled") == 0)
		return;
	if (!doctor_true(tables, row, T_LOGGED)) {
		doctor_fail(at->doctor, "tables", "source: table %s.%s is unlogged: its changes are in no log and cannot be captured", schema, table);
		doctor_remedy(at->doctor, "ALTER TABLE %s SET LOGGED, or name it in table_exclude_list of %s", quoted(name, tables, row),
			at->doctor->path);
		return;
	}
	tally->captured++;
	if (!published)
		check_unpublished(at, publication, tables, row, tally, name);
	check_identity(at, tables, row, tally, name);
	check_readable(at, tables, row, tally, name);
}

/* CREATE PUBLICATION with the tables that are wanted. */
static void report_missing(struct examination *at, const PGresult *tables)
{
	struct buf list;
	size_t count = 0;

	buf_init(&list, NAMES_MAX);
	for (int row = 0; row < PQntuples(tables); row++)
		if (at->settings->table_include_list.count > 0 && is_wanted(at->settings, tables, row) && doctor_true(tables, row, T_LOGGED)) {
			buf_append_str(&list, count++ > 0 ? ", " : "");
			doctor_table_name(&list, doctor_text(tables, row, T_SCHEMA), doctor_text(tables, row, T_NAME));
		}
	doctor_fail(at->doctor, "publication", "source: publication \"%s\" does not exist in database \"%s\"", at->settings->publication_name,
		PQdb(at->conn));
	if (count > 0)
		doctor_remedy(at->doctor, "CREATE PUBLICATION \"%s\" FOR TABLE %s WITH (publish_via_partition_root = true)",
			at->settings->publication_name, buf_cstr(&list));
	else
		doctor_remedy(at->doctor, "CREATE PUBLICATION \"%s\" FOR ALL TABLES WITH (publish_via_partition_root = true)",
			at->settings->publication_name);
	buf_release(&list);
}

static void conclude(struct examination *at, const struct publication *publication, const struct tally *tally)
{
	struct doctor *doctor = at->doctor;

	if (tally->captured == 0) {
		doctor_fail(doctor, "tables", "source: no table is captured: publication \"%s\" and table_include_list have none in common",
			at->settings->publication_name);
		doctor_remedy(doctor, "ALTER PUBLICATION \"%s\" ADD TABLE ..., or correct table_include_list in %s", at->settings->publication_name,
			doctor->path);
		return;
	}
	if (tally->unpublished == 0 && publication->exists)
		doctor_ok(doctor, "tables", "source: all %zu tables to capture are published", tally->captured);
	if (tally->unidentified == 0)
		doctor_ok(doctor, "identity", "source: all %zu tables to capture have a replica identity", tally->captured);
	if (tally->unreadable == 0)
		doctor_ok(doctor, "grants", "source: role \"%s\" may read all %zu tables to capture", PQuser(at->conn), tally->captured);
}

static void check_tables(struct examination *at)
{
	const char *parameters[] = { at->settings->publication_name };
	struct publication publication;
	struct tally tally = { .captured = 0 };
	struct buf name;
	PGresult *tables;

	if (!check_publication(at, &publication))
		return;
	tables = doctor_ask(at->doctor, at->conn, "tables", tables_query, parameters, 1);
	if (tables == NULL)
		return;
	if (!publication.exists && strcmp(at->settings->publication_create, "disabled") == 0)
		report_missing(at, tables);
	buf_init(&name, NAMES_MAX);
	for (size_t i = 0; i < at->settings->table_include_list.count; i++)
		check_entry(at, tables, at->settings->table_include_list.items[i]);
	for (int row = 0; row < PQntuples(tables); row++)
		check_table(at, &publication, tables, row, &tally, &name);
	if (publication.exists || tally.captured > 0)
		conclude(at, &publication, &tally);
	buf_release(&name);
	PQclear(tables);
}

/* ---- slot ---- */

enum { SLOT_PLUGIN, SLOT_TYPE, SLOT_DATABASE, SLOT_STATUS, SLOT_PID, SLOT_CONFIRMED, SLOT_TWO_PHASE, SLOT_HELD, SLOT_USER };

static void check_missing_slot(struct examination *at)
{
	const char *name = at->settings->slot_name;

	if (at->slots >= at->slot_limit) {
		doctor_fail(at->doctor, "slots", "source: all %" PRId64 " replication slots of the server are taken", at->slot_limit);
		doctor_remedy(at->doctor, "SELECT pg_drop_replication_slot(NAME) for one that is no longer used, or ALTER SYSTEM SET "
			"max_replication_slots = %" PRId64 " and restart the server", at->slot_limit + 5);
	} else {
		doctor_ok(at->doctor, "slots", "source: %" PRId64 " of %" PRId64 " replication slots are taken", at->slots, at->slot_limit);
	}
	if (at->settings->slot_create) {
		doctor_ok(at->doctor, "slot", "source: replication slot \"%s\" is missing; the agent will create it at its first start", name);
		return;
	}
	doctor_fail(at->doctor, "slot", "source: replication slot \"%s\" does not exist", name);
	doctor_remedy(at->doctor, "in database \"%s\": SELECT pg_create_logical_replication_slot('%s', 'pgoutput'); or set slot_create = true in %s",
		PQdb(at->conn), name, at->doctor->path);
}

/* Kind and state; false: it cannot be used. */
static bool check_slot_kind(struct examination *at, const PGresult *slot)
{
	const char *name = at->settings->slot_name, *status = doctor_text(slot, 0, SLOT_STATUS);

	if (strcmp(doctor_text(slot, 0, SLOT_TYPE), "logical") != 0 || strcmp(doctor_text(slot, 0, SLOT_PLUGIN), "pgoutput") != 0 ||
		strcmp(doctor_text(slot, 0, SLOT_DATABASE), PQdb(at->conn)) != 0 || doctor_true(slot, 0, SLOT_TWO_PHASE)) {
		doctor_fail(at->doctor, "slot", "source: replication slot \"%s\" is %s%s with plugin \"%s\" for database \"%s\"; it must be logical, "
			"with pgoutput, for \"%s\", without two-phase", name, doctor_text(slot, 0, SLOT_TYPE),
			doctor_true(slot, 0, SLOT_TWO_PHASE) ? ", two-phase," : "", doctor_text(slot, 0, SLOT_PLUGIN),
			doctor_text(slot, 0, SLOT_DATABASE), PQdb(at->conn));
		doctor_remedy(at->doctor, "name another slot in slot_name of %s, and: SELECT pg_create_logical_replication_slot(NAME, 'pgoutput')",
			at->doctor->path);
		return false;
	}
	if (strcmp(status, "lost") == 0) {
		doctor_fail(at->doctor, "slot", "source: replication slot \"%s\" is lost: the server removed log that was not read yet", name);
		doctor_remedy(at->doctor, "SELECT pg_drop_replication_slot('%s'), then start anew with another topic_prefix; and raise "
			"max_slot_wal_keep_size", name);
		return false;
	}
	if (strcmp(status, "unreserved") == 0) {
		doctor_warn(at->doctor, "slot", "source: replication slot \"%s\" holds more log than max_slot_wal_keep_size: it is lost at the next "
			"checkpoint", name);
		doctor_remedy(at->doctor, "at once: ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf(); then let the agent catch up");
	}
	return true;
}

/* How much log the slot holds against how much it may. */
static void check_held(struct examination *at, const PGresult *slot)
{
	PGresult *result = doctor_ask(at->doctor, at->conn, "slot",
		"SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size'", NULL, 0);
	int64_t held = doctor_number(slot, 0, SLOT_HELD), limit;
	char has[24], may[24];

	if (result == NULL)
		return;
	limit = doctor_number(result, 0, 0) * (INT64_C(1) << 20);
	PQclear(result);
	if (limit < 0) {
		doctor_ok(at->doctor, "slot_log", "source: replication slot \"%s\" holds %s of log; max_slot_wal_keep_size is -1, so nothing is lost, "
			"but while no agent reads, the log grows until the disk is full", at->settings->slot_name, doctor_bytes(held, has, sizeof has));
	} else if (held * 2 < limit) {
		doctor_ok(at->doctor, "slot_log", "source: replication slot \"%s\" holds %s of log, max_slot_wal_keep_size is %s",
			at->settings->slot_name, doctor_bytes(held, has, sizeof has), doctor_bytes(limit, may, sizeof may));
	} else {
		doctor_warn(at->doctor, "slot_log", "source: replication slot \"%s\" holds %s of log, and is lost behind max_slot_wal_keep_size, %s",
			at->settings->slot_name, doctor_bytes(held, has, sizeof has), doctor_bytes(limit, may, sizeof may));
		doctor_remedy(at->doctor, "let the agent catch up, or ALTER SYSTEM SET max_slot_wal_keep_size = '%" PRId64 "MB'; SELECT pg_reload_conf()",
			(held >> 20) * 4 + 1024);
	}
}

static void check_slot(struct examination *at)
{
	static const char query[] =
		"SELECT plugin, slot_type, database, wal_status, active_pid, confirmed_flush_lsn, two_phase,"
		" pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::int8,"
		" (SELECT usename FROM pg_stat_activity a WHERE a.pid = active_pid) FROM pg_replication_slots WHERE slot_name = $1";
	const char *parameters[] = { at->settings->slot_name };
	PGresult *slot = doctor_ask(at->doctor, at->conn, "slot", query, parameters, 1);
	const char *confirmed;

	if (slot == NULL)
		return;
	at->log->slot_asked = true;
	if (PQntuples(slot) == 0) {
		check_missing_slot(at);
		goto out;
	}
	if (!check_slot_kind(at, slot))
		goto out;
	confirmed = doctor_text(slot, 0, SLOT_CONFIRMED);
	at->log->slot_found = position_lsn_parse(confirmed, &at->log->confirmed) == 0;
	at->slot_active = doctor_text(slot, 0, SLOT_PID)[0] != '\0';
	if (at->slot_active)
		doctor_ok(at->doctor, "slot", "source: replication slot \"%s\" is confirmed up to %s and in use by process %s of role \"%s\"",
			at->settings->slot_name, confirmed, doctor_text(slot, 0, SLOT_PID), doctor_text(slot, 0, SLOT_USER));
	else
		doctor_ok(at->doctor, "slot", "source: replication slot \"%s\" is confirmed up to %s; nobody reads it now", at->settings->slot_name,
			confirmed);
	check_held(at, slot);
out:
	PQclear(slot);
}

static void check_senders(struct examination *at)
{
	if (at->slot_active)
		return; /* the agent has its place */
	if (at->senders < at->sender_limit) {
		doctor_ok(at->doctor, "senders", "source: %" PRId64 " of %" PRId64 " WAL senders are taken", at->senders, at->sender_limit);
		return;
	}
	doctor_fail(at->doctor, "senders", "source: all %" PRId64 " WAL senders of the server are taken", at->sender_limit);
	doctor_remedy(at->doctor, "ALTER SYSTEM SET max_wal_senders = %" PRId64 "; then restart the server", at->sender_limit + 5);
}

/* ---- transactions ---- */

static void check_transactions(struct examination *at)
{
	/* Other roles' times are shown to members of pg_read_all_stats only. */
	static const char query[] =
		"SELECT pid::text, usename, extract(epoch FROM clock_timestamp() - xact_start)::int8, false FROM pg_stat_activity"
		" WHERE backend_type = 'client backend' AND backend_xid IS NOT NULL AND xact_start < clock_timestamp() - interval '" LONG_TRANSACTION "' "
		"UNION ALL SELECT gid, owner, extract(epoch FROM clock_timestamp() - prepared)::int8, true FROM pg_prepared_xacts"
		" WHERE database = current_database() AND prepared < clock_timestamp() - interval '" LONG_TRANSACTION "'";
	PGresult *result = doctor_ask(at->doctor, at->conn, "transactions", query, NULL, 0);

	if (result == NULL)
		return;
	for (int row = 0; row < PQntuples(result); row++) {
		bool prepared = doctor_true(result, row, 3);

		doctor_warn(at->doctor, "transactions", "source: %s %s of role \"%s\" is open for %" PRId64 " s: the slot keeps all log since then, "
			"and a new slot waits for its end", prepared ? "the prepared transaction" : "a transaction of process",
			doctor_text(result, row, 0), doctor_text(result, row, 1), doctor_number(result, row, 2));
		doctor_remedy(at->doctor, prepared ? "COMMIT PREPARED '%s', or ROLLBACK PREPARED" : "SELECT pg_terminate_backend(%s), if nobody needs it",
			doctor_text(result, row, 0));
	}
	if (PQntuples(result) == 0)
		doctor_ok(at->doctor, "transactions", "source: no transaction that this role may see is open for more than " LONG_TRANSACTION);
	PQclear(result);
}

void doctor_source(struct doctor *doctor, struct doctor_log *ret_log)
{
	const struct capture_settings *settings = doctor->capture;
	struct examination at = { .doctor = doctor, .settings = settings, .log = ret_log,
		.server = { "source", settings->hostname, settings->user, settings->password, settings->dbname, settings->sslmode,
			settings->sslrootcert, settings->sslcert, settings->sslkey, settings->port } };
	bool read_only;

	memset(ret_log, 0, sizeof *ret_log);
	at.conn = doctor_open(doctor, &at.server, &read_only);
	if (at.conn == NULL)
		return;
	if (check_server(&at)) {
		check_role(&at);
		check_tables(&at);
		check_slot(&at);
		check_senders(&at);
		check_replication(&at);
		check_transactions(&at);
	}
	PQfinish(at.conn);
}
