/*
 * sink_fixture.c: a source table, its changes, and a sink: the same for each kind of server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/sink_fixture.h"
#include "tests/unit/values.h"

uint64_t fixture_row_wise_until;
bool fixture_stopping;

static bool stop(void)
{
	return fixture_stopping;
}

struct sink_options fixture_options(void)
{
	struct sink_options o = { .name = "crm",
		.password = "",
		.sslmode = "",
		.sslrootcert = "",
		.sslcert = "",
		.sslkey = "",
		.lock_timeout_us = 300000,
		.wake_fd = -1,
		.stop = stop,
		.row_wise_until = &fixture_row_wise_until };

	fixture_address(&o);
	return o;
}

void fixture_table(struct fixture *f, const char *name, const struct column *columns, size_t count)
{
	f->table = (struct table){ .schema = "t",
		.name = name,
		.columns = f->columns,
		.column_count = count,
		.key = f->key,
		.key_count = 0,
		.identity = IDENTITY_KEY };
	for (size_t i = 0; i < count; i++) {
		f->columns[i] = columns[i];
		f->to[i] = (struct sink_column){ i, columns[i].name };
		if (columns[i].key)
			f->key[f->table.key_count++] = i;
	}
	f->mapping = (struct sink_mapping){
		.table = &f->table, .target_schema = "t", .target_table = name, .columns = f->to, .column_count = count
	};
}

void fixture_must(struct fixture *f, int result)
{
	if (result != 0)
		fail_msg("%s (%s)", f->err.text, error_class_name(f->err.class));
}

void fixture_refused(struct fixture *f, int result, enum error_class class, const char *text)
{
	fixture_refused_with(f, result, class, text, "");
	assert_string_equal(f->err.text, text);
}

void fixture_refused_with(
	struct fixture *f, int result, enum error_class class, const char *prefix, const char *words)
{
	size_t len = strlen(prefix);

	assert_int_equal(result, -1);
	if (f->err.class != class || strncmp(f->err.text, prefix, len) != 0 ||
		strncmp(f->err.text + len, words, strlen(words)) != 0)
		fail_msg("%s: \"%s\", expected %s: \"%s%s\"", error_class_name(f->err.class), f->err.text,
			error_class_name(class), prefix, words);
}

void fixture_open(struct fixture *f)
{
	struct sink_options o = fixture_options();
	struct sink_position position;

	for (int tries = 0; fixture_ops->open(&o, &f->sink, &position, &f->err) < 0; tries++) {
		if (f->err.class != ERROR_RETRY || tries == 100)
			fail_msg("%s", f->err.text);
		(void)usleep(50000);
	}
	free(position.offsets);
}

const struct column two_columns[] = {
	{ .name = "id", .type = COLUMN_INT32, .key = true, .source_type = "integer" },
	{ .name = "v", .type = COLUMN_STRING, .source_type = "text" }
};

void fixture_start(struct fixture *f, const char *ddl)
{
	memset(f, 0, sizeof *f);
	fixture_row_wise_until = 0;
	fixture_stopping = false;
	fixture_clean();
	fixture_run(ddl);
	fixture_open(f);
	fixture_table(f, "t", two_columns, 2);
}

void fixture_prepare(struct fixture *f)
{
	fixture_must(f, fixture_ops->prepare(f->sink, &f->mapping, &f->handle, &f->err));
}

void fixture_value(struct fixture *f, char letter, size_t number, const char *type, const struct column *column)
{
	struct column columns[] = { two_columns[0], *column };
	char sql[300];

	columns[1].name = "v";
	(void)snprintf(f->name, sizeof f->name, "%c%zu", letter, number);
	(void)snprintf(sql, sizeof sql, "CREATE TABLE t.%s (id int PRIMARY KEY, v %s)", f->name, type);
	fixture_run(sql);
	fixture_table(f, f->name, columns, 2);
	fixture_prepare(f);
}

void fixture_begin(struct fixture *f, uint64_t commit)
{
	f->txn = (struct transaction){ .commit = commit, .xid = 751 };
	(void)snprintf(f->txn.id, sizeof f->txn.id, "751:%llu", (unsigned long long)commit);
	f->index = 0;
	fixture_must(f, fixture_ops->begin(f->sink, &f->err));
}

int fixture_change(struct fixture *f, enum change_op op, const struct value *before, const struct value *after,
	const struct value *old_key)
{
	struct change chg = { .op = op,
		.table = &f->table,
		.before = before,
		.after = after,
		.before_is_key = before != NULL && f->table.identity == IDENTITY_KEY,
		.lsn = 0x16B3748,
		.index = ++f->index };

	return fixture_ops->write(f->sink, f->handle, &chg, old_key, &f->txn, &f->err);
}

int fixture_insert(struct fixture *f, int64_t id, const char *text)
{
	struct value row[] = { INT(id), { .kind = VALUE_TEXT, .text = { text, strlen(text) } } };

	return fixture_change(f, CHANGE_INSERT, NULL, row, NULL);
}

int fixture_commit(struct fixture *f)
{
	struct sink_position position = { .found = true, .log = "postgresql:7:1:crm", .commit = f->txn.commit };

	memcpy(position.transaction_id, f->txn.id, sizeof position.transaction_id);
	return fixture_ops->commit(f->sink, &position, &f->err);
}

void fixture_finish(struct fixture *f)
{
	fixture_ops->close(f->sink);
	f->sink = NULL;
}

int fixture_set_up(void **state)
{
	fixture_connect();
	return 0;
}
