"""The fault tests' scene for binlogs: the billing department's work on MariaDB, copied into a second MariaDB.

So both new ends of the line, the source that reads a binlog and the sink that writes MariaDB, stand every fault at once.  The three
witnesses are the source, the target and the clerks' journal; the topics are looked at as for PostgreSQL.
"""
import re
import threading
import time

import pymysql

from checker import Evidence, check, gather_journal, gather_topics, report
from checker.evidence import missing_tombstones
from harness import config
from telecom import billing
from telecom.billing_workload import Workload


class Copy(billing.Billing):
    """Billing with a target that has the same tables as the source, in MariaDB."""

    def __init__(self, stack, kafka, **options):
        super().__init__(stack, kafka, source=stack.mariadb("billing-db"), target=stack.mariadb("copy-db"), **options)

    def prepare(self):
        self.source.script(billing.SOURCE_SQL)
        self.source.execute(f"CREATE USER tailrace_capture@'%' IDENTIFIED BY '{self.capture_password}';"
                            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO tailrace_capture@'%';"
                            "GRANT SELECT ON billing.* TO tailrace_capture@'%'")
        self.target.script(billing.SOURCE_SQL)
        self.target.execute(f"CREATE USER tailrace_apply@'%' IDENTIFIED BY '{self.apply_password}';"
                            "GRANT ALL ON tailrace.* TO tailrace_apply@'%';"
                            "GRANT SELECT, INSERT, UPDATE, DELETE ON billing.* TO tailrace_apply@'%'")

    def drain(self, timeout=60):
        mark = f"drain {time.monotonic_ns()}"
        self.source.execute("INSERT INTO billing.billing_log VALUES (now(6), 'drain', %s, NULL)", [mark])
        self.target.wait_value(f"SELECT count(*) FROM billing.billing_log WHERE action = '{mark}'", 1, timeout)

    def apply_config(self, **more):
        tables = [{"source": table, "target": table} for table in billing.SOURCE_TABLES]
        settings = {"run_directory": self.run_directory(), "heartbeat_interval": "1s", **self.apply_settings, **more}
        return config.apply_config(self.target, self.kafka, name="copy-apply", topic_prefix=self.prefix, dbname="billing", tables=tables,
                                   include=billing.SOURCE_TABLES, user="tailrace_apply", password=self.apply_password, **settings)


class Scene:
    """load() runs work during a fault, judge() gives the verdict; the names are those of the scene in conftest.py."""

    def __init__(self, stack, **options):
        self.stack = stack
        self.line = Copy(stack, stack.kafka("kafka"), **options)
        self.journal_path = str(stack.directory / "journal")
        self.torn = set()
        self.seed = 0

    def start(self):
        line = self.line
        self.stack.start(line.source, line.target, line.kafka)
        line.prepare()
        line.start_agents()
        return self

    def load(self, rate=150, workers=2):
        self.seed += 1
        return Load(self, rate, workers)

    def judge(self, timeout=60):
        """Drains, gathers all evidence since the beginning, and fails with the checker's report."""
        line = self.line
        line.drain(timeout)
        journal = gather_journal(self.journal_path)
        marks, events, tombstones = gather_topics(line.kafka, line.prefix)
        faults = check(Evidence(journal, marks, events))
        # A drain is nobody's; an intent without an answer stands for one transaction whose GTID nobody knows.
        drains = line.source.value("SELECT count(*) FROM billing.billing_log WHERE agent = 'drain'")
        strangers = [fault for fault in faults if re.search("was made by nobody", fault[1])]
        faults = [fault for fault in faults if fault not in strangers]
        if len(strangers) > drains + len(journal.unknown):
            faults += strangers
        faults += [("different", f"tombstone at {place}") for place in missing_tombstones(events, tombstones)]
        faults += [("torn", f"{what}: seen in the target under load") for what in sorted(self.torn)]
        for server in (line.source, line.target):
            faults += [("different", f"{server.name}: {count} {rule}") for rule, count in billing.broken_rules(server).items()]
        faults += [("different", f"{table}: {wrong} rows") for table, (_, _, wrong)
                   in billing.differences(line.source, line.target).items() if wrong]
        assert not faults, report(faults)
        assert events
        return events


class Load:
    """with scene.load(): the clerks write, and a reader of the target looks for half a transaction."""

    def __init__(self, scene, rate, workers):
        self.scene = scene
        self.workload = Workload(lambda: scene.line.source.connect("billing"), scene.journal_path, workers, rate, scene.seed)
        self.stopping = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True, name="reader")

    def _read(self):
        while not self.stopping.wait(0.02):
            try:
                self.scene.torn |= set(billing.broken_rules(self.scene.line.target))
            except (pymysql.Error, OSError):
                pass  # the target is the one that is down

    def __enter__(self):
        self.workload.start()
        self.reader.start()
        return self.workload

    def __exit__(self, *_):
        self.workload.stop()
        self.stopping.set()
        self.reader.join(10)
