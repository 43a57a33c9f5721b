"""`openapi.yaml` keeps OpenAPI's rules and ours; each of ours is shown to notice what breaks it."""

from copy import deepcopy
from functools import reduce
from operator import getitem

import pytest

from sendmeter.contract import contract
from sendmeter.gate.changes import changes
from sendmeter.gate.rules import OURS, answers, openapi, operations, references, schemas, violations

USAGE = ("paths", "/organization/usage", "get")
EVENT = ("paths", "/organization/usage/events/{eventId}", "get")
RECORD = ("paths", "/organization/usage/events", "post")
RECEIVE = ("paths", "/organization/providers/{provider}/events/{endpointId}", "post")
SCHEMAS = ("components", "schemas")
BAD_REQUEST = ("components", "responses", "BadRequest")
PAGED = (*SCHEMAS, "EventPage", "properties", "items")
MAPPING = (*SCHEMAS, "UsageEvent", "discriminator", "mapping")
GONE = object()


OK = (*USAGE, "responses", "200")
JSON = ("content", "application/json")
LINK = (*RECORD, "responses", "200", "links", "get")
REASON = {"$ref": "#/components/schemas/Reason"}
COSTS = {"$ref": "#/components/parameters/Costs"}
NOWHERE = "#/components/schemas/Nowhere"
HEADER = ("components", "headers", "RetryAfter")
START_DATE = ("components", "parameters", "StartDate")
FUNCTIONS = frozenset(contract().operations)


def test_the_contract_keeps_every_rule():
    assert violations(contract().document, FUNCTIONS) == []


