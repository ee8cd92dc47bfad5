"""E-mail, by the SMTP server of the settings; one envelope for each recipient."""

import hashlib
import re
import smtplib
from collections.abc import Mapping
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from marshmallow import ValidationError, validate

from app.channels.connections import name_problem
from app.channels.message import Message
from app.channels.sending import Answer, DeliveryError, Sending
from app.channels.settings import Settings, is_plain, text
from app.channels.smtp import open_session
from app.channels.wording import one_line, title_of, write_body

KIND, LABEL = "email", "E-mail"
HELP = (
    "Mail goes out by the SMTP server of the settings FLOWPULSE_SMTP_HOST and those beside it. "
    "Each address gets a mail of its own and sees no other."
)
MAX_RECIPIENTS, MAX_ADDRESS, MAX_BODY = 20, 254, 60_000
SEPARATOR = re.compile(r"[\s,;]+")
FAILED = "delivery_mail_failed"
PROBLEMS = (smtplib.SMTPException, OSError, ValueError, MessageError)
_is_address = validate.Email(error="{input} is no e-mail address.")


def list_recipients(value: str) -> list[str]:
    """The addresses of a text in which commas, spaces or line breaks part them."""
    return list(dict.fromkeys(each for each in SEPARATOR.split(value) if each))


def _are_addresses(value: str) -> None:
    recipients = list_recipients(value)
    if not 1 <= len(recipients) <= MAX_RECIPIENTS:
        raise ValidationError(f"Enter 1 to {MAX_RECIPIENTS} addresses.")
    for each in recipients:
        _is_address(each)
        is_plain(each)
        if len(each) > MAX_ADDRESS:
            raise ValidationError("One of the addresses is too long.")


class Config(Settings):
    recipients = text(
        "Addresses",
        f"Up to {MAX_RECIPIENTS}, with commas between them.",
        check=_are_addresses,
        placeholder="ana@example.org, ops@example.org",
    )


def about(settings: Mapping[str, Any]) -> str:
    return ", ".join(list_recipients(settings["recipients"]))


def send(sending: Sending) -> Answer:
    """To those whom no earlier try has reached; one who is refused holds up no other."""
    server = sending.network.mail_server
    if server is None:
        words = "No SMTP server is set: FLOWPULSE_SMTP_HOST is empty."
        raise DeliveryError(words, problem=FAILED)
    everybody = list_recipients(sending.settings["recipients"])
    reached, problems, said = list(sending.reached), [], ""
    try:
        with open_session(server, sending.deadline) as session:
            for recipient in (each for each in everybody if each not in reached):
                try:
                    said = _send_one(session, server.sender, recipient, sending.message)
                    reached.append(recipient)
                except smtplib.SMTPServerDisconnected:
                    raise
                except PROBLEMS as error:
                    problems.append(f"{recipient}: {describe(error)}")
    except PROBLEMS as error:
        words = f"{server.host}, port {server.port}: {describe(error)}."
        problem = name_problem(error, FAILED)
        raise DeliveryError(words, reached=tuple(reached), problem=problem) from error
    if problems:
        words = "Refused for " + "; ".join(problems)
        raise DeliveryError(words, reached=tuple(reached), problem=FAILED)
    return Answer(250, said)


def _send_one(session: smtplib.SMTP, sender: str, recipient: str, message: Message) -> str:
    """What the server said at the end."""
    mail = write_mail(message, sender, recipient)
    session.ehlo_or_helo_if_needed()
    for code, said in (session.mail(sender), session.rcpt(recipient)):
        if code not in (250, 251):
            session.rset()
            raise smtplib.SMTPResponseException(code, said)
    code, said = session.data(mail.as_bytes())
    if code != 250:
        session.rset()
        raise smtplib.SMTPResponseException(code, said)
    return f"{code} {said.decode('utf-8', 'replace')}"


def write_mail(message: Message, sender: str, recipient: str) -> EmailMessage:
    """Plain text; its Message-ID is the same in each try, and belongs to this recipient."""
    domain = sender.rpartition("@")[2]
    whose = hashlib.sha256(recipient.encode()).hexdigest()[:12]
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = title_of(message)
    mail["From"] = Address("FlowPulse", addr_spec=sender)
    mail["To"] = Address(addr_spec=recipient)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}.{whose}@{domain}>"
    if message.incident:
        mail["References"] = f"<{message.incident}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-FlowPulse-Message-Id"] = message.id
    mail.set_content(write_body(message, MAX_BODY) + "\n")
    return mail


def describe(error: BaseException) -> str:
    """What went wrong, in one line; the password never stands in an SMTP server's answer."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return one_line(f"{error.smtp_code} {words}")
    return one_line(str(error)) or type(error).__name__
