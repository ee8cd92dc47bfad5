"""Scripts: cron, Python, Node and curl, from their files in integrations/."""

from app.console.integration_files import read_file
from app.console.snippet_parts import Part, Target


def make_shell(target: Target) -> tuple[Part, ...]:
    return (
        Part(
            "wrapper",
            "Fetch the wrapper",
            "One file, for Python 3.8 or newer, without packages. `~/.local/bin` is the user's own "
            "and needs no sudo; for all users of the machine, take `/usr/local/bin`, as root.",
            code=read_file("cron/install.sh", target),
            filename="install",
        ),
        Part(
            "cron",
            "Put it before the command",
            "In the crontab, or wherever the command stands:",
            code=read_file("cron/commands.sh", target),
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
            code=read_file("cron/ping.sh", target),
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
            code=read_file("python/flowpulse.py", target),
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
            code=read_file("node/flowpulse.mjs", target),
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
            code=read_file("http/success.sh", target),
            filename="success with curl",
        ),
        Part(
            "failure",
            "Report a failure",
            "The same with `error_message`:",
            code=read_file("http/failure.sh", target),
            filename="failure with curl",
            steps=(
                "Give the request a time-out and two or three tries, and let your job go on when "
                "it fails, as `|| true` does: an outage of FlowPulse must not become one of the "
                "job.",
            ),
        ),
    )
