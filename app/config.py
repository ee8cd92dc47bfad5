"""Every setting: its name, default and meaning; the configuration table is drawn from here."""

import logging
import os
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

# It tells each time of a line that can't be read, and not of which file: app/env_file.py does.
logging.getLogger("dotenv.main").setLevel(logging.ERROR)


# By its path, as gunicorn.conf.py loads this module: the package must not be imported yet.
_VALUES = runpy.run_path(str(Path(__file__).with_name("setting_values.py")))
_switch, _role, _port, _token = map(_VALUES.__getitem__, ("switch", "role", "port", "token"))
_mail_security, _mail_address = _VALUES["mail_security"], _VALUES["mail_address"]
_time_of_day, _log_format = _VALUES["time_of_day"], _VALUES["log_format"]
_public_url = _VALUES["public_url"]
_URLS = runpy.run_path(str(Path(__file__).with_name("database_urls.py")))
parse_database_url, parse_replica_url = _URLS["parse_database_url"], _URLS["parse_replica_url"]
_SIGN_IN = runpy.run_path(str(Path(__file__).with_name("sign_in_settings.py")))


class ConfigurationError(Exception):
    """A setting that can't be used; the message names it, what came, and what to do."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, read from the environment or `.env` under its name."""

    name: str
    default: str
    parse: Callable[[str], object]
    help: str


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError("must be a whole number, 0 or more")
    return int(text)


def _number_from_1(text: str) -> int:
    number = _whole_number(text)
    if number < 1:
        raise ValueError("must be a whole number, 1 or more")
    return number


def _days(text: str) -> int:
    """How long things are kept: 0, "off" elsewhere, would remove them all within a minute."""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text)):
        raise ValueError("must be a whole number of days from 1 on; to keep for long, 3650")
    return int(text)


