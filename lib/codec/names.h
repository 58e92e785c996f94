/*
 * names.h: names of the source -> names that Kafka and Avro allow.
 *
 *   Kafka topic  [A-Za-z0-9._-], at most 249 bytes        codec_topic_name() in codec.h
 *   Avro name    [A-Za-z_][A-Za-z0-9_]*                   a forbidden character becomes '_', a leading digit gets one before it
 *   namespace    the topic's name, each part between dots made an Avro name
 *
 * A character is a UTF-8 sequence: one '_' each, as Debezium does it. Two columns with one Avro name are refused.
 */
#ifndef TAILRACE_CODEC_NAMES_H
#define TAILRACE_CODEC_NAMES_H

#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/change/table.h"

/* Appends the Avro name for one name, or for one part of a namespace. */
void names_append_avro(struct buf *out, const char *name, size_t len);
void names_append_namespace(struct buf *out, const char *topic);
/* As the parts of codec_topic_name(). */
void names_append_kafka(struct buf *out, const char *name);

/*
 * The Avro field name of each column, in one allocation (free() it). ERROR_CONFIG naming both columns if two have
 * the same.
 */
int names_fields(const struct table *table, char ***ret_fields, struct error *err);

#endif
