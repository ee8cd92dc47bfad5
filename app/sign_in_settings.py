"""Settings of the ways in beside a password: a provider, or a proxy that tells who comes.

Loaded by its path, as app/config.py is: it imports nothing of the package.
"""

import re
from urllib.parse import urlsplit

_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,99}")
_CLAIM = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]{0,99}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NEVER_A_PERSON = frozenset({"authorization", "cookie", "host", "x-api-key"})
EVERYBODY = "*"


def _switch(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError("must be 0 or 1")
    return text == "1"


def _issuer(text: str) -> str:
    """As it is written: a slash at its end is a part of it (OpenID Connect Discovery 1.0, 4.3)."""
    if not text:
        return ""
    parts = urlsplit(text)
    is_good = (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    ) and bool(parts.hostname)
    if (
        not is_good
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
        or re.search(r"\s", text)
    ):
        raise ValueError("must be https:// with a host, and maybe a path (http:// on this machine)")
    return text


def _domains(text: str) -> tuple[str, ...]:
    words = text.lower().replace(",", " ").split()
    if any(word != EVERYBODY and not _DOMAIN.fullmatch(word) for word in words):
        raise ValueError("must be domains, such as example.org, or * for all")
    return tuple(words)


def _role(text: str) -> str:
    if text not in {"viewer", "member", "admin"}:
        raise ValueError("must be viewer, member or admin")
    return text


def _header(text: str) -> str:
    if text and (not _HEADER.fullmatch(text) or text.lower() in _NEVER_A_PERSON):
        raise ValueError("must be the name of a header, such as X-Forwarded-Email")
    return text


def _claim(text: str) -> str:
    if not _CLAIM.fullmatch(text):
        raise ValueError("must be the name of a claim, such as email_verified")
    return text


ROWS = (
    (
        "FLOWPULSE_OIDC_ISSUER",
        "",
        _issuer,
        "OpenID Connect provider that people may sign in by, such as "
        "`https://id.example.org/realms/team`. Empty: none.",
    ),
    ("FLOWPULSE_OIDC_CLIENT_ID", "", str.strip, "Client ID that the provider has given FlowPulse."),
    ("FLOWPULSE_OIDC_CLIENT_SECRET", "", str.strip, "Client secret that goes with it."),
    (
        "FLOWPULSE_OIDC_NAME",
        "",
        str.strip,
        "What the button of the sign-in page calls the provider. Empty: the issuer's host.",
    ),
    (
        "FLOWPULSE_OIDC_VERIFIED_CLAIM",
        "email_verified",
        _claim,
        "Claim in which the provider tells that the e-mail address was checked; of Entra ID it is "
        "`xms_edov`.",
    ),
    (
        "FLOWPULSE_PROXY_USER_HEADER",
        "",
        _header,
        "Header in which a reverse proxy tells the e-mail address of who comes, such as "
        "`X-Forwarded-Email`; the proxy must be named in FLOWPULSE_TRUSTED_PROXIES. Empty: none.",
    ),
    (
        "FLOWPULSE_SIGN_UP_DOMAINS",
        "",
        _domains,
        "Mail domains whose people the provider or proxy lets in without an account or invitation, "
        "such as `example.org`; `*` for all. Empty: nobody's.",
    ),
    (
        "FLOWPULSE_SIGN_UP_WORKSPACE",
        "",
        str.strip,
        "Id of the workspace that they come into, as `workspace list` tells it.",
    ),
    ("FLOWPULSE_SIGN_UP_ROLE", "viewer", _role, "Their role: `viewer`, `member` or `admin`."),
    (
        "FLOWPULSE_PASSWORD_SIGN_IN",
        "1",
        _switch,
        "Whether passwords sign in, beside a provider or proxy: 1 or 0.",
    ),
)
"""Name, default, parser and help."""
