"""The ledger: what was recorded, and the entries that correct it. It only grows."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sendmeter.domain.cycles import Cycle
from sendmeter.domain.events import Place, UsageEvent
from sendmeter.domain.instants import instant_text
from sendmeter.domain.money import usd
from sendmeter.domain.usage import Counter

VOID, SETTLE = "void", "settle"
MOST_CORRECTIONS = 20
"""Of one event; the void is not counted."""


@dataclass(frozen=True, slots=True)
class Correction:
    """An entry that corrects an event: `amounts` is what it adds to the counters at its place, often less than nothing.

    `number` counts an event's corrections from 1; `made_by` is the id of the key, or who ran the command.
    """

    number: int
    correction_id: str
    kind: str
    amounts: Counter
    reason: str | None
    place: Place
    recorded_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of the ledger with its corrections, oldest first."""

    event: UsageEvent
    occurred_at: datetime
    place: Place
    recorded_at: datetime
    corrections: tuple[Correction, ...] = ()

    @property
    def void(self) -> Correction | None:
        """The correction that took the event back, or None."""
        return next((each for each in self.corrections if each.kind == VOID), None)

    @property
    def pending(self) -> bool:
        """Whether the event's cost is still to come: whatever corrected it made that known, or of no interest."""
        return self.event.pending and not self.corrections

    @property
    def cost_nano_usd(self) -> int:
        """What is known of the cost: nothing after a void."""
        return (self.event.cost_nano_usd or 0) + sum(each.amounts.cost_nano_usd for each in self.corrections)

    def returned_in(self, cycle: Cycle) -> tuple[int, int]:
        """Return what the event, which is of an earlier cycle, gets back in a later one: messages and nano-USD.

        Its late corrections there are added up first, so that a cost set too high and lowered again gives nothing back.
        """
        late = [each.amounts for each in self.corrections if each.place.late and each.place.cycle == cycle]
        quantity, cost = sum(each.quantity for each in late), sum(each.cost_nano_usd for each in late)
        return max(0, -quantity), max(0, -cost)

    def to_json(self) -> dict[str, Any]:
        """Write the contract's `Event`; its cost is the one that was known last, before it was voided if it was."""
        event = self.event
        settlements = [each.amounts.cost_nano_usd for each in self.corrections if each.kind == SETTLE]
        value: dict[str, Any] = {
            "id": event.event_id,
            "source": event.source,
            "channel": event.channel,
            "quantity": event.quantity,
        }
        if event.cost_nano_usd is not None or settlements:
            value["cost"] = usd((event.cost_nano_usd or 0) + sum(settlements))
        named = {"provider": event.provider, "providerMessageId": event.provider_message_id}
        value |= {name: text for name, text in named.items() if text is not None}
        value |= {"metadata": dict(event.metadata)} if event.metadata else {}
        return value | {
            "costPending": self.pending,
            "state": "voided" if self.void else "recorded",
            "occurredAt": instant_text(self.occurred_at),
            "recordedAt": instant_text(self.recorded_at),
            "late": self.place.late,
            "billingCycleStart": instant_text(self.place.cycle.start),
            "corrections": self._corrections_to_json(),
        }

    def _corrections_to_json(self) -> list[dict[str, Any]]:
        written = []
        cost = self.event.cost_nano_usd or 0
        for each in self.corrections:
            cost += each.amounts.cost_nano_usd
            value: dict[str, Any] = {"id": each.correction_id, "kind": each.kind}
            value |= {"cost": usd(cost)} if each.kind == SETTLE else {}
            value |= {"reason": each.reason} if each.reason is not None else {}
            value |= {
                "recordedAt": instant_text(each.recorded_at),
                "recordedBy": each.made_by,
                "late": each.place.late,
                "billingCycleStart": instant_text(each.place.cycle.start),
            }
            written.append(value)
        return written


def void_of(entry: Entry, place: Place) -> Counter:
    """Return what takes an event back: all that it and its corrections count."""
    return _at(place, entry, Counter(entry.event.channel, -entry.event.quantity, -entry.cost_nano_usd, 0))


def settlement_of(entry: Entry, place: Place, cost_nano_usd: int) -> Counter | None:
    """Return what makes an event's cost another one; None where it is that already."""
    if not entry.pending and entry.cost_nano_usd == cost_nano_usd:
        return None
    return _at(place, entry, Counter(entry.event.channel, 0, cost_nano_usd - entry.cost_nano_usd, 0))


def _at(place: Place, entry: Entry, amounts: Counter) -> Counter:
    """Return amounts that end the event's pending cost in its own cycle; a closed cycle stays as it was."""
    if not entry.pending or place.late:
        return amounts
    own = entry.event.counter
    return replace(amounts, pending=-own.pending, estimated_nano_usd=-own.estimated_nano_usd)
