"""From one kind of database into the other, by the table in docs/types.md: each value arrives as the target's own spelling of it, and a
target that could not hold every value is refused by name."""
import pytest

from .mysql_types import SESSION

MYSQLS = ("mariadb", "mysql")

# (type at the source, type of the target, [(SQL at the source, what PostgreSQL prints)])
INTO_POSTGRES = [
    ("tinyint", "smallint", [("-128", "-128"), ("127", "127")]),
    ("tinyint(1)", "boolean", [("1", "true"), ("0", "false")]),
    ("tinyint unsigned", "numeric(5)", [("255", "255")]),
    ("smallint unsigned", "integer", [("65535", "65535")]),
    ("mediumint unsigned", "bigint", [("16777215", "16777215")]),
    ("int", "integer", [("-2147483648", "-2147483648")]),
    ("int unsigned", "bigint", [("4294967295", "4294967295")]),
    ("bigint", "numeric(19)", [("-9223372036854775808", "-9223372036854775808")]),
    ("bigint unsigned", "numeric(20)", [("18446744073709551615", "18446744073709551615"), ("0", "0")]),
    ("float", "real", [("0.1", "0.1"), ("-3.40282e38", "-3.40282e+38")]),
    ("float", "double precision", [("0.5", "0.5")]),
    ("double", "double precision", [("0.1", "0.1"), ("-1.7976931348623157e308", "-1.7976931348623157e+308"), ("5e-324", "5e-324")]),
    ("decimal(12,2)", "numeric(12,2)", [("-9999999999.99", "-9999999999.99"), ("0", "0.00"), ("0.01", "0.01")]),
    ("decimal(65,30)", "numeric", [("99999999999999999999999999999999999.999999999999999999999999999999",
                                    "99999999999999999999999999999999999.999999999999999999999999999999")]),
    ("bit(9)", "bit(9)", [("b'100000001'", "100000001")]),
    ("bit(64)", "numeric", [("0xffffffffffffffff", "18446744073709551615")]),
    ("bit(8)", "integer", [("255", "255")]),
    ("bit(1)", "boolean", [("b'1'", "true"), ("b'0'", "false")]),
    ("year", "smallint", [("2155", "2155"), ("0", "0")]),
    ("year", "text", [("0", "0000"), ("1901", "1901")]),
    ("date", "date", [("'2024-02-29'", "2024-02-29"), ("'9999-12-31'", "9999-12-31"), ("'0001-01-01'", "0001-01-01")]),
    ("date", "text", [("'0000-00-00'", "0000-00-00"), ("'2026-02-31'", "2026-02-31"), ("'2024-05-00'", "2024-05-00"),
                      ("'2024-02-29'", "2024-02-29")]),
    ("datetime", "timestamp", [("'9999-12-31 23:59:59'", "9999-12-31 23:59:59")]),
    ("datetime(6)", "timestamp", [("'1000-01-01 00:00:00.000001'", "1000-01-01 00:00:00.000001")]),
    ("datetime(3)", "text", [("'0000-00-00 00:00:00'", "0000-00-00 00:00:00.000"), ("'2024-03-31 02:30:00.123'", "2024-03-31 02:30:00.123")]),
    ("timestamp(6) null", "timestamptz", [("'2038-01-19 03:14:07.999999'", "2038-01-19 03:14:07.999999+00")]),
    ("time(6)", "interval", [("'-838:59:58.999999'", "-838:59:58.999999"), ("'-00:00:00.000001'", "-00:00:00.000001"), ("'24:00:00'", "24:00:00")]),
    ("time(3)", "time(3)", [("'12:34:56.789'", "12:34:56.789"), ("'00:00:00'", "00:00:00")]),
    ("time(1)", "text", [("'-00:00:01.9'", "-00:00:01.9")]),
    ("char(10)", "varchar(10)", [("'ab'", "ab")]),
    ("varchar(40) character set latin1", "text", [("'Grüße ÿ €'", "Grüße ÿ €")]),
    ("varchar(40) character set sjis", "varchar(40)", [("'日本語'", "日本語")]),
    ("varchar(40)", "varchar(60)", [("'quote '' 🚀'", "quote ' 🚀"), ("''", "")]),
    ("longtext", "text", [("REPEAT('x', 3)", "xxx")]),
    ("binary(4)", "bytea", [("x'6100'", "\\x61000000")]),
    ("varbinary(9)", "bytea", [("x'00ff'", "\\x00ff"), ("''", "\\x")]),
    ("longblob", "bytea", [("x'00ff27'", "\\x00ff27")]),
    ("enum('sad','so so')", "text", [("'so so'", "so so"), ("0", "")]),
    ("enum('sad','so so')", "mood", [("'so so'", "so so")]),
    ("set('a','b','c d')", "text", [("'a,c d'", "a,c d"), ("''", "")]),
    ("set('a','b','c d')", "text[]", [("'a,c d'", '{a,"c d"}'), ("''", "{}")]),
    ("json", "json", [("'{\"b\": [1, null]}'", '{"b": [1, null]}')]),
    ("point", "bytea", [("ST_GeomFromText('POINT(1.5 -2)')", "\\x000000000101000000000000000000f83f00000000000000c0")]),
]
ONLY_MARIADB = [
    ("uuid", "uuid", [("'6ba7b810-9dad-11d1-80b4-00c04fd43000'", "6ba7b810-9dad-11d1-80b4-00c04fd43000")]),
    ("uuid", "text", [("'6ba7b810-9dad-11d1-80b4-00c04fd43000'", "6ba7b810-9dad-11d1-80b4-00c04fd43000")]),
    ("inet4", "inet", [("'10.1.0.0'", "10.1.0.0/32")]),
    ("inet6", "inet", [("'2001:db8::'", "2001:db8::/128")]),
    ("text compressed", "text", [("REPEAT('ab', 3)", "ababab")]),
]
ONLY_MYSQL = [
    ("json", "jsonb", [("'{\"b\": [1, null]}'", '{"b": [1, null]}')]),
    ("vector(2)", "real[]", [("x'0000803f000000c0'", "{1,-2}")]),
]
# (type at the source, type of the target that cannot hold all of its values, a value)
REFUSED_BY_POSTGRES = [
    ("int unsigned", "integer", "1"), ("bigint unsigned", "bigint", "1"), ("decimal(12,2)", "numeric(11,2)", "1"),
    ("decimal(12,2)", "double precision", "1"), ("double", "real", "1"), ("datetime", "timestamptz", "'2024-01-01'"),
    ("varchar(40)", "varchar(39)", "'x'"), ("datetime(6)", "timestamp(3)", "'2024-01-01'"), ("longblob", "text", "'x'"),
    ("bit(9)", "bit(8)", "b'1'"), ("mediumint", "smallint", "1"),
]

