"""One connection: however its bytes are cut, each request gets its own answer, and nothing but requests is taken."""

import contextlib
import random
import socket
import time

import pytest

from tests.web.blocked_writers import until, writing_held
from tests.web.raw import EMAIL, EVENTS, check_refusal, chunked

INVALID = (400, "invalid_request")
USAGE = "/organization/usage"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
OFFER = ("Connection: Upgrade", "Upgrade: h2c")


def chunks(caller, *headers):
    return caller.head(f"POST {EVENTS}", "Content-Type: application/json", "Transfer-Encoding: chunked", *headers)


def with_trailer(body, *lines):
    return chunked(body).removesuffix(b"\r\n") + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def email(event_id, size=0):
    return (b'{"events":[{"id":"%s","channel":"EMAIL"}]}' % event_id.encode()).ljust(size)


def test_a_key_behind_the_body_is_no_key(caller):
    """RFC 9110, 6.5.1: a proxy that looks at a request's key does not look there, and nor do we."""
    bare = chunks(caller).replace(f"{caller.key}\r\n".encode(), b"")
    caller.refused(bare + with_trailer(EMAIL, caller.key.encode()), 401, "unauthorized")


def test_a_content_type_behind_the_body_is_none(caller):
    head = caller.head(f"POST {EVENTS}", "Transfer-Encoding: chunked")
    data = head + with_trailer(EMAIL, b"Content-Type: application/json")
    caller.refused(data, 415, "unsupported_media_type")


def test_what_stands_behind_the_body_changes_nothing(caller):
    trailer = [b"X-Checksum: 1", caller.key.encode(), b"Content-Type: text/plain", b"Content-Encoding: gzip"]
    with caller.line() as line:
        line.send(chunks(caller) + with_trailer(EMAIL, *trailer) + LIVE)
        assert [line.reply().status for _ in range(2)] == [200, 200]
    assert caller.stored() == ["a"]


@pytest.mark.parametrize("part", [b"X-Note: " + b"a" * 56 + b"\r\n", b"X-Note: " + b"a" * 65_528], ids=["many", "one"])
def test_what_stands_behind_the_body_is_refused_past_64_kib(caller, part):
    with caller.line() as line:
        line.send(chunks(caller) + b"0\r\n")
        for _ in range(0, 1_048_576, len(part)):
            line.send(part)
        line.socket.settimeout(30)
        check_refusal(line.reply(), *INVALID)


def test_a_body_that_goes_wrong_is_not_the_answer_to_the_request_before_it(caller):
    with caller.line() as line:
        line.send(caller.recording(EMAIL) + chunks(caller) + b"zz\r\n")
        reply = line.reply()
    assert (reply.status, caller.stored()) == (200, ["a"])


def test_a_body_that_goes_wrong_is_not_the_answer_to_any_of_many_requests_before_it(caller):
    with caller.line() as line:
        line.send(caller.recording(EMAIL) + LIVE * 5 + caller.recording(email("b")) + chunks(caller) + b"zz\r\n")
        assert [line.reply().status for _ in range(7)] == [200] * 7
    assert caller.stored() == ["a", "b"]


@pytest.mark.parametrize(
    "broken", [b"GET / nonsense\r\n\r\n", b"GET /a#b HTTP/1.1\r\n\r\n"], ids=["nonsense", "ambiguous"]
)
def test_a_broken_request_after_one_that_was_refused_early_is_not_answered(caller, broken):
    with caller.line() as line:
        line.send(caller.head(f"POST {EVENTS}", "Content-Length: 1048577"))
        check_refusal(line.reply(), 413, "payload_too_large")
        line.send(b" " * 1_048_577 + broken)
        check_refusal(line.reply(), *INVALID)
        assert line.ended()


def test_a_refusal_in_place_of_100_continue_ends_the_connection(caller):
    """Its client sends no body then, or does (RFC 9110, 10.1.1): what comes next could be read as either."""
    with caller.line() as line:
        line.send(caller.head(f"POST {EVENTS}", "Content-Length: 1048577", "Expect: 100-continue"))
        reply = line.reply()
        check_refusal(reply, 413, "payload_too_large")
        assert reply.header("connection") == "close"
        line.send(caller.recording(EMAIL))
        with contextlib.suppress(ConnectionResetError):
            assert line.ended()
    assert caller.stored() == []


