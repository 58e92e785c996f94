"""The statements whose logs are recorded.  Each scenario becomes one log file of each server (record.py).

A scenario is a function of a Recording (record.py): sql() for what has no rows, rows() for a statement that changes rows of the named tables,
each of which is compared before and after.
"""

PARTIAL = "'$.a', 2, '$.list[1]', JSON_ARRAY(TRUE, NULL), '$.\"x y\".\"q\\\\\"\"', CAST(1.50 AS DECIMAL(9,2))"


def change(rec, table, update, delete, key="id"):
    """An update and a delete, so that before images are seen too."""
    rec.rows(f"UPDATE {table} SET {update}", table)
    rec.rows(f"DELETE FROM {table} WHERE {key} = {delete}", table)


# ---- Values ----

def numbers(rec):
    rec.sql("CREATE TABLE numbers (id INT PRIMARY KEY, t TINYINT, tu TINYINT UNSIGNED, s SMALLINT, su SMALLINT UNSIGNED, m MEDIUMINT, "
            "mu MEDIUMINT UNSIGNED, i INT, iu INT UNSIGNED, b BIGINT, bu BIGINT UNSIGNED, y YEAR, f FLOAT, d DOUBLE, fu FLOAT UNSIGNED, "
            "d52 DECIMAL(5,2), d65 DECIMAL(65,30), d30 DECIMAL(30,0), du DECIMAL(10,5) UNSIGNED, d99 DECIMAL(18,9), dd DECIMAL(3,3), "
            "z INT ZEROFILL, b1 BIT(1), b9 BIT(9), b64 BIT(64), bool_ BOOL)")
    nines = "9" * 35 + "." + "9" * 30
    rec.rows("INSERT INTO numbers VALUES (1, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, 1901, -3.402823466e38, "
             f"-1.7976931348623157e308, 0, -999.99, -{nines}, -{'9' * 30}, 0, -999999999.999999999, -0.999, 0, b'0', b'0', b'0', FALSE)", "numbers")
    rec.rows("INSERT INTO numbers VALUES (2, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, "
             f"18446744073709551615, 2155, 3.402823466e38, 1.7976931348623157e308, 1.5, 999.99, {nines}, {'9' * 30}, 99999.99999, "
             f"999999999.999999999, 0.999, 4294967295, b'1', b'111111111', {2 ** 64 - 1}, TRUE)", "numbers")
    rec.rows("INSERT INTO numbers (id) VALUES (3)", "numbers")
    rec.rows("INSERT INTO numbers VALUES (4, 0, 1, -1, 1, -1, 1, -1, 1, -1, 1, 0, 1.401298464e-45, 5e-324, 0.1, 0, 0, 0, 0.00001, 0.000000001, 0.001, "
             "7, b'1', b'100000001', 1, 2), (5, -1, 128, 1, 32768, 1, 8388608, 1, 2147483648, 1, 9223372036854775808, 2000, -0.0, -0.0, 16777217, "
             "-0.01, -0.000000000000000000000000000001, -1, 1, -1000000000.5 + 1, -0.001, 1, b'0', b'10', 9223372036854775808, -1)", "numbers")
    change(rec, "numbers", "b = b - 1, bu = 9223372036854775807 WHERE id > 1", 1)


