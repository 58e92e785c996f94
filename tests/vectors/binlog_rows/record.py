#!/usr/bin/env python3
"""Records what a server's binlog holds for rows of every type, with what it means, for tests/unit/capture_decode_rows.c.

    tests/vectors/binlog_rows/record.py mariadb|mysql 'CLIENT COMMAND' BINLOG-FOLDER

CLIENT COMMAND reads SQL and prints rows with tabs ('mariadb -uroot -h127.0.0.1 -P3306') as a user who may do anything; the server is one for this only. It makes
a database `vectors`, writes rows, reads the events out of the files, and writes <server>.txt:

    server mariadb|mysql <version>
    catalogue                         what the catalogue says from here on; a line for each column, fields separated by tabs:
    column <name> <data type> <column type> <charset> <JSON: 0 1> <key: 0 1> <default: -, !computed or =text>
    map <hex>                         a table map
    rows <c u p d> <columns> <bitmap before> <bitmap after> <hex>     the rows of an event of the last map's table; what it lacks is -
    before <1: key only> <values>     what they mean; a row has one of these lines or both, after is the last of an insert or update
    after <values>

and tests/fuzz/seeds/binlog_rows/<server>_*, a few of those events for the fuzzer (tests/fuzz/fuzz_binlog_rows.c).

The meaning is worked out here without Tailrace, by what SELECT gives for the same row. A value is shown as letter:text; N null, U not in the log, i u integers,
f float, and in hex: t text, y bytes, e exact (the column's type cannot hold it).
"""

import datetime
import random
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEEDS = HERE.parents[1] / "fuzz" / "seeds" / "binlog_rows"
SERVER, COMMAND, FOLDER = sys.argv[1:4]
MARIADB = SERVER == "mariadb"
ONE_BYTE = ("armscii8 ascii cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 dec8 geostd8 greek hebrew hp8 keybcs2 koi8r koi8u latin1 latin2 latin5 "
            "latin7 macce macroman swe7 tis620").split()
MULTI_BYTE = {"sjis": "漢字ｶﾅ表~\\", "cp932": "漢字①ｶﾅ～", "ujis": "漢字ｶﾅ〜表", "eucjpms": "漢字ｶﾅ～", "euckr": "한글뷁", "gbk": "汉字嬲", "gb2312": "汉字",
              "big5": "漢字一", "ucs2": "漢字€", "utf16": "漢字𝄞", "utf16le": "漢字𝄞", "utf32": "漢字𝄞"}
SETTINGS = "set time_zone = '+00:00'; set sql_mode = 'ALLOW_INVALID_DATES'; "
random.seed(4)


def ask(sql):
    command = f"{COMMAND} -N --default-character-set=utf8mb4"
    done = subprocess.run(command, shell=True, input=SETTINGS + sql, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr[-1000:])
    return [line.split("\t") for line in done.stdout.splitlines()]


# ---- columns: name, type, how SELECT shows it, values in SQL ----

