/*
 * capture_decode_vectors.c: replays what a real server sent (tests/vectors/pgoutput/) and compares with what it means.
 *
 * The meaning was worked out by record.py, which shares nothing with the decoder; it also describes the files. What is
 * decoded is printed back into PostgreSQL's text forms, so a value that lost anything on the way does not match.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_pgoutput.h"
#include "lib/base/buf.h"
#include "tests/unit/capture_decode_show.h"

#define LABELS_MAX 64
#define ANSWERS_MAX 64

/* One line "type ..." or "key ...": what the decoder is told when it asks. Cut up in place. */
struct answer {
	uint32_t oid, base;
	int32_t typmod;
	bool array;
	const char *name; /* of the type; of a key: its columns */
	const char *labels[LABELS_MAX];
	size_t label_count;
};

struct replay {
	struct answer types[ANSWERS_MAX], keys[ANSWERS_MAX];
	size_t type_count, key_count;
	struct pgoutput_decoder *decoder;
	struct arena arena;
	struct buf shown;
	size_t frames;
};

static char *unescape(char *text)
{
	char *to = text;

	for (char *at = text; *at != '\0'; at++) {
		if (*at == '%') {
			char digits[3] = { at[1], at[2], '\0' };

			*to++ = (char)strtoul(digits, NULL, 16);
			at += 2;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
	return text;
}

static const struct answer *find_answer(const struct answer *answers, size_t count, uint32_t oid)
{
	for (size_t i = 0; i < count; i++)
		if (answers[i].oid == oid)
			return &answers[i];
	fail_msg("the decoder asks for %" PRIu32 ", which is not recorded", oid);
	return NULL;
}

static int answer_type(void *context, uint32_t oid, int32_t typmod, struct pg_type *ret, struct error *err)
{
	struct replay *replay = context;
	const struct answer *answer = find_answer(replay->types, replay->type_count, oid);

	ret->type = answer->label_count > 0 ? COLUMN_ENUM : COLUMN_STRING;
	if (answer->base != 0)
		assert_true(pg_type_builtin(answer->base, answer->typmod, ret));
	if (answer->array) {
		ret->element_type = ret->type;
		ret->type = COLUMN_ARRAY;
	}
	(void)snprintf(ret->name, sizeof ret->name, "%s", answer->name);
	ret->labels = answer->labels;
	ret->label_count = answer->label_count;
	return 0;
}

static int answer_key(void *context, uint32_t relation, const char *schema, const char *name,
	const char *const *columns, size_t column_count, bool *ret_key, struct error *err)
{
	struct replay *replay = context;
	const struct answer *answer = find_answer(replay->keys, replay->key_count, relation);
	const char *at = answer->name;

	while (*at != '\0') {
		size_t len = strcspn(at, ",");

		for (size_t i = 0; i < column_count; i++)
			if (strlen(columns[i]) == len && memcmp(columns[i], at, len) == 0)
				ret_key[i] = true;
		at += len + (at[len] == ',' ? 1 : 0);
	}
	return 0;
}

/* ---- showing what was decoded ---- */

static void show_name(struct buf *out, const struct table *table)
{
	show_escaped(out, table->schema, strlen(table->schema));
	buf_append_byte(out, '.');
	show_escaped(out, table->name, strlen(table->name));
}

static void show_row(struct buf *out, const char *what, const struct table *table, const struct value *row,
	bool only_key)
{
	bool first = true;

	if (row == NULL)
		return;
	buf_printf(out, " %s(", what);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];

		if (only_key && !column->key) {
			assert_int_equal(row[i].kind, VALUE_NULL);
			continue;
		}
		buf_append_str(out, first ? "" : " ");
		first = false;
		show_escaped(out, column->name, strlen(column->name));
		buf_append_byte(out, '=');
		show_value(out, column, &row[i]);
	}
	buf_append_byte(out, ')');
}

static void show_change(struct buf *out, const struct change *chg)
{
	buf_printf(out, "%s ", chg->op == CHANGE_INSERT ? "insert" : chg->op == CHANGE_UPDATE ? "update" : "delete");
	show_name(out, chg->table);
	show_row(out, chg->before_is_key ? "key" : "old", chg->table, chg->before, chg->before_is_key);
	show_row(out, "new", chg->table, chg->after, false);
}

static void show_relation(struct buf *out, const struct table *table, bool fresh)
{
	static const char *const identities[] = { "key", "full", "nothing" };

	buf_printf(out, "relation %s version=%" PRIu32 " ", fresh ? "fresh" : "again", table->version);
	show_name(out, table);
	buf_printf(out, " %s key=", identities[table->identity]);
	for (size_t i = 0; i < table->key_count; i++) {
		const char *name = table->columns[table->key[i]].name;

		buf_append_str(out, i > 0 ? "," : "");
		show_escaped(out, name, strlen(name));
	}
	buf_append_str(out, " columns=");
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];

		buf_append_str(out, i > 0 ? "," : "");
		show_escaped(out, column->name, strlen(column->name));
		buf_append_byte(out, ':');
		show_escaped(out, column->source_type, strlen(column->source_type));
	}
}

