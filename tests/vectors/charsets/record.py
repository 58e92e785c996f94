#!/usr/bin/env python3
"""Writes capture/decode_charset_tables.c from what the servers themselves say. For developers; not part of a build.

    tests/vectors/charsets/record.py MARIADB MYSQL > capture/decode_charset_tables.c

MARIADB and MYSQL are commands that read SQL and print rows with tabs: 'mariadb -N -h127.0.0.1 -P3306 -uroot'. Both servers are asked: a byte or a
collation about which they say different things ends the run. Needs CREATE and DROP of a database charset_tables.
"""
import ctypes
import subprocess
import sys

WIDE = {  # by arithmetic: name -> form, bytes of the longest character
    "ucs2": ("CHARSET_UTF16BE", 2), "utf16": ("CHARSET_UTF16BE", 4), "utf16le": ("CHARSET_UTF16LE", 4), "utf32": ("CHARSET_UTF32BE", 4),
}
UTF8 = {"utf8mb3": 3, "utf8mb4": 4, "ascii": 1, "binary": 1}
MULTI = {  # by iconv: name -> glibc's name, how characters are told apart, most bytes of UTF-8 for two bytes
    "big5": ("BIG5", "CHARSET_TWO_BYTES", 3), "cp932": ("CP932", "CHARSET_SHIFT_JIS", 6), "eucjpms": ("EUC-JP-MS", "CHARSET_EUC_JP", 3),
    "euckr": ("UHC", "CHARSET_TWO_BYTES", 3), "gb18030": ("GB18030", "CHARSET_GB18030", 4), "gb2312": ("GB2312", "CHARSET_TWO_BYTES", 3),
    "gbk": ("GBK", "CHARSET_TWO_BYTES", 3), "sjis": ("CP932", "CHARSET_SHIFT_JIS", 6), "ujis": ("EUC-JP-MS", "CHARSET_EUC_JP", 3),
}
UCA1400 = 2048  # MariaDB makes these ids from the charset and the tailoring: 256 for each charset
NUMBERS = "from (with recursive s as (select 0 n union all select n + 1 from s where n < 255) select n from s) x"
SETUP = f"""
drop database if exists charset_tables; create database charset_tables; use charset_tables;
create table one (b varbinary(4) primary key); insert into one select unhex(lpad(hex(n), 2, '0')) {NUMBERS};
create table two (b varbinary(4) primary key); insert into two select concat(x.b, y.b) from one x, one y where x.b >= 0x80 and y.b >= 0x30;
create table three (b varbinary(4) primary key); insert into three select concat(0x8f, b) from two where b >= 0xa1a1;
create table four (b varbinary(4) primary key);
insert into four select concat(x.b, y.b) from two x, two y where substr(x.b, 1, 1) between 0x81 and 0xfe and substr(x.b, 2, 1) between 0x30 and 0x39
  and substr(y.b, 1, 1) between 0x81 and 0xfe and substr(y.b, 2, 1) between 0x30 and 0x39;
"""


def ask(command, sql):
    out = subprocess.run(command, shell=True, input=sql, capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in out.splitlines()]


class Iconv:
    def __init__(self, name):
        self.libc = ctypes.CDLL(None)
        self.libc.iconv_open.restype = ctypes.c_void_p
        self.libc.iconv.restype = ctypes.c_size_t
        self.cd = ctypes.c_void_p(self.libc.iconv_open(b"UTF-8", name.encode()))

    def convert(self, code):
        """The text, or None if these bytes are not valid."""
        source, out = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(32)
        at, to = ctypes.c_void_p(ctypes.addressof(source)), ctypes.c_void_p(ctypes.addressof(out))
        left, room = ctypes.c_size_t(len(code)), ctypes.c_size_t(32)
        self.libc.iconv(self.cd, None, None, None, None)
        bad = ctypes.c_size_t(-1).value
        if self.libc.iconv(self.cd, ctypes.byref(at), ctypes.byref(left), ctypes.byref(to), ctypes.byref(room)) == bad or left.value:
            return None
        if self.libc.iconv(self.cd, None, None, ctypes.byref(to), ctypes.byref(room)) == bad:
            return None
        return out.raw[:32 - room.value].decode()


def characters(command, charset, table):
    """code -> the character that the server makes of it. None: no single valid character."""
    rows = ask(command, f"use charset_tables; select hex(b), hex(convert(convert(b using {charset}) using utf8mb4)) from {table} order by b")
    result = {}
    for code, text in rows:
        code = bytes.fromhex(code)
        text = None if text == "NULL" else bytes.fromhex(text).decode()
        # What a server cannot map becomes a question mark or U+FFFD; bytes that are no text are cut off or NULL.
        if text is not None and (len(text) != 1 or text == "\ufffd" or (text == "?" and code != b"?")):
            text = None
        result[code] = text
    return result


