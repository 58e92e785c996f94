/*
 * map.h: where source tables and columns go, by the configuration: table lists, target_schema, and the groups of
 * `tables`.
 *
 * What can be said without a shape is checked by map_check() when the file is read. The rest is checked against a
 * table's shape at its first sight, which the pipeline brings about at start by looking at the newest event of each
 * topic.
 */
#ifndef TAILRACE_APPLY_MAP_H
#define TAILRACE_APPLY_MAP_H

#include <stdbool.h>

#include "apply/options.h"
#include "apply/sink.h"
#include "lib/base/error.h"
#include "lib/change/table.h"

/*
 * 0, or ERROR_CONFIG naming the entry: no schema in a name, a table or column named twice, a rename without "=". No
 * network.
 */
int map_check(const struct apply_settings *settings, struct error *err);

struct map;

/* One shape's way. `handle` and `prepared` are the pipeline's: what the sink's prepare() gave. */
struct map_entry {
	struct sink_mapping mapping;
	void *handle;
	bool prepared;
};

/* Keeps settings. NULL: memory is short. */
struct map *map_new(const struct apply_settings *settings);
void map_free(struct map *map);
/* Forgets every handle, because the sink that gave them is gone. */
void map_reset(struct map *map);

/* Do the lists take this table? collection: "schema.table". */
bool map_selected(const struct map *map, const char *collection);

/*
 * The way of this shape (known by table->slot), made when it is first asked for; lives as long as the map. `table` must
 * live as long. ERROR_CONFIG: the configuration names a column that the table lacks, leaves out a key column, or brings
 * two columns to one name.
 */
int map_table(struct map *map, const struct table *table, struct map_entry **ret_entry, struct error *err);

#endif
