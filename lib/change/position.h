/*
 * position.h: where in which log.
 *
 * A position is (log, commit, index): the log's identity, the place of the transaction's commit in it, and the number
 * of the event in the transaction. Never a commit alone: several events of a transaction share that. Commits of
 * one log are ordered by their number; positions of different logs are not comparable, and meeting another log is a named stop.
 *
 * PostgreSQL: log = "postgresql:<system identifier>:<timeline>:<database>", commit = the commit record's LSN.
 *
 * MySQL, MariaDB: files and offsets differ from server to server and GTIDs have no order among each other, so capture numbers the
 * transactions of the stream itself: 1, 2, 3 ... from where it first began, each transaction of the log, whether
 * it has rows for us or not. The position record in Kafka ties a number to a GTID set (or to a file and an offset). As the numbers
 * mean something only within one numbering, that is what the identity names:
 * log = "mysql:<server uuid>:<us since 1970 when it began>" or "mariadb:<server id>:<us>", of the server where it began. It
 * stays when another server of the same history takes over.
 */
#ifndef TAILRACE_CHANGE_POSITION_H
#define TAILRACE_CHANGE_POSITION_H

#include <stddef.h>
#include <stdint.h>

#define POSITION_LOG_MAX 160

struct position {
	char log[POSITION_LOG_MAX];
	uint64_t commit;
	uint64_t index; /* 1 .. number of events; 0: before the first */
};

/* -1, 0, 1 by (commit, index); the logs must be the same (the caller has checked). */
int position_compare(uint64_t commit_a, uint64_t index_a, uint64_t commit_b, uint64_t index_b);

/* PostgreSQL's way to write an LSN: 16/B374D848. size: at least 20. Returns buf. */
const char *position_lsn_format(uint64_t lsn, char *buf, size_t size);
/* commit as the operators of that kind of log know it: an LSN, or a plain number. size: at least 24. Returns buf. */
const char *position_commit_format(const char *log, uint64_t commit, char *buf, size_t size);
/* Where a change stands: "<file>:<offset>" if file is not NULL (MySQL, MariaDB), else an LSN. Returns buf. */
const char *position_place_format(const char *file, uint64_t lsn, char *buf, size_t size);
/* 0, or -1 if text is not an LSN. */
int position_lsn_parse(const char *text, uint64_t *ret_lsn);

#endif
