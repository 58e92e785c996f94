/*
 * settings.c: a configuration file becomes a program's settings struct.
 *
 *   1. libconfig parses the text (and what it includes) into a tree; scan.c looks for integers that it has truncated.
 *   2. Every name in the tree must be in the option table.
 *   3. Each option is taken from the command line (-o), else from the tree, else from its default; references are
 *      replaced, the type and the bounds checked, and the value put at the option's offset.
 *   4. Only when all is well the caller's struct is written.
 *
 * libconfig 1.5 ends the process when a file cannot be read to its end, so that the file is read here.
 */
#include "lib/settings/settings.h"

#include <libconfig.h>
#include <regex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/settings/internal.h"

#define FILE_MAX ((size_t)1 << 20)
#define STRINGS_MAX ((size_t)8 << 20)
#define NAME_MAX_BYTES ((size_t)160)

struct secret {
	struct secret *next;
	char *text;
	size_t len;
};

struct settings {
	struct arena arena;
	struct secret *secrets;
};

struct loader {
	const struct settings_program *program;
	const char *path;
	char *folder;
	const char *const *overrides;
	size_t override_count;
	config_t config;
	struct settings *settings;
	struct error *err;
};

/* Where a value came from. */
struct place {
	const char *file; /* "-o" for the command line */
	unsigned line;    /* 0: none */
};

/* The option as the user has to write it; members of a group list have a prefix. */
struct target {
	const struct setting *option;
	const char *within; /* "" or "tables." */
	struct place place;
};

/* ---- errors ---- */
static int refuse_at(struct loader *loader, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse_at(struct loader *loader, struct place place, const char *format, ...)
{
	char text[sizeof loader->err->text];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (place.line == 0)
		return error_set(loader->err, ERROR_CONFIG, "%s: %s", place.file, text);
	return error_set(loader->err, ERROR_CONFIG, "%s:%u: %s", place.file, place.line, text);
}

static int refuse_type(struct loader *loader, const struct target *target, const char *must_be)
{
	return refuse_at(loader, target->place, "option \"%s%s\" must be %s", target->within, target->option->name,
		must_be);
}

/* raw: as it was written, so that what a reference brought in is not shown. */
static int refuse_value(struct loader *loader, const struct target *target, const char *raw, const char *must)
{
	if (target->option->secret)
		return refuse_at(loader, target->place, "option \"%s%s\" %s", target->within, target->option->name,
			must);
	return refuse_at(loader, target->place, "option \"%s%s\" is \"%s\", %s", target->within, target->option->name,
		raw, must);
}

/* libconfig names an included file as it stands in the @include; NULL is the file itself. */
static const char *path_of(const struct loader *loader, const char *file)
{
	char *path;

	if (file == NULL)
		return loader->path;
	path = file[0] == '/' ? NULL : arena_printf(&loader->settings->arena, "%s/%s", loader->folder, file);
	return path != NULL ? path : file;
}

static struct place place_of(const struct loader *loader, const config_setting_t *node)
{
	return (struct place){ path_of(loader, config_setting_source_file(node)),
		(unsigned)config_setting_source_line(node) };
}

/* ---- single values ---- */
static int keep_string(struct loader *loader, const struct target *target, const char *raw, char **ret_text)
{
	struct settings *settings = loader->settings;
	char *text = NULL;

	if (settings_has_reference(raw)) {
		if (settings_expand(&settings->arena, raw, loader->folder, &text, loader->err) < 0) {
			struct error *err = loader->err;

			if (target->place.line == 0)
				return error_prefix(err, "%s: option \"%s%s\"", target->place.file, target->within,
					target->option->name);
			return error_prefix(err, "%s:%u: option \"%s%s\"", target->place.file, target->place.line,
				target->within, target->option->name);
		}
	} else {
		text = arena_strndup(&settings->arena, raw, strlen(raw));
	}
	if (text == NULL)
		return arena_error(&settings->arena, loader->err);
	if (target->option->secret) {
		struct secret *secret = arena_alloc(&settings->arena, sizeof *secret);

		if (secret == NULL)
			return arena_error(&settings->arena, loader->err);
		*secret = (struct secret){ settings->secrets, text, strlen(text) };
		settings->secrets = secret;
	}
	*ret_text = text;
	return 0;
}

static int check_bounds(struct loader *loader, const struct target *target, const char *raw, int64_t value)
{
	const struct setting *option = target->option;
	char must[128], bounds[80];

	if ((option->min == 0 && option->max == 0) || (value >= option->min && value <= option->max))
		return 0;
	(void)snprintf(must, sizeof must, "must be between %s",
		settings_format_bounds(option, "and", bounds, sizeof bounds));
	return refuse_value(loader, target, raw, must);
}

static int check_choice(struct loader *loader, const struct target *target, const char *raw, const char *text)
{
	const char *choice = target->option->choices;
	size_t len = strlen(text);
	char must[256], choices[200];

	while (*choice != '\0') {
		size_t choice_len = strcspn(choice, "|");

		if (choice_len == len && memcmp(choice, text, len) == 0)
			return 0;
		choice += choice_len;
		choice += *choice == '|';
	}
	(void)snprintf(must, sizeof must, "must be one of: %s",
		settings_choices(target->option->choices, choices, sizeof choices));
	return refuse_value(loader, target, raw, must);
}

static int check_pattern(struct loader *loader, const struct target *target, const char *raw, const char *text)
{
	char whole[256], must[256];
	regex_t regex;
	int rc;

	if (target->option->pattern == NULL)
		return 0;
	(void)snprintf(whole, sizeof whole, "^(%s)$", target->option->pattern);
	if (regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB) != 0)
		return error_set(loader->err, ERROR_BUG, "option table: the pattern of \"%s\" is no regular expression",
			target->option->name);
	rc = regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	if (rc == 0)
		return 0;
	(void)snprintf(must, sizeof must, "must match %s", target->option->pattern);
	return refuse_value(loader, target, raw, must);
}