def agree(charset, answers):
    """What the servers that know the charset say; a difference that is not just 'unknown' ends the run."""
    merged = {}
    for answer in answers:
        for code, text in answer.items():
            have = merged.get(code)
            if text is not None and have is not None and text != have:
                sys.exit(f"{charset} {code.hex()}: the servers differ: {have!r}, {text!r}")
            merged[code] = text if text is not None else have
    return merged


def collations(servers):
    known = {}
    sqls = ["select id, character_set_name from information_schema.collation_character_set_applicability",
            "select id, character_set_name from information_schema.collations"]
    for sql, command in zip(sqls, servers):
        for number, charset in ask(command, sql):
            number = int(number)
            if number < UCA1400 and known.setdefault(number, charset) != charset:
                sys.exit(f"collation {number} is {known[number]} and {charset}")
    ranges = []
    for number in sorted(known):
        if ranges and ranges[-1][1] == number - 1 and ranges[-1][2] == known[number]:
            ranges[-1][1] = number
        else:
            ranges.append([number, number, known[number]])
    return ranges


def identifier(charset, what):
    return f"{charset}_{what}"


def put_table(name, values):
    print(f"\nstatic const uint16_t {name}[128] = {{")
    for i in range(0, 128, 16):
        print("\t" + ", ".join(f"0x{v:04x}" for v in values[i:i + 16]) + ",")
    print("};")


def main():
    servers = sys.argv[1:3]
    mariadb, mysql = servers
    for command in servers:
        ask(command, SETUP)
    known = [{row[0]: int(row[1]) for row in ask(c, "select character_set_name, maxlen from information_schema.character_sets")} for c in servers]
    widths = {**known[0], **known[1]}
    print("""/*
 * decode_charset_tables.c: the charsets of MySQL and MariaDB. Made by tests/vectors/charsets/record.py from what the servers say; do not edit.
 *
 * A one-byte charset is the 128 characters of its upper half (0: none); where the lower half is not ASCII there is a table for it too. For the charsets
 * that iconv converts, the characters that the servers convert otherwise.
 */
#include "capture/decode_charset_tables.h"

#include <stddef.h>""")
    entries = []
    for name in sorted(widths):
        members = [f'.name = "{name}"', f".width = {widths[name]}"]
        if name in UTF8:
            members.append(".form = CHARSET_UTF8")
        elif name in WIDE:
            members.append(f".form = {WIDE[name][0]}")
        elif name in MULTI:
            iconv_name, form, growth = MULTI[name]
            tables = ["two"] + (["three"] if form == "CHARSET_EUC_JP" else []) + (["four"] if form == "CHARSET_GB18030" else [])
            iconv, exceptions = Iconv(iconv_name), []
            for table in tables:
                answer = agree(name, [characters(c, name, table) for c, k in zip(servers, known) if name in k])
                for code in sorted(answer):
                    if answer[code] is not None and iconv.convert(code) != answer[code]:
                        exceptions.append((int.from_bytes(code, "big"), ord(answer[code])))
            members += [f".form = {form}", f'.iconv_name = "{iconv_name}"', f".growth = {growth}"]
            if exceptions:
                array = identifier(name, "exceptions")
                print(f"\nstatic const struct charset_exception {array}[] = {{")
                for i in range(0, len(exceptions), 6):
                    print("\t" + ", ".join(f"{{ 0x{c:x}, 0x{u:04x} }}" for c, u in exceptions[i:i + 6]) + ",")
                print("};")
                members += [f".exceptions = {array}", f".exception_count = sizeof {array} / sizeof *{array}"]
        else:
            answer = agree(name, [characters(c, name, "one") for c, k in zip(servers, known) if name in k])
            values = [0 if answer[bytes([i])] is None else ord(answer[bytes([i])]) for i in range(256)]
            array = identifier(name, "high")
            put_table(array, values[128:])
            members += [".form = CHARSET_ONE_BYTE", f".high = {array}"]
            if values[:128] != list(range(128)):
                put_table(identifier(name, "low"), values[:128])
                members.append(f".low = {identifier(name, 'low')}")
        entries.append(members)
    names = sorted(widths)
    print("\nconst struct charset charset_list[] = {")
    for members in entries:
        print("\t{ " + ", ".join(members[:5]) + (",\n\t\t" + ", ".join(members[5:]) if members[5:] else "") + " },")
    print("};\n\nconst size_t charset_count = sizeof charset_list / sizeof charset_list[0];\n")
    print("/* First and last id, index in charset_list. */\nconst struct charset_collations charset_collations[] = {")
    ranges = collations(servers)
    for i in range(0, len(ranges), 6):
        print("\t" + ", ".join(f"{{ {a}, {b}, {names.index(c)} }}" for a, b, c in ranges[i:i + 6]) + ",")
    print("};\n\nconst size_t charset_collations_count = sizeof charset_collations / sizeof charset_collations[0];")
    for command in servers:
        ask(command, "drop database charset_tables")


if __name__ == "__main__":
    main()
