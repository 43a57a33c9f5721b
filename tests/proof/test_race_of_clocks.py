"""Real servers whose clocks differ, at the end of a cycle: neither cycle gets more than its cap, on either database.

Debian's faketime moves the clocks. PROOF_ROUNDS asks for more rounds than one.
"""

import logging
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor, Cycle
from sendmeter.domain.events import UsageEvent
from sendmeter.domain.instants import instant_text
from sendmeter.services import events, organizations
from sendmeter.services.verify import differences
from sendmeter.startup import utc_now
from sendmeter.store import Store, cycles, usage
from tests.live import Client, served_process
from tests.tools import program

pytestmark = pytest.mark.long

logger = logging.getLogger(__name__)
ROUNDS = int(os.environ.get("PROOF_ROUNDS", "1"))
SKEWS = (3, -3)
"""How many seconds the servers' clocks are ahead of the machine's."""
CLIENTS_EACH, CAP = 3, 20
BEFORE, AFTER = timedelta(seconds=8), timedelta(seconds=4)
"""How long a round lasts before the end of the cycle, and after it, by the machine's clock."""
HOLDS = "/organization/usage/holds"


@dataclass
class Tally:
    """What one client did, and how many of its holds were settled after their expiry, so beyond any cap."""

    tried: int = 0
    admitted: int = 0
    late: int = 0


@pytest.fixture(scope="module")
def faketime():
    """The library that moves a process's clock."""
    program("faketime", install="Install it with: make browser")
    return next(str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


def test_servers_whose_clocks_differ_admit_no_hold_too_many_at_the_end_of_a_cycle(store, tmp_path, faketime):
    totals = Tally()
    with ExitStack() as stack:
        urls = [
            stack.enter_context(served_process(store.url, tmp_path, environment=_skewed(faketime, skew))).url
            for skew in SKEWS
        ]
        for number in range(ROUNDS):
            for tally in _round(store, urls, number):
                totals.tried += tally.tried
                totals.admitted += tally.admitted
    logger.info("%d rounds: %d holds tried, %d admitted, none too many", ROUNDS, totals.tried, totals.admitted)
    assert totals.admitted > CAP * ROUNDS


def _skewed(faketime, skew):
    return {"LD_PRELOAD": faketime, "FAKETIME": f"{skew:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _round(store, urls, number):
    """Race at a cycle's end of an organization of its own, then compare what each cycle counts with the cap."""
    end = utc_now() + BEFORE
    made = organizations.create(
        store, "Raced", Anchor(1, "UTC"), Caps(messages=CAP), utc_now(), by="test", starts_at=end - timedelta(days=90)
    )
    organization = made.organization
    running = Cycle(end - timedelta(days=30), end)
    # A cycle that is written down never moves, and the next one starts where it ends.
    store.write(lambda: cycles.insert(store, organization.number, running, Anchor(1, "UTC"), "it ends in this test"))
    closed = _closed_events(store, organization, end)
    names = [f"{number}-{client}" for client in range(CLIENTS_EACH * len(urls))]
    with ThreadPoolExecutor(len(names) + 1) as threads:
        slow = threads.submit(_write_slowly, store.url, organization.number, end)
        racing = [
            threads.submit(_race, urls, made.token, name, end, closed[index :: len(names)])
            for index, name in enumerate(names)
        ]
        tallies = [each.result() for each in racing]
        slow.result()
    late = sum(tally.late for tally in tallies)
    own, later = store.read(lambda: usage.from_cycle_on(store, organization.number, running))
    for counters in (own, later):
        used = sum(each.quantity + each.returned_quantity for each in counters)
        assert used <= CAP + late, (used, late)
    assert differences(store, organization) == []
    return tallies


def _closed_events(store, organization, end):
    """Record what is taken back during the race, in a cycle that has long been closed."""
    old = [f"old-{count}" for count in range(60)]
    occurred_at = instant_text(end - timedelta(days=60))
    sent = [{"id": each, "channel": "EMAIL", "quantity": 50, "occurredAt": occurred_at} for each in old]
    batch = [("", UsageEvent.from_json(each)) for each in sent]
    events.record(store, organization.number, batch, utc_now(), backfilled_by="test")
    return old


def _write_slowly(url, number, end):
    """Keep every decision waiting across the end of the cycle."""
    time.sleep(max(0, (end - utc_now()).total_seconds() - 0.7))
    with closing(Store(url)) as store:

        def work():
            store.execute("UPDATE organizations SET name = name WHERE organization_id = ?", (number,))
            time.sleep(1.5)

        store.write(work)


def _race(urls, token, name, end, closed):
    """Ask either server for holds, and settle them, many into the next cycle; take back what is closed."""
    chance, tally = random.Random(name), Tally()
    # Reading the certificates of the machine, which loopback needs none of, takes longer than the race.
    with httpx.Client(timeout=60, verify=False) as http:
        clients = [Client(url, token, http) for url in urls]
        while utc_now() < end + AFTER:
            hold_id = f"{name}-{tally.tried}"
            asked = {"id": hold_id, "channel": "EMAIL", "ttlSeconds": chance.choice((1, 900))}
            tally.tried += 1
            if _patiently(chance.choice(clients), "POST", HOLDS, json=asked).status_code == 201:
                tally.admitted += 1
                _end(chance.choice(clients), hold_id, end, chance, tally)
            if closed and chance.random() < 0.2:
                path = f"/organization/usage/events/{closed.pop()}/void"
                assert _patiently(chance.choice(clients), "POST", path, json={"reason": "a race"}).status_code == 200
    return tally


def _end(client, hold_id, end, chance, tally):
    if chance.random() < 0.3:
        assert _patiently(client, "POST", f"{HOLDS}/{hold_id}/release").status_code == 200
        return
    if chance.random() < 0.1:
        time.sleep(chance.choice((0.2, 1.2)))
    in_next_cycle, now = {"occurredAt": instant_text(end)}, {"occurredAt": instant_text(utc_now())}
    settlement = chance.choices(({}, now, in_next_cycle), weights=(1, 1, 4))[0]
    settled = _patiently(client, "POST", f"{HOLDS}/{hold_id}/settle", json=settlement)
    if settled.status_code == 400:  # by its own clock it was sent before the hold was placed
        settled = _patiently(client, "POST", f"{HOLDS}/{hold_id}/settle", json={})
    assert settled.status_code == 200, settled.text
    tally.late += settled.json()["settledAfterExpiry"]


def _patiently(client, *request, **options):
    """Ask again where the database has no time, as callers are told to by a 503."""
    while (answer := client.request(*request, **options)).status_code == 503:
        time.sleep(0.05)
    return answer
