"""The real nginx with our examples, on ports of the test's own and without certificates."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.server import ROOT, answers, wait_for

EXAMPLES = ROOT / "deploy" / "proxies"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
_MAIN = """
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


def for_the_test(text: str, port: int, upstream: int) -> str:
    """An example with other ports, and on plain HTTP: everything else is as people get it."""
    text = re.sub(r"\n *ssl_certificate\S* [^;]+;", "", text)
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
    text = re.sub(r"server_name [^;]+;", "server_name _;", text)
    return text.replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")


class Nginx:
    """`with Nginx(folder, "nginx.conf", port, upstream):`; skips where there is no nginx."""

    def __init__(self, folder: Path, example: str, port: int, upstream: int) -> None:
        if NGINX is None:
            pytest.skip("no nginx here (Debian: nginx-light)")
        self.folder, self.port = folder, port
        folder.mkdir(parents=True)
        text = (EXAMPLES / example).read_text()
        (folder / "example.conf").write_text(for_the_test(text, port, upstream))
        (folder / "nginx.conf").write_text(_MAIN.format(folder=folder))
        self.command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]

    def __enter__(self) -> "Nginx":
        self.folder.chmod(0o755)
        self.process = subprocess.Popen(
            [*self.command, "-g", f"user {_own_name()};"], stderr=subprocess.DEVNULL
        )
        wait_for(lambda: answers(f"http://127.0.0.1:{self.port}", "/no-such-page"), 10)
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(10)


def _own_name() -> str:
    """So that nginx's processes may write into the test's folder."""
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
