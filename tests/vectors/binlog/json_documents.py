"""json.txt: binary JSON as MySQL stores it, and the text that it prints for it; the seeds of fuzz_json.

The bytes are cut out of the row events of a table with two columns, which needs no more of the log's format than a few offsets.
"""

import json
import random
import struct

import pymysql

HEADER, CHECKSUM = 19, 4
WRITE_ROWS, PARTIAL_UPDATE_ROWS = 30, 39

EXPRESSIONS = [
    "CAST('12:34:56.789' AS TIME(3))", "CAST('-838:59:59' AS TIME)", "CAST('-00:00:00.1' AS TIME(1))", "CAST('2015-01-02' AS DATE)",
    "CAST('2015-01-02 03:04:05.6' AS DATETIME(6))", "TIMESTAMP('9999-12-31 23:59:59.999999')", "CAST('0000-00-00' AS DATE)",
    "CAST(-12.3450 AS DECIMAL(20,10))", "CAST(0 AS DECIMAL(5,2))", "CAST(-0.05 AS DECIMAL(5,5))", "CAST(REPEAT('9', 65) AS DECIMAL(65,0))",
    "CAST(-1e-30 AS DECIMAL(30,30))", "CAST(123456789.123456789 AS DECIMAL(18,9))",
    "CAST('12345678901234567890123456789012345.123456789012345678901234567890' AS DECIMAL(65,30))",
    *[f"CAST(REPEAT('a', {n}) AS BINARY)" for n in (0, 1, 2, 3, 57, 58, 115, 300)],
    "POINT(1, 2)", "CAST(1.1 AS FLOAT)", "18446744073709551615", "-9223372036854775808",
]
COLUMNS = [("BIT(9)", "b'100000001'"), ("BLOB", "X'00FF'"), ("YEAR", "2024"), ("ENUM('a','é')", "'é'"), ("TIMESTAMP(3)", "'2024-01-01 02:03:04.567'"),
           ("VARBINARY(9)", "'q'"), ("BINARY(5)", "'q'"), ("SET('x','y')", "'x,y'"), ("CHAR(3) CHARACTER SET latin1", "'é'")]
NAMES = ["a", "b", "cc", "x y", "é", 'q"', "1", "n\n", ""]


def doubles(chance):
    found = [struct.unpack("<d", struct.pack("<Q", chance.getrandbits(64)))[0] for _ in range(150)]
    found += [2.0 ** power for power in range(-1074, 1024, 37)] + [10.0 ** power for power in range(-25, 25)] + [-0.0, 1e100, 0.1, 1e308]
    found += [chance.randint(1, 10 ** 17) / 10 ** chance.randint(0, 20) for _ in range(100)] + [chance.getrandbits(20) * 5e-324 for _ in range(20)]
    return [number for number in found if number == number and abs(number) != float("inf")]


def leaf(chance):
    text = "".join(chance.choice('ab"\\\n\t\x01\x1f\x7fé漢😀 /\x00') for _ in range(chance.choice([0, 1, 3, 10, 130])))
    return chance.choice([None, True, False, text, chance.randint(-100, 100), chance.choice([32767, 32768, -32769, 65535, 65536, 2 ** 31, 2 ** 32, 2 ** 63]),
                          chance.choice([1.5, -2.25, 1e20])])


def document(chance, depth=0):
    if depth > 3 or chance.random() < 0.3:
        return leaf(chance)
    if chance.random() < 0.5:
        return [document(chance, depth + 1) for _ in range(chance.randint(0, 6))]
    return {chance.choice(NAMES): document(chance, depth + 1) for _ in range(chance.randint(0, 6))}


def path(chance):
    legs = [chance.choice(["[0]", "[1]", "[7]", "[last]", "[last-1]"]) if chance.random() < 0.45 else "." + json.dumps(chance.choice(NAMES))
            for _ in range(chance.randint(1, 4))]
    return "$" + "".join(legs)


class Log:
    def __init__(self, server):
        server.rotate()
        self.server, self.file = server, server.binlogs()[-1][0]

    def rows(self, wanted):
        """The bodies of the rows events of that type, from behind the column bitmaps on."""
        data, at = (self.server.data / self.file).read_bytes(), 4
        while at < len(data):
            kind, size = data[at + 4], struct.unpack_from("<I", data, at + 9)[0]
            body = data[at + HEADER:at + size - CHECKSUM]
            at += size
            if kind == wanted:
                start = 8 + struct.unpack_from("<H", body, 8)[0]
                yield body[start + (2 if kind == WRITE_ROWS else 3):]


def counted(data, at):
    size = struct.unpack_from("<I", data, at)[0]
    return data[at + 4:at + 4 + size], at + 4 + size


