"""All that is wrong with a form, so that it is told at once."""

from types import TracebackType

from app.workspaces.people import RefusedError


class Mistakes:
    """Keeps what the checks within `with mistakes:` refuse, until `refuse` raises it."""

    def __init__(self) -> None:
        self._found: list[RefusedError] = []

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, RefusedError):
            self._found.append(error)
        return isinstance(error, RefusedError)

    def refuse(self) -> None:
        """Raise the first of them, which brings the others along. Raises RefusedError."""
        if self._found:
            raise self._found[0].with_more(self._found[1:])