VIOLATIONS = [
    (operations.every_operation_says_who_it_is, (*USAGE, "operationId"), GONE),
    (operations.every_operation_says_who_it_is, (*USAGE, "operationId"), "events.record"),
    (operations.every_operation_says_who_it_is, (*USAGE, "tags"), ["unknown"]),
    (operations.every_operation_says_who_it_is, (*USAGE, "summary"), ""),
    (operations.every_operation_says_who_it_is, (*USAGE, "description"), GONE),
    (schemas.every_body_has_examples, (*USAGE, "responses", "200", "content", "application/json", "examples"), GONE),
    (schemas.everything_is_described, (*SCHEMAS, "Quantity", "description"), GONE),
    (schemas.everything_is_described, (*SCHEMAS, "OrganizationUsage", "properties", "costSms", "description"), ""),
    (schemas.everything_is_described, ("components", "parameters", "Costs", "description"), GONE),
    (schemas.everything_is_described, (*BAD_REQUEST, "description"), GONE),
    (schemas.everything_is_bounded, (*SCHEMAS, "EventId", "maxLength"), GONE),
    (schemas.everything_is_bounded, (*SCHEMAS, "Quantity", "maximum"), GONE),
    (schemas.everything_is_bounded, (*SCHEMAS, "UsdAmount", "minimum"), GONE),
    (schemas.everything_is_bounded, (*SCHEMAS, "EventBatch", "properties", "events", "maxItems"), GONE),
    (schemas.everything_is_bounded, (*SCHEMAS, "EventBatch", "additionalProperties"), GONE),
    (schemas.everything_is_bounded, (*SCHEMAS, "Metadata", "maxProperties"), GONE),
    (schemas.everything_is_bounded, (*SCHEMAS, "Quantity", "type"), GONE),
    (operations.parameters_are_what_connexion_can_read, ("components", "parameters", "Costs", "schema"), {"anyOf": []}),
    (
        operations.parameters_are_what_connexion_can_read,
        ("components", "parameters", "Costs"),
        {"name": "X-Count", "in": "header", "schema": {"type": "integer"}},
    ),
    (operations.what_needs_a_key_says_so, (*USAGE, "responses", "401"), GONE),
    (operations.what_needs_a_key_says_so, (*USAGE, "security"), []),
    (operations.what_needs_a_key_says_so, (*USAGE, "x-required-scope"), "operator"),
    (operations.what_needs_a_key_says_so, (*RECEIVE, "responses", "401"), GONE),
    (operations.what_needs_a_key_says_so, (*SCHEMAS, "SignedBody", "format"), GONE),
    (operations.what_a_path_names_may_not_be_there, (*EVENT, "responses", "404"), GONE),
    (operations.what_a_path_names_may_not_be_there, (*EVENT, "parameters"), []),
    (operations.what_a_path_names_may_not_be_there, ("components", "parameters", "EventId", "required"), False),
    (operations.what_takes_a_body_refuses_some, (*RECORD, "responses", "413"), GONE),
    (operations.what_takes_a_body_refuses_some, (*RECORD, "requestBody"), GONE),
    (operations.what_takes_a_body_refuses_some, (*USAGE, "responses", "400"), GONE),
    (answers.every_error_has_the_one_body, (*BAD_REQUEST, "content", "application/json", "schema"), {"type": "object"}),
    (answers.every_error_has_the_one_body, (*BAD_REQUEST, "content"), {}),
    (
        answers.every_error_has_the_one_body,
        ("components", "examples", "InvalidRequest", "value", "error", "code"),
        "conflict",
    ),
    (answers.every_answer_names_its_request, (*BAD_REQUEST, "headers", "X-Tracking-Id"), GONE),
    (answers.every_answer_names_its_request, ("components", "responses", "TooManyRequests", "headers"), {}),
    (schemas.examples_are_valid, ("components", "examples", "UsageBusy", "value", "messageUsage"), "many"),
    (schemas.examples_are_valid, (*SCHEMAS, "Quantity", "example"), 0),
    (schemas.examples_are_valid, (*SCHEMAS, "Quantity", "default"), 0),
    (schemas.examples_are_valid, ("components", "parameters", "Costs", "example"), "some"),
    (answers.links_lead_somewhere, (*USAGE, "responses", "200", "links", "recordMore", "operationId"), "events.none"),
    (answers.links_lead_somewhere, (*USAGE, "responses", "200", "links", "recordMore", "parameters"), {"eventId": "1"}),
    *(
        (answers.links_lead_somewhere, (*LINK, "parameters"), given)
        for given in (
            GONE,
            {},
            {"eventId": "$response.body#/nope/0/id"},
            {"eventId": "$response.body#/events/first/id"},
            {"eventId": "$response.body#/events/0/id/more"},
            {"eventId": "$respnse.body#/events/0/id"},
            {"eventId": "$response.header.X-Nothing"},
            {"eventId": "$request.query.limit"},
            {"eventId": "$request.path.eventId"},
            {"eventId": "$request.body#/event/0/id"},
            {"banana.eventId": "$response.body#/events/0/id"},
            {"query.eventId": "$response.body#/events/0/id"},
        )
    ),
    (answers.every_operation_may_fail, (*USAGE, "responses", "500"), GONE),
    (answers.every_operation_may_fail, (*RECORD, "responses", "429"), GONE),
    (operations.what_needs_a_key_says_so, (*RECORD, "x-required-scope"), "events:raed"),
    (operations.what_needs_a_key_says_so, (*RECORD, "x-required-scope"), 7),
    (operations.who_may_ask_is_told, (*USAGE, "security"), [{"nobody": []}]),
    (operations.who_may_ask_is_told, ("security",), [{"nobody": []}]),
    (operations.who_may_ask_is_told, (*USAGE, "security"), [{}]),
    (operations.who_may_ask_is_told, (*USAGE, "security"), [{}, {"apiKey": []}]),
    (operations.the_server_can_serve_it, (*USAGE, "servers"), [{"url": "/v2"}]),
    (operations.the_server_can_serve_it, (*USAGE[:2], "servers"), [{"url": "/v2"}]),
    (operations.the_server_can_serve_it, (*RECORD, "callbacks"), {}),
    (operations.the_server_can_serve_it, (*RECORD, "requestBody", *JSON, "encoding"), {}),
    *(
        (
            operations.parameters_are_what_connexion_can_read,
            ("components", "parameters", "Costs"),
            {
                "name": "count",
                "in": place,
                "schema": {"type": kind},
            },
        )
        for place, kind in (("header", "string"), ("cookie", "string"), ("query", "array"), ("query", "object"))
    ),
    (schemas.a_discriminator_chooses_one_shape, (*SCHEMAS, "MessageEvent", "required"), ["id"]),
    (schemas.a_discriminator_chooses_one_shape, (*SCHEMAS, "MessageEvent", "properties", "channel"), GONE),
    (schemas.a_discriminator_chooses_one_shape, (*MAPPING, "TELEX"), "#/components/schemas/MessageEvent"),
    (schemas.a_discriminator_chooses_one_shape, (*MAPPING, "PUSH"), "#/components/schemas/CostedEvent"),
    (schemas.a_discriminator_chooses_one_shape, (*MAPPING, "PUSH"), GONE),
    (schemas.a_discriminator_chooses_one_shape, (*SCHEMAS, "UsageEvent", "oneOf", 2), REASON),
    (schemas.every_schema_can_be_fulfilled, (*SCHEMAS, "EventId", "minLength"), 200),
    (schemas.every_schema_can_be_fulfilled, (*SCHEMAS, "Quantity", "minimum"), 2_000_000),
    (schemas.every_schema_can_be_fulfilled, (*PAGED, "minItems"), 201),
    (schemas.every_schema_can_be_fulfilled, (*SCHEMAS, "Metadata", "minProperties"), 21),
    (schemas.every_schema_can_be_fulfilled, (*SCHEMAS, "Channel", "enum"), ["EMAIL", 1]),
    (schemas.every_schema_can_be_fulfilled, (*SCHEMAS, "Channel", "enum"), ["EMAIL", "SMS", "EMAIL"]),
    (operations.parameters_are_what_connexion_can_read, (*USAGE, "parameters", 1), COSTS),
    (schemas.the_server_can_read_its_schemas, (*SCHEMAS, "EventId", "readOnly"), True),
    (schemas.the_server_can_read_its_schemas, (*SCHEMAS, "EventId", "writeOnly"), True),
    (schemas.the_server_can_read_its_schemas, (*SCHEMAS, "Received", "properties", "outcome", "writeOnly"), True),
    (schemas.the_server_can_read_its_schemas, (*OK, *JSON, "schema"), {"$ref": "#/components/schemas/SignedBody"}),
    (operations.every_operation_has_its_function, (*USAGE, "operationId"), "usage.nothing"),
    (schemas.nothing_is_named_in_vain, (*SCHEMAS, "Unused"), {"type": "boolean"}),
    (schemas.nothing_is_named_in_vain, (*MAPPING, "EMAIL"), "#/components/schemas/EventId"),
    (schemas.the_server_can_read_its_schemas, (*SCHEMAS, "EventId", "nullable"), True),
    (schemas.the_server_can_read_its_schemas, (*SCHEMAS, "Quantity", "exclusiveMinimum"), True),
    (schemas.the_server_can_read_its_schemas, (*SCHEMAS, "EventId", "pattern"), "[a-z"),
    (schemas.the_server_can_read_its_schemas, (*SCHEMAS, "EventId", "format"), "sms-id"),
    (schemas.the_server_can_read_its_schemas, MAPPING, GONE),
    (schemas.examples_are_valid, (*HEADER, "example"), 0),
    (schemas.examples_are_valid, (*START_DATE, "example"), "yesterday"),
    (answers.every_header_has_an_example, (*HEADER, "example"), GONE),
    (answers.every_answer_has_a_status, (*USAGE, "responses", "default"), {"description": "Anything."}),
    (answers.every_answer_has_a_status, (*USAGE, "responses", "5XX"), {"description": "A failure."}),
    (answers.every_answer_has_a_status, (*BAD_REQUEST, "content", "text/plain"), {"schema": {"type": "string"}}),
    (operations.what_must_be_given_has_an_example, (*START_DATE, "example"), GONE),
    (operations.what_must_be_given_has_an_example, ("components", "parameters", "EventId", "example"), GONE),
    (operations.the_server_can_serve_it, ("servers",), [{"url": "https://example.com"}]),
    (operations.the_server_can_serve_it, ("security",), GONE),
    (operations.the_server_can_serve_it, (*SCHEMAS, "ErrorResponse"), GONE),
    (operations.the_server_can_serve_it, (*USAGE[:2], "parameters"), [{"$ref": "#/components/parameters/Costs"}]),
    (references.every_reference_leads_to_a_component, (*SCHEMAS, "EventId"), GONE),
    (references.every_reference_leads_to_a_component, (*PAGED, "items", "$ref"), "events.yaml#/Event"),
    (references.every_reference_leads_to_a_component, (*PAGED, "items", "$ref"), "#/components/responses/NotFound"),
    (references.every_reference_leads_to_a_component, (*USAGE, "parameters", 0, "$ref"), "#/components/schemas/Key"),
    (references.every_reference_leads_to_a_component, (*OK, *JSON, "examples", "default"), {"$ref": NOWHERE}),
    (references.every_reference_leads_to_a_component, (*USAGE, "responses", "default"), {"$ref": NOWHERE}),
    (references.every_reference_leads_to_a_component, (*SCHEMAS, "enum"), {"items": {"$ref": NOWHERE}}),
    *(
        (references.every_reference_leads_to_a_component, (*SCHEMAS, "Event", "properties", name), {"$ref": NOWHERE})
        for name in ("properties", "example", "default", "value", "enum", "$ref", "items", "discriminator")
    ),
    (references.every_reference_leads_to_a_component, (*MAPPING, "EMAIL"), "#/components/schemas/Nowhere"),
    (references.every_reference_leads_to_a_component, (*MAPPING, "EMAIL"), "MessageEvent"),
    (references.every_reference_leads_to_a_component, (*USAGE[:2], "$ref"), "#/paths/~1organization~1limits"),
    (references.nothing_refers_to_itself, (*SCHEMAS, "EventId"), {"$ref": "#/components/schemas/EventId"}),
    (references.nothing_refers_to_itself, (*SCHEMAS, "Channel", "allOf"), [{"$ref": "#/components/schemas/Channel"}]),
    (references.nothing_refers_to_itself, (*BAD_REQUEST, "$ref"), "#/components/responses/BadRequest"),
    (openapi.it_has_the_shape_of_openapi, ("openapi",), "3.1.0"),
    (openapi.it_has_the_shape_of_openapi, ("openapi",), GONE),
    (openapi.it_has_the_shape_of_openapi, ("paths",), GONE),
    (openapi.it_has_the_shape_of_openapi, (*SCHEMAS, "EventId", "maxlength"), 3),
    (openapi.it_agrees_with_itself, (*USAGE, "operationId"), "events.record"),
    (openapi.it_agrees_with_itself, (*EVENT, "parameters"), []),
]


