/*
 * options.c: the apply agent's option table. The parser, --help, the man page and the sample in conf/ are made from it;
 * the words are Debezium's, with underscores for its dots.
 */
#include "apply/options.h"

#include <stddef.h>

#define AT(member) offsetof(struct apply_settings, member)
#define IN_TABLE(member) offsetof(struct apply_table, member)

static const struct setting table_members[] = {
	{ .name = "source",
	  .type = SETTING_STRING,
	  .offset = IN_TABLE(source),
	  .required = true,
	  .example = "public.customer",
	  .help = "Table of the source, as SCHEMA.TABLE." },
	{ .name = "target",
	  .type = SETTING_STRING,
	  .offset = IN_TABLE(target),
	  .fallback = "",
	  .example = "crm.customer",
	  .help = "Table of the target, as SCHEMA.TABLE, or as TABLE in the schema that target_schema gives; empty "
		"for the source's name." },
	{ .name = "column_include_list",
	  .type = SETTING_STRINGS,
	  .offset = IN_TABLE(column_include_list),
	  .example = "id|name|status",
	  .help = "Columns to write; empty for all. The key's columns must be among them." },
	{ .name = "column_exclude_list",
	  .type = SETTING_STRINGS,
	  .offset = IN_TABLE(column_exclude_list),
	  .example = "date_of_birth",
	  .help = "Columns to leave out; applied after column_include_list." },
	{ .name = "column_rename",
	  .type = SETTING_STRINGS,
	  .offset = IN_TABLE(column_rename),
	  .example = "name=full_name",
	  .help = "Columns that bear another name in the target, each as \"SOURCE=TARGET\"." },
	{ .name = NULL },
};

static const struct setting options[] = {
	SETTINGS_AGENT_OPTIONS(struct apply_settings, "crm-apply",
		", its socket and its row in the target's "
		"position table. Two agents that write to one target need two names; a new name begins anew.",
		"the topics to read: the topic_prefix of the capture agent whose changes are to be applied."),

	SETTINGS_KAFKA_OPTIONS(struct apply_settings),

	SETTINGS_DATABASE_OPTIONS(struct apply_settings, "target", "",
		"It needs SELECT, INSERT, UPDATE and "
		"DELETE on the tables that it writes to, TRUNCATE (MySQL and MariaDB: DROP) where the source truncates, and "
		"the same on the position table, which it makes if it may.",
		"crm",
		"to which the changes are applied. With MySQL and MariaDB each table goes into the database that "
		"target_schema, an entry of tables or the source's schema names."),

	SETTINGS_TABLE_OPTIONS(struct apply_settings, "Source tables to apply, each as SCHEMA.TABLE",
		"all tables that the capture agent publishes are applied.", "Source tables"),
	{ .name = "target_schema",
	  .type = SETTING_STRING,
	  .offset = AT(target_schema),
	  .fallback = "",
	  .example = "crm",
	  .help = "Schema (MySQL and MariaDB: database) of the target's tables; empty for the schema that the table has at "
		"the source. An entry "
		"of tables goes before it." },
	{ .name = "tables",
	  .type = SETTING_GROUPS,
	  .offset = AT(tables),
	  .members = table_members,
	  .member_size = sizeof(struct apply_table),
	  .help = "Tables that are not applied to a table of the same name with the same columns: a list of groups, "
		"one for each such table." },

	{ .name = "group_id",
	  .type = SETTING_STRING,
	  .offset = AT(group_id),
	  .fallback = "",
	  .example = "tailrace-crm-apply",
	  .help = "Consumer group under which the offsets are noted in Kafka; empty for tailrace-NAME. They are "
		"only a hint for monitoring tools: where to go on is decided by the position row in the target." },
	{ .name = "group_size",
	  .type = SETTING_INT,
	  .offset = AT(group_size),
	  .fallback = "1000",
	  .min = 1,
	  .max = 100000,
	  .help = "Most source transactions that share one target transaction. The agent commits at once when no "
		"further transaction is at hand, so this only matters while it catches up; a source transaction is "
		"never split." },
	{ .name = "fetch_memory",
	  .type = SETTING_SIZE,
	  .offset = AT(fetch_memory),
	  .fallback = "16MiB",
	  .min = INT64_C(1048576),
	  .max = INT64_C(1073741824),
	  .help = "Most memory for events that were fetched from Kafka and wait to be applied." },
	{ .name = "lock_timeout",
	  .type = SETTING_DURATION,
	  .offset = AT(lock_timeout_us),
	  .fallback = "10s",
	  .max = INT64_C(3600000000),
	  .help = "How long a statement waits for a lock in the target before the agent rolls back and tries the "
		"same transactions again; \"0s\" waits for ever." },
	SETTINGS_HEARTBEAT_OPTION(struct apply_settings,
		"of the capture agent is to be expected; set it as it is set there. The "
		"agent is not ready when none came for three intervals and five seconds."),
	{ .name = NULL },
};

const struct settings_program apply_program = {
	.program = "tailrace-apply",
	.purpose = "apply the change events of a source to a target database",
	.description =
		"tailrace-apply reads the change events that tailrace-capture(8) publishes in Kafka, puts the "
		"source's transactions together again and applies them to one target database in commit order. One "
		"process serves one target, beside it.\n"
		"\n"
		"The target moves from one committed state of the source to a later one: no reader ever sees half "
		"of a source transaction. The position is written in the same target transaction as the rows, so "
		"that a kill or a lost connection at any instant neither loses nor repeats a change. Events that "
		"the target already has are dropped and counted; where an event or a transaction is missing the "
		"agent stops with a named error instead of skipping it.\n"
		"\n"
		"While it catches up, several source transactions share one target transaction.",
	.options = options,
	.size = sizeof(struct apply_settings),
};