def times(rec):
    rec.sql("CREATE TABLE times (id INT PRIMARY KEY, d DATE, t0 TIME, t1 TIME(1), t2 TIME(2), t3 TIME(3), t4 TIME(4), t5 TIME(5), t6 TIME(6), "
            "dt0 DATETIME, dt1 DATETIME(1), dt2 DATETIME(2), dt3 DATETIME(3), dt6 DATETIME(6), ts0 TIMESTAMP NULL, ts1 TIMESTAMP(1) NULL, "
            "ts3 TIMESTAMP(3) NULL, ts6 TIMESTAMP(6) NULL)")

    def row(number, day, time, moment):
        rec.rows(f"INSERT INTO times VALUES ({number}, '{day}', {', '.join([repr(time)] * 7)}, {', '.join([repr(f'{day} {moment}')] * 5)}, "
                 "'1970-01-01 00:00:01', '1970-01-01 00:00:01.1', '2038-01-19 03:14:07.999', '2026-02-28 23:59:59.000001')", "times")

    row(1, "1000-01-01", "-838:59:59", "00:00:00")
    row(2, "9999-12-31", "838:59:59", "23:59:59")
    row(3, "2024-02-29", "-00:00:00.123456", "12:34:56.123456")
    row(4, "1969-12-31", "-01:02:03.500000", "23:59:59.900000")
    row(5, "0001-01-01", "00:00:00.000001", "00:00:00.000001")
    row(6, "2000-01-01", "-00:00:01.000000", "00:00:00")
    rec.rows("INSERT INTO times (id) VALUES (7)", "times")
    row(8, "2026-02-31", "-00:01:00.100000", "01:02:03.400000")
    row(9, "2024-00-00", "-10:00:00.999999", "10:00:00")
    row(10, "0000-00-00", "00:00:00", "00:00:00")
    rec.rows("INSERT INTO times (id, ts0, ts1, ts3, ts6) VALUES (11, 0, 0, 0, 0)", "times")
    if rec.at_least("mariadb", 11, 8):
        rec.rows("INSERT INTO times (id, ts0, ts6) VALUES (12, '2106-02-07 06:28:15', '2106-02-07 06:28:15.999999')", "times")
    change(rec, "times", "t6 = SUBTIME(t6, '00:00:00.000001') WHERE id < 7 AND id <> 1", 10)


def strings(rec):
    rec.labels["strings", "e"] = ["a", "with space", "quote'", "back\\", "\U0001F600", "ü"]
    rec.sql("CREATE TABLE strings (id INT PRIMARY KEY, c CHAR(10), c255 CHAR(255), cl CHAR(255) CHARACTER SET latin1, v VARCHAR(20), v300 VARCHAR(300), "
            "tt TINYTEXT, tx TEXT, mt MEDIUMTEXT, lt LONGTEXT, b BINARY(5), b255 BINARY(255), vb VARBINARY(20), vb300 VARBINARY(300), "
            "tb TINYBLOB, bl BLOB, mb MEDIUMBLOB, lb LONGBLOB, e ENUM('a','with space','quote''','back\\\\','\U0001F600','ü'), "
            "s SET('x','y y','z','ü') )")

    def row(number, text, data, enum, members):
        rec.rows(f"INSERT INTO strings VALUES ({number}, {', '.join([text] * 9)}, {', '.join([data] * 8)}, {enum}, {members})", "strings")

    row(1, "''", "''", "'a'", "''")
    row(2, "'  a  '", "X'610000'", "'with space'", "'x,y y,z,ü'")
    row(3, "'ü\\n\\0\\\\'", "X'0000000000'", "'ü'", "'ü'")
    row(4, "NULL", "NULL", "NULL", "NULL")
    row(5, "'%()=,|'", "X'FF20'", "'quote'''", "'z'")
    rec.rows("INSERT INTO strings (id, c, v, v300, lt, e) VALUES (6, '\U0001F600', '\U0001F600', REPEAT('é', 300), REPEAT('x', 1000), '\U0001F600')", "strings")
    rec.rows("INSERT INTO strings (id, c255, cl, b255, vb300, bl) VALUES (7, REPEAT('\U0001F600', 255), REPEAT('ä', 255), REPEAT('z', 255), "
             "REPEAT('y', 256), REPEAT('x', 256))", "strings")
    rec.rows("INSERT INTO strings (id, e, s) VALUES (8, 'not a label', 'nor this')", "strings")
    change(rec, "strings", "v = 'new', e = 'back\\\\' WHERE id < 4 OR id = 8", 2)
    many = ", ".join(f"'label {n}'" for n in range(300))
    members = ", ".join(f"'m{n}'" for n in range(64))
    rec.sql(f"CREATE TABLE labels (id INT PRIMARY KEY, e ENUM({many}), s SET({members}))")
    rec.rows("INSERT INTO labels VALUES (1, 'label 0', 'm0'), (2, 'label 255', 'm63'), (3, 'label 299', 'm0,m8,m62,m63')", "labels")


