"""`events.…`: what was sent, and what corrects it."""

from datetime import datetime
from typing import Any

from sendmeter.domain.events import read_batch
from sendmeter.domain.instants import read_instant
from sendmeter.domain.keys import Key
from sendmeter.domain.ledger import Entry
from sendmeter.domain.money import nano_usd
from sendmeter.services import corrections, events
from sendmeter.services.events import Search
from sendmeter.store import Store


def record(store: Store, caller: Key, now: datetime, media_type: str, payload: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Record a batch of events, or CloudEvents, of the caller's organization."""
    return events.record(store, caller.organization_number, read_batch(media_type, payload), now).to_json()


def search(
    store: Store,
    caller: Key,
    cursor: str | None,
    limit: int,
    channel: str | None,
    from_: str | None,
    to: str | None,
) -> dict[str, Any]:
    """Return a page of events, newest first."""
    wanted = Search(channel, read_instant(from_) if from_ else None, read_instant(to) if to else None)
    return events.search(store, caller.organization_number, wanted, cursor, limit).to_json(Entry.to_json)


def get(store: Store, caller: Key, event_id: str, source: str) -> dict[str, Any]:
    """Return an event and its corrections."""
    return events.get(store, caller.organization_number, (source, event_id)).to_json()


def void(store: Store, caller: Key, now: datetime, event_id: str, source: str, payload: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Take an event back."""
    key, reason = (source, event_id), payload["reason"]
    return corrections.void(store, caller.organization_number, key, reason, now, by=caller.key_id).to_json()


def settle(store: Store, caller: Key, now: datetime, event_id: str, source: str, payload: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Set the cost of an event."""
    key, cost, reason = (source, event_id), nano_usd(payload["cost"]), payload.get("reason")
    return corrections.settle(store, caller.organization_number, key, cost, reason, now, by=caller.key_id).to_json()
