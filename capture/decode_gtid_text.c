/*
 * decode_gtid_text.c: gtids and sets of them as text.
 *
 *   MySQL    set:      source ("," source)*
 *            source:   uuid (":" tag? intervals)+          a tag counts until the next one or the end of the source
 *            interval: n or n-m
 *   MariaDB  position: domain "-" server "-" sequence ("," ...)*
 *
 * Blanks and newlines may stand between parts, a part between two commas may be empty (the servers allow both), uuids and tags may be written in capitals.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "capture/decode_gtid_set.h"

static const char *skip_blanks(const char *at)
{
	while (*at == ' ' || (*at >= '\t' && *at <= '\r'))
		at++;
	return at;
}

/* A decimal number of at most `max`; where it ends, or NULL. */
static const char *read_number(const char *at, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (*at < '0' || *at > '9')
		return NULL;
	for (; *at >= '0' && *at <= '9'; at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (n > (max - digit) / 10)
			return NULL;
		n = n * 10 + digit;
	}
	*ret = n;
	return at;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* With its four dashes or without any; where it ends, or NULL. */
static const char *read_uuid(const char *at, unsigned char *uuid)
{
	bool dashes = strnlen(at, 9) == 9 && at[8] == '-';

	for (size_t i = 0; i < 16; i++) {
		int high, low;

		if (dashes && (i == 4 || i == 6 || i == 8 || i == 10) && *at++ != '-')
			return NULL;
		high = hex_digit(at[0]);
		low = high < 0 ? -1 : hex_digit(at[1]);
		if (low < 0)
			return NULL;
		uuid[i] = (unsigned char)(high << 4 | low);
		at += 2;
	}
	return at;
}

/* Lower case; where it ends, or NULL. */
static const char *read_tag(const char *at, char *tag)
{
	size_t len = 0;

	for (;; at++) {
		char c = *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at;

		if (!gtid_tag_byte(c, len == 0))
			break;
		if (len == GTID_TAG_MAX - 1)
			return NULL;
		tag[len++] = c;
	}
	tag[len] = '\0';
	return len > 0 ? at : NULL;
}

static const char *read_domain(const char *at, uint64_t *domain, uint64_t *server, uint64_t *sequence)
{
	at = read_number(at, UINT32_MAX, domain);
	if (at == NULL || *at != '-')
		return NULL;
	at = read_number(at + 1, UINT32_MAX, server);
	if (at == NULL || *at != '-')
		return NULL;
	return read_number(at + 1, UINT64_MAX, sequence);
}

int gtid_parse(enum gtid_flavour flavour, const char *text, struct gtid *ret_gtid)
{
	struct gtid gtid = { .flavour = flavour };
	const char *at = skip_blanks(text), *tagged;
	uint64_t domain, server;

	if (flavour == GTID_MARIADB) {
		at = read_domain(at, &domain, &server, &gtid.sequence);
		if (at == NULL || *skip_blanks(at) != '\0')
			return -1;
		gtid.domain = (uint32_t)domain;
		gtid.server = (uint32_t)server;
		*ret_gtid = gtid;
		return 0;
	}
	at = read_uuid(at, gtid.uuid);
	if (at == NULL || *at++ != ':')
		return -1;
	tagged = read_tag(at, gtid.tag);
	if (tagged != NULL) {
		if (*tagged != ':')
			return -1;
		at = tagged + 1;
	}
	at = read_number(at, GTID_SEQUENCE_END - 1, &gtid.sequence);
	if (at == NULL || gtid.sequence == 0 || *skip_blanks(at) != '\0')
		return -1;
	*ret_gtid = gtid;
	return 0;
}

static int malformed(const char *text, const char *at, struct error *err)
{
	return error_set(err, ERROR_DATA, "gtid set is malformed at byte %td: %.40s", at - text, at);
}

/* One interval; where it ends, or NULL (err). */
static const char *parse_interval(struct gtid_set *set, const unsigned char *uuid, const char *tag, const char *text,
	const char *at, struct error *err)
{
	const char *from = at;
	uint64_t start, end;

	at = read_number(at, GTID_SEQUENCE_END - 1, &start);
	end = start;
	if (at != NULL && *(at = skip_blanks(at)) == '-')
		at = read_number(skip_blanks(at + 1), GTID_SEQUENCE_END - 1, &end);
	if (at == NULL || start == 0 || end < start) {
		(void)malformed(text, from, err);
		return NULL;
	}
	return gtid_set_add_interval(set, uuid, tag, start, end + 1, err) < 0 ? NULL : skip_blanks(at);
}

static const char *parse_source(struct gtid_set *set, const char *text, const char *at, struct error *err)
{
	char tag[GTID_TAG_MAX] = "";
	const char *from = at, *behind;
	unsigned char uuid[16];

	at = read_uuid(at, uuid);
	if (at == NULL || *skip_blanks(at) != ':') {
		(void)malformed(text, from, err);
		return NULL;
	}
	for (at = skip_blanks(at); *at == ':';) {
		at = skip_blanks(at + 1);
		behind = *at >= '0' && *at <= '9' ? NULL : read_tag(at, tag);
		if (behind != NULL) {
			at = skip_blanks(behind);
			if (*at != ':') {
				(void)malformed(text, at, err);
				return NULL;
			}
			continue;
		}
		at = parse_interval(set, uuid, tag, text, at, err);
		if (at == NULL)
			return NULL;
	}
	return at;
}

static const char *parse_domain(struct gtid_set *set, const char *text, const char *at, struct error *err)
{
	uint64_t domain, server, sequence;
	const char *from = at;

	at = read_domain(at, &domain, &server, &sequence);
	if (at == NULL) {
		(void)malformed(text, from, err);
		return NULL;
	}
	return gtid_set_put_domain(set, (uint32_t)domain, (uint32_t)server, sequence, err) < 0 ? NULL : skip_blanks(at);
}

int gtid_set_parse(struct gtid_set *set, const char *text, struct error *err)
{
	struct gtid_set fresh = { .flavour = set->flavour };
	const char *at = skip_blanks(text);
	int result = -1;

	while (*at != '\0') {
		if (*at != ',') {
			at = set->flavour == GTID_MYSQL ? parse_source(&fresh, text, at, err) : parse_domain(&fresh, text, at, err);
			if (at == NULL)
				goto out;
			if (*at != ',' && *at != '\0') {
				(void)malformed(text, at, err);
				goto out;
			}
		}
		if (*at == ',')
			at = skip_blanks(at + 1);
	}
	gtid_set_swap(set, &fresh);
	result = 0;
out:
	gtid_set_clear(&fresh);
	return result;
}

static void format_uuid(const unsigned char *uuid, char *to)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = digits[uuid[i] >> 4];
		*to++ = digits[uuid[i] & 15];
	}
	*to = '\0';
}