def charsets(rec):
    """Each charset has a column of text that it can hold."""
    texts = {"latin1": "grün €", "latin2": "žluťoučký", "latin5": "ığüş", "latin7": "šąž", "cp1250": "žluť", "cp1251": "Привет", "cp1256": "سلام",
             "cp1257": "šąž", "cp850": "grün", "cp852": "žluť", "cp866": "Привет", "koi8r": "Привет", "koi8u": "Привіт ґ", "greek": "Ελλάδα",
             "hebrew": "שלום", "tis620": "สวัสดี", "armscii8": "Հայ", "geostd8": "აბგ", "macroman": "grün", "macce": "žluť", "keybcs2": "žluť",
             "dec8": "grün", "hp8": "grün", "swe7": "grun", "ascii": "plain", "sjis": "日本語ｱ", "cp932": "日本語①", "ujis": "日本語ｱ", "eucjpms": "日本語①",
             "gb2312": "汉字", "gbk": "漢字€"[:2], "big5": "漢字", "euckr": "한국어", "ucs2": "aé漢", "utf16": "a😀", "utf16le": "a😀", "utf32": "a😀",
             "utf8mb3": "aé漢", "utf8mb4": "a😀"}
    if rec.mysql:
        texts["gb18030"] = "漢字😀"
    names = list(texts)
    columns = ", ".join(f"{name} VARCHAR(20) CHARACTER SET {name}" for name in names)
    rec.sql(f"CREATE TABLE charsets (id INT PRIMARY KEY, {columns}, c CHAR(5) CHARACTER SET ucs2, e ENUM('ä','日') CHARACTER SET ucs2, "
            "e2 ENUM('ä','ö') CHARACTER SET latin1, s SET('ж','ш') CHARACTER SET cp1251, t TEXT CHARACTER SET utf16, "
            "cs VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)")
    values = ", ".join(f"'{text}'" for text in texts.values())
    rec.rows(f"INSERT INTO charsets VALUES (1, {values}, 'né', '日', 'ö', 'ж,ш', 'tëxt', 'cs')", "charsets")
    rec.rows("INSERT INTO charsets (id) VALUES (2)", "charsets")
    change(rec, "charsets", "latin1 = 'ß', ucs2 = '' WHERE id = 2", 1)


