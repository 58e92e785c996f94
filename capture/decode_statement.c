/*
 * decode_statement.c: what kind of statement a QUERY event carries, and which tables it names.
 *
 * Tokens: words (letters, digits, $, _ and bytes from 0x80 on), quoted names (`..`, with ANSI_QUOTES also ".."), strings, single characters. Between them blanks
 * and comments: "-- ", "#", slash-star. What stands in an executable comment (slash-star-exclamation mark, MariaDB: slash-star-M-exclamation mark) counts,
 * whatever version it names: the server that ran it wrote the log.
 *
 * Reading: the first word chooses a function, which takes the words that may stand between it and the names. A word that a server's grammar allows there and that
 * is not known here ends the reading with what is sure: the kind stays, the tables may be missing. Names are taken whole, "schema.name" or "name".
 */
#include "capture/decode_statement.h"

#include <inttypes.h>
#include <string.h>

#include "capture/decode_statement_token.h"

/* The most tables of one statement; of one with more (a DROP of thousands) none is told. */
#define TABLES_MAX 4096
#define XA_PART_MAX 64
/* X'..',X'..',N */
#define XA_TEXT_MAX 288

struct reading {
	struct tokens in;
	struct token token; /* the one at hand */
	const struct binlog_query *query;
	struct arena *arena;
	struct statement *ret;
	struct statement_table *tables;
	size_t room;
};

/* ---- tokens ---- */

static void advance(struct reading *r)
{
	tokens_next(&r->in, &r->token);
}

static bool is_word(const struct reading *r, const char *word)
{
	return token_is_word(&r->token, word);
}

static bool is_char(const struct reading *r, char c)
{
	return r->token.kind == TOKEN_CHAR && *r->token.at == c;
}

static bool take_word(struct reading *r, const char *word)
{
	if (!is_word(r, word))
		return false;
	advance(r);
	return true;
}

static bool take_char(struct reading *r, char c)
{
	if (!is_char(r, c))
		return false;
	advance(r);
	return true;
}

/* Either of two words that mean the same. */
static bool take_either(struct reading *r, const char *one, const char *other)
{
	return take_word(r, one) || take_word(r, other);
}

static void take_if_exists(struct reading *r)
{
	if (!take_word(r, "IF"))
		return;
	(void)take_word(r, "NOT");
	(void)take_word(r, "EXISTS");
}

/* WAIT n, NOWAIT: MariaDB has them behind many names. */
static void take_wait(struct reading *r)
{
	if (take_word(r, "WAIT"))
		advance(r);
	else
		(void)take_word(r, "NOWAIT");
}

/* ---- names ---- */

static const char *take_name(struct reading *r)
{
	const char *name;

	if (r->token.kind != TOKEN_WORD && r->token.kind != TOKEN_NAME)
		return NULL;
	name = token_text(&r->in, &r->token, r->arena);
	advance(r);
	return name;
}

static bool add_table(struct reading *r, const char *schema, const char *name)
{
	struct statement_table *tables;
	size_t room;

	if (r->ret->table_count == TABLES_MAX)
		return false;
	if (r->ret->table_count == r->room) {
		room = r->room == 0 ? 4 : r->room * 2;
		tables = arena_alloc(r->arena, room * sizeof *tables);
		if (tables == NULL)
			return false;
		if (r->room > 0)
			memcpy(tables, r->tables, r->room * sizeof *tables);
		r->tables = tables;
		r->room = room;
		r->ret->tables = tables;
	}
	r->tables[r->ret->table_count++] = (struct statement_table){ schema, name };
	return true;
}

/* "name" or "schema.name"; false if there is none. */
static bool take_table(struct reading *r)
{
	const char *schema = r->query->schema, *name = take_name(r);

	if (name == NULL)
		return false;
	if (take_char(r, '.')) {
		schema = name;
		name = take_name(r);
		if (name == NULL)
			return false;
	}
	return add_table(r, schema, name);
}

static bool take_tables(struct reading *r)
{
	do {
		if (!take_table(r))
			return false;
	} while (take_char(r, ','));
	return true;
}

/* ---- XA ids ---- */

