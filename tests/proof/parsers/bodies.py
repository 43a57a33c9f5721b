"""What requests carry: JSON is read as another parser reads it, or refused; queries are read as the contract has."""

import json
import re
from contextlib import suppress
from datetime import date
from decimal import Decimal

import orjson

from sendmeter import strict_json
from sendmeter.contract import contract
from sendmeter.domain.instants import read_instant
from sendmeter.errors import InvalidRequest, NotFound, UnsupportedMediaType
from sendmeter.web.body import check_charset, media_type_of, read_json
from sendmeter.web.validation import path_of, query_of
from tests.proof.parsers.drawn import Drawn
from tests.proof.parsers.outcomes import outcome

DEEPEST = 32
TAKEN = ["application/json", "application/cloudevents+json"]
# A first byte of the corpus means one of them: others are put behind.
OPERATIONS = [
    contract().operations[name]
    for name in ("usage.history", "events.search", "events.get", "usage.get", "keys.search", "providers.receive")
]
UNKEPT = re.compile("[\0\ud800-\udfff]")
# The other parser has floats, which know no such numbers.
EXTREME = re.compile(rb"[0-9]{300}|[eE][+-]?[0-9]{3}")

JSON_SEEDS = [
    b'{"a": [1, -0.5e-7, 12e3, true, null, {"b": "\\u00e9\\ud83d\\ude00"}]}', b'"\\ud83d"', b'"\\u0000"', b"NaN",
    b"[" * 31 + b"1" + b"]" * 31, b"[" * 33 + b"]" * 33, b'{"a": 1, "a": 2}', b"1e999999999", b"9" * 400, b"\xff", b"-",
    b'"\\\\u0000"', b"\xef\xbb\xbf{}", b" \t\r\n0 ", b"01", b"1.", b"[1,]", b'"\x1f"', b'"\\ude00\\ud83d"',
]  # fmt: skip
JSON_TOKENS = ["\\u0000", "\\ud800", "\\udc00", "NaN", "Infinity", "-Infinity", "e+", "true", "null", '\\"', "\\\\"]
HEADER_SEEDS = [b'application/json; charset="UTF-8"; profile=x', b"APPLICATION/CloudEvents+JSON", b";charset=latin-1"]
QUERY_SEEDS = [
    b"\0startDate=2026-01-01&endDate=2026-12-31&groupBy=day&costs=known", b"\0startDate=0001-01-01&endDate=2026-02-29",
    b"\1cursor=AAAA&limit=50&channel=SMS&from=2026-11-20T00%3A00%3A00Z&to=2026-11-21T00:00:00%2B00:00", b"\1a=%ff&b",
    b"\2source=api", b"\1limit=-1&limit=2&limit=99999999999999999999", b"\1a=%00", b"\1&&&=;=", b"\1limit=007", b"\xff",
]  # fmt: skip
QUERY_TOKENS = ["limit=", "cursor=", "from=", "to=", "channel=", "startDate=", "endDate=", "groupBy=", "source=", "%00"]


def check_json(data):
    value = read(data)
    if not EXTREME.search(data):
        expected = _otherwise(data)
        assert (value is None) == (expected is None), (value, expected)
        assert value is None or _same(value[0], expected[0])
    if value is not None:
        text = json.dumps(value[0], default=lambda number: f"number {number}")
        assert not UNKEPT.search("".join(_texts(value[0]))), text
        assert strict_json.read(data) == value[0]
        assert read(text.encode()) == [_with_numbers_as_texts(value[0])]


def read(data):
    """Return what is read, in a list; None where it is refused."""
    value = outcome(lambda: read_json(data), InvalidRequest)
    if isinstance(value, InvalidRequest):
        assert [fault.pointer for fault in value.faults] == [""]
        return None
    return [value]


def _otherwise(data):
    """Read it with another parser."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    is_refused = _depth(found) > DEEPEST or UNKEPT.search("".join(_texts(found))) or _has_doubles(data)
    return None if is_refused else [found]


def _has_doubles(data):
    """Return whether an object has a member twice, which orjson does not tell."""
    doubles = []
    json.loads(data, object_pairs_hook=lambda members: doubles.append(len(members) - len(dict(members))))
    return any(doubles)


def _depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)


def _same(one, other):
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, int | Decimal) and not isinstance(one, bool):
        return isinstance(other, int | float) and not isinstance(other, bool) and float(one) == float(other)
    return type(one) is type(other) and one == other


def _with_numbers_as_texts(value):
    if isinstance(value, dict):
        return {name: _with_numbers_as_texts(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_numbers_as_texts(inner) for inner in value]
    return f"number {value}" if isinstance(value, Decimal) else value


def check_header(data):
    text = data.decode("latin-1")
    with suppress(UnsupportedMediaType):
        assert media_type_of(text, TAKEN) in TAKEN
        assert media_type_of(text, TAKEN) == text.partition(";")[0].strip().lower()
        check_charset(text, TAKEN)
        charsets = re.findall(r';\s*charset="*([^";]*)', text, re.IGNORECASE)
        assert {charset.strip().lower() for charset in charsets} <= {"utf-8", "utf8", "us-ascii"}


def check_query(data):
    drawn = Drawn(data)
    operation = OPERATIONS[drawn.number(len(OPERATIONS))]
    query = drawn.rest()
    with suppress(NotFound):
        text = query.decode(errors="replace")
        assert (
            path_of(operation, dict.fromkeys(operation.path_parameters, text)).keys()
            == operation.path_parameters.keys()
        )
    values = outcome(lambda: query_of(operation, query), InvalidRequest)
    if isinstance(values, InvalidRequest):
        assert values.faults
        assert all(fault.pointer.startswith("query:") for fault in values.faults)
        return
    assert values.keys() == operation.parameters.keys()
    for name, value in values.items():
        assert value is None or operation.parameters[name].validator.accepts(value)
        # What handlers make of it does not fail.
        if name in ("from", "to") and value:
            assert read_instant(value).tzinfo is not None
        if name in ("startDate", "endDate"):
            assert date.fromisoformat(value).isoformat() == value