# What keeps every rule, although it looks like something else.
KEPT = {
    **{f"a property that is called {name}": ((*SCHEMAS, "Event", "properties", name), value) for name, value in {
        "links": {"type": "array", "maxItems": 2, "description": "x", "items": REASON},
        "headers": {"type": "object", "maxProperties": 2, "description": "x", "additionalProperties": REASON},
        "parameters": {"description": "x", "anyOf": [REASON]},
        "examples": {"type": "array", "maxItems": 2, "description": "x", "items": REASON},
        "responses": {"description": "x", "allOf": [REASON]},
        "schema": REASON, "enum": REASON, "default": REASON, "value": REASON, "example": REASON, "$ref": REASON,
        "properties": {
            "type": "object", "description": "x", "additionalProperties": False, "properties": {"properties": REASON},
        },
    }.items()},
    **{f"an example that is called {name}": (
        (*OK, *JSON, "examples", name), {"$ref": "#/components/examples/UsageFresh"}
    ) for name in ("default", "value", "example", "enum")},
    **{f"a link that gives {given}": ((*LINK, "parameters"), {"eventId": given}) for given in (
        "sms-1", "$response.header.X-Tracking-Id", "$request.body#/events/0/id", "$response.body#/events/0/id",
    )},
    "a link that says where it gives": ((*LINK, "parameters"), {"path.eventId": "sms-1", "query.source": "api"}),
    "data that looks like a reference": ((*SCHEMAS, "Metadata", "example"), {"$ref": "nowhere"}),
    "a default that looks like a reference": ((*SCHEMAS, "Metadata", "default"), {"$ref": "nowhere"}),
    "an extension among paths": (("paths", "x-notes"), ["a"]),
    "an operation as an extension": (("paths", "x-notes"), {"get": 1}),
    "an extension of a path": ((*USAGE[:2], "x-notes"), "a"),
    "an extension of an operation": ((*USAGE, "x-notes"), {"$ref": "nowhere"}),
    "an extension among answers": ((*USAGE, "responses", "x-notes"), "a"),
    "an object among answers": ((*USAGE, "responses", "x-notes"), {"a": {"$ref": "nowhere"}}),
    "an extension among components": (("components", "x-notes"), {"a": {}}),
    "an extension of a schema": ((*SCHEMAS, "Event", "x-notes"), {"$ref": "nowhere"}),
}  # fmt: skip


