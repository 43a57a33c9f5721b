"""Holds that several ask for at once: as if one had asked after the other."""

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.holds import Asked
from sendmeter.domain.money import nano_usd
from sendmeter.errors import Conflict, InvalidRequest, Refusal, UsageLimitExceeded
from sendmeter.services import holds, limits, organizations
from tests.live import NOON

CAPS = Caps(messages=10, budget_nano_usd=nano_usd("1.00"), channels={"PUSH": 3})


@pytest.fixture
def found(store):
    def make(caps=CAPS):
        return organizations.create(store, "Test", Anchor(1, "UTC"), caps, NOON, by="test").organization

    return make


def asked(hold_id, channel="EMAIL", quantity=1, **other):
    return Asked.from_json({"id": hold_id, "channel": channel, "quantity": quantity, **other})


ASKS = [
    asked("a", quantity=4),
    asked("b", "PUSH", 2),
    asked("c", "PUSH", 2),  # no room among pushes
    asked("a", quantity=4),  # known
    asked("a", quantity=5),  # another content
    asked("d", quantity=5),  # no room among messages
    asked("e", quantity=4),
    asked("f", "SMS", estimatedCost="0.60"),
    asked("g", "SMS"),  # an estimate is wanted
    asked("h", "SMS", estimatedCost="0.60"),  # no room in the budget
    asked("i", "SMS", estimatedCost="0.40"),
]


def outcome(ask):
    try:
        return ask()
    except Refusal as refusal:
        return refusal


def told(placed):
    return (type(placed), str(placed)) if isinstance(placed, Refusal) else placed


def test_what_several_ask_at_once_is_not_what_one_asks_after_the_other(store, found):
    one, other, third = found(), found(), found(Caps())
    apart = [outcome(lambda each=each: holds.place(store, one.number, each, lambda: NOON)) for each in ASKS]
    sent = [(organization.number, each) for each in ASKS for organization in (other, third)]
    together = holds.place_together(store, sent, lambda: NOON)
    assert [told(each) for each in together[::2]] == [told(each) for each in apart]
    assert [type(each) for each in apart if isinstance(each, Refusal)] == [
        UsageLimitExceeded,
        Conflict,
        UsageLimitExceeded,
        InvalidRequest,
        UsageLimitExceeded,
    ]
    # Nobody else's caps count.
    assert [type(each) for each in together[1::2] if isinstance(each, Refusal)] == [Conflict]
    standings = [limits.get(store, each.number, NOON).to_json()["standings"] for each in (one, other)]
    assert standings[0] == standings[1]
    assert {each["cap"]: each["held"] for each in standings[0]} == {"messageCap": 10, "budgetCap": 1, "PUSH": 2}
