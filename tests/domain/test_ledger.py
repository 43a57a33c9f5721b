"""Corrections add what makes the ledger right, and leave a closed cycle's pending costs as they were told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendmeter.contract import contract
from sendmeter.domain.cycles import Cycle
from sendmeter.domain.events import Place, UsageEvent
from sendmeter.domain.ledger import SETTLE, VOID, Correction, Entry, settlement_of, void_of
from sendmeter.domain.usage import Counter, Usage

PROVEN = settings(max_examples=200, derandomize=True, deadline=None)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOVEMBER = Cycle(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
DECEMBER = Cycle(NOVEMBER.end, datetime(2027, 1, 1, tzinfo=UTC))
OWN, LATER = Place(NOON, NOVEMBER, late=False), Place(NOON + timedelta(days=20), DECEMBER, late=True)
SMS = UsageEvent("api", "sms-1", "SMS", 3, None, "telnyx", "40", NOON, {"a": "b"}, 50)


def entry(*, cost=None, channel="SMS", place=OWN, estimated=50):
    event = replace(SMS, cost_nano_usd=cost, channel=channel, estimated_cost_nano_usd=estimated)
    return Entry(event, NOON, place, NOON)


def corrected(before, kind, amounts, place=OWN, reason=None):
    number = len(before.corrections) + 1
    correction = Correction(number, f"cor_{number}", kind, amounts, reason, place, NOON, "key_1")
    return replace(before, corrections=(*before.corrections, correction))


def test_settling_what_is_pending_adds_its_cost_and_takes_the_pending_and_the_estimate_off():
    assert settlement_of(entry(), OWN, 40) == Counter("SMS", 0, 40, -1, -50)
    assert settlement_of(entry(), OWN, 0) == Counter("SMS", 0, 0, -1, -50), "a cost of zero is known"
    assert settlement_of(entry(estimated=None), OWN, 40) == Counter("SMS", 0, 40, -1, 0)


def test_settling_another_cost_adds_the_difference_and_the_same_cost_nothing():
    assert settlement_of(entry(cost=40), OWN, 100) == Counter("SMS", 0, 60, 0)
    assert settlement_of(entry(cost=40), OWN, 0) == Counter("SMS", 0, -40, 0)
    assert settlement_of(entry(cost=40), OWN, 40) is None


def test_settling_twice_adds_to_what_was_settled_first():
    once = corrected(entry(), SETTLE, settlement_of(entry(), OWN, 40))
    assert not once.pending
    assert once.cost_nano_usd == 40
    assert settlement_of(once, OWN, 40) is None
    assert settlement_of(once, OWN, 70) == Counter("SMS", 0, 30, 0)


def test_in_a_later_cycle_the_cost_is_booked_and_the_closed_ones_pending_stays():
    assert settlement_of(entry(), LATER, 40) == Counter("SMS", 0, 40, 0)
    assert void_of(entry(), LATER) == Counter("SMS", -3, 0, 0)


def test_a_void_takes_all_back_that_the_event_and_its_corrections_count():
    assert void_of(entry(channel="EMAIL", estimated=None), OWN) == Counter("EMAIL", -3, 0, 0)
    assert void_of(entry(), OWN) == Counter("SMS", -3, 0, -1, -50)
    assert void_of(entry(cost=40), OWN) == Counter("SMS", -3, -40, 0)
    settled = corrected(entry(), SETTLE, settlement_of(entry(), OWN, 40))
    assert void_of(settled, OWN) == Counter("SMS", -3, -40, 0)
    assert void_of(settled, LATER) == Counter("SMS", -3, -40, 0)


COSTS = st.one_of(st.none(), st.integers(0, 10**15))


@PROVEN
@given(COSTS, COSTS, st.lists(st.tuples(st.integers(0, 100), st.booleans())), st.one_of(st.none(), st.booleans()))
def test_whatever_corrects_an_event_its_cycles_add_up_to_its_last_cost_or_to_nothing(cost, estimated, costs, voided):
    """Once a cycle is closed, it stays closed: corrections are late from then on."""
    life = entry(cost=cost, estimated=estimated)
    last, late = cost or 0, False
    for settled, closes in costs:
        late = late or closes
        place = LATER if late else OWN
        amounts = settlement_of(life, place, settled)
        life = life if amounts is None else corrected(life, SETTLE, amounts, place)
        last = settled
        assert (life.cost_nano_usd, life.pending) == (last, False)
    if voided is not None:
        place = LATER if late or voided else OWN
        life = corrected(life, VOID, void_of(life, place), place)
        last = 0
    counters = [life.event.counter, *(each.amounts for each in life.corrections)]
    total = Usage.of(NOVEMBER, counters).counters["SMS"]
    first_late = life.corrections[0].place.late if life.corrections else True
    told = (1, estimated or 0) if cost is None and first_late else (0, 0)
    assert total == Counter("SMS", 3 if voided is None else 0, last, *told)
    assert contract().schemas.component("Event").faults(life.to_json() | {"corrections": []}) == []


def test_an_event_is_told_with_the_cost_that_was_known_last_and_each_correction_with_its_own():
    settled = corrected(entry(), SETTLE, settlement_of(entry(), OWN, 40), reason="carrier's bill")
    again = corrected(settled, SETTLE, settlement_of(settled, OWN, 30))
    voided = corrected(again, VOID, void_of(again, LATER), LATER, reason="never sent")
    told = voided.to_json()
    assert told["cost"] == Decimal("0.00000003"), "what it cost, before it was voided"
    assert (told["state"], told["costPending"]) == ("voided", False)
    common = {"recordedAt": "2026-11-20T12:00:00Z", "recordedBy": "key_1"}
    own = {**common, "late": False, "billingCycleStart": "2026-11-01T00:00:00Z"}
    later = {**common, "late": True, "billingCycleStart": "2026-12-01T00:00:00Z"}
    assert told["corrections"] == [
        {"id": "cor_1", "kind": "settle", "cost": Decimal("0.00000004"), "reason": "carrier's bill", **own},
        {"id": "cor_2", "kind": "settle", "cost": Decimal("0.00000003"), **own},
        {"id": "cor_3", "kind": "void", "reason": "never sent", **later},
    ]


@pytest.mark.parametrize(
    ("told", "pending", "cost"),
    [
        (entry(), True, None),
        (entry(cost=0), False, Decimal(0)),
        (entry(cost=40), False, Decimal("0.00000004")),
        (entry(channel="EMAIL"), False, None),
        (corrected(entry(), VOID, void_of(entry(), OWN)), False, None),
    ],
)
def test_a_cost_is_told_where_it_is_known_and_pending_where_it_is_still_to_come(told, pending, cost):
    value = told.to_json()
    assert (value["costPending"], value.get("cost")) == (pending, cost)


def test_what_an_event_has_not_is_left_out():
    event = UsageEvent("api", "1", "PUSH", 1, None, None, None, None, {})
    assert Entry(event, NOON, LATER, NOON + timedelta(days=20)).to_json() == {
        "id": "1",
        "source": "api",
        "channel": "PUSH",
        "quantity": 1,
        "costPending": False,
        "state": "recorded",
        "occurredAt": "2026-11-20T12:00:00Z",
        "recordedAt": "2026-12-10T12:00:00Z",
        "late": True,
        "billingCycleStart": "2026-12-01T00:00:00Z",
        "corrections": [],
    }


def test_a_void_is_found_among_other_corrections_and_what_was_sent_stays_told():
    settled = corrected(entry(), SETTLE, settlement_of(entry(), OWN, 40))
    assert (settled.void, settled.to_json()["state"], settled.to_json()["metadata"]) == (None, "recorded", {"a": "b"})
    voided = corrected(settled, VOID, void_of(settled, OWN))
    assert voided.void is voided.corrections[1]
