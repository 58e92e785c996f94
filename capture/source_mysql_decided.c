/*
 * source_mysql_decided.c: XA branches whose decision was read, and that a MariaDB server may tell of once more.
 *
 * MariaDB writes XA COMMIT and XA ROLLBACK into its log before its engine knows of them, and an engine that dies in between is not told again
 * (MDEV-21469). So after a crash XA RECOVER may list a branch that the log has as decided, and its transaction manager decides it once more,
 * which is logged once more. What was decided last is remembered here, so that the second time is known for what it is. MySQL is safe since
 * 8.0.30 and has no such list.
 *
 *   note       the decision was read; a name stands here once, its newest decision counts
 *   forget     the name is prepared anew, which no server does while it is still prepared
 *   restart    a life of the server begins in the log: what was noted before is now of an earlier life
 *
 * Only what the engine had not on its disk can come again, that is the last decisions before the crash, about as many as there were clients. But a
 * transaction manager may come back late, while others go on; so decisions of an earlier life are not pushed out by those of the present one: each
 * half of the list has its own maximum. A restart makes the one half the newest of the other.
 */
#include "capture/source_mysql.h"

#include <stdio.h>
#include <string.h>

/* Where the present life's begin: those of an earlier one stand before them, the oldest first. */
static size_t present(const struct decided_list *list)
{
	size_t i = 0;

	while (i < list->count && list->of[i].earlier)
		i++;
	return i;
}

static void drop(struct decided_list *list, size_t i, size_t count)
{
	memmove(&list->of[i], &list->of[i + count], (list->count - i - count) * sizeof list->of[0]);
	list->count -= count;
}

void decided_forget(struct decided_list *list, const char *xid)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->of[i].xid, xid) == 0) {
			drop(list, i, 1);
			return;
		}
}

void decided_note(struct decided_list *list, const struct decided *decided)
{
	size_t first;

	decided_forget(list, decided->xid);
	first = decided->earlier ? 0 : present(list);
	if ((decided->earlier ? present(list) : list->count - first) == GROUPS_DECIDED_MAX)
		drop(list, first, 1);
	first = decided->earlier ? present(list) : list->count;
	memmove(&list->of[first + 1], &list->of[first], (list->count - first) * sizeof list->of[0]);
	list->of[first] = *decided;
	list->count++;
}

void decided_restart(struct decided_list *list)
{
	if (list->count > GROUPS_DECIDED_MAX)
		drop(list, 0, list->count - GROUPS_DECIDED_MAX);
	for (size_t i = 0; i < list->count; i++)
		list->of[i].earlier = true;
}

const struct decided *decided_find(const struct decided_list *list, const char *xid)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->of[i].xid, xid) == 0)
			return &list->of[i];
	return NULL;
}
