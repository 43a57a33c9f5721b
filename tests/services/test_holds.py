"""Holds: what is admitted, once and to the unit; what frees it, and at which instant."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from sendmeter.domain.instants import instant_text as text
from sendmeter.domain.usage import Counter
from sendmeter.errors import Conflict, InvalidRequest, NotFound, UsageLimitExceeded
from sendmeter.services import corrections, holds, limits
from sendmeter.store import organizations as stored_organizations
from tests.live import NOON
from tests.services.use_cases import TICK, USD, ask, check, entry, founded, place, read, record

EXPIRY = NOON + timedelta(seconds=900)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
NEARLY_DECEMBER = DECEMBER - timedelta(minutes=2)


def settle(store, organization, hold_id, now=NOON, **settlement):
    return holds.settle(store, organization.number, hold_id, settlement, lambda: now)


def release(store, organization, hold_id, now=NOON):
    return holds.release(store, organization.number, hold_id, lambda: now)


def standing(store, organization, cap, now=NOON):
    """Return what is used and what is held of a cap."""
    return next((each.used, each.held) for each in standings(store, organization, now) if each.cap == cap)


def standings(store, organization, now):
    return limits.get(store, organization.number, now).standings


def test_a_hold_that_is_asked_for_again_is_the_first_one_whatever_became_of_it(store):
    organization = founded(store, messages=2)
    first, is_new = place(store, organization, "h", "EMAIL", 2)
    assert (is_new, first.state_at(NOON), first.placed_at) == (True, "held", NOON)
    assert place(store, organization, "h", "EMAIL", 2, now=EXPIRY) == (first, False)
    assert standing(store, organization, "messageCap") == (0, 2)
    released = release(store, organization, "h")
    assert place(store, organization, "h", "EMAIL", 2) == (released, False)
    assert holds.get(store, organization.number, "h") == released


def test_a_hold_that_is_asked_for_again_with_other_content_is_a_conflict_and_stays_as_it_was(store):
    organization = founded(store)
    first, _ = place(store, organization, "h", "SMS", 2, USD)
    with pytest.raises(Conflict, match=r"another quantity, estimatedCost, ttlSeconds") as refusal:
        place(store, organization, "h", "SMS", 3, ttl_seconds=1)
    assert [fault.pointer for fault in refusal.value.faults] == ["/quantity", "/estimatedCost", "/ttlSeconds"]
    assert holds.get(store, organization.number, "h") == first
    other = founded(store)
    assert place(store, other, "h", "EMAIL")[1], "two organizations share their ids"


def test_what_is_used_and_held_and_asked_stays_within_the_cap_to_the_unit(store):
    organization = founded(store, messages=10)
    record(store, organization, {"id": "1", "channel": "PUSH", "quantity": 4})
    place(store, organization, "a", "EMAIL", 4)
    with pytest.raises(UsageLimitExceeded) as refusal:
        place(store, organization, "b", "SLACK", 3)
    assert refusal.value.message == (
        "The message cap of 10 has no room for 3 more, with 4 used and 4 held. The cycle ends at 2026-12-01T00:00:00Z."
    )
    with pytest.raises(NotFound):
        holds.get(store, organization.number, "b")
    place(store, organization, "b", "SLACK", 2)
    place(store, organization, "sms", "SMS", 10**6)
    assert standing(store, organization, "messageCap") == (4, 6)
    release(store, organization, "a")
    place(store, organization, "c", "EMAIL", 4)
    assert standing(store, organization, "messageCap") == (4, 6)


def test_with_a_budget_cap_the_caller_estimates_what_has_a_cost(store):
    organization = founded(store, budget_nano_usd=USD)
    for channel in ("SMS", "CALL"):
        with pytest.raises(InvalidRequest) as refusal:
            place(store, organization, channel, channel)
        assert [fault.pointer for fault in refusal.value.faults] == ["/estimatedCost"]
    place(store, organization, "a", "EMAIL")
    place(store, organization, "b", "SMS", 1, USD)
    place(store, organization, "c", "CALL", 1, 0)
    with pytest.raises(UsageLimitExceeded, match=r"room for 0\.000000001 USD more, with 0 USD used and 1 USD held"):
        place(store, organization, "d", "CALL", 1, 1)
    without = founded(store, channels={"SMS": 1})
    place(store, without, "a", "SMS")


def test_a_hold_counts_until_the_instant_of_its_expiry_and_nothing_sweeps_it(store):
    organization = founded(store, messages=1)
    place(store, organization, "h", ttl_seconds=60)
    expiry = NOON + timedelta(seconds=60)
    with pytest.raises(UsageLimitExceeded):
        place(store, organization, "next", now=expiry - TICK)
    assert standing(store, organization, "messageCap", expiry - TICK) == (0, 1)
    assert standing(store, organization, "messageCap", expiry) == (0, 0)
    place(store, organization, "next", now=expiry)
    assert holds.get(store, organization.number, "h").state_at(expiry) == "expired"


def test_settling_frees_the_hold_and_records_the_event_and_does_so_once(store):
    organization = founded(store, messages=5)
    place(store, organization, "h", "EMAIL", 3)
    settled = settle(store, organization, "h", quantity=2, metadata={"a": "b"})
    assert (settled.state_at(EXPIRY), settled.ended_at, settled.event) == ("settled", NOON, ("api", "h"))
    for now in (NOON, EXPIRY + timedelta(days=1)):
        assert settle(store, organization, "h", now, quantity=2, metadata={"a": "b"}) == settled
    assert standing(store, organization, "messageCap") == (2, 0)
    assert entry(store, organization, "h").event.quantity == 2
    check(store, organization)


def test_settling_again_with_other_content_is_a_conflict_and_records_nothing(store):
    organization = founded(store)
    place(store, organization, "h", "SMS", 1, USD)
    settled = settle(store, organization, "h", cost="0.5")
    for other in ({"cost": "0.6"}, {"cost": "0.5", "quantity": 2}, {"cost": "0.5", "eventId": "other"}, {}):
        with pytest.raises(Conflict):
            settle(store, organization, "h", **other)
    assert holds.get(store, organization.number, "h") == settled
    assert read(store, organization).counters["SMS"] == Counter("SMS", 1, USD // 2, 0)
    check(store, organization)


@pytest.mark.parametrize(("now", "after"), [(EXPIRY - TICK, False), (EXPIRY, True), (EXPIRY + timedelta(days=2), True)])
def test_what_is_settled_after_the_expiry_is_recorded_and_says_so(sqlite_store, now, after):
    organization = founded(sqlite_store, messages=1)
    place(sqlite_store, organization, "h")
    told = settle(sqlite_store, organization, "h", now).to_json(now)
    assert (told["state"], told["settledAfterExpiry"]) == ("settled", after)
    assert read(sqlite_store, organization, now).messages == 1


def test_a_settlement_above_what_was_held_is_a_fact_and_is_recorded(store):
    organization = founded(store, budget_nano_usd=USD, channels={"SMS": 1})
    place(store, organization, "h", "SMS", 1, USD)
    settle(store, organization, "h", quantity=9, cost="7")
    assert read(store, organization).counters["SMS"] == Counter("SMS", 9, 7 * USD, 0)
    with pytest.raises(UsageLimitExceeded, match="with 7 USD used and 0 USD held"):
        place(store, organization, "next", "CALL", 1, 0)


def test_a_hold_is_settled_into_no_event_that_was_recorded_without_it(store):
    organization = founded(store)
    place(store, organization, "h", "SMS", 2)
    record(store, organization, {"id": "sent", "channel": "SMS", "quantity": 2, "cost": "1"})
    with pytest.raises(Conflict, match="known already with other content"):
        settle(store, organization, "h", eventId="sent", cost="2")
    with pytest.raises(Conflict, match="recorded before, without this hold"):
        settle(store, organization, "h", eventId="sent", cost="1")
    assert holds.get(store, organization.number, "h").state == "held"
    assert read(store, organization).counters["SMS"] == Counter("SMS", 2, USD, 0)
    check(store, organization)


def test_two_holds_are_not_settled_into_one_event(store):
    organization = founded(store)
    for hold_id in ("a", "b"):
        place(store, organization, hold_id, "SMS", 10)
    settle(store, organization, "a", eventId="one", cost="1")
    with pytest.raises(Conflict, match="recorded before, without this hold"):
        settle(store, organization, "b", eventId="one", cost="1")
    assert settle(store, organization, "a", eventId="one", cost="1").state == "settled"
    assert read(store, organization).counters["SMS"].quantity == 10


def test_what_was_sent_before_it_was_asked_for_is_not_settled_into_a_cycle_that_no_cap_looked_at(store):
    organization = founded(store, messages=1)
    december = datetime(2026, 12, 1, tzinfo=UTC)
    place(store, organization, "h", now=december)
    with pytest.raises(InvalidRequest) as refusal:
        settle(store, organization, "h", december, occurredAt="2026-11-30T23:59:59Z")
    assert [fault.pointer for fault in refusal.value.faults] == ["/occurredAt"]
    assert settle(store, organization, "h", december, occurredAt="2026-12-01T00:00:00Z").state == "settled"
    place(store, organization, "later", "SMS", now=december + timedelta(hours=1))
    with pytest.raises(InvalidRequest, match="1 fault"):
        settle(store, organization, "later", december + timedelta(hours=1), occurredAt="2026-12-01T00:54:59Z")
    settle(store, organization, "later", december + timedelta(hours=1), occurredAt="2026-12-01T00:55:00Z")


def test_without_a_cap_that_refuses_no_estimate_is_wanted(store):
    organization = founded(store, budget_nano_usd=USD, enforcement="observe")
    assert place(store, organization, "h", "SMS")[1]


def test_what_an_earlier_cycle_got_back_buys_no_room_in_this_one(store):
    organization = founded(store, messages=10)
    record(store, organization, {"id": "mail", "channel": "EMAIL", "quantity": 500})
    later = NOON + timedelta(days=30)
    corrections.void(store, organization.number, ("api", "mail"), "a mistake", later, by="test")
    (standing,) = limits.get(store, organization.number, later).standings
    assert (standing.used, standing.remaining) == (-500, 10)
    with pytest.raises(UsageLimitExceeded):
        place(store, organization, "h", "EMAIL", 11, now=later)
    place(store, organization, "h", "EMAIL", 10, now=later)


def test_what_an_earlier_cycle_got_back_buys_no_room_in_any_number_of_decisions(store):
    organization = founded(store, messages=100, budget_nano_usd=100 * USD, channels={"PUSH": 100})
    record(store, organization, {"id": "mail", "channel": "PUSH", "quantity": 1_000})
    record(store, organization, {"id": "sms", "channel": "SMS", "cost": "1000"})
    later = NOON + timedelta(days=30)
    for event_id in ("mail", "sms"):
        corrections.void(store, organization.number, ("api", event_id), "a mistake", later, by="test")
    for channel, quantity, cost in (("PUSH", 100, None), ("CALL", 1, 100 * USD)):
        place(store, organization, channel, channel, quantity, cost, now=later)
        settle(store, organization, channel, later, **({"cost": "100"} if cost else {}))
        with pytest.raises(UsageLimitExceeded, match=r"with 100.* used and 0"):
            place(store, organization, "next", channel, 1, cost and 1, now=later)
    assert {(each.used, each.returned, each.remaining) for each in standings(store, organization, later)} == {
        (-900, 1_000, 0),
        (-900 * USD, 1_000 * USD, 0),
    }
    check(store, organization)


def test_a_late_cost_that_is_raised_and_lowered_again_returns_what_it_lowered_below_the_closed_cycles_own(store):
    organization = founded(store, budget_nano_usd=100 * USD)
    record(store, organization, {"id": "sms", "channel": "SMS", "cost": "50"})
    later = NOON + timedelta(days=30)
    for cost, used, returned in ((950, 900, 0), (55, 5, 0), (20, -30, 30), (50, 0, 0)):
        corrections.settle(store, organization.number, ("api", "sms"), cost * USD, None, later, by="test")
        (standing,) = standings(store, organization, later)
        assert (standing.used, standing.returned) == (used * USD, returned * USD)
        check(store, organization)


def test_what_is_settled_into_the_next_cycle_takes_its_room_at_once(store):
    """Within its last five minutes, what is sent may be reported to have occurred in the next cycle."""
    organization = founded(store, messages=100)
    place(store, organization, "first", "EMAIL", 100, now=NEARLY_DECEMBER)
    settle(store, organization, "first", NEARLY_DECEMBER, occurredAt=text(DECEMBER + TICK))
    assert standing(store, organization, "messageCap", NEARLY_DECEMBER) == (0, 100)
    with pytest.raises(UsageLimitExceeded, match="with 0 used and 100 held"):
        place(store, organization, "second", "EMAIL", 1, now=NEARLY_DECEMBER)
    assert standing(store, organization, "messageCap", DECEMBER + TICK) == (100, 0)
    check(store, organization)


def test_an_event_of_the_next_cycle_and_its_estimate_take_room_from_this_one(store):
    organization = founded(store, messages=10, budget_nano_usd=10 * USD)
    record(
        store,
        organization,
        {"id": "mail", "channel": "EMAIL", "quantity": 4, "occurredAt": text(DECEMBER)},
        {"id": "call", "channel": "CALL", "cost": "3", "occurredAt": text(DECEMBER)},
        now=NEARLY_DECEMBER,
    )
    place(store, organization, "pending", "SMS", 1, 2 * USD, now=NEARLY_DECEMBER)
    settle(store, organization, "pending", NEARLY_DECEMBER, occurredAt=text(DECEMBER))
    assert standing(store, organization, "messageCap", NEARLY_DECEMBER) == (0, 4)
    assert standing(store, organization, "budgetCap", NEARLY_DECEMBER) == (0, 5 * USD)


def test_a_request_that_waited_for_another_writer_is_judged_by_the_cycle_that_runs_at_its_turn(store, clock):
    organization = founded(store, messages=100)
    clock.now = DECEMBER - TICK
    writing, midnight_passed = threading.Event(), threading.Event()

    def slow_writer():
        """Fill the new cycle, in a transaction that keeps others waiting across midnight."""

        def work():
            stored_organizations.lock(store, organization.number)
            writing.set()
            assert midnight_passed.wait(20)
            place(store, organization, "slow", "EMAIL", 100, now=DECEMBER)
            settle(store, organization, "slow", DECEMBER)

        store.together([lambda: store.write(work), lambda: None])

    def waiting():
        assert writing.wait(20)
        return holds.place(store, organization.number, ask("waited", "EMAIL", 100), clock)

    with ThreadPoolExecutor(2) as threads:
        writer, waiter = threads.submit(slow_writer), threads.submit(waiting)
        assert writing.wait(20)
        clock.now = DECEMBER
        midnight_passed.set()
        writer.result(20)
        with pytest.raises(UsageLimitExceeded, match="2027-01-01"):
            waiter.result(20)


def test_the_instant_of_a_decision_never_goes_back_while_clocks_differ_by_less_than_five_minutes(store):
    organization = founded(store, messages=100)
    ahead, behind = DECEMBER + timedelta(seconds=3), DECEMBER - timedelta(seconds=3)
    place(store, organization, "by the one ahead", "EMAIL", 100, now=ahead)
    settled = settle(store, organization, "by the one ahead", behind)
    assert (settled.placed_at, settled.ended_at) == (ahead, ahead)
    assert entry(store, organization, "by the one ahead").place.cycle.start == DECEMBER
    with pytest.raises(UsageLimitExceeded, match="2027-01-01"):
        place(store, organization, "by the one behind", "EMAIL", 1, now=behind)
    assert standing(store, organization, "messageCap", behind) == (100, 0)


def test_a_hold_that_one_server_found_expired_stays_expired_for_a_server_whose_clock_is_behind(store):
    organization = founded(store, messages=1)
    place(store, organization, "h", ttl_seconds=60)
    place(store, organization, "next", now=NOON + timedelta(seconds=60))
    settled = settle(store, organization, "h", NOON + timedelta(seconds=54)).to_json(NOON)
    assert settled["settledAfterExpiry"] is True


def test_a_clock_that_was_set_right_by_more_than_five_minutes_is_followed_and_no_hold_changes_its_cycle(store):
    organization = founded(store, messages=100)
    wrong, right = DECEMBER + timedelta(hours=1), NEARLY_DECEMBER
    place(store, organization, "h", "EMAIL", 60, now=wrong)
    place(store, organization, "next", "EMAIL", 40, now=right)
    assert holds.get(store, organization.number, "next").placed_at == right
    assert settle(store, organization, "h", right).ended_at == wrong
    assert entry(store, organization, "h").place.cycle.start == DECEMBER
    with pytest.raises(UsageLimitExceeded, match="with 0 used and 100 held"):
        place(store, organization, "more", now=right)


def test_releasing_frees_the_hold_once_and_ends_it_for_ever(store):
    organization = founded(store, messages=1)
    place(store, organization, "h")
    released = release(store, organization, "h")
    assert release(store, organization, "h", EXPIRY) == released
    assert (released.state, released.ended_at) == ("released", NOON)
    with pytest.raises(Conflict, match="Hold h was released"):
        settle(store, organization, "h")
    assert read(store, organization).messages == 0
    place(store, organization, "next")
    settle(store, organization, "next")
    with pytest.raises(Conflict, match="settled into the event next of source api"):
        release(store, organization, "next")


def test_a_hold_that_there_is_not_is_not_found(store):
    organization, other = founded(store), founded(store)
    place(store, other, "h")
    for call in (settle, release, lambda store, organization, hold_id: holds.get(store, organization.number, hold_id)):
        with pytest.raises(NotFound, match="no hold 'h'"):
            call(store, organization, "h")


@pytest.mark.parametrize(
    ("channel", "settlement", "refused", "pointer"),
    [
        ("EMAIL", {"cost": "0"}, Conflict, "/cost"),
        ("SMS", {"occurredAt": "2026-11-20T12:06:00Z"}, InvalidRequest, ""),
    ],
)
def test_a_settlement_that_is_refused_leaves_the_hold_held(store, channel, settlement, refused, pointer):
    organization = founded(store)
    place(store, organization, "h", channel)
    with pytest.raises(refused) as refusal:
        settle(store, organization, "h", **settlement)
    assert [fault.pointer for fault in refusal.value.faults] == [pointer]
    assert holds.get(store, organization.number, "h").state == "held"
    with pytest.raises(NotFound):
        entry(store, organization, "h")


def test_an_estimate_counts_towards_the_budget_until_the_cost_is_known(store):
    organization = founded(store, budget_nano_usd=10 * USD)
    place(store, organization, "h", "SMS", 1, 6 * USD)
    settle(store, organization, "h", provider="telnyx")
    assert standing(store, organization, "budgetCap", EXPIRY) == (0, 6 * USD)
    with pytest.raises(UsageLimitExceeded, match="with 0 USD used and 6 USD held"):
        place(store, organization, "next", "CALL", 1, 5 * USD, now=EXPIRY)
    corrections.settle(store, organization.number, ("api", "h"), 4 * USD, None, EXPIRY, by="test")
    assert standing(store, organization, "budgetCap", EXPIRY) == (4 * USD, 0)
    place(store, organization, "next", "CALL", 1, 6 * USD, now=EXPIRY)
    check(store, organization)


def test_an_estimate_is_gone_with_the_event_that_is_voided_and_with_the_cycle(store):
    organization = founded(store, budget_nano_usd=10 * USD)
    for hold_id in ("a", "b"):
        place(store, organization, hold_id, "SMS", 1, 5 * USD)
        settle(store, organization, hold_id)
    corrections.void(store, organization.number, ("api", "a"), "never sent", NOON, by="test")
    assert standing(store, organization, "budgetCap") == (0, 5 * USD)
    assert standing(store, organization, "budgetCap", NOON + timedelta(days=11)) == (0, 0)
    check(store, organization)


def test_a_hold_goes_on_counting_in_the_next_cycle_where_its_event_will_be(store):
    organization = founded(store, messages=1)
    end = NOON.replace(day=30, hour=23, minute=59)
    place(store, organization, "h", now=end)
    later = end + timedelta(minutes=2)
    with pytest.raises(UsageLimitExceeded, match=r"with 0 used and 1 held.*2027-01-01"):
        place(store, organization, "next", now=later)
    settle(store, organization, "h", later)
    assert (read(store, organization, end).messages, read(store, organization, later).messages) == (0, 1)


def test_holds_add_up_to_no_more_than_a_counter_holds(store):
    organization = founded(store)
    place(store, organization, "a", "EMAIL", 2**53 - 2)
    place(store, organization, "b", "PUSH", 1)
    with pytest.raises(InvalidRequest, match="would hold more than"):
        place(store, organization, "c", "SMS", 1)
    other = founded(store)
    place(store, other, "a", "SMS", 1, holds.MOST_NANO_USD)
    with pytest.raises(InvalidRequest, match="would hold more than"):
        place(store, other, "b", "CALL", 1, 1)


def test_estimates_of_settled_holds_never_pass_what_a_counter_holds(store):
    """Expired holds are not held any more, and each brings its estimate when it is settled all the same."""
    organization = founded(store)
    for number in range(2):
        place(store, organization, f"h{number}", "SMS", 1, holds.MOST_NANO_USD, now=NOON + number * (EXPIRY - NOON))
    settle(store, organization, "h0", EXPIRY)
    with pytest.raises(InvalidRequest, match="would pass what a counter holds"):
        settle(store, organization, "h1", EXPIRY)
    check(store, organization)


def test_threads_that_ask_at_once_are_admitted_as_far_as_there_is_room(store):
    organization = founded(store, messages=7)
    together = threading.Barrier(4)

    def work(sender):
        together.wait(20)
        admitted = 0
        for number in range(5):
            try:
                place(store, organization, f"{sender}-{number}")
                admitted += 1
            except UsageLimitExceeded:
                pass
        return admitted

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(work, range(4))) == 7
