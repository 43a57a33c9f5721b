"""The contract is read as JSON, answers what its operations are, and keeps its own rules."""

import json
from importlib import import_module

import pytest

from sendmeter.contract import Contract, contract, find, handlers_package
from sendmeter.domain.keys import SCOPES
from sendmeter.errors import Refusal

DOCUMENT = contract().document
METHODS = ("get", "put", "post", "delete", "patch")
SMALL = """
openapi: 3.0.3
info: {title: no, version: 2026-11-20}
servers: [{url: 'https://example.com/v1'}, {url: /v1/}]
security: [{key: []}]
paths:
  /things/{thingId}/parts:
    summary: Parts
    parameters: []
    get:
      operationId: parts.list
      responses: {'204': {description: 'nothing'}}
    delete:
      operationId: parts.delete
      security: []
      responses: {'204': {description: 'nothing'}}
  /things/all.json/parts:
    put:
      operationId: parts.put
      x-required-scope: operator
      parameters: [{name: size, in: query, required: true, schema: {$ref: '#/components/schemas/Size'}}]
      responses: {'204': {description: 'nothing'}}
components:
  schemas:
    Size: {type: integer, default: 5, maximum: 9}
x-texts: [no, on, off, yes, y, n, NO, True, 2026-11-20, 2026-11-20T09:30:00Z]
x-values: [true, false, null, 1, 1.5]
x-names: {no: 1, on: 2}
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "openapi.yaml"
    path.write_text(SMALL)
    return Contract(path)


def parts(value, pointer=""):
    """Walk a document: every part with its place."""
    yield pointer, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from parts(child, f"{pointer}/{name}")


def test_what_is_no_boolean_in_json_is_a_text(small):
    assert small.document["x-texts"] == [
        "no",
        "on",
        "off",
        "yes",
        "y",
        "n",
        "NO",
        "True",
        "2026-11-20",
        "2026-11-20T09:30:00Z",
    ]
    assert small.document["x-names"] == {"no": 1, "on": 2}
    assert small.document["info"] == {"title": "no", "version": "2026-11-20"}


def test_values_of_json_keep_their_type(small):
    assert [repr(value) for value in small.document["x-values"]] == ["True", "False", "None", "1", "1.5"]


def test_the_json_of_the_contract_says_what_its_yaml_says(small):
    for one in (small, contract()):
        assert json.loads(one.json_bytes) == one.document


def test_an_operation_knows_its_place_and_who_may_call_it(small):
    found = {
        name: (one.method, one.path, one.public, one.scope, set(one.answers)) for name, one in small.operations.items()
    }
    assert found == {
        "parts.list": ("GET", "/things/{thingId}/parts", False, None, {204}),
        "parts.delete": ("DELETE", "/things/{thingId}/parts", True, None, {204}),
        "parts.put": ("PUT", "/things/all.json/parts", False, "operator", {204}),
    }


def test_a_parameter_is_read_through_its_reference(small):
    size = small.operations["parts.put"].parameters["size"]
    assert (size.type, size.required, size.default) == ("integer", True, 5)
    assert size.validator.accepts(9)
    assert not size.validator.accepts(10)


def test_an_answer_without_content_takes_no_body(small):
    assert small.operations["parts.list"].answers[204] is None


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/things/7/parts", ("DELETE", "GET", "HEAD")),
        ("/v1/things/all.json/parts", ("DELETE", "GET", "HEAD", "PUT")),
        ("/v1/things/allxjson/parts", ("DELETE", "GET", "HEAD")),
        ("/things/7/parts", ()),
        ("/v1/things//parts", ()),
        ("/v1/things/7/8/parts", ()),
        ("/v1/things/7/parts/", ()),
        ("/v1things/7/parts", ()),
    ],
)
def test_a_path_is_matched_whole_and_below_its_base_path_only(small, path, methods):
    assert small.base_paths == ("/v1",)
    assert tuple(sorted(small.operations_at(path))) == methods


@pytest.mark.parametrize("base_path", ["", "/account"])
def test_every_operation_is_found_at_both_base_paths(base_path):
    assert base_path in contract().base_paths
    for operation in contract().operations.values():
        methods = contract().operations_at(base_path + operation.path)
        assert operation.method in methods
        assert ("HEAD" in methods) == ("GET" in methods)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/account",
        "/account/",
        "/nothing",
        "/organization",
        "/organization/usage/",
        "/account/account/health/live",
        "/accountorganization/usage",
        "organization/usage",
        "/Organization/Usage",
        "/organization/usage\n",
    ],
)
def test_a_path_that_there_is_not_knows_no_method(path):
    assert contract().operations_at(path) == {}


def test_the_first_operations_are_as_the_design_has_them():
    operations = contract().operations
    usage, record = operations["usage.get"], operations["events.record"]
    assert (usage.method, usage.path, usage.public, usage.scope) == ("GET", "/organization/usage", False, None)
    assert (record.method, record.path, record.scope) == ("POST", "/organization/usage/events", "events:write")
    assert {200, 400, 401, 402, 500, 502} <= set(usage.answers)
    assert set(record.bodies) == {
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    }
    assert {name for name, one in operations.items() if one.public} >= {"health.live", "health.ready"}


def test_every_operation_has_its_own_id_and_a_function_with_that_name():
    declared = [
        item[method]["operationId"] for item in DOCUMENT["paths"].values() for method in item if method in METHODS
    ]
    assert sorted(contract().operations) == sorted(declared)
    for operation_id in declared:
        module, _, function = operation_id.partition(".")
        assert callable(getattr(import_module(f"{handlers_package()}.{module}"), function))


def test_every_scope_that_an_operation_wants_can_be_given_to_a_key():
    assert {one.scope for one in contract().operations.values()} - {None} <= set(SCOPES)


def test_every_reference_leads_somewhere():
    references = [part["$ref"] for _, part in parts(DOCUMENT) if isinstance(part, dict) and "$ref" in part]
    assert len(references) > 50
    for reference in references:
        assert reference.startswith("#/")
        assert "$ref" not in contract().resolve({"$ref": reference})


def test_every_target_of_a_discriminator_is_one_of_its_shapes():
    chosen = [part for _, part in parts(DOCUMENT) if isinstance(part, dict) and "discriminator" in part]
    assert chosen
    for part in chosen:
        assert {one["$ref"] for one in part["oneOf"]} == set(part["discriminator"]["mapping"].values())


def examples():
    """Return every example of the document with its schema: beside one, and within one."""
    for pointer, part in parts(DOCUMENT):
        if not isinstance(part, dict) or pointer.startswith("/components/examples"):
            continue
        for name, example in (
            part["examples"].items() if isinstance(part.get("schema"), dict) and "examples" in part else ()
        ):
            yield f"{pointer}/{name}", part["schema"], contract().resolve(example)["value"]
        if "example" in part and not pointer.endswith("/properties"):
            yield pointer, part.get("schema", part), part["example"]


@pytest.mark.parametrize(("schema", "value"), [pytest.param(*one[1:], id=one[0]) for one in examples()])
def test_every_example_is_what_its_schema_says(schema, value):
    assert contract().schemas.validator(schema).faults(value) == []


def test_every_example_is_shown_somewhere():
    shown = {
        part["$ref"].rpartition("/")[2] for _, part in parts(DOCUMENT) if isinstance(part, dict) and "$ref" in part
    }
    assert set(DOCUMENT["components"]["examples"]) <= shown


def test_every_default_is_what_its_schema_says():
    found = [part for _, part in parts(DOCUMENT) if isinstance(part, dict) and "default" in part and "type" in part]
    assert found
    for schema in found:
        assert contract().schemas.validator(schema).faults(schema["default"]) == []


def test_every_refusal_has_a_code_of_the_contract():
    codes = {refusal.code for refusal in Refusal.__subclasses__()}
    assert codes | {"internal_error"} == set(DOCUMENT["components"]["schemas"]["ErrorCode"]["enum"])


def test_the_contract_is_found_and_loaded_once():
    assert contract() is contract()
    assert contract().path == find()
    assert find().name == "openapi.yaml"
