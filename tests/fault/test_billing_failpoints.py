"""MariaDB to MariaDB: each failpoint of both agents, with each fault, under load. One of capture's and one of apply's at a time.

The names come from the program itself, so a new failpoint is swept without a change here. An agent that was killed is started
with the next fault already set: so nothing is left out between two faults, and no time is lost.
"""
import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from billing_scene import Scene, some_work
from test_failpoints import FAULTS, names

from harness import Stack, wait_until

RARE = ("apply.offsets.hinted", "apply.mysql.bulk")  # once a second


@pytest.fixture(scope="module")
def scene(tmp_path_factory, request):
    with Stack(tmp_path_factory.mktemp("b")) as stack:
        yield Scene(stack, capture={"status_interval": "100ms"}).start()
        if request.session.testsfailed:
            stack.keep = True


def pairs():
    capture = [name for name in names() if name.startswith("capture.")]
    return list(itertools.zip_longest(capture, [name for name in names() if name.startswith("apply.")]))


def sweep(agent, name):
    """All faults at one place of one agent; at the end it runs."""
    for fault, hit in FAULTS:
        hit = min(hit, 2) if name in RARE else hit
        fired_before = agent.log_text().count(f"failpoint {name} fires")
        if agent.running:
            agent.stop()
        agent.start(failpoints=f"{name}={fault}@{hit}")
        wait_until(lambda: agent.log_text().count(f"failpoint {name} fires") > fired_before, 90, f"failpoint {name} to fire {fault}@{hit}")
        if fault == "kill":
            agent.wait_end()
        else:
            agent.wait_state("streaming", "applying", timeout=60)


def sweep_both(line, pair):
    with ThreadPoolExecutor(2) as both:
        for done in [both.submit(sweep, agent, name) for agent, name in zip((line.capture, line.apply), pair) if name]:
            done.result()


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: " ".join(name for name in pair if name))
def test_nothing_is_lost_or_doubled(scene, pair):
    with scene.load() as workload:
        some_work(workload, 5)
        sweep_both(scene.line, pair)
        some_work(workload, 20)
    scene.judge()
