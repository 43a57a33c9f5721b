"""Rules of answers: their statuses, headers and links, and the one body of errors."""

import re
from collections.abc import Iterator

from sendmeter.contract.reading import Document
from sendmeter.contract.rules.references import Finding
from sendmeter.contract.statuses import STATUSES
from sendmeter.contract.walking import answers, headers, links, operations, parameters_of, resolve

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


def links_lead_somewhere(document: Document) -> Iterator[Finding]:
    """Each link names an operation, and parameters that it has."""
    known = {operation["operationId"]: operation for _, operation in operations(document) if "operationId" in operation}
    for where, name, link in links(document):
        target = known.get(link.get("operationId"))
        if target is None:
            yield f"{where} link {name}", f"leads nowhere: there is no operationId {link.get('operationId')}"
            continue
        taken = {parameter["name"] for parameter in parameters_of(document, target)}
        for parameter in link.get("parameters", {}):
            if parameter.partition(".")[2] not in taken and parameter not in taken:
                yield f"{where} link {name}", f"gives {parameter}, which its target does not take"
