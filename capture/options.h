/*
 * options.h: what a capture agent's configuration file may say, and where it is kept once read.
 *
 * Strings are never NULL: "" where nothing was given. They live as long as the loaded settings do.
 */
#ifndef TAILRACE_CAPTURE_OPTIONS_H
#define TAILRACE_CAPTURE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/settings/common.h"

struct capture_settings {
	SETTINGS_COMMON_MEMBERS;

	/* kafka */
	int64_t partitions;
	int64_t replication_factor;

	/* PostgreSQL; else "" and false */
	const char *slot_name;
	bool slot_create;
	const char *publication_name;
	const char *publication_create; /* disabled | all_tables | filtered */

	/* MySQL, MariaDB */
	int64_t server_id; /* 0: made from the name */
	bool semi_sync;
	const char *state_directory;

	const char *delivery; /* idempotent */
	const char *registry; /* kafka */
	bool tombstones_on_delete;
	int64_t status_interval_us;
	int64_t queue_size; /* bytes */
};

extern const struct settings_program capture_program;

#endif
