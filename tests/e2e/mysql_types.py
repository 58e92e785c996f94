"""The column types of MariaDB and MySQL with extreme values, and how each is compared exactly.

A row of TYPES: (type, how it is compared, its values as SQL literals, the servers that have it: "mariadb", "mariadb-11.8",
"mysql" or all).  The first value stands in for the others where a test needs one.  Large values stand behind the third: the rows
that are updated over and over have the first three.
"""
import contextlib

ALL = ("mariadb", "mariadb-11.8", "mysql")
MARIADB = ("mariadb", "mariadb-11.8")

# How a column is printed for the comparison: as text, as bytes, as a number with all digits, as label and number.
PRINT = {
    "text": "CAST({0} AS CHAR)",
    "bytes": "HEX({0})",
    "bits": "CAST({0} AS UNSIGNED)",
    "float": "CONCAT(CAST({0} AS DOUBLE), '')",
    "label": "CONCAT(HEX({0}), ':', {0} + 0)",
}

POINT = "ST_GeomFromText('POINT(1.5 -2)')"
POLYGON = "ST_GeomFromText('POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 1))')"
LATIN1 = "''", "'plain'", "'Grüße ÿ €'", "REPEAT('é', 40)"
UNICODE = "''", "'plain'", "'Grüße, 世界'", "'quote '' \" \\\\ \\n\\t\\0 end '", "REPEAT('ß', 40)"
INSTANTS = "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "'2024-03-31 02:30:00'", "'0000-00-00 00:00:00'"

