/*
 * capture_binlog_vectors.c: binlog files of real servers (tests/vectors/binlog/<server>/) through the whole decoder, compared line by line with what
 * the server itself said of its tables, rows and log when they were recorded (expect.py there).
 *
 * The catalogue that the decoder may ask is recorded too, as it was at each place of the log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/capture_binlog_show.h"

#define LINES_MAX 4000
#define COLUMNS_MAX 300
#define TABLES_MAX 100

/* What the catalogue says of one table; texts are cut out of the line in place. */
struct description {
	char *title;
	struct binlog_catalogue_column columns[COLUMNS_MAX];
	size_t count;
};

struct replay {
	const char *path;
	char *lines[LINES_MAX];
	size_t count, at;
	struct description *tables[TABLES_MAX];
	size_t table_count;
	size_t rows;
};

static struct replay replay;

/* ---- the catalogue ---- */

/* name|data_type|column_type|charset|flags|default */
static void describe_column(char *text, struct binlog_catalogue_column *ret)
{
	char *words[6];

	for (size_t i = 0; i < 6; i++) {
		words[i] = strsep(&text, "|");
		assert_non_null(words[i]);
		binlog_show_unescape(words[i]);
	}
	assert_null(text);
	ret->name = words[0];
	ret->data_type = words[1];
	ret->column_type = words[2];
	ret->charset = words[3];
	ret->is_json = words[4][0] == 'j';
	ret->key = words[4][1] == 'k';
	ret->default_computed = words[4][2] == 'c';
	ret->generated = words[4][3] == 'g';
	ret->default_text = words[5][0] == '=' ? words[5] + 1 : NULL;
}

static void describe(char *text)
{
	char *title = strsep(&text, " ");
	struct description *table = NULL;

	for (size_t i = 0; i < replay.table_count; i++)
		if (strcmp(replay.tables[i]->title, title) == 0)
			table = replay.tables[i];
	if (table == NULL) {
		assert_true(replay.table_count < TABLES_MAX);
		table = replay.tables[replay.table_count++] = calloc(1, sizeof *table);
		assert_non_null(table);
	}
	table->title = title;
	table->count = 0;
	while (text != NULL) {
		assert_true(table->count < COLUMNS_MAX);
		describe_column(strsep(&text, ","), &table->columns[table->count++]);
	}
}

static bool title_is(const char *title, const char *schema, const char *name)
{
	char *plain = strdup(title), *dot = strchr(plain, '.');
	bool same;

	*dot = '\0';
	binlog_show_unescape(plain);
	binlog_show_unescape(dot + 1);
	same = strcmp(plain, schema) == 0 && strcmp(dot + 1, name) == 0;
	free(plain);
	return same;
}

static int ask(void *context, const char *schema, const char *name, const unsigned char *types, size_t column_count, bool known_names,
	const struct binlog_catalogue_column **ret_columns, size_t *ret_count, struct error *err)
{
	for (size_t i = 0; i < replay.table_count; i++) {
		const struct description *table = replay.tables[i];

		if (title_is(table->title, schema, name)) {
			*ret_columns = table->columns;
			*ret_count = table->count;
			return 0;
		}
	}
	fail_msg("%s:%zu: the decoder asks for %s.%s, which is not recorded", replay.path, replay.at, schema, name);
	return -1;
}

/* ---- lines ---- */

static void take_catalogue(void)
{
	while (replay.at < replay.count && strncmp(replay.lines[replay.at], "catalogue ", 10) == 0)
		describe(replay.lines[replay.at++] + 10);
}

static void compare(void *context, const char *line, const char *without_use)
{
	const char *wanted = replay.at < replay.count ? replay.lines[replay.at] : "the end";

	if (strcmp(line, wanted) != 0 && (without_use == NULL || strcmp(without_use, wanted) != 0))
		fail_msg("%s, line %zu:\n  decoded: %s\n  wanted:  %s", replay.path, replay.at + 2, line, wanted);
	replay.at++;
	take_catalogue();
}

