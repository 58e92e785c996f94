/*
 * sink_mysql_connect.c: connecting, TLS, and the session's settings.
 *
 * sslmode in libpq's words. disable: no TLS. allow, prefer: TLS if the server has it, nothing verified. require: nothing without TLS.
 * verify-ca: the server's certificate is signed by sslrootcert; with require, too, if sslrootcert is given, since the library verifies
 * the chain whenever it has one. verify-full: and it bears the host's name. Over the Unix socket TLS is used only if it is required.
 *
 * The server chooses how the user is identified, and some methods hand it the password. To one that is not verified only methods
 * go that show nothing of it; if these do not do, caching_sha2_password too, inside TLS. Clear text (PAM, LDAP) needs the socket or sslmode verify-*.
 *
 * The session:
 *   sql_mode
 *	strict, so that a value that does not fit is an error; ALLOW_INVALID_DATES and no NO_ZERO_...: a date that the source has is a
 *	date; NO_AUTO_VALUE_ON_ZERO: 0 in an AUTO_INCREMENT column is 0; NO_BACKSLASH_ESCAPES: sink_mysql_text.h
 *   time_zone, names, autocommit, completion_type
 *	how texts are read; one transaction until our COMMIT, and none chained to it
 *   sql_quote_show_create
 *	names in SHOW CREATE TABLE have their quotes (sink_mysql_create.h)
 *   isolation READ COMMITTED
 *	one writer, nothing to serialize, and no locks on gaps
 *   foreign_key_checks, unique_checks, check_constraint_checks on
 *	the target's own rules hold
 *   innodb_lock_wait_timeout, lock_wait_timeout
 *	from the configuration: a wait for others ends, the transaction is tried again
 *   wait_timeout 2 min
 *	the server forgets an agent whose host vanished, and with it the pipeline's lock. An idle agent commits each minute if offsets
 *	have moved, which heartbeats see to; without them the connection goes, and the next transaction begins with a new one
 *   max_statement_time, max_execution_time, idle_..._timeout off
 *	a long transaction is normal here
 *   sql_big_selects on
 *	max_join_size is for people: a set of updates is a join, and so is a question to the catalogue
 *   in_predicate_conversion_threshold 0 (MariaDB)
 *	a list of keys stays a range over the index
 */
#include "apply/sink_mysql_connect.h"

#include <errmsg.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/base/clock.h"

#define CONNECT_US INT64_C(10000000)
#define WRITE_SECONDS 5u
#define PACKET_LEAST 65536ul
#define LOCK_SECONDS_MAX INT64_C(31536000)
#define OLDEST_MYSQL 80000ul
#define OLDEST_MARIADB 100600ul
#define SQL_MAX 2048
/* Methods that show nothing of the password to whoever answers; and those that show it, inside TLS only. */
#define METHODS_WITHOUT_TLS "mysql_native_password,client_ed25519,parsec,auth_gssapi_client"
#define METHODS_WITH_TLS METHODS_WITHOUT_TLS ",caching_sha2_password,sha256_password"
#define BULK_OPERATIONS ((unsigned long)(MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32))

static bool is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static const char *set_or_null(const char *text)
{
	return is_set(text) ? text : NULL;
}

/* ---- parameters ---- */

/* A folder stands for the server's usual socket in it. */
static const char *socket_path(const char *hostname, char *out, size_t size)
{
	struct stat info;

	if (!is_set(hostname) || hostname[0] != '/')
		return NULL;
	if (stat(hostname, &info) == 0 && S_ISDIR(info.st_mode))
		(void)snprintf(out, size, "%s/mysqld.sock", hostname);
	else
		(void)snprintf(out, size, "%s", hostname);
	return out;
}

static bool is_mode(const struct sink_options *options, const char *mode)
{
	return options->sslmode != NULL && strcmp(options->sslmode, mode) == 0;
}

static bool must_encrypt(const struct sink_options *options)
{
	return is_mode(options, "require") || is_mode(options, "verify-ca") || is_mode(options, "verify-full");
}

