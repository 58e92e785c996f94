"""MariaDB to MariaDB under load: failover to a replica, random kills and hangs, restarts and crashes of every server, logs that go."""
import random

import pytest
from billing_scene import Scene, TwoPhaseClerk, some_work

from checker import gather_journal
from harness import Stack, wait_until

KILLS = 20
CRASHES = 5


@pytest.fixture(scope="module")
def scene(tmp_path_factory, request):
    with Stack(tmp_path_factory.mktemp("b")) as stack:
        yield Scene(stack, capture={"partitions": 3}).start()  # rows of one transaction lie in several partitions of one topic
        if request.session.testsfailed:
            stack.keep = True


def both_run(scene, timeout=60):
    scene.line.capture.wait_state("streaming", timeout=timeout)
    scene.line.apply.wait_state("applying", timeout=timeout)


FAULTS_BY_HAND = {
    "UPDATE payment SET amount = amount + 0.01 ORDER BY id LIMIT 1": "UPDATE payment SET amount = amount - 0.01 ORDER BY id LIMIT 1",
    "INSERT INTO billing_log VALUES (now(6), 'nobody', 'nothing', NULL)": "DELETE FROM billing_log WHERE agent = 'nobody'",
}


def test_faults_put_into_the_target_are_found(scene):
    with scene.load() as workload:
        some_work(workload, 100)
    scene.judge()
    for fault, repair in FAULTS_BY_HAND.items():
        scene.line.target.execute(fault, dbname="billing")
        with pytest.raises(AssertionError, match="different"):
            scene.judge()
        scene.line.target.execute(repair, dbname="billing")
    scene.judge()


def test_failover_by_gtid_in_mid_load(scene):
    """The primary dies while capture is behind; the clerks and the agent go on at the replica, whose files are others."""
    line, primary = scene.line, scene.line.source
    replica = scene.stack.mariadb("billing-db-2").start().follow(primary)
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


def test_random_kills_of_agents_while_the_log_rotates(scene):
    chance = random.Random(20261124)
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
            if chance.random() < 0.5:  # otherwise the next kill comes while the agent is still starting
                both_run(scene)
    assert len(scene.judge()) > 1000


def test_sigstop_of_each_agent(scene):
    for agent in (scene.line.capture, scene.line.apply):
        with scene.load(rate=150) as workload:
            some_work(workload, 5)
            agent.pause_process()
            some_work(workload, 200)
            agent.resume_process()
        scene.judge()


@pytest.mark.parametrize("server,how", [("source", "restart"), ("source", "crash"), ("target", "restart"), ("target", "crash"),
                                        ("kafka", "crash")])  # a restart of Kafka is in test_restarts.py
def test_a_server_goes_away_under_load(scene, server, how):
    victim = getattr(scene.line, server)
    with scene.load(clerk=TwoPhaseClerk) as workload:
        some_work(workload)
        if how == "crash":
            victim.kill9()
            victim.start()
        else:
            victim.restart()
        some_work(workload)
    scene.judge(timeout=90)
    both_run(scene)


def test_the_source_dies_again_and_again_amid_distributed_transactions(scene):
    """Many clerks, so that some commit is always between MariaDB's log and its engine; and the agent dies now and then as well."""
    line = scene.line
    with scene.load(clerk=TwoPhaseClerk, rate=120, workers=9) as workload:
        for n in range(CRASHES):
            some_work(workload, 60)
            line.source.kill9()
            if n % 2:
                line.capture.kill9()
            line.source.start()
            if n % 2:
                line.start_capture()
        some_work(workload, 60)
    scene.judge(timeout=120)
    assert "source and target differ" not in line.capture.log_text()


def test_with_semi_sync_a_lost_server_takes_nothing_with_it(scene):
    """What a clerk was told is committed is in Kafka already when the server dies at any moment."""
    line = scene.line
    line.source.set_global(rpl_semi_sync_master_timeout=60_000, rpl_semi_sync_master_enabled=1)
    line.capture.stop()
    line.capture.configure(line.capture_config(semi_sync=True))
    line.start_capture()
    with scene.load(clerk=TwoPhaseClerk) as workload:
        some_work(workload, 100)
        (_, waited), = line.source.query("SHOW STATUS LIKE 'Rpl_semi_sync_master_yes_tx'")
        line.source.kill9()
        journal = gather_journal(scene.journal_path, named=False)
        there = {mark.transaction.rpartition(":")[0] for mark in scene.topics.read().marks if mark.status == "END"}
        assert int(waited) >= 100 and not set(journal.committed) - there
        line.source.start()
        some_work(workload)
    scene.judge()
    line.source.set_global(rpl_semi_sync_master_enabled=0)
    line.capture.configure(line.capture_config())


def test_another_writer_locks_rows_of_the_target(scene):
    """A lock time-out at the target and a deadlock are retried as a whole; nothing is skipped."""
    with scene.load() as workload:
        some_work(workload)
        for _ in range(3):
            with scene.line.target.connect("billing", autocommit=False) as other, other.cursor() as cursor:
                cursor.execute("SET innodb_lock_wait_timeout = 3")
                try:
                    cursor.execute("SELECT 1 FROM payment ORDER BY id DESC FOR UPDATE")
                    some_work(workload, 30)
                    cursor.execute("SELECT 1 FROM customer_bill ORDER BY id DESC FOR UPDATE")
                except Exception as error:  # it may as well be the other one that the server chooses
                    assert error.args[0] in (1205, 1213), error
                other.rollback()
    scene.judge()


def test_a_purge_of_what_was_read(scene):
    """The log is removed behind the agents, while they are at work and while they are down."""
    line = scene.line
    with scene.load() as workload:
        for _ in range(3):
            some_work(workload)
            before = line.source.binlogs()[-1][0]
            line.source.rotate()
            wait_until(lambda: purged_up_to(line.source, before), 60, "the agent to be in a newer file")
        some_work(workload)
    scene.drain(60)
    line.capture.stop()
    line.source.purge()
    line.start_capture()
    scene.judge()


def purged_up_to(server, file):
    """Removes all files up to this one; the server keeps a file that somebody reads, and later ones."""
    server.execute("PURGE BINARY LOGS TO %s", [server.binlogs()[-1][0]])
    return file not in [name for name, _ in server.binlogs()]
