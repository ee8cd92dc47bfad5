"""A session with the SMTP server of the settings: ended in time, and its replies cut."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader

from app.channels.connections import look_up, reach, time_limit, wrap_tls
from app.channels.deadline import Deadline
from app.channels.sending import MailServer

MAX_REPLY_BYTES = 64 * 1024


@contextmanager
def open_session(server: MailServer, deadline: Deadline) -> Iterator[smtplib.SMTP]:
    """Connected, encrypted and signed in, as the settings say; the time is that of all that is done
    with it. Raises OSError (TimeoutError when the time is up), SMTPException and ValueError."""
    session = _Session(server, deadline)
    with time_limit(lambda: session.plug, deadline):
        try:
            session.connect(server.host, server.port)
            if server.security == "starttls":
                session.starttls(context=session)  # type: ignore[call-overload]
            if server.user:
                session.login(server.user, server.password)
            yield session
            # What was taken is taken: nothing that comes after it may make it a failure.
            with suppress(OSError, smtplib.SMTPException):
                session.putcmd("quit")
        finally:
            session.close()


class _Session(smtplib.SMTP):
    """`plug` is the connection at each moment, also while TLS shakes hands."""

    def __init__(self, server: MailServer, deadline: Deadline) -> None:
        super().__init__()
        self._server, self._deadline = server, deadline
        self._host = server.host  # The name that TLS asks for.
        self.plug: socket.socket | None = None

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """What `connect` calls."""
        self.plug = reach(look_up(host, port, self._deadline), self._deadline)
        return self.wrap_socket(self.plug, host) if self._server.security == "tls" else self.plug

    def wrap_socket(self, plug: socket.socket, server_hostname: str) -> ssl.SSLSocket:
        """What `starttls` calls, of what it is given as a context."""
        self.plug = wrapped = wrap_tls(plug, server_hostname)
        wrapped.do_handshake()
        return wrapped

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Reader(self.sock.makefile("rb"))
        if self.file is not None:
            self.file.left = MAX_REPLY_BYTES
        return super().getreply()


class _Reader:
    """Reads lines until a reply is longer than anybody needs."""

    def __init__(self, file: BufferedReader) -> None:
        self._file, self.left = file, MAX_REPLY_BYTES

    def readline(self, limit: int = -1) -> bytes:
        line = self._file.readline(limit)
        self.left -= len(line)
        if self.left < 0:
            raise OSError(f"the reply is longer than {MAX_REPLY_BYTES // 1024} KB")
        return line

    def close(self) -> None:
        self._file.close()
