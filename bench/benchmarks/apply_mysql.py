"""apply-mysql: how fast a backlog in Kafka is applied to MariaDB, over MariaDB's own replica applying the same transactions.

Both start with everything at hand: the replica with the whole backlog in its relay log (only its SQL thread is started for the clock),
tailrace-apply, from the start of its process, with the whole backlog in Kafka. Both targets are servers with the same settings, durable at each commit and without a binlog of their own.
"""
import os
import tempfile
import time

from harness import Stack, config
from harness.wait import wait_until

from . import mysql

PER_TRANSACTION = 100
SOURCE = {"max_binlog_size": "1G", "sync_binlog": 0, "innodb_flush_log_at_trx_commit": 2, "innodb_buffer_pool_size": "256M"}
TARGET = {"log-bin": None, "innodb_flush_log_at_trx_commit": 1, "innodb_buffer_pool_size": "1G", "innodb_log_file_size": "1G"}


def run(given, results):
    rows = given.rows - given.rows % PER_TRANSACTION
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        os.chmod(folder, 0o755)
        print(f"apply-mysql: {rows} inserts of 15 columns, transactions of {PER_TRANSACTION}")
        for number in range(given.repeat):
            with Stack(os.path.join(folder, f"s{number}")) as stack:
                one_round(stack, rows, number, results)


def one_round(stack, rows, number, results):
    source = stack.mariadb("source", settings=SOURCE)
    ours, replica = stack.mariadb("ours", settings=TARGET), stack.mariadb("replica", settings=TARGET)
    kafka = stack.kafka("kafka", heap=("512m", "1g"))
    stack.start(source, ours, replica, kafka)
    for server in (source, ours):
        server.createdb("bench")
        server.execute(mysql.TABLE, dbname="bench")
    replica.follow(source)
    replica.wait_value("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'bench'", 1)
    capture = stack.agent("capture", config.capture_config(source, kafka, name="c", topic_prefix="bench",
                                                           tables=["bench.bench"], dbname="bench"))
    capture.start()
    capture.wait_state("streaming", timeout=60)
    replica.execute("STOP SLAVE SQL_THREAD")
    mysql.fill(source, "bench", rows, PER_TRANSACTION)
    wait_until(lambda: capture.status()["totals"]["transactions"] * PER_TRANSACTION >= rows, 600, "the backlog in Kafka")
    capture.stop()
    wait_until(lambda: relayed(replica, source), 600, "the backlog in the relay log")
    figures = {"replica": timed(lambda: replica.execute("START SLAVE SQL_THREAD"), replica, rows)}
    agent = stack.agent("apply", config.apply_config(ours, kafka, name="a", topic_prefix="bench", include=["bench.bench"]))
    figures["tailrace-apply"] = timed(agent.start, ours, rows)
    for who, rate in figures.items():
        print(f"  round {number + 1} {who:15} {rate:9.0f} rows/s", flush=True)
    peak = agent.peak_rss_bytes() / 2**20
    print(f"  tailrace-apply: peak {peak:.1f} MiB, {agent.cpu_seconds() / rows * 1e6:.2f} us CPU a row")
    agent.stop()
    results.ratio("apply-mysql", "throughput", figures["tailrace-apply"] / figures["replica"], 1, True)
    results.ratio("apply-mysql", "peak_MiB", peak, 64, False)


def relayed(replica, source):
    """The replica has fetched the whole log of the source."""
    return replica.rows_as_dicts("SHOW SLAVE STATUS")[0]["Gtid_IO_Pos"] == source.value("SELECT @@gtid_binlog_pos")


def timed(start, server, rows):
    started = time.monotonic()
    start()
    wait_until(lambda: server.value("SELECT max(id) FROM bench.bench") == rows, 900, "the backlog in the target", interval=0.02)
    elapsed = time.monotonic() - started
    if server.value("SELECT count(*) FROM bench.bench") != rows:
        raise RuntimeError(f"{server.name} has not all rows")
    return rows / elapsed
