/*
 * decode_gtid.c: sets of global transaction ids, and their binary forms. Text forms: decode_gtid_text.c.
 *
 * MySQL: for each source (uuid and tag) an array of intervals [start, end), sorted, with gaps between them. Transactions come with rising numbers, so that
 * adding one nearly always lengthens the last interval of the source that was added to last: that costs a comparison. Out of order it costs a binary
 * search and a move of what lies behind.
 * MariaDB: an array of domains, sorted.
 *
 * PREVIOUS_GTIDS and COM_BINLOG_DUMP_GTID (MySQL 8.0: format 0; since 8.3 with tags: format 1):
 *   u64  format 0: number of sources; format 1: bits 56-63 and 0-7 are 1, bits 8-55 the number of (source, tag)
 *   each: uuid[16], format 1: tag length (variable-length integer) and tag, u64 intervals, each: u64 start, u64 end (exclusive)
 * GTID_LIST (MariaDB): u32 count (lower 28 bits) and flags, each: u32 domain, u32 server, u64 sequence; several of one domain: the last counts
 */
#include "capture/decode_gtid_set.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_binlog_cursor.h"

#define FORMAT_SHIFT 56
#define FORMAT_TAGGED 1
#define LIST_COUNT_MASK ((UINT32_C(1) << 28) - 1)

/* ---- life cycle ---- */

struct gtid_set *gtid_set_new(enum gtid_flavour flavour)
{
	struct gtid_set *set = calloc(1, sizeof *set);

	if (set != NULL)
		set->flavour = flavour;
	return set;
}

void gtid_set_clear(struct gtid_set *set)
{
	for (size_t i = 0; i < set->source_count; i++) {
		free(set->sources[i]->intervals);
		free(set->sources[i]);
	}
	free(set->sources);
	free(set->domains);
	*set = (struct gtid_set){ .flavour = set->flavour };
}

void gtid_set_free(struct gtid_set *set)
{
	if (set == NULL)
		return;
	gtid_set_clear(set);
	free(set);
}

void gtid_set_swap(struct gtid_set *a, struct gtid_set *b)
{
	struct gtid_set kept = *a;

	*a = *b;
	*b = kept;
}

/* ---- growing ---- */

static int set_full(struct error *err)
{
	return error_set(err, ERROR_DATA, "gtid set of more than %d intervals", GTID_SET_MAX);
}

/* Room for one more element of this size in the array; the new array, or NULL. */
static void *grow(void *array, size_t count, size_t *room, size_t element)
{
	size_t more = *room == 0 ? 4 : *room * 2;
	void *grown;

	if (count < *room)
		return array;
	grown = realloc(array, more * element);
	if (grown != NULL)
		*room = more;
	return grown;
}

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_DATA, "out of memory for a gtid set");
}

/* ---- MySQL: sources ---- */

static int source_compare(const struct gtid_source *source, const unsigned char *uuid, const char *tag)
{
	int order = memcmp(source->uuid, uuid, sizeof source->uuid);

	return order != 0 ? order : strcmp(source->tag, tag);
}

