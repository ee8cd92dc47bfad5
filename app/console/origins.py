"""Whose names this server answers to, and whose forms it takes: its own, and nobody else's."""

from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, request

from app.errors import answer_page, is_of_api
from app.ingest.foreign_pings import blueprint as foreign_pings

UNDER_ANY_NAME = frozenset(
    {
        "assets.show_styles",
        "health.show_health",
        "health.show_readiness",
        "metrics.show_metrics",
        "static",
    }
)
"""Endpoints that load balancers ask by an address, and what the refusal itself is drawn with."""
OWN_SITES = frozenset({"same-origin", "none"})
"""Of Sec-Fetch-Site; `none` is the person, by the address bar or a reload."""
DEFAULT_PORTS = {"http": 80, "https": 443}
MOST_SHOWN = 100


class Origin(NamedTuple):
    """What makes pages one application's (RFC 6454, 4)."""

    scheme: str
    name: str
    port: int | None

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        is_usual = self.port in (None, DEFAULT_PORTS.get(self.scheme))
        return f"{self.scheme}://{name}" + ("" if is_usual else f":{self.port}")


def init_origins(app: Flask) -> None:
    app.before_request(check_host)


def check_host() -> None:
    """Refuse a page under a name that is not the public URL's, once that is set (RFC 9110, 7.4).

    The API takes requests under any name, and makes links from the public URL alone: a sender that
    reaches the server by an internal name must not lose its events. Ports are not looked at: many
    proxies pass the name on without.
    """
    public: str = current_app.config["FLOWPULSE_PUBLIC_URL"]
    if not public or request.endpoint in UNDER_ANY_NAME or is_of_api(request.path):
        return
    if request.blueprint == foreign_pings.name:
        return
    own, came = read_origin(public), read_origin(f"http://{request.host}")
    if own and came and own.name == came.name:
        return
    text = (
        f"This request came under the host “{_shown(request.host)}”. FlowPulse answers under "
        f"{public} alone: open it there.\n"
        "Does this come up there too? Then have the proxy pass the Host header on, or send "
        "X-Forwarded-Host and name the proxy's address in FLOWPULSE_TRUSTED_PROXIES. If the "
        "server has moved, change FLOWPULSE_PUBLIC_URL."
    )
    abort(
        answer_page(
            421, "FlowPulse has another address", text, home=f"{public}/", to="Open FlowPulse"
        )
    )


def check_origin() -> None:
    """Refuse a form of which the browser says that it stood in a page of another origin.

    Browsers that say nothing are taken at the word of the form's token.
    """
    origin = request.headers.get("Origin") or request.referrer
    if origin and not is_own(origin):
        own = current_app.config["FLOWPULSE_PUBLIC_URL"] or f"the host “{_shown(request.host)}”"
        came = _shown(str(read_origin(origin) or "null"))
        _refuse(
            f"It was sent from a page under {came}, and this server is {own}.\n"
            f"Is {came} where you open FlowPulse? Then set FLOWPULSE_PUBLIC_URL to it; behind a "
            "proxy, have that pass the Host header on, or name its address in "
            "FLOWPULSE_TRUSTED_PROXIES."
        )
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site not in OWN_SITES:
        _refuse(
            "It was sent from a page of another site, as the browser says (Sec-Fetch-Site: "
            f"{_shown(site)}). Open FlowPulse, and do it there."
        )


def is_own(address: str) -> bool:
    """Whether a page is this server's: of the public URL's origin or, where none is set, of the
    host that the request names. That this came by HTTPS, only a trusted proxy tells."""
    origin = read_origin(address)
    if origin is None:
        return False
    public: str = current_app.config["FLOWPULSE_PUBLIC_URL"]
    scheme = "https" if request.is_secure else origin.scheme
    return origin == read_origin(public or f"{scheme}://{request.host}")


def read_origin(address: str) -> Origin | None:
    """The origin of a web address; None for what has none, as `null` and `data:`."""
    try:
        parts = urlsplit(address)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        name = (parts.hostname or "").rstrip(".").encode("idna").decode("ascii").lower()
    except (ValueError, KeyError):
        return None
    return Origin(parts.scheme, name, port) if name else None


def _refuse(text: str) -> None:
    abort(answer_page(403, "This form came from elsewhere", f"Nothing was changed. {text}"))


def _shown(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
