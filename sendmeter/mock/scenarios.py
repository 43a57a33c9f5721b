"""Scenarios: the states that have a name. Each is made by the services themselves, so that it is one that can be.

For the same scenario the counts and costs are the same whenever it is begun; only the times differ.
"""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor, Cycle, cycle_containing
from sendmeter.domain.events import DEFAULT_SOURCE, UsageEvent
from sendmeter.domain.holds import Asked
from sendmeter.domain.keys import SCOPES, Key
from sendmeter.domain.money import nano_usd
from sendmeter.domain.providers import ENDPOINT_SECRET_BYTES, Connection, Health, Trouble, endpoint_id_of
from sendmeter.errors import Fault, InvalidRequest
from sendmeter.mock.traffic import traffic
from sendmeter.services import corrections, events, holds, keys, organizations
from sendmeter.store import Store, providers

MADE_BY = "mock"
EVENTS = 400
PAST_CYCLES = 3
_OUTAGE = timedelta(hours=2)
# `busy` uses 13,025 messages and 22.5746625 USD: the caps are chosen by that.
ROOMY = Caps(messages=50_000, budget_nano_usd=nano_usd("100"), channels={"SMS": 2_000})
NEAR = Caps(messages=13_700, budget_nano_usd=nano_usd("24"))
PASSED = Caps(messages=13_000, budget_nano_usd=nano_usd("22"))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A state of the caller's organization.

    `pending` counts SMS whose cost is still to come, by provider; `failing` names the provider that has not told its
    costs for longer than the grace time.
    """

    name: str
    description: str
    events: int = EVENTS
    days_into_cycle: int = 15
    ends_tomorrow: bool = False
    caps: Caps = ROOMY
    pending: int = 0
    failing: str | None = None
    holds: tuple[Asked, ...] = ()
    scopes: tuple[str, ...] = SCOPES

    def anchor(self, now: datetime) -> Anchor:
        """Choose the day on which billing cycles start, so that the running one is as old as the scenario has it."""
        day = now + timedelta(days=1) if self.ends_tomorrow else now - timedelta(days=self.days_into_cycle)
        return Anchor(day.day, "UTC")


def _hold(hold_id: str, channel: str, quantity: int, estimated: str | None = None) -> Asked:
    return Asked(hold_id, channel, quantity, None if estimated is None else nano_usd(estimated), ttl_seconds=86_400)


ALL = (
    Scenario(
        "fresh",
        "A new organization: its first cycle began today, nothing was sent, there are no caps.",
        events=0,
        days_into_cycle=0,
        caps=Caps(),
    ),
    Scenario(
        "busy",
        "Half through a cycle, all seven channels in use, three earlier cycles, caps with much room. One event was "
        "voided, one was settled, one was late.",
    ),
    Scenario(
        "near-cap",
        "As busy, at 95 % of the message cap and 94 % of the budget cap: a small hold is admitted, a large one is "
        "refused with 402.",
        caps=NEAR,
    ),
    Scenario(
        "at-cap",
        "As busy, with both caps passed, enforcement `block`: usage is answered, holds are refused with 402.",
        caps=PASSED,
    ),
    Scenario(
        "over-cap",
        "As at-cap, enforcement `lock`: reading usage is refused with 402, too; limits are answered.",
        caps=replace(PASSED, enforcement="lock"),
    ),
    Scenario(
        "pending-costs",
        "As busy, with 12 SMS whose cost is still to come: sums are right so far, `pendingCosts` is 12.",
        pending=12,
    ),
    Scenario(
        "provider-down",
        "As pending-costs, but telnyx has failed for two hours: usage and history of the cycle are answered with 502, "
        "with `?costs=known` what is known.",
        pending=12,
        failing="telnyx",
    ),
    Scenario(
        "held",
        "As busy, with three holds that stand: `campaign-1` of 500 emails, `campaign-2` of 80 SMS, `calls-1` of 10 "
        "calls.",
        holds=(
            _hold("campaign-1", "EMAIL", 500),
            _hold("campaign-2", "SMS", 80, "4.5"),
            _hold("calls-1", "CALL", 10, "1.25"),
        ),
    ),
    Scenario("late-month", "As busy, on the last day of the cycle: it ends tomorrow.", ends_tomorrow=True),
    Scenario(
        "read-only",
        "As busy, but the caller's key has no scopes: usage, history and limits are answered, the rest is refused "
        "with 403.",
        scopes=(),
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in ALL}
DEFAULT = SCENARIOS["busy"]


def named(name: str) -> Scenario:
    """Find a scenario.

    Raises InvalidRequest, listing those that there are, where there is none of that name.
    """
    if name not in SCENARIOS:
        fault = Fault("header:X-Mock-Scenario", f"is not one of {', '.join(SCENARIOS)}")
        raise InvalidRequest.of([fault])
    return SCENARIOS[name]


def begin(scenario: Scenario, store: Store, now: datetime) -> Key:
    """Put an empty store into a scenario; give the caller's key."""
    anchor = scenario.anchor(now)
    past = list(islice(_cycles_back(anchor, now), PAST_CYCLES + 1))
    founded = organizations.create(
        store,
        "Mock organization",
        anchor,
        scenario.caps,
        now,
        by=MADE_BY,
        starts_at=past[-1].start if scenario.events else None,
    )
    number = founded.organization.number
    if scenario.events:
        _fill(scenario, store, number, past, now)
    for asked in scenario.holds:
        holds.place(store, number, asked, lambda: now)
    # A moment later, so that lists have the organization's first key first.
    return keys.create(store, number, "mock", scenario.scopes, now + timedelta(milliseconds=1), by=MADE_BY).key


