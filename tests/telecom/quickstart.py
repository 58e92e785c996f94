"""What ./quickstart does once everything is installed and built: one run of the whole line, watched live.

1. start a customer database, a CRM (two PostgreSQL servers) and a Kafka broker, each in the folder of the run
2. start both agents, then the workload; nothing was in the tables before, so the log holds everything
3. each second a line: what was committed at the source, what arrived in the CRM, how late
4. --once: stop the workload, drain, compare source and target row by row, print the summary line
"""
import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import telecom
from checker import gather_rows
from harness.stack import Stack
from harness.wait import WaitTimeout
from telecom.line import Line
from telecom.workload import Workload

TOP = Path(__file__).resolve().parents[2]


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
        say("starting customer database, CRM and Kafka")
        line.start(agents=False)
        say(f"customer database: psql '{login(directory, line.source)}'")
        say(f"CRM:               psql '{login(directory, line.target)}'")
        say(f"Kafka:             {line.kafka.bootstrap_servers}")
        line.start_agents()
        say(f"both agents are streaming after {time.monotonic() - started:.1f} s; the call centre opens")
        journal_path = directory / "journal"
        journal_path.unlink(missing_ok=True)
        workload = Workload(line.source.conninfo, str(journal_path), workers=2, rate=given.rate).start()
        watch(line, workload, stopping, given.seconds if given.once else None)
        journal = workload.stop()
        return finish(line, journal) if given.once else 0


def login(directory, postgres):
    """What psql needs, with the password in a file that only its owner can read."""
    path = (directory / "stack" / f"{postgres.name}.pgpass").absolute()
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as out:
        out.write(f"*:*:*:{postgres.user}:{postgres.password}\n")
    return f"host={postgres.host} port={postgres.port} user={postgres.user} dbname={postgres.dbname} passfile={path}"


def watch(line, workload, stopping, seconds):
    """One line a second, until it is time."""
    end = None if seconds is None else time.monotonic() + seconds
    seen = 0
    while not stopping.is_set() and (end is None or time.monotonic() < end):
        stopping.wait(1 if end is None else max(0, min(1, end - time.monotonic())))
        show(line, workload, seen)
        seen += 1


def show(line, workload, seen):
    try:
        capture, apply = line.capture.status(), line.apply.status()
    except OSError as error:
        say(f"an agent does not answer: {error}")
        return
    if seen % 20 == 0:
        print("   committed at source       in Kafka         in CRM    behind     p50      p99   memory (capture, apply)"
              "   states")
    late = apply["latency_ms"]
    memory = [one["memory"]["resident_bytes"] / 2**20 for one in (capture, apply)]
    behind = apply["lag"]["seconds"]
    print(f"{workload.journal.transactions:9d} tx {workload.journal.rows:9d} rows {capture['totals']['transactions']:9d} tx"
          f" {apply['totals']['transactions']:9d} tx {'' if behind is None else f'{behind:7.2f} s':>9}"
          f" {late['p50'] or 0:6.1f}ms {late['p99'] or 0:6.1f}ms   {memory[0]:5.1f} MiB {memory[1]:5.1f} MiB"
          f"         {capture['state']}, {apply['state']}", flush=True)
    for one in (capture, apply):
        if one["error"]:
            say(f"{one['name']}: {one['error']['text']} (hint: {one['error']['hint']})")


def finish(line, journal):
    say("the call centre closes; draining")
    try:
        line.drain()
    except WaitTimeout as error:
        say(f"not drained: {error}")
    tables = list(telecom.COLUMNS)
    source = gather_rows(line.source, telecom.select_source, tables)
    target = gather_rows(line.target, telecom.select_target, tables)
    differences = 0
    for table in tables:
        wrong = len(set(source[table]) ^ set(target[table])) or abs(len(source[table]) - len(target[table]))
        differences += wrong
        print(f"  {table:20} {len(source[table]):8d} rows at the source {len(target[table]):8d} in the CRM"
              f" {wrong:6d} differences")
    late = line.apply.status()["latency_ms"]
    print(f"quickstart: {journal.transactions} transactions, {journal.rows} rows, {differences} differences, "
          f"p50 {late['p50']:.1f} ms, p99 {late['p99']:.1f} ms", flush=True)
    return 0 if differences == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
