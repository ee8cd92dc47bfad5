"""Settings: where they come from, and what is refused."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app import create_app
from app.config import (
    SETTINGS,
    ConfigurationError,
    load_settings,
    resolve_database_url,
)
from app.models.account import RETENTION
from app.secret_key import KNOWN_SECRETS, resolve_secret_key


def test_the_environment_wins_over_the_env_file_and_that_over_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("PORT=8100\nFLOWPULSE_RATE_LIMIT=7\n")
    monkeypatch.setenv("PORT", "8200")
    monkeypatch.delenv("FLOWPULSE_RATE_LIMIT", raising=False)
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    settings = load_settings(env_file=str(env_file))
    assert (settings["PORT"], settings["FLOWPULSE_RATE_LIMIT"]) == (8200, 7)
    assert settings["WEB_CONCURRENCY"] == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("FLOWPULSE_RATE_LIMIT", "-1"),
        ("FLOWPULSE_PUBLIC_URL", "flowpulse.example.org"),
        ("FLOWPULSE_PUBLIC_URL", "https://"),
        ("FLOWPULSE_PUBLIC_URL", "https://ana@flowpulse.example.org"),
        ("FLOWPULSE_PUBLIC_URL", "https://flowpulse.example.org\r\nX: y"),
        ("FLOWPULSE_PUBLIC_URL", "https://flowpulse.example.org/?page=1"),
        ("FLOWPULSE_DATABASE_URL", "mysql://x"),
        ("FLOWPULSE_REPLICA_URL", "sqlite:///x.db"),
        ("WEB_CONCURRENCY", "0"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load_settings(env_file="")


@pytest.mark.parametrize("name", ["FLOWPULSE_DATABASE_URL", "FLOWPULSE_REPLICA_URL"])
@pytest.mark.parametrize(
    "value",
    [
        "postgresql+psycopg2://flow:s3cret@db/x",
        "mysql://db/x?password=s3cret",
        "postgresql://flow:s3cret",
        "flow:s3cret@db/x",
    ],
)
def test_what_is_said_of_a_database_that_cannot_be_used_repeats_no_secret(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name) as caught:
        load_settings(env_file="")
    error: BaseException | None = caught.value
    while error:
        assert "s3cret" not in str(error)
        error = error.__cause__
    assert "postgresql://" in str(caught.value)


def test_a_replica_is_never_said_to_be_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWPULSE_REPLICA_URL", "mysql://x")
    with pytest.raises(ConfigurationError, match=r"must start with postgresql://\.$") as caught:
        load_settings(env_file="")
    assert "sqlite" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://u:s3cret@one,two/x",
        "postgresql://u:s3cret@one:5432,two:5433/x",
        "postgresql://u:s3cret@/x?host=one,two",
        "postgresql://u:s3cret@/x?host=one%2Ctwo&port=5432",
        "postgresql://u:s3cret@/x?host=one&host=two",
        "postgresql://u:s3cret@one/x?hostaddr=10.0.0.1,10.0.0.2",
        "postgresql://u:s3cret@one/x?load_balance_hosts=random",
    ],
)
def test_a_replica_is_one_server(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection could lead to another one, and none tells how far that is behind."""
    monkeypatch.setenv("FLOWPULSE_REPLICA_URL", value)
    with pytest.raises(ConfigurationError, match="FLOWPULSE_REPLICA_URL") as caught:
        load_settings(env_file="")
    assert "must lead to one server" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    monkeypatch.setenv("FLOWPULSE_REPLICA_URL", "")
    monkeypatch.setenv("FLOWPULSE_DATABASE_URL", "postgresql://u@one,two/x")
    assert load_settings(env_file="")["FLOWPULSE_DATABASE_URL"].endswith("u@one,two/x")


@pytest.mark.parametrize(
    "value", ["postgresql://u:p%2C@one:5433/x?sslmode=require", "postgresql://u@/x?host=%2Frun"]
)
def test_a_replica_may_be_named_in_each_usual_way(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWPULSE_REPLICA_URL", value)
    assert load_settings(env_file="")["FLOWPULSE_REPLICA_URL"].endswith(value.partition("://")[2])


@pytest.mark.parametrize("name", RETENTION.values())
@pytest.mark.parametrize("value", ["0", "00", "-1", "a year"])
def test_nothing_is_kept_for_less_than_a_day(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 means "off" elsewhere; here it would remove everything within a minute."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(env_file="")
    advice = "must be a whole number of days from 1 on; to keep for long, 3650"
    assert str(caught.value) == f"{name} is {value!r}: {advice}."
    monkeypatch.setenv(name, "1")
    assert load_settings(env_file="")[name] == 1


def test_the_secret_is_made_once_with_mode_0600_by_one_of_many_starters(tmp_path: Path) -> None:
    settings = {"FLOWPULSE_SECRET_KEY": "", "FLOWPULSE_DATA_DIR": tmp_path / "data"}
    with ThreadPoolExecutor(16) as pool:
        secrets = set(pool.map(lambda _: resolve_secret_key(settings), range(50)))
    file = tmp_path / "data" / "secret_key"
    assert secrets == {file.read_text()}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["secret_key"]


@pytest.mark.parametrize("secret", [*sorted(KNOWN_SECRETS), "short", "CHANGEME", "a" * 48])
def test_a_known_default_secret_is_refused(secret: str, tmp_path: Path) -> None:
    settings = {"FLOWPULSE_SECRET_KEY": secret, "FLOWPULSE_DATA_DIR": tmp_path}
    with pytest.raises(ConfigurationError, match="FLOWPULSE_SECRET_KEY"):
        resolve_secret_key(settings)


def test_postgresql_is_opened_with_psycopg_and_sqlite_lies_in_the_data_folder(
    tmp_path: Path,
) -> None:
    given = {"FLOWPULSE_DATABASE_URL": "postgres://u@h/d", "FLOWPULSE_DATA_DIR": tmp_path}
    assert resolve_database_url(given) == "postgresql+psycopg://u@h/d"
    empty = {"FLOWPULSE_DATABASE_URL": "", "FLOWPULSE_DATA_DIR": tmp_path}
    assert resolve_database_url(empty) == f"sqlite:///{tmp_path}/flowpulse.db"


def test_a_replica_of_sqlite_is_refused(tmp_path: Path) -> None:
    replica = {"FLOWPULSE_REPLICA_URL": "postgresql+psycopg://u@h/d"}
    with pytest.raises(ConfigurationError, match="SQLite, which has no replicas"):
        create_app({"FLOWPULSE_DATA_DIR": tmp_path, "FLOWPULSE_DATABASE_URL": "", **replica})


def test_every_setting_has_a_sentence_and_a_default_that_parses() -> None:
    for setting in SETTINGS:
        setting.parse(setting.default)
        assert setting.help.endswith(".")
