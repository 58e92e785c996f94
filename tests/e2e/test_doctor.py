"""`tailrace doctor`: a healthy line is all ok; each fault gives its own line, with what mends it. The roles have the least rights."""
import json
import subprocess

import pytest

from harness import free_port
from harness.places import find_agent

PASSWORD = "doctor-Pa55word-canary"


class Patient:
    """Two tables at both ends, a role for each agent, a publication and a slot; a file for each agent."""

    def __init__(self, pipe):
        self.pipe, self.name = pipe, pipe.dbname
        self.reader, self.writer = f"{self.name}_reader", f"{self.name}_writer"
        pipe.both("CREATE TABLE c (id integer PRIMARY KEY, note text NOT NULL);"
                  " CREATE TABLE d (a integer, b text, PRIMARY KEY (a, b))")
        pipe.at_source(f"CREATE ROLE {self.reader} LOGIN REPLICATION PASSWORD '{PASSWORD}';"
                       f" GRANT SELECT ON c, d TO {self.reader};"
                       f" CREATE PUBLICATION {self.name} FOR TABLE c, d")
        pipe.at_source(f"SELECT pg_create_logical_replication_slot('slot_{self.name}', 'pgoutput')")
        pipe.at_target(f"CREATE ROLE {self.writer} LOGIN PASSWORD '{PASSWORD}';"
                       f" GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON c, d TO {self.writer};"
                       f" CREATE SCHEMA tailrace AUTHORIZATION {self.writer}")

    def capture_settings(self, **more):
        return {"user": self.reader, "password": PASSWORD, "tables": ["public.c", "public.d"], "slot_create": False,
                "publication_name": self.name, "publication_create": "disabled", **more}

    def apply_settings(self, **more):
        return {"user": self.writer, "password": PASSWORD, "include": ["public.c", "public.d"], **more}

    def run(self):
        """Both agents, until the target has a row of each table."""
        self.pipe.start(self.capture_settings(), self.apply_settings())
        self.pipe.at_source("INSERT INTO c VALUES (1, 'one'); INSERT INTO d VALUES (1, 'one')")
        for table in "cd":
            self.pipe.wait_equal(table)
        return self

    def capture(self, **more):
        return self.examine(self.pipe.capture_config(**self.capture_settings(**more)))

    def apply(self, **more):
        return self.examine(self.pipe.apply_config(**self.apply_settings(**more)))

    def examine(self, config, mode=0o600):
        path = self.pipe.stack.directory / "patient.conf"
        path.write_text(config)
        path.chmod(mode)
        return Report(path)


class Report:
    """What doctor said: (level, text, remedy) each."""

    def __init__(self, path):
        done = doctor(path)
        self.code, self.output, self.path = done.returncode, done.stdout + done.stderr, path
        assert PASSWORD not in self.output
        self.findings = []
        *lines, self.summary = done.stdout.splitlines()
        for line in lines:
            if line.startswith("      remedy: "):
                self.findings[-1] += (line.removeprefix("      remedy: "),)
            else:
                level, text = line.split(" ", 1)
                self.findings.append((level, text.strip()))

    def bad(self):
        return [one for one in self.findings if one[0] != "ok"]

    def healthy(self):
        assert self.bad() == [] and self.code == 0, self.output
        return self

    def only(self, level, text, *remedy):
        """One finding that is not ok, exactly this; the remedy has each of the words."""
        assert [one[:2] for one in self.bad()] == [(level, text)], self.output
        assert self.code == (1 if level == "FAIL" else 0), self.output
        return self.remedied(*remedy)

    def remedied(self, *remedy):
        for one in self.bad():
            assert len(one) == 3, self.output
        for word in remedy:
            assert any(word in one[2] for one in self.bad()), self.output
        return self

    def says(self, words):
        assert any(words in one[1] for one in self.findings), self.output
        return self


def doctor(*arguments):
    return subprocess.run([find_agent("tailrace"), "doctor", *map(str, arguments)], capture_output=True, text=True,
                          check=False)


@pytest.fixture
def patient(pipe):
    return Patient(pipe)


# ---- Healthy ----

def test_before_the_first_start(patient):
    patient.capture().healthy().says("no topic of prefix")
    report = patient.apply()
    report.only("WARN", f'kafka: no capture agent has made the topics of prefix "{patient.name}" yet',
                "start tailrace-capture")
    report.says("2 tables are there with their grants")
    assert patient.pipe.kafka.topics().keys() & {f"{patient.name}.transaction", f"{patient.name}.position"} == set()


