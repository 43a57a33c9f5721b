"""Connections that wait for their client: none waits for ever, none keeps others out, and what is whole is answered."""

import socket
import threading
import time
import weakref
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from sendmeter.serving.room import SPARE
from tests.live import Clock, live_server
from tests.web.blocked_writers import until, writing_held
from tests.web.raw import EMAIL, EVENTS, Caller, check_refusal

SECONDS = 0.5
"""How long the server waits here for a request to come to its end."""
PLACES = 12
LATE = (408, "invalid_request")
FULL = (503, "unavailable")
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
READY = LIVE.replace(b"live", b"ready")


@contextmanager
def caller_of(store, **settings):
    with live_server(store, Clock(), **settings) as live:
        organization, client = live.organization()
        yield Caller(live, organization, client.token)


@pytest.fixture
def caller(sqlite_store):
    """A server that waits half a second."""
    with caller_of(sqlite_store, request_timeout_seconds=SECONDS) as caller:
        yield caller


@pytest.fixture
def small(sqlite_store):
    """A server with room for twelve connections, which waits as long as it does by default."""
    with caller_of(sqlite_store, max_connections=PLACES) as caller:
        yield caller


def email(event_id):
    return b'{"events":[{"id":"%s","channel":"EMAIL"}]}' % event_id.encode()


def endless(caller, *headers):
    return caller.head(f"POST {EVENTS}", "Content-Type: application/json", "Transfer-Encoding: chunked", *headers)


UNFINISHED = {
    "a line": lambda _: b"GET /organiz",
    "a header": lambda caller: caller.head("GET /organization/usage")[:-2],
    "a body": lambda caller: caller.recording(EMAIL)[:-1],
    "a body of which nothing comes": lambda caller: caller.recording(EMAIL)[: -len(EMAIL)],
    "chunks": lambda caller: endless(caller) + b"5\r\n     \r\n",
    "a trailer": lambda caller: endless(caller) + b"1\r\n \r\n0\r\nX-Note: a",
    "a body behind an offer to upgrade": lambda caller: caller.recording(EMAIL, "Connection: Upgrade", "Upgrade: h2c")[
        :-1
    ],
}


def test_a_request_that_does_not_end_is_waited_for_no_longer_than_the_setting_says(caller):
    with ExitStack() as stack:
        lines = {kind: stack.enter_context(caller.line()) for kind in UNFINISHED}
        began = time.monotonic()
        for kind, line in lines.items():
            line.send(UNFINISHED[kind](caller))
        for kind, line in lines.items():
            reply = line.reply()
            assert time.monotonic() - began >= SECONDS, kind
            check_refusal(reply, *LATE)
            assert reply.header("connection") == "close"
            assert line.ended(), kind
    until(lambda: caller.server.bridge.limited_under_way == 0)
    assert caller.stored() == []


@pytest.mark.parametrize("kind", ["a header", "a body"])
def test_bytes_that_come_one_by_one_do_not_keep_a_request_alive(kind, caller):
    data = UNFINISHED[kind](caller)
    with caller.line() as line, ExitStack() as stack:
        ended = threading.Event()
        stack.callback(ended.set)
        trickle = threading.Thread(
            target=lambda: [line.send(data[n : n + 1]) for n in range(20) if not ended.wait(0.1)]
        )
        line.send(data[:-20])
        data = data[-20:]
        trickle.start()
        check_refusal(line.reply(), *LATE)
        ended.set()
        trickle.join()


@pytest.mark.parametrize("sent", [b"", b"\r\n", LIVE], ids=["nothing", "an empty line", "a request"])
def test_an_idle_connection_is_closed_without_a_word(sent, caller):
    with caller.line() as line:
        line.send(sent)
        if sent == LIVE:
            assert line.reply().status == 200
        assert line.ended()


def test_a_connection_that_is_used_again_and_again_is_not_closed(caller):
    with caller.line() as line:
        until_then = time.monotonic() + 2 * SECONDS
        while time.monotonic() < until_then:
            line.send(LIVE)
            assert line.reply().status == 200
            time.sleep(0.05)


def test_what_waits_for_the_server_is_not_late(sqlite_store):
    """The first request waits for another writer, and the rest of the second is not read meanwhile."""
    with (
        caller_of(sqlite_store, request_timeout_seconds=SECONDS, busy_timeout_seconds=20) as caller,
        caller.line() as line,
    ):
        second = caller.recording(email("b" * 20).ljust(500_000))
        with writing_held(sqlite_store):
            line.send(caller.recording(email("a")) + second[:100_000])
            sender = threading.Thread(target=line.send, args=[second[100_000:]])
            sender.start()
            time.sleep(3 * SECONDS)
        assert [line.reply().status for _ in range(2)] == [200, 200]
        sender.join()
        assert len(caller.stored()) == 2


