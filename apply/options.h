/*
 * options.h: what an apply agent's configuration file may say, and where it is kept once read.
 *
 * Strings are never NULL: "" where nothing was given. They live as long as the loaded settings do.
 */
#ifndef TAILRACE_APPLY_OPTIONS_H
#define TAILRACE_APPLY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/settings/common.h"

/* One entry of `tables`: where a source table goes, if not to the table of the same name. */
struct apply_table {
	const char *source; /* "schema.table" */
	const char *target; /* "schema.table", "table", or "" for the source's name */
	struct settings_list column_include_list;
	struct settings_list column_exclude_list;
	struct settings_list column_rename; /* "from=to" */
};

struct apply_settings {
	SETTINGS_COMMON_MEMBERS;

	const char *group_id;          /* "": tailrace-NAME */
	struct settings_groups tables; /* struct apply_table */
	const char *target_schema;     /* "": the source's */
	int64_t lock_timeout_us;       /* 0: none */
	int64_t group_size;            /* source transactions */
	int64_t fetch_memory;          /* bytes */
};

extern const struct settings_program apply_program;

#endif
