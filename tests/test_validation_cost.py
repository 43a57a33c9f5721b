"""A body that is wrong costs in proportion to its size, however many places are wrong. Work is counted, not timed.

Counted is what the library is given to look at, and what it copies into its errors, in values of JSON.
"""

import json

import jsonschema_rs
import pytest

from sendmeter import schemas
from sendmeter.contract import contract
from sendmeter.web.body import read_json

SIZE = 900_000
"""In bytes: a body may have 1 MiB."""
MOST_FOR_EACH_VALUE = 4
AN_ERROR = 100
"""What an error costs beside its copy: so many values could be looked at meanwhile."""
MOST_BESIDES = 200_000
"""What finding a hundred faults may take more, whatever the size: the errors of one part, each with a copy of it."""


def size_of(value):
    """Return how many values of JSON a value consists of."""
    count, rest = 0, [value]
    while rest:
        part = rest.pop()
        count += 1
        if isinstance(part, dict):
            rest += part.values()
        elif isinstance(part, list):
            rest += part
    return count


@pytest.fixture
def counted(monkeypatch):
    """The library, which adds up what it works on."""
    work = []
    compiled = jsonschema_rs.Draft202012Validator

    class Counting:
        def __init__(self, *schema, **options):
            self._validator = compiled(*schema, **options)

        def is_valid(self, value):
            work.append(size_of(value))
            return self._validator.is_valid(value)

        def iter_errors(self, value):
            work.append(size_of(value))
            errors = list(self._validator.iter_errors(value))
            work.extend(AN_ERROR + size_of(error.instance) for error in errors)
            return errors

    monkeypatch.setattr(schemas.jsonschema_rs, "Draft202012Validator", Counting)
    return work


def members(count, value, name="m{}"):
    return ",".join(f'"{name.format(number)}":{value}' for number in range(count))


def filled(item, start='{"events":[', end="]}"):
    """Repeat an item until the body is full."""
    return start + ",".join([item] * (SIZE // (len(item) + 1))) + end


def email(metadata):
    return f'{{"id":"a","channel":"EMAIL","metadata":{{{metadata}}}}}'


def cloudevent(more, data='{"channel":"EMAIL"}'):
    return f'{{"specversion":"1.0","id":"a","source":"s","type":"t","data":{data},{more}}}'


JSON, BATCH, ONE = (
    "application/json",
    "application/cloudevents-batch+json",
    "application/cloudevents+json",
)
HOSTILE = {
    "metadata wrong in 95 places each": (JSON, filled(email(members(95, 1)))),
    "metadata of wrong names": (JSON, filled(email(members(95, 1, "!{}")))),
    "one event with much metadata": (JSON, f'{{"events":[{email(members(80_000, 1))}]}}'),
    "events without anything": (JSON, filled("{}")),
    "events of unknown members": (JSON, filled(f"{{{members(95, 1)}}}")),
    "events of wrong values": (JSON, filled('{"id":"","channel":"SMS","cost":-1,"quantity":0.5,"occurredAt":"2026"}')),
    "events that are numbers": (JSON, filled("1")),
    "events that are lists of lists": (JSON, filled(f"[{','.join(['[]'] * 300)}]")),
    "unknown members": (JSON, f"{{{members(90_000, 1)}}}"),
    "a list in place of an object": (JSON, f"[{','.join('1' * 400_000)}]"),
    "valid events, then wrong ones": (
        JSON,
        filled(
            email(members(95, 1)),
            start='{"events":[' + '{"id":"a","channel":"EMAIL"},' * 900,
        ),
    ),
    "attributes that are lists": (BATCH, filled(cloudevent(members(95, "[]")), "[", "]")),
    "attributes that are null": (BATCH, filled(cloudevent(members(95, "null")), "[", "]")),
    "attributes of wrong names": (BATCH, filled(cloudevent(members(95, 1, "M{}")), "[", "]")),
    "data of wrong metadata": (
        BATCH,
        filled(cloudevent('"time":1', f'{{"channel":"EMAIL","metadata":{{{members(90, 1)}}}}}'), "[", "]"),
    ),
    "one event with many attributes": (ONE, cloudevent(members(90_000, "[]"))),
    "one event with an attribute of lists": (ONE, cloudevent(f'"a":[{",".join(["[[],[]]"] * 100_000)}]')),
    "nothing but lists of objects of lists": (ONE, f'{{"a":[{",".join(["{" + members(90, "[]") + "}"] * 900)}]}}'),
}  # fmt: skip


@pytest.mark.parametrize(("media_type", "body"), HOSTILE.values(), ids=HOSTILE)
def test_finding_what_is_wrong_costs_in_proportion_to_the_size_of_a_body(media_type, body, counted):
    value = read_json(body.encode())
    operation = contract().operations["events.record"]
    validator = schemas.Validator(operation.bodies[media_type].schema)
    faults = validator.faults(value)
    assert 1 <= len(faults) <= schemas.FAULT_LIMIT
    assert sum(counted) <= MOST_FOR_EACH_VALUE * size_of(value) + MOST_BESIDES


def test_a_fault_is_named_however_far_back_it_stands():
    events = [{"id": str(number), "channel": "EMAIL"} for number in range(1_000)]
    events[998] = {"id": "late", "channel": "EMAIL", "metadata": {"a": 1}}
    events[999] = {"channel": "EMAIL"}
    faults = contract().operations["events.record"].bodies[JSON].faults(json.loads(json.dumps({"events": events})))
    assert [fault.pointer for fault in faults] == ["/events/998/metadata/a", "/events/999/id"]


def test_what_is_left_out_of_a_large_part_is_not_said_to_be_missing():
    """The unknown member before `data` is larger than all that is looked at."""
    value = {"junk": [[0] * 900] * 10, "specversion": "1.0", "id": "a", "source": "s", "type": "t"}
    value["data"] = {"junk": [0] * 5_000, "channel": "EMAIL", "quantity": 0}
    faults = contract().operations["events.record"].bodies[ONE].faults(value)
    assert "/data/channel" not in [fault.pointer for fault in faults]
    assert faults
