"""Small bar charts as SVG paths, drawn by the server."""

from collections.abc import Sequence

LEAST = 2
"""The height of a bar that stands for little, so that it can be seen."""


def bar_path(counts: Sequence[int], width: int = 6, height: int = 20) -> str:
    """One bar for each count, all in one path; bars are `width` apart with a gap of 1."""
    most = max(counts, default=0) or 1
    parts = []
    for number, count in enumerate(counts):
        if count:
            tall = max(LEAST, round(count / most * height))
            parts.append(f"M{number * width} {height}v-{tall}h{width - 1}v{tall}z")
    return "".join(parts)
