/*
 * decode_charset_tables.h: what a charset is, between decode_charset.c and the generated decode_charset_tables.c.
 */
#ifndef TAILRACE_CAPTURE_DECODE_CHARSET_TABLES_H
#define TAILRACE_CAPTURE_DECODE_CHARSET_TABLES_H

#include <stddef.h>
#include <stdint.h>

#define CHARSET_LIST_MAX 64

enum charset_form {
	CHARSET_UTF8, /* passed through: also ascii and binary */
	CHARSET_ONE_BYTE,
	CHARSET_UTF16BE, /* also ucs2 */
	CHARSET_UTF16LE,
	CHARSET_UTF32BE,
	/* By iconv. How the bytes of a character are told: */
	CHARSET_TWO_BYTES, /* two from 0x80 on */
	CHARSET_SHIFT_JIS, /* two, but one for 0xa1 to 0xdf */
	CHARSET_EUC_JP,    /* two, three behind 0x8f */
	CHARSET_GB18030    /* two, four if the second is a digit */
};

/* A character that the servers convert otherwise than iconv does: its bytes as a big-endian number. */
struct charset_exception {
	uint32_t code;
	uint32_t character;
};

struct charset {
	const char *name;
	unsigned width; /* bytes of the longest character */
	enum charset_form form;
	const uint16_t *high, *low; /* CHARSET_ONE_BYTE; low is NULL if it is ASCII */
	const char *iconv_name;
	unsigned growth; /* iconv: most bytes of UTF-8 for two bytes */
	const struct charset_exception *exceptions; /* by code */
	size_t exception_count;
};

struct charset_collations {
	uint16_t first, last;
	uint16_t charset; /* index in charset_list */
};

extern const struct charset charset_list[];
extern const size_t charset_count;
extern const struct charset_collations charset_collations[];
extern const size_t charset_collations_count;

#endif