static int put_text(struct loader *loader, const struct target *target, const char *raw, const char *text, void *to)
{
	const struct setting *option = target->option;

	if (option->required && text[0] == '\0')
		return refuse_at(loader, target->place, "option \"%s%s\" must not be empty", target->within,
			option->name);
	if (option->type == SETTING_ENUM ? check_choice(loader, target, raw, text) < 0 :
					   check_pattern(loader, target, raw, text) < 0)
		return -1;
	*(const char **)to = text;
	return 0;
}

static int put_number(struct loader *loader, const struct target *target, const char *raw, int64_t value, void *to)
{
	if (check_bounds(loader, target, raw, value) < 0)
		return -1;
	*(int64_t *)to = value;
	return 0;
}

/* A value that was written as text: a string of the file, a default, or the command line. */
static int put_string(struct loader *loader, const struct target *target, const char *raw, void *to)
{
	int64_t value = 0;
	char *text;

	if (keep_string(loader, target, raw, &text) < 0)
		return -1;
	switch (target->option->type) {
	case SETTING_STRING:
	case SETTING_ENUM:
		return put_text(loader, target, raw, text, to);
	case SETTING_BOOL:
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			return refuse_value(loader, target, raw, "must be true or false");
		*(bool *)to = text[0] == 't';
		return 0;
	case SETTING_INT:
		if (settings_parse_int(text, &value) < 0)
			return refuse_value(loader, target, raw, "must be an integer");
		return put_number(loader, target, raw, value, to);
	case SETTING_DURATION:
		if (settings_parse_duration(text, &value) < 0) {
			(void)refuse_value(loader, target, raw, "must be a duration");
			return error_hint(loader->err, "a whole number and a unit (us, ms, s, min, h, d): \"%s\"",
				target->option->fallback != NULL ? target->option->fallback : "10s");
		}
		return put_number(loader, target, raw, value, to);
	case SETTING_SIZE:
		if (settings_parse_size(text, &value) < 0) {
			(void)refuse_value(loader, target, raw, "must be a size");
			return error_hint(loader->err, "a whole number and a unit (B, KiB, MiB, GiB): \"%s\"",
				target->option->fallback != NULL ? target->option->fallback : "16MiB");
		}
		return put_number(loader, target, raw, value, to);
	case SETTING_STRINGS:
	case SETTING_GROUPS:
		break;
	}
	return error_set(loader->err, ERROR_BUG, "option table: \"%s\" has a type that is not known",
		target->option->name);
}

