"""API4, unrestricted resource consumption: whatever is sent, the answer is a refusal, soon, and costs little.

Time is told in seconds of the processor, with a bound far above what is needed, so that a busy machine fails nothing.
"""

import gzip
import json
import sys
import time
import zlib
from pathlib import Path

import httpx
import pytest

from sendmeter.errors import InvalidRequest
from sendmeter.web.body import read_json
from tests.live import SECRETS_KEY, run_json, served_process
from tests.proof.attack.estate import OPERATIONS, WITH_BODY, head
from tests.proof.attack.shapes import json_bodies
from tests.web.raw import EMAIL, EVENTS, Line, check_refusal, chunked

MIB = 1_048_576
USAGE = "/organization/usage"
MOST_SECONDS = 3.0
DIGITS = "1" * 1_000_000
NUMBERS = {
    "a megabyte of digits": DIGITS,
    "a megabyte of digits after a point": f"0.{DIGITS}",
    "a megabyte of zeros": f"0.{'0' * 1_000_000}",
    "a megabyte of zeros after one": f"1.{'0' * 1_000_000}",
    "a megabyte of digits and a point": f"{DIGITS}.0",
    "a megabyte that an exponent makes one": f"{DIGITS}e-999999",
    "an exponent of a megabyte": f"1e{DIGITS}",
    "an exponent of a megabyte of zeros": f"1e{'0' * 1_000_000}",
    "a huge exponent": "1e999999999",
    "a huge exponent, negative": "1e-999999999",
    "the largest exponent that there is": "1e999999999999999999",
    "nothing with a huge exponent": "0e999999999",
    "minus nothing": "-0",
    "minus nothing with a point": "-0.0",
    "a long decimal": "0." + "3" * 5_000,
    "4,300 digits": "9" * 4_300,
    "4,301 digits": "9" * 4_301,
    "a string of a megabyte of digits": f'"{DIGITS}"',
    "many numbers": "[" + ",".join(["1e999999999"] * 80_000) + "]",
    "many long numbers": "[" + ",".join(["9" * 4_300] * 240) + "]",
}
BODIES = {
    "many members": "{" + ",".join(f'"{number:06}":1' for number in range(80_000)) + "}",
    "many members of one name": "{" + ",".join(['"events":[]'] * 80_000) + "}",
    "many lists": "[" + "[]," * 340_000 + "[]]",
    "many faults": '{"events":[' + ",".join(["{}"] * 340_000) + "]}",
    "many faults of many kinds": '{"events":['
    + ",".join(['{"id":"","channel":"SMS","cost":-1,"a":1}'] * 24_000)
    + "]}",
    "many scopes": '{"name":"a","scopes":[' + ",".join(["{}"] * 340_000) + "]}",
    "deep": "[" * 500_000 + "]" * 500_000,
    "deep and open": '{"a":' * 200_000,
    "deep within a string": json.dumps("[" * 1_000_000),
    "escapes": '"' + "\\u0041" * 170_000 + '"',
    "backslashes": '"' + "\\\\" * 500_000 + '"',
    "backslashes and NUL": '"' + "\\\\u0000" * 125_000 + '\\u0000"',
    "half surrogates": '"' + "\\ud800" * 170_000 + '"',
    "white space": " " * 1_000_000,
    "a name of a megabyte": json.dumps({"a" * 1_000_000: 1}),
    "a channel of a megabyte": json.dumps({"events": [{"id": "a", "channel": "A" * 1_000_000}]}),
    "an id of a megabyte": json.dumps({"events": [{"id": "a" * 1_000_000, "channel": "SMS"}]}),
    "an instant of a megabyte": json.dumps({"events": [{"id": "a", "channel": "SMS", "occurredAt": "2" * 1_000_000}]}),
    "a time zone of a megabyte": json.dumps({"name": "a", "timezone": "Europe/" * 140_000}),
}


