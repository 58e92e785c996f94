"""The checker's own test: good evidence passes; each fault, seeded anywhere, is found under its name, every time."""
import copy
import dataclasses
import random

import pytest

from checker.evidence import gather_journal
from checker.verdict import KINDS, Event, Evidence, Journal, Mark, check, report

TABLES = ("public.customer", "public.billing_account", "public.trouble_ticket")


def good(seed):
    """Evidence of 60 transactions over three tables, two partitions each."""
    r = random.Random(seed)
    journal, marks, events, offsets, rows = Journal({}, set(), set()), [], [], {}, {t: [] for t in TABLES}
    previous = None
    for n in range(60):
        xid, commit = 700 + n, 10**6 + n * 100 + r.randrange(50)
        if r.random() < 0.1:
            journal.rolled_back.add(xid)
            continue
        name, counts = f"{xid}:{commit}", {}
        marks.append(Mark(len(marks), "BEGIN", name))
        for order in range(1, r.randrange(2, 9)):
            table = r.choice(TABLES)
            counts[table] = counts.get(table, 0) + 1
            place = (table, r.randrange(2))
            offsets[place] = offsets.get(place, -1) + 1
            events.append(Event("p." + table, place[1], offsets[place], name, order, counts[table], table, "c",
                                b"%d" % order))
            rows[table].append((str(xid), str(order), "text"))
        marks.append(Mark(len(marks), "END", name, sum(counts.values()), tuple(counts.items()), previous))
        previous = name
        if r.random() < 0.1:
            journal.unknown.add(xid)
        else:
            journal.committed[xid] = counts
    events.sort(key=lambda e: (e.topic, e.partition, e.offset))
    return Evidence(journal, marks, events, rows, copy.deepcopy(rows), [("sum", "0")], {"sum": ("0",)})


def lose_event(r, e):
    e.events.remove(r.choice(e.events))


def lose_transaction(r, e):
    name = r.choice([m for m in e.marks if m.status == "END" and int(m.transaction.split(":")[0]) in e.journal.committed
                     ]).transaction
    e.marks = [m for m in e.marks if m.transaction != name]
    e.events = [x for x in e.events if x.transaction != name]


def lose_end(r, e):
    e.marks.remove(r.choice([m for m in e.marks if m.status == "END"]))


def lose_last_events(r, e):
    last = e.marks[-1].transaction
    e.events = [x for x in e.events if x.transaction != last]


def double_event(r, e):
    i = r.randrange(len(e.events))
    e.events.insert(i + 1, dataclasses.replace(e.events[i], offset=e.events[i].offset + 1))


def double_event_elsewhere(r, e):
    one = r.choice(e.events)
    e.events.append(dataclasses.replace(one, partition=7))


def double_end(r, e):
    i = r.choice([i for i, m in enumerate(e.marks) if m.status == "END"])
    e.marks.insert(i + 1, e.marks[i])


def invent_transaction(r, e):
    last = e.marks[-1]
    name = "99999:9999999"
    e.marks += [Mark(0, "BEGIN", name), Mark(0, "END", name, 0, (), last.transaction)]


def double_row(r, e):
    rows = e.target_rows[r.choice(TABLES)]
    rows.append(r.choice(rows))


def swap_events(r, e):
    i = r.choice([i for i in range(len(e.events) - 1)
                  if (e.events[i].topic, e.events[i].partition) == (e.events[i + 1].topic, e.events[i + 1].partition)])
    e.events[i], e.events[i + 1] = e.events[i + 1], e.events[i]


def swap_transactions(r, e):
    ends = [i for i, m in enumerate(e.marks) if m.status == "END"]
    i = r.randrange(len(ends) - 1)
    a, b = ends[i], ends[i + 1]
    e.marks[a - 1:a + 1], e.marks[b - 1:b + 1] = e.marks[b - 1:b + 1], e.marks[a - 1:a + 1]


def swap_table_orders(r, e):
    by = {}
    for i, x in enumerate(e.events):
        by.setdefault((x.transaction, x.table), []).append(i)
    a, b = r.choice([v for v in by.values() if len(v) > 1])[:2]
    one, two = e.events[a].table_order, e.events[b].table_order
    e.events[a] = dataclasses.replace(e.events[a], table_order=two)
    e.events[b] = dataclasses.replace(e.events[b], table_order=one)


def tear(r, e):
    e.samples.append(("sum", "17.20"))


def change_cell(r, e):
    rows = e.target_rows[r.choice(TABLES)]
    i = r.randrange(len(rows))
    rows[i] = rows[i][:2] + ("txet",)


def lose_row(r, e):
    rows = e.target_rows[r.choice(TABLES)]
    rows.remove(r.choice(rows))


def invent_row(r, e):
    e.target_rows[r.choice(TABLES)].append(("0", "0", "nobody's"))


def show_rolled_back(r, e):
    xid = r.choice(sorted(e.journal.committed))
    del e.journal.committed[xid]
    e.journal.rolled_back.add(xid)


def miscount(r, e):
    xid = r.choice(sorted(e.journal.committed))
    e.journal.committed[xid] = {t: n + 1 for t, n in e.journal.committed[xid].items()}


FAULTS = [(lose_event, "lost"), (lose_transaction, "lost"), (lose_end, "lost"), (lose_last_events, "lost"),
          (double_event, "doubled"), (double_event_elsewhere, "doubled"), (double_end, "doubled"),
          (invent_transaction, "doubled"), (double_row, "doubled"), (swap_events, "reordered"),
          (swap_transactions, "reordered"), (swap_table_orders, "reordered"), (tear, "torn"),
          (change_cell, "different"), (lose_row, "different"), (invent_row, "different"),
          (show_rolled_back, "different"), (miscount, "different")]


def test_an_intent_without_a_name_stands_for_one_transaction():
    for seed in range(50):
        r, evidence = random.Random(seed), good(seed)
        for _ in range(2):
            del evidence.journal.committed[r.choice(sorted(evidence.journal.committed))]
        evidence.journal.unnamed = 2
        assert check(evidence) == []
        evidence.journal.unnamed = 1
        assert {kind for kind, _ in check(evidence)} == {"doubled"}


def test_the_journal_knows_what_a_commit_answers(tmp_path):
    lines = ['{"intent": "a/1"}', '{"committed": "0-1-7", "of": "a/1", "rows": {}}', '{"intent": "a/2"}', '{"rolled_back": "a/3"}']
    path = tmp_path / "journal"
    path.write_text("\n".join(lines) + "\n")
    assert gather_journal(path, named=False) == Journal({"0-1-7": {}}, set(), {"a/3"}, 1)
    assert gather_journal(path) == Journal({"0-1-7": {}}, {"a/2"}, {"a/3"}, 0)


@pytest.mark.parametrize("seed", range(20))
def test_good_evidence_passes(seed):
    assert check(good(seed)) == []


@pytest.mark.parametrize("fault,kind", FAULTS, ids=[f.__name__ for f, _ in FAULTS])
def test_a_seeded_fault_is_found_every_time(fault, kind):
    for seed in range(50):
        evidence = good(seed)
        fault(random.Random(seed), evidence)
        found = check(evidence)
        assert kind in {k for k, _ in found}, f"seed {seed}: {report(found)}"
        assert {k for k, _ in found} <= set(KINDS)
