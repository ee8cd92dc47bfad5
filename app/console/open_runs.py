"""What is still running, above the history: of an execution that has started and not ended."""

from typing import NamedTuple

from app.console.run_filter import RunFilter
from app.console.run_list import ListedRun, load_runs
from app.console.run_search import find_page

MOST_SHOWN = 5


class OpenRuns(NamedTuple):
    """The first of the runs, how many were found, and whether there may be more than these."""

    runs: list[ListedRun]
    found: int = 0
    may_be_more: bool = False

    @property
    def are_all_shown(self) -> bool:
        return self.found == len(self.runs) and not self.may_be_more

    def __bool__(self) -> bool:
        return bool(self.runs) or self.may_be_more


NONE = OpenRuns([])


def find_open_runs(workspace_id: int, wanted: RunFilter) -> OpenRuns:
    """Those that the filter takes in, unless it asks for an outcome; the last to begin first, ahead
    of them one whose id is what was searched for."""
    among = wanted.among_open_runs()
    if among is None:
        return NONE
    page = find_page(workspace_id, among)
    places = [*page.exact, *page.places]
    if not places and page.older is None:
        return NONE
    runs = load_runs([place.id for place in places[:MOST_SHOWN]])
    return OpenRuns(runs, len(places), page.older is not None)
