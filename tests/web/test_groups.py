"""Requests that come while others are recorded: answered together, each for itself."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from sendmeter.contract import contract
from sendmeter.services import verify
from sendmeter.store import Store
from sendmeter.store import organizations as stored_organizations
from sendmeter.web.server import _COUNTING, _FEW_ROWS, _TOGETHER
from tests.live import live_server
from tests.web.blocked_writers import until, writing_held

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
        with writing_held(server.store):
            answers = []
            for count, send in enumerate(sends, 1):
                answers.append(threads.submit(send))
                until(lambda: server.bridge.limited_under_way + sum(each.done() for each in answers) == count)  # noqa: B023
        return [answer.result(30) for answer in answers]


def test_requests_that_wait_share_a_commit(server, committed):
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


def test_each_request_gets_its_own_answer(server):
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


def test_a_group_takes_no_more_bytes_than_one_request_may_have(server, committed):
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


def test_a_refusal_does_not_make_requests_wait_for_other_processes(server, committed):
    """Recording locks events, then counters. Two in one transaction on PostgreSQL would lock events behind counters."""
    _, client = server.organization()
    client.record({**EVENT, "id": "known", "quantity": 5})
    clients = [server.client(client.token) for _ in range(5)]
    bodies = [{**EVENT, "id": f"e{number}"} for number in range(4)] + [{**EVENT, "id": "known"}]
    committed.clear()
    sends = [lambda each=each, body=body: each.record(body) for each, body in zip(clients, bodies, strict=True)]
    assert [answer.status_code for answer in at_once(server, sends)] == [200, 200, 200, 200, 409]
    assert len(committed) == 1 + (1 if server.store.is_sqlite else 3)


def test_a_key_with_more_space_before_it_is_in_the_same_lane(server):
    _, client = server.organization()
    padded = [server.client(None) for _ in range(5)]
    headers = {"authorization": f"Bearer \t {client.token}"}
    holds = "/organization/usage/holds"
    sends = [lambda: client.record({**EVENT, "id": "first"})]
    sends += [
        lambda n=n, each=each: each.record({**EVENT, "id": f"e{n}"}, headers=headers)
        for n, each in enumerate(padded[:3])
    ]
    sends += [
        lambda n=n, each=each: each.request(
            "POST", holds, headers=headers, json={"id": f"h{n}", "channel": "EMAIL", "quantity": 1}
        )
        for n, each in enumerate(padded[3:])
    ]
    assert [answer.status_code for answer in at_once(server, sends)] == [200] * 4 + [201] * 2
    assert client.usage().json()["messageUsage"] == 4


def test_an_answer_in_a_group_is_the_same_as_alone(server):
    """The same requests of two organizations: of one together, of the other one after the other."""
    hold = {"channel": "EMAIL", "quantity": 1}

    def requests(client):
        record = [{**EVENT, "id": f"e{number}", "quantity": number} for number in (1, 2, 2)]
        sends = [lambda body=body: client.record(body) for body in record]
        holds = [{**hold, "id": hold_id} for hold_id in ("a", "b", "b")]
        return sends + [
            lambda body=body: client.request("POST", "/organization/usage/holds", json=body) for body in holds
        ]

    def told(answer):
        named = {name: value for name, value in answer.headers.items() if name not in ("x-tracking-id", "date")}
        return answer.status_code, named, answer.json()

    (_, one), (_, other) = server.organization(), server.organization()
    together = at_once(server, requests(one))
    apart = [send() for send in requests(other)]
    assert [told(answer) for answer in together] == [told(answer) for answer in apart]


def test_each_operation_that_is_answered_together_is_in_the_contract():
    assert set(contract().operations) >= {*_TOGETHER, *_FEW_ROWS, *_COUNTING}


def test_a_group_waits_once_for_a_lock_that_does_not_come(postgres_url, clock):
    """Settling adds to counters, so that on PostgreSQL each is a transaction of its own, and waits for itself."""
    store = Store(postgres_url, busy_timeout_seconds=0.3)
    with closing(store), live_server(store, clock, max_waiting=100, busy_timeout_seconds=0.3) as server:
        organization, client = server.organization()
        clients = [server.client(client.token) for _ in range(20)]
        path = "/organization/usage/holds"
        for number in range(20):
            client.request("POST", path, json={"id": f"h{number}", "channel": "EMAIL", "quantity": 1})
        counted = []
        lock = stored_organizations.lock
        with psycopg.connect(store.url) as other, pytest.MonkeyPatch.context() as patch:
            patch.setattr(stored_organizations, "lock", lambda *given: counted.append(1) or lock(*given))
            other.execute("UPDATE organizations SET name = name WHERE organization_id = %s", [organization.number])
            with ThreadPoolExecutor(20) as threads:
                settle = [
                    threads.submit(each.request, "POST", f"{path}/h{number}/settle", json={})
                    for number, each in enumerate(clients)
                ]
                answers = [each.result(30) for each in settle]
        assert {answer.status_code for answer in answers} == {503}
        assert len(counted) < 10, "each of twenty waited for the lock"
        assert client.request("POST", f"{path}/h0/settle", json={}).status_code == 200


def test_a_name_in_one_body_does_not_fail_a_group(server):
    """An extension of a CloudEvent may be called as the member that a batch of ours has its events in."""
    _, client = server.organization()
    headers = {"content-type": "application/cloudevents+json"}
    event = {"specversion": "1.0", "type": "usage", "source": "test", "events": 5, "data": {"channel": "EMAIL"}}

    def send(each, number):
        body = json.dumps({**event, "id": f"e{number}"})
        return each.request("POST", "/organization/usage/events", headers=headers, content=body)

    clients = [server.client(client.token) for _ in range(4)]
    sends = [lambda each=each, number=number: send(each, number) for number, each in enumerate(clients)]
    assert [answer.status_code for answer in at_once(server, sends)] == [200] * 4
    assert client.usage().json()["messageUsage"] == 4
