/*
 * decode_binlog_value.h: one column of a row image -> struct value.
 *
 * struct binlog_field says how a column lies in the image; decode_binlog_shape.c makes one for each column when a table map comes, so that
 * reading a row asks no more questions. Pure functions; nothing is read beyond `end`. Errors are ERROR_DATA without the
 * column's name, which the caller adds, and without the content, which may be personal. Layout: decode_binlog_value.c, decode_binlog_time.c.
 */
#ifndef TAILRACE_CAPTURE_DECODE_BINLOG_VALUE_H
#define TAILRACE_CAPTURE_DECODE_BINLOG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/decode_charset.h"
#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/change/value.h"

enum binlog_form {
	FORM_INT,   /* size bytes, is_unsigned */
	FORM_FLOAT, /* size 4 or 8 */
	FORM_DECIMAL,
	FORM_BIT, /* size bytes, big endian */
	FORM_YEAR,
	FORM_DATE,
	FORM_TIME,      /* TIME2 */
	FORM_DATETIME,  /* DATETIME2 */
	FORM_TIMESTAMP, /* TIMESTAMP2 */
	/* The types of before MySQL 5.6, which MariaDB still writes with mysql56_temporal_format=OFF; with a fraction they are MariaDB's own. */
	FORM_OLD_TIME,
	FORM_OLD_DATETIME,
	FORM_OLD_TIMESTAMP,
	FORM_TEXT,  /* prefix, charset */
	FORM_BYTES, /* prefix, pad */
	FORM_ENUM,  /* size, labels */
	FORM_SET,
	FORM_JSON, /* prefix; MySQL's binary form */
	FORM_UUID, /* prefix; trailing zero bytes may be cut off, as in the two below */
	FORM_INET4,
	FORM_INET6,
	FORM_NOTHING /* MYSQL_TYPE_NULL */
};

struct binlog_label {
	const char *text;
	size_t len;
};

struct binlog_field {
	enum binlog_form form;
	uint8_t size;     /* bytes of a value of fixed size */
	uint8_t prefix;   /* bytes of the length before a string */
	uint8_t fraction; /* digits of the second */
	uint8_t precision, scale;
	bool is_unsigned;
	bool compressed; /* MariaDB's COMPRESSED: of TEXT and BYTES */
	uint32_t pad;    /* BINARY: the length to which zero bytes are added again; 0: none */
	const struct charset *charset; /* of TEXT */
	const struct binlog_label *labels; /* of ENUM and SET, in UTF-8 */
	size_t label_count;
};

/* Takes the value at *io_at. */
int binlog_value_read(const struct binlog_field *field, const unsigned char **io_at, const unsigned char *end,
	struct arena *arena, struct value *ret, struct error *err);
/* Takes a length of `prefix` bytes and what it counts. */
int binlog_value_bytes(const struct binlog_field *field, const unsigned char **io_at, const unsigned char *end,
	const unsigned char **ret_bytes, size_t *ret_len, struct error *err);
/*
 * A column's constant default as the server's catalogue prints it (MariaDB: strings in quotes; MySQL: as they are, and 0x.. for BINARY, b'..'
 * for BIT). False if that is not a constant of the type. Instants are those of a session in UTC. Borrows from text and the field's labels, or
 * is in the arena.
 */
bool binlog_value_default(const struct binlog_field *field, const char *text, bool mariadb, struct arena *arena,
	struct value *ret);
/* What a column that is NOT NULL and has no default gets when strict mode is off. False: the type has no such value. */
bool binlog_value_implicit_default(const struct binlog_field *field, struct arena *arena, struct value *ret);

/* Bytes of a packed decimal. */
size_t binlog_decimal_size(unsigned precision, unsigned scale);

/* ---- decode_binlog_time.c ---- */

/* Bytes of a value of one of the time forms. */
size_t binlog_time_size(enum binlog_form form, unsigned fraction);
/* The value in the binlog_time_size() bytes at `at`. */
int binlog_time_read(const struct binlog_field *field, const unsigned char *at, struct arena *arena, struct value *ret,
	struct error *err);
/* From the server's text; false if it is none of the form. */
bool binlog_time_parse(const struct binlog_field *field, const char *text, size_t len, struct arena *arena,
	struct value *ret);

#endif
