"""Random kill -9 of both agents under load; then a million-to-one chance is not left to chance: the checker looks at everything."""
import random

from harness import wait_until

KILLS = 20


def test_random_kills_of_agents_under_load(scene):
    chance = random.Random(20261123)
    line = scene.line
    with scene.load(rate=250) as workload:
        for _ in range(KILLS):
            before, more = workload.journal.transactions, chance.randrange(5, 200)
            wait_until(lambda: workload.journal.transactions > before + more, 30, f"{more} transactions more")
            victims = chance.choice([[line.capture], [line.apply], [line.capture, line.apply]])
            for agent in victims:
                agent.kill9()
            for agent in victims:
                agent.start()
            if chance.random() < 0.5:  # otherwise the next kill comes while the agent is still starting
                for agent in victims:
                    agent.wait_state("streaming", "applying", timeout=30)
    evidence = scene.judge()
    assert len(evidence.events) > 1000


def test_sigstop_of_each_agent(scene):
    for agent in (scene.line.capture, scene.line.apply):
        with scene.load() as workload:
            agent.pause_process()
            before = workload.journal.transactions
            wait_until(lambda: workload.journal.transactions > before + 300, 30, "work while the agent sleeps")
            agent.resume_process()
        scene.judge()


def test_sigterm_ends_within_ten_seconds_and_loses_nothing(scene):
    with scene.load(rate=500) as workload:
        for _ in range(3):
            before = workload.journal.transactions
            wait_until(lambda: workload.journal.transactions > before + 100, 30, "some work")
            assert scene.line.capture.stop(timeout=10) == 0
            assert scene.line.apply.stop(timeout=10) == 0
            scene.line.start_agents()
    scene.judge()