/* ---- lists ---- */
static int put_list(struct loader *loader, const struct target *target, const config_setting_t *node, void *to)
{
	int count = config_setting_length(node);
	struct settings_list *list = to;
	const char **items = arena_zalloc(&loader->settings->arena, sizeof *items * ((size_t)count + 1));

	if (items == NULL)
		return arena_error(&loader->settings->arena, loader->err);
	for (int i = 0; i < count; i++) {
		const config_setting_t *element = config_setting_get_elem(node, (unsigned)i);
		char *text;

		if (config_setting_type(element) != CONFIG_TYPE_STRING)
			return refuse_type(loader, target, "a list of strings");
		if (keep_string(loader, target, config_setting_get_string(element), &text) < 0)
			return -1;
		if (text[0] == '\0')
			return refuse_at(loader, target->place, "option \"%s%s\" has an empty item", target->within,
				target->option->name);
		items[i] = text;
	}
	*list = (struct settings_list){ items, (size_t)count };
	return 0;
}

/* From the command line: items separated by commas. */
static int put_list_text(struct loader *loader, const struct target *target, const char *raw, void *to)
{
	struct settings_list *list = to;
	const char **items;
	size_t count = 0, most = 1;
	char *text;

	if (keep_string(loader, target, raw, &text) < 0)
		return -1;
	for (const char *c = text; *c != '\0'; c++)
		most += *c == ',';
	items = arena_zalloc(&loader->settings->arena, sizeof *items * (most + 1));
	if (items == NULL)
		return arena_error(&loader->settings->arena, loader->err);
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		bool more = text[len] == ',';

		text[len] = '\0';
		if (len == 0)
			return refuse_at(loader, target->place, "option \"%s%s\" has an empty item", target->within,
				target->option->name);
		items[count++] = text;
		text += len + more;
	}
	*list = (struct settings_list){ items, count };
	return 0;
}

static int put_groups(struct loader *loader, const struct target *target, const config_setting_t *node, void *to);

/* ---- one option ---- */
static int put_node(struct loader *loader, const struct target *target, const config_setting_t *node, void *to)
{
	const struct setting *option = target->option;
	int type = config_setting_type(node);
	bool is_integer = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	char raw[32];

	if (option->type == SETTING_GROUPS)
		return put_groups(loader, target, node, to);
	if (option->type == SETTING_STRINGS) {
		if (type == CONFIG_TYPE_ARRAY || type == CONFIG_TYPE_LIST)
			return put_list(loader, target, node, to);
		(void)refuse_type(loader, target, "a list of strings");
		return error_hint(loader->err, "%s = [ \"...\", \"...\" ];", config_setting_name(node));
	}
	if (type == CONFIG_TYPE_STRING) {
		const char *text = config_setting_get_string(node);

		if (!settings_has_reference(text) && option->type == SETTING_BOOL)
			return refuse_type(loader, target, "true or false, without quotes");
		if (!settings_has_reference(text) && option->type == SETTING_INT)
			return refuse_type(loader, target, "an integer, without quotes");
		return put_string(loader, target, text, to);
	}
	if (type == CONFIG_TYPE_BOOL && option->type == SETTING_BOOL) {
		*(bool *)to = config_setting_get_bool(node);
		return 0;
	}
	if (is_integer && (option->type == SETTING_INT || option->type == SETTING_SIZE)) {
		(void)snprintf(raw, sizeof raw, "%lld", config_setting_get_int64(node));
		return put_number(loader, target, raw, config_setting_get_int64(node), to);
	}
	switch (option->type) {
	case SETTING_BOOL:
		return refuse_type(loader, target, "true or false");
	case SETTING_INT:
		return refuse_type(loader, target, "an integer");
	case SETTING_DURATION:
		(void)refuse_type(loader, target, "a string with a unit");
		return error_hint(loader->err, "%s = \"%s\";", config_setting_name(node),
			option->fallback != NULL ? option->fallback : "10s");
	case SETTING_SIZE:
		return refuse_type(loader, target, "a number of bytes or a string with a unit");
	default:
		return refuse_type(loader, target, "a string, in quotes");
	}
}

