"""The kinds of rules: one module each, with a pure judge; to add one, add its line here."""

from app.alerting.kinds import failed, rate, refused, silent, slow, stuck
from app.alerting.kinds.kind import Detail, Kind, Numbers, Past

KINDS: dict[str, Kind] = {
    module.KIND.name: module.KIND for module in (failed, rate, silent, stuck, slow, refused)
}

__all__ = ["KINDS", "Detail", "Kind", "Numbers", "Past"]
