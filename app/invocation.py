"""How FlowPulse's commands are called where it is installed: the form that all its words show."""

from pathlib import Path

DOCUMENTED = ".venv/bin/flask --app wsgi"
"""As the documents write it: from FlowPulse's folder, where `make` puts the environment."""


def _find_call(folder: Path) -> str:
    """Where the environment is elsewhere, as in an image, `flask` has to be on the PATH."""
    is_there = (folder / ".venv/bin/flask").exists()
    return DOCUMENTED if is_there else DOCUMENTED.removeprefix(".venv/bin/")


CALL = _find_call(Path(__file__).parent.parent)


def shell_command(words: str) -> str:
    """What to type into a terminal, in FlowPulse's folder, for the command `words`."""
    return f"{CALL} {words}"


def as_installed(text: str) -> str:
    """`text` with the commands that it names written as they work here."""
    return text.replace(DOCUMENTED, CALL)


def as_documented(text: str) -> str:
    """The same the other way, for the pages that are drawn from the program."""
    return as_installed(text).replace(CALL, DOCUMENTED)
