"""Networks of several hosts on this machine, whose links can be cut: namespaces or addresses."""

import atexit
import contextlib
import os
import selectors
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import make_url

from tests.postgres import PostgresCluster
from tests.programs import find


@dataclass(frozen=True)
class Host:
    """A host's own address, what runs a program on it, and the database as it reaches it."""

    address: str
    through: Sequence[str]
    database_url: str


class Network(Protocol):
    """Hosts that senders reach by one network, and which reach the database by another."""

    postgres: PostgresCluster

    def hosts(self, database: str) -> list[Host]: ...

    def cut(self, number: int) -> None:
        """From now on nothing comes from the database to this host, nor from it to the database."""

    def mend(self, number: int) -> None: ...

    def unplug(self, number: int) -> None:
        """Nor does anything else: nobody is told that its programs end."""

    def remove(self) -> None: ...


class NamespacesUnavailableError(Exception):
    """They take root and Linux."""


class Namespaces:
    """Each host is a network namespace, joined by a bridge to the senders, by one to the database.

    The networks are of those that RFC 2544 keeps for measurements.
    """

    def __init__(self, count: int, durable: bool = False) -> None:
        self._mark = f"{os.getpid() % 0x10000:04x}"
        self._part = os.getpid() % 200 + 20
        self._count = count
        atexit.register(self.remove)
        try:
            self._make()
            self.postgres = PostgresCluster(durable=durable, address=f"{self._back(1)}/24")
        except BaseException:
            self.remove()
            raise

    def hosts(self, database: str) -> list[Host]:
        url = self.postgres.create_database(database)
        return [
            Host(self._front(number + 10), ("ip", "netns", "exec", self._space(number)), url)
            for number in range(self._count)
        ]

    def cut(self, number: int) -> None:
        _ip("link", "set", self._link("b", number), "down")

    def mend(self, number: int) -> None:
        _ip("link", "set", self._link("b", number), "up")

    def unplug(self, number: int) -> None:
        self.cut(number)
        _ip("link", "set", self._link("f", number), "down")

    def remove(self) -> None:
        """Whatever of it is there; a second call does nothing."""
        atexit.unregister(self.remove)
        if hasattr(self, "postgres"):
            self.postgres.stop()
        numbers = range(self._count)  # Links first: a space stays while a socket lingers in it.
        links = [self._link(kind, number) for kind in "fb" for number in numbers]
        ends = [("link", "del", name) for name in (*links, *map(self._bridge, "fb"))]
        for end in (*ends, *(("netns", "del", self._space(number)) for number in numbers)):
            with contextlib.suppress(NamespacesUnavailableError, OSError):
                _ip(*end)

    def _make(self) -> None:
        if os.geteuid() != 0:
            raise NamespacesUnavailableError("There is no root.")
        find("ip")
        for kind, address in zip("fb", (self._front(1), self._back(1)), strict=True):
            _ip("link", "add", self._bridge(kind), "type", "bridge")
            _ip("addr", "add", f"{address}/24", "dev", self._bridge(kind))
            _ip("link", "set", self._bridge(kind), "up")
        for number in range(self._count):
            space = self._space(number)
            _ip("netns", "add", space)
            _ip("-n", space, "link", "set", "lo", "up")
            self._join("f", number, self._front(number + 10))
            self._join("b", number, self._back(number + 10))

    def _join(self, kind: str, number: int, address: str) -> None:
        space, link, inside = self._space(number), self._link(kind, number), f"eth-{kind}"
        peer = ("peer", "name", inside, "netns", space)
        _ip("link", "add", link, "type", "veth", *peer)
        _ip("link", "set", link, "master", self._bridge(kind), "up")
        _ip("-n", space, "addr", "add", f"{address}/24", "dev", inside)
        _ip("-n", space, "link", "set", inside, "up")

    def _front(self, host: int) -> str:
        return f"198.18.{self._part}.{host}"

    def _back(self, host: int) -> str:
        return f"198.19.{self._part}.{host}"

    def _space(self, number: int) -> str:
        return f"fp{self._mark}-{number}"

    def _bridge(self, kind: str) -> str:
        return f"fp{self._mark}{kind}"

    def _link(self, kind: str, number: int) -> str:
        return f"fp{self._mark}{kind}{number}"


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NamespacesUnavailableError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Addresses:
    """Each host is a loopback address, and reaches the database through a door that can be shut.

    Where namespaces can't be made. A door that is shut refuses, where a cut link says nothing.
    """

    def __init__(self, count: int, durable: bool = False) -> None:
        self.postgres = PostgresCluster(durable=durable)
        self._doors = [Door(self.postgres.port) for _ in range(count)]

    def hosts(self, database: str) -> list[Host]:
        url = make_url(self.postgres.create_database(database))
        return [
            Host(
                f"127.0.1.{number + 10}",
                (),
                url.set(port=door.port).render_as_string(hide_password=False),
            )
            for number, door in enumerate(self._doors)
        ]

    def cut(self, number: int) -> None:
        self._doors[number].shut()

    def mend(self, number: int) -> None:
        self._doors[number].open()

    def unplug(self, number: int) -> None:
        self.cut(number)

    def remove(self) -> None:
        for door in self._doors:
            door.shut()
        self.postgres.stop()


class Door:
    """Passes connections on to a port of this machine, while it is open."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._is_open = True
        self._pairs: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="door", daemon=True).start()

    def open(self) -> None:
        self._is_open = True

    def shut(self) -> None:
        self._is_open = False
        for each in list(self._pairs):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if not self._is_open:
                client.close()
                continue
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            self._pairs |= {client, server}
            other = {client: server, server: client}
            with contextlib.suppress(OSError), selectors.DefaultSelector() as ready:
                for each in other:
                    ready.register(each, selectors.EVENT_READ)
                while True:
                    for key, _ in ready.select():
                        source = key.fileobj
                        assert isinstance(source, socket.socket)
                        piece = source.recv(65_536)
                        if not piece:
                            raise ConnectionResetError
                        other[source].sendall(piece)
            self._pairs -= {client, server}


NETWORKS: dict[str, type[Namespaces] | type[Addresses]] = {
    "namespaces": Namespaces,
    "addresses": Addresses,
}


@contextmanager
def joined_hosts(
    count: int, kind: str | None = None, *, durable: bool = False
) -> Iterator[Network]:
    """A network of this kind or, by default, of namespaces where they can be made; `durable` as
    PostgresCluster's."""
    network: Network
    try:
        network = NETWORKS[kind or "namespaces"](count, durable)
    except NamespacesUnavailableError:
        if kind:
            raise
        network = Addresses(count, durable)
    try:
        yield network
    finally:
        network.remove()
