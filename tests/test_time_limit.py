"""Waits that end: in a process that gevent serves, as the web server's are."""

import subprocess
import sys

SCRIPT = """
from gevent import monkey
monkey.patch_all()
import time
import gevent
from app.blocking import make_signal
from app.time_limit import TimeIsUp, time_limit

def give_up_after(seconds):
    started = time.monotonic()
    try:
        with time_limit(seconds):
            gevent.sleep(30)
    except TimeIsUp:
        return round(time.monotonic() - started, 1)

late = [gevent.spawn(give_up_after, seconds) for seconds in (0.2, 0.5, 0.5)]
gevent.joinall(late)
for each, seconds in zip(late, (0.2, 0.5, 0.5)):
    assert 0 <= each.value - seconds <= 0.2, each.value

with time_limit(0.2):
    pass
gevent.sleep(0.5)  # A block that has ended is left alone.

given, never, before = make_signal(), make_signal(), make_signal()
before.give()
gevent.spawn_later(0.1, given.give)
assert given.wait(5) and before.wait(5) and not never.wait(0.2)
never.give()
gevent.sleep(0.1)  # Nobody waits for it any more.
print("all well")
"""


def test_a_wait_ends_in_its_time_and_no_other_one_does() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("all well\n", "")
