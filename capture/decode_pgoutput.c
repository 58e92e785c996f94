/*
 * decode_pgoutput.c: PostgreSQL's logical replication messages, protocol version 1
 * (PostgreSQL documentation, "Logical Replication Message Formats").
 *
 * Integers are big-endian; a string ends with NUL; times are microseconds since 2000-01-01.
 *   Begin     B  int64 LSN of the commit, int64 time, int32 xid
 *   Commit    C  int8 0, int64 LSN of the commit, int64 LSN behind it, int64 time
 *   Origin    O  int64 LSN at the origin, string name
 *   Relation  R  int32 relation, string schema ("": pg_catalog), string name, int8 identity (d n f i), int16 columns,
 *                each: int8 flags (1: in the key; all of them with identity f), string name, int32 type, int32 modifier
 *   Type      Y  int32 type, string schema, string name
 *   Insert    I  int32 relation, 'N' tuple
 *   Update    U  int32 relation, ['K' tuple: old key | 'O' tuple: old row,] 'N' tuple
 *   Delete    D  int32 relation, 'K' or 'O' tuple
 *   Truncate  T  int32 relations, int8 options (1: cascade, 2: restart identity), each: int32 relation
 *   Message   M  int8 flags (1: transactional), int64 LSN, string prefix, int32 length, content
 *   tuple        int16 columns, each: 'n' null | 'u' TOAST value that did not change | 't' int32 length, text
 *
 * A row names its table by the relation number only: the shape is that of the last Relation message with this
 * number, which the server sends before the first row and after each change of the table.
 */
#include "capture/decode_pgoutput.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_text.h"

#define EPOCH_2000_US INT64_C(946684800000000)
#define SCRATCH_MAX ((size_t)16 << 20) /* one Relation message with 65535 columns fits */
#define COLUMN_IN_KEY 1
#define TRUNCATE_CASCADE 1
#define TRUNCATE_RESTART_IDENTITY 2
#define MESSAGE_TRANSACTIONAL 1

/* What a relation number means now. */
struct relation {
	uint32_t oid;
	const struct table *table; /* NULL: a free place in the hash */
};

struct pgoutput_decoder {
	struct pgoutput_types types;
	struct pg_text forms;
	struct arena scratch; /* of one Relation message */
	struct table **tables; /* by slot; all that there ever were */
	size_t table_count, table_room;
	struct relation *relations; /* open addressing, relation_room is a power of two and more than the half is free */
	size_t relation_count, relation_room;
	struct relation last; /* rows of one table come in runs */
};

/*
 * A message being read. The first thing that is wrong is put into err and marks it failed; what is taken after that
 * is zero or empty, so that a run of fields is taken first and checked once.
 */
struct input {
	const unsigned char *start, *at, *end;
	uint64_t wal_start;
	struct error *err;
	bool failed;
};

/* ---- reading ---- */

static int malformed(struct input *in, const char *what)
{
	char lsn[32];

	if (!in->failed)
		(void)error_set(in->err, ERROR_DATA, "pgoutput message '%c' of %td bytes at %s: %s at byte %td", *in->start,
			in->end - in->start, position_lsn_format(in->wal_start, lsn, sizeof lsn), what, in->at - in->start);
	in->failed = true;
	return -1;
}

static size_t left(const struct input *in)
{
	return (size_t)(in->end - in->at);
}

