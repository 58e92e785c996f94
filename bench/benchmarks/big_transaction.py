"""big-transaction: one transaction of a million rows goes through the whole line; the agents' memory must not notice."""
import os
import tempfile
import time

from harness import Stack, config

from .common import ROWS, TABLE


def run(given, results):
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        os.chmod(folder, 0o755)
        with Stack(os.path.join(folder, "s")) as stack:
            source, target, kafka = stack.postgres("source"), stack.postgres("target"), stack.kafka("kafka")
            stack.start(source, target, kafka)
            for postgres in (source, target):
                postgres.execute(TABLE)
            source.execute("CREATE PUBLICATION p FOR TABLE bench")
            capture = stack.agent("capture", config.capture_config(
                source, kafka, name="c", topic_prefix="big", tables=["public.bench"], slot_name="tailrace",
                publication_name="p", publication_create="disabled"))
            apply = stack.agent("apply", config.apply_config(target, kafka, name="a", topic_prefix="big",
                                                             include=["public.bench"]))
            capture.start()
            capture.wait_state("streaming", timeout=60)
            apply.start()
            apply.wait_state("applying", timeout=60)
            source.execute(ROWS, (1, given.rows))
            committed = time.monotonic()
            target.wait_value("SELECT count(*) FROM bench", given.rows, timeout=900)
            taken = time.monotonic() - committed
            print(f"big-transaction: {given.rows} rows in the target {taken:.1f} s after the commit")
            for who, agent in (("capture", capture), ("apply", apply)):
                peak = agent.peak_rss_bytes() / 2**20
                print(f"  {who:8} peak {peak:6.1f} MiB, {agent.cpu_seconds() / given.rows * 1e6:6.2f} us CPU a row")
                results.ratio("big-transaction", f"{who}_peak_MiB", peak, 64, False)
