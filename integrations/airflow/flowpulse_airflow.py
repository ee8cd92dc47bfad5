"""Callbacks that tell FlowPulse how the runs of a DAG end; they need flowpulse.py beside them."""

from flowpulse import report, text_of

WORKFLOWS = {"id of a DAG": "its slug in FlowPulse"}
OTHERWISE = "your-workflow"


def tell_success(context):
    report("run-success", **_describe(context))


def tell_failure(context):
    error = context.get("exception")
    task = getattr(context.get("task_instance"), "task_id", None)
    if error:
        kind, message = type(error).__name__, text_of(error)
    else:  # Airflow hands callbacks of a DAG a word alone, such as task_failure.
        kind = context.get("reason") or "failure"
        message = f"{kind} in {task}" if task else kind
    report("run-failure", error_message=message, error_type=kind, **_describe(context))


def _describe(context):
    """What differs between versions of Airflow may be missing: a report goes without it."""
    run = context.get("dag_run")
    task = context.get("task_instance")
    dag_id = getattr(run or context.get("dag"), "dag_id", None)
    run_id = getattr(run, "run_id", None) or context.get("run_id")
    started = getattr(run, "start_date", None)
    ended = getattr(run, "end_date", None)
    fields = {
        "workflow_slug": WORKFLOWS.get(dag_id, OTHERWISE),
        # Two DAGs have runs of the same id where they start at the same time.
        "external_execution_id": f"{dag_id} {run_id}"[-255:] if run_id else None,
        "started_at": started.isoformat() if started else None,
        "ended_at": ended.isoformat() if ended else None,
        "source_platform": "airflow",
        "source_workflow_id": dag_id,
        "metadata": {
            "run_id": run_id,
            "last_task": getattr(task, "task_id", None),
            "log_url": getattr(task, "log_url", None),
        },
    }
    return {name: value for name, value in fields.items() if value is not None}
