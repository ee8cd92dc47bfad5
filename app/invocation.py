"""How FlowPulse's commands are called where it is installed: the form that all its words show."""

import os
from pathlib import Path

DOCUMENTED = ".venv/bin/flask --app wsgi"
"""As the documents write it: from FlowPulse's folder, where `make` puts the environment."""
WRAPPER = Path("/usr/local/bin/flowpulse")
"""Where deploy/systemd/flowpulse goes: commands with the account and settings of the services."""
FOLDER = Path(__file__).parent.parent


def _is_by_systemd(folder: Path, wrapper: Path = WRAPPER) -> bool:
    """Whether the wrapper is there, and of this very copy: its first line names its Python."""
    try:
        with wrapper.open(encoding="utf-8", errors="replace") as file:
            python = file.readline(1_000).removeprefix("#!").split(maxsplit=1)[0]
    except (OSError, IndexError):
        return False
    return Path(python).parents[:3][-1].resolve() == folder.resolve()


def _find_call(folder: Path, is_by_systemd: bool = False) -> str:
    """Where the environment is elsewhere, as in an image, `flask` has to be on the PATH."""
    if is_by_systemd:
        return WRAPPER.name
    is_there = (folder / ".venv/bin/flask").exists()
    return DOCUMENTED if is_there else DOCUMENTED.removeprefix(".venv/bin/")


IS_BY_SYSTEMD = _is_by_systemd(FOLDER)
CALL = _find_call(FOLDER, IS_BY_SYSTEMD)
START = "systemctl start flowpulse-web flowpulse-worker" if IS_BY_SYSTEMD else "make run"
"""What starts web and worker."""


def shell_command(words: str) -> str:
    """What to type into a terminal, in FlowPulse's folder, for the command `words`."""
    return f"{CALL} {words}"


def as_installed(text: str) -> str:
    """`text` with the commands that it names written as they work here."""
    return text.replace(DOCUMENTED, CALL)


def as_documented(text: str) -> str:
    """The same the other way, for the pages that are drawn from the program, nowhere but where it
    is written: with systemd, the call is a word of any text."""
    return as_installed(text).replace(CALL, DOCUMENTED)


def why_elsewhere(words: str) -> str | None:
    """Why the command `words` would reach another database than the services', if it would: where
    systemd starts them, their settings say where theirs is, and a shell's don't."""
    if not IS_BY_SYSTEMD or "FLOWPULSE_DATA_DIR" in os.environ:
        return None
    return (
        f"systemd runs this FlowPulse. Call it as root by `{shell_command(words)} …`, which has "
        "the services' settings. To mean another database, set FLOWPULSE_DATA_DIR."
    )
