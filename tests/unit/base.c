/*
 * base.c: unit tests of lib/base: arenas, buffers, errors, log lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/log.h"

static void arena_gives_aligned_pieces_and_keeps_its_maximum(void **state)
{
	struct arena arena;

	arena_init(&arena, 100000);
	for (size_t i = 1; i < 200; i++) {
		char *piece = arena_alloc(&arena, i);

		assert_non_null(piece);
		assert_int_equal((uintptr_t)piece % 16, 0);
		memset(piece, 0xaa, i);
	}
	assert_null(arena_alloc(&arena, 100000));
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_true(arena.held <= arena.max);
	arena_reset(&arena);
	assert_int_equal(arena.used, 0);
	assert_string_equal(arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
	assert_string_equal(arena_strndup(&arena, "hello", 4), "hell");
	arena_release(&arena);
	assert_int_equal(arena.held, 0);
}

static void arena_gives_a_large_block_back_at_reset(void **state)
{
	struct arena arena;

	arena_init(&arena, (size_t)8 << 20);
	assert_non_null(arena_alloc(&arena, (size_t)4 << 20));
	arena_reset(&arena);
	assert_true(arena.held <= (size_t)1 << 20);
	arena_release(&arena);
}

static void buf_remembers_that_it_could_not_grow(void **state)
{
	struct error err = ERROR_INIT;
	struct buf buf;

	buf_init(&buf, 10);
	buf_append(&buf, "0123456789", 10);
	assert_int_equal(buf_check(&buf, "row", &err), 0);
	buf_append_byte(&buf, 'x');
	buf_append_str(&buf, "more");
	assert_int_equal(buf.len, 10);
	assert_int_equal(buf_check(&buf, "row", &err), -1);
	assert_int_equal(err.class, ERROR_DATA);
	assert_string_equal(err.text, "row is larger than 10 bytes, or memory is short");
	assert_null(buf_take(&buf));
	buf_release(&buf);
}

static void buf_writes_json_strings(void **state)
{
	struct buf buf;
	const char hostile[] = "a\"\\\n\x01\xff\xc3\xa4\xed\xa0\x80\xf0\x9f\x98\x80";

	buf_init(&buf, 1000);
	buf_json_string(&buf, hostile, sizeof hostile - 1);
	assert_string_equal(buf_cstr(&buf),
		"\"a\\\"\\\\\\n\\u0001\\ufffd\xc3\xa4\\ufffd\\ufffd\\ufffd\xf0\x9f\x98\x80\"");
	buf_release(&buf);
}

static void error_has_class_text_and_hint(void **state)
{
	struct error err = ERROR_INIT;

	assert_int_equal(error_set(&err, ERROR_CONFIG, "no such table \"%s\"", "x"), -1);
	(void)error_hint(&err, "create it");
	(void)error_prefix(&err, "%s:%d", "file", 3);
	assert_string_equal(err.text, "file:3: no such table \"x\"");
	assert_string_equal(err.hint, "create it");
	assert_int_equal(error_exit_code(err.class), EX_CONFIG);
	(void)error_set(&err, ERROR_DATA, "again: %s", err.text);
	assert_string_equal(err.text, "again: file:3: no such table \"x\"");
	assert_string_equal(err.hint, "");
	error_clear(&err);
	assert_int_equal(err.class, ERROR_NONE);
	assert_int_equal(error_set(NULL, ERROR_BUG, "x"), -1);
}

static int64_t fixed_wall(void)
{
	return INT64_C(1767225600123456);
}

static void log_writes_one_line_with_position(void **state)
{
	const struct clock_ops fixed = { fixed_wall, fixed_wall, NULL };
	struct error err = ERROR_INIT;
	char line[1000] = "";
	int fds[2];
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	clock_set(&fixed);
	log_open("crm-apply", LOG_INFO, false, fds[1]);
	log_position("0/16B3748");
	log_debug("not this");
	(void)error_set(&err, ERROR_DATA, "bad\nrow");
	(void)error_hint(&err, "mend it");
	log_error(&err, "stopped");
	n = read(fds[0], line, sizeof line - 1);
	assert_true(n > 0);
	line[n] = '\0';
	assert_string_equal(line,
		"2026-01-01T00:00:00.123Z ERROR crm-apply [0/16B3748] stopped: bad row (hint: mend it)\n");
	log_open("crm-apply", LOG_INFO, true, fds[1]);
	log_error(&err, "stopped");
	n = read(fds[0], line, sizeof line - 1);
	line[n] = '\0';
	assert_string_equal(line,
		"{\"time\":\"2026-01-01T00:00:00.123Z\",\"level\":\"error\",\"agent\":\"crm-apply\",\"position\":\"0/16B3748\","
		"\"message\":\"stopped\",\"class\":\"data\",\"error\":\"bad\\nrow\",\"hint\":\"mend it\"}\n");
	clock_set(NULL);
	log_open("", LOG_ERROR, false, 2);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_gives_aligned_pieces_and_keeps_its_maximum),
		cmocka_unit_test(arena_gives_a_large_block_back_at_reset),
		cmocka_unit_test(buf_remembers_that_it_could_not_grow),
		cmocka_unit_test(buf_writes_json_strings),
		cmocka_unit_test(error_has_class_text_and_hint),
		cmocka_unit_test(log_writes_one_line_with_position),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