# How PostgreSQL spells it.
SPELLED = {"timestamptz": "timestamp with time zone", "varchar(39)": "character varying(39)", "timestamp(3)": "timestamp(3) without time zone"}


def into_postgres(kind):
    return INTO_POSTGRES + (ONLY_MARIADB if kind == "mariadb" else ONLY_MYSQL)


@pytest.mark.parametrize("kind", MYSQLS)
def test_into_postgresql(make_pair, kind):
    cases = into_postgres(kind)
    pair = make_pair(kind, "postgresql", ["c"])
    pair.at_source("CREATE TABLE c (id int PRIMARY KEY, "
                   + ", ".join(f"v{n} {source}" for n, (source, _, _) in enumerate(cases)) + ")")
    pair.at_target("CREATE TYPE mood AS ENUM ('sad', 'so so')")
    pair.at_target("CREATE TABLE c (id integer PRIMARY KEY, "
                   + ", ".join(f"v{n} {target}" for n, (_, target, _) in enumerate(cases)) + ")")
    pair.start()
    connection = pair.source.connect(pair.dbname)
    with connection, connection.cursor() as cursor:
        cursor.execute(SESSION)
        cursor.execute("INSERT INTO c (id) VALUES (1000)")
        for row in range(max(len(values) for _, _, values in cases)):
            given = ", ".join(values[row % len(values)][0] for _, _, values in cases)
            cursor.execute(f"INSERT INTO c VALUES ({row}, {given})")
        cursor.execute("UPDATE c SET " + ", ".join(f"v{n} = {values[0][0]}" for n, (_, _, values) in enumerate(cases))
                       + " WHERE id = 1000")
        cursor.execute("INSERT INTO c (id) VALUES (1001)")
        cursor.execute("DELETE FROM c WHERE id = 1001")
    pair.drain()
    for n, (source, target, values) in enumerate(cases):
        got = dict(pair.target_rows(f"SELECT id, v{n}::text FROM c"))
        wanted = {row: values[row % len(values)][1] for row in got if row < 1000} | {1000: values[0][1]}
        assert got == wanted, f"{source} -> {target}"


@pytest.mark.parametrize("source,target,value", REFUSED_BY_POSTGRES, ids=[f"{a} -> {b}" for a, b, _ in REFUSED_BY_POSTGRES])
def test_refused_by_postgresql(make_pair, source, target, value):
    refused(make_pair("mariadb", "postgresql", ["c"]), source, target, value)


def refused(pair, source, target, value):
    pair.at_source(f"CREATE TABLE c (id int PRIMARY KEY, v {source})")
    pair.at_target(f"CREATE TABLE c (id int PRIMARY KEY, v {target})")
    pair.prepare()
    pair.start_capture()
    pair.at_source(f"INSERT INTO c VALUES (1, {value})")
    pair.start_apply(wait=False)
    assert pair.apply.wait_end() == 78
    text = pair.apply.log_text()
    words = f"column v of target table {pair.schema(pair.target)}.c is {SPELLED.get(target, target)}, which does not hold every value of the source's {source}"
    assert words in text, text
    assert pair.target_rows("SELECT count(*) FROM c") == [(0,)]


@pytest.mark.parametrize("column,target,value", [("date", "date", "'0000-00-00'"), ("datetime", "timestamp", "'2026-02-31 00:00:00'"),
                                                 ("tinyint", "boolean", "2"), ("varchar(9)", "text", "'a\\0b'"),
                                                 ("time", "time", "'-01:00:00'")])
def test_a_value_that_postgresql_has_not(make_pair, column, target, value):
    pair = make_pair("mariadb", "postgresql", ["c"])
    pair.at_source(f"CREATE TABLE c (id int PRIMARY KEY, v {column})")
    pair.at_target(f"CREATE TABLE c (id int PRIMARY KEY, v {target})")
    pair.start()
    connection = pair.source.connect(pair.dbname)
    with connection, connection.cursor() as cursor:
        cursor.execute(SESSION)
        cursor.execute("INSERT INTO c VALUES (6, NULL)")
        pair.drain()
        cursor.execute(f"INSERT INTO c VALUES (77, {value})")
    status = pair.apply.wait_state("failed", timeout=30)
    text = status["error"]["text"]
    assert "cannot write an insert into public.c at binlog." in text and "key (id=77): column v: " in text, status["error"]
    assert status["error"]["class"] == "data" and status["error"]["hint"], status["error"]
    assert pair.target_rows("SELECT id FROM c") == [(6,)]
