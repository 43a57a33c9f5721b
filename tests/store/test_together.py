"""Pieces of work that share a transaction: each whole or not at all, told only when all is committed."""

import threading
from contextlib import closing

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.errors import Conflict, Unavailable
from sendmeter.services import events, organizations, usage, verify
from sendmeter.store import Store
from sendmeter.store import organizations as stored_organizations
from sendmeter.store.schema import upgrade
from tests.live import NOON


@pytest.fixture
def organization(store):
    return organizations.create(store, "Test", Anchor(1, "UTC"), Caps(), NOON, by="test").organization


def recording(store, organization, event_id, **other):
    """The work that a request to record one event does."""
    event = UsageEvent.from_json({"id": event_id, "channel": "EMAIL", **other})
    return lambda: events.record(store, organization.number, [("/events/0", event)], NOON)


def messages(store, organization):
    return usage.get(store, organization.number, NOON, known_costs=True, grace_seconds=0).messages


def commits(store, monkeypatch):
    """Count the transactions that are committed from now on."""
    counted = []
    commit = store.database.commit
    monkeypatch.setattr(store.database, "commit", lambda: counted.append(1) or commit())
    return counted


def test_pieces_of_work_that_run_together_share_a_commit(store, organization, monkeypatch):
    committed = commits(store, monkeypatch)
    found = store.together([recording(store, organization, f"e{number}") for number in range(10)])
    assert [each.accepted for each in found] == [1] * 10
    assert len(committed) == 1
    assert messages(store, organization) == 10


def test_nothing_to_do_does_not_ask_the_database(store):
    def ask():
        raise AssertionError("asked")

    assert store.together([], ask) == []


def test_one_that_is_refused_leaves_the_others_and_nothing_of_its_own(store, organization):
    recording(store, organization, "known", quantity=5)()

    def half_done():
        recording(store, organization, "half")()
        raise LookupError("after it has written")

    found = store.together(
        [
            recording(store, organization, "a"),
            recording(store, organization, "known", quantity=6),
            half_done,
            recording(store, organization, "b"),
        ]
    )
    assert [type(each).__name__ for each in found] == ["Recorded", "Conflict", "LookupError", "Recorded"]
    assert messages(store, organization) == 5 + 2
    assert verify.differences(store, organization) == []


def test_a_piece_of_work_sees_what_one_before_it_wrote(store, organization):
    same = [recording(store, organization, "same") for _ in range(3)]
    other = recording(store, organization, "same", quantity=2)
    *found, conflict = store.together([*same, other])
    assert [(each.accepted, each.duplicates) for each in found] == [(1, 0), (0, 1), (0, 1)]
    assert isinstance(conflict, Conflict)
    assert messages(store, organization) == 1


def test_a_database_that_fails_in_one_piece_of_work_does_not_fail_the_others(store, organization):
    def broken():
        return store.write(lambda: store.execute("INSERT INTO holds (organization_id) VALUES (1)"))

    found = store.together([recording(store, organization, "a"), broken, recording(store, organization, "b")])
    assert [type(each).__name__ for each in found] == ["Recorded", "IntegrityError", "Recorded"]
    assert messages(store, organization) == 2


def test_a_commit_that_fails_is_not_reported_as_done(store, organization, monkeypatch):
    failures = iter([True])
    commit = store.database.commit

    def failing_once():
        if next(failures, False):
            store.execute("INSERT INTO holds (organization_id) VALUES (1)")  # what a commit may raise
        commit()

    monkeypatch.setattr(store.database, "commit", failing_once)
    found = store.together([recording(store, organization, "a"), recording(store, organization, "b")])
    assert [each.accepted for each in found] == [1, 1]
    assert messages(store, organization) == 2


def test_a_busy_database_is_waited_for_once_by_all(tmp_path):
    with closing(Store(f"sqlite:///{tmp_path}/test.db", busy_timeout_seconds=0.1)) as store:
        upgrade(store)
        made = organizations.create(store, "Test", Anchor(1, "UTC"), Caps(), NOON, by="test").organization
        with closing(Store(store.url)) as other:
            began, end = threading.Event(), threading.Event()

            def hold():
                other.write(lambda: (began.set(), end.wait(10)))

            holder = threading.Thread(target=hold)
            holder.start()
            assert began.wait(10)
            ran = []
            works = [lambda: ran.append(1) for _ in range(50)]
            with pytest.raises(Unavailable):
                store.together([lambda work=work: store.write(work) for work in works])
            end.set()
            holder.join()
        assert ran == []
        assert messages(store, made) == 0


def test_two_processes_that_each_have_several_do_not_block_each_other(store, organization):
    """On PostgreSQL each takes counters, then events that the other has: without the lock first they would deadlock."""
    with closing(Store(store.url)) as other:
        barrier = threading.Barrier(2)
        outcomes = []

        def send(to, ids):
            works = [recording(to, organization, event_id) for event_id in ids]
            barrier.wait(10)
            outcomes.extend(to.together(works, lambda: stored_organizations.lock(to, organization.number)))

        for round_ in range(10):
            ids = [f"{round_}-{number}" for number in range(8)]
            threads = [
                threading.Thread(target=send, args=(to, order)) for to, order in ((store, ids), (other, ids[::-1]))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert len(outcomes) == 160
    assert sum(each.accepted for each in outcomes) == 80
    assert messages(store, organization) == 80
