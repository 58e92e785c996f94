/*
 * position.c: order and spelling of positions.
 */
#include "lib/change/position.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int position_compare(uint64_t commit_a, uint64_t index_a, uint64_t commit_b, uint64_t index_b)
{
	if (commit_a != commit_b)
		return commit_a < commit_b ? -1 : 1;
	if (index_a != index_b)
		return index_a < index_b ? -1 : 1;
	return 0;
}

const char *position_lsn_format(uint64_t lsn, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
	return buf;
}

const char *position_commit_format(const char *log, uint64_t commit, char *buf, size_t size)
{
	if (strncmp(log, "mysql:", 6) != 0 && strncmp(log, "mariadb:", 8) != 0)
		return position_lsn_format(commit, buf, size);
	(void)snprintf(buf, size, "%" PRIu64, commit);
	return buf;
}

const char *position_place_format(const char *file, uint64_t lsn, char *buf, size_t size)
{
	if (file == NULL)
		return position_lsn_format(lsn, buf, size);
	(void)snprintf(buf, size, "%s:%" PRIu64, file, lsn);
	return buf;
}

int position_lsn_parse(const char *text, uint64_t *ret_lsn)
{
	uint32_t high, low;
	char rest;

	if (sscanf(text, "%8" SCNx32 "/%8" SCNx32 "%c", &high, &low, &rest) != 2)
		return -1;
	*ret_lsn = (uint64_t)high << 32 | low;
	return 0;
}
