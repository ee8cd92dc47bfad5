"""python flowpulse_dbt.py build … runs dbt, and tells FlowPulse which nodes failed."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from flowpulse import report, utc_now

LONGEST = 20_000
BAD = ("error", "fail", "runtime error", "partial success")
RESULTS = Path(os.environ.get("DBT_TARGET_PATH") or "target") / "run_results.json"


def main():
    run = {"external_execution_id": str(uuid.uuid4()), "started_at": utc_now()}
    began = time.time()
    status = run_dbt(sys.argv[1:])
    results = read_results(began)
    counts = {}
    for each in results:
        counts[each.get("status")] = counts.get(each.get("status"), 0) + 1
    fields = {**run, "source_platform": "dbt", "metadata": {"nodes": counts}}
    if status == 0:
        report("run-success", **fields)
    else:
        bad = [each for each in results if each.get("status") in BAD]
        lines = [f"{each.get('unique_id')}: {each.get('message')}" for each in bad]
        message = "\n".join(lines)[:LONGEST] or f"dbt ended with exit status {status}"
        report("run-failure", error_type=f"exit status {status}", error_message=message, **fields)
    return status


def run_dbt(arguments):
    """Its exit status. Who ends this program with SIGTERM ends dbt."""
    dbt = subprocess.Popen(["dbt", *arguments])
    signal.signal(signal.SIGTERM, lambda number, _: dbt.send_signal(number))
    while True:
        try:
            status = dbt.wait()
            return status if status >= 0 else 128 - status
        except KeyboardInterrupt:
            continue  # dbt has got Ctrl-C too, and cleans up.


def read_results(began):
    """Those of this run: dbt leaves the file of the run before where it does not get that far."""
    try:
        if RESULTS.stat().st_mtime < began - 2:
            return []
        return json.loads(RESULTS.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError):
        return []


if __name__ == "__main__":
    sys.exit(main())