/* value: of the option that this one depends on. */
static int put_default(struct loader *loader, const struct target *target, const char *value, void *to)
{
	const struct setting *option = target->option;
	bool other = option->only != NULL && !settings_is_choice(option->only, value);
	char buf[64];
	const char *fallback = settings_fallback(option, value, buf, sizeof buf);

	if (!other && (option->required || (option->required_for != NULL && settings_is_choice(option->required_for, value)))) {
		size_t group = settings_group_length(option->name);

		(void)refuse_at(loader, target->place, "required option \"%s%s\" is missing", target->within,
			option->name);
		if (group > 0)
			return error_hint(loader->err, "%.*s = { %s = \"%s\"; };", (int)group, option->name,
				option->name + group + 1, option->example != NULL ? option->example : "...");
		return error_hint(loader->err, "%s = \"%s\";", option->name,
			option->example != NULL ? option->example : "...");
	}
	if (option->type == SETTING_STRINGS || option->type == SETTING_GROUPS)
		return 0;
	if (fallback == NULL) {
		if (option->type == SETTING_STRING || option->type == SETTING_ENUM)
			*(const char **)to = "";
		return 0;
	}
	/* An empty default means "not given", which no pattern need allow. */
	if (fallback[0] == '\0') {
		*(const char **)to = "";
		return 0;
	}
	if (put_string(loader, target, fallback, to) < 0)
		return error_set(loader->err, ERROR_BUG, "option table: the default of \"%s\" is refused",
			option->name);
	return 0;
}

/* ---- groups in a list ---- */
static int check_members(struct loader *loader, const struct target *target, const config_setting_t *group,
	const char *within)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *node = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(node);

		if (settings_find(target->option->members, name) != NULL)
			continue;
		(void)refuse_at(loader, place_of(loader, node), "unknown option \"%s%s\"", within, name);
		settings_suggest(target->option->members, within, name, loader->err);
		return -1;
	}
	return 0;
}

static int put_group(struct loader *loader, const struct target *target, const config_setting_t *group, char *to)
{
	char within[NAME_MAX_BYTES];

	(void)snprintf(within, sizeof within, "%s.", target->option->name);
	if (check_members(loader, target, group, within) < 0)
		return -1;
	for (const struct setting *member = target->option->members; member->name != NULL; member++) {
		const config_setting_t *node = config_setting_get_member(group, member->name);
		struct target inner = { member, within, place_of(loader, node != NULL ? node : group) };
		int rc = node != NULL ? put_node(loader, &inner, node, to + member->offset) :
					put_default(loader, &inner, "", to + member->offset);

		if (rc < 0)
			return -1;
	}
	return 0;
}

static int put_groups(struct loader *loader, const struct target *target, const config_setting_t *node, void *to)
{
	size_t size = target->option->member_size;
	struct settings_groups *groups = to;
	int count = config_setting_length(node);
	char *items;

	if (config_setting_type(node) != CONFIG_TYPE_LIST) {
		(void)refuse_type(loader, target, "a list of groups");
		return error_hint(loader->err, "%s = ( { ... }, { ... } );", target->option->name);
	}
	items = arena_zalloc(&loader->settings->arena, size * ((size_t)count + 1));
	if (items == NULL)
		return arena_error(&loader->settings->arena, loader->err);
	for (int i = 0; i < count; i++) {
		const config_setting_t *group = config_setting_get_elem(node, (unsigned)i);

		if (config_setting_type(group) != CONFIG_TYPE_GROUP)
			return refuse_type(loader, target, "a list of groups");
		if (put_group(loader, target, group, items + size * (size_t)i) < 0)
			return -1;
	}
	*groups = (struct settings_groups){ items, (size_t)count };
	return 0;
}

