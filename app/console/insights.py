"""Insights: how the workspace's runs went, in charts, and workflow by workflow."""

from typing import Any, NamedTuple

from flask import Blueprint, render_template, request, url_for
from sqlalchemy import select

from app.console.guards import current_workspace
from app.console.insight_view import LEGEND, look_at_workspace
from app.console.paging import read_page
from app.console.ranges import RANGES, USUAL, read_range
from app.console.rollup_sums import Sum, sum_workflows
from app.extensions import db
from app.models import Workflow

WORKFLOWS_SHOWN = 50

blueprint = Blueprint("insights", __name__)


class WorkflowLine(NamedTuple):
    """A workflow, what it did in the chosen time, and p50 and p95 of its durations in ms."""

    public_id: str
    name: str
    sum: Sum
    median_ms: float | None
    high_ms: float | None


@blueprint.get("/insights")
def show_insights() -> str:
    workspace, range_name = current_workspace(), read_range(request.args.get("range"))
    insights = look_at_workspace(workspace.id, range_name)
    names = {
        row[0]: (row[1], row[2])
        for row in db.session.execute(
            select(Workflow.id, Workflow.public_id, Workflow.name)
            .where(Workflow.workspace_id == workspace.id, Workflow.archived_at.is_(None))
            .order_by(Workflow.name)
        )
    }
    page = read_page()
    first = (page - 1) * WORKFLOWS_SHOWN
    shown = list(names)[first : first + WORKFLOWS_SHOWN]
    sums = sum_workflows(shown, insights.start, insights.end)
    lines = [WorkflowLine(*names[each], sums[each], *sums[each].percentiles) for each in shown]
    return render_template(
        "console/insights.html",
        insights=insights,
        levels=LEGEND,
        lines=sorted(lines, key=lambda line: (-line.sum.failures, -line.sum.runs)),
        range_url=range_url("insights.show_insights"),
        previous=page - 1,
        next=page + 1 if len(names) > first + WORKFLOWS_SHOWN else 0,
    )


def range_url(endpoint: str, **values: Any) -> dict[str, str]:
    """The page's address for each range; the usual one is left out."""
    return {
        name: url_for(endpoint, **values, range=None if name == USUAL else name) for name in RANGES
    }
