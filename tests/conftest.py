"""Common to all tests in Python: a test that fails keeps its servers' logs."""
import os


def pytest_configure(config):
    os.environ.setdefault("TAILRACE_BINDIR", os.getcwd())
    # Brokers that live for a minute: the thorough compiler would cost them more than it gives. (Benchmarks have it.)
    os.environ.setdefault("TAILRACE_JAVA_OPTIONS", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1")
