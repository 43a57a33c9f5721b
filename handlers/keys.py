"""`keys.…`: who may ask for the caller's organization."""

from datetime import datetime
from typing import Any

from sendmeter.domain.instants import read_instant
from sendmeter.domain.keys import Key
from sendmeter.services import keys
from sendmeter.store import Store


def search(store: Store, caller: Key, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of the organization's keys."""
    return keys.search(store, caller.organization_number, cursor, limit).to_json(Key.to_json)


def create(store: Store, caller: Key, now: datetime, payload: Any) -> tuple[dict[str, Any], int]:  # noqa: ANN401 - JSON
    """Make a key for the caller's account."""
    expires_at = read_instant(payload["expiresAt"]) if "expiresAt" in payload else None
    made = keys.grant(store, caller, payload["name"], payload.get("scopes", []), now, expires_at=expires_at)
    return made.key.to_json() | {"apiKey": made.token}, 201


def revoke(store: Store, caller: Key, now: datetime, key_id: str) -> tuple[None, int]:
    """Make a key of the organization stop working."""
    keys.revoke(store, key_id, now, by=caller.key_id, organization_number=caller.organization_number)
    return None, 204
