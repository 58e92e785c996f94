"""Fault tests: one line on real servers for each file, a workload and a sampler during each fault, the checker after each.

The pass rule is always the same: once the fault is over and the line has drained, nothing is lost, doubled, reordered, torn or
different, and both agents recovered by themselves or went on after a plain restart.
"""
import pytest

import telecom
from checker import Evidence, Sampler, Topics, check, gather_journal, gather_rows, report
from checker.evidence import missing_tombstones
from harness import Stack
from telecom.line import Line
from telecom.workload import Workload


class Scene:
    """A line with its journal; load() runs work during a fault, judge() gives the verdict."""

    def __init__(self, stack, **options):
        self.stack = stack
        self.line = Line(stack, **options)
        self.topics = Topics(self.line.kafka, self.line.prefix)
        self.journal_path = str(stack.directory / "journal")
        self.samples = set()
        self.seed = 0
        self.drains = 0

    def start(self):
        self.line.start()
        return self

    def load(self, rate=200, workers=2):
        self.seed += 1
        return Load(self, rate, workers, self.seed)

    def judge(self, timeout=60):
        """Drains, gathers all evidence since the beginning, and fails with the checker's report."""
        self.line.drain(timeout)
        line = self.line
        journal = gather_journal(self.journal_path)
        topics = self.topics.read()
        drained = line.source.query("SELECT xmin::text::bigint FROM audit_trail WHERE agent = 'drain'")
        for (xid,) in drained:
            journal.committed[xid] = {"public.audit_trail": 1}
        tables = list(telecom.COLUMNS)
        evidence = Evidence(journal, topics.marks, topics.events, gather_rows(line.source, telecom.select_source, tables),
                            gather_rows(line.target, telecom.select_target, tables), sorted(self.samples),
                            telecom.INVARIANT_VALUES)
        faults = check(evidence)
        faults += [("different", f"tombstone at {place}") for place in missing_tombstones(topics.events, topics.tombstones)]
        assert not faults, report(faults)
        assert len(topics.events) > 0
        return evidence


class Load:
    """with scene.load(): the workload writes and a reader of the target samples sums."""

    def __init__(self, scene, rate, workers, seed):
        self.scene = scene
        self.workload = Workload(scene.line.source.conninfo, scene.journal_path, workers, rate, seed)
        self.sampler = Sampler(scene.line.target, telecom.INVARIANTS)

    def __enter__(self):
        self.workload.start()
        self.sampler.start()
        return self.workload

    def __exit__(self, *_):
        self.workload.stop()
        self.scene.samples |= set(self.sampler.stop())


@pytest.fixture(scope="module")
def scene(tmp_path_factory, request):
    with Stack(tmp_path_factory.mktemp("s")) as stack:
        yield Scene(stack, **getattr(request.module, "LINE", {})).start()
        if request.session.testsfailed:
            stack.keep = True
