"""Clear errors: one line that says what is wrong, where, and what to do; the right exit code; no secret anywhere."""
import subprocess

import pytest

from harness import Stack, free_port, wait_until
from harness.places import find_agent


def ends_with(agent, code, *words, timeout=15):
    """The agent ends with this exit code, and its last line has all the words."""
    agent.start()
    assert agent.wait_end(timeout) == code, agent.log_text()
    line = [one for one in agent.log_text().splitlines() if "ERROR" in one or "tailrace-" in one][-1]
    for word in words:
        assert word in line, line


def retries_with(agent, *words):
    agent.start()
    status = agent.wait_state("retrying", timeout=30)
    for word in words:
        assert word in status["error"]["text"] + status["error"]["hint"], status["error"]


def test_no_source_server(pipe):
    pipe.make_capture(database_settings={"port": free_port()})
    retries_with(pipe.capture, "could not connect", "refused")


def test_no_kafka(pipe):
    pipe.make_capture(kafka_settings={"bootstrap_servers": f"127.0.0.1:{free_port()}"})
    retries_with(pipe.capture, "could not reach Kafka")


def test_wrong_password(pipe):
    pipe.make_capture(password="wrong-canary")
    ends_with(pipe.capture, 78, "password authentication failed")
    assert "wrong-canary" not in pipe.capture.log_text()
    pipe.make_apply(password="wrong-canary")
    ends_with(pipe.apply, 78, "password authentication failed")
    assert "wrong-canary" not in pipe.apply.log_text()


def test_no_such_publication(pipe):
    pipe.make_capture(publication_create="disabled", publication_name="nothing")
    ends_with(pipe.capture, 78, 'publication "nothing"', "publication_create")


def test_no_slot_and_not_asked_to_make_one(pipe):
    pipe.at_source("CREATE TABLE c (id integer PRIMARY KEY); CREATE PUBLICATION p FOR TABLE c")
    pipe.make_capture(slot_create=False, publication_create="disabled")
    ends_with(pipe.capture, 78, f'slot "slot_{pipe.dbname}"', "slot_create")


def test_table_without_identity(pipe):
    pipe.at_source("CREATE TABLE c (id integer)")
    pipe.make_capture()
    ends_with(pipe.capture, 78, "public.c", "REPLICA IDENTITY FULL")


def test_wal_level_not_logical(pipe, tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("replica")) as stack:
        server = stack.postgres("server", settings={"wal_level": "replica"})
        stack.start(server)
        pipe.make_capture(database_settings={"port": server.port, "dbname": "postgres", "password": server.password})
        ends_with(pipe.capture, 78, "wal_level", "logical")


def wait_until_in_kafka(pipe):
    """Apply looks at what is there when it starts; a shape that comes later is met in mid-stream, which is a state."""
    pipe.capture.wait_status(lambda status: status["totals"]["rows"] == 1 and status["lag"]["bytes"] == 0)


def test_target_table_missing(pipe):
    pipe.at_source("CREATE TABLE c (id integer PRIMARY KEY)")
    pipe.make_capture().start()
    pipe.capture.wait_state("streaming")
    pipe.at_source("INSERT INTO c VALUES (1)")
    wait_until_in_kafka(pipe)
    pipe.make_apply()
    ends_with(pipe.apply, 78, "public.c")


def test_target_column_missing(pipe):
    pipe.at_source("CREATE TABLE c (id integer PRIMARY KEY, v text)")
    pipe.at_target("CREATE TABLE c (id integer PRIMARY KEY)")
    pipe.make_capture().start()
    pipe.capture.wait_state("streaming")
    pipe.at_source("INSERT INTO c VALUES (1, 'a')")
    wait_until_in_kafka(pipe)
    pipe.make_apply()
    ends_with(pipe.apply, 78, "public.c", 'column "v"', "hint: add the column")


def test_a_column_dropped_under_a_running_agent_is_a_state(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY, v text)")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1, 'a')")
    pipe.wait_equal("c")
    pipe.at_target("ALTER TABLE c DROP COLUMN v")
    pipe.at_source("INSERT INTO c VALUES (2, 'b')")
    status = pipe.apply.wait_state("failed", timeout=30)
    assert status["error"]["class"] == "config", status["error"]
    assert "public.c" in status["error"]["text"] and 'column "v"' in status["error"]["text"], status["error"]
    assert "add" in status["error"]["hint"], status["error"]
    pipe.apply.post("/v1/resume")  # too early: it looks, and is as before
    wait_until(lambda: pipe.apply.log_text().count("waiting for resume") == 2, 10, "a second try")
    pipe.apply.wait_state("failed")
    pipe.at_target("ALTER TABLE c ADD COLUMN v text; UPDATE c SET v = 'a'")
    pipe.apply.post("/v1/resume")
    pipe.wait_equal("c")


