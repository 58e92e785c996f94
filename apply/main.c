/*
 * main.c: tailrace-apply, which applies the changes of one source to one target database.
 */
#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>

#include "apply/options.h"
#include "apply/pipeline.h"
#include "lib/agent/agent.h"

int main(int argc, char **argv)
{
	static struct apply_settings settings;
	static const struct agent_program program = {
		.kind = "apply",
		.running_name = "applying",
		.settings = &apply_program,
		.name_offset = offsetof(struct apply_settings, name),
		.run_directory_offset = offsetof(struct apply_settings, run_directory),
		.log_format_offset = offsetof(struct apply_settings, log_format),
		.log_level_offset = offsetof(struct apply_settings, log_level),
		.heartbeat_interval_offset = offsetof(struct apply_settings, heartbeat_interval_us),
		.check = pipeline_check,
		.run = pipeline_run,
		.http = pipeline_http,
	};
	struct pipeline *line = pipeline_new(&settings);
	int status;

	if (line == NULL) {
		(void)fprintf(stderr, "tailrace-apply: out of memory\n");
		return EX_OSERR;
	}
	status = agent_main(&program, &settings, line, argc, argv);
	pipeline_free(line);
	return status;
}
