"""No bytes are a request to us and a body to a proxy, or the other way round: what can be read in two ways is refused.

Each shape has a request behind it that records an event. Where the shape is refused, the connection ends with that one
answer, and what stands behind it never ran.
"""

import re

import pytest

from tests.web.raw import EMAIL, EVENTS, check_refusal, chunked

SIZE = len(EMAIL)
SMUGGLED = b'{"events":[{"id":"smuggled","channel":"EMAIL"}]}'
CHUNKS = b"%x\r\n" % SIZE + EMAIL + b"\r\n"
UPGRADE = ("Connection: Upgrade", "Upgrade: h2c")

TRANSFER_ENCODINGS = [
    "", "identity", "gzip", "identity, chunked", "gzip, chunked", "br, chunked", "chunked, chunked",
    "chunked, identity", ",chunked", "chunked,", "xchunked", "chunkedx", "chunked;a=b", '"chunked"', "chunk ed",
    "\x0bchunked", "chunked\x0b", "chunked\x00", "\xa0chunked", "chunked\xa0", "cow, chunked",
]  # fmt: skip
CONTENT_LENGTHS = [
    "+{}", "-{}", "{}.0", "{}e0", "0x29", "{},{}", "{}, {}", "{} {}", "4 1", "4_1", "\x0b{}", "\xa0{}", '"{}"', "{};",
    "\xb2", "", "a", "9" * 30, "9" * 5_000, str(2**64 + SIZE),
]  # fmt: skip
NAMES = ["{} ", "{}\t", " {}", "\t{}", "{}\x00", "{}\x0b", "X: a\n{}", "X: a\r{}", "{}\r\n ", "{}\n"]
CHUNK_SIZES = [
    "29\n", "29;a\n", "29;a\rb\r\n", "29 \r\n", " 29\r\n", "\t29\r\n", "0x29\r\n", "+29\r\n", "-29\r\n", "28\r\n",
    "2a\r\n", "29", "29\r", "\r\n", ";\r\n", "g\r\n", "2 9\r\n", "2_9\r\n", "29.0\r\n", "29\x00\r\n",
    "10000000000000029\r\n", "-1\r\n", "100000000000000000000000000000029\r\n", "29\r\n\r\n",
]  # fmt: skip
TRAILERS = [
    b"Content-Length: 7\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n", b"X : a\r\n\r\n", b" X: a\r\n\r\n",
    b"X: a\n\n", b"X\r\n\r\n", b"X: \0\r\n\r\n",
]  # fmt: skip


def posted(caller, *lines, version="1.1"):
    """Write the head of a request that records, with header lines as they are given."""
    start = [f"POST {EVENTS} HTTP/{version}", "Host: meter.test", caller.key, "Content-Type: application/json"]
    return "".join(f"{line}\r\n" for line in [*start, *lines, ""]).encode("latin-1")


def behind(caller):
    """Write the request that is not to run."""
    return caller.recording(SMUGGLED)


def answers(caller, data):
    """Send bytes; give the statuses of all answers, and the first answer, once the server has closed the connection."""
    with caller.line() as line:
        line.send(data)
        first = line.reply()
        rest = line.stream.read()
    return [first.status, *map(int, re.findall(rb"HTTP/1\.1 (\d{3}) ", rest))], first


def refused_whole(caller, data):
    """Check that there is one answer, which is a refusal, and that nothing was recorded."""
    statuses, first = answers(caller, data)
    assert statuses == [400]
    check_refusal(first, 400, "invalid_request")
    assert first.header("connection") == "close"
    assert caller.stored() == []


@pytest.mark.parametrize("coding", TRANSFER_ENCODINGS, ids=ascii)
def test_a_transfer_encoding_other_than_chunked_is_refused(caller, coding):
    head = posted(caller, f"Transfer-Encoding: {coding}")
    refused_whole(caller, head + chunked(EMAIL) + behind(caller))


@pytest.mark.parametrize("first", ["chunked", "identity", "gzip", ""])
@pytest.mark.parametrize("second", ["chunked", "identity", "gzip", ""])
def test_two_transfer_encodings_are_refused(caller, first, second):
    head = posted(caller, f"Transfer-Encoding: {first}", f"Transfer-Encoding: {second}")
    refused_whole(caller, head + chunked(EMAIL) + behind(caller))


