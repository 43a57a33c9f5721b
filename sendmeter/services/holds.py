"""Holds: room under the caps, kept by one decision at a time for each organization."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sendmeter.domain.channels import COSTED_CHANNELS
from sendmeter.domain.events import MOST_AHEAD, UsageEvent
from sendmeter.domain.holds import Asked, Hold, settled_event
from sendmeter.domain.instants import Clock, instant_text
from sendmeter.domain.organizations import Organization
from sendmeter.domain.usage import Usage
from sendmeter.errors import Conflict, Fault, InvalidRequest, NotFound, Refusal, UsageLimitExceeded
from sendmeter.services import events
from sendmeter.services.cycles import cycle_at
from sendmeter.services.limits import used_and_held
from sendmeter.store import Store, holds, organizations

MOST_MESSAGES = 2**53 - 1
MOST_NANO_USD = 9_000_000_000 * 10**9
"""What all holds of an organization may add up to: what a counter holds."""


Placed = tuple[Hold, bool]
"""A hold, and whether it is new."""


def place(store: Store, organization_number: int, asked: Asked, clock: Clock) -> Placed:
    """Keep room for what is about to be sent, if it stays within every cap that it touches; tell whether it is new.

    `clock` returns the instant of the decision and is read with the organization locked. Asked again with the same id
    and content, the first hold is the answer, whatever became of it. Raises Conflict if the content is another,
    UsageLimitExceeded where there is no room, and InvalidRequest where a budget cap wants an estimate that is missing.
    """
    (placed,) = place_together(store, [(organization_number, asked)], clock)
    if isinstance(placed, Refusal):
        raise placed
    return placed


def place_together(store: Store, sent: Sequence[tuple[int, Asked]], clock: Clock) -> list[Placed | Refusal]:
    """Decide on what several ask for, each with its organization's number, in one transaction.

    Gives for each, in their order, what `place` would give or raise if one came after the other. Usage and holds are
    added up once for all of an organization.
    """

    def work() -> list[Placed | Refusal]:
        placed: dict[int, Placed | Refusal] = {}
        for number in sorted({number for number, _ in sent}):
            asks = {index: asked for index, (each, asked) in enumerate(sent) if each == number}
            placed |= zip(asks, _place(store, *_locked(store, number, clock), asks.values()), strict=True)
        return [placed[index] for index in range(len(sent))]

    return store.write(work)


def _place(
    store: Store, organization: Organization, now: datetime, asks: Iterable[Asked]
) -> Iterator[Placed | Refusal]:
    """Decide on one after the other, with the organization locked."""
    room: tuple[Usage, Usage] | None = None
    for asked in asks:
        known = holds.by_id(store, organization.number, asked.hold_id)
        try:
            if known is not None:
                _check_same(known, asked)
                yield known, False
                continue
            used, held = room = room or used_and_held(store, organization, now)
            _admit(organization, asked, used, held)
        except Refusal as refusal:
            yield refusal
            continue
        hold = Hold(asked, placed_at=now)
        holds.insert(store, organization.number, hold)
        room = used, Usage.of(held.cycle, [*held.counters.values(), asked.counter])
        yield hold, True


def get(store: Store, organization_number: int, hold_id: str) -> Hold:
    """Find a hold by the caller's id.

    Raises NotFound if there is none.
    """
    return store.read(lambda: _existing(store, organization_number, hold_id))


def settle(store: Store, organization_number: int, hold_id: str, settlement: Mapping[str, Any], clock: Clock) -> Hold:
    """Free a hold and record what was sent, in one transaction. After its expiry it is recorded all the same.

    `settlement` is the contract's `HoldSettlement`. Done twice with the same content it is done once. Raises NotFound,
    InvalidRequest where the event is refused, and Conflict where the hold was released or settled into another event,
    where the event was recorded before without it, or where it has no cost and is given one.
    """

    def work() -> Hold:
        organization, now = _locked(store, organization_number, clock)
        hold = _existing(store, organization_number, hold_id)
        # A hold's cycle is decided when it is placed: a clock that was set back since moves it to no earlier one.
        now = max(now, hold.placed_at)
        if "cost" in settlement and hold.asked.channel not in COSTED_CHANNELS:
            fault = Fault("/cost", f"does not apply: {hold.asked.channel} has no cost")
            raise Conflict("The hold is of messages, which have no cost.", fix="Leave `cost` out.", faults=[fault])
        event = settled_event(hold.asked, settlement)
        if hold.state == "released" or (hold.state == "settled" and hold.event != event.key):
            raise Conflict(f"Hold {hold_id} was {_became(hold)}.", fix="Record what was sent as an event of its own.")
        if hold.state == "held":
            _check_time(store, organization, hold, event)
        recorded = events.add(store, organization, [("", event)], now)
        if hold.state == "held":
            if recorded.duplicates:
                raise Conflict(
                    f"The event {event.event_id} of source {event.source} was recorded before, without this hold.",
                    fix="Release the hold; or, if the event is another one, settle with an eventId of its own.",
                )
            hold = replace(hold, state="settled", ended_at=now, event=event.key)
            holds.end(store, organization_number, hold)
        return hold

    return store.write(work)


def release(store: Store, organization_number: int, hold_id: str, clock: Clock) -> Hold:
    """Free a hold, because nothing was sent; done twice it is done once.

    Raises NotFound, and Conflict if the hold was settled.
    """

    def work() -> Hold:
        _, now = _locked(store, organization_number, clock)
        hold = _existing(store, organization_number, hold_id)
        if hold.state == "settled":
            fix = "If it was not sent after all, void the event."
            raise Conflict(f"Hold {hold_id} was {_became(hold)}.", fix=fix)
        if hold.state == "held":
            hold = replace(hold, state="released", ended_at=now)
            holds.end(store, organization_number, hold)
        return hold

    return store.write(work)


def _locked(store: Store, organization_number: int, clock: Clock) -> tuple[Organization, datetime]:
    """Lock an organization, and only then read the clock: return the organization and the instant of the decision.

    However long a request waits for others, it is judged by the cycle that runs when its turn comes.
    """
    organization = organizations.lock(store, organization_number)
    now = organization.decision_at(clock())
    organizations.decided(store, organization_number, now)
    return organization, now


def _existing(store: Store, organization_number: int, hold_id: str) -> Hold:
    hold = holds.by_id(store, organization_number, hold_id)
    if hold is None:
        raise NotFound(f"There is no hold {hold_id!r}.", fix="Name a hold that a key of this organization placed.")
    return hold


def _check_time(store: Store, organization: Organization, hold: Hold, event: UsageEvent) -> None:
    """Refuse what was sent before it was asked for: it would be counted where no cap was looked at."""
    earliest = max(hold.placed_at - MOST_AHEAD, cycle_at(store, organization, hold.placed_at).start)
    if event.occurred_at is not None and event.occurred_at < earliest:
        said = f"is before the hold was placed, {instant_text(hold.placed_at)}; leave it out if clocks differ"
        raise InvalidRequest.of([Fault("/occurredAt", said)])


def _check_same(known: Hold, asked: Asked) -> None:
    if differences := known.asked.differences(asked):
        raise Conflict(
            f"Hold {asked.hold_id} was placed with another {', '.join(differences)}.",
            fix="Give a new hold a new id; to retry, send the same content.",
            faults=[Fault(f"/{name}", "is not what the hold was placed with") for name in differences],
        )


def _admit(organization: Organization, asked: Asked, used: Usage, held: Usage) -> None:
    """Refuse what has no room."""
    caps = organization.caps
    is_costed = asked.channel in COSTED_CHANNELS
    if is_costed and caps.wants_estimates and asked.estimated_cost_nano_usd is None:
        raise InvalidRequest.of([Fault("/estimatedCost", "is missing: the organization has a budget cap")])
    if refused := caps.refused(used, held, asked.counter):
        raise UsageLimitExceeded(
            refused, fix="Ask for less, wait for holds to end or for the next billing cycle, or raise the cap."
        )
    _check_bounds(Usage.of(used.cycle, [*held.counters.values(), asked.counter]))


def _check_bounds(held: Usage) -> None:
    quantity = sum(counter.quantity for counter in held.counters.values())
    if quantity > MOST_MESSAGES or held.cost_nano_usd > MOST_NANO_USD:
        raise InvalidRequest(
            "With this hold the organization would hold more than 9,007,199,254,740,991 messages or 9,000,000,000 USD.",
            fix="Release holds that are not needed. Nothing was stored.",
        )


def _became(hold: Hold) -> str:
    if hold.event is None:
        return hold.state
    source, event_id = hold.event
    return f"settled into the event {event_id} of source {source}"
