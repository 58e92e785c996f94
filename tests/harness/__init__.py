"""The harness: starts and stops real PostgreSQL, MariaDB and MySQL servers, Kafka brokers and Tailrace agents on this machine.

The quickstart, the tests and the benchmarks all use it, so that each of them runs the same services in the same way.
Nothing here knows what Tailrace should do: that belongs to the tests.  Put tests/ on sys.path, then:

    from harness import Stack, capture_config, wait_until
    with Stack("/tmp/example") as stack:
        source, kafka = stack.start(stack.postgres("source"), stack.kafka())
        capture = stack.agent("capture", capture_config(source=source, kafka=kafka)).start()
        capture.wait_ready()
"""

from .agent import Agent
from .config import apply_config, capture_config
from .kafka import Kafka
from .mysql import MariaDB, MySQL
from .places import NotHere
from .ports import free_port
from .postgres import Postgres
from .process import ProcessDied
from .stack import Stack
from .wait import WaitTimeout, wait_until

__all__ = ["Agent", "Kafka", "MariaDB", "MySQL", "NotHere", "Postgres", "ProcessDied", "Stack", "WaitTimeout",
           "apply_config", "capture_config", "free_port", "wait_until"]
