"""How many requests a key may make in a second: what is too many is refused, told when to come again, and not kept."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from sendmeter.contract import contract
from sendmeter.domain.keys import Key
from sendmeter.errors import Refusal, TooManyRequests
from sendmeter.web.envelope import error_answer
from sendmeter.web.rates import LONGEST_WINDOW_SECONDS, Rates
from tests.live import live_server
from tests.web.raw import EMAIL, Caller

RECORD = contract().operations["events.record"]
# So few that no test sees a window end.
ONE_AN_HOUR = 1 / 3600


def key(number=1):
    return Key(f"key_{number}", 1, "acc_1", "test", (), datetime(2026, 11, 20, tzinfo=UTC), None, None)


def taken(rates, caller, times=1):
    """Return how many of a key's requests are taken."""
    return sum(_is_taken(rates, caller) for _ in range(times))


def _is_taken(rates, caller):
    try:
        rates.take(RECORD, caller)
    except TooManyRequests:
        return False
    return True


@pytest.fixture
def slow_server(sqlite_store, clock):
    """A server that takes one writing request of a key in an hour."""
    with live_server(sqlite_store, clock, key_requests_per_second=ONE_AN_HOUR) as live:
        yield live


def email(event_id):
    return {"id": event_id, "channel": "EMAIL"}


