/*
 * source_mysql_groups.c: groups of the log get their numbers here, and stay in a ring until the pipeline has them in
 * Kafka.
 *
 *   standing          everything below standing.next: the set of GTIDs (or file and offset) that the resume text names
 *   ring              what was read since: groups in order, and between them where a file began and what became of XA branches
 *   next              number of the group that is read now
 *
 * groups_fold(upto) takes entries from the ring into the standing; so the standing is always the state exactly before
 * one number, though it is read far ahead of Kafka. A note (file, XA branch) stands before the group it came with and
 * is folded together with it.
 *
 * An entry is small, because a second of small transactions may be 100,000 of them: the source part of the GTID is
 * kept once, in `origins`.
 *
 * XA branches: one list. A branch is open for the reader until it is `decided`, and stands in the resume text from
 * where its prepare is folded (`durable`) until its decision is. MariaDB may lose a branch that its log has as prepared, when it dies in
 * between: nothing in the log tells that, but no such branch can be prepared anew under its name, nor is missing in XA RECOVER. And it may tell of
 * a decision twice (source_mysql_decided.c): the last ones are kept in two lists, as the reader has them and as the standing has them.
 */
#include "capture/source_mysql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"

#define RING_SIZE ((size_t)262144)
#define ORIGINS_MAX 65536
#define FILE_BEGIN 4 /* behind the magic number */

/* A branch that the server lost is DECIDED, but its decision is not NOTED. */
enum entry_kind { ENTRY_GROUP, ENTRY_FILE, ENTRY_PREPARED, ENTRY_DECIDED, ENTRY_NOTED, ENTRY_RESTARTED };

struct entry {
	uint8_t kind; /* enum entry_kind */
	bool acknowledge;
	uint32_t origin;
	union {
		uint64_t sequence;
		char *file;
		struct prepared *prepared;
		struct decided *noted;
	};
	uint64_t start, end;
	int64_t us;
};

struct groups {
	const struct endpoint *end;
	struct standing standing;
	struct entry *ring;
	size_t first, count;
	uint64_t next;
	struct gtid *origins; /* with sequence 0 */
	size_t origin_count, origin_room;
	struct gtid *domains; /* MariaDB: the last of each domain that was read */
	size_t domain_count, domain_room;
	char file[BINLOG_FILE_MAX]; /* that is read now */
	struct prepared *prepared;
	size_t prepared_count; /* that are not decided */
	struct decided_list decisions, durable_decisions;
	struct {
		char file[BINLOG_FILE_MAX]; /* "": nothing was asked */
		uint64_t offset;
	} recovered; /* where the log ended when XA RECOVER was asked */
	struct {
		uint64_t number; /* 0: none */
		char file[BINLOG_FILE_MAX];
		uint64_t offset;
	} acknowledge;
};

