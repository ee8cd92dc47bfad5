"""By whichever of Apprise's services: what an automation reports is shown, and does nothing."""

import json
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import apprise as library
import pytest
import requests

from app.channels import apprise_process
from app.channels.apprise_services import SERVICES
from app.channels.kinds import apprise
from app.channels.literal import as_code, as_it_is
from app.channels.sending import DeliveryError
from tests.channels.apprise_urls import ANSWER, URLS
from tests.channels.deliveries import make_message

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
BEGIN, END = "kaboom", "endboom"
HOSTILE = (
    f"{BEGIN} @channel @here @all @everyone @room @**all** @user@pwned.example <!channel> <@U1> "
    "<users/all> <at user_id='all'>x</at> @[Name] (met)all(met) **bold** *b* _i_ ~~s~~ `c` "
    "```\nx\n``` {{ id }} {{{id}}} {% x %} %recipient% "
    "{@all} ||s|| $[spin x] [a](http://pwned.example) ![i](http://pwned.example/x.png) "
    f"<http://pwned.example|x> <b>h</b> :fire: #tag\n# heading\n- list\n1. one\n> said\n    x {END}"
)
ONE_LINE = " ".join(HOSTILE.split())
LINK = "https://flowpulse.example.org/alerts/1"
ACTIVE = {
    "a mention or a tag": r"[@#][^\s\u2060]",
    "markup": r"[<>*_`~|\[\]\\]",
    "the name of a sign": r":[\w+-]+:",
    "Kook's mention": r"\(met\)",
    "a template": r"\{[{%]|%\w",
    "an address": r"://",
    "a heading, list or quotation": r"^\s*(?:[#>+=-]|\d+\.)",
}


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Send by a URL; returns the texts that left with the error in them. Only the network is not
    there: what would have gone out is kept."""
    sent: list[requests.PreparedRequest] = []

    def keep(_: Any, request: requests.PreparedRequest, **__: Any) -> requests.Response:
        sent.append(request)
        answer = requests.Response()
        answer.status_code = 200
        # Some of them want a code of their own for success.
        body = {**ANSWER, "code": 0, "errcode": 0} if "matrix" not in str(request.url) else {}
        answer.raw = BytesIO(json.dumps(body).encode())
        answer.request, answer.url = request, str(request.url)
        return answer

    monkeypatch.setattr(requests.Session, "send", keep)
    monkeypatch.setattr(library.NotifyBase, "request_rate_per_sec", 0)

    def send(url: str, **fields: Any) -> list[str]:
        message = make_message(title=HOSTILE, text=HOSTILE, facts=(), link=LINK, **fields)
        apprise_process.notify(**apprise.write_order(message, url))
        texts = [text for request in sent for text in read_texts(request)]
        return [text for text in texts if BEGIN in text]

    return send


def read_texts(request: requests.PreparedRequest) -> Iterator[str]:
    """All texts in an address and a body, however they are written down there."""
    body = request.body or ""
    text = body.decode() if isinstance(body, bytes) else body
    for _, value in parse_qsl(urlsplit(str(request.url)).query):
        yield from read_leaves(value)
    try:
        yield from read_leaves(json.loads(text))
    except ValueError:
        for _, value in parse_qsl(text):
            yield from read_leaves(value)


def read_leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (leaf for key in value for leaf in (*read_leaves(value[key]), str(key)))
    elif isinstance(value, list):
        yield from (leaf for each in value for leaf in read_leaves(each))
    elif isinstance(value, str) and value.startswith("{"):
        yield from read_leaves(json.loads(value))
    else:
        yield str(value)


def reported(text: str) -> list[str]:
    """The parts of a text that an automation has a hand in."""
    return re.findall(rf"{BEGIN}.*?(?:{END}|…)", text, re.DOTALL)


@pytest.mark.parametrize("scheme", SERVICES)
@pytest.mark.parametrize("option", ["", "format=markdown&emojis=yes", "format=html&overflow=split"])
def test_what_is_reported_does_nothing(
    send: Callable[..., list[str]], scheme: str, option: str
) -> None:
    url = URLS[scheme] + ("&" if "?" in URLS[scheme] else "?") + option if option else URLS[scheme]
    texts = send(url)
    assert texts, "nothing left"
    look = SERVICES[scheme].look
    for text in texts:
        said = reported(text)
        assert said
        if look is as_it_is:
            assert all(part.rstrip("…") in f"{ONE_LINE}\r\n{HOSTILE}" for part in said)
        elif look is as_code:
            assert re.fullmatch(r"(FlowPulse\r\n)?```\n[^`]*\n```\n\n.*", text, re.DOTALL)
            assert not re.search(r"@[^\u2060]", text)
        else:
            found = [
                name
                for name, pattern in ACTIVE.items()
                if any(re.search(pattern, part, re.MULTILINE) for part in said)
            ]
            assert not found


def test_each_service_of_the_list_is_tested() -> None:
    assert URLS.keys() == SERVICES.keys()


@pytest.mark.parametrize("scheme", ["mailgun", "onesignal", "sparkpost"])
def test_what_fills_templates_in_finds_none(send: Callable[..., list[str]], scheme: str) -> None:
    assert not any(re.search(ACTIVE["a template"], text) for text in send(URLS[scheme]))


PLAINLY = [scheme for scheme, service in SERVICES.items() if service.look is as_it_is]
SWITCHES = r"(?i)^(markdown|html|styled|mrkdwn|text/html|text/markdown)$"


@pytest.mark.parametrize("scheme", PLAINLY)
def test_where_texts_are_sent_as_they_are_no_markup_is_asked_for(
    send: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    everything: list[str] = []
    real = read_texts
    monkeypatch.setitem(
        globals(), "read_texts", lambda request: everything.extend(real(request)) or real(request)
    )
    assert send(f"{URLS[scheme]}{'&' if '?' in URLS[scheme] else '?'}format=markdown")
    assert not [text for text in everything if re.match(SWITCHES, text)]


@pytest.mark.parametrize("scheme", SERVICES)
def test_a_message_is_not_longer_than_the_service_takes(scheme: str) -> None:
    """However many signs are parted: what is too long would be refused, and nobody alerted."""
    message = make_message(title="@" * 500, text="@ #a <b>" * 1000, link=LINK)
    order = apprise.write_order(message, URLS[scheme])
    assert len(order["title"]) + len(order["body"]) <= SERVICES[scheme].limit
    assert LINK in order["body"] and order["body"].endswith(f"Message {message.id}")


@pytest.mark.parametrize(("scheme", "is_there"), [("matrix", False), ("mmost", True)])
def test_an_address_that_would_lead_nowhere_is_left_out(scheme: str, is_there: bool) -> None:
    facts = (("Rule", "Any"), ("Run", "https://flowpulse.example.org/runs/1"))
    text = "A failed\nhttps://flowpulse.example.org/alerts/2\n\nB failed"
    message = make_message(text=text, facts=facts, link=LINK)
    body = apprise.write_order(message, URLS[scheme])["body"]
    assert ("runs/1" in body) == ("alerts/2" in body) == is_there
    assert "Rule: Any" in body and "B failed" in body and LINK in body


@pytest.mark.parametrize("scheme", ["mastodon", "toots", "misskey"])
def test_what_fails_is_not_for_everybody_to_read(
    send: Callable[..., list[str]], scheme: str
) -> None:
    message = make_message()
    written = apprise.write_order(message, URLS[scheme])["url"]
    assert "visibility=" in written and "public" not in written
    chosen = f"{URLS[scheme]}?visibility=public"
    assert apprise.write_order(message, chosen)["url"] == chosen


def test_a_second_url_behind_a_comma_gets_nothing(send: Callable[..., list[str]]) -> None:
    assert len(send(f"{URLS['mmost']},json://elsewhere.example")) <= 1


def test_a_saved_service_that_is_no_longer_on_the_list_says_so() -> None:
    with pytest.raises(DeliveryError, match="guilded:// is not among the services"):
        apprise.write_order(make_message(), "guilded://a/b")
