/*
 * main.c: tailrace-capture: the capture pipeline inside the agent's frame.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "capture/options.h"
#include "capture/pipeline.h"
#include "capture/source.h"
#include "lib/agent/agent.h"
#include "lib/kafka/kafka.h"

/* Each entry is SCHEMA.TABLE, with or without wildcards. */
static int check_tables(const char *option, const struct settings_list *list, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *dot = strchr(list->items[i], '.');

		if (dot != NULL && dot != list->items[i] && dot[1] != '\0')
			continue;
		error_set(err, ERROR_CONFIG, "\"%s\" in %s is not of the form SCHEMA.TABLE", list->items[i], option);
		return error_hint(err, "for example public.customer or billing.* (MySQL and MariaDB: DATABASE.TABLE)");
	}
	return 0;
}

static int check(const void *values, struct error *err)
{
	const struct capture_settings *settings = values;
	struct kafka_config kafka;

	pipeline_kafka(settings, &kafka);
	if (kafka_config_check(&kafka, err) < 0)
		return error_prefix(err, "kafka.properties");
	if (check_tables("table_include_list", &settings->table_include_list, err) < 0)
		return -1;
	return check_tables("table_exclude_list", &settings->table_exclude_list, err);
}

int main(int argc, char **argv)
{
	static const struct agent_program program = {
		.kind = "capture",
		.running_name = "streaming",
		.settings = &capture_program,
		.name_offset = offsetof(struct capture_settings, name),
		.run_directory_offset = offsetof(struct capture_settings, run_directory),
		.log_format_offset = offsetof(struct capture_settings, log_format),
		.log_level_offset = offsetof(struct capture_settings, log_level),
		.heartbeat_interval_offset = offsetof(struct capture_settings, heartbeat_interval_us),
		.check = check,
		.run = pipeline_run,
		.http = pipeline_http,
	};
	static const struct source_ops *const sources[] = { &source_postgres, &source_mysql, &source_mariadb, NULL };
	static struct capture_settings settings;
	static struct pipeline_context context;
	int code;

	pipeline_init(&context, &settings, sources);
	code = agent_main(&program, &settings, &context, argc, argv);
	pipeline_release(&context);
	return code;
}