def test_a_client_of_http_1_0_is_told_to_go_on_in_a_way_that_it_does_not_know(caller):
    head = caller.head(
        f"POST {EVENTS}", "Content-Type: application/json", "Expect: 100-continue", f"Content-Length: {len(EMAIL)}"
    )
    with caller.line() as line:
        line.send(head.replace(b"HTTP/1.1", b"HTTP/1.0"))
        time.sleep(0.1)
        line.send(EMAIL)
        assert line.reply().status == 200


def test_a_client_that_does_not_wait_for_100_continue_keeps_its_connection(caller):
    with caller.line() as line:
        line.send(caller.recording(EMAIL, "Expect: 100-continue") + caller.recording(email("b")))
        statuses = [line.reply().status for _ in range(2)]
        assert statuses in ([200, 200], [100, 200])
        assert statuses == [200, 200] or line.reply().status == 200
    assert caller.stored() == ["a", "b"]


@pytest.mark.parametrize(
    ("behind", "count"),
    [(b"", 0), (LIVE[:-2], 0), (LIVE, 1), (LIVE * 300, 300), (LIVE * 300 + LIVE[:-2], 300)],
    ids=["nothing", "half a request", "another", "many", "many and a half"],
)
def test_what_came_whole_before_its_client_said_that_nothing_more_comes_is_not_answered(caller, behind, count):
    """As `nc -N` does. What was stored and not acknowledged would be sent again, or be a key that nobody was shown."""
    with caller.line() as line:
        with writing_held(caller.server.store):
            line.send(caller.recording(EMAIL) + behind)
            line.socket.shutdown(socket.SHUT_WR)
            until(lambda: caller.server.bridge.limited_under_way == 1)
            time.sleep(0.1)
        assert [line.reply().status for _ in range(1 + count)] == [200] * (1 + count)
        assert line.ended()
    assert caller.stored() == ["a"]


def test_a_client_that_says_that_nothing_more_comes_keeps_an_idle_connection(caller):
    with caller.line() as line:
        line.send(LIVE)
        assert line.reply().status == 200
        line.socket.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        assert line.ended()
        assert time.monotonic() - began < 30


def test_a_thousand_offers_to_upgrade_at_once_are_passed_over_like_one(caller):
    offer = LIVE.removesuffix(b"\r\n") + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n"
    with caller.line() as line:
        line.send(offer * 2_000)
        assert {line.reply().status for _ in range(2_000)} == {200}


def test_answers_do_not_depend_on_where_the_bytes_are_cut(caller):
    dice = random.Random(20261120)
    recorded = 0

    def request():
        """Make a request and say how it is answered."""
        nonlocal recorded
        kind = dice.randrange(9)
        if kind < 5:
            recorded += 1
            body = email(f"e{recorded}", dice.choice([0, 100, 70_000]))
            offer = OFFER if dice.random() < 0.4 else ()
            if kind < 2:
                return caller.recording(body, *offer), 200
            step = dice.choice([100, 9_999, len(body)])
            parts = [body[start : start + step] for start in range(0, len(body), step)]
            return chunks(caller, *offer) + chunked(*parts), 200
        made = {
            5: (caller.head(f"GET {USAGE}", *OFFER), 200),
            6: (caller.head("GET /nowhere"), 404),
            7: (caller.recording(b"{", *OFFER), 400),
            8: (caller.head(f"DELETE {USAGE}", f"X-Note: {'a' * 8_000}"), 405),
        }
        return made[kind]

    for _ in range(40):
        sent, expected = zip(*(request() for _ in range(6)), strict=True)
        data = b"".join(sent)
        cuts = sorted(dice.sample(range(1, len(data)), 6))
        with caller.line() as line:
            line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                line.send(data[start:end])
                time.sleep(0.001)
            assert [line.reply().status for _ in expected] == list(expected), (cuts, [each[:80] for each in sent])
    assert len(caller.stored()) == recorded


def test_a_client_that_hangs_up_with_requests_waiting_is_no_failure_of_the_server(caller, caplog):
    for _ in range(20):
        with caller.line() as line:
            line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            line.send(caller.recording(email("again")) * 20)
            time.sleep(0.01)
    deadline = time.monotonic() + 10
    while caller.server.bridge.limited_under_way:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
    assert caller.send(caller.head(f"GET {USAGE}")).status == 200
