"""The troubleshooting table, for everybody: the API's answers link to its rows."""

from flask import Blueprint, render_template

from app.problems import PROBLEMS

KIND_TITLES = {
    "request": ("Requests that are refused", "Each of these is the answer to a whole request."),
    "body": ("Slips in the JSON", "Each of these comes with invalid_json and a place in the body."),
    "field": ("Slips in the fields", "Each of these comes with validation_failed and a field."),
    "warning": ("Tolerated, with a warning", "The event was taken. Mend these when you can."),
    "processing": ("After the event was taken", "The event is safe; its run is yet to come."),
}
FREQUENT = ("unauthorized", "workflow_not_found", "validation_failed")
"""The rows that the API reference explains itself."""

blueprint = Blueprint("troubleshooting", __name__)


@blueprint.get("/troubleshooting")
def show_table() -> str:
    groups = [
        (kind, title, text, [each for each in PROBLEMS.values() if each.kind == kind])
        for kind, (title, text) in KIND_TITLES.items()
    ]
    frequent = [PROBLEMS[code] for code in FREQUENT]
    return render_template("console/troubleshooting.html", groups=groups, frequent=frequent)
