"""The OpenID Connect provider of the settings, if there is one."""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from flask import current_app

from app.ways_in import has_provider

if TYPE_CHECKING:
    from app.oidc.provider import Provider


class ProviderError(Exception):
    """The provider can't be used; the message says why."""


_KEY = "flowpulse_provider"


def find_provider() -> "Provider | None":
    """None where no provider is set: what speaks to one takes megabytes of each process."""
    if not has_provider():
        return None
    if _KEY not in current_app.extensions:
        made = import_module("app.oidc.provider").make_provider(current_app)
        current_app.extensions[_KEY] = made
    return cast("Provider", current_app.extensions[_KEY])
