"""What once made a framework answer 500: each is a clear refusal, stores nothing, and names what to do.

Bytes over a real socket: HTTP clients are too polite for most of it. The wire itself is in test_traps_wire.py.
"""

import gzip

import pytest

from tests.web.raw import EMAIL, EVENTS, chunked

INVALID = (400, "invalid_request")
UNSUPPORTED = (415, "unsupported_media_type")
USAGE = "/organization/usage"
HOLDS = "/organization/usage/holds"


def test_a_known_good_request_as_bytes_is_recorded(caller):
    assert caller.send(caller.recording(EMAIL)).status == 200
    assert caller.stored() == ["a"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"events":[{"id":"a","channel":"EMAIL","provider":"\xff"}]}', "not UTF-8 at byte 51"),
        (b"\xff\xfe" + EMAIL.decode().encode("utf-16-le"), "not UTF-8 at byte 0"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 32 levels"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper than 32 levels"),
        (b"[" * 100_000, ""),
        (b'{"events":[{"id":"a","channel":"EMAIL","quantity":' + b"9" * 5_000 + b"}]}", "too many digits"),
        (rb'{"events":[{"id":"a","channel":"EMAIL","metadata":{"a":"\ud800"}}]}', "half of a surrogate pair"),
        (rb'{"events":[{"id":"a","channel":"EMAIL","metadata":{"\udfff":"a"}}]}', "half of a surrogate pair"),
        (rb'{"events":[{"id":"a\u0000","channel":"EMAIL"}]}', "character NUL"),
        (b'{"events":[{"id":"a\0","channel":"EMAIL"}]}', "not JSON"),
        (b'{"events":[{"id":"a","channel":"SMS","cost":Infinity}]}', "Infinity"),
        (b'{"events":[{"id":"a","channel":"SMS","cost":-Infinity}]}', "Infinity"),
        (b'{"events":[{"id":"a","channel":"SMS","cost":NaN}]}', "NaN"),
        (b"", "is empty"),
        (b" ", "not JSON"),
        (b"{", "not JSON"),
        (EMAIL + b"}", "not JSON"),
        (b"\xef\xbb\xbf" + EMAIL, "not JSON"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_body_that_is_no_json_that_can_be_kept_is_refused(caller, body, said):
    reply = caller.refused(caller.recording(body), *INVALID, pointer="")
    assert said in reply.json()["error"]["details"][0]["message"]


def test_a_whole_surrogate_pair_is_a_character_like_others(caller):
    body = rb'{"events":[{"id":"a","channel":"EMAIL","metadata":{"a":"\ud83d\ude00"}}]}'
    assert caller.send(caller.recording(body)).status == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"events":[{"id":"a","channel":"EMAIL","quantity":' + b"9" * 4_000 + b"}]}", "/events/0/quantity"),
        (b'{"events":[{"id":"a","channel":"SMS","cost":1e400}]}', "/events/0/cost"),
        (b'{"events":[{"id":"a","channel":"SMS","cost":1e-400}]}', "/events/0/cost"),
        (b'{"events":[{"id":"a","channel":"EMAIL","quantity":1e999999}]}', "/events/0/quantity"),
        (b'{"events":[{"id":"a","channel":"SMS","cost":0.' + b"1" * 5_000 + b"}]}", "/events/0/cost"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_monstrous_number_is_refused_where_it_stands(caller, body, pointer):
    caller.refused(caller.recording(body), *INVALID, pointer=pointer)


@pytest.mark.parametrize("number", [b"1e99999999999999999999", b"1e-99999999999999999999"])
def test_a_number_with_an_exponent_beyond_all_bounds_is_refused(caller, number):
    body = b'{"events":[{"id":"a","channel":"SMS","cost":' + number + b"}]}"
    caller.refused(caller.recording(body), *INVALID)


@pytest.mark.parametrize("body", [b"null", b"1", b'"events"', b"[]", b"true", b"{}", b'{"events":{}}'])
def test_json_of_another_shape_is_refused(caller, body):
    caller.refused(caller.recording(body), *INVALID)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        ";",
        "application/json; charset=klingon",
        "application/json; charset=utf-16",
        "application/json; charset=",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/jsonx",
        "application/json, application/json",
        "\xff",
    ],
)
def test_a_content_type_that_is_not_the_contracts_is_refused(caller, content_type):
    reply = caller.refused(caller.recording(EMAIL, content_type=content_type), *UNSUPPORTED)
    assert "application/json" in reply.json()["error"]["fix"]


@pytest.mark.parametrize(
    "content_type", ["Application/JSON", "application/json;charset=UTF-8", 'application/json; charset="utf-8"']
)
def test_a_content_type_that_says_the_same_otherwise_is_taken(caller, content_type):
    assert caller.send(caller.recording(EMAIL, content_type=content_type)).status == 200


def test_two_content_types_are_refused(caller):
    data = caller.recording(EMAIL, "Content-Type: text/plain")
    caller.refused(data, *INVALID, pointer="header:Content-Type")


def test_a_form_is_refused(caller):
    body = b"id=a&channel=EMAIL"
    caller.refused(caller.recording(body, content_type="application/x-www-form-urlencoded"), *UNSUPPORTED)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", ""])
def test_a_compressed_body_is_refused(caller, coding):
    data = caller.recording(gzip.compress(EMAIL), f"Content-Encoding: {coding}")
    caller.refused(data, *UNSUPPORTED)


def test_a_body_that_says_it_is_not_compressed_is_taken(caller):
    assert caller.send(caller.recording(EMAIL, "Content-Encoding: identity")).status == 200


@pytest.mark.parametrize("path", [USAGE, "/health/live", "/health/ready"])
def test_a_body_where_none_is_taken_is_refused(caller, path):
    caller.refused(caller.head(f"GET {path}", "Content-Length: 2") + b"{}", *INVALID, pointer="")
    data = caller.head(f"GET {path}", "Transfer-Encoding: chunked") + chunked(b"{}")
    caller.refused(data, *INVALID, pointer="")


def test_an_empty_body_where_none_is_taken_is_nothing(caller):
    assert caller.send(caller.head(f"GET {USAGE}", "Content-Length: 0")).status == 200


@pytest.mark.parametrize("path", [USAGE, EVENTS, "/docs", "/openapi.json", "/health/live", "/account" + USAGE])
def test_a_slash_at_the_end_is_another_path_and_redirects_nowhere(caller, path):
    reply = caller.refused(caller.head(f"GET {path}/"), 404, "not_found")
    assert reply.header("location") is None


@pytest.mark.parametrize(
    "path",
    [
        "/", "//", "/.", "/organization", "/organization/usage/" + "9" * 5_000, "/ORGANIZATION/USAGE",
        "//organization/usage", "/organization//usage", "/organization/./usage", "/organization/usage/../usage",
        "/account", "/account/account/organization/usage", "/account/docs", "/docs/../openapi.json", "/%zz", "/%",
        "/organization%2Fusage/", "/docs/index.html", "/organization/usage;a=b", "/static/x",
        "/organization/usage/holds/a%0Ab", "/organization/usage/holds/a%0D%0Ab", "/organization/usage/events/%7F",
        "/organization/usage/events/a%2Fb", "/docs%2F",
    ],
)  # fmt: skip
def test_a_path_that_there_is_not_is_not_found(caller, path):
    caller.refused(caller.head(f"GET {path}"), 404, "not_found")


@pytest.mark.parametrize("path", ["/organization/usage%00", "/%00", "/%ff", "/organization/%c3%28", "/%ed%a0%80"])
def test_a_path_that_is_no_text_is_refused(caller, path):
    caller.refused(caller.head(f"GET {path}"), *INVALID, pointer="path:")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("foo=bar", "query:foo"),
        ("costs", "query:costs"),
        ("costs=", "query:costs"),
        ("costs=all", "query:costs"),
        ("costs=%zz", "query:costs"),
        ("costs=known&costs=known", "query:costs"),
        ("Costs=known", "query:Costs"),
        ("costs=known&=", "query:"),
        ("a=%00", "query:"),
        ("%00=a", "query:"),
        ("a=%ff", "query:"),
        ("%ed%a0%80", "query:"),
        ("&".join(f"p{number}" for number in range(101)), "query:"),
        ("&".join(["costs=known"] * 101), "query:"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_query_that_is_not_the_contracts_is_refused(caller, query, pointer):
    caller.refused(caller.head(f"GET {USAGE}?{query}"), *INVALID, pointer=pointer)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_a_query_that_a_health_check_does_not_know_is_refused(caller, path):
    caller.refused(caller.head(f"GET {path}?foo=bar"), *INVALID, pointer="query:foo")


def test_a_hundred_unknown_parameters_are_each_named(caller):
    query = "&".join(f"p{number}" for number in range(100))
    reply = caller.refused(caller.head(f"GET {USAGE}?{query}"), *INVALID)
    assert len(reply.json()["error"]["details"]) == 100


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("HEAD", HOLDS, "POST"),
        ("PROPFIND", "/health/live", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
    ],
)
def test_a_method_that_a_path_does_not_know_is_refused_with_those_that_it_knows(caller, method, path, allowed):
    reply = caller.send(caller.head(f"{method} {path}"), with_body=method != "HEAD")
    assert reply.status == 405
    assert reply.header("allow") == allowed
    assert method == "HEAD" or reply.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", [USAGE, "/account" + USAGE, "/health/live", "/docs", "/openapi.yaml"])
def test_head_answers_as_get_does_without_the_body(caller, path):
    got = caller.send(caller.head(f"GET {path}"))
    with caller.line() as line:
        line.send(caller.head(f"HEAD {path}") + caller.head(f"GET {path}", "Connection: close"))
        told = line.reply(with_body=False)
        # Had a body followed, the second answer would not be one.
        assert line.reply().body == got.body
    assert told.status == got.status == 200
    for name in ("content-length", "content-type", "cache-control"):
        assert told.header(name) == got.header(name)


def test_head_without_a_key_is_refused_without_a_body(caller):
    with caller.line() as line:
        line.send(b"HEAD /organization/usage HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        reply = line.reply(with_body=False)
        assert line.ended()
    assert reply.status == 401
    assert reply.header("www-authenticate") == 'Bearer realm="sendmeter"'


def test_two_authorization_headers_are_refused_even_where_both_are_right(caller):
    reply = caller.refused(caller.head(f"GET {USAGE}", caller.key), 401, "unauthorized")
    assert reply.header("www-authenticate") == 'Bearer realm="sendmeter"'


@pytest.mark.parametrize(
    "header",
    [
        "Content_Length: -1", "Content_Type: text/plain", "Transfer_Encoding: gzip", "Content-Type: \xff",
        "Cookie: \xff=;", "Range: bytes=0-1", "If-None-Match: *", "If-Modified-Since: never",
        "Accept: text/html", "Accept-Encoding: gzip", "Upgrade: websocket",
        "X-Tracking-Id: trk_00000000000000000000000000",
    ],
)  # fmt: skip
def test_a_header_that_nobody_reads_changes_nothing(caller, header):
    reply = caller.send(caller.head(f"GET {USAGE}", header))
    assert reply.status == 200, reply
    assert reply.header("content-encoding") is None
    assert reply.header("x-tracking-id") != "trk_00000000000000000000000000"
    assert caller.send(caller.recording(EMAIL, header)).status == 200 or header.startswith("Content-Type")


@pytest.mark.parametrize("host", ["", "other", "[", "a:b", "[::1]:80", "..", "%", "-_"])
def test_what_a_host_is_called_changes_nothing(caller, host):
    request = caller.head(f"GET {USAGE}").replace(b"meter.test", host.encode("latin-1"))
    assert caller.send(request).status == 200


@pytest.mark.parametrize("host", ["a b", "\xff", "a/b", "../..", "a@b", "a\tb", "a?b", '"a"'])
def test_what_cannot_be_a_host_is_refused(caller, host):
    caller.refused(caller.head(f"GET {USAGE}").replace(b"meter.test", host.encode("latin-1")), 400, "invalid_request")
