"""What every stream has: a capture agent, an apply agent, and a mark that goes through when all before it has.

A stream says what its agents' settings are (capture_config(), apply_config()); each agent is made when it is first started.
"""
import os
import time

from harness.wait import wait_until


class Databases:
    """One database of the name `dbname` on each of two servers, `source` and `target`."""

    def create_databases(self):
        for server in (self.source, self.target):
            server.createdb(self.dbname)

    def at_source(self, sql, parameters=None):
        self.source.execute(sql, parameters, dbname=self.dbname)

    def at_target(self, sql, parameters=None):
        self.target.execute(sql, parameters, dbname=self.dbname)

    def both(self, sql):
        self.at_source(sql)
        self.at_target(sql)


class Stream:
    """Needs `stack`, and for drain() `source`, `target` and two statements: MARK_INTO the source, MARK_IN the target."""

    capture = apply = None
    MARK_INTO = MARK_IN = ""

    def run_directory(self):
        return os.path.join(str(self.stack.directory), "run")

    def common_settings(self):
        """Those of both agents."""
        return {"run_directory": self.run_directory(), "heartbeat_interval": "1s"}

    def start_agents(self):
        self.start_capture()
        self.start_apply()

    def start_capture(self, wait=True, failpoints=None):
        if self.capture is None:
            self.capture = self.stack.agent("capture", self.capture_config())
        return _start(self.capture, "streaming", wait, failpoints)

    def start_apply(self, wait=True, failpoints=None):
        if self.apply is None:
            self.apply = self.stack.agent("apply", self.apply_config())
        return _start(self.apply, "applying", wait, failpoints)

    def drain(self, timeout=60):
        """Waits until everything committed at the source is in the target: a last mark goes through, and order does the rest."""
        mark = f"drain {time.monotonic_ns()}"
        self.source.execute(self.MARK_INTO, [mark])
        wait_until(lambda: self.target.value(self.MARK_IN, [mark]) == 1, timeout, f"the mark \"{mark}\" in {self.target.name}", interval=0.02)


def _start(agent, state, wait, failpoints):
    agent.start(failpoints=failpoints)
    if wait:
        agent.wait_state(state, timeout=60)
    return agent
