"""Validators tell every fault at once, where it is, in words that never repeat the value."""

import json
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmeter.contract import contract
from sendmeter.errors import Fault
from sendmeter.schemas import FAULT_LIMIT, Schemas

PROVEN = settings(max_examples=150, derandomize=True, deadline=None)
CHANNELS = "is not one of EMAIL, INAPP_WEB, WEB_PUSH, PUSH, SLACK, SMS, CALL"
BATCH = contract().operations["events.record"].bodies["application/json"]
CLOUD = contract().operations["events.record"].bodies["application/cloudevents+json"]
COST = contract().schemas.component("Cost")
PARTS = {
    "One": {"type": "object", "required": ["kind"], "properties": {"kind": {}, "size": {"type": "integer"}}},
    "Two": {"type": "object", "required": ["name"], "properties": {"kind": {}, "name": {"type": "string"}}},
}
EITHER = {
    "oneOf": [{"$ref": "#/components/schemas/One"}, {"$ref": "#/components/schemas/Two"}],
    "discriminator": {
        "propertyName": "kind",
        "mapping": {"1": "#/components/schemas/One", "2": "#/components/schemas/Two", "II": "#/components/schemas/Two"},
    },
}


def validator(schema, **components):
    return Schemas({"components": {"schemas": components}}).validator(schema)


def told(schema, value, **components):
    return [(fault.pointer, fault.message) for fault in validator(schema, **components).faults(value)]


def said_of(value, batch=BATCH):
    return {(fault.pointer, fault.message) for fault in batch.faults(value)}


def test_all_faults_of_a_batch_are_told_at_once_each_with_its_pointer():
    events = [
        {"id": "ok", "channel": "EMAIL"},
        {"channel": "FAX", "id": "a"},
        {"id": "a b", "channel": "EMAIL", "cost": 1},
        {"channel": "SMS", "cost": "1,5", "quantity": 0, "occurredAt": "yesterday"},
        {"id": "s", "channel": "CALL", "quantity": 1.5, "metadata": {"x": 1, "a/b~c": "\n"}},
        7,
    ]
    assert said_of({"events": events, "more": 1}) == {
        ("/more", "is not known here"),
        ("/events/1/channel", CHANNELS),
        ("/events/2/id", "does not match ^[A-Za-z0-9._:~-]{1,128}$"),
        ("/events/2/cost", "is not known here"),
        ("/events/3/id", "is missing"),
        ("/events/3/cost", r"does not match ^[0-9]{1,6}(\.[0-9]{1,9})?$"),
        ("/events/3/quantity", "is less than 1"),
        ("/events/3/occurredAt", "is shorter than 20 characters"),
        ("/events/3/occurredAt", "is not an RFC 3339 instant like 2026-11-20T09:30:00Z"),
        ("/events/4/quantity", "is not an integer"),
        ("/events/4/metadata/x", "is not a string"),
        ("/events/4/metadata/a~1b~0c", r"does not match ^[^\x00-\x1f\x7f]*$"),
        ("/events/5", "is not an object"),
    }


@pytest.mark.parametrize("value", [None, 1, "x", [], True])
def test_a_body_that_is_no_object_is_told_of_as_a_whole(value):
    assert said_of(value) == {("", "is not an object")}


