"""What the target, the topics and their retention may do under a running apply agent: no false gap, no lost row."""
import time

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions

from harness import wait_until

TABLE = "CREATE TABLE c (id integer PRIMARY KEY, v text)"
REMOVED_EVENTS_ARE_ASKED_FOR_AFTER = 40


def remove_records(pipe, table):
    """As retention does it, all at once."""
    topic = f"{pipe.prefix}.{table}"
    end = pipe.kafka.end_offsets(topic)[0]
    list(pipe.kafka.admin().delete_records([TopicPartition(topic, 0, end)]).values())[0].result(20)
    return topic


def add_partitions(pipe, table, count):
    topic = f"{pipe.prefix}.{table}"
    pipe.kafka.admin().create_partitions([NewPartitions(topic, count)])[topic].result(30)
    wait_until(lambda: len(pipe.kafka.end_offsets(topic)) == count, 10, "the partitions to have leaders",
               ignore=(KafkaException,))


def position(pipe):
    return pipe.target.value("SELECT transaction_id FROM tailrace.position", dbname=pipe.dbname)


def test_a_row_that_is_gone_takes_the_whole_transaction_back(pipe):
    pipe.both(TABLE + "; CREATE TABLE d (id integer PRIMARY KEY)")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1, 'x'), (2, 'x')")
    pipe.wait_equal("c")
    before = position(pipe)
    pipe.at_target("DELETE FROM c WHERE id = 1")
    pipe.at_source("BEGIN; INSERT INTO d VALUES (1); UPDATE c SET v = 'y' WHERE id = 1; UPDATE c SET v = 'y' WHERE id = 2; COMMIT")
    status = pipe.apply.wait_state("failed", timeout=30)
    assert "id=1" in status["error"]["text"] and "event 2 of transaction" in status["error"]["text"], status["error"]
    assert position(pipe) == before
    assert pipe.rows(pipe.target, "d") == [] and pipe.rows(pipe.target, "c") == [("(2,x)",)]
    pipe.apply.post("/v1/resume")  # too early: it finds the same row missing, and still nothing is passed over
    wait_until(lambda: pipe.apply.log_text().count("waiting for resume") == 2, 10, "a second try")
    assert position(pipe) == before
    pipe.at_target("INSERT INTO c VALUES (1, 'x')")
    pipe.apply.post("/v1/resume")
    pipe.wait_equal("c")
    pipe.wait_equal("d")


def test_a_row_that_a_trigger_drops_is_named_and_not_passed_over(pipe):
    pipe.both(TABLE)
    pipe.at_target("CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS"
                   " 'BEGIN IF NEW.id = 50 THEN RETURN NULL; END IF; RETURN NEW; END';"
                   "CREATE TRIGGER t BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION drop_it()")
    pipe.start()
    pipe.at_source("INSERT INTO c SELECT i, 'x' FROM generate_series(49, 51) i")
    text = pipe.apply.wait_state("failed", timeout=30)["error"]["text"]
    assert "id=50" in text and "event 2 of transaction" in text, text
    assert pipe.rows(pipe.target, "c") == [] and position(pipe) is None
    pipe.at_target("DROP TRIGGER t ON c")
    pipe.apply.post("/v1/resume")
    pipe.wait_equal("c")


def test_partitions_are_added_while_apply_runs(pipe):
    pipe.both(TABLE)
    pipe.start()
    pipe.at_source("INSERT INTO c SELECT i, 'x' FROM generate_series(1, 100) i")
    pipe.wait_equal("c")
    add_partitions(pipe, "public.c", 4)
    pipe.capture.stop()
    pipe.capture.start()
    pipe.capture.wait_state("streaming", timeout=30)
    pipe.at_source("INSERT INTO c SELECT i, 'y' FROM generate_series(101, 200) i")
    pipe.wait_equal("c")
    assert all(pipe.kafka.end_offsets(f"{pipe.prefix}.public.c").values()), "the test meets no new partition"