def test_a_running_line_is_all_ok(patient):
    patient.run()
    report = patient.capture().healthy()
    report.says("replication slot and Kafka continue each other").says("in use by process")
    report = patient.apply().healthy()
    report.says("2 tables take every column of their newest event").says("has applied up to transaction").says("is running")


def test_json_has_the_same_findings(patient):
    path = patient.apply(include=["public.c", "public.nothing"]).path
    answer = json.loads(doctor("--json", path).stdout)
    assert [one["file"] for one in answer] == [str(path)]
    missing = [one for one in answer[0]["findings"] if one["level"] == "fail"]
    assert [one["check"] for one in missing] == ["tables"]
    assert "public.nothing" in missing[0]["text"] and "pg_dump" in missing[0]["remedy"]


def test_usage_and_configuration(patient):
    assert doctor().returncode == 64
    assert doctor("--nonsense", "x").returncode == 64
    report = patient.examine('name = "x";\nslot_nme = "y";\n')
    assert report.code == 78 and report.findings[0][0] == "FAIL", report.output
    assert doctor(patient.pipe.stack.directory / "nothing.conf").returncode == 78


def test_a_password_that_everybody_can_read(patient):
    config = patient.pipe.capture_config(**patient.capture_settings())
    report = patient.examine(config, mode=0o644)
    report.only("WARN", f"configuration: {report.path} holds a password and every user of this machine may read it",
                f"chmod o-rwx {report.path}")
    secret = patient.pipe.stack.directory / "secret"
    secret.write_text(PASSWORD)
    patient.examine(config.replace(f'"{PASSWORD}"', f'"${{file:{secret}}}"'), mode=0o644).healthy()


# ---- The source ----

def test_no_server(patient):
    port = free_port()
    report = patient.capture(database_settings={"port": port})
    (finding,) = report.bad()
    assert finding[0] == "FAIL" and finding[1].startswith(
        f'source: no connection to database "{patient.name}" at 127.0.0.1:{port}: '), report.output
    report.remedied(f"pg_isready -h 127.0.0.1 -p {port}").says("kafka: ")
    assert report.code == 1


def test_wrong_password(patient):
    report = patient.capture(password="wrong-canary")
    report.only("FAIL", f'source: no connection to database "{patient.name}" at 127.0.0.1:{patient.pipe.source.port}: '
                f'password authentication failed for user "{patient.reader}"', "correct database.user and database.password")
    assert "wrong-canary" not in report.output


def test_no_database(patient):
    report = patient.capture(database_settings={"dbname": "nowhere"})
    report.only("FAIL", f'source: no connection to database "nowhere" at 127.0.0.1:{patient.pipe.source.port}: '
                'database "nowhere" does not exist', "correct database.dbname")


def test_wal_level(patient):
    server = patient.pipe.stack.postgres("replica", settings={"wal_level": "replica"})
    patient.pipe.stack.start(server)
    server.execute("CREATE TABLE c (id integer PRIMARY KEY); CREATE PUBLICATION p FOR TABLE c")
    config = patient.pipe.capture_config(**patient.capture_settings(
        tables=["public.c"], slot_create=True, publication_name="p", user=None, password=None,
        database_settings={"port": server.port, "user": server.user, "password": server.password, "dbname": "postgres"}))
    patient.examine(config).only("FAIL", "source: wal_level is replica, it must be logical",
                                 "ALTER SYSTEM SET wal_level = 'logical'; then restart the server")


def test_role_without_replication(patient):
    patient.pipe.at_source(f"ALTER ROLE {patient.reader} NOREPLICATION")
    patient.capture().only("FAIL", f'source: role "{patient.reader}" does not have REPLICATION',
                           f'ALTER ROLE "{patient.reader}" REPLICATION')


def test_publication_missing(patient):
    patient.pipe.at_source(f"DROP PUBLICATION {patient.name}")
    report = patient.capture()
    report.only("FAIL", f'source: publication "{patient.name}" does not exist in database "{patient.name}"')
    patient.pipe.at_source(report.bad()[0][2])
    patient.capture().healthy()
    patient.pipe.at_source(f"DROP PUBLICATION {patient.name}")
    patient.capture(publication_create="filtered").remedied(f'GRANT CREATE ON DATABASE "{patient.name}"')


