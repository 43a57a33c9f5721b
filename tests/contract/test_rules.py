"""`openapi.yaml` keeps OpenAPI's rules and ours (rules.py); each of ours is shown to notice what breaks it."""

from copy import deepcopy

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from sendmeter.contract import contract
from tests.contract import rules

RULES = [
    rules.every_operation_says_who_it_is,
    rules.every_body_has_examples,
    rules.everything_is_described,
    rules.everything_is_bounded,
    rules.parameters_are_what_connexion_can_read,
    rules.what_needs_a_key_says_so,
    rules.what_a_path_names_may_not_be_there,
    rules.what_takes_a_body_refuses_some,
    rules.every_error_has_the_one_body,
    rules.every_answer_names_its_request,
    rules.examples_are_valid,
    rules.links_lead_somewhere,
    rules.every_operation_has_its_function,
    rules.nothing_is_named_in_vain,
]
USAGE = ("paths", "/organization/usage", "get")
EVENT = ("paths", "/organization/usage/events/{eventId}", "get")
RECORD = ("paths", "/organization/usage/events", "post")
SCHEMAS = ("components", "schemas")
BAD_REQUEST = ("components", "responses", "BadRequest")
GONE = object()


def named(function):
    return function.__name__


def test_the_contract_is_not_openapi():
    assert contract().document["openapi"].startswith("3.0.")
    assert [error.message for error in OpenAPIV30SpecValidator(contract().document).iter_errors()] == []


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_the_contract_breaks_a_rule(rule):
    assert list(rule(contract().document)) == []


VIOLATIONS = [
    (rules.every_operation_says_who_it_is, (*USAGE, "operationId"), GONE),
    (rules.every_operation_says_who_it_is, (*USAGE, "operationId"), "events.record"),
    (rules.every_operation_says_who_it_is, (*USAGE, "tags"), ["unknown"]),
    (rules.every_operation_says_who_it_is, (*USAGE, "summary"), ""),
    (rules.every_operation_says_who_it_is, (*USAGE, "description"), GONE),
    (rules.every_body_has_examples, (*USAGE, "responses", "200", "content", "application/json", "examples"), GONE),
    (rules.everything_is_described, (*SCHEMAS, "Quantity", "description"), GONE),
    (rules.everything_is_described, (*SCHEMAS, "OrganizationUsage", "properties", "costSms", "description"), ""),
    (rules.everything_is_described, ("components", "parameters", "Costs", "description"), GONE),
    (rules.everything_is_described, (*BAD_REQUEST, "description"), GONE),
    (rules.everything_is_bounded, (*SCHEMAS, "EventId", "maxLength"), GONE),
    (rules.everything_is_bounded, (*SCHEMAS, "Quantity", "maximum"), GONE),
    (rules.everything_is_bounded, (*SCHEMAS, "UsdAmount", "minimum"), GONE),
    (rules.everything_is_bounded, (*SCHEMAS, "EventBatch", "properties", "events", "maxItems"), GONE),
    (rules.everything_is_bounded, (*SCHEMAS, "EventBatch", "additionalProperties"), GONE),
    (rules.everything_is_bounded, (*SCHEMAS, "Metadata", "maxProperties"), GONE),
    (rules.everything_is_bounded, (*SCHEMAS, "Quantity", "type"), GONE),
    (rules.parameters_are_what_connexion_can_read, ("components", "parameters", "Costs", "schema"), {"anyOf": []}),
    (
        rules.parameters_are_what_connexion_can_read,
        ("components", "parameters", "Costs"),
        {"name": "X-Count", "in": "header", "schema": {"type": "integer"}},
    ),
    (rules.what_needs_a_key_says_so, (*USAGE, "responses", "401"), GONE),
    (rules.what_needs_a_key_says_so, (*USAGE, "security"), []),
    (rules.what_needs_a_key_says_so, (*USAGE, "x-required-scope"), "operator"),
    (rules.what_a_path_names_may_not_be_there, (*EVENT, "responses", "404"), GONE),
    (rules.what_a_path_names_may_not_be_there, (*EVENT, "parameters"), []),
    (rules.what_a_path_names_may_not_be_there, ("components", "parameters", "EventId", "required"), False),
    (rules.what_takes_a_body_refuses_some, (*RECORD, "responses", "413"), GONE),
    (rules.what_takes_a_body_refuses_some, (*RECORD, "requestBody"), GONE),
    (rules.what_takes_a_body_refuses_some, (*USAGE, "responses", "400"), GONE),
    (rules.every_error_has_the_one_body, (*BAD_REQUEST, "content", "application/json", "schema"), {"type": "object"}),
    (rules.every_error_has_the_one_body, (*BAD_REQUEST, "content"), {}),
    (
        rules.every_error_has_the_one_body,
        ("components", "examples", "InvalidRequest", "value", "error", "code"),
        "conflict",
    ),
    (rules.every_answer_names_its_request, (*BAD_REQUEST, "headers", "X-Tracking-Id"), GONE),
    (rules.every_answer_names_its_request, ("components", "responses", "TooManyRequests", "headers"), {}),
    (rules.examples_are_valid, ("components", "examples", "UsageBusy", "value", "messageUsage"), "many"),
    (rules.examples_are_valid, (*SCHEMAS, "Quantity", "example"), 0),
    (rules.examples_are_valid, (*SCHEMAS, "Quantity", "default"), 0),
    (rules.examples_are_valid, ("components", "parameters", "Costs", "example"), "some"),
    (rules.links_lead_somewhere, (*USAGE, "responses", "200", "links", "recordMore", "operationId"), "events.none"),
    (rules.links_lead_somewhere, (*USAGE, "responses", "200", "links", "recordMore", "parameters"), {"eventId": "1"}),
    (rules.every_operation_has_its_function, (*USAGE, "operationId"), "usage.nothing"),
    (rules.nothing_is_named_in_vain, (*SCHEMAS, "Unused"), {"type": "boolean"}),
]


@pytest.mark.parametrize(("rule", "where", "planted"), VIOLATIONS, ids=lambda part: getattr(part, "__name__", ""))
def test_a_rule_does_not_notice_what_breaks_it(rule, where, planted):
    document = deepcopy(contract().document)
    before = list(rule(document))
    *steps, last = where
    target = document
    for step in steps:
        target = target[step]
    if planted is GONE:
        del target[last]
    else:
        target[last] = planted
    assert set(rule(document)) - set(before)


def test_a_rule_has_no_violation_that_shows_it_at_work():
    assert {rule for rule, _, _ in VIOLATIONS} == set(RULES)
