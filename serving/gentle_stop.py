"""A stop that resets no connection: new ones are turned away before the last ones are served."""

import ctypes
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Any

# A connection that the kernel has accepted, but the process hasn't yet, is reset when the listening
# socket closes (gunicorn issue 3397). Linux can refuse new connections without closing: a filter
# on the listening socket that drops what opens a connection. The workers then take in what waits,
# and nothing is reset; whoever knocks meanwhile knocks again a second later, and finds either the
# next server or a refusal. Elsewhere than on Linux the stop is the plain one.
TAKE_IN_SECONDS = 0.2
SO_ATTACH_FILTER = 26
# Classic BPF over the TCP header, as (code, jump if true, jump if false, operand).
DROP_SYN = (
    (0x30, 0, 0, 13),  # Load the byte of flags,
    (0x54, 0, 0, 0x12),  # keep SYN and ACK of it;
    (0x15, 0, 1, 0x02),  # where that is SYN alone
    (0x06, 0, 0, 0),  # drop the packet,
    (0x06, 0, 0, 0xFFFFFFFF),  # else let it pass.
)


def stop_gently(server: Any) -> None:
    """Have gunicorn's stop first turn away new connections, then finish those that are in."""
    server.stop = partial(_stop, server, server.stop)


def _stop(server: Any, stop: Callable[[bool], None], graceful: bool = True) -> None:
    if graceful and all(map(_refuse_new_connections, server.LISTENERS)):
        time.sleep(TAKE_IN_SECONDS)
    stop(graceful)


def _refuse_new_connections(listener: Any) -> bool:
    program = b"".join(struct.pack("=HBBI", *step) for step in DROP_SYN)
    memory = ctypes.create_string_buffer(program)
    pointer = struct.pack("@HP", len(DROP_SYN), ctypes.addressof(memory))
    try:
        listener.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)
    except OSError:
        return False
    return True
