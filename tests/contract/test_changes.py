"""What changed between two contracts: one change planted each, judged in both directions."""

from copy import deepcopy
from functools import reduce
from operator import getitem

import pytest
import yaml

from sendmeter.contract import contract
from sendmeter.contract.reading import parse
from sendmeter.gate.changes import changes
from sendmeter.gate.rules import unsound

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
SHAPE_RENAMED = {
    "oneOf": [{"$ref": "#/components/schemas/Circle"}, {"$ref": "#/components/schemas/Square"}],
    "discriminator": {
        "propertyName": "kind",
        "mapping": {"round": "#/components/schemas/Circle", "square": "#/components/schemas/Square"},
    },
}
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
    "a parameter has no default": ((*LIMIT, "schema", "default"), GONE, BOTH),
    "a parameter's default is true, not 1": ((*LIMIT, "schema", "default"), True, BOTH),
    "a parameter may be empty": ((*LIMIT, "allowEmptyValue"), True, BOTH),
    "a parameter is written otherwise": ((*LIMIT, "explode"), False, BOTH),
    "a parameter is written as always": ((*LIMIT, "explode"), True, NEITHER),
    "an operation is served elsewhere": ((*GET, "servers"), [{"url": "/v2"}], BOTH),
    "an operation is served elsewhere, too": (
        (*GET, "servers"), [{"url": "/"}, {"url": "/account/"}, {"url": "/v2"}], BACK,
    ),
    "a path is served elsewhere": ((*GET[:2], "servers"), [{"url": "/v2"}], BOTH),
    "a server has another variable": (
        ("servers", 1), {"url": "/account", "variables": {"region": {"default": "eu"}}}, BOTH,
    ),
    "an operation is tagged": ((*GET, "tags"), ["things"], BOTH),
    "what calls back": (
        (*PUT, "callbacks"), {"done": {"{$url}": {"post": {"responses": {"200": {"description": "x"}}}}}}, BOTH,
    ),
    "a body is encoded otherwise": (
        (*BODY, "content", "application/json", "encoding"), {"size": {"style": "spaceDelimited"}}, BOTH,
    ),
    "a key is given in another flow": (
        ("components", "securitySchemes", "key"),
        {"type": "oauth2", "flows": {"implicit": {"authorizationUrl": "https://a.example", "scopes": {}}}}, BOTH,
    ),
    "a schema is renamed": (("components", "schemas"), {
        {"Round": "Circle"}.get(name, name): schema for name, schema in SMALL["components"]["schemas"].items()
    } | {"NewThing": {**SMALL["components"]["schemas"]["NewThing"], "properties": {
        **SMALL["components"]["schemas"]["NewThing"]["properties"], "shape": SHAPE_RENAMED,
    }}}, BOTH),
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
    "an asked value is true, not 1": ((*ASKED, "properties", "color", "enum"), [True], BOTH),
    "an asked value has a default": ((*ASKED, "properties", "note", "default"), "none", BOTH),
    "an asked default is null": ((*ASKED, "properties", "note", "default"), None, BOTH),
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
    "an asked kind is removed": ((*ASKED, "properties", "shape"), {
        "oneOf": [{"$ref": "#/components/schemas/Round"}],
        "discriminator": {"propertyName": "kind", "mapping": {"round": "#/components/schemas/Round"}},
    }, FORTH),
    "an asked kind is narrower": (("components", "schemas", "Round", "properties", "radius", "minimum"), 1, FORTH),
    "an asked kind is told otherwise": ((*ASKED, "properties", "shape", "discriminator", "propertyName"), "type", BOTH),
    "an asked kind must be large": ((*ASKED, "properties", "shape", "maxProperties"), 2, FORTH),
    "an asked kind must have more": ((*ASKED, "properties", "shape", "required"), ["radius"], FORTH),
    "an asked kind is untold": ((*ASKED, "properties", "shape", "oneOf"), [
        {"$ref": "#/components/schemas/Round"}, {"$ref": "#/components/schemas/Square"},
        {"$ref": "#/components/schemas/Thing"},
    ], BACK),
    "an asked value has one shape only": (
        (*ASKED, "properties", "price"), {"oneOf": [{"type": "string", "maxLength": 9}, {"type": "number"}]}, FORTH,
    ),
    "an asked value is for reading": ((*ASKED, "properties", "note", "readOnly"), True, BOTH),
    "asked members are any": ((*ASKED, "properties", "notes", "additionalProperties"), True, BACK),
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
    "given members are any": ((*GIVEN, "properties", "tags", "additionalProperties"), True, FORTH),
    "given members are anything": ((*GIVEN, "properties", "tags", "additionalProperties"), {}, FORTH),
    "given members are not told of": ((*GIVEN, "properties", "tags", "additionalProperties"), GONE, FORTH),
    "a given value has a default": ((*GIVEN, "properties", "note", "default"), "none", NEITHER),
    "a given value is for writing": ((*GIVEN, "properties", "note", "writeOnly"), True, BOTH),
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
def test_each_change_is_judged_by_what_it_does_to_clients(where, what, expected):
    other = planted(where, what)
    assert not unsound(other)
    assert (breaks(SMALL, other), breaks(other, SMALL)) == expected
    found = changes(SMALL, other)
    assert found or expected == (FINE, FINE)
    assert sorted(found, key=lambda change: not change.breaks) == found


