"""The wire: sizes, framing, connections that end, and what is no HTTP at all."""

import socket
import time

import pytest

from tests.web.raw import EMAIL, EVENTS, check_refusal, chunked

INVALID = (400, "invalid_request")
TOO_LARGE = (413, "payload_too_large")
MIB = 1_048_576
HEAD_LIMIT = 65_536
USAGE = "/organization/usage"


def email(event_id):
    return b'{"events":[{"id":"%s","channel":"EMAIL"}]}' % event_id.encode()


def chunks(caller, *headers):
    return caller.head(f"POST {EVENTS}", "Content-Type: application/json", "Transfer-Encoding: chunked", *headers)


@pytest.mark.parametrize("size", [1, 7, len(EMAIL)])
def test_a_chunked_body_is_recorded(caller, size):
    parts = [EMAIL[start : start + size] for start in range(0, len(EMAIL), size)]
    reply = caller.send(chunks(caller) + chunked(*parts))
    assert reply.status == 200, reply
    assert caller.stored() == ["a"]


def test_a_body_that_comes_byte_by_byte_is_recorded(caller):
    with caller.line() as line:
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in caller.recording(EMAIL):
            line.send(bytes([byte]))
        assert line.reply().status == 200
    assert caller.stored() == ["a"]


def test_a_body_of_exactly_one_mebibyte_is_recorded(caller):
    body = EMAIL + b" " * (MIB - len(EMAIL))
    assert caller.send(caller.recording(body)).status == 200


