"""`python -m tests.integrations.record_airflow COMMAND`: what a real Airflow sends, kept for tests.

COMMAND is Airflow's program, such as `FOLDER/bin/airflow` of an environment with `apache-airflow`.
It gets the files of integrations/airflow, lets runs of DAGs succeed and fail, and has all reports
taken by a FlowPulse.
"""

import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.console.integration_files import STAND_IN_ID, STAND_IN_SLUG, read_file
from app.console.snippet_parts import PLACEHOLDER, Target
from tests.integrations.airflow_server import Airflow
from tests.integrations.recorder import Recorder, Request, without_secrets
from tests.integrations.running import AWKWARD, put
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

FILE = Path(__file__).parent / "airflow_recorded.json"
OTHER_SLUG = "other-workflow"
LISTED = '{"id of a DAG": "its slug in FlowPulse"}'
BODY = 'print("Your task goes here.")'
FAIL = f"raise ValueError({AWKWARD!r})"
SPY = '''
def described(thing, *names):
    values = {name: getattr(thing, name, None) for name in names}
    return thing and {name: value and str(value) for name, value in values.items()}


def spy(context):
    """Tells what the callback before it was handed."""
    error = context.get("exception")
    seen = {
        "reason": context.get("reason"),
        "run_id": context.get("run_id"),
        "dag": described(context.get("dag"), "dag_id"),
        "dag_run": described(context.get("dag_run"), "dag_id", "run_id", "start_date", "end_date"),
        "task_instance": described(context.get("task_instance"), "task_id", "log_url"),
        "exception": error and [type(error).__name__, str(error)],
    }
    data = json.dumps(seen).encode()
    urllib.request.urlopen(urllib.request.Request("SPY_URL", data=data), timeout=10)


'''
CASES: dict[str, dict[str, str]] = {
    "good": {},
    "bad": {BODY: FAIL},
    "tried": {BODY: FAIL, "@task\n": "@task(retries=1, retry_delay=timedelta(seconds=1))\n"},
    "slow": {
        BODY: "time.sleep(90)",
        "    catchup=False,\n": "    catchup=False,\n    dagrun_timeout=timedelta(seconds=5),\n",
    },
    "listed": {},
    "by_task": {
        BODY: FAIL,
        "@task\n": "@task(retries=1, retry_delay=timedelta(seconds=1), on_failure_callback=BOTH)\n",
        "    on_failure_callback=BOTH,\n": "",
    },
    "lost": {},
    "away": {},
}
"""DAGs by their ids: what is different in them from the page's."""


def make_dag(name: str, spy_url: str) -> str:
    """The page's file, run by hand, with the spy behind its callbacks."""
    text = read_file("airflow/nightly.py")
    changes = {
        "from datetime import datetime\n": "import json\nimport time\nimport urllib.request\n"
        "from datetime import datetime, timedelta\n",
        'schedule="30 2 * * *"': "schedule=None",
        "nightly": name,
        "@dag(": SPY.replace("SPY_URL", spy_url) + "@dag(",
        "on_failure_callback=tell_failure": "on_failure_callback=BOTH",
        **CASES[name],
        "BOTH": "[tell_failure, spy]",
        "on_success_callback=tell_success": "on_success_callback=[tell_success, spy]",
    }
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


def put_files(airflow: Airflow, target: Target, other_slug: str) -> None:
    put(airflow.dags, target, "python/flowpulse.py", "airflow/flowpulse_airflow.py")
    callbacks = airflow.dags / "flowpulse_airflow.py"
    text = callbacks.read_text()
    assert LISTED in text
    callbacks.write_text(text.replace(LISTED, json.dumps({"listed": other_slug})))
    for name in CASES:
        (airflow.dags / f"{name}.py").write_text(make_dag(name, f"{target.base_url}/spy"))


def record(airflow: Airflow, recorder: Recorder) -> Iterator[tuple[str, list[Request]]]:
    """Each case's name and what was sent in it, the spy's report too."""
    for name, case, state in (
        ("good", "a success", "success"),
        ("bad", "a failure", "failed"),
        ("tried", "a failure after a retry", "failed"),
        ("slow", "a run that took too long", "failed"),
        ("listed", "a success of a listed DAG", "success"),
        ("by_task", "a failure told by a callback of a task", "failed"),
    ):
        airflow.start(name)
        assert airflow.wait_for_end(name) == state
        yield case, recorder.take(2)
    recorder.first = [503, 504]
    airflow.start("lost")
    yield "a success whose answer got lost twice", recorder.take(4)


def check_an_outage(airflow: Airflow, recorder: Recorder) -> None:
    """It fails no run, and the callbacks behind ours are called all the same."""
    recorder.is_away = True
    airflow.start("away")
    assert airflow.wait_for_end("away") == "success"
    sent = recorder.take(4)
    assert [each.path for each in sent] == ["/api/v1/ingest/run-success"] * 3 + ["/spy"]
    assert len({each.header("idempotency-key") for each in sent[:3]}) == 1


def record_all(command: str, folder: Path, server: LiveServer, team: LiveTeam) -> None:
    recorder = Recorder(server.url)
    target = Target(recorder.url, team.workflow_id, team.slug, team.key)
    names = {
        recorder.url: "https://flowpulse.example.org",
        team.workflow_id: STAND_IN_ID,
        team.slug: STAND_IN_SLUG,
        team.other_slug: OTHER_SLUG,
        team.key: PLACEHOLDER,
    }
    airflow = Airflow(command, folder / "airflow")
    put_files(airflow, target, team.other_slug)
    cases: list[dict[str, Any]] = []
    with airflow:
        wait_for(lambda: airflow.list_dags() >= set(CASES), 120, 1)
        for case, requests in record(airflow, recorder):
            sent = [without_secrets(each, names) for each in requests]
            reports = [each for each in sent if each["path"] != "/spy"]
            (handed,) = (json.loads(each["body"]) for each in sent if each["path"] == "/spy")
            cases.append({"case": case, "requests": reports, "handed": handed})
            print(case, len(reports), flush=True)
        check_an_outage(airflow, recorder)
        version = airflow.version()
    today = datetime.now(UTC).date().isoformat()
    kept = {"airflow": version, "recorded_on": today, "cases": cases}
    FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # Nothing that was started is left.
    with tempfile.TemporaryDirectory(prefix="airflow-") as name:
        folder = Path(name)
        with LiveServer(folder / "flowpulse") as server:
            record_all(sys.argv[1], folder, server, make_live_team(server))


if __name__ == "__main__":
    main()
