"""What is signed reaches its handler byte for byte: a signature that is taken shows that none was changed."""

from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmeter.contract import contract
from sendmeter.errors import UnsupportedMediaType
from sendmeter.web.validation import body_of
from tests.contract.provoked_responses import World
from tests.contract.signing import report, signed
from tests.live import NOON
from tests.web.raw import Line, check_refusal, chunked

MIB = 1_048_576
RECEIVE = contract().operations["providers.receive"]
MEDIA_TYPES = ["application/json", "application/x-www-form-urlencoded", "text/plain"]
BODY = report("raw", NOON)
UNREADABLE = {
    "no UTF-8": b"\xff\xfe" + BODY,
    "a surrogate": BODY.replace(b"raw", b"\xed\xa0\x80"),
    "NUL": b"\0" + BODY,
    "NUL at the end": BODY + b"\0",
    "a byte order mark": b"\xef\xbb\xbf" + BODY,
    "white space": b" \r\n\t",
    "a form": b"a=1&b=%00&b=%FF&c",
    "no JSON": b"{",
}
READABLE = {
    "line ends of Windows": b"\r\n" + BODY.replace(b", ", b",\r\n ") + b"\r\n",
    "line ends of both kinds": BODY.replace(b", ", b",\n\r ") + b"\n\n",
    "spaces around": b"  " + BODY + b"\t ",
    "a percent sign and a plus": BODY.replace(b"Wireless", b"%41+&=%2B"),
    "a number that is no float": BODY.replace(b'"0.0051"', b"0.005100000"),
    "a mebibyte": BODY + b" " * (MIB - len(BODY)),
}


@pytest.fixture
def world(shared_server):
    return World.of(shared_server)


@pytest.fixture
def post(world):
    """Post a report to the endpoint of the world's Telnyx, without a key."""
    path = "/organization/providers/{provider}/events/{endpointId}".format(**world.names)
    return partial(world.server.client().request, "POST", path)


def sent(world, body, **headers):
    return {"content": body, "headers": signed(body, world.server.clock()) | headers}


def reported(world, body, *headers):
    """Write a signed report as bytes, with header lines that are given beside or twice."""
    lines = [f"{name}: {value}" for name, value in signed(body, world.server.clock()).items()]
    path = "/organization/providers/{provider}/events/{endpointId}".format(**world.names)
    start = [f"POST {path} HTTP/1.1", "Host: meter.test"]
    return "".join(f"{line}\r\n" for line in [*start, *lines, *headers, ""]).encode("latin-1")


def reply_to(world, data):
    with Line(world.server.url) as line:
        line.send(data)
        return line.reply()


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.binary(min_size=1), st.sampled_from(MEDIA_TYPES))
@example(b"\xff\xfe\0", "application/json")
@example(b"\xef\xbb\xbf{}\r\n", "application/json")
@example(b"a=%00&a=+\r\n", "application/x-www-form-urlencoded")
def test_no_byte_of_what_is_signed_is_changed_or_read(body, media_type):
    assert body_of(RECEIVE, {b"content-type": [media_type.encode()]}, body) == (media_type, body)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_refused_only_after_its_signature_is_verified(body, media_type, world, post):
    kind = {"content-type": media_type}
    assert post(**sent(world, body, **kind)).status_code == 400
    changed = {**sent(world, body, **kind), "content": body + b" "}
    assert post(**changed).status_code == 401


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.parametrize("body", READABLE.values(), ids=READABLE)
def test_a_body_is_verified_as_it_was_written(body, media_type, world, post):
    assert post(**sent(world, body, **{"content-type": media_type})).json() == {"outcome": "kept"}


def test_a_body_that_comes_in_parts_is_verified_as_a_whole(world):
    parts = [BODY[start : start + 7] for start in range(0, len(BODY), 7)]
    reply = reply_to(world, reported(world, BODY, "Transfer-Encoding: chunked") + chunked(*parts))
    assert (reply.status, reply.json()) == (200, {"outcome": "kept"})


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "UTF-16", ""])
@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_the_character_set_of_what_is_signed_is_ignored(charset, media_type, world, post):
    kind = {"content-type": f"{media_type.upper()}; charset={charset}"}
    assert post(**sent(world, BODY, **kind)).status_code == 200


def test_the_character_set_of_json_that_is_not_signed_is_checked(shared_server):
    answer = shared_server.organization()[1].record(
        {"id": "a", "channel": "EMAIL"}, headers={"content-type": "application/json; charset=latin-1"}
    )
    assert answer.status_code == 415


