"""Another anchor counts from the end of a cycle on, whoever records meanwhile; each change is told in the audit log."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from sendmeter.domain.cycles import Anchor, Cycle
from sendmeter.errors import NotFound
from sendmeter.services import organizations
from sendmeter.services.organizations import Change
from sendmeter.store import Store
from sendmeter.store import cycles as cycle_rows
from tests.live import NOON
from tests.services.use_cases import ON_THE_FIRST, TICK, check, founded, log, read, record, rows

NOVEMBER = Cycle(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
JANUARY = datetime(2027, 1, 1, tzinfo=UTC)
TWO_TO_MIDNIGHT = NOVEMBER.end - timedelta(minutes=2)
IN_DECEMBER = {"id": "ahead", "channel": "EMAIL", "occurredAt": "2026-12-01T00:02:00Z"}


def change(store, organization, now=NOON, by="key_1", **wanted):
    return organizations.change(store, organization.organization_id, Change(**wanted), now, by=by)


def reasons(store, organization):
    """Return start, end, day, zone and reason of each written cycle."""
    return [(row[1] // 10**6, row[2] // 10**6, *row[3:]) for row in rows(store, "cycles", organization)]


def seconds(*instant):
    return int(datetime(*instant, tzinfo=UTC).timestamp())


def test_another_anchor_counts_from_the_end_of_the_running_cycle_on_and_the_row_says_why(store):
    organization = founded(store)
    changed = change(store, organization, anchor_day=20, time_zone="Asia/Kolkata")
    assert changed == organizations.get(store, organization.organization_id)
    assert changed.schedule.changes == ((NOVEMBER.end, Anchor(20, "Asia/Kolkata")),)
    assert read(store, organization, NOVEMBER.end - TICK).cycle == NOVEMBER
    across = Cycle(NOVEMBER.end, datetime(2026, 12, 19, 18, 30, tzinfo=UTC))
    assert read(store, organization, NOVEMBER.end).cycle == across
    assert read(store, organization, across.end).cycle.end == datetime(2027, 1, 19, 18, 30, tzinfo=UTC)
    record(store, organization, "e", now=NOVEMBER.end)
    assert reasons(store, organization) == [
        (seconds(2026, 11, 1), seconds(2026, 12, 1), 1, "UTC", None),
        (
            seconds(2026, 12, 1),
            seconds(2026, 12, 19, 18, 30),
            20,
            "Asia/Kolkata",
            "The anchor changed from day 1, UTC to day 20, Asia/Kolkata.",
        ),
    ]
    check(store, organization)


def test_where_the_next_cycle_is_written_already_the_anchor_counts_from_its_end(store):
    organization = founded(store)
    record(store, organization, IN_DECEMBER, now=TWO_TO_MIDNIGHT)
    changed = change(store, organization, TWO_TO_MIDNIGHT, anchor_day=20)
    assert changed.schedule.changes == ((JANUARY, Anchor(20, "UTC")),)
    assert read(store, organization, NOVEMBER.end).cycle == Cycle(NOVEMBER.end, JANUARY)
    assert read(store, organization, JANUARY).cycle == Cycle(JANUARY, datetime(2027, 1, 20, tzinfo=UTC))
    check(store, organization)


def test_of_changes_before_the_next_cycle_the_last_counts_and_taken_back_none_does(store):
    organization = founded(store)
    change(store, organization, anchor_day=20)
    zoned = change(store, organization, time_zone="Europe/Berlin")
    assert zoned.schedule.changes == ((NOVEMBER.end, Anchor(20, "Europe/Berlin")),), "the day asked for was forgotten"
    again = change(store, organization, anchor_day=5)
    assert again.schedule.changes == ((NOVEMBER.end, Anchor(5, "Europe/Berlin")),)
    back = change(store, organization, anchor_day=1, time_zone="UTC")
    assert back.schedule == organization.schedule
    record(store, organization, "e", now=NOVEMBER.end)
    assert [row[-1] for row in reasons(store, organization)] == [None, None]


def test_only_a_zone_keeps_the_day_and_only_a_day_the_zone(store):
    organization = founded(store, anchor=Anchor(15, "America/New_York"))
    assert change(store, organization, time_zone="UTC").schedule.last == Anchor(15, "UTC")
    assert change(store, organization, anchor_day=3).schedule.last == Anchor(3, "UTC")


def test_a_change_that_counts_already_is_history_and_another_counts_from_the_next_end_on(store):
    organization = founded(store)
    change(store, organization, anchor_day=20)
    later = datetime(2026, 12, 5, tzinfo=UTC)
    changed = change(store, organization, later, anchor_day=1)
    following = datetime(2026, 12, 20, tzinfo=UTC)
    assert changed.schedule.changes == ((NOVEMBER.end, Anchor(20, "UTC")), (following, ON_THE_FIRST))
    assert read(store, organization, following).cycle == Cycle(following, datetime(2027, 2, 1, tzinfo=UTC))


def test_only_what_changed_is_told_and_a_name_alone_moves_no_cycle(store):
    organization = founded(store)
    renamed = change(store, organization, name="Renamed", by="cli:ann")
    assert (renamed.name, renamed.schedule, renamed.cursor_key) == ("Renamed", *key_of(organization))
    anchors = ["day 1, UTC"]
    assert log(store, organization) == [
        (
            "cli:ann",
            "organization.changed",
            {"before": {"name": "Test", "anchors": anchors}, "after": {"name": "Renamed", "anchors": anchors}},
        )
    ]
    assert reasons(store, organization) == []
    change(store, organization, NOON + timedelta(seconds=1), anchor_day=2)
    newest = log(store, organization)[0][2]["after"]["anchors"]
    assert newest == ["day 1, UTC", "day 2, UTC, from 2026-12-01T00:00:00Z"]
    change(store, organization, NOON + timedelta(seconds=2))
    assert len(log(store, organization)) == 2


def key_of(organization):
    return organization.schedule, organization.cursor_key


def test_an_organization_that_there_is_not_is_not_changed(store):
    with pytest.raises(NotFound):
        organizations.change(store, "org_00000000000000000000000000", Change(name="x"), NOON, by="test")


def test_a_recorder_that_writes_the_next_cycle_and_a_change_of_the_anchor_come_one_after_the_other(store):
    changed_first, recorded_first = datetime(2026, 12, 20, tzinfo=UTC), JANUARY
    with ThreadPoolExecutor(2) as threads:
        for _ in range(12):
            organization = founded(store)
            record(store, organization, "before", now=TWO_TO_MIDNIGHT)
            recording = threads.submit(record, store, organization, IN_DECEMBER, now=TWO_TO_MIDNIGHT)
            changed = threads.submit(change, store, organization, TWO_TO_MIDNIGHT, anchor_day=20).result(20)
            assert recording.result(20).accepted == 1
            written = store.read(lambda made=changed: cycle_rows.around(store, made.number, NOVEMBER.start, JANUARY))
            outcome = written[-1].end, changed.schedule.changes[0][0]
            assert outcome in {(changed_first, NOVEMBER.end), (recorded_first, JANUARY)}
            assert changed.schedule.cycle_at(NOVEMBER.end, written[:1]) == written[-1]
            check(store, changed)


def test_a_recorder_that_read_the_old_anchor_waits_for_the_change_and_books_by_the_new_one(postgres_url):
    """The change is under way when the event is recorded, and commits once the recorder waits for it."""
    waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with closing(Store(postgres_url)) as store, psycopg.connect(postgres_url, autocommit=True) as watcher:
        organization = founded(store)
        record(store, organization, "before", now=TWO_TO_MIDNIGHT)
        at = {"now": TWO_TO_MIDNIGHT}
        recorder = threading.Thread(target=record, args=(store, organization, IN_DECEMBER), kwargs=at)

        def work():
            change(store, organization, TWO_TO_MIDNIGHT, anchor_day=20)
            recorder.start()
            while watcher.execute(waiting).fetchone() == (0,):
                assert recorder.is_alive(), "the recorder did not wait"

        store.write(work)
        recorder.join(20)
        assert read(store, organization, NOVEMBER.end).cycle.end == datetime(2026, 12, 20, tzinfo=UTC)
        assert read(store, organization, NOVEMBER.end).messages == 1
        check(store, organization)
