/*
 * What SHOW CREATE TABLE says of constraints, as MariaDB 10.11 and MySQL 9.7 print it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apply/sink_mysql_create.h"

static const char mariadb[] = "CREATE TABLE `c` (\n"
			      "  `id` int(11) NOT NULL,\n"
			      "  `j` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`j`)),\n"
			      "  `k` longtext DEFAULT NULL CHECK (json_valid(`j`)) COMMENT 'CHECK (json_valid(`k`)',\n"
			      "  `we``ird` longtext DEFAULT NULL CHECK (json_valid(`we``ird`)),\n"
			      "  `v` varchar(20) DEFAULT 'CONSTRAINT `x` FOREIGN KEY (`id`)' CHECK (json_valid(`v`)),\n"
			      "  PRIMARY KEY (`id`),\n"
			      "  CONSTRAINT `one` FOREIGN KEY (`id`, `v`) REFERENCES `p` (`a`, `b`) ON DELETE CASCADE,\n"
			      "  CONSTRAINT `tw``o` FOREIGN KEY (`we``ird`) REFERENCES `other``db`.`p``q` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,\n"
			      "  CONSTRAINT `three` FOREIGN KEY (`id`) REFERENCES `ON DELETE CASCADE` (`id`),\n"
			      "  CONSTRAINT `check` CHECK (`id` > 0)\n"
			      ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";

static void references_are_found(void **state)
{
	const char *at = mariadb;
	struct my_reference found;

	assert_true(my_create_reference(&at, &found));
	assert_string_equal(found.table, "p");
	assert_string_equal(found.schema, "");
	assert_true(found.delete_cascades && !found.update_cascades);
	assert_true(my_reference_has(&found, "id") && my_reference_has(&found, "v"));
	assert_false(my_reference_has(&found, "a") || my_reference_has(&found, "i"));
	assert_true(my_create_reference(&at, &found));
	assert_string_equal(found.schema, "other`db");
	assert_string_equal(found.table, "p`q");
	assert_true(!found.delete_cascades && found.update_cascades);
	assert_true(my_reference_has(&found, "we`ird"));
	assert_true(my_create_reference(&at, &found));
	assert_string_equal(found.table, "ON DELETE CASCADE");
	assert_true(!found.delete_cascades && !found.update_cascades);
	assert_false(my_create_reference(&at, &found));
	assert_false(my_create_reference(&at, &found));
}

static void json_is_told_from_longtext(void **state)
{
	assert_true(my_create_is_json(mariadb, "j"));
	assert_true(my_create_is_json(mariadb, "we`ird"));
	assert_false(my_create_is_json(mariadb, "k"));
	assert_false(my_create_is_json(mariadb, "v"));
	assert_false(my_create_is_json(mariadb, "id"));
	assert_false(my_create_is_json(mariadb, "nothing"));
	assert_false(my_create_is_json("", "j"));
}

/* Whatever is cut off, nothing is read behind the end. */
static void every_cut_is_harmless(void **state)
{
	for (size_t len = 0; len < sizeof mariadb; len++) {
		char *text = strndup(mariadb, len);
		const char *at = text;
		struct my_reference found;
		size_t times = 0;

		while (my_create_reference(&at, &found))
			times += my_reference_has(&found, "id");
		assert_true(times <= 2);
		(void)my_create_is_json(text, "we`ird");
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_are_found),
		cmocka_unit_test(json_is_told_from_longtext),
		cmocka_unit_test(every_cut_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
