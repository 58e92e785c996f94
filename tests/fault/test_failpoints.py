"""Each failpoint between "received" and "durable" of both agents, with each fault: killed, failed, hung for two seconds.

The names come from the program itself, so a new failpoint is swept without a change here.
"""
import os
import re
import subprocess

import pytest

from harness import wait_until

BINDIR = os.environ.get("TAILRACE_BINDIR", ".")


def names():
    """All that there are; those of the binlog have a sweep of their own (test_billing_failpoints.py)."""
    out = subprocess.run([os.path.join(BINDIR, "tailrace-capture"), "--list-failpoints"], capture_output=True, text=True,
                         check=True).stdout.split("\n")
    return [line.split()[0] for line in out if line.strip()]


FAULTS = [("kill", 1), ("kill", 7), ("error", 1), ("stall", 2)]


@pytest.mark.parametrize("name", [name for name in names() if ".mysql." not in name])
def test_nothing_is_lost_or_doubled(scene, name):
    line = scene.line
    agent = line.capture if name.startswith("capture.") else line.apply
    for fault, hit in FAULTS:
        with scene.load() as workload:
            before = workload.journal.transactions
            wait_until(lambda: workload.journal.transactions > before + 5, 20, "work before the fault")
            agent.stop()
            fired_before = agent.log_text().count(f"failpoint {name} fires")
            agent.start(failpoints=f"{name}={fault}@{hit}")
            wait_until(lambda: agent.log_text().count(f"failpoint {name} fires") > fired_before, 40,
                       f"failpoint {name} to fire")
            if fault == "kill":
                agent.wait_end()
                agent.start()
            agent.wait_state("streaming", "applying", timeout=30)
            after = workload.journal.transactions
            wait_until(lambda: workload.journal.transactions > after + 20, 20, "work after the fault")
        assert not re.search(r"AddressSanitizer|runtime error|LeakSanitizer", agent.log_text())
    scene.judge()
