"""What a snippet is made of: where it sends to, and what there is to do with it."""

from collections.abc import Callable
from dataclasses import dataclass

PLACEHOLDER = "fp_your_key"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a snippet sends: this server's address, a workflow, and a key or its stand-in."""

    base_url: str
    workflow_id: str
    slug: str
    key: str = PLACEHOLDER

    @property
    def ingest_url(self) -> str:
        return f"{self.base_url}/api/v1/ingest"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to do: what for, settings to fill in, code to copy, and what to do with it."""

    id: str
    title: str
    text: str
    code: str = ""
    filename: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool; `is_remote` means that it always runs somewhere else, in its maker's cloud."""

    name: str
    label: str
    icon: str
    hint: str
    make_parts: Callable[[Target], tuple[Part, ...]]
    is_remote: bool = False
    short: str = ""
    """Where there is little room, if not its label."""