def test_a_table_missing_at_the_target_in_mid_stream_is_a_state(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY)")
    pipe.at_source("CREATE TABLE d (id integer PRIMARY KEY)")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1)")
    pipe.wait_equal("c")
    pipe.at_source("INSERT INTO d VALUES (1)")
    status = pipe.apply.wait_state("failed", timeout=30)
    assert status["error"]["class"] == "config" and "public.d" in status["error"]["text"], status["error"]
    pipe.at_target("CREATE TABLE d (id integer PRIMARY KEY)")
    pipe.apply.post("/v1/resume")
    pipe.wait_equal("d")


def test_a_row_the_target_refuses_stops_apply_and_resume_goes_on(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY, v text)")
    pipe.start()
    pipe.at_target("INSERT INTO c VALUES (2, 'in the way')")
    pipe.at_source("BEGIN; INSERT INTO c VALUES (1, 'a'); INSERT INTO c VALUES (2, 'b'); COMMIT")
    status = pipe.apply.wait_state("failed", timeout=30)
    text = status["error"]["text"]
    for word in ("public.c", "id=2", "event 2 of transaction", "duplicate key"):
        assert word in text, text
    assert pipe.rows(pipe.target, "c") == [("(2,\"in the way\")",)]
    pipe.at_target("DELETE FROM c")
    pipe.apply.post("/v1/resume")
    pipe.wait_equal("c")


def test_a_row_edited_away_at_the_target_stops_apply(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY, v text)")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1, 'a')")
    pipe.wait_equal("c")
    pipe.at_target("DELETE FROM c")
    pipe.at_source("UPDATE c SET v = 'b'")
    text = pipe.apply.wait_state("failed", timeout=30)["error"]["text"]
    assert "id=1" in text and "no row" in text, text


BROKEN = [
    ('slot_nme = "x";', ":", 'unknown option "slot_nme"', 'did you mean "slot_name"'),
    ("heartbeat_interval = 5;", "heartbeat_interval"),
    ('heartbeat_interval = "5 parsecs";', "heartbeat_interval"),
    ('name = "again";', "name"),
    ("broken = = 1;", "syntax error"),
    ('log_level = "loud";', "log_level"),
    ('table_include_list = ["${env:NOT_SET_ANYWHERE}"];', "NOT_SET_ANYWHERE"),
]


@pytest.mark.parametrize("line,words", [(b[0], b[1:]) for b in BROKEN], ids=[b[0][:20] for b in BROKEN])
def test_broken_configuration(pipe, tmp_path, line, words):
    path = tmp_path / "broken.conf"
    good = pipe.capture_config(heartbeat_interval=None, log_level=None)
    path.write_text(good + line + "\n")
    done = subprocess.run([find_agent("tailrace-capture"), "-c", path, "--check"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 78, done
    for word in words:
        assert word in done.stderr, done.stderr
    assert "broken.conf:" in done.stderr and pipe.source.password not in done.stderr


def test_usage():
    for program in ("tailrace-capture", "tailrace-apply", "tailrace"):
        assert subprocess.run([find_agent(program), "--no-such-thing"], capture_output=True, check=False).returncode == 64
        assert subprocess.run([find_agent(program), "--help"], capture_output=True, check=False).returncode == 0
        assert "0.1.0" in subprocess.run([find_agent(program), "--version"], capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_secret_is_seen_anywhere(pipe, level):
    kafka_secret = "sasl-canary"
    more = {"log_level": level, "kafka_properties": [f"sasl.password={kafka_secret}"]}
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY)")
    pipe.start(more, more)
    pipe.at_source("INSERT INTO c VALUES (1)")
    pipe.wait_equal("c")
    for agent, secret in ((pipe.capture, pipe.source.password), (pipe.apply, pipe.target.password)):
        with open(f"/proc/{agent.pid}/cmdline", "rb") as cmdline:
            seen = cmdline.read()
        assert secret.encode() not in seen and kafka_secret.encode() not in seen
        shown = subprocess.run([find_agent(agent.program), "-c", agent.config_file, "--print-config"], capture_output=True,
                               text=True, check=True).stdout
        for text in (agent.log_text(), str(agent.status()), agent.get("/metrics"), shown):
            assert secret not in text and kafka_secret not in text
        assert "********" in shown
    wait_until(lambda: pipe.apply.status()["totals"]["transactions"] >= 1, 10, "figures")
