"""MySQL to MySQL under load: kills of agents, servers and the broker, failover, and the failpoints at which it differs from MariaDB.
And MariaDB 11.8, whose log differs from that of 10.11. Skipped where there is none."""
import random

import pytest
from billing_scene import Scene, TwoPhaseClerk, some_work
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


def test_the_broker_crashes_under_load(scene):
    with scene.load() as workload:
        some_work(workload)
        scene.line.kafka.kill9()
        scene.line.kafka.start()
        some_work(workload)
    scene.judge(timeout=90)


def test_failover_by_gtid_in_mid_load(scene):
    """The primary dies while capture is behind; the clerks and the agent go on at the replica, whose files are others."""
    line, primary = scene.line, scene.line.source
    replica = scene.stack.mysql("billing-db-2").start().follow(primary)
    replica.rotate()
    with scene.load() as workload:
        some_work(workload)
        line.capture.pause_process()  # in mid-stream: what it holds is lost with it
        some_work(workload)
        line.capture.kill9()
        some_work(workload)
    replica.wait_caught_up(primary)
    primary.kill9()
    line.go_to(replica.promote())
    with scene.load() as workload:
        some_work(workload)
        line.start_capture()
        some_work(workload)
    scene.judge()


@pytest.mark.parametrize("pair", POINTS, ids=" ".join)
def test_nothing_is_lost_or_doubled(scene, pair):
    with scene.load() as workload:
        sweep_both(scene.line, pair)
        some_work(workload, 20)
    scene.judge()


class Newer(Stack):
    """MariaDB 11.8 wherever a MariaDB is asked for."""

    def mariadb(self, name="mariadb", **options):
        return super().mariadb(name, version="11.8", **options)


def test_mariadb_11_with_a_kill_and_a_crash(tmp_path_factory):
    with Newer(tmp_path_factory.mktemp("n")) as stack:
        try:
            scene = Scene(stack, capture={"partitions": 3}).start()
        except NotHere as reason:
            pytest.skip(str(reason))
        line = scene.line
        assert line.source.value("SELECT version()").startswith("11.8")
        with scene.load(clerk=TwoPhaseClerk) as workload:
            some_work(workload)
            line.capture.kill9()
            some_work(workload)
            line.start_capture()
            some_work(workload)
            line.source.kill9()
            line.source.start()
            some_work(workload)
        assert len(scene.judge(timeout=90)) > 200
