"""The fault tests' scene for binlogs: the billing department's work on MariaDB or MySQL, copied into a second server of its kind.

So both new ends of the line, the source that reads a binlog and the sink that writes MariaDB or MySQL, stand every fault at once.
The witnesses are the source, the target, the topics and the clerks' journal. What a transaction is called:

    MariaDB  names it at the commit, @@last_gtid; one whose commit was not answered has no name
    MySQL    the clerk names it before, SET gtid_next, so an answer that was lost costs nothing
"""
import itertools
import re
import time
import uuid

import pymysql

from checker import Evidence, Sampler, Topics, check, gather_journal, report
from checker.evidence import missing_tombstones
from harness import WaitTimeout, config, wait_until
from telecom import billing
from telecom.billing_workload import Worker, Workload
from telecom.workers import Journal, Pace

XA_SHARE = 0.15
LOCKED = (1205, 1213)  # lock wait, deadlock
INVARIANTS = {rule: sql.replace("erp.billing_rate", "billing.applied_customer_billing_rate").replace("erp.", "billing.")
              .replace("::text", "") for rule, sql in billing.INVARIANTS.items()}


class Copy(billing.Billing):
    """Billing with a target that has the same tables as the source."""

    def __init__(self, stack, kafka, kind="mariadb", **options):
        self.kind = kind
        super().__init__(stack, kafka, source=stack.server(kind, "billing-db"), target=stack.server(kind, "copy-db"), **options)

    def prepare(self):
        tables = billing.SOURCE_SQL
        if self.kind == "mysql":  # which has no UUID
            tables = self.stack.directory / "billing_source.sql"
            tables.write_text(billing.SOURCE_SQL.read_text().replace(" uuid ", " char(36) "))
        self.source.script(tables)
        self.source.execute(f"CREATE USER tailrace_capture@'%' IDENTIFIED BY '{self.capture_password}';"
                            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO tailrace_capture@'%';"
                            "GRANT SELECT ON billing.* TO tailrace_capture@'%'")
        self.target.script(tables)
        self.target.execute(f"CREATE USER tailrace_apply@'%' IDENTIFIED BY '{self.apply_password}';"
                            "GRANT ALL ON tailrace.* TO tailrace_apply@'%';"
                            "GRANT SELECT, INSERT, UPDATE, DELETE ON billing.* TO tailrace_apply@'%'")

    def apply_config(self, **more):
        tables = [{"source": table, "target": table} for table in billing.SOURCE_TABLES]
        settings = {"run_directory": self.run_directory(), "heartbeat_interval": "1s", **self.apply_settings, **more}
        return config.apply_config(self.target, self.kafka, name="copy-apply", topic_prefix=self.prefix, dbname="billing", tables=tables,
                                   include=billing.SOURCE_TABLES, user="tailrace_apply", password=self.apply_password, **settings)

    def go_to(self, server):
        """Another server has become the source: the agent is told at its next start."""
        self.source = server
        self.capture.configure(self.capture_config())


class MariaDBClerk(Worker):
    """One transaction in seven is distributed: prepared, then committed or rolled back, or committed in one phase.

    The clerk is the transaction manager too: what a lost connection left prepared is decided at the next one, before any other work.
    """

    xa_share = XA_SHARE
    one_phase = 0.3
    named = False

    def __init__(self, *given):
        super().__init__(*given)
        self.intents = set()

    def connect(self):
        conn = super().connect()
        self.decide_prepared(conn)
        return conn

    def transaction(self, conn, work):
        if self.random.random() >= self.xa_share:
            super().transaction(conn, work)
            return
        self.transactions += 1
        xid = f"{self.name}/{self.next_id}/{self.transactions}"
        with conn.cursor() as cursor:
            try:
                self.branch(cursor, work, xid)
            except pymysql.err.OperationalError as error:
                if error.args[0] not in LOCKED:
                    raise
                try:
                    cursor.execute("XA END %s", [xid])
                except pymysql.Error:
                    pass  # a deadlock has ended it
                cursor.execute("XA ROLLBACK %s", [xid])

    def branch(self, cursor, work, xid):
        self.rows = {}
        name, fate = f"{self.name}/{self.transactions}", self.random.random()
        cursor.execute("XA START %s", [xid])
        remember = work(cursor)
        cursor.execute("XA END %s", [xid])
        if fate >= self.one_phase:
            cursor.execute("XA PREPARE %s", [xid])
        if remember is None or fate >= 0.9:
            cursor.execute("XA ROLLBACK %s", [xid])
            self.journal.write(rolled_back=name)
            return
        self.intents.add(xid)
        self.journal.write(intent=name)
        cursor.execute("XA COMMIT %s" + (" ONE PHASE" if fate < self.one_phase else ""), [xid])
        cursor.execute("SELECT @@last_gtid")
        self.journal.write(committed=cursor.fetchone()[0], of=name, rows=self.rows)
        remember()

    def decide_prepared(self, conn):
        """Commits what was to be committed, also where that was answered: a MariaDB that dies may lose it.  The rest is rolled back."""
        conn.autocommit(True)  # the second one would otherwise be outside of the first's transaction
        with conn.cursor() as cursor:
            cursor.execute("XA RECOVER")
            for *_, xid in cursor.fetchall():
                xid = xid.decode() if isinstance(xid, bytes) else xid
                if xid.startswith(f"{self.name}/"):
                    cursor.execute(f"XA {'COMMIT' if xid in self.intents else 'ROLLBACK'} %s", [xid])
        conn.autocommit(False)