def test_one_request_too_many_is_refused_and_nothing_of_it_is_kept(slow_server):
    _, client = slow_server.organization()
    assert client.record(email("a")).status_code == 200
    refused = client.record(email("b"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
    assert refused.json()["error"]["message"] == "The server takes no more requests of this key than 1 in 3,600 s."
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert client.usage().json()["messageUsage"] == 1


def test_each_key_is_counted_on_its_own_two_of_one_organization_too(slow_server):
    organization, client = slow_server.organization()
    other = slow_server.client(slow_server.key(organization, "events:write").token)
    assert [each.record(email("a")).status_code for each in (client, client, other, other)] == [200, 429, 200, 429]


def test_reading_is_never_counted_nor_refused(slow_server):
    _, client = slow_server.organization()
    client.record(email("a"))
    assert client.record(email("b")).status_code == 429
    for path in ("/organization/usage", "/organization/usage/events", "/organization/limits", "/health/ready"):
        assert [client.request("GET", path).status_code for _ in range(3)] == [200] * 3


def test_what_has_a_429_in_the_contract_is_counted(slow_server):
    organization, client = slow_server.organization()
    held, put = {"id": "h", "channel": "SMS", "estimatedCost": "1"}, {"enforcement": "block"}
    for method, path, body in (
        ("POST", "/organization/usage/holds", held),
        ("POST", "/organization/usage/holds/h/release", None),
        ("PUT", "/organization/limits", put),
        ("POST", "/organization/usage/events/a/void", {}),
    ):
        caller = slow_server.client(slow_server.key(organization, "events:write", "holds:write", "limits:write").token)
        answers = [caller.request(method, path, json=body).status_code for _ in range(2)]
        assert (answers[0] != 429, answers[1]) == (True, 429), (path, answers)
    assert client.record(email("a")).status_code == 200


def test_who_lacks_the_key_or_its_scope_neither_is_counted_nor_uses_a_key_up(slow_server):
    organization, client = slow_server.organization()
    caller = Caller(slow_server, organization, client.token)
    forged = caller.recording(EMAIL).replace(client.token[-8:].encode(), b"AAAAAAAA")
    reader = slow_server.client(slow_server.key(organization).token)
    for _ in range(3):
        assert caller.send(forged).status == 401
        assert reader.record(email("a")).status_code == 403
    assert len(slow_server.bridge.rates._limiter.storage.storage) == 0
    assert client.record(email("a")).status_code == 200


def test_a_key_that_waited_as_long_as_it_was_told_is_taken_again(sqlite_store, clock):
    with live_server(sqlite_store, clock, key_requests_per_second=1) as live:
        _, client = live.organization()
        answers = [client.record(email("e0"))]
        while answers[-1].status_code == 200:  # the library's windows end with the clock's seconds
            answers.append(client.record(email(f"e{len(answers)}")))
            assert len(answers) < 10
        assert answers[-1].headers["retry-after"] == "1"
        time.sleep(1)
        assert client.record(email("again")).status_code == 200
        assert client.usage().json()["messageUsage"] == len(answers)


def test_without_the_setting_there_is_no_limit(shared_server):
    _, client = shared_server.organization()
    assert {client.record(email(f"e{number}")).status_code for number in range(30)} == {200}


def test_a_server_without_a_limit_does_not_import_the_library():
    """Reading its modules takes a tenth of a second."""
    program = (
        "import sys, sendmeter.app; from sendmeter.web.rates import Rates; Rates(0); print('limits' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("per_second", "count", "seconds"),
    [
        (100_000, 100_000, 1),
        (2.5, 2, 1),
        (1, 1, 1),
        (0.99, 1, 2),
        (0.5, 1, 2),
        (0.3, 1, 4),
        (1 / 3600, 1, 3600),
        (1e-9, 1, LONGEST_WINDOW_SECONDS),
        (5e-324, 1, LONGEST_WINDOW_SECONDS),
    ],
)
def test_a_limit_that_is_no_whole_number_takes_no_more_than_it_says(per_second, count, seconds):
    rates = Rates(per_second)
    assert (rates._limit.amount, rates._limit.get_expiry()) == (count, seconds)


@pytest.fixture
def hasty_threads():
    """Let threads take turns so often that each place where they could meet is met."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_of_many_at_once_only_one_slips_through_one_gap():
    rates, together = Rates(ONE_AN_HOUR), threading.Barrier(4)

    def take(_):
        found = []
        for number in range(400):
            together.wait(10)
            found.append(taken(rates, key(number)))
        return found

    with ThreadPoolExecutor(4) as threads:
        each = list(threads.map(take, range(4)))
    assert {sum(found) for found in zip(*each, strict=True)} == {1}


def test_however_many_threads_ask_each_key_gets_its_share():
    rates = Rates(500)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda number: taken(rates, key(number % 2), 100), range(16)))
    # 800 requests of each key; where the clock came to the next second, a few of that second's are among those taken.
    assert 500 <= sum(found[::2]) < 800
    assert 500 <= sum(found[1::2]) < 800


def test_keys_that_are_not_used_any_more_are_forgotten():
    rates = Rates(1_000)
    for number in range(1_000):
        rates.take(RECORD, key(number))
    storage = rates._limiter.storage
    storage.timer.join(5)
    assert 1_000 <= len(storage.storage) <= 1_100
    storage.expirations.update(dict.fromkeys(storage.expirations, 0.0))  # as if two seconds were over
    rates.take(RECORD, key(0))
    storage.timer.join(5)
    assert len(storage.storage) == len(storage.expirations) == 1
    assert len(storage.locks) <= 1
    assert not storage.events


def test_the_librarys_thread_ends_at_once_so_nothing_waits_for_it_at_the_servers_end():
    before = threading.active_count()
    rates = Rates(10)
    rates.take(RECORD, key())
    timer = rates._limiter.storage.timer
    timer.join(1)
    assert not timer.is_alive()
    assert threading.active_count() <= before


@pytest.mark.parametrize(("seconds", "said"), [(-1, "1"), (0, "1"), (0.2, "1"), (1, "1"), (1.01, "2"), (3600, "3600")])
def test_retry_after_is_whole_seconds_rounded_up_and_one_at_the_least(seconds, said):
    answer = error_answer(TooManyRequests("no", retry_after_seconds=seconds), "trk_06dbn3k9vtfo5c9m4q2h8s1a7e")
    assert dict(answer.headers)["retry-after"] == said


def test_who_is_refused_for_the_number_under_way_may_come_again_after_a_second():
    assert TooManyRequests("no").retry_after_seconds == 1
    assert issubclass(TooManyRequests, Refusal)
