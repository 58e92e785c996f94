/*
 * source_mysql_session.c: connections to MySQL and MariaDB, statements on them, and what their failures mean.
 *
 * libmariadb does TLS and authentication. sslmode has the words that PostgreSQL uses:
 *   disable      never TLS
 *   prefer       TLS if the server has it; nothing is verified
 *   require      TLS; the certificate is verified if sslrootcert is set
 *   verify-ca    TLS, the certificate must come from sslrootcert; its name does not matter
 *   verify-full  TLS, and the name must be the host's: the only one that somebody in between who answers as he likes cannot get around
 * A Unix socket needs none of it.
 *
 * The library goes on without TLS where the server has none, whatever it was asked for (unless the name is verified);
 * so that is looked at afterwards.
 *
 * Without TLS, caching_sha2_password and sha256_password are refused over TCP: when the server's cache is cold they
 * send the password under a key that anybody in between can put in the place of the server's. Which method it will be
 * is known to the library only, so the first try allows just those that show nothing; if the server wants another one
 * and offers TLS, the second try, with TLS, allows all.
 */
#include "capture/source_mysql.h"

#include <errmsg.h>
#include <inttypes.h>
#include <mysqld_error.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PACKET_MAX ((unsigned long)1 << 30)
/* Kafka may take nothing for long: the server must not give its reader up meanwhile. */
#define SERVER_PATIENCE "28800"
/* Methods that show nothing of the password to whoever answers. */
#define METHODS_WITHOUT_TLS "mysql_native_password,client_ed25519,parsec,auth_gssapi_client"

enum tls_use { TLS_NONE, TLS_TRY, TLS_MUST };
enum methods { METHODS_SAFE, METHODS_ALL };

bool connection_stopping(const struct source_options *options)
{
	return options->stopping != NULL && options->stopping();
}

