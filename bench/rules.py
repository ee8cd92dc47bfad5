"""`python -m bench.rules`: how many events a second a worker takes in with no rule and with three.

The rules look at all workflows: each failure, the failure rate, runs slower than usual. Rounds in
turn, medians and spread; nothing but the worker's batches is timed. The processor time of an event
(the worker's alone, without PostgreSQL's server) tells more where the machine is busy.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, cast

from flask_migrate import upgrade
from sqlalchemy import Table, insert, select

from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import Alert, AlertRule, Event, Workflow
from app.processing.batch import process_batch
from app.processing.pace import ALONE
from app.workspaces.workflows import create_workflow
from tests.apps import close_app, make_app
from tests.factories import Team, accepted_row, make_team
from tests.postgres import PostgresCluster

WORKFLOWS = 20
RULES: dict[str, dict[str, Any]] = {
    "failed": {"in_a_row": 1},
    "rate": {"percent": 50, "minutes": 60, "least": 5},
    "slow": {"factor": 2.0},
}


class Subject(NamedTuple):
    """What is measured: how many of the rules are on, and which part of the runs fail."""

    name: str
    rules: int
    failing: float


class Round(NamedTuple):
    """Events a second, and what the process worked for each of them."""

    rate: float
    cpu_us: float


SUBJECTS = (
    Subject("no rule, 5 % failures", 0, 0.05),
    Subject("3 rules, 5 % failures", 3, 0.05),
    Subject("no rule, all fail", 0, 1.0),
    Subject("3 rules, all fail", 3, 1.0),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--events", type=int, default=4_000, help="events of a round (4000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each subject (5)")
    options = parser.parse_args()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        cluster = PostgresCluster(durable=True)
        stack.callback(cluster.stop)
        urls = {"SQLite": f"sqlite:///{folder}/rules.db"}
        urls["PostgreSQL"] = cluster.create_database("rules")
        print("| | µs of CPU an event | events a second, median | least to most |")
        print("|---|---:|---:|---:|")
        for kind, url in urls.items():
            for name, rounds in measure(url, Path(folder), options.events, options.rounds).items():
                rates = [each.rate for each in rounds]
                print(
                    f"| {kind}, {name} | {statistics.median(each.cpu_us for each in rounds):.0f} "
                    f"| {statistics.median(rates):,.0f} | {min(rates):,.0f} to {max(rates):,.0f} |"
                )


def measure(url: str, folder: Path, events: int, rounds: int) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {subject.name: [] for subject in SUBJECTS}
    app = make_app(url, folder)
    with app.app_context():
        upgrade()
        team = make_team()
        for number in range(WORKFLOWS):
            create_workflow(team.workspace_id, f"Flow {number}")
        for number in range(rounds + 1):
            for subject in SUBJECTS:
                set_rules(team, subject.rules)
                store_events(team, events, subject.failing, number)
                started, worked = time.perf_counter(), time.process_time()
                while process_batch(ALONE[db.engine.dialect.name]):
                    pass
                took, cpu = time.perf_counter() - started, time.process_time() - worked
                if number:  # The first round warms the machine up.
                    found[subject.name].append(Round(events / took, cpu / events * 1e6))
        db.session.remove()
    close_app(app)
    return found


def set_rules(team: Team, count: int) -> None:
    """The first so many of the rules, without alerts."""
    with writing() as session:
        session.query(Alert).delete()
        session.query(AlertRule).delete()
        for kind, numbers in list(RULES.items())[:count]:
            session.add(
                AlertRule(
                    workspace_id=team.workspace_id,
                    name=kind,
                    kind=kind,
                    numbers=numbers,
                    cool_down_minutes=15,
                    recovery_after=1,
                    tells_recovery=True,
                    is_on=True,
                )
            )


def store_events(team: Team, count: int, failing: float, seed: int) -> None:
    """Accepted events that wait, of all workflows in turn, as the ingest service leaves them; told
    of in the order of their ends."""
    chance, moment = Random(seed), now()
    query = select(Workflow.id).where(Workflow.workspace_id == team.workspace_id)
    workflows = db.session.scalars(query).all()
    rows = [
        _event(
            team,
            workflows[number % len(workflows)],
            chance,
            failing,
            moment - timedelta(milliseconds=(count - number) / 10),
        )
        for number in range(count)
    ]
    with writing() as session:
        session.connection().execute(insert(cast(Table, Event.__table__)), rows)


def _event(
    team: Team, workflow_id: int, chance: Random, failing: float, moment: datetime
) -> dict[str, Any]:
    duration_ms = chance.lognormvariate(7, 0.5)
    return accepted_row(
        moment,
        public_id=new_id(),
        workspace_id=team.workspace_id,
        workflow_id=workflow_id,
        kind="run-failure" if chance.random() < failing else "run-success",
        payload={
            "ended_at": moment.isoformat(),
            "duration_ms": duration_ms,
            "error_message": "boom",
        },
    )


if __name__ == "__main__":
    main()
