"""An invitation into a workspace: a link that works once, kept as a hash."""

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.clock import now
from app.extensions import Entity
from app.models.account import ROLES, User, Workspace
from app.models.columns import Moment, PrimaryKey, PublicId


class Invitation(Entity):
    """Of one address; the row goes when it is used, called back, or given anew."""

    __tablename__ = "invitations"
    __table_args__ = (
        UniqueConstraint("workspace_id", "email"),
        CheckConstraint(f"role IN {ROLES}", name="role_known"),
    )

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(10))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    invited_by_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[Moment] = mapped_column(default=now)
    expires_at: Mapped[Moment]

    workspace: Mapped[Workspace] = relationship()
    invited_by: Mapped[User] = relationship()

    @property
    def is_over(self) -> bool:
        return self.expires_at <= now()
