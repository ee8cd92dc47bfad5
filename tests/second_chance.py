"""A plugin of the tests: which failures `make test` does not run once more.

On a machine that is busy with something else any test may run out of time, and what has failed gets
a second chance. What goes wrong rarely would never be seen so: an event that is lost in one run of
fifty, an address that is open to somebody who came at the wrong moment. Where tests look for that,
a failure is final, unless time ran out.
"""

import re

import pytest

FINAL = tuple(
    f"tests/{place}"
    for place in (
        *("contracts/", "drills/", "hostile/", "ingest/", "processing/"),
        *("console/test_origins.py", "console/test_search_oracle.py", "console/test_sign_in.py"),
        *("console/test_two_factor.py", "main_job/test_durability.py"),
        *("main_job/test_no_usable_key.py", "main_job/test_postgres_crash.py"),
        *("main_job/test_second_step.py", "main_job/test_sessions_end.py"),
        *("test_many_machines.py", "workspaces/test_audit.py"),
    )
)
"""Folders and files."""
EXIT_STATUS = 9
"""Of pytest's own there are 0 to 5; the Makefile gives 1, failed tests, a second chance."""
OUT_OF_TIME = re.compile(
    r"""
    \A(\w+\.)*\w*Timeout\w*\b         # of a request, a command, the browser, a lock
    | \AFailed:\ Timeout\             # of the test
    | \Aworker\ '\w+'\ crashed        # which is how a test's time ends beside others
    | \AAssertionError:\ Still\ .*\ after\ [\d.]+\ s     # tests.server.wait_for
    | \A.*ServerError:\ (No\ answer\ within|Did\ not\ stop)
    | \bwith\ timeout\ \d+ms          # playwright's expect
    | \A(?!assert|AssertionError).*\btimed\ out\b
    """,
    re.VERBOSE,
)


class SecondChance:
    """Registered where reports come together, not in the processes that run the tests."""

    def __init__(self) -> None:
        self._final: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if is_final(report):
            self._final.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._final and exitstatus == pytest.ExitCode.TESTS_FAILED:
            session.exitstatus = EXIT_STATUS

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._final:
            terminalreporter.section("No second chance for these: a rare loss is one", sep="-")
            for name in dict.fromkeys(self._final):
                terminalreporter.line(name)


def is_final(report: pytest.TestReport) -> bool:
    """Whether a test has failed that looks for what is rare; that it could not be set up is no
    finding of its own."""
    is_theirs = report.nodeid.startswith(FINAL) and report.when != "setup"
    return report.failed and is_theirs and not OUT_OF_TIME.search(message_of(report))


def message_of(report: pytest.TestReport) -> str:
    """The error without its traceback, in which there are names of all kinds."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr)
