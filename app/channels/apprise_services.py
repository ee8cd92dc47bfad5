"""The services that Apprise may be used for: each with how a text is made literal for it.

All of them speak HTTP, only to the service that the URL names, and get plain text (`format=text`).
What each makes of it was read in Apprise's plugins and in the services' own documents.
"""

from typing import NamedTuple

from app.channels.literal import Look, as_code, as_it_is, with_lookalikes

USUAL = 4000


class Service(NamedTuple):
    """`limit` is the most characters of a message; `usual` is put into a URL that says nothing of
    it: what goes wrong in a team is not for everybody to read."""

    look: Look
    limit: int = USUAL
    usual: str = ""


SHORT_MESSAGE, POST = 640, 500

_ROWS: dict[Service, str] = {
    # Pushes, and mails as text/plain: shown as they are.
    Service(as_it_is): """
        bark barks chanify gotify gotifys lametric lametrics line pbul postmark prowl
        pushdeer pushdeers pushme pushy sendgrid signal signals webex wxteams""",
    Service(as_it_is, 1000): "groupme join",
    Service(as_it_is, 400): "splunk victorops",
    Service(
        as_it_is, SHORT_MESSAGE
    ): "clickatell clicksend msgbird plivo pushed seven sinch telnyx voipms vonage",
    # Markdown, of which a block of code is known to stay literal.
    Service(as_code): "mmost mmosts nctalk nctalks rocket rockets zulip",
    Service(as_code, 2000): "revolt",
    # Markup of their own, templates that are filled in, or what is shown is not known.
    Service(with_lookalikes): """
        cliq dingtalk feishu flock gchat goalert goalerts ifttt ilert incidentio kook lark
        mailgun matrix matrixs notica noticas notifiarr onesignal pagertree pushplus signl4
        simplepush sparkpost spike squadcast synology synologys""",
    Service(with_lookalikes, 3000, "visibility=followers"): "misskey misskeys",
    Service(with_lookalikes, 1000): "ryver threema twist whatsapp",
    Service(with_lookalikes, SHORT_MESSAGE): "twilio wecombot",
    Service(with_lookalikes, POST, "visibility=private"): "mastodon mastodons toot toots",
    Service(with_lookalikes, 280): "bluesky",
}
SERVICES: dict[str, Service] = {
    scheme: service for service, schemes in _ROWS.items() for scheme in schemes.split()
}
"""By the scheme of the URL."""
