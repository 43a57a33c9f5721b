"""Rules of answers: their statuses, headers and links, and the one body of errors."""

import re
from collections.abc import Collection, Iterator

from sendmeter.contract.reading import Document
from sendmeter.contract.statuses import STATUSES
from sendmeter.contract.walking import Part, answers, answers_of, headers, operations, parameters_of, resolve
from sendmeter.gate.rules.expressions import is_there
from sendmeter.gate.rules.references import Finding

CODES = {status: refusal.code for refusal, status in STATUSES.items()} | {500: "internal_error"}
ERROR_BODY = {"$ref": "#/components/schemas/ErrorResponse"}


def every_answer_has_a_status(document: Document) -> Iterator[Finding]:
    """Each answer has a status of three digits, and a body of one media type at the most: nothing is left to chance."""
    for where, status, answer in answers(document):
        if not re.fullmatch("[1-5][0-9][0-9]", status):
            yield f"{where} {status}", "is not a status like '200'"
        if len(answer.get("content", {})) > 1:
            yield f"{where} {status}", "has bodies of several media types"


def every_error_has_the_one_body(document: Document) -> Iterator[Finding]:
    """Each error is an ErrorResponse, and its examples have the code of its status."""
    for where, status, answer in answers(document):
        if not status >= "400":
            continue
        content = answer.get("content", {})
        if list(content) != ["application/json"]:
            yield f"{where} {status}", "is not application/json alone"
        for body in content.values():
            if body.get("schema") != ERROR_BODY:
                yield f"{where} {status}", "is no ErrorResponse"
            for name, example in body.get("examples", {}).items():
                code, wanted = _code_in(resolve(document, example).get("value")), CODES.get(int(status))
                if code != wanted:
                    yield f"{where} {status} example {name}", f"has the code {code}; {status} is {wanted}"


def _code_in(body: object) -> object:
    error = body.get("error") if isinstance(body, dict) else None
    return error.get("code") if isinstance(error, dict) else None


def every_answer_names_its_request(document: Document) -> Iterator[Finding]:
    """Each answer has the header X-Tracking-Id, and those that HTTP asks for beside it."""
    wanted = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}
    for where, status, answer in answers(document):
        for name in filter(None, ("X-Tracking-Id", wanted.get(status))):
            if name not in answer.get("headers", {}):
                yield f"{where} {status}", f"has no header {name}"


def every_header_has_an_example(document: Document) -> Iterator[Finding]:
    """Each header shows a value."""
    for where, header in headers(document):
        if "example" not in header:
            yield where, "has no example"


def every_operation_may_fail(document: Document) -> Iterator[Finding]:
    """Each operation that asks for a key answers 500, and one that takes a body 429: the server may have no room."""
    for where, operation in operations(document):
        if operation.get("security", document.get("security")) and "500" not in operation["responses"]:
            yield where, "answers no 500"
        if "requestBody" in operation and "429" not in operation["responses"]:
            yield where, "takes a body but answers no 429"


def links_lead_somewhere(document: Document) -> Iterator[Finding]:
    """Each link names an operation, and gives the parameters that it must have, out of what is there."""
    known = {operation["operationId"]: operation for _, operation in operations(document) if "operationId" in operation}
    for where, operation in operations(document):
        for status, answer in answers_of(document, operation):
            for name, each in answer.get("links", {}).items():
                link = resolve(document, each)
                target, at = known.get(link.get("operationId")), f"{where} {status} link {name}"
                if target is None:
                    yield at, f"leads nowhere: there is no operationId {link.get('operationId')}"
                    continue
                given = link.get("parameters", {})
                yield from ((at, what) for what in _wrongly_given(given, parameters_of(document, target)))
                yield from (
                    (at, f"gives {value}, which is not there")
                    for value in given.values()
                    if not is_there(document, value, operation, answer)
                )


def _wrongly_given(given: Collection[str], parameters: list[Part]) -> Iterator[str]:
    taken = {name for each in parameters for name in (each["name"], f"{each['in']}.{each['name']}")}
    yield from (f"gives {name}, which its target does not take" for name in given if name not in taken)
    for each in parameters:
        if each.get("required") and not {each["name"], f"{each['in']}.{each['name']}"} & set(given):
            yield f"does not give {each['name']}, which its target must have"
