"""A clock that steps back, and ahead: nothing fails for it, and whatever was acknowledged is there once."""

import os
import random

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.instants import instant_text, read_instant
from sendmeter.services.verify import differences
from tests.live import NOON
from tests.proof.starving import stored

STEPS = max(25, 10 * int(os.environ.get("PROOF_EXAMPLES", "0")))
LEAPS = ({"seconds": -1}, {"minutes": -7}, {"hours": -3}, {"days": -4}, {"days": -35}, {"minutes": 6}, {"days": 33})
HOLDS = "/organization/usage/holds"


class Life:
    """What one organization does while its server's clock leaps; `counted` has what was acknowledged."""

    def __init__(self, server, chance):
        self.server, self.clock, self.chance = server, server.clock, chance
        starts_at = read_instant("2025-06-01T00:00:00Z")
        self.organization, self.client = server.organization(caps=Caps(messages=10**6), starts_at=starts_at)
        self.counted, self.bodies, self.held = {}, {}, []

    def ask(self, method, path, *statuses, **options):
        answer = self.client.request(method, path, **options)
        assert answer.status_code in statuses, (self.clock(), method, path, options, answer.text)
        return answer.json()

    def record(self, event_id, **more):
        body = {"id": event_id, "channel": self.chance.choice(("EMAIL", "SMS")), "quantity": 2, **more}
        self.ask("POST", "/organization/usage/events", 200, json={"events": [body]})
        self.counted[event_id], self.bodies[event_id] = 2, body

    def step(self, number):
        at = instant_text(self.clock())
        self.record(f"e{number}")
        self.record(f"t{number}", occurredAt=at)
        again = self.chance.choice(list(self.bodies))
        told = self.ask("POST", "/organization/usage/events", 200, json={"events": [self.bodies[again]]})
        assert told["duplicates"] == 1
        self.hold(number)
        self.correct(number)
        for path in ("/organization/usage", "/organization/limits", "/organization/keys", HOLDS + f"/h{number}"):
            self.ask("GET", path, 200)

    def hold(self, number):
        self.ask("POST", HOLDS, 201, json={"id": f"h{number}", "channel": "PUSH", "quantity": 3, "ttlSeconds": 3600})
        self.held.append(f"h{number}")
        hold_id = self.held.pop(self.chance.randrange(len(self.held)))
        if self.chance.random() < 0.7:
            self.ask("POST", f"{HOLDS}/{hold_id}/settle", 200, json={})
            self.counted[hold_id] = 3
        else:
            self.ask("POST", f"{HOLDS}/{hold_id}/release", 200)

    def correct(self, number):
        self.record(f"v{number}")
        path = f"/organization/usage/events/v{number}"
        self.leap()
        self.ask("POST", f"{path}/void", 200, json={"reason": "a leap"})
        self.counted[f"v{number}"] = 0
        assert self.ask("GET", path, 200)["state"] == "voided"

    def leap(self):
        """Step somewhere, but not out of the time in which events are taken."""
        before = self.clock()
        self.clock.advance(**self.chance.choice(LEAPS))
        if abs((self.clock() - NOON).days) > 150:
            self.clock.now = before
            self.leap()

    def check(self):
        assert stored(self.client) == sorted(self.counted)
        assert differences(self.server.store, self.organization) == []
        query = "startDate=2025-06-01&endDate=2027-12-31&groupBy="
        for grouping in ("day", "calendar", "billing"):
            items = self.ask("GET", f"/organization/usage/history?{query}{grouping}", 200)["items"]
            assert sum(sum(each["channelUsages"].values()) for each in items) == sum(self.counted.values())


@pytest.mark.parametrize("seed", [int(os.environ.get("PROOF_SEED", "1"))])
def test_whichever_way_the_clock_leaps_nothing_fails_and_all_is_counted_once(server, seed):
    life = Life(server, random.Random(seed))
    for number in range(STEPS):
        life.leap()
        life.step(number)
    life.check()


def test_a_hold_outlives_a_clock_that_steps_back_and_ends_when_its_time_has_come(server):
    _, client = server.organization(caps=Caps(messages=10))
    hold = {"id": "h", "channel": "EMAIL", "quantity": 10, "ttlSeconds": 900}
    assert client.request("POST", HOLDS, json=hold).status_code == 201
    server.clock.advance(hours=-5)
    assert client.request("POST", HOLDS, json=hold).json()["state"] == "held"
    assert client.request("POST", HOLDS, json={**hold, "id": "other"}).status_code == 402
    server.clock.advance(hours=5, minutes=15)
    assert client.request("GET", f"{HOLDS}/h").json()["state"] == "expired"
    assert client.request("POST", HOLDS, json={**hold, "id": "other"}).status_code == 201


def test_a_cycle_that_a_clock_ahead_had_closed_takes_events_again_when_the_clock_is_right(server):
    organization, client = server.organization()
    right = server.clock()
    early = {"id": "early", "channel": "EMAIL", "occurredAt": instant_text(right)}
    server.clock.advance(days=60)
    assert client.record(early).json()["late"] == 1
    server.clock.now = right
    assert client.record(early).json()["duplicates"] == 1
    assert client.record({**early, "id": "right"}).json() | {"events": None} == {
        "accepted": 1, "duplicates": 0, "late": 0, "events": None,
    }  # fmt: skip
    assert client.usage().json()["messageUsage"] == 1
    assert stored(client) == ["early", "right"]
    assert differences(server.store, organization) == []
