"""A set of services that live and end together, in one folder.

Leaving the `with` block stops them all, the last started first.  After success the folder is removed; after a failure
the logs and configurations stay and the servers' data goes.  TAILRACE_KEEP=1, or keep=True, keeps everything.
A stack made in a folder where an earlier run left processes ends those first.
"""

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .agent import Agent
from .kafka import Kafka
from .mysql import MariaDB, MySQL
from .postgres import Postgres
from .process import kill_leftover


class Stack:
    """See the module.  bindir: where the agents are; by default TAILRACE_BINDIR or the repository's build."""

    def __init__(self, directory, bindir=None, keep=False):
        self.directory = Path(directory).absolute()
        self.bindir = bindir
        self.keep = keep or os.environ.get("TAILRACE_KEEP", "0") not in ("", "0")
        self.failed = False  # set where no exception comes through the `with`: a fixture's test has failed
        self.services = []
        self.directory.mkdir(parents=True, exist_ok=True)
        for pid_file in self.directory.glob("*/*.pid"):
            kill_leftover(pid_file)

    # ---- Making services ----

    def add(self, service):
        """Takes a service into the stack; it is stopped with the others."""
        if any(service.directory == other.directory for other in self.services):
            raise ValueError(f"the stack has a service named {service.name} already")
        self.services.append(service)
        return service

    def postgres(self, name="postgres", **options):
        """A Postgres of this stack, not started."""
        return self.add(Postgres(self.directory, name, **options))

    def mariadb(self, name="mariadb", **options):
        """A MariaDB of this stack, not started.  version: "10.11" or "11.8"."""
        return self.add(MariaDB(self.directory, name, **options))

    def mysql(self, name="mysql", **options):
        """A MySQL of this stack, not started.  Raises places.NotHere where there is none."""
        return self.add(MySQL(self.directory, name, **options))

    def server(self, kind, name, **options):
        """A server of any kind: "postgresql", "mariadb", "mariadb-11.8" or "mysql"."""
        kind, _, version = kind.partition("-")
        make = {"postgresql": self.postgres, "mariadb": self.mariadb, "mysql": self.mysql}[kind]
        return make(name, **options, **({"version": version} if version else {}))

    def kafka(self, name="kafka", **options):
        """A Kafka of this stack, not started."""
        return self.add(Kafka(self.directory, name=name, **options))

    def agent(self, kind, config, bindir=None, **options):
        """An agent of this stack, not started.  kind: "capture" or "apply"."""
        return self.add(Agent(kind, bindir or self.bindir, config, self.directory, **options))

    def start(self, *services):
        """Starts servers side by side, and returns them when all are ready."""
        with ThreadPoolExecutor(max_workers=max(len(services), 1)) as pool:
            for started in [pool.submit(service.start) for service in services]:
                started.result()
        return services

    # ---- The end ----

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close(failed=self.failed or kind is not None)

    def close(self, failed=False):
        """Stops everything, then keeps or removes the folder."""
        problems = self._stop_all(gently=not failed)
        if self.keep:
            return
        if failed or problems:
            self._remove_data()
            print(f"harness: the logs are kept in {self.directory}", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
        if problems and not failed:
            raise problems[0]

    def _stop_all(self, gently):
        """After a failure, or when the data will be removed anyway, servers are not given time to tidy up."""
        problems = []
        for service in reversed(self.services):
            try:
                if not service.running:
                    continue
                if isinstance(service, Agent) and gently:
                    service.stop()
                elif self.keep:
                    service.stop()
                else:
                    service.kill9()
            except Exception as error:  # the others must be stopped all the same
                problems.append(error)
        return problems

    def _remove_data(self):
        for service in self.services:
            shutil.rmtree(getattr(service, "data", service.directory / "data"), ignore_errors=True)
