"""Compares the evidence; pure.  See check()."""
import collections
import dataclasses

KINDS = ("lost", "doubled", "reordered", "torn", "different")


@dataclasses.dataclass(frozen=True)
class Event:
    """One event of a table's topic, as an independent reader decoded it."""
    topic: str
    partition: int
    offset: int
    transaction: str  # "xid:commit", "gtid:number"
    order: int        # total_order
    table_order: int  # data_collection_order
    table: str        # "schema.table"
    op: str
    key: bytes | None

    @property
    def commit(self):
        return _commit(self.transaction)

    @property
    def xid(self):
        return _name(self.transaction)


@dataclasses.dataclass(frozen=True)
class Mark:
    """BEGIN or END of the transaction topic."""
    offset: int
    status: str
    transaction: str
    events: int = 0
    counts: tuple = ()  # ((table, n), ...)
    previous: str | None = None


@dataclasses.dataclass
class Journal:
    """What the workload knows: committed xid or GTID -> {table: row events}, those with an unknown end, those rolled back.

    unnamed: how many more have an unknown end and no name that the topics know, because a server names them at their commit.
    """
    committed: dict
    unknown: set
    rolled_back: set
    unnamed: int = 0


@dataclasses.dataclass
class Evidence:
    journal: Journal
    marks: list                 # of Mark, in the order of the topic
    events: list                # of Event, in the order of each partition
    source_rows: dict = dataclasses.field(default_factory=dict)  # table -> list of tuples
    target_rows: dict = dataclasses.field(default_factory=dict)
    samples: list = dataclasses.field(default_factory=list)      # (what, value)
    sample_values: dict = dataclasses.field(default_factory=dict)  # what -> values that a committed state can have
    tombstones: bool = True


def check(evidence):
    """All faults found, as (kind, text); an empty list is a pass."""
    faults = []
    _check_chain(evidence, faults)
    _check_events(evidence, faults)
    _check_journal(evidence, faults)
    _check_rows(evidence, faults)
    for what, value in evidence.samples:
        if value not in evidence.sample_values[what]:
            faults.append(("torn", f"a reader of the target saw {what} = {value}"))
    return faults


def report(faults, limit=10):
    """Readable lines: how many of each kind, and the first few."""
    counts = collections.Counter(kind for kind, _ in faults)
    lines = [", ".join(f"{counts[kind]} {kind}" for kind in KINDS)]
    lines += [f"  {kind}: {text}" for kind, text in faults[:limit]]
    return "\n".join(lines)


def _commit(transaction):
    return int(transaction.rpartition(":")[2])


def _name(transaction):
    """How the workload knows it: PostgreSQL's number of the transaction, or a GTID, which may have colons of its own."""
    name = transaction.rpartition(":")[0]
    return int(name) if name.isdigit() else name


def _check_chain(evidence, faults):
    """BEGIN, END alternate; each END names the one before; commits rise."""
    last, opened, seen = None, None, set()
    for mark in evidence.marks:
        where = f"{mark.status} of {mark.transaction} at offset {mark.offset} of the transaction topic"
        if mark.status == "BEGIN":
            if mark.transaction in seen or opened == mark.transaction:
                faults.append(("doubled", where))
            elif opened is not None:
                faults.append(("lost", f"{opened} has no END before {where}"))
            opened = mark.transaction
            continue
        if mark.transaction in seen:
            faults.append(("doubled", where))
            continue
        if opened != mark.transaction:
            faults.append(("lost", f"no BEGIN before {where}"))
        if last is not None and mark.previous != last:
            kind = "reordered" if mark.previous in seen else "lost"
            faults.append((kind, f"{where} follows {last} but names {mark.previous}"))
        if last is not None and _commit(mark.transaction) <= _commit(last):
            faults.append(("reordered", f"{where} follows {last}"))
        seen.add(mark.transaction)
        last, opened = mark.transaction, None
    if opened is not None:
        faults.append(("lost", f"END of {opened}"))


def _check_events(evidence, faults):
    """Positions rise in each partition; each transaction has its numbers 1..n, in all and in each table, as END counts them."""
    last, by_transaction = {}, collections.defaultdict(list)
    for event in evidence.events:
        place = (event.topic, event.partition)
        position = (event.commit, event.order)
        where = f"{event.transaction} event {event.order} at {event.topic}/{event.partition}/{event.offset}"
        if place in last and position == last[place]:
            faults.append(("doubled", where))
            continue
        if place in last and position < last[place]:
            faults.append(("reordered", f"{where} follows position {last[place]}"))
        last[place] = max(position, last.get(place, position))
        by_transaction[event.transaction].append(event)
    ends = {mark.transaction: mark for mark in evidence.marks if mark.status == "END"}
    for transaction, events in by_transaction.items():
        if transaction not in ends:
            faults.append(("lost", f"END of {transaction}, which has {len(events)} events"))
    for transaction, end in ends.items():
        _check_numbers(transaction, end, by_transaction.get(transaction, []), faults)


def _check_numbers(transaction, end, events, faults):
    numbers = collections.Counter(event.order for event in events)
    for number, n in sorted(numbers.items()):
        if n > 1:
            faults.append(("doubled", f"{transaction} event {number} is there {n} times"))
    missing = [number for number in range(1, end.events + 1) if number not in numbers]
    if missing:
        faults.append(("lost", f"{transaction} lacks {len(missing)} of {end.events} events, first {missing[0]}"))
    if any(number > end.events for number in numbers):
        faults.append(("doubled", f"{transaction} has events beyond its count {end.events}"))
    tables = collections.defaultdict(list)
    for event in sorted(events, key=lambda e: e.order):
        tables[event.table].append(event.table_order)
    if sum(n for _, n in end.counts) != end.events:
        faults.append(("different", f"END of {transaction}: its tables' counts do not add up to {end.events}"))
    for table, n in end.counts:
        if tables.get(table, []) != list(range(1, n + 1)) and not missing:
            faults.append(("reordered", f"{transaction}: events of {table} are numbered {tables.get(table, [])[:5]}..., not 1 to {n}"))


def _check_journal(evidence, faults):
    """Every committed transaction has its END with the rows that the workload made, and nothing else has."""
    journal = evidence.journal
    ends = collections.defaultdict(list)
    for mark in evidence.marks:
        if mark.status == "END":
            ends[_name(mark.transaction)].append(mark)
    for xid, rows in journal.committed.items():
        if rows and xid not in ends:
            faults.append(("lost", f"committed transaction {xid}"))
        elif rows and dict(ends[xid][0].counts) != rows:
            faults.append(("different", f"transaction {xid} made {rows}, its END counts {dict(ends[xid][0].counts)}"))
    strangers = []
    for xid in ends:
        if xid in journal.rolled_back:
            faults.append(("different", f"transaction {xid} was rolled back and is in the topics"))
        elif xid not in journal.committed and xid not in journal.unknown:
            strangers.append(xid)
    if len(strangers) > journal.unnamed:
        faults += [("doubled", f"transaction {xid} was made by nobody (or by one of {journal.unnamed})") for xid in strangers]


def _check_rows(evidence, faults):
    for table, wanted in evidence.source_rows.items():
        have = collections.Counter(evidence.target_rows.get(table, []))
        want = collections.Counter(wanted)
        for row, n in (want - have).items():
            faults.append(("different", f"{table}: the target lacks {n} of {_short(row)}"))
        for row, n in (have - want).items():
            kind = "doubled" if row in want else "different"
            faults.append((kind, f"{table}: the target has {n} too many of {_short(row)}"))


def _short(row):
    text = repr(row)
    return text if len(text) <= 160 else text[:157] + "..."
