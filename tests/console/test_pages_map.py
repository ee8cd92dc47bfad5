"""The map of the pages, by which they are tested, holds them all."""

from flask import Flask

from tests.pages_map import NO_PAGES, PAGES, SIGNED_OUT, unlisted


def test_every_page_is_on_the_map(app: Flask) -> None:
    assert unlisted(app) == set(), "Add a line to tests/pages_map.py"


def test_nothing_on_the_map_is_gone(app: Flask) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert PAGES.keys() | SIGNED_OUT.keys() | NO_PAGES <= endpoints