def test_a_request_behind_which_half_a_request_stands_is_answered_before_the_connection_is_closed(sqlite_store):
    with (
        caller_of(sqlite_store, request_timeout_seconds=SECONDS, busy_timeout_seconds=20) as caller,
        caller.line() as line,
    ):
        with writing_held(sqlite_store):
            line.send(caller.recording(EMAIL) + LIVE[:-2])
            time.sleep(3 * SECONDS)
        assert line.reply().status == 200
        assert line.ended()
        assert caller.stored() == ["a"]


def test_a_body_that_goes_on_after_its_refusal_gets_no_second_answer(caller):
    with caller.line() as line:
        line.send(endless(caller) + b"100001\r\n" + b" " * 0x100001 + b"\r\n")
        check_refusal(line.reply(), 413, "payload_too_large")
        assert line.ended()


def test_a_client_that_waits_for_100_continue_and_sends_nothing_then_is_not_waited_for(caller):
    with caller.line() as line:
        line.send(caller.recording(EMAIL, "Expect: 100-continue")[: -len(EMAIL)])
        assert line.stream.readline() == b"HTTP/1.1 100 Continue\r\n"
        line.stream.readline()
        check_refusal(line.reply(), *LATE)


def small_window(line):
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    return line


@pytest.mark.parametrize("count", [60, 6_000], ids=["which is kept until then", "which fills what is kept"])
def test_a_client_that_takes_no_answer_is_closed(count, caller):
    ask = caller.head("GET /openapi.json")
    lines = [small_window(caller.line()) for _ in range(2)]
    try:
        for line in lines:
            line.socket.settimeout(0.2)
            with suppress(TimeoutError):
                line.socket.sendall(ask * count)
        until(lambda: not any(held_by(line) for line in lines), 20)
    finally:
        for line in lines:
            line.__exit__()


def held_by(line):
    """Return whether the server has a connection still, as the system's table of connections has it."""
    port = line.socket.getsockname()[1]
    rows = Path("/proc/net/tcp").read_text().splitlines()
    return any(row.split()[2].endswith(f":{port:04X}") and row.split()[3] == "01" for row in rows)


def open_lines(caller, count, stack, data=b""):
    lines = [stack.enter_context(caller.line()) for _ in range(count)]
    for line in lines:
        line.send(data)
    return lines


def is_open(line):
    line.socket.settimeout(0.01)
    try:
        return line.socket.recv(1, socket.MSG_PEEK) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def test_where_there_is_no_room_the_connection_that_is_idle_longest_goes(small):
    with ExitStack() as stack:
        lines = open_lines(small, PLACES, stack)
        lines[0].send(LIVE)
        assert lines[0].reply().status == 200
        time.sleep(0.2)
        for _ in range(3):
            assert small.send(READY).status == 200
        stack.enter_context(small.line()).send(b"")
        until(lambda: [is_open(line) for line in lines].count(False) >= 1)
        assert is_open(lines[0])
        assert not is_open(lines[1])


def test_requests_that_do_not_end_keep_nobody_out(small):
    with ExitStack() as stack:
        lines = open_lines(small, PLACES, stack)
        kinds = list(UNFINISHED.values())
        for number, line in enumerate(lines):
            line.send(kinds[number % len(kinds)](small))
        time.sleep(1.2)
        others = [f"e{number}" for number in range(10)]
        assert {small.send(small.recording(email(other))).status for other in others} == {200}
        check_refusal(lines[0].reply(), *LATE)
    assert small.stored() == others


def test_clients_that_take_no_answer_keep_nobody_out(sqlite_store):
    with caller_of(sqlite_store, max_connections=3) as small, ExitStack() as stack:
        for line in open_lines(small, 3, stack):
            small_window(line).socket.settimeout(0.2)
            with suppress(TimeoutError):
                line.socket.sendall(small.head("GET /openapi.json") * 6_000)
        # Until what the system keeps for them is full, they are at work.
        until(lambda: small.send(READY).status == 200)
        assert small.send(small.recording(EMAIL)).status == 200


