"""Rules of operations: who they are, what they are given, who may ask, and what must go with it."""

import re
from collections import Counter
from collections.abc import Collection, Iterator

from sendmeter.contract.reading import Document
from sendmeter.contract.walking import (
    COMBINED,
    components,
    contents,
    operations,
    parameters,
    parameters_of,
    paths,
    resolve,
    takes_raw,
)
from sendmeter.gate.rules.references import Finding

_PLAIN = ("string", "integer", "number", "boolean")


def the_server_can_serve_it(document: Document) -> Iterator[Finding]:
    """Each contract says where it is served, who may ask, and what an error is; no operation is served elsewhere."""
    if not any(server["url"].startswith("/") for server in document.get("servers", [])):
        yield "#/servers", "has no relative URL: write `- url: /`"
    if "security" not in document:
        yield "#/security", "is missing: without it nothing asks for a key"
    if "ErrorResponse" not in components(document, "schemas"):
        yield "#/components/schemas/ErrorResponse", "is missing: it is the body of every error"
    for path, item in paths(document):
        if item.get("parameters"):
            yield path, "has parameters for all its operations: write them into each"
        if "servers" in item:
            yield path, "has servers of its own: write them into #/servers"
    for where, operation in operations(document):
        for word in ("servers", "callbacks"):
            if word in operation:
                yield where, f"has {word} of its own, which the server does not know"
    yield from (
        (where, "has an encoding: only JSON is sent") for where, body in contents(document) if "encoding" in body
    )


def every_operation_says_who_it_is(document: Document) -> Iterator[Finding]:
    """Each operation has a name, a tag that is told of, and words for its list and its page."""
    told = {tag["name"] for tag in document.get("tags", []) if tag.get("description")}
    names = [operation.get("operationId") for _, operation in operations(document)]
    for where, operation in operations(document):
        for field in ("operationId", "tags", "summary", "description"):
            if not operation.get(field):
                yield where, f"has no {field}"
        for tag in operation.get("tags", []):
            if tag not in told:
                yield where, f"has the tag {tag}, which is not told of: add it to #/tags, with a description"
        if names.count(operation.get("operationId")) > 1:
            yield where, "has the operationId of another"


def what_must_be_given_has_an_example(document: Document) -> Iterator[Finding]:
    """Each parameter of a path, and each of a query that is required, shows a value: whoever tries it has one."""
    for where, parameter in parameters(document):
        if parameter.get("required") and "example" not in parameter:
            yield where, "has no example"


def parameters_are_what_connexion_can_read(document: Document) -> Iterator[Finding]:
    """Each parameter is in the path or the query, and one text, number or boolean: no other is read or checked."""
    for where, parameter in parameters(document):
        schema = resolve(document, parameter.get("schema", {}))
        if any(word in schema for word in COMBINED) or schema.get("type") not in _PLAIN:
            yield where, f"is of a combined schema, or of none: give it one of the types {', '.join(_PLAIN)}"
        if parameter["in"] not in ("path", "query"):
            yield where, "is neither in the path nor in the query"
    for where, count in Counter(where for where, _ in parameters(document)).items():
        if count > 1:
            yield where, "is there twice"


def what_needs_a_key_says_so(document: Document) -> Iterator[Finding]:
    """Each operation that asks for a key answers 401, and one that asks for a scope 403; the others do neither.

    A body that is taken byte for byte is taken so for its signature, which is refused as a key is.
    """
    scopes = components(document, "schemas").get("Scope", {}).get("enum", [])
    for where, operation in operations(document):
        if "x-required-scope" in operation and operation["x-required-scope"] not in scopes:
            yield where, f"asks for the scope {operation['x-required-scope']!r}, which the schema Scope does not have"
        public = operation.get("security", document.get("security", [])) == []
        scope = "x-required-scope" in operation
        proof = "takes what is signed" if takes_raw(document, operation) else "" if public else "asks for a key"
        if bool(proof) != ("401" in operation["responses"]):
            yield where, f"{proof} but answers no 401" if proof else "answers 401 but asks for no key"
        if scope != ("403" in operation["responses"]):
            yield where, "asks for a scope but answers no 403" if scope else "answers 403 but asks for no scope"


def who_may_ask_is_told(document: Document) -> Iterator[Finding]:
    """Each way to show who asks is told of in `securitySchemes`; where one need not be shown, none is asked for."""
    asked = [("#/security", document), *operations(document)]
    for where, holder in asked:
        for way in holder.get("security", []):
            if not way:
                yield where, "may be asked without a key, or with one: write `security: []`"
            for name in way:
                if name not in components(document, "securitySchemes"):
                    yield where, f"asks for {name}, which is not in #/components/securitySchemes"


def what_a_path_names_may_not_be_there(document: Document) -> Iterator[Finding]:
    """Each operation with a parameter in its path answers 404, and each such parameter is required."""
    for where, operation in operations(document):
        named = [parameter for parameter in parameters_of(document, operation) if parameter["in"] == "path"]
        if {f"{{{each['name']}}}" for each in named} != set(re.findall(r"\{[^}]+\}", where)):
            yield where, "has other parameters than its path"
        if bool(named) != ("404" in operation["responses"]):
            yield where, "answers no 404" if named else "answers 404 but names nothing"
        yield from ((where, f"{each['name']} is not required") for each in named if not each.get("required"))


def what_takes_a_body_refuses_some(document: Document) -> Iterator[Finding]:
    """Each operation with a body answers 400, 413 and 415; one without 400, and neither 413 nor 415."""
    for where, operation in operations(document):
        takes_body = "requestBody" in operation
        for status in ("413", "415"):
            if takes_body != (status in operation["responses"]):
                yield where, f"takes a body but answers no {status}" if takes_body else f"answers {status}, to no body"
        if "400" not in operation["responses"]:
            yield where, "answers no 400: a parameter that is not known is one"


def every_operation_has_its_function(document: Document, functions: Collection[str]) -> Iterator[Finding]:
    """Each operation `a.b` is `b` in `handlers/a.py`, and there is no function without an operation."""
    found = {operation.get("operationId"): where for where, operation in operations(document)}
    for operation_id, where in found.items():
        if operation_id not in functions:
            yield where, f"has no function {operation_id}"
    yield from ((name, "is a function and no operation") for name in sorted(functions) if name not in found)
