#!/usr/bin/env python3
"""Records what a real PostgreSQL sends through pgoutput, with what it means, for tests/unit/capture_decode_vectors.c.

    .cache/venv/bin/python tests/vectors/pgoutput/record.py        (the Python of tests/setup.sh)

Starts a server of its own, runs each scenario below, fetches the messages from a slot and writes <scenario>.txt:

    type <oid> base=<oid> typmod=<n> array=<0|1> name=<name> labels=<a|b>   the answer about a type
    key <relation> <column,column>                                          and about a primary key
    frame <lsn> <hex>                                                       a message
    expect <text>                                                           what it means

and tests/fuzz/seeds/pgoutput/<scenario>, a few of those messages for the fuzzer (tests/fuzz/fuzz_pgoutput.c).

The meaning is worked out here without Tailrace: by a reader of the protocol of our own (below), and values by what
SELECT gives for the same row.  A value is shown as letter:text; the letter is the kind of value that the decoder must
choose (e: exact, the column's type cannot hold it), the text is the source's, and the test prints the decoded value
back into it.
"""

import re
import struct
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEEDS = HERE.parents[1] / "fuzz" / "seeds" / "pgoutput"
sys.path.insert(0, str(HERE.parents[1]))

from harness.postgres import Postgres  # noqa: E402

SESSION = """
set client_encoding = 'UTF8'; set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set timezone = 'UTC';
set bytea_output = 'hex'; set extra_float_digits = 1;
"""
EPOCH_2000_US = 946684800000000

# ---- Scenarios ----

