"""Reading usage: when it is refused, and by whose fault; never a word more or less than is counted."""

from datetime import timedelta

import pytest

from sendmeter.domain.caps import ENFORCEMENTS, Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.errors import NotFound, ProviderFailed, UsageLimitExceeded
from sendmeter.services import events, organizations, usage
from tests.live import NOON
from tests.services.use_cases import fail

HOUR = 3600


def founded(store, **caps):
    return organizations.create(store, "Test", Anchor(1, "UTC"), Caps(**caps), NOON, by="test").organization.number


def record(store, number, event_id, channel, now=NOON, **fields):
    event = UsageEvent.from_json({"id": event_id, "channel": channel, **fields})
    events.record(store, number, [("", event)], now)


def read(store, number, now=NOON, *, known_costs=False):
    return usage.get(store, number, now, known_costs=known_costs, grace_seconds=HOUR)


def test_an_organization_that_there_is_not_has_no_usage(store):
    with pytest.raises(NotFound):
        read(store, 1)


@pytest.mark.parametrize(
    ("caps", "said"),
    [
        ({"messages": 3}, "The message cap of 3 is reached, with 3 used."),
        ({"budget_nano_usd": 500_000_001}, "The budget cap of 0.500000001 USD is reached, with 0.500000001 USD used."),
        ({"channels": {"CALL": 2}}, "The cap of 2 on CALL is reached, with 2 used."),
    ],
)
def test_a_locked_organization_reads_until_its_cap_is_reached_and_then_is_told_which(store, caps, said):
    number = founded(store, **caps, enforcement="lock")
    record(store, number, "1", "EMAIL", quantity=2)
    record(store, number, "2", "CALL", cost="0.5")
    read(store, number)
    record(store, number, "3", "EMAIL")
    record(store, number, "4", "CALL", cost="0.000000001")
    with pytest.raises(UsageLimitExceeded) as refusal:
        read(store, number)
    assert refusal.value.message == f"{said} The cycle ends at 2026-12-01T00:00:00Z."


def test_a_cap_that_is_reached_refuses_neither_events_nor_the_next_cycle(store):
    number = founded(store, messages=1, enforcement="lock")
    for event_id in ("1", "2"):
        record(store, number, event_id, "EMAIL")
    with pytest.raises(UsageLimitExceeded, match="with 2 used"):
        read(store, number)
    assert read(store, number, NOON + timedelta(days=11)).messages == 0


@pytest.mark.parametrize("enforcement", [each for each in ENFORCEMENTS if each != "lock"])
def test_reading_is_refused_by_lock_alone(store, enforcement):
    number = founded(store, messages=0, budget_nano_usd=0, channels={"SMS": 0}, enforcement=enforcement)
    assert read(store, number).messages == 0


def test_a_provider_that_owes_costs_is_named_when_the_grace_time_is_over(store):
    number = founded(store)
    record(store, number, "1", "SMS", provider="twilio")
    fail(store, number, "twilio", "20003")
    over = NOON + timedelta(seconds=HOUR)
    assert read(store, number, over - timedelta(microseconds=1)).pending == 1
    with pytest.raises(ProviderFailed, match="failing since 2026-11-20T12:00:00Z") as refusal:
        read(store, number, over)
    assert (refusal.value.provider, refusal.value.provider_code) == ("twilio", "20003")
    assert read(store, number, over, known_costs=True).pending == 1


def test_a_provider_that_fails_again_fails_since_the_first_time_with_the_latest_code(store):
    number = founded(store)
    record(store, number, "1", "CALL", provider="telnyx")
    fail(store, number, "telnyx", "10009")
    over = NOON + timedelta(seconds=HOUR)
    fail(store, number, "telnyx", "10011", over)
    with pytest.raises(ProviderFailed, match="since 2026-11-20T12:00:00Z") as refusal:
        read(store, number, over)
    assert refusal.value.provider_code == "10011"


def test_a_failing_provider_that_owes_nothing_of_this_cycle_refuses_nothing(store):
    number, other = founded(store), founded(store)
    record(store, number, "known", "SMS", provider="twilio", cost="0.01")
    record(store, number, "of another provider", "SMS", provider="telnyx")
    record(store, number, "of none", "SMS")
    record(store, other, "of another organization", "SMS", provider="twilio")
    fail(store, number, "twilio", "20003")
    later = NOON + timedelta(days=1)
    assert read(store, number, later).pending == 2
    record(store, number, "of this cycle", "SMS", provider="twilio")
    with pytest.raises(ProviderFailed):
        read(store, number, later)
    assert read(store, number, NOON + timedelta(days=11)).pending == 0
    assert read(store, other, later).pending == 1
