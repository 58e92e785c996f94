/*
 * common.h: what both agents' configuration files may say, as pieces of an option table and of the struct that it fills.
 *
 * An option that both have is written here, once: its name, its type, its bounds and what is said of it. Where they differ in a word or a
 * sentence, that is the piece's argument. `settings_type` is a program's settings struct, which has SETTINGS_COMMON_MEMBERS. The order
 * of the pieces, with a program's own options between them, is the order of its man page and its sample.
 */
#ifndef TAILRACE_SETTINGS_COMMON_H
#define TAILRACE_SETTINGS_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "lib/settings/settings.h"

#define SETTINGS_COMMON_MEMBERS											\
	const char *name;											\
	const char *topic_prefix;										\
	const char *run_directory;										\
	const char *log_format;											\
	const char *log_level;											\
	/* kafka */												\
	const char *bootstrap_servers;										\
	struct settings_list properties;									\
	/* database */												\
	const char *type;											\
	const char *hostname; /* "": the local Unix socket */							\
	int64_t port;												\
	const char *user;											\
	const char *password;											\
	const char *dbname; /* MySQL, MariaDB: may be "" */							\
	const char *sslmode;											\
	const char *sslrootcert;										\
	const char *sslcert;											\
	const char *sslkey;											\
	/* tables */												\
	struct settings_list table_include_list;								\
	struct settings_list table_exclude_list;								\
	int64_t heartbeat_interval_us

#define SETTINGS_AGENT_OPTIONS(settings_type, name_example, name_help, prefix_help)				\
	{ .name = "name",											\
	  .type = SETTING_STRING,										\
	  .offset = offsetof(settings_type, name),								\
	  .required = true,											\
	  .pattern = "[a-z0-9_-]{1,63}",									\
	  .example = name_example,										\
	  .help = "Name of this agent, in its log lines, its metrics" name_help },				\
	{ .name = "topic_prefix",										\
	  .type = SETTING_STRING,										\
	  .offset = offsetof(settings_type, topic_prefix),							\
	  .required = true,											\
	  .pattern = "[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}",							\
	  .example = "customer",										\
	  .help = "First part of the names of " prefix_help },							\
	{ .name = "run_directory",										\
	  .type = SETTING_STRING,										\
	  .offset = offsetof(settings_type, run_directory),							\
	  .fallback = "/run/tailrace",										\
	  .help = "Folder of the Unix socket NAME.sock on which the agent serves its status, its metrics and the " \
		  "commands of tailrace(1). It is made if it is missing." },					\
	{ .name = "log_format",											\
	  .type = SETTING_ENUM,											\
	  .offset = offsetof(settings_type, log_format),							\
	  .fallback = "text",											\
	  .choices = "text|json",										\
	  .help = "Form of the log lines on standard error. With \"json\" each line is one JSON object." },	\
	{ .name = "log_level",											\
	  .type = SETTING_ENUM,											\
	  .offset = offsetof(settings_type, log_level),								\
	  .fallback = "info",											\
	  .choices = "debug|info|warning|error",								\
	  .help = "Least level of the log lines that are written." }

#define SETTINGS_KAFKA_OPTIONS(settings_type)									\
	{ .name = "kafka.bootstrap_servers",									\
	  .type = SETTING_STRING,										\
	  .offset = offsetof(settings_type, bootstrap_servers),							\
	  .required = true,											\
	  .example = "kafka1.example.net:9092,kafka2.example.net:9092",						\
	  .help = "Brokers to make the first contact with, as HOST:PORT separated by commas. The other brokers of " \
		  "the cluster are learnt from them." },							\
	{ .name = "kafka.properties",										\
	  .type = SETTING_STRINGS,										\
	  .offset = offsetof(settings_type, properties),							\
	  .secret = true,											\
	  .example = "security.protocol=SASL_SSL|sasl.mechanism=SCRAM-SHA-512|sasl.username=tailrace|"		\
		     "sasl.password=${file:kafka.password}",							\
	  .help = "Further properties of the Kafka client, each as \"NAME=VALUE\" in librdkafka's names: encryption, " \
		  "authentication, tuning. Properties on which exactly-once delivery rests (acks, "		\
		  "enable.idempotence, enable.auto.commit and the like) are refused." }

