/*
 * common.h: the options that both agents share word for word, as pieces of an option table.
 *
 * A program's settings struct (`settings_type`) has a member for each, of the type that settings.h gives, named as the
 * option behind its dot.
 */
#ifndef TAILRACE_SETTINGS_COMMON_H
#define TAILRACE_SETTINGS_COMMON_H

#include "lib/settings/settings.h"

#define SETTINGS_FRAME_OPTIONS(settings_type)									\
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
		  "authentication, tuning. Properties on which exactly-once delivery rests (acks, " \
		  "enable.idempotence, enable.auto.commit and the like) are refused." }

#define SETTINGS_DATABASE_OPTIONS(settings_type)								\
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

#endif
