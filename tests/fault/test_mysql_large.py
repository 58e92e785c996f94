"""What is large: a transaction of ten million rows within 64 MiB, one of a million rows through kills of both agents, rows of 20 MB."""
import random

import pytest
from confluent_kafka import TopicPartition

from checker.evidence import Decoder
from harness import Stack, wait_until
from telecom.pair import Pair

MIB = 1 << 20
HUGE, MANY, SOME = 10_000_000, 1_000_000, 200_000
# One transaction of this size is what is looked at, not how safe a laptop's disk makes it.
SETTINGS = {"innodb-flush-log-at-trx-commit": 0, "sync-binlog": 0, "innodb-log-file-size": "256M", "innodb-buffer-pool-size": "256M"}


@pytest.fixture(scope="module")
def servers(tmp_path_factory, request):
    with Stack(tmp_path_factory.mktemp("l")) as stack:
        stack.billing = stack.mariadb("billing-db", settings=SETTINGS)
        stack.copy = stack.mariadb("copy-db", settings={**SETTINGS, "log-bin": None, "log-slave-updates": None})
        stack.crm = stack.postgres("crm-db")
        stack.broker = stack.kafka("kafka")
        stack.start(stack.billing, stack.copy, stack.crm, stack.broker)
        yield stack
        if request.session.testsfailed:
            stack.keep = True


@pytest.fixture(scope="module")
def pair(servers):
    """huge is captured only, many is applied as well."""
    applied = ["large.many", "large.drain_mark"]
    pair = Pair(servers, servers.billing, servers.copy, servers.broker, ["huge", "many"], name="large",
                apply={"include": applied, "mapping": [{"source": one, "target": one} for one in applied]})
    pair.both("CREATE TABLE huge (id int NOT NULL PRIMARY KEY); CREATE TABLE many (id int NOT NULL PRIMARY KEY, n bigint, t varchar(20))")
    yield pair.start()
    pair.close()


def marks(pair):
    decoder = Decoder(pair.kafka)
    found = [decoder.decode(record.value()) for record in pair.kafka.read_topic(f"{pair.prefix}.transaction")]
    return [mark for mark in found if mark["status"] == "END"]


def test_a_transaction_of_ten_million_rows(pair):
    pair.at_source(f"INSERT INTO huge SELECT seq FROM seq_1_to_{HUGE}")
    pair.drain(timeout=300)
    topic = pair.topic("huge")
    assert pair.kafka.end_offsets(topic) == {0: HUGE}
    (mark,) = [mark for mark in marks(pair) if mark["event_count"] > 1]
    assert mark["event_count"] == HUGE
    decoder = Decoder(pair.kafka)
    for start, stop in ((0, 1000), (HUGE - 1000, HUGE)):
        events = [decoder.decode(record.value()) for record in read(pair.kafka, topic, start, stop)]
        assert [event["after"]["id"] for event in events] == list(range(start + 1, stop + 1))
        assert [event["transaction"]["total_order"] for event in events] == list(range(start + 1, stop + 1))
        assert {event["transaction"]["id"] for event in events} == {mark["id"]}
    assert pair.capture.peak_rss_bytes() <= 64 * MIB


def test_a_transaction_of_a_million_rows_and_kills(pair):
    """A transaction that was read in part is read again, and sent from where Kafka ends; in the target it is whole or not there."""
    seen, sent = set(), 0

    def look(wanted):
        seen.add(pair.target.value("SELECT count(*) FROM large.many"))
        return wanted in seen
    for before, after, rows, records, sql in (
            (0, MANY, MANY, MANY, f"INSERT INTO many SELECT seq, -seq, concat('row ', seq) FROM seq_1_to_{MANY}"),
            (MANY, MANY, SOME, SOME, f"UPDATE many SET n = n * 2 WHERE id <= {SOME}"),
            (MANY, MANY - SOME, SOME, 2 * SOME, f"DELETE FROM many WHERE id <= {SOME}")):  # a delete has a tombstone
        seen.clear()
        for agent, point in ((pair.capture, "capture.change.produced"), (pair.apply, "apply.change.written")):
            agent.stop()
            agent.start(failpoints=f"{point}=kill@{rows // 3}")
        pair.at_source(sql)
        for agent in (pair.capture, pair.apply):
            agent.wait_end(timeout=120)
            assert not look(None) and seen == {before}
            agent.start()
        sent += records
        wait_until(lambda: look(after) and pair.kafka.end_offsets(pair.topic("many")) == {0: sent}, 180, "the transaction", 0.02)
        pair.drain(timeout=120)
        assert seen <= {before, after}
        totals = "SELECT count(*), coalesce(sum(n), 0), coalesce(max(t), '') FROM many"
        assert pair.target_rows(totals) == pair.source_rows(totals)
        for agent in (pair.capture, pair.apply):
            assert agent.peak_rss_bytes() <= 64 * MIB, f"{agent.name}: {agent.peak_rss_bytes() / MIB} MiB"


def read(kafka, topic, start, stop):
    """The records of partition 0 from one offset up to another."""
    consumer = kafka.consumer()
    found = []
    try:
        consumer.assign([TopicPartition(topic, 0, start)])
        wait_until(lambda: found.extend(one for one in consumer.consume(1000, 0.2) if not one.error()) or len(found) >= stop - start, 30,
                   f"{stop - start} records")
    finally:
        consumer.close()
    return found[:stop - start]


@pytest.mark.parametrize("source,target", [("billing", "crm"), ("crm", "copy"), ("billing", "copy")])
def test_rows_of_20_mb(servers, source, target):
    pair = Pair(servers, getattr(servers, source), getattr(servers, target), servers.broker, ["doc"], name=f"{source}_{target}")
    binary, text = {"postgresql": ("bytea", "text"), "mariadb": ("longblob", "longtext")}[pair.source.kind]
    pair.at_source(f"CREATE TABLE doc (id int PRIMARY KEY, b {binary}, t {text}, n int)")
    binary, text = {"postgresql": ("bytea", "text"), "mariadb": ("longblob", "longtext")}[pair.target.kind]
    pair.at_target(f"CREATE TABLE doc (id int PRIMARY KEY, b {binary}, t {text}, n int)")
    pair.start()
    chance = random.Random(20)
    rows = [(1, chance.randbytes(20 * MIB), None, 1), (2, None, "Überweisung 🎉 '\\\n" * (20 * MIB // 21), 2)]
    for row in rows:
        pair.at_source("INSERT INTO doc VALUES (%s, %s, %s, %s)", row)
    pair.drain(timeout=120)
    assert sorted((number, blob and bytes(blob), words, n) for number, blob, words, n in pair.target_rows("SELECT * FROM doc")) == rows
    for agent in (pair.capture, pair.apply):
        print(agent.name, agent.peak_rss_bytes() / MIB)
    pair.close()
