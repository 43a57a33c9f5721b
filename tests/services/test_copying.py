"""A copy is everything that the database has, counted and told while it goes on; what a server needs is said."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sendmeter.errors import Conflict, Unavailable
from sendmeter.services import copying, health
from sendmeter.store import Store
from sendmeter.store.copying import TABLES
from sendmeter.store.schema import state_of
from tests.services.use_cases import check, founded, record


@pytest.fixture
def target(tmp_path):
    made = Store(f"sqlite:///{tmp_path}/target.db")
    yield made
    made.close()


def test_a_copy_has_every_row_and_tells_how_far_it_is_from_the_first_to_the_last(sqlite_store, target):
    organization = founded(sqlite_store)
    for start in (0, 1_000):
        record(sqlite_store, organization, *(f"{number:04}" for number in range(start, start + 1_000)))
    record(sqlite_store, organization, "last")
    steps = []
    counts = copying.copy(sqlite_store, target, lambda done, of: steps.append((done, of)))
    assert tuple(counts) == TABLES
    assert counts["events"] == 2_001
    every = 2 * sum(counts.values())
    done = [each for each, _ in steps]
    assert {of for _, of in steps} == {every}
    assert (done, done[-1]) == (sorted(set(done)), every)
    assert sum(1 for before, after in zip([0, *done], done, strict=False) if after - before == 1_000) == 4
    assert state_of(target).is_current
    check(target, organization)


def test_a_database_without_tables_is_not_ready_and_says_so(target):
    with pytest.raises(Unavailable, match="The database has no schema"):
        health.check(target)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("INSERT INTO schema_migration VALUES (99, '0099_later', '2030-01-01 00:00')", "newer version"),
        ("DELETE FROM schema_migration WHERE id > 1", "older version"),
    ],
)
def test_a_database_of_another_version_is_not_ready_and_what_to_do_is_said(sqlite_store, change, said):
    health.check(sqlite_store)
    sqlite_store.write(lambda: sqlite_store.execute(change))
    with closing(Store(sqlite_store.url)) as again, pytest.raises(Unavailable, match=said):
        health.check(again)


@pytest.mark.parametrize(("damaged", "told"), [(3, 3), (4, 3)])
def test_of_counters_that_are_wrong_three_are_told_and_that_there_are_more(sqlite_store, target, damaged, told):
    organization = founded(sqlite_store)
    for day in range(1, damaged + 1):
        sent = {"id": f"e{day}", "channel": "EMAIL", "occurredAt": f"2026-11-{day:02}T12:00:00Z"}
        record(sqlite_store, organization, sent)
    sqlite_store.write(lambda: sqlite_store.execute("UPDATE day_counters SET quantity = 9"))
    with pytest.raises(Conflict) as refusal:
        copying.copy(sqlite_store, target, lambda *_: None)
    said = refusal.value.message
    assert said.count("the counter has 9") == told
    assert said.endswith("with 0 pending; …. Nothing was copied." if damaged > told else "pending. Nothing was copied.")
    assert 'what "sendmeter verify" says of FROM' in refusal.value.fix


def test_a_database_that_could_not_be_written_to_is_not_ready_until_it_can_be(sqlite_store):
    organization = founded(sqlite_store)
    with closing(Store(sqlite_store.url, busy_timeout_seconds=0.05)) as store:
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            health.check(store)
            other.execute("BEGIN IMMEDIATE")
            health.check(store)
            with pytest.raises(Unavailable):
                record(store, organization, "a")
            with pytest.raises(Unavailable):
                health.check(store)
        health.check(store)
        assert not store.writing_failed


def test_a_database_whose_file_was_moved_is_not_ready(sqlite_store, tmp_path):
    health.check(sqlite_store)
    with closing(Store(sqlite_store.url)) as store:
        health.check(store)
        Path(store.path).rename(tmp_path / "moved.db")
        with pytest.raises(Unavailable, match="is not there any more"):
            health.check(store)
