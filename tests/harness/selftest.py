"""Tests the harness itself: real servers, killed and restarted, and what they stored must still be there.

Run with the Python of tests/setup.sh:  .cache/venv/bin/python tests/harness/selftest.py
Agents are stood in for by a small Python program, so this needs no build.
"""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import (NotHere, ProcessDied, Stack, WaitTimeout, apply_config, capture_config, free_port,  # noqa: E402
                     wait_until)
from harness.process import start_time  # noqa: E402

FAKE_AGENT = textwrap.dedent("""\
    #!/usr/bin/env python3
    import http.server, json, os, re, signal, socketserver, sys
    text = open(sys.argv[2]).read()
    get = lambda key: re.search(rf'^{key} = "(.*)";', text, re.M).group(1)
    state = {"state": "streaming"}
    class Handler(http.server.BaseHTTPRequestHandler):
        address_string = lambda self: "unix"
        def do_GET(self):
            if self.path == "/v1/pause":
                state["state"] = "paused"
            data = json.dumps({**state, "ready": True, "failpoints": os.environ.get("TAILRACE_FAILPOINTS")}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        do_POST = do_GET
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    path = get("run_directory") + "/" + get("name") + ".sock"
    if os.path.exists(path):
        os.unlink(path)
    socketserver.UnixStreamServer(path, Handler).serve_forever()
    """)


def report(started, what):
    print(f"  {time.monotonic() - started:6.2f} s  {what}", flush=True)


def test_wait_tells_the_last_value():
    try:
        wait_until(lambda: 0, 0.1, "one")
    except WaitTimeout as error:
        assert "waiting for one" in str(error) and "last seen: 0" in str(error), error
    else:
        raise AssertionError("wait_until did not time out")
    assert len({free_port() for _ in range(50)}) == 50


def test_postgres(stack):
    started = time.monotonic()
    server = stack.postgres("source").start()
    report(started, "PostgreSQL made and started")
    server.execute("create table t (id int primary key); insert into t select generate_series(1, 1000)")
    assert server.value("show fsync") == "on" and server.value("show wal_level") == "logical"
    server.createdb("crm")
    server.createdb("crm")
    server.execute("create table c (id int)", dbname="crm")
    server.kill9()
    assert not server.running
    started = time.monotonic()
    server.start()
    report(started, "PostgreSQL started after SIGKILL")
    assert server.value("select count(*) from t") == 1000
    started = time.monotonic()
    server.restart()
    report(started, "PostgreSQL restarted")
    assert server.wait_value("select count(*) from t", 1000) == 1000
    assert server.cpu_seconds() > 0 and server.rss_bytes() > 0 and server.peak_rss_bytes() > 0
    trusting = stack.postgres("trusting", auth="trust", settings={"fsync": "off"}).start()
    assert trusting.value("show fsync") == "off" and trusting.password is None
    return server


def test_binlog_server(stack, kind):
    """The same for MariaDB and MySQL: a crash loses nothing, a replica follows by GTID and can take over."""
    started = time.monotonic()
    server = stack.server(kind, f"{kind}-source").start()
    report(started, f"{kind} {server.value('SELECT version()')} made and started")
    server.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)")
    assert server.value("SELECT @@sync_binlog") == 1 and server.value("SELECT @@binlog_row_image") == "FULL"
    server.createdb("crm")
    server.createdb("crm")
    server.execute("CREATE TABLE c (d decimal(12,2))", dbname="crm")
    sql = stack.directory / "more.sql"
    sql.write_text("INSERT INTO c VALUES (1.50);\nINSERT INTO c VALUES (-1.50);\n")
    server.script(sql, dbname="crm")
    server.kill9()
    assert not server.running
    started = time.monotonic()
    server.start()
    report(started, f"{kind} started after SIGKILL")
    assert server.value("SELECT count(*) FROM t") == 3
    assert [str(one) for one, in server.query("SELECT d FROM c ORDER BY d", dbname="crm")] == ["-1.50", "1.50"]
    server.restart()
    assert server.wait_value("SELECT count(*) FROM t", 3) == 3
    assert "DECIMAL(12,2)" in server.binlog_text()
    started = time.monotonic()
    replica = stack.server(kind, f"{kind}-replica").start()
    replica.follow(server).wait_caught_up(server)
    report(started, f"{kind} replica made and caught up")
    assert replica.gtid_position() == server.gtid_position()
    replica.promote().execute("INSERT INTO t VALUES (4)")
    assert replica.value("SELECT count(*) FROM t") == 4
    server.purge()
    assert len(server.binlogs()) == 1 and server.binlogs()[0][0] == server.binlog_status()[0]
    server.reset_binlog()
    assert server.gtid_position() == ""
    text = capture_config(server, "127.0.0.1:1", tables=["crm.c"])
    assert f'type = "{server.kind}";' in text and "server_id = " in text and "slot" not in text, text
    return server


