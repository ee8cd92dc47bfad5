"""Starts the provider, and signs people in at it as a browser does."""

import fcntl
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from tests.lighthouse import MissingError, npm_install
from tests.ports import free_port
from tests.server import wait_for

PACKAGE = "oidc-provider@9.13.3"
FOLDER = Path(__file__).parent.parent.parent / ".cache" / "provider"
SCRIPT = Path(__file__).with_name("provider.mjs")
CLIENT_ID, CLIENT_SECRET = "flowpulse", "the secret of the tests' client"
OLDEST_NODE = 20
MOST_STEPS = 12


def install() -> Path:
    """The folder that node finds it in, which git ignores. Raises MissingError."""
    node = shutil.which("node")
    if not (node and shutil.which("npm")):
        raise MissingError("node and npm are not there")
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(told.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        raise MissingError(f"node is {told.strip()}, and the provider needs {OLDEST_NODE}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:  # Tests run beside each other.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (FOLDER / "node_modules" / "oidc-provider").exists():
            return FOLDER
        npm_install(PACKAGE, FOLDER)
    return FOLDER


@dataclass
class Person:
    """Somebody's browser at the provider: it stays signed in there."""

    login: str
    browser: requests.Session = field(default_factory=requests.Session)
    asked: int = 0
    """How often the provider has asked who it is."""

    def come_back(self, url: str, until: str) -> str:
        """From the address that FlowPulse leads to, through the provider's pages, to the address
        that it leads back to, which begins with `until`."""
        answer = self.browser.get(url, allow_redirects=False, timeout=10)
        for _ in range(MOST_STEPS):
            if answer.is_redirect:
                url = urljoin(answer.url, answer.headers["Location"])
                if url.startswith(until):
                    return url
                answer = self.browser.get(url, allow_redirects=False, timeout=10)
                continue
            assert answer.ok, answer.text
            answer = self._send_form(answer)
        raise AssertionError(f"The provider leads nowhere: {answer.url}")

    def _send_form(self, page: requests.Response) -> requests.Response:
        action = re.search(r'action="([^"]+)"', page.text)
        prompt = re.search(r'name="prompt" value="([^"]+)"', page.text)
        assert action and prompt, page.text
        data = {"prompt": prompt[1]}
        if prompt[1] == "login":
            self.asked += 1
            data |= {"login": self.login, "password": "any"}
        url = urljoin(page.url, action[1])
        return self.browser.post(url, data=data, allow_redirects=False, timeout=10)


@contextmanager
def running(*redirects: str) -> Iterator[str]:
    """Its issuer, while it runs. Raises MissingError where it can't."""
    folder, port = install(), free_port()
    script = folder / f"{port}.mjs"
    script.write_text(SCRIPT.read_text())  # Node looks for the package from where the script is.
    command = ["node", script.name, str(port), CLIENT_ID, CLIENT_SECRET, *redirects]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    issuer = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _answers(issuer), 20)
        yield issuer
    finally:
        process.kill()
        process.wait()
        script.unlink()


def _answers(issuer: str) -> bool:
    try:
        return requests.get(f"{issuer}/.well-known/openid-configuration", timeout=2).ok
    except requests.RequestException:
        return False


def find_path(url: str) -> str:
    """The address without its host, for a client within this process."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"
