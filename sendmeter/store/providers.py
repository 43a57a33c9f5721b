"""Connections to providers in the store: how they are set up, how they fare, and who asks them for prices."""

import json
from datetime import datetime
from typing import Any

from sendmeter.domain.cycles import Cycle
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.domain.providers import Connection, Health, Trouble
from sendmeter.store.database import Store

_COLUMNS = (
    "organization_id, provider, endpoint_id, records, settings, sealed_secrets, polls, created_at, poll_at,"
    " failing_since, failures, trouble_code, trouble_message, trouble_at, last_answer_at, last_receipt_at"
)
_OWING = """
SELECT provider, failing_since, trouble_code FROM provider_connections AS failing
WHERE organization_id = ? AND failing_since <= ? AND EXISTS (
    SELECT 1 FROM pending_costs
    WHERE organization_id = ? AND cycle_starts_at BETWEEN ? AND ? AND provider = failing.provider
)
ORDER BY failing_since LIMIT 1
"""
_OF = f"SELECT {_COLUMNS} FROM provider_connections WHERE organization_id = ?"
_ONE = f"{_OF} AND provider = ?"
_PENDING = """
SELECT pending.provider, COUNT(*), MIN(occurred_at) FROM pending_costs AS pending
JOIN events ON events.organization_id = pending.organization_id
AND events.source = pending.source AND events.event_id = pending.event_id
WHERE pending.organization_id = ? AND pending.provider IS NOT NULL GROUP BY pending.provider
"""
_INSERT = f"""
INSERT INTO provider_connections ({_COLUMNS})
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0, NULL, NULL, NULL, NULL, NULL)
"""
_UPDATE = """
UPDATE provider_connections SET records = ?, settings = ?, sealed_secrets = ?, polls = ?, poll_at = ?,
failing_since = NULL, failures = 0, leased_by = NULL, leased_until = NULL
WHERE organization_id = ? AND provider = ?
"""
_DELETE = "DELETE FROM provider_connections WHERE organization_id = ? AND provider = ?"
_RESEAL = """
UPDATE provider_connections SET sealed_secrets = ?
WHERE organization_id = ? AND provider = ? AND sealed_secrets = ?
"""
_RECEIVED = """
UPDATE provider_connections SET last_receipt_at = ?
WHERE organization_id = ? AND provider = ?
"""
# Of all organizations, for the workers: each is then taken by a statement of its own organization alone. One that has
# no price to be asked for costs a look into an index, and no write.
_DUE = f"""
SELECT {_COLUMNS} FROM provider_connections AS connections
WHERE polls AND poll_at <= ? AND (leased_until IS NULL OR leased_until <= ?) AND EXISTS (
    SELECT 1 FROM provider_messages AS waiting WHERE waiting.organization_id = connections.organization_id
    AND waiting.provider = connections.provider AND waiting.ask_at <= ?
)
ORDER BY poll_at LIMIT ?
"""
_LEASE = f"""
UPDATE provider_connections SET leased_by = ?, leased_until = ?
WHERE organization_id = ? AND provider = ? AND polls AND poll_at <= ?
AND (leased_until IS NULL OR leased_until <= ? OR leased_by = ?)
RETURNING {_COLUMNS}
"""
_RELEASE = """
UPDATE provider_connections SET leased_by = NULL, leased_until = NULL, poll_at = ?
WHERE organization_id = ? AND provider = ? AND leased_by = ?
"""
# What a worker finds out is of no interest once the connection is another's, or was set up otherwise.
_ANSWERED = """
UPDATE provider_connections SET last_answer_at = ?, failing_since = NULL, failures = 0
WHERE organization_id = ? AND provider = ? AND leased_by = ?
"""
_FAILED = """
UPDATE provider_connections SET failing_since = COALESCE(failing_since, ?), failures = failures + 1, poll_at = ?,
trouble_code = ?, trouble_message = ?, trouble_at = ?
WHERE organization_id = ? AND provider = ? AND COALESCE(leased_by, '') = ?
"""
_TROUBLED = """
UPDATE provider_connections SET trouble_code = ?, trouble_message = ?, trouble_at = ?
WHERE organization_id = ? AND provider = ? AND failing_since IS NULL
"""
_NOTHING_WAITS = """NOT EXISTS (
    SELECT 1 FROM provider_messages AS waiting WHERE waiting.organization_id = connections.organization_id
    AND waiting.provider = connections.provider AND waiting.ask_at IS NOT NULL
)
"""
_STALE = f"""
SELECT organization_id, provider FROM provider_connections AS connections
WHERE failing_since IS NOT NULL AND {_NOTHING_WAITS}
"""
_FORGET_FAILURE = f"""
UPDATE provider_connections AS connections SET failing_since = NULL, failures = 0
WHERE organization_id = ? AND provider = ? AND failing_since IS NOT NULL AND {_NOTHING_WAITS}
"""
# What a clock that was ahead has put off.
_AHEAD = """
SELECT organization_id, provider FROM provider_connections AS connections
WHERE poll_at > ? OR leased_until > ? OR EXISTS (
    SELECT 1 FROM provider_messages AS waiting WHERE waiting.organization_id = connections.organization_id
    AND waiting.provider = connections.provider AND waiting.ask_at > ?
)
"""
_BRING_FORWARD = """
UPDATE provider_connections SET poll_at = CASE WHEN poll_at > ? THEN ? ELSE poll_at END,
leased_until = CASE WHEN leased_until > ? THEN ? ELSE leased_until END WHERE organization_id = ? AND provider = ?
"""


