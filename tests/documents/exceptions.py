"""Commands of the documents that are not simply run as they stand: one line each.

All others are, by `test_commands.py`; so a new one needs a line here only where it can't be.
"""

from typing import NamedTuple

from tests.factories import PASSWORD


class How(NamedTuple):
    """`test` runs it; `why` it isn't run at all. Otherwise it is run with what differs: what goes
    before it, what is typed, its exit status, and words that are replaced."""

    test: str = ""
    why: str = ""
    before: str = ""
    stdin: str = ""
    status: int = 0
    replaced: tuple[tuple[str, str], ...] = ()


FOREIGN = "tests/main_job/test_foreign_senders.py"
PINGS = "tests/main_job/test_pings.py"
MAKE_RUN = How("tests/test_serving.py::test_make_run_answers_and_stops_quietly")
PAGE_OF_MOVING = How(f"{FOREIGN}::test_the_page_s_commands_work_as_they_stand")
DOCKER = How(why="needs Docker: tests/deploy/test_image.py runs the image's own command without")
SYSTEMD = How(
    why="needs root and systemd: tests/deploy/ reads the units, and runs `flowpulse` without"
)
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
SECOND_WORKSPACE = '.venv/bin/flask --app wsgi workspace create "Second" --owner ana@example.org\n'
"""The only one can't be deleted."""

EXCEPTIONS: dict[tuple[str, str], How] = {
    ("README.md", "make run"): MAKE_RUN,
    ("README.md", "make test"): How(why="it runs this test"),
    ("README.md", "pkill -HUP"): How(
        "tests/test_serving.py::test_the_readmes_commands_restart_the_web_server_and_the_worker"
    ),
    ("README.md", "wsgi restore"): How(replaced=FORCED),
    ("docs/backup.md", "--replace"): How(replaced=FORCED),
    ("docs/backup.md", "install -d"): SYSTEMD,
    ("docs/backup.md", "mkdir -m 700 /tmp/rehearsal"): How(
        before=".venv/bin/flask --app wsgi backup /mnt/other/fp.db\n", replaced=WORKERLESS
    ),
    ("clients/javascript/README.md", "npm install"): How(
        "tests/clients/test_packages.py::test_what_npm_packs_is_the_client_and_no_more"
    ),
    ("clients/python/README.md", "pip install"): How(
        "tests/clients/test_packages.py::test_the_wheel_works_in_an_environment_of_its_own"
    ),
    ("docs/clients.md", "pip wheel"): How(
        "tests/clients/test_packages.py::test_the_wheel_works_in_an_environment_of_its_own"
    ),
    ("docs/data.md", "workspace export"): How(
        replaced=((".venv/bin/flask --app wsgi workspace import", f"{ELSEWHERE}workspace import"),)
    ),
    ("docs/data.md", "workspace delete"): How(stdin="My workspace\n", before=SECOND_WORKSPACE),
    ("docs/data.md", "user delete"): How(stdin="bo@example.org\n"),
    ("docs/deployment.md", "compose logs flowpulse"): DOCKER,
    ("docs/deployment.md", "POSTGRES_PASSWORD"): DOCKER,
    ("docs/deployment.md", "cp flowpulse:/data"): DOCKER,
    ("docs/deployment.md", "compose stop flowpulse"): DOCKER,
    ("docs/deployment.md", "git clone REPOSITORY flowpulse"): How(before=REPOSITORY),
    ("docs/deployment.md", "useradd"): SYSTEMD,
    ("docs/moving-to-postgresql.md", "move --to postgresql://flowpulse@"): How(
        "tests/cli/test_move.py::test_every_row_of_every_table_arrives_as_it_was"
    ),
    ("docs/moving-to-postgresql.md", "createuser"): How(
        why="needs the administrator's account of a PostgreSQL"
    ),
    ("docs/moving-to-postgresql.md", "copy.db"): How(
        "tests/cli/test_move.py::test_every_row_of_every_table_arrives_as_it_was"
    ),
    ("docs/moving.md", "address create nightly-backup"): PAGE_OF_MOVING,
    ("docs/moving.md", "HEALTHCHECKS_API_KEY"): How(
        f"{FOREIGN}::test_an_import_from_a_server_and_its_addresses"
    ),
    ("docs/moving.md", "checks.json"): PAGE_OF_MOVING,
    ("docs/moving.md", 'workflow create "Router'): PAGE_OF_MOVING,
    ("docs/moving.md", "--slug nightly-job"): PAGE_OF_MOVING,
    ("docs/moving.md", "workflows.json"): PAGE_OF_MOVING,
    ("docs/pings.md", "ping/nightly-backup || true"): How(
        f"{PINGS}::test_each_line_of_the_recipes_has_a_key_of_its_own_that_a_retry_keeps"
    ),
    ("docs/pings.md", "out=$("): How(
        f"{PINGS}::test_the_recipe_tells_the_end_of_any_output_and_keeps_the_status"
    ),
    ("docs/quick-start.md", "make run"): MAKE_RUN,
    ("docs/quick-start.md", "endedAt"): How(status=22),
    ("docs/reliability.md", "-m drill"): How(why="takes an hour: `make drills`"),
    ("docs/self-hosting.md", "wsgi doctor"): How(replaced=WORKERLESS),
    ("docs/signing-in.md", "reset-password"): How(
        stdin=PASSWORD, replaced=(("reset-password", "reset-password --password-stdin"),)
    ),
    ("docs/single-sign-on.md", "user unlink"): How(
        "tests/cli/test_user.py::test_a_link_to_a_provider_is_forgotten_and_all_sessions_end"
    ),
    ("docs/single-sign-on.md", "reset-password"): How(
        stdin=PASSWORD, replaced=(("reset-password", "reset-password --password-stdin"),)
    ),
    ("docs/upgrading.md", "git fetch --tags\ngit tag"): How(before=CHECKED_OUT),
    ("docs/upgrading.md", "flowpulse backup"): SYSTEMD,
    ("docs/upgrading.md", "install -r requirements.txt"): How(
        before=f"{CHECKED_OUT}git fetch -q --tags\n{BACKED_UP}",
        replaced=(("pip install -r requirements.txt", "pip --version"),),
    ),
    ("docs/upgrading.md", "systemctl stop"): SYSTEMD,
    ("integrations/dbt/README.md", "flowpulse_dbt.py"): How(
        "tests/integrations/test_languages.py::test_the_wrapper_of_dbt_tells_which_nodes_failed"
    ),
    ("integrations/shell/README.md", "flowpulse.sh"): How(
        "tests/integrations/test_shells.py::test_the_function_ends_like_the_job_and_tells_its_output"
    ),
}
"""By document and words that only this piece of it has."""
