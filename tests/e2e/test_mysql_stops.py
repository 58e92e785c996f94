"""Named stops of MariaDB and MySQL sources: a log that does not continue where it must is never passed over in silence.  And the failover that is
none: a second server of the same history goes on without loss or doubling."""
import subprocess

import pytest

from checker.evidence import Decoder
from harness import Stack, wait_until
from telecom.pair import CAPTURE_PASSWORD, Pair

KINDS = ("mariadb", "mysql")
both_kinds = pytest.mark.parametrize("kind", KINDS)
C = "CREATE TABLE c (id int PRIMARY KEY, v varchar(20))"


@pytest.fixture
def begun(make_pair, kind):
    """A pair whose first row has arrived and whose capture agent has been stopped, up to date."""
    pair = make_pair(kind, kind, ["c"])
    pair.both(C)
    pair.start()
    pair.at_source("INSERT INTO c VALUES (1, 'one')")
    pair.equal("c")
    settle(pair)
    pair.capture.stop()
    return pair


def settle(pair):
    """Waits until the position record in Kafka covers all that is in the log."""
    wait_until(lambda: pair.capture.status()["lag"]["bytes"] == 0, 15, "the position to be recorded")


def stops(pair, *words, kind="gap"):
    pair.start_capture(wait=False)
    status = pair.capture.wait_state("failed", timeout=30)
    assert status["error"]["class"] == kind, status["error"]
    for word in words:
        assert word in status["error"]["text"], status["error"]
    return status["error"]


def arrived(pair):
    return [row[0] for row in pair.target_rows("SELECT id FROM c ORDER BY id")]


@both_kinds
def test_the_log_was_purged(begun, kind):
    begun.at_source("INSERT INTO c VALUES (2, 'two')")
    begun.source.purge()
    begun.at_source("INSERT INTO c VALUES (3, 'three')")
    error = stops(begun, "purged")
    assert error["hint"]
    assert arrived(begun) == [1]


@both_kinds
def test_a_purge_up_to_the_position_is_none(begun, kind):
    begun.source.purge()
    begun.at_source("INSERT INTO c VALUES (2, 'two')")
    begun.start_capture()
    begun.equal("c")
    assert arrived(begun) == [1, 2]


@both_kinds
def test_the_log_was_reset(begun, kind):
    begun.source.reset_binlog()
    begun.at_source("INSERT INTO c VALUES (2, 'two')")
    for n in range(3, 30):
        begun.at_source(f"INSERT INTO c VALUES ({n}, 'n')")
    stops(begun)
    assert arrived(begun) == [1]


@both_kinds
def test_another_server(begun, kind, tmp_path_factory):
    """A server with a log of its own is not the one that was read, however alike its tables are."""
    with Stack(tmp_path_factory.mktemp("other")) as stack:
        other = stack.server(kind, "other").start()
        other.createdb(begun.dbname)
        other.execute(C, dbname=begun.dbname)
        other.execute("CREATE TABLE drain_mark (id bigint PRIMARY KEY)", dbname=begun.dbname)
        source, begun.source = begun.source, other
        try:
            begun.prepare_source()
            for n in range(40):
                begun.at_source(f"INSERT INTO c VALUES ({n + 100}, 'of another')")
            begun.capture.configure(begun.capture_config())
            stops(begun)
            begun.capture.stop()
        finally:
            begun.source = source
    assert arrived(begun) == [1]


@both_kinds
def test_a_change_logged_as_a_statement(begun, kind):
    begun.start_capture()
    connection = begun.source.connect(begun.dbname)
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO c VALUES (2, 'two')")
        cursor.execute("SET SESSION binlog_format = 'STATEMENT'")
        cursor.execute("UPDATE c SET v = 'as a statement'")
    status = begun.capture.wait_state("failed", timeout=30)
    assert status["error"]["class"] == "gap" and "statement" in status["error"]["text"], status["error"]
    assert "binlog_format" in status["error"]["hint"] + status["error"]["text"], status["error"]


def test_a_gap_in_the_gtids(make_pair, tmp_path_factory):
    """MySQL: the server says it has executed transactions that its log never had."""
    model = make_pair("mysql", "mysql", ["x"])
    with Stack(tmp_path_factory.mktemp("gap")) as stack:
        server = stack.mysql("gap", settings={"performance-schema": "OFF"}).start()
        pair = Pair(stack, server, model.target, model.kafka, ["c"])
        pair.both(C)
        pair.start()
        pair.at_source("INSERT INTO c VALUES (1, 'one')")
        pair.equal("c")
        settle(pair)
        pair.capture.stop()
        own, _, executed = server.gtid_position().rpartition(":")
        last = int(executed.rpartition("-")[2])
        server.reset_binlog()
        server.execute("SET GLOBAL gtid_purged = %s", [f"{own}:1-{last + 5}"])
        pair.at_source("INSERT INTO c VALUES (9, 'behind the gap')")
        stops(pair, "purged")
        pair.close()
    assert arrived(pair) == [1]