def test_a_chunked_body_of_exactly_one_mebibyte_is_recorded(caller):
    body = EMAIL + b" " * (MIB - len(EMAIL))
    assert caller.send(chunks(caller) + chunked(body[: MIB // 2], body[MIB // 2 :])).status == 200


def test_a_body_past_one_mebibyte_is_refused_before_it_is_sent(caller):
    head = caller.head(f"POST {EVENTS}", "Content-Type: application/json", f"Content-Length: {MIB + 1}")
    caller.refused(head, *TOO_LARGE)


def test_a_chunked_body_past_one_mebibyte_is_refused_before_it_ends(caller):
    part = b" " * 65_536
    caller.refused(chunks(caller) + chunked(*[part] * 16, b" ").removesuffix(b"0\r\n\r\n"), *TOO_LARGE)


def test_a_body_past_one_mebibyte_where_none_is_taken_is_refused_as_the_contract_says(caller):
    caller.refused(caller.head(f"GET {USAGE}", f"Content-Length: {MIB + 1}"), *INVALID)


def test_a_chunk_whose_size_is_no_number_is_refused(caller):
    with caller.line() as line:
        line.send(chunks(caller) + b"zz\r\n")
        check_refusal(line.reply(), *INVALID)
        assert line.ended()
    assert caller.stored() == []


def test_a_header_line_past_8_kib_is_refused_and_one_of_8_kib_is_not(caller):
    name, limit = "X-Note", 8_192
    fits = caller.head(f"GET {USAGE}", f"{name}: " + "a" * (limit - len(name)))
    assert caller.send(fits).status == 200
    over = caller.head(f"GET {USAGE}", f"{name}: " + "a" * (limit - len(name) + 1))
    caller.refused(over, *INVALID, pointer="header:x-note")


def test_a_header_name_of_any_length_is_not_repeated_in_the_answer(caller):
    reply = caller.refused(caller.head(f"GET {USAGE}", "a" * 9_000 + ": b"), *INVALID, pointer="header:" + "a" * 100)
    assert len(reply.body) < 1_000


def test_a_key_of_monstrous_length_is_refused(caller):
    data = b"GET /organization/usage HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + b"a" * 9_000 + b"\r\n\r\n"
    caller.refused(data, *INVALID, pointer="header:authorization")


@pytest.mark.parametrize("path", [USAGE, "/health/live", "/docs"])
def test_a_request_line_past_8_kib_is_refused(caller, path):
    caller.refused(caller.head(f"GET {path}?" + "a" * 8_192), *INVALID, pointer="path:")
    caller.refused(caller.head("GET /" + "a" * 8_192), *INVALID, pointer="path:")


def test_a_header_block_past_64_kib_is_refused_before_it_ends(caller):
    endless = caller.head(f"GET {USAGE}", *[f"X-{number}: " + "a" * 4_000 for number in range(20)])
    with caller.line() as line:
        line.send(endless[: HEAD_LIMIT + 1])
        check_refusal(line.reply(), *INVALID)
        assert line.ended()


def test_a_header_block_past_64_kib_is_refused_where_it_comes_at_once(caller):
    caller.refused(caller.head(f"GET {USAGE}", *[f"X-{number}: " + "a" * 4_000 for number in range(20)]), *INVALID)


def test_a_header_block_of_nearly_64_kib_is_taken(caller):
    assert (
        caller.send(caller.head(f"GET {USAGE}", *[f"X-{number}: " + "a" * 4_000 for number in range(16)])).status == 200
    )


@pytest.mark.parametrize("start", [b"GET /", b"GET /organization/usage HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"])
def test_a_line_without_end_is_refused(caller, start):
    with caller.line() as line:
        line.send(start + b"a" * (HEAD_LIMIT + 1 - len(start)))
        check_refusal(line.reply(), *INVALID)
        assert line.ended()


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"FROB /organization/usage HTTP/1.1\r\nHost: a\r\n\r\n",
        b"get /organization/usage HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /organization/usage HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET /organization/usage\r\n\r\n",
        b"GET organization/usage HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /organization/\0usage HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /organization/usage?a=\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /organization/us age HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /organization/us\xffage HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /organization/usage?costs=\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /organization/usage HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"GET /organization/usage HTTP/1.1\r\nHost: a\r\nX-N: \0\r\n\r\n",
        b"GET /organization/usage HTTP/1.1\r\nHost: a\r\nX N: a\r\n\r\n",
        b"GET /organization/usage HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\n b\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_is_not_http_is_refused_with_the_error_body(caller, data):
    reply = caller.send(data)
    assert 400 <= reply.status < 500, reply
    check_refusal(reply, reply.status, reply.json()["error"]["code"])


def test_a_url_with_its_host_is_a_path_like_any_other(caller):
    assert caller.send(caller.head(f"GET http://meter.test{USAGE}?costs=known")).status == 200


def test_a_client_that_hangs_up_in_the_body_leaves_nothing_and_the_server_working(caller):
    for reset in (False, True):
        with caller.line() as line:
            if reset:
                line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            line.send(caller.recording(EMAIL)[:-1])
            time.sleep(0.05)
    assert caller.send(caller.recording(email("b"))).status == 200
    assert caller.stored() == ["b"]
    assert caller.server.bridge.limited_under_way == 0


def test_a_client_that_hangs_up_before_the_answer_leaves_the_server_working(caller):
    for number in range(20):
        with caller.line() as line:
            line.send(caller.recording(email(f"e{number}")))
    deadline = time.monotonic() + 10
    while caller.server.bridge.limited_under_way or len(caller.stored()) < 20:
        assert time.monotonic() < deadline, "what was sent whole is recorded, whether or not anybody waits for it"
        time.sleep(0.02)
    assert caller.send(caller.head(f"GET {USAGE}")).json()["messageUsage"] == 20


def test_pipelined_requests_are_answered_in_their_order(caller):
    with caller.line() as line:
        line.send(
            caller.recording(email("a"))
            + caller.head(f"GET {USAGE}")
            + caller.recording(b"[")
            + caller.head("GET /nowhere")
            + caller.recording(email("b"))
            + caller.head(f"GET {USAGE}")
        )
        replies = [line.reply() for _ in range(6)]
    assert [reply.status for reply in replies] == [200, 200, 400, 404, 200, 200]
    assert [replies[index].json()["messageUsage"] for index in (1, 5)] == [1, 2]
    assert len({reply.header("x-tracking-id") for reply in replies}) == 6


def test_a_refusal_of_what_follows_is_not_the_answer_to_what_came_first(caller):
    with caller.line() as line:
        line.send(caller.recording(EMAIL) + b"hello\r\n\r\n")
        assert line.reply().status == 200, "what is recorded is acknowledged"


def test_a_large_body_does_not_count_as_the_header_of_the_request_after_it(caller):
    second = caller.head(f"GET {USAGE}")
    with caller.line() as line:
        line.send(caller.recording(EMAIL + b" " * 120_000) + second[:20])
        assert line.reply().status == 200
        line.send(second[20:])
        assert line.reply().status == 200


def test_a_connection_is_good_for_many_requests_refused_ones_too(caller):
    with caller.line() as line:
        for data, status in [
            (caller.recording(EMAIL, content_type="text/plain"), 415),
            (caller.recording(b" " * (MIB + 1)), 413),
            (caller.head("GET /nowhere"), 404),
            (caller.recording(EMAIL), 200),
        ]:
            line.send(data)
            assert line.reply().status == status


def test_http_1_0_is_answered_and_the_connection_closed(caller):
    with caller.line() as line:
        line.send(f"GET {USAGE} HTTP/1.0\r\n{caller.key}\r\n\r\n".encode())
        assert line.reply().status == 200
        assert line.ended()


def test_connection_close_is_heeded(caller):
    with caller.line() as line:
        line.send(caller.head(f"GET {USAGE}", "Connection: close"))
        reply = line.reply()
        assert (reply.status, reply.header("connection")) == (200, "close")
        assert line.ended()


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(caller):
    data = caller.recording(EMAIL, "Expect: 100-continue")
    with caller.line() as line:
        line.send(data.removesuffix(EMAIL))
        assert line.reply().status == 100
        line.send(EMAIL)
        assert line.reply().status == 200
    assert caller.stored() == ["a"]


def test_a_client_that_waits_for_100_continue_is_refused_without_it(caller):
    head = caller.head(f"POST {EVENTS}", f"Content-Length: {MIB + 1}", "Expect: 100-continue")
    caller.refused(head, *TOO_LARGE)


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
@pytest.mark.parametrize("with_body", [True, False])
def test_an_offer_to_upgrade_is_passed_over(caller, protocol, with_body):
    """Java's own HTTP client offers h2c with every first request."""
    offer = ("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABkAAQAAP__")
    data = caller.recording(EMAIL, *offer) if with_body else caller.head(f"GET {USAGE}", *offer)
    assert caller.send(data).status == 200
