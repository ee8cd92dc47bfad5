"""Commands of the documents that are not simply run as they stand: one line each.

All others are, by `test_commands.py`; so a new one needs a line here only where it can't be.
"""

from typing import NamedTuple

from tests.documents.blocks import CALL, ROOT
from tests.documents.foreign import KEY
from tests.factories import PASSWORD


class How(NamedTuple):
    """`test` runs it; `why` it isn't run at all. Otherwise it is run with what differs: what goes
    before it, what is typed, its exit status, words that are replaced, and what it has to say."""

    test: str = ""
    why: str = ""
    before: str = ""
    stdin: str = ""
    status: int = 0
    replaced: tuple[tuple[str, str], ...] = ()
    says: str = ""


FOREIGN = "tests/main_job/test_foreign_senders.py"
PINGS = "tests/main_job/test_pings.py"
MAKE_RUN = How("tests/test_serving.py::test_make_run_answers_and_stops_quietly")
MOVE = How(
    "tests/documents/test_moving_to_postgresql.py"
    "::test_the_commands_of_the_page_make_a_database_and_fill_it"
)
DOCKER = How(why="needs Docker: tests/deploy/test_image.py runs the image's own command without")
N8N = How(why="needs n8n: tests/integrations/record_n8n.py imports these files into a real one")
SYSTEMD = How(
    why="needs root and systemd: tests/deploy/ reads the units, and runs `flowpulse` without"
)
RELEASE = How(why="changes the repository itself: tests/supply/ releases in one of its own")
WORKERLESS = (("--app wsgi doctor", "--app wsgi doctor || test $? = 1"),)
"""It misses the worker, and says so."""
FORCED = ((" restore /mnt", " restore --force /mnt"),)
"""The database that it is run on is not empty."""
REPOSITORY = (
    "git init -q REPOSITORY && cd REPOSITORY\n"
    "git -c user.name=Ana -c user.email=ana@example.org commit -q --allow-empty -m First\n"
    "git tag v0.1.0 && git tag v0.2.0 && cd ..\n"
)
"""Where the code comes from: two versions of nothing."""
CHECKED_OUT = f"{REPOSITORY}git init -q . && git remote add origin ./REPOSITORY\n"
BACKED_UP = ".venv/bin/flask --app wsgi backup /mnt/other/before.db\n"
ELSEWHERE = "(on another server) "
SECOND_WORKSPACE = f'{CALL} workspace create "Second" --owner ana@example.org\n'
"""The only one can't be deleted."""
WITH_CLIENTS = f"cp -r '{ROOT}/clients' .\n"
OFFLINE = "--no-index --no-build-isolation --no-deps"
"""What builds the wheel is there."""
TYPED = How(stdin=PASSWORD, replaced=(("reset-password", "reset-password --password-stdin"),))
FOUR_CHECKS = "With --apply, 4 would be."