class TwoPhaseClerk(MariaDBClerk):
    """For crashes of the source: every second transaction is distributed, but none with COMMIT ONE PHASE.  Its rows stand in the log without
    the branch's name, and MariaDB may die before its engine has them: then nobody can tell whether the log has the rows of a branch that
    XA RECOVER lists."""

    xa_share = 0.5
    one_phase = 0


class MySQLClerk(Worker):
    """Names each transaction, under a UUID of the clerk's own; a number that was rolled back is used again.  No distributed ones: a name
    given before would have to be another for the branch and for its commit."""

    named = True

    def __init__(self, *given):
        super().__init__(*given)
        self.uuid, self.number = uuid.UUID(int=self.random.getrandbits(128)), 1

    def transaction(self, conn, work):
        self.rows = {}
        self.transactions += 1
        gtid = f"{self.uuid}:{self.number}"
        with conn.cursor() as cursor:
            cursor.execute("SET gtid_next = %s", [gtid])
            remember = work(cursor)
            if remember is None:
                conn.rollback()
                return
            self.number += 1
            self.journal.write(intent=gtid)
            conn.commit()
            self.journal.write(committed=gtid, rows=self.rows)
        remember()


class Clerks(Workload):
    """The billing department with clerks of another kind."""

    def __init__(self, clerk, connect, journal_path, workers, rate, seed):
        super().__init__(connect, journal_path, 0, rate, seed)
        pace = Pace(rate)
        self.workers = [clerk(n + 1, connect, self.journal, self.stopping, pace, seed) for n in range(workers)]
        for worker in self.workers:
            worker.name += f"-{seed}"  # the journal is that of many loads

    def stop(self):
        """Leaves no branch behind that a clerk did not come back for."""
        journal = super().stop()
        for worker in self.workers:
            worker.connect().close()
        return journal


class Scene:
    """load() runs work during a fault, judge() gives the verdict; the names are those of the scene in conftest.py."""

    def __init__(self, stack, kind="mariadb", **options):
        self.stack = stack
        self.line = Copy(stack, stack.kafka("kafka"), kind, **options)
        self.topics = Topics(self.line.kafka, self.line.prefix)
        self.journal_path = str(stack.directory / "journal")
        self.clerk = {"mariadb": MariaDBClerk, "mysql": MySQLClerk}[kind]
        self.samples = set()
        self.seeds = itertools.count(1)

    def start(self):
        line = self.line
        self.stack.start(line.source, line.target, line.kafka)
        line.prepare()
        line.start_agents()
        return self

    def load(self, rate=80, workers=2, clerk=None):
        return Load(self, clerk or self.clerk, rate, workers)

    def drain(self, timeout):
        """As a clerk of its own, whose transaction is in the journal too."""
        mark = f"drain {time.monotonic_ns()}"
        with self.line.source.connect("billing", autocommit=False) as connection, connection.cursor() as cursor:
            gtid = f"{uuid.uuid4()}:1"
            if self.clerk.named:
                cursor.execute("SET gtid_next = %s", [gtid])
            cursor.execute("INSERT INTO billing_log VALUES (now(6), 'drain', %s, NULL)", [mark])
            connection.commit()
            if not self.clerk.named:
                cursor.execute("SELECT @@last_gtid")
                (gtid,) = cursor.fetchone()
        Journal(self.journal_path).write(committed=gtid, rows={"billing.billing_log": 1})
        try:
            self.line.target.wait_value(f"SELECT count(*) FROM billing.billing_log WHERE action = '{mark}'", 1, timeout)
        except WaitTimeout as error:
            raise WaitTimeout(f"{error}; {self.states()}") from None

    def states(self):
        """What the agents say of themselves, for a message."""
        return "; ".join(f"{agent.name}: {agent.status()['state']} {agent.status()['error']}" if agent.running else f"{agent.name} is gone"
                         for agent in (self.line.capture, self.line.apply))

    def judge(self, timeout=60):
        """Drains, gathers all evidence since the beginning, and fails with the checker's report."""
        self.drain(timeout)
        line, topics = self.line, self.topics.read()
        journal = gather_journal(self.journal_path, named=self.clerk.named)
        for agent in (line.capture, line.apply):
            assert not re.search(r"AddressSanitizer|runtime error|LeakSanitizer", agent.log_text()), agent.log_text()[-4000:]
        faults = check(Evidence(journal, topics.marks, topics.events, samples=sorted(self.samples), sample_values=billing.INVARIANT_VALUES))
        faults += [("different", f"tombstone at {place}") for place in missing_tombstones(topics.events, topics.tombstones)]
        for server in (line.source, line.target):
            faults += [("different", f"{server.name}: {count} {rule}") for rule, count in billing.broken_rules(server).items()]
        faults += [("different", f"{table}: {wrong} rows") for table, (_, _, wrong)
                   in billing.differences(line.source, line.target).items() if wrong]
        assert not faults, report(faults)
        assert topics.events
        return topics.events


class Load:
    """with scene.load(): the clerks write, and a reader of the target looks for half a transaction."""

    def __init__(self, scene, clerk, rate, workers):
        self.scene = scene
        self.workload = Clerks(clerk, lambda: scene.line.source.connect("billing"), scene.journal_path, workers, rate, next(scene.seeds))
        self.sampler = Sampler(scene.line.target, INVARIANTS, pause=0.03)

    def __enter__(self):
        self.workload.start()
        self.sampler.start()
        return self.workload

    def __exit__(self, *_):
        self.workload.stop()
        self.scene.samples |= set(self.sampler.stop())


def some_work(workload, n=40):
    """Waits for n more transactions."""
    before = workload.journal.transactions
    wait_until(lambda: workload.journal.transactions > before + n, 60, f"{n} transactions more")
