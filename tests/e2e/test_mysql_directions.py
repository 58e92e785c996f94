"""From one kind of database into the other, by the table in docs/types.md: each value arrives as the target's own spelling of it, and a
target that could not hold every value is refused by name."""
import pytest

from .mysql_types import session

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


def create(pair, cases):
    """Table c on both sides, with a column for each case: (type at the source, type of the target, ...)."""
    for run, side in ((pair.at_source, 0), (pair.at_target, 1)):
        run("CREATE TABLE c (id int PRIMARY KEY, " + ", ".join(f"v{n} {case[side]}" for n, case in enumerate(cases)) + ")")


def rows(cases):
    """The id of each row, and which of a column's values it has."""
    return {row: row for row in range(max(len(values) for _, _, values in cases))} | {1000: 0}


def write(run, cases):
    """Inserts a row for each value, updates one of nulls, and deletes one."""
    run("INSERT INTO c (id) VALUES (1000), (1001)")
    for row, which in list(rows(cases).items())[:-1]:
        run(f"INSERT INTO c VALUES ({row}, " + ", ".join(values[which % len(values)][0] for _, _, values in cases) + ")")
    run("UPDATE c SET " + ", ".join(f"v{n} = {values[0][0]}" for n, (_, _, values) in enumerate(cases)) + " WHERE id = 1000")
    run("DELETE FROM c WHERE id = 1001")


def check(pair, cases, shown):
    """Every value in the target, as `shown` has it printed: shown(type of the target) is an expression of the column {}."""
    wrong = {}
    for n, (source, target, values) in enumerate(cases):
        got = {row: value if value is None else str(value)
               for row, value in pair.target_rows(f"SELECT id, {shown(target).format(f'v{n}')} FROM c")}
        wanted = {row: values[which % len(values)][1] for row, which in rows(cases).items()}
        if got != wanted:
            wrong[f"{source} -> {target}"] = (got, wanted)
    assert not wrong


def refusal(pair, value="NULL"):
    """What apply says when it refuses the target's table at its start; that has no row then."""
    pair.prepare()
    pair.start_capture()
    pair.at_source(f"INSERT INTO c VALUES (1, {value})")
    pair.wait_in_kafka(1)
    pair.start_apply(wait=False)
    assert pair.apply.wait_end() == 78
    assert pair.target_rows("SELECT count(*) FROM c") == [(0,)]
    return pair.apply.log_text()


def failure(pair, table, run, value):
    """The text of the error with which apply stops at a value that the target's table has not; a row before it is there."""
    run("INSERT INTO c VALUES (6, NULL)")
    pair.drain()
    run(f"INSERT INTO c VALUES (77, {value})")
    error = pair.apply.wait_state("failed", timeout=30)["error"]
    assert error["class"] == "data" and f"an insert into {table} at " in error["text"] and "key (id=77)" in error["text"], error
    assert pair.target_rows("SELECT id FROM c") == [(6,)]
    return error


@pytest.mark.parametrize("kind", MYSQLS)
def test_into_postgresql(make_pair, kind):
    cases = into_postgres(kind)
    pair = make_pair(kind, "postgresql", ["c"])
    pair.at_target("CREATE TYPE mood AS ENUM ('sad', 'so so')")
    create(pair, cases)
    pair.start()
    with session(pair) as run:
        write(run, cases)
    pair.drain()
    check(pair, cases, lambda target: "{}::text")


@pytest.mark.parametrize("source,target,value", REFUSED_BY_POSTGRES, ids=[f"{a} -> {b}" for a, b, _ in REFUSED_BY_POSTGRES])
def test_refused_by_postgresql(make_pair, source, target, value):
    pair = make_pair("mariadb", "postgresql", ["c"])
    create(pair, [(source, target)])
    text = refusal(pair, value)
    spelled = SPELLED.get(target, target)
    assert f"column v0 of target table public.c is {spelled}, which does not hold every value of the source's {source}" in text, text


@pytest.mark.parametrize("column,target,value", [("date", "date", "'0000-00-00'"), ("datetime", "timestamp", "'2026-02-31 00:00:00'"),
                                                 ("tinyint", "boolean", "2"), ("varchar(9)", "text", "'a\\0b'"),
                                                 ("time", "time", "'-01:00:00'")])
