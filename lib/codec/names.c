/*
 * names.c: see names.h.
 */
#include "lib/codec/names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/codec/codec.h"

#define TOPIC_MAX 249
#define NAMES_MAX ((size_t)4 << 20)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

void names_append_avro(struct buf *out, const char *name, size_t len)
{
	if (len == 0 || is_digit(name[0]))
		buf_append_byte(out, '_');
	for (size_t i = 0; i < len; i++) {
		if (is_word(name[i]))
			buf_append_byte(out, name[i]);
		else if (!is_continuation(name[i]) || i == 0)
			buf_append_byte(out, '_');
	}
}

void names_append_namespace(struct buf *out, const char *topic)
{
	for (;;) {
		size_t len = strcspn(topic, ".");

		names_append_avro(out, topic, len);
		if (topic[len] == '\0')
			return;
		buf_append_byte(out, '.');
		topic += len + 1;
	}
}

void names_append_kafka(struct buf *out, const char *name)
{
	for (size_t i = 0; name[i] != '\0'; i++) {
		if (is_word(name[i]) || name[i] == '.' || name[i] == '-')
			buf_append_byte(out, name[i]);
		else if (!is_continuation(name[i]) || i == 0)
			buf_append_byte(out, '_');
	}
}

int codec_topic_name(const char *prefix, const struct table *table, struct buf *out, struct error *err)
{
	size_t start = out->len;

	names_append_kafka(out, prefix);
	buf_append_byte(out, '.');
	names_append_kafka(out, table->schema);
	buf_append_byte(out, '.');
	names_append_kafka(out, table->name);
	if (buf_check(out, "the topic's name", err) < 0)
		return -1;
	if (out->len - start > TOPIC_MAX) {
		(void)error_set(err, ERROR_CONFIG, "topic name of table %s.%s has %zu bytes, Kafka allows %d", table->schema,
			table->name, out->len - start, TOPIC_MAX);
		out->len = start;
		return error_hint(err, "choose a shorter topic_prefix or exclude the table");
	}
	return 0;
}

static int find_collision(const struct table *table, char **fields, struct error *err)
{
	for (size_t i = 0; i < table->column_count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(fields[i], fields[j]) == 0) {
				(void)error_set(err, ERROR_CONFIG, "columns \"%s\" and \"%s\" of table %s.%s have the same Avro name %s",
					table->columns[j].name, table->columns[i].name, table->schema, table->name, fields[i]);
				return error_hint(err, "rename one of the columns or leave it out of the publication");
			}
	return 0;
}

int names_fields(const struct table *table, char ***ret_fields, struct error *err)
{
	size_t count = table->column_count, offset = 0;
	struct buf texts;
	char **fields = NULL;
	int rc = -1;

	buf_init(&texts, NAMES_MAX);
	for (size_t i = 0; i < count; i++) {
		names_append_avro(&texts, table->columns[i].name, strlen(table->columns[i].name));
		buf_append_byte(&texts, '\0');
	}
	if (buf_check(&texts, "the table's column names", err) < 0)
		goto out;
	fields = malloc(count * sizeof *fields + texts.len + 1);
	if (fields == NULL) {
		(void)error_set(err, ERROR_RETRY, "out of memory");
		goto out;
	}
	if (texts.len > 0)
		memcpy(fields + count, texts.data, texts.len);
	for (size_t i = 0; i < count; i++) {
		fields[i] = (char *)(fields + count) + offset;
		offset += strlen(fields[i]) + 1;
	}
	if (find_collision(table, fields, err) < 0)
		goto out;
	*ret_fields = fields;
	fields = NULL;
	rc = 0;
out:
	free(fields);
	buf_release(&texts);
	return rc;
}