def owing(
    store: Store, organization_number: int, first: Cycle, last: Cycle, failing_before: datetime
) -> tuple[str, datetime, str] | None:
    """Find a provider that has failed since an instant and owes costs of a cycle from the first to the last.

    Gives its name, since when it has failed, and its own code.
    """
    cycles = (microseconds(first.start), microseconds(last.start))
    parameters = (organization_number, microseconds(failing_before), organization_number, *cycles)
    row = store.execute(_OWING, parameters).fetchone()
    return None if row is None else (row[0], instant_of(row[1]), row[2])


def of(store: Store, organization_number: int) -> list[Connection]:
    """List an organization's connections, by the provider's name."""
    rows = store.execute(f"{_OF} ORDER BY provider", (organization_number,)).fetchall()
    return [_from_row(row) for row in rows]


def by_provider(store: Store, organization_number: int, provider: str) -> Connection | None:
    """Find an organization's connection to a provider."""
    row = store.execute(_ONE, (organization_number, provider)).fetchone()
    return None if row is None else _from_row(row)


def pending(store: Store, organization_number: int) -> dict[str, tuple[int, datetime]]:
    """Return for each provider how many costs are pending, and when the oldest of those events was sent."""
    rows = store.execute(_PENDING, (organization_number,)).fetchall()
    return {provider: (count, instant_of(oldest)) for provider, count, oldest in rows}


def insert(store: Store, connection: Connection) -> None:
    """Store a new connection."""
    parameters = (
        connection.organization_number,
        connection.provider,
        connection.endpoint_id,
        connection.records,
        json.dumps(dict(connection.settings)),
        connection.sealed_secrets,
        connection.polls,
        microseconds(connection.created_at),
        microseconds(connection.health.poll_at),
    )
    store.execute(_INSERT, parameters)


def update(store: Store, connection: Connection) -> None:
    """Store how a connection is set up now, and when it may be asked next; whether that fails, is found anew."""
    parameters = (
        connection.records,
        json.dumps(dict(connection.settings)),
        connection.sealed_secrets,
        connection.polls,
        microseconds(connection.health.poll_at),
        connection.organization_number,
        connection.provider,
    )
    store.execute(_UPDATE, parameters)


def delete(store: Store, organization_number: int, provider: str) -> None:
    """Forget a connection."""
    store.execute(_DELETE, (organization_number, provider))


def reseal(store: Store, connection: Connection, sealed_secrets: str) -> bool:
    """Store a connection's secrets as they are encrypted now; False where they were changed meanwhile."""
    key = (connection.organization_number, connection.provider)
    return bool(store.execute(_RESEAL, (sealed_secrets, *key, connection.sealed_secrets)).rowcount)


