"""What changed between two contracts: one change planted each, judged in both directions."""

from copy import deepcopy
from functools import reduce
from operator import getitem

import pytest
import yaml

from sendmeter.contract import contract
from sendmeter.contract.changes import changes
from sendmeter.contract.rules import unsound

SMALL = yaml.safe_load("""
openapi: 3.0.3
info: {title: Things, version: '1'}
servers: [{url: /}, {url: /account}]
security: [{key: []}]
paths:
  /things/{thingId}:
    get:
      operationId: things.get
      x-required-scope: things:read
      parameters:
        - {name: thingId, in: path, required: true, schema: {type: string, maxLength: 9}}
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100, default: 10}}
      responses:
        '200':
          description: The thing.
          headers: {X-Tracking-Id: {required: true, schema: {type: string, maxLength: 30}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
        '404': {description: There is none.}
    put:
      operationId: things.put
      parameters:
        - {name: thingId, in: path, required: true, schema: {type: string, maxLength: 9}}
      requestBody:
        content:
          application/json: {schema: {$ref: '#/components/schemas/NewThing'}}
          text/csv: {schema: {type: string}}
      responses:
        '201': {description: Put., content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}}
components:
  securitySchemes: {key: {type: http, scheme: bearer}, cookie: {type: apiKey, in: cookie, name: session}}
  schemas:
    Thing:
      type: object
      additionalProperties: false
      required: [id, size]
      properties:
        id: {type: string, pattern: '^t'}
        size: {type: number, minimum: 0, maximum: 10}
        state: {type: string, enum: [new, old]}
        note: {type: string}
        parts: {type: array, maxItems: 5, items: {$ref: '#/components/schemas/Thing'}}
        tags: {type: object, additionalProperties: {type: string, maxLength: 5}}
    NewThing:
      type: object
      additionalProperties: false
      required: [size]
      properties:
        size: {type: number, minimum: 0, maximum: 10, multipleOf: 0.01}
        color: {type: string, enum: [red, blue]}
        note: {type: string, maxLength: 50}
        price: {anyOf: [{type: string, maxLength: 9}, {type: number}]}
        parts: {type: array, uniqueItems: true, items: {$ref: '#/components/schemas/NewThing'}}
        notes: {type: object, additionalProperties: {type: string}, x-property-names: {maxLength: 20}}
        shape:
          oneOf: [{$ref: '#/components/schemas/Round'}, {$ref: '#/components/schemas/Square'}]
          discriminator:
            propertyName: kind
            mapping: {round: '#/components/schemas/Round', square: '#/components/schemas/Square'}
    Round: {type: object, required: [kind], properties: {kind: {type: string}, radius: {type: number}}}
    Square: {type: object, required: [kind], properties: {kind: {type: string}}}
""")
THING_ID = SMALL["paths"]["/things/{thingId}"]["get"]["parameters"][0]
GET = ("paths", "/things/{thingId}", "get")
PUT = ("paths", "/things/{thingId}", "put")
LIMIT = (*GET, "parameters", 1)
OK = (*GET, "responses", "200")
BODY = (*PUT, "requestBody")
ASKED = ("components", "schemas", "NewThing")
GIVEN = ("components", "schemas", "Thing")
GONE = object()
BREAKS, FINE = True, False
BOTH = (BREAKS, BREAKS)
FORTH = (BREAKS, FINE)
BACK = (FINE, BREAKS)
NEITHER = (FINE, FINE)
# Where, what is planted there, and whether the change breaks a client: from SMALL to the planted, and back.
PLANTED = {
    "an operation is removed": (GET, GONE, FORTH),
    "an operation is renamed": ((*GET, "operationId"), "things.fetch", BOTH),
    "a path is removed": (GET[:2], GONE, FORTH),
    "a server is removed": (("servers",), [{"url": "/"}], FORTH),
    "all is public": (("security",), [], BACK),
    "an operation is public": ((*GET, "security"), [], BACK),
    "another way in is added": (("security",), [{"key": []}, {"cookie": []}], BACK),
    "a key is shown in another way": (("components", "securitySchemes", "key", "scheme"), "basic", BOTH),
    "a scope is wanted": ((*PUT, "x-required-scope"), "things:write", FORTH),
    "another scope is wanted": ((*GET, "x-required-scope"), "admin", BOTH),
    "a parameter is removed": ((*GET, "parameters"), [THING_ID], FORTH),
    "a parameter is renamed": ((*LIMIT, "name"), "count", BOTH),
    "a parameter is moved": ((*LIMIT, "in"), "header", BOTH),
    "a parameter is required": ((*LIMIT, "required"), True, FORTH),
    "a parameter is retyped": ((*LIMIT, "schema", "type"), "string", BOTH),
    "a parameter takes less": ((*LIMIT, "schema", "maximum"), 50, FORTH),
    "a parameter has another default": ((*LIMIT, "schema", "default"), 20, BOTH),
    "a parameter has no default": ((*LIMIT, "schema", "default"), GONE, NEITHER),
    "a body is required": ((*BODY, "required"), True, FORTH),
    "a body is not taken": (BODY, GONE, FORTH),
    "a media type is not taken": ((*BODY, "content", "text/csv"), GONE, FORTH),
    "an asked property is removed": ((*ASKED, "properties", "color"), GONE, FORTH),
    "an asked property is required": ((*ASKED, "required"), ["size", "note"], FORTH),
    "an asked property is retyped": ((*ASKED, "properties", "size", "type"), "string", BOTH),
    "an asked number is whole": ((*ASKED, "properties", "size", "type"), "integer", FORTH),
    "an asked maximum is smaller": ((*ASKED, "properties", "size", "maximum"), 5, FORTH),
    "an asked maximum is gone": ((*ASKED, "properties", "size", "maximum"), GONE, BACK),
    "an asked minimum is larger": ((*ASKED, "properties", "size", "minimum"), 1, FORTH),
    "an asked length is bounded": ((*ASKED, "properties", "color", "minLength"), 4, FORTH),
    "an asked pattern is new": ((*ASKED, "properties", "note", "pattern"), "^a", FORTH),
    "an asked format is new": ((*ASKED, "properties", "note", "format"), "date", FORTH),
    "an asked value is removed": ((*ASKED, "properties", "color", "enum"), ["red"], FORTH),
    "an asked value is another": ((*ASKED, "properties", "color", "enum"), ["red", "green"], BOTH),
    "an asked step is coarser": ((*ASKED, "properties", "size", "multipleOf"), 0.1, FORTH),
    "an asked step is another": ((*ASKED, "properties", "size", "multipleOf"), 0.03, FORTH),
    "an asked step is incomparable": ((*ASKED, "properties", "size", "multipleOf"), 0.015, BOTH),
    "asked items may repeat": ((*ASKED, "properties", "parts", "uniqueItems"), GONE, BACK),
    "asked items are of any kind": ((*ASKED, "properties", "parts", "items"), GONE, BACK),
    "an asked null is taken": ((*ASKED, "properties", "note", "nullable"), True, BACK),
    "an asked shape is removed": ((*ASKED, "properties", "price", "anyOf"), [{"type": "number"}], FORTH),
    "an asked shape is narrower": ((*ASKED, "properties", "price", "anyOf", 0, "maxLength"), 3, FORTH),
    "an asked value has one of several shapes": (
        (*ASKED, "properties", "note"),
        {"oneOf": [{"type": "string", "maxLength": 50}, {"type": "number"}]},
        BACK,
    ),
    "an asked kind is removed": ((*ASKED, "properties", "shape", "discriminator", "mapping", "square"), GONE, FORTH),
    "an asked kind is narrower": (("components", "schemas", "Round", "properties", "radius", "minimum"), 1, FORTH),
    "an asked kind is told otherwise": ((*ASKED, "properties", "shape", "discriminator", "propertyName"), "type", BOTH),
    "asked names are shorter": ((*ASKED, "properties", "notes", "x-property-names", "maxLength"), 10, FORTH),
    "asked members are taken unseen": ((*ASKED, "additionalProperties"), True, BACK),
    "asked members are narrower": ((*ASKED, "properties", "notes", "additionalProperties", "maxLength"), 3, FORTH),
    "an asked property is added": ((*ASKED, "properties", "weight"), {"type": "number"}, BACK),
    "an asked property is renamed": ((*ASKED, "properties"), {**{
        name: part for name, part in SMALL["components"]["schemas"]["NewThing"]["properties"].items() if name != "color"
    }, "colour": {"type": "string", "enum": ["red", "blue"]}}, BOTH),
    "what is not understood": ((*ASKED, "properties", "note", "not"), {"enum": ["x"]}, BOTH),
    "a status is lost": ((*GET, "responses", "404"), GONE, FORTH),
    "a success is new": ((*GET, "responses", "202"), {"description": "Later."}, BOTH),
    "a redirection is new": ((*GET, "responses", "302"), {"description": "There."}, BOTH),
    "an answer has no body": ((*OK, "content"), GONE, FORTH),
    "an answer has another media type": ((*OK, "content"), {"text/csv": {}}, BOTH),
    "a header is lost": ((*OK, "headers", "X-Tracking-Id"), GONE, FORTH),
    "a header is not always there": ((*OK, "headers", "X-Tracking-Id", "required"), GONE, FORTH),
    "a header is longer": ((*OK, "headers", "X-Tracking-Id", "schema", "maxLength"), 99, FORTH),
    "a given property is removed": ((*GIVEN, "properties", "note"), GONE, FORTH),
    "a given property is not required": ((*GIVEN, "required"), ["id"], FORTH),
    "a given property is retyped": ((*GIVEN, "properties", "size", "type"), "string", BOTH),
    "a given value is new": ((*GIVEN, "properties", "state", "enum"), ["new", "old", "lost"], FORTH),
    "a given maximum is larger": ((*GIVEN, "properties", "size", "maximum"), 11, FORTH),
    "a given minimum is gone": ((*GIVEN, "properties", "size", "minimum"), GONE, FORTH),
    "a given pattern is gone": ((*GIVEN, "properties", "id", "pattern"), GONE, FORTH),
    "a given null is new": ((*GIVEN, "properties", "note", "nullable"), True, FORTH),
    "given items are more": ((*GIVEN, "properties", "parts", "maxItems"), 6, FORTH),
    "given members are longer": ((*GIVEN, "properties", "tags", "additionalProperties", "maxLength"), 6, FORTH),
    "a given property is added": ((*GIVEN, "properties", "extra"), {"type": "string"}, BACK),
    "given members are not named": ((*GIVEN, "additionalProperties"), True, NEITHER),
    "an operation is deprecated": ((*GET, "deprecated"), True, NEITHER),
}  # fmt: skip


