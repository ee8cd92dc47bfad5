"""Whether a person wants a workspace's weekly digest."""

from app.channels.weekly import latest_monday, zone_of
from app.clock import now
from app.extensions import db, writing
from app.models import Membership, WeeklyDigest


def wants_digest(membership: Membership) -> bool:
    return db.session.get(WeeklyDigest, membership.id) is not None


def want_digest(membership: Membership, wanted: bool) -> None:
    """From the next Monday on, or no more."""
    key, zone = membership.id, zone_of(membership.user.time_zone)
    with writing() as session:
        digest = session.get(WeeklyDigest, key)
        if wanted and digest is None:
            session.add(WeeklyDigest(membership_id=key, last_monday=latest_monday(now(), zone)))
        elif digest is not None and not wanted:
            session.delete(digest)
