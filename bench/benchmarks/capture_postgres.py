"""capture-postgres: how fast a backlog is drained into Kafka, over pg_recvlogical draining the same backlog to /dev/null.

Both read the same log: two slots, made before the backlog was written. Each round drains it once with each, in turn.
Time runs from the start of streaming to the moment when the last transaction is through; so the agents' start counts for neither.
"""
import os
import subprocess
import tempfile
import time

from harness import Stack, config
from harness.places import postgres_programs
from harness.wait import wait_until

from .common import TABLE, cpu_of, fill

PER_TRANSACTION = 100
SETTINGS = {"max_wal_size": "8GB", "checkpoint_timeout": "30min", "synchronous_commit": "off", "max_replication_slots": 20,
            "max_wal_senders": 20}


def run(given, results):
    rows = given.rows
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        os.chmod(folder, 0o755)
        with Stack(os.path.join(folder, "s")) as stack:
            postgres, kafka = stack.postgres("source", settings=SETTINGS), stack.kafka("kafka", heap=("512m", "1g"))
            stack.start(postgres, kafka)
            postgres.execute(TABLE)
            postgres.execute("CREATE PUBLICATION p FOR TABLE bench")
            print(f"capture-postgres: {rows} inserts of 15 columns, transactions of 100")
            print(f"{'round':>5} {'who':15} {'rows/s':>9} {'us CPU/row':>11} {'walsender us/row':>17} {'broker us/row':>14}"
                  f" {'peak MiB':>9}")
            for number in range(given.repeat):
                one_round(stack, postgres, kafka, rows, number, results)


def one_round(stack, postgres, kafka, rows, number, results):
    prefix = f"bench{number}"
    agent = stack.agent("capture", config.capture_config(
        postgres, kafka, name=prefix, topic_prefix=prefix, tables=["public.bench"], slot_name=prefix,
        publication_name="p", publication_create="disabled"))
    agent.start()
    agent.wait_state("streaming", timeout=60)
    agent.stop()
    postgres.execute(f"SELECT pg_create_logical_replication_slot('peer{number}', 'pgoutput')")
    fill(postgres, rows, PER_TRANSACTION)
    end = postgres.value("SELECT pg_current_wal_flush_lsn()::text")
    postgres.execute("CHECKPOINT")
    peer = drain_with_peer(postgres, f"peer{number}", end, rows)
    show(number, "pg_recvlogical", rows, peer)
    ours = drain_with_agent(postgres, kafka, agent, rows)
    show(number, "tailrace-capture", rows, ours)
    postgres.execute(f"SELECT pg_drop_replication_slot('peer{number}')")
    agent.stop()
    postgres.execute(f"SELECT pg_drop_replication_slot('{prefix}')")
    results.ratio("capture-postgres", "throughput", ours["rate"] / peer["rate"], 0.7, True)
    results.ratio("capture-postgres", "cpu_us_per_row", ours["cpu"] / rows * 1e6, 8, False)
    results.ratio("capture-postgres", "peak_MiB", ours["peak"] / 2**20, 64, False)


def show(number, who, rows, one):
    print(f"{number + 1:5} {who:15} {one['rate']:9.0f} {one['cpu'] / rows * 1e6:11.2f} {one['sender'] / rows * 1e6:17.2f}"
          f" {one.get('broker', 0) / rows * 1e6:14.2f} {one['peak'] / 2**20:9.1f}", flush=True)


def sender_pid(postgres, slot):
    return postgres.value("SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s", (slot,))


def drain_with_peer(postgres, slot, end, rows):
    started = time.monotonic()
    process = subprocess.Popen(
        [os.path.join(postgres_programs(), "pg_recvlogical"), "-h", postgres.host, "-p", str(postgres.port), "-U", postgres.user, "-d",
         postgres.dbname, "-S", slot, "--start", "--endpos", end, "-f", "/dev/null", "-o", "proto_version=1", "-o",
         "publication_names=p"], env={**os.environ, "PGPASSWORD": postgres.password})
    sender = wait_until(lambda: sender_pid(postgres, slot), 20, "pg_recvlogical to stream", interval=0.01)
    used = peak = sender_used = 0
    while process.poll() is None:
        used, sender_used = cpu_of(process.pid) or used, cpu_of(sender) or sender_used
        peak = peak_of(process.pid) or peak
        time.sleep(0.02)
    return {"rate": rows / (time.monotonic() - started), "cpu": used, "sender": sender_used, "peak": peak}


def peak_of(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


def drain_with_agent(postgres, kafka, agent, rows):
    broker_before = cpu_of(kafka.pid)
    agent.start()
    agent.wait_state("streaming", timeout=60)
    started = time.monotonic()
    sender = sender_pid(postgres, agent.name)
    # A transaction counts when Kafka has acknowledged all of it.
    wait_until(lambda: agent.status()["totals"]["transactions"] * PER_TRANSACTION >= rows, 600, "the backlog in Kafka",
               interval=0.02)
    elapsed = time.monotonic() - started
    return {"rate": rows / elapsed, "cpu": agent.cpu_seconds(), "sender": cpu_of(sender) if sender else 0,
            "broker": cpu_of(kafka.pid) - broker_before, "peak": agent.peak_rss_bytes()}
