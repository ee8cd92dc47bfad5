"""Scripts: cron, Python, Node and curl, the longer ones drawn from templates/snippets/."""

import json
import shlex

from flask import current_app

from app.console.snippet_parts import Part, Target

NEW_KEY = """-H "Idempotency-Key: $(od -An -N16 -tx1 /dev/urandom | tr -d ' \\n')\""""
"""For curl, in any shell; without a percent sign, which ends a line of a crontab."""


def _draw(template: str, target: Target, **values: str) -> str:
    """Plain text; `sh` and `literal` quote values by the rules of the language."""
    drawn = current_app.jinja_env.get_template(f"snippets/{template}").render(
        ingest_url=target.ingest_url,
        key=target.key,
        new_key=NEW_KEY,
        slug=target.slug,
        sh=shlex.quote,
        literal=json.dumps,
        **values,
    )
    return drawn.rstrip("\n") + "\n"


def make_shell(target: Target) -> tuple[Part, ...]:
    url, key = shlex.quote(target.base_url), shlex.quote(target.key)
    runner = shlex.quote(f"{target.base_url}/flowpulse-run")
    ping = shlex.quote(f"{target.base_url}/api/v1/ping/{target.slug}/")
    key_header = shlex.quote(f"X-API-Key: {target.key}")
    install = "~/.local/bin/flowpulse-run"
    return (
        Part(
            "wrapper",
            "Fetch the wrapper",
            "One file, for Python 3.8 or newer, without packages. `~/.local/bin` is the user's own "
            "and needs no sudo; for all users of the machine, take `/usr/local/bin`, as root.",
            code=f"mkdir -p ~/.local/bin\ncurl -fsS -o {install} {runner}\nchmod 755 {install}\n",
            filename="install",
        ),
        Part(
            "cron",
            "Put it before the command",
            "In the crontab, or wherever the command stands:",
            code=f"export FLOWPULSE_URL={url}\n"
            f"export FLOWPULSE_API_KEY={key}\n"
            f"{install} {target.slug} -- true    # a success\n"
            f"{install} {target.slug} -- false   # a failure\n"
            "\n"
            "# crontab -e\n"
            f"FLOWPULSE_URL={url}\n"
            f"FLOWPULSE_API_KEY={key}\n"
            f"*/15 * * * * {install} {target.slug} -- /path/to/job\n",
            filename="commands",
            steps=(
                "The exit status of the job stays as it is, also while FlowPulse is down. The last "
                "10 KB of its output become the error message.",
            ),
        ),
        Part(
            "ping",
            "Without Python",
            "A ping tells the exit status, and needs curl alone:",
            code="/path/to/job && status=0 || status=$?\n"
            "curl -fsS --max-time 5 --retry 3 --retry-connrefused --retry-max-time 15 \\\n"
            f"  {NEW_KEY} \\\n"
            f"  -o /dev/null -H {key_header} \\\n"
            f"  {ping}$status || true\n"
            "(exit $status)\n",
            filename="ping",
            steps=(
                "The last line ends with the job's exit status, also while FlowPulse is down and "
                "under `set -e`. curl gives up within 20 seconds.",
                "The `Idempotency-Key` is drawn anew each time, and kept through curl's tries: an "
                "answer that gets lost makes no second run.",
                "In a crontab, write it as one line, with a `;` between the three commands.",
            ),
        ),
    )


def make_python(target: Target) -> tuple[Part, ...]:
    return (
        Part(
            "module",
            "One file, no packages",
            "Save this as `flowpulse.py` beside your script, and run it once: it reports a "
            "success.",
            code=_draw("flowpulse.py.txt", target),
            filename="flowpulse.py",
        ),
        Part(
            "use",
            "Around your job",
            "What the block raises is reported, and goes on as before:",
            code="from flowpulse import watched\n\nwith watched():\n    main()\n",
            filename="your script",
        ),
    )


def make_node(target: Target) -> tuple[Part, ...]:
    return (
        Part(
            "module",
            "One file, no packages",
            "Save this as `flowpulse.mjs` beside your script, and run it once: it reports a "
            "success.",
            code=_draw("flowpulse.mjs", target),
            filename="flowpulse.mjs",
        ),
        Part(
            "use",
            "Around your job",
            "What the job throws is reported, and goes on as before:",
            code='import { watched } from "./flowpulse.mjs";\n\nawait watched(async () => {\n'
            "  await main();\n});\n",
            filename="your script",
        ),
    )


def make_http(target: Target) -> tuple[Part, ...]:
    return (
        Part(
            "success",
            "Report a success",
            "Any client that can POST JSON does. As curl:",
            code=_draw("curl.sh", target, event="run-success"),
            filename="success with curl",
        ),
        Part(
            "failure",
            "Report a failure",
            "The same with `error_message`:",
            code=_draw("curl.sh", target, event="run-failure"),
            filename="failure with curl",
            steps=(
                "Give the request a time-out and two or three tries, and let your job go on when "
                "it fails, as `|| true` does: an outage of FlowPulse must not become one of the "
                "job.",
            ),
        ),
    )
