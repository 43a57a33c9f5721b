"""Walking through a contract: its operations, answers, parameters, bodies and schemas, each with where it stands.

Where something stands is told in words that are found again: `GET /organization/usage 200`, or a JSON pointer.
"""

from collections.abc import Iterable, Iterator
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


def plain(holder: Part) -> Part:
    """Return what has a name, without the extensions that stand beside it."""
    return {name: part for name, part in holder.items() if not name.startswith("x-")}


def paths(document: Document) -> Iterator[tuple[str, Part]]:
    """Return each path with what may be done there."""
    yield from plain(document["paths"]).items()


def components(document: Document, kind: str) -> Part:
    """Return the components of a kind, by name."""
    found: Part = plain(document.get("components", {})).get(kind, {})
    return found


def operations(document: Document) -> Iterator[tuple[str, Part]]:
    """Return each operation with its method and path."""
    for path, item in paths(document):
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def answers(document: Document) -> Iterator[tuple[str, str, Part]]:
    """Return each answer with its operation and its status."""
    for where, operation in operations(document):
        for status, answer in answers_of(document, operation):
            yield where, status, answer


def answers_of(document: Document, operation: Part) -> Iterator[tuple[str, Part]]:
    """Return each answer of an operation with its status."""
    for status, answer in plain(operation["responses"]).items():
        yield status, resolve(document, answer)


def parameters_of(document: Document, operation: Part) -> list[Part]:
    """Return the parameters of an operation."""
    return [resolve(document, parameter) for parameter in operation.get("parameters", [])]


def parameters(document: Document) -> Iterator[tuple[str, Part]]:
    """Return each parameter of each operation."""
    for where, operation in operations(document):
        for parameter in parameters_of(document, operation):
            yield f"{where} {parameter['in']} {parameter['name']}", parameter


def headers(document: Document) -> Iterator[tuple[str, Part]]:
    """Return each header: the named ones, and those that stand in an answer itself."""
    for name, header in components(document, "headers").items():
        yield f"#/components/headers/{name}", resolve(document, header)
    for where, status, answer in answers(document):
        for name, header in answer.get("headers", {}).items():
            if "$ref" not in header:
                yield f"{where} {status} {name}", header


def links(document: Document) -> Iterator[tuple[str, str, Part]]:
    """Return each link of each answer, with its name."""
    for where, status, answer in answers(document):
        for name, link in answer.get("links", {}).items():
            yield f"{where} {status}", name, resolve(document, link)


def contents(document: Document) -> Iterator[tuple[str, Part]]:
    """Return each body of a request or an answer: where it stands, with its media type."""
    for where, operation in operations(document):
        for media_type, body in resolve(document, operation.get("requestBody", {})).get("content", {}).items():
            yield f"{where} request {media_type}", body
    for where, status, answer in answers(document):
        for media_type, body in answer.get("content", {}).items():
            yield f"{where} {status} {media_type}", body


def is_raw(document: Document, schema: Part) -> bool:
    """Return whether a body is handed on as the bytes that it is: what is signed is signed byte for byte."""
    return resolve(document, schema).get("format") == "binary"


def takes_raw(document: Document, operation: Part) -> bool:
    """Return whether an operation takes a body as bytes, in any of its media types."""
    body = resolve(document, operation.get("requestBody", {}))
    return any(is_raw(document, each.get("schema", {})) for each in contents_of(body))


def schemas(document: Document) -> Iterator[tuple[str, Part]]:
    """Return each schema, those within others too."""
    for name, schema in components(document, "schemas").items():
        yield from _within(f"#/components/schemas/{name}", schema)
    for places in (headers, parameters, contents):
        for where, holder in places(document):
            if "schema" in holder:
                yield from _within(where, holder["schema"])


def shown(document: Document) -> Iterator[Part]:
    """Return each schema of answers, with all that it leads to."""
    ahead = [body["schema"] for _, _, answer in answers(document) for body in contents_of(answer) if "schema" in body]
    followed: set[str] = set()
    while ahead:
        for _, _, part in parts(ahead.pop(), kind="schemas"):
            yield part
            if "$ref" in part and part["$ref"] not in followed:
                followed.add(part["$ref"])
                ahead.append(resolve(document, part))


def contents_of(holder: Part) -> Iterable[Part]:
    """Return each body of an answer, or of a request."""
    bodies: dict[str, Part] = holder.get("content", {})
    return bodies.values()


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


# What may stand in each part of a contract: by which name, whether it is one, a list or a map, and of what kind it is.
_Place = tuple[str, str]
_DESCRIBED: dict[str, _Place] = {
    "schema": ("one", "schemas"),
    "content": ("map", "content"),
    "examples": ("map", "examples"),
}
_PLACES: dict[str, dict[str, _Place]] = {
    "document": {"paths": ("map", "paths"), "components": ("one", "components")},
    "components": {
        kind: ("map", kind)
        for kind in (
            "schemas",
            "responses",
            "parameters",
            "examples",
            "requestBodies",
            "headers",
            "securitySchemes",
            "links",
            "callbacks",
        )
    },
    "paths": {"parameters": ("list", "parameters"), **dict.fromkeys(METHODS, ("one", "operations"))},
    "operations": {
        "parameters": ("list", "parameters"),
        "requestBody": ("one", "requestBodies"),
        "responses": ("map", "responses"),
        "callbacks": ("map", "callbacks"),
    },
    "parameters": _DESCRIBED,
    "headers": _DESCRIBED,
    "requestBodies": {"content": ("map", "content")},
    "content": {**_DESCRIBED, "encoding": ("map", "encoding")},
    "encoding": {"headers": ("map", "headers")},
    "responses": {"headers": ("map", "headers"), "content": ("map", "content"), "links": ("map", "links")},
    "schemas": {
        "properties": ("map", "schemas"),
        **dict.fromkeys(("items", "additionalProperties", "not"), ("one", "schemas")),
        **dict.fromkeys(COMBINED, ("list", "schemas")),
    },
}
_EXTENSIBLE = {"paths", "responses", "callbacks"}


def parts(part: Any, where: str = "#", kind: str = "document") -> Iterator[tuple[str, str, Part]]:  # noqa: ANN401 - any JSON
    """Return each part of a document by where it stands, which says of what kind it is, and never by its name.

    What is data, such as the value of an example, or an extension, is none of them.
    """
    if not isinstance(part, dict):
        return
    yield where, kind, part
    if kind == "callbacks" and "$ref" not in part:
        part, places = {"": part}, {"": ("map", "paths")}
    else:
        places = _PLACES.get(kind, {})
    for name, (form, inner) in places.items():
        for step, each in _steps(part.get(name), form, inner):
            yield from parts(each, "/".join(filter(None, (where, name, step))), inner)


def _steps(value: Any, form: str, kind: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON
    if form == "one":
        yield "", value
    elif form == "list" and isinstance(value, list):
        yield from ((str(index), each) for index, each in enumerate(value))
    elif form == "map" and isinstance(value, dict):
        for name, each in (plain(value) if kind in _EXTENSIBLE else value).items():
            yield name.replace("~", "~0").replace("/", "~1"), each
