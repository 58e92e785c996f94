"""What ./quickstart does once everything is installed and built: one run of all streams, watched live.

    customer database (PostgreSQL) ─► Kafka ─┬─► CRM (PostgreSQL)
                                             └─► customers beside the billing database (MariaDB)
    billing database (MariaDB) ────► Kafka ────► ERP (PostgreSQL)

1. start the servers and a Kafka broker, each in the folder of the run, and warm the broker
2. start the agents, then a call centre's and, a second later, a billing department's work; nothing was in the tables before, so
   the logs hold everything
3. each second a line a stream: what was committed at the source, what arrived in the target, how late
4. all the while a reader looks at the ERP: in what it sees the amounts agree to the cent, or a transaction was torn
5. --once: stop the work, drain, compare sources and targets row by row, reconcile billing, print the summary
"""
import argparse
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
from confluent_kafka import TopicPartition

import telecom
from checker import gather_rows
from harness.stack import Stack
from harness.wait import WaitTimeout
from telecom import billing, billing_workload, customers
from telecom.line import Line
from telecom.workload import Workload

TOP = Path(__file__).resolve().parents[2]
CALL_CENTRE_SHARE = 0.6  # of the transactions a second; billing has the rest, and more rows in each


@dataclasses.dataclass
class Stream:
    """From a source to a target. drain() returns when the target has all; differences(): {table: (rows, rows, differences)}."""

    name: str
    capture: object
    apply: object
    journal: object
    drain: object
    differences: object
    probe: object = None

    def latency_ms(self):
        """(p50, p99) from the source's commit to the target's."""
        late = self.probe.latency_ms() if self.probe else self.apply.status()["latency_ms"]
        return late["p50"] or 0, late["p99"] or 0


def say(text):
    print(f"quickstart: {text}", flush=True)


def main():
    given = arguments()
    directory = Path(given.directory)
    pid_file = directory / "quickstart.pid"
    running = running_pid(pid_file)
    if given.command == "stop":
        return stop(pid_file, running)
    if given.command == "status":
        return status(directory, given.bindir, running)
    if running:
        say(f"one is running already in {given.directory} (process {running}); ./quickstart stop ends it")
        return 69
    directory.mkdir(parents=True, exist_ok=True)
    pid_file.write_text(str(os.getpid()))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        return run(given, directory, stopping)
    finally:
        pid_file.unlink(missing_ok=True)


def arguments():
    parser = argparse.ArgumentParser(prog="quickstart")
    parser.add_argument("command", nargs="?", choices=["start", "stop", "status"], default="start")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--directory", default=str(TOP / ".run" / "quickstart"))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--bindir", required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def running_pid(pid_file):
    try:
        pid = int(pid_file.read_text())
        return pid if "quickstart" in Path(f"/proc/{pid}/cmdline").read_text() else None
    except (OSError, ValueError):
        return None


def stop(pid_file, pid):
    if pid is None:
        say("nothing is running here")
        return 0
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 30
    while running_pid(pid_file) == pid:
        if time.monotonic() > end:
            say(f"process {pid} has not ended within 30 s")
            return 1
        time.sleep(0.1)
    say("stopped")
    return 0


def status(directory, bindir, pid):
    if pid is None:
        say("nothing is running here")
        return 1
    say(f"running as process {pid}")
    return subprocess.call([os.path.join(bindir, "tailrace"), "status", "--run-directory",
                            str(directory / "stack" / "run")])


def run(given, directory, stopping):
    started = time.monotonic()
    with Stack(directory / "stack", bindir=given.bindir, keep=given.keep) as stack:
        line = Line(stack)
        bills = billing.Billing(stack, line.kafka, target=stack.postgres("erp-db", settings={"track_commit_timestamp": "on"}))
        copy = customers.Customers(line, bills.source)
        say("starting customer database, CRM, billing database, ERP and Kafka")
        stack.start(line.source, line.target, bills.source, bills.target, line.kafka)
        warming = threading.Thread(target=warm, args=(line.kafka,), name="warm")
        warming.start()
        for part in (line, bills, copy):
            part.prepare()
        warming.join()
        say(f"customer database: psql '{login(directory, line.source)}'")
        say(f"CRM:               psql '{login(directory, line.target)}'")
        say(f"billing database:  {' '.join(map(str, bills.source.client_command()))} billing")
        say(f"ERP:               psql '{login(directory, bills.target)}'")
        say(f"Kafka:             {line.kafka.bootstrap_servers}")
        start_agents(line, bills, copy)
        say(f"all agents are streaming after {time.monotonic() - started:.1f} s; call centre and billing department open")
        works = start_work(given, directory, line, bills)
        probe = Probe(bills)
        streams = [Stream("customers to CRM", line.capture, line.apply, works[0].journal, line.drain, lambda: crm_differences(line)),
                   Stream("customers to billing", line.capture, copy.apply, works[0].journal, copy.drain,
                          lambda: customers.differences(line.source, copy.target)),
                   Stream("billing to ERP", bills.capture, bills.apply, works[1].journal, bills.drain,
                          lambda: billing.differences(bills.source, bills.target), probe)]
        reader = Reader(bills.target)
        watch(streams, stopping, given.seconds if given.once else None)
        for work in (*works, probe):
            work.stop()
        return finish(streams, bills, reader) if given.once else 0


