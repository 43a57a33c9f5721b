"""A hold counts until the instant of its expiry, is told apart by what was asked, and is settled into one event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sendmeter.domain.holds import Asked, Hold, settled_event
from sendmeter.domain.usage import Counter

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
ASKED = Asked("campaign-7", "SMS", 3, 30_000_000, 60)
EXPIRY = NOON + timedelta(seconds=60)
ENDED = {
    "settled": replace(Hold(ASKED, NOON), state="settled", ended_at=NOON, event=("api", "campaign-7")),
    "released": replace(Hold(ASKED, NOON), state="released", ended_at=NOON),
}


def test_a_hold_is_held_until_its_expiry_and_expired_from_that_instant_on():
    hold = Hold(ASKED, NOON)
    assert hold.expires_at == EXPIRY
    assert [hold.state_at(at) for at in (NOON, EXPIRY - TICK, EXPIRY, EXPIRY + TICK)] == ["held"] * 2 + ["expired"] * 2


@pytest.mark.parametrize("state", ENDED)
def test_a_hold_that_ended_does_not_expire(state):
    assert [ENDED[state].state_at(at) for at in (NOON, EXPIRY, EXPIRY + TICK)] == [state] * 3


def test_everything_that_is_asked_is_read_and_what_is_left_out_has_the_contracts_default():
    value = {"id": "h", "channel": "CALL", "quantity": 2, "estimatedCost": "0.5", "ttlSeconds": 1}
    assert Asked.from_json(value) == Asked("h", "CALL", 2, 500_000_000, 1)
    assert Asked.from_json({"id": "h", "channel": "EMAIL"}) == Asked("h", "EMAIL", 1, None, 900)
    assert Asked.from_json({"id": "h", "channel": "SMS", "estimatedCost": 0}).estimated_cost_nano_usd == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"channel": "CALL"}, ["channel"]),
        ({"quantity": 4}, ["quantity"]),
        ({"estimated_cost_nano_usd": None}, ["estimatedCost"]),
        ({"ttl_seconds": 61, "quantity": 4}, ["quantity", "ttlSeconds"]),
    ],
)
def test_what_another_hold_with_the_same_id_has_otherwise_is_named_in_the_contracts_words(changed, said):
    assert ASKED.differences(replace(ASKED, **changed)) == said


def test_a_hold_takes_its_quantity_and_its_estimate():
    assert ASKED.counter == Counter("SMS", 3, 30_000_000, 0)
    assert replace(ASKED, estimated_cost_nano_usd=None).counter == Counter("SMS", 3, 0, 0)


def test_a_hold_is_told_with_its_expiry_and_without_what_it_has_not():
    told = {
        "id": "campaign-7",
        "channel": "SMS",
        "quantity": 3,
        "estimatedCost": Decimal("0.03"),
        "ttlSeconds": 60,
        "placedAt": "2026-11-20T12:00:00Z",
        "expiresAt": "2026-11-20T12:01:00Z",
        "state": "held",
    }
    assert Hold(ASKED, NOON).to_json(NOON) == told
    assert Hold(ASKED, NOON).to_json(EXPIRY) == {**told, "state": "expired"}
    bare = Hold(replace(ASKED, estimated_cost_nano_usd=None), NOON).to_json(NOON)
    assert bare == {name: value for name, value in told.items() if name != "estimatedCost"}
    ended = {**told, "endedAt": "2026-11-20T12:00:00Z"}
    assert ENDED["released"].to_json(EXPIRY) == {**ended, "state": "released"}
    event = {"source": "api", "id": "campaign-7"}
    assert ENDED["settled"].to_json(EXPIRY) == {
        **ended,
        "state": "settled",
        "event": event,
        "settledAfterExpiry": False,
    }


@pytest.mark.parametrize(("ended_at", "after"), [(EXPIRY - TICK, False), (EXPIRY, True), (EXPIRY + TICK, True)])
def test_a_hold_that_was_settled_after_its_expiry_says_so_from_that_instant_on(ended_at, after):
    hold = replace(ENDED["settled"], ended_at=ended_at)
    assert hold.to_json(NOON)["settledAfterExpiry"] is after


def test_a_settlement_that_says_nothing_records_all_of_the_hold_under_its_id():
    event = settled_event(ASKED, {})
    assert (event.key, event.channel, event.quantity) == (("api", "campaign-7"), "SMS", 3)
    assert (event.cost_nano_usd, event.occurred_at, event.estimated_cost_nano_usd) == (None, None, 30_000_000)
    assert event.counter == Counter("SMS", 3, 0, 1, 30_000_000)


def test_a_settlement_that_says_something_records_that():
    value = {
        "eventId": "sms-9",
        "source": "gateway",
        "quantity": 2,
        "cost": "0.02",
        "provider": "telnyx",
        "providerMessageId": "40",
        "occurredAt": "2026-11-20T11:59:00Z",
        "metadata": {"country": "DE"},
    }
    event = settled_event(ASKED, value)
    assert event.key == ("gateway", "sms-9")
    assert (event.quantity, event.cost_nano_usd, event.provider, event.provider_message_id) == (
        2,
        20_000_000,
        "telnyx",
        "40",
    )
    assert (event.occurred_at, event.metadata) == (NOON - timedelta(minutes=1), {"country": "DE"})
    assert event.counter == Counter("SMS", 2, 20_000_000, 0), "an estimate stands in for a known cost"
