"""Free TCP ports of the loopback address.

Picked at random and tried; between the try and the use another process could take one.  Picks of this process never
repeat, and they lie below the range that outgoing connections are given, so that such a connection cannot take a
server's port while the server is down for a restart.
"""

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


def free_port():
    """A port of 127.0.0.1 that nothing listens on and that this process has not been given before."""
    last = max(_first_ephemeral() - 1, 12000)
    for _ in range(1000):
        port = random.SystemRandom().randint(11000, last)
        if port not in _given and _can_listen(port):
            _given.add(port)
            return port
    raise OSError("no free port on the loopback address in 1000 picks")
