"""Whose X-Forwarded-* headers are believed, and what becomes of a request then."""

import http.client
import logging
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.config import ConfigurationError
from app.trusted_proxies import believe_proxies, read_proxies
from tests.server import ROOT, test_environment, wait_for

PUBLIC = "https://flow.example.org"
CLIENT = "198.51.100.7"
HOSTILE = "203.0.113.66"


def believed(setting: object, peer: str, told: str | None = None, **headers: str) -> dict[str, Any]:
    """What the application sees of a request from this peer."""
    seen: dict[str, Any] = {}

    def note(environ: dict[str, Any], _: Any) -> list[bytes]:
        seen.update(environ)
        return []

    request: dict[str, Any] = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", "HTTP_HOST": "web"}
    for name, value in headers.items():
        request[f"HTTP_X_FORWARDED_{name.upper()}"] = value
    if told is not None:
        request["HTTP_X_FORWARDED_FOR"] = told
    believe_proxies(note, setting)(request, None)
    return seen


def address(setting: object, peer: str, told: str | None = None) -> str:
    return str(believed(setting, peer, told)["REMOTE_ADDR"])


@pytest.mark.parametrize(
    "peer",
    ["127.0.0.1", "10.1.2.3", "172.17.0.1", "192.168.3.4", "100.64.0.9", "::ffff:172.17.0.1"],
)
@pytest.mark.parametrize("setting", [1, "1", " 1 "])
def test_of_proxies_that_are_only_counted_the_nearest_is_near(setting: object, peer: str) -> None:
    assert address(setting, peer, CLIENT) == CLIENT
    for six in ("::1", "fd00::7", "fe80::1%eth0"):
        assert address(setting, six, CLIENT) == CLIENT


def test_a_number_beside_names_takes_no_word_from_before_the_outer_proxy() -> None:
    """What stands before it may be the client's own, for hosts as for addresses."""
    told = {
        "host": "evil.example, flow.example.org",
        "proto": "https, http",
        "prefix": "/evil, /in",
    }
    seen = believed("2,10.0.0.0/8", "10.0.0.1", f"9.9.9.9, {CLIENT}", **told)
    assert (seen["REMOTE_ADDR"], seen["HTTP_HOST"]) == (CLIENT, "flow.example.org")
    assert (seen["wsgi.url_scheme"], seen["SCRIPT_NAME"]) == ("http", "/in")


@pytest.mark.parametrize("peer", [HOSTILE, "2001:db8::66", "::ffff:203.0.113.66", "172.32.0.1"])
@pytest.mark.parametrize("setting", ["1", "3", "10.0.0.0/8", "1,127.0.0.1", "unix"])
def test_who_comes_past_the_proxy_is_not_believed(setting: str, peer: str) -> None:
    lies = {"proto": "https", "host": "evil.example", "prefix": "/evil"}
    seen = believed(setting, peer, "10.0.0.1, 127.0.0.1", **lies)
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == (peer, "http")
    assert seen["HTTP_HOST"] == "web" and "SCRIPT_NAME" not in seen


def test_proxies_that_are_named_are_believed_and_no_others() -> None:
    named = "192.0.2.1, 2001:db8:5::/48"
    for peer in ("192.0.2.1", "2001:db8:5::9", "::ffff:192.0.2.1"):
        assert address(named, peer, CLIENT) == CLIENT
    for peer in ("192.0.2.2", "2001:db8:6::9", "127.0.0.1", "10.0.0.1", "::1", ""):
        assert address(named, peer, CLIENT) == peer
    assert address("::ffff:192.0.2.0/120", "192.0.2.9", CLIENT) == CLIENT


def test_a_unix_socket_is_believed_where_it_is_named_or_proxies_are_counted() -> None:
    assert address("unix", "", CLIENT) == CLIENT
    assert address("1", "", CLIENT) == CLIENT
    assert address("unix", "127.0.0.1", CLIENT) == "127.0.0.1"
    assert address("127.0.0.1", "", CLIENT) == ""


