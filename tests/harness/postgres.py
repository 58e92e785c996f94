"""One PostgreSQL server with a cluster of its own, set up the way change data capture needs it.

It runs as an ordinary user: PostgreSQL refuses root, so root starts it as the user `postgres` that Debian's package
makes.  Durability is on unless a test turns it off: the tests kill servers, and what they committed must be there.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess

import psycopg
from psycopg import sql as composed
from psycopg.conninfo import make_conninfo

from . import places
from .database import DatabaseServer
from .ports import free_port
from .process import Process

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "wal_level": "logical",
    "max_wal_senders": 20,
    "max_replication_slots": 20,
    "max_connections": 100,
    "max_prepared_transactions": 10,
    "track_commit_timestamp": "on",
    "fsync": "on",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
}
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
SOCKET_PATH_MAX = 107


class Postgres(DatabaseServer):
    """A server below directory/name.  `settings` are added to SETTINGS; None takes one out.

    auth: "scram" (a generated password, in the folder's file `password`) or "trust".
    `user`, `password`, `dbname`, `host` and `port` say how to reach it; `conninfo` is all of them in one string.
    """

    kind = "postgresql"
    user = "postgres"
    dbname = "postgres"
    unreachable = (psycopg.OperationalError,)

    def __init__(self, directory, name="postgres", port=None, settings=None, auth="scram"):
        super().__init__(directory, name)
        self.port = port or free_port()
        self.settings = {**SETTINGS, **(settings or {})}
        self.auth = auth
        self.data = self.directory / "data"
        self.password_file = self.directory / "password"
        self.programs = places.postgres_programs()

    # ---- How it is run ----

    def _privileges(self):
        """The options of setpriv that make a process of root one of the user postgres."""
        if os.geteuid() != 0:
            return []
        account = pwd.getpwnam("postgres")
        options = ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups"]
        if not self._reachable(options):
            # A folder above is closed to others, as /root is: let the server pass, rather than open the folder.
            options += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
        return options

    def _reachable(self, options):
        probe = subprocess.run(["setpriv", *options, "test", "-x", self.directory], check=False,
                               stderr=subprocess.DEVNULL)
        return probe.returncode == 0

    def _give_to_server(self, path):
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(path, account.pw_uid, account.pw_gid)

    @staticmethod
    def _environment():
        """Ours without PGDATA, PGHOST and the like, which would reach into the server."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        return {**kept, "LC_ALL": "C.UTF-8"}

    # ---- Its life ----

    def init(self):
        """Makes the cluster, unless an earlier run did."""
        if self.auth == "scram":
            if not self.password_file.exists():
                self.password_file.touch(mode=0o600)
                self.password_file.write_text(secrets.token_hex(16))
            self._give_to_server(self.password_file)
        if (self.data / "harness.conf").exists():
            return self
        shutil.rmtree(self.data, ignore_errors=True)
        self._give_to_server(self.directory)
        command = ["setpriv", *self._privileges(), self.programs / "initdb", "-D", self.data, "-U", self.user,
                   "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
        if self.auth == "scram":
            command += ["--auth=scram-sha-256", f"--pwfile={self.password_file}"]
        else:
            command += ["--auth=trust"]
        done = subprocess.run(command, cwd=self.directory, env=self._environment(), check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed for {self.name}:\n{done.stdout}")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write("include 'harness.conf'\n")
        self._write_settings()
        return self

    def _write_settings(self):
        sockets = str(self.directory)
        if len(f"{sockets}/.s.PGSQL.{self.port}".encode()) > SOCKET_PATH_MAX:
            sockets = ""  # too deep for a Unix socket: TCP only
        settings = {**self.settings, "port": self.port, "unix_socket_directories": sockets}
        lines = [f"{key} = '{_quote(value)}'\n" for key, value in settings.items() if value is not None]
        path = self.data / "harness.conf"
        path.write_text("".join(lines))
        self._give_to_server(path)

    def start(self, wait=True, timeout=60):
        """Starts the server, making its cluster first if there is none; returns when it takes connections."""
        if self.running:
            return self
        self.init()
        self._write_settings()
        self.process = Process(
            [self.programs / "postgres", "-D", self.data], self.log, self.pid_file, cwd=self.directory,
            env=self._environment(), death_signal="QUIT", privileges=self._privileges())
        if wait:
            self.wait_ready(timeout)
        return self

    def stop(self, mode="fast", timeout=60):
        """mode: "smart" waits for clients, "fast" ends them, "immediate" leaves recovery to the next start."""
        if self.process is not None:
            self.process.stop(STOP_SIGNALS[mode], timeout)

    def reload(self, **settings):
        """Changes settings that need no restart; others wait for the next start."""
        self.settings.update(settings)
        self._write_settings()
        self.process.send(signal.SIGHUP)

    # ---- Talking to it ----

    @property
    def password(self):
        return self.password_file.read_text().strip() if self.auth == "scram" else None

    def conninfo_for(self, dbname=None, **more):
        parts = {"host": self.host, "port": self.port, "user": self.user, "password": self.password,
                 "dbname": dbname or self.dbname, "sslmode": "disable", **more}
        return make_conninfo(**{key: value for key, value in parts.items() if value is not None})

    @property
    def conninfo(self):
        """A libpq connection string of the database `postgres`."""
        return self.conninfo_for()

    def connect(self, dbname=None, autocommit=True, **more):
        """A psycopg connection.  Each statement is its own transaction unless autocommit is False."""
        return psycopg.connect(self.conninfo_for(dbname, **more), autocommit=autocommit)

    def execute(self, sql, parameters=None, dbname=None):
        """Runs statements whose result nobody wants.  Without parameters there may be several, as one transaction."""
        with self.connect(dbname) as connection:
            connection.execute(sql, parameters)

    def script(self, path, dbname=None, variables=None):
        """Runs an SQL file with psql, which stops at the first error."""
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(path)]
        for key, value in (variables or {}).items():
            command += ["-v", f"{key}={value}"]
        done = subprocess.run([*command, "-d", self.conninfo_for(dbname)], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise RuntimeError(f"{path} failed on {self.name}:\n{done.stdout}")
        return done.stdout

    def createdb(self, dbname):
        """Makes a database if there is none of that name."""
        if not self.value("select 1 from pg_database where datname = %s", [dbname]):
            self.execute(composed.SQL("create database {}").format(composed.Identifier(dbname)))

    def wal_position(self):
        """The server's current write position, as an integer."""
        return int(self.value("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


def _quote(value):
    return str(value).replace("\\", "\\\\").replace("'", "''")