def due_after(store: Store, latest: datetime) -> list[tuple[int, str]]:
    """List connections, of all organizations, of which something is put off until after an instant."""
    return [(number, provider) for number, provider in store.execute(_AHEAD, (microseconds(latest),) * 3).fetchall()]


def bring_forward(store: Store, organization_number: int, provider: str, latest: datetime, now: datetime) -> None:
    """Schedule a connection for now, for any worker, if it is put off until after an instant."""
    bounds = (microseconds(latest), microseconds(now)) * 2
    store.execute(_BRING_FORWARD, (*bounds, organization_number, provider))


def received(store: Store, organization_number: int, provider: str, now: datetime) -> None:
    """Note that a provider reported."""
    store.execute(_RECEIVED, (microseconds(now), organization_number, provider))


def due(store: Store, now: datetime, limit: int) -> list[Connection]:
    """List connections, of all organizations, that are to be asked for prices and that nobody asks at the moment."""
    at = microseconds(now)
    return [_from_row(row) for row in store.execute(_DUE, (at, at, at, limit)).fetchall()]


def lease(store: Store, connection: Connection, worker: str, now: datetime, until: datetime) -> Connection | None:
    """Take a connection for a worker, or keep it longer, and give it as it is now.

    None where another worker has it, or it is not to be asked (any more).
    """
    key = (connection.organization_number, connection.provider)
    at = microseconds(now)
    rows = store.execute(_LEASE, (worker, microseconds(until), *key, at, at, worker)).fetchall()
    return _from_row(rows[0]) if rows else None


def release(store: Store, connection: Connection, worker: str, poll_at: datetime) -> None:
    """Release a leased connection, to be asked again from an instant on."""
    key = (connection.organization_number, connection.provider)
    store.execute(_RELEASE, (microseconds(poll_at), *key, worker))


def answered(store: Store, connection: Connection, worker: str, now: datetime) -> None:
    """Note that a provider answered a worker: it does not fail (any more)."""
    key = (connection.organization_number, connection.provider)
    store.execute(_ANSWERED, (microseconds(now), *key, worker))


def failed(
    store: Store, organization_number: int, provider: str, trouble: Trouble, poll_at: datetime, *, worker: str = ""
) -> None:
    """Note that a provider failed a worker, and when it may be asked next.

    Since when it fails stays, its code is the latest.
    """
    at = microseconds(trouble.at)
    parameters = (at, microseconds(poll_at), trouble.code, trouble.message, at, organization_number, provider, worker)
    store.execute(_FAILED, parameters)


def stale(store: Store) -> list[tuple[int, str]]:
    """List connections, of all organizations, that failed and of which no price is waited for any more."""
    return [(number, provider) for number, provider in store.execute(_STALE).fetchall()]


def forget_failure(store: Store, organization_number: int, provider: str) -> None:
    """Forget that a provider failed, if no price is waited for any more: nobody knows whether it still does."""
    store.execute(_FORGET_FAILURE, (organization_number, provider))


def troubled(store: Store, organization_number: int, provider: str, trouble: Trouble) -> None:
    """Note what is wrong with one message of a provider that does not fail."""
    parameters = (trouble.code, trouble.message, microseconds(trouble.at), organization_number, provider)
    store.execute(_TROUBLED, parameters)


def _from_row(row: tuple[Any, ...]) -> Connection:
    (number, provider, endpoint_id, records, settings, sealed, polls, created_at, poll_at, failing_since, failures,
     code, message, trouble_at, answer_at, receipt_at) = row  # fmt: skip
    health = Health(
        poll_at=instant_of(poll_at),
        failing_since=_instant(failing_since),
        failures=failures,
        last_trouble=None if trouble_at is None else Trouble(code, message, instant_of(trouble_at)),
        last_answer_at=_instant(answer_at),
        last_receipt_at=_instant(receipt_at),
    )
    return Connection(
        organization_number=number,
        provider=provider,
        endpoint_id=endpoint_id,
        records=bool(records),
        settings=json.loads(settings),
        sealed_secrets=sealed,
        polls=bool(polls),
        created_at=instant_of(created_at),
        health=health,
    )


def _instant(stored: int | None) -> datetime | None:
    return None if stored is None else instant_of(stored)
