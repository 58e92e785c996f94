/*
 * doctor_mysql_source.c: the source, when it is MySQL or MariaDB: can a capture agent read its binlog, and will the log say all that is needed?
 *
 *   1. connection, kind and version
 *   2. the log: on, by rows, with whole rows and names in it; GTIDs; temporary tables and XA at MariaDB; who else reads it; how long it is kept
 *   3. the account: REPLICATION SLAVE, and REPLICATION CLIENT (MariaDB: BINLOG MONITOR)
 *   4. tables: those of the list there and readable, with a primary key, in a transactional engine, without cascades and generated columns that the log
 *      does not have
 *
 * A table that the account may not read does not exist for it: the server answers the same for both, so both are named.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool/doctor_mysql.h"

#define SQL_MAX ((size_t)1 << 20)
/* A log that is kept for less is worth a word: an agent may stand still over a weekend. */
#define KEEP_LEAST_S INT64_C(259200)

struct examination {
	struct doctor *doctor;
	const struct capture_settings *settings;
	struct doctor_mysql session;
	struct variables variables;
	struct doctor_log *log;
};

/* ---- the log ---- */

/* A setting that must have this value, or should: then `why` says what is lost without. */
static void check_setting(struct examination *at, const char *name, const char *wanted, bool must, const char *why, const char *remedy)
{
	const char *value = variables_get(&at->variables, name);

	if (strcasecmp(value, wanted) == 0)
		doctor_ok(at->doctor, name, "source: %s is %s", name, value);
	else if (must)
		doctor_fail(at->doctor, name, "source: %s is %s, it must be %s: %s", name, value[0] != '\0' ? value : "unknown", wanted, why);
	else
		doctor_warn(at->doctor, name, "source: %s is %s: %s", name, value[0] != '\0' ? value : "unknown", why);
	if (strcasecmp(value, wanted) != 0)
		doctor_remedy(at->doctor, "%s", remedy);
}

#define SET_GLOBAL(name, value) \
	"SET GLOBAL " name " = '" value "', and the same in the server's configuration file; sessions that are open keep what they have"

/* false: there is no log. */
static bool check_log(struct examination *at)
{
	if (!variables_on(&at->variables, "log_bin")) {
		doctor_fail(at->doctor, "log_bin", "source: log_bin is OFF: the server writes no binlog");
		doctor_remedy(at->doctor, "in the server's configuration file: log_bin = binlog, server_id = N; then restart the server");
		return false;
	}
	doctor_ok(at->doctor, "log_bin", "source: log_bin is ON");
	check_setting(at, "binlog_format", "ROW", true, "a change that is logged as a statement stops the "
		"agent", SET_GLOBAL("binlog_format", "ROW"));
	check_setting(at, "binlog_row_image", "FULL", false,
		"events lack the columns that a statement did not change, and a row of a table without a key cannot be found again",
		SET_GLOBAL("binlog_row_image", "FULL"));
	check_setting(at, "binlog_row_metadata", "FULL", false,
		"the log has no names of columns, so the agent takes them from the catalogue, and must have seen the table before its change",
		SET_GLOBAL("binlog_row_metadata", "FULL"));
	return true;
}

static void check_gtid(struct examination *at)
{
	const char *mode;

	if (at->session.mariadb) {
		check_setting(at, "gtid_strict_mode", "ON", false, "GTIDs may come out of order, and a reader that goes on by "
			"GTID may then miss some",
			SET_GLOBAL("gtid_strict_mode", "ON"));
		return;
	}
	mode = variables_get(&at->variables, "gtid_mode");
	if (strcasecmp(mode, "ON") == 0) {
		doctor_ok(at->doctor, "gtid_mode", "source: gtid_mode is ON");
		return;
	}
	doctor_warn(at->doctor, "gtid_mode", "source: gtid_mode is %s: the agent goes on by file and offset, and cannot follow "
		"to another server", mode);
	doctor_remedy(at->doctor, "step by step, as MySQL's manual says: SET GLOBAL enforce_gtid_consistency = ON; SET GLOBAL "
		"gtid_mode = OFF_PERMISSIVE, "
		"ON_PERMISSIVE, ON");
}