def planted(where, what, document=SMALL):
    made = deepcopy(document)
    *steps, last = where
    target = reduce(getitem, steps, made)
    if what is GONE:
        del target[last]
    else:
        target[last] = deepcopy(what)
    return made


def breaks(old, new):
    return any(change.breaks for change in changes(old, new))


@pytest.mark.parametrize(("where", "what", "expected"), PLANTED.values(), ids=PLANTED)
def test_a_change_is_taken_for_another_than_it_is(where, what, expected):
    other = planted(where, what)
    assert not unsound(other)
    assert (breaks(SMALL, other), breaks(other, SMALL)) == expected
    found = changes(SMALL, other)
    assert found or expected == (FINE, FINE)
    assert sorted(found, key=lambda change: not change.breaks) == found


def test_small_cannot_be_compared():
    assert not unsound(SMALL)


@pytest.mark.parametrize("document", [SMALL, contract().document], ids=["small", "ours"])
def test_a_contract_differs_from_itself(document):
    assert changes(document, deepcopy(document)) == []


def backwards(value):
    """Turn the order of all names around, and of the lists whose order says nothing."""
    if isinstance(value, dict):
        return {
            name: sorted(part) if name == "enum" else [*reversed(part)] if name == "required" and part is not True
            and part is not False else backwards(part)
            for name, part in reversed(value.items())
        }  # fmt: skip
    return [backwards(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("document", [SMALL, contract().document], ids=["small", "ours"])
def test_another_order_is_a_change(document):
    assert changes(document, backwards(document)) == []


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ((*ASKED, "properties", "color"), "Color"),
        ((*GIVEN, "properties", "tags"), "Tags"),
        ((*LIMIT, "schema"), "Limit"),
    ],
)
def test_a_schema_that_got_a_name_is_a_change(where, name):
    schema = reduce(getitem, where, SMALL)
    for written in ({"$ref": f"#/components/schemas/{name}"}, {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}):
        other = planted(("components", "schemas", name), schema, planted(where, written))
        assert changes(SMALL, other) == changes(other, SMALL) == []


