/*
 * codec_support.h: what the codec's tests share: an encoder and a decoder on one fake registry, values, and a row of 15 columns like a customer's.
 */
#ifndef TAILRACE_TESTS_UNIT_CODEC_SUPPORT_H
#define TAILRACE_TESTS_UNIT_CODEC_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/fake_schemas.h"

#define TEXT_VALUE(s) { .kind = VALUE_TEXT, .text = { (s), sizeof(s) - 1 } }
#define EXACT_VALUE(s) { .kind = VALUE_EXACT, .text = { (s), sizeof(s) - 1 } }
#define BYTES_VALUE(s) { .kind = VALUE_BYTES, .text = { (s), sizeof(s) - 1 } }
#define INT_VALUE(n) { .kind = VALUE_INT, .i = (n) }
#define FLOAT_VALUE(n) { .kind = VALUE_FLOAT, .f = (n) }
#define UINT_VALUE(n) { .kind = VALUE_UINT, .u = (n) }
#define BOOL_VALUE(n) { .kind = VALUE_BOOL, .b = (n) }
#define NULL_VALUE { .kind = VALUE_NULL }
#define UNCHANGED_VALUE { .kind = VALUE_UNCHANGED }

#define CUSTOMER_COLUMNS 15
static const struct column customer_columns[CUSTOMER_COLUMNS] = {
	{ .name = "id", .type = COLUMN_INT64, .key = true, .source_type = "bigint" },
	{ .name = "number", .type = COLUMN_INT32, .source_type = "integer" },
	{ .name = "grade", .type = COLUMN_INT16, .source_type = "smallint" },
	{ .name = "first_name", .type = COLUMN_STRING, .source_type = "text" },
	{ .name = "last_name", .type = COLUMN_STRING, .source_type = "text" },
	{ .name = "email", .type = COLUMN_STRING, .source_type = "character varying(200)" },
	{ .name = "street", .type = COLUMN_STRING, .source_type = "text" },
	{ .name = "city", .type = COLUMN_STRING, .source_type = "text" },
	{ .name = "balance", .type = COLUMN_DECIMAL, .precision = 12, .scale = 2, .source_type = "numeric(12,2)" },
	{ .name = "born", .type = COLUMN_DATE, .source_type = "date" },
	{ .name = "created_at", .type = COLUMN_TIMESTAMPTZ, .fraction = 6, .source_type = "timestamp with time zone" },
	{ .name = "changed_at", .type = COLUMN_TIMESTAMP, .fraction = 6, .source_type = "timestamp without time zone" },
	{ .name = "active", .type = COLUMN_BOOL, .source_type = "boolean" },
	{ .name = "reference", .type = COLUMN_UUID, .source_type = "uuid" },
	{ .name = "attributes", .type = COLUMN_JSON, .source_type = "jsonb" },
};
static const size_t customer_key[] = { 0 };
static const struct table customer_table = { "public", "customer", customer_columns, CUSTOMER_COLUMNS, customer_key, 1,
	IDENTITY_KEY, 0, 1, false };
static const struct value customer_row[CUSTOMER_COLUMNS] = {
	INT_VALUE(1000042), INT_VALUE(77123), INT_VALUE(3), TEXT_VALUE("Adelheid"), TEXT_VALUE("Zimmermann"),
	TEXT_VALUE("adelheid.zimmermann@example.org"), TEXT_VALUE("Untere Hauptstra\303\237e 17"), TEXT_VALUE("Oberammergau"),
	TEXT_VALUE("-1234.50"), INT_VALUE(-3653), INT_VALUE(1767225600123456), INT_VALUE(1767225600000001), BOOL_VALUE(true),
	TEXT_VALUE("6f1b0a3e-3f0e-4d0a-9f62-2f6a3c5b7d11"), TEXT_VALUE("{\"tariff\": \"mobile-l\", \"roaming\": true, \"lines\": 3}"),
};

static const struct transaction codec_txn = { .id = "771:23456789", .commit = 23456789, .end = 23456900, .xid = 771,
	.commit_us = 1767225600500250 };
#define CODEC_PREVIOUS 23450000
#define CODEC_NOW 1767225600511000

struct codec_pair {
	struct fake_schemas fake;
	struct encoder *encoder;
	struct decoder *decoder;
	struct arena arena;
	struct buf key, value;
	struct error err;
};

/* The error's text where a test expects success. */
static inline void expect_ok(int rc, const struct error *err)
{
	if (rc < 0)
		fail_msg("%s: %s", error_class_name(err->class), err->text);
}

static inline void codec_pair_open_for(struct codec_pair *pair, const char *connector)
{
	const struct encoder_source source = { connector, "shop", "crm", "postgresql:7:1:crm", 5 };

	memset(pair, 0, sizeof *pair);
	fake_schemas_init(&pair->fake);
	expect_ok(encoder_new(&source, &pair->fake.schemas, &pair->encoder, &pair->err), &pair->err);
	pair->decoder = decoder_new(&pair->fake.schemas);
	assert_non_null(pair->decoder);
	arena_init(&pair->arena, (size_t)64 << 20);
	buf_init(&pair->key, (size_t)1 << 20);
	buf_init(&pair->value, (size_t)8 << 20);
}

static inline void codec_pair_open(struct codec_pair *pair)
{
	codec_pair_open_for(pair, "postgresql");
}

static inline void codec_pair_close(struct codec_pair *pair)
{
	buf_release(&pair->value);
	buf_release(&pair->key);
	arena_release(&pair->arena);
	decoder_free(pair->decoder);
	encoder_free(pair->encoder);
	fake_schemas_release(&pair->fake);
}

/* Encodes a change of a table into pair->key and pair->value. The key is that of the row after, else before. */
static inline int codec_encode(struct codec_pair *pair, const struct encoder_table *et, const struct change *chg)
{
	const struct value *row = chg->after != NULL ? chg->after : chg->before;

	buf_reset(&pair->key);
	buf_reset(&pair->value);
	if (row != NULL && encoder_key(et, row, &pair->key, &pair->err) < 0)
		return -1;
	return encoder_change(et, chg, &codec_txn, CODEC_PREVIOUS, CODEC_NOW, &pair->value, &pair->err);
}

/* The message in a piece of memory of its own, so that a sanitizer sees a byte read beyond it. */
static inline void *codec_copy(const void *bytes, size_t len)
{
	void *copy = malloc(len == 0 ? 1 : len);

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

#endif
