"""The doctor's checks of files, disk and settings."""

import os
import platform
import stat

from flask import current_app
from sqlalchemy import text

from app.doctor.database_disk import examine_disk
from app.doctor.findings import Finding
from app.doctor.places import data_folder, database_folder
from app.extensions import db, is_sqlite
from app.invocation import shell_command
from app.processing.disk_space import SETTING as DISK_SETTING
from app.processing.disk_space import Disk, look_at
from app.trusted_proxies import SETTING, read_proxies

LITTLE_SPACE = 2**30
"""Free bytes below which the disk is worth a warning."""
LEAST_PREFIX = {4: 8, 6: 16}
"""By IP version: no team has proxies in a wider network."""
LOOPBACK = ("127.", "::1", "localhost")


def check_data_folder() -> Finding:
    name, folder = "data folder", data_folder()
    if not folder.is_dir() and not is_sqlite() and current_app.config["FLOWPULSE_SECRET_KEY"]:
        return Finding(name, "ok", "None is needed: database and secret key are elsewhere.")
    if not folder.is_dir():
        return Finding(name, "fail", f"{folder} is not there.", f"Run: {shell_command('prepare')}")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        fix = "Give it to the account that runs FlowPulse, with chown."
        return Finding(name, "fail", f"{folder} can't be written.", fix)
    if folder.stat().st_mode & stat.S_IWOTH:
        fix = f"Run: chmod o-w {folder}"
        return Finding(name, "fail", f"Everybody on this machine can change {folder}.", fix)
    return Finding(name, "ok", f"{folder} is there and can be written.")


def check_secret_key() -> Finding:
    name, path = "secret key", data_folder() / "secret_key"
    if current_app.config["FLOWPULSE_SECRET_KEY"]:
        return Finding(name, "ok", "It comes from FLOWPULSE_SECRET_KEY.")
    if not path.is_file():
        fix = "Put it back, from a backup or another machine: no API key opens without it."
        return Finding(name, "fail", f"{path} is not there.", fix)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding(name, "fail", f"Others can read {path}.", f"Run: chmod 600 {path}")
    return Finding(name, "ok", f"Only the server's account can read {path}.")


def check_disk_space() -> Finding:
    """Where the SQLite database is or, without one, the data folder."""
    return _judge("disk space", look_at(database_folder()))


def check_database_disk() -> Finding:
    """Of a PostgreSQL server, where anything tells how full it is."""
    name = "disk of the database"
    if is_sqlite():
        return Finding(name, "ok", "It is the one above: the database is a file on it.")
    disk = examine_disk()
    if disk is not None:
        return _judge(name, disk)
    message = (
        "Nothing warns before the disk of the PostgreSQL server is full: how full it is can't be "
        "seen from here."
    )
    fix = (
        f"Set {DISK_SETTING} to the gigabytes that the database may take there. If PostgreSQL runs "
        f"on this machine, this does as well: GRANT pg_read_all_settings TO {_role()}"
    )
    return Finding(name, "warn", message, fix)


def _role() -> str:
    """The database's account, as an SQL statement names it."""
    name = db.session.execute(text("SELECT quote_ident(current_user)")).scalar_one()
    return str(name)


def _judge(name: str, disk: Disk) -> Finding:
    message = f"{disk.free / 2**30:.1f} GiB are free {disk.place}."
    if not disk.is_low and disk.free >= LITTLE_SPACE:
        return Finding(name, "ok", message)
    fix = "Free some space, or keep less, with FLOWPULSE_EVENT_DAYS or FLOWPULSE_MAX_DATABASE_MB."
    return Finding(name, "fail" if disk.is_low else "warn", message, fix)


def check_public_url() -> Finding:
    name, url = "public URL", current_app.config["FLOWPULSE_PUBLIC_URL"]
    if not url:
        fix = "Set FLOWPULSE_PUBLIC_URL, such as https://flowpulse.example.org."
        message = "None is set: links have the address that each request came to."
        return Finding(name, "warn", message, fix)
    if url.startswith("http://") and not url.startswith(("http://localhost", "http://127.")):
        fix = "Put a proxy with TLS in front, and set FLOWPULSE_PUBLIC_URL to https://…."
        return Finding(name, "warn", f"{url} sends API keys and passwords in the clear.", fix)
    return Finding(name, "ok", f"{url} is set.")


def check_proxies() -> Finding:
    """Who is believed may choose the address that limits and the audit log go by."""
    name, config = "proxies", current_app.config
    proxies = read_proxies(config[SETTING])
    is_https = config["FLOWPULSE_PUBLIC_URL"].startswith("https://")
    wide = [str(each) for each in proxies.networks if each.prefixlen < LEAST_PREFIX[each.version]]
    fix = f"Name the proxies' addresses in {SETTING}, such as 127.0.0.1."
    if proxies.is_off and is_https:
        message = "The public URL is https, and no proxy is believed: all come from one address."
        return Finding(name, "warn", message, fix)
    if proxies.is_off:
        return Finding(name, "ok", "No X-Forwarded-* header is believed.")
    if not proxies.is_named and not config["HOST"].startswith(LOOPBACK):
        message = f"Whoever reaches {config['HOST']} from a private address is believed as a proxy."
        return Finding(name, "warn", message, fix)
    if proxies.is_named and wide:
        return Finding(name, "warn", f"Nearly everybody is believed: {', '.join(wide)}.", fix)
    return Finding(name, "ok", "X-Forwarded-* is believed from where proxies are, and nobody else.")


def check_version() -> Finding:
    version, python = current_app.config["FLOWPULSE_VERSION"], platform.python_version()
    database = db.session.connection().dialect.server_version_info or ()
    number = ".".join(str(each) for each in database)
    message = f"FlowPulse {version} on Python {python}, with {db.engine.dialect.name} {number}."
    return Finding("version", "ok", message)
