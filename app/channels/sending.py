"""What a kind of channel is given to send with, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.channels.deadline import Deadline
from app.channels.message import Message


@dataclass(frozen=True, slots=True)
class MailServer:
    """The SMTP server of the settings; `security` is starttls, tls or none."""

    host: str
    port: int
    security: str
    user: str
    password: str
    sender: str


@dataclass(frozen=True, slots=True)
class Network:
    """What the server's settings say about connections to others."""

    allow_private: bool = False
    mail_server: MailServer | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """One message on its way: to whom (the opened settings of a channel), and by what network.

    `reached` are those of several recipients who have it from an earlier try. The time of the try
    begins with this.
    """

    message: Message
    settings: Mapping[str, Any]
    network: Network = field(default_factory=Network)
    reached: tuple[str, ...] = ()
    deadline: Deadline = field(default_factory=Deadline)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said; `status` is HTTP's or SMTP's."""

    status: int | None
    text: str


class DeliveryError(Exception):
    """A try that failed: why, in words for people, and what the other side answered, if it did.

    `problem` is its row of the troubleshooting table.
    """

    def __init__(
        self,
        words: str,
        answer: Answer | None = None,
        reached: tuple[str, ...] = (),
        problem: str = "delivery_failed",
    ) -> None:
        super().__init__(words)
        self.problem = problem
        self.answer = answer
        self.reached = reached
