/*
 * capture_source_mysql_shapes.h: tests of capture_source_mysql_real about what the log does not say of tables.
 */
#ifndef TAILRACE_TESTS_UNIT_CAPTURE_SOURCE_MYSQL_SHAPES_H
#define TAILRACE_TESTS_UNIT_CAPTURE_SOURCE_MYSQL_SHAPES_H

int shapes_end_test(void **state);
void test_proof_is_ddl(void **state);
void test_defaults_of_then(void **state);
void test_defaults_unknown(void **state);
void test_types_of_then(void **state);
void test_rows_without_a_word(void **state);
void test_names_in_latin1(void **state);
void test_names_by_case(void **state);
void test_names_folded(void **state);
void test_ddl_unread(void **state);

#endif