@pytest.mark.parametrize(
    ("setting", "told", "client"),
    [
        ("1", f"{HOSTILE}, {CLIENT}", CLIENT),
        ("2", f"{HOSTILE}, {CLIENT}, 203.0.113.5", CLIENT),
        ("2", CLIENT, CLIENT),
        ("10.0.0.0/8", f"{HOSTILE}, {CLIENT}, 10.0.0.2, 10.0.0.3", CLIENT),
        ("10.0.0.0/8", f"10.0.0.9, {CLIENT}, 10.0.0.2", CLIENT),
        ("10.0.0.0/8", "10.0.0.8, 10.0.0.2", "10.0.0.8"),
        ("10.0.0.0/8,2", f"{CLIENT}, 10.0.0.7, 10.0.0.2", "10.0.0.7"),
        ("10.0.0.0/8", f"{CLIENT}, nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.0/8", ",".join(["10.0.0.2"] * 4000), "10.0.0.2"),
    ],
)
def test_of_several_hops_those_count_that_proxies_have_written(
    setting: str, told: str, client: str
) -> None:
    assert address(setting, "10.0.0.1", told) == client


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("198.51.100.7:4711", CLIENT),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("::ffff:198.51.100.7", CLIENT),
        ("fe80::7%eth0", "fe80::7"),
        (" 198.51.100.7 ", CLIENT),
        ("<script>alert(1)</script>", "10.0.0.1"),
        ("unknown", "10.0.0.1"),
        ("", "10.0.0.1"),
        (None, "10.0.0.1"),
    ],
)
def test_an_address_is_kept_in_one_form_and_nothing_else_as_one(
    told: str | None, client: str
) -> None:
    assert address("1", "10.0.0.1", told) == client


def test_scheme_host_and_prefix_are_those_of_the_farthest_that_is_believed() -> None:
    both = {"proto": "https, http", "host": "flow.example.org, inner", "prefix": "/pulse"}
    seen = believed("10.0.0.0/8", "10.0.0.1", f"{CLIENT}, 10.0.0.2", **both)
    assert (seen["wsgi.url_scheme"], seen["HTTP_HOST"]) == ("https", "flow.example.org")
    assert seen["SCRIPT_NAME"] == "/pulse"
    seen = believed("10.0.0.0/8", "10.0.0.1", CLIENT, **both)
    assert (seen["wsgi.url_scheme"], seen["HTTP_HOST"]) == ("http", "inner")
    assert believed("2", "10.0.0.1", CLIENT, **both)["wsgi.url_scheme"] == "https"
    assert believed("1", "10.0.0.1", proto="gopher")["wsgi.url_scheme"] == "http"


@pytest.mark.parametrize("setting", ["0", 0, "", "0 "])
def test_without_a_proxy_nothing_stands_in_the_way(setting: object) -> None:
    def application(_: Any, __: Any) -> list[bytes]:
        return []

    assert believe_proxies(application, setting) is application


@pytest.mark.parametrize(
    "setting",
    ["-1", "one", "proxy.example.org", "10.0.0.0/33", "1,2", "0,10.0.0.1", "::1/129", "١"],
)
def test_what_is_no_proxy_is_refused_by_its_name(tmp_path: Path, setting: str) -> None:
    with pytest.raises(ConfigurationError, match="FLOWPULSE_TRUSTED_PROXIES"):
        read_proxies(setting)
    with pytest.raises(ConfigurationError, match="FLOWPULSE_TRUSTED_PROXIES"):
        create_app({"FLOWPULSE_TRUSTED_PROXIES": setting, "FLOWPULSE_DATA_DIR": tmp_path})


def test_the_log_tells_once_of_a_proxy_that_is_not_believed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    application = believe_proxies(lambda *_: [], "1")
    with caplog.at_level(logging.WARNING):
        application({"REMOTE_ADDR": HOSTILE}, None)
        for _ in range(3):
            application({"REMOTE_ADDR": "35.191.0.7", "HTTP_X_FORWARDED_FOR": CLIENT}, None)
    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == ["35.191.0.7"]


@pytest.mark.once
def test_the_real_server_believes_its_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    extra = {"FLOWPULSE_TRUSTED_PROXIES": "unix", "FLOWPULSE_PUBLIC_URL": PUBLIC}
    environment = test_environment(tmp_path, "", 1, WEB_CONCURRENCY="1", **extra)
    flask = [sys.executable, "-m", "flask", "--app", "wsgi"]
    subprocess.run([*flask, "prepare"], cwd=ROOT, env=environment, check=True, capture_output=True)
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "-b", f"unix:{path}"]
    with subprocess.Popen(gunicorn, cwd=ROOT, env=environment) as process:
        try:
            wait_for(path.exists, seconds=30)
            told = [status_over(path, host) for host in ("flow.example.org", "evil.example")]
        finally:
            process.terminate()
    assert told == [200, 421]


def status_over(path: Path, host: str) -> int:
    connection = http.client.HTTPConnection("web")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(20)
    connection.sock.connect(str(path))
    connection.request("GET", "/sign-in", headers={"X-Forwarded-Host": host})
    status = connection.getresponse().status
    connection.close()
    return status
