"""Operating it: status, pause, resume, readiness, metrics, SIGTERM, the tool, agents that meet each other."""
import json
import subprocess

import pytest
from confluent_kafka import KafkaException, TopicPartition

from harness import Stack, free_port, places, wait_until
from harness.places import find_agent


def start(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY)")
    return pipe.start()


def tool(pipe, *arguments):
    return subprocess.run([find_agent("tailrace"), arguments[0], "--run-directory", pipe.run_directory, *arguments[1:]],
                          capture_output=True, text=True, check=False)


def test_status_shows_position_lag_and_rates(pipe):
    start(pipe)
    pipe.at_source("INSERT INTO c SELECT generate_series(1, 10)")
    pipe.wait_equal("c")
    pipe.capture.wait_ready()
    pipe.apply.wait_ready()
    for agent, state in ((pipe.capture, "streaming"), (pipe.apply, "applying")):
        status = agent.wait_status(lambda s: s["totals"]["rows"] == 10 and s["lag"]["transactions"] in (0, None))
        assert status["state"] == state and status["totals"]["transactions"] == 1
        assert "/" in status["position"]["commit"] and ":" in status["position"]["transaction"]
        assert status["latency_ms"]["count"] == 1 and 0 < status["latency_ms"]["p50"] < 10000
        assert status["memory"]["resident_bytes"] > 0 and status["error"] is None
    wait_until(lambda: pipe.capture.status()["lag"]["bytes"] == 0, 15, "no lag")


def test_pause_holds_and_resume_goes_on(pipe):
    start(pipe)
    assert tool(pipe, "pause", pipe.apply.name).returncode == 0
    pipe.apply.wait_state("paused")
    pipe.at_source("INSERT INTO c VALUES (1)")
    wait_until(lambda: pipe.capture.status()["totals"]["rows"] == 1, 10, "the event in Kafka")
    assert pipe.rows(pipe.target, "c") == []
    assert tool(pipe, "resume", pipe.apply.name).returncode == 0
    pipe.wait_equal("c")
    assert tool(pipe, "pause", pipe.capture.name).returncode == 0
    pipe.capture.wait_state("paused")
    pipe.at_source("INSERT INTO c VALUES (2)")
    assert tool(pipe, "resume", pipe.capture.name).returncode == 0
    pipe.wait_equal("c")


