"""The doctor as a page, for who owns the server: its findings, and how this very request came."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, render_template, request

from app.clock import now
from app.console.guards import signed_in_user
from app.console.origins import read_origin
from app.doctor.channel_health import check_mail_server
from app.doctor.checks import CHECKS, examine
from app.doctor.database_health import MOST_CLOCK_DIFFERENCE
from app.doctor.findings import Finding
from app.trusted_proxies import SETTING, read_address, read_proxies
from app.workspaces.people import is_instance_owner

SLOW = frozenset({check_mail_server})
"""What asks another server: a page waits for it only where that is asked for."""
TONES = {"ok": "green", "warn": "amber", "fail": "red"}
FORWARDED = ("For", "Proto", "Host", "Prefix")
MOST_SHOWN = 200

blueprint = Blueprint("doctor", __name__)


@blueprint.get("/settings/doctor")
def show_doctor() -> str:
    return _show_page(is_whole=False)


@blueprint.post("/settings/doctor")
def ask_all() -> str:
    """The same, with what takes seconds."""
    return _show_page(is_whole=True)


def _show_page(is_whole: bool) -> str:
    if not is_instance_owner(signed_in_user()):
        abort(403, "Only the owner of this server sees what the doctor finds.")
    checks = [check for check in CHECKS if is_whole or check not in SLOW]
    findings = [*examine_request(), *examine(checks)]
    order = ("fail", "warn", "ok")
    return render_template(
        "console/doctor.html",
        findings=sorted(findings, key=lambda finding: order.index(finding.state)),
        tones=TONES,
        trouble=sum(finding.state != "ok" for finding in findings),
        clock_name="this request: clock",
        moment=now(),
        most_apart=round(MOST_CLOCK_DIFFERENCE.total_seconds()),
        is_whole=is_whole,
    )


def examine_request() -> Iterator[Finding]:
    """What a proxy has made of the request that asks for the page."""
    yield _check_client()
    yield _check_address()
    yield _check_path()


def _check_client() -> Finding:
    name, client = "this request: client", request.remote_addr or "a socket"
    header = request.headers.get("X-Forwarded-For", "")
    hops = {str(read_address(hop.strip()) or "") for hop in header.split(",")}
    is_off = read_proxies(current_app.config[SETTING]).is_off
    if header and (is_off or client not in hops):
        message = (
            f"It came from {client} with X-Forwarded-For: {_cut(header)}, which is not believed. "
            "All that comes that way counts as one client."
        )
        fix = f"If {client} is a proxy of yours, name it in {SETTING}."
        return Finding(name, "warn", message, fix)
    if header:
        return Finding(name, "ok", f"A trusted proxy says that it came from {client}.")
    if not is_off:
        message = f"It came from {client} without X-Forwarded-For, though proxies are trusted."
        fix = "Have the proxy send it (docs/deployment.md), unless you came past the proxy."
        return Finding(name, "warn", message, fix)
    return Finding(name, "ok", f"It came from {client}, past no proxy that tells of itself.")


def _check_address() -> Finding:
    name, public = "this request: address", current_app.config["FLOWPULSE_PUBLIC_URL"]
    came = f"{request.scheme}://{request.host}"
    sent = {each: request.headers.get(f"X-Forwarded-{each}") for each in FORWARDED}
    told = ", ".join(f"X-Forwarded-{each}: {_cut(text)}" for each, text in sent.items() if text)
    shown = f"{_cut(came)}, with {told}" if told else f"{_cut(came)}, without X-Forwarded headers"
    if not public or read_origin(public) == read_origin(came):
        return Finding(name, "ok", f"It came as {shown}.")
    message = f"It came as {shown}; the public URL is {public}."
    fix = (
        "Have the proxy pass the Host header on and send X-Forwarded-Proto, and name its address "
        f"in {SETTING}; or mend FLOWPULSE_PUBLIC_URL."
    )
    return Finding(name, "warn", message, fix)


def _check_path() -> Finding:
    name, public = "this request: path", current_app.config["FLOWPULSE_PUBLIC_URL"]
    wanted, came = urlsplit(public).path, request.script_root
    if not public or wanted == came:
        return Finding(name, "ok", f"It came under the path {_cut(came) or '/'}.")
    message = f"It came under the path {_cut(came) or '/'}; the public URL's is {wanted or '/'}."
    fix = f"Have the proxy send X-Forwarded-Prefix: {wanted or '/'}, or mend FLOWPULSE_PUBLIC_URL."
    return Finding(name, "warn", message, fix)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
