"""End-to-end tests: three real servers for the whole session; each test has databases, a topic prefix and agents of its own."""
import itertools
import signal
import time

import pytest

from harness import NotHere, Stack, config, wait_until
from telecom.pair import Pair
from telecom.stream import Databases

NUMBERS = itertools.count(1)
# What a test may do to an agent on purpose: it is then no failure that the agent is gone.
ENDED_ON_PURPOSE = (0, -signal.SIGTERM, -signal.SIGKILL)
LOOK_EVERY_SECONDS = 0.5


class AgentStopped(Exception):
    """What is waited for can not come: an agent has failed or ended.  No AssertionError, which a wait takes for "not yet"."""


@pytest.fixture(scope="session")
def servers(tmp_path_factory, request):
    with Stack(tmp_path_factory.mktemp("servers")) as stack:
        stack.source, stack.target, stack.crm_kafka = stack.postgres("source"), stack.postgres("target"), stack.kafka("kafka")
        stack.start(stack.source, stack.target, stack.crm_kafka)
        yield stack
        stack.failed = request.session.testsfailed > 0


class Pipe(Databases):
    """A source database, a target database and both agents for one test."""

    def __init__(self, stack, servers):
        self.stack, self.number = stack, next(NUMBERS)
        self.source, self.target, self.kafka = servers.source, servers.target, servers.crm_kafka
        self.prefix = self.dbname = f"t{self.number}"
        self.capture = self.apply = None
        self.run_directory = str(stack.directory / "run")
        self.next_look, self.failed_before = 0, set()
        self.create_databases()

    def capture_config(self, **more):
        settings = {"slot_name": f"slot_{self.dbname}", "publication_name": "p", "publication_create": "filtered",
                    "heartbeat_interval": "1s", "run_directory": self.run_directory, "name": f"c{self.number}", **more}
        return config.capture_config(self.source, self.kafka, topic_prefix=self.prefix, dbname=self.dbname,
                                     **settings)

    def apply_config(self, **more):
        settings = {"heartbeat_interval": "1s", "run_directory": self.run_directory, "name": f"a{self.number}", **more}
        return config.apply_config(self.target, self.kafka, topic_prefix=self.prefix, dbname=self.dbname, **settings)

    def make_capture(self, **more):
        self.capture = self.stack.agent("capture", self.capture_config(**more))
        return self.capture

    def make_apply(self, **more):
        self.apply = self.stack.agent("apply", self.apply_config(**more))
        return self.apply

    def start(self, capture=None, apply=None):
        self.make_capture(**(capture or {})).start()
        self.capture.wait_state("streaming", timeout=30)
        self.make_apply(**(apply or {})).start()
        self.apply.wait_state("applying", timeout=30)
        return self

    def rows(self, server, table, order="1"):
        return server.query(f"SELECT t::text FROM {table} t ORDER BY {order}", dbname=self.dbname)

    def look_at_agents(self):
        """Raises AgentStopped if an agent ended by itself, or is seen failed twice: a resume may be under way."""
        if time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + LOOK_EVERY_SECONDS
        failed = set()
        for agent in (self.capture, self.apply):
            if agent is None or agent.process is None:
                continue
            if not agent.running:
                if agent.returncode not in ENDED_ON_PURPOSE:
                    raise AgentStopped(f"{agent.name} ended with status {agent.returncode}:\n{agent.log_text()[-4000:]}")
                continue
            try:
                status = agent.status()
            except (OSError, ValueError):
                continue
            if status["state"] == "failed":
                if agent in self.failed_before:
                    raise AgentStopped(f"{agent.name} has failed: {status['error']}")
                failed.add(agent)
        self.failed_before = failed

    def wait_until(self, condition, timeout=30, what="the condition"):
        """harness.wait_until() that ends at once, with its error, when an agent has failed or is gone."""
        def reached():
            value = condition()
            if not value:
                self.look_at_agents()
            return value
        return wait_until(reached, timeout, what)

    def wait_target(self, sql, wanted, timeout=30):
        """Waits until a query of the target gives this value."""
        try:
            self.wait_until(lambda: self.target.value(sql, dbname=self.dbname) == wanted, timeout, f"the target: {sql}")
        except AssertionError:
            assert self.target.value(sql, dbname=self.dbname) == wanted

    def wait_equal(self, table, target_table=None, timeout=30, order="1"):
        """Waits until the target's table has exactly the source's rows; returns them."""
        wanted = self.rows(self.source, table, order)
        try:
            self.wait_until(lambda: self.rows(self.target, target_table or table, order) == wanted, timeout,
                            f"{table} to be equal")
        except AssertionError:
            assert self.rows(self.target, target_table or table, order) == wanted
        return wanted

    def topic(self, table):
        return self.kafka.read_topic(f"{self.prefix}.{table}")


