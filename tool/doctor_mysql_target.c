/*
 * doctor_mysql_target.c: the target, when it is MySQL or MariaDB: can an apply agent keep its position there and write every table?
 *
 *   1. connection, kind and version; writable; how large a row it takes
 *   2. the position table: there with its grants, or to be made; how far the agent got
 *   3. each table: where the configuration sends it (apply/map.h), whether it is there, with the grants; and, where Kafka has an event of
 *      it, whether it takes every column of that event, by the very check that the agent makes (apply/sink_mysql_shape.h), over a
 *      connection as the agent's
 *
 * Grants are asked by preparing the statements that need them: so the server itself says what roles, databases' and tables' grants add up
 * to, and nothing is changed.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "apply/map.h"
#include "apply/sink_mysql_connect.h"
#include "apply/sink_mysql_shape.h"
#include "tool/doctor_mysql.h"

#define SQL_MAX ((size_t)1 << 20)
#define PACKET_LEAST (INT64_C(16) << 20)
#define DENIED_DATABASE 1044
#define DENIED_TABLE 1142
#define DENIED_COLUMN 1143

struct examination {
	struct doctor *doctor;
	const struct apply_settings *settings;
	struct doctor_mysql session;
	struct my_link link; /* as the agent's */
	bool linked;
	struct doctor_kafka *kafka; /* NULL: not reachable */
	size_t tables, compared;    /* without and with a shape, that are well */
};

/* ---- the server ---- */

static void check_server(struct examination *at)
{
	struct variables variables;
	const char *read_only, *packet;
	int64_t most;
	char size[24];

	if (!variables_read(at->doctor, &at->session, &variables))
		return;
	read_only = variables_get(&variables, "read_only");
	if (strcasecmp(read_only, "OFF") != 0 && strcmp(read_only, "0") != 0) {
		doctor_fail(at->doctor, "writable", "target: read_only is %s: the server is a replica, or was made read-only", read_only);
		doctor_remedy(at->doctor, "set database.hostname in %s to the primary, or SET GLOBAL read_only = OFF", at->doctor->path);
	} else {
		doctor_ok(at->doctor, "writable", "target: the server takes writes");
	}
	packet = variables_get(&variables, "max_allowed_packet");
	most = variables_number(&variables, "max_allowed_packet");
	if (most >= PACKET_LEAST) {
		doctor_ok(at->doctor, "max_allowed_packet", "target: max_allowed_packet is %s", doctor_bytes(most, size, sizeof size));
	} else if (packet[0] != '\0') {
		doctor_warn(at->doctor, "max_allowed_packet", "target: max_allowed_packet is %s: a larger row stops the agent",
			doctor_bytes(most, size, sizeof size));
		doctor_remedy(at->doctor, "SET GLOBAL max_allowed_packet = 268435456, and the same in the server's configuration file");
	}
	variables_free(&variables);
}

/* ---- grants ---- */

/* Whether the server would take this statement; a refusal for another reason than grants counts as yes: that is for others to find. */
static bool may(struct examination *at, const char *statement)
{
	struct answer answer;
	struct buf sql;
	bool refused;

	buf_init(&sql, SQL_MAX);
	buf_append_str(&sql, "PREPARE doctor FROM ");
	mysql_put_text(&sql, statement);
	doctor_mysql_try(&at->session, buf_cstr(&sql), &answer);
	refused = answer.number == DENIED_TABLE || answer.number == DENIED_COLUMN || answer.number == DENIED_DATABASE;
	answer_free(&answer);
	buf_release(&sql);
	return !refused;
}

/* Some column of the table, for an UPDATE; false: the table is not there, or not to be seen. */
static bool find_column(struct examination *at, const char *schema, const char *table, struct buf *ret_name)
{
	struct answer answer;
	struct buf sql;
	bool found;

	buf_init(&sql, SQL_MAX);
	buf_append_str(&sql, "SELECT c.column_name FROM information_schema.columns c JOIN information_schema.tables t"
		" ON t.table_schema = c.table_schema AND t.table_name = c.table_name WHERE t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')"
		" AND c.table_schema = ");
	mysql_put_text(&sql, schema);
	buf_append_str(&sql, " AND c.table_name = ");
	mysql_put_text(&sql, table);
	buf_append_str(&sql, " AND COALESCE(c.generation_expression, '') = '' ORDER BY c.ordinal_position LIMIT 1");
	found = doctor_mysql_ask(at->doctor, &at->session, "tables", buf_cstr(&sql), &answer) && answer_next(&answer);
	if (found)
		mysql_put_name(ret_name, answer_text(&answer, 0));
	answer_free(&answer);
	buf_release(&sql);
	return found;
}