static size_t put_xa_part(char *to, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	to[n++] = 'X';
	to[n++] = '\'';
	for (size_t i = 0; i < len; i++) {
		to[n++] = digits[bytes[i] >> 4];
		to[n++] = digits[bytes[i] & 15];
	}
	to[n++] = '\'';
	to[n++] = ',';
	return n;
}

/* gtrid [, bqual [, format]]; "" if it cannot be read. */
static const char *take_xa(struct reading *r)
{
	unsigned char parts[2][XA_PART_MAX];
	size_t lens[2] = { 0, 0 }, n = 0;
	uint64_t format = 1;
	char text[XA_TEXT_MAX];

	for (size_t i = 0; i < 2; i++) {
		if (i > 0 && !take_char(r, ','))
			break;
		if (!token_bytes(&r->in, &r->token, parts[i], sizeof parts[i], &lens[i]))
			return "";
		advance(r);
	}
	if (take_char(r, ',')) {
		if (!token_number(&r->token, &format))
			return "";
		advance(r);
	}
	n = put_xa_part(text, parts[0], lens[0]);
	n += put_xa_part(text + n, parts[1], lens[1]);
	text[n] = '\0';
	return arena_printf(r->arena, "%s%" PRIu32, text, (uint32_t)format);
}

static enum statement_kind read_xa(struct reading *r)
{
	enum statement_kind kind = STATEMENT_OTHER;
	const char *xa;

	if (take_either(r, "START", "BEGIN"))
		kind = STATEMENT_BEGIN;
	else if (take_word(r, "END"))
		kind = STATEMENT_XA_END;
	else if (take_word(r, "COMMIT"))
		kind = STATEMENT_XA_COMMIT;
	else if (take_word(r, "ROLLBACK"))
		kind = STATEMENT_XA_ROLLBACK;
	if (kind == STATEMENT_OTHER)
		return kind;
	xa = take_xa(r);
	if (xa == NULL || xa[0] == '\0')
		return STATEMENT_OTHER;
	r->ret->xa = xa;
	return kind;
}

/* ---- transactions ---- */

static enum statement_kind read_rollback(struct reading *r)
{
	(void)take_word(r, "WORK");
	return is_word(r, "TO") ? STATEMENT_SAVEPOINT : STATEMENT_ROLLBACK;
}

static enum statement_kind read_begin(struct reading *r)
{
	(void)take_word(r, "WORK");
	/* anything else is a compound statement */
	return r->token.kind == TOKEN_END || is_char(r, ';') ? STATEMENT_BEGIN : STATEMENT_OTHER;
}

/* ---- definitions ---- */

/* The name may be missing (ALTER DATABASE CHARACTER SET ...: the default one). */
static enum statement_kind read_database(struct reading *r)
{
	static const char *const options[] = {
		"CHARACTER", "CHARSET", "COLLATE", "DEFAULT", "ENCRYPTION", "READ", "COMMENT", "UPGRADE"
	};
	const char *schema = r->query->schema;
	bool option;

	take_if_exists(r);
	option = r->token.kind == TOKEN_END;
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		option = option || is_word(r, options[i]);
	if (!option)
		schema = take_name(r);
	if (schema != NULL)
		(void)add_table(r, schema, "");
	return STATEMENT_DATABASE;
}

/* Behind INDEX: [IF [NOT] EXISTS] name [USING ..] ON table. */
static void read_index_table(struct reading *r)
{
	take_if_exists(r);
	if (take_name(r) == NULL)
		return;
	while (r->token.kind != TOKEN_END && !is_word(r, "ON"))
		advance(r);
	if (take_word(r, "ON"))
		(void)take_table(r);
}

static enum statement_kind read_create(struct reading *r)
{
	if (take_word(r, "OR"))
		(void)take_word(r, "REPLACE");
	if (take_word(r, "TABLE")) {
		take_if_exists(r);
		(void)take_table(r);
		return STATEMENT_CREATE_TABLE;
	}
	if (take_either(r, "DATABASE", "SCHEMA"))
		return read_database(r);
	while (take_either(r, "ONLINE", "OFFLINE") || take_either(r, "UNIQUE", "FULLTEXT") ||
		take_either(r, "SPATIAL", "VECTOR"))
		;
	if (!take_word(r, "INDEX"))
		return STATEMENT_OTHER;
	read_index_table(r);
	return STATEMENT_CREATE_INDEX;
}

