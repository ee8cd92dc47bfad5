"""Insights: how the workspace's runs went, in charts, and workflow by workflow."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flask import Blueprint, render_template, request, url_for
from sqlalchemy import select

from app.console.guards import current_workspace
from app.console.insight_view import LEGEND, look_at_workspace
from app.console.paging import Paged
from app.console.ranges import RANGES, USUAL, read_range
from app.console.rollup_sums import SHARES, Sum, count_workflows, merge_durations
from app.extensions import db
from app.models import Workflow
from app.sketches import percentiles

WORKFLOWS_SHOWN = 20

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
    ranked = rank_workflows(workspace.id, insights.start, insights.end)
    paged = Paged(len(ranked), WORKFLOWS_SHOWN, "insights.show_insights", kept=("range",))
    return render_template(
        "console/insights.html",
        insights=insights,
        levels=LEGEND,
        lines=describe(ranked[paged.part], insights.start, insights.end),
        range_url=range_url("insights.show_insights"),
        paged=paged,
    )


def rank_workflows(workspace_id: int, start: datetime, end: datetime) -> list[tuple[int, Sum]]:
    """The ids of the workflows in use, those with most failures and then most runs first."""
    query = select(Workflow.id).where(
        Workflow.workspace_id == workspace_id, Workflow.archived_at.is_(None)
    )
    ids = db.session.scalars(query.order_by(Workflow.name)).all()
    counts = count_workflows(ids, start, end) if ids else {}
    return sorted(counts.items(), key=lambda each: (-each[1].failures, -each[1].runs))


def describe(
    ranked: Sequence[tuple[int, Sum]], start: datetime, end: datetime
) -> list[WorkflowLine]:
    """These workflows with their names and durations."""
    ids = [workflow_id for workflow_id, _ in ranked]
    if not ids:
        return []
    columns = (Workflow.id, Workflow.public_id, Workflow.name)
    rows = db.session.execute(select(*columns).where(Workflow.id.in_(ids)))
    names = {row[0]: (row[1], row[2]) for row in rows}
    sketches = merge_durations(ids, start, end)
    return [
        WorkflowLine(*names[workflow_id], counts, *percentiles(sketches[workflow_id], SHARES))
        for workflow_id, counts in ranked
    ]


def range_url(endpoint: str, **values: Any) -> dict[str, str]:
    """The page's address for each range; the usual one is left out."""
    return {
        name: url_for(endpoint, **values, range=None if name == USUAL else name) for name in RANGES
    }