/* ---- the tree's names ---- */
static int refuse_unknown(struct loader *loader, struct place place, const char *name)
{
	(void)refuse_at(loader, place, "unknown option \"%s\"", name);
	settings_suggest(loader->program->options, "", name, loader->err);
	return -1;
}

static int check_names(struct loader *loader, const config_setting_t *group, const char *prefix)
{
	const struct setting *options = loader->program->options;

	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *node = config_setting_get_elem(group, (unsigned)i);
		char name[NAME_MAX_BYTES];

		(void)snprintf(name, sizeof name, "%s%s", prefix, config_setting_name(node));
		if (settings_find(options, name) != NULL)
			continue;
		if (!settings_is_group(options, name))
			return refuse_unknown(loader, place_of(loader, node), name);
		if (config_setting_type(node) != CONFIG_TYPE_GROUP) {
			(void)refuse_at(loader, place_of(loader, node), "\"%s\" must be a group", name);
			return error_hint(loader->err, "%s = { ... };", name);
		}
		(void)snprintf(name, sizeof name, "%s%s.", prefix, config_setting_name(node));
		if (check_names(loader, node, name) < 0)
			return -1;
	}
	return 0;
}

static int check_overrides(struct loader *loader)
{
	static const struct place command_line = { "-o", 0 };

	for (size_t i = 0; i < loader->override_count; i++) {
		const char *equals = strchr(loader->overrides[i], '=');
		const struct setting *option;
		char name[NAME_MAX_BYTES];

		if (equals == NULL)
			return refuse_at(loader, command_line, "\"%s\" is not of the form OPTION=VALUE",
				loader->overrides[i]);
		(void)snprintf(name, sizeof name, "%.*s", (int)(equals - loader->overrides[i]), loader->overrides[i]);
		option = settings_find(loader->program->options, name);
		if (option == NULL)
			return refuse_unknown(loader, command_line, name);
		if (option->type == SETTING_GROUPS)
			return refuse_at(loader, command_line, "option \"%s\" can only be given in the file", name);
		if (option->secret && strncmp(equals + 1, "${", 2) != 0) {
			(void)refuse_at(loader, command_line, "option \"%s\" is a secret and must not be given here",
				name);
			return error_hint(loader->err, "everybody can read a command line; use ${file:PATH}");
		}
	}
	return 0;
}

/* ---- filling the struct ---- */
static const char *find_override(const struct loader *loader, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = loader->override_count; i-- > 0;)
		if (strncmp(loader->overrides[i], name, len) == 0 && loader->overrides[i][len] == '=')
			return loader->overrides[i] + len + 1;
	return NULL;
}

/* An option that the value of another one leaves no room for. */
static int refuse_other(struct loader *loader, const struct target *target, const char *value)
{
	const struct setting *option = target->option;
	char only[200];

	(void)refuse_at(loader, target->place, "option \"%s\" is not for %s = \"%s\"", option->name, option->depends_on,
		value);
	return error_hint(loader->err, "leave it out: it is for %s only",
		settings_choices(option->only, only, sizeof only));
}

static int fill_option(struct loader *loader, const struct setting *option, char *values)
{
	const char *override = find_override(loader, option->name);
	const config_setting_t *node = config_lookup(&loader->config, option->name);
	struct target target = { option, "", { "-o", 0 } };
	const char *value = settings_depends_value(loader->program->options, option, values);
	char *to = values + option->offset;

	if (override == NULL && node != NULL)
		target.place = place_of(loader, node);
	if ((override != NULL || node != NULL) && !settings_applies(loader->program->options, option, values))
		return refuse_other(loader, &target, value);
	if (override != NULL)
		return option->type == SETTING_STRINGS ? put_list_text(loader, &target, override, to) :
							 put_string(loader, &target, override, to);
	if (node != NULL)
		return put_node(loader, &target, node, to);
	target.place.file = loader->path;
	return put_default(loader, &target, value, to);
}