# One keyword of two parts, by itself in one of them; what becomes of it in the other breaks a sender.
COMBINED = {
    "patterns": ({"pattern": "^[a-z]+$"}, {"pattern": "^.{1,9}$"}, {"pattern": "^.{1,2}$"}),
    "items": ({"items": {"type": "string"}}, {"items": {"maxLength": 9}}, {"items": {"maxLength": 1}}),
    "types": ({"type": "number"}, {"type": "number"}, {"type": "integer"}),
    "shapes": (
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}]},
        {"oneOf": [{"type": "integer"}, {"type": "boolean"}]},
    ),
    "members": (
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"additionalProperties": True},
        {"additionalProperties": False},
    ),
    "named members": (
        {"properties": {"a": {"type": "string"}}, "additionalProperties": False},
        {"properties": {"a": {}, "b": {}}},
        {"properties": {"b": {}}, "additionalProperties": False},
    ),
    "steps": ({"multipleOf": 2}, {"multipleOf": 3}, {"multipleOf": 9}),
    "formats": ({"format": "date"}, {"format": "x"}, {"format": "date-time"}),
    "repetitions": ({"uniqueItems": False}, {"uniqueItems": False}, {"uniqueItems": True}),
    "what they are not": ({"not": {"enum": ["z"]}}, {"not": {"enum": ["x"]}}, {"not": {"enum": ["x", "y"]}}),
    "exclusive bounds": ({"minimum": 0}, {"minimum": 1}, {"minimum": 1, "exclusiveMinimum": True}),
    "names": (
        {"x-property-names": {"maxLength": 20}},
        {"x-property-names": {"maxLength": 9}},
        {"x-property-names": {"maxLength": 1}},
    ),
    "nulls": (
        {"type": "string", "nullable": True},
        {"type": "string", "nullable": True},
        {"type": "string"},
    ),
    "values": ({"enum": [1, "a"]}, {"enum": [1, "b"]}, {"enum": [True, "b"]}),
    "lengths": ({"maxLength": 5}, {"maxLength": 4}, {"maxLength": 3}),
}  # fmt: skip


@pytest.mark.parametrize(("kept", "old", "new"), COMBINED.values(), ids=COMBINED)
def test_a_change_within_a_combined_schema_is_seen(kept, old, new):
    for put in (
        lambda part: {"allOf": [kept, part]},
        lambda part: {"allOf": [part, kept]},
        lambda part: {**kept, "allOf": [part]},
        lambda part: {**part, "allOf": [kept]},
    ):
        one, other = (planted((*ASKED, "properties", "note"), put(part)) for part in (old, new))
        assert changes(one, deepcopy(one)) == []
        assert breaks(one, other)


def test_a_combined_schema_equals_the_same_schema_written_out():
    written = {"type": "string", "minLength": 1, "maxLength": 5, "uniqueItems": True}
    parts = [{"type": "string", "maxLength": 9}, {"minLength": 1, "uniqueItems": True}, {"maxLength": 5}]
    one, other = (planted((*ASKED, "properties", "note"), put) for put in (written, {"allOf": parts}))
    assert changes(one, other) == changes(other, one) == []


def test_a_number_of_members_that_the_schema_implies_anyway_is_no_change():
    names = ["name", "size"]
    members = {"type": "object", "required": names, "properties": {name: {"type": "integer"} for name in names}}
    closed = {**members, "additionalProperties": False}
    one, other = planted(GIVEN, closed), planted(GIVEN, {**closed, "minProperties": 2, "maxProperties": 2})
    assert changes(one, other) == changes(other, one) == []
    few, many = (planted(GIVEN, {**members, "maxProperties": most}) for most in (2, 3))
    assert (breaks(few, many), breaks(many, few)) == FORTH
    assert breaks(planted(GIVEN, {**members, "minProperties": 3}), planted(GIVEN, members))


def test_the_schema_behind_a_not_is_followed():
    named = planted(("components", "schemas", "Never"), {"enum": ["x"]})
    old = planted((*ASKED, "properties", "note", "not"), {"$ref": "#/components/schemas/Never"}, named)
    assert breaks(old, planted(("components", "schemas", "Never", "enum"), ["x", "y"], old))
    assert changes(old, planted(("components", "schemas", "Never", "description"), "What never is.", old)) == []