def look_at_logs(stream):
    """A build with sanitizers says there what they found."""
    for agent in (stream.capture, stream.apply):
        if agent is not None:
            text = agent.log_text()
            assert "AddressSanitizer" not in text and "runtime error" not in text


@pytest.fixture
def pipe(tmp_path_factory, servers, request):
    failed_before = request.session.testsfailed
    with Stack(tmp_path_factory.mktemp("p")) as stack:
        pipe = Pipe(stack, servers)
        yield pipe
        stack.failed = request.session.testsfailed > failed_before
        look_at_logs(pipe)
    pipe.source.execute(f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '{pipe.dbname}'"
                        " AND active_pid IS NOT NULL")
    wait_until(lambda: not pipe.source.query("SELECT 1 FROM pg_replication_slots WHERE active AND database = %s",
                                             (pipe.dbname,)), 10, "slots to be free")
    pipe.source.execute(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '{pipe.dbname}'")


# ---- Pairs of any kinds of servers ----

SOURCE_SETTINGS = {"mysql": {"performance-schema": "OFF"}}
# A target's own log would only cost time.
TARGET_SETTINGS = {
    "mariadb": {"log-bin": None, "innodb-flush-log-at-trx-commit": 0},
    "mysql": {"log-bin": None, "skip-log-bin": True, "performance-schema": "OFF", "innodb-flush-log-at-trx-commit": 0},
}


class Fleet:
    """Servers of every kind, each started when the first test asks for it, and then kept for the session."""

    def __init__(self, stack, servers):
        self.stack, self.kafka = stack, servers.crm_kafka
        self.running = {("postgresql", "source"): servers.source, ("postgresql", "target"): servers.target}

    def get(self, kind, role):
        """kind: "postgresql", "mariadb", "mariadb-11.8", "mysql"; role: "source" or "target".  Skips where it cannot be had."""
        if (kind, role) not in self.running:
            settings = (SOURCE_SETTINGS if role == "source" else TARGET_SETTINGS).get(kind.partition("-")[0])
            try:
                server = self.stack.server(kind, f"{kind}-{role}", settings=settings)
            except NotHere as reason:
                pytest.skip(str(reason))
            self.running[kind, role] = server.start()
        return self.running[kind, role]


@pytest.fixture(scope="session")
def fleet(tmp_path_factory, servers, request):
    with Stack(tmp_path_factory.mktemp("fleet")) as stack:
        yield Fleet(stack, servers)
        stack.failed = request.session.testsfailed > 0


@pytest.fixture
def make_pair(tmp_path_factory, fleet, request):
    """make_pair(source, target, tables, ...): a Pair on the session's servers, closed at the end of the test."""
    pairs, failed_before = [], request.session.testsfailed
    with Stack(tmp_path_factory.mktemp("q")) as stack:
        def make(source, target, tables, **more):
            pairs.append(Pair(stack, fleet.get(source, "source"), fleet.get(target, "target"), fleet.kafka, tables, **more))
            return pairs[-1]
        yield make
        stack.failed = request.session.testsfailed > failed_before
        for pair in pairs:
            pair.close()
            look_at_logs(pair)
