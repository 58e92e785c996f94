"""The checker on real evidence: what a fault of the line would leave behind is put there by hand, and must be found."""
import pytest

from harness import wait_until


def edit(scene, sql):
    scene.line.target.execute(sql)


FAULTS = {
    "different": "UPDATE crm.customer SET full_name = full_name || '!' WHERE id = (SELECT min(id) FROM crm.customer)",
    "lost row": "DELETE FROM crm.audit_trail WHERE ctid = (SELECT min(ctid) FROM crm.audit_trail)",
    "doubled": "INSERT INTO crm.audit_trail SELECT * FROM crm.audit_trail LIMIT 1",
}


def test_faults_put_into_the_target_are_found(scene):
    with scene.load() as workload:
        wait_until(lambda: workload.journal.transactions > 200, 30, "some work")
    scene.judge()
    for kind, sql in FAULTS.items():
        edit(scene, sql)
        with pytest.raises(AssertionError, match="different|doubled"):
            scene.judge()
        with scene.line.target.connect() as connection:  # and back again
            connection.execute("TRUNCATE crm.audit_trail") if kind != "different" else None
            if kind == "different":
                connection.execute("UPDATE crm.customer SET full_name = rtrim(full_name, '!')"
                                   " WHERE id = (SELECT min(id) FROM crm.customer)")
            else:
                rows = scene.line.source.query("SELECT at, agent, action, customer_id FROM audit_trail")
                connection.cursor().executemany("INSERT INTO crm.audit_trail VALUES (%s, %s, %s, %s)", rows)
        scene.judge()


def test_a_torn_target_is_seen_by_the_sampler(scene):
    with scene.load() as workload:
        before = workload.journal.transactions
        edit(scene, "UPDATE crm.billing_account SET balance = balance + 1 WHERE id = (SELECT min(id) FROM crm.billing_account)")
        wait_until(lambda: workload.journal.transactions > before + 50, 30, "work while torn")
    with pytest.raises(AssertionError, match="torn"):
        scene.judge()


def test_an_event_doubled_by_a_foreign_writer_is_found_and_not_applied(scene):
    line = scene.line
    topic = f"{line.prefix}.public.audit_trail"
    last = line.kafka.read_topic(topic)[-1]
    line.kafka.produce(topic, [(last.key(), last.value())], partition=last.partition())
    with pytest.raises(AssertionError, match="doubled"):
        scene.judge()
    dropped = line.apply.status()["totals"]["duplicates_dropped"]
    assert dropped >= 1
