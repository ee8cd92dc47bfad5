"""Guarded connections: an address is resolved once, judged, and used as it was judged."""

import http.client
import json
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from app.channels.addresses import is_public
from app.channels.deadline import Deadline
from app.channels.sending import Answer, DeliveryError, Network, Sending

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_ADDRESSES = 3
"""So many of a name's addresses are tried."""
GOOD = range(200, 300)
REDIRECTS = range(300, 400)
SERVER_ERRORS = range(500, 600)
NO_ANSWER, REFUSED_ADDRESS = "delivery_no_answer", "delivery_address_refused"
PORTS = {"http": 80, "https": 443}


class Place(NamedTuple):
    """An address that was judged: what `socket` needs to connect to it."""

    family: int
    sockaddr: Any


def look_up(host: str, port: int, deadline: Deadline) -> list[Place]:
    """The places that a name stands for. Raises OSError.

    A resolver can't be told when to end: it is asked by a thread that nobody waits for any longer
    than there is time.
    """
    found: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        answer = found.get(timeout=deadline.left())
    except queue.Empty as error:
        raise TimeoutError(deadline.words) from error
    if isinstance(answer, OSError):
        raise answer
    return [Place(family, sockaddr) for family, _, _, _, sockaddr in answer]


def resolve(host: str, port: int, network: Network, deadline: Deadline) -> list[Place]:
    """The places that a name stands for and that may be connected to. Raises DeliveryError."""
    try:
        places = look_up(host, port, deadline)
    except OSError as error:
        words = f"The name {host} can't be resolved: {error}."
        raise DeliveryError(words, problem=NO_ANSWER) from error
    allowed = [
        place for place in places if network.allow_private or is_public(str(place.sockaddr[0]))
    ]
    if not places:
        raise DeliveryError(f"The name {host} has no address.", problem=NO_ANSWER)
    if not allowed:
        raise refuse_address(host, str(places[0].sockaddr[0]))
    return allowed


def refuse_address(host: str, address: str) -> DeliveryError:
    """The error for what leads to an address that is not public."""
    return DeliveryError(
        f"{host} leads to {address}, which is not on the public internet. To send there, set "
        "FLOWPULSE_ALLOW_PRIVATE_ADDRESSES=1 for the server.",
        problem=REFUSED_ADDRESS,
    )


def reach(places: Iterable[Place], deadline: Deadline) -> socket.socket:
    """A connection to the first place that takes one. Raises OSError."""
    problem = OSError("there is no address")
    for family, sockaddr in islice(places, MAX_ADDRESSES):
        plug = socket.socket(family, socket.SOCK_STREAM)
        try:
            plug.settimeout(deadline.left(CONNECT_SECONDS))
            plug.connect(sockaddr)
        except OSError as error:
            plug.close()
            problem = error
            continue
        plug.settimeout(READ_SECONDS)
        return plug
    raise problem


def connect(host: str, port: int, network: Network, deadline: Deadline) -> socket.socket:
    """As `reach`, for places that may be connected to. Raises DeliveryError."""
    places = resolve(host, port, network, deadline)
    try:
        return reach(places, deadline)
    except OSError as error:
        words = f"No connection to {host}, port {port}: {error}."
        raise DeliveryError(words, problem=NO_ANSWER) from error


@contextmanager
def time_limit(find_plug: Callable[[], socket.socket | None], deadline: Deadline) -> Iterator[None]:
    """Cut the connection when the time is up, however slowly bytes trickle in.

    Raises TimeoutError then, also where what has come until then would look like an answer.
    """
    is_over = threading.Event()
    timer = threading.Timer(deadline.left(), _cut, [find_plug, is_over])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if is_over.is_set():
            raise TimeoutError(deadline.words)


