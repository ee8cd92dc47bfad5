"""Callbacks that tell FlowPulse how the runs of a DAG end; they need flowpulse.py beside them."""

from flowpulse import report

WORKFLOWS = {"id of a DAG": "its slug in FlowPulse"}
OTHERWISE = "your-workflow"


def tell_success(context):
    report("run-success", **_describe(context))


def tell_failure(context):
    reason = context.get("exception") or context.get("reason") or "The DAG failed"
    kind = type(reason).__name__ if isinstance(reason, BaseException) else None
    message = str(reason).strip() or kind
    report("run-failure", error_message=message, error_type=kind, **_describe(context))


def _describe(context):
    """What differs between versions of Airflow may be missing: a report goes without it."""
    run = context.get("dag_run")
    task = context.get("task_instance")
    dag_id = getattr(run, "dag_id", None)
    started = getattr(run, "start_date", None)
    fields = {
        "workflow_slug": WORKFLOWS.get(dag_id, OTHERWISE),
        "external_execution_id": getattr(run, "run_id", None),
        "started_at": started.isoformat() if started else None,
        "source_platform": "airflow",
        "source_workflow_id": dag_id,
        "metadata": {"last_task": getattr(task, "task_id", None)},
    }
    return {name: value for name, value in fields.items() if value is not None}
