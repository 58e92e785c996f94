"""Free TCP ports of the loopback address.

Picked at random and tried; between the try and the use another process could take one.  Picks of this process never
repeat, and they lie below the range that outgoing connections are given, so that such a connection cannot take a
server's port while the server is down for a restart.  Where pytest-xdist runs tests side by side, each worker picks
from a part of the range that is its own, for the same reason.
"""

import os
import random
import socket

_given = set()


def _can_listen(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set this too; without it a port that has connections in TIME_WAIT would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _first_ephemeral():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError):
        return 32768


def _range():
    """(first, last) of the ports that this process may pick."""
    first, end = 11000, max(_first_ephemeral(), 12001)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % workers
    share = (end - first) // workers
    return first + number * share, first + (number + 1) * share - 1


def free_port():
    """A port of 127.0.0.1 that nothing listens on and that this process has not been given before."""
    for _ in range(1000):
        port = random.SystemRandom().randint(*_range())
        if port not in _given and _can_listen(port):
            _given.add(port)
            return port
    raise OSError("no free port on the loopback address in 1000 picks")
