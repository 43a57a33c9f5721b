"""The audit log in the store. A row never changes."""

import json

from sendmeter.domain.audit import AuditEntry
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.store.database import Store
from sendmeter.store.tables import AuditLog


def insert(store: Store, organization_number: int, entry: AuditEntry) -> None:
    """Add a line to an organization's log."""
    AuditLog.insert(
        organization_id=organization_number,
        entry_id=entry.entry_id,
        recorded_at=microseconds(entry.recorded_at),
        made_by=entry.by,
        action=entry.action,
        # Amounts of USD are Decimals, of which `str` would write 1E-7.
        details=json.dumps(entry.details, ensure_ascii=False, default="{:f}".format),
    ).execute(store.database)


def newest(store: Store, organization_number: int, limit: int) -> list[AuditEntry]:
    """List an organization's log, newest first."""
    query = AuditLog.select().where(AuditLog.organization_id == organization_number)
    query = query.order_by(AuditLog.entry_id.desc()).limit(limit).dicts()
    return [
        AuditEntry(
            entry_id=row["entry_id"],
            recorded_at=instant_of(row["recorded_at"]),
            by=row["made_by"],
            action=row["action"],
            details=json.loads(row["details"]),
        )
        for row in query.execute(store.database)
    ]
