"""Named stops: a log that does not continue where it must is never passed over in silence."""
from harness import Stack, wait_until


def begin(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY)")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1)")
    pipe.wait_equal("c")
    wait_until(lambda: pipe.capture.status()["lag"]["bytes"] == 0, 15, "the slot to follow")
    pipe.capture.stop()


def stops(agent, *words):
    agent.start()
    status = agent.wait_state("failed", timeout=30)
    assert status["error"]["class"] == "gap", status["error"]
    for word in words:
        assert word in status["error"]["text"], status["error"]


def slot(pipe):
    return f"slot_{pipe.dbname}"


def test_slot_dropped(pipe):
    begin(pipe)
    pipe.source.execute(f"SELECT pg_drop_replication_slot('{slot(pipe)}')")
    stops(pipe.capture, slot(pipe))
    assert pipe.source.query("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s", (slot(pipe),)) == []


def test_slot_dropped_and_made_again(pipe):
    begin(pipe)
    pipe.source.execute(f"SELECT pg_drop_replication_slot('{slot(pipe)}')")
    pipe.at_source("INSERT INTO c VALUES (2)")
    pipe.source.execute(f"SELECT pg_create_logical_replication_slot('{slot(pipe)}', 'pgoutput')", dbname=pipe.dbname)
    stops(pipe.capture, slot(pipe))


def test_slot_moved_on_by_somebody_else(pipe):
    begin(pipe)
    pipe.at_source("INSERT INTO c VALUES (2)")
    pipe.source.execute(f"SELECT pg_replication_slot_advance('{slot(pipe)}', pg_current_wal_lsn())", dbname=pipe.dbname)
    stops(pipe.capture, slot(pipe))


def test_slot_whose_log_was_removed(pipe, tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("full")) as stack:
        server = stack.postgres("server", settings={"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB",
                                                    "max_wal_size": "32MB"})
        stack.start(server)
        server.execute("CREATE TABLE c (id integer PRIMARY KEY)")
        pipe.make_capture(database_settings={"port": server.port, "dbname": "postgres", "password": server.password})
        pipe.capture.start()
        pipe.capture.wait_state("streaming")
        server.execute("INSERT INTO c VALUES (1)")
        wait_until(lambda: pipe.capture.status()["totals"]["rows"] == 1, 15, "the event in Kafka")
        pipe.capture.stop()
        for _ in range(6):
            server.execute("SELECT pg_switch_wal()")
            server.execute("INSERT INTO c SELECT coalesce(max(id), 0) + 1 FROM c")
            server.execute("CHECKPOINT")
        server.wait_value("SELECT wal_status FROM pg_replication_slots", "lost", timeout=10)
        stops(pipe.capture, slot(pipe))
        pipe.capture.stop()


def test_another_log_under_the_same_prefix(pipe):
    begin(pipe)
    pipe.source.createdb(pipe.dbname + "x")
    pipe.source.execute("CREATE TABLE c (id integer PRIMARY KEY)", dbname=pipe.dbname + "x")
    other = pipe.stack.agent("capture", pipe.capture_config(name="other", slot_name=f"other_{pipe.dbname}",
                                                            database_settings={"dbname": pipe.dbname + "x"}))
    stops(other, "postgresql:")
    other.stop()


def test_records_removed_before_they_were_applied(pipe):
    begin(pipe)
    pipe.apply.stop()
    pipe.capture.start()
    pipe.capture.wait_state("streaming")
    for n in range(2, 8):
        pipe.at_source(f"INSERT INTO c VALUES ({n})")
    wait_until(lambda: pipe.capture.status()["totals"]["rows"] >= 6, 15, "events in Kafka")
    from confluent_kafka import TopicPartition
    topic = f"{pipe.prefix}.public.c"
    end = pipe.kafka.end_offsets(topic)[0]
    list(pipe.kafka.admin().delete_records([TopicPartition(topic, 0, end - 2)]).values())[0].result(20)
    pipe.apply.start()
    status = pipe.apply.wait_state("failed", timeout=30)
    assert status["error"]["class"] == "gap" and topic in status["error"]["text"], status["error"]
    assert len(pipe.rows(pipe.target, "c")) == 1