def special(rec):
    """Types that only one of the servers has, and geometry, which both have."""
    rec.sql("CREATE TABLE shapes (id INT PRIMARY KEY, g GEOMETRY, p POINT, l LINESTRING, y POLYGON, mp MULTIPOINT, gc GEOMETRYCOLLECTION, v VARCHAR(5))")
    rec.rows("INSERT INTO shapes VALUES (1, ST_GeomFromText('POINT(1 -2.5)', 4326), POINT(0, 0), ST_GeomFromText('LINESTRING(0 0,1 1,2 0)'), "
             "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))'), ST_GeomFromText('MULTIPOINT(1 1,2 2)'), "
             "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))'), 'é')", "shapes")
    rec.rows("INSERT INTO shapes (id) VALUES (2)", "shapes")
    change(rec, "shapes", "p = POINT(1e300, -1e-300) WHERE id = 2", 1)
    if rec.mysql:
        vector = ", v VECTOR(3), v2 VECTOR" if rec.at_least("mysql", 9, 0) else ""
        rec.sql(f"CREATE TABLE special (id INT PRIMARY KEY, j JSON, j2 JSON{vector})")
        rest = ", TO_VECTOR('[1,-2.5,3e-10]'), TO_VECTOR('[0]')" if vector else ""
        rec.rows("INSERT INTO special VALUES (1, '{\"a\": [1, 2.50, null, true, \"é\\\\n\"], \"b\": {}}', "
                 f"JSON_ARRAY(CAST(1.5 AS DECIMAL(9,3)), CAST('12:00' AS TIME), CAST('2024-01-01' AS DATE), X'00FF'){rest})", "special")
    else:
        more = [("inet6_ INET6", "'::ffff:1.2.3.4'"), ("i6 INET6", "'2001:db8::'")]
        more += [("u UUID", "'123e4567-e89b-12d3-a456-426655440000'")] if rec.at_least("mariadb", 10, 7) else []
        more += [("i4 INET4", "'10.0.0.0'")] if rec.at_least("mariadb", 10, 10) else []
        more += [("v VECTOR(3)", "VEC_FromText('[1,-2.5,3e-10]')")] if rec.at_least("mariadb", 11, 7) else []
        more += [("u0 UUID", "'00000000-0000-0000-0000-000000000000'"), ("u7 UUID", "'018f4e6e-0000-7000-8000-000000000000'")] \
            if rec.at_least("mariadb", 10, 7) else []
        rec.sql(f"CREATE TABLE special (id INT PRIMARY KEY, j JSON, vc VARCHAR(300) COMPRESSED, bc BLOB COMPRESSED, tc TEXT COMPRESSED CHARACTER SET "
                f"latin1, {', '.join(column for column, _ in more)})")
        values = ", ".join(value for _, value in more)
        rec.rows(f"INSERT INTO special VALUES (1, '{{\"a\":  [1,2.50]}}', REPEAT('é', 300), REPEAT(X'00', 1000), REPEAT('ß', 500), {values})", "special")
        rec.rows(f"INSERT INTO special VALUES (2, '[]', 'a', X'00', '', {values})", "special")
        rec.rows(f"INSERT INTO special VALUES (3, 'null', '', '', 'x', {values})", "special")
    rec.rows("INSERT INTO special (id) VALUES (9)", "special")
    change(rec, "special", "j = '{\"new\": 1}' WHERE id IN (1, 9)", 1)


def shapes(rec):
    """Keys, names, hidden and computed columns, many columns."""
    rec.sql("CREATE TABLE two_keys (a INT UNSIGNED, b VARCHAR(10), c INT, PRIMARY KEY (b, a))")
    rec.rows("INSERT INTO two_keys VALUES (4294967295, 'x', 1)", "two_keys")
    rec.rows("UPDATE two_keys SET c = 2", "two_keys")
    rec.sql("CREATE TABLE prefix_key (t VARCHAR(100), n INT, PRIMARY KEY (t(5)), UNIQUE (n))")
    rec.rows("INSERT INTO prefix_key VALUES ('abcdefgh', 1)", "prefix_key")
    rec.sql("CREATE TABLE no_key (n INT, t VARCHAR(10), UNIQUE (t))")
    rec.rows("INSERT INTO no_key VALUES (1, 'x'), (2, NULL)", "no_key")
    change(rec, "no_key", "t = 'y' WHERE n = 1", 2, "n")
    rec.sql("CREATE TABLE `odd ``name, (é)` (`a b` INT PRIMARY KEY, `c,d=(e)` INT, `" + "n" * 64 + "` INT, `é漢` INT)")
    rec.rows("INSERT INTO `odd ``name, (é)` VALUES (1, 2, 3, 4)", "odd `name, (é)")
    rec.sql(f"CREATE TABLE wide (id INT PRIMARY KEY, {', '.join(f'c{n} INT UNSIGNED' for n in range(130))}, last_ VARCHAR(5))")
    rec.rows("INSERT INTO wide (id, c0, c7, c8, c63, c129, last_) VALUES (1, 0, 7, 8, 63, 4294967295, 'end')", "wide")
    change(rec, "wide", "c64 = 64", 1)
    invisible = "INVISIBLE" if rec.at_least("mysql", 8, 0, 23) or not rec.mysql else ""
    rec.sql(f"CREATE TABLE hidden (id INT PRIMARY KEY, a INT {invisible} DEFAULT 3, b INT)")
    rec.rows("INSERT INTO hidden (id, b) VALUES (1, 2)", "hidden")
    rec.sql("CREATE TABLE parted (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))")
    rec.rows("INSERT INTO parted VALUES (1, 1), (15, 15)", "parted")
    rec.rows("UPDATE parted SET id = 12, v = 2 WHERE id = 1", "parted", moved={1: 12})
    rec.rows("DELETE FROM parted WHERE id = 15", "parted")


