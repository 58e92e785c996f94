/*
 * fake_schemas.h: a registry in memory, for tests of the codec and of whoever uses it. The same text has the same
 * id in every subject, as in the real one. Header only; a test that uses it links nothing for it.
 *
 *     struct fake_schemas fake;
 *     fake_schemas_init(&fake);
 *     encoder_new(&source, &fake.schemas, &encoder, &err);
 *     ...
 *     fake_schemas_release(&fake);
 */
#ifndef TAILRACE_TESTS_UNIT_FAKE_SCHEMAS_H
#define TAILRACE_TESTS_UNIT_FAKE_SCHEMAS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/codec/codec.h"

struct fake_schema {
	char *subject; /* the first that asked for it */
	char *text;
};

struct fake_schemas {
	struct codec_schemas schemas; /* hand this to the codec */
	struct fake_schema *items;    /* id = index + 1 */
	size_t count;
	unsigned ids_calls, text_calls;
	enum error_class fail; /* not ERROR_NONE: every call fails with it */
};

/* Adds a text without asking who wants it (a foreign writer's schema); returns its id. */
static inline int32_t fake_schemas_add(struct fake_schemas *fake, const char *subject, const char *text)
{
	for (size_t i = 0; i < fake->count; i++)
		if (strcmp(fake->items[i].text, text) == 0)
			return (int32_t)i + 1;
	fake->items = realloc(fake->items, (fake->count + 1) * sizeof *fake->items);
	if (fake->items == NULL)
		abort();
	fake->items[fake->count].subject = strdup(subject);
	fake->items[fake->count].text = strdup(text);
	return (int32_t)++fake->count;
}

static inline const char *fake_schemas_text(const struct fake_schemas *fake, int32_t id)
{
	return id < 1 || (size_t)id > fake->count ? NULL : fake->items[id - 1].text;
}

/* The id under which the subject's schema was registered last, or 0. */
static inline int32_t fake_schemas_of(const struct fake_schemas *fake, const char *subject)
{
	for (size_t i = fake->count; i > 0; i--)
		if (strcmp(fake->items[i - 1].subject, subject) == 0)
			return (int32_t)i;
	return 0;
}

static inline int fake_schemas_ids_op(void *context, struct codec_registration *list, size_t count, struct error *err)
{
	struct fake_schemas *fake = context;

	fake->ids_calls++;
	if (fake->fail != ERROR_NONE)
		return error_set(err, fake->fail, "fake registry fails");
	for (size_t i = 0; i < count; i++)
		list[i].id = fake_schemas_add(fake, list[i].subject, list[i].schema);
	return 0;
}

static inline int fake_schemas_text_op(void *context, int32_t id, const char **ret_schema, struct error *err)
{
	struct fake_schemas *fake = context;
	const char *text = fake_schemas_text(fake, id);

	fake->text_calls++;
	if (fake->fail != ERROR_NONE)
		return error_set(err, fake->fail, "fake registry fails");
	if (text == NULL)
		return error_set(err, ERROR_DATA, "schema id %d is unknown", (int)id);
	*ret_schema = text;
	return 0;
}

static inline void fake_schemas_init(struct fake_schemas *fake)
{
	memset(fake, 0, sizeof *fake);
	fake->schemas.context = fake;
	fake->schemas.ids = fake_schemas_ids_op;
	fake->schemas.text = fake_schemas_text_op;
}

static inline void fake_schemas_release(struct fake_schemas *fake)
{
	for (size_t i = 0; i < fake->count; i++) {
		free(fake->items[i].subject);
		free(fake->items[i].text);
	}
	free(fake->items);
	fake_schemas_init(fake);
}

#endif
