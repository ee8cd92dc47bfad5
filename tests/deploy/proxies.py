"""The real proxies with our examples, on ports of the test's own and without certificates."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import yaml

from tests.ports import free_port
from tests.programs import find
from tests.server import ROOT, wait_for

EXAMPLES = ROOT / "deploy" / "proxies"
_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/example.conf;
}}
"""
_CADDY = "{\n\tadmin off\n\tauto_https off\n}\n"
Way = str
WAYS: dict[Way, str] = {"host": "", "sub-path": "/pulse"}
"""A host of FlowPulse's own, and a path of another; with what the address has behind the host."""
HOSTS: dict[str, Way] = {"flowpulse.example.org": "host", "example.org": "sub-path"}
"""What the examples call them."""
STRICT = {"Strict-Transport-Security": "max-age=31536000"}
Prepare = Callable[[Path, Way, int, int, int], list[str]]
"""Writes an example for the test into the folder, for a port, FlowPulse's, and that of who signs
people in (0: the example without); what starts it."""


def _prepare_nginx(folder: Path, way: Way, port: int, upstream: int, sign_in: int) -> list[str]:
    name = {"host": "nginx.conf", "sub-path": "nginx-sub-path.conf"}[way]
    text = _read("nginx-sign-in.conf" if sign_in else name, upstream, sign_in)
    text = re.sub(r"\n *ssl_certificate\S* [^;]+;", "", text)
    ports = _ports(way, port)
    for host in HOSTS:
        named, here = f"server_name {host};", f"listen 127.0.0.1:{ports[host]};"
        text = re.sub(rf"listen 443 ssl;(\s+){re.escape(named)}", rf"{here}\1server_name _;", text)
    text = text.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
    (folder / "example.conf").write_text(text)
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder))
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    own = ["-g", f"user {user};"]  # So that its processes may write into the folder.
    return ["-p", str(folder), "-c", str(folder / "nginx.conf"), *own]


def _prepare_caddy(folder: Path, way: Way, port: int, upstream: int, sign_in: int) -> list[str]:
    text = _read("Caddyfile-sign-in" if sign_in else "Caddyfile", upstream, sign_in)
    for host, own in _ports(way, port).items():
        text = re.sub(rf"^{re.escape(host)} {{", f"http://127.0.0.1:{own} {{", text, flags=re.M)
    (folder / "Caddyfile").write_text(_CADDY + text)
    return ["run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def _prepare_traefik(folder: Path, way: Way, port: int, upstream: int, sign_in: int) -> list[str]:
    text = _read("traefik-sign-in.yaml" if sign_in else "traefik.yaml", upstream, sign_in)
    document = yaml.safe_load(re.sub(r"Host\(`[a-z.]+`\)", "Host(`127.0.0.1`)", text))
    routers = document["http"]["routers"]
    others = {name for name in routers if ("sub-path" in name) != (way == "sub-path")}
    document["http"]["routers"] = {
        name: {key: value for key, value in router.items() if key != "tls"}
        for name, router in routers.items()
        if name not in others - {"oauth2-proxy"}
    }
    strict = document["http"]["middlewares"]["flowpulse-tls-alone"]["headers"]
    strict["forceSTSHeader"] = True  # Without a certificate it would leave the header out.
    (folder / "dynamic.yaml").write_text(yaml.safe_dump(document))
    return [
        f"--entryPoints.websecure.address=127.0.0.1:{port}",
        f"--providers.file.filename={folder / 'dynamic.yaml'}",
        "--global.checkNewVersion=false",
        "--log.level=ERROR",
    ]


def _read(name: str, upstream: int, sign_in: int) -> str:
    text = (EXAMPLES / name).read_text()
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    return text.replace("127.0.0.1:4180", f"127.0.0.1:{sign_in}")


def _ports(way: Way, port: int) -> dict[str, int]:
    """By host: both may stand in one file, and the other one is at a port that nobody asks."""
    return {host: port if of == way else free_port() for host, of in HOSTS.items()}


PROXIES: dict[str, Prepare] = {
    "nginx": _prepare_nginx,
    "caddy": _prepare_caddy,
    "traefik": _prepare_traefik,
}


class Proxy:
    """`with Proxy("nginx", folder, way, port, upstream):`. Raises MissingError.

    `sign_in`: the port of who signs people in, whom the proxy asks.
    """

    def __init__(
        self, name: str, folder: Path, way: Way, port: int, upstream: int, sign_in: int = 0
    ) -> None:
        program = str(find(name))
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self._folder, self._url = folder, f"http://127.0.0.1:{port}{WAYS[way]}"
        self._command = [program, *PROXIES[name](folder, way, port, upstream, sign_in)]

    def __enter__(self) -> "Proxy":
        homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(self._folder))
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command, env=os.environ | homes, stdout=log, stderr=log
            )
        try:
            wait_for(self._is_through, 10)
        except AssertionError:
            self.__exit__()
            pytest.fail((self._folder / "log").read_text())
        return self

    def _is_through(self) -> bool:
        """Traefik answers 404 before it has read its file. One that has ended never will be."""
        if self._process.poll() is not None:
            pytest.fail((self._folder / "log").read_text())
        try:
            return requests.get(f"{self._url}/healthz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(10)
