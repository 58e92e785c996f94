/*
 * source_mysql_resume.c: the resume text, which stands in the position record beside the number of the next
 * transaction.
 *
 * Lines of words, each line ends with a newline; a line that is not known is an error, so a later version that adds
 * one counts up the first line.
 *
 *   tailrace-binlog 1              2 if there is a line `decided`, which an agent that knows only 1 must not pass over
 *   server 2d3f...-...             server_uuid (MySQL) or server_id (MariaDB) of the server that `last` was read from
 *   set 0-1-77,5-1-11              what is behind us, in the server's own form without blanks; "-" for the empty set;
 *                                  absent without GTIDs
 *   file bin.000003                where at that server what is behind us ends
 *   offset 1234
 *   last 1100 1764000000000000 0-1-77 0-1-76
 *                                  the group before: offset of its beginning, its time stamp (us), its GTID, the one
 *                                  before it in its domain; "-" for what there is not
 *   xa 900 bin.000002 0-1-70 0-1-69 X'7831',X'',1
 *                                  each branch that is prepared: offset (0: of another server), file, GTID and the one before it, name
 *   decided 0 commit 0-1-71:95 X'7831',X'',1
 *                                  MariaDB: each branch that was decided last (source_mysql_decided.c), in the order of the log: 1: in an earlier
 *                                  life of the server, 0: in the present one; commit or rollback; id of its transaction, name
 */
#include "capture/source_mysql.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LINE "tailrace-binlog 1"
#define FIRST_LINE_2 "tailrace-binlog 2"
#define WORDS_MAX 6

/* ---- printing ---- */

static void put_gtid(struct buf *out, bool there, const struct gtid *gtid)
{
	char text[TRANSACTION_GTID_MAX];

	buf_printf(out, " %s", there ? gtid_format(gtid, text, sizeof text) : "-");
}

static void put_set(struct buf *out, const struct gtid_set *set)
{
	struct buf text;

	buf_init(&text, out->max);
	gtid_set_format(set, &text);
	buf_append_str(out, "set ");
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] != '\n' && text.data[i] != ' ')
			buf_append_byte(out, text.data[i]);
	if (text.len == 0)
		buf_append_byte(out, '-');
	buf_append_byte(out, '\n');
	out->failed = out->failed || text.failed;
	buf_release(&text);
}

static void print(struct groups *groups, struct buf *out)
{
	const struct standing *standing = groups_standing(groups);
	const struct decided_list *decisions = groups_durable_decisions(groups);
	const struct last_group *last = &standing->last;
	bool by_gtid = standing->set != NULL;

	buf_printf(out, "%s\nserver %s\n", decisions->count > 0 ? FIRST_LINE_2 : FIRST_LINE, standing->server);
	if (by_gtid)
		put_set(out, standing->set);
	buf_printf(out, "file %s\noffset %" PRIu64 "\n", standing->file, standing->offset);
	if (last->known) {
		buf_printf(out, "last %" PRIu64 " %" PRId64, last->start, last->us);
		put_gtid(out, by_gtid, &last->gtid);
		put_gtid(out, last->has_before, &last->before);
		buf_append_byte(out, '\n');
	}
	for (const struct prepared *xa = groups_durable_prepared(groups, NULL); xa != NULL;
		xa = groups_durable_prepared(groups, xa)) {
		buf_printf(out, "xa %" PRIu64 " %s", xa->offset, xa->file);
		put_gtid(out, by_gtid, &xa->gtid);
		put_gtid(out, xa->has_before, &xa->before);
		buf_printf(out, " %s\n", xa->xid);
	}
	for (size_t i = 0; i < decisions->count; i++) {
		const struct decided *decided = &decisions->of[i];

		buf_printf(out, "decided %d %s %s %s\n", decided->earlier, decided->committed ? "commit" : "rollback", decided->id,
			decided->xid);
	}
}

int resume_print(struct groups *groups, struct buf *out, struct error *err)
{
	struct buf text;
	int rc;

	buf_init(&text, RESUME_TEXT_MAX);
	print(groups, &text);
	rc = buf_check(&text, "resume text", err);
	if (rc == 0)
		buf_append(out, text.data, text.len);
	buf_release(&text);
	return rc;
}

/* ---- reading ---- */

static int damaged(const char *line, struct error *err)
{
	error_set(err, ERROR_GAP, "the resume text of the position record is not understood: \"%.200s\"", line);
	return error_hint(
		err, "it was written by a later version, or by another program: start anew with another topic_prefix");
}

static bool read_number(const char *word, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(word, &end, 10);
	return errno == 0 && end != word && *end == '\0' && *ret >= 0;
}

static bool read_gtid(const struct endpoint *end, const char *word, bool *ret_there, struct gtid *ret)
{
	*ret_there = strcmp(word, "-") != 0;
	return !*ret_there || gtid_parse(end->mariadb ? GTID_MARIADB : GTID_MYSQL, word, ret) == 0;
}

