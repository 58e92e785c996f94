"""One Tailrace agent: its configuration file, its process, and its HTTP API over the Unix socket."""

import http.client
import json
import os
import re
import signal
import socket
from pathlib import Path

from . import places
from .process import Process, ProcessDied, Service, tail
from .wait import WaitTimeout, wait_until

SOCKET_PATH_MAX = 107


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Agent(Service):
    """A capture or apply agent.  The configuration must set `name`; `run_directory` is added if it does not,
    and `state_directory` to a capture agent of MariaDB or MySQL.

    kind: "capture" or "apply".  bindir: the folder with tailrace-capture and tailrace-apply, or the top of a build.
    """

    def __init__(self, kind, bindir, config, directory, env=None, wrapper=()):
        name = _setting(config, "name")
        if name is None:
            raise ValueError(f'the configuration of an agent needs name = "..."; it is:\n{config}')
        super().__init__(directory, name)
        self.kind = kind
        self.program = f"tailrace-{kind}"
        self.bindir = bindir
        self.env = dict(env or {})
        self.wrapper = list(wrapper)
        self.config_file = self.directory / f"{name}.cfg"
        self.configure(config)

    def configure(self, config):
        """Replaces the configuration; it counts from the next start on."""
        run_directory = _setting(config, "run_directory")
        if run_directory is None:
            run_directory = str(self.directory)
            config = f'run_directory = "{run_directory}";\n{config}'
        if self.kind == "capture" and _setting(config, "state_directory") is None and _reads_binlog(config):
            (self.directory / "state").mkdir(mode=0o700, exist_ok=True)
            config = f'state_directory = "{self.directory / "state"}";\n{config}'
        self.config = config
        Path(run_directory).mkdir(parents=True, exist_ok=True)
        self.socket = Path(run_directory) / f"{self.name}.sock"
        if len(os.fsencode(self.socket)) > SOCKET_PATH_MAX:
            raise ValueError(f"too long for a Unix socket, use a folder nearer to the root: {self.socket}")
        self.config_file.touch(mode=0o600)
        self.config_file.chmod(0o600)
        self.config_file.write_text(config)

    # ---- Its life ----

    def start(self, failpoints=None, env=None, arguments=()):
        """Starts the agent and returns at once.  failpoints: the value of TAILRACE_FAILPOINTS for this start."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        environment = {**os.environ, **self.env, **(env or {})}
        environment.pop("TAILRACE_FAILPOINTS", None)
        if failpoints:
            environment["TAILRACE_FAILPOINTS"] = failpoints
        program = places.find_agent(self.program, self.bindir)
        self.process = Process([*self.wrapper, program, "-c", self.config_file, *arguments], self.log, self.pid_file,
                               cwd=self.directory, env=environment)
        return self

    def stop(self, timeout=10):
        """SIGTERM; returns the exit status.  Kills the agent, and raises, if it has not ended after `timeout`."""
        return self.process.stop(timeout=timeout) if self.process else None

    def restart(self, failpoints=None):
        self.stop()
        return self.start(failpoints)

    def reload(self):
        self.process.send(signal.SIGHUP)

    def wait_end(self, timeout=30):
        """Waits until the agent ends by itself, as at a failpoint, and returns its exit status."""
        wait_until(lambda: not self.running, timeout, f"{self.name} to end")
        return self.process.wait(1)

    # ---- Its API ----

    def request(self, method, path, body=None, timeout=5):
        """(HTTP status, headers, body as bytes)."""
        connection = _UnixConnection(self.socket, timeout)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def get(self, path, timeout=5):
        """The body of a GET, parsed if it is JSON, else as text.  Raises on a status of 400 or more."""
        return self._body("GET", path, None, timeout)

    def post(self, path, body=None, timeout=5):
        """The same for a POST."""
        return self._body("POST", path, body, timeout)

    def _body(self, method, path, body, timeout):
        status, headers, data = self.request(method, path, body, timeout)
        if status >= 400:
            raise RuntimeError(f"{self.name}: {method} {path} gave {status}: {data.decode(errors='replace')}")
        kind = {key.lower(): value for key, value in headers.items()}.get("content-type", "")
        return json.loads(data) if data and "json" in kind else data.decode()

    def status(self):
        """GET /v1/status as a dictionary.  /v1/status may answer 503 while not ready: the body is what counts."""
        data = self.request("GET", "/v1/status")[2]
        return json.loads(data)

    def metrics(self):
        """GET /metrics as {"name{labels}": number}."""
        lines = self.get("/metrics").splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
        return {key: float(value) for key, value in pairs}

    def wait_status(self, test, timeout=30, what="a status"):
        """Waits until test(status) is true and returns that status.  Raises at once if the agent has ended."""
        seen = {}

        def reached():
            if not self.running:
                raise ProcessDied(f"{self.name} ended with status {self.returncode} while waiting for {what}; "
                                  f"last status: {seen.get('status')}; the end of {self.log}:\n{tail(self.log)}")
            seen["status"] = self.status()
            return test(seen["status"])
        try:
            wait_until(reached, timeout, f"{self.name}: {what}",
                       ignore=(OSError, http.client.HTTPException, ValueError))
        except WaitTimeout as error:
            raise WaitTimeout(f"{error}; last status: {json.dumps(seen.get('status'))}; "
                              f"the end of {self.log}:\n{tail(self.log)}") from None
        return seen["status"]

    def wait_state(self, *states, timeout=30):
        """Waits until the agent's state is one of `states`."""
        return self.wait_status(lambda status: status.get("state") in states, timeout, f"state {' or '.join(states)}")

    def wait_ready(self, timeout=30):
        return self.wait_status(lambda status: status.get("ready") is True, timeout, "ready")


def _reads_binlog(config):
    return re.search(r'\btype = "(mysql|mariadb)"', config) is not None


def _setting(config, key):
    """The text value of a top-level setting of a configuration, as far as a look at its lines can tell."""
    found = re.search(rf'^{key}\s*[=:]\s*"([^"]*)"', config, re.MULTILINE)
    return found.group(1) if found else None
