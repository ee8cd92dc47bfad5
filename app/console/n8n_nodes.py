"""What is pasted onto n8n's canvas: nodes in the form that n8n itself copies and exports.

Shapes as of n8n 1.x and 2.x: httpRequest 4.2, errorTrigger 1. What the Error Trigger hands on is
`{execution: {id, url, error: {name, message}, lastNodeExecuted}, workflow}`, or, where the trigger
node itself failed, `{trigger: {error}, workflow}` without an execution.
"""

import json
from typing import Any

_TIMEOUT_MS = 10_000

# Two closing braces side by side would end n8n's expression: there must be none but its own.
_SUCCESS = """={{ JSON.stringify({
  workflow_id: %s,
  ended_at: $now.toUTC().toISO(),
  external_execution_id: $execution.id,
  source_platform: "n8n",
  source_workflow_id: $workflow.id,
  metadata: { n8n_workflow: $workflow.name }
}) }}"""
_FAILURE = """={{ JSON.stringify({
  workflow_id: %s,
  ended_at: $now.toUTC().toISO(),
  error_message: $json.execution?.error?.message || $json.trigger?.error?.message
    || "The workflow failed without a message",
  error_type: $json.execution?.error?.name || $json.trigger?.error?.name,
  external_execution_id: $json.execution?.id,
  source_platform: "n8n",
  source_workflow_id: $json.workflow?.id,
  metadata: {
    n8n_workflow: $json.workflow?.name,
    execution_url: $json.execution?.url,
    last_node: $json.execution?.lastNodeExecuted
  }
}) }}"""


def success_nodes(ingest_url: str, key: str, workflow_id: str) -> str:
    """One HTTP Request node, for the end of the workflow."""
    node = _report("run-success", _SUCCESS, ingest_url, key, workflow_id)
    return _dump({"nodes": [node], "connections": {}})


def error_workflow(ingest_url: str, key: str, workflow_id: str) -> str:
    """A workflow of its own: Error Trigger, then HTTP Request."""
    trigger = {
        "parameters": {},
        "id": "7f0d1c52-6a30-4f0e-9d53-0c8a6b1f2e01",
        "name": "Error Trigger",
        "type": "n8n-nodes-base.errorTrigger",
        "typeVersion": 1,
        "position": [0, 0],
    }
    node = _report("run-failure", _FAILURE, ingest_url, key, workflow_id)
    link = {"node": node["name"], "type": "main", "index": 0}
    return _dump(
        {
            "name": "FlowPulse: report failures",
            "nodes": [trigger, node],
            "connections": {"Error Trigger": {"main": [[link]]}},
            "settings": {"executionOrder": "v1"},
        }
    )


def _report(
    event: str, expression: str, ingest_url: str, key: str, workflow_id: str
) -> dict[str, Any]:
    """A node that runs once for all items, tries again, and never fails the workflow."""
    return {
        "parameters": {
            "method": "POST",
            "url": f"{ingest_url}/{event}",
            "sendHeaders": True,
            "headerParameters": {"parameters": [{"name": "X-API-Key", "value": key}]},
            "sendBody": True,
            "specifyBody": "json",
            "jsonBody": expression % json.dumps(workflow_id),
            "options": {"timeout": _TIMEOUT_MS},
        },
        "id": f"7f0d1c52-6a30-4f0e-9d53-0c8a6b1f2e{'02' if event == 'run-success' else '03'}",
        "name": f"FlowPulse: {event}",
        "type": "n8n-nodes-base.httpRequest",
        "typeVersion": 4.2,
        "position": [240, 0],
        "executeOnce": True,
        "retryOnFail": True,
        "maxTries": 3,
        "waitBetweenTries": 2000,
        "onError": "continueRegularOutput",
    }


def _dump(workflow: dict[str, Any]) -> str:
    return json.dumps(workflow, indent=2, ensure_ascii=False)
