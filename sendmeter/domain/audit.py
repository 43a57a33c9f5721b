"""The audit log: who changed caps, keys, names and anchors, and who changed closed cycles."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sendmeter.domain.instants import instant_text


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log. `by` is the id of an API key, or `cli:` and the name of who ran the command."""

    entry_id: str
    recorded_at: datetime
    by: str
    action: str
    details: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Write the entry for scripts."""
        return {
            "id": self.entry_id,
            "recordedAt": instant_text(self.recorded_at),
            "by": self.by,
            "action": self.action,
            "details": dict(self.details),
        }