# ---- Images and metadata ----

def images(rec):
    kinds = ["FULL", "MINIMAL", "NOBLOB"] + (["FULL_NODUP"] if rec.at_least("mariadb", 11, 5) else [])
    for metadata in ["FULL", "MINIMAL"] + ([] if rec.mysql else ["NO_LOG"]):
        rec.sql(f"SET GLOBAL binlog_row_metadata = {metadata}")
        for kind in kinds:
            image_statements(rec, kind, f"img_{metadata.lower()}_{kind.lower()}")
    rec.sql("SET GLOBAL binlog_row_metadata = FULL")
    rec.image("FULL")


def image_statements(rec, kind, name):
    rec.image("FULL")
    rec.sql(f"CREATE TABLE {name} (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, a BIGINT UNSIGNED DEFAULT 18446744073709551615, b VARCHAR(20) DEFAULT 'x''y', "
            "c TEXT, d DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3), e DECIMAL(9,2) NOT NULL DEFAULT -1.50, f ENUM('p','q') DEFAULT 'q', "
            "h DATE DEFAULT '2024-01-02', i BLOB, k TINYINT UNSIGNED DEFAULT 200, l BIT(9) DEFAULT b'101')")
    rec.sql(f"CREATE TABLE {name}_nokey (a INT UNSIGNED, b TEXT)")
    rec.image(kind)
    rec.rows(f"INSERT INTO {name} (id, a, b, c, d, e, f, h, i, k, l) VALUES (4000000000, 1, 'b', 'c', '2024-01-01', 1, 'p', '2000-01-01', 'i', 255, 1)", name)
    rec.rows(f"INSERT INTO {name} (b) VALUES ('only b')", name)
    rec.rows(f"UPDATE {name} SET a = 7 WHERE id = 4000000000", name, assigned=["a"])
    rec.rows(f"UPDATE {name} SET c = 'new', i = NULL WHERE id = 4000000000", name, assigned=["c", "i"])
    rec.rows(f"UPDATE {name} SET id = 5 WHERE id = 4000000000", name, moved={4000000000: 5}, assigned=["id"])
    rec.rows(f"DELETE FROM {name} WHERE id = 5", name)
    rec.rows(f"INSERT INTO {name}_nokey VALUES (4294967295, 'x')", f"{name}_nokey")
    rec.rows(f"UPDATE {name}_nokey SET b = 'y'", f"{name}_nokey")
    rec.rows(f"DELETE FROM {name}_nokey", f"{name}_nokey")


def generated(rec):
    """MariaDB 11.8 has none in the images of updates and deletes, not even of FULL ones (11.4 has); MySQL has in every image those that changed."""
    rec.sql("CREATE TABLE computed (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a * 2) STORED, n INT NOT NULL DEFAULT 5)")
    rec.rows("INSERT INTO computed (id, a) VALUES (1, 10), (2, 20)", "computed")
    change(rec, "computed", "a = 11 WHERE id = 1", 2)
    if rec.mysql:
        rec.image("MINIMAL")
        rec.rows("INSERT INTO computed (id, a) VALUES (3, 30)", "computed")
        rec.rows("UPDATE computed SET a = 31 WHERE id = 3", "computed", assigned=["a", "v", "s"])
        rec.rows("UPDATE computed SET n = 6 WHERE id = 3", "computed", assigned=["n"])