def quote(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def number_columns():
    for word, size in (("tinyint", 1), ("smallint", 2), ("mediumint", 3), ("int", 4), ("bigint", 8)):
        half = 1 << (8 * size - 1)
        yield f"{word}_s", word, "int", [-half, half - 1, 0, -1]
        yield f"{word}_u", f"{word} unsigned", "uint" if size == 8 else "int", [0, 2 * half - 1, half]
    yield "float_", "float", "float", ["1.5", "-3.4e38", "1e-40", "0", "16777217", "0.1"]
    yield "double_", "double", "float", ["1.5", "-1.7976931348623157e308", "5e-324", "0", "0.1"]
    for precision, scale in ((65, 30), (10, 0), (12, 2), (18, 9), (5, 5), (30, 30), (65, 0), (1, 1), (38, 18), (27, 9), (19, 1)):
        whole = precision - scale
        values = ["0", ("-" + "9" * whole if whole else "-0") + ("." + "9" * scale if scale else ""), f"-0.{'0' * (scale - 1)}1" if scale else "-1"]
        for _ in range(5):
            digits = "".join(random.choice("0123456789") for _ in range(random.randint(0, whole))) or "0"
            values.append(random.choice(["", "-"]) + digits + ("." + "".join(random.choice("0123456789") for _ in range(scale)) if scale else ""))
        yield f"decimal_{precision}_{scale}", f"decimal({precision},{scale})", "text", values
    for bits in (1, 7, 8, 9, 33, 64):
        yield f"bit_{bits}", f"bit({bits})", "uint", [0, (1 << bits) - 1, random.getrandbits(bits)]
    yield "year_", "year", "int", [0, 1901, 2155, 2026]


def time_columns():
    days = ["1000-01-01", "9999-12-31", "0000-00-00", "2026-02-31", "2024-02-29", "2026-00-10", "2026-05-00", "0001-01-01", "1969-12-31", "0000-05-06"]
    yield "date_", "date", "date", [quote(day) for day in days]
    for digits in range(7):
        part = "." + "987654"[:digits] if digits else ""
        least = "." + "0" * (digits - 1) + "1" if digits else ""
        times = ["-838:59:59", "838:59:59", "00:00:00", "-00:00:00" + part, "-00:00:01" + part, "-12:34:56" + part, "12:34:56" + part, "-00:00:00" + least]
        yield f"time_{digits}", f"time({digits})", "time", [quote(time) for time in times]
        stamps = ["1000-01-01 00:00:00", "9999-12-31 23:59:59" + part, "0000-00-00 00:00:00", "2026-02-31 01:02:03" + part, "1969-12-31 23:59:59" + part,
                  "2026-11-00 10:11:12" + part]
        yield f"datetime_{digits}", f"datetime({digits})", "stamp", [quote(stamp) for stamp in stamps]
        stamps = ["1970-01-01 00:00:01", "2038-01-19 03:14:07" + part, "0000-00-00 00:00:00", "2026-03-04 05:06:07" + part]
        yield f"timestamp_{digits}", f"timestamp({digits}) null default null", "stamp", [quote(stamp) for stamp in stamps]


def string_columns():
    texts = [quote(text) for text in ("", "a", "trailing  ", "€ü𝄞漢字", "x" * 60)]
    for size in (10, 70):
        yield f"char_{size}", f"char({size}) character set utf8mb4", "text", [f"left({text}, {size})" for text in texts]
    yield "char_long", "char(255) character set utf8mb4", "text", texts
    yield "varchar_", "varchar(60) character set utf8mb4", "text", texts
    yield "varchar_long", "varchar(300) character set utf8mb4", "text", texts
    yield "varchar_mb3", "varchar(60) character set utf8mb3", "text", [quote("€ü漢字"), "''"]
    for size in ("tiny", "", "medium", "long"):
        yield f"{size}text_", f"{size}text character set utf8mb4", "text", texts
        yield f"{size}blob_", f"{size}blob", "bytes", ["''", "x'00ff00'", "repeat('k', 100)"]
    yield "binary_", "binary(10)", "bytes", ["''", "x'00'", "x'0102030405060708090a'", "x'01000000000000000001'", "x'20202020202020202020'"]
    yield "binary_long", "binary(255)", "bytes", ["''", "x'61'"]
    yield "varbinary_", "varbinary(10)", "bytes", ["''", "x'0000'"]
    yield "varbinary_long", "varbinary(300)", "bytes", ["''", "x'ff00'"]
    for charset in ONE_BYTE:
        yield charset, f"varchar(200) character set {charset}", "text", [f"convert(x'{mapped(charset)}' using {charset})", "'plain'"]
    for charset, text in MULTI_BYTE.items():
        yield charset, f"varchar(50) character set {charset}", "text", [quote(text), "'plain'", "''"]
        yield f"{charset}_char", f"char(20) character set {charset}", "text", [quote(text), "'plain  '"]
    if not MARIADB:
        yield "gb18030", "varchar(50) character set gb18030", "text", [quote("漢字𝄞龴")]


def mapped(charset):
    """All bytes of the charset that are characters, in hex."""
    rows = ask("; ".join(f"select '{n:02x}', hex(convert(convert(x'{n:02x}' using {charset}) using utf8mb4))" for n in range(1, 256)))
    return "".join(byte for byte, text in rows if text not in ("NULL", "EFBFBD") and (text != "3F" or byte == "3f"))


def other_columns():
    yield "enum_", "enum('a','b,c','it''s','ü€') character set utf8mb4", "enum", ["'a'", "'b,c'", "'it''s'", "'ü€'", "'bad'"]
    yield "enum_utf16", "enum('ä','ö') character set utf16", "enum", ["'ö'"]
    yield "enum_long", "enum(" + ",".join(f"'v{i}'" for i in range(300)) + ")", "enum", ["'v0'", "'v299'", "'bad'"]
    for count in (3, 9, 17, 25, 64):
        yield f"set_{count}", "set(" + ",".join(f"'s{i}'" for i in range(count)) + ")", "text", ["''", "'s0'", f"'s{count - 1}'", f"'s{count - 1},s0,s1'"]
    yield "set_latin1", "set('ü','ö') character set latin1", "text", ["'ö,ü'"]
    yield "geometry_", "geometry", "bytes", ["point(1, 2)", "st_geomfromtext('linestring(0 0,1 1)')"]
    yield "polygon_", "polygon", "bytes", ["st_geomfromtext('polygon((0 0,1 0,1 1,0 0))', 4326)"]
    yield "collection_", "geometrycollection", "bytes", ["st_geomfromtext('geometrycollection(point(1 1))')"]
    yield "json_", "json", "shown", ["'{\"a\": [1, 2.5, null, true, \"ü€\"], \"b\": {\"c\": \"x\"}}'", "'[]'"]
    if not MARIADB:
        yield "vector_", "vector(3)", "bytes", ["string_to_vector('[1,2.5,-3]')"]
        return
    yield "uuid_", "uuid", "shown", ["'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'", "'00000000-0000-0000-0000-000000000000'",
                                     "'017f22e2-79b0-7cc3-98c4-dc0c0c07398f'", "'12345678-9abc-4def-8000-000000000000'"]
    addresses = ":: ::1 ::1.2.3.4 ::ffff:1.2.3.4 2001:db8:: 1:0:0:2:0:0:0:3 fe80::1:0:0:1 1:2:3:4:5:6:7:0 ::fffe:1.2.3.4 1:0:2:0:3:0:4:0 ::2:1:0".split()
    yield "inet6_", "inet6", "shown", [quote(address) for address in addresses]
    yield "inet4_", "inet4", "shown", ["'0.0.0.0'", "'255.255.255.255'", "'10.0.0.0'"]
    yield "varchar_comp", "varchar(200) compressed character set latin1", "text", ["''", "'short'", "repeat('ab', 100)", "'ü'"]
    yield "varchar_comp_long", "varchar(3000) compressed character set utf8mb4", "text", ["''", "repeat('ü€', 100)"]
    yield "text_comp", "text compressed character set latin2", "text", ["''", "repeat('ab', 300)"]
    yield "blob_comp", "longblob compressed", "bytes", ["''", "repeat(x'00ff', 300)"]
    yield "varbinary_comp", "varbinary(500) compressed", "bytes", ["''", "repeat(x'00ff', 250)"]


def expression(name, kind):
    if kind in ("int", "uint"):
        return f"`{name}` + 0"
    if kind == "float":
        return f"cast(`{name}` as double)"
    if kind == "bytes":
        return f"hex(`{name}`)"
    if kind == "enum":
        return f"concat(`{name}` + 0, ':', hex(convert(`{name}` using utf8mb4)))"
    if kind == "text" and not name.startswith("decimal"):
        return f"hex(convert(`{name}` using utf8mb4))"
    shown = f"cast(`{name}` as char character set utf8mb4)"
    return f"hex({shown})" if kind in ("text", "shown") else shown


def microseconds(whole, fraction):
    hours, minutes, seconds = whole.split(":")
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000000 + int((fraction + "000000")[:6])


def meaning(kind, text):
    if text == "NULL":
        return "N:"
    if kind in ("int", "uint"):
        return f"{kind[0]}:{int(text)}"
    if kind == "float":
        return "f:" + float(text).hex()
    if kind in ("text", "shown"):
        return "t:" + text
    if kind == "bytes":
        return "y:" + text
    if kind == "enum":
        number, label = text.split(":")
        return "e:" if number == "0" else "t:" + label
    if kind == "time":
        size = microseconds(*(text.lstrip("-") + ".").split(".")[:2])
        return f"i:{-size if text[0] == '-' else size}"
    try:
        day, _, rest = text.partition(" ")
        days = (datetime.date.fromisoformat(day) - datetime.date(1970, 1, 1)).days
    except ValueError:
        return "e:" + text.encode().hex().upper()
    return f"i:{days}" if kind == "date" else f"i:{days * 86400000000 + microseconds(*(rest + '.').split('.')[:2])}"


# ---- events ----

def lenenc(data, at):
    first = data[at]
    size = {0xfc: 2, 0xfd: 3, 0xfe: 8}.get(first, 0)
    return (int.from_bytes(data[at + 1:at + 1 + size], "little"), at + 1 + size) if size else (first, at + 1)


def events(path):
    """(type, body without checksum) of each event of a file."""
    data = Path(path).read_bytes()
    at = 4
    while at + 19 <= len(data):
        size = int.from_bytes(data[at + 9:at + 13], "little")
        yield data[at + 4], data[at + 19:at + size - 4]
        at += size


def rows_event(kind, body):
    """Operation, number of columns, bitmaps, rows."""
    letter = {23: "c", 24: "u", 25: "d", 30: "c", 31: "u", 32: "d", 39: "p"}[kind]
    at = 8 if kind < 30 else 8 + int.from_bytes(body[8:10], "little")
    count, at = lenenc(body, at)
    size = (count + 7) // 8
    first, at = body[at:at + size], at + size
    second = None
    if letter in "up":
        second, at = body[at:at + size], at + size
    before = None if letter == "c" else first
    after = None if letter == "d" else first if letter == "c" else second
    return letter, count, before, after, body[at:]


class Recording:
    def __init__(self):
        self.lines = [f"server {SERVER} {ask('select version()')[0][0]}"]
        self.last_map = None

    def catalogue(self, table):
        json = "0"
        if MARIADB:
            json = ("exists(select 1 from information_schema.check_constraints k where k.constraint_schema = c.table_schema and k.table_name = c.table_name "
                    "and k.check_clause like concat('json_valid(`', c.column_name, '`)'))")
        rows = ask("select column_name, data_type, column_type, ifnull(character_set_name, ''), " + json + ", column_key = 'PRI', "
                   "if(extra like '%GENERATED%', '!', ifnull(concat('=', column_default), '-')) from information_schema.columns c "
                   f"where table_schema = 'vectors' and table_name = '{table}' order by ordinal_position")
        self.lines.append("catalogue")
        self.lines += ["column\t" + "\t".join(row) for row in rows]
        self.last_map = None

    def take(self, path, states, names, key, seed):
        """Appends the file's events of database vectors. states: for each row of the events, (before, after): {name: value} or None."""
        states = iter(states)
        pieces = []
        for kind, body in events(path):
            if kind == 19 and body[9:16] == b"vectors":
                if body[8:] != self.last_map:
                    self.lines.append("map " + body.hex())
                    pieces.append(b"m" + body)
                self.last_map = body[8:]
                current = int.from_bytes(body[:6], "little")
            elif kind in (23, 24, 25, 30, 31, 32, 39) and int.from_bytes(body[:6], "little") == current:
                letter, count, before, after, rows = rows_event(kind, body)
                self.lines.append(" ".join(["rows", letter, str(count), before.hex() if before else "-", after.hex() if after else "-",
                                            rows.hex() if rows else "-"]))
                pieces.append(letter.encode() + (before or b"") + (after or b"") + rows)
                self.meaning(next(states), names, key, before, after)  # each statement changes one row
        write_seed(seed, pieces)
        if next(states, None) is not None:
            sys.exit("fewer rows in the log than expected")

    def meaning(self, state, names, key, before_bits, after_bits):
        present = [set(i for i in range(len(names)) if bits is None or bits[i // 8] >> i % 8 & 1) for bits in (before_bits, after_bits)]
        old, new = state
        if before_bits:
            key_only = len(present[0]) < len(names)
            values = [old[n] if not key_only or n in key else "N:" for n in names]
            self.lines.append(f"before {int(key_only)} " + " ".join(values))
        if after_bits:
            values = [new[n] if not before_bits or i in present[1] or i in present[0] else "U:" for i, n in enumerate(names)]
            self.lines.append("after " + " ".join(values))


def write_seed(name, pieces):
    SEEDS.mkdir(parents=True, exist_ok=True)
    out = bytes([3 if MARIADB else 2])
    for piece in pieces:
        if len(piece) < 65536:
            out += len(piece).to_bytes(2, "big") + piece
    (SEEDS / f"{SERVER}_{name}").write_bytes(out)
    if MARIADB and name in ("full", "minimal"):  # the same, as of a server that leaves generated columns out
        (SEEDS / f"{SERVER}_{name}_left_out").write_bytes(bytes([out[0] | 4]) + out[1:])


# ---- scenarios ----

def new_file():
    ask("flush binary logs")
    return sorted(Path(FOLDER).glob("*.[0-9]*"))[-1]


def select(table, columns):
    rows = ask(f"select id, {', '.join(expression(name, kind) for name, _, kind, _ in columns)} from vectors.{table} order by id")
    result = {}
    for row in rows:
        values = {name: meaning(kind, text) for (name, _, kind, _), text in zip(columns, row[1:])}
        result[int(row[0])] = {"id": f"i:{row[0]}", **values}
    return result


def record_types(recording, name, columns, metadata, image, key, rows):
    """Inserts; with few rows also updates and a delete."""
    table = f"types_{name}"
    ask(f"set global binlog_row_metadata = {metadata}; create database if not exists vectors; drop table if exists vectors.{table}; "
        f"create table vectors.{table} (id int not null{' primary key' if key else ''}, {', '.join(f'`{n}` {t}' for n, t, _, _ in columns)})"
        + (" engine = myisam" if MARIADB else ""))
    recording.catalogue(table)
    path = new_file()
    settings = f"use vectors; set session binlog_row_image = {image}; "
    inserts = [f"insert ignore into {table} values ({i}, {', '.join(str(v[i]) if i < len(v) else 'null' for _, _, _, v in columns)})" for i in range(rows)]
    ask(settings + "; ".join(inserts))
    old = select(table, columns)
    states = [(None, old[i]) for i in range(rows)]
    if rows < 5:
        ask(settings + "; ".join(f"update ignore {table} set " + ", ".join(f"`{n}` = {v[(i + 1) % len(v)]}" for j, (n, _, _, v) in enumerate(columns)
                                                                            if (i + j) % 3 == 0) + f" where id = {i}" for i in range(rows)))
        new = select(table, columns)
        states += [(old[i], new[i]) for i in range(rows)]
        ask(settings + f"delete from {table} where id = 0")
        states.append((new[0], None))
    new_file()
    recording.take(path, states, ["id"] + [column[0] for column in columns], ["id"] if key else [], name)
    ask(f"drop table vectors.{table}")


def record_defaults(recording):
    """MINIMAL images of inserts that name no columns."""
    columns = [("a", "int default 5", "int", []), ("b", "varchar(20) character set utf8mb4 default 'a''b\\\\c\\nd€'", "text", []), ("c", "bit(5) default b'101'", "uint", []),
               ("d", "decimal(10,3) default 1.5", "shown", []), ("e", "date default '2026-01-02'", "date", []),
               ("f", "timestamp(3) null default '2026-01-02 03:04:05.678'", "stamp", []), ("g", "time(2) default '-01:02:03.4'", "time", []),
               ("h", "enum('x','it''s') default 'it''s'", "enum", []), ("i", "set('p','q') default 'p,q'", "text", []), ("j", "double default 1e10", "float", []),
               ("k", "float default 0.1", "float", []), ("l", "year default 2020", "int", []), ("m", "tinyint unsigned default 7", "int", []),
               ("n", "datetime default '0000-00-00 00:00:00'", "stamp", []), ("o", "varchar(5)", "text", []), ("p", "varchar(5) default 'NULL'", "text", []),
               ("q", "char(5) not null default ''", "text", []), ("r", "bigint unsigned default 18446744073709551615", "uint", []), ("s", "int not null", "int", []),
               ("t", "datetime(6) default '2026-01-02 03:04:05.678901'", "stamp", [])]
    ask("set global binlog_row_metadata = FULL; drop table if exists vectors.defaults; create table vectors.defaults (id int primary key auto_increment, "
        + ", ".join(f"`{n}` {t}" for n, t, _, _ in columns) + ")")
    recording.catalogue("defaults")
    path = new_file()
    ask("use vectors; set sql_mode = ''; set session binlog_row_image = MINIMAL; insert into defaults () values (); insert into defaults (a, o) values (null, 'x')")
    rows = select("defaults", columns)
    new_file()
    recording.take(path, [(None, rows[1]), (None, rows[2])], ["id"] + [c[0] for c in columns], ["id"], "defaults")
    ask("drop table vectors.defaults")


def record_partial(recording):
    columns = [("a", "json", "shown", []), ("n", "int", "int", []), ("b", "json", "shown", []), ("c", "json", "shown", [])]
    ask("set global binlog_row_metadata = FULL; drop table if exists vectors.partial; create table vectors.partial (id int primary key, a json, n int, b json, c json)")
    recording.catalogue("partial")
    path = new_file()
    settings = "use vectors; set session binlog_row_value_options = 'PARTIAL_JSON'; "
    text = '{"a": 1, "b": [1, 2, 3], "s": "xxxxxxxxxxxxxxxxxxxxxxxx"}'
    ask(settings + f"insert into partial values (1, '{text}', 5, '[1,2]', '{text}')")
    states = [(None, select("partial", columns)[1])]
    for change in ("a = json_set(a, '$.a', 2)", "a = json_remove(a, '$.b[0]'), c = json_insert(c, '$.z', 'new'), n = 7", "n = n + 1",
                   "b = null, c = json_replace(c, '$.b[1]', json_object('x', 1.5))"):
        ask(settings + f"update partial set {change} where id = 1")
        states.append((states[-1][1], select("partial", columns)[1]))
    new_file()
    recording.take(path, states, ["id"] + [c[0] for c in columns], ["id"], "partial")
    ask("drop table vectors.partial")


def main():
    columns = [*number_columns(), *time_columns(), *string_columns(), *other_columns()]
    recording = Recording()
    ask("create database if not exists vectors")
    record_types(recording, "full", columns, "FULL", "FULL", True, max(len(column[3]) for column in columns))
    record_types(recording, "minimal", columns, "NO_LOG" if MARIADB else "MINIMAL", "MINIMAL", True, 2)
    record_defaults(recording)
    if MARIADB:
        ask("set global mysql56_temporal_format = OFF")
        record_types(recording, "old_times", list(time_columns()), "FULL", "FULL", True, 10)
        ask("set global mysql56_temporal_format = ON")
    else:
        record_partial(recording)
    (HERE / f"{SERVER}.txt").write_text("\n".join(recording.lines) + "\n", encoding="utf-8")
    ask("drop database vectors")


if __name__ == "__main__":
    main()