/* A server that follows another one writes that one's changes only with log_slave_updates. */
static void check_replica(struct examination *at)
{
	bool old = at->session.mariadb || at->session.version < 80022;
	const char *name = at->session.mariadb || variables_get(&at->variables, "log_replica_updates")[0] == '\0' ? "log_slave_updates" :
														     "log_replica_updates";
	struct answer answer;
	bool follows;

	if (variables_on(&at->variables, name))
		return;
	doctor_mysql_try(&at->session, at->session.mariadb ? "SHOW ALL SLAVES STATUS" : old ? "SHOW SLAVE STATUS" : "SHOW REPLICA STATUS", &answer);
	follows = answer_next(&answer);
	if (follows) {
		doctor_fail(at->doctor, "replica", "source: the server follows another one, and %s is OFF: what it receives is "
			"not in its log", name);
		doctor_remedy(at->doctor, "in the server's configuration file: %s = ON; then restart the server", name);
	} else if (answer.number != 0) {
		doctor_ok(at->doctor, "replica", "source: %s is OFF, which is right unless the server follows another one (%s "
			"may not see whether it does)", name,
			at->session.account);
	} else {
		doctor_ok(at->doctor, "replica", "source: the server follows no other one");
	}
	answer_free(&answer);
}

/* How many rows an answer has, or the sum of a column of it; 0 if it is refused. */
static int64_t sum(struct examination *at, const char *sql, unsigned column)
{
	struct answer answer;
	int64_t total = 0;

	doctor_mysql_try(&at->session, sql, &answer);
	while (answer_next(&answer))
		total += column > 0 ? strtoll(answer_text(&answer, column), NULL, 10) : 1;
	answer_free(&answer);
	return total;
}

/* MariaDB logs rows that were rolled back when a temporary table was made or dropped beside them. */
static void check_temporary(struct examination *at)
{
	int64_t made;

	if (!at->session.mariadb)
		return;
	made = sum(at, "SHOW GLOBAL STATUS LIKE 'Com_create_temporary_table'", 1);
	if (made == 0) {
		doctor_ok(at->doctor, "temporary", "source: no temporary table was made since the server started");
		return;
	}
	/* no fault: most servers make some, and few of them in a large transaction */
	doctor_ok(at->doctor, "temporary", "source: %" PRId64 " temporary tables were made since the server started; keep them out of transactions of more "
		"than 4 MiB, which stop capture when they make one and are rolled back", made);
}