def generated_without_key(rec):
    rec.sql("CREATE TABLE computed (a INT, v INT AS (a + 1) VIRTUAL)")
    rec.rows("INSERT INTO computed (a) VALUES (1)", "computed")
    rec.rows("UPDATE computed SET a = 2", "computed", moved={1: 2})
    rec.rows("DELETE FROM computed", "computed")


def generated_minimal(rec):
    """MariaDB: what a virtual column has is not in a MINIMAL insert and cannot be known; from 11.5 on nobody asks."""
    rec.sql("CREATE TABLE computed (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a * 2) STORED)")
    rec.image("MINIMAL")
    whole = rec.at_least("mariadb", 11, 5)
    rec.rows("INSERT INTO computed (id, a) VALUES (1, 10)", "computed", error=None if whole else "gap test.computed.v: row 0 of the event: not in the image "
             "of an insert, and its default is no constant that is known here")
    if whole:
        rec.rows("UPDATE computed SET a = 11", "computed", assigned=["a"])
        rec.rows("DELETE FROM computed", "computed")


def generated_minimal_update(rec):
    """MariaDB to 11.4: whether a virtual column changed is not in a MINIMAL update."""
    rec.sql("CREATE TABLE computed (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a * 2) STORED)")
    rec.rows("INSERT INTO computed (id, a) VALUES (1, 10)", "computed")
    rec.image("MINIMAL")
    rec.rows("UPDATE computed SET a = 11", "computed", assigned=["a"], error=None if rec.at_least("mariadb", 11, 5) else "gap test.computed.v: a generated "
             "column that is not in the image of an update, so that nobody knows whether it changed")


def partial(rec):
    """MySQL: JSON columns of which the log has only what was changed."""
    rec.sql("CREATE TABLE docs (id INT PRIMARY KEY, a INT, j JSON, k JSON, t TEXT)")
    pad = '"pad": "' + "x" * 300 + '"'
    rec.rows(f"INSERT INTO docs VALUES (1, 1, '{{\"a\": 1, \"list\": [1, 2, 3], \"x y\": {{\"q\\\\\"\": 0}}, {pad}}}', '{{\"k\": [1], {pad}}}', 't'), "
             f"(2, 2, '[1, [2, 3], {{{pad}}}]', NULL, NULL), (3, 3, NULL, '{{}}', '')", "docs")
    for kind in ("FULL", "MINIMAL", "NOBLOB"):
        rec.image(kind)
        rec.sql("SET SESSION binlog_row_value_options = PARTIAL_JSON")
        assigned = ["j"]
        if kind == "FULL":
            rec.rows(f"UPDATE docs SET j = JSON_SET(j, {PARTIAL}) WHERE id = 1", "docs")
            rec.rows("UPDATE docs SET j = JSON_REMOVE(j, '$.list[0]', '$.a'), k = JSON_SET(k, '$.k[last]', 'new', '$.n', 1e100) WHERE id = 1", "docs")
            rec.rows("UPDATE docs SET j = JSON_SET(j, '$[1][2]', 4, '$[3]', 'end') WHERE id = 2", "docs")
            rec.rows("UPDATE docs SET a = a + 1", "docs")
            rec.rows("UPDATE docs SET j = JSON_ARRAY(1), k = JSON_REPLACE(k, '$.k[0]', JSON_OBJECT()) WHERE id IN (1, 3)", "docs")
        else:
            rec.sql("SET SESSION binlog_row_value_options = ''")
            rec.rows(f"UPDATE docs SET j = JSON_OBJECT('image', '{kind}') WHERE id = 1", "docs", assigned=assigned)
        rec.sql("SET SESSION binlog_row_value_options = ''")
    rec.image("FULL")


