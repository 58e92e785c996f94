"""latency: commit at the source -> visible in the target at 500 transactions/s, beside native logical replication in the same run.

No agent's own clock is asked. The source keeps commit timestamps; each target's table has a further column whose default is
clock_timestamp(), so it says when the row was written there; both ways are measured alike for the ratio. (A target's commit
timestamp will not do for that: native replication stores the source's.) For our own p99 in milliseconds it does, and it is the
stricter one: visible, not just written.
"""
import os
import tempfile
import threading
import time

from harness import Stack, config

SQL = "CREATE TABLE tick (id bigint PRIMARY KEY, customer text NOT NULL, amount numeric(12,2) NOT NULL, at timestamptz NOT NULL)"
RATE = 500


def run(given, results):
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        os.chmod(folder, 0o755)
        for number in range(given.repeat):
            with Stack(os.path.join(folder, f"s{number}")) as stack:
                one_round(stack, given.seconds, number, results)


def one_round(stack, seconds, number, results):
    settings = {"track_commit_timestamp": "on"}
    source, ours, native = (stack.postgres(name, settings=settings) for name in ("source", "ours", "native"))
    kafka = stack.kafka("kafka")
    stack.start(source, ours, native, kafka)
    for postgres in (source, ours, native):
        postgres.execute(SQL)
    for postgres in (ours, native):
        postgres.execute("ALTER TABLE tick ADD written timestamptz NOT NULL DEFAULT clock_timestamp()")
    source.execute("CREATE PUBLICATION p FOR TABLE tick")
    native.execute(f"CREATE SUBSCRIPTION s CONNECTION '{source.conninfo}' PUBLICATION p WITH (copy_data = false)")
    capture = stack.agent("capture", config.capture_config(
        source, kafka, name="c", topic_prefix="lat", tables=["public.tick"], slot_name="tailrace", publication_name="p",
        publication_create="disabled"))
    apply = stack.agent("apply", config.apply_config(ours, kafka, name="a", topic_prefix="lat", include=["public.tick"]))
    capture.start()
    capture.wait_state("streaming", timeout=60)
    apply.start()
    apply.wait_state("applying", timeout=60)
    load(source, 5, 0)  # warm up
    first = source.value("SELECT coalesce(max(id), 0) FROM tick")
    count = load(source, seconds, first)
    for postgres in (ours, native):
        postgres.wait_value("SELECT count(*) FROM tick", source.value("SELECT count(*) FROM tick"), timeout=60)
    figures = {who: latencies(source, postgres, first, "written") for who, postgres in (("tailrace", ours), ("native", native))}
    visible = latencies(source, ours, first, "pg_xact_commit_timestamp(xmin)")
    print(f"latency: round {number + 1}: {count} transactions in {seconds:.0f} s")
    for who, late in figures.items():
        print(f"  {who:10} p50 {at(late, .5):7.2f} ms  p99 {at(late, .99):7.2f} ms  max {late[-1]:7.2f} ms", flush=True)
    print(f"  {'visible':10} p50 {at(visible, .5):7.2f} ms  p99 {at(visible, .99):7.2f} ms  max {visible[-1]:7.2f} ms (tailrace)")
    print(f"  peak memory: capture {capture.peak_rss_bytes() / 2**20:.1f} MiB, apply {apply.peak_rss_bytes() / 2**20:.1f} MiB")
    results.ratio("latency", "p50_over_native", at(figures["tailrace"], .5) / at(figures["native"], .5), 4, False)
    results.ratio("latency", "p99_ms", at(visible, .99), 50, False)
    results.ratio("latency", "capture_peak_MiB", capture.peak_rss_bytes() / 2**20, 64, False)
    results.ratio("latency", "apply_peak_MiB", apply.peak_rss_bytes() / 2**20, 64, False)


def at(values, part):
    return values[min(len(values) - 1, int(len(values) * part))]


def load(source, seconds, first):
    """RATE single-row transactions a second from two connections."""
    done = [0, 0]

    def work(number):
        with source.connect() as connection:
            start, n = time.monotonic(), 0
            while time.monotonic() - start < seconds:
                n += 1
                connection.execute("INSERT INTO tick VALUES (%s, 'customer', 12.50, clock_timestamp())",
                                   (first + 2 * n + number,))
                wait = start + n * 2 / RATE - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
            done[number] = n
    threads = [threading.Thread(target=work, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


def latencies(source, target, first, arrival):
    """Milliseconds from the commit at the source, sorted; arrival: SQL of the target's time."""
    sql = "SELECT id, extract(epoch FROM {})::float8 FROM tick WHERE id > %s"
    begun = dict(source.query(sql.format("pg_xact_commit_timestamp(xmin)"), (first,)))
    return sorted((arrived - begun[row]) * 1000 for row, arrived in target.query(sql.format(arrival), (first,)))