def test_a_value_that_postgresql_has_not(make_pair, column, target, value):
    pair = make_pair("mariadb", "postgresql", ["c"])
    create(pair, [(column, target)])
    pair.start()
    with session(pair) as run:
        error = failure(pair, "public.c", run, value)
    assert "cannot write an insert into public.c at binlog." in error["text"] and "key (id=77): column v0: " in error["text"], error
    assert error["hint"], error


# ---- from PostgreSQL ----

# (type at the source, type of the target, [(SQL at the source, what the target prints, HEX() of bytes)])
FROM_POSTGRES = [
    ("boolean", "tinyint(1)", [("true", "1"), ("false", "0")]),
    ("boolean", "bit(1)", [("true", "1")]),
    ("smallint", "smallint", [("-32768", "-32768")]),
    ("integer", "int", [("-2147483648", "-2147483648")]),
    ("integer", "bigint", [("2147483647", "2147483647")]),
    ("bigint", "bigint", [("-9223372036854775808", "-9223372036854775808")]),
    ("bigint", "decimal(19,0)", [("9223372036854775807", "9223372036854775807")]),
    ("oid", "int unsigned", [("4294967295", "4294967295")]),
    ("real", "float", [("0.1", "0.10000000149011612"), ("-3.4028235e38", "-3.4028234663852886e38")]),
    ("real", "double", [("0.5", "0.5")]),
    ("double precision", "double", [("0.1", "0.1"), ("5e-324", "5e-324"), ("123456789.123456789", "123456789.12345679")]),
    ("numeric(12,2)", "decimal(12,2)", [("-9999999999.99", "-9999999999.99"), ("0", "0.00")]),
    ("numeric(12,2)", "decimal(14,4)", [("1.28", "1.2800")]),
    ("numeric", "varchar(100)", [("12345678901234567890.5000", "12345678901234567890.5000"), ("'NaN'", "NaN")]),
    ("numeric", "decimal(65,30)", [("1e-30", "0.000000000000000000000000000001")]),
    ("text", "longtext", [("'Grüße, 世界 🚀'", "Grüße, 世界 🚀"), ("''", ""), ("E'quote \\' \\\\ \\n'", "quote ' \\ \n")]),
    ("text", "varchar(40) character set latin1", [("'Grüße ÿ €'", "Grüße ÿ €")]),
    ("varchar(40)", "varchar(40)", [("'trailing  '", "trailing  ")]),
    ("char(5)", "char(5)", [("'ab'", "ab")]),
    ("char(5)", "varchar(5)", [("'ab'", "ab   ")]),
    ("bytea", "longblob", [("'\\x00ff27'", "00FF27"), ("''", "")]),
    ("uuid", "char(36)", [("'6ba7b810-9dad-11d1-80b4-00c04fd43000'", "6ba7b810-9dad-11d1-80b4-00c04fd43000")]),
    ("uuid", "binary(16)", [("'6ba7b810-9dad-11d1-80b4-00c04fd43000'", "6BA7B8109DAD11D180B400C04FD43000")]),
    ("json", "longtext", [("'{\"a\":  1.10}'", '{"a":  1.10}')]),
    ("jsonb", "json", [("'{\"a\": [1, null, \"x\"]}'", '{"a": [1, null, "x"]}')]),
    ("integer[]", "json", [("'{1,NULL,-3}'", "[1, null, -3]"), ("'{}'", "[]")]),
    ("text[]", "longtext", [("ARRAY['a,b', NULL]", '{"a,b",NULL}')]),
    ("mood", "enum('sad','so so','happy')", [("'so so'", "so so")]),
    ("mood", "varchar(20)", [("'happy'", "happy")]),
    ("date", "date", [("'2024-02-29'", "2024-02-29"), ("'9999-12-31'", "9999-12-31")]),
    ("time(3)", "time(3)", [("'12:34:56.789'", "12:34:56.789")]),
    ("time", "time(6)", [("'24:00:00'", "24:00:00.000000")]),
    ("timestamp", "datetime(6)", [("'1000-01-01 00:00:00.000001'", "1000-01-01 00:00:00.000001")]),
    ("timestamp(0)", "datetime", [("'2024-03-31 02:30:00'", "2024-03-31 02:30:00")]),
    ("timestamptz", "datetime(6)", [("'2024-03-31 02:30:00+02'", "2024-03-31 00:30:00.000000")]),
    ("timestamptz(0)", "timestamp null", [("'2038-01-19 03:14:07Z'", "2038-01-19 03:14:07")]),
    ("interval", "varchar(60)", [("'1 year 2 mons 3 days 04:05:06.789'", "1 year 2 mons 3 days 04:05:06.789")]),
    ("inet", "varchar(60)", [("'10.0.0.1/8'", "10.0.0.1/8")]),
    ("xml", "longtext", [("'<a b=\"c\">d</a>'", '<a b="c">d</a>')]),
    ("bit(5)", "varchar(5)", [("B'10101'", "10101")]),
    ("money", "varchar(40)", [("'-92233720368547758.08'", "-$92,233,720,368,547,758.08")]),
    ("int4range", "varchar(40)", [("'[1,10)'", "[1,10)")]),
]
FROM_POSTGRES_MARIADB = [
    ("uuid", "uuid", [("'6ba7b810-9dad-11d1-80b4-00c04fd43000'", "6ba7b810-9dad-11d1-80b4-00c04fd43000")]),
    ("json", "json", [("'{\"a\":  1.10, \"a\": 2}'", '{"a":  1.10, "a": 2}')]),
]
REFUSED_BY_MYSQL = [
    ("integer", "smallint"), ("bigint", "int(10) unsigned"), ("numeric(12,2)", "decimal(12,1)"), ("double precision", "float"),
    ("timestamp", "datetime(3)"), ("timestamp(0)", "timestamp null"), ("varchar(40)", "varchar(39)"), ("bytea", "longtext"),
    ("text", "longblob"), ("integer", "float"), ("date", "datetime"),
]


