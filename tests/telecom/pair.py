"""Any source and any target: one capture agent, one apply agent, a database on each side, of PostgreSQL, MariaDB or MySQL.

The servers are given and may be shared by many pairs; a pair has databases, roles, a topic prefix and agents of its own.  The
roles have exactly the rights that the documentation names:

    source  PostgreSQL        REPLICATION, SELECT on the tables (and a publication, made here)
            MariaDB, MySQL    REPLICATION SLAVE, REPLICATION CLIENT, SELECT on the tables
    target  PostgreSQL        SELECT, INSERT, UPDATE, DELETE, TRUNCATE on the tables, a schema `tailrace` of its own
            MariaDB, MySQL    SELECT, INSERT, UPDATE, DELETE on the tables, ALL on the database `tailrace`
"""
import itertools
import time

from harness import config
from harness.wait import wait_until
from telecom.stream import Databases, Stream

CAPTURE_PASSWORD = "capture-Pa55word-canary"
APPLY_PASSWORD = "apply-Pa55word-canary"
NUMBERS = itertools.count(1)
MARK = "drain_mark"


class Pair(Databases, Stream):
    """`tables` are names without a schema; their DDL is run by the test, on both sides, before start()."""

    def __init__(self, stack, source, target, kafka, tables, name=None, capture=None, apply=None, renamed=None, excluded=None):
        self.stack, self.source, self.target, self.kafka = stack, source, target, kafka
        self.name = self.prefix = self.dbname = name or f"p{next(NUMBERS)}"
        self.tables = [*tables, MARK]
        self.capture_settings, self.apply_settings = dict(capture or {}), dict(apply or {})
        self.renamed = renamed or {}  # source's table -> target's
        self.excluded = excluded or {}  # table -> columns that apply leaves out
        self.create_databases()
        self.both(f"CREATE TABLE {MARK} (id bigint PRIMARY KEY)")

    # ---- SQL ----

    def source_rows(self, sql, parameters=None):
        return self.source.query(sql, parameters, dbname=self.dbname)

    def target_rows(self, sql, parameters=None):
        return self.target.query(sql, parameters, dbname=self.dbname)

    def schema(self, server):
        """What stands before a table's name and in the topic's: the schema, or the database."""
        return "public" if server.kind == "postgresql" else self.dbname

    def source_table(self, table):
        return f"{self.schema(self.source)}.{table}"

    def topic(self, table):
        return f"{self.prefix}.{self.source_table(table)}"

    # ---- Roles with the least grants ----

    @property
    def capture_user(self):
        return f"capture_{self.dbname}"

    @property
    def apply_user(self):
        return f"apply_{self.dbname}"

    def prepare(self):
        """Makes both roles, and for PostgreSQL the publication."""
        self.prepare_source()
        self.prepare_target()
        return self

    def prepare_source(self):
        if self.source.kind == "postgresql":
            self._prepare_postgres_source()
        else:
            self.at_source(f"CREATE USER {self.capture_user}@'%' IDENTIFIED BY '{CAPTURE_PASSWORD}'")
            self.at_source(f"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {self.capture_user}@'%'")
            for table in self.tables:
                self.at_source(f"GRANT SELECT ON {self.dbname}.{table} TO {self.capture_user}@'%'")

    def prepare_target(self):
        if self.target.kind == "postgresql":
            self._prepare_postgres_target()
        else:
            self.at_target(f"CREATE USER {self.apply_user}@'%' IDENTIFIED BY '{APPLY_PASSWORD}'")
            self.at_target(f"GRANT ALL ON tailrace.* TO {self.apply_user}@'%'")
            for table in self.tables:
                self.at_target("GRANT SELECT, INSERT, UPDATE, DELETE ON "
                               f"{self.dbname}.{self.renamed.get(table, table)} TO {self.apply_user}@'%'")

    def _prepare_postgres_source(self):
        self.at_source(f"CREATE ROLE {self.capture_user} LOGIN REPLICATION PASSWORD '{CAPTURE_PASSWORD}'")
        for table in self.tables:
            self.at_source(f"GRANT SELECT ON {table} TO {self.capture_user}")
        self.at_source(f"CREATE PUBLICATION tailrace FOR TABLE {', '.join(self.tables)}")

    def _prepare_postgres_target(self):
        self.at_target(f"CREATE ROLE {self.apply_user} LOGIN PASSWORD '{APPLY_PASSWORD}'")
        self.at_target(f"CREATE SCHEMA tailrace AUTHORIZATION {self.apply_user}")
        for table in self.tables:
            self.at_target("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON "
                           f"{self.renamed.get(table, table)} TO {self.apply_user}")

    # ---- Agents ----

    def capture_config(self, **more):
        log = {}
        if self.source.kind == "postgresql":
            log = {"slot_name": f"slot_{self.dbname}", "publication_name": "tailrace",
                   "publication_create": "disabled"}
        settings = {**self.common_settings(), **log, **self.capture_settings, **more}
        return config.capture_config(self.source, self.kafka, name=settings.pop("name", f"capture-{self.name}"),
                                     topic_prefix=self.prefix, dbname=self.dbname, user=self.capture_user,
                                     tables=settings.pop("tables", [self.source_table(one) for one in self.tables]),
                                     password=CAPTURE_PASSWORD, **settings)

    def apply_config(self, **more):
        settings = {**self.common_settings(), **self.apply_settings, **more}
        tables = [{"source": self.source_table(one),
                   "target": f"{self.schema(self.target)}.{self.renamed.get(one, one)}",
                   "column_exclude_list": self.excluded.get(one)} for one in self.tables]
        return config.apply_config(self.target, self.kafka, name=settings.pop("name", f"apply-{self.name}"),
                                   topic_prefix=self.prefix, dbname=self.dbname, user=self.apply_user,
                                   tables=settings.pop("mapping", tables), password=APPLY_PASSWORD, **settings)

    def start(self, wait=True):
        """Roles and both agents; returns when both stream."""
        self.prepare()
        self.start_capture(wait)
        self.start_apply(wait)
        return self

    # ---- Waiting ----

    def drain(self, timeout=60):
        """Waits until everything committed at the source is in the target: a last mark goes through, and order does the rest."""
        mark = time.monotonic_ns()
        self.at_source(f"INSERT INTO {MARK} VALUES ({mark})")
        wait_until(lambda: self._arrived(mark), timeout, f"the mark {mark} in the target; {self.troubles()}", interval=0.02)

    def wait_in_kafka(self, rows):
        """Waits until capture has brought so many rows into Kafka since its start."""
        self.capture.wait_status(lambda status: status["totals"]["rows"] >= rows, 30, f"{rows} rows in Kafka")

    def _arrived(self, mark):
        if self.target_rows(f"SELECT 1 FROM {MARK} WHERE id = {mark}"):
            return True
        troubles = self.troubles()
        if troubles:
            raise RuntimeError(troubles)
        return False

    def troubles(self):
        """What a failed or ended agent says; "" while both are well or not started."""
        found = []
        for agent in (self.capture, self.apply):
            if agent is None or agent.process is None or agent.returncode in (0, -15, -9):
                continue
            if not agent.running:
                found.append(f"{agent.name} ended with status {agent.returncode}:\n{agent.log_text()[-4000:]}")
                continue
            try:
                status = agent.status()
            except (OSError, ValueError):
                continue
            if status["state"] == "failed":
                found.append(f"{agent.name} has failed: {status['error']}")
        return "\n".join(found)

    def equal(self, *tables, columns="*"):
        """Drains, then asserts that these tables have the same rows on both sides; returns the rows of the last one."""
        self.drain()
        for table in tables:
            wanted, got = (sorted(server.query(f"SELECT {columns} FROM {name}", dbname=self.dbname), key=repr)
                           for server, name in ((self.source, table), (self.target, self.renamed.get(table, table))))
            assert got == wanted, f"{table}: at the source {wanted!r}, in the target {got!r}"[:4000]
        return wanted

    def close(self):
        """Stops the agents and frees what the source keeps for them; the servers may be shared."""
        for agent in (self.capture, self.apply):
            if agent is not None and agent.running:
                agent.stop()
        if self.source.kind == "postgresql" and self.source.running:
            slot = f"slot_{self.dbname}"
            wait_until(lambda: not self.source.query("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s AND active", [slot]),
                       10, f"slot {slot} to be free")
            self.source.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s",
                                [slot])
