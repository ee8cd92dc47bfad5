"""Imports point one way, and none hides inside a function."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.server import test_environment

ROOT = Path(__file__).parent.parent
LEVELS = {
    "identifiers": 0,
    "clock": 0,
    "invocation": 0,
    "postgres": 0,
    "database_errors": 0,
    "outages": 0,
    "durations": 0,
    "log_lines": 0,
    "sketches": 0,
    "address_secrets": 0,
    "keys": 1,
    "beginnings": 0,
    "card_numbers": 0,
    "secret_names": 0,
    "json_tokens": 0,
    "encodings": 0,
    "request_log": 2,
    "url_secrets": 1,
    "disguised_keys": 2,
    "secret_texts": 2,
    "redaction": 3,
    "time_limit": 0,
    "percent_encoding": 0,
    "forms": 1,
    "flask_app": 2,
    "write_lock": 0,
    "problems": 3,
    "signs": 0,
    "csv_text": 0,
    "timetable": 0,
    "blocking": 1,
    "database_urls": 0,
    "config": 1,
    "setting_values": 0,
    "env_file": 0,
    "refusal_titles": 4,
    "secret_key": 2,
    "sign_in_settings": 0,
    "trusted_proxies": 2,
    "ways_in": 4,
    "oidc": 5,
    "extensions": 2,
    "links": 2,
    "answers": 2,
    "htmx": 2,
    "windows": 3,
    "models": 3,
    "problem_documents": 4,
    "tallies": 3,
    "backups": 4,
    "channels": 4,
    "alerting": 5,
    "processing": 6,
    "workspaces": 6,
    "doctor": 7,
    "archives": 7,
    "ingest": 7,
    "importing": 7,
    "errors": 8,
    "api": 9,
    "console": 10,
    "warm_up": 10,
    "cli": 11,
    "": 12,
}
"""What may import what: a module imports from its own level's package or from below."""


def modules() -> list[Path]:
    return sorted((ROOT / "app").rglob("*.py"))


@cache
def parse(path: Path) -> ast.AST:
    return ast.parse(path.read_text())


def part_of(module: str) -> str:
    names = module.split(".")
    return names[1] if len(names) > 1 else ""


def imported_parts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("app"):
            if node.module == "app":
                yield from (alias.name for alias in node.names)
            else:
                yield part_of(node.module)


def test_imports_point_down() -> None:
    assert [fault for path in modules() for fault in find_climbing(path)] == []


def find_climbing(path: Path) -> Iterator[str]:
    relative = path.relative_to(ROOT / "app")
    own = relative.parts[0].removesuffix(".py").replace("__init__", "")
    for part in imported_parts(parse(path)):
        if part != own and part in LEVELS and LEVELS[part] >= LEVELS[own]:
            yield f"{relative}: {own} imports {part}"
        if part not in LEVELS and not part.startswith("__"):
            yield f"{relative}: {part} has no level"


def test_no_import_hides_inside_a_function() -> None:
    assert [
        f"{path.relative_to(ROOT)}: {node.name}, line {hidden.lineno}"
        for path in modules()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for hidden in ast.walk(node)
        if isinstance(hidden, ast.Import | ast.ImportFrom)
    ] == []


def test_no_file_outgrows_its_room() -> None:
    lines = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in modules()}
    assert {str(path): count for path, count in lines.items() if count > 300} == {}


def test_what_only_some_need_is_not_loaded_by_all(tmp_path: Path) -> None:
    """A web process on SQLite needs no driver of PostgreSQL's (6 MB), and none needs migrations."""
    program = "import sys, wsgi; print(*{name.split('.')[0] for name in sys.modules})"
    environment = test_environment(tmp_path, f"sqlite:///{tmp_path}/flowpulse.db", 8000)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "sqlalchemy" in loaded
    heavy = {"psycopg", "psycopg_binary", "alembic", "flask_migrate", "apprise", "segno"} | {
        *("authlib", "joserfc", "requests")
    }
    assert not loaded & heavy