/* MariaDB writes a branch's decision into its log before its engine has it, and mends nothing when it dies in between (MDEV-21469). */
static void check_xa(struct examination *at)
{
	int64_t used, prepared;

	if (!at->session.mariadb)
		return;
	used = sum(at, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_xa_prepare', 'Com_xa_commit')", 1);
	prepared = sum(at, "XA RECOVER", 0);
	if (used == 0 && prepared == 0) {
		doctor_ok(at->doctor, "xa", "source: XA was not used since the server started");
		return;
	}
	doctor_ok(at->doctor, "xa", "source: XA is in use, and %s is not safe with it: a branch that its log has as committed may be prepared again when "
		"the server was killed. Let the transaction manager commit it once more: capture gives its rows once; if it is rolled back instead, capture "
		"says so as an error. With COMMIT ONE PHASE capture cannot know it: use plain transactions there", at->session.text);
	if (prepared == 0)
		return;
	doctor_warn(at->doctor, "xa", "source: %" PRId64 " XA branches are prepared now: an agent that starts for the first time does not know their rows, "
		"and stops when one of them is committed", prepared);
	doctor_remedy(at->doctor, "before an agent's first start, XA COMMIT or XA ROLLBACK what XA RECOVER lists; an agent that ran before knows them");
}

/* Two readers of one id throw each other out. */
static void check_server_id(struct examination *at)
{
	int64_t own = variables_number(&at->variables, "server_id"), ours = at->settings->server_id;
	bool old = at->session.mariadb || at->session.version < 80022;
	struct answer answer;
	char others[200] = "";

	if (own == 0) {
		doctor_fail(at->doctor, "server_id", "source: server_id is 0: the server lets nobody read its binlog");
		doctor_remedy(at->doctor, "SET GLOBAL server_id = 1, and the same in the server's configuration file");
		return;
	}
	if (ours == own) {
		doctor_fail(at->doctor, "server_id", "source: database.server_id is %" PRId64 ", which is the server's own", ours);
		doctor_remedy(at->doctor, "set database.server_id in %s to a number that no server and no replica has", at->doctor->path);
		return;
	}
	doctor_mysql_try(&at->session, old ? "SHOW SLAVE HOSTS" : "SHOW REPLICAS", &answer);
	while (ours != 0 && answer_next(&answer))
		if (strtoll(answer_named(&answer, "Server_id"), NULL, 10) == ours)
			(void)snprintf(others, sizeof others, "%s:%s", answer_named(&answer, "Host"), answer_named(&answer, "Port"));
	answer_free(&answer);
	if (others[0] != '\0') {
		doctor_fail(at->doctor, "server_id", "source: the replica at %s has server id %" PRId64 " too: it and the "
			"agent throw each other out", others,
			ours);
		doctor_remedy(at->doctor, "set database.server_id in %s to a number that no server and no replica has", at->doctor->path);
	} else if (ours == 0) {
		doctor_ok(at->doctor, "server_id", "source: server_id is %" PRId64 "; the agent makes an id of its own from its name", own);
	} else {
		doctor_ok(at->doctor, "server_id", "source: server_id is %" PRId64 ", the agent's is %" PRId64, own, ours);
	}
}

static const char *duration(int64_t seconds, char *buf, size_t size)
{
	if (seconds >= 2 * 86400)
		(void)snprintf(buf, size, "%" PRId64 " days", seconds / 86400);
	else if (seconds >= 2 * 3600)
		(void)snprintf(buf, size, "%" PRId64 " hours", seconds / 3600);
	else
		(void)snprintf(buf, size, "%" PRId64 " s", seconds);
	return buf;
}

/* How long the server keeps its log; 0: for ever. */
static int64_t kept(struct examination *at)
{
	const char *automatic = variables_get(&at->variables, "binlog_expire_logs_auto_purge");
	int64_t seconds = variables_number(&at->variables, "binlog_expire_logs_seconds");

	if (automatic[0] != '\0' && strcasecmp(automatic, "ON") != 0)
		return 0;
	if (seconds > 0)
		return seconds;
	return (int64_t)(strtod(variables_get(&at->variables, "expire_logs_days"), NULL) * 86400);
}

static void check_retention(struct examination *at)
{
	int64_t seconds = kept(at);
	char text[32];

	at->log->kept_known = true;
	at->log->kept_s = seconds;
	if (seconds == 0) {
		doctor_ok(at->doctor, "retention", "source: the server keeps its binlog until somebody removes it: see that "
			"the disk does not fill up");
	} else if (seconds >= KEEP_LEAST_S) {
		doctor_ok(at->doctor, "retention", "source: the server keeps its binlog for %s", duration(seconds, text, sizeof text));
	} else {
		doctor_warn(at->doctor, "retention", "source: the server keeps its binlog for %s only: an agent that stands "
			"still for longer has lost its place",
			duration(seconds, text, sizeof text));
		doctor_remedy(at->doctor, SET_GLOBAL("binlog_expire_logs_seconds", "604800"));
	}
}

/* ---- the account ---- */

/* Whether SHOW GRANTS has one of these on all tables. What it says of passwords is not for printing. */
static bool is_granted(struct examination *at, const char *const *names, size_t count)
{
	struct answer answer;
	bool found = false;

	doctor_mysql_try(&at->session, "SHOW GRANTS", &answer);
	while (!found && answer_next(&answer)) {
		const char *line = answer_text(&answer, 0), *on = strstr(line, " ON *.* ");

		for (size_t i = 0; i < count && on != NULL && !found; i++) {
			const char *name = strstr(line, names[i]);

			found = name != NULL && name < on;
		}
	}
	answer_free(&answer);
	return found;
}

static void check_account(struct examination *at)
{
	static const char *const dump[] = { "REPLICATION SLAVE", "ALL PRIVILEGES" };
	const char *status = at->session.mariadb || at->session.version < 80200 ? "SHOW MASTER STATUS" : "SHOW BINARY LOG STATUS";
	const char *client = at->session.mariadb ? "BINLOG MONITOR" : "REPLICATION CLIENT";
	bool may_dump = is_granted(at, dump, 2), may_see;
	struct answer answer;

	/* By a role of MySQL's it is not in the list: then the server must say it. */
	if (!may_dump && !at->session.mariadb) {
		doctor_mysql_try(&at->session, at->session.version < 80022 ? "SHOW SLAVE HOSTS" : "SHOW REPLICAS", &answer);
		may_dump = answer.number == 0;
		answer_free(&answer);
	}
	doctor_mysql_try(&at->session, status, &answer);
	may_see = answer.number == 0;
	if (may_see && answer_next(&answer))
		doctor_ok(at->doctor, "position", "source: the log stands at %s:%s", answer_text(&answer, 0), answer_text(&answer, 1));
	answer_free(&answer);
	if (may_dump && may_see) {
		doctor_ok(at->doctor, "grants", "source: %s may read the binlog", at->session.account);
		return;
	}
	doctor_fail(at->doctor, "grants", "source: %s lacks %s%s%s", at->session.account, may_dump ? "" : "REPLICATION SLAVE",
		may_dump || may_see ? "" : " and ", may_see ? "" : client);
	doctor_remedy(at->doctor, "GRANT %s%s%s ON *.* TO %s", may_dump ? "" : "REPLICATION SLAVE", may_dump || may_see ? "" : ", ",
		may_see ? "" : client, at->session.account);
}

/* ---- tables ---- */

struct tally {
	size_t captured, keyless, other_engine, unreadable, cascading, generating;
};

static bool is_pattern(const char *entry)
{
	return strpbrk(entry, "*?[\\") != NULL;
}

static bool is_wanted(const struct capture_settings *settings, const char *schema, const char *table)
{
	return table_selected(schema, table, settings->table_include_list.items, settings->table_include_list.count,
		settings->table_exclude_list.items, settings->table_exclude_list.count);
}

/* Names of columns that are computed from others; those of system versioning are called generated too. */
#define GENERATED(kind) \
	" (SELECT GROUP_CONCAT(g.column_name ORDER BY g.ordinal_position SEPARATOR ', ') FROM information_schema.columns g" \
	" WHERE g.table_schema = t.table_schema AND g.table_name = t.table_name AND g.extra LIKE '" kind " GENERATED%'" \
	" AND COALESCE(g.generation_expression, '') NOT LIKE 'ROW %')"

/* Every table that the account can see, one a row. */
static const char tables_query[] =
	"SELECT t.table_schema, t.table_name, t.engine,"
	" EXISTS (SELECT 1 FROM information_schema.columns c WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name"
	" AND c.column_key = 'PRI'),"
	GENERATED("%") "," GENERATED("VIRTUAL") " FROM information_schema.tables t WHERE t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')"
	" AND t.table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY 1, 2";

enum { T_SCHEMA, T_NAME, T_ENGINE, T_KEY, T_GENERATED, T_VIRTUAL };

static void check_entry(struct examination *at, struct answer *tables, const char *entry)
{
	const char *const list[] = { entry };
	const char *dot = strchr(entry, '.');

	mysql_data_seek(tables->result, 0);
	while (answer_next(tables))
		if (table_selected(answer_text(tables, T_SCHEMA), answer_text(tables, T_NAME), list, 1, NULL, 0))
			return;
	if (is_pattern(entry)) {
		doctor_warn(at->doctor, "tables", "source: no table that %s may read matches %s of table_include_list", at->session.account, entry);
		doctor_remedy(at->doctor, "correct table_include_list in %s, or GRANT SELECT ON ... TO %s", at->doctor->path, at->session.account);
		return;
	}
	doctor_fail(at->doctor, "tables", "source: table %s of table_include_list does not exist, or %s may not read "
		"it", entry, at->session.account);
	if (dot != NULL)
		doctor_remedy(at->doctor, "GRANT SELECT ON `%.*s`.`%s` TO %s; or correct table_include_list in "
			"%s", (int)(dot - entry), entry, dot + 1,
			at->session.account, at->doctor->path);
	else
		doctor_remedy(at->doctor, "write it as DATABASE.TABLE in %s", at->doctor->path);
}

/* MySQL from 9.6 on makes cascaded changes itself, and logs them; before, and in MariaDB, the engine does it where no log is. */
static bool logs_cascades(struct examination *at)
{
	return strcasecmp(variables_get(&at->variables, "innodb_native_foreign_keys"), "OFF") == 0;
}

/* The catalogue shows foreign keys only to those who may do more than read; the table's own text shows them to every reader. */
static void check_cascades(struct examination *at, const char *schema, const char *table, const char *quoted, struct tally *tally)
{
	static const char *const actions[] = { "ON DELETE CASCADE", "ON UPDATE CASCADE", "ON DELETE SET", "ON UPDATE SET" };
	struct answer answer;
	char sql[1200], names[400] = "";
	size_t len = 0;

	(void)snprintf(sql, sizeof sql, "SHOW CREATE TABLE %s", quoted);
	doctor_mysql_try(&at->session, sql, &answer);
	if (!answer_next(&answer)) {
		tally->unreadable++;
		doctor_fail(at->doctor, "grants", "source: %s may not read table %s.%s", at->session.account, schema, table);
		doctor_remedy(at->doctor, "GRANT SELECT ON %s TO %s", quoted, at->session.account);
	}
	for (const char *line = logs_cascades(at) ? NULL : answer_text(&answer, 1); line != NULL && *line != '\0';) {
		const char *end = strchr(line, '\n'), *name = line + strspn(line, " ");
		size_t line_len = end != NULL ? (size_t)(end - line) : strlen(line);
		bool acts = false;

		for (size_t i = 0; i < 4 && strncmp(name, "CONSTRAINT `", 12) == 0; i++)
			acts = acts || memmem(line, line_len, actions[i], strlen(actions[i])) != NULL;
		if (acts && len < sizeof names - 80)
			len += (size_t)snprintf(names + len, sizeof names - len, "%s%.*s", len > 0 ? ", " : "", (int)strcspn(name + 12, "`"),
				name + 12);
		line = end != NULL ? end + 1 : NULL;
	}
	answer_free(&answer);
	if (len == 0)
		return;
	tally->cascading++;
	doctor_warn(at->doctor, "cascades", "source: table %s.%s has foreign keys that change its rows by a cascade (%s), and "
		"%s does not log such changes",
		schema, table, names, at->session.text);
	doctor_remedy(at->doctor, "give the target's table the same foreign key, or the source's ON DELETE RESTRICT ON UPDATE RESTRICT");
}

/* Of MariaDB alone: from 11.5 on its updates do not log them, before that only whole images log the virtual ones. MySQL logs those that change. */
static void check_generated(struct examination *at, const struct answer *tables, bool full, struct tally *tally)
{
	bool none = at->session.version >= 110500;
	const char *names = at->session.mariadb ? answer_text(tables, none ? T_GENERATED : T_VIRTUAL) : "";

	if (names[0] == '\0' || (full && !none))
		return;
	tally->generating++;
	if (none) {
		doctor_warn(at->doctor, "generated", "source: table %s.%s is captured without its generated columns (%s): %s does not log what "
			"becomes of them in an update", answer_text(tables, T_SCHEMA), answer_text(tables, T_NAME), names, at->session.text);
		doctor_remedy(at->doctor, "let the target's table generate them too");
	} else {
		doctor_fail(at->doctor, "generated", "source: table %s.%s has virtual columns (%s), and without binlog_row_image = FULL an "
			"update or insert does not log them: the agent stops", answer_text(tables, T_SCHEMA), answer_text(tables, T_NAME), names);
		doctor_remedy(at->doctor, SET_GLOBAL("binlog_row_image", "FULL"));
	}
}

static void check_table(struct examination *at, const struct answer *tables, struct tally *tally)
{
	const char *schema = answer_text(tables, T_SCHEMA), *table = answer_text(tables, T_NAME), *engine = answer_text(tables, T_ENGINE);
	bool full = strcasecmp(variables_get(&at->variables, "binlog_row_image"), "FULL") == 0;
	struct buf name;

	buf_init(&name, SQL_MAX);
	mysql_put_table(&name, schema, table);
	tally->captured++;
	if (strcmp(answer_text(tables, T_KEY), "1") != 0) {
		tally->keyless++;
		if (full)
			doctor_warn(at->doctor, "identity", "source: table %s.%s has no primary key: each update and delete at "
				"the target looks for its row by "
				"all columns", schema, table);
		else
			doctor_fail(at->doctor, "identity", "source: table %s.%s has no primary key, and without "
				"binlog_row_image = FULL its updates and deletes "
				"do not say which row they mean", schema, table);
		doctor_remedy(at->doctor, "ALTER TABLE %s ADD PRIMARY KEY (...)%s", buf_cstr(&name), full ? ", if its rows have a key" : "");
	}
	if (strcasecmp(engine, "InnoDB") != 0) {
		tally->other_engine++;
		doctor_warn(at->doctor, "engine", "source: table %s.%s is of engine %s, which knows no transactions: its "
			"changes are captured statement by "
			"statement, also those of a transaction that was rolled back", schema, table, engine);
		doctor_remedy(at->doctor, "ALTER TABLE %s ENGINE = InnoDB", buf_cstr(&name));
	}
	check_cascades(at, schema, table, buf_cstr(&name), tally);
	check_generated(at, tables, full, tally);
	buf_release(&name);
}

static void check_tables(struct examination *at)
{
	struct tally tally = { .captured = 0 };
	struct doctor *doctor = at->doctor;
	struct answer tables;

	if (!doctor_mysql_ask(doctor, &at->session, "tables", tables_query, &tables))
		return;
	for (size_t i = 0; i < at->settings->table_include_list.count; i++)
		check_entry(at, &tables, at->settings->table_include_list.items[i]);
	mysql_data_seek(tables.result, 0);
	while (answer_next(&tables))
		if (is_wanted(at->settings, answer_text(&tables, T_SCHEMA), answer_text(&tables, T_NAME)))
			check_table(at, &tables, &tally);
	answer_free(&tables);
	if (tally.captured == 0) {
		doctor_fail(doctor, "tables", "source: no table is captured: %s may read none that table_include_list and table_exclude_list take",
			at->session.account);
		doctor_remedy(doctor, "GRANT SELECT ON ... TO %s, or correct table_include_list in %s", at->session.account, doctor->path);
		return;
	}
	if (tally.unreadable == 0)
		doctor_ok(doctor, "tables", "source: %s may read all %zu tables to capture", at->session.account, tally.captured);
	if (tally.keyless == 0)
		doctor_ok(doctor, "identity", "source: all %zu tables to capture have a primary key", tally.captured);
	if (tally.other_engine == 0)
		doctor_ok(doctor, "engine", "source: all %zu tables to capture are InnoDB's", tally.captured);
	if (tally.cascading == 0 && tally.unreadable == 0)
		doctor_ok(doctor, "cascades", "source: no table to capture is changed by a cascade that the log does not have");
	if (tally.generating == 0)
		doctor_ok(doctor, "generated", "source: no table to capture has generated columns that the log does not have");
}

void doctor_mysql_source(struct doctor *doctor, struct doctor_log *ret_log)
{
	const struct capture_settings *settings = doctor->capture;
	const struct doctor_server server = { "source", settings->hostname, settings->user, settings->password, settings->dbname,
		settings->sslmode, settings->sslrootcert, settings->sslcert, settings->sslkey, settings->port };
	struct examination at = { .doctor = doctor, .settings = settings, .log = ret_log };

	memset(ret_log, 0, sizeof *ret_log);
	if (!doctor_mysql_open(doctor, &server, settings->type, &at.session))
		return;
	if (variables_read(doctor, &at.session, &at.variables)) {
		if (check_log(&at)) {
			check_gtid(&at);
			check_replica(&at);
			check_temporary(&at);
			check_xa(&at);
			check_server_id(&at);
			check_retention(&at);
		}
		check_account(&at);
		check_tables(&at);
		variables_free(&at.variables);
	}
	doctor_mysql_close(&at.session);
}
