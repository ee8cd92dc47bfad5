"""Fifty people open the one-time link at once: one of them becomes the owner."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from sqlalchemy import func, select

from app.extensions import db
from app.models import User
from tests.console.pages import Page
from tests.drills.record import record
from tests.factories import PASSWORD
from tests.server import LiveServer

RACERS = 50


@pytest.mark.drill("set_up")
def test_of_fifty_racing_set_ups_on_the_live_server_one_wins(
    make_server: Callable[..., LiveServer], app: Flask, database_kind: str
) -> None:
    server = make_server(worker=False)
    link = next(word for word in server.prepare().split() if "/setup?token=" in word)
    address = f"{server.url}/setup?{urlsplit(link).query}"
    form = requests.get(address, timeout=30)
    fields = Page(form.text).form("/setup").fields
    start = Barrier(RACERS)

    def race(number: int) -> int:
        own = {"email": f"racer{number}@example.org", "password": PASSWORD, "workspace": "Ours"}
        start.wait(30)
        return server.post(
            "/setup",
            data={**fields, **own},
            cookies=form.cookies,
            allow_redirects=False,
            timeout=100,
        ).status_code

    with ThreadPoolExecutor(RACERS) as racers:
        statuses = sorted(racers.map(race, range(RACERS)))
    owners = db.session.scalar(select(func.count(User.id))) or 0
    told = statuses.count(410)
    record("set_up", database_kind, racers=len(statuses), owners=owners, told=told)
    assert statuses == [303] + [410] * (RACERS - 1)
    assert owners == 1
    assert requests.get(address, timeout=30).status_code == 410
