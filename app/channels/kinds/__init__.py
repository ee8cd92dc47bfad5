"""The kinds of channels: one module each with KIND, LABEL, ICON, HELP, Config and send()."""

from collections.abc import Mapping
from typing import Any, Protocol, cast

from app.channels.kinds import (
    apprise,
    discord,
    email,
    ntfy,
    opsgenie,
    pagerduty,
    pushover,
    slack,
    teams,
    telegram,
    webhook,
)
from app.channels.sending import Answer, Sending
from app.channels.settings import Settings


class Kind(Protocol):
    """What a module of a kind offers.

    HELP says where the service shows what the form asks for; `about` names the other side without
    a secret; `send` raises DeliveryError.
    """

    KIND: str
    LABEL: str
    HELP: str
    Config: type[Settings]

    def about(self, settings: Mapping[str, Any]) -> str: ...
    def send(self, sending: Sending) -> Answer: ...


_MODULES = (
    email,
    slack,
    discord,
    teams,
    telegram,
    ntfy,
    pushover,
    pagerduty,
    opsgenie,
    webhook,
    apprise,
)
KINDS: dict[str, Kind] = {module.KIND: cast(Kind, module) for module in _MODULES}
"""By name, in the order in which they are offered."""
WITH_INCIDENTS = frozenset({pagerduty.KIND, opsgenie.KIND})
"""They open an incident for an alert, and keep it until they hear of its end."""
WITH_MAIL = frozenset({email.KIND})
"""They need the SMTP server of the settings."""