/* EXCHANGE PARTITION p WITH TABLE name; MariaDB: CONVERT PARTITION p TO TABLE name, CONVERT TABLE name TO PARTITION p. */
static void read_other_table(struct reading *r)
{
	while (r->token.kind != TOKEN_END && !is_char(r, ',') && !take_word(r, "TABLE"))
		advance(r);
	(void)take_table(r);
}

/* Whether a change begins here that brings or removes rows. Read past its words. */
static bool read_rows_change(struct reading *r, bool ignore)
{
	if (take_either(r, "TRUNCATE", "DROP"))
		return is_word(r, "PARTITION");
	if (take_word(r, "EXCHANGE") || (take_word(r, "CONVERT") && (is_word(r, "PARTITION") || is_word(r, "TABLE")))) {
		read_other_table(r);
		return true;
	}
	if (take_either(r, "DISCARD", "IMPORT"))
		return is_word(r, "PARTITION") || is_word(r, "TABLESPACE");
	if (!ignore || !take_word(r, "ADD"))
		return false;
	if (take_word(r, "CONSTRAINT") && !is_word(r, "UNIQUE") && !is_word(r, "PRIMARY"))
		advance(r); /* its name */
	return is_word(r, "UNIQUE") || is_word(r, "PRIMARY");
}

/*
 * RENAME [TO|AS|=] name anywhere among the changes; RENAME COLUMN, INDEX and KEY are something else. The word is reserved, so that it is no name.
 * The words that bring or remove rows begin a change. True: there is such a one.
 */
static bool read_changes(struct reading *r, bool ignore)
{
	bool begins, rows = false;
	int depth = 0;

	take_wait(r);
	for (begins = true; r->token.kind != TOKEN_END; advance(r)) {
		if (begins && read_rows_change(r, ignore))
			rows = true;
		begins = depth == 0 && is_char(r, ',');
		if (is_char(r, '('))
			depth++;
		if (is_char(r, ')'))
			depth--;
		if (take_char(r, '.'))
			continue; /* what follows is a name, whatever it is */
		if (depth != 0 || !is_word(r, "RENAME"))
			continue;
		advance(r);
		if (is_word(r, "COLUMN") || is_word(r, "INDEX") || is_word(r, "KEY"))
			continue;
		if (!take_either(r, "TO", "AS"))
			(void)take_char(r, '=');
		(void)take_table(r);
		break;
	}
	return rows;
}

static enum statement_kind read_alter(struct reading *r)
{
	bool ignore = false;

	while (take_either(r, "ONLINE", "OFFLINE") || is_word(r, "IGNORE"))
		ignore = take_word(r, "IGNORE") || ignore;
	if (take_either(r, "DATABASE", "SCHEMA"))
		return read_database(r);
	if (!take_word(r, "TABLE"))
		return STATEMENT_OTHER;
	take_if_exists(r);
	return take_table(r) && read_changes(r, ignore) ? STATEMENT_ALTER_ROWS : STATEMENT_ALTER_TABLE;
}

static enum statement_kind read_rename(struct reading *r)
{
	bool whole;

	if (!take_either(r, "TABLE", "TABLES"))
		return STATEMENT_OTHER;
	take_if_exists(r);
	do {
		whole = take_table(r);
		take_wait(r);
		whole = whole && take_word(r, "TO") && take_table(r);
	} while (whole && take_char(r, ','));
	if (!whole)
		r->ret->table_count = 0;
	return STATEMENT_RENAME_TABLE;
}

static enum statement_kind read_drop(struct reading *r)
{
	if (take_either(r, "TABLE", "TABLES")) {
		take_if_exists(r);
		if (!take_tables(r))
			r->ret->table_count = 0;
		return STATEMENT_DROP_TABLE;
	}
	if (take_either(r, "DATABASE", "SCHEMA"))
		return read_database(r);
	while (take_either(r, "ONLINE", "OFFLINE"))
		;
	if (!take_word(r, "INDEX"))
		return STATEMENT_OTHER;
	read_index_table(r);
	return STATEMENT_DROP_INDEX;
}

