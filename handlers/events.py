"""`events.…`: what was sent."""

from datetime import datetime
from typing import Any

from sendmeter.domain.events import UsageEvent
from sendmeter.domain.keys import Key
from sendmeter.services import events
from sendmeter.store import Store


def record(store: Store, caller: Key, now: datetime, media_type: str, payload: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Record a batch of events, or CloudEvents, of the caller's organization."""
    recorded = events.record(store, caller.organization_number, _batch(media_type, payload), now)
    return {
        "accepted": recorded.accepted,
        "duplicates": recorded.duplicates,
        "late": recorded.late,
        "events": [{"id": event_id, "outcome": outcome} for event_id, outcome in recorded.outcomes],
    }


def _batch(media_type: str, payload: Any) -> list[tuple[str, UsageEvent]]:  # noqa: ANN401 - JSON
    """Read the events of a body, each with its JSON pointer."""
    match media_type:
        case "application/cloudevents+json":
            return [("", UsageEvent.from_cloudevent(payload))]
        case "application/cloudevents-batch+json":
            return [(f"/{index}", UsageEvent.from_cloudevent(event)) for index, event in enumerate(payload)]
        case _:
            return [(f"/events/{index}", UsageEvent.from_json(event)) for index, event in enumerate(payload["events"])]