/* An unsigned integer of `size` bytes. */
static uint64_t take_int(struct input *in, size_t size)
{
	uint64_t n = 0;

	if (in->failed || left(in) < size) {
		(void)malformed(in, "cut off in an integer");
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		n = n << 8 | in->at[i];
	in->at += size;
	return n;
}

static uint32_t take_uint32(struct input *in)
{
	return (uint32_t)take_int(in, 4);
}

static unsigned char take_byte(struct input *in)
{
	return (unsigned char)take_int(in, 1);
}

static const char *take_string(struct input *in)
{
	const unsigned char *from = in->at, *nul = in->failed ? NULL : memchr(from, '\0', left(in));

	if (nul == NULL) {
		(void)malformed(in, "cut off in a string");
		return "";
	}
	in->at = nul + 1;
	return (const char *)from;
}

/* 0 if all was well and the message is over. */
static int take_end(struct input *in)
{
	if (in->failed)
		return -1;
	return in->at == in->end ? 0 : malformed(in, "more than the message should have");
}

/* ---- relations ---- */

static struct relation *relation_place(struct relation *relations, size_t room, uint32_t oid)
{
	size_t i = (oid * UINT32_C(2654435769)) & (room - 1);

	while (relations[i].table != NULL && relations[i].oid != oid)
		i = (i + 1) & (room - 1);
	return &relations[i];
}

static const struct table *relation_find(struct pgoutput_decoder *dec, uint32_t oid)
{
	struct relation *place;

	if (dec->last.table != NULL && dec->last.oid == oid)
		return dec->last.table;
	if (dec->relation_room == 0)
		return NULL;
	place = relation_place(dec->relations, dec->relation_room, oid);
	if (place->table != NULL)
		dec->last = *place;
	return place->table;
}

/* The table whose number comes next, or NULL (failed). */
static const struct table *take_relation(struct pgoutput_decoder *dec, struct input *in)
{
	uint32_t oid = take_uint32(in);
	const struct table *table = in->failed ? NULL : relation_find(dec, oid);
	char what[96];

	if (table == NULL) {
		(void)snprintf(what, sizeof what, "relation %" PRIu32 ", which no Relation message described,", oid);
		(void)malformed(in, what);
	}
	return table;
}

/* Room for one more table and relation, so that nothing can fail once the shape is made. */
static int relation_reserve(struct pgoutput_decoder *dec, struct error *err)
{
	if (dec->table_count == PGOUTPUT_TABLES_MAX)
		/* the next try begins with none */
		return error_set(err, ERROR_RETRY, "more than %d shapes of tables since the start", PGOUTPUT_TABLES_MAX);
	if (dec->table_count == dec->table_room) {
		size_t room = dec->table_room == 0 ? 64 : dec->table_room * 2;
		struct table **tables = realloc(dec->tables, room * sizeof *tables);

		if (tables == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for %zu tables", room);
		dec->tables = tables;
		dec->table_room = room;
	}
	if ((dec->relation_count + 1) * 2 > dec->relation_room) {
		size_t room = dec->relation_room == 0 ? 64 : dec->relation_room * 2;
		struct relation *relations = calloc(room, sizeof *relations);

		if (relations == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for %zu relations", room);
		for (size_t i = 0; i < dec->relation_room; i++)
			if (dec->relations[i].table != NULL)
				*relation_place(relations, room, dec->relations[i].oid) = dec->relations[i];
		free(dec->relations);
		dec->relations = relations;
		dec->relation_room = room;
	}
	return 0;
}

static bool same_column(const struct column *a, const struct column *b)
{
	if (strcmp(a->name, b->name) != 0 || a->type != b->type || a->element_type != b->element_type ||
		a->precision != b->precision || a->scale != b->scale || a->fraction != b->fraction || a->key != b->key ||
		strcmp(a->source_type, b->source_type) != 0 || a->label_count != b->label_count)
		return false;
	for (size_t i = 0; i < a->label_count; i++)
		if (strcmp(a->labels[i], b->labels[i]) != 0)
			return false;
	return true;
}

static bool same_name(const struct table *a, const struct table *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->schema, b->schema) == 0;
}

static bool same_shape(const struct table *a, const struct table *b)
{
	if (!same_name(a, b) || a->identity != b->identity || a->column_count != b->column_count)
		return false;
	for (size_t i = 0; i < a->column_count; i++)
		if (!same_column(&a->columns[i], &b->columns[i]))
			return false;
	return true;
}

/* Copies the shape out of the scratch arena, gives it slot and version, and lets the relation number mean it. */
static int relation_install(struct pgoutput_decoder *dec, uint32_t oid, struct table *shape, const struct table **ret,
	struct error *err)
{
	struct relation *place;
	struct table *table;

	if (relation_reserve(dec, err) < 0)
		return -1;
	shape->slot = (uint32_t)dec->table_count;
	shape->version = 1;
	for (size_t i = dec->table_count; i > 0; i--) {
		if (same_name(dec->tables[i - 1], shape)) {
			shape->version = dec->tables[i - 1]->version + 1;
			break;
		}
	}
	table = table_copy(shape);
	if (table == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the shape of %s.%s", shape->schema, shape->name);
	dec->tables[dec->table_count++] = table;
	place = relation_place(dec->relations, dec->relation_room, oid);
	if (place->table == NULL)
		dec->relation_count++;
	*place = (struct relation){ oid, table };
	dec->last = *place;
	*ret = table;
	return 0;
}

/* ---- Relation ---- */

static int describe_type(struct pgoutput_decoder *dec, uint32_t oid, int32_t typmod, struct pg_type *ret,
	struct error *err)
{
	if (pg_type_builtin(oid, typmod, ret))
		return 0;
	memset(ret, 0, sizeof *ret);
	if (dec->types.type == NULL)
		return error_set(err, ERROR_DATA, "type %" PRIu32 " is not built in and nobody knows it", oid);
	return dec->types.type(dec->types.context, oid, typmod, ret, err);
}

static int copy_type(struct arena *arena, const struct pg_type *type, struct column *column, struct error *err)
{
	const char **labels = arena_alloc(arena, type->label_count * sizeof *labels);
	const char *name = arena_strndup(arena, type->name, strnlen(type->name, sizeof type->name));

	if (labels == NULL || name == NULL)
		return arena_error(arena, err);
	for (size_t i = 0; i < type->label_count; i++) {
		labels[i] = arena_strndup(arena, type->labels[i], strlen(type->labels[i]));
		if (labels[i] == NULL)
			return arena_error(arena, err);
	}
	column->type = type->type;
	column->element_type = type->element_type;
	column->precision = type->precision;
	column->scale = type->scale;
	column->fraction = type->fraction;
	column->source_type = name;
	column->labels = labels;
	column->label_count = type->label_count;
	return 0;
}

static int take_column(struct pgoutput_decoder *dec, struct input *in, struct column *column)
{
	unsigned char flags = take_byte(in);
	const char *name = take_string(in);
	uint32_t oid = take_uint32(in), typmod = take_uint32(in);
	struct pg_type type;

	if (in->failed)
		return -1;
	column->name = name;
	column->key = (flags & COLUMN_IN_KEY) != 0;
	if (describe_type(dec, oid, (int32_t)typmod, &type, in->err) < 0)
		return error_prefix(in->err, "column %s", name);
	return copy_type(&dec->scratch, &type, column, in->err);
}

/* With identity FULL every column is flagged, and with NOTHING none: neither tells the primary key. */
static int ask_key(struct pgoutput_decoder *dec, uint32_t oid, const struct table *table, struct column *columns,
	struct error *err)
{
	size_t count = table->column_count;
	const char **names = arena_alloc(&dec->scratch, count * sizeof *names);
	bool *key = arena_zalloc(&dec->scratch, count * sizeof *key);

	if (names == NULL || key == NULL)
		return arena_error(&dec->scratch, err);
	for (size_t i = 0; i < count; i++)
		names[i] = columns[i].name;
	if (dec->types.key != NULL &&
		dec->types.key(dec->types.context, oid, table->schema, table->name, names, count, key, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		columns[i].key = key[i];
	return 0;
}

static int list_key(struct pgoutput_decoder *dec, struct table *table, struct error *err)
{
	size_t *key = arena_alloc(&dec->scratch, table->column_count * sizeof *key);

	if (key == NULL)
		return arena_error(&dec->scratch, err);
	table->key = key;
	table->key_count = 0;
	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].key)
			key[table->key_count++] = i;
	return 0;
}

/* Reads the message into a shape in the scratch arena. */
static int read_relation(struct pgoutput_decoder *dec, struct input *in, uint32_t *ret_oid, struct table *table)
{
	uint32_t oid = take_uint32(in);
	const char *schema = take_string(in), *name = take_string(in);
	unsigned char identity = take_byte(in);
	size_t count = take_int(in, 2);
	struct column *columns;
	bool flagged = false;

	if (in->failed)
		return -1;
	if (identity == '\0' || strchr("dfin", identity) == NULL)
		return malformed(in, "unknown replica identity before the columns");
	columns = arena_zalloc(&dec->scratch, count * sizeof *columns);
	if (columns == NULL)
		return arena_error(&dec->scratch, in->err);
	table->schema = schema[0] != '\0' ? schema : "pg_catalog";
	table->name = name;
	table->columns = columns;
	table->column_count = count;
	for (size_t i = 0; i < count; i++) {
		if (take_column(dec, in, &columns[i]) < 0)
			return error_prefix(in->err, "%s.%s", table->schema, table->name);
		flagged = flagged || columns[i].key;
	}
	if (take_end(in) < 0)
		return -1;
	table->identity = identity == 'f' ? IDENTITY_FULL : flagged ? IDENTITY_KEY : IDENTITY_NOTHING;
	if (identity == 'f' || (identity != 'd' && !flagged))
		if (ask_key(dec, oid, table, columns, in->err) < 0)
			return error_prefix(in->err, "key of %s.%s", table->schema, table->name);
	*ret_oid = oid;
	return list_key(dec, table, in->err);
}

static int decode_relation(struct pgoutput_decoder *dec, struct input *in, struct pgoutput_message *ret)
{
	struct table shape = { 0 };
	const struct table *table = NULL;
	bool fresh = false;
	uint32_t oid = 0;
	int result = -1;

	if (read_relation(dec, in, &oid, &shape) < 0)
		goto out;
	/* Not compared by the message's bytes: what was asked for (labels, key) may have changed without them. */
	table = relation_find(dec, oid);
	if (table == NULL || !same_shape(table, &shape)) {
		if (relation_install(dec, oid, &shape, &table, in->err) < 0)
			goto out;
		fresh = true;
	}
	ret->kind = PGOUTPUT_RELATION;
	ret->relation.table = table;
	ret->relation.fresh = fresh;
	result = 0;
out:
	arena_reset(&dec->scratch);
	return result;
}

/* ---- rows ---- */

static int column_error(struct input *in, const struct table *table, size_t i)
{
	char lsn[32];

	in->failed = true;
	return error_prefix(in->err, "%s.%s.%s at %s", table->schema, table->name, table->columns[i].name,
		position_lsn_format(in->wal_start, lsn, sizeof lsn));
}

/* The text of a column behind its 't'. */
static int take_text(struct pgoutput_decoder *dec, struct input *in, const struct table *table, size_t i,
	struct arena *arena, struct value *ret)
{
	size_t len = take_uint32(in);
	const char *text = (const char *)in->at;

	if (in->failed || len > left(in))
		return malformed(in, "column longer than the message");
	in->at += len;
	if (pg_text_value(&dec->forms, &table->columns[i], text, len, arena, ret, in->err) < 0)
		return column_error(in, table, i);
	return 0;
}

/* A row of the table's shape in the arena, or NULL (failed). */
static struct value *take_tuple(struct pgoutput_decoder *dec, struct input *in, const struct table *table,
	struct arena *arena)
{
	size_t count = take_int(in, 2);
	struct value *row;

	if (in->failed || count != table->column_count) {
		(void)malformed(in, "not as many columns as the Relation message said");
		return NULL;
	}
	row = arena_alloc(arena, count * sizeof *row);
	if (row == NULL) {
		in->failed = true;
		(void)arena_error(arena, in->err);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		switch (take_byte(in)) {
		case 't':
			if (take_text(dec, in, table, i, arena, &row[i]) < 0)
				return NULL;
			break;
		case 'n':
			row[i].kind = VALUE_NULL;
			break;
		case 'u':
			row[i].kind = VALUE_UNCHANGED;
			break;
		case 'b':
			(void)error_set(in->err, ERROR_CONFIG, "column in binary format, which was not asked for");
			(void)error_hint(in->err, "start replication without pgoutput's option binary");
			(void)column_error(in, table, i);
			return NULL;
		default:
			(void)malformed(in, "unknown kind of column before it");
			return NULL;
		}
	}
	return row;
}

/* What the new row leaves out because it did not change, the old one may tell. */
static void fill_unchanged(const struct change *chg, struct value *after)
{
	for (size_t i = 0; i < chg->table->column_count; i++)
		if (after[i].kind == VALUE_UNCHANGED && (!chg->before_is_key || chg->table->columns[i].key))
			after[i] = chg->before[i];
}

static int decode_row(struct pgoutput_decoder *dec, struct input *in, enum change_op op, struct arena *arena,
	struct pgoutput_message *ret)
{
	struct change chg = { .op = op, .table = take_relation(dec, in), .lsn = in->wal_start };
	unsigned char kind = take_byte(in);
	struct value *after;

	if (in->failed)
		return -1;
	if (op != CHANGE_INSERT && (kind == 'K' || kind == 'O')) {
		chg.before = take_tuple(dec, in, chg.table, arena);
		if (chg.before == NULL)
			return -1;
		chg.before_is_key = kind == 'K';
		if (op == CHANGE_UPDATE)
			kind = take_byte(in);
	} else if (op == CHANGE_DELETE) {
		return malformed(in, "delete without an old row before it");
	}
	if (op != CHANGE_DELETE) {
		if (kind != 'N')
			return malformed(in, "no new row before it");
		after = take_tuple(dec, in, chg.table, arena);
		if (after == NULL)
			return -1;
		if (chg.before != NULL)
			fill_unchanged(&chg, after);
		chg.after = after;
	}
	if (take_end(in) < 0)
		return -1;
	ret->kind = PGOUTPUT_CHANGE;
	ret->change = chg;
	return 0;
}

static int decode_truncate(struct pgoutput_decoder *dec, struct input *in, struct arena *arena,
	struct pgoutput_message *ret)
{
	size_t count = take_uint32(in);
	unsigned char options = take_byte(in);
	struct change *changes;

	if (in->failed || count != left(in) / 4)
		return malformed(in, "not as many relations as the message says");
	changes = arena_zalloc(arena, count * sizeof *changes);
	if (changes == NULL)
		return arena_error(arena, in->err);
	for (size_t i = 0; i < count; i++) {
		changes[i].op = CHANGE_TRUNCATE;
		changes[i].table = take_relation(dec, in);
		changes[i].lsn = in->wal_start;
		changes[i].truncate_cascade = (options & TRUNCATE_CASCADE) != 0;
		changes[i].truncate_restart_identity = (options & TRUNCATE_RESTART_IDENTITY) != 0;
	}
	if (take_end(in) < 0)
		return -1;
	ret->kind = PGOUTPUT_TRUNCATE;
	ret->truncate.changes = changes;
	ret->truncate.count = count;
	return 0;
}

/* ---- transactions ---- */

static char *put_decimal(char *to, uint64_t n)
{
	char digits[20];
	size_t count = 0;

	do
		digits[count++] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	while (count > 0)
		*to++ = digits[--count];
	return to;
}

/* Times come as any 64 bits: no overflow, whatever they are. */
static int64_t since_1970(uint64_t since_2000)
{
	return (int64_t)(since_2000 + (uint64_t)EPOCH_2000_US);
}

static int decode_begin(struct input *in, struct pgoutput_message *ret)
{
	uint64_t commit = take_int(in, 8), time = take_int(in, 8), xid = take_int(in, 4);
	char *to = ret->begin.id;

	if (take_end(in) < 0)
		return -1;
	ret->kind = PGOUTPUT_BEGIN;
	to = put_decimal(to, xid);
	*to++ = ':';
	to = put_decimal(to, commit);
	*to = '\0';
	ret->begin.commit = commit;
	ret->begin.end = 0;
	ret->begin.xid = xid;
	ret->begin.commit_us = since_1970(time);
	return 0;
}

static int decode_commit(struct input *in, struct pgoutput_message *ret)
{
	unsigned char flags = take_byte(in);
	uint64_t commit = take_int(in, 8), end = take_int(in, 8), time = take_int(in, 8);

	if (take_end(in) < 0)
		return -1;
	if (flags != 0)
		return malformed(in, "unknown flags of a commit");
	ret->kind = PGOUTPUT_COMMIT;
	ret->commit.commit = commit;
	ret->commit.end = end;
	ret->commit.commit_us = since_1970(time);
	return 0;
}

/* ---- the rest ---- */

static int decode_message(struct input *in, struct pgoutput_message *ret)
{
	unsigned char flags = take_byte(in);
	uint64_t lsn = take_int(in, 8);
	const char *prefix = take_string(in);
	size_t len = take_uint32(in);

	if (in->failed || len != left(in))
		return malformed(in, "content not as long as the message says");
	ret->kind = PGOUTPUT_MESSAGE;
	ret->message.transactional = (flags & MESSAGE_TRANSACTIONAL) != 0;
	ret->message.lsn = lsn;
	ret->message.prefix = prefix;
	ret->message.content = (const char *)in->at;
	ret->message.content_len = len;
	return 0;
}

/* Origin and Type differ only in the size of their number and in how many strings follow. */
static int decode_ignored(struct input *in, size_t number_size, unsigned strings, struct pgoutput_message *ret)
{
	(void)take_int(in, number_size);
	for (unsigned i = 0; i < strings; i++)
		(void)take_string(in);
	if (take_end(in) < 0)
		return -1;
	ret->kind = PGOUTPUT_IGNORED;
	return 0;
}

static int refuse(const struct input *in)
{
	unsigned char kind = *in->start;
	struct error *err = in->err;
	char lsn[32];

	(void)position_lsn_format(in->wal_start, lsn, sizeof lsn);
	if (memchr("SEcA", kind, 4) != NULL) {
		(void)error_set(err, ERROR_CONFIG, "pgoutput message '%c' at %s streams an open transaction", kind, lsn);
		return error_hint(err, "start replication with proto_version 1 and without the option streaming");
	}
	if (memchr("bPKrp", kind, 5) != NULL) {
		(void)error_set(err, ERROR_CONFIG, "pgoutput message '%c' at %s belongs to a two-phase commit", kind, lsn);
		return error_hint(err, "start replication with proto_version 1 on a slot made without two-phase commit");
	}
	return error_set(err, ERROR_DATA, "unknown pgoutput message 0x%02x at %s", kind, lsn);
}

const struct table *pgoutput_peek(struct pgoutput_decoder *dec, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	if (len < 5 || (at[0] != 'I' && at[0] != 'U' && at[0] != 'D'))
		return NULL;
	return relation_find(dec, (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4]);
}

int pgoutput_decode(struct pgoutput_decoder *dec, const void *bytes, size_t len, uint64_t wal_start,
	struct arena *arena, struct pgoutput_message *ret, struct error *err)
{
	struct input in = { bytes, bytes, NULL, wal_start, err, false };
	char lsn[32];

	if (len == 0)
		return error_set(err, ERROR_DATA, "empty pgoutput message at %s",
			position_lsn_format(wal_start, lsn, sizeof lsn));
	in.end = in.start + len;
	switch (*in.at++) {
	case 'I':
		return decode_row(dec, &in, CHANGE_INSERT, arena, ret);
	case 'U':
		return decode_row(dec, &in, CHANGE_UPDATE, arena, ret);
	case 'D':
		return decode_row(dec, &in, CHANGE_DELETE, arena, ret);
	case 'B':
		return decode_begin(&in, ret);
	case 'C':
		return decode_commit(&in, ret);
	case 'R':
		return decode_relation(dec, &in, ret);
	case 'T':
		return decode_truncate(dec, &in, arena, ret);
	case 'M':
		return decode_message(&in, ret);
	case 'O':
		return decode_ignored(&in, 8, 1, ret);
	case 'Y':
		return decode_ignored(&in, 4, 2, ret);
	default:
		return refuse(&in);
	}
}

/* ---- life cycle ---- */

int pgoutput_new(const struct pgoutput_types *types, struct pgoutput_decoder **ret_decoder, struct error *err)
{
	struct pgoutput_decoder *dec = calloc(1, sizeof *dec);

	if (dec == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a decoder");
	if (pg_text_init(&dec->forms, err) < 0) {
		free(dec);
		return -1;
	}
	if (types != NULL)
		dec->types = *types;
	arena_init(&dec->scratch, SCRATCH_MAX);
	*ret_decoder = dec;
	return 0;
}

void pgoutput_free(struct pgoutput_decoder *dec)
{
	if (dec == NULL)
		return;
	for (size_t i = 0; i < dec->table_count; i++)
		free(dec->tables[i]);
	free(dec->tables);
	free(dec->relations);
	arena_release(&dec->scratch);
	pg_text_release(&dec->forms);
	free(dec);
}

size_t pgoutput_table_count(const struct pgoutput_decoder *dec)
{
	return dec->table_count;
}