def shown(target):
    if target == "bit(1)":
        return "CAST({} AS UNSIGNED)"
    if target in ("float", "double"):
        return "CONCAT(CAST({} AS DOUBLE), '')"
    return "HEX({})" if target.startswith(("binary", "longblob")) else "CAST({} AS CHAR)"


@pytest.mark.parametrize("kind", MYSQLS)
def test_from_postgresql(make_pair, kind):
    cases = FROM_POSTGRES + (FROM_POSTGRES_MARIADB if kind == "mariadb" else [])
    pair = make_pair("postgresql", kind, ["c"])
    pair.at_source("CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy')")
    create(pair, cases)
    pair.start()
    write(pair.at_source, cases)
    pair.drain()
    check(pair, cases, shown)


@pytest.mark.parametrize("source,target", REFUSED_BY_MYSQL, ids=[f"{a} -> {b}" for a, b in REFUSED_BY_MYSQL])
def test_refused_by_mariadb(make_pair, source, target):
    pair = make_pair("postgresql", "mariadb", ["c"])
    create(pair, [(source, target)])
    text = refusal(pair)
    assert f"column v0 of target table {pair.dbname}.c is {target.removesuffix(' null').split('(')[0]}" in text, text
    assert "which does not hold every value of the source's " in text and "(hint: let the target's column be " in text, text


def test_an_enum_that_lacks_a_label_is_refused(make_pair):
    pair = make_pair("postgresql", "mariadb", ["c"])
    pair.at_source("CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy')")
    create(pair, [("mood", "enum('sad','so so')")])
    assert f'the enum of column v0 of target table {pair.dbname}.c has no label "happy"' in refusal(pair)


@pytest.mark.parametrize("column,target,value", [("double precision", "double", "'NaN'"), ("numeric", "decimal(65,30)", "1e60"),
                                                 ("date", "date", "'infinity'"), ("text", "varchar(3)", "'long'"),
                                                 ("timestamptz", "timestamp(6) null", "'1950-01-01 00:00:00Z'"),
                                                 ("text", "varchar(9) character set latin1", "'世界'")])
def test_a_value_that_mariadb_has_not(make_pair, column, target, value):
    pair = make_pair("postgresql", "mariadb", ["c"])
    create(pair, [(column, target)])
    pair.start()
    error = failure(pair, f"{pair.dbname}.c", pair.at_source, value)
    assert "column" in error["text"].lower(), error


def test_the_error_value_of_an_enum_is_named(make_pair):
    """MySQL's own '' with the number 0, which no strict session can write."""
    pair = make_pair("mariadb", "mariadb", ["c"])
    create(pair, [("enum('sad','so so')", "enum('sad','so so')")])
    pair.start()
    with session(pair) as run:
        failure(pair, f"{pair.dbname}.c", run, "'neither'")
