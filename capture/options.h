/*
 * options.h: what a capture agent's configuration file may say, and where it is kept once read.
 *
 * Strings are never NULL: "" where nothing was given. They live as long as the loaded settings do.
 */
#ifndef TAILRACE_CAPTURE_OPTIONS_H
#define TAILRACE_CAPTURE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/settings/settings.h"

struct capture_settings {
	const char *name;
	const char *topic_prefix;
	const char *run_directory;
	const char *log_format;
	const char *log_level;

	/* kafka */
	const char *bootstrap_servers;
	struct settings_list properties;
	int64_t partitions;
	int64_t replication_factor;

	/* database */
	const char *type;
	const char *hostname; /* "": the local Unix socket */
	int64_t port;
	const char *user;
	const char *password;
	const char *dbname; /* MySQL, MariaDB: may be "" */
	const char *sslmode;
	const char *sslrootcert;
	const char *sslcert;
	const char *sslkey;

	/* PostgreSQL; else "" and false */
	const char *slot_name;
	bool slot_create;
	const char *publication_name;
	const char *publication_create; /* disabled | all_tables | filtered */
	struct settings_list table_include_list;
	struct settings_list table_exclude_list;

	const char *delivery; /* idempotent */
	const char *registry; /* kafka */

	/* MySQL, MariaDB */
	int64_t server_id; /* 0: made from the name */
	bool semi_sync;
	const char *state_directory;

	bool tombstones_on_delete;
	int64_t heartbeat_interval_us;
	int64_t status_interval_us;
	int64_t queue_size; /* bytes */
};

extern const struct settings_program capture_program;

#endif
