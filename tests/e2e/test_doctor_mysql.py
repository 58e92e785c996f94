"""`tailrace doctor` for MySQL and MariaDB: a healthy line is all ok; each fault gives its own line, with what mends it. Least rights."""
import re

import pytest

from harness import free_port
from e2e.test_doctor import Report
from telecom.pair import APPLY_PASSWORD, CAPTURE_PASSWORD

KINDS = ["mariadb", "mysql"]


class Patient:
    """Two tables at both ends, a role for each agent; a file for each agent."""

    def __init__(self, pair):
        self.pair, self.name = pair, pair.dbname
        pair.both("CREATE TABLE c (id integer PRIMARY KEY, note varchar(20) NOT NULL)")
        pair.both("CREATE TABLE d (a integer, b varchar(20), PRIMARY KEY (a, b))")
        pair.prepare()

    def capture(self, **more):
        return self.examine(self.pair.capture_config(**more))

    def apply(self, **more):
        return self.examine(self.pair.apply_config(**more))

    def examine(self, config):
        path = self.pair.stack.directory / "patient.conf"
        path.write_text(config)
        path.chmod(0o600)
        report = Report(path)
        assert CAPTURE_PASSWORD not in report.output and APPLY_PASSWORD not in report.output
        return report

    def run(self):
        self.pair.start_capture()
        self.pair.start_apply()
        self.pair.at_source("INSERT INTO c VALUES (1, 'one')")
        self.pair.at_source("INSERT INTO d VALUES (1, 'one')")
        self.pair.drain()
        return self


@pytest.fixture(params=KINDS)
def patient(request, make_pair):
    return Patient(make_pair(request.param, request.param, ["c", "d"]))


@pytest.fixture
def maria(make_pair):
    return Patient(make_pair("mariadb", "mariadb", ["c", "d"]))


def account(name):
    return f"'{name}'@'%'"


# ---- Healthy ----

def test_before_the_first_start(patient):
    patient.capture().healthy().says("no topic of prefix").says("3 tables to capture are InnoDB's").says("may read the binlog")
    report = patient.apply()
    report.only("WARN", f'kafka: no capture agent has made the topics of prefix "{patient.name}" yet', "start tailrace-capture")
    report.says("3 tables are there with their grants")


def test_a_running_line_is_all_ok(patient):
    patient.run()
    patient.capture().healthy().says("Kafka has the log").says("all 3 tables to capture have a primary key")
    patient.apply().healthy().says("3 tables take every column of their newest event").says("has applied up to transaction")


# ---- The source ----

def test_no_server_or_password(patient):
    port = free_port()
    (finding,) = patient.capture(database_settings={"port": port}).remedied("start the server").bad()
    assert finding[1].startswith(f"source: no connection to the server at 127.0.0.1:{port}: ")
    (finding,) = patient.capture(database_settings={"password": "wrong-canary"}).remedied("correct database.user and database.password").bad()
    assert finding[1].startswith("source: no connection to the server at") and "wrong-canary" not in finding[1]


def test_the_other_kind_of_server(maria):
    maria.capture(database_settings={"type": "mysql"}).remedied('set database.type = "mariadb"').says(
        'source: the server is MariaDB 10.11.').says('but database.type is "mysql"')


def test_grants_of_the_source(patient):
    user, source = patient.pair.capture_user, patient.pair.source
    client = "BINLOG MONITOR" if source.kind == "mariadb" else "REPLICATION CLIENT"
    source.execute(f"REVOKE REPLICATION SLAVE, REPLICATION CLIENT ON *.* FROM {user}@'%'")
    report = patient.capture()
    report.only("FAIL", f"source: {account(user)} lacks REPLICATION SLAVE and {client}")
    source.execute(report.bad()[0][2])
    patient.capture().healthy()
    source.execute(f"REVOKE SELECT ON {patient.name}.d FROM {user}@'%'")
    report = patient.capture()
    report.only("FAIL", f"source: table {patient.name}.d of table_include_list does not exist, or {account(user)} may not read it")
    source.execute(report.bad()[0][2].split(";")[0])
    patient.capture().healthy()