#define SETTINGS_DATABASE_OPTIONS(settings_type, role, hostname_more, user_rights, dbname_example, dbname_help)	\
	{ .name = "database.type",										\
	  .type = SETTING_ENUM,											\
	  .offset = offsetof(settings_type, type),								\
	  .fallback = "postgresql",										\
	  .choices = "postgresql|mysql|mariadb",								\
	  .help = "Kind of the " role " database." },								\
	{ .name = "database.hostname",										\
	  .type = SETTING_STRING,										\
	  .offset = offsetof(settings_type, hostname),								\
	  .fallback = "",											\
	  .example = "db.example.net",										\
	  .help = "Host of the " role " database, or the folder of PostgreSQL's Unix socket, or the path of MySQL's; empty " \
		  "for the local socket in its usual place." hostname_more },					\
	{ .name = "database.port",										\
	  .type = SETTING_INT,											\
	  .offset = offsetof(settings_type, port),								\
	  .fallback = "5432",											\
	  .depends_on = "database.type",									\
	  .fallbacks = "postgresql=5432|mysql=3306|mariadb=3306",						\
	  .min = 1,												\
	  .max = 65535,												\
	  .help = "Port of the " role " database." },								\
	{ .name = "database.user",										\
	  .type = SETTING_STRING,										\
	  .offset = offsetof(settings_type, user),								\
	  .fallback = "",											\
	  .example = "tailrace",										\
	  .help = "Role to log in as; empty for the name of the system's user. " user_rights },			\
	{ .name = "database.dbname",										\
	  .type = SETTING_STRING,										\
	  .offset = offsetof(settings_type, dbname),								\
	  .fallback = "",											\
	  .depends_on = "database.type",									\
	  .required_for = "postgresql",										\
	  .example = dbname_example,										\
	  .help = "Database " dbname_help },									\
	{ .name = "database.password",										\
	  .type = SETTING_STRING,										\
	  .offset = offsetof(settings_type, password),								\
	  .secret = true,											\
	  .fallback = "",											\
	  .example = "${file:database.password}",								\
	  .help = "Password of the role. Better taken from a file of mode 0600 or from a systemd credential than " \
		  "written down here; empty when the server asks for none." },					\
	{ .name = "database.sslmode",										\
	  .type = SETTING_ENUM,											\
	  .offset = offsetof(settings_type, sslmode),								\
	  .fallback = "prefer",											\
	  .choices = "disable|allow|prefer|require|verify-ca|verify-full",					\
	  .help = "How far the connection to the database is encrypted and the server is verified, in libpq's words. " \
		  "Only \"verify-full\" protects against a server that pretends to be this one." },		\
	{ .name = "database.sslrootcert",									\
	  .type = SETTING_STRING,										\
	  .offset = offsetof(settings_type, sslrootcert),							\
	  .fallback = "",											\
	  .example = "/etc/tailrace/ca.crt",									\
	  .help = "File with the certificates of the authorities that may sign the server's certificate." },	\
	{ .name = "database.sslcert",										\
	  .type = SETTING_STRING,										\
	  .offset = offsetof(settings_type, sslcert),								\
	  .fallback = "",											\
	  .example = "/etc/tailrace/client.crt",								\
	  .help = "File with the client's certificate, if the server asks for one." },				\
	{ .name = "database.sslkey",										\
	  .type = SETTING_STRING,										\
	  .offset = offsetof(settings_type, sslkey),								\
	  .fallback = "",											\
	  .example = "/etc/tailrace/client.key",								\
	  .help = "File with the client certificate's private key. PostgreSQL's library refuses it when others may read it." }

#define SETTINGS_TABLE_OPTIONS(settings_type, chosen, when_empty, tables)					\
	{ .name = "table_include_list",										\
	  .type = SETTING_STRINGS,										\
	  .offset = offsetof(settings_type, table_include_list),						\
	  .example = "public.customer|billing.*",								\
	  .help = chosen ", where * stands for any characters and ? for one. When it is empty, " when_empty },	\
	{ .name = "table_exclude_list",										\
	  .type = SETTING_STRINGS,										\
	  .offset = offsetof(settings_type, table_exclude_list),						\
	  .example = "public.audit_*",										\
	  .help = tables " to leave out, in the same form; applied after table_include_list." }

#define SETTINGS_HEARTBEAT_OPTION(settings_type, heartbeat_help)						\
	{ .name = "heartbeat_interval",										\
	  .type = SETTING_DURATION,										\
	  .offset = offsetof(settings_type, heartbeat_interval_us),						\
	  .fallback = "10s",											\
	  .min = INT64_C(100000),										\
	  .max = INT64_C(3600000000),										\
	  .help = "How often a heartbeat " heartbeat_help }

#endif
