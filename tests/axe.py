"""What axe-core has to say of a page that is open in a browser."""

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page

SCRIPT = (Path(__file__).parent / "vendor" / "axe-core-4.14.1.min.js").read_text("utf-8")
ALL = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
"""WCAG 2.2 AA, and what axe advises besides: more than it looks for by itself."""
COLOURS = ("color-contrast", "link-in-text-block")
RUN = """(runOnly) => axe.run(document, {
  runOnly, resultTypes: ["violations"], selectors: false,
}).then(({violations}) => violations.map(({id, nodes}) =>
    `${id}: ${nodes.slice(0, 3).map(({html, failureSummary}) =>
      `${html.slice(0, 200)} ${failureSummary.slice(0, 300)}`).join(" | ")}`))"""
"""All rules are looked at; only what breaks one is written up, and without a selector for it, which
takes longer than to look."""

TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""A change of scheme takes a frame to reach all colours."""

SETTLE_MS = 500


def violations(page: Page, rules: Sequence[str] = ALL) -> list[str]:
    """Each rule that is broken, with the first elements that break it. `rules`: tags, or ids."""
    page.wait_for_load_state("load")
    page.evaluate(TWO_FRAMES)
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT)
    found: list[str] = page.evaluate(RUN, list(rules))
    if found:  # Colours in folded parts begin to change only when somebody looks at them.
        page.wait_for_timeout(SETTLE_MS)
        found = page.evaluate(RUN, list(rules))
    return found
