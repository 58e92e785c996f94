"""MariaDB to MariaDB under load: the failpoint sweep, random kills, restarts and crashes of every server, rotation in between."""
import random
import re

import pytest
from billing_scene import Scene
from test_failpoints import names

from harness import Stack, wait_until

FAULTS = [("kill", 1), ("kill", 5), ("error", 1)]
KILLS = 15


@pytest.fixture(scope="module")
def scene(tmp_path_factory, request):
    with Stack(tmp_path_factory.mktemp("b")) as stack:
        yield Scene(stack).start()
        if request.session.testsfailed:
            stack.keep = True


def some_work(workload, n=40):
    before = workload.journal.transactions
    wait_until(lambda: workload.journal.transactions > before + n, 60, "some work")


def both_run(scene, timeout=60):
    scene.line.capture.wait_state("streaming", timeout=timeout)
    scene.line.apply.wait_state("applying", timeout=timeout)


@pytest.mark.parametrize("name", names())
def test_nothing_is_lost_or_doubled(scene, name):
    line = scene.line
    agent = line.capture if name.startswith("capture.") else line.apply
    for fault, hit in FAULTS:
        with scene.load() as workload:
            some_work(workload, 5)
            agent.stop()
            fired_before = agent.log_text().count(f"failpoint {name} fires")
            agent.start(failpoints=f"{name}={fault}@{hit}")
            wait_until(lambda: agent.log_text().count(f"failpoint {name} fires") > fired_before, 40, f"failpoint {name} to fire")
            if fault == "kill":
                agent.wait_end()
                agent.start()
            agent.wait_state("streaming", "applying", timeout=30)
            some_work(workload, 20)
        assert not re.search(r"AddressSanitizer|runtime error|LeakSanitizer", agent.log_text())
    scene.judge()


def test_random_kills_of_agents_while_the_log_rotates(scene):
    chance = random.Random(20261124)
    line = scene.line
    with scene.load(rate=250) as workload:
        for _ in range(KILLS):
            some_work(workload, chance.randrange(5, 150))
            victims = chance.choice([[line.capture], [line.apply], [line.capture, line.apply]])
            for agent in victims:
                agent.kill9()
            if chance.random() < 0.5:
                line.source.rotate()
            for agent in victims:
                agent.start()
            if chance.random() < 0.5:  # otherwise the next kill comes while the agent is still starting
                both_run(scene, timeout=30)
    assert len(scene.judge()) > 1000


@pytest.mark.parametrize("how", ["restart", "crash"])
@pytest.mark.parametrize("server", ["source", "target", "kafka"])
def test_a_server_goes_away_under_load(scene, server, how):
    victim = getattr(scene.line, server)
    with scene.load() as workload:
        some_work(workload)
        if how == "crash":
            victim.kill9()
            victim.start()
        else:
            victim.restart()
        some_work(workload)
    scene.judge(timeout=90)
    both_run(scene)


def test_a_purge_of_what_was_read(scene):
    """The log is removed behind the agents, while they are at work and while they are down."""
    with scene.load() as workload:
        for _ in range(3):
            some_work(workload)
            wait_until(lambda: purge_read(scene), 30, "the agent to be in the newest file")
        some_work(workload)
    scene.line.drain()
    scene.line.capture.stop()
    scene.line.source.purge()
    scene.line.start_capture()
    scene.judge()


def purge_read(scene):
    """Removes the files before the one that the oldest reader is in; true if there was one to remove."""
    before = len(scene.line.source.binlogs())
    scene.line.source.rotate()
    scene.line.drain()
    scene.line.source.execute("PURGE BINARY LOGS TO %s", [scene.line.source.binlogs()[-1][0]])
    return len(scene.line.source.binlogs()) <= before
