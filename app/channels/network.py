"""What the server's settings say about sending, and where messages lead to."""

from flask import current_app

from app.channels.sending import MailServer, Network

ANY_ADDRESS = frozenset({"0.0.0.0", "::", "[::]", ""})  # noqa: S104 - Nothing listens here.

NO_MAIL = "This server sends no mail yet: whoever runs it sets FLOWPULSE_SMTP_HOST."


def read_network() -> Network:
    return Network(
        bool(current_app.config["FLOWPULSE_ALLOW_PRIVATE_ADDRESSES"]), read_mail_server()
    )


def read_mail_server() -> MailServer | None:
    """None where no mail is sent."""
    config = current_app.config
    host: str = config["FLOWPULSE_SMTP_HOST"]
    if not host:
        return None
    return MailServer(
        host,
        config["FLOWPULSE_SMTP_PORT"],
        config["FLOWPULSE_SMTP_SECURITY"],
        config["FLOWPULSE_SMTP_USER"],
        config["FLOWPULSE_SMTP_PASSWORD"],
        config["FLOWPULSE_MAIL_FROM"] or f"flowpulse@{host}",
    )


def server_url() -> str | None:
    """Where people reach the server, as the settings tell; the worker answers no request, from
    which it could know. None where only a request would."""
    config = current_app.config
    url, host = str(config["FLOWPULSE_PUBLIC_URL"]), str(config["HOST"])
    if url or host in ANY_ADDRESS:
        return url or None
    return f"http://{host}:{config['PORT']}"


def can_mail_links() -> bool:
    """Whether mails are sent, and this server's address is known to them."""
    return read_mail_server() is not None and bool(server_url())


def link_to(path: str) -> str:
    """The address of a page, for a message; empty where the server's is not known."""
    url = server_url()
    return url + path if url else ""
