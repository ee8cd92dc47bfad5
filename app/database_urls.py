"""What the addresses of databases may look like: none is repeated, as it may hold a password."""

import re
from urllib.parse import parse_qs

_NOT_ONE_SERVER = """must lead to one server: one host, without load_balance_hosts; name one \
replica, and not a reader's address that stands for several"""
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(:\d*)?")
_NO_URL = """must be postgresql://user:password@host:port/name, the port a number; special \
characters in the password are to be percent-encoded: @ as %40, : as %3A, / as %2F"""


def parse_database_url(text: str) -> str:
    """Empty, SQLite's or PostgreSQL's. Raises ValueError, which repeats nothing of it."""
    if not text or text.startswith("sqlite:///"):
        return text
    return _postgres_url(text, "must start with sqlite:/// or postgresql://")


def parse_replica_url(text: str) -> str:
    """Empty, or one server's: pages go by how far it is behind, which one of several can't tell for
    another that the next connection may lead to. Raises ValueError, which repeats nothing of it."""
    url = text and _postgres_url(text, "must start with postgresql://")
    head, _, query = url.partition("?")
    named = parse_qs(query, keep_blank_values=True)
    lists = [[head.partition("://")[2].partition("/")[0].rpartition("@")[2]]]
    lists += (named.get(name, []) for name in ("host", "hostaddr", "port"))
    if "load_balance_hosts" in named or any("," in ",".join(each) for each in lists):
        raise ValueError(_NOT_ONE_SERVER)
    return url


def _postgres_url(text: str, expectation: str) -> str:
    """By any of its usual schemes it is opened with psycopg 3. What it raises repeats nothing."""
    scheme, mark, rest = text.partition("://")
    if not mark or scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
        raise ValueError(expectation)
    head, _, query = rest.partition("?")
    hosts = head.partition("/")[0].rpartition("@")[2].split(",")
    is_cut = "@" in head and "@" in query.partition("=")[0]
    if head.count("@") > 1 or is_cut or not all(map(_HOST.fullmatch, hosts)):
        raise ValueError(_NO_URL)
    return f"postgresql+psycopg://{rest}"
