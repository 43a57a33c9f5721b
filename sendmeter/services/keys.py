"""API keys: made, listed, revoked, and asked for who shows one."""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sendmeter.domain.cursors import Page, page_of
from sendmeter.domain.ids import new_id
from sendmeter.domain.instants import instant_text
from sendmeter.domain.keys import SECRET_BYTES, Key, hash_of, read_token, token_of
from sendmeter.errors import Fault, Forbidden, InvalidRequest, NotFound, Unauthorized
from sendmeter.services import audit
from sendmeter.services.paging import start_of
from sendmeter.store import Store, keys, organizations


@dataclass(frozen=True, slots=True)
class Created:
    """A new key with its token, which is shown this once."""

    key: Key
    token: str = field(repr=False)


def create(
    store: Store,
    organization_number: int,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    *,
    by: str,
    account_id: str | None = None,
    expires_at: datetime | None = None,
) -> Created:
    """Make a key for an account of the organization, by default the first."""
    made: list[Created] = []

    def work() -> Created:
        # Run again after a commit in doubt, it knows what it made.
        if not made or keys.by_id(store, organization_number, made[-1].key.key_id) is None:
            holder = account_id or organizations.first_account(store, organization_number)
            made.append(add(store, organization_number, holder, name, scopes, now, by=by, expires_at=expires_at))
        return made[-1]

    return store.write(work)


def grant(
    store: Store, caller: Key, name: str, scopes: Sequence[str], now: datetime, *, expires_at: datetime | None = None
) -> Created:
    """Make a key for the account of another key, which cannot give more than it has.

    Raises Forbidden if a scope is not the caller's own or the key would outlive it, and InvalidRequest where the key
    would have expired.
    """
    lacking = [scope for scope in scopes if scope not in caller.scopes]
    if lacking:
        raise Forbidden(
            f"A key gives at most its own scopes; this key lacks {', '.join(lacking)}.",
            fix='Use a key that has them, or "sendmeter keys create" on the command line.',
        )
    if caller.expires_at is not None and (expires_at is None or expires_at > caller.expires_at):
        until = instant_text(caller.expires_at)
        raise Forbidden(
            f"A key makes none that outlives it; this key expires at {until}.", fix=f"Send an expiresAt until {until}."
        )
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest.of([Fault("/expiresAt", "is past")])
    number, account_id = caller.organization_number, caller.account_id
    return create(store, number, name, scopes, now, by=caller.key_id, account_id=account_id, expires_at=expires_at)


def add(
    store: Store,
    organization_number: int,
    account_id: str,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    *,
    by: str,
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
    audit.add(store, organization_number, "key.created", _audit_details(key), by=by, now=now)
    return Created(key, token)


def everyone(store: Store, organization_number: int | None = None) -> list[Key]:
    """List the keys of an organization, or of all, oldest first."""
    return store.read(lambda: keys.search(store, organization_number))


def search(store: Store, organization_number: int, cursor: str | None, limit: int) -> Page[Key]:
    """List the keys of an organization page by page, oldest first.

    Raises InvalidRequest if the cursor is none of the organization's.
    """
    listing = ("keys.search",)

    def work() -> Page[Key]:
        organization = organizations.by_number(store, organization_number)
        start = start_of(organization, listing, cursor)
        found = keys.search(store, organization_number, after=str(start[0]) if start else "", limit=limit + 1)
        return page_of(organization.cursor_key, listing, found, limit, lambda key: [key.key_id])

    return store.read(work)


def revoke(store: Store, key_id: str, now: datetime, *, by: str, organization_number: int | None = None) -> Key:
    """Make a key stop working; done twice it is done once.

    Raises NotFound if there is no such key.
    """
    number = organization_number
    if number is None:
        # Of all organizations', and so not within the transaction: that is of one.
        number = next((key.organization_number for key in everyone(store) if key.key_id == key_id), 0)

    def work() -> Key:
        key = keys.by_id(store, number, key_id)
        if key is None:
            raise NotFound(f"There is no key {key_id!r}.", fix='List the keys with "sendmeter keys list".')
        if keys.revoke(store, key.organization_number, key_id, now):
            key = replace(key, revoked_at=now)
            audit.add(store, key.organization_number, "key.revoked", _audit_details(key), by=by, now=now)
        return key

    return store.write(work)


def caller_of(store: Store, token: str, now: datetime) -> Key:
    """Return the key of a token.

    Raises Unauthorized if it is nobody's, or does not work any more.
    """
    key = known(store, token, now)
    if key is None:
        raise Unauthorized("The API key is not known.")
    return key


def known(store: Store, token: str, now: datetime) -> Key | None:
    """Return the key of a token, or None. The stored hash is compared in constant time.

    Raises Unauthorized if it does not work any more.
    """
    read = read_token(token)
    if read is None:
        return None
    organization_number, key_hash = read
    if organization_number >= 1 << 63:
        return None
    found = store.read(lambda: keys.by_hash(store, organization_number, key_hash))
    if found is None or not hmac.compare_digest(found[0], key_hash.hex()):
        return None
    key = found[1]
    if refused := key.refused(now):
        raise Unauthorized(refused, fix='Use another key; "sendmeter keys create" makes one.')
    return key


def _audit_details(key: Key) -> dict[str, Any]:
    expiry = {} if key.expires_at is None else {"expiresAt": instant_text(key.expires_at)}
    return {"keyId": key.key_id, "name": key.name, "scopes": list(key.scopes), **expiry}