def test_two_names_in_a_path_that_change_places_are_seen():
    def at(path):
        parameters = [{"in": "path", "name": name, "required": True, "schema": {"type": "string"}} for name in "ab"]
        operation = {"operationId": "both", "parameters": parameters, "responses": {"200": {"description": "x"}}}
        return planted(("paths",), {path: {"get": operation}})

    found = changes(at("/a/{a}/b/{b}"), at("/a/{b}/b/{a}"))
    assert [(change.where, change.breaks) for change in found] == [("GET /a/{a}/b/{b}", BREAKS)]


def chained(count, made):
    """Make a contract whose schemas refer to each other."""
    document = planted(("components", "schemas"), {f"N{number}": made(number) for number in range(count)})
    document["components"]["schemas"][f"N{count}"] = {"type": "string"}
    document["paths"] = {"/n": {"post": {
        "operationId": "n.post",
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/N0"}}}},
        "responses": {"200": {"description": "x"}},
    }}}  # fmt: skip
    return document


def ref(number):
    return {"$ref": f"#/components/schemas/N{number}"}


WEBS = {
    "two members each": (30, lambda number: {"properties": {"a": ref(number + 1), "b": ref(number + 1)}}),
    "one of two each": (30, lambda number: {"oneOf": [ref(number + 1), {"type": "integer"}]}),
    "all of all": (15, lambda _: {"properties": {f"p{other}": ref(other) for other in range(16)}}),
}


@pytest.mark.parametrize(("count", "made"), WEBS.values(), ids=WEBS)
def test_schemas_that_share_others_are_compared_in_time(count, made):
    document = chained(count, made)
    assert changes(document, deepcopy(document)) == []
    assert breaks(document, planted(("components", "schemas", f"N{count}", "maxLength"), 3, document))


def test_a_change_within_a_circle_of_references_is_seen():
    # The request comes to B by A, the answer to A by B: what is known of the one must not hide the other.
    circle = {"A": {"properties": {"b": {"$ref": "#/components/schemas/B"}, "size": {"maximum": 9}}},
              "B": {"properties": {"a": {"$ref": "#/components/schemas/A"}}}}  # fmt: skip
    old = chained(0, None)
    old["components"]["schemas"] = circle
    operation = old["paths"]["/n"]["post"]
    body = operation["requestBody"]["content"]["application/json"]
    body["schema"] = {"oneOf": [{"$ref": "#/components/schemas/A"}, {"type": "string"}]}
    operation["responses"]["200"]["content"] = {"application/json": {"schema": {"$ref": "#/components/schemas/B"}}}
    new = planted(("components", "schemas", "A", "properties", "size", "maximum"), 10, old)
    assert [change.breaks for change in changes(old, new)] == [True, False]
    assert [change.breaks for change in changes(new, old)] == [True, False]


def test_the_served_contract_can_be_compared():
    assert changes(contract().document, parse(contract().json_bytes, "served")) == []


def test_the_smallest_contract_can_be_compared():
    assert not unsound(SMALL)


@pytest.mark.parametrize("document", [SMALL, contract().document], ids=["small", "ours"])
def test_a_contract_does_not_differ_from_itself(document):
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
def test_another_order_is_no_change(document):
    assert changes(document, backwards(document)) == []


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ((*ASKED, "properties", "color"), "Color"),
        ((*GIVEN, "properties", "tags"), "Tags"),
        ((*LIMIT, "schema"), "Limit"),
    ],
)
def test_naming_a_schema_is_no_change(where, name):
    schema = reduce(getitem, where, SMALL)
    for written in ({"$ref": f"#/components/schemas/{name}"}, {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}):
        other = planted(("components", "schemas", name), schema, planted(where, written))
        assert changes(SMALL, other) == []
        assert [(change.where, change.breaks) for change in changes(other, SMALL)] == [(name, BREAKS)]


def test_words_and_examples_are_no_changes():
    other = planted((*GIVEN, "properties", "size", "description"), "How large it is.")
    assert changes(SMALL, planted(("info", "version"), "2", other)) == []


def test_a_change_is_reported_in_these_words():
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


def test_a_schema_of_requests_and_answers_is_judged_for_both():
    shared = planted((*ASKED, "properties", "size"), {"$ref": "#/components/schemas/Size"})
    shared = planted((*GIVEN, "properties", "size"), {"$ref": "#/components/schemas/Size"}, shared)
    shared = planted(("components", "schemas", "Size"), {"type": "number", "maximum": 10}, shared)
    smaller = planted(("components", "schemas", "Size", "maximum"), 5, shared)
    sides = [(change.where, change.breaks, change.operations) for change in changes(shared, smaller)]
    assert sides == [("Size", True, ("things.put",)), ("Size", False, ("things.get", "things.put"))]
    assert breaks(smaller, shared)


@pytest.mark.parametrize("name", contract().operations)
def test_each_lost_operation_is_seen(name):
    operation = contract().operations[name]
    lost = planted(("paths", operation.path, operation.method.lower()), GONE, contract().document)
    assert [(change.what, change.breaks) for change in changes(contract().document, lost)] == [("is gone", True)]