static bool check_grants(struct examination *at, const char *schema, const char *table, const char *column)
{
	static const char *const names[] = { "SELECT", "INSERT", "UPDATE", "DELETE" };
	char missing[64] = "";
	struct buf name, sql;
	size_t len = 0;

	buf_init(&name, SQL_MAX);
	buf_init(&sql, SQL_MAX);
	mysql_put_table(&name, schema, table);
	for (int i = 0; i < 4; i++) {
		buf_reset(&sql);
		if (i == 0)
			buf_printf(&sql, "SELECT %s FROM %s", column, buf_cstr(&name));
		else if (i == 1)
			buf_printf(&sql, "INSERT INTO %s () VALUES ()", buf_cstr(&name));
		else if (i == 2)
			buf_printf(&sql, "UPDATE %s SET %s = NULL", buf_cstr(&name), column);
		else
			buf_printf(&sql, "DELETE FROM %s", buf_cstr(&name));
		if (!may(at, buf_cstr(&sql)))
			len += (size_t)snprintf(missing + len, sizeof missing - len, "%s%s", len > 0 ? ", " : "", names[i]);
	}
	if (len > 0) {
		doctor_fail(at->doctor, "grants", "target: %s lacks %s on table %s.%s", at->session.account, missing, schema, table);
		doctor_remedy(at->doctor, "GRANT %s ON %s TO %s", missing, buf_cstr(&name), at->session.account);
	}
	buf_release(&name);
	buf_release(&sql);
	return len == 0;
}

/* ---- position ---- */

static void check_row(struct examination *at)
{
	const char *log = at->kafka != NULL ? doctor_kafka_log(at->kafka) : "";
	struct answer answer;
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	buf_append_str(&sql, "SELECT log, transaction_id FROM tailrace.position WHERE pipeline = ");
	mysql_put_text(&sql, at->settings->name);
	if (!doctor_mysql_ask(at->doctor, &at->session, "position", buf_cstr(&sql), &answer)) {
		;
	} else if (!answer_next(&answer) || answer_text(&answer, 1)[0] == '\0') {
		doctor_ok(at->doctor, "position", "target: nothing is applied by \"%s\" yet; it will begin with the first "
			"event in Kafka", at->settings->name);
	} else if (log[0] != '\0' && strcmp(log, answer_text(&answer, 0)) != 0) {
		doctor_fail(at->doctor, "position", "target: \"%s\" has applied the log %s, but Kafka has "
			"%s", at->settings->name, answer_text(&answer, 0), log);
		doctor_remedy(at->doctor, "the source was replaced or restored: copy the tables anew, then give the agent another name in %s",
			at->doctor->path);
	} else {
		doctor_ok(at->doctor, "position", "target: \"%s\" has applied up to transaction %s", at->settings->name, answer_text(&answer, 1));
	}
	answer_free(&answer);
	buf_release(&sql);
}

/* Whether SHOW GRANTS lets the account make tables in the database `tailrace`. */
static bool may_create(struct examination *at)
{
	struct answer answer;
	bool found = false;

	doctor_mysql_try(&at->session, "SHOW GRANTS", &answer);
	while (!found && answer_next(&answer)) {
		const char *line = answer_text(&answer, 0), *on = strstr(line, " ON ");
		const char *all = strstr(line, "ALL PRIVILEGES"), *create = strstr(line, "CREATE");

		found = on != NULL && (strncmp(on, " ON *.* ", 8) == 0 || strncmp(on, " ON `tailrace`.* ", 17) == 0) &&
			((all != NULL && all < on) || (create != NULL && create < on && (create[6] == ',' || create[6] == ' ')));
	}
	answer_free(&answer);
	return found;
}

