"""The audit log: written in the transaction that it tells of."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import Any

from sendmeter.domain.audit import AuditEntry
from sendmeter.domain.ids import new_id
from sendmeter.store import Store, audit

_numbers = count()


def add(
    store: Store, organization_number: int, action: str, details: Mapping[str, Any], *, by: str, now: datetime
) -> None:
    """Note who did what, within a transaction that is under way; `by` is a key's id, or `cli:` and a name."""
    # Counted within the process, so that entries of one instant stay in their order (RFC 9562, 6.2, method 1).
    entropy = (next(_numbers) % 2**26).to_bytes(4) + secrets.token_bytes(6)
    entry = AuditEntry(new_id("aud", now, entropy), now, by, action, details)
    audit.insert(store, organization_number, entry)


def newest(store: Store, organization_number: int, limit: int) -> list[AuditEntry]:
    """List an organization's log, newest first."""
    return store.read(lambda: audit.newest(store, organization_number, limit))