const char *gtid_format(const struct gtid *gtid, char *buf, size_t size)
{
	char uuid[37];

	if (gtid->flavour == GTID_MARIADB) {
		(void)snprintf(buf, size, "%" PRIu32 "-%" PRIu32 "-%" PRIu64, gtid->domain, gtid->server, gtid->sequence);
		return buf;
	}
	format_uuid(gtid->uuid, uuid);
	(void)snprintf(buf, size, "%s:%s%s%" PRIu64, uuid, gtid->tag, gtid->tag[0] != '\0' ? ":" : "", gtid->sequence);
	return buf;
}

void gtid_set_format(const struct gtid_set *set, struct buf *out)
{
	char uuid[37];

	for (size_t i = 0; i < set->source_count; i++) {
		const struct gtid_source *source = set->sources[i];

		if (i == 0 || memcmp(source->uuid, set->sources[i - 1]->uuid, sizeof source->uuid) != 0) {
			format_uuid(source->uuid, uuid);
			buf_printf(out, "%s%s", i > 0 ? "," : "", uuid);
		}
		if (source->tag[0] != '\0')
			buf_printf(out, ":%s", source->tag);
		for (size_t k = 0; k < source->count; k++) {
			const struct gtid_interval *interval = &source->intervals[k];

			buf_printf(out, ":%" PRIu64, interval->start);
			if (interval->end - interval->start > 1)
				buf_printf(out, "-%" PRIu64, interval->end - 1);
		}
	}
	for (size_t i = 0; i < set->domain_count; i++)
		buf_printf(out, "%s%" PRIu32 "-%" PRIu32 "-%" PRIu64, i > 0 ? "," : "", set->domains[i].domain,
			set->domains[i].server, set->domains[i].sequence);
}
