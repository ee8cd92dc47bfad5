"""Which tool a request came from, where it does not say so itself."""

import re
from functools import lru_cache

MAX_PLATFORM = 64
_AGENTS = (
    (r"\bn8n\b", "n8n"),
    (r"^make/|\bintegromat\b", "make"),
    (r"\bzapier\b", "zapier"),
    (r"\bgithub-actions\b|^actions/", "github-actions"),
    (r"^curl/", "curl"),
    (r"^wget/", "wget"),
    (r"^python|^aiohttp|httpx|^flowpulse-python/", "python"),
    (r"^axios/|^node|^undici|^flowpulse-javascript/", "node"),
    (r"^go-http-client/", "go"),
    (r"^guzzlehttp/|^php", "php"),
    (r"^postmanruntime/", "postman"),
)
"""Patterns of user agents, in lower case; the first that fits decides."""


@lru_cache(maxsize=1024)
def guess_platform(user_agent: str | None) -> str | None:
    """The platform or tool whose user agent this is, if it is a known one."""
    agent = (user_agent or "").lower()
    return next((name for pattern, name in _AGENTS if re.search(pattern, agent)), None)