def test_settings_of_the_log(patient):
    source = patient.pair.source
    for name, value, level, words in (
            ("binlog_format", "STATEMENT", "FAIL", "it must be ROW: a change that is logged as a statement stops the agent"),
            ("binlog_row_image", "MINIMAL", "WARN", "events lack the columns that a statement did not change"),
            ("binlog_row_metadata", "MINIMAL", "WARN", "the log has no names of columns")):
        before = source.value(f"SELECT @@global.{name}")
        source.execute(f"SET GLOBAL {name} = '{value}'")
        try:
            report = patient.capture()
            (finding,) = report.bad()
            assert finding[0] == level and finding[1].startswith(f"source: {name} is {value}") and words in finding[1], report.output
            source.execute(finding[2].split(",")[0])
            patient.capture().healthy()
        finally:
            source.execute(f"SET GLOBAL {name} = '{before}'")


def test_retention(patient):
    source = patient.pair.source
    source.execute("SET GLOBAL binlog_expire_logs_seconds = 3600")
    try:
        patient.capture().only("WARN", "source: the server keeps its binlog for 3600 s only: an agent that stands still for longer has lost "
                               "its place", "SET GLOBAL binlog_expire_logs_seconds = '604800'")
    finally:
        source.execute("SET GLOBAL binlog_expire_logs_seconds = 2592000")


def test_xa(maria):
    """The server is shared with other tests, so it may have seen branches before."""
    source = maria.pair.source
    with source.connect(maria.name) as session, session.cursor() as cursor:
        for statement in ("XA START 'x'", "INSERT INTO c VALUES (1, 'x')", "XA END 'x'", "XA PREPARE 'x'"):
            cursor.execute(statement)
        report = maria.capture().says("source: XA is in use, and MariaDB 10.11.").says("capture gives its rows once")
        report.only("WARN", "source: 1 XA branches are prepared now: an agent that starts for the first time does not know their rows, and stops "
                    "when one of them is committed",
                    "before an agent's first start, XA COMMIT or XA ROLLBACK what XA RECOVER lists; an agent that ran before knows them")
        cursor.execute("XA COMMIT 'x'")
    maria.capture().healthy().says("source: XA is in use")


def test_server_id_of_the_server_itself(patient):
    number = patient.pair.source.port
    given, times = re.subn(r"server_id = \d+", f"server_id = {number}", patient.pair.capture_config())
    assert times == 1
    patient.examine(given).remedied("set database.server_id in").says(
        f"source: database.server_id is {number}, which is the server's own")


def test_tables_that_are_hard_to_capture(patient):
    pair, name = patient.pair, patient.name
    pair.at_source("CREATE TABLE e (x integer)")
    pair.at_source("CREATE TABLE f (id integer PRIMARY KEY) ENGINE = MyISAM")
    pair.at_source("CREATE TABLE g (id integer PRIMARY KEY, c integer, CONSTRAINT to_c FOREIGN KEY (c) REFERENCES c (id) ON DELETE CASCADE)")
    pair.at_source("".join(f"GRANT SELECT ON {name}.{table} TO {pair.capture_user}@'%';" for table in "efg"))
    report = patient.capture(tables=[f"{name}.*"])
    found = [one[:2] for one in report.bad()]
    assert ("WARN", f"source: table {name}.e has no primary key: each update and delete at the target looks for its row by all columns") in found
    assert any(text.startswith(f"source: table {name}.f is of engine MyISAM, which knows no transactions") for _, text in found)
    cascades = [text for _, text in found if "by a cascade (to_c)" in text]
    assert len(cascades) == (1 if pair.source.kind == "mariadb" else 0), report.output
    assert len(found) == 2 + len(cascades) and report.code == 0
    report.remedied("ENGINE = InnoDB", f"ALTER TABLE `{name}`.`e` ADD PRIMARY KEY (...)")


@pytest.mark.parametrize("kind", [*KINDS, "mariadb-11.8"])
def test_generated_columns(make_pair, kind):
    patient = Patient(make_pair(kind, "mariadb", ["c", "d"]))
    pair = patient.pair
    pair.at_source("ALTER TABLE c ADD COLUMN made integer AS (id * 2) STORED, ADD COLUMN seen integer AS (id + 1) VIRTUAL")
    if kind != "mysql":
        pair.at_source("ALTER TABLE d ADD COLUMN since timestamp(6) GENERATED ALWAYS AS ROW START INVISIBLE, "
                       "ADD COLUMN until timestamp(6) GENERATED ALWAYS AS ROW END INVISIBLE, ADD PERIOD FOR SYSTEM_TIME (since, until), "
                       "ADD SYSTEM VERSIONING")
    if kind == "mariadb-11.8":
        patient.capture().only("WARN", f"source: table {patient.name}.c is captured without its generated columns (made, seen): "
                               f"MariaDB {pair.source.value('SELECT VERSION()').partition('-')[0]} does not log what becomes of them in an update",
                               "let the target's table generate them too")
        return
    patient.capture().healthy()
    pair.source.execute("SET GLOBAL binlog_row_image = MINIMAL")
    try:
        found = [text for _, text, _ in patient.capture().bad() if "columns (seen)" in text]
        assert len(found) == (1 if kind == "mariadb" else 0), found
    finally:
        pair.source.execute("SET GLOBAL binlog_row_image = FULL")


