"""Of any number of processes that ask for room at once, just those are admitted that fit; on both databases."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sendmeter.domain.caps import BUDGET_CAP, MESSAGE_CAP, Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.domain.instants import MICROSECOND, instant_text
from sendmeter.services import events, limits, organizations
from sendmeter.services.cycles import cycle_at
from sendmeter.services.verify import differences
from sendmeter.startup import utc_now
from sendmeter.store import usage
from tests.live import Client, served_process
from tests.proof.racers import HOLDS_EACH, NOW, RACERS, Task, racers

pytestmark = pytest.mark.long

ASKED = RACERS * HOLDS_EACH
MAIL = ("EMAIL", "PUSH")
USD = 10**9
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Round:
    """A race under caps, on one of which it is decided; `task` says what is asked."""

    caps: Caps
    cap: str
    limit: int
    each: int = 1
    task: dict = field(default_factory=dict)


ALIKE = [
    Round(Caps(messages=500), MESSAGE_CAP, 500, task={"channels": MAIL}),
    Round(Caps(channels={"SMS": 301}), "SMS", 301, task={"channels": ("SMS",)}),
    Round(
        Caps(budget_nano_usd=5 * USD), BUDGET_CAP, 5 * USD, each=10_900_000,
        task={"channels": ("SMS", "CALL"), "estimate": "0.0109"},
    ),
    Round(
        Caps(messages=10_000, channels={"PUSH": 411, "SMS": 0}, budget_nano_usd=0), "PUSH", 411, each=2,
        task={"channels": ("PUSH",), "quantities": (2,)},
    ),
]  # fmt: skip
MIXED = [
    Round(Caps(messages=1234), MESSAGE_CAP, 1234, task={"channels": MAIL, "quantities": (1, 2, 5, 70)}),
    Round(Caps(channels={"CALL": 777}), "CALL", 777, task={"channels": ("CALL",), "quantities": (11, 12, 13, 400)}),
]
BUSY = [
    Round(Caps(messages=150), MESSAGE_CAP, 150, task={"channels": MAIL, "recorded": "SMS", "quantities": (1, 3)}),
    Round(Caps(channels={"PUSH": 90}), "PUSH", 90, task={"channels": ("PUSH",), "recorded": "EMAIL"}),
    Round(
        Caps(budget_nano_usd=2 * USD), BUDGET_CAP, 2 * USD,
        task={"channels": ("SMS", "CALL"), "estimate": "0.0109", "recorded": "SLACK"},
    ),
]  # fmt: skip


@pytest.fixture
def round_of(store):
    with racers(store.url) as made:
        yield made


def organization_of(store, caps):
    return organizations.create(store, "Raced", Anchor(1, "UTC"), caps, NOW, by="test").organization


def standing(store, organization, cap):
    found = limits.get(store, organization.number, NOW).standings
    return next(each for each in found if each.cap == cap)


def test_of_holds_that_eight_processes_ask_for_at_once_those_that_fit_are_admitted_and_no_others(store, round_of):
    for each in ALIKE:
        check_alike(store, round_of, each)
    for each in MIXED:
        check_mixed(store, round_of, each)
    for each in BUSY:
        check_busy(store, round_of, each)
    check_facts(store, round_of)
    for limit in (60, 431):
        check_cycle_end(store, round_of, limit)


def check_alike(store, round_of, race):
    """Holds that are all alike: their number is known beforehand."""
    organization = organization_of(store, race.caps)
    outcomes = round_of(Task(organization.number, **race.task))
    fitting = race.limit // race.each
    assert sum(len(outcome.admitted) for outcome in outcomes) == fitting
    assert sum(len(outcome.refused) for outcome in outcomes) == ASKED - fitting
    assert standing(store, organization, race.cap).held == fitting * race.each


def check_mixed(store, round_of, race):
    """Holds of several sizes: each that was refused had no room, and so has none at the end."""
    organization = organization_of(store, race.caps)
    outcomes = round_of(Task(organization.number, **race.task))
    admitted = sum(sum(outcome.admitted) for outcome in outcomes)
    smallest_refused = min(min(outcome.refused) for outcome in outcomes)
    found = standing(store, organization, race.cap)
    assert found.held == admitted <= race.limit
    assert found.remaining < smallest_refused


def check_busy(store, round_of, race):
    """Holds that end meanwhile, in each way: what is used and held never passes the cap, whenever one looks."""
    organization = organization_of(store, race.caps)
    seen = []

    def look():
        found = standing(store, organization, race.cap)
        seen.append(found.used + found.held)

    outcomes = round_of(Task(organization.number, ending=True, **race.task), look)
    look()
    assert max(seen) <= race.limit
    assert len(seen) > 5
    assert sum(outcome.settled for outcome in outcomes) > 10
    assert sum(outcome.released for outcome in outcomes) > 10
    assert differences(store, organization) == []


def check_facts(store, round_of):
    """Plain records under the same cap are never refused, and may pass it; no hold is admitted past it for all that."""
    plenty = 10**6
    organization = organization_of(store, Caps(messages=200, channels={"EMAIL": plenty, "PUSH": plenty}))
    seen = [(0, 0)]

    def look():
        found = {each.cap: each for each in limits.get(store, organization.number, NOW).standings}
        seen.append((found["PUSH"].used, found["EMAIL"].used + found["EMAIL"].held))

    outcomes = round_of(Task(organization.number, ("EMAIL",), recorded="PUSH", ending=True), look)
    look()
    # What was recorded only grows, so whenever a hold was admitted between two looks there was room beside what was
    # there at the first. On PostgreSQL, where who records waits for nobody, it may be decided on before a look and seen
    # after it: there the look before that counts.
    earlier = seen if store.is_sqlite else [seen[0], *seen]
    for (recorded, _), (_, before), (_, through_holds) in zip(earlier, seen, seen[1:], strict=False):
        assert through_holds <= before or recorded + through_holds <= 200
    assert sum(outcome.recorded for outcome in outcomes) == seen[-1][0] == ASKED // 10
    assert differences(store, organization) == []


def check_cycle_end(store, round_of, limit):
    """Processes whose clocks differ pass a cycle's end, and neither cycle gets more than its cap."""
    caps, starts_at = Caps(messages=limit), NOW - timedelta(days=100)
    made = organizations.create(store, "Raced", Anchor(1, "UTC"), caps, NOW, by="test", starts_at=starts_at)
    organization, number = made.organization, made.organization.number
    old = [f"old-r{racer}-{count}" for racer in range(RACERS) for count in range(0, HOLDS_EACH, 20)]
    occurred_at = instant_text(NOW - timedelta(days=60))
    sent = [{"id": each, "channel": "EMAIL", "quantity": 50, "occurredAt": occurred_at} for each in old]
    events.record(store, number, [("", UsageEvent.from_json(each)) for each in sent], NOW, backfilled_by="test")
    outcomes = round_of(Task(number, MAIL, (1, 3), ending=True, cycle_end=DECEMBER))
    for instant in (DECEMBER - MICROSECOND, DECEMBER + timedelta(hours=1)):
        found = store.read(lambda at=instant: usage.of_cycle(store, number, cycle_at(store, organization, at)))
        assert 0 < sum(each.quantity + each.returned_quantity for each in found) <= limit
    assert sum(outcome.settled for outcome in outcomes) > 10
    assert differences(store, organization) == []


def test_of_many_clients_of_two_worker_processes_just_those_holds_are_admitted_that_fit(store, tmp_path):
    founded = organizations.create(store, "Raced", Anchor(1, "UTC"), Caps(messages=100), utc_now(), by="test")
    with served_process(store.url, tmp_path, "--workers", "2") as server, ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda name: place_holds(server.url, founded.token, name), range(8)))
        with httpx.Client(timeout=60) as http:
            answer = Client(server.url, founded.token, http).request("GET", "/organization/limits")
    found = list(itertools.chain.from_iterable(statuses))
    assert (found.count(201), found.count(402), len(found)) == (100, 220, 320)
    assert answer.json()["standings"] == [{"cap": "messageCap", "limit": 100, "used": 0, "held": 100, "remaining": 0}]


def place_holds(url, token, name):
    """Place forty holds one after the other, on a connection of one's own; ask again where told to."""
    statuses = []
    with httpx.Client(timeout=60) as http:
        client = Client(url, token, http)
        for count in range(40):
            sent = {"id": f"{name}-{count}", "channel": "EMAIL"}
            status = 503
            while status == 503:
                status = client.request("POST", "/organization/usage/holds", json=sent).status_code
            statuses.append(status)
    return statuses
