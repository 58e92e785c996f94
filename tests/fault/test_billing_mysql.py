"""MySQL to MySQL under load: kills of agents and servers, and the failpoints at which it differs from MariaDB. Skipped where there is none."""
import random

import pytest
from billing_scene import Scene, some_work
from test_billing_failpoints import sweep_both

from harness import NotHere, Stack

KILLS = 8
POINTS = [("capture.mysql.packet", "apply.change.written"), ("capture.mysql.group", "apply.position.written"),
          ("capture.mysql.resume", "apply.commit.sent")]


@pytest.fixture(scope="module")
def scene(tmp_path_factory, request):
    with Stack(tmp_path_factory.mktemp("b")) as stack:
        try:
            scene = Scene(stack, "mysql", capture={"status_interval": "100ms"})
        except NotHere as reason:
            pytest.skip(str(reason))
        yield scene.start()
        if request.session.testsfailed:
            stack.keep = True


def test_random_kills_of_agents_while_the_log_rotates(scene):
    chance = random.Random(20261125)
    line = scene.line
    with scene.load(rate=150) as workload:
        for _ in range(KILLS):
            some_work(workload, chance.randrange(5, 100))
            victims = chance.choice([[line.capture], [line.apply], [line.capture, line.apply]])
            for agent in victims:
                agent.kill9()
            if chance.random() < 0.5:
                line.source.rotate()
            for agent in victims:
                agent.start()
    assert len(scene.judge()) > 500


@pytest.mark.parametrize("server", ["source", "target"])
def test_a_server_crashes_under_load(scene, server):
    victim = getattr(scene.line, server)
    with scene.load() as workload:
        some_work(workload)
        victim.kill9()
        victim.start()
        some_work(workload)
    scene.judge(timeout=90)


@pytest.mark.parametrize("pair", POINTS, ids=" ".join)
def test_nothing_is_lost_or_doubled(scene, pair):
    with scene.load() as workload:
        sweep_both(scene.line, pair)
        some_work(workload, 20)
    scene.judge()
