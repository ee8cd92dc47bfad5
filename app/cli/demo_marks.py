"""How rows of the demo that belong to no workflow are told from all others: by their public ids."""

from typing import Any

from sqlalchemy import ColumnElement, and_

from app.identifiers import new_id

MARK = "demo"
"""What such an id begins with; any other begins with a c."""


def demo_id() -> str:
    return MARK + new_id()[len(MARK) :]


def is_marked(table: Any, workspace_id: int) -> ColumnElement[bool]:
    """The demo's rows of a table with workspace_id and public_id."""
    return and_(table.workspace_id == workspace_id, table.public_id.like(f"{MARK}%"))
