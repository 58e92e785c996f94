/*
 * options.c: the capture agent's option table. The parser, --help, the man page and the sample in conf/ are made from
 * it; the words are Debezium's, with underscores for its dots.
 */
#include "capture/options.h"

#include <stddef.h>

#define AT(member) offsetof(struct capture_settings, member)

static const struct setting options[] = {
	SETTINGS_AGENT_OPTIONS(struct capture_settings, "customer-capture",
		" and its socket. Two agents on one machine need two names.",
		"all topics of this source: PREFIX.SCHEMA.TABLE holds the change "
		"events of a table, PREFIX.transaction the transactions, PREFIX.heartbeat and PREFIX.position the "
		"agent's own records. It is the source's identity: do not change it later, and never give it to two "
		"sources."),

	SETTINGS_KAFKA_OPTIONS(struct capture_settings),
	{ .name = "kafka.partitions",
	  .type = SETTING_INT,
	  .offset = AT(partitions),
	  .fallback = "1",
	  .min = 1,
	  .max = 1000,
	  .help = "Number of partitions of the tables' topics that the agent creates. A topic that is there keeps "
		"the number that it has; rows with the same key always share a partition." },
	{ .name = "kafka.replication_factor",
	  .type = SETTING_INT,
	  .offset = AT(replication_factor),
	  .fallback = "1",
	  .min = 1,
	  .max = 100,
	  .help = "Number of brokers that hold each topic that the agent creates. Use 3 in production, with "
		"min.insync.replicas=2 at the brokers, so that the loss of one broker loses nothing." },

	SETTINGS_DATABASE_OPTIONS(struct capture_settings, "source",
		" It must be the primary, or an address that follows it; with GTIDs, "
		"MySQL and MariaDB may also be read from a replica that logs what it applies.",
		"PostgreSQL: it needs REPLICATION and SELECT "
		"on the published tables, and nothing more unless it is to create the publication. MySQL and MariaDB: "
		"REPLICATION SLAVE, REPLICATION CLIENT (MariaDB: BINLOG MONITOR) and SELECT on the captured tables.",
		"customer",
		"whose changes are captured. With MySQL and MariaDB the log is that of all databases of the "
		"server, and the lists of tables choose among them."),
	{ .name = "database.server_id",
	  .type = SETTING_INT,
	  .offset = AT(server_id),
	  .fallback = "0",
	  .depends_on = "database.type",
	  .only = "mysql|mariadb",
	  .max = INT64_C(4294967295),
	  .help = "Number under which the agent shows itself to the server as a replica. No other replica of the server, "
		"and no server, may have it. 0: made from the agent's name." },

	{ .name = "slot_name",
	  .type = SETTING_STRING,
	  .offset = AT(slot_name),
	  .depends_on = "database.type",
	  .only = "postgresql",
	  .required = true,
	  .pattern = "[a-z0-9_]{1,63}",
	  .example = "tailrace_customer",
	  .help = "Logical replication slot to read from. It must belong to this agent alone, because it marks what "
		"the source may forget." },
	{ .name = "slot_create",
	  .type = SETTING_BOOL,
	  .offset = AT(slot_create),
	  .depends_on = "database.type",
	  .only = "postgresql",
	  .fallback = "false",
	  .help = "Whether the agent creates the slot on its first start. Where the topics already hold events of "
		"this source, a missing slot means a gap, and the agent stops and says so whatever stands here." },
	{ .name = "publication_name",
	  .type = SETTING_STRING,
	  .offset = AT(publication_name),
	  .depends_on = "database.type",
	  .only = "postgresql",
	  .required = true,
	  .pattern = ".{1,63}",
	  .example = "tailrace_customer",
	  .help = "Publication that names the tables, and with PostgreSQL 15 the columns and rows, that leave the "
		"database." },
	{ .name = "publication_create",
	  .type = SETTING_ENUM,
	  .offset = AT(publication_create),
	  .depends_on = "database.type",
	  .only = "postgresql",
	  .fallback = "disabled",
	  .choices = "disabled|all_tables|filtered",
	  .help = "Whether the agent creates the publication if it is missing. \"disabled\" leaves it to the "
		"database's administrator, \"all_tables\" publishes every table (only a superuser may), "
		"\"filtered\" those that table_include_list and table_exclude_list choose (only their owner may)." },
	{ .name = "semi_sync",
	  .type = SETTING_BOOL,
	  .offset = AT(semi_sync),
	  .fallback = "false",
	  .depends_on = "database.type",
	  .only = "mysql|mariadb",
	  .help = "Whether the agent acknowledges each transaction to the server when Kafka has it, as a semi-synchronous "
		"replica: where the server has semi-synchronous replication switched on, a commit then waits for Kafka, and "
		"a server that is lost takes nothing with it that its clients were told of." },
	{ .name = "state_directory",
	  .type = SETTING_STRING,
	  .offset = AT(state_directory),
	  .fallback = "/var/lib/tailrace",
	  .depends_on = "database.type",
	  .only = "mysql|mariadb",
	  .help = "Folder in which the agent keeps NAME.sqlite: the shapes of tables, which it must remember where the log "
		"does not tell them (binlog_row_metadata = MINIMAL)." },
	SETTINGS_TABLE_OPTIONS(struct capture_settings,
		"Tables to capture, each as SCHEMA.TABLE (MySQL and MariaDB: DATABASE.TABLE)",
		"all tables of the publication are captured, of MySQL and MariaDB all but the system's.", "Tables"),

	{ .name = "delivery",
	  .type = SETTING_ENUM,
	  .offset = AT(delivery),
	  .fallback = "idempotent",
	  .choices = "idempotent",
	  .help = "How events are delivered exactly once. \"idempotent\": an idempotent producer that on each start "
		"compares the topics' ends with the log and goes on from exactly what is there." },
	{ .name = "registry",
	  .type = SETTING_ENUM,
	  .offset = AT(registry),
	  .fallback = "kafka",
	  .choices = "kafka",
	  .help = "Where Avro schemas are kept. \"kafka\": in the topic _schemas, as Confluent's registry writes "
		"it; the agent serves the registry's read API on its socket." },
	{ .name = "tombstones_on_delete",
	  .type = SETTING_BOOL,
	  .offset = AT(tombstones_on_delete),
	  .fallback = "true",
	  .help = "Whether a delete event is followed by a tombstone, a record with the same key and no value. "
		"Compaction needs it to forget deleted rows." },
	SETTINGS_HEARTBEAT_OPTION(struct capture_settings,
		"is written into the source's log (MySQL and MariaDB: asked of the server) and "
		"sent down the line. It proves that the line flows, and it moves the slot on while the captured tables are "
		"idle."),
	{ .name = "status_interval",
	  .type = SETTING_DURATION,
	  .offset = AT(status_interval_us),
	  .fallback = "1s",
	  .min = INT64_C(10000),
	  .max = INT64_C(60000000),
	  .help = "How often, at the latest, it is recorded and the source is told which position is durable. Keep it well "
		"below PostgreSQL's wal_sender_timeout." },
	{ .name = "queue_size",
	  .type = SETTING_SIZE,
	  .offset = AT(queue_size),
	  .fallback = "16MiB",
	  .min = INT64_C(1048576),
	  .max = INT64_C(1073741824),
	  .help = "Most memory for events that wait for Kafka, which are 65,536 at most. When it is full the agent "
		"reads no further until Kafka has taken some. One larger row goes alone." },
	{ .name = NULL },
};

const struct settings_program capture_program = {
	.program = "tailrace-capture",
	.purpose = "publish the changes of a database as events in Kafka",
	.description =
		"tailrace-capture reads the log of one source database (PostgreSQL's write-ahead log, the binary log of "
		"MySQL or MariaDB) and publishes each change as an Avro event in Kafka, in Debezium's envelope. One process "
		"serves one source, beside it.\n"
		"\n"
		"Each table has a topic; the transaction topic tells which transactions there were, in commit "
		"order, and how many events each has, so that tailrace-apply(8) can put them together again. A kill "
		"or a lost connection at any instant neither loses nor repeats an event: on each start the agent "
		"compares the ends of the topics, its last position record, the place in the log and the identity "
		"of the log, and stops with a named error if they do not continue each other.\n"
		"\n"
		"The position (with PostgreSQL, the slot) moves on only when Kafka has acknowledged the events and the record "
		"of the position.",
	.options = options,
	.size = sizeof(struct capture_settings),
};