static enum statement_kind read_truncate(struct reading *r)
{
	(void)take_word(r, "TABLE");
	return take_table(r) ? STATEMENT_TRUNCATE : STATEMENT_OTHER;
}

/* ---- rows as statements ---- */

/* The table of INSERT, REPLACE, UPDATE and DELETE of one table, if it stands where it mostly does: for messages. */
static void read_data_table(struct reading *r)
{
	while (take_either(r, "LOW_PRIORITY", "HIGH_PRIORITY") || take_either(r, "DELAYED", "QUICK") ||
		take_word(r, "IGNORE"))
		;
	(void)take_either(r, "INTO", "FROM");
	(void)take_table(r);
}

static enum statement_kind read_data(struct reading *r)
{
	static const char *const of_one_table[] = { "INSERT", "REPLACE", "UPDATE", "DELETE" };
	/* SELECT and DO: of a function that changes rows */
	static const char *const others[] = { "WITH", "SELECT", "DO" };

	for (size_t i = 0; i < sizeof of_one_table / sizeof of_one_table[0]; i++) {
		if (take_word(r, of_one_table[i])) {
			read_data_table(r);
			return STATEMENT_DATA;
		}
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (is_word(r, others[i]))
			return STATEMENT_DATA;
	if (!take_word(r, "LOAD") || (!take_either(r, "DATA", "XML")))
		return STATEMENT_OTHER;
	while (r->token.kind != TOKEN_END && !take_word(r, "INTO"))
		advance(r);
	if (take_word(r, "TABLE"))
		(void)take_table(r);
	return STATEMENT_DATA;
}

/* ---- statements ---- */

/* SET STATEMENT variable=value, ... FOR: MariaDB puts it in front of any statement. */
static bool take_set_statement(struct reading *r)
{
	struct tokens in = r->in;
	struct token token = r->token;
	int depth = 0;

	if (!take_word(r, "SET") || !take_word(r, "STATEMENT")) {
		r->in = in;
		r->token = token;
		return false;
	}
	for (; r->token.kind != TOKEN_END; advance(r)) {
		if (is_char(r, '('))
			depth++;
		if (is_char(r, ')'))
			depth--;
		if (depth == 0 && take_word(r, "FOR"))
			return true;
	}
	return true;
}

static enum statement_kind read_statement(struct reading *r)
{
	static const struct {
		const char *word;
		enum statement_kind (*read)(struct reading *r);
	} readers[] = {
		{ "XA", read_xa }, { "BEGIN", read_begin }, { "ROLLBACK", read_rollback }, { "CREATE", read_create },
		{ "ALTER", read_alter }, { "RENAME", read_rename }, { "DROP", read_drop }, { "TRUNCATE", read_truncate }
	};

	while (take_set_statement(r) || take_char(r, '(') || take_char(r, ';'))
		;
	if (is_word(r, "COMMIT"))
		return STATEMENT_COMMIT;
	if (is_word(r, "SAVEPOINT") || is_word(r, "RELEASE"))
		return STATEMENT_SAVEPOINT;
	if (take_word(r, "START"))
		return is_word(r, "TRANSACTION") ? STATEMENT_BEGIN : STATEMENT_OTHER;
	for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
		if (take_word(r, readers[i].word))
			return readers[i].read(r);
	return read_data(r);
}

void statement_read(const struct binlog_query *query, struct arena *arena, struct statement *ret_statement)
{
	struct statement statement = { .kind = STATEMENT_OTHER, .xa = "" };
	struct reading r = { .query = query, .arena = arena, .ret = &statement };

	tokens_init(&r.in, query->text, query->len, query->sql_mode_ansi_quotes, query->sql_mode_no_backslash_escapes);
	advance(&r);
	statement.kind = read_statement(&r);
	if (statement.kind == STATEMENT_OTHER)
		statement.table_count = 0;
	*ret_statement = statement;
}
