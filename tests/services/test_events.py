"""Recording, by many at once: each event is counted once, whoever else records it."""

import multiprocessing
import threading
from contextlib import closing

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.errors import Conflict, InvalidRequest
from sendmeter.services import events, organizations, usage
from sendmeter.services.verify import differences
from sendmeter.store import Store
from tests.live import NOON
from tests.services import use_cases

BATCHES, SIZE = 12, 40


def founded(store):
    return organizations.create(store, "Test", Anchor(1, "UTC"), Caps(), NOON, by="test").organization


def event(number, **changes):
    channel = ("EMAIL", "SMS", "CALL", "PUSH")[number % 4]
    cost = f"0.{number % 7}01" if channel in ("SMS", "CALL") and number % 3 else None
    value = {"id": f"e{number}", "channel": channel, "occurredAt": f"2026-11-{number % 19 + 1:02}T08:00:00Z"}
    return UsageEvent.from_json(value | ({"cost": cost} if cost else {}) | changes)


def overlapping(batch):
    """The events of a batch: half of them stand in the next one too, in another order."""
    numbers = range(batch * SIZE // 2, batch * SIZE // 2 + SIZE)
    return [("", event(number)) for number in (reversed(numbers) if batch % 2 else numbers)]


def distinct():
    return {number: event(number) for batch in range(BATCHES) for number in range(batch * 20, batch * 20 + SIZE)}


def record_all(store, number, offset):
    for step in range(BATCHES):
        events.record(store, number, overlapping((step + offset) % BATCHES), NOON)


def check(store, organization):
    found = usage.get(store, organization.number, NOON, known_costs=True, grace_seconds=0)
    expected = distinct().values()
    assert sum(counter.quantity for counter in found.counters.values()) == len(expected)
    assert found.cost_nano_usd == sum(each.cost_nano_usd or 0 for each in expected)
    assert found.pending == sum(each.pending for each in expected)
    assert differences(store, organization) == []


def test_threads_that_record_the_same_events_count_each_once(store):
    organization = founded(store)
    failed = []

    def work(offset):
        try:
            record_all(store, organization.number, offset)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(offset * 3,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    check(store, organization)


def _record_all(url, number, offset, start):
    with closing(Store(url, busy_timeout_seconds=30)) as store:
        start.wait(30)
        record_all(store, number, offset)


def test_processes_that_record_the_same_events_count_each_once(store):
    organization = founded(store)
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    arguments = [(store.url, organization.number, offset * 4, start) for offset in range(3)]
    processes = [context.Process(target=_record_all, args=each) for each in arguments]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    check(store, organization)


def test_of_two_contents_under_one_id_at_once_one_is_recorded_and_one_refused(store):
    organization = founded(store)
    outcomes = []

    def work(quantity):
        try:
            events.record(store, organization.number, [("", event(0, quantity=quantity))], NOON)
            outcomes.append(quantity)
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=work, args=(quantity,)) for quantity in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    won = [each for each in outcomes if each != "conflict"]
    assert len(won) == 1
    assert len(outcomes) == 2
    found = usage.get(store, organization.number, NOON, known_costs=True, grace_seconds=0)
    assert found.messages == won[0]


def test_organizations_do_not_share_ids_or_counters(store):
    one, other = founded(store), founded(store)
    for organization, quantity in ((one, 2), (other, 5)):
        recorded = events.record(store, organization.number, [("", event(0, quantity=quantity))], NOON)
        assert recorded.accepted == 1
        found = usage.get(store, organization.number, NOON, known_costs=True, grace_seconds=0)
        assert found.messages == quantity


OTHER_COST = "Set a cost that is known later, or was wrong, with events.settle. Nothing was stored."
NEW_ID = "Give a new event a new id; send a known event again unchanged. Nothing was stored."


@pytest.mark.parametrize(
    ("sent", "message", "fix", "said"),
    [
        ([{"cost": "0.2"}], "1 event has an id that is", OTHER_COST, ["was recorded with another cost"]),
        ([{"quantity": 9}], "1 event has an id that is", NEW_ID, ["was recorded with another quantity"]),
        (
            [{"cost": "0.2", "quantity": 9}, {"quantity": 8}],
            "2 events have ids that are",
            NEW_ID,
            ["was recorded with another quantity, cost", "was recorded with another quantity"],
        ),
        (
            [{"id": "new"}, {"id": "new", "cost": "0.2"}],
            "1 event has an id that is",
            NEW_ID,
            ["stands in the batch too with another cost"],
        ),
    ],
)
def test_a_sender_is_told_what_differs_from_what_and_what_to_do_instead(sqlite_store, sent, message, fix, said):
    organization = founded(sqlite_store)
    known = {"id": "known", "channel": "SMS", "cost": "0.1"}
    use_cases.record(sqlite_store, organization, known)
    with pytest.raises(Conflict) as refusal:
        use_cases.record(sqlite_store, organization, *({**known, **each} for each in sent))
    assert refusal.value.message == f"{message} known already with other content."
    assert refusal.value.fix == fix
    assert [fault.message.partition(" of source api ")[2] for fault in refusal.value.faults] == said


def test_each_time_that_is_refused_is_told(sqlite_store):
    organization = founded(sqlite_store)
    sent = [
        {"id": name, "channel": "SMS", "occurredAt": at}
        for name, at in (("a", "2026-11-21T12:00:00Z"), ("b", "2020-01-01T00:00:00Z"))
    ]
    with pytest.raises(InvalidRequest) as refusal:
        use_cases.record(sqlite_store, organization, {"id": "right", "channel": "SMS"}, *sent)
    assert len(refusal.value.faults) == 2
    assert all(fault.message.startswith("occurredAt ") for fault in refusal.value.faults)