def partial_minimal(rec):
    """The value before is not in the log: what came of it cannot be known."""
    rec.sql("CREATE TABLE docs (id INT PRIMARY KEY, j JSON)")
    rec.rows(f"INSERT INTO docs VALUES (1, '{{\"a\": 1, \"pad\": \"{'x' * 300}\"}}')", "docs")
    rec.image("MINIMAL")
    rec.sql("SET SESSION binlog_row_value_options = PARTIAL_JSON")
    rec.rows("UPDATE docs SET j = JSON_SET(j, '$.a', 2)", "docs",
             error="gap test.docs.j: row 0 of the event: the log has only what changed in the value, and not the value before")


# ---- The order of things ----

def flow(rec):
    if rec.mysql:
        rec.sql("SET SESSION binlog_rows_query_log_events = ON")
    rec.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(300))")
    rec.sql("CREATE TABLE u (id INT PRIMARY KEY, v VARCHAR(300)) ENGINE = MyISAM")
    rec.rows("INSERT INTO t VALUES (1, REPEAT('a', 300)), (2, REPEAT('b', 300)), (3, NULL)", "t")
    rec.sql("BEGIN")
    rec.rows("UPDATE t SET v = REPEAT('c', 300) WHERE id = 1", "t")
    rec.sql("SAVEPOINT one")
    rec.rows("DELETE FROM t WHERE id = 2", "t", lost=True)
    rec.sql("ROLLBACK TO one")
    rec.rows("DELETE FROM t WHERE id = 3", "t")
    rec.sql("COMMIT")
    rec.sql("BEGIN")
    rec.rows("DELETE FROM t", "t", lost=True)
    rec.sql("ROLLBACK")
    rec.rows("INSERT INTO u VALUES (1, 'not transactional'), (2, NULL)", "u")
    rec.rows("UPDATE u SET v = 'still not' WHERE id = 2", "u")
    xa(rec)
    ddl(rec)
    rec.rows("UPDATE t SET id = 10 WHERE id = 1", "t", moved={1: 10})


def xa(rec):
    rec.sql("XA START 'global', 'branch', 7")
    rec.rows("INSERT INTO t VALUES (20, 'xa')", "t")
    rec.sql("XA END 'global', 'branch', 7")
    rec.sql("XA PREPARE 'global', 'branch', 7")
    rec.sql("XA COMMIT 'global', 'branch', 7")
    rec.sql("XA START X'00FF27'")
    rec.rows("INSERT INTO t VALUES (21, 'will be rolled back')", "t")
    rec.sql("XA END X'00FF27'")
    rec.sql("XA PREPARE X'00FF27'")
    rec.sql("XA ROLLBACK X'00FF27'")
    rec.sql("XA START 'one phase'")
    rec.rows("INSERT INTO t VALUES (22, 'one')", "t")
    rec.sql("XA END 'one phase'")
    rec.sql("XA COMMIT 'one phase' ONE PHASE")
    rec.sql("XA START 'forgotten'")
    rec.rows("INSERT INTO t VALUES (23, 'never prepared')", "t", lost=True)
    rec.sql("XA END 'forgotten'")
    rec.sql("XA ROLLBACK 'forgotten'")


def ddl(rec):
    rec.sql("ALTER TABLE t ADD COLUMN n INT UNSIGNED NOT NULL DEFAULT 4294967295 FIRST")
    rec.rows("INSERT INTO t (id, v) VALUES (30, 'n')", "t")
    rec.rows("CREATE TABLE copy (PRIMARY KEY (id)) AS SELECT id, v FROM t WHERE id >= 20", "copy")
    rec.sql("CREATE TABLE other LIKE t")
    rec.sql("RENAME TABLE t TO t_old, other TO t")
    rec.rows("INSERT INTO t VALUES (1, 1, 'in the new one')", "t")
    rec.rows("UPDATE t_old SET v = 'in the old one' WHERE id = 30", "t_old")
    rec.sql("RENAME TABLE t TO other, t_old TO t")
    rec.rows("DELETE FROM t WHERE id = 30", "t")
    rec.sql("ALTER TABLE other DROP COLUMN n, ADD KEY (v(5)), COMMENT 'é'")
    rec.rows("UPDATE other SET v = 'dropped'", "other")
    rec.sql("TRUNCATE TABLE other")
    rec.sql("DROP TABLE IF EXISTS copy, other, nothing")
    rec.sql("CREATE DATABASE IF NOT EXISTS elsewhere")
    rec.sql("CREATE TABLE elsewhere.t (id INT PRIMARY KEY)")
    rec.rows("INSERT INTO elsewhere.t VALUES (1)", "elsewhere.t")
    rec.sql("DROP DATABASE elsewhere")
    rec.sql("ALTER TABLE t DROP COLUMN n")
    rec.sql("CREATE TEMPORARY TABLE mine (id INT PRIMARY KEY)")
    rec.sql("DROP TEMPORARY TABLE mine")


