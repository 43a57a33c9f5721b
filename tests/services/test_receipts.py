"""What a provider tells of a message: counted once, in whatever order it comes, however often, and all at once."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from sendmeter.domain.receipts import Receipt
from sendmeter.errors import Conflict
from sendmeter.services import corrections, receipts
from tests.live import NOON
from tests.services.use_cases import TICK, USD, check, connect, entry, founded, read, record, rows

SMS = {"id": "s", "channel": "SMS", "provider": "twilio", "providerMessageId": "SM1"}
CLOSED = datetime.fromisoformat("2026-12-10T12:00:00Z")


def told(cost=None, at=NOON, message_id="SM1", channel="SMS", **fields):
    return Receipt(message_id, channel, at, cost, **fields)


def take(store, organization, receipt, now=NOON, *, provider="twilio", records=False):
    return receipts.take(store, organization.number, provider, receipt, now, records=records)


def sms(store, organization, now=NOON):
    return read(store, organization, now).counters["SMS"]


def test_a_receipt_does_not_settle_the_event_of_its_message(store):
    organization = founded(store)
    record(store, organization, SMS, {**SMS, "id": "other", "providerMessageId": "SM2"})
    assert take(store, organization, told(7)) == "settled"
    settled = entry(store, organization, "s")
    assert (settled.pending, settled.cost_nano_usd) == (False, 7)
    (correction,) = settled.corrections
    assert (correction.made_by, correction.reason) == ("provider:twilio", "told by the provider")
    assert (sms(store, organization).cost_nano_usd, sms(store, organization).pending) == (7, 1)
    check(store, organization)


def test_a_receipt_that_comes_before_its_event_is_lost(store):
    organization = founded(store)
    assert take(store, organization, told(7)) == "kept"
    assert sms(store, organization).quantity == 0
    record(store, organization, SMS)
    assert (sms(store, organization).cost_nano_usd, sms(store, organization).pending) == (7, 0)
    (correction,) = entry(store, organization, "s").corrections
    assert (correction.made_by, correction.correction_id[:4]) == ("provider:twilio", "cor_")
    assert rows(store, "pending_costs", organization) == []
    record(store, organization, SMS)
    check(store, organization)


def test_a_receipt_that_comes_again_before_its_event_says_something_new(store):
    organization = founded(store)
    assert [take(store, organization, told(7)) for _ in range(2)] == ["kept", "known"]


def test_a_receipt_that_comes_again_counts_again(store):
    organization = founded(store)
    record(store, organization, SMS)
    outcomes = [take(store, organization, told(7)) for _ in range(3)]
    assert outcomes == ["settled", "known", "known"]
    assert len(entry(store, organization, "s").corrections) == 1
    check(store, organization)


def test_the_order_of_two_receipts_decides_what_is_counted(store):
    first, last = told(5), told(9, NOON + TICK)
    for order in ([first, last], [last, first], [last, first, last, first]):
        for position in range(len(order) + 1):
            organization = founded(store)
            for index, receipt in enumerate(order):
                if index == position:
                    record(store, organization, SMS)
                take(store, organization, receipt)
            record(store, organization, SMS)
            assert sms(store, organization).cost_nano_usd == 9
            check(store, organization)


def test_two_receipts_of_one_instant_are_counted_by_their_order(store):
    for costs in ((5, 9), (9, 5)):
        organization = founded(store)
        record(store, organization, SMS)
        for cost in costs:
            take(store, organization, told(cost))
        assert sms(store, organization).cost_nano_usd == 9


def test_a_cost_that_somebody_told_is_overwritten_by_the_provider(store):
    organization = founded(store)
    record(store, organization, SMS, {**SMS, "id": "costed", "providerMessageId": "SM2", "cost": "0.000000003"})
    corrections.settle(store, organization.number, ("api", "s"), 4, "as invoiced", NOON, by="key_of_somebody")
    assert take(store, organization, told(7)) == "known"
    assert take(store, organization, told(7, message_id="SM2")) == "known"
    assert sms(store, organization).cost_nano_usd == 7
    corrections.void(store, organization.number, ("api", "s"), "a mistake", NOON, by="key_of_somebody")
    assert take(store, organization, told(8, NOON + TICK)) == "known"
    assert sms(store, organization).cost_nano_usd == 3
    check(store, organization)


def test_a_void_is_settled(store):
    organization = founded(store)
    record(store, organization, SMS)
    corrections.void(store, organization.number, ("api", "s"), "a mistake", NOON, by="test")
    assert take(store, organization, told(7)) == "known"
    assert sms(store, organization).cost_nano_usd == 0
    with pytest.raises(Conflict):
        corrections.settle(store, organization.number, ("api", "s"), 7, None, NOON, by="test")


def test_what_is_reported_anew_after_a_void_has_no_cost(store):
    for told_first in (True, False):
        organization = founded(store)
        record(store, organization, SMS)
        if told_first:
            take(store, organization, told(7))
        corrections.void(store, organization.number, ("api", "s"), "a mistake", NOON, by="test")
        record(store, organization, {**SMS, "id": "again"})
        if not told_first:
            assert take(store, organization, told(7)) == "settled"
        assert (sms(store, organization).cost_nano_usd, sms(store, organization).pending) == (7, 0)
        check(store, organization)


@pytest.mark.parametrize("told_first", [True, False])
def test_two_events_of_one_message_have_its_cost_twice(store, told_first):
    organization = founded(store)
    if told_first:
        take(store, organization, told(7))
    record(store, organization, SMS, {**SMS, "id": "second"})
    record(store, organization, {**SMS, "id": "third"})
    if not told_first:
        take(store, organization, told(7))
    assert (sms(store, organization).cost_nano_usd, sms(store, organization).pending) == (7, 0)
    second = entry(store, organization, "second").corrections[0]
    assert second.reason == "the cost of the message is that of event s of source api"
    check(store, organization)


def test_events_of_one_message_keep_those_of_another_in_their_batch_from_its_cost(store):
    organization = founded(store)
    take(store, organization, told(7))
    take(store, organization, told(9, message_id="SM2"))
    record(store, organization, SMS, {**SMS, "id": "second"}, {**SMS, "id": "other", "providerMessageId": "SM2"})
    assert [entry(store, organization, each).cost_nano_usd for each in ("s", "second", "other")] == [7, 0, 9]


@pytest.mark.parametrize("told_first", [True, False])
@pytest.mark.parametrize("by_hand", [True, False])
def test_the_cost_of_a_message_is_lost_with_the_first_of_its_events(store, told_first, by_hand):
    organization = founded(store)
    record(store, organization, SMS, {**SMS, "id": "second"}, {**SMS, "id": "third"})
    if told_first:
        take(store, organization, told(7))
    if by_hand:
        corrections.settle(store, organization.number, ("api", "second"), 3, None, NOON, by="key_of_somebody")
    corrections.void(store, organization.number, ("api", "s"), "sent twice", NOON, by="test")
    if not told_first:
        assert take(store, organization, told(7)) == "settled"
    heir, other = ("third", "second") if by_hand else ("second", "third")
    assert entry(store, organization, heir).cost_nano_usd == 7
    assert entry(store, organization, other).cost_nano_usd == (3 if by_hand else 0)
    corrections.void(store, organization.number, ("api", other), "sent twice", NOON, by="test")
    assert sms(store, organization).cost_nano_usd == 7
    corrections.void(store, organization.number, ("api", heir), "never sent", NOON, by="test")
    assert (sms(store, organization).quantity, sms(store, organization).cost_nano_usd) == (0, 0)
    check(store, organization)


def test_a_void_at_the_same_moment_as_a_second_event_loses_the_cost(store):
    for _ in range(5):
        organization = founded(store)
        record(store, organization, SMS)
        take(store, organization, told(7))
        work = [
            lambda number=organization.number: corrections.void(store, number, ("api", "s"), "x", NOON, by="test"),
            lambda organization=organization: record(store, organization, {**SMS, "id": "second"}),
        ]
        threads = [threading.Thread(target=each) for each in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (sms(store, organization).cost_nano_usd, sms(store, organization).pending) == (7, 0)
        check(store, organization)


def test_a_provider_whose_clock_is_ahead_has_the_last_word_for_long(store):
    organization = founded(store)
    record(store, organization, SMS)
    take(store, organization, told(5, NOON.replace(year=9999)))
    later = NOON + timedelta(minutes=1)
    assert take(store, organization, told(9, later), later) == "settled"


def test_events_of_one_message_that_wait_from_before_go_on_waiting(store):
    organization = founded(store)
    record(store, organization, SMS, {**SMS, "id": "second", "providerMessageId": "SM2"})
    change = "UPDATE events SET provider_message_id = 'SM1' WHERE organization_id = ?"
    store.write(lambda: store.execute(change, (organization.number,)))
    take(store, organization, told(7))
    assert (sms(store, organization).cost_nano_usd, sms(store, organization).pending) == (7, 0)
    check(store, organization)


def test_a_receipt_of_a_closed_cycle_changes_it(store):
    organization = founded(store)
    record(store, organization, SMS)
    assert take(store, organization, told(7, CLOSED), CLOSED) == "settled"
    assert sms(store, organization, NOON).pending == 1
    assert sms(store, organization, CLOSED).cost_nano_usd == 7
    check(store, organization)


def test_a_kept_receipt_settles_no_late_or_backfilled_event(store):
    organization = founded(store, starts_at=NOON - timedelta(days=100))
    for message_id in ("SM1", "SM2"):
        take(store, organization, told(7, message_id=message_id))
    long_ago = {"occurredAt": "2026-09-01T00:00:00Z"}
    record(store, organization, {**SMS, **long_ago})
    record(store, organization, {**SMS, **long_ago, "id": "b", "providerMessageId": "SM2"}, backfilled_by="test")
    assert (sms(store, organization).cost_nano_usd, sms(store, organization).pending) == (7, 0)
    assert sms(store, organization, NOON - timedelta(days=75)).cost_nano_usd == 7
    check(store, organization)


def test_a_receipt_without_a_cost_does_something(store):
    organization = founded(store)
    record(store, organization, SMS)
    assert take(store, organization, told()) == "ignored"
    assert entry(store, organization, "s").pending


def test_a_receiver_that_records_does_not_make_the_event(store):
    organization = founded(store)
    sent_at = NOON - timedelta(minutes=3)
    assert take(store, organization, told(sent_at=sent_at), records=True) == "recorded"
    assert take(store, organization, told(sent_at=NOON), records=True) == "known"
    made = entry(store, organization, "SM1", source="twilio")
    assert (made.event.channel, made.occurred_at, made.pending) == ("SMS", sent_at, True)
    assert take(store, organization, told(7), records=True) == "settled"
    assert take(store, organization, told(7), records=True) == "known"
    assert (sms(store, organization).quantity, sms(store, organization).cost_nano_usd) == (1, 7)
    check(store, organization)


def test_a_receiver_that_records_leaves_the_cost_that_came_first_out(store):
    organization = founded(store)
    assert take(store, organization, told(7, was_sent=False), records=True) == "kept"
    assert take(store, organization, told(), records=True) == "recorded"
    assert take(store, organization, told(9, NOON + TICK), records=True) == "settled"
    assert (sms(store, organization).quantity, sms(store, organization).cost_nano_usd) == (1, 9)
    check(store, organization)


def test_a_receiver_that_records_counts_what_the_sender_reported(store):
    organization = founded(store)
    record(store, organization, SMS)
    assert take(store, organization, told(7), records=True) == "settled"
    record(store, organization, {"id": "SM2", "source": "twilio", "channel": "SMS"})
    assert take(store, organization, told(8, message_id="SM2"), records=True) == "settled"
    assert (sms(store, organization).quantity, sms(store, organization).cost_nano_usd) == (2, 15)
    check(store, organization)


def test_a_receiver_that_records_counts_what_has_a_cost_already(store):
    organization = founded(store)
    record(store, organization, {**SMS, "cost": "0.000000003"})
    assert take(store, organization, told(7), records=True) == "known"
    record(store, organization, {"id": "SM2", "source": "twilio", "channel": "SMS", "cost": "0.000000004"})
    assert take(store, organization, told(8, message_id="SM2"), records=True) == "known"
    assert (sms(store, organization).quantity, sms(store, organization).cost_nano_usd) == (2, 7)


def test_what_is_told_later_of_a_message_that_somebody_else_recorded_under_its_id_does_not_find_it(store):
    organization = founded(store)
    record(store, organization, {"id": "SM1", "source": "twilio", "channel": "SMS"})
    assert take(store, organization, told(7), records=True) == "settled"
    assert take(store, organization, told(9, NOON + TICK), NOON + TICK) == "settled"
    assert sms(store, organization).cost_nano_usd == 9
    # The event itself does not say whose message it is.
    assert {each.made_by for each in entry(store, organization, "SM1", "twilio").corrections} == {"provider:twilio"}
    check(store, organization)


def test_a_receipt_without_a_cost_settles_an_event_that_somebody_else_recorded_under_its_id(store):
    organization = founded(store)
    record(store, organization, {"id": "SM1", "source": "twilio", "channel": "SMS"})
    assert take(store, organization, told(None), records=True) == "known"
    assert sms(store, organization).pending == 1


def test_a_receiver_that_records_fails_at_an_event_that_is_recorded_at_the_same_moment(store):
    organization = founded(store)
    connect(store, organization.number, "twilio", records=True)
    faults = []
    with ThreadPoolExecutor(2) as threads:
        for number in range(10):
            message_id = f"SM{number}"
            sent = {"id": message_id, "source": "twilio", "channel": "SMS"}
            receipt = told(7, message_id=message_id)
            under_way = [
                threads.submit(take, store, organization, receipt, records=True),
                threads.submit(record, store, organization, sent),
            ]
            faults += [each.exception() for each in under_way]
    # That the sender's event is another one than the receiver's is told to the sender.
    assert {type(fault) for fault in faults if fault} <= {Conflict}
    assert (sms(store, organization).quantity, sms(store, organization).pending) == (10, 0)
    check(store, organization)


def test_what_is_recorded_of_emails_is_counted_again(store):
    organization = founded(store)
    mail = told(message_id="0100-a", channel="EMAIL", quantity=3, sent_at=NOON)
    outcomes = [take(store, organization, mail, provider="ses", records=True) for _ in range(3)]
    assert outcomes == ["recorded", "known", "known"]
    assert read(store, organization).counters["EMAIL"].quantity == 3
    check(store, organization)


def test_what_was_sent_before_the_organization_counts_is_recorded(store):
    organization = founded(store)
    early = told(7, sent_at=NOON - timedelta(days=60))
    assert take(store, organization, early, records=True) == "ignored"
    ahead = told(7, message_id="SM2", sent_at=NOON + timedelta(hours=1))
    assert take(store, organization, ahead, records=True) == "recorded"
    assert sms(store, organization).quantity == 1


def test_another_organization_or_provider_gets_the_cost(store):
    mine, other = founded(store), founded(store)
    record(store, mine, SMS)
    assert take(store, other, told(7)) == "kept"
    assert take(store, mine, told(7), provider="telnyx") == "kept"
    assert sms(store, mine).pending == 1
    assert sms(store, other).quantity == 0


@pytest.mark.parametrize("records", [False, True])
def test_what_comes_at_once_is_counted_twice_or_not_at_all(store, records):
    organization = founded(store)
    connect(store, organization.number, "twilio", records=records)
    count = 12
    work = []
    for index in range(count):
        message_id = f"SM{index}"
        event = {**SMS, "id": f"s{index}", "providerMessageId": message_id}
        receipt = told(index + 1, message_id=message_id)
        work += [lambda receipt=receipt: take(store, organization, receipt, records=records)] * 3
        if not records:
            work += [lambda event=event: record(store, organization, event)] * 2
    random.Random(1).shuffle(work)
    faults = []

    def run(part):
        try:
            for each in part:
                each()
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=run, args=(work[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert (sms(store, organization).quantity, sms(store, organization).pending) == (count, 0)
    assert sms(store, organization).cost_nano_usd == count * (count + 1) // 2
    check(store, organization)


def test_what_a_provider_corrects_without_end_is_refused(store, caplog):
    organization = founded(store)
    record(store, organization, SMS)
    outcomes = [take(store, organization, told(USD + number, NOON + number * TICK)) for number in range(25)]
    assert outcomes == ["settled"] * corrections.MOST_CORRECTIONS + ["known"] * (25 - corrections.MOST_CORRECTIONS)
    assert len(entry(store, organization, "s").corrections) == corrections.MOST_CORRECTIONS
    assert f"was corrected {corrections.MOST_CORRECTIONS} times: what provider:twilio tells is left" in caplog.text
    check(store, organization)


def test_two_events_that_are_reported_at_once_after_a_void_have_the_cost_of_their_message_twice(store):
    organization = founded(store)
    record(store, organization, SMS)
    take(store, organization, told(7))
    corrections.void(store, organization.number, ("api", "s"), "never sent", NOON, by="key_1")
    record(store, organization, {**SMS, "id": "a"}, {**SMS, "id": "b"})
    assert [entry(store, organization, each).cost_nano_usd for each in "ab"] == [7, 0]
    (second,) = entry(store, organization, "b").corrections
    assert second.reason == "the cost of the message is that of event a of source api"
    assert sms(store, organization).cost_nano_usd == 7
    check(store, organization)


def test_a_provider_that_tells_the_same_cost_later_settles_anew(store):
    organization = founded(store)
    record(store, organization, SMS)
    assert take(store, organization, told(7)) == "settled"
    assert take(store, organization, told(7, NOON + TICK), NOON + TICK) == "known"
    assert len(entry(store, organization, "s").corrections) == 1
