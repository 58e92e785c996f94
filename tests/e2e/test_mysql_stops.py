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


def told(pair):
    """What is in Kafka: the keys of table c's inserts, its number of updates; the chain of transactions must be whole."""
    decoder = Decoder(pair.kafka)
    events = [decoder.decode(record.value()) for record in pair.kafka.read_topic(pair.topic("c"))]
    marks = [decoder.decode(record.value()) for record in pair.kafka.read_topic(f"{pair.prefix}.transaction")]
    chain = [mark for mark in marks if mark["status"] == "END"]
    assert [mark["previous"] for mark in chain[1:]] == [mark["id"] for mark in chain[:-1]]
    assert len({mark["log"] for mark in chain}) == 1
    return sorted(event["after"]["id"] for event in events if event["op"] == "c"), sum(event["op"] == "u" for event in events)


# No position record after that of the start, so that all that follows must be met again.
NO_RECORDS = {"status_interval": "60s"}


@pytest.fixture
def two_servers(make_pair, kind, tmp_path_factory):
    """A pair whose source has a replica; capture has recorded its position and will not do so again."""
    model = make_pair(kind, kind, ["x"])
    with Stack(tmp_path_factory.mktemp("failover")) as stack:
        settings = {"performance-schema": "OFF"}
        first, second = stack.start(stack.server(kind, "first", settings=settings), stack.server(kind, "second", settings=settings))
        second.follow(first)
        pair = Pair(stack, first, model.target, model.kafka, ["c"], capture=NO_RECORDS)
        pair.both(C)
        pair.start()
        yield pair, first, second
        pair.close()


def lead_to(pair, server):
    pair.source = server
    pair.capture.configure(pair.capture_config())


@both_kinds
def test_failover_by_gtid(two_servers, kind):
    """The primary dies; its replica is promoted; the agent is sent there and goes on: nothing lost, nothing doubled."""
    pair, first, second = two_servers
    for n in range(1, 101):
        pair.at_source(f"INSERT INTO c VALUES ({n}, 'first')")
    pair.drain()
    pair.capture.kill9()
    for n in range(101, 151):
        pair.at_source(f"INSERT INTO c VALUES ({n}, 'unseen')")
    second.wait_caught_up(first)
    first.kill9()
    second.promote()
    # Another layout of files on purpose: only the GTIDs are the same.
    second.rotate()
    lead_to(pair, second)
    pair.at_source("UPDATE c SET v = 'after' WHERE id % 10 = 0")
    pair.start_capture()
    for n in range(151, 161):
        pair.at_source(f"INSERT INTO c VALUES ({n}, 'second')")
    assert len(pair.equal("c")) == 160
    assert told(pair) == (list(range(1, 161)), 15)


def insert(pair, server, number, *before):
    """A transaction of its own."""
    with server.connect(pair.dbname) as connection, connection.cursor() as cursor:
        for statement in before:
            cursor.execute(statement)
        cursor.execute(f"INSERT INTO c VALUES ({number}, 'of {number}')")


def other_order_by_domains(pair, first, second):
    """MariaDB: the replica gets one replication domain before the other, and then a last transaction as the primary has it."""
    second.wait_caught_up(first)
    second.execute("STOP SLAVE; CHANGE MASTER TO ignore_domain_ids = (1); START SLAVE")
    for number, domain in ((1, 1), (2, 2), (3, 1), (4, 2)):
        insert(pair, first, number, f"SET SESSION gtid_domain_id = {domain}")
    second.wait_value("SELECT count(*) FROM c", 2, dbname=pair.dbname)
    second.execute("STOP SLAVE")
    known = [gtid for gtid in second.value("SELECT @@gtid_slave_pos").split(",") if not gtid.startswith("1-")]  # it counts what it ignores
    second.execute(f"SET GLOBAL gtid_slave_pos = '{','.join(known)}'; CHANGE MASTER TO ignore_domain_ids = (); START SLAVE")
    second.wait_value("SELECT count(*) FROM c", 4, dbname=pair.dbname)
    insert(pair, first, 5)
    second.wait_caught_up(first)
    second.promote()


def other_order_by_hand(pair, first, second):
    """MySQL: as a replica does that does not preserve the commit order."""
    second.wait_caught_up(first)
    second.promote()
    for number in range(1, 6):
        insert(pair, first, number)
    own, _, executed = first.gtid_position().rpartition(":")
    last = int(executed.rpartition("-")[2])
    for number in (2, 1, 4, 3, 5):
        insert(pair, second, number, f"SET gtid_next = '{own}:{last - 5 + number}'")
    assert second.gtid_position() == first.gtid_position()


@both_kinds
def test_failover_to_another_order(two_servers, kind):
    """All that Kafka has is there, and the last transaction in its place, but two before it are not: a named stop, and at the server
    before it goes on."""
    pair, first, second = two_servers
    {"mariadb": other_order_by_domains, "mysql": other_order_by_hand}[kind](pair, first, second)
    pair.wait_in_kafka(5)
    wait_until(lambda: arrived(pair) == [1, 2, 3, 4, 5], 30, "all rows in the target")
    pair.capture.kill9()
    lead_to(pair, second)
    error = stops(pair, "the log has transaction ", " where Kafka has transaction ")
    assert "another order" in error["hint"], error
    pair.capture.stop()
    lead_to(pair, first)
    pair.start_capture()
    insert(pair, first, 6)
    assert len(pair.equal("c")) == 6
    assert told(pair) == ([1, 2, 3, 4, 5, 6], 0)


@pytest.mark.parametrize("kind", ["mariadb"])
def test_a_table_is_left_out_while_its_transactions_are_under_way(make_pair, kind):
    """They are in Kafka, and no position record covers them: to leave them out now would be to tell them otherwise."""
    pair = make_pair(kind, kind, ["c", "d"], capture=NO_RECORDS)
    pair.both(C + "; CREATE TABLE d (id int PRIMARY KEY)")
    pair.start()
    pair.at_source("INSERT INTO d VALUES (1); INSERT INTO c VALUES (1, 'one')")
    pair.equal("c", "d")
    pair.capture.kill9()
    both = pair.capture_config()
    pair.capture.configure(pair.capture_config(tables=[pair.source_table(one) for one in ("c", "drain_mark")]))
    error = stops(pair, "the log has transaction ", " without an event, but Kafka has it")
    assert "choice of tables" in error["hint"], error
    pair.capture.stop()
    pair.capture.configure(both)
    pair.start_capture()
    pair.at_source("INSERT INTO d VALUES (2)")
    assert len(pair.equal("c", "d")) == 2


@both_kinds
def test_a_stop_leaves_nothing_under_way(make_pair, kind):
    """Whoever is asked to leave a table out can do so: what came before the stop is recorded."""
    pair = make_pair(kind, kind, ["c", "d"], capture=NO_RECORDS)
    pair.both(C + "; CREATE TABLE d (id int PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2")
    pair.start()
    pair.at_source("INSERT INTO d VALUES (1); INSERT INTO c VALUES (1, 'one'); ALTER TABLE d TRUNCATE PARTITION p1")
    error = pair.capture.wait_state("failed", timeout=30)["error"]
    assert error["class"] == "gap" and "TRUNCATE PARTITION" in error["text"].upper(), error
    pair.capture.stop()
    pair.capture.configure(pair.capture_config(tables=[pair.source_table(one) for one in ("c", "drain_mark")]))
    pair.start_capture()
    pair.at_source("INSERT INTO c VALUES (2, 'two')")
    assert len(pair.equal("c")) == 2
    assert pair.target_rows("SELECT id FROM d") == [(1,)]


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
