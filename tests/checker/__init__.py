"""The checker that everything rests on: is what arrived exactly what was done?

evidence.py gathers what there is to see (the workload's journal, the topics, the target, the samples that readers of the
target took during the load); verdict.py, which does no I/O, compares it and reports each fault under one of five names:
lost, doubled, reordered, torn, different.  selftest.py seeds each fault in good evidence and demands that it is found.
"""
from .evidence import Sampler, Topics, gather_journal, gather_rows, gather_topics  # noqa: F401
from .verdict import Evidence, check, report  # noqa: F401