@pytest.mark.parametrize("coding", ["chunked", "CHUNKED", "\tchunked", "identity", "xchunked"])
@pytest.mark.parametrize("in_front", [True, False])
@pytest.mark.parametrize("offer", [(), UPGRADE], ids=["", "upgrade"])
@pytest.mark.parametrize("length", [0, 5, SIZE])
def test_a_length_beside_a_transfer_encoding_is_refused(caller, coding, in_front, offer, length):
    lines = [f"Content-Length: {length}", f"Transfer-Encoding: {coding}"]
    head = posted(caller, *offer, *(lines if in_front else lines[::-1]))
    refused_whole(caller, head + b"0\r\n\r\n" + behind(caller))


@pytest.mark.parametrize("length", CONTENT_LENGTHS, ids=lambda value: ascii(value)[:40])
def test_a_length_that_is_no_number_is_refused(caller, length):
    head = posted(caller, f"Content-Length: {length.replace('{}', str(SIZE))}")
    statuses, first = answers(caller, head + EMAIL + behind(caller))
    assert statuses in ([400], [413])
    check_refusal(first, first.status, first.json()["error"]["code"])
    assert caller.stored() == []


@pytest.mark.parametrize("lines", [[], ["Host: meter.test"] * 2, ["Host: a", "Host: b"], ["X: a", " Host: a"]], ids=str)
def test_a_request_with_no_host_or_two_is_refused(caller, lines):
    """RFC 9112, 3.2: a proxy may have looked at the other one."""
    start = [f"POST {EVENTS} HTTP/1.1", caller.key, "Content-Type: application/json", f"Content-Length: {SIZE}"]
    head = "".join(f"{line}\r\n" for line in [*start, *lines, ""]).encode()
    refused_whole(caller, head + EMAIL + behind(caller))


@pytest.mark.parametrize("other", [0, SIZE - 1, SIZE, SIZE + 1])
def test_two_lengths_are_refused_even_if_they_agree(caller, other):
    head = posted(caller, f"Content-Length: {SIZE}", f"Content-Length: {other}")
    refused_whole(caller, head + EMAIL + behind(caller))


