/*
 * apply_sink_real.h: the tests of apply_sink_real_types.c, for the one program that runs them all.
 */
#ifndef TAILRACE_UNIT_APPLY_SINK_REAL_H
#define TAILRACE_UNIT_APPLY_SINK_REAL_H

void every_type_arrives_equal(void **state);
void a_value_that_only_mysql_has_is_refused_by_name(void **state);
void a_json_of_mysql_goes_into_jsonb(void **state);

#endif