def seconds(work):
    """Return how many seconds of the processor a piece of work takes, and what comes of it."""
    begun = time.process_time()
    try:
        found = work()
    except InvalidRequest as refusal:
        found = refusal
    return time.process_time() - begun, found


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_costs_in_proportion_to_its_size(body):
    """Each monster is read, and looked at by each operation that reads JSON."""
    sent = body.encode()
    assert len(sent) <= MIB
    taken, value = seconds(lambda: read_json(sent))
    assert taken < MOST_SECONDS
    for operation_id, media_type, _ in json_bodies() if not isinstance(value, InvalidRequest) else ():
        validator = OPERATIONS[operation_id].bodies[media_type]
        taken, faults = seconds(lambda of=validator: of.faults(value))
        assert faults, operation_id
        assert taken < MOST_SECONDS, operation_id


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_a_number_costs_in_proportion_to_its_digits(number):
    places = {
        ("events.record", "application/json"): '{"events":[{"id":"a","channel":"SMS","cost":%s}]}',
        ("events.record", "application/cloudevents+json"): (
            '{"specversion":"1.0","id":"a","source":"s","type":"t","data":{"channel":"EMAIL"},"x":%s}'
        ),
        ("organizations.change", "application/json"): '{"limits":{"budgetCap":%s}}',
    }
    for (operation_id, media_type), template in places.items():
        validator = OPERATIONS[operation_id].bodies[media_type]
        taken, _ = seconds(lambda body=template % number, of=validator: of.faults(read_json(body.encode())))
        assert taken < MOST_SECONDS, operation_id


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_refused_or_counted_exactly(target, name):
    """Over HTTP, where it is a cost, a cap and a quantity: refused, or counted to the last digit."""
    json_type, number, event_id = {"content-type": "application/json"}, NUMBERS[name], f"n{list(NUMBERS).index(name)}"
    cost = f'{{"events":[{{"id":"{event_id}","channel":"SMS","cost":{number}}}]}}'
    answer = target.client.request("POST", EVENTS, content=cost, headers=json_type)
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        told = target.client.request("GET", f"{EVENTS}/{event_id}").json()["cost"]
        assert told == float(number)
    for path, template in (("/organization/limits", '{"budgetCap":%s}'), ("/organization/limits", '{"messageCap":%s}')):
        answer = target.client.request("PUT", path, content=template % number, headers=json_type)
        assert answer.status_code in (200, 400)
        if answer.status_code == 200:
            assert next(iter(answer.json()["standings"]))["limit"] == abs(float(number))


@pytest.mark.parametrize("size", [8_000, 60_000, 1_000_000])
@pytest.mark.parametrize(
    "place", ["query", "limit", "path", "id", "header", "key", "length", "name", "method", "version"]
)
def test_digits_without_end_are_refused_wherever_they_stand(caller, size, place):
    digits = "7" * size
    key = caller.key
    start, headers = {
        "query": (f"GET {USAGE}?costs={digits} HTTP/1.1", [key]),
        "limit": (f"GET {EVENTS}?limit={digits} HTTP/1.1", [key]),
        "path": (f"GET /{digits} HTTP/1.1", [key]),
        "id": (f"GET {EVENTS}/{digits} HTTP/1.1", [key]),
        "header": (f"GET {USAGE} HTTP/1.1", [key, f"X-Note: {digits}"]),
        "key": (f"GET {USAGE} HTTP/1.1", [f"Authorization: Bearer {digits}"]),
        "length": (f"GET {USAGE} HTTP/1.1", [key, f"Content-Length: {digits}"]),
        "name": (f"GET {USAGE} HTTP/1.1", [key, f"{digits}: a"]),
        "method": (f"{digits} {USAGE} HTTP/1.1", [key]),
        "version": (f"GET {USAGE} HTTP/{digits}.1", [key]),
    }[place]
    taken = time.process_time()
    reply = caller.send("".join(f"{line}\r\n" for line in [start, "Host: a", *headers, ""]).encode())
    if size == 8_000 and place in ("header", "name"):
        assert reply.status == 200
    else:
        check_refusal(reply, reply.status, reply.json()["error"]["code"])
        assert reply.status in (400, 401, 404)
        assert len(reply.body) < 2_000, "what is refused is not sent back"
    assert time.process_time() - taken < MOST_SECONDS


def test_a_thousand_headers_are_read_quickly(caller):
    """Within 64 KiB there may be any number of them."""
    for lines in ([f"X-{number}: a" for number in range(1_000)], ["A: b"] * 10_000, ["A:"] * 15_000):
        taken = time.process_time()
        assert caller.send(caller.head(f"GET {USAGE}", *lines)).status == 200
        assert time.process_time() - taken < MOST_SECONDS


@pytest.mark.parametrize("name", ["costs", "a", "%00", ""])
@pytest.mark.parametrize("count", [2, 100, 101, 800])
def test_a_repeated_parameter_is_refused(caller, name, count):
    query = "&".join([f"{name}=known"] * count)
    reply = caller.refused(caller.head(f"GET {USAGE}?{query}"), 400, "invalid_request")
    assert len(reply.json()["error"]["details"]) <= 100


