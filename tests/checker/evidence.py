"""Gathers the evidence with clients that have nothing to do with Tailrace: confluent-kafka, fastavro, psycopg and PyMySQL.

The topics are read as any foreign reader would read them: schemas from `_schemas` (the format of Confluent's registry), messages in
Confluent's wire format (byte 0, four bytes of schema id, Avro).
"""
import io
import json
import struct
import threading

import fastavro
import psycopg
import pymysql

from .verdict import Event, Journal, Mark

CONTROL = ("transaction", "heartbeat", "position")


def gather_journal(path, named=True):
    """The workload's memory. named: intents go by the name that the topics have; else "of" says which one a commit answers."""
    journal = Journal({}, set(), set())
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            if "intent" in one:
                journal.unknown.add(one["intent"])
            elif "committed" in one:
                journal.unknown.discard(one.get("of", one["committed"]))
                journal.committed[one["committed"]] = one["rows"]
            else:
                journal.rolled_back.add(one["rolled_back"])
    if not named:
        journal.unnamed, journal.unknown = len(journal.unknown), set()
    return journal


class Decoder:
    """Avro by the registry's log."""

    def __init__(self, kafka):
        self.kafka, self.texts, self.parsed = kafka, {}, {}
        self.refresh()

    def refresh(self):
        for record in self.kafka.read_topic("_schemas"):
            key = json.loads(record.key())
            if key["keytype"] == "SCHEMA" and record.value() is not None:
                value = json.loads(record.value())
                self.texts.setdefault(value["id"], value["schema"])

    def decode(self, data):
        if data is None:
            return None
        magic, number = struct.unpack(">bI", data[:5])
        assert magic == 0, f"not in the wire format: {data[:8]!r}"
        if number not in self.parsed:
            self.parsed[number] = fastavro.parse_schema(json.loads(self.texts[number]))
        stream = io.BytesIO(data[5:])
        value = fastavro.schemaless_reader(stream, self.parsed[number], return_record_name=False)
        assert stream.read(1) == b"", "bytes behind the Avro value"
        return value


class Topics:
    """All topics of a prefix as read so far: marks, events, tombstones {(topic, partition, offset): key}.

    read() goes on where the last one ended, so that a verdict after each of many faults does not read everything each time.
    """

    def __init__(self, kafka, prefix):
        self.kafka, self.prefix = kafka, prefix
        self.marks, self.events, self.tombstones = [], [], {}
        self.decoder = None
        self.next = {}  # topic -> {partition: offset}

    def read(self):
        if self.decoder is None:
            self.decoder = Decoder(self.kafka)
        self.decoder.refresh()
        for topic in sorted(self.kafka.topics()):
            name = topic.removeprefix(self.prefix + ".")
            if name != topic and name not in CONTROL:
                for record in self._news(topic):
                    self._take(topic, record)
        self.events.sort(key=lambda event: (event.topic, event.partition, event.offset))
        for record in self._news(self.prefix + ".transaction"):
            mark = self.decoder.decode(record.value())
            counts = tuple((one["data_collection"], one["event_count"]) for one in mark["data_collections"] or [])
            self.marks.append(Mark(record.offset(), mark["status"], mark["id"], mark["event_count"] or 0, counts, mark["previous"]))
        return self

    def _news(self, topic):
        at = self.next.setdefault(topic, {})
        found = self.kafka.read_topic(topic, start=at)
        for record in found:
            at[record.partition()] = record.offset() + 1
        return found

    def _take(self, topic, record):
        if record.value() is None:
            self.tombstones[topic, record.partition(), record.offset()] = record.key()
            return
        event = self.decoder.decode(record.value())
        self.decoder.decode(record.key())
        block, source = event["transaction"], event["source"]
        self.events.append(Event(topic, record.partition(), record.offset(), block["id"], block["total_order"],
                                 block["data_collection_order"], f"{source.get('schema') or source['db']}.{source['table']}",
                                 event["op"], record.key()))


def gather_topics(kafka, prefix):
    """(marks, events, tombstones) of all topics of the prefix, read from their beginning."""
    topics = Topics(kafka, prefix).read()
    return topics.marks, topics.events, topics.tombstones


def missing_tombstones(events, tombstones):
    """Deletes that are not followed by the tombstone of their key, and tombstones that follow nothing."""
    owed = {(e.topic, e.partition, e.offset + 1): e.key for e in events if e.op == "d" and e.key is not None}
    return ([place for place, key in owed.items() if tombstones.get(place) != key]
            + [place for place in tombstones if place not in owed])


def gather_rows(postgres, select, tables):
    """{table: [rows as texts]}; all tables in one snapshot."""
    rows = {}
    with postgres.connect(autocommit=False) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for table in tables:
            rows[table] = connection.execute(select(table)).fetchall()
    return rows


class Sampler(threading.Thread):
    """Reads the target's invariants over and over while the load runs; .samples holds each different value seen, .taken counts.

    server: a Postgres, MariaDB or MySQL. Each statement is a snapshot of its own; its value is taken as text.
    """

    def __init__(self, server, invariants, pause=0.01):
        super().__init__(daemon=True, name="sampler")
        self.server, self.invariants, self.pause = server, invariants, pause
        self.stopping = threading.Event()
        self.samples, self.taken = set(), 0

    def run(self):
        connection = None
        while not self.stopping.wait(self.pause):
            try:
                connection = connection or self.server.connect()
                with connection.cursor() as cursor:
                    for what, sql in self.invariants.items():
                        cursor.execute(sql)
                        self.samples.add((what, str(cursor.fetchone()[0])))
                        self.taken += 1
            except (psycopg.OperationalError, pymysql.err.OperationalError, pymysql.err.InterfaceError, OSError):
                connection = None  # the server is down for a moment

    def stop(self):
        self.stopping.set()
        self.join(10)
        return sorted(self.samples)
