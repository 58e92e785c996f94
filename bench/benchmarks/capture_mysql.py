"""capture-mysql: how fast a backlog is drained into Kafka, over mariadb-binlog decoding the same backlog from the server to /dev/null.

Each round writes a backlog into a binlog of its own and drains it once with each, in turn. Time runs from the start of streaming to
the moment when the last transaction is through; so the agent's start does not count. A first round, shown as round 0, warms the broker and
is left out of the ratios.
"""
import os
import subprocess
import tempfile
import time

from harness import Stack, config
from harness.wait import wait_until

from . import mysql
from .capture_postgres import peak_of
from .common import cpu_of

PER_TRANSACTION = 100
# The backlog is made fast; what is measured only reads it.
SETTINGS = {"max_binlog_size": "1G", "sync_binlog": 0, "innodb_flush_log_at_trx_commit": 2, "innodb_buffer_pool_size": "512M"}


def run(given, results):
    rows = given.rows - given.rows % PER_TRANSACTION
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        os.chmod(folder, 0o755)
        with Stack(os.path.join(folder, "s")) as stack:
            source, kafka = stack.mariadb("source", settings=SETTINGS), stack.kafka("kafka", heap=("512m", "1g"))
            stack.start(source, kafka)
            source.createdb("bench")
            source.execute(mysql.TABLE, dbname="bench")
            print(f"capture-mysql: {rows} inserts of 15 columns, transactions of {PER_TRANSACTION}")
            print(f"{'round':>5} {'who':15} {'rows/s':>9} {'us CPU/row':>11} {'broker us/row':>14} {'peak MiB':>9}")
            one_round(stack, source, kafka, rows, -1, None)  # a broker that was just started compiles itself first
            for number in range(given.repeat):
                one_round(stack, source, kafka, rows, number, results)


def one_round(stack, source, kafka, rows, number, results):
    prefix = f"bench{number + 1}"
    agent = stack.agent("capture", config.capture_config(
        source, kafka, name=prefix, topic_prefix=prefix, tables=["bench.bench"], dbname="bench"))
    agent.start()
    agent.wait_state("streaming", timeout=60)
    agent.stop()
    source.rotate()
    first, _ = source.binlog_status()
    mysql.fill(source, "bench", rows, PER_TRANSACTION)
    peer = drain_with_peer(source, first, rows)
    show(number, "mariadb-binlog", rows, peer)
    ours = drain_with_agent(kafka, agent, rows)
    show(number, "tailrace-capture", rows, ours)
    agent.stop()
    if results is None:
        return
    results.ratio("capture-mysql", "throughput", ours["rate"] / peer["rate"], 0.6, True)
    results.ratio("capture-mysql", "cpu_us_per_row", ours["cpu"] / rows * 1e6, 4, False)
    results.ratio("capture-mysql", "peak_MiB", ours["peak"] / 2**20, 64, False)


def show(number, who, rows, one):
    print(f"{number + 1:5} {who:15} {one['rate']:9.0f} {one['cpu'] / rows * 1e6:11.2f} {one.get('broker', 0) / rows * 1e6:14.2f}"
          f" {one['peak'] / 2**20:9.1f}", flush=True)


def drain_with_peer(source, first, rows):
    started = time.monotonic()
    used = peak = 0
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(
            ["mariadb-binlog", "--no-defaults", "--verbose", "--base64-output=decode-rows", "--read-from-remote-server",
             "--to-last-log", f"--host={source.host}", f"--port={source.port}", "--protocol=TCP", f"--user={source.user}", first],
            stdout=nowhere, env={**os.environ, "MYSQL_PWD": source.password})
        while process.poll() is None:
            used, peak = cpu_of(process.pid) or used, peak_of(process.pid) or peak
            time.sleep(0.02)
    if process.returncode != 0:
        raise RuntimeError("mariadb-binlog failed")
    return {"rate": rows / (time.monotonic() - started), "cpu": used, "peak": peak}


def drain_with_agent(kafka, agent, rows):
    broker_before = cpu_of(kafka.pid)
    agent.start()
    agent.wait_state("streaming", timeout=60)
    started = time.monotonic()
    wait_until(lambda: agent.status()["totals"]["transactions"] * PER_TRANSACTION >= rows, 600, "the backlog in Kafka",
               interval=0.02)
    elapsed = time.monotonic() - started
    return {"rate": rows / elapsed, "cpu": agent.cpu_seconds(), "broker": cpu_of(kafka.pid) - broker_before,
            "peak": agent.peak_rss_bytes()}
