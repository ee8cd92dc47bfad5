"""The doctor's checks of what messages need: the SMTP server, and the channels."""

from sqlalchemy import select

from app.channels.deadline import Deadline
from app.channels.kinds.email import PROBLEMS, describe
from app.channels.masking import mask
from app.channels.network import read_mail_server
from app.channels.sealing import UnreadableError, unseal
from app.channels.smtp import open_session
from app.doctor.findings import Finding
from app.extensions import db
from app.models import Channel

MAX_NAMES = 5
MEND = "Open Alerts → Channels in the console: each channel's log says why. Send a test there."


def check_mail_server() -> Finding:
    """Connects, encrypts and signs in, as for a mail, and sends none."""
    name, server = "mail server", read_mail_server()
    if server is None:
        return Finding(name, "ok", "None is set: no mail is sent.")
    place = f"{server.host}, port {server.port}"
    try:
        with open_session(server, Deadline()):
            pass
    except PROBLEMS as error:
        fix = "Check FLOWPULSE_SMTP_HOST and the settings beside it."
        said = mask(describe(error), [server.password] if server.password else [])
        return Finding(name, "fail", f"{place}: {said}", fix)
    if server.security == "none" and server.host not in ("localhost", "127.0.0.1", "::1"):
        fix = "Set FLOWPULSE_SMTP_SECURITY to starttls or tls."
        return Finding(name, "warn", f"Mail goes to {place} without encryption.", fix)
    return Finding(name, "ok", f"{server.host} takes us, at port {server.port}.")


def check_channels() -> Finding:
    name = "channels"
    channels = db.session.scalars(select(Channel).order_by(Channel.name)).all()
    off = [each.name for each in channels if each.disabled_at]
    failing = [each.name for each in channels if each.failing_since and not each.disabled_at]
    if failing:
        return Finding(name, "warn", f"Messages do not arrive: {_list(failing)}.", MEND)
    if off:
        return Finding(name, "warn", f"Switched off after 5 days: {_list(off)}.", MEND)
    return Finding(name, "ok", f"{len(channels)} are there; none is failing.")


def check_channel_settings() -> Finding:
    name, unreadable = "channel settings", []
    for channel in db.session.scalars(select(Channel).order_by(Channel.name)):
        try:
            unseal(channel.sealed_settings)
        except UnreadableError:
            unreadable.append(channel.name)
    if unreadable:
        fix = (
            "Put the former secret key into FLOWPULSE_OLD_SECRET_KEYS, or enter these channels' "
            "settings again."
        )
        message = f"Sealed with another secret key: {_list(unreadable)}."
        return Finding(name, "fail", message, fix)
    return Finding(name, "ok", "All can be opened.")


def _list(names: list[str]) -> str:
    rest = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {rest} more" if rest > 0 else "")
