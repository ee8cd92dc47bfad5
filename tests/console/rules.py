"""The console's addresses, as the map of the app's URLs has them: a new one is among them."""

import re
from collections.abc import Iterator

from flask import Flask

SOME_ID = "a" * 24
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


def addresses(app: Flask, methods: set[str]) -> Iterator[tuple[str, str, str]]:
    """Endpoint, method and path of each address of the console, with ids that lead nowhere."""
    for rule in app.url_map.iter_rules():
        is_for_senders = rule.rule.startswith("/api/") or rule.endpoint.startswith("foreign_pings.")
        if not is_for_senders:
            path = re.sub("<[^>]+>", SOME_ID, rule.rule)
            yield from ((rule.endpoint, each, path) for each in (rule.methods or set()) & methods)