@both_kinds
def test_two_agents_with_one_server_id(make_pair, kind):
    """The server would end the first one's stream for the second: so the second looks before, and stands by."""
    first, second = make_pair(kind, kind, ["c"]), make_pair(kind, kind, ["c"])
    for pair in (first, second):
        pair.both(C)
        pair.capture_settings["database_settings"] = {"server_id": 4711}
    first.start()
    second.prepare()
    second.start_capture(wait=False)
    wait_until(lambda: "the log is read under server id 4711 by connection " in second.capture.log_text(), 30, "the second to stand by")
    first.at_source("INSERT INTO c VALUES (1, 'one')")
    first.equal("c")
    first.capture.stop()
    second.capture.wait_state("streaming", timeout=30)


@both_kinds
def test_failover_by_gtid(make_pair, kind, tmp_path_factory):
    """The primary dies; its replica is promoted; the agent is sent there and goes on: nothing lost, nothing doubled."""
    model = make_pair(kind, kind, ["x"])
    with Stack(tmp_path_factory.mktemp("failover")) as stack:
        settings = {"performance-schema": "OFF"}
        first, second = stack.start(stack.server(kind, "first", settings=settings), stack.server(kind, "second", settings=settings))
        second.follow(first)
        pair = Pair(stack, first, model.target, model.kafka, ["c"])
        pair.both(C)
        pair.start()
        for n in range(1, 101):
            pair.at_source(f"INSERT INTO c VALUES ({n}, 'first')")
        pair.drain()
        pair.capture.kill9()
        for n in range(101, 151):
            pair.at_source(f"INSERT INTO c VALUES ({n}, 'unseen')")
        second.wait_caught_up(first)
        first.kill9()
        pair.source = second.promote()
        # Another layout of files on purpose: only the GTIDs are the same.
        second.rotate()
        pair.at_source("UPDATE c SET v = 'after' WHERE id % 10 = 0")
        pair.capture.configure(pair.capture_config())
        pair.start_capture()
        for n in range(151, 161):
            pair.at_source(f"INSERT INTO c VALUES ({n}, 'second')")
        assert len(pair.equal("c")) == 160
        decoder = Decoder(pair.kafka)
        found = [decoder.decode(record.value()) for record in pair.kafka.read_topic(pair.topic("c"))]
        inserted = [event["after"]["id"] for event in found if event["op"] == "c"]
        assert sorted(inserted) == list(range(1, 161)) and sum(event["op"] == "u" for event in found) == 15
        marks = [decoder.decode(record.value()) for record in pair.kafka.read_topic(f"{pair.prefix}.transaction")]
        chain = [mark for mark in marks if mark["status"] == "END"]
        assert [mark["previous"] for mark in chain[1:]] == [mark["id"] for mark in chain[:-1]]
        assert len({mark["log"] for mark in chain}) == 1
        pair.close()


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_server_that_is_not_who_it_should_be(make_pair, mode, tmp_path):
    """MySQL makes itself a certificate that names no host, under an authority of its own."""
    pair = make_pair("mysql", "mysql", ["c"])
    pair.both(C)
    pair.prepare()
    authority = pair.source.certificate
    if mode == "verify-ca":
        authority = tmp_path / "other.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=another",
                        "-keyout", tmp_path / "key.pem", "-out", authority], check=True, capture_output=True)
    for settings, start in ((pair.capture_settings, pair.start_capture), (pair.apply_settings, pair.start_apply)):
        settings["database_settings"] = {"sslmode": mode, "sslrootcert": str(authority)}
        agent = start(wait=False)
        assert agent.wait_end() == 78
        assert "could not connect" in agent.log_text() and "TLS/SSL error: " in agent.log_text(), agent.log_text()


def test_ed25519(make_pair):
    """MariaDB's own way to log in without a password on the wire."""
    pair = make_pair("mariadb-11.8", "mariadb", ["c"])
    pair.both(C)
    pair.source.execute("INSTALL SONAME 'auth_ed25519'")
    pair.prepare()
    pair.source.execute(f"ALTER USER {pair.capture_user}@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{CAPTURE_PASSWORD}')")
    pair.start_capture()
    pair.start_apply()
    pair.at_source("INSERT INTO c VALUES (1, 'one')")
    assert pair.equal("c") == [(1, "one")]
    pair.source.execute(f"ALTER USER {pair.capture_user}@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('{CAPTURE_PASSWORD}')")
    pair.capture.stop()
    pair.source.execute("UNINSTALL SONAME 'auth_ed25519'")
