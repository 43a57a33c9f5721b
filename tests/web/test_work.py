"""Work is counted, not timed: statements and commits of each operation, and nothing made anew at a request.

Who changes a number here on purpose writes the new one down; who did not mean to has found a slip.
"""

import inspect

import jsonschema_rs
import pytest

from sendmeter.domain.keys import SCOPES
from tests.web.test_groups import at_once

SMS = {"channel": "SMS", "quantity": 1, "provider": "telnyx"}
PAST = "2026-11-19T08:00:00Z"


class Counted:
    """What a database was asked, and how often it committed, since `begin`."""

    def __init__(self, database, monkeypatch):
        self.begin()
        execute, commit = database.execute_sql, database.commit
        monkeypatch.setattr(database, "execute_sql", lambda sql, *rest: self.asked.append(sql) or execute(sql, *rest))
        monkeypatch.setattr(database, "commit", lambda: self.committed.append(1) or commit())

    def begin(self):
        self.asked, self.committed = [], []

    def work(self):
        return len(self.asked), len(self.committed)


@pytest.fixture
def counted(store, monkeypatch):
    return Counted(store.database, monkeypatch)


def events(count, prefix, **other):
    return [{"id": f"{prefix}{number}", "channel": "EMAIL", "occurredAt": PAST, **other} for number in range(count)]


def requests(client):
    """What each operation is asked here, in this order; what comes first sets up what comes later."""
    record, hold = "/organization/usage/events", "/organization/usage/holds"
    return {
        "events.record, the first of a cycle": lambda: client.record(*events(1, "first")),
        "events.record of 1": lambda: client.record(*events(1, "one")),
        "events.record of 10": lambda: client.record(*events(10, "ten")),
        "events.record of 1,000": lambda: client.record(*events(1_000, "many")),
        "events.record of 1,000 again": lambda: client.record(*events(1_000, "many")),
        "events.record of 10 pending": lambda: client.record(
            *({**SMS, "id": f"sms{number}", "providerMessageId": f"m{number}"} for number in range(10))
        ),
        "usage.get": client.usage,
        "usage.history": lambda: client.request(
            "GET", "/organization/usage/history?startDate=2026-10-01&endDate=2026-11-19"
        ),
        "events.search of 100": lambda: client.request("GET", f"{record}?limit=100"),
        "events.get": lambda: client.request("GET", f"{record}/one0"),
        "events.void": lambda: client.request("POST", f"{record}/one0/void", json={"reason": "test"}),
        "events.settle": lambda: client.request("PUT", f"{record}/sms0/cost", json={"cost": 0.01}),
        "holds.place": lambda: client.request("POST", hold, json={"id": "a", "channel": "EMAIL", "quantity": 1}),
        "holds.place, another": lambda: client.request(
            "POST", hold, json={"id": "b", "channel": "EMAIL", "quantity": 1}
        ),
        "holds.get": lambda: client.request("GET", f"{hold}/a"),
        "holds.settle": lambda: client.request("POST", f"{hold}/a/settle", json={}),
        "holds.release": lambda: client.request("POST", f"{hold}/b/release"),
        "limits.get": lambda: client.request("GET", "/organization/limits"),
        "keys.search": lambda: client.request("GET", "/organization/keys"),
        "health.live": lambda: client.request("GET", "/health/live"),
        "health.ready": lambda: client.request("GET", "/health/ready"),
    }


# Statements on PostgreSQL, on SQLite, and commits. Each begins with the key. A snapshot is one more on PostgreSQL;
# rows that SQLite is given one by one are none here: their statement is kept.
WORK = {
    "events.record, the first of a cycle": (10, 9, 1),
    "events.record of 1": (6, 5, 1),
    "events.record of 10": (6, 5, 1),
    "events.record of 1,000": (6, 5, 1),
    "events.record of 1,000 again": (5, 4, 1),
    "events.record of 10 pending": (8, 7, 1),
    "usage.get": (5, 5, 0),  # one of them for the costs that are pending here
    "usage.history": (10, 9, 1),
    "events.search of 100": (5, 4, 1),
    "events.get": (4, 3, 1),
    "events.void": (8, 8, 1),
    "events.settle": (10, 10, 1),
    "holds.place": (8, 8, 1),
    "holds.place, another": (8, 8, 1),
    "holds.get": (2, 2, 0),
    "holds.settle": (10, 9, 1),
    "holds.release": (5, 5, 1),
    "limits.get": (6, 5, 1),
    "keys.search": (3, 3, 0),
    "health.live": (0, 0, 0),
    "health.ready": (2, 2, 0),
}


def test_each_operation_does_the_work_that_is_written_down(server, counted, store):
    organization, _ = server.organization()
    client = server.client(server.key(organization, *SCOPES).token)
    client.usage()
    found = {}
    for name, ask in requests(client).items():
        counted.begin()
        answer = ask()
        assert answer.status_code in (200, 201), (name, answer.text)
        found[name] = counted.work()
    assert found == {name: (row if store.is_sqlite else column, commit) for name, (column, row, commit) in WORK.items()}


def test_requests_that_record_at_once_share_their_work(server, counted):
    """One key, one organization: but for the keys, twenty requests in a group ask no more than one does."""
    _, client = server.organization()
    client.record(*events(1, "first"))
    clients = [server.client(client.token) for _ in range(21)]
    counted.begin()
    sends = [lambda each=each, n=n: each.record(*events(1, f"{n}-")) for n, each in enumerate(clients)]
    assert [answer.json()["accepted"] for answer in at_once(server, sends)] == [1] * 21
    assert counted.work() == ((5 + 20 + 4) if server.store.is_sqlite else (6 + 20 + 5), 2)


def test_nothing_is_compiled_or_inspected_again_at_a_request(server, monkeypatch):
    organization, _ = server.organization()
    client = server.client(server.key(organization, *SCOPES).token)
    made = []
    compiled, signature = jsonschema_rs.Draft202012Validator, inspect.signature
    monkeypatch.setattr(
        jsonschema_rs,
        "Draft202012Validator",
        lambda *given, **named: made.append("validator") or compiled(*given, **named),
    )
    monkeypatch.setattr(inspect, "signature", lambda *given, **named: made.append(given) or signature(*given, **named))
    for name, ask in requests(client).items():
        ask()
        assert made == [], name