def test_a_client_that_took_its_answers_late_is_not_closed_while_its_next_request_is_under_way(sqlite_store):
    """It was in nobody's way meanwhile: what it is asked next is not to be broken off, stored and not acknowledged."""
    settings = {"max_connections": 1, "request_timeout_seconds": 2, "busy_timeout_seconds": 20}
    with caller_of(sqlite_store, **settings) as small, small.line() as line:
        room = small.server.room
        until(lambda: room.idle)
        (connection,) = room.idle
        for held in (line.socket, connection.transport.get_extra_info("socket")):
            held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        ask = small.head("GET /organization/usage/history?startDate=2026-10-21&endDate=2026-11-20&groupBy=day")
        asked = 0
        while not connection.transport.get_write_buffer_size():
            line.send(ask)
            asked += 1
            time.sleep(0.02)
        time.sleep(0.3)
        assert connection.transport.get_write_buffer_size()
        small.send(LIVE)
        assert {line.reply().status for _ in range(asked)} == {200}
        with writing_held(sqlite_store):
            line.send(small.recording(EMAIL))
            until(lambda: small.server.bridge.limited_under_way == 1)
            time.sleep(3)
        assert line.reply().status == 200


def test_a_client_that_takes_no_answer_does_not_keep_its_connection_by_half_a_request(sqlite_store):
    """It has made room for another, and is not forgotten for that: nothing else would ever close it."""
    with caller_of(sqlite_store, max_connections=1, request_timeout_seconds=3) as small, small.line() as line:
        until(lambda: small.server.room.idle)
        (connection,) = small.server.room.idle
        small_window(line)
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        line.send(small.head("GET /openapi.json") + LIVE[:-2])
        time.sleep(1.2)
        assert connection.transport.get_write_buffer_size()
        assert small.send(LIVE).status == 200
        until(lambda: not held_by(line))


def test_half_a_request_is_told_that_the_server_stops(sqlite_store):
    with ExitStack() as stack:
        with caller_of(sqlite_store) as caller:
            line = stack.enter_context(caller.line())
            line.send(LIVE[:-2])
            until(lambda: caller.server.room.unfinished)
        check_refusal(line.reply(), *FULL)
        assert line.ended()


def test_where_each_connection_is_at_work_a_further_one_is_told_so_and_that_the_server_lives(sqlite_store):
    with (
        caller_of(sqlite_store, max_connections=PLACES, busy_timeout_seconds=20) as small,
        ExitStack() as stack,
    ):
        with writing_held(sqlite_store):
            lines = [stack.enter_context(small.line()) for _ in range(PLACES)]
            for number, line in enumerate(lines):
                line.send(small.recording(email(f"e{number:02}")))
            until(lambda: small.server.bridge.limited_under_way == PLACES)
            for data in (READY, small.recording(email("more").ljust(1_000_000)), small.head("GET /organization/usage")):
                refused = small.send(data)
                check_refusal(refused, *FULL)
                assert (refused.header("connection"), refused.header("retry-after")) == ("close", "1")
            for _ in range(3):
                living = small.send(LIVE)
                assert (living.status, living.header("connection")) == (200, "close")
            quiet = open_lines(small, SPARE, stack)
            check_refusal(stack.enter_context(small.line()).reply(), *FULL)
        assert {line.reply().status for line in lines} == {200}
        time.sleep(0.2)
        quiet[-1].send(READY)
        assert quiet[-1].reply().status == 200
        assert small.send(small.recording(email("then"))).status == 200
        assert len(small.stored()) == PLACES + 1


def test_requests_sent_ahead_take_memory_only_when_their_turn_comes(sqlite_store):
    """They are answered one after the other; read at once, each would take some two KiB meanwhile."""
    seen = []

    class Watched(RequestResponseCycle):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            seen.append(weakref.ref(self))

    with (
        caller_of(sqlite_store, busy_timeout_seconds=20) as caller,
        caller.line() as line,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("uvicorn.protocols.http.httptools_impl.RequestResponseCycle", Watched)
        with writing_held(sqlite_store):
            sender = threading.Thread(target=line.send, args=[caller.recording(EMAIL) + LIVE * 400_000])
            sender.start()
            until(lambda: caller.server.bridge.limited_under_way == 1)
            time.sleep(0.3)
            assert len(seen) < 300
        assert [line.reply().status for _ in range(2_000)] == [200] * 2_000
        assert sender.is_alive(), "15 MiB were read"
        assert len(seen) > 2_000
        assert len([1 for each in seen if each() is not None]) < 300
        line.socket.shutdown(socket.SHUT_RDWR)
        sender.join()
