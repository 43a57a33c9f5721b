"""Walking through a contract: its operations, answers, parameters, bodies and schemas, each with where it stands.

Where something stands is told in words that are found again: `GET /organization/usage 200`, or a JSON pointer.
"""

from collections.abc import Iterator
from typing import Any

from sendmeter.contract.reading import Document

Part = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
COMBINED = ("oneOf", "anyOf", "allOf")


def resolve(document: Document, value: Part) -> Part:
    """Follow a `$ref` within the document."""
    while "$ref" in value:
        target: Any = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        value = target
    return value


def components(document: Document, kind: str) -> Part:
    """Give the components of a kind, by name."""
    found: Part = document.get("components", {}).get(kind, {})
    return found


def operations(document: Document) -> Iterator[tuple[str, Part]]:
    """Give each operation with its method and path."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def answers(document: Document) -> Iterator[tuple[str, str, Part]]:
    """Give each answer with its operation and its status."""
    for where, operation in operations(document):
        for status, answer in operation["responses"].items():
            yield where, status, resolve(document, answer)


def parameters_of(document: Document, operation: Part) -> list[Part]:
    """Give the parameters of an operation."""
    return [resolve(document, parameter) for parameter in operation.get("parameters", [])]


def parameters(document: Document) -> Iterator[tuple[str, Part]]:
    """Give each parameter of each operation."""
    for where, operation in operations(document):
        for parameter in parameters_of(document, operation):
            yield f"{where} {parameter['in']} {parameter['name']}", parameter


def headers(document: Document) -> Iterator[tuple[str, Part]]:
    """Give each header: the named ones, and those that stand in an answer itself."""
    for name, header in components(document, "headers").items():
        yield f"#/components/headers/{name}", resolve(document, header)
    for where, status, answer in answers(document):
        for name, header in answer.get("headers", {}).items():
            if "$ref" not in header:
                yield f"{where} {status} {name}", header


def links(document: Document) -> Iterator[tuple[str, str, Part]]:
    """Give each link of each answer, with its name."""
    for where, status, answer in answers(document):
        for name, link in answer.get("links", {}).items():
            yield f"{where} {status}", name, resolve(document, link)


def contents(document: Document) -> Iterator[tuple[str, Part]]:
    """Give each body of a request or an answer: where it stands, with its media type."""
    for where, operation in operations(document):
        for media_type, body in resolve(document, operation.get("requestBody", {})).get("content", {}).items():
            yield f"{where} request {media_type}", body
    for where, status, answer in answers(document):
        for media_type, body in answer.get("content", {}).items():
            yield f"{where} {status} {media_type}", body


def schemas(document: Document) -> Iterator[tuple[str, Part]]:
    """Give each schema, those within others too."""
    for name, schema in components(document, "schemas").items():
        yield from _within(f"#/components/schemas/{name}", schema)
    for places in (headers, parameters, contents):
        for where, holder in places(document):
            if "schema" in holder:
                yield from _within(where, holder["schema"])


def _within(where: str, schema: Part) -> Iterator[tuple[str, Part]]:
    yield where, schema
    for name, part in schema.get("properties", {}).items():
        yield from _within(f"{where}/properties/{name}", part)
    for word in COMBINED:
        for index, part in enumerate(schema.get(word, [])):
            yield from _within(f"{where}/{word}/{index}", part)
    for word in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(word), dict):
            yield from _within(f"{where}/{word}", schema[word])


def parts(value: Any, where: str = "#") -> Iterator[tuple[str, Part]]:  # noqa: ANN401 - any part of a document
    """Give each object of a document, but not those of examples, which are data."""
    if isinstance(value, dict):
        yield where, value
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in steps:
        if name not in ("example", "value", "default", "enum") or where.endswith("/properties"):
            yield from parts(part, f"{where}/{str(name).replace('~', '~0').replace('/', '~1')}")
