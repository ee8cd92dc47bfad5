"""A browser that takes pictures in which nothing moves, at a moment that is always the same."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from playwright.sync_api import Browser, Page

from app import clock
from tests.drills.clocks import MachineClock
from tests.pictures.pages import IMAGES, SCHEMES

BEGINNING = datetime(2026, 11, 17, 9, 26, tzinfo=UTC)
MOMENT = BEGINNING + timedelta(minutes=6, milliseconds=500)
"""When data begins to be made, and when all pictures are taken. It takes a minute or two."""
STEP_SECONDS, STEP_TAKES = 2, 0.25
"""The servers' clock is never put ahead faster: they would take it for an outage."""
HOLD_SECONDS = 0.1
"""Within the second the clock may still go to and fro by that."""
QUALITY = 40
"""Of WebP: the letters are still sharp, and all pictures together stay below 2 MB."""
SETTLE_MS = 400


class FixedTime:
    """The clock that servers and this process go by."""

    def __init__(self, folder: Path) -> None:
        self._clock = MachineClock(folder)
        self._set(BEGINNING)

    @property
    def settings(self) -> dict[str, str]:
        return self._clock.settings

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """It is MOMENT all the while; until then it goes quickly, but does not leap."""
        while clock.now() < MOMENT - timedelta(seconds=STEP_SECONDS):
            self._set(clock.now() + timedelta(seconds=STEP_SECONDS))
            time.sleep(STEP_TAKES)
        is_over = Event()
        holder = Thread(target=self._hold, args=(is_over,))
        holder.start()
        time.sleep(2 * HOLD_SECONDS)
        try:
            yield
        finally:
            is_over.set()
            holder.join()

    def _hold(self, is_over: Event) -> None:
        """A clock that went on and back would make the cookies of the page before too new."""
        while not is_over.wait(HOLD_SECONDS):
            self._set(MOMENT)

    def _set(self, moment: datetime) -> None:
        own = clock.own_now()
        self._clock.set((moment - own).total_seconds())
        clock.agree(moment, own, timedelta())


@contextmanager
def open_page(chromium: Browser, size: tuple[int, int]) -> Iterator[Page]:
    """Its scripts read MOMENT from their clock."""
    width, height = size
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    context.clock.set_fixed_time(MOMENT)
    yield context.new_page()
    context.close()


def take_both(page: Page, name: str) -> None:
    """What the page shows, in light and in dark."""
    page.evaluate("document.activeElement?.blur()")  # A caret comes and goes.
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        take(page, f"{name}-{scheme}")


def take(page: Page, name: str) -> None:
    """As WebP, which the browser writes and Playwright does not ask it for."""
    page.wait_for_timeout(SETTLE_MS)
    session = page.context.new_cdp_session(page)
    options = {"format": "webp", "quality": QUALITY}
    picture = base64.b64decode(session.send("Page.captureScreenshot", options)["data"])
    (IMAGES / f"{name}.webp").write_bytes(picture)
    session.detach()