static void set_tls(const struct sink_options *options, MYSQL *conn, bool local)
{
	const char *authorities = must_encrypt(options) ? set_or_null(options->sslrootcert) : NULL;
	/* Without authorities only the library's own verification, of chain and name, is left. */
	my_bool yes = 1,
		verify = is_mode(options, "verify-full") || (is_mode(options, "verify-ca") && authorities == NULL);

	if (is_mode(options, "disable") || (local && !must_encrypt(options)))
		return;
	(void)mysql_ssl_set(
		conn, set_or_null(options->sslkey), set_or_null(options->sslcert), authorities, NULL, NULL);
	(void)mysql_optionsv(conn, MYSQL_OPT_SSL_ENFORCE, &yes);
	(void)mysql_optionsv(conn, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

/* methods: NULL for all. */
static void set_options(const struct sink_options *options, MYSQL *conn, bool local, const char *methods)
{
	unsigned timeout = (unsigned)(CONNECT_US / 1000000), write_timeout = WRITE_SECONDS, no = 0;
	unsigned protocol = local ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
	size_t packet = (size_t)1 << 30, stack = (size_t)256 << 10;
	char program[128];

	(void)snprintf(program, sizeof program, "tailrace-apply %s", options->name);
	(void)mysql_optionsv(conn, MYSQL_OPT_NONBLOCK, &stack);
	(void)mysql_optionsv(conn, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
	(void)mysql_optionsv(conn, MYSQL_OPT_WRITE_TIMEOUT, &write_timeout);
	(void)mysql_optionsv(conn, MYSQL_OPT_PROTOCOL, &protocol);
	(void)mysql_optionsv(conn, MYSQL_OPT_LOCAL_INFILE, &no); /* no server may ask for our files */
	(void)mysql_optionsv(conn, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
	(void)mysql_optionsv(conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	(void)mysql_optionsv(conn, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", program);
	if (methods != NULL)
		(void)mysql_optionsv(conn, MARIADB_OPT_RESTRICTED_AUTH, methods);
	set_tls(options, conn, local);
}

/* A vanished peer is found within 30 s, whether we wait for it (keepalives) or send to it (user timeout). */
static void set_keepalive(MYSQL *conn)
{
	static const struct {
		int level, name, value;
	} settings[] = { { SOL_SOCKET, SO_KEEPALIVE, 1 }, { IPPROTO_TCP, TCP_KEEPIDLE, 10 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 5 }, { IPPROTO_TCP, TCP_KEEPCNT, 4 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 30000 }, { IPPROTO_TCP, TCP_NODELAY, 1 } };

	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
		(void)setsockopt(mysql_get_socket(conn), settings[i].level, settings[i].name, &settings[i].value,
			sizeof settings[i].value);
}

/* ---- connecting ---- */

/* TLS that cannot be agreed on is a matter of settings; a connection that ends in the middle of that is not. */
static bool is_tls_refused(MYSQL *conn)
{
	static const char *const ends[] = { "unexpected eof", "Connection reset", "Broken pipe", "Success" };

	if (mysql_errno(conn) != CR_SSL_CONNECTION_ERROR)
		return false;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (strstr(mysql_error(conn), ends[i]) != NULL)
			return false;
	return true;
}

static int failed(const struct sink_options *options, MYSQL *conn, struct error *err)
{
	char what[512];
	unsigned number = mysql_errno(conn);

	(void)snprintf(what, sizeof what, "could not connect to the target database \"%s\" at %s:%" PRId64,
		options->dbname, is_set(options->hostname) ? options->hostname : "the local socket", options->port);
	/* Of a method that is not taken, the library's text has no name but whatever is in its buffer by then. */
	(void)my_error_set(err, what, number, number != CR_PLUGIN_NOT_ALLOWED ? mysql_error(conn) :
		"the server wants the user identified by a method that would show it the password");
	if (is_tls_refused(conn) || number == CR_AUTH_PLUGIN_CANNOT_LOAD) {
		err->class = ERROR_CONFIG;
		(void)error_hint(err, number == CR_SSL_CONNECTION_ERROR ?
			"correct the target's host or ssl settings: the server's certificate must be signed by sslrootcert and bear the host's name" :
			"the client library lacks the plugin with which the server wants to identify the user");
	}
	if (number == CR_PLUGIN_NOT_ALLOWED) {
		err->class = ERROR_CONFIG;
		(void)error_hint(err,
			"the server's certificate is not verified: set database.sslmode to verify-full and database.sslrootcert, or let the user be "
			"identified by caching_sha2_password with TLS, ed25519 or mysql_native_password");
	}
	return -1;
}

static int connect_once(
	const struct sink_options *options, struct my_link *link, const char *methods, struct error *err)
{
	MYSQL *conn = mysql_init(NULL), *done = NULL;
	char path[512];
	const char *unix_socket = socket_path(options->hostname, path, sizeof path);
	bool local = unix_socket != NULL || !is_set(options->hostname);
	int status;

	link->conn = conn;
	if (conn == NULL)
		return error_set(err, ERROR_RETRY, "memory is short");
	set_options(options, conn, local, methods);
	link->until_us = clock_monotonic_us() + CONNECT_US;
	status = mysql_real_connect_start(&done, conn, local ? NULL : options->hostname, set_or_null(options->user),
		options->password != NULL ? options->password : "", set_or_null(options->dbname),
		local ? 0 : (unsigned)options->port, unix_socket,
		CLIENT_FOUND_ROWS | CLIENT_MULTI_STATEMENTS | CLIENT_REMEMBER_OPTIONS);
	while (status != 0) {
		status = my_link_wait(link, status, err);
		if (status < 0)
			return -1;
		status = mysql_real_connect_cont(&done, conn, status);
	}
	link->until_us = 0;
	if (done == NULL)
		return failed(options, conn, err);
	if (must_encrypt(options) && mysql_get_ssl_cipher(conn) == NULL)
		return error_set(err, ERROR_CONFIG, "the target's server does not support TLS, and sslmode is %s",
			options->sslmode);
	set_keepalive(conn);
	return 0;
}

static int connect_to(const struct sink_options *options, struct my_link *link, struct error *err)
{
	bool socket = !is_set(options->hostname) || options->hostname[0] == '/';
	bool safe = socket || is_mode(options, "verify-full") || is_mode(options, "verify-ca") ||
		(is_mode(options, "require") && is_set(options->sslrootcert));

	if (connect_once(options, link, safe ? NULL : METHODS_WITHOUT_TLS, err) == 0)
		return 0;
	if (safe || link->conn == NULL || mysql_errno(link->conn) != CR_PLUGIN_NOT_ALLOWED || is_mode(options, "disable") ||
		(link->conn->server_capabilities & CLIENT_SSL) == 0)
		return -1;
	mysql_close(link->conn);
	error_clear(err);
	return connect_once(options, link, METHODS_WITH_TLS, err);
}

/* ---- the session ---- */

static int check_server(const struct sink_options *options, struct my_link *link, struct error *err)
{
	unsigned long capabilities = 0;
	const char *kind;

	link->mariadb = mariadb_connection(link->conn) != 0;
	link->version = mysql_get_server_version(link->conn);
	kind = link->mariadb ? "MariaDB" : "MySQL";
	if (link->version < (link->mariadb ? OLDEST_MARIADB : OLDEST_MYSQL))
		return error_set(err, ERROR_CONFIG, "the target is %s %lu.%lu, and %s is the oldest that is supported", kind,
			link->version / 10000, link->version / 100 % 100, link->mariadb ? "10.6" : "8.0");
	if (link->mariadb != (strcmp(options->type, "mariadb") == 0)) {
		(void)error_set(err, ERROR_CONFIG, "the target is %s, but database.type is \"%s\"", kind, options->type);
		return error_hint(err, "set database.type to \"%s\"", link->mariadb ? "mariadb" : "mysql");
	}
	if (mariadb_get_infov(link->conn, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &capabilities) == 0)
		link->bulk = link->mariadb && (capabilities & BULK_OPERATIONS) != 0;
	return 0;
}

static int set_session(const struct sink_options *options, struct my_link *link, struct error *err)
{
	static const char isolation[] = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE";
	static const char names[] = "SET NAMES utf8mb4";
	int64_t lock = (options->lock_timeout_us + 999999) / 1000000;
	char sql[SQL_MAX];
	int len;

	if (lock == 0 || lock > LOCK_SECONDS_MAX)
		lock = LOCK_SECONDS_MAX;
	len = snprintf(sql, sizeof sql,
		"SET SESSION sql_mode='STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,"
		"NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION',time_zone='+00:00',autocommit=0,completion_type=0,"
		"foreign_key_checks=1,unique_checks=1,sql_safe_updates=0,sql_big_selects=1,sql_quote_show_create=1,innodb_lock_wait_timeout=%" PRId64
		",lock_wait_timeout=%" PRId64 ",wait_timeout=120,net_read_timeout=60,net_write_timeout=60,%s",
		lock, lock,
		link->mariadb ? "check_constraint_checks=1,max_statement_time=0,idle_transaction_timeout=0,"
				"idle_write_transaction_timeout=0,idle_readonly_transaction_timeout=0,"
				"in_predicate_conversion_threshold=0" :
				"max_execution_time=0");
	if (my_link_ask(link, names, sizeof names - 1, NULL, err) < 0 ||
		my_link_ask(link, sql, (size_t)len, NULL, err) < 0 ||
		my_link_ask(link, isolation, sizeof isolation - 1, NULL, err) < 0)
		return error_prefix(err, "the session's settings");
	return 0;
}

static int read_packet_max(struct my_link *link, struct error *err)
{
	static const char sql[] = "SELECT @@max_allowed_packet";
	MYSQL_RES *answer;
	MYSQL_ROW row;

	if (my_link_ask(link, sql, sizeof sql - 1, &answer, err) < 0)
		return -1;
	row = mysql_fetch_row(answer);
	link->packet_max = row != NULL && row[0] != NULL ? strtoul(row[0], NULL, 10) : PACKET_LEAST;
	mysql_free_result(answer);
	return 0;
}

int my_connect(const struct sink_options *options, struct my_link *link, struct error *err)
{
	link->wake_fd = options->wake_fd;
	link->stop = options->stop;
	if (connect_to(options, link, err) < 0 || check_server(options, link, err) < 0 ||
		set_session(options, link, err) < 0)
		return -1;
	return read_packet_max(link, err);
}