EXCEPTIONS: dict[tuple[str, str], How] = {
    ("README.md", "make run"): MAKE_RUN,
    ("README.md", "make test"): How(why="it runs this test"),
    ("README.md", "pkill -HUP"): How(
        "tests/test_serving.py::test_the_readmes_commands_restart_the_web_server_and_the_worker"
    ),
    ("README.md", "wsgi restore"): How(replaced=FORCED),
    ("docs/backup.md", "install -d"): SYSTEMD,
    ("clients/javascript/README.md", "npm install"): How(
        before=WITH_CLIENTS,
        replaced=(
            ("npm install", "npm install --offline --no-audit --no-fund"),
            ("./clients/javascript", "./clients/javascript\nls node_modules/flowpulse"),
        ),
        says="flowpulse.js",
    ),
    ("clients/python/README.md", "pip install"): How(
        before=WITH_CLIENTS,
        replaced=(("pip install", f"python -m pip install {OFFLINE} --target site"),),
        says="Successfully installed flowpulse",
    ),
    ("docs/backup.md", "--replace"): How(replaced=FORCED),
    ("docs/backup.md", "--scheduled"): How(
        before="export FLOWPULSE_BACKUP_DIR=/mnt/other/flowpulse\n", says="flowpulse-auto-"
    ),
    ("docs/backup.md", "mkdir -m 700 /tmp/rehearsal"): How(
        before=f"{CALL} backup /mnt/other/fp.db\n", replaced=WORKERLESS
    ),
    ("docs/clients.md", "pip wheel"): How(
        before=WITH_CLIENTS, replaced=(("pip wheel", f"pip wheel {OFFLINE}"),), says=".tgz"
    ),
    ("docs/command-line.md", "manual >"): How(before="mkdir docs\n"),
    ("docs/command-line.md", "user create"): How(
        replaced=(("ana@example.org", "cy@example.org"),), says="cy@example.org\towner"
    ),
    ("docs/command-line.md", "address create"): How(
        f"{FOREIGN}::test_the_example_of_address_create_is_answered"
    ),
    ("docs/command-line.md", "import healthchecks"): How(stdin=f"{KEY}\n", says=FOUR_CHECKS),
    ("docs/command-line.md", "key create"): How(
        replaced=(("create n8n)", 'create n8n)\nprintf %.3s "$KEY"'),), says="fp_"
    ),
    ("docs/data.md", "workspace export"): How(
        replaced=((f"{CALL} workspace import", f"{ELSEWHERE}workspace import"),)
    ),
    ("docs/data.md", "workspace delete"): How(stdin="My workspace\n", before=SECOND_WORKSPACE),
    ("docs/data.md", "user delete"): How(stdin="bo@example.org\n"),
    ("docs/deployment.md", "compose logs flowpulse"): DOCKER,
    ("docs/deployment.md", "POSTGRES_PASSWORD"): DOCKER,
    ("docs/deployment.md", "cp flowpulse:/data"): DOCKER,
    ("docs/deployment.md", "compose stop flowpulse"): DOCKER,
    ("docs/deployment.md", "docker compose up -d"): DOCKER,
    ("docs/deployment.md", "docker compose exec flowpulse python deploy"): DOCKER,
    ("docs/deployment.md", "flask --app wsgi doctor"): DOCKER,
    ("docs/deployment.md", "docker compose up -d --build"): DOCKER,
    ("docs/deployment.md", "useradd"): SYSTEMD,
    ("docs/faq.md", "--new-secret-key"): How(
        before=f"export FLOWPULSE_SECRET_KEY={'another' * 8}\n"
    ),
    ("docs/moving-to-postgresql.md", "move --to postgresql://flowpulse@"): MOVE,
    ("docs/moving-to-postgresql.md", "createuser"): MOVE,
    ("docs/moving-to-postgresql.md", "copy.db"): MOVE,
    ("docs/moving.md", "HEALTHCHECKS_API_KEY"): How(says=FOUR_CHECKS),
    ("docs/moving.md", "checks.json"): How(says=FOUR_CHECKS),
    ("docs/moving.md", "workflows.json\n.venv"): How(says="With --apply, "),
    ("docs/moving.md", "n8n export:workflow"): N8N,
    ("docs/deployment.md", "git clone REPOSITORY flowpulse"): How(before=REPOSITORY),
    ("docs/pings.md", "ping/nightly-backup || true"): How(
        f"{PINGS}::test_each_line_of_the_recipes_has_a_key_of_its_own_that_a_retry_keeps"
    ),
    ("docs/pings.md", "out=$("): How(
        f"{PINGS}::test_the_recipe_tells_the_end_of_any_output_and_keeps_the_status"
    ),
    ("docs/quick-start.md", "make run"): MAKE_RUN,
    ("docs/quick-start.md", "endedAt"): How(status=22),
    ("docs/quick-start.md", "demo --remove"): How(before=f"{CALL} demo\n"),
    ("docs/reliability.md", "-m drill"): How(why="takes an hour: `make drills`"),
    ("docs/self-hosting.md", "wsgi doctor"): How(replaced=WORKERLESS),
    ("docs/signing-in.md", f"{CALL} user reset-password ana@example.org"): TYPED,
    ("docs/signing-in.md", "reset-two-factor"): TYPED,
    ("docs/single-sign-on.md", "user unlink"): How(
        "tests/cli/test_user.py::test_a_link_to_a_provider_is_forgotten_and_all_sessions_end"
    ),
    ("docs/single-sign-on.md", "reset-password"): TYPED,
    ("docs/upgrading.md", "git fetch --tags\ngit tag"): How(before=CHECKED_OUT),
    ("docs/upgrading.md", "git show"): How(before=f"{CHECKED_OUT}git fetch -q --tags\n"),
    ("docs/upgrading.md", "docker compose up -d --build"): DOCKER,
    ("docs/deployment.md", "docker compose up --wait"): DOCKER,
    ("CONTRIBUTING.md", "git show v1.2.0"): RELEASE,
    ("CONTRIBUTING.md", "git push"): RELEASE,
    ("docs/upgrading.md", "flowpulse backup"): SYSTEMD,
    ("docs/upgrading.md", "git checkout v0.1.0\n.venv"): How(
        before=f"{CHECKED_OUT}git fetch -q --tags\n{BACKED_UP}",
        replaced=(("pip install --require-hashes -r requirements-hashed.txt", "pip --version"),),
    ),
    ("docs/upgrading.md", "systemctl stop"): SYSTEMD,
    ("integrations/dbt/README.md", "flowpulse_dbt.py"): How(
        "tests/integrations/test_languages.py::test_the_wrapper_of_dbt_tells_which_nodes_failed"
    ),
    ("integrations/n8n/README.md", "n8n import:workflow"): N8N,
    ("integrations/shell/README.md", "flowpulse.sh"): How(
        "tests/integrations/test_shells.py::test_the_function_ends_like_the_job_and_tells_its_output"
    ),
    ("integrations/systemd/README.md", "chmod 600"): How(
        before="touch flowpulse.env\n", replaced=(("/etc/flowpulse.env", "flowpulse.env"),)
    ),
    ("integrations/systemd/README.md", "enable --now"): SYSTEMD,
}
"""By document and words that only this piece of it has, or that are all of it."""
