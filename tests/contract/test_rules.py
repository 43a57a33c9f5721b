"""`openapi.yaml` keeps OpenAPI's rules and ours; each of ours is shown to notice what breaks it."""

from copy import deepcopy
from functools import reduce
from operator import getitem

import pytest

from sendmeter.contract import contract
from sendmeter.contract.rules import OURS, answers, openapi, operations, references, schemas, violations

USAGE = ("paths", "/organization/usage", "get")
EVENT = ("paths", "/organization/usage/events/{eventId}", "get")
RECORD = ("paths", "/organization/usage/events", "post")
SCHEMAS = ("components", "schemas")
BAD_REQUEST = ("components", "responses", "BadRequest")
PAGED = (*SCHEMAS, "EventPage", "properties", "items")
MAPPING = (*SCHEMAS, "UsageEvent", "discriminator", "mapping")
GONE = object()


HEADER = ("components", "headers", "RetryAfter")
START_DATE = ("components", "parameters", "StartDate")
FUNCTIONS = frozenset(contract().operations)


def test_the_contract_breaks_a_rule():
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
    (references.nothing_refers_to_itself, (*SCHEMAS, "EventId"), {"$ref": "#/components/schemas/EventId"}),
    (references.nothing_refers_to_itself, (*SCHEMAS, "Channel", "allOf"), [{"$ref": "#/components/schemas/Channel"}]),
    (references.nothing_refers_to_itself, (*BAD_REQUEST, "$ref"), "#/components/responses/BadRequest"),
    (openapi.it_has_the_shape_of_openapi, ("openapi",), "3.1.0"),
    (openapi.it_has_the_shape_of_openapi, ("openapi",), GONE),
    (openapi.it_has_the_shape_of_openapi, ("paths",), GONE),
    (openapi.it_has_the_shape_of_openapi, (*SCHEMAS, "EventId", "maxlength"), 3),
    (openapi.it_agrees_with_itself, (*USAGE, "operationId"), "events.record"),
    (openapi.it_agrees_with_itself, (*EVENT, "parameters"), []),
    (openapi.it_agrees_with_itself, (*SCHEMAS, "Quantity", "default"), 0),
]


def broken(rule, document):
    functions = [FUNCTIONS] if rule is operations.every_operation_has_its_function else []
    return set(rule(document, *functions))


@pytest.mark.parametrize(("rule", "where", "planted"), VIOLATIONS, ids=lambda part: getattr(part, "__name__", ""))
def test_a_rule_does_not_notice_what_breaks_it(rule, where, planted):
    document = deepcopy(contract().document)
    before = broken(rule, document)
    *steps, last = where
    target = reduce(getitem, steps, document)
    if planted is GONE:
        del target[last]
    else:
        target[last] = planted
    assert broken(rule, document) - before


def test_a_rule_has_no_violation_that_shows_it_at_work():
    shown = {rule for rule, _, _ in VIOLATIONS}
    assert shown == {
        *OURS,
        operations.every_operation_has_its_function,
        references.every_reference_leads_to_a_component,
        references.nothing_refers_to_itself,
        openapi.it_has_the_shape_of_openapi,
        openapi.it_agrees_with_itself,
    }


def test_a_function_without_an_operation_is_not_told_of():
    found = violations(contract().document, {*FUNCTIONS, "usage.forgotten"})
    assert [(one.where, one.what) for one in found] == [("usage.forgotten", "is a function and no operation")]


def test_a_rule_does_not_say_what_it_wants():
    for rule in OURS:
        assert rule.__doc__.startswith(("Each ", "Texts "))
