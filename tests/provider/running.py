"""Starts the provider, and signs people in at it as a browser does."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from tests.ports import free_port
from tests.programs import MissingError, find
from tests.server import wait_for

SCRIPT = Path(__file__).with_name("provider.mjs")
CLIENT_ID, CLIENT_SECRET = "flowpulse", "the secret of the tests' client"
OLDEST_NODE = 20
MOST_STEPS = 12


def find_folder() -> Path:
    """The folder that node finds it in. Raises MissingError."""
    told = subprocess.run([find("node"), "--version"], capture_output=True, text=True, check=True)
    version = told.stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        raise MissingError(f"The provider needs node {OLDEST_NODE}, and here is {version}.")
    return find("oidc-provider").parent.parent


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
    folder, port = find_folder(), free_port()
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
