/*
 * decode_binlog_map.h: a table map event taken apart: what the log itself says of a table's columns.
 *
 * Pure; texts are copied into the arena and end with NUL, raw labels borrow from the event. The layout: decode_binlog_map.c.
 */
#ifndef TAILRACE_CAPTURE_DECODE_BINLOG_MAP_H
#define TAILRACE_CAPTURE_DECODE_BINLOG_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"

/* The servers' numbers for types as they stand in table maps. */
enum binlog_type {
	BINLOG_DECIMAL = 0, /* of before MySQL 5.0 */
	BINLOG_TINY = 1,
	BINLOG_SHORT = 2,
	BINLOG_LONG = 3,
	BINLOG_FLOAT = 4,
	BINLOG_DOUBLE = 5,
	BINLOG_NULL = 6,
	BINLOG_TIMESTAMP = 7,
	BINLOG_LONGLONG = 8,
	BINLOG_INT24 = 9,
	BINLOG_DATE = 10,
	BINLOG_TIME = 11,
	BINLOG_DATETIME = 12,
	BINLOG_YEAR = 13,
	BINLOG_NEWDATE = 14,
	BINLOG_VARCHAR = 15,
	BINLOG_BIT = 16,
	BINLOG_TIMESTAMP2 = 17,
	BINLOG_DATETIME2 = 18,
	BINLOG_TIME2 = 19,
	BINLOG_BLOB_COMPRESSED = 140,    /* MariaDB */
	BINLOG_VARCHAR_COMPRESSED = 141, /* MariaDB */
	BINLOG_VECTOR = 242,             /* MySQL */
	BINLOG_JSON = 245,               /* MySQL */
	BINLOG_NEWDECIMAL = 246,
	BINLOG_ENUM = 247, /* in the map: STRING; real type in the metadata */
	BINLOG_SET = 248,  /* the same */
	BINLOG_TINY_BLOB = 249,
	BINLOG_MEDIUM_BLOB = 250,
	BINLOG_LONG_BLOB = 251,
	BINLOG_BLOB = 252,
	BINLOG_VAR_STRING = 253,
	BINLOG_STRING = 254,
	BINLOG_GEOMETRY = 255
};

struct binlog_bytes {
	const unsigned char *ptr;
	size_t len;
};

struct binlog_map_column {
	uint8_t type;   /* enum binlog_type; ENUM and SET resolved */
	uint32_t size;  /* strings: most bytes; BLOB and its kin, JSON, GEOMETRY, VECTOR: bytes of the length; ENUM, SET,
	                   FLOAT, DOUBLE: bytes of a value; NEWDECIMAL: precision; BIT: bits; TIME2, DATETIME2, TIMESTAMP2:
	                   digits of the second */
	uint8_t scale;  /* NEWDECIMAL */
	bool nullable;
	bool is_unsigned;   /* if has_signs */
	bool key;           /* if has_names: then what is not told to be the key is not */
	uint32_t collation; /* 0: not told */
	uint32_t geometry;  /* GEOMETRY: which of them, as in WKB; 0: any */
	uint32_t dimension; /* VECTOR; 0: not told */
	const char *name;   /* if has_names, else NULL */
	const struct binlog_bytes *labels; /* ENUM and SET, in the charset `collation`; NULL: not told */
	size_t label_count;
};

struct binlog_map {
	uint64_t table_id;
	const char *schema, *name;
	const unsigned char *types; /* as they stand in the event, column_count of them */
	struct binlog_map_column *columns;
	size_t column_count;
	bool has_signs, has_names;
};

/* The part that tells which table it is. */
int binlog_map_head(const void *bytes, size_t len, struct arena *arena, struct binlog_map *ret, struct error *err);
/* All of it. mariadb: the servers count columns differently in the charsets' lists. Errors name the table. */
int binlog_map_parse(const void *bytes, size_t len, bool mariadb, struct arena *arena, struct binlog_map *ret,
	struct error *err);

#endif