/* Where it stands, or would stand; true if it is there. */
static bool source_search(const struct gtid_set *set, const unsigned char *uuid, const char *tag, size_t *ret_at)
{
	size_t low = 0, high = set->source_count;

	if (set->last < set->source_count && source_compare(set->sources[set->last], uuid, tag) == 0) {
		*ret_at = set->last;
		return true;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = source_compare(set->sources[middle], uuid, tag);

		if (order == 0) {
			*ret_at = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_at = low;
	return false;
}

static const struct gtid_source *source_find(const struct gtid_set *set, const unsigned char *uuid, const char *tag)
{
	size_t at;

	return source_search(set, uuid, tag, &at) ? set->sources[at] : NULL;
}

/* The source, made if it is not there. */
static struct gtid_source *source_reach(struct gtid_set *set, const unsigned char *uuid, const char *tag,
	struct error *err)
{
	struct gtid_source *source, **sources;
	size_t at;

	if (source_search(set, uuid, tag, &at)) {
		set->last = at;
		return set->sources[at];
	}
	if (set->total >= GTID_SET_MAX) {
		(void)set_full(err);
		return NULL;
	}
	source = calloc(1, sizeof *source);
	sources = grow(set->sources, set->source_count, &set->source_room, sizeof *sources);
	if (sources != NULL)
		set->sources = sources;
	if (source == NULL || sources == NULL) {
		free(source);
		(void)out_of_memory(err);
		return NULL;
	}
	memcpy(source->uuid, uuid, sizeof source->uuid);
	memcpy(source->tag, tag, strlen(tag) + 1);
	memmove(sources + at + 1, sources + at, (set->source_count - at) * sizeof(struct gtid_source *));
	sources[at] = source;
	set->source_count++;
	set->last = at;
	return source;
}

/* A source without intervals is none. */
static void source_drop_empty(struct gtid_set *set, size_t at)
{
	if (set->sources[at]->count > 0)
		return;
	free(set->sources[at]->intervals);
	free(set->sources[at]);
	set->source_count--;
	memmove(set->sources + at, set->sources + at + 1, (set->source_count - at) * sizeof(struct gtid_source *));
}

/* ---- MySQL: intervals ---- */

/* The first interval that ends at or behind n (touching counts); count if there is none. */
static size_t interval_reaching(const struct gtid_source *source, uint64_t n)
{
	size_t low = 0, high = source->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (source->intervals[middle].end < n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int interval_insert(struct gtid_set *set, struct gtid_source *source, size_t at, uint64_t start, uint64_t end,
	struct error *err)
{
	struct gtid_interval *intervals;

	if (set->total >= GTID_SET_MAX)
		return set_full(err);
	intervals = grow(source->intervals, source->count, &source->room, sizeof *intervals);
	if (intervals == NULL)
		return out_of_memory(err);
	source->intervals = intervals;
	memmove(intervals + at + 1, intervals + at, (source->count - at) * sizeof *intervals);
	intervals[at] = (struct gtid_interval){ start, end };
	source->count++;
	set->total++;
	return 0;
}

static void intervals_remove(struct gtid_set *set, struct gtid_source *source, size_t at, size_t count)
{
	source->count -= count;
	set->total -= count;
	memmove(source->intervals + at, source->intervals + at + count, (source->count - at) * sizeof *source->intervals);
}

static int interval_add(struct gtid_set *set, struct gtid_source *source, uint64_t start, uint64_t end,
	struct error *err)
{
	struct gtid_interval *last = source->count > 0 ? &source->intervals[source->count - 1] : NULL, *into;
	size_t at, behind;

	if (last != NULL && start == last->end) {
		last->end = end;
		return 0;
	}
	at = last == NULL || start > last->end ? source->count : interval_reaching(source, start);
	if (at == source->count || source->intervals[at].start > end)
		return interval_insert(set, source, at, start, end, err);
	into = &source->intervals[at];
	if (start < into->start)
		into->start = start;
	for (behind = at + 1; behind < source->count && source->intervals[behind].start <= end; behind++)
		;
	if (source->intervals[behind - 1].end > end)
		end = source->intervals[behind - 1].end;
	if (end > into->end)
		into->end = end;
	intervals_remove(set, source, at + 1, behind - at - 1);
	return 0;
}

int gtid_set_add_interval(struct gtid_set *set, const unsigned char *uuid, const char *tag, uint64_t start,
	uint64_t end, struct error *err)
{
	struct gtid_source *source = source_reach(set, uuid, tag, err);

	if (source == NULL)
		return -1;
	if (interval_add(set, source, start, end, err) == 0)
		return 0;
	source_drop_empty(set, set->last);
	return -1;
}

/* The interval that holds n, or NULL. */
static struct gtid_interval *interval_holding(const struct gtid_source *source, uint64_t n)
{
	size_t at = interval_reaching(source, n);

	/* an interval that ends just there does not hold it */
	if (at < source->count && source->intervals[at].end == n)
		at++;
	return at < source->count && source->intervals[at].start <= n ? &source->intervals[at] : NULL;
}

/* How many of [start, end) the source has. `at` is a place that rises from call to call with rising start. */
static uint64_t interval_overlap(const struct gtid_source *source, uint64_t start, uint64_t end, size_t *io_at)
{
	uint64_t sum = 0;

	while (*io_at < source->count && source->intervals[*io_at].end <= start)
		(*io_at)++;
	for (size_t i = *io_at; i < source->count && source->intervals[i].start < end; i++) {
		uint64_t from = source->intervals[i].start > start ? source->intervals[i].start : start;
		uint64_t to = source->intervals[i].end < end ? source->intervals[i].end : end;

		sum += to - from;
	}
	return sum;
}

/* ---- MariaDB: domains ---- */

/* Where it stands, or would stand; true if it is there. */
static bool domain_search(const struct gtid_set *set, uint32_t domain, size_t *ret_at)
{
	size_t low = 0, high = set->domain_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->domains[middle].domain < domain)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_at = low;
	return low < set->domain_count && set->domains[low].domain == domain;
}

int gtid_set_put_domain(struct gtid_set *set, uint32_t domain, uint32_t server, uint64_t sequence, struct error *err)
{
	struct gtid_domain *domains;
	size_t at;

	if (!domain_search(set, domain, &at)) {
		if (set->total >= GTID_SET_MAX)
			return error_set(err, ERROR_DATA, "gtid position of more than %d domains", GTID_SET_MAX);
		domains = grow(set->domains, set->domain_count, &set->domain_room, sizeof *domains);
		if (domains == NULL)
			return out_of_memory(err);
		set->domains = domains;
		memmove(domains + at + 1, domains + at, (set->domain_count - at) * sizeof *domains);
		set->domain_count++;
		set->total++;
	}
	set->domains[at] = (struct gtid_domain){ domain, server, sequence };
	return 0;
}

/* ---- one transaction ---- */

bool gtid_equal(const struct gtid *a, const struct gtid *b)
{
	if (a->flavour != b->flavour || a->sequence != b->sequence)
		return false;
	if (a->flavour == GTID_MARIADB)
		return a->domain == b->domain && a->server == b->server;
	return memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0 && strcmp(a->tag, b->tag) == 0;
}

static int check_member(const struct gtid_set *set, const struct gtid *gtid, struct error *err)
{
	if (gtid->flavour != set->flavour)
		return error_set(err, ERROR_BUG, "gtid of one kind of server put into a set of the other");
	if (gtid->flavour == GTID_MYSQL && (gtid->sequence == 0 || gtid->sequence >= GTID_SEQUENCE_END))
		return error_set(err, ERROR_DATA, "gtid number %" PRIu64 " is out of range", gtid->sequence);
	return 0;
}

int gtid_set_add(struct gtid_set *set, const struct gtid *gtid, struct error *err)
{
	if (check_member(set, gtid, err) < 0)
		return -1;
	if (set->flavour == GTID_MARIADB)
		return gtid_set_put_domain(set, gtid->domain, gtid->server, gtid->sequence, err);
	return gtid_set_add_interval(set, gtid->uuid, gtid->tag, gtid->sequence, gtid->sequence + 1, err);
}

int gtid_set_remove(struct gtid_set *set, const struct gtid *gtid, struct error *err)
{
	struct gtid_interval *interval, whole;
	struct gtid_source *source;
	size_t at, i;

	if (check_member(set, gtid, err) < 0)
		return -1;
	if (set->flavour != GTID_MYSQL)
		return error_set(err, ERROR_BUG, "a MariaDB position cannot give a transaction back");
	if (!source_search(set, gtid->uuid, gtid->tag, &at))
		return 0;
	source = set->sources[at];
	interval = interval_holding(source, gtid->sequence);
	if (interval == NULL)
		return 0;
	i = (size_t)(interval - source->intervals);
	whole = *interval;
	if (gtid->sequence == whole.start && gtid->sequence + 1 == whole.end) {
		intervals_remove(set, source, i, 1);
		source_drop_empty(set, at);
	} else if (gtid->sequence == whole.start) {
		interval->start++;
	} else if (gtid->sequence + 1 == whole.end) {
		interval->end--;
	} else {
		if (interval_insert(set, source, i + 1, gtid->sequence + 1, whole.end, err) < 0)
			return -1;
		source->intervals[i].end = gtid->sequence;
	}
	return 0;
}

bool gtid_set_contains(const struct gtid_set *set, const struct gtid *gtid)
{
	const struct gtid_source *source;
	size_t at;

	if (gtid->flavour != set->flavour)
		return false;
	if (set->flavour == GTID_MARIADB)
		return domain_search(set, gtid->domain, &at) && gtid->sequence <= set->domains[at].sequence;
	source = source_find(set, gtid->uuid, gtid->tag);
	return source != NULL && interval_holding(source, gtid->sequence) != NULL;
}

bool gtid_set_last(const struct gtid_set *set, uint32_t domain, struct gtid *ret_gtid)
{
	size_t at;

	if (set->flavour != GTID_MARIADB || !domain_search(set, domain, &at))
		return false;
	*ret_gtid = (struct gtid){
		.flavour = GTID_MARIADB,
		.domain = domain,
		.server = set->domains[at].server,
		.sequence = set->domains[at].sequence
	};
	return true;
}

/* ---- whole sets ---- */

bool gtid_set_is_empty(const struct gtid_set *set)
{
	return set->total == 0;
}

/* How many of the source's transactions the other lacks. */
static uint64_t source_difference(const struct gtid_source *source, const struct gtid_source *other)
{
	uint64_t sum = 0;
	size_t at = 0;

	for (size_t i = 0; i < source->count; i++) {
		uint64_t start = source->intervals[i].start, end = source->intervals[i].end;

		sum += end - start - (other != NULL ? interval_overlap(other, start, end, &at) : 0);
	}
	return sum;
}

uint64_t gtid_set_difference(const struct gtid_set *whole, const struct gtid_set *part)
{
	uint64_t sum = 0, more;
	size_t at;

	for (size_t i = 0; i < whole->source_count; i++) {
		const struct gtid_source *source = whole->sources[i];

		more = source_difference(source, source_find(part, source->uuid, source->tag));
		sum = sum > UINT64_MAX - more ? UINT64_MAX : sum + more;
	}
	for (size_t i = 0; i < whole->domain_count; i++) {
		const struct gtid_domain *domain = &whole->domains[i];
		uint64_t has = domain_search(part, domain->domain, &at) ? part->domains[at].sequence : 0;

		more = domain->sequence > has ? domain->sequence - has : 0;
		sum = sum > UINT64_MAX - more ? UINT64_MAX : sum + more;
	}
	return sum;
}

bool gtid_set_is_subset(const struct gtid_set *part, const struct gtid_set *whole)
{
	size_t at;

	if (part->flavour != whole->flavour)
		return part->total == 0;
	/* a domain may stand at sequence 0: it must be there all the same */
	for (size_t i = 0; i < part->domain_count; i++)
		if (!domain_search(whole, part->domains[i].domain, &at))
			return false;
	return gtid_set_difference(part, whole) == 0;
}

/* ---- binary forms ---- */

static int cut_off(const char *what, size_t len, struct error *err)
{
	return error_set(err, ERROR_DATA, "%s of %zu bytes is cut off or malformed", what, len);
}

static bool tag_valid(const char *tag, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!gtid_tag_byte(tag[i], i == 0))
			return false;
	return len < GTID_TAG_MAX;
}

static int parse_source(struct gtid_set *set, struct cursor *in, bool tagged, struct error *err)
{
	const unsigned char *uuid = cursor_bytes(in, 16);
	uint64_t len = tagged ? cursor_varlen(in) : 0, count;
	const char *name = (const char *)cursor_bytes(in, len);
	char tag[GTID_TAG_MAX] = "";

	if (in->failed || !tag_valid(name, (size_t)len))
		goto malformed;
	memcpy(tag, name, (size_t)len);
	count = cursor_int(in, 8);
	if (in->failed || count > cursor_left(in) / 16)
		goto malformed;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t start = cursor_int(in, 8), end = cursor_int(in, 8);

		if (start == 0 || start >= end || end > GTID_SEQUENCE_END)
			goto malformed;
		if (gtid_set_add_interval(set, uuid, tag, start, end, err) < 0)
			return -1;
	}
	return 0;
malformed:
	return error_set(err, ERROR_DATA, "set of previous gtids is cut off or malformed");
}

int gtid_set_parse_binary(struct gtid_set *set, const void *bytes, size_t len, struct error *err)
{
	struct gtid_set fresh = { .flavour = GTID_MYSQL };
	struct cursor in = cursor_over(bytes, len);
	uint64_t count = cursor_int(&in, 8), format = count >> FORMAT_SHIFT;
	int result = -1;

	if (set->flavour != GTID_MYSQL)
		return error_set(err, ERROR_BUG, "a MariaDB position has no binary set");
	if (format == FORMAT_TAGGED && (count & 0xff) == FORMAT_TAGGED)
		count = count << 8 >> 16;
	else if (format != 0)
		return error_set(err, ERROR_DATA, "set of previous gtids has the unknown format %" PRIu64, format);
	for (uint64_t i = 0; i < count && !in.failed; i++)
		if (parse_source(&fresh, &in, format == FORMAT_TAGGED, err) < 0)
			goto out;
	if (in.failed || cursor_left(&in) > 0) {
		(void)cut_off("set of previous gtids", len, err);
		goto out;
	}
	gtid_set_swap(set, &fresh);
	result = 0;
out:
	gtid_set_clear(&fresh);
	return result;
}

int gtid_set_parse_list(struct gtid_set *set, const void *bytes, size_t len, struct error *err)
{
	struct gtid_set fresh = { .flavour = GTID_MARIADB };
	struct cursor in = cursor_over(bytes, len);
	size_t count = cursor_int(&in, 4) & LIST_COUNT_MASK;
	int result = -1;

	if (set->flavour != GTID_MARIADB)
		return error_set(err, ERROR_BUG, "a MySQL set has no gtid list");
	if (in.failed || count > cursor_left(&in) / 16)
		return cut_off("gtid list", len, err);
	for (size_t i = 0; i < count; i++) {
		uint32_t domain = (uint32_t)cursor_int(&in, 4), server = (uint32_t)cursor_int(&in, 4);

		if (gtid_set_put_domain(&fresh, domain, server, cursor_int(&in, 8), err) < 0)
			goto out;
	}
	gtid_set_swap(set, &fresh);
	result = 0;
out:
	gtid_set_clear(&fresh);
	return result;
}

static void put_int(struct buf *out, uint64_t n)
{
	for (int i = 0; i < 8; i++)
		buf_append_byte(out, (char)(n >> (8 * i)));
}

void gtid_set_encode(const struct gtid_set *set, struct buf *out)
{
	uint64_t count = set->source_count;
	bool tagged = false;

	for (size_t i = 0; i < set->source_count; i++)
		tagged = tagged || set->sources[i]->tag[0] != '\0';
	put_int(out, tagged ? (uint64_t)FORMAT_TAGGED << FORMAT_SHIFT | count << 8 | FORMAT_TAGGED : count);
	for (size_t i = 0; i < set->source_count; i++) {
		const struct gtid_source *source = set->sources[i];

		buf_append(out, source->uuid, sizeof source->uuid);
		if (tagged) {
			/* below 64, so that the variable-length integer is one byte */
			buf_append_byte(out, (char)(strlen(source->tag) << 1));
			buf_append_str(out, source->tag);
		}
		put_int(out, source->count);
		for (size_t k = 0; k < source->count; k++) {
			put_int(out, source->intervals[k].start);
			put_int(out, source->intervals[k].end);
		}
	}
}