def test_retention_removes_what_an_idle_table_had_long_ago(pipe):
    pipe.both(TABLE + "; CREATE TABLE d (id integer PRIMARY KEY)")
    pipe.make_capture().start()
    pipe.capture.wait_state("streaming", timeout=30)
    pipe.at_source("INSERT INTO d VALUES (1)")
    pipe.make_apply(include=["public.c"]).start()
    pipe.apply.wait_state("applying", timeout=30)
    pipe.at_source("INSERT INTO c VALUES (1, 'x')")
    pipe.wait_equal("c")
    pipe.apply.stop()
    pipe.apply.configure(pipe.apply_config())
    pipe.apply.start()  # reads d from its first record on; its change is of before the position
    pipe.at_source("INSERT INTO c VALUES (2, 'x')")
    pipe.wait_equal("c")
    pipe.apply.stop()
    remove_records(pipe, "public.d")
    pipe.apply.start()
    pipe.at_target("INSERT INTO d VALUES (1)")
    pipe.at_source("INSERT INTO c VALUES (3, 'x'); INSERT INTO d VALUES (2)")
    pipe.wait_equal("c")
    pipe.wait_equal("d")


def test_a_table_included_again_is_said_to_lack_what_lies_between(pipe):
    pipe.both(TABLE + "; CREATE TABLE d (id integer PRIMARY KEY)")
    pipe.make_capture().start()
    pipe.capture.wait_state("streaming", timeout=30)
    pipe.at_source("INSERT INTO d VALUES (1)")
    pipe.make_apply(include=["public.c"]).start()
    pipe.apply.wait_state("applying", timeout=30)
    pipe.at_source("INSERT INTO c VALUES (1, 'x')")
    pipe.wait_equal("c")
    pipe.apply.stop()
    pipe.apply.configure(pipe.apply_config())
    pipe.apply.start()
    pipe.at_source("INSERT INTO d VALUES (2)")
    pipe.wait_target("SELECT count(*) FROM d", 1)
    assert "table public.d was excluded" in pipe.apply.log_text()


def test_removed_events_of_the_last_transaction_are_a_gap(pipe):
    pipe.both(TABLE)
    pipe.make_capture().start()
    pipe.capture.wait_state("streaming", timeout=30)
    pipe.at_source("INSERT INTO c VALUES (1, 'x')")
    wait_until(lambda: pipe.capture.status()["totals"]["rows"] == 1, 15, "the event in Kafka")
    pipe.capture.wait_status(lambda status: status["lag"]["bytes"] == 0)
    topic = remove_records(pipe, "public.c")
    pipe.make_apply().start()
    status = pipe.apply.wait_state("failed", timeout=REMOVED_EVENTS_ARE_ASKED_FOR_AFTER + 20)
    assert status["error"]["class"] == "gap" and topic in status["error"]["text"], status["error"]


def test_whole_transactions_do_not_wait_for_one_that_stalls_behind_them(pipe):
    pipe.both(TABLE + "; CREATE TABLE d (id integer PRIMARY KEY, v text)")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (0, 'x'); INSERT INTO d VALUES (0, 'x')")
    pipe.wait_equal("d")
    # The topic takes no large record: the transaction's END is there, one of its events is not.
    small = ConfigEntry("max.message.bytes", "20000", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ConfigResource.Type.TOPIC, f"{pipe.prefix}.public.d", incremental_configs=[small])
    pipe.kafka.admin().incremental_alter_configs([topic])[topic].result(30)
    pipe.apply.post("/v1/pause")
    pipe.apply.wait_state("paused")
    for number in range(1, 6):
        pipe.at_source(f"INSERT INTO c VALUES ({number}, 'x')")
    pipe.at_source("BEGIN; INSERT INTO c VALUES (100, 'x');"
                   "INSERT INTO d SELECT 1, string_agg(md5(i::text), '') FROM generate_series(1, 3000) i; COMMIT")
    time.sleep(2)
    pipe.apply.post("/v1/resume")
    pipe.target.wait_value("SELECT count(*) FROM c", 6, timeout=20, dbname=pipe.dbname)


def test_what_cascades_and_defers_at_the_source_does_so_at_the_target(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY);"
              "CREATE TABLE d (c integer REFERENCES c ON UPDATE CASCADE ON DELETE CASCADE, n integer, v text, PRIMARY KEY (c, n));"
              "CREATE TABLE e (id integer PRIMARY KEY, place integer UNIQUE DEFERRABLE)")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1); INSERT INTO d VALUES (1, 1, 'a'), (1, 2, 'b');"
                   "INSERT INTO e SELECT i, i FROM generate_series(1, 5) i")
    pipe.wait_equal("e")
    pipe.at_source("UPDATE c SET id = 2 WHERE id = 1")
    pipe.at_source("UPDATE e SET place = place + 1")
    pipe.wait_equal("e")
    pipe.wait_equal("d")
    assert pipe.rows(pipe.target, "d") == [("(2,1,a)",), ("(2,2,b)",)]
