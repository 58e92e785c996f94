/*
 * source_postgres_setup.c: what must hold at the server before the stream starts.
 *
 * 1. a server that can: version 14 or later, a primary, wal_level logical
 * 2. who the log is (system identifier, timeline, database): the one that Kafka has events of
 * 3. publication and tables (source_postgres_tables.c); before the slot, because a slot decodes with the publication as
 *    it was at each place of the log, and one that is younger than the slot's position is an error there
 * 4. the slot: there, ours in kind, not lost, not in use; made only where nothing was ever read
 */
#include "capture/source_postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_LEAST 140000
/* Making a slot waits for the end of every transaction that is open then. */
#define SLOT_CREATE_US INT64_C(600000000)

static const char *text_of(const PGresult *result, int column)
{
	return PQgetisnull(result, 0, column) ? "" : PQgetvalue(result, 0, column);
}

static int check_server(const struct source_options *options, PGconn *sql, struct error *err)
{
	PGresult *result;
	int version = PQserverVersion(sql), rc = 0;

	if (version < VERSION_LEAST)
		return error_set(err, ERROR_CONFIG, "PostgreSQL %d.%d is too old: 14 or later is needed",
			version / 10000, version % 10000);
	if (session_query(options, sql, "SELECT current_setting('wal_level'), pg_is_in_recovery()", NULL, 0,
		    SESSION_QUERY_US, "asking for wal_level", &result, err) < 0)
		return -1;
	if (strcmp(text_of(result, 1), "t") == 0) {
		error_set(err, ERROR_CONFIG, "PostgreSQL at %s:%" PRId64 " is a standby", options->hostname,
			options->port);
		rc = error_hint(err, "database.hostname must lead to the primary");
	} else if (strcmp(text_of(result, 0), "logical") != 0) {
		error_set(err, ERROR_CONFIG, "wal_level of the source is %s, it must be logical", text_of(result, 0));
		rc = error_hint(err, "ALTER SYSTEM SET wal_level = logical, then restart the server");
	}
	PQclear(result);
	return rc;
}

int setup_head(const struct source_options *options, PGconn *sql, uint64_t *ret_head, struct error *err)
{
	PGresult *result;
	uint64_t head;
	int rc = 0;

	if (session_query(options, sql, "SELECT pg_current_wal_lsn()", NULL, 0, SESSION_QUERY_US,
		    "asking for the end of the log", &result, err) < 0)
		return -1;
	if (position_lsn_parse(text_of(result, 0), &head) < 0)
		rc = error_set(err, ERROR_BUG, "the end of the log is not a position");
	else
		*ret_head = head;
	PQclear(result);
	return rc;
}

static int identify(const struct source_options *options, PGconn *replication, struct source_identity *identity,
	struct error *err)
{
	PGresult *result;
	int rc = 0;

	if (session_query(options, replication, "IDENTIFY_SYSTEM", NULL, 0, SESSION_QUERY_US, "asking who the log is",
		&result, err) < 0)
		return -1;
	if (PQntuples(result) != 1 || PQnfields(result) < 4 ||
		position_lsn_parse(text_of(result, 2), &identity->head) < 0)
		rc = error_set(err, ERROR_DATA, "the server's answer to IDENTIFY_SYSTEM is not understood");
	else
		(void)snprintf(identity->log, sizeof identity->log, "postgresql:%s:%s:%s", text_of(result, 0),
			text_of(result, 1), text_of(result, 3));
	PQclear(result);
	if (rc < 0 || options->expected_log == NULL || options->expected_log[0] == '\0' ||
		strcmp(options->expected_log, identity->log) == 0)
		return rc;
	error_set(err, ERROR_GAP, "Kafka has events of the log %s, but the source is %s", options->expected_log,
		identity->log);
	return error_hint(err,
		"another database or another server, or this one was promoted or restored: lead the agent to the "
			       "right one, or start anew with another topic_prefix and slot");
}

/* ---- slot ---- */

static int slot_missing(const struct source_options *options, bool may_create, struct error *err)
{
	if (!may_create) {
		error_set(err, ERROR_GAP, "replication slot \"%s\" does not exist, but Kafka has events of this source",
			options->slot_name);
		return error_hint(err,
			"what the source changed since the slot went cannot be read any more: start anew with "
				       "another topic_prefix");
	}
	error_set(err, ERROR_CONFIG, "replication slot \"%s\" does not exist", options->slot_name);
	return error_hint(err,
		"set slot_create = true, or SELECT pg_create_logical_replication_slot('%s', 'pgoutput') in "
			       "database \"%s\"", options->slot_name, options->dbname);
}

