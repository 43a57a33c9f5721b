"""Corrections: an open cycle is made right, a closed one never changes, and each correction is made once."""

from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest

from sendmeter.domain.ledger import SETTLE, VOID
from sendmeter.domain.usage import Counter
from sendmeter.errors import Conflict, InvalidRequest, NotFound, ProviderFailed
from sendmeter.services import corrections, usage
from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.live import NOON
from tests.services.use_cases import TICK, USD, check, entry, fail, founded, read, record, rows

NOVEMBER_ENDS = datetime(2026, 12, 1, tzinfo=UTC)
CLOSING = NOVEMBER_ENDS + timedelta(hours=72)
OPEN, CLOSED = CLOSING - TICK, CLOSING


def void(store, organization, event_id, now=NOON, source="api"):
    return corrections.void(store, organization.number, (source, event_id), "never sent", now, by="key_1")


def settle(store, organization, event_id, cost, now=NOON, reason=None):
    return corrections.settle(store, organization.number, ("api", event_id), cost, reason, now, by="key_1")


def counted(store, organization):
    return rows(store, "cycle_counters", organization), rows(store, "day_counters", organization)


def test_a_void_takes_the_event_back_where_it_was_counted(store):
    organization = founded(store)
    record(store, organization, "kept", {"id": "e", "channel": "CALL", "quantity": 3, "cost": "0.5"})
    taken = void(store, organization, "e")
    assert taken == entry(store, organization, "e")
    assert (taken.cost_nano_usd, taken.void.reason, taken.void.made_by) == (0, "never sent", "key_1")
    assert not taken.void.place.late
    assert taken.void.correction_id.startswith("cor_")
    assert (read(store, organization).messages, read(store, organization).counters["CALL"].quantity) == (1, 0)
    assert {row[3:] for row in rows(store, "day_counters", organization) if row[2] == "CALL"} == {(0, 0, 0, 0)}
    check(store, organization)


def test_corrections_are_counted_from_one(store):
    organization = founded(store)
    record(store, organization, {"id": "e", "channel": "SMS"})
    settle(store, organization, "e", 5)
    void(store, organization, "e")
    assert [each.number for each in entry(store, organization, "e").corrections] == [1, 2]


def test_a_voided_event_is_voided_once_and_settled_no_more_and_its_id_stays_used(store):
    organization = founded(store)
    record(store, organization, {"id": "e", "channel": "SMS"})
    taken = void(store, organization, "e")
    with pytest.raises(Conflict, match=r"Event e of source api was voided at 2026-11-20T12:00:00Z"):
        void(store, organization, "e", NOON + timedelta(days=1))
    with pytest.raises(Conflict, match="was voided"):
        settle(store, organization, "e", 5)
    assert record(store, organization, {"id": "e", "channel": "SMS"}).duplicates == 1
    assert entry(store, organization, "e") == taken
    assert read(store, organization).counters["SMS"] == Counter("SMS", 0, 0, 0)
    check(store, organization)


def test_settling_makes_a_pending_cost_known_and_the_same_cost_again_is_no_correction(store):
    organization = founded(store)
    record(store, organization, {"id": "e", "channel": "SMS", "provider": "telnyx"})
    first = settle(store, organization, "e", USD, reason="the bill")
    assert settle(store, organization, "e", USD, NOON + timedelta(days=1), reason="again") == first
    assert [(each.number, each.kind, each.reason) for each in first.corrections] == [(1, SETTLE, "the bill")]
    assert first.corrections[0].correction_id.startswith("cor_")
    assert read(store, organization).counters["SMS"] == Counter("SMS", 1, USD, 0)
    assert rows(store, "pending_costs", organization) == []
    check(store, organization)


def test_settling_another_cost_adds_the_difference_also_down_to_nothing_and_a_void_takes_the_last(store):
    organization = founded(store)
    record(store, organization, {"id": "e", "channel": "CALL", "cost": "2"})
    for cost in (3 * USD, 0, 7):
        assert settle(store, organization, "e", cost).cost_nano_usd == cost
        assert read(store, organization).cost_nano_usd == cost
    taken = void(store, organization, "e")
    assert [each.amounts.cost_nano_usd for each in taken.corrections] == [USD, -3 * USD, 7, -7]
    assert [each.kind for each in taken.corrections] == [SETTLE] * 3 + [VOID]
    check(store, organization)


def test_until_a_cycle_closes_corrections_are_booked_into_it(store):
    organization = founded(store)
    record(store, organization, {"id": "v", "channel": "EMAIL"}, {"id": "s", "channel": "SMS"})
    assert not void(store, organization, "v", OPEN).void.place.late
    assert not settle(store, organization, "s", USD, OPEN).corrections[0].place.late
    assert read(store, organization, NOON).counters["SMS"] == Counter("SMS", 1, USD, 0)
    assert read(store, organization, NOON).messages == read(store, organization, OPEN).messages == 0
    assert read(store, organization, OPEN).cost_nano_usd == 0
    check(store, organization)


