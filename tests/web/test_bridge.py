"""Many requests at once, and a database that makes them wait."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.live import live_server
from tests.web.blocked_writers import until, writing_held
from tests.web.raw import EMAIL, Caller

EVENT = {"id": "a", "channel": "EMAIL"}


@pytest.fixture
def small_server(store, clock):
    """A server that takes two recordings at once."""
    with live_server(store, clock, max_waiting=2) as live:
        yield live


def test_reading_goes_on_while_recording_is_refused_for_its_number(small_server):
    _, client = small_server.organization()
    first, second = small_server.client(client.token), small_server.client(client.token)
    with ThreadPoolExecutor(2) as threads:
        with writing_held(small_server.store):
            waiting = [
                threads.submit(sender.record, EVENT | {"id": f"e{index}"})
                for index, sender in enumerate((first, second))
            ]
            until(lambda: small_server.bridge.limited_under_way == 2)
            for _ in range(3):
                refused = client.record(EVENT)
                assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
                assert refused.headers["retry-after"] == "1"
                assert client.usage().json()["messageUsage"] == 0
                assert client.request("GET", "/health/ready").status_code == 200
        assert [each.result(20).status_code for each in waiting] == [200, 200]
    assert client.record(EVENT).status_code == 200
    assert client.usage().json()["messageUsage"] == 3


def test_a_recording_that_waits_too_long_for_another_is_unavailable_and_stores_nothing(tmp_path, clock):
    store = Store(f"sqlite:///{tmp_path}/test.db", busy_timeout_seconds=0.2)
    upgrade(store)
    with closing(store), live_server(store, clock) as live:
        _, client = live.organization()
        with writing_held(store):
            answer = client.record(EVENT)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert client.usage().json()["messageUsage"] == 0
        assert client.record(EVENT).json()["accepted"] == 1


def test_the_process_is_alive_and_reading_answers_while_every_recording_waits(store, clock):
    with live_server(store, clock, worker_threads=2) as live:
        _, client = live.organization()
        senders = [live.client(client.token) for _ in range(4)]
        with ThreadPoolExecutor(4) as threads:
            with writing_held(store):
                waiting = [
                    threads.submit(sender.record, EVENT | {"id": f"e{index}"}) for index, sender in enumerate(senders)
                ]
                until(lambda: live.bridge.limited_under_way == 4)
                try:
                    alive = httpx.get(f"{live.url}/health/live", timeout=3).status_code
                except httpx.ReadTimeout:
                    alive = "no answer"
            assert [each.result(20).status_code for each in waiting] == [200] * 4
        assert alive == 200


@pytest.mark.parametrize(
    "body",
    [EMAIL, b"{", b'{"events":[]}', b'{"events":[{"id":"a","channel":"PUSH"}]}'],
    ids=["duplicate", "no JSON", "invalid", "conflict"],
)
def test_a_request_that_ended_counts_no_more_however_it_ended(caller, body):
    caller.send(caller.recording(EMAIL))
    caller.send(caller.recording(body))
    caller.send(caller.recording(body).replace(b"sendmeter_sk_", b"sendmeter_xx_"))
    assert caller.server.bridge.limited_under_way == 0


def test_recorded_by_many_at_once_everything_is_counted_once(server):
    _, client = server.organization()
    senders = [server.client(client.token) for _ in range(6)]

    def send(index):
        shared = [{"id": f"shared-{number}", "channel": "SMS", "cost": "0.000000001"} for number in range(5)]
        own = {"id": f"own-{index}", "channel": "EMAIL"}
        return senders[index % 6].record(own, *shared).json()

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(send, range(30)))
    assert sum(answer["accepted"] for answer in answers) == 35
    usage = client.usage()
    assert usage.json()["channelUsages"] | {"EMAIL": 30, "SMS": 5} == usage.json()["channelUsages"]
    assert '"costSms":0.000000005' in usage.text


def test_the_same_operations_answer_under_both_addresses(server):
    organization, client = server.organization()
    recorded = client.request("POST", "/account/organization/usage/events", json={"events": [EVENT]})
    assert recorded.json()["accepted"] == 1
    assert client.record(EVENT).json()["duplicates"] == 1
    assert client.request("GET", "/account/organization/usage").json() == client.usage().json()
    assert Caller(server, organization, client.token).stored() == ["a"]


def test_what_the_clock_says_counts_for_each_request_anew(server):
    _, client = server.organization()
    assert client.usage().json()["billingCycleStart"] == "2026-11-01T00:00:00Z"
    server.clock.advance(days=10, hours=12, microseconds=-1)
    assert client.usage().json()["billingCycleStart"] == "2026-11-01T00:00:00Z"
    server.clock.advance(microseconds=1)
    assert client.usage().json()["billingCycleStart"] == "2026-12-01T00:00:00Z"
