"""API keys: made, listed, revoked, and asked for who shows one."""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sendmeter.domain.ids import new_id
from sendmeter.domain.keys import SECRET_BYTES, Key, hash_of, read_token, token_of
from sendmeter.errors import NotFound, Unauthorized
from sendmeter.store import Store, keys, organizations


@dataclass(frozen=True, slots=True)
class Created:
    """A new key with its token, which is shown this once."""

    key: Key
    token: str


def create(
    store: Store,
    organization_number: int,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    *,
    expires_at: datetime | None = None,
) -> Created:
    """Make a key for the organization's first account."""

    def work() -> Created:
        account_id = organizations.first_account(store, organization_number)
        return add(store, organization_number, account_id, name, scopes, now, expires_at=expires_at)

    return store.write(work)


def add(
    store: Store,
    organization_number: int,
    account_id: str,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    *,
    expires_at: datetime | None = None,
) -> Created:
    """Make a key within a transaction that is under way."""
    token = token_of(organization_number, secrets.token_bytes(SECRET_BYTES))
    key = Key(
        key_id=new_id("key", now, secrets.token_bytes(10)),
        organization_number=organization_number,
        account_id=account_id,
        name=name,
        scopes=tuple(dict.fromkeys(scopes)),
        created_at=now,
        expires_at=expires_at,
        revoked_at=None,
    )
    keys.insert(store, key, hash_of(token))
    return Created(key, token)


def search(store: Store, organization_number: int | None = None) -> list[Key]:
    """List the keys of an organization, or of all, oldest first."""
    return store.read(lambda: keys.search(store, organization_number))


def revoke(store: Store, key_id: str, now: datetime, *, organization_number: int | None = None) -> Key:
    """Make a key stop working; done twice it is done once.

    Raises NotFound where there is no such key.
    """

    def work() -> Key:
        found = [key for key in keys.search(store, organization_number) if key.key_id == key_id]
        if not found:
            raise NotFound(f"There is no key {key_id!r}.", fix='List the keys with "sendmeter keys list".')
        key = found[0]
        if keys.revoke(store, key.organization_number, key_id, now):
            key = replace(key, revoked_at=now)
        return key

    return store.write(work)


def caller_of(store: Store, token: str, now: datetime) -> Key:
    """Tell whose token it is.

    Raises Unauthorized where it is nobody's, or does not work any more. The stored hash is compared in constant time.
    """
    unknown = Unauthorized("The API key is not known.")
    read = read_token(token)
    if read is None:
        raise unknown
    organization_number, key_hash = read
    if organization_number >= 1 << 63:
        raise unknown
    found = store.read(lambda: keys.by_hash(store, organization_number, key_hash))
    if found is None or not hmac.compare_digest(found[0], key_hash.hex()):
        raise unknown
    key = found[1]
    if refused := key.refused(now):
        raise Unauthorized(refused, fix='Use another key; "sendmeter keys create" makes one.')
    return key
