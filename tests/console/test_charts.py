"""The geometry of charts: scales with round numbers, gaps as gaps, days in their cells."""

from datetime import date, timedelta

import pytest

from app.console.charts import draw_bars, draw_calendar, draw_durations, draw_rate


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (0, ["0", "1"]),
        (1, ["0", "1"]),
        (4, ["0", "1", "2", "3", "4"]),
        (18, ["0", "5", "10", "15", "20"]),
        (61, ["0", "20", "40", "60", "80"]),
        (12_345, ["0", "5,000", "10,000", "15,000"]),
    ],
)
def test_counts_have_round_ticks_and_fit(most: int, ticks: list[str]) -> None:
    plot = draw_bars("Runs", [most, 0], [0, 0], [], ["", ""])
    assert [tick.text for tick in plot.ticks] == ticks
    assert plot.ticks[-1].y == 0 and plot.ticks[0].y == 100


def test_a_single_failure_among_thousands_can_be_seen() -> None:
    plot = draw_bars("Runs", [10_000], [1], [(0, "now")], ["10,000 succeeded, 1 failed"])
    assert [shape.kind for shape in plot.shapes] == ["success", "failure"]
    assert "v-1.5" in plot.shapes[1].path
    assert plot.slots[0].title == "10,000 succeeded, 1 failed"
    assert plot.marks[0].x == 50


def test_a_line_breaks_where_nothing_ran_and_a_lone_point_is_a_dot() -> None:
    plot = draw_rate("Rate", [1.0, 0.5, None, 0.0, None], [])
    assert [(shape.kind, shape.path) for shape in plot.shapes] == [
        ("rate", "M5 0L15 50"),
        ("rate lone", "M35 100h.01"),
    ]
    assert draw_rate("Rate", [None, None], []).shapes == []


def test_durations_have_ticks_in_words_and_outliers_stay_inside() -> None:
    outliers = [(0.2, 4_500.0, "near"), (0.5, 9e9, "far out")]
    plot = draw_durations("Duration", [900.0, None], [2_000.0, None], [], outliers)
    assert [tick.text for tick in plot.ticks] == ["0", "2 s", "4 s", "6 s"]
    outlier = plot.shapes[-1]
    assert (outlier.kind, outlier.path, outlier.title) == ("outlier", "M5 2h.01", "far out")
    units = draw_durations("Duration", [6e5], [8_000_000.0], []).ticks
    assert [tick.text for tick in units] == ["0", "1 h", "2 h", "3 h"]


def test_one_step_far_above_the_others_does_not_flatten_them() -> None:
    medians = [6_000.0, 6_100.0, 133_200_000.0, 5_900.0]
    titles = [f"step {number}" for number in range(4)]
    plot = draw_durations("Duration", medians, medians, [], titles=titles)
    assert [tick.text for tick in plot.ticks][-1] == "8 s"
    (mark,) = [shape for shape in plot.shapes if shape.kind == "outlier"]
    assert (mark.path, mark.title) == ("M25 2h.01", "step 2")
    assert "L25 0L" in next(shape.path for shape in plot.shapes if shape.kind == "high")
    steady = draw_durations("Duration", [1_000.0, 19_000.0], [1_000.0, 19_000.0], [], titles=titles)
    assert steady.ticks[-1].text == "20 s"
    assert [shape for shape in steady.shapes if shape.kind == "outlier"] == []


@pytest.mark.parametrize("last", [date(2026, 11, 29), date(2026, 3, 1), date(2027, 1, 4)])
def test_the_calendar_names_each_month_once(last: date) -> None:
    days = [last - timedelta(days=89 - number) for number in range(90)]
    counts = [((0, 0), (5, 0), (9, 1), (1, 1), (0, 3))[number % 5] for number in range(90)]
    calendar = draw_calendar("Days", days, counts)
    names = [text for _, text in calendar.months]
    assert len(names) == len(set(names)) >= 3
    kinds = {shape.kind: shape.path.count("M") for shape in calendar.levels}
    assert kinds == dict.fromkeys(("none", "good", "few", "some", "many"), 18)