def warm(kafka, seconds=5):
    """Gives the broker work of the kind that it will have: a JVM compiles what runs often, and until then takes ten times as long. Without
    this the slowest transactions would be those of its first second, and tell nothing of the line."""
    topics = [f"warm-up-{number}" for number in range(8)]
    for topic in topics:
        kafka.create_topic(topic)
    producer, consumer = kafka.producer(), kafka.consumer(fetch_wait_max_ms=10)
    consumer.assign([TopicPartition(topic, 0, 0) for topic in topics])
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for topic in topics:
            producer.produce(topic, key=b"key", value=bytes(500))
        producer.flush(10)
        consumer.consume(len(topics), timeout=0.01)
        kafka.end_offsets(topics[0])
    consumer.close()
    for topic in topics:
        kafka.delete_topic(topic)


def start_agents(line, bills, copy):
    """Both sides of the line, one after the other: an apply agent that is there before the topics of the tables waits for them by itself,
    but then the first transaction waits until it has read the list of topics anew."""
    for parts, start, state in (((line, bills), "capture", "streaming"), ((line, copy, bills), "apply", "applying")):
        for part in parts:
            getattr(part, f"start_{start}")(wait=False)
        for part in parts:
            getattr(part, start).wait_state(state, timeout=60)


def start_work(given, directory, line, bills):
    """The call centre opens, and a second later the billing department: each begins with tables that nobody has met yet."""
    for name in ("journal", "billing-journal"):
        (directory / name).unlink(missing_ok=True)
    calls, invoices = given.rate * CALL_CENTRE_SHARE, given.rate * (1 - CALL_CENTRE_SHARE)
    call_centre = Workload(line.source.conninfo, str(directory / "journal"), workers=2, rate=calls).start()
    time.sleep(1)
    return [call_centre,
            billing_workload.Workload(lambda: bills.source.connect("billing"), str(directory / "billing-journal"), workers=2,
                                      rate=invoices).start()]


class Reader(threading.Thread):
    """Looks at the ERP again and again, in one snapshot each time, as its users do."""

    def __init__(self, erp):
        super().__init__(daemon=True, name="reader")
        self.erp, self.ending = erp, threading.Event()
        self.looks, self.broken = 0, []
        self.start()

    def run(self):
        while not self.ending.wait(0.3):
            self.broken += [f"{count} {rule}" for rule, count in billing.broken_rules(self.erp).items()]
            self.looks += 1

    def stop(self):
        self.ending.set()
        self.join(30)


class Probe(threading.Thread):
    """Commits a mark at the billing database ten times a second, whatever became of those before; the ERP keeps the times of its commits.
    The agent's own figures are too coarse there: MariaDB's log tells the time of a commit by the second only."""

    def __init__(self, bills):
        super().__init__(daemon=True, name="probe")
        self.bills, self.ending = bills, threading.Event()
        self.under_way, self.milliseconds = {}, []  # mark -> time
        self.start()

    def run(self):
        with self.bills.source.connect("billing", autocommit=False) as source, source.cursor() as cursor:
            while not self.ending.wait(0.1):
                mark = f"probe {time.monotonic_ns()}"
                cursor.execute("INSERT INTO billing_log VALUES (now(6), 'probe', %s, NULL)", [mark])
                self.under_way[mark] = time.time()
                source.commit()

    def look(self):
        """Takes note of the marks that have arrived."""
        sql = "SELECT action, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM erp.billing_log WHERE action = ANY(%s)"
        try:
            rows = self.bills.target.query(sql, [list(self.under_way)])
        except psycopg.OperationalError:
            return  # the ERP is down: those that wait are late
        for mark, arrived in rows:
            self.milliseconds.append((arrived - self.under_way.pop(mark)) * 1000)

    def latency_ms(self):
        self.look()
        found = sorted(self.milliseconds)
        return {name: found[int(share * (len(found) - 1))] if found else None for name, share in (("p50", 0.5), ("p99", 0.99))}

    def stop(self):
        self.ending.set()
        self.join(30)


