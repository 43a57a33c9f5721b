"""Holds: room under the caps that is kept for what is about to be sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sendmeter.domain.events import UsageEvent, differing
from sendmeter.domain.instants import instant_text
from sendmeter.domain.money import nano_usd, usd
from sendmeter.domain.usage import Counter

DEFAULT_TTL_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks room for. `hold_id` is the caller's own; the estimate is for the whole hold."""

    hold_id: str
    channel: str
    quantity: int
    estimated_cost_nano_usd: int | None
    ttl_seconds: int

    @property
    def counter(self) -> Counter:
        """What it would take, added up like usage."""
        return Counter(self.channel, self.quantity, self.estimated_cost_nano_usd or 0, 0)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Asked":
        """Read the contract's `HoldRequest`."""
        return cls(
            hold_id=value["id"],
            channel=value["channel"],
            quantity=value.get("quantity", 1),
            estimated_cost_nano_usd=nano_usd(value["estimatedCost"]) if "estimatedCost" in value else None,
            ttl_seconds=value.get("ttlSeconds", DEFAULT_TTL_SECONDS),
        )

    def differences(self, other: "Asked") -> list[str]:
        """Name what another hold with the same id has otherwise, in the contract's words."""
        names = {
            "channel": "channel",
            "quantity": "quantity",
            "estimated_cost_nano_usd": "estimatedCost",
            "ttl_seconds": "ttlSeconds",
        }
        return differing(names, self, other)


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that was admitted. `ended_at` is when it was settled or released; `event` what it was settled into."""

    asked: Asked
    placed_at: datetime
    state: str = "held"
    ended_at: datetime | None = None
    event: tuple[str, str] | None = None

    @property
    def expires_at(self) -> datetime:
        """The first instant at which the hold counts for nothing, whatever became of it."""
        return self.placed_at + timedelta(seconds=self.asked.ttl_seconds)

    def state_at(self, now: datetime) -> str:
        """Return what the hold is: `held`, `settled`, `released` or `expired`."""
        return "expired" if self.state == "held" and now >= self.expires_at else self.state

    def to_json(self, now: datetime) -> dict[str, Any]:
        """Write the contract's `Hold`."""
        asked = self.asked
        value: dict[str, Any] = {"id": asked.hold_id, "channel": asked.channel, "quantity": asked.quantity}
        if asked.estimated_cost_nano_usd is not None:
            value["estimatedCost"] = usd(asked.estimated_cost_nano_usd)
        value |= {
            "ttlSeconds": asked.ttl_seconds,
            "placedAt": instant_text(self.placed_at),
            "expiresAt": instant_text(self.expires_at),
            "state": self.state_at(now),
        }
        if self.ended_at is not None:
            value["endedAt"] = instant_text(self.ended_at)
        if self.event is not None and self.ended_at is not None:
            value["event"] = {"source": self.event[0], "id": self.event[1]}
            value["settledAfterExpiry"] = self.ended_at >= self.expires_at
        return value


def settled_event(asked: Asked, value: Mapping[str, Any]) -> UsageEvent:
    """Read the contract's `HoldSettlement` as the event that it records: by default all of the hold, under its id."""
    channel = asked.channel
    event = {"id": asked.hold_id, "quantity": asked.quantity, **value, "channel": channel}
    if "eventId" in value:
        event["id"] = value["eventId"]
    return UsageEvent.from_json(event, estimated_cost_nano_usd=asked.estimated_cost_nano_usd)
