"""Usage adds up: seven channels, five of them messages, two of them costs, exact to the last digit."""

import json
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from sendmeter.contract import contract
from sendmeter.domain.channels import CHANNELS
from sendmeter.domain.cycles import Cycle
from sendmeter.domain.usage import Counter, Usage

PROVEN = settings(max_examples=60, derandomize=True, deadline=None)
NOVEMBER = Cycle(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
COUNTERS = st.lists(
    st.builds(
        Counter,
        st.sampled_from(CHANNELS),
        st.integers(-(10**15), 10**15),
        st.integers(-(10**18), 10**18),
        st.integers(0, 10**6),
        st.integers(0, 10**15),
    ),
    unique_by=lambda counter: counter.channel,
)


@PROVEN
@given(COUNTERS)
def test_the_totals_are_the_sums_of_the_channels_that_they_say(counters):
    usage = Usage.of(NOVEMBER, iter(counters))
    assert usage.messages == sum(one.quantity for one in counters if one.channel not in ("SMS", "CALL"))
    assert usage.cost_nano_usd == sum(one.cost_nano_usd for one in counters if one.channel in ("SMS", "CALL"))
    assert usage.pending == sum(one.pending for one in counters)


@PROVEN
@given(COUNTERS)
def test_all_seven_channels_are_there_and_none_is_changed(counters):
    usage = Usage.of(NOVEMBER, counters)
    assert tuple(usage.counters) == CHANNELS
    given_back = {astuple(counter) for counter in usage.counters.values()}
    missing = {*CHANNELS} - {counter.channel for counter in counters}
    assert given_back == {astuple(counter) for counter in counters} | {(name, 0, 0, 0, 0, 0, 0) for name in missing}


@PROVEN
@given(COUNTERS)
def test_the_answer_is_the_contracts_and_its_budget_is_exactly_sms_and_calls(counters):
    answer = Usage.of(NOVEMBER, counters).to_json()
    assert contract().schemas.component("OrganizationUsage").faults(answer) == []
    assert answer["budgetUsage"] == answer["costSms"] + answer["costCall"]
    # As a client reads it back, from the digits alone.
    read = json.loads(json.dumps(answer, default=lambda number: format(number, "f")))
    assert Decimal(read["budgetUsage"]) * 10**9 == Usage.of(NOVEMBER, counters).cost_nano_usd


@PROVEN
@given(COUNTERS, COUNTERS)
def test_counters_of_one_channel_are_added_up_amount_by_amount(ones, others):
    added = Usage.of(NOVEMBER, [*ones, *others])
    for name in CHANNELS:
        parts = [astuple(each)[1:] for each in (*ones, *others) if each.channel == name]
        assert astuple(added.counters[name]) == (name, *(sum(part) for part in zip(*parts, (0,) * 6, strict=True)))


def test_the_answer_says_each_thing_under_its_own_name():
    counters = [Counter("EMAIL", 5, 0, 0), Counter("SMS", 2, 10_900_000, 1), Counter("CALL", 3, 42_000_000, 2)]
    cycle = Cycle(NOVEMBER.start + timedelta(hours=5), NOVEMBER.end + timedelta(hours=5))
    assert Usage.of(cycle, counters).to_json() == {
        "messageUsage": 5,
        "budgetUsage": Decimal("0.0529"),
        "costSms": Decimal("0.0109"),
        "costCall": Decimal("0.042"),
        "channelUsages": {"EMAIL": 5, "INAPP_WEB": 0, "WEB_PUSH": 0, "PUSH": 0, "SLACK": 0, "SMS": 2, "CALL": 3},
        "pendingCosts": 3,
        "billingCycleStart": "2026-11-01T05:00:00Z",
        "billingCycleEnd": "2026-12-01T05:00:00Z",
    }


def test_what_is_one_already_adds_up_to_itself():
    one = Counter("SMS", 2, 10_900_000, 1, 7)
    assert Counter.total([one]) == one
