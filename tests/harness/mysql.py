"""One MariaDB or MySQL server with data of its own, set up the way change data capture needs it.

Both have the face of Postgres (postgres.py, database.py), so that a test can take any of the three.  Debian 12 brings MariaDB 10.11;
MariaDB 11 and MySQL 9 lie in the cache, unpacked by `tests/setup.sh --all` (places.Programs says how they run there).

Making a data folder takes seconds, copying one takes none: the first start of a kind on this machine keeps a template in
the cache.  Durability is on, as for PostgreSQL: the tests kill servers, and what they committed must be there.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import zlib

import pymysql
from pymysql.constants import CLIENT

from . import places
from .database import DatabaseServer
from .ports import free_port
from .process import Process
from .wait import wait_until

SETTINGS = {
    "bind-address": "127.0.0.1",
    "log-bin": "binlog",
    "binlog-format": "ROW",
    "binlog-row-image": "FULL",
    "binlog-row-metadata": "FULL",
    "sync-binlog": 1,
    "innodb-flush-log-at-trx-commit": 1,
    "innodb-buffer-pool-size": "64M",
    "max-allowed-packet": "256M",
    "max-connections": 100,
    "skip-name-resolve": "ON",
    "character-set-server": "utf8mb4",
    "default-time-zone": "+00:00",
    "lc-messages": "en_US",
}
MARIADB_SETTINGS = {
    "log-slave-updates": "ON",
    "gtid-strict-mode": "ON",
    "innodb-log-file-size": "32M",
    "loose-feedback": "OFF",
}
MYSQL_SETTINGS = {
    "log-replica-updates": "ON",
    "gtid-mode": "ON",
    "enforce-gtid-consistency": "ON",
    "innodb-redo-log-capacity": "64M",
    "mysqlx": "OFF",
    "secure-file-priv": "NULL",
}
SOCKET_PATH_MAX = 107
# What belongs to one server, not to a copy of its data.
IDENTITY_FILES = ("auto.cnf",)


class _Server(DatabaseServer):
    """What MariaDB and MySQL have in common.  `settings` are added to SETTINGS; None takes one out,
    True gives it no value.

    `user` has every right, `password` is generated (the folder's file `password`); `host`, `port` and `dbname` say how
    to reach it.  server_id: the port, which no other server of this machine has at the same time.
    """

    kind = version = None
    user = "admin"
    dbname = "test"
    unreachable = (pymysql.Error, OSError)

    def __init__(self, directory, name, programs, port=None, settings=None):
        super().__init__(directory, name)
        self.port = port or free_port()
        self.programs = programs
        self.settings = {**SETTINGS, **self._kind_settings(), "server-id": self.port, **(settings or {})}
        self.data = self.directory / "data"
        self.password_file = self.directory / "password"
        self.client_file = self.directory / "client.cnf"
        self.config_file = self.directory / "server.cnf"
        self.init_file = self.data / "init.sql"
        # The server's working folder is its data, so it finds a relative socket however deep that lies.
        self.socket = self.data / "server.sock"
        # Its own: a MariaDB that starts removes every "#sql*" file there, also those that another server has open.
        self.temporary = self.directory / "tmp"

    # ---- Its life ----

    def init(self):
        """Makes the data folder out of the template, unless an earlier run did."""
        if not self.password_file.exists():
            self._secret(self.password_file, secrets.token_hex(16))
        self._secret(self.client_file, f"[client]\nuser={self.user}\npassword={self.password}\nhost={self.host}\n"
                                       f"port={self.port}\nprotocol=tcp\n{self._client_options()}")
        if self.init_file.exists():
            return self
        shutil.rmtree(self.data, ignore_errors=True)
        subprocess.run(["cp", "-r", "--sparse=always", "--reflink=auto", self._template(), self.data], check=True)
        # Made last: a data folder without it is half a copy.  It runs at each start, and does nothing from the second on.
        self._secret(self.init_file, "SET SESSION sql_log_bin = 0;\n"
                                     f"CREATE USER IF NOT EXISTS {self.user}@'%' IDENTIFIED BY '{self.password}';\n"
                                     f"GRANT ALL PRIVILEGES ON *.* TO {self.user}@'%' WITH GRANT OPTION;\n"
                                     f"CREATE DATABASE IF NOT EXISTS {self.dbname};\n")
        return self

    @staticmethod
    def _secret(path, text):
        path.touch(mode=0o600)
        path.write_text(text)

    def _template(self):
        """A data folder that nobody has used, made once for each version."""
        server = self.programs.command(self.program)
        version = subprocess.run([*server, "--no-defaults", "--version"], check=True, stdout=subprocess.PIPE).stdout
        folder = places.cache() / "templates"
        folder.mkdir(parents=True, exist_ok=True)
        template = folder / f"{self.kind}-{hashlib.sha256(version + self._recipe().encode()).hexdigest()[:12]}"
        with open(folder / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not template.exists():
                made = template.with_suffix(".new")
                shutil.rmtree(made, ignore_errors=True)
                self._make_template(made)
                for name in IDENTITY_FILES:
                    (made / name).unlink(missing_ok=True)
                made.rename(template)
        return template

    def _run_once(self, arguments, text=None):
        command = [*self.programs.command(self.program), "--no-defaults", *arguments]
        done = subprocess.run(command, check=False, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise RuntimeError(f"the data of {self.name} could not be made:\n{done.stdout.decode(errors='replace')}")

    def _places(self):
        """Options that say where the programs' own files are, and under which account to run."""
        return [f"--basedir={self.programs.prefix}", f"--lc-messages-dir={self.programs.share}",
                f"--character-sets-dir={self.programs.share / 'charsets'}", f"--plugin-dir={self.programs.plugins}",
                *(["--user=root"] if os.geteuid() == 0 else [])]

    def _write_settings(self):
        lines = [f"{key}\n" if value is True else f"{key}={value}\n"
                 for key, value in self.settings.items() if value is not None]
        self.config_file.write_text("[mysqld]\n" + "".join(lines))

    def start(self, wait=True, timeout=60):
        """Starts the server, making its data first if there is none; returns when it takes connections."""
        if self.running:
            return self
        self.init()
        self._write_settings()
        self.temporary.mkdir(exist_ok=True)
        command = [*self.programs.command(self.program), f"--defaults-file={self.config_file}", *self._places(),
                   f"--datadir={self.data}", f"--port={self.port}", f"--socket={self.socket.name}",
                   f"--pid-file={self.directory / 'server.id'}", f"--init-file={self.init_file}",
                   f"--tmpdir={self.temporary}"]
        self.process = Process(command, self.log, self.pid_file, cwd=self.directory)
        if wait:
            self.wait_ready(timeout)
        return self

    def stop(self, mode="fast", timeout=60):
        """mode: "smart" and "fast" shut down in order, "immediate" leaves recovery to the next start."""
        if self.process is not None and mode == "immediate":
            self.process.kill()
        elif self.process is not None:
            self.process.stop(signal.SIGTERM, timeout)

    def set_global(self, **settings):
        """SET GLOBAL, now and for the next starts.  Names with `_`."""
        for key, value in settings.items():
            self.execute(f"SET GLOBAL {key} = %s", [value])
            self.settings[key.replace("_", "-")] = value

    # ---- Talking to it ----

    @property
    def password(self):
        return self.password_file.read_text().strip()

    def connect(self, dbname=None, autocommit=True, user=None, password=None, **more):
        """A PyMySQL connection, over TCP.  Each statement is its own transaction unless autocommit is False."""
        login = {"user": user or self.user, "password": self.password if user is None else password,
                 "host": self.host, "port": self.port, **self._tls(), **more}
        return pymysql.connect(database=dbname or self.dbname, autocommit=autocommit, charset="utf8mb4", **login)

    def execute(self, sql, parameters=None, dbname=None, **more):
        """Runs statements whose results nobody wants.  There may be several, each its own transaction."""
        with self.connect(dbname, client_flag=CLIENT.MULTI_STATEMENTS, **more) as connection, \
                connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            while cursor.nextset():
                pass

    def rows_as_dicts(self, sql, parameters=None):
        """All rows, each a dictionary by column name: SHOW statements grow columns from version to version."""
        with self.connect(cursorclass=pymysql.cursors.DictCursor) as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())

    def script(self, path, dbname=None):
        """Runs an SQL file with the server's own client, which stops at the first error."""
        with open(path, "rb") as text:
            done = subprocess.run([*self.client_command(), dbname or self.dbname], stdin=text, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise RuntimeError(f"{path} failed on {self.name}:\n{done.stdout.decode(errors='replace')}")
        return done.stdout.decode()

    def client_command(self, *names):
        """The words that run the server's own client, logged in, or another of its programs, as "mariadb-dump"."""
        return [*self.programs.command(*(names or ("mariadb", "mysql"))), f"--defaults-file={self.client_file}"]

    def createdb(self, dbname):
        """Makes a database if there is none of that name."""
        self.execute(f"CREATE DATABASE IF NOT EXISTS `{dbname}`")

    def kill_connections(self, user):
        """Ends the sessions of a user, as an administrator would."""
        for (number,) in self.query("SELECT id FROM information_schema.processlist WHERE user = %s", [user]):
            try:
                self.execute(f"KILL {number}")
            except pymysql.Error:
                pass  # it ended by itself

    # ---- The log ----

    def binlog_status(self):
        """(file, position): where the next event will be written."""
        row = self.query(self.show_status)[0]
        return row[0], int(row[1])

    def binlogs(self):
        """[(file, size)], the oldest first."""
        return [(row[0], int(row[1])) for row in self.query("SHOW BINARY LOGS")]

    def rotate(self):
        """Begins a new log file."""
        self.execute("FLUSH BINARY LOGS")

    def purge(self):
        """Removes every log file but a new, empty one.  A reader that is still in an old file keeps it: waits for it to be gone."""
        self.rotate()

        def purged():
            self.execute("PURGE BINARY LOGS TO %s", [self.binlog_status()[0]])
            return len(self.binlogs()) == 1
        wait_until(purged, 30, f"{self.name} to purge its log")

    def binlog_text(self, file=None, *options):
        """A log file (all, if not given) as the server's own tool prints it, rows as comments with their types."""
        files = [file] if file else [name for name, _ in self.binlogs()]
        command = [*self.programs.command("mariadb-binlog", "mysqlbinlog"), "--no-defaults", "-vv",
                   "--base64-output=decode-rows", *options, *[str(self.data / one) for one in files]]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise RuntimeError(f"{command} failed:\n{done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="surrogateescape")

    # ---- Replication ----

    def follow(self, primary):
        """Makes this server a replica of another of its kind, by GTID, from the beginning of what it lacks."""
        self.execute(self._follow_sql(primary))
        wait_until(self._follows, 30, f"{self.name} to follow {primary.name}")
        return self

    def _follows(self):
        (status,) = self.rows_as_dicts(self.show_replica)
        text = {key.lower().replace("slave_", "replica_"): value for key, value in status.items()}
        problem = text["last_io_error"] or text["last_sql_error"]
        if problem:
            raise RuntimeError(f"{self.name} does not follow: {problem}")
        return text["replica_io_running"] == "Yes" and text["replica_sql_running"] == "Yes"


class MariaDB(_Server):
    """version: "10.11", Debian 12's own, or "11.8", from Debian sid."""

    kind = "mariadb"
    program = "mariadbd"
    show_status = "SHOW MASTER STATUS"
    show_replica = "SHOW SLAVE STATUS"

    def __init__(self, directory, name="mariadb", version="10.11", **options):
        self.version = version
        super().__init__(directory, name, places.mariadb_programs(version), **options)

    @staticmethod
    def _kind_settings():
        return MARIADB_SETTINGS

    @staticmethod
    def _tls():
        return {"ssl_disabled": True}

    @staticmethod
    def _client_options():
        return "loose-skip-ssl\n"

    def _recipe(self):
        return "system tables, 32M log"

    def _make_template(self, folder):
        """What mariadb-install-db does, without help texts, test database and anonymous accounts."""
        folder.mkdir(parents=True)
        parts = ("system_tables", "performance_tables", "system_tables_data", "sys_schema")
        found = [next(path for path in (self.programs.share / f"{word}_{part}.sql" for word in ("mariadb", "mysql"))
                      if path.exists()) for part in parts]
        text = b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = 'root';\n"
        text += b"".join(path.read_bytes() for path in found)
        self._run_once([*self._places(), "--bootstrap", f"--datadir={folder}", f"--tmpdir={folder}", "--log-warnings=0",
                        "--innodb-log-file-size=32M", "--max-allowed-packet=8M", "--net-buffer-length=16K"], text)

    # ---- The log ----

    def gtid_position(self):
        """The last GTID of each domain in this server's log."""
        return self.value("SELECT @@global.gtid_binlog_pos")

    def reset_binlog(self):
        """Forgets the log, as if the server had never written."""
        self.execute("RESET MASTER")

    def _follow_sql(self, primary):
        return (f"CHANGE MASTER TO master_host = '{primary.host}', master_port = {primary.port}, "
                f"master_user = '{primary.user}', master_password = '{primary.password}', "
                "master_connect_retry = 1, master_use_gtid = slave_pos; START SLAVE")

    def wait_caught_up(self, primary, timeout=30):
        """Waits until this replica has all that the primary has written so far."""
        wanted = primary.gtid_position()
        reached = self.value("SELECT master_gtid_wait(%s, %s)", [wanted, timeout])
        assert reached == 0, f"{self.name} has not reached {wanted} within {timeout} s"

    def promote(self):
        """Follows nobody any more."""
        self.execute("STOP SLAVE; RESET SLAVE ALL")
        return self


class MySQL(_Server):
    """MySQL 9 from Debian sid; accounts have caching_sha2_password, so clients come with TLS (`certificate`: its CA)."""

    kind = "mysql"
    program = "mysqld"
    version = "9"
    show_status = "SHOW BINARY LOG STATUS"
    show_replica = "SHOW REPLICA STATUS"

    def __init__(self, directory, name="mysql", **options):
        super().__init__(directory, name, places.mysql_programs(), **options)

    @staticmethod
    def _kind_settings():
        return MYSQL_SETTINGS

    @property
    def certificate(self):
        """The authority that signed the server's certificate; host names are not in it."""
        return self.data / "ca.pem"

    def _tls(self):
        return {"ssl_ca": str(self.certificate)} if self.certificate.exists() else {}

    def _client_options(self):
        return f"ssl-mode=VERIFY_CA\nssl-ca={self.certificate}\n"

    def _recipe(self):
        return "initialize-insecure, 64M log"

    def _make_template(self, folder):
        self._run_once([*self._places(), f"--datadir={folder}", "--secure-file-priv=NULL", "--initialize-insecure",
                        "--innodb-redo-log-capacity=64M"])

    # ---- The log ----

    def gtid_position(self):
        """The set of all GTIDs that this server has executed."""
        return self.value("SELECT @@global.gtid_executed").replace("\n", "")

    def reset_binlog(self):
        """Forgets the log, as if the server had never written."""
        self.execute("RESET BINARY LOGS AND GTIDS")

    def _follow_sql(self, primary):
        return (f"CHANGE REPLICATION SOURCE TO source_host = '{primary.host}', source_port = {primary.port}, "
                f"source_user = '{primary.user}', source_password = '{primary.password}', source_ssl = 1, "
                "source_connect_retry = 1, source_auto_position = 1; START REPLICA")

    def wait_caught_up(self, primary, timeout=30):
        """Waits until this replica has all that the primary has written so far."""
        wanted = primary.gtid_position()
        late = self.value("SELECT wait_for_executed_gtid_set(%s, %s)", [wanted, timeout])
        assert late == 0, f"{self.name} has not reached {wanted} within {timeout} s"

    def promote(self):
        """Follows nobody any more."""
        self.execute("STOP REPLICA; RESET REPLICA ALL")
        return self


def agent_server_id(name):
    """As which replica an agent of this name shows itself: above all ports, which are the servers' own."""
    return 1_000_000 + zlib.crc32(name.encode()) % 1_000_000_000