@pytest.mark.parametrize(("where", "planted"), KEPT.values(), ids=KEPT)
def test_what_breaks_no_rule_is_accepted(where, planted):
    document = deepcopy(contract().document)
    *steps, last = where
    reduce(getitem, steps, document)[last] = planted
    assert violations(document) == []
    assert not any(change.breaks and "is new" in change.what for change in changes(contract().document, document))


def broken(rule, document):
    functions = [FUNCTIONS] if rule is operations.every_operation_has_its_function else []
    return set(rule(document, *functions))


@pytest.mark.parametrize(("rule", "where", "planted"), VIOLATIONS, ids=lambda part: getattr(part, "__name__", ""))
def test_each_rule_notices_what_breaks_it(rule, where, planted):
    document = deepcopy(contract().document)
    before = broken(rule, document)
    *steps, last = where
    target = reduce(getitem, steps, document)
    if planted is GONE:
        del target[last]
    elif isinstance(target, list) and last == len(target):
        target.append(planted)
    else:
        target[last] = planted
    assert broken(rule, document) - before


def test_each_rule_has_a_violation_that_shows_it_at_work():
    shown = {rule for rule, _, _ in VIOLATIONS}
    assert shown == {
        *OURS,
        operations.every_operation_has_its_function,
        references.every_reference_leads_to_a_component,
        references.nothing_refers_to_itself,
        openapi.it_has_the_shape_of_openapi,
        openapi.it_agrees_with_itself,
    }


