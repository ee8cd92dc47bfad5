"""What the server's settings say about sending, read once for each round of deliveries."""

from flask import current_app

from app.channels.sending import MailServer, Network


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