static void show_message(struct buf *out, const struct pgoutput_message *msg)
{
	const struct change *first;

	switch (msg->kind) {
	case PGOUTPUT_BEGIN:
		buf_printf(out, "begin commit=%" PRIu64 " us=%" PRId64 " xid=%" PRIu64, msg->begin.commit, msg->begin.commit_us,
			msg->begin.xid);
		break;
	case PGOUTPUT_COMMIT:
		buf_printf(out, "commit commit=%" PRIu64 " end=%" PRIu64 " us=%" PRId64, msg->commit.commit, msg->commit.end,
			msg->commit.commit_us);
		break;
	case PGOUTPUT_CHANGE:
		show_change(out, &msg->change);
		break;
	case PGOUTPUT_TRUNCATE:
		first = msg->truncate.changes;
		buf_printf(out, "truncate cascade=%d restart=%d", first->truncate_cascade, first->truncate_restart_identity);
		for (size_t i = 0; i < msg->truncate.count; i++) {
			buf_append_byte(out, ' ');
			show_name(out, msg->truncate.changes[i].table);
		}
		break;
	case PGOUTPUT_RELATION:
		show_relation(out, msg->relation.table, msg->relation.fresh);
		break;
	case PGOUTPUT_MESSAGE:
		buf_printf(out, "message transactional=%d lsn=%" PRIu64 " prefix=", msg->message.transactional,
			msg->message.lsn);
		show_escaped(out, msg->message.prefix, strlen(msg->message.prefix));
		buf_append_str(out, " content=");
		for (size_t i = 0; i < msg->message.content_len; i++)
			buf_printf(out, "%02x", (unsigned char)msg->message.content[i]);
		break;
	case PGOUTPUT_IGNORED:
		buf_append_str(out, "ignored");
		break;
	}
}

/* ---- reading the file ---- */

/* "type <oid> base=<oid> typmod=<n> array=<0|1> name=<name> labels=<a|b>" */
static void read_type(struct replay *replay, char *line)
{
	struct answer *answer = &replay->types[replay->type_count++];
	char *name = strstr(line, " name="), *labels = strstr(line, " labels=");
	int array;

	assert_true(replay->type_count <= ANSWERS_MAX && name != NULL && labels != NULL);
	assert_int_equal(sscanf(line, "type %" SCNu32 " base=%" SCNu32 " typmod=%" SCNd32 " array=%d", &answer->oid,
		&answer->base, &answer->typmod, &array), 4);
	answer->array = array != 0;
	*labels = '\0';
	answer->name = unescape(name + strlen(" name="));
	for (char *at = labels + strlen(" labels="); at != NULL && *at != '\0';) {
		char *label = strsep(&at, "|");

		assert_true(answer->label_count < LABELS_MAX);
		answer->labels[answer->label_count++] = unescape(label);
	}
}

static void read_key(struct replay *replay, char *line)
{
	struct answer *answer = &replay->keys[replay->key_count++];
	char *at;

	assert_true(replay->key_count <= ANSWERS_MAX);
	answer->oid = (uint32_t)strtoul(line + strlen("key "), &at, 10);
	answer->name = unescape(at + 1);
}

static void replay_frame(struct replay *replay, char *line, const char *expect)
{
	struct error err = ERROR_INIT;
	struct pgoutput_message msg;
	char *hex = strchr(line + strlen("frame "), ' ');
	size_t len = strlen(hex + 1) / 2;
	unsigned char *bytes = malloc(len + 1);
	uint64_t lsn;

	assert_non_null(bytes);
	*hex++ = '\0';
	assert_int_equal(position_lsn_parse(line + strlen("frame "), &lsn), 0);
	for (size_t i = 0; i < len; i++) {
		char digits[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
	}
	arena_reset(&replay->arena);
	if (pgoutput_decode(replay->decoder, bytes, len, lsn, &replay->arena, &msg, &err) < 0)
		fail_msg("%s, wanted: %s", err.text, expect);
	buf_reset(&replay->shown);
	show_message(&replay->shown, &msg);
	assert_string_equal(buf_cstr(&replay->shown), expect);
	free(bytes);
	replay->frames++;
}

static void replay_file(const char *name)
{
	struct pgoutput_types types = { NULL, answer_type, answer_key };
	static struct replay replay;
	const char *top = getenv("TOP_SRCDIR");
	char path[4096], *line = NULL, *frame = NULL;
	struct error err = ERROR_INIT;
	char *lines[512];
	size_t size = 0, count = 0;
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/tests/vectors/pgoutput/%s.txt", top != NULL ? top : ".", name);
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("%s is missing", path);
	memset(&replay, 0, sizeof replay);
	types.context = &replay;
	assert_int_equal(pgoutput_new(&types, &replay.decoder, &err), 0);
	arena_init(&replay.arena, (size_t)1 << 20);
	buf_init(&replay.shown, (size_t)1 << 20);
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		assert_true(count < sizeof lines / sizeof lines[0]);
		lines[count] = strdup(line);
		if (strncmp(line, "type ", 5) == 0)
			read_type(&replay, lines[count]);
		else if (strncmp(line, "key ", 4) == 0)
			read_key(&replay, lines[count]);
		else if (strncmp(line, "frame ", 6) == 0)
			frame = lines[count];
		else if (strncmp(line, "expect ", 7) == 0 && line[7] != '\0' && frame != NULL)
			replay_frame(&replay, frame, lines[count] + 7);
		else if (line[0] != '#')
			fail_msg("%s: neither of the known lines: %s", path, line);
		count++;
	}
	assert_true(replay.frames > 10);
	print_message("# %s: %zu messages\n", name, replay.frames);
	for (size_t i = 0; i < count; i++)
		free(lines[i]);
	free(line);
	(void)fclose(file);
	buf_release(&replay.shown);
	arena_release(&replay.arena);
	pgoutput_free(replay.decoder);
}

static void test_types(void **state)
{
	replay_file("types");
}

static void test_arrays(void **state)
{
	replay_file("arrays");
}

static void test_user_types(void **state)
{
	replay_file("user_types");
}

static void test_changes(void **state)
{
	replay_file("changes");
}

static void test_shapes(void **state)
{
	replay_file("shapes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_user_types),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_shapes),
	};

	return cmocka_run_group_tests_name("capture/decode recorded vectors", tests, NULL, NULL);
}
