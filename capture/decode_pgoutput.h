/*
 * decode_pgoutput.h: messages of PostgreSQL's output plugin pgoutput (protocol version 1, text format) -> the
 * change model.
 *
 * Pure: bytes in, messages out; no I/O, no globals. The only state is what the protocol itself keeps: the shapes
 * that Relation messages have announced. Every length is checked before it is used; malformed input is ERROR_DATA
 * that names the message, the place in it and the position in the log, never a guess. Wire layout:
 * decode_pgoutput.c. One thread.
 *
 * Needs a session whose text forms are unambiguous; the source sets for its replication connection:
 *   client_encoding UTF8, DateStyle "ISO, MDY", IntervalStyle postgres, TimeZone UTC, bytea_output hex,
 *   extra_float_digits 1.
 * Dates that are not ISO and time zones other than +00 are refused rather than misread.
 */
#ifndef TAILRACE_CAPTURE_DECODE_PGOUTPUT_H
#define TAILRACE_CAPTURE_DECODE_PGOUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/decode_types.h"
#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/change/change.h"

/* Most shapes that one decoder takes in (each change of a table's shape counts). */
#define PGOUTPUT_TABLES_MAX 100000

/*
 * What the log does not say and the decoder has to ask. Called only from within pgoutput_decode() of a Relation
 * message. Both return 0, or -1 and err, which becomes the decoder's error. Either may be NULL: then an unknown
 * type is ERROR_DATA, and a table whose key the log does not name has none.
 */
struct pgoutput_types {
	void *context;
	/*
	 * Describes a type that pg_type_builtin() does not know: enum, domain, composite, extension type, and arrays of
	 * those. *ret is zeroed before. What it points to must live until the callback is called again or
	 * pgoutput_decode() returns. typmod: that of the column, -1 for none. Hints: describe a domain as its base type
	 * (pg_type_builtin() with the domain's own typmod, then put the domain's name); anything without a COLUMN_ type
	 * of its own, and a type that is gone by now, is COLUMN_STRING; an array whose element has another delimiter
	 * than ',' must be COLUMN_STRING too.
	 */
	int (*type)(void *context, uint32_t oid, int32_t typmod, struct pg_type *ret, struct error *err);
	/*
	 * Which columns are the primary key, for a table whose replica identity is FULL or NOTHING (there the Relation
	 * message does not say). columns: the names in order; ret_key: as many flags, all false, to be set.
	 */
	int (*key)(void *context, uint32_t relation, const char *schema, const char *name, const char *const *columns,
		size_t column_count, bool *ret_key, struct error *err);
};

enum pgoutput_kind {
	PGOUTPUT_BEGIN,    /* begin */
	PGOUTPUT_COMMIT,   /* commit */
	PGOUTPUT_CHANGE,   /* change: insert, update or delete */
	PGOUTPUT_TRUNCATE, /* truncate: one change for each table */
	PGOUTPUT_RELATION, /* relation: nothing to emit, a shape was taken in or seen again */
	PGOUTPUT_MESSAGE,  /* message: pg_logical_emit_message() */
	PGOUTPUT_IGNORED   /* origin, type: nothing to do */
};

struct pgoutput_message {
	enum pgoutput_kind kind;
	union {
		struct transaction begin; /* complete but for `end`, which only the commit names: 0 here */
		struct {
			uint64_t commit; /* LSN of the commit record, that of begin */
			uint64_t end;    /* LSN behind it */
			int64_t commit_us;
		} commit;
		/*
		 * index and table_index are 0, the pipeline's to fill. In an update, after columns that the log left out
		 * (unchanged TOAST) but whose value the old row gives (identity FULL, or a key column) are filled from it;
		 * the rest are VALUE_UNCHANGED. before is NULL in an update that did not touch the key (except with
		 * identity FULL).
		 */
		struct change change;
		struct {
			const struct change *changes; /* op CHANGE_TRUNCATE, in the message's order */
			size_t count;
		} truncate;
		struct {
			const struct table *table;
			bool fresh; /* a shape not seen before: table is new; else it is the one that was there */
		} relation;
		struct {
			bool transactional; /* else it may stand outside of every transaction */
			uint64_t lsn;       /* behind the message's record */
			const char *prefix; /* NUL-terminated */
			const char *content;
			size_t content_len;
		} message;
	};
};

struct pgoutput_decoder;

/* Copies *types (may be NULL); the context must live as long as the decoder. */
int pgoutput_new(const struct pgoutput_types *types, struct pgoutput_decoder **ret_decoder, struct error *err);
/* Frees every struct table too. */
void pgoutput_free(struct pgoutput_decoder *decoder);

/*
 * Decodes one message: the payload of one XLogData frame. wal_start: the frame's start LSN, becomes change.lsn and
 * names the place in errors. Values borrow from `bytes` (texts) and `arena` (the rows, decoded bytea, arrays): both
 * must stay until the change is done with. Tables are the decoder's and live until pgoutput_free(), also after a
 * newer shape replaced them; their slots are 0, 1, 2 ...
 *
 * ERROR_DATA: malformed or unexpected, or the arena is full; ERROR_CONFIG: options that were not asked for
 * (streaming, two-phase, binary columns); otherwise a callback's own error. After an error of a Relation message
 * the shape before it still stands.
 */
int pgoutput_decode(struct pgoutput_decoder *decoder, const void *bytes, size_t len, uint64_t wal_start,
	struct arena *arena, struct pgoutput_message *ret, struct error *err);

/*
 * The table of a message that is one row's change, without decoding the row: so that tables which are left out cost
 * nothing. NULL for every other message, and for one that pgoutput_decode() will refuse.
 */
const struct table *pgoutput_peek(struct pgoutput_decoder *decoder, const void *bytes, size_t len);

/* Number of tables so far: all slots are below it. */
size_t pgoutput_table_count(const struct pgoutput_decoder *decoder);

#endif
