/*
 * doctor_mysql.c: sessions at MySQL and MariaDB that only read, and why one is refused.
 *
 * sslmode means here what it means to the agents (capture/source_mysql_session.c, apply/sink_mysql_connect.c): libpq's words, and without TLS no
 * method that would show the password to whoever answers.
 */
#include "config.h"

#include <errmsg.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool/doctor_mysql.h"

#define CONNECT_S 10
#define READ_S 30
#define MARIADB_LEAST 100600
#define MYSQL_LEAST 80000
#define METHODS_WITHOUT_TLS "mysql_native_password,client_ed25519,parsec,auth_gssapi_client"

bool doctor_is_mysql(const char *type)
{
	return strcmp(type, "mysql") == 0 || strcmp(type, "mariadb") == 0;
}

/* ---- connecting ---- */

static const char *or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static bool is_socket(const struct doctor_server *server)
{
	return server->hostname[0] == '\0' || server->hostname[0] == '/';
}

static MYSQL *start(const struct doctor_server *server, bool tls)
{
	my_bool must = tls, verify = tls && strcmp(server->sslmode, "verify-full") == 0;
	unsigned connect_s = CONNECT_S, read_s = READ_S, off = 0;
	MYSQL *conn = mysql_init(NULL);

	if (conn == NULL)
		return NULL;
	(void)mysql_options(conn, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	(void)mysql_options(conn, MYSQL_OPT_READ_TIMEOUT, &read_s);
	(void)mysql_options(conn, MYSQL_OPT_WRITE_TIMEOUT, &read_s);
	(void)mysql_options(conn, MYSQL_OPT_LOCAL_INFILE, &off);
	(void)mysql_options(conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	(void)mysql_options4(conn, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "tailrace doctor");
	if (tls)
		(void)mysql_ssl_set(conn, or_null(server->sslkey), or_null(server->sslcert), or_null(server->sslrootcert), NULL, NULL);
	else if (!is_socket(server))
		(void)mysql_options(conn, MARIADB_OPT_RESTRICTED_AUTH, METHODS_WITHOUT_TLS);
	(void)mysql_options(conn, MYSQL_OPT_SSL_ENFORCE, &must);
	(void)mysql_options(conn, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
	return conn;
}

/* true: connected. Otherwise the connection stays for its error. */
static bool finish(const struct doctor_server *server, MYSQL *conn)
{
	bool socket = is_socket(server);

	return mysql_real_connect(conn, socket ? "localhost" : server->hostname, or_null(server->user), server->password, NULL,
		       socket ? 0 : (unsigned)server->port, socket ? or_null(server->hostname) : NULL, 0) != NULL;
}

static void advise(struct doctor *doctor, const struct doctor_server *server, unsigned number)
{
	const char *user = server->user[0] != '\0' ? server->user : "USER";

	if (number == 1045 || number == 1698)
		doctor_remedy(doctor, "correct database.user and database.password in %s; to give the account a new password: ALTER USER '%s'@'%%' "
			"IDENTIFIED BY '...'", doctor->path, user);
	else if (number == 1130)
		doctor_remedy(doctor, "the server lets nobody in from this host: CREATE USER '%s'@'ADDRESS' IDENTIFIED BY '...'", user);
	else if (number == CR_PLUGIN_NOT_ALLOWED)
		doctor_remedy(doctor, "without TLS this method would show the password to whoever answers: set "
			"database.sslmode in %s to require or better",
			doctor->path);
	else if (number == CR_SSL_CONNECTION_ERROR)
		doctor_remedy(doctor, "correct database.sslmode, sslrootcert, sslcert and sslkey in %s", doctor->path);
	else if (number == 1040)
		doctor_remedy(doctor, "SET GLOBAL max_connections = N, or end other sessions");
	else
		doctor_remedy(doctor, "start the server, or correct database.hostname and database.port in %s", doctor->path);
}

static MYSQL *connect_to(struct doctor *doctor, const struct doctor_server *server)
{
	bool tls = !is_socket(server) && strcmp(server->sslmode, "disable") != 0;
	bool may_without = strcmp(server->sslmode, "prefer") == 0 || strcmp(server->sslmode, "allow") == 0 || server->sslmode[0] == '\0';
	MYSQL *conn = start(server, tls);

	if (conn != NULL && finish(server, conn))
		return conn;
	if (conn != NULL && tls && may_without && mysql_errno(conn) == CR_SSL_CONNECTION_ERROR) {
		mysql_close(conn);
		conn = start(server, false);
		if (conn != NULL && finish(server, conn))
			return conn;
	}
	doctor_fail(doctor, "connection", "%s: no connection to the server at %s:%" PRId64 ": %s", server->what,
		server->hostname[0] != '\0' ? server->hostname : "the local socket", server->port,
		conn != NULL ? mysql_error(conn) : "out of memory");
	advise(doctor, server, conn != NULL ? mysql_errno(conn) : 0);
	if (conn != NULL)
		mysql_close(conn);
	return NULL;
}

/* ---- the session ---- */

/* r@% as SQL wants it. */
static void put_account(struct doctor_mysql *session, const char *current)
{
	const char *at = strrchr(current, '@');
	struct buf out;

	if (at == NULL)
		at = current + strlen(current);
	buf_init(&out, sizeof session->account - 1);
	buf_append_byte(&out, '\'');
	buf_append(&out, current, (size_t)(at - current));
	buf_append_byte(&out, '\'');
	if (at[0] != '\0') {
		buf_append_byte(&out, '@');
		mysql_put_text(&out, at + 1);
	}
	(void)snprintf(session->account, sizeof session->account, "%s", buf_cstr(&out));
	buf_release(&out);
}

static bool check_kind(struct doctor *doctor, struct doctor_mysql *session, const char *type, const char *version)
{
	int major = 0, minor = 0, patch = 0, least;

	session->mariadb = strcasestr(version, "mariadb") != NULL;
	if (sscanf(version, "%d.%d.%d", &major, &minor, &patch) < 2)
		major = 0;
	session->version = major * 10000 + minor * 100 + patch;
	(void)snprintf(session->text, sizeof session->text, "%s %d.%d.%d", session->mariadb ? "MariaDB" : "MySQL", major, minor, patch);
	if (session->mariadb != (strcmp(type, "mariadb") == 0)) {
		doctor_fail(doctor, "version", "%s: the server is %s, but database.type is \"%s\"", session->what, session->text, type);
		doctor_remedy(doctor, "set database.type = \"%s\" in %s", session->mariadb ? "mariadb" : "mysql", doctor->path);
		return false;
	}
	least = session->mariadb ? MARIADB_LEAST : MYSQL_LEAST;
	if (session->version < least) {
		doctor_fail(doctor, "version", "%s: %s is too old: %d.%d or later is needed", session->what, session->text, least / 10000,
			least / 100 % 100);
		doctor_remedy(doctor, "upgrade the server");
		return false;
	}
	doctor_ok(doctor, "version", "%s: %s", session->what, session->text);
	return true;
}

bool doctor_mysql_open(struct doctor *doctor, const struct doctor_server *server, const char *type, struct doctor_mysql *ret_session)
{
	struct doctor_mysql session = { .what = server->what, .conn = connect_to(doctor, server) };
	struct answer answer;
	bool good;

	if (session.conn == NULL)
		return false;
	if (!doctor_mysql_ask(doctor, &session, "connection", "SET SESSION sql_mode = '', time_zone = '+00:00'", &answer) ||
		!doctor_mysql_ask(doctor, &session, "connection", "SET SESSION TRANSACTION READ ONLY", &answer) ||
		!doctor_mysql_ask(doctor, &session, "connection", "SELECT VERSION(), CURRENT_USER()", &answer)) {
		doctor_mysql_close(&session);
		return false;
	}
	(void)answer_next(&answer);
	put_account(&session, answer_text(&answer, 1));
	doctor_ok(doctor, "connection", "%s: connected to the server at %s:%" PRId64 " as %s%s", server->what,
		server->hostname[0] != '\0' ? server->hostname : "the local socket", server->port, session.account,
		mysql_get_ssl_cipher(session.conn) != NULL ? ", with TLS" : "");
	good = check_kind(doctor, &session, type, answer_text(&answer, 0));
	answer_free(&answer);
	if (good)
		*ret_session = session;
	else
		doctor_mysql_close(&session);
	return good;
}

void doctor_mysql_close(struct doctor_mysql *session)
{
	mysql_close(session->conn);
	session->conn = NULL;
}

/* ---- asking ---- */

void doctor_mysql_try(struct doctor_mysql *session, const char *sql, struct answer *ret_answer)
{
	memset(ret_answer, 0, sizeof *ret_answer);
	if (mysql_real_query(session->conn, sql, strlen(sql)) == 0)
		ret_answer->result = mysql_store_result(session->conn);
	ret_answer->number = mysql_errno(session->conn);
	(void)snprintf(ret_answer->text, sizeof ret_answer->text, "%s", mysql_error(session->conn));
}

bool doctor_mysql_ask(struct doctor *doctor, struct doctor_mysql *session, const char *check, const char *sql, struct answer *ret_answer)
{
	doctor_mysql_try(session, sql, ret_answer);
	if (ret_answer->number == 0)
		return true;
	doctor_fail(doctor, check, "%s: the server could not be asked about %s: %s (%u)", session->what, check, ret_answer->text,
		ret_answer->number);
	doctor_remedy(doctor, "see the server's error log");
	return false;
}

bool answer_next(struct answer *answer)
{
	answer->row = answer->result != NULL ? mysql_fetch_row(answer->result) : NULL;
	return answer->row != NULL;
}

void answer_free(struct answer *answer)
{
	mysql_free_result(answer->result);
	answer->result = NULL;
	answer->row = NULL;
}

const char *answer_text(const struct answer *answer, unsigned column)
{
	if (answer->row == NULL || column >= mysql_num_fields(answer->result) || answer->row[column] == NULL)
		return "";
	return answer->row[column];
}

const char *answer_named(const struct answer *answer, const char *name)
{
	unsigned count = answer->result != NULL ? mysql_num_fields(answer->result) : 0;

	for (unsigned i = 0; i < count; i++)
		if (strcasecmp(mysql_fetch_field_direct(answer->result, i)->name, name) == 0)
			return answer_text(answer, i);
	return "";
}

/* ---- variables ---- */

bool variables_read(struct doctor *doctor, struct doctor_mysql *session, struct variables *ret_variables)
{
	return doctor_mysql_ask(doctor, session, "variables", "SHOW GLOBAL VARIABLES", &ret_variables->answer);
}

const char *variables_get(struct variables *variables, const char *name)
{
	mysql_data_seek(variables->answer.result, 0);
	while (answer_next(&variables->answer))
		if (strcasecmp(answer_text(&variables->answer, 0), name) == 0)
			return answer_text(&variables->answer, 1);
	return "";
}

int64_t variables_number(struct variables *variables, const char *name)
{
	return strtoll(variables_get(variables, name), NULL, 10);
}

bool variables_on(struct variables *variables, const char *name)
{
	const char *value = variables_get(variables, name);

	return strcasecmp(value, "ON") == 0 || strcmp(value, "1") == 0;
}

void variables_free(struct variables *variables)
{
	answer_free(&variables->answer);
}

/* ---- texts ---- */

static void put_quoted(struct buf *out, const char *text, char quote)
{
	buf_append_byte(out, quote);
	for (; *text != '\0'; text++) {
		if (*text == quote || (quote == '\'' && *text == '\\'))
			buf_append_byte(out, *text);
		buf_append_byte(out, *text);
	}
	buf_append_byte(out, quote);
}

void mysql_put_name(struct buf *out, const char *name)
{
	put_quoted(out, name, '`');
}

void mysql_put_table(struct buf *out, const char *schema, const char *table)
{
	mysql_put_name(out, schema);
	buf_append_byte(out, '.');
	mysql_put_name(out, table);
}

void mysql_put_text(struct buf *out, const char *text)
{
	put_quoted(out, text, '\'');
}