def record_documents(server, cursor, chance):
    cursor.execute("CREATE TABLE one (id INT AUTO_INCREMENT PRIMARY KEY, j JSON)")
    log = Log(server)
    texts = [json.dumps(document(chance)) for _ in range(60)] + [json.dumps(doubles(chance)), "[" * 100 + "]" * 100]
    for text in texts:
        cursor.execute("INSERT INTO one (j) VALUES (%s)", [text])
    for expression in EXPRESSIONS:
        cursor.execute(f"INSERT INTO one (j) VALUES (JSON_ARRAY({expression})), (JSON_OBJECT('x', {expression}))")
    for kind, value in COLUMNS:
        cursor.execute(f"CREATE TABLE other (c {kind})")
        cursor.execute(f"INSERT INTO other VALUES ({value})")
        cursor.execute("INSERT INTO one (j) SELECT JSON_ARRAY(c) FROM other")
        cursor.execute("DROP TABLE other")
    cursor.execute("SELECT CAST(j AS CHAR) FROM one ORDER BY id")
    wanted, found = [row[0] for row in cursor.fetchall()], []
    for body in log.rows(WRITE_ROWS):
        at = 0
        if body[1:5] == b"\0\0\0\0":
            continue
        while at + 5 < len(body):
            try:
                value, at = counted(body, at + 5)
            except struct.error:
                break
            found.append(value)
    return found, wanted


def record_updates(server, cursor, chance):
    """[(before, changes)], [text after]"""
    cursor.execute("CREATE TABLE two (id INT AUTO_INCREMENT PRIMARY KEY, j JSON)")
    for _ in range(40):
        cursor.execute("INSERT INTO two (j) VALUES (%s)", [json.dumps({name: document(chance, 1) for name in NAMES} | {"pad": "x" * 400})])
    log, wanted, found = Log(server), [], []
    cursor.execute("SET SESSION binlog_row_value_options = PARTIAL_JSON")
    for _ in range(1200):
        row, text = chance.randint(1, 40), "j"
        for _ in range(chance.choice([1, 1, 2, 3])):
            function, words = chance.choice(["JSON_SET", "JSON_REPLACE", "JSON_REMOVE"]), []
            for _ in range(chance.choice([1, 2])):
                words.append(cursor.connection.escape(path(chance)))
                if function != "JSON_REMOVE":
                    words.append(f"CAST({cursor.connection.escape(json.dumps(document(chance, 2)))} AS JSON)")
            text = f"{function}({text}, {', '.join(words)})"
        try:
            changed = cursor.execute(f"UPDATE two SET j = {text} WHERE id = {row}")
        except pymysql.Error:
            continue  # a path that means nothing here
        if changed:
            cursor.execute(f"SELECT CAST(j AS CHAR) FROM two WHERE id = {row}")
            wanted.append(cursor.fetchone()[0])
    updates = []
    data, at = (server.data / log.file).read_bytes(), 4
    while at < len(data):  # those that the log has in full do not count, but they keep the order
        kind, size = data[at + 4], struct.unpack_from("<I", data, at + 9)[0]
        if kind in (31, PARTIAL_UPDATE_ROWS):
            body = data[at + HEADER:at + size - CHECKSUM]
            body = body[8 + struct.unpack_from("<H", body, 8)[0] + 3:]
            before, end = counted(body, 5)
            options = body[end] if kind == PARTIAL_UPDATE_ROWS else 0
            end += 0 if kind == 31 else 2 if options & 1 else 1
            partly = options & 1 and body[end - 1] & 1
            updates.append((before, counted(body, end + 5)[0]) if partly else None)
        at += size
    assert len(updates) == len(wanted), (len(updates), len(wanted))
    found = [(update, text) for update, text in zip(updates, wanted) if update]
    return [update for update, _ in found], [text for _, text in found]


def record(server, folder):
    chance = random.Random(4)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS documents")
        cursor.execute("USE documents")
        cursor.execute("SET SESSION sql_mode = '', binlog_row_image = FULL")
        documents, texts = record_documents(server, cursor, chance)
        updates, after = record_updates(server, cursor, chance)
        cursor.execute("DROP DATABASE documents")
    assert len(documents) == len(texts), (len(documents), len(texts))
    lines = [f"# MySQL {server.value('SELECT VERSION()')}, written by record.py"]
    for data, text in zip(documents, texts):
        lines += [f"document {data.hex()}", f"expect {text}"]
    small = [(update, text) for update, text in zip(updates, after) if len(update[0]) < 1500][:120]
    for (before, changes), text in small:
        lines += [f"update {before.hex()} {changes.hex()}", f"expect {text}"]
    (folder / "json.txt").write_text("\n".join(lines) + "\n")
    seeds = folder.parents[1] / "fuzz" / "seeds" / "json"
    seeds.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([data for data in documents if 60 < len(data) < 1000][::5]):
        (seeds / f"document-{number:02}").write_bytes(struct.pack(">H", len(data)) + data)
    for number, ((before, changes), _) in enumerate(small[::15]):
        (seeds / f"update-{number:02}").write_bytes(struct.pack(">H", len(before)) + before + changes)
    print(f"json.txt: {len(documents)} documents, {len(small)} updates")
