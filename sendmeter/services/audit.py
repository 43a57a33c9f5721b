"""The audit log: written in the transaction that it tells of."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sendmeter.domain.audit import AuditEntry
from sendmeter.domain.ids import new_id
from sendmeter.store import Store, audit


def add(
    store: Store, organization_number: int, action: str, details: Mapping[str, Any], *, by: str, now: datetime
) -> None:
    """Note who did what, within a transaction that is under way; `by` is a key's id, or `cli:` and a name."""
    entry = AuditEntry(new_id("aud", now, secrets.token_bytes(10)), now, by, action, details)
    audit.insert(store, organization_number, entry)


def newest(store: Store, organization_number: int, limit: int) -> list[AuditEntry]:
    """List an organization's log, newest first."""
    return store.read(lambda: audit.newest(store, organization_number, limit))
