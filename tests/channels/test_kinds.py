"""Each kind of channel: what it sends, that it is literal, and what its form says."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any

import pytest

from app.channels.deadline import Deadline
from app.channels.kinds import KINDS
from app.channels.message import MESSAGE_KINDS
from app.channels.sending import Answer, DeliveryError, MailServer, Network, Sending
from app.channels.wording import write_body
from tests.channels.deliveries import make_message
from tests.channels.receivers import MailBox, Receiver, Reply

SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four byt").decode()
HOSTILE = (
    "@everyone <!channel> <@U1> <users/all> *b* _i_ `c` ```x``` [a](http://pwned.example) "
    "<b>h</b> <http://pwned.example|x> http://pwned.example\r\nBcc: eve@pwned.example\r\n\r\n/start"
)


@pytest.fixture
def send(settings: dict[str, dict[str, str]], mail_box: MailBox) -> Callable[..., Answer]:
    """`send("slack", title="…")` sends a message by that kind."""
    server = MailServer("127.0.0.1", mail_box.port, "none", "", "", "flowpulse@example.org")

    def send(kind: str, /, **fields: Any) -> Answer:
        loaded = {**KINDS[kind].Config(any_host=True).load(settings[kind]), "secret": SECRET}
        message = make_message(**fields)
        return KINDS[kind].send(Sending(message, loaded, Network(True, server)))

    return send


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_tells_what_happened(
    send: Callable[..., Answer], receiver: Receiver, mail_box: MailBox, kind: str
) -> None:
    send(kind, id="stable-id")
    mails = [each.as_string() for each in mail_box.mails]
    sent = [each.body.decode() for each in receiver.received] + mails
    assert sent
    for words in ("Lead enrichment failed", "TimeoutError: boom", "flowpulse.example.org/runs/1"):
        assert all(words in each for each in sent), words
    headers = [str(each.headers) for each in receiver.received] + mails
    # With Apprise, the text is the only place for it.
    assert all("stable-id" in each for each in (sent if kind == "apprise" else headers))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "apprise"])
def test_each_kind_takes_each_message_with_little_and_with_much_in_it(
    send: Callable[..., Answer], receiver: Receiver, kind: str
) -> None:
    long = "x ä 😀 " * 500
    for message_kind in MESSAGE_KINDS:
        send(kind, kind=message_kind, link="", facts=(), incident="")
        send(kind, kind=message_kind, title="", text="", facts=(), link="")
        send(kind, kind=message_kind, title=long, text=long, facts=((long, long),) * 30, link="")
    assert kind == "webhook" or all(len(each.body) < 100_000 for each in receiver.received)


HTTP_KINDS = [kind for kind in KINDS if kind != "email"]


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_a_message_about_many_holds_whole_links_whatever_its_channel_takes(
    send: Callable[..., Answer], receiver: Receiver, kind: str
) -> None:
    link = f"https://flowpulse.example.org/alerts/{'z' * 24}"
    block = f"\nLead enrichment failed: {'no credit ' * 3}\n{link}"
    for begin in range(0, len(block), 15):
        text = "." * begin + block * 100
        send(kind, text=text, facts=(("Rule", "Any"),), incident="")
    ids = re.findall(r"/alerts/(\w*)", "".join(each.body.decode() for each in receiver.received))
    assert ids and set(ids) == {"z" * 24}


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_a_refusal_brings_what_was_answered(
    send: Callable[..., Answer], receiver: Receiver, kind: str
) -> None:
    receiver.reply = lambda _: Reply(403, b"invalid_token")
    with pytest.raises(DeliveryError, match="answered 403") as caught:
        send(kind)
    assert caught.value.answer == Answer(403, "invalid_token")


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_each_kind_is_guarded(
    settings: dict[str, dict[str, str]], receiver: Receiver, kind: str
) -> None:
    loaded = {**KINDS[kind].Config(any_host=True).load(settings[kind]), "secret": SECRET}
    with pytest.raises(DeliveryError, match="FLOWPULSE_ALLOW_PRIVATE_ADDRESSES"):
        KINDS[kind].send(Sending(make_message(), loaded))
    assert receiver.received == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_try_has_one_time_for_all_of_it(
    settings: dict[str, dict[str, str]], receiver: Receiver, mail_box: MailBox, kind: str
) -> None:
    server = MailServer("127.0.0.1", mail_box.port, "none", "", "", "flowpulse@example.org")
    loaded = {**KINDS[kind].Config(any_host=True).load(settings[kind]), "secret": SECRET}
    over = Sending(make_message(), loaded, Network(True, server), deadline=Deadline(0))
    with pytest.raises(DeliveryError, match="longer than 0 s"):
        KINDS[kind].send(over)
    assert receiver.received == [] and mail_box.envelopes == []


# --- Messages are literal -----------------------------------------------------------------------


def hostile(send: Callable[..., Answer], receiver: Receiver, kind: str) -> Any:
    send(kind, title=HOSTILE, text=HOSTILE, facts=((HOSTILE, HOSTILE),), link="https://fp.example/")
    assert all("bcc" not in each.headers for each in receiver.received)
    return receiver.received[-1].json


def test_slack_gets_plain_text_alone(send: Callable[..., Answer], receiver: Receiver) -> None:
    payload = hostile(send, receiver, "slack")
    assert not set("<>") & set(payload["text"])
    assert (payload["parse"], payload["link_names"], payload["mrkdwn"]) == ("none", False, False)
    header, section, facts, context = payload["blocks"]
    texts = [header["text"], section["text"], *facts["fields"]]
    assert {each["type"] for each in texts} == {"plain_text"}
    assert context["elements"][0]["text"] == "<https://fp.example/|Open in FlowPulse>"


def test_discord_mentions_nobody_and_finds_no_markup(
    send: Callable[..., Answer], receiver: Receiver
) -> None:
    payload = hostile(send, receiver, "discord")
    assert payload["allowed_mentions"] == {"parse": []}
    title, rest = payload["content"].split("\n", 1)
    assert "\\_i\\_" in title
    assert "\\@everyone" in title and "\\*b\\*" in title and "http\\:\\/\\/" in title
    assert rest.startswith("```\n") and rest.endswith("\n```\n<https://fp.example/>")
    assert rest.count("`") == 6


def test_teams_gets_runs_of_text_alone(send: Callable[..., Answer], receiver: Receiver) -> None:
    (attachment,) = hostile(send, receiver, "teams")["attachments"]
    card = attachment["content"]
    runs = [run for block in card["body"] for run in block["inlines"]]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for run in runs} == {"TextRun"}
    assert "msteams" not in card and card["actions"][0]["url"] == "https://fp.example/"


def test_telegram_gets_a_block_of_code_and_no_parse_mode(
    send: Callable[..., Answer], receiver: Receiver
) -> None:
    payload = hostile(send, receiver, "telegram")
    assert "parse_mode" not in payload
    (entity,) = payload["entities"]
    told = payload["text"].encode("utf-16-le")[: entity["length"] * 2].decode("utf-16-le")
    assert entity["type"] == "pre" and told.endswith("/start")
    assert payload["text"] == f"{told}\nhttps://fp.example/"


def test_ntfy_and_pushover_get_json_without_markup(
    send: Callable[..., Answer], receiver: Receiver
) -> None:
    assert "markdown" not in hostile(send, receiver, "ntfy")
    assert receiver.received[-1].headers["authorization"] == "Bearer tk_secretpart"
    assert "html" not in hostile(send, receiver, "pushover")


def test_no_line_of_a_mail_becomes_a_header(send: Callable[..., Answer], mail_box: MailBox) -> None:
    send("email", title=HOSTILE, text=HOSTILE, facts=((HOSTILE, HOSTILE),))
    for mail, to in zip(mail_box.mails, ["ana@example.org", "bo@example.org"], strict=True):
        assert (mail["To"], mail["Bcc"], mail.get_content_type()) == (to, None, "text/plain")
        assert "Bcc: eve@pwned.example" in str(mail["Subject"])
    assert [each.rcpt_tos for each in mail_box.envelopes] == [
        ["ana@example.org"],
        ["bo@example.org"],
    ]


# --- What is special in some ---------------------------------------------------------------------


def test_a_webhook_is_signed_as_the_specification_says(
    send: Callable[..., Answer], receiver: Receiver
) -> None:
    """Worked out here from its text alone: HMAC-SHA256 over id.timestamp.body, in base64."""
    send("webhook", id="msg_1")
    (request,) = receiver.received
    headers = request.headers
    key = base64.b64decode(SECRET.split("_", 1)[1])
    signed = b".".join(
        [headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), request.body]
    )
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-signature"].split() == [f"v1,{expected}"]
    assert request.json["data"]["facts"][1] == {"name": "Error", "value": "TimeoutError: boom"}
    assert (request.json["type"], request.json["timestamp"]) == ("alert", "2026-01-15T09:31:00Z")


def test_pagerduty_triggers_and_resolves_by_the_incident(
    send: Callable[..., Answer], receiver: Receiver
) -> None:
    for kind in ("alert", "reminder", "recovery", "resolve"):
        send("pagerduty", kind=kind, incident="i1")
    send("pagerduty", kind="test", id="t1", incident="")
    told = [(each.json["event_action"], each.json["dedup_key"]) for each in receiver.received]
    assert told == [
        ("trigger", "i1"),
        ("trigger", "i1"),
        ("resolve", "i1"),
        ("resolve", "i1"),
        ("trigger", "t1"),
        ("resolve", "t1"),
    ]


def test_opsgenie_creates_and_closes_by_the_alias(
    send: Callable[..., Answer], receiver: Receiver
) -> None:
    send("opsgenie", incident="i/1")
    for kind in ("recovery", "resolve"):
        send("opsgenie", kind=kind, incident="i/1")
    created, closed, again = receiver.received
    assert again.path == closed.path
    assert (created.path, created.json["alias"]) == ("/v2/alerts", "i/1")
    assert closed.path == "/v2/alerts/i%2F1/close?identifierType=alias"
    assert created.headers["authorization"].startswith("GenieKey 01234567-")


def test_a_link_is_never_cut_off() -> None:
    message = make_message(text="x" * 5000)
    body = write_body(message, 500)
    assert len(body) == 500 and body.endswith("…\n\nhttps://flowpulse.example.org/runs/1")
