"""The events against what the server's own tool prints of its log: each value of each row image, before and after."""
import datetime
import re
from decimal import Decimal

import pytest

from checker.evidence import Decoder

from .mysql_types import SESSION, types_of

KINDS = ("mariadb", "mariadb-11.8", "mysql")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
LABELS = ["", "sad", "so so", "q\"u'o,te", "世界"]
# The types whose values the tools print unambiguously.
TYPES = ("tinyint", "tinyint unsigned", "smallint", "smallint unsigned", "mediumint", "mediumint unsigned", "int", "int unsigned", "bigint",
         "bigint unsigned", "decimal(12,2)", "decimal(65,30)", "decimal(30,30)", "year", "date", "datetime", "datetime(6)", "timestamp(6) null",
         "time", "time(6)", "varchar(300)", "bit(9)", "enum('sad','so so','q\"u''o,te','世界')")


def images(text, database):
    """[(operation, {column number: text})] of the table c, one for each image, in the order of the log."""
    found = []
    table = None
    for line in text.splitlines():
        begins = re.match(r"### (INSERT INTO|UPDATE|DELETE FROM) `(.*)`\.`(.*)`", line)
        if begins:
            table = begins.group(2, 3) == (database, "c")
        elif table and line in ("### WHERE", "### SET"):
            found.append({})
        elif table and line.startswith("###   @"):
            number, _, value = line.removeprefix("###   @").partition("=")
            found[-1][int(number)] = value.rpartition(" /* ")[0]
    return found


def from_tool(sql, text):
    """A value as the tool prints it -> a Python value that says the same."""
    if text == "NULL":
        return None
    if sql.startswith("enum"):
        return LABELS[int(text)]
    if sql == "year":
        return text if text != "1900" else "0"  # neither tool knows the year 0000, which is no 1900: that is no YEAR
    text = text.strip("b'") if sql.startswith("bit") else text.strip("'")
    if re.search(r"^-?\d+ \(\d+\)$", text):  # an unsigned number whose sign the tool has from its first bit
        signed, unsigned = re.findall(r"-?\d+", text)
        return unsigned if "unsigned" in sql else signed
    return text.replace(":", "-") if sql == "date" else text


def from_event(sql, value, exact):
    if exact is not None:
        value = exact
    if value is None:
        return None
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime.datetime):
        value = value.replace(tzinfo=None)
    if sql.startswith("timestamp") and value[0] != "0":
        return f"{(datetime.datetime.fromisoformat(value) - EPOCH) / datetime.timedelta(seconds=1):.6f}"
    if sql.startswith("timestamp"):
        return "0.000000"  # the zero date
    if sql.startswith("bit"):
        return f"{int.from_bytes(value, 'little'):09b}"
    if sql == "date" and not isinstance(value, str):
        value = value if isinstance(value, datetime.date) else datetime.date(1970, 1, 1) + datetime.timedelta(days=value)
    if sql.startswith("datetime") and isinstance(value, int):
        value = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=value * (1 if "6" in sql else 1000))
    if sql.startswith("time") and not sql.startswith("timestamp") and isinstance(value, int):
        digits = 6 if "6" in sql else 0
        seconds, fraction = divmod(abs(value), 1_000_000)
        value = f"{'-' if value < 0 else ''}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}" + (f".{fraction:06}" if digits else "")
    return str(value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_servers_tool_prints(make_pair, kind):
    types = [(sql, values) for sql, _, values in types_of(kind) if sql in TYPES]
    assert len(types) == len(TYPES)
    pair = make_pair(kind, kind, ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, " + ", ".join(f"c{n} {sql}" for n, (sql, _) in enumerate(types)) + ")")
    pair.start()
    file = pair.source.binlog_status()[0]
    connection = pair.source.connect(pair.dbname)
    with connection, connection.cursor() as cursor:
        cursor.execute(SESSION)
        for row in range(8):
            cursor.execute(f"INSERT INTO c VALUES ({row}, " + ", ".join(values[row % len(values)] for _, values in types) + ")")
        cursor.execute("UPDATE c SET " + ", ".join(f"c{n} = {values[0]}" for n, (_, values) in enumerate(types)) + " WHERE id > 3")
        cursor.execute("UPDATE c SET " + ", ".join(f"c{n} = NULL" for n in range(len(types))) + " WHERE id > 5")
        cursor.execute("DELETE FROM c WHERE id < 2")
    pair.drain()
    printed = images(pair.source.binlog_text(file), pair.dbname)
    decoder, seen = Decoder(pair.kafka), []
    for record in pair.kafka.read_topic(pair.topic("c")):
        event = decoder.decode(record.value())
        if event is not None:
            exact = event["exact"] or {}
            for side in ("before", "after"):
                if event[side] is not None:
                    seen.append((event[side], {name.rpartition(":")[2]: text for name, text in exact.items()
                                               if name.startswith("before:") == (side == "before")}))
    assert len(printed) == len(seen) == 8 + 2 * 4 + 2 * 2 + 2
    wrong = {}
    for number, (image, (values, exact)) in enumerate(zip(printed, seen)):
        for n, (sql, _) in enumerate(types):
            pairs = from_tool(sql, image[n + 2]), from_event(sql, values[f"c{n}"], exact.get(f"c{n}"))
            if pairs[0] != pairs[1]:
                wrong.setdefault(sql, set()).add((*pairs, repr(values[f"c{n}"])))
    assert not wrong, "\n".join(f"{sql}: {pairs}" for sql, pairs in wrong.items())