def login(directory, postgres):
    """What psql needs, with the password in a file that only its owner can read."""
    path = (directory / "stack" / f"{postgres.name}.pgpass").absolute()
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as out:
        out.write(f"*:*:*:{postgres.user}:{postgres.password}\n")
    return f"host={postgres.host} port={postgres.port} user={postgres.user} dbname={postgres.dbname} passfile={path}"


def watch(streams, stopping, seconds):
    """A line for each stream a second, until it is time."""
    end = None if seconds is None else time.monotonic() + seconds
    seen = 0
    while not stopping.is_set() and (end is None or time.monotonic() < end):
        stopping.wait(1 if end is None else max(0, min(1, end - time.monotonic())))
        show(streams, seen)
        seen += 1


def show(streams, seen):
    if seen % 8 == 0:
        print("  stream                 committed at source       in Kafka      in target    behind      p50      p99"
              "   memory (capture, apply)   states")
    for stream in streams:
        try:
            show_one(stream)
        except OSError as error:
            say(f"{stream.name}: an agent does not answer: {error}")


def show_one(stream):
    capture, apply = stream.capture.status(), stream.apply.status()
    p50, p99 = stream.latency_ms()
    memory = [one["memory"]["resident_bytes"] / 2**20 for one in (capture, apply)]
    behind = apply["lag"]["seconds"]
    print(f"  {stream.name:20} {stream.journal.transactions:7d} tx {stream.journal.rows:8d} rows"
          f" {capture['totals']['transactions']:9d} tx {apply['totals']['transactions']:9d} tx"
          f" {'' if behind is None else f'{behind:7.2f} s':>9} {p50:6.1f}ms {p99:6.1f}ms"
          f"   {memory[0]:5.1f} MiB {memory[1]:5.1f} MiB         {capture['state']}, {apply['state']}", flush=True)
    for one in (capture, apply):
        if one["error"]:
            say(f"{one['name']}: {one['error']['text']} (hint: {one['error']['hint']})")


def crm_differences(line):
    tables = list(telecom.COLUMNS)
    source = gather_rows(line.source, telecom.select_source, tables)
    target = gather_rows(line.target, telecom.select_target, tables)
    return {table: (len(source[table]), len(target[table]), len(set(source[table]) ^ set(target[table]))
                    or abs(len(source[table]) - len(target[table]))) for table in tables}


def finish(streams, bills, reader):
    say("call centre and billing department close; draining")
    for stream in streams:
        try:
            stream.drain()
        except WaitTimeout as error:
            say(f"{stream.name}: not drained: {error}")
    reader.stop()
    found = 0
    for stream in streams:
        found += compare(stream)
    line, wrong = billing.reconcile(bills.source, bills.target)
    say(f"readers of the ERP looked {reader.looks} times during the run and found {len(reader.broken)} broken sums"
        + "".join(f"; {one}" for one in reader.broken[:5]))
    say(line)
    found += wrong + len(reader.broken) + (reader.looks == 0)
    journals = {id(stream.journal): stream.journal for stream in streams}.values()
    p50, p99 = (max(figures) for figures in zip(*(stream.latency_ms() for stream in streams)))  # of the slowest stream
    say(f"{sum(one.transactions for one in journals)} transactions, {sum(one.rows for one in journals)} rows, {found} differences,"
        f" p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return 0 if found == 0 else 1


def compare(stream):
    """Row by row; prints a line for each table and one for the stream."""
    differences = 0
    for table, (source, target, wrong) in stream.differences().items():
        differences += wrong
        print(f"  {table:30} {source:8d} rows at the source {target:8d} in the target {wrong:6d} differences")
    p50, p99 = stream.latency_ms()
    say(f"{stream.name}: {stream.apply.status()['totals']['transactions']} transactions, {differences} differences,"
        f" p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return differences


if __name__ == "__main__":
    sys.exit(main())