static int fill_values(struct loader *loader, void *values)
{
	char *copy = calloc(1, loader->program->size);

	if (copy == NULL)
		return error_set(loader->err, ERROR_RETRY, "out of memory");
	for (const struct setting *option = loader->program->options; option->name != NULL; option++) {
		if (fill_option(loader, option, copy) < 0) {
			free(copy);
			return -1;
		}
	}
	memcpy(values, copy, loader->program->size);
	free(copy);
	return 0;
}

/* ---- reading ---- */
/* The most frequent mistake of a reader of Debezium's manual is "slot.name = ..." or "kafka.partitions = ...". */
static void hint_syntax(struct loader *loader, const char *text, int line)
{
	size_t letters;

	while (--line > 0 && text != NULL) {
		text = strchr(text, '\n');
		text = text != NULL ? text + 1 : NULL;
	}
	if (text == NULL)
		return;
	text += strspn(text, " \t");
	letters = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
	if (letters > 0 && text[letters] == '.')
		(void)error_hint(loader->err, "a name has no dots: write a group, %.*s = { ... };", (int)letters, text);
}

static int parse(struct loader *loader)
{
	struct buf text;
	int rc;

	if (settings_read_file(loader->path, FILE_MAX, &text, loader->err) < 0)
		return -1;
	config_set_include_dir(&loader->config, loader->folder);
	rc = config_read_string(&loader->config, buf_cstr(&text)) == CONFIG_TRUE ? 0 : -1;
	if (rc < 0) {
		const char *file = config_error_file(&loader->config);
		struct place place = { path_of(loader, file), (unsigned)config_error_line(&loader->config) };

		(void)refuse_at(loader, place, "%s", config_error_text(&loader->config));
		if (file == NULL)
			hint_syntax(loader, buf_cstr(&text), config_error_line(&loader->config));
	} else {
		rc = settings_scan_integers(loader->path, buf_cstr(&text), text.len, loader->err);
	}
	settings_wipe(&text);
	return rc;
}

/* libconfig notes the names of the files that it has included. */
static int scan_included(struct loader *loader)
{
	for (unsigned i = 0; i < loader->config.num_filenames; i++) {
		const char *file = path_of(loader, loader->config.filenames[i]);
		struct buf text;
		int rc;

		if (settings_read_file(file, FILE_MAX, &text, loader->err) < 0)
			return -1;
		rc = settings_scan_integers(file, buf_cstr(&text), text.len, loader->err);
		settings_wipe(&text);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static char *folder_of(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return arena_strndup(arena, ".", 1);
	return arena_strndup(arena, path, slash == path ? 1 : (size_t)(slash - path));
}

int settings_load(const struct settings_program *program, const char *path, const char *const *overrides,
	size_t override_count, void *values, struct settings **ret_settings, struct error *err)
{
	struct error ignored = ERROR_INIT;
	struct loader loader = {
		.program = program,
		.path = path,
		.overrides = overrides,
		.override_count = override_count,
		.err = err != NULL ? err : &ignored,
	};
	int rc = -1;

	config_init(&loader.config);
	loader.settings = calloc(1, sizeof *loader.settings);
	if (loader.settings == NULL) {
		(void)error_set(loader.err, ERROR_RETRY, "out of memory");
		goto out;
	}
	arena_init(&loader.settings->arena, STRINGS_MAX);
	loader.folder = folder_of(&loader.settings->arena, path);
	if (loader.folder == NULL) {
		(void)arena_error(&loader.settings->arena, loader.err);
		goto out;
	}
	if (check_overrides(&loader) < 0 || parse(&loader) < 0 || scan_included(&loader) < 0)
		goto out;
	if (check_names(&loader, config_root_setting(&loader.config), "") < 0 || fill_values(&loader, values) < 0)
		goto out;
	*ret_settings = loader.settings;
	loader.settings = NULL;
	rc = 0;
out:
	config_destroy(&loader.config);
	settings_free(loader.settings);
	return rc;
}

void settings_free(struct settings *settings)
{
	if (settings == NULL)
		return;
	for (const struct secret *secret = settings->secrets; secret != NULL; secret = secret->next)
		explicit_bzero(secret->text, secret->len);
	arena_release(&settings->arena);
	free(settings);
}