TYPES = [
    # integers
    ("tinyint", "text", ["-128", "0", "127"], ALL),
    ("tinyint unsigned", "text", ["0", "128", "255"], ALL),
    ("bool", "text", ["TRUE", "FALSE", "-3"], ALL),
    ("smallint", "text", ["-32768", "-1", "32767"], ALL),
    ("smallint unsigned", "text", ["0", "32768", "65535"], ALL),
    ("mediumint", "text", ["-8388608", "-1", "8388607"], ALL),
    ("mediumint unsigned", "text", ["0", "8388608", "16777215"], ALL),
    ("int", "text", ["-2147483648", "-1", "2147483647"], ALL),
    ("int unsigned", "text", ["0", "2147483648", "4294967295"], ALL),
    ("int(6) unsigned zerofill", "text", ["0", "7", "4294967295"], ALL),
    ("bigint", "text", ["-9223372036854775808", "-1", "9223372036854775807"], ALL),
    ("bigint unsigned", "text", ["0", "9223372036854775808", "18446744073709551615"], ALL),
    # floating point and decimal
    ("float", "float", ["0.1", "-3.40282e38", "1.17549e-38", "1e-40", "123456.78", "-0e0"], ALL),
    ("float unsigned", "float", ["0", "3.4e38"], ALL),
    ("double", "float", ["0.1", "-1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "123456789.123456789", "-0e0"], ALL),
    ("decimal(12,2)", "text", ["0", "-9999999999.99", "9999999999.99", "0.01", "-0.01", "127", "1.28", "-1.28"], ALL),
    ("decimal(65,30)", "text", ["99999999999999999999999999999999999.999999999999999999999999999999", "-1e-30", "0"], ALL),
    ("decimal(1,0)", "text", ["-9", "9"], ALL),
    ("decimal(30,30)", "text", ["0.999999999999999999999999999999", "-0.000000000000000000000000000001"], ALL),
    ("decimal(10,0) unsigned", "text", ["0", "9999999999"], ALL),
    ("decimal(9,9)", "text", ["-0.123456789", "0.000000001"], ALL),
    # bits and years
    ("bit(1)", "bits", ["b'1'", "b'0'"], ALL),
    ("bit(9)", "bits", ["b'100000001'", "b'0'"], ALL),
    ("bit(64)", "bits", ["0xffffffffffffffff", "0x8000000000000000", "1"], ALL),
    ("year", "text", ["1901", "2155", "0", "2024"], ALL),
    # dates and times
    ("date", "text", ["'2024-02-29'", "'0001-01-01'", "'9999-12-31'", "'1582-10-10'", "'0000-00-00'", "'2026-02-31'", "'2024-00-00'",
                      "'2024-05-00'"], ALL),
    ("datetime", "text", ["'1970-01-01 00:00:00'", "'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'", "'0000-00-00 00:00:00'",
                          "'2026-02-31 12:00:00'", "'2024-00-00 01:02:03'"], ALL),
    ("datetime(1)", "text", ["'2024-03-31 02:30:00.1'", "'1969-12-31 23:59:59.9'"], ALL),
    ("datetime(3)", "text", ["'2024-03-31 02:30:00.123'", "'0000-00-00 00:00:00.000'"], ALL),
    ("datetime(4)", "text", ["'2024-03-31 02:30:00.1234'"], ALL),
    ("datetime(6)", "text", ["'9999-12-31 23:59:59.999999'", "'1000-01-01 00:00:00.000001'"], ALL),
    ("timestamp null", "text", list(INSTANTS), ALL),
    ("timestamp(2) null", "text", ["'2024-03-31 02:30:00.12'"], ALL),
    ("timestamp(5) null", "text", ["'2024-03-31 02:30:00.12345'"], ALL),
    ("timestamp(6) null", "text", ["'2038-01-19 03:14:07.999999'", "'1970-01-01 00:00:01.000001'", "'0000-00-00 00:00:00.000000'"], ALL),
    ("time", "text", ["'00:00:00'", "'-838:59:59'", "'838:59:59'", "'-00:00:01'", "'24:00:00'"], ALL),
    ("time(1)", "text", ["'-00:00:00.1'", "'-00:00:01.9'"], ALL),
    ("time(3)", "text", ["'-00:00:00.001'", "'-12:34:56.789'", "'12:34:56.789'"], ALL),
    ("time(6)", "text", ["'-00:00:00.000001'", "'-838:59:58.999999'", "'838:59:58.999999'"], ALL),
    # text
    ("char(10)", "bytes", ["'ab'", "''", "'ab  '", "'é世'"], ALL),
    ("char(255) character set utf8mb4", "bytes", ["'x'", "REPEAT('世', 255)"], ALL),
    ("varchar(40)", "bytes", [*UNICODE, "'🚀'", "'trailing  '"], ALL),
    ("varchar(300)", "bytes", ["'x'", "REPEAT('y', 300)"], ALL),
    ("tinytext", "bytes", list(UNICODE), ALL),
    ("text", "bytes", [*UNICODE, "REPEAT('long ', 13000)"], ALL),
    ("mediumtext", "bytes", ["'m'", "''", "'mm'", "REPEAT('medium🚀', 7000)"], ALL),
    ("longtext", "bytes", ["'l'", "''", "'ll'", "REPEAT('x', 200000)"], ALL),
    ("varchar(40) character set latin1", "bytes", list(LATIN1), ALL),
    ("char(9) character set cp1251", "bytes", ["'Привет'", "''"], ALL),
    ("varchar(40) character set koi8r", "bytes", ["'Привет'"], ALL),
    ("varchar(40) character set sjis", "bytes", ["'日本語'", "'ｶﾅ'"], ALL),
    ("varchar(40) character set cp932", "bytes", ["'日本語①'", "'ｶﾅ'"], ALL),
    ("varchar(40) character set ujis", "bytes", ["'日本語'"], ALL),
    ("varchar(40) character set gbk", "bytes", ["'世界'"], ALL),
    ("varchar(40) character set big5", "bytes", ["'世界'"], ALL),
    ("varchar(40) character set euckr", "bytes", ["'한국어'"], ALL),
    ("varchar(40) character set ucs2", "bytes", ["'Grüße'", "''"], ALL),
    ("varchar(40) character set utf16", "bytes", ["'Grüße 🚀'"], ALL),
    ("varchar(40) character set utf32", "bytes", ["'Grüße 🚀'"], ALL),
    ("varchar(40) character set utf8mb3", "bytes", ["'Grüße 世界'"], ALL),
    ("varchar(40) character set greek", "bytes", ["'Ελλάδα'"], ALL),
    ("varchar(40) character set latin1 collate latin1_bin", "bytes", ["'ÄÖ'"], ALL),
    ("text character set latin1", "bytes", list(LATIN1), ALL),
    # bytes
    ("binary(8)", "bytes", ["x'00'", "x'0102030405060708'", "x'6100'", "''"], ALL),
    ("varbinary(40)", "bytes", ["''", "x'00ff0000'", "'plain'"], ALL),
    ("tinyblob", "bytes", ["x'00'", "''"], ALL),
    ("blob", "bytes", ["x'00ff'", "''", "x'00'", "UNHEX(REPEAT('00ff', 30000))"], ALL),
    ("longblob", "bytes", ["x''", "x'fe'", "x'00'", "UNHEX(REPEAT('fe00', 60000))"], ALL),
    # sets of labels
    ("enum('sad','so so','q\"u''o,te','世界')", "label", ["'sad'", "'so so'", "4", "3"], ALL),
    ("enum('é','ü') character set latin1", "label", ["'é'", "'ü'"], ALL),
    ("set('a','b','c d','世')", "label", ["'a'", "''", "'a,c d,世'", "15"], ALL),
    ("set('é','x') character set latin1", "label", ["'é,x'", "'x'"], ALL),
    # documents, places, vectors
    ("json", "text", ["'{\"b\": {\"c\": [1, 2.5, null, \"x\", true]}}'", "'null'", "'[1.10, \"\\\\u00e9\"]'", "'\"text\"'",
                      "'18446744073709551615'", "'-9223372036854775808'", "'{}'", "'[]'", "'{\"\": \"\", \"🚀\": 1e-300}'"], ALL),
    ("json", "text", ["JSON_OBJECT('d', CAST('2024-02-29 01:02:03.000004' AS DATETIME(6)), 'n', CAST('1.25' AS DECIMAL(10,2)))",
                      "JSON_ARRAY(CAST('-01:02:03.5' AS TIME(1)), CAST('2024-02-29' AS DATE))", "JSON_ARRAY(CAST(x'00ff' AS BINARY))",
              "CAST(JSON_QUOTE(REPEAT('x', 70000)) AS JSON)"],
     ("mysql",)),
    ("point", "bytes", [POINT], ALL),
    ("geometry", "bytes", [POLYGON, POINT, "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))')"], ALL),
    ("geometry", "bytes", ["ST_GeomFromText('POINT(10 20)', 4326)"], ALL),
    ("linestring", "bytes", ["ST_GeomFromText('LINESTRING(0 0,1 1,2 2)')"], ALL),
    ("polygon", "bytes", [POLYGON], ALL),
    ("multipoint", "bytes", ["ST_GeomFromText('MULTIPOINT(0 0,1 1)')"], ALL),
    ("vector(3)", "bytes", ["x'0000803f000000c000004040'", "x'000000000000000000000000'"], ("mysql", "mariadb-11.8")),
    # MariaDB's own
    ("uuid", "text", ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffff00'",
                      "'6ba7b810-9dad-11d1-80b4-00c04fd43000'"], MARIADB),
    ("inet4", "text", ["'0.0.0.0'", "'10.1.0.0'", "'255.255.255.255'"], MARIADB),
    ("inet6", "text", ["'::'", "'2001:db8::'", "'::ffff:10.0.0.1'"], MARIADB),
    ("varchar(200) compressed", "bytes", ["''", "'short'", "REPEAT('compress me ', 16)"], MARIADB),
    ("text compressed", "bytes", ["''", "'short'", "'x'", "REPEAT('compress me ', 1600)"], MARIADB),
    ("blob compressed", "bytes", ["x'00'", "''", "x'ff'", "UNHEX(REPEAT('00ff', 20000))"], MARIADB),
    ("varbinary(200) compressed", "bytes", ["x'0000'", "REPEAT('z', 200)"], MARIADB),
]


def types_of(kind):
    return [(sql, how, values) for sql, how, values, servers in TYPES if kind in servers]


# The session in which the values are written: what strict mode refuses must arrive too.
SESSION = "SET SESSION sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'"


@contextlib.contextmanager
def session(pair):
    """with session(pair) as run: run(sql) runs a statement at the source, in one session that lets everything in."""
    with pair.source.connect(pair.dbname) as connection, connection.cursor() as cursor:
        cursor.execute(SESSION)
        yield cursor.execute
