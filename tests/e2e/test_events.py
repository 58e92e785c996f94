"""The event contract, read by a client that knows nothing of Tailrace: confluent-kafka and fastavro."""
import json

from checker.evidence import Decoder


def read(pipe, topic):
    decoder = Decoder(pipe.kafka)
    return [(decoder.decode(m.key()), decoder.decode(m.value()), dict(m.headers() or [])) for m in
            pipe.kafka.read_topic(f"{pipe.prefix}.{topic}")]


def test_envelope_keys_tombstones_and_transaction_topic(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY, name text, amount numeric(12,2), at timestamptz, d date)")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1, 'Anna', 12.50, '2026-01-02 03:04:05.678901+00', '2026-01-02')")
    pipe.at_source("BEGIN; UPDATE c SET name = 'Berta'; UPDATE c SET id = 2; DELETE FROM c; COMMIT")
    pipe.at_source("TRUNCATE c; INSERT INTO c VALUES (3, NULL, 'NaN', 'infinity', NULL)")
    pipe.wait_equal("c")
    events = read(pipe, "public.c")
    ops = [value["op"] if value else None for _, value, _ in events]
    assert ops == ["c", "u", "d", None, "c", "d", None, "t", "c"]
    key, value, _ = events[0]
    assert key == {"id": 1}
    assert value["before"] is None
    assert value["after"]["name"] == "Anna" and str(value["after"]["amount"]) == "12.50"
    assert value["after"]["at"] == "2026-01-02T03:04:05.678901Z"
    source = value["source"]
    assert (source["connector"], source["name"], source["db"], source["schema"], source["table"], source["snapshot"]) == (
        "postgresql", pipe.prefix, pipe.dbname, "public", "c", "false")
    assert source["lsn"] > 0 and source["txId"] > 0 and abs(value["ts_ms"] - source["ts_ms"]) < 60000
    assert json.loads(source["sequence"])[1] == str(source["lsn"])
    assert [e[1]["transaction"]["total_order"] for e in events if e[1]][1:5] == [1, 2, 3, 4]
    assert "__debezium.newkey" in events[2][2] and "__debezium.oldkey" in events[4][2]
    assert events[7][0] is None and events[7][1]["before"] is None and events[7][1]["after"] is None
    last = events[8][1]
    assert last["after"]["amount"] is None and last["exact"] == {"amount": "NaN", "at": "infinity"}

    marks = [value for _, value, _ in read(pipe, "transaction")]
    assert [m["status"] for m in marks] == ["BEGIN", "END"] * (len(marks) // 2)
    ends = [m for m in marks if m["status"] == "END"]
    assert ends[1]["event_count"] == 4
    assert ends[1]["data_collections"] == [{"data_collection": "public.c", "event_count": 4}]
    assert [m["previous"] for m in ends[1:]] == [m["id"] for m in ends[:-1]]
    assert all(m["log"].startswith("postgresql:") for m in ends)


def test_unchanged_columns_are_named(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY, big text, n integer)")
    pipe.both("ALTER TABLE c ALTER big SET STORAGE EXTERNAL")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1, repeat('x', 100000), 1)")
    pipe.at_source("UPDATE c SET n = 2")
    pipe.wait_equal("c")
    update = read(pipe, "public.c")[1][1]
    assert update["unchanged"] == ["big"] and update["after"]["big"] is None and update["after"]["n"] == 2


def test_heartbeat_position_and_the_registry_are_readable(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY)")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1)")
    pipe.wait_equal("c")
    pipe.capture.wait_ready()
    pipe.apply.wait_ready()
    key, value, _ = read(pipe, "heartbeat")[-1]
    assert key["serverName"] == pipe.prefix and value["ts_ms"] > 0
    assert read(pipe, "position")[-1][1]["confirmed"] > 0
    schema_id = int.from_bytes(pipe.kafka.read_topic(f"{pipe.prefix}.public.c")[0].value()[1:5], "big")
    answer = json.loads(pipe.capture.request("GET", f"/schemas/ids/{schema_id}")[2])
    assert json.loads(answer["schema"])["name"] == "Envelope"
    assert f"{pipe.prefix}.public.c-value" in json.loads(pipe.capture.request("GET", "/subjects")[2])
