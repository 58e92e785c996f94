/*
 * decode_gtid.h: global transaction ids of MySQL ("<uuid>:77", "<uuid>:<tag>:77") and MariaDB ("<domain>-<server>-<sequence>"), and sets of them.
 *
 * A set says which transactions a reader has. MySQL's is a set of intervals for each source uuid and tag. MariaDB's is, per domain, the last one
 * (a position, in MariaDB's words), because within a domain the sequence rises. Pure; one thread; bounded (GTID_SET_MAX).
 */
#ifndef TAILRACE_CAPTURE_DECODE_GTID_H
#define TAILRACE_CAPTURE_DECODE_GTID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

#define GTID_TAG_MAX 33
/* Most intervals, or domains, of one set. */
#define GTID_SET_MAX 100000

enum gtid_flavour { GTID_MYSQL, GTID_MARIADB };

struct gtid {
	enum gtid_flavour flavour;
	unsigned char uuid[16];   /* MySQL */
	char tag[GTID_TAG_MAX];   /* MySQL; "" for none; lower case */
	uint32_t domain, server;  /* MariaDB */
	uint64_t sequence;
};

/* Writes it as its server does. size: at least TRANSACTION_GTID_MAX (change.h). Returns buf. */
const char *gtid_format(const struct gtid *gtid, char *buf, size_t size);
/* 0, or -1 if text is not one. */
int gtid_parse(enum gtid_flavour flavour, const char *text, struct gtid *ret_gtid);
bool gtid_equal(const struct gtid *a, const struct gtid *b);

struct gtid_set;

struct gtid_set *gtid_set_new(enum gtid_flavour flavour); /* NULL: memory is short */
void gtid_set_free(struct gtid_set *set);
void gtid_set_clear(struct gtid_set *set);
/* ERROR_DATA naming what is wrong. "" is the empty set. Blanks and newlines between parts are allowed. */
int gtid_set_parse(struct gtid_set *set, const char *text, struct error *err);
/* The body of PREVIOUS_GTIDS, also with tags (MySQL 8.4). */
int gtid_set_parse_binary(struct gtid_set *set, const void *bytes, size_t len, struct error *err);
/* The body of MariaDB's GTID_LIST. */
int gtid_set_parse_list(struct gtid_set *set, const void *bytes, size_t len, struct error *err);
/* In the server's own form, sorted. */
void gtid_set_format(const struct gtid_set *set, struct buf *out);
/* For COM_BINLOG_DUMP_GTID: n_sid, {uuid, n, {start, end exclusive}}; in the tagged format if any member has a tag. */
void gtid_set_encode(const struct gtid_set *set, struct buf *out);

/* MariaDB: becomes the domain's last. ERROR_DATA when memory or GTID_SET_MAX is exceeded. */
int gtid_set_add(struct gtid_set *set, const struct gtid *gtid, struct error *err);
/* MySQL only: takes one out again (to read it once more). */
int gtid_set_remove(struct gtid_set *set, const struct gtid *gtid, struct error *err);
bool gtid_set_contains(const struct gtid_set *set, const struct gtid *gtid); /* MariaDB: sequence <= the domain's last */
bool gtid_set_is_subset(const struct gtid_set *part, const struct gtid_set *whole);
bool gtid_set_is_empty(const struct gtid_set *set);
/* How many transactions `whole` has that `part` has not; MariaDB: by sequence numbers, so gaps count too. */
uint64_t gtid_set_difference(const struct gtid_set *whole, const struct gtid_set *part);
/* MariaDB: the domain's last; false if there is none. */
bool gtid_set_last(const struct gtid_set *set, uint32_t domain, struct gtid *ret_gtid);

#endif