def _cut(find_plug: Callable[[], socket.socket | None], is_over: threading.Event) -> None:
    is_over.set()
    plug = find_plug()
    if plug is None:
        return
    try:
        # Beside TLS, which would wait for the other side to say good-bye.
        socket.socket.shutdown(plug, socket.SHUT_RDWR)
    except OSError:
        pass


@cache
def tls_context() -> ssl.SSLContext:
    """Certificates are checked against the machine's authorities, and against the name."""
    return ssl.create_default_context()


def wrap_tls(plug: socket.socket, host: str) -> ssl.SSLSocket:
    """The connection, yet to shake hands: the name stays, though the address was resolved before.

    The object that comes in gives its file descriptor away.
    """
    return tls_context().wrap_socket(plug, server_hostname=host, do_handshake_on_connect=False)


def post_json(
    sending: Sending, url: str, payload: Any, headers: Mapping[str, str] | None = None
) -> Answer:
    """POST a JSON document, with the message's id in a header; as `post`."""
    own = {"Content-Type": "application/json", "X-FlowPulse-Message-Id": sending.message.id}
    return post(url, json.dumps(payload).encode(), sending, {**own, **(headers or {})})


def post(url: str, body: bytes, sending: Sending, headers: Mapping[str, str]) -> Answer:
    """POST to an address, and return a good answer (2xx).

    Follows no redirects, uses no proxy, and reads 64 KB of the answer at most. Raises DeliveryError
    for everything else that can come.
    """
    parts = split_url(url)
    host, deadline = str(parts.hostname), sending.deadline
    plug = connect(host, parts.port or PORTS[parts.scheme], sending.network, deadline)
    try:
        if parts.scheme == "https":
            plug = wrap_tls(plug, host)
        with time_limit(lambda: plug, deadline):
            if isinstance(plug, ssl.SSLSocket):
                plug.do_handshake()
            answer = _exchange(plug, parts, body, headers)
    except (OSError, ValueError, http.client.HTTPException) as error:
        words = f"{host} gave no answer that can be read: {str(error) or type(error).__name__}."
        raise DeliveryError(words, problem=name_problem(error, NO_ANSWER)) from error
    finally:
        plug.close()
    return judge(host, answer)


def name_problem(error: Exception, usual: str) -> str:
    """The row of the troubleshooting table for an error of a connection."""
    is_certificate = isinstance(error, ssl.SSLCertVerificationError)
    return "delivery_certificate" if is_certificate else usual


def split_url(url: str) -> SplitResult:
    """Raises DeliveryError for what is no http(s) address, or has a user before its host."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        words = "The saved address is no http:// or https:// address."
        raise DeliveryError(words, problem=REFUSED_ADDRESS)
    if "@" in parts.netloc:
        words = "The saved address has a name or a password before an @. Enter it without."
        raise DeliveryError(words, problem=REFUSED_ADDRESS)
    return parts


def _exchange(
    plug: socket.socket, parts: SplitResult, body: bytes, headers: Mapping[str, str]
) -> Answer:
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    connection.sock = plug
    own = {
        "Host": parts.netloc.rpartition("@")[2],
        "User-Agent": "FlowPulse",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Content-Length": str(len(body)),
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.putrequest("POST", target, skip_host=True, skip_accept_encoding=True)
        for header, value in {**own, **headers}.items():
            connection.putheader(header, value)
        connection.endheaders(body)
        with connection.getresponse() as response:
            text = response.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")
            return Answer(response.status, text)
    finally:
        connection.close()


def judge(host: str, answer: Answer) -> Answer:
    """A good answer (2xx). Raises DeliveryError for another."""
    if answer.status in GOOD:
        return answer
    said = f"{host} answered {answer.status}"
    if answer.status in REDIRECTS:
        said += ", a redirect, and redirects are not followed"
    is_their_fault = (answer.status or 0) in SERVER_ERRORS
    problem = "delivery_server_error" if is_their_fault else "delivery_rejected"
    raise DeliveryError(f"{said}.", answer, problem=problem)
