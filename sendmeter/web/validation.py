"""Requests and answers against the contract, with validators that were compiled when the server started."""

from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from inspect import signature
from typing import Any
from urllib.parse import parse_qsl

import flask
import orjson

from sendmeter.contract import Operation
from sendmeter.errors import Fault, InvalidRequest, NotFound, UnsupportedMediaType
from sendmeter.web.body import check_charset, media_type_of, read_bytes, read_json
from sendmeter.web.envelope import Answer

QUERY_FIELDS_LIMIT = 100
GIVEN = "sendmeter.given"
"""Where a WSGI environment has what handlers may name: the bridge's, and the operation's parameters."""


def path_of(operation: Operation, values: dict[str, str]) -> dict[str, Any]:
    """Validate the parameters of the path.

    Raises NotFound if one cannot be: what it would name is not there.
    """
    for parameter in operation.path_parameters.values():
        if faults := parameter.validator.faults(values[parameter.name]):
            raise NotFound(f"There is no such thing: {parameter.name} {faults[0].message}.", fix="Look at the path.")
    return {name: values[name] for name in operation.path_parameters}


def query_of(operation: Operation, query_string: bytes) -> dict[str, Any]:
    """Read and validate the query parameters; those left out have their defaults.

    Raises InvalidRequest, naming each parameter that is unknown, repeated, missing or invalid.
    """
    fields = _fields(query_string)
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, text in fields:
        parameter = operation.parameters.get(name)
        if parameter is None:
            known = ", ".join(operation.parameters) or "none"
            faults.append(Fault(f"query:{name[:100]}", f"is not a parameter of this operation (it knows: {known})"))
        elif name in values:
            faults.append(Fault(f"query:{name}", "is given more than once"))
        else:
            values[name] = int(text) if parameter.type == "integer" and _is_integer(text) else text
            faults += parameter.validator.faults(values[name], f"query:{name}")
    for parameter in operation.parameters.values():
        if parameter.name not in values:
            if parameter.required:
                faults.append(Fault(f"query:{parameter.name}", "is missing"))
            values[parameter.name] = parameter.default
    if faults:
        raise InvalidRequest.of(faults[:100])
    return values


def body_of(operation: Operation, headers: dict[bytes, list[bytes]], body: bytes) -> tuple[str | None, Any]:
    """Read and validate the body: its media type and its value; None where the operation takes no body.

    A body that is left out where it may be is an empty object. One that the contract has as bytes is not looked into.

    Raises UnsupportedMediaType and InvalidRequest.
    """
    if not operation.bodies:
        if body:
            raise InvalidRequest.of([Fault("", "the operation takes no body")])
        return None, None
    if not body and not operation.body_required:
        return None, {}
    content_type, taken = _content_type(headers), list(operation.bodies)
    media_type = media_type_of(content_type, taken)
    validator = operation.bodies[media_type]
    if validator is None:
        return media_type, read_bytes(body)
    check_charset(content_type, taken)
    value = read_json(body)
    if faults := validator.faults(value):
        raise InvalidRequest.of(faults)
    return media_type, value


def _content_type(headers: dict[bytes, list[bytes]]) -> str:
    content_types = headers.get(b"content-type", [b""])
    if len(content_types) > 1:
        raise InvalidRequest.of([Fault("header:Content-Type", "is given more than once")])
    if b"content-encoding" in headers and headers[b"content-encoding"] != [b"identity"]:
        raise UnsupportedMediaType("The operation takes no compressed bodies.", fix="Send the body uncompressed.")
    return content_types[0].decode("latin-1")


def answering(operation: Operation, handler: Callable[..., Any]) -> Callable[..., flask.Response]:
    """Wrap a handler so that what it answers is validated as a value, and written as JSON once.

    A handler is given what it names of what the bridge has for the request. It answers with a value, or with a value
    and a status; the value is None where there is no content. Raises AssertionError if the contract does not have
    that answer: the client gets a 500, the log the faults.
    """
    names = signature(handler).parameters

    @wraps(handler)
    def answer(**_path: str) -> flask.Response:
        given = flask.request.environ[GIVEN]
        answered = handler(**{name: given[name] for name in names})
        value, status = answered if isinstance(answered, tuple) else (answered, 200)
        body = answer_of(operation, value, status).body
        response = flask.Response(body, status, content_type="application/json")
        if not body:
            del response.headers["Content-Type"]
        return response

    return answer


def answer_of(operation: Operation, value: Any, status: int) -> Answer:  # noqa: ANN401 - any JSON
    """Write an answer as JSON if the contract has it for the operation.

    Raises AssertionError if it has not.
    """
    if status not in operation.answers:
        raise AssertionError(f"the contract has no answer {status} for {operation.operation_id}")
    validator = operation.answers[status]
    if validator is None:
        if value is not None:
            raise AssertionError(f"the answer {status} of {operation.operation_id} has content")
        return Answer(status, b"", ())
    if faults := validator.faults(value):
        raise AssertionError(f"the answer {status} of {operation.operation_id} breaks the contract: {faults}")
    # A line feed at the end, so that answers do not run into each other in a terminal.
    return Answer(status, orjson.dumps(value, default=_exact_number, option=orjson.OPT_APPEND_NEWLINE))


def _exact_number(value: Any) -> orjson.Fragment:  # noqa: ANN401 - what orjson does not know
    """Write a decimal as it is: a float in between could change it."""
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f").encode())
    raise TypeError(f"{type(value)} is no JSON")


def _fields(query_string: bytes) -> list[tuple[str, str]]:
    try:
        fields = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=QUERY_FIELDS_LIMIT,
        )
    except UnicodeError:
        raise InvalidRequest.of([Fault("query:", "is not UTF-8")]) from None
    except ValueError:
        raise InvalidRequest.of([Fault("query:", f"has more than {QUERY_FIELDS_LIMIT} parameters")]) from None
    if any("\0" in name or "\0" in value for name, value in fields):
        raise InvalidRequest.of([Fault("query:", "has the character NUL")])
    return fields


def _is_integer(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 18