def test_tables_that_do_not_exist(patient):
    patient.capture(tables=[f"{patient.name}.c", f"{patient.name}.nothing", "other.*"]).says(
        f"source: table {patient.name}.nothing of table_include_list does not exist, or").says("matches other.* of table_include_list")


# ---- The target ----

def test_target_table_missing(patient):
    patient.pair.at_target("DROP TABLE d")
    report = patient.apply()
    report.says(f"target: table {patient.name}.d, where {patient.name}.d goes, is missing").remedied(f"CREATE TABLE `{patient.name}`.`d`")
    assert report.code == 1


def test_target_unlike_the_newest_event(patient):
    patient.run()
    pair, name = patient.pair, patient.name
    pair.at_target("ALTER TABLE c MODIFY note varchar(10) NOT NULL")
    patient.apply().remedied("let the target's column be").says(f"target: column note of target table {name}.c is varchar(10), which does not hold")
    pair.at_target("ALTER TABLE c MODIFY note varchar(20) NOT NULL")
    pair.at_target("ALTER TABLE d DROP PRIMARY KEY")
    patient.apply().remedied("add a primary key").says(f"target: target table {name}.d has no unique index over exactly the key of {name}.d")
    pair.at_target("ALTER TABLE d ADD PRIMARY KEY (a, b)")
    pair.at_target("ALTER TABLE c ENGINE = MyISAM")
    patient.apply().remedied("ENGINE=InnoDB").says("of engine MyISAM, which has no transactions")


def test_target_grants(patient):
    pair = patient.pair
    pair.target.execute(f"REVOKE INSERT, DELETE ON {patient.name}.c FROM {pair.apply_user}@'%'")
    report = patient.apply()
    assert report.code == 1
    report.says(f"target: {account(pair.apply_user)} lacks INSERT, DELETE on table {patient.name}.c")
    pair.target.execute(next(one[2] for one in report.bad() if "lacks" in one[1]))
    assert patient.apply().code == 0


def test_position_table(patient):
    pair = patient.pair
    pair.target.execute("DROP DATABASE IF EXISTS tailrace")  # the session's other tests are done with it
    patient.apply().says("the position table tailrace.position is missing; the agent will create it at its first start")
    pair.target.execute(f"REVOKE ALL ON tailrace.* FROM {pair.apply_user}@'%'")
    report = patient.apply()
    report.says(f"the position table tailrace.position is missing, and {account(pair.apply_user)} may not create it")
    pair.target.execute(next(one[2] for one in report.bad() if "position table" in one[1]))
    patient.apply().says("the agent will create it at its first start")
    patient.run()
    pair.apply.stop()
    pair.target.execute(f"REVOKE ALL ON tailrace.* FROM {pair.apply_user}@'%'; GRANT SELECT ON tailrace.position TO {pair.apply_user}@'%'")
    report = patient.apply()
    report.says(f"target: {account(pair.apply_user)} may not write the position table tailrace.position")
    pair.target.execute(next(one[2] for one in report.bad() if "position table" in one[1]))
    patient.apply().says("has applied up to transaction")


def test_read_only_and_small_packets(patient):
    target = patient.pair.target
    before = target.value("SELECT @@global.max_allowed_packet")
    target.execute("SET GLOBAL read_only = ON; SET GLOBAL max_allowed_packet = 1048576")
    try:
        patient.apply().says("target: read_only is ").says("target: max_allowed_packet is 1.0 MiB: a larger row stops the agent").remedied(
            "SET GLOBAL read_only = OFF", "SET GLOBAL max_allowed_packet")
    finally:
        target.execute(f"SET GLOBAL read_only = OFF; SET GLOBAL max_allowed_packet = {before}")