def test_once_a_cycle_is_closed_corrections_are_booked_into_the_running_one_and_nothing_of_it_changes(store):
    organization = founded(store)
    record(store, organization, {"id": "v", "channel": "EMAIL", "quantity": 5}, {"id": "s", "channel": "SMS"})
    record(store, organization, {"id": "c", "channel": "CALL", "cost": "3"})
    before = counted(store, organization)
    for taken in (void(store, organization, "v", CLOSED), void(store, organization, "c", CLOSED)):
        assert taken.void.place.late
        assert taken.void.place.cycle.start == NOVEMBER_ENDS
    settle(store, organization, "s", USD, CLOSED)
    after = counted(store, organization)
    assert [set(old) <= set(new) for old, new in zip(before, after, strict=True)] == [True, True]
    december = read(store, organization, CLOSED)
    assert december.counters["EMAIL"] == Counter("EMAIL", -5, 0, 0, returned_quantity=5)
    assert december.counters["CALL"] == Counter("CALL", -1, -3 * USD, 0, 0, 1, 3 * USD)
    assert december.counters["SMS"] == Counter("SMS", 0, USD, 0)
    assert read(store, organization, NOON).pending == 1, "what was told of the closed cycle changed"
    assert rows(store, "pending_costs", organization) == []
    assert len(after[1]) == len(before[1]) + 3, "the days are not those of the corrections"
    check(store, organization)


def test_a_cost_settled_late_is_owed_no_more_though_the_closed_cycle_goes_on_telling_it_pending(store):
    organization = founded(store)
    record(store, organization, {"id": "s", "channel": "SMS", "provider": "telnyx"})
    fail(store, organization.number, "telnyx", "10009", NOON)
    days = date(2026, 11, 1), date(2026, 11, 30)
    asked = (organization.number, *days, "billing", CLOSED)
    with pytest.raises(ProviderFailed):
        usage.history(store, *asked, known_costs=False, grace_seconds=0)
    settle(store, organization, "s", USD, CLOSED)
    (period,) = usage.history(store, *asked, known_costs=False, grace_seconds=0)
    assert period.usage.counters["SMS"] == Counter("SMS", 1, 0, 1)


def test_a_late_event_is_corrected_in_the_cycle_that_it_is_booked_into(store):
    organization = founded(store, starts_at=datetime(2026, 1, 1, tzinfo=UTC))
    record(store, organization, {"id": "e", "channel": "SMS", "occurredAt": "2026-09-05T00:00:00Z"})
    settle(store, organization, "e", USD, OPEN)
    assert read(store, organization, NOON).counters["SMS"] == Counter("SMS", 1, USD, 0)
    taken = void(store, organization, "e", CLOSED)
    assert [each.place.late for each in taken.corrections] == [False, True]
    assert read(store, organization, CLOSED).counters["SMS"] == Counter("SMS", -1, -USD, 0, 0, 1, USD)
    check(store, organization)


def test_settled_late_and_then_voided_all_of_it_is_taken_back(store):
    organization = founded(store)
    record(store, organization, {"id": "e", "channel": "SMS"})
    settle(store, organization, "e", USD, CLOSED)
    void(store, organization, "e", CLOSED + timedelta(days=60))
    assert read(store, organization, CLOSED).counters["SMS"] == Counter("SMS", 0, USD, 0)
    assert read(store, organization, CLOSED + timedelta(days=60)).counters["SMS"] == Counter(
        "SMS", -1, -USD, 0, 0, 1, USD
    )
    check(store, organization)


def test_what_is_not_there_or_has_no_cost_is_not_corrected(store):
    organization, other = founded(store), founded(store)
    record(store, other, "e")
    for call in (void, lambda *arguments: settle(*arguments, 5)):
        with pytest.raises(NotFound, match="no event 'e' of source 'api'"):
            call(store, organization, "e")
    record(store, organization, "e")
    with pytest.raises(NotFound):
        void(store, organization, "e", source="gateway")
    with pytest.raises(Conflict, match="has no cost to set") as refusal:
        settle(store, organization, "e", 0)
    assert [fault.pointer for fault in refusal.value.faults] == ["/cost"]
    assert entry(store, organization, "e").corrections == ()


def test_an_event_has_a_bounded_number_of_corrections_and_can_be_voided_all_the_same(sqlite_store, monkeypatch):
    monkeypatch.setattr(corrections, "MOST_CORRECTIONS", 3)
    organization = founded(sqlite_store)
    record(sqlite_store, organization, {"id": "e", "channel": "SMS"})
    for cost in (1, 2, 3):
        settle(sqlite_store, organization, "e", cost)
    with pytest.raises(Conflict, match="as many as there may be"):
        settle(sqlite_store, organization, "e", 4)
    assert settle(sqlite_store, organization, "e", 3).cost_nano_usd == 3
    assert len(void(sqlite_store, organization, "e").corrections) == 4
    check(sqlite_store, organization)


def test_a_correction_that_a_counter_cannot_hold_is_refused_whole(store):
    organization = founded(store)
    record(store, organization, {"id": "a", "channel": "SMS", "cost": "999999"}, {"id": "b", "channel": "SMS"})
    settle(store, organization, "b", 9 * 10**18 - 999_999 * USD)
    with pytest.raises(InvalidRequest, match="would pass what a counter holds"):
        settle(store, organization, "a", 999_999 * USD + 1)
    assert entry(store, organization, "a").corrections == ()
    check(store, organization)


class RunAgain(Store):
    """A store that runs each unit of work again, as after a commit in doubt, when somebody else has come between."""

    between = None

    def write(self, work):
        done = super().write(work)
        if self.between is None:
            return done
        between, self.between = self.between, None
        between()
        return super().write(work)


def test_a_settlement_that_is_run_again_does_not_undo_what_somebody_else_settled_meanwhile(database_url):
    store = RunAgain(database_url)
    if store.is_sqlite:
        upgrade(store)
    with closing(store):
        organization = founded(store)
        record(store, organization, {"id": "s", "channel": "SMS"})
        store.between = lambda: settle(store, organization, "s", 6 * USD)
        settle(store, organization, "s", 5 * USD)
        assert entry(store, organization, "s").cost_nano_usd == 6 * USD
        assert len(entry(store, organization, "s").corrections) == 2
        check(store, organization)