@pytest.mark.parametrize("media_type", [*MEDIA_TYPES, "text/html"])
def test_a_report_without_a_body_is_refused(media_type, world, post):
    status = 415 if media_type == "text/html" else 400
    answer = post(**sent(world, b"", **{"content-type": media_type}))
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"]["details"] == [{"pointer": "", "message": "the body is empty"}]


@pytest.mark.parametrize("media_type", ["text/html", "application/xml", "multipart/form-data; boundary=x", "text", ""])
def test_what_no_provider_sends_is_refused(media_type, world, post):
    answer = post(**sent(world, BODY, **{"content-type": media_type}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert answer.json()["error"]["fix"] == f"Send Content-Type: {' or '.join(MEDIA_TYPES)}."


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"identity, gzip"])
@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_what_is_compressed_is_not_taken_for_what_was_signed(encoding, media_type):
    headers = {b"content-type": [media_type.encode()], b"content-encoding": [encoding]}
    with pytest.raises(UnsupportedMediaType, match="no compressed bodies"):
        body_of(RECEIVE, headers, BODY)


def test_a_compressed_report_is_415(world, post):
    assert post(**sent(world, BODY, **{"content-encoding": "gzip"})).status_code == 415
    assert post(**sent(world, BODY, **{"content-encoding": "identity"})).status_code == 200


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_more_than_a_mebibyte_is_refused(media_type, world, post):
    body = BODY + b" " * (MIB + 1 - len(BODY))
    answer = post(**sent(world, body, **{"content-type": media_type}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")


def test_more_than_a_mebibyte_in_parts_is_refused(world):
    body = BODY + b" " * (MIB + 1 - len(BODY))
    head = reported(world, body, "Transfer-Encoding: chunked")
    check_refusal(reply_to(world, head + chunked(body[:MIB], body[MIB:])), 413, "payload_too_large")


@pytest.mark.parametrize("key", [{}, {"authorization": "Bearer sendmeter_sk_wrong"}, {"authorization": "Basic YTpi"}])
def test_a_report_needs_no_key_and_is_not_refused_for_one(key, world, post):
    assert post(**sent(world, BODY, **key)).status_code == 200


def test_a_key_does_not_replace_a_signature(world):
    answer = world.ask("providers.receive", content=BODY, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("name", ["telnyx-timestamp", "telnyx-signature-ed25519"])
def test_a_header_that_is_given_twice_proves_nothing(name, world):
    value = signed(BODY, world.server.clock())[name]
    length = f"Content-Length: {len(BODY)}"
    assert reply_to(world, reported(world, BODY, length) + BODY).status == 200
    twice = reply_to(world, reported(world, BODY, length, f"{name.upper()}: {value}") + BODY)
    check_refusal(twice, 401, "unauthorized")


def test_a_media_type_that_is_given_twice_is_refused(world):
    head = reported(world, BODY, f"Content-Length: {len(BODY)}", "Content-Type: text/plain")
    check_refusal(reply_to(world, head + BODY), 400, "invalid_request", "header:Content-Type")


@pytest.mark.parametrize(
    "names",
    [
        {"provider": "twilio"},
        {"provider": "sinch"},
        {"provider": "TELNYX"},
        {"endpointId": f"ep_{'0' * 39}"},
        {"endpointId": f"ep_{'v' * 39}"},
        {"endpointId": "ep_1"},
        {"endpointId": "x"},
    ],
    ids=str,
)
def test_a_report_at_an_unknown_endpoint_is_refused(names, world):
    answer = world.ask("providers.receive", names=world.names | names, client=world.server.client())
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("query", ["bodySHA256=", "bodySHA256=XY", f"bodySHA256={'A' * 64}", "bodysha256=0", "a=1"])
def test_a_query_that_no_provider_sends_is_refused(query, world):
    answer = world.ask("providers.receive", query=f"?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["pointer"] == f"query:{query.partition('=')[0]}"


def test_the_hash_that_twilio_adds_to_the_url_is_accepted(world):
    assert world.ask("providers.receive", query=f"?bodySHA256={'0a' * 32}").status_code == 200


def test_a_report_under_the_other_address_of_the_server_is_accepted(world):
    path = "/account/organization/providers/{provider}/events/{endpointId}".format(**world.names)
    assert world.server.client().request("POST", path, **sent(world, BODY)).status_code == 200