static void count_rows(void *context, const char *line, const char *without_use)
{
	size_t *rows = context;

	if (strncmp(line, "insert ", 7) == 0 || strncmp(line, "update ", 7) == 0 || strncmp(line, "delete ", 7) == 0)
		(*rows)++;
}

static void read_lines(const char *path)
{
	char *line = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "r");

	if (file == NULL)
		fail_msg("%s is missing", path);
	memset(&replay, 0, sizeof replay);
	replay.path = path;
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		assert_true(replay.count < LINES_MAX);
		count_rows(&replay.rows, line, NULL);
		replay.lines[replay.count++] = strdup(line);
	}
	free(line);
	(void)fclose(file);
}

static void replay_file(const char *folder, const char *name)
{
	const struct binlog_catalogue catalogue = { NULL, ask };
	const struct binlog_show comparing = { NULL, compare };
	size_t rows = 0;
	const struct binlog_show counting = { &rows, count_rows };
	struct error err = ERROR_INIT;
	char text[4096], binlog[4096];
	bool stops;
	int result;

	(void)snprintf(text, sizeof text, "%s/%s.txt", folder, name);
	(void)snprintf(binlog, sizeof binlog, "%s/%s.binlog", folder, name);
	read_lines(text);
	take_catalogue();
	if (binlog_show_file(binlog, &catalogue, &comparing, &err) < 0) {
		char line[sizeof err.text + 32];

		(void)snprintf(line, sizeof line, "error %s %s", error_class_name(err.class), err.text);
		compare(NULL, line, NULL);
	}
	if (replay.at != replay.count)
		fail_msg("%s: %s never came", text, replay.lines[replay.at]);
	/* Without a catalogue types and names may be missing, but rows only where an image is not whole. Nobody says then what is generated. */
	error_clear(&err);
	stops = replay.count > 0 && strncmp(replay.lines[replay.count - 1], "error ", 6) == 0;
	result = binlog_show_file(binlog, NULL, &counting, &err);
	if (result < 0 ? err.class != ERROR_GAP : stops ? rows <= replay.rows : rows != replay.rows)
		fail_msg("%s without a catalogue: %zu rows of %zu, %s", binlog, rows, replay.rows, result < 0 ? err.text : "no error");
	for (size_t i = 0; i < replay.count; i++)
		free(replay.lines[i]);
	for (size_t i = 0; i < replay.table_count; i++)
		free(replay.tables[i]);
}

static int is_binlog(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 7 && strcmp(entry->d_name + len - 7, ".binlog") == 0;
}

static void test_server(void **state)
{
	const char *top = getenv("TOP_SRCDIR"), *server = *state;
	struct dirent **names = NULL;
	char folder[2048];
	int count;

	(void)snprintf(folder, sizeof folder, "%s/tests/vectors/binlog/%s", top != NULL ? top : ".", server);
	count = scandir(folder, &names, is_binlog, alphasort);
	assert_true(count >= 10);
	for (int i = 0; i < count; i++) {
		names[i]->d_name[strlen(names[i]->d_name) - 7] = '\0';
		replay_file(folder, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	print_message("# %s: %d files\n", server, count);
}

int main(void)
{
	static char mariadb_106[] = "mariadb-10.6", mariadb_1011[] = "mariadb-10.11", mariadb_118[] = "mariadb-11.8", mysql_80[] = "mysql-8.0",
		mysql_84[] = "mysql-8.4", mysql_97[] = "mysql-9.7";
	const struct CMUnitTest tests[] = {
		{ "mariadb-10.6", test_server, NULL, NULL, mariadb_106 },
		{ "mariadb-10.11", test_server, NULL, NULL, mariadb_1011 },
		{ "mariadb-11.8", test_server, NULL, NULL, mariadb_118 },
		{ "mysql-8.0", test_server, NULL, NULL, mysql_80 },
		{ "mysql-8.4", test_server, NULL, NULL, mysql_84 },
		{ "mysql-9.7", test_server, NULL, NULL, mysql_97 },
	};

	return cmocka_run_group_tests_name("capture/decode_binlog recorded vectors", tests, NULL, NULL);
}