@pytest.mark.parametrize("zeros", [1, 20, 4_299, 5_000, 8_000])
def test_a_length_with_leading_zeros_is_that_length(caller, zeros):
    """Python reads no more than 4,300 digits, zeros in front too."""
    data = posted(caller, f"Content-Length: {'0' * zeros}{SIZE}") + EMAIL
    with caller.line() as line:
        line.send(data + behind(caller))
        assert [line.reply().status for _ in range(2)] == [200, 200]
    assert caller.stored() == ["a", "smuggled"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("line", ["Transfer-Encoding", "Content-Length"])
def test_a_header_that_hides_its_name_is_refused(caller, name, line):
    body = chunked(EMAIL) if line == "Transfer-Encoding" else EMAIL
    value = "chunked" if line == "Transfer-Encoding" else SIZE
    refused_whole(caller, posted(caller, "X: a", f"{name.format(line)}: {value}") + body + behind(caller))


@pytest.mark.parametrize("size", CHUNK_SIZES, ids=ascii)
def test_a_chunk_that_another_reader_would_cut_elsewhere_is_refused(caller, size):
    head = posted(caller, "Transfer-Encoding: chunked")
    refused_whole(caller, head + size.encode("latin-1") + EMAIL + b"\r\n0\r\n\r\n" + behind(caller))


@pytest.mark.parametrize("trailer", TRAILERS, ids=ascii)
def test_a_trailer_that_would_frame_what_follows_is_refused(caller, trailer):
    statuses, _ = answers(
        caller, posted(caller, "Transfer-Encoding: chunked") + CHUNKS + b"0\r\n" + trailer + b"0\r\n\r\n"
    )
    assert statuses[-1] == 400
    assert "smuggled" not in caller.stored()


@pytest.mark.parametrize("end", ["\n", "\r"], ids=ascii)
def test_lines_that_end_differently_are_not_lines(caller, end):
    head = posted(caller, f"Content-Length: {SIZE}").replace(b"\r\n", end.encode())
    refused_whole(caller, head + EMAIL + behind(caller))


@pytest.mark.parametrize("version", ["1.0", "0.9", "1.2", "2.0", "3.0", "9.9", "1.10"])
@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", f"Content-Length: {SIZE}"])
def test_no_other_version_of_http_is_framed_as_1_1(caller, version, framing):
    """RFC 9112, 6.1: HTTP/1.0 knows no Transfer-Encoding, so that its body has no end that all agree on."""
    body = chunked(EMAIL) if "chunked" in framing else EMAIL
    data = posted(caller, framing, "Connection: keep-alive", version=version) + body + behind(caller)
    if (version, body) == ("1.0", EMAIL):
        assert answers(caller, data)[0] == [200]
        assert caller.stored() == ["a"]
    else:
        refused_whole(caller, data)


@pytest.mark.parametrize(
    "start",
    [
        "GET /health/live#/../{} HTTP/1.1", "GET /health/live#{} HTTP/1.1",
        "GET http://meter.test/health/live#{} HTTP/1.1", "GET\t/health/live HTTP/1.1", "GET /health/live\x00 HTTP/1.1",
        "GET health/live HTTP/1.1", "GET meter.test:80 HTTP/1.1", "GET http://meter.test HTTP/1.1", "GET /health/live",
        "GET /health/live HTTP/1.1x", "get /health/live HTTP/1.1", "CONNECT meter.test:80 HTTP/1.1", "PRI * HTTP/2.0",
        "GET /health/live HTTP/1.1 {}", "\x00GET /health/live HTTP/1.1", " GET /health/live HTTP/1.1",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_first_line_that_can_be_read_in_two_ways_is_refused(caller, start):
    refused_whole(caller, f"{start.format(EVENTS)}\r\nHost: a\r\n\r\n".encode("latin-1") + behind(caller))


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PURGE"])
@pytest.mark.parametrize("offer", [(), UPGRADE], ids=["", "upgrade"])
@pytest.mark.parametrize("in_chunks", [True, False])
def test_an_unexpected_body_is_not_the_next_request(caller, method, offer, in_chunks):
    inner = behind(caller)
    framing = "Transfer-Encoding: chunked" if in_chunks else f"Content-Length: {len(inner)}"
    head = "".join(f"{line}\r\n" for line in [f"{method} /health/live HTTP/1.1", "Host: a", framing, *offer, ""])
    last = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with caller.line() as line:
        line.send(head.encode() + (chunked(inner) if in_chunks else inner) + last)
        refused = line.reply(with_body=method != "HEAD")
        assert refused.status == (400 if method in ("GET", "HEAD") else 405)
        assert line.reply().json() == {"status": "ok"}
        assert line.ended()
    assert caller.stored() == []


def test_after_a_refusal_before_the_body_the_body_is_no_request(caller):
    """A 413 is answered before the body has come; what comes then is still the body."""
    inner = behind(caller)
    head = posted(caller, "Content-Length: 1048577")
    with caller.line() as line:
        line.send(head)
        assert line.reply().status == 413
        line.send(inner + b" " * (1_048_577 - len(inner)) + caller.head("GET /health/live", "Connection: close"))
        assert line.reply().json() == {"status": "ok"}
        assert line.ended()
    assert caller.stored() == []


@pytest.mark.parametrize(
    "broken", [b"GET /health/live HTTP/1.1\r\nHost a\r\n\r\n", b"hello\r\n\r\n", b"GET / HTTP/1.1\r\n: a\r\n\r\n"]
)
def test_what_follows_a_broken_request_does_not_run(caller, broken):
    refused_whole(caller, broken + behind(caller))


@pytest.mark.parametrize(
    "lines", [("Connection: close",), ("Connection: close, Upgrade", "Upgrade: h2c"), ("connection: Close",)], ids=str
)
def test_what_follows_the_last_request_does_not_run(caller, lines):
    data = caller.head("GET /health/live", *lines) + behind(caller)
    assert answers(caller, data)[0] == [200]
    assert caller.stored() == []


@pytest.mark.parametrize("size", [1_000, 60_000])
def test_the_extension_of_a_chunk_is_no_part_of_the_body(caller, size):
    """RFC 9112, 7.1.1: it is passed over. Not without end: it counts as a header does."""
    extension = b"%x;%s\r\n" % (SIZE, b"a" * size)
    with caller.line() as line:
        line.send(posted(caller, "Transfer-Encoding: chunked") + extension + EMAIL + b"\r\n0\r\n\r\n")
        assert line.reply().status == 200
    assert caller.stored() == ["a"]


def test_the_extension_of_a_chunk_is_bounded(caller):
    with caller.line() as line:
        line.send(posted(caller, "Transfer-Encoding: chunked") + b"%x;" % SIZE)
        for _ in range(20):
            line.send(b"a" * 65_536)
        check_refusal(line.reply(), 400, "invalid_request")
    assert caller.stored() == []