def test_a_prefix_stands_before_every_pointer():
    assert BATCH.faults({"events": [7]}, "/line/3") == [Fault("/line/3/events/0", "is not an object")]


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"type": "array"}, {}, "is not an array"),
        ({"type": "boolean"}, 1, "is not a boolean"),
        ({"type": "number"}, "1", "is not a number"),
        ({"type": "integer"}, True, "is not an integer"),
        ({"enum": ["a", 2]}, "b", "is not one of a, 2"),
        ({"pattern": "^a$"}, "b", "does not match ^a$"),
        ({"minLength": 2}, "a", "is shorter than 2 characters"),
        ({"maxLength": 2}, "aaa", "is longer than 2 characters"),
        ({"minItems": 2}, [1], "has fewer than 2 items"),
        ({"maxItems": 1000}, [1] * 1001, "has more than 1,000 items"),
        ({"minProperties": 2}, {"a": 1}, "has fewer than 2 members"),
        ({"maxProperties": 1}, {"a": 1, "b": 1}, "has more than 1 members"),
        ({"minimum": 3}, 2, "is less than 3"),
        ({"maximum": 3}, Decimal("3.000000000000000000001"), "is more than 3"),
        ({"multipleOf": 0.000000001}, Decimal("1E-10"), "has more than nine decimals"),
        ({"multipleOf": 5}, 6, "is not a multiple of 5"),
        (
            {"type": "string", "format": "date-time"},
            "2026-11-20",
            "is not an RFC 3339 instant like 2026-11-20T09:30:00Z",
        ),
        ({"x-property-names": {"maxLength": 1}}, {"aa": 1}, "has a name that is longer than 1 characters"),
        ({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]}, [], "is not a string or integer"),
        ({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]}, 0, "is less than 1"),
        ({"uniqueItems": True}, [1, 1], "breaks the rule uniqueItems"),
    ],
)
def test_each_rule_is_told_in_words(schema, value, said):
    assert told({"type": "object", "properties": {"a": schema}}, {"a": value}) == [("/a", said)]


@pytest.mark.parametrize("value", [3, 10**30, Decimal("3.0"), Decimal("0.1")])
def test_numbers_are_compared_as_they_are_written(value):
    assert told({"minimum": Decimal("0.1"), "type": "number"}, value) == []


@PROVEN
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10))
@example("~1")
@example("/~0")
@example("0")
def test_a_pointer_escapes_a_name_so_that_it_reads_back(name):
    for rule in (False, {"type": "string"}):
        ((pointer, _),) = told({"properties": {"a" * 11: {}}, "additionalProperties": rule}, {name: 1})
        assert pointer[0] == "/"
        assert pointer[1:].replace("~1", "/").replace("~0", "~") == name
        assert "/" not in pointer[1:]


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        ({"kind": "1"}, []),
        ({"kind": "1", "size": "x"}, [("/size", "is not an integer")]),
        ({"kind": "1", "name": 1}, []),
        ({"kind": "2"}, [("/name", "is missing")]),
        ({"kind": "II", "name": 1, "size": "x"}, [("/name", "is not a string")]),
        ({"kind": "3"}, [("/kind", "is not one of 1, 2, II")]),
        ({"kind": None}, [("/kind", "is not one of 1, 2, II")]),
        ({}, [("/kind", "is missing")]),
        ([], [("", "is not an object")]),
        ("1", [("", "is not an object")]),
    ],
)
def test_a_discriminator_chooses_the_shape_that_faults_are_told_of(value, faults):
    assert told(EITHER, value, **PARTS) == faults


def test_no_more_than_a_hundred_faults_are_told():
    assert len(BATCH.faults({"events": [{}] * 99})) == 99
    assert len(BATCH.faults({"events": [{}] * 1000})) == FAULT_LIMIT == 100
    assert (
        len(told({"properties": {"a": {}}, "additionalProperties": False}, {str(number): 1 for number in range(300)}))
        == 100
    )


@pytest.mark.parametrize("name", ["n" * 5_000, "~" * 5_000, "/" * 499])
def test_a_fault_is_short_however_long_the_names_are(name):
    for batch, value in ((BATCH, {name: 1}), (CLOUD, {name: []})):
        faults = batch.faults(value)
        assert faults
        assert (
            contract()
            .schemas.validator({"type": "array", "items": {"$ref": "#/components/schemas/ErrorDetail"}})
            .accepts([{"pointer": fault.pointer, "message": fault.message} for fault in faults])
        )
    assert len(told({"enum": ["x" * 400, "y" * 400]}, 1)[0][1]) == 500


SECRET = "s3cr3t-value"
FIELDS = ["id", "channel", "source", "quantity", "cost", "provider", "providerMessageId", "occurredAt", "metadata"]
WRONG = [SECRET + " \n", [SECRET], {SECRET: SECRET}, {"country": SECRET * 99}, SECRET * 99, f"1.{SECRET} "]


@PROVEN
@given(st.sampled_from(["SMS", "EMAIL", SECRET]), st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(WRONG)))
@example("SMS", {name: WRONG[0] for name in FIELDS if name != "channel"})
def test_what_is_told_never_repeats_the_value(channel, wrong):
    faults = BATCH.faults({"events": [{"id": "1", "channel": channel, **wrong}]})
    assert faults or (channel != SECRET and set(wrong) <= {"metadata"})
    assert not [fault for fault in faults if SECRET in fault.message]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(max_size=5)
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=10,
)


