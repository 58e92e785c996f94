#!/usr/bin/env python3
"""Records what real servers write: binlog files, and the lines that must come out of them (expect.py).

    record.py [--only SCENARIO] NAME[=PREFIX[,ROOT]] ...

NAME is mariadb-10.11, mariadb-11.8, mysql-9.7 ...; without PREFIX the server that the tests use (harness.places).  PREFIX: what is /usr for the
server's programs; ROOT: the unpacked system that has the libraries they need, if that is another one.  For each server and scenario (scenarios.py)
that makes NAME/<scenario>.binlog and NAME/<scenario>.txt; for MySQL also json.txt and the seeds of fuzz_json.

Each log is also given to the server's own tool, which must count the same inserts, updates and deletes.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
sys.path.insert(0, str(HERE))

import expect  # noqa: E402
import json_documents  # noqa: E402
import scenarios  # noqa: E402
from harness import mysql as harness_mysql  # noqa: E402
from harness import places  # noqa: E402

SESSION = "SET SESSION sql_mode = 'ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'"


class Elsewhere:
    """A server whose programs are not where the harness has them."""

    def __init__(self, directory, name, programs, **options):
        harness_mysql._Server.__init__(self, directory, name, programs, **options)  # pylint: disable=protected-access


class MariaDBElsewhere(Elsewhere, harness_mysql.MariaDB):
    pass


class MySQLElsewhere(Elsewhere, harness_mysql.MySQL):
    pass


def unpacked(prefix, root):
    """Programs of an unpacked system, run with that system's own loader and libraries."""
    base = Path(root) / "usr"
    loaders = sorted(base.glob("lib/*-linux-gnu/ld-linux-*.so.*"))
    folders = [*base.glob("lib/*-linux-gnu"), *Path(prefix).glob("lib/*-linux-gnu")]
    return places.Programs(prefix, [loaders[0], "--library-path", ":".join(map(str, dict.fromkeys(folders)))])


def make_server(directory, argument):
    name, _, where = argument.partition("=")
    kind, _, version = name.partition("-")
    if where:
        prefix, _, root = where.partition(",")
        programs = unpacked(prefix, root) if root else places.Programs(prefix)
        return (MySQLElsewhere if kind == "mysql" else MariaDBElsewhere)(directory, name, programs)
    if kind == "mysql":
        return harness_mysql.MySQL(directory, name)
    return harness_mysql.MariaDB(directory, name, version)