uint32_t session_server_id(const struct source_options *options, unsigned n)
{
	const char *name = options->name != NULL ? options->name : "";
	uint32_t hash = 2166136261U + n;

	if (n == 0 && options->server_id > 0)
		return (uint32_t)options->server_id;
	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	for (name = options->hostname != NULL ? options->hostname : ""; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	hash = (hash ^ (uint32_t)options->port) * 16777619U;
	return (hash & 0x3fffffffU) | 0x80000000U;
}

/* ---- errors ---- */

struct meaning {
	unsigned number;
	const char *part; /* of the text; NULL: any */
	enum error_class class;
	const char *hint;
};

#define HINT_GRANTS_DUMP \
	"GRANT REPLICATION SLAVE, and REPLICATION CLIENT (MariaDB: BINLOG MONITOR), ON *.* to database.user"
#define HINT_PURGED                                                                                             \
	"the server removed log that was not read yet; keep it longer (binlog_expire_logs_seconds), and start " \
	"anew with another topic_prefix"
#define HINT_OTHER_HISTORY                                                                              \
	"the server was reset, restored from an older state, or is another one: lead the agent to the " \
	"right one, or start anew with another topic_prefix"
#define HINT_TLS "look at database.sslmode, sslrootcert, sslcert and sslkey"
#define HINT_TWICE "another replica or agent reads with this server id: set database.server_id to one that is free"

/* The first that fits. 1236 is what a server says of everything that is wrong with the stream, so its text decides. */
static const struct meaning meanings[] = {
	{ ER_ACCESS_DENIED_ERROR, NULL, ERROR_CONFIG, "look at database.user and database.password" },
	{ 1698, NULL, ERROR_CONFIG, "look at database.user and database.password" },
	{ 1045, NULL, ERROR_CONFIG, "look at database.user and database.password" },
	{ 1130, NULL, ERROR_CONFIG, "the server lets nobody in from this host: CREATE USER ...@host" },
	{ 3118, NULL, ERROR_CONFIG, "the account is locked: ALTER USER ... ACCOUNT UNLOCK" },
	{ 4151, NULL, ERROR_CONFIG, "the account is locked: ALTER USER ... ACCOUNT UNLOCK" },
	{ 1820, NULL, ERROR_CONFIG, "the password has expired: ALTER USER ... IDENTIFIED BY" },
	{ 1862, NULL, ERROR_CONFIG, "the password has expired: ALTER USER ... IDENTIFIED BY" },
	{ 1044, NULL, ERROR_CONFIG, "GRANT SELECT on the captured databases to database.user" },
	{ 1142, NULL, ERROR_CONFIG, "GRANT SELECT on the captured databases to database.user" },
	{ 1227, NULL, ERROR_CONFIG, HINT_GRANTS_DUMP },
	{ CR_PLUGIN_NOT_ALLOWED, NULL, ERROR_CONFIG,
		"without TLS this method would show the password to whoever answers: set database.sslmode to require "
		"or better, or use the Unix socket" },
	{ CR_AUTH_PLUGIN_CANNOT_LOAD, NULL, ERROR_CONFIG,
		"the client library lacks this method: give the account another one" },
	{ 1236, "purged", ERROR_GAP, HINT_PURGED },
	{ 1236, "first log file", ERROR_GAP, HINT_PURGED },
	{ 1236, "Could not find GTID state", ERROR_GAP, HINT_PURGED },
	{ 1236, "Could not open log file", ERROR_GAP, HINT_PURGED },
	{ 1236, "not in the master's binlog", ERROR_GAP, HINT_OTHER_HISTORY },
	{ 1236, "missing the GTID", ERROR_GAP, HINT_OTHER_HISTORY },
	{ 1236, "more GTIDs than", ERROR_GAP, HINT_OTHER_HISTORY },
	{ 1236, "impossible position", ERROR_GAP, HINT_OTHER_HISTORY },
	{ 1236, "bogus data", ERROR_GAP, HINT_OTHER_HISTORY },
	{ 1236, "position >", ERROR_GAP, HINT_OTHER_HISTORY },
	{ 1236, "same server", ERROR_RETRY, HINT_TWICE },
	{ 1236, "max_allowed_packet", ERROR_CONFIG, "raise max_allowed_packet of the server" },
	{ 1236, "truncated in the middle of event", ERROR_GAP,
		"the server died while it wrote that file and cannot send what follows, to its replicas neither: start anew "
		"with another topic_prefix; for the future set sync_binlog=1" },
	{ 1236, NULL, ERROR_GAP,
		"look at the server's error log; if the log cannot be read any more, start anew with another "
		"topic_prefix" },
	{ 4052, NULL, ERROR_RETRY, HINT_TWICE },
	{ CR_CONNECTION_ERROR, NULL, ERROR_RETRY,
		"is the server running, and does database.hostname lead to its socket?" },
	{ CR_CONN_HOST_ERROR, NULL, ERROR_RETRY,
		"is the server running, and do database.hostname and database.port lead to it?" },
	{ CR_UNKNOWN_HOST, NULL, ERROR_RETRY, "look at database.hostname" },
};

static const char *host_of(const struct source_options *options)
{
	return options->hostname != NULL && options->hostname[0] != '\0' ? options->hostname : "local socket";
}

int session_error_text(
	const struct endpoint *end, unsigned number, const char *text, const char *doing, struct error *err)
{
	const char *product = end->mariadb ? "MariaDB" : "MySQL";
	const char *host = host_of(end->options);
	const struct meaning *found = NULL;

	for (size_t i = 0; i < sizeof meanings / sizeof meanings[0] && found == NULL; i++)
		if (meanings[i].number == number &&
			(meanings[i].part == NULL || strstr(text, meanings[i].part) != NULL))
			found = &meanings[i];
	error_set(err, found != NULL ? found->class : ERROR_RETRY, "%s at %s:%" PRId64 ": %s: %.*s (%u)", product, host,
		end->options->port, doing, (int)strcspn(text, "\n"), text, number);
	return found != NULL ? error_hint(err, "%s", found->hint) : -1;
}

int connection_error(const struct endpoint *end, MYSQL *conn, const char *doing, struct error *err)
{
	if (conn == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a connection");
	return session_error_text(end, mysql_errno(conn), mysql_error(conn), doing, err);
}

/* ---- connecting ---- */

static bool is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool is_socket(const struct source_options *options)
{
	return !is_set(options->hostname) || options->hostname[0] == '/';
}

static enum tls_use tls_use(const struct source_options *options)
{
	const char *mode = is_set(options->sslmode) ? options->sslmode : "prefer";

	if (is_socket(options) || strcmp(mode, "disable") == 0)
		return TLS_NONE;
	return strcmp(mode, "prefer") == 0 || strcmp(mode, "allow") == 0 ? TLS_TRY : TLS_MUST;
}

static bool verifies_name(const struct source_options *options)
{
	return is_set(options->sslmode) && strcmp(options->sslmode, "verify-full") == 0;
}

static void set_tls(const struct source_options *options, MYSQL *conn, enum methods methods)
{
	my_bool tls = tls_use(options) != TLS_NONE, verify = tls && verifies_name(options);

	if (tls)
		(void)mysql_ssl_set(conn, is_set(options->sslkey) ? options->sslkey : NULL,
			is_set(options->sslcert) ? options->sslcert : NULL,
			is_set(options->sslrootcert) ? options->sslrootcert : NULL, NULL, NULL);
	if (methods == METHODS_SAFE)
		(void)mysql_options(conn, MARIADB_OPT_RESTRICTED_AUTH, METHODS_WITHOUT_TLS);
	(void)mysql_options(conn, MYSQL_OPT_SSL_ENFORCE, &tls);
	(void)mysql_options(conn, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

static MYSQL *new_connection(const struct source_options *options, unsigned read_timeout_s, enum methods methods)
{
	MYSQL *conn = mysql_init(NULL);
	unsigned connect_s = SESSION_CONNECT_S, write_s = SESSION_QUERY_S, off = 0;
	unsigned long packet = PACKET_MAX;
	enum mysql_protocol_type tcp = MYSQL_PROTOCOL_TCP;

	if (conn == NULL)
		return NULL;
	(void)mysql_options(conn, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	(void)mysql_options(conn, MYSQL_OPT_READ_TIMEOUT, &read_timeout_s);
	(void)mysql_options(conn, MYSQL_OPT_WRITE_TIMEOUT, &write_s);
	(void)mysql_options(conn, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
	(void)mysql_options(conn, MYSQL_OPT_LOCAL_INFILE, &off); /* a server may not ask for our files */
	if (!is_socket(options))
		(void)mysql_options(conn, MYSQL_OPT_PROTOCOL, &tcp); /* or "localhost" would be the socket */
	(void)mysql_options(conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	(void)mysql_options4(conn, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "tailrace-capture");
	set_tls(options, conn, methods);
	return conn;
}

/* TLS that cannot be agreed on is a matter of settings; a connection that ends in the middle of that, or later, is not. */
static bool is_tls_refused(MYSQL *conn)
{
	static const char *const ends[] = { "unexpected eof", "Connection reset", "Broken pipe", "Success" };

	if (conn == NULL || mysql_errno(conn) != CR_SSL_CONNECTION_ERROR)
		return false;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (strstr(mysql_error(conn), ends[i]) != NULL)
			return false;
	return true;
}

/* One try; NULL and err. *ret_again: another try with all methods is safe, because the server has TLS. */
static MYSQL *connect_once(
	const struct endpoint *end, unsigned read_timeout_s, enum methods methods, bool *ret_again, struct error *err)
{
	const struct source_options *options = end->options;
	MYSQL *conn = new_connection(options, read_timeout_s, methods);
	bool socket = is_socket(options);

	*ret_again = false;
	if (conn != NULL &&
		mysql_real_connect(conn, socket ? "localhost" : options->hostname,
			is_set(options->user) ? options->user : NULL,
			is_set(options->password) ? options->password : "", NULL, socket ? 0 : (unsigned)options->port,
			socket && is_set(options->hostname) ? options->hostname : NULL, 0) != NULL)
		return conn;
	(void)connection_error(end, conn, "could not connect", err);
	if (is_tls_refused(conn)) {
		err->class = ERROR_CONFIG;
		(void)error_hint(err, HINT_TLS);
	}
	if (conn != NULL) {
		*ret_again = methods == METHODS_SAFE && mysql_errno(conn) == CR_PLUGIN_NOT_ALLOWED &&
			tls_use(options) != TLS_NONE && (conn->server_capabilities & CLIENT_SSL) != 0;
		mysql_close(conn);
	}
	return NULL;
}

/* Without an authority of its own the library would verify nothing. */
static int check_options(const struct source_options *options, struct error *err)
{
	if (tls_use(options) != TLS_MUST || strncmp(options->sslmode, "verify-", 7) != 0 ||
		is_set(options->sslrootcert))
		return 0;
	error_set(
		err, ERROR_CONFIG, "database.sslmode is \"%s\", but database.sslrootcert is not set", options->sslmode);
	return error_hint(err, "name the file of the certificate authority in database.sslrootcert");
}

/* No library version may fall back to clear text where TLS was asked for. */
static int check_tls(const struct endpoint *end, MYSQL *conn, struct error *err)
{
	if (tls_use(end->options) != TLS_MUST || mysql_get_ssl_cipher(conn) != NULL)
		return 0;
	error_set(err, ERROR_CONFIG, "%s at %s:%" PRId64 ": the server has no TLS", end->mariadb ? "MariaDB" : "MySQL",
		host_of(end->options), end->options->port);
	return error_hint(err, HINT_TLS);
}

static int prepare_session(const struct endpoint *end, enum session_kind kind, MYSQL *conn, struct error *err)
{
	static const char control[] = "SET SESSION sql_mode = '', time_zone = '+00:00', wait_timeout = 120";
	static const char dump[] =
		"SET SESSION net_write_timeout = " SERVER_PATIENCE ", net_read_timeout = " SERVER_PATIENCE;

	return connection_query(
		end, conn, kind == SESSION_CONTROL ? control : dump, "preparing the session", NULL, err);
}

static void library_begin(void)
{
	(void)mysql_library_init(0, NULL, NULL);
}

int connection_open(const struct endpoint *end, enum session_kind kind, unsigned read_timeout_s, MYSQL **ret_conn,
	struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bool safe = is_socket(end->options) || verifies_name(end->options), again;
	MYSQL *conn;

	(void)pthread_once(&once, library_begin);
	if (check_options(end->options, err) < 0)
		return -1;
	conn = connect_once(end, read_timeout_s, safe ? METHODS_ALL : METHODS_SAFE, &again, err);
	if (conn == NULL && again)
		conn = connect_once(end, read_timeout_s, METHODS_ALL, &again, err);
	if (conn == NULL)
		return -1;
	if (check_tls(end, conn, err) < 0 || prepare_session(end, kind, conn, err) < 0) {
		mysql_close(conn);
		return -1;
	}
	*ret_conn = conn;
	return 0;
}

/* ---- statements ---- */

int connection_query(const struct endpoint *end, MYSQL *conn, const char *sql, const char *doing,
	MYSQL_RES **ret_result, struct error *err)
{
	MYSQL_RES *result;

	if (mysql_real_query(conn, sql, strlen(sql)) != 0)
		return connection_error(end, conn, doing, err);
	result = mysql_store_result(conn);
	if (result == NULL && (mysql_errno(conn) != 0 || ret_result != NULL))
		return connection_error(end, conn, doing, err);
	if (ret_result != NULL)
		*ret_result = result;
	else
		mysql_free_result(result);
	return 0;
}

/* The session has no sql_mode, so the backslash escapes. */
void connection_literal(struct buf *sql, const char *text)
{
	buf_append_byte(sql, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			buf_append_byte(sql, '\\');
		buf_append_byte(sql, *text);
	}
	buf_append_byte(sql, '\'');
}
