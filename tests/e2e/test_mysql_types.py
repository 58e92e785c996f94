"""Every value arrives equal: types x servers x row images x metadata, inserted, updated, deleted, compared as the servers print them.

One table has a column of each type, so that its rows have bitmaps of a dozen bytes; another has the same types and no key.  Source and
target are servers of the same kind.
"""
import pytest

from .mysql_types import PRINT, session, types_of

MATRIX = [(kind, image, metadata)
          for kind, metadatas in (("mariadb", ("FULL", "NO_LOG")), ("mariadb-11.8", ("FULL", "NO_LOG")), ("mysql", ("FULL", "MINIMAL")))
          for image in ("FULL", "NOBLOB", "MINIMAL") for metadata in metadatas]
MATRIX += [(kind, "MINIMAL", "MINIMAL") for kind in ("mariadb", "mariadb-11.8")]


# The target computes them itself. Where the source logs them (MariaDB 11.8 does not), apply is told to leave them out.
COMPUTED = "made int AS (c0 + 1) STORED, seen int AS (c0 + 2) VIRTUAL, "


def ddl(kind, computed):
    columns = ", ".join(f"c{n} {sql}" for n, (sql, _, _) in enumerate(types_of(kind)))
    return (f"CREATE TABLE wide (id int PRIMARY KEY, {columns}, {COMPUTED if computed else ''}hidden varchar(20) INVISIBLE);"
            f"CREATE TABLE bare (id int, {columns})")


def write(run, types):
    longest = max(len(values) for _, _, values in types)
    names = ", ".join(f"c{n}" for n in range(len(types)))
    for table in ("wide", "bare"):
        for row in range(longest):
            run(f"INSERT INTO {table} (id, {names}) VALUES ({row}, "
                + ", ".join(values[row % len(values)] for _, _, values in types) + ")")
        nothing = ", ".join("NULL" for _ in types)
        run(f"INSERT INTO {table} (id, {names}) VALUES (1000, {nothing}), (1001, {nothing}), (1002, {nothing})")
    run("UPDATE wide SET hidden = 'now seen' WHERE id < 3")
    run("START TRANSACTION")
    for n, (_, _, values) in enumerate(types):  # each column alone: from null, to another value, to null
        run(f"UPDATE wide SET c{n} = {values[0]} WHERE id = 1000")
        run(f"UPDATE wide SET c{n} = {values[2 % len(values)]} WHERE id = 1")
        run(f"UPDATE wide SET c{n} = NULL WHERE id = 2")
    run("COMMIT")
    everything = ", ".join(f"c{n} = {values[0]}" for n, (_, _, values) in enumerate(types))
    run(f"UPDATE wide SET {everything} WHERE id = 1001")
    run(f"UPDATE bare SET {everything} WHERE id = 1001")
    run("UPDATE wide SET id = 2000 WHERE id = 3")
    run("UPDATE bare SET c0 = 77 WHERE id IN (0, 1, 2, 1000)")
    run("DELETE FROM wide WHERE id IN (1001, 4)")
    run("DELETE FROM bare WHERE id IN (1, 1001)")


def printed(pair, server, table, types, computed):
    """{column: [(row id, as printed)]}"""
    found = {}
    more = [("hidden", "text")] if table == "wide" else []
    more += [("made", "text"), ("seen", "text")] if more and computed else []
    for column, how in [*((f"c{n}", how) for n, (_, how, _) in enumerate(types)), *more]:
        shown = PRINT[how].format(column)
        found[column] = sorted(server.query(f"SELECT id, {shown} FROM {table}", dbname=pair.dbname), key=str)
    return found


@pytest.mark.parametrize("kind,image,metadata", MATRIX, ids=["-".join(one) for one in MATRIX])
def test_equal_in_the_target(make_pair, kind, image, metadata):
    types = types_of(kind)
    computed = image != "MINIMAL"  # an insert's image would lack them, and capture stop
    pair = make_pair(kind, kind, ["wide", "bare"], excluded={"wide": ["made", "seen"]} if computed and kind != "mariadb-11.8" else None)
    pair.source.execute(f"SET GLOBAL binlog_row_metadata = '{metadata}'")
    try:
        pair.both(ddl(kind, computed))
        pair.start()
        with session(pair) as run:
            run(f"SET SESSION binlog_row_image = '{image}'")
            write(run, types)
        pair.drain()
    finally:
        pair.source.execute("SET GLOBAL binlog_row_metadata = 'FULL'")
    for table in ("wide", "bare"):
        wanted, got = (printed(pair, server, table, types, computed) for server in (pair.source, pair.target))
        different = {name: (types[int(name[1:])][0] if name[1:].isdigit() else name, set(wanted[name]) ^ set(got[name]))
                     for name in wanted if wanted[name] != got[name]}
        assert not different, f"{table}: {different}"[:4000]
        assert len(wanted["c0"]) > 5
