/*
 * buf.c: growth by doubling up to the written maximum.
 */
#include "lib/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *buf, size_t max)
{
	buf->data = NULL;
	buf->len = 0;
	buf->size = 0;
	buf->max = max;
	buf->failed = false;
}

void buf_release(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->max);
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
}

void buf_cut(struct buf *buf, size_t len)
{
	if (len < buf->len)
		buf->len = len;
	buf->failed = false;
}

char *buf_take(struct buf *buf)
{
	char *data = NULL;

	if (!buf->failed && buf_grow(buf, 1) != NULL) {
		buf->data[buf->len] = '\0';
		data = buf->data;
		buf->data = NULL;
	}
	buf_release(buf);
	return data;
}

char *buf_grow(struct buf *buf, size_t more)
{
	size_t need, size;
	char *data;

	if (buf->failed)
		return NULL;
	if (more > buf->max || buf->len > buf->max - more) {
		buf->failed = true;
		return NULL;
	}
	need = buf->len + more;
	if (buf->data != NULL && need <= buf->size)
		return buf->data + buf->len;
	size = buf->size < 256 ? 256 : buf->size * 2;
	if (size < need)
		size = need;
	if (size > buf->max)
		size = buf->max;
	data = realloc(buf->data, size == 0 ? 1 : size);
	if (data == NULL) {
		buf->failed = true;
		return NULL;
	}
	buf->data = data;
	buf->size = size;
	return data + buf->len;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	char *to;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0) {
		buf->failed = true;
		return;
	}
	to = buf_room(buf, (size_t)n + 1);
	if (to == NULL)
		return;
	va_start(args, format);
	(void)vsnprintf(to, (size_t)n + 1, format, args);
	va_end(args);
	buf->len += (size_t)n;
}

/* Length of the UTF-8 sequence that starts at text, or 0 if it is none (RFC 3629: no overlong form, no surrogate). */
static size_t utf8_sequence(const unsigned char *text, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;
	uint32_t code;

	if (n <= 1 || n > len)
		return n > len ? 0 : n;
	code = text[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3fu);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return n;
}

void buf_json_string(struct buf *buf, const char *text, size_t len)
{
	buf_append_byte(buf, '"');
	for (size_t i = 0; i < len;) {
		const unsigned char *at = (const unsigned char *)text + i;
		size_t n = utf8_sequence(at, len - i);

		if (n == 0) {
			buf_append_str(buf, "\\ufffd");
			i++;
			continue;
		}
		if (n == 1 && (*at < 0x20 || *at == '"' || *at == '\\' || *at == 0x7f)) {
			if (*at == '"' || *at == '\\')
				buf_printf(buf, "\\%c", *at);
			else if (*at == '\n')
				buf_append_str(buf, "\\n");
			else
				buf_printf(buf, "\\u%04x", *at);
		} else {
			buf_append(buf, at, n);
		}
		i += n;
	}
	buf_append_byte(buf, '"');
}

const char *buf_cstr(struct buf *buf)
{
	if (buf->failed || buf_grow(buf, 1) == NULL)
		return "";
	buf->data[buf->len] = '\0';
	return buf->data;
}

int buf_check(const struct buf *buf, const char *what, struct error *err)
{
	if (!buf->failed)
		return 0;
	return error_set(err, ERROR_DATA, "%s is larger than %zu bytes, or memory is short", what, buf->max);
}
