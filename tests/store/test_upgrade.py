"""A database of the first version, with data in it, becomes one of this version and nothing of it is lost."""

import json
import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor, Schedule
from sendmeter.domain.ids import organization_number
from sendmeter.domain.instants import microseconds
from sendmeter.domain.receipts import Receipt
from sendmeter.domain.usage import Counter
from sendmeter.services import corrections, events, limits, organizations, receipts, usage
from sendmeter.services.events import Search
from sendmeter.services.organizations import Change
from sendmeter.services.verify import differences
from sendmeter.store import Store, messages
from sendmeter.store.schema import MIGRATIONS, state_of, upgrade
from tests.live import NOON

STARTS = datetime(2026, 11, 15, 5, tzinfo=UTC)
ENDS = datetime(2026, 12, 15, 5, tzinfo=UTC)
IDS = ("org_06gvhkva01ovv3pifufgl88ik4", "org_06gvhkva02qvv3pj00000000k4")
MESSAGE = {"provider": "twilio", "provider_message_id": "SM1"}
ANCHORS = (Anchor(15, "America/New_York"), Anchor(31, "America/Argentina/Buenos_Aires"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store(request, tmp_path):
    """A store whose database has no tables, on each database."""
    postgresql = request.param == "postgresql"
    url = request.getfixturevalue("empty_postgres_url") if postgresql else f"sqlite:///{tmp_path}/old.db"
    with closing(Store(url)) as store:
        yield store


@pytest.fixture
def first_version(empty_store, tmp_path, monkeypatch):
    """A store with the tables of the first migration alone, with two organizations and their traffic."""
    _upgrade_to(empty_store, "0001_first_tables", tmp_path, monkeypatch)
    empty_store.write(lambda: _fill(empty_store))
    return empty_store


def _upgrade_to(store, last, tmp_path, monkeypatch):
    """Apply the migrations up to one of them, as the version that released it does."""
    older = tmp_path / "older"
    older.mkdir()
    for path in MIGRATIONS.glob("0*.py"):
        if path.stem <= last:
            shutil.copy(path, older)
    with monkeypatch.context() as patched:
        patched.setattr("sendmeter.store.schema.MIGRATIONS", older)
        assert upgrade(store)[-1] == last


def _insert(store, table, **row):
    places = ", ".join("?" * len(row))
    store.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", list(row.values()))


def _fill(store):
    numbers = [organization_number(each) for each in IDS]
    at, start = microseconds(NOON), microseconds(STARTS)
    for number, public_id, anchor, caps in zip(numbers, IDS, ANCHORS, ('{"SMS": 3}', None), strict=True):
        _insert(
            store,
            "organizations",
            organization_id=number,
            public_id=public_id,
            name="Zürich ✓",
            anchor_day=anchor.day,
            time_zone=anchor.time_zone,
            starts_at=start,
            created_at=at,
            enforcement="lock",
            message_cap=9,
            budget_cap_nano_usd=None,
            channel_caps=caps,
        )
    _fill_ledger(store, numbers[0], at, start)


def _fill_ledger(store, number, at, start):
    """Record three events, with all that the first version counted of them."""
    _insert(
        store,
        "cycles",
        organization_id=number,
        starts_at=start,
        ends_at=microseconds(ENDS),
        anchor_day=15,
        time_zone="America/New_York",
    )
    for event_id, channel, cost in (("a", "EMAIL", None), ("b", "SMS", 5), ("c", "SMS", None)):
        key = {"organization_id": number, "source": "api", "event_id": event_id}
        _insert(
            store,
            "events",
            **key,
            channel=channel,
            quantity=2,
            cost_nano_usd=cost,
            occurred_at=at,
            recorded_at=at,
            cycle_starts_at=start,
            late=False,
            metadata=json.dumps({"a": "b"}),
            **(MESSAGE if event_id == "c" else {}),
        )
        if event_id == "c":
            _insert(store, "pending_costs", **key, **MESSAGE, cycle_starts_at=start)
    for channel, quantity, cost, pending in (("EMAIL", 2, 0, 0), ("SMS", 4, 5, 1)):
        amounts = {"channel": channel, "quantity": quantity, "cost_nano_usd": cost, "pending": pending}
        _insert(store, "cycle_counters", organization_id=number, cycle_starts_at=start, **amounts)
        _insert(
            store, "day_counters", organization_id=number, day=(NOON - datetime(1970, 1, 1, tzinfo=UTC)).days, **amounts
        )


def test_anchors_caps_and_usage_are_kept_and_everything_adds_up(first_version):
    store = first_version
    assert upgrade(store) == state_of(store).applied[1:]
    assert state_of(store).is_current
    found = [organizations.get(store, each) for each in IDS]
    assert [each.schedule for each in found] == [Schedule(anchor) for anchor in ANCHORS]
    assert [each.caps for each in found] == [
        Caps(messages=9, channels={"SMS": 3}, enforcement="lock"),
        Caps(messages=9, enforcement="lock"),
    ]
    assert {each.name for each in found} == {"Zürich ✓"}
    assert {len(each.cursor_key) for each in found} == {32}
    assert found[0].cursor_key != found[1].cursor_key
    assert [differences(store, each) for each in found] == [[], []]


def test_what_was_recorded_before_is_searched_corrected_and_added_to_afterwards(first_version):
    store = first_version
    upgrade(store)
    organization = organizations.get(store, IDS[0])
    page = events.search(store, organization.number, Search(), None, 2)
    rest = events.search(store, organization.number, Search(), page.next_cursor, 2)
    assert [each.event.event_id for each in page.items + rest.items] == ["c", "b", "a"]
    assert {each.place.cycle.end for each in page.items} == {ENDS}
    corrections.settle(store, organization.number, ("api", "c"), 7, None, NOON, by="test")
    corrections.void(store, organization.number, ("api", "b"), "never sent", NOON, by="test")
    read = usage.get(store, organization.number, NOON, known_costs=True, grace_seconds=0)
    assert read.counters["SMS"] == Counter("SMS", 2, 7, 0)
    changed = organizations.change(store, IDS[0], Change(anchor_day=1), NOON, by="test")
    assert changed.schedule.changes == ((ENDS, Anchor(1, "America/New_York")),)
    assert organizations.get(store, IDS[0]) == changed
    following = usage.get(store, organization.number, ENDS + timedelta(days=1), known_costs=True, grace_seconds=0)
    assert (following.cycle.start, following.cycle.end) == (ENDS, datetime(2027, 1, 1, 5, tzinfo=UTC))
    assert differences(store, organization) == []


def test_a_cost_that_was_pending_before_is_settled_by_what_its_provider_tells_now(first_version):
    store = first_version
    upgrade(store)
    organization = organizations.get(store, IDS[0])
    (due,) = store.read(lambda: messages.due(store, organization.number, "twilio", NOON, 10))
    assert (due.message_id, due.event, due.channel) == ("SM1", ("api", "c"), "SMS")
    receipt = Receipt("SM1", "SMS", NOON, 7)
    assert receipts.take(store, organization.number, "twilio", receipt, NOON, records=False) == "settled"
    entry = events.get(store, organization.number, ("api", "c"))
    assert (entry.pending, entry.cost_nano_usd) == (False, 7)
    assert differences(store, organization) == []


@pytest.mark.parametrize("empty_store", ["sqlite"], indirect=True)  # there, a table is told as one text
def test_an_upgraded_database_has_the_tables_of_a_new_one(first_version, tmp_path):
    store = first_version
    upgrade(store)
    with closing(Store(f"{tmp_path}/new.db")) as new:
        upgrade(new)
        told = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%schema_migration%' ORDER BY name"
        assert store.read(lambda: store.execute(told).fetchall()) == new.read(lambda: new.execute(told).fetchall())


@pytest.fixture
def third_version(empty_store, tmp_path, monkeypatch):
    """A store as the third migration leaves it, with one organization."""
    _upgrade_to(empty_store, "0003_providers", tmp_path, monkeypatch)
    row = {"public_id": IDS[0], "name": "Old", "starts_at": microseconds(STARTS), "created_at": microseconds(NOON)}
    row |= {"schedule": '[[null,15,"UTC"]]', "cursor_key": "00" * 32, "enforcement": "block", "message_cap": 100}
    number = organization_number(IDS[0])
    empty_store.write(lambda: _insert(empty_store, "organizations", organization_id=number, **row))
    return empty_store, number


def test_what_late_corrections_gave_back_before_an_upgrade_buys_no_room_after_it(third_version):
    store, number = third_version
    later = ENDS + timedelta(days=4)
    key = {"organization_id": number, "source": "api", "channel": "EMAIL"}
    nothing = {"cost_nano_usd": 0, "pending": 0, "estimated_nano_usd": 0}

    def fill():
        for starts_at, ends_at in ((STARTS, ENDS), (ENDS, ENDS + timedelta(days=31))):
            row = {"starts_at": microseconds(starts_at), "ends_at": microseconds(ends_at)}
            _insert(store, "cycles", organization_id=number, **row, anchor_day=15, time_zone="UTC")
        for event_id, quantity in (("a", 600), ("b", 400)):
            at = {"occurred_at": microseconds(NOON), "recorded_at": microseconds(NOON)}
            at["cycle_starts_at"] = microseconds(STARTS)
            _insert(store, "events", **key, event_id=event_id, quantity=quantity, late=False, **at)
            taken = {"number": 1, "correction_id": f"cor_{event_id}", "kind": "void", "made_by": "test", "late": True}
            taken |= {"booked_at": microseconds(later), "recorded_at": microseconds(later)}
            taken |= {"cycle_starts_at": microseconds(ENDS), "quantity": -quantity, **nothing}
            _insert(store, "corrections", **key, event_id=event_id, **taken)
        for starts_at, day, quantity in ((STARTS, NOON, 1_000), (ENDS, later, -1_000)):
            amounts = {"organization_id": number, "channel": "EMAIL", "quantity": quantity, **nothing}
            _insert(store, "cycle_counters", cycle_starts_at=microseconds(starts_at), **amounts)
            _insert(store, "day_counters", day=(day - datetime(1970, 1, 1, tzinfo=UTC)).days, **amounts)

    store.write(fill)
    assert upgrade(store) == ("0004_decisions",)
    (standing,) = limits.get(store, number, later).standings
    assert (standing.used, standing.returned, standing.remaining) == (-1_000, 1_000, 100)
    assert differences(store, organizations.get(store, IDS[0])) == []