SETTINGS: tuple[Setting, ...] = (
    Setting("HOST", "127.0.0.1", str, "Address that the web server listens on."),
    Setting("PORT", "8000", _port, "Port that the web server listens on."),
    Setting("WEB_CONCURRENCY", "2", _number_from_1, "Number of web processes, 1 or more."),
    Setting(
        "FLOWPULSE_DATA_DIR",
        "./data",
        Path,
        "Folder for the SQLite database and the secret key; made at the first start.",
    ),
    Setting(
        "FLOWPULSE_DATABASE_URL",
        "",
        parse_database_url,
        "Database: `sqlite:///path` or `postgresql://…`. Empty: SQLite in the data folder.",
    ),
    Setting(
        "FLOWPULSE_REPLICA_URL",
        "",
        parse_replica_url,
        "Streaming replica of that PostgreSQL, `postgresql://…`, which the console's overview, "
        "log, runs and charts are read from. Empty: all is read from the database itself.",
    ),
    Setting(
        "FLOWPULSE_PUBLIC_URL",
        "",
        _public_url,
        "Address under which people and senders reach the server, such as "
        "`https://flowpulse.example.org`: all links have it, and pages are answered under its "
        "host alone. Empty: the address of each request.",
    ),
    Setting(
        "FLOWPULSE_SECRET_KEY",
        "",
        str,
        "Secret of at least 32 characters for sessions and key hashes; every machine on one "
        "database needs the same. Empty: made once and kept in the data folder with mode 0600.",
    ),
    Setting(
        "FLOWPULSE_OLD_SECRET_KEYS",
        "",
        str.split,
        "Former secret keys, between spaces: settings of channels that were sealed with one are "
        "still opened, and sealed anew when they are saved.",
    ),
    Setting(
        "FLOWPULSE_RATE_LIMIT",
        "100",
        _whole_number,
        "Events per second and key, each of a batch counted, with bursts of ten times as many; 0 "
        "turns rate limits off.",
    ),
    Setting(
        "FLOWPULSE_FAILED_KEY_LIMIT",
        "30",
        _whole_number,
        "Refused keys per minute and address, before further ones get 429; good keys still pass.",
    ),
    Setting(
        "FLOWPULSE_FAILED_SIGN_IN_LIMIT",
        "10",
        _whole_number,
        "Wrong passwords per minute and address, and per 15 minutes and account; 0 = no limit.",
    ),
    Setting(
        "FLOWPULSE_MAX_BODY_BYTES",
        str(1024 * 1024),
        _whole_number,
        "Largest request body in bytes; a larger one gets 413.",
    ),
    Setting("FLOWPULSE_MAX_JSON_DEPTH", "64", _whole_number, "Deepest nesting of a JSON body."),
    Setting(
        "FLOWPULSE_BODY_TIMEOUT_SECONDS",
        "20",
        _whole_number,
        "Seconds that a sender has for its body; then the answer is 408.",
    ),
    Setting(
        "FLOWPULSE_REJECTED_RATE",
        "200",
        _whole_number,
        "Refused requests stored per second, over all machines; the rest is counted.",
    ),
    Setting("FLOWPULSE_REJECTED_DAYS", "7", _days, "Days refused requests are kept, from 1 on."),
    Setting(
        "FLOWPULSE_REJECTED_ROWS",
        "50000",
        _whole_number,
        "Refused requests kept at most; the oldest go first.",
    ),
    Setting("FLOWPULSE_EVENT_DAYS", "90", _days, "Days events and successes are kept, 1 or more."),
    Setting("FLOWPULSE_FAILURE_DAYS", "365", _days, "Days that failed runs are kept, from 1 on."),
    Setting(
        "FLOWPULSE_MAX_DATABASE_MB",
        "0",
        _whole_number,
        "Megabytes in use before the oldest go: refused requests first, failures last; 0 = never.",
    ),
    Setting(
        "FLOWPULSE_DATABASE_DISK_GB",
        "0",
        _whole_number,
        "Gigabytes that the database may take on its PostgreSQL server's disk, where that can't be "
        "seen from here: pages warn before it is full. 0 = not known.",
    ),
    Setting(
        "FLOWPULSE_BACKUP_DIR",
        "",
        str,
        "Folder for a backup each day, which the worker makes. Empty: none is made by itself.",
    ),
    Setting("FLOWPULSE_BACKUP_AT", "03:15", _time_of_day, "When that backup is made, in UTC."),
    Setting(
        "FLOWPULSE_BACKUP_DAILY", "7", _number_from_1, "Days of which the last such backup is kept."
    ),
    Setting(
        "FLOWPULSE_BACKUP_WEEKLY",
        "4",
        _whole_number,
        "The weeks of which the last one is kept as well; 0 for none.",
    ),
    Setting(
        "FLOWPULSE_SESSION_IDLE_HOURS",
        "12",
        _whole_number,
        "Hours without a click after which a person is signed out.",
    ),
    Setting("FLOWPULSE_SESSION_DAYS", "7", _whole_number, "Days until a person signs in again."),
    Setting(
        "FLOWPULSE_PUBLIC_DOCS",
        "1",
        _switch,
        "Whether documents, reference and troubleshooting can be read without signing in: 1 or 0.",
    ),
    Setting(
        "FLOWPULSE_REVEAL_ROLE",
        "admin",
        _role,
        "Least role that may see hidden values: `viewer`, `member`, `admin`, `owner` or `nobody`.",
    ),
    Setting(
        "FLOWPULSE_TRUSTED_PROXIES",
        "0",
        str.strip,
        "Whose X-Forwarded-* headers are believed: reverse proxies by address or network, such as "
        "`127.0.0.1,10.0.0.0/8`, and `unix`. A number alone: so many, the nearest with a private "
        "or loopback address. `0`: nobody's.",
    ),
    *(Setting(*row) for row in _SIGN_IN["ROWS"]),
    Setting(
        "FLOWPULSE_LOG_FORMAT",
        "text",
        _log_format,
        "What web and worker write to their output: `text`, a line for what goes wrong; or `json`, "
        "the same as JSON, and a line for each request.",
    ),
    Setting(
        "FLOWPULSE_METRICS_TOKEN",
        "",
        _token,
        "Secret of at least 16 characters that opens `/metrics` to Prometheus, as a Bearer token. "
        "Empty: there are no metrics.",
    ),
    Setting("FLOWPULSE_COMPATIBILITY", "0", _switch, "Take pings as other monitors do: 1 or 0."),
    Setting("FLOWPULSE_SMTP_HOST", "", str, "SMTP server for mail. Empty: no mail is sent."),
    Setting("FLOWPULSE_SMTP_PORT", "587", _port, "Port of the SMTP server."),
    Setting(
        "FLOWPULSE_SMTP_SECURITY",
        "starttls",
        _mail_security,
        "How the connection to the SMTP server is encrypted: `starttls` (usual with port 587), "
        "`tls` (with 465), or `none`.",
    ),
    Setting("FLOWPULSE_SMTP_USER", "", str, "User at the SMTP server. Empty: none is asked for."),
    Setting("FLOWPULSE_SMTP_PASSWORD", "", str, "Password of that user."),
    Setting(
        "FLOWPULSE_MAIL_FROM",
        "",
        _mail_address,
        "Address that mail comes from. Empty: `flowpulse@` and the SMTP server's name.",
    ),
    Setting(
        "FLOWPULSE_ALLOW_PRIVATE_ADDRESSES",
        "0",
        _switch,
        "Whether channels may send to private, loopback and link-local addresses: 1 or 0.",
    ),
)


def load_settings(
    overrides: Mapping[str, object] | None = None, env_file: str = ".env"
) -> dict[str, object]:
    """Settings by name: overrides, then the environment, then `.env`, then the defaults.

    Raises ConfigurationError for a value that can't be used.
    """
    texts = {**dotenv_values(env_file), **os.environ}
    settings = {each.name: _parse(each, texts.get(each.name) or each.default) for each in SETTINGS}
    return {**settings, **(overrides or {})}


def _parse(setting: Setting, text: str) -> object:
    try:
        return setting.parse(text)
    except ValueError as error:
        shown = _without_secrets(text) if setting.name.endswith(("_URL", "_TOKEN")) else text
        raise ConfigurationError(f"{setting.name} is {shown!r}: {error}.") from error


def _without_secrets(address: str) -> str:
    """How it begins: in one that can't be used, anything else may be the password."""
    return f"{address.partition('://')[0]}://…" if "://" in address else "…"


def resolve_database_url(settings: Mapping[str, object]) -> str:
    """The database's URL; SQLite in the data folder where none is set."""
    given = parse_database_url(str(settings["FLOWPULSE_DATABASE_URL"]))
    path = Path(str(settings["FLOWPULSE_DATA_DIR"])).resolve() / "flowpulse.db"
    return given or f"sqlite:///{path}"