def test_kafka(stack):
    started = time.monotonic()
    broker = stack.kafka().start()
    report(started, "Kafka formatted and started")
    broker.create_topic("orders", partitions=3, config={"retention.ms": "-1"})
    broker.produce("orders", [(f"k{i}", f"v{i}", [("h", b"1")]) for i in range(1000)])
    started = time.monotonic()
    assert {message.value() for message in broker.read_topic("orders")} == {b"v%d" % i for i in range(1000)}
    report(started, "1000 records read")
    broker.kill9()
    started = time.monotonic()
    broker.start()
    report(started, "Kafka started after SIGKILL")
    assert len(broker.read_topic("orders")) == 1000
    assert sum(broker.end_offsets("orders").values()) == 1000 and broker.topics() == {"orders": 3}
    started = time.monotonic()
    broker.restart()
    report(started, "Kafka restarted")
    assert broker.topic_config("orders")["retention.ms"] == "-1"
    producer = broker.producer(transactional_id="x")
    producer.init_transactions(30)
    for value, end in (("aborted", producer.abort_transaction), ("committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce("orders", key="k", value=value)
        producer.flush(30)
        end(30)
    seen = [message.value() for message in broker.read_topic("orders")]
    assert len(seen) == 1001 and b"committed" in seen, len(seen)
    broker.delete_topic("orders")
    return broker


def test_agent(stack, server, broker):
    programs = stack.directory / "bin"
    programs.mkdir(exist_ok=True)
    for kind in ("capture", "apply"):
        (programs / f"tailrace-{kind}").write_text(FAKE_AGENT)
        (programs / f"tailrace-{kind}").chmod(0o755)
    config = capture_config(server, broker, tables=["public.t"], partitions=3, heartbeat_interval="10s",
                            extra="# more")
    assert 'table_include_list = ["public.t"];' in config and "partitions = 3;" in config, config
    agent = stack.agent("capture", config, bindir=programs).start(failpoints="a=crash")
    assert agent.wait_ready()["failpoints"] == "a=crash"
    assert agent.config_file.stat().st_mode & 0o777 == 0o600
    agent.post("/v1/pause")
    agent.wait_state("paused")
    agent.kill9()
    assert agent.returncode == -signal.SIGKILL
    agent.start().wait_state("streaming")
    assert agent.stop() == 0
    applying = stack.agent("apply", apply_config(server, broker, tables=[{"source": "a.b", "column_rename": ["a=b"]}]),
                           bindir=programs).start()
    applying.wait_ready()
    applying.process.send(signal.SIGKILL)
    try:
        applying.wait_state("never")
    except ProcessDied:
        pass


def test_nothing_is_left(directory):
    """A Python that is killed takes its servers with it."""
    program = ("import sys, time; sys.path.insert(0, sys.argv[1])\n"
               "from harness import Stack\n"
               "stack = Stack(sys.argv[2])\n"
               "started = stack.start(stack.postgres(), stack.mariadb(), stack.kafka())\n"
               "print(*[service.pid for service in started], flush=True); time.sleep(600)\n")
    started = time.monotonic()
    child = subprocess.Popen([sys.executable, "-c", program, str(Path(__file__).parents[1]), str(directory)],
                             stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in child.stdout.readline().split()]
    report(started, "PostgreSQL, MariaDB and Kafka made and started side by side")
    assert len(pids) == 3 and all(map(start_time, pids)), pids
    child.kill()
    child.wait()
    wait_until(lambda: not any(map(start_time, pids)), 20, "the end of the servers of a killed Python")
    with Stack(directory) as again:
        assert again.postgres().start().value("select 1") == 1


def main():
    where = Path(tempfile.mkdtemp(prefix="tailrace-selftest-"))
    os.chmod(where, 0o700)  # as a home folder is: the server must get there all the same
    test_wait_tells_the_last_value()
    with Stack(where / "stack") as stack:
        for kind in ("mariadb", "mariadb-11.8", "mysql"):
            try:
                test_binlog_server(stack, kind)
            except NotHere as reason:
                print(f"  not tested here: {reason}")
        server, broker = test_postgres(stack), test_kafka(stack)
        test_agent(stack, server, broker)
        pids = [service.pid for service in stack.services if service.running]
    assert not any(map(start_time, pids)) and not stack.directory.exists()
    test_nothing_is_left(where / "killed")
    where.rmdir()
    print("harness selftest passed")


if __name__ == "__main__":
    main()
