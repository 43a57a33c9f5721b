"""A backfill books where things belong, closed or not, and whoever ran it stands in the audit log with it."""

from datetime import UTC, datetime

import pytest

from sendmeter.domain.cycles import Cycle
from sendmeter.domain.usage import Counter
from sendmeter.errors import Conflict, InvalidRequest
from tests.live import NOON
from tests.services.use_cases import TICK, USD, check, entry, founded, log, read, record, rows

START = datetime(2024, 1, 1, tzinfo=UTC)
OLD = {"id": "old", "channel": "SMS", "cost": "2", "occurredAt": "2024-02-29T12:00:00Z"}
OLDER = {"id": "older", "channel": "EMAIL", "quantity": 3, "occurredAt": "2024-01-01T00:00:00Z"}
FEBRUARY = Cycle(datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))


def backfill(store, organization, *batch):
    return record(store, organization, *batch, backfilled_by="cli:ann")


def test_closed_cycles_get_what_belongs_to_them_and_the_log_tells_who_put_it_there(store):
    organization = founded(store, starts_at=START)
    recorded = backfill(store, organization, OLD, OLDER, "new")
    assert (recorded.accepted, recorded.late) == (3, 0)
    assert read(store, organization, FEBRUARY.start).counters["SMS"] == Counter("SMS", 1, 2 * USD, 0)
    assert read(store, organization, START).messages == 3
    assert read(store, organization, NOON).messages == 1
    assert entry(store, organization, "old").place.cycle == FEBRUARY
    starts = ["2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", "2026-11-01T00:00:00Z"]
    assert log(store, organization) == [("cli:ann", "events.backfilled", {"events": 3, "billingCycles": starts})]
    check(store, organization)


def test_what_is_backfilled_again_is_a_duplicate_and_only_what_is_new_is_told(store):
    organization = founded(store, starts_at=START)
    backfill(store, organization, OLD)
    assert backfill(store, organization, OLD, OLD).duplicates == 2
    assert len(log(store, organization)) == 1
    assert backfill(store, organization, OLD, OLDER).accepted == 1
    told = {"events": 1, "billingCycles": ["2024-01-01T00:00:00Z"]}
    assert ("cli:ann", "events.backfilled", told) in log(store, organization)
    assert len(log(store, organization)) == 2
    check(store, organization)


def test_what_was_booked_late_stays_where_it_is_when_it_is_backfilled(store):
    organization = founded(store, starts_at=START)
    late = {"id": "e", "channel": "PUSH", "occurredAt": "2026-09-05T00:00:00Z"}
    assert record(store, organization, late).late == 1
    assert backfill(store, organization, late).duplicates == 1
    assert read(store, organization, NOON).messages == 1
    assert log(store, organization) == []
    check(store, organization)


@pytest.mark.parametrize(
    ("bad", "refusal"),
    [
        ({**OLD, "quantity": 2}, Conflict),
        ({**OLDER, "occurredAt": "2023-12-31T23:59:59.999999Z"}, InvalidRequest),
        ({**OLDER, "occurredAt": "2026-11-20T12:05:00.000001Z"}, InvalidRequest),
    ],
)
def test_a_backfill_that_is_refused_leaves_neither_events_nor_cycles_nor_a_word_in_the_log(store, bad, refusal):
    organization = founded(store, starts_at=START)
    backfill(store, organization, OLD)
    before = rows(store, "cycles", organization), rows(store, "events", organization), log(store, organization)
    with pytest.raises(refusal):
        backfill(store, organization, {"id": "fine", "channel": "PUSH", "occurredAt": "2025-05-05T00:00:00Z"}, bad)
    assert before == (
        rows(store, "cycles", organization),
        rows(store, "events", organization),
        log(store, organization),
    )
    check(store, organization)


def test_a_backfill_that_a_counter_cannot_hold_is_not_told(sqlite_store):
    organization = founded(sqlite_store, starts_at=START)
    statement = "UPDATE cycle_counters SET quantity = 9007199254740991 WHERE channel = 'EMAIL'"
    backfill(sqlite_store, organization, OLDER)
    sqlite_store.write(lambda: sqlite_store.execute(statement))
    with pytest.raises(InvalidRequest, match="would pass what a counter holds"):
        backfill(sqlite_store, organization, {**OLDER, "id": "more"})
    assert len(log(sqlite_store, organization)) == 1


def test_without_a_backfill_nothing_is_booked_into_a_closed_cycle_or_told(store):
    organization = founded(store, starts_at=START)
    with pytest.raises(InvalidRequest, match="1 fault"):
        record(store, organization, OLD)
    assert record(store, organization, {**OLD, "occurredAt": "2026-10-31T23:59:59Z"}).late == 1
    assert read(store, organization, datetime(2026, 11, 1, tzinfo=UTC) - TICK).cost_nano_usd == 0
    assert read(store, organization, NOON).cost_nano_usd == 2 * USD
    assert log(store, organization) == []
    check(store, organization)
