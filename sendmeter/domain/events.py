"""Usage events: what was sent, whether it may be recorded, and what it is booked into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sendmeter.domain.channels import COSTED_CHANNELS
from sendmeter.domain.cycles import Cycle
from sendmeter.domain.instants import instant_text, read_instant
from sendmeter.domain.money import nano_usd
from sendmeter.domain.usage import Counter

MOST_AHEAD = timedelta(minutes=5)
MOST_BEHIND = timedelta(days=400)
BATCH_LIMIT = 1_000
DEFAULT_SOURCE = "api"
EventKey = tuple[str, str]
"""What an event is known by, for ever: its source and its id."""


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One thing that was sent. Known by `source` and `event_id`, for ever.

    `cost_nano_usd` is None where it does not apply (messages) or is not known yet; `occurred_at` is None where the
    sender leaves it to the server's clock. `estimated_cost_nano_usd` is what its hold was placed with, if it had one:
    it stands in for the cost, towards the budget cap, until that is known.
    """

    source: str
    event_id: str
    channel: str
    quantity: int
    cost_nano_usd: int | None
    provider: str | None
    provider_message_id: str | None
    occurred_at: datetime | None
    metadata: Mapping[str, str]
    estimated_cost_nano_usd: int | None = None

    @property
    def key(self) -> EventKey:
        """What the event is known by."""
        return self.source, self.event_id

    @property
    def pending(self) -> bool:
        """Whether the event has a cost that is not known yet."""
        return self.cost_nano_usd is None and self.channel in COSTED_CHANNELS

    @property
    def counter(self) -> Counter:
        """What the event adds to its counters."""
        estimated = (self.estimated_cost_nano_usd or 0) if self.pending else 0
        return Counter(self.channel, self.quantity, self.cost_nano_usd or 0, int(self.pending), estimated)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, estimated_cost_nano_usd: int | None = None) -> "UsageEvent":
        """Read the contract's `UsageEvent`, which the contract's schema has accepted."""
        return cls(
            source=value.get("source", DEFAULT_SOURCE),
            event_id=value["id"],
            channel=value["channel"],
            quantity=value.get("quantity", 1),
            cost_nano_usd=nano_usd(value["cost"]) if "cost" in value else None,
            provider=value.get("provider"),
            provider_message_id=value.get("providerMessageId"),
            occurred_at=read_instant(value["occurredAt"]) if "occurredAt" in value else None,
            metadata=value.get("metadata", {}),
            estimated_cost_nano_usd=estimated_cost_nano_usd,
        )

    @classmethod
    def from_cloudevent(cls, value: Mapping[str, Any]) -> "UsageEvent":
        """Read a CloudEvent 1.0: `id`, `source` and `time` are its own, `data` has the rest."""
        time = {"occurredAt": value["time"]} if "time" in value else {}
        return cls.from_json({**time, **value["data"], "id": value["id"], "source": value["source"]})

    def differences(self, other: "UsageEvent") -> list[str]:
        """Name what another event with the same id has otherwise, in the contract's words."""
        names = {
            "channel": "channel",
            "quantity": "quantity",
            "cost_nano_usd": "cost",
            "provider": "provider",
            "provider_message_id": "providerMessageId",
            "occurred_at": "occurredAt",
            "metadata": "metadata",
        }
        return differing(names, self, other)


Batch = Sequence[tuple[str, UsageEvent]]
"""Events, each with a pointer to where it stands in what the sender sent."""


def read_batch(media_type: str, value: Any) -> Batch:  # noqa: ANN401 - JSON that the contract's schema has accepted
    """Read the events of a body: a batch of ours, a CloudEvent, or a batch of those."""
    match media_type:
        case "application/cloudevents+json":
            return [("", UsageEvent.from_cloudevent(value))]
        case "application/cloudevents-batch+json":
            return [(f"/{index}", UsageEvent.from_cloudevent(event)) for index, event in enumerate(value)]
        case _:
            return [(f"/events/{index}", UsageEvent.from_json(event)) for index, event in enumerate(value["events"])]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the books: `booked_at` lies in the cycle and on the day that count what stands there."""

    booked_at: datetime
    cycle: Cycle
    late: bool


@dataclass(frozen=True, slots=True)
class Booking:
    """An event with its place in the books."""

    event: UsageEvent
    occurred_at: datetime
    place: Place


def differing(names: Mapping[str, str], one: object, other: object) -> list[str]:
    """Name what two values have otherwise, in the contract's words; `names` has those by field."""
    return [name for field, name in names.items() if getattr(one, field) != getattr(other, field)]


def place_of(instant: datetime, own: Cycle, running: Cycle, now: datetime) -> Place:
    """Find the place of what belongs to an instant: in its own cycle or, if that is closed, now in the running one."""
    return Place(now, running, late=True) if own.closed(now) else Place(instant, own, late=False)


def refused_time(occurred_at: datetime, *, starts_at: datetime, now: datetime, backfill: bool = False) -> str | None:
    """Say why an event of that time is not recorded; None where it is. A backfill may be as old as the organization."""
    if occurred_at > now + MOST_AHEAD:
        return f"is more than 5 minutes ahead of the server's clock, {instant_text(now)}"
    if occurred_at < now - MOST_BEHIND and not backfill:
        return "is more than 400 days ago"
    if occurred_at < starts_at:
        return f"is before the organization's start, {instant_text(starts_at)}"
    return None


def as_sent(stored: UsageEvent, sent: UsageEvent, recorded_at: datetime) -> UsageEvent:
    """Return a stored event as its sender sent it: without the time, where the server's clock had set it."""
    if sent.occurred_at is None and stored.occurred_at == recorded_at:
        return replace(stored, occurred_at=None)
    return stored
