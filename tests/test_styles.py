"""The sheets of static/styles: all of them reach every page, so no two may style one class."""

import re
from collections import defaultdict
from pathlib import Path

from app.console.assets import SHEETS

FOLDER = Path(__file__).parent.parent / "static" / "styles"
EVERYBODYS = {"ground", "small"}
"""Sheets that are there to style what others own: what all stands on, and small screens."""
MODES = {"has-js", "dark", "light"}
"""Classes of the root, by which any sheet may tell how a page is looked at."""
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
SELECTORS = re.compile(r"([^{};@]+)\{")
BETWEEN = re.compile(r",(?![^()]*\))")
CLASS = re.compile(r"\.([a-zA-Z][\w-]*)")


def styled_alone(css: str) -> set[str]:
    """Classes that rules name by themselves; in a rule with two, one says where the other is."""
    rules = SELECTORS.findall(COMMENT.sub("", css))
    named = (set(CLASS.findall(each)) - MODES for rule in rules for each in BETWEEN.split(rule))
    return {name for names in named if len(names) == 1 for name in names}


def test_no_class_is_styled_by_two_sheets() -> None:
    sheets = defaultdict(list)
    for name in set(SHEETS) - EVERYBODYS:
        for each in styled_alone((FOLDER / f"{name}.css").read_text("utf-8")):
            sheets[each].append(name)
    assert {each: names for each, names in sheets.items() if len(names) > 1} == {}


def test_the_check_sees_a_class_wherever_it_stands_alone() -> None:
    css = "/* .a */ .b > p:hover, .c .d { } @media (x) { .e:is(h1, h2)[open] { top: 0.5rem } }"
    assert styled_alone(css) == {"b", "e"}


def test_every_sheet_reaches_the_pages() -> None:
    assert {path.stem for path in FOLDER.glob("*.css")} == set(SHEETS)
