"""Common to all tests in Python: a test that fails keeps its servers' logs."""
import os


def pytest_configure(config):
    os.environ.setdefault("TAILRACE_BINDIR", os.getcwd())
