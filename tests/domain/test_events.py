"""Events are read exactly, refused to the microsecond, and told apart by what they say."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendmeter.domain.channels import CHANNELS, COSTED_CHANNELS, MESSAGE_CHANNELS
from sendmeter.domain.cycles import CLOSES_AFTER, Cycle
from sendmeter.domain.events import Place, UsageEvent, as_sent, place_of, read_batch, refused_time
from sendmeter.domain.usage import Counter

PROVEN = settings(max_examples=100, derandomize=True, deadline=None)
TICK = timedelta(microseconds=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
SMS = {
    "id": "sms-1",
    "source": "gateway",
    "channel": "SMS",
    "quantity": 3,
    "cost": "0.0109",
    "provider": "telnyx",
    "providerMessageId": "4038",
    "occurredAt": "2026-11-20T13:00:00+01:00",
    "metadata": {"country": "DE"},
}
READ = UsageEvent("gateway", "sms-1", "SMS", 3, 10_900_000, "telnyx", "4038", NOON, {"country": "DE"})


def test_everything_that_an_event_says_is_read():
    assert UsageEvent.from_json(SMS) == READ


def test_what_is_left_out_has_the_contracts_default():
    read = UsageEvent.from_json({"id": "msg-1", "channel": "EMAIL"})
    assert read == UsageEvent("api", "msg-1", "EMAIL", 1, None, None, None, None, {})


@pytest.mark.parametrize(("cost", "nanos"), [("0", 0), (0, 0), (Decimal("1E-9"), 1), (2, 2 * 10**9), ("0.1", 10**8)])
def test_a_cost_of_zero_is_known_and_a_cost_is_read_exactly(cost, nanos):
    assert UsageEvent.from_json({**SMS, "cost": cost}).cost_nano_usd == nanos


@pytest.mark.parametrize("channel", CHANNELS)
def test_only_a_costed_channel_without_a_cost_is_pending(channel):
    without = UsageEvent.from_json({"id": "1", "channel": channel})
    assert without.pending == (channel in ("SMS", "CALL"))
    assert not replace(without, cost_nano_usd=0).pending


def test_the_channels_are_seven_and_each_is_of_one_kind():
    assert MESSAGE_CHANNELS == ("EMAIL", "INAPP_WEB", "WEB_PUSH", "PUSH", "SLACK")
    assert COSTED_CHANNELS == ("SMS", "CALL")
    assert set(CHANNELS) == {*MESSAGE_CHANNELS, *COSTED_CHANNELS}
    assert len(CHANNELS) == 7


def cloudevent(data, **attributes):
    return {"specversion": "1.0", "type": "sent", "id": "sms-1", "source": "gateway", "data": data, **attributes}


DATA = {name: value for name, value in SMS.items() if name not in ("id", "source")}


def test_a_cloudevent_says_the_same_as_an_event():
    assert UsageEvent.from_cloudevent(cloudevent(DATA)) == READ


def test_the_time_of_a_cloudevent_is_its_occurrence():
    data = {"channel": "PUSH"}
    assert UsageEvent.from_cloudevent(cloudevent(data, time="2026-11-20T12:00:00Z")).occurred_at == NOON
    assert UsageEvent.from_cloudevent(cloudevent(data)).occurred_at is None


def test_an_occurred_at_in_the_data_wins_over_the_time_of_the_cloudevent():
    assert UsageEvent.from_cloudevent(cloudevent(DATA, time="2020-01-01T00:00:00Z")).occurred_at == NOON


def test_extension_attributes_of_a_cloudevent_change_nothing():
    extended = cloudevent({"channel": "PUSH"}, quantity=7, cost="9", provider="x", subject="y", occurredAt="z")
    assert UsageEvent.from_cloudevent(extended) == UsageEvent.from_cloudevent(cloudevent({"channel": "PUSH"}))


def test_an_event_is_known_by_its_source_and_its_id():
    assert READ.key == ("gateway", "sms-1")
    assert READ.key != replace(READ, source="api").key
    assert READ.key != replace(READ, event_id="sms-2").key


CHANGES = {
    "channel": ("CALL", "channel"),
    "quantity": (4, "quantity"),
    "cost_nano_usd": (None, "cost"),
    "provider": ("twilio", "provider"),
    "provider_message_id": (None, "providerMessageId"),
    "occurred_at": (NOON + TICK, "occurredAt"),
    "metadata": ({}, "metadata"),
}


@PROVEN
@given(st.sets(st.sampled_from(sorted(CHANGES))))
def test_every_difference_is_named_in_the_contracts_words(changed):
    other = replace(READ, **{name: CHANGES[name][0] for name in changed})
    assert set(READ.differences(other)) == {CHANGES[name][1] for name in changed}
    assert READ.differences(other) == other.differences(READ)


def test_no_field_of_an_event_is_forgotten_when_two_are_compared():
    # An estimate is its hold's: the sender of the event never says it.
    assert {field.name for field in fields(UsageEvent)} == {*CHANGES, "source", "event_id", "estimated_cost_nano_usd"}
    assert {word for _, word in CHANGES.values()} == {*SMS} - {"id", "source"}


def test_a_cost_of_zero_differs_from_a_cost_that_is_not_known():
    assert replace(READ, cost_nano_usd=0).differences(replace(READ, cost_nano_usd=None)) == ["cost"]


def test_the_same_instant_in_another_zone_is_no_difference():
    berlin = UsageEvent.from_json({**SMS, "occurredAt": "2026-11-20T12:00:00.000Z"})
    assert berlin.differences(READ) == []


@pytest.mark.parametrize(
    ("occurred_at", "starts_at", "refused"),
    [
        (NOON, LONG_AGO, None),
        (NOON + timedelta(minutes=5), LONG_AGO, None),
        (NOON + timedelta(minutes=5) + TICK, LONG_AGO, "ahead of the server's clock, 2026-11-20T12:00:00Z"),
        (NOON - timedelta(days=400), LONG_AGO, None),
        (NOON - timedelta(days=400) - TICK, LONG_AGO, "more than 400 days ago"),
        (NOON - timedelta(days=1), NOON - timedelta(days=1), None),
        (NOON - timedelta(days=1) - TICK, NOON - timedelta(days=1), "organization's start, 2026-11-19T12:00:00Z"),
    ],
)
def test_a_time_is_refused_from_one_microsecond_past_its_bound(occurred_at, starts_at, refused):
    said = refused_time(occurred_at, starts_at=starts_at, now=NOON)
    assert said is None if refused is None else refused in said


def test_a_backfill_may_be_as_old_as_the_organization_and_not_older_or_ahead():
    for age, refused in ((timedelta(days=4_000), None), (-timedelta(minutes=5) - TICK, "ahead")):
        said = refused_time(NOON - age, starts_at=LONG_AGO, now=NOON, backfill=True)
        assert said is None if refused is None else refused in said
    said = refused_time(LONG_AGO - TICK, starts_at=LONG_AGO, now=NOON, backfill=True)
    assert said == "is before the organization's start, 2000-01-01T00:00:00Z"


@pytest.mark.parametrize(("behind_the_closing", "late"), [(-TICK, False), (timedelta(0), True), (TICK, True)])
def test_what_belongs_to_a_closed_cycle_is_booked_now_in_the_running_one(behind_the_closing, late):
    october = Cycle(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
    running = Cycle(october.end, datetime(2026, 12, 1, tzinfo=UTC))
    now, occurred_at = october.end + CLOSES_AFTER + behind_the_closing, october.end - TICK
    expected = Place(now, running, late=True) if late else Place(occurred_at, october, late=False)
    assert place_of(occurred_at, october, running, now) == expected
    assert place_of(now, running, running, now) == Place(now, running, late=False)


@pytest.mark.parametrize(
    ("changes", "counter"),
    [
        ({}, Counter("SMS", 3, 10_900_000, 0)),
        ({"estimated_cost_nano_usd": 7}, Counter("SMS", 3, 10_900_000, 0)),
        ({"cost_nano_usd": None, "estimated_cost_nano_usd": 7}, Counter("SMS", 3, 0, 1, 7)),
        ({"cost_nano_usd": None}, Counter("SMS", 3, 0, 1, 0)),
        ({"channel": "EMAIL", "cost_nano_usd": None, "estimated_cost_nano_usd": 7}, Counter("EMAIL", 3, 0, 0)),
    ],
)
def test_an_estimate_counts_only_while_the_cost_is_pending(changes, counter):
    assert replace(READ, **changes).counter == counter


def test_an_event_that_the_servers_clock_timed_is_given_back_without_a_time():
    untimed = replace(READ, occurred_at=None)
    assert as_sent(READ, untimed, recorded_at=NOON) == untimed


def test_a_time_that_the_sender_set_is_kept():
    assert as_sent(READ, READ, recorded_at=NOON) == READ
    assert as_sent(READ, replace(READ, occurred_at=None), recorded_at=NOON + TICK) == READ


def test_only_the_time_is_taken_from_what_is_sent_again():
    sent = replace(READ, occurred_at=None, quantity=9, metadata={})
    assert as_sent(READ, sent, recorded_at=NOON).differences(sent) == ["quantity", "metadata"]


def test_every_event_of_a_body_is_read_with_a_pointer_to_where_it_stands():
    ours = {"events": [SMS, {"id": "msg-1", "channel": "EMAIL"}]}
    mail = UsageEvent("api", "msg-1", "EMAIL", 1, None, None, None, None, {})
    assert read_batch("application/json", ours) == [("/events/0", READ), ("/events/1", mail)]
    assert read_batch("application/cloudevents+json", cloudevent(DATA)) == [("", READ)]
    both = [cloudevent(DATA), cloudevent({"channel": "PUSH"}, id="push-1")]
    read = read_batch("application/cloudevents-batch+json", both)
    assert [(pointer, event.key) for pointer, event in read] == [("/0", READ.key), ("/1", ("gateway", "push-1"))]