int groups_new(const struct endpoint *end, struct groups **ret_groups, struct error *err)
{
	struct groups *groups = calloc(1, sizeof *groups);

	if (groups == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for groups");
	groups->end = end;
	groups->ring = malloc(RING_SIZE * sizeof *groups->ring);
	if (end->by_gtid)
		groups->standing.set = gtid_set_new(end->mariadb ? GTID_MARIADB : GTID_MYSQL);
	groups->standing.next = 1;
	groups->next = 1;
	if (groups->ring == NULL || (end->by_gtid && groups->standing.set == NULL)) {
		groups_free(groups);
		return error_set(err, ERROR_RETRY, "out of memory for groups");
	}
	*ret_groups = groups;
	return 0;
}

void groups_other_server(struct groups *groups)
{
	for (struct prepared *prepared = groups->prepared; prepared != NULL; prepared = prepared->next)
		prepared->offset = 0;
}

static void now_of_server_read(struct standing *standing)
{
	if (standing->reading[0] != '\0' && strcmp(standing->server, standing->reading) != 0)
		(void)snprintf(standing->server, sizeof standing->server, "%s", standing->reading);
}

void groups_proved(struct groups *groups, const struct group *group)
{
	groups->standing.last.us = group->us;
	groups->standing.last.start = group->start;
	now_of_server_read(&groups->standing);
}

static void free_prepared(struct prepared *prepared)
{
	free(prepared->xid);
	free(prepared->file);
	free(prepared);
}

void groups_free(struct groups *groups)
{
	if (groups == NULL)
		return;
	for (; groups->count > 0; groups->count--, groups->first = (groups->first + 1) % RING_SIZE) {
		const struct entry *entry = &groups->ring[groups->first];

		if (entry->kind == ENTRY_FILE)
			free(entry->file);
		else if (entry->kind == ENTRY_NOTED)
			free(entry->noted);
	}
	while (groups->prepared != NULL) {
		struct prepared *next = groups->prepared->next;

		free_prepared(groups->prepared);
		groups->prepared = next;
	}
	if (groups->standing.set != NULL)
		gtid_set_free(groups->standing.set);
	free(groups->ring);
	free(groups->origins);
	free(groups->domains);
	free(groups);
}

struct standing *groups_standing(struct groups *groups)
{
	return &groups->standing;
}

uint64_t groups_next(const struct groups *groups)
{
	return groups->next > groups->standing.next ? groups->next : groups->standing.next;
}

/* A group brings at most a file, a start of the server, a branch with its decision and itself, and all branches that the server lost. */
bool groups_full(const struct groups *groups)
{
	return groups->count + GROUPS_PREPARED_MAX + 8 > RING_SIZE;
}

static struct entry *push(struct groups *groups, enum entry_kind kind, struct error *err)
{
	struct entry *entry;

	if (groups->count == RING_SIZE) {
		error_set(err, ERROR_BUG, "the ring of groups is full");
		return NULL;
	}
	entry = &groups->ring[(groups->first + groups->count++) % RING_SIZE];
	memset(entry, 0, sizeof *entry);
	entry->kind = (uint8_t)kind;
	return entry;
}

/* ---- origins and domains ---- */

static int grow(struct gtid **list, size_t *room, size_t count, struct error *err)
{
	struct gtid *grown;
	size_t wanted = *room == 0 ? 16 : *room * 2;

	if (count < *room)
		return 0;
	if (wanted > ORIGINS_MAX)
		return error_set(err, ERROR_DATA, "the log has transactions of more than %d servers, domains and tags",
			ORIGINS_MAX);
	grown = realloc(*list, wanted * sizeof *grown);
	if (grown == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the servers of the log");
	*list = grown;
	*room = wanted;
	return 0;
}

static bool same_origin(const struct gtid *a, const struct gtid *b)
{
	if (a->flavour == GTID_MARIADB)
		return a->domain == b->domain && a->server == b->server;
	return memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0 && strcmp(a->tag, b->tag) == 0;
}

/* Most groups come from the server that the one before came from. */
static int find_origin(struct groups *groups, const struct gtid *gtid, uint32_t *ret_origin, struct error *err)
{
	size_t i = groups->count > 0 ? groups->ring[(groups->first + groups->count - 1) % RING_SIZE].origin : 0;

	if (i >= groups->origin_count || !same_origin(&groups->origins[i], gtid))
		for (i = 0; i < groups->origin_count && !same_origin(&groups->origins[i], gtid); i++)
			;
	if (i == groups->origin_count) {
		if (grow(&groups->origins, &groups->origin_room, groups->origin_count, err) < 0)
			return -1;
		groups->origins[groups->origin_count] = *gtid;
		groups->origins[groups->origin_count++].sequence = 0;
	}
	*ret_origin = (uint32_t)i;
	return 0;
}

static int note_domain(struct groups *groups, const struct gtid *gtid, struct error *err)
{
	size_t i = 0;

	while (i < groups->domain_count && groups->domains[i].domain != gtid->domain)
		i++;
	if (i == groups->domain_count) {
		if (grow(&groups->domains, &groups->domain_room, groups->domain_count, err) < 0)
			return -1;
		groups->domain_count++;
	}
	groups->domains[i] = *gtid;
	return 0;
}

/* The last of that domain that was read. */
static bool before_in_domain(const struct groups *groups, uint32_t domain, struct gtid *ret_gtid)
{
	for (size_t i = 0; i < groups->domain_count; i++)
		if (groups->domains[i].domain == domain) {
			*ret_gtid = groups->domains[i];
			return true;
		}
	return groups->standing.set != NULL && gtid_set_last(groups->standing.set, domain, ret_gtid);
}

/* ---- reading ---- */

int groups_file(struct groups *groups, const char *file, struct error *err)
{
	struct entry *entry;
	char *copy;

	if (groups->file[0] == '\0')
		(void)snprintf(groups->file, sizeof groups->file, "%s", groups->standing.file);
	if (strcmp(groups->file, file) == 0)
		return 0;
	if (strlen(file) >= sizeof groups->file)
		return error_set(
			err, ERROR_DATA, "the name of the log file is longer than %zu bytes", sizeof groups->file - 1);
	copy = strdup(file);
	entry = copy != NULL ? push(groups, ENTRY_FILE, err) : NULL;
	if (entry == NULL) {
		free(copy);
		return copy != NULL ? -1 : error_set(err, ERROR_RETRY, "out of memory for a file name");
	}
	entry->file = copy;
	(void)snprintf(groups->file, sizeof groups->file, "%s", file);
	return 0;
}

/* ---- XA branches ---- */

static struct prepared *new_prepared(struct groups *groups, const char *xid, const char *file, struct error *err)
{
	struct prepared *prepared;

	if (groups->prepared_count == GROUPS_PREPARED_MAX) {
		error_set(
			err, ERROR_DATA, "more than %d XA branches are prepared and not decided", GROUPS_PREPARED_MAX);
		(void)error_hint(err,
			"XA RECOVER at the source lists them: commit or roll back those that nobody will come back "
			"for");
		return NULL;
	}
	prepared = calloc(1, sizeof *prepared);
	if (prepared != NULL) {
		prepared->xid = strdup(xid);
		prepared->file = strdup(file);
	}
	if (prepared == NULL || prepared->xid == NULL || prepared->file == NULL) {
		error_set(err, ERROR_RETRY, "out of memory for an XA branch");
		if (prepared != NULL)
			free_prepared(prepared);
		return NULL;
	}
	prepared->next = groups->prepared;
	if (prepared->next != NULL)
		prepared->next->previous = prepared;
	groups->prepared = prepared;
	groups->prepared_count++;
	return prepared;
}

int groups_prepare(
	struct groups *groups, const char *xid, const struct group *group, const char *file, struct error *err)
{
	struct prepared *prepared = groups_prepared(groups, xid);
	struct entry *entry;

	if (prepared != NULL && groups_decide(groups, prepared, err) < 0)
		return -1;
	prepared = new_prepared(groups, xid, file, err);
	if (prepared == NULL)
		return -1;
	prepared->gtid = group->gtid;
	prepared->offset = group->start;
	if (groups->end->mariadb)
		prepared->has_before = before_in_domain(groups, group->gtid.domain, &prepared->before);
	entry = push(groups, ENTRY_PREPARED, err);
	if (entry == NULL)
		return -1;
	entry->prepared = prepared;
	decided_forget(&groups->decisions, xid);
	return 0;
}

int groups_restore_prepared(struct groups *groups, const struct prepared *prepared, struct error *err)
{
	struct prepared *restored = new_prepared(groups, prepared->xid, prepared->file, err);

	if (restored == NULL)
		return -1;
	restored->gtid = prepared->gtid;
	restored->has_before = prepared->has_before;
	restored->before = prepared->before;
	restored->offset = prepared->offset;
	restored->durable = true;
	return 0;
}

int groups_decide(struct groups *groups, struct prepared *prepared, struct error *err)
{
	struct entry *entry = push(groups, ENTRY_DECIDED, err);

	if (entry == NULL)
		return -1;
	entry->prepared = prepared;
	prepared->decided = true;
	groups->prepared_count--; /* how long it stays for the resume text does not count */
	return 0;
}

struct prepared *groups_prepared(const struct groups *groups, const char *xid)
{
	for (struct prepared *prepared = groups->prepared; prepared != NULL; prepared = prepared->next)
		if (!prepared->decided && strcmp(prepared->xid, xid) == 0)
			return prepared;
	return NULL;
}

const struct prepared *groups_durable_prepared(const struct groups *groups, const struct prepared *after)
{
	const struct prepared *prepared = after == NULL ? groups->prepared : after->next;

	while (prepared != NULL && !prepared->durable)
		prepared = prepared->next;
	return prepared;
}

/* ---- what a MariaDB that died has lost, and tells again ---- */

int groups_note_decision(struct groups *groups, const char *xid, bool committed, const char *id, struct error *err)
{
	struct decided *noted;
	struct entry *entry;

	if (!groups->end->mariadb)
		return 0;
	noted = calloc(1, sizeof *noted);
	entry = noted != NULL ? push(groups, ENTRY_NOTED, err) : NULL;
	if (entry == NULL) {
		free(noted);
		return noted != NULL ? -1 : error_set(err, ERROR_RETRY, "out of memory for an XA branch");
	}
	(void)snprintf(noted->xid, sizeof noted->xid, "%s", xid);
	(void)snprintf(noted->id, sizeof noted->id, "%s", id);
	noted->committed = committed;
	entry->noted = noted;
	decided_note(&groups->decisions, noted);
	return 0;
}

const struct decided *groups_decision(const struct groups *groups, const char *xid)
{
	return decided_find(&groups->decisions, xid);
}

void groups_restore_decision(struct groups *groups, const struct decided *decided)
{
	decided_note(&groups->decisions, decided);
	decided_note(&groups->durable_decisions, decided);
}

const struct decided_list *groups_durable_decisions(const struct groups *groups)
{
	return &groups->durable_decisions;
}

int groups_restarted(struct groups *groups, struct error *err)
{
	if (push(groups, ENTRY_RESTARTED, err) == NULL)
		return -1;
	decided_restart(&groups->decisions);
	for (struct prepared *prepared = groups->prepared; prepared != NULL; prepared = prepared->next)
		prepared->earlier = true;
	return 0;
}

/* Whether the file was made after the other one: both end in a number that is counted up. Of another name: not known, so no. */
static bool is_later(const char *file, const char *other)
{
	const char *dot = strrchr(file, '.'), *other_dot = strrchr(other, '.');

	if (dot == NULL || other_dot == NULL || dot - file != other_dot - other ||
		memcmp(file, other, (size_t)(dot - file)) != 0)
		return false;
	return strlen(dot) != strlen(other_dot) ? strlen(dot) > strlen(other_dot) : strcmp(dot, other_dot) > 0;
}

/* The standing may be at the beginning of a file already whose first event was not read when it was written down. */
bool groups_file_is_new(const struct groups *groups)
{
	const struct standing *standing = &groups->standing;

	if (standing->reading[0] != '\0' && strcmp(standing->server, standing->reading) != 0)
		return false;
	if (strcmp(groups->file, standing->file) == 0)
		return standing->offset <= FILE_BEGIN;
	return is_later(groups->file, standing->file);
}

bool groups_in_doubt(const struct groups *groups)
{
	for (const struct prepared *prepared = groups->prepared; prepared != NULL; prepared = prepared->next)
		if (prepared->earlier && !prepared->decided)
			return true;
	return groups->decisions.count > 0 && groups->decisions.of[0].earlier;
}

void groups_recovered_begin(struct groups *groups)
{
	groups->recovered.file[0] = '\0';
	for (struct prepared *prepared = groups->prepared; prepared != NULL; prepared = prepared->next)
		prepared->lost = prepared->earlier;
	for (size_t i = 0; i < groups->decisions.count; i++)
		groups->decisions.of[i].listed = false;
}

void groups_recovered(struct groups *groups, const char *xid)
{
	struct prepared *prepared = groups_prepared(groups, xid);

	if (prepared != NULL)
		prepared->lost = false;
	for (size_t i = 0; prepared == NULL && i < groups->decisions.count; i++)
		if (strcmp(groups->decisions.of[i].xid, xid) == 0)
			groups->decisions.of[i].listed = true;
}

void groups_recovered_end(struct groups *groups, const char *file, uint64_t offset)
{
	(void)snprintf(groups->recovered.file, sizeof groups->recovered.file, "%s", file);
	groups->recovered.offset = offset;
}

/* Whether, with the file up to there, everything was read that the log had when XA RECOVER was asked. */
static bool is_recovered(const struct groups *groups, uint64_t offset)
{
	if (groups->recovered.file[0] == '\0')
		return false;
	if (strcmp(groups->file, groups->recovered.file) == 0)
		return offset >= groups->recovered.offset;
	return is_later(groups->file, groups->recovered.file);
}

/* Neither prepared nor decided anew up to the end: what XA RECOVER lists is that branch. */
static void warn_of_listed(struct groups *groups)
{
	for (size_t i = 0; i < groups->decisions.count; i++) {
		struct decided *decided = &groups->decisions.of[i];

		if (decided->listed && decided->committed)
			log_warning("XA branch %s: MariaDB lost its commit in a crash and lists it as prepared at %s:%" PRIu64 ", but its log "
				    "has it, so the rows went out with transaction %s: unless it was decided since, commit it again, and do not "
				    "roll it back",
				decided->xid, groups->recovered.file, groups->recovered.offset, decided->id);
		decided->listed = false;
	}
}

static int forget_lost(struct groups *groups, struct error *err)
{
	size_t count = 0;

	for (struct prepared *prepared = groups->prepared; prepared != NULL; prepared = prepared->next) {
		if (!prepared->lost || prepared->decided)
			continue;
		if (groups_decide(groups, prepared, err) < 0)
			return -1;
		count++;
	}
	if (count > 0)
		log_info("%zu XA branches are forgotten that the log has as prepared: the server lost them when it died, and XA RECOVER does not list them",
			count);
	return 0;
}

int groups_read_to(struct groups *groups, uint64_t offset, struct error *err)
{
	if (!is_recovered(groups, offset))
		return 0;
	warn_of_listed(groups);
	groups->recovered.file[0] = '\0';
	return forget_lost(groups, err);
}

/* ---- groups ---- */

int groups_add(struct groups *groups, const struct group *group, struct error *err)
{
	uint32_t origin = 0;
	struct entry *entry;

	if (groups->end->by_gtid &&
		(find_origin(groups, &group->gtid, &origin, err) < 0 ||
			(groups->end->mariadb && note_domain(groups, &group->gtid, err) < 0)))
		return -1;
	entry = push(groups, ENTRY_GROUP, err);
	if (entry == NULL)
		return -1;
	entry->origin = origin;
	entry->sequence = group->gtid.sequence;
	entry->acknowledge = group->acknowledge;
	entry->start = group->start;
	entry->end = group->end;
	entry->us = group->us;
	groups->next = groups_next(groups) + 1;
	return groups_read_to(groups, group->end, err);
}

/* ---- folding ---- */

static void forget_prepared(struct groups *groups, struct prepared *prepared)
{
	if (prepared->previous != NULL)
		prepared->previous->next = prepared->next;
	else
		groups->prepared = prepared->next;
	if (prepared->next != NULL)
		prepared->next->previous = prepared->previous;
	free_prepared(prepared);
}

static struct gtid gtid_of(const struct groups *groups, const struct entry *entry)
{
	struct gtid gtid = { 0 };

	if (groups->end->by_gtid) {
		gtid = groups->origins[entry->origin];
		gtid.sequence = entry->sequence;
	}
	return gtid;
}

static int fold_group(struct groups *groups, const struct entry *entry, struct error *err)
{
	struct standing *standing = &groups->standing;
	struct last_group last = {
		.known = true, .gtid = gtid_of(groups, entry), .start = entry->start, .us = entry->us
	};

	if (standing->set != NULL) {
		if (groups->end->mariadb)
			last.has_before = gtid_set_last(standing->set, last.gtid.domain, &last.before);
		if (gtid_set_add(standing->set, &last.gtid, err) < 0)
			return -1;
	}
	standing->last = last;
	now_of_server_read(standing);
	standing->offset = entry->end;
	if (entry->acknowledge) {
		groups->acknowledge.number = standing->next;
		groups->acknowledge.offset = entry->end;
		(void)snprintf(groups->acknowledge.file, sizeof groups->acknowledge.file, "%s", standing->file);
	}
	standing->next++;
	return 0;
}

/*
 * A file that began behind the last group is where the next one will be, and with it a life of the server may have begun; without GTIDs the last one
 * must be found in the file that is named.
 */
static bool is_beyond(const struct groups *groups)
{
	enum entry_kind kind = (enum entry_kind)groups->ring[groups->first].kind;

	return groups->end->by_gtid && (kind == ENTRY_FILE || kind == ENTRY_RESTARTED);
}

int groups_fold(struct groups *groups, uint64_t upto, struct error *err)
{
	while (groups->count > 0 && (groups->standing.next < upto || is_beyond(groups))) {
		struct entry *entry = &groups->ring[groups->first];

		switch ((enum entry_kind)entry->kind) {
		case ENTRY_GROUP:
			if (fold_group(groups, entry, err) < 0)
				return -1;
			break;
		case ENTRY_FILE:
			(void)snprintf(groups->standing.file, sizeof groups->standing.file, "%s", entry->file);
			groups->standing.offset = FILE_BEGIN;
			free(entry->file);
			break;
		case ENTRY_PREPARED:
			entry->prepared->durable = true;
			decided_forget(&groups->durable_decisions, entry->prepared->xid);
			break;
		case ENTRY_DECIDED:
			forget_prepared(groups, entry->prepared);
			break;
		case ENTRY_NOTED:
			decided_note(&groups->durable_decisions, entry->noted);
			free(entry->noted);
			break;
		case ENTRY_RESTARTED:
			decided_restart(&groups->durable_decisions);
			break;
		}
		groups->first = (groups->first + 1) % RING_SIZE;
		groups->count--;
	}
	if (groups->standing.next < upto)
		return error_set(err, ERROR_BUG,
			"transaction %" PRIu64 " is to be confirmed, but only %" PRIu64 " were read", upto,
			groups->standing.next);
	return 0;
}

int groups_acknowledge(struct groups *groups, uint64_t upto, const char **ret_file, uint64_t *ret_offset)
{
	if (groups->acknowledge.number == 0 || groups->acknowledge.number >= upto)
		return 0;
	groups->acknowledge.number = 0;
	*ret_file = groups->acknowledge.file;
	*ret_offset = groups->acknowledge.offset;
	return 1;
}

const char *groups_describe(const struct groups *groups, uint64_t upto, char *buf, size_t size)
{
	const struct standing *standing = &groups->standing;
	const char *file = standing->file;
	uint64_t number = standing->next, offset = standing->offset;
	struct gtid gtid = standing->last.gtid;
	bool known = standing->last.known;
	char text[TRANSACTION_GTID_MAX];

	for (size_t i = 0; i < groups->count && number < upto; i++) {
		const struct entry *entry = &groups->ring[(groups->first + i) % RING_SIZE];

		if (entry->kind == ENTRY_FILE) {
			file = entry->file;
		} else if (entry->kind == ENTRY_GROUP) {
			offset = entry->end;
			gtid = gtid_of(groups, entry);
			known = true;
			number++;
		}
	}
	if (known && groups->end->by_gtid)
		(void)snprintf(buf, size, "%s:%" PRIu64 ", %s", file, offset, gtid_format(&gtid, text, sizeof text));
	else
		(void)snprintf(buf, size, "%s:%" PRIu64, file, offset);
	return buf;
}