def test_words_and_examples_are_changes():
    other = planted((*GIVEN, "properties", "size", "description"), "How large it is.")
    assert changes(SMALL, planted(("info", "version"), "2", other)) == []


def test_a_change_is_told_in_other_words_than_these():
    def told(where, what):
        return [(change.where, change.what, change.operations) for change in changes(SMALL, planted(where, what))]

    assert told((*LIMIT, "name"), "count") == [
        ("GET /things/{thingId} query limit", "is renamed to count", ("things.get",)),
    ]
    assert told((*ASKED, "properties", "color", "enum"), ["red", "green"]) == [
        (
            "NewThing.color",
            'is never "blue" any more, can be "green" too: takes something else than before',
            ("things.put",),
        ),
    ]
    assert told((*GIVEN, "properties", "parts", "maxItems"), 6) == [
        ("Thing.parts", "maxItems 5 → 6: may answer what no client has seen", ("things.get", "things.put")),
    ]
    assert told(("paths",), {"/objects/{thingId}": SMALL["paths"]["/things/{thingId}"]}) == [
        (f"{method} /things/{{thingId}}", f"moved to {method} /objects/{{thingId}}", (f"things.{method.lower()}",))
        for method in ("GET", "PUT")
    ]


def test_a_schema_of_both_is_judged_for_one_side_only():
    shared = planted((*ASKED, "properties", "size"), {"$ref": "#/components/schemas/Size"})
    shared = planted((*GIVEN, "properties", "size"), {"$ref": "#/components/schemas/Size"}, shared)
    shared = planted(("components", "schemas", "Size"), {"type": "number", "maximum": 10}, shared)
    smaller = planted(("components", "schemas", "Size", "maximum"), 5, shared)
    sides = [(change.where, change.breaks, change.operations) for change in changes(shared, smaller)]
    assert sides == [("Size", True, ("things.put",)), ("Size", False, ("things.get", "things.put"))]
    assert breaks(smaller, shared)


@pytest.mark.parametrize("name", contract().operations)
def test_an_operation_of_ours_can_be_lost_unseen(name):
    operation = contract().operations[name]
    lost = planted(("paths", operation.path, operation.method.lower()), GONE, contract().document)
    assert [(change.what, change.breaks) for change in changes(contract().document, lost)] == [("is gone", True)]
