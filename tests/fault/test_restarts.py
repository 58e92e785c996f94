"""Restarts and crashes of the broker, the source and the target under load; both agents go on by themselves."""
import pytest

from harness import wait_until

LINE = {"partitions": 3}  # rows of one transaction lie in several partitions of one topic


def some_work(workload, n=60):
    before = workload.journal.transactions
    wait_until(lambda: workload.journal.transactions > before + n, 60, "some work")


def both_run(scene):
    scene.line.capture.wait_state("streaming", timeout=60)
    scene.line.apply.wait_state("applying", timeout=60)


@pytest.mark.parametrize("how", ["restart", "crash"])
@pytest.mark.parametrize("server", ["source", "target", "kafka"])
def test_a_server_goes_away_under_load(scene, server, how):
    victim = getattr(scene.line, server)
    with scene.load() as workload:
        some_work(workload)
        if how == "crash":
            victim.kill9()
            victim.start()
        elif server == "kafka":
            victim.restart()
        else:
            victim.restart(mode="fast")
        some_work(workload)
    scene.judge(timeout=90)
    both_run(scene)


def test_target_is_locked_for_a_while(scene):
    """A lock time-out at the target is retried as a whole; nothing is skipped."""
    with scene.load() as workload:
        some_work(workload)
        with scene.line.target.connect(autocommit=False) as holder:
            holder.execute("LOCK TABLE crm.customer IN ACCESS EXCLUSIVE MODE")
            some_work(workload, 200)
            holder.rollback()
    scene.judge()


def test_deadlocks_at_the_target_are_retried(scene):
    """A second writer takes the same rows the other way round."""
    line = scene.line
    with scene.load() as workload:
        some_work(workload)
        for _ in range(5):
            with line.target.connect(autocommit=False) as other:
                other.execute("SET lock_timeout = '3s'")
                try:
                    other.execute("SELECT 1 FROM crm.billing_account ORDER BY id DESC FOR UPDATE")
                    some_work(workload, 20)
                    other.execute("SELECT 1 FROM crm.customer ORDER BY id DESC FOR UPDATE")
                except Exception as error:  # it may as well be the other one that the server chooses
                    assert "deadlock" in str(error) or "lock timeout" in str(error), error
                other.rollback()
    scene.judge()


@pytest.fixture
def short_lived_records(scene):
    capture = scene.line.capture
    capture.configure(scene.line.capture_config(kafka_properties=["message.timeout.ms=2000"]))
    capture.restart()
    both_run(scene)
    yield
    capture.configure(scene.line.capture_config())
    capture.restart()


@pytest.mark.parametrize("how", ["hangs", "is down"])
def test_kafka_is_away_for_about_as_long_as_a_record_lives(scene, short_lived_records, how):
    """Records taken at different times run out of time one after the other, and Kafka is back in the middle of it."""
    kafka = scene.line.kafka
    with scene.load() as workload:
        for n in (380, 450, 520) if how == "hangs" else (1, 200):  # 200 transactions a second; a start takes seconds
            some_work(workload)
            if how == "hangs":
                kafka.pause_process()
                some_work(workload, n)
                kafka.resume_process()
            else:
                kafka.kill9()
                some_work(workload, n)
                kafka.start()
            both_run(scene)
    scene.judge()
    both_run(scene)
    assert "was not delivered" in scene.line.capture.log_text()
