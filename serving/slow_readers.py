"""Answers to readers who take next to nothing of them: they are given up, and hold up nobody."""

import errno
import socket
import struct
from collections.abc import Iterable
from typing import Any, Self

from gevent.socket import socket as GeventSocket

PIECE_BYTES = 64 * 1024
"""Has its time for itself: a reader on a poor line gets through a long answer."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: what still waits in the kernel for the reader goes with the connection."""


class PatientSocket(GeventSocket):  # type: ignore[misc]
    """A connection whose reader has so many seconds for each piece of an answer.

    gunicorn sends with no limit: somebody who reads a byte a second would hold a place for ever.
    """

    __slots__ = ("_patience",)

    @classmethod
    def take_over(cls, connection: Any, patience: float) -> Self:
        """In place of this one, which is no longer to be used."""
        kind = connection.family, connection.type, connection.proto
        patient = cls(*kind, fileno=connection.detach())
        patient._patience = patience
        return patient

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Raises BrokenPipeError, as for a reader who has gone."""
        whole = memoryview(data)
        self.settimeout(self._patience)
        try:
            for start in range(0, len(whole), PIECE_BYTES):
                super().sendall(whole[start : start + PIECE_BYTES], flags)
        except TimeoutError:
            self._give_up()
        finally:
            self.settimeout(None)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """As `sendall`, in the smaller pieces of gevent's own."""
        self.settimeout(self._patience)
        try:
            return int(super().sendfile(file, offset, count))
        except TimeoutError:
            self._give_up()
        finally:
            self.settimeout(None)

    def _give_up(self) -> Any:
        self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        raise BrokenPipeError(errno.EPIPE, "The reader took too little of its answer.") from None


def give_up_slow_readers(listeners: Iterable[Any], seconds: float) -> None:
    """Have the kernel do so with what it was given to send: also once our part is done.

    Linux only; elsewhere it tries for as long as it likes.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    for listener in listeners:
        if option is not None and listener.sock.family != socket.AF_UNIX:
            listener.sock.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))
