"""`python -m tests.integrations.record_n8n COMMAND…`: what a real n8n sends, kept for the tests.

COMMAND starts n8n, such as `node node_modules/n8n/bin/n8n`. It imports the files of
integrations/n8n, lets workflows succeed and fail, and has all reports taken by a FlowPulse.
"""

import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from app.console.integration_files import STAND_IN_ID, STAND_IN_SLUG, read_file
from app.console.snippet_parts import PLACEHOLDER, Target
from tests.integrations.n8n_server import N8n, Workflow
from tests.integrations.recorder import Recorder, Request, without_secrets
from tests.integrations.running import AWKWARD
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

FILE = Path(__file__).parent / "n8n_recorded.json"
LISTED = '{ "id of a workflow in n8n": "its slug in FlowPulse" }'
OTHER_SLUG = "other-workflow"
STEP, ALONE = "success-step.json", "success-alone.json"
FAILURES, FAILURES_ALONE = "FlowPulseFail0001", "FlowPulseAlone001"
WATCHED = "Watched{}000000000"
SPY = {
    "parameters": {
        "method": "POST",
        "sendBody": True,
        "specifyBody": "json",
        "jsonBody": "={{ JSON.stringify($json) }}",
        "options": {},
    },
    "id": "spy",
    "name": "Spy",
    "type": "n8n-nodes-base.httpRequest",
    "typeVersion": 4.2,
    "position": [0, 200],
}
"""Tells what the error trigger was handed."""
Recorded = list[dict[str, Any]]


def node(name: str, kind: str, version: float, **parameters: Any) -> Workflow:
    return {
        "parameters": parameters,
        "id": name,
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [0, 0],
    }


ENDINGS = {
    "stop": node("Stop", "stopAndError", 1, errorMessage="={{ $json.text }}"),
    "code": node("Code", "code", 2, jsCode=f"throw new TypeError({json.dumps(AWKWARD)});"),
    "http": node('Call the "CRM"', "httpRequest", 4.2, url="={{ $json.text }}", options={}),
}


def chain(name: str, trigger: Workflow, *rest: Workflow, own: Workflow, error: str) -> Workflow:
    """A workflow of these nodes in a row, with those of one of our files behind them."""
    nodes = [trigger, *rest, *own["nodes"]]
    links = dict(own["connections"])
    for one, next_one in pairwise(nodes):
        links.setdefault(
            one["name"], {"main": [[{"node": next_one["name"], "type": "main", "index": 0}]]}
        )
    settings = {"executionOrder": "v1", "errorWorkflow": error}
    workflow = {"name": f"{name}: {AWKWARD}", "nodes": nodes, "connections": links}
    return {**workflow, "id": WATCHED.format(name[:1].upper()), "settings": settings}


def webhook(path: str) -> Workflow:
    hook = node("Webhook", "webhook", 2, httpMethod="POST", path=path, options={})
    return {**hook, "webhookId": path}


SPLIT = node("Split Out", "splitOut", 1, fieldToSplitOut="body.items", options={})


def make_workflows(target: Target, other_slug: str) -> list[Workflow]:
    def read(file: str) -> Workflow:
        return dict(json.loads(read_file(f"n8n/{file}", target)))

    listing = json.dumps(f'{{ "{WATCHED.format("L")}": "{other_slug}" }}')[1:-1]
    failures = read_file("n8n/error-workflow.json", target)
    assert json.dumps(LISTED)[1:-1] in failures
    failures = failures.replace(json.dumps(LISTED)[1:-1], listing)
    both = [
        {**json.loads(failures), "id": FAILURES},
        {**read("error-workflow-alone.json"), "id": FAILURES_ALONE},
    ]
    for workflow in both:
        spy = {**SPY, "parameters": {**SPY["parameters"], "url": f"{target.base_url}/spy"}}  # type: ignore[dict-item]
        workflow["nodes"].append(spy)
        workflow["connections"]["Error Trigger"]["main"][0].append(
            {"node": "Spy", "type": "main", "index": 0}
        )
    by_hand = node("By hand", "manualTrigger", 1)
    step, alone, none = read(STEP), read(ALONE), {"nodes": [], "connections": {}}
    return [
        read("sub-workflow.json"),
        *both,
        chain("good", webhook("good"), SPLIT, own=step, error=FAILURES),
        chain("alone", webhook("alone"), SPLIT, own=alone, error=FAILURES_ALONE),
        chain("stop", webhook("stop"), SPLIT, ENDINGS["stop"], own=step, error=FAILURES),
        chain("code", webhook("code"), SPLIT, ENDINGS["code"], own=step, error=FAILURES),
        chain("listed", webhook("listed"), SPLIT, ENDINGS["http"], own=step, error=FAILURES),
        chain("without", webhook("without"), ENDINGS["stop"], own=none, error=FAILURES_ALONE),
        chain("hand", by_hand, own=step, error=FAILURES),
        chain("by hand and bad", by_hand, ENDINGS["stop"], own=step, error=FAILURES),
    ]


