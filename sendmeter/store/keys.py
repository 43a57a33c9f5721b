"""API keys in the store, found by the hash of their token."""

from datetime import datetime
from typing import Any

from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.domain.keys import Key
from sendmeter.store.database import Store
from sendmeter.store.tables import ApiKeys

_BY_HASH = """
SELECT key_hash, key_id, account_id, name, scopes, created_at, expires_at, revoked_at
FROM api_keys WHERE organization_id = ? AND key_hash = ?
"""


def insert(store: Store, key: Key, key_hash: bytes) -> None:
    """Store a new key under the hash of its token."""
    ApiKeys.insert(
        organization_id=key.organization_number,
        key_hash=key_hash.hex(),
        key_id=key.key_id,
        account_id=key.account_id,
        name=key.name,
        scopes=" ".join(key.scopes),
        created_at=microseconds(key.created_at),
        expires_at=None if key.expires_at is None else microseconds(key.expires_at),
        revoked_at=None,
    ).execute(store.database)


def by_hash(store: Store, organization_number: int, key_hash: bytes) -> tuple[str, Key] | None:
    """Find a key, with the hash that it is stored under, by one row of one organization."""
    row = store.execute(_BY_HASH, (organization_number, key_hash.hex())).fetchone()
    if row is None:
        return None
    names = ("key_id", "account_id", "name", "scopes", "created_at", "expires_at", "revoked_at")
    return row[0], _from_row({"organization_id": organization_number, **dict(zip(names, row[1:], strict=True))})


def by_id(store: Store, organization_number: int, key_id: str) -> Key | None:
    """Find a key of an organization by its id."""
    query = ApiKeys.select().where((ApiKeys.organization_id == organization_number) & (ApiKeys.key_id == key_id))
    return next((_from_row(row) for row in query.dicts().execute(store.database)), None)


def search(
    store: Store, organization_number: int | None = None, *, after: str = "", limit: int | None = None
) -> list[Key]:
    """List an organization's keys, oldest first, from the one after an id; for the operator, those of all."""
    query = ApiKeys.select().order_by(ApiKeys.organization_id, ApiKeys.key_id).limit(limit)
    query = query.where(ApiKeys.key_id > after)
    if organization_number is not None:
        query = query.where(ApiKeys.organization_id == organization_number)
    return [_from_row(row) for row in query.dicts().execute(store.database)]


def revoke(store: Store, organization_number: int, key_id: str, now: datetime) -> bool:
    """Make a key stop working; False where it had stopped before."""
    query = ApiKeys.update(revoked_at=microseconds(now)).where(
        (ApiKeys.organization_id == organization_number) & (ApiKeys.key_id == key_id) & ApiKeys.revoked_at.is_null()
    )
    return bool(query.execute(store.database))


def _from_row(row: dict[str, Any]) -> Key:
    return Key(
        key_id=row["key_id"],
        organization_number=row["organization_id"],
        account_id=row["account_id"],
        name=row["name"],
        scopes=tuple(row["scopes"].split()),
        created_at=instant_of(row["created_at"]),
        expires_at=None if row["expires_at"] is None else instant_of(row["expires_at"]),
        revoked_at=None if row["revoked_at"] is None else instant_of(row["revoked_at"]),
    )
