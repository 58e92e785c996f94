"""Every value arrives equal: types x extreme values, inserted, updated, deleted, and compared as the servers print them."""
import pytest

TYPES = {
    "boolean": ["true", "false"],
    "smallint": ["-32768", "0", "32767"],
    "integer": ["-2147483648", "-1", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "oid": ["0", "4294967295"],
    "real": ["'NaN'", "'Infinity'", "'-Infinity'", "1.17549435e-38", "3.4028235e38", "-0.0", "0.1", "1e-45"],
    "double precision": ["'NaN'", "'-Infinity'", "2.2250738585072014e-308", "1.7976931348623157e308", "5e-324", "0.1",
                         "-0.0", "123456789.123456789"],
    "numeric": ["'NaN'", "'Infinity'", "'-Infinity'", "0", "0.000", "-1", "1e-40", "12345678901234567890123456789012345678901234567890.5",
                "-0.00000000000000000000000000000000000000000000000001", "1e200"],
    "numeric(12,2)": ["0", "-9999999999.99", "9999999999.99", "'NaN'", "0.01", "-0.01", "127", "1.28", "-1.28", "-1.29"],
    "numeric(38,10)": ["9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999"],
    "numeric(4,-2)": ["123400", "-999900", "0"],
    "numeric(2,5)": ["0.00012", "-0.00099"],
    "text": ["''", "'plain'", "'Grüße, 世界 🚀'", "E'line\\nbreak\\ttab\\\\backslash'", "repeat('long ', 20000)",
             "'__debezium_unavailable_value'"],
    "varchar(40)": ["''", "'quote '' and \" and ; DROP TABLE'"],
    "char(10)": ["'ab'", "''"],
    "name": ["'pg_name'"],
    "\"char\"": ["'x'"],
    "bytea": ["''", "'\\x00ff10'", "decode(repeat('00ff', 30000), 'hex')"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    "date": ["'1970-01-01'", "'0001-01-01'", "'9999-12-31'", "'4713-01-01 BC'", "'5874897-12-31'", "'infinity'",
             "'-infinity'", "'1582-10-10'", "'2024-02-29'"],
    "time": ["'00:00:00'", "'23:59:59.999999'", "'24:00:00'"],
    "time(0)": ["'12:34:56'"],
    "time(3)": ["'12:34:56.789'"],
    "timetz": ["'12:34:56.789012+15:59:59'", "'00:00:00-12'"],
    "timestamp": ["'1970-01-01 00:00:00'", "'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'",
                  "'4713-01-01 00:00:00 BC'", "'294276-12-31 23:59:59.999999'", "'infinity'", "'-infinity'",
                  "'1969-12-31 23:59:59.999999'"],
    "timestamp(3)": ["'2024-03-31 02:30:00.123'", "'1900-01-01 00:00:00.001'"],
    "timestamp(0)": ["'2024-03-31 02:30:00'"],
    "timestamptz": ["'1970-01-01 00:00:00Z'", "'0001-01-01 00:00:00Z'", "'9999-12-31 23:59:59.999999Z'",
                    "'infinity'", "'-infinity'", "'4713-06-01 00:00:00Z BC'", "'2024-03-31 02:30:00+02'"],
    "interval": ["'1 year 2 mons 3 days 04:05:06.789'", "'-178000000 years'", "'0'", "'-1 mon +1 day -00:00:00.000001'",
                 "'2147483647 hours'"],
    "json": ["'{\"a\":  1, \"a\": 2}'", "'null'", "'[1.10, \"\\u00e9\"]'"],
    "jsonb": ["'{\"b\": {\"c\": [1, 2.50, null, \"x\"]}}'", "'\"text\"'", "'12345678901234567890.123456789'"],
    "xml": ["'<a b=\"c\">d</a>'"],
    "mood": ["'happy'", "'so so'", "'q\"uote'"],
    "money": ["'-92233720368547758.08'", "'0.01'"],
    "inet": ["'10.0.0.1/8'", "'::1'"],
    "cidr": ["'10.0.0.0/8'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "bit(5)": ["B'10101'"],
    "varbit": ["B''", "B'1'"],
    "int4range": ["'[1,10)'", "'empty'", "'(,)'"],
    "tstzrange": ["'[2024-01-01 00:00:00+00,infinity)'"],
    "point": ["'(1.5,-2)'"],
    "tsvector": ["'a fat cat'::tsvector"],
    "pair": ["ROW(1,'x')::pair", "ROW(NULL,'a,\"b')::pair"],
    "positive": ["17"],
    "integer[]": ["'{}'", "'{1,NULL,-3}'", "'{{1,2},{3,4}}'", "'[2:4]={7,8,9}'"],
    "text[]": ["'{}'", "ARRAY['', NULL, 'NULL', 'a,b', 'c\"d', 'e\\f', '{g}', ' h ']"],
    "numeric(10,2)[]": ["'{1.50,NULL,-0.01}'", "'{NaN,1.00}'"],
    "numeric[]": ["'{1.5,NaN,1e50}'"],
    "boolean[]": ["'{t,f,NULL}'"],
    "bytea[]": ["ARRAY['\\x00'::bytea, NULL, '\\xff'::bytea]"],
    "uuid[]": ["ARRAY['00000000-0000-0000-0000-000000000001'::uuid]"],
    "date[]": ["'{2024-01-01,infinity}'", "'{2024-01-01,NULL}'"],
    "timestamptz[]": ["'{2024-01-01 00:00:00+00,NULL}'"],
    "double precision[]": ["'{1.5,NaN,-Infinity,NULL}'"],
    "jsonb[]": ["ARRAY['{\"a\": \"b,c\"}'::jsonb, NULL]"],
    "mood[]": ["'{happy,\"so so\",NULL}'"],
}
PREPARE = """
CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy', 'q"uote');
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
"""


def table_of(index):
    return f"type_{index}"


@pytest.fixture(scope="module")
def types_pipe(tmp_path_factory, servers):
    from .conftest import Pipe
    from harness import Stack
    with Stack(tmp_path_factory.mktemp("types")) as stack:
        pipe = Pipe(stack, servers)
        pipe.both(PREPARE)
        for index, name in enumerate(TYPES):
            pipe.both(f"CREATE TABLE {table_of(index)} (id integer PRIMARY KEY, v {name}, w {name})")
        pipe.both("CREATE TABLE done (id integer PRIMARY KEY)")
        pipe.start()
        for index, (name, values) in enumerate(TYPES.items()):
            table = table_of(index)
            for n, value in enumerate(values):
                pipe.at_source(f"INSERT INTO {table} VALUES (%s, {value.replace('%', '%%')}, NULL)", (n,))
            pipe.at_source(f"INSERT INTO {table} VALUES (1000, NULL, NULL), (1001, {values[0]}, NULL)")
            pipe.at_source(f"UPDATE {table} SET w = v")
            pipe.at_source(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
            pipe.at_source(f"UPDATE {table} SET w = NULL WHERE id = 1000 OR id = 0")
            pipe.at_source(f"DELETE FROM {table} WHERE id = 1001")
        pipe.at_source("INSERT INTO done VALUES (1)")
        pipe.wait_target("SELECT count(*) FROM done", 1, timeout=60)
        yield pipe


@pytest.mark.parametrize("index", range(len(TYPES)), ids=list(TYPES))
def test_equal_in_the_target(types_pipe, index):
    assert types_pipe.rows(types_pipe.target, table_of(index)) == types_pipe.rows(types_pipe.source, table_of(index))
    assert len(types_pipe.rows(types_pipe.target, table_of(index))) == len(list(TYPES.values())[index]) + 1