def test_the_tool_shows_a_table_and_json(pipe):
    start(pipe)
    pipe.capture.wait_ready()
    pipe.apply.wait_ready()
    shown = tool(pipe, "status")
    assert shown.returncode == 0, shown
    assert pipe.capture.name in shown.stdout and "streaming" in shown.stdout and "applying" in shown.stdout
    names = {one["name"] for one in json.loads(tool(pipe, "status", "--json").stdout)}
    assert names == {pipe.capture.name, pipe.apply.name}
    assert tool(pipe, "pause", "nobody").returncode != 0
    done = subprocess.run([find_agent("tailrace"), "check", pipe.capture.config_file, pipe.apply.config_file],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.count(": ok") == 2, done


def test_metrics_satisfy_promtool(pipe):
    start(pipe)
    pipe.at_source("INSERT INTO c VALUES (1)")
    pipe.wait_equal("c")
    promtool = places.cache() / "bin" / "promtool"
    for agent in (pipe.capture, pipe.apply):
        metrics = agent.get("/metrics")
        assert "tailrace_transactions_total" in metrics and "tailrace_commit_latency_seconds_bucket" in metrics
        if promtool.exists():
            done = subprocess.run([promtool, "check", "metrics"], input=metrics, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    if not promtool.exists():
        pytest.skip("promtool could not be fetched")


def test_the_consumer_group_shows_how_far_apply_is(pipe):
    """The offsets of the group are for Kafka's own tools; apply itself reads its position from the target."""
    start(pipe)
    pipe.at_source("INSERT INTO c VALUES (1)")
    pipe.wait_equal("c")
    topic = f"{pipe.prefix}.public.c"
    consumer = pipe.kafka.consumer(f"tailrace-{pipe.apply.name}")
    try:
        wait_until(lambda: consumer.committed([TopicPartition(topic, 0)], timeout=10)[0].offset == 1, 20,
                   "the group's offset", ignore=(KafkaException,))
    finally:
        consumer.close()


def test_readiness_fails_when_the_heartbeat_stops(pipe):
    start(pipe)
    pipe.apply.wait_ready()
    assert pipe.apply.request("GET", "/readyz")[0] == 200
    pipe.capture.stop()
    wait_until(lambda: pipe.apply.request("GET", "/readyz")[0] == 503, 30, "apply to be unready without heartbeats")
    assert pipe.apply.request("GET", "/livez")[0] == 200


def test_sigterm_drains_and_ends_with_zero(pipe):
    start(pipe)
    pipe.at_source("INSERT INTO c VALUES (1)")
    pipe.wait_equal("c")
    assert pipe.apply.stop(timeout=10) == 0
    assert pipe.capture.stop(timeout=10) == 0


def test_sigterm_ends_an_agent_that_cannot_connect(pipe):
    nowhere = free_port()
    no_kafka = {"bootstrap_servers": f"127.0.0.1:{nowhere}"}
    for agent in (pipe.stack.agent("capture", pipe.capture_config(name="k", kafka_settings=no_kafka)),
                  pipe.stack.agent("capture", pipe.capture_config(name="d", database_settings={"port": nowhere})),
                  pipe.stack.agent("apply", pipe.apply_config(name="t", database_settings={"port": nowhere}))):
        agent.start()
        agent.wait_state("starting", "retrying")
        assert agent.stop(timeout=10) == 0


def test_sigterm_ends_agents_whose_servers_hang(pipe):
    """75: it could not finish. What is not in Kafka, or not in the target, comes after the next start."""
    start(pipe)
    pipe.capture.wait_ready()
    pipe.kafka.pause_process()
    try:
        pipe.at_source("INSERT INTO c VALUES (1)")
        wait_until(lambda: pipe.capture.status()["totals"]["transactions"] == 0, 5, "figures")
        assert pipe.capture.stop(timeout=10) in (0, 75)
        assert pipe.apply.stop(timeout=10) in (0, 75)
    finally:
        pipe.kafka.resume_process()
    pipe.capture.start()
    pipe.apply.start()
    pipe.wait_equal("c")
    assert len(pipe.topic("public.c")) == 1


def test_sigterm_ends_apply_that_waits_for_a_lock(pipe):
    start(pipe)
    with pipe.target.connect(dbname=pipe.dbname) as holder:
        holder.autocommit = False
        holder.execute("LOCK TABLE c IN ACCESS EXCLUSIVE MODE")
        pipe.at_source("INSERT INTO c VALUES (1)")
        pipe.target.wait_value("SELECT count(*) FROM pg_locks WHERE NOT granted", 1, timeout=10, dbname=pipe.dbname)
        assert pipe.apply.stop(timeout=10) in (0, 75)
    pipe.apply.start()
    pipe.wait_equal("c")


def test_the_slot_follows_on_an_idle_table_while_others_write(pipe):
    """No idle slot fills the disk: what is written elsewhere moves the confirmed position too."""
    start(pipe)
    pipe.at_source("CREATE TABLE other (v text)")
    pipe.at_source("INSERT INTO other SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
    lag = ("SELECT pg_current_wal_lsn() - confirmed_flush_lsn < 1000000 FROM pg_replication_slots"
           f" WHERE slot_name = 'slot_{pipe.dbname}'")
    pipe.source.wait_value(lag, True, timeout=20, dbname=pipe.dbname)


def test_a_second_capture_agent_waits_for_the_first(pipe):
    start(pipe)
    second_capture = pipe.stack.agent("capture", pipe.capture_config(name="second-c"))
    second_capture.start()
    status = second_capture.wait_state("retrying")
    assert "in use" in status["error"]["text"]
    pipe.capture.kill9()
    second_capture.wait_state("streaming", timeout=30)
    pipe.at_source("INSERT INTO c VALUES (1)")
    pipe.wait_equal("c")
    second_capture.stop()


def test_a_second_apply_agent_of_one_pipeline_waits_for_the_first(pipe):
    """Two machines with one configuration: the target's lock lets one of them work."""
    start(pipe)
    with Stack(pipe.stack.directory / "m2") as machine:
        second = machine.agent("apply", pipe.apply_config(run_directory=str(machine.directory)))
        second.start()
        status = second.wait_state("retrying")
        assert "held by another apply agent" in status["error"]["text"], status["error"]
        pipe.apply.kill9()
        second.wait_state("applying", timeout=30)
        pipe.at_source("INSERT INTO c VALUES (1)")
        pipe.wait_equal("c")
        assert second.stop() == 0


def test_an_apply_agent_of_another_name_is_another_pipeline(pipe):
    """It has a position of its own and starts from the first event, so that it meets the rows of the first one."""
    start(pipe)
    pipe.at_source("INSERT INTO c VALUES (1)")
    pipe.wait_equal("c")
    other = pipe.stack.agent("apply", pipe.apply_config(name="other"))
    other.start()
    status = other.wait_state("failed")
    assert "duplicate key" in status["error"]["text"], status["error"]
    assert other.stop() == 0


def test_two_agents_of_one_name_on_one_machine(pipe):
    start(pipe)
    done = subprocess.run([find_agent("tailrace-capture"), "-c", pipe.capture.config_file], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 69 and "already running" in done.stderr
