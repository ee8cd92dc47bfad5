"""All that the doctor looks at: what the command and the page say comes from this one list."""

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy.exc import DBAPIError

from app.doctor import (
    address_health,
    audit_health,
    backup_health,
    channel_health,
    database_health,
    machine_health,
    sign_in_health,
)
from app.doctor.findings import Finding
from app.doctor.outage import explain_outage
from app.extensions import db

Check = Callable[[], Finding]

CHECKS: tuple[Check, ...] = (
    machine_health.check_version,
    machine_health.check_data_folder,
    machine_health.check_secret_key,
    machine_health.check_disk_space,
    machine_health.check_database_disk,
    machine_health.check_public_url,
    machine_health.check_proxies,
    database_health.check_connection,
    database_health.check_file,
    database_health.check_migrations,
    database_health.check_move,
    database_health.check_key_of_database,
    database_health.check_replica,
    database_health.check_partitions,
    database_health.check_clock,
    database_health.check_retention,
    database_health.check_size,
    database_health.check_worker,
    database_health.check_queue,
    backup_health.check_backups,
    backup_health.check_backup_schedule,
    audit_health.check_audit_log,
    sign_in_health.check_sign_in_provider,
    sign_in_health.check_who_comes,
    address_health.check_addresses,
    channel_health.check_mail_server,
    channel_health.check_channels,
    channel_health.check_channel_settings,
)


def examine(checks: Sequence[Check] = CHECKS) -> Iterator[Finding]:
    """The findings in the order of the checks; one that the database keeps from working fails."""
    for check in checks:
        try:
            yield check()
        except DBAPIError as error:
            db.session.rollback()
            name = check.__name__.removeprefix("check_").replace("_", " ")
            fix = "Mend what `connection` and `migrations` tell first."
            yield Finding(name, "fail", explain_outage(error), fix)
