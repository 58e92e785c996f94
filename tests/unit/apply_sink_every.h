/*
 * apply_sink_every.h: what every kind of target must do, against a real server. The tests of each kind run these with their own.
 */
#ifndef TAILRACE_TESTS_UNIT_APPLY_SINK_EVERY_H
#define TAILRACE_TESTS_UNIT_APPLY_SINK_EVERY_H

#include <stddef.h>

void rows_are_inserted_updated_moved_and_deleted(void **state);
void sets_of_columns_come_and_go(void **state);
void a_refused_row_is_named(void **state);
void a_cascade_may_have_moved_the_key_before(void **state);
void an_error_in_a_long_transaction_is_seen_before_its_end(void **state);
void waits_for_locks_end_in_a_retry(void **state);
void a_deadlock_is_a_retry(void **state);
void the_position_goes_with_the_rows(void **state);
void one_agent_holds_the_target(void **state);
void a_lost_commit_is_found_out_by_the_position(void **state);

#define EVERY_TARGET_TESTS                                                                                \
	cmocka_unit_test(rows_are_inserted_updated_moved_and_deleted),                                    \
		cmocka_unit_test(sets_of_columns_come_and_go), cmocka_unit_test(a_refused_row_is_named),  \
		cmocka_unit_test(a_cascade_may_have_moved_the_key_before),                                \
		cmocka_unit_test(an_error_in_a_long_transaction_is_seen_before_its_end),                  \
		cmocka_unit_test(waits_for_locks_end_in_a_retry), cmocka_unit_test(a_deadlock_is_a_retry), \
		cmocka_unit_test(the_position_goes_with_the_rows),                                        \
		cmocka_unit_test(one_agent_holds_the_target),                                             \
		cmocka_unit_test(a_lost_commit_is_found_out_by_the_position)

/* Target tables for the mapping of t.t (id int, v text) that are refused with this text; and some that take an insert and an update. */
struct shape_case {
	const char *ddl, *text;
};
void expect_shapes(const struct shape_case *bad, size_t bad_count, const char *const *good, size_t good_count);
/* A table whose v lacks the second label is refused with the text, until `alter` was run. */
void expect_labels(const char *const *labels, const char *ddl, const char *text, const char *alter);

#endif
