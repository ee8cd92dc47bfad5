"""n8n, Make and Zapier: nodes to paste and forms to fill in."""

from app.console.integration_files import read_file
from app.console.snippet_parts import Part, Target


def make_n8n(target: Target) -> tuple[Part, ...]:
    return (
        Part(
            "success",
            "Report each success",
            "Copy this, click on the canvas of your workflow in n8n and paste: two nodes appear.",
            code=read_file("n8n/success-alone.json", target),
            filename="success nodes for n8n",
            steps=(
                "Connect the first behind the last node. They run once, however many items come; "
                "if none may come, switch “Always output data” on in the node before them.",
                "The second tries three times and then lets the workflow go on: an outage of "
                "FlowPulse never fails your run.",
            ),
        ),
        Part(
            "failure",
            "Report each failure",
            "Make a new workflow in n8n, paste this onto its canvas and save it (publish it, where "
            "your n8n has that button).",
            code=read_file("n8n/error-workflow-alone.json", target),
            filename="error workflow for n8n",
            steps=(
                "In the workflow that you watch: Settings → Error workflow → choose the new one.",
                "n8n starts it for automatic runs only. To try it, let the workflow fail once from "
                "its "
                "own trigger; a click on “Execute workflow” does not count.",
                "Each n8n workflow that has its own FlowPulse workflow needs its own error "
                "workflow, "
                "since `workflow_id` stands in it.",
            ),
        ),
    )


def _http_settings(target: Target, event: str) -> tuple[tuple[str, str], ...]:
    return (
        ("URL", f"{target.ingest_url}/{event}"),
        ("Method", "POST"),
        ("Header X-API-Key", target.key),
    )


def make_make(target: Target) -> tuple[Part, ...]:
    ended_at = '{{formatDate(now; "YYYY-MM-DDTHH:mm:ssZ"; "UTC")}}'
    module = (
        ("Evaluate all states as errors (except for 2xx and 3xx)", "ticked"),
        ("Body type", "Raw"),
        ("Content type", "JSON (application/json)"),
        ("Parse response", "Yes"),
        ("Timeout", "10"),
    )
    return (
        Part(
            "success",
            "Report each success",
            "Add HTTP → Make a request as the last module of the scenario and fill it in like "
            "this. "
            "“Request content” is the JSON below.",
            settings=(*_http_settings(target, "run-success"), *module),
            code=read_file("make/success-body.json", target),
            filename="request content for Make",
            steps=(
                "“Evaluate all states as errors” makes a refused report visible in Make; without "
                "it "
                "the module is green whatever FlowPulse answers. (HTTP version 4 calls it "
                "returning an "
                "error when the request fails.)",
                "Right-click the module → Add error handler → Ignore: an outage of FlowPulse never "
                "stops your scenario.",
            ),
        ),
        Part(
            "failure",
            "Report each failure",
            "Right-click the module that may fail → Add error handler. Put two modules on that "
            "route: "
            "JSON → Create JSON, which escapes quotes and line breaks, then HTTP → Make a request. "
            "“Generate” the data structure from this sample:",
            settings=(
                *_http_settings(target, "run-failure"),
                *module,
                ("Request content", "the JSON string of Create JSON"),
            ),
            code=read_file("make/failure-sample.json", target),
            filename="sample for Create JSON in Make",
            steps=(
                f"In Create JSON, map `ended_at` to `{ended_at}`, `error_message` to the failed "
                "module's error message, `error_type` to its error type, and "
                "`external_execution_id` to the "
                "execution's id.",
                "End the route with the Rollback directive, so that Make itself still counts the "
                "run as "
                "failed.",
            ),
        ),
    )


def _zapier_data(target: Target) -> tuple[tuple[str, str], ...]:
    return (
        ("Data workflow_id", target.workflow_id),
        ("Data ended_at", "{{zap_meta_utc_iso}}"),
        ("Data source_platform", "zapier"),
    )


_ZAPIER_FORM = (("Payload type", "json"), ("Wrap request in array", "no"), ("Unflatten", "no"))


def make_zapier(target: Target) -> tuple[Part, ...]:
    url, _, key = _http_settings(target, "run-success")
    failure_url = _http_settings(target, "run-failure")[0]
    return (
        Part(
            "success",
            "Report each success",
            "Add Webhooks by Zapier → POST as the last step of the Zap and fill it in like this.",
            settings=(
                url,
                _ZAPIER_FORM[0],
                *_zapier_data(target),
                *_ZAPIER_FORM[1:],
                key,
            ),
            steps=(
                "Payload type json matters: the default, form, is understood too, but comes with a "
                "warning on each event.",
            ),
        ),
        Part(
            "failure",
            "Report each failure",
            "A Zap has no error trigger of its own. Make a second Zap: the trigger is Zapier "
            "Manager → "
            "New Zap Error, limited to the Zap that you watch; the action is Webhooks by Zapier → "
            "POST.",
            settings=(
                failure_url,
                _ZAPIER_FORM[0],
                *_zapier_data(target),
                ("Data error_message", "the error message from the trigger"),
                *_ZAPIER_FORM[1:],
                key,
            ),
            steps=(
                "Zapier may hold such reports back for some minutes. On plans with custom error "
                "handling, add an error handler to the step that fails instead, and put the same "
                "POST "
                "on its path.",
                "To count an outcome that is no error for Zapier, split the Zap with Paths and end "
                "that "
                "path with the same POST.",
            ),
        ),
    )