def test_a_function_without_an_operation_is_reported():
    found = violations(contract().document, {*FUNCTIONS, "usage.forgotten"})
    assert [(one.where, one.what) for one in found] == [("usage.forgotten", "is a function and no operation")]


# What is told of a slip, and nothing else.
TOLD = {
    "a misspelt place": (("components", "parameters", "Costs", "in"), "qurey", [
        ("#/components/parameters/Costs/in", '"qurey" is not one of "query"'),
    ]),
    "a way in that is not whole": (("components", "securitySchemes", "apiKey", "scheme"), GONE, [
        ("#/components/securitySchemes/apiKey", '"scheme" is a required property'),
    ]),
    "a path's parameter that may be missing": (("components", "parameters", "EventId", "required"), False, [
        ("#/components/parameters/EventId/required", "false is not one of true"),
    ]),
    "a default": ((*SCHEMAS, "NewOrganizationRequest", "properties", "anchorDay", "default"), 99, [
        ("#/components/schemas/NewOrganizationRequest/properties/anchorDay default", "is more than 31"),
    ]),
    "an example that many show": (("components", "examples", "InvalidRequest", "value", "trackingId"), 1, [
        ("#/components/examples/InvalidRequest", "/trackingId is not a string"),
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("where", "planted", "expected"), TOLD.values(), ids=TOLD)
def test_a_slip_is_reported_once_and_at_its_place(where, planted, expected):
    document = deepcopy(contract().document)
    *steps, last = where
    target = reduce(getitem, steps, document)
    target[last] = planted
    if planted is GONE:
        del target[last]
    assert [(each.where, each.what) for each in violations(document)] == expected


def test_each_rule_says_what_it_requires():
    for rule in OURS:
        assert rule.__doc__.startswith(("Each ", "Texts "))