/* Breaks the line in place. */
static size_t split(char *line, char *words[WORDS_MAX])
{
	size_t count = 0;

	while (count < WORDS_MAX && line != NULL) {
		words[count++] = line;
		line = count < WORDS_MAX ? strchr(line, ' ') : NULL;
		if (line != NULL)
			*line++ = '\0';
	}
	return count;
}

static bool read_last(const struct endpoint *end, char *words[WORDS_MAX], struct last_group *ret)
{
	int64_t start, us;
	bool by_gtid;

	if (!read_number(words[1], &start) || !read_number(words[2], &us) ||
		!read_gtid(end, words[3], &by_gtid, &ret->gtid) ||
		!read_gtid(end, words[4], &ret->has_before, &ret->before) || by_gtid != end->by_gtid)
		return false;
	ret->known = true;
	ret->start = (uint64_t)start;
	ret->us = us;
	return true;
}

/* 0; 1: damaged; -1: err. */
static int read_prepared(struct groups *groups, const struct endpoint *end, char *words[WORDS_MAX], struct error *err)
{
	struct prepared xa = { .file = words[2], .xid = words[5] };
	int64_t offset;
	bool by_gtid;

	if (!read_number(words[1], &offset) || !read_gtid(end, words[3], &by_gtid, &xa.gtid) ||
		!read_gtid(end, words[4], &xa.has_before, &xa.before))
		return 1;
	xa.offset = (uint64_t)offset;
	return groups_restore_prepared(groups, &xa, err);
}

static bool read_decided(struct groups *groups, const struct endpoint *end, char *words[WORDS_MAX])
{
	struct decided decided = { 0 };
	int64_t earlier;

	decided.committed = strcmp(words[2], "commit") == 0;
	if (!end->mariadb || !read_number(words[1], &earlier) || (!decided.committed && strcmp(words[2], "rollback") != 0) ||
		strlen(words[3]) >= sizeof decided.id || strlen(words[4]) >= sizeof decided.xid)
		return false;
	decided.earlier = earlier != 0;
	(void)snprintf(decided.id, sizeof decided.id, "%s", words[3]);
	(void)snprintf(decided.xid, sizeof decided.xid, "%s", words[4]);
	groups_restore_decision(groups, &decided);
	return true;
}

static int read_set(struct standing *standing, const char *text, struct error *err)
{
	if (standing->set == NULL)
		return 1;
	return gtid_set_parse(standing->set, strcmp(text, "-") == 0 ? "" : text, err);
}

/* 0; 1: damaged; -1: err. */
static int read_line(struct groups *groups, const struct endpoint *end, char *line, struct error *err)
{
	struct standing *standing = groups_standing(groups);
	char *words[WORDS_MAX];
	size_t count = split(line, words);
	int64_t number;

	if (count == 2 && strcmp(words[0], "set") == 0)
		return read_set(standing, words[1], err);
	if (count == 2 && strcmp(words[0], "server") == 0 && strlen(words[1]) < sizeof standing->server) {
		(void)snprintf(standing->server, sizeof standing->server, "%s", words[1]);
		return 0;
	}
	if (count == 2 && strcmp(words[0], "file") == 0 && strlen(words[1]) < sizeof standing->file) {
		(void)snprintf(standing->file, sizeof standing->file, "%s", words[1]);
		return 0;
	}
	if (count == 2 && strcmp(words[0], "offset") == 0 && read_number(words[1], &number)) {
		standing->offset = (uint64_t)number;
		return 0;
	}
	if (count == 5 && strcmp(words[0], "last") == 0)
		return read_last(end, words, &standing->last) ? 0 : 1;
	if (count == 5 && strcmp(words[0], "decided") == 0)
		return read_decided(groups, end, words) ? 0 : 1;
	if (count == 6 && strcmp(words[0], "xa") == 0)
		return read_prepared(groups, end, words, err);
	return 1;
}

int resume_parse(struct groups *groups, const struct endpoint *end, const char *text, struct error *err)
{
	char *copy = strdup(text), *line, *rest;
	int rc = 0;

	if (copy == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the resume text");
	line = strtok_r(copy, "\n", &rest);
	if (line == NULL || (strcmp(line, FIRST_LINE) != 0 && strcmp(line, FIRST_LINE_2) != 0))
		rc = damaged(line != NULL ? line : "", err);
	while (rc == 0 && (line = strtok_r(NULL, "\n", &rest)) != NULL) {
		char whole[256];

		(void)snprintf(whole, sizeof whole, "%s", line);
		rc = read_line(groups, end, line, err);
		if (rc > 0)
			rc = damaged(whole, err);
	}
	if (rc == 0 && (groups_standing(groups)->file[0] == '\0' || groups_standing(groups)->server[0] == '\0'))
		rc = damaged("no file or no server", err);
	free(copy);
	return rc;
}