def _cycles_back(anchor: Anchor, now: datetime) -> Iterator[Cycle]:
    """Return the running cycle, and those before it."""
    cycle = cycle_containing(anchor, now)
    while True:
        yield cycle
        cycle = cycle_containing(anchor, cycle.start - timedelta(microseconds=1))


def _fill(scenario: Scenario, store: Store, number: int, cycles: list[Cycle], now: datetime) -> None:
    running, *past = cycles
    for age, cycle in enumerate(past, 1):
        sent = traffic(cycle.start, cycle.end, scenario.events - 60 * age, source=f"cycle-{age}", seed=age)
        batch = _batch([*sent, *_campaigns(age, cycle.start + timedelta(days=12))])
        events.record(store, number, batch, now, backfilled_by=MADE_BY)
    step = (now - running.start) / (scenario.events + 1)
    sent = traffic(running.start, now, scenario.events, source=DEFAULT_SOURCE)
    late = _event("late-1", "EMAIL", 3, past[1].start + timedelta(days=9))
    settled = _event("settled-1", "SMS", 1, now - step)
    voided = _event("voided-1", "EMAIL", 20, now - step)
    pending = [
        replace(settled, event_id=f"pending-{index}", provider="telnyx", occurred_at=now - index * step)
        for index in range(1, scenario.pending + 1)
    ]
    batch = _batch([*sent, *_campaigns(0, now - 2 * step), late, settled, voided, *pending])
    events.record(store, number, batch, now)
    corrections.settle(store, number, settled.key, nano_usd("0.099425"), "Told by the provider.", now, by=MADE_BY)
    corrections.void(store, number, voided.key, "Sent to a test list.", now, by=MADE_BY)
    if scenario.failing is not None:
        _let_fail(scenario.failing, store, number, now - _OUTAGE)


def _let_fail(provider: str, store: Store, number: int, since: datetime) -> None:
    """Set up a provider that has refused its key since then; the mock asks none."""
    endpoint_id = endpoint_id_of(number, secrets.token_bytes(ENDPOINT_SECRET_BYTES))
    settings = {"publicKey": base64.b64encode(bytes(32)).decode()}
    health = Health(poll_at=since)
    connection = Connection(number, provider, endpoint_id, False, settings, None, True, since, health)
    trouble = Trouble("10009", "Telnyx refuses the API key (401).", since)

    def work() -> None:
        providers.insert(store, connection)
        providers.failed(store, number, provider, trouble, since)

    store.write(work)


def _campaigns(age: int, at: datetime) -> list[UsageEvent]:
    """Make the two large sends of a cycle, the smaller the older it is."""
    reminders = 400 - 60 * age
    return [
        _event(f"newsletter-{age}", "EMAIL", 12_500 - 1_700 * age, at),
        _event(f"reminders-{age}", "SMS", reminders, at, cost_nano_usd=reminders * nano_usd("0.0463")),
    ]


def _event(event_id: str, channel: str, quantity: int, at: datetime, cost_nano_usd: int | None = None) -> UsageEvent:
    provider = "twilio" if channel == "SMS" else "ses"
    return UsageEvent(DEFAULT_SOURCE, event_id, channel, quantity, cost_nano_usd, provider, None, at, {})


def _batch(sent: list[UsageEvent]) -> list[tuple[str, UsageEvent]]:
    return [(event.event_id, event) for event in sent]
