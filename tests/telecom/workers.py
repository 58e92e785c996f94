"""What every workload has: workers, each a thread with its own connection, a pace for all of them, and a journal.

The journal is the workload's own memory of what it did, one JSON line an event, and does not go through the database.
"""
import json
import os
import random
import threading
import time


class Journal:
    """Appends lines to a file; thread-safe; each line is one write, so a killed workload leaves whole lines."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.lock = threading.Lock()
        self.transactions = 0
        self.rows = 0

    def write(self, **event):
        with self.lock:
            os.write(self.fd, (json.dumps(event) + "\n").encode())
            if "committed" in event:
                self.transactions += 1
                self.rows += sum(event["rows"].values())


class Pace:
    """Lets workers start `rate` transactions a second in all."""

    def __init__(self, rate):
        self.step, self.lock, self.next = 1.0 / rate, threading.Lock(), time.monotonic()

    def wait(self, stopping):
        with self.lock:
            self.next = max(self.next + self.step, time.monotonic() - 0.5)
            due = self.next
        left = due - time.monotonic()
        if left > 0:
            stopping.wait(left)


class Worker(threading.Thread):
    """Does one transaction after another until it is told to stop; what it died of is in `failure`.

    A kind of worker gives connect(), choose() (the next piece of work), transaction(conn, work), which keeps the journal, and recover(error),
    which is called with what it names in `recoverable`.
    """

    vocabulary = ()
    recoverable = ()

    def __init__(self, name, seed, journal, stop, pace):
        super().__init__(daemon=True, name=name)
        self.journal, self.stopping, self.pace = journal, stop, pace
        self.random = random.Random(seed)
        self.next_id = 0
        self.rows = {}  # row events of the transaction under way: table -> number
        self.conn = self.failure = None

    def run(self):
        try:
            while not self.stopping.is_set():
                if self.pace is not None:
                    self.pace.wait(self.stopping)
                try:
                    if self.conn is None:
                        self.conn = self.connect()
                    self.transaction(self.conn, self.choose())
                except self.recoverable as error:
                    self.recover(error)
        except Exception as error:  # reported by the main thread
            self.failure = error
        finally:
            if self.conn is not None:
                self.conn.close()

    def new_number(self):
        self.next_id += 1
        return self.next_id

    def words(self, n, choice=None):
        return " ".join(self.random.choice(choice or self.vocabulary) for _ in range(n))


class Workload:
    """start(), stop(); .journal counts. Raises in stop() what a worker died of. server: what a worker is told of its server."""

    worker = Worker

    def __init__(self, server, journal_path, workers, rate, seed):
        self.journal = Journal(journal_path)
        self.stopping = threading.Event()
        pace = Pace(rate) if rate else None
        self.workers = [self.worker(n + 1, server, self.journal, self.stopping, pace, seed) for n in range(workers)]

    def start(self):
        for worker in self.workers:
            worker.start()
        return self

    def stop(self):
        self.stopping.set()
        for worker in self.workers:
            worker.join(30)
        for worker in self.workers:
            if worker.failure is not None:
                raise worker.failure
        return self.journal
