"""More requests than the database takes: refused at once or in time, and while it lasts reading goes on."""

import json
import time
from contextlib import ExitStack, closing, contextmanager

import psycopg
import pytest

from sendmeter.services.verify import differences
from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.live import live_server
from tests.web.blocked_writers import until, writing_held
from tests.web.raw import EVENTS, Caller, check_refusal

BUSY_SECONDS = 1
THREADS, WAITING, BEYOND = 2, 24, 8
AT_ONCE = 4
"""In seconds: far more than an answer takes."""
IN_TIME = 5 * BUSY_SECONDS
"""A request waits for its turn, for other writers of the process, and for the database. Were those that wait tried one
after the other, the last of them would wait for WAITING / THREADS times BUSY_SECONDS, which is far more."""


@pytest.fixture
def impatient(database_url, clock):
    """A server of two threads that takes 24 writing requests at once, and waits half a second for the database."""
    with closing(Store(database_url, busy_timeout_seconds=BUSY_SECONDS)) as store:
        if store.is_sqlite:
            upgrade(store)
        settings = {"worker_threads": THREADS, "max_waiting": WAITING, "busy_timeout_seconds": BUSY_SECONDS}
        with live_server(store, clock, **settings) as live:
            yield live


@pytest.fixture
def caller(impatient):
    organization, client = impatient.organization()
    return Caller(impatient, organization, client.token)


def recording(caller, number):
    return caller.recording(json.dumps({"events": [{"id": f"e{number:02}", "channel": "EMAIL"}]}).encode())


def limiting(caller, number):
    body = json.dumps({"enforcement": "observe", "messageCap": number + 1}).encode()
    size = f"Content-Length: {len(body)}"
    return caller.head("PUT /organization/limits", "Content-Type: application/json", size) + body


def mixed(caller, number):
    """Merged with others of its kind, or with none; settling what there is no hold for is neither."""
    if number % 3 == 0:
        return recording(caller, number)
    body = json.dumps({"id": f"h{number}", "channel": "EMAIL", "quantity": 1} if number % 3 == 1 else {}).encode()
    path = "/organization/usage/holds" + ("" if number % 3 == 1 else "/none/settle")
    return caller.head(f"POST {path}", "Content-Type: application/json", f"Content-Length: {len(body)}") + body


WRITES = {"in groups": recording, "each on its own": limiting, "of several kinds": mixed}


@contextmanager
def lines(caller, count):
    """Open connections before they are needed: what is sent on them comes at the same moment."""
    with ExitStack() as stack:
        yield [stack.enter_context(caller.line()) for _ in range(count)]


def answers_and_seconds(of, since):
    """Read an answer of each connection, and tell when the last one came at the latest."""
    return [each.reply() for each in of], time.monotonic() - since


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_who_comes_beyond_the_bound_is_refused_at_once_and_who_waits_is_answered_in_time(impatient, caller, write):
    client = impatient.client(caller.token)
    with lines(caller, WAITING) as waiting, lines(caller, BEYOND) as beyond:
        with writing_held(impatient.store):
            started = time.monotonic()
            for number, line in enumerate(waiting):
                line.send(write(caller, number))
            until(lambda: impatient.bridge.limited_under_way == WAITING)
            sent = time.monotonic()
            for number, line in enumerate(beyond):
                line.send(write(caller, WAITING + number))
            refused, seconds = answers_and_seconds(beyond, sent)
            assert seconds < AT_ONCE
            for path in ("/organization/usage", "/health/live", "/organization/limits"):
                assert client.request("GET", path).status_code == 200
            assert time.monotonic() - sent < 2 * AT_ONCE
            given_up, seconds = answers_and_seconds(waiting, started)
        for reply in refused:
            check_refusal(reply, 429, "too_many_requests")
        for reply in given_up:
            check_refusal(reply, 503, "unavailable")
        assert {reply.header("retry-after") for reply in (*refused, *given_up)} == {"1"}
        assert seconds < IN_TIME
        assert impatient.bridge.limited_under_way == 0
        assert caller.stored() == []
        for number, line in enumerate(waiting):
            line.send(write(caller, number))
        assert {line.reply().status for line in waiting} == ({200, 201, 404} if write is mixed else {200})
    if write is recording:
        assert caller.stored() == [f"e{number:02}" for number in range(WAITING)]
        assert client.usage().json()["messageUsage"] == WAITING
    assert differences(impatient.store, caller.organization) == []


def test_what_was_acknowledged_while_others_gave_up_is_there_once(impatient, caller):
    client = impatient.client(caller.token)
    with lines(caller, WAITING) as senders:
        with writing_held(impatient.store):
            for number, line in enumerate(senders[:THREADS]):
                line.send(recording(caller, number))
            first = senders[0].reply()
            # These wait when the database is free again.
            for number, line in enumerate(senders[THREADS:], THREADS):
                line.send(recording(caller, number))
            until(lambda: impatient.bridge.limited_under_way >= WAITING - THREADS)
        replies = [first, *(line.reply() for line in senders[1:])]
        assert {reply.status for reply in replies} == {200, 503}
        acknowledged = {f"e{number:02}" for number, reply in enumerate(replies) if reply.status == 200}
        assert acknowledged <= set(caller.stored())
        for number, line in enumerate(senders):
            line.send(recording(caller, number))
        outcomes = [line.reply().json()["events"][0] for line in senders]
    assert acknowledged <= {each["id"] for each in outcomes if each["outcome"] == "duplicate"}
    assert client.usage().json()["messageUsage"] == WAITING
    assert differences(impatient.store, caller.organization) == []


@contextmanager
def reading_held(url):
    """Let nobody read, as a change of the schema would."""
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE cycle_counters, events IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (EVENTS, 503, "unavailable"),
        # The contract of this operation is given, and has no 503.
        ("/organization/usage", 500, "internal_error"),
    ],
)
def test_reading_that_waits_is_answered_in_time_however_much_of_it_waits(impatient, caller, path, status, code):
    live = impatient.client()
    with lines(caller, WAITING) as readers:
        with reading_held(impatient.store.url):
            started = time.monotonic()
            for line in readers:
                line.send(caller.head(f"GET {path}"))
            assert live.request("GET", "/health/live").status_code == 200
            assert time.monotonic() - started < AT_ONCE
            replies, seconds = answers_and_seconds(readers, started)
        for reply in replies:
            check_refusal(reply, status, code)
        assert seconds < IN_TIME
        for line in readers:
            line.send(caller.head(f"GET {path}"))
        assert {line.reply().status for line in readers} == {200}
