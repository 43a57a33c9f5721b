"""What is asked is refused by exactly the caps that it touches, to the unit, and told what is used and held of each."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendmeter.domain.caps import ENFORCEMENTS, Caps, Standing
from sendmeter.domain.channels import CHANNELS, COSTED_CHANNELS
from sendmeter.domain.cycles import Cycle
from sendmeter.domain.usage import Counter, Usage

PROVEN = settings(max_examples=200, derandomize=True, deadline=None)
NOVEMBER = Cycle(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
USD = 10**9
USED = Usage.of(NOVEMBER, [Counter("EMAIL", 60, 0, 0), Counter("PUSH", 10, 0, 0), Counter("SMS", 7, 40 * USD, 1)])
HELD = Usage.of(NOVEMBER, [Counter("EMAIL", 20, 0, 0), Counter("SMS", 2, 5 * USD, 0), Counter("CALL", 1, 5 * USD, 0)])
EVERY = Caps(messages=100, budget_nano_usd=100 * USD, channels={"EMAIL": 90, "SMS": 10, "CALL": 5})


def asked(channel, quantity, cost=0):
    return Counter(channel, quantity, cost, 0)


def test_each_cap_stands_with_what_is_used_and_held_of_it():
    assert EVERY.standings(USED, HELD) == [
        Standing("messageCap", 100, 70, 20),
        Standing("budgetCap", 100 * USD, 40 * USD, 10 * USD),
        Standing("EMAIL", 90, 60, 20),
        Standing("SMS", 10, 7, 2),
        Standing("CALL", 5, 0, 1),
    ]
    assert Caps().standings(USED, HELD) == []


@pytest.mark.parametrize(
    ("caps", "fits", "too_much"),
    [
        ({"messages": 100}, asked("SLACK", 10), asked("SLACK", 11)),
        ({"channels": {"EMAIL": 90}}, asked("EMAIL", 10), asked("EMAIL", 11)),
        ({"channels": {"SMS": 10}}, asked("SMS", 1, 10**15), asked("SMS", 2)),
        ({"budget_nano_usd": 100 * USD}, asked("CALL", 10**6, 50 * USD), asked("CALL", 1, 50 * USD + 1)),
        ({"channels": {"WEB_PUSH": 0}}, asked("PUSH", 1), asked("WEB_PUSH", 1)),
        ({"budget_nano_usd": 0}, asked("EMAIL", 10**6), asked("SMS", 1, 1)),
    ],
)
def test_what_is_asked_fits_to_the_last_unit_and_not_one_more(caps, fits, too_much):
    assert Caps(**caps).refused(USED, HELD, fits) is None
    assert Caps(**caps).refused(USED, HELD, too_much) is not None


@pytest.mark.parametrize("channel", CHANNELS)
def test_only_the_caps_that_a_channel_touches_refuse_it(channel):
    """Every other cap is long passed."""
    money = channel in COSTED_CHANNELS
    others = {other: 0 for other in CHANNELS if other != channel}
    caps = Caps(messages=0 if money else 10**6, budget_nano_usd=10**15 if money else 0, channels=others)
    assert caps.refused(USED, HELD, asked(channel, 1, USD if money else 0)) is None


def test_every_cap_without_room_is_told_with_used_and_held_and_asked_and_the_end_of_the_cycle():
    assert EVERY.refused(USED, HELD, asked("EMAIL", 11)) == (
        "The message cap of 100 has no room for 11 more, with 70 used and 20 held. "
        "The cap of 90 on EMAIL has no room for 11 more, with 60 used and 20 held. "
        "The cycle ends at 2026-12-01T00:00:00Z."
    )
    assert EVERY.refused(USED, HELD, asked("SMS", 1, 50 * USD + 1)) == (
        "The budget cap of 100 USD has no room for 50.000000001 USD more, with 40 USD used and 10 USD held. "
        "The cycle ends at 2026-12-01T00:00:00Z."
    )


@pytest.mark.parametrize("enforcement", ENFORCEMENTS)
def test_holds_past_a_cap_are_refused_unless_it_is_only_observed(enforcement):
    caps = Caps(messages=0, enforcement=enforcement)
    assert (caps.refused(USED, HELD, asked("EMAIL", 1)) is None) is (enforcement == "observe")


def test_what_is_held_locks_nobody_out():
    caps = Caps(messages=90, enforcement="lock")
    assert caps.locked(USED) is None
    assert caps.refused(USED, HELD, asked("EMAIL", 1)) is not None


@PROVEN
@given(
    st.integers(0, 50),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(1, 60),
    st.sampled_from(["EMAIL", "SLACK"]),
)
def test_what_is_refused_is_what_remaining_has_no_room_for(limit, sent, returned, held, more, channel):
    used = Counter(channel, sent - returned, 0, 0, returned_quantity=returned)
    counters = Usage.of(NOVEMBER, [used]), Usage.of(NOVEMBER, [asked(channel, held)])
    (standing,) = Caps(messages=limit).standings(*counters)
    refused = Caps(messages=limit).refused(*counters, asked(channel, more))
    assert standing.remaining == max(0, limit - sent - held), "what an earlier cycle got back buys room"
    assert (refused is None) is (more <= standing.remaining)


def test_a_standing_is_told_in_the_contracts_units():
    assert Standing("budgetCap", 2 * USD, 1, USD // 2).to_json() == {
        "cap": "budgetCap",
        "limit": Decimal(2),
        "used": Decimal("0.000000001"),
        "held": Decimal("0.5"),
        "remaining": Decimal("1.499999999"),
    }
    assert Standing("SMS", 2, 3, 1).to_json() == {"cap": "SMS", "limit": 2, "used": 3, "held": 1, "remaining": 0}
    returned = Standing("SMS", 5, -3, 1, returned=4).to_json()
    assert returned == {"cap": "SMS", "limit": 5, "used": -3, "returned": 4, "held": 1, "remaining": 3}


@pytest.mark.parametrize(
    "value",
    [
        {"enforcement": "block"},
        {"messageCap": 0, "budgetCap": Decimal(0), "enforcement": "observe"},
        {"messageCap": 5, "budgetCap": Decimal("0.000000001"), "channelCaps": {"SMS": 0}, "enforcement": "lock"},
    ],
)
def test_caps_are_written_as_they_were_read_and_zero_is_a_cap(value):
    assert Caps.from_json(value).to_json() == value


def test_caps_that_are_left_out_are_none_and_the_enforcement_is_block():
    assert Caps.from_json({}) == Caps() == Caps.from_json({"channelCaps": {}, "enforcement": "block"})
    assert Caps().to_json() == {"enforcement": "block"}