static void check_position(struct examination *at)
{
	struct buf column;

	buf_init(&column, SQL_MAX);
	if (find_column(at, "tailrace", "position", &column)) {
		if (may(at, "SELECT epoch FROM tailrace.position") && may(at, "INSERT INTO tailrace.position (pipeline, epoch) VALUES ('', 0)") &&
			may(at, "UPDATE tailrace.position SET epoch = 0")) {
			check_row(at);
		} else {
			doctor_fail(at->doctor, "position", "target: %s may not write the position table tailrace.position", at->session.account);
			doctor_remedy(at->doctor, "GRANT SELECT, INSERT, UPDATE ON tailrace.position TO %s", at->session.account);
		}
	} else if (may_create(at)) {
		doctor_ok(at->doctor, "position", "target: the position table tailrace.position is missing; the agent will "
			"create it at its first start");
	} else {
		doctor_fail(at->doctor, "position", "target: the position table tailrace.position is missing, and %s may not "
			"create it", at->session.account);
		doctor_remedy(at->doctor, "CREATE DATABASE IF NOT EXISTS tailrace; GRANT ALL ON tailrace.* TO %s", at->session.account);
	}
	buf_release(&column);
}

/* ---- tables ---- */

/* Presence and grants. false: it is not there, which is reported, or not all is granted. */
static bool check_presence(struct examination *at, const char *source, const char *schema, const char *table)
{
	struct buf column;
	bool ok = false;

	buf_init(&column, SQL_MAX);
	if (find_column(at, schema, table, &column)) {
		ok = check_grants(at, schema, table, buf_cstr(&column));
	} else {
		doctor_fail(at->doctor, "tables", "target: table %s.%s, where %s goes, is missing, or %s may not read it", schema, table, source,
			at->session.account);
		doctor_remedy(at->doctor, "CREATE TABLE `%s`.`%s` (...) ENGINE = InnoDB; GRANT SELECT, INSERT, UPDATE, DELETE "
			"ON `%s`.`%s` TO %s", schema, table,
			schema, table, at->session.account);
	}
	buf_release(&column);
	return ok;
}

static void check_shape(struct examination *at, struct map *map, const struct table *table)
{
	struct error err = ERROR_INIT;
	struct my_shape *shape = NULL;
	struct map_entry *entry;
	char source[256];

	if (map_table(map, table, &entry, &err) < 0) {
		(void)error_hint(&err, "correct `tables` in %s", at->doctor->path);
		doctor_error(at->doctor, "mapping", &err);
		return;
	}
	(void)snprintf(source, sizeof source, "%s.%s", table->schema, table->name);
	if (!check_presence(at, source, entry->mapping.target_schema, entry->mapping.target_table) || !at->linked)
		return;
	if (my_shape_new(&at->link, &entry->mapping, &shape, &err) < 0) {
		(void)error_prefix(&err, "target");
		doctor_error(at->doctor, "columns", &err);
		return;
	}
	my_shape_free(shape);
	at->compared++;
}

static bool check_named(void *context, const char *source, const char *schema, const char *table)
{
	return check_presence(context, source, schema, table);
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
		doctor_ok(at->doctor, "tables", "target: %zu tables are there with their grants; Kafka has no event of them "
			"yet, so their columns could "
			"not be compared", at->tables);
	if (at->compared == 0 && at->tables == 0 && at->doctor->counts[DOCTOR_FAIL] == failures)
		doctor_ok(at->doctor, "tables", "target: no table to look at yet: the configuration names none, and Kafka has no event");
	map_free(map);
}

/* The agent's own way to connect; what it says against the server is worth a finding. */
static void link_up(struct examination *at, const struct apply_settings *settings)
{
	const struct sink_options options = { .type = settings->type, .name = settings->name, .hostname = settings->hostname,
		.user = settings->user, .password = settings->password, .dbname = settings->dbname, .sslmode = settings->sslmode,
		.sslrootcert = settings->sslrootcert, .sslcert = settings->sslcert, .sslkey = settings->sslkey, .port = settings->port,
		.lock_timeout_us = settings->lock_timeout_us, .wake_fd = -1 };
	struct error err = ERROR_INIT;

	at->linked = my_connect(&options, &at->link, &err) == 0;
	if (!at->linked) {
		(void)error_prefix(&err, "target");
		doctor_error(at->doctor, "session", &err);
	}
}

void doctor_mysql_target(struct doctor *doctor, struct doctor_kafka *kafka)
{
	const struct apply_settings *settings = doctor->apply;
	const struct doctor_server server = { "target", settings->hostname, settings->user, settings->password, settings->dbname,
		settings->sslmode, settings->sslrootcert, settings->sslcert, settings->sslkey, settings->port };
	struct examination at = { .doctor = doctor, .settings = settings, .kafka = kafka };

	if (!doctor_mysql_open(doctor, &server, settings->type, &at.session))
		return;
	link_up(&at, settings);
	check_server(&at);
	check_position(&at);
	check_tables(&at);
	my_link_close(&at.link);
	doctor_mysql_close(&at.session);
}
