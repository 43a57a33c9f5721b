"""Caps are reached at their number, not one before or after, and say what is used."""

from datetime import UTC, datetime

import pytest

from sendmeter.domain.caps import ENFORCEMENTS, Caps
from sendmeter.domain.cycles import Cycle
from sendmeter.domain.usage import Counter, Usage

NOVEMBER = Cycle(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
USED = Usage.of(
    NOVEMBER,
    [
        Counter("EMAIL", 60, 0, 0),
        Counter("SLACK", 40, 0, 0),
        Counter("SMS", 7, 100_004_200_000, 1),
        Counter("CALL", 2, 0, 0),
    ],
)
MESSAGES = "The message cap of 100 is reached, with 100 used."
BUDGET = "The budget cap of 100 USD is reached, with 100.0042 USD used."


def test_without_caps_nothing_is_reached():
    assert Caps().reached(USED) == []
    assert Caps(enforcement="lock").locked(USED) is None


@pytest.mark.parametrize(("cap", "said"), [(101, []), (100, [MESSAGES])])
def test_a_message_cap_is_reached_at_its_number_and_sms_are_no_messages(cap, said):
    assert Caps(messages=cap).reached(USED) == said


@pytest.mark.parametrize(("cap", "reached"), [(100_004_200_001, False), (100_004_200_000, True)])
def test_a_budget_cap_is_reached_to_the_nano_usd(cap, reached):
    assert bool(Caps(budget_nano_usd=cap).reached(USED)) is reached


def test_a_budget_cap_is_told_in_usd():
    assert Caps(budget_nano_usd=100 * 10**9).reached(USED) == [BUDGET]


@pytest.mark.parametrize(("cap", "said"), [(8, []), (7, ["The cap of 7 on SMS is reached, with 7 used."])])
def test_a_cap_on_a_channel_is_reached_at_its_number(cap, said):
    assert Caps(channels={"SMS": cap}).reached(USED) == said


def test_a_cap_of_zero_is_a_cap_and_is_reached_at_once():
    none = Usage.of(NOVEMBER, [])
    assert len(Caps(messages=0, budget_nano_usd=0, channels={"PUSH": 0}).reached(none)) == 3


def test_every_cap_that_is_reached_is_told():
    caps = Caps(messages=100, budget_nano_usd=100 * 10**9, channels={"EMAIL": 61, "CALL": 1}, enforcement="lock")
    assert caps.locked(USED) == (
        f"{MESSAGES} {BUDGET} The cap of 1 on CALL is reached, with 2 used. The cycle ends at 2026-12-01T00:00:00Z."
    )


@pytest.mark.parametrize("enforcement", ENFORCEMENTS)
def test_only_lock_keeps_usage_from_being_read(enforcement):
    assert (Caps(messages=100, enforcement=enforcement).locked(USED) is not None) is (enforcement == "lock")
    assert Caps(messages=101, enforcement=enforcement).locked(USED) is None


@pytest.mark.parametrize("enforcement", ENFORCEMENTS)
def test_an_estimate_is_wanted_where_a_budget_cap_may_refuse(enforcement):
    assert Caps(budget_nano_usd=0, enforcement=enforcement).wants_estimates is (enforcement != "observe")
    assert not Caps(messages=5, enforcement=enforcement).wants_estimates
