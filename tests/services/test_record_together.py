"""Batches of several senders in one transaction: as if one had come after the other."""

from datetime import timedelta
from decimal import Decimal

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.errors import Refusal
from sendmeter.services import events, organizations, usage, verify

YEAR = timedelta(days=365)


@pytest.fixture
def found(store, clock):
    """Found an organization that began a year ago."""

    def make():
        made = organizations.create(
            store, "Test", Anchor(1, "UTC"), Caps(), clock(), by="test", starts_at=clock() - YEAR
        )
        return made.organization

    return make


def sent(organization, *bodies):
    return organization.number, [(f"/events/{n}", UsageEvent.from_json(body)) for n, body in enumerate(bodies)]


def test_what_several_send_at_once_is_not_what_one_sends_after_the_other(store, clock, found):
    """The same batches, recorded together here and one by one there: the same outcomes, the same counters."""
    batches = [
        [{"id": "a", "channel": "EMAIL"}, {"id": "b", "channel": "SMS", "cost": Decimal("0.01")}],
        [{"id": "a", "channel": "EMAIL"}, {"id": "c", "channel": "EMAIL"}],
        [{"id": "late", "channel": "PUSH", "occurredAt": "2026-10-05T00:00:00Z"}, {"id": "c", "channel": "EMAIL"}],
        [{"id": f"n{n}", "channel": "SLACK"} for n in range(1_000)],
        [{"id": f"n{n}", "channel": "SLACK"} for n in range(999, 1_999)],
    ]
    one, other, third = found(), found(), found()
    apart = [events.record(store, *sent(one, *batch), clock()) for batch in batches]
    everything = [sent(organization, *batch) for batch in batches for organization in (other, third)]
    together = events.record_together(store, everything, clock())
    assert together[::2] == together[1::2] == apart
    assert [(each.accepted, each.duplicates, each.late) for each in apart] == [
        (2, 0, 0),
        (1, 1, 0),
        (1, 1, 1),
        (1_000, 0, 0),
        (999, 1, 0),
    ]
    counted = [
        usage.get(store, each.number, clock(), known_costs=True, grace_seconds=0) for each in (one, other, third)
    ]
    assert counted[0] == counted[1] == counted[2]
    assert [verify.differences(store, each) for each in (one, other, third)] == [[], [], []]


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "a", "channel": "EMAIL", "quantity": 2},
        {"id": "b", "channel": "EMAIL", "occurredAt": "2020-01-01T00:00:00Z"},
    ],
)
def test_what_several_send_is_recorded_in_part(store, clock, found, wrong):
    organization = found()
    good = {"id": "a", "channel": "EMAIL"}
    with pytest.raises(Refusal):
        events.record_together(store, [sent(organization, good), sent(organization, wrong)], clock())
    assert usage.get(store, organization.number, clock(), known_costs=True, grace_seconds=0).messages == 0
