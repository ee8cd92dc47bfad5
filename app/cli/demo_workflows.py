"""The six workflows of the demo: how often they run, how long they take, how they fail."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from app.workspaces.schedules import Wish

SUFFIX = " (demo)"
FRIDAY = 4

Rhythm = Callable[[datetime, Random], list[timedelta]]
"""When runs start within the hour that begins at a moment (UTC), from its beginning."""


@dataclass(frozen=True, slots=True)
class Platform:
    """How a platform reports: `reference` is the field that names the workflow."""

    name: str
    user_agent: str
    remote_addr: str
    reference: str
    execution_id: Callable[[int, Random], str | None]
    sends_duration: bool = True
    """Else it sends `started_at`."""
    sends_offset: bool = True
    """Else its times have none, which is a warning."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Some hours in which a share of the runs fails for one reason; never begins at a weekend."""

    days_ago: int
    at_hour: int
    hours: int
    share: float
    error_type: str
    error_message: str

    def covers(self, moment: datetime, until: datetime) -> bool:
        """Whether it was going on at the moment, in the month that ends at `until`."""
        begun_at = self.begun_at(until)
        return begun_at <= moment < begun_at + timedelta(hours=self.hours)

    def begun_at(self, until: datetime) -> datetime:
        day = until - timedelta(days=self.days_ago)
        day -= timedelta(days=max(0, day.weekday() - FRIDAY))
        return day.replace(hour=self.at_hour, minute=10, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class DemoWorkflow:
    """`duration_ms` is the median; `follows` names the workflow whose successes start this one."""

    title: str
    platform: Platform
    rhythm: Rhythm
    duration_ms: int
    errors: tuple[tuple[str, str], ...]
    failure_share: float
    troubles: tuple[Trouble, ...]
    retried_share: float = 0.0
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    correlation: str | None = None
    follows: str | None = None
    sends_start: bool = False
    schedule: Wish | None = None
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.title + SUFFIX


def office_hours(per_hour: float) -> Rhythm:
    """Busy on weekdays from 7 to 18 h, quiet in the evening, at night and at weekends."""

    def starts(hour: datetime, random: Random) -> list[timedelta]:
        share = 1.0 if 7 <= hour.hour < 18 else 0.25 if 5 <= hour.hour < 22 else 0.04
        weekend = 0.2 if hour.weekday() >= 5 else 1.0
        return _scatter(per_hour * share * weekend, random)

    return starts


def opening_hours(per_hour: float) -> Rhythm:
    """As people buy: all week, most in the evening and at weekends, little at night."""

    def starts(hour: datetime, random: Random) -> list[timedelta]:
        share = 0.08 if hour.hour < 6 else 1.6 if 17 <= hour.hour < 22 else 0.9
        weekend = 1.4 if hour.weekday() >= 5 else 1.0
        return _scatter(per_hour * share * weekend, random)

    return starts


def every_minutes(minutes: int) -> Rhythm:
    def starts(hour: datetime, random: Random) -> list[timedelta]:
        return [timedelta(minutes=at, seconds=random.random()) for at in range(0, 60, minutes)]

    return starts


def daily_at(at_hour: int, minute: int) -> Rhythm:
    def starts(hour: datetime, random: Random) -> list[timedelta]:
        return [timedelta(minutes=minute)] if hour.hour == at_hour else []

    return starts


def never(hour: datetime, random: Random) -> list[timedelta]:
    """For a workflow that only follows another."""
    return []


def _scatter(expected: float, random: Random) -> list[timedelta]:
    chances = 20
    hits = sum(random.random() < expected / chances for _ in range(chances))
    return [timedelta(hours=random.random()) for _ in range(hits)]


N8N = Platform(
    "n8n",
    "n8n",
    "203.0.113.24",
    "workflow_id",
    lambda number, random: str(20_000 + number),
)
MAKE = Platform(
    "make",
    "Make/production",
    "198.51.100.7",
    "workflow_slug",
    lambda number, random: f"{random.getrandbits(128):032x}",
    sends_duration=False,
)
ZAPIER = Platform(
    "zapier",
    "Zapier",
    "198.51.100.61",
    "workflow_name",
    lambda number, random: f"{random.getrandbits(64):016x}_{number}",
)
CRON = Platform(
    "cron",
    "curl/8.9.1",
    "203.0.113.90",
    "workflow_slug",
    lambda number, random: f"backup-{number + 1}",
    sends_offset=False,
)

WORKFLOWS: tuple[DemoWorkflow, ...] = (
    DemoWorkflow(
        "Lead enrichment",
        N8N,
        office_hours(3.5),
        4_200,
        (
            ("NodeApiError", "HTTP Request: 404, no company was found for the domain"),
            ("NodeOperationError", "The field 'email' of item 3 is empty"),
        ),
        0.015,
        (
            Trouble(
                6, 9, 6, 0.7, "RateLimitError", "HTTP Request: 429, the monthly quota is used up"
            ),
            Trouble(18, 13, 4, 0.6, "TimeoutError", "HTTP Request: no answer within 30 s"),
        ),
        retried_share=0.3,
        counts={"leads": (1, 40)},
        labels=("sales",),
    ),
    DemoWorkflow(
        "Order intake",
        ZAPIER,
        opening_hours(1.1),
        1_900,
        (("ValidationError", "The order has no delivery address"),),
        0.012,
        (Trouble(12, 15, 6, 0.5, "HTTPError", "502, the shop's API is under maintenance"),),
        retried_share=0.5,
        counts={"items": (1, 9)},
        correlation="order",
        labels=("shop",),
    ),
    DemoWorkflow(
        "Invoice sync",
        MAKE,
        never,
        7_800,
        (("DataError", "The tax number is not valid in this country"),),
        0.02,
        (
            Trouble(1, 9, 12, 0.45, "AuthenticationError", "The connection 'Books' has expired"),
            Trouble(15, 10, 9, 0.8, "ConnectionError", "The accounting service can't be reached"),
        ),
        retried_share=0.4,
        counts={"invoices": (1, 3), "net_cents": (900, 420_000)},
        correlation="order",
        follows="Order intake",
        labels=("shop", "books"),
    ),
    DemoWorkflow(
        "CRM contact sync",
        N8N,
        every_minutes(30),
        38_000,
        (("NodeApiError", "CRM: 409, the contact was changed meanwhile"),),
        0.006,
        (Trouble(3, 4, 5, 0.9, "ConnectionError", "CRM: getaddrinfo ENOTFOUND api.crm.example"),),
        counts={"contacts": (0, 250)},
        schedule=Wish("interval", 1_800, None, "UTC", 900),
        labels=("sales",),
    ),
    DemoWorkflow(
        "Support triage",
        MAKE,
        office_hours(1.4),
        5_600,
        (("RuntimeError", "The model's answer is no JSON"),),
        0.03,
        (Trouble(9, 8, 8, 0.5, "OverloadedError", "The model is overloaded, try again later"),),
        retried_share=0.6,
        counts={"tickets": (1, 6)},
    ),
    DemoWorkflow(
        "Nightly backup",
        CRON,
        daily_at(2, 30),
        1_260_000,
        (("ExitCode", "pg_dump: connection to server was lost"),),
        0.0,
        (Trouble(11, 1, 48, 1.0, "ExitCode", "rsync: write failed: No space left on device (28)"),),
        counts={"megabytes": (18_200, 18_900)},
        sends_start=True,
        schedule=Wish("cron", None, "30 2 * * *", "UTC", 7_200),
        labels=("nightly",),
    ),
)
"""A workflow that follows another stands behind it."""
