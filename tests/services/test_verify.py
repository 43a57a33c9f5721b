"""The proof: whatever differs from the ledger is named."""

from datetime import timedelta

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.services import corrections, events, organizations
from sendmeter.services.verify import differences
from tests.live import NOON


@pytest.fixture
def organization(store):
    made = organizations.create(store, "Test", Anchor(1, "UTC"), Caps(), NOON, by="test").organization
    batch = [
        {"id": "1", "channel": "SMS", "cost": "0.01"},
        {"id": "2", "channel": "EMAIL"},
        {"id": "3", "channel": "SMS"},
    ]
    events.record(store, made.number, [("", UsageEvent.from_json(each)) for each in batch], NOON)
    return made


def test_nothing_is_named_where_nothing_is_wrong(store, organization):
    assert differences(store, organization) == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "UPDATE cycle_counters SET cost_nano_usd = cost_nano_usd + 1 WHERE channel = 'SMS'",
            "cycle 2026-11-01T00:00:00Z SMS: the counter has 2 for 0.010000001 USD with 1 pending,"
            " the ledger adds up to 2 for 0.01 USD with 1 pending",
        ),
        (
            "UPDATE day_counters SET quantity = 9 WHERE channel = 'EMAIL'",
            "day 2026-11-20T00:00:00Z EMAIL: the counter has 9 for 0 USD with 0 pending,"
            " the ledger adds up to 1 for 0 USD with 0 pending",
        ),
        (
            "DELETE FROM events WHERE event_id = '3'",
            "cycle 2026-11-01T00:00:00Z SMS: the counter has 2 for 0.01 USD with 1 pending,"
            " the ledger adds up to 1 for 0.01 USD with 0 pending",
        ),
        (
            "DELETE FROM cycle_counters WHERE channel = 'EMAIL'",
            "cycle 2026-11-01T00:00:00Z EMAIL: the counter has 0 for 0 USD with 0 pending,"
            " the ledger adds up to 1 for 0 USD with 0 pending",
        ),
        (
            "UPDATE cycles SET ends_at = starts_at + 1",
            "event 1 of source api is booked into a cycle that does not contain it",
        ),
    ],
)
def test_each_kind_of_damage_is_named(store, organization, damage, said):
    store.write(lambda: store.execute(damage))
    assert said in differences(store, organization)


@pytest.fixture
def corrected(store, organization):
    """The organization, with its first event settled anew and its pending one voided."""
    corrections.settle(store, organization.number, ("api", "1"), 20_000_000, None, NOON, by="test")
    corrections.void(store, organization.number, ("api", "3"), "never sent", NOON, by="test")
    return organization


def test_nothing_is_named_where_corrections_are_right(store, corrected):
    assert differences(store, corrected) == []


SMS_OF_NOVEMBER = "cycle 2026-11-01T00:00:00Z SMS: the counter has 1 for 0.02 USD with 0 pending"
IS_PENDING = "event {} of source api is listed as pending and is not, or is and is not listed"
COPIED = (
    "INSERT INTO cycles (organization_id, starts_at, ends_at, anchor_day, time_zone)"
    " SELECT organization_id, starts_at + {}, ends_at, 1, 'UTC' FROM cycles"
)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "DELETE FROM corrections WHERE kind = 'settle'",
            f"{SMS_OF_NOVEMBER}, the ledger adds up to 1 for 0.01 USD with 0 pending",
        ),
        (
            "DELETE FROM corrections WHERE kind = 'void'",
            f"{SMS_OF_NOVEMBER}, the ledger adds up to 2 for 0.02 USD with 1 pending",
        ),
        (
            "UPDATE corrections SET quantity = -2 WHERE kind = 'void'",
            f"{SMS_OF_NOVEMBER}, the ledger adds up to 0 for 0.02 USD with 0 pending",
        ),
        (
            "UPDATE corrections SET estimated_nano_usd = 5 WHERE kind = 'void'",
            f"{SMS_OF_NOVEMBER}, the ledger adds up to 1 for 0.02 USD with 0 pending (estimated at 0.000000005 USD)",
        ),
        (
            "UPDATE corrections SET booked_at = booked_at + 86400000000 WHERE kind = 'settle'",
            "day 2026-11-21T00:00:00Z SMS: the counter has 0 for 0 USD with 0 pending,"
            " the ledger adds up to 0 for 0.01 USD with 0 pending",
        ),
        (
            "UPDATE corrections SET booked_at = booked_at + 864000000000 + 43200000000 WHERE kind = 'settle'",
            "event 1 of source api is booked into a cycle that does not contain it",
        ),
        ("DELETE FROM corrections WHERE kind = 'void'", IS_PENDING.format(3)),
        (
            "INSERT INTO pending_costs (organization_id, source, event_id, cycle_starts_at)"
            " SELECT organization_id, source, event_id, cycle_starts_at FROM events WHERE event_id = '2'",
            IS_PENDING.format(2),
        ),
        (COPIED.format(1), "the cycle that starts at 2026-11-01T00:00:00.000001Z begins before an earlier one ends"),
        (
            COPIED.format("86400000000 * 29"),
            "the cycle that starts at 2026-11-30T00:00:00Z begins before an earlier one ends",
        ),
    ],
)
def test_damage_to_corrections_to_the_pending_list_and_to_cycles_is_named(store, corrected, damage, said):
    store.write(lambda: store.execute(damage))
    assert said in differences(store, corrected)


def test_cycles_that_touch_do_not_overlap_and_another_organizations_damage_is_its_own(store, corrected):
    other = organizations.create(store, "Other", Anchor(1, "UTC"), Caps(), NOON, by="test").organization
    event = UsageEvent.from_json({"id": "1", "channel": "EMAIL", "occurredAt": "2026-11-20T12:00:00Z"})
    events.record(store, other.number, [("", event)], NOON)
    events.record(
        store,
        corrected.number,
        [("", UsageEvent.from_json({"id": "9", "channel": "EMAIL"}))],
        NOON + timedelta(days=11),
    )
    store.write(
        lambda: store.execute("UPDATE day_counters SET quantity = 7 WHERE organization_id = ?", (other.number,))
    )
    assert differences(store, corrected) == []
    assert len(differences(store, other)) == 1