def test_a_repeated_member_is_refused(target):
    """RFC 8259 leaves open which one counts: who looked at the request before may have looked at the other."""
    for content in (
        '{"events":[],"events":[{"id":"twice","channel":"EMAIL"}]}',
        '{"events":[{"id":"twice","channel":"EMAIL"}],"events":[]}',
        '{"events":[{"id":"twice","channel":"SMS","channel":"EMAIL"}]}',
        '{"events":[{"id":"twice","channel":"EMAIL","metadata":{"a":"b","a":"b"}}]}',
    ):
        answer = target.client.request("POST", EVENTS, content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        assert "has a member twice" in answer.text
    assert target.client.request("GET", f"{EVENTS}/twice").status_code == 404


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """`sendmeter serve` on SQLite, whose memory is looked at."""
    folder = tmp_path_factory.mktemp("consumption")
    url = f"sqlite:///{folder}/test.db"
    token = run_json("organizations", "create", "--name", "Test", database_url=url)["apiKey"]
    with served_process(url, folder, environment={"SENDMETER_SECRETS_KEY": SECRETS_KEY}) as running:
        running.token = token
        yield running


def most_memory_kib(process):
    """Return the most memory that a process ever had resident."""
    status = Path(f"/proc/{process.popen.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def bombs():
    """Return bodies of at most a mebibyte that are a gibibyte, by their content coding."""
    member = gzip.compress(bytes(10 * MIB))
    deflated = zlib.compress(bytes(100 * MIB))
    # A gzip stream may have any number of members.
    return {
        "gzip": member * (MIB // len(member)),
        "x-gzip": member * 50,
        "deflate": deflated,
        "gzip, gzip": gzip.compress(member * 50),
        "br": b"\xff" * 1_000,
        "zstd": b"\x28\xb5\x2f\xfd" + bytes(1_000),
        "compress": b"\x1f\x9d\x90" + bytes(1_000),
        "GZIP": member,
        "identity, gzip": member,
    }


def test_no_compressed_body_is_unpacked(process):
    """Each operation that takes a body, with bombs of every kind, whole and in chunks: never looked into."""
    before = most_memory_kib(process)
    key = f"Authorization: Bearer {process.token}"
    made = bombs()
    for operation_id in WITH_BODY:
        operation = OPERATIONS[operation_id]
        path = operation.path.replace("{provider}", "telnyx").replace("{", "").replace("}", "")
        for coding, bomb in made.items():
            if coding != "gzip" and operation_id != "events.record":
                continue
            types = [f"Content-Type: {next(iter(operation.bodies))}", f"Content-Encoding: {coding}", key]
            for framing, body in (
                (f"Content-Length: {len(bomb)}", bomb),
                ("Transfer-Encoding: chunked", chunked(bomb)),
            ):
                with Line(process.url) as line:
                    line.send(head(operation.method, path, *types, framing) + body)
                    reply = line.reply()
                # Whoever lacks the scope, or names what is not there, is told so first.
                assert reply.status in (403, 404, 415), (operation_id, coding, reply)
                assert operation_id != "events.record" or reply.status == 415
    assert most_memory_kib(process) - before < 64 * 1024, "the bombs are gibibytes"


def test_a_body_in_chunks_of_a_byte_costs_little_more_than_in_one(caller):
    """Each byte with a size of its own, six times as much to read: still as a body is."""
    body = EMAIL.ljust(100_000)
    head_of_chunks = caller.head(f"POST {EVENTS}", "Content-Type: application/json", "Transfer-Encoding: chunked")
    taken = time.process_time()
    assert caller.send(head_of_chunks + chunked(*(bytes([byte]) for byte in body))).status == 200
    assert time.process_time() - taken < MOST_SECONDS
    assert caller.stored() == ["a"]


def test_names_cannot_be_chosen_to_share_one_hash(process):
    """Python makes hashes of text with a number drawn when the process starts: nobody can choose names for it."""
    assert sys.flags.hash_randomization == 1
    environment = Path(f"/proc/{process.popen.pid}/environ").read_bytes().split(b"\0")
    assert not any(each.startswith(b"PYTHONHASHSEED=") and each != b"PYTHONHASHSEED=random" for each in environment)


def test_the_memory_of_many_large_bodies_is_freed(process):
    """A dozen bodies of a mebibyte that are refused leave nothing behind."""
    before = most_memory_kib(process)
    with httpx.Client(headers={"authorization": f"Bearer {process.token}"}, timeout=60) as http:
        for _ in range(12):
            sent = {"content": b"[" + b"1," * 520_000 + b"1]", "headers": {"content-type": "application/json"}}
            assert http.post(process.url + EVENTS, **sent).status_code == 400
    assert most_memory_kib(process) - before < 128 * 1024