# Of each type: the values that its text form is hard at.  Row n takes each column's n-th value (and starts over).
TYPES = {
    "c_bool": ("boolean", ["true", "false"]),
    "c_int2": ("smallint", ["-32768", "32767", "0"]),
    "c_int4": ("integer", ["-2147483648", "2147483647", "-1"]),
    "c_int8": ("bigint", ["-9223372036854775808", "9223372036854775807", "0"]),
    "c_oid": ("oid", ["4294967295", "0"]),
    "c_float4": ("real", ["0.1", "-0", "1e-45", "3.4028235e38", "NaN", "Infinity", "-Infinity", "16777217",
        "1.17549435e-38", "123456.79", "1e6", "0.0001", "0.00001", "1.1754942e-38"]),
    "c_float8": ("double precision", ["0.1", "-0", "5e-324", "1.7976931348623157e308", "NaN", "Infinity", "-Infinity",
        "9007199254740993", "2.2250738585072014e-308", "0.30000000000000004", "1e15", "1e14", "123456789012345.67",
        "2.2250738585072011e-308", "1e22", "-1.5e-7", "100"]),
    "c_numeric": ("numeric", ["0", "-0.000", "NaN", "Infinity", "-Infinity", "1e-400", "1e400",
        "12345678901234567890.0123456789", "1.10"]),
    "c_numeric_12_2": ("numeric(12,2)", ["0", "9999999999.99", "-9999999999.99", "NaN", "0.5"]),
    "c_numeric_3_3": ("numeric(3,3)", ["0.999", "-0.001"]),
    "c_numeric_5": ("numeric(5)", ["12345", "-1"]),
    "c_numeric_neg": ("numeric(2,-3)", ["12345", "-99000", "NaN"]),
    "c_numeric_small": ("numeric(3,5)", ["0.00123", "-0.00999"]),
    "c_text": ("text", ["", "a b%\n\t\\\"{}", "käse 🧀 東京", "NULL"]),
    "c_varchar": ("varchar(20)", ["x", "äöü"]),
    "c_bpchar": ("char(5)", ["ab", ""]),
    "c_name": ("name", ["a_name"]),
    "c_qchar": ('"char"', ["x", "é"]),
    "c_bytea": ("bytea", ["\\x", "\\x00ff5c22", "\\xdeadbeef"]),
    "c_json": ("json", ['{"a": [1, 2.50, null]}', " 1 "]),
    "c_jsonb": ("jsonb", ['{"b": 1.0, "a": "\\u00e4"}']),
    "c_xml": ("xml", ["<a>b &amp; c</a>"]),
    "c_uuid": ("uuid", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    "c_date": ("date", ["1970-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "5874897-12-31", "4713-11-24 BC",
        "0001-02-29 BC", "infinity", "-infinity", "2000-02-29", "1900-02-28", "1582-10-10", "1969-12-31"]),
    "c_time": ("time", ["00:00", "24:00:00", "23:59:59.999999", "12:34:56.1"]),
    "c_time_3": ("time(3)", ["12:34:56.789", "00:00:00.001"]),
    "c_timetz": ("timetz", ["12:34:56.789+02", "00:00:00-15:59:59", "24:00:00+00"]),
    "c_timestamp": ("timestamp", ["1970-01-01", "0001-01-01", "9999-12-31 23:59:59.999999", "10000-01-01", "infinity",
        "-infinity", "4713-11-24 00:00:00.5 BC", "294276-12-31 23:59:59.999999", "1969-12-31 23:59:59.9",
        "2024-02-29 12:34:56.78", "2024-02-29 12:34:56.789", "2024-02-29 12:34:56.7891", "2024-02-29 12:34:56.78912"]),
    "c_timestamp_0": ("timestamp(0)", ["2024-02-29 12:34:56.5"]),
    "c_timestamptz": ("timestamptz", ["2024-02-29 12:34:56.789123+05:30", "0001-01-01 00:00:00+00",
        "0001-12-31 23:59:59+00 BC", "9999-12-31 23:59:59.999999+00", "infinity", "-infinity",
        "10000-01-01 00:00:00+00"]),
    "c_timestamptz_3": ("timestamptz(3)", ["2024-02-29 12:34:56.789+00"]),
    "c_interval": ("interval", ["1 year 2 mons -3 days 04:05:06.789", "-178000000 years"]),
    "c_interval_dts": ("interval day to second(3)", ["3 days 04:05:06.789"]),
    "c_interval_y": ("interval year to month", ["14 months"]),
    "c_money": ("money", ["12.34"]),
    "c_inet": ("inet", ["10.0.0.1/8", "::1"]),
    "c_cidr": ("cidr", ["10.0.0.0/8"]),
    "c_macaddr": ("macaddr", ["08:00:2b:01:02:03"]),
    "c_macaddr8": ("macaddr8", ["08:00:2b:01:02:03:04:05"]),
    "c_bit": ("bit(3)", ["101"]),
    "c_bit_1": ("bit", ["1"]),
    "c_varbit": ("bit varying(10)", ["10101", ""]),
    "c_point": ("point", ["(1.5,-2)"]),
    "c_box": ("box", ["(1,1),(0,0)"]),
    "c_path": ("path", ["[(0,0),(1,1)]"]),
    "c_circle": ("circle", ["<(0,0),1>"]),
    "c_tsvector": ("tsvector", ["'a':1 'b':2A"]),
    "c_tsquery": ("tsquery", ["'a' & !'b'"]),
    "c_int4range": ("int4range", ["[1,5)", "empty"]),
    "c_numrange": ("numrange", ["(1.5,)"]),
    "c_tstzrange": ("tstzrange", ["[2024-01-01 00:00:00+00,infinity)"]),
    "c_datemultirange": ("datemultirange", ["{[2024-01-01,2024-02-01)}"]),
    "c_pg_lsn": ("pg_lsn", ["16/B374D848"]),
    "c_xid8": ("xid8", ["18446744073709551615"]),
    "c_jsonpath": ("jsonpath", ['$."a"[*]']),
    "c_int2vector": ("int2vector", ["1 2 3"]),
    "c_regclass": ("regclass", ["pg_class"]),
}

ARRAYS = {
    "a_bool": ("boolean[]", ["{t,f,NULL}", "{}"]),
    "a_int4": ("integer[]", ["{1,-2,NULL}", "{}", "{{1,2},{3,4}}", "[2:4]={1,2,3}", "{2147483647}", "{{{1}}}"]),
    "a_int8": ("bigint[]", ["{-9223372036854775808,9223372036854775807}"]),
    "a_float4": ("real[]", ["{0.1,NaN,-Infinity,1e-45}"]),
    "a_float8": ("double precision[]", ["{0.1,NULL,NaN,-0,1e300}"]),
    "a_numeric": ("numeric[]", ["{1.50,-0.001}", "{1,NaN}", "{NULL}"]),
    "a_numeric_12_2": ("numeric(12,2)[]", ["{1.5,NULL,-3}"]),
    "a_text": ("text[]", [r'{a,"b c","",NULL,"NULL","null","q\"uo\\te","{x}","1,2"," ","ä🧀"}', "{}", '{{"a","b"}}',
        '{"tab\there","line\nbreak"}', "{a}", '[0:0]={x}']),
    "a_varchar": ("varchar(10)[]", ["{ab,NULL}"]),
    "a_bpchar": ("char(3)[]", ["{a}"]),
    "a_bytea": ("bytea[]", [r'{"\\x00ff","\\x",NULL}']),
    "a_uuid": ("uuid[]", ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"]),
    "a_date": ("date[]", ["{2024-02-29,NULL,0001-01-01}", "{infinity}", '{"0001-01-01 BC"}']),
    "a_time": ("time(3)[]", ["{12:34:56.789,24:00:00}"]),
    "a_timestamp": ("timestamp[]", ['{"2024-02-29 12:34:56.789",NULL}', "{-infinity}"]),
    "a_timestamptz": ("timestamptz[]", ['{"2024-02-29 12:34:56+02"}']),
    "a_interval": ("interval[]", ['{"1 day","-3 mons"}']),
    "a_json": ("json[]", [r'{"{\"a\": 1}"}']),
    "a_jsonb": ("jsonb[]", [r'{"{\"a\": \"b,c\"}",NULL}']),
    "a_xml": ("xml[]", ["{<a/>}"]),
    "a_inet": ("inet[]", ["{10.0.0.1,::1}"]),
    "a_point": ("point[]", ['{"(1,2)","(3,4)"}']),
    "a_box": ("box[]", ["{(1,1),(0,0);(2,2),(1,1)}"]),
    "a_int4range": ("int4range[]", ['{"[1,5)",empty}']),
    "a_oid": ("oid[]", ["{4294967295}"]),
}

USER_TYPES = {
    "u_enum": ("contact_kind", ["home", "at work", 'q"uo,te']),
    "u_enums": ("contact_kind[]", [r'{home,NULL,"at work","q\"uo,te"}']),
    "u_domain": ("positive", ["5"]),
    "u_amount": ("amount", ["12.30"]),
    "u_nested": ("small_amount", ["12.30"]),
    "u_domains": ("positive[]", ["{1,2}"]),
    "u_array_domain": ("tags", ["{a,b}", "{{a,b}}"]),
    "u_composite": ("address", ['("High St, 1",12345)']),
    "u_composites": ("address[]", [r'{"(\"High St, 1\",12345)"}']),
    "u_citext": ("citext", ["MixedCase"]),
    "u_hstore": ("hstore", ['"a"=>"b", "c"=>NULL']),
    "u_range": ('"Odd Schema"."Float Range"', ["[1.5,2)"]),
    "u_infoschema": ("information_schema.cardinal_number", ["7"]),
}


def typed_table(name, columns):
    """Statements: one row for each value, one of NULLs; each row is looked at with SELECT."""
    definitions = ", ".join(f"{column} {type_name}" for column, (type_name, _) in columns.items())
    yield f"create table {name} (id integer primary key, {definitions})"
    for row in range(max(len(values) for _, values in columns.values())):
        values = ", ".join("$q$%s$q$" % values[row % len(values)] for _, values in columns.values())
        yield f"insert into {name} values ({row}, {values})", (name, row)
    yield f"insert into {name} (id) values (-1)", (name, -1)


LONG = "(select string_agg(md5(i::text), '') from generate_series(1, 80) i)"  # is stored out of line

SCENARIOS = {
    "types": list(typed_table("all_types", TYPES)),
    "arrays": list(typed_table("all_arrays", ARRAYS)),
    "user_types": [
        "create extension citext", "create extension hstore",
        "create type contact_kind as enum ('home', 'at work', 'q\"uo,te')",
        "create domain positive as integer check (value > 0)",
        "create domain amount as numeric(12,2)", "create domain small_amount as amount check (value < 100)",
        "create domain tags as text[]",
        "create type address as (street text, zip integer)",
        'create schema "Odd Schema"', 'create type "Odd Schema"."Float Range" as range (subtype = float8)',
        *typed_table('"Odd Schema"."Odd Table"', USER_TYPES),
    ],
    "changes": [
        "create table plain (id integer primary key, name text, note text)",
        "alter table plain alter column note set storage external",
        "create table pair (a integer, b text, c text, primary key (b, a))",
        "create table whole (id integer primary key, name text, note text)",
        "alter table whole replica identity full", "alter table whole alter column note set storage external",
        "create table indexed (id integer primary key, code text not null unique, name text)",
        "alter table indexed replica identity using index indexed_code_key",
        "create table keyless (id integer, name text)",
        "create table nothing (id integer primary key, name text)", "alter table nothing replica identity nothing",
        "create table child (id integer primary key, parent integer references plain)",
        f"insert into plain values (1, 'one', {LONG}), (2, 'two', null)",
        "update plain set name = 'uno' where id = 1",       # note: unchanged TOAST
        "update plain set id = 10 where id = 1",            # a key change, note still unchanged
        f"update plain set note = {LONG} where id = 2",
        "delete from plain where id = 10",
        "insert into pair values (1, 'x', 'c')", "update pair set c = 'd'", "update pair set b = 'y'",
        "delete from pair",
        f"insert into whole values (1, 'one', {LONG})", "update whole set name = 'uno'", "update whole set id = 2",
        "update whole set name = null", "delete from whole",
        "insert into indexed values (1, 'A', 'one')", "update indexed set id = 2", "update indexed set code = 'B'",
        "delete from indexed",
        "insert into keyless values (1, 'one'), (null, null)",
        "insert into nothing values (1, 'one')",
        "begin; insert into plain values (3, 'three', ''); insert into child values (1, 3); "
        "update plain set name = 'drei' where id = 3; "
        "select pg_logical_emit_message(true, 'tailrace', 'in the transaction'); commit",
        "select pg_logical_emit_message(false, 'tailrace.heartbeat', '\\x00ff'::bytea)",
        "begin; insert into keyless values (2, 'rolled back'); rollback",
        "begin; savepoint a; insert into keyless values (3, 'gone'); rollback to a; "
        "insert into keyless values (4, 'kept'); commit",
        "truncate keyless", "truncate plain, child restart identity", "truncate plain cascade",
    ],
    "shapes": [
        "create table shape (id integer primary key, name text)",
        "insert into shape values (1, 'one')",
        "alter table shape add column added numeric(10,2) default 1.5", "insert into shape values (2, 'two', 2)",
        "alter table shape alter column name type varchar(30)", "insert into shape values (3, 'three', 3)",
        "alter table shape drop column added", "insert into shape values (4, 'four')",
        "alter table shape rename column name to title", "insert into shape values (5, 'five')",
        "alter table shape alter column title set statistics 10",  # said again, not new
        "insert into shape values (6, 'six')",
        "alter table shape replica identity full", "insert into shape values (7, 'seven')",
        "alter table shape rename to shape2", "insert into shape2 values (8, 'eight')",
        "create table shape (id integer primary key)", "insert into shape values (9)",
        "begin; alter table shape add column x boolean; insert into shape values (10, true); "
        "alter table shape add column y boolean; insert into shape values (11, true, false); commit",
        "create table empty ()", "insert into empty default values",
        "create table part (id integer primary key, name text) partition by range (id)",
        "create table part_1 partition of part for values from (0) to (10)",
        "create table part_2 partition of part for values from (10) to (20)",
        "insert into part values (1, 'one'), (11, 'eleven')", "update part set id = 12 where id = 1",
        "create table generated (id integer primary key, twice integer generated always as (id * 2) stored)",
        "insert into generated values (21)",
    ],
}

# ---- What a message means ----


def escape(text):
    return re.sub(rb"[\x00-\x20%\x7f]", lambda m: b"%%%02X" % m[0][0], text.encode()).decode()


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        value, = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return value

    def bytes(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def string(self):
        end = self.data.index(b"\0", self.at)
        text = self.data[self.at:end].decode()
        self.at = end + 1
        return text


class Meaning:
    """Reads the messages of one scenario; `selected` holds, by table and id, the rows that SELECT gave."""

    def __init__(self, connection, selected):
        self.connection, self.selected = connection, selected
        self.relations, self.versions = {}, {}
        self.types, self.keys = {}, {}

    def query(self, sql, *parameters):
        return self.connection.execute(sql, parameters).fetchall()

    # ---- types ----

    def resolve(self, oid, typmod):
        """(oid of the built-in type that decides, or 0, its modifier, whether it is an array of that, labels)."""
        kind, base, base_typmod, category, element, name, builtin = self.query(
            "select typtype, typbasetype::bigint, typtypmod, typcategory, typelem::bigint, typname, oid < 10000 "
            "from pg_type where oid = %s", oid)[0]
        if kind == "d":
            return self.resolve(base, base_typmod)
        if builtin:
            return oid, typmod, False, []
        if kind == "e":
            return 0, -1, False, [r[0] for r in self.query(
                "select enumlabel from pg_enum where enumtypid = %s order by enumsortorder", oid)]
        if category == "A" and element:
            inner, inner_typmod, _, labels = self.resolve(element, typmod)
            return inner, inner_typmod, True, labels
        return 0, -1, False, []

    def describe(self, oid, typmod):
        """The kind of value and the name of a column's type."""
        name = self.query("select format_type(%s, %s)", oid, None if typmod == -1 else typmod)[0][0]
        base, base_typmod, array, labels = self.resolve(oid, typmod)
        if base != oid:
            self.types[oid] = "type %d base=%d typmod=%d array=%d name=%s labels=%s" % (
                oid, base, base_typmod, array, escape(name), "|".join(map(escape, labels)))
        category, element, delimiter = "U", 0, ","
        if base:
            category, element, delimiter = self.query(
                "select t.typcategory, t.typelem::bigint, coalesce(e.typdelim, ',') from pg_type t left join pg_type e "
                "on e.oid = t.typelem where t.oid = %s", base)[0]
        if category == "A" and element and base not in (22, 30) and delimiter == ",":
            return ("array", element), name
        return (("array", base) if array else ("scalar", base)), name

    def letter(self, kind, text):
        form, oid = kind
        if form == "array":
            if text.startswith(("[", "{{")):
                return "e"
            elements = [] if oid not in (1700, 1082, 1083, 1114, 1184) else text[1:-1].replace('"', "").split(",")
            inexact = any(e not in ("", "NULL") and self.letter(("scalar", oid), e) == "e" for e in elements)
            return "e" if inexact else "a"
        if oid == 1700:
            return "e" if text in ("NaN", "Infinity", "-Infinity") else "t"
        if oid in (1082, 1114, 1184):
            return "i" if re.fullmatch(r"\d{4}-\d\d-\d\d( [\d:.+]+)?", text) else "e"
        return {16: "b", 17: "x", 20: "i", 21: "i", 23: "i", 26: "i", 700: "f", 701: "f", 1083: "i"}.get(oid, "t")

    # ---- messages ----

    def relation(self, reader):
        oid, schema, name, identity = reader.take("I"), reader.string(), reader.string(), chr(reader.take("B"))
        columns = []
        for _ in range(reader.take("H")):
            flags, column, type_oid, typmod = reader.take("B"), reader.string(), reader.take("I"), reader.take("i")
            kind, type_name = self.describe(type_oid, typmod)
            columns.append([column, bool(flags & 1), kind, type_name])
        flagged = any(c[1] for c in columns)
        if identity == "f" or (identity != "d" and not flagged):
            key = [r[0] for r in self.query(
                "select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid "
                "and a.attnum = any(i.indkey) where i.indisprimary and i.indrelid = %s order by a.attnum", oid)]
            self.keys[oid] = f"key {oid} {','.join(map(escape, key))}"
            for c in columns:
                c[1] = c[0] in key
        known = "full" if identity == "f" else "key" if flagged else "nothing"
        shape = f"{escape(schema)}.{escape(name)} {known}"
        shape += " key=%s columns=%s" % (",".join(escape(c[0]) for c in columns if c[1]),
                                         ",".join(f"{escape(c[0])}:{escape(c[3])}" for c in columns))
        fresh = oid not in self.relations or self.relations[oid][1] != shape
        if fresh:
            self.versions[schema, name] = self.versions.get((schema, name), 0) + 1
        self.relations[oid] = ((schema, name), shape, columns)
        return "relation %s version=%d %s" % ("fresh" if fresh else "again", self.versions[schema, name], shape)

    def tuple(self, reader):
        row = []
        for _ in range(reader.take("H")):
            kind = chr(reader.take("B"))
            plain = {"n": None, "u": "unchanged"}
            row.append([reader.bytes(reader.take("I")).decode()] if kind == "t" else plain[kind])
        return row

    def show(self, columns, row, only_key=False):
        shown = []
        for (name, key, kind, _), value in zip(columns, row, strict=True):
            if only_key and not key:
                continue
            text = value if isinstance(value, str) else "null" if value is None else \
                f"{self.letter(kind, value[0])}:{escape(value[0])}"
            shown.append(f"{escape(name)}={text}")
        return " ".join(shown)

    def row(self, op, reader):
        names, _, columns = self.relations[reader.take("I")]
        text = "%s %s.%s" % (op, escape(names[0]), escape(names[1]))
        kind, old = chr(reader.take("B")), None
        if kind in "KO":
            old, old_kind = self.tuple(reader), kind
            text += " %s(%s)" % ("key" if kind == "K" else "old", self.show(columns, old, kind == "K"))
            kind = chr(reader.take("B")) if op == "update" else ""
        if kind == "N":
            new = self.tuple(reader)
            if old:
                new = [o if n == "unchanged" and (old_kind == "O" or c[1]) else n for n, o, c in zip(new, old, columns)]
            text += f" new({self.show(columns, new)})"
            self.compare(names, new)
        return text

    def compare(self, names, row):
        wanted = self.selected.pop((names, row[0] and row[0][0]), None) if row else None
        if wanted is not None:
            for got, want in zip(row, wanted, strict=True):
                if (None if got is None else got[0]) != want:
                    raise SystemExit(f"{names}: the log has {got!r}, SELECT gives {want!r}")

    def message(self, data):
        reader, kind = Reader(data[1:]), data[:1]
        if kind == b"B":
            commit, time, xid = reader.take("Q"), reader.take("q"), reader.take("I")
            text = f"begin commit={commit} us={time + EPOCH_2000_US} xid={xid}"
        elif kind == b"C":
            _, commit, end, time = reader.take("B"), reader.take("Q"), reader.take("Q"), reader.take("q")
            text = f"commit commit={commit} end={end} us={time + EPOCH_2000_US}"
        elif kind == b"R":
            text = self.relation(reader)
        elif kind in (b"I", b"U", b"D"):
            text = self.row({b"I": "insert", b"U": "update", b"D": "delete"}[kind], reader)
        elif kind == b"T":
            count, options = reader.take("I"), reader.take("B")
            tables = [".".join(map(escape, self.relations[reader.take("I")][0])) for _ in range(count)]
            text = "truncate cascade=%d restart=%d %s" % (options & 1, options >> 1 & 1, " ".join(tables))
        elif kind == b"M":
            flags, lsn, prefix = reader.take("B"), reader.take("Q"), escape(reader.string())
            content = reader.bytes(reader.take("I")).hex()
            text = f"message transactional={flags} lsn={lsn} prefix={prefix} content={content}"
        elif kind in (b"Y", b"O"):
            return "ignored"
        else:
            raise SystemExit(f"unknown message {data!r}")
        if reader.at != len(reader.data):
            raise SystemExit(f"{text}: bytes are left")
        return text


# ---- Recording ----


def select(connection, table, row_id):
    """A row as the types' output functions write it (a cast to text would write a boolean and a char(n) otherwise)."""
    cursor = connection.execute(f"select * from {table} limit 0")
    names = [column.name for column in cursor.description]
    forms = ", ".join(f"""case when num_nulls("{n}") = 0 then format('%s', "{n}") end""" for n in names)
    return connection.execute(f"select {forms} from {table} where id = {row_id}").fetchone()


def write_seed(name, frames, most=2):
    """Every Relation message, and of the others `most` of each kind and relation, each behind its length."""
    seen, seed = {}, b""
    for data in frames:
        group = data if data[:1] == b"R" else data[:6] if data[:1] in b"IUD" else data[:1]
        seen[group] = seen.get(group, 0) + 1
        if seen[group] <= most:
            seed += struct.pack(">H", len(data)) + data
    (SEEDS / name).write_bytes(seed)


def record(server, name, steps):
    server.createdb(name)
    with server.connect(name) as connection:
        connection.execute(SESSION)
        connection.execute("create publication p for all tables")
        connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [name])
        selected = {}
        for step in steps:
            sql, look = (step, None) if isinstance(step, str) else step
            connection.execute(sql)
            if look:
                names = connection.execute(
                    "select nspname, relname from pg_class c join pg_namespace n on n.oid = relnamespace "
                    "where c.oid = %s::regclass", [look[0]]).fetchone()
                selected[names, str(look[1])] = select(connection, *look)
        frames = connection.execute(
            "select lsn::text, data from pg_logical_slot_get_binary_changes(%s, null, null, 'proto_version', '1', "
            "'publication_names', 'p', 'messages', 'true')", [name]).fetchall()
        connection.execute("select pg_drop_replication_slot(%s)", [name])
        meaning = Meaning(connection, selected)
        lines = []
        for lsn, data in frames:
            lines += [f"frame {lsn} {bytes(data).hex()}", f"expect {meaning.message(bytes(data))}"]
        if selected:
            raise SystemExit(f"{name}: these rows never came: {list(selected)}")
        write_seed(name, [bytes(data) for _, data in frames])
        head = [f"# PostgreSQL {server.value('show server_version')}, written by record.py"]
        lines = head + [*meaning.types.values(), *meaning.keys.values(), *lines]
        (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n")
        print(f"{name}: {len(frames)} messages")


def main():
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        server = Postgres(Path(directory), auth="trust", settings={"fsync": "off"}).start()
        try:
            for name, steps in SCENARIOS.items():
                record(server, name, steps)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