@PROVEN
@given(st.sampled_from(sorted(contract().document["components"]["schemas"])), JSON)
def test_a_value_is_accepted_exactly_where_it_has_no_fault(name, value):
    compiled = contract().schemas.component(name)
    faults = compiled.faults(value)
    assert compiled.accepts(value) == (faults == [])
    assert all(fault.message and (fault.pointer == "" or fault.pointer[0] == "/") for fault in faults)


@PROVEN
@given(st.integers(0, 999_999_999_999_999), st.integers(1, 9))
@example(999_999_999_999_999, 1)
@example(300_000_000, 9)
def test_every_cost_of_nine_decimals_is_taken_and_a_tenth_decimal_never(nanos, tenth):
    text = f"{nanos // 10**9}.{nanos % 10**9:09d}"
    for cost in (text, Decimal(text)):
        assert COST.faults(cost) == []
    for cost in (text + str(tenth), Decimal(text + str(tenth))):
        assert not COST.accepts(cost)


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (-1, "is less than 0"),
        (Decimal("-1E-9"), "is less than 0"),
        (1_000_000, "is more than 999999.999999999"),
        (10**400, "is more than 999999.999999999"),
        (Decimal("1E+400"), "is more than 999999.999999999"),
        (Decimal("1E-400"), "has more than nine decimals"),
        ("1000000", "does not match"),
        ("-1", "does not match"),
        ("1e3", "does not match"),
        ("1.", "does not match"),
        ("٣", "does not match"),
        ("1\n", "does not match"),
        (True, "is not a string or number"),
        (None, "is not a string or number"),
    ],
    ids=ascii,
)
def test_what_is_no_cost_is_refused(cost, said):
    assert said in " ".join(fault.message for fault in COST.faults(cost))


@pytest.mark.parametrize(
    ("extension", "faults"),
    [
        ("text", set()),
        (-5, set()),
        (False, set()),
        (2**31, {("/traceparent", "is more than 2147483647")}),
        ("x" * 1025, {("/traceparent", "is longer than 1024 characters")}),
        (None, {("/traceparent", "is not a string or integer or boolean")}),
        ({"a": 1}, {("/traceparent", "is not a string or integer or boolean")}),
    ],
)
def test_extension_attributes_of_a_cloudevent_are_told_by_the_shape_that_they_have(extension, faults):
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {"channel": "PUSH"}}
    assert said_of({**event, "traceparent": extension}, CLOUD) == faults


def test_annotations_of_openapi_are_no_rules_and_properties_of_their_names_are():
    properties = {"example": {"type": "string"}, "default": {"type": "string"}, "description": {"type": "string"}}
    schema = {"type": "object", "description": "x", "example": {"a": 1}, "default": 1, "properties": properties}
    assert told(schema, {"default": 1, "example": "ok"}) == [("/default", "is not a string")]


def test_beside_a_reference_nothing_counts():
    assert told({"$ref": "#/components/schemas/One", "maxProperties": 0}, {"kind": 1}, **PARTS) == []


def test_a_format_that_is_not_known_is_not_passed_over():
    with pytest.raises(ValueError, match="format"):
        validator({"type": "string", "format": "uuid5"})


def test_the_document_is_not_changed_by_compiling_it():
    document = {"components": {"schemas": {**PARTS, "Either": EITHER}}}
    before = json.dumps(document)
    assert Schemas(document).component("Either").accepts({"kind": "1"})
    assert json.dumps(document) == before


@pytest.mark.parametrize("number", [3_000_000_000.5, Decimal("3000000000.5"), -3_000_000_000.5])
def test_a_value_that_is_wrong_in_type_and_in_size_is_told_of_its_type(number):
    event = {"specversion": "1.0", "id": "a", "source": "s", "type": "t", "data": {"channel": "EMAIL"}, "ext": number}
    faults = contract().schemas.component("CloudEvent").faults(event)
    assert [(fault.pointer, fault.message) for fault in faults] == [("/ext", "is not a string or integer or boolean")]
