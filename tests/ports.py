"""Free ports for the servers that the tests start."""

import random
import socket

# Below the range from which the kernel takes the ports of outgoing connections: there, a client
# that knocks at a server which is being restarted can end up connected to itself, on its port.
LOWEST, HIGHEST = 20_000, 32_000


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    while True:
        port = random.randint(LOWEST, HIGHEST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
