/*
 * decode_gtid_set.h: how a set of gtids is kept, for decode_gtid.c and decode_gtid_text.c alone.
 */
#ifndef TAILRACE_CAPTURE_DECODE_GTID_SET_H
#define TAILRACE_CAPTURE_DECODE_GTID_SET_H

#include "capture/decode_gtid.h"

/* One behind the largest number that MySQL gives a transaction. */
#define GTID_SEQUENCE_END ((uint64_t)INT64_MAX)

struct gtid_interval {
	uint64_t start, end; /* end: one behind the last */
};

struct gtid_source {
	unsigned char uuid[16];
	char tag[GTID_TAG_MAX];
	struct gtid_interval *intervals; /* sorted; neither overlap nor touch */
	size_t count, room;
};

struct gtid_domain {
	uint32_t domain, server;
	uint64_t sequence;
};

struct gtid_set {
	enum gtid_flavour flavour;
	struct gtid_source **sources; /* sorted by uuid and tag; each has an interval */
	size_t source_count, source_room;
	size_t last;                  /* the source that was added to last; may be behind the end */
	struct gtid_domain *domains;  /* sorted by domain */
	size_t domain_count, domain_room;
	size_t total;                 /* intervals or domains: at most GTID_SET_MAX */
};

void gtid_set_swap(struct gtid_set *a, struct gtid_set *b);
/* 1 <= start < end <= GTID_SEQUENCE_END. */
int gtid_set_add_interval(struct gtid_set *set, const unsigned char *uuid, const char *tag, uint64_t start,
	uint64_t end, struct error *err);
int gtid_set_put_domain(struct gtid_set *set, uint32_t domain, uint32_t server, uint64_t sequence, struct error *err);

/* Whether the byte may stand in a tag, in the servers' lower-case form. */
static inline bool gtid_tag_byte(char byte, bool first)
{
	return (byte >= 'a' && byte <= 'z') || byte == '_' || (!first && byte >= '0' && byte <= '9');
}

#endif
