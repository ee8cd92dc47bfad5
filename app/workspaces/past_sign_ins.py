"""From where somebody has signed in lately, as the audit log tells."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select

from app.clock import now
from app.extensions import db
from app.models import AuditEntry, Membership, User

KNOWN_FOR = timedelta(days=90)
MOST_ADDRESSES = 50


def find_addresses(email: str) -> Sequence[str]:
    """The addresses of a person's last sign-ins; none for who is unknown, or in no workspace."""
    typed = email.strip().lower()
    own = select(Membership.workspace_id).join(User, User.id == Membership.user_id)
    query = select(AuditEntry.remote_addr).where(
        AuditEntry.workspace_id.in_(own.where(User.email == typed)),
        AuditEntry.who == typed,
        AuditEntry.what == "signed_in",
        AuditEntry.at > now() - KNOWN_FOR,
        AuditEntry.remote_addr.is_not(None),
    )
    each_once = query.group_by(AuditEntry.remote_addr)  # One that is busy hides no other.
    last = each_once.order_by(func.max(AuditEntry.id).desc()).limit(MOST_ADDRESSES)
    addresses = [str(each) for each in db.session.scalars(last)]
    db.session.rollback()  # Whoever queues for a hash holds no connection meanwhile.
    return addresses