static int create_slot(const struct source_options *options, PGconn *sql, struct source_identity *identity,
	struct error *err)
{
	const char *parameters[] = { options->slot_name };
	PGresult *result;
	int rc = 0;

	if (session_query(options, sql, "SELECT lsn FROM pg_create_logical_replication_slot($1, 'pgoutput')",
		parameters, 1, SLOT_CREATE_US, "creating the replication slot", &result, err) < 0) {
		if (err->class == ERROR_RETRY)
			return error_hint(err,
				"it waits for the end of all transactions that are open: is one left open at the "
					       "source? are there max_replication_slots slots already?");
		return -1;
	}
	if (position_lsn_parse(text_of(result, 0), &identity->confirmed) < 0)
		rc = error_set(err, ERROR_BUG, "the position of the new slot is not understood");
	identity->slot_created = true;
	PQclear(result);
	return rc;
}

enum { SLOT_PLUGIN, SLOT_TYPE, SLOT_DATABASE, SLOT_STATUS, SLOT_PID, SLOT_CONFIRMED, SLOT_TWO_PHASE };

static int check_slot(const struct source_options *options, const PGresult *slot, struct source_identity *identity,
	struct error *err)
{
	const char *name = options->slot_name, *database = text_of(slot, SLOT_DATABASE);

	if (strcmp(text_of(slot, SLOT_TYPE), "logical") != 0 || strcmp(text_of(slot, SLOT_PLUGIN), "pgoutput") != 0) {
		error_set(err, ERROR_CONFIG,
			"replication slot \"%s\" is %s with plugin \"%s\", it must be logical with pgoutput",
			name, text_of(slot, SLOT_TYPE), text_of(slot, SLOT_PLUGIN));
		return error_hint(err, "name another slot in slot_name");
	}
	if (strcmp(database, options->dbname) != 0) {
		error_set(err, ERROR_CONFIG, "replication slot \"%s\" is of database \"%s\", not of \"%s\"", name,
			database, options->dbname);
		return error_hint(err, "name another slot in slot_name");
	}
	if (strcmp(text_of(slot, SLOT_STATUS), "lost") == 0) {
		error_set(err, ERROR_GAP,
			"replication slot \"%s\" is lost: the server removed log that was not read yet", name);
		return error_hint(err,
			"the slot fell behind by more than max_slot_wal_keep_size; drop it and start anew with "
				       "another topic_prefix");
	}
	if (text_of(slot, SLOT_PID)[0] != '\0') {
		error_set(err, ERROR_RETRY, "slot \"%s\" is in use by process %s", name, text_of(slot, SLOT_PID));
		return error_hint(err, "another agent reads it; this one stands by and takes over when it goes");
	}
	if (strcmp(text_of(slot, SLOT_TWO_PHASE), "t") == 0)
		return error_set(err, ERROR_CONFIG,
			"replication slot \"%s\" decodes two-phase transactions, which is not supported", name);
	if (position_lsn_parse(text_of(slot, SLOT_CONFIRMED), &identity->confirmed) < 0)
		return error_set(err, ERROR_RETRY, "replication slot \"%s\" is not ready yet", name);
	return 0;
}

static int setup_slot(const struct source_options *options, PGconn *sql, bool may_create,
	struct source_identity *identity, struct error *err)
{
	const char *parameters[] = { options->slot_name };
	PGresult *result;
	int rc;

	if (session_query(options, sql,
		    "SELECT plugin, slot_type, database, wal_status, active_pid, confirmed_flush_lsn, two_phase "
		    "FROM pg_replication_slots WHERE slot_name = $1",
		    parameters, 1, SESSION_QUERY_US, "looking for the replication slot", &result, err) < 0)
		return -1;
	if (PQntuples(result) > 0)
		rc = check_slot(options, result, identity, err);
	else if (!options->slot_create || !may_create)
		rc = slot_missing(options, may_create, err);
	else
		rc = create_slot(options, sql, identity, err);
	PQclear(result);
	return rc;
}

int setup_source(const struct source_options *options, PGconn *sql, PGconn *replication, bool may_create,
	struct source_identity *ret_identity, struct error *err)
{
	struct source_identity identity;

	memset(&identity, 0, sizeof identity);
	if (check_server(options, sql, err) < 0 || identify(options, replication, &identity, err) < 0 ||
		setup_publication(options, sql, err) < 0 || setup_slot(options, sql, may_create, &identity, err) < 0)
		return -1;
	*ret_identity = identity;
	return 0;
}