def record(n8n: N8n, recorder: Recorder) -> Iterator[tuple[str, list[Request]]]:
    """Each case's name and what was sent in it, the spy's reports too."""
    awkward = {"items": [{"text": AWKWARD}, {"text": "two"}, {"text": "three"}]}
    n8n.hook("good", awkward)
    yield "a success with three items", recorder.take(1)
    n8n.hook("alone", awkward)
    yield "a success without the sub-workflow", recorder.take(1)
    recorder.first = [503, 504]
    n8n.hook("good", awkward)
    yield "a success whose answer got lost twice", recorder.take(3)
    recorder.first = [503]
    n8n.hook("alone", awkward)
    yield "a success without the sub-workflow whose answer got lost", recorder.take(2)
    n8n.start_by_hand(WATCHED.format("H"), "By hand")
    yield "a success by hand", recorder.take(1)
    n8n.hook("stop", awkward)
    yield "a failure", recorder.take(2)
    n8n.hook("code", awkward)
    yield "a failure in code", recorder.take(2)
    n8n.hook("listed", {"items": [{"text": f"{recorder.url}/nowhere"}]})
    yield "a failure of a listed workflow", recorder.take(2)
    n8n.hook("without", {"text": "x"})
    yield "a failure without the sub-workflow", recorder.take(2)


def check_the_rest(n8n: N8n, recorder: Recorder) -> None:
    """No error workflow runs by hand, and an outage of FlowPulse fails no workflow."""
    failing = WATCHED.format("B")
    n8n.start_by_hand(failing, "By hand")
    wait_for(lambda: "error" in n8n.endings(failing), 30)
    recorder.is_away = True
    for path, id_ in (("good", "G"), ("alone", "A")):
        n8n.hook(path, {"items": [{"text": "x"}]})
        assert len({each.header("idempotency-key") for each in recorder.take(3)}) == 1
        wait_for(lambda id_=id_: set(n8n.endings(WATCHED.format(id_))) == {"success"}, 30)


def without_stacks(value: Any) -> Any:
    if isinstance(value, dict):
        return {n: without_stacks(v) for n, v in value.items() if n not in ("stack", "request")}
    return [without_stacks(v) for v in value] if isinstance(value, list) else value


def record_all(command: list[str], folder: Path, server: LiveServer, team: LiveTeam) -> None:
    recorder = Recorder(server.url)
    target = Target(recorder.url, team.workflow_id, team.slug, team.key)
    names = {
        recorder.url: "https://flowpulse.example.org",
        team.workflow_id: STAND_IN_ID,
        team.slug: STAND_IN_SLUG,
        team.other_slug: OTHER_SLUG,
        team.key: PLACEHOLDER,
    }
    n8n = N8n(command, folder / "n8n")
    workflows = make_workflows(target, team.other_slug)
    print(n8n.load(workflows))
    cases: Recorded = []
    with n8n:
        for workflow in workflows:
            if workflow["nodes"][0]["name"] != "By hand":
                n8n.publish(workflow["id"])
        for case, requests in record(n8n, recorder):
            sent = [without_secrets(each, names) for each in requests]
            handed = [json.loads(each["body"]) for each in sent if each["path"] == "/spy"]
            reports = [each for each in sent if each["path"] != "/spy"]
            cases.append({"case": case, "requests": reports})
            if handed:
                cases[-1]["handed"] = without_stacks(handed[0])
            print(case, len(reports), flush=True)
        check_the_rest(n8n, recorder)
    version = n8n.run("--version").strip().splitlines()[-1]
    today = datetime.now(UTC).date().isoformat()
    kept = {"n8n": version, "recorded_on": today, "cases": cases}
    FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # Nothing that was started is left.
    with tempfile.TemporaryDirectory(prefix="n8n-") as name:
        folder = Path(name)
        with LiveServer(folder / "flowpulse") as server:
            record_all(sys.argv[1:], folder, server, make_live_team(server))


if __name__ == "__main__":
    main()