def test_publication_of_some_operations(patient):
    patient.pipe.at_source(f"ALTER PUBLICATION {patient.name} SET (publish = 'insert, update')")
    report = patient.capture()
    report.only("FAIL", f'source: publication "{patient.name}" does not publish delete, truncate')
    patient.pipe.at_source(report.bad()[0][2])
    patient.capture().healthy()


def test_table_not_published(patient):
    patient.pipe.at_source(f"ALTER PUBLICATION {patient.name} DROP TABLE d")
    report = patient.capture()
    report.only("FAIL", f'source: table public.d is not in publication "{patient.name}"')
    patient.capture(tables=["public.*"]).only(
        "WARN", f'source: table public.d matches table_include_list, but is not in publication "{patient.name}" and will '
        "not be captured")
    patient.pipe.at_source(report.bad()[0][2])
    patient.capture().healthy()


def test_table_does_not_exist(patient):
    patient.capture(tables=["public.c", "public.nothing", "other.*"]).remedied("psql -c '\\dt public.*'").says(
        f'table public.nothing of table_include_list does not exist in database "{patient.name}"').says(
        "matches other.* of table_include_list")


def test_table_without_identity(patient):
    patient.pipe.at_source(f"CREATE TABLE e (x integer); GRANT SELECT ON e TO {patient.reader};"
                           f" ALTER PUBLICATION {patient.name} ADD TABLE e")
    report = patient.capture(tables=["public.c", "public.e"])
    report.only("FAIL", "source: table public.e has no replica identity: once it is published, PostgreSQL refuses its "
                "updates and deletes", 'ALTER TABLE "public"."e" REPLICA IDENTITY FULL')
    patient.pipe.at_source("ALTER TABLE e REPLICA IDENTITY FULL")
    report = patient.capture(tables=["public.c", "public.e"])
    assert report.code == 0
    report.remedied('ALTER TABLE "public"."e" ADD PRIMARY KEY').says("REPLICA IDENTITY FULL and no primary key")


def test_unlogged_table(patient):
    patient.pipe.at_source("CREATE UNLOGGED TABLE u (id integer PRIMARY KEY)")
    patient.capture(tables=["public.*"]).only(
        "FAIL", "source: table public.u is unlogged: its changes are in no log and cannot be captured",
        'ALTER TABLE "public"."u" SET LOGGED')


def test_table_that_cannot_be_read(patient):
    patient.pipe.at_source(f"REVOKE SELECT ON d FROM {patient.reader}")
    report = patient.capture()
    report.only("WARN", f'source: role "{patient.reader}" may not read table public.d: streaming does not need it, a '
                "snapshot of its rows does")
    patient.pipe.at_source(report.bad()[0][2])
    patient.capture().healthy()


def test_slot_missing(patient):
    patient.pipe.at_source(f"SELECT pg_drop_replication_slot('slot_{patient.name}')")
    patient.capture(slot_create=True).healthy().says("the agent will create it at its first start")
    patient.capture().only("FAIL", f'source: replication slot "slot_{patient.name}" does not exist',
                           f"SELECT pg_create_logical_replication_slot('slot_{patient.name}', 'pgoutput')")


def test_slot_of_another_kind(patient):
    patient.pipe.at_source(f"SELECT pg_drop_replication_slot('slot_{patient.name}');"
                           f" SELECT pg_create_logical_replication_slot('slot_{patient.name}', 'test_decoding')")
    patient.capture().remedied("name another slot").says('with plugin "test_decoding"')


def test_slot_dropped_or_moved_after_a_run(patient):
    patient.run()
    patient.pipe.capture.stop()
    slot = f"slot_{patient.name}"
    patient.pipe.at_source("INSERT INTO c VALUES (2, 'two')")
    patient.pipe.at_source(f"SELECT pg_replication_slot_advance('{slot}', pg_current_wal_lsn())")
    patient.capture().remedied("start anew with another topic_prefix").says("but Kafka has the log only up to")
    patient.pipe.source.execute(f"SELECT pg_drop_replication_slot('{slot}')")
    patient.capture(slot_create=True).remedied("start anew with another topic_prefix").says("is not there to go on from")


# ---- Kafka ----