def flow_without_checksum(rec):
    flow(rec)


def flow_compressed(rec):
    flow(rec)


def flow_compressed_without_checksum(rec):
    flow(rec)


def encrypted(rec):
    """MariaDB with encrypted logs, as the server gives them out: decrypted, but with the event that says so."""
    flow(rec)


def tagged(rec):
    """MySQL 8.3 and later: GTIDs with tags."""
    rec.sql("CREATE TABLE tagged (id INT PRIMARY KEY)")
    for number, tag in enumerate(["", ":billing", ":billing", ":_a1"]):
        rec.sql(f"SET SESSION gtid_next = 'AUTOMATIC{tag}'")
        rec.rows(f"INSERT INTO tagged VALUES ({number})", "tagged")
    rec.sql("SET SESSION gtid_next = 'AUTOMATIC'")


def rotated(rec):
    """The file after the others: its list of GTIDs is long, and it is the one that ends with the server."""
    rec.sql("CREATE TABLE rotated (id INT PRIMARY KEY)")
    if not rec.mysql:
        rec.sql("SET SESSION gtid_domain_id = 4294967295")
    rec.rows("INSERT INTO rotated VALUES (1)", "rotated")


def anonymous(rec):
    """MySQL without GTIDs."""
    rec.sql("CREATE TABLE anonymous (id INT PRIMARY KEY)")
    rec.rows("INSERT INTO anonymous VALUES (1)", "anonymous")


def side_effects(rec):
    """Rows that no statement named: triggers and cascades. MariaDB's cascades are not in its log, MySQL's only from 9.6 on."""
    rec.sql("CREATE TABLE parent (id INT PRIMARY KEY)")
    rec.sql("CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)")
    rec.sql("CREATE TABLE noted (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20))")
    rec.sql("CREATE TRIGGER note AFTER INSERT ON child FOR EACH ROW INSERT INTO noted (what) VALUES (CONCAT('child ', NEW.id))")
    rec.rows("INSERT INTO parent VALUES (1), (2)", "parent")
    rec.rows("INSERT INTO child VALUES (10, 1)", "child", "noted")
    rec.rows("REPLACE INTO child VALUES (11, 2)", "child", "noted")
    if rec.at_least("mysql", 9, 6):
        rec.rows("DELETE FROM parent WHERE id = 1", "child", "parent")
    else:
        rec.rows("DELETE FROM parent WHERE id = 1", "parent")


def statements(rec):
    """Changes logged as statements, which no decoder can turn into rows."""
    rec.sql("CREATE TABLE stated (id INT PRIMARY KEY, v DOUBLE)")
    rec.sql("SET SESSION binlog_format = STATEMENT")
    rec.sql("INSERT INTO stated (id) VALUES (1), (2)")
    rec.sql("UPDATE stated SET v = 1")
    rec.sql("SET SESSION binlog_format = ROW")


VALUES = [numbers, times, strings, charsets, special, shapes]
IMAGES = [images, generated, generated_without_key]
FLOWS = [side_effects, flow, flow_without_checksum, flow_compressed, flow_compressed_without_checksum, statements]
MARIADB = [generated_minimal, generated_minimal_update]
MYSQL = [partial, partial_minimal, tagged, anonymous]
LAST = [rotated]
ENCRYPTED = [encrypted]