class Recording:
    """One scenario on one server: what was done, and what each statement that changed rows did."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.mysql = server.kind == "mysql"
        self.labels = {}
        self.statements = []
        self.sent = []
        self.row_image = "full"
        self.version = [int(n) for n in re.findall(r"\d+", server.value("SELECT VERSION()"))[:3]]
        self.connection = server.connect()
        self.sql(SESSION)

    def at_least(self, kind, *version):
        return self.server.kind == kind and self.version >= list(version)

    def sql(self, text):
        self.sent.append(text)
        with self.connection.cursor() as cursor:
            cursor.execute(text)

    def image(self, kind):
        self.row_image = kind.lower()
        self.sql(f"SET SESSION binlog_row_image = {kind}")

    def query(self, text, parameters=None):
        """In the same session, so that it sees what is not committed."""
        with self.connection.cursor() as cursor:
            cursor.execute(text, parameters)
            return list(cursor.fetchall())

    @property
    def kind(self):
        return self.server.kind

    def _table(self, name):
        schema, _, table = name.rpartition(".")
        return expect.Table(self, schema or self.server.dbname, table, self.labels)

    def rows(self, text, *names, assigned=None, moved=None, lost=False, error=None):
        """lost: the statement is rolled back and not in the log. error: what the decoder must say instead."""
        exists = {name for name in names if not text.startswith("CREATE TABLE")}
        before = {name: self._table(name).rows(self) if name in exists else {} for name in names}
        self.sql(text)
        if lost:
            return
        tables = [self._table(name) for name in names]
        lines = [line for name, table in zip(names, tables) for line in
                 table.changes(before[name], table.rows(self), self.row_image, assigned, moved)]
        lines = [f"error {error}"] if error else lines
        self.statements.append({"sql": text, "lines": lines, "stops": error is not None, "shapes": {(table.schema, table.name): table for table in tables}})


def count_changes(lines):
    counts = {word: sum(line.startswith(word + " ") for line in lines) for word in ("insert", "update", "delete")}
    return tuple(counts.values())


def settings(server, scenario):
    """(statements before, statements after) that a scenario needs from the server."""
    before, after = [], []
    if "without_checksum" in scenario:
        before.append("SET GLOBAL binlog_checksum = NONE")
        after.append("SET GLOBAL binlog_checksum = CRC32")
    if "compressed" in scenario:
        on, off = ("SET GLOBAL binlog_transaction_compression = {}".format(word) for word in ("ON", "OFF")) if server.kind == "mysql" else \
            (f"SET GLOBAL log_bin_compress_min_len = 20; SET GLOBAL log_bin_compress = {word}" for word in ("ON", "OFF"))
        before.append(on)
        after.append(off)
    if scenario == "anonymous":
        modes = ["ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF"]
        before += [f"SET GLOBAL gtid_mode = {mode}" for mode in modes]
        after += [f"SET GLOBAL gtid_mode = {mode}" for mode in [*reversed(modes[:2]), "ON"]]
    return before, after


def encrypt(server):
    """Starts a MariaDB server again with encrypted logs; False if it has no plugin for keys."""
    if not (server.programs.plugins / "file_key_management.so").exists():
        return False
    keys = server.directory / "keys"
    keys.write_text("1;770A8A65DA156D24EE2A093277530142\n")
    server.settings.update({"plugin-load-add": "file_key_management", "loose-file-key-management-filename": keys, "encrypt-binlog": "ON"})
    server.restart()
    return True


def fetch(server, file):
    """A copy of the log as the server streams it."""
    folder = server.directory / "fetched"
    folder.mkdir(exist_ok=True)
    subprocess.run([*server.client_command("mariadb-binlog"), "--read-from-remote-server", "--raw", f"--result-file={folder}/", file], check=True)
    return folder / file


def record(server, scenario):
    name = scenario.__name__
    server.execute(f"DROP DATABASE IF EXISTS {server.dbname}; CREATE DATABASE {server.dbname}")
    before, after = settings(server, name)
    for text in before:
        server.execute(text)
    server.rotate()
    (file, _), recording = server.binlogs()[-1], Recording(server, name)
    scenario(recording)
    recording.connection.close()
    if scenario in scenarios.LAST:
        server.restart()
    else:
        server.rotate()
    for text in after:
        server.execute(text)
    events = [(row[1], row[2], row[4], row[5]) for row in server.query(f"SHOW BINLOG EVENTS IN '{file}'")]
    lines = expect.merge(events, recording.statements, recording.sent)
    copy = fetch(server, file) if scenario in scenarios.ENCRYPTED else server.data / file
    text = server.binlog_text(copy)
    shown = tuple(len(re.findall(f"^### {word} ", text, re.M)) for word in ("INSERT INTO", "UPDATE", "DELETE FROM"))
    stops = any(statement["stops"] for statement in recording.statements)
    if shown != count_changes(lines) and not stops:
        raise SystemExit(f"{server.name} {name}: the server's tool counts {shown} changes, SELECT {count_changes(lines)}")
    folder = HERE / server.name
    folder.mkdir(exist_ok=True)
    shutil.copyfile(copy, folder / f"{name}.binlog")
    head = f"# {server.value('SELECT VERSION()')}, {file}, written by record.py\n"
    (folder / f"{name}.txt").write_text(head + "\n".join(lines) + "\n")
    print(f"{server.name} {name}: {(folder / f'{name}.binlog').stat().st_size} bytes, {len(lines)} lines")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", help="a scenario, or `json`")
    parser.add_argument("servers", nargs="+", metavar="NAME[=PREFIX[,ROOT]]")
    options = parser.parse_args()
    for argument in options.servers:
        with tempfile.TemporaryDirectory() as directory:
            server = make_server(Path(directory), argument)
            # So small that most statements have more than one rows event.
            server.settings.update({"server-id": 7, "binlog-row-event-max-size": 256})
            if server.kind == "mysql" and "8.0" in server.name:
                server.show_status = "SHOW MASTER STATUS"
            server.start()
            try:
                every = [*scenarios.VALUES, *scenarios.IMAGES, *scenarios.FLOWS, *(scenarios.MYSQL if server.kind == "mysql" else scenarios.MARIADB),
                         *scenarios.LAST]
                if "mysql-8.0" in server.name:
                    every.remove(scenarios.tagged)
                for scenario in every:
                    if not options.only or scenario.__name__ in options.only:
                        record(server, scenario)
                if server.kind == "mariadb" and encrypt(server):
                    for scenario in scenarios.ENCRYPTED:
                        if not options.only or scenario.__name__ in options.only:
                            record(server, scenario)
                if server.name == "mysql-9.7" and (not options.only or "json" in options.only):
                    json_documents.record(server, HERE)
            finally:
                server.stop()


if __name__ == "__main__":
    main()
