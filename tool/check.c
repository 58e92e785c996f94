/*
 * check.c: `tailrace check`: reads configuration files as their agents would.
 */
#include "config.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "apply/options.h"
#include "capture/options.h"
#include "tool/tool.h"

int tool_kind_of(const char *path, enum tool_kind *ret_kind, struct error *err)
{
	char line[4096];
	regex_t slot;
	FILE *file = fopen(path, "r");

	if (file == NULL)
		return error_set(err, ERROR_CONFIG, "could not open \"%s\": %s", path, strerror(errno));
	*ret_kind = TOOL_APPLY;
	if (regcomp(&slot, "^[[:space:]]*(slot|publication)_[a-z]*[[:space:]]*[=:]", REG_EXTENDED | REG_NOSUB) == 0) {
		while (fgets(line, sizeof line, file) != NULL)
			if (regexec(&slot, line, 0, NULL, 0) == 0)
				*ret_kind = TOOL_CAPTURE;
		regfree(&slot);
	}
	(void)fclose(file);
	return 0;
}

static int check(const char *path, struct error *err)
{
	union {
		struct capture_settings capture;
		struct apply_settings apply;
	} values;
	struct settings *settings = NULL;
	enum tool_kind kind;

	if (tool_kind_of(path, &kind, err) == -1)
		return -1;
	if (settings_load(kind == TOOL_CAPTURE ? &capture_program : &apply_program, path, NULL, 0, &values, &settings, err) == -1)
		return -1;
	settings_free(settings);
	(void)printf("%s: ok, for tailrace-%s\n", path, kind == TOOL_CAPTURE ? "capture" : "apply");
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