def test_kafka_down(patient):
    port = free_port()
    pipe = patient.pipe
    for name, config in (("source", pipe.capture_config(**patient.capture_settings())),
                         ("target", pipe.apply_config(**patient.apply_settings()))):
        report = patient.examine(config.replace(pipe.kafka.bootstrap_servers, f"127.0.0.1:{port}"))
        (finding,) = report.bad()
        assert finding[0] == "FAIL" and finding[1].startswith(f"kafka: no answer from 127.0.0.1:{port}: "), report.output
        report.remedied("start the brokers, or correct kafka.bootstrap_servers").says(f"{name}: connected to")
        assert report.code == 1


def test_partitions(patient):
    patient.run()
    patient.capture(partitions=4).remedied("set kafka.partitions = 1").says(
        f'topic "{patient.name}.public.c" has 1 partitions, kafka.partitions is 4')


# ---- The target ----

def test_target_table_missing(patient):
    patient.pipe.at_target("DROP TABLE d")
    report = patient.apply()
    assert report.code == 1
    report.remedied("pg_dump --schema-only --table=public.d").says("target: table public.d, where public.d goes, is missing")
    report = patient.apply(tables=[{"source": "public.c", "target": "crm.customer"}])
    report.says("target: table crm.customer, where public.c goes, is missing")


def test_target_unlike_the_newest_event(patient):
    patient.run()
    patient.pipe.at_target("ALTER TABLE c DROP COLUMN note")
    report = patient.apply()
    report.only("FAIL", "target: table public.c has no column note, where note of public.c goes")
    patient.pipe.at_target(report.bad()[0][2].split(";")[0])
    patient.apply().healthy()
    patient.pipe.at_target("ALTER TABLE d DROP CONSTRAINT d_pkey")
    report = patient.apply()
    report.only("FAIL", 'target: table public.d has no unique index over exactly the key ("a", "b"): its rows could not be '
                "found again")
    patient.pipe.at_target(report.bad()[0][2])
    patient.apply().healthy()
    patient.pipe.at_target("ALTER TABLE c ALTER note TYPE varchar(2) USING NULL")
    patient.apply().remedied("give the target's column the source's type").says("does not hold every value")
    patient.pipe.at_target("DROP TABLE d")
    report = patient.apply(include=["public.d"])
    report.only("FAIL", "target: table public.d, where public.d goes, is missing")
    patient.pipe.at_target(report.bad()[0][2])
    patient.pipe.at_target(f"GRANT ALL ON d TO {patient.writer}")
    patient.apply(include=["public.d"]).healthy()


def test_target_mapping(patient):
    patient.run()
    patient.apply(tables=[{"source": "public.c", "column_rename": ["nte=text"]}]).remedied("correct `tables`").says(
        'column_rename names column "nte"')
    patient.apply(include=["public.c"], tables=[{"source": "public.d"}]).remedied("correct table_include_list")
    assert patient.apply(tables=[{"source": "public.c", "column_rename": ["note"]}]).code == 78


def test_target_grants(patient):
    patient.pipe.at_target(f"REVOKE INSERT, DELETE ON c FROM {patient.writer}; REVOKE TRUNCATE ON d FROM {patient.writer}")
    report = patient.apply()
    assert report.code == 1
    report.says(f'target: role "{patient.writer}" lacks INSERT, DELETE on table public.c').says(
        f'target: role "{patient.writer}" lacks TRUNCATE on table public.d')
    for finding in report.bad():
        if "lacks" in finding[1]:
            patient.pipe.at_target(finding[2])
    assert patient.apply().code == 0


def test_position_table(patient):
    patient.apply().says("the position table tailrace.position is missing; the agent will create it")
    patient.pipe.at_target("DROP SCHEMA tailrace")
    report = patient.apply()
    report.says(f'the position table tailrace.position is missing, and role "{patient.writer}" may not create it')
    remedy = next(one[2] for one in report.bad() if "position table" in one[1])
    patient.pipe.at_target(remedy)
    patient.apply().says("nothing is applied by")
    patient.pipe.at_target(f"REVOKE UPDATE ON tailrace.position FROM {patient.writer}")
    patient.apply().remedied("GRANT SELECT, INSERT, UPDATE ON tailrace.position").says("may not write the position table")


def test_read_only_target(patient):
    patient.pipe.at_target(f"ALTER ROLE {patient.writer} IN DATABASE {patient.name} SET default_transaction_read_only = on")
    report = patient.apply()
    report.says("target: default_transaction_read_only is on")
    patient.pipe.at_target(next(one[2] for one in report.bad() if "read_only" in one[1]))
    assert patient.apply().code == 0
