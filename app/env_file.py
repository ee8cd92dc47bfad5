"""What is wrong with `.env` itself; app/config.py reads its values."""

from pathlib import Path

from dotenv.parser import parse_stream


def find_unreadable(env_file: str = ".env") -> list[str]:
    """The lines of `.env` that can't be read and are left out: the file, and the line's number."""
    path = Path(env_file).resolve()
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return [f"{path}, line {each.original.line}" for each in parse_stream(file) if each.error]
