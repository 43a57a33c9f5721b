"""The proof: whatever differs from the ledger is named."""

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.services import events, organizations
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
