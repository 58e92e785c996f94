/*
 * check.c: `tailrace check`: reads configuration files as their agents would.
 */
#include "config.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "apply/map.h"
#include "tool/tool.h"

/* Does a line of the file match? */
static bool has_line(FILE *file, const char *pattern)
{
	char line[4096];
	bool found = false;
	regex_t regex;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	rewind(file);
	while (!found && fgets(line, sizeof line, file) != NULL)
		found = regexec(&regex, line, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

/*
 * Which agent's file is it? PostgreSQL's log needs a slot, which only a capture agent's file has. A file for MySQL or MariaDB may
 * have nothing that the other kind would not take: then the agent's name or the file's says it.
 */
int tool_kind_of(const char *path, enum tool_kind *ret_kind, struct error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	FILE *file = fopen(path, "r");
	bool capture;

	if (file == NULL)
		return error_set(err, ERROR_CONFIG, "could not open \"%s\": %s", path, strerror(errno));
	capture = has_line(file, "^[[:space:]]*(slot|publication)_[a-z]*[[:space:]]*[=:]");
	if (!capture && has_line(file, "(^|[^a-z_])type[[:space:]]*[=:][[:space:]]*\"(mysql|mariadb)\""))
		capture = has_line(file, "(^|[^a-z_])(server_id|partitions|replication_factor|semi_sync|state_directory|"
					 "tombstones_on_delete|status_interval|queue_size|delivery|registry)[[:space:]]*[=:]") ||
			has_line(file, "^[[:space:]]*name[[:space:]]*[=:].*capture") || strstr(name, "capture") != NULL;
	*ret_kind = capture ? TOOL_CAPTURE : TOOL_APPLY;
	(void)fclose(file);
	return 0;
}

struct kafka_config tool_kafka(const struct tool_file *file)
{
	bool capture = file->kind == TOOL_CAPTURE;
	const struct settings_list *properties = capture ? &file->capture.properties : &file->apply.properties;

	return (struct kafka_config){
		.bootstrap_servers = capture ? file->capture.bootstrap_servers : file->apply.bootstrap_servers,
		.client_id = "tailrace",
		.properties = properties->items,
		.property_count = properties->count,
	};
}

int tool_load(const char *path, struct tool_file *ret_file, struct error *err)
{
	struct tool_file file;
	struct kafka_config kafka;
	int rc;

	if (tool_kind_of(path, &file.kind, err) == -1)
		return -1;
	if (file.kind == TOOL_CAPTURE)
		rc = settings_load(&capture_program, path, NULL, 0, &file.capture, &file.settings, err);
	else
		rc = settings_load(&apply_program, path, NULL, 0, &file.apply, &file.settings, err);
	if (rc == -1)
		return -1;
	kafka = tool_kafka(&file);
	if (kafka_config_check(&kafka, err) == -1 || (file.kind == TOOL_APPLY && map_check(&file.apply, err) == -1)) {
		settings_free(file.settings);
		return error_prefix(err, "%s", path);
	}
	*ret_file = file;
	return 0;
}

static int check(const char *path, struct error *err)
{
	struct tool_file file;

	if (tool_load(path, &file, err) == -1)
		return -1;
	settings_free(file.settings);
	(void)printf("%s: ok, for tailrace-%s\n", path, file.kind == TOOL_CAPTURE ? "capture" : "apply");
	return 0;
}

int tool_check(int argc, char **argv)
{
	int code = EX_OK;

	if (argc < 2) {
		(void)fprintf(stderr, "tailrace: check: which file?\n");
		return EX_USAGE;
	}
	for (int i = 1; i < argc; i++) {
		struct error err = ERROR_INIT;

		if (check(argv[i], &err) == -1)
			code = tool_fail(&err);
	}
	return code;
}
