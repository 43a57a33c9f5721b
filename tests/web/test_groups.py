"""Requests that come while others are recorded: answered together, each for itself."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from sendmeter.services import verify
from tests.live import live_server
from tests.web.test_bridge import recording_held, until

EVENT = {"channel": "EMAIL"}


@pytest.fixture
def server(store, clock):
    with live_server(store, clock, max_waiting=100) as live:
        yield live


@pytest.fixture
def committed(store, monkeypatch):
    """The transactions that were committed."""
    counted = []
    commit = store.database.commit
    monkeypatch.setattr(store.database, "commit", lambda: counted.append(1) or commit())
    return counted


def at_once(server, sends):
    """Let all be sent while nobody may record, so that all but the first wait for it; give their answers in order."""
    with ThreadPoolExecutor(len(sends)) as threads:
        with recording_held(server.store):
            answers = []
            for count, send in enumerate(sends, 1):
                answers.append(threads.submit(send))
                until(lambda: server.bridge.limited_under_way + sum(each.done() for each in answers) == count)  # noqa: B023
        return [answer.result(30) for answer in answers]


def test_each_that_waits_has_a_commit_of_its_own(server, committed):
    _, client = server.organization()
    clients = [server.client(client.token) for _ in range(12)]
    committed.clear()
    answers = at_once(
        server, [lambda each=each, n=n: each.record({**EVENT, "id": f"e{n}"}) for n, each in enumerate(clients)]
    )
    assert [answer.json()["accepted"] for answer in answers] == [1] * 12
    assert len({answer.headers["x-tracking-id"] for answer in answers}) == 12
    assert len(committed) == 2  # of the first, which came alone, and of those that waited for it
    assert client.usage().json()["messageUsage"] == 12


def test_one_answer_is_given_to_another(server):
    """Of each kind one: what is wrong with it is told to whoever sent it, and nobody else loses anything."""
    organization, client = server.organization()
    client.record({**EVENT, "id": "known", "quantity": 5})
    _, stranger = server.organization()
    reader = server.client(server.key(organization, "usage:read").token)
    hold = {"id": "hold", "channel": "EMAIL", "quantity": 3}
    sends = [
        lambda: server.client(client.token).record({**EVENT, "id": "first"}),
        lambda: server.client(client.token).record({**EVENT, "id": "known", "quantity": 6}),
        lambda: server.client(client.token).record({**EVENT, "id": "known", "quantity": 5}),
        lambda: server.client(client.token).record({**EVENT, "id": "old", "occurredAt": "2020-01-01T00:00:00Z"}),
        lambda: server.client(client.token).record({**EVENT, "id": "wrong", "quantity": -1}),
        lambda: reader.record({**EVENT, "id": "forbidden"}),
        lambda: server.client("sendmeter_sk_unknown").record({**EVENT, "id": "unknown"}),
        lambda: stranger.record({**EVENT, "id": "known", "quantity": 7}),
        lambda: server.client(client.token).request("POST", "/organization/usage/holds", json=hold),
        lambda: server.client(client.token).request("POST", "/organization/usage/holds", json=hold),
        lambda: server.client(client.token).record({**EVENT, "id": "last"}),
    ]
    statuses = [answer.status_code for answer in at_once(server, sends)]
    assert statuses[:8] == [200, 409, 200, 400, 400, 403, 401, 200]
    assert Counter(statuses[8:]) == Counter([201, 200, 200])
    assert client.usage().json()["messageUsage"] == 5 + 2
    assert stranger.usage().json()["messageUsage"] == 7
    assert verify.differences(server.store, organization) == []


def test_many_small_ones_make_a_large_one_wait_for_all(server, committed):
    """A group takes no more bytes than one request may have."""
    _, client = server.organization()
    large = [
        [{**EVENT, "id": f"{batch}-{n}", "metadata": {"a": "x" * 250, "b": "x" * 250}} for n in range(1_000)]
        for batch in range(4)
    ]
    committed.clear()
    sends = [lambda events=events: server.client(client.token).record(*events) for events in large]
    assert [answer.json()["accepted"] for answer in at_once(server, sends)] == [1_000] * 4
    assert len(committed) == 4
    assert client.usage().json()["messageUsage"] == 4_000
