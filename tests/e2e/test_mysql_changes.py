"""MariaDB and MySQL as source and as target: kinds of transactions and changes, DDL in order, every way the log can be written."""
import collections
import re
import threading
from decimal import Decimal

import pymysql
import pytest

from checker.evidence import Decoder
from harness import Stack, wait_until
from telecom.pair import Pair

KINDS = ("mariadb", "mysql")
both_kinds = pytest.mark.parametrize("kind", KINDS)
every_kind = pytest.mark.parametrize("kind", (*KINDS, "mariadb-11.8"))


def events(pair, table):
    """The values in a table's topic; a tombstone is None."""
    decoder = Decoder(pair.kafka)
    return [decoder.decode(record.value()) for record in pair.kafka.read_topic(pair.topic(table))]


def ends(pair):
    decoder = Decoder(pair.kafka)
    marks = [decoder.decode(record.value()) for record in pair.kafka.read_topic(f"{pair.prefix}.transaction")]
    assert [mark["status"] for mark in marks] == ["BEGIN", "END"] * (len(marks) // 2)
    found = [mark for mark in marks if mark["status"] == "END"]
    assert [mark["previous"] for mark in found[1:]] == [mark["id"] for mark in found[:-1]]
    return found


class Session:
    """Statements in one session at the source; each is its own transaction unless one is open."""

    def __init__(self, pair, **options):
        self.connection = pair.source.connect(pair.dbname, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def __call__(self, *statements):
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@every_kind
def test_the_event_contract(make_pair, kind):
    pair = make_pair(kind, kind, ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, name varchar(20), amount decimal(12,2), at datetime(6), d date)")
    pair.start()
    pair.at_source("INSERT INTO c VALUES (1, 'Anna', 12.50, '2026-01-02 03:04:05.678901', '2026-01-02')")
    with Session(pair) as at:
        at("BEGIN", "UPDATE c SET name = 'Berta'", "UPDATE c SET id = 2", "DELETE FROM c", "COMMIT")
    pair.at_source("TRUNCATE c")
    pair.at_source("INSERT INTO c VALUES (3, NULL, -0.01, NULL, NULL)")
    pair.equal("c")
    found = events(pair, "c")
    assert [event["op"] if event else None for event in found] == ["c", "u", "d", None, "c", "d", None, "t", "c"]
    after, source = found[0]["after"], found[0]["source"]
    assert found[0]["before"] is None and after["name"] == "Anna" and str(after["amount"]) == "12.50"
    assert (source["connector"], source["name"], source["db"], source["table"], source["snapshot"]) == (
        pair.source.kind, pair.prefix, pair.dbname, "c", "false")
    assert source["server_id"] == pair.source.port and source["file"].startswith("binlog.") and source["pos"] > 0
    assert source["gtid"] and source["gtid"] in pair_gtids(pair), source
    assert found[1]["before"]["name"] == "Anna" and found[1]["after"]["name"] == "Berta"
    assert [event["transaction"]["total_order"] for event in found if event][1:5] == [1, 2, 3, 4]
    chain = ends(pair)
    numbers = [int(mark["id"].rpartition(":")[2]) for mark in chain]
    assert numbers == sorted(set(numbers)) and all(mark["log"].startswith(f"{pair.source.kind}:") for mark in chain)
    moved = next(mark for mark in chain if mark["event_count"] == 4)
    assert moved["data_collections"] == [{"data_collection": f"{pair.dbname}.c", "event_count": 4}]
    assert moved["id"].startswith(found[1]["source"]["gtid"] + ":")


def pair_gtids(pair):
    """The text in which the server's own tool names every GTID of the log."""
    return pair.source.binlog_text().replace("GTID ", "").replace("'", "")


@both_kinds
def test_transactions_savepoints_and_moved_keys(make_pair, kind):
    pair = make_pair(kind, kind, ["c", "log"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, v varchar(20), UNIQUE (v)); CREATE TABLE log (id int PRIMARY KEY, n int)")
    pair.start()
    with Session(pair) as at:
        at("INSERT INTO c VALUES " + ", ".join(f"({n}, 'v{n}')" for n in range(1, 101)))
        at("UPDATE c SET v = concat(v, '!') WHERE id <= 50", "UPDATE c SET id = -id WHERE id % 2 = 0",
           "DELETE FROM c WHERE id % 5 = 0")
        at("BEGIN", "UPDATE c SET id = 1000 WHERE id = 1", "UPDATE c SET id = 1 WHERE id = 1000", "COMMIT")
        # A value of a unique column goes from row to row within one transaction.
        at("BEGIN", "UPDATE c SET v = 'held' WHERE id = 3", "UPDATE c SET v = 'v3!' WHERE id = 7", "UPDATE c SET v = 'v7!' WHERE id = 3",
           "DELETE FROM c WHERE id = 9", "INSERT INTO c VALUES (900, 'v9!')", "COMMIT")
        at("BEGIN", "INSERT INTO log VALUES (1, 1)", "SAVEPOINT a", "INSERT INTO log VALUES (2, 2)", "ROLLBACK TO a",
           "INSERT INTO log VALUES (3, 3)", "RELEASE SAVEPOINT a", "COMMIT")
        at("BEGIN", "INSERT INTO log VALUES (4, 4)", "ROLLBACK")
        at("REPLACE INTO c VALUES (11, 'v13!')", "INSERT INTO log VALUES (1, 7) ON DUPLICATE KEY UPDATE n = 8")
    assert pair.equal("c", "log") == [(1, 8), (3, 3)]
    assert sum(mark["event_count"] for mark in ends(pair)) == sum(
        1 for table in ("c", "log", "drain_mark") for event in events(pair, table) if event)


@both_kinds
def test_a_table_without_key(make_pair, kind):
    pair = make_pair(kind, kind, ["c"])
    pair.both("CREATE TABLE c (a int, b varchar(20), f double)")
    pair.start()
    pair.at_source("INSERT INTO c VALUES (1, 'x', 0.1), (1, 'x', 0.1), (2, NULL, NULL), (NULL, NULL, 1e300), (NULL, NULL, 1e300)")
    pair.at_source("DELETE FROM c WHERE a = 1 LIMIT 1")
    pair.at_source("UPDATE c SET b = 'z' WHERE a = 2")
    pair.at_source("DELETE FROM c WHERE a IS NULL LIMIT 1")
    assert len(pair.equal("c")) == 3
    assert all(record.key() is None for record in pair.kafka.read_topic(pair.topic("c")))


@every_kind
def test_ddl_in_order(make_pair, kind):
    pair = make_pair(kind, kind, ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, a int, b varchar(20))")
    pair.start()
    pair.at_source("INSERT INTO c VALUES (1, 1, 'one')")
    pair.at_target("ALTER TABLE c ADD d datetime(3)")
    pair.at_source("ALTER TABLE c ADD d datetime(3) AFTER id; INSERT INTO c VALUES (2, '2026-01-02 03:04:05.678', 2, 'two')")
    pair.at_source("UPDATE c SET d = '2026-01-01 00:00:00' WHERE id = 1")
    pair.equal("c", columns="id, d, a, b")
    pair.at_target("ALTER TABLE c MODIFY b text")
    pair.at_source("ALTER TABLE c DROP a, MODIFY b text; INSERT INTO c VALUES (3, NULL, repeat('long ', 2000))")
    pair.equal("c", columns="id, d, b")
    pair.both("ALTER TABLE c CHANGE b bb text")
    pair.at_source("INSERT INTO c VALUES (4, NULL, 'four')")
    pair.equal("c", columns="id, d, bb")
    # Dropped and made again with other columns, while the capture agent is not looking.
    pair.capture.stop()
    pair.at_source("DELETE FROM c; DROP TABLE c; CREATE TABLE c (bb varchar(10), id int PRIMARY KEY); INSERT INTO c VALUES ('new', 9)")
    pair.at_source("TRUNCATE TABLE c; INSERT INTO c VALUES ('newer', 10)")
    pair.start_capture()
    assert pair.equal("c", columns="id, bb") == [(10, "newer")]


@both_kinds
@pytest.mark.parametrize("metadata", ["FULL", "MINIMAL"])
def test_online_schema_change(make_pair, kind, metadata):
    """What gh-ost and pt-online-schema-change do: fill a copy, then rename both tables in one statement."""
    pair = make_pair(kind, kind, ["c"])
    pair.source.execute(f"SET GLOBAL binlog_row_metadata = '{metadata}'")
    try:
        pair.both("CREATE TABLE c (id int PRIMARY KEY, v varchar(20))")
        pair.at_target("ALTER TABLE c ADD n int")
        pair.start()
        with Session(pair) as at:
            at("INSERT INTO c VALUES (1, 'one'), (2, 'two'), (3, 'three')",
               "CREATE TABLE _c_gho (n int, id int PRIMARY KEY, v varchar(20))",
               "INSERT INTO _c_gho (id, v) SELECT id, v FROM c", "UPDATE c SET v = 'zwei' WHERE id = 2",
               "CREATE TRIGGER copy_insert AFTER INSERT ON c FOR EACH ROW REPLACE INTO _c_gho (id, v) VALUES (NEW.id, NEW.v)",
               "INSERT INTO c VALUES (4, 'four')", "UPDATE _c_gho SET v = 'zwei' WHERE id = 2",
               "DROP TRIGGER copy_insert",
               "/* gh-ost */ RENAME /* in one */ TABLE c TO _c_del, _c_gho TO c",
               "INSERT INTO c VALUES (5, 5, 'five')", "UPDATE c SET n = id * 10 WHERE id IN (1, 5)", "DROP TABLE IF EXISTS _c_del")
        rows = pair.equal("c", columns="id, v, n")
    finally:
        pair.source.execute("SET GLOBAL binlog_row_metadata = 'FULL'")
    assert rows == [(1, "one", 10), (2, "zwei", None), (3, "three", None), (4, "four", None), (5, "five", 50)]


@both_kinds
def test_truncate_drop_and_create_select(make_pair, kind):
    pair = make_pair(kind, kind, ["c", "made"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, v varchar(20)); CREATE TABLE made (id int PRIMARY KEY, v varchar(20))")
    pair.start()
    pair.at_source("INSERT INTO c VALUES (1, 'one'), (2, 'two'); TRUNCATE TABLE c; INSERT INTO c VALUES (3, 'three'), (4, 'four')")
    pair.at_source("DROP TABLE made; CREATE TABLE made (PRIMARY KEY (id)) SELECT id, v FROM c WHERE id = 4")
    pair.at_source("CREATE TEMPORARY TABLE t AS SELECT * FROM c; INSERT INTO t VALUES (7, 'seven'); "
                   "INSERT INTO made SELECT * FROM t WHERE id = 7")
    assert pair.equal("c", "made") == [(4, "four"), (7, "seven")]
    assert [event["op"] for event in events(pair, "c") if event][:3] == ["c", "c", "t"]


@both_kinds
def test_xa(make_pair, kind):
    """A branch counts when it is committed, wherever that is in the log; one that is rolled back leaves nothing."""
    pair = make_pair(kind, kind, ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, v varchar(20))")
    pair.start()
    with Session(pair) as at:
        at("XA START 'one'", "INSERT INTO c VALUES (1, 'one')", "XA END 'one'", "XA PREPARE 'one'", "XA COMMIT 'one'")
        at("XA START 'no'", "INSERT INTO c VALUES (2, 'no')", "XA END 'no'", "XA PREPARE 'no'", "XA ROLLBACK 'no'")
        at("XA START 'phase'", "INSERT INTO c VALUES (3, 'phase')", "XA END 'phase'", "XA COMMIT 'phase' ONE PHASE")
    with Session(pair) as at:
        at("XA START X'6c61746572',X'01',7", "INSERT INTO c VALUES (4, 'later')", "XA END X'6c61746572',X'01',7",
           "XA PREPARE X'6c61746572',X'01',7")
    pair.at_source("INSERT INTO c VALUES (5, 'between')")
    pair.drain()
    assert pair.target_rows("SELECT id FROM c ORDER BY id") == [(1,), (3,), (5,)]
    pair.capture.kill9()
    pair.start_capture()
    with Session(pair) as at:
        at("XA COMMIT X'6c61746572',X'01',7", "UPDATE c SET v = concat(v, '!')")
    assert pair.equal("c") == [(1, "one!"), (3, "phase!"), (4, "later!"), (5, "between!")]


class Clients:
    """Many sessions that prepare and commit one-row branches, until the server dies; of as many there are always some between log and engine."""

    def __init__(self, pair, number, sessions=40):
        self.pair, self.committed = pair, 0
        self.threads = [threading.Thread(target=self.run, args=(f"{number}-{one}",)) for one in range(sessions)]

    def run(self, name):
        try:
            with Session(self.pair) as at:
                for n in range(1_000_000):
                    xid = f"{name}-{n}"
                    at(f"XA START '{xid}'", f"INSERT INTO c VALUES ('{xid}')", f"XA END '{xid}'", f"XA PREPARE '{xid}'", f"XA COMMIT '{xid}'")
                    self.committed += 1
        except (pymysql.Error, OSError):
            pass

    def work_until_the_server_dies(self, least=100):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.committed >= least, 60, f"{least} branches")
        self.pair.source.kill9()
        for thread in self.threads:
            thread.join()


def xa_decisions(server):
    """The log's decisions of each branch, in order: {xid: ["COMMIT", "COMMIT"]}; [] if it is only prepared."""
    found = collections.defaultdict(list)
    for what, xid in re.findall(r"^XA (PREPARE|COMMIT|ROLLBACK) X'([0-9a-f]+)',X'',1", server.binlog_text(), re.MULTILINE):
        found[bytes.fromhex(xid).decode()] += [what] if what != "PREPARE" else []
    return found


def resume_text(pair):
    """What the newest position record says of where to go on."""
    return Decoder(pair.kafka).decode(pair.kafka.read_topic(f"{pair.prefix}.position")[-1].value())["resume"]


@pytest.mark.parametrize("kind", ["mariadb", "mariadb-11.8"])
def test_xa_when_mariadb_dies(make_pair, tmp_path_factory, kind):
    """MariaDB logs a commit before its engine has it, and loses it when it is killed in between: XA RECOVER lists the branch, and its manager commits
    it again.  So its commit stands twice in the log; its rows must be in Kafka once, also when the agent starts anew in between."""
    model = make_pair(kind, "mariadb", ["x"])
    with Stack(tmp_path_factory.mktemp("dying")) as stack:
        server = stack.server(kind, "dying").start()
        pair = Pair(stack, server, model.target, model.kafka, ["c"])
        pair.both("CREATE TABLE c (id varchar(20) PRIMARY KEY)")
        pair.start()
        twice = set()
        for number in range(10):
            Clients(pair, number).work_until_the_server_dies()
            server.start()
            logged = xa_decisions(server)
            listed = {xid.decode() for *_, xid in server.query("XA RECOVER")}
            lost = sorted(xid for xid in listed if logged[xid])
            pair.drain()
            with Session(pair) as at:
                at(*(f"XA ROLLBACK '{xid}'" for xid in listed if not logged[xid]), *(f"XA COMMIT '{xid}'" for xid in lost[::2]))
                pair.capture.kill9()
                pair.start_capture()
                at(*(f"XA COMMIT '{xid}'" for xid in lost[1::2]))
            pair.equal("c")
            twice |= set(lost)
            if len(lost) > 1:
                break
        assert len(lost) > 1, "hardly a commit was lost"
        decided = xa_decisions(server)
        assert twice == {xid for xid, decisions in decided.items() if decisions == ["COMMIT", "COMMIT"]}
        assert set(collections.Counter(event["after"]["id"] for event in events(pair, "c")).values()) == {1}
        told = re.findall(r"XA branch X'([0-9a-f]+)',X'',1 is committed for the second time", pair.capture.log_text())
        assert {bytes.fromhex(xid).decode() for xid in told} == twice
        # What the log has as prepared, and the engine never had, is forgotten: XA RECOVER does not list it.
        if any(not decisions for decisions in decided.values()):
            assert "XA branches are forgotten that the log has as prepared" in pair.capture.log_text()
        pair.drain()
        wait_until(lambda: "\nxa " not in resume_text(pair), 10, "no branch to be open")
        pair.close()


@both_kinds
def test_tables_without_transactions(make_pair, kind):
    pair = make_pair(kind, kind, ["c", "i"])
    pair.at_source("CREATE TABLE c (id int PRIMARY KEY, v varchar(20)) ENGINE=MyISAM; CREATE TABLE i (id int PRIMARY KEY)")
    pair.at_target("CREATE TABLE c (id int PRIMARY KEY, v varchar(20)); CREATE TABLE i (id int PRIMARY KEY)")
    pair.start()
    with Session(pair) as at:
        at("INSERT INTO c VALUES (1, 'one'), (2, 'two')", "UPDATE c SET v = 'zwei' WHERE id = 2", "DELETE FROM c WHERE id = 1")
        at("BEGIN", "INSERT INTO i VALUES (1)", "COMMIT")
        if kind == "mariadb":  # MySQL's GTID consistency refuses both kinds in one transaction
            at("BEGIN", "INSERT INTO i VALUES (2)", "INSERT INTO c VALUES (3, 'stays')", "ROLLBACK")
    pair.equal("c", "i")


def test_a_target_table_without_transactions_is_refused(make_pair):
    pair = make_pair("mariadb", "mariadb", ["c"])
    pair.at_source("CREATE TABLE c (id int PRIMARY KEY)")
    pair.at_target("CREATE TABLE c (id int PRIMARY KEY) ENGINE=MyISAM")
    pair.prepare()
    pair.start_capture()
    pair.at_source("INSERT INTO c VALUES (1)")
    pair.wait_in_kafka(1)
    pair.start_apply(wait=False)
    assert pair.apply.wait_end() == 78
    assert f"target table {pair.dbname}.c is of engine MyISAM" in pair.apply.log_text() and "ENGINE=InnoDB" in pair.apply.log_text()


@both_kinds
def test_compressed_log(make_pair, kind):
    pair = make_pair(kind, kind, ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, v text)")
    pair.start()
    setting = {"mariadb": "log_bin_compress", "mysql": "binlog_transaction_compression"}[kind]
    pair.source.execute(f"SET GLOBAL {setting} = 1")
    try:
        with Session(pair) as at:
            at("INSERT INTO c VALUES " + ", ".join(f"({n}, repeat('compress me ', {n * 10}))" for n in range(1, 200)))
            at("BEGIN", "UPDATE c SET v = concat(v, repeat('more ', 100)) WHERE id % 2 = 0", "DELETE FROM c WHERE id % 3 = 0", "COMMIT")
            at("INSERT INTO c VALUES (1000, 'small')")
    finally:
        pair.source.execute(f"SET GLOBAL {setting} = 0")
    text = pair.source.binlog_text(pair.source.binlog_status()[0])
    assert {"mariadb": "_compressed", "mysql": "Transaction_Payload"}[kind].lower() in text.lower()
    assert len(pair.equal("c")) == 134


def test_partial_json(make_pair):
    """MySQL logs what changed in a document, if told to; the target gets the document."""
    pair = make_pair("mysql", "mysql", ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, j json, k json)")
    pair.start()
    with Session(pair) as at:
        at("INSERT INTO c VALUES (1, JSON_OBJECT('a', 1, 'b', JSON_ARRAY(1, 2, REPEAT('x', 1000))), '{}')")
        at("SET SESSION binlog_row_value_options = PARTIAL_JSON",
           "UPDATE c SET j = JSON_SET(j, '$.a', 'two')", "UPDATE c SET j = JSON_REPLACE(j, '$.b[1]', CAST('7.25' AS DECIMAL(5,2)))",
           "UPDATE c SET j = JSON_REMOVE(j, '$.b[0]'), k = JSON_SET(k, '$.n', NULL)", "UPDATE c SET j = JSON_SET(j, '$.b[5]', 'end')",
           "UPDATE c SET j = JSON_ARRAY_INSERT(j, '$.b[0]', 0)")
        assert "JSON_REPLACE" in pair.source.binlog_text(pair.source.binlog_status()[0])
        pair.equal("c")
        # Without the value before there is nothing to put a part into.
        at("SET SESSION binlog_row_image = MINIMAL", "UPDATE c SET j = JSON_SET(j, '$.a', 'three')")
    status = pair.capture.wait_state("failed")
    assert status["error"]["class"] == "gap" and f"{pair.dbname}.c.j: " in status["error"]["text"], status["error"]
    assert "the log has only what changed in the value" in status["error"]["text"]
    assert "binlog_row_value_options=''" in status["error"]["hint"]


@both_kinds
def test_rotation_and_kills_in_mid_stream(make_pair, kind):
    pair = make_pair(kind, kind, ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, v varchar(200))")
    pair.start()
    before = len(pair.source.binlogs())
    for round_ in range(6):
        with Session(pair) as at:
            at("BEGIN", *(f"INSERT INTO c VALUES ({round_ * 100 + n}, repeat('{n % 10}', 200))" for n in range(100)))
            pair.source.rotate()
            at("COMMIT", f"UPDATE c SET v = 'round {round_}' WHERE id % 7 = {round_}")
        pair.source.rotate()
        (pair.capture if round_ % 2 else pair.apply).kill9()
        (pair.start_capture if round_ % 2 else pair.start_apply)(wait=False)
    assert len(pair.equal("c")) == 600
    assert len(pair.source.binlogs()) >= before + 12
    keys = [event["after"]["id"] for event in events(pair, "c") if event["op"] == "c"]
    assert sorted(keys) == list(range(600)), "each insert once in Kafka"


@both_kinds
def test_statements_that_nobody_needs_to_understand(make_pair, kind):
    pair = make_pair(kind, kind, ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, v varchar(20))")
    pair.start()
    with Session(pair) as at:
        at("CREATE VIEW seen AS SELECT * FROM c", "CREATE PROCEDURE p() BEGIN INSERT INTO c VALUES (2, 'by; procedure'); END",
           "CREATE TRIGGER t BEFORE UPDATE ON c FOR EACH ROW SET NEW.v = concat(NEW.v, '!')", "CALL p()",
           "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1" if kind == "mariadb" else "ANALYZE TABLE c",
           "CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DISABLE DO DELETE FROM c", "CREATE USER IF NOT EXISTS nobody@localhost",
           "GRANT SELECT ON *.* TO nobody@localhost", "CREATE INDEX i ON c (v)", "OPTIMIZE TABLE c", "ANALYZE TABLE c",
           "/*!40000 ALTER TABLE c DISABLE KEYS */", "-- a comment\nALTER TABLE c COMMENT 'what; a `table`'",
           "CREATE TABLE other (id int)", "INSERT INTO other VALUES (1)", "DROP TABLE other", "DROP VIEW seen",
           "FLUSH TABLES", "INSERT INTO c VALUES (1, 'one')", "UPDATE c SET v = 'eins' WHERE id = 1", "DROP USER nobody@localhost",
           "CREATE DATABASE IF NOT EXISTS elsewhere", "DROP DATABASE elsewhere")
    assert pair.equal("c") == [(1, "eins!"), (2, "by; procedure")]


@both_kinds
def test_names_and_a_client_in_another_charset(make_pair, kind):
    pair = make_pair(kind, kind, ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, `naïve ``col``` varchar(40), `größe` enum('klein', 'groß'), `a.b c` int)")
    pair.start()
    with Session(pair) as at:
        at("SET NAMES latin1")
        at("INSERT INTO c VALUES (1, CONVERT(x'4772fc6e' USING latin1), 2, 3)", "ALTER TABLE c COMMENT 'f\xfcr'")
        at("SET NAMES utf8mb4", "UPDATE c SET `naïve ``col``` = 'Grün 🚀', `größe` = 'klein', `a.b c` = 4")
        at("INSERT INTO c VALUES (2, NULL, NULL, NULL)")
    assert pair.equal("c")[0] == (1, "Grün 🚀", "klein", 4)


@both_kinds
def test_missing_values_of_a_minimal_insert(make_pair, kind):
    pair = make_pair(kind, kind, ["c"])
    pair.at_source("CREATE TABLE c (id int PRIMARY KEY AUTO_INCREMENT, v varchar(20) NOT NULL DEFAULT 'quo''te', n int DEFAULT -7, "
                   "d decimal(5,2) DEFAULT 1.5, e int, at datetime NULL DEFAULT CURRENT_TIMESTAMP)")
    pair.at_target("CREATE TABLE c (id int PRIMARY KEY, v varchar(20), n int, d decimal(5,2), e int, at datetime)")
    pair.start()
    with Session(pair) as at:
        at("SET SESSION binlog_row_image = MINIMAL", "INSERT INTO c (e, at) VALUES (1, NULL)", "INSERT INTO c (at) VALUES (NULL)",
           "UPDATE c SET n = NULL WHERE id = 1", "UPDATE c SET id = 5 WHERE id = 2", "DELETE FROM c WHERE id = 1")
        assert pair.equal("c") == [(5, "quo'te", -7, Decimal("1.50"), None, None)]
        at("INSERT INTO c (e) VALUES (3)")  # the time of now is logged: it is no constant
    pair.equal("c")


def test_a_missing_value_that_cannot_be_known(make_pair):
    """MariaDB leaves what it computes out of a MINIMAL insert."""
    pair = make_pair("mariadb", "mariadb", ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, n int, seen int AS (n + 1) VIRTUAL)")
    pair.start()
    with Session(pair) as at:
        at("SET SESSION binlog_row_image = MINIMAL", "INSERT INTO c (id, n) VALUES (1, 1)")
    error = pair.capture.wait_state("failed")["error"]
    assert error["class"] == "gap" and error["hint"] == "set binlog_row_image=FULL on the source", error
    assert f"{pair.dbname}.c.seen: row 0 of the event: not in the image of an insert, and its default is no constant" in error["text"], error


def test_a_generated_column_that_cannot_be_known(make_pair):
    """MariaDB to 11.4 leaves virtual columns out of a MINIMAL update, whether they changed or not."""
    pair = make_pair("mariadb", "mariadb", ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, n int, seen int AS (n + 1) VIRTUAL)")
    pair.start()
    with Session(pair) as at:
        at("INSERT INTO c (id, n) VALUES (1, 1)", "SET SESSION binlog_row_image = MINIMAL", "UPDATE c SET n = 2")
    error = pair.capture.wait_state("failed")["error"]
    assert error["class"] == "gap" and error["hint"] == "set binlog_row_image=FULL on the source: other images lack VIRTUAL columns", error
    assert f"{pair.dbname}.c.seen: a generated column that is not in the image of an update, so that nobody knows" in error["text"], error


@every_kind
def test_generated_columns(make_pair, kind):
    """What the log has of them: MariaDB from 11.5 on nothing in an update, so that they are left out, with a warning; the target generates them."""
    pair = make_pair(kind, "mariadb", ["c", "bare"], excluded={"c": ["seen", "made"], "bare": ["made"]} if kind != "mariadb-11.8" else None)
    pair.both("CREATE TABLE c (id int PRIMARY KEY, n int, seen int AS (n + 1) VIRTUAL, made int AS (n * 2) STORED); "
              "CREATE TABLE bare (n int, made int AS (n * 2) STORED)")
    pair.start()
    with Session(pair) as at:
        at("INSERT INTO c (id, n) VALUES (1, 1), (2, 2), (3, 3)", "UPDATE c SET n = 10 WHERE id = 1", "DELETE FROM c WHERE id = 3",
           "INSERT INTO bare (n) VALUES (1), (2), (3)", "UPDATE bare SET n = 10 WHERE n = 1", "DELETE FROM bare WHERE n = 2")
        if kind != "mariadb":
            at("SET SESSION binlog_row_image = MINIMAL", "INSERT INTO c (id, n) VALUES (4, 4), (5, 5)", "UPDATE c SET n = 20 WHERE id = 2",
               "DELETE FROM c WHERE id = 5", "UPDATE bare SET n = 30 WHERE n = 3")
    wanted = [(2, 2, 3, 4)] if kind == "mariadb" else [(2, 20, 21, 40), (4, 4, 5, 8)]
    assert pair.equal("bare", "c") == [(1, 10, 11, 20), *wanted]
    left_out = kind == "mariadb-11.8"
    assert set(events(pair, "c")[0]["after"]) == {"id", "n"} | (set() if left_out else {"seen", "made"})
    warnings = [line for line in pair.capture.log_text().splitlines() if "is captured without its generated columns" in line]
    assert len(warnings) == (2 if left_out else 0), warnings
    if left_out:
        assert f"{pair.dbname}.c is captured" in warnings[0] and ": seen, made; let the target's table generate them too" in warnings[0], warnings


@both_kinds
def test_foreign_keys_that_cascade(make_pair, kind):
    """MariaDB's log does not have the rows that a cascade removed, MySQL's does: a target with the same key follows both."""
    pair = make_pair(kind, kind, ["parent", "child"])
    pair.both("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, p int, "
              "FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)")
    pair.start()
    pair.at_source("INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (10, 1), (11, 1), (20, 2)")
    pair.at_source("DELETE FROM parent WHERE id = 1")
    assert pair.equal("parent", "child") == [(20, 2)]
    if kind == "mariadb":
        assert f"{pair.dbname}.child" in pair.capture.log_text()


@both_kinds
def test_cascades_that_the_source_tells_and_the_target_does_too(make_pair, kind):
    """PostgreSQL tells the deletes that a cascade made; the target has made them already. Found with rights on the tables alone."""
    pair = make_pair("postgresql", kind, ["parent", "child"])
    pair.at_source("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, p int "
                   "REFERENCES parent ON DELETE CASCADE)")
    pair.at_target("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, p int, "
                   "FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)")
    pair.start()
    pair.at_source("INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (10, 1), (11, 1), (20, 2)")
    pair.at_source("DELETE FROM parent WHERE id = 1")
    assert pair.equal("parent", "child") == [(20, 2)]


@both_kinds
def test_a_large_row(make_pair, kind):
    pair = make_pair(kind, kind, ["c"])
    pair.both("CREATE TABLE c (id int PRIMARY KEY, b longblob, n int)")
    pair.start()
    with Session(pair) as at:
        at("INSERT INTO c VALUES (1, UNHEX(REPEAT('00ff27', 6600000)), 1)", "SET SESSION binlog_row_image = NOBLOB", "UPDATE c SET n = 2",
           "INSERT INTO c VALUES (2, REPEAT('x', 9000000), 1)", "SET SESSION binlog_row_image = FULL", "UPDATE c SET n = 3 WHERE id = 2")
    pair.equal("c", columns="id, SHA2(b, 256), LENGTH(b), n")


def test_encrypted_log(make_pair, tmp_path_factory):
    """The server decrypts what it sends, so an encrypted log is one like any other; but its first event says that it is."""
    model = make_pair("mariadb-11.8", "mariadb", ["x"])
    with Stack(tmp_path_factory.mktemp("encrypted")) as stack:
        keys = stack.directory / "keys"
        keys.touch(mode=0o600)
        keys.write_text("1;" + "0123456789abcdef" * 4 + "\n")
        server = stack.mariadb("encrypted", version="11.8", settings={
            "plugin-load-add": "file_key_management", "loose-file-key-management-filename": keys, "encrypt-binlog": "ON"})
        server.start()
        pair = Pair(stack, server, model.target, model.kafka, ["c"])
        pair.both("CREATE TABLE c (id int PRIMARY KEY, v varchar(20))")
        pair.start()
        server.rotate()
        pair.at_source("INSERT INTO c VALUES (1, 'secret')")
        assert pair.equal("c") == [(1, "secret")]
        assert b"secret" not in b"".join((server.data / name).read_bytes() for name, _ in server.binlogs())
        pair.close()
